"""One maild sends by way of another: submission with a login, LMTP over a Unix socket, both families of addresses."""

import os
import re

from support import wait_for
from support.dns import DnsServer
from support.hostile_server import HostileServer
from support.instance import Instance
from support.mail import imap_bodies, submit

TEXT = "From: alice@example.test\r\nSubject: out\r\n\r\nbody\r\n.dot\r\n"


def route(text):
    return "route out {\n    recipient = *\n    %s\n}\n" % text


def certificate(server):
    with open(server.config_path) as f:
        path = re.search(r"certificate *= *(\S+)", f.read()).group(1)
    return os.path.join(server.root, path)


def sent(server):
    return wait_for(lambda: re.findall(r"status=(?:sent|deferred|bounced) .*", server.log()), "no result")[-1]


def test_login_with_each_mechanism():
    """The best that is offered, and those that are named; a wrong password is the administrator's to mend."""
    host = Instance(domain="elsewhere.test")
    host.add_config("auth {\n    mechanisms = PLAIN, LOGIN, SCRAM-SHA-256, SCRAM-SHA-256-PLUS, SCRAM-SHA-1, SCRAM-SHA-1-PLUS\n}")
    with host:
        for mechanisms, password, expected in (("", "secret", "SCRAM-SHA-256-PLUS"), ("PLAIN", "secret", "PLAIN"),
                                               ("LOGIN", "secret", "LOGIN"), ("SCRAM-SHA-1", "secret", "SCRAM-SHA-1-PLUS"),
                                               ("", "wrong", None)):
            server = Instance()
            server.add_config("tls {\n    ca_file = %s\n}\n" % certificate(host) +
                              route('hosts = localhost:%d\n    tls = verify\n    user = bob@elsewhere.test\n    password = %s\n'
                                    '    mechanisms = "%s"' % (host.port("submission"), password, mechanisms)))
            with server:
                submit(server, "alice", "bob@elsewhere.test", TEXT)
                result = sent(server)
                if expected:
                    assert "status=sent" in result, result
                    assert re.search(r"login user=<bob@elsewhere.test> .*mechanism=%s\n" % expected, host.log()), host.log()[-2000:]
                else:
                    assert "status=deferred" in result and "535 5.7.8" in result, result
        assert len(imap_bodies(host, "bob@elsewhere.test")) == 4


def test_lmtp_over_a_unix_socket():
    with Instance(domain="elsewhere.test") as host:
        server = Instance()
        server.add_config(route("hosts = unix:%s/run/lmtp.sock\n    protocol = lmtp" % host.root))
        with server:
            submit(server, "alice", ["alice@elsewhere.test", "nobody@elsewhere.test", "bob@elsewhere.test"], TEXT)
            results = wait_for(lambda: (lambda l: l if len(l) == 3 else None)(
                re.findall(r"to=<(\w+)@elsewhere.test> .*status=(\w+) \((\d+)", server.log())), "not all have a result")
            assert sorted(results) == [("alice", "sent", "250"), ("bob", "sent", "250"), ("nobody", "bounced", "550")], results
            for user in ("alice", "bob"):
                assert [m for m in imap_bodies(host, user + "@elsewhere.test").values() if m.endswith(b"\r\nbody\r\n.dot\r\n")]


def test_both_families():
    """Addresses that cannot be reached cost next to nothing, whatever their family."""
    peer = HostileServer([])
    dns = DnsServer({("both.test", "AAAA"): ["2001:db8::1", "::1"], ("both.test", "A"): ["127.0.0.1"],
                     ("six.test", "AAAA"): ["2001:db8::1"], ("six.test", "A"): ["127.9.9.9"]})
    server = Instance()
    server.add_config("queue {\n    smtp_port = %d\n}\ndns {\n    server = 127.0.0.1@%d\n}\n" % (peer.port, dns.port))
    with server:
        submit(server, "alice", ["x@both.test", "x@six.test"], TEXT)
        results = wait_for(lambda: (lambda l: l if len(l) == 2 else None)(
            re.findall(r"relay=(\S+)\[\S+\]:\d+ .*status=(\w+) ", server.log())), "no result")
        assert sorted(results) == [("both.test", "sent"), ("six.test", "sent")], results
    peer.close()
    dns.close()
