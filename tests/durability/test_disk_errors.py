"""The disk fails under load: one system call at a time is made to return an error, once, for a while or from
then on. No message is acknowledged that is not there after a restart, whoever was refused got a temporary
error, the log names what failed, and the server lives on. Here it is the kernel that says no, in some of the cases,
chosen by chance; test_failing_calls.py has many more."""

import errno
import glob
import imaplib
import os
import random
import re
import shutil
import signal
import smtplib
import subprocess
import threading
import time

from support import Skip, wait_for
from support.disk_layer import Control, Layered
from support.instance import Instance
from support.load import Load
from support.mail import imap_bodies, inject

CONFIG = "journal {\n    checkpoint_interval = 200ms\n    segment_size = 1M\n    size_max = 16M\n}\n"
LOAD_SECONDS = 0.8
TEXTS = {"EIO": "Input/output error", "ENOSPC": "No space left on device", "EMFILE": "Too many open files",
         "EACCES": "Permission denied", "EDQUOT": "Disk quota exceeded", "ENOENT": "No such file or directory"}
CASES = 2


def chosen(cases):
    return random.sample(cases, CASES)


class Fault:
    """strace on the running server: from `when` on (per thread) the call fails."""

    def __init__(self, server, call, error, when):
        command = ["strace", "-f", "-qq", "-e", "trace=" + call, "-e", "signal=none", "-e",
                   "inject=%s:error=%s:when=%s" % (call, error, when), "-o", "/dev/null",
                   "-p", str(server.process.pid)]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, text=True)
        end = time.monotonic() + 10
        tasks = glob.glob("/proc/%d/task/*" % server.process.pid)
        while any(self.tracer(task) == 0 for task in tasks):
            if self.process.poll() is not None:
                raise Skip("strace cannot attach: " + self.process.stderr.read().strip())
            assert time.monotonic() < end, "strace does not attach"
            time.sleep(0.01)

    @staticmethod
    def tracer(task):
        try:
            with open(task + "/status") as f:
                return int(re.search(r"TracerPid:\s*(\d+)", f.read()).group(1))
        except (FileNotFoundError, ProcessLookupError):
            return -1

    def end(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=20)


class Client(threading.Thread):
    """Sends message after message and goes on after a refusal; every reply is kept."""

    def __init__(self, server, load, number, stop):
        super().__init__()
        self.server, self.load, self.number, self.stop = server, load, number, stop
        self.refusals = []

    def envelope(self, token, user):
        return "s@elsewhere.test", user + "@example.test"

    def send(self, f, token, user, size):
        sender, recipient = self.envelope(token, user)
        text = "Subject: %s\r\n\r\n%s\r\n." % (token, "x" * size)
        for line, wanted in (("MAIL FROM:<%s>" % sender, b"250"), ("RCPT TO:<%s>" % recipient, b"250"), ("DATA", b"354"), (text, b"250")):
            f.write(line.encode() + b"\r\n")
            answer = f.readline()
            if not answer.startswith(wanted):
                self.refusals.append(answer.decode())
                f.write(b"RSET\r\n")
                f.readline()
                return False
        return True

    def run(self):
        count = 0
        with self.server.connect("local", timeout=20) as s:
            f = s.makefile("rwb", buffering=0)
            f.readline()
            f.write(b"HELO c.test\r\n")
            f.readline()
            while not self.stop.is_set():
                token, user = "token-%d-%d" % (self.number, count), ("alice", "bob")[count % 2]
                count += 1
                self.load.attempted[token] = (user,)
                if self.send(f, token, user, (10, 3000, 300000)[count % 3]):
                    self.load.acknowledged[token] = (user,)
                else:
                    time.sleep(0.02)


class RemoteClient(Client):
    """Its mail is for another server, which is not there: it has to stay in the queue."""

    def envelope(self, token, user):
        return token + "@elsewhere.test", "x@elsewhere.test"


def under_load(server, load, seconds, first, kind=Client):
    stop = threading.Event()
    clients = [kind(server, load, first + n, stop) for n in range(3)]
    for client in clients:
        client.start()
    time.sleep(seconds)
    stop.set()
    for client in clients:
        client.join()
    return [r for c in clients for r in c.refusals]


def queued(server):
    return {m["sender"].split("@")[0] for m in server.mailctl_json("queue", "list")}


def test_queue():
    for call, error, when in chosen((("pwritev2", "EIO", "20"), ("fdatasync", "EIO", "5..10"), ("openat", "EACCES", "10+"),
                                     ("rename", "ENOSPC", "10..40"), ("link,linkat", "EIO", "3+"), ("syncfs", "EIO", "1"))):
        if not shutil.which("strace"):
            raise Skip("strace is missing")
        server = Instance()
        server.add_config(CONFIG + "queue {\n    relay_host = 127.0.0.1:1\n}\n")
        load = Load()
        try:
            server.start()
            fault = Fault(server, call, error, when)
            try:
                refusals = under_load(server, load, LOAD_SECONDS / 2, 0, RemoteClient)
            finally:
                fault.end()
            assert server.process.poll() is None, "maild ended:\n" + server.log()[-3000:]
            assert not [r for r in refusals if not r.startswith("4")], refusals[:3]
            assert set(load.acknowledged) <= queued(server), (call, error)
            server.kill()
            server.start()
            lost = set(load.acknowledged) - queued(server)
            assert not lost and len(load.acknowledged) > 5, (call, error, sorted(lost)[:5])
            assert "set aside" not in server.log(), (call, error)
            server.stop()
        finally:
            server.kill()
            server.close()


