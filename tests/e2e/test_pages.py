"""The documentation: what it shows as configuration can be read, its commands exist with their options, its links lead on."""

import concurrent.futures
import os
import re
import shutil
import subprocess
import tempfile

from support.instance import ROOT, build_dir
from support.pages import KINDS, commands, configurations, fenced_blocks, pages, read_lines

MAILCTL = os.path.join(build_dir(), "mailctl")


def run(*words):
    done = subprocess.run([MAILCTL, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def test_blocks_say_what_they_are():
    wrong = []
    for page in pages():
        for block in fenced_blocks(page)[0]:
            kind = block.kind[0] if block.kind else ""
            if kind not in KINDS:
                wrong.append("%s: a block of the kind %r; there are %s" % (block.where, kind, ", ".join(KINDS)))
            if kind == "sh" and not (block.kind[1:] == ["run"] or block.kind[1:2] == ["shown"] and len(block.kind) > 2):
                wrong.append("%s: sh run, or sh shown with a reason" % block.where)
            if kind == "sh":
                done = subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True)
                if done.returncode != 0:
                    wrong.append("%s: %s" % (block.where, done.stderr))
    assert not wrong, "\n".join(wrong)


def test_links_lead_somewhere():
    wrong = []
    for page in pages():
        for number, line in enumerate(read_lines(page), 1):
            for target in re.findall(r"\]\(([^)#:\s]+)\)", line):
                if not os.path.exists(os.path.join(ROOT, os.path.dirname(page), target)):
                    wrong.append("%s:%d: %s" % (page, number, target))
    assert not wrong, "\n".join(wrong)


def test_the_index_has_all_pages():
    text = "\n".join(read_lines("docs/README.md"))
    missing = [page for page in pages() if page.startswith("docs/") and "(%s)" % page[5:] not in text and page != "docs/README.md"]
    assert not missing, missing


# --- configuration ---

class Checker:
    """`mailctl config check` of an instance's own configuration with a text behind it."""

    def __init__(self, directory):
        self.root = os.path.join(directory, "instance")
        status, output = run("init", "--root", self.root, "--domain", "example.org", "--port-base", "31000",
                             "--user", "alice:secret")
        assert status == 0, output
        with open(os.path.join(self.root, "maild.conf")) as f:
            self.base = f.read()
        shutil.copy(os.path.join(self.root, "tls/certificate.pem"), os.path.join(self.root, "tls/clients.pem"))

    def add_files(self, page):
        """What the page's examples read."""
        for block in fenced_blocks(page)[0]:
            if block.kind[:1] in (["table"], ["file"]):
                path = os.path.join(self.root, block.kind[1])
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "w") as f:
                    f.write(block.text)
                os.chmod(path, 0o600)

    def add_what_it_names(self, text):
        """Secrets and certificates that an example reads from files."""
        text = self.adapt(text)
        for name in re.findall(r"= <([^ ;\n]+)", text):
            with open(os.path.join(self.root, name), "w") as f:
                f.write("a secret\n")
        for name in re.findall(r"[=,] *([^\s;,]+\.pem)\b", text):
            path = os.path.join(self.root, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if "rsa" in name:
                self.make_rsa()
            if not os.path.exists(path):
                kind = "rsa-" if "rsa" in name else ""
                shutil.copy(os.path.join(self.root, "tls", kind + ("key.pem" if "key" in name else "certificate.pem")), path)

    def make_rsa(self):
        """A second certificate, with another kind of key."""
        files = [os.path.join(self.root, "tls", "rsa-" + name) for name in ("key.pem", "certificate.pem")]
        if not os.path.exists(files[0]):
            subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=mail.example.org", "-keyout",
                            files[0], "-out", files[1]], check=True, capture_output=True)

    def adapt(self, text):
        """Paths lead into the instance."""
        for folder in ("/etc/maild", "/etc/letsencrypt"):
            text = text.replace(folder, self.root)
        return text

    def without_what_is_shown(self, text):
        """The base, less its own blocks and settings that the example has too."""
        base = self.base
        for name in re.findall(r"^\s*([a-z_]+(?: [A-Za-z0-9._-]+)?) \{", text, re.M):
            base = re.sub(r"^%s \{\n(?:.*\n)*?\}\n" % re.escape(name), "", base, flags=re.M)
        depth, first = 0, []
        for line in text.split("\n"):
            if depth == 0:
                first.append(line)
            depth += line.count("{") - line.count("}")
        for name in re.findall(r"^\s*([a-z_]+) = ", "\n".join(first), re.M):
            base = re.sub(r"^%s = .*\n" % re.escape(name), "", base, flags=re.M)
        return base

    def check(self, number, text):
        path = os.path.join(self.root, "try%d.conf" % number)
        text = self.adapt(text)
        if "certificate = " not in text:  # listeners go on to need one
            text = re.sub(r"^(\s*)tls \{", r"\1tls { certificate = tls/certificate.pem; key = tls/key.pem;", text, flags=re.M)
        with open(path, "w") as f:
            f.write(text + self.without_what_is_shown(text) if not has_block_first(text) else
                    self.without_what_is_shown(text) + text)
        status, output = run("--config", path, "config", "check")
        return None if status == 0 else output.strip()


