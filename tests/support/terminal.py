"""mailctl as a person at a terminal sees it."""

import os
import pty
import select
import subprocess
import time

from .instance import build_dir


def on_terminal(server, *arguments, answer="", until="[y/N]", then=None, environment=None, seconds=60):
    """All three standard files are a terminal; the answer is typed, or `then` called, when it shows `until`. Status and
    all that it showed."""
    master, slave = pty.openpty()
    variables = {**server.environment, "TERM": "xterm", **(environment or {})}
    process = subprocess.Popen([os.path.join(build_dir(), "mailctl"), "--config", server.config_path, *arguments],
                               stdin=slave, stdout=slave, stderr=slave, close_fds=True, env=variables,
                               start_new_session=True)
    os.close(slave)
    shown, end = b"", time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            if not select.select([master], [], [], 1)[0]:
                continue
            try:
                shown += os.read(master, 65536)
            except OSError:  # it has ended
                break
            if answer and until.encode() in shown:
                os.write(master, answer.encode() + b"\n")
                answer = ""
            if then and until.encode() in shown:
                then()
                then = None
        return process.wait(timeout=seconds), shown.decode(errors="replace").replace("\r\n", "\n")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(master)
