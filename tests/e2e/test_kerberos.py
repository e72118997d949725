"""Logins with a Kerberos ticket, with curl: against MIT's KDC, with accounts in LDAP and of maild's own; and what is wrong."""

import ctypes.util
import os

from support import wait_for
from support.kdc import Kdc
from support.kerberos import URLS, KerberosInstance, curl
from support.ldap_logins import PROTOCOLS, LdapInstance, Line, login, slapd_block
from support.mail import inject
from support.slapd import Slapd

TEXT = "From: s@elsewhere.test\r\nSubject: hello anna\r\n\r\nx\r\n"


def capabilities(server):
    with Line(server, "imaps") as c:
        c.f.write(b"a CAPABILITY\r\n")
        return c.f.readline().decode()


def test_all_protocols():
    with Kdc() as kdc, Slapd(users=2) as ldap, KerberosInstance(kdc, slapd_block(ldap)) as server:
        assert "AUTH=GSSAPI" in capabilities(server)
        inject(server, "s@elsewhere.test", ["anna"], TEXT)
        tickets = kdc.ticket("anna")
        for protocol in URLS:
            result = curl(server, protocol, "anna@EXAMPLE.TEST", tickets)
            assert result.returncode == 0, (protocol, result, server.log()[-3000:])
            assert protocol == "smtp" or "hello anna" in result.stdout, (protocol, result)
        wait_for(lambda: len(server.messages("anna")) == 2, "what curl sent is not there")
        # somebody without a ticket, somebody else's mailbox, a realm's user who has no account, one who is disabled
        assert curl(server, "imap", "anna@EXAMPLE.TEST", {**kdc.environment, "KRB5CCNAME": "MEMORY:none"}).returncode != 0
        result = curl(server, "imap", "clara@EXAMPLE.TEST", tickets, "--sasl-authzid", "clara@example.test")
        assert result.returncode != 0 or "hello" not in result.stdout
        kdc.kadmin("addprinc -pw sesame-stranger stranger")
        assert curl(server, "imap", "stranger@EXAMPLE.TEST", kdc.ticket("stranger")).returncode != 0
        assert curl(server, "imap", "dora@EXAMPLE.TEST", kdc.ticket("dora")).returncode != 0
        log = server.log()
        assert "mechanism=GSSAPI" in log and "reason=disabled" in log and "reason=" in log, log[-3000:]


def test_accounts_of_our_own():
    with Kdc() as kdc, KerberosInstance(kdc, users=("anna",)) as server:
        inject(server, "s@elsewhere.test", ["anna"], TEXT)
        result = curl(server, "imap", "anna@EXAMPLE.TEST", kdc.ticket("anna"))
        assert result.returncode == 0 and "hello anna" in result.stdout, (result, server.log()[-3000:])


def test_the_service_account_of_ldap_with_a_keytab():
    with Kdc() as kdc, Slapd(users=2, kdc=kdc) as ldap:
        block = slapd_block(ldap, servers="ldap://localhost:%d" % ldap.port, bind="gssapi", bind_dn=None, bind_password=None,
                            keytab=os.path.join(kdc.directory, "maild.keytab"), principal="maild/localhost@EXAMPLE.TEST")
        environment = {k: v for k, v in kdc.environment.items() if k != "KRB5_KTNAME"}
        with LdapInstance(block, environment=environment) as server:
            assert login(server, "anna", "sesame-anna", PROTOCOLS) == "yes"
            assert login(server, "anna", "wrong", PROTOCOLS) == "no"


def test_a_keytab_that_is_missing_or_wrong():
    with Kdc() as kdc:
        tickets = kdc.ticket("anna")
        # None: not offered, and the log says why; the rest works.
        with KerberosInstance(kdc, users=("anna",), keytab="/nonexistent/keytab") as server:
            assert "GSSAPI" not in capabilities(server)
            assert curl(server, "imap", "anna@EXAMPLE.TEST", tickets).returncode != 0
            assert "/nonexistent/keytab" in server.log(), server.log()[-2000:]
        # Keys that the KDC has replaced since: refused, not a crash, and no "later" for ever
        old = kdc.new_keytab("imap/localhost")
        kdc.new_keytab("imap/localhost")
        with KerberosInstance(kdc, users=("anna",), keytab=old) as server:
            assert curl(server, "imap", "anna@EXAMPLE.TEST", kdc.ticket("anna")).returncode != 0
            assert "GSSAPI" in server.log(), server.log()[-2000:]
        garbage = os.path.join(kdc.directory, "garbage.keytab")
        with open(garbage, "wb") as f:
            f.write(os.urandom(500))
        with KerberosInstance(kdc, users=("anna",), keytab=garbage) as server:
            assert curl(server, "imap", "anna@EXAMPLE.TEST", kdc.ticket("anna")).returncode != 0


def faketime_library():
    for path in ("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1", "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1"):
        if os.path.exists(path):
            return path
    return ctypes.util.find_library("faketime")


def test_a_clock_that_is_wrong():
    with Kdc() as kdc, KerberosInstance(kdc, users=("anna",)) as server:
        inject(server, "s@elsewhere.test", ["anna"], TEXT)
        tickets = kdc.ticket("anna")
        assert curl(server, "imap", "anna@EXAMPLE.TEST", tickets).returncode == 0  # has the service's ticket from now on
        library = faketime_library()
        assert library, "libfaketime is missing (scripts/install-dependencies --tests)"
        late = dict(tickets, LD_PRELOAD=library, FAKETIME="+20m", FAKETIME_DONT_FAKE_MONOTONIC="1")
        result = curl(server, "imap", "anna@EXAMPLE.TEST", late)
        assert result.returncode != 0 and "hello" not in result.stdout, result
        assert "kew" in server.log() or "clock" in server.log().lower(), server.log()[-2000:]
        assert curl(server, "imap", "anna@EXAMPLE.TEST", tickets).returncode == 0
