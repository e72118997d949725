"""Random sessions of all protocols at once: legal and illegal commands in any order, cut into packets
anywhere, half read or not at all, broken off at any byte. Whatever comes, the server lives, answers another
client within a second, ends cleanly, and the mailboxes can be read.

What each session says depends on its seed alone; a failure names the seeds that ran last."""

import base64
import collections
import random
import socket
import ssl
import struct
import threading
import time

from support.instance import Instance
from support.mail import imap_bodies, inject

SECONDS = 18
THREADS = 8
PLAIN = base64.b64encode(b"\0alice@example.test\0secret").decode()
MESSAGES = ("Subject: x\r\n\r\nbody\r\n", "\r\n", "x", "Subject: a\r\n b\r\nTo: <a@b.test>, c\r\n\r\n..\r\n",
            "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\nContent-Type: message/rfc822\r\n"
            "\r\nSubject: in\r\n\r\ntwo\r\n--b--\r\n",
            "Subject: =?utf-8?q?=C3=A4?=\r\n\r\n" + "long line " * 500 + "\r\n", "a: b\r\n" * 300 + "\r\n" + "x\r\n" * 30000)


class Words:
    """Chooses; each method makes one command or several, as text (latin-1)."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def one(self, *choices):
        return self.random.choice(choices)

    def number(self):
        return self.one("0", "1", "2", "3", "7", "*", "4294967295", "4294967296", "-1", "x", "99999999999999999999")

    def noise(self):
        length = self.one(0, 1, 3, 20, 200, 9000)
        return "".join(chr(self.random.randrange(256)) for _ in range(length))

    def junk(self):
        return self.noise() + self.one("\r\n", "\n", "\r", "")

    # --- SMTP and LMTP ---

    def address(self):
        return self.one("<alice@example.test>", "<bob@example.test>", "<>", "<alice@EXAMPLE.TEST>", "<nobody@example.test>",
                        "<x@elsewhere.test>", "<postmaster>", "<", "", "<a@>", '<"a b"@example.test>', "<alice@example.test",
                        "<" + "a" * 300 + "@example.test>", "<@a,@b:alice@example.test>", "<\xe4@example.test>")

    def parameters(self):
        return self.one("", "", "", " SIZE=100", " SIZE=99999999999999999999", " BODY=8BITMIME", " SMTPUTF8", " X=Y", " AUTH=<>",
                        " SIZE=1" * 30)

    def transaction(self):
        text = "".join("RCPT TO:%s\r\n" % self.one("<alice@example.test>", "<bob@example.test>", self.address())
                       for _ in range(self.one(1, 1, 2, 30)))
        return "MAIL FROM:%s%s\r\n" % (self.one("<s@elsewhere.test>", self.address()), self.parameters()) + text

    def data(self):
        return "DATA\r\n" + self.one(*MESSAGES) + self.one("\r\n.\r\n", "\r\n.\r\n", "\n.\n", "\r\n.\n", "", "\r\n.\r\nQUIT\r\n")

    def chunks(self):
        body = self.one(*MESSAGES)
        size = self.one(len(body), len(body), 0, len(body) + 5, 99999999999, "x")
        return "BDAT %s%s\r\n%s" % (size, self.one("", " LAST", " LAST", " FIRST"), body)

    def smtp(self):
        return self.one(
            lambda: self.one("EHLO", "HELO", "LHLO") + self.one(" c.test", "", " [127.0.0.1]", " " + "x" * 300, " a b") + "\r\n",
            self.transaction, self.transaction, lambda: self.transaction() + self.data(),
            lambda: self.transaction() + self.data(), lambda: self.transaction() + self.chunks(), self.data, self.chunks,
            lambda: "RSET\r\n", lambda: self.one("NOOP", "NOOP x", "HELP", "VRFY alice", "VRFY", "EXPN x", "") + "\r\n",
            lambda: "RCPT TO:%s\r\n" % self.address(), lambda: "AUTH PLAIN %s\r\n" % PLAIN,
            lambda: "AUTH %s\r\n" % self.one("PLAIN\r\n" + PLAIN, "LOGIN\r\nYQ==\r\nYQ==", "PLAIN =", "LOGIN *", "X", "", "PLAIN !!", "PLAIN\r\n*"),
            lambda: "STARTTLS\r\n", lambda: "QUIT\r\n", self.junk)()

    # --- IMAP ---

    def mailbox(self):
        return self.one("INBOX", "inbox", "Sent", "a", "a/b", "&AOQ-", '"x y"', "{1+}\r\na", "{1}\r\na", '"', "..", "NOPE", "Trash",
                        "a" * 300, "&", '""')

    def set(self):
        return ",".join(self.number() + self.one("", "", ":" + self.number()) for _ in range(self.one(1, 1, 1, 3, 50)))

    def flags(self):
        return self.one("\\Seen", "(\\Deleted)", "(\\Seen \\Flagged)", "()", "($Junk)", "\\Recent", "(\\*)", "(a b c \\Draft)", "(")

    def items(self):
        item = ("FLAGS", "UID", "ENVELOPE", "BODYSTRUCTURE", "BODY[]", "BODY.PEEK[]", "BODY[1]", "BODY[1.2.MIME]", "BODY[2.1.TEXT]",
                "BODY[HEADER.FIELDS (Subject To)]", "BODY[]<5.10>", "BODY[]<99999999999.1>", "RFC822.SIZE", "INTERNALDATE", "RFC822",
                "BODY[", "BODY[HEADER.FIELDS ()]", "BODY[]<0.0>", "ALL", "X")
        if self.one(True, False):
            return self.one(*item)
        return "(" + " ".join(self.one(*item) for _ in range(self.one(1, 2, 5, 40))) + ")"

    def key(self):
        return self.one("ALL", "SEEN", "NOT SEEN", "OR SEEN UNSEEN", "TEXT x", 'SUBJECT "="', "TO {1+}\r\na", "LARGER 5", "UID " + self.set(),
                        self.set(), "SINCE 1-Jan-2020", "SENTON 99-Foo-1", "KEYWORD a", "HEADER Subject x", "(" * 20, "(SEEN)", "OR", "X",
                        "BODY \xe4", "CHARSET utf-8 TEXT {2+}\r\n\xc3\xa4", "OR NOT " * 50 + "SEEN SEEN")

    def append(self):
        body = self.one(*MESSAGES)
        size = self.one(len(body), len(body), len(body), 0, len(body) + 9, 99999999999, "x")
        return "APPEND %s%s%s {%s%s}\r\n%s" % (self.mailbox(), self.one("", " " + self.flags()),
                                               self.one("", ' "01-Jan-2020 00:00:00 +0000"', ' "x"'), size, self.one("+", "+", ""), body)

    def imap_command(self):
        return self.one(
            lambda: self.one("SELECT ", "SELECT ", "EXAMINE ", "STATUS ", "CREATE ", "DELETE ", "SUBSCRIBE ") + self.mailbox(),
            lambda: "SELECT INBOX", lambda: "SELECT INBOX",
            lambda: "STATUS %s (%s)" % (self.mailbox(), self.one("MESSAGES", "UIDNEXT SIZE UNSEEN", "", "X")),
            lambda: "RENAME %s %s" % (self.mailbox(), self.mailbox()),
            lambda: self.one("FETCH ", "UID FETCH ") + self.set() + " " + self.items(),
            lambda: self.one("FETCH ", "UID FETCH ") + "1:* " + self.items(),
            lambda: self.one("SEARCH ", "UID SEARCH ", "SEARCH RETURN (MIN COUNT) ") + self.key() + self.one("", " " + self.key()),
            lambda: self.one("STORE ", "UID STORE ") + self.set() + self.one(" +FLAGS ", " -FLAGS.SILENT ", " FLAGS ", " X ") + self.flags(),
            lambda: self.one("COPY ", "MOVE ", "UID MOVE ") + self.set() + " " + self.mailbox(),
            lambda: self.one("EXPUNGE", "UID EXPUNGE " + self.set(), "CLOSE", "UNSELECT", "CHECK", "NOOP", "NAMESPACE", "CAPABILITY", "LOGOUT"),
            lambda: self.one("LIST", "LSUB") + self.one(' "" *', ' "" %', " a %*%", ' (SUBSCRIBED) "" (* %) RETURN (CHILDREN)', "", ' "" ""'),
            lambda: "IDLE\r\n" + self.one("DONE", "done", "x", "", "DONE\r\nz NOOP"), self.append, self.append,
            lambda: self.one("ID NIL", 'ID ("a" "b")', "ID (", "ENABLE X", "ENABLE", "STARTTLS", "LOGIN a b", "AUTHENTICATE PLAIN"))()

    def imap(self):
        tag = self.one("a", "b1", "\xff", "+", "*", "", "t") if self.one(*range(8)) == 0 else "t"
        return self.one(self.junk, *[lambda: tag + " " + self.imap_command() + "\r\n"] * 15)()

    # --- POP3 ---

    def pop3(self):
        return self.one(
            lambda: self.one("STAT", "LIST", "UIDL", "NOOP", "RSET", "CAPA", "STLS", "AUTH", "QUIT", "") + "\r\n",
            lambda: self.one("RETR ", "DELE ", "LIST ", "UIDL ", "TOP ", "TOP 1 ") + self.number() + "\r\n",
            lambda: "RETR 1\r\n", lambda: "TOP 1 %s\r\n" % self.number(),
            lambda: self.one("USER x", "PASS", "USER", "APOP a b", "AUTH PLAIN", "AUTH PLAIN !", "PASS x") + "\r\n", self.junk)()


class Session:
    def __init__(self, server, seed):
        self.server, self.words = server, Words(seed)
        self.random = self.words.random

    def connect(self):
        """The socket and the grammar. Most IMAP and POP3 sessions are logged in."""
        port = self.words.one("smtp", "smtp", "local", "lmtp", "submission", "submissions", "imap", "imaps", "imaps", "imaps", "imaps",
                              "pop3", "pop3s", "pop3s")
        s = self.server.connect(port, timeout=10)
        if port.endswith("s"):
            s = self.server.tls_context().wrap_socket(s)
        user = self.words.one("alice", "alice", "bob", "nobody")
        greeting = {"imaps": "l LOGIN %s secret\r\n" % user, "pop3s": "USER %s\r\nPASS secret\r\n" % user,
                    "lmtp": "LHLO c.test\r\n", "smtp": "EHLO c.test\r\n", "local": "EHLO c.test\r\n",
                    "submissions": "EHLO c.test\r\nAUTH PLAIN %s\r\n" % PLAIN}.get(port, "")
        grammar = self.words.imap if port.startswith("imap") else self.words.pop3 if port.startswith("pop3") else self.words.smtp
        return s, greeting, grammar

    def pieces(self, text):
        while text:
            size = self.words.one(1, 2, 10, 100, 1400, len(text), len(text), len(text))
            yield text[:size]
            text = text[size:]

    def end(self, s):
        how = self.words.one("close", "reset", "half", "read")
        if how == "reset":
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if how == "half":
            s.shutdown(socket.SHUT_WR)
        if how != "close" and how != "reset":
            s.settimeout(0.2)
            while s.recv(65536):
                pass

    def run(self):
        s, greeting, grammar = self.connect()
        reads = self.words.one(True, True, True, False)
        try:
            text = greeting + "".join(grammar() for _ in range(self.words.one(1, 5, 20, 60)))
            text = text.encode("latin-1")
            text = text[:self.words.one(len(text), len(text), self.random.randrange(len(text) + 1))][:1 << 20]
            s.settimeout(2 if reads else 0.2)
            for count, piece in enumerate(self.pieces(text)):
                s.sendall(piece)
                if reads and count % 4 == 0:
                    s.settimeout(0.002)
                    try:
                        while s.recv(65536):
                            pass
                    except TimeoutError:
                        pass
                    s.settimeout(2)
            self.end(s)
        except (OSError, ssl.SSLError):  # the server may close at any time
            pass
        finally:
            s.close()


class Crowd:
    """Threads that run one session after the other until the time is over."""

    def __init__(self, server):
        self.server, self.end, self.count = server, time.monotonic() + SECONDS, 0
        self.recent, self.errors = collections.deque(maxlen=2 * THREADS), []

    def run(self, number):
        seed = number * 1000000
        while time.monotonic() < self.end and not self.errors and self.server.process.poll() is None:
            seed += 1
            self.recent.append(seed)
            try:
                Session(self.server, seed).run()
            except (ConnectionError, TimeoutError, ssl.SSLError) as error:
                if self.server.process.poll() is None:
                    self.errors.append("session %d cannot connect: %r" % (seed, error))
            self.count += 1

    def operate(self):
        """The sysadmin, at the same time."""
        words = random.Random(1)
        while time.monotonic() < self.end and self.server.process.poll() is None:
            self.server.run_mailctl(*words.choice((("reload",), ("status",), ("who",), ("queue", "list"), ("queue", "retry"),
                                                   ("user", "list"), ("address", "add", "list@example.test", "alice@example.test"),
                                                   ("address", "delete", "list@example.test"))), check=False)
            time.sleep(0.2)

    def watch(self):
        """Another client."""
        longest = 0
        while time.monotonic() < self.end and self.server.process.poll() is None:
            begin = time.monotonic()
            try:
                with self.server.connect("smtp", timeout=10) as s:
                    s.recv(1000)
                    s.sendall(b"NOOP\r\n")
                    assert s.recv(1000).startswith(b"250")
            except (OSError, AssertionError) as error:
                self.errors.append("another client: %r" % error)
                return
            longest = max(longest, time.monotonic() - begin)
            time.sleep(0.05)
        if longest > 1:
            self.errors.append("another client waited %.1f s" % longest)


def test_random_sessions():
    with Instance() as server:
        for user in ("alice", "bob"):
            for text in MESSAGES:
                inject(server, "s@elsewhere.test", [user], text)
        crowd = Crowd(server)
        threads = [threading.Thread(target=crowd.run, args=(n,)) for n in range(THREADS)]
        threads += [threading.Thread(target=crowd.watch), threading.Thread(target=crowd.operate)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert server.process.poll() is None, "maild ended; sessions %s:\n%s" % (list(crowd.recent), server.log()[-6000:])
        assert not crowd.errors, "%s; sessions %s" % (crowd.errors, list(crowd.recent))
        assert crowd.count > 100, "only %d sessions" % crowd.count
        for user in ("alice", "bob"):
            imap_bodies(server, user)
        server.restart()
        for user in ("alice", "bob"):
            imap_bodies(server, user)
