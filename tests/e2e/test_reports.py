"""Reports as programs read them: parsed by Python's email package, held against the grammar of RFC 3464."""

import email
import email.policy
import re
import smtplib

from support import wait_for
from support.instance import Instance
from support.mail import imap_bodies, loose_tls
from support.smtp_sink import SmtpSink

TEXT = "From: alice@example.test\r\nSubject: out\r\nMessage-ID: <orig@example.test>\r\n\r\nbody\r\n"

ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
TYPED = r"%s; ?\S.*" % ATOM
DATE = r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d? (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d [+-]\d{4}"
PER_MESSAGE = {"original-envelope-id": r".+", "reporting-mta": TYPED, "dsn-gateway": TYPED,
               "received-from-mta": TYPED, "arrival-date": DATE, "x-maild-queue-id": r"\S+",
               "deliver-by-date": DATE, "future-release-request": r"(for;\d+|until;\S+)"}
PER_RECIPIENT = {"original-recipient": TYPED, "final-recipient": TYPED,
                 "action": r"(failed|delayed|delivered|relayed|expanded)", "status": r"[245]\.\d{1,3}\.\d{1,3}",
                 "remote-mta": TYPED, "diagnostic-code": TYPED, "last-attempt-date": DATE,
                 "final-log-id": r".+", "will-retry-until": DATE}


def fields_of(block, allowed, required):
    """Checks a group of fields; a dictionary of them."""
    found = {}
    unfolded = re.sub(r"\r?\n[ \t]+", " ", block)
    for line in unfolded.splitlines():
        name, colon, value = line.partition(":")
        assert colon and re.fullmatch(r"[!-9;-~]+", name), line
        name = name.lower()
        assert name in allowed, line
        assert name not in found, "twice: " + line
        assert re.fullmatch(allowed[name], value.strip()), line
        found[name] = value.strip()
    for name in required:
        assert name in found, "%s is missing in %r" % (name, block)
    return found


def parse(raw):
    """(text for people, fields of the message, fields of each recipient, the original's header)"""
    for line in raw.split(b"\r\n"):
        assert len(line) <= 998, line
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert message["Return-Path"] == "<>", message["Return-Path"]
    assert message["Auto-Submitted"].startswith("auto-"), message["Auto-Submitted"]
    assert message.get_content_type() == "multipart/report"
    assert message["Content-Type"].params["report-type"] == "delivery-status"
    assert not message.defects and message["From"] and message["Message-ID"] and message["Date"].datetime
    text, status, original = message.iter_parts()
    assert text.get_content_type() == "text/plain" and not text.defects
    assert status.get_content_type() in ("message/delivery-status", "message/global-delivery-status")
    # The package reads it as a message of its own; the grammar is checked on the bytes.
    boundary = message.get_boundary().encode()
    part = raw.split(b"--" + boundary)[2].decode()
    blocks = [b for b in part.replace("\r\n", "\n").split("\n\n")[1:] if b.strip()]
    per_message = fields_of(blocks[0], PER_MESSAGE, ["reporting-mta"])
    recipients = [fields_of(b, PER_RECIPIENT, ["final-recipient", "action", "status"]) for b in blocks[1:]]
    assert recipients
    assert original.get_content_type() in ("text/rfc822-headers", "message/rfc822", "message/global-headers")
    return text.get_content(), per_message, recipients, original.as_string()


def reports(server, user="alice", count=1):
    return wait_for(lambda: [parse(m) for m in imap_bodies(server, user).values()]
                    if len(imap_bodies(server, user)) == count else None)


def hand_in(server, recipients, options=(), mail_options=(), text=TEXT):
    with smtplib.SMTP("127.0.0.1", server.port("submission")) as s:
        s.starttls(context=loose_tls())
        s.login("alice@example.test", "secret")
        s.sendmail("alice@example.test", recipients, text, mail_options=mail_options, rcpt_options=options)


def instance(sink, queue=""):
    server = Instance()
    server.add_config("queue {\n    relay_host = [127.0.0.1]:%d\n    retry_first = 1s\n    retry_max = 2s\n    %s\n}\n"
                      % (sink.port, queue))
    return server


def test_failures_of_many_kinds():
    def replies(verb, command):
        if verb == "RCPT" and "unknown" in command:
            return "550-5.1.1 There is nobody of that name,\r\n550 5.1.1 and there never was."
        if verb == "RCPT" and "full" in command:
            return "550 5.2.2 mailbox full"
        if verb == "RCPT" and "odd" in command:
            return "554 you\x01 are (not) \"liked\"; <here>"
    sink = SmtpSink(replies)
    with instance(sink, 'report_text = "Our help desk: extension 123"') as server:
        hand_in(server, ["unknown@far.test", "unknown2@far.test", "full@far.test", "odd@far.test", "good@far.test"],
                mail_options=["ENVID=QQ314159", "RET=HDRS"])
        (text, message, recipients, original), = reports(server)
        assert message["original-envelope-id"] == "QQ314159" and "arrival-date" in message, message
        by_address = {r["final-recipient"].split(";")[1].strip(): r for r in recipients}
        assert sorted(by_address) == ["full@far.test", "odd@far.test", "unknown2@far.test", "unknown@far.test"]
        for r in recipients:
            assert r["action"] == "failed" and r["remote-mta"].startswith("dns;"), r
            assert "last-attempt-date" in r and "will-retry-until" not in r and "final-log-id" in r, r
        assert by_address["full@far.test"]["status"] == "5.2.2"
        assert "550 5.2.2 mailbox full" in by_address["full@far.test"]["diagnostic-code"]
        assert "Your message to 2 recipients could not be delivered" in text, text
        assert "mailbox is full" in text and "there never was" in text and "extension 123" in text, text
        assert "good@far.test" not in text and "Message-ID: <orig@example.test>" in original


def test_delay_then_failure():
    sink = SmtpSink(lambda verb, command: "451 4.7.1 greylisted" if verb == "RCPT" else None)
    with instance(sink, "delay_warning = 2s\n    lifetime = 8s") as server:
        hand_in(server, ["x@far.test"])
        first, second = sorted(reports(server, count=2), key=lambda r: r[2][0]["action"])
        text, _, (recipient,), _ = first
        assert recipient["action"] == "delayed" and recipient["status"] == "4.7.1", recipient
        assert "will-retry-until" in recipient, recipient
        assert "not be delivered yet" in text and "next attempt is made at" in text.replace("\n", " "), text
        text, _, (recipient,), _ = second
        assert recipient["action"] == "failed" and "451 4.7.1 greylisted" in text, (recipient, text)


def test_success():
    sink = SmtpSink()
    with instance(sink) as server:
        hand_in(server, ["bob@example.test"], options=["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;Bob+2B1@example.test"])
        (text, _, (recipient,), _), = reports(server)
        assert recipient["action"] == "delivered" and recipient["status"].startswith("2."), recipient
        assert recipient["original-recipient"] == "rfc822;Bob+1@example.test", recipient
        assert "was delivered to the mailbox" in text, text


def test_notify_never_and_null_sender():
    sink = SmtpSink(lambda verb, command: "550 5.1.1 no" if verb == "RCPT" else None)
    with instance(sink) as server:
        hand_in(server, ["x@far.test"], options=["NOTIFY=NEVER"])
        wait_for(lambda: "no report wanted" in server.log())
        # From the null sender: to the postmaster, that is alice here.
        with smtplib.SMTP("127.0.0.1", server.port("local")) as s:
            s.sendmail("", ["y@far.test"], "From: x@far.test\r\nSubject: a report of others\r\n\r\n")
        (text, _, (recipient,), _), = reports(server)
        assert recipient["final-recipient"].endswith("y@far.test"), recipient
        assert "writing to its postmaster" in text, text


def test_international():
    sink = SmtpSink(lambda verb, command: "550 5.1.1 no" if verb == "RCPT" else None)
    with instance(sink) as server:
        with smtplib.SMTP("127.0.0.1", server.port("submission")) as s:
            s.starttls(context=loose_tls())
            s.login("alice@example.test", "secret")
            s.sendmail("alice@example.test", ["jörg+x@far.test"], "Subject: grüße\r\n\r\n".encode(),
                       mail_options=["SMTPUTF8", "BODY=8BITMIME"])
        raw, = wait_for(lambda: list(imap_bodies(server, "alice").values()))
        text, _, (recipient,), _ = parse(raw)
        assert recipient["final-recipient"] in ("utf-8; jörg\\x{2B}x@far.test", "utf-8; j\\x{F6}rg\\x{2B}x@far.test")
        assert "jörg+x@far.test" in text, text
        if b"message/global-delivery-status" in raw:
            assert b"message/global-headers" in raw
