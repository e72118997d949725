"""Every command prints one JSON document with --json, and docs/json.md knows all that is in it."""

import fnmatch
import os
import re

from support.instance import ROOT, Instance
from support.json_forms import commands, members, prepare, run_all

WITHOUT = {"sendmail"}  # has a command line of its own
NOT_RUN = {"store release"}  # needs a mailbox that has crashed the server; tests/durability/test_set_aside.py


def documented():
    """For each command its members: {path: kinds}."""
    found, names = {}, []
    with open(os.path.join(ROOT, "docs", "json.md")) as f:
        for line in f.read().split("\n"):
            if line.startswith("## "):
                names = re.findall(r"`([^`]+)`", line)
                found.update({n: {} for n in names})
            elif line.startswith("| `") and names:
                path, kinds = [c.strip() for c in re.split(r"(?<!\\)\|", line)[1:3]]
                for name in names:
                    found[name][path.strip("`")] = {k.split()[0] for k in re.split(r", | or ", kinds)}
    with open(os.path.join(ROOT, "docs", "json.md")) as f:
        text = f.read().split("## Commands without a result")[1].split("\n## ")[0]
    found.update({name: {} for name in re.findall(r"`([^`]+)`", text)})
    return found


def kinds_of(rows, path):
    if path in rows:
        return rows[path]
    for pattern, kinds in rows.items():
        if "*" in pattern and fnmatch.fnmatchcase(path, pattern.replace("[]", "[[][]]")):
            return kinds
    return None


def test_every_document_is_documented():
    known = documented()
    missing = set(commands()) - set(known) - WITHOUT
    assert not missing, "docs/json.md says nothing of: %s" % ", ".join(sorted(missing))
    server = Instance()
    try:
        kept = prepare(server)
        found = run_all(server)
        assert kept
    finally:
        server.close()
    not_run = set(commands()) - {name for name, _, _ in found} - WITHOUT - NOT_RUN
    assert not not_run, "no case in tests/support/json_forms.py for: %s" % ", ".join(sorted(not_run))
    wrong = set()
    for name, words, document in found:
        for path, kind in members(document):
            path = path[3:] if path.startswith("[].") and "[].user" not in known[name] else path
            if path.endswith("[]") or not path:
                continue
            kinds = kinds_of(known[name], path)
            if kinds is None or not kinds & {kind, "any"}:
                wrong.add("%s: `%s` | %s" % (name, path, kind if kinds is None else "%s, not %s" % (kind, kinds)))
    assert not wrong, "docs/json.md does not have:\n" + "\n".join(sorted(wrong))


def test_nothing_is_documented_that_the_program_does_not_know():
    source = ""
    for folder in ("mailctl", "ctl", "trace", "server"):
        path = os.path.join(ROOT, "src", folder)
        for name in os.listdir(path):
            if name.endswith((".c", ".h")):
                with open(os.path.join(path, name)) as f:
                    source += f.read()
    known = set(re.findall(r'\\?"([a-z0-9_]+)\\?"', source))
    unknown = {(command, path) for command, rows in documented().items() for path in rows
               for word in re.split(r"\.|\[\]", path) if word and "*" not in word and word not in known}
    assert not unknown, sorted(unknown)
