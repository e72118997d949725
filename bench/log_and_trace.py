"""What the log and the event store cost a delivery: a server that writes everything against one that writes errors only and
keeps nothing, in pairs of turns. Each pair has a ratio, and the median of these counts, with the range in which it is to be found in
95 of 100 cases.

A few per cent are less than what other work on the machine and a disk do to a turn. So the servers and the client go before all other
work (real time), on a disk in memory, and what bounds them is the processors alone. Without root neither is to be had."""

import collections
import glob
import os
import statistics

from common import program, show
from file_system import FileSystem, memory_disk
from support.instance import Instance

SHARE_ASKED = 0.95
USERS = 100
NAMES = "everything logged and kept", "errors only, nothing kept"
THREADS = "maild", "maild-disk", "maild-journal", "maild-log", "maild-trace"


def made(directory, silent):
    server = Instance(users=["user%d" % i for i in range(USERS)], directory=directory)
    if silent:
        server.add_config("log_level = error\ntrace {\n    keep = 0\n}")
    return server


def go_first(first):
    """This program and all that it starts from now on."""
    try:
        os.sched_setscheduler(0, *((os.SCHED_RR, os.sched_param(1)) if first else (os.SCHED_OTHER, os.sched_param(0))))
        return first
    except PermissionError:
        return False


def threads(pid):
    """Processor milliseconds of each thread."""
    processor = collections.Counter()
    for task in glob.glob("/proc/%d/task/*" % pid):
        with open(task + "/comm") as comm, open(task + "/schedstat") as spent:
            processor[comm.read().strip()] += int(spent.read().split()[0]) / 1e6
    return processor


def deliver(server, messages):
    """Messages a second; of each thread of the server the milliseconds for each message."""
    before = threads(server.process.pid)
    count, _, seconds = program("bench_smtp_load", server.port("smtp"), 20, messages, 4096, USERS, 1000).split()
    server.mailctl("store", "flush")  # of files and checkpoints each has its own
    after = threads(server.process.pid)
    return int(count) / float(seconds), {name: (after[name] - before[name]) / int(count) for name in after}


def median_and_range(values):
    """The range has the median in 95 of 100 cases, whatever the values are scattered like (by their order alone)."""
    values = sorted(values)
    beyond = max(int((len(values) - 1.96 * len(values) ** 0.5) / 2) - 1, 0)  # so many on either side of it
    return statistics.median(values), values[beyond], values[-1 - beyond]


def tell(found):
    for name, side in zip(NAMES, found):
        turns = sorted(rate for rate, _ in side)
        show("deliveries, " + name, statistics.median(turns), "messages/s (%.0f to %.0f)" % (turns[0], turns[-1]))
        show("processor time of one, " + name, statistics.median(sum(spent.values()) for _, spent in side), "ms")
        for thread in THREADS:
            show("of it in " + thread, statistics.median(spent.get(thread, 0.0) for _, spent in side), "ms")
    pairs = list(zip(*found))
    show("processor time, times", *ratio(sum(a[1].values()) / sum(b[1].values()) for a, b in pairs))
    share, text = ratio(a[0] / b[0] for a, b in pairs)
    show("load of the machine", os.getloadavg()[0], "")
    show("share of the throughput that is left", share, "%s, asked %.2f%s" % (text, SHARE_ASKED, "" if share >= SHARE_ASKED else "  SHORT"))


def ratio(values):
    median, least, most = median_and_range(values)
    return median, "(%.3f to %.3f)" % (least, most)


def compare(directory, messages, rounds):
    sides = [made(directory, False), made(directory, True)]
    show("before all other work", "yes" if go_first(True) else "no", "")
    try:
        for server in sides:
            server.start()
            deliver(server, messages)
        found = [[], []]
        for i in range(rounds):  # A B B A: what one leaves to the disk is no burden of always the same other
            for side in (0, 1) if i % 2 == 0 else (1, 0):
                found[side].append(deliver(sides[side], messages))
        tell(found)
    finally:
        go_first(False)
        for server in sides:
            server.close()


def run(quick):
    messages, rounds = (2000, 12) if quick else (4000, 60)  # many short turns: what disturbs one meets both
    with memory_disk() as memory:
        if memory:
            compare(memory, messages, rounds)
    if not memory:
        with FileSystem() as directory:
            compare(directory, messages, rounds)
