"""sendmail as programs call it: with the server there, gone, coming back; exit codes; and what other users of the
machine may try with the maildrop."""

import fcntl
import glob
import os
import random
import resource
import shutil
import signal
import stat
import struct
import subprocess
import tempfile
import time

from support import Skip
from support.instance import Instance, build_dir
from support.mail import imap_bodies

EX_OK, EX_USAGE, EX_DATAERR, EX_NOUSER, EX_TEMPFAIL = 0, 64, 65, 67, 75


class Sender:
    """The program under its traditional name."""

    def __init__(self, server):
        self.server = server
        self.program = os.path.join(server.directory, "sendmail")
        os.symlink(os.path.join(build_dir(), "mailctl"), self.program)

    def command(self, *arguments):
        return [self.program, *arguments], dict(os.environ, MAILD_CONFIG=self.server.config_path)

    def run(self, *arguments, text="Subject: x\n\nbody\n", **options):
        command, environment = self.command(*arguments)
        data = text if isinstance(text, bytes) else text.encode()
        return subprocess.run(command, input=data, env=environment, capture_output=True, timeout=60, **options)

    def send(self, *arguments, status=EX_OK, **options):
        result = self.run(*arguments, **options)
        assert result.returncode == status, (arguments, result.returncode, result.stderr.decode())
        return result

    @property
    def maildrop(self):
        return os.path.join(self.server.root, "maildrop")

    def left(self):
        return sorted(os.listdir(self.maildrop))


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError("did not become true in %d s" % seconds)


def bodies(server, user):
    return [m.replace(b"\r\n", b"\n") for m in imap_bodies(server, user).values()]


def test_recipients_and_header():
    with Instance() as server:
        s = Sender(server)
        s.send("-t", "-i", "-f", "bob@example.test",
               text="To: Alice <alice>\nBcc: bob@example.test,\n\talice\nSubject: t\n\none\n.\ntwo\n")
        for user in ("alice", "bob"):
            (message,) = bodies(server, user)
            assert message.startswith(b"Return-Path: <bob@example.test>\n"), message
            assert b"\nTo: Alice <alice@example.test>\n" in message and b"Bcc" not in message, message
            assert b"\n\none\n.\ntwo\n" in message, message
            for name in (b"\nDate: ", b"\nMessage-ID: <", b"\nFrom: bob@example.test\n"):
                assert name in message, (name, message)
            assert b"(uid %d)" % os.getuid() in message, message
        # Resent-To counts instead of To when it is there; recipients of the command line come on top.
        s.send("-t", "bob", text="To: nobody\nResent-To: alice\nFrom: x@y.test\nSubject: again\n\n\n")
        assert any(b"Subject: again" in m for m in bodies(server, "bob"))
        assert any(b"Subject: again" in m for m in bodies(server, "alice"))


def test_as_programs_call_it():
    with Instance() as server:
        s = Sender(server)
        calls = [
            (["-FCronDaemon", "-i", "-B8BITMIME", "-oem", "alice"],
             "From: root (Cron Daemon)\nTo: alice\nSubject: cron\n\nout\xe9\n"),
            (["-t", "-i"], "To: alice@example.test\r\nSubject: php\r\nX-PHP-Script: x\r\n\r\nbody\r\n"),
            (["-oem", "-oi", "-f", "bob@example.test", "--", "alice"], "From: bob@example.test\nSubject: mutt\n\n.\n"),
            (["-i", "-r", "bob", "alice,", "bob"], "Subject: mailx\nTo: alice\n\nx\n"),
            (["-N", "never", "-R", "hdrs", "-V", "id+1", "-v", "-ODeliveryMode=b", "-ti"],
             "To: alice\nSubject: dsn\n\nx\n"),
            (["alice"], "From me Mon Jan  1 00:00:00 2024\nSubject: mbox\n\nx\n"),
            (["alice"], "only text, no header\n"),
            (["-f", "<>", "alice"], "Subject: null\nFrom: bob@example.test\n\nx\n"),
        ]
        for arguments, text in calls:
            s.send(*arguments, text=text.encode("latin-1"))
        got = bodies(server, "alice")
        assert len(got) == len(calls), got
        for subject in (b"cron", b"php", b"mutt", b"mailx", b"dsn", b"mbox", b"null"):
            assert sum(b"\nSubject: " + subject + b"\n" in m for m in got) == 1, subject
        assert b"\nFrom: root@example.test (Cron Daemon)\n" in got[0], got[0]
        assert b"\n\n.\n" in got[2], got[2]
        assert b"\n\nonly text, no header\n" in got[6] and b"\nFrom: " in got[6], got[6]
        assert got[7].startswith(b"Return-Path: <>\n"), got[7]
        # -F without a From field of its own
        s.send("-F", "Zoë Ünal", "alice", text="Subject: named\n\n")
        assert b"From: =?utf-8?b?" in bodies(server, "alice")[-1]


