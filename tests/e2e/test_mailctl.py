"""mailctl and the server's own life: init, usage, rights, listeners and limits at a reload, the log."""

import json
import os
import pwd
import re
import shutil
import signal
import smtplib
import socket
import subprocess
import tempfile

from support import Skip, wait_for
from support.instance import Instance, build_dir, take_port_base


def mailctl(*arguments, **options):
    return subprocess.run([os.path.join(build_dir(), "mailctl"), *arguments], capture_output=True, text=True,
                          timeout=60, **options)


def test_usage_errors_have_their_own_status():
    for arguments in (["nonsense"], ["user"], ["user", "add"], ["who", "--password-stdin"], ["who", "--nonsense"],
                      ["init"], ["init", "--domain"], ["init", "--domain", "a.test", "--port-base", "70000"],
                      ["init", "--domain", "a.test", "--user", "x@b.test:secret"]):
        result = mailctl(*arguments)
        assert result.returncode == 2 and result.stderr, (arguments, result)
    for arguments in (["--help"], ["user", "--help"], ["init", "--help"], ["--version"]):
        result = mailctl(*arguments)
        assert result.returncode == 0 and result.stdout and not result.stderr, (arguments, result)


def test_init_makes_all_or_nothing():
    directory = tempfile.mkdtemp(prefix="maild-test-")
    try:
        root = directory + "/instance"
        bad = mailctl("init", "--root", root, "--domain", "a b", "--port-base", "30000", "--user", "alice:secret")
        assert bad.returncode == 1 and "a b" in bad.stderr and not os.path.exists(root), bad
        deep = directory + "/" + "d" * 100
        bad = mailctl("init", "--root", deep, "--domain", "a.test", "--port-base", "30000")
        assert bad.returncode == 1 and "socket" in bad.stderr and not os.path.exists(deep), bad
        made = mailctl("init", "--root", root, "--domain", "a.test", "--domain", "b.test", "--port-base", "30000",
                       "--user", "alice:secret", "--user", "bob@b.test:secret")
        assert made.returncode == 0 and "30587" in made.stdout, made
        assert mailctl("--root", root, "config", "check").returncode == 0
        assert os.stat(root + "/tls/key.pem").st_mode & 0o077 == 0
        assert os.stat(root + "/data").st_mode & 0o077 == 0
        before = open(root + "/maild.conf").read()
        again = mailctl("init", "--root", root, "--domain", "c.test", "--port-base", "31000")
        assert again.returncode == 1 and "exists already" in again.stderr, again
        assert open(root + "/maild.conf").read() == before
        os.unlink(root + "/maild.conf")
        again = mailctl("init", "--root", root, "--domain", "c.test", "--port-base", "31000")
        assert again.returncode == 1 and "directory.db" in again.stderr, again
    finally:
        shutil.rmtree(directory)


def test_init_lets_postmaster_and_abuse_lead_to_the_first_user():
    with Instance() as server:
        listed = server.mailctl_json("address", "list")
        assert {(a["address"], tuple(a["destinations"])) for a in listed} == {
            ("abuse@example.test", ("alice@example.test",)), ("postmaster@example.test", ("alice@example.test",))}


def test_a_mistake_in_the_file_does_not_lock_out_the_operator():
    with Instance() as server:
        server.add_config("nonsense = 1")
        assert "alice@example.test" in server.mailctl("user", "list")
        result = server.run_mailctl("reload", check=False)
        assert result.returncode == 1 and "nonsense" in result.stderr, result
        assert len(result.stderr.strip().splitlines()) == 1, result.stderr


def test_reload_adds_and_removes_listeners_and_says_what_needs_a_restart():
    with Instance() as server:
        new = take_port_base() + 25
        box = server.connect("imap")
        lines = box.makefile("rb")
        assert lines.readline().startswith(b"* OK")
        server.replace_config("127.0.0.1:%d\n" % server.port("pop3"), "127.0.0.1:%d\n" % new)
        server.replace_config("hostname = ", "core_dumps = yes\nhostname = ")
        assert server.mailctl("reload").endswith("a restart is needed for: core_dumps\n")
        with socket.create_connection(("127.0.0.1", new), timeout=10) as s:
            assert s.recv(3) == b"+OK"
        try:
            server.connect("pop3").close()
            raise AssertionError("the old port is still open")
        except ConnectionRefusedError:
            pass
        box.sendall(b"a NOOP\r\n")
        assert lines.readline().startswith(b"a OK")
        box.close()
        # A port that is taken: all stays as it is.
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            server.replace_config("127.0.0.1:%d\n" % new, "127.0.0.1:%d\n" % taken.getsockname()[1])
            result = server.run_mailctl("reload", check=False)
            assert result.returncode == 1 and "in use" in result.stderr, result
        with socket.create_connection(("127.0.0.1", new), timeout=10) as s:
            assert s.recv(3) == b"+OK"


def test_sighup_reloads_the_certificate():
    with Instance() as server:
        def certificate():
            with server.connect("imaps") as s:
                with server.tls_context().wrap_socket(s) as t:
                    return t.getpeercert(binary_form=True)
        before = certificate()
        other = server.directory + "/other"
        mailctl("init", "--root", other, "--domain", "example.test", "--port-base", "30000")
        for name in ("certificate.pem", "key.pem"):
            shutil.copy(other + "/tls/" + name, server.root + "/tls/" + name)
        server.process.send_signal(signal.SIGHUP)
        wait_for(lambda: certificate() != before, "the certificate is still the old one")


