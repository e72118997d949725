"""mailctl search, fetch, expunge, move, copy, flags: by query, for one user and for all, seen by open sessions."""

import imaplib
import time

from support.instance import Instance

DAY = 86400


def login(server, user="alice", mailbox=None):
    box = imaplib.IMAP4("127.0.0.1", server.port("imap"))
    box.starttls(server.tls_context())
    box.login(user, "secret")
    if mailbox:
        assert box.select(mailbox)[0] == "OK"
    return box


def message(number, subject="s"):
    return ("From: Bob <bob%d@example.test>\r\nDate: Sat, 21 Nov 2026 12:00:00 +0000\r\n"
            "Subject: %s %d\r\n\r\nbody of %d\r\n" % (number, subject, number, number)).encode()


def fill(box, mailbox, count, age=lambda i: 0, flags=lambda i: None, subject="s"):
    for i in range(count):
        date = imaplib.Time2Internaldate(time.time() - age(i) * DAY - 60)
        assert box.append(mailbox, flags(i), date, message(i, subject))[0] == "OK"


def uids(server, *query):
    found = server.mailctl_json("search", *query)
    return {(f["user"].split("@")[0], f["mailbox"]): f["uids"] for f in found}


def test_search_finds_what_imap_finds():
    with Instance() as server:
        box = login(server)
        fill(box, "INBOX", 20, age=lambda i: i, flags=lambda i: "\\Seen" if i % 2 else None)
        fill(box, "Trash", 5, subject="bin")
        fill(login(server, "bob"), "INBOX", 2)
        assert uids(server, "alice", "seen") == {("alice", "INBOX"): "2,4,6,8,10,12,14,16,18,20"}
        assert uids(server, "alice", "before", "10d") == {("alice", "INBOX"): "11:20"}
        assert uids(server, "alice", "mailbox", "Tr*", "body", "body of 3") == {("alice", "Trash"): "4"}
        assert uids(server, "alice", "or", "mailbox", "Trash", "(", "uid", "1:2", "unseen", ")") == {
            ("alice", "Trash"): "1:5", ("alice", "INBOX"): "1"}
        assert uids(server, "alice", 'OR (UID 1 MAILBOX INBOX) SUBJECT "bin 4"') == {
            ("alice", "Trash"): "5", ("alice", "INBOX"): "1"}
        assert uids(server, "--all", "mailbox", "INBOX", "uid", "1") == {
            ("alice", "INBOX"): "1", ("bob", "INBOX"): "1"}
        assert uids(server, "alice", "mailbox", "nowhere") == {}
        text = server.mailctl("search", "alice", "mailbox", "Trash")
        assert "1:5" in text and text.startswith("user")
        for arguments in (["alice"], ["--all"], ["alice", "nonsense"], ["nobody", "all"], ["alice", "(", "seen"]):
            assert server.run_mailctl("search", *arguments, check=False).returncode in (1, 2, 4), arguments


