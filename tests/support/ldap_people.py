"""Who is in the LDAP server of the tests: users, groups, and the odd cases of each, as LDIF.

Passwords are "sesame-" and the uid. Addresses are UID@example.test if nothing else is said."""

import base64
import crypt
import hashlib
import os

BASE = "dc=example,dc=test"
DOMAIN = "example.test"
PEOPLE = "ou=people," + BASE
GROUPS = "ou=groups," + BASE
SERVICE_DN = "cn=maild,ou=services," + BASE
SERVICE_PASSWORD = "sesame-maild"
ADMIN_DN = "cn=admin," + BASE
ADMIN_PASSWORD = "sesame-admin"


def password_of(uid):
    return "sesame-" + uid


def hashed(password):
    salt = os.urandom(8)
    return "{SSHA}" + base64.b64encode(hashlib.sha1(password.encode() + salt).digest() + salt).decode()


def hashed_slowly(password):
    """SHA-512-crypt, 5,000 rounds: two milliseconds."""
    return "{CRYPT}" + crypt.crypt(password, crypt.METHOD_SHA512)


def escape_rdn(value):
    """RFC 4514 2.4."""
    out = "".join("\\" + c if c in '"+,;<>\\=' else c for c in value)
    return "\\" + out if out[:1] in (" ", "#") else out


def ldif_line(name, value):
    if isinstance(value, str):
        value = value.encode()
    plain = all(32 <= b < 127 for b in value) and value[:1] not in (b" ", b":", b"<", b"") and value[-1:] != b" "
    return "%s: %s" % (name, value.decode()) if plain else "%s:: %s" % (name, base64.b64encode(value).decode())


def ldif(dn, attributes):
    lines = [ldif_line("dn", dn)]
    for name, values in attributes.items():
        for value in values if isinstance(values, list) else [values]:
            lines.append(ldif_line(name, value))
    return "\n".join(lines) + "\n\n"


