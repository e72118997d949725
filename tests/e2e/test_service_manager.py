"""What systemd is told and gives: readiness, watchdog, sockets that outlive the process."""

import os
import signal
import socket
import subprocess
import time

from support.instance import Instance, build_dir
from support.mail import imap_bodies, inject
from support.service_manager import Caller, ServiceManager, start_with

TEXT = "Subject: x\r\n\r\nbody\r\n"


def managed(server, manager, **environment):
    server.environment.update(manager.environment(**environment))
    server.start(wait=False)
    manager.wait("READY=1")
    return server


def start_again(server, manager):
    """As the manager does: with what it keeps."""
    log = open(server.log_path, "ab")
    server.process = start_with(list(manager.kept.values()),
                                [os.path.join(build_dir(), "maild"), "--config", server.config_path],
                                server.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    log.close()


def test_told_of_start_reload_and_end():
    server = Instance()
    manager = ServiceManager(server.directory)
    try:
        managed(server, manager)
        inject(server, "far@away.test", ["bob@example.test"], TEXT)
        server.mailctl("reload")
        manager.wait("RELOADING=1")
        manager.wait("READY=1", 2)
        server.stop()
        manager.wait("STOPPING=1")
    finally:
        server.close()
        manager.close()


def test_no_caller_is_refused_over_a_restart_or_a_crash():
    server = Instance()
    manager = ServiceManager(server.directory)
    try:
        managed(server, manager)
        caller = Caller(server)
        inject(server, "far@away.test", ["bob@example.test"], TEXT)
        server.stop()
        start_again(server, manager)
        manager.wait("READY=1", 2)
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
        start_again(server, manager)
        manager.wait("READY=1", 3)
        inject(server, "far@away.test", ["bob@example.test"], TEXT)
        with server.connect("lmtp") as s:  # a Unix socket: its file is still there
            assert s.recv(4).startswith(b"220")
        greeted, refused = caller.result()
        assert refused == [] and greeted > 2, (greeted, refused)
        assert len(imap_bodies(server, "bob")) == 2
        server.close()
    finally:
        server.kill()
        manager.close()


def test_sockets_that_the_configuration_no_longer_has_are_given_back():
    server = Instance()
    manager = ServiceManager(server.directory)
    try:
        managed(server, manager)
        port = server.port("pop3")
        name = "127-0-0-1-%d" % port
        assert name in manager.kept, manager.kept
        server.stop()
        with open(server.config_path) as f:
            text = f.read()
        begin = text.rindex("listener ", 0, text.index(str(port)))
        end = text.index("}", begin) + 1
        with open(server.config_path, "w") as f:
            f.write(text[:begin] + text[end:])
        start_again(server, manager)
        manager.wait("READY=1", 2)
        assert name not in manager.kept, manager.kept
        try:
            socket.create_connection(("127.0.0.1", port), timeout=10).close()
            raise AssertionError("somebody still listens")
        except ConnectionRefusedError:
            pass
        server.close()
    finally:
        server.kill()
        manager.close()


def test_the_watchdog_hears_of_a_loop_that_turns():
    server = Instance()
    manager = ServiceManager(server.directory)
    try:
        managed(server, manager, WATCHDOG_USEC="300000")
        manager.wait("WATCHDOG=1", 5)
        server.process.send_signal(signal.SIGSTOP)
        with manager.changed:
            while manager.changed.wait(0.6):  # what was on its way
                pass
            before = manager.told.count("WATCHDOG=1")
        server.process.send_signal(signal.SIGCONT)
        manager.wait("WATCHDOG=1", before + 2)
        server.close()
    finally:
        server.kill()
        manager.close()


def test_a_start_that_fails_is_not_tried_again_at_once():
    """The manager starts the server a moment after it ended, which is right after a crash, and would fill the log here."""
    server = Instance()
    manager = ServiceManager(server.directory)
    server.add_config("queue {\n    lifetime = soon\n}\n")
    command = [os.path.join(build_dir(), "maild"), "--config", server.config_path]

    def start(environment):
        return subprocess.Popen(command, env=dict(os.environ, **environment), stderr=subprocess.PIPE)
    try:
        begin = time.monotonic()
        with start(manager.environment()) as process:
            assert b"queue: lifetime" in process.stderr.readline()  # who waits for it is told at once
            assert process.wait(30) == 1
        assert time.monotonic() - begin > 2.5
        with start(manager.environment()) as process:
            process.stderr.readline()
            process.terminate()
            assert process.wait(30) in (1, -signal.SIGTERM)
        begin = time.monotonic()
        with start({}) as process:
            assert process.wait(30) == 1
        assert time.monotonic() - begin < 2.5
    finally:
        server.close()
        manager.close()


def test_environment_that_is_not_for_us():
    server = Instance()
    server.environment.update(LISTEN_FDS="3", LISTEN_PID="1", WATCHDOG_USEC="abc", NOTIFY_SOCKET="/nonexistent/notify")
    with server:
        inject(server, "far@away.test", ["bob@example.test"], TEXT)
        assert "does not listen at /nonexistent/notify" in server.log()
