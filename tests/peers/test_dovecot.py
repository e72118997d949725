"""Answers compared with those of Debian's Dovecot: the same odd messages in both, the same questions. Each
difference that is meant has its reason here."""

import re

from support import Skip
from support.imap_raw import RawImap, parse
from support.instance import Instance
from support.odd_messages import MESSAGES
from support.reference import Reference, dovecot_available

SECTIONS = [
    "", "HEADER", "TEXT", "1", "1.MIME", "1.HEADER", "1.TEXT", "1.1", "1.1.MIME", "1.1.1", "1.2",
    "2", "2.MIME", "2.HEADER", "2.TEXT", "2.1", "2.1.MIME", "2.2", "2.2.MIME", "2.2.HEADER", "2.2.1",
    "2.2.TEXT", "3", "3.MIME", "4", "4.MIME", "5", "HEADER.FIELDS (Subject)",
    "HEADER.FIELDS (From To)", "HEADER.FIELDS (X-None)", "HEADER.FIELDS.NOT (From Subject Date)",
    "2.HEADER.FIELDS (Subject)", "2.HEADER.FIELDS.NOT (Subject)",
]
PARTIALS = [
    "[]<0.10>", "[]<5.20>", "[]<99999999.5>", "[TEXT]<3.7>", "[HEADER]<4.9>", "[1]<2.3>",
    "[1]<0.100000>", "[HEADER.FIELDS (Subject)]<2.7>",
]
ITEMS = (["ENVELOPE", "BODYSTRUCTURE", "BODY", "RFC822.SIZE", "RFC822.HEADER", "INTERNALDATE"] +
         ["BODY.PEEK[%s]" % s for s in SECTIONS] + ["BODY.PEEK" + p for p in PARTIALS])

NO_PARTS = "a multipart without parts has its body as one part; Dovecot shows an empty one"
NO_BLANK = "a header without an empty line behind it: one is always sent; Dovecot is of two minds"
DEBRIS = "lines that are no header field belong to no subset of the header"
NO_TYPE = "an empty or broken Content-Type is named as something, never as an empty string"
# (message, item or None for all): why our answer is another one.
KNOWN = {
    ("no body", "BODY[HEADER.FIELDS.NOT (FROM SUBJECT DATE)]"): NO_BLANK,
    ("header without a line end", "BODY[HEADER.FIELDS (SUBJECT)]"): NO_BLANK,
    ("header without a line end", "BODY[HEADER.FIELDS.NOT (FROM SUBJECT DATE)]"): NO_BLANK,
    ("body lines in the header", "BODY[HEADER.FIELDS.NOT (FROM SUBJECT DATE)]"): DEBRIS,
    ("begins with From", "BODY[HEADER.FIELDS.NOT (FROM SUBJECT DATE)]"): DEBRIS,
    ("empty fields", "BODYSTRUCTURE"): NO_TYPE,
    ("empty fields", "BODY"): NO_TYPE,
    ("broken content type", "BODYSTRUCTURE"): NO_TYPE,
    ("broken content type", "BODY"): NO_TYPE,
    ("fields twice", "ENVELOPE"): "the first Date, Subject and Message-ID count, as in clients; Dovecot takes the last",
    ("broken addresses", "ENVELOPE"): "Dovecot drops what follows a broken address",
    ("more addresses", "ENVELOPE"): "empty list elements are none, and spaces around dots are allowed (RFC 5322 4.4)",
    ("boundary missing", None): NO_PARTS,
    ("boundary never found", None): NO_PARTS,
    ("only the final boundary", None): NO_PARTS,
    ("empty parts", "BODY[2.MIME]"): "an empty line between two boundaries is the end of the part's header, not its body",
    ("message in base64", "BODY[1.HEADER]"): "Dovecot takes the encoded text for a header",
    ("message in base64", "BODY[1.1.MIME]"): "Dovecot takes the encoded text for a header",
    ("content type with bad parameters", "BODYSTRUCTURE"): "Dovecot drops a string that is not closed",
    ("content type with bad parameters", "BODY"): "Dovecot drops a string that is not closed",
}

