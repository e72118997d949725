"""The IMAP server against Debian's Dovecot: clients of all kinds, each group of lines for one server and then for the other, in
turn, on one ext4 file system with a journal."""

import imaplib
import os
import re
import subprocess

import maildir
from common import BUILD, program, show
from file_system import FileSystem
from processes import Preferred, cpu_seconds, settle
from store_lines import LINES, show_head, show_line
from store_sides import BOX, DOVECOT, Dovecot, Maild
from support import reference

USERS = 10
MIXED = ["user%d" % i for i in range(USERS)]
LARGE = "large"  # a mailbox for downloads

LIMITS = """
default_process_limit = 3000
default_client_limit = 6000
mail_max_userip_connections = 20000
service auth {{
  client_limit = 12000
}}
service anvil {{
  client_limit = 12000
}}
service imap {{
  process_limit = 3000
  vsz_limit = 1G
}}
service imap-login {{
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
"""


class MaildImap(Maild):
    def __init__(self, directory):
        super().__init__(directory, [BOX, LARGE, *MIXED])
        with open(self.server.config_path) as f:
            text = f.read()
        limits = "connections_per_login = 0\nconnections_per_address = 0\nconnections_per_login_and_address = 0\n"
        with open(self.server.config_path, "w") as f:
            f.write(re.sub(r"^hostname", limits + "hostname", text, count=1, flags=re.M))


class DovecotImap(Dovecot):
    def __init__(self, directory):
        super().__init__(directory, DOVECOT + LIMITS)


def large_message(_r, _pool, n, _when):
    return "Subject: large %d\n\n" % n + "what a message says, and so on until it ends, 68 bytes to the line.\n" * 15000


def warm(side):
    """Every user has logged in once: maild knows the passwords then, whose hashes cost a tenth of a second each."""
    for user in MIXED:
        with imaplib.IMAP4("127.0.0.1", side.port("imap"), timeout=60) as client:
            client.login(user + "@example.test", "secret")
    program("bench_imap_mix", side.port("imap"), USERS, 4 * USERS, 1, "login")


def mix(side, quick):
    warm(side)
    for sessions in (10, 100, 1000):
        seconds = 2 if quick else 5
        before = cpu_seconds(side.roots())
        speed, _, commands = map(float, program("bench_imap_mix", side.port("imap"), USERS, sessions, seconds).split())
        used = cpu_seconds(side.roots()) - before
        yield "mix-%d" % sessions, speed
        yield "mix-%d-cpu" % sessions, used / (commands / 1000)


def logins(side, quick):
    warm(side)
    seconds = 1 if quick else 4
    user = MIXED[0] + "@example.test"
    yield "login", float(program("bench_imap_mix", side.port("imap"), USERS, 8, seconds, "login").split()[1])
    yield "login-tls", float(program("bench_imap_tls", side.port("imaps"), user, "logins", seconds, 8))


def bodies(side, quick):
    seconds = 1 if quick else 5
    user = LARGE + "@example.test"
    program("bench_imap_tls", "plain:%d" % side.port("imap"), user, "bodies", 0.1)
    before = cpu_seconds(side.roots())
    speed, size = map(float, program("bench_imap_tls", side.port("imaps"), user, "bodies", seconds).split())
    yield "body-tls", speed / 1e6
    yield "body-tls-cpu", (cpu_seconds(side.roots()) - before) / (size / 1e9)
    yield "body", float(program("bench_imap_tls", "plain:%d" % side.port("imap"), user, "bodies", seconds).split()[0]) / 1e6


def idle(side, quick):
    """maild with all that are asked for, Dovecot with fewer: it has a process for each."""
    count = (1000 if quick else 10000) if side.name == "maild" else 100
    user = BOX + "@example.test"
    few = subprocess.Popen([os.path.join(BUILD, "bench_imap_tls"), str(side.port("imaps")), user, "idle", "10"],
                           stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert few.stdout.readline() == "ready\n"
    before = settle(side.roots())
    many = subprocess.Popen([os.path.join(BUILD, "bench_imap_tls"), str(side.port("imaps")), user, "idle", str(count)],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert many.stdout.readline() == "ready\n"
    yield "idle-memory", (settle(side.roots()) - before) / count / 1024
    for process in (many, few):
        process.stdin.close()
        process.wait(timeout=120)


GROUPS = {"mix": mix, "logins": logins, "bodies": bodies, "idle-memory": idle}


def fill(side, directory):
    for user, master in ((BOX, "/thousand"), (LARGE, "/large"), *((user, "/thirty") for user in MIXED)):
        side.take(user, directory + master)


def run(quick, groups=(), rounds=2):
    kinds = [MaildImap] + ([DovecotImap] if reference.dovecot_available() else [])
    if len(kinds) == 1:
        show("imap: comparison", "skipped", "(needs root and dovecot 2.3: ./test --with-peers installs it)")
    with FileSystem() as directory:
        maildir.make(directory + "/thousand", 1000)
        maildir.make(directory + "/thirty", 30, maildir.small_message)
        maildir.make(directory + "/large", 20, large_message)
        sides = [kind(directory) for kind in kinds]
        try:
            for side in sides:
                fill(side, directory)
            with Preferred() as preferred:
                compare(sides, quick, groups or GROUPS, rounds, preferred)
        finally:
            for side in sides:
                side.close()


def compare(sides, quick, groups, rounds, preferred):
    short = []
    show_head()
    for name in groups:
        figures = {"maild": {}, "dovecot": {}}
        for _ in range(rounds):
            for side in sides:
                side.start()
                preferred.add(side.roots())
                for key, value in GROUPS[name](side, quick):
                    figures[side.name].setdefault(key, []).append(value)
                side.stop()
        for key in LINES:
            if key in figures["maild"] and not show_line(key, figures["maild"][key], figures["dovecot"].get(key, [])):
                short.append(LINES[key].title)
    show("lines that are short of what they must reach", len(short), "; ".join(short))
