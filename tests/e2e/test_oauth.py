"""Logins with tokens: an issuer with keys, one that is asked, and what goes wrong with both."""

import base64
import imaplib
import json
import os
import re
import shutil
import smtplib
import socket
import subprocess
import time
import urllib.parse

from support import Skip
from support.authority import Authority
from support.https import HttpsServer
from support.instance import Instance
from support.mail import loose_tls

ISSUER, ASKED = "https://login.example.test", "https://asked.example.test"
ALICE = "alice@example.test"


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Keys:
    """An RSA key that signs tokens."""

    def __init__(self, directory):
        self.path = os.path.join(directory, "issuer.key")
        self.openssl("genrsa", "-out", self.path, "2048")
        modulus = self.openssl("rsa", "-in", self.path, "-noout", "-modulus").decode().strip().split("=")[1]
        self.set = json.dumps({"keys": [{"kty": "RSA", "kid": "one", "alg": "RS256", "e": "AQAB",
                                         "n": encode(bytes.fromhex(modulus))}]})

    def openssl(self, *arguments, data=None):
        return subprocess.run(["openssl", *arguments], check=True, capture_output=True, input=data).stdout

    def token(self, **changes):
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": "mail", "exp": now + 600, "iat": now, "scope": "openid mail",
                  "email": ALICE, **changes}
        text = "%s.%s" % (encode(json.dumps({"alg": "RS256", "kid": "one", "typ": "at+jwt"}).encode()),
                          encode(json.dumps(claims).encode()))
        return text + "." + encode(self.openssl("dgst", "-sha256", "-sign", self.path, data=text.encode()))


class World:
    """maild, its users' keys, and the issuers as one HTTPS server. answers: how /keys and /introspect answer,
    a function(handler) or what is sent as JSON; active: token -> claims."""

    def __init__(self, timeout="30s"):
        self.server = Instance()
        self.closing = [self.server]
        try:
            authority = Authority(os.path.join(self.server.directory, "ca"))
            self.keys = Keys(self.server.directory)
            self.https = HttpsServer(authority.issue("127.0.0.1"), {"127.0.0.1": self.answer})
            self.closing.append(self.https)
            self.answers = {"/keys": self.keys.set, "/introspect": self.introspect}
            self.active = {}
            url = "https://127.0.0.1:%d" % self.https.port
            self.server.replace_config("tls {", "tls {\n    ca_file = %s" % authority.certificate)
            self.server.add_config("""
auth { failure_delay = 0; failures_max = 100 }
oauth login {
    issuer = %s
    jwks_url = %s/keys
    audience = mail
    scope = mail
    timeout = %s
}
oauth asked {
    issuer = %s
    introspection_url = %s/introspect
    client_id = "mail server"
    client_secret = "s3cret:+"
    login_claim = username
    timeout = %s
}""" % (ISSUER, url, timeout, ASKED, url, timeout))
            self.server.start()
        except BaseException:
            self.close()
            raise

    def answer(self, handler):
        answer = self.answers[handler.path]
        if callable(answer):
            return answer(handler)
        self.send(handler, answer)

    def send(self, handler, text, status=200):
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text.encode())

    def introspect(self, handler):
        _, _, _, headers, body = self.https.asked[-1]
        user, password = base64.b64decode(headers["Authorization"].split()[1]).decode().split(":")
        assert headers["Authorization"].startswith("Basic ")
        assert (urllib.parse.unquote(user), urllib.parse.unquote(password)) == ("mail server", "s3cret:+")
        token = urllib.parse.parse_qs(body.decode())["token"][0]
        claims = self.active.get(token)
        self.send(handler, json.dumps({"active": True, **claims} if claims else {"active": False}))

    def close(self):
        for thing in reversed(self.closing):
            thing.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def bearer(token, user=""):
    return "n,%s,\1host=localhost\1auth=Bearer %s\1\1" % (user and "a=" + user, token)


def google(token, user=ALICE):
    return "user=%s\1auth=Bearer %s\1\1" % (user, token)


class Lines:
    def __init__(self, server, port):
        self.socket = loose_tls().wrap_socket(server.connect(port, timeout=90))
        self.file = self.socket.makefile("rwb")
        self.line()

    def line(self):
        return self.file.readline().decode().rstrip("\r\n")

    def say(self, text):
        self.file.write(text.encode() + b"\r\n")
        self.file.flush()

    def ask(self, text):
        self.say(text)
        return self.line()


def b64(text):
    return base64.b64encode(text.encode()).decode()


