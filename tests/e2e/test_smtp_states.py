"""SMTP in small steps: every short sequence of commands, pipelined and one by one; a message in two packets, cut
at each byte; a connection that ends at each byte."""

import itertools
import re
import socket

from support.instance import Instance
from support.smtp_model import CHUNKS, MAIL, NEW, RCPT, READY, Model, Reply, decode_dotted

CONFIG = """smtp {
    errors_max = 10000
    messages_per_connection = 100000
}
auth {
    failures_max = 100
    failure_delay = 0
}
"""
PLAIN = b"AGFsaWNlQGV4YW1wbGUudGVzdABzZWNyZXQ="
TEXT = b"Subject: x\r\n\r\ntext\r\n..dots\r\n"


def replies_of(stream):
    """The next reply: its last line. None at the end."""
    while True:
        line = stream.readline()
        if not line:
            return None
        assert re.fullmatch(rb"\d\d\d[ -][ -~]*\r\n", line), line
        if line[3:4] == b" ":
            return [line[:-2]]


class Client:
    def __init__(self, server, listener):
        self.socket = server.connect(listener)
        self.stream = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.stream.close()
        self.socket.close()

    def send(self, wire):
        self.socket.sendall(wire)

    def expect(self, replies, what):
        for reply in replies:
            got = replies_of(self.stream)
            assert got is not None, "%r: closed, expected %r" % (what, reply)
            reply.keywords = None
            assert not reply.differs(got), "%r: %r, expected %r" % (what, got, reply)


# --- every command in every state ---

def data(model):
    """DATA, and the message if it may come."""
    replies = model.data()
    if replies[0].code != 354:
        return b"DATA\r\n", replies
    stored = decode_dotted(TEXT)
    return b"DATA\r\n" + TEXT + b".\r\n", replies + model.message(stored, len(stored))


def auth(model):
    return b"AUTH PLAIN " + PLAIN + b"\r\n", model.auth_refusal() or model.authenticated("alice")


def hello(model):
    verb = "LHLO" if model.lmtp else "EHLO"
    return verb.encode() + b" c.test\r\n", model.hello(verb)


COMMANDS = {
    "hello": hello,
    "HELO": lambda m: (b"HELO c.test\r\n", m.hello("HELO")),
    "LHLO": lambda m: (b"LHLO c.test\r\n", m.hello("LHLO")),
    "MAIL": lambda m: (b"MAIL FROM:<s@elsewhere.test>\r\n", m.mail()),
    "RCPT": lambda m: (b"RCPT TO:<alice@example.test>\r\n", m.rcpt("ok", "alice")),
    "RCPT unknown": lambda m: (b"RCPT TO:<nobody@example.test>\r\n", m.rcpt("unknown")),
    "DATA": data,
    "BDAT": lambda m: (b"BDAT 4\r\na: b", m.chunk(4, False, b"a: b")),
    "BDAT LAST": lambda m: (b"BDAT 2 LAST\r\n\r\n", m.chunk(2, True, b"\r\n")),
    "RSET": lambda m: (b"RSET\r\n", m.rset()),
    "NOOP": lambda m: (b"NOOP\r\n", m.noop()),
    "VRFY": lambda m: (b"VRFY alice\r\n", m.verify(True)),
    "HELP": lambda m: (b"HELP\r\n", m.help()),
    "EXPN": lambda m: (b"EXPN x\r\n", m.verify(True)),
    "TURN": lambda m: (b"TURN\r\n", m.missing()),
    "ETRN": lambda m: (b"ETRN example.test\r\n", m.etrn()),
    "AUTH": auth,
    "STARTTLS x": lambda m: (b"STARTTLS x\r\n", m.starttls(argument=True)),
    "unknown": lambda m: (b"MAILFROM:<>\r\n", m.unknown()),
}
# Into each state from nothing.
STATES = {NEW: (), READY: ("hello",), MAIL: ("hello", "MAIL"), RCPT: ("hello", "MAIL", "RCPT"), CHUNKS: ("hello", "MAIL", "RCPT", "BDAT")}


class Patient(Model):
    """Counts no errors."""

    def error(self, code, enhanced):
        return [Reply(code, enhanced)]


def play(server, listener, model, client, names, pipelined):
    wires, expected = b"", []
    for name in names:
        wire, replies = COMMANDS[name](model)
        if pipelined:
            wires += wire
            expected += replies
        else:
            client.send(wire)
            client.expect(replies, (listener, names, name))
    if pipelined:
        client.send(wires)
        client.expect(expected, (listener, names))


def test_every_command_in_every_state():
    with Instance() as server:
        server.add_config(CONFIG)
        server.restart()
        for listener in ("smtp", "submission", "local", "lmtp"):
            for state, way in STATES.items():
                if listener == "submission" and state > READY:
                    continue  # not without a login
                for name in COMMANDS:
                    with Client(server, listener) as client:
                        model = Patient(listener)
                        client.expect([Reply(220)], listener)
                        play(server, listener, model, client, way + (name, "NOOP"), pipelined=False)


