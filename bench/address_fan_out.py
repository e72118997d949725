"""One message for a group with very many members: from the end of DATA to the last mailbox."""

import os
import smtplib
import time

from common import show
from file_system import FileSystem
from processes import cpu_seconds, memory_bytes
from support.instance import Instance

MEMBERS = 10000
ASKED = 2.0
MESSAGE = b"From: Staff <staff@example.test>\r\nSubject: to all of you\r\n\r\n" + b"0123456789abcde\r\n" * 240


def name(i):
    return "member%05d" % i


def make(directory, members):
    """A server with a group of so many users, which has never delivered anything."""
    server = Instance(users=("first",), directory=directory)
    server.start()
    exported = server.mailctl("directory", "export").splitlines()
    columns = exported[0].split(",")
    first = next(line for line in exported if ",first@example.test," in line or line.startswith("user,first@"))
    rows = [exported[0]] + [first.replace("first@", name(i) + "@") for i in range(members)]
    group = dict.fromkeys(columns, "")
    group.update(type="group", address="all@example.test", members=" ".join(name(i) + "@example.test" for i in range(members)))
    rows.append(",".join(group[c] for c in columns))
    path = os.path.join(server.directory, "members.csv")
    with open(path, "w") as f:
        f.write("\n".join(rows) + "\n")
    server.mailctl("directory", "import", path)
    return server


def restart(server):
    """Nothing is known of anybody afterwards."""
    server.stop()
    server.start()


def new_of(server, i):
    return os.path.join(server.root, "data/mail/example.test", name(i), "Maildir/new")


def count(path):
    return len(os.listdir(path)) if os.path.isdir(path) else 0


def send(server, members):
    """Seconds from the end of DATA to the reply, and to the file in the mailbox that gets it last."""
    last = [new_of(server, 0), new_of(server, members - 1)]
    before = [count(path) for path in last]
    with smtplib.SMTP("127.0.0.1", server.port("smtp"), timeout=300) as client:
        client.ehlo()
        client.mail("sender@elsewhere.test")
        begin = time.monotonic()
        code, said = client.rcpt("all@example.test")
        asked = time.monotonic() - begin
        assert code == 250, said
        code, said = client.docmd("DATA")
        assert code == 354, said
        client.send(MESSAGE + b".\r\n")
        begin = time.monotonic()
        code, said = client.getreply()
        replied = time.monotonic() - begin
        assert code == 250, said
        while any(count(path) == b for path, b in zip(last, before)):
            time.sleep(0.001)
        return asked, replied, time.monotonic() - begin


def check(server, members, messages):
    for i in range(members):
        found = count(new_of(server, i))
        assert found == messages, "%s has %d messages, not %d" % (name(i), found, messages)


def measure(server, what, members):
    pid = server.process.pid
    cpu = cpu_seconds([pid])
    asked, replied, written = send(server, members)
    show("group of %d, %s: RCPT" % (members, what), asked, "s")
    show("group of %d, %s: reply to DATA, all see it" % (members, what), replied, "s")
    show("group of %d, %s: file in the last mailbox" % (members, what), written,
         "s (asked %g%s), CPU %.2f s, %.0f MiB" % (ASKED, "" if written <= ASKED else "  SHORT", cpu_seconds([pid]) - cpu, memory_bytes([pid]) / 2**20))


def run(quick):
    members = 1000 if quick else MEMBERS
    with FileSystem() as directory:
        server = make(directory, members)
        try:
            restart(server)
            measure(server, "first mail ever", members)
            measure(server, "again", members)
            restart(server)
            measure(server, "after a restart", members)
            check(server, members, 3)
            held = [line.split("was held: ")[1] for line in server.log().splitlines() if "loop was held" in line]
            show("longest turns of the loop", len(held), "; ".join(sorted(held)[-3:]))
        finally:
            server.close()
