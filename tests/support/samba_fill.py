"""Fills a freshly provisioned domain with people, straight into its database, and writes keytabs. Runs under the
system's Python, which has Samba's modules: samba_fill.py SMB.CONF JSON (see samba_ad.py)."""

import json
import sys

import ldb
from samba import dckeytab  # noqa: F401 gives Net its export_keytab
from samba.auth import system_session
from samba.dcerpc import security
from samba.ndr import ndr_unpack
from samba.net import Net
from samba.param import LoadParm
from samba.samdb import SamDB
from samba.sd_utils import SDUtils

RESET_PASSWORD = "(OA;CIIO;CR;00299570-246d-11d0-a768-00aa006e0529;bf967aba-0de6-11d0-a285-00aa003049e2;%s)"


class Domain:
    def __init__(self, config, options):
        self.parameters = LoadParm()
        self.parameters.load(config)
        self.db = SamDB(session_info=system_session(), lp=self.parameters)
        self.base = str(self.db.domain_dn())
        self.realm = options["realm"].lower()
        self.options = options

    def set(self, dn, **attributes):
        message = ldb.Message(ldb.Dn(self.db, dn))
        for name, value in attributes.items():
            message[name] = ldb.MessageElement(value, ldb.FLAG_MOD_REPLACE, name)
        self.db.modify(message)

    def set_rules(self):
        """Passwords of tests are short and do not expire; ten wrong ones lock for half an hour."""
        self.set(self.base, maxPwdAge="0", minPwdAge="0", minPwdLength="6", pwdProperties="0", pwdHistoryLength="0",
                 lockoutThreshold="10", lockoutDuration="-18000000000", lockOutObservationWindow="-18000000000")

    def add(self, dn, **attributes):
        self.db.add({"dn": dn, **{name: value for name, value in attributes.items() if value is not None}})
        return dn

    def add_user(self, sam, cn=None, unit="People", **attributes):
        cn = cn or "User " + sam
        entry = {"objectClass": "user", "sAMAccountName": sam, "userPrincipalName": "%s@%s" % (sam, self.realm),
                 "displayName": cn, "mail": "%s@example.test" % sam, "userAccountControl": "512",
                 "unicodePwd": ('"sesame-%s"' % sam).encode("utf-16-le")}
        entry.update(attributes)
        return self.add("CN=%s,OU=%s,%s" % (cn.replace(",", "\\,"), unit, self.base), **entry)

    def add_group(self, cn, members, **attributes):
        return self.add("CN=%s,OU=Groups,%s" % (cn, self.base), objectClass="group", sAMAccountName=cn,
                        member=members or None, **attributes)

    def sid(self, dn):
        found = self.db.search(dn, ldb.SCOPE_BASE, attrs=["objectSid"])
        return str(ndr_unpack(security.dom_sid, found[0]["objectSid"][0]))

    def fill(self):
        for unit in ("People", "Groups", "Service", "Bulk"):
            self.add("OU=%s,%s" % (unit, self.base), objectClass="organizationalUnit")
        self.users = [self.add_user("user%03d" % n) for n in range(1, self.options["users"] + 1)]
        self.fill_people()
        self.fill_services()
        self.fill_groups()

    def fill_people(self):
        user = self.add_user
        self.anna = user("anna", "Anna Arden", otherMailbox="anna.home@example.test",
                         proxyAddresses=["SMTP:anna@example.test", "smtp:A.Arden@example.test", "sip:anna@sip.test",
                                         "X400:c=us;a= ;p=Example;s=Arden;"])
        self.ben = user("ben", "Ben Berg", userPrincipalName="ben.berg@corp.example.test")
        self.clara = user("clara", "Clara Cole", mail="c.cole@example.test")
        self.dora = user("dora", userAccountControl="514")  # disabled
        user("erik", accountExpires="129000000000000000")  # since 2009
        user("lukas")  # to be locked by wrong passwords
        user("maria", pwdLastSet="0")  # must change her password
        user("nils", userPrincipalName=None)
        user("hans", mail=None)
        user("joerg", "Jörg Jäger")
        user("comma", "Doe, John (Test)*")
        user("twin1", proxyAddresses="smtp:twins@example.test")
        user("twin2", proxyAddresses="smtp:twins@example.test")

    def fill_services(self):
        """One account for LDAP, with the right to set passwords, one whose keys the keytab has."""
        reader = self.add_user("maild", unit="Service", mail=None)
        SDUtils(self.db).dacl_add_ace("OU=People," + self.base, RESET_PASSWORD % self.sid(reader))
        names = ["%s/%s" % (s, h) for h in self.options["hosts"] for s in self.options["services"]]
        self.add_user("mailhost", unit="Service", mail=None, servicePrincipalName=names,
                      **{"msDS-SupportedEncryptionTypes": "24"})
        controller = ldb.Message(ldb.Dn(self.db, "CN=DC1,OU=Domain Controllers," + self.base))
        names = ["ldap/dc1." + self.realm, "ldap/DC1", "ldap/" + self.options["address"], "ldap/localhost"]
        controller["names"] = ldb.MessageElement(names, ldb.FLAG_MOD_ADD, "servicePrincipalName")
        self.db.modify(controller)

    def fill_groups(self):
        group = self.add_group
        engineers = group("engineers", self.users[:10] + [self.anna], mail="engineers@example.test")
        sellers = group("sellers", self.users[10:15] + [self.dora], mail="sellers@example.test",
                        proxyAddresses="smtp:sales@example.test")
        everybody = group("everybody", [engineers, sellers, self.clara], mail="everybody@example.test")
        group("company", [everybody, self.ben], mail="company@example.test", groupType="2")
        one = group("ring1", [self.anna], mail="ring1@example.test", groupType="8")
        two = group("ring2", [one, self.ben], mail="ring2@example.test", groupType="8")
        self.set(one, member=[self.anna, two])
        group("imapusers", [self.anna, self.clara])  # no address: for access rules
        contacts = [self.add("CN=Contact%04d,OU=Bulk,%s" % (n, self.base), objectClass="contact",
                             mail="contact%04d@partner.test" % n) for n in range(self.options["bulk"])]
        group("bulk", contacts, mail="bulk@example.test")
        primary = group("mailstaff", [self.anna], mail="mailstaff@example.test")
        # A user's first group is in no member and no memberOf.
        self.set(self.anna, primaryGroupID=self.sid(primary).rsplit("-", 1)[1])

    def write_keytabs(self):
        net = Net(None, self.parameters)
        for host in self.options["hosts"]:
            for service in self.options["services"]:
                net.export_keytab(keytab=self.options["keytab"], principal="%s/%s" % (service, host))
        net.export_keytab(keytab=self.options["maild_keytab"], principal="maild")


def main():
    domain = Domain(sys.argv[1], json.loads(sys.argv[2]))
    domain.db.transaction_start()
    domain.set_rules()
    domain.fill()
    domain.db.transaction_commit()
    domain.write_keytabs()


main()
