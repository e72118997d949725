"""Mail goes in over SMTP, submission and LMTP, and is read over IMAP and POP3, with the clients of
Python's standard library and with curl."""

import glob
import imaplib
import os
import re
import shutil
import smtplib
import subprocess
import tempfile

from support import Skip
from support.instance import Instance
from support.mail import imap, imap_bodies, inject, loose_tls, pop3, submit
from support.smtp_sink import SmtpSink

TEXT = "From: s@elsewhere.test\r\nTo: alice@example.test\r\nSubject: hello\r\n\r\nline one\r\n.dot\r\n"


def body_of(raw):
    return raw.split(b"\r\n\r\n", 1)[1]


def test_submission_to_imap_and_pop3():
    with Instance() as server:
        submit(server, "alice", ["bob", "alice"], TEXT)
        for user in ("alice", "bob"):
            bodies = list(imap_bodies(server, user).values())
            assert len(bodies) == 1, bodies
            assert body_of(bodies[0]) == b"line one\r\n.dot\r\n", bodies[0]
            assert bodies[0].startswith(b"Return-Path: <alice@example.test>\r\nReceived: from "), bodies[0]
            assert b"with ESMTPSA id" in bodies[0]
            box = pop3(server, user)
            assert box.stat()[0] == 1
            assert b"\r\n".join(box.retr(1)[1]) + b"\r\n" == bodies[0]
            assert box.stat()[1] == len(bodies[0]), "STAT is not the size with CRLF"
            box.quit()


def test_one_file_for_many_recipients():
    with Instance() as server:
        inject(server, "s@elsewhere.test", ["alice", "bob"], TEXT)
        imap_bodies(server, "alice")
        server.stop()
        inodes = set()
        for user in ("alice", "bob"):
            files = glob.glob(server.maildir(user) + "/new/*") + glob.glob(server.maildir(user) + "/cur/*")
            assert len(files) == 1, files
            inodes.add(os.stat(files[0]).st_ino)
        assert len(inodes) == 1


def test_large_message():
    text = "Subject: large\r\n\r\n" + ("x" * 76 + "\r\n") * 60000
    with Instance() as server:
        submit(server, "alice", "bob", text)
        raw = list(imap_bodies(server, "bob").values())[0]
        assert body_of(raw) == text.split("\r\n\r\n", 1)[1].encode()
        box = pop3(server, "bob")
        assert b"\r\n".join(box.retr(1)[1]) + b"\r\n" == raw
        box.quit()


def test_login_without_domain_and_wrong_password():
    with Instance() as server:
        box = imaplib.IMAP4_SSL("127.0.0.1", server.port("imaps"), ssl_context=loose_tls())
        box.login("alice", "secret")
        box.logout()
        box = imaplib.IMAP4_SSL("127.0.0.1", server.port("imaps"), ssl_context=loose_tls())
        try:
            box.login("alice", "wrong")
            raise AssertionError("a wrong password was accepted")
        except imaplib.IMAP4.error as error:
            assert "AUTHENTICATIONFAILED" in str(error), error
        box.shutdown()
        assert re.search(r"auth\[\S+\]: login failed service=imap user=<alice", server.log())


def test_special_folders_from_the_first_login():
    with Instance() as server:
        box = imap(server, "alice")
        folders = b" ".join(f for f in box.list()[1])
        for name in (b"Drafts", b"Sent", b"Junk", b"Trash", b"Archive"):
            assert re.search(rb"\\%s[^)]*\) \"/\" \"?%s" % (name, name), folders), folders
        box.logout()


def test_append_flags_copy_move_expunge():
    with Instance() as server:
        box = imap(server, "alice")
        typ, data = box.append("INBOX", r"(\Seen $Label)", '"01-Jan-2020 10:00:00 +0000"',
                               TEXT.encode())
        assert typ == "OK" and b"APPENDUID" in data[0], data
        box.select()
        typ, data = box.fetch("1", "(FLAGS INTERNALDATE RFC822.SIZE)")
        assert b"\\Seen" in data[0] and b"$Label" in data[0] and b"-Jan-2020 10:00:00 +0000" in data[0], data
        assert b"RFC822.SIZE %d" % len(TEXT) in data[0], data
        assert box.copy("1", "Archive")[0] == "OK"
        assert box._simple_command("MOVE", "1", "Trash")[0] == "OK"
        assert box.search(None, "ALL")[1] == [b""]
        for folder in ("Archive", "Trash"):
            assert box.select(folder)[1] == [b"1"]
            data = box.fetch("1", "(FLAGS)")[1]
            assert b"$Label" in data[0], data
        box.store("1", "+FLAGS", r"(\Deleted)")
        assert box.expunge()[1] == [b"1"]
        box.logout()
        server.restart()
        box = imap(server, "alice")
        assert box.select("Archive")[1] == [b"1"]
        assert b"$Label" in box.fetch("1", "(FLAGS)")[1][0]
        assert box.select("Trash")[1] == [b"0"]
        box.logout()


def test_uids_survive_a_restart():
    with Instance() as server:
        for i in range(5):
            inject(server, "s@elsewhere.test", ["alice"], TEXT + "%d\r\n" % i)
        before = imap_bodies(server, "alice")
        box = imap(server, "alice")
        validity = box.select()[1], box.response("UIDVALIDITY")
        box.logout()
        server.restart()
        assert imap_bodies(server, "alice") == before
        box = imap(server, "alice")
        assert (box.select()[1], box.response("UIDVALIDITY")) == validity
        box.logout()


