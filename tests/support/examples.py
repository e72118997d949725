"""Examples of the documentation: blocks of configuration, files, changes of a directory, and commands with the lines that
they must print."""

import os

from .instance import ROOT


class Example:
    def __init__(self, title):
        self.title, self.config, self.files, self.commands, self.ldif = title, "", {}, [], ""

    def replace(self, *pairs):
        """Names of the documentation become those of the test."""
        for old, new in pairs:
            self.config, self.ldif = self.config.replace(old, new), self.ldif.replace(old, new)
            self.commands = [(c.replace(old, new), [e.replace(old, new) for e in expected]) for c, expected in self.commands]
        return self


def read_examples(document, every=False):
    """Of each section of docs/DOCUMENT those that have a configuration or LDIF, or go on with the one before; or every one."""
    examples, block, content = [Example("introduction")], None, []
    with open(os.path.join(ROOT, "docs", document)) as f:
        for line in f.read().split("\n"):
            if block is None and line.startswith("#"):
                examples.append(Example(line.strip("# ")))
            elif block is None and line.startswith("```"):
                block, content = line[3:].split(), []
            elif block is not None and line == "```":
                take_block(examples[-1], block, content)
                block = None
            elif block is not None:
                content.append(line)
    for before, example in zip(examples, examples[1:]):
        if not example.config and example.commands:  # goes on with the one before
            example.config, example.files = before.config, before.files
    return [e for e in examples if every or e.config or e.ldif]


def take_block(example, block, content):
    text = "\n".join(content) + "\n"
    if block[0] == "conf":
        example.config += text
    elif block[0] in ("table", "file"):
        example.files[block[1]] = text
    elif block[0] == "ldif":
        example.ldif += text + "\n"
    elif block[0] == "console":
        for line in content:
            if line.startswith("$ mailctl "):
                example.commands.append((line[len("$ mailctl "):], []))
            else:
                example.commands[-1][1].append(" ".join(line.split()))
    else:
        raise AssertionError("an unknown block in the documentation: %s" % block)


def configure(server, base, example):
    """The server has the example's configuration."""
    for path, text in example.files.items():
        path = os.path.join(server.root, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, 0o600)
    with open(server.config_path, "w") as f:
        f.write(base + example.config)
    server.mailctl("reload")


def run_example(server, base, example):
    configure(server, base, example)
    for command, expected in example.commands:
        output = [" ".join(line.split()) for line in server.mailctl(*command.split()).split("\n")]
        for line in expected:
            line = line.replace("/etc/maild", os.path.realpath(server.root))
            assert line in output, "%s: mailctl %s:\nexpected: %s\n%s" % (
                example.title, command, line, "\n".join(output))
