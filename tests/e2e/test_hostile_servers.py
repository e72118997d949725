"""Mail to servers and DNS that do wrong. A message has a recipient at each of them; all are tried at the same time, with short
time-outs. Of each is expected what becomes of its recipient, and the reason in the log; and when the servers are honest again,
everything that waits is delivered."""

import os
import re
import ssl
import subprocess
import tempfile

from support import wait_for
from support.dns import DnsServer
from support.hostile_server import HostileServer
from support.instance import Instance
from support.mail import submit

TEXT = "From: alice@example.test\r\nSubject: out\r\n\r\n" + ("x" * 70 + "\r\n") * 100

SETTINGS = """
queue {
    smtp_port = %d
    retry_first = 1h
    retry_max = 1h
}
smtp_client {
    connect_timeout = 2s
    greeting_timeout = 2s
    hello_timeout = 2s
    mail_timeout = 2s
    recipient_timeout = 2s
    data_timeout = 2s
    data_block_timeout = 2s
    data_end_timeout = 2s
    quit_timeout = 1s
    transaction_timeout = 5s
    rate_min = 1M
    silent_time = 0
}
dns {
    server = 127.0.0.1@%d
    timeout = 2s
}
"""


CA = """
[ca]
default_ca = own
[own]
database = {0}/index
new_certs_dir = {0}
serial = {0}/serial
default_md = sha256
policy = any
[any]
commonName = supplied
"""


def certificate(directory, name, dates=("20200101000000Z", "21000101000000Z")):
    """A self-signed one; a context that shows it."""
    def path(suffix):
        return os.path.join(directory, suffix)
    def openssl(*arguments):
        subprocess.run(("openssl",) + arguments, check=True, capture_output=True)
    for file, text in (("conf", CA.format(directory)), ("index", ""), ("serial", "01")):
        with open(path(file), "w") as f:
            f.write(text)
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=" + name,
            "-keyout", path("key"), "-out", path("csr"))
    openssl("ca", "-batch", "-selfsign", "-notext", "-config", path("conf"), "-in", path("csr"), "-keyfile", path("key"),
            "-out", path("pem"), "-startdate", dates[0], "-enddate", dates[1])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path("pem"), path("key"))
    return context


with tempfile.TemporaryDirectory(prefix="maild-test-") as made:
    FOREIGN = certificate(made, "foreign.test")
    EXPIRED = certificate(made, "tls-expired.test", ("20200101000000Z", "20200102000000Z"))


# --- greeting and EHLO ---

def never_ending(c, line):
    while True:
        c.send(line * 100)


def says(text):
    """Says that as its greeting, and listens."""
    def behaviour(c):
        c.send(text)
        c.hang()
    return behaviour


def answers_hello(text):
    def behaviour(c):
        c.greet()
        c.expect("EHLO")
        c.send(text)
        c.hang()
    return behaviour


def refuses_hello(c):
    c.greet()
    c.expect("EHLO")
    c.say("554 5.7.1 not you")
    c.expect("HELO")
    c.say("554 5.7.1 not you either")
    c.hang()


def drops_at_hello(c):
    c.greet()
    c.expect("EHLO")


def resets_at_hello(c):
    c.greet()
    c.expect("EHLO")
    c.reset()


def half_closes(c):
    c.hello("PIPELINING")
    c.half_close()


def honest(*extensions):
    return lambda c: c.serve(*extensions)


# --- steps of a transaction ---

def at_mail(reply):
    def behaviour(c):
        c.hello("8BITMIME")
        c.expect("MAIL")
        c.send(reply)
        if not reply:
            return
        c.hang()
    return behaviour


def at_rcpt(reply):
    def behaviour(c):
        c.hello("8BITMIME")
        c.mail()
        c.expect("RCPT")
        c.send(reply)
        if not reply:
            return
        c.hang()
    return behaviour


def at_data(reply):
    def behaviour(c):
        c.hello("8BITMIME")
        c.mail()
        c.rcpt()
        c.expect("DATA")
        c.send(reply)
        if not reply:
            return
        c.hang()
    return behaviour


def at_dot(reply, taken=False):
    def behaviour(c):
        c.hello("8BITMIME")
        c.mail()
        c.rcpt()
        c.data()
        message = c.read_message()
        if taken:
            c.take(message)
        c.send(reply)
        if not reply:
            return
        c.hang()
    return behaviour


