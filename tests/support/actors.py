"""Clients that do everything a mailbox can go through, at chance, each with a ledger of what it was promised."""

import itertools
import random
import re
import socket
import threading

from .imap_raw import ProtocolError
from .ledger import DATE, CountingImap, Ledger, connection_name, message, sort_flags

SHARED = ("INBOX", "Archive", "Trash")
FLAGS = ("\\Seen", "\\Flagged", "\\Answered", "\\Draft", "$Forwarded", "todo", "später".encode().hex())
RELAY = "queue {\n    relay_host = 127.0.0.1:1\n}\n"


class Refused(Exception):
    """A reply that is not of success."""


def plain_config(server, extra=""):
    """Without TLS, so that replies can be counted byte by byte; with a journal that goes round quickly."""
    with open(server.config_path) as f:
        head = f.read().split("listener", 1)[0].rsplit("#", 1)[0]
    with open(server.config_path, "w") as f:
        f.write(head.replace("key = tls/key.pem\n", "key = tls/key.pem\n    ca_file = tls/certificate.pem\n"))
        for name, protocol, rule in (("lmtp", "lmtp", ""), ("local", "submission", "auth_required = no"), ("imap", "imap", "auth_without_tls = yes"),
                                     ("pop3", "pop3", "auth_without_tls = yes")):
            f.write("listener %s {\n    protocol = %s\n    address = 127.0.0.1:%d\n    %s\n}\n" % (
                name, protocol, server.port(name), rule))
        f.write("journal {\n    checkpoint_interval = 100ms\n    segment_size = 1M\n    size_max = 16M\n}\n" + RELAY + extra)


class Lines:
    """A client of SMTP or POP3."""

    def __init__(self, port, timeout=60):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.file = self.socket.makefile("rwb")
        self.count, self.name = 0, connection_name(self.socket)
        self.answer()

    def line(self):
        line = self.file.readline()
        if not line.endswith(b"\n"):
            raise ProtocolError("the server closed the connection")
        self.count += len(line)
        return line

    def answer(self):
        line = self.line()
        while line[3:4] == b"-" and line[:3].isdigit():
            line = self.line()
        return line

    def say(self, data, wanted=(b"2", b"3", b"+")):
        self.file.write(data + b"\r\n")
        self.file.flush()
        return self.check(self.answer(), wanted)

    @staticmethod
    def check(answer, wanted=(b"2", b"3", b"+")):
        if not answer.startswith(wanted):
            raise Refused(answer.decode(errors="replace").strip())
        return answer

    def lines_until_dot(self):
        lines = []
        while (line := self.line()) != b".\r\n":
            lines.append(line)
        return lines

    def mark(self):
        return self.name, self.count

    def close(self):
        self.file.close()
        self.socket.close()


def delivered(token, users):
    """The change."""
    return {("message", token): tuple(sorted((user, "INBOX", ()) for user in users))}


