"""Several IMAP sessions at one mailbox, each changing it at random, and each a strict client: it keeps what it
has been told, holds every response against the rules (RFC 3501 7.4, RFC 7162, RFC 9586), and whenever all is quiet
what it believes must be the truth. Some are cut off at any moment and come back with QRESYNC.

What is done depends on the seed alone, what happens at the same time does not."""

import random
import re

from support.instance import Instance
from support.imap_raw import RawImap, parse_all
from support.mail import loose_tls

FLAGS = (b"\\Seen", b"\\Flagged", b"\\Answered", b"\\Deleted", b"$Label")
MODES = {"plain": (), "rev2": (b"IMAP4rev2",), "condstore": (b"CONDSTORE",), "qresync": (b"QRESYNC",),
         "uidonly": (b"UIDONLY", b"QRESYNC"), "rev2 qresync": (b"IMAP4rev2", b"QRESYNC")}


def numbers(text):
    found = []
    for part in text.split(b","):
        first, _, last = part.partition(b":")
        found += range(int(first), int(last or first) + 1)
    return found


class Client:
    """One session, and what its client knows."""

    def __init__(self, server, mode):
        self.server, self.mode = server, mode
        self.uids = []    # by sequence number; None: not known yet
        self.flags = {}   # by UID
        self.modseq = 0   # the HIGHESTMODSEQ that it would come back with
        self.validity = 0
        self.pending = None
        self.raw = None

    def has(self, what):
        return what in self.mode

    def connect(self):
        self.raw = RawImap(self.server.port("imaps"), loose_tls()).login("alice@example.test")
        for extension in MODES[self.mode]:
            self.run(b"ENABLE " + extension)
        if self.has("qresync") and self.validity:
            self.come_back()
        else:
            self.uids, self.flags = [], {}
            self.run(b"SELECT box" + (b" (CONDSTORE)" if self.has("condstore") else b""))
        self.learn()

    def come_back(self):
        known = [uid for uid in self.uids if uid]
        parameters = b"%d %d" % (self.validity, self.modseq)
        if known and random.random() < 0.5:
            parameters += b" %d:%d" % (known[0], known[-1])
        if known and "uidonly" not in self.mode and random.random() < 0.5:
            at = random.randrange(len(known))
            parameters += b" (%d %d)" % (at + 1, known[at]) if b":" in parameters else b""
        self.uids, self.returning = [], set(known)
        self.run(b"SELECT box (QRESYNC (%s))" % parameters)
        # Numbers are known again: those that are left, and behind them the new ones.
        left = sorted(self.returning)
        assert len(left) <= len(self.uids), "messages went without VANISHED (EARLIER): %d, %d" % (len(left), len(self.uids))
        self.uids[:len(left)] = left
        self.flags = {uid: flags for uid, flags in self.flags.items() if uid in self.returning}
        self.returning = None

    returning = None

    def cut(self):
        self.raw.close()
        self.pending = None
        if None in self.uids:  # what is behind has no number that could be told when it is back
            self.uids = self.uids[:self.uids.index(None)]

    # --- commands ---

    def start(self, command):
        self.raw.tags += 1
        tag = b"t%d" % self.raw.tags
        self.pending, self.told, self.change = (tag, command), set(), ([], b"", [])
        self.raw.send(tag + b" " + command + b"\r\n")

    def finish(self):
        tag, command = self.pending
        self.pending, self.seen_modseq, self.told_modseq = None, 0, None
        while True:
            got = self.raw.response()
            try:
                if got.startswith(tag + b" "):
                    self.take_code(got)
                    break
                self.take(got, command)
            except (AssertionError, IndexError, ValueError) as e:
                raise AssertionError("%s: %r in answer to %r: %s (%r)" % (self.mode, got, command, e, self.uids)) from e
        assert not got.startswith(tag + b" BAD"), (command, got)
        if got.startswith(tag + b" OK"):
            self.compute()
        if self.told_modseq is not None:
            self.modseq = self.told_modseq
        else:
            self.modseq = max(self.modseq, self.seen_modseq)

    def compute(self):
        """The result of a silent STORE, unless it was told."""
        uids, operation, flags = self.change
        for uid in set(uids) & set(self.flags) - self.told:
            if operation == b"+":
                self.flags[uid] |= set(flags)
            elif operation == b"-":
                self.flags[uid] -= set(flags)
            else:
                self.flags[uid] = frozenset(flags)

    def run(self, command):
        self.start(command)
        self.finish()

    def learn(self):
        """Asks about messages that are new."""
        if None in self.uids:
            first = 0 if "uidonly" in self.mode else self.uids.index(None)
            self.run(b"UID FETCH %d:* (UID FLAGS)" % ((self.uids[first - 1] if first else 0) + 1))
        unknown = [b"%d" % uid for uid in self.uids if uid and uid not in self.flags]
        if unknown:
            self.run(b"UID FETCH %s (UID FLAGS)" % b",".join(unknown))

    # --- responses ---

    def take_code(self, line):
        match = re.search(rb"\[HIGHESTMODSEQ (\d+)\]", line)
        if match:
            self.told_modseq = int(match.group(1))
        match = re.search(rb"\[UIDVALIDITY (\d+)\]", line)
        if match:
            self.validity = int(match.group(1))

    def take(self, line, command):
        words = line.split(b" ", 3)
        if words[1] in (b"OK", b"NO", b"BYE"):
            self.take_code(line)
        elif words[1] == b"VANISHED":
            self.take_vanished(line, command)
        elif words[-1] == b"EXISTS":
            count = int(words[1])
            assert count >= len(self.uids), "EXISTS takes messages away"
            self.uids += [None] * (count - len(self.uids))
        elif words[-1] == b"EXPUNGE":
            assert not self.has("qresync") and not self.has("uidonly"), "VANISHED is wanted"
            assert not re.match(rb"(FETCH|STORE|SEARCH) ", command), "no EXPUNGE may be told now"
            self.flags.pop(self.uids.pop(int(words[1]) - 1), None)
        elif words[2:3] in ([b"FETCH"], [b"UIDFETCH"]):
            self.take_fetch(int(words[1]), words[2], line)

    def take_vanished(self, line, command):
        assert self.has("qresync") or self.has("uidonly")
        gone = numbers(line.rsplit(b" ", 1)[1])
        if b"(EARLIER)" in line:
            if self.returning is not None:
                self.returning -= set(gone)
            else:
                assert not set(gone) & set(self.uids), "told of as EARLIER, but still here"
            return
        assert not re.match(rb"(FETCH|STORE|SEARCH) ", command), "no VANISHED may be told now"
        for uid in gone:
            if uid in self.uids:
                self.uids.remove(uid)
            elif "uidonly" in self.mode:
                assert None in self.uids, "%d was not there" % uid
                self.uids.remove(None)
            else:  # one of those whose UID is not known yet, between the neighbours that are
                below = max([i for i, known in enumerate(self.uids) if known and known < uid], default=-1)
                assert below + 1 < len(self.uids) and self.uids[below + 1] is None, "%d was not there" % uid
                self.uids.pop(below + 1)
            self.flags.pop(uid, None)

    def take_fetch(self, number, kind, line):
        values = parse_all(line[line.index(b"("):])[0]
        item = dict(zip((bytes(v).upper() for v in values[::2]), values[1::2]))
        assert (kind == b"UIDFETCH") == ("uidonly" in self.mode)
        if kind == b"UIDFETCH":
            uid = number
            if uid not in self.uids:
                self.uids[self.uids.index(None)] = uid
                known = sorted(u for u in self.uids if u)
                self.uids = known + [None] * (len(self.uids) - len(known))
        else:
            assert 1 <= number <= len(self.uids), "there is no such number"
            uid = int(item[b"UID"]) if b"UID" in item else self.uids[number - 1]
            if self.uids[number - 1] is None:
                self.uids[number - 1] = uid
            assert self.uids[number - 1] == uid, "the number is that of UID %s" % self.uids[number - 1]
        if b"MODSEQ" in item:
            self.seen_modseq = max(self.seen_modseq, int(item[b"MODSEQ"][0]))
        if b"FLAGS" in item and uid:
            self.flags[uid] = frozenset(bytes(f) for f in item[b"FLAGS"]) - {b"\\Recent"}
            self.told.add(uid)
            assert not ("rev2" in self.mode and b"\\Recent" in item[b"FLAGS"])

    # --- what a client does ---

    def act(self):
        count = len(self.uids)
        by_uid = "uidonly" in self.mode or random.random() < 0.5
        prefix = b"UID " if by_uid else b""
        chosen = sorted(random.sample(range(count), min(count, random.choice((1, 1, 2, 5)))))
        if by_uid:
            chosen = [i for i in chosen if self.uids[i]]
        names = b",".join(b"%d" % (self.uids[i] if by_uid else i + 1) for i in chosen)
        flags = b" ".join(random.sample(FLAGS, random.choice((1, 1, 2))))
        silent = random.choice((b"", b".SILENT"))
        operation = random.choice((b"+", b"-", b""))
        condition = b"(UNCHANGEDSINCE %d) " % self.modseq if self.modseq and random.random() < 0.3 else b""
        store = b"STORE %s %s%sFLAGS%s (%s)" % (names, condition, operation, silent, flags)
        choices = [b"NOOP", b"EXPUNGE", b"APPEND box (%s) {17+}\r\nSubject: x\r\n\r\nx\r\n" % flags,
                   b"APPEND box {17+}\r\nSubject: x\r\n\r\nx\r\n"]
        if names:
            choices += 3 * [prefix + store]
            choices += [prefix + b"FETCH %s (FLAGS)" % names, prefix + b"FETCH %s (UID BODY[])" % names,
                        prefix + b"COPY %s box" % names, prefix + b"MOVE %s other" % names,
                        prefix + b"SEARCH %s" % (b"UID " + names if by_uid else names)]
            if "qresync" in self.mode:
                choices.append(b"UID FETCH 1:* (FLAGS) (CHANGEDSINCE %d VANISHED)" % max(self.modseq, 1))
            if "condstore" in self.mode or "qresync" in self.mode:
                choices.append(prefix + b"FETCH %s (FLAGS MODSEQ)" % names)
        command = random.choice(choices)
        self.start(command)
        if silent and b"STORE" in command:
            self.change = ([self.uids[i] for i in chosen], operation, flags.split())