def drops_in_data(c):
    c.hello()
    c.mail()
    c.rcpt()
    c.data()
    c.line()
    c.reset()


def deaf_in_data(c):
    c.hello()
    c.mail()
    c.rcpt()
    c.data()
    c.deaf()


def slow_replies(c):
    c.hello()
    c.expect("MAIL")
    c.drip("250 this takes its time, and more of it than anybody has; it goes on and on and on and on and on and on and on")
    c.hang()


def each_reply_nearly_too_late(c):
    c.greet()
    c.expect("EHLO")
    c.drip("250 hostile.test\r\n", 0.09)
    while True:
        c.line()
        c.drip("250 ok, in the end\r\n", 0.09)


# --- extensions ---

def pipelining_that_loses(c):
    c.hello("PIPELINING")
    c.expect("MAIL")
    c.buffer = b""
    c.say("250 2.1.0 ok")
    c.hang()


def gives_up_within_pipelining(c):
    c.hello("PIPELINING")
    c.mail()
    c.expect("RCPT")
    c.say("421 4.3.2 that is enough")
    c.hang()


def chunking_unknown(c):
    c.hello("PIPELINING", "CHUNKING")
    c.mail()
    c.rcpt()
    c.expect("BDAT")
    c.say("502 5.5.1 what is that")
    c.hang()


def chunking_lost_reply(c):
    c.hello("PIPELINING", "CHUNKING")
    c.mail()
    c.rcpt()
    size = int(c.expect("BDAT").split()[1])
    while len(c.buffer) < size:
        c.receive()
    c.take(c.buffer)


def no_reply_to_quit(c):
    c.hello()
    c.mail()
    c.rcpt()
    c.data()
    c.take(c.read_message())
    c.say("250 2.0.0 taken")
    c.hang()


# --- TLS ---

def with_tls(then):
    def behaviour(c):
        c.hello("STARTTLS")
        line = c.line()
        if line != "STARTTLS":
            c.buffer = line.encode() + b"\r\n" + c.buffer
            return c.serve(hello=False)
        then(c)
    return behaviour


def tls_refused(c):
    c.say("454 4.7.0 no key today")
    c.serve(hello=False)


def tls_says(text):
    def behaviour(c):
        c.send(text)
        c.hang()
    return behaviour


def tls_drops(c):
    c.say("220 go on")


def tls_works(context):
    def behaviour(c):
        c.say("220 go on")
        c.start_tls(context)
        c.expect("EHLO")
        c.offer("PIPELINING")
        c.serve(hello=False)
    return behaviour


def tls_alert(c):
    c.say("220 go on")
    c.receive()
    c.send(b"\x15\x03\x03\x00\x02\x02\x28")
    c.hang()


def tls_ends_in_the_middle(c):
    c.say("220 go on")
    c.start_tls(FOREIGN)
    c.expect("EHLO")
    c.reset()


PLAIN = honest("PIPELINING")

