"""What a process has in its memory."""

import re


def find_in_memory(pid, texts):
    """Those of the texts (bytes) that stand anywhere in the process's writable memory, with where: {text: [place, ...]}."""
    found = {}
    with open("/proc/%d/maps" % pid) as maps, open("/proc/%d/mem" % pid, "rb", buffering=0) as memory:
        for line in maps:
            begin, end, rights, name = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ *(.*)", line).groups()
            if "w" not in rights or "r" not in rights:
                continue
            for at, piece in pieces(memory, int(begin, 16), int(end, 16)):
                for text in texts:
                    place = piece.find(text)
                    while place >= 0:
                        found.setdefault(text, []).append("%s+%x" % (name or "anonymous", at + place))
                        place = piece.find(text, place + 1)
    return found


def pieces(memory, begin, end, size=1 << 24):
    """Overlapping by what is searched for at most; what was never touched is left out by the kernel's page map."""
    for at in range(begin, end, size):
        memory.seek(at)
        try:
            yield at, memory.read(min(size + 200, end - at))
        except OSError:
            continue
