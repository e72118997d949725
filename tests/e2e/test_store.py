"""The store seen by its operator: check, repair, rebuild, flush; and mailboxes that are broken while others go on."""

import glob
import imaplib
import os
import shutil
import time

from support.instance import Instance
from support.mail import imap, imap_bodies, inject

USER = "alice@example.test"


def fill(server, count, user="alice", mailbox="INBOX"):
    client = imap(server, user)
    if mailbox != "INBOX":
        client.create(mailbox)
    for n in range(count):
        flags = "(\\Seen keep)" if n % 2 else ""
        assert client.append(mailbox, flags, None, f"Subject: {n}\r\n\r\nbody {n}\r\n".encode())[0] == "OK"
    client.logout()


def files(server, mailbox=""):
    return sorted(glob.glob(server.maildir("alice", mailbox) + "/cur/*") +
                  glob.glob(server.maildir("alice", mailbox) + "/new/*"))


def findings(server, *options):
    return [(f["mailbox"], f["finding"]) for f in server.mailctl_json("store", "check", *options)]


def flags_of(server, mailbox="INBOX"):
    client = imap(server, "alice")
    assert client.select(mailbox, readonly=True)[0] == "OK"
    return client.response("UIDVALIDITY")[1], client.uid("FETCH", "1:*", "(FLAGS)")[1]


def test_flush_brings_everything_into_files():
    with Instance() as server:
        fill(server, 5)
        assert "records" in server.mailctl("store", "flush")
        assert len(files(server)) == 5
        listed = open(server.maildir("alice") + "/dovecot-uidlist").read()
        assert len(listed.strip().splitlines()) == 6, listed
        assert "0 records" in server.mailctl("store", "flush")
        # Nothing is left to replay.
        shutil.rmtree(server.root + "/data/journal-before", ignore_errors=True)
        server.kill()
        server.start()
        assert len(imap_bodies(server, "alice")) == 5


def test_check_finds_and_repairs():
    with Instance() as server:
        fill(server, 6)
        fill(server, 3, mailbox="Work")
        server.mailctl("store", "flush")
        assert findings(server, "--all") == []
        assert "everything fits" in server.mailctl("store", "check", USER)
        server.stop()
        maildir = server.maildir("alice")
        stray = maildir + "/tmp/999.stray"
        open(stray, "w").close()
        os.utime(stray, (1, 1))
        server.start()
        client = imap(server, "alice")
        client.select("INBOX")
        # With the mailbox in memory.
        files_now = files(server)
        os.unlink(files_now[0])
        with open(files_now[1], "ab") as f:
            f.write(b"grown\n")
        with open(files(server, ".Work")[0] + "x", "w") as f:
            f.write("Subject: by another program\n\n")
        with open(maildir + "/dovecot-uidlist", "r+") as f:
            lines = f.readlines()
            f.seek(0)
            f.truncate()
            f.writelines(lines[:1] + ["damaged line\n"] + lines[3:])
        time.sleep(0.1)
        said = findings(server, USER)
        text = " / ".join(f for _, f in said)
        assert "another size" in text and "damaged lines" in text, said
        result = server.run_mailctl("store", "check", USER, "--repair", check=False)
        assert result.returncode == 1 and "repaired" in result.stdout, result  # the size stays wrong
        client.logout()
        left = " / ".join(f for _, f in findings(server, USER))
        assert "damaged" not in left and "missing" not in left and "not know" not in left, left
        assert len(imap_bodies(server, "alice")) == 5


def test_rebuild_keeps_uids_and_flags():
    with Instance() as server:
        fill(server, 8)
        server.mailctl("store", "flush")
        before = flags_of(server)
        assert "INBOX: 8 messages" in server.mailctl("store", "rebuild", USER)
        assert flags_of(server) == before
        for name in ("maild-index", "maild-cache"):
            path = os.path.join(server.maildir("alice"), name)
            with open(path, "wb") as f:
                f.write(os.urandom(5000))
        server.restart()
        assert flags_of(server) == before
        assert len(imap_bodies(server, "alice")) == 8
        for name in ("maild-index", "maild-cache"):
            path = os.path.join(server.maildir("alice"), name)
            if os.path.exists(path):
                os.unlink(path)
            os.mkdir(path)
        server.restart()
        assert flags_of(server) == before
        assert "INBOX: 8" in server.mailctl("store", "rebuild", USER, "INBOX")


def test_a_broken_mailbox_stops_nobody_else():
    with Instance() as server:
        fill(server, 3)
        fill(server, 2, mailbox="Work")
        server.restart()
        directory = server.maildir("alice", ".Work")
        os.rename(directory + "/cur", directory + "/cur.aside")
        with open(directory + "/cur", "w") as f:
            f.write("a file")
        client = imap(server, "alice")
        answer = client.select("Work")
        assert answer[0] == "NO" and b"[SERVERBUG]" in answer[1][0] or b"[UNAVAILABLE]" in answer[1][0], answer
        assert client.select("INBOX") == ("OK", [b"3"])
        inject(server, "s@elsewhere.test", ["alice"], "Subject: still\r\n\r\nx\r\n")
        said = findings(server, USER)
        assert [m for m, f in said if "cannot be opened" in f] == ["Work"], said
        assert "records" in server.mailctl("store", "flush")
        # It heals when it is mended, without a restart.
        os.unlink(directory + "/cur")
        os.rename(directory + "/cur.aside", directory + "/cur")
        assert client.select("Work") == ("OK", [b"2"])
        assert findings(server, USER) == []


def test_an_inbox_that_cannot_be_used_is_a_temporary_failure():
    with Instance() as server:
        fill(server, 1)
        server.restart()
        maildir = server.maildir("alice")
        os.rename(maildir + "/new", maildir + "/new.aside")
        open(maildir + "/new", "w").close()
        try:
            inject(server, "s@elsewhere.test", ["alice"], "Subject: later\r\n\r\nx\r\n")
            raise AssertionError("delivered")
        except Exception as error:
            assert "45" in str(error) or "451" in repr(error), error
        inject(server, "s@elsewhere.test", ["bob"], "Subject: now\r\n\r\nx\r\n")
        os.unlink(maildir + "/new")
        os.rename(maildir + "/new.aside", maildir + "/new")
        inject(server, "s@elsewhere.test", ["alice"], "Subject: later\r\n\r\nx\r\n")
        assert len(imap_bodies(server, "alice")) == 2
