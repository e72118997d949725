"""Logins that an LDAP server checks, against the binds themselves; and what a server that hangs costs whom."""

import statistics
import threading
import time

from common import program, show
from support.ldap_logins import LdapInstance, ask_imap, kind_of, slapd_block
from support.mail import imap
from support.slapd import Slapd

USERS = 200
POOL = 8  # connections for binds, of maild and of the comparison
CLIENTS = 32
ASKED = 0.9
LIMITS = "connections_per_login = 0\nconnections_per_address = 0\nconnections_per_login_and_address = 0\n"


def instance(ldap, **settings):
    """As it is by default, but for the size of the pool and limits for clients."""
    server = LdapInstance(slapd_block(ldap, preset="openldap", bind_connections=POOL, **settings), cache="5m")
    server.replace_config("log_level = debug\n", "")
    server.replace_config("listener imap {", "listener imap {\n    auth_without_tls = yes")
    with open(server.config_path) as f:
        text = f.read()
    with open(server.config_path, "w") as f:
        f.write(LIMITS + text)
    return server


def logins(quick, rounds=3):
    """In turn: what the server does without us, on as many connections as maild has for it, and logins at maild."""
    seconds = 1 if quick else 4
    for name, users in (("{SSHA}", {}), ("{CRYPT}, SHA-512", {"slow": True})):
        with Slapd(users=USERS, **users) as ldap, instance(ldap) as server:
            program("bench_logins", "imap", server.port("imap"), 4, 1, USERS)
            kinds = (("bind", ldap.port, POOL), ("whoami", ldap.port, POOL), ("imap", server.port("imap"), CLIENTS))
            rates = {kind: [] for kind, _, _ in kinds}
            for _ in range(rounds):
                for kind, port, connections in kinds:
                    rates[kind].append(float(program("bench_logins", kind, port, connections, seconds, USERS)))
            binds, whoami, ours = (statistics.median(rates[kind]) for kind in ("bind", "whoami", "imap"))
            show("directory: passwords as %s, logins as of ldapwhoami" % name, whoami, "a second")
            show("directory: bare binds, without a library", binds, "a second")
            show("directory: logins at maild over them", ours, "a second")
            show("directory: ratio", ours / whoami, "of ldapwhoami's (asked: %g)" % ASKED)
            show("directory: ratio", ours / binds, "of the bare binds")


class Bystander(threading.Thread):
    """A session that is logged in and goes on."""

    def __init__(self, server, user):
        super().__init__(daemon=True)
        self.box, self.times, self.running = imap(server, user, "sesame-" + user), [], True
        self.box.select()

    def run(self):
        while self.running:
            begin = time.monotonic()
            self.box.noop()
            self.box.status("INBOX", "(MESSAGES UNSEEN)")
            self.times.append(time.monotonic() - begin)
            time.sleep(0.002)


def hanging(quick):
    """Sessions that do not need the directory, before and while it hangs and logins pile up; the first login after it."""
    seconds = 3 if quick else 30
    with Slapd(users=USERS) as ldap, instance(ldap) as server:
        bystanders = [Bystander(server, "user%03d" % n) for n in range(1, 11)]
        for bystander in bystanders:
            bystander.start()
        time.sleep(2)
        before = [t for b in bystanders for t in b.times]
        for bystander in bystanders:
            bystander.times.clear()
        ldap.freeze()
        outcomes, stop = [], time.monotonic() + seconds

        def try_to_log_in():
            while time.monotonic() < stop:
                outcomes.append(kind_of(ask_imap(server, "anna", "sesame-anna", 60)))

        waiting = [threading.Thread(target=try_to_log_in) for _ in range(20)]
        for thread in waiting:
            thread.start()
        time.sleep(max(0, stop - time.monotonic()))
        during = [t for b in bystanders for t in b.times]
        ldap.thaw()
        begin = time.monotonic()
        while kind_of(ask_imap(server, "clara", "sesame-clara", 60)) != "yes":
            pass
        resumed = time.monotonic() - begin
        for bystander in bystanders:
            bystander.running = False
            bystander.join()
        for thread in waiting:
            thread.join()
        for when, times in (("before", before), ("while the directory hangs", during)):
            show("directory: two commands of a session, %s, median" % when, statistics.median(times) * 1e3, "ms")
            show("directory: the same, 99th percentile", sorted(times)[len(times) * 99 // 100] * 1e3, "ms")
        show("directory: the first login after it is back", resumed, "s (asked: 1)")
        show("directory: answers to logins meanwhile", " ".join(sorted(set(outcomes) - {"yes"})), "")


def run(quick):
    logins(quick)
    hanging(quick)
