"""A model of SMTP, submission and LMTP: what each command must be answered in each state, and which messages
are in which mailbox afterwards. It knows the RFCs and the settings below, nothing of the server's source."""

import re

LINE_MAX = 12290  # RFC 4954 4: 12288 at least, with CRLF
ERRORS_MAX, FAILURES_MAX, MESSAGES_MAX, SIZE_MAX = 12, 4, 6, 65536
CONFIG = """smtp {
    errors_max = %d
    messages_per_connection = %d
    message_size_max = %d
}
auth {
    failures_max = %d
    failure_delay = 0
}
queue {
    relay_host = 127.0.0.1:1
}
""" % (ERRORS_MAX, MESSAGES_MAX, SIZE_MAX, FAILURES_MAX)

NEW, READY, MAIL, RCPT, CHUNKS = range(5)

EXTENSIONS = {"PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8", "CHUNKING", "BINARYMIME", "DSN", "LIMITS", "HELP", "ENHANCEDSTATUSCODES"}
ON_SUBMISSION = {"DELIVERBY", "FUTURERELEASE", "MT-PRIORITY"}


class Reply:
    """An expected reply: code, enhanced code as a pattern ("" : has none), keywords of EHLO."""

    def __init__(self, code, enhanced="", keywords=None):
        self.code, self.enhanced, self.keywords = code, enhanced, keywords

    def differs(self, lines):
        text = lines[-1].decode("latin-1")
        if not re.fullmatch("(?:%s)" % self.code, text[:3]):
            return True
        if self.keywords is not None:
            return {line[4:].split()[0].decode("latin-1") for line in lines[1:]} != self.keywords
        return bool(self.enhanced) and not re.match("(?:%s) " % self.enhanced, text[4:])

    def __repr__(self):
        return ("%s %s" % (self.code, self.enhanced)).strip() + (" and %s" % sorted(self.keywords) if self.keywords is not None else "")


def decode_dotted(wire):
    """What a message is that came with DATA: lines end in LF, line ends that are none are made harmless."""
    pieces = wire.split(b"\r\n")
    return clean(b"\n".join(p[1:] if p.startswith(b".") else p for p in pieces))


def clean(text):
    """The same of lines that are split already, but for what was no line end."""
    return text.replace(b"\0", b"").replace(b"\r", b" ")


def decode_counted(wire):
    """And with BDAT."""
    text = clean(wire.replace(b"\r\n", b"\n"))
    return text if text.endswith(b"\n") or not text else text + b"\n"


