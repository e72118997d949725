"""Processes with their children: CPU time and memory."""

import os
import re
import threading
import time


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


def set_priority(pid, nice):
    """Of all processes of its session, where the kernel shares the processors out by session (as root); else nothing."""
    try:
        with open("/proc/%d/autogroup" % pid, "w") as f:
            f.write(str(nice))
    except OSError:
        pass


class Preferred:
    """This program and its clients go before what else the machine does; `add` takes a server as well. A download takes
    turns between processes, and waiting for a processor at each would be all that is measured."""

    def __enter__(self):
        set_priority(os.getpid(), -19)
        return self

    def add(self, pids):
        for pid in pids:
            set_priority(pid, -19)

    def __exit__(self, *ignored):
        set_priority(os.getpid(), 0)


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
