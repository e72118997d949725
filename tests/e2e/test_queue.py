"""Mail for others: by MX or a relay host, retried, reported, seen and handled with mailctl."""

import os
import re

from support import wait_for
from support.dns import DnsServer
from support.instance import Instance
from support.mail import imap, imap_bodies, inject, submit
from support.smtp_sink import SmtpSink

TEXT = "From: alice@example.test\r\nSubject: out\r\nMessage-ID: <orig@example.test>\r\n\r\nbody\r\n.dot\r\n"


def instance(sink, records=None, queue="", **options):
    server = Instance(**options)
    if records is not None:
        server.dns = DnsServer(records)
        server.add_config("dns {\n    server = 127.0.0.1@%d\n    timeout = 5s\n}\n" % server.dns.port)
        server.add_config("queue {\n    smtp_port = %d\n    retry_first = 1s\n    %s\n}\n" % (sink.port, queue))
    else:
        server.add_config("queue {\n    relay_host = [127.0.0.1]:%d\n    retry_first = 1s\n    %s\n}\n"
                          % (sink.port, queue))
    return server


MX = {("elsewhere.test", "MX"): [(10, "down.elsewhere.test"), (20, "mx.elsewhere.test")],
      ("down.elsewhere.test", "A"): ["127.0.0.99"],
      ("mx.elsewhere.test", "A"): ["127.0.0.1"],
      ("nomx.test", "A"): ["127.0.0.1"],
      ("nullmx.test", "MX"): [(0, ".")],
      ("broken.test", "SERVFAIL"): []}


def test_by_mx_with_fallback_to_the_next_host():
    sink = SmtpSink()
    with instance(sink, MX) as server:
        submit(server, "alice", ["x@elsewhere.test", "y@elsewhere.test", "bob"], TEXT)
        got = sink.next()
        assert sorted(got["recipients"]) == ["x@elsewhere.test", "y@elsewhere.test"], got
        assert got["sender"].startswith("MAIL FROM:<alice@example.test>"), got
        assert got["data"].endswith(b"\r\n\r\nbody\r\n.dot\r\n"), got["data"]
        assert b"\nReceived: from" in b"\n" + got["data"]
        assert not got["data"].startswith(b"Return-Path")
        assert len(imap_bodies(server, "bob")) == 1
        wait_for(lambda: server.mailctl_json("queue", "list") in ([], {"messages": []}))
        assert server.logged("status=sent")


def test_without_mx_by_address():
    sink = SmtpSink()
    with instance(sink, MX) as server:
        submit(server, "alice", "x@nomx.test", TEXT)
        assert sink.next()["recipients"] == ["x@nomx.test"]


def report_for(server, user="alice"):
    return wait_for(lambda: next((m.decode() for m in imap_bodies(server, user).values()
                                  if b"delivery-status" in m), None))


def test_unknown_domain_and_null_mx_are_reported():
    sink = SmtpSink()
    with instance(sink, MX) as server:
        submit(server, "alice", "x@nosuch.test", TEXT)
        report = report_for(server)
        assert "Return-Path: <>" in report and "Auto-Submitted: auto-replied" in report, report
        assert re.search(r"Final-Recipient: rfc822; ?x@nosuch.test", report), report
        assert re.search(r"Action: failed", report) and re.search(r"Status: 5\.", report), report
        assert "<orig@example.test>" in report
        submit(server, "bob", "x@nullmx.test", TEXT)
        assert re.search(r"Status: 5\.1\.10", report_for(server, "bob"))


def test_refused_recipient_is_reported_and_the_other_gets_it():
    def replies(verb, command):
        if verb == "RCPT" and "bad@" in command:
            return "550 5.1.1 no such user here"
    sink = SmtpSink(replies)
    with instance(sink) as server:
        submit(server, "alice", ["good@elsewhere.test", "bad@elsewhere.test"], TEXT)
        assert sink.next()["recipients"] == ["good@elsewhere.test"]
        report = report_for(server)
        assert "bad@elsewhere.test" in report and "no such user here" in report, report
        assert "good@elsewhere.test" not in report.split("Subject: out")[0], report


def test_temporary_failure_is_tried_again():
    state = {"tries": 0}

    def replies(verb, command):
        if verb == "RCPT":
            state["tries"] += 1
            if state["tries"] < 3:
                return "451 4.3.0 not now"
    sink = SmtpSink(replies)
    with instance(sink) as server:
        submit(server, "alice", "x@elsewhere.test", TEXT)
        assert sink.next()["recipients"] == ["x@elsewhere.test"]
        assert state["tries"] == 3


def test_dns_failure_is_temporary():
    sink = SmtpSink()
    with instance(sink, MX) as server:
        submit(server, "alice", "x@broken.test", TEXT)
        messages = wait_for(lambda: [m for m in queue(server)
                                     if m["recipients"][0]["attempts"] >= 1])
        assert messages[0]["recipients"][0]["address"] == "x@broken.test", messages
        assert not [m for m in imap_bodies(server, "alice").values()]


def queue(server):
    listed = server.mailctl_json("queue", "list")
    return listed["messages"] if isinstance(listed, dict) else listed


