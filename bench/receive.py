"""Receiving mail: deliveries counted in the Maildirs, against Debian's Postfix with Dovecot LMTP; and floods."""

import os
import statistics
import subprocess
import time
from dataclasses import dataclass

from common import BUILD, program, show
from file_system import FileSystem
from processes import PeakMemory, cpu_seconds, memory_bytes
from receive_sides import RELAY_DOMAIN, USERS, Maild, PostfixDovecot
from support import reference

KEPT = 1000  # the default of messages_per_connection


@dataclass
class Line:
    name: str
    connections: int
    asked: float  # times the other side's rate
    counts: tuple  # messages: ours, theirs
    size: int = 4096
    per_connection: int = 1
    recipients: int = 1
    lmtp: bool = False
    relay: bool = False
    memory: bool = False  # a tenth is asked


LINES = (
    Line("1 connection at a time, one message each", 1, 3, (2000, 500)),
    Line("10 connections, one message each", 10, 6, (4000, 800), memory=True),
    Line("50 connections, one message each", 50, 6, (10000, 1000)),
    Line("200 connections, one message each", 200, 6, (10000, 1200), memory=True),
    Line("50 connections, 100 KB", 50, 4, (3000, 600), size=100 * 1024),
    Line("50 connections, kept", 50, 10, (15000, 1000), per_connection=KEPT),
    Line("LMTP, 1 connection", 1, 3, (3000, 800), per_connection=KEPT, lmtp=True),
    Line("LMTP, 20 connections", 20, 5, (15000, 1500), per_connection=KEPT, lmtp=True),
    Line("10 connections, 20 local recipients", 10, 8, (1500, 60), recipients=20),
    Line("10 connections, to be relayed (queued)", 10, 5, (4000, 600), relay=True),
)
CPU_ASKED = 1 / 8
MEMORY_ASKED = 1 / 10


def send(side, line, messages, *options):
    if line.lmtp:
        options += ("--lmtp",)
    if line.relay:
        options += ("--domain", RELAY_DOMAIN)
    if line.recipients > 1:
        options += ("--recipients", line.recipients)
    program("bench_smtp_load", *options, side.lmtp if line.lmtp else side.smtp, min(line.connections, messages),
            messages, line.size, USERS, line.per_connection)


def wait_for(side, line, messages):
    if not line.relay:
        side.wait_delivered(messages * line.recipients)


def measure(kind, directory, line, messages):
    """(messages per second until all are in the Maildirs, CPU seconds per 1000, peak bytes)."""
    side = kind(directory)
    try:
        warm = Line("", min(line.connections, 4), 0, (), recipients=line.recipients, relay=line.relay, lmtp=line.lmtp)
        send(side, warm, USERS)
        wait_for(side, warm, USERS)
        cpu, peak = cpu_seconds(side.roots), PeakMemory(side.roots)
        peak.start()
        begin = time.monotonic()
        send(side, line, messages)
        wait_for(side, line, USERS + messages)
        seconds = time.monotonic() - begin
        return messages / seconds, (cpu_seconds(side.roots) - cpu) / messages * 1000, peak.stop()
    finally:
        side.close()


def compare(directory, line, kinds, quick, rounds):
    results = {kind.name: [] for kind in kinds}
    for _ in range(rounds):
        for kind, count in zip(kinds, line.counts):
            results[kind.name].append(measure(kind, directory, line, max(line.connections, count // (4 if quick else 1))))
    report(line, results)


def verdict(reached):
    return "" if reached else "  SHORT"


def report(line, results):
    medians = {}
    for name, runs in results.items():
        medians[name] = rate, cpu, memory = [statistics.median(run[i] for run in runs) for i in range(3)]
        show("%s, %s" % (line.name, name), rate, "messages/s, CPU %.3g s/1000, peak %.4g MiB  (runs: %s)" % (
            cpu, memory / 2**20, " ".join("%.0f" % r[0] for r in runs)))
    if len(medians) < 2:
        return
    a, b = medians["maild"], medians["postfix+dovecot"]
    show(line.name + ": rate", a[0] / b[0], "times, asked %g%s" % (line.asked, verdict(a[0] >= line.asked * b[0])))
    show(line.name + ": CPU per message", a[1] / b[1], "of theirs, asked %g%s" % (CPU_ASKED, verdict(a[1] <= CPU_ASKED * b[1])))
    if line.memory:
        show(line.name + ": memory", a[2] / b[2], "of theirs, asked %g%s" % (MEMORY_ASKED, verdict(a[2] <= MEMORY_ASKED * b[2])))


# --- floods ---

FLOOD = 5000
HONEST = Line("", 200, 0, ())
FLOOD_ASKED = 0.8
# On the loopback everybody would be trusted otherwise.
STRANGERS = "policy {\n    trusted_networks = \"\"\n}\n"


class Flood:
    def __init__(self, port, kind):
        self.process = subprocess.Popen([os.path.join(BUILD, "bench_flood"), str(port), str(FLOOD), kind],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        assert self.process.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *ignored):
        self.again = int(self.process.communicate("")[0])


def honest_rate(side, messages):
    """Of 200 connections, from as many addresses, a message each."""
    before = side.delivered()
    begin = time.monotonic()
    send(side, HONEST, messages, "--sources", HONEST.connections)
    side.wait_delivered(before + messages)
    return messages / (time.monotonic() - begin)


def floods(directory, quick, rounds):
    """In turn, alone and beside the flood: other work on the machine comes and goes."""
    messages = 4000 if quick else 15000
    for kind in ("silent", "slow"):
        alone, beside = [], []
        side = Maild(directory, STRANGERS)
        try:
            honest_rate(side, 1000)
            for _ in range(2 * rounds + 1):
                alone.append(honest_rate(side, messages))
                with Flood(side.smtp, kind) as flood:
                    cpu, begin = cpu_seconds(side.roots), time.monotonic()
                    time.sleep(1)
                    cpu = (cpu_seconds(side.roots) - cpu) / (time.monotonic() - begin)
                    beside.append(honest_rate(side, messages))
                    memory = memory_bytes(side.roots)
        finally:
            side.close()
        ratio = statistics.median(b / a for a, b in zip(alone, beside))
        show("200 honest connections, alone", statistics.median(alone), "messages/s  (runs: %s)" % " ".join("%.0f" % r for r in alone))
        show("... beside %d %s ones" % (FLOOD, kind), statistics.median(beside), "messages/s  (runs: %s)" % " ".join("%.0f" % r for r in beside))
        show("... what the flood alone costs", cpu * 100, "%% of a core, %.4g MiB with all; %d came again" % (memory / 2**20, flood.again))
        show("... what they keep", ratio, "asked %g%s" % (FLOOD_ASKED, verdict(ratio >= FLOOD_ASKED)))


def run(quick, groups=None, rounds=2):
    kinds = [Maild] + ([PostfixDovecot] if reference.available() else [])
    if len(kinds) == 1:
        show("receive: comparison", "skipped", "(needs root, postfix and dovecot: ./test --with-peers installs them)")
    rounds = 1 if quick else rounds
    with FileSystem() as directory:
        if not groups or "lines" in groups:
            for line in LINES:
                compare(directory, line, kinds, quick, rounds)
        if not groups or "floods" in groups:
            floods(directory, quick, rounds)
