"""Clients that mean harm: they break the rules of each protocol's states, send a byte now and then, ask for
as much work as one line can ask for, and try to forge what others will read."""

import base64
import os
import re
import socket
import ssl
import threading
import time

from support.instance import Instance
from support.mail import imap, imap_bodies, inject, loose_tls

PLAIN = base64.b64encode(b"\0alice@example.test\0secret")


def read_until(s, mark):
    seen = b""
    while mark not in seen:
        piece = s.recv(65536)
        assert piece, "closed after %r" % seen[-300:]
        seen = seen[-100000:] + piece
    return seen


def ask(s, line, mark=b"\r\n"):
    s.sendall(line + b"\r\n")
    return read_until(s, mark)


def rest(s):
    """Everything up to the end of the connection."""
    seen = b""
    try:
        while True:
            piece = s.recv(65536)
            if not piece:
                return seen
            seen += piece
    except (ConnectionError, ssl.SSLError):
        return seen


def secure(s):
    return loose_tls().wrap_socket(s)


def logged_in(server, user="alice"):
    s = secure(server.connect("imaps"))
    read_until(s, b"ready\r\n")
    ask(s, b"a LOGIN %s secret" % user.encode(), b"a OK")
    return s


# --- STARTTLS ---

def test_nothing_is_taken_over_from_before_starttls():
    begin = {"smtp": (b"EHLO c.test\r\n", b"250 ", b"STARTTLS\r\n"),
             "submission": (b"EHLO c.test\r\n", b"250 ", b"STARTTLS\r\n"),
             "imap": (b"a NOOP\r\n", b"a OK", b"b STARTTLS\r\n"),
             "pop3": (b"CAPA\r\n", b"\r\n.\r\n", b"STLS\r\n")}
    injected = {"smtp": b"EHLO injected.test\r\n", "submission": b"EHLO injected.test\r\n",
                "imap": b"i CAPABILITY\r\n", "pop3": b"CAPA\r\n"}
    with Instance() as server:
        for port, (hello, answer, starttls) in begin.items():
            for split in (False, True):
                s = server.connect(port)
                read_until(s, b"\r\n")
                s.sendall(hello)
                read_until(s, answer)
                s.sendall(starttls if split else starttls + injected[port])
                if split:  # behind the server's word, before the handshake
                    read_until(s, b"\r\n")
                    s.sendall(injected[port])
                try:
                    s = secure(s)
                    s.settimeout(2)
                    assert not s.recv(1000), "%s answered what was sent in clear" % port
                except (OSError, ssl.SSLError) as error:
                    assert "timed out" not in str(error), port
                s.close()


def test_starttls_forgets_a_login_in_clear():
    server = Instance()
    server.replace_config("tls = starttls\n}\n\nlistener submissions",
                          "tls = starttls\n    auth_without_tls = yes\n}\n\nlistener submissions")
    with server:
        s = server.connect("submission")
        read_until(s, b"\r\n")
        ask(s, b"EHLO c.test", b"250 ")
        assert ask(s, b"AUTH PLAIN " + PLAIN).startswith(b"235")
        assert b"alice@example.test" in server.mailctl("who").encode()
        assert ask(s, b"STARTTLS").startswith(b"220")
        s = secure(s)
        ask(s, b"EHLO c.test", b"250 ")
        assert b"alice@example.test" not in server.mailctl("who").encode()
        assert ask(s, b"MAIL FROM:<alice@example.test>").startswith(b"530")
        s.close()


# --- time ---

def is_closed_within(server, port, begin, drip, seconds, tls=False):
    s = server.connect(port)
    if tls:
        s = secure(s)
    end = time.monotonic() + seconds
    try:
        for line in begin:
            s.sendall(line)
            s.settimeout(0.3)
            try:
                s.recv(4096)
            except TimeoutError:
                pass
        while time.monotonic() < end:
            s.sendall(drip)
            try:
                if not s.recv(4096):
                    return True
            except TimeoutError:
                pass
    except OSError:
        return True
    finally:
        s.close()
    return False


