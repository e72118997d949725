"""Domains that are relayed or dropped: where their mail goes, and what a change does to mail that waits."""

import os
import smtplib
import socket

from support import wait_for
from support.dns import DnsServer
from support.instance import Instance
from support.mail import imap_bodies, inject, submit
from support.smtp_sink import SmtpSink

TEXT = "From: a@elsewhere.test\r\nSubject: in\r\n\r\nbody\r\n"
QUEUE = "queue {\n    retry_first = 1s\n    %s\n}\n"


def server_with(queue=""):
    server = Instance()
    server.add_config(QUEUE % queue)
    return server


def place(sink):
    return "[127.0.0.1]:%d" % sink.port


def closed_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return "[127.0.0.1]:%d" % s.getsockname()[1]


def queue(server):
    found = server.mailctl_json("queue", "list")
    return found["messages"] if isinstance(found, dict) else found


def waiting(server):
    """After a first attempt."""
    return wait_for(lambda: [m for m in queue(server) if m["recipients"][0]["attempts"] >= 1])


def test_relay_goes_before_the_relay_host():
    own, smart = SmtpSink(), SmtpSink()
    with server_with("relay_host = " + place(smart)) as server:
        server.mailctl("domain", "add", "relay.test", "--relay", place(own))
        inject(server, "sender@elsewhere.test", ["Some.One@relay.test"], TEXT)
        assert own.next()["recipients"] == ["Some.One@relay.test"]
        submit(server, "alice@example.test", ["x@relay.test", "y@far.test", "bob@example.test"], TEXT)
        assert own.next()["recipients"] == ["x@relay.test"]
        assert smart.next()["recipients"] == ["y@far.test"]
        wait_for(lambda: not queue(server))
        assert own.messages.empty() and smart.messages.empty()
        assert len(imap_bodies(server, "bob@example.test")) == 1


def test_relay_by_mx():
    own, smart = SmtpSink(), SmtpSink()
    records = {("relay.test", "MX"): [(10, "mail.example.test"), (5, "mx.relay.test")],
               ("mx.relay.test", "A"): ["127.0.0.1"]}
    with server_with("relay_host = %s\n    smtp_port = %d" % (place(smart), own.port)) as server:
        server.dns = DnsServer(records)
        server.add_config("dns {\n    server = 127.0.0.1@%d\n}\n" % server.dns.port)
        server.restart()
        server.mailctl("domain", "add", "relay.test", "--relay", "mx")
        inject(server, "sender@elsewhere.test", ["x@relay.test"], TEXT)
        assert own.next()["recipients"] == ["x@relay.test"]
        assert smart.messages.empty()


def test_change_of_the_relay_holds_for_waiting_mail():
    sink = SmtpSink()
    with server_with() as server:
        server.mailctl("domain", "add", "relay.test", "--relay", closed_port())
        inject(server, "sender@elsewhere.test", ["x@relay.test", "y@relay.test"], TEXT)
        waiting(server)
        # In files and from the journal.
        server.restart()
        server.kill()
        server.start()
        server.mailctl("domain", "set", "relay.test", "--relay", place(sink))
        server.mailctl("queue", "retry")
        assert sorted(sink.next()["recipients"]) == ["x@relay.test", "y@relay.test"]
        wait_for(lambda: not queue(server))


def test_domain_becomes_ours_while_mail_waits():
    with server_with() as server:
        server.mailctl("domain", "add", "relay.test", "--relay", closed_port())
        server.mailctl("address", "add", "z@relay.test", "bob@example.test")
        inject(server, "sender@elsewhere.test", ["x@relay.test", "y@relay.test", "z@relay.test"], TEXT)
        waiting(server)
        assert len(imap_bodies(server, "bob@example.test")) == 1
        server.mailctl("address", "add", "x@relay.test", "alice@example.test")
        server.mailctl("address", "add", "y@relay.test", "alice@example.test")
        server.mailctl("domain", "set", "relay.test", "--local")
        server.mailctl("queue", "retry")
        wait_for(lambda: not queue(server))
        assert imap_bodies(server, "alice@example.test")
        assert len(imap_bodies(server, "bob@example.test")) == 1


def test_domain_becomes_a_sink_while_mail_waits():
    with server_with() as server:
        server.mailctl("domain", "add", "relay.test", "--relay", closed_port())
        inject(server, "alice@example.test", ["x@relay.test"], TEXT)
        waiting(server)
        server.mailctl("domain", "set", "relay.test", "--sink")
        server.mailctl("queue", "retry")
        wait_for(lambda: not queue(server))
        assert server.logged("to=<x@relay.test> relay=none status=sent (dropped: sink)")
        assert imap_bodies(server, "alice@example.test") == {}


