"""The store against Debian's Dovecot: the same Maildir, copied for both, on one ext4 file system with a journal; each group
of lines for one server and then for the other, in turn.

What "no index yet" means: the mailbox is as another server left it, with `dovecot-uidlist` (the UIDs) and without any index or
cache; also measured without the list. Unless said otherwise the files are in the page cache.
"""

import os
import shutil
import statistics
import subprocess
import time

import maildir
from common import BUILD, FileSystem, program, settle, show
from support import reference
from support.instance import Instance

BOX, SMALL, OTHER = "box", "small", "other"
SMALL_COUNT = 1000
KEPT = ("cur", "new", "tmp", "dovecot-uidlist", "dovecot-keywords", "subscriptions")

DOVECOT = """
ssl = yes
ssl_cert = <{root}/certificate.pem
ssl_key = <{root}/key.pem
mail_max_userip_connections = 100
service pop3-login {{
  inet_listener pop3s {{
    port = {pop3s}
    ssl = yes
  }}
}}
"""

# name of the line, unit, is more better, by which factor maild must be better
LINES = {
    "select": ("SELECT, no index yet", "ms", False, 3),
    "select-bare": ("SELECT, neither index nor dovecot-uidlist", "ms", False, 3),
    "select-warm": ("SELECT, warm", "ms", False, 1),
    "select-restart": ("SELECT, index there, server restarted", "ms", False, 1),
    "fetch-flags": ("FETCH 1:* (UID FLAGS RFC822.SIZE)", "ms", False, 2.5),
    "parse": ("FETCH 1:* (ENVELOPE BODYSTRUCTURE), never read", "ms", False, 3),
    "parse-cold": ("the same, files not in the page cache", "ms", False, 3),
    "envelope": ("FETCH 1:* (ENVELOPE), warm", "ms", False, 5),
    "structure": ("FETCH 1:* (BODYSTRUCTURE), warm", "ms", False, 1.5),
    "search": ("SEARCH TEXT over all, first", "ms", False, 3),
    "search-again": ("SEARCH TEXT over all, again", "ms", False, 3),
    "store-1": ("STORE of one message, 1 connection", "/s", True, 4),
    "store-5": ("STORE of one message, 5 connections", "/s", True, 4),
    "store-all": ("STORE of all", "messages/s", True, 3),
    "copy": ("COPY of all", "messages/s", True, 1),
    "move": ("MOVE of all", "messages/s", True, 1),
    "expunge": ("EXPUNGE of all", "messages/s", True, 1),
    "append-1": ("APPEND of 4 KB, 1 connection", "/s", True, 1.5),
    "append-10": ("APPEND of 4 KB, 10 connections", "/s", True, 3),
    "retr": ("POP3 RETR of 1 to 2 KB over TLS, one by one", "/s", True, 2),
    "retr-pipelined": ("POP3 RETR of 1 to 2 KB over TLS, pipelined", "/s", True, 2),
    "memory": ("memory of 10 sessions with the mailbox open", "MiB", False, 1),
    "noop-fetch": ("NOOP of another during FETCH 1:*, maximum", "ms", False, None),
    "noop-search": ("NOOP of another during SEARCH TEXT, maximum", "ms", False, None),
    "noop-store": ("NOOP of another during STORE 1:*, maximum", "ms", False, None),
}


