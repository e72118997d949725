"""A busy machine: strangers on port 25 wait, users do not."""

import os
import re
import signal
import socket
import time

from support.instance import Instance
from support.mail import imap, inject, submit

TEXT = "Subject: x\r\n\r\nbody\r\n"
STRANGER = "127.0.0.2"  # everybody else on the loopback is trusted


def strangers(more):
    server = Instance()
    server.add_config("policy {\n    trusted_networks = 127.0.0.0/8 !%s\n}\n" % STRANGER)
    server.replace_config("hostname =", more + "\nhostname =")
    return server.start()


def stranger(server):
    return socket.create_connection(("127.0.0.1", server.port("smtp")), timeout=60, source_address=(STRANGER, 0))


def greeting(s):
    return s.makefile("rb").readline().decode()


def load(server):
    return server.mailctl_json("status")["load"]


def await_level(server, level):
    end = time.monotonic() + 60
    while load(server)["level"] != level:
        assert time.monotonic() < end, load(server)
        time.sleep(0.05)
    return load(server)


def users_are_served(server):
    submit(server, "alice", "bob", TEXT)
    imap(server, "bob").logout()
    inject(server, "a@elsewhere.test", ["alice"], TEXT)  # from a trusted network
    with server.connect("lmtp") as s:
        assert greeting(s).startswith("220 ")


def test_strangers_leave_room_for_users():
    server = strangers("connections_max = 20\nconnections_reserved = 50")
    kept = [stranger(server) for _ in range(10)]
    assert all(greeting(s).startswith("220 ") for s in kept)
    with stranger(server) as s:
        assert re.fullmatch(r"421 4\.3\.2 \S+ Too busy, try again later\r\n", greeting(s))
        assert s.recv(10) == b""
    state = await_level(server, "busy")
    assert state["why"] == "strangers" and state["strangers"] == 10 and state["strangers_max"] == 10, state
    assert state["connections_max"] == 20 and state["turned_away"] == 1, state
    text = server.mailctl("status", "--long")
    assert re.search(r"^load +busy: strangers; strangers turned away: 1$", text, re.M), text
    assert re.search(r"^connections +10 of at most 20, strangers 10 of 10$", text, re.M), text
    users_are_served(server)
    # Fewer errors now, and whoever goes makes room.
    kept[0].sendall(b"X\r\nX\r\nX\r\nX\r\n")
    answer = b""
    while b"421 " not in answer:
        answer += kept[0].recv(1000)
    assert answer.count(b"500 ") == 3, answer
    kept[0].close()
    end = time.monotonic() + 30
    while True:
        with stranger(server) as s:
            if greeting(s).startswith("220 "):
                break
        assert time.monotonic() < end
    for s in kept:
        s.close()
    log = server.log()
    assert log.count("load: busy: strangers=") == 1, log
    server.close()


def test_silent_strangers_go_when_room_is_short():
    server = strangers("connections_max = 20\nconnections_reserved = 50")
    server.add_config("smtp {\n    busy_timeout = 1s\n}\n")
    server.restart()
    trusted = server.connect("smtp")
    assert greeting(trusted).startswith("220 ")
    kept = [stranger(server) for _ in range(10)]
    for s in kept:  # parked before and after it got busy: all go
        assert greeting(s).startswith("220 ")
    for s in kept:
        assert s.recv(1000).startswith(b"421 4."), "kept waiting"
    trusted.sendall(b"NOOP\r\n")
    assert trusted.recv(100).startswith(b"250 ")
    trusted.close()
    server.close()


def test_an_overloaded_machine_turns_strangers_away():
    server = strangers("")
    # As if everything had stood still for some seconds.
    os.kill(server.process.pid, signal.SIGSTOP)
    time.sleep(5)
    os.kill(server.process.pid, signal.SIGCONT)
    state = await_level(server, "overloaded")
    assert state["why"] == "loop_delay", state
    with stranger(server) as s:
        assert greeting(s).startswith("421 4.3.2 ")
    users_are_served(server)
    assert load(server)["turned_away"] == 1
    state = await_level(server, "normal")
    with stranger(server) as s:
        assert greeting(s).startswith("220 ")
    log = server.log()
    assert "load: overloaded: loop_delay=" in log and "load: normal again after" in log, log
    server.close()
