"""What the log and the event store cost a delivery: a server that writes everything against one that writes errors only and
keeps nothing, in turn. The throughput counts, and the processor time, which other work on the machine disturbs less."""

import collections
import glob
import os
import statistics

from common import program, show
from file_system import FileSystem
from support.instance import Instance

SHARE_ASKED = 0.95
USERS = 100


def made(directory, silent):
    server = Instance(users=["user%d" % i for i in range(USERS)], directory=directory)
    if silent:
        server.add_config("log_level = error\ntrace {\n    keep = 0\n}")
    server.start()
    return server


def threads(pid):
    """Processor milliseconds of each thread, and how often it was put on or taken from a processor."""
    processor, switches = collections.Counter(), collections.Counter()
    for task in glob.glob("/proc/%d/task/*" % pid):
        with open(task + "/comm") as comm, open(task + "/schedstat") as spent, open(task + "/status") as status:
            name = comm.read().strip()
            processor[name] += int(spent.read().split()[0]) / 1e6
            switches[name] += sum(int(line.split()[1]) for line in status if "ctxt_switches" in line)
    return processor, switches


def deliver(server, messages):
    """Messages a second; of each thread of the server milliseconds and switches for each message."""
    before = threads(server.process.pid)
    count, _, seconds = program("bench_smtp_load", server.port("smtp"), 20, messages, 4096, USERS, 1000).split()
    server.mailctl("store", "flush")  # of files and checkpoints each has its own
    after = threads(server.process.pid)
    return int(count) / float(seconds), *({name: (b[name] - a[name]) / int(count) for name in b} for a, b in zip(before, after))


def run(quick):
    messages, rounds = (2000, 6) if quick else (5000, 24)  # many short turns: other work on the machine meets both
    with FileSystem() as directory:
        sides = [made(directory, False), made(directory, True)]
        try:
            for server in sides:
                deliver(server, messages)
            found = [[], []]
            for i in range(rounds):  # A B B A: what one leaves to the disk is no burden of always the same other
                for side in (0, 1) if i % 2 == 0 else (1, 0):
                    found[side].append(deliver(sides[side], messages))
            throughput = [statistics.median(f[0] for f in side) for side in found]
            processor = [sorted(sum(f[1].values()) for f in side) for side in found]
            for name, side, spent in zip(("everything logged and kept", "errors only, nothing kept"), range(2), processor):
                turns = sorted(f[0] for f in found[side])
                show("deliveries, " + name, throughput[side], "messages/s (%.0f to %.0f)" % (turns[0], turns[-1]))
                show("processor time of one, " + name, statistics.median(spent), "ms (least %.4f)" % spent[0])
            for thread in ("maild-log", "maild-trace"):
                show("of it in " + thread, statistics.median(f[1][thread] for f in found[0]), "ms")
                show("switches of " + thread, statistics.median(f[2][thread] for f in found[0]), "for a message")
            show("processor time, times", statistics.median(processor[0]) / statistics.median(processor[1]),
                 "(of the least %.3f)" % (processor[0][0] / processor[1][0]))
            share = throughput[0] / throughput[1]
            show("load of the machine", os.getloadavg()[0], "")
            show("share of the throughput that is left", share, "asked %.2f%s" % (SHARE_ASKED, "" if share >= SHARE_ASKED else "  SHORT"))
        finally:
            for server in sides:
                server.close()
