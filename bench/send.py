"""Sending mail: relayed through the server to Debian's smtp-sink, against Debian's Postfix; a large list; dead destinations."""

import os
import re
import shutil
import smtplib
import socket
import statistics
import subprocess
import threading
import time
from dataclasses import dataclass

from common import program, show
from file_system import FileSystem
from processes import PeakMemory, cpu_seconds, memory_bytes, settle
from support import reference
from support.instance import Instance

SINK_PORT = 10925
DEAD_PORT = 10926
DOMAINS = 200
FEEDERS = 20
RATE_ASKED = 5
CPU_ASKED = 1 / 4
LIST_RECIPIENTS, LIST_DOMAINS, LIST_MEMORY_ASKED = 50000, 500, 64
LIVE, DEAD, LIVE_ASKED = 20, 180, 0.9


@dataclass
class Line:
    name: str
    domains: int
    counts: tuple  # messages: ours, theirs


LINES = (Line("relayed to one destination", 1, (20000, 3000)), Line("relayed to %d destinations" % DOMAINS, DOMAINS, (20000, 3000)))


class Sink:
    """smtp-sink on all addresses of the loopback. It prints how many messages it has, now and then."""

    def __init__(self):
        self.process = subprocess.Popen(["smtp-sink", "-u", "nobody", "-c", "-m", "2000", ":%d" % SINK_PORT, "1000"], stdout=subprocess.PIPE)
        self.messages, self.changed = 0, threading.Condition()
        threading.Thread(target=self.read, daemon=True).start()
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", SINK_PORT)).close()
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError("smtp-sink does not answer")

    def read(self):
        text = b""
        while part := os.read(self.process.stdout.fileno(), 65536):
            text = (text + part)[-200:]
            counts = re.findall(rb"sess=\d+ quit=\d+ mesg=(\d+)", text)
            if counts:
                with self.changed:
                    self.messages = int(counts[-1])
                    self.changed.notify_all()

    def wait(self, count, seconds=300):
        with self.changed:
            if not self.changed.wait_for(lambda: self.messages >= count, seconds):
                raise RuntimeError("smtp-sink got %d of %d messages" % (self.messages, count))

    def close(self):
        self.process.terminate()
        self.process.wait()


class BlackHole:
    """A port on which connections are never answered: the list of those that wait to be accepted is full."""

    def __init__(self):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("0.0.0.0", DEAD_PORT))
        self.listener.listen(0)
        self.fillers = []
        for _ in range(4):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(("127.0.0.1", DEAD_PORT))
            self.fillers.append(s)

    def close(self):
        for s in [self.listener, *self.fillers]:
            s.close()


