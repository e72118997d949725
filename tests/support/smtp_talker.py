"""Random sessions for the model of SMTP (smtp_model.py), each made of its seed alone: commands right and wrong,
in and out of their states. The outcome is a list of flights, which can be sent at once (RFC 2920), each with
its replies in order."""

import base64
import random

from .smtp_model import CHUNKS, LINE_MAX, MAIL, RCPT, READY, SIZE_MAX, Model, Reply, decode_dotted

CRLF = b"\r\n"

ADDRESSES = (  # of senders: (path, wrong, needs SMTPUTF8)
    ("<s@elsewhere.test>", None), ("<>", None), ('<"two words"@elsewhere.test>', None), ("<@a.test,@b.test:s@elsewhere.test>", None),
    ("<s@[192.0.2.1]>", None), ("<s@[IPv6:2001:db8::1]>", None), (" <s@elsewhere.test>", None), ('<"a>b"@elsewhere.test>', None),
    ("<!#$%&'*+-/=?^_`{|}~@elsewhere.test>", None), ("<%s@elsewhere.test>" % ("a" * 255), None),
    ("<%s@elsewhere.test>" % ("a" * 256), (501, r"5\.1\.7")), ("<a@b@c.test>", (501, r"5\.1\.7")), ("<.a@elsewhere.test>", (501, r"5\.1\.7")),
    ("<a..b@elsewhere.test>", (501, r"5\.1\.7")), ("<s@elsewhere..test>", (501, r"5\.1\.7")), ("<s@-elsewhere.test>", (501, r"5\.1\.7")),
    ("<s@[192.0.2.256]>", (501, r"5\.1\.7")), ("<s@[]>", (501, r"5\.1\.7")), ("<@s@elsewhere.test>", (501, r"5\.1\.7")),
    ('<"s@elsewhere.test>', (501, r"5\.5\.4")), ("s@elsewhere.test", (501, r"5\.5\.4")), ("<s@elsewhere.test", (501, r"5\.5\.4")),
    ("", (501, r"5\.5\.4")), ("<s@elsewhere.test>x", (501, r"5\.5\.4")), ("<<s@elsewhere.test>>", (501, r"5\.[15]\.[47]")),
    ("<s @elsewhere.test>", (501, r"5\.1\.7")), ("<s@elsewhere.test\t>", (501, r"5\.1\.7")), ("<s(comment)@elsewhere.test>", (501, r"5\.1\.7")))
PARAMETERS = (  # (text, wrong)
    ("SIZE=10", None), ("SIZE=0", None), ("SIZE=65536", None), ("SIZE=65537", (552, r"5\.3\.4")), ("SIZE=-1", (501, r"5\.5\.4")),
    ("SIZE", (501, r"5\.5\.4")), ("SIZE=99999999999999999999", (501, r"5\.5\.4")), ("BODY=8BITMIME", None), ("body=7bit", None), ("BODY=BINARYMIME", None),
    ("BODY=9BIT", (501, r"5\.5\.4")), ("SMTPUTF8", None), ("SMTPUTF8=x", (501, r"5\.5\.4")), ("AUTH=<>", None),
    ("AUTH=s+40elsewhere.test", None), ("AUTH=<s@elsewhere.test>", None), ("AUTH=+4", (501, r"5\.5\.4")), ("AUTH=", (501, r"5\.5\.4")), ("RET=HDRS", None), ("RET=ALL", (501, r"5\.5\.4")),
    ("ENVID=a+2Bb", None), ("ENVID=", (501, r"5\.5\.4")), ("ENVID=+", (501, r"5\.5\.4")), ("NOTIFY=NEVER", (555, r"5\.5\.4")),
    ("X=Y", (555, r"5\.5\.4")), ("=", (555, r"5\.5\.4")), ("SIZE=1 SIZE=1", (501, r"5\.5\.4")))
ON_SUBMISSION = (  # elsewhere not known
    ("BY=300;R", None), ("BY=-1;NT", None), ("BY=0;R", (501, r"5\.5\.4")), ("BY=1", (501, r"5\.5\.4")), ("MT-PRIORITY=3", None),
    ("MT-PRIORITY=-9", None), ("MT-PRIORITY=10", (501, r"5\.5\.2")), ("HOLDFOR=0", (501, r"5\.5\.4")), ("HOLDFOR=99999999", (501, r"5\.5\.4")),
    ("HOLDUNTIL=2020-01-01T00:00:00Z", (501, r"5\.5\.4")), ("HOLDUNTIL=tomorrow", (501, r"5\.5\.4")))
