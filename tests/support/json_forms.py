"""What every command of mailctl prints with --json, and what docs/json.md says about it."""

import json
import os
import subprocess

from .instance import ROOT, build_dir
from .mail import imap, inject, submit
from .smtp_sink import SmtpSink

TEXT = "From: alice@example.test\r\nTo: bob@example.test\r\nSubject: x\r\n\r\nbody\r\n"
ALICE, BOB = "alice@example.test", "bob@example.test"


def prepare(server):
    """Something of everything. What has to stay until the end."""
    sink = SmtpSink(lambda verb, command: "451 4.7.1 later" if verb == "RCPT" else None)
    server.add_config("queue {\n    relay_host = [127.0.0.1]:%d\n    retry_first = 1h\n}\n" % sink.port)
    server.add_config("rule grey { check = greylist; retry_after = 1s }")
    server.add_config("tls_report {\n    send = yes\n    contact = tls@example.test\n    organization = Example\n}\n")
    server.start()
    server.mailctl("domain", "add", "old.test")
    with open(os.path.join(server.directory, "records.csv"), "w") as f:
        f.write("type,address,destinations\naddress,imported@example.test,%s\n" % BOB)
    with open(os.path.join(server.directory, "text.mbox"), "w") as f:
        f.write("From a@b.test Sat Nov 21 10:00:00 2026\nSubject: imported\n\nbody\n")
    for i in range(3):
        submit(server, "alice", [ALICE, BOB], TEXT)
    submit(server, "alice", ["x@far.test", "y@far.test"], TEXT)
    box = imap(server, "alice")
    box.create("Old")
    return sink, box


def message_id(server):
    return server.mailctl_json("queue", "list")[0]["id"]


