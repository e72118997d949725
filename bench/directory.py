"""Look-ups in the directory that it has answered before: a million a second is asked. Then logins over LDAP."""

import os
import tempfile

import directory_logins
from common import program, show

ASKED = 1000000


def run(quick):
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "directory.db")
        for line in program("bench_directory", path, 1000000 if quick else 10000000).splitlines():
            what, rate = line.rsplit(None, 1)
            show("cached: " + what.strip(), int(rate), "/s (%.1f times what is asked)" % (int(rate) / ASKED))
    directory_logins.run(quick)
