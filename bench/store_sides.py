"""The two servers with their copies of the Maildir."""

import os
import shutil
import subprocess
import time

from support import reference
from support.instance import Instance

BOX, SMALL, OTHER = "box", "small", "other"  # users
KEPT = ("cur", "new", "tmp", "dovecot-uidlist", "dovecot-keywords", "subscriptions")

DOVECOT = """
ssl = yes
ssl_cert = <{root}/certificate.pem
ssl_key = <{root}/key.pem
mail_max_userip_connections = 100
service pop3-login {{
  inet_listener pop3s {{
    port = {pop3s}
    ssl = yes
  }}
}}
"""


class Side:
    def path(self, user):
        return os.path.join(self.homes, user, "Maildir")

    def take(self, user, master):
        os.makedirs(os.path.dirname(self.path(user)), exist_ok=True)
        shutil.rmtree(self.path(user), ignore_errors=True)
        subprocess.run(["cp", "-a", master, self.path(user)], check=True)
        owner = os.stat(self.homes)
        subprocess.run(["chown", "-R", "%d:%d" % (owner.st_uid, owner.st_gid), os.path.dirname(self.path(user))], check=True)

    def forget(self, uidlist=False):
        """Index and cache go, and the folders that a run made; the server is stopped."""
        for name in os.listdir(self.path(BOX)):
            if name in KEPT and not (uidlist and name == "dovecot-uidlist"):
                continue
            path = os.path.join(self.path(BOX), name)
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)

    def read_files(self):
        """Into the page cache, with the inodes."""
        subprocess.run(["find", self.path(BOX) + "/cur", "-type", "f", "-exec", "cat", "{}", "+"], check=True,
                       stdout=subprocess.DEVNULL)


class Maild(Side):
    name = "maild"

    def __init__(self, directory, users=(BOX, SMALL, OTHER)):
        self.server = Instance(users=users, directory=directory)
        self.server.replace_config("listener imap {", "listener imap {\n    auth_without_tls = yes")
        self.homes = os.path.join(self.server.root, "data", "mail", "example.test")
        os.makedirs(self.homes, exist_ok=True)

    def start(self):
        self.server.start()

    def stop(self):
        self.server.stop()

    def close(self):
        self.server.close()

    def port(self, name):
        return self.server.port(name)

    def roots(self):
        return [self.server.process.pid]


class Dovecot(Side):
    name = "dovecot"

    def __init__(self, directory, extra=DOVECOT):
        self.server = reference.Reference(directory, postfix=False, extra=extra)
        self.homes = os.path.join(self.server.root, "mail", "example.test")
        os.makedirs(self.homes)
        owner = os.stat(os.path.dirname(self.homes))
        os.chown(self.homes, owner.st_uid, owner.st_gid)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-subj", "/CN=localhost", "-days", "2", "-keyout", self.server.root + "/key.pem",
                        "-out", self.server.root + "/certificate.pem"], check=True, stderr=subprocess.DEVNULL)

    def start(self):
        self.server.start()

    def stop(self):
        roots = self.roots()
        self.server.stop()
        end = time.monotonic() + 60
        while any(os.path.exists("/proc/%d" % pid) for pid in roots) and time.monotonic() < end:
            time.sleep(0.02)

    def close(self):
        self.server.close()

    def port(self, name):
        return self.server.port(name)

    def roots(self):
        return self.server.masters()
