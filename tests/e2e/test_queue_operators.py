"""Operators and the queue: finding messages among many, acting on them, pauses, statistics."""

import smtplib
import threading
import time

from support import wait_for
from support.instance import Instance
from support.mail import imap_bodies, loose_tls, submit
from support.smtp_sink import SmtpSink

TEXT = "From: alice@example.test\r\nSubject: out\r\n\r\nbody\r\n"


def instance(sink, queue=""):
    server = Instance()
    server.add_config("queue {\n    relay_host = [127.0.0.1]:%d\n    retry_first = 1h\n    %s\n}\n" % (sink.port, queue))
    return server


class Gate:
    """A server that defers, refuses or takes what it is told."""

    def __init__(self, reply="451 4.7.1 <%s>: greylisted, come back in 300 s"):
        self.reply = reply
        self.sink = SmtpSink(self.answer)
        self.port = self.sink.port

    def answer(self, verb, command):
        if verb == "RCPT" and self.reply:
            return self.reply % command.split("<")[1].split(">")[0] if "%s" in self.reply else self.reply


def listed(server, *options):
    return server.mailctl_json("queue", "list", *options)


def tried(server, count):
    wait_for(lambda: len(listed(server)) == count and
             all(r["attempts"] >= 1 for m in listed(server) for r in m["recipients"]))


def test_filters_and_actions():
    gate = Gate()
    with instance(gate) as server:
        submit(server, "alice", ["x@far.test", "y@near.test"], TEXT)
        submit(server, "bob", "z@far.test", TEXT + "line\r\n" * 4000)
        submit(server, "alice", "v@other.test", TEXT)
        tried(server, 3)

        def addresses(*options):
            return sorted(r["address"] for m in listed(server, *options) for r in m["recipients"])
        assert addresses("--sender", "alice@example.test") == ["v@other.test", "x@far.test", "y@near.test"]
        assert addresses("--sender", "BOB@*") == ["z@far.test"]
        assert addresses("--domain", "near.test") == ["x@far.test", "y@near.test"]
        assert addresses("--recipient", "v@*") == ["v@other.test"]
        assert addresses("--login", "bob@example.test") == ["z@far.test"]
        assert addresses("--size", "10K") == ["z@far.test"]
        assert addresses("--size", "-10K", "--domain", "far.test") == ["x@far.test", "y@near.test"]
        assert addresses("--age", "1h") == [] and len(addresses("--age", "-1h")) == 4
        assert len(addresses("--reason", "greylisted")) == 4 and addresses("--reason", "unknown") == []
        assert len(addresses("--state", "deferred")) == 4 and addresses("--state", "held") == []
        assert len(listed(server, "--limit", "2")) == 2
        text = server.mailctl("queue", "list", "--limit", "1")
        assert "2 more" in text, text
        assert "no message is like that" in server.mailctl("queue", "list", "--domain", "nosuch.test")

        for wrong in (["--age", "soon"], ["--size", "1X"], ["--state", "odd"], ["--limit", "x"]):
            result = server.run_mailctl("queue", "list", *wrong, check=False)
            assert result.returncode != 0, result
        result = server.run_mailctl("queue", "hold", check=False)
        assert result.returncode == 2 and "--all" in result.stderr, result
        result = server.run_mailctl("queue", "hold", "--all", "--domain", "x", check=False)
        assert result.returncode == 2, result

        # Hold, over restart and kill.
        assert "2 messages are on hold" in server.mailctl("queue", "hold", "--sender", "alice@example.test")
        assert server.mailctl_json("queue", "hold", "--sender", "alice@example.test")["messages"] == 0
        server.restart()
        server.kill()
        server.start()
        held = listed(server, "--state", "held")
        assert len(held) == 2 and held[0]["states"] == ["held"], held
        shown = server.mailctl("queue", "show", held[0]["id"])
        assert "an operator stopped it" in shown and "greylisted" in shown, shown
        result = server.run_mailctl("queue", "retry", held[0]["id"], check=False)
        assert result.returncode == 1 and "on hold" in result.stderr, result
        gate.reply = None
        assert server.mailctl_json("queue", "retry", "--all")["messages"] == 1
        assert gate.sink.next()["recipients"] == ["z@far.test"]
        wait_for(lambda: len(listed(server)) == 2)

        # By ids: what cannot be done is said, the rest is done.
        result = server.run_mailctl("queue", "release", held[0]["id"], "nosuch", check=False)
        assert result.returncode == 1 and "nosuch" in result.stderr and "1 message is released" in result.stdout, result
        server.mailctl("queue", "retry", held[0]["id"])
        gate.sink.next()
        wait_for(lambda: len(listed(server)) == 1)
        result = server.run_mailctl("queue", "delete", "--all", check=False)
        assert result.returncode == 1 and "--yes" in result.stderr, result
        assert len(listed(server)) == 1
        assert "1 message is deleted" in server.mailctl("queue", "delete", "--all", "--yes")
        assert listed(server) == []
        log = server.log()
        assert all("operator action=%s from=" % a in log for a in ("hold", "release", "delete")), log


