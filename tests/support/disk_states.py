"""What a power cut may leave on a disk, from a recording of everything the server did to it.

disk_layer.c records the calls. From that, `Recording.state` builds what may be there when the power goes after
any of them, as ext4 (data=ordered) promises it and no more:

- Operations on names (create, link, rename, unlink, mkdir, truncate, times) are in the file system's journal in
  their order: all up to some point are there, none behind it. The point is not before what a sync made sure:
  syncfs and fsync of a directory all before them, fsync of a file its size and (on ext4) its existence.
- Bytes that were not synced may be there, page by page, or not: then the page is as it was before, or zeros, or
  the file is shorter; whatever the names say. A write that asked for durability and has not returned may be torn
  at any sector.

A state is a dictionary from path to a File, or None for a directory."""

import hashlib
import os
import re
import shutil
import struct

PAGE, SECTOR = 4096, 512
(OPEN, CLOSE, WRITE, END, TRUNCATE, RENAME, LINK, UNLINK, MAKE_DIR, REMOVE_DIR, SYNC, TIMES, ACCEPT, SEND,
 OTHER) = range(1, 16)
HEADER = struct.Struct("<IBBBBiIQIIII")
SYNC_ALL = 2  # syncfs
# What is not under the recorder's eyes: SQLite's files.
IGNORED = re.compile(r"(^|/)directory\.db")


class Entry:
    __slots__ = ("type", "durable", "failed", "fd", "id", "number", "path", "other", "data")


def read_log(path, root):
    """Entries; their paths are relative to root."""
    entries, at = [], 0
    with open(path, "rb") as f:
        raw = f.read()
    while at + HEADER.size <= len(raw):
        entry = Entry()
        (size, entry.type, _, entry.durable, entry.failed, entry.fd, entry.id, entry.number, path_n, other_n,
         data_n, _) = HEADER.unpack_from(raw, at)
        if at + size > len(raw):
            break  # the server was killed in the middle of it
        p = at + HEADER.size
        entry.path = os.path.relpath(raw[p:p + path_n].decode(errors="surrogateescape"), root) if path_n else ""
        p += path_n
        entry.other = os.path.relpath(raw[p:p + other_n].decode(errors="surrogateescape"), root) if other_n else ""
        p += other_n
        entry.data = raw[p:p + data_n]
        entries.append(entry)
        at += size
    return entries


class File:
    __slots__ = ("data", "modified", "identity")

    def __init__(self, data, modified=None, identity=None):
        self.data, self.modified, self.identity = data, modified, identity


def read_tree(root):
    """A state as it lies on the real disk."""
    tree = {}
    for directory, directories, files in os.walk(root):
        relative = os.path.relpath(directory, root)
        for name in directories:
            tree[os.path.normpath(os.path.join(relative, name))] = None
        for name in files:
            path = os.path.normpath(os.path.join(relative, name))
            if not IGNORED.search(path):
                with open(os.path.join(directory, name), "rb") as f:
                    st = os.fstat(f.fileno())
                    tree[path] = File(f.read(), st.st_mtime_ns, st.st_ino)
    return tree


def write_tree(tree, root):
    """Makes root hold the state, and SQLite's files as they are there."""
    for name in os.listdir(root):
        path = os.path.join(root, name)
        if not IGNORED.search(name):
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
    made = {}
    for path, file in sorted(tree.items()):
        target = os.path.join(root, path)
        if file is None:
            os.mkdir(target, 0o700)
        elif file.identity in made:
            os.link(made[file.identity], target)
        else:
            with open(target, "wb", opener=lambda p, flags: os.open(p, flags, 0o600)) as f:
                f.write(file.data)
            if file.modified is not None:
                os.utime(target, ns=(file.modified, file.modified))
            if file.identity is not None:
                made[file.identity] = target


def fingerprint(tree):
    digest = hashlib.blake2b(digest_size=16)
    for path, file in sorted(tree.items()):
        digest.update(b"%s\0%d\0" % (os.fsencode(path), -1 if file is None else len(file.data)))
        if file is not None:
            digest.update(file.data)
    return digest.digest()


class Node:
    """A file or directory of the recording; what happened to its bytes, in order."""

    def __init__(self, is_dir, data=b"", modified=None):
        self.is_dir, self.data, self.modified = is_dir, data, modified
        self.events = []  # (index, "write", offset, bytes, end or None) | (index, "truncate", size, number of the operation)
        self.times = []  # (number of the operation, nanoseconds)
        self.syncs = []  # (begin, end)


class Policy:
    """How much of what is not sure is there."""

    def __init__(self, name, names, pages):
        self.name = name
        self.names = names  # "all" "sure" "any"
        self.pages = pages  # "new" "old" "zero" "any"


POLICIES = [Policy("killed", "all", "new"), Policy("only what is sure", "sure", "old"),
            Policy("names without bytes", "all", "old"), Policy("names and zeros", "all", "zero"),
            Policy("bytes without names", "sure", "new"), Policy("chance", "any", "any"),
            Policy("chance, all names", "all", "any"), Policy("chance, no bytes", "any", "old")]