def log_in(world, protocol, mechanism, message, initial=True):
    """The last reply, and the challenge that came before a failure."""
    challenge = ""
    ports = {"imap": "imaps", "pop3": "pop3s", "smtp": "submissions"}
    c = Lines(world.server, ports[protocol])
    if protocol == "smtp":
        c.say("EHLO test")
        while c.line().startswith("250-"):
            pass
    begin = {"imap": "a AUTHENTICATE %s", "pop3": "AUTH %s", "smtp": "AUTH %s"}[protocol] % mechanism
    asks = {"imap": "+ ", "pop3": "+ ", "smtp": "334 "}[protocol]
    if initial:
        reply = c.ask(begin + " " + b64(message))
    else:
        reply = c.ask(begin)
        assert reply == asks, reply
        reply = c.ask(b64(message))
    if reply.startswith(asks):
        challenge = base64.b64decode(reply[len(asks):]).decode()
        reply = c.ask(b64("\1"))
    c.socket.close()
    return reply, challenge


GOOD = {"imap": "a OK ", "pop3": "+OK ", "smtp": "235 "}
WRONG = {"imap": "a NO [AUTHENTICATIONFAILED]", "pop3": "-ERR [AUTH]", "smtp": "535 5.7.8 "}
LATER = {"imap": "a NO [UNAVAILABLE]", "pop3": "-ERR [SYS/TEMP]", "smtp": "454 4.7.0 "}
PROTOCOLS = ("imap", "pop3", "smtp")


def check(world, message, expected, mechanism="OAUTHBEARER", status=None, protocols=PROTOCOLS):
    for protocol in protocols:
        for initial in (True, False):
            reply, challenge = log_in(world, protocol, mechanism, message, initial)
            assert reply.startswith(expected[protocol]), (protocol, reply)
            if status:
                assert json.loads(challenge)["status"] == status, challenge
            else:
                assert not challenge, challenge


def test_keys():
    with World() as w:
        with imaplib.IMAP4_SSL("127.0.0.1", w.server.port("imaps"), ssl_context=loose_tls()) as box:
            assert {"AUTH=OAUTHBEARER", "AUTH=XOAUTH2"} <= set(box.capabilities)
            typ, _ = box.authenticate("OAUTHBEARER", lambda _: bearer(w.keys.token()).encode())
            assert typ == "OK" and box.select()[0] == "OK"
        c = Lines(w.server, "pop3s")
        c.say("CAPA")
        assert any("OAUTHBEARER XOAUTH2" in line for line in iter(c.line, "."))
        good = w.keys.token()
        check(w, bearer(good), GOOD)
        check(w, bearer(good, ALICE), GOOD)
        check(w, google(good), GOOD, "XOAUTH2")
        ended = w.keys.token(exp=int(time.time()) - 100)
        check(w, bearer(ended), WRONG, status="invalid_token")
        check(w, google(ended), WRONG, "XOAUTH2", status="401")
        check(w, bearer(w.keys.token(scope="openid")), WRONG, status="insufficient_scope", protocols=["imap"])
        for change in ({"aud": "web"}, {"iss": "https://else.test"}, {"email": "nobody@example.test"},
                       {"email_verified": False}):
            check(w, bearer(w.keys.token(**change)), WRONG, status="invalid_token", protocols=["smtp"])
        check(w, bearer(good, "bob@example.test"), WRONG, protocols=["pop3"])
        head, body, signature = good.split(".")
        none = encode(b'{"alg":"none","kid":"one"}')
        for forged in (none + "." + body + ".", none + "." + body + "." + signature,
                       head + "." + body + ".", head + "." + body + "." + signature[:-8],
                       head + "." + encode(b'{"iss":"%s"}' % ISSUER.encode()) + "." + signature):
            check(w, bearer(forged), WRONG, status="invalid_token", protocols=["imap"])
        reply, challenge = log_in(w, "imap", "OAUTHBEARER", bearer(ended))
        assert json.loads(challenge) == {
            "status": "invalid_token", "scope": "mail",
            "openid-configuration": ISSUER + "/.well-known/openid-configuration"}
        log = w.server.log()
        assert re.search(r"auth\[\w+\]: login failed service=imap user=<alice@example.test> peer=127.0.0.1 "
                         r"mechanism=OAUTHBEARER reason=token_expired\n", log) or "token_expired" in log
        assert "mechanism=XOAUTH2" in log
        assert "eyJ" not in log and signature not in log
        assert sum(path == "/keys" for _, _, path, _, _ in w.https.asked) == 1


def test_introspection():
    with World() as w:
        w.active = {"opaque-1": {"username": "alice", "exp": int(time.time()) + 600},
                    "ended": {"username": "alice", "exp": int(time.time()) - 600},
                    "elsewhere": {"username": "alice", "iss": "https://else.test"},
                    "nameless": {"sub": "4711"}}
        check(w, bearer("opaque-1"), GOOD)
        check(w, google("opaque-1"), GOOD, "XOAUTH2")
        assert sum(path == "/introspect" for _, _, path, _, _ in w.https.asked) == 1  # remembered
        for token in ("never-heard-of", "ended", "elsewhere", "nameless"):
            check(w, bearer(token), WRONG, status="invalid_token", protocols=["imap"])
        log = w.server.log()
        for reason in ("token_inactive", "token_expired", "token_issuer", "token_login"):
            assert "reason=%s\n" % reason in log, reason
        assert "s3cret" not in log and "never-heard-of" not in log