def test_pauses():
    gate = Gate(None)
    with instance(gate) as server:
        # Everything goes to the relay host: that is one destination.
        server.mailctl("queue", "pause", "relay")
        submit(server, "alice", ["x@far.test", "bob"], TEXT)
        assert len(imap_bodies(server, "bob")) == 1
        wait_for(lambda: listed(server, "--state", "paused"))
        message = listed(server)[0]
        assert "relay is paused" in message["recipients"][0]["why"], message
        result = server.run_mailctl("queue", "pause", "relay", check=False)
        assert result.returncode == 1 and "already" in result.stderr, result
        server.mailctl("queue", "pause")
        server.restart()
        status = server.mailctl("status")
        assert "all sending is paused" in status and "sending to relay is paused" in status, status
        assert [p["destination"] for p in server.mailctl_json("status")["queue"]["paused"]] == ["", "relay"]
        server.mailctl("queue", "retry")
        time.sleep(0.2)
        assert gate.sink.messages.empty()
        assert len(listed(server)) == 1
        server.mailctl("queue", "resume")
        assert gate.sink.next()["recipients"] == ["x@far.test"]
        assert "paused" not in server.mailctl("status")
        result = server.run_mailctl("queue", "resume", check=False)
        assert result.returncode == 4, result


def test_soft_bounce_and_flush():
    gate = Gate("550 5.1.1 <%s>: no such user")
    with instance(gate, "soft_bounce = yes") as server:
        submit(server, "alice", "x@far.test", TEXT)
        tried(server, 1)
        assert "550 5.1.1" in listed(server)[0]["recipients"][0]["last_error"]
        assert "soft_bounce" in server.mailctl("status")
        assert imap_bodies(server, "alice") == {}
        server.replace_config("soft_bounce = yes", "soft_bounce = no")
        server.mailctl("reload")
        assert server.mailctl_json("queue", "flush", "nosuch.test")["messages"] == 0
        assert server.mailctl_json("queue", "flush", "relay")["messages"] == 1
        wait_for(lambda: imap_bodies(server, "alice"))
        wait_for(lambda: listed(server) == [])


def test_requeue():
    gate = Gate()
    with instance(gate) as server:
        submit(server, "alice", "old@moved.test", TEXT)
        tried(server, 1)
        server.mailctl("domain", "add", "moved.test")
        server.mailctl("address", "add", "old@moved.test", "bob@example.test")
        assert server.mailctl_json("queue", "requeue", "--domain", "moved.test")["messages"] == 1
        wait_for(lambda: len(imap_bodies(server, "bob")) == 1)
        wait_for(lambda: listed(server) == [])


