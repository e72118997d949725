"""Completion: what fits at the end of a command line, and real shells that ask for it."""

import json
import os
import pty
import re
import select
import shutil
import subprocess
import time

from support import Skip
from support.instance import Instance, build_dir


def words(server, *line):
    """The options of mailctl stand in front, since all behind -- is the line to complete."""
    found = json.loads(server.run_mailctl("--json", "completion", "words", "--", *line).stdout)
    return [w["word"] for w in found["words"]] + (["<files>"] if found["files"] else [])


def test_what_the_tables_and_the_server_know():
    with Instance() as server:
        server.mailctl("domain", "add", "example.net")
        server.mailctl("group", "add", "all@example.test", "bob@example.test")
        server.mailctl("mailbox", "create", "alice@example.test", "Lists/dev", "Two Words")
        server.mailctl("user", "app-password", "add", "alice@example.test", "phone")
        users = ["alice@example.test", "bob@example.test"]
        for line, expected in (
                (["use"], ["user"]), (["user", "d"], ["delete", "disable"]), (["user", "show", ""], users),
                (["user", "show", "b"], users[1:]), (["--json", "user", "show", "a"], users[:1]),
                (["user", "app-password", "delete", "alice@example.test", "p"], ["phone"]),
                (["domain", "show", ""], ["example.net", "example.test"]),
                (["address", "list", "example.n"], ["example.net"]),
                (["mailbox", "status", "alice@example.test", "L"], ["Lists", "Lists/dev"]),
                (["mailbox", "status", "alice@example.test", "Two"], ["Two Words"]),
                (["mailbox", "status", "--all", "x"], []),
                (["copy", "alice@example.test", "Lists/"], ["Lists/dev"]),
                (["group", "show", "all"], ["all@example.test"]),
                (["queue", "top", "--by", "rou"], ["route"]), (["queue", "list", "--sta"], ["--state"]),
                (["queue", "list", "--login", "al"], users[:1]),
                (["directory", "export", "--format", ""], ["csv", "ldif", "json"]),
                (["import", "alice@example.test", ""], ["<files>"]), (["backup", "alice@example.test", "--since", ""], ["<files>"]),
                (["config", "show", ""], []), (["nonsense", ""], []), (["user", "show", "alice@example.test", ""], []),
                (["completion", ""], ["bash", "zsh", "words"])):
            found = words(server, *line)
            assert sorted(found) == sorted(expected), (line, found)


def test_without_a_server_there_is_what_the_tables_say_and_no_complaint():
    server = Instance()
    for line, expected in ((["user", "show", ""], []), (["user", "sh"], ["show"])):
        result = server.run_mailctl("completion", "words", "--", *line)
        assert [w.split("\t")[0] for w in result.stdout.splitlines()] == expected and result.stderr == "", result


def test_a_server_that_does_not_answer_does_not_hold_the_shell():
    server = Instance()
    with server:
        server.process.send_signal(19)  # SIGSTOP
        try:
            begun = time.monotonic()
            assert words(server, "user", "show", "") == []
            assert time.monotonic() - begun < 20  # half a second of it is patience
        finally:
            server.process.send_signal(18)


class Shell:
    """An interactive shell on a terminal."""

    def __init__(self, command, environment):
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment,
                                        start_new_session=True, close_fds=True)
        os.close(slave)
        self.shown = ""

    def type(self, keys, until):
        """Types and waits until that is on the screen; all that was shown for it."""
        os.write(self.master, keys.encode())
        shown, end = "", time.monotonic() + 60
        while until not in re.sub(".\b", "", re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown)):  # as it looks
            assert time.monotonic() < end, "no %r after %r: %r" % (until, keys, shown)
            if select.select([self.master], [], [], 1)[0]:
                shown += os.read(self.master, 65536).decode(errors="replace")
        return shown

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.master)


def complete_in(server, command, setup):
    environment = dict(server.environment, MAILD_CONFIG=server.config_path, TERM="xterm", PS1="ready> ",
                       PATH=build_dir() + ":" + os.environ["PATH"], HOME=server.directory)
    shell = Shell(command, environment)
    try:
        shell.type("PS1='ready'; PS1=\"$PS1> \"\n", "ready> ")
        for line in setup:
            shell.type(line + "; echo $((40 + 2))\n", "42")
        shell.type("mailctl user sh\tal", "show al")
        shell.type("\t", "ice@example.test")
        assert "active" in shell.type("\n", "ready> ")
        shell.type("mailctl mailbox stat", "stat")
        shell.type("\t", "us ")
        shell.type("alice Two", "Two")
        shell.type("\t", "Words")
        assert "uidvalidity" in shell.type("\n", "ready> ")
        # Behind an at sign bash begins a new word.
        shell.type("mailctl user show bob@ex", "@ex")
        shell.type("\t", "ample.test")
        assert "bob@example.test" in shell.type("\n", "active")
    finally:
        shell.close()


def test_bash():
    if not shutil.which("bash"):
        raise Skip("bash is not installed")
    with Instance() as server:
        server.mailctl("mailbox", "create", "alice", "Two Words")
        complete_in(server, ["bash", "--norc", "--noprofile", "-i"],
                    ["bind 'set enable-bracketed-paste off'", "source <(mailctl completion bash)"])


def test_zsh():
    if not shutil.which("zsh"):
        raise Skip("zsh is not installed")
    with Instance() as server:
        server.mailctl("mailbox", "create", "alice", "Two Words")
        complete_in(server, ["zsh", "-f", "-i"],
                    ["autoload -U compinit && compinit -u -D", "source <(mailctl completion zsh)"])
