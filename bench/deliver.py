"""Deliveries over SMTP, counted in the Maildirs, against Debian's Postfix with Dovecot LMTP."""

import os
import statistics
import time

from common import program, show
from file_system import FileSystem
from processes import PeakMemory, cpu_seconds
from support import reference
from support.instance import Instance

USERS = 20
SIZE = 4096


class Maild:
    name = "maild"

    def __init__(self, directory):
        self.server = Instance(users=["user%d" % i for i in range(USERS)], directory=directory)
        self.server.start()
        self.roots = [self.server.process.pid]
        self.port = self.server.port("smtp")

    def delivered(self):
        total = 0
        base = self.server.root + "/data/mail/example.test"
        for i in range(USERS):
            directory = base + "/user%d/Maildir/new" % i
            total += len(os.listdir(directory)) if os.path.isdir(directory) else 0
        return total

    def close(self):
        self.server.close()


class PostfixDovecot:
    name = "postfix+dovecot"

    def __init__(self, directory):
        self.server = reference.Reference(directory).start()
        self.roots = self.server.masters()
        self.port = self.server.port("smtp")

    def delivered(self):
        total = 0
        for i in range(USERS):
            directory = self.server.root + "/mail/example.test/user%d/Maildir/new" % i
            total += len(os.listdir(directory)) if os.path.isdir(directory) else 0
        return total

    def close(self):
        self.server.close()


def measure(kind, directory, connections, messages):
    """(messages per second until all are in the Maildirs, CPU seconds per 1000, peak bytes)."""
    side = kind(directory)
    try:
        program("bench_smtp_load", side.port, min(connections, 4), USERS, SIZE, USERS)  # warm
        wait_delivered(side, USERS)
        cpu, peak = cpu_seconds(side.roots), PeakMemory(side.roots)
        peak.start()
        begin = time.monotonic()
        program("bench_smtp_load", side.port, connections, messages, SIZE, USERS, 100)
        wait_delivered(side, USERS + messages)
        seconds = time.monotonic() - begin
        return messages / seconds, (cpu_seconds(side.roots) - cpu) / messages * 1000, peak.stop()
    finally:
        side.close()


def wait_delivered(side, count):
    end = time.monotonic() + 300
    while side.delivered() < count:
        if time.monotonic() > end:
            raise RuntimeError("%s delivered %d of %d" % (side.name, side.delivered(), count))
        time.sleep(0.02)


def run(quick):
    kinds = [Maild] + ([PostfixDovecot] if reference.available() else [])
    if len(kinds) == 1:
        show("deliver: comparison", "skipped", "(needs root, postfix and dovecot: ./test --with-peers installs them)")
    with FileSystem() as directory:
        for connections, counts in ((1, {"maild": 3000, "postfix+dovecot": 600}),
                                    (50, {"maild": 20000, "postfix+dovecot": 2000})):
            results = {kind.name: [] for kind in kinds}
            for _ in range(2 if quick else 3):
                for kind in kinds:
                    results[kind.name].append(measure(kind, directory, connections,
                                                      counts[kind.name] // (4 if quick else 1)))
            report(connections, results)


def report(connections, results):
    medians = {}
    for name, runs in results.items():
        medians[name] = [statistics.median(run[i] for run in runs) for i in range(3)]
        rate, cpu, memory = medians[name]
        prefix = "deliver %d connections, %s: " % (connections, name)
        show(prefix + "rate", rate, "messages/s  (runs: %s)" % " ".join("%.0f" % r[0] for r in runs))
        show(prefix + "CPU", cpu, "s/1000 messages")
        show(prefix + "peak memory", memory / 2**20, "MiB")
    if len(medians) == 2:
        a, b = medians["maild"], medians["postfix+dovecot"]
        prefix = "deliver %d connections, ratio: " % connections
        show(prefix + "rate", a[0] / b[0], "times Postfix+Dovecot")
        show(prefix + "CPU per message", a[1] / b[1], "of Postfix+Dovecot's")
        show(prefix + "peak memory", a[2] / b[2], "of Postfix+Dovecot's")
