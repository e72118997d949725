"""What the log and the event store cost a delivery: a server that writes everything against one that writes errors only and
keeps nothing, in turn. The throughput counts, and the processor time, which other work on the machine disturbs less."""

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


def processor_seconds(pid):
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def deliver(server, messages):
    """Messages a second, processor milliseconds of the server for each."""
    before = processor_seconds(server.process.pid)
    count, _, seconds = program("bench_smtp_load", server.port("smtp"), 20, messages, 4096, USERS, 1000).split()
    server.mailctl("store", "flush")  # of files and checkpoints each has its own
    return int(count) / float(seconds), (processor_seconds(server.process.pid) - before) * 1000 / int(count)


def run(quick):
    messages, rounds = (5000, 4) if quick else (20000, 12)
    with FileSystem() as directory:
        sides = [made(directory, False), made(directory, True)]
        try:
            for server in sides:
                deliver(server, messages // 4)
            found = [[], []]
            for i in range(rounds):  # A B B A: what one leaves to the disk is no burden of always the same other
                for side in (0, 1) if i % 2 == 0 else (1, 0):
                    found[side].append(deliver(sides[side], messages))
            throughput, processor = ([statistics.median(f[what] for f in side) for side in found] for what in (0, 1))
            for name, side in (("everything logged and kept", 0), ("errors only, nothing kept", 1)):
                show("deliveries, " + name, throughput[side], "messages/s (%s)" % ", ".join("%.0f" % f[0] for f in sorted(found[side])))
                show("processor time of one, " + name, processor[side], "ms")
            show("processor time, times", processor[0] / processor[1], "")
            share = throughput[0] / throughput[1]
            show("share of the throughput that is left", share, "asked %.2f%s" % (SHARE_ASKED, "" if share >= SHARE_ASKED else "  SHORT"))
        finally:
            for server in sides:
                server.close()
