"""IMAP where dialogs do not reach: large messages in pieces, limits, time-outs."""

import glob
import imaplib
import random
import re
import time

from support.instance import Instance
from support.mail import imap, loose_tls

imaplib._MAXLINE = 10_000_000


class Raw:
    """A connection with TLS, line by line."""

    def __init__(self, server, login=True):
        self.socket = loose_tls().wrap_socket(server.connect("imaps"))
        self.file = self.socket.makefile("rb")
        assert self.line().startswith(b"* OK")
        if login:
            self.send(b"login LOGIN alice@example.test secret\r\n")
            assert self.until(b"login ").startswith(b"login OK")

    def send(self, data):
        self.socket.sendall(data)

    def line(self):
        return self.file.readline()

    def until(self, prefix):
        while True:
            line = self.line()
            if line.startswith(prefix) or not line:
                return line


# --- messages ---

def random_text(chance, size):
    lines = []
    while size > 0:
        length = chance.choice([0, 1, 5, 70, 76, 900])
        lines.append("".join(chance.choice("abcdefgh \t=.-") for _ in range(length)))
        size -= length + 1
    return "\r\n".join(lines) + "\r\n"


def random_part(chance, depth, size):
    """Header lines and body of a multipart with leaves, multiparts and messages inside."""
    boundary = "b%d" % chance.randrange(10 ** 9)
    parts = []
    for _ in range(chance.randrange(1, 5)):
        kind = chance.random()
        if depth and kind < 0.3:
            head, body = random_part(chance, depth - 1, size)
        elif depth and kind < 0.5:
            head, body = random_part(chance, depth - 1, size)
            head, body = "Content-Type: message/rfc822\r\n", "Subject: inner\r\n" + head + "\r\n" + body
        else:
            head, body = "Content-Type: text/plain\r\n", random_text(chance, chance.choice([0, 10, 1000, size]))
        parts.append("--" + boundary + "\r\n" + head + "\r\n" + body)
    return ("Content-Type: multipart/mixed; boundary=%s\r\n" % boundary,
            "preamble\r\n" + "\r\n".join(parts) + "\r\n--" + boundary + "--\r\n")


def parse(text):
    """A parenthesized list of quoted strings and atoms as nested Python lists."""
    stack = [[]]
    for token in re.finditer(r'\(|\)|"((?:\\.|[^"\\])*)"|[^\s()"]+', text):
        if token.group() == "(":
            stack.append([])
        elif token.group() == ")":
            done = stack.pop()
            stack[-1].append(done)
        else:
            stack[-1].append(token.group(1) if token.group(1) is not None else token.group())
        if len(stack) == 1:
            return stack[0][0]
    raise AssertionError("no list: " + text)


def leaves(structure, path):
    """Section numbers of all parts that are not multiparts, with their size."""
    if isinstance(structure[0], list):
        for number, part in enumerate(structure, 1):
            if not isinstance(part, list):
                return
            yield from leaves(part, path + [number])
        return
    yield ".".join(map(str, path or [1])), int(structure[6])
    if structure[0].lower() == "message":
        inner = structure[8]
        yield from leaves(inner, path if isinstance(inner[0], list) else path + [1])


def fetch(box, uid, item):
    typ, data = box.uid("FETCH", str(uid), "(%s)" % item)
    assert typ == "OK", data
    for part in data:
        if isinstance(part, tuple):
            return part[1]
    return None


def check_message(box, chance, uid, message):
    header = message[:message.index(b"\r\n\r\n") + 4]
    assert fetch(box, uid, "BODY.PEEK[]") == message
    assert fetch(box, uid, "BODY.PEEK[HEADER]") == header
    assert fetch(box, uid, "BODY.PEEK[TEXT]") == message[len(header):]
    for _ in range(5):
        at, length = chance.randrange(len(message) + 10), chance.choice([1, 100, 65536, 10 ** 6])
        assert fetch(box, uid, "BODY.PEEK[]<%d.%d>" % (at, length)) == message[at:at + length]
    got = b""
    while True:
        piece = fetch(box, uid, "BODY.PEEK[TEXT]<%d.65535>" % len(got))
        got += piece
        if len(piece) < 65535:
            break
    assert got == message[len(header):]
    data = box.uid("FETCH", str(uid), "(RFC822.SIZE BODYSTRUCTURE)")[1][0].decode()
    assert "RFC822.SIZE %d " % len(message) in data, data
    for section, size in leaves(parse(data[data.index("BODYSTRUCTURE ") + 14:]), []):
        part = fetch(box, uid, "BODY.PEEK[%s]" % section)
        assert len(part) == size and part in message, (section, size)
        if size > 10:
            at = chance.randrange(size)
            assert fetch(box, uid, "BODY.PEEK[%s]<%d.5000>" % (section, at)) == part[at:at + 5000]


