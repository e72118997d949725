"""Power cuts, in two ways.

From a recording of the server's system calls (support/power.py): hundreds of disks that may be left behind, with
any part of what was not synced missing. And on a real ext4 file system in a file, under load: what the
block device holds at one moment is what a power cut would leave. The server is stopped dead, that file is
copied, and the server is started on the copy."""

import filecmp
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time

from support import Skip, power
from support.instance import Instance
from support.load import USERS, Load
from support.mail import imap_bodies

ROUNDS = 3
STATES = 100


def test_power_cut_between_system_calls():
    power.run(seed=time.time_ns() % 1000000, states=STATES)


class Disk:
    def __init__(self):
        if os.geteuid() != 0:
            raise Skip("mounting a file system needs root")
        self.directory = tempfile.mkdtemp(prefix="maild-power-")
        self.mount = os.path.join(self.directory, "mount")
        self.image = os.path.join(self.directory, "image-0")
        self.images = 1
        os.makedirs(self.mount)
        for command in (["fallocate", "-l", "300M", self.image],
                        ["mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", self.image]):
            subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        self.attach()

    def attach(self):
        result = subprocess.run(["mount", "-o", "loop", self.image, self.mount], capture_output=True, text=True)
        if result.returncode != 0:
            shutil.rmtree(self.directory)
            raise Skip("no loop mount here: " + result.stderr.strip())

    def detach(self):
        subprocess.run(["umount", self.mount], check=True)

    def power_cut_copy(self):
        """The image at one moment: copied until it did not change meanwhile."""
        copy = os.path.join(self.directory, "image-%d" % self.images)
        self.images += 1
        for _ in range(20):
            subprocess.run(["cp", "--sparse=always", self.image, copy], check=True)
            if filecmp.cmp(self.image, copy, shallow=False):
                return copy
        raise AssertionError("the image never held still")

    def close(self):
        subprocess.run(["umount", "-l", self.mount], stderr=subprocess.DEVNULL)
        shutil.rmtree(self.directory, ignore_errors=True)


def cut_power(disk, server, load):
    """Returns the messages that were acknowledged when the power went."""
    server.process.send_signal(signal.SIGSTOP)
    time.sleep(0.05)  # what is in the sockets is read by the senders
    acknowledged = dict(load.acknowledged)
    copy = disk.power_cut_copy()
    server.kill()
    load.stop()
    disk.detach()
    os.unlink(disk.image)
    disk.image = copy
    disk.attach()
    return acknowledged


def test_power_cut_under_load():
    generator = random.Random(4711)
    disk, load = Disk(), Load()
    server = Instance(directory=disk.mount)
    acknowledged = {}
    try:
        for _ in range(ROUNDS):
            server.start()
            load.start(server)
            time.sleep(generator.uniform(0.3, 2.5))  # the moment is what is random here
            acknowledged.update(cut_power(disk, server, load))
            server.start()
            load.check(server, acknowledged)
            server.kill()
        assert len(acknowledged) > 100, "hardly anything was sent: %d" % len(acknowledged)
        server.start()
        before = {u: imap_bodies(server, u) for u in USERS}
        server.restart()
        assert before == {u: imap_bodies(server, u) for u in USERS}
        server.stop()
    finally:
        server.kill()
        disk.close()
