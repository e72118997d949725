"""A disk that lost what it promised: the server starts, brings back all that can be read, and says what is gone."""

import glob
import os
import random
import re
import shutil

from support.instance import Instance
from support.mail import imap, imap_bodies, inject

COUNT = 12


def token(number):
    return f"token-{number:03}-of-this-message"


def deliver(server, numbers):
    for n in numbers:
        inject(server, "s@elsewhere.test", ["alice"], f"Subject: {n}\r\n\r\n{token(n)}\r\n")


def tokens(server):
    return sorted(int(re.search(rb"token-(\d+)-", body)[1]) for body in imap_bodies(server, "alice").values())


def lose_unsynced(server):
    """What a power cut does to the message files: none of them was synced."""
    for directory in ("new", "cur"):
        for path in glob.glob(server.maildir("alice") + f"/{directory}/*"):
            os.unlink(path)


def journal(server):
    return os.path.join(server.root, "data", "journal")


def change(path, at, data):
    with open(path, "r+b") as f:
        f.seek(at)
        f.write(data)


def find(server, needle):
    for path in sorted(glob.glob(journal(server) + "/segment-*")):
        at = open(path, "rb").read().find(needle)
        if at >= 0:
            return path, at
    raise AssertionError(needle)


def damage_of(server):
    return server.mailctl_json("status")["journal"]["damage"]


def test_rotten_records_are_put_aside_and_the_others_come_back():
    with Instance() as server:
        deliver(server, range(COUNT))
        server.kill()
        for n in (3, 7):
            path, at = find(server, token(n).encode())
            change(path, at, b"TOKEN")
        lose_unsynced(server)
        server.start()
        left = [n for n in range(COUNT) if n not in (3, 7)]
        assert tokens(server) == left
        said = damage_of(server)
        assert len(said) == 1 and path in said[0] and said[0].count("lost") == 2, said
        assert "attention" in server.mailctl("status") and server.logged("the journal is damaged")
        kept = [f for f in os.listdir(journal(server) + "/damaged") if not f.endswith(".txt")]
        assert len(kept) == 1 and kept[0].endswith(os.path.basename(path))
        # Life goes on; it is said until somebody has looked at it.
        deliver(server, [100])
        server.kill()
        server.start()
        assert tokens(server) == left + [100]
        assert damage_of(server) == said
        shutil.rmtree(journal(server) + "/damaged")
        server.restart()
        assert damage_of(server) == [] and "attention" not in server.mailctl("status")


def test_headers_and_checkpoints_may_rot():
    with Instance() as server:
        deliver(server, range(4))
        server.kill()
        path, _ = find(server, token(0).encode())
        change(path, 0, b"\0" * 4096)
        change(journal(server) + "/checkpoint", 9, b"\xff")
        lose_unsynced(server)
        server.start()
        assert tokens(server) == [0, 1, 2, 3]
        assert len(damage_of(server)) == 2
        assert any("copy" in text for text in damage_of(server))
        deliver(server, [4])
        server.kill()
        for name in ("checkpoint", "checkpoint.copy"):
            os.unlink(os.path.join(journal(server), name))
        server.start()
        assert tokens(server) == [0, 1, 2, 3, 4]


def test_bits_flip_everywhere():
    generator = random.Random(20261122)
    with Instance() as server:
        for round in range(6):
            deliver(server, range(round * 20, round * 20 + 8))
            before = tokens(server)
            server.kill()
            path, at = find(server, token(round * 20).encode())
            size = at + 8 * 4096
            for _ in range(generator.randrange(1, 4)):
                change(path, generator.randrange(max(0, at - 8192), size), bytes([generator.randrange(256)]))
            server.start()
            after = tokens(server)
            # The files were not lost this time: nothing is missing, and nothing is there twice.
            assert after == before, (round, before, after)
            shutil.rmtree(journal(server) + "/damaged", ignore_errors=True)


def queue_attention(server):
    return [line for line in server.mailctl("status").splitlines() if "attention" in line and "/queue/*.damaged" in line]


