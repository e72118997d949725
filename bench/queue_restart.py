"""How soon a server with much waiting mail serves again, and what that mail takes."""

import signal
import socket
import time

from common import program, show
from file_system import FileSystem
from processes import memory_bytes
from support.instance import Instance
from support.smtp_sink import SmtpSink

DOMAIN = "relay.test"
CONNECTIONS = 20  # to a destination at most, by default


def greeted(server):
    """Seconds from now until the first greeting."""
    begin = time.monotonic()
    while True:
        try:
            with socket.create_connection(("127.0.0.1", server.port("smtp")), 60) as s:
                s.settimeout(60)
                assert s.recv(4) == b"220 "
                return time.monotonic() - begin
        except OSError:
            assert time.monotonic() - begin < 120, "it does not start"
            time.sleep(0.005)


def again(server, sink, name, end):
    """What waits is paused over the restart, so that all of it is due when it begins to be sent."""
    messages = server.mailctl_json("status")["queue"]["messages"]
    end()
    server.process.wait(120)
    begin = time.monotonic()
    server.start(wait=False)
    show("start after %s" % name, greeted(server), "s")
    stats = server.mailctl_json("status")["queue"]
    assert messages - CONNECTIONS <= stats["messages"] <= messages, stats  # some may have been under way
    show("memory then", memory_bytes([server.process.pid]) / 1e6, "MB")
    sink.messages.queue.clear()
    server.mailctl("queue", "resume", DOMAIN)
    sink.messages.get(timeout=60)
    show("... from the start until a waiting message is at its server", time.monotonic() - begin, "s")
    server.mailctl("queue", "pause", DOMAIN)


def run(quick):
    messages = 10000 if quick else 100000
    with FileSystem() as directory:
        server = Instance(users=["user0"], directory=directory)
        sink = SmtpSink()
        try:
            server.start()
            server.mailctl("domain", "add", DOMAIN, "--relay", "127.0.0.1:%d" % sink.port)
            server.mailctl("queue", "pause", DOMAIN)
            program("bench_smtp_load", "--domain", DOMAIN, server.port("smtp"), 20, messages, 4096, 1, 1000)
            show("messages of 4 KB that wait", messages, "")
            show("memory then", memory_bytes([server.process.pid]) / 1e6, "MB")
            again(server, sink, "SIGKILL", server.process.kill)
            again(server, sink, "a clean end", lambda: server.process.send_signal(signal.SIGTERM))
        finally:
            server.close()
            sink.close()
