"""Servers that take mail: ours, and Debian's Postfix with Dovecot LMTP."""

import os
import time

from support import reference
from support.instance import Instance

USERS = 20
RELAY_DOMAIN = "relay.test"
NOBODY = "127.0.0.1:9"  # where mail for it is to go: nobody answers, so it stays queued


class Side:
    def delivered(self):
        total = 0
        for i in range(USERS):
            directory = self.mail + "/user%d/Maildir/new" % i
            total += len(os.listdir(directory)) if os.path.isdir(directory) else 0
        return total

    def wait_delivered(self, count):
        end = time.monotonic() + 300
        while self.delivered() < count:
            if time.monotonic() > end:
                raise RuntimeError("%s delivered %d of %d" % (self.name, self.delivered(), count))
            time.sleep(0.02)

    def close(self):
        self.server.close()


class Maild(Side):
    name = "maild"

    def __init__(self, directory, config=""):
        self.server = Instance(users=["user%d" % i for i in range(USERS)], directory=directory)
        self.server.add_config(config)
        self.server.start()
        self.server.mailctl("domain", "add", RELAY_DOMAIN, "--relay", NOBODY)
        self.roots = [self.server.process.pid]
        self.smtp = self.server.port("smtp")
        self.lmtp = self.server.root + "/run/lmtp.sock"
        self.mail = self.server.root + "/data/mail/example.test"


class PostfixDovecot(Side):
    name = "postfix+dovecot"

    def __init__(self, directory):
        self.server = reference.Reference(directory)
        with open(self.server.etc + "/main.cf", "a") as f:
            f.write("relay_domains = %s\nrelay_transport = smtp:[%s]:%s\n" % (RELAY_DOMAIN, *NOBODY.split(":")))
        self.server.start()
        self.roots = self.server.masters()
        self.smtp = self.server.port("smtp")
        self.lmtp = self.server.root + "/dovecot/lmtp"
        self.mail = self.server.root + "/mail/example.test"
