"""COMPRESS=DEFLATE (RFC 4978) over TLS: everything goes on as before, only smaller."""

import zlib

from support.instance import Instance
from support.mail import inject, loose_tls


class Deflated:
    """A connection with TLS that may be told to compress."""

    def __init__(self, server):
        self.socket = loose_tls().wrap_socket(server.connect("imaps"))
        self.data = b""
        self.received = 0
        self.inflater = self.deflater = None

    def compress(self):
        self.inflater, self.deflater = zlib.decompressobj(-15), zlib.compressobj(9, zlib.DEFLATED, -15)

    def plain(self):
        self.inflater = self.deflater = None

    def send(self, data):
        if self.deflater:
            data = self.deflater.compress(data) + self.deflater.flush(zlib.Z_SYNC_FLUSH)
        self.socket.sendall(data)

    def until(self, prefix):
        """Lines up to the one that begins so."""
        lines = []
        while not lines or not lines[-1].startswith(prefix):
            while b"\n" not in self.data:
                received = self.socket.recv(65536)
                assert received, lines
                self.received += len(received)
                self.data += self.inflater.decompress(received) if self.inflater else received
            line, self.data = self.data.split(b"\n", 1)
            lines.append(line)
        return lines

    def login(self):
        self.until(b"* OK")
        self.send(b"a LOGIN alice@example.test secret\r\n")
        assert b"COMPRESS=DEFLATE" in self.until(b"a ")[-1]
        self.send(b"b COMPRESS DEFLATE\r\n")
        assert self.until(b"b ")[-1].startswith(b"b OK")
        self.compress()


def test_a_session_goes_on_compressed():
    with Instance() as server:
        text = "Subject: long\n\n" + "The same line again and again.\n" * 20000
        inject(server, "bob@example.test", ["alice@example.test"], text)
        c = Deflated(server)
        c.login()
        c.send(b"c COMPRESS DEFLATE\r\n")
        assert c.until(b"c ")[-1].startswith(b"c NO [COMPRESSIONACTIVE]")
        c.send(b"d SELECT INBOX\r\n")
        c.until(b"d OK")
        before = c.received
        c.send(b"e FETCH 1 BODY[]\r\n")
        lines = c.until(b"e OK")
        assert lines.count(b"The same line again and again.\r") == 20000
        assert c.received - before < 60000, c.received - before
        for i in range(20):
            c.send(b"f%d NOOP\r\n" % i)
            c.until(b"f%d OK" % i)
        c.send(b"g IDLE\r\n")
        c.until(b"+ ")
        inject(server, "bob@example.test", ["alice@example.test"], "Subject: news\n\nnews\n")
        c.until(b"* 2 EXISTS")
        c.send(b"DONE\r\nh APPEND INBOX {200000+}\r\n" + b"x" * 199998 + b"\r\n\r\ni LOGOUT\r\n")
        c.until(b"g OK")
        c.until(b"h OK")
        c.until(b"* BYE")
        c.until(b"i OK")


def test_unauthenticate_ends_compression():
    """RFC 8437 4.1: the OK is the last thing compressed; the next user may compress again."""
    with Instance() as server:
        c = Deflated(server)
        c.login()
        for user in (b"bob", b"alice", b"bob"):
            c.send(b"u UNAUTHENTICATE\r\n")
            assert c.until(b"u ")[-1].startswith(b"u OK")
            c.plain()
            c.send(b"v LOGIN " + user + b"@example.test secret\r\n")
            assert c.until(b"v ")[-1].startswith(b"v OK")
            c.send(b"w COMPRESS DEFLATE\r\n")
            assert c.until(b"w ")[-1].startswith(b"w OK")
            c.compress()
            c.send(b"x SELECT INBOX\r\n")
            c.until(b"x OK")


def test_garbage_in_a_compressed_stream_ends_only_that_session():
    with Instance() as server:
        c, other = Deflated(server), Deflated(server)
        c.login()
        other.login()
        c.socket.sendall(b"\xff" * 100)
        while c.socket.recv(1000):
            pass
        other.send(b"z NOOP\r\n")
        other.until(b"z OK")
