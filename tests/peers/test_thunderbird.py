"""Thunderbird from Debian's packages, without a screen: it logs in, reads its INBOX, idles, and fetches what
comes. What both sides say is read from the server's recording.

It takes passwords only from its own store, so that is made with its own library, as the program itself
would; the server's certificate is an exception in its profile."""

import glob
import hashlib
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys

from support import Skip, wait_for
from support.instance import Instance
from support.mail import inject

SECONDS = 60
TEXT = "From: s@elsewhere.test\r\nTo: alice@example.test\r\nSubject: %s\r\n\r\ntext\r\n"

# In a process of its own, since the library must find its neighbours first: prints what is given, encrypted for
# the profile's key, which is made.
ENCRYPT = r"""
import base64, ctypes, sys

class Item(ctypes.Structure):
    _fields_ = [("type", ctypes.c_uint), ("data", ctypes.c_void_p), ("size", ctypes.c_uint)]

nss = ctypes.CDLL(sys.argv[1] + "/libnss3.so")
nss.PK11_GetInternalKeySlot.restype = ctypes.c_void_p
assert nss.NSS_InitReadWrite(("sql:" + sys.argv[2]).encode()) == 0
slot = ctypes.c_void_p(nss.PK11_GetInternalKeySlot())
assert nss.PK11_InitPin(slot, None, b"") == 0
for text in sys.argv[3:]:
    text = text.encode()
    clear = Item(0, ctypes.cast(ctypes.create_string_buffer(text), ctypes.c_void_p), len(text))
    secret = Item()
    assert nss.PK11SDR_Encrypt(ctypes.byref(Item()), ctypes.byref(clear), ctypes.byref(secret), None) == 0
    print(base64.b64encode(ctypes.string_at(secret.data, secret.size)).decode())
nss.PK11_FreeSlot(slot)
assert nss.NSS_Shutdown() == 0
"""

ACCOUNT = {
    "mail.accountmanager.accounts": "account1,account2",
    "mail.accountmanager.defaultaccount": "account1",
    "mail.accountmanager.localfoldersserver": "server2",
    "mail.account.lastKey": 2,
    "mail.account.account1.identities": "id1",
    "mail.account.account1.server": "server1",
    "mail.account.account2.server": "server2",
    "mail.identity.id1.fullName": "Alice",
    "mail.identity.id1.useremail": "alice@example.test",
    "mail.identity.id1.valid": True,
    "mail.server.server1.type": "imap",
    "mail.server.server1.hostname": "localhost",
    "mail.server.server1.userName": "alice@example.test",
    "mail.server.server1.name": "maild",
    "mail.server.server1.socketType": 3,  # TLS from the start
    "mail.server.server1.authMethod": 3,  # a password
    "mail.server.server1.login_at_startup": True,
    "mail.server.server1.use_idle": True,
    "mail.server.server2.type": "none",
    "mail.server.server2.hostname": "Local Folders",
    "mail.server.server2.userName": "nobody",
    "mail.server.server2.name": "Local Folders",
}
# No questions at the first start, and no way to anybody but the server.
QUIET = {
    "app.update.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.getAddons.cache.enabled": False,
    "extensions.update.enabled": False,
    "mail.provider.enabled": False,
    "mail.rights.version": 1,
    "mail.shell.checkDefaultClient": False,
    "mail.spotlight.firstRunDone": True,
    "mailnews.start_page.enabled": False,
    "mailnews.start_page_override.mstone": "ignore",
    "media.gmp-manager.url": "http://127.0.0.1:9/",
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "network.dns.disableIPv6": True,
    "services.settings.server": "http://127.0.0.1:9/",
    "toolkit.telemetry.enabled": False,
}


def library_directory():
    program = shutil.which("thunderbird")
    for directory in (os.path.dirname(os.path.realpath(program)) if program else "", "/usr/lib/thunderbird"):
        if program and os.path.exists(directory + "/libnss3.so"):
            return directory
    raise Skip("thunderbird is not installed (./test --with-peers)")


