"""maildirsize between us and Debian's Dovecot (quota=maildir), both ways."""

import os
import pwd
import shutil

from support import Skip
from support.imap_raw import RawImap
from support.instance import Instance
from support.mail import imap, inject
from support.reference import Reference, dovecot_available

EXTRA = """
mail_plugins = quota
protocol imap {{
  mail_plugins = quota imap_quota
}}
plugin {{
  quota = maildir:User quota
  quota_rule = *:storage=1M:messages=1000
}}
"""


def message(size):
    return "From: s@elsewhere.test\r\nSubject: x\r\n\r\n" + ("y" * 70 + "\r\n") * (size // 72)


def give(source, target, owner):
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    for directory, _, names in os.walk(target):
        for path in [directory] + [os.path.join(directory, n) for n in names]:
            shutil.chown(path, owner.pw_uid, owner.pw_gid)


def read(path):
    with open(path) as f:
        return f.read()


def dovecot_quota(reference):
    client = RawImap(reference.port("imap")).login("alice@example.test")
    lines = client.ok(b"GETQUOTAROOT", b"INBOX")
    client.close()
    return str(lines)


def test_both_ways():
    if not dovecot_available():
        raise Skip("needs root and Dovecot 2.3")
    with Instance() as server, Reference(postfix=False, extra=EXTRA) as reference:
        server.mailctl("quota", "set", "alice@example.test", "--storage", "1M", "--messages", "1000")
        for size in (3000, 50000, 200):
            inject(server, "s@elsewhere.test", ["alice"], message(size))
        box = imap(server, "alice")
        box.append("Sent", "", None, message(10000).encode())
        box.select("INBOX")
        box.store("1", "+FLAGS", "\\Deleted")
        box.expunge()
        box.logout()
        q = server.mailctl_json("quota", "get", "alice@example.test")[0]
        server.stop()
        ours = os.path.join(server.maildir("alice"), "maildirsize")
        assert read(ours) == "1048576S,1000C\n%d %d\n" % (q["storage"], q["messages"]), read(ours)

        # Dovecot believes what it finds, and goes on with it.
        owner = pwd.getpwnam("dovecot")
        theirs = os.path.join(reference.root, "mail/example.test/alice/Maildir")
        os.makedirs(os.path.dirname(theirs))
        shutil.chown(os.path.dirname(theirs), owner.pw_uid, owner.pw_gid)
        shutil.chown(os.path.dirname(os.path.dirname(theirs)), owner.pw_uid, owner.pw_gid)
        give(server.maildir("alice"), theirs, owner)
        answer = dovecot_quota(reference)
        assert "STORAGE %d 1024 MESSAGE %d 1000" % (-(-q["storage"] // 1024), q["messages"]) in answer, answer
        assert read(theirs + "/maildirsize") == read(ours), read(theirs + "/maildirsize")
        client = RawImap(reference.port("imap")).login("alice@example.test")
        text = message(7000).encode()
        status, text, _ = client.command(b"APPEND", b"INBOX", b"{%d+}\r\n%s" % (len(text), text))
        assert status == b"OK", text
        client.close()
        assert read(theirs + "/maildirsize").count("\n") == 3, read(theirs + "/maildirsize")
        after = sum(int(line.split()[0]) for line in read(theirs + "/maildirsize").split("\n")[1:3])

        # And we go on with what Dovecot leaves, its lines and all.
        reference.stop()
        give(theirs, server.maildir("alice"), pwd.getpwuid(os.geteuid()))
        server.start()
        q = server.mailctl_json("quota", "get", "alice@example.test")[0]
        assert (q["storage"], q["messages"]) == (after, 4), (q, after)
        assert read(ours).count("\n") == 3, "it was right: " + read(ours)
        inject(server, "s@elsewhere.test", ["alice"], message(500))
        q = server.mailctl_json("quota", "get", "alice@example.test")[0]
        server.stop()
        assert read(ours) == "1048576S,1000C\n%d 5\n" % q["storage"], read(ours)
