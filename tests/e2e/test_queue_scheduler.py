"""When mail for others leaves: who overtakes whom, rates, dead servers, connections that are used again."""

import socket
import time

from support import wait_for
from support.instance import Instance
from support.mail import submit
from support.smtp_sink import SmtpSink

TEXT = "From: alice@example.test\r\nSubject: out\r\n\r\nbody\r\n"


def route(name, recipient, port, more=""):
    return "route %s {\n    recipient = %s\n    hosts = [127.0.0.1]:%d\n    %s\n}\n" % (name, recipient, port, more)


def instance(*config, queue=""):
    server = Instance()
    server.add_config("queue {\n    retry_first = 1s\n    %s\n}\n" % queue)
    for text in config:
        server.add_config(text)
    return server


def queue(server):
    listed = server.mailctl_json("queue", "list")
    return listed["messages"] if isinstance(listed, dict) else listed


def why(server, address):
    """Why it waits, in the words for operators; "" when it is not in the queue."""
    for message in queue(server):
        shown = server.mailctl_json("queue", "show", message["id"])
        for recipient in shown["recipients"]:
            if recipient["address"] == address:
                return recipient.get("why") or ""
    return ""


class Slow(SmtpSink):
    """Takes a message only when `go` more may be taken."""

    def __init__(self):
        import threading
        self.turns = threading.Semaphore(0)
        self.begun = 0
        super().__init__(self.wait)

    def wait(self, verb, command):
        if verb == "DOT":
            self.begun += 1
            self.turns.acquire()

    def go(self, count=1):
        for _ in range(count):
            self.turns.release()


class BlackHole:
    """A port on which connections are never answered: those that wait to be accepted fill its list."""

    def __init__(self):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(0)
        self.port = self.listener.getsockname()[1]
        self.fillers = []
        for _ in range(4):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(("127.0.0.1", self.port))
            self.fillers.append(s)

    def close(self):
        for s in [self.listener, *self.fillers]:
            s.close()


def test_a_letter_overtakes_a_mailing():
    sink = Slow()
    with instance(route("far", "far.test", sink.port), queue="connections_per_destination = 1") as server:
        for i in range(4):
            submit(server, "alice", ["list%d@far.test" % n for n in range(i * 100, i * 100 + 60)], TEXT)
        wait_for(lambda: sink.begun == 1)
        submit(server, "bob", "friend@far.test", TEXT)
        submit(server, "alice", "mother@far.test", TEXT)
        sink.go(10)
        got = [sink.next()["recipients"] for _ in range(6)]
        assert ["friend@far.test"] in got[1:4] and ["mother@far.test"] in got[1:4], [r[0] for r in got]
        wait_for(lambda: queue(server) == [])


def test_rate_of_a_route():
    sink = SmtpSink()
    with instance(route("far", "far.test", sink.port, "rate = 2/1h")) as server:
        for i in range(4):
            submit(server, "alice", "x%d@far.test" % i, TEXT)
        first = sink.next()["recipients"]
        wait_for(lambda: len(queue(server)) == 3)
        waiting = queue(server)[-1]["recipients"][0]["address"]
        assert "rate of route far" in why(server, waiting), why(server, waiting)
        assert first == ["x0@far.test"] and sink.messages.empty()
        # Mail for our own is not concerned.
        submit(server, "alice", "bob", TEXT)
        wait_for(lambda: server.messages("bob"))


def test_connections_of_a_route():
    sink = Slow()
    config = route("one", ".far.test", sink.port, "connections_max = 2")
    with instance(config) as server:
        for i in range(6):
            submit(server, "alice", ["x@d%d.far.test" % i], TEXT)
        wait_for(lambda: sink.begun == 2)
        submit(server, "alice", "late@d9.far.test", TEXT)
        assert wait_for(lambda: why(server, "late@d9.far.test"))
        assert sink.begun == 2 and sink.connections == 2
        sink.go(100)
        for _ in range(7):
            sink.next()
        wait_for(lambda: queue(server) == [])


def test_dead_destinations_do_not_hold_up_the_others():
    hole, sink = BlackHole(), SmtpSink()
    dead = route("dead", ".dead.test", hole.port)
    holes = "".join(route("dead%d" % i, "d%d.test" % i, hole.port) for i in range(20))
    try:
        with instance(dead, holes, route("live", "live.test", sink.port), queue="connections_max = 2") as server:
            for i in range(20):
                submit(server, "alice", "x@d%d.test" % i, TEXT)
            for i in range(5):
                submit(server, "alice", "x%d@live.test" % i, TEXT)
            got = sorted(sink.next()["recipients"][0] for _ in range(5))
            assert got == ["x%d@live.test" % i for i in range(5)], got
            assert len(queue(server)) == 20
    finally:
        hole.close()


def test_a_destination_that_lives_again_gets_all_at_once():
    state = {"dead": True}
    sink = SmtpSink(lambda verb, command: "421 4.3.2 not now" if state["dead"] and verb in ("EHLO", "HELO") else None)
    with instance(route("far", "far.test", sink.port), queue="retry_max = 20s") as server:
        for i in range(5):
            submit(server, "alice", "x%d@far.test" % i, TEXT)
        wait_for(lambda: all(m["recipients"][0]["attempts"] >= 1 for m in queue(server)))
        assert "not now" in str(queue(server)[0]), queue(server)[0]
        state["dead"] = False
        server.mailctl("queue", "retry", queue(server)[0]["id"])
        begin = time.monotonic()
        got = sorted(sink.next()["recipients"][0] for _ in range(5))
        assert got == ["x%d@far.test" % i for i in range(5)], got
        wait_for(lambda: queue(server) == [])
        assert time.monotonic() - begin < 30


def test_a_connection_is_used_again():
    sink = SmtpSink()
    with instance(route("far", "far.test", sink.port), queue="connection_linger = 30s") as server:
        for i in range(6):
            submit(server, "alice", "x%d@far.test" % i, TEXT)
            assert sink.next()["recipients"] == ["x%d@far.test" % i]
        assert sink.connections <= 2, sink.connections


def test_the_log_says_what_took_how_long():
    sink = SmtpSink()
    with instance(route("far", "far.test", sink.port)) as server:
        submit(server, "alice", "x@far.test", TEXT)
        sink.next()
        line = wait_for(lambda: next((l for l in server.log().splitlines() if "status=sent" in l), None))
        fields = dict(f.split("=", 1) for f in line.split("] ")[-1].split(": ", 1)[-1].split(" ") if "=" in f)
        parts = [float(p) for p in fields["delays"].split("/")]
        assert len(parts) == 4 and abs(sum(parts) - float(fields["delay"])) < 0.1, line