RECIPIENT_PARAMETERS = (
    ("NOTIFY=NEVER", None), ("NOTIFY=SUCCESS,FAILURE", None), ("NOTIFY=NEVER,DELAY", (501, r"5\.5\.4")), ("NOTIFY=", (501, r"5\.5\.4")),
    ("ORCPT=rfc822;a+40b.test", None), ("ORCPT=a", (501, r"5\.5\.4")), ("SIZE=1", (555, r"5\.5\.4")), ("RET=FULL", (555, r"5\.5\.4")),
    ("NOTIFY=DELAY NOTIFY=DELAY", (501, r"5\.5\.4")))
RECIPIENTS = (  # (path, kind, mailbox)
    ("<alice@example.test>", "ok", "alice"), ("<bob@example.test>", "ok", "bob"), ("<Alice@EXAMPLE.Test>", "ok", "alice"),
    ('<"alice"@example.test>', "ok", "alice"), ("<@relay.test:bob@example.test>", "ok", "bob"), ("<nobody@example.test>", "unknown", None),
    ("<x@elsewhere.test>", "away", None), ("<>", (501, r"5\.1\.3"), None), ("<alice@example.test", (501, r"5\.5\.4"), None),
    ("<@example.test>", (501, r"5\.1\.3"), None), ("<alice@example.test.>", (501, r"5\.1\.3"), None), ("alice@example.test", (501, r"5\.5\.4"), None),
    ("<al\xc3\xafce@example.test>", (553, r"5\.6\.7"), None))
COMMANDS_NOT_KNOWN = ("", "FOO", "MAI FROM:<>", "EHLOX c.test", "\xff\xfe", "mail\xa0from:<>", "RCPTTO:<alice@example.test>", ".", "x" * 600)


def plain(user, password):
    return base64.b64encode(b"\0%s@example.test\0%s" % (user.encode(), password.encode())).decode()


def encoded(text):
    return base64.b64encode(text.encode()).decode()


class Flight:
    """Bytes that go out without waiting, with their replies: (offset of the end, replies). then: "tls", "noise" or None."""

    def __init__(self):
        self.wire, self.expected, self.then = b"", [], None
        self.accepted = []  # (offset, mailbox, message)


