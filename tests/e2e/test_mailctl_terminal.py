"""mailctl with and without a person at a terminal: questions, colours, errors as JSON, the exit status."""

import json
import os
import re
import signal
import subprocess

from support import wait_for
from support.instance import Instance, build_dir
from support.mail import imap, submit
from support.terminal import on_terminal

TEXT = "Subject: x\r\n\r\nbody\r\n"


def commands():
    text = subprocess.run([os.path.join(build_dir(), "mailctl"), "--help", "--json"], capture_output=True, check=True).stdout
    return json.loads(text)["commands"]


def logins(server):
    return {u["login"] for u in server.mailctl_json("user", "list")}


def messages(server):
    return sum(m["messages"] for m in server.mailctl_json("mailbox", "status", "alice"))


class Cases:
    """For each command that asks: what is there to lose, the command's words, and how much of it is there."""

    def __init__(self, server):
        self.server = server
        self.open_sessions = []

    def user_delete(self):
        self.server.mailctl("user", "add", "carol", "--force", "--password-stdin", stdin="secret\n")
        return ["carol"], lambda: len(logins(self.server) & {"carol@example.test"})

    def group_delete(self):
        self.server.mailctl("group", "add", "g@example.test", "bob@example.test")
        return ["g@example.test"], lambda: len(self.server.mailctl_json("group", "list"))

    def domain_delete(self):
        self.server.mailctl("domain", "add", "old.test")
        self.server.mailctl("address", "add", "a@old.test", "bob@example.test")
        return ["old.test", "--force"], lambda: self.server.mailctl("address", "list").count("old.test")

    def queue_delete(self):
        self.server.mailctl("queue", "pause")
        submit(self.server, "alice", ["x@far.test"], TEXT)
        [message] = self.server.mailctl_json("queue", "list")
        return [message["id"]], lambda: len(self.server.mailctl_json("queue", "list"))

    def mailbox_delete(self):
        self.server.mailctl("mailbox", "create", "alice", "Old")
        return ["alice", "Old"], lambda: self.server.mailctl("mailbox", "list", "alice").count("Old")

    def mailbox_purge(self):
        submit(self.server, "alice", ["alice@example.test"], TEXT)
        self.server.mailctl("expunge", "alice", "all", "--yes")
        return ["alice"], lambda: len(self.server.mailctl_json("mailbox", "undelete", "alice", "--list"))

    def expunge(self):
        submit(self.server, "alice", ["alice@example.test"], TEXT)
        return ["alice", "all"], lambda: messages(self.server)

    def kick(self):
        self.open_sessions = [imap(self.server, "alice"), imap(self.server, "alice")]
        return ["--user", "alice"], lambda: len(self.server.mailctl_json("who", "--user", "alice"))


def test_what_cannot_be_undone_asks_and_without_a_person_it_is_no():
    asking = [c["name"] for c in commands() if any(o["name"] == "--yes" for o in c["options"])]
    with Instance() as server:
        cases, untested = Cases(server), []
        for name in asking:
            prepare = getattr(cases, name.replace(" ", "_").replace("-", "_"), None)
            if not prepare:
                untested.append(name)
                continue
            words, count = prepare()
            words = [*name.split(), *words]
            before = count()
            assert before > 0, name
            result = server.run_mailctl(*words, check=False)
            assert result.returncode == 1 and "--yes" in result.stderr and result.stdout == "", (words, result)
            for answer in ("", "n", "no", "sure"):
                status, shown = on_terminal(server, *words, answer=answer + "\n" if not answer else answer)
                assert status == 1 and "[y/N]" in shown and "nothing was done" in shown, (words, answer, status, shown)
            assert count() == before, "%s did it without being told" % name
            status, shown = on_terminal(server, *words, answer="y")
            assert status == 0, (words, status, shown)
            wait_for(lambda: count() == 0, "%s did nothing" % name)
        assert not untested, "commands with --yes that this test does not know (add them to Cases): %s" % untested


def test_with_yes_nobody_is_asked():
    with Instance() as server:
        status, shown = on_terminal(server, "user", "delete", "bob", "--yes")
        assert status == 0 and "[y/N]" not in shown, shown
        assert logins(server) == {"alice@example.test"}


