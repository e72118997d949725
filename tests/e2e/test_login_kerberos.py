"""Logins with Kerberos tickets: GSSAPI and GSS-SPNEGO against a realm of our own, from curl over IMAP, POP3 and
submission, and with the Cyrus SASL library's own client where it is installed."""

import os
import shutil
import subprocess

from support import Skip
from support.instance import Instance
from support.kdc import Kdc
from support.sasl import Session, cyrus

USERS = ("anna", "ben")


def curl(server, protocol, environment, user="anna", *options):
    """(exit status, output)."""
    if not shutil.which("curl"):
        raise Skip("curl is the client")
    urls = {"imaps": "imaps://localhost:%d/INBOX?ALL", "pop3s": "pop3s://localhost:%d/", "submissions": "smtps://localhost:%d/"}
    command = ["curl", "-sSk", "--max-time", "60", "-u", user + "@EXAMPLE.TEST:", "--login-options", "AUTH=GSSAPI",
               urls[protocol] % server.port(protocol), *options]
    if protocol == "submissions":
        command += ["--mail-from", "anna@example.test", "--mail-rcpt", "ben@example.test", "-T", "-"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=90, input="Subject: x\r\n\r\nHello\r\n",
                            env=dict(os.environ, **environment))
    return result.returncode, result.stdout + result.stderr


def kerberos_instance(kdc, keytab=None, settings=""):
    server = Instance(users=USERS, environment=kdc.environment)
    server.add_config("auth {\n    failure_delay = 0s\n    failure_delay_max = 0s\n    keytab = %s\n"
                      "    kerberos_hostname = localhost\n%s\n}" % (keytab or kdc.keytab, settings))
    return server


def test_tickets():
    with Kdc() as kdc, kerberos_instance(kdc) as server:
        anna = kdc.ticket("anna")
        for protocol in ("imaps", "pop3s", "submissions"):
            status, output = curl(server, protocol, anna)
            assert status == 0, "%s: %s\n%s" % (protocol, output, server.log()[-3000:])
        assert server.log().count("mechanism=GSSAPI") >= 3, server.log()[-3000:]
        # A principal that is nobody here.
        status, output = curl(server, "imaps", kdc.ticket("clara"), "clara")
        assert status != 0
        server.logged('login failed service=imap user=<clara@EXAMPLE.TEST> peer=127.0.0.1 mechanism=GSSAPI reason=unknown_user')


def test_cyrus_client():
    """Both mechanisms with the library's own client, whose GSS-SPNEGO may not bring a security layer."""
    services = {"imaps": "imap", "pop3s": "pop", "submissions": "smtp"}
    with Kdc() as kdc, kerberos_instance(kdc) as server:
        anna = kdc.ticket("anna")
        for protocol, service in services.items():
            for mechanism in ("GSSAPI", "GSS-SPNEGO"):
                with Session(server, protocol) as session:
                    answer = session.authenticate(mechanism, cyrus(mechanism, service, anna))
                    assert answer.startswith(("a OK", "+OK", "235")), answer
        with Session(server, "imaps") as session:
            answer = session.authenticate("GSS-SPNEGO", cyrus("GSS-SPNEGO", "imap", anna, 256))
            assert answer.startswith("a NO"), answer
        server.logged("reason=security_layer")
        with Session(server, "imaps") as session:  # a ticket for another service
            answer = session.authenticate("GSSAPI", cyrus("GSSAPI", "smtp", anna))
            assert answer.startswith("a NO"), answer


def test_garbage():
    """What is no ticket, at each step."""
    with Kdc() as kdc, kerberos_instance(kdc) as server:
        for protocol in ("imaps", "pop3s", "submissions"):
            for mechanism in ("GSSAPI", "GSS-SPNEGO"):
                for token in (b"", b"\0", b"`\x82\xff\xff", os.urandom(300), os.urandom(9000)):
                    with Session(server, protocol) as session:
                        assert mechanism in session.offered, session.offered
                        session.begin(mechanism)
                        assert session.challenge()[0] == b""
                        answer = session.finish(token)
                        assert not answer.startswith(("a OK", "+OK", "235")), answer
        assert "reason=kerberos" in server.log()


def test_keytab():
    """One that is missing, damaged or of others: not offered, and the log says so; a reload takes up a good one."""
    with Kdc() as kdc:
        path = os.path.join(kdc.directory, "later.keytab")
        server = kerberos_instance(kdc, path)
        with server:
            def offered():
                with Session(server, "imaps") as session:
                    return "GSSAPI" in session.offered
            assert not offered()
            server.logged("no logins with Kerberos: ")
            with open(path, "wb") as f:
                f.write(b"no keytab at all")
            server.mailctl("reload")
            server.logged("it is no keytab")
            assert not offered()
            shutil.copy(os.path.join(kdc.directory, "maild.keytab"), path)
            server.mailctl("reload")
            server.logged("no key of imap, pop or smtp at localhost")
            shutil.copy(kdc.keytab, path)
            server.mailctl("reload")
            assert offered()
            assert curl(server, "imaps", kdc.ticket("anna"))[0] == 0
            # The realm has new keys, the server does not: its fault, and the log says what.
            kdc.new_keytab("imap/localhost")
            assert curl(server, "imaps", kdc.ticket("anna"))[0] != 0
            assert "Kerberos refused " in server.log()


def test_another_keytab():
    """A reload takes a keytab at another place, also for who is served already; the first one of all needs a restart, and
    reload, status and check say so."""
    with Kdc() as kdc:
        with kerberos_instance(kdc) as server:
            assert curl(server, "imaps", kdc.ticket("anna"))[0] == 0
            moved = kdc.new_keytab("imap/localhost")  # those of the old one are worth nothing any more
            server.replace_config(kdc.keytab, moved)
            assert "restart" not in server.mailctl("reload")
            status, output = curl(server, "imaps", kdc.ticket("anna"))
            assert status == 0, output + server.log()[-3000:]
            server.replace_config("keytab = " + moved, 'keytab = ""')
            assert "restart" not in server.mailctl("reload")
            with Session(server, "imaps") as session:
                assert "GSSAPI" not in session.offered
            server.restart()
            server.replace_config('keytab = ""', "keytab = " + moved)
            assert server.mailctl("reload").endswith("a restart is needed for: auth.keytab\n")
            server.logged("no logins with Kerberos: the first auth.keytab needs a restart")
            assert server.mailctl_json("status")["restart_needed"] == ["auth.keytab"]
            server.restart()
            assert curl(server, "imaps", kdc.ticket("anna"))[0] == 0