def test_sections_are_exact_whatever_the_size():
    chance = random.Random(7)
    with Instance() as server:
        box = imap(server, "alice")
        messages = {}
        for size in (100, 10000, 100000, 400000, 700000):
            head, body = random_part(chance, 3, size)
            message = ("From: a@example.test\r\nMIME-Version: 1.0\r\n" + head + "\r\n" + body).encode()
            typ, data = box.append("INBOX", None, None, message)
            assert typ == "OK", data
            messages[int(re.search(rb"APPENDUID \d+ (\d+)", data[0]).group(1))] = message
        box.select("INBOX")
        for uid, message in messages.items():
            check_message(box, chance, uid, message)
        typ, data = box.uid("SEARCH", "LARGER", "300000")
        assert [int(uid) for uid in data[0].split()] == [u for u, m in messages.items() if len(m) > 300000]
        box.logout()


def test_line_ends_become_crlf_and_lone_crs_stay():
    with Instance() as server:
        c = Raw(server)
        sent = b"Subject: x\r\n\r\na\rb\nc\r\r\nd\r"
        c.send(b"a APPEND INBOX {%d+}\r\n" % len(sent) + sent + b"\r\n")
        assert c.line().startswith(b"a OK")
        box = imap(server, "alice")
        box.select("INBOX")
        kept = b"Subject: x\r\n\r\na\rb\r\nc\r\nd\r"
        assert fetch(box, "1", "BODY.PEEK[]") == kept
        assert b"RFC822.SIZE %d" % len(kept) in box.fetch("1", "RFC822.SIZE")[1][0]


# --- sizes that are believed ---

LINES = b"Subject: large\r\n\r\n" + b"a line of the message with so many bytes\r\n" * 12000


def rewrite(server, change):
    """Another program changes the only message's file in place, and not its length."""
    (path,) = glob.glob(server.maildir("alice") + "/cur/*") + glob.glob(server.maildir("alice") + "/new/*")
    with open(path, "r+b") as f:
        old = f.read()
        new = change(old)
        assert len(new) == len(old) and new != old
        f.seek(0)
        f.write(new)
    return new.replace(b"\n", b"\r\n")


def fetch_raw(server):
    """What a client gets that asks for the message: the size announced, and all bytes until the answer or the end."""
    c = Raw(server)
    c.send(b"a SELECT INBOX\r\n")
    assert c.until(b"a ").startswith(b"a OK")
    c.send(b"b FETCH 1 (RFC822.SIZE BODY.PEEK[])\r\n")
    size = int(re.match(rb"\* 1 FETCH \(RFC822.SIZE \d+ BODY\[\] \{(\d+)\}\r\n$", c.line()).group(1))
    body = c.file.read(size)
    return size, body, c.until(b"b ") if len(body) == size else b""


def check_change(server, change, complete):
    """A session in which the size that was announced turns out wrong ends; the next one has it right."""
    before = fetch_raw(server)
    assert before[0] == len(before[1]) and before[2].startswith(b"b OK")
    assert fetch_raw(server) == before
    new = rewrite(server, change)
    size, body, answer = fetch_raw(server)
    assert size == before[0] and answer == b""
    assert (len(body) == size) == complete
    assert new.startswith(body)
    assert server.logged("was changed")
    assert fetch_raw(server) == (len(new), new, b"b OK Fetch completed\r\n")
    box = imap(server, "alice")
    box.select("INBOX")
    assert b"RFC822.SIZE %d" % len(new) in box.fetch("1", "RFC822.SIZE")[1][0]
    assert fetch(box, "1", "BODY.PEEK[]<%d.1000000>" % (len(new) - 5)) == new[-5:]


def test_a_file_changed_beneath_us_is_never_passed_off_as_complete():
    with Instance() as server:
        box = imap(server, "alice")
        assert box.append("INBOX", None, None, LINES)[0] == "OK"
        check_change(server, lambda old: old[:-9] + b"\n\n\n\n" + old[-5:], True)
        check_change(server, lambda old: old[:20] + old[20:].replace(b"\na", b" a", 7), False)
        check_change(server, lambda old: old[:300000] + b"\n" * 50000 + old[350000:], True)


