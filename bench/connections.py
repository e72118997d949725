"""Connections that wait: their memory, and how soon one in IDLE hears of a delivery."""

import re
import resource
import smtplib
import socket
import time

from common import program, show
from file_system import FileSystem
from processes import settle
from support.instance import Instance


def parked(quick):
    for line in program("bench_parked", 2000 if quick else 10000).splitlines():
        print(line)


def connect(server, port, tls, count):
    """Connections that have read the greeting."""
    sockets = []
    for _ in range(count):
        s = server.connect(port)
        s = server.tls_context().wrap_socket(s) if tls else s
        s.recv(1000)
        sockets.append(s)
    return sockets


def sessions(quick):
    """The same in the server: clients that have their greeting, and are waited for."""
    count = 1000 if quick else 5000
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(2 * count + 1000, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
    for name, port, tls in (("SMTP, plain", "smtp", False), ("IMAP, plain", "imap", False),
                            ("POP3, plain", "pop3", False), ("IMAP, TLS", "imaps", True)):
        with Instance() as server:
            connect(server, port, tls, 50)
            before = settle([server.process.pid])
            sockets = connect(server, port, tls, count)
            show("session waiting for a command, %s: memory" % name,
                 (settle([server.process.pid]) - before) // count, "bytes")
            for s in sockets:
                s.close()


def idle(quick):
    """As users have it: with another connection idling on the mailbox."""
    with FileSystem() as directory:
        with Instance(directory=directory) as server:
            with open(server.config_path) as f:
                text = f.read()
            text, n = re.subn(r"(listener imap \{)", r"\1\n    auth_without_tls = yes", text)
            assert n == 1, "no listener imap in the configuration"
            with open(server.config_path, "w") as f:
                f.write(text)
            server.restart()
            median, percentile = program("bench_idle", server.port("smtp"), server.port("imap"),
                                         "alice@example.test", "secret", 100 if quick else 500).split()
            show("idle: from the sender's 250 to EXISTS, median", int(median), "microseconds")
            show("idle: the same, 99th percentile", int(percentile), "microseconds")


def slow(quick):
    """Clients that fetch a large message and take next to nothing of it: what the server holds for each."""
    count, size = (50, 10) if quick else (200, 40)
    with Instance() as server:
        text = b"Subject: large\r\n\r\n" + (b"x" * 70 + b"\r\n") * (size * 14563)
        with smtplib.SMTP("127.0.0.1", server.port("smtp")) as smtp:
            smtp.sendmail("a@elsewhere.test", "alice@example.test", text)
        base, sockets = settle([server.process.pid]), []
        for _ in range(count):
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.connect(("127.0.0.1", server.port("imaps")))
            s = server.tls_context().wrap_socket(s)
            s.recv(1000)
            s.sendall(b"a LOGIN alice@example.test secret\r\nb SELECT INBOX\r\nc FETCH 1 BODY.PEEK[]\r\n")
            sockets.append(s)
            for _ in range(8):
                s.recv(16384)
                time.sleep(0.025)
        show("slow client in FETCH of %d MB over TLS: memory" % size,
             (settle([server.process.pid]) - base) // count, "bytes")
        for s in sockets:
            s.close()
