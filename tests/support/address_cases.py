"""Plays rows of tests/e2e/address_cases.txt: hands in a message for each, over the protocol that it names, compares the replies,
and at the end who has which message, in one look at everything. What `mailctl address explain` asks must have foretold it."""

import collections
import json
import os
import re
import smtplib
import socket
import subprocess
import time

from .instance import build_dir
from .ldap_people import password_of
from .mail import loose_tls

DOMAIN = "example.test"
Row = collections.namedtuple("Row", "number line protocol sender recipients replies fate")


def a_label(address):
    """As programs write it."""
    local, at, domain = address.rpartition("@")
    return local + at + domain.encode("idna").decode()


def complete(name):
    """A local part alone is one of the first domain."""
    return name if "@" in name else "%s@%s" % (name, DOMAIN)


def split_table(text):
    """(the world's text, [(title, configurations, [Row])])."""
    world, *sections = re.split(r"^(?===)", text, flags=re.M)
    number, found = world.count("\n") + 1, []
    for section in sections:
        title, *lines = section.split("\n")
        title, _, where = title[2:].strip().partition(": ")
        rows = [read_row(number + i, line) for i, line in enumerate(lines, 1) if line and not line.startswith("#")]
        found.append((title, where.split() or ["embedded", "ldap", "mixed"], rows))
        number += len(lines)
    return world, found


def read_row(number, line):
    fields = re.split(r" {2,}", line.strip())
    assert len(fields) == 5, "line %d has %d columns: %s" % (number, len(fields), line)
    protocol, sender, recipients, replies, fate = fields
    recipients, replies = recipients.split(","), replies.split(",")
    if len(replies) == 1:
        replies *= len(recipients)
    assert len(replies) == len(recipients), "line %d: %d recipients, %d replies" % (number, len(recipients), len(replies))
    return Row(number, line, protocol, "" if sender == "<>" else sender, recipients, replies, fate)


def expected_fate(row, copies=True):
    """As `Player.observe` says it; with or without copies that nobody sees."""
    found = set()
    for word in row.fate.split():
        if word.startswith("copy:"):
            word = word[len("copy:"):] if copies else "-"
        kind, colon, rest = word.partition(":")
        if colon and kind != "public":
            found.add("%s:%s" % (kind, complete(rest) if kind == "report" else rest))
        elif colon:
            found.add(word)
        elif word != "-":
            user, _, folder = word.partition("/")
            found.add("%s/%s" % (a_label(complete(user)), folder or "INBOX"))
    return found


def reply_of(code, text):
    """As the table has it: the enhanced code stands behind those of refusals."""
    enhanced = text.split(b" ")[0].decode()
    return str(code) if code < 400 or not re.fullmatch(r"\d\.\d\.\d+", enhanced) else "%d %s" % (code, enhanced)


def target_fate(target):
    """One of the targets of `address explain`, as the table says it."""
    kind, address = target["kind"], target["address"]
    if kind == "mailbox":
        return "%s/%s" % (address, "INBOX")
    return "public:" + target["mailbox"] if kind == "public" else "%s:%s" % ({"waiting": "waits"}.get(kind, kind), address)


def fits(reply, expected):
    return reply == expected or reply.startswith(expected + " ")


