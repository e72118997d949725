"""What senders ask for with parameters of MAIL and RCPT: passed on, kept, and told about."""

import email
import email.policy
import os
import re
import smtplib
import ssl
import subprocess
import time

from support.dns import DnsServer
from support.instance import Instance
from support.mail import imap_bodies, loose_tls
from support.smtp_sink import SmtpSink

TEXT = "From: alice@example.test\r\nSubject: asked\r\nMessage-ID: <o@example.test>\r\n\r\nthe body\r\n"
PLAIN = ("PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "SIZE 10000000")


def wait_for(condition, seconds=30):
    """The server works on its own time here: asked until it is so."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError("did not become true in %d s" % seconds)


def instance(sink, queue="", smtp=""):
    server = Instance()
    server.add_config("queue {\n    relay_host = [127.0.0.1]:%d\n    retry_first = 1s\n    connection_linger = 0\n    %s\n}\n"
                      % (sink.port, queue))
    if smtp:
        server.add_config("smtp { %s }\n" % smtp)
    return server


def send(server, mail_options, recipients, sender="alice@example.test", text=TEXT):
    """recipients: (address, options) each. Returns the reply to the message."""
    with smtplib.SMTP("127.0.0.1", server.port("submission"), timeout=60) as s:
        s.starttls(context=loose_tls())
        s.ehlo()
        s.login("alice@example.test", "secret")
        code, reply = s.mail(sender, mail_options)
        assert code == 250, (code, reply)
        for address, options in recipients:
            code, reply = s.rcpt(address, options)
            assert code == 250, (code, reply)
        code, reply = s.data(text)
        assert code == 250, (code, reply)
        return reply.decode()


def mailbox(server, user="alice"):
    return [m.decode("latin-1") for m in imap_bodies(server, user).values()]


def idle(server):
    wait_for(lambda: server.mailctl_json("queue", "list") == [])


class Report:
    """A report as its reader gets it."""

    def __init__(self, text):
        self.raw = text
        self.message = email.message_from_string(text, policy=email.policy.default)
        assert self.message.get_content_type() == "multipart/report", text
        assert self.message["Auto-Submitted"] == "auto-replied"
        assert text.startswith("Return-Path: <>"), text[:200]
        parts = list(self.message.iter_parts())
        self.text = " ".join(parts[0].get_content().split())
        groups = parts[1].get_payload()
        self.fields, self.recipients = groups[0], groups[1:]
        self.original = parts[2]


def reports(server, count=1, user="alice"):
    found = wait_for(lambda: (lambda l: l if len(l) >= count else None)(
        [m for m in mailbox(server, user) if "delivery-status" in m]))
    assert len(found) == count, found
    return [Report(m) for m in found]


# --- DSN (RFC 3461) ---

def test_dsn_is_passed_on():
    sink = SmtpSink(extensions=PLAIN + ("DSN",))
    with instance(sink) as server:
        send(server, ["RET=HDRS", "ENVID=QQ+2B314159"],
             [("x@far.test", ["NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;X+2By@Far.test"]),
              ("y@far.test", ["NOTIFY=NEVER"]), ("z@far.test", [])])
        got = sink.next()
        assert " RET=HDRS" in got["sender"] and " ENVID=QQ+2B314159" in got["sender"], got
        assert got["rcpts"] == [
            "RCPT TO:<x@far.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;X+2By@Far.test",
            "RCPT TO:<y@far.test> NOTIFY=NEVER", "RCPT TO:<z@far.test>"], got["rcpts"]
        idle(server)
        assert mailbox(server) == [], "the next server tells"


def test_dsn_to_a_server_without_it():
    def replies(verb, command):
        return "550 5.1.1 no such user" if verb == "RCPT" and "gone" in command else None
    sink = SmtpSink(replies)
    with instance(sink) as server:
        send(server, ["RET=FULL", "ENVID=QQ 314159".replace(" ", "+20")],
             [("x@far.test", ["NOTIFY=SUCCESS", "ORCPT=rfc822;Ex@Far.test"]),
              ("y@far.test", ["NOTIFY=FAILURE,DELAY"]),
              ("gone1@far.test", ["NOTIFY=NEVER"]), ("gone2@far.test", ["NOTIFY=SUCCESS"]),
              ("gone3@far.test", ["NOTIFY=FAILURE"]), ("gone4@far.test", [])])
        got = sink.next()
        assert "ENVID" not in got["sender"] and "RET" not in got["sender"]
        assert got["rcpts"] == ["RCPT TO:<x@far.test>", "RCPT TO:<y@far.test>"], got
        failed, relayed = sorted(reports(server, 2), key=lambda r: r.recipients[0]["Action"])
        for r in (failed, relayed):
            assert r.fields["Original-Envelope-Id"] == "QQ 314159", r.raw
            assert r.fields["Reporting-MTA"] == "dns; mail.example.test", r.raw
        assert [r["Final-Recipient"] for r in failed.recipients] == [
            "rfc822; gone3@far.test", "rfc822; gone4@far.test"], failed.raw
        assert failed.original.get_content_type() == "message/rfc822"
        assert "the body" in failed.original.as_string()
        assert "Your message is attached." in failed.text
        assert [(r["Action"], r["Final-Recipient"], r["Original-Recipient"], r["Status"])
                for r in relayed.recipients] == [
            ("relayed", "rfc822; x@far.test", "rfc822;Ex@Far.test", "2.0.0")], relayed.raw
        assert "Remote-MTA" in relayed.recipients[0] and "Diagnostic-Code" in relayed.recipients[0]
        assert relayed.original.get_content_type() == "text/rfc822-headers"
        assert relayed.message["Subject"] == "Your message was passed on"
        assert ("Your message to x@far.test was handed to the mail server 127.0.0.1. Whether it is "
                "delivered you will only hear if that server tells you.") in relayed.text, relayed.text
        idle(server)
        assert len(mailbox(server)) == 2


def test_dsn_of_deliveries_here():
    sink = SmtpSink(extensions=PLAIN + ("DSN",))
    with instance(sink) as server:
        server.mailctl("address", "add", "team@example.test", "bob@example.test", "m@far.test")
        server.mailctl("address", "add", "boss@example.test", "bob@example.test")
        server.mailctl("address", "add", "away@example.test", "w@far.test")
        send(server, ["ENVID=one"], [("bob@example.test", ["NOTIFY=SUCCESS"]),
                                     ("alice@example.test", ["NOTIFY=FAILURE"])])
        r = reports(server)[0]
        assert [(p["Action"], p["Final-Recipient"]) for p in r.recipients] == [
            ("delivered", "rfc822; bob@example.test")], r.raw
        assert "Original-Recipient" not in r.recipients[0]
        assert "Your message to bob@example.test was delivered to the mailbox." in r.text
        # an alias of one is that one; the request goes along with a forwarding
        send(server, [], [("boss@example.test", ["NOTIFY=SUCCESS", "ORCPT=rfc822;Boss@example.test"]),
                          ("away@example.test", ["NOTIFY=SUCCESS", "ORCPT=rfc822;Away@example.test"])])
        assert sink.next()["rcpts"] == [
            "RCPT TO:<w@far.test> NOTIFY=SUCCESS ORCPT=rfc822;Away@example.test"]
        r = reports(server, 2)[1]
        assert [(p["Action"], p["Final-Recipient"], p["Original-Recipient"]) for p in r.recipients] == [
            ("delivered", "rfc822; boss@example.test", "rfc822;Boss@example.test")], r.raw
        assert "bob@" not in r.raw, "whose mailbox it is"
        # a list is expanded, and its members do not report success
        send(server, ["RET=HDRS", "ENVID=two"],
             [("team@example.test", ["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;Team@example.test"])])
        got = sink.next()
        assert got["rcpts"] == ["RCPT TO:<m@far.test> NOTIFY=FAILURE ORCPT=rfc822;Team@example.test"], got
        assert "ENVID=two" in got["sender"]
        r = reports(server, 3)[2]
        assert [(p["Action"], p["Final-Recipient"]) for p in r.recipients] == [
            ("expanded", "rfc822; team@example.test")], r.raw
        assert r.message["Subject"] == "Your message was delivered to a list"
        idle(server)
        assert len(mailbox(server)) == 4 and len(mailbox(server, "bob")) == 3


def test_reports_want_no_reports():
    sink = SmtpSink(extensions=PLAIN + ("DSN", "MT-PRIORITY"))
    with instance(sink, smtp="priority_max = 4") as server:
        with smtplib.SMTP("127.0.0.1", server.port("smtp"), timeout=60) as s:
            s.ehlo()
            s.mail("far@far.test")
            s.rcpt("bob@example.test", ["NOTIFY=SUCCESS"])
            assert s.data(TEXT)[0] == 250
        got = sink.next()
        assert got["sender"].startswith("MAIL FROM:<> "), got
        assert got["rcpts"] == ["RCPT TO:<far@far.test> NOTIFY=NEVER"], got
        # and nobody is told of mail from nobody
        with smtplib.SMTP("127.0.0.1", server.port("smtp"), timeout=60) as s:
            s.ehlo()
            s.mail("")
            s.rcpt("bob@example.test", ["NOTIFY=SUCCESS"])
            assert s.data(TEXT)[0] == 250
        idle(server)
        assert sink.messages.empty()


def test_delays_are_told_to_those_who_want_it():
    sink = SmtpSink(lambda verb, command: "451 4.2.0 not now" if verb == "RCPT" else None)
    with instance(sink, "delay_warning = 1s\n    retry_max = 1s") as server:
        send(server, [], [("x@far.test", ["NOTIFY=FAILURE"]), ("y@far.test", ["NOTIFY=DELAY"]),
                          ("z@far.test", [])])
        r = reports(server)[0]
        assert sorted((p["Action"], p["Final-Recipient"]) for p in r.recipients) == [
            ("delayed", "rfc822; y@far.test"), ("delayed", "rfc822; z@far.test")], r.raw


# --- REQUIRETLS (RFC 8689) ---

def certificate(directory, name):
    key, cert = os.path.join(directory, name + ".key"), os.path.join(directory, name + ".pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=" + name,
                    "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return cert, context


def test_requiretls():
    server = Instance()
    cert, known = certificate(server.directory, "known")
    _, unknown = certificate(server.directory, "unknown")
    sink = SmtpSink(tls=known, extensions_over_tls=["REQUIRETLS"])
    server.add_config("queue {\n    relay_host = [127.0.0.1]:%d\n    retry_first = 1s\n    connection_linger = 0\n}\n" % sink.port)
    with open(server.config_path) as f:
        text = f.read()
    tls = re.search(r"^tls \{", text, re.M)
    assert tls, text
    server.replace_config("tls {", "tls {\n    ca_file = %s" % cert)
    with server:
        send(server, [], [("x@far.test", [])])
        assert "REQUIRETLS" not in sink.next()["sender"]
        send(server, ["REQUIRETLS"], [("x@far.test", [])])
        got = sink.next()
        assert got["sender"].endswith(" REQUIRETLS") and got["tls"], got
        idle(server)

        def bounced(count, status, words):
            send(server, ["REQUIRETLS", "RET=FULL"], [("x@far.test", [])])
            r = reports(server, count)[count - 1]
            assert r.recipients[0]["Status"] == status, r.raw
            assert words in r.text, r.text
            assert r.original.get_content_type() == "text/rfc822-headers", "RFC 8689 5"
            assert sink.messages.empty()

        sink.extensions_over_tls = []
        bounced(1, "5.7.30", "the recipient's mail server does not promise that")
        sink.tls, sink.extensions_over_tls = unknown, ["REQUIRETLS"]
        bounced(2, "5.7.10", "there is none to the recipient's mail server")
        sink.tls = None
        bounced(3, "5.7.10", "there is none to the recipient's mail server")
        # a report is not lost for want of it, and asks for it where it can (RFC 8689 5)
        with smtplib.SMTP("127.0.0.1", server.port("smtp"), timeout=60) as s:
            s.starttls(context=loose_tls())
            s.ehlo()
            assert s.mail("far@far.test", ["REQUIRETLS"])[0] == 250
            s.rcpt("bob@example.test", ["NOTIFY=SUCCESS"])
            assert s.data(TEXT)[0] == 250
        assert sink.next()["sender"].startswith("MAIL FROM:<> ")


def test_requiretls_needs_trusted_names():
    """MX records that DNSSEC does not vouch for could name anybody."""
    sink = SmtpSink(extensions_over_tls=["REQUIRETLS"])
    server = Instance()
    server.dns = DnsServer({("far.test", "MX"): [(10, "mx.far.test")], ("mx.far.test", "A"): ["127.0.0.1"]})
    server.add_config("dns {\n    server = 127.0.0.1@%d\n    timeout = 5s\n}\n" % server.dns.port)
    server.add_config("queue {\n    smtp_port = %d\n    retry_first = 1s\n}\n" % sink.port)
    with server:
        send(server, ["REQUIRETLS"], [("x@far.test", [])])
        r = reports(server)[0]
        assert r.recipients[0]["Status"] == "5.7.10" and "DNSSEC" in r.text, r.raw
        send(server, [], [("x@far.test", [])])
        assert sink.next()["recipients"] == ["x@far.test"]


# --- DELIVERBY (RFC 2852) ---

def test_deliver_by_with_return():
    sink = SmtpSink(extensions=PLAIN + ("DELIVERBY 30",))
    with instance(sink) as server:
        send(server, ["BY=98;R"], [("x@far.test", [])])
        by = int(re.search(r" BY=(\d+);R$", sink.next()["sender"])[1])
        assert 40 < by <= 98, by
        idle(server)
        sink.extensions = PLAIN + ("DELIVERBY 240",)
        send(server, ["BY=120;R"], [("x@far.test", [])])
        r = reports(server)[0]
        assert r.recipients[0]["Action"] == "failed" and r.recipients[0]["Status"] == "5.3.3", r.raw
        assert "less than 240 seconds" in r.text
        assert re.match(r"\w\w\w, \d", r.fields["Deliver-By-Date"]), r.raw
        sink.extensions = PLAIN
        send(server, ["BY=120;R"], [("x@far.test", []), ("y@far.test", ["NOTIFY=NEVER"])])
        r = reports(server, 2)[1]
        assert [p["Status"] for p in r.recipients] == ["5.3.3"] and "DELIVERBY" in r.text
        assert sink.messages.empty()


def test_deliver_by_runs_out():
    sink = SmtpSink(lambda verb, command: "451 4.2.0 not now" if verb == "RCPT" else None,
                    extensions=PLAIN + ("DELIVERBY",))
    with instance(sink, "retry_max = 1h\n    delay_warning = 0") as server:
        send(server, ["BY=2;R"], [("x@far.test", [])])
        r = reports(server)[0]
        assert r.recipients[0]["Status"] == "5.4.7", r.raw
        assert "the time that the sender gave for the delivery has passed; the last attempt: 451" in r.text, r.raw
        idle(server)
        # told once, and tried on
        send(server, ["BY=1;N"], [("y@far.test", []), ("q@far.test", ["NOTIFY=FAILURE"])])
        r = reports(server, 2)[1]
        assert [(p["Action"], p["Status"], p["Final-Recipient"]) for p in r.recipients] == [
            ("delayed", "4.4.7", "rfc822; y@far.test")], r.raw
        sink.reply = lambda verb, command: None
        got = sink.next()
        assert sorted(got["recipients"]) == ["q@far.test", "y@far.test"]
        assert re.search(r" BY=-?\d+;N$", got["sender"]), got
        idle(server)
        assert len(mailbox(server)) == 2


def test_deliver_by_with_notice():
    sink = SmtpSink(extensions=PLAIN + ("DSN",))
    with instance(sink) as server:
        send(server, ["BY=600;N"], [("x@far.test", []), ("y@far.test", ["NOTIFY=FAILURE"]),
                                    ("n@far.test", ["NOTIFY=NEVER"])])
        got = sink.next()
        assert " BY" not in got["sender"]
        assert got["rcpts"] == ["RCPT TO:<n@far.test> NOTIFY=NEVER",
                                "RCPT TO:<x@far.test> NOTIFY=FAILURE,DELAY",
                                "RCPT TO:<y@far.test> NOTIFY=FAILURE,DELAY"], got
        r = reports(server)[0]
        assert [(p["Action"], p["Final-Recipient"]) for p in r.recipients] == [
            ("relayed", "rfc822; x@far.test"), ("relayed", "rfc822; y@far.test")], r.raw
        # with the extension there is nothing to tell, but for who wants a trace
        sink.extensions = PLAIN + ("DSN", "DELIVERBY")
        send(server, ["BY=600;N"], [("x@far.test", [])])
        assert re.search(r" BY=\d+;N$", sink.next()["sender"])
        send(server, ["BY=600;RT"], [("x@far.test", []), ("n@far.test", ["NOTIFY=NEVER"])])
        assert re.search(r" BY=\d+;RT$", sink.next()["sender"])
        r = reports(server, 2)[1]
        assert [(p["Action"], p["Final-Recipient"]) for p in r.recipients] == [
            ("relayed", "rfc822; x@far.test")], r.raw


# --- MT-PRIORITY (RFC 6710) ---

def test_priority_is_passed_on():
    sink = SmtpSink(extensions=PLAIN + ("MT-PRIORITY",))
    with instance(sink, smtp="priority_max = 3") as server:
        send(server, ["MT-PRIORITY=-4"], [("x@far.test", [])])
        got = sink.next()
        assert got["sender"].endswith(" MT-PRIORITY=-4")
        assert b"\r\n\tPRIORITY -4;\r\n" in got["data"], got["data"]
        send(server, ["MT-PRIORITY=8"], [("x@far.test", [])])
        assert sink.next()["sender"].endswith(" MT-PRIORITY=3")
        send(server, [], [("x@far.test", [])])
        assert "MT-PRIORITY" not in sink.next()["sender"]
        sink.extensions = PLAIN
        send(server, ["MT-PRIORITY=2"], [("x@far.test", [])])
        assert "MT-PRIORITY" not in sink.next()["sender"]


# --- FUTURERELEASE (RFC 4865) ---

def held(server):
    return [m for m in server.mailctl_json("queue", "list") if m["held_until"]]


def test_held_until_its_time():
    def replies(verb, command):
        return "550 5.1.1 no such user" if verb == "RCPT" and "gone" in command else None
    sink = SmtpSink(replies, extensions=PLAIN + ("DSN",))
    with instance(sink) as server:
        began = time.time()
        send(server, ["HOLDFOR=4", "ENVID=later"],
             [("bob@example.test", ["NOTIFY=SUCCESS"]), ("x@far.test", []), ("gone@far.test", [])])
        m, = held(server)
        assert began + 3 <= m["held_until"] <= time.time() + 4
        assert [r["state"] for r in m["recipients"]] == ["waiting"] * 3
        listing, shown = server.mailctl("queue", "list"), server.mailctl("queue", "show", m["id"])
        assert "held, as its sender asked" in listing, listing
        assert re.search(r"held until +\d\d\d\d-", shown), shown
        assert "envid=later" in shown and "SUCCESS" in shown, shown
        # not by impatience either
        assert "0 messages" in server.mailctl("queue", "retry")
        failed = server.run_mailctl("queue", "retry", m["id"], check=False)
        assert failed.returncode != 0 and "held" in failed.stderr, failed.stderr
        assert mailbox(server, "bob") == [] and sink.messages.empty()
        # no loss by a crash, and no early release
        server.kill()
        server.start()
        got = sink.next()
        assert time.time() >= began + 4, "too early"
        assert got["recipients"] == ["x@far.test"] and " ENVID=later" in got["sender"], got
        wait_for(lambda: mailbox(server, "bob"))
        failure, success = sorted(reports(server, 2), key=lambda r: r.recipients[0]["Action"],
                                  reverse=True)
        assert failure.recipients[0]["Final-Recipient"] == "rfc822; gone@far.test", failure.raw
        assert failure.fields["Future-Release-Request"] == "for;4", failure.raw
        assert success.recipients[0]["Action"] == "delivered", success.raw
        idle(server)
        assert len(mailbox(server, "bob")) == 1


def test_held_message_can_be_taken_back():
    sink = SmtpSink()
    with instance(sink) as server:
        send(server, ["HOLDUNTIL=" + time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))],
             [("bob@example.test", []), ("x@far.test", [])])
        m, = held(server)
        server.mailctl("queue", "delete", m["id"], "--yes")
        assert server.mailctl_json("queue", "list") == []
        assert mailbox(server, "bob") == [] and sink.messages.empty()


def test_all_options_survive_a_crash():
    """Everything that was asked for is on the disk, before a checkpoint and after one."""
    sink = SmtpSink(lambda verb, command: "451 4.2.0 not now" if verb == "RCPT" else None)
    options = ["RET=HDRS", "ENVID=QQ314159", "BY=3600;NT", "MT-PRIORITY=2"]
    rcpt = ["NOTIFY=FAILURE,DELAY", "ORCPT=rfc822;Ex@Far.test"]
    with instance(sink, smtp="priority_max = 4") as server:
        send(server, options, [("x@far.test", rcpt)])
        for _ in range(2):
            server.kill()
            server.start()
            m, = server.mailctl_json("queue", "list")
            assert re.match(r"envid=QQ314159 ret=hdrs mt-priority=2 by=\S+;NT$", m["options"]), m
            assert m["recipients"][0]["notify"] == "FAILURE,DELAY", m
            server.restart()
        sink.extensions = PLAIN + ("DSN", "DELIVERBY", "MT-PRIORITY")
        sink.reply = lambda verb, command: None
        got = sink.next()
        assert re.search(r" RET=HDRS ENVID=QQ314159 BY=3\d\d\d;NT MT-PRIORITY=2$", got["sender"]), got
        assert got["rcpts"] == ["RCPT TO:<x@far.test> NOTIFY=FAILURE,DELAY ORCPT=rfc822;Ex@Far.test"]


# --- BINARYMIME (RFC 3030) and 8BITMIME (RFC 6152) ---

EIGHT_BIT = (b"From: alice@example.test\r\nSubject: asked\r\nMIME-Version: 1.0\r\n"
             b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
             + "Viele Grüße, und ein Satz mehr.\r\n".encode())


def parsed(data):
    return email.message_from_bytes(data, policy=email.policy.default)


def test_8bit_to_a_server_that_takes_7():
    sink = SmtpSink(extensions=("PIPELINING", "SIZE 10000000"))
    with instance(sink) as server:
        send(server, ["BODY=8BITMIME"], [("x@far.test", [])], text=EIGHT_BIT)
        got = sink.next()
        assert "BODY=" not in got["sender"] and got["data"].isascii(), got
        assert " SIZE=%d" % len(got["data"]) in got["sender"], (len(got["data"]), got["sender"])
        message = parsed(got["data"])
        assert message["Content-Transfer-Encoding"] == "quoted-printable"
        assert message.get_content().rstrip() == "Viele Grüße, und ein Satz mehr.", message
        # large, without a copy in memory
        large = EIGHT_BIT + ("Zeile mit Ü am Ende: ü\r\n" * 40000).encode()
        send(server, ["BODY=8BITMIME"], [("x@far.test", [])], text=large)
        got = sink.next()
        assert got["data"].isascii() and " SIZE=%d" % len(got["data"]) in got["sender"]
        assert parsed(got["data"]).get_content().count("Zeile mit Ü am Ende: ü\r\n") == 40000
        # one with 7 bits is as it was
        send(server, ["BODY=8BITMIME"], [("x@far.test", [])])
        assert sink.next()["data"].endswith(b"\r\n\r\nthe body\r\n")
        # and to who takes it, all is
        sink.extensions = PLAIN
        send(server, ["BODY=8BITMIME"], [("x@far.test", [])], text=EIGHT_BIT)
        got = sink.next()
        assert "BODY=8BITMIME" in got["sender"] and "Grüße".encode() in got["data"]


def test_8bit_that_cannot_be_converted():
    sink = SmtpSink(extensions=("PIPELINING",))
    with instance(sink) as server:
        send(server, ["BODY=8BITMIME"], [("x@far.test", [])],
             text=EIGHT_BIT.replace(b"MIME-Version: 1.0\r\n", b""))
        r = reports(server)[0]
        assert r.recipients[0]["Status"] == "5.6.3", r.raw
        assert "cannot be converted: it is no MIME message" in r.text, r.text
        assert sink.messages.empty()


def send_binary(server, message):
    with smtplib.SMTP("127.0.0.1", server.port("submission"), timeout=60) as s:
        s.starttls(context=loose_tls())
        s.ehlo()
        s.login("alice@example.test", "secret")
        assert s.mail("alice@example.test", ["BODY=BINARYMIME"])[0] == 250
        for to in ("bob@example.test", "x@far.test"):
            assert s.rcpt(to)[0] == 250
        for at in range(0, len(message), 100000):
            chunk = message[at:at + 100000]
            s.send(b"BDAT %d\r\n" % len(chunk) + chunk)
            assert s.getreply()[0] == 250
        s.send(b"BDAT 0 LAST\r\n")
        code, reply = s.getreply()
        return code, reply.decode()


def binary_message(content):
    return (b"From: alice@example.test\r\nSubject: binary\r\nMIME-Version: 1.0\r\n"
            b"Content-Type: multipart/mixed; boundary=\"part\"\r\nContent-Transfer-Encoding: binary\r\n\r\n"
            b"--part\r\nContent-Type: text/plain\r\n\r\n.text\r\n--part\r\n"
            b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n"
            + content + b"\r\n--part--\r\n")


def test_binary_arrives_everywhere():
    sink = SmtpSink()
    content = bytes(range(256)) * 3000 + b"\r\n.\r\n\r\n--par\r\n\r"
    with instance(sink) as server:
        assert send_binary(server, binary_message(content))[0] == 250
        got = sink.next()
        assert "BINARYMIME" not in got["sender"]
        for data in (got["data"], next(iter(imap_bodies(server, "bob").values()))):
            text, attachment = parsed(data).iter_parts()
            assert text.get_content().strip() == ".text"
            assert attachment["Content-Transfer-Encoding"] == "base64"
            assert attachment.get_content() == content


def test_binary_has_the_limit_that_was_announced():
    sink = SmtpSink()
    with instance(sink, smtp="message_size_max = 1M") as server:
        edge = 1024 * 1024 - len(binary_message(b""))
        assert send_binary(server, binary_message(b"\xff" * edge))[0] == 250
        code, reply = send_binary(server, binary_message(b"\xff" * (edge + 1)))
        assert code == 552 and reply.startswith("5.3.4"), reply
