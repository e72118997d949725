"""Recipients of relay domains: their server is asked, and what it said is remembered."""

import contextlib
import smtplib
import socket
import threading
import time

from support import wait_for
from support.instance import Instance
from support.mail import inject, submit
from support.smtp_sink import SmtpSink

TEXT = "From: a@elsewhere.test\r\nSubject: in\r\n\r\nbody\r\n"
SETTINGS = "verify {\n    timeout = 10s\n    %s\n}\nqueue {\n    retry_first = 1s\n}\n"


class Backend(SmtpSink):
    """Knows some users; `special` (verb, command) goes first. Counts who was asked for."""

    def __init__(self, *users, extensions=("PIPELINING", "ENHANCEDSTATUSCODES")):
        self.users, self.special, self.asked = set(users), lambda verb, command: None, []
        super().__init__(self.answer, extensions)

    def answer(self, verb, command):
        reply = self.special(verb, command)
        if reply or verb != "RCPT":
            return reply
        name = command[command.index("<") + 1:command.index("@")]
        self.asked.append(name)
        return None if name in self.users else "550 5.1.1 <%s> is unknown here" % name

    def count(self, name):
        return self.asked.count(name)


def server_for(backend, settings="", verify=True):
    server = Instance()
    server.add_config(SETTINGS % settings)
    server.backend = backend
    return server


def add_domain(server, backend, *options):
    server.mailctl("domain", "add", "relay.test", "--relay", "[127.0.0.1]:%d" % backend.port, "--verify",
                   *options)


def rcpt(server, *addresses):
    """The replies to RCPTs of one transaction, which is given up: [(code, text)]."""
    with smtplib.SMTP("127.0.0.1", server.port("smtp"), timeout=60) as s:
        s.ehlo("client.test")
        s.mail("sender@elsewhere.test")
        replies = [s.rcpt(a) for a in addresses]
        s.rset()
        return [(code, text.decode()) for code, text in replies]


def codes(server, *addresses):
    return [code for code, _ in rcpt(server, *addresses)]


def test_known_and_unknown_recipients():
    backend = Backend("jane", "joe")
    with server_for(backend) as server:
        add_domain(server, backend)
        replies = rcpt(server, "jane@relay.test", "nobody@relay.test", "joe@relay.test")
        assert [r[0] for r in replies] == [250, 550, 250], replies
        assert replies[1][1].startswith("5.1.1 ") and "unknown here" in replies[1][1], replies
        assert backend.connections == 1, backend.connections
        # Remembered.
        assert codes(server, "jane@Relay.TEST", "nobody@relay.test") == [250, 550]
        assert backend.asked.count("jane") == 1 and backend.asked.count("nobody") == 1, backend.asked
        # Nothing but questions came so far.
        assert backend.messages.empty()
        inject(server, "sender@elsewhere.test", ["jane@relay.test"], TEXT)
        assert backend.next()["recipients"] == ["jane@relay.test"]


def test_probe_is_no_mail():
    commands = []
    backend = Backend("jane", extensions=())
    backend.special = lambda verb, command: commands.append(command)
    with server_for(backend) as server:
        add_domain(server, backend)
        assert codes(server, "jane@relay.test") == [250]
        dialog = [c for c in commands if "no-such-user" not in c]
        assert "MAIL FROM:<>" in dialog and "RCPT TO:<jane@relay.test>" in dialog, dialog
        assert not any(c.startswith("DATA") for c in commands), commands


def test_server_down():
    backend = Backend("jane")
    with server_for(backend, "positive_lifetime = 1s\n    positive_refresh = 1s") as server:
        add_domain(server, backend)
        assert codes(server, "jane@relay.test") == [250]
        backend.special = lambda verb, command: "close"
        backend.close()
        time.sleep(1.1)
        # What was known goes on to hold, about others nothing is known.
        replies = rcpt(server, "jane@relay.test", "joe@relay.test", "postmaster@relay.test")
        assert [r[0] for r in replies] == [250, 450, 250], replies
        assert replies[1][1].startswith("4.1.1 "), replies
        # A user here is not kept waiting: mail is queued.
        submit(server, "alice@example.test", "joe@relay.test", TEXT)


