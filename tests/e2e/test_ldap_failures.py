"""A directory that hangs, dies, comes back, talks nonsense, or is not who it should be: logins and unknown recipients are
put off, nobody is refused, and whoever does not need it notices nothing."""

import socket
import tempfile
import threading
import time

from support import wait_for
from support.authority import Authority
from support.ldap_fake import LdapFake
from support.ldap_proxy import LdapProxy
from support.ldap_logins import ALL, PROTOCOLS, LdapInstance, Line, ask_imap, kind_of, ldap_block, login, recipient, slapd_block
from support.mail import imap, inject
from support.slapd import Slapd

TEXT = "From: s@elsewhere.test\r\nSubject: x\r\n\r\nx\r\n"


def later_everywhere(server, known=()):
    """Nobody hears "wrong password" or "unknown"."""
    assert login(server, "anna", "sesame-anna", ALL) == "later"
    assert login(server, "anna", "wrong", ALL) == "later"
    for address in ("user002@example.test", "nobody@example.test"):
        answer = recipient(server, address)
        assert answer.startswith("451 4.3.0"), answer
    for address in known:
        assert recipient(server, address).startswith("250"), address


def test_a_directory_that_hangs():
    with Slapd() as ldap, LdapInstance(slapd_block(ldap, timeout="1500ms"), cache="1ms", users=("root",)) as server:
        box = imap(server, "anna", "sesame-anna")
        assert recipient(server, "anna@example.test").startswith("250")
        ldap.freeze()
        try:
            answers = {}
            waiting = [threading.Thread(target=lambda n=n: answers.update({n: ask_imap(server, "anna", "sesame-anna")})) for n in range(20)]
            for thread in waiting:
                thread.start()
            # Meanwhile: who is logged in, who logs in by the embedded directory, mail for whom is known.
            begin = time.monotonic()
            for _ in range(20):
                assert box.noop()[0] == "OK" and box.select()[0] == "OK"
            assert login(server, "root", "secret") == "yes"
            assert recipient(server, "root@example.test").startswith("250")
            assert time.monotonic() - begin < 5
            for thread in waiting:
                thread.join(30)
            assert {kind_of(a) for a in answers.values()} == {"later"} and len(answers) == 20, answers
            later_everywhere(server, known=("anna@example.test", "root@example.test"))
            before = len(server.messages("anna"))
            inject(server, "s@elsewhere.test", ["anna"], TEXT)
            wait_for(lambda: len(server.messages("anna")) == before + 1, "mail for a known recipient is not delivered")
        finally:
            ldap.thaw()
        begin = time.monotonic()
        wait_for(lambda: login(server, "anna", "sesame-anna") == "yes", "no login after the directory is back")
        assert time.monotonic() - begin < 3  # seconds: the machine may be busy
        assert ": :" not in server.log(), server.log()
        assert login(server, "clara", "sesame-clara", PROTOCOLS) == "yes"
        assert "no answer within" in server.log(), server.log()[-3000:]


def test_the_second_server_is_asked_when_the_first_fails():
    with Slapd() as one, Slapd() as two:
        servers = "%s, %s" % (one.uri, two.uri)
        with LdapInstance(slapd_block(one, servers=servers)) as server:
            assert login(server, "anna", "sesame-anna", PROTOCOLS) == "yes"
            one.stop()
            for _ in range(3):
                assert login(server, "anna", "sesame-anna", PROTOCOLS) == "yes"
            assert one.uri in server.log()
            two.stop()
            later_everywhere(server)
            one.start()
            wait_for(lambda: login(server, "anna", "sesame-anna") == "yes", "no login after a server is back")
            one.freeze()
            two.start()
            wait_for(lambda: login(server, "anna", "sesame-anna") == "yes", "the frozen server is not left")
            one.thaw()
            assert login(server, "anna", "wrong", PROTOCOLS) == "no"


def test_it_is_down_when_maild_starts():
    with Slapd() as ldap:
        ldap.stop()
        with LdapInstance(slapd_block(ldap), users=("root",)) as server:
            later_everywhere(server, known=())
            assert login(server, "root", "secret", PROTOCOLS) == "yes"
            ldap.start()
            wait_for(lambda: login(server, "anna", "sesame-anna") == "yes", "no login")


