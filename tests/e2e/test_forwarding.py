"""Hidden copies and the senders of forwarded mail, between the server and others."""

import os
import re
import smtplib

from support import wait_for
from support.instance import Instance
from support.mail import imap_bodies, inject, submit
from support.smtp_sink import SmtpSink

TEXT = "From: s@remote.example\r\nTo: alice@example.test\r\nSubject: hello\r\n\r\nbody\r\n"


def relay(server, sink, more=""):
    server.add_config("queue {\n    relay_host = [127.0.0.1]:%d\n    retry_first = 1s\n}\n%s" % (sink.port, more))


def sender(message):
    return re.match(r"MAIL FROM:<([^>]*)>", message["sender"])[1]


def idle(server):
    wait_for(lambda: server.mailctl_json("queue", "list") == [])


def test_hidden_copies():
    sink = SmtpSink()
    server = Instance(users=("alice", "bob", "archive"))
    relay(server, sink, """
copy everything { all = yes; to = archive@example.test }
copy of-alice { sender = alice@example.test; direction = out; to = boss@elsewhere.example }
""")
    with server:
        submit(server, "alice", ["bob", "x@far.example"], TEXT)
        got = {}
        for _ in range(2):
            message = sink.next()
            got[message["recipients"][0]] = message
        assert set(got) == {"x@far.example", "boss@elsewhere.example"}, got
        assert sender(got["boss@elsewhere.example"]) == "" and sender(got["x@far.example"]) == "alice@example.test"
        idle(server)
        copies, originals = imap_bodies(server, "archive"), imap_bodies(server, "bob")
        assert len(copies) == len(originals) == 1 and list(copies.values()) == list(originals.values())
        for message in list(originals.values()) + [m["data"] for m in got.values()]:
            assert b"archive" not in message and b"boss" not in message
        # One file.
        paths = [os.path.join(d, f) for d, _, files in os.walk(server.root) for f in files if ".mail" in f or "S=" in f]
        assert {os.stat(p).st_nlink for p in paths if "/cur/" in p or "/new/" in p} == {2}, paths
        # Reports are not copied.
        inject(server, "", ["alice"], TEXT)
        assert len(imap_bodies(server, "archive")) == 1


def test_forwarded_mail_has_a_sender_of_ours():
    sink = SmtpSink()
    server = Instance()
    relay(server, sink)
    with server:
        server.mailctl("address", "add", "sales@example.test", "sales@partner.example", "alice@example.test")
        inject(server, "s@remote.example", ["sales@example.test"], TEXT)
        forwarded = sender(sink.next())
        assert re.match(r"SRS0=[^=]{6}=[A-Z2-7]{2}=remote.example=s@example.test$", forwarded), forwarded
        assert b"Return-Path: <s@remote.example>" in list(imap_bodies(server, "alice").values())[0]
        # A report to it goes back, also after a restart, and with changed case.
        server.restart()
        for to in (forwarded, forwarded.lower()):
            inject(server, "", [to], TEXT)
            report = sink.next()
            assert sender(report) == "" and report["recipients"] == ["s@remote.example"], report
        # A new secret: old ones go on to work.
        assert "2" in server.mailctl("srs", "rotate")
        inject(server, "", [forwarded], TEXT)
        sink.next()
        inject(server, "s@remote.example", ["sales@example.test"], TEXT)
        assert sender(sink.next()) != forwarded
        # Forged ones are refused at RCPT.
        with smtplib.SMTP("127.0.0.1", server.port("smtp")) as smtp:
            smtp.ehlo()
            smtp.mail("")
            code, text = smtp.rcpt(forwarded.replace("remote.example", "victim.example"))
            assert code == 550 and b"was not made here" in text, (code, text)
        # Our own senders stay as they are.
        submit(server, "bob", ["sales@example.test"], TEXT)
        assert sender(sink.next()) == "bob@example.test"
        mode = os.stat(os.path.join(server.root, "data", "srs.secrets")).st_mode
        assert mode & 0o077 == 0


def test_a_forwarding_that_fails_is_reported_to_the_first_sender():
    refused = []

    def replies(verb, command):
        if verb == "RCPT" and "partner" in command:
            refused.append(command)
            return "550 5.1.1 no such user"
        return None

    sink = SmtpSink(replies)
    server = Instance()
    relay(server, sink, "srs { domain = bounces.example.test }\n")
    with server:
        server.mailctl("address", "add", "sales@example.test", "sales@partner.example")
        inject(server, "s@remote.example", ["sales@example.test"], TEXT)
        report = sink.next()
        assert refused and report["recipients"] == ["s@remote.example"] and sender(report) == "", report
        assert b"sales@example.test" in report["data"]
        idle(server)


def test_two_servers_that_forward():
    """a forwards to b, b to a sink: the second wraps what the first made, and a report finds its way back through both."""
    sink, origin = SmtpSink(), SmtpSink()
    first, second = Instance(domain="first.test"), Instance(domain="second.test")
    second.add_config("route first { recipient = first.test; hosts = [127.0.0.1]:%d }\nroute rest { hosts = [127.0.0.1]:%d }\n" % (
        first.port("smtp"), sink.port))
    first.add_config("route second { recipient = second.test; hosts = [127.0.0.1]:%d }\nroute rest { hosts = [127.0.0.1]:%d }\n" % (
        second.port("smtp"), origin.port))
    with first, second:
        first.mailctl("address", "add", "a@first.test", "b@second.test")
        second.mailctl("address", "add", "b@second.test", "c@third.example")
        inject(first, "s@remote.example", ["a@first.test"], TEXT)
        last = sender(sink.next())
        assert last.startswith("SRS1=") and "=first.test==" in last and last.endswith("@second.test"), last
        inject(second, "", [last], TEXT)
        report = origin.next()
        assert report["recipients"] == ["s@remote.example"], report
