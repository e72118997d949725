"""Messages and files as they are not meant to be, put into a Maildir by somebody else: the server answers
sensibly, within bounded memory, and the other messages are not disturbed."""

import errno
import os
import re
import socket
import subprocess
import time

from .actors import Lines
from .disk_layer import Control, Layered
from .ledger import CountingImap

MEGABYTE = 1 << 20
NAME = "1700000000.M%dP1.odd.test"
HUGE_CONFIG = "imap {\n    append_size_max = 2G\n}\nsmtp {\n    message_size_max = 2G\n}\n"


def write_deep(f, levels):
    """MIME nested so deep."""
    f.write(b"Subject: deep\n")
    for i in range(levels):
        f.write(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (i, i))
    f.write(b"\nneedle\n")


def write_headers(f, count):
    f.write(b"Subject: headers\n" + b"".join(b"X-%d: value\n" % i for i in range(count)) + b"\nneedle\n")


def write_long_line(f, megabytes):
    f.write(b"Subject: long line\n\n")
    for _ in range(megabytes):
        f.write(b"x" * MEGABYTE)
    f.write(b"needle\n")


def write_huge(f, megabytes):
    f.write(b"Subject: huge\n\n")
    block = (b"y" * 75 + b"\n") * (MEGABYTE // 76)
    for _ in range(megabytes):
        f.write(block)
    f.write(b"needle\n")


def messages(huge):
    return (("plain", lambda f: f.write(b"Subject: plain\n\nneedle\n")), ("empty", lambda f: None),
            ("only a line feed", lambda f: f.write(b"\n")), ("no header", lambda f: f.write(b"\nneedle\n")),
            ("zeros", lambda f: f.write(bytes(100000))), ("deep", lambda f: write_deep(f, 10000)),
            ("headers", lambda f: write_headers(f, 100000)), ("long header", lambda f: f.write(b"Subject: " + b"s" * 5000000 + b"\n\nneedle\n")),
            ("long line", lambda f: write_long_line(f, 100 if huge > 200 else 20)), ("huge", lambda f: write_huge(f, huge)))


def peak(server):
    """Megabytes of the server's own memory, at most so far: pages of files that it maps are not its own."""
    with open("/proc/%d/status" % server.process.pid) as f:
        return int(re.search(r"VmHWM:\s+(\d+)", f.read()).group(1)) / 1024


def receive(box, command):
    """Sends a command and counts the bytes until its end; what comes is thrown away."""
    box.tags += 1
    tag = b"t%d " % box.tags
    box.send(tag + command + b"\r\n")
    count, tail = len(box.buffer), box.buffer[-200:]
    box.buffer = b""
    while True:
        at = tail.rfind(b"\n" + tag) if b"\n" + tag in tail else (0 if tail.startswith(tag) else -1)
        if at >= 0 and tail.endswith(b"\r\n"):
            return count, tail[at:].strip()
        piece = box.socket.recv(MEGABYTE)
        assert piece, "the server closed the connection in %s" % command
        count += len(piece)
        tail = (tail + piece)[-1000:]


def must(box, command, least=0):
    count, line = receive(box, command)
    assert b" OK " in line, "%s: %s" % (command, line[:200])
    assert count >= least, "%s: only %d bytes" % (command, count)


def make_maildirs(server):
    for user in ("alice", "bob"):
        box = CountingImap(server.port("imap")).login(user + "@example.test")
        must(box, b"SELECT INBOX")
        box.close()


def run_messages(huge, memory, report=lambda text: None):
    """Every message is read in every way. huge: megabytes of the largest; memory: what the server may take, likewise."""
    server = Layered(sync_delay=0, extra=HUGE_CONFIG)
    try:
        kinds = messages(huge)
        maildir = server.maildir("alice")
        server.start()
        make_maildirs(server)
        sizes = []
        for i, (_, write) in enumerate(kinds):
            path = os.path.join(maildir, "tmp", NAME % i)
            with open(path, "wb") as f:
                write(f)
            sizes.append(os.path.getsize(path))
            os.rename(path, os.path.join(maildir, "new", NAME % i))
        box = CountingImap(server.port("imap"), timeout=300).login("alice@example.test")
        must(box, b"SELECT INBOX")
        must(box, b"FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)")
        for i, size in enumerate(sizes):
            for item, least in ((b"ENVELOPE", 0), (b"BODYSTRUCTURE", 0), (b"BODY", 0), (b"BODY.PEEK[HEADER]", 0), (b"BODY.PEEK[TEXT]", 0),
                                (b"BODY.PEEK[1]", 0), (b"BODY.PEEK[1.1.1.MIME]", 0), (b"BODY.PEEK[HEADER.FIELDS (SUBJECT)]", 0),
                                (b"BODY.PEEK[]<%d.100>" % (size // 2), 0), (b"BODY.PEEK[]", size)):
                begin = time.monotonic()
                must(box, b"FETCH %d (%s)" % (i + 1, item), least)
                assert time.monotonic() - begin < 60, "%s of %s took %.0f s" % (item, kinds[i][0], time.monotonic() - begin)
        must(box, b'SEARCH TEXT "needle"')
        must(box, b'SEARCH OR BODY "nowhere" SUBJECT "plain"')
        found = box.search(b"SUBJECT plain")
        assert found == [1], "SEARCH SUBJECT finds %s" % found
        must(box, b"COPY 1:* Archive")
        read_over_pop3(server, sizes)
        must(box, b"STORE 1:* +FLAGS.SILENT (\\Deleted)")
        must(box, b"EXPUNGE")
        must(box, b"SELECT Archive")
        exists = box.ok(b"STATUS Archive (MESSAGES)")
        assert b"MESSAGES %d" % len(kinds) in b"".join(exists), exists
        box.close()
        most = peak(server)
        assert most < memory, "the server took %.0f MB" % most
        server.stop()
        report("messages up to %d MB, at most %.0f MB of memory" % (huge, most))
    except AssertionError as error:
        raise AssertionError("%s\n%s" % (error, server.log()[-1500:]))
    finally:
        server.kill()
        server.close()


# --- on the way in ---

def send_file(box, path, user):
    """The reply to a message of that file, with CRLF and dots doubled as SMTP and LMTP want it."""
    box.say(b"MAIL FROM:<s@elsewhere.test>")
    box.say(b"RCPT TO:<%s@example.test>" % user)
    box.say(b"DATA")
    beginning = True
    with open(path, "rb") as f:
        while piece := f.read(MEGABYTE):
            if beginning and piece.startswith(b"."):
                box.file.write(b".")
            beginning = piece.endswith(b"\n")
            box.file.write(piece.replace(b"\n", b"\r\n").replace(b"\n.", b"\n.."))
    box.file.write(b".\r\n" if beginning else b"\r\n.\r\n")
    box.file.flush()
    return box.answer()


def run_delivery(huge, memory, report=lambda text: None):
    """Every message comes in over SMTP, LMTP and APPEND; what is refused is refused with a reply."""
    server = Layered(sync_delay=0, extra=HUGE_CONFIG)
    try:
        server.start()
        smtp, lmtp = Lines(server.port("local"), timeout=300), Lines(server.port("lmtp"), timeout=300)
        smtp.say(b"EHLO c.test")
        lmtp.say(b"LHLO c.test")
        box = CountingImap(server.port("imap"), timeout=300).login("bob@example.test")
        accepted, refused = 0, []
        path = os.path.join(server.directory, "message")
        for name, write in messages(huge):
            with open(path, "wb") as f:
                write(f)
            for client in (smtp, lmtp):
                answer = send_file(client, path, b"alice")
                assert answer[:3] in (b"250", b"552", b"554", b"500"), "%s: %s" % (name, answer)
                accepted += answer.startswith(b"250")
                refused += [] if answer.startswith(b"250") else [name]
            append_file(box, path, name)
        for command, least in ((b"SELECT INBOX", 0), (b"FETCH 1:* (RFC822.SIZE ENVELOPE)", 0), (b"FETCH 1:* (BODY.PEEK[]<0.1000>)", 0)):
            must(box, command, least)
        box.close()
        reader = CountingImap(server.port("imap"), timeout=300).login("alice@example.test")
        there = b"".join(reader.ok(b"STATUS INBOX (MESSAGES)"))
        assert b"MESSAGES %d" % accepted in there, "%d were accepted: %s" % (accepted, there)
        must(reader, b"SELECT INBOX")
        must(reader, b"FETCH 1:* (RFC822.SIZE ENVELOPE BODYSTRUCTURE)")
        reader.close()
        most = peak(server)
        assert most < memory, "the server took %.0f MB" % most
        server.stop()
        report("messages up to %d MB, at most %.0f MB of memory, refused: %s" % (huge, most, ", ".join(refused) or "none"))
    except AssertionError as error:
        raise AssertionError("%s\n%s" % (error, server.log()[-1500:]))
    finally:
        server.kill()
        server.close()


def append_file(box, path, name):
    box.send(b"p APPEND INBOX {%d}\r\n" % os.path.getsize(path))
    line = box.line()
    if line.startswith(b"+"):
        with open(path, "rb") as f:
            while piece := f.read(MEGABYTE):
                box.send(piece)
        box.send(b"\r\n")
    while not line.startswith(b"p "):
        line = box.line()
    assert line.startswith((b"p OK", b"p NO", b"p BAD")), "APPEND of %s: %s" % (name, line)


# --- a large mailbox ---

def resident(server):
    with open("/proc/%d/statm" % server.process.pid) as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MEGABYTE


def run_mailbox(count, sessions, memory, report=lambda text: None):
    """How much more memory the server has with that mailbox open in so many sessions. memory: in megabytes, the limit."""
    server = Layered(sync_delay=0)
    try:
        server.start()
        make_maildirs(server)
        server.stop()
        text = b"From: a@example.test\nTo: b@example.test\nSubject: one of many\n\n" + b"some text\n" * 100
        for i in range(count):
            name = "1700000000.M%dP1.many.test,S=%d,W=%d:2,S" % (i, len(text), len(text) + text.count(b"\n"))
            with open(os.path.join(server.maildir("alice"), "cur", name), "wb") as f:
                f.write(text)
        server.start()
        before = resident(server)
        boxes = [CountingImap(server.port("imap"), timeout=120).login("alice@example.test") for _ in range(sessions)]
        for box in boxes:
            must(box, b"SELECT INBOX")
        must(boxes[1], b"FETCH 1:* (UID FLAGS RFC822.SIZE)", 20 * count)
        must(boxes[0], b"FETCH 1:* (ENVELOPE BODYSTRUCTURE)", 20 * count)
        must(boxes[-1], b"FETCH 1:* (ENVELOPE BODYSTRUCTURE)", 20 * count)
        more = resident(server) - before
        for box in boxes:
            box.close()
        assert more < memory, "%d sessions with %d messages take %.0f MB" % (sessions, count, more)
        server.stop()
        report("%d messages in %d sessions take %.0f MB" % (count, sessions, more))
    finally:
        server.kill()
        server.close()


def read_over_pop3(server, sizes):
    box = Lines(server.port("pop3"), timeout=300)
    box.say(b"USER alice@example.test")
    box.say(b"PASS secret")
    for i, size in enumerate(sizes):
        box.say(b"RETR %d" % (i + 1))
        count, tail = 0, b"\r\n"
        while not tail.endswith(b"\r\n.\r\n"):
            piece = box.file.read1(MEGABYTE)
            assert piece, "the server closed the connection in RETR"
            count, tail = count + len(piece), (tail + piece)[-5:]
        assert count >= size, "RETR %d gives %d of %d bytes" % (i + 1, count, size)
    box.say(b"QUIT")
    box.close()


# --- odd files ---

def spoil(server):
    """What somebody may do to a Maildir."""
    maildir = server.maildir("alice")
    new, cur = os.path.join(maildir, "new"), os.path.join(maildir, "cur")
    os.mkdir(os.path.join(new, "1700000001.a.directory"))
    os.mkdir(os.path.join(cur, "1700000002.a.directory:2,S"))
    for name in (b"1700000003.M1.\xff\xfe\x80", b"1700000004.M1.a b\tc", b"1700000005.M1.quote\"s\\", b"1700000006.M1.n\nl",
                 b"1700000007.M1.x:2,ZZ!?", b"1700000008.M1.y:1,exp", b"1700000009.M1.z:2,SRF,T=x", b"1700000010.M1." + b"n" * 200,
                 b"no-number", b"-dash", b"1700000011.M1.S,S=5,W=6", b"1700000012.M1.S,S=99999999999999999999"):
        with open(os.path.join(os.fsencode(cur), name), "wb") as f:
            f.write(b"Subject: strange name\n\nneedle\n")
    os.symlink("/etc/passwd", os.path.join(new, "1700000013.M1.link"))
    os.symlink("nowhere", os.path.join(new, "1700000014.M1.dangling"))
    os.mkfifo(os.path.join(new, "1700000015.M1.fifo"))
    os.symlink("1700000015.M1.fifo", os.path.join(new, "1700000017.M1.link-to-fifo"))
    os.symlink("/dev/zero", os.path.join(new, "1700000018.M1.link-to-zeros"))
    os.symlink("/", os.path.join(new, "1700000019.M1.link-to-directory"))
    os.symlink("1700000020.M1.itself", os.path.join(new, "1700000020.M1.itself"))
    with socket.socket(socket.AF_UNIX) as s:
        here = os.getcwd()
        os.chdir(new)
        s.bind("1700000016.M1.socket")
        os.chdir(here)
    for name in (".odd name \xff".encode("latin-1"), b".a..b", b"..", b".x\ny"):
        path = os.path.join(os.fsencode(maildir), name)
        if not os.path.exists(path):
            os.makedirs(os.path.join(path, b"cur"))
    with open(os.path.join(maildir, ".file-not-folder"), "w"):
        pass


def run_files(report=lambda text: None):
    server = Layered(sync_delay=0, control=True)
    try:
        server.start()
        make_maildirs(server)
        server.stop()
        run_unreadable(server)
        server.stop()
        spoil(server)
        server.start()
        box = CountingImap(server.port("imap"), timeout=20).login("alice@example.test")
        must(box, b'LIST "" *')
        must(box, b"SELECT INBOX")
        for command in (b"FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)", b"FETCH 1:* (ENVELOPE BODYSTRUCTURE)", b"FETCH 1:* (BODY.PEEK[])",
                        b"SEARCH TEXT needle", b"UID COPY 1:* Trash", b"STORE 1:* +FLAGS (\\Deleted)", b"EXPUNGE"):
            _, line = receive(box, command)  # NO is an answer; silence and the end are none
            assert b" OK" in line or b" NO" in line, "%s: %s" % (command, line[:200])
        must(box, b'APPEND Archive {24+}\r\nSubject: x\r\n\r\nneedle y\r\n')
        must(box, b"NOOP")
        box.close()
        server.stop()
        run_special_files(server)
        report("strange names and files")
    except AssertionError as error:
        raise AssertionError("%s\n%s" % (error, server.log()[-1500:]))
    finally:
        server.kill()
        server.close()


def run_unreadable(server):
    """Another owner, a bad sector: that message cannot be had, and all else goes on."""
    new = os.path.join(server.maildir("bob"), "new")
    for name, mode in (("1700000030.M1.unreadable", 0o000), ("1700000031.M1.read-only", 0o400), ("1700000032.M1.plain", 0o600)):
        path = os.path.join(server.maildir("bob"), "tmp", name)
        with open(path, "wb") as f:
            f.write(b"Subject: %s\n\nneedle\n" % name.encode())
        os.chmod(path, mode)
        os.rename(path, os.path.join(new, name))
    for error in (errno.EACCES, errno.EIO):
        for name in ("maild-index", "maild-cache", "dovecot-uidlist"):
            if os.path.exists(os.path.join(server.maildir("bob"), name)):
                os.unlink(os.path.join(server.maildir("bob"), name))
        server.control.fail(Control.OPEN, error, 1, 1 << 60, only="unreadable")
        server.start()
        box = CountingImap(server.port("imap"), timeout=20).login("bob@example.test")
        must(box, b"SELECT INBOX")
        must(box, b"FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)")
        for command, right in ((b"FETCH 1 (BODY.PEEK[])", b" NO "), (b"FETCH 2:3 (BODY.PEEK[])", b" OK "),
                               (b"FETCH 1:3 (ENVELOPE BODYSTRUCTURE)", b" NO "), (b"STORE 1:3 +FLAGS (\\Flagged)", b" OK "),
                               (b"SEARCH TEXT needle", b" NO "), (b"SEARCH FLAGGED", b" OK ")):
            _, line = receive(box, command)
            assert right in line, "%s: %s" % (command, line[:200])
        box.close()
        pop = Lines(server.port("pop3"), timeout=20)
        pop.say(b"USER bob@example.test")
        pop.say(b"PASS secret")
        pop.file.write(b"RETR 1\r\n")
        pop.file.flush()
        assert pop.answer().startswith(b"-ERR [SYS/"), "RETR of what cannot be read"
        pop.say(b"RETR 2")
        pop.lines_until_dot()
        pop.close()
        server.kill()
    server.control.stop()
    server.start()
    box = CountingImap(server.port("imap"), timeout=20).login("bob@example.test")
    must(box, b"SELECT INBOX")
    must(box, b"FETCH 1 (BODY.PEEK[] ENVELOPE)")
    must(box, b"STORE 1:3 +FLAGS.SILENT (\\Deleted)")
    must(box, b"EXPUNGE")
    box.close()


def run_special_files(server):
    """A directory where one of the server's own files should be: that mailbox suffers, no other."""
    for name in ("dovecot-uidlist", "dovecot-keywords", "subscriptions", "maild-index", "maild-cache", "maildirsize"):
        path = os.path.join(server.maildir("bob"), name)
        if os.path.isdir(path):
            subprocess.run(["rm", "-rf", path], check=True)
        elif os.path.exists(path):
            os.rename(path, path + ".aside")
        os.makedirs(os.path.join(path, "full"), exist_ok=True)
        server.start()
        box = CountingImap(server.port("imap"), timeout=20)
        box.login("bob@example.test")
        for command in (b'LIST "" *', b"SELECT INBOX", b"SELECT Archive"):
            _, line = receive(box, command)
            assert b" OK" in line or b" NO" in line, "%s with a directory %s: %s" % (command, name, line[:200])
        box.close()
        other = CountingImap(server.port("imap"), timeout=20).login("alice@example.test")
        must(other, b"SELECT Archive")
        other.close()
        server.stop()
        subprocess.run(["rm", "-rf", path], check=True)
        if os.path.exists(path + ".aside"):
            os.rename(path + ".aside", path)
