"""A DNS server for tests: A and MX records from a table, over UDP, on loopback, in a thread."""

import socket
import struct
import threading

A, MX = 1, 15


def encode_name(name):
    out = b""
    for label in name.rstrip(".").split("."):
        if label:
            out += bytes([len(label)]) + label.encode()
    return out + b"\0"


class DnsServer:
    """records: {("name", "A"): ["127.0.0.1"], ("name", "MX"): [(10, "mx.name")], ("name", "SERVFAIL"): []}"""

    def __init__(self, records):
        self.records = records
        self.asked = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def close(self):
        self.socket.close()

    def run(self):
        while True:
            try:
                packet, peer = self.socket.recvfrom(4096)
                self.socket.sendto(self.answer(packet), peer)
            except OSError:
                return

    def answer(self, packet):
        labels, at = [], 12
        while packet[at]:
            labels.append(packet[at + 1:at + 1 + packet[at]].decode().lower())
            at += packet[at] + 1
        name = ".".join(labels)
        kind = struct.unpack(">H", packet[at + 1:at + 3])[0]
        question = packet[12:at + 5]
        self.asked.append((name, kind))
        answers, code = [], 0
        if (name, "SERVFAIL") in self.records:
            code = 2
        elif not any(key[0] == name for key in self.records):
            code = 3
        for text in self.records.get((name, "A"), []) if kind == A else []:
            answers.append(socket.inet_aton(text))
        for preference, host in self.records.get((name, "MX"), []) if kind == MX else []:
            answers.append(struct.pack(">H", preference) + encode_name(host))
        header = packet[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, len(answers), 0, 0)
        body = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 5, len(a)) + a for a in answers)
        return header + question + body
