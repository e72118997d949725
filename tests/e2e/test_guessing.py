"""Guessing passwords over all protocols, and the access rules: what the client hears, what the log says, what an
operator sees and does. Addresses of the loopback network stand for those of the world."""

import concurrent.futures
import os
import re
import time

from support.examples import read_examples, run_example
from support.instance import Instance
from support.logins import PROTOCOLS, Login, attempt, is_success

WRONG = {"imap": "a NO [AUTHENTICATIONFAILED] Wrong user name or password",
         "pop3": "-ERR [AUTH] User name or password is wrong",
         "submission": "535 5.7.8 Authentication failed: user name or password is wrong"}

SETTINGS = """
auth {
    exempt_networks = 127.0.0.1
    failure_delay = 0
    failure_delay_max = 0
    failures_max = 100
    network_ipv4 = 24
%s}
"""


def guarded(settings="", more=""):
    server = Instance()
    server.add_config(SETTINGS % settings + more)
    return server.start()


def reasons(server, source):
    return re.findall(r'login failed service=\S+ user=<[^>]*> peer=%s mechanism=\S+ reason=(\S+)' % re.escape(source),
                      server.log())


def test_a_lock_out_looks_like_a_wrong_password():
    with guarded("    lockout_account = 4\n") as server:
        for i, protocol in enumerate(PROTOCOLS):
            source = "127.5.%d.1" % i
            for n in range(4):
                assert attempt(server, protocol, "alice", "guess%d" % n, source, plain=n % 2) == WRONG[protocol]
            # the right one now, from a neighbour as well, and with every name of hers
            assert attempt(server, protocol, "alice", "secret", source) == WRONG[protocol]
            assert attempt(server, protocol, "Alice@Example.test", "secret", source[:-1] + "7",
                           plain=True) == WRONG[protocol]
            assert reasons(server, source) == ["wrong_password"] * 4 + ["locked_out"], server.log()
            assert reasons(server, source[:-1] + "7") == ["locked_out"]
            # while other accounts, other networks and the exempt one go on
            assert is_success(attempt(server, protocol, "bob", "secret", source))
            assert is_success(attempt(server, protocol, "alice", "secret", "127.6.%d.1" % i))
            assert is_success(attempt(server, protocol, "alice", "secret"))


def test_an_account_that_does_not_exist_is_locked_out_as_well():
    with guarded("    lockout_account = 2\n") as server:
        for n in range(4):
            assert attempt(server, "imap", "nobody", "guess%d" % n, "127.5.1.1") == WRONG["imap"]
        assert reasons(server, "127.5.1.1") == ["unknown_user"] * 2 + ["locked_out"] * 2


def test_operators_see_it_and_end_it_at_once():
    with guarded("    lockout_account = 2\n    lockout_address = 3\n") as server:
        for user in ("alice", "alice", "carol"):
            attempt(server, "imap", user, "guess%f" % time.monotonic(), "127.5.1.1")
        shown = server.mailctl_json("auth", "penalties")
        lines = {(p["kind"], p["login"], p["network"]): p for p in shown["penalties"]}
        assert shown["total"] == len(lines) == 6, shown
        account = lines["account", "alice@example.test", "127.5.1.0/24"]
        assert account["failures"] == 2 and 800 < account["locked_for"] <= 900, account
        assert lines["address", "", "127.5.1.1"]["locked_for"] > 0
        assert lines["account_total", "alice@example.test", ""]["locked_for"] == 0
        text = server.mailctl("auth", "penalties")
        assert re.search(r"account +alice@example.test +127.5.1.0/24 +2 ", text), text
        assert attempt(server, "imap", "alice", "secret", "127.5.1.1") == WRONG["imap"]
        assert server.mailctl("auth", "unlock", "alice") == "2 forgotten\n"
        assert attempt(server, "imap", "alice", "secret", "127.5.1.1") == WRONG["imap"]  # the address still is
        assert server.mailctl("auth", "unlock", "127.5.1.1") == "3 forgotten\n"
        assert is_success(attempt(server, "imap", "alice", "secret", "127.5.1.1"))
        for n in range(2):
            attempt(server, "imap", "alice", "guess%d" % n, "127.5.2.1")
        assert attempt(server, "imap", "alice", "secret", "127.5.2.1") == WRONG["imap"]
        server.mailctl("auth", "unlock", "--all")
        assert server.mailctl_json("auth", "penalties") == {"total": 0, "penalties": []}
        assert is_success(attempt(server, "imap", "alice", "secret", "127.5.2.1"))
        assert server.run_mailctl("auth", "unlock", check=False).returncode == 2
        assert server.run_mailctl("auth", "unlock", "alice", "--all", check=False).returncode == 2


