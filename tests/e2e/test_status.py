"""How the server is: on one screen, over time, as warnings, for programs that watch it."""

import json
import os
import pty
import re
import select
import shutil
import subprocess
import tempfile

from support import wait_for
from support.authority import Authority
from support.dns import DnsServer
from support.instance import Instance, build_dir
from support.mail import inject, submit

TEXT = "Subject: x\r\n\r\nbody\r\n"


def status(server):
    return server.mailctl_json("status")


def warnings(server, kind=None):
    return [w for w in status(server)["warnings"] if kind in (None, w["kind"])]


def on_terminal(server, *arguments, rows=24, columns=80):
    """What mailctl writes to a terminal of this size, as lines."""
    master, slave = pty.openpty()
    subprocess.run(["stty", "-F", os.ttyname(slave), "rows", str(rows), "cols", str(columns), "-onlcr"], check=True)
    environment = dict(server.environment, TERM="xterm", LC_ALL="C.UTF-8", NO_COLOR="")
    process = subprocess.Popen([os.path.join(build_dir(), "mailctl"), "--config", server.config_path, *arguments],
                               stdin=slave, stdout=slave, stderr=slave, env=environment)
    os.close(slave)
    text = b""
    while True:
        select.select([master], [], [])
        try:
            piece = os.read(master, 65536)
        except OSError:
            break
        if not piece:
            break
        text += piece
    os.close(master)
    assert process.wait(timeout=60) == 0, text
    return text.decode().replace("\r\n", "\n").splitlines()


def plain(line):
    return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", line)


def check(server, *arguments):
    """(exit status, first line, measurements, further lines)"""
    result = server.run_mailctl("check", *arguments, check=False)
    lines = result.stdout.splitlines()
    text, _, numbers = lines[0].partition(" |") if lines else ("", "", "")
    found = {}
    for number in numbers.split():
        match = re.fullmatch(r"([a-z_]+)=(-?\d+)(|%|c)((?:;(?:\d+:?)?){0,4})", number)
        assert match, number
        found[match[1]] = int(match[2])
    return result.returncode, text, found, lines[1:]


def test_one_screen():
    with Instance() as server:
        inject(server, "far@away.test", ["alice@example.test", "bob@example.test"], TEXT)
        lines = on_terminal(server)
        assert len(lines) <= 24 and all(len(plain(line)) <= 80 for line in lines), lines
        assert any("\x1b[" in line for line in lines)
        text = "\n".join(plain(line) for line in lines)
        for wanted in ("all is well", "submissions %d" % server.port("submissions"), "0 messages", "embedded good",
                       "mail.example.test", "days left, self-signed", " free (", "\u2588 1/min", "\u2588 2/min"):
            assert wanted in text, (wanted, text)
        assert "\x1b" not in server.mailctl()
        wait_for(lambda: server.mailctl() == server.mailctl("status"), "mailctl alone is not mailctl status")  # within a second
        assert "\n\nlistener " in server.mailctl("status", "--long")


def test_minutes_are_counted_and_outlive_a_restart():
    with Instance() as server:
        inject(server, "far@away.test", ["alice@example.test", "bob@example.test"], TEXT)
        server.run_mailctl("auth", "test", "alice", "--password-stdin", stdin="secret\n")
        minutes = status(server)["minutes"]
        assert {len(column) for column in minutes.values()} == {60}
        assert sum(n or 0 for n in minutes["accepted"][-2:]) == 1 and sum(n or 0 for n in minutes["delivered"]) == 2, minutes
        assert minutes["accepted"][0] is None, minutes
        assert status(server)["per_minute"]["accepted"] == 1
        server.restart()
        minutes = status(server)["minutes"]
        assert sum(n or 0 for n in minutes["accepted"]) == 1, minutes


def test_sessions_are_told_by_protocol():
    with Instance() as server:
        open_ones = [server.connect(name) for name in ("imap", "imap", "pop3", "smtp")]
        for s in open_ones:
            assert s.recv(10)
        sessions = status(server)["sessions"]
        assert sessions == {"total": 4, "imap": 2, "pop3": 1, "smtpd": 1}, sessions
        for s in open_ones:
            s.close()
        wait_for(lambda: status(server)["sessions"] == {"total": 0}, "sessions that ended are told")


