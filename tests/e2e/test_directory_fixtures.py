"""The directory servers that other tests stand on do what is expected of them."""

import os
import subprocess

from support.kdc import Kdc
from support.ldap_fake import LdapFake
from support.ldap_people import ADMIN_DN, ADMIN_PASSWORD, PEOPLE, SERVICE_DN, password_of
from support.ldap_proxy import LdapProxy
from support.samba_ad import BASE, BULK, controller
from support.slapd import Slapd


def test_slapd():
    with Slapd(users=5, bulk=50) as ldap:
        assert ldap.user_works("anna") and not ldap.user_works("anna", "wrong")
        assert ldap.user_works("jörg") and ldap.bind_works("cn=Doe\\, John (Test)*+uid=odd," + PEOPLE, "sesame-odd")
        assert not ldap.user_works("lukas"), "a locked account"
        # TLS with and without StartTLS; the Unix socket tells who asks
        for arguments in (("-ZZ", "-H", ldap.uri), ("-H", ldap.ldaps_uri)):
            answer = ldap.run("ldapwhoami", "-x", "-D", "uid=anna," + PEOPLE, "-w", password_of("anna"), *arguments).stdout
            assert "uid=anna" in answer, answer
        assert SERVICE_DN in ldap.run("ldapwhoami", "-Q", "-Y", "EXTERNAL", "-H", ldap.ldapi_uri).stdout
        assert ldap.search("(cn=bulk)", "member").count("member:") == 50
        assert "cn=engineers" in ldap.search("(uid=anna)", "memberOf")
        # the service account may set passwords, and cannot read them
        assert "userPassword" not in ldap.search("(uid=anna)", "userPassword")
        ldap.run("ldappasswd", "-Q", "-Y", "EXTERNAL", "-H", ldap.ldapi_uri, "-s", "another one", "uid=anna," + PEOPLE)
        assert ldap.user_works("anna", "another one")
        ldap.modify("dn: uid=anna,%s\nchangetype: modify\nreplace: mail\nmail: new@example.test\n" % PEOPLE)
        assert "new@" in ldap.search("(uid=anna)", "mail")
        ldap.modify("dn: cn=config\nchangetype: modify\nreplace: olcIdleTimeout\nolcIdleTimeout: 100\n")
        pid = ldap.process.pid
        ldap.freeze()
        assert ldap.state() == "T"
        ldap.thaw()
        ldap.restart()
        assert ldap.bind_works(ADMIN_DN, ADMIN_PASSWORD) and ldap.process.pid != pid
        directory = ldap.directory
    assert not os.path.exists(directory) and not os.path.exists("/proc/%d" % pid)


def test_kdc():
    with Kdc() as kdc:
        client = dict(os.environ, **kdc.ticket("anna"))
        listed = subprocess.run(["klist"], capture_output=True, text=True, env=client).stdout
        assert "anna@EXAMPLE.TEST" in listed, listed
        try:
            kdc.ticket("anna", "wrong")
            raise AssertionError("a ticket for a wrong password")
        except AssertionError as error:
            assert "kinit" in str(error), error
        assert "imap/localhost@EXAMPLE.TEST" in subprocess.run(["klist", "-k", kdc.keytab], capture_output=True, text=True).stdout
        with Slapd(users=1, kdc=kdc) as ldap:
            answer = ldap.run("ldapwhoami", "-Q", "-Y", "GSSAPI", "-N", "-H", "ldap://localhost:%d" % ldap.port, environment=client)
            assert "uid=anna,ou=people" in answer.stdout, answer
            keytab = os.path.join(kdc.directory, "maild.keytab")
            service = dict(kdc.environment, KRB5_CLIENT_KTNAME="FILE:" + keytab, KRB5CCNAME="MEMORY:service")
            answer = ldap.run("ldapwhoami", "-Q", "-Y", "GSSAPI", "-N", "-H", "ldap://localhost:%d" % ldap.port, environment=service)
            assert SERVICE_DN in answer.stdout, answer


def test_samba():
    ad = controller()
    assert controller() is ad
    assert ad.bind_works("anna@ad.example.test", "sesame-anna") and ad.bind_works("ADTEST\\anna", "sesame-anna")
    assert not ad.bind_works("anna@ad.example.test", "wrong") and ad.bind_works("ben.berg@corp.example.test", "sesame-ben")
    assert not ad.bind_works("dora@ad.example.test", "sesame-dora") and not ad.bind_works("erik@ad.example.test", "sesame-erik")
    found = ad.search("(sAMAccountName=anna)", "memberOf", "proxyAddresses")
    assert "CN=engineers" in found and "smtp:A.Arden@" in found and "CN=mailstaff" not in found, found
    assert ad.search("(cn=bulk)", "member").count("member:") == BULK
    client = ad.ticket("anna")
    listed = subprocess.run(["klist"], capture_output=True, text=True, env=dict(os.environ, **client)).stdout
    assert "anna@AD.EXAMPLE.TEST" in listed, listed
    assert "imap/localhost@AD" in subprocess.run(["klist", "-k", ad.keytab], capture_output=True, text=True).stdout
    service = dict(ad.environment, KRB5_CLIENT_KTNAME="FILE:" + ad.maild_keytab, KRB5CCNAME="MEMORY:service")
    answer = ad.run("ldapsearch", "-Q", "-Y", "GSSAPI", "-N", "-LLL", "-H", ad.uri, "-b", BASE, "(sAMAccountName=anna)", "mail",
                    environment=service)
    assert "mail: anna@example.test" in answer.stdout, answer


def test_the_proxy_and_the_fake():
    members = ["cn=m%04d,dc=x" % n for n in range(25)]
    with LdapFake({"cn=g,dc=x": {"objectClass": ["group"], "cn": ["g"], "member": members}}, range=10) as fake, \
            LdapProxy(fake.port) as proxy, Slapd(users=1) as tools:
        def ask(*what, check=True):
            return tools.run("ldapsearch", "-x", "-LLL", "-H", proxy.uri, "-l", "2", "-o", "nettimeout=2", "-b", "dc=x", *what, check=check)

        assert "member;range=0-9: " in ask("(cn=g)").stdout and not ask("(cn=h)").stdout.strip()
        assert ask("(cn=g)", "member;range=20-*").stdout.count("member;range=20-*: ") == 5
        proxy.set("drip")
        assert "member;range=0-9: " in ask("(cn=g)").stdout
        for mode in ("cut", "garbage", "reset"):
            proxy.set(mode, bytes=60)
            assert ask("(cn=g)", check=False).returncode != 0, mode
        proxy.set("pass")
        fake.raw = b"HTTP/1.0 400 Bad Request\r\n\r\n" * 20
        assert ask("(cn=g)", check=False).returncode != 0
        fake.raw = None
        assert "dn: cn=g" in ask("(cn=g)").stdout