class Recording:
    def __init__(self, tree, entries):
        """tree: the state before the first entry, all of it sure."""
        self.entries = entries
        self.operations = []  # on names: (index, function, arguments)
        self.file_systems = []  # syncfs: (begin, end)
        self.sure_names = []  # (end, number of operations that are sure from then on)
        self.sent = {}  # by connection (connection_name): [(bytes so far, index)]
        self.nodes, self.ends = [], {}
        self.names = {}  # of each directory's node
        self.snapshots = [(0, self.load(tree))]
        self.live = self.copy_names(self.snapshots[0][1])
        self.descriptors = {}
        for index, entry in enumerate(entries):
            if entry.type == END and not entry.failed:
                self.ends[entry.id] = index
        for index, entry in enumerate(entries):
            getattr(self, "do_%d" % entry.type, lambda *_: None)(index, entry)

    # --- names: a flat dictionary from path to node ---

    def load(self, tree):
        names, by_identity = {".": self.node(True)}, {}
        for path, file in sorted(tree.items()):
            if file is None:
                names[path] = self.node(True)
            elif file.identity is not None and file.identity in by_identity:
                names[path] = by_identity[file.identity]
            else:
                names[path] = by_identity[file.identity] = self.node(False, file.data, file.modified)
        return names

    def node(self, *arguments):
        self.nodes.append(Node(*arguments))
        return len(self.nodes) - 1

    @staticmethod
    def copy_names(names):
        return dict(names)

    @staticmethod
    def apply(names, operation):
        kind, a, b = operation
        if kind == "add":
            names[a] = b
        elif kind == "remove":
            names.pop(a, None)
        elif kind == "rename":
            moved = names.pop(a)
            names[b] = moved
            prefix = a + "/"
            for path in [p for p in names if p.startswith(prefix)]:
                names[b + path[len(a):]] = names.pop(path)

    def operate(self, index, kind, a=None, b=None):
        """kind "touch" changes no name, but has its place among those that do."""
        self.operations.append((index, (kind, a, b)))
        if kind != "touch":
            self.apply(self.live, (kind, a, b))
        if len(self.operations) % 256 == 0:
            self.snapshots.append((len(self.operations), self.copy_names(self.live)))
        return len(self.operations) - 1

    def names_at(self, count):
        """The names after so many operations."""
        at, names = max((s for s in self.snapshots if s[0] <= count), key=lambda s: s[0])
        names = self.copy_names(names)
        for _, operation in self.operations[at:count]:
            if operation[0] != "touch":
                self.apply(names, operation)
        return names

    # --- the entries ---

    def do_1(self, index, entry):  # OPEN
        node = self.live.get(entry.path)
        if node is None:
            node = self.node(False)
            self.nodes[node].created = self.operate(index, "add", entry.path, node)
        elif entry.number & os.O_TRUNC:
            self.truncate(index, node, 0)
        self.descriptors[entry.fd] = node

    def do_2(self, index, entry):  # CLOSE
        self.descriptors.pop(entry.fd, None)

    def do_3(self, index, entry):  # WRITE
        end = self.ends.get(entry.id) if entry.durable else None
        self.nodes[self.descriptors[entry.fd]].events.append(
            (index, "write", entry.number, entry.data, end, bool(entry.durable)))

    def truncate(self, index, node, size):
        number = self.operate(index, "touch")
        self.nodes[node].events.append((index, "truncate", size, number))

    def do_5(self, index, entry):  # TRUNCATE
        self.truncate(index, self.descriptors[entry.fd], entry.number)

    def do_6(self, index, entry):  # RENAME
        if entry.path != entry.other and self.live.get(entry.path) != self.live.get(entry.other):
            self.operate(index, "rename", entry.path, entry.other)

    def do_7(self, index, entry):  # LINK
        match = re.search(r"proc/self/fd/(\d+)$", entry.path)
        node = self.descriptors[int(match.group(1))] if match else self.live[entry.path]
        self.operate(index, "add", entry.other, node)

    def do_8(self, index, entry):  # UNLINK
        self.operate(index, "remove", entry.path)

    def do_9(self, index, entry):  # MAKE_DIR
        self.operate(index, "add", entry.path, self.node(True))

    do_10 = do_8  # REMOVE_DIR

    def do_11(self, index, entry):  # SYNC
        end = self.ends.get(entry.id)
        if end is None:
            return
        node = self.nodes[self.descriptors[entry.fd]]
        if entry.number == SYNC_ALL:
            self.file_systems.append((index, end))
            self.sure_names.append((end, len(self.operations)))
        elif node.is_dir:
            self.sure_names.append((end, len(self.operations)))
        else:
            node.syncs.append((index, end))
            changes = [e[3] for e in node.events if e[1] == "truncate"] + [getattr(node, "created", -1)]
            self.sure_names.append((end, max(changes) + 1))

    def do_12(self, index, entry):  # TIMES
        node = self.live[entry.path]
        self.nodes[node].times.append((self.operate(index, "touch"), entry.number))

    def do_13(self, index, entry):  # ACCEPT
        self.sent[entry.fd & 0xffffffff] = []

    def do_14(self, index, entry):  # SEND
        list_ = self.sent.setdefault(entry.fd & 0xffffffff, [])
        list_.append(((list_[-1][0] if list_ else 0) + entry.number, index))

    def do_15(self, index, entry):  # OTHER
        raise AssertionError("the recorder does not understand %s" % entry.path)

    # --- moments ---

    def told_at(self, mark):
        """The index of the entry with which a client was sent the `count`-th byte of its connection."""
        connection, count = mark
        for so_far, index in self.sent[connection]:
            if so_far >= count:
                return index
        raise AssertionError("a client saw bytes that were never sent")

    def signature(self, index):
        """Entries of one kind: what it does to which sort of file."""
        entry = self.entries[index]
        node = self.descriptors_path(index)
        return entry.type, entry.number if entry.type == SYNC else 0, re.sub(r"[0-9a-f]{6,}|\d+", "#", node)[:60]

    def descriptors_path(self, index):
        """The path an entry is about, as far as it is simple to say."""
        entry = self.entries[index]
        if entry.path:
            return re.sub(r"/[^/]*#?[^/]*\.M\d+[^/]*$", "/message", entry.other or entry.path)
        if entry.type in (WRITE, SYNC, TRUNCATE):
            for back in range(index, -1, -1):
                if self.entries[back].type == OPEN and self.entries[back].fd == entry.fd:
                    return re.sub(r"/[^/]*\.M\d+[^/]*$", "/message", self.entries[back].path)
        return ""

    # --- states ---

    def operations_before(self, index):
        low, high = 0, len(self.operations)
        while low < high:
            middle = (low + high) // 2
            if self.operations[middle][0] < index:
                low = middle + 1
            else:
                high = middle
        return low

    def state(self, cut, policy, generator):
        """What may be there when the power goes before entry number `cut`."""
        most = self.operations_before(cut)
        least = max([n for end, n in self.sure_names if end < cut], default=0)
        count = {"all": most, "sure": least, "any": generator.randint(least, most)}[policy.names]
        names = self.names_at(count)
        synced = max([begin for begin, end in self.file_systems if end < cut], default=-1)
        contents, tree = {}, {}
        for path, node in names.items():
            if path == ".":
                continue
            if self.nodes[node].is_dir:
                tree[path] = None
                continue
            if node not in contents:
                contents[node] = self.content(self.nodes[node], node, cut, count, synced, policy, generator)
            tree[path] = contents[node]
        return tree

    def content(self, node, identity, cut, count, synced, policy, generator):
        synced = max([begin for begin, end in node.syncs if end < cut] + [synced])
        data = bytearray(node.data)
        pages = {}  # page: what of the writes to it is there
        for event in node.events:
            if event[0] >= cut:
                break
            if event[1] == "truncate":
                if event[3] >= count:
                    break  # what was written behind it has its blocks from a later transaction
                resize(data, event[2])
                continue
            index, _, offset, new, end, durable = event
            if index < synced or (end is not None and end < cut):
                put(data, offset, new)
            elif durable:
                put_torn(data, offset, new, policy, generator)
            else:
                put_unsure(data, offset, new, index, pages, policy, generator, cut)
        modified = max([(n, t) for n, t in node.times if n < count], default=(0, node.modified))[1]
        return File(bytes(data), modified, identity)


