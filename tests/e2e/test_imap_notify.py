"""NOTIFY (RFC 5465) with many sessions."""

import time

from support.instance import Instance
from support.mail import inject, loose_tls


class Client:
    def __init__(self, server):
        self.socket = loose_tls().wrap_socket(server.connect("imaps"))
        self.data = b""
        self.until(b"* OK")
        self.run(b"LOGIN bob@example.test secret")

    def until(self, prefix):
        lines = []
        while not lines or not lines[-1].startswith(prefix):
            while b"\n" not in self.data:
                received = self.socket.recv(65536)
                assert received, lines
                self.data += received
            line, self.data = self.data.split(b"\n", 1)
            lines.append(line)
        return lines

    def run(self, command):
        self.socket.sendall(b"t " + command + b"\r\n")
        lines = self.until(b"t ")
        assert lines[-1].startswith(b"t OK"), lines
        return lines


def test_each_session_is_told_of_a_delivery():
    with Instance() as server:
        clients = [Client(server) for _ in range(20)]
        for c in clients:
            c.run(b"NOTIFY SET (personal (MessageNew MessageExpunge))")
        begun = time.monotonic()
        inject(server, "alice@example.test", ["bob@example.test"], "Subject: news\n\nnews\n")
        for c in clients:
            assert c.until(b"* ")[-1].startswith(b'* STATUS "INBOX" (MESSAGES 1 UIDNEXT 2 ')
        assert time.monotonic() - begun < 10
