"""Who is connected, with filters and numbers; sending away; limits."""

import os
import pty
import subprocess

from support.instance import Instance, build_dir
from support.mail import imap


def ids(server, *filters):
    return {s["id"] for s in server.mailctl_json("who", *filters)}


def is_over(box):
    try:
        return box.noop()[0] != "OK"
    except (box.abort, OSError):
        return True


def on_a_terminal(server, answer, *arguments):
    """mailctl with a terminal in front of it: exit status and what it wrote there."""
    main, other = pty.openpty()
    process = subprocess.Popen([os.path.join(build_dir(), "mailctl"), "--config", server.config_path, *arguments], stdin=other,
                               stdout=subprocess.PIPE, stderr=other)
    os.close(other)
    os.write(main, answer)
    said = process.communicate(timeout=60)[0]
    os.close(main)
    return process.returncode, said.decode()


def test_who_with_filters_and_numbers():
    with Instance() as server:
        alice, bob, other = imap(server, "alice"), imap(server, "bob"), imap(server, "bob")
        smtp = server.connect("smtp")
        smtp.recv(1000)
        everybody = server.mailctl_json("who")
        assert len(everybody) == 4 and {s["component"] for s in everybody} == {"imap", "smtpd"}, everybody
        alices, bobs = ids(server, "--user", "alice"), ids(server, "--user", "bob@example.test")
        assert len(alices) == 1 and len(bobs) == 2
        assert ids(server, "--user", "@example.test") == alices | bobs
        assert ids(server, "--user", "-") == ids(server, "--protocol", "smtp") == ids(server) - alices - bobs
        assert ids(server, "--protocol", "imap", "--peer", "127.0.0.0/8") == alices | bobs
        assert not ids(server, "--peer", "192.0.2.1") and not ids(server, "--idle", "1h")
        assert ids(server, "--idle", "0s") == ids(server)
        counted = {line["name"]: line["sessions"] for line in server.mailctl_json("who", "--count", "user")}
        assert counted == {"alice@example.test": 1, "bob@example.test": 2, "": 1}, counted
        assert server.mailctl("who", "--count", "protocol").split() == ["sessions", "protocol", "3", "imap", "1", "smtpd"]
        for wrong in (["--idle", "long"], ["--count", "weather"], ["--peer", "nowhere"]):
            assert server.run_mailctl("who", *wrong, check=False).returncode != 0, wrong
        limits = {limit["name"]: limit for limit in server.mailctl_json("limits")}
        assert limits["connections_max"]["present"] == 4, limits
        assert limits["connections_per_login"]["most"][0] == {"name": "imap bob@example.test", "present": 2}, limits
        assert limits["control socket"]["present"] >= 1 and limits["ulimit -n"]["present"] > 10, limits
        assert "connections_per_login_and_address" in server.mailctl("limits")
        for box in (alice, bob, other):
            box.logout()
        smtp.close()


def test_kick():
    with Instance() as server:
        alice, bob, other = imap(server, "alice"), imap(server, "bob"), imap(server, "bob")
        none = server.run_mailctl("kick", "--user", "carol", "--yes", check=False)
        assert none.returncode == 4 and "no such session" in none.stderr, none.stderr
        assert server.run_mailctl("kick", check=False).returncode == 2
        assert server.run_mailctl("kick", "X", "--user", "bob", check=False).returncode == 2
        assert server.run_mailctl("kick", "NOSUCHID", check=False).returncode == 4
        # Of one nobody is asked, of two somebody must be.
        asked = server.run_mailctl("kick", "--user", "bob", check=False)
        assert asked.returncode == 1 and "--yes" in asked.stderr, asked.stderr
        assert not is_over(bob) and not is_over(other)
        assert on_a_terminal(server, b"n\n", "kick", "--user", "bob")[0] == 1
        assert not is_over(bob)
        status, said = on_a_terminal(server, b"y\n", "kick", "--user", "bob", "--protocol", "imap")
        assert status == 0 and "2 sessions" in said, (status, said)
        assert is_over(bob) and is_over(other) and not is_over(alice)
        one = ids(server, "--user", "alice").pop()
        assert server.mailctl_json("kick", one) == {"sessions": 1}
        assert is_over(alice)
        assert "kick service=imap" in server.log() and "by=root" in server.log()
