"""The pages of the documentation, and what in them can be tried. A fenced block says what it is:

    conf                  configuration: must be correct behind that of a new instance
    table PATH, file PATH, ldif    what it goes with (support/examples.py)
    console               "$ mailctl ..." and the lines that it prints: a test of the page's subject runs it (support/examples.py)
    sh run                commands of root on a machine with the package: tests/packages runs them, page by page
    sh shown WHY          commands that no test can run, and why
    text                  what somebody else says

Commands of all kinds must be ones that mailctl has, with options that it knows. Indented blocks, code in tables and in lines are
looked at as well: what reads like configuration is read as such, what begins with mailctl as a command."""

import os
import re

from .instance import ROOT

KINDS = ("conf", "table", "file", "ldif", "console", "sh", "text")
# Names of the settings of the top, and of blocks.
SETTING = re.compile(r"[a-z_]+ = .*")
BLOCK = re.compile(r"[a-z_]+( [A-Za-z0-9._-]+)? \{.*")


class Block:
    def __init__(self, page, line, kind, text):
        self.where, self.kind, self.text = "%s:%d" % (page, line), kind, text


def pages():
    """Paths below the root: the documentation and README.md."""
    docs = sorted("docs/" + name for name in os.listdir(os.path.join(ROOT, "docs")) if name.endswith(".md"))
    return ["README.md"] + docs + ["tests/dialogs/README.md"]


def read_lines(page):
    with open(os.path.join(ROOT, page)) as f:
        return f.read().split("\n")


def fenced_blocks(page):
    """Blocks with their kind, a list of words; and the page without them, line by line."""
    blocks, rest, begin, kind, content = [], [], 0, None, []
    for number, line in enumerate(read_lines(page), 1):
        if kind is None and line.startswith("```"):
            begin, kind, content = number, line[3:].split(), []
        elif kind is not None and line == "```":
            blocks.append(Block(page, begin, kind, "\n".join(content) + "\n"))
            kind = None
        elif kind is not None:
            content.append(line)
        rest.append("" if kind is not None or line.startswith("```") else line)
    assert kind is None, "%s:%d: a block without an end" % (page, begin)
    return blocks, rest


def indented_blocks(page):
    """Runs of lines that are indented by four or more, blank ones between them included."""
    _, lines = fenced_blocks(page)
    blocks, content, begin = [], [], 0
    for number, line in enumerate(lines + ["."], 1):
        if line.startswith("    "):
            begin = begin or number
            content.append(line)
        elif line.strip() or not content:
            text = "\n".join(content).rstrip()
            if text:
                blocks.append(Block(page, begin, None, text + "\n"))
            content, begin = [], 0
        else:
            content.append("")
    return blocks


def inline_code(page):
    """(where, text) of what stands in backticks in a line; in tables not in the first column, where the words of others are."""
    _, lines = fenced_blocks(page)
    for number, line in enumerate(lines, 1):
        if not line.startswith("    "):
            for text in re.findall(r"`([^`]+)`", line[line.find("|", 1):] if line.startswith("|") else line):
                yield "%s:%d" % (page, number), text


def is_configuration(text):
    """Of maild: Nagios has blocks as well, which begin with "define"."""
    lines = [line.strip() for line in text.split("\n") if line.strip() and not line.strip().startswith("#")]
    return bool(lines) and not lines[0].startswith("define ") and bool(SETTING.fullmatch(lines[0]) or BLOCK.fullmatch(lines[0]))


def configurations(page):
    """(where, text) of all that reads like configuration."""
    for block in fenced_blocks(page)[0]:
        if block.kind[:1] == ["conf"]:
            yield block.where, block.text
    for block in indented_blocks(page):
        if is_configuration(block.text):
            yield block.where, block.text
    for where, text in inline_code(page):
        if BLOCK.fullmatch(text) and text.endswith("}") and " = " in text and "..." not in text:
            yield where, text + "\n"


def commands(page):
    """(where, words) of all that begins with mailctl."""
    for block in fenced_blocks(page)[0]:
        if block.kind[:1] in (["sh"], ["console"]):
            for line in block.text.split("\n"):
                for part in re.split(r" \| | && |; ", line.removeprefix("$ ")):
                    if part.startswith("mailctl "):
                        yield block.where, part
    for block in indented_blocks(page):
        for line in block.text.split("\n"):
            if line.strip().startswith("mailctl "):
                yield block.where, re.split(r"  +", line.strip())[0]
    for where, text in inline_code(page):
        if text.startswith("mailctl "):
            yield where, text