def test_exit_codes_when_the_server_refuses():
    with Instance() as server:
        s = Sender(server)
        s.send("alice", "nobody", status=EX_NOUSER)
        s.send(status=EX_USAGE)
        s.send("-Z", "alice", status=EX_USAGE)
        s.send("-bd", status=EX_USAGE)
        s.send("-t", text="Subject: nobody\n\n", status=EX_USAGE)
        s.send("-f", "a b c", "alice", status=EX_USAGE)
        s.send("@", status=EX_DATAERR)
        s.send("alice", text="From: nowhere at all\n\n", status=EX_DATAERR)
        s.send("alice", text="From: a@b.test\nFrom: c@d.test\n\n", status=EX_DATAERR)
        s.send("alice", text="Subject: " + "x" * 300000 + "\n\n", status=EX_DATAERR)
        s.send("alice", text="A: b\n" * 2000 + "\n", status=EX_DATAERR)
        assert bodies(server, "alice") == []
        assert s.left() == []


def test_smtp_on_standard_input():
    with Instance() as server:
        s = Sender(server)
        dialog = ("EHLO here\r\nMAIL FROM:<bob>\r\nRCPT TO:<alice>\r\nDATA\r\nSubject: bs\r\n\r\nx\r\n.\r\nQUIT\r\n")
        out = s.send("-bs", text=dialog).stdout.decode()
        assert out.startswith("220 ") and "\r\n250 2.0.0 Ok" in out and out.rstrip().split("\n")[-1].startswith("221"), out
        assert len(bodies(server, "alice")) == 1
        server.stop()
        assert s.send("-bs", text=dialog, status=EX_TEMPFAIL).stdout.startswith(b"421 ")


def test_queue_list_and_flush():
    with Instance() as server:
        s = Sender(server)
        assert b"the queue is empty" in s.send("-bp").stdout
        assert b"messages are tried now" in s.send("-q").stdout
        s.send("-bi")
        mailq = os.path.join(server.directory, "mailq")
        os.symlink(s.program, mailq)
        out = subprocess.run([mailq], env=s.command()[1], capture_output=True, timeout=60)
        assert out.returncode == 0 and b"empty" in out.stdout, out
        server.stop()
        s.send("-bp", status=69)


def test_left_while_the_server_is_down():
    with Instance() as server:
        s = Sender(server)
        server.stop()
        s.send("alice", text="Subject: first\n\none\n")
        s.send("-t", "-i", "-fbob", text="To: alice\nBcc: bob\nSubject: second\n\n.\n")
        s.send("nobody", "-f", "bob", text="no options behind recipients\n", status=EX_USAGE)
        s.send("-f", "bob", "nobody", "alice", text="Subject: third\n\n")
        assert len(s.left()) == 3, s.left()
        assert stat.S_IMODE(os.stat(s.maildrop).st_mode) == 0o3733
        assert all(stat.S_IMODE(os.stat(os.path.join(s.maildrop, n)).st_mode) == 0o640 for n in s.left())
        server.start()
        wait_for(lambda: s.left() == [])
        wait_for(lambda: len(bodies(server, "bob")) == 2)
        got = bodies(server, "alice")
        assert sorted(m.split(b"\nSubject: ")[1].split(b"\n")[0] for m in got) == [b"first", b"second", b"third"], got
        assert not any(b"Bcc" in m for m in got)
        # Nobody waits for an answer, so the sender is told by mail.
        report = [m for m in bodies(server, "bob") if b"delivery-status" in m]
        assert len(report) == 1 and b"nobody@example.test" in report[0]


