"""A DNS server for tests: A, AAAA, MX, PTR, SRV, TLSA and TXT records from a table, over UDP, on loopback, in a thread."""

import socket
import struct
import threading

A, CNAME, PTR, MX, TXT, AAAA, SRV, TLSA = 1, 5, 12, 15, 16, 28, 33, 52


def encode_text(text):
    """In strings of at most 255 bytes."""
    raw = text.encode()
    return b"".join(bytes([len(raw[i:i + 255])]) + raw[i:i + 255] for i in range(0, max(len(raw), 1), 255))


def encode_name(name):
    out = b""
    for label in name.rstrip(".").split("."):
        if label:
            out += bytes([len(label)]) + label.encode()
    return out + b"\0"


class DnsServer:
    """records: {("name", "A"): ["127.0.0.1"], ("name", "MX"): [(10, "mx.name")], ("name", "PTR"): ["host.name"],
    ("name", "TXT"): ["text"], ("name", "SRV"): [(priority, weight, port, "host.name")], ("name", "TLSA"): ["3 1 1 abcd"],
    ("name", "CNAME"): ["other.name"], ("name", "SERVFAIL"): [], ("name", "SILENT"): []}; may be changed at any time."""

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
                answer = self.answer(packet)
                if answer:
                    self.socket.sendto(answer, peer)
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
        if (name, "SILENT") in self.records:
            return None
        if (name, "SERVFAIL") in self.records:
            code = 2
        elif not any(key[0] == name for key in self.records):
            code = 3
        for text in self.records.get((name, "A"), []) if kind == A else []:
            answers.append(socket.inet_aton(text))
        for preference, host in self.records.get((name, "MX"), []) if kind == MX else []:
            answers.append(struct.pack(">H", preference) + encode_name(host))
        for text in self.records.get((name, "AAAA"), []) if kind == AAAA else []:
            answers.append(socket.inet_pton(socket.AF_INET6, text))
        for host in self.records.get((name, "PTR"), []) if kind == PTR else []:
            answers.append(encode_name(host))
        for text in self.records.get((name, "TXT"), []) if kind == TXT else []:
            answers.append(encode_text(text))
        for *numbers, host in self.records.get((name, "SRV"), []) if kind == SRV else []:
            answers.append(struct.pack(">HHH", *numbers) + encode_name(host))
        for text in self.records.get((name, "TLSA"), []) if kind == TLSA else []:
            *numbers, data = text.split()
            answers.append(bytes(map(int, numbers)) + bytes.fromhex(data))
        for host in self.records.get((name, "CNAME"), []):
            kind = CNAME
            answers.append(encode_name(host))
        header = packet[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, len(answers), 0, 0)
        body = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 5, len(a)) + a for a in answers)
        return header + question + body
