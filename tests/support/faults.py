"""Calls that fail: one write, sync, rename, open or allocation after the other, while a client works.

Who was refused got a temporary error, and what was acknowledged is there at once and after a SIGKILL. When the
failures are over there is service again: at once, or after a restart if it was the journal that failed."""

import errno
import random
import re
import resource
import signal
import socket
import subprocess
import time

from .actors import Company
from .disk_layer import Control, Layered
from .imap_raw import ProtocolError
from .ledger import Observed, check_all, waiting_users

USERS = ("alice", "bob")
FOREVER = 1 << 60
PER_INSTANCE = 80
# Classes of calls, and the errors they fail with.
KINDS = ((Control.WRITE, (errno.ENOSPC, errno.EIO, errno.EDQUOT)), (Control.SYNC, (errno.EIO, errno.ENOSPC)),
         (Control.NAME, (errno.ENOSPC, errno.EIO, errno.EDQUOT)), (Control.OPEN, (errno.EMFILE, errno.EIO, errno.ENOSPC)),
         (Control.TIME, (errno.EIO,)))
TEMPORARY = re.compile(r"4\d\d |NO \[(UNAVAILABLE|SERVERBUG|OVERQUOTA|INUSE|CONTACTADMIN)\]|-ERR \[SYS/TEMP\]|\* BYE")
STEPS = 10


