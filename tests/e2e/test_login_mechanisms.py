"""Logins with each SASL mechanism over IMAP, POP3 and submission: SCRAM with and without channel binding, Kerberos,
certificates of clients, master users."""

import os
import ssl

from support.authority import Authority
from support.instance import Instance
from support.sasl import Session, one, plain, scram, scram_bound

PROTOCOLS = ("imaps", "pop3s", "submissions")


SCRAM = "mechanisms = PLAIN, LOGIN, EXTERNAL, SCRAM-SHA-256, SCRAM-SHA-256-PLUS, SCRAM-SHA-1, SCRAM-SHA-1-PLUS"


def instance(settings="", **options):
    server = Instance(**options)
    server.add_config("auth {\n    failure_delay = 0s\n    failure_delay_max = 0s\n%s\n}" % settings)
    return server


def log_in(server, protocol, mechanism, exchange, **options):
    """The server's last line."""
    with Session(server, protocol, **options) as session:
        return session.authenticate(mechanism, exchange(session))


def works(answer):
    return answer.startswith(("a OK", "+OK", "235"))


def is_refused(answer):
    return answer.startswith(("a NO [AUTHENTICATIONFAILED]", "-ERR [AUTH]", "535"))


def test_scram():
    with instance(SCRAM) as server:
        for protocol in PROTOCOLS:
            for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-1"):
                assert works(log_in(server, protocol, mechanism, lambda s: scram(mechanism, "alice", "secret")))
                for user in ("alice", "nobody"):
                    answer = log_in(server, protocol, mechanism, lambda s: scram(mechanism, user, "wrong"))
                    assert is_refused(answer), answer
        server.logged("reason=unknown_user")
        server.logged("reason=wrong_password")


def test_channel_binding():
    with instance(SCRAM) as server:
        for protocol in PROTOCOLS:
            for version, types in ((ssl.TLSVersion.TLSv1_2, ("tls-unique", "tls-server-end-point")),
                                   (ssl.TLSVersion.TLSv1_3, ("tls-server-end-point",))):
                for name in types:
                    def bound(session, wrong=False):
                        binding = session.channel_binding(name)
                        return scram_bound("SCRAM-SHA-256-PLUS", "alice", "secret", name, binding[::-1] if wrong else binding)
                    assert works(log_in(server, protocol, "SCRAM-SHA-256-PLUS", bound, version=version))
                    answer = log_in(server, protocol, "SCRAM-SHA-256-PLUS", lambda s: bound(s, True), version=version)
                    assert is_refused(answer), answer
        # A client that can bind, but was not offered it: somebody has removed it on the way.
        answer = log_in(server, "imaps", "SCRAM-SHA-256", lambda s: scram("SCRAM-SHA-256", "alice", "secret", "y,,"))
        assert is_refused(answer), answer
        answer = log_in(server, "imaps", "SCRAM-SHA-256-PLUS", lambda s: scram("SCRAM-SHA-256", "alice", "secret"))
        assert not works(answer), answer
        answer = log_in(server, "imaps", "SCRAM-SHA-256-PLUS",
                        lambda s: scram_bound("SCRAM-SHA-256-PLUS", "alice", "secret", "tls-unique", b"x" * 32))
        assert is_refused(answer), answer
        for reason in ("channel_binding", "channel_binding_removed", "channel_binding_type"):
            server.logged("reason=%s\n" % reason)


# --- certificates of clients ---

UPN = "otherName:1.3.6.1.4.1.311.20.2.3;UTF8:"


def certificate_instance(rule="optional"):
    server = instance("    certificate_names = email upn\n" + SCRAM)
    authority = Authority(os.path.join(server.directory, "ca"))
    server.replace_config("    key = tls/key.pem", "    key = tls/key.pem\n    client_ca_file = " + authority.certificate)
    for name in PROTOCOLS:
        server.replace_config("listener %s {" % name, "listener %s {\n    client_certificates = %s" % (name, rule))
    return server, authority


def test_external():
    server, authority = certificate_instance()
    with server:
        alice, nobody = authority.issue("alice@example.test", "bob@example.test"), authority.issue("nobody@example.test")
        by_upn = authority.issue("client.test", UPN + "alice@example.test")
        for protocol in PROTOCOLS:
            for certificate in (alice, by_upn):
                for identity in (b"", b"alice", b"Alice@example.test"):
                    with Session(server, protocol, certificate=certificate) as session:
                        assert "EXTERNAL" in session.offered, session.offered
                        assert works(session.authenticate("EXTERNAL", one(identity)))
            with Session(server, protocol, certificate=alice) as session:
                assert works(session.authenticate("EXTERNAL", later(b"")))
            # Its second name is not another user of the certificate.
            assert is_refused(log_in(server, protocol, "EXTERNAL", lambda s: one(b"bob"), certificate=alice))
            assert is_refused(log_in(server, protocol, "EXTERNAL", lambda s: one(b""), certificate=nobody))
        for certificate in (None, authority.issue("alice@example.test", foreign=True),
                            authority.issue("alice@example.test", days=-1), authority.issue("client.test")):
            with Session(server, "imaps", certificate=certificate) as session:
                assert "EXTERNAL" not in session.offered, session.offered
                assert not works(session.authenticate("EXTERNAL", one(b"alice@example.test")))
        with Session(server, "imaps", certificate=alice) as session:  # passwords are good, too
            assert works(session.authenticate("PLAIN", plain("bob", "secret")))


