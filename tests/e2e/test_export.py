"""mailctl export and import: Maildirs and mboxes that other programs write and read."""

import mailbox
import os
import subprocess

from support.instance import Instance, build_dir
from support.mail import imap

QUOTED = b"Subject: quoted\r\n\r\nFrom me to you\r\n>From here\r\n>>From there\r\nfrom\r\n\r\nFrom x Sat Nov 21 12:00:00 2026\r\n"


def summary(server, user, name="INBOX"):
    return server.mailctl_json("fetch", user, "flags date.received text", "mailbox", name)


def prepare(server):
    box = imap(server, "alice")
    box.create("Lists/dev")
    box.create("Gr&APwA3w-e")
    box.append("INBOX", "(\\Seen \\Flagged $Work other)", '"01-Feb-2024 10:00:00 +0000"', QUOTED)
    box.append("INBOX", None, '"03-Feb-2024 10:00:00 +0000"', b"Subject: no body\r\n\r\n")
    box.append("INBOX", "\\Deleted", '"02-Feb-2024 10:00:00 +0000"', b"X-Status: F\r\nSubject: no end\r\n\r\nend")
    box.append("Lists/dev", "\\Answered", None, b"Subject: big\r\n\r\n" + b"From the start\r\n" * 50000)
    box.append('"Gr&APwA3w-e"', None, None, b"Subject: 8bit\r\n\r\n\xff\xfe\x00\r\n")
    return box


def test_maildir_there_and_back():
    with Instance() as server:
        prepare(server)
        target = os.path.join(server.directory, "out")
        assert "exported 5 messages" in server.mailctl("export", "alice", target)
        # As Python's Maildir reads it.
        there = mailbox.Maildir(target, create=False)
        assert sorted(there.list_folders()) == sorted(
            ["Archive", "Drafts", "Gr&APwA3w-e", "Junk", "Lists", "Lists.dev", "Sent", "Trash"])
        flags = {m["Subject"]: m.get_flags() for m in there}
        assert flags == {"quoted": "FSab", "no body": "", "no end": "T"}, flags
        refused = server.run_mailctl("export", "alice", target, check=False)
        assert refused.returncode == 1 and "something in it" in refused.stderr
        server.mailctl("import", "bob", target)
        for name in ("INBOX", "Lists/dev", "Grüße"):
            assert summary(server, "bob", name) == summary(server, "alice", name), name
        # Again: all of it is there. And below another mailbox.
        assert "imported 0 messages" in server.mailctl("import", "bob", target)
        assert "imported 5 messages" in server.mailctl("import", "bob", target, "--duplicates")
        server.mailctl("import", "bob", target, "--mailbox", "From/alice")
        assert summary(server, "bob", "From/alice") == summary(server, "alice")
        assert summary(server, "bob", "From/alice/Lists/dev") == summary(server, "alice", "Lists/dev")


def test_mbox_there_and_back():
    with Instance() as server:
        prepare(server)
        target = os.path.join(server.directory, "out")
        server.mailctl("export", "alice", target, "--mbox")
        with open(target + "/INBOX.mbox", "rb") as f:
            text = f.read()
        assert text.startswith(b"From MAILER-DAEMON Thu Feb  1 10:00:00 2024\nSubject: quoted\n"), text
        assert b"\n>From me to you\n>>From here\n>>>From there\nfrom\n\n>From x Sat" in text, text
        there = mailbox.mbox(target + "/INBOX.mbox", create=False)
        assert [(m["Subject"], m.get_flags()) for m in there] == [("quoted", "ROF"), ("no body", "O"), ("no end", "OD")]
        server.mailctl("import", "bob", target)
        for name in ("Lists/dev", "Grüße"):
            assert summary(server, "bob", name)[0]["text"] == summary(server, "alice", name)[0]["text"]
        bob, alice = summary(server, "bob"), summary(server, "alice")
        assert bob[:2] == alice[:2], (bob, alice)
        # A file of mail ends with a line end, and what other programs use it for is ours to write.
        assert (bob[2]["flags"], bob[2]["text"]) == ("\\Deleted", "Subject: no end\n\nend\n"), bob[2]
        one = subprocess.run([os.path.join(build_dir(), "mailctl"), "--config", server.config_path, "export", "alice",
                              "-", "INBOX", "--mbox"], capture_output=True, check=True).stdout
        assert one == text
        piped = server.run_mailctl("import", "bob", "-", "--mailbox", "Piped", stdin=one.decode())
        assert "imported 3 messages" in piped.stdout, piped
        assert summary(server, "bob", "Piped") == bob


