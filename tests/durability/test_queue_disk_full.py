"""No space for the queue's files: what was accepted waits on, and goes out when there is space again."""

import errno
import itertools
import time

from support import sending, wait_for
from support.actors import Lines, Refused
from support.disk_layer import Control
from support.faults import FOREVER

MESSAGES = 12  # handed in at a time


def waiting(server):
    return {m["sender"].split("@")[0] for m in server.mailctl_json("queue", "list")}


class Trial(sending.Trial):
    """Sending is paused: all mail waits, and goes into the files at checkpoints, of which there are ten in a second."""

    def __init__(self):
        super().__init__(1, control=True)
        self.control, self.count = self.server.control, 0
        self.server.start()
        self.server.mailctl("queue", "pause")

    def hand_in_some(self):
        """Returns the refusals."""
        client, refusals = Lines(self.server.port("local")), []
        client.say(b"EHLO c.test")
        for _ in range(MESSAGES):
            token = "full-%d" % self.count
            recipients = ["r%d@d%d.test" % (self.count, n) for n in range(2)]
            self.count += 1
            self.attempted[token] = recipients
            try:
                self.hand_in(client, token, recipients)
                self.acknowledged[token] = recipients
            except Refused as refused:
                refusals.append(str(refused))
                client.say(b"RSET")
        client.close()
        return refusals

    def hand_in(self, client, token, recipients):
        sending.hand_in(client, token + "@elsewhere.test", token, recipients)

    def failed(self):
        return self.control.read()[1]

    def fail(self, only, first, last, half):
        """Write number first to last fails, of files of this name; whoever is refused may try again. Returns how many were."""
        self.control.fail(Control.WRITE, errno.ENOSPC, first, last, half, only)
        refusals, end = [], time.monotonic() + 5
        while not self.failed() and time.monotonic() < end:
            refusals += self.hand_in_some()
            time.sleep(0.05)
        assert self.failed(), "write %d of %s did not come" % (first, only)
        wrong = [r for r in refusals if not r.startswith(("451 ", "452 "))]
        assert not wrong, wrong[:3]
        self.check("while writes fail")
        return len(refusals)

    def check(self, when):
        missing = set(self.acknowledged) - waiting(self.server)
        assert not missing, "%s: lost: %s" % (when, sorted(missing)[:5])

    def space_again(self, kill):
        """A crash before the next checkpoint, or not."""
        if not kill:
            self.control.stop()
            wait_for(lambda: not self.hand_in_some(), "refused when there is space again")
        self.control.stop()
        self.server.kill()
        self.server.start()
        self.check("after a restart")


FAILURES = ((1, 1, False), (2, 2, True), (3, 5, False), (1, FOREVER, False), (2, FOREVER, True))  # first, last, half of it is written
FILES = ("/queue/text.", "/queue/state.", "/.spool/")  # the last: large messages on their way in


def test_writes_of_the_queues_files():
    trial, refused = Trial(), 0
    try:
        for number, (only, failure) in enumerate(itertools.product(FILES, FAILURES)):
            try:
                refused += trial.fail(only, *failure)
                trial.space_again(kill=number % 2)
            except AssertionError as error:
                raise AssertionError("%s, writes %s: %s\n%s" % (only, failure, error, trial.server.log()[-1500:]))
        assert refused and "No space left on device" in trial.server.log()
        trial.server.mailctl("queue", "resume")
        trial.end()
        assert not trial.sinks.repeated()
        trial.server.stop()
    finally:
        trial.close()
