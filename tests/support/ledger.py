"""What a server promised, and whether it kept it.

Each actor works on messages and folders of its own, one step after the other, and writes down what it is about
to change before it asks. So whenever the server ends, what must be there is what the acknowledged steps say; the
step in flight may have happened or not, but as a whole.

The world is a dictionary: ("message", token) -> sorted copies (user, folder, flags); ("folder", user, name) -> its
annotation, or ""; ("subscription", user, name) -> True; ("queued", token) -> True."""

import datetime
import hashlib
import os
import re

from .imap_raw import RawImap, parse

DATE = "01-Feb-2003 04:05:06 +0000"
SIZES = (10, 10, 300, 3000, 210000)


def message(token):
    """The bytes of a message say who it is, and whether it is whole. Lines end in CRLF."""
    seed = hashlib.sha256(token.encode()).hexdigest()
    size = SIZES[int(seed[:4], 16) % len(SIZES)]
    lines = "".join("%s %d\r\n" % (seed, i) for i in range(size // 70))
    return ("Subject: %s\r\n\r\n%send of %s\r\n" % (token, lines, token)).encode()


class Step:
    def __init__(self, what, changes, others, halves):
        self.what, self.changes = what, changes
        self.others = others  # changes that it may have made instead, as long as there is no reply of success
        self.halves = halves  # and if it was refused: what failed in the middle, and could not be taken back
        self.mark = None  # of the reply, when it came
        self.refused = False

    def __repr__(self):
        return self.what

    def possible(self):
        return [self.changes, *self.others]


class Ledger:
    def __init__(self, base):
        self.base = base
        self.world = dict(base)  # when all steps are done
        self.steps = []
        self.facts = []  # (mark, kind, key, value): what clients were told of UIDs

    def begin(self, what, changes, others=(), halves=()):
        step = Step(what, changes, others, halves)
        self.steps.append(step)
        return step

    def done(self, step, mark):
        step.mark = mark
        change(self.world, step.changes)

    def refused(self, step):
        """A temporary error: it may have happened all the same."""
        step.refused = True

    def tell(self, mark, kind, key, value):
        self.facts.append((mark, kind, key, value))

    def expected(self, told=lambda mark: True):
        """(world, changes that may have happened as well, doubtful values). told: whether a reply had been sent."""
        world, flying, doubtful = dict(self.base), None, {}
        for step in self.steps:
            if step.refused:
                for changes in [*step.possible(), *step.halves]:
                    for key, value in changes.items():
                        doubtful.setdefault(key, []).append(value)
            elif step.mark is not None and told(step.mark):
                change(world, step.changes)
            else:
                flying = step
                break
        return world, flying, doubtful

    def check(self, observed, told=lambda mark: True):
        world, flying, doubtful = self.expected(told)
        choices = [world]
        for changes in flying.possible() if flying else ():
            choices.append(dict(world))
            change(choices[-1], changes)
        differences = [self.differences(choice, observed, doubtful) for choice in choices]
        assert not all(differences), "%s\n    last steps: %s%s" % (
            "\n    or ".join("; ".join(d[:4]) for d in differences),
            ", ".join(map(repr, [s for s in self.steps if s.mark is not None and told(s.mark)][-6:])),
            "; in flight: %r" % flying if flying else "")
        self.check_facts(observed, told)

    @staticmethod
    def differences(world, observed, doubtful):
        found = []
        for key in world.keys() | doubtful.keys():
            value = observed.world.get(key)
            if value != world.get(key) and value not in doubtful.get(key, []):
                found.append("%s is %s and should be %s" % (key, value, world.get(key)))
        return found

    def check_facts(self, observed, told):
        for mark, kind, key, value in self.facts:
            if not told(mark):
                continue
            if kind == "uid":
                token = observed.uids.get(key)
                assert token is None or token == value, "UID %s was %s and is now %s" % (key, value, token)
                following = observed.uid_next.get(key[:2])
                assert following is None or following > key[2], "UID %s was given, and UIDNEXT is %d" % (key, following)
            elif kind == "modseq":
                highest = observed.modseq.get(key)
                assert highest is None or highest >= value, "MODSEQ %d was told for %s, the highest is now %d" % (value, key, highest)
            elif kind == "uidvalidity":
                assert observed.validity.get(key, value) == value, "UIDVALIDITY of %s was %d and is %d" % (
                    key, value, observed.validity[key])

    def settle(self, observed):
        """After a check: what was seen is what is from now on."""
        keys = set(self.base) | set(self.world) | {k for s in self.steps for k in s.changes}
        self.base = {k: observed.world[k] for k in keys if k in observed.world}
        self.world = dict(self.base)
        self.steps = []


def change(world, changes):
    for key, value in changes.items():
        if value is None:
            world.pop(key, None)
        else:
            world[key] = value


def connection_name(client):
    """Both ports, as the recorder has them: connections to several servers may share that of the client's end."""
    return client.getpeername()[1] << 16 | client.getsockname()[1]


class CountingImap(RawImap):
    """Knows which byte of the connection it has read up to."""

    def __init__(self, port, timeout=60):
        self.count = 0
        super().__init__(port, timeout=timeout)
        self.name = connection_name(self.socket)

    def take(self, size):
        self.count += size
        return super().take(size)

    def mark(self):
        return self.name, self.count


def waiting_users(entry):
    """Of an entry in `mailctl queue list`: whose mailboxes it has not reached yet."""
    return [r["address"].split("@")[0] for r in entry["recipients"]
            if r["address"].endswith("@example.test") and r["state"] != "sent"]


def text_of(value):
    return bytes(value).decode()


def token_of(raw):
    match = re.search(rb"^Subject: (\S+)\r\n", raw, re.M)
    return match.group(1).decode() if match else None


def sort_flags(flags):
    return tuple(sorted(f for f in (text_of(f) for f in flags) if f != "\\Recent"))


class Observed:
    """All that clients can see of some users."""

    def __init__(self, server, users, queue=False):
        self.world, self.uids, self.uid_next, self.validity, self.modseq = {}, {}, {}, {}, {}
        copies = {}
        for user in users:
            box = CountingImap(server.port("imap")).login(user + "@example.test")
            for folder in self.folders(box, user):
                self.look(box, user, folder, copies)
            box.send(b"z LOGOUT\r\n")
            box.close()
        if queue:
            self.read_queue(server, copies)
        for token, found in copies.items():
            self.world["message", token] = tuple(sorted(found))

    def read_queue(self, server, copies):
        """What waits for a local recipient is as good as delivered."""
        for entry in server.mailctl_json("queue", "list"):
            token = token_of(server.mailctl_json("queue", "show", entry["id"])["header"].encode().replace(b"\n", b"\r\n"))
            self.see_queued(server, token, entry["id"])
            if entry["sender"].startswith(token):
                self.world["queued", token] = True
            for user in waiting_users(entry):
                copies.setdefault(token, []).append((user, "INBOX", ()))

    @staticmethod
    def see_queued(server, token, id_):
        path = os.path.join(server.root, "data", "queue", id_ + ".msg")
        if os.path.exists(path):
            with open(path, "rb") as f:
                assert f.read().endswith(message(token).replace(b"\r\n", b"\n")), "%s in the queue is damaged" % token

    def folders(self, box, user):
        names = []
        for line in box.ok(b'LIST "" * RETURN (METADATA (/private/comment))'):
            match = re.match(rb'\* LIST \(([^)]*)\) \S+ (.*)', line)
            if match and not re.search(rb"(?i)noselect|nonexistent", match.group(1)):
                names.append(text_of(parse(match.group(2))[0]))
                self.world["folder", user, names[-1]] = ""
            match = re.match(rb'\* METADATA (\S+) \(/private/comment "(.*)"\)', line)
            if match:
                self.world["folder", user, text_of(parse(match.group(1))[0])] = text_of(match.group(2))
        for line in box.ok(b'LSUB "" *'):
            match = re.match(rb'\* LSUB \([^)]*\) \S+ (.*)', line)
            if match:
                self.world["subscription", user, text_of(parse(match.group(1))[0])] = True
        assert len(names) == len(set(names)), "a folder is there twice: %s" % sorted(names)
        return names

    def look(self, box, user, folder, copies):
        lines = b"\r\n".join(box.ok(b'EXAMINE "%s"' % folder.encode()))
        validity = int(re.search(rb"UIDVALIDITY (\d+)", lines).group(1))
        self.validity[user, folder] = validity
        self.uid_next[user, validity] = int(re.search(rb"UIDNEXT (\d+)", lines).group(1))
        highest = re.search(rb"HIGHESTMODSEQ (\d+)", lines)
        if highest:
            self.modseq[user, validity] = int(highest.group(1))
        exists = int(re.search(rb"\* (\d+) EXISTS", lines).group(1))
        found = box.fetch(b"1:*", b"(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])") if exists else []
        assert len(found) == exists, "%s of %s has %d messages, and %d can be read" % (folder, user, exists, len(found))
        for items in found:
            raw, uid = items[b"BODY[]"], int(items[b"UID"])
            token = token_of(raw)
            assert token and raw.endswith(message(token)), "%s/%s %d is damaged: %r ... %r" % (
                user, folder, uid, raw[:300], raw[-60:])
            assert len(raw) == int(items[b"RFC822.SIZE"]), "%s has %d bytes and says %s: %r" % (
                token, len(raw), items[b"RFC822.SIZE"], raw[:1000])
            if token.startswith("dated"):
                assert same_time(text_of(items[b"INTERNALDATE"])), "the date of %s is %r" % (token, items[b"INTERNALDATE"])
            copies.setdefault(token, []).append((user, folder, sort_flags(items[b"FLAGS"])))
            assert (user, validity, uid) not in self.uids, "UID %d is there twice" % uid
            self.uids[user, validity, uid] = token


def same_time(text):
    form = "%d-%b-%Y %H:%M:%S %z"
    return datetime.datetime.strptime(text.strip(), form) == datetime.datetime.strptime(DATE, form)


def check_all(ledgers, observed, told=lambda mark: True):
    for ledger in ledgers:
        ledger.check(observed, told)
    known = {k for ledger in ledgers for k in list(ledger.base) + [k for s in ledger.steps for k in s.changes]}
    alien = [k for k in observed.world if k[0] == "message" and k not in known]
    assert not alien, "nobody sent these: %s" % alien[:5]