def test_what_other_programs_wrote():
    with Instance() as server:
        source = os.path.join(server.directory, "in")
        for name in ("", ".Sent Items", ".Sent Items.2024", ".Gr&APwA3w-e", ".Ärger", ".bad&name", "plain"):
            for sub in ("cur", "new", "tmp"):
                os.makedirs(os.path.join(source, name, sub))
        os.makedirs(os.path.join(source, ".no mailbox"))
        files = {"cur/1700000300.M1P1.host:2,RSa": (b"Subject: third\n\nx\n", 1700000900),
                 "cur/1700000100.M1P1.host:2,": (b"Subject: first\r\n\r\nx\r\n", 1700000100),
                 "new/1700000200.M1P1.host": (b"Subject: second\n\nx\n", 1700000200),
                 "cur/1600000000.M1P1.host,S=5,W=5:2,FZ": (b"Subject: listed\n\nx\n", 1600000000),
                 ".Sent Items.2024/cur/17.host:2,S": (b"Subject: sent\n\n", 1700000000),
                 ".Ärger/cur/17.host:2,S": (b"Subject: utf-8\n\n", 1700000000),
                 "plain/cur/17.host:2,S": (b"Subject: plain\n\n", 1700000000)}
        for name, (text, when) in files.items():
            path = os.path.join(source, name)
            with open(path, "wb") as f:
                f.write(text)
            os.utime(path, (when, when))
        os.symlink("/nonexistent", os.path.join(source, "cur/1800000000.dangling:2,"))
        os.mkfifo(os.path.join(source, "cur/1800000001.fifo:2,"))
        with open(os.path.join(source, "dovecot-keywords"), "w") as f:
            f.write("0 $Work\n1 other\n")
        with open(os.path.join(source, "dovecot-uidlist"), "w") as f:
            f.write("3 V17 N30 G00000000000000000000000000000000\n4 :1700000300.M1P1.host\n"
                    "9 :1600000000.M1P1.host,S=5,W=5\n12 :gone\n")
        result = server.run_mailctl("import", "alice", source, check=False)
        assert result.returncode == 1 and "dangling" in result.stderr and "fifo" in result.stderr, result
        assert result.stderr.count("\n") == 2 and "imported 7 messages" in result.stdout, result
        inbox = summary(server, "alice")
        assert [m["text"].split("\n")[0] for m in inbox] == [
            "Subject: third", "Subject: listed", "Subject: first", "Subject: second"]
        assert inbox[0]["flags"] == "\\Answered \\Seen $Work" and inbox[0]["date.received"] == 1700000900, inbox[0]
        assert inbox[1]["flags"] == "\\Flagged" and inbox[2]["text"] == "Subject: first\n\nx\n"
        names = [m["mailbox"] for m in server.mailctl_json("mailbox", "list", "alice")]
        assert {"Sent Items", "Sent Items/2024", "Grüße", "Ärger", "bad&name", "plain"} <= set(names), names


def test_what_cannot_be_imported():
    with Instance() as server:
        empty = os.path.join(server.directory, "empty")
        os.makedirs(empty)
        text = os.path.join(server.directory, "text")
        with open(text, "w") as f:
            f.write("Dear me\n")
        for arguments, word in ((["alice", empty], "neither"), (["alice", empty + "/no"], "No such file"),
                                (["alice", text], "no mbox"), (["nobody", empty], "nobody")):
            refused = server.run_mailctl("import", *arguments, check=False)
            assert refused.returncode in (1, 4) and word in refused.stderr, refused
        assert server.run_mailctl("export", "nobody", empty + "/x", check=False).returncode == 4
        assert server.run_mailctl("export", "alice", empty + "/x", "nowhere", check=False).returncode == 4
        assert os.listdir(empty) == []


def test_all_users():
    with Instance() as server:
        prepare(server)
        target = os.path.join(server.directory, "out")
        server.mailctl("export", "--all", target, "INBOX", "Lists/*")
        assert sorted(os.listdir(target)) == ["alice@example.test", "bob@example.test"]
        assert sorted(n for n in os.listdir(target + "/alice@example.test") if n[0] == ".") == [".Lists.dev"]
        assert len(mailbox.Maildir(target + "/alice@example.test", create=False)) == 3
