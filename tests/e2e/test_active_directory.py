"""Accounts, addresses and groups of an Active Directory domain: Samba as its controller."""

import re

from support import wait_for
from support.kerberos import URLS, KerberosInstance, curl
from support.ldap_fake import LdapFake
from support.ldap_logins import ALL, PROTOCOLS, LdapInstance, ldap_block, login, recipient, samba_block
from support.mail import inject, submit
from support.samba_ad import BULK, controller

TEXT = "From: s@elsewhere.test\r\nSubject: hello anna\r\n\r\nx\r\n"


def delivered(server, address, *users):
    before = {user: len(server.messages(user)) for user in users}
    inject(server, "s@elsewhere.test", [address], TEXT)
    for user in users:
        wait_for(lambda: len(server.messages(user)) == before[user] + 1, "%s: nothing came to %s" % (address, user))


def reasons(server):
    return dict(re.findall(r'user=<([^>]*)> .*reason=(\w+)', server.log()))


def test_logins():
    ad = controller()
    with LdapInstance(samba_block(ad)) as server:
        for name in ("anna", "ANNA", "ADTEST\\anna", "anna@ad.example.test", "anna@example.test", "a.arden@example.test"):
            assert login(server, name, "sesame-anna", PROTOCOLS) == "yes", name
        for name, password in (("ben.berg@corp.example.test", "ben"), ("clara", "clara"), ("c.cole@example.test", "clara"),
                               ("nils", "nils"), ("joerg", "joerg"), ("comma", "comma"), ("hans", "hans")):
            assert login(server, name, "sesame-" + password) == "yes", name
        for name in ("anna", "nobody", "OTHER\\nobody", "anna*", "maria)(cn=*", "dora", "erik", "maria"):
            assert login(server, name, "wrong", ALL if name == "anna" else PROTOCOLS) == "no", name
        assert login(server, "anna", "") == "no"  # a controller would take it as nobody's login
        for name in ("dora", "erik", "maria"):  # with the right password
            assert login(server, name, "sesame-" + name, PROTOCOLS) == "no", name
        known = reasons(server)
        assert known["dora"] == "disabled" and known["erik"] == "expired" and known["maria"] == "password_expired", known
        for _ in range(10):
            assert login(server, "lukas", "wrong") == "no"
        assert login(server, "lukas", "sesame-lukas") == "no" and reasons(server)["lukas"] == "locked", reasons(server)


def test_addresses_and_groups():
    ad = controller()
    with LdapInstance(samba_block(ad)) as server:
        for address in ("anna", "a.arden", "anna.home"):
            delivered(server, address + "@example.test", "anna")
        assert recipient(server, "nobody@example.test").startswith("550")
        assert recipient(server, "dora@example.test").startswith("250")  # disabled accounts still receive
        assert recipient(server, "twins@example.test").startswith("4") and "twins@example.test" in server.log()
        delivered(server, "engineers@example.test", "anna", "user001", "user010")
        delivered(server, "sales@example.test", "user011")
        delivered(server, "company@example.test", "anna", "user001", "user015", "ben", "c.cole")  # three levels
        delivered(server, "ring1@example.test", "anna", "ben")
        delivered(server, "mailstaff@example.test", "anna")  # her primary group has no member attribute for it
        shown = server.mailctl("directory", "lookup", "bulk@example.test")
        assert shown.count("@partner.test") >= BULK, len(shown)
        shown = server.mailctl("directory", "lookup", "anna")
        for group in ("engineers", "everybody", "company", "mailstaff"):
            assert group in shown, (group, shown)
        assert login(server, "anna", "sesame-anna") == "yes"
        submit(server, "anna", ["c.cole@example.test"], TEXT, "sesame-anna")


def test_other_connections():
    ad = controller()
    for settings in (dict(servers=ad.ldaps_uri, starttls=None), dict(servers=ad.global_catalog_uri),
                     dict(disabled_accounts_receive="no", upn_addresses="yes")):
        with LdapInstance(samba_block(ad, **settings)) as server:
            assert login(server, "anna", "sesame-anna", PROTOCOLS) == "yes", settings
            assert login(server, "anna", "wrong") == "no"
            assert login(server, "dora", "sesame-dora") == "no"
            if "upn_addresses" in settings:
                assert recipient(server, "dora@example.test").startswith("5")
    # A password over a connection that is not encrypted: maild does not even begin.
    server = LdapInstance(samba_block(ad, servers="ldap://dc.elsewhere.test", starttls=None))
    try:
        assert server.run_mailctl("config", "check", check=False).returncode == 1
    finally:
        server.close()


def test_passwords():
    ad = controller()
    with LdapInstance(samba_block(ad)) as server:
        server.mailctl("user", "passwd", "user002@example.test", "--password-stdin", stdin="sesame-Brand new 2\n")
        assert ad.bind_works("user002@ad.example.test", "sesame-Brand new 2")
        assert login(server, "user002", "sesame-Brand new 2", PROTOCOLS) == "yes"
        short = server.run_mailctl("user", "passwd", "user002@example.test", "--password-stdin", stdin="sesa\n", check=False)
        assert short.returncode == 1 and "sesa" not in short.stderr, short
        assert login(server, "user002", "sesame-Brand new 2") == "yes"


def test_tickets():
    ad = controller()
    block = samba_block(ad, bind="gssapi", bind_dn=None, bind_password=None, keytab=ad.maild_keytab,
                        principal="maild@AD.EXAMPLE.TEST")
    with KerberosInstance(ad, block) as server:
        delivered(server, "anna@example.test", "anna")
        tickets = ad.ticket("anna")
        for protocol in URLS:
            result = curl(server, protocol, "anna@AD.EXAMPLE.TEST", tickets)
            assert result.returncode == 0, (protocol, result, server.log()[-3000:])
            assert protocol == "smtp" or "hello anna" in result.stdout, result
        assert login(server, "anna", "sesame-anna", PROTOCOLS) == "yes"
        assert len(server.messages("anna")) == 2


def test_members_in_ranges():
    """As controllers answer groups beyond 1,500 members; a server of our own does, Samba does not."""
    entries = {"dc=x": {"objectClass": ["domain"]}}
    members = []
    for n in range(3100):
        dn = "cn=contact%d,dc=x" % n
        entries[dn] = {"objectClass": ["contact"], "mail": ["contact%d@partner.test" % n], "distinguishedName": [dn]}
        members.append(dn)
    entries["cn=big,dc=x"] = {"objectClass": ["group"], "sAMAccountName": ["big"], "mail": ["big@example.test"], "member": members,
                              "distinguishedName": ["cn=big,dc=x"], "objectGUID": [b"0123456789abcdef"]}
    with LdapFake(entries, range=1500) as fake:
        block = ldap_block(preset="ad", servers=fake.uri, base='"dc=x"', domains="example.test", bind_dn='"cn=maild"',
                           bind_password="sesame-x", allow_cleartext="yes")
        with LdapInstance(block) as server:
            shown = server.mailctl("directory", "lookup", "big@example.test")
            for n in (0, 1499, 1500, 3000, 3099):
                assert "contact%d@partner.test" % n in shown, (n, shown[:2000])
