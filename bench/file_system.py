"""A file system of our own."""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time

from common import show

EXT4 = ["mkfs.ext4", "-q", "-F", "-N", "1000000", "-E", "lazy_itable_init=0,lazy_journal_init=0"]


@contextlib.contextmanager
def memory_disk():
    """ext4 with a journal on a disk in memory (zram), which answers in the thread that asks: nothing that other work on the machine
    could hold up is between a message and its file. `with` gives None where there is no such disk."""
    device = new_device() if os.geteuid() == 0 and shutil.which("zramctl") and shutil.which("mkfs.ext4") else None
    if not device:
        yield None
        return
    mount = tempfile.mkdtemp(prefix="maild-bench-")
    try:
        subprocess.run(EXT4 + [device], check=True)
        subprocess.run(["mount", device, mount], check=True)
        os.chmod(mount, 0o755)
        show("file system", "ext4 with journal, in memory", "")
        yield mount
    finally:
        unmount(mount)
        os.rmdir(mount)
        with open("/sys/block/%s/reset" % os.path.basename(device), "w") as reset:
            reset.write("1")


def new_device():
    made = subprocess.run(["zramctl", "--find", "--size", "6G", "--algorithm", "lz4"], capture_output=True, text=True)
    return made.stdout.strip() if made.returncode == 0 else None


def unmount(mount):
    """What a process had open that was just stopped is closed a little later."""
    for _ in range(50):
        if subprocess.run(["umount", mount], stderr=subprocess.DEVNULL).returncode == 0:
            return True
        time.sleep(0.1)
    return False


class FileSystem:
    """ext4 with a journal in a preallocated file, loop-mounted."""

    def __enter__(self):
        self.directory = tempfile.mkdtemp(prefix="maild-bench-")
        self.image = self.directory + "/image"
        self.mount = self.directory + "/mount"
        os.makedirs(self.mount)
        self.mounted = False
        if os.geteuid() == 0 and shutil.which("mkfs.ext4"):
            commands = (["fallocate", "-l", "6G", self.image],
                        EXT4 + [self.image],
                        ["mount", "-o", "loop", self.image, self.mount])
            self.mounted = all(subprocess.run(c, stderr=subprocess.PIPE).returncode == 0 for c in commands)
        show("file system", "ext4 with journal, loop" if self.mounted else "as it is (no loop mount)", "")
        os.chmod(self.directory, 0o755)
        os.chmod(self.mount, 0o755)
        return self.mount

    def forget_pages(self):
        """What is on it goes out of all caches of this machine (nothing may be open); False where it cannot."""
        if not self.mounted or not unmount(self.mount):
            return False
        with open(self.image, "rb") as f:
            os.fsync(f.fileno())
            os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        subprocess.run(["mount", "-o", "loop", self.image, self.mount], check=True)
        return True

    def __exit__(self, *ignored):
        if self.mounted:
            subprocess.run(["umount", "-l", self.mount])
        shutil.rmtree(self.directory, ignore_errors=True)
