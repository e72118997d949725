"""Summaries of messages (maild-cache): answers of FETCH are the same whether they were made at delivery,
when asked for, taken along by COPY, or lost in whichever way."""

import os
import random

from support.imap_raw import RawImap
from support.instance import Instance
from support.odd_messages import MESSAGES

SECTIONS = ["1", "1.MIME", "1.HEADER", "1.TEXT", "1.1", "1.1.MIME", "2", "2.MIME", "2.HEADER", "2.TEXT", "2.1",
            "2.2", "2.2.HEADER", "3", "HEADER.FIELDS (Subject From To)", "HEADER.FIELDS (Content-Type DATE)",
            "2.HEADER.FIELDS (Subject)", "1.HEADER.FIELDS.NOT (Subject)"]
ITEMS = ("(RFC822.SIZE ENVELOPE BODYSTRUCTURE BODY %s BODY.PEEK[1]<2.5>)" % " ".join("BODY.PEEK[%s]" % s for s in SECTIONS)).encode()


def login(server, box="INBOX"):
    client = RawImap(server.port("imaps"), server.tls_context())
    client.login("alice@example.test")
    client.ok(b"SELECT", box.encode())
    return client


def fetched(client, items):
    return [line for line in client.ok(b"FETCH 1:*", items) if b" FETCH (" in line.split(b"\r\n")[0]]


def answers(server, box="INBOX"):
    client = login(server, box)
    lines = fetched(client, ITEMS)
    client.close()
    return lines


def same(first, second, when):
    assert len(first) == len(second), "%s: %d answers, not %d" % (when, len(second), len(first))
    for a, b in zip(first, second):
        assert a == b, "%s:\n%r\nis not\n%r" % (when, b, a)


def fill(server):
    client = RawImap(server.port("imaps"), server.tls_context())
    client.login("alice@example.test")
    for text in MESSAGES.values():
        if text:
            client.ok(b"APPEND INBOX", (text,))
    client.ok(b"CREATE Copies")
    client.close()


def cache(server, folder=""):
    return server.maildir("alice", folder) + "/maild-cache"


def renumbered(line, index):
    """The answer with the sequence number that the first of its kind had."""
    return b"* %d %s" % (index + 1, line.split(b" ", 2)[2])


def test_the_same_however_they_came():
    with Instance() as server:
        fill(server)
        first = answers(server)
        assert len(first) == sum(1 for text in MESSAGES.values() if text)
        server.restart()
        assert os.path.getsize(cache(server)) > 10000
        same(first, answers(server), "after a restart")

        client = login(server)
        client.ok(b"COPY 1:* Copies")
        client.close()
        same(first, answers(server, "Copies"), "in copies")
        server.restart()
        same(first, answers(server, "Copies"), "in copies after a restart")
        client = login(server, "Copies")
        client.ok(b"MOVE 1:* INBOX")
        client.close()
        same(first * 2, [renumbered(line, i % len(first)) for i, line in enumerate(answers(server))], "moved back")


def test_lost_and_damaged():
    chance = random.Random(7)
    with Instance() as server:
        fill(server)
        first = answers(server)
        server.restart()
        path = cache(server)
        os.unlink(path)
        same(first, answers(server), "deleted while the server runs")
        server.stop()
        os.unlink(path)
        server.start()
        same(first, answers(server), "deleted while it does not")
        for i in range(8):
            server.restart()
            if i % 2:
                server.stop()
            with open(path, "r+b") as f:
                size = os.fstat(f.fileno()).st_size
                at = chance.choice([0, 64, 70, chance.randrange(size), chance.randrange(size)])
                f.seek(at)
                f.write(os.urandom(chance.choice([1, 8, 5000])))
                if i == 4:
                    f.truncate(size // 2)
                if i == 5:
                    f.truncate(0)
            if i % 2:
                server.start()
            same(first, answers(server), "damage %d at %d of %d" % (i, at, size))
        server.stop()
        os.unlink(path)
        os.symlink("/dev/zero", path)
        server.start()
        same(first, answers(server), "a link in its place")
        same(first, answers(server), "a link in its place, again")


def test_not_at_delivery():
    with Instance() as server:
        server.add_config("store {\n    summary_at_delivery = no\n}\n")
        server.restart()
        fill(server)
        server.restart()
        assert not os.path.exists(cache(server))
        first = answers(server)
        server.restart()
        assert os.path.exists(cache(server))
        same(first, answers(server), "from the file")


def test_fields_that_are_not_kept():
    """The same fields, once from the summary and once from the file because another is asked for too."""
    with Instance() as server:
        fill(server)
        client = login(server)
        fields = b"(BODY.PEEK[HEADER.FIELDS (From Subject To Content-Type References%s)])"
        kept, read = fetched(client, fields % b""), fetched(client, fields % b" X-There-Is-None")
        client.close()
        same(kept, [line.replace(b" X-There-Is-None", b"") for line in read], "from the file")
