"""Programs that hand in mail: swaks, msmtp, curl, Python's smtplib; through submission, port 25 and LMTP, with TLS
and logins, 8-bit text and international addresses as far as each can. (Postfix: test_postfix.py.)"""

import shutil
import smtplib
import subprocess
from email.message import EmailMessage
from email.policy import SMTPUTF8

from support import Skip
from support.instance import Instance
from support.mail import imap_bodies, loose_tls

TEXT = ("From: alice@example.test\nTo: bob@example.test\nSubject: %s\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
        "Content-Transfer-Encoding: 8bit\n\nGr\u00fc\u00dfe\n.dot\n..\n")
BODY = "Gr\u00fc\u00dfe\r\n.dot\r\n..\r\n".encode()


def need(program):
    if not shutil.which(program):
        raise Skip("%s is not installed (./test --with-peers)" % program)


def run(*command, stdin=None, status=0, env=None):
    result = subprocess.run(command, capture_output=True, input=stdin, timeout=60, env=env)
    assert result.returncode == status, "%s: exit status %d\n%s%s" % (
        " ".join(command), result.returncode, result.stdout.decode("latin-1")[-3000:], result.stderr.decode("latin-1")[-3000:])
    return (result.stdout + result.stderr).decode("latin-1")


def arrived(server, user, subject, protocol, body=BODY):
    """The message with this subject: once, its body unchanged, received with this protocol."""
    found = [m for m in imap_bodies(server, user).values() if b"\r\nSubject: %s\r\n" % subject.encode() in m]
    assert len(found) == 1, "%s: %d messages" % (subject, len(found))
    assert found[0].endswith(b"\r\n\r\n" + body), found[0]
    assert b" with %s id " % protocol.encode() in found[0], (protocol, found[0][:600])


def certificate_of(server):
    return server.root + "/tls/certificate.pem"


# --- swaks ---

SWAKS_BODY = BODY + b"\r\n"  # it ends data with a line end of its own
LOGIN = ("--auth-user", "alice@example.test", "--auth-password", "secret")


def swaks(server, name, *arguments, to="bob@example.test", status=0):
    path = server.directory + "/" + name
    with open(path, "wb") as f:
        f.write((TEXT % name).replace("\n", "\r\n").encode())
    return run("swaks", "--from", "alice@example.test", "--to", to, "--helo", "client.test", "--data", "@" + path, *arguments, status=status)


def test_swaks():
    need("swaks")
    with Instance() as server:
        def at(port):
            return "--server", "127.0.0.1", "--port", str(server.port(port))
        for name, arguments, protocol in (
                ("swaks-smtp", at("smtp"), "ESMTP"), ("swaks-helo", (*at("smtp"), "--protocol", "SMTP"), "SMTP"),
                ("swaks-starttls", (*at("smtp"), "--tls"), "ESMTPS"), ("swaks-pipeline", (*at("smtp"), "--pipeline"), "ESMTP"),
                ("swaks-plain", (*at("submission"), "--tls", "--auth", "PLAIN", *LOGIN), "ESMTPSA"),
                ("swaks-login", (*at("submission"), "--tls", "--auth", "LOGIN", *LOGIN), "ESMTPSA"),
                ("swaks-tls", (*at("submissions"), "--tls-on-connect", "--auth", "PLAIN", *LOGIN), "ESMTPSA"),
                ("swaks-lmtp", ("--protocol", "LMTP", "--socket", server.root + "/run/lmtp.sock"), "LMTP")):
            swaks(server, name, *arguments)
            arrived(server, "bob", name, protocol, SWAKS_BODY)
        # Two recipients, one refused; with LMTP each has its answer.
        swaks(server, "swaks-two", *at("smtp"), to="alice@example.test,bob@example.test")
        arrived(server, "alice", "swaks-two", "ESMTP", SWAKS_BODY)
        arrived(server, "bob", "swaks-two", "ESMTP", SWAKS_BODY)
        said = swaks(server, "swaks-lmtp-two", "--protocol", "LMTP", "--socket", server.root + "/run/lmtp.sock",
                     to="alice@example.test,nobody@example.test")
        assert "550 5.1.1" in said and "250 2.1.5 <alice@example.test>" in said, said
        # What must not work (its exit statuses: 24 no recipient, 28 no login, 29 no TLS).
        swaks(server, "swaks-relay", *at("smtp"), to="x@elsewhere.test", status=24)
        swaks(server, "swaks-wrong", *at("submission"), "--tls", "--auth-user", "alice@example.test", "--auth-password", "terces", status=28)
        swaks(server, "swaks-clear", *at("submission"), "--auth", "PLAIN", *LOGIN, status=28)
        swaks(server, "swaks-no-tls", *at("local"), "--tls", status=29)