def test_certificates_that_expire():
    directory = tempfile.mkdtemp(prefix="maild-test-")
    try:
        authority = Authority(directory + "/ca")
        with Instance() as server:
            def take(days, age=0):
                made = authority.issue("mail.example.test", "192.0.2.1", days=days, age=age)
                shutil.copy(made.base + ".pem", server.root + "/tls/certificate.pem")
                shutil.copy(made.base + ".key", server.root + "/tls/key.pem")
                server.mailctl("reload")
            take(100)
            (certificate,) = status(server)["certificates"]
            assert certificate["names"] == ["mail.example.test", "192.0.2.1"], certificate
            assert certificate["issuer"] == "Authority of tests" and not certificate["self_signed"]
            assert certificate["days_left"] in (99, 100) and not warnings(server)
            take(5, age=360)
            (warning,) = warnings(server)
            assert warning["kind"] == "certificate" and warning["level"] == "warning", warning
            assert check(server)[0] == 1 and check(server, "--certificate", "2,1")[0] == 0
            assert check(server, "--certificate", "off")[0] == 1  # the server's own warning counts
            # Those of a short life are renewed late in it: what is left counts by that.
            for days, age, verdict in ((5, 1, 0), (2, 4, 0), (1, 5, 1), (0.4, 5.6, 2), (30, 60, 0), (15, 75, 0), (13, 77, 1),
                                       (2, 88, 2), (2, 1000, 2)):
                take(days, age=age)
                assert check(server)[0] == verdict, (days, age, check(server))
                assert [w["level"] for w in warnings(server)] == (["warning"] if verdict else []), (days, age)
                if days == 2:
                    assert check(server, "--certificate", "14,1")[0] == 1 and check(server, "--certificate", "1,0")[0] == 0
            take(-1)
            (warning,) = warnings(server)
            assert warning["level"] == "critical" and "expired" in warning["text"], warning
            assert "EXPIRED" in server.mailctl() and check(server)[0] == 2
    finally:
        shutil.rmtree(directory)


def test_warnings_are_data():
    with Instance() as server:
        server.mailctl("queue", "pause", "away.test")
        (warning,) = warnings(server)
        assert warning["kind"] == "paused" and warning["level"] == "warning", warning
        assert "away.test" in warning["text"] and "mailctl queue resume" in warning["text"]
        assert warning["text"] in server.mailctl() and warning["text"] in server.mailctl("status", "--long")
        assert "1 warning" in server.mailctl().splitlines()[0]
        for i in range(20):
            server.mailctl("queue", "pause", "d%d.test" % i)
        lines = on_terminal(server)
        assert "more: mailctl status --long" in plain(lines[-1]) and len(lines) <= 30, lines
        assert server.mailctl().count("attention") == 21
        server.mailctl("queue", "resume")
        assert not warnings(server)


def test_documented_kinds():
    """docs/statistics.md and the table of the source know the same kinds of warnings, and the same options of check."""
    root = os.path.join(os.path.dirname(__file__), "..", "..")
    with open(os.path.join(root, "docs", "statistics.md")) as f:
        page = f.read()
    with open(os.path.join(root, "src", "ctl", "ctl_warnings.c")) as f:
        kinds = set(re.findall(r'\{"([a-z-]+)", find_', f.read()))
    section = page.split("## What needs attention")[1].split("## Checks")[0]
    documented = set(re.findall(r"`([a-z-]+)`", "".join(re.findall(r"^\| (`.*?) \|", section, re.M))))
    assert kinds == documented, kinds ^ documented
    with open(os.path.join(root, "src", "mailctl", "check.c")) as f:
        options = {o: text or "by the lifetime" for o, text in re.findall(r'\{"(--[a-z]+)", (?:"([0-9,a-z]+)"|NULL)', f.read())}
    rows = re.findall(r"^\| (`--.*?) \| .* \| (.*?) \|$", page, re.M)
    assert options == {o: text for names, text in rows for o in re.findall(r"`(--[a-z]+)`", names)}, (options, rows)