class Client:
    """A bench_imap_client that obeys orders."""

    def __init__(self, side, connections=1, user=BOX):
        self.process = subprocess.Popen(
            [os.path.join(BUILD, "bench_imap_client"), str(side.port("imap")), user + "@example.test", "secret",
             str(connections)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n", side.name + ": no login"

    def order(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split()
        assert answer, "no answer to " + text
        return [float(a) for a in answer]

    def run(self, command, connection=0):
        """Milliseconds."""
        return self.order("run %d %s" % (connection, command))[0] * 1000

    def rows(self, command, at_least):
        """The same for a command that must answer with that many lines."""
        seconds, _, lines = self.order("run 0 " + command)
        assert lines > at_least, "%s: %d lines" % (command, lines)
        return seconds * 1000

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.process.stdin.close()
        self.process.wait(timeout=30)


# --- the two servers ---

class Side:
    def path(self, user):
        return os.path.join(self.homes, user, "Maildir")

    def take(self, user, master):
        os.makedirs(os.path.dirname(self.path(user)), exist_ok=True)
        shutil.rmtree(self.path(user), ignore_errors=True)
        subprocess.run(["cp", "-a", master, self.path(user)], check=True)
        owner = os.stat(self.homes)
        subprocess.run(["chown", "-R", "%d:%d" % (owner.st_uid, owner.st_gid), os.path.dirname(self.path(user))], check=True)

    def forget(self, uidlist=False):
        """Index and cache go, and the folders that a run made; the server is stopped."""
        for name in os.listdir(self.path(BOX)):
            if name in KEPT and not (uidlist and name == "dovecot-uidlist"):
                continue
            path = os.path.join(self.path(BOX), name)
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)

    def read_files(self):
        """Into the page cache, with the inodes."""
        subprocess.run(["find", self.path(BOX) + "/cur", "-type", "f", "-exec", "cat", "{}", "+"], check=True,
                       stdout=subprocess.DEVNULL)


class Maild(Side):
    name = "maild"

    def __init__(self, directory):
        self.server = Instance(users=[BOX, SMALL, OTHER], directory=directory)
        self.server.replace_config("listener imap {", "listener imap {\n    auth_without_tls = yes")
        self.homes = os.path.join(self.server.root, "data", "mail", "example.test")
        os.makedirs(self.homes, exist_ok=True)

    def start(self):
        self.server.start()

    def stop(self):
        self.server.stop()

    def close(self):
        self.server.close()

    def port(self, name):
        return self.server.port(name)

    def roots(self):
        return [self.server.process.pid]


class Dovecot(Side):
    name = "dovecot"

    def __init__(self, directory):
        self.server = reference.Reference(directory, postfix=False, extra=DOVECOT)
        self.homes = os.path.join(self.server.root, "mail", "example.test")
        os.makedirs(self.homes)
        owner = os.stat(os.path.dirname(self.homes))
        os.chown(self.homes, owner.st_uid, owner.st_gid)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-subj", "/CN=localhost", "-days", "2", "-keyout", self.server.root + "/key.pem",
                        "-out", self.server.root + "/certificate.pem"], check=True, stderr=subprocess.DEVNULL)

    def start(self):
        self.server.start()

    def stop(self):
        roots = self.roots()
        self.server.stop()
        end = time.monotonic() + 60
        while any(os.path.exists("/proc/%d" % pid) for pid in roots) and time.monotonic() < end:
            time.sleep(0.02)

    def close(self):
        self.server.close()

    def port(self, name):
        return self.server.port(name)

    def roots(self):
        return self.server.masters()


# --- the groups of lines: each begins with the server stopped and leaves it so ---

def restarted(side, uidlist=False):
    side.forget(uidlist)
    side.read_files()
    side.start()


def group_bare(side, box):
    restarted(side, uidlist=True)
    with Client(side) as c:
        yield "select-bare", c.run("SELECT INBOX")
    side.stop()
    shutil.copy2(box.master + "/dovecot-uidlist", side.path(BOX) + "/dovecot-uidlist")
    owner = os.stat(side.homes)
    os.chown(side.path(BOX) + "/dovecot-uidlist", owner.st_uid, owner.st_gid)


def group_fetch(side, box):
    restarted(side)
    with Client(side) as c:
        yield "select", c.run("SELECT INBOX")
        yield "fetch-flags", c.rows("FETCH 1:* (UID FLAGS RFC822.SIZE)", box.count)
        yield "parse", c.rows("FETCH 1:* (ENVELOPE BODYSTRUCTURE)", box.count)
    for _ in range(3):
        with Client(side) as c:
            yield "select-warm", c.run("SELECT INBOX")
    with Client(side) as c:
        c.run("SELECT INBOX")
        yield "fetch-flags", c.rows("FETCH 1:* (UID FLAGS RFC822.SIZE)", box.count)
        for _ in range(2):
            yield "envelope", c.rows("FETCH 1:* (ENVELOPE)", box.count)
            yield "structure", c.rows("FETCH 1:* (BODYSTRUCTURE)", box.count)
    side.stop()
    side.start()
    with Client(side) as c:
        yield "select-restart", c.run("SELECT INBOX")
    side.stop()


def group_cold(side, box):
    side.forget()
    if not box.file_system.forget_pages():
        return
    side.start()
    with Client(side) as c:
        c.run("SELECT INBOX")
        yield "parse-cold", c.rows("FETCH 1:* (ENVELOPE BODYSTRUCTURE)", box.count)
    side.stop()


def group_search(side, box):
    restarted(side)
    with Client(side) as c:
        c.run("SELECT INBOX")
        yield "search", c.run("SEARCH TEXT " + maildir.WORD_IN_FEW)
        yield "search-again", c.run("SEARCH TEXT " + maildir.WORD_IN_FEW)
    side.stop()


def group_change(side, box):
    side.start()
    with Client(side, 5) as c:
        for i in range(5):
            c.run("SELECT INBOX", i)
        for connections in (1, 5):
            yield "store-%d" % connections, c.order("stores %d %g %d" % (connections, box.seconds, box.count))[0]
    with Client(side) as c:
        c.run("SELECT INBOX")
        for sign in "+-":
            yield "store-all", box.count / c.rows("STORE 1:* %sFLAGS (\\Draft)" % sign, box.count) * 1000
        c.run("CREATE Copies")
        c.run("CREATE Moved")
        yield "copy", box.count / c.run("COPY 1:* Copies") * 1000
        c.run("SELECT Copies")
        yield "move", box.count / c.rows("MOVE 1:* Moved", box.count) * 1000
        c.run("SELECT Moved")
        c.run("STORE 1:* +FLAGS.SILENT (\\Deleted)")
        yield "expunge", box.count / c.rows("EXPUNGE", box.count) * 1000
        c.run("SELECT INBOX")
        c.run("DELETE Copies")
        c.run("DELETE Moved")
    side.stop()


