"""Name services that hang: who connects to the control socket again and again keeps neither logins nor others waiting."""

import pwd
import time

from support.control import Caller, Machine
from support.disk_layer import library
from support.mail import imap

SECONDS = 4


def test_a_user_whose_name_takes_long():
    server = Machine(users=("games", "news", "bob"))
    server.environment.update({"LD_PRELOAD": library("slow_names"), "MAILD_SLOW_UID": str(pwd.getpwnam("games").pw_uid),
                               "MAILD_SLOW_SECONDS": str(SECONDS)})
    with server:
        slow = [Caller(server, "games") for _ in range(8)]
        begin = time.monotonic()
        imap(server, "bob").logout()
        with Caller(server, "news") as other:
            assert other.ask("whoami")["ok"]
        assert time.monotonic() - begin < SECONDS / 2
        slow[0].send({"verb": "whoami"})
        assert slow[0].answer()[1]["ok"]  # it takes its time
        assert time.monotonic() - begin > SECONDS / 2
        for caller in slow:
            caller.__exit__()
