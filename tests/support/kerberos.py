"""Logging in with a ticket: curl over IMAP, POP3 and SMTP."""

import os
import subprocess
import tempfile

from .ldap_logins import LdapInstance

URLS = {"imap": "imap://localhost:{imap}/INBOX;MAILINDEX=1", "imaps": "imaps://localhost:{imaps}/INBOX;MAILINDEX=1",
        "pop3": "pop3://localhost:{pop3}/1", "smtp": "smtp://localhost:{submission}"}


# Cyrus SASL's GSSAPI plugin, as a client inside TLS, keeps the credentials of each login to an LDAP server.
PLUGIN_LEAK = {"LSAN_OPTIONS": "print_suppressions=0:suppressions=" + os.path.join(os.path.dirname(__file__), "gssapi_leak.txt")}


class KerberosInstance(LdapInstance):
    """realm: a Kdc or SambaAd; its keytab is the server's."""

    def __init__(self, realm, *blocks, keytab=None, settings="", **options):
        environment = {k: v for k, v in realm.environment.items() if k != "KRB5_KTNAME"} | PLUGIN_LEAK
        super().__init__(*blocks, environment=environment, **options)
        self.realm = realm
        self.replace_config("auth {\n", "auth {\n    keytab = %s\n%s" % (keytab or realm.keytab, settings))


def curl(server, protocol, user, tickets, *options, prefix=()):
    """What curl says and its exit status; GSSAPI only, no password."""
    url = URLS[protocol].format(**{name: server.port(name) for name in ("imap", "imaps", "pop3", "submission")})
    command = [*prefix, "curl", "-sS", "-k", "--ssl-reqd", "--max-time", "30", "--login-options", "AUTH=GSSAPI", "-u", user + ":", url,
               *options]
    with tempfile.NamedTemporaryFile("w", suffix=".eml") as mail:
        if protocol == "smtp":
            mail.write("From: <%s>\r\nSubject: by ticket\r\n\r\nx\r\n" % user)
            mail.flush()
            command += ["--mail-from", user.split("@")[0] + "@example.test", "--mail-rcpt", "anna@example.test", "-T", mail.name]
        result = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=60,
                                env=dict(os.environ, **tickets))
    return result
