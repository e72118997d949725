"""Quota as users, senders and operators meet it."""

import os
import re
import smtplib
import threading
import time

from support import wait_for
from support.instance import Instance
from support.mail import imap, imap_bodies, inject, submit

DOMAIN = "@example.test"


def message(size, subject="filler"):
    head = "From: s@elsewhere.test\r\nSubject: %s\r\n\r\n" % subject
    line = "x" * 70 + "\r\n"
    return head + line * max(1, (size - len(head)) // len(line))


def stored(server, user):
    """(bytes, messages) as the files are."""
    sizes = []
    root = server.maildir(user)
    for folder in [root] + [os.path.join(root, d) for d in os.listdir(root) if d.startswith(".")]:
        for sub in ("new", "cur"):
            directory = os.path.join(folder, sub)
            if os.path.isdir(directory) and os.path.exists(os.path.join(folder, "dovecot-uidlist")):
                sizes += [os.stat(os.path.join(directory, f)).st_size for f in os.listdir(directory)]
    return sum(sizes), len(sizes)


def quota(server, user):
    return server.mailctl_json("quota", "get", user + DOMAIN)[0]


def used(server, user):
    q = quota(server, user)
    return q["storage"], q["messages"]


def set_quota(server, user, **limits):
    server.mailctl("quota", "set", user + DOMAIN, *[w for k, v in limits.items() for w in ("--" + k, v)])


def test_mailctl():
    with Instance() as server:
        inject(server, "s@elsewhere.test", ["alice"], message(5000))
        text = server.mailctl("quota", "get")
        assert re.search(r"^user +storage +of +% +messages +of +%$", text, re.M), text
        assert re.search(r"^alice@example.test +[0-9.]+ KB +unlimited +1 +unlimited *$", text, re.M), text
        text = server.mailctl("quota", "set", "alice@example.test", "--storage", "5G", "--messages", "10")
        assert re.search(r"^alice@example.test +[0-9.]+ KB +5.0 GB +0 +1 +10 +10$", text, re.M), text
        q = quota(server, "alice")
        assert q["storage_limit"] == q["storage_own"] == 5 << 30 and q["messages_limit"] == 10, q
        assert q["mailboxes"] == 6 and (q["storage"], q["messages"]) == used(server, "alice"), q
        server.mailctl("quota", "set", "alice@example.test", "--messages", "default")
        assert quota(server, "alice")["messages_own"] == -1
        for wrong in (["--storage", "much"], ["--messages", "1.5"], ["--storage", "-1"], []):
            result = server.run_mailctl("quota", "set", "alice@example.test", *wrong, check=False)
            assert result.returncode != 0, wrong
        result = server.run_mailctl("quota", "get", "nobody@example.test", check=False)
        assert result.returncode == 4 and "nobody@example.test" in result.stderr, result.stderr
        assert server.run_mailctl("quota", "recalc", check=False).returncode == 2
        # Another program removes a message that is not in memory.
        server.restart()
        assert used(server, "alice")[1] == 1
        for path in server.messages("alice"):
            os.unlink(os.path.join(server.maildir("alice"), path))
        assert len(server.mailctl_json("quota", "recalc", "--all")) == 2
        assert used(server, "alice") == (0, 0)


def test_settings_and_reload():
    server = Instance()
    server.add_config("quota { storage = 20K; grace = 0; rules = \"Trash:storage=+100%\" \"Junk:ignore\"; warnings = 1000% }")
    with server:
        inject(server, "s@elsewhere.test", ["alice"], message(15000))
        try:
            inject(server, "s@elsewhere.test", ["alice"], message(15000))
            raise AssertionError("more than the quota was taken")
        except smtplib.SMTPRecipientsRefused as refused:
            assert refused.recipients["alice@example.test"][0] == 552, refused.recipients
        box = imap(server, "alice")
        box.select("INBOX")
        typ, data = box.append("INBOX", "", None, message(15000).encode())
        assert typ == "NO" and b"[OVERQUOTA]" in data[0], data
        typ, data = box.copy("1", "Drafts")
        assert typ == "NO" and b"[OVERQUOTA]" in data[0], data
        assert box.copy("1", "Trash")[0] == "OK"      # its own limit
        assert box.append("Junk", "", None, message(50000).encode())[0] == "OK"
        assert used(server, "alice")[1] == 2
        typ, data = box._simple_command("MOVE", "1", "Drafts")
        assert typ == "OK", data                      # makes nothing grow
        box.logout()
        # The limits change without a restart, for sessions that are open as well.
        box = imap(server, "alice")
        server.replace_config("storage = 20K", "storage = 100K")
        server.mailctl("reload")
        inject(server, "s@elsewhere.test", ["alice"], message(15000))
        assert box.append("INBOX", "", None, message(1000).encode())[0] == "OK"
        set_quota(server, "alice", storage="10K")
        assert box.append("INBOX", "", None, message(1000).encode())[0] == "NO"
        server.replace_config("grace = 0", "grace = 0; over_quota = later")
        server.mailctl("reload")
        try:
            inject(server, "s@elsewhere.test", ["alice"], message(1000))
            raise AssertionError("more than the quota was taken")
        except smtplib.SMTPRecipientsRefused as refused:
            assert refused.recipients["alice@example.test"][0] == 452, refused.recipients
            assert b"4.2.2" in refused.recipients["alice@example.test"][1], refused.recipients
        box.logout()


def test_a_report_for_part_of_a_list():
    with Instance() as server:
        server.mailctl("address", "add", "team@example.test", "alice@example.test", "bob@example.test")
        inject(server, "s@elsewhere.test", ["alice"], message(100))
        set_quota(server, "alice", messages="1")
        submit(server, "bob", "team", message(100, "to the team"))
        wait_for(lambda: len(imap_bodies(server, "bob")) == 2, "bob has no report")
        report = b"".join(imap_bodies(server, "bob").values())
        assert b"Status: 5.2.2" in report and b"Mailbox is full" in report, report
        assert not any(b"to the team" in text for text in imap_bodies(server, "alice").values())


def test_warning_mail():
    server = Instance()
    server.add_config("quota { storage = 100K; warnings = 50% 80% }")
    with server:
        inject(server, "s@elsewhere.test", ["alice"], message(60000))
        wait_for(lambda: len(imap_bodies(server, "alice")) == 2, "no warning at 50%")
        server.restart()
        inject(server, "s@elsewhere.test", ["alice"], message(500))
        inject(server, "s@elsewhere.test", ["alice"], message(30000))
        wait_for(lambda: len(imap_bodies(server, "alice")) == 5, "no warning at 80%")
        bodies = list(imap_bodies(server, "alice").values())
        assert b"\r\nSubject: Your mailbox is 57% full\r\n" in bodies[1], bodies[1]
        assert b"\r\nAuto-Submitted: auto-generated\r\n" in bodies[1]
        assert b" of 100.0 KB are in use (57%)\r\n" in bodies[1], bodies[1]
        assert b"\r\nSubject: Your mailbox is 8" in bodies[4], bodies[4]
        server.restart()
        inject(server, "s@elsewhere.test", ["alice"], message(500))
        assert len(imap_bodies(server, "alice")) == 6


def churn(server, user, stop):
    """Messages come and go until the server is gone."""
    try:
        box = imap(server, user)
        box.create("Work")
        number = 0
        while not stop.is_set():
            number += 1
            box.append("INBOX" if number % 3 else "Work", "", None, message(200 + number * 7 % 5000).encode())
            box.select("INBOX")
            if number % 5 == 0:
                box.copy("1:2", "Work")
            if number % 7 == 0:
                box.store("1:3", "+FLAGS", "\\Deleted")
                box.expunge()
            if number % 11 == 0:
                box._simple_command("MOVE", "1", "Trash")
            if number % 40 == 0:
                box.delete("Work")
                box.create("Work")
    except Exception:
        pass


def receive(server, user, stop):
    try:
        while not stop.is_set():
            inject(server, "s@elsewhere.test", [user], message(300), port="local")
    except Exception:
        pass


def test_exact_after_sigkill():
    with Instance() as server:
        set_quota(server, "alice", storage="50M")
        for round in range(3):
            stop = threading.Event()
            threads = [threading.Thread(target=churn, args=(server, "alice", stop)),
                       threading.Thread(target=receive, args=(server, "alice", stop))]
            for t in threads:
                t.start()
            time.sleep(0.7)
            if round == 1:
                used(server, "alice")
            server.kill()
            stop.set()
            for t in threads:
                t.join()
            server.start()
            now = used(server, "alice")
            server.stop()
            assert now == stored(server, "alice"), (now, stored(server, "alice"))
            with open(os.path.join(server.maildir("alice"), "maildirsize")) as f:
                assert f.read() == "52428800S\n%d %d\n" % now
            server.start()


def test_many_senders_do_not_exceed_together():
    server = Instance()
    server.add_config("quota { storage = 50K; grace = 5K; warnings = 1000% }")
    with server:
        results = []

        def send():
            try:
                inject(server, "s@elsewhere.test", ["alice"], message(9000))
                results.append(True)
            except smtplib.SMTPException:
                results.append(False)

        threads = [threading.Thread(target=send) for _ in range(12)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert results.count(True) == 5 or results.count(True) == 6, results
        assert used(server, "alice")[0] <= 55 * 1024
        server.stop()
        assert stored(server, "alice")[1] == results.count(True)


def test_undelete_counts_again():
    with Instance() as server:
        inject(server, "s@elsewhere.test", ["alice"], message(1000))
        box = imap(server, "alice")
        box.create("Work")
        box.append("Work", "", None, message(2000).encode())
        before = used(server, "alice")
        assert before[1] == 2
        box.select("INBOX")
        box.store("1", "+FLAGS", "\\Deleted")
        box.expunge()
        box.delete("Work")
        assert used(server, "alice") == (0, 0)
        server.mailctl("mailbox", "undelete", "alice@example.test")
        assert used(server, "alice") == before
        box.logout()
        server.stop()
        assert stored(server, "alice") == before