class Player:
    """server: an Instance; sinks: {"relay": SmtpSink, "remote": SmtpSink}, named as in the fates."""

    def __init__(self, server, sinks):
        self.server, self.sinks, self.lines = server, sinks, {}
        self.control = None
        self.wrong = {}  # row: what is wrong with it
        self.arrived = collections.Counter()  # (row, what of it): how often
        self.played = []

    # --- handing in ---

    def line(self, protocol, sender):
        key = (protocol, sender if protocol == "submission" else "")
        if key not in self.lines:
            self.lines[key] = self.open(protocol, sender)
        return self.lines[key]

    def open(self, protocol, sender):
        if protocol == "lmtp":
            s = smtplib.LMTP(os.path.join(self.server.root, "run", "lmtp.sock"))
        else:
            s = smtplib.SMTP("127.0.0.1", self.server.port(protocol), timeout=60)
        s.ehlo_or_helo_if_needed()
        if protocol == "submission":
            s.starttls(context=loose_tls())
            s.login(complete(sender), password_of(sender.split("@")[0]))
        return s

    def play(self, row):
        self.played.append(row)
        self.explain(row)
        try:
            replies = self.hand_in(row)
        except (OSError, smtplib.SMTPException) as error:
            self.lines = {}
            replies = [repr(error)]
        if len(replies) != len(row.replies) or not all(map(fits, replies, row.replies)):
            self.add_wrong(row.number, "the reply is " + ", ".join(replies))

    def add_wrong(self, number, text):
        self.wrong.setdefault(number, []).append(text)

    def text(self, row):
        return "From: <%s>\r\nTo: somebody@example.test\r\nSubject: row %d\r\n\r\nbody\r\n" % (
            complete(row.sender) if row.sender else "nobody@far.test", row.number)

    def hand_in(self, row):
        if row.protocol in ("sendmail", "pickup"):
            return self.run_sendmail(row)
        s = self.line(row.protocol, row.sender)
        options = [] if (row.sender + "".join(row.recipients)).isascii() else ["SMTPUTF8"]
        s.command_encoding = "utf-8"
        code, text = s.mail(complete(row.sender) if row.sender else "", options)
        if code != 250:
            s.rset()
            return [reply_of(code, text)]
        replies = [reply_of(*self.rcpt(s, r)) for r in row.recipients]
        return self.send_data(s, row, replies) if "250" in replies else (s.rset(), replies)[1]

    def rcpt(self, s, recipient):
        s.putcmd("RCPT", "TO:<%s>" % recipient)  # smtplib takes some of ours for names with addresses
        return s.getreply()

    def send_data(self, s, row, replies):
        s.putcmd("DATA")
        code, text = s.getreply()
        if code != 354:
            return [reply_of(code, text)]
        s.send(self.text(row).encode() + b".\r\n")
        for i, reply in enumerate(replies):
            if reply != "250" or (row.protocol != "lmtp" and i != replies.index("250")):
                continue
            code, text = s.getreply()
            if code != 250:
                replies[i] = "data " + reply_of(code, text)
        return replies

    def run_sendmail(self, row):
        """The text on standard error has the enhanced code."""
        config = self.server.config_path if row.protocol == "sendmail" else self.config_without_server()
        result = subprocess.run([os.path.join(build_dir(), "mailctl"), "--config", config, "sendmail", "-f", complete(row.sender), *row.recipients],
                                input=self.text(row).replace("\r\n", "\n"), capture_output=True, text=True, timeout=60)
        if result.returncode == 0:
            return ["250"] * len(row.recipients)
        found = re.search(r": ([45])(\.\d\.\d+) ", result.stderr)
        reply = "%s50 %s%s" % (found.group(1), *found.groups()) if found else result.stderr
        return [reply] * len(row.recipients)

    def config_without_server(self):
        """sendmail that finds no server: the maildrop is what is left."""
        path = os.path.join(self.server.root, "no-server.conf")
        if not os.path.exists(path):
            with open(self.server.config_path) as f, open(path, "w") as to:
                to.write(f.read().replace("run/submission.sock", "run/nobody.sock"))
        return path

    # --- what was foretold ---

    def ask_control(self, verb, args):
        """As mailctl asks, on one connection."""
        if not self.control:
            self.control = socket.socket(socket.AF_UNIX)
            self.control.settimeout(60)
            self.control.connect(os.path.join(self.server.root, "run", "control.sock"))
            self.control_file = self.control.makefile("rwb", buffering=0)
        self.control_file.write(json.dumps({"verb": verb, "args": args}).encode() + b"\n")
        answer = json.loads(self.control_file.readline())
        assert answer["ok"], (args, answer)
        return answer["result"]

    def explain(self, row):
        login = {} if row.protocol == "smtp" else {"login": complete(row.sender)}
        foretold, replies = set(), []
        for recipient in row.recipients:
            said = self.ask_control("address explain", {"address": recipient, "from": "<%s>" % (complete(row.sender) if row.sender else ""), **login})
            answer = said["answer"]
            replies.append("250" if answer["code"] == 250 else "%d %s" % (answer["code"], answer["status"]))
            if answer["code"] == 250:
                foretold |= {target_fate(t) for t in said["targets"]}
        expected = {re.sub("/.*", "/INBOX", what) for what in expected_fate(row, copies=False) if not what.startswith("report:")}
        if row.protocol == "pickup" and row.fate.startswith("report:"):
            replies = ["250" if r.startswith("5") else r for r in replies]
        wanted = [r if not r.startswith("data ") else "250" for r in row.replies]
        if "report:" in row.fate:  # one of them failed for another reason
            foretold &= expected
        if not all(map(fits, replies, wanted)) or (foretold != expected and wanted == row.replies):
            self.add_wrong(row.number, "address explain says %s, %s" % (", ".join(replies), " ".join(sorted(foretold))))

    # --- what became of it ---

    def expected(self):
        """What stays in the queue has not arrived."""
        return collections.Counter((row.number, what) for row in self.played for what in expected_fate(row))

    def observe(self):
        """Everything, as {(row, what): how often}."""
        for kind, sink in self.sinks.items():
            while not sink.messages.empty():
                message = sink.messages.get()
                for recipient in message["recipients"]:
                    self.arrived[row_of(message["data"].decode(errors="replace")), "%s:%s" % (kind, recipient)] += 1
        return self.arrived + self.in_mailboxes() + self.dropped() + self.waiting()

    def in_mailboxes(self):
        found = collections.Counter()
        for message in json.loads(self.server.mailctl("fetch", "--all", "user mailbox hdr.subject text", "all", "--json")):
            name = message["hdr.subject"].startswith("row ")
            if not name and "multipart/report" not in message["text"]:
                continue  # what a full mailbox's owner is told
            where = "public:" if message["user"] == "public" else message["user"] + "/"
            what = where + message["mailbox"] if name else "report:" + message["user"]
            found[row_of(message["text"]), what] += 1
        return found

    def dropped(self):
        """The log has the sink's deliveries; which row it was is told by the recipient, of which there is one such row."""
        found = collections.Counter()
        rows = {what[len("dropped:"):]: row.number for row in self.played for what in expected_fate(row) if what.startswith("dropped:")}
        for recipient in re.findall(r"to=<([^>]*)> relay=none status=sent \(dropped", self.server.log()):
            found[rows.get(recipient, 0), "dropped:" + recipient] += 1
        return found

    def waiting(self):
        found = collections.Counter()
        rows = {what[len("waits:"):]: row.number for row in self.played for what in expected_fate(row) if what.startswith("waits:")}
        for entry in self.server.mailctl_json("queue", "list"):
            for recipient in entry["recipients"]:
                found[rows.get(recipient["address"], 0), "waits:" + recipient["address"]] += 1
        return found

    def finish(self, seconds=5):
        """Compares when everything is where it belongs, or nothing has moved for a time."""
        for s in [*self.lines.values(), self.control]:
            s.close()
        expected, seen, last, end = self.expected(), self.observe(), None, 0
        while seen != expected and (seen != last or time.monotonic() < end):
            if seen != last:
                last, end = seen, time.monotonic() + seconds
            seen = self.observe()
            time.sleep(0.1)
        for number in sorted({n for n, _ in (expected - seen) + (seen - expected)}):
            for what, one, other in (("missing", expected, seen), ("too much", seen, expected)):
                found = [text for (n, text), times in (one - other).items() if n == number for _ in range(times)]
                if found:
                    self.add_wrong(number, "%s: %s" % (what, ", ".join(found)))
        lines = {row.number: row.line for row in self.played}
        assert not self.wrong, "%d of %d rows\n" % (len(self.wrong), len(self.played)) + "\n".join(
            "line %d: %s\n    %s" % (number, lines.get(number), "\n    ".join(texts)) for number, texts in sorted(self.wrong.items()))


def row_of(text):
    """The number of the row whose message, or report of it, this is."""
    found = re.search(r"^Subject: row (\d+)", text, re.M)
    return int(found.group(1)) if found else 0
