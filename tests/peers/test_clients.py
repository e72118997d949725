"""Clients that people use, from Debian's packages: mbsync, mutt, offlineimap, fetchmail."""

import os
import re
import shutil
import smtplib
import subprocess

from support import Skip
from support.imap_raw import RawImap
from support.instance import Instance
from support.mail import imap, imap_bodies, inject

TEXT = "From: s@elsewhere.test\r\nTo: alice@example.test\r\nSubject: %s\r\n\r\nline %s\r\n"


def need(program):
    if not shutil.which(program):
        raise Skip("%s is not installed (./test --with-peers)" % program)


def certificate_of(server):
    return server.root + "/tls/certificate.pem"


def deliver_many(server, user, count):
    for start in range(0, count, 500):
        with smtplib.SMTP("127.0.0.1", server.port("smtp"), timeout=60) as s:
            for i in range(start, min(start + 500, count)):
                s.sendmail("s@elsewhere.test", [user + "@example.test"], TEXT % ("number%d" % i, i))


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


def prepare_mbsync(server):
    """(configuration, local folder)"""
    local = server.directory + "/local"
    os.makedirs(local)
    rc = server.directory + "/mbsyncrc"
    with open(rc, "w") as f:
        f.write(MBSYNCRC.format(port=server.port("imap"), certificate=certificate_of(server),
                                local=local))
    return rc, local


def test_mbsync_both_ways():
    need("mbsync")
    with Instance() as server:
        rc, local = prepare_mbsync(server)
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


def state_of(server, user):
    """What a client sees of INBOX: UIDs and flags, and the next UID."""
    box = imap(server, user)
    box.select(readonly=True)
    flags = box.uid("FETCH", "1:*", "(FLAGS)")[1]
    box.logout()
    return flags, box.untagged_responses.get("UIDNEXT")


def idle_until(box, pattern):
    """The lines that an idling client gets, to the first that matches."""
    seen = []
    while not seen or not re.search(pattern, seen[-1]):
        seen.append(box.response())
    return seen


def test_mbsync_of_many_messages_while_another_client_idles():
    need("mbsync")
    with Instance() as server:
        rc, local = prepare_mbsync(server)
        deliver_many(server, "alice", 2000)
        mbsync(rc)
        files = local_messages(local, "INBOX")
        assert len(files) == 2000, len(files)
        before = state_of(server, "alice")
        mbsync(rc)
        assert local_messages(local, "INBOX") == files
        assert state_of(server, "alice") == before
        idler = RawImap(server.port("imaps"), server.tls_context()).login("alice@example.test")
        assert b"* 2000 EXISTS" in idler.ok(b"SELECT INBOX")
        idler.send(b"i IDLE\r\n")
        idle_until(idler, rb"^\+ ")
        # 500 read here, 500 deleted, one new: the other client hears all of it.
        for path in files[:500]:
            os.rename(path, path.replace("/new/", "/cur/").split(":")[0] + ":2,S")
        for path in files[500:1000]:
            os.remove(path)
        with open(os.path.join(local, "INBOX/new/1.local"), "w") as f:
            f.write((TEXT % ("mine", "mine")).replace("\r\n", "\n"))
        mbsync(rc)
        heard = idle_until(idler, rb" EXPUNGE")
        while sum(b" EXPUNGE" in line for line in heard) < 500 or not any(b"EXISTS" in l for l in heard):
            heard.append(idler.response())
        assert sum(b" EXPUNGE" in line for line in heard) == 500
        assert b"* 2001 EXISTS" in heard or b"* 1501 EXISTS" in heard, heard[-1]
        idler.send(b"DONE\r\n")
        status, _, _ = idler.finish(b"i")
        assert status == b"OK"
        assert len(idler.search(b"SEEN")) == 500
        assert len(idler.search(b"ALL")) == 1501
        idler.close()
        assert len(local_messages(local, "INBOX")) == 1501


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
set postponed = "{url}Drafts"
set editor = "{editor}"
set abort_unmodified = no
set confirmcreate = no
set move = no
set recall = yes
"""


def run_mutt(server, keys, *arguments, stdin=None):
    rc = server.directory + "/muttrc"
    certificate = certificate_of(server)
    editor = server.directory + "/editor"
    with open(editor, "w") as f:
        f.write('#!/bin/sh\necho "one more line" >>"$1"\n')
    os.chmod(editor, 0o755)
    with open(rc, "w") as f:
        f.write(MUTTRC.format(url="imap://alice@example.test@127.0.0.1:%d/" % server.port("imap"),
                              submission=server.port("submission"), certificate=certificate,
                              certificates=server.directory + "/accepted", editor=editor))
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


def test_mutt_works_on_many_at_once():
    need("mutt")
    need("script")
    with Instance() as server:
        for i in range(12):
            inject(server, "s@elsewhere.test", ["alice"], TEXT % ("number%d" % i, "word%d" % (i % 4)))
        # Tag by a search in bodies that the server does, move the tagged ones to a new mailbox; flag what
        # a pattern limits the view to; delete what is left of another search; make one more mailbox.
        result = run_mutt(server, "<tag-pattern>=b word1<enter><tag-prefix><save-message>=Projects<enter>"
                                  "<sync-mailbox>"
                                  "<limit>=b word2<enter><tag-pattern>~A<enter><tag-prefix><flag-message>"
                                  "<limit>all<enter><untag-pattern>~A<enter>"
                                  "<delete-pattern>~s number3<enter><sync-mailbox>"
                                  "<change-folder>?<create-mailbox>Later<enter><exit><quit>")
        box = imap(server, "alice")
        box.select()
        left = box.search(None, "ALL")[1][0].split()
        assert len(left) == 8, (left, result.stdout[-3000:])
        assert len(box.search(None, "FLAGGED BODY word2")[1][0].split()) == 3
        assert len(box.search(None, "FLAGGED")[1][0].split()) == 3
        assert box.search(None, "SUBJECT number3")[1][0] == b""
        assert box.select("Projects")[1] == [b"3"], box.list()
        assert len(box.search(None, "BODY word1")[1][0].split()) == 3
        assert box.select("Later")[1] == [b"0"], (box.list(), result.stdout[-3000:])
        box.logout()


def test_mutt_postpones_and_recalls():
    need("mutt")
    need("script")
    with Instance() as server:
        inject(server, "s@elsewhere.test", ["alice"], TEXT % ("first", 1))
        result = run_mutt(server, "<mail>bob@example.test<enter>a draft<enter><postpone-message><quit>")
        box = imap(server, "alice")
        assert box.select("Drafts")[1] == [b"1"], result.stdout[-3000:]
        assert box.search(None, "DRAFT SUBJECT draft BODY line")[1][0] == b"1", box.fetch("1", "FLAGS")
        box.close()
        result = run_mutt(server, "<recall-message><send-message><quit>")
        found = list(imap_bodies(server, "bob").values())
        assert len(found) == 1 and b"Subject: a draft" in found[0], (found, result.stdout[-3000:])
        assert found[0].count(b"one more line") == 2
        assert box.select("Drafts")[1] == [b"0"]
        assert box.select("Sent")[1] == [b"1"]
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


OFFLINEIMAPRC = """[general]
accounts = maild
metadata = {directory}/offlineimap
ui = quiet

