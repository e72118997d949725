"""What is checked of the source without running it."""

import glob
import os
import re
import shutil
import subprocess

from . import Skip

# Folder -> folders it may include, beside itself (docs/architecture.md).
ALLOWED = {
    "core": set(),
    "trace": {"core"},
    "net": {"core"},
    "mime": {"core"},
    "auth": {"core", "net", "mime"},
    "route": {"core", "net", "mime", "auth"},
    "store": {"core", "mime", "auth"},
    "policy": {"core", "net", "mime", "auth", "route"},
    "queue": {"core", "net", "mime", "auth", "route", "store", "policy"},
    "smtp": {"core", "net", "mime", "auth", "route", "policy", "queue"},
    "imap": {"core", "net", "mime", "auth", "store"},
    "pop3": {"core", "net", "mime", "auth", "store"},
    "http": {"core", "net", "mime", "auth"},
    "ctl": {"http", "core", "net", "mime", "auth", "route", "store", "policy", "queue", "smtp", "imap", "pop3",
            "trace"},
    "server": {"ctl", "http", "core", "trace", "net", "mime", "auth", "route", "store",
               "policy", "queue", "smtp", "imap", "pop3"},
    "mailctl": {"ctl", "http", "core", "trace", "net", "mime", "auth", "route", "store",
                "policy", "queue", "smtp", "imap", "pop3"},
}
# Of auth, the store sees only what an account is; of policy, the queue how domains compare; of store, the SMTP server sees nothing, though
# queue.h names its types.
ONLY_HEADERS = {("store", "auth"): {"auth/directory.h"}, ("queue", "policy"): {"policy/domain.h"}}

# Calls that belong to the thin layer around the outside world.
OUTSIDE = {
    r"\b(time|gettimeofday|clock_gettime)\s*\(": {"src/core/clock.c"},
    r"\b(rand|random|srand|getrandom)\s*\(": {"src/core/random.c"},
    r"(?<![\w.>])(open|openat|rename|renameat|unlink|unlinkat|linkat|mkdir|opendir|fdatasync|fsync)\s*\(":
        {"src/core/disk.c", "src/core/file.c", "src/core/journal*.c", "src/core/log_emit.c",
         "src/core/spool.c", "src/core/disk_*.c"},
    r"\b(socket|connect|accept4?|bind|listen)\s*\(\s*[A-Za-z]":
        {"src/net/*.c", "src/mailctl/*.c", "src/core/log_emit.c"},
    r"\b(strcpy|strcat|sprintf|vsprintf|gets|strtok|alloca)\s*\(": set(),
}


def strip_comments(text):
    text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group(0).count("\n"), text, flags=re.S)
    text = re.sub(r"//[^\n]*", "", text)
    return re.sub(r'"(\\.|[^"\\\n])*"', '""', text)


def check_includes(root):
    wrong = []
    for path in sorted(glob.glob(root + "/src/*/*.[ch]")):
        folder = os.path.basename(os.path.dirname(path))
        if folder not in ALLOWED:
            wrong.append("%s: the folder %s is not in the list of folders" % (path, folder))
            continue
        with open(path) as f:
            includes = re.findall(r'^\s*#\s*include\s+"([^"]+)"', f.read(), re.M)
        for include in includes:
            other = include.split("/")[0]
            allowed = other == folder or other in ALLOWED[folder]
            headers = ONLY_HEADERS.get((folder, other))
            if "/" not in include or not allowed or (headers and include not in headers):
                wrong.append("%s may not include %s" % (os.path.relpath(path, root), include))
    assert not wrong, "\n".join(wrong)


def check_outside(root):
    wrong = []
    for path in sorted(glob.glob(root + "/src/**/*.c", recursive=True)):
        name = os.path.relpath(path, root)
        with open(path) as f:
            text = strip_comments(f.read())
        for pattern, files in OUTSIDE.items():
            if any(name in [os.path.relpath(p, root) for p in glob.glob(os.path.join(root, f))]
                   for f in files):
                continue
            for match in re.finditer(pattern, text):
                line = text.count("\n", 0, match.start()) + 1
                wrong.append("%s:%d: %s) belongs behind core/ or net/" % (name, line, match.group(0)))
    assert not wrong, "\n".join(wrong)


def check_headers(root):
    """Each header compiles alone."""
    flags = subprocess.run(["pkg-config", "--cflags", "libssl", "libevent_core", "jansson"],
                           capture_output=True, text=True).stdout.split()
    wrong = []
    for path in sorted(glob.glob(root + "/src/*/*.h")):
        result = subprocess.run(["gcc", "-std=gnu11", "-D_GNU_SOURCE", "-fsyntax-only", "-x", "c",
                                 "-I" + root + "/src", *flags, path], capture_output=True, text=True)
        if result.returncode != 0:
            wrong.append(result.stderr[:600])
    assert not wrong, "\n".join(wrong)


