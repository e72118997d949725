"""Debian's Postfix with Dovecot LMTP as a private instance, for comparison and as a peer. Needs root."""

import glob
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time

from .instance import PORTS, give_port_base, take_port_base

MAIN_CF = """compatibility_level = 3.6
queue_directory = {root}/spool
data_directory = {root}/postfix-data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = reference.example.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
virtual_mailbox_domains = example.test
virtual_mailbox_maps = static:anything
virtual_transport = lmtp:unix:{root}/dovecot/lmtp
smtp_host_lookup = native
maillog_file = {root}/postfix.log
maillog_file_prefixes = {root}
alias_maps =
alias_database =
smtpd_client_connection_count_limit = 0
default_process_limit = 100
"""

MASTER_CF = """127.0.0.1:{smtp} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

DOVECOT_CONF = """base_dir = {root}/dovecot
state_dir = {root}/dovecot-state
log_path = {root}/dovecot.log
protocols = imap lmtp pop3
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
mail_location = maildir:~/Maildir
default_internal_user = dovecot
default_login_user = dovenull
first_valid_uid = 1
mail_uid = {uid}
mail_gid = {gid}
auth_mechanisms = plain login
passdb {{
  driver = static
  args = password=secret
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={root}/mail/%d/%n allow_all_users=yes
}}
service lmtp {{
  unix_listener lmtp {{
    mode = 0666
  }}
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
"""


def available():
    return bool(shutil.which("postfix") and dovecot_available())


def dovecot_available():
    """The configuration above is that of 2.3."""
    if os.geteuid() != 0 or not shutil.which("dovecot"):
        return False
    version = subprocess.run(["dovecot", "--version"], capture_output=True, text=True).stdout
    return version.startswith("2.3.")


class Reference:
    def __init__(self, directory=None, postfix=True, extra=""):
        self.postfix = postfix
        self.root = tempfile.mkdtemp(prefix="reference-", dir=directory)
        os.chmod(self.root, 0o755)
        self.base = take_port_base()
        owner = pwd.getpwnam("dovecot")
        self.etc = self.root + "/etc"
        for name in ("etc", "spool", "postfix-data", "dovecot", "dovecot-state", "mail"):
            os.makedirs(os.path.join(self.root, name))
        shutil.chown(self.root + "/mail", owner.pw_uid, owner.pw_gid)
        if postfix:
            shutil.chown(self.root + "/postfix-data", "postfix")
        values = dict(root=self.root, smtp=self.port("smtp"), imap=self.port("imap"),
                      imaps=self.port("imaps"), pop3=self.port("pop3"), pop3s=self.port("pop3s"),
                      uid=owner.pw_uid, gid=owner.pw_gid)
        for name, text in (("main.cf", MAIN_CF), ("master.cf", MASTER_CF)):
            with open(os.path.join(self.etc, name), "w") as f:
                f.write(text.format(**values))
        with open(self.root + "/dovecot.conf", "w") as f:
            f.write(DOVECOT_CONF.format(**values) + extra.format(**values))

    def port(self, name):
        return self.base + PORTS[name]

    def start(self):
        subprocess.run(["dovecot", "-c", self.root + "/dovecot.conf"], check=True)
        self.wait("imap", b"* OK", "dovecot.log")
        if self.postfix:
            subprocess.run(["postfix", "-c", self.etc, "start"], check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.wait("smtp", b"220", "postfix.log")
        return self

    def wait(self, port, greeting, log):
        end = time.monotonic() + 30
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port(port)), timeout=5) as s:
                    if s.recv(len(greeting)) == greeting:
                        return
            except OSError:
                pass
            if time.monotonic() > end:
                raise RuntimeError("No answer; see %s/%s" % (self.root, log))
            time.sleep(0.1)

    def masters(self):
        """Process ids of the master processes."""
        found = []
        for path in (self.root + "/spool/pid/master.pid", self.root + "/dovecot/master.pid")[not self.postfix:]:
            with open(path) as f:
                found.append(int(f.read()))
        return found

    def stop(self):
        if self.postfix:
            subprocess.run(["postfix", "-c", self.etc, "stop"], stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
        subprocess.run(["doveadm", "-c", self.root + "/dovecot.conf", "stop"],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def delivered(self):
        return len(glob.glob(self.root + "/mail/example.test/*/Maildir/new/*"))

    def close(self):
        self.stop()
        give_port_base(self.base)
        shutil.rmtree(self.root, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *ignored):
        self.close()
