"""A reload with many connections: none is dropped, and how long the loop stands still."""

import os
import re
import resource
import threading
import time

from common import show
from support.authority import Authority
from support.instance import Instance
from support.mail import imap, inject

USERS = 50
PAUSE_MAX = 0.2


class Prober:
    """NOOP after NOOP on a connection of its own: nobody has waited for longer than `longest`."""

    def __init__(self, server):
        self.box = imap(server, "u0")
        self.longest, self.ending = 0, False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.ending:
            begin = time.monotonic()
            assert self.box.noop()[0] == "OK"
            self.longest = max(self.longest, time.monotonic() - begin)
            time.sleep(0.0005)

    def take(self):
        longest, self.longest = self.longest, 0
        return longest

    def end(self):
        self.ending = True
        self.thread.join()
        self.box.logout()


def read_until(s, pattern):
    text = b""
    while not re.search(pattern, text):
        more = s.recv(4096)
        assert more, "a connection was dropped"
        text += more
    return text


def open_idle(server, i):
    s = server.tls_context().wrap_socket(server.connect("imaps"))
    read_until(s, rb"\r\n")
    s.sendall(b"a LOGIN u%d@example.test secret\r\nb SELECT INBOX\r\nc IDLE\r\n" % (i % USERS))
    read_until(s, rb"\+ [^\r]*\r\n")
    return s


def open_smtp(server):
    s = server.connect("smtp")
    read_until(s, rb"\r\n")
    return s


def changes(server):
    """Configurations, each other than the one before it."""
    with open(server.config_path) as f:
        base = f.read()
    certificate = Authority(os.path.join(server.directory, "ca")).issue("mail.other.test")
    extra = "listener extra { protocol = imap; address = 127.0.0.1:%d; tls = implicit }\n" % (server.base + 70)
    yield "nothing", base
    yield "a limit", base + "smtp { message_size_max = 2M }\n"
    yield "a listener and a certificate", base + extra + "certificate other { certificate = %s.pem; key = %s.key }\n" % (
        certificate.base, certificate.base)
    yield "the log", base.replace("log/maild.log", "log/other.log")
    yield "back", base


def run(quick):
    count = 1000 if quick else 10000
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    server = Instance(users=["u%d" % i for i in range(USERS)])
    server.replace_config("run_dir = run", "run_dir = run\nconnections_per_login = 0\n"
                          "connections_per_login_and_address = 0")
    with server:
        idle = [open_idle(server, i) for i in range(count // 2)]
        smtp = [open_smtp(server) for _ in range(count - len(idle))]
        prober = Prober(server)
        time.sleep(1)
        show("connections", len(idle) + len(smtp), "")
        show("NOOP before, longest", prober.take() * 1000, "ms")
        worst = 0
        for name, config in changes(server):
            with open(server.config_path, "w") as f:
                f.write(config)
            prober.take()
            begin = time.monotonic()
            server.mailctl("reload")
            took = time.monotonic() - begin
            time.sleep(0.3)
            pause = prober.take()
            worst = max(worst, pause)
            show("reload of %s, mailctl" % name, took * 1000, "ms")
            show("NOOP meanwhile, longest", pause * 1000, "ms")
        prober.end()
        for s in smtp:
            s.sendall(b"NOOP\r\n")
        for s in smtp:
            read_until(s, rb"250 [^\r]*\r\n")
        for i in range(USERS):
            inject(server, "s@elsewhere.test", ["u%d" % i], "Subject: x\r\n\r\nx\r\n")
        for s in idle:
            read_until(s, rb"EXISTS\r\n")
        show("connections dropped", 0, "")
        held = [float(x) for x in re.findall(r"the loop was held: ([0-9.]+) ms", server.log())]
        show("loop held, as the server says, longest", max(held, default=0), "ms")
        assert worst < PAUSE_MAX, "the loop stood still for %d ms" % (worst * 1000)
        for s in idle + smtp:
            s.close()
