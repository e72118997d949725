"""A Debian machine in a directory: made by debootstrap from the mirror that this machine uses, with packages installed from
there, and started with an init of its own in namespaces of its own, where nothing of it reaches the network."""

import os
import shutil
import signal
import subprocess
import time

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")


def run(*command, **options):
    """Runs to the end; (status, output)."""
    done = subprocess.run(command, stdin=options.pop("stdin", subprocess.DEVNULL), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", **options)
    return done.returncode, done.stdout


def must(*command, **options):
    status, output = run(*command, **options)
    assert status == 0, "exit status %d of: %s\n%s" % (status, " ".join(command), output[-6000:])
    return output


def debian_sources():
    """(address, release, components) as apt of this machine has them, of Debian's own archives."""
    text = must("apt-get", "indextargets", "--format", "$(ORIGIN)\t$(REPO_URI)\t$(RELEASE)\t$(COMPONENT)",
                "Created-By: Packages")
    sources = [line.split("\t")[1:] for line in text.splitlines() if line.startswith("Debian\t")]
    assert sources, "apt-get update was never run here, or this is no Debian"
    return sources


class Machine:
    def __init__(self, directory):
        self.directory, self.holder, self.init = directory, None, None

    def path(self, path):
        return self.directory + path

    # --- making it ---

    def make(self):
        """A minimal system. The result of the last time is taken again: remove the directory for a new one."""
        if os.path.exists(self.path("/made")):
            return
        shutil.rmtree(self.directory, ignore_errors=True)
        os.makedirs(self.directory)
        sources = debian_sources()
        with open("/etc/os-release") as f:
            names = dict(line.strip().split("=", 1) for line in f if "=" in line)
        release = names["VERSION_CODENAME"]
        mirror = next(address for address, r, _ in sources if r == release)
        must("debootstrap", "--variant=minbase", "--include=ca-certificates", release, self.directory, mirror)
        with open(self.path("/etc/apt/sources.list"), "w") as f:
            f.writelines("deb %s %s %s\n" % tuple(source) for source in sources)
        with open(self.path("/etc/apt/apt.conf.d/90machine"), "w") as f:
            f.writelines(line + "\n" for line in must("apt-config", "dump").splitlines()
                         if line.startswith(("Acquire::http", "Acquire::Check")))
        for name in ("resolv.conf", "hosts"):
            shutil.copy("/etc/" + name, self.path("/etc/" + name))
        open(self.path("/made"), "w").close()

    def copy_from(self, other):
        shutil.rmtree(self.directory, ignore_errors=True)
        must("cp", "-a", "--reflink=auto", other.directory, self.directory)

    def remove(self):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    # --- programs in it, before it is started: with this machine's network ---

    def chroot(self, *command, check=True, **environment):
        mounted = os.path.ismount(self.path("/proc"))
        if not mounted:
            must("mount", "-t", "proc", "proc", self.path("/proc"))
        try:
            return (must if check else run)("chroot", self.directory, *command, env=dict(
                PATH=environment.pop("PATH", PATH), HOME="/root", LC_ALL="C.UTF-8", DEBIAN_FRONTEND="noninteractive", **environment))
        finally:
            if not mounted:
                must("umount", self.path("/proc"))

    def install(self, *packages):
        self.chroot("apt-get", "update", "-q")
        return self.chroot("apt-get", "install", "-y", "-q", "--no-install-recommends", *packages)

    # --- its own life ---

    def start(self, *init):
        """In namespaces of its own; the program is its process 1. False: this machine does not allow it."""
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "start")
        self.log = open(self.directory + ".log", "w+")
        self.holder = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--net", "--ipc", "--uts", "--cgroup", "--fork", "--kill-child", script,
             self.directory, *init], stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.holder.poll() is None:
            with open("/proc/%d/task/%d/children" % (self.holder.pid, self.holder.pid)) as f:
                self.init = (f.read().split() or [None])[0]
            if self.init and self.inside("test", "-e", "/run/started", check=False)[0] == 0:
                return True
            time.sleep(0.05)
        return False

    def inside(self, *command, check=True, **options):
        """A program in the machine that was started."""
        return (must if check else run)(*self.entry(), *command, **options)

    def on_terminal(self, script, answers):
        """A shell script in the machine that was started, on a terminal on which somebody answers (question, answer)."""
        master, slave = os.openpty()
        process = subprocess.Popen(self.entry() + ["bash", "-e", "-c", script], stdin=slave, stdout=slave, stderr=slave,
                                   start_new_session=True)
        os.close(slave)
        seen, asked = b"", 0
        while True:
            try:
                data = os.read(master, 65536)
            except OSError:  # nobody has the other end any more
                data = b""
            if not data:
                break
            seen += data
            for question, answer in answers:
                if seen[asked:].rstrip().lower().endswith(question.lower().encode()):
                    asked = len(seen)
                    os.write(master, answer.encode() + b"\n")
        os.close(master)
        return process.wait(), seen.decode(errors="replace")

    def entry(self):
        return ["nsenter", "--target", self.init, "--mount", "--pid", "--net", "--ipc", "--uts", "--cgroup", "--root", "--wd=/", "--",
                "env", "--chdir=/", "-i", "PATH=" + PATH, "HOME=/root", "LC_ALL=C.UTF-8", "TERM=dumb", "DEBIAN_FRONTEND=noninteractive"]

    def in_network(self, *command, **options):
        """A program of this machine in the network of that one."""
        return must("nsenter", "--target", self.init, "--net", "--", *command, **options)

    def wait_for(self, what, *command, seconds=60):
        deadline = time.monotonic() + seconds
        while True:
            status, output = self.inside(*command, check=False)
            if status == 0:
                return output
            assert time.monotonic() < deadline, "%s did not happen\n%s" % (what, output)
            time.sleep(0.1)

    def stop(self):
        if self.holder and self.holder.poll() is None:
            if self.init:
                os.kill(int(self.init), signal.SIGKILL)  # and with it all its processes
            else:
                self.holder.kill()
            self.holder.wait()
        self.holder = None
