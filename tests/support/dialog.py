"""Plays protocol dialogs written as text against a real server. The format: dialogs/README.md."""

import base64
import os
import re
import socket
import time
import zlib


class DialogError(AssertionError):
    pass


def unescape(text):
    """\\r \\n \\0 \\t \\\\ \\xNN."""
    def one(match):
        c = match.group(1)
        if c[0] == "x":
            return chr(int(c[1:], 16))
        return {"r": "\r", "n": "\n", "0": "\0", "t": "\t", "\\": "\\"}[c]
    return re.sub(r"\\(x[0-9a-fA-F]{2}|[rn0t\\])", one, text)


def pattern_to_regex(text):
    """Literal text with {{regex}}, {{name=regex}} and {{*}} in it."""
    out = ""
    for i, part in enumerate(re.split(r"\{\{(.*?)\}\}", text)):
        if i % 2 == 0:
            out += re.escape(unescape(part))
        elif part == "*":
            out += ".*"
        else:
            name = re.match(r"([a-z_]+)=(.*)", part)
            out += "(?P<%s>%s)" % name.groups() if name else "(?:%s)" % part
    return re.compile(out + r"\Z", re.S)


class Connection:
    def __init__(self, server, listener, tls):
        self.server = server
        self.socket = server.connect(listener)
        self.buffer = b""
        self.deflater = self.inflater = None
        if tls:
            self.start_tls()

    def start_tls(self):
        self.socket = self.server.tls_context().wrap_socket(self.socket)

    def start_deflate(self):
        """Raw deflate in both directions (RFC 4978), for what is still unread as well."""
        self.deflater = zlib.compressobj(wbits=-15)
        self.inflater = zlib.decompressobj(wbits=-15)
        self.buffer = self.inflater.decompress(self.buffer)

    def end_deflate(self):
        """As at UNAUTHENTICATE (RFC 8437 section 3)."""
        self.deflater = self.inflater = None

    def send(self, text):
        data = text.encode("latin-1")
        if self.deflater:
            data = self.deflater.compress(data) + self.deflater.flush(zlib.Z_SYNC_FLUSH)
        self.socket.sendall(data)

    def receive(self):
        """What has come; nothing at the end of the connection."""
        data = self.socket.recv(65536)
        while data and self.inflater:
            inflated = self.inflater.decompress(data)
            if inflated:
                return inflated
            data = self.socket.recv(65536)
        return data

    def line(self):
        while b"\n" not in self.buffer:
            data = self.receive()
            if not data:
                raise DialogError("the server closed the connection")
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        if not line.endswith(b"\r"):
            raise DialogError("a line of the server does not end in CRLF: %r" % line)
        return line[:-1].decode("latin-1")

    def expect_close(self):
        try:
            data = self.buffer + self.receive()
        except (ConnectionResetError, OSError) as e:
            if isinstance(e, socket.timeout):
                raise DialogError("the server does not close the connection")
            return
        if data:
            raise DialogError("expected the end of the connection, got %r" % data)


class Player:
    def __init__(self, server):
        self.server = server
        self.connections = {}
        self.variables = {}

    def substitute(self, text):
        text = re.sub(r"\$\{([a-z_]+)\}", lambda m: self.variables[m.group(1)], text)
        text = unescape(text)
        return re.sub(r"@b64\((.*?)\)", lambda m: base64.b64encode(
            m.group(1).encode("latin-1")).decode(), text, flags=re.S)

    def match(self, pattern, line):
        pattern = re.sub(r"\$\{([a-z_]+)\}", lambda m: self.variables[m.group(1)], pattern)
        match = pattern_to_regex(pattern).match(line)
        if match:
            self.variables.update(match.groupdict())
        return match

    def step(self, line):
        words = line.split()
        if words[0] == "connect":       # connect [name] listener [tls]
            tls = words[-1] == "tls"
            words = words[1:-1] if tls else words[1:]
            name = words[0] if len(words) == 2 else ""
            self.connections[name] = Connection(self.server, words[-1], tls)
            return
        if words[0] == "config+":
            self.server.add_config(line[len("config+ "):])
            return
        if words[0] == "file":
            with open(os.path.join(self.server.root, words[1]), "w") as f:
                f.write(unescape(line.split(None, 2)[2] + "\\n"))
            return
        if words[0] == "config":
            self.server.add_config(line[len("config "):])
            self.server.restart()
            return
        if words[0] == "replace":       # replace OLD => NEW
            self.server.replace_config(*[unescape(t) for t in
                                         line[len("replace "):].split(" => ")])
            self.server.restart()
            return
        if words[0] == "log":
            self.expect_log(self.substitute(line[len("log "):]))
            return
        if words[0] == "mailctl":
            # Read as Latin-1: a character for each byte.
            text = self.substitute(line).encode("latin-1").decode("utf-8")
            self.server.mailctl(*text.split()[1:])
            return
        match = re.match(r"(?:([a-z0-9]+)\.)?([CS])([:~!\-+]) ?(.*)\Z", line, re.S)
        if not match:
            raise DialogError("not a line of a dialog")
        name, side, kind, text = match.groups()
        connection = self.connections[name or ""]
        if side == "C":
            if kind == "+":
                {"": connection.start_tls, "deflate": connection.start_deflate,
                 "plain": connection.end_deflate}[text]()
            else:
                connection.send(self.substitute(text) * 1 + ("" if kind == "-" else "\r\n"))
        elif kind == "!":
            connection.expect_close()
        elif kind == "~":
            seen = []
            while True:
                got = connection.line()
                if self.match(text, got):
                    break
                seen.append(got)
                if len(seen) > 1000:
                    raise DialogError("did not come: " + text)
        else:
            got = connection.line()
            if not self.match(text, got):
                raise DialogError("expected: %s\n       got: %s" % (text, got))

    def expect_log(self, text):
        """A line that holds the pattern, soon."""
        regex = re.compile(pattern_to_regex(text).pattern[:-len("\\Z")])
        deadline = time.monotonic() + 20
        while not regex.search(self.server.log()):
            if time.monotonic() > deadline:
                raise DialogError("not in the log: " + text)
            time.sleep(0.05)

    def play(self, path):
        number = 0
        with open(path, encoding="latin-1") as f:
            for number, line in enumerate(f, 1):
                line = line.rstrip("\n")
                if not line.strip() or line.startswith("#"):
                    continue
                try:
                    self.step(line)
                except (DialogError, OSError, KeyError) as e:
                    raise DialogError("%s:%d: %s\n      line: %s" % (path, number, e, line))
        for connection in self.connections.values():
            connection.socket.close()