[Account maild]
localrepository = local
remoterepository = remote

[Repository local]
type = Maildir
localfolders = {directory}/offline

[Repository remote]
type = IMAP
remotehost = localhost
remoteport = {port}
remoteuser = alice@example.test
remotepass = secret
ssl = yes
starttls = no
sslcacertfile = {certificate}
"""


def run_offlineimap(server):
    rc = server.directory + "/offlineimaprc"
    with open(rc, "w") as f:
        f.write(OFFLINEIMAPRC.format(directory=server.directory, port=server.port("imaps"),
                                     certificate=certificate_of(server)))
    result = subprocess.run(["offlineimap", "-o", "-c", rc], capture_output=True, text=True, timeout=120,
                            env=dict(os.environ, HOME=server.directory))
    assert result.returncode == 0 and "ERROR" not in result.stderr, result.stdout + result.stderr


def test_offlineimap_both_ways():
    need("offlineimap")
    with Instance() as server:
        for i in range(10):
            inject(server, "s@elsewhere.test", ["alice"], TEXT % ("number%d" % i, i))
        run_offlineimap(server)
        local = server.directory + "/offline"
        files = local_messages(local, "INBOX")
        assert len(files) == 10, files
        assert os.path.isdir(local + "/Drafts")
        base = re.sub("/new/", "/cur/", files[0]).split(":")[0]
        os.rename(files[0], base + ":2,FS")
        os.remove(files[1])
        with open(local + "/INBOX/new/123.local", "w") as f:
            f.write((TEXT % ("mine", "mine")).replace("\r\n", "\n"))
        run_offlineimap(server)
        box = imap(server, "alice")
        box.select()
        assert len(box.search(None, "ALL")[1][0].split()) == 10
        assert len(box.search(None, "FLAGGED SEEN")[1][0].split()) == 1
        assert len(box.search(None, "SUBJECT mine")[1][0].split()) == 1
        box.logout()
        before = state_of(server, "alice")
        run_offlineimap(server)
        assert state_of(server, "alice") == before


FETCHMAILRC = """poll localhost protocol {protocol} port {port}
  user "alice@example.test" password "secret" {options}
  sslcertfile {certificate} sslcertck {tls}
  mda "cat >>{directory}/{protocol}.mbox"
"""


def run_fetchmail(server, protocol, port, options):
    rc = server.directory + "/fetchmailrc"
    tls = 'ssl' if port.endswith("s") else 'sslproto "TLS1.2+"'
    with open(rc, "w") as f:
        f.write(FETCHMAILRC.format(protocol=protocol, port=server.port(port), options=options, tls=tls,
                                   certificate=certificate_of(server), directory=server.directory))
    os.chmod(rc, 0o600)
    # Exit status 1: no mail.
    result = subprocess.run(["fetchmail", "-f", rc, "--nodetach", "--nosyslog", "--pidfile",
                             server.directory + "/fetchmail.pid", "--idfile",
                             server.directory + "/fetchids"], capture_output=True, text=True,
                            timeout=60, env=dict(os.environ, HOME=server.directory))
    return result


def test_fetchmail_with_imap_and_pop3():
    need("fetchmail")
    for protocol, port in (("imap", "imap"), ("imap", "imaps"), ("pop3", "pop3"), ("pop3", "pop3s")):
        with Instance() as server:
            for i in range(3):
                inject(server, "s@elsewhere.test", ["alice"], TEXT % ("number%d" % i, i))
            box = server.directory + "/" + protocol + ".mbox"
            result = run_fetchmail(server, protocol, port, "keep")
            assert result.returncode == 0, (protocol, port, result)
            result = run_fetchmail(server, protocol, port, "keep")
            assert result.returncode == 1, (protocol, port, result)  # all seen
            inject(server, "s@elsewhere.test", ["alice"], TEXT % ("later", 3))
            result = run_fetchmail(server, protocol, port, "nokeep")
            assert result.returncode == 0, (protocol, port, result)
            with open(box) as f:
                text = f.read()
            assert [text.count("Subject: " + s) for s in ("number0", "number2", "later")] == [1, 1, 1]
            # Only what was fetched by this run is deleted.
            assert len(imap_bodies(server, "alice")) == 3
