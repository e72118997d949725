"""Public mailboxes over IMAP: mail flows into them, who has rights reads it, for everybody else it is not there."""

import imaplib
import os
import threading

from support import wait_for
from support.instance import Instance
from support.mail import imap, inject

TEXT = "From: s@remote.example\r\nTo: sales@example.test\r\nSubject: %s\r\n\r\nbody of %s\r\n"


def acl(server, *arguments):
    return server.mailctl("mailbox", "acl", *arguments)


def names(box, pattern="*"):
    return sorted(line.split(b' "/" ')[1].strip(b'"').decode() for line in box.list('""', pattern)[1] if line)


def subjects(box, name):
    assert box.select(name, readonly=True)[0] == "OK"
    found = [part[1].split(b": ")[1].strip().decode() for part in
            box.uid("fetch", "1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1] if isinstance(part, tuple)]
    box.unselect()
    return found


def gone(box, name):
    return box.status(name, "(MESSAGES)")[0] == "NO"


def refused(box, name):
    """As if it did not exist, in every command."""
    return all(status == "NO" and b"[NONEXISTENT]" in text[0] for status, text in
               (box.select(name), box.select(name, readonly=True), box.status(name, "(MESSAGES)"),
                box.myrights(name), box.getacl(name), box.setacl(name, "bob@example.test", "lr"), box.delete(name),
                box.subscribe(name), box.rename(name, "Mine")))


def make(server):
    mailctl = server.mailctl
    mailctl("mailbox", "create", "public", "Sales")
    mailctl("address", "add", "sales@example.test", ":public:Sales")
    acl(server, "set", "public", "Sales", "alice", "lrs")


def test_mail_is_read_by_those_who_may():
    with Instance(users=("alice", "bob", "carol")) as server:
        make(server)
        server.mailctl("group", "add", "staff@example.test", "carol@example.test")
        acl(server, "set", "public", "Sales", "group=staff@example.test", "lrite")
        assert [(e["identifier"], e["rights"]) for e in
                server.mailctl_json("mailbox", "acl", "list", "public", "Sales")] == \
            [("group=staff@example.test", "lrite"), ("user=alice@example.test", "lrs")]
        inject(server, "s@remote.example", ["sales"], TEXT % ("one", "one"))
        alice, bob, carol = (imap(server, user) for user in ("alice", "bob", "carol"))
        for box in (alice, carol):
            assert "Public/Sales" in names(box), names(box)
            assert subjects(box, "Public/Sales") == ["one"]
        assert not [name for name in names(bob) if "Public" in name]
        assert refused(bob, "Public/Sales") and refused(bob, "Public/Nothing")
        inject(server, "s@remote.example", ["bob"], TEXT % ("own", "own"))
        assert bob.select("INBOX")[0] == "OK"
        assert bob.copy("1:*", "Public/Sales")[0] == "NO"
        assert bob.append("Public/Sales", None, None, b"Subject: x\r\n\r\n")[0] == "NO"
        # Who leaves the group has no rights any more, though he is logged in; who comes has them.
        carol.select("Public/Sales")
        server.mailctl("group", "member", "delete", "staff@example.test", "carol@example.test")
        try:
            status, _ = carol.fetch("1", "(BODY[])")
            raise AssertionError(status)
        except (imaplib.IMAP4.abort, OSError):
            pass
        server.mailctl("group", "member", "add", "staff@example.test", "bob@example.test")
        assert subjects(bob, "Public/Sales") == ["one"]
        # A disabled user is nobody.
        server.mailctl("user", "disable", "alice@example.test")
        assert refused(alice, "Public/Sales")


def test_lists_survive_and_are_dovecots():
    with Instance() as server:
        make(server)
        path = server.mailctl("mailbox", "path", "public", "Sales").strip() + "/dovecot-acl"
        with open(path) as f:
            assert f.read() == "user=alice@example.test lrs\n"
        acl(server, "set", "public", "Sales", "--", "-anyone", "s")
        server.kill()
        server.start()
        box = imap(server, "alice")
        assert box.myrights("Public/Sales")[1] == [b'"Public/Sales" "lr"']
        # Somebody writes it by hand: it counts soon, and damage lets nobody in.
        with open(path, "w") as f:
            f.write("# by hand\nuser=bob@example.test lr\n")
        wait_for(lambda: box.myrights("Public/Sales")[0] == "NO")
        bob = imap(server, "bob")
        assert subjects(bob, "Public/Sales") == []
        with open(path, "a") as f:
            f.write("user=alice@example.test l?\n")
        wait_for(lambda: gone(bob, "Public/Sales"))
        assert refused(bob, "Public/Sales")
        assert server.logged("access control list: " + path + ": line 3: the rights cannot be understood")
        assert server.run_mailctl("mailbox", "acl", "set", "public", "Sales", "alice", "lr", check=False).returncode != 0
        with open(path, "w") as f:
            f.write("user=bob@example.test lr\n" * 20000)
        wait_for(lambda: gone(bob, "Public/Sales") and server.log().count("access control list: ") > 1)
        assert refused(bob, "Public/Sales")
        assert server.logged("access control list: " + path + " is larger than "), server.log()
        os.unlink(path)
        acl(server, "set", "public", "Sales", "bob", "lr")
        assert subjects(bob, "Public/Sales") == []


def test_messages_that_went_in_or_out_survive():
    with Instance() as server:
        make(server)
        acl(server, "set", "public", "Sales", "bob", "lrite")
        for n in ("one", "two"):
            inject(server, "s@remote.example", ["bob"], TEXT % (n, n))
        inject(server, "s@remote.example", ["sales"], TEXT % ("three", "three"))
        bob = imap(server, "bob")
        bob.select("INBOX")
        assert bob.copy("1", "Public/Sales")[0] == "OK"
        assert bob._simple_command("MOVE", "2", "Public/Sales")[0] == "OK"
        bob.select("Public/Sales")
        assert bob._simple_command("MOVE", "1", "Archive")[0] == "OK"
        server.kill()
        server.start()
        bob = imap(server, "bob")
        assert subjects(bob, "Public/Sales") == ["one", "two"]
        assert subjects(bob, "INBOX") == ["one"] and subjects(bob, "Archive") == ["three"]
        assert server.run_mailctl("store", "check", "--all", check=False).returncode == 0


def test_delivery_makes_a_mailbox_with_its_parents_list():
    with Instance() as server:
        make(server)
        acl(server, "set", "public", "/", "bob", "lrk")
        server.mailctl("mailbox", "create", "public", "Sales/North", "Other")
        alice, bob = imap(server, "alice"), imap(server, "bob")
        assert names(alice, "Public/*") == ["Public/Sales", "Public/Sales/North"]
        assert names(bob, "Public/*") == ["Public/Other"]
        # Moved elsewhere it keeps its list, and nobody inherits another one.
        server.mailctl("mailbox", "rename", "public", "Sales/North", "Other/North")
        assert names(alice, "Public/*") == ["Public/Other", "Public/Other/North", "Public/Sales"] or \
            names(alice, "Public/*") == ["Public/Other/North", "Public/Sales"]
        assert names(bob, "Public/*") == ["Public/Other"] and refused(bob, "Public/Other/North")
        # A name that comes back has nothing of the one before.
        server.mailctl("mailbox", "delete", "public", "Sales", "--yes")
        server.mailctl("mailbox", "create", "public", "Sales")
        assert refused(alice, "Public/Sales") and subjects(bob, "Public/Sales") == []


def test_rights_change_under_load():
    """Rights come and go while two sessions use them: no answer shows what was not allowed."""
    with Instance() as server:
        make(server)
        inject(server, "s@remote.example", ["sales"], TEXT % ("one", "one"))
        box, stop, seen = imap(server, "alice"), threading.Event(), {"OK": 0, "NO": 0}

        def look():
            while not stop.is_set():
                status = box.status("Public/Sales", "(MESSAGES)")[0]
                seen[status] += 1
        thread = threading.Thread(target=look)
        thread.start()
        for _ in range(10):
            acl(server, "set", "public", "Sales", "alice", "l")
            acl(server, "set", "public", "Sales", "alice", "lr")
        acl(server, "delete", "public", "Sales", "alice")
        stop.set()
        thread.join()
        assert seen["OK"] and refused(box, "Public/Sales"), seen
