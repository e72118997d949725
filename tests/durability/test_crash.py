"""SIGKILL at any moment under load: no acknowledged message is lost, none is twice in a mailbox."""

import random
import re
import smtplib
import threading
import time

from support.instance import Instance
from support.mail import imap_bodies


def sender(server, number, acknowledged, attempted, stop):
    """Sends numbered messages until the server is gone; notes which were acknowledged."""
    count = 0
    generator = random.Random(number)
    try:
        with smtplib.SMTP("127.0.0.1", server.port("smtp"), timeout=10) as s:
            s.ehlo()
            while not stop.is_set():
                token = "token-%d-%d-%d" % (id(acknowledged), number, count)
                count += 1
                size = generator.choice((10, 3000, 3000, 100000))
                recipients = generator.choice((["alice@example.test"], ["bob@example.test"],
                                               ["alice@example.test", "bob@example.test"]))
                attempted[token] = recipients
                s.sendmail("s@elsewhere.test", recipients,
                           "Subject: %s\r\n\r\n%s\r\n" % (token, "x" * size))
                acknowledged[token] = recipients
    except (OSError, smtplib.SMTPException):
        pass


def tokens(server, user):
    found = {}
    for raw in imap_bodies(server, user).values():
        token = re.search(rb"Subject: (token-\S+)", raw).group(1).decode()
        assert raw.endswith(b"x\r\n"), "a message is cut off: %r" % raw[-100:]
        found[token] = found.get(token, 0) + 1
    return found


def test_sigkill_under_load():
    generator = random.Random(20261121)
    server = Instance()
    acknowledged, attempted = {}, {}
    try:
        for round_number in range(8):
            server.start()
            stop = threading.Event()
            threads = [threading.Thread(target=sender,
                                        args=(server, round_number * 100 + n, acknowledged, attempted, stop))
                       for n in range(6)]
            for thread in threads:
                thread.start()
            time.sleep(generator.uniform(0.2, 1.2))  # the moment is what is random here
            server.kill()
            stop.set()
            for thread in threads:
                thread.join()
        server.start()
        assert len(acknowledged) > 100, "hardly anything was sent: %d" % len(acknowledged)
        for user in ("alice", "bob"):
            found = tokens(server, user)
            address = user + "@example.test"
            wanted = {t for t, r in acknowledged.items() if address in r}
            lost = wanted - set(found)
            twice = {t for t, n in found.items() if n > 1}
            alien = {t for t in found if address not in attempted[t]}
            assert not lost, "%d acknowledged messages are lost: %s" % (len(lost), sorted(lost)[:5])
            assert not twice, "%d messages are there twice: %s" % (len(twice), sorted(twice)[:5])
            assert not alien
        before = {u: imap_bodies(server, u) for u in ("alice", "bob")}
        server.restart()
        assert before == {u: imap_bodies(server, u) for u in ("alice", "bob")}
        server.close()
    finally:
        server.kill()
        server.close()
