"""The clock of the machine jumps, forward and back: mail comes in and stays in order of arrival."""

import glob
import os

from support import Skip
from support.instance import Instance
from support.mail import imap_bodies, inject

TEXT = "Subject: x\r\n\r\nx\r\n"


def test_clock_that_jumps():
    library = next(iter(glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")), None)
    if not library:
        raise Skip("libfaketime is missing")
    server = Instance()
    clock = os.path.join(server.directory, "clock")

    def set_clock(offset):
        with open(clock, "w") as f:
            f.write(offset + "\n")

    set_clock("+0")
    server.environment.update(LD_PRELOAD=library, FAKETIME_TIMESTAMP_FILE=clock, FAKETIME_NO_CACHE="1", DONT_FAKE_MONOTONIC="1")
    with server:
        for count, offset in enumerate(("+0", "-3d", "+400d", "-10y", "+20y")):
            set_clock(offset)
            inject(server, "s@elsewhere.test", ["alice"], TEXT)
            assert len(imap_bodies(server, "alice")) == count + 1
        server.restart()
        assert len(imap_bodies(server, "alice")) == 5