def truth(server):
    """Flags by UID, HIGHESTMODSEQ, UIDNEXT."""
    raw = RawImap(server.port("imaps"), loose_tls()).login("alice@example.test")
    status = b"".join(raw.ok(b"STATUS box (MESSAGES HIGHESTMODSEQ UIDNEXT)"))
    count, modseq, uid_next = (int(re.search(name + rb" (\d+)[ )]", status).group(1))
                               for name in (b"MESSAGES", b"HIGHESTMODSEQ", b"UIDNEXT"))
    raw.ok(b"EXAMINE box")
    found = {}
    for item in raw.fetch(b"1:*", b"(UID FLAGS)") if count else ():
        found[int(item[b"UID"])] = frozenset(bytes(f) for f in item[b"FLAGS"]) - {b"\\Recent"}
    raw.close()
    if len(found) != count:  # something came in between
        return truth(server)
    return found, modseq, uid_next


def compare(clients, server, before):
    was = None
    while was != truth(server):  # what a session said before it was cut off may still be under way
        was = truth(server)
        for client in clients:
            client.run(b"NOOP")
            client.learn()
            client.learn()  # for what came while it asked
    found, modseq, uid_next = was
    for client in clients:
        assert client.uids == sorted(found), "%s believes %r, there are %r" % (client.mode, client.uids, sorted(found))
        wrong = {uid: (client.flags.get(uid), found[uid]) for uid in found if client.flags.get(uid) != found[uid]}
        assert not wrong, "%s has other flags (its own, the truth): %r" % (client.mode, wrong)
        assert client.modseq <= modseq, "%s knows of %d, there is %d" % (client.mode, client.modseq, modseq)
    assert modseq >= before[0] and uid_next >= before[1] and uid_next > max(found, default=0)
    return modseq, uid_next


def a_round(clients, server):
    """Every client says something before any of them reads."""
    talking = random.sample(clients, random.randint(1, len(clients)))
    for client in talking:
        client.act()
    for client in talking:
        if "qresync" in client.mode and random.random() < 0.1:
            client.cut()
            client.connect()
            continue
        client.finish()
    for client in clients:
        if random.random() < 0.3:
            client.learn()


def test_every_session_knows_the_truth():
    random.seed(7162)
    with Instance() as server:
        clients = [Client(server, mode) for mode in [*MODES, "plain", "qresync"]]
        first = RawImap(server.port("imaps"), loose_tls()).login("alice@example.test")
        first.ok(b"CREATE box")
        first.ok(b"CREATE other")
        first.close()
        for client in clients:
            client.connect()
        before = (0, 0)
        for number in range(300):
            a_round(clients, server)
            if number % 10 == 9:
                before = compare(clients, server, before)
        for client in clients:
            client.raw.close()
        server.restart()
        for client in clients:
            if "qresync" in client.mode:
                client.cut()
                client.connect()
        compare([client for client in clients if "qresync" in client.mode], server, before)
