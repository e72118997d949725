"""The filter for fail2ban, tried by its own program on the log of real failed logins."""

import os
import shutil
import subprocess

from support import Skip
from support.instance import ROOT, Instance
from support.logins import PROTOCOLS, attempt, is_success

FILTER = os.path.join(ROOT, "conf", "fail2ban", "filter.d", "maild.conf")
JAIL = os.path.join(ROOT, "conf", "fail2ban", "jail.d", "maild.conf")
SETTINGS = """
auth {
    exempt_networks = 127.0.0.1
    failure_delay = 0
    failure_delay_max = 0
    lockout_account = 3
}
access nobody {
    users = bob@example.test
    protocols = none
}
"""
FORGERIES = (  # user names that would ban somebody else, or hide who tries
    'x" peer=192.0.2.9 mechanism=PLAIN reason=wrong_password',
    'x\n2026-01-01T00:00:00.000Z info auth[x]: login failed service=imap user=<> peer=192.0.2.9 mechanism=PLAIN '
    'reason=wrong_password',
    "x\\", '"', "", " ", "peer=192.0.2.9", "\xff\xfe", "a" * 5000, "<HOST>192.0.2.9", "\u2028x", "x\r")


def regex(log, *options):
    if not shutil.which("fail2ban-regex"):
        raise Skip("needs fail2ban (scripts/install-dependencies --peers)")
    done = subprocess.run(["fail2ban-regex", *options, log, FILTER], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def addresses(log):
    return regex(log, "-o", "ip").split()


def test_failed_logins_of_all_protocols_are_found():
    if not shutil.which("fail2ban-regex"):
        raise Skip("needs fail2ban (scripts/install-dependencies --peers)")
    with Instance() as server:
        server.add_config(SETTINGS)
        server.restart()
        expected = []
        for i, protocol in enumerate(PROTOCOLS):
            for plain in (False, True):
                source = "127.5.%d.%d" % (i, plain + 1)
                attempt(server, protocol, "alice", "guess %d" % plain, source, plain)
                attempt(server, protocol, "nobody", "guess", source, plain)
                expected += [source, source]
            for n in range(3):  # the second one is locked out
                attempt(server, protocol, "alice", "more %d" % n, "127.5.%d.9" % i)
                expected.append("127.5.%d.9" % i)
        # none of these is a guess: right passwords, one that is refused, one that is repeated
        for protocol in PROTOCOLS:
            assert is_success(attempt(server, protocol, "alice", "secret", "127.6.1.1"))
            assert not is_success(attempt(server, protocol, "bob", "secret", "127.6.1.1"))
        for n in range(3):
            attempt(server, "imap", "alice", "old", "127.6.2.1")
        expected.append("127.6.2.1")
        text = server.log()
        assert "reason=locked_out" in text and "reason=protocol" in text and "reason=wrong_password_again" in text
        log = os.path.join(server.root, "log", "maild.log")
        assert sorted(addresses(log)) == sorted(expected), text
        assert "%d matched" % len(expected) in regex(log), regex(log)


def test_nobody_forges_a_line():
    if not shutil.which("fail2ban-regex"):
        raise Skip("needs fail2ban (scripts/install-dependencies --peers)")
    with Instance() as server:
        server.add_config(SETTINGS)
        server.restart()
        for i, protocol in enumerate(PROTOCOLS):
            for name in FORGERIES:
                name = name.encode("utf-8", "surrogatepass")
                if protocol == "imap" or b"\n" not in name and b"\r" not in name and name.strip():
                    attempt(server, protocol, name, "guess", "127.5.%d.1" % i)
                attempt(server, protocol, name, "guess", "127.5.%d.1" % i, plain=True)
        text = server.log()
        found = addresses(os.path.join(server.root, "log", "maild.log"))
        assert set(found) == {"127.5.%d.1" % i for i in range(3)}, set(found)
        failed = [line for line in text.split("\n") if " login failed " in line]
        guesses = [line for line in failed if line.endswith(("=unknown_user", "=locked_out", "=wrong_password"))]
        assert len(found) == len(guesses) > len(FORGERIES), (len(found), len(guesses))


def test_lines_from_the_journal_are_found():
    line = ('info auth[25wz5mkgx2t4j]: login failed service=pop3 user=<user0> peer=2001:db8::1 mechanism=password '
            "reason=unknown_user")
    for text in ("2026-11-22T02:05:18.838Z " + line,
                 "2026-11-22T02:05:18+0000 mail maild[812]: 2026-11-22T02:05:18.838Z " + line,
                 "2026-11-22T02:05:18+0000 mail maild[812]: " + line, "Nov 22 02:05:18 mail maild[812]: " + line):
        assert regex(text, "-o", "ip").split() == ["2001:db8::1"], text


def test_the_jail_is_read_by_fail2ban():
    if not shutil.which("fail2ban-client"):
        raise Skip("needs fail2ban (scripts/install-dependencies --peers)")
    with Instance() as server:
        folder = os.path.join(server.directory, "fail2ban")
        shutil.copytree("/etc/fail2ban", folder)
        shutil.copy(FILTER, os.path.join(folder, "filter.d", "maild.conf"))
        log = os.path.join(server.directory, "maild.log")
        open(log, "w").close()
        with open(JAIL) as jail, open(os.path.join(folder, "jail.d", "maild.conf"), "w") as f:
            f.write(jail.read().replace("/var/log/maild/maild.log", log))
        with open(os.path.join(folder, "jail.d", "defaults-debian.conf"), "w") as f:
            f.write("[sshd]\nenabled = false\n")
        done = subprocess.run(["fail2ban-client", "-c", folder, "--dp"], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and "'maild'" in done.stdout, done.stdout + done.stderr
