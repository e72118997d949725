"""What the tests share."""

import time


class Skip(Exception):
    """Raised by a test that cannot run on this machine, with the reason."""


def wait_for(condition, what="it did not become true", seconds=30):
    """What works on its own time is asked until it is so; what it says then."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, what
        time.sleep(0.02)
