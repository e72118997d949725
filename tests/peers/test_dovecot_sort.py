"""SORT and THREAD compared with Debian's Dovecot: conversations made at random, with all that is found in the wild, in both.
Each difference that is meant has its reason here."""

import random
import re

from support import Skip
from support.imap_raw import RawImap
from support.instance import Instance
from support.odd_messages import MESSAGES
from support.reference import Reference, dovecot_available

SUBJECTS = ["apples", "Apples", "pears", "b%C3%A4nder", "", "[list]", "plums and\r\n more", "re", "fwd", "(fwd)", "[a] [b]",
            "=?utf-8?q?apples?=", "=?utf-8?q?B=C3=84nder?=", "=?iso-8859-1?q?b=E4nder?=", "Zebra", "_under", "~tilde"]
BEFORE = ["Re: ", "RE:", "re : ", "Fwd: ", "Fw: ", "Re[2]: ", "[list] ", "[list]Re: ", "Re: [list] ", "Re: Re: ", "[Fwd: ", "  "]
NAMES = ["", "Bert", "bert", "=?utf-8?q?=C3=84nne?=", '"Zoe, the"', "anna lisa", '""']
BOXES = ["bert@example.test", "Anna@example.test", "zoe@other.test", "anna@a.test"]
COUNT = 300

KEYS = ["ARRIVAL", "CC", "DATE", "FROM", "SIZE", "SUBJECT", "TO", "DISPLAYFROM", "DISPLAYTO", "REVERSE SUBJECT",
        "REVERSE ARRIVAL", "REVERSE DATE", "SUBJECT REVERSE DATE", "FROM SUBJECT SIZE", "REVERSE DISPLAYFROM DATE",
        "CC TO FROM", "SIZE REVERSE ARRIVAL"]
SETS = ["ALL", "1:50", "NOT 1:50", "SUBJECT e", "SEEN"]


def address(r):
    name = r.choice(NAMES)
    return "%s <%s>" % (name, r.choice(BOXES)) if name else r.choice(BOXES)


def make_message(r, n):
    lines = []
    if r.random() < 0.95:
        lines.append("From: " + address(r))
    for field in ("To", "Cc"):
        if r.random() < 0.5:
            lines.append("%s: %s" % (field, ", ".join(address(r) for _ in range(r.randint(1, 3)))))
    subject = r.choice(SUBJECTS).replace("%C3%A4", "ä")
    for _ in range(r.choice((0, 0, 1, 1, 2))):
        mark = r.choice(BEFORE)
        subject = mark + subject + ("]" if mark == "[Fwd: " else "")
    if r.random() < 0.1:
        subject += " (fwd)"
    if r.random() < 0.97:
        lines.append("Subject: " + subject)
    if r.random() < 0.95:
        lines.append("Date: %s, %d Aug 2026 %02d:%02d:00 %s" % ("Mon", r.randint(1, 28), r.randint(0, 23), r.choice((0, 30)),
                                                              r.choice(("+0000", "-0800", "+0530", "GMT"))))
    if r.random() < 0.95:
        lines.append("Message-ID: <%d@x.test>" % (n if r.random() < 0.95 else r.randrange(COUNT)))
    parents = [r.randrange(COUNT + 40) if r.random() < 0.2 else max(0, n - r.randint(1, 30)) for _ in range(r.randint(1, 3))]
    kind = r.random()
    if kind < 0.4:
        lines.append("References: " + r.choice((" ", "\r\n\t", "")).join("<%d@x.test>" % p for p in parents))
    if 0.3 < kind < 0.6:
        lines.append("In-Reply-To: " + r.choice(("<%d@x.test>", "your message <%d@x.test> of today", "<\"%d\"@x.test>")) %
                     parents[-1])
    r.shuffle(lines)
    return ("\r\n".join(lines) + "\r\n\r\n" + "x" * r.randrange(40)).encode()


def tell(box, *parts):
    return [line for line in box.ok(*parts) if re.match(rb"\* (SORT|THREAD)", line)]


def is_utf8(text):
    try:
        text.decode()
        return True
    except UnicodeDecodeError:
        return False


def without_order(answer):
    """Top-level threads, sorted."""
    answer = answer.replace("* THREAD ", "")
    threads, depth, start = [], 0, 0
    for at, c in enumerate(answer):
        depth += {"(": 1, ")": -1}.get(c, 0)
        if c == ")" and depth == 0:
            threads.append(answer[start:at + 1].strip())
            start = at + 1
    return sorted(threads)


def compare(boxes):
    wrong = []
    questions = ["SORT (%s) UTF-8 %s" % (key, which) for key in KEYS for which in SETS[:2]]
    questions += ["THREAD %s UTF-8 %s" % (algorithm, which) for algorithm in ("REFERENCES", "REFS", "ORDEREDSUBJECT")
                  for which in SETS]
    for question in questions:
        ours, theirs = (b" ".join(tell(box, question.encode())).decode() for box in boxes)
        if "REFS" in question:  # the draft sorts threads by arrival, Dovecot by what the messages say of themselves
            ours, theirs = without_order(ours), without_order(theirs)
        else:
            ours, theirs = ours.split(), theirs.split()
        if ours != theirs:
            at = next((i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b), 0)
            wrong.append("%s\n   maild   ... %s\n   Dovecot ... %s" % (
                question, " ".join(ours[max(0, at - 2):at + 12]), " ".join(theirs[max(0, at - 2):at + 12])))
    return wrong


def with_both(messages):
    if not dovecot_available():
        raise Skip("needs root and Dovecot 2.3 (./test --with-peers)")
    with Instance() as server, Reference(postfix=False) as reference:
        boxes = [RawImap(server.port("imaps"), server.tls_context()), RawImap(reference.port("imap"))]
        for box in boxes:
            box.login("alice@example.test")
            for i, text in enumerate(messages):
                box.ok(b"APPEND INBOX", b"(\\Seen)" if i % 3 else b"()", b'"%2d-Aug-2026 12:%02d:00 +0000"' % (i % 28 + 1, i % 60),
                       (text,))
            box.ok(b"SELECT INBOX")
        wrong = compare(boxes)
        for box in boxes:
            box.close()
    assert not wrong, "\n".join(wrong)


def test_conversations_as_dovecot():
    r = random.Random(5256)
    with_both([make_message(r, n) for n in range(COUNT)])


def test_odd_messages_as_dovecot():
    # Raw 8-bit text that is no UTF-8 is taken as windows-1252 here.
    with_both([text for text in MESSAGES.values() if text and is_utf8(text)])