FLAGS = ["()", "(\\Seen)", "(\\Flagged \\Answered)", "(work)", "(\\Draft \\Seen work)", "(\\Deleted)",
         "($Forwarded \\Seen)"]
# A search per line; {} is a literal.
SEARCHES = """
ALL
ANSWERED
DELETED
DRAFT
FLAGGED
NEW
OLD
RECENT
SEEN
UNANSWERED
UNDELETED
UNDRAFT
UNFLAGGED
UNSEEN
KEYWORD work
KEYWORD WORK
UNKEYWORD work
KEYWORD none
UNKEYWORD none
KEYWORD $Forwarded
FROM alice
FROM "Alice Example"
FROM example.test
FROM ""
TO bob
TO ""
TO "the third"
CC dave
CC "dave@example.test (Dave)"
BCC hidden
BCC undisclosed
SUBJECT ordinary
SUBJECT "ORDINARY MESSAGE"
SUBJECT ""
SUBJECT "one two"
SUBJECT "two three"
SUBJECT first
SUBJECT second
SUBJECT "on the next"
CHARSET UTF-8 SUBJECT {grüße}
CHARSET UTF-8 SUBJECT {GRÜSSE}
CHARSET UTF-8 SUBJECT {GRÜßE}
CHARSET UTF-8 SUBJECT {gruße}
CHARSET UTF-8 SUBJECT {an alle}
CHARSET UTF-8 SUBJECT {grüße an alle plain}
CHARSET UTF-8 FROM {Jörg}
CHARSET UTF-8 FROM {JÖRG}
CHARSET UTF-8 FROM {J}
CHARSET US-ASCII SUBJECT plain
CHARSET ISO-8859-1 SUBJECT plain
CHARSET nonsense SUBJECT plain
SUBJECT {grüße}
HEADER Subject ordinary
HEADER subject ""
HEADER X-Mailer ""
HEADER X-Mailer some
HEADER X-None ""
HEADER Message-ID "<ordinary@example.test>"
HEADER Message-ID "ordinary@example.test"
HEADER Received "from a.test"
HEADER References "<1@a> <2@a>"
HEADER References "<2@a>"
HEADER Content-Type multipart
HEADER Date 2026
HEADER From "a@example"
HEADER To "friends"
HEADER Content-Transfer-Encoding base64
HEADER X-Long word
HEADER "" x
BODY hello
BODY "HELLO BOB"
BODY "one line"
BODY "secret word"
BODY inner
BODY innermost
BODY "inner message"
BODY "Subject"
BODY "preamble"
BODY "epilogue"
BODY "between"
BODY "deep"
BODY "just text"
BODY "boundary"
BODY "--b"
BODY "iVBOR"
BODY "Content-Type"
BODY "not a message"
BODY "Final-Recipient"
BODY "text/html"
BODY "bbbbbbbbbb"
BODY "x"
BODY ""
BODY "lo ng"
BODY "long"
BODY "begin 644"
BODY "signed"
BODY "<p>"
BODY "hello</p>"
CHARSET UTF-8 BODY {grüße}
CHARSET UTF-8 BODY {GRÜßE}
CHARSET UTF-8 BODY {café}
CHARSET UTF-8 BODY {naïve}
CHARSET UTF-8 BODY {übertascht}
CHARSET UTF-8 BODY {ö}
TEXT alice
TEXT "Message-ID"
TEXT "X-Mailer: something"
TEXT "ordinary"
TEXT "hello"
TEXT "innermost"
TEXT "preamble"
TEXT "picture.png"
TEXT "mixed"
TEXT "--outer"
TEXT "the plain text"
TEXT "Subject"
TEXT "Subject: one two"
TEXT "from s@elsewhere.test"
TEXT ""
CHARSET UTF-8 TEXT {grüße}
CHARSET UTF-8 TEXT {Jörg}
CHARSET UTF-8 TEXT {café}
LARGER 100
LARGER 0
SMALLER 100
LARGER 61 SMALLER 63
SMALLER 4294967295
BEFORE 10-Aug-2026
ON 10-Aug-2026
SINCE 10-Aug-2026
ON "5-Aug-2026"
ON 05-Aug-2026
SENTBEFORE 1-Sep-2026
SENTON 1-Sep-2026
SENTON 2-Sep-2026
SENTSINCE 1-Sep-2026
SENTSINCE 1-Jan-1900
SENTBEFORE 1-Jan-1971
SENTSINCE 2-Sep-2026
NOT SENTSINCE 1-Jan-1971
NOT SENTBEFORE 1-Jan-2030
1
1:5
5:*
*
1:5,7,9:12
UID 1:5
UID 5:*
UID 999:*
UID *
999:*
99999
NOT SEEN
NOT (SEEN FLAGGED)
OR SEEN FLAGGED
OR (SEEN SUBJECT x) (FLAGGED 1:10)
OR OR SEEN FLAGGED DRAFT
NOT NOT SEEN
(ALL)
((SEEN))
SEEN UNSEEN
SEEN DRAFT
NOT 1:10
NOT UID 1:10
OR 1:3 UID 8:10
NOT (OR SEEN (NOT FLAGGED))
NOT BODY x
NOT TEXT x
NOT HEADER Subject ""
OR BODY hello SUBJECT x
ALL ALL
FOO
SUBJECT
OR SEEN
(SEEN
SEEN)
BEFORE yesterday
ON 32-Aug-2026
LARGER x
LARGER 99999999999
0
KEYWORD
KEYWORD \\Seen
HEADER Subject
UID
UID x
NOT
()
CHARSET UTF-8
"""
GUESSED = "raw 8-bit text that is no UTF-8 is taken as windows-1252"
INNER = "the headers of messages inside belong to the body (RFC 3501: BODY); Dovecot leaves out those of the last part"
NO_DATE = "a message without a date was sent on no day; Dovecot takes 1970"
KNOWN_SEARCHES = {
    'CC "dave@example.test (Dave)"': "Dovecot looks in an address list that it has written anew, without comments",
    'CHARSET UTF-8 SUBJECT {grüße}': GUESSED,
    'CHARSET UTF-8 SUBJECT {GRÜßE}': GUESSED,
    'CHARSET UTF-8 FROM {Jörg}': GUESSED,
    'CHARSET UTF-8 FROM {JÖRG}': GUESSED,
    'SUBJECT {grüße}': GUESSED,
    'CHARSET UTF-8 BODY {ö}': GUESSED,
    'CHARSET UTF-8 TEXT {grüße}': GUESSED,
    'CHARSET UTF-8 TEXT {Jörg}': GUESSED,
    'BODY inner': INNER,
    'BODY "inner message"': INNER,
    'BODY "Subject"': INNER,
    'BODY "boundary"': INNER,
    'BODY "Content-Type"': INNER,
    'BODY "x"': INNER + "; and a text of unknown encoding is searched as it is",
    'NOT BODY x': INNER,
    'NOT TEXT x': INNER,
    'TEXT "Subject"': "Dovecot does not look into an encoded message/rfc822",
    'BODY "begin 644"': "a text of unknown encoding is searched as it is",
    'BODY "just text"': NO_PARTS,
    'BODY "--b"': NO_PARTS,
    'SENTBEFORE 1-Sep-2026': NO_DATE,
    'SENTSINCE 1-Jan-1900': NO_DATE,
    'SENTBEFORE 1-Jan-1971': NO_DATE,
    'NOT SENTBEFORE 1-Jan-2030': NO_DATE,
    '999:*': "a range of sequence numbers that ends in * has the last message in it",
    'ON 32-Aug-2026': "there is no such day",
    'KEYWORD \\Seen': "the grammar wants an atom",
}


