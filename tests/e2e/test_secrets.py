"""Passwords of clients: when a login is over, and when its session has ended, they stand nowhere in the server's memory."""

import base64

from support import Skip, wait_for
from support.instance import Instance
from support.ldap_logins import LdapInstance, Line, b64, slapd_block
from support.memory import find_in_memory
from support.slapd import Slapd

PORTS = ("imap", "pop3", "submission")


class Plain(Line):
    """Without TLS, which this machine's own clients may do here."""

    def __init__(self, server, port):
        s = server.connect(port, timeout=30)
        self.s, self.f = s, s.makefile("rwb", buffering=0)
        self.f.readline()


def imap_literals(c, user, password):
    c.f.write(("a LOGIN {%d+}\r\n%s {%d+}\r\n%s\r\n" % (len(user), user, len(password), password)).encode())
    return c.read()


def imap_in_steps(c, user, password):
    c.send("a AUTHENTICATE PLAIN")
    c.f.readline()
    return c.ask(b64("\0%s\0%s" % (user, password)))


def pop3_pass(c, user, password):
    c.ask("USER " + user)
    return c.ask("PASS " + password)


def smtp_login(c, user, password):
    c.ask("EHLO c.test")
    c.ask("AUTH LOGIN")
    c.ask(b64(user))
    return c.ask(b64(password))


def smtp_plain(c, user, password):
    c.ask("EHLO c.test")
    return c.ask("AUTH PLAIN " + b64("\0%s\0%s" % (user, password)))


WAYS = {
    "LOGIN": ("imap", lambda c, user, password: c.ask('a LOGIN "%s" "%s"' % (user, password))),
    "LOGIN with literals": ("imap", imap_literals),
    "LOGIN, wrong": ("imap", lambda c, user, password: c.ask('a LOGIN "%s" "%s "' % (user, password))),
    "AUTHENTICATE": ("imap", lambda c, user, password: c.ask("a AUTHENTICATE PLAIN " + b64("\0%s\0%s" % (user, password)))),
    "AUTHENTICATE in steps": ("imap", imap_in_steps),
    "PASS": ("pop3", pop3_pass),
    "AUTH of POP3": ("pop3", lambda c, user, password: c.ask("AUTH PLAIN " + b64("\0%s\0%s" % (user, password)))),
    "AUTH PLAIN": ("submission", smtp_plain),
    "AUTH LOGIN": ("submission", smtp_login),
}


def forms(user, password):
    """As it is, and what of it in base64 is the same wherever it begins."""
    whole = base64.b64encode(("\0%s\0%s" % (user, password)).encode())
    return [password.encode(), whole[8:-8], base64.b64encode(password.encode())[:-4]]


def gone(server, texts, when):
    try:
        wait_for(lambda: not find_in_memory(server.process.pid, texts), when)
    except AssertionError:
        raise AssertionError("%s: %s" % (when, find_in_memory(server.process.pid, texts))) from None


def forgets(server, user, password_of, connect, names=WAYS):
    """password_of: makes it the user's."""
    for name in names:
        port, log_in = WAYS[name]
        password = password_of(name)
        texts = forms(user, password)
        with connect(server, port) as c:
            answer = log_in(c, user, password)
            assert answer.startswith(("a OK", "+OK", "235")) or ("wrong" in name and answer.startswith("a NO")), (name, answer)
            gone(server, texts, name + ", logged in")
        gone(server, texts, name + ", ended")


def let_in_without_tls(server):
    for port in PORTS:
        server.replace_config("listener %s {" % port, "listener %s {\n    auth_without_tls = yes" % port)


def readable(server):
    try:
        open("/proc/%d/mem" % server.process.pid, "rb").close()
    except OSError:
        raise Skip("the memory of another process cannot be read here") from None


def test_the_embedded_directory():
    server = Instance()
    let_in_without_tls(server)
    with server:
        readable(server)

        def new_password(name):
            password = "sesame-%s-staple-horse" % name.encode().hex()
            server.mailctl("user", "passwd", "alice@example.test", "--password-stdin", stdin=password + "\n")
            return password

        assert find_in_memory(server.process.pid, [b"alice@example.test"]), "nothing is found at all"
        forgets(server, "alice@example.test", new_password, Plain)
        forgets(server, "alice@example.test", new_password, lambda server, port: Line(server, port + "s"), ("LOGIN", "PASS", "AUTH PLAIN"))


def test_an_ldap_server():
    with Slapd(users=2) as ldap:
        server = LdapInstance(slapd_block(ldap))
        let_in_without_tls(server)
        with server:
            readable(server)
            forgets(server, "user001", lambda name: "sesame-user001", Plain, ("LOGIN", "AUTH PLAIN"))


def test_a_service_account_that_was_exchanged():
    """After a reload with another password the old one is nowhere, and after one without the block the new one neither."""
    old, new = "sesame-service-of-yesterday", "sesame-service-of-today"
    with Slapd(users=2) as ldap:
        server = LdapInstance(slapd_block(ldap, bind_password=old), cache="1m", users=("root",))
        let_in_without_tls(server)
        with server:
            readable(server)
            with Plain(server, "imap") as session:  # it keeps the configuration that it began with
                imap_literals(session, "root", "secret")
                with Plain(server, "imap") as c:
                    assert "UNAVAILABLE" in imap_literals(c, "anna", "sesame-anna")
                assert find_in_memory(server.process.pid, [old.encode()])
                server.replace_config(old, new)
                server.mailctl("reload")
                gone(server, [old.encode()], "the old password, after a reload")
                assert find_in_memory(server.process.pid, [new.encode()])
                with open(server.config_path) as f:
                    text = f.read()
                with open(server.config_path, "w") as f:
                    f.write(text[:text.index("ldap people")])
                server.mailctl("reload")
                gone(server, [old.encode(), new.encode()], "both, after the directory is gone")
                assert session.ask("b NOOP").startswith("b OK")
