"""The pages of the documentation on directories: each configuration in them, as it stands there, with the names of the test's
servers in place of the page's."""

import os

from support.examples import read_examples
from support.kerberos import PLUGIN_LEAK, curl
from support.ldap_people import BASE, SERVICE_DN
from support.ldap_logins import PROTOCOLS, LdapInstance, login, recipient
from support.mail import inject
from support.samba_ad import controller
from support.slapd import Slapd

TEXT = "From: s@elsewhere.test\r\nSubject: hello\r\n\r\nx\r\n"


def check(server, example):
    """A login, a wrong password, a recipient and one who does not exist."""
    for command, _ in example.commands:
        if not command.startswith("reload"):
            server.mailctl(*command.split(), check=False)  # the domain may be there
    assert login(server, "anna", "sesame-anna", PROTOCOLS) == "yes", example.title
    assert login(server, "anna", "wrong", PROTOCOLS) == "no", example.title
    assert recipient(server, "nobody@example.test").startswith("550"), example.title
    inject(server, "s@elsewhere.test", ["anna@example.test"], TEXT)


def write(server, name, text):
    path = os.path.join(server.root, name)
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, 0o600)
    return path


def test_openldap():
    with Slapd() as ldap:
        # As it is before the page is read.
        ldap.modify("dn: %s\nchangetype: delete\n\ndn: olcDatabase={1}mdb,cn=config\nchangetype: modify\nreplace: olcAccess\n"
                    "olcAccess: {0}to * by * none\n\ndn: cn=config\nchangetype: modify\ndelete: olcAuthzRegexp\n" % SERVICE_DN)
        shown = 0
        for example in read_examples("openldap.md"):
            server = LdapInstance()
            example.replace(
                ("dc=example,dc=org", BASE), ("example.org", "example.test"), ("a-long-random-password", "sesame-maild"),
                ("ldaps://ldap1.example.test", ldap.ldaps_uri), ("ldap://ldap1.example.test", ldap.uri),
                ("ldaps://ldap2.example.test", "ldaps://127.0.0.1:1"), ("/etc/maild/ldap-ca.pem", ldap.ca),
                ("ldapi://%2Fvar%2Frun%2Fslapd%2Fldapi", ldap.ldapi_uri), ("gidNumber=996", "gidNumber=%d" % os.getgid()),
                ("uidNumber=996", "uidNumber=%d" % os.getuid()),
                ("/etc/maild/ldap-password", write(server, "ldap-password", "sesame-maild\n")))
            if example.ldif:
                ldap.modify(example.ldif)
            if example.config:
                server.add_config(example.config)
                with server:
                    check(server, example)
                    shown += 1
            else:
                server.close()
        assert shown == 4


def test_active_directory():
    ad = controller()
    shown, sections = 0, read_examples("active-directory.md")
    block = next(e.config for e in sections if "ldap ad" in e.config and "bind_password" in e.config)
    for example in sections:
        if "ldap ad" not in example.config:
            example.config += block
        server = LdapInstance(environment={
            "KRB5_CONFIG": ad.krb5_conf, "KRB5RCACHENAME": "none:", **PLUGIN_LEAK})
        example.replace(
            ("AD.EXAMPLE.ORG", "AD.EXAMPLE.TEST"), ("example.org", "example.test"), ("DC=example,DC=org", "DC=example,DC=test"),
            ("dc1.ad.example.test", ad.address), ("dc2.ad.example.test", "127.0.0.1"), ("/etc/maild/ad-ca.pem", ad.ca),
            ("/etc/maild/ad-password", write(server, "ad-password", "sesame-maild\n")), ("/etc/maild/mail.keytab", ad.keytab),
            ("/etc/maild/maild.keytab", ad.maild_keytab))
        server.add_config(example.config)
        with server:
            check(server, example)
            assert login(server, "ADTEST\\anna", "sesame-anna") == "yes"
            if "auth {" in example.config:
                result = curl(server, "imap", "anna@AD.EXAMPLE.TEST", ad.ticket("anna"))
                assert result.returncode == 0 and "hello" in result.stdout, (result, server.log()[-2000:])
            shown += 1
    assert shown == 2
