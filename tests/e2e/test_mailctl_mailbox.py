"""mailctl mailbox: the operator's view of mailboxes, and open sessions that see what it does."""

import imaplib
import os

from support.instance import Instance


def login(server, user="alice", mailbox=None):
    box = imaplib.IMAP4("127.0.0.1", server.port("imap"))
    box.starttls(server.tls_context())
    box.login(user + "@example.test", "secret")
    if mailbox:
        assert box.select(mailbox)[0] == "OK"
    return box


def test_mailboxes_are_made_renamed_and_deleted():
    with Instance(users=("alice", "bob")) as server:
        server.mailctl("mailbox", "create", "alice", "Lists/dev", "Grüße", "--subscribe")
        listed = {m["mailbox"]: m for m in server.mailctl_json("mailbox", "list", "alice")}
        assert listed["Lists/dev"]["subscribed"] and listed["Grüße"]["subscribed"]
        assert listed["Lists"]["exists"] and not listed["Lists"]["subscribed"]
        assert listed["Sent"]["special_use"] == "\\Sent"
        assert "Grüße" in server.mailctl("mailbox", "list", "alice", "G*")
        box = login(server)
        assert b"Gr&APwA3w-e" in b" ".join(box.list()[1])
        assert box.select('"Lists/dev"')[0] == "OK"
        server.mailctl("mailbox", "rename", "alice", "Lists", "Mail")
        listed = {m["mailbox"]: m for m in server.mailctl_json("mailbox", "list", "alice")}
        assert listed["Mail/dev"]["subscribed"] and not listed["Mail"]["subscribed"] and "Lists/dev" not in listed
        mistyped = server.run_mailctl("mailbox", "subscribe", "alice", "Mial", check=False)
        assert mistyped.returncode == 4 and "Mial" in mistyped.stderr, mistyped
        assert os.path.isdir(server.mailctl("mailbox", "path", "alice", "Mail/dev").strip())
        refused = server.run_mailctl("mailbox", "delete", "alice", "Mail/dev", check=False)
        assert refused.returncode == 1 and "--yes" in refused.stderr
        server.mailctl("mailbox", "delete", "alice", "Mail/dev", "--yes")
        assert not [m for m in server.mailctl_json("mailbox", "list", "alice", "Mail*") if m["mailbox"] == "Mail/dev"]
        server.mailctl("mailbox", "unsubscribe", "alice", "Grüße")
        assert not server.mailctl_json("mailbox", "list", "alice", "Grüße")[0]["subscribed"]
        missing = server.run_mailctl("mailbox", "delete", "alice", "nowhere", "--yes", check=False)
        assert missing.returncode == 4 and missing.stderr


def test_status_of_one_user_and_of_all():
    with Instance(users=("alice", "bob")) as server:
        box = login(server, mailbox="INBOX")
        for i in range(3):
            box.append("INBOX", "\\Seen" if i else None, None, b"Subject: %d\r\n\r\nbody\r\n" % i)
        [status] = server.mailctl_json("mailbox", "status", "alice", "INBOX")
        assert (status["messages"], status["unseen"], status["uid_next"]) == (3, 1, 4), status
        assert status["uid_validity"] == int(box.response("UIDVALIDITY")[1][0])
        users = {s["user"]: s["messages"] for s in server.mailctl_json("mailbox", "status", "--all", "INBOX")}
        assert users == {"alice@example.test": 3, "bob@example.test": 0}
        assert "uidvalidity" in server.mailctl("mailbox", "status", "bob")
        for arguments in (["nobody"], ["alice", "nowhere"]):
            assert server.run_mailctl("mailbox", "status", *arguments, check=False).returncode == 4
        assert server.run_mailctl("mailbox", "list", check=False).returncode == 2
