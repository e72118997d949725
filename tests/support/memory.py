"""What a process has in its memory."""

import re

HUGE = 1 << 28  # such are reserved only: shadows of AddressSanitizer
PIECE = 1 << 24


def find_in_memory(pid, texts):
    """Where the texts (bytes, of up to 200) stand in the process's memory that can be written: {text: [place, ...]}."""
    found = {}
    with open("/proc/%d/maps" % pid) as maps, open("/proc/%d/mem" % pid, "rb", buffering=0) as memory:
        for line in maps:
            begin, end, rights, name = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ *(.*)", line).groups()
            begin, end = int(begin, 16), int(end, 16)
            if not rights.startswith("rw") or end - begin > HUGE:
                continue
            for at in range(begin, end, PIECE):
                try:
                    memory.seek(at)
                    piece = memory.read(min(PIECE + 200, end - at))
                except OSError:
                    continue
                for text in texts:
                    place = piece.find(text)
                    if place >= 0:
                        found.setdefault(text, []).append("%s %x" % (name or "anonymous", at + place))
    return found
