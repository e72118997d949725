"""mailctl log show: the last lines, chosen, and those that come."""

import json
import os
import re
import signal
import subprocess
import threading

from support.instance import Instance, build_dir
from support.mail import inject

TEXT = "Subject: x\r\n\r\nx\r\n"


def line(n, level="info", component="queue", id="25x0aaaaaaaa%d", minute=10):
    return "2026-11-21T08:%02d:00.%03dZ %s %s[%s]: line=%d to=<A@b>\n" % (minute, n % 1000, level, component, id % (n % 10) if "%" in id else id, n)


def write(path, text, mode="w"):
    with open(path, mode) as f:
        f.write(text)


class Follower:
    """mailctl log show --follow, and what it printed."""

    def __init__(self, server, *arguments):
        self.process = subprocess.Popen([os.path.join(build_dir(), "mailctl"), "--config", server.config_path, *arguments[:-1], "log", "show",
                                         "--follow", *arguments[-1]], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.guard = threading.Timer(60, self.process.kill)  # then a line that does not come is an end
        self.guard.start()

    def numbers(self, *expected):
        """The next lines are these, and no others are between."""
        for n in expected:
            found = self.process.stdout.readline()
            assert "line=%d " % n in found, (n, found)
        return found

    def end(self):
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)
        out, err = self.process.communicate(timeout=30)
        self.guard.cancel()
        assert self.process.returncode == 0 and not err and not out, (self.process.returncode, out, err)


def stopped_server():
    server = Instance()
    log = os.path.join(server.root, "log", "maild.log")
    os.makedirs(os.path.dirname(log), exist_ok=True)
    return server, log


def numbers(text):
    return [int(n) for n in re.findall(r"line=(\d+) ", text)]


def test_the_last_lines_and_the_choice_of_them():
    server, log = stopped_server()
    try:
        assert server.run_mailctl("log", "show", check=False).returncode == 4
        write(log, "")
        assert server.mailctl("log", "show") == ""
        write(log, "".join(line(n, ("info", "warning", "error", "debug")[n % 4], ("queue", "smtpd")[n % 2], minute=n // 1000) for n in range(5000)))
        for arguments, expected in (
                ([], range(4980, 5000)), (["--lines", "3"], range(4997, 5000)), (["--lines", "0"], []), (["--lines", "4999"], range(1, 5000)),
                (["--lines", "9999"], range(5000)), (["--level", "warning", "--lines", "3"], [4994, 4997, 4998]),
                (["--level", "error", "--lines", "2"], [4994, 4998]), (["--component", "smtpd", "--lines", "2"], [4997, 4999]),
                (["LINE=7 TO=<a@B>"], [7]), (["line=7 ", "--level", "error"], []), (["--component", "queu"], []),
                (["--since", "2026-11-21T08:04", "--lines", "1"], [4999]), (["--since", "1min"], [])):
            os.environ["TZ"] = "UTC"
            assert numbers(server.mailctl("log", "show", *arguments)) == list(expected), arguments
        assert numbers(server.mailctl("log", "show", "--since", "2026-11-21T08:04")) == list(range(4000, 5000))

        write(log, "no line \x1b[1m\xff of ours\n" + line(1) + "no end", "w")
        shown = server.mailctl("log", "show")
        assert shown.startswith("no line ?[1m") and "\x1b" not in shown and shown.endswith("line=1 to=<A@b>\n"), shown
        lines = server.mailctl_json("log", "show")["lines"]
        assert lines[0]["text"].startswith("no line ?[1m") and "level" not in lines[0], lines
        assert lines[1] == {"time": 1795248600.001, "level": "info", "component": "queue", "id": "25x0aaaaaaaa1", "text": "line=1 to=<A@b>"}, lines
        assert server.mailctl_json("log", "show", "nothing has this") == {"lines": []}
        for wrong in (["--lines", "x"], ["--level", "bad"], ["--since", "soon"], ["a", "b"]):
            assert server.run_mailctl("log", "show", *wrong, check=False).returncode == 2, wrong
        server.replace_config("log = log/maild.log", "log_to = stderr")
        result = server.run_mailctl("log", "show", check=False)
        assert result.returncode == 4 and "journalctl" in result.stderr, result
    finally:
        server.close()


def test_following_over_rotation_and_truncation():
    server, log = stopped_server()
    try:
        write(log, "".join(line(n) for n in range(30)))
        f = Follower(server, ["--lines", "2"])
        f.numbers(28, 29)
        write(log, line(30) + line(31)[:20], "a")
        f.numbers(30)
        write(log, line(31)[20:], "a")
        f.numbers(31)

        os.rename(log, log + ".1")
        write(log + ".1", line(32), "a")  # until it is told, the server goes on with the old file
        f.numbers(32)
        write(log, "")
        write(log + ".1", line(33), "a")
        f.numbers(33)
        write(log + ".1", line(34), "a")
        write(log, line(35), "a")
        f.numbers(34, 35)

        write(log, "")  # copied and cut off
        write(log, line(6), "a")
        f.numbers(6)
        os.unlink(log)
        write(log, line(7), "a")
        f.numbers(7)
        f.end()
    finally:
        server.close()


def test_following_makes_the_same_choice():
    server, log = stopped_server()
    try:
        f = Follower(server, ["--level", "warning", "--component", "imap", "a@B"])  # there is no log yet
        write(log, line(1, "info", "imap") + line(2, "warning", "imap"))
        f.numbers(2)
        write(log, line(3, "error", "pop3") + line(4, "error", "imap").replace("A@b", "c@d") + line(5, "error", "imap"), "a")
        f.numbers(5)
        f.end()
        f = Follower(server, "--json", ["--lines", "1"])
        f.numbers(5)
        write(log, line(6, "error", "imap"), "a")
        found = json.loads(f.numbers(6))
        assert found["level"] == "error" and found["component"] == "imap" and found["text"].startswith("line=6 "), found
        f.end()
    finally:
        server.close()


def test_following_a_server():
    with Instance() as server:
        inject(server, "s@elsewhere.test", ["alice"], TEXT)
        server.logged("delivery to=")
        f = Follower(server, ["--lines", "1", "--component", "queue"])
        assert "delivery to=<alice@example.test>" in f.process.stdout.readline()
        log = os.path.join(server.root, "log", "maild.log")
        os.rename(log, log + ".1")
        server.process.send_signal(signal.SIGUSR1)
        server.logged("log opened anew")
        inject(server, "s@elsewhere.test", ["bob"], TEXT)
        assert "delivery to=<bob@example.test>" in f.process.stdout.readline()
        f.end()