def address(i):
    return "127.0.%d.%d" % (1 + i // 200, 1 + i % 200)


def route_config(domains):
    """domains: (name, host, port)"""
    return "".join("route %s {\n    recipient = %s\n    hosts = %s:%d\n}\n" % (name.replace(".", "-"), name, host, port)
                   for name, host, port in domains)


class Maild:
    name = "maild"

    def __init__(self, directory, domains, config=""):
        self.server = Instance(directory=directory)
        self.server.add_config("policy {\n    relay_networks = 127.0.0.0/8\n}\n" + route_config(domains) + config)
        self.server.start()
        self.roots = [self.server.process.pid]
        self.smtp = self.server.port("smtp")

    def close(self):
        self.server.close()


class Postfix:
    name = "postfix"

    def __init__(self, directory, domains):
        self.server = reference.Reference(directory)
        with open(self.server.etc + "/transport", "w") as f:
            f.writelines("%s smtp:[%s]:%d\n" % domain for domain in domains)
        with open(self.server.etc + "/main.cf", "a") as f:
            f.write("transport_maps = texthash:%s/transport\n" % self.server.etc)
        self.server.start()
        self.roots = self.server.masters()[:1]
        self.smtp = self.server.port("smtp")

    def close(self):
        self.server.close()


def living(count, domain="relay.test"):
    return [("d%d.%s" % (i, domain), address(i), SINK_PORT) for i in range(count)]


def feed(side, messages, domains, domain="relay.test", connections=FEEDERS):
    program("bench_smtp_load", "--domain", domain, "--domains", domains, side.smtp, min(connections, messages), messages, 4096, 20, 1000)


def measure(kind, directory, line, messages):
    """(messages per second until all are in the sink, CPU seconds per 1000)."""
    side, sink = kind(directory, living(line.domains)), Sink()
    try:
        warm = max(line.domains, 100)
        feed(side, warm, line.domains)
        sink.wait(warm)
        cpu, begin = cpu_seconds(side.roots), time.monotonic()
        feed(side, messages, line.domains)
        sink.wait(warm + messages)
        seconds = time.monotonic() - begin
        return messages / seconds, (cpu_seconds(side.roots) - cpu) / messages * 1000
    finally:
        sink.close()
        side.close()


def verdict(reached):
    return "" if reached else "  SHORT"


def compare(directory, line, kinds, quick, rounds):
    medians = {}
    results = {kind.name: [] for kind in kinds}
    for _ in range(rounds):
        for kind, count in zip(kinds, line.counts):
            results[kind.name].append(measure(kind, directory, line, count // (4 if quick else 1)))
    for name, runs in results.items():
        medians[name] = rate, cpu = [statistics.median(run[i] for run in runs) for i in range(2)]
        show("%s, %s" % (line.name, name), rate, "messages/s, CPU %.3g s/1000  (runs: %s)" % (cpu, " ".join("%.0f" % r[0] for r in runs)))
    if len(medians) == 2:
        a, b = medians["maild"], medians["postfix"]
        show(line.name + ": rate", a[0] / b[0], "times, asked %g%s" % (RATE_ASKED, verdict(a[0] >= RATE_ASKED * b[0])))
        show(line.name + ": CPU per message", a[1] / b[1], "of theirs, asked %g%s" % (CPU_ASKED, verdict(a[1] <= CPU_ASKED * b[1])))


LIST_CONFIG = "smtp {\n    recipients_max = %d\n}\n" % LIST_RECIPIENTS


def send_list(side, recipients):
    with smtplib.SMTP("127.0.0.1", side.smtp, timeout=300) as client:
        client.ehlo("client.test")
        names = ["u%d@d%d.relay.test" % (i, i % LIST_DOMAINS) for i in range(recipients)]
        client.putcmd("mail", "FROM:<news@elsewhere.test>")
        client.getreply()
        for first in range(0, recipients, 1000):
            part = names[first:first + 1000]
            client.send("".join("RCPT TO:<%s>\r\n" % name for name in part))
            for _ in part:
                assert client.getreply()[0] == 250
        assert client.data("Subject: news\r\n\r\n" + "x" * 70 * 50)[0] == 250


def large_list(directory, quick):
    """One message for very many recipients: what it takes until all of them have it."""
    recipients = LIST_RECIPIENTS // (5 if quick else 1)
    side, sink = Maild(directory, living(LIST_DOMAINS), LIST_CONFIG), Sink()
    try:
        peak = PeakMemory(side.roots)
        peak.start()
        begin = time.monotonic()
        send_list(side, recipients)
        accepted = time.monotonic() - begin
        while side.server.mailctl_json("status")["queue"]["recipients"] > 0:
            time.sleep(0.2)
        seconds = time.monotonic() - begin
        memory = peak.stop() / 2**20
    finally:
        sink.close()
        side.close()
    show("one message, %d recipients, %d domains" % (recipients, LIST_DOMAINS), recipients / seconds, "recipients/s; accepted after %.3g s, sent in %d transactions after %.3g s" % (
        accepted, sink.messages, seconds))
    show("... memory at its peak", memory, "MiB, asked %d%s" % (LIST_MEMORY_ASKED, verdict(memory < LIST_MEMORY_ASKED)))


def waiting(directory, quick):
    """What a recipient costs that waits for a dead destination: each was deferred once."""
    lists = 4 if quick else 20
    hole = BlackHole()
    side = Maild(directory, [(name, host, DEAD_PORT) for name, host, _ in living(LIST_DOMAINS)], LIST_CONFIG)
    try:
        before = memory_bytes(side.roots)
        for _ in range(lists):
            send_list(side, LIST_RECIPIENTS)
        count = lists * LIST_RECIPIENTS
        end = time.monotonic() + 300
        while side.server.mailctl_json("status")["queue"]["deferred"] < count and time.monotonic() < end:
            time.sleep(1)
        memory = settle(side.roots)
    finally:
        hole.close()
        side.close()
    show("%d recipients that wait" % count, memory / 2**20, "MiB, %.3g bytes each" % ((memory - before) / count))


def live_rate(side, sink, messages):
    before = sink.messages
    begin = time.monotonic()
    feed(side, messages, LIVE)
    sink.wait(before + messages)
    return messages / (time.monotonic() - begin)


def dead_destinations(directory, quick, rounds):
    """Mail for destinations that live, alone and while nine in ten destinations are black holes with mail waiting."""
    messages = 4000 if quick else 15000
    alone, beside = [], []
    for _ in range(rounds):
        for dead in (False, True):
            side, sink, hole = None, Sink(), BlackHole()
            try:
                holes = [("d%d.dead.test" % i, address(LIVE + i), DEAD_PORT) for i in range(DEAD)]
                side = Maild(directory, living(LIVE) + holes)
                feed(side, LIVE, LIVE)
                sink.wait(LIVE)
                if dead:
                    feed(side, 10 * DEAD, DEAD, "dead.test")
                (beside if dead else alone).append(live_rate(side, sink, messages))
            finally:
                sink.close()
                hole.close()
                if side:
                    side.close()
    show("%d destinations that live, alone" % LIVE, statistics.median(alone), "messages/s  (runs: %s)" % " ".join("%.0f" % r for r in alone))
    show("... beside %d dead ones" % DEAD, statistics.median(beside), "messages/s  (runs: %s)" % " ".join("%.0f" % r for r in beside))
    ratio = statistics.median(beside) / statistics.median(alone)
    show("... what they keep", ratio, "asked %g%s" % (LIVE_ASKED, verdict(ratio >= LIVE_ASKED)))


def run(quick, groups=None, rounds=2):
    if not shutil.which("smtp-sink"):
        show("send", "skipped", "(needs smtp-sink of Debian's postfix: ./test --with-peers installs it)")
        return
    kinds = [Maild] + ([Postfix] if reference.available() else [])
    if len(kinds) == 1:
        show("send: comparison", "skipped", "(needs root, postfix and dovecot: ./test --with-peers installs them)")
    rounds = 1 if quick else rounds
    with FileSystem() as directory:
        if not groups or "relay" in groups:
            for line in LINES:
                compare(directory, line, kinds, quick, rounds)
        if not groups or "list" in groups:
            large_list(directory, quick)
        if not groups or "waiting" in groups:
            waiting(directory, quick)
        if not groups or "dead" in groups:
            dead_destinations(directory, quick, rounds)
