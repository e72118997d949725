"""mailctl backup and restore: one moment while the server works, everything as it was, single messages, increments."""

import imaplib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tarfile
import tempfile
import threading
import time

from support import Skip
from support.instance import Instance, build_dir
from support.mail import imap, imap_bodies, inject

BIG = b"Subject: big\r\n\r\n" + b"0123456789abcde\r\n" * 150000


def message(number, subject="s"):
    return b"From: Bob <bob@x.test>\r\nSubject: %s %d\r\n\r\nFrom me\r\nbody %d\r\n" % (
        subject.encode(), number, number)


def fill(box, mailbox, count, flags=lambda i: "(\\Seen $Work)" if i % 2 else None, first=0):
    box.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for i in range(first, first + count):
        date = imaplib.Time2Internaldate(1700000000 + i * 86400)
        assert box.append('"%s"' % mailbox, flags(i), date, message(i))[0] == "OK"


def everything(server, user):
    """By mailbox: UIDVALIDITY, and by UID all that a client can see."""
    found = {}
    for status in server.mailctl_json("mailbox", "status", user):
        listed = server.mailctl_json("fetch", user, "uid flags date.received date.saved size text", "mailbox",
                                     status["mailbox"]) if status["messages"] else []
        found[status["mailbox"]] = (status["uid_validity"], {m.pop("uid"): m for m in listed})
    return found


def expunge(box, mailbox, messages):
    box.select('"%s"' % mailbox)
    box.store(messages, "+FLAGS", "\\Deleted")
    box.expunge()


def test_mailboxes_come_back_under_the_names_that_the_site_has_on_disk():
    server = Instance()
    server.add_config("store {\n    folder_escape = %\n    folder_names_utf8 = yes\n}")
    with server:
        archive = os.path.join(server.directory, "backup.tar")
        box = imap(server, "alice")
        names = ("A.b", "Gr&APwA3w-e")
        for name in names:
            box.create('"%s"' % name)
            fill(box, name, 2)
        maildir = server.mailctl("mailbox", "path", "alice").strip()
        before = sorted(os.listdir(maildir))
        server.mailctl("backup", "alice", archive)
        for name in ("A.b", "Grüße"):
            server.mailctl("mailbox", "delete", "alice", name, "--yes")
        server.mailctl("restore", "alice", archive)
        assert sorted(n for n in os.listdir(maildir) if n.startswith(".")) == sorted(
            n for n in before if n.startswith("."))
        for name in names:
            assert box.select('"%s"' % name) == ("OK", [b"2"]), name