def group_append(side, box):
    side.start()
    with Client(side, 10) as c:
        for connections in (1, 10):
            c.run("CREATE Appended%d" % connections)
            yield "append-%d" % connections, c.order("appends %d %g 4096 Appended%d" %
                                                     (connections, box.seconds, connections))[0]
            c.run("DELETE Appended%d" % connections)
    side.stop()


def group_pop3(side, box):
    side.start()
    times = 10 if box.quick else 30
    for key, window, timed in (("", 50, 1), ("retr", 1, times), ("retr-pipelined", 50, times)):  # the first warms up
        seconds, size = program("bench_pop3_client", side.port("pop3s"), SMALL + "@example.test", "secret", SMALL_COUNT,
                                timed, window).split()
        assert int(size) > SMALL_COUNT * timed * 1000
        if key:
            yield key, SMALL_COUNT * timed / float(seconds)
    side.stop()


def group_memory(side, box):
    side.start()
    with Client(side, 1, OTHER):
        pass  # what the first login of all costs is no session's
    idle = settle(side.roots())
    with Client(side, 10) as c:
        for i in range(10):
            c.run("SELECT INBOX", i)
            c.run("FETCH 1:* (UID FLAGS RFC822.SIZE)", i)
        yield "memory", (settle(side.roots()) - idle) / 2**20
    side.stop()


def group_others(side, box):
    side.start()
    with Client(side) as c:
        c.run("SELECT INBOX")
        for key, command in (("noop-fetch", "FETCH 1:* (UID FLAGS RFC822.SIZE ENVELOPE BODYSTRUCTURE)"),
                             ("noop-search", "SEARCH TEXT " + maildir.WORD_IN_FEW),
                             ("noop-store", "STORE 1:* +FLAGS (\\Answered)")):
            answer = c.order("probe %s@example.test 0 %s" % (OTHER, command))
            box.details.append("%s, %s: %d NOOPs, median %.2f ms, 99%% %.2f ms, maximum %.2f ms" % (
                (side.name, key, answer[3]) + tuple(a / 1000 for a in answer[4:])))
            yield key, answer[6] / 1000
    side.stop()


GROUPS = {"bare": group_bare, "fetch": group_fetch, "cold": group_cold, "search": group_search, "change": group_change,
          "append": group_append, "pop3": group_pop3, "memory": group_memory, "others": group_others}


# --- all of it ---

class Box:
    """The mailbox that both get a copy of."""

    def __init__(self, file_system, directory, quick):
        self.file_system, self.quick = file_system, quick
        self.count = 10000 if quick else 100000
        self.seconds = 0.5 if quick else 2
        self.master, self.small = directory + "/master", directory + "/small"
        self.details = []
        size = maildir.make(self.master, self.count)
        maildir.make(self.small, SMALL_COUNT, maildir.small_message)
        show("messages, of mean size", self.count, "of %d bytes" % size)


def run(quick, groups=(), rounds=2):
    kinds = [Maild] + ([Dovecot] if reference.dovecot_available() else [])
    if len(kinds) == 1:
        show("store: comparison", "skipped", "(needs root and dovecot 2.3: ./test --with-peers installs it)")
    file_system = FileSystem()
    with file_system as directory:
        box = Box(file_system, directory, quick)
        sides = [kind(directory) for kind in kinds]
        try:
            for side in sides:
                side.take(BOX, box.master)
                side.take(SMALL, box.small)
            measure(sides, box, groups or GROUPS, rounds)
        finally:
            for side in sides:
                side.close()


def measure(sides, box, groups, rounds):
    results = {side.name: {} for side in sides}
    for name in groups:
        for _ in range(rounds):
            for side in sides:
                for key, value in GROUPS[name](side, box):
                    results[side.name].setdefault(key, []).append(value)
        for key in LINES:
            if key in results["maild"] and key not in results.setdefault("shown", {}):
                results["shown"][key] = report(key, results)
    for text in box.details:
        print("  " + text)
    short = [key for key, enough in results["shown"].items() if not enough]
    show("store: lines that are short of what they must reach", len(short), " ".join(short))


def report(key, results):
    """False when maild is short of what it must reach."""
    title, unit, more, wanted = LINES[key]
    values = {name: statistics.median(results[name][key]) for name in ("maild", "dovecot") if key in results.get(name, {})}
    for name, value in values.items():
        show("%s, %s" % (title, name), float(value), "%s  (runs: %s)" % (unit, " ".join("%.4g" % v for v in results[name][key])))
    if len(values) < 2 or not wanted:
        return True
    ratio = values["maild"] / values["dovecot"] if more else values["dovecot"] / max(values["maild"], 1e-9)
    show("%s, ratio" % title, ratio, "times (must be %g)%s" % (wanted, "" if ratio >= wanted else "  SHORT"))
    return ratio >= wanted
