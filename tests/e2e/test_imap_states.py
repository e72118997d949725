"""Every command in every state in which it is not allowed: BAD says what is missing, nothing else happens."""

import os
import re

from support.imap_raw import RawImap
from support.instance import ROOT, Instance

ANONYMOUS_BADS = 4  # one less than those that end a session


def commands():
    """{name: A, L, S or IMAP_ANY}: the state from which on it is allowed."""
    with open(os.path.join(ROOT, "src/imap/command_table.c")) as f:
        return dict(re.findall(r'^    \{"([A-Z]+)", (\w+),', f.read(), re.M))


def refused(box, name, why):
    # Without arguments: the state is looked at first.
    status, text, lines = box.command(name.encode())
    assert status == b"BAD" and why in text and not lines, (name, status, text, lines)


def test_commands_in_the_wrong_state():
    table = commands()
    assert len(table) > 40 and set(table.values()) == {"A", "L", "S", "IMAP_ANY"}, table
    early = [name for name, state in table.items() if state in "LS"]
    with Instance(users=("alice",)) as server:
        def connect():
            return RawImap(server.port("imaps"), server.tls_context())

        for start in range(0, len(early), ANONYMOUS_BADS):
            box = connect()
            for name in early[start:start + ANONYMOUS_BADS]:
                refused(box, name, b"%s needs a login first" % name.encode())
            box.close()
        box = connect().login("alice@example.test")
        for name, state in table.items():
            if state == "S":
                refused(box, name, b"%s needs a selected mailbox" % name.encode())
            elif state == "A":
                refused(box, name, b"%s is not possible after the login" % name.encode())
            box.ok(b"NOOP")
        box.ok(b"SELECT INBOX")
        for name, state in table.items():
            if state == "A":
                refused(box, name, b"%s is not possible after the login" % name.encode())
        box.close()