def test_an_old_password_counts_once():
    with guarded("    lockout_account = 3\n    lockout_address = 3\n") as server:
        with Login(server, "imap", "127.5.1.1") as login:
            for _ in range(20):
                assert login.try_password("alice", "last year's") == WRONG["imap"]
        assert reasons(server, "127.5.1.1") == ["wrong_password"] + ["wrong_password_again"] * 19
        assert is_success(attempt(server, "imap", "alice", "secret", "127.5.1.1"))


def test_who_is_known_in_a_network_is_not_locked_out_by_his_neighbours():
    with guarded("    lockout_address = 5\n") as server:
        assert is_success(attempt(server, "pop3", "alice", "secret", "127.5.1.1"))
        for n in range(5):
            attempt(server, "pop3", "user%d" % n, "guess", "127.5.1.1")
        assert attempt(server, "pop3", "bob", "secret", "127.5.1.1") == WRONG["pop3"]
        assert is_success(attempt(server, "pop3", "alice", "secret", "127.5.1.1"))


def test_guesses_at_once_over_many_connections():
    with guarded("    lockout_account = 5\n") as server:
        logins = [Login(server, PROTOCOLS[n % 3], "127.5.1.1") for n in range(40)]
        for n, login in enumerate(logins):
            login.begin("alice", "guess%d" % n)
        for login in logins:
            assert login.end() == WRONG[login.protocol]
            login.__exit__()
        assert sorted(reasons(server, "127.5.1.1")) == ["locked_out"] * 35 + ["wrong_password"] * 5


def test_answers_come_later_and_later():
    with guarded() as server:
        server.replace_config("failure_delay = 0", "failure_delay = 500ms")
        server.replace_config("failure_delay_max = 0", "failure_delay_max = 1500ms")
        assert server.mailctl("reload")
        with Login(server, "imap", "127.5.1.1") as login:
            for n in range(4):
                begin = time.monotonic()
                login.try_password("alice", "guess%d" % n)
                assert time.monotonic() - begin > min(0.5 * (n + 1), 1.5) - 0.1
        with Login(server, "imap") as login:  # exempt: always the first delay
            for n in range(2):
                begin = time.monotonic()
                login.try_password("alice", "guess%d" % n)
                assert time.monotonic() - begin > 0.4


def test_a_reload_changes_limits_and_keeps_counts():
    with guarded("    lockout_account = 100\n") as server:
        for n in range(3):
            attempt(server, "imap", "alice", "guess%d" % n, "127.5.1.1")
        server.replace_config("lockout_account = 100", "lockout_account = 4")
        assert server.mailctl("reload")
        attempt(server, "imap", "alice", "guess3", "127.5.1.1")
        assert attempt(server, "imap", "alice", "secret", "127.5.1.1") == WRONG["imap"]


