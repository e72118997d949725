"""A private maild instance under a temporary directory, on free loopback ports."""

import fcntl
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

from support import wait_for

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PORTS = {"lmtp": 24, "smtp": 25, "local": 26, "submission": 587, "submissions": 465, "imap": 143,
         "imaps": 993, "pop3": 110, "pop3s": 995}


def build_dir():
    """Where the programs under test are: set by the runner."""
    return os.environ.get("MAILD_BUILD", os.path.join(ROOT, "build"))


_lock = threading.Lock()
_bases_in_use = {}  # base: descriptor of its lock file, against other test runs on this machine


def take_port_base():
    """A base whose ports (base + standard port) are free; kept until give_port_base. Below the range from
    which the kernel gives ports to clients. Steps of 200 give no port to two bases."""
    with _lock:
        bases = [b for b in range(11000, 31000, 200) if b not in _bases_in_use]
        start = os.getpid() * 7 % len(bases)
        for base in bases[start:] + bases[:start]:
            lock = lock_base(base)
            if lock is not None and all(is_free(base + port) for port in PORTS.values()):
                _bases_in_use[base] = lock
                return base
            if lock is not None:
                os.close(lock)
    raise RuntimeError("no free range of ports")


def give_port_base(base):
    with _lock:
        lock = _bases_in_use.pop(base, None)
        if lock is not None:
            os.close(lock)


def lock_base(base):
    try:
        lock = os.open(os.path.join(tempfile.gettempdir(), "maild-test-ports-%d" % base),
                       os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return lock
    except OSError:
        os.close(lock)
        return None


def is_free(port):
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False


class Instance:
    """Made by `mailctl init`; users alice and bob with the password "secret"."""

    def __init__(self, users=("alice", "bob"), domain="example.test", wrapper=(), directory=None,
                 environment=None):
        self.directory = tempfile.mkdtemp(prefix="maild-test-", dir=directory)
        self.root = os.path.join(self.directory, "instance")
        self.base = take_port_base()
        self.domain = domain
        self.wrapper = list(wrapper)
        self.process = None
        self.environment = dict(os.environ, **(environment or {}))
        arguments = ["init", "--root", self.root, "--domain", domain, "--port-base", str(self.base)]
        for user in users:
            arguments += ["--user", user + ":secret"]
        self.run_mailctl(*arguments, config=False)

    # --- control ---

    def run_mailctl(self, *arguments, config=True, check=True, stdin=None):
        command = [os.path.join(build_dir(), "mailctl")]
        if config:
            command += ["--config", self.config_path]
        result = subprocess.run(command + list(arguments), capture_output=True, text=True,
                                input=stdin, timeout=60, env=self.environment)
        if check and result.returncode != 0:
            raise AssertionError("mailctl %s: exit %d: %s%s" % (
                " ".join(arguments), result.returncode, result.stdout, result.stderr))
        return result

    def mailctl(self, *arguments, **options):
        return self.run_mailctl(*arguments, **options).stdout

    def mailctl_json(self, *arguments):
        return json.loads(self.run_mailctl(*arguments, "--json").stdout)

    @property
    def config_path(self):
        return os.path.join(self.root, "maild.conf")

    @property
    def log_path(self):
        return os.path.join(self.directory, "stderr.log")

    def flush_log(self):
        """Lines that are gathered are written out; not where the server cannot answer."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5)
            try:
                s.connect(os.path.join(self.root, "run", "control.sock"))
                s.sendall(b'{"verb": "log flush"}\n')
                s.recv(100)
            except OSError:
                pass

    def log(self):
        """What maild logged until now, and what it or a sanitizer said on standard error."""
        if self.process and self.process.poll() is None:
            self.flush_log()
        text = ""
        for path in (os.path.join(self.root, "log", "maild.log"), self.log_path):
            if os.path.exists(path):
                with open(path, errors="replace") as f:
                    text += f.read()
        return text

    def logged(self, text):
        """The log says so, or does in a moment."""
        return wait_for(lambda: text in self.log(), "the log does not say %r" % text)

    def add_config(self, text):
        with open(self.config_path, "a") as f:
            f.write("\n" + text + "\n")

    def replace_config(self, old, new):
        with open(self.config_path) as f:
            text = f.read()
        assert old in text, "%r is not in the configuration" % old
        with open(self.config_path, "w") as f:
            f.write(text.replace(old, new))

    def start(self, wait=True):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.wrapper + [os.path.join(build_dir(), "maild"), "--config", self.config_path],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise AssertionError("maild ended with %d:\n%s" % (self.process.returncode,
                                                                   self.log()[-4000:]))
            try:
                with self.connect("pop3") as s:
                    if s.recv(1):
                        return
            except OSError:
                time.sleep(0.02)
        raise AssertionError("maild does not answer:\n" + self.log()[-4000:])

    def stop(self):
        """A clean end; the exit status and the sanitizers' word are part of every test."""
        if not self.process:
            return
        process, self.process = self.process, None
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            status = process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError("maild did not end on SIGTERM:\n" + self.log()[-4000:])
        if status != 0:
            raise AssertionError("maild ended with %d:\n%s" % (status, self.log()[-8000:]))

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def restart(self):
        self.stop()
        self.start()

    def close(self, keep=False):
        try:
            self.stop()
        finally:
            self.kill()
            give_port_base(self.base)
            if not keep:
                shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        if not self.process:
            self.start()
        return self

    def __exit__(self, kind, value, traceback):
        if kind is None:
            self.close()
        else:
            sys.stderr.write("--- log of maild ---\n" + self.log()[-6000:] + "\n")
            self.kill()
            give_port_base(self.base)
            shutil.rmtree(self.directory, ignore_errors=True)

    # --- connections ---

    def port(self, name):
        return self.base + PORTS[name]

    def connect(self, name, timeout=30):
        if name == "lmtp":
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(timeout)
            s.connect(os.path.join(self.root, "run", "lmtp.sock"))
            return s
        return socket.create_connection(("127.0.0.1", self.port(name)), timeout=timeout)

    def tls_context(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context

    # --- what is in the store ---

    def maildir(self, user, folder=""):
        path = os.path.join(self.root, "data", "mail", self.domain, user, "Maildir")
        return os.path.join(path, folder) if folder else path

    def messages(self, user, folder=""):
        """Contents of all message files of a Maildir, by file name."""
        found = {}
        for sub in ("new", "cur"):
            directory = os.path.join(self.maildir(user, folder), sub)
            if not os.path.isdir(directory):
                continue
            for name in os.listdir(directory):
                try:
                    with open(os.path.join(directory, name), "rb") as f:
                        found[sub + "/" + name] = f.read()
                except FileNotFoundError:
                    pass
        return found
