"""One call after the other fails, without strace: some of those that tests/soak goes through."""

import errno
import time

from support import faults, wait_for
from support.disk_layer import Control, Layered
from support.imap_raw import RawImap
from support.mail import inject

FAILURES, ALLOCATIONS, SHORTAGES = 20, 20, 1


def test_calls():
    faults.run(seed=time.time_ns() % 1000000, failures=FAILURES)


def test_allocations():
    faults.run_allocations(seed=time.time_ns() % 1000000, failures=ALLOCATIONS)


def test_memory():
    faults.run_memory(seed=time.time_ns() % 1000000, times=SHORTAGES)


def test_special_folders_that_cannot_be_made():
    """Mail has come, and the disk is full before the first login: Trash is not gone, it is still to be made."""
    with Layered(control=True) as server:
        inject(server, "s@elsewhere.test", ["alice"], "Subject: first\r\n\r\nx\r\n", port="local")
        server.control.fail(Control.OPEN, errno.ENOSPC, 1, faults.FOREVER, only="/Maildir/")
        box = RawImap(server.port("imap")).login("alice@example.test")
        append = (b"APPEND Trash", (b"Subject: kept\r\n\r\nx\r\n",))
        status, text, _ = box.command(*append)
        assert status == b"NO" and text.startswith(b"[UNAVAILABLE]"), (status, text)
        status, text, _ = box.command(b"APPEND Elsewhere", append[1])
        assert status == b"NO" and text.startswith(b"[TRYCREATE]"), (status, text)
        server.control.stop()
        wait_for(lambda: box.command(*append)[0] == b"OK", "Trash is not made when there is space")
        box.close()
