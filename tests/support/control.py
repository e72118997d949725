"""Unix users at the control socket: as their mailctl, and as somebody who speaks to it himself."""

import json
import os
import pwd
import shutil
import socket
import subprocess

from . import Skip
from .instance import Instance, build_dir

DOMAIN = "control_users_domain = example.test\n"
NOBODYS_GROUP = 'admin_group = "no-such-group"\n'


class Machine(Instance):
    """An instance that other Unix users can get to."""

    def __init__(self, config=DOMAIN, users=("games", "news")):
        if os.geteuid() != 0:
            raise Skip("only root can act as other users")
        super().__init__(users=users)
        self.program = shutil.copy(os.path.join(build_dir(), "mailctl"), self.directory)
        os.chmod(self.directory, 0o711)
        os.chmod(self.root, 0o711)
        with open(self.config_path) as f:
            text = f.read()
        with open(self.config_path, "w") as f:  # settings of the top come before the blocks
            f.write((config if "admin_group" in config else config + NOBODYS_GROUP) + text)

    @property
    def socket_path(self):
        return os.path.join(self.root, "run", "control.sock")

    def start_as(self, name, *arguments):
        user = pwd.getpwnam(name)
        return subprocess.Popen([self.program, "--config", self.config_path, *arguments], user=user.pw_uid, group=user.pw_gid,
                                extra_groups=[], cwd="/", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run_as(self, name, *arguments, stdin=None, groups=()):
        user = pwd.getpwnam(name)
        return subprocess.run([self.program, "--config", self.config_path, *arguments], user=user.pw_uid, group=user.pw_gid,
                              extra_groups=list(groups), cwd="/", capture_output=True, text=True, input=stdin, timeout=60)

    def own(self, name, *arguments, **options):
        result = self.run_as(name, *arguments, **options)
        assert result.returncode == 0, (name, arguments, result)
        return result.stdout

    def denied(self, name, *arguments, **options):
        result = self.run_as(name, *arguments, **options)
        assert result.returncode == 5, (name, arguments, result)
        assert not result.stdout.strip() or "--json" in arguments, (name, arguments, result)
        return result.stderr


class Caller:
    """A Unix user who speaks to the socket: the kernel tells who it was that connected."""

    def __init__(self, server, name, gid=None):
        user = pwd.getpwnam(name)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        os.setegid(user.pw_gid if gid is None else gid)
        os.seteuid(user.pw_uid)
        try:
            self.socket.connect(server.socket_path)
        finally:
            os.seteuid(0)
            os.setegid(0)
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.file.close()
        self.socket.close()

    def send(self, value):
        self.socket.sendall(value if isinstance(value, bytes) else json.dumps(value).encode() + b"\n")

    def answer(self):
        """Items, and the answer; None when the connection is over."""
        items = []
        while True:
            line = self.file.readline()
            if not line:
                return items, None
            value = json.loads(line)
            if "ok" in value:
                return items, value
            self.file.read(value.get("bytes", 0))
            items.append(value)

    def ask(self, verb, **args):
        self.send({"verb": verb, "args": args})
        return self.answer()[1]


def ask(server, name, verb, args):
    with Caller(server, name) as caller:
        caller.send({"verb": verb, "args": args})
        return caller.answer()
