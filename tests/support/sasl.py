"""SASL from the client's side: the same exchange over IMAP, POP3 and submission."""

import base64
import hashlib
import hmac
import os
import re
import subprocess
import sys


class Session:
    """A connection with TLS, greeted."""

    def __init__(self, server, protocol, version=None, certificate=None, context=None, resume=None):
        self.protocol = protocol
        context = context or self.make_context(server, version, certificate)
        self.socket = context.wrap_socket(server.connect(protocol), session=resume)
        self.context = context
        self.file = self.socket.makefile("rb")
        self.offered = self.greet()

    @staticmethod
    def make_context(server, version=None, certificate=None):
        context = server.tls_context()
        if version:
            context.minimum_version = context.maximum_version = version
        if certificate:
            context.load_cert_chain(certificate.base + ".pem", certificate.base + ".key")
        return context

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.file.close()
        self.socket.close()

    def line(self):
        line = self.file.readline()
        assert line, "the server has closed the connection"
        return line.decode().rstrip("\r\n")

    def send(self, text):
        self.socket.sendall(text.encode() + b"\r\n")

    def greet(self):
        """The mechanisms offered."""
        self.line()
        if self.protocol == "imaps":
            self.send("a CAPABILITY")
            words = self.until("a ")
            return re.findall(r"AUTH=(\S+)", " ".join(words))
        if self.protocol == "pop3s":
            self.send("CAPA")
            return next((l.split()[1:] for l in self.until(".") if l.startswith("SASL ")), [])
        self.send("EHLO client.test")
        return next((l.split()[1:] for l in self.until("250 ") if l.startswith("250-AUTH ")), [])

    def until(self, start):
        lines = []
        while not lines or not lines[-1].startswith(start):
            lines.append(self.line())
        return lines

    def begin(self, mechanism, initial=None):
        word = "" if initial is None else " " + (base64.b64encode(initial).decode() or "=")
        self.send(("a AUTHENTICATE " if self.protocol == "imaps" else "AUTH ") + mechanism + word)

    def challenge(self):
        """(bytes, None), or (None, the last line)."""
        line = self.line()
        for start in ("+ ", "334 "):
            if line.startswith(start):
                return base64.b64decode(line[len(start):]), None
        return None, line

    def authenticate(self, mechanism, exchange):
        """exchange: a generator that yields responses and is sent challenges; the first is the initial response,
        or None. Returns the last line."""
        self.begin(mechanism, next(exchange))
        while True:
            challenge, end = self.challenge()
            if end is not None:
                return end
            try:
                response = exchange.send(challenge)
            except StopIteration:
                response = b""
            self.send(base64.b64encode(response).decode())

    def finish(self, response):
        """Answers whatever comes with this. Returns the last line."""
        for _ in range(10):
            self.send(base64.b64encode(response).decode())
            end = self.challenge()[1]
            if end is not None:
                return end
        raise AssertionError("the exchange does not end")

    def channel_binding(self, name):
        if name == "tls-unique":
            return self.socket.get_channel_binding("tls-unique")
        assert name == "tls-server-end-point"
        return hashlib.sha256(self.socket.getpeercert(binary_form=True)).digest()


def plain(user, password, identity=""):
    yield ("%s\0%s\0%s" % (identity, user, password)).encode()


def one(response):
    yield response


def scram(mechanism, user, password, header="n,,", binding=b""):
    name = "sha1" if "SHA-1" in mechanism else "sha256"

    def mac(key, text):
        return hmac.new(key, text, name).digest()
    bare = ("n=%s,r=%s" % (user.replace("=", "=3D").replace(",", "=2C"), base64.b64encode(os.urandom(18)).decode())).encode()
    first = yield header.encode() + bare
    if first == b"":
        first = yield header.encode() + bare
    nonce, salt, iterations = re.fullmatch(rb"r=([^,]+),s=([^,]+),i=(\d+)", first).groups()
    salted = hashlib.pbkdf2_hmac(name, password.encode(), base64.b64decode(salt), int(iterations))
    without = b"c=" + base64.b64encode(header.encode() + binding) + b",r=" + nonce
    message = bare + b"," + first + b"," + without
    key = mac(salted, b"Client Key")
    proof = bytes(a ^ b for a, b in zip(key, mac(hashlib.new(name, key).digest(), message)))
    last = yield without + b",p=" + base64.b64encode(proof)
    assert last == b"v=" + base64.b64encode(mac(mac(salted, b"Server Key"), message)), "the server does not know the password"


def scram_bound(mechanism, user, password, name, binding):
    return scram(mechanism, user, password, "p=%s,," % name, binding)


def cyrus(mechanism, service, environment, max_ssf=0):
    """The library's own client, for Kerberos."""
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cyrus_client.py")
    client = subprocess.Popen([sys.executable, program, mechanism, service, "localhost", str(max_ssf)], text=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=dict(os.environ, **environment))
    try:
        line = client.stdout.readline().strip()
        challenge = yield (None if line == "-" else base64.b64decode(line))
        while True:
            client.stdin.write(base64.b64encode(challenge).decode() + "\n")
            client.stdin.flush()
            challenge = yield base64.b64decode(client.stdout.readline())
    finally:
        client.stdin.close()
        client.wait()