def test_pop3_uidl_and_delete():
    with Instance() as server:
        for i in range(3):
            inject(server, "s@elsewhere.test", ["alice"], TEXT + "%d\r\n" % i)
        box = pop3(server, "alice")
        uidl = [line.split()[1] for line in box.uidl()[1]]
        assert len(set(uidl)) == 3
        box.dele(2)
        box.quit()
        server.restart()
        box = pop3(server, "alice")
        assert [line.split()[1] for line in box.uidl()[1]] == [uidl[0], uidl[2]]
        box.dele(1)
        box.close()  # without QUIT nothing is deleted (RFC 1939 6)
        box = pop3(server, "alice")
        assert box.stat()[0] == 2
        box.quit()


def test_idle_client_hears_of_a_delivery():
    with Instance() as server:
        s = loose_tls().wrap_socket(server.connect("imaps"))
        f = s.makefile("rwb", buffering=0)
        f.readline()
        f.write(b"a LOGIN alice@example.test secret\r\nb SELECT INBOX\r\nc IDLE\r\n")
        while not f.readline().startswith(b"+ "):
            pass
        inject(server, "s@elsewhere.test", ["alice"], TEXT)
        assert f.readline() == b"* 1 EXISTS\r\n"
        f.write(b"DONE\r\n")
        while not f.readline().startswith(b"c OK"):
            pass
        s.close()


def test_smtputf8():
    with Instance() as server:
        server.mailctl("user", "add", "jürgen@example.test", "--force", "--password-stdin", stdin="secret\n")
        with smtplib.SMTP("127.0.0.1", server.port("smtp")) as s:
            s.ehlo()
            s.mail("müller@elsewhere.test", ["SMTPUTF8", "BODY=8BITMIME"])
            assert s.rcpt("jürgen@example.test")[0] == 250
            s.data("Subject: grüße\r\n\r\nhallo\r\n".encode())
        server.stop()
        found = glob.glob(server.root + "/data/mail/example.test/j*/Maildir/new/*")
        assert len(found) == 1, found
        with open(found[0], "rb") as message:
            text = message.read()
        assert "grüße".encode() in text and b"with UTF8SMTP id" in text, text


def test_curl_reads_and_sends():
    with Instance() as server:
        with tempfile.NamedTemporaryFile() as message:
            message.write(TEXT.encode())
            message.flush()
            subprocess.run(["curl", "-sS", "-k", "--ssl-reqd", "--max-time", "30",
                            "smtp://127.0.0.1:%d" % server.port("submission"), "-u", "alice@example.test:secret",
                            "--mail-from", "alice@example.test", "--mail-rcpt", "bob@example.test",
                            "-T", message.name], check=True)
        for url in ("imaps://127.0.0.1:%d/INBOX;MAILINDEX=1" % server.port("imaps"),
                    "pop3s://127.0.0.1:%d/1" % server.port("pop3s")):
            got = subprocess.run(["curl", "-sS", "-k", "--max-time", "30", url, "-u",
                                  "bob@example.test:secret"], check=True, capture_output=True)
            assert b"line one\r\n.dot" in got.stdout, got.stdout


def test_local_programs_without_tls():
    with Instance() as server:
        inject(server, "cron@example.test", ["alice"], TEXT, port="local")
        assert len(imap_bodies(server, "alice")) == 1


def test_a_loop_over_another_server_is_seen():
    """fwd@ goes to a server that sends everything back."""
    sink = SmtpSink()
    server = Instance()
    server.add_config("queue {\n    relay_host = [127.0.0.1]:%d\n}\n" % sink.port)
    with server:
        server.mailctl("address", "add", "fwd@example.test", "fwd@far.test")
        for recipients, rounds in ((["fwd"], 1), (["fwd", "alice"], 2)):
            text = "From: a@elsewhere.test\r\nSubject: round and round\r\n\r\nx\r\n"
            inject(server, "a@elsewhere.test", recipients, text)
            for i in range(rounds):
                text = sink.next()["data"]
                try:
                    inject(server, "a@elsewhere.test", ["fwd"], text)
                    assert i + 1 < rounds, "not refused in round %d" % (i + 1)
                except smtplib.SMTPDataError as e:
                    assert i + 1 == rounds and e.smtp_code == 554 and b"loops" in e.smtp_error, e


def make_certificates(directory):
    """An authority, and a client that it has signed."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *key, "-subj", "/CN=Authority", "-keyout", "ca.key", "-out", "ca.pem")
    openssl("req", *key, "-subj", "/CN=peer (odd).test", "-keyout", "peer.key", "-out", "peer.csr")
    openssl("x509", "-req", "-in", "peer.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out",
            "peer.pem")
    openssl("req", "-x509", *key, "-subj", "/CN=forged.test", "-keyout", "own.key", "-out", "own.pem")


def test_certificate_of_a_client_in_received():
    if not shutil.which("openssl"):
        raise Skip("the program openssl makes the certificates")
    server = Instance()
    make_certificates(server.root)
    server.add_config("tls {\n    client_ca_file = ca.pem\n}\n")
    with server:
        for name, expected in (("peer", b'client certificate "peer??odd?.test")'), ("own", None), (None, None)):
            context = loose_tls()
            if name:
                context.load_cert_chain(*(os.path.join(server.root, name + end) for end in (".pem", ".key")))
            with smtplib.SMTP("127.0.0.1", server.port("smtp"), timeout=60) as s:
                s.starttls(context=context)
                s.sendmail("s@elsewhere.test", ["alice@example.test"], TEXT)
            (message,) = [m for uid, m in imap_bodies(server, "alice").items()
                          if uid == max(imap_bodies(server, "alice"))]
            assert b"(TLSv1.3 " in message, message
            assert expected in message if expected else b"client certificate" not in message, message
