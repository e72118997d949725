"""mailctl upgrade: a new process in the place of the running one, and no caller is refused."""

import os
import shutil
import subprocess
import time

from support.instance import Instance, build_dir
from support.mail import imap, imap_bodies, inject
from support.service_manager import Caller

TEXT = "Subject: x\r\n\r\nbody\r\n"


def gone(pid, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.01)
    return False


def test_no_caller_is_refused():
    server = Instance()
    caller = None
    try:
        server.start()
        old = server.process
        inject(server, "far@away.test", ["bob@example.test"], TEXT)
        session = imap(server, "bob")
        caller = Caller(server)
        said = server.mailctl("upgrade")
        assert old.wait(timeout=60) == 0, server.log()
        new = server.mailctl_json("status")["pid"]
        assert new != old.pid and str(new) in said, said
        server.process = None
        inject(server, "far@away.test", ["bob@example.test"], TEXT)
        greeted, refused = caller.result()
        caller = None
        assert refused == [] and greeted > 2, (greeted, refused)
        with server.connect("lmtp") as s:
            assert s.recv(4).startswith(b"220")
        assert len(imap_bodies(server, "bob")) == 2
        assert "sockets handed over count=" in server.log()
        session.shutdown()
        server.mailctl("stop")
        assert gone(new)
    finally:
        if caller:
            caller.result()
        server.close()


def test_what_cannot_start_ends_nothing():
    """The old server goes only for one that will serve in its place."""
    with Instance() as server:
        old = server.mailctl_json("status")["pid"]
        with open(server.config_path) as f:
            good = f.read()
        server.replace_config("certificate = ", "certificate = missing-")
        result = server.run_mailctl("upgrade", check=False)
        assert result.returncode != 0 and "missing-" in result.stderr, result
        with open(server.config_path, "w") as f:
            f.write(good)

        folder = os.path.join(server.directory, "programs")
        os.mkdir(folder)
        mailctl = shutil.copy(os.path.join(build_dir(), "mailctl"), folder)
        with open(os.path.join(folder, "maild"), "w") as f:
            f.write("#!/bin/sh\necho maild: error while loading shared libraries >&2\nexit 127\n")
        os.chmod(f.name, 0o755)
        result = subprocess.run([mailctl, "--config", server.config_path, "upgrade"], capture_output=True, text=True)
        assert result.returncode != 0 and "shared libraries" in result.stderr, result
        assert "mailctl: the program cannot be run: %s --version fails" % f.name in result.stderr, result
        assert server.mailctl_json("status")["pid"] == old
        assert imap(server, "bob").noop()[0] == "OK"


def test_without_a_place_for_its_errors_nothing_ends():
    with Instance() as server:
        old = server.mailctl_json("status")["pid"]
        in_the_way = os.path.join(server.root, "run", "maild.stderr")
        os.makedirs(os.path.join(in_the_way, "x"))
        result = server.run_mailctl("upgrade", check=False)
        assert result.returncode == 1 and "maild.stderr" in result.stderr, result
        assert server.mailctl_json("status")["pid"] == old
        shutil.rmtree(in_the_way)


def test_with_few_descriptors():
    """mailctl needs one for each socket that it takes over: as many as it may have, not as it has at first; and no
    more than those."""
    server = Instance()
    try:
        server.mailctl("start")
        for limit in ("-Sn 10", "-n 100"):
            old = server.mailctl_json("status")["pid"]
            command = "ulimit %s; exec %s --config %s upgrade" % (limit, os.path.join(build_dir(), "mailctl"), server.config_path)
            result = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60)
            assert result.returncode == 0, result
            assert server.mailctl_json("status")["pid"] != old
        server.mailctl("stop")
    finally:
        server.close()


def test_twice_in_a_row_under_mail():
    server = Instance()
    try:
        server.mailctl("start")
        sent = 0
        for _ in range(2):
            for _ in range(5):
                inject(server, "far@away.test", ["bob@example.test", "alice@example.test"], TEXT)
                sent += 1
            server.mailctl("upgrade")
        assert len(imap_bodies(server, "bob")) == len(imap_bodies(server, "alice")) == sent
        server.mailctl("stop")
    finally:
        server.close()


def test_links_in_the_folder_of_the_server_are_not_followed():
    """It belongs to the user that the server runs as, and mailctl runs as root."""
    server = Instance()
    other = os.path.join(server.directory, "other")
    with open(other, "w") as f:
        f.write("of root")
    place = os.path.join(server.root, "run", "maild.stderr")
    try:
        for way in (os.symlink, os.link):
            os.makedirs(os.path.dirname(place), exist_ok=True)
            if os.path.lexists(place):
                os.unlink(place)
            way(other, place)
            server.mailctl("start")
            assert open(other).read() == "of root" and not os.path.samefile(place, other)
            server.mailctl("stop")
    finally:
        server.close()


def test_a_wrong_configuration_changes_nothing():
    with Instance() as server:
        with open(server.config_path) as f:
            text = f.read()
        server.add_config("nonsense = yes")
        result = server.run_mailctl("upgrade", check=False)
        assert result.returncode == 1 and "nonsense" in result.stderr, result
        with open(server.config_path, "w") as f:
            f.write(text)
        inject(server, "far@away.test", ["bob@example.test"], TEXT)
        assert server.process.poll() is None


def test_nobody_there():
    server = Instance()
    result = server.run_mailctl("upgrade", check=False)
    assert result.returncode == 3 and "does not run" in result.stderr, result
    server.close()
