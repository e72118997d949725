"""A domain controller of Active Directory (Samba) on a loopback address of its own, with LDAP, Kerberos and DNS on their
usual ports, which cannot be changed: it needs root. Setting up a domain takes ten seconds, so all tests share one:
controller()."""

import atexit
import fcntl
import json
import os
import shutil
import socket
import subprocess
import tempfile

from . import Skip, end_process, wait_for
from .authority import Authority
from .kdc import SERVICES, Tickets
from .slapd import find_program

REALM = "AD.EXAMPLE.TEST"
BASE = "DC=ad,DC=example,DC=test"
PEOPLE = "OU=People," + BASE
SERVICE_DN = "CN=User maild,OU=Service," + BASE
SERVICE_UPN = "maild@ad.example.test"
SERVICE_PASSWORD = "sesame-maild"
ADMIN_PASSWORD = "Sesame-Admin-1"
BULK = 1700
HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = "/usr/bin/python3"
SMB_CONF = """[global]
    netbios name = DC1
    workgroup = ADTEST
    realm = {realm}
    server role = active directory domain controller
    server services = ldap cldap kdc dns
    interfaces = {address}/8
    bind interfaces only = yes
    dns forwarder = 0.0.0.0
    dns update command = /bin/true
    spn update command = /bin/true
    private dir = {dir}/private
    state directory = {dir}/state
    cache directory = {dir}/cache
    lock directory = {dir}
    pid directory = {dir}
    ncalrpc dir = {dir}/ncalrpc
    binddns dir = {dir}/bind-dns
    winbindd socket directory = {dir}/winbindd
    ntp signd socket directory = {dir}/ntp
    log file = {dir}/log.%m
    ldap server require strong auth = allow_sasl_over_tls
    tls enabled = yes
    tls keyfile = {certificate}.key
    tls certfile = {certificate}.pem
    tls cafile = {ca}
    idmap_ldb:use rfc2307 = yes
    load printers = no
[sysvol]
    path = {dir}/state/sysvol
[netlogon]
    path = {dir}/state/sysvol/ad.example.test/scripts
"""
_shared = None


def controller():
    """The one of this run; made when the first asks."""
    global _shared
    if _shared is None:
        try:
            _shared = SambaAd()
        except Skip as reason:
            _shared = reason
    if isinstance(_shared, Skip):
        raise _shared
    return _shared


def check_possible():
    if os.geteuid() != 0:
        raise Skip("a domain controller needs root for its ports")
    for program in ("samba", "samba-tool", "kinit"):
        find_program(program)
    if not os.access(PYTHON, os.X_OK) or subprocess.run([PYTHON, "-c", "import samba.samdb, samba.dckeytab"],
                                                        capture_output=True).returncode:
        raise Skip("Samba's modules for Python are not installed (scripts/install-dependencies --samba)")


def take_address():
    """(address, lock) of a loopback address whose ports are free."""
    for n in range(20, 250):
        address = "127.0.0.%d" % n
        lock = os.open(os.path.join(tempfile.gettempdir(), "maild-test-address-%d" % n), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                for port in (53, 88, 389, 464, 636, 3268, 3269):
                    with socket.socket(socket.AF_INET, kind) as s:
                        if kind == socket.SOCK_STREAM:
                            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                        s.bind((address, port))
            return address, lock
        except OSError:
            os.close(lock)
    raise Skip("no loopback address has the ports of a domain controller free")


class SambaAd(Tickets):
    """keytab: of mail services at localhost and mail.example.test; maild_keytab: of the account for LDAP."""

    def __init__(self, users=20):
        check_possible()
        self.realm = REALM
        self.address, self.lock = take_address()
        self.directory = tempfile.mkdtemp(prefix="maild-test-samba-")
        self.process = None
        atexit.register(self.close)
        self.authority = Authority(os.path.join(self.directory, "ca"))
        self.tls = self.authority.issue("dc1.ad.example.test", "ad.example.test", "localhost", socket.gethostname(), self.address)
        self.keytab = os.path.join(self.directory, "services.keytab")
        self.maild_keytab = os.path.join(self.directory, "maild.keytab")
        self.write_krb5_conf(self.address)
        self.provision(users)
        self.start()

    uri = property(lambda self: "ldap://" + self.address)
    ldaps_uri = property(lambda self: "ldaps://" + self.address)
    global_catalog_uri = property(lambda self: "ldap://%s:3268" % self.address)
    ca = property(lambda self: self.authority.certificate)

    def provision(self, users):
        config = os.path.join(self.directory, "etc", "smb.conf")
        self.write_config(config)  # else it takes over the machine's own
        self.run("samba-tool", "domain", "provision", "-s", config, "--realm=" + REALM, "--domain=ADTEST", "--server-role=dc",
                 "--dns-backend=SAMBA_INTERNAL", "--use-rfc2307", "--adminpass=" + ADMIN_PASSWORD, "--host-name=dc1",
                 "--host-ip=" + self.address, "--targetdir=" + self.directory)
        self.write_config(config)  # it wrote its own
        options = {"realm": REALM, "users": users, "bulk": BULK, "hosts": ["localhost", "mail.example.test"],
                   "services": [s for s in SERVICES if s != "ldap"], "address": self.address, "keytab": self.keytab,
                   "maild_keytab": self.maild_keytab}
        self.run(PYTHON, os.path.join(HERE, "samba_fill.py"), config, json.dumps(options))

    def write_config(self, path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.makedirs(os.path.join(self.directory, "ncalrpc"), exist_ok=True)
        with open(path, "w") as f:
            f.write(SMB_CONF.format(realm=REALM, address=self.address, dir=self.directory, certificate=self.tls.base, ca=self.ca))
        self.config = path

    def run(self, program, *arguments, check=True, environment=None):
        result = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=180, stdin=subprocess.DEVNULL,
                                env=dict(os.environ, LDAPTLS_CACERT=self.ca, **(environment or {})))
        assert not check or result.returncode == 0, "%s: exit %d: %s%s" % (
            program, result.returncode, result.stdout[-2000:], result.stderr[-2000:])
        return result

    def start(self):
        with open(os.path.join(self.directory, "log"), "ab") as log:
            self.process = subprocess.Popen([find_program("samba"), "-F", "--no-process-group", "-M", "single", "-s", self.config,
                                             "--debug-stdout"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=dict(os.environ, KRB5_CONFIG=self.krb5_conf))
        for port in (389, 636, 88):
            wait_for(lambda: self.answers(port), "Samba does not answer")

    def answers(self, port):
        assert self.process.poll() is None, "Samba ended with %d" % self.process.returncode
        try:
            socket.create_connection((self.address, port), 1).close()
            return True
        except OSError:
            return False

    def stop(self):
        process, self.process = self.process, None
        if process:
            end_process(process)

    def close(self):
        atexit.unregister(self.close)
        self.stop()
        os.close(self.lock)
        shutil.rmtree(self.directory, ignore_errors=True)

    # --- with OpenLDAP's own programs ---

    def bind_works(self, name, password):
        """name: a DN, or as users write it."""
        return self.run(find_program("ldapsearch"), "-x", "-ZZ", "-H", self.uri, "-D", name, "-w", password, "-b", "", "-s", "base",
                        check=False).returncode == 0

    def search(self, filter, *attributes):
        """As the service account; LDIF."""
        return self.run(find_program("ldapsearch"), "-x", "-LLL", "-o", "ldif-wrap=no", "-ZZ", "-H", self.uri, "-D", SERVICE_UPN,
                        "-w", SERVICE_PASSWORD, "-b", BASE, filter, *attributes).stdout
