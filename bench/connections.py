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
    count, size = (100, 10) if quick else (1000, 40)
    with Instance() as server:
        text = b"Subject: large\r\n\r\n" + (b"x" * 70 + b"\r\n") * (size * 14563)
        with smtplib.SMTP("127.0.0.1", server.port("smtp")) as smtp:
            smtp.sendmail("a@elsewhere.test", "alice@example.test", text)
        server.stop()
        server.add_config("connections_per_login = 0\nconnections_per_address = 0\nconnections_per_login_and_address = 0")
        server.start()
        resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
        sockets = [begin_slowly(server) for _ in range(10)]  # what the server needs once
        base = settle([server.process.pid])
        sockets += [begin_slowly(server) for _ in range(count)]
        show("%d slow clients in FETCH of %d MB over TLS: memory of each" % (count, size),
             (settle([server.process.pid]) - base) // count, "bytes")
        for _ in range(8):
            for s in sockets:
                s.recv(16384)
            time.sleep(0.1)
        show("the same, a little later", (settle([server.process.pid]) - base) // count, "bytes")
        for s in sockets:
            s.close()


def begin_slowly(server):
    """On loopback a packet would have 64 KB, and the kernel send megabytes ahead."""
    s = socket.socket()
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1400)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.connect(("127.0.0.1", server.port("imaps")))
    s = server.tls_context().wrap_socket(s)
    s.recv(1000)
    s.sendall(b"a LOGIN alice@example.test secret\r\nb SELECT INBOX\r\nc FETCH 1 BODY.PEEK[]\r\n")
    while b"BODY[] {" not in s.recv(16384):
        pass
    return s
