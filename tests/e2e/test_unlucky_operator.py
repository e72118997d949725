"""What goes wrong around the server: it is killed in the wrong moment, started twice, finds its places taken or
locked. It says what is the matter, and nothing is lost."""

import os
import poplib
import random
import re
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import threading
import time

from support import Skip, wait_for
from support.instance import Instance, build_dir, give_port_base, take_port_base
from support.mail import imap, imap_bodies, inject, pop3, submit

TEXT = "Subject: x\r\n\r\nx\r\n"


def refusal(server, config=None):
    """What maild says when it does not start: one line."""
    result = subprocess.run([os.path.join(build_dir(), "maild"), "--config", config or server.config_path],
                            capture_output=True, text=True, timeout=60, env=server.environment)
    assert result.returncode == 1, (result.returncode, result.stderr)
    assert result.stderr.count("\n") == 1, result.stderr
    return result.stderr


def other_config(server, **settings):
    """A second configuration of the same data with other ports and run_dir."""
    base = take_port_base()
    with open(server.config_path) as f:
        text = f.read()
    text = re.sub(r"127\.0\.0\.1:(\d+)", lambda m: "127.0.0.1:%d" % (int(m.group(1)) - server.base + base), text)
    path = os.path.join(server.root, "other.conf")
    settings.setdefault("run_dir", server.directory + "/other-run")
    for name, value in settings.items():
        text = re.sub(r"(?m)^%s = .*$" % name, "%s = %s" % (name, value), text)
    text = text.replace("unix:run/", "unix:%s/" % settings["run_dir"])
    with open(path, "w") as f:
        f.write(text)
    return path, base


def test_two_servers_on_one_data_directory():
    with Instance() as server:
        path, base = other_config(server)
        error = refusal(server, path)
        assert "locked by another process" in error and "data/journal" in error, error
        give_port_base(base)
        inject(server, "s@elsewhere.test", ["alice"], TEXT)
        again = refusal(server)
        assert "in use" in again or "another program answers" in again, again
        assert len(imap_bodies(server, "alice")) == 1
        assert server.mailctl("status")


def test_places_that_are_taken():
    server = Instance()
    os.makedirs(server.root + "/run", exist_ok=True)
    for name in ("control.sock", "lmtp.sock"):
        path = os.path.join(server.root, "run", name)
        if os.path.exists(path):
            os.unlink(path)
        with open(path, "w") as f:
            f.write("precious")
        error = refusal(server)
        assert name in error and "not a socket" in error, error
        with open(path) as f:
            assert f.read() == "precious"
        os.unlink(path)
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(path)
            s.listen()
            error = refusal(server)
            assert name in error and "another program answers" in error, error
        # a stale socket is no obstacle
        server.start()
        server.stop()
    for name in ("data", "run", "log"):
        path = os.path.join(server.root, name)
        os.rename(path, path + ".away")
        with open(path, "w"):
            pass
        error = refusal(server)
        assert "/" + name in error and ("not a directory" in error.lower() or "exists" in error), error
        os.unlink(path)
        os.rename(path + ".away", path)
    server.start()
    server.close()


def as_nobody(server):
    """The instance belongs to nobody, and programs run as nobody."""
    if os.geteuid() != 0:
        return
    os.chmod(server.directory, 0o755)
    for root, directories, files in os.walk(server.root):
        for name in directories + files:
            os.lchown(os.path.join(root, name), 65534, 65534)
    os.lchown(server.root, 65534, 65534)


def nobody():
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)


def test_what_may_not_be_touched():
    """Files and directories without permission: the message names each and the cause."""
    server = Instance()
    as_nobody(server)
    for path, mode in (("log/maild.log", 0), ("log", 0o500), ("data/directory.db", 0), ("data/journal", 0), ("data/mail", 0o500),
                       ("data/mail/.spool", 0), ("data/queue", 0), ("run", 0o500)):
        full = os.path.join(server.root, path)
        created = False
        if not os.path.exists(full):
            created = True
            if "." in os.path.basename(full)[1:]:
                open(full, "w").close()
            else:
                os.makedirs(full)
            as_nobody(server)
        before = stat.S_IMODE(os.stat(full).st_mode)
        os.chmod(full, mode)
        try:
            result = subprocess.run([os.path.join(build_dir(), "maild"), "--config", server.config_path], capture_output=True, text=True,
                                    timeout=60, preexec_fn=nobody, env=server.environment)
            error = result.stderr
            assert result.returncode == 1, (path, error)
            assert path.split("/")[-1] in error, (path, error)
            assert "ermission denied" in error or "unable to open" in error, (path, error)
        finally:
            os.chmod(full, before)
            if created and os.path.isfile(full):
                os.unlink(full)
    server.close()


def test_nobody_else_can_read_mail_and_secrets():
    old = os.umask(0)
    try:
        with Instance() as server:
            submit(server, "alice", ["bob", "alice"], TEXT)
            submit(server, "alice", ["bob"], "Subject: y\r\n\r\n" + "y" * 200000 + "\r\n")
            box = imap(server, "alice")
            box.create("folder")
            box.append("folder", "(\\Seen $Junk)", None, b"Subject: z\r\n\r\nz\r\n")
            box.logout()
            inject(server, "s@elsewhere.test", ["x@elsewhere.test"], TEXT, port="local")
            server.mailctl("user", "add", "carol", "--force", "--password-stdin", stdin="secret\n")
            server.stop()
            open_to_all = []
            for root, directories, files in os.walk(server.root):
                for name in directories + files:
                    path = os.path.join(root, name)
                    mode = os.lstat(path).st_mode
                    if mode & 0o007 and not stat.S_ISLNK(mode):
                        open_to_all.append((oct(mode), os.path.relpath(path, server.root)))
            harmless = re.compile(r"maild\.conf$|run$|maild\.pid$|tls$|tls/[^/]*\.(pem|crt)$|certificate|cert")
            open_to_all.remove((oct(0o43733), "maildrop"))  # everybody may leave something there; nobody can see what
            wrong = [(m, p) for m, p in open_to_all if not harmless.search(p)]
            assert not wrong, wrong
            keys = [p for _, p in open_to_all if "key" in p]
            assert not keys, keys
            for _, path in open_to_all:
                if os.path.isfile(os.path.join(server.root, path)):
                    with open(os.path.join(server.root, path), "rb") as f:
                        assert b"PRIVATE KEY" not in f.read(), path
    finally:
        os.umask(old)