def test_connections_that_break():
    with Slapd() as ldap, LdapProxy(ldap.port) as proxy:
        with LdapInstance(slapd_block(ldap, servers=proxy.uri, timeout="2s")) as server:
            assert login(server, "anna", "sesame-anna", PROTOCOLS) == "yes"
            proxy.drop()  # those that were kept
            assert login(server, "anna", "sesame-anna", PROTOCOLS) == "yes"
            for size in (0, 1, 2, 7, 14, 15, 30, 100):
                proxy.set("cut", bytes=size)
                assert login(server, "anna", "sesame-anna") in ("later", "yes"), size
                proxy.set("pass")
                wait_for(lambda: login(server, "anna", "sesame-anna") == "yes", "no login after a cut at %d" % size)
            for mode in ("garbage", "reset", "stall"):
                proxy.set(mode)
                assert login(server, "anna", "sesame-anna") == "later", mode
                assert recipient(server, "user003@example.test").startswith("451"), mode
                proxy.set("pass")
                wait_for(lambda: login(server, "anna", "sesame-anna") == "yes", "no login after " + mode)
            proxy.set("drip", pause=0.0001)
            assert login(server, "anna", "sesame-anna", PROTOCOLS) == "yes"
            proxy.set("drip", pause=0.2)  # slower than the timeout
            assert login(server, "anna", "sesame-anna") == "later"
            proxy.set("pass")
            wait_for(lambda: login(server, "anna", "sesame-anna") == "yes", "no login after a slow answer")


def test_answers_that_are_no_ldap():
    person = {"objectClass": ["inetOrgPerson"], "uid": ["anna"], "mail": ["anna@example.test"], "cn": ["Anna"],
              "entryUUID": ["5a3b6f0e-0000-103d-8000-000000000001"]}
    with LdapFake({"uid=anna,dc=x": person}) as fake:
        block = ldap_block(preset="openldap", servers=fake.uri, base='"dc=x"', domains="example.test", timeout="1s",
                           bind_dn='"cn=maild,dc=x"', bind_password="sesame-x")
        with LdapInstance(block) as server:
            assert login(server, "anna", "sesame-anna", PROTOCOLS) == "yes" and login(server, "anna", "wrong") == "no"
            for raw in (b"", b"\x30\x84\xff\xff\xff\xff", b"\x30\x05\x02\x01\x02\x64\x00", b"\x30\x80\x00\x00", b"\0" * 100,
                        b"HTTP/1.0 400 Bad Request\r\n\r\n" * 20, b"\x30\x03\x02\x01\x7f", b"\xff" * 5000):
                fake.raw = raw
                assert login(server, "anna", "sesame-anna") == "later", raw[:20]
            fake.raw = None
            wait_for(lambda: login(server, "anna", "sesame-anna") == "yes", "no login after nonsense")
            fake.entries["uid=anna,dc=x"]["mail"] = [bytes(range(128, 256)), b"\0\0", b"x" * 100000]
            assert login(server, "anna", "sesame-anna") in ("later", "yes")  # by her uid


def test_certificates():
    with tempfile.TemporaryDirectory() as directory:
        check_certificates(Authority(directory + "/a"), Authority(directory + "/b"))


def check_certificates(authority, other):
    good = ("127.0.0.1", "localhost", socket.gethostname())
    cases = {"certificate expired 20": authority.issue(*good, days=-1),
             "certificate is for ldap.elsewhere.test, not for 127.0.0.1": authority.issue("ldap.elsewhere.test"),
             "certificate is signed by /CN=Authority of tests, which no authority in " + authority.certificate: other.issue(*good),
             "certificate is signed by itself, and not in ": authority.issue(*good, foreign=True)}
    for name, certificate in cases.items():
        with Slapd(users=2, authority=authority, tls=certificate) as ldap:
            for settings in (dict(starttls="yes"), dict(servers=ldap.ldaps_uri)):
                with LdapInstance(slapd_block(ldap, tls_ca=authority.certificate, **settings)) as server:
                    assert login(server, "anna", "sesame-anna", PROTOCOLS) == "later", name
                    assert "TLS: the server's " + name in server.log(), (name, server.log()[-2000:])
            with LdapInstance(slapd_block(ldap, tls_ca=authority.certificate, tls_verify="no", starttls="yes")) as server:
                assert login(server, "anna", "sesame-anna") == "yes", name


def test_a_wrong_service_account_is_no_wrong_password():
    with Slapd(users=2) as ldap, LdapInstance(slapd_block(ldap, bind_password="sesame-other")) as server:
        later_everywhere(server)
        assert "login of the service account" in server.log()


def test_stopping_does_not_wait_for_a_directory_that_hangs():
    with Slapd(users=2) as ldap, LdapInstance(slapd_block(ldap, timeout="60s", connect_timeout="60s")) as server:
        assert login(server, "anna", "sesame-anna") == "yes"
        ldap.freeze()
        with Line(server, "imaps") as c:
            c.send('a LOGIN "anna" "sesame-anna"')
            wait_for(lambda: "a" in server.mailctl("status"), "no status")
            begin = time.monotonic()
            server.stop()
            assert time.monotonic() - begin < 20
        ldap.thaw()
