"""What a process that was taken over could do: of the program as it is delivered, which a sanitizer's build is not."""

import os

from support import Skip
from support.instance import Instance
from support.mail import imap_bodies, inject


def of_process(server, name):
    with open("/proc/%d/%s" % (server.process.pid, name)) as f:
        return f.read()


def status(server):
    return dict(line.split(":\t", 1) for line in of_process(server, "status").splitlines() if ":\t" in line)


def test_no_new_rights_no_programs_no_core_dumps():
    with Instance() as server:
        inject(server, "far@away.test", ["bob@example.test"], "Subject: x\r\n\r\nbody\r\n")
        assert len(imap_bodies(server, "bob")) == 1
        now = status(server)
        assert now["NoNewPrivs"] == "1", now
        if "calls=confined" not in server.log():
            raise Skip("no seccomp here")
        assert now["Seccomp"] == "2", now
        for task in os.listdir("/proc/%d/task" % server.process.pid):
            text = of_process(server, "task/%s/status" % task)
            assert "Seccomp:\t2\n" in text, "a thread is outside of it:\n" + text
        core = next(line for line in of_process(server, "limits").splitlines() if line.startswith("Max core file size"))
        assert core.split()[4:6] == ["0", "0"], core


def test_core_dumps_for_the_asking():
    server = Instance()
    server.replace_config("hostname =", "core_dumps = yes\nhostname =")
    with server:
        core = next(line for line in of_process(server, "limits").splitlines() if line.startswith("Max core file size"))
        assert core.split()[5] != "0", core