def test_state_survives_a_restart():
    backend = Backend("jane")
    with server_for(backend) as server:
        add_domain(server, backend)
        assert codes(server, "jane@relay.test", "nobody@relay.test") == [250, 550]
        server.stop()
        backend.close()
        server.start()
        assert codes(server, "jane@relay.test", "nobody@relay.test", "joe@relay.test") == [250, 550, 450]


def test_pipelined_recipients_are_asked_for_together():
    """One batch over one connection would do for recipients that come one by one."""
    names = ["u%02d" % i for i in range(15)]
    backend = Backend(*names[1:])
    with server_for(backend, "connections = 2") as server:
        add_domain(server, backend)
        with socket.create_connection(("127.0.0.1", server.port("smtp")), timeout=60) as s:
            s.sendall(b"EHLO client.test\r\n")
            f = s.makefile("rb")
            while not f.readline().startswith(b"250 "):
                pass
            # Odd ones between them are passed over, and answered in their turn.
            others = ["RCPT TO:<alice@example.test>", "RCPT TO:<broken", "rcpt to:<u14@RELAY.test> NOTIFY=NEVER"]
            commands = ["MAIL FROM:<sender@elsewhere.test>"] + ["RCPT TO:<%s@relay.test>" % n for n in names[:14]]
            s.sendall(("\r\n".join(commands + others + ["RSET"]) + "\r\n").encode())
            replies = [int(f.readline()[:3]) for _ in range(len(commands) + len(others) + 1)]
            assert replies == [250, 550] + [250] * 13 + [250, 501, 250, 250], replies
        assert sorted(n for n in backend.asked if n in names) == names, backend.asked
        assert backend.connections == 2, backend.connections


def test_hanging_server_is_waited_for_once():
    backend, go_on = Backend("jane", "joe"), threading.Event()

    def hang(verb, command):
        if verb == "RCPT":
            go_on.wait(60)
    backend.special = hang
    server = Instance()
    server.add_config((SETTINGS % "").replace("10s", "1s"))
    with server:
        add_domain(server, backend)
        begin = time.monotonic()
        assert codes(server, *["u%d@relay.test" % i for i in range(30)], "jane@relay.test") == 31 * [450]
        assert time.monotonic() - begin < 20, "each recipient waited"
        # The questions go on without anybody waiting for them.
        go_on.set()
        wait_for(lambda: backend.count("jane"))
        wait_for(lambda: codes(server, "jane@relay.test") == [250])
        assert backend.count("jane") == 1, backend.asked


def test_what_is_no_answer():
    """Refusals that are not about the address; connections that break; greylisting."""
    backend = Backend("jane", "joe", "jim", "jack")
    replies = {"jane": "451 4.7.1 greylisted", "joe": "552 5.2.2 mailbox full", "jim": "530 5.7.0 STARTTLS first",
               "jack": "close"}

    def special(verb, command):
        if verb == "RCPT":
            return next((r for name, r in replies.items() if name + "@" in command), None)
    backend.special = special
    with server_for(backend) as server:
        add_domain(server, backend)
        for name in replies:
            assert codes(server, name + "@relay.test") == [450], name
        replies.clear()
        # A moment later, or at once when an operator asks.
        for name in ("jane", "joe", "jim", "jack"):
            answer = server.mailctl_json("verify", "--probe", name + "@relay.test")
            assert (answer["fate"], answer["code"]) == ("accepted", 250), answer


def test_refused_null_sender_says_nothing_about_recipients():
    backend = Backend("jane")
    backend.special = lambda verb, command: "550 5.7.1 no bounces" if "FROM:<>" in command else None
    with server_for(backend) as server:
        add_domain(server, backend)
        assert codes(server, "jane@relay.test", "nobody@relay.test") == [450, 450]
        assert backend.asked == [] or backend.count("jane") <= 1
    backend = Backend("jane")
    backend.special = lambda verb, command: "550 5.7.1 no bounces" if "FROM:<>" in command else None
    with server_for(backend, "sender = checks@example.test") as server:
        add_domain(server, backend)
        assert codes(server, "jane@relay.test", "nobody@relay.test") == [250, 550]


