"""Clients that people use, from Debian's packages: mbsync, mutt."""

import os
import shutil
import subprocess

from support import Skip
from support.instance import Instance
from support.mail import imap, imap_bodies, inject, submit

TEXT = "From: s@elsewhere.test\r\nTo: alice@example.test\r\nSubject: %s\r\n\r\nline %s\r\n"


def need(program):
    if not shutil.which(program):
        raise Skip("%s is not installed (./test --with-peers)" % program)


MBSYNCRC = """IMAPAccount maild
Host 127.0.0.1
Port {port}
User alice@example.test
Pass secret
SSLType STARTTLS
CertificateFile {certificate}

IMAPStore remote
Account maild

MaildirStore local
Path {local}/
Inbox {local}/INBOX
SubFolders Verbatim

Channel all
Far :remote:
Near :local:
Patterns *
Create Both
Remove Both
Expunge Both
SyncState *
"""


def mbsync(rc):
    result = subprocess.run(["mbsync", "-c", rc, "all"], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr
    complaints = [l for l in result.stderr.splitlines() if "rror" in l or "arning" in l]
    assert not complaints, complaints


def local_messages(directory, folder):
    found = []
    for sub in ("new", "cur"):
        path = os.path.join(directory, folder, sub)
        if os.path.isdir(path):
            found += [os.path.join(path, name) for name in os.listdir(path)]
    return sorted(found)


def test_mbsync_both_ways():
    need("mbsync")
    with Instance() as server:
        local = server.directory + "/local"
        os.makedirs(local)
        certificate = server.root + "/tls/certificate.pem"
        for path, _, names in os.walk(server.root):
            for name in names:
                if name.endswith((".pem", ".crt")) and "key" not in name:
                    certificate = os.path.join(path, name)
        rc = server.directory + "/mbsyncrc"
        with open(rc, "w") as f:
            f.write(MBSYNCRC.format(port=server.port("imap"), certificate=certificate, local=local))
        for i in range(20):
            inject(server, "s@elsewhere.test", ["alice"], TEXT % (i, i))
        mbsync(rc)
        files = local_messages(local, "INBOX")
        assert len(files) == 20, files
        # Flag one, delete one, add one, here; expunge one and add one there; then all is the same again.
        flagged = files[0]
        base = os.path.basename(flagged).split(":")[0]
        os.rename(flagged, os.path.join(local, "INBOX/cur", base + ":2,FS"))
        deleted = files[1]
        base = os.path.basename(deleted).split(":")[0]
        os.rename(deleted, os.path.join(local, "INBOX/cur", base + ":2,ST"))
        with open(os.path.join(local, "INBOX/new/123.local"), "w") as f:
            f.write((TEXT % ("mine", "mine")).replace("\r\n", "\n"))
        inject(server, "s@elsewhere.test", ["alice"], TEXT % ("later", "later"))
        mbsync(rc)
        remote = imap_bodies(server, "alice")
        assert len(remote) == 21, len(remote)
        assert len(local_messages(local, "INBOX")) == 21
        assert any(b"Subject: mine" in m for m in remote.values())
        box = imap(server, "alice")
        box.select()
        assert len(box.search(None, "FLAGGED")[1][0].split()) == 1
        # A new folder there comes here.
        assert box.create("Projects/One")[0] == "OK"
        box.copy("1", "Projects/One")
        box.logout()
        mbsync(rc)
        assert len(local_messages(local, "Projects/One")) == 1
        mbsync(rc)


MUTTRC = """set folder = "{url}"
set spoolfile = "{url}INBOX"
set record = "{url}Sent"
set imap_pass = "secret"
set smtp_url = "smtp://alice@example.test@127.0.0.1:{submission}"
set smtp_pass = "secret"
set from = "alice@example.test"
set ssl_starttls = yes
set ssl_force_tls = yes
set certificate_file = {certificates}
set ssl_verify_host = no
set ssl_verify_dates = no
set ssl_usesystemcerts = no
set ssl_ca_certificates_file = {certificate}
set header_cache =
set mail_check = 1
set timeout = 1
set wait_key = no
set confirmappend = no
set delete = yes
set sleep_time = 0
set copy = yes
"""


def run_mutt(server, keys, *arguments, stdin=None):
    rc = server.directory + "/muttrc"
    certificate = next(os.path.join(p, n) for p, _, names in os.walk(server.root) for n in names
                       if n.endswith((".pem", ".crt")) and "key" not in n)
    with open(rc, "w") as f:
        f.write(MUTTRC.format(url="imap://alice@example.test@127.0.0.1:%d/" % server.port("imap"),
                              submission=server.port("submission"), certificate=certificate,
                              certificates=server.directory + "/accepted"))
        if keys:
            f.write('push "%s"\n' % keys)
    environment = dict(os.environ, TERM="xterm", HOME=server.directory)
    command = "mutt -n -F %s %s" % (rc, " ".join(arguments))
    result = subprocess.run(["script", "-qec", command, "/dev/null"] if keys else
                            ["mutt", "-n", "-F", rc, *arguments], capture_output=True, timeout=60,
                            input=stdin, env=environment)
    return result


def test_mutt_reads_flags_saves_and_deletes():
    need("mutt")
    need("script")
    with Instance() as server:
        for i in range(3):
            inject(server, "s@elsewhere.test", ["alice"], TEXT % ("number%d" % i, i))
        # Open the first, flag the second, save the third to Archive, quit with purge.
        result = run_mutt(server, "<first-entry><display-message><exit><next-entry><flag-message>"
                                  "<last-entry><save-message>=Archive<enter><sync-mailbox><quit>")
        box = imap(server, "alice")
        box.select()
        seen, flagged = box.search(None, "SEEN")[1][0], box.search(None, "FLAGGED")[1][0]
        assert seen == b"1" and flagged == b"2", (seen, flagged, result.stdout[-3000:])
        assert box.search(None, "ALL")[1][0] == b"1 2"
        assert box.select("Archive")[1] == [b"1"]
        box.logout()


def test_mutt_sends():
    need("mutt")
    with Instance() as server:
        result = run_mutt(server, None, "-s", "from mutt", "bob@example.test", stdin=b"hello\n")
        assert result.returncode == 0, result
        found = list(imap_bodies(server, "bob").values())
        assert len(found) == 1 and b"Subject: from mutt" in found[0], (found, result)
        sent = list(imap_bodies(server, "alice", "Sent").values())
        assert len(sent) == 1
