"""A private Kerberos realm (MIT) on loopback: the users of ldap_people, and keytabs for services. Needs no rights."""

import atexit
import os
import shutil
import subprocess
import tempfile

from . import Closing, wait_for
from .instance import give_port_base, take_port_base
from .ldap_people import password_of
from .slapd import find_program

REALM = "EXAMPLE.TEST"
SERVICES = ("imap", "smtp", "pop", "sieve", "ldap")
KRB5_CONF = """[libdefaults]
    default_realm = {realm}
    dns_lookup_kdc = false
    dns_lookup_realm = false
    dns_canonicalize_hostname = false
    rdns = false
    udp_preference_limit = 1
[realms]
    {realm} = {{
        kdc = {address}
    }}
[domain_realm]
    localhost = {realm}
    .example.test = {realm}
"""
KDC_CONF = """[kdcdefaults]
    kdc_listen = {address}
    kdc_tcp_listen = {address}
[realms]
    {realm} = {{
        database_name = {dir}/principal
        key_stash_file = {dir}/stash
        acl_file = {dir}/acl
        max_life = 10h
        supported_enctypes = aes256-cts-hmac-sha1-96:normal aes128-cts-hmac-sha1-96:normal
    }}
[logging]
    kdc = FILE:{dir}/log
"""


class Tickets:
    """What clients of a realm need; the realm has realm, directory and krb5_conf."""

    @property
    def environment(self):
        return {"KRB5_CONFIG": self.krb5_conf, "KRB5RCACHENAME": "none:", "KRB5_KTNAME": "FILE:" + self.keytab}

    def write_krb5_conf(self, address):
        self.krb5_conf = os.path.join(self.directory, "krb5.conf")
        with open(self.krb5_conf, "w") as f:
            f.write(KRB5_CONF.format(realm=self.realm, address=address))

    def ticket(self, user, password=None):
        """The environment of a client that has one."""
        cache = "FILE:" + tempfile.mktemp(prefix="cache-", dir=self.directory)
        environment = dict(self.environment, KRB5CCNAME=cache)
        result = subprocess.run([find_program("kinit"), user], input=(password or password_of(user)) + "\n", text=True,
                                capture_output=True, timeout=60, env=dict(os.environ, **environment))
        assert result.returncode == 0, "kinit %s: %s" % (user, result.stderr)
        return environment


class Kdc(Closing, Tickets):
    """keytab: of all services at localhost and mail.example.test."""

    def __init__(self, users=("anna", "ben", "clara", "dora", "user001")):
        self.realm = REALM
        self.directory = tempfile.mkdtemp(prefix="maild-test-kdc-")
        self.base_port = take_port_base()
        self.process = None
        self.keytab = os.path.join(self.directory, "services.keytab")
        address = "127.0.0.1:%d" % (self.base_port + 3)
        self.write_krb5_conf(address)
        self.profile = os.path.join(self.directory, "kdc.conf")
        with open(self.profile, "w") as f:
            f.write(KDC_CONF.format(realm=REALM, address=address, dir=self.directory))
        self.run("kdb5_util", "create", "-s", "-W", "-r", REALM, "-P", "sesame-master")
        commands = ["addprinc -pw %s +requires_preauth %s" % (password_of(u), u) for u in users]
        for host in ("localhost", "mail.example.test"):
            for service in SERVICES:
                commands += ["addprinc -randkey %s/%s" % (service, host), "ktadd -k %s %s/%s" % (self.keytab, service, host)]
        commands += ["addprinc -randkey maild/localhost",
                     "ktadd -k %s maild/localhost" % os.path.join(self.directory, "maild.keytab")]
        self.kadmin(*commands)
        assert os.path.exists(self.keytab)
        self.start()

    def run(self, name, *arguments, input=None):
        result = subprocess.run([find_program(name), *arguments], capture_output=True, text=True, input=input, timeout=60,
                                env=dict(os.environ, KRB5_CONFIG=self.krb5_conf, KRB5_KDC_PROFILE=self.profile))
        assert result.returncode == 0, "%s: %s%s" % (name, result.stdout, result.stderr)
        return result.stdout

    def kadmin(self, *commands):
        """All in one call: each takes its time to start."""
        return self.run("kadmin.local", "-r", REALM, input="\n".join(commands) + "\n")

    def new_keytab(self, *principals):
        """With new keys of theirs: those of older keytabs are worth nothing any more."""
        path = tempfile.mktemp(prefix="new-", suffix=".keytab", dir=self.directory)
        self.kadmin(*("ktadd -k %s %s" % (path, p) for p in principals))
        return path

    def start(self):
        with open(os.path.join(self.directory, "output"), "ab") as log:
            self.process = subprocess.Popen([find_program("krb5kdc"), "-n", "-r", REALM], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, env=dict(os.environ, KRB5_CONFIG=self.krb5_conf,
                                                                             KRB5_KDC_PROFILE=self.profile))
        atexit.register(self.stop)
        log = os.path.join(self.directory, "log")
        wait_for(lambda: os.path.exists(log) and "commencing operation" in open(log).read(), "the KDC does not start")

    def stop(self):
        process, self.process = self.process, None
        atexit.unregister(self.stop)
        if process:
            process.terminate()
            process.wait(20)

    def close(self):
        self.stop()
        give_port_base(self.base_port)
        shutil.rmtree(self.directory, ignore_errors=True)