def test_left_while_it_runs_is_found_at_once():
    """A server that does not answer on its socket still sees what is put there."""
    with Instance() as server:
        s = Sender(server)
        os.unlink(os.path.join(server.root, "run", "submission.sock"))
        for i in range(20):
            s.send("alice", text="Subject: %d\n\nx\n" % i)
        wait_for(lambda: len(bodies(server, "alice")) == 20)
        wait_for(lambda: s.left() == [])


def test_what_is_too_large():
    with Instance() as server:
        s = Sender(server)
        server.add_config("smtp {\n    message_size_max = 64K\n}\n")
        server.restart()
        s.send("alice", text="Subject: x\n\n" + "y" * 70000 + "\n", status=EX_DATAERR)
        # Left by somebody who does not know the limit: reported.
        other = os.path.join(server.root, "other.conf")
        with open(server.config_path) as f:
            text = f.read().replace("message_size_max = 64K", "message_size_max = 10M")
        with open(other, "w") as f:
            f.write(text)
        server.stop()
        s.send("-C", other, "-f", "bob", "alice",
               text="Subject: too large\n\n" + "y\n" * 70000)
        server.start()
        (report,) = wait_for(lambda: bodies(server, "bob"))
        assert b"larger than the limit" in report, report
        assert bodies(server, "alice") == []


def test_large_messages():
    text = b"Subject: large\n\n" + b"".join(b"%09d\n" % i for i in range(2 << 20))  # 20 MB
    with Instance() as server:
        s = Sender(server)
        s.send("-i", "alice", text=text)
        server.stop()
        s.send("-i", "alice", text=text)
        server.start()
        wait_for(lambda: s.left() == [])
        got = wait_for(lambda: len(server.messages("alice")) == 2 and server.messages("alice"))
        assert all(m.endswith(text[16:]) for m in got.values())


def test_full_disk():
    with Instance() as server:
        s = Sender(server)
        server.stop()
        limit = lambda: (signal.signal(signal.SIGXFSZ, signal.SIG_IGN),
                         resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)))
        s.send("alice", text="Subject: x\n\n" + "y" * 10000 + "\n", status=EX_TEMPFAIL, preexec_fn=limit)
        assert s.left() == []
        os.rmdir(s.maildrop)
        s.send("alice", status=EX_TEMPFAIL)


def test_full_disk_of_the_server():
    """Status 0 holds: such messages arrive when there is room again, the others never."""
    if os.geteuid() != 0:
        raise Skip("mounting a small file system needs root")
    mount = tempfile.mkdtemp(prefix="maild-full-")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160m", "tmpfs", mount], capture_output=True).returncode:
        os.rmdir(mount)
        raise Skip("no file system can be mounted here")
    try:
        with Instance(directory=mount) as server:
            s = Sender(server)
            s.send("alice", text="Subject: number 0.\n\nx\n")
            filler = os.path.join(mount, "filler")
            free = os.statvfs(mount)
            with open(filler, "wb") as f:
                try:
                    f.write(b"\0" * (free.f_bavail * free.f_bsize - 100000))
                    f.flush()
                except OSError:
                    pass
            done, failed = {0}, 0
            for i in range(1, 100):
                result = s.run("alice", text="Subject: number %d.\n\n" % i + "x" * 7000 + "\n")
                assert result.returncode in (EX_OK, EX_TEMPFAIL), result
                failed += result.returncode != EX_OK
                if result.returncode == EX_OK:
                    done.add(i)
                if failed > 3:
                    break
            assert failed > 3, done
            os.unlink(filler)

            def arrived():
                server.mailctl("reload")
                return len(bodies(server, "alice")) >= len(done)
            wait_for(arrived)
            assert [n for n in s.left() if not n.startswith("new.")] == []
            numbers = [int(m.split(b"Subject: number ")[1].split(b".")[0]) for m in bodies(server, "alice")]
            assert sorted(numbers) == sorted(done), (sorted(numbers), sorted(done))
    finally:
        subprocess.run(["umount", "-l", mount])
        os.rmdir(mount)


