"""What the server can still do with files after its start."""

import os
import shutil
import smtplib
import tempfile

from support import Skip
from support.instance import Instance
from support.mail import imap_bodies, inject

TEXT = "Subject: x\r\n\r\nbody\r\n"


def move_home_elsewhere(server, user):
    """Another disk, with a link where the user's folder was."""
    elsewhere = tempfile.mkdtemp(prefix="maild-test-disk-")
    home = os.path.dirname(server.maildir(user))
    target = os.path.join(elsewhere, user)
    if os.path.exists(home):
        shutil.move(home, target)
    else:
        os.makedirs(target)
        os.makedirs(os.path.dirname(home), exist_ok=True)
    os.symlink(target, home)
    return elsewhere


def confined(server):
    line = next(line for line in server.log().splitlines() if "sandbox: " in line)
    if "files=confined" not in line:
        raise Skip("no Landlock here: " + line)


def inject_is_refused_for_now(server, recipient):
    try:
        inject(server, "far@away.test", [recipient], TEXT)
    except smtplib.SMTPResponseException as e:
        return 400 <= e.smtp_code < 500
    except smtplib.SMTPRecipientsRefused as e:
        return all(400 <= code < 500 for code, _ in e.recipients.values())
    return False


def test_folders_elsewhere_are_closed_until_the_settings_name_them():
    server = Instance()
    elsewhere = move_home_elsewhere(server, "alice")
    try:
        server.start()
        confined(server)
        inject(server, "far@away.test", ["bob@example.test"], TEXT)
        assert inject_is_refused_for_now(server, "alice@example.test"), server.log()
        assert os.listdir(os.path.join(elsewhere, "alice")) == []
        server.logged("Permission denied")
        server.stop()
        server.replace_config("hostname =", "sandbox_write = %s\nhostname =" % elsewhere)
        server.start()
        inject(server, "far@away.test", ["alice@example.test"], TEXT)
        assert len(imap_bodies(server, "alice")) == 1
        server.close()
    finally:
        server.kill()
        shutil.rmtree(elsewhere, ignore_errors=True)


def test_a_reload_cannot_leave_it():
    with Instance() as server:
        confined(server)
        elsewhere = tempfile.mkdtemp(prefix="maild-test-disk-")
        try:
            with open(server.config_path) as f:
                before = next(line for line in f if line.startswith("log ="))
            server.replace_config(before, "log = %s/maild.log\n" % elsewhere)
            result = server.run_mailctl("reload", check=False)
            assert result.returncode != 0 and "Permission denied" in result.stderr, result
            assert os.listdir(elsewhere) == []
            inject(server, "far@away.test", ["bob@example.test"], TEXT)
            assert len(imap_bodies(server, "bob")) == 1
        finally:
            shutil.rmtree(elsewhere)


def test_without_it():
    server = Instance()
    elsewhere = move_home_elsewhere(server, "alice")
    try:
        server.replace_config("hostname =", "sandbox = no\nhostname =")
        server.start()
        assert "sandbox: " not in server.log()
        with open("/proc/%d/status" % server.process.pid) as f:
            assert "NoNewPrivs:\t1\n" in f.read()
        inject(server, "far@away.test", ["alice@example.test"], TEXT)
        assert len(imap_bodies(server, "alice")) == 1
        server.close()
    finally:
        server.kill()
        shutil.rmtree(elsewhere, ignore_errors=True)