def has_block_first(text):
    return bool(re.match(r"\s*(#.*\n\s*)*[a-z_]+( \S+)? \{", text))


def check_all(configurations_of):
    directory = tempfile.mkdtemp(prefix="maild-test-")
    try:
        checker, found = Checker(directory), []
        for page, shown in configurations_of:
            checker.add_files(page)
            found += shown
        for _, text in found:
            checker.add_what_it_names(text)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            answers = pool.map(checker.check, range(len(found)), [text for _, text in found])
        wrong = ["%s: %s\n%s" % (where, answer, text) for (where, text), answer in zip(found, answers) if answer]
        assert not wrong, "%d of %d:\n%s" % (len(wrong), len(found), "\n".join(wrong))
        return len(found)
    finally:
        shutil.rmtree(directory)


def test_configurations_are_correct():
    assert check_all([(page, list(configurations(page))) for page in pages()]) > 120


def test_examples_of_configuration_are_correct():
    folder, found = os.path.join(ROOT, "conf/examples"), []
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name)) as f:
            found.append(("conf/examples/" + name, f.read()))
    check_all([("README.md", found)])


# --- commands ---

class Commands:
    """What mailctl has: its commands by their names, and the help of those that were asked for."""

    def __init__(self):
        _, output = run("--help")
        rows = re.findall(r"^    ([a-z][a-z0-9 -]*[a-z0-9])(?= |$)", output, re.M)
        self.names, self.helps = {tuple(row.split()) for row in rows}, {}

    def find(self, words):
        """The longest command that the words begin with."""
        for count in range(min(4, len(words)), 0, -1):
            if tuple(words[:count]) in self.names:
                return tuple(words[:count])
        return None

    def is_noun(self, words):
        return any(name[:len(words)] == tuple(words) for name in self.names)

    def help_of(self, name):
        if name not in self.helps:
            self.helps[name] = run(*name, "--help")[1]
        return self.helps[name]

    def check(self, text):
        words = text.replace("[", " ").replace("]", " ").split()[1:]
        while words and words[0].startswith("--"):  # before the command
            words = words[2:] if words[0] in ("--root", "--config") else words[1:]
        if not words or not re.fullmatch(r"[a-z][a-z0-9-]*", words[0]) or words[0] == "sendmail":
            return None  # mailctl alone, COMMAND ...; sendmail has options of its own
        # list | show NAME | delete NAME: the first of them has the noun, the options are those of any
        first = [word.split("|")[0] for word in words]
        name = self.find(first)
        if name is None:
            return None if self.is_noun(first) else "there is no such command"
        others = [name[:-1] + (word,) for word in re.findall(r"\| *([a-z][a-z-]*)", text)]
        helps = "".join(self.help_of(n) for n in [name] + others if n in self.names)
        for option in re.findall(r"(?<![\w-])(--[a-z][a-z-]*)", text):
            if option not in ("--json", "--help", "--root", "--config") and option not in helps:
                return "it does not know %s" % option
        return None


def test_commands_exist():
    known, wrong, count = Commands(), [], 0
    for page in pages():
        for where, text in commands(page):
            answer = known.check(text)
            count += 1
            if answer:
                wrong.append("%s: %s: %s" % (where, text, answer))
    assert count > 200, count
    assert not wrong, "%d of %d:\n%s" % (len(wrong), count, "\n".join(wrong))
