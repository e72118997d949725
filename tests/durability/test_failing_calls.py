"""One call after the other fails, without strace: some of those that tests/soak goes through."""

import time

from support import faults

FAILURES, ALLOCATIONS, SHORTAGES = 20, 20, 1


def test_calls():
    faults.run(seed=time.time_ns() % 1000000, failures=FAILURES)


def test_allocations():
    faults.run_allocations(seed=time.time_ns() % 1000000, failures=ALLOCATIONS)


def test_memory():
    faults.run_memory(seed=time.time_ns() % 1000000, times=SHORTAGES)