def test_fetch_prints_fields():
    with Instance() as server:
        box = login(server)
        box.append("INBOX", "\\Flagged $Junk", None, b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nX-A: 1\r\n\r\na\r\n\xff\r\n")
        fill(box, "INBOX", 2)
        [first] = server.mailctl_json("fetch", "alice", "uid flags size hdr.subject hdr.none mailbox user", "uid", "1")
        assert first == {"uid": 1, "flags": "\\Flagged $Junk", "size": 54, "hdr.subject": "Grüße", "hdr.none": None,
                         "mailbox": "INBOX", "user": "alice@example.test"}, first
        table = server.mailctl("fetch", "alice", "uid,hdr.subject,date.sent", "all").splitlines()
        assert len(table) == 4 and "Grüße" in table[1] and "2026-11-21" in table[2], table
        assert server.mailctl("fetch", "alice", "text", "uid", "2") == message(0).decode().replace("\r\n", "\n")
        assert server.mailctl("fetch", "alice", "body", "uid", "3") == "body of 1\n"
        both = server.mailctl("fetch", "alice", "uid hdr", "uid", "2:3")
        assert both.count("hdr:\nFrom: Bob") == 2 and "\f" in both and "body" not in both
        texts = [m["text"] for m in server.mailctl_json("fetch", "alice", "text", "all")]
        assert len(texts) == 3 and texts[0].endswith("a\n?\n")
        big = b"Subject: big\r\n\r\n" + b"0123456789abcde\r\n" * 100000
        box.append("INBOX", None, None, big)
        assert server.mailctl("fetch", "alice", "text", "subject", "big").encode() == big.replace(b"\r\n", b"\n")
        assert server.mailctl_json("fetch", "alice", "uid", "uid", "77") == []
        assert server.run_mailctl("fetch", "alice", "nonsense", "all", check=False).returncode == 1


def test_expunge_asks_and_open_sessions_see_it():
    with Instance() as server:
        box = login(server)
        fill(box, "Trash", 6, age=lambda i: 20 * i)
        fill(box, "INBOX", 6, age=lambda i: 20 * i)
        other = login(server, "bob")
        fill(other, "Trash", 3, age=lambda i: 50)
        box.select("Trash")
        assert uids(server, "alice", "mailbox", "Trash", "savedbefore", "1d") == {}
        assert uids(server, "alice", "mailbox", "Trash", "savedsince", "1h") == {("alice", "Trash"): "1:6"}
        refused = server.run_mailctl("expunge", "--all", "mailbox", "Trash", "before", "30d", check=False)
        assert refused.returncode == 1 and "--yes" in refused.stderr
        result = server.mailctl_json("expunge", "--all", "--yes", "mailbox", "Trash", "before", "30d")
        assert result == {"messages": 7, "mailboxes": 2, "failed": 0}, result
        box.noop()
        assert box.response("EXISTS")[1][-1] == b"2" or box.select("Trash")[1] == [b"2"]
        assert box.select("INBOX")[1] == [b"6"] and other.select("Trash")[1] == [b"0"]
        assert "expunged 0 messages" in server.mailctl("expunge", "alice", "mailbox", "nowhere")


def test_move_and_copy():
    with Instance() as server:
        box = login(server)
        fill(box, "INBOX", 10, flags=lambda i: "\\Seen $Work" if i < 4 else None)
        box.select("INBOX")
        missing = server.run_mailctl("move", "alice", "Old", "seen", check=False)
        assert missing.returncode == 4 and "Old" in missing.stderr, missing
        assert "moved 4 messages" in server.mailctl("move", "alice", "Old", "seen", "--create")
        assert box.select("INBOX")[1] == [b"6"] and box.select("Old")[1] == [b"4"]
        assert b"$Work" in box.fetch("1", "(FLAGS)")[1][0]
        # The target itself is no source; all other mailboxes are.
        result = server.mailctl_json("copy", "alice", "Old", "all")
        assert result["messages"] == 6, result
        result = server.mailctl_json("copy", "alice", "From alice", "mailbox", "INBOX", "--create", "--to-user", "bob")
        assert result["messages"] == 6, result
        assert login(server, "bob").select('"From alice"')[1] == [b"6"]
        assert server.run_mailctl("copy", "--all", "Old", "all", check=False).returncode == 2


def test_flags():
    with Instance() as server:
        box = login(server)
        fill(box, "INBOX", 3, flags=lambda i: "\\Seen")
        box.select("INBOX")

        def flags():
            return [sorted(m["flags"].split()) for m in server.mailctl_json("fetch", "alice", "flags", "all")]
        server.mailctl("flags", "add", "alice", "\\Flagged $Label", "uid", "1:2")
        assert flags() == [["$Label", "\\Flagged", "\\Seen"]] * 2 + [["\\Seen"]]
        server.mailctl("flags", "remove", "alice", "\\Seen", "flagged")
        assert flags() == [["$Label", "\\Flagged"]] * 2 + [["\\Seen"]]
        server.mailctl("flags", "set", "alice", "\\Answered", "keyword", "$Label")
        assert flags() == [["\\Answered"]] * 2 + [["\\Seen"]]
        server.mailctl("flags", "set", "alice", "", "all")
        assert flags() == [[]] * 3
        assert b"3 (FLAGS ())" in login(server, mailbox="INBOX").fetch("3", "(FLAGS)")[1]
        assert server.run_mailctl("flags", "add", "alice", "\\Nonsense", "all", check=False).returncode == 1