def later(response):
    yield None
    yield response


def resumed(server, protocol, first, version):
    """A second connection that goes on with the TLS session of the first."""
    session = Session(server, protocol, certificate=first, version=version)
    with session:
        context, ticket = session.context, session.socket.session
    again = Session(server, protocol, context=context, resume=ticket)
    assert again.socket.session_reused
    return again


def test_external_resumed():
    """A resumed connection has the certificate of the first one, or none as that had."""
    server, authority = certificate_instance()
    with server:
        alice = authority.issue("alice@example.test")
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with resumed(server, "imaps", alice, version) as session:
                assert "EXTERNAL" in session.offered
                assert works(session.authenticate("EXTERNAL", one(b"")))
            with resumed(server, "imaps", None, version) as session:
                assert "EXTERNAL" not in session.offered
            with resumed(server, "imaps", alice, version) as session:
                binding = session.channel_binding("tls-server-end-point")
                assert works(session.authenticate("SCRAM-SHA-256-PLUS", scram_bound(
                    "SCRAM-SHA-256-PLUS", "alice", "secret", "tls-server-end-point", binding)))
        with resumed(server, "imaps", alice, ssl.TLSVersion.TLSv1_2) as session:
            assert works(session.authenticate("SCRAM-SHA-256-PLUS", scram_bound(
                "SCRAM-SHA-256-PLUS", "alice", "secret", "tls-unique", session.channel_binding("tls-unique"))))


def test_certificates_required():
    server, authority = certificate_instance("required")
    with server:
        alice = authority.issue("alice@example.test")
        assert works(log_in(server, "imaps", "EXTERNAL", lambda s: one(b""), certificate=alice))
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            for certificate in (None, authority.issue("alice@example.test", foreign=True),
                                authority.issue("alice@example.test", days=-1)):
                try:
                    with Session(server, "imaps", certificate=certificate, version=version):
                        raise AssertionError("accepted")
                except (ssl.SSLError, ConnectionError):
                    pass
        # A session of another listener, where nobody needs one, does not open this one.
        server.replace_config("listener pop3s {\n    client_certificates = required", "listener pop3s {\n")
        server.mailctl("reload")
        with Session(server, "pop3s") as session:
            context, ticket = session.context, session.socket.session
        try:
            with Session(server, "imaps", context=context, resume=ticket):
                raise AssertionError("accepted")
        except (ssl.SSLError, ConnectionError):
            pass


# --- master users ---

def test_master():
    with instance("    master_users = bob@example.test, dave@example.test\n    master_separator = *",
                  users=("alice", "bob", "carol", "dave")) as server:
        server.mailctl("user", "disable", "carol@example.test")
        for protocol in PROTOCOLS:
            for mechanism, exchange in (("PLAIN", lambda: plain("bob", "secret", "alice")),
                                        ("PLAIN", lambda: plain("alice*bob", "secret")),
                                        ("LOGIN", lambda: login("alice@example.test*bob", "secret")),
                                        ("SCRAM-SHA-256", lambda: scram("SCRAM-SHA-256", "alice*bob", "secret")),
                                        ("SCRAM-SHA-256", lambda: scram("SCRAM-SHA-256", "bob", "secret", "n,a=alice,"))):
                assert works(log_in(server, protocol, mechanism, lambda s: exchange()))
            for user, password in (("alice*bob", "wrong"), ("bob*alice", "secret"), ("dave*bob", "secret"), ("carol*bob", "secret"),
                                   ("nobody*bob", "secret"), ("alice*bob*bob", "secret"), ("alice*nobody", "secret")):
                assert is_refused(log_in(server, protocol, "PLAIN", lambda s: plain(user, password))), user
        log = server.log()
        assert "master login service=imap user=<alice@example.test> master=<bob@example.test> peer=127.0.0.1" in log
        assert " login user=<alice@example.test>" in log
        assert "reason=authorization_identity" in log and "reason=disabled" in log
        server.replace_config("    master_separator = *", "    master_disabled = yes")
        server.mailctl("reload")
        assert works(log_in(server, "imaps", "PLAIN", lambda s: plain("bob", "secret", "carol")))
        assert is_refused(log_in(server, "imaps", "PLAIN", lambda s: plain("alice*bob", "secret")))


def login(user, password):
    yield None
    yield user.encode()
    yield password.encode()


def test_cram_md5():
    with instance("    mechanisms = CRAM-MD5, PLAIN") as server:
        with Session(server, "imaps") as session:
            assert session.offered == ["PLAIN", "CRAM-MD5"], session.offered
        server.replace_config("    mechanisms = CRAM-MD5, PLAIN\n", "")
        server.mailctl("reload")
        with Session(server, "imaps") as session:
            assert "CRAM-MD5" not in session.offered and "LOGIN" in session.offered, session.offered