def test_check_is_a_plugin():
    server = Instance()
    try:
        with server:
            code, text, numbers, more = check(server)
            assert code == 0 and text.startswith("MAILD OK - ") and not more, (code, text, more)
            assert {"queue", "disk_free", "inodes_free", "certificate_days", "connections", "accepted", "logins",
                    "sessions"} <= set(numbers), numbers
            assert numbers["queue"] == 0 and 0 <= numbers["disk_free"] <= 100
            inject(server, "far@away.test", ["alice@example.test"], TEXT)
            assert check(server)[2]["accepted"] == 1
            for thresholds, expected in (("0,", 1), (",0", 2), ("0,0", 2), ("1,2", 0), ("off", 0)):
                assert check(server, "--queue", thresholds)[0] == expected, thresholds
            assert check(server, "--disk", "101,")[0] == 1 and check(server, "--certificate", ",99999")[0] == 2
            server.mailctl("queue", "pause")
            code, text, _, more = check(server, "--queue", ",0")
            assert code == 2 and "0 messages wait" in text and "1 more" in text and "paused" in more[0], (text, more)
            assert check(server)[0] == 1 and check(server, "--ignore", "paused")[0] == 0
            result = json.loads(server.run_mailctl("check", "--json", check=False).stdout)
            assert result["verdict"] == "WARNING" and "paused" in result["problems"][0], result
            for wrong in (["--queue", "1"], ["--queue", "a,b"], ["--nonsense"], ["--timeout", "0"], ["word"]):
                assert server.run_mailctl("check", *wrong, check=False).returncode == 3, wrong
            server.stop()
            code, text, numbers, _ = check(server)
            assert code == 2 and text.startswith("MAILD CRITICAL - maild does not run") and not numbers
            server.start()
    finally:
        server.close()


def test_stats_shows_what_happens():
    with Instance() as server:
        process = subprocess.Popen([os.path.join(build_dir(), "mailctl"), "--config", server.config_path, "stats", "--json",
                                    "--interval", "0.2"], stdout=subprocess.PIPE, text=True)
        try:
            first = json.loads(process.stdout.readline())
            assert first["accepted"] == 0 and first["sessions"] == 0 and first["queue"] == 0, first
            s = server.connect("imap")
            inject(server, "far@away.test", ["alice@example.test", "bob@example.test"], TEXT)
            seen = []
            while not seen or seen[-1]["accepted"] == 0:
                seen.append(json.loads(process.stdout.readline()))
            assert seen[-1]["delivered_local"] > seen[-1]["accepted"] or seen[-1]["delivered_local"] == 0
            assert seen[-1]["sessions"] >= 1 and seen[-1]["kilobytes_in"] > 0
            s.close()
        finally:
            process.terminate()
            process.wait()
            process.stdout.close()
        lines = server.mailctl("stats", "--interval", "0.1", "--count", "2").splitlines()
        assert len(lines) == 3 and lines[0].split()[:3] == ["time", "accept", "local"], lines
        painted = on_terminal(server, "stats", "--interval", "0.1", "--count", "2")
        assert all(len(plain(line)) <= 80 for line in painted), painted
        assert sum(plain(line).startswith("time ") for line in painted) == 2, painted
        for wrong in (["--interval", "0"], ["--interval", "x"], ["--count", "-1"]):
            assert server.run_mailctl("stats", *wrong, check=False).returncode == 2, wrong


def test_dns_that_is_silent():
    """One name without an answer is no matter, many in a row are; an answer ends it."""
    dns = DnsServer({("d%d.test" % i, "SERVFAIL"): [] for i in range(6)})
    server = Instance()
    server.add_config("dns {\n    server = 127.0.0.1@%d\n}\n" % dns.port)

    def told():
        return [w["text"] for w in status(server)["warnings"] if w["kind"] == "dns"]
    try:
        with server:
            submit(server, "alice", "x@d0.test", TEXT)
            server.logged("(DNS cannot answer for d0.test: the server failed (SERVFAIL)")
            assert not told()
            for i in range(1, 6):
                submit(server, "alice", "x@d%d.test" % i, TEXT)
            text = wait_for(told, "there is no warning of DNS")[0]
            assert "none of the last" in text and "SERVFAIL" in text and "mailctl doctor --only resolver" in text, text
            submit(server, "alice", "x@nowhere.test", TEXT)
            wait_for(lambda: not told(), "the warning stays")
    finally:
        dns.close()