def test_sink_keeps_nothing():
    with server_with() as server:
        server.mailctl("domain", "add", "sink.test", "--sink")
        inject(server, "sender@elsewhere.test", ["a@sink.test", "b@sink.test", "alice@example.test"], TEXT)
        inject(server, "sender@elsewhere.test", ["a@sink.test"], TEXT + "x" * 300000)
        assert queue(server) == []
        assert server.log().count("(dropped: sink)") == 3
        assert len(imap_bodies(server, "alice@example.test")) == 1
        assert imap_bodies(server, "bob@example.test") == {}


def test_refused_by_its_server_later_is_reported():
    own = SmtpSink(lambda verb, command: "550 5.1.1 not here" if verb == "RCPT" else None)
    with server_with() as server:
        server.mailctl("domain", "add", "relay.test", "--relay", place(own))
        submit(server, "alice@example.test", ["x@relay.test"], TEXT)
        report = wait_for(lambda: next(iter(imap_bodies(server, "alice@example.test").values()), None)).decode()
        assert "x@relay.test" in report and "Status: 5.1.1" in report, report


def test_only_the_recipients_that_failed_are_tried_again():
    """LMTP: a reply for each; who got it does not get it twice when the others are tried again."""
    with server_with() as server:
        server.add_config("quota {\n    over_quota = later\n}\n")
        server.restart()
        message = TEXT + "x" * 900 + "\r\n" + "y" * 900 + "\r\n"
        inject(server, "sender@elsewhere.test", ["bob@example.test"], message)
        with smtplib.LMTP(os.path.join(server.root, "run", "lmtp.sock")) as s:
            s.ehlo("client.test")
            s.mail("sender@elsewhere.test")
            codes = [s.rcpt(a)[0] for a in ("alice@example.test", "bob@example.test")]
            assert codes == [250, 250], codes
            server.mailctl("quota", "set", "bob@example.test", "--storage", "1K")
            s.putcmd("DATA")
            assert s.getreply()[0] == 354
            s.send(message.encode() + b".\r\n")
            codes = [s.getreply()[0] for _ in range(2)]
            assert codes == [250, 452], codes
            server.mailctl("quota", "set", "bob@example.test", "--storage", "unlimited")
            s.mail("sender@elsewhere.test")
            s.rcpt("bob@example.test")
            s.data(message)
        assert len(imap_bodies(server, "alice@example.test")) == 1
        # And what his quota had to say.
        got = imap_bodies(server, "bob@example.test").values()
        assert len([m for m in got if b"Subject: in" in m]) == 2, got


def test_what_mailctl_says_of_domains():
    with server_with() as server:
        server.mailctl("domain", "add", "relay.test", "--relay", "Mail.Relay.test:26", "--verify")
        assert server.mailctl_json("domain", "show", "RELAY.test") == {
            "name": "relay.test", "kind": "relay", "relay": "mail.relay.test:26", "verify": True, "alias_of": "",
            "subdomains": False, "catch_all": "", "copies": [], "quota_storage": -1, "quota_messages": -1,
            "disclaimer": "", "dkim_selector": "", "dkim_key": "", "dkim_record": "", "source": "embedded"}
        assert "relay.test    relay  mail.relay.test:26 (asked)" in server.mailctl("domain", "list")
        server.mailctl("domain", "set", "relay.test", "--no-verify")
        assert "verify      no" in server.mailctl("domain", "show", "relay.test")
        server.mailctl("address", "add", "staff@example.test", "alice@example.test", "--internal")
        assert "internal" in server.mailctl("address", "list")
        server.mailctl("address", "set", "staff@example.test", "--public")
        assert server.mailctl_json("address", "list", "relay.test") == []
        assert not [a for a in server.mailctl_json("address", "list") if a["internal"]]
        for wrong in (["domain", "add", "n.test", "--relay", "a:b:c"], ["domain", "add", "n.test", "--verify"],
                      ["domain", "add", "n.test", "--sink", "--local"], ["domain", "set", "relay.test"],
                      ["domain", "set", "none.test", "--sink"], ["domain", "show", "none.test"],
                      ["address", "set", "none@example.test", "--internal"],
                      ["address", "set", "staff@example.test"]):
            assert server.run_mailctl(*wrong, check=False).returncode != 0, wrong
