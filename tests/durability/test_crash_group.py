"""SIGKILL in the middle of the first delivery to very many accounts: nobody loses the message, nobody has it twice."""

import os
import random
import smtplib
import threading
import time

from support import wait_for
from support.instance import Instance

MEMBERS = 700  # two records of the journal
ROUNDS = 3


def name(group, i):
    return "m%d-%04d" % (group, i)


def import_groups(server):
    """A group for each round, whose members never had any mail."""
    exported = server.mailctl("directory", "export").splitlines()
    header, columns = exported[0], exported[0].split(",")
    first = next(line for line in exported if "first@example.test" in line)
    rows = [header]
    for g in range(ROUNDS):
        members = [name(g, i) + "@example.test" for i in range(MEMBERS)]
        rows += [first.replace("first@example.test", m) for m in members]
        group = dict.fromkeys(columns, "")
        group.update(type="group", address="all%d@example.test" % g, members=" ".join(members))
        rows.append(",".join(group[c] for c in columns))
    path = os.path.join(server.directory, "groups.csv")
    with open(path, "w") as f:
        f.write("\n".join(rows) + "\n")
    server.mailctl("directory", "import", path)


def send(server, group, answers):
    text = b"From: a@b.test\r\nSubject: to group %d\r\n\r\nhello\r\n" % group
    try:
        with smtplib.SMTP("127.0.0.1", server.port("smtp"), timeout=60) as client:
            client.sendmail("sender@elsewhere.test", ["all%d@example.test" % group], text)
            answers.append(True)
    except (smtplib.SMTPException, OSError):
        answers.append(False)


def delivered(server, group):
    """How many files each member has, and what is in them."""
    counts = []
    for i in range(MEMBERS):
        new = os.path.join(server.root, "data/mail/example.test", name(group, i), "Maildir/new")
        files = os.listdir(new) if os.path.isdir(new) else []
        for f in files:
            with open(os.path.join(new, f), "rb") as message:
                assert b"Subject: to group %d\n" % group in message.read()
        counts.append(len(files))
    return counts


def test_a_group_of_accounts_that_never_had_mail():
    seed = time.time_ns() % 1000000
    chance = random.Random(seed)
    with Instance(users=("first",)) as server:
        import_groups(server)
        for group in range(ROUNDS):
            answers = []
            sender = threading.Thread(target=send, args=(server, group, answers))
            sender.start()
            # From nobody, over some, to all who have it.
            begun = chance.randrange(MEMBERS)
            last = os.path.join(server.root, "data/mail/example.test", name(group, begun), "Maildir")
            wait_for(lambda: os.path.isdir(last), "nothing is delivered")
            time.sleep(chance.random() * 0.1)
            server.kill()
            sender.join()
            server.start()
            counts = delivered(server, group)
            assert max(counts) <= 1, "seed %d: somebody has it twice" % seed
            if answers == [True]:
                assert min(counts) == 1, "seed %d: somebody has lost it" % seed
            else:
                # The sender tries again: who has it gets it once more, the others now.
                send(server, group, answers)
                assert answers == [False, True]
                expected = [c + 1 for c in counts]
                wait_for(lambda: delivered(server, group) == expected, "seed %d: not everybody got it" % seed)
        server.mailctl("store", "flush")
        member = name(ROUNDS - 1, 5) + "@example.test"
        [status] = server.mailctl_json("mailbox", "status", member, "INBOX")
        assert status["messages"] == delivered(server, ROUNDS - 1)[5] and status["uid_next"] == status["messages"] + 1