def check_format(root):
    assert shutil.which("clang-format"), "clang-format is missing (scripts/install-dependencies --tests)"
    version = subprocess.run(["clang-format", "--version"], capture_output=True, text=True).stdout
    if not re.search(r"version 14\.", version):
        raise Skip("the source is as clang-format 14 has it; here is " + version.strip())
    files = []  # relative: a name with blanks could not be told from the message
    for pattern in ("src/*/*.[ch]", "src/*.[ch]", "tests/**/*.[ch]", "bench/*.c"):
        files += glob.glob(pattern, root_dir=root, recursive=True)
    result = subprocess.run(["clang-format", "--dry-run", "-Werror", *sorted(files)], cwd=root,
                            capture_output=True, text=True)
    names = sorted(set(re.findall(r"^(\S+?):\d+", result.stderr, re.M)))
    assert result.returncode == 0, "not as clang-format has it:\n" + "\n".join(names)

# Whose event is a parameter: the commands of mailctl, what users do with their mail.
EVENTS_BY_NAME = {"src/ctl/ctl_change.c", "src/store/action_log.c", "src/store/append.c", "src/store/foreign_merge.c"}
BRACKETED = "user master account home mailbox from to original message-id helo file dir".split()


def log_formats(root):
    """(place, event and what follows) of each line of the log."""
    for path in sorted(glob.glob(root + "/src/**/*.c", recursive=True)):
        with open(path) as f:
            text = f.read()
        if "/core/log" in path:
            continue
        for call in re.finditer(r"\blog_(?:debug|info|warning|error|action|info_action|write)\(", text):
            strings = r'(?:"(?:[^"\\]|\\.)*"\s*|MAILD_VERSION\s*|PRI\w+\s*)+'
            # The format is the first literal behind the id; a component that is a literal stands before it.
            rest = text[call.end():]
            literals = [m for m in re.finditer(strings, rest[:rest.find(";\n")])]
            first = literals[0]
            if rest[:first.start()].count(",") < 2 and len(literals) > 1:
                first = next(m for m in literals[1:] if rest[:m.start()].count(",") >= 2)
            form = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', first.group(0)))
            yield "%s:%d" % (os.path.relpath(path, root), text.count("\n", 0, call.start()) + 1), form


def check_log(root):
    """docs/log.md names each event of the log, and nothing else; keys for the same thing are written in one way."""
    with open(root + "/docs/log.md") as f:
        page = f.read()
    events = set(re.findall(r"^\| `([^`=]+)` \|", page.split("## Keys")[0], re.M)) - {
        "sent", "deferred", "bounced", "refused", "passed"} | {"refused"}
    used, wrong = set(), []
    for place, form in log_formats(root):
        if place.split(":")[0] in EVENTS_BY_NAME and re.match(r"(another program )?%s ", form):
            continue
        event = max((e for e in events if re.match(re.escape(e) + r"(?=$|[ :,;%(])", form)), key=len, default=None)
        if not event:
            wrong.append("%s: docs/log.md does not name the event of %r" % (place, form[:70]))
        used.add(event)
        for key in BRACKETED:
            for value in re.findall(r"(?<![\w-])%s=(.)" % key, form):
                if value != "<":
                    wrong.append("%s: the value of %s= stands between < and >" % (place, key))
    source = "".join(open(p).read() for p in glob.glob(root + "/src/*/*.c"))
    for event in sorted(events - used):
        if '"%s"' % event.split(" ")[-1] not in source:
            wrong.append("docs/log.md: nothing logs the event %r" % event)
    assert not wrong, "\n".join(wrong)


def check_fuzz_targets(root):
    """Each fuzz target has a corpus."""
    for path in glob.glob(root + "/tests/fuzz/fuzz_*.c"):
        corpus = root + "/tests/fuzz/corpus/" + os.path.basename(path)[len("fuzz_"):-2]
        assert os.path.isdir(corpus) and os.listdir(corpus), "no corpus: " + corpus


# Commands and capabilities of IMAP whose dialog has another name than theirs.
COMMAND_DIALOGS = {
    "CANCELUPDATE": "context", "DELETEACL": "acl", "ESEARCH": "multisearch", "GETACL": "acl", "GETMETADATA": "metadata",
    "GETQUOTA": "quota", "GETQUOTAROOT": "quota", "LISTRIGHTS": "acl", "MYRIGHTS": "acl", "SETACL": "acl",
    "SETMETADATA": "metadata", "SETQUOTA": "quota", "UNSUBSCRIBE": "subscribe",
}
CAPABILITY_DIALOGS = {
    "COMPRESS=DEFLATE": "compress", "CONTEXT=SEARCH": "context", "CONTEXT=SORT": "context",
    "CREATE-SPECIAL-USE": "special_use", "ESORT": "sort", "I18NLEVEL=1": "i18nlevel", "LITERAL+": "literal_plus",
    "LITERAL-": "literal_minus", "LOGINDISABLED": "login", "QUOTA=RES-MAILBOX": "quota", "QUOTA=RES-MESSAGE": "quota",
    "QUOTA=RES-STORAGE": "quota", "RIGHTS=kxte": "acl", "SORT=DISPLAY": "sort", "THREAD=ORDEREDSUBJECT": "thread",
    "THREAD=REFERENCES": "thread", "THREAD=REFS": "thread", "UTF8=ACCEPT": "utf8",
    # Told while a command runs: it needs a mailbox that keeps the server busy.
    "INPROGRESS": "../../e2e/test_imap_progress.py",
}


