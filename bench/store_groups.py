"""What is measured, in groups: each begins with the server stopped and leaves it so, and yields names of
lines (store_lines.py) with figures.

"No index yet": the mailbox is as another server left it, with `dovecot-uidlist` (the UIDs) and without any index
or cache; also measured without the list. Unless said otherwise the files are in the page cache.
"""

import os
import shutil

import maildir
from common import program
from imap_client import Client
from processes import cpu_seconds, settle
from store_sides import BOX, OTHER, SMALL


def restarted(side, uidlist=False):
    side.forget(uidlist)
    side.read_files()
    side.start()


def group_bare(side, box):
    restarted(side, uidlist=True)
    with Client(side) as c:
        yield "select-bare", c.run("SELECT INBOX")
    side.stop()
    shutil.copy2(box.master + "/dovecot-uidlist", side.path(BOX) + "/dovecot-uidlist")
    owner = os.stat(side.homes)
    os.chown(side.path(BOX) + "/dovecot-uidlist", owner.st_uid, owner.st_gid)


def group_fetch(side, box):
    restarted(side)
    with Client(side) as c:
        yield "select", c.run("SELECT INBOX")
        yield "fetch-flags", c.rows("FETCH 1:* (UID FLAGS RFC822.SIZE)", box.count)
        before = cpu_seconds(side.roots())
        yield "parse", c.rows("FETCH 1:* (ENVELOPE BODYSTRUCTURE)", box.count)
        yield "parse-cpu", (cpu_seconds(side.roots()) - before) * 1000
    for _ in range(3):
        with Client(side) as c:
            yield "select-warm", c.run("SELECT INBOX")
    with Client(side) as c:
        c.run("SELECT INBOX")
        yield "fetch-flags", c.rows("FETCH 1:* (UID FLAGS RFC822.SIZE)", box.count)
        for _ in range(2):
            yield "envelope", c.rows("FETCH 1:* (ENVELOPE)", box.count)
            yield "structure", c.rows("FETCH 1:* (BODYSTRUCTURE)", box.count)
    side.stop()
    side.start()
    with Client(side) as c:
        yield "select-restart", c.run("SELECT INBOX")
    side.stop()


def group_cold(side, box):
    side.forget()
    if not box.file_system.forget_pages():
        return
    side.start()
    with Client(side) as c:
        c.run("SELECT INBOX")
        yield "parse-cold", c.rows("FETCH 1:* (ENVELOPE BODYSTRUCTURE)", box.count)
    side.stop()


def group_search(side, box):
    restarted(side)
    with Client(side) as c:
        c.run("SELECT INBOX")
        before = cpu_seconds(side.roots())
        yield "search", c.run("SEARCH TEXT " + maildir.WORD_IN_FEW)
        yield "search-cpu", (cpu_seconds(side.roots()) - before) * 1000
        yield "search-again", c.run("SEARCH TEXT " + maildir.WORD_IN_FEW)
    side.stop()


def group_sort(side, box):
    side.start()
    with Client(side) as c:
        c.run("SELECT INBOX")
        c.run("THREAD REFERENCES UTF-8 ALL")
        c.run("FETCH 1:* (ENVELOPE)")
        for _ in range(3):
            yield "sort-warm", c.run("SORT (SUBJECT) UTF-8 ALL")
            yield "sort-date", c.run("SORT (REVERSE DATE) UTF-8 ALL")
            yield "sort-from", c.run("SORT (DISPLAYFROM ARRIVAL) UTF-8 ALL")
            yield "thread", c.run("THREAD REFERENCES UTF-8 ALL")
            yield "thread-refs", c.run("THREAD REFS UTF-8 ALL")
    side.stop()


def group_change(side, box):
    side.start()
    with Client(side, 5) as c:
        for i in range(5):
            c.run("SELECT INBOX", i)
        for connections in (1, 5):
            c.run("STORE 1:* -FLAGS.SILENT (\\Flagged)")  # so that each is a change
            yield "store-%d" % connections, c.order("stores %d %g %d" % (connections, box.seconds, box.count))[0]
    with Client(side) as c:
        c.run("SELECT INBOX")
        for sign in "+-":
            yield "store-all", box.count / c.rows("STORE 1:* %sFLAGS (\\Draft)" % sign, box.count) * 1000
        c.run("CREATE Copies")
        c.run("CREATE Moved")
        yield "copy", box.count / c.run("COPY 1:* Copies") * 1000
        c.run("SELECT Copies")
        yield "move", box.count / c.rows("MOVE 1:* Moved", box.count) * 1000
        c.run("SELECT Moved")
        c.run("STORE 1:* +FLAGS.SILENT (\\Deleted)")
        yield "expunge", box.count / c.rows("EXPUNGE", box.count) * 1000
        c.run("SELECT INBOX")
        c.run("DELETE Copies")
        c.run("DELETE Moved")
    side.stop()


def group_append(side, box):
    side.start()
    with Client(side, 10) as c:
        for connections in (1, 10):
            c.run("CREATE Appended%d" % connections)
            yield "append-%d" % connections, c.order("appends %d %g 4096 Appended%d" %
                                                     (connections, box.seconds, connections))[0]
            c.run("DELETE Appended%d" % connections)
    side.stop()


def group_pop3(side, box):
    side.start()
    times = 10 if box.quick else 30
    for key, window, timed in (("", 50, 1), ("retr", 1, times), ("retr-pipelined", 50, times)):  # the first warms up
        seconds, size = program("bench_pop3_client", side.port("pop3s"), SMALL + "@example.test", "secret", box.small_count,
                                timed, window).split()
        assert int(size) > box.small_count * timed * 1000
        if key:
            yield key, box.small_count * timed / float(seconds)
    side.stop()


def group_memory(side, box):
    side.start()
    with Client(side, 1, OTHER):
        pass  # what the first login of all costs is no session's
    idle = settle(side.roots())
    with Client(side, 10) as c:
        for i in range(10):
            c.run("SELECT INBOX", i)
            c.run("FETCH 1:* (UID FLAGS RFC822.SIZE)", i)
        yield "memory", (settle(side.roots()) - idle) / 2**20
    side.stop()


def group_others(side, box):
    side.start()
    with Client(side) as c:
        c.run("SELECT INBOX")
        for key, command in (("noop-fetch", "FETCH 1:* (UID FLAGS RFC822.SIZE ENVELOPE BODYSTRUCTURE)"),
                             ("noop-search", "SEARCH TEXT " + maildir.WORD_IN_FEW),
                             ("noop-store", "STORE 1:* +FLAGS (\\Answered)")):
            yield key, c.order("probe %s@example.test 0 %s" % (OTHER, command))[5] / 1000
    side.stop()


GROUPS = {"bare": group_bare, "fetch": group_fetch, "cold": group_cold, "search": group_search, "sort": group_sort,
          "change": group_change, "append": group_append, "pop3": group_pop3, "memory": group_memory,
          "others": group_others}
