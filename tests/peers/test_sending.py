"""Sending to others' servers: Postfix with all it offers, Dovecot's LMTP."""

import glob
import re
import smtplib
import subprocess
from email.message import EmailMessage
from email.policy import SMTPUTF8

from support import Skip, reference, wait_for
from support.instance import Instance
from support.mail import imap_bodies, loose_tls, submit

LINES = "".join("%06d caf\u00e9 %s\r\n" % (i, "." * (i % 3)) for i in range(60000))
TEXT = "From: alice@home.test\r\nSubject: to the neighbour\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n" \
       "Content-Transfer-Encoding: 8bit\r\n\r\n"


AUTH = """auth_mechanisms = plain login scram-sha-1 scram-sha-256
service auth {{
  unix_listener sasl {{
    mode = 0666
  }}
}}
"""


class Neighbours:
    """maild, whose mail for example.test goes to Postfix by the route."""

    def __init__(self, route="", postfix="", port=True):
        if not reference.available():
            raise Skip("needs root, Postfix and Dovecot 2.3 (./test --with-peers)")
        self.server = Instance(domain="home.test")
        self.peer = reference.Reference(extra=AUTH)
        key, certificate = self.peer.root + "/key.pem", self.peer.root + "/certificate.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3",
                        "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
                       check=True, capture_output=True)
        with open(self.peer.etc + "/main.cf", "a") as f:
            f.write("smtpd_tls_security_level = may\nsmtpd_tls_key_file = %s\nsmtpd_tls_cert_file = %s\n"
                    "smtpd_tls_loglevel = 1\nmessage_size_limit = 20000000\n%s\n" % (key, certificate, postfix))
        hosts = "[127.0.0.1]:%d" % self.peer.port("smtp")
        with open(self.server.config_path) as f:
            ca = "" if "ca_file" in f.read() else "tls {\n    ca_file = %s\n}\n" % certificate
        self.server.add_config(ca + "route neighbour {\n    recipient = *\n    hosts = %s\n    %s\n}\n" %
                               (hosts if port else "unix:%s/dovecot/lmtp" % self.peer.root, route))

    def __enter__(self):
        self.peer.__enter__()
        self.server.__enter__()
        return self

    def __exit__(self, *exception):
        self.server.__exit__(*exception)
        self.peer.__exit__(*exception)

    def log(self):
        with open(self.peer.root + "/postfix.log", errors="replace") as f:
            return f.read()

    def delivered(self, count, user="*"):
        pattern = self.peer.root + "/mail/example.test/%s/Maildir/new/*" % user
        return wait_for(lambda: (lambda l: l if len(l) >= count else None)(glob.glob(pattern)), "not all arrived", 60)


def content(path):
    with open(path, "rb") as f:
        return f.read().replace(b"\r\n", b"\n")


def test_chunks_over_verified_tls():
    """A small and a large message: both whole, both by BDAT, over one connection with TLS."""
    with Neighbours("tls = verify") as n:
        submit(n.server, "alice@home.test", ["a@example.test", "b@example.test"], (TEXT + "caf\u00e9\r\n.\r\n..\r\n").encode())
        for path in n.delivered(2):
            assert content(path).endswith("\n\ncaf\u00e9\n.\n..\n".encode()), content(path)[-200:]
        submit(n.server, "alice@home.test", ["c@example.test"], (TEXT + LINES).encode())
        assert content(n.delivered(1, "c")[0]).endswith(("\n\n" + LINES.replace("\r\n", "\n")).encode())
        said = wait_for(lambda: re.findall(r"disconnect from .* quit=1 .*", n.log()), "no disconnect", 60)
        assert "starttls=1" in said[-1] and re.search(r"bdat=\d+", said[-1]) and "data=" not in said[-1], said
        assert "tls=TLSv1.3" in n.server.log() and "verified=yes" in n.server.log(), n.server.log()[-2000:]


def test_sessions_are_resumed():
    with Neighbours("tls = encrypt") as n:
        for i in range(3):
            submit(n.server, "alice@home.test", ["u%d@example.test" % i], TEXT + "body\r\n")
            n.delivered(i + 1)
            wait_for(lambda: len(re.findall(r"disconnect from .* quit=1", n.log())) > i, "the connection stays", 60)
        # A certificate is shown, and something signed with it, in the first handshake only.
        assert len(re.findall(r"TLS connection established from", n.log())) == 3, n.log()[-3000:]
        assert len(re.findall(r"TLS connection established from .*server-digest", n.log())) == 1, n.log()[-3000:]