def test_every_order_of_three_commands_in_one_packet():
    """From each state, over one connection that comes back to it with hello."""
    names = [n for n in COMMANDS if n not in ("HELO", "HELP", "EXPN", "TURN", "unknown", "LHLO", "NOOP")]
    with Instance() as server:
        server.add_config(CONFIG)
        server.restart()
        for listener in ("smtp", "lmtp"):
            for state in (READY, MAIL, RCPT, CHUNKS):
                count = 3 if state == MAIL else 2
                with Client(server, listener) as client:
                    model = Patient(listener)
                    model.messages = -1000000
                    client.expect([Reply(220)], listener)
                    for order in itertools.product(names, repeat=count):
                        play(server, listener, model, client, STATES[state] + order, pipelined=True)


# --- sizes that lie ---

def test_a_message_that_does_not_end():
    """Far beyond the limit it is not read on; the client can know why."""
    with Instance() as server:
        server.add_config("smtp {\n    message_size_max = 65536\n}\n")
        server.restart()
        begin = b"EHLO c.test\r\nMAIL FROM:<s@elsewhere.test> SIZE=10\r\nRCPT TO:<alice@example.test>\r\n"
        for command, code in ((b"DATA\r\n", 354), (b"BDAT 99999999 LAST\r\n", None), (b"BDAT 10\r\n0123456789BDAT 99999999\r\n", 250)):
            with Client(server, "smtp") as client:
                client.send(begin + command)
                client.expect([Reply(220), Reply(250), Reply(250), Reply(250)], command)
                if code:
                    client.expect([Reply(code)], command)
                try:
                    for _ in range(100):
                        client.send(b"a line of text that goes on and on\r\n" * 1000)
                except ConnectionError:
                    pass
                client.expect([Reply(552, r"5\.3\.4")], command)
        assert not server.messages("alice")


# --- cut at every byte ---

def transaction(bdat, mark):
    """A message; the offset behind which it is whole."""
    text = b"X-Mark: %d\r\n\r\n.. dots\r\n.\r\n" % mark
    begin = b"MAIL FROM:<s@elsewhere.test> SIZE=99 BODY=8BITMIME\r\nRCPT TO:<alice@example.test>\r\n"
    if bdat:
        half = len(text) // 2
        wire = begin + b"BDAT %d\r\n%sBDAT %d LAST\r\n%s" % (half, text[:half], len(text) - half, text[half:])
        return wire, len(wire)
    wire = begin + b"DATA\r\n" + text.replace(b"\r\n.", b"\r\n..") + b".\r\n"
    return wire, len(wire)


REPLIES = {False: [Reply(250), Reply(250), Reply(354), Reply(250)], True: [Reply(250), Reply(250), Reply(250), Reply(250)]}


def marks(server):
    """What is in the mailbox once the server has ended."""
    server.stop()
    found = {}
    for stored in server.messages("alice").values():
        mark, text = re.search(rb"X-Mark: (\d+)\n(.*)", stored, re.S).groups()
        assert int(mark) not in found, "%s is there twice" % mark
        found[int(mark)] = text
    return found


def test_a_transaction_in_two_packets_cut_at_each_byte():
    with Instance() as server:
        server.add_config(CONFIG)
        server.restart()
        sent = 0
        # The loop serves one after the other: when the second client has its answer, the first packet has been read.
        with Client(server, "smtp") as client, Client(server, "smtp") as other:
            client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for c in (client, other):
                c.expect([Reply(220)], "greeting")
                c.send(b"EHLO c.test\r\n")
                c.expect([Reply(250)], "EHLO")
            for bdat in (False, True):
                for cut in range(1, len(transaction(bdat, 1000)[0])):
                    sent += 1
                    wire, _ = transaction(bdat, 1000 + sent)
                    client.send(wire[:cut])
                    other.send(b"RSET\r\nMAIL FROM:<>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n.\r\n" if sent % 90 == 0 else b"NOOP\r\n")
                    other.expect([Reply(250), Reply(250), Reply(250), Reply(354), Reply(250)] if sent % 90 == 0 else [Reply(250)], "other")
                    client.send(wire[cut:])
                    client.expect(REPLIES[bdat], (bdat, cut))
        found = marks(server)
        assert sorted(found) == list(range(1001, 1001 + sent))
        assert set(found.values()) == {b"\n.. dots\n.\n"}, set(found.values())


def test_a_connection_that_ends_at_each_byte():
    """Half closed, so that the replies come."""
    with Instance() as server:
        server.add_config(CONFIG)
        server.restart()
        sent, taken = 0, []
        for bdat in (False, True):
            for cut in range(len(transaction(bdat, 1000)[0]) + 1):
                sent += 1
                wire, whole = transaction(bdat, 1000 + sent)
                with Client(server, "smtp") as client:
                    client.send(b"EHLO c.test\r\n" + wire[:cut])
                    client.socket.shutdown(socket.SHUT_WR)
                    replies = []
                    while got := replies_of(client.stream):
                        replies.append(got[0])
                assert replies[0].startswith(b"220") and replies[1].startswith(b"250"), replies
                for got, expected in zip(replies[2:], REPLIES[bdat]):
                    assert not expected.differs([got]), (bdat, cut, replies)
                if len(replies) == 6:
                    taken.append(1000 + sent)
                    assert cut >= whole, (cut, replies)
                else:
                    assert cut < whole, (cut, replies)
        assert taken
        assert sorted(marks(server)) == taken
