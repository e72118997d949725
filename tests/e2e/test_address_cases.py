"""The table of cases of addresses (address_cases.txt): one server for each configuration plays all of its rows."""

import os
import tempfile
from contextlib import ExitStack

from support.address_cases import Player, split_table
from support.address_world import TREE, World
from support.ldap_logins import LdapInstance, slapd_block
from support.slapd import Slapd
from support.smtp_sink import SmtpSink

CONFIG = """
policy {
    trusted_networks = ""
}
smtp {
    errors_max = 10000
}
queue {
    relay_host = [127.0.0.1]:%d
}
addresses {
    include_paths = %s
    %s
}
"""


def play(where, options=""):
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "address_cases.txt")) as f:
        text, sections = split_table(f.read())
    with ExitStack() as stack:
        sinks = {kind: SmtpSink() for kind in ("relay", "remote")}
        for sink in sinks.values():
            stack.callback(sink.close)
        lists = stack.enter_context(tempfile.TemporaryDirectory(prefix="maild-test-lists-"))
        ldap = stack.enter_context(Slapd(users=20)) if where in ("ldap", "mixed") else None
        server = LdapInstance(slapd_block(ldap, domains=None, base='"%s"' % TREE) if ldap else "", users=("nobody-here",), cache="5m")
        server.add_config(CONFIG % (sinks["remote"].port, lists, options))
        stack.enter_context(server)
        World(text, relay="[127.0.0.1]:%d" % sinks["relay"].port, lists=lists).fill(server, where, ldap)
        player = Player(server, sinks)
        for _, configurations, rows in sections:
            if where in configurations:
                for row in rows:
                    player.play(row)
        player.finish()


def test_embedded():
    play("embedded")


def test_ldap():
    play("ldap")


def test_mixed():
    play("mixed")


def test_options():
    play("options", "groups = no\n    detail_mailbox = yes")