def same_part(item):
    """BODY[2.1.MIME] -> BODY[2.MIME]: what Dovecot takes n.1 of a part without parts for."""
    return re.sub(r"\.1(?=\]|\.[A-Z])", "", item, count=1)


def accepted(name, item, ours, theirs, all_theirs):
    if ours[item] == theirs[item] or (name, item) in KNOWN or (name, None) in KNOWN:
        return True
    if ours[item] is None and not theirs[item]:
        return True  # a section that does not exist: NIL, where Dovecot sends an empty string
    other = same_part(item)
    return ours[item] is None and other != item and all_theirs.get(other) == theirs[item]


def fetch_one(box, number):
    """{item: value}; Dovecot may answer in several responses."""
    found = {}
    for got in box.ok(b"FETCH", b"%d" % number, ("(%s)" % " ".join(ITEMS)).encode()):
        match = re.match(rb"\* \d+ FETCH ", got)
        if match:
            values = parse(got, match.end())[0]
            for key, value in zip(values[::2], values[1::2]):
                found[key.decode().upper()] = value
    found.pop("FLAGS", None)
    return found


class Both:
    """The two servers with the same messages in INBOX, selected."""

    def __init__(self, server, reference):
        self.boxes = [RawImap(server.port("imaps"), server.tls_context()),
                      RawImap(reference.port("imap"))]
        self.names = [name for name, text in MESSAGES.items() if text]
        for box in self.boxes:
            box.login("alice@example.test")
            for i, name in enumerate(self.names):
                box.ok(b"APPEND INBOX", FLAGS[i % len(FLAGS)].encode(),
                       b'"%2d-Aug-2026 23:30:00 +%02d00"' % (i % 28 + 1, i % 12), (MESSAGES[name],))
            box.ok(b"SELECT INBOX")


