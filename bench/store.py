"""The store against Debian's Dovecot: the same Maildir, copied for both, on one ext4 file system with a journal; each group
of lines for one server and then for the other, in turn."""

import maildir
from common import show
from file_system import FileSystem
from store_groups import GROUPS
from store_lines import LINES, show_head, show_line
from store_sides import BOX, SMALL, Dovecot, Maild
from support import reference


class Box:
    """The mailboxes that both get a copy of."""

    def __init__(self, file_system, directory, quick):
        self.file_system, self.quick = file_system, quick
        self.count, self.small_count = 10000 if quick else 100000, 1000
        self.seconds = 0.5 if quick else 2
        self.master, self.small = directory + "/master", directory + "/small"
        size = maildir.make(self.master, self.count)
        maildir.make(self.small, self.small_count, maildir.small_message)
        show("messages, of mean size", self.count, "of %d bytes" % size)


def run(quick, groups=(), rounds=2):
    kinds = [Maild] + ([Dovecot] if reference.dovecot_available() else [])
    if len(kinds) == 1:
        show("store: comparison", "skipped", "(needs root and dovecot 2.3: ./test --with-peers installs it)")
    file_system = FileSystem()
    with file_system as directory:
        box = Box(file_system, directory, quick)
        sides = [kind(directory) for kind in kinds]
        try:
            for side in sides:
                side.take(BOX, box.master)
                side.take(SMALL, box.small)
            compare(sides, box, groups or GROUPS, rounds)
        finally:
            for side in sides:
                side.close()


def compare(sides, box, groups, rounds):
    short = []
    show_head()
    for name in groups:
        figures = measure(sides, box, GROUPS[name], rounds)
        for key in LINES:
            if key in figures["maild"] and not show_line(key, figures["maild"][key], figures["dovecot"].get(key, [])):
                short.append(LINES[key].title)
    show("lines that are short of what they must reach", len(short), "; ".join(short))


def measure(sides, box, group, rounds):
    """By server and line, the figures of all rounds."""
    figures = {"maild": {}, "dovecot": {}}
    for _ in range(rounds):
        for side in sides:
            for key, value in group(side, box):
                figures[side.name].setdefault(key, []).append(value)
    return figures