def test_killed_at_any_moment():
    """Status 0: the message is there, once, and whole. Killed: it is there whole or not at all."""
    chooser = random.Random(7)
    with Instance() as server:
        s = Sender(server)
        server.stop()
        done = []
        for i in range(40):
            command, environment = s.command("-i", "alice")
            text = b"Subject: number %d.\n\n" % i + b"line of text\n" * 3000 + b"end\n"
            process = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment, stderr=subprocess.DEVNULL)
            killer = chooser.random() * 0.06
            try:
                process.stdin.write(text)
                process.stdin.close()
                process.wait(killer)
            except (subprocess.TimeoutExpired, BrokenPipeError):
                process.kill()
            if process.wait() == 0:
                done.append(i)
        server.start()
        wait_for(lambda: not [n for n in s.left() if not n.startswith("new.")])
        got = [m for m in bodies(server, "alice")]
        for i in range(40):
            mine = [m for m in got if b"Subject: number %d.\n" % i in m]
            assert len(mine) <= 1 and (mine or i not in done), (i, len(mine))
        assert all(m.endswith(b"line of text\nend\n") for m in got)


def test_server_killed_while_it_picks_up():
    with Instance() as server:
        s = Sender(server)
        server.stop()
        for i in range(30):
            s.send("alice", text="Subject: number %d.\n\nx\n" % i)
        for _ in range(3):
            server.start(wait=False)
            time.sleep(random.Random(len(s.left())).random() * 0.4)
            server.kill()
        server.start()
        wait_for(lambda: all(n.startswith("damaged.") for n in s.left()))
        got = bodies(server, "alice")
        aside = b""  # the message with which the server ended twice
        for name in s.left():
            with open(os.path.join(s.maildrop, name), "rb") as f:
                aside += f.read()
        for i in range(30):  # a kill between journal and removal delivers twice; none is lost
            count = sum(b"number %d.\n" % i in m for m in got)
            assert 1 <= count <= 4 or b"number %d.\n" % i in aside, (i, count, s.left())
        assert len(got) <= 33 and len(s.left()) <= 1, (len(got), s.left())


def drop(s, name, data):
    path = os.path.join(s.maildrop, name)
    with open(path, "wb") as f:
        f.write(data)
    os.chmod(path, 0o640)
    return path


def test_what_others_may_put_there():
    with Instance() as server:
        s = Sender(server)
        server.stop()
        s.send("alice", text="Subject: good\n\nx\n")
        (name,) = s.left()
        with open(os.path.join(s.maildrop, name), "rb") as f:
            good = f.read()
        secret = os.path.join(server.directory, "secret")
        with open(secret, "wb") as f:
            f.write(good)
        os.symlink(secret, os.path.join(s.maildrop, "drop.symlink"))
        os.link(secret, os.path.join(s.maildrop, "drop.hardlink"))
        os.mkfifo(os.path.join(s.maildrop, "drop.fifo"))
        os.mkdir(os.path.join(s.maildrop, "drop.directory"))
        with open(drop(s, "drop.holes", good[:14] + (1 << 40).to_bytes(8, "little") + good[22:]), "r+b") as f:
            head = good.index(b"From: ")
            f.truncate(head + (1 << 40))  # a terabyte that takes no room
        drop(s, "drop.empty", b"")
        drop(s, "drop.short", good[:-1])
        drop(s, "drop.long", good + b"more")
        drop(s, "drop.magic", b"X" + good[1:])
        drop(s, "drop.huge", good[:10] + b"\xff" * 12 + good[22:])
        for i in range(10, len(good) - 20, 3):  # every field of the head
            drop(s, "drop.bits%d" % i, good[:i] + bytes([good[i] ^ 0x80]) + good[i + 1:])
        drop(s, "last.crashed", good)  # the server ended twice with this one
        drop(s, "work.once", good)
        drop(s, "other", good)
        drop(s, "new.fresh", good)
        old = drop(s, "new.old", good)
        os.utime(old, (1, 1))
        server.start()
        wait_for(lambda: not [n for n in s.left() if n.startswith(("drop.", "work.", "last.", "wait."))])
        left = s.left()
        assert "damaged.symlink" in left and "damaged.hardlink" in left and "damaged.fifo" in left, left
        assert "damaged.directory" in left and "damaged.crashed" in left, left
        assert "new.fresh" in left and "new.old" not in left and "other" in left, left
        with open(secret, "rb") as f:
            assert f.read() == good
        got = bodies(server, "alice")
        assert sum(b"Subject: good" in m for m in got) >= 2, got
        assert server.logged("stays there for you to look at")