def test_a_lost_account_comes_back_as_it_was():
    with Instance() as server:
        archive = os.path.join(server.directory, "backup.tar")
        box = imap(server, "alice")
        for name in ("Lists/dev", "Gr&APwA3w-e", "A.b"):
            box.create('"%s"' % name)
        box.subscribe("Lists/dev")
        for name, entry in (("Lists/dev", '/private/comment "mine"'), ("A.b", '/private/specialuse "\\\\Important"'),
                            ("Lists/dev", "/shared/vendor/x/y ~{3+}\r\n\xff\xfe\xfd"), ("", '/private/comment "all"')):
            box.sock.sendall(b'x SETMETADATA "%s" (%s)\r\n' % (name.encode(), entry.encode("latin-1")))
            answer = box.readline()
            assert answer.startswith(b"x OK"), (name, answer)
        fill(box, "INBOX", 12)
        fill(box, "Lists/dev", 3, flags=lambda i: "(\\Flagged \\Draft x y)")
        box.append("Lists/dev", None, None, BIG)
        expunge(box, "INBOX", "2,5")
        before = everything(server, "alice")
        [used] = server.mailctl_json("quota", "get", "alice")
        text = server.mailctl("backup", "alice", archive)
        assert "saved 14 messages" in text, text
        box.sock.sendall(b'x SETMETADATA "" (/private/comment NIL)\r\n')
        assert box.readline().startswith(b"x OK")
        for name in ("Lists/dev", "Lists", "Grüße", "A.b"):
            server.mailctl("mailbox", "delete", "alice", name, "--yes")
        server.mailctl("expunge", "alice", "--yes", "all")
        highest = {m: server.mailctl_json("mailbox", "status", "alice", m)[0]["uid_next"] for m in ("INBOX",)}
        text = server.mailctl("restore", "alice", archive)
        after = everything(server, "alice")
        for name in ("Lists/dev", "Grüße", "A.b"):
            assert after[name] == before[name], (name, after[name], before[name])
        # UIDs of the INBOX that lived on are used up; all else is the same.
        validity, messages = after["INBOX"]
        assert validity == before["INBOX"][0] and min(messages) == highest["INBOX"]
        assert list(messages.values()) == list(before["INBOX"][1].values())
        assert "used up: 10" in text, text
        assert server.mailctl_json("quota", "get", "alice") == [used]
        assert [m["subscribed"] for m in server.mailctl_json("mailbox", "list", "alice", "Lists/dev")] == [True]
        assert "restored 0 messages" in server.mailctl("restore", "alice", archive)
        box.sock.sendall(b'x GETMETADATA "" /private/comment\r\n'
                         b'y GETMETADATA Lists/dev (/private/comment /shared/vendor/x/y)\r\n')
        answers = b""
        while b"\r\ny " not in answers:
            answers += box.readline()
        for part in (b'"" (/private/comment "all")', b'/private/comment "mine"', b"\xff\xfe\xfd"):
            assert part in answers, answers
        [special] = server.mailctl_json("mailbox", "list", "alice", "A.b")
        assert special["special_use"] == "\\Important", special
        assert everything(server, "alice") == after
        # What comes now has a UID that nobody saw before the loss, and a higher MODSEQ.
        box = imap(server, "alice")
        fill(box, "Lists/dev", 1, first=50)
        assert max(everything(server, "alice")["Lists/dev"][1]) > 1000
        server.restart()
        assert everything(server, "alice")["INBOX"] == after["INBOX"]


def test_modseq_does_not_go_back():
    def highest(server):
        box = imaplib.IMAP4("127.0.0.1", server.port("imap"))
        box.starttls(server.tls_context())
        box.login("alice", "secret")
        box.select("Work")
        return int(box.response("HIGHESTMODSEQ")[1][0] or 0)
    with Instance() as server:
        archive = os.path.join(server.directory, "backup.tar")
        box = imap(server, "alice")
        box.create("Work")
        fill(box, "Work", 3)
        server.mailctl("backup", "alice", archive)
        box.select("Work")
        for _ in range(5):
            box.store("1:3", "+FLAGS", "\\Answered")
            box.store("1:3", "-FLAGS", "\\Answered")
        before = highest(server)
        box.select("INBOX")
        server.mailctl("mailbox", "delete", "alice", "Work", "--yes")
        second = int(time.time())  # sequences of a new mailbox begin with the second
        while int(time.time()) == second:
            time.sleep(0.02)
        server.mailctl("restore", "alice", archive)
        assert highest(server) > before


