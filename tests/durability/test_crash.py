"""SIGKILL at any moment under load: no acknowledged message is lost, none is twice in a mailbox."""

import random
import time

from support.instance import Instance
from support.load import USERS, Load
from support.mail import imap_bodies


def test_sigkill_under_load():
    generator = random.Random(20261121)
    server, load = Instance(), Load()
    try:
        for _ in range(8):
            server.start()
            load.start(server)
            time.sleep(generator.uniform(0.2, 1.2))  # the moment is what is random here
            server.kill()
            load.stop()
        server.start()
        assert len(load.acknowledged) > 100, "hardly anything was sent: %d" % len(load.acknowledged)
        load.check(server)
        before = {u: imap_bodies(server, u) for u in USERS}
        server.restart()
        assert before == {u: imap_bodies(server, u) for u in USERS}
        server.close()
    finally:
        server.kill()
        server.close()
