"""What a process has in its memory."""

import re

HUGE = 1 << 30  # such are reserved only: shadows of AddressSanitizer
PIECE = 1 << 24


def find_in_memory(pid, texts):
    """Where each of the texts (bytes, of up to 200) stands in the process's memory that can be written: {text: [place, ...]}."""
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
                    for place in re.finditer(re.escape(text), piece):
                        found.setdefault(text, []).append("%s %x" % (name or "anonymous", at + place.start()))
    return found
