"""What mailctl tells of the directory: look-ups, the cache, and what a login comes to."""

import json
import os
import pty
import smtplib
import subprocess

from support.instance import Instance, build_dir


def lookup(server, name):
    result = server.mailctl_json("directory", "lookup", name)
    return {question["question"]: question for question in result["questions"]}


def auth_test(server, user, password, *options):
    result = server.run_mailctl("auth", "test", user, "--password-stdin", "--json", *options, check=False,
                                stdin=password + "\n")
    assert "secret" not in result.stdout + result.stderr
    return json.loads(result.stdout)


def test_lookups_tell_who_was_asked_and_what_is_remembered():
    with Instance() as server:
        found = lookup(server, "Alice")
        assert found["login"]["account"]["login"] == "alice@example.test", found
        assert found["login"]["steps"][0]["source"] == "embedded"
        assert found["login"]["steps"][0]["microseconds"] > 0
        assert found["account"]["result"] == "found" and found["account"]["cache"] is None
        assert found["address"]["result"] == "not found"
        found = lookup(server, "POSTMASTER@example.test")
        assert found["address"]["address"]["destinations"] == ["alice@example.test"], found
        assert found["domain"]["domain"]["kind"] == "local"
        # Looking leaves nothing behind; mail does.
        assert server.mailctl_json("cache", "show", "postmaster@example.test")["entries"] == []
        with smtplib.SMTP("127.0.0.1", server.port("smtp"), timeout=60) as smtp:
            smtp.sendmail("a@far.test", ["alice@example.test"], "Subject: x\r\n\r\nx\r\n")
        cached = lookup(server, "alice@example.test")["account"]["cache"]
        assert cached["result"] == "found" and cached["source"] == "embedded" and cached["left"] > 0, cached
        nobody = server.run_mailctl("directory", "lookup", "nobody@example.test", check=False)
        assert nobody.returncode == 4 and "nobody knows" in nobody.stderr, nobody
        text = server.mailctl("directory", "lookup", "alice@example.test")
        assert "source       embedded: found" in text and "home         example.test/alice" in text, text


def test_the_cache_is_shown_and_forgets():
    with Instance() as server:
        with smtplib.SMTP("127.0.0.1", server.port("smtp"), timeout=60) as smtp:
            smtp.sendmail("a@far.test", ["alice@example.test", "bob@example.test"], "Subject: x\r\n\r\nx\r\n")
        text = server.mailctl("cache", "show")
        assert "alice@example.test" in text and "bob@example.test" in text, text
        assert "alice@example.test" in server.mailctl("cache", "show", "Alice@example.test")
        assert not server.mailctl("cache", "flush", "ALICE@example.test").startswith("forgot 0")
        assert "nothing is remembered" in server.mailctl("cache", "show", "alice@example.test")
        assert "bob@example.test" in server.mailctl("cache", "show", "bob@example.test")
        server.mailctl("cache", "flush")
        shown = server.mailctl_json("cache", "show")
        assert shown["entries"] == [] and shown["cache"]["bytes"] == 0 and shown["cache"]["misses"] > 0, shown
        status = server.mailctl_json("status")["directory"]
        assert status["sources"][0]["name"] == "embedded" and status["sources"][0]["asked"] > 0, status
        assert "directory.db" in server.mailctl("directory", "show")


def test_a_login_is_told_step_by_step_and_counts_for_nothing():
    with Instance() as server:
        right = auth_test(server, "Alice", "secret")
        assert right["result"] == "ok" and right["login"] == "alice@example.test", right
        steps = {step["step"]: step for step in right["steps"]}
        assert set(steps) == {"form", "login", "guessing", "password", "account", "access"}, right
        assert steps["login"]["lookup"]["account"]["login"] == "alice@example.test"
        for _ in range(15):
            wrong = auth_test(server, "alice", "wrong", "--address", "192.0.2.1")
            assert wrong["result"] == "refused" and wrong["reason"] == "wrong_password", wrong
        assert "alice" not in server.mailctl("auth", "penalties")
        assert "login failed" not in server.log()
        nobody = auth_test(server, "nobody", "secret")
        assert nobody["reason"] == "unknown_user", nobody
        server.mailctl("user", "disable", "bob")
        disabled = auth_test(server, "bob", "secret", "--protocol", "smtp")
        assert disabled["reason"] == "disabled", disabled
        assert {s["step"]: s["result"] for s in disabled["steps"]}["password"] == "ok", disabled
        for option in (("--protocol", "gopher"), ("--address", "nowhere")):
            bad = server.run_mailctl("auth", "test", "alice", "--password-stdin", *option, check=False, stdin="x\n")
            assert bad.returncode == 1 and option[1] in bad.stderr, bad


def test_a_password_is_asked_for_without_an_echo():
    with Instance() as server:
        control, terminal = pty.openpty()
        program = subprocess.Popen([os.path.join(build_dir(), "mailctl"), "--config", server.config_path, "auth", "test",
                                    "alice"], stdin=terminal, stdout=subprocess.PIPE, stderr=terminal, text=True)
        seen = b""
        while b"Password of alice:" not in seen:
            seen += os.read(control, 1000)
        os.write(control, b"secret\n")
        output, _ = program.communicate(timeout=60)
        os.close(terminal)
        try:
            while chunk := os.read(control, 1000):
                seen += chunk
        except OSError:
            pass
        assert program.returncode == 0 and "logged in as alice@example.test" in output, output
        assert b"secret" not in seen, seen


def test_a_source_that_is_not_there_is_an_error_at_the_start():
    with Instance() as server:
        server.add_config("directory {\n    sources = embedded nowhere\n}")
        server.stop()
        started = subprocess.run([os.path.join(build_dir(), "maild"), "--config", server.config_path],
                                 capture_output=True, text=True, timeout=60)
        assert started.returncode == 1 and "nowhere" in started.stderr, started