def test_a_byte_now_and_then_holds_nothing_for_long():
    server = Instance()
    server.add_config("smtp {\n    timeout = 1s\n}\nimap {\n    timeout_login = 1s\n}\n")
    envelope = b"HELO c.test\r\n", b"MAIL FROM:<s@elsewhere.test>\r\n", b"RCPT TO:<alice@example.test>\r\n"
    cases = {
        "half a command": ("smtp", (), b"N"),
        "message data": ("smtp", envelope + (b"DATA\r\n",), b"x"),
        "lines of message data": ("smtp", envelope + (b"DATA\r\n",), b"\r\n"),
        "a chunk": ("smtp", envelope + (b"BDAT 10000 LAST\r\n",), b"x"),
        "a chunk nobody wants": ("smtp", (b"BDAT 10000 LAST\r\n",), b"x"),
        "a handshake": ("submissions", (), b"\x16"),
        "half an IMAP command": ("imap", (), b"a"),
        "a literal": ("imap", (b"a LOGIN {10000}\r\n",), b"x"),
        "a literal nobody wants": ("imap", (b"a NONSENSE {10000+}\r\n",), b"x"),
        "an IMAP handshake": ("imaps", (), b"\x16"),
    }
    results = {}

    def run(name, port, begin, drip):
        results[name] = is_closed_within(server, port, begin, drip, 12)

    with server:
        threads = [threading.Thread(target=run, args=(name, *case)) for name, case in cases.items()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        slow = [name for name, closed in results.items() if not closed]
        assert not slow, "still open: %s" % slow


# --- work ---

class Watcher:
    """Another client, who wants his answer within a second."""

    def __init__(self, server):
        self.server, self.longest, self.broken = server, 0, None
        self.over = threading.Event()

    def run(self):
        try:
            while not self.over.is_set():
                begin = time.monotonic()
                ask(self.s, b"NOOP")
                self.longest = max(self.longest, time.monotonic() - begin)
                time.sleep(0.01)
        except (OSError, AssertionError) as error:
            self.broken = error

    def __enter__(self):
        self.s = self.server.connect("lmtp")  # where nobody counts how often NOOP is said
        read_until(self.s, b"\r\n")
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        return self

    def __exit__(self, kind, value, traceback):
        self.over.set()
        self.thread.join()
        self.s.close()
        if kind is None:
            assert not self.broken, "another client: %s" % self.broken
            assert self.longest < 1, "another client waited %.1f s" % self.longest


def append(server, user, text):
    box = imap(server, user)
    typ, data = box.append("INBOX", None, None, text)
    assert typ == "OK", data
    box.logout()


def test_commands_that_ask_for_much_do_not_hold_up_others():
    def repeat(item, count):
        return b" ".join([item] * count)

    commands = (
        b"FETCH 1 BODY.PEEK[HEADER.FIELDS (%s)]" % b" ".join(b"n%d" % i for i in range(9000)),
        b"FETCH 1 (%s)" % repeat(b"BODY.PEEK[HEADER]", 300),
        b"FETCH 1 (%s)" % repeat(b"UID", 10000),
        b"FETCH 2 (%s)" % repeat(b"BODYSTRUCTURE", 5),
        b"FETCH 3 (%s)" % repeat(b"ENVELOPE", 10),
        b"SEARCH %s" % repeat(b"NOT HEADER x y", 100),
        b"SEARCH %s" % repeat(b"NOT TEXT zzz", 20),
        b"SEARCH %s" % repeat(b"TEXT x", 501),
        b"SEARCH %s" % repeat(b"1:*", 10000),
        b"SEARCH %sSEEN" % (b"OR SEEN " * 190),
        b"SEARCH %sSEEN" % (b"NOT " * 10000),
        b"SEARCH " + b"(" * 10000,
        b"FETCH %s UID" % b",".join([b"1:*"] * 10000),
        b'LIST "" %sb' % (b"*a" * 500),
        b'LIST "" %sb' % (b"%a*%" * 250),
        b'LIST "" (%s)' % repeat(b"*a%" * 200 + b"b", 90),
        b"STORE 1:* +FLAGS (%s)" % b" ".join(b"k%d" % i for i in range(8000)),
        b"UID EXPUNGE %s" % b",".join(b"%d:*" % i for i in range(1, 8000)),
    )
    with Instance() as server:
        for text in ("a:\r\n" * 60000 + "\r\nx\r\n",
                     "Content-Type: multipart/mixed; boundary=a\r\n\r\n" + "--a\r\n\r\n\r\n" * 9000,
                     "To: " + ",\r\n ".join(["a@b"] * 30000) + "\r\n\r\nx\r\n"):
            append(server, "alice", text.encode())  # SMTP has limits of its own
        s = logged_in(server)
        ask(s, b"b CREATE " + b"/".join([b"aaaaaaaaa"] * 20), b"b OK")
        ask(s, b"c SELECT INBOX", b"c OK")
        with Watcher(server):
            for command in commands:
                ask(s, b"q " + command, b"q ")
        s.close()


def test_who_only_talks_is_sent_away():
    """Commands that bring no message further count, beyond a hundred, as errors; empty chunks as well."""
    with Instance() as server:
        for command in (b"NOOP\r\n", b"BDAT 0\r\n"):
            s = server.connect("smtp")
            read_until(s, b"\r\n")
            ask(s, b"EHLO c.test", b"250 ")
            ask(s, b"MAIL FROM:<a@elsewhere.test>")
            ask(s, b"RCPT TO:<alice@example.test>")
            s.sendall(command * 300)
            seen = rest(s)
            assert seen.endswith(b"421 4.7.0 Too many errors\r\n"), seen[-200:]
            assert 100 < seen.count(b"250 ") < 130, seen.count(b"250 ")
            s.close()


def test_a_message_in_slow_chunks():
    """A byte now and then, in chunks of their own: the time counts for the whole message."""
    with Instance() as server:
        server.add_config("smtp { timeout = 2s }")
        server.restart()
        s = server.connect("smtp")
        read_until(s, b"\r\n")
        ask(s, b"EHLO c.test", b"250 ")
        ask(s, b"MAIL FROM:<a@elsewhere.test>")
        ask(s, b"RCPT TO:<alice@example.test>")
        for i in range(100):
            s.sendall(b"BDAT 1\r\nx")
            reply = read_until(s, b"\r\n")
            if not reply.startswith(b"250 "):
                break
            time.sleep(0.2)
        assert reply.startswith(b"421 4.4.2 "), reply
        assert rest(s) == b""


def test_lines_without_an_end():
    """Refused with a word, or the connection is closed; the next command is understood."""
    with Instance() as server:
        for port, hello, noop, ok in (("smtp", b"220", b"NOOP", b"250"), ("pop3", b"+OK", b"CAPA", b"+OK")):
            s = server.connect(port)
            read_until(s, b"\r\n")
            s.sendall(b"x" * 100000 + b"\r\n")
            assert read_until(s, b"\r\n")[:1] in b"-5", port
            assert ask(s, noop).startswith(ok), port
            s.close()
        s = server.connect("imap")
        read_until(s, b"\r\n")
        s.sendall(b"x" * 100000 + b"\r\n")
        assert b"* BYE" in rest(s)
        s = logged_in(server)
        s.sendall(b"x" * 100000 + b"\r\n")
        assert b"BAD" in read_until(s, b"\r\n")
        ask(s, b"z NOOP", b"z OK")
        s.close()


# --- forgery ---

def reply(server, *lines, port="smtp"):
    """The reply to the last line."""
    with server.connect(port) as s:
        answer = read_until(s, b"\r\n")
        for line in lines:
            answer = ask(s, line)
        return answer


def test_no_unauthenticated_relaying_whatever_the_spelling():
    addresses = (b"<victim@elsewhere.test>", b"<@example.test:victim@elsewhere.test>",
                 b"<@example.test,@elsewhere.test:victim@elsewhere.test>",
                 b"<victim%elsewhere.test@elsewhere.test>", b'<"victim@elsewhere.test"@elsewhere.test>',
                 b"<victim@[127.0.0.1]>", b"<victim@[IPv6:::1]>", b"<victim@127.0.0.1>", b"<victim@localhost>",
                 b"<victim@example.test.elsewhere.test>", b"<victim@xexample.test>",
                 b"<victim@elsewhere.test.>", b"<elsewhere.test!victim@elsewhere.test>",
                 b"<victim@elsewhere.test@elsewhere.test>", b"<victim@elsewhere.test\0@example.test>",
                 b"<victim@elsewhere.test> ORCPT=rfc822;alice@example.test", b"victim@elsewhere.test",
                 b"<victim@EXAMPLE.TEST.elsewhere.test>", b"<\"alice@example.test>\" <victim@elsewhere.test>")
    local = (b"<victim%elsewhere.test@example.test>", b'<"victim@elsewhere.test"@example.test>',
             b"<elsewhere.test!victim@example.test>", b"<@elsewhere.test:nobody@example.test>",
             b"<victim@example.test.>", b"<victim@EXAMPLE.test>")
    with Instance() as server:
        for port, hello in (("smtp", b"EHLO c.test"), ("lmtp", b"LHLO c.test")):
            for address in addresses + local:
                with server.connect(port) as s:
                    read_until(s, b"\r\n")
                    ask(s, hello, b"250 ")
                    ask(s, b"MAIL FROM:<alice@example.test>")
                    answer = ask(s, b"RCPT TO:" + address)
                    assert answer[:1] == b"5", (port, address, answer)
                    assert ask(s, b"DATA")[:1] == b"5", (port, address)
        for port in ("submission", "submissions"):
            s = server.connect(port)
            s = secure(s) if port == "submissions" else s
            read_until(s, b"\r\n")
            ask(s, b"EHLO c.test", b"250 ")
            for line in (b"MAIL FROM:<alice@example.test>", b"MAIL FROM:<alice@example.test> AUTH=<>",
                         b"RCPT TO:<victim@elsewhere.test>", b"DATA", b"BDAT 3 LAST\r\nabc"):
                assert ask(s, line)[:1] == b"5", (port, line)
            s.close()
        assert "elsewhere" not in server.mailctl("queue", "list")


def test_own_domain_in_any_spelling_is_own():
    with Instance() as server:
        for address in (b"<ALICE@EXAMPLE.TEST>", b'<"alice"@example.test>', b"<@relay.test:alice@example.test>"):
            answer = reply(server, b"HELO c.test", b"MAIL FROM:<s@elsewhere.test>", b"RCPT TO:" + address)
            assert answer.startswith(b"250"), (address, answer)


def test_headers_and_log_lines_cannot_be_forged():
    bad = (b"c.test\rX-Forged: yes", b"c.test\x0bx", b"c.test\0", b"c.test\x7f", b"(c.test", b"\xe2\x80\xa8c")
    with Instance() as server:
        for name in bad:
            assert reply(server, b"EHLO " + name).startswith(b"501"), name
        for sender in (b"<a\rb@c.test>", b'<"a\rb"@c.test>', b'<"a\\\rb"@c.test>', b"<a\0b@c.test>",
                       b'<"a\x1b[2J"@c.test>'):
            answer = reply(server, b"EHLO c.test", b"MAIL FROM:" + sender)
            assert answer[:1] == b"5", (sender, answer)
        s = server.connect("imap")
        read_until(s, b"\r\n")
        ask(s, b'a ID ("name" "x\\" user=<root> peer=192.0.2.9" "x y" "z" "version" {3+}\r\n\x1b[m)', b"a OK")
        ask(s, b'b ID ("name" "again")', b"b OK")
        s.close()
        s = secure(server.connect("pop3s"))
        read_until(s, b"\r\n")
        ask(s, b"USER nobody\" peer=192.0.2.9 x\x1b[2J")
        ask(s, b"PASS x")
        s.close()
        inject(server, "s@elsewhere.test", ["alice"], "Subject: x\r\n\r\nbody\r\n")
        assert b"Forged" not in list(imap_bodies(server, "alice").values())[0]
        log = server.log()
        assert "\x1b" not in log
        line = re.search(r"client .*", log).group(0)
        assert line == 'client name="x\\x22 user=<root> peer=192.0.2.9" version="\\x1b[m"', line
        assert "again" not in log, "a client fills the log"
        assert 'user=<nobody" peer=192.0.2.9 x\\x1b[2J> peer=127.0.0.1' in log


def test_names_that_try_to_leave_their_folder():
    names = (b'".."', b'"../x"', b'"a/../../x"', b'"/x"', b'"x//y"', b'"x/"', b'"."', b'"a/./b"', b"{2+}\r\na\0",
             b'"a\\\\..\\\\b"', b'"&AC8-x"', b'"&AAA-"', b'"&AC4ALg-"', b"{3+}\r\n\xff\xfe\xfd", b'"~"', b'"~root/x"',
             b'"cur"', b'"new"', b'"tmp"', b'"%"', b'"*"', b'"x&"', b"{300+}\r\n" + b"x" * 300,
             b'"%s"' % b"/".join([b"x"] * 40), b'"INBOX/.."', b'"dovecot-uidlist"', b'".Sent"')
    with Instance() as server:
        s = logged_in(server)
        for name in names:
            for command in (b"CREATE %s", b"SELECT %s", b"SUBSCRIBE %s", b"RENAME Sent %s", b"RENAME %s Sent",
                            b"UNSELECT", b"STATUS %s (MESSAGES)", b"APPEND %s {3+}\r\nabc", b"UNSUBSCRIBE %s", b"DELETE %s"):
                s.sendall(b"t " + command.replace(b"%s", name) + b"\r\n")
                answer = read_until(s, b"t ")
                assert re.search(rb"^t (OK|NO|BAD) ", answer, re.M), (command, name, answer)
                ask(s, b"u RENAME Moved Sent", b"u ")
        assert ask(s, b"v LIST \"\" *", b"v OK")
        s.close()
        root = os.path.join(server.root, "data", "mail")
        allowed = {"example.test", ".spool"}
        assert set(os.listdir(root)) <= allowed, os.listdir(root)
        assert set(os.listdir(os.path.join(root, "example.test"))) <= {"alice", "bob"}
        home = os.path.join(root, "example.test", "alice")
        assert os.listdir(home) == ["Maildir"], os.listdir(home)


def test_users_with_strange_names_stay_in_the_store():
    with Instance() as server:
        for name in ("../../etc", "..", ".", "a/b", ".hidden", "a\nb", "", "x" * 65, "-x", "a%2Fb", "a\\b", "alice@example.test@x"):
            server.run_mailctl("user", "add", "--force", "--password-stdin", "--", name + "@example.test", stdin="secret\n", check=False)
        for user in server.mailctl_json("user", "list"):
            if "login" in user:
                inject(server, "s@elsewhere.test", [user["login"]], "Subject: x\r\n\r\nx\r\n")
        root = os.path.join(server.root, "data", "mail")
        assert set(os.listdir(root)) <= {"example.test", ".spool"}, os.listdir(root)
        for name in os.listdir(os.path.join(root, "example.test")):
            assert not name.startswith(".") and os.path.isdir(os.path.join(root, "example.test", name, "Maildir")), name
        for name in ("../x", "a/b.test", "", ".", "x..y", "[127.0.0.1]", "a b"):
            assert server.run_mailctl("domain", "add", "--", name, check=False).returncode != 0, name