def test_a_lock_out_outlives_a_restart():
    with guarded("    lockout_account = 3\n    lockout_address = 6\n") as server:
        assert is_success(attempt(server, "imap", "bob", "secret", "127.5.1.1"))
        for n in range(3):
            attempt(server, "imap", "alice", "guess%d" % n, "127.5.1.1")
        server.restart()
        assert attempt(server, "imap", "alice", "secret", "127.5.1.1") == WRONG["imap"]
        for n in range(3):
            attempt(server, "imap", "user%d" % n, "guess", "127.5.1.1")
        assert attempt(server, "imap", "carol", "guess", "127.5.1.1") == WRONG["imap"]
        assert reasons(server, "127.5.1.1")[-1] == "locked_out"
        assert is_success(attempt(server, "imap", "bob", "secret", "127.5.1.1"))  # known there since before
        with open(os.path.join(server.root, "data", "penalties"), "wb") as f:
            f.write(b"garbage")
        server.kill()
        server.start()
        assert "failures of logins damaged" in server.log()
        assert is_success(attempt(server, "imap", "alice", "secret", "127.5.1.1"))


def test_examples_of_the_documentation():
    with Instance() as server:
        with open(server.config_path) as f:
            base = f.read()
        titles = set()
        for example in read_examples("authentication.md"):
            if example.title.startswith(("Access rules", "Guessing")):
                titles.add(example.title)
                run_example(server, base, example)
        assert len(titles) == 2, titles
        # the defaults are what the documentation says
        example = [e for e in read_examples("authentication.md") if e.title.startswith("Guessing")][0]
        effective = server.mailctl("config", "show")
        for name, value in re.findall(r"^ +(\w+) += ([^#\n]+?) *(?:#.*)?$", example.config, re.M):
            shown = re.findall(r"^ +%s = (.*)$" % name, effective, re.M)[0].split("#")[0].replace(",", "").strip()
            assert shown == value.replace(",", ""), (name, value, shown)


# --- access rules ---

REFUSED = {"imap": "a NO [AUTHORIZATIONFAILED] This account may not %s",
           "pop3": "-ERR [AUTH] This account may not %s",
           "submission": "535 5.7.1 This account may not %s"}
NAMES = {"imap": "IMAP", "pop3": "POP3", "submission": "SMTP"}
WORDS = {"imap": "imap", "pop3": "pop3", "submission": "smtp"}


def test_access_by_protocol():
    for protocol in PROTOCOLS:
        others = ", ".join(WORDS[p] for p in PROTOCOLS if p != protocol)
        rule = "access some {\n    users = alice@example.test\n    protocols = %s\n}\n" % others
        with guarded(more=rule) as server:
            for plain in (False, True):
                assert attempt(server, protocol, "alice", "secret", "127.5.1.1", plain) == \
                    REFUSED[protocol] % ("use " + NAMES[protocol])
                assert attempt(server, protocol, "alice", "wrong", "127.5.1.1", plain) == WRONG[protocol]
            assert reasons(server, "127.5.1.1")[0] == "protocol"
            assert is_success(attempt(server, protocol, "bob", "secret", "127.5.1.1"))
            for other in PROTOCOLS:
                if other != protocol:
                    assert is_success(attempt(server, other, "alice", "secret", "127.5.1.1"))
            # a right password is no guess
            kinds = {p["kind"]: p["failures"] for p in server.mailctl_json("auth", "penalties")["penalties"]}
            assert kinds.get("account", 0) <= 1, kinds


def test_access_by_network():
    rule = ("access home { users = @example.test, !bob@example.test; networks = 127.5.0.0/16, !127.5.9.0/24 }\n"
            "access boss { users = boss@example.test }\n")
    with guarded(more=rule) as server:
        for protocol in PROTOCOLS:
            refused = REFUSED[protocol] % "log in from your network"
            assert is_success(attempt(server, protocol, "alice", "secret", "127.5.1.1"))
            assert attempt(server, protocol, "alice", "secret", "127.5.9.1") == refused
            assert attempt(server, protocol, "alice", "secret", "127.6.1.1") == refused
            assert attempt(server, protocol, "alice", "wrong", "127.6.1.1") == WRONG[protocol]
            assert is_success(attempt(server, protocol, "bob", "secret", "127.6.1.1"))
        assert reasons(server, "127.5.9.1") == ["network"] * 3
        # a reload changes it for whoever comes from then on
        server.replace_config(", !127.5.9.0/24", "")
        server.mailctl("reload")
        assert is_success(attempt(server, "imap", "alice", "secret", "127.5.9.1"))


