"""A bench_imap_client that obeys orders."""

import os
import subprocess

from common import BUILD
from store_sides import BOX


class Client:
    def __init__(self, side, connections=1, user=BOX):
        self.process = subprocess.Popen(
            [os.path.join(BUILD, "bench_imap_client"), str(side.port("imap")), user + "@example.test", "secret",
             str(connections)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n", side.name + ": no login"

    def order(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split()
        assert answer, "no answer to " + text
        return [float(a) for a in answer]

    def run(self, command, connection=0):
        """Milliseconds."""
        return self.order("run %d %s" % (connection, command))[0] * 1000

    def rows(self, command, at_least):
        """The same for a command that must answer with that many lines."""
        seconds, _, lines = self.order("run 0 " + command)
        assert lines > at_least, "%s: %d lines" % (command, lines)
        return seconds * 1000

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.process.stdin.close()
        self.process.wait(timeout=30)