# --- msmtp ---

def msmtp(server, name, port, *arguments, to=("bob@example.test",), status=0):
    arguments = arguments or ("--auth=off", "--tls=off")
    tls = ("--tls-trust-file=" + certificate_of(server), "--tls-certcheck=on") if "--tls=on" in arguments else ()
    host = "localhost" if tls else "127.0.0.1"
    return run("msmtp", "--file=/dev/null", "--host=" + host, "--port=%d" % server.port(port), "--from=alice@example.test", "--timeout=30",
               "--domain=client.test", *arguments, *tls, "--", *to, stdin=(TEXT % name).encode(), status=status)


def test_msmtp():
    need("msmtp")
    with Instance() as server:
        login = "--user=alice@example.test", "--passwordeval=echo secret"
        msmtp(server, "msmtp-smtp", "smtp")
        arrived(server, "bob", "msmtp-smtp", "ESMTP")
        for name, port, arguments in (
                ("msmtp-starttls", "submission", ("--tls=on", "--tls-starttls=on", "--auth=on", *login)),
                ("msmtp-tls", "submissions", ("--tls=on", "--tls-starttls=off", "--auth=plain", *login)),
                ("msmtp-login", "submissions", ("--tls=on", "--tls-starttls=off", "--auth=login", *login)),
                ("msmtp-dsn", "submissions", ("--tls=on", "--tls-starttls=off", "--auth=on", "--dsn-notify=never", "--dsn-return=headers", *login))):
            msmtp(server, name, port, *arguments)
            arrived(server, "bob", name, "ESMTPSA")
        # EX_NOUSER, EX_NOPERM.
        msmtp(server, "msmtp-unknown", "smtp", to=("nobody@example.test",), status=65)
        msmtp(server, "msmtp-wrong", "submissions", "--tls=on", "--tls-starttls=off", "--auth=plain", "--user=alice@example.test",
              "--passwordeval=echo terces", status=77)
        said = run("msmtp", "--file=/dev/null", "--host=localhost", "--port=%d" % server.port("submission"), "--serverinfo", "--tls=on",
                   "--tls-certcheck=off")
        for word in ("SIZE", "PIPELINING", "DSN", "AUTH"):
            assert word in said, said


# --- curl ---

def curl(server, name, url, *arguments, to=("bob@example.test",), status=0, sender="alice@example.test"):
    recipients = [a for r in to for a in ("--mail-rcpt", r)]
    run("curl", "-sS", "--max-time", "60", "--cacert", certificate_of(server), url, "--mail-from", sender, *recipients, *arguments, "-T", "-",
        stdin=(TEXT % name).replace("\n", "\r\n").encode(), status=status)