def check_imap_dialogs(root):
    """Every command and every capability has its dialog, which speaks of it."""
    def names(source, pattern):
        with open(os.path.join(root, "src/imap", source)) as f:
            found = re.findall(pattern, f.read(), re.M)
        assert len(found) > 40 or source != "command_table.c", source
        return found

    needed = [(name, COMMAND_DIALOGS.get(name, name.lower()))
              for name in names("command_table.c", r'^    \{"([A-Z]+)",')]
    capabilities = names("capability.c", r'^    \{"([^"]+)",') + names("capability.c", r'" ([A-Z0-9-]+)=%')
    needed += [(name, CAPABILITY_DIALOGS.get(name, re.sub("[-=]", "_", name.lower())))
               for name in capabilities if name != "AUTH"]
    assert {"IMAP4rev2", "QUOTA", "APPENDLIMIT"} <= {name for name, _ in needed}
    wrong = []
    for name, dialog in needed:
        path = os.path.join(root, "tests/dialogs/imap", dialog if "." in dialog else dialog + ".txt")
        if not os.path.exists(path):
            wrong.append("%s has no %s" % (name, os.path.normpath(os.path.relpath(path, root))))
            continue
        with open(path, encoding="latin-1") as f:
            if not re.search(r"(?<![A-Z-])" + re.escape(name.upper()), f.read().upper()):
                wrong.append("%s does not speak of %s" % (os.path.relpath(path, root), name))
    assert not wrong, "\n".join(wrong)


def check_apparmor(root):
    """The example of a profile has the folders of the server, and what it reads of /proc."""
    with open(root + "/conf/apparmor.d/usr.sbin.maild") as f:
        rules = re.findall(r"^  (\S+) ([rwklm]+),$", f.read(), re.M)
    have = {}
    for path, rights in rules:
        for alternative in alternatives(path.replace("@{run}", "/run").replace("@{PROC}/@{pid}", "/proc/self")):
            have.setdefault(alternative, set()).update(rights)
    with open(root + "/conf/tmpfiles.d/maild.conf") as f:
        folders = re.findall(r"^d (\S+)", f.read(), re.M)
    wanted = [(folder + end, "rw") for folder in folders for end in ("/", "/**")]
    for path in glob.glob(root + "/src/**/*.c", recursive=True):
        if "/mailctl/" in path:
            continue
        with open(path) as f:
            for name in re.findall(r'"(/proc/self/\w+)("|/%d")', f.read()):
                wanted.append((name[0] + ("/" if name[0].endswith("/fd") else ""), "r"))
    assert len(folders) >= 4 and ("/proc/self/fd/", "r") in wanted and ("/proc/self/status", "r") in wanted, wanted
    missing = ["%s %s" % w for w in wanted if not set(w[1]) <= have.get(w[0], set())]
    assert not missing, "conf/apparmor.d/usr.sbin.maild lacks " + ", ".join(sorted(set(missing)))


def alternatives(path):
    """"a{b,c}" is "ab" and "ac"."""
    found = re.search(r"\{([^{}]*)\}", path)
    if not found:
        return [path]
    return [whole for one in found.group(1).split(",") for whole in alternatives(path[:found.start()] + one + path[found.end():])]


def check_standards(root):
    """docs/standards.md names each RFC of the source, with files that speak of it."""
    with open(root + "/docs/standards.md") as f:
        rows = re.findall(r"^\| (\d+) \| .* \| (.*) \|$", f.read(), re.M)
    wrong, named = [], {number for number, _ in rows}
    for path in sorted(glob.glob(root + "/src/**/*.[ch]", recursive=True)):
        with open(path) as f:
            wrong += ["docs/standards.md does not know RFC %s of %s" % (n, os.path.relpath(path, root))
                      for n in set(re.findall(r"RFC (\d{3,5})", f.read())) - named]
    for number, files in rows:
        for name in re.findall(r"`([^`]+)`", files):
            path = os.path.join(root, "src", name)
            text = open(path).read() if os.path.exists(path) else ""
            if "RFC " + number not in text:
                wrong.append("docs/standards.md: %s does not speak of RFC %s" % (name, number))
    assert len(rows) > 100 and not wrong, "\n".join(wrong)


def checks(root):
    for function in (check_includes, check_outside, check_headers, check_format, check_apparmor, check_fuzz_targets,
                     check_imap_dialogs, check_log, check_standards):
        yield function.__name__[len("check_"):], lambda f=function: f(root)