def test_refused_recipients_and_reports():
    with Neighbours(postfix="smtpd_recipient_restrictions = check_recipient_access inline:{bad@example.test=REJECT}") as n:
        submit(n.server, "alice@home.test", ["good@example.test", "bad@example.test"], TEXT + "body\r\n")
        n.delivered(1, "good")
        report = wait_for(lambda: next((m.decode() for m in imap_bodies(n.server, "alice@home.test").values()
                                        if b"delivery-status" in m), None), "no report", 60)
        assert re.search(r"Final-Recipient: rfc822; ?bad@example.test", report) and "554 5.7.1" in report, report
        assert not glob.glob(n.peer.root + "/mail/example.test/bad/Maildir/new/*")


def test_what_the_sender_asked_for():
    """DSN and SMTPUTF8 are passed on."""
    message = EmailMessage(policy=SMTPUTF8)
    message["From"], message["To"], message["Subject"] = "j\u00f6rg@home.test", "b\u00f6b@example.test", "international"
    message.set_content("Gr\u00fc\u00dfe\n", cte="8bit")
    with Neighbours(postfix="debug_peer_list = 127.0.0.1\nsmtputf8_enable = yes") as n:
        with smtplib.SMTP("127.0.0.1", n.server.port("submission"), timeout=60) as s:
            s.starttls(context=loose_tls())
            s.login("alice@home.test", "secret")
            s.sendmail("alice@home.test", ["x@example.test"], TEXT + "body\r\n",
                       mail_options=["RET=HDRS", "ENVID=QQ314159"],
                       rcpt_options=["NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;Bob@x.example"])
        n.delivered(1, "x")
        log = n.log()
        assert re.search(r"< .*: MAIL FROM:<alice@home.test> .*RET=HDRS ENVID=QQ314159", log), log[-3000:]
        assert re.search(r"< .*: RCPT TO:<x@example.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Bob@x.example", log), log[-3000:]
        n.server.mailctl("address", "add", "j\u00f6rg@home.test", "alice@home.test")
        with smtplib.SMTP("127.0.0.1", n.server.port("submission"), timeout=60) as s:
            s.starttls(context=loose_tls())
            s.login("alice@home.test", "secret")
            assert not s.send_message(message)
        # Dovecot cannot take the address: Postfix says so later.
        wait_for(lambda: re.search(r"to=<b\u00f6b@example.test>.*status=sent", n.server.log()), "not sent", 60)
        assert re.search(r"MAIL FROM:<j.*rg@home.test> .*SMTPUTF8", n.log()), n.log()[-3000:]


def test_lmtp_to_dovecot():
    with Neighbours("protocol = lmtp", port=False) as n:
        submit(n.server, "alice@home.test", ["u%d@example.test" % i for i in range(5)], (TEXT + "caf\u00e9\r\n.dot\r\n").encode())
        for path in n.delivered(5):
            assert content(path).endswith("\n\ncaf\u00e9\n.dot\n".encode()), content(path)[-200:]
        wait_for(lambda: len(re.findall(r"relay=\S+/dovecot/lmtp .*status=sent \(250 2.0.0 <u\d@example.test>",
                                        n.server.log())) == 5, "a reply for each", 60)


def test_login():
    """SCRAM and the others, at Postfix with Dovecot's SASL."""
    sasl = "smtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = dovecot\nsmtpd_sasl_path = ../dovecot/sasl\n"
    for mechanisms, expected in (("", "SCRAM-SHA-256"), ("SCRAM-SHA-1", "SCRAM-SHA-1"), ("LOGIN", "LOGIN")):
        with Neighbours("tls = verify\n    user = someone@example.test\n    password = secret\n    mechanisms = \"%s\"" % mechanisms,
                        postfix=sasl) as n:
            submit(n.server, "alice@home.test", ["x@example.test"], TEXT + "body\r\n")
            n.delivered(1)
            assert "sasl_method=%s, sasl_username=someone@example.test" % expected in n.log(), n.log()[-3000:]