def until_it_shows(server, load, text, refused):
    """Load until the log tells of the failure (and somebody was refused, where that is to be): a busy machine takes longer."""
    refusals, first, end = [], 1000, time.monotonic() + 20
    while True:
        refusals += under_load(server, load, LOAD_SECONDS, first)
        first += 3
        if time.monotonic() > end or (text in server.log() and (refusals or not refused)):
            return refusals


def run_case(call, error, when, shows=False, refused=False):
    if not shutil.which("strace"):
        raise Skip("strace is missing")
    server = Instance()
    server.add_config(CONFIG)
    load = Load()
    try:
        server.start()
        assert not under_load(server, load, 0.1, 0), "refused before anything failed"
        before = len(load.acknowledged)
        fault = Fault(server, call, error, when)
        try:
            refusals = until_it_shows(server, load, TEXTS[error], refused) if shows else under_load(server, load, LOAD_SECONDS, 10)
        finally:
            fault.end()
        assert server.process.poll() is None, "maild ended:\n" + server.log()[-3000:]
        hard = [r for r in refusals if not r.startswith("4")]
        assert not hard, "not a temporary error: %s" % hard[:3]
        complaints = [line for line in server.log().splitlines() if TEXTS[error] in line]
        if refusals:
            assert complaints, "refused, but the log does not say why: %s\n%s" % (refusals[:2], server.log()[-2000:])
        load.check(server)  # also before the restart nothing acknowledged is missing
        later = under_load(server, load, 0.1, 20)
        assert not [r for r in later if not r.startswith("4")], later[:3]
        server.kill()
        server.start()
        load.check(server)
        assert not under_load(server, load, 0.1, 30), "refused after the restart"
        load.check(server)
        server.stop()
        return refusals, complaints, len(load.acknowledged) - before
    finally:
        server.kill()
        server.close()


def test_journal_writes():
    for error, when in chosen((("EIO", "20"), ("ENOSPC", "20+"), ("EIO", "5+100"))):
        refusals, complaints, _ = run_case("pwritev2", error, when, shows=True, refused=True)
        assert refusals and complaints, (error, when)


def test_message_files():
    for error, when in chosen((("EIO", "10"), ("ENOSPC", "10+"), ("EDQUOT", "10..30"))):
        _, complaints, _ = run_case("pwritev", error, when, shows=True)
        assert complaints, (error, when)


def test_syncs():
    for call, when in chosen((("fdatasync", "3"), ("fsync", "3"), ("syncfs", "1"), ("syncfs", "1+"))):
        _, complaints, _ = run_case(call, "EIO", when, shows=True)
        assert complaints, call


def test_names():
    for call, error, when in chosen((("openat", "EMFILE", "30..200"), ("openat", "EACCES", "20"), ("openat", "ENOENT", "10+"), ("rename", "EIO", "5..60"),
                                     ("rename", "ENOSPC", "20+"), ("link,linkat", "ENOSPC", "2..20"), ("unlink,unlinkat", "EIO", "2+"),
                                     ("utimensat", "EIO", "1+"))):
        run_case(call, error, when)


def test_folders_that_vanish():
    """Somebody removes what the server needs: a temporary error that does not name paths to strangers."""
    large = "Subject: x\r\n\r\n" + "y" * 70 + "\r\n" + ("z" * 76 + "\r\n") * 3000
    with Instance() as server:
        inject(server, "s@elsewhere.test", ["alice"], large)
        assert len(imap_bodies(server, "alice")) == 1  # its file is where it belongs
        os.rename(server.root + "/data/mail/.spool", server.root + "/data/mail/.away")
        for port in ("smtp", "local"):
            try:
                inject(server, "s@elsewhere.test", ["alice"], large, port=port)
                raise AssertionError("accepted")
            except smtplib.SMTPDataError as error:
                assert error.smtp_code in (451, 452) and b"/" not in error.smtp_error, error
        assert server.logged(".spool")
        inject(server, "s@elsewhere.test", ["alice"], "Subject: small\r\n\r\nx\r\n")
        os.rename(server.root + "/data/mail/.away", server.root + "/data/mail/.spool")
        inject(server, "s@elsewhere.test", ["alice"], large)
        shutil.rmtree(server.maildir("bob"), ignore_errors=True)
        inject(server, "s@elsewhere.test", ["bob"], "Subject: again\r\n\r\nx\r\n")
        assert len(imap_bodies(server, "alice")) == 3
        assert len(imap_bodies(server, "bob")) == 1


def test_pieces_that_cannot_be_read():
    """A URL in CATENATE is not wrong because the disk fails."""
    with Layered(control=True) as server:
        box = imaplib.IMAP4("127.0.0.1", server.port("imap"), timeout=60)
        box.login("alice@example.test", "secret")
        assert box.append("Archive", None, None, b"Subject: x\r\n\r\n" + b"large\r\n" * 50000)[0] == "OK"
        maildir = server.root + "/data/mail/example.test/alice/Maildir/.Archive/"
        wait_for(lambda: any(os.listdir(maildir + place) for place in ("new", "cur")), "its file is not there")
        for url, failing, right in (("/Archive/;UID=1", True, b"a NO [UNAVAILABLE] "),
                                    ("/Archive/;UID=2", False, b"a NO [BADURL /Archive/;UID=2] "),
                                    ("/Archive/;UID=1", False, b"a OK ")):
            if failing:
                server.control.fail(Control.OPEN, errno.EIO, 1, 1 << 60, only="/.Archive/")
            box.send(b'a APPEND INBOX CATENATE (URL "%s")\r\n' % url.encode())
            line = box.readline()
            server.control.stop()
            assert line.startswith(right), line
        box.logout()
