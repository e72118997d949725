"""Mail for one address that leads to destinations of every kind, and what is in each of them; public mailboxes are read over IMAP
by those who may."""

import imaplib
import os
import tempfile

from support import wait_for
from support.instance import Instance
from support.mail import imap, imap_bodies, inject
from support.smtp_sink import SmtpSink

TEXT = "From: s@far.test\r\nTo: all@example.test\r\nSubject: %s\r\nMessage-ID: <%s@far.test>\r\n\r\nto everybody\r\n"
DOMAINS = """type,address,kind,relay,alias_of,catch_all
domain,relay.test,relay,[127.0.0.1]:%d,,
domain,alias.test,alias,,example.test,
domain,catch.test,local,,,dora@example.test
"""


def make(server, relay, lists):
    mailctl = server.mailctl
    mailctl("directory", "import", "-", "--format", "csv", stdin=DOMAINS % relay.port)
    mailctl("group", "add", "inner@example.test", "bob@example.test")
    mailctl("group", "add", "outer@example.test", "inner@example.test", "carol@example.test")
    mailctl("mailbox", "create", "public", "News")
    mailctl("mailbox", "acl", "set", "public", "News", "group=inner@example.test", "lrs")
    with open(os.path.join(lists, "friends"), "w") as f:
        f.write("# friends\nerin@example.test, far@far.test\n")
    mailctl("mailbox", "create", "frank@example.test", "Shop")
    mailctl("address", "add", "all@example.test", "alice@example.test", "outer@example.test", "x@relay.test", "y@far.test",
            ":public:News", ":include:%s/friends" % lists, ":discard:", "frank+shop@example.test", "gina@alias.test",
            "anything@catch.test")


def news(server, user):
    """How many messages of the public mailbox a user sees; None: he may not."""
    box = imap(server, user)
    try:
        names = [line.decode().split()[-1].strip('"') for line in box.list('""', '"*"')[1] if line]
        found = [name for name in names if name.endswith("News")]
        if not found:
            return None
        typ, data = box.select('"%s"' % found[0], readonly=True)
        return int(data[0]) if typ == "OK" else None
    finally:
        try:
            box.logout()
        except (OSError, imaplib.IMAP4.error):
            pass


def test_every_kind_of_destination():
    users = ("alice", "bob", "carol", "dora", "erin", "frank", "gina", "nobody")
    relay, remote = SmtpSink(), SmtpSink()
    with tempfile.TemporaryDirectory(prefix="maild-test-lists-") as lists:
        server = Instance(users=users)
        server.add_config("queue {\n    relay_host = [127.0.0.1]:%d\n}\naddresses {\n    include_paths = %s\n    detail_mailbox = yes\n}\n" %
                          (remote.port, lists))
        with server:
            make(server, relay, lists)
            inject(server, "s@far.test", ["all@alias.test"], TEXT % ("once", "once"))
            assert relay.next()["recipients"] == ["x@relay.test"]
            assert sorted(remote.next()["recipients"] + ([] if remote.messages.empty() else remote.next()["recipients"])) == [
                "far@far.test", "y@far.test"]
            for user in users:
                bodies = list(imap_bodies(server, user).values())
                assert len(bodies) == (user not in ("frank", "nobody")), (user, bodies)
                assert all(b"Subject: once" in b and b"to everybody" in b for b in bodies)
            assert len(imap_bodies(server, "frank", "Shop")) == 1
            assert news(server, "bob") == 1 and news(server, "alice") is None
            wait_for(lambda: server.mailctl_json("queue", "list") == [], "something waits")
            assert relay.messages.empty() and remote.messages.empty()
            explained = server.mailctl_json("address", "explain", "all@alias.test", "--from", "s@far.test")
            assert {t["kind"] for t in explained["targets"]} == {"mailbox", "relay", "remote", "public", "dropped"}, explained
            # A member that comes is written to at once, one that goes is not.
            server.mailctl("group", "member", "add", "inner@example.test", "nobody@example.test")
            server.mailctl("group", "member", "delete", "outer@example.test", "carol@example.test")
            inject(server, "s@far.test", ["outer@example.test"], TEXT % ("twice", "twice"))
            wait_for(lambda: len(imap_bodies(server, "nobody")) == 1, "nobody has no mail")
            assert len(imap_bodies(server, "carol")) == 1 and len(imap_bodies(server, "bob")) == 2
            assert news(server, "nobody") == 1
    relay.close()
    remote.close()