class Trial:
    """A server, a client, and one failure after the other."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.server = Layered(control=True)
        self.control = self.server.control
        self.company = Company(self.server, seed, 1, queue=True, careful=True)
        self.actor = self.company.actors[0]
        self.server.start()

    def close(self):
        self.server.kill()
        self.server.close()

    def work(self, steps):
        """True if the server is still there. What it cannot say it may break off."""
        for _ in range(3):
            try:
                self.actor.connect(timeout=20)
                for _ in range(steps):
                    self.actor.act()
                return True
            except (ProtocolError, OSError) as error:
                if self.has_ended():
                    return False
                if re.search(r": NO ", str(error)):
                    self.actor.refusals.append(str(error).split(": ", 1)[1])
            finally:
                self.actor.close()
                self.abandon()
        return not self.has_ended()

    def has_ended(self):
        """A connection broke: is it the server that is going?"""
        try:
            self.server.process.wait(timeout=0.3)
            return True
        except subprocess.TimeoutExpired:
            return False

    def abandon(self):
        """A step whose reply never came may have happened."""
        ledger = self.actor.ledger
        if ledger.steps and ledger.steps[-1].mark is None and not ledger.steps[-1].refused:
            ledger.refused(ledger.steps[-1])
            self.actor.doubtful.update(ledger.steps[-1].changes)

    def check(self, settle=True):
        observed = Observed(self.server, USERS, queue=True)
        try:
            check_all(self.company.ledgers, observed)
        except AssertionError as error:
            raise AssertionError("%s, %s" % ("after a restart" if settle else "while it runs", error))
        if settle:
            self.company.settle(observed)

    def after(self):
        """Service again, and nothing lost."""
        self.control.stop()
        if self.server.process.poll() is None:
            self.check_refusals()
            self.check(settle=False)  # what was refused may still come with a restart
            self.wait_for_service()
        self.server.kill()
        self.server.start()
        self.empty_queue()
        self.check()
        assert self.work(2) and not self.actor.refusals, "refused after the restart: %s" % self.actor.refusals[:3]

    def check_refusals(self):
        refusals, self.actor.refusals = self.actor.refusals, []
        wrong = [r for r in refusals if not TEMPORARY.search(r)]
        assert not wrong, "not a temporary error: %s" % wrong[:3]

    def wait_for_service(self):
        """As long as files cannot be written new mail is refused; the server tries once a second."""
        end = time.monotonic() + 5
        while True:
            self.work(2)
            refused, self.actor.refusals = self.actor.refusals, []
            if not refused or "journal failed" in self.server.log():
                return
            assert time.monotonic() < end, "still refused when all was well again: %s" % refused[:3]
            time.sleep(0.05)

    def empty_queue(self):
        """When one recipient had to wait the message is in the queue."""
        end = time.monotonic() + 10
        while any(waiting_users(entry) for entry in self.server.mailctl_json("queue", "list")):
            assert time.monotonic() < end, "the queue does not deliver"
            self.server.mailctl("queue", "retry")
            time.sleep(0.02)


def describe(classes, error, first, last, half):
    name = {Control.WRITE: "write", Control.SYNC: "sync", Control.NAME: "name", Control.OPEN: "open", Control.TIME: "times"}[classes]
    return "%s number %d%s: %s%s" % (name, first, " and all behind it" if last == FOREVER else "", errno.errorcode[error],
                                     ", half written" if half else "")


def run_calls(trial, seen):
    """One failure of a call; `seen` counts what failed."""
    classes, errors = trial.random.choices(KINDS, (4, 2, 4, 3, 1))[0]
    error, half = trial.random.choice(errors), classes == Control.WRITE and trial.random.random() < 0.3
    first = trial.random.randint(1, 40)
    last = trial.random.choice((first, first, first + 3, FOREVER))
    what = describe(classes, error, first, last, half)
    try:
        trial.control.fail(classes, error, first, last, half)
        alive = trial.work(STEPS)
        _, failed, _, call = trial.control.read()
        what += " (%s)" % call
        assert alive, "maild ended:\n" + trial.server.log()[-1500:]
        trial.after()
    except AssertionError as wrong:
        raise AssertionError("%s: %s" % (what, wrong))
    if failed:
        seen.add(re.sub(r"[0-9a-z]{8,}\S*|\d+", "#", call))


def run_allocation(trial):
    """The server has a reserve; where a library has none it may end, as in a crash. What was acknowledged is there."""
    number = int(2 ** trial.random.uniform(0, 12))
    trial.control.fail_allocation(number)
    alive = trial.work(STEPS)
    trial.control.stop()
    trial.actor.refusals = []
    try:
        if alive:
            trial.check()
    except (OSError, ProtocolError):  # it ended behind the last reply
        alive = not trial.has_ended()
    if not alive:
        assert trial.server.process.returncode == -signal.SIGABRT, "maild ended with %d" % trial.server.process.returncode
        trial.server.kill()
        trial.server.start()
        trial.check()
    assert trial.work(2) and not trial.actor.refusals, "no service after allocation %d failed: %s" % (
        number, trial.actor.refusals[:3])
    return not alive


def run_in_turns(seed, failures, one):
    """A new instance now and then: nobody empties bob's mailbox. one(trial, number of the failure)."""
    for first in range(0, failures, PER_INSTANCE):
        trial, number = Trial("%s.%d" % (seed, first // PER_INSTANCE)), first
        try:
            for number in range(first, min(failures, first + PER_INSTANCE)):
                one(trial)
        except AssertionError as error:
            raise AssertionError("seed %s, failure %d, %s\n%s" % (seed, number, error, trial.server.log()[-1500:]))
        finally:
            trial.close()


def run(seed, failures, report=lambda text: None):
    seen = set()
    run_in_turns(seed, failures, lambda trial: run_calls(trial, seen))
    report("%d failures, %d kinds of calls" % (failures, len(seen)))


def run_allocations(seed, failures, report=lambda text: None):
    ended = []
    run_in_turns(seed, failures, lambda trial: ended.append(run_allocation(trial)))
    report("%d allocations failed, the server ended %d times" % (failures, sum(ended)))


def limit_memory(process, more):
    """The address space: so many bytes more than it is now, or RLIM_INFINITY."""
    if more != resource.RLIM_INFINITY:
        with open("/proc/%d/statm" % process.pid) as f:
            more += int(f.read().split()[0]) * resource.getpagesize()
    resource.prlimit(process.pid, resource.RLIMIT_AS, (more, resource.RLIM_INFINITY))


def hoard(server):
    """Connections until no more are accepted, which is when memory is short."""
    connections = []
    while len(connections) < 2000:
        connections.append(socket.create_connection(("127.0.0.1", server.port("imap")), timeout=0.3))
        try:
            connections[-1].recv(1000)
        except socket.timeout:
            break
    return connections


def run_short_memory(trial):
    """The server gets no more address space: what is new is refused."""
    trial.actor.connect(timeout=3)
    limit_memory(trial.server.process, 1 << 18)
    connections = hoard(trial.server)
    try:
        for _ in range(STEPS):
            trial.actor.act()
    except (OSError, ProtocolError):
        assert not trial.has_ended(), "maild ended:\n" + trial.server.log()[-1500:]
    finally:
        trial.actor.close()
        trial.abandon()
        for connection in connections:
            connection.close()
    refusals = list(trial.actor.refusals)
    trial.check_refusals()
    limit_memory(trial.server.process, resource.RLIM_INFINITY)
    trial.check(settle=False)
    trial.wait_for_service()
    return refusals


def run_memory(seed, times, report=lambda text: None):
    trial, refusals = Trial(seed), []
    try:
        for _ in range(times):
            refusals += run_short_memory(trial)
            trial.after()
        assert refusals and "new work is refused" in trial.server.log(), "there was always enough memory: %s" % trial.server.log()[-1500:]
        report("%d refusals" % len(refusals))
    except AssertionError as error:
        raise AssertionError("seed %s, %s\n%s" % (seed, error, trial.server.log()[-1500:]))
    finally:
        trial.close()
