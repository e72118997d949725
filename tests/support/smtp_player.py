"""Plays the sessions of smtp_talker.py against a server: cut into packets anywhere, broken off anywhere, every
reply compared, and in the end the mailboxes."""

import concurrent.futures
import random
import re
import socket
import ssl
import struct

from .instance import Instance
from .smtp_model import CONFIG
from .smtp_talker import Talker


class Difference(AssertionError):
    pass


class Player:
    """Plays a session and compares. Afterwards .delivered has what was promised, .doubtful what may have been."""

    def __init__(self, server, seed):
        self.server, self.seed = server, seed
        self.talker = Talker(seed)
        self.flights = self.talker.session()
        self.random = random.Random(seed ^ 0x5a5a)
        self.delivered, self.doubtful = [], []
        self.buffer, self.sent = b"", b""

    def different(self, what):
        raise Difference("session %d on %s: %s\nsent: %r" % (self.seed, self.talker.listener, what, self.sent[-700:]))

    def replies(self):
        """The next reply's lines; None at the end."""
        lines = []
        while True:
            while b"\n" not in self.buffer:
                try:
                    piece = self.socket.recv(65536)
                except (ConnectionError, ssl.SSLError):
                    piece = b""
                if not piece:
                    if self.buffer or lines:
                        self.different("a reply is cut: %r" % (lines + [self.buffer]))
                    return None
                self.buffer += piece
            line, self.buffer = self.buffer.split(b"\n", 1)
            if not re.fullmatch(rb"[2-5]\d\d[ -][ -~]*\r", line) or len(line) > 511:
                self.different("this is no reply: %r" % line)
            lines.append(line[:-1])
            if line[3:4] == b" ":
                return lines

    def compare(self, expected):
        for reply in expected:
            lines = self.replies()
            if lines is None:
                self.different("closed, expected %r" % reply)
            if reply.differs(lines):
                self.different("%r, expected %r" % (lines, reply))

    def send(self, wire):
        """Split anywhere."""
        self.sent += re.sub(rb"([w-z])\1{20,}|(?:w+\r\n){3,}", rb"\1(...)", wire)
        sizes = self.random.choice(((1,), (1, 2, 3, 60), (1000, 7), (1 << 20,), (1 << 20,), (17, 1400, 60000)))
        if len(wire) > 3000:
            sizes = sizes[1:] or (4096, 100)
        try:
            while wire:
                size = self.random.choice(sizes)
                self.socket.sendall(wire[:size])
                wire = wire[size:]
        except (ConnectionError, ssl.SSLError):  # closed: the replies tell
            pass

    def play(self):
        self.socket = self.server.connect(self.talker.listener, timeout=60)
        if self.socket.family != socket.AF_UNIX:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.talker.listener == "submissions":
            self.socket = self.server.tls_context().wrap_socket(self.socket)
        try:
            for flight in self.flights[:-1]:
                self.fly(flight)
            self.end(self.flights[-1])
        finally:
            self.socket.close()

    def difference(self):
        try:
            self.play()
        except (Difference, OSError) as error:
            return "session %d: %r" % (self.seed, error) if isinstance(error, OSError) else error

    def fly(self, flight):
        if flight.then or any(r.code == 554 for _, rs in flight.expected for r in rs):
            self.sent += flight.wire
            self.socket.sendall(flight.wire)
        else:
            self.send(flight.wire)
        for _, replies in flight.expected:
            self.compare(replies)
        self.delivered += [item[1:] for item in flight.accepted]
        if flight.then == "tls":
            self.socket = self.server.tls_context().wrap_socket(self.socket)

    def end(self, flight):
        """The last flight, whole or cut off at any byte."""
        if flight.then == "noise":
            self.fly(flight)
            self.socket.sendall(b"EHLO evil.test\r\nMAIL FROM:<evil@example.test>\r\n")
            try:
                while piece := self.socket.recv(65536):
                    if re.search(rb"[25]\d\d[ -]", piece):
                        self.different("commands instead of a handshake: %r" % piece)
            except ConnectionError:
                pass
            return
        cut = len(flight.wire)
        how = self.random.choice(("whole", "whole", "half closed", "reset"))
        if flight.wire.startswith(b"STARTTLS"):
            how = "whole"
        if how != "whole":
            cut = self.random.randrange(cut + 1)
        if flight.wire.startswith(b"STARTTLS"):
            self.sent += flight.wire
            self.socket.sendall(flight.wire)
        else:
            self.send(flight.wire[:cut])
        if how == "reset":
            self.doubtful += [item[1:] for item in flight.accepted]
            self.reset()
            return
        if how == "half closed" and not self.talker.model.tls:
            try:
                self.socket.shutdown(socket.SHUT_WR)
            except OSError:
                pass
        for offset, replies in flight.expected:
            if offset <= cut:
                self.compare(replies)
        self.delivered += [item[1:] for item in flight.accepted if item[0] <= cut]
        if (self.talker.model.closed and how == "whole") or (how == "half closed" and not self.talker.model.tls):
            more = self.replies()
            if more is not None:
                self.different("%r, expected the end" % more)

    def reset(self):
        sock = self.socket
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()


MARK = re.compile(rb"^X-Model: (\d+\.\d+)$", re.M)


def message_of(stored):
    """(mark, message as it came) of a file of the mailbox."""
    found = MARK.search(stored)
    assert found, "a message that nobody sent: %r" % stored[:500]
    return found.group(1), stored[found.start():]


def compare_mailboxes(server, players):
    """Each message that was promised is there once, as it was sent, and no other."""
    for mailbox in ("alice", "bob"):
        promised = {message_of(m)[0]: m for p in players for box, m in p.delivered if box == mailbox}
        doubtful = {message_of(m)[0]: m for p in players for box, m in p.doubtful if box == mailbox}
        seen = set()
        for stored in server.messages(mailbox).values():
            mark, text = message_of(stored)
            assert mark not in seen, "%s has %s twice" % (mailbox, mark)
            seen.add(mark)
            expected = promised.get(mark, doubtful.get(mark))
            assert expected is not None, "%s has %s, which was never taken" % (mailbox, mark)
            assert text == expected, "%s has %s as %r, not %r" % (mailbox, mark, text[:300], expected[:300])
        assert seen >= set(promised), "%s lacks %s" % (mailbox, sorted(set(promised) - seen)[:10])


THREADS = 6


def run_seeds(seeds, report=None):
    """Plays the sessions, several at a time, on a server of their own."""
    with Instance() as server:
        server.add_config(CONFIG)
        server.restart()
        players = [Player(server, seed) for seed in seeds]
        with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
            wrong = [str(error) for error in pool.map(Player.difference, players) if error]
        assert not wrong, "%d of %d sessions went wrong:\n%s" % (len(wrong), len(players), "\n".join(wrong[:5]))
        server.stop()
        compare_mailboxes(server, players)
    if report:
        replies = sum(len(rs) for p in players for f in p.flights for _, rs in f.expected)
        report("%d sessions, %d replies, %d messages" % (len(players), replies, sum(len(p.delivered) for p in players)))


def run(seed, sessions=500, report=None):
    run_seeds(range(seed * 1000000, seed * 1000000 + sessions), report)
