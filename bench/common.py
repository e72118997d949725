"""What the benchmarks share: output, a file system of our own, processes and their memory."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests"))
os.environ["MAILD_BUILD"] = BUILD = os.path.join(ROOT, "build", "release")


def show(name, value, unit):
    print("%-58s %12s %s" % (name, "%.4g" % value if isinstance(value, float) else value, unit), flush=True)


def program(name, *arguments):
    return subprocess.run([os.path.join(BUILD, name), *map(str, arguments)], check=True,
                          capture_output=True, text=True, timeout=600).stdout


# --- a file system of our own ---

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
                        ["mkfs.ext4", "-q", "-F", "-N", "1000000", "-E", "lazy_itable_init=0,lazy_journal_init=0", self.image],
                        ["mount", "-o", "loop", self.image, self.mount])
            self.mounted = all(subprocess.run(c, stderr=subprocess.PIPE).returncode == 0 for c in commands)
        show("file system", "ext4 with journal, loop" if self.mounted else "as it is (no loop mount)", "")
        os.chmod(self.directory, 0o755)
        os.chmod(self.mount, 0o755)
        return self.mount

    def forget_pages(self):
        """What is on it goes out of all caches of this machine (nothing may be open); False where it cannot."""
        if not self.mounted or subprocess.run(["umount", self.mount]).returncode != 0:
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


# --- processes ---

def children_of(roots):
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open("/proc/%s/stat" % entry) as f:
                    fields = f.read().rsplit(")", 1)[1].split()
                parents.setdefault(int(fields[1]), []).append(int(entry))
            except OSError:
                pass
    found, todo = [], list(roots)
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += parents.get(pid, [])
    return found


def cpu_seconds(roots):
    """Of the processes, and of those of theirs that have ended."""
    ticks = 0
    for pid in children_of(roots):
        try:
            with open("/proc/%d/stat" % pid) as f:
                fields = f.read().rsplit(")", 1)[1].split()
            ticks += sum(int(f) for f in fields[11:15])
        except OSError:
            pass
    return ticks / os.sysconf("SC_CLK_TCK")


def memory_bytes(roots):
    """Proportional set size: shared pages count once over all."""
    total = 0
    for pid in children_of(roots):
        try:
            with open("/proc/%d/smaps_rollup" % pid) as f:
                total += int(re.search(r"^Pss:\s+(\d+)", f.read(), re.M).group(1)) * 1024
        except (OSError, AttributeError):
            pass
    return total


class PeakMemory(threading.Thread):
    def __init__(self, roots):
        super().__init__(daemon=True)
        self.roots, self.peak, self.ended = roots, 0, threading.Event()

    def run(self):
        while not self.ended.wait(0.2):
            self.peak = max(self.peak, memory_bytes(self.roots))

    def stop(self):
        self.peak = max(self.peak, memory_bytes(self.roots))
        self.ended.set()
        return self.peak


def settle(roots):
    """Memory when it no longer moves: freed pages go back to the kernel a little later."""
    last = memory_bytes(roots)
    for _ in range(40):
        time.sleep(0.25)
        now = memory_bytes(roots)
        if abs(now - last) < 65536:
            return now
        last = now
    return last