def test_killed_while_init_runs():
    """Whatever init left behind: done again it either works or says what to remove."""
    generator = random.Random(1)
    base = take_port_base()
    for _ in range(6):
        directory = tempfile.mkdtemp(prefix="maild-init-")
        root = os.path.join(directory, "instance")
        command = [os.path.join(build_dir(), "mailctl"), "init", "--root", root, "--domain", "example.test", "--port-base", str(base),
                   "--user", "alice:secret"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            time.sleep(generator.uniform(0.0, 0.25))
            process.kill()
        again = subprocess.run(command, capture_output=True, text=True, timeout=60)
        if again.returncode != 0:
            assert root in again.stderr, again.stderr
            shutil.rmtree(root)
            again = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert again.returncode == 0, again.stderr
        shutil.rmtree(directory)
    give_port_base(base)


def test_killed_while_it_starts_reloads_and_ends():
    generator = random.Random(2)
    server = Instance()
    server.add_config("journal {\n    checkpoint_interval = 100ms\n}\n")
    sent = 0
    try:
        for round_number in range(12):
            server.start(wait=False)
            if round_number % 3:
                server.wait_ready()
                inject(server, "s@elsewhere.test", ["alice"], TEXT)
                sent += 1
            if round_number % 3 == 1:
                threading.Thread(target=server.run_mailctl, args=("reload",), kwargs={"check": False}).start()
            if round_number % 3 == 2:
                server.process.send_signal(signal.SIGTERM)
            time.sleep(generator.uniform(0, 0.15))
            server.kill()
        server.start()
        assert len(imap_bodies(server, "alice")) == sent
        server.stop()
    finally:
        server.kill()
        server.close()


def test_log_that_cannot_be_written_does_not_stop_mail():
    if os.geteuid() != 0:
        raise Skip("mounting a small file system needs root")
    with Instance() as server:
        server.stop()
        log = os.path.join(server.root, "log")
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", log], check=True)
        try:
            server.start()
            for _ in range(150):
                inject(server, "s@elsewhere.test", ["alice"], TEXT)
            wait_for(lambda: os.statvfs(log).f_bavail == 0, "the log was never full")
            assert len(imap_bodies(server, "alice")) == 150
            server.process.send_signal(signal.SIGUSR1)
            inject(server, "s@elsewhere.test", ["alice"], TEXT)
            server.stop()
        finally:
            server.kill()
            subprocess.run(["umount", "-l", log], check=True)


class FrozenLog:
    """The log on a file system of its own that takes nothing while it is frozen, as a dead server of NFS."""

    def __init__(self, server):
        self.image, self.mount = os.path.join(server.directory, "log.ext4"), os.path.join(server.root, "log")
        for command in (["truncate", "-s", "16M", self.image], ["mkfs.ext4", "-q", "-F", self.image], ["mount", "-o", "loop", self.image, self.mount]):
            result = subprocess.run(command, capture_output=True, text=True)
            if result.returncode != 0:
                raise Skip("no file system can be mounted here: " + result.stderr.strip())

    def freeze(self):
        subprocess.run(["fsfreeze", "--freeze", self.mount], check=True)

    def thaw(self):
        subprocess.run(["fsfreeze", "--unfreeze", self.mount], stderr=subprocess.DEVNULL)

    def remove(self):
        self.thaw()
        subprocess.run(["umount", "-l", self.mount], check=True)


def fail_to_open(server):
    """A login that ends in an error of the server, and in a line of that level in its log."""
    try:
        pop3(server, "bob")
    except poplib.error_proto as refusal:
        assert b"-ERR [SYS/" in refusal.args[0], refusal
    else:
        raise AssertionError("the mailbox was opened")


def test_log_that_hangs_does_not_hold_the_server():
    if os.geteuid() != 0 or not shutil.which("fsfreeze") or not shutil.which("mkfs.ext4"):
        raise Skip("freezing a file system needs root, fsfreeze and mkfs.ext4")
    with Instance() as server:
        server.stop()
        frozen = FrozenLog(server)
        try:
            shutil.rmtree(server.maildir("bob"), ignore_errors=True)
            os.makedirs(os.path.dirname(server.maildir("bob")), exist_ok=True)
            open(server.maildir("bob"), "w").close()
            server.start()
            fail_to_open(server)
            server.logged("error pop3")
            with imap(server, "alice") as waiting:
                frozen.freeze()
                for i in range(20):
                    fail_to_open(server)
                    inject(server, "s@elsewhere.test", ["alice"], TEXT)
                    assert waiting.noop()[0] == "OK"
                assert len(imap_bodies(server, "alice")) == 20
                server.process.send_signal(signal.SIGUSR1)
                wait_for(lambda: "maild.log takes no lines since" in server.mailctl("status"), "nobody is told")
                frozen.thaw()
            log = server.log()
            assert log.count("error pop3") == 21, log
            assert log.count("status=sent") == 20, log
            server.stop()
        finally:
            frozen.thaw()
            server.kill()
            frozen.remove()