def write_password(profile, libraries, user, password):
    result = subprocess.run([sys.executable, "-c", ENCRYPT, libraries, profile, user, password], text=True,
                            capture_output=True, timeout=SECONDS, env=dict(os.environ, LD_LIBRARY_PATH=libraries))
    assert result.returncode == 0, result.stderr
    user, password = result.stdout.split()
    login = {"id": 1, "hostname": "imap://localhost", "httpRealm": "imap://localhost", "formSubmitURL": None,
             "usernameField": "", "passwordField": "", "encryptedUsername": user, "encryptedPassword": password,
             "guid": "{11111111-1111-4111-8111-111111111111}", "encType": 1, "timeCreated": 1, "timeLastUsed": 1,
             "timePasswordChanged": 1, "timesUsed": 1}
    with open(profile + "/logins.json", "w") as f:
        json.dump({"nextId": 2, "logins": [login], "version": 3}, f)


def write_exception(profile, server):
    with open(server.root + "/tls/certificate.pem") as f:
        pem = re.search(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", f.read(), re.S).group(0)
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest().upper()
    with open(profile + "/cert_override.txt", "w") as f:
        f.write("localhost:%d:\tOID.2.16.840.1.101.3.4.2.1\t%s\t\n" % (
            server.port("imaps"), ":".join(digest[i:i + 2] for i in range(0, len(digest), 2))))


def make_profile(server, libraries):
    profile = server.directory + "/profile"
    os.makedirs(profile)
    write_password(profile, libraries, "alice@example.test", "secret")
    write_exception(profile, server)
    with open(profile + "/user.js", "w") as f:
        for name, value in {**ACCOUNT, **QUIET, "mail.server.server1.port": server.port("imaps")}.items():
            f.write("user_pref(%s, %s);\n" % (json.dumps(name), json.dumps(value)))
    return profile


def start(server, profile):
    home = server.directory + "/home"
    os.makedirs(home)
    with open(server.directory + "/thunderbird.log", "w") as log:
        return subprocess.Popen(["thunderbird", "--headless", "--no-remote", "--profile", profile], stdin=subprocess.DEVNULL,
                                stdout=log, stderr=log, start_new_session=True,
                                env=dict(os.environ, HOME=home, MOZ_HEADLESS="1", MOZ_CRASHREPORTER_DISABLE="1"))


def recorded(server):
    """Each session's lines."""
    sessions = []
    for path in sorted(glob.glob(server.root + "/data/rawlog/alice@example.test/*")):
        with open(path, errors="replace") as f:
            sessions.append(f.read())
    return sessions


def wait_for_line(server, process, pattern):
    def seen():
        assert process.poll() is None, "thunderbird has ended"
        return any(re.search(pattern, session, re.M) for session in recorded(server))

    try:
        wait_for(seen, "thunderbird has not come to " + pattern, SECONDS)
    except AssertionError as error:
        with open(server.directory + "/thunderbird.log") as f:
            raise AssertionError("%s\n%s\n%s" % (error, "\n".join(recorded(server))[-3000:], f.read()[-2000:]))


def test_thunderbird_reads_and_idles():
    libraries = library_directory()
    with Instance() as server:
        for i in range(3):
            inject(server, "s@elsewhere.test", ["alice"], TEXT % ("number%d" % i))
        server.mailctl("rawlog", "on", "alice@example.test", "--minutes", "10")
        process = start(server, make_profile(server, libraries))
        try:
            wait_for_line(server, process, r" S: Subject: number2$")
            wait_for_line(server, process, r" C: \d+ IDLE$")
            inject(server, "s@elsewhere.test", ["alice"], TEXT % "fresh")
            wait_for_line(server, process, r" S: Subject: fresh$")
        finally:
            os.killpg(process.pid, signal.SIGKILL)  # our own session of processes
            process.wait()
        sessions = recorded(server)
        [box] = [s for s in sessions if re.search(r' C: \d+ select "INBOX"$', s, re.M)]
        assert re.search(r" S: \* 3 EXISTS$.* C: \d+ IDLE$.* S: \* 4 EXISTS$.* S: Subject: fresh$", box, re.M | re.S), box
        complaints = [line for s in sessions for line in s.splitlines() if re.search(r" S: \S+ (NO|BAD)\b", line)]
        assert not complaints, complaints
