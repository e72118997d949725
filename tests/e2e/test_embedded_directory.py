"""Users, groups and passwords of the embedded directory, as operators keep them and as users meet them."""

import imaplib
import poplib
import re

from support.instance import Instance

LONG = "a long enough password"


def fails(server, *arguments, stdin=None):
    result = server.run_mailctl(*arguments, check=False, stdin=stdin)
    assert result.returncode in (1, 4), result
    return result.stderr


def add(server, login, *options, password=LONG):
    server.mailctl("user", "add", login, "--password-stdin", *options, stdin=password + "\n")


def can_log_in(server, login, password):
    with imaplib.IMAP4_SSL("127.0.0.1", server.port("imaps"), ssl_context=server.tls_context(), timeout=60) as box:
        try:
            box.login(login, password)
            return True
        except imaplib.IMAP4.error:
            return False


def test_attributes_of_users():
    with Instance() as server:
        add(server, "carol", "--name", "Carol C.", "--forward", "c@far.test", "--forward", "d@far.test", "--no-copy",
            "--protocols", "imap,smtp")
        user = server.mailctl_json("user", "show", "carol@example.test")
        assert user["name"] == "Carol C." and user["forwards"] == ["c@far.test", "d@far.test"], user
        assert user["protocols"] == "smtp imap" and not user["keep_copy"], user
        server.mailctl("user", "set", "carol@example.test", "--no-forward", "--protocols", "all", "--disable")
        user = server.mailctl_json("user", "show", "carol@example.test")
        assert user["forwards"] == [] and user["disabled"] and user["no_login"] == "disabled", user
        server.mailctl("user", "set", "carol", "--enable", "--name", "C.")
        shown = server.mailctl("user", "show", "carol")
        assert re.search(r"name +C\.\nstate +active", shown), shown
        assert "contradict" in server.run_mailctl("user", "set", "carol", "--disable", "--enable", check=False).stderr
        assert "itself" in fails(server, "user", "set", "carol", "--forward", "carol@example.test")
        assert "protocol" in fails(server, "user", "set", "carol", "--protocols", "gopher")
        assert "no user" in fails(server, "user", "set", "nobody@example.test", "--name", "x")
        assert 'directory: user set name=carol by=' in server.log()


def test_groups():
    with Instance() as server:
        server.mailctl("group", "add", "staff@example.test", "alice@example.test", "x@far.test", "--name", "Staff")
        server.mailctl("group", "add", "all@example.test", "staff@example.test", "bob@example.test", "--members-only")
        assert server.mailctl_json("group", "show", "all@example.test")["members"] == [
            "alice@example.test", "bob@example.test", "x@far.test"]
        listed = {g["address"]: g for g in server.mailctl_json("group", "list")}
        assert listed["all@example.test"]["members"] == ["bob@example.test", "staff@example.test"], listed
        assert listed["all@example.test"]["members_only"], listed
        assert server.mailctl_json("user", "show", "alice")["groups"] == ["all@example.test", "staff@example.test"]
        server.mailctl("group", "member", "delete", "staff@example.test", "x@far.test")
        server.mailctl("group", "member", "add", "staff@example.test", "y@far.test", "z@far.test")
        server.mailctl("group", "set", "all@example.test", "--public", "--disable")
        assert "disabled" in server.mailctl("group", "show", "all@example.test")
        assert "exists" in fails(server, "group", "add", "alice@example.test")
        assert "already" in fails(server, "group", "member", "add", "staff@example.test", "y@far.test")
        server.mailctl("group", "delete", "all@example.test", "--yes")
        assert "no group" in fails(server, "group", "show", "all@example.test")
        assert "directory: group member add name=staff@example.test by=" in server.log()


def test_policy_of_passwords():
    with Instance() as server:
        assert "shorter than 8" in fails(server, "user", "add", "carol", "--password-stdin", stdin="Seven77\n")
        add(server, "carol", "--force", password="short")
        assert can_log_in(server, "carol@example.test", "short")
        with open(server.root + "/bad", "w") as bad:
            bad.write("password1\nletmein99\n")
        server.add_config("password_policy {\n    bad_list = bad\n    history = 2\n}")
        server.mailctl("reload")
        assert "bad" in fails(server, "user", "passwd", "carol", "--password-stdin", stdin="LetMeIn99\n")
        assert "name" in fails(server, "user", "passwd", "carol", "--password-stdin", stdin="Carol123\n")
        server.mailctl("user", "passwd", "carol", "--password-stdin", stdin=LONG + "\n")
        assert "before" in fails(server, "user", "password", "carol", "--password-stdin", stdin=LONG + "\n")
        assert can_log_in(server, "carol@example.test", LONG)


def test_old_passwords_end():
    with Instance() as server:
        assert can_log_in(server, "alice", "secret")
        server.add_config("password_policy {\n    max_age = 1ms\n}")
        server.mailctl("reload")
        assert not can_log_in(server, "alice", "secret")
        assert "reason=password_expired" in server.log()
        assert "password_expired" in server.mailctl("user", "show", "alice")


def test_application_passwords():
    with Instance() as server:
        secret = server.mailctl("user", "app-password", "add", "alice", "phone", "--protocols", "imap").strip()
        assert re.fullmatch(r"([a-z]{4}-){5}[a-z]{4}", secret), secret
        elsewhere = server.mailctl_json("user", "app-password", "add", "alice", "office", "--network", "192.0.2.0/24",
                                        "--expires", "90d")["password"]
        assert can_log_in(server, "alice@example.test", secret)
        assert can_log_in(server, "alice", secret.replace("-", ""))
        assert not can_log_in(server, "bob", secret)
        assert not can_log_in(server, "alice", elsewhere)
        assert "reason=app_password_network" in server.log()
        box = poplib.POP3_SSL("127.0.0.1", server.port("pop3s"), context=server.tls_context(), timeout=60)
        box.user("alice")
        try:
            box.pass_(secret)
            raise AssertionError("a password for IMAP was good for POP3")
        except poplib.error_proto:
            pass
        box.close()
        assert "reason=app_password_protocol" in server.log()
        assert can_log_in(server, "alice", "secret")
        listed = {p["label"]: p for p in server.mailctl_json("user", "app-password", "list", "alice")}
        assert set(listed) == {"office", "phone"} and listed["office"]["last_used"] == 0, listed
        assert listed["office"]["networks"] == "192.0.2.0/24" and listed["office"]["expires"] > 0, listed
        assert secret not in server.log() and secret.replace("-", "") not in server.log()
        server.mailctl("user", "app-password", "delete", "alice", "phone")
        assert not can_log_in(server, "alice", secret)
        assert "no application password" in fails(server, "user", "app-password", "delete", "alice", "phone")
