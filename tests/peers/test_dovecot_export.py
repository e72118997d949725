"""What export writes, and what tar takes out of a backup, served by Debian's Dovecot: UIDs, flags, keywords, dates."""

import os
import pwd
import shutil
import subprocess

from support import Skip
from support.imap_raw import RawImap
from support.instance import Instance
from support.mail import imap
from support.reference import Reference, dovecot_available

EXTRA = """
namespace inbox {{
  inbox = yes
  separator = /
}}
"""
MAILBOXES = [b"INBOX", b'"Lists/dev"', b'"Gr&APwA3w-e"']


def give(source, target):
    owner = pwd.getpwnam("dovecot")
    os.makedirs(os.path.dirname(target), exist_ok=True)
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    top = os.path.dirname(os.path.dirname(target))
    for directory, _, names in os.walk(top):
        for path in [directory] + [os.path.join(directory, n) for n in names]:
            shutil.chown(path, owner.pw_uid, owner.pw_gid)


def seen(client):
    client.login("alice@example.test")
    found = []
    for name in MAILBOXES:
        found.append(client.ok(b"STATUS", name, b"(MESSAGES UNSEEN UIDVALIDITY)")[-1].split(b"(")[-1])
        client.ok(b"EXAMINE", name)
        messages = client.fetch(b"1:*", b"(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])", uid=True)
        found.append([[m[b"UID"], sorted(f for f in m[b"FLAGS"] if f != b"\\Recent"), m[b"INTERNALDATE"],
                       m[b"RFC822.SIZE"], m[b"BODY[]"]] for m in messages])
    client.close()
    return found


def test_dovecot_serves_what_is_exported():
    if not dovecot_available():
        raise Skip("needs root and Dovecot 2.3")
    with Instance() as server, Reference(postfix=False, extra=EXTRA) as reference:
        box = imap(server, "alice")
        for name in MAILBOXES[1:]:
            box.create(name.decode())
        for i in range(12):
            box.append("INBOX", "(\\Seen $Work)" if i % 3 else "(\\Flagged other)",
                       '"%02d-Feb-2024 10:00:00 +0000"' % (i + 10), b"Subject: %d\r\n\r\nFrom me\r\n" % i)
        box.append(MAILBOXES[1].decode(), "\\Draft", None, b"Subject: list\r\n\r\nx\r\n")
        box.select("INBOX")
        box.store("2,3,12", "+FLAGS", "\\Deleted")
        box.expunge()
        ours = seen(RawImap(server.port("imaps"), server.tls_context()))
        assert [len(m) for m in ours[1::2]] == [9, 1, 0], ours
        exported = os.path.join(server.directory, "exported")
        server.mailctl("export", "alice", exported)
        archive = os.path.join(server.directory, "backup.tar")
        server.mailctl("backup", "alice", archive)
        subprocess.run(["tar", "xf", archive, "-C", server.directory], check=True)
        theirs = os.path.join(reference.root, "mail/example.test/alice/Maildir")
        for source in (exported, os.path.join(server.directory, "alice@example.test")):
            give(source, theirs)
            found = seen(RawImap(reference.port("imap")))
            assert found == ours, (source, found, ours)
