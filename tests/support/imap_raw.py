"""An IMAP client that hides nothing: responses as parsed values, and what the server sent as it was sent."""

import re
import socket


class ProtocolError(AssertionError):
    pass


class Atom(bytes):
    """An atom, apart from a string of the same bytes."""

    def __repr__(self):
        return self.decode("latin-1")


def parse(data, at=0):
    """(value, end) of a list, string, literal, NIL (None) or atom at data[at:]."""
    c = data[at:at + 1]
    if c == b"(":
        values, at = [], at + 1
        while data[at:at + 1] != b")":
            if data[at:at + 1] == b" ":
                at += 1
            if at >= len(data):
                raise ProtocolError("a list does not end: %r" % data[:200])
            value, at = parse(data, at)
            values.append(value)
        return values, at + 1
    if c == b'"':
        match = re.compile(rb'"((?:[^"\\\r\n]|\\["\\])*)"').match(data, at)
        if not match:
            raise ProtocolError("not a quoted string: %r" % data[at:at + 200])
        return re.sub(rb"\\(.)", rb"\1", match.group(1)), match.end()
    match = re.compile(rb"~?\{(\d+)\}\r\n").match(data, at)
    if match:
        end = match.end() + int(match.group(1))
        if end > len(data):
            raise ProtocolError("a literal is cut: %r" % data[at:at + 200])
        return data[match.end():end], end
    # Atoms; a FETCH item may have brackets with a list, and a partial.
    match = re.compile(rb"[^\s()\"\[\]{]*(?:\[[^\]]*\](?:<\d+>)?)?").match(data, at)
    if match.end() == at:
        raise ProtocolError("nothing is expected here: %r" % data[at:at + 200])
    word = match.group(0)
    return (None if word.upper() == b"NIL" else Atom(word)), match.end()


def parse_all(data):
    values, at = [], 0
    while at < len(data):
        if data[at:at + 1] == b" ":
            at += 1
            continue
        value, at = parse(data, at)
        values.append(value)
    return values


class RawImap:
    def __init__(self, port, tls_context=None, timeout=60):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        if tls_context:
            self.socket = tls_context.wrap_socket(self.socket)
        self.buffer = b""
        self.tags = 0
        self.greeting = self.response()

    def close(self):
        self.socket.close()

    def fill(self):
        data = self.socket.recv(262144)
        if not data:
            raise ProtocolError("the server closed the connection after %r" % self.buffer[-200:])
        self.buffer += data

    def take(self, size):
        while len(self.buffer) < size:
            self.fill()
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def line(self):
        while b"\r\n" not in self.buffer:
            self.fill()
        return self.take(self.buffer.index(b"\r\n") + 2)

    def response(self):
        """One response, with its literals, without the last CRLF."""
        data = self.line()
        while True:
            match = re.search(rb"\{(\d+)\}\r\n\Z", data)
            if not match:
                return data[:-2]
            data += self.take(int(match.group(1))) + self.line()

    def send(self, data):
        self.socket.sendall(data)

    def command(self, *parts):
        """Parts are bytes; a tuple of one is a literal. (status, text, untagged responses)."""
        self.tags += 1
        tag = b"t%d" % self.tags
        out = tag
        for part in parts:
            out += b" " + (b"{%d+}\r\n%s" % (len(part[0]), part[0]) if isinstance(part, tuple) else part)
        self.send(out + b"\r\n")
        return self.finish(tag)

    def finish(self, tag):
        untagged = []
        while True:
            got = self.response()
            if got.startswith(tag + b" "):
                status, _, text = got[len(tag) + 1:].partition(b" ")
                return status, text, untagged
            untagged.append(got)

    def ok(self, *parts):
        status, text, untagged = self.command(*parts)
        if status != b"OK":
            raise ProtocolError("%r: %s %s" % (parts, status.decode(), text.decode("latin-1")))
        return untagged

    def login(self, user, password="secret"):
        self.ok(b"LOGIN", user.encode(), password.encode())
        return self

    def fetch(self, numbers, items, uid=False):
        """For each message of which FETCH responses came: {item in upper case: value}. Numbers go down when another
        session expunges meanwhile, so what belongs together is found by following that."""
        found, by_number = [], {}
        for got in self.ok(*([b"UID"] if uid else []), b"FETCH", numbers, items):
            match = re.match(rb"\* (\d+) (FETCH |EXPUNGE)", got)
            if not match:
                continue
            number = int(match.group(1))
            if match.group(2) == b"EXPUNGE":
                by_number = {n - (n > number): of for n, of in by_number.items() if n != number}
                continue
            if number not in by_number:
                by_number[number] = {}
                found.append(by_number[number])
            values = parse(got, match.end())[0]
            by_number[number].update(zip((bytes(v).upper() for v in values[::2]), values[1::2]))
        return found

    def search(self, *parts):
        status, text, untagged = self.command(b"SEARCH", *parts)
        if status != b"OK":
            return status
        for got in untagged:
            if got.startswith(b"* SEARCH"):
                return sorted(int(n) for n in got.split()[2:])
        raise ProtocolError("no answer to SEARCH: %r" % untagged)
