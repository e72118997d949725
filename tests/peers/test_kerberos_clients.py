"""mutt with a Kerberos ticket and no password: reads over IMAP and POP3, sends."""

import os
import shutil
import subprocess

from support import Skip, wait_for
from support.kdc import Kdc
from support.kerberos import KerberosInstance
from support.mail import inject
from support.slapd import Slapd
from support.ldap_logins import slapd_block

TEXT = "From: s@elsewhere.test\r\nTo: anna@example.test\r\nSubject: for mutt\r\n\r\nby ticket\r\n"
MUTTRC = """set imap_authenticators = "gssapi"
set pop_authenticators = "gssapi"
set smtp_authenticators = "gssapi"
set smtp_url = "smtp://anna@localhost:{submission}"
set from = "anna@example.test"
set hostname = "localhost"
set ssl_starttls = yes
set ssl_force_tls = yes
set ssl_verify_host = no
set ssl_verify_dates = no
set ssl_usesystemcerts = no
set ssl_ca_certificates_file = {certificate}
set certificate_file = {directory}/accepted
set header_cache =
set wait_key = no
set confirmcreate = no
set confirmappend = no
set pop_delete = no
set copy = no
set sleep_time = 0
set folder = "{directory}"
set mbox_type = mbox
"""


def mutt(server, tickets, *arguments, keys=None, stdin=None):
    rc = server.directory + "/muttrc"
    with open(rc, "w") as f:
        f.write(MUTTRC.format(submission=server.port("submission"), certificate=server.root + "/tls/certificate.pem",
                              directory=server.directory))
        if keys:
            f.write('push "%s"\n' % keys)
    command = ["mutt", "-n", "-F", rc, *arguments]
    if keys:
        command = ["script", "-qec", " ".join("'%s'" % c for c in command), "/dev/null"]
    return subprocess.run(command, capture_output=True, timeout=60, input=stdin,
                          env=dict(os.environ, TERM="xterm", HOME=server.directory, **tickets))


def test_mutt():
    if not shutil.which("mutt"):
        raise Skip("mutt is not installed (./test --with-peers)")
    with Kdc() as kdc, Slapd(users=2) as ldap, KerberosInstance(kdc, slapd_block(ldap)) as server:
        tickets = kdc.ticket("anna")
        inject(server, "s@elsewhere.test", ["anna"], TEXT)
        for protocol, port in (("imap", "imap"), ("pop", "pop3")):
            url = "%s://anna@localhost:%d/" % (protocol, server.port(port))
            saved = os.path.join(server.directory, "by-" + protocol)
            result = mutt(server, tickets, "-f", url, keys="<copy-message>^U%s<enter><quit>" % saved)
            wait_for(lambda: os.path.exists(saved), "%s: %s\n%s" % (url, result.stdout[-2000:], server.log()[-3000:]), 5)
            with open(saved) as f:
                assert "by ticket" in f.read()
        result = mutt(server, tickets, "-s", "sent by ticket", "clara@example.test", stdin=b"hello\n")
        assert result.returncode == 0, (result, server.log()[-2000:])
        wait_for(lambda: any(b"sent by ticket" in m for m in server.messages("clara").values()), "mutt's mail is not there")
        assert server.log().count("mechanism=GSSAPI") >= 3 or "GSSAPI" in server.log(), server.log()[-3000:]
