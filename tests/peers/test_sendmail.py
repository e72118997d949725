"""Programs that send with sendmail: mutt, and git's send-email where it is installed; with the server there and gone."""

import os
import shutil
import subprocess

from support import Skip
from support.instance import Instance, build_dir
from support.mail import imap_bodies


def sendmail(server):
    program = os.path.join(server.directory, "sendmail")
    os.symlink(os.path.join(build_dir(), "mailctl"), program)
    return program, dict(os.environ, MAILD_CONFIG=server.config_path, HOME=server.directory, EMAIL="bob@example.test")


def run(*command, **options):
    result = subprocess.run(command, capture_output=True, timeout=60, **options)
    assert result.returncode == 0, (command, result.stdout, result.stderr)


def test_mutt():
    if not shutil.which("mutt"):
        raise Skip("mutt is not installed (./test --with-peers)")
    with Instance() as server:
        program, environment = sendmail(server)
        rc = os.path.join(server.directory, "muttrc")
        with open(rc, "w") as f:
            f.write('set sendmail="%s -oem -oi"\nset copy=no\nset use_envelope_from=yes\nset from=bob@example.test\n'
                    % program)
        attachment = os.path.join(server.directory, "data.bin")
        with open(attachment, "wb") as f:
            f.write(os.urandom(100000))
        send = ("mutt", "-n", "-F", rc, "-s", "Grüße", "-b", "bob@example.test", "-a", attachment, "--",
                "alice@example.test")
        run(*send, input="one\n.\ntwo\n".encode(), env=environment)
        for user in ("alice", "bob"):
            (message,) = imap_bodies(server, user).values()
            assert message.startswith(b"Return-Path: <bob@example.test>"), message[:200]
            assert b"\r\none\r\n.\r\ntwo\r\n" in message and b"Bcc" not in message.split(b"\r\n\r\n")[0]
        server.stop()
        run(*send, input=b"left\n", env=environment)
        server.start()
        for _ in range(600):
            if len(imap_bodies(server, "alice")) == 2:
                return
        raise AssertionError("what was left did not arrive")


def test_git_send_email():
    if subprocess.run(["git", "send-email", "--help"], capture_output=True, stdin=subprocess.DEVNULL).returncode:
        raise Skip("git send-email is not installed")
    with Instance() as server:
        program, environment = sendmail(server)
        patch = os.path.join(server.directory, "0001.patch")
        with open(patch, "w") as f:
            f.write("From 0123 Mon Sep 17 00:00:00 2001\nFrom: Bob <bob@example.test>\nSubject: [PATCH] x\n\n---\n")
        run("git", "send-email", "--sendmail-cmd=" + program, "--to=alice@example.test", "--from=bob@example.test",
            "--confirm=never", "--quiet", patch, env=environment)
        assert len(imap_bodies(server, "alice")) == 1