def test_requeue_keeps_what_was_said():
    """The message has another id then, and its tries are counted anew, but what was tried before is shown."""
    gate = Gate()
    with instance(gate) as server:
        submit(server, "alice", "x@far.test", TEXT)
        tried(server, 1)
        (before,) = listed(server)
        (said,) = server.mailctl_json("queue", "show", before["id"])["recipients"][0]["tries"]
        assert "greylisted" in said["error"] and said["code"] == "4.7.1", said

        def requeue():
            (old,) = listed(server)
            server.mailctl("queue", "requeue", old["id"])
            wait_for(lambda: [m["id"] for m in listed(server)] not in ([], [old["id"]]))
            (new,) = listed(server)
            return new["id"]
        server.mailctl("queue", "pause")
        (recipient,) = server.mailctl_json("queue", "show", requeue())["recipients"]
        assert recipient["attempts"] == 0 and recipient["tries"] == [said], recipient
        assert recipient["last_error"] == said["error"], recipient
        server.kill()
        server.start()
        (recipient,) = server.mailctl_json("queue", "show", listed(server)[0]["id"])["recipients"]
        assert recipient["last_error"] == said["error"], recipient
        gate.reply = "452 4.2.2 <%s>: no room"
        server.mailctl("queue", "resume")
        tried(server, 1)
        id = requeue()
        wait_for(lambda: "no room" in server.mailctl("queue", "show", id))
        tried(server, 1)
        tries = server.mailctl_json("queue", "show", id)["recipients"][0]["tries"]
        assert "no room" in tries[-1]["error"] and "no room" in tries[-2]["error"], tries
        assert "greylisted" in server.mailctl("trace", before["id"]) and "greylisted" in server.mailctl("trace", id)


