"""Logins with each SASL mechanism over IMAP, POP3 and submission: SCRAM with and without channel binding, Kerberos,
certificates of clients, master users."""

import ssl

from support.instance import Instance
from support.sasl import Session, scram, scram_bound

PROTOCOLS = ("imaps", "pop3s", "submissions")


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
    with instance() as server:
        for protocol in PROTOCOLS:
            for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-1"):
                assert works(log_in(server, protocol, mechanism, lambda s: scram(mechanism, "alice", "secret")))
                for user in ("alice", "nobody"):
                    answer = log_in(server, protocol, mechanism, lambda s: scram(mechanism, user, "wrong"))
                    assert is_refused(answer), answer
        server.logged("reason=unknown_user")
        server.logged("reason=wrong_password")


def test_channel_binding():
    with instance() as server:
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