def cases(server):
    """The name of a command, and its words; a function where they are not known before. In this order."""
    path = os.path.join(server.directory, "")
    key = path + "dkim.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True, capture_output=True)
    return [
        ("init", ["--root", path + "other", "--domain", "other.test", "--user", "carol:secret", "--port-base", "30000"]),
        ("start", []), ("status", []), ("status", ["--long"]),
        ("log flush", []), ("log level", []), ("report", []), ("log level", []), ("report", ["--hours", "1"]), ("reload", ["--dry-run"]), ("reload", []),
        ("config check", []), ("config show", []), ("config manual", []),
        ("user add", ["carol@example.test", "--force", "--password-stdin"]), ("user set", ["carol@example.test", "--name", "Carol", "--forward", BOB]),
        ("user list", []), ("user show", [ALICE]), ("user password", ["carol@example.test", "--force", "--password-stdin"]),
        ("user passwd", ["carol@example.test", "--force", "--password-stdin"]),
        ("user app-password add", [ALICE, "phone", "--network", "192.0.2.0/24", "--expires", "90d"]),
        ("user app-password list", [ALICE]), ("user app-password delete", [ALICE, "phone"]),
        ("user disable", ["carol@example.test"]), ("user enable", ["carol@example.test"]),
        ("group add", ["g@example.test", BOB, "--name", "G"]), ("group set", ["g@example.test", "--send-as"]),
        ("group member add", ["g@example.test", ALICE]), ("group list", []), ("group show", ["g@example.test"]),
        ("group member delete", ["g@example.test", ALICE]), ("group delete", ["g@example.test", "--yes"]),
        ("domain add", ["new.test"]), ("domain set", ["new.test", "--catch-all", ALICE, "--dkim-selector", "s", "--dkim-key", key]),
        ("domain list", []), ("domain show", ["new.test"]),
        ("address add", ["info@new.test", ALICE]), ("address set", ["info@new.test", BOB, "--internal"]),
        ("address list", []), ("address show", ["info@new.test"]), ("address explain", ["info@new.test"]),
        ("address rule add", ["r", "^t-([0-9]+)@", ALICE, "--domain", "new.test"]),
        ("address rule add", ["s", "^u-([0-9]+)@", ALICE]),
        ("address rule set", ["r", "--internal"]), ("address rule move", ["r", "--last"]), ("address rule list", []),
        ("address rule show", ["r"]), ("address rule test", ["u-1@example.test"]), ("address rule delete", ["s"]),
        ("send-as add", ["info@new.test", ALICE]), ("send-as list", []), ("send-as test", [ALICE, "info@new.test"]),
        ("send-as delete", ["info@new.test", ALICE]),
        ("directory export", []), ("directory import", [path + "records.csv"]), ("directory show", []),
        ("directory lookup", [ALICE]), ("cache show", []), ("cache show", [ALICE]), ("cache flush", []),
        ("address delete", ["info@new.test"]), ("address rule delete", ["r"]), ("domain delete", ["old.test", "--yes"]),
        ("auth test", [ALICE, "--password-stdin"]), ("auth penalties", []), ("auth unlock", ["--all"]),
        ("verify", [ALICE]), ("route test", [ALICE, "x@far.test"]), ("route list", []), ("srs rotate", []),
        ("tls policy", ["far.test"]), ("tls flush", ["--all"]), ("tls report", []), ("tls send", []),
        ("dns records", ["example.test"]), ("doctor", ["--only", "disk,clock,server"]),
        ("queue list", []), ("trace", lambda: [message_id(server)]), ("trace", [ALICE]), ("queue show", lambda: [message_id(server)]), ("queue hold", lambda: [message_id(server)]),
        ("queue release", lambda: [message_id(server)]), ("queue retry", ["--all"]), ("queue flush", ["far.test"]),
        ("queue requeue", ["--all"]), ("queue pause", ["far.test"]), ("queue resume", ["far.test"]), ("queue top", []),
        ("queue stats", []), ("queue stats", ["--day"]), ("queue delete", ["--all", "--yes"]),
        ("who", []), ("who", ["--count", "user"]), ("limits", []), ("rawlog on", [ALICE]), ("rawlog list", []),
        ("rawlog off", [ALICE]), ("kick", ["--user", "alice", "--yes"]),
        ("mailbox create", [ALICE, "A", "B"]), ("mailbox list", [ALICE]), ("mailbox status", [ALICE]),
        ("mailbox rename", [ALICE, "A", "C"]), ("mailbox subscribe", [ALICE, "C"]), ("mailbox unsubscribe", [ALICE, "C"]),
        ("mailbox path", [ALICE, "C"]), ("mailbox delete", [ALICE, "B", "--yes"]),
        ("mailbox create", ["public", "News"]), ("mailbox acl set", ["public", "News", "anyone", "lr"]),
        ("mailbox acl list", ["public", "News"]), ("mailbox acl delete", ["public", "News", "anyone"]),
        ("search", [ALICE, "all"]), ("fetch", [ALICE, "uid flags hdr.subject size", "uid", "1"]),
        ("flags add", [ALICE, "\\Flagged", "uid", "1"]), ("flags remove", [ALICE, "\\Flagged", "uid", "1"]),
        ("flags set", [ALICE, "\\Seen", "uid", "1"]), ("copy", [ALICE, "C", "uid", "1"]), ("move", [ALICE, "C", "uid", "1"]),
        ("backup", [ALICE, path + "b.tar"]), ("expunge", [ALICE, "mailbox", "C", "all", "--yes"]),
        ("mailbox undelete", [ALICE, "--list"]), ("mailbox undelete", [ALICE]), ("mailbox purge", [ALICE, "--yes"]),
        ("restore", [ALICE, path + "b.tar", "--list"]), ("restore", [ALICE, path + "b.tar"]),
        ("export", [ALICE, path + "exported"]), ("import", [ALICE, path + "text.mbox"]),
        ("policy test", ["--client", "192.0.2.1", "--from", "a@b.test", "--to", ALICE]), ("policy list", []),
        ("policy checks", []), ("policy limits", []), ("policy greylist list", []),
        ("policy greylist allow", ["192.0.2.0/24"]), ("policy greylist list", []),
        ("policy greylist delete", ["192.0.2.0/24"]),
        ("quota set", [ALICE, "--storage", "1G"]), ("quota get", []), ("quota recalc", [ALICE]),
        ("store check", [ALICE]), ("store rebuild", [ALICE]), ("store flush", []),
        ("manual", []), ("completion", ["bash"]), ("completion words", ["--", "user", ""]),
        ("user delete", ["carol@example.test", "--yes"]), ("upgrade", []), ("stats", ["--count", "1"]), ("log show", ["--lines", "3"]), ("whoami", []), ("check", ["--certificate", "off"]), ("stop", []),
    ]


def run_all(server):
    """For each case: the command's name, its words and the document that it printed."""
    found = []
    for name, words in cases(server):
        words = words() if callable(words) else words
        arguments = ["--json", *name.split(), *words]
        result = server.run_mailctl(*arguments, check=False, stdin="secret\n", config="--root" not in words)
        assert result.returncode == 0, (arguments, result)
        try:
            found.append((name, words, json.loads(result.stdout)))
        except ValueError:
            raise AssertionError("%s: no JSON document: %r" % (" ".join(arguments), result.stdout[:500])) from None
    return found


KINDS = {bool: "boolean", int: "number", float: "number", str: "text", type(None): "null", list: "array", dict: "object"}


def members(value, path=""):
    """Pairs of path and kind: "" is the document, "a.b" a member, "a[]" what is in an array."""
    yield path, KINDS[type(value)]
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from members(inner, path + "." + name if path else name)
    elif isinstance(value, list):
        for inner in value:
            yield from members(inner, path + "[]")


def commands():
    text = subprocess.run([os.path.join(build_dir(), "mailctl"), "--help", "--json"], capture_output=True, check=True).stdout
    return [c["name"] for c in json.loads(text)["commands"]]