class Actor:
    """users[0] is who reads; mail is sent to all of them. careful: it leaves mail alone that may have to wait."""

    def __init__(self, server, name, users, seed, queue=False, careful=False):
        self.server, self.name, self.users, self.queue, self.careful = server, name, users, queue, careful
        self.user = users[0]
        self.random = random.Random("%s %s" % (seed, name))
        self.ledger = Ledger({self.subscription: True} if self.subscription else {})
        self.uids = {}  # (token, folder): UID
        self.count, self.done = 0, 0
        self.doubtful = set()  # keys of steps that were refused: left alone
        self.refusals = []
        self.imap = self.smtp = self.lmtp = None

    @property
    def subscription(self):
        """The one that this actor changes; a new account has it."""
        name = {"0": "Archive", "1": "Trash"}.get(self.name[-1])
        return name and ("subscription", self.user, name)

    # --- connections ---

    def connect(self, timeout=60):
        self.uids, self.selected = {}, None
        self.imap = CountingImap(self.server.port("imap"), timeout=timeout)
        self.imap.login(self.user + "@example.test")
        self.smtp = Lines(self.server.port("local"), timeout=timeout)
        self.smtp.say(b"EHLO c.test")
        self.lmtp = Lines(self.server.port("lmtp"), timeout=timeout)
        self.lmtp.say(b"LHLO c.test")

    def close(self):
        for connection in (self.imap, self.smtp, self.lmtp):
            if connection:
                connection.close()
        self.imap = self.smtp = self.lmtp = None

    def command(self, *parts):
        status, text, untagged = self.imap.command(*parts)
        if status != b"OK":
            raise Refused("%s %s" % (status.decode(), text.decode(errors="replace")))
        return text.decode(errors="replace"), untagged

    # --- the world as this actor knows it ---

    def places(self, folder=None):
        """(token, folder, flags) of messages that are surely there."""
        return [(key[1], copy[1], copy[2]) for key, copies in self.ledger.world.items()
                if key[0] == "message" and key not in self.doubtful for copy in copies
                if copy[0] == self.user and folder in (None, copy[1])]

    def copies(self, token):
        return list(self.ledger.world.get(("message", token), ()))

    def folders(self):
        return [key[2] for key in self.ledger.world if key[0] == "folder" and key not in self.doubtful]

    def any_folder(self):
        return self.random.choice(list(SHARED) + self.folders())

    def token(self, prefix="m"):
        self.count += 1
        return "%s-%s-%d" % (prefix, self.name, self.count)

    def step(self, what, changes, do, connection=None, others=(), halves=()):
        """Runs do() between the entries of the ledger."""
        step = self.ledger.begin(what, changes, others, halves)
        try:
            result = do()
        except Refused as refusal:
            self.ledger.refused(step)
            self.doubtful.update(changes)
            self.refusals.append("%s: %s" % (what, refusal))
            self.recover()
            return None
        self.ledger.done(step, (connection or self.imap).mark())
        self.done += 1
        return result or True

    def recover(self):
        """After a refusal each protocol starts afresh."""
        self.selected = None
        for connection in (self.smtp, self.lmtp):
            if connection:
                connection.say(b"RSET")

    def learn(self, folder, token, uid):
        if self.selected_validity.get(folder):
            self.uids[token, folder] = uid
            self.ledger.tell(self.imap.mark(), "uid", (self.user, self.selected_validity[folder], uid), token)

    selected_validity = {}

    def select(self, folder):
        if self.selected == folder:
            return
        self.selected = None
        _, untagged = self.command(b"SELECT", b'"%s"' % folder.encode())
        text = b"\r\n".join(untagged)
        validity = int(re.search(rb"UIDVALIDITY (\d+)", text).group(1))
        self.selected_validity = dict(self.selected_validity, **{folder: validity})
        if folder in SHARED:
            self.ledger.tell(self.imap.mark(), "uidvalidity", (self.user, folder), validity)
        highest = re.search(rb"HIGHESTMODSEQ (\d+)", text)
        if highest:
            self.ledger.tell(self.imap.mark(), "modseq", (self.user, validity), int(highest.group(1)))
        self.selected = folder

    def uid(self, token, folder):
        self.select(folder)
        if (token, folder) not in self.uids:
            self.command(b"NOOP")  # what came since the last command is not in the session's view
            _, untagged = self.command(b"UID SEARCH SUBJECT", b'"%s"' % token.encode())
            numbers = [int(n) for line in untagged if line.startswith(b"* SEARCH") for n in line.split()[2:]]
            found = []
            if numbers:
                found = self.imap.fetch(b",".join(b"%d" % n for n in numbers), b"(UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])", uid=True)
            for items in found:
                header = next((v for k, v in items.items() if k.startswith(b"BODY[")), None)
                if header and header.split(b"\r\n")[0] == b"Subject: %s" % token.encode():
                    self.learn(folder, token, int(items[b"UID"]))
            assert (token, folder) in self.uids, "%s is not in %s" % (token, folder)
        return self.uids[token, folder]

    def learn_copies(self, text, folder, tokens):
        match = re.search(r"COPYUID (\d+) ([\d:,]+) ([\d:,]+)", text)
        if match:
            self.selected_validity = dict(self.selected_validity, **{folder: int(match.group(1))})
            uids = []
            for part in match.group(3).split(","):
                low, _, high = part.partition(":")
                uids += range(int(low), int(high or low) + 1)
            for token, uid in zip(tokens, uids):
                self.learn(folder, token, uid)

    # --- what it does ---

    def deliver(self):
        token = self.token()
        users = self.random.choice(((self.user,), self.users))
        self.step("deliver %s to %s" % (token, "+".join(users)), delivered(token, users),
                  lambda: self.send(self.smtp, "s@elsewhere.test", token, users), self.smtp)
        if len(users) > 1 and self.careful:
            self.doubtful.add(("message", token))  # one of them may have to wait for it in the queue

    def deliver_each(self):
        """LMTP: a reply for each recipient."""
        token, users = self.token(), self.random.choice((self.users[:1], self.users, self.users[::-1]))
        what = "deliver %s over LMTP to " % token
        self.late = []
        first = self.step(what + users[0], delivered(token, users[:1]), lambda: self.send(self.lmtp, "s@elsewhere.test", token, users),
                          self.lmtp, [delivered(token, u) for u in (users[1:], users) if u])
        for user in users[1:]:
            if first or self.late:
                self.step(what + user, delivered(token, users if first else (user,)),
                          lambda: self.lmtp.check(self.lmtp.answer() if first else self.late.pop()), self.lmtp)

    def send(self, client, sender, token, recipients):
        client.say(b"MAIL FROM:<%s>" % sender.encode())
        for recipient in recipients:
            client.say(b"RCPT TO:<%s>" % (recipient if "@" in recipient else recipient + "@example.test").encode())
        client.say(b"DATA")
        try:
            client.say(message(token) + b".")
        except Refused:
            if client is self.lmtp:
                self.late = [client.answer() for _ in recipients[1:]]
            raise

    def send_away(self):
        token = self.token("queued")
        self.step("queue %s" % token, {("queued", token): True},
                  lambda: self.send(self.smtp, token + "@elsewhere.test", token, ["x@elsewhere.test"]), self.smtp)

    def append(self):
        dated = self.random.random() < 0.5
        token, folder = self.token("dated" if dated else "m"), self.any_folder()
        flags = tuple(sorted(self.random.sample(FLAGS, self.random.choice((0, 1, 3)))))

        def do():
            text, _ = self.command(b'APPEND "%s" (%s)%s' % (folder.encode(), " ".join(flags).encode(),
                                                          b' "%s"' % DATE.encode() if dated else b""), (message(token),))
            match = re.search(r"APPENDUID (\d+) (\d+)", text)
            if match:
                self.selected_validity = dict(self.selected_validity, **{folder: int(match.group(1))})
                self.learn(folder, token, int(match.group(2)))
        self.step("append %s to %s" % (token, folder), {("message", token): ((self.user, folder, flags),)}, do)

    def some(self, most=5):
        """Some messages of one folder: (folder, tokens by UID)."""
        places = self.places()
        if not places:
            return None, []
        folder = self.random.choice(places)[1]
        mine = [p for p in places if p[1] == folder]
        tokens = [p[0] for p in self.random.sample(mine, min(len(mine), self.random.randint(1, most)))]
        return folder, sorted(tokens, key=lambda t: self.uid(t, folder))

    def set_of(self, tokens, folder):
        return ",".join(str(self.uid(t, folder)) for t in tokens).encode()

    def changed(self, tokens, folder, how):
        """Changes for the copies in the folder; how(flags) gives the new copies."""
        changes = {}
        for token in tokens:
            copies = []
            for copy in self.copies(token):
                copies += how(copy) if copy[:2] == (self.user, folder) else [copy]
            changes["message", token] = tuple(sorted(copies)) or None
        return changes

    def store(self):
        folder, tokens = self.some()
        if not tokens:
            return
        sign = self.random.choice(("+", "-", ""))
        flags = set(self.random.sample(FLAGS, self.random.choice((1, 1, 2))))

        def new(copy):
            old = set(copy[2])
            return [(*copy[:2], tuple(sorted(old | flags if sign == "+" else old - flags if sign == "-" else flags)))]
        numbers = self.set_of(tokens, folder)
        self.step("store %s %sFLAGS %s in %s" % (tokens, sign, sorted(flags), folder), self.changed(tokens, folder, new),
                  lambda: self.command(b"UID STORE", numbers, b"%sFLAGS%s (%s)" % (
                      sign.encode(), self.random.choice((b"", b".SILENT")), " ".join(flags).encode())) and None)

    def copy(self, move=False):
        folder, tokens = self.some()
        target = self.any_folder()
        tokens = [t for t in tokens if not any(c[:2] == (self.user, target) for c in self.copies(t))]
        if not tokens or target == folder:
            return
        numbers = self.set_of(tokens, folder)

        def do():
            text, untagged = self.command(b"UID MOVE" if move else b"UID COPY", numbers, b'"%s"' % target.encode())
            self.learn_copies(text + b" ".join(untagged).decode(errors="replace"), target, tokens)
        self.step("%s %s from %s to %s" % ("move" if move else "copy", tokens, folder, target), self.changed(
            tokens, folder, lambda c: ([] if move else [c]) + [(c[0], target, c[2])]), do)

    def move(self):
        self.copy(True)

    def expunge(self):
        folder, tokens = self.some(3)
        if not tokens:
            return
        numbers = self.set_of(tokens, folder)
        marked = self.changed(tokens, folder, lambda c: [(*c[:2], tuple(sorted({*c[2], "\\Deleted"})))])
        if self.step("mark %s in %s" % (tokens, folder), marked,
                     lambda: self.command(b"UID STORE", numbers, b"+FLAGS.SILENT (\\Deleted)") and None):
            self.step("expunge %s in %s" % (tokens, folder), self.changed(tokens, folder, lambda c: []),
                      lambda: self.command(b"UID EXPUNGE", numbers) and None)

    def create(self):
        if len(self.folders()) > 6:
            return
        parents = [f for f in self.folders() if "/" not in f]
        self.count += 1
        name = "f-%s-%d" % (self.name, self.count)
        if parents and self.random.random() < 0.4:
            name = self.random.choice(parents) + "/" + name
        self.step("create " + name, {("folder", self.user, name): ""},
                  lambda: self.command(b"CREATE", b'"%s"' % name.encode()) and None)

    def rename(self):
        tops = [f for f in self.folders() if "/" not in f]
        if not tops:
            return
        old = self.random.choice(tops)
        self.count += 1
        new = "f-%s-%d" % (self.name, self.count)
        renamed = {f: new + f[len(old):] for f in self.folders() if f == old or f.startswith(old + "/")}
        changes = self.renamed(renamed)
        if self.doubtful & changes.keys():
            return
        self.leave(renamed)
        halves = [self.renamed(dict(some)) for count in range(1, len(renamed))
                  for some in itertools.combinations(renamed.items(), count)]
        self.step("rename %s to %s" % (old, new), changes,
                  lambda: self.command(b"RENAME", b'"%s" "%s"' % (old.encode(), new.encode())) and None, halves=halves)

    def renamed(self, names):
        """The changes."""
        changes = {}
        for name in names:
            changes["folder", self.user, name] = None
        for name, to in names.items():
            changes["folder", self.user, to] = self.ledger.world["folder", self.user, name]
        for key, copies in self.ledger.world.items():
            if key[0] == "message" and any(c[1] in names for c in copies):
                changes[key] = tuple(sorted((c[0], names.get(c[1], c[1]), c[2]) for c in copies))
        return changes

    def delete(self):
        leaves = [f for f in self.folders() if not any(o.startswith(f + "/") for o in self.folders())]
        if not leaves:
            return
        name = self.random.choice(leaves)
        changes = {("folder", self.user, name): None}
        for key, copies in self.ledger.world.items():
            if key[0] == "message" and any(c[1] == name for c in copies):
                changes[key] = tuple(c for c in copies if c[1] != name) or None
        if self.doubtful & changes.keys():
            return
        self.leave([name])
        self.step("delete " + name, changes, lambda: self.command(b"DELETE", b'"%s"' % name.encode()) and None)

    def annotate(self):
        if not self.folders():
            return
        name = self.random.choice(self.folders())
        self.count += 1
        value = self.random.choice(["", "note %d" % self.count, "long " * 1000 + str(self.count)])
        self.step("annotate " + name, {("folder", self.user, name): value},
                  lambda: self.command(b"SETMETADATA", b'"%s" (/private/comment %s)' % (
                      name.encode(), b'"%s"' % value.encode() if value else b"NIL")) and None)

    def leave(self, folders):
        """Nothing is selected that goes away, and no UID of it is remembered."""
        if self.selected in folders:
            self.select("INBOX")
        self.uids = {k: v for k, v in self.uids.items() if k[1] not in folders}

    def subscribe(self):
        key = self.subscription
        if key is None or key in self.doubtful:
            return
        on, name = key not in self.ledger.world, key[2]
        self.step("%ssubscribe %s" % ("" if on else "un", name), {key: True if on else None},
                  lambda: self.command(b"SUBSCRIBE" if on else b"UNSUBSCRIBE", name.encode()) and None)

    def pop(self):
        """Reads a message of the INBOX over POP3, and deletes it."""
        places = self.places("INBOX")
        if not places:
            return
        token = self.random.choice(places)[0]
        box = Lines(self.server.port("pop3"), timeout=self.smtp.socket.gettimeout())
        try:
            box.say(b"USER %s@example.test" % self.user.encode())
            box.say(b"PASS secret")
            number = self.find_in_maildrop(box, token)
            box.say(b"DELE %d" % number)
            self.step("pop " + token, self.changed([token], "INBOX", lambda c: []), lambda: box.say(b"QUIT") and None, box)
        except Refused as refusal:
            if "[IN-USE]" not in str(refusal):  # one session at a time, says RFC 1939
                self.refusals.append("pop: %s" % refusal)
        finally:
            box.close()

    @staticmethod
    def find_in_maildrop(box, token):
        box.say(b"LIST")
        numbers = [int(line.split()[0]) for line in box.lines_until_dot()]
        for number in reversed(numbers):
            try:
                box.say(b"TOP %d 0" % number)
            except Refused as refusal:
                if "[SYS/" in str(refusal):
                    raise
                continue  # another session has deleted it meanwhile
            if b"Subject: %s\r\n" % token.encode() in box.lines_until_dot():
                return number
        raise AssertionError("%s is not in the maildrop" % token)

    def look(self):
        """Reads what it wrote: nothing may be different even while the server runs."""
        folder, tokens = self.some(8)
        if not tokens:
            return
        found = self.imap.fetch(self.set_of(tokens, folder), b"(UID FLAGS BODY.PEEK[])", uid=True)
        by_uid = {int(items[b"UID"]): items for items in found if b"BODY[]" in items}
        for token in tokens:
            items = by_uid.get(self.uid(token, folder))
            flags = next(c[2] for c in self.copies(token) if c[:2] == (self.user, folder))
            assert items, "%s in %s cannot be read, UID %s of %s" % (token, folder, self.uid(token, folder), sorted(by_uid))
            assert items[b"BODY[]"].endswith(message(token)), "%s in %s is %r" % (token, folder, items[b"BODY[]"][:200])
            assert sort_flags(items[b"FLAGS"]) == flags, "%s has %s, not %s" % (token, items[b"FLAGS"], flags)

    WORK = ((deliver, 4), (deliver_each, 2), (append, 4), (store, 5), (copy, 2), (move, 2), (expunge, 3), (create, 1), (rename, 1),
            (delete, 1), (subscribe, 1), (annotate, 1), (pop, 1), (look, 1))

    def act(self):
        work = list(self.WORK) + ([(Actor.send_away, 1)] if self.queue else [])
        if len(self.places()) > 60:
            work = [(Actor.expunge, 1)]
        method = self.random.choices([w[0] for w in work], [w[1] for w in work])[0]
        try:
            method(self)
        except Refused as refusal:  # of what changes nothing
            self.refusals.append("%s: %s" % (method.__name__, refusal))
            self.recover()


