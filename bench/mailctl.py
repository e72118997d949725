"""How soon mailctl answers while the server works as hard as it can and has much mail waiting: whole runs of the program, from
its start to its end, one after the other."""

import os
import re
import statistics
import subprocess
import threading
import time

from common import BUILD, program, show
from file_system import FileSystem
from support.instance import Instance

DOMAIN = "relay.test"
MILLISECONDS_ASKED = 50
COMMANDS = [
    ([], 200), (["status", "--json"], 50), (["check"], 50), (["stats", "--count", "1", "--interval", "0.1"], 20),
    (["queue", "list", "--limit", "20"], 50), (["queue", "list", "--count"], 50), (["queue", "list", "--sender", "nobody@nowhere.test", "--count"], 10), (["queue", "top"], 10),
    (["queue", "stats"], 10), (["who"], 20),
]
SLOW = ("nobody", "queue top", "queue stats")  # they look at each message: only the loop may not wait for them


class Load(threading.Thread):
    """Messages for mailboxes here, as many as the server takes."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.ending, self.messages, self.seconds = port, False, 0, 0.0

    def run(self):
        begin = time.monotonic()
        while not self.ending:
            program("bench_smtp_load", self.port, 20, 5000, 4096, 20, 1000)
            self.messages += 5000
        self.seconds = time.monotonic() - begin

    def end(self):
        self.ending = True
        self.join()
        return self.messages / self.seconds


def times(server, arguments, count):
    """Milliseconds of each run, sorted."""
    found = []
    command = [os.path.join(BUILD, "mailctl"), "--config", server.config_path, *arguments]
    for _ in range(count):
        begin = time.monotonic()
        status = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
        if status.returncode > 1 and arguments != ["check"]:
            raise RuntimeError("%s: %s" % (arguments, status.stderr))
        found.append((time.monotonic() - begin) * 1000)
    return sorted(found)


def longest_pause(server, since):
    """Milliseconds for which the control socket's fibers held the loop at a time."""
    held = re.findall(r"longest: control with ([0-9.]+) ms", server.log()[since:])
    return max(map(float, held), default=0.0)


def measure(server, title, quick):
    for arguments, count in COMMANDS:
        name = "mailctl " + " ".join(arguments)
        since = len(server.log())
        found = times(server, arguments, max(count // (5 if quick else 1), 5))
        if "stats --count" in name:
            found = [ms - 100 for ms in found]
        median, late = statistics.median(found), found[len(found) * 95 // 100]
        asked = "" if any(slow in name for slow in SLOW) else "asked %d%s" % (MILLISECONDS_ASKED, "" if median < MILLISECONDS_ASKED else "  SHORT")
        show("%s, %s" % (name.strip(), title), median, "ms, 95 %% %.3g, longest %.3g; %s (loop held at most %.3g ms)" % (
            late, found[-1], asked, longest_pause(server, since)))


def run(quick):
    messages = 10000 if quick else 100000
    with FileSystem() as directory:
        server = Instance(users=["user%d" % i for i in range(20)], directory=directory)
        try:
            server.start()
            server.mailctl("domain", "add", DOMAIN, "--relay", "127.0.0.1:9")
            server.mailctl("queue", "pause", DOMAIN)
            program("bench_smtp_load", "--domain", DOMAIN, server.port("smtp"), 20, messages, 4096, 1, 1000)
            show("messages that wait", messages, "")
            measure(server, "nothing else to do", quick)
            load = Load(server.port("smtp"))
            load.start()
            measure(server, "full load", quick)
            show("messages delivered meanwhile", load.end(), "messages/s")
        finally:
            server.close()