# name, behaviour, what becomes of the recipient (sent, deferred, bounced), what the log says
CASES = [
    ("silent", says(""), "deferred", r"the greeting\): .*timed out"),
    ("drips", lambda c: c.drip("220 " + "x" * 500), "deferred", r"the greeting\): .*timed out"),
    ("garbage", says(b"\x00\xff\xfe\r\n\x80\x01"), "deferred", "does not speak SMTP"),
    ("ssh", says("SSH-2.0-OpenSSH_9.2p1\r\n"), "deferred", "does not speak SMTP"),
    ("endless-greeting", lambda c: never_ending(c, "220-welcome\r\n"), "deferred", "does not speak SMTP"),
    ("endless-line", lambda c: never_ending(c, "220 xxxxxxxxxx"), "deferred", "line longer than 1000"),
    ("codes-differ", says("220-one\r\n250 two\r\n"), "deferred", "does not speak SMTP"),
    ("code-unknown", says("999 what\r\n"), "deferred", "does not speak SMTP"),
    ("greets-554", says("554 5.7.1 your address is on a list\r\n"), "deferred", "554 5.7.1 your address is on a list"),
    ("greets-521", says("521 5.3.2 no mail here\r\n"), "bounced", "521 5.3.2 no mail here"),
    ("greets-421", says("421 4.3.2 busy\r\n"), "deferred", "421 4.3.2 busy"),
    ("greets-250", says("250 wrong\r\n"), "deferred", "250 wrong"),
    ("closes", lambda c: None, "deferred", r"the greeting\): .*closed"),
    ("no-hello", refuses_hello, "deferred", "554 5.7.1 not you either"),
    ("drops-hello", drops_at_hello, "deferred", r"EHLO\): .*closed"),
    ("resets-hello", resets_at_hello, "deferred", r"EHLO\): .*reset"),
    ("endless-hello", lambda c: (c.greet(), c.expect("EHLO"), never_ending(c, "250-AND-ON\r\n")), "deferred",
     r"does not speak SMTP \(EHLO"),
    ("hello-421", answers_hello("421 4.3.2 no\r\n"), "deferred", "421 4.3.2 no"),
    ("ourselves", lambda c: (c.greet(), c.expect("EHLO"), c.say("250 " + c.server.own_name), c.hang()), "bounced", "circles"),
    ("half-closes", half_closes, "deferred", "closed"),
    ("size-0", honest("SIZE 0"), "sent", ""),
    ("size-none", honest("SIZE"), "sent", ""),
    ("size-huge", honest("SIZE 99999999999999999999999999"), "sent", ""),
    ("size-1", honest("SIZE 1"), "bounced", "takes 1 at most"),
    ("lies", honest("SIZE x", "LIMITS RCPTMAX=0 MAILMAX=-1 =5 RCPTDOMAINMAX=", "AUTH=", "", "PIPELINING PIPELINING", "\x01"),
     "sent", ""),
    ("mail-451", at_mail("451 4.3.0 later\r\n"), "deferred", r"451 4.3.0 later \(in reply to MAIL"),
    ("mail-550", at_mail("550 5.7.1 never\r\n"), "bounced", r"550 5.7.1 never \(in reply to MAIL"),
    ("mail-421", at_mail("421 4.7.0 no more\r\n"), "deferred", "421 4.7.0 no more"),
    ("mail-354", at_mail("354 go on\r\n"), "deferred", "354 go on"),
    ("mail-drops", at_mail(""), "deferred", r"MAIL\): .*closed"),
    ("mail-garbage", at_mail("\x1b[2J\r\n"), "deferred", r"does not speak SMTP \(MAIL"),
    ("rcpt-450", at_rcpt("450 4.2.0 greylisted\r\n"), "deferred", "450 4.2.0 greylisted"),
    ("rcpt-550", at_rcpt("550-5.1.1 no such user\r\n550 5.1.1 \x1b[31mhere\r\n"), "bounced",
     r"no such user 5.1.1 \?\[31mhere"),
    ("rcpt-drops", at_rcpt(""), "deferred", r"RCPT\): .*closed"),
    ("data-451", at_data("451 4.3.0 disk\r\n"), "deferred", "451 4.3.0 disk"),
    ("data-554", at_data("554 5.7.1 no\r\n"), "bounced", r"554 5.7.1 no \(in reply to DATA"),
    ("data-250", at_data("250 strange\r\n"), "deferred", "answers DATA with 250"),
    ("data-drops", at_data(""), "deferred", r"DATA\): .*closed"),
    ("in-data-drops", drops_in_data, "deferred", "lost the connection"),
    ("in-data-deaf", deaf_in_data, "deferred", "timed out"),
    ("dot-drops", at_dot("", taken=True), "deferred", r"the end of the message\): .*closed"),
    ("dot-silent", lambda c: (at_dot("2", taken=True)(c)), "deferred", r"the end of the message\): .*timed out"),
    ("dot-451", at_dot("451 4.3.0 later\r\n"), "deferred", "451 4.3.0 later"),
    ("dot-554", at_dot("554 5.7.1 spam\r\n"), "bounced", "554 5.7.1 spam"),
    ("dot-354", at_dot("354 go on\r\n"), "deferred", "354 go on"),
    ("dot-garbage", at_dot("\r\n"), "deferred", "does not speak SMTP"),
    ("slow", slow_replies, "deferred", r"MAIL\): .*timed out"),
    ("nearly-late", each_reply_nearly_too_late, "deferred", "timed out"),
    ("pipelining-loses", pipelining_that_loses, "deferred", r"RCPT\): .*timed out"),
    ("pipelining-421", gives_up_within_pipelining, "deferred", "421 4.3.2 that is enough"),
    ("chunking-unknown", [chunking_unknown, honest("PIPELINING", "CHUNKING")], "sent", ""),
    ("chunking-lost", chunking_lost_reply, "deferred", "the end of the message|MAIL"),
    ("quit-silent", no_reply_to_quit, "sent", ""),
    ("tls-refused", with_tls(tls_refused), "sent", "tls=none"),
    ("tls-garbage", [with_tls(tls_says("220 go on\r\nthis is no handshake\r\n")), PLAIN], "sent", "tls=none"),
    ("tls-injection", [with_tls(tls_says("220 go on\r\n250 hostile.test\r\n250 ok\r\n")), PLAIN], "sent", "tls=none"),
    ("tls-drops", [with_tls(tls_drops), PLAIN], "sent", "tls=none"),
    ("tls-hangs", [with_tls(tls_says("220 go on\r\n")), PLAIN], "sent", "tls=none"),
    ("tls-alert", [with_tls(tls_alert), PLAIN], "sent", "tls=none"),
    ("tls-foreign", with_tls(tls_works(FOREIGN)), "sent", "tls=TLSv1.3"),
    ("tls-expired", with_tls(tls_works(EXPIRED)), "sent", "tls=TLSv1.3"),
    ("tls-resets", with_tls(tls_ends_in_the_middle), "deferred", "lost the connection"),
    ("tls-required-refused", with_tls(tls_refused), "deferred", "TLS"),
    ("tls-required-foreign", with_tls(tls_works(FOREIGN)), "deferred", "certificate"),
    ("tls-required-expired", with_tls(tls_works(EXPIRED)), "deferred", "certificate"),
    ("tls-required-injection", with_tls(tls_says("220 go on\r\n250 hostile.test\r\n")), "deferred", "plain text after STARTTLS"),
    ("tls-required-none", PLAIN, "deferred", "TLS"),
]