def test_curl():
    need("curl")
    with Instance() as server:
        login = "-u", "alice@example.test:secret"
        for name, url, arguments, protocol in (
                ("curl-smtp", "smtp://127.0.0.1:%d/client.test" % server.port("smtp"), (), "ESMTP"),
                ("curl-starttls", "smtp://localhost:%d/client.test" % server.port("smtp"), ("--ssl-reqd",), "ESMTPS"),
                ("curl-submission", "smtp://localhost:%d/client.test" % server.port("submission"), ("--ssl-reqd", *login), "ESMTPSA"),
                ("curl-submissions", "smtps://localhost:%d/client.test" % server.port("submissions"), login, "ESMTPSA"),
                ("curl-login", "smtps://localhost:%d/client.test" % server.port("submissions"), ("--login-options", "AUTH=LOGIN", *login), "ESMTPSA"),
                ("curl-auth", "smtps://localhost:%d/client.test" % server.port("submissions"), ("--mail-auth", "<bob@example.test>", *login), "ESMTPSA")):
            curl(server, name, url, *arguments)
            arrived(server, "bob", name, protocol)
        # 55: refused recipient; 67: login denied.
        curl(server, "curl-unknown", "smtp://127.0.0.1:%d/" % server.port("smtp"), to=("nobody@example.test",), status=55)
        curl(server, "curl-some", "smtp://127.0.0.1:%d/" % server.port("smtp"), "--mail-rcpt-allowfails",
             to=("nobody@example.test", "bob@example.test"))
        arrived(server, "bob", "curl-some", "ESMTP")
        curl(server, "curl-wrong", "smtps://localhost:%d/" % server.port("submissions"), "-u", "alice@example.test:terces", status=67)


# --- smtplib ---

def lmtp(server):
    peer = smtplib.LMTP(timeout=60)
    peer.connect(server.root + "/run/lmtp.sock")
    return peer


def test_smtplib():
    with Instance() as server:
        text = {n: (TEXT % n).replace("\n", "\r\n").encode() for n in ("lib-smtp", "lib-starttls", "lib-tls", "lib-lmtp", "lib-again")}
        with smtplib.SMTP("127.0.0.1", server.port("smtp"), timeout=60) as s:
            s.sendmail("alice@example.test", ["bob@example.test"], text["lib-smtp"], mail_options=["BODY=8BITMIME"])
            refused = s.sendmail("alice@example.test", ["nobody@example.test", "bob@example.test"], text["lib-again"], rcpt_options=["NOTIFY=NEVER"])
            assert refused["nobody@example.test"][0] == 550, refused
            assert s.verify("bob@example.test")[0] == 252 and s.docmd("HELP")[0] == 214 and s.rset()[0] == 250
        with smtplib.SMTP("127.0.0.1", server.port("submission"), timeout=60) as s:
            s.starttls(context=loose_tls())
            s.login("alice@example.test", "secret")
            s.sendmail("alice@example.test", ["bob@example.test"], text["lib-starttls"])
        with smtplib.SMTP_SSL("127.0.0.1", server.port("submissions"), context=loose_tls(), timeout=60) as s:
            s.ehlo()
            s.login("bob@example.test", "secret", initial_response_ok=False)
            s.sendmail("bob@example.test", ["bob@example.test"], text["lib-tls"])
        with lmtp(server) as s:
            s.sendmail("alice@example.test", ["bob@example.test"], text["lib-lmtp"])
        for name, protocol in (("lib-smtp", "ESMTP"), ("lib-again", "ESMTP"), ("lib-starttls", "ESMTPSA"), ("lib-tls", "ESMTPSA"), ("lib-lmtp", "LMTP")):
            arrived(server, "bob", name, protocol)


def test_smtplib_with_international_addresses():
    with Instance() as server:
        server.mailctl("address", "add", "b\u00f6b@example.test", "bob@example.test")
        message = EmailMessage(policy=SMTPUTF8)
        message["From"], message["To"], message["Subject"] = "j\u00f6rg@elsewhere.test", "b\u00f6b@example.test", "international"
        message.set_content("Gr\u00fc\u00dfe\n", cte="8bit")
        with smtplib.SMTP("127.0.0.1", server.port("smtp"), timeout=60) as s:
            assert not s.send_message(message)
        arrived(server, "bob", "international", "UTF8SMTP", "Gr\u00fc\u00dfe\r\n".encode())
        stored = [m for m in imap_bodies(server, "bob").values()][0]
        assert stored.startswith("Return-Path: <j\u00f6rg@elsewhere.test>\r\n".encode()), stored[:300]
