"""The lines of the comparison: what must be reached, and how it is shown."""

from dataclasses import dataclass


@dataclass
class Line:
    title: str
    unit: str
    ratio: float = None  # by which maild must be better than Dovecot
    limit: float = None  # what maild must stay below, in the line's unit

    def best(self, figures):
        """Of several runs the one that others on the machine disturbed least."""
        return max(figures) if self.more_is_better() else min(figures)

    def more_is_better(self):
        return self.unit.endswith("/s")

    def ratio_of(self, maild, dovecot):
        return maild / dovecot if self.more_is_better() else dovecot / max(maild, 1e-9)


LINES = {
    "select-bare": Line("SELECT, neither index nor dovecot-uidlist", "ms", 3),
    "select": Line("SELECT, no index yet", "ms", 3),
    "select-warm": Line("SELECT, warm", "ms", 1),
    "select-restart": Line("SELECT, index there, server restarted", "ms"),
    "fetch-flags": Line("FETCH 1:* (UID FLAGS RFC822.SIZE)", "ms", 2.5),
    "parse": Line("FETCH 1:* (ENVELOPE BODYSTRUCTURE), first", "ms", 3),
    "parse-cpu": Line("the same, processor time of the server", "ms"),
    "parse-cold": Line("the same, first, files not in the page cache", "ms", 3),
    "envelope": Line("FETCH 1:* (ENVELOPE), warm", "ms", 5),
    "structure": Line("FETCH 1:* (BODYSTRUCTURE), warm", "ms", 1.5),
    "search": Line("SEARCH TEXT over all, first", "ms", 3),
    "search-cpu": Line("the same, processor time of the server", "ms"),
    "search-again": Line("SEARCH TEXT over all, again", "ms", 3),
    "sort-warm": Line("SORT (SUBJECT) of all", "ms"),
    "sort-date": Line("SORT (REVERSE DATE) of all", "ms"),
    "sort-from": Line("SORT (DISPLAYFROM ARRIVAL) of all", "ms"),
    "thread": Line("THREAD REFERENCES of all", "ms"),
    "thread-refs": Line("THREAD REFS of all", "ms"),
    "store-1": Line("STORE of one message, 1 connection", "/s", 4),
    "store-5": Line("STORE of one message, 5 connections", "/s", 4),
    "store-all": Line("STORE of all", "messages/s", 3),
    "copy": Line("COPY of all", "messages/s", 1),
    "move": Line("MOVE of all", "messages/s", 1),
    "expunge": Line("EXPUNGE of all", "messages/s", 1),
    "append-1": Line("APPEND of 4 KB, 1 connection", "/s", 1.5),
    "append-10": Line("APPEND of 4 KB, 10 connections", "/s", 3),
    "retr": Line("POP3 RETR of 1 to 2 KB over TLS, one by one", "/s", 2),
    "retr-pipelined": Line("POP3 RETR of 1 to 2 KB over TLS, pipelined", "/s", 2),
    "memory": Line("10 sessions with the mailbox open", "MiB", limit=64),
    "mix-10": Line("commands of a mix of clients, 10 sessions", "/s", 3),
    "mix-10-cpu": Line("the same: CPU of 1,000 commands", "s", 3),
    "mix-100": Line("commands of a mix of clients, 100 sessions", "/s", 3),
    "mix-100-cpu": Line("the same: CPU of 1,000 commands", "s", 3),
    "mix-1000": Line("commands of a mix of clients, 1,000 sessions", "/s", 3),
    "mix-1000-cpu": Line("the same: CPU of 1,000 commands", "s", 3),
    "idle-memory": Line("idle TLS session, 1,000 messages selected", "KiB", limit=25),
    "login": Line("LOGIN, SELECT, LOGOUT", "/s", 10),
    "login-tls": Line("the same over TLS, full handshakes", "/s", 4),
    "body-tls": Line("bodies over TLS", "MB/s", 2.5),
    "body-tls-cpu": Line("the same: CPU of a GB", "s", 3),
    "body": Line("bodies without TLS", "MB/s", 2),
    "noop-fetch": Line("NOOP of another during FETCH 1:*, 99 %", "ms"),
    "noop-search": Line("NOOP of another during SEARCH TEXT, 99 %", "ms"),
    "noop-store": Line("NOOP of another during STORE 1:*, 99 %", "ms"),
}


def show_head():
    print("%-46s %-10s %9s %9s %7s  %-7s %s" % ("", "", "maild", "dovecot", "ratio", "asked", "all runs"), flush=True)


def show_line(key, maild, dovecot):
    """Of two lists of figures, the second of which may be empty. False: it is short of what was asked."""
    line, ours = LINES[key], LINES[key].best(maild)
    theirs, ratio, asked, enough = "", "", "", True
    if line.limit:
        asked, enough = "< %g" % line.limit, ours < line.limit
    if dovecot:
        value = line.ratio_of(ours, line.best(dovecot))
        theirs, ratio = figure(line.best(dovecot)), figure(value)
        if line.ratio:
            asked, enough = "%g" % line.ratio, value >= line.ratio
    runs = " | ".join(" ".join(map(figure, list)) for list in (maild, dovecot))
    print("%-46s %-10s %9s %9s %7s  %-7s %s%s" % (line.title, line.unit, figure(ours), theirs, ratio, asked,
                                                   "" if enough else "SHORT  ", runs), flush=True)
    return enough


def figure(value):
    return "%.0f" % value if value >= 1000 else "%.3g" % value