def test_a_lease_holds_up_nobody():
    """A file that its owner keeps a lease on is not waited for: another one is taken meanwhile."""
    with Instance() as server:
        s = Sender(server)
        server.stop()
        s.send("alice", text="Subject: leased\n\nx\n")
        (name,) = s.left()
        os.rename(os.path.join(s.maildrop, name), os.path.join(s.maildrop, "drop.a"))
        handler = signal.signal(signal.SIGIO, signal.SIG_IGN)  # "give it up"
        with open(os.path.join(s.maildrop, "drop.a"), "r+b") as f:
            fcntl.fcntl(f, fcntl.F_SETLEASE, fcntl.F_WRLCK)
            begun = time.monotonic()
            server.start()
            wait_for(lambda: "wait.a" in s.left())
            s.send("alice", text="Subject: free\n\nx\n")
            wait_for(lambda: any(b"Subject: free" in m for m in bodies(server, "alice")))
            assert server.logged("another program holds a lease on it")
            # The kernel takes it away after fs.lease-break-time, 45 seconds.
            assert time.monotonic() - begun < 40
            fcntl.fcntl(f, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        signal.signal(signal.SIGIO, handler)
        server.mailctl("reload")
        wait_for(lambda: any(b"Subject: leased" in m for m in bodies(server, "alice")))
        assert s.left() == []


def test_many_files():
    """More than one look finds; of damaged ones so many are kept and no more."""
    with Instance() as server:
        s = Sender(server)
        server.stop()
        for i in range(1200):
            drop(s, "drop.bad%d" % i, b"")
        for i in range(20):
            s.send("alice", text="Subject: good %d\n\nx\n" % i)
        server.start()
        wait_for(lambda: len(bodies(server, "alice")) == 20)
        wait_for(lambda: all(n.startswith("damaged.") for n in s.left()))
        assert len(s.left()) == 1000
        assert server.log().count("was removed, there are too many like it") == 200


def test_sendmail_leaves_room():
    """Programs that run wild while the server is down do not fill the file system."""
    if os.getuid() != 0:
        raise Skip("mounting a small file system needs root")
    with Instance() as server:
        s = Sender(server)
        server.stop()
        for options in ("size=66m", "size=1g,nr_inodes=1003"):
            mount = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", s.maildrop], capture_output=True)
            if mount.returncode != 0:
                raise Skip("mounting a small file system is not allowed here")
            try:
                s.send("alice")
                if "nr_inodes" in options:
                    s.send("alice")
                result = s.send("alice", text="Subject: x\n\n" + "y" * 70 * 30000 + "\n", status=EX_TEMPFAIL)
                assert b"nearly full" in result.stderr
                assert len(s.left()) == (2 if "nr_inodes" in options else 1), s.left()
            finally:
                subprocess.run(["umount", s.maildrop], check=True)


def drop_file(recipients, sender=b"alice", envelope_id=b"", text=b"Subject: crafted\n\nx\n"):
    """What somebody may write without sendmail."""
    def counted(b):
        return struct.pack("<I", len(b)) + b
    envelope = b"\0" + counted(envelope_id) + counted(sender) + struct.pack("<I", len(recipients))
    envelope += b"".join(counted(r) + struct.pack("<I", 0) for r in recipients)
    return b"maildrop1\n" + struct.pack("<IQ", len(envelope), len(text)) + envelope + text


def test_envelopes_that_sendmail_does_not_write():
    """They are set aside, and the server lives on."""
    with Instance() as server:
        s = Sender(server)
        server.stop()
        drop(s, "drop.large-recipient", drop_file([b"@" * (2 << 20), b"alice"]))
        drop(s, "drop.large-id", drop_file([b"bob@elsewhere.test"], envelope_id=b"x" * (2 << 20)))
        drop(s, "drop.large-sender", drop_file([b"alice"], sender=b"a" * (2 << 20)))
        drop(s, "drop.lines-in-id", drop_file([b"alice"], envelope_id=b"x\nSubject: forged"))
        drop(s, "drop.lines-in-recipient", drop_file([b"x\nSubject: forged", b"alice"]))
        server.start()
        s.send("bob")
        wait_for(lambda: not [n for n in s.left() if not n.startswith("damaged.")])
        assert len(s.left()) == 5, s.left()
        assert bodies(server, "alice") == [] and len(bodies(server, "bob")) == 1
        # sendmail itself writes no such files.
        s.send("-V", "two words\n", "alice", status=EX_USAGE)
        s.send("-V", "x" * 200, "alice", status=EX_USAGE)


def test_other_users():
    """Who may only write there cannot see it, and the server knows who it was."""
    if os.getuid() != 0:
        raise Skip("needs root to become somebody else")
    with Instance(directory="/var/tmp") as server:
        s = Sender(server)
        for path in (server.directory, server.root):
            os.chmod(path, 0o755)
        os.chmod(server.config_path, 0o600)  # found by guess
        nobody = lambda: (os.umask(0o077), os.setgid(65534), os.setuid(65534))
        programs = os.path.join(server.directory, "bin")
        os.mkdir(programs)
        os.chmod(programs, 0o755)
        s.program = shutil.copy(os.path.join(build_dir(), "mailctl"), os.path.join(programs, "sendmail"))
        os.chmod(s.program, 0o755)
        s.send("alice", preexec_fn=nobody, cwd="/")
        server.stop()
        s.send("alice", preexec_fn=nobody, cwd="/")
        (path,) = glob.glob(s.maildrop + "/drop.*")
        status = os.stat(path)
        assert (status.st_uid, status.st_gid) == (65534, os.stat(s.maildrop).st_gid), status
        assert stat.S_IMODE(status.st_mode) == 0o640
        other = lambda: (os.setgid(65533), os.setuid(65533))
        for command in (["ls", s.maildrop], ["cat", path], ["rm", "-f", path], ["mv", path, path + "x"]):
            assert subprocess.run(command, preexec_fn=other, capture_output=True).returncode != 0, command
        server.start()
        wait_for(lambda: len(bodies(server, "alice")) == 2)
        assert all(b"(uid 65534)" in m for m in bodies(server, "alice"))
        assert server.logged("uid=65534")


def test_a_configuration_that_cannot_be_read():
    """Users may not read it: where the server listens is guessed from its folder."""
    with Instance() as server:
        s = Sender(server)
        os.rename(server.config_path, server.config_path + ".away")
        try:
            s.send("alice", text="Subject: guessed\n\nx\n")
        finally:
            os.rename(server.config_path + ".away", server.config_path)
        assert len(wait_for(lambda: bodies(server, "alice"))) == 1


def test_maildrop_of_an_older_configuration():
    """Without the setting nothing is kept, and sendmail says so."""
    server = Instance()
    server.replace_config("maildrop = maildrop\n", "")
    with server:
        s = Sender(server)
        s.send("alice")
        server.stop()
        result = s.send("alice", status=EX_TEMPFAIL)
        assert b"no maildrop" in result.stderr, result.stderr
        server.start()
        assert len(bodies(server, "alice")) == 1
