"""The manual pages: from the tables, and man(1) has nothing to say against them."""

import json
import os
import shutil
import subprocess

from support import Skip
from support.instance import build_dir

PAGES = ("mailctl", "maild", "maild.conf")


def mailctl(*arguments):
    return subprocess.run([os.path.join(build_dir(), "mailctl"), *arguments], capture_output=True, text=True, check=True,
                          timeout=60).stdout


def formatted(program, *arguments, text):
    if not shutil.which(program):
        raise Skip(program + " is not installed")
    result = subprocess.run([program, *arguments], input=text, capture_output=True, text=True, timeout=60)
    complaints = [line for line in (result.stderr + (result.stdout if "lint" in arguments else "")).splitlines()
                  if "missing date" not in line]
    assert not complaints, complaints[:10]
    return result.stdout


def test_groff_renders_every_page_without_a_warning():
    for page in PAGES:
        shown = formatted("groff", "-man", "-ww", "-Tascii", text=mailctl("manual", page, "--roff"))
        assert "MAILCTL" in shown or "MAILD" in shown, page


def test_mandoc_finds_nothing():
    for page in PAGES:
        formatted("mandoc", "-T", "lint", "-W", "warning", text=mailctl("manual", page, "--roff"))


def test_every_command_and_option_is_in_its_page():
    page = mailctl("manual")
    lines = {" ".join(line.split()) for line in page.splitlines()}
    for command in json.loads(mailctl("--help", "--json"))["commands"]:
        assert ("%s %s" % (command["name"], command["words"])).strip() in lines, command["name"]
        for option in command["options"]:
            assert " ".join([option["name"], *([option["value"]] if option["value"] else [])]) in lines, (
                command["name"], option["name"])
        for example in command["examples"]:
            assert " ".join(example.split()) in lines, example


def test_the_page_of_the_server_has_its_options():
    usage = subprocess.run([os.path.join(build_dir(), "maild"), "--help"], capture_output=True, text=True, check=True).stdout
    page = mailctl("manual", "maild")
    for word in ("--config", "SIGTERM", "SIGHUP", "SIGUSR1", "/etc/maild/maild.conf"):
        assert word in usage and word in page, word