class People:
    """entries: {dn: attributes} in an order that slapadd takes."""

    def __init__(self, users=30, bulk=0, slow=False):
        self.hash = hashed_slowly if slow else hashed
        self.entries = {}
        self.number = 1000
        self.add_tree()
        self.dns = [self.add_user("user%03d" % n, mailAlternateAddress="u%d@%s" % (n, DOMAIN)) for n in range(1, users + 1)]
        self.add_named_users()
        self.add_odd_users()
        self.add_freeipa_users()
        self.add_groups()
        self.add_bulk(bulk)

    def text(self):
        return "".join(ldif(dn, attributes) for dn, attributes in self.entries.items())

    def add_tree(self):
        self.entries[BASE] = {"objectClass": ["dcObject", "organization"], "dc": "example", "o": "Example"}
        for name in ("people", "groups", "services", "sales", "posix", "policies", "bulk"):
            self.entries["ou=%s,%s" % (name, BASE)] = {"objectClass": "organizationalUnit", "ou": name}
        self.entries[SERVICE_DN] = {"objectClass": ["organizationalRole", "simpleSecurityObject"], "cn": "maild",
                                    "userPassword": hashed(SERVICE_PASSWORD)}
        self.entries["cn=default,ou=policies," + BASE] = {
            "objectClass": ["organizationalRole", "pwdPolicy"], "cn": "default", "pwdAttribute": "userPassword",
            "pwdLockout": "TRUE", "pwdMaxFailure": "20", "pwdLockoutDuration": "600", "pwdMustChange": "TRUE",
            "pwdAllowUserChange": "TRUE", "pwdMinLength": "6", "pwdCheckQuality": "1"}

    def add_user(self, uid, cn=None, dn=None, unit="people", **attributes):
        self.number += 1
        cn = cn or "User " + uid
        entry = {"objectClass": ["inetOrgPerson", "posixAccount", "mailRecipient"], "uid": uid, "cn": cn, "sn": cn.split()[-1],
                 "mail": "%s@%s" % (uid, DOMAIN), "userPassword": self.hash(password_of(uid)), "uidNumber": str(self.number),
                 "gidNumber": "100", "homeDirectory": "/home/%d" % self.number}
        entry.update(attributes)
        dn = dn or "uid=%s,ou=%s,%s" % (escape_rdn(uid), unit, BASE)
        self.entries[dn] = {name: value for name, value in entry.items() if value is not None}
        return dn

    def add_named_users(self):
        user = self.add_user
        self.anna = user("anna", "Anna Arden", mailAlternateAddress=["a.arden@" + DOMAIN, "Hostmaster@" + DOMAIN],
                         mailLocalAddress="local.anna@" + DOMAIN, mailQuota="50M", employeeNumber="7001")
        self.ben = user("ben", "Ben Berg", mailForwardingAddress="ben@remote.test", mailDeliveryOption="forward")
        self.clara = user("clara", "Clara Cole", mailForwardingAddress="anna@" + DOMAIN,
                          mailDeliveryOption=["forward", "mailbox"])
        self.dora = user("dora", mailUserStatus="disabled")
        user("ines", mailUserStatus="inactive")
        user("emil", mailHost="other.example.test")
        user("fred", mailQuota="20K")

    def add_odd_users(self):
        user = self.add_user
        user("hans", mail=None)  # no address
        user("olaf", userPassword=None)  # no password
        user("jörg", "Jörg Jäger", mail="joerg@" + DOMAIN)
        user("odd", "Doe, John (Test)*", dn="cn=Doe\\, John (Test)*+uid=odd,ou=people," + BASE)
        user("oddmail", mail='"odd(x)*y"@' + DOMAIN)  # in quotes only
        user("slash", 'back\\slash #1, "q"', dn='cn=back\\5Cslash #1\\, \\22q\\22,ou=people,' + BASE)
        user("o'neil")
        user("plus+tag")
        user("twin1", mail="twins@" + DOMAIN)  # one address, two entries
        user("twin2", mail="twins@" + DOMAIN)
        user("double", mail="double.people@" + DOMAIN)  # one uid, two entries
        user("double", mail="double.sales@" + DOMAIN, unit="sales")
        user("lukas", pwdAccountLockedTime="000001010000Z")
        user("maria", pwdReset="TRUE")
        user("photo", jpegPhoto=bytes(range(256)) * 16)
        user("garbled", mailQuota="much", mailForwardingAddress="not an address")

    def add_freeipa_users(self):
        for dn, attributes in (("cn=accounts," + BASE, {"cn": "accounts"}),
                               ("cn=users,cn=accounts," + BASE, {"cn": "users"}),
                               ("cn=groups,cn=accounts," + BASE, {"cn": "groups"})):
            self.entries[dn] = {"objectClass": "nsContainer", **attributes}
        classes = ["inetOrgPerson", "posixAccount", "ipaUser"]
        dns = []
        for uid, lock in (("ida", "FALSE"), ("igor", "TRUE")):
            dns.append(self.add_user(uid, dn="uid=%s,cn=users,cn=accounts,%s" % (uid, BASE), objectClass=classes,
                                     nsAccountLock=lock, ipaUniqueID="8d1c0e4e-0000-11ef-9a5b-%012d" % self.number))
        self.add_group("ipamail", dns, dn="cn=ipamail,cn=groups,cn=accounts," + BASE, mail="ipamail@" + DOMAIN,
                       objectClass=["groupOfNames", "mailGroup", "ipaUserGroup"])

    def add_group(self, cn, members, dn=None, **attributes):
        """With an address it is a list."""
        dn = dn or "cn=%s,%s" % (cn, GROUPS)
        self.entries[dn] = {"objectClass": ["groupOfNames"] + (["mailGroup"] if attributes else []), "cn": cn,
                            "member": members, **attributes}
        for member in members:  # what the overlay does, but not while data are loaded
            if member in self.entries:
                self.entries[member].setdefault("memberOf", []).append(dn)
        return dn

    def add_groups(self):
        group = self.add_group
        engineers = group("engineers", self.dns[:10] + [self.anna], mail="engineers@" + DOMAIN)
        sellers = group("sellers", self.dns[10:15] + [self.dora], mail="sellers@" + DOMAIN,
                        mailAlternateAddress="sales@" + DOMAIN)
        group("everybody", [engineers, sellers, self.clara], mail="everybody@" + DOMAIN)
        one, two = ("cn=%s,%s" % (name, GROUPS) for name in ("ring1", "ring2"))
        group("ring1", [two, self.anna], mail="ring1@" + DOMAIN)
        group("ring2", [one, self.dns[0]], mail="ring2@" + DOMAIN)
        self.entries[one].setdefault("memberOf", []).append(two)
        group("ghosts", ["uid=gone,ou=people," + BASE, self.anna], mail="ghosts@" + DOMAIN)
        group("outside", [self.anna], mail="outside@" + DOMAIN, rfc822MailMember="friend@remote.test")
        group("imapusers", [self.anna, self.clara])  # without an address: for access rules
        self.entries["cn=operators,ou=posix," + BASE] = {
            "objectClass": "posixGroup", "cn": "operators", "gidNumber": "5000", "memberUid": ["anna", "ben", "gone"]}
        self.entries["cn=crew,ou=posix," + BASE] = {
            "objectClass": "nisMailAlias", "cn": "crew", "rfc822MailMember": ["anna", "friend@remote.test"]}

    def add_bulk(self, count):
        """A group with many members: small entries, no password."""
        members = []
        for n in range(count):
            dn = "uid=bulk%05d,ou=bulk,%s" % (n, BASE)
            self.entries[dn] = {"objectClass": ["inetOrgPerson", "mailRecipient"], "uid": "bulk%05d" % n, "cn": "Bulk",
                                "sn": "Bulk", "mail": "bulk%05d@%s" % (n, DOMAIN)}
            members.append(dn)
        if members:
            self.add_group("bulk", members, mail="bulk@" + DOMAIN)