def with_both(check):
    if not dovecot_available():
        raise Skip("needs root and Dovecot 2.3 (./test --with-peers)")
    with Instance() as server, Reference(postfix=False) as reference:
        both = Both(server, reference)
        wrong = check(both)
        for box in both.boxes:
            box.close()
    assert not wrong, "\n".join(wrong)


def compare_fetch(both):
    wrong = []
    for number, name in enumerate(both.names, 1):
        ours, theirs = (fetch_one(box, number) for box in both.boxes)
        if set(ours) != set(theirs):
            wrong.append("%s: items %s" % (name, set(ours) ^ set(theirs)))
            continue
        for item in ours:
            if item == "INTERNALDATE":
                continue  # of different time zones
            if not accepted(name, item, ours, theirs, theirs):
                wrong.append("%s: %s\n   maild   %.600r\n   Dovecot %.600r" % (
                    name, item, ours[item], theirs[item]))
    return wrong


def test_fetch_as_dovecot():
    with_both(compare_fetch)


def search_parts(line):
    """Words in between go as they are; {text} is a literal."""
    parts = []
    for piece in re.split(r"(\{[^}]*\})", line):
        if piece.startswith("{"):
            parts.append((piece[1:-1].encode(),))
        elif piece.strip():
            parts.append(piece.strip().encode())
    return parts


def compare_search(both):
    wrong = []
    for line in SEARCHES.strip().splitlines():
        ours, theirs = (box.search(*search_parts(line)) for box in both.boxes)
        if ours == theirs or line in KNOWN_SEARCHES:
            continue
        if isinstance(ours, list) and isinstance(theirs, list):
            differ = set(ours) ^ set(theirs)
            ours, theirs = ([both.names[n - 1] for n in found if n in differ]
                            for found in (ours, theirs))
        wrong.append("%s\n   maild   %s\n   Dovecot %s" % (line, ours, theirs))
    return wrong


def test_search_as_dovecot():
    with_both(compare_search)
