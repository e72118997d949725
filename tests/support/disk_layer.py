"""An instance with disk_layer.c between it and its disk."""

import mmap
import os
import struct
import subprocess
import threading

from . import Skip
from .actors import plain_config
from .instance import Instance, build_dir

_lock = threading.Lock()


def library(name="disk_layer"):
    """Builds it once; the path."""
    if "sanitize" in build_dir():
        raise Skip("the sanitizer wants to be the first library")
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), name + ".c")
    path = os.path.join(build_dir(), name + ".so")
    with _lock:
        if not os.path.exists(path) or os.path.getmtime(path) < os.path.getmtime(source):
            temporary = "%s.%d" % (path, os.getpid())
            result = subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-fno-builtin", "-D_GNU_SOURCE", "-o", temporary,
                                     source, "-ldl"], capture_output=True, text=True)
            if result.returncode != 0:
                raise AssertionError("%s.c cannot be built:\n%s" % (name, result.stderr))
            os.rename(temporary, path)
    return path


class Control:
    """struct control of disk_layer.c."""

    FORM = struct.Struct("<IIQQQQQQQ512s128s")
    WRITE, SYNC, NAME, OPEN, TIME = 1, 2, 4, 8, 16
    ALL = 31

    def __init__(self, path):
        self.path = path
        with open(path, "wb") as f:
            f.write(bytes(4096))
        with open(path, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), 4096)

    def fail(self, classes, error, first, last, half=False, only=""):
        """Calls number first to last of these classes, on paths that contain `only`, counted from now on, return the error."""
        self.map[4:self.FORM.size] = self.FORM.pack(0, error, first, last, 0, 0, half, 0, 0, b"", only.encode())[4:]
        self.map[0:4] = struct.pack("<I", classes)

    def fail_allocation(self, number):
        self.stop()
        self.map[0:self.FORM.size] = self.FORM.pack(0, 0, 0, 0, 0, 0, 0, number, 0, b"", b"")

    def stop(self):
        self.map[0:4] = struct.pack("<I", 0)
        self.map[40 + 8:40 + 16] = bytes(8)

    def read(self):
        _, _, _, _, count, failed, _, _, allocations, what, _ = self.FORM.unpack(self.map[:self.FORM.size])
        return count, failed, allocations, what.split(b"\0")[0].decode(errors="replace")


class Layered(Instance):
    """Syncs cost nothing but `sync_delay` microseconds at most: what they mean is in the log."""

    def __init__(self, log=None, control=False, sync_delay=0, extra=""):
        preload = library()
        super().__init__()
        plain_config(self, extra)
        self.data = os.path.join(self.root, "data")
        self.environment.update({"LD_PRELOAD": preload, "MAILD_DISK_ROOT": self.data, "MAILD_DISK_PASSWORD": "secret"})
        if sync_delay is not None:
            self.environment["MAILD_DISK_NO_SYNC"] = str(sync_delay)
        self.disk_log = os.path.join(self.directory, "disk.log")
        if log:
            self.environment["MAILD_DISK_LOG"] = self.disk_log
        self.control = None
        if control:
            self.control = Control(os.path.join(self.directory, "control"))
            self.environment["MAILD_DISK_CONTROL"] = self.control.path

    def run_mailctl(self, *arguments, **options):
        environment = self.environment
        self.environment = {k: v for k, v in environment.items() if k != "LD_PRELOAD"}
        try:
            return super().run_mailctl(*arguments, **options)
        finally:
            self.environment = environment
