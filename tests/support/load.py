"""Numbered messages under load, and what of them is in the mailboxes afterwards."""

import random
import re
import smtplib
import threading

from .mail import imap_bodies

USERS = ("alice", "bob")


class Load:
    """Senders that go on until they are stopped or the server is gone. Notes which messages were
    attempted, and which acknowledged."""

    def __init__(self, sizes=(10, 3000, 3000, 300000)):
        self.sizes = sizes
        self.acknowledged, self.attempted = {}, {}
        self.senders = 0

    def start(self, server, count=6):
        self.stopping = threading.Event()
        self.threads = []
        for _ in range(count):
            self.senders += 1
            self.threads.append(threading.Thread(target=self.send, args=(server, self.senders)))
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def send(self, server, number):
        generator = random.Random(number)
        count = 0
        try:
            with smtplib.SMTP("127.0.0.1", server.port("smtp"), timeout=20) as s:
                s.ehlo()
                while not self.stopping.is_set():
                    token = "token-%d-%d" % (number, count)
                    count += 1
                    users = generator.choice((("alice",), ("bob",), USERS))
                    self.attempted[token] = users
                    s.sendmail("s@elsewhere.test", [u + "@example.test" for u in users],
                               "Subject: %s\r\n\r\n%s\r\n" % (token, "x" * generator.choice(self.sizes)))
                    self.acknowledged[token] = users
        except (OSError, smtplib.SMTPException):
            pass

    def check(self, server, acknowledged=None):
        """Every acknowledged message is there, whole, and nothing is there twice."""
        acknowledged = self.acknowledged if acknowledged is None else acknowledged
        for user in USERS:
            found = {}
            for raw in imap_bodies(server, user).values():
                match = re.search(rb"Subject: (token-\S+)", raw)
                assert match and raw.endswith(b"x\r\n"), "a message is damaged: %r ... %r" % (
                    raw[:300], raw[-100:])
                token = match.group(1).decode()
                found[token] = found.get(token, 0) + 1
            lost = {t for t, users in acknowledged.items() if user in users} - set(found)
            twice = {t for t, n in found.items() if n > 1}
            alien = {t for t in found if user not in self.attempted[t]}
            assert not lost, "%d acknowledged messages are lost: %s" % (len(lost), sorted(lost)[:5])
            assert not twice, "%d messages are there twice: %s" % (len(twice), sorted(twice)[:5])
            assert not alien, "not for %s: %s" % (user, sorted(alien)[:5])
