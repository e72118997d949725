"""SIGKILL at any moment under mixed load: everything acknowledged is there, once. tests/soak does it thousands of times."""

import time

from support import kills

KILLS = 20


def test_sigkill_under_mixed_load():
    kills.run(seed=time.time_ns() % 1000000, kills=KILLS)
