"""Records the system calls of deliveries: no success reply leaves before what it promises is synced.

For a message carried in the journal: the write of the record that holds it, then a sync of the
journal, then the reply. For a large one: its file written and synced, its directory synced, then
the record that names it, synced, then the reply."""

import os
import re
import shutil
import signal
import subprocess
import threading

from support import Skip
from support.instance import Instance
from support.mail import imap, inject, submit

CALLS = ("pwrite64,pwritev,pwritev2,write,writev,sendto,sendmsg,fdatasync,fsync,syncfs,"
         "openat,rename,renameat,renameat2,link,linkat")


class Call:
    def __init__(self, name, arguments, result, begin, end):
        self.name, self.arguments, self.result = name, arguments, result
        self.begin, self.end = begin, end

    def target(self):
        match = re.match(r"\d+<([^>]*)>", self.arguments)
        return match.group(1) if match else ""


def parse(path):
    """strace -f lines, with the begin and end of calls that others interrupted; times are line numbers."""
    calls, open_calls = [], {}
    with open(path, errors="replace") as f:
        for number, line in enumerate(f):
            match = re.match(r"(\d+)\s+(.*)", line)
            if not match:
                continue
            pid, text = match.groups()
            resumed = re.match(r"<\.\.\. (\w+) resumed>(.*)\) += (-?\d+)", text)
            unfinished = re.match(r"(\w+)\((.*) <unfinished \.\.\.>", text)
            whole = re.match(r"(\w+)\((.*)\) += (-?\d+)", text)
            if resumed and pid in open_calls:
                name, arguments, begin = open_calls.pop(pid)
                calls.append(Call(name, arguments + resumed.group(2), int(resumed.group(3)), begin, number))
            elif unfinished:
                open_calls[pid] = (unfinished.group(1), unfinished.group(2), number)
            elif whole:
                calls.append(Call(whole.group(1), whole.group(2), int(whole.group(3)), number, number))
    return calls


def is_write(call):
    return call.name in ("pwrite64", "pwritev", "pwritev2", "write", "writev") and call.result > 0


def is_sync(call):
    return call.name in ("fdatasync", "fsync", "syncfs") and call.result == 0


def journal_commit_end(calls, token, after=0):
    """When the record with the token was durable: end of the first sync that began after its write."""
    writes = [c for c in calls if is_write(c) and "/journal/" in c.target() and token in c.arguments
              and c.begin >= after]
    assert writes, "no journal record holds %s" % token
    write = min(writes, key=lambda c: c.end)
    if "RWF_DSYNC" in write.arguments or "RWF_SYNC" in write.arguments:
        return write.begin, write.end
    syncs = [c for c in calls if is_sync(c) and c.target() == write.target() and c.begin > write.end]
    assert syncs, "the journal was not synced after the record of %s" % token
    return write.begin, min(c.end for c in syncs)


def reply_begin(calls, pattern, after):
    sends = [c for c in calls if c.name in ("sendto", "sendmsg", "write", "writev")
             and ("socket:" in c.target() or "TCP" in c.target() or "UNIX" in c.target())
             and re.search(pattern, c.arguments) and c.begin >= after]
    assert sends, "no reply %s was seen" % pattern
    return min(c.begin for c in sends)


class Traced:
    """An instance under strace."""

    def __init__(self, config=""):
        self.config = config

    def __enter__(self):
        if not shutil.which("strace"):
            raise Skip("strace is missing")
        self.server = Instance()
        self.server.add_config(self.config)
        self.trace = self.server.directory + "/trace"
        self.server.wrapper = ["strace", "-f", "-y", "-s", "400000", "-e", "trace=" + CALLS, "-e",
                               "signal=none", "-o", self.trace]
        self.server.start()
        return self

    def calls(self):
        """Ends the server and returns what was recorded."""
        children = subprocess.run(["pgrep", "-P", str(self.server.process.pid)], capture_output=True,
                                  text=True).stdout.split()
        for child in children:
            os.kill(int(child), signal.SIGTERM)
        self.server.process.wait(timeout=60)
        self.server.process = None
        return parse(self.trace)

    def __exit__(self, *ignored):
        self.server.kill()
        self.server.close()


def test_small_messages():
    with Traced() as traced:
        def send(n):
            for i in range(10):
                inject(traced.server, "s@elsewhere.test", ["alice", "bob"],
                       "Subject: s\r\n\r\nsmalltoken%dx%dx\r\n" % (n, i))
        threads = [threading.Thread(target=send, args=(n,)) for n in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        calls = traced.calls()
    for n in range(4):
        for i in range(10):
            token = "smalltoken%dx%dx" % (n, i)
            written, durable = journal_commit_end(calls, token)
            transaction = re.search(r" id (\w+)", next(
                c.arguments for c in calls if is_write(c) and token in c.arguments
                and "/journal/" in c.target()).split(token)[0].rsplit("Received:", 1)[1]).group(1)
            reply = reply_begin(calls, "250 2.0.0 Ok, " + transaction, 0)
            assert durable < reply, "the reply for %s left before the sync ended" % token


def test_large_message_is_synced_before_the_record_that_names_it():
    with Traced() as traced:
        inject(traced.server, "s@elsewhere.test", ["alice"],
               "Subject: l\r\n\r\n" + "y" * 76 + "\r\n" + ("largetoken" * 7 + "\r\n") * 3000)
        calls = traced.calls()
    data = [c for c in calls if is_write(c) and "largetoken" in c.arguments and "/journal/" not in c.target()
            and "socket" not in c.target()]
    assert data, "the message was not written to a file"
    path = data[-1].target()
    last_write = max(c.end for c in data)
    synced = [c for c in calls if is_sync(c) and c.target() == path and c.begin > last_write]
    assert synced, "the file %s was not synced" % path
    file_synced = min(c.end for c in synced)
    directory = os.path.dirname(path)
    directory_synced = [c for c in calls if c.name == "fsync" and c.target().rstrip("/") == directory
                        and c.result == 0]
    assert directory_synced, "the directory %s was not synced" % directory
    directory_end = min(c.end for c in directory_synced)
    record, durable = journal_commit_end(calls, os.path.basename(path))
    assert file_synced < record, "the record was written before the file was synced"
    assert directory_end < durable
    assert durable < reply_begin(calls, "250 2.0.0 Ok, ", 0)


def test_submission_to_others():
    with Traced("queue {\n    relay_host = [127.0.0.1]:9\n}") as traced:
        # In clear text, so that the reply can be read in the trace.
        inject(traced.server, "alice@example.test", ["x@elsewhere.test"],
               "Subject: q\r\n\r\nqueuetoken\r\n", port="local")
        calls = traced.calls()
    _, durable = journal_commit_end(calls, "queuetoken")
    assert durable < reply_begin(calls, "250 2.0.0 Ok, ", 0)


def test_imap_append_flags_and_expunge():
    with Traced() as traced:
        box = imap(traced.server, "alice")
        box.append("INBOX", None, None, b"Subject: a\r\n\r\nappendtoken\r\n")
        box.logout()
        calls = traced.calls()
    _, durable = journal_commit_end(calls, "appendtoken")
    # The reply is encrypted: the first bytes sent after the record was written are it.
    written = journal_commit_end(calls, "appendtoken")[0]
    sends = [c for c in calls if c.name in ("sendto", "sendmsg", "write", "writev") and c.begin > written
             and ("socket:" in c.target() or "TCP" in c.target())]
    assert sends and durable < min(c.begin for c in sends)
