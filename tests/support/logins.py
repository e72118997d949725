"""Logins line by line, from any address of the loopback network: what the server says to them."""

import base64
import socket

from support.mail import loose_tls

PROTOCOLS = ("imap", "pop3", "submission")
LISTENERS = {"imap": "imaps", "pop3": "pop3s", "submission": "submissions"}


class Login:
    """A connection over TLS; try_password as often as the server takes it."""

    def __init__(self, server, protocol, source="127.0.0.1"):
        self.protocol = protocol
        plain = socket.create_connection(("127.0.0.1", server.port(LISTENERS[protocol])), timeout=60,
                                         source_address=(source, 0))
        self.socket = loose_tls().wrap_socket(plain)
        self.file = self.socket.makefile("rb")
        self.line()
        if protocol == "submission":
            self.say(b"EHLO client.test")
            while self.line()[3:4] == "-":
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def line(self):
        line = self.file.readline().decode()
        assert line, "the server has closed the connection"
        return line.rstrip("\r\n")

    def say(self, line):
        self.socket.sendall(line + b"\r\n")

    def begin(self, user, password, plain=False):
        """The question; the answer is for end()."""
        user, password = ([x if isinstance(x, bytes) else x.encode() for x in (user, password)])
        response = base64.b64encode(b"\0" + user + b"\0" + password)
        if self.protocol == "imap" and plain:
            self.say(b"a AUTHENTICATE PLAIN " + response)
        elif self.protocol == "imap":
            self.socket.sendall(b"a LOGIN {%d+}\r\n%s {%d+}\r\n%s\r\n" % (len(user), user, len(password), password))
        elif self.protocol == "pop3" and not plain:
            self.say(b"USER " + user)
            self.line()
            self.say(b"PASS " + password)
        else:
            self.say(b"AUTH PLAIN " + response)

    def end(self):
        line = self.line()
        while self.protocol == "imap" and line.startswith("* "):
            line = self.line()
        return line

    def try_password(self, user, password, plain=False):
        self.begin(user, password, plain)
        return self.end()


def attempt(server, protocol, user, password, source="127.0.0.1", plain=False):
    with Login(server, protocol, source) as login:
        return login.try_password(user, password, plain)


def is_success(line):
    return line.startswith(("a OK", "+OK", "235 "))
