"""What goes wrong while it is found out where mail for an address goes: a directory that fails in the middle of a list (all of
it waits, and nobody has the message twice), and loops (each sender has one report, and nothing grows)."""

import os
import re
import smtplib
import subprocess

from support import wait_for
from support.address_world import cheap_hash
from support.instance import Instance, build_dir
from support.ldap_fake import SEARCH, LdapFake
from support.ldap_logins import LdapInstance, ldap_block, recipient
from support.mail import inject, submit
from support.smtp_sink import SmtpSink

TEXT = "From: s@far.test\r\nTo: list@example.test\r\nSubject: %s\r\n\r\nbody\r\n"
MEMBERS = 80


class Failing(LdapFake):
    """After so many searches it is gone, until `searches_left` is None again."""

    searches_left = None

    def answer(self, client, request):
        if request[1][0] == SEARCH and self.searches_left is not None:
            if self.searches_left <= 0:
                return False
            self.searches_left -= 1
        return super().answer(client, request)


def person(uid):
    return {"objectClass": ["inetOrgPerson"], "uid": [uid], "mail": [uid + "@example.test"], "cn": [uid],
            "entryUUID": ["5a3b6f0e-0000-103d-8000-%012d" % int(uid[1:])]}


def list_of(name, members):
    return {"objectClass": ["groupOfNames"], "cn": [name], "mail": [name + "@example.test"], "member": members}


def tree():
    """A group of 80, a fourth of them by a group inside."""
    dns = {"uid=m%03d,ou=people,dc=x" % n: person("m%03d" % n) for n in range(MEMBERS)}
    names = list(dns)
    dns["cn=inner,ou=groups,dc=x"] = list_of("inner", names[:20])
    dns["cn=outer,ou=groups,dc=x"] = list_of("outer", names[20:] + ["cn=inner,ou=groups,dc=x"])
    return {dn: {"entryDN": [dn], **attributes} for dn, attributes in dns.items()}


def have(server, subject):
    """How often each member has the message."""
    found = {}
    for user in ["m%03d" % n for n in range(MEMBERS)] + ["root"]:
        times = sum(b"\nSubject: %s\n" % subject.encode() in m.replace(b"\r", b"") for m in server.messages(user).values())
        if times:
            found[user] = times
    return found


def everybody(server, subject):
    wait_for(lambda: len(have(server, subject)) == MEMBERS + 1, "not everybody has the message")
    assert set(have(server, subject).values()) == {1}


def reply_to(server, address, subject):
    """What a sender hears, and whether at RCPT or after the text makes no difference."""
    try:
        inject(server, "s@far.test", [address], TEXT % subject)
        return 250
    except smtplib.SMTPRecipientsRefused as error:
        return next(iter(error.recipients.values()))[0]
    except smtplib.SMTPDataError as error:
        return error.smtp_code


class LdapWorld:
    def __init__(self):
        self.fake, self.sink = Failing(tree()), SmtpSink()
        block = ldap_block(preset="openldap", servers=self.fake.uri, base='"dc=x"', domains="example.test", timeout="2s",
                           bind_dn='"cn=maild,dc=x"', bind_password="sesame-x")
        self.server = LdapInstance(block, users=("root",))
        self.server.replace_config("directory {", "directory {\n    cache_stale = 0s")
        self.server.add_config("queue {\n    relay_host = [127.0.0.1]:%d\n}\npolicy {\n    trusted_networks = \"\"\n}\n" % self.sink.port)

    def __enter__(self):
        self.server.__enter__()
        self.server.mailctl("address", "add", "list@example.test", "root@example.test", "outer@example.test", "x@far.test",
                            "m001@example.test")
        return self

    def __exit__(self, *why):
        self.server.__exit__(*why)
        self.sink.close()
        self.fake.close()

    def searches(self):
        """How many a whole expansion takes."""
        before = len(self.fake.searches)
        wait_for(lambda: recipient(self.server, "list@example.test").startswith("250"), "it is not accepted")
        return len(self.fake.searches) - before