def test_access_by_group():
    rule = ("access staff@example.test { networks = 127.5.0.0/16 }\n"
            "access guests@example.test { protocols = imap }\n")
    with guarded(more=rule) as server:
        server.mailctl("group", "add", "inner@example.test", "alice@example.test")
        server.mailctl("group", "add", "staff@example.test", "inner@example.test")
        for protocol in PROTOCOLS:
            assert is_success(attempt(server, protocol, "alice", "secret", "127.5.1.1"))
            assert attempt(server, protocol, "alice", "secret", "127.6.1.1") == \
                REFUSED[protocol] % "log in from your network"
            assert is_success(attempt(server, protocol, "bob", "secret", "127.6.1.1"))
        server.mailctl("group", "add", "guests@example.test", "bob@example.test")
        assert is_success(attempt(server, "imap", "bob", "secret", "127.6.1.1"))
        assert attempt(server, "pop3", "bob", "secret", "127.6.1.1") == REFUSED["pop3"] % "use POP3"
        server.mailctl("group", "member", "delete", "inner@example.test", "alice@example.test")
        assert is_success(attempt(server, "imap", "alice", "secret", "127.6.1.1"))


def test_protocols_of_an_account():
    with guarded() as server:
        server.mailctl("user", "set", "alice", "--protocols", "imap smtp")
        assert is_success(attempt(server, "imap", "alice", "secret"))
        assert is_success(attempt(server, "submission", "alice", "secret"))
        assert attempt(server, "pop3", "alice", "secret") == REFUSED["pop3"] % "use POP3"
        assert attempt(server, "pop3", "alice", "wrong") == WRONG["pop3"]


def test_mistakes_in_rules_are_told():
    with Instance() as server:
        server.add_config("access a { networks = 10.0.0.1/8 }")
        said = server.run_mailctl("config", "check", check=False)
        assert said.returncode == 1 and "access a" in said.stderr and "10.0.0.1/8" in said.stderr, said.stderr


def test_connections_of_some_users():
    rule = "access few { users = alice@example.test; connections = 3 }\n"
    with guarded(more=rule) as server:
        logins = []
        for n in range(6):
            logins.append(Login(server, "imap", "127.5.%d.1" % (n // 3)))
            assert is_success(logins[-1].try_password("alice", "secret"))
        sessions = [s for s in server.mailctl_json("who") if s["login"] == "alice@example.test"]
        assert len(sessions) == 3, sessions
        for _ in range(4):
            logins.append(Login(server, "imap", "127.5.0.1"))
            assert is_success(logins[-1].try_password("bob", "secret"))
        assert len([s for s in server.mailctl_json("who") if s["login"] == "bob@example.test"]) == 4
        for login in logins:
            login.__exit__()


def test_a_flood_of_failures():
    """A thousand guesses over two hundred connections cost no fiber each for long, and users come through."""
    with guarded("    lockout_address = 20\n") as server:
        def flood(n):
            with Login(server, PROTOCOLS[n % 3], "127.7.%d.1" % n) as login:
                for i in range(10):
                    login.try_password("alice", "guess %d %d" % (n, i))
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            pending = [pool.submit(flood, n) for n in range(100)]
            assert is_success(attempt(server, "imap", "bob", "secret", "127.5.1.1"))
            for p in pending:
                p.result()
        assert "locked out account_total=" in server.log()
        assert attempt(server, "imap", "alice", "secret", "127.8.1.1") == WRONG["imap"]
        assert is_success(attempt(server, "imap", "alice", "secret"))
