"""A message or a mailbox that the server crashes with is set aside after the second time, and nothing else."""

import imaplib
import os
import smtplib
import socket

from support import wait_for
from support.disk_layer import library
from support.instance import Instance
from support.mail import address, imap, imap_bodies, inject
from support.smtp_sink import SmtpSink

MARK = "this makes it crash"
BAD = "Subject: bad\r\n\r\n%s\r\n" % MARK
GOOD = "Subject: good\r\n\r\nnothing of that kind\r\n"


class Fragile(Instance):
    """While it is armed, it crashes where it looks through a text with the mark."""

    def __init__(self, extra=""):
        preload = library("crash_layer")
        super().__init__()
        self.trigger = os.path.join(self.directory, "armed")
        self.environment.update({"LD_PRELOAD": preload, "MAILD_CRASH_ARMED": self.trigger})
        self.add_config(extra)

    def run_mailctl(self, *arguments, **options):
        environment = self.environment
        self.environment = {k: v for k, v in environment.items() if k != "LD_PRELOAD"}
        try:
            return super().run_mailctl(*arguments, **options)
        finally:
            self.environment = environment

    def arm(self):
        open(self.trigger, "w").close()

    def disarm(self):
        os.unlink(self.trigger)

    def is_armed(self):
        return os.path.exists(self.trigger)

    def crashed(self):
        """Waits for it, and starts it again, unarmed: the journal has the text as well."""
        status = self.process.wait(timeout=60)
        assert status == -11, status
        self.process = None
        self.disarm()
        self.start()


def attention(server):
    return [(w["level"], w["text"]) for w in server.mailctl_json("status")["warnings"] if w["kind"] == "crash"]


def test_a_message_that_crashes_the_server_is_held():
    silent = socket.socket()
    silent.bind(("127.0.0.1", 0))  # nobody listens yet
    port = silent.getsockname()[1]
    with Fragile("queue {\n    relay_host = [127.0.0.1]:%d\n    retry_first = 1s\n    retry_max = 1s\n}\n"
                 "policy {\n    relay_networks = 127.0.0.1\n}" % port) as server:
        inject(server, "alice@example.test", ["x@far.test"], BAD)
        message, = wait_for(lambda: server.mailctl_json("queue", "list"))
        silent.close()
        sink = SmtpSink(lambda verb, _: "450 4.0.0 later" if verb == "MAIL" and not server.is_armed() else None,
                        address=("127.0.0.1", port))
        server.arm()
        server.crashed()
        (level, text), = attention(server)
        assert level == "warning" and "at work on message " + message["id"] in text, text
        server.arm()
        server.crashed()
        shown = server.mailctl_json("queue", "show", message["id"])
        assert "the server crashed twice" in server.mailctl("queue", "show", message["id"]), shown
        assert server.logged("the server crashed twice with this message")
        sink.reply = lambda verb, command: None
        inject(server, "alice@example.test", ["x@far.test"], GOOD)
        while b"good" not in sink.messages.get(timeout=30)["data"]:
            continue  # the other one may have got through before the crash
        server.restart()
        assert len(server.mailctl_json("queue", "list")) == 1, "it stays on hold"
        server.mailctl("queue", "release", message["id"])
        assert MARK.encode() in sink.messages.get(timeout=30)["data"]
        wait_for(lambda: server.mailctl_json("queue", "list") == [])


def crash_over_imap(server):
    box = imap(server, "alice")
    box.select("INBOX")
    server.arm()
    try:
        box.search(None, "TEXT", '"not to be found"')
        raise AssertionError("it did not crash")
    except (imaplib.IMAP4.abort, OSError):
        pass
    server.crashed()


def test_a_mailbox_that_crashes_the_server_is_set_aside():
    with Fragile("queue {\n    retry_first = 1s\n    retry_max = 1s\n}") as server:
        inject(server, "s@far.test", ["alice"], BAD)
        crash_over_imap(server)
        crash_over_imap(server)
        box = imap(server, "alice")
        status, text = box.select("INBOX")
        assert status == "NO" and b"[UNAVAILABLE]" in text[0], text
        assert box.select("Sent")[0] == "OK"
        said, = attention(server)
        assert said[0] == "critical" and "INBOX of example.test/alice" in said[1] and "store release" in said[1], said
        inject(server, "s@far.test", ["bob"], GOOD)
        assert len(imap_bodies(server, "bob")) == 1
        try:
            inject(server, "s@far.test", ["alice"], GOOD)
            raise AssertionError("taken")
        except (smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError) as e:
            assert "45" in str(e), e
        server.restart()
        assert attention(server) == [said], "it is remembered"
        assert "taken up again" in server.mailctl("store", "release", address("alice"), "INBOX")
        inject(server, "s@far.test", ["alice"], GOOD)
        assert len(imap_bodies(server, "alice")) == 2 and not attention(server)
        assert "nothing is set aside" in server.mailctl("store", "release", address("alice"))


def hand_in(server, sender, text):
    server.arm()
    try:
        inject(server, sender, ["bob"], text)
        return None
    except smtplib.SMTPServerDisconnected:
        server.crashed()
        return "crashed"
    except smtplib.SMTPSenderRefused as e:
        return e.smtp_code


def test_who_sends_what_crashes_the_server_has_to_wait():
    with Fragile() as server:
        assert hand_in(server, "bad@far.test", BAD) == "crashed"
        assert hand_in(server, "bad@far.test", BAD) == "crashed"
        assert hand_in(server, "bad@far.test", BAD) == 450
        assert hand_in(server, "good@far.test", GOOD) is None
        assert len(imap_bodies(server, "bob")) == 1


def test_a_kill_blames_nobody():
    with Fragile() as server:
        inject(server, "s@far.test", ["alice"], GOOD)
        for _ in range(3):
            box = imap(server, "alice")
            assert box.select("INBOX")[0] == "OK"
            server.kill()
            server.start()
        assert imap(server, "alice").select("INBOX")[0] == "OK" and not attention(server)
