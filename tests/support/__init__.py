"""What the tests share."""

import signal
import subprocess
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


class Closing:
    """What is closed at the end of its `with`."""

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.close()


def end_process(process, seconds=20):
    """One that is stopped goes on to end; one that does not end is killed."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGCONT)
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
