"""mailctl trace: the whole story of a message, whatever way it took, and what is left of it when files are damaged."""

import glob
import os
import re
import smtplib
import subprocess

from support import Skip, wait_for
from support.instance import Instance
from support.mail import imap, imap_bodies, inject, submit
from support.smtp_sink import SmtpSink

TEXT = "From: alice@example.test\r\nTo: bob@example.test\r\nSubject: s\r\nMessage-ID: <orig.1@example.test>\r\n\r\nbody\r\n"


def in_order(text, *parts):
    at = 0
    for part in parts:
        found = re.compile(part).search(text, at)
        assert found, "%r is not behind what comes before it in\n%s" % (part, text)
        at = found.end()


def accepted_id(server):
    return re.search(r"\[(\w+)\]: accepted ", server.log())[1]


def test_the_whole_story_of_a_submitted_message():
    tries = {"late": 0}

    def replies(verb, command):
        if verb == "RCPT" and "late@" in command:
            tries["late"] += 1
            if tries["late"] == 1:
                return "451 4.2.0 come back later"
        if verb == "RCPT" and "gone@" in command:
            return "550 5.1.1 nobody here"
        return None

    sink = SmtpSink(replies)
    server = Instance(users=("alice", "bob", "carol"))
    server.add_config("queue {\n    relay_host = [127.0.0.1]:%d\n    retry_first = 1s\n}\n" % sink.port)
    with server:
        server.mailctl("address", "add", "team@example.test", "carol@example.test", "away@partner.example")
        submit(server, "alice", ["bob", "team@example.test", "late@far.example", "gone@far.example"], TEXT)
        wait_for(lambda: server.mailctl_json("queue", "list") == [])
        box = imap(server, "bob")
        box.create("Archive/2026")
        box.select("INBOX")
        box.store("1", "+FLAGS", "(\\Flagged $Work)")
        box.fetch("1", "(BODY[])")
        box.uid("MOVE", "1", "Archive/2026")
        box.rename("Archive", "Old")
        box.select("Old/2026")
        box.copy("1", "INBOX")
        box.store("1", "+FLAGS", "\\Deleted")
        box.expunge()
        box.logout()
        message = accepted_id(server)
        story = server.mailctl("trace", message)
        bob = "bob@example.test"
        in_order(story, message, "alice@example.test logged in over submission", "accepted: from alice@example.test",
                 "logged in as alice@example.test", "Message-ID <orig.1@example.test>", "delivered to bob@example.test",
                 bob + r" set \\Flagged \$Work in INBOX", bob + r" set \\Seen in INBOX",
                 bob + r" moved it from INBOX \(UID 1\) to Archive/2026 \(UID 1\)",
                 bob + " gave the mailbox Archive the name Old",
                 bob + r" copied it from Old/2026 \(UID 1\) to INBOX \(UID 2\)",
                 bob + " marked it as deleted in Old/2026", bob + " removed it from Old/2026")
        for part in (r"delivered to bob@example.test: mailbox INBOX of bob@example.test, UID 1",
                     r"delivered to carol@example.test \(given as team@example.test\): mailbox INBOX",
                     r"put off for late@far.example by .*come back later",
                     r"taken over for late@far.example by", r"failed for gone@far.example by .*nobody here",
                     r"taken over for away@partner.example \(given as team@example.test\)",
                     r"alice@example.test is told of it \(failure report\) by message",
                     r"\] .*delivered to alice@example.test: mailbox INBOX",
                     "done: it has left the queue"):
            assert re.search(part, story), part + " is missing in\n" + story
        in_order(story, "put off for late@far.example", "taken over for late@far.example")
        # By other names of it.
        session = re.search(r"accepted session=(\w+)", server.log())[1]
        for name in ("<orig.1@example.test>", "ORIG.1@example.test", session):
            again = server.mailctl("trace", name)
            assert "removed it from Old/2026" in again and "put off for late@" in again, again
        place = server.mailctl("trace", bob, "--mailbox", "INBOX", "--uid", "2")
        in_order(place, "accepted: from alice@example.test", "delivered to bob@example.test", "moved it", "copied it")
        # As data.
        events = server.mailctl_json("trace", message)
        assert {e["event"] for e in events} >= {"accepted", "delivery", "report", "flags", "move", "rename", "copy", "expunge"}
        times = [e["time"] for e in events if e["event"] != "accepted"]
        assert times == sorted(times), times
        sent = next(e for e in events if e["event"] == "delivery" and e["fields"]["to"] == bob)
        assert sent["fields"]["uid"] == "1" and sent["fields"]["status"] == "sent", sent
        # A user sees his own mailboxes, and who else got it only if he sent it.
        own = server.mailctl("trace", message, "--user", "carol@example.test")
        assert "delivered to carol@example.test" in own and "bob" not in own and "late@" not in own, own
        own = server.mailctl("trace", message, "--user", "alice@example.test")
        assert "late@far.example" in own and "removed it" not in own and "of bob@" not in own and "of carol@" not in own, own
        assert "team@example.test" in own and "carol@" not in own and "away@" not in own, "who is behind it is not told: " + own
        nothing = server.run_mailctl("trace", message, "--user", "nobody@example.test", check=False)
        assert nothing.returncode == 4 and "nothing is known" in nothing.stderr, nothing


