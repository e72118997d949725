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


def names(box):
    return sorted(line.split()[-1].strip(b'"').decode() for line in box.ok(b'LIST "" Work*') + box.ok(b'LIST "" Job*')
                  if line.startswith(b"* LIST"))


def test_rename_that_fails_below():
    """The mailbox has its new name already when one below it cannot get it: it gets its old one again."""
    with Layered(control=True) as server:
        box = RawImap(server.port("imap")).login("alice@example.test")
        for name in (b"Work", b"Work/a", b"Work/b"):
            box.ok(b"CREATE " + name)
            box.ok(b"APPEND " + name, (b"Subject: in %s\r\n\r\nx\r\n" % name,))
        for failing in ("/.Work.a", "/.Work.b"):  # one of them comes behind others
            server.control.fail(Control.NAME, errno.EIO, 1, faults.FOREVER, only=failing)
            status, text, _ = box.command(b"RENAME Work Job")
            server.control.stop()
            assert status == b"NO" and text.startswith(b"[UNAVAILABLE]"), (status, text)
            assert names(box) == ["Work", "Work/a", "Work/b"], names(box)
        wait_for(lambda: box.command(b"RENAME Work Job")[0] == b"OK", "it cannot be renamed when all is well again")
        assert names(box) == ["Job", "Job/a", "Job/b"], names(box)
        for name in (b"Work", b"Work/a", b"Work/b"):
            box.ok(b"SELECT " + name.replace(b"Work", b"Job"))
            assert b"* SEARCH 1" in box.ok(b'SEARCH SUBJECT "in %s"' % name)
        box.close()
