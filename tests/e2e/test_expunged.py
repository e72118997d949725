"""What was expunged or deleted by a client, seen and brought back with mailctl."""

import imaplib
import os
import time

from support.instance import Instance
from support.mail import imap


def ok(answer):
    assert answer[0] == "OK", answer
    return answer[1]


def append(client, mailbox, subject, flags=""):
    ok(client.append(mailbox, flags, imaplib.Time2Internaldate(1600000000),
                     f"From: bob@example.test\r\nSubject: {subject}\r\n\r\nbody of {subject}\r\n".encode()))


def expunge_all(client):
    ok(client.store("1:*", "+FLAGS.SILENT", "(\\Deleted)"))
    ok(client.expunge())


def test_expunged_messages_come_back():
    with Instance() as server:
        client = imap(server, "alice")
        for number in range(3):
            append(client, "INBOX", f"m{number}", "(\\Flagged keep)" if number == 1 else "")
        ok(client.select("INBOX"))
        expunge_all(client)
        assert client.search(None, "ALL")[1] == [b""]
        listed = server.mailctl_json("mailbox", "undelete", "alice@example.test", "--list")
        assert [(m["uid"], m["subject"], m["from"]) for m in listed] == [
            (n, f"m{n - 1}", "bob@example.test") for n in (1, 2, 3)], listed
        assert listed[1]["flags"] == ["\\Flagged", "keep"]
        assert "m2" in server.mailctl("mailbox", "undelete", "alice@example.test", "--list")

        assert "nothing" in server.mailctl("mailbox", "undelete", "alice@example.test", "Sent")
        future = time.strftime("%Y-%m-%d", time.localtime(time.time() + 2 * 86400))
        assert "nothing" in server.mailctl("mailbox", "undelete", "alice@example.test", "--since", future)
        assert "1 message is back" in server.mailctl("mailbox", "undelete", "alice@example.test", "INBOX", "--uid", "2")
        # The open session is told at once, the rest comes back after a restart.
        ok(client.noop())
        assert client.uid("FETCH", "1:*", "(FLAGS INTERNALDATE BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1][0][0].count(
            b"keep") == 1
        fetched = ok(client.uid("FETCH", "4", "(FLAGS INTERNALDATE)"))[0]
        assert b"\\Flagged" in fetched and b"\\Deleted" not in fetched and b"13-Sep-2020" in fetched, fetched
        server.restart()
        result = server.mailctl("mailbox", "undelete", "alice@example.test", "--since", "1h")
        assert "2 messages are back" in result, result
        client = imap(server, "alice")
        ok(client.select("INBOX"))
        assert ok(client.uid("SEARCH", "ALL")) == [b"4 5 6"]
        assert b"body of m2" in ok(client.uid("FETCH", "6", "(BODY.PEEK[])"))[0][1]


def test_a_deleted_mailbox_comes_back_as_it_was():
    with Instance() as server:
        client = imap(server, "alice")
        ok(client.create("Work"))
        for number in range(4):
            append(client, "Work", f"w{number}", "(\\Seen)" if number % 2 else "")
        before = ok(client.status("Work", "(MESSAGES UNSEEN UIDVALIDITY UIDNEXT)"))
        ok(client.delete("Work"))
        assert client.select("Work")[0] == "NO"
        listed = server.mailctl_json("mailbox", "undelete", "alice@example.test", "Work", "--list")
        assert [(m["mailbox"], m["messages"]) for m in listed] == [("Work", 4)], listed
        server.restart()
        assert "mailbox Work: 4" in server.mailctl("mailbox", "undelete", "alice@example.test")
        client = imap(server, "alice")
        assert ok(client.status("Work", "(MESSAGES UNSEEN UIDVALIDITY UIDNEXT)")) == before
        assert b"Work" in b" ".join(ok(client.lsub()))
        ok(client.select("Work"))
        assert ok(client.uid("SEARCH", "SEEN")) == [b"2 4"]


def test_purge_and_the_setting():
    with Instance() as server:
        client = imap(server, "alice")
        append(client, "INBOX", "gone")
        ok(client.select("INBOX"))
        expunge_all(client)
        user = "alice@example.test"
        assert server.run_mailctl("mailbox", "purge", user, check=False).returncode == 1  # nobody said yes
        assert "removed 0 files" in server.mailctl("mailbox", "purge", "--all", "--before", "1h", "--yes")
        assert "removed 1 file" in server.mailctl("mailbox", "purge", "--all", "--yes")
        assert "nothing" in server.mailctl("mailbox", "undelete", user, "--list")
        for wrong in (("--since", "yesterday"), ("--uid",)):
            assert server.run_mailctl("mailbox", "undelete", user, *wrong, check=False).returncode == 2
        assert server.run_mailctl("mailbox", "undelete", user, "--uid", "x", check=False).returncode == 1
        assert server.run_mailctl("mailbox", "undelete", "nobody@example.test", check=False).returncode == 4
        server.add_config("store { keep_expunged = 0 }")
        server.restart()
        client = imap(server, "alice")
        append(client, "INBOX", "gone at once")
        ok(client.select("INBOX"))
        expunge_all(client)
        assert "nothing" in server.mailctl("mailbox", "undelete", user, "--list")
        kept = [f for _, _, files in os.walk(server.maildir("alice") + "/expunged") for f in files]
        assert kept in ([], ["mailbox"]), kept
