"""Mail to and from Debian's Postfix."""

import re
import smtplib
import time
from email.message import EmailMessage
from email.policy import SMTPUTF8

from support import Skip, reference
from support.instance import Instance
from support.mail import imap_bodies, submit, inject

TEXT = "From: alice@example.test\r\nSubject: to the neighbour\r\n\r\nbody\r\n.dot\r\n"


def test_maild_sends_through_postfix():
    if not reference.available():
        raise Skip("needs root, Postfix and Dovecot 2.3 (./test --with-peers)")
    with reference.Reference() as peer, Instance(domain="home.test") as server:
        server.add_config("queue {\n    relay_host = [127.0.0.1]:%d\n}" % peer.port("smtp"))
        server.restart()
        submit(server, "alice@home.test", ["u%d@example.test" % i for i in range(30)], TEXT)
        end = time.monotonic() + 60
        while peer.delivered() < 30:
            assert time.monotonic() < end, "%d of 30 arrived" % peer.delivered()
            time.sleep(0.1)


def test_postfix_sends_to_maild():
    if not reference.available():
        raise Skip("needs root, Postfix and Dovecot 2.3 (./test --with-peers)")
    with Instance(domain="home.test") as server:
        peer = reference.Reference()
        with open(peer.etc + "/main.cf", "a") as f:
            f.write("relay_domains = home.test\nrelay_transport = smtp:[127.0.0.1]:%d\n" % server.port("smtp"))
        with peer:
            inject(peer, "s@example.test", ["alice@home.test", "bob@home.test"], TEXT)
            end = time.monotonic() + 60
            while not imap_bodies(server, "alice@home.test"):
                assert time.monotonic() < end, open(peer.root + "/postfix.log").read()[-3000:]
                time.sleep(0.1)
            raw = list(imap_bodies(server, "alice@home.test").values())[0]
            assert raw.endswith(b"\r\n\r\nbody\r\n.dot\r\n")


def test_postfix_sends_with_tls_and_international_addresses():
    if not reference.available():
        raise Skip("needs root, Postfix and Dovecot 2.3 (./test --with-peers)")
    message = EmailMessage(policy=SMTPUTF8)
    message["From"], message["To"], message["Subject"] = "j\u00f6rg@example.test", "b\u00f6b@home.test", "international"
    message.set_content("Gr\u00fc\u00dfe\n.\n..dots\n", cte="8bit")
    with Instance(domain="home.test") as server:
        server.mailctl("address", "add", "b\u00f6b@home.test", "bob@home.test")
        peer = reference.Reference()
        with open(peer.etc + "/main.cf", "a") as f:
            f.write("relay_domains = home.test\nrelay_transport = smtp:[127.0.0.1]:%d\nsmtp_tls_security_level = encrypt\n" % server.port("smtp"))
        with peer:
            with smtplib.SMTP("127.0.0.1", peer.port("smtp"), timeout=60) as s:
                assert not s.send_message(message)
            end = time.monotonic() + 60
            while not imap_bodies(server, "bob@home.test"):
                assert time.monotonic() < end, open(peer.root + "/postfix.log").read()[-3000:]
                time.sleep(0.1)
        raw = list(imap_bodies(server, "bob@home.test").values())[0]
        assert raw.startswith("Return-Path: <j\u00f6rg@example.test>\r\n".encode()), raw[:300]
        assert b" with UTF8SMTPS id " in raw, raw[:600]
        assert raw.endswith("\r\n\r\nGr\u00fc\u00dfe\r\n.\r\n..dots\r\n".encode()), raw


def test_postfix_forwards_its_client():
    """XFORWARD: the log says where the message really came from."""
    if not reference.available():
        raise Skip("needs root, Postfix and Dovecot 2.3 (./test --with-peers)")
    with Instance(domain="home.test") as server:
        server.add_config("smtp {\n    xforward_hosts = 127.0.0.1\n}")
        server.restart()
        peer = reference.Reference()
        with open(peer.etc + "/main.cf", "a") as f:
            f.write("relay_domains = home.test\nrelay_transport = smtp:[127.0.0.1]:%d\n"
                    "smtp_send_xforward_command = yes\n" % server.port("smtp"))
        with peer:
            inject(peer, "s@example.test", ["alice@home.test"], TEXT)
            end = time.monotonic() + 60
            while not imap_bodies(server, "alice@home.test"):
                assert time.monotonic() < end, open(peer.root + "/postfix.log").read()[-3000:]
                time.sleep(0.1)
        assert re.search(r"forwarded name=\S+ address=127\.0\.0\.1 port=\d+ protocol=ESMTP helo=\S+ "
                         r"ident=\w+ source=(LOCAL|REMOTE)", server.log()), server.log()[-2000:]