def test_end_of_life_is_reported():
    sink = SmtpSink(lambda verb, command: "451 4.3.0 never" if verb == "RCPT" else None)
    with instance(sink, None, "lifetime = 3s") as server:
        submit(server, "alice", "x@elsewhere.test", TEXT)
        report = report_for(server)
        assert "451 4.3.0 never" in report, report
        assert queue(server) == []


def test_reply_lost_after_the_dot_is_tried_again():
    state = {"lost": False}

    def replies(verb, command):
        if verb == "DOT" and not state["lost"]:
            state["lost"] = True
            return "lost"
    sink = SmtpSink(replies)
    with instance(sink) as server:
        submit(server, "alice", "x@elsewhere.test", TEXT)
        assert sink.next()["data"] == sink.next()["data"]
        wait_for(lambda: queue(server) == [])


def test_queue_survives_restart_and_kill():
    state = {"open": False}
    sink = SmtpSink(lambda verb, command: None if state["open"] or verb != "RCPT" else "451 4.0.0 later")
    with instance(sink, None, "retry_max = 2s") as server:
        submit(server, "alice", "x@elsewhere.test", TEXT)
        submit(server, "alice", "y@elsewhere.test", TEXT + "z" * 200000 + "\r\n")
        server.restart()
        assert len(queue(server)) == 2
        server.kill()
        server.start()
        assert len(queue(server)) == 2
        state["open"] = True
        server.mailctl("queue", "retry")
        got = sorted((sink.next()["recipients"], ) for _ in range(2))
        assert got == [(["x@elsewhere.test"],), (["y@elsewhere.test"],)], got
        wait_for(lambda: queue(server) == [])
        server.kill()
        server.start()
        assert queue(server) == []


def test_operator_shows_retries_and_deletes():
    state = {"open": False}
    sink = SmtpSink(lambda verb, command: None if state["open"] or verb != "RCPT" else "451 4.0.0 later")
    with instance(sink) as server:
        server.replace_config("retry_first = 1s", "retry_first = 1h")
        server.mailctl("reload")
        submit(server, "alice", "x@elsewhere.test", TEXT)
        submit(server, "alice", "y@elsewhere.test", TEXT)
        messages = wait_for(lambda: [m for m in queue(server) if m["recipients"][0]["attempts"] >= 1
                                     ] if len(queue(server)) == 2 else None)
        wait_for(lambda: all(m["recipients"][0]["attempts"] >= 1 for m in queue(server)))
        messages = queue(server)
        by_address = {m["recipients"][0]["address"]: m["id"] for m in messages}
        shown = server.mailctl("queue", "show", by_address["x@elsewhere.test"])
        assert "451 4.0.0 later" in shown and "x@elsewhere.test" in shown, shown
        assert by_address["y@elsewhere.test"] in server.mailctl("queue", "list")
        server.mailctl("queue", "delete", by_address["y@elsewhere.test"], "--yes")
        assert [m["id"] for m in queue(server)] == [by_address["x@elsewhere.test"]]
        state["open"] = True
        server.mailctl("queue", "retry", by_address["x@elsewhere.test"])
        assert sink.next()["recipients"] == ["x@elsewhere.test"]
        wait_for(lambda: queue(server) == [])
        result = server.run_mailctl("queue", "show", "nosuchid", check=False)
        assert result.returncode == 4 and "nosuchid" in result.stderr, result


def test_addresses_lead_to_users_and_out():
    sink = SmtpSink()
    with instance(sink) as server:
        server.mailctl("address", "add", "info@example.test", "alice@example.test")
        server.mailctl("address", "add", "info@example.test", "x@elsewhere.test")
        server.mailctl("address", "add", "sales@example.test", "info@example.test")
        submit(server, "bob", ["sales", "alice"], TEXT)
        assert sink.next()["recipients"] == ["x@elsewhere.test"]
        assert len(imap_bodies(server, "alice")) == 1, "one copy, however many ways lead there"


def test_who_had_to_wait_has_the_same_message():
    """One of two recipients cannot have it at once; later it is as if nothing had been."""
    with Instance() as server:
        in_the_way = os.path.join(server.root, "data", "mail", "example.test", "bob")
        os.makedirs(os.path.dirname(in_the_way), exist_ok=True)
        with open(in_the_way, "w"):
            pass
        inject(server, "s@elsewhere.test", ["alice", "bob"], "Subject: waits\r\n\r\n" + "line\r\n" * 100)
        server.restart()
        os.unlink(in_the_way)
        server.mailctl("queue", "retry")
        wait_for(lambda: not server.mailctl_json("queue", "list"))
        sizes = {}
        for user in ("alice", "bob"):
            box = imap(server, user)
            box.select("INBOX")
            sizes[user] = int(re.search(rb"RFC822.SIZE (\d+)", box.fetch("1", "(RFC822.SIZE)")[1][0]).group(1))
            box.logout()
        bodies = imap_bodies(server, "bob")
        assert bodies == imap_bodies(server, "alice")
        assert sizes == dict.fromkeys(sizes, len(bodies[1])), "%s of %d bytes" % (sizes, len(bodies[1]))