def test_into_another_account_and_another_mailbox():
    with Instance() as server:
        archive = os.path.join(server.directory, "backup.tar")
        box = imap(server, "alice")
        box.create("Work")
        fill(box, "INBOX", 6)
        fill(box, "Work", 2)
        expunge(box, "INBOX", "1,3")
        server.mailctl("backup", "--all", archive)
        server.mailctl("restore", "alice", archive, "--to-user", "bob")
        alice, bob = everything(server, "alice"), everything(server, "bob")
        assert alice["Work"] == bob["Work"] and alice["INBOX"] == bob["INBOX"]
        text = server.mailctl("restore", "alice@example.test", archive, "--into", "Saved/here", "--to-user", "bob",
                              "--mailbox", "W*")
        assert text == "restored 2 messages\n", text
        assert sorted(everything(server, "bob")["Saved/here"][1]) == [1, 2]
        for arguments, word in ((["carol", archive], "carol"), (["alice", archive, "--to-user", "carol"], "carol"),
                                (["alice", archive, "--mailbox", "nowhere"], "mailbox"),
                                (["alice", archive, "--query", "nonsense"], "search key"),
                                (["alice", archive + ".missing"], "No such file"),
                                (["alice", server.config_path], "tar archive")):
            refused = server.run_mailctl("restore", *arguments, check=False)
            assert refused.returncode in (1, 4) and word in refused.stderr, refused
        # Users that are not there (any more) do not keep the others from it.
        server.mailctl("user", "delete", "bob", "--yes")
        refused = server.run_mailctl("restore", "--all", archive, check=False)
        assert refused.returncode == 1 and "bob" in refused.stderr and "alice" not in refused.stderr, refused


def test_single_messages():
    with Instance() as server:
        archive = os.path.join(server.directory, "backup.tar")
        box = imap(server, "alice")
        box.create("Work")
        fill(box, "Work", 10)
        box.append("Work", None, None, BIG)
        server.mailctl("backup", "alice", archive)
        listed = server.mailctl("restore", "alice", archive, "--list").splitlines()
        assert any(re.search(r"Work +11 ", line) for line in listed), listed
        found = server.mailctl_json("restore", "alice", archive, "--list", "--query", "mailbox Work keyword $Work")
        assert [m["uid"] for m in found] == [2, 4, 6, 8, 10] and found[0]["subject"] == "s 1", found
        for query, uids in (("subject \"s 4\"", [5]), ("body \"body 7\"", [8]), ("larger 1M", [11]),
                            ("or uid 3 (from bob@x.test 9:10)", [3, 9, 10]), ("before 2023-11-16 mailbox Work", [1, 2])):
            found = server.mailctl_json("restore", "alice", archive, "--list", "--query", query)
            assert [m["uid"] for m in found] == uids, (query, found)
        before = everything(server, "alice")["Work"]
        box.select("INBOX")
        server.mailctl("mailbox", "delete", "alice", "Work", "--yes")
        for query in ("uid 4,7", "subject big"):
            assert "restored" in server.mailctl("restore", "alice", archive, "--query", query)
        after = everything(server, "alice")
        assert after["Work"][0] == before[0]
        assert {uid: m for uid, m in after["Work"][1].items() if uid < 11} == {u: before[1][u] for u in (4, 7)}
        assert list(after["Work"][1].values())[-1] == before[1][11]


def test_while_mail_arrives_and_goes():
    """What is in the backup is what was there at one moment: the messages up to some number, none missing."""
    with Instance() as server:
        archive = os.path.join(server.directory, "backup.tar")
        box = imap(server, "alice")
        fill(box, "INBOX", 120, flags=lambda i: None)
        stop = threading.Event()
        sent = []

        def deliver():
            while not stop.is_set():
                inject(server, "s@x.test", ["alice"], message(len(sent), "new").decode())
                sent.append(1)

        def remove():
            mine = imap(server, "alice")
            mine.select("INBOX")
            for uid in range(1, 121):
                mine.uid("STORE", str(uid), "+FLAGS.SILENT", "\\Deleted")
                mine.expunge()

        threads = [threading.Thread(target=t) for t in (deliver, remove)]
        for t in threads:
            t.start()
        archives = []
        while threads[1].is_alive():
            archives.append("%s.%d" % (archive, len(archives)))
            server.mailctl("backup", "alice", archives[-1])
        stop.set()
        for t in threads:
            t.join()
        checked = 0
        for path in archives[:5] + archives[-2:]:
            with tarfile.open(path) as tar:
                lines = tar.extractfile("alice@example.test/messages.jsonl").read().splitlines()
                uids = [json.loads(line)["uid"] for line in lines]
                bodies = [m for m in tar.getmembers() if "/cur/" in m.name]
                assert len(bodies) == len(uids), path
                assert uids == list(range(uids[0], uids[-1] + 1)), (path, uids)
                for m in bodies[::37]:
                    assert b"\n\nFrom me\nbody" in tar.extractfile(m).read()
                checked += len(uids)
        assert checked > 200
        spool = os.path.join(server.root, "data")
        held = [n for _, names, _ in os.walk(spool) for n in names if n.endswith(".hold")]
        assert not held, held