def test_sizes_that_others_wrote_are_not_announced_before_they_are_counted():
    with Instance() as server:
        box = imap(server, "alice")
        box.select("INBOX")
        stored = LINES.replace(b"\r\n", b"\n")
        path = server.maildir("alice") + "/cur/1600000000.M1P1.elsewhere,S=%d,W=%d:2,"
        with open(path % (len(stored), len(stored) + 17), "wb") as f:
            f.write(stored)
        while not box.search(None, "ALL")[1][0]:
            box.noop()
        assert fetch_raw(server) == (len(LINES), LINES, b"b OK Fetch completed\r\n")
        assert b"RFC822.SIZE %d" % len(LINES) in box.fetch("1", "RFC822.SIZE")[1][0]


# --- limits ---

def test_limits_before_login():
    with Instance() as server:
        c = Raw(server, login=False)
        c.send(b"a " + b"x" * 50000 + b"\r\n")
        assert c.line().startswith(b"* BYE [TOOBIG]")
        assert c.line() == b""
        c = Raw(server, login=False)
        c.send(b"a LOGIN {40000}\r\n")
        assert c.line().startswith(b"a BAD [TOOBIG]")
        c.send(b"a LOGIN {40000+}\r\n")
        assert c.line().startswith(b"* BYE [TOOBIG]")
        c = Raw(server, login=False)
        c.send(b"x\r\n" * 5)
        assert c.until(b"* BYE").startswith(b"* BYE Too many")


def test_what_is_too_large_is_refused_and_the_session_goes_on():
    server = Instance()
    server.add_config("imap { append_size_max = 100K }")
    with server:
        c = Raw(server)
        c.send(b"a NOOP " + b"x" * 100000 + b"\r\nb NOOP\r\n")
        assert c.line().startswith(b"* BAD [TOOBIG]")
        assert c.line().startswith(b"b OK")
        c.send(b"c APPEND INBOX {200000}\r\n")
        assert c.line().startswith(b"c NO [TOOBIG]")
        c.send(b"d APPEND INBOX {200000+}\r\n" + b"d LOGOUT\r\n" * 20000 + b"\r\ne NOOP\r\n")
        assert c.line().startswith(b"d NO [TOOBIG]")
        assert c.line().startswith(b"e OK")
        c.send(b"f SELECT {2000000+}\r\n" + b"x" * 2000000 + b" {3+}\r\nabc\r\ng NOOP\r\n")
        assert c.line().startswith(b"f BAD [TOOBIG]")
        assert c.line().startswith(b"g OK")


def test_client_that_vanishes_in_a_literal_leaves_nothing():
    with Instance() as server:
        c = Raw(server)
        c.send(b"a APPEND INBOX {200000+}\r\n" + b"x" * 150000)
        time.sleep(0.2)
        c.file.close()
        c.socket.close()
        box = imap(server, "alice")
        assert box.select("INBOX")[1] == [b"0"]
        end = time.monotonic() + 10
        while len(server.mailctl_json("who")) > 1 and time.monotonic() < end:
            time.sleep(0.05)
        assert server.logged("connection closed")


def test_keepalive_in_idle_and_time_out_before_login():
    server = Instance()
    server.add_config("imap {\n idle_keepalive = 500ms\n timeout_login = 1s\n}")
    with server:
        silent = Raw(server, login=False)
        c = Raw(server)
        c.send(b"a IDLE\r\n")
        assert c.line().startswith(b"+ ")
        assert c.line().startswith(b"* OK Still here")
        assert c.line().startswith(b"* OK Still here")
        c.send(b"DONE\r\n")
        assert c.until(b"a ").startswith(b"a OK")
        assert silent.line().startswith(b"* BYE Autologout")
        assert silent.line() == b""


def test_a_user_with_too_many_sessions_loses_the_one_idle_for_longest():
    server = Instance()
    server.add_config("connections_per_login = 3")
    with server:
        sessions = [Raw(server) for _ in range(3)]
        sessions[0].send(b"a NOOP\r\n")
        assert sessions[0].until(b"a ").startswith(b"a OK")
        fourth = Raw(server)
        assert sessions[1].line().startswith(b"* BYE [UNAVAILABLE] Too many connections")
        assert sessions[1].line() == b""
        for session in (sessions[0], sessions[2], fourth):
            session.send(b"b NOOP\r\n")
            assert session.until(b"b ").startswith(b"b OK")