def test_server_that_takes_anything():
    backend, asked = Backend(), []
    backend.special = lambda verb, command: (asked.append(command), "250 2.1.5 sure")[1] if verb == "RCPT" else None
    with server_for(backend) as server:
        add_domain(server, backend)
        assert codes(server, "one@relay.test") == [250]
        wait_for(lambda: "accepts any address" in server.log())
        count = len(asked)
        assert codes(server, "two@relay.test", "three@relay.test") == [250, 250]
        assert len(asked) == count, asked
        assert server.mailctl_json("verify", "two@relay.test")["verified"]["accepts_all"] is True


def test_slow_server_answers_in_time():
    backend = Backend("jane")
    backend.special = lambda verb, command: time.sleep(0.5) if verb == "RCPT" else None
    with server_for(backend) as server:
        add_domain(server, backend)
        assert codes(server, "jane@relay.test", "nobody@relay.test") == [250, 550]


def test_one_question_for_many_askers():
    backend, go_on = Backend("jane"), threading.Event()

    def hang(verb, command):
        if verb == "RCPT":
            go_on.wait(60)
    backend.special = hang
    with server_for(backend) as server:
        add_domain(server, backend)
        results = []
        threads = [threading.Thread(target=lambda: results.extend(codes(server, "jane@relay.test")))
                   for _ in range(10)]
        for t in threads:
            t.start()
        wait_for(lambda: backend.connections)
        go_on.set()
        for t in threads:
            t.join()
        assert results == 10 * [250], results
        assert backend.count("jane") == 1, backend.asked


def test_postmaster_of_a_relay_domain():
    backend = Backend("jane")
    with server_for(backend) as server:
        add_domain(server, backend)
        # Unknown there: it reaches ours.
        assert codes(server, "postmaster@relay.test", "Abuse@relay.test") == [250, 250]
        inject(server, "sender@elsewhere.test", ["postmaster@relay.test"], TEXT)
        wait_for(lambda: "account=<alice@example.test> mailbox=<INBOX>" in server.log())


def test_mailctl_verify():
    backend = Backend("jane")
    with server_for(backend) as server:
        add_domain(server, backend)
        answer = server.mailctl_json("verify", "nobody@relay.test")
        assert answer["fate"] == "refused" and answer["code"] == 550 and answer["status"] == "5.1.1", answer
        assert answer["verified"]["verdict"] == "refused" and answer["verified"]["checked"] > 0, answer
        text = server.mailctl("verify", "jane@relay.test")
        assert "accepted: 250 2.1.5 Ok" in text and "its server  accepted, asked 20" in text, text
        backend.users.add("nobody")
        assert server.mailctl_json("verify", "nobody@relay.test")["fate"] == "refused"
        assert server.mailctl_json("verify", "--probe", "nobody@relay.test")["fate"] == "accepted"
        assert server.mailctl_json("verify", "x@elsewhere.test")["status"] == "5.7.1"
        assert server.mailctl_json("verify", "--trusted", "x@elsewhere.test")["fate"] == "accepted"
        assert server.mailctl_json("verify", "nobody@example.test")["status"] == "5.1.1"
        assert server.mailctl_json("verify", "alice@example.test")["certain"] is True
        assert server.mailctl_json("status")["verify"]["accepted"] >= 2
        assert "remembered;" in server.mailctl("status", "--long")


def test_without_verification_all_is_taken():
    backend = Backend("jane")
    with server_for(backend) as server:
        server.mailctl("domain", "add", "relay.test", "--relay", "[127.0.0.1]:%d" % backend.port)
        assert codes(server, "jane@relay.test", "nobody@relay.test") == [250, 250]
        assert backend.connections == 0
        server.mailctl("domain", "set", "relay.test", "--verify")
        assert codes(server, "jane@relay.test", "nobody@relay.test") == [250, 550]


def test_the_end_does_not_wait_for_questions():
    backend, go_on = Backend("jane"), threading.Event()

    def hang(verb, command):
        if verb == "RCPT":
            go_on.wait(120)
            return "close"
    backend.special = hang
    server = Instance()
    server.add_config((SETTINGS % "").replace("10s", "100s"))
    with server:
        add_domain(server, backend)

        def ask():
            with contextlib.suppress(OSError, smtplib.SMTPException):
                codes(server, "jane@relay.test")
        asker = threading.Thread(target=ask)
        asker.start()
        wait_for(lambda: backend.connections)
        server.stop()
        asker.join()
        go_on.set()
        assert "not everything could be closed" not in server.log()
