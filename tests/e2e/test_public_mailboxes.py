"""Public mailboxes, by mailctl: they belong to no user, and everything that is done with mailboxes is done with them."""

import json
import os
import tarfile
import time

from support.instance import Instance


def put(server, name, *bodies):
    """Messages, by way of a Maildir that is imported."""
    maildir = os.path.join(server.directory, "import-" + name)
    for part in ("cur", "new", "tmp"):
        os.makedirs(os.path.join(maildir, part))
    for i, body in enumerate(bodies):
        with open(os.path.join(maildir, "cur", "%d.x.y:2,S" % i), "w") as f:
            f.write("From: bob@x.test\nSubject: %s\n\n%s\n" % (body, body))
    server.mailctl("import", "public", maildir, "--mailbox", name)


def names(server):
    return [m["mailbox"] for m in server.mailctl_json("mailbox", "list", "public")]


def test_public_mailboxes_are_made_looked_at_and_deleted():
    with Instance(users=("alice", "public")) as server:
        assert names(server) == []
        assert "public" not in {m["user"] for m in server.mailctl_json("mailbox", "list", "--all")}
        server.mailctl("mailbox", "create", "public", "Announcements", "Teams/Grüße")
        assert names(server) == ["Announcements", "Teams", "Teams/Grüße"]
        put(server, "Announcements", "party", "meeting")
        [status] = server.mailctl_json("mailbox", "status", "public", "Announcements")
        assert (status["messages"], status["unseen"]) == (2, 0), status
        [found] = server.mailctl_json("fetch", "public", "mailbox text", "subject", "party")
        assert found["mailbox"] == "Announcements" and "party" in found["text"]
        server.mailctl("mailbox", "rename", "public", "Announcements", "News")
        path = server.mailctl("mailbox", "path", "public", "News").strip()
        assert path.endswith("/.public/Maildir/.News") and os.path.isdir(path), path
        listed = server.mailctl_json("mailbox", "list", "--all")
        assert {m["mailbox"] for m in listed if m["user"] == "public"} == set(names(server))
        [quota] = server.mailctl_json("quota", "get", "public")
        assert quota["user"] == "public" and quota["messages"] == 2, quota
        assert server.mailctl_json("store", "check", "--all") is not None
        server.mailctl("store", "rebuild", "public")
        for refused in (("create", "public", "INBOX"), ("status", "public", "INBOX")):
            assert server.run_mailctl("mailbox", *refused, check=False).returncode in (4, 5)
        # The user of that name has an address, and mail of his own.
        assert "INBOX" in [m["mailbox"] for m in server.mailctl_json("mailbox", "list", "public@example.test")]
        server.mailctl("mailbox", "delete", "public", "News", "--yes")
        assert names(server) == ["Teams", "Teams/Grüße"]
        server.mailctl("mailbox", "undelete", "public")
        assert len(server.mailctl_json("fetch", "public", "mailbox", "subject", "party")) == 1


def test_public_mailboxes_are_in_backups():
    with Instance(users=("alice",)) as server:
        archive = os.path.join(server.directory, "backup.tar")
        server.mailctl("mailbox", "create", "public", "News")
        put(server, "News", "party")
        server.mailctl("backup", "--all", archive)
        server.mailctl("mailbox", "delete", "public", "News", "--yes")
        server.mailctl("restore", "public", archive)
        [status] = server.mailctl_json("mailbox", "status", "public", "News")
        assert status["messages"] == 1
        server.kill()
        server.start()
        assert len(server.mailctl_json("fetch", "public", "text", "subject", "party")) == 1


def test_a_backup_brings_access_control_lists_back():
    def lists(server):
        return {name: {(e["identifier"], e["rights"], e["others"])
                       for e in server.mailctl_json("mailbox", "acl", "list", "public", name)}
                for name in ("/", "Sales", "Sales/Old", "Closed", "Kept")}

    def set_acl(server, *arguments):
        server.mailctl("mailbox", "acl", "set", "public", *arguments)
    with Instance() as server:
        archive = os.path.join(server.directory, "public.tar")
        server.mailctl("mailbox", "create", "public", "Sales", "Closed", "Kept")
        set_acl(server, "/", "alice", "lrk")
        set_acl(server, "Sales", "alice", "lrswite")
        set_acl(server, "Sales", "anyone", "lr")
        set_acl(server, "Sales", "--", "-bob", "r")
        path = server.mailctl("mailbox", "path", "public", "Sales").strip() + "/dovecot-acl"
        with open(path, "a") as f:
            f.write("authenticated l :custom\n")
        server.mailctl("mailbox", "create", "public", "Sales/Old")
        server.mailctl("mailbox", "acl", "delete", "public", "Sales/Old", "anyone")
        server.mailctl("mailbox", "acl", "delete", "public", "Sales/Old", "authenticated")
        set_acl(server, "Kept", "alice", "lr")
        before = lists(server)
        assert ("authenticated", "l", "custom") in before["Sales"] and not before["Closed"], before
        server.mailctl("backup", "public", archive)
        # Into a mailbox that is there its list is not brought back, into one that is made it is, and so is that above all.
        set_acl(server, "Kept", "bob", "lr")
        server.mailctl("mailbox", "acl", "delete", "public", "/", "alice")
        server.mailctl("mailbox", "delete", "public", "Sales/Old", "Sales", "Closed", "--yes")
        changed = {("user=alice@example.test", "lr", ""), ("user=bob@example.test", "lr", "")}
        server.mailctl("restore", "public", archive)
        after = lists(server)
        assert after == dict(before, Kept=changed), (before, after)
        # Where the list above all gives more, a mailbox that gave nothing to anybody still does not.
        set_acl(server, "/", "anyone", "lr")
        server.mailctl("mailbox", "delete", "public", "Closed", "--yes")
        server.mailctl("restore", "public", archive)
        assert not lists(server)["Closed"] and ("anyone", "lr", "") in lists(server)["/"]
        # A user's own mailboxes have none.
        server.mailctl("backup", "alice@example.test", archive)
        assert not any("acl" in json.load(tar.extractfile(m)) for tar in [tarfile.open(archive)] for m in tar.getmembers()
                       if m.name.endswith(("mailbox.json", "account.json")))


def test_others_may_change_a_public_mailbox():
    with Instance(users=("alice",)) as server:
        server.mailctl("mailbox", "create", "public", "News")
        path = server.mailctl("mailbox", "path", "public", "News").strip()
        with open(os.path.join(path, "new", "1.x.y"), "w") as f:
            f.write("Subject: put there\n\nbody\n")
        deadline = time.monotonic() + 20
        while not server.mailctl_json("mailbox", "status", "public", "News")[0]["messages"]:
            assert time.monotonic() < deadline
        [found] = server.mailctl_json("fetch", "public", "text", "mailbox", "News")
        assert "put there" in found["text"]
