"""FETCH BINARY (RFC 3516) of sections that are decoded while they are sent."""

import base64
import quopri
import random

from support.imap_raw import RawImap
from support.instance import Instance
from support.mail import inject, loose_tls


def a_message(parts):
    lines = ["Subject: large", "MIME-Version: 1.0", 'Content-Type: multipart/mixed; boundary="b"', ""]
    for encoding, body in parts:
        lines += ["--b", "Content-Type: application/octet-stream", "Content-Transfer-Encoding: " + encoding, "", body]
    return "\n".join(lines + ["--b--", ""])


def connect(server):
    client = RawImap(server.port("imaps"), loose_tls()).login("alice@example.test")
    client.ok(b"SELECT INBOX")
    return client


def fetch_both(client, part):
    """What came, and how much was announced."""
    size, section = b"BINARY.SIZE[%d]" % part, b"BINARY[%d]" % part
    fetched = client.fetch(b"1", b"(%s BINARY.PEEK[%d])" % (size, part))[0]
    return fetched[section], int(fetched[size])


def fetch_piece(client, part, offset):
    fetched = client.fetch(b"1", b"BINARY.PEEK[%d]<%d.1000>" % (part, offset))[0]
    return fetched[b"BINARY[%d]<%d>" % (part, offset)]


def test_large_sections_are_decoded_exactly():
    random.seed(3516)
    binary = random.randbytes(700_000)
    text = b"".join(b"line %d caf\xc3\xa9 = end \r\n" % i for i in range(30_000))
    plain = "".join("plain %d\n" % i for i in range(60_000))
    # Groups cut anywhere, and characters that mean nothing.
    encoded = base64.b64encode(binary).decode()
    odd = "\n".join(encoded[i:i + 61] + "!" for i in range(0, len(encoded), 61))
    quoted = quopri.encodestring(text.replace(b"\r\n", b"\n")).decode()
    with Instance() as server:
        inject(server, "bob@example.test", ["alice@example.test"],
               a_message([("base64", odd), ("quoted-printable", quoted), ("8bit", plain)]))
        client = connect(server)
        wanted = {1: binary, 2: text, 3: plain.replace("\n", "\r\n").encode()}
        for part, content in wanted.items():
            got, size = fetch_both(client, part)
            # The line end in front of the boundary is not part of the section.
            content = content if part == 1 else content[:len(got)]
            assert len(got) == size >= len(content) - 2 and got == content, part
            for offset in (0, 1, size // 2, size - 10, size, size + 5):
                assert fetch_piece(client, part, offset) == content[offset:offset + 1000], (part, offset)


def test_nonsense_has_one_size():
    """However it is cut, what is announced is what comes."""
    random.seed(1)
    nonsense = {
        "base64": "".join(random.choice("QUJD=!\n") for _ in range(600_000)),
        "quoted-printable": "=" * 300_000 + " " * 300_000 + "=4=41=0" * 30_000,
    }
    with Instance() as server:
        inject(server, "bob@example.test", ["alice@example.test"], a_message(list(nonsense.items())))
        client = connect(server)
        for part in (1, 2):
            got, size = fetch_both(client, part)
            assert len(got) == size > 0