class Talker:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.seed, self.tokens = seed, 0
        self.care = self.one(2, 6, 30)  # one in so many is meant to be wrong
        self.listener = self.one("smtp", "smtp", "submission", "submissions", "submissions", "local", "lmtp")
        self.model = Model(self.listener)
        self.flights = [Flight()]
        greeting = [Reply(220)]
        self.flights[0].expected.append((0, greeting))

    def one(self, *choices):
        return self.random.choice(choices)

    def chance(self, of):
        return self.random.randrange(of) == 0

    def add(self, wire, replies):
        flight = self.flights[-1]
        flight.wire += wire
        flight.expected.append((len(flight.wire), replies))
        known = sum(len(f.accepted) for f in self.flights)
        flight.accepted += [(len(flight.wire), *item) for item in self.model.accepted[known:]]

    def line(self, text, replies):
        self.add(text.encode("latin-1") + self.one(CRLF, CRLF, CRLF, CRLF, b"\n", b" \r\n"), replies)

    # --- commands ---

    def case(self, verb):
        return self.one(verb, verb, verb, verb.lower(), verb.title())

    def hello(self):
        verb = self.one("EHLO", "EHLO", "EHLO", "HELO", "LHLO") if self.chance(3) else "LHLO" if self.listener == "lmtp" else "EHLO"
        name, good = self.one(("c.test", True), ("[127.0.0.1]", True), ("x" * 255, True), ("", False), ("x" * 256, False), ("a(b", False)) \
            if self.chance(3) else ("c.test", True)
        self.line(("%s %s" % (self.case(verb), name)).rstrip(), self.model.hello(verb, good))

    def mail(self):
        model = self.model
        path, wrong = self.one(*ADDRESSES) if self.chance(self.care) else ADDRESSES[0]
        text, utf8, binary = path, False, False
        if self.chance(self.care) and not wrong:
            parameter, wrong = self.one(*PARAMETERS, *ON_SUBMISSION)
            if (parameter, wrong) in ON_SUBMISSION and not model.submission:
                wrong = (555, r"5\.5\.4")
            text += " " + parameter
            utf8, binary = parameter == "SMTPUTF8", parameter == "BODY=BINARYMIME"
            if not model.extended:  # a client that said HELO knows of none
                wrong = (555, r"5\.5\.4")
        verb = self.one("MAIL FROM:", "MAIL FROM:", "mail from:", "Mail From:")
        self.line(verb + text, model.mail(wrong, utf8, binary, path == "<>"))

    def rcpt(self):
        model = self.model
        path, kind, mailbox = self.one(*RECIPIENTS) if self.chance(self.care) else self.one(*RECIPIENTS[:2])
        if "\xc3" in path and model.utf8:
            kind = "unknown"
        text = path
        if self.chance(self.care) and not isinstance(kind, tuple):
            parameter, wrong = self.one(*RECIPIENT_PARAMETERS)
            text += " " + parameter
            if not model.extended:
                wrong = (555, r"5\.5\.4")
            kind = wrong or kind
        self.line(self.one("RCPT TO:", "RCPT TO:", "rcpt to:", "RCPT TO: ") + text, model.rcpt(kind, mailbox))

    def text(self):
        """A message with a mark of its own; how it comes over the wire."""
        self.tokens += 1
        head = "X-Model: %d.%d\r\n" % (self.seed, self.tokens)
        if self.chance(2):
            head += "From: <s@elsewhere.test>\r\nSubject: a\r\n folded\r\n"
        pieces = ("line\r\n", ".\r\n", "..\r\n", ". \r\n", ".x\r\n", "\r\n", "RSET\r\n", "QUIT\r\n", "x\n", "\n.\n", "\r.\r", "\n.\r\n", "\r\n.\n",
                  "\r.\r\n", "\0", "a\0b", "\xe4\xff\r\n", "\r\r\n", "\r", "y" * 2000 + "\r\n", "z" * 70 + "\r\n", "MAIL FROM:<evil@example.test>\r\n")
        body = "".join(self.one(*pieces) for _ in range(self.one(0, 1, 5, 20)))
        if self.chance(15):
            body += ("w" * 98 + "\r\n") * self.one(200, 1000)
        return (head + "\r\n" + body).encode("latin-1")

    def data(self):
        argument = self.chance(12)
        replies = self.model.data(argument)
        self.line(self.case("DATA") + (" x" if argument else ""), replies)
        if replies[0].code != 354:
            return
        text = self.text()
        wire = b"\r\n".join(b"." + p if p.startswith(b".") and not self.chance(9) else p for p in text.split(b"\r\n"))
        while b"\r\n.\r\n" in wire:  # a dot that was not stuffed ended it
            wire = wire.replace(b"\r\n.\r\n", b"\r\n..\r\n")
        if not wire.endswith(b"\r\n"):
            wire += b"\r\n"
        stored = decode_dotted(wire)
        self.add(wire + b".\r\n", self.model.message(stored, len(stored) + stored.count(b"\n")))

    def chunk(self):
        model = self.model
        if self.chance(30):
            self.line("BDAT " + self.one("", "x", "-1", "1 FIRST", "1 LAST x", "99999999999999999999", "0x1"), model.chunk_malformed())
            return
        if self.chance(40) and model.state not in (RCPT, CHUNKS):
            self.line("BDAT 99999999", model.chunk(99999999, False, b""))
            return
        body = self.text() if model.state == RCPT or model.state < MAIL else self.one(b"", b"more\r\n", b"\n", b"\r", b".\r\n", b"q" * 3000)
        cut = self.random.randrange(len(body) + 1) if self.chance(2) else len(body)
        if model.state == RCPT:  # the mark comes whole
            cut = max(cut, body.index(b"\r\n\r\n") + 4)
        body = body[:cut]
        last = not self.chance(3)
        head = b"%s %d%s\r\n" % (self.case("BDAT").encode(), len(body), self.one(b" LAST", b" last", b" LAST ") if last else b"")
        at_once = len(body) > SIZE_MAX and model.state not in (RCPT, CHUNKS)  # is too large, and not expected
        replies = model.chunk(len(body), last, body)
        wait = 0 if at_once else len(body)
        self.add(head + body[:wait], replies)
        self.add(body[wait:], [])

    def transaction(self):
        for command in [self.mail] + [self.rcpt] * self.one(1, 1, 2, 4):
            if not self.model.closed:
                command()
        if not self.model.closed:
            self.one(self.data, self.data, self.chunk)()

    def auth(self):
        model = self.model
        refusal = model.auth_refusal()
        how = self.one("good", "good", "good", "good later", "login", "wrong", "nobody", "cancel", "no base64", "no base64 later", "none", "unknown",
                       "cancel login", "no login", "cancel password")
        user = self.one("alice", "bob")
        initial = {"good": "PLAIN " + plain(user, "secret"), "wrong": "plain " + plain(user, "terces"), "nobody": "PLAIN " + plain("nobody", "secret"),
                   "no base64": "PLAIN a!b", "none": "", "unknown": "X-FOO"}
        if refusal or how in initial:
            denied = how in ("wrong", "nobody")
            if not refusal:
                refusal = (model.authenticated(user) if how == "good" else model.denied() if denied else
                           model.error(504, r"5\.5\.4") if how == "unknown" else model.error(501, r"5\.5\.4") if how == "none" else
                           model.error(501, r"5\.5\.2"))
            self.line(("AUTH " + initial.get(how, initial["good"])).rstrip(), refusal)
            return
        going_on = [Reply(334)]
        if how in ("good later", "cancel", "no base64 later"):
            self.line("AUTH PLAIN", going_on)
            text = {"good later": plain(user, "secret"), "cancel": "*", "no base64 later": "MAIL FROM:<>"}[how]
            self.response(text, model.authenticated(user) if how == "good later" else model.error(501, r"5\.7\.0|5\.5\.2"))
            return
        self.line("AUTH LOGIN", going_on)
        if how == "cancel login" or how == "no login":
            self.response(*(("*", model.error(501, r"5\.7\.0")) if how == "cancel login" else ("!", model.error(501, r"5\.5\.2"))))
            return
        self.response(encoded(user + "@example.test"), going_on)
        if how == "login":
            self.response(encoded("secret"), model.authenticated(user))
        else:
            self.response("*", model.error(501, r"5\.7\.0"))

    def response(self, text, replies):
        self.add(text.encode() + CRLF, replies)

    def starttls(self):
        model = self.model
        argument = self.chance(6)
        begins = model.has_starttls and not model.tls and not argument and model.state in (READY, MAIL, RCPT)
        if not begins:
            self.line("STARTTLS" + (" x" if argument else ""), model.starttls(argument))
            return
        self.flights.append(Flight())  # what is before it has been answered
        how = self.one("tls", "tls", "tls", "tls", "packet", "packets")
        if how == "packet":
            self.add(b"STARTTLS\r\n" + self.one(b"RSET\r\n", b"X", b"\r\n", b"EHLO c.test\r\nMAIL FROM:<>\r\n"), model.starttls(more=True))
            return
        self.add(b"STARTTLS\r\n", model.starttls())
        if how == "packets":
            self.flights[-1].then = "noise"
            model.closed = True
            return
        model.secured()
        self.flights[-1].then = "tls"
        self.flights.append(Flight())

    def small(self):
        model = self.model
        text, answer = self.one(
            ("RSET", model.rset), ("NOOP", model.noop), ("noop anything", model.noop), ("HELP", model.help), ("HELP MAIL", model.help),
            ("VRFY alice", lambda: model.verify(True)), ("VRFY", lambda: model.verify(False)), ("EXPN list", lambda: model.verify(True)), ("EXPN", lambda: model.verify(False)),
            ("TURN", model.missing), ("SEND FROM:<a@b.test>", model.missing), ("ETRN example.test", model.etrn),
            ("RSET x", lambda: model.error(501, r"5\.5\.4")), ("HELP FOO", lambda: model.error(504, r"5\.5\.4")),
            ("QUIT x", lambda: model.error(501, r"5\.5\.4")))
        self.line(text, answer())

    def junk(self):
        text = self.one(*COMMANDS_NOT_KNOWN)
        self.line(text, self.model.unknown())

    def long_line(self):
        self.add(b"NOOP " + b"x" * (LINE_MAX + 1), self.model.unknown())
        self.add(b"x" * self.one(0, 0, 8000, 60000) + CRLF, [])

    def farewell(self):
        text, replies = self.one(("QUIT", self.model.quit), ("GET / HTTP/1.1", lambda: self.model.close(421)), ("quit", self.model.quit))
        self.line(text, replies())

    def session(self):
        """The commands; until the model closes, or enough."""
        count = self.one(3, 10, 25, 40)
        if not self.chance(8):
            self.hello()
        if self.model.submission and not self.chance(6):
            for command in (self.starttls, self.hello, self.auth):
                if not self.model.closed:
                    command()
        while count and not self.model.closed:
            count -= 1
            self.one(*[self.transaction] * 4 * self.care, *[self.mail, self.rcpt, self.data, self.chunk, self.small] * 2, self.hello, self.auth,
                     self.starttls, self.junk, self.long_line if self.chance(5) else self.small, self.farewell if self.chance(4) else self.small)()
        return self.flights