def resize(data, size):
    if len(data) > size:
        del data[size:]
    else:
        data.extend(bytes(size - len(data)))


def put(data, offset, new):
    if len(data) < offset + len(new):
        resize(data, offset + len(new))
    data[offset:offset + len(new)] = new


def pieces(offset, new, unit):
    at = 0
    while at < len(new):
        n = min(unit - (offset + at) % unit, len(new) - at)
        yield offset + at, new[at:at + n]
        at += n


def put_unsure(data, offset, new, index, pages, policy, generator, cut):
    """Bytes in the page cache."""
    known = len(data)
    for at, piece in pieces(offset, new, PAGE):
        page = at // PAGE
        if page not in pages:
            until = generator.choice((-1, cut, cut, generator.randrange(cut + 1)))
            pages[page] = {"new": (cut, False), "old": (-1, False), "zero": (-1, True),
                           "any": (until, generator.random() < 0.3)}[policy.pages]
        until, zero = pages[page]
        if index <= until:
            put(data, at, piece)
        elif zero and at + len(piece) > known:
            resize(data, max(len(data), at + len(piece)))


def put_torn(data, offset, new, policy, generator):
    """A durable write that did not return."""
    how = {"new": "all", "old": "none", "zero": "none", "any": generator.choice(("all", "none", "head", "tail", "any", "any"))}[policy.pages]
    sectors = list(pieces(offset, new, SECTOR))
    split = generator.randrange(len(sectors) + 1)
    for i, (at, piece) in enumerate(sectors):
        if (how == "all" or (how == "head" and i < split) or (how == "tail" and i >= split) or
                (how == "any" and generator.random() < 0.5)):
            put(data, at, piece)
