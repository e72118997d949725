"""Does a login work? With all protocols and mechanisms at once; and what a sender hears of a recipient."""

import base64
import re

from .instance import Instance
from .mail import loose_tls


class Line:
    """A connection on which a line is asked and the last line of the reply is read."""

    def __init__(self, server, port, timeout=30):
        s = server.connect(port, timeout=timeout)
        if port in ("submissions", "imaps", "pop3s"):
            s = loose_tls().wrap_socket(s)
        self.s, self.f = s, s.makefile("rwb", buffering=0)
        self.f.readline()

    def ask(self, line):
        self.send(line)
        return self.read()

    def send(self, line):
        self.f.write(line.encode() + b"\r\n")

    def read(self):
        while True:
            answer = self.f.readline().decode(errors="replace").rstrip("\r\n")
            if not answer.startswith("* ") and answer[3:4] != "-":
                return answer

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.s.close()


def b64(text):
    return base64.b64encode(text.encode()).decode()


def quote(text):
    return '"%s"' % text.replace("\\", "\\\\").replace('"', '\\"')


def ask_smtp(server, user, password, timeout=30):
    with Line(server, "submissions", timeout) as c:
        c.ask("EHLO c.test")
        return c.ask("AUTH PLAIN " + b64("\0%s\0%s" % (user, password)))


def ask_smtp_login(server, user, password, timeout=30):
    with Line(server, "submissions", timeout) as c:
        c.ask("EHLO c.test")
        c.ask("AUTH LOGIN " + b64(user))
        return c.ask(b64(password))


def ask_imap(server, user, password, timeout=30):
    """LOGIN where it can say it: strings of it are ASCII here."""
    with Line(server, "imaps", timeout) as c:
        if (user + password).isascii():
            return c.ask("a LOGIN %s %s" % (quote(user), quote(password)))
        return c.ask("a AUTHENTICATE PLAIN " + b64("\0%s\0%s" % (user, password)))


def ask_imap_plain(server, user, password, timeout=30):
    with Line(server, "imaps", timeout) as c:
        return c.ask("a AUTHENTICATE PLAIN " + b64("\0%s\0%s" % (user, password)))


def ask_pop3(server, user, password, timeout=30):
    with Line(server, "pop3s", timeout) as c:
        c.ask("USER " + user)
        return c.ask("PASS " + password)


QUICK = (ask_imap,)
PROTOCOLS = (ask_smtp, ask_imap, ask_pop3)
ALL = (ask_smtp, ask_smtp_login, ask_imap, ask_imap_plain, ask_pop3)
KINDS = (("yes", r"235 |a OK|\+OK"), ("later", r"454 4\.7\.0|a NO \[UNAVAILABLE\]|-ERR \[SYS/TEMP\]"),
         ("no", r"535 5\.7\.8|a NO \[AUTHENTICATIONFAILED\]|-ERR \[AUTH\]"))


def kind_of(answer):
    return next((kind for kind, pattern in KINDS if re.match(pattern, answer)), answer)


def login(server, user, password, ways=QUICK, timeout=30):
    """"yes", "no", "later", the same with all ways."""
    answers = {way.__name__: way(server, user, password, timeout) for way in ways}
    kinds = {kind_of(answer) for answer in answers.values()}
    assert len(kinds) == 1, answers
    return kinds.pop()


def recipient(server, address, sender="s@elsewhere.test", port="smtp", timeout=30):
    """The reply to RCPT."""
    with Line(server, port, timeout) as c:
        c.ask("EHLO c.test")
        c.ask("MAIL FROM:<%s>" % sender)
        return c.ask("RCPT TO:<%s>" % address)


class LdapInstance(Instance):
    """maild with the LDAP server's people, and nobody of its own but the given users. What was said of passwords anywhere in
    its log ends the test."""

    SECRET = "sesame-"

    def __init__(self, *blocks, users=(), cache="0s", **options):
        super().__init__(users=users, **options)
        self.add_config("log_level = debug\nauth {\n    failure_delay = 0s\n}\ndirectory {\n    cache_lifetime = %s\n"
                        "    cache_negative_lifetime = 0s\n}\n%s" % (cache, "\n".join(blocks)))

    def stop(self):
        running = bool(self.process)
        super().stop()
        if running:
            self.check_secrets()

    def check_secrets(self):
        """Neither as they are nor as SASL carries them: in base64 a text looks one of three ways."""
        wanted = [self.SECRET] + [b64("x" * n + self.SECRET)[4 if n else 0:(n + 7) * 8 // 6] for n in range(3)]
        for line in self.log().split("\n"):
            assert not any(w in line for w in wanted), "a password in the log: " + line


def ldap_block(name="people", **settings):
    """A block of the configuration; values as they stand there."""
    return "ldap %s {\n%s}\n" % (name, "".join("    %s = %s\n" % item for item in settings.items()))


def slapd_block(ldap, name="people", **settings):
    from .ldap_people import BASE, SERVICE_DN, SERVICE_PASSWORD
    values = {"preset": "university", "servers": ldap.uri, "bind_dn": '"%s"' % SERVICE_DN, "bind_password": SERVICE_PASSWORD,
              "base": '"%s"' % BASE, "domains": "example.test", **settings}
    return ldap_block(name, **{k: v for k, v in values.items() if v is not None})


def samba_block(ad, name="ad", **settings):
    from .samba_ad import BASE, SERVICE_PASSWORD, SERVICE_UPN
    values = {"preset": "ad", "servers": ad.uri, "starttls": "yes", "tls_ca": ad.ca, "bind_dn": SERVICE_UPN,
              "bind_password": SERVICE_PASSWORD, "base": '"%s"' % BASE, "domains": "example.test", **settings}
    return ldap_block(name, **{k: v for k, v in values.items() if v is not None})
