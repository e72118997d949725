"""Who may know what: wrong password and unknown user cannot be told apart, and a directory that cannot answer
is never taken for a "no"."""

import base64
import os
import socket
import sqlite3
import time

from support.instance import Instance
from support.mail import imap, imap_bodies, inject, loose_tls

TEXT = "Subject: x\r\n\r\nx\r\n"


class Line:
    def __init__(self, server, port):
        s = server.connect(port)
        if port.endswith("s"):
            s = loose_tls().wrap_socket(s)
        self.s, self.f = s, s.makefile("rwb", buffering=0)
        self.f.readline()

    def ask(self, line):
        """The last line of the reply."""
        self.f.write(line.encode() + b"\r\n")
        while True:
            answer = self.f.readline().decode().rstrip("\r\n")
            if not answer.startswith("* ") and answer[3:4] != "-":
                return answer

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.s.close()


def logins(server, user, password):
    """The replies of all protocols and mechanisms to one login, and how long they took together."""
    plain = base64.b64encode(("\0%s\0%s" % (user, password)).encode()).decode()
    login = [base64.b64encode(t.encode()).decode() for t in (user, password)]
    answers = []
    begin = time.monotonic()
    with Line(server, "submissions") as c:
        c.ask("EHLO c.test")
        answers.append(c.ask("AUTH PLAIN " + plain))
        c.ask("AUTH LOGIN " + login[0])
        answers.append(c.ask(login[1]))
    with Line(server, "imaps") as c:
        answers.append(c.ask('a LOGIN "%s" "%s"' % (user, password)))
        answers.append(c.ask("a AUTHENTICATE PLAIN " + plain))
    with Line(server, "pop3s") as c:
        c.ask("USER " + user)
        answers.append(c.ask("PASS " + password))
        answers.append(c.ask("AUTH PLAIN " + plain))
    return answers, time.monotonic() - begin


def test_unknown_users_are_not_told_from_wrong_passwords():
    server = Instance()
    server.add_config("auth {\n    failure_delay = 0s\n}\n")
    with server:
        server.mailctl("user", "add", "off@example.test", "--force", "--password-stdin", stdin="secret\n")
        server.mailctl("user", "disable", "off@example.test")
        times = {}
        users = ("alice@example.test", "nobody@example.test", "alice@elsewhere.test", "off@example.test", "x" * 300)
        expected = logins(server, users[0], "wrong")[0]
        assert all("rong" in a for a in expected), expected

        def are_alike():
            fastest = [min(t) for t in times.values()]  # the others waited for a processor as well
            return max(fastest) < 1.6 * min(fastest)
        for n in range(20):  # on a busy machine it takes more rounds until each was alone once
            if n >= 4 and are_alike():
                break
            for user in users:
                password = "secret" if user.startswith("off") else "wrong"
                answers, seconds = logins(server, user, password)
                assert answers == expected, (user, answers, expected)
                times.setdefault(user, []).append(seconds)
        assert are_alike(), times


def test_the_answer_to_a_wrong_password_is_slow_and_few_are_given():
    with Instance() as server:
        with Line(server, "imaps") as c:
            begin = time.monotonic()
            c.ask("a LOGIN alice wrong")
            assert time.monotonic() - begin > 1.5
            begin = time.monotonic()
            with Line(server, "imaps") as other:  # nobody else waits for that
                assert other.ask("a LOGIN alice secret").startswith("a OK")
            assert time.monotonic() - begin < 1
            c.ask("b LOGIN alice wrong")
            c.ask("c LOGIN alice wrong")
            c.s.settimeout(5)
            assert c.f.read() is not None  # and closed


def temporary_everywhere(server):
    """Nobody hears "unknown user" or "wrong password"."""
    for answer in logins(server, "alice@example.test", "secret")[0]:
        assert answer.startswith("454 ") or "[UNAVAILABLE]" in answer or "[SYS/TEMP]" in answer, answer
    for port, hello in (("smtp", "EHLO c.test"), ("local", "EHLO c.test"), ("lmtp", "LHLO c.test")):
        with Line(server, port) as c:
            c.ask(hello)
            c.ask("MAIL FROM:<s@elsewhere.test>")
            for recipient in ("alice@example.test", "nobody@example.test", "postmaster"):
                answer = c.ask("RCPT TO:<%s>" % recipient)
                assert answer.startswith("451 4"), (port, recipient, answer)
            # Domains are known all the same: this one is not ours.
            if port != "local":  # which may send there
                assert c.ask("RCPT TO:<x@elsewhere.test>").startswith("5"), port
            assert c.ask("DATA").startswith("5"), port


def test_a_damaged_directory_is_a_temporary_error():
    server = Instance()
    server.add_config("directory {\n    cache_lifetime = 0s\n    cache_stale = 0s\n}\n")
    with server:
        inject(server, "s@elsewhere.test", ["alice"], TEXT)
        path = os.path.join(server.root, "data", "directory.db")
        contents = {}
        for name in (path, path + "-wal", path + "-shm"):  # with the last, what the server has in memory
            if os.path.exists(name):
                with open(name, "rb") as f:
                    contents[name] = f.read()
                with open(name, "r+b") as f:
                    f.write(os.urandom(len(contents[name])))
        temporary_everywhere(server)
        assert "directory.db" in server.log() or "database" in server.log()
        result = server.run_mailctl("user", "list", check=False)
        assert result.returncode == 1 and result.stderr, result
        for name, content in contents.items():
            with open(name, "r+b") as f:
                f.write(content)
        server.restart()
        inject(server, "s@elsewhere.test", ["alice"], TEXT)
        assert len(imap_bodies(server, "alice")) == 2


def test_a_locked_directory_answers_all_the_same():
    """Another program has the database for itself: look-ups go on, a change says why it failed."""
    server = Instance()
    server.add_config("directory {\n    cache_lifetime = 0s\n}\n")
    with server:
        other = sqlite3.connect(os.path.join(server.root, "data", "directory.db"), isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        inject(server, "s@elsewhere.test", ["alice"], TEXT)
        imap(server, "alice").logout()
        begin = time.monotonic()
        result = server.run_mailctl("user", "delete", "bob", "--yes", check=False)
        assert result.returncode == 1 and "locked" in result.stderr, result
        assert time.monotonic() - begin < 8
        other.execute("ROLLBACK")
        other.close()
        server.mailctl("user", "delete", "bob", "--yes")


def test_a_missing_directory_is_not_an_empty_one():
    """Started without its database (a disk that is not mounted) maild would refuse everybody's mail for good."""
    with Instance() as server:
        inject(server, "s@elsewhere.test", ["alice"], TEXT)
        server.stop()
        path = os.path.join(server.root, "data", "directory.db")
        os.rename(path, path + ".away")
        try:
            server.start()
            raise AssertionError("started with an empty directory")
        except AssertionError as error:
            assert "directory.db" in str(error) and "missing" in str(error), error
        assert not os.path.exists(path)
        server.process = None
        os.rename(path + ".away", path)
        server.start()
        assert len(imap_bodies(server, "alice")) == 1
