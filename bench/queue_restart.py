"""How soon a server with much waiting mail serves again, and what that mail takes."""

import signal
import socket
import time

from common import program, show
from file_system import FileSystem
from processes import memory_bytes
from support.instance import Instance

DOMAIN = "relay.test"
NOBODY = "127.0.0.1:9"


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


def again(server, name, end, messages):
    end()
    server.process.wait(120)
    server.start(wait=False)
    show("start after %s" % name, greeted(server), "s")
    stats = server.mailctl_json("status")["queue"]
    assert stats["messages"] == messages, stats
    show("memory then", memory_bytes([server.process.pid]) / 1e6, "MB")


def run(quick):
    messages = 10000 if quick else 100000
    with FileSystem() as directory:
        server = Instance(users=["user0"], directory=directory)
        try:
            server.add_config("queue {\n    retry_first = 1h\n    delay_warning = 0\n}\n")
            server.start()
            server.mailctl("domain", "add", DOMAIN, "--relay", NOBODY)
            program("bench_smtp_load", "--domain", DOMAIN, server.port("smtp"), 20, messages, 4096, 1, 1000)
            show("messages of 4 KB that wait", messages, "")
            show("memory then", memory_bytes([server.process.pid]) / 1e6, "MB")
            again(server, "SIGKILL", server.process.kill, messages)
            again(server, "a clean end", lambda: server.process.send_signal(signal.SIGTERM), messages)
        finally:
            server.close()