def test_a_directory_that_fails_in_the_middle_of_a_list():
    with LdapWorld() as w:
        whole = w.searches()
        assert whole > 5, whole
        for left in (0, 2, whole // 2, whole - 1):
            w.fake.searches_left = left
            assert reply_to(w.server, "list@example.test", "half") == 451, (left, whole)
            assert w.fake.searches_left == 0, (left, whole)
            w.fake.searches_left = None
            assert not have(w.server, "half") and w.sink.messages.empty()
            w.searches()
        inject(w.server, "s@far.test", ["list@example.test", "inner@example.test"], TEXT % "all")
        everybody(w.server, "all")
        assert w.sink.next()["recipients"] == ["x@far.test"] and w.sink.messages.empty()
        assert w.server.mailctl_json("queue", "list") == []


def test_a_list_that_waits():
    """A program has handed it in while the server was away, and is gone: all of it waits in the queue."""
    with LdapWorld() as w:
        whole = w.searches()
        w.server.stop()
        subprocess.run([os.path.join(build_dir(), "mailctl"), "--config", w.server.config_path, "sendmail", "-f", "root@example.test",
                        "list@example.test"], input=TEXT % "waiting", text=True, check=True)
        w.fake.searches_left = whole // 2
        w.server.start()
        waiting = wait_for(lambda: w.server.mailctl_json("queue", "list"), "the message does not wait")
        assert [r["address"] for r in waiting[0]["recipients"]] == ["list@example.test"] and w.fake.searches_left == 0, waiting
        w.fake.searches_left = whole // 3
        # A server that failed is left alone for a moment.
        wait_for(lambda: w.server.mailctl("queue", "retry") is not None and w.fake.searches_left == 0, "it is not tried again")
        assert not have(w.server, "waiting") and w.sink.messages.empty()
        w.fake.searches_left = None
        w.searches()
        wait_for(lambda: w.server.mailctl("queue", "retry") is not None and have(w.server, "waiting"), "it is not delivered")
        everybody(w.server, "waiting")
        assert w.sink.next()["recipients"] == ["x@far.test"] and w.sink.messages.empty()
        wait_for(lambda: w.server.mailctl_json("queue", "list") == [], "something waits")


def users_as_csv():
    lines = ["type,address,password,members"]
    lines += ["user,m%03d@example.test,%s," % (n, cheap_hash("secret%d" % n)) for n in range(MEMBERS)]
    lines += ["group,outer@example.test,,%s" % " ".join("m%03d@example.test" % n for n in range(MEMBERS)),
              "address,list@example.test,,root@example.test outer@example.test m001@example.test"]
    return "\n".join(lines) + "\n"


def test_the_embedded_directory_fails_in_the_middle_of_a_list():
    """A part of its file cannot be read."""
    server = Instance(users=("root",))
    server.add_config("directory {\n    cache_lifetime = 0s\n    cache_negative_lifetime = 0s\n}\n")
    with server:
        server.mailctl("directory", "import", "-", "--format", "csv", stdin=users_as_csv())
        path = os.path.join(server.root, "data", "directory.db")
        deferred = 0
        for part in range(4):
            server.restart()  # it has nothing in memory, and all of it is in the file
            with open(path, "rb") as f:
                content = f.read()
            begin, end = (len(content) * n // 4 // 4096 * 4096 for n in (part, part + 1))
            with open(path, "r+b") as f:
                f.seek(max(begin, 4096))
                f.write(os.urandom(max(end - max(begin, 4096), 0)))
            subject = "half %d" % part
            if reply_to(server, "list@example.test", subject) != 250:
                assert recipient(server, "list@example.test").startswith("451")
                assert not have(server, subject), have(server, subject)
                deferred += 1
            else:
                everybody(server, subject)
            server.kill()
            with open(path, "wb") as f:
                f.write(content)
            for name in ("-wal", "-shm"):
                if os.path.exists(path + name):
                    os.unlink(path + name)
            server.start()
        assert deferred >= 1, deferred
        inject(server, "s@far.test", ["list@example.test"], TEXT % "all")
        everybody(server, "all")


# --- loops ---

STORM = 1000
LOOPS = ("a1@example.test", "b1@example.test", "ring1@example.test", "mixed@example.test")


def make_loops(server):
    """Of addresses, of groups, of forwards, and of all of them together; of another server and ours in the end."""
    mailctl = server.mailctl
    mailctl("address", "add", "a1@example.test", "a2@example.test")
    mailctl("address", "add", "a2@example.test", "a1@example.test", "a1@example.test".replace("a1", "a2x"))
    mailctl("address", "add", "a2x@example.test", "a2@example.test")
    mailctl("group", "add", "b1@example.test")
    mailctl("group", "add", "b2@example.test", "b1@example.test")
    mailctl("group", "member", "add", "b1@example.test", "b2@example.test")
    mailctl("user", "set", "ring1@example.test", "--forward", "ring2@example.test", "--no-copy")
    mailctl("user", "set", "ring2@example.test", "--forward", "ring1@example.test", "--no-copy")
    mailctl("address", "add", "mixed@example.test", "c1@example.test")
    mailctl("group", "add", "c1@example.test", "ring3@example.test")
    mailctl("user", "set", "ring3@example.test", "--forward", "mixed@example.test", "--no-copy")


def test_loops_are_refused_once_each():
    with Instance(users=("alice", "ring1", "ring2", "ring3")) as server:
        make_loops(server)
        with smtplib.SMTP("127.0.0.1", server.port("local"), timeout=60) as s:
            s.ehlo()
            for n in range(STORM):
                s.send("MAIL FROM:<s@far.test>\r\nRCPT TO:<%s>\r\nRSET\r\n" % LOOPS[n % len(LOOPS)])
                s.getreply()
                code, text = s.getreply()
                assert code == 550 and text.startswith(b"5."), (LOOPS[n % len(LOOPS)], code, text)
                s.getreply()
                if n % 10 == 9:
                    s.close()
                    s.connect("127.0.0.1", server.port("local"))
                    s.ehlo()
        assert server.mailctl_json("queue", "list") == []
        for user in ("alice", "ring1", "ring2", "ring3"):
            assert not server.messages(user)


def test_loops_among_good_recipients():
    """The list has the loop and somebody who is none: everybody once, no report, however many messages."""
    with Instance(users=("alice", "ring1", "ring2", "ring3")) as server:
        make_loops(server)
        server.mailctl("address", "add", "list@example.test", "alice@example.test", *LOOPS)
        with smtplib.SMTP("127.0.0.1", server.port("local"), timeout=60) as s:
            for n in range(STORM // 10):
                s.sendmail("alice@example.test", ["list@example.test"], TEXT % ("storm %d" % n))
        wait_for(lambda: len(server.messages("alice")) == STORM // 10, "alice has %d messages" % len(server.messages("alice")))
        assert server.mailctl_json("queue", "list") == []


class Back:
    """Another server that sends everything back to where it came from, as one does that forwards to us."""

    def __init__(self, server, sink, target):
        self.server, self.sink, self.target = server, sink, target

    def turn(self):
        """One message goes round; the reply of our server."""
        message = self.sink.next()
        try:
            inject(self.server, message["sender"].split("<")[1].split(">")[0], [self.target], message["data"])
            return 250
        except smtplib.SMTPResponseException as error:
            return error.smtp_code
        except smtplib.SMTPRecipientsRefused as error:
            return next(iter(error.recipients.values()))[0]


def test_a_loop_over_another_server_ends():
    """alice forwards there, and what is there comes back: it goes round a few times, and then its sender has a report."""
    sink = SmtpSink()
    server = Instance(users=("alice", "bob"))
    server.add_config("queue {\n    relay_host = [127.0.0.1]:%d\n}\n" % sink.port)
    with server:
        server.mailctl("user", "set", "alice@example.test", "--forward", "alice@far.test")
        submit(server, "bob", ["alice"], TEXT % "round")
        back, turns = Back(server, sink, "alice@example.test"), 1
        while back.turn() == 250 and turns < 200:
            turns += 1
        assert turns < 100, turns
        assert sink.messages.empty() and server.mailctl_json("queue", "list") == []
        copies = [m for m in server.messages("alice").values() if b"Subject: round" in m]
        assert len(copies) == turns or len(copies) <= 2, (len(copies), turns)
    sink.close()
