"""Power cuts by recorded system calls: actors work, every call of the server that changes its disk is recorded with
the moments at which it told them so, and then the server is started on the disks that a power cut may have left."""

import concurrent.futures
import os
import random
import re
import socket
import time

from .actors import Company
from .disk_layer import Layered
from .disk_states import POLICIES, WRITE, Recording, fingerprint, read_log, read_tree, write_tree
from .ledger import Observed, check_all

USERS = ("alice", "bob")
VERIFIERS = 2


class Verifier:
    """An instance that is started on one state after the other."""

    def __init__(self, log=False):
        self.server = Layered(log=log)

    def wait_ready(self):
        end = time.monotonic() + 30
        while time.monotonic() < end:
            if self.server.process.poll() is not None:
                raise AssertionError("maild ended with %d: %s" % (
                    self.server.process.returncode, self.server.log()[-600:]))
            try:
                with socket.create_connection(("127.0.0.1", self.server.port("imap")), timeout=10) as s:
                    if s.recv(1):
                        return
            except OSError:
                time.sleep(0.002)
        raise AssertionError("maild does not answer: " + self.server.log()[-600:])

    def start(self):
        self.server.start(wait=False)
        self.wait_ready()

    def observe(self):
        self.start()
        try:
            return Observed(self.server, USERS, queue=True)
        finally:
            self.server.kill()

    def check(self, tree, ledgers, told, again=False):
        write_tree(tree, self.server.data)
        self.forget_log()
        observed = self.observe()
        check_all(ledgers, observed, told)
        if again:
            second = self.observe()
            assert observed.world == second.world, "the second start shows something else: %s" % sorted(
                set(observed.world.items()) ^ set(second.world.items()))[:5]
            check_all(ledgers, second, told)

    def complaints(self):
        """Warnings and errors in its log, so that a failure can be understood without another one."""
        return "".join("\n  " + line for line in self.server.log().splitlines() if re.search(" (warning|error) ", line))

    def forget_log(self):
        for path in (self.server.log_path, os.path.join(self.server.root, "log", "maild.log")):
            if os.path.exists(path):
                os.truncate(path, 0)

    def close(self):
        self.server.kill()
        self.server.close()


def record(seed, steps, actors=3):
    """(recording, ledgers) of actors that did so many steps each. Also holds the recorder against the real disk."""
    server = Layered(log=True, sync_delay=3000)
    try:
        start = read_tree(server.data)
        server.start()
        company = Company(server, seed, actors, queue=True)
        company.start(steps)
        company.join()
        assert not company.errors, company.errors
        refusals = [r for actor in company.actors for r in actor.refusals]
        assert not refusals, "nothing was wrong, but: %s" % refusals[:3]
        server.stop()
        entries = read_log(server.disk_log, server.data)
        recording = Recording(start, entries)
        end, made = read_tree(server.data), recording.state(len(entries), POLICIES[0], random.Random(seed))
        wrong = [p for p in set(end) | set(made) if p not in end or p not in made or
                 (end[p] is None) != (made[p] is None) or (end[p] and end[p].data != made[p].data)]
        assert not wrong, "the recorder missed what happened to %s" % sorted(wrong)[:5]
        return recording, company.ledgers
    finally:
        server.kill()
        server.close()


def choose_moments(recording, generator):
    """Without end: half of them anywhere, half in the neighbourhood of what is rare."""
    kinds = {}
    for index in range(len(recording.entries)):
        kinds.setdefault(recording.signature(index), []).append(index)
    rare = list(kinds.values())
    while True:
        if generator.random() < 0.5:
            yield generator.randrange(1, len(recording.entries) + 1)
        else:
            yield min(generator.choice(generator.choice(rare)) + generator.choice((0, 1, 1, 2)), len(recording.entries))


def writes_that_get_lost(recording, generator):
    """(cut, policy): just after a write to each sort of file, whoever's it is, its name is there and its bytes
    are not."""
    kinds = {}
    for index, entry in enumerate(recording.entries):
        if entry.type == WRITE:
            path = recording.signature(index)[2]
            kinds.setdefault(re.sub(r"/(%s)/" % "|".join(USERS), "/USER/", path), []).append(index)
    return [(generator.choice(indexes) + 1, policy) for indexes in kinds.values() for policy in POLICIES
            if policy.name in ("names without bytes", "names and zeros")]


def choose_states(recording, generator, count):
    """At least count different ones: (cut, policy's name, number of chance, tree)."""
    seen = set()
    moments = choose_moments(recording, generator)
    certain = writes_that_get_lost(recording, generator)
    count += len(certain)
    for _ in range(count * 10):
        cut, policy = certain.pop() if certain else (next(moments), generator.choice(POLICIES))
        number = generator.randrange(1 << 32)
        tree = recording.state(cut, policy, random.Random(number))
        mark = fingerprint(tree)
        if mark not in seen:
            seen.add(mark)
            yield cut, policy, number, tree
            if len(seen) == count:
                return


def keep(tree, seed, cut):
    """Where a disk that fails is kept, if the environment says so."""
    directory = os.environ.get("MAILD_KEEP")
    if not directory:
        return ""
    path = os.path.join(directory, "power-%s-%d" % (seed, cut))
    os.makedirs(path, exist_ok=True)
    write_tree(tree, path)
    return "\n  kept in " + path


def run(seed, states, steps=40, report=lambda text: None):
    """Raises AssertionError with what is wrong and the seed."""
    recording, ledgers = record(seed, steps)
    generator = random.Random(seed)
    verifiers = [Verifier() for _ in range(VERIFIERS)]
    free = list(verifiers)

    def check(cut, policy, number, tree):
        verifier = free.pop()
        try:
            verifier.check(tree, ledgers, lambda mark: recording.told_at(mark) < cut, again=number % 8 == 0)
        except Exception as error:
            return "seed %s, power cut before call %d of %d (%s), %s [%d]:\n  %s: %s%s%s" % (
                seed, cut, len(recording.entries), recording.signature(min(cut, len(recording.entries) - 1)),
                policy.name, number, type(error).__name__, error, verifier.complaints(), keep(tree, seed, cut))
        finally:
            free.append(verifier)

    wrong, count = [], 0
    try:
        with concurrent.futures.ThreadPoolExecutor(VERIFIERS) as pool:
            waiting = set()
            for chosen in choose_states(recording, generator, states):
                waiting.add(pool.submit(check, *chosen))
                count += 1
                if len(waiting) >= 2 * VERIFIERS:
                    done, waiting = concurrent.futures.wait(waiting, return_when=concurrent.futures.FIRST_COMPLETED)
                    wrong += [d.result() for d in done if d.result()]
                if len(wrong) >= 5:
                    break
            wrong += [d.result() for d in waiting if d.result()]
    finally:
        for verifier in verifiers:
            verifier.close()
    report("%d disks of %d calls" % (count, len(recording.entries)))
    assert not wrong, "%d of %d disks:\n%s" % (len(wrong), count, "\n".join(wrong))
