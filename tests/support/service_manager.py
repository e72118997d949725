"""A service manager as a service sees it: it hears what is told (sd_notify), keeps sockets, and gives them to the next process."""

import array
import fcntl
import os
import socket
import subprocess
import threading
import time


class ServiceManager:
    def __init__(self, folder):
        self.path = os.path.join(folder, "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(0.2)
        self.told = []
        self.kept = {}  # name -> descriptor
        self.changed = threading.Condition()
        self.ended = False
        self.thread = threading.Thread(target=self.listen)
        self.thread.start()

    def listen(self):
        room = socket.CMSG_SPACE(array.array("i").itemsize)
        while not self.ended:
            try:
                text, control, _, _ = self.socket.recvmsg(4096, room)
            except TimeoutError:
                continue
            fds = array.array("i")
            for level, kind, data in control:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    fds.frombytes(data)
            with self.changed:
                self.take(text.decode().split("\n"), list(fds))
                self.changed.notify_all()

    def take(self, lines, fds):
        values = dict(line.split("=", 1) for line in lines)
        self.told.extend(lines)
        if "FDSTORE" in values:
            self.forget(values["FDNAME"])
            self.kept[values["FDNAME"]] = fds[0]
        if "FDSTOREREMOVE" in values:
            self.forget(values["FDNAME"])

    def forget(self, name):
        if name in self.kept:
            os.close(self.kept.pop(name))

    def wait(self, line, count=1, seconds=30):
        with self.changed:
            assert self.changed.wait_for(lambda: self.told.count(line) >= count, seconds), \
                "%r was not told %d times: %r" % (line, count, self.told)

    def environment(self, **more):
        return dict(NOTIFY_SOCKET=self.path, **more)

    def close(self):
        self.ended = True
        self.thread.join()
        self.socket.close()
        for name in list(self.kept):
            self.forget(name)


def start_with(descriptors, command, environment, **options):
    """The program with these listening sockets from descriptor 3 on, as sd_listen_fds has them."""
    copies = [fcntl.fcntl(fd, fcntl.F_DUPFD, 100) for fd in descriptors]
    moves = " ".join("%d<&%d" % (3 + i, fd) for i, fd in enumerate(copies))
    closes = " ".join("%d<&-" % fd for fd in copies)
    script = 'exec %s %s; export LISTEN_PID=$$; exec "$@"' % (moves, closes)
    try:
        return subprocess.Popen(["bash", "-c", script, "bash"] + command, pass_fds=copies,
                                env=dict(environment, LISTEN_FDS=str(len(copies))), **options)
    finally:
        for fd in copies:
            os.close(fd)


class Caller(threading.Thread):
    """Connects all the time and wants a greeting each time."""

    def __init__(self, server):
        super().__init__()
        self.server, self.greeted, self.refused, self.ended = server, 0, [], threading.Event()
        self.start()

    def run(self):
        while not self.ended.is_set():
            try:
                with self.server.connect("smtp", timeout=60) as s:
                    if s.recv(4).startswith(b"220"):
                        self.greeted += 1
            except ConnectionRefusedError as e:
                self.refused.append(str(e))
            except OSError:
                pass  # closed by the process that ends
            time.sleep(0.002)

    def result(self):
        self.ended.set()
        self.join()
        return self.greeted, self.refused
