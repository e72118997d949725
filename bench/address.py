"""Very many addresses: what they cost when the server starts and in memory, how fast it is decided where mail for one goes; and
the same number of them in Postfix."""

import glob
import os
import random
import smtplib
import subprocess
import tempfile
import time

import address_fan_out
from common import BUILD, program, show
from file_system import FileSystem
from processes import settle
from support import reference
from support.address_world import cheap_hash
from support.instance import Instance

DOMAINS, GROUPS, ADDRESSES, USERS = 500, 10000, 100000, 1000
ASKED_START, ASKED_BYTES, ASKED_DECISIONS = 1.0, 100, 200000


class Directory:
    """So many domains, groups and addresses, as the lines of an import and of Postfix's tables."""

    def __init__(self, share):
        self.domains = ["d%03d.example.test" % n for n in range(DOMAINS // share)]
        self.users = ["user%04d@example.test" % n for n in range(USERS // share)]
        chance = random.Random(8)
        self.addresses = {"first.last%06d@%s" % (n, self.domains[n % len(self.domains)]): chance.choice(self.users)
                          for n in range(ADDRESSES // share)}
        self.groups = {"group%05d@%s" % (n, self.domains[n % len(self.domains)]): chance.sample(self.users, 5)
                       for n in range(GROUPS // share)}

    def text_bytes(self):
        """What the addresses and where they lead have of letters."""
        return sum(len(a) + len(d) for a, d in self.addresses.items())

    def csv(self, parts):
        yield "type,address,password,members\n"
        if "users" in parts:
            password = cheap_hash("secret")
            yield from ("user,%s,%s,\n" % (u, password) for u in self.users)
        if "domains" in parts:
            yield from ("domain,%s,,\n" % d for d in self.domains)
        if "groups" in parts:
            yield from ("group,%s,,%s\n" % (g, " ".join(m)) for g, m in self.groups.items())
        if "addresses" in parts:
            yield from ("address,%s,,%s\n" % item for item in self.addresses.items())

    def virtual(self):
        yield from ("%s anything\n" % d for d in self.domains)
        yield from ("%s %s\n" % item for item in self.addresses.items())
        yield from ("%s %s\n" % (g, ", ".join(m)) for g, m in self.groups.items())


def filled(directory, world, *parts):
    """A server that has these parts of the world."""
    server = Instance(users=("first",), directory=directory)
    server.start()
    path = os.path.join(server.directory, "import.csv")
    with open(path, "w") as f:
        f.writelines(world.csv(parts))
    begin = time.monotonic()
    subprocess.run([os.path.join(BUILD, "mailctl"), "--config", server.config_path, "directory", "import", path], check=True,
                   stdout=subprocess.DEVNULL, timeout=600)
    server.import_seconds = time.monotonic() - begin
    server.stop()
    return server


def start_seconds(server):
    """From the start of the process to the first greeting."""
    begin = time.monotonic()
    server.start()
    seconds = time.monotonic() - begin
    memory = settle([server.process.pid])
    server.stop()
    return seconds, memory


def starts(quick, directory, world):
    """In turn, with and without."""
    every = ("users", "domains", "groups", "addresses")
    servers = {"nothing": filled(directory, world, "users", "domains"), "groups": filled(directory, world, *every[:3]),
               "all": filled(directory, world, *every)}
    try:
        seen = {name: [] for name in servers}
        for _ in range(2 if quick else 5):
            for name, server in servers.items():
                seen[name].append(start_seconds(server))
        best = {name: tuple(min(values) for values in zip(*found)) for name, found in seen.items()}
        show("addresses: import of all", servers["all"].import_seconds, "s")
        show("addresses: start to the first greeting, without", best["nothing"][0], "s")
        show("addresses: the same with all of them", best["all"][0], "s")
        more = best["all"][0] - best["nothing"][0]
        show("addresses: what they add to the start", more, "s (asked: %g%s)" % (ASKED_START, "" if more < ASKED_START else "  SHORT"))
        taken = best["all"][1] - best["groups"][1]
        beyond = (taken - world.text_bytes()) / len(world.addresses)
        show("addresses: memory of each beyond its text", beyond, "bytes (asked: %d%s)" % (ASKED_BYTES, "" if beyond < ASKED_BYTES else "  SHORT"))
        show("addresses: its text, on average", world.text_bytes() / len(world.addresses), "bytes")
    finally:
        for server in servers.values():
            server.close()


def decisions(quick, directory):
    """What is asked for holds for one look-up of one address; groups and names that are nobody's take more of them."""
    for line in program("bench_route", os.path.join(directory, "route.db"), 200000 if quick else 2000000).splitlines():
        what, value = line.rsplit(None, 1)
        if not what.startswith("decisions"):
            continue
        asked = what.strip() in ("decisions: listed addresses", "decisions: users")
        show("addresses: " + what.strip(), int(float(value)), "/s" + (" (asked: %d%s)" % (
            ASKED_DECISIONS, "" if float(value) >= ASKED_DECISIONS else "  SHORT") if asked else ""))


def postmap(quick, directory, world):
    """The look-ups that Postfix does for each, of one process in its own table, without any expansion."""
    etc = os.path.join(directory, "postfix")
    os.makedirs(etc)
    with open(etc + "/main.cf", "w") as f:
        f.write("compatibility_level = 3.6\n")
    with open(etc + "/virtual", "w") as f:
        f.writelines(world.virtual())
    begin = time.monotonic()
    subprocess.run(["postmap", "-c", etc, "hash:" + etc + "/virtual"], check=True)
    show("Postfix: postmap of all", time.monotonic() - begin, "s")
    keys = random.Random(9).choices(list(world.addresses), k=50000 if quick else 500000)
    rates = []
    for _ in range(3):
        begin = time.monotonic()
        subprocess.run(["postmap", "-c", etc, "-q", "-", "hash:" + etc + "/virtual"], input="\n".join(keys), text=True,
                       stdout=subprocess.DEVNULL, check=True)
        rates.append(len(keys) / (time.monotonic() - begin))
    show("Postfix: look-ups of postmap -q, one table", int(max(rates)), "/s")


# --- one message for very many, against Postfix with Dovecot ---

def members(count):
    return ["m%05d@example.test" % n for n in range(count)]


class Ours:
    name = "maild"

    def __init__(self, directory, count):
        self.server = Instance(users=("first",), directory=directory)
        self.server.start()
        password = cheap_hash("secret")
        lines = ["type,address,password,members"] + ["user,%s,%s," % (m, password) for m in members(count)]
        self.server.mailctl("directory", "import", "-", "--format", "csv",
                            stdin="\n".join(lines + ["address,all@example.test,,%s" % " ".join(members(count))]) + "\n")
        self.mail = os.path.join(self.server.root, "data/mail/example.test")


class Theirs:
    name = "Postfix with Dovecot"

    def __init__(self, directory, count):
        self.server = reference.Reference(directory)
        table = self.server.etc + "/virtual"
        with open(table, "w") as f:
            f.write("all@example.test %s\n" % ", ".join(members(count)))
        with open(self.server.etc + "/main.cf", "a") as f:
            f.write("virtual_alias_maps = hash:%s\nvirtual_alias_expansion_limit = 20000\n" % table)
        subprocess.run(["postmap", "-c", self.server.etc, "hash:" + table], check=True)
        self.server.start()
        self.mail = self.server.root + "/mail/example.test"


def delivered(side):
    """Messages in all mailboxes: theirs come in any order."""
    return sum(len(os.listdir(path)) for path in glob.glob(side.mail + "/*/Maildir/new"))


def send(side, count):
    """Seconds from the end of the message to the last mailbox."""
    wanted = delivered(side) + count
    with smtplib.SMTP("127.0.0.1", side.server.port("smtp"), timeout=600) as client:
        client.ehlo()
        client.mail("sender@example.test")
        client.rcpt("all@example.test")
        client.docmd("DATA")
        begin = time.monotonic()
        client.send(b"Subject: to all\r\n\r\n" + b"0123456789abcde\r\n" * 240 + b".\r\n")
        code, said = client.getreply()
        assert code == 250, said
    while delivered(side) < wanted:
        time.sleep(0.02)
    return time.monotonic() - begin


def list_of_very_many(quick):
    """In turn; the first time mailboxes are made, too."""
    count = 1000 if quick else 10000
    with FileSystem() as directory:
        sides = [Ours(directory, count), Theirs(directory, count)]
        try:
            for what in ("first mail ever", "again", "again"):
                seconds = [send(side, count) for side in sides]
                for side, each in zip(sides, seconds):
                    show("an address of %d, %s: %s" % (count, what, side.name), each, "s to the last mailbox")
                show("an address of %d, %s: ratio" % (count, what), seconds[1] / seconds[0], "times as fast")
        finally:
            for side in sides:
                side.server.close()


def run(quick):
    world = Directory(10 if quick else 1)
    with tempfile.TemporaryDirectory(prefix="maild-bench-") as directory:
        os.chmod(directory, 0o755)
        starts(quick, directory, world)
        decisions(quick, directory)
        if reference.available():
            postmap(quick, directory, world)
    address_fan_out.run(quick)
    if reference.available():
        list_of_very_many(quick)