STRICT = """
route strict {
    recipient = %s
    tls = verify
}
""" % ", ".join(case[0] + ".test" for case in CASES if case[0].startswith("tls-required"))


def results(server):
    """The last line of the log about each recipient, by domain."""
    found = {}
    for line in server.log().split("\n"):
        match = re.search(r" to=<x@([^>]*)\.test>.* status=(\w+) \((.*)\)$", line)
        if match:
            found[match.group(1)] = (match.group(2), line)
    return found


def memory(server):
    with open("/proc/%d/status" % server.process.pid) as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))


def check(expected, found):
    wrong = []
    for name, status, pattern in expected:
        if not re.fullmatch(status, found[name][0]) or not re.search(pattern, found[name][1]):
            wrong.append("%s: wanted %s (%s): %s" % (name, status, pattern, found[name][1]))
    assert not wrong, "\n".join(wrong)


def test_servers():
    peer = HostileServer([case[1] for case in CASES])
    records = {(case[0] + ".test", "A"): [peer.address(i)] for i, case in enumerate(CASES)}
    dns = DnsServer(records)
    server = Instance()
    server.add_config(SETTINGS % (peer.port, dns.port) + STRICT)
    with server:
        peer.own_name = hostname(server)
        before = memory(server)
        submit(server, "alice", ["x@%s.test" % case[0] for case in CASES], TEXT)
        found = wait_for(lambda: (lambda r: r if len(r) == len(CASES) else None)(results(server)),
                         "not all have a result", 90)
        check([(case[0], case[2], case[3]) for case in CASES], found)
        assert not peer.complaints, peer.complaints
        assert memory(server) - before < 200 * 1024, (before, memory(server))
        sent = [peer.messages.get() for _ in range(peer.messages.qsize())]
        assert all(data.endswith(b"x" * 70 + b"\n") or data.endswith(b"x" * 70 + b"\r\n") for _, data in sent)

        # What waits is whole, and goes out when the servers are honest.
        peer.honest = True
        waiting = {case[0] for case in CASES if case[2] == "deferred" and not case[0].startswith("tls-required")}
        server.mailctl("queue", "retry")
        got = set()
        while got < {peer.address(i) for i, case in enumerate(CASES) if case[0] in waiting}:
            address, data = peer.messages.get(timeout=30)
            assert data.endswith(b"x" * 70 + b"\n"), data[-200:]
            got.add(address)
    peer.close()
    dns.close()


