"""Where mail goes that is not simply a mailbox's: forwards of users, groups, loops, and who may write to what."""

import smtplib
import time

from support import wait_for
from support.instance import Instance
from support.mail import inject, submit
from support.smtp_sink import SmtpSink

TEXT = "From: s@remote.example\r\nTo: somebody@example.test\r\nSubject: %s\r\n\r\nbody\r\n"
USERS = ("alice", "bob", "carol", "dave", "erin")


class World:
    def __init__(self, users=USERS):
        self.sink = SmtpSink()
        self.server = Instance(users=users)
        self.server.add_config("queue {\n    relay_host = [127.0.0.1]:%d\n    retry_first = 1s\n}\n"
                               "policy { trusted_networks = \"\" }" % self.sink.port)

    def __enter__(self):
        self.server.__enter__()
        return self

    def __exit__(self, *why):
        self.server.__exit__(*why)
        self.sink.close()

    def expect(self, *counts):
        """So many messages have the users, in their order; files follow the reply by a moment."""
        def have():
            return tuple(len(self.server.messages(u)) for u in USERS[:len(counts)])
        wait_for(lambda: have() == counts, "the users have other numbers of messages than %r" % (counts,))

    def refused(self, address, sender="s@remote.example"):
        try:
            inject(self.server, sender, [address], TEXT % "refused")
        except smtplib.SMTPRecipientsRefused as e:
            code, text = list(e.recipients.values())[0]
            return code, text.decode().split()[0]
        except smtplib.SMTPSenderRefused as e:
            return e.smtp_code, e.smtp_error.decode().split()[0]
        return None


def idle(server):
    wait_for(lambda: server.mailctl_json("queue", "list") == [])


def test_forwards():
    with World() as w:
        mailctl = w.server.mailctl
        mailctl("user", "set", "alice@example.test", "--forward", "bob@example.test", "--forward", "x@far.example")
        mailctl("user", "set", "carol@example.test", "--forward", "alice@example.test", "--no-copy")
        mailctl("user", "set", "dave@example.test", "--forward", "erin@example.test", "--no-copy")
        inject(w.server, "s@remote.example", ["alice"], TEXT % "one")
        message = w.sink.next()
        assert message["recipients"] == ["x@far.example"] and b"Subject: one" in message["data"]
        w.expect(1, 1)
        # Through two accounts, each mailbox once.
        inject(w.server, "s@remote.example", ["carol", "bob"], TEXT % "two")
        assert w.sink.next()["recipients"] == ["x@far.example"]
        w.expect(2, 2, 0)
        # A ring is refused at once: its sender has the one report. With a copy it is none.
        mailctl("user", "set", "erin@example.test", "--forward", "dave@example.test", "--no-copy")
        assert w.refused("dave") == (550, "5.4.6")
        mailctl("user", "set", "erin@example.test", "--keep-copy")
        inject(w.server, "s@remote.example", ["dave"], TEXT % "three")
        w.expect(2, 2, 0, 0, 1)
        mailctl("user", "set", "dave@example.test", "--no-forward")
        inject(w.server, "s@remote.example", ["dave"], TEXT % "four")
        w.expect(2, 2, 0, 1, 1)
        idle(w.server)


def test_groups():
    with World() as w:
        mailctl = w.server.mailctl
        mailctl("group", "add", "staff@example.test", "alice@example.test", "bob@example.test", "y@far.example")
        mailctl("group", "add", "all@example.test", "staff@example.test", "carol@example.test", "alice@example.test")
        mailctl("group", "member", "add", "staff@example.test", "all@example.test")  # a loop of groups
        inject(w.server, "s@remote.example", ["all"], TEXT % "one")
        assert w.sink.next()["recipients"] == ["y@far.example"]
        w.expect(1, 1, 1, 0, 0)
        mailctl("group", "set", "all@example.test", "--internal")
        assert w.refused("all") == (550, "5.7.1")
        submit(w.server, "dave", "all", TEXT % "two")
        w.sink.next()
        w.expect(2, 2, 2, 0, 0)
        mailctl("group", "set", "all@example.test", "--public")
        mailctl("group", "set", "all@example.test", "--members-only")
        assert w.refused("all") == (550, "5.7.2")
        assert w.refused("all", sender="") == (550, "5.7.2")
        try:
            submit(w.server, "dave", "all", TEXT % "no")
            raise AssertionError("dave is no member")
        except smtplib.SMTPRecipientsRefused as e:
            assert list(e.recipients.values())[0][0] == 550
        submit(w.server, "alice", "all", TEXT % "three")
        w.sink.next()
        inject(w.server, "Y@far.example", ["all"], TEXT % "four")
        w.sink.next()
        w.expect(4, 4, 4, 0, 0)
        mailctl("group", "set", "all@example.test", "--disable")
        assert w.refused("all") == (550, "5.2.1")
        mailctl("group", "set", "all@example.test", "--enable")
        # Who is gone or disabled is left out as long as others remain.
        mailctl("user", "set", "bob@example.test", "--disable")
        submit(w.server, "alice", "all", TEXT % "five")
        w.sink.next()
        w.expect(5, 4, 5, 0, 0)
        mailctl("group", "add", "ghosts@example.test", "bob@example.test")
        assert w.refused("ghosts") == (550, "5.2.1")
        idle(w.server)


def test_large_group():
    """Every member of a group of 10,000 gets the mail, and others are served meanwhile."""
    with World(users=("alice", "bob")) as w:
        members = ["m%d@far.example" % i for i in range(9998)] + ["alice@example.test", "bob@example.test"]
        for i in range(0, len(members), 500):
            w.server.mailctl("group", "add" if i == 0 else "member", *(["add"] if i else []), "many@example.test",
                             *members[i:i + 500])
        inject(w.server, "s@remote.example", ["many"], TEXT % "many")
        w.expect(1, 1)
        inject(w.server, "s@remote.example", ["alice"], TEXT % "one more")
        w.expect(2, 1)
        got = set()
        end = time.monotonic() + 120
        while len(got) < 9998 and time.monotonic() < end:
            message = w.sink.next()
            assert not got & set(message["recipients"]), "twice"
            got |= set(message["recipients"])
        assert got == set(members[:-2])
        idle(w.server)