def test_issuer_that_answers_nonsense():
    """Whatever it sends, nobody is told that his token is wrong."""
    with World() as w:
        def status(number):
            return lambda handler: w.send(handler, "{}", number)

        for answer in ("", "<html>", "[]", "{}", '{"active":"yes"}', '{"active":true', "{" * 5000,
                       '{"a":' * 5000, status(401), status(500), status(302), w.https.redirect, w.https.flood,
                       lambda handler: handler.wfile.write(b"\0garbage\r\n\r\n"), lambda handler: None):
            w.answers["/introspect"] = answer
            check(w, bearer("token-1"), LATER, protocols=["imap"])
        check(w, bearer("token-1"), LATER)
        assert "(client_id, client_secret?)" in w.server.log()
        w.answers["/introspect"] = w.introspect
        check(w, bearer("token-1"), WRONG, status="invalid_token")
        for answer in ("<html>", '{"keys":[]}', '{"keys":[{"kty":"oct","k":"AAAA"}]}', status(404), w.https.flood):
            w.answers["/keys"] = answer
            w.server.mailctl("reload")
            check(w, bearer(w.keys.token()), LATER, protocols=["smtp"])
        w.answers["/keys"] = w.keys.set
        w.server.mailctl("reload")
        check(w, bearer(w.keys.token()), GOOD)


def test_issuer_that_hangs():
    """Logins with tokens wait no longer than the time limit, all others not at all."""
    with World(timeout="2s") as w:
        w.answers["/introspect"] = w.https.hang
        waiting = []
        for _ in range(5):
            s = loose_tls().wrap_socket(w.server.connect("imaps"))
            s.sendall(b"a AUTHENTICATE OAUTHBEARER " + b64(bearer("token-1")).encode() + b"\r\n")
            waiting.append(s)
        with smtplib.SMTP_SSL("127.0.0.1", w.server.port("submissions"), context=loose_tls(), timeout=60) as s:
            s.login(ALICE, "secret")
        check(w, bearer(w.keys.token()), GOOD, protocols=["imap"])
        waiting.pop().close()  # a client that goes away meanwhile
        for s in waiting:
            data = b""
            while b"\na " not in data:
                data += s.recv(1000)
            assert b"a NO [UNAVAILABLE]" in data, data
            s.close()
        w.answers["/introspect"] = w.https.trickle
        check(w, bearer("token-1"), LATER, protocols=["pop3"])
        w.answers["/keys"] = w.https.hang
        w.server.mailctl("reload")
        check(w, bearer(w.keys.token()), LATER, protocols=["smtp"])
        w.answers.update({"/keys": w.keys.set, "/introspect": w.introspect})
        w.server.mailctl("reload")
        check(w, bearer(w.keys.token()), GOOD, protocols=["smtp"])


def test_not_configured():
    with Instance() as server:
        with imaplib.IMAP4_SSL("127.0.0.1", server.port("imaps"), ssl_context=loose_tls()) as box:
            assert not [c for c in box.capabilities if "OAUTH" in c]
        c = Lines(server, "imaps")
        assert c.ask("a AUTHENTICATE OAUTHBEARER " + b64(bearer("x"))).startswith("a NO [CANNOT]")


def test_curl():
    if not shutil.which("curl"):
        raise Skip("curl is not installed")
    with World() as w:
        token = w.keys.token()
        text = os.path.join(w.server.directory, "message")
        with open(text, "w") as f:
            f.write("From: alice@example.test\r\nTo: alice@example.test\r\nSubject: by curl\r\n\r\nbody\r\n")

        def curl(url, *arguments, token=token, check=True):
            return subprocess.run(["curl", "-sS", "-k", "--max-time", "60", "--user", ALICE + ":", "--oauth2-bearer", token,
                                   url, *arguments], capture_output=True, text=True, check=check)

        curl("smtps://127.0.0.1:%d" % w.server.port("submissions"), "--mail-from", ALICE, "--mail-rcpt", ALICE,
             "--upload-file", text)
        for mechanism in ("OAUTHBEARER", "XOAUTH2"):
            options = ("--login-options", "AUTH=" + mechanism)
            assert "Subject: by curl" in curl("imaps://127.0.0.1:%d/INBOX;UID=1" % w.server.port("imaps"),
                                              *options).stdout
            assert "Subject: by curl" in curl("pop3s://127.0.0.1:%d/1" % w.server.port("pop3s"), *options).stdout
        ended = w.keys.token(exp=int(time.time()) - 100)
        for url in ("imaps://127.0.0.1:%d/INBOX;UID=1" % w.server.port("imaps"),
                    "pop3s://127.0.0.1:%d/1" % w.server.port("pop3s")):
            assert curl(url, token=ended, check=False).returncode == 67  # CURLE_LOGIN_DENIED