# --- DNS ---

LOOPS = {("loop.test", "CNAME"): ["loop2.test"], ("loop2.test", "CNAME"): ["loop.test"]}
MANY = {("many.test", "MX"): [(i, "mx%d.many.test" % i) for i in range(1, 1500)],
        ("mx1400.many.test", "A"): ["127.0.0.1"]}
NAMES = {
    ("silent.test", "SILENT"): [],
    ("servfail.test", "SERVFAIL"): [],
    ("mx-silent.test", "MX"): [(10, "silent.test")],
    ("mx-loop.test", "MX"): [(10, "loop.test")],
    ("mx-none.test", "MX"): [(10, "nowhere.test"), (20, "nowhere2.test")],
    ("mx-later.test", "MX"): [(10, "nowhere.test"), (20, "servfail.test")],
    ("mx-itself.test", "MX"): [(10, "mx-itself.test")],
    ("mx-twice.test", "MX"): [(10, "mx-itself.test"), (10, "mx-itself.test"), (20, "MX-ITSELF.test")],
    ("mx-null.test", "MX"): [(0, ".")],
    ("mx-null-and-more.test", "MX"): [(0, "."), (10, "good.test")],
    ("mx-address.test", "MX"): [(10, "127.0.0.1")],
    ("mx-any.test", "MX"): [(10, "any.test")],
    ("any.test", "A"): ["0.0.0.0", "224.0.0.1"],
    ("mx-private.test", "MX"): [(10, "private.test")],
    ("private.test", "A"): ["10.11.12.13"],
    ("addresses.test", "A"): ["127.2.%d.%d" % divmod(i, 250) for i in range(1, 1500)],
    ("good.test", "A"): ["127.0.0.1"],
    ("mx-itself.test", "A"): ["127.0.0.1"],
    ("alias.test", "CNAME"): ["good.test"],
}

DNS_CASES = [
    ("silent", "deferred", "[(]DNS cannot answer for silent.test: (?!.*silent.test)"),
    ("servfail", "deferred", "[(]DNS cannot answer for servfail.test: (?!.*servfail.test)"),
    ("loop", "deferred", "[(]DNS cannot answer for loop.test: (?!.*loop.test)"),
    ("mx-silent", "deferred", "[(]DNS cannot answer for silent.test: (?!.*silent.test)"),
    ("mx-loop", "deferred", "[(]DNS cannot answer for loop.test: (?!.*loop.test)"),
    ("mx-none", "bounced", "has no address"),
    ("mx-later", "deferred", "[(]DNS cannot answer for servfail.test: (?!.*servfail.test)"),
    ("mx-itself", "sent", ""),
    ("mx-twice", "sent", ""),
    ("mx-null", "bounced", "null MX"),
    ("mx-null-and-more", "sent", ""),
    ("mx-address", "bounced", "has no address|name no host"),
    ("mx-any", "bounced", "only addresses that no mail is sent to"),
    ("mx-private", "bounced", "only addresses that no mail is sent to"),
    ("addresses", "sent|deferred", ""),
    ("many", "deferred|bounced", ""),
    ("good", "sent", ""),
    ("alias", "sent", ""),
    ("nonsense", "bounced", "does not exist"),
]


def test_dns():
    peer = HostileServer([])
    dns = DnsServer(dict(list(NAMES.items()) + list(LOOPS.items()) + list(MANY.items())))
    server = Instance()
    server.add_config(SETTINGS % (peer.port, dns.port) +
                      "smtp_client {\n    ignored_networks = 10.0.0.0/8, 0.0.0.0/8, 224.0.0.0/4\n}\n")
    with server:
        before = memory(server)
        submit(server, "alice", ["x@%s.test" % case[0] for case in DNS_CASES], TEXT)
        found = wait_for(lambda: (lambda r: r if len(r) == len(DNS_CASES) else None)(results(server)),
                         "not all have a result", 90)
        check([(name, status, pattern) for name, status, pattern in DNS_CASES], found)
        assert memory(server) - before < 200 * 1024, (before, memory(server))
    peer.close()
    dns.close()


def hostname(server):
    return next(line.split("=")[1].strip().strip('"') for line in server.mailctl("config", "show").split("\n")
                if line.strip().startswith("hostname"))
