"""One user's Maildir cannot be used at a start: the others are served, and nothing of that user is lost."""

import os
import shutil

from support.instance import Instance
from support.mail import imap_bodies, inject


def bodies(server, user):
    return sorted(body.split(b"\r\n\r\n", 1)[1].strip() for body in imap_bodies(server, user).values())


def put_file_for_maildir(server, user):
    maildir = server.maildir(user)
    os.rename(maildir, maildir + ".away")
    open(maildir, "w").close()
    return maildir


def attention(server):
    return [line for line in server.mailctl("status").splitlines() if "attention" in line]


def test_a_file_for_a_maildir_stops_only_its_user():
    with Instance() as server:
        inject(server, "s@elsewhere.test", ["alice", "bob"], "Subject: x\r\n\r\nto both\r\n")
        inject(server, "s@elsewhere.test", ["alice"], "Subject: x\r\n\r\n" + "large " * 50000 + "\r\n")
        inject(server, "s@elsewhere.test", ["alice"], "Subject: x\r\n\r\nto alice\r\n")
        server.kill()
        maildir = put_file_for_maildir(server, "alice")
        for _ in range(2):
            server.start()
            assert bodies(server, "bob") == [b"to both"]
            (said,) = attention(server)
            assert "example.test/alice" in said and "remove the cause" in said, said
            assert server.logged("example.test/alice")
            assert len(server.mailctl_json("status")["store"]["set_aside"]) == 1
            server.kill()
        os.unlink(maildir)
        shutil.move(maildir + ".away", maildir)
        for path in os.listdir(maildir + "/new"):
            os.unlink(f"{maildir}/new/{path}")
        for _ in range(2):
            server.start()
            assert attention(server) == []
            assert [b[:8] for b in bodies(server, "alice")] == [b"large la", b"to alice", b"to both"]
            inject(server, "s@elsewhere.test", ["bob"], "Subject: x\r\n\r\nto both\r\n")
            server.kill()