def test_many_messages():
    """Thousands wait: lists, counts and bulk actions are streamed, and the server answers meanwhile."""
    count = 2000
    gate = Gate(None)
    with instance(gate) as server:
        server.mailctl("queue", "pause")
        threads = [threading.Thread(target=fill, args=(server, i, count // 4)) for i in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert len(listed(server)) == count
        answers = []
        stop = threading.Event()

        def ask_often():
            while not stop.is_set():
                begun = time.monotonic()
                server.mailctl_json("status")
                answers.append(time.monotonic() - begun)
        asking = threading.Thread(target=ask_often)
        asking.start()
        assert "%d more" % (count - 100) in server.mailctl("queue", "list")
        top = server.mailctl_json("queue", "top", "--by", "destination")
        assert sorted(r["count"] for r in top) == [count // 10] * 10, top
        text = server.mailctl("queue", "top", "--by", "sender", "--domain", "d3.test", "--limit", "1")
        assert "bulk0@example.test" in text and "3 more" in text, text
        assert server.mailctl_json("queue", "hold", "--domain", "d1.test")["messages"] == count // 10
        assert server.mailctl_json("queue", "release", "--all")["messages"] == count // 10
        assert len(listed(server, "--sender", "bulk2@*")) == count // 4
        result = server.mailctl_json("queue", "delete", "--domain", "d5.test", "--yes")
        assert result["messages"] == count // 10, result
        stop.set()
        asking.join()
        assert answers
        assert len(listed(server)) == count - count // 10
        server.restart()
        assert len(listed(server)) == count - count // 10
        assert server.mailctl_json("queue", "delete", "--all", "--yes")["messages"] == count - count // 10
        assert listed(server) == []


def fill(server, number, count):
    with smtplib.SMTP("127.0.0.1", server.port("local")) as s:
        for i in range(count):
            s.sendmail("bulk%d@example.test" % number, ["u%d@d%d.test" % (i, i % 10)], TEXT)


def test_a_message_for_many():
    """Its recipients are shown in parts."""
    gate = Gate(None)
    with instance(gate) as server:
        server.mailctl("queue", "pause")
        recipients = ["u%d@far.test" % i for i in range(900)]
        submit(server, "alice", recipients, TEXT)
        message, = listed(server)
        assert message["recipients_total"] == 900 and len(message["recipients"]) < 20, message
        assert "895 more" in server.mailctl("queue", "list")
        shown = server.mailctl_json("queue", "show", message["id"])
        assert sorted(r["address"] for r in shown["recipients"]) == sorted(recipients)
        assert "Subject: out" in shown["header"] and shown["login"] == "alice@example.test"


def test_held_by_its_sender():
    gate = Gate(None)
    with instance(gate) as server:
        s = smtplib.SMTP("127.0.0.1", server.port("submission"))
        s.starttls(context=loose_tls())
        s.login("alice@example.test", "secret")
        s.sendmail("alice@example.test", ["x@far.test"], TEXT, mail_options=["HOLDFOR=3600"])
        s.sendmail("alice@example.test", ["y@far.test"], TEXT, mail_options=["HOLDFOR=3600"])
        s.quit()
        first, second = listed(server, "--state", "future")
        assert server.mailctl_json("queue", "release", "--all")["messages"] == 0
        server.mailctl("queue", "release", first["id"])
        assert gate.sink.next()["recipients"] == ["x@far.test"]
        # Cancelled.
        server.mailctl("queue", "delete", second["id"], "--yes")
        wait_for(lambda: listed(server) == [])


def test_statistics():
    gate = Gate()
    with instance(gate) as server:
        submit(server, "alice", ["x@far.test", "bob"], TEXT)
        tried(server, 1)
        server.restart()  # the last minute is written at the end
        day = server.mailctl_json("queue", "stats", "--day")
        assert sum(s["accepted"] for s in day) == 1 and sum(s["delivered"] for s in day) == 1, day
        assert max(s["messages_max"] for s in day) == 1, day
        for span in ("--day", "--week", "--year"):
            text = server.mailctl("queue", "stats", span)
            assert "messages" in text and "at most 1" in text, text
        text = server.mailctl("queue", "stats")
        assert "1 messages" in text and "1 recipients" in text, text
        now = server.mailctl_json("queue", "stats")
        assert now["total"]["count"] == 1 and now["queue"]["messages"] == 1, now
        assert server.run_mailctl("queue", "stats", "--day", "--week", check=False).returncode == 2
        assert "examples:" in server.mailctl("queue", "top", "--help")


def test_routes():
    gate = Gate()
    with instance(gate) as server:
        server.add_config("route outside {\n    recipient = far.test\n    hosts = [127.0.0.1]:%d\n}\n" % gate.port)
        server.mailctl("reload")
        submit(server, "alice", ["x@far.test", "y@near.test"], TEXT)
        submit(server, "bob", "z@near.test", TEXT)
        tried(server, 2)
        first, = listed(server, "--route", "outside")
        assert {r["address"]: r["destination"] for r in first["recipients"]} == {
            "x@far.test": "rule outside", "y@near.test": "relay"}, first
        assert {r["name"]: r["count"] for r in server.mailctl_json("queue", "top", "--by", "route")} == {
            "outside": 1, "(none)": 2}
        server.mailctl("queue", "pause", "--route", "outside")
        assert "sending to rule outside is paused" in server.mailctl("status")
        gate.reply = None
        server.mailctl("queue", "retry")
        assert sorted(r for _ in range(2) for r in gate.sink.next()["recipients"]) == ["y@near.test", "z@near.test"]
        wait_for(lambda: len(listed(server)) == 1)
        # On hold its route is known as well.
        server.mailctl("queue", "hold", "--route", "outside")
        assert len(listed(server, "--route", "outside", "--state", "held")) == 1
        server.mailctl("queue", "release", "--route", "outside")
        server.mailctl("queue", "resume", "--route", "outside")
        server.mailctl("queue", "flush", "rule outside")
        assert gate.sink.next()["recipients"] == ["x@far.test"]
        wait_for(lambda: listed(server) == [])