def test_addresses_have_lists():
    with Instance() as server:
        for i in range(5):
            inject(server, "s%d@remote.example" % i, ["alice"], TEXT.replace("orig.1", "orig.%d" % i))
        with smtplib.SMTP("127.0.0.1", server.port("smtp")) as client:
            client.ehlo("client.remote.example")
            client.mail("bad@remote.example")
            assert client.rcpt("nobody@example.test")[0] >= 500
        rows = server.mailctl_json("trace", "alice@example.test")
        assert [r["from"] for r in rows] == ["s%d@remote.example" % i for i in (4, 3, 2, 1, 0)], rows
        assert all(r["status"] == "sent" and r["message_id"].startswith("orig.") for r in rows), rows
        table = server.mailctl("trace", "alice@example.test", "--limit", "2")
        assert "s4@" in table and "s3@" in table and "s2@" not in table and "There are more" in table, table
        stories = server.mailctl("trace", "alice@example.test", "--all")
        assert stories.count("accepted: from") == 5, stories
        assert "refused: to nobody@example.test from bad@remote.example" in server.mailctl("trace", "bad@remote.example")
        later = server.run_mailctl("trace", "alice@example.test", "--until", "2020-01-01", check=False)
        assert later.returncode == 4, later
        for wrong in (["trace"], ["trace", "x", "--uid", "7"], ["trace", "x", "--since", "soon"]):
            assert server.run_mailctl(*wrong, check=False).returncode in (1, 2), wrong


def test_lmtp_and_mail_actions_of_operators():
    with Instance() as server:
        with smtplib.LMTP(os.path.join(server.root, "run", "lmtp.sock")) as client:
            client.sendmail("s@remote.example", ["alice@example.test"], TEXT)
        server.mailctl("flags", "add", "alice@example.test", "\\Seen", "mailbox", "INBOX")
        server.mailctl("expunge", "alice@example.test", "mailbox", "INBOX", "--yes")
        story = server.mailctl("trace", "orig.1@example.test")
        in_order(story, "accepted: from s@remote.example", r"with mailctl for alice@example.test set \\Seen in INBOX",
                 "with mailctl for alice@example.test removed it from INBOX")


def test_forwarded_and_refused_as_another_message():
    sink = SmtpSink(lambda verb, command: "550 5.7.1 not here" if verb == "RCPT" else None)
    server = Instance()
    server.add_config("queue {\n    relay_host = [127.0.0.1]:%d\n}\n" % sink.port)
    with server:
        server.mailctl("address", "add", "sales@example.test", "sales@partner.example", "alice@example.test")
        inject(server, "s@remote.example", ["sales@example.test"], TEXT)
        wait_for(lambda: server.mailctl_json("queue", "list") == [])
        story = server.mailctl("trace", "orig.1@example.test")
        in_order(story, "accepted: from s@remote.example to sales@example.test",
                 "forwarded with the sender", "delivered to alice@example.test",
                 r"failed for sales@partner.example \(given as sales@example.test\) by .*not here")


def trace_files(server, pattern):
    return sorted(glob.glob(server.root + "/**/trace/" + pattern, recursive=True))