class Model:
    """The server as it must be. Each method is a command and returns the replies."""

    def __init__(self, listener):
        self.listener = listener
        self.lmtp = listener == "lmtp"
        self.submission = listener in ("submission", "submissions", "local")
        self.tls = listener == "submissions"
        self.has_starttls = listener in ("smtp", "submission")
        self.login, self.closed = None, False
        self.errors = self.failures = self.messages = self.idle = 0
        self.state, self.extended = NEW, False
        self.recipients, self.refused, self.chunks = [], 0, b""
        self.utf8 = self.binary = self.null_sender = False
        self.accepted = []  # (mailbox, message) of every 250

    # --- replies ---

    def error(self, code, enhanced):
        """The client's fault."""
        self.errors += 1
        if self.errors < ERRORS_MAX:
            return [Reply(code, enhanced)]
        self.closed = True
        return [Reply(code, enhanced), Reply(421, r"4\.7\.0")]

    def close(self, code, enhanced=r"\d\.\d\.\d"):
        self.closed = True
        return [Reply(code, enhanced)]

    def out_of_sequence(self):
        return self.error(503, r"5\.5\.1")

    def no_recipients(self):
        """RFC 5321 3.3, RFC 2033 4.2; no news after refused recipients."""
        if not self.refused:
            return self.out_of_sequence()
        return [Reply(503 if self.lmtp else 554, r"5\.5\.1")]

    def may_relay(self):
        return not self.lmtp and (self.login is not None or self.listener == "local")

    # --- session ---

    def reset(self):
        self.state = min(self.state, READY)
        self.recipients, self.refused, self.chunks = [], 0, b""
        self.utf8 = self.binary = self.null_sender = False

    def has_login(self):
        """Is AUTH offered?"""
        return self.submission and self.tls and self.login is None

    def keywords(self):
        found = set(EXTENSIONS)
        if self.submission:
            found |= ON_SUBMISSION
        if self.has_starttls and not self.tls:
            found.add("STARTTLS")
        if self.tls:
            found.add("REQUIRETLS")
        if self.has_login():
            found.add("AUTH")
        if self.login:
            found.add("ETRN")
        return found

    def hello(self, verb, well_formed=True):
        if (verb == "LHLO") != self.lmtp:
            return self.unknown()
        if not well_formed:
            return self.error(501, r"5\.5\.4")
        self.state = READY
        self.reset()
        self.extended = verb != "HELO"
        return [Reply(250, keywords=self.keywords())] if self.extended else [Reply(250)]

    def unknown(self):
        return self.error(500, r"5\.5\.2")

    def missing(self):
        return self.error(502, r"5\.5\.1")

    def rset(self):
        self.reset()
        return [Reply(250, r"2\.0\.0")]

    def noop(self):
        return [Reply(250, r"2\.0\.0")]

    def help(self):
        return [Reply(214, r"2\.0\.0")]

    def verify(self, argument):
        if self.state == CHUNKS:
            return self.out_of_sequence()
        return [Reply(252, r"2\.5\.2")] if argument else self.error(501, r"5\.5\.4")

    def quit(self):
        return self.close(221, r"2\.0\.0")

    def starttls(self, argument=False, more=False):
        """more: something came behind it in the same packet."""
        if self.state not in (READY, MAIL, RCPT):
            return self.out_of_sequence()
        if argument:
            return self.error(501, r"5\.5\.4")
        if self.tls:
            return self.out_of_sequence()
        if not self.has_starttls:
            return self.error(502, r"5\.5\.1")
        if more:
            return self.close(554, r"5\.5\.0")
        return [Reply(220, r"2\.0\.0")]

    def secured(self):
        self.state, self.tls, self.login = NEW, True, None
        self.reset()
        self.extended = False

    def etrn(self):
        if self.lmtp:
            return self.unknown()
        if self.state != READY:
            return self.out_of_sequence()
        return [Reply(251, r"2\.0\.0")] if self.login else self.error(459, r"4\.7\.0")

    # --- AUTH (RFC 4954) ---

    def auth_refusal(self):
        """None: the exchange begins."""
        if self.lmtp:
            return self.unknown()
        if self.state != READY:
            return self.out_of_sequence()
        if not self.submission:
            return self.error(502, r"5\.5\.1")
        if self.login:
            return self.out_of_sequence()
        if not self.tls:
            return self.error(538, r"5\.7\.11")
        return None

    def authenticated(self, user):
        self.login = user
        return [Reply(235, r"2\.7\.0")]

    def denied(self):
        self.failures += 1
        replies = [Reply(535, r"5\.7\.8")]
        return replies + self.close(421) if self.failures >= FAILURES_MAX else replies

    # --- transaction ---

    def mail(self, wrong=None, utf8=False, binary=False, null_sender=False):
        """wrong: (code, enhanced) of an argument that has a fault."""
        if self.state != READY:
            return self.out_of_sequence()
        if self.submission and not self.may_relay():
            return self.error(530, r"5\.7\.0")
        if self.messages >= MESSAGES_MAX:
            return self.close(421)
        if wrong:
            return self.error(*wrong)
        self.state, self.utf8, self.binary, self.null_sender = MAIL, utf8, binary, null_sender
        return [Reply(250, r"2\.\d\.\d")]

    def rcpt(self, kind, mailbox=None):
        """kind: ok, unknown, away, or (code, enhanced)."""
        if self.state not in (MAIL, RCPT):
            return self.out_of_sequence()
        if isinstance(kind, tuple):
            return self.error(*kind)
        if kind == "unknown" or (kind == "away" and not self.may_relay()):
            self.refused += 1  # no error: the clients of the tests are trusted
            return [Reply(550, r"5\.1\.1" if kind == "unknown" else r"5\.7\.1")]
        self.state = RCPT
        self.recipients.append(mailbox)
        return [Reply(250, r"2\.1\.5")]

    def data(self, argument=False):
        """354: the message follows."""
        if self.state == MAIL:
            return self.no_recipients()
        if self.state != RCPT:
            return self.out_of_sequence()
        if argument:
            return self.error(501, r"5\.5\.4")
        return self.out_of_sequence() if self.binary else [Reply(354)]  # RFC 3030 3

    def message(self, text, size):
        """The end of the data. size: with CRLF."""
        times = len(self.recipients) if self.lmtp else 1
        self.messages += 1
        recipients = self.recipients
        nobody = self.submission and not self.login and self.null_sender and b"\nFrom:" not in text
        self.reset()
        if nobody and size <= SIZE_MAX:  # RFC 6409 8: there is nobody who could stand in From
            return self.error(550, r"5\.6\.0")
        if size > SIZE_MAX:
            return [Reply(552, r"5\.3\.4")] * (times - 1) + self.error(552, r"5\.3\.4")
        for mailbox in set(recipients) - {None}:
            self.accepted.append((mailbox, text))
        return [Reply(250, r"2\.1\.5" if self.lmtp else r"2\.0\.0")] * times

    def chunk(self, size, last, body):
        if size > SIZE_MAX and self.state not in (RCPT, CHUNKS):
            return self.close(552, r"5\.3\.4")
        if self.state == MAIL:
            return self.no_recipients()
        if self.state not in (RCPT, CHUNKS):
            return self.out_of_sequence()
        self.state = CHUNKS
        self.chunks += body
        if not last:
            return [Reply(250, r"2\.0\.0")]
        text = decode_counted(self.chunks)
        return self.message(text, len(text) + text.count(b"\n"))

    def chunk_malformed(self):
        return self.close(501, r"5\.5\.4")
