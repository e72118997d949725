"""SIGKILL at any moment while mail is sent: nothing is lost, and at most what was in flight comes twice.
tests/soak does it for hours."""

import time

from support import sending

KILLS = 15


def test_sigkill_while_sending():
    sending.run(seed=time.time_ns() % 1000000, kills=KILLS)