def test_damage_of_the_queue_is_told_until_somebody_has_looked():
    server = Instance()
    server.add_config("queue {\n    relay_host = 127.0.0.1:1\n}\n")
    with server:
        inject(server, "s@elsewhere.test", ["x@far.test"], "Subject: x\r\n\r\nwaits\r\n", port="local")
        assert not queue_attention(server)
        server.stop()
        (path,) = glob.glob(os.path.join(server.root, "data/queue/state.*"))
        at = open(path, "rb").read().find(b"x@far.test")
        change(path, at, b"y")
        server.start()
        assert queue_attention(server)
        assert server.mailctl_json("queue", "list") == [] and "state of the queue damaged file=<%s>" % path in server.log()
        inject(server, "s@elsewhere.test", ["x@far.test"], "Subject: x\r\n\r\nwaits\r\n", port="local")
        server.restart()
        assert len(queue_attention(server)) == 1 and "(2)" in queue_attention(server)[0], queue_attention(server)
        for kept in glob.glob(os.path.join(server.root, "data/queue/*.damaged")):
            os.unlink(kept)
        server.restart()
        assert not queue_attention(server) and len(server.mailctl_json("queue", "list")) == 1


def fetched(server, mailbox="INBOX"):
    """What a client sees of a mailbox: UID, flags, modification sequence of each message."""
    client = imap(server, "alice")
    try:
        assert client.select(mailbox, readonly=True)[0] == "OK", mailbox
        lines = client.uid("FETCH", "1:*", "(FLAGS MODSEQ)")[1]
        found = {}
        for line in lines:
            uid = int(re.search(rb"UID (\d+)", line)[1])
            found[uid] = (sorted(re.search(rb"FLAGS \(([^)]*)\)", line)[1].split()), int(re.search(rb"MODSEQ \((\d+)\)", line)[1]))
        return found
    finally:
        client.logout()


def spoil(path, how):
    if how == "removed":
        os.unlink(path)
    elif how == "cut":
        os.truncate(path, os.path.getsize(path) // 2)
    elif how == "noise":
        with open(path, "wb") as f:
            f.write(random.Random(path).randbytes(3000))
    elif how == "bit":
        data = bytearray(open(path, "rb").read())
        data[len(data) * 2 // 3] ^= 4
        with open(path, "wb") as f:
            f.write(data)
    elif how == "empty":
        os.truncate(path, 0)
    elif how == "directory":
        os.unlink(path)
        os.mkdir(path)


def test_files_beside_the_messages():
    """Each file that maild keeps in a mailbox, damaged in each way: all mailboxes open, every message, UID and flag is
    there, modification sequences never go down, and changes go on. Only the list alone holds UIDs that the
    index does not: with both gone, messages are new."""
    with Instance() as server:
        deliver(server, range(4))
        client = imap(server, "alice")
        client.select("INBOX")
        client.uid("STORE", "2", "+FLAGS", "(\\Seen $Label urgent)")
        client.uid("COPY", "1:3", "Sent")
        client.logout()
        server.restart()
        before = fetched(server)
        for name in ("maild-index", "maild-cache", "dovecot-uidlist", "dovecot-keywords"):
            for how in ("removed", "cut", "noise", "bit", "empty", "directory"):
                path = os.path.join(server.maildir("alice"), name)
                # Another program's word about keywords is believed; a directory in their place is an operator's business.
                if not os.path.isfile(path) or (name.startswith("dovecot-") and how == "directory") or \
                        (name == "dovecot-keywords" and how in ("noise", "bit")):
                    continue
                server.stop()
                spoil(path, how)
                server.start()
                after = fetched(server)
                assert {u: f for u, (f, _) in after.items()} == {u: f for u, (f, _) in before.items()}, (name, how, before, after)
                assert all(after[u][1] >= before[u][1] for u in before), (name, how, before, after)
                assert len(fetched(server, "Sent")) == 3, (name, how)
                client = imap(server, "alice")
                client.select("INBOX")
                assert client.uid("STORE", "4", "+FLAGS" if b"\\Flagged" not in after[4][0] else "-FLAGS", "(\\Flagged)")[0] == "OK"
                client.logout()
                now = fetched(server)
                assert now[4][1] > after[4][1], (name, how)
                server.mailctl("store", "flush")
                before = now
                if os.path.isdir(path):
                    os.rmdir(path)
        assert len(imap_bodies(server, "alice")) == 4