def test_damage_and_a_restart():
    server = Instance()
    with server:
        inject(server, "s@remote.example", ["alice"], TEXT)
        assert "delivered to alice" in server.mailctl("trace", "orig.1@example.test")
        message = accepted_id(server)
        server.kill()
        (log,) = trace_files(server, "*.log")
        (index,) = trace_files(server, "*.index")
        with open(log, "ab") as f:
            f.write(b"2026-11-22T10:00:00.000Z info smtpd[torn")
        os.unlink(index)
        with open(os.path.join(os.path.dirname(log), "0000000000.log"), "wb") as f:
            f.write(os.urandom(100000))
        server.start()
        inject(server, "s@remote.example", ["alice"], TEXT.replace("orig.1", "orig.2"))
        assert "delivered to alice" in server.mailctl("trace", message)
        assert "delivered to alice" in server.mailctl("trace", "orig.2@example.test")
        wait_for(lambda: trace_files(server, "*.damaged"))


def fill(directory):
    """A file that takes what is left, to the last byte."""
    with open(os.path.join(directory, "filler"), "wb", buffering=0) as f:
        try:
            while True:
                f.write(bytes(65536))
        except OSError:
            pass
    assert os.statvfs(directory).f_bavail == 0
    return f.name


def test_a_full_disk_costs_events_and_no_mail():
    if os.geteuid() != 0:
        raise Skip("mounting a small file system needs root")
    with Instance() as server:
        server.stop()
        directory = os.path.join(server.root, "data", "trace")
        os.makedirs(directory, exist_ok=True)
        result = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", directory], capture_output=True, text=True)
        if result.returncode != 0:
            raise Skip("no file system can be mounted here: " + result.stderr.strip())
        try:
            server.start()
            inject(server, "s@remote.example", ["alice"], TEXT.replace("orig.1", "before.1"))
            assert "delivered to alice" in server.mailctl("trace", "before.1@example.test")

            filler = fill(directory)
            for i in range(20):
                inject(server, "s@remote.example", ["alice"], TEXT.replace("orig.1", "full.%d" % i))
            wait_for(lambda: "events for \"mailctl trace\" are not kept" in server.mailctl("status"), "status warns of nothing")
            server.logged("events not kept count=")
            assert server.run_mailctl("trace", "full.19@example.test", check=False).returncode == 4
            assert "delivered to alice" in server.mailctl("trace", "before.1@example.test")

            os.unlink(filler)
            inject(server, "s@remote.example", ["alice"], TEXT.replace("orig.1", "after.1"))
            assert "delivered to alice" in server.mailctl("trace", "after.1@example.test")
            status = server.mailctl("status")
            assert "are not kept" not in status and "events of the log were not kept since the start" in status, status
            server.logged("events are kept again lost=")
            assert len(imap_bodies(server, "alice")) == 22
            server.restart()
            for name in ("before.1", "after.1"):
                assert "delivered to alice" in server.mailctl("trace", name + "@example.test")
            assert len(imap_bodies(server, "alice")) == 22
            assert "index of events made again" not in server.log(), "nothing was damaged"
            server.stop()
        finally:
            server.kill()
            subprocess.run(["umount", "-l", directory], check=True)


def test_what_users_are_not_told():
    server = Instance(users=("alice", "bob", "carol"))
    server.add_config("copy archive {\n    all = yes\n    to = carol@example.test\n}")
    with server:
        for i in range(2):
            inject(server, "s@remote.example", ["bob", "alice"], TEXT.replace("orig.1", "orig.%d" % i))
        submit(server, "alice", ["bob"], TEXT.replace("orig.1", "orig.9"))
        rows = server.mailctl_json("trace", "alice@example.test", "--user", "alice@example.test")
        received = [r for r in rows if r["from"] == "s@remote.example"]
        assert [(r["to"], r["recipients"]) for r in received] == [("alice@example.test", 1)] * 2, rows
        assert len(rows) == 3, rows
        for message in rows:
            told = server.mailctl("trace", message["message"], "--user", "alice@example.test")
            assert "carol@" not in told, "a hidden copy: " + told
            assert "bob@" not in told or message["from"] == "alice@example.test", told
        assert "carol@" in server.mailctl("trace", rows[0]["message"])