def test_limit_of_connections():
    server = Instance()
    server.replace_config("hostname =", "connections_max = 3\nhostname =")
    with server:
        def greeting(name):
            s = server.connect(name)
            return s, s.recv(200)
        wait_for(lambda: server.mailctl_json("status")["sessions"]["total"] == 0, "no session at the start")
        kept = [greeting(name)[0] for name in ("imap", "smtp", "pop3")]
        assert greeting("smtp")[1].startswith(b"421")
        assert greeting("imap")[1].startswith(b"* BYE")
        assert greeting("pop3")[1].startswith(b"-ERR")
        assert server.mailctl_json("status")["sessions"]["total"] == 3
        kept.pop().close()
        wait_for(lambda: len(server.mailctl_json("who")) == 2, "a closed session is still listed")
        assert greeting("pop3")[1].startswith(b"+OK")


def test_log_is_opened_anew():
    with Instance() as server:
        log = server.root + "/log/maild.log"
        wait_for(lambda: os.path.exists(log), "no log")
        os.rename(log, log + ".1")
        server.process.send_signal(signal.SIGUSR1)
        wait_for(lambda: os.path.exists(log), "no new log")


def test_rights_are_given_up_and_only_the_owner_may_ask():
    if os.geteuid() != 0:
        raise Skip("changing users needs root")
    directory = tempfile.mkdtemp(prefix="maild-test-")
    os.chmod(directory, 0o755)
    root = directory + "/instance"
    nobody = pwd.getpwnam("nobody")
    try:
        made = mailctl("init", "--root", root, "--domain", "a.test", "--port-base", str(take_port_base()),
                       "--user", "alice:secret", "--run-as", "nobody")
        assert made.returncode == 0, made
        assert mailctl("--root", root, "start").returncode == 0
        try:
            status = json.loads(mailctl("--root", root, "status", "--json").stdout)
            with open("/proc/%d/status" % status["pid"]) as f:
                fields = dict(line.split(":", 1) for line in f)
            assert fields["Uid"].split() == [str(nobody.pw_uid)] * 4, fields["Uid"]
            assert int(fields["CapEff"], 16) == 1 << 10, "only ports below 1024"
            os.chmod(root + "/maild.conf", 0o644)
            as_nobody = mailctl("--root", root, "user", "list", user="nobody")
            assert as_nobody.returncode == 0, as_nobody
            os.chmod(root + "/run/control.sock", 0o777)
            as_daemon = mailctl("--root", root, "user", "list", user="daemon")
            assert as_daemon.returncode == 5 and "only root" in as_daemon.stderr, as_daemon
        finally:
            assert mailctl("--root", root, "stop").returncode == 0
    finally:
        shutil.rmtree(directory)


def test_log_flush():
    with Instance() as server:
        path = os.path.join(server.root, "log", "maild.log")
        with smtplib.SMTP("127.0.0.1", server.port("smtp")) as smtp:
            for i in range(20):
                smtp.sendmail("a%d@remote.example" % i, "alice@example.test", "Subject: x\r\n\r\nx\r\n")
                server.mailctl("log", "flush")
                with open(path) as f:
                    assert "from=<a%d@remote.example>" % i in f.read()


# What there is none of is said in a sentence; a table without a row says nothing.
LISTS = {
    "user list other.test": "there are no users in other.test",
    "user app-password list alice@example.test": "there are no application passwords",
    "group list": "there are no groups",
    "group list other.test": "there are no groups in other.test",
    "domain list": None,  # a server without a domain is none
    "address list other.test": "there are no addresses in other.test",
    "address rule list": "there are no rules",
    "send-as list": "nothing is delegated",
    "send-as list alice@example.test": "nothing is delegated there",
    "mailbox list alice": None,  # nor is a user without a mailbox
    "mailbox acl list public Sales": "nobody has a right to it",
    "mailbox undelete alice@example.test --list": "nothing that could be brought back",
    "search alice@example.test ALL": "no message is like that",
    "fetch alice@example.test uid ALL": "no message is like that",
    "policy list": "there are no rules",
    "policy limits": "no rule counts anything",
    "policy greylist list": "the greylist knows nothing yet",
    "policy greylist list x": "the greylist knows nothing of it",
    "queue list": "the queue is empty",
    "queue list --sender x@y.test": "no message is like that",
    "route list": "there are no routes",
    "tls report": "no attempt is recorded",
    "rawlog list": "nobody is recorded",
    "auth penalties": "no failed logins are remembered",
    "cache show nobody@example.test": "nothing is remembered of nobody@example.test",
    "who": "nobody is connected",
    "who --user nobody": "nobody of that kind is connected",
}


def test_an_empty_list_is_a_sentence_and_in_json_an_empty_list():
    with Instance() as server:
        server.mailctl("domain", "add", "other.test")
        server.mailctl("mailbox", "create", "public", "Sales")
        for command, sentence in LISTS.items():
            if sentence is None:
                continue
            said = server.mailctl(*command.split())
            assert said == sentence + "\n", (command, said)
            # Of those that send one object the list is a member.
            listed = server.mailctl_json(*command.split())
            lists = [listed] if isinstance(listed, list) else [v for v in listed.values() if isinstance(v, list)]
            assert lists and not any(lists), (command, listed)


def test_every_list_of_mailctl_says_that_it_is_empty():
    names = re.findall(r"^ {4}([a-z-]+(?: [a-z-]+)*)", mailctl("--help").stdout, re.MULTILINE)
    lists = [name for name in names if name.endswith(" list")]
    assert len(lists) > 10, names
    for name in lists:
        assert any((tried + " ").startswith(name + " ") for tried in LISTS), name