def test_incremental():
    with Instance() as server:
        paths = [os.path.join(server.directory, "%d.tar" % i) for i in range(3)]
        box = imap(server, "alice")
        box.create("Old")
        fill(box, "INBOX", 10)
        fill(box, "Old", 2)
        server.mailctl("backup", "alice", paths[0])
        fill(box, "INBOX", 3, first=10)
        expunge(box, "INBOX", "1:4")
        box.store("1", "+FLAGS", "\\Flagged")
        box.rename("Old", "New")
        server.mailctl("backup", "--all", paths[1], "--since", paths[0])
        fill(box, "New", 1, first=20)
        assert "saved 1 message" in server.mailctl("backup", "alice", paths[2], "--since", paths[1])
        before = everything(server, "alice")
        box.select("INBOX")
        server.mailctl("mailbox", "delete", "alice", "New", "--yes")
        incomplete = server.run_mailctl("restore", "alice", paths[2], "--mailbox", "New", "--to-user", "bob", check=False)
        assert incomplete.returncode == 1 and "2 messages missing in these backups" in incomplete.stderr, incomplete
        # In any order.
        server.mailctl("restore", "alice", paths[2], paths[0], paths[1])
        assert everything(server, "alice")["New"] == before["New"]
        server.mailctl("restore", "alice", paths[1], paths[0], paths[2], "--to-user", "bob", "--mailbox", "INBOX")
        assert everything(server, "bob")["INBOX"] == before["INBOX"]


