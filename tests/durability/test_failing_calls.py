"""One call after the other fails, without strace: some of those that tests/soak goes through."""

import time

from support import faults

FAILURES, ALLOCATIONS = 20, 40


def test_calls():
    faults.run(seed=time.time_ns() % 1000000, failures=FAILURES)


def test_allocations():
    faults.run_allocations(seed=time.time_ns() % 1000000, failures=ALLOCATIONS)
