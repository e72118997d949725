"""Memory stays bounded, whatever clients do: floods of commands, clients that never read, commands whose
answers are thousands of times their size, and the ordinary work of a day."""

import socket
import threading
import time

from support.instance import Instance
from support.mail import imap, imap_bodies, inject

KILOBYTES_PER_MEGABYTE = 1024


def resident(server):
    """Megabytes."""
    with open("/proc/%d/status" % server.process.pid) as f:
        for line in f:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / KILOBYTES_PER_MEGABYTE
    raise AssertionError("no VmRSS")


class Growth:
    """Fails if the server grows by more than `limit` megabytes at any time inside of the block."""

    def __init__(self, server, limit):
        self.server, self.limit, self.highest = server, limit, 0
        self.over = threading.Event()

    def watch(self):
        while not self.over.wait(0.02):
            self.highest = max(self.highest, resident(self.server))

    def __enter__(self):
        self.before = resident(self.server)
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()
        return self

    def __exit__(self, kind, value, traceback):
        self.over.set()
        self.thread.join()
        if kind is None:
            assert self.highest - self.before < self.limit, "grew from %.0f to %.0f MB" % (
                self.before, self.highest)


def read_until(s, mark):
    seen = b""
    while mark not in seen:
        piece = s.recv(65536)
        assert piece, "closed after %r" % seen[-200:]
        seen = seen[-100:] + piece
    return seen


def read_all(s):
    def run():
        try:
            while s.recv(1 << 20):
                pass
        except OSError:
            pass
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def flood(s, bytes_, megabytes):
    """Sends the bytes over and over; replies are read and thrown away."""
    read_all(s)
    block = bytes_ * (256 * 1024 // len(bytes_))
    try:
        for _ in range(megabytes * 4):
            s.sendall(block)
    except OSError:
        pass
    s.close()


def tls(server, port):
    s = server.tls_context().wrap_socket(server.connect(port))
    read_until(s, b"\r\n")
    return s


def logged_in(server, user="alice"):
    s = tls(server, "imaps")
    s.sendall(b"a LOGIN %s secret\r\n" % user.encode())
    read_until(s, b"a OK")
    return s


def test_commands_said_over_and_over():
    name = b"x" * 240
    with Instance() as server:
        logged_in(server).close()  # the password's hash takes 16 MB for a moment, and is remembered
        with Growth(server, 8):
            for line in (b"EHLO %s\r\n" % name, b"NOOP\r\n", b"EHLO c.test\r\nMAIL FROM:<a@b.test>\r\nRSET\r\n"):
                flood(server.connect("smtp"), line, 16)
            flood(tls(server, "pop3s"), b"USER %s\r\n" % name, 16)
            flood(server.connect("imap"), b"a NOOP\r\n", 16)
            flood(server.connect("imap"), b'a ID ("name" "%s")\r\n' % name, 2)
            flood(logged_in(server), b"a SELECT INBOX\r\nb UNSELECT\r\n", 2)


def test_answers_that_are_much_longer_than_the_command():
    """Items times the size of the message: four gigabytes for one line."""
    with Instance() as server:
        inject(server, "s@elsewhere.test", ["alice"], "Subject: x\r\n\r\n" + ("z" * 76 + "\r\n") * 3200)
        with Growth(server, 24):
            sockets = [logged_in(server) for _ in range(4)]
            for s, item in zip(sockets, (b"BODY[]", b"BODY[HEADER]", b"BODYSTRUCTURE", b"ENVELOPE")):
                s.sendall(b"b SELECT INBOX\r\n")
                read_until(s, b"b OK")
                s.sendall(b"c FETCH 1 (" + b" ".join([item] * 4000) + b")\r\n")
            for s in sockets[:1]:  # the others never read
                seen = 0
                while seen < 50 << 20:
                    seen += len(s.recv(1 << 20))
            for s in sockets:
                s.close()


def test_clients_that_never_read():
    """Their replies wait in the kernel and in one small buffer; then the client waits as well."""
    with Instance() as server:
        inject(server, "s@elsewhere.test", ["alice"], "Subject: x\r\n\r\n" + ("z" * 76 + "\r\n") * 60000)
        with Growth(server, 60):
            sockets = []
            for commands in ([b"d FETCH 1 BODY[]\r\n"], [b"d LIST \"\" *\r\n"], [b"d NOOP\r\n"]):
                for _ in range(15):
                    s = logged_in(server)
                    s.sendall(b"b SELECT INBOX\r\n")
                    read_until(s, b"b OK")
                    sockets.append((s, commands[0]))
            for _ in range(15):
                sockets.append((server.connect("smtp"), b"HELP\r\n"))
                sockets.append((tls(server, "pop3s"), b"CAPA\r\n"))
            for s, command in sockets:
                s.settimeout(0.1)
                try:
                    for _ in range(40):
                        s.sendall(command * 1000)
                except (socket.timeout, OSError):
                    pass
            time.sleep(0.5)
            inject(server, "s@elsewhere.test", ["bob"], "Subject: y\r\n\r\nz\r\n")
            assert len(imap_bodies(server, "bob")) == 1
            for s, _ in sockets:
                s.close()


def test_many_connections_and_messages():
    """20,000 connections and 5,000 messages later the server is about as large as before."""
    with Instance() as server:
        def connections():
            for port in ("smtp", "imap", "pop3", "lmtp"):
                for _ in range(1250):
                    with server.connect(port) as s:
                        s.recv(100)

        def deliver(count):
            with server.connect("smtp") as s:
                f = s.makefile("rwb", buffering=0)
                f.readline()
                f.write(b"HELO c.test\r\n")
                f.readline()
                for i in range(count):
                    f.write(b"MAIL FROM:<s@elsewhere.test>\r\n")
                    f.readline()
                    f.write(b"RCPT TO:<alice@example.test>\r\n")
                    f.readline()
                    f.write(b"DATA\r\n")
                    f.readline()
                    f.write(b"Subject: %d\r\n\r\n" % i + b"x" * 2000 + b"\r\n.\r\n")
                    assert f.readline().startswith(b"250"), i
                    if i % 500 == 499:
                        f.write(b"RSET\r\n")
                        f.readline()

        def all_at_once(function, *arguments):
            threads = [threading.Thread(target=function, args=arguments) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        all_at_once(connections)  # what is used once is kept: buffers, threads, stacks
        all_at_once(deliver, 100)
        before = resident(server)
        all_at_once(connections)
        after = resident(server)
        assert after - before < 6, "connections: from %.1f to %.1f MB" % (before, after)
        all_at_once(deliver, 900)
        all_at_once(deliver, 350)
        box = imap(server, "alice")
        assert box.select("INBOX")[1] == [b"5400"]
        box.store("1:*", "+FLAGS.SILENT", "\\Deleted")
        box.expunge()
        box.logout()
        server.mailctl("queue", "list")
        time.sleep(1)
        after = resident(server)
        assert after - before < 30, "messages: from %.1f to %.1f MB" % (before, after)