class Company:
    """Actors at work, each in a thread of its own, until they are stopped or the server is gone."""

    def __init__(self, server, seed, count=3, queue=False, careful=False):
        users = (("alice", "bob"), ("alice", "bob"), ("bob", "alice"), ("alice",))
        self.actors = [Actor(server, "%d" % i, users[i % len(users)], seed, queue, careful) for i in range(count)]
        self.errors = []

    def start(self, steps=None):
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(actor, steps)) for actor in self.actors]
        for thread in self.threads:
            thread.start()

    def run(self, actor, steps):
        try:
            actor.connect()
            end = actor.done + steps if steps else None
            while not self.stopping.is_set() and (end is None or actor.done < end):
                actor.act()
        except (OSError, ProtocolError) as error:
            self.errors.append("%s: %s" % (actor.name, error))
        except AssertionError as error:
            self.errors.append("actor %s: %s" % (actor.name, error))
            self.failed = True
        finally:
            actor.close()

    failed = False

    def stop(self):
        self.stopping.set()
        self.join()

    def join(self):
        for thread in self.threads:
            thread.join()
        assert not self.failed, "\n".join(self.errors)

    @property
    def ledgers(self):
        return [actor.ledger for actor in self.actors]

    def settle(self, observed):
        for actor in self.actors:
            actor.ledger.settle(observed)
            actor.doubtful = set()