def test_colours_are_for_terminals():
    with Instance() as server:
        status, shown = on_terminal(server, "user", "list")
        assert status == 0 and "\033[1mlogin" in shown and "\033[0m" in shown, shown
        assert shown.splitlines()[1].startswith("alice@example.test  "), shown
        for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
            assert "\033" not in on_terminal(server, "user", "list", environment=environment)[1]
        assert "\033[1mlogin" in on_terminal(server, "user", "list", environment={"NO_COLOR": ""})[1]
        assert "\033" not in server.mailctl("user", "list")
        assert "\033" not in on_terminal(server, "user", "list", "--json")[1]


def test_who_waits_sees_that_it_goes_on():
    with Instance() as server:
        server.process.send_signal(signal.SIGSTOP)
        goes_on = lambda: server.process.send_signal(signal.SIGCONT)
        try:
            status, shown = on_terminal(server, "user", "list", until="waiting for maild, ", then=goes_on)
        finally:
            goes_on()
        assert status == 0 and "alice@example.test" in shown.rsplit("\033[K", 1)[1], shown


def complaint(result):
    """The object on standard error, which is all that there is."""
    assert result.stdout == "", result
    found = json.loads(result.stderr)
    assert set(found) == {"error", "kind"} and found["error"], found
    return found


def test_the_exit_status_says_what_kind_of_failure_it_was():
    server = Instance()
    for words, status, kind in ((["user", "list"], 3, "closed"), (["status"], 3, "closed"), ([], 3, "closed")):
        result = server.run_mailctl(*words, check=False)
        assert result.returncode == status and result.stderr.startswith("mailctl: "), (words, result)
        result = server.run_mailctl(*words, "--json", check=False)
        assert result.returncode == status and complaint(result)["kind"] == kind, (words, result)
    with server:
        for words, status, kind in ((["user", "show", "nobody"], 4, "missing"),
                                    (["queue", "show", "nosuch"], 4, "missing"),
                                    (["domain", "show", "nowhere.test"], 4, "missing"),
                                    (["import", "alice", "/nonexistent"], 4, "missing"),
                                    (["mailbox", "status", "alice", "nowhere"], 4, "missing"),
                                    (["user", "add", "alice", "--password-stdin", "--force"], 1, "exists"),
                                    (["user", "add"], 2, "usage"), (["nonsense"], 2, "usage"), (["user"], 2, "usage"),
                                    (["--nonsense", "user", "list"], 2, "usage"),
                                    (["user", "delete", "alice"], 1, "failed")):
            result = server.run_mailctl(*words, check=False, stdin="secret\n")
            assert result.returncode == status, (words, result)
            result = server.run_mailctl(*words, "--json", check=False, stdin="secret\n")
            assert result.returncode == status and complaint(result)["kind"] == kind, (words, result)


def test_lines_fit_into_80_columns():
    """But for what is to be copied whole: records, commands, and addresses of files."""
    with Instance() as server:
        submit(server, "alice", ["bob@example.test"], TEXT)
        screens = [["report"], ["report", "--hours", "30"], ["status"], ["who"], ["doctor", "--only", "server,ports,relay"], ["trace", "alice@example.test"],
                   ["doctor", "--list"]] + [c["name"].split() + ["--help"] for c in commands()]
        for words in screens:
            _, text = on_terminal(server, *words)
            plain = re.sub(r"\x1b\[[0-9;]*m", "", text).split("examples:")[0]
            wide = [line for line in plain.split("\n") if len(line) > 80 and "/tmp/" not in line and "mend: " not in line and not line.startswith("usage:")]
            assert not wide, (words, wide)


def test_what_is_not_there_yet():
    """What a newcomer reads first: which command makes it, and that nobody is there."""
    with Instance() as server:
        assert server.mailctl("who") == "nobody is connected\n"
        assert server.mailctl("who", "--user", "alice") == "nobody of that kind is connected\n"
        assert server.mailctl_json("who") == []
        missing = os.path.join(server.root, "none.conf")
        result = server.run_mailctl("--config", missing, "config", "check", config=False, check=False)
        assert result.returncode and "there is no configuration: %s; mailctl init makes one" % missing in result.stderr, result