def test_pipes_and_plain_tar():
    with Instance() as server:
        box = imap(server, "alice")
        fill(box, "INBOX", 5)
        box.append("INBOX", None, None, BIG)
        program = [os.path.join(build_dir(), "mailctl"), "--config", server.config_path]
        packed = os.path.join(server.directory, "backup.gz")
        with open(packed, "wb") as f:
            saving = subprocess.Popen(program + ["backup", "alice", "-"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            subprocess.run(["gzip", "-1"], stdin=saving.stdout, stdout=f, check=True)
            assert saving.wait() == 0 and b"saved 6 messages" in saving.stderr.read()
        assert subprocess.run(["tar", "tzf", packed], capture_output=True).stderr == b""
        hint = server.run_mailctl("restore", "alice", packed, check=False)
        assert hint.returncode == 1 and "no tar archive" in hint.stderr and "mailctl restore" in hint.stderr
        unpacking = subprocess.Popen(["gzip", "-dc", packed], stdout=subprocess.PIPE)
        restored = subprocess.run(program + ["restore", "alice", "-", "--to-user", "bob"], stdin=unpacking.stdout,
                                  capture_output=True, text=True)
        unpacking.wait()
        assert restored.returncode == 0 and "restored 6 messages" in restored.stdout, restored
        assert imap_bodies(server, "bob") == imap_bodies(server, "alice")


def test_damaged_archives_restore_no_half_message():
    with Instance() as server:
        archive = os.path.join(server.directory, "backup.tar")
        box = imap(server, "alice")
        fill(box, "INBOX", 20)
        box.append("Sent", None, None, BIG)
        server.mailctl("backup", "alice", archive)
        whole = open(archive, "rb").read()
        texts = {m["text"] for m in server.mailctl_json("fetch", "alice", "text", "all")}
        for cut in (len(whole) // 300, len(whole) // 100, len(whole) // 2, len(whole) - 600, 0):
            with open(archive, "wb") as f:
                f.write(whole[:cut])
            for path, stdin in ((archive, None), ("-", open(archive, "rb"))):
                result = subprocess.run(
                    [os.path.join(build_dir(), "mailctl"), "--config", server.config_path, "restore", "alice", path,
                     "--to-user", "bob"], stdin=stdin, capture_output=True, text=True)
                assert result.returncode == 1 and ("cut off" in result.stderr or "no tar" in result.stderr), result
                assert result.stderr.count(archive) <= 1, result
        damaged = bytearray(whole)
        for at in range(0, len(whole) // 3, 512 * 7):
            damaged[at + 130] ^= 0x15
        with open(archive, "wb") as f:
            f.write(damaged)
        assert server.run_mailctl("restore", "alice", archive, "--to-user", "bob", check=False).returncode == 1
        restored = server.mailctl_json("fetch", "bob", "text", "all")
        assert all(m["text"] in texts for m in restored)


def test_interrupted_work_leaves_nothing_behind():
    with Instance() as server:
        archive = os.path.join(server.directory, "backup.tar")
        box = imap(server, "alice")
        for i in range(12):
            box.append("INBOX", None, None, BIG.replace(b"big", b"big %d" % i))
        program = [os.path.join(build_dir(), "mailctl"), "--config", server.config_path]

        def interrupt(arguments, path):
            """While it writes; once more if it was faster."""
            for _ in range(10):
                process = subprocess.Popen(program + arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                while not partial() and process.poll() is None:
                    time.sleep(0.005)
                process.send_signal(signal.SIGINT)
                output = process.communicate()
                if process.returncode != 0:
                    break
                shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
            return process.returncode, output[1]

        def partial():
            return [n for n in os.listdir(server.directory) if n.startswith(("backup.tar.", "exported."))]
        status, text = interrupt(["backup", "alice", archive], archive)
        assert (status, text) == (1, "mailctl: interrupted\n") and not partial() and not os.path.exists(archive), text
        target = os.path.join(server.directory, "exported")
        status, text = interrupt(["export", "alice", target], target)
        assert (status, text) == (1, "mailctl: interrupted\n") and not partial() and not os.path.exists(target), text
        server.mailctl("backup", "alice", archive)

        def arrived():
            return server.mailctl_json("mailbox", "status", "bob", "INBOX")[0]["messages"]
        # The archive comes in slowly: the messages of its first half are there, one by half.
        process = subprocess.Popen(program + ["restore", "alice", "-", "--to-user", "bob"], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        with open(archive, "rb") as f:
            process.stdin.write(f.read(len(BIG) * 7))
        process.stdin.flush()
        while arrived() == 0:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert process.wait() == 1 and process.stderr.read() == b"mailctl: interrupted\n"
        process.stdin.close(), process.stdout.close(), process.stderr.close()
        there = arrived()
        assert 0 < there < 12, there
        assert {m["size"] for m in server.mailctl_json("fetch", "bob", "size", "all")} <= {len(BIG) + 2, len(BIG) + 3}
        # Again, and it goes on where it stopped.
        server.mailctl("restore", "alice", archive, "--to-user", "bob")
        assert everything(server, "bob")["INBOX"] == everything(server, "alice")["INBOX"]


def test_full_disk_is_said():
    with Instance() as server:
        box = imap(server, "alice")
        fill(box, "INBOX", 3)
        box.append("INBOX", None, None, BIG)
        with open("/dev/full", "wb") as full:
            result = subprocess.run([os.path.join(build_dir(), "mailctl"), "--config", server.config_path, "backup",
                                     "alice", "-"], stdout=full, stderr=subprocess.PIPE, text=True)
        assert result.returncode == 1 and "No space left" in result.stderr, result
        missing = server.run_mailctl("backup", "alice", "/nonexistent/backup.tar", check=False)
        assert missing.returncode == 4 and "/nonexistent/backup.tar" in missing.stderr, missing


def test_what_cannot_be_read_does_not_keep_the_rest_from_it():
    with Instance() as server:
        archives = [os.path.join(server.directory, "%d.tar" % i) for i in range(2)]
        box = imap(server, "alice")
        box.create("Work")
        box.create("Broken")
        fill(box, "INBOX", 3)
        fill(box, "Work", 3)
        fill(box, "Broken", 1)
        server.stop()
        work, broken = (server.maildir("alice", name) for name in (".Work", ".Broken"))
        for name in os.listdir(broken):
            if not os.path.isdir(os.path.join(broken, name)):
                os.unlink(os.path.join(broken, name))
        os.rename(os.path.join(broken, "cur"), os.path.join(server.directory, "cur"))
        open(os.path.join(broken, "cur"), "w").close()
        server.start()
        server.mailctl("mailbox", "status", "alice", "Work")
        [second] = [os.path.join(work, n) for n, text in server.messages("alice", ".Work").items() if b"body 1" in text]
        os.rename(second, os.path.join(server.directory, "away"))
        os.mkdir(second)
        saved = server.run_mailctl("backup", "alice", archives[0], check=False)
        assert saved.returncode == 1 and "saved 5 messages" in saved.stdout, saved
        assert "Work, UID 2: " in saved.stderr and "Broken: " in saved.stderr and saved.stderr.count("\n") == 2, saved
        status = server.run_mailctl("mailbox", "status", "alice", check=False)
        assert status.returncode == 1 and "Broken" in status.stderr and "Work" in status.stdout, status
        missing = server.run_mailctl("restore", "alice", archives[0], "--to-user", "bob", check=False)
        assert missing.returncode == 1 and "Work: 1 message missing" in missing.stderr, missing
        # When it can be read again, the next incremental backup has it.
        os.rmdir(second)
        os.rename(os.path.join(server.directory, "away"), second)
        server.stop()
        os.unlink(os.path.join(broken, "cur"))
        os.rename(os.path.join(server.directory, "cur"), os.path.join(broken, "cur"))
        server.start()
        assert "saved 2 messages" in server.mailctl("backup", "alice", archives[1], "--since", archives[0])
        server.mailctl("mailbox", "delete", "bob", "Work", "--yes")
        server.mailctl("restore", "alice", *archives, "--to-user", "bob")
        assert len(everything(server, "bob")["Work"][1]) == 3 and len(everything(server, "bob")["Broken"][1]) == 1


def test_restoring_onto_a_full_disk():
    if os.geteuid() != 0:
        raise Skip("mounting a small file system needs root")
    with Instance(users=("alice",)) as source:
        archive = os.path.join(source.directory, "backup.tar")
        box = imap(source, "alice")
        for i in range(6):
            box.append("INBOX", None, None, BIG.replace(b"big", b"big %d" % i))
        source.mailctl("backup", "alice", archive)
        mount = tempfile.mkdtemp(prefix="maild-full-")
        result = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200m", "tmpfs", mount], capture_output=True, text=True)
        if result.returncode != 0:
            os.rmdir(mount)
            raise Skip("no file system can be mounted here: " + result.stderr.strip())
        try:
            with Instance(users=("alice",), directory=mount) as server:
                server.mailctl("mailbox", "status", "alice")
                free = os.statvfs(mount)
                filler = os.path.join(mount, "filler")
                with open(filler, "wb") as f:
                    left = free.f_bavail * free.f_bsize - 8 * 1024 * 1024
                    while left > 0:
                        left -= f.write(bytes(min(left, 1 << 20)))
                refused = server.run_mailctl("restore", "alice", archive, check=False)
                assert refused.returncode == 1 and "space" in refused.stderr, refused
                os.unlink(filler)
                server.restart()
                assert "messages" in server.mailctl("restore", "alice", archive)
                texts = [m["text"] for m in server.mailctl_json("fetch", "alice", "text", "all")]
                assert texts == [m["text"] for m in source.mailctl_json("fetch", "alice", "text", "all")]
        finally:
            subprocess.run(["umount", mount], check=True)
            os.rmdir(mount)
