"""Results that are kept up to date (RFC 5267): a client that applies what it is told always has what a new search would give,
whatever other sessions do."""

import random
import re

from support.imap_raw import RawImap
from support.instance import Instance

KEYS = [("UID SEARCH", "", "FLAGGED"), ("UID SEARCH", "", "OR DELETED SUBJECT a"), ("UID SORT", "(SUBJECT) UTF-8 ", "UNDELETED"),
        ("UID SORT", "(REVERSE SIZE ARRIVAL) UTF-8 ", "NOT KEYWORD work"), ("UID SORT", "(FROM) UTF-8 ", "ALL")]
FLAGS = ["\\Flagged", "\\Deleted", "work", "\\Seen"]


def numbers(text):
    found = []
    for part in filter(None, text.split(",")):
        first, _, last = part.partition(":")
        found += range(int(first), int(last or first) + 1)
    return found


def apply(results, line):
    """One ESEARCH response to the lists, by tag."""
    tag = re.match(r'\* ESEARCH \(TAG "(\w+)"\) UID', line).group(1)
    mine = results[tag]
    for name, pairs in re.findall(r"(ADDTO|REMOVEFROM) \(([^)]*)\)", line):
        words = pairs.split()
        for position, uids in zip(map(int, words[::2]), map(numbers, words[1::2])):
            if name == "REMOVEFROM" and position:
                assert mine[position - 1:position - 1 + len(uids)] == uids, line
            if name == "REMOVEFROM":
                mine[:] = [uid for uid in mine if uid not in uids]
            elif position:
                mine[position - 1:position - 1] = uids
            else:
                mine[:] = sorted(mine + uids)


def message(r):
    return ("From: %s@example.test\r\nSubject: %s%s\r\n\r\n%s" % (r.choice("abcde"), r.choice(("", "Re: ")), r.choice("abAB"),
                                                               "x" * r.randrange(9))).encode()


def change(r, box):
    kind = r.random()
    if kind < 0.3:
        box.ok(b"APPEND INBOX", b"(%s)" % r.choice(FLAGS).encode(), (message(r),))
    elif kind < 0.9:
        first = r.randint(1, 60)
        box.ok(b"UID STORE %d:%d %sFLAGS.SILENT (%s)" % (first, first + r.randrange(6), r.choice((b"+", b"-")),
                                                        r.choice(FLAGS).encode()))
    else:
        box.ok(b"EXPUNGE")


def told(lines):
    return [line.decode() for line in lines if line.startswith(b"* ESEARCH")]


def test_random_changes():
    r = random.Random(5267)
    with Instance() as server:
        one, two = (RawImap(server.port("imaps"), server.tls_context()).login("alice@example.test") for _ in range(2))
        for _ in range(20):
            two.ok(b"APPEND INBOX", (message(r),))
        for box in (one, two):
            box.ok(b"SELECT INBOX")
        results = {}
        for command, criteria, keys in KEYS:
            lines = told(one.ok(("%s RETURN (ALL UPDATE) %s%s" % (command, criteria, keys)).encode()))
            results["t%d" % one.tags] = numbers((re.findall(r"ALL (\S+)", lines[0]) or [""])[0])
        for _ in range(150):
            for _ in range(r.randrange(4)):
                change(r, two)
            lines = one.ok(r.choice((b"NOOP", b"FETCH 1 (UID)", b"UID FETCH 1:* (UID)")))
            if r.random() < 0.2:
                lines += one.ok(b"UID STORE %d +FLAGS (%s)" % (r.randint(1, 60), r.choice(FLAGS).encode()))
            for line in told(lines):
                apply(results, line)
            for line in told(one.ok(b"NOOP")):
                apply(results, line)
            for (command, criteria, keys), (tag, mine) in zip(KEYS, results.items()):
                lines = told(one.ok(("%s RETURN (ALL) %s%s" % (command, criteria, keys)).encode()))
                truth = numbers((re.findall(r"ALL (\S+)", lines[0]) or [""])[0])
                assert mine == truth, (keys, criteria, mine, truth)
        one.close()
        two.close()
