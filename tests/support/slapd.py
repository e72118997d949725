"""A private OpenLDAP server on loopback: plain, TLS and a Unix socket, with the people of ldap_people.

One process, ended by its own id. freeze() makes it hang: connections are taken, nothing is answered."""

import atexit
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import urllib.parse

from . import Closing, Skip, end_process, wait_for
from .authority import Authority
from .instance import give_port_base, take_port_base
from .ldap_people import ADMIN_DN, ADMIN_PASSWORD, BASE, PEOPLE, SERVICE_DN, SERVICE_PASSWORD, People, password_of

HERE = os.path.dirname(os.path.abspath(__file__))
SCHEMA = "/etc/ldap/schema"
CONFIG = """include {schema}/core.schema
include {schema}/cosine.schema
include {schema}/inetorgperson.schema
include {schema}/nis.schema
include {schema}/misc.schema
include {here}/university.schema
moduleload back_mdb
moduleload memberof
moduleload ppolicy
pidfile {dir}/slapd.pid
loglevel none
sizelimit size.soft=500 size.hard=2000 size.pr=500 size.prtotal=unlimited
TLSCACertificateFile {ca}
TLSCertificateFile {certificate}.pem
TLSCertificateKeyFile {certificate}.key
TLSVerifyClient try
sasl-secprops none
sasl-host localhost
{realm}
authz-regexp gidNumber={gid}[+]uidNumber={uid},cn=peercred,cn=external,cn=auth {service}
authz-regexp cn=maild {service}
authz-regexp uid=maild/[^,]+,(cn=[^,]+,)?cn=gssapi,cn=auth {service}
authz-regexp uid=([^,/]+),(cn=[^,]+,)?cn=gssapi,cn=auth uid=$1,{people}
{more}
database config
rootdn {admin}
database mdb
suffix {base}
rootdn {admin}
rootpw {admin_password}
directory {dir}/db
maxsize 268435456
dbnosync
index objectClass,member,memberUid,entryUUID eq
index uid,mail,mailAlternateAddress,mailLocalAddress,cn,rfc822MailMember eq
access to attrs=userPassword
    by dn.exact="{service}" =xw
    by self =xw
    by anonymous auth
access to *
    by dn.exact="{service}" read
    by self read
    by anonymous auth
overlay memberof
overlay ppolicy
ppolicy_default cn=default,ou=policies,{base}
ppolicy_use_lockout
ppolicy_hash_cleartext
"""


def find_program(name):
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if not path:
        raise Skip("%s is not installed (scripts/install-dependencies --tests)" % name)
    return path


class Slapd(Closing):
    """users: how many beside those with names; bulk: members of the group "bulk"; tls: a Certificate for it (else a
    good one); authority: who signs it; kdc: a Kdc, for GSSAPI; config: more lines for its configuration; slow: hashes of
    passwords that cost some time."""

    def __init__(self, users=30, bulk=0, authority=None, tls=None, kdc=None, config="", slow=False):
        self.program = find_program("slapd")
        self.directory = tempfile.mkdtemp(prefix="maild-test-slapd-")
        self.process = None
        self.base_port = take_port_base()
        self.port, self.tls_port = self.base_port + 1, self.base_port + 2
        self.socket = os.path.join(self.directory, "ldapi")
        self.authority = authority or Authority(os.path.join(self.directory, "ca"))
        self.tls = tls or self.authority.issue("localhost", "127.0.0.1", socket.gethostname())
        self.kdc = kdc
        self.people = People(users, bulk, slow)
        self.load(config)
        self.start()

    uri = property(lambda self: "ldap://127.0.0.1:%d" % self.port)
    ldaps_uri = property(lambda self: "ldaps://127.0.0.1:%d" % self.tls_port)
    ldapi_uri = property(lambda self: "ldapi://" + urllib.parse.quote(self.socket, safe=""))
    ca = property(lambda self: self.authority.certificate)

    def load(self, config):
        os.mkdir(os.path.join(self.directory, "db"))
        self.config = os.path.join(self.directory, "slapd.conf")
        with open(self.config, "w") as f:
            f.write(CONFIG.format(schema=SCHEMA, here=HERE, dir=self.directory, ca=self.ca, certificate=self.tls.base,
                                  realm="sasl-realm " + self.kdc.realm if self.kdc else "", uid=os.getuid(), gid=os.getgid(),
                                  service=SERVICE_DN, people=PEOPLE, base=BASE, admin=ADMIN_DN,
                                  admin_password=ADMIN_PASSWORD, more=config))
        self.run("slapadd", "-q", "-n", "1", "-f", self.config, program=find_program("slapadd"), input=self.people.text())
        self.tree = os.path.join(self.directory, "slapd.d")  # the configuration as a directory, which LDIF can change
        os.mkdir(self.tree)
        self.run("slaptest", "-f", self.config, "-F", self.tree, program=find_program("slaptest"))

    def start(self, wait=True):
        environment = dict(os.environ, **(self.kdc.environment if self.kdc else {}))
        with open(os.path.join(self.directory, "log"), "ab") as log:
            self.process = subprocess.Popen(
                [self.program, "-d", "0", "-F", self.tree, "-h", " ".join((self.uri, self.ldaps_uri, self.ldapi_uri))],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        atexit.register(self.stop)
        if wait:
            wait_for(self.answers, "slapd does not answer: " + self.log())

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError("slapd ended with %d: %s" % (self.process.returncode, self.log()))
        try:
            socket.create_connection(("127.0.0.1", self.tls_port), 1).close()
            return True
        except OSError:
            return False

    def log(self):
        with open(os.path.join(self.directory, "log"), errors="replace") as f:
            return f.read()[-2000:]

    def stop(self):
        process, self.process = self.process, None
        atexit.unregister(self.stop)
        if process:
            end_process(process)

    def restart(self):
        self.stop()
        self.start()

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)
        wait_for(lambda: self.state() == "T", "slapd does not stop")

    def state(self):
        with open("/proc/%d/stat" % self.process.pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0]

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def close(self):
        self.stop()
        give_port_base(self.base_port)
        shutil.rmtree(self.directory, ignore_errors=True)

    # --- with OpenLDAP's own programs ---

    def run(self, name, *arguments, program=None, input=None, check=True, environment=None):
        result = subprocess.run([program or find_program(name), *arguments], capture_output=True, text=True, input=input,
                                timeout=60, env=dict(os.environ, LDAPTLS_CACERT=self.ca, **(environment or {})))
        assert not check or result.returncode == 0, "%s: exit %d: %s%s" % (name, result.returncode, result.stdout, result.stderr)
        return result

    def bind_works(self, dn, password):
        return self.run("ldapwhoami", "-x", "-H", self.uri, "-D", dn, "-w", password, check=False).returncode == 0

    def user_works(self, uid, password=None):
        return self.bind_works("uid=%s,%s" % (uid, PEOPLE), password or password_of(uid))

    def modify(self, text):
        """LDIF with changetype, as the administrator; of the configuration, too."""
        self.run("ldapmodify", "-x", "-H", self.uri, "-D", ADMIN_DN, "-w", ADMIN_PASSWORD, input=text)

    def search(self, filter, *attributes, base=BASE):
        """As maild's service account; LDIF."""
        return self.run("ldapsearch", "-x", "-LLL", "-o", "ldif-wrap=no", "-H", self.uri, "-D", SERVICE_DN, "-w", SERVICE_PASSWORD,
                        "-b", base, filter, *attributes).stdout
