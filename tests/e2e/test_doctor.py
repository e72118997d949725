"""mailctl doctor: each check in a world that is good, and in one that is not."""

import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time

from support import Skip
from support.authority import Authority
from support.dns import DnsServer
from support.https import HttpsServer
from support.instance import ROOT, Instance, build_dir, give_port_base, take_port_base
from support.signed_dns import SignedDns
from support.smtp_sink import SmtpSink

HOST, OURS = "mail.example.test", "127.0.0.1"


class Findings:
    def __init__(self, result):
        assert result.returncode in (0, 1) and not result.stderr, result
        self.status, self.text = result.returncode, result.stdout
        self.list = json.loads(result.stdout)["findings"]

    def of(self, check, subject=None):
        return [f for f in self.list if f["check"] == check and (subject is None or subject in f["subject"])]

    def verdicts(self, check, subject=None):
        return {f["verdict"] for f in self.of(check, subject)}

    def is_good(self, check, subject=None):
        assert self.verdicts(check, subject) == {"good"}, self.of(check)

    def says(self, verdict, check, words, mend=None):
        """One of the findings has this verdict and these words, and a line that mends it."""
        found = [f for f in self.of(check) if f["verdict"] == verdict and words in f["text"]]
        assert found, (verdict, words, self.of(check))
        assert mend is None or any(mend in "\n".join(f["mend"]) for f in found), (mend, found)
        if verdict == "bad":
            assert self.status == 1, self.status
        return found


def doctor(server, *arguments, config=None, environment=None):
    command = ["doctor", "--json", *arguments]
    if config:
        command += ["--config", config]
    before, server.environment = server.environment, dict(server.environment, **(environment or {}))
    try:
        return Findings(server.run_mailctl(*command, config=not config, check=False))
    finally:
        server.environment = before


def another_config(server, *changes):
    """The server's configuration with other words in it, for doctor alone."""
    with open(server.config_path) as f:
        text = f.read()
    for old, new in changes:
        assert old in text, (old, text)
        text = text.replace(old, new)
    path = os.path.join(server.root, "other.conf")
    with open(path, "w") as f:
        f.write(text)
    return path


# --- the machine ---

def test_a_new_instance_and_one_that_does_not_run():
    with Instance() as server:
        found = doctor(server, "--only", "configuration,server,permissions,ports,leftovers,directory")
        for check in ("configuration", "server", "permissions", "leftovers", "directory"):
            found.is_good(check)
        assert found.verdicts("ports", "imaps at") == found.verdicts("ports", "mx at") == {"good"}, found.text
        assert len(found.of("ports")) == 11, found.text
        found.says("warn", "ports", "here SMTP is on port %d" % server.port("smtp"))
        check_usage_and_forms(server)
        server.stop()
        found = doctor(server, "--only", "server,ports,limits,directory,configuration")
        found.says("bad", "server", "does not run", "mailctl start")
        found.says("bad", "ports", "nobody answers on 10 of 10 listeners")
        assert len(found.of("ports")) == 1, found.of("ports")
        with socket.create_server(("127.0.0.1", server.port("imap"))):
            found = doctor(server, "--only", "ports,configuration,limits,directory")
            found.says("bad", "ports", "nobody answers on 9 of 10 listeners")
            found.says("bad", "ports", "another program has taken 127.0.0.1:%d" % server.port("imap"), "ss -ltnp 'sport = :%d'" % server.port("imap"))
        found.is_good("configuration")
        assert found.verdicts("limits") == found.verdicts("directory") == {"skipped"}
        server.add_config("nonsense = 1")
        found = doctor(server, "--only", "configuration,server,mx")
        found.says("bad", "configuration", "nonsense", "config check")
        assert found.verdicts("server") == found.verdicts("mx") == {"skipped"}, found.text
        server.replace_config("nonsense = 1", "table t {\n    path = /nowhere\n    type = exact\n}")
        doctor(server, "--only", "configuration").says("bad", "configuration", "/nowhere")


def check_usage_and_forms(server):
    for arguments in (["--only", "nothing"], ["--timeout", "0"], ["--timeout", "x"]):
        result = server.run_mailctl("doctor", *arguments, check=False)
        assert result.returncode == 2 and result.stderr, (arguments, result)
    assert server.run_mailctl("doctor", "--address", "here", check=False).returncode == 1
    text = server.run_mailctl("doctor", "--only", "server", "--only", "relay", check=False).stdout
    assert re.search(r"^good    server        maild \S+ runs", text, re.M) and "0 bad" in text, text
    checks = server.mailctl_json("doctor", "--list")
    listed = server.mailctl("doctor", "--list")
    assert all(re.search(r"^%s " % c["check"], listed, re.M) for c in checks), listed
    problems = doctor(server, "--only", "server,ports", "--problems")
    assert {f["verdict"] for f in problems.list} == {"warn"}, problems.text


def test_the_page_has_each_check():
    with open(os.path.join(ROOT, "docs", "doctor.md")) as f:
        page = f.read()
    with open(os.path.join(ROOT, "src", "mailctl", "doctor_checks.c")) as f:
        table = re.findall(r'^    \{"([a-z-]+)",', f.read(), re.M)
    assert re.findall(r"^### ([a-z-]+)$", page, re.M) == table, table


def test_files():
    with Instance() as server:
        key = os.path.join(server.root, "tls", "key.pem")
        data, log = os.path.join(server.root, "data"), os.path.join(server.root, "log", "maild.log")
        os.chmod(key, 0o644)
        os.chmod(data, 0o755)
        os.chmod(log, 0o644)
        os.chmod(server.config_path, 0o666)
        left = [os.path.join(data, "queue", "7.damaged"), os.path.join(data, "old.bak"), os.path.join(data, "young.tmp"),
                os.path.join(data, "old.tmp")]
        for path in left:
            open(path, "w").close()
        os.utime(left[3], (1, 1))
        found = doctor(server, "--only", "permissions,leftovers")
        found.says("bad", "permissions", "read the private key", "chmod o= '%s'" % key)
        found.says("warn", "permissions", "look into", "chmod o= '%s'" % data)
        found.says("warn", "permissions", "who writes to whom", "chmod o= '%s'" % log)
        found.says("bad", "permissions", "everybody may write it", "chmod o-w")
        assert sorted(f["text"].split()[0] for f in found.of("leftovers")) == sorted(left[:2] + left[3:]), found.text
        os.mkdir(os.path.join(data, "lost+found"))  # where data_dir is a file system of its own
        if os.getuid() == 0:
            os.chown(os.path.join(data, "lost+found"), 1, 1)
            os.chown(left[1], 1, 1)
            doctor(server, "--only", "permissions").says("bad", "permissions", "1 file in it belongs not to root", "chown -R root:")
            os.chown(left[1], 0, 0)
        config = another_config(server, ("data_dir = ", "user = nobody-of-this-name\ndata_dir = "))
        doctor(server, "--only", "permissions", config=config).says("bad", "permissions", "no user", "useradd")


def test_files_that_the_user_of_the_server_cannot_reach():
    if os.getuid() != 0:
        raise Skip("only root can make files of others")
    server = Instance(directory="/var/tmp")
    try:
        tls = os.path.join(server.root, "tls")
        key, certificate = os.path.join(tls, "key.pem"), os.path.join(tls, "certificate.pem")
        config = another_config(server, ("data_dir = ", "user = nobody\ndata_dir = "))

        def found():
            return doctor(server, "--only", "permissions", config=config)

        for path in (server.directory, server.root, tls):
            os.chmod(path, 0o755)
        os.chmod(key, 0o600)
        found().says("bad", "permissions", "nobody, as whom the server runs, may not read it", "chgrp nogroup '%s'" % key)
        os.chmod(config, 0o600)
        found().says("bad", "permissions", "may not read it", "chgrp nogroup '%s'" % config)
        os.chmod(config, 0o644)
        shutil.chown(key, group="nogroup")
        os.chmod(key, 0o640)
        assert not found().of("permissions", key), found().text
        # As certbot has it: links into a folder that is closed to all but root.
        closed = os.path.join(server.root, "closed")
        os.mkdir(closed, 0o700)
        for path in (key, certificate):
            os.rename(path, os.path.join(closed, os.path.basename(path)))
            os.symlink(os.path.join(closed, os.path.basename(path)), path)
        found().says("bad", "permissions", "may not enter " + closed, "deploy hook")
        assert len(found().of("permissions", key)) == len(found().of("permissions", certificate)) == 1, found().text
        if shutil.which("setfacl"):  # rights that are no permission bits
            os.system("setfacl -m u:nobody:x %s" % closed)
            assert not found().of("permissions", key), found().text
    finally:
        server.close()


def test_disks():
    server = Instance()
    try:
        found = doctor(server, "--only", "disk,filesystem,sync")
        assert found.verdicts("disk") and "skipped" not in found.verdicts("disk"), found.text
        found.is_good("sync")
        assert not [n for n in os.listdir(os.path.join(server.root, "data")) if n.startswith("doctor")]
        server.add_config("journal {\n    size_max = 1024G\n}\n")
        if shutil.disk_usage(server.root).free < 1 << 40:
            doctor(server, "--only", "disk").says("bad", "disk", "the journal may grow", "journal.size_max")
    finally:
        server.close()


def test_room_for_the_journal_is_looked_for_where_it_is():
    free = {path: shutil.disk_usage(path).free for path in (os.path.dirname(ROOT), "/dev/shm")}
    if os.stat("/dev/shm").st_dev == os.stat(os.path.dirname(ROOT)).st_dev or abs(free["/dev/shm"] - free[os.path.dirname(ROOT)]) < 1 << 30:
        raise Skip("there are no two file systems of different sizes")
    small, large = sorted(free, key=free.get)
    server = Instance(directory="/dev/shm") if small == "/dev/shm" else Instance()
    journal = os.path.join(large, "journal-of-doctor-%d" % os.getpid())
    os.mkdir(journal)
    try:
        between = (free[small] + free[large]) // 2 >> 20
        server.add_config("journal {\n    path = %s\n    size_max = %dM\n}\n" % (journal, between))
        assert "may grow" not in doctor(server, "--only", "disk").text
        room = shutil.disk_usage(large).free >> 20
        server.replace_config("size_max = %dM" % between, "size_max = %dM" % (room + 300))
        doctor(server, "--only", "disk").says("bad", "disk", "the journal may grow")
        # What it has already need not be free.
        server.replace_config("size_max = %dM" % (room + 300), "size_max = %dM" % (room - 300))
        with open(os.path.join(journal, "1.seg"), "wb") as f:
            os.posix_fallocate(f.fileno(), 0, 600 << 20)
        assert "may grow" not in doctor(server, "--only", "disk").text
    finally:
        server.close()
        shutil.rmtree(journal)


def test_a_disk_that_takes_nothing_is_bad():
    server = Instance()
    try:
        command = "trap '' XFSZ; ulimit -f 0; exec %s --config %s doctor --json --only sync" % (os.path.join(build_dir(), "mailctl"), server.config_path)
        found = Findings(subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60))
        found.says("bad", "sync", "File too large")
    finally:
        server.close()


def test_memory_is_no_disk():
    with open("/proc/mounts") as f:
        if not any(line.split()[1:3] == ["/dev/shm", "tmpfs"] for line in f):
            raise Skip("/dev/shm is no tmpfs")
    server = Instance(directory="/dev/shm")
    try:
        found = doctor(server, "--only", "filesystem,sync")
        found.says("bad", "filesystem", "tmpfs: it is memory")
        assert "good" not in found.verdicts("sync") or float(found.of("sync")[0]["text"].split()[3]) < 1, found.text
    finally:
        server.close()


class TimeServer:
    """Says a time that is so many seconds ahead."""

    def __init__(self, ahead, stratum=2):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        self.ahead, self.stratum = ahead, stratum
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            question, client = self.socket.recvfrom(1000)
            if not question:
                return
            now = struct.pack(">Q", int((time.time() + 2208988800 + self.ahead) * 2**32) % 2**64)
            answer = bytes([4 << 3 | 4, self.stratum]) + bytes(22) + question[40:48] + now + now
            self.socket.sendto(answer, client)

    def close(self):
        self.socket.sendto(b"", self.socket.getsockname())
        self.thread.join()
        self.socket.close()


def test_the_clock_against_a_time_server():
    with Instance() as server:
        for ahead, stratum, verdict, words in ((0, 2, "good", "the same as there"), (5, 2, "warn", "behind that of this time server"),
                                               (-3600, 2, "bad", "ahead of that of this time server"), (0, 0, "skipped", "refuses"),
                                               (0, 16, "skipped", "does not know the time")):
            clock = TimeServer(ahead, stratum)
            doctor(server, "--only", "clock", "--time-server", clock.address).says(verdict, "clock", words)
            clock.close()
        silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        silent.bind(("127.0.0.1", 0))
        found = doctor(server, "--only", "clock", "--timeout", "1", "--time-server", "127.0.0.1:%d" % silent.getsockname()[1])
        found.says("skipped", "clock", "no answer in time")
        silent.close()


def test_clock_and_limits():
    if not shutil.which("prlimit"):
        raise Skip("prlimit is missing")
    with Instance(wrapper=("prlimit", "--nofile=4000:4000")) as server:
        found = doctor(server, "--only", "clock,limits", environment={"TZ": "Nowhere/At-all"})
        found.says("bad", "limits", "may have 4000 descriptors", "LimitNOFILE=101000")
        found.says("warn", "clock", "/usr/share/zoneinfo/Nowhere/At-all is not there")
        server.replace_config("data_dir = ", "connections_max = 100\ndata_dir = ")
        found = doctor(server, "--only", "clock,limits", environment={"TZ": "UTC"})
        found.is_good("limits")
        assert found.verdicts("clock", "time zone") == {"good"}, found.text


# --- TLS and SMTP ---

def test_certificates():
    server = Instance()
    try:
        authority = Authority(os.path.join(server.directory, "ca"))

        def with_certificate(c, trusted=True, of_key=None):
            ca = "\n    ca_file = %s" % authority.certificate if trusted else ""
            config = another_config(server, ("tls/certificate.pem", c.base + ".pem" + ca), ("tls/key.pem", (of_key or c).base + ".key"))
            return doctor(server, "--only", "certificate", config=config)

        doctor(server, "--only", "certificate").says("warn", "certificate", "signed by itself", "certbot")
        good = authority.issue(HOST, days=90)
        with_certificate(good).is_good("certificate")
        with_certificate(authority.issue("*.example.test", days=90)).is_good("certificate")
        with_certificate(good, trusted=False).says("bad", "certificate", "will not trust it", "fullchain.pem")
        with_certificate(authority.issue(HOST, days=-1)).says("bad", "certificate", "it expired", "mailctl reload")
        with_certificate(authority.issue(HOST, days=3, age=87)).says("bad", "certificate", "it expires in")
        with_certificate(authority.issue(HOST, days=15, age=75)).says("warn", "certificate", "it expires in 1")
        with_certificate(authority.issue(HOST, days=3, age=3)).is_good("certificate")  # of a short life
        with_certificate(authority.issue("www.example.test")).says("bad", "certificate", "not good for " + HOST, "certbot")
        with_certificate(good, of_key=authority.issue(HOST)).says("bad", "certificate", "does not belong")
        # One more, for clients that ask for it: the names of its block must be its own.
        config = another_config(server, ("tls/certificate.pem", good.base + ".pem\n    ca_file = " + authority.certificate), ("tls/key.pem", good.base + ".key"))
        shop = authority.issue("shop.test", days=90)
        with open(config, "a") as f:
            f.write("certificate shop {\n    certificate = %s.pem\n    key = %s.key\n    names = shop.test\n}\n" % (shop.base, shop.base))
        doctor(server, "--only", "certificate", config=config).is_good("certificate")
        os.chmod(shop.base + ".key", 0o644)
        doctor(server, "--only", "permissions", config=config).says("bad", "permissions", "read the private key", shop.base)
        with open(config) as f:
            text = f.read().replace("names = shop.test", "names = shop.test store.test")
        with open(config, "w") as f:
            f.write(text)
        doctor(server, "--only", "certificate", config=config).says("bad", "certificate", "not good for store.test")
        # The server goes on with the old one.
        with server:
            config = another_config(server, ("tls/certificate.pem", good.base + ".pem"), ("tls/key.pem", good.base + ".key"))
            found = doctor(server, "--only", "ports", config=config)
            found.says("warn", "ports", "another certificate than the file has", "mailctl reload")
    finally:
        server.close()


def test_ports_and_relays():
    with Instance() as server:
        sink = SmtpSink()
        other = take_port_base()
        try:
            # Another server answers on the port; nobody does on another one; nobody under another address.
            listen = "127.0.0.1:%d" % server.port("smtp")
            config = another_config(server, (listen, "127.0.0.1:%d" % sink.port), ("127.0.0.1:%d" % server.port("imap"), "127.0.0.1:%d" % other))
            with open(config, "a") as f:
                f.write("\npolicy {\n    trusted_networks = 10.0.0.0/8\n}\n")
            found = doctor(server, "--only", "ports,relay", "--address", "127.0.0.1", "--address", "127.0.0.2", config=config)
            found.says("warn", "ports", "it greets as sink.test")
            found.says("bad", "ports", "nobody answers")
            assert found.verdicts("ports", "from outside") == {"warn"}, found.of("ports", "from outside")
            found.says("bad", "relay", "it takes mail from a stranger for <open-relay-test@relay.invalid>")
            found.says("good", "relay", "the server refuses mail of strangers")
            # From an address that is not trusted our own refuses all forms.
            server.add_config("policy {\n    trusted_networks = 10.0.0.0/8\n}\n")
            server.mailctl("reload")
            found = doctor(server, "--only", "relay", "--address", "127.0.0.1")
            found.says("good", "relay", "refuses recipients elsewhere, in 5 forms")
            found.is_good("relay")
            server.replace_config("trusted_networks = 10.0.0.0/8", "trusted_networks = 10.0.0.0/8\n    relay_networks = 0.0.0.0/0 fd00::/8")
            found = doctor(server, "--only", "relay", "--address", "127.0.0.1")
            found.says("bad", "relay", "0.0.0.0/0: strangers are in this network", "relay_networks")
            assert "fd00::/8" not in found.text, found.of("relay")
            assert found.verdicts("relay", "127.0.0.1") == {"skipped"}, found.text
        finally:
            give_port_base(other)
            sink.close()


def test_what_says_nothing_of_relaying():
    """Who takes no mail at all from here, or does not come to an end, was not found to refuse strangers."""
    server = Instance()
    sink = SmtpSink()
    talker = socket.socket()
    talker.bind(("127.0.0.1", 0))
    talker.listen(8)

    def talk():
        try:
            while True:
                peer = talker.accept()[0]
                try:
                    while True:
                        peer.sendall(b"220-and so on\r\n" * 1000)
                except OSError:
                    peer.close()
        except OSError:
            pass

    threading.Thread(target=talk, daemon=True).start()
    server.add_config("policy {\n    trusted_networks = 10.0.0.0/8\n}\n")
    try:
        with server:
            listen = "127.0.0.1:%d" % server.port("smtp")

            def relay(port):
                found = doctor(server, "--only", "relay", "--address", "127.0.0.1", "--timeout", "5",
                               config=another_config(server, (listen, "127.0.0.1:%d" % port)))
                return [f for f in found.of("relay") if "port %d" % port in f["subject"]]

            def replies(**of):
                sink.reply = lambda verb, command: of.get(verb)
                return relay(sink.port)

            for verdict, text, of in (
                    ("skipped", "MAIL FROM: 550 5.7.1 no such domain", {"MAIL": "550 5.7.1 no such domain", "RCPT": "503 5.5.1 MAIL first"}),
                    ("skipped", "it says: 450 4.7.1 later", {"RCPT": "450 4.7.1 later"}),
                    ("good", "in 5 forms", {"RCPT": "550 5.7.1 no"})):
                found = replies(**of)
                assert len(found) == 1 and found[0]["verdict"] == verdict and text in found[0]["text"], found
            # A sender that does not exist may be refused where the empty one is not.
            sink.reply = lambda verb, command: "550 no" if "doctor@" in command or verb == "RCPT" else None
            assert relay(sink.port)[0]["verdict"] == "good"
            found = relay(talker.getsockname()[1])
            assert found[0]["verdict"] == "skipped" and "a reply without an end" in found[0]["text"], found
    finally:
        sink.close()
        talker.close()


def test_a_directory_that_is_down():
    server = Instance()
    base = take_port_base()
    server.add_config("ldap office {\n    servers = ldap://127.0.0.1:%d\n    base = dc=example\n    preset = openldap\n}\n" % base)
    try:
        with server:
            found = doctor(server, "--only", "directory", "--timeout", "30")
            assert found.verdicts("directory", "office") == {"bad"} and found.verdicts("directory", "embedded") == {"good"}, found.text
    finally:
        give_port_base(base)


# --- DNS ---

def test_dns_that_is_right():
    server = Instance()
    authority = Authority(os.path.join(server.directory, "ca"))
    certificate = authority.issue(HOST, days=90)
    policy = "version: STSv1\nmode: enforce\nmx: %s\nmax_age: 604800\n" % HOST
    https = HttpsServer(authority.issue("mta-sts.example.test"), {"mta-sts.example.test": policy}, ("127.0.0.21", 0))
    dns = DnsServer({})
    server.replace_config("tls/certificate.pem", certificate.base + ".pem\n    ca_file = " + authority.certificate)
    server.replace_config("tls/key.pem", certificate.base + ".key")
    server.add_config("dns {\n    server = 127.0.0.1@%d\n}\nmta_sts {\n    https_port = %d\n}\n" % (dns.port, https.port))
    try:
        with server:
            os.system("openssl genpkey -algorithm ed25519 -out %s/dkim.pem 2>/dev/null" % server.directory)
            server.mailctl("domain", "set", "example.test", "--dkim-selector", "s1", "--dkim-key", server.directory + "/dkim.pem")
            srv = {"_submissions": 465, "_submission": 587, "_imaps": 993, "_imap": 143, "_pop3s": 995, "_pop3": 110}
            good = {("example.test", "MX"): [(10, HOST)], (HOST, "A"): [OURS], ("1.0.0.127.in-addr.arpa", "PTR"): [HOST],
                    ("example.test", "TXT"): ["v=spf1 include:spf.example.test -all"], ("spf.example.test", "TXT"): ["v=spf1 ip4:127.0.0.0/30 ~all"],
                    ("s1._domainkey.example.test", "TXT"): [server.mailctl_json("domain", "show", "example.test")["dkim_record"].replace("; ", ";")],
                    ("_dmarc.example.test", "TXT"): ["v=DMARC1; p=quarantine; rua=mailto:x@example.test"],
                    ("_mta-sts.example.test", "TXT"): ["v=STSv1; id=7"], ("mta-sts.example.test", "A"): ["127.0.0.21"],
                    ("_smtp._tls.example.test", "TXT"): ["v=TLSRPTv1; rua=mailto:x@example.test"],
                    ("_25._tcp." + HOST, "TLSA"): ["3 1 1 " + "00" * 32, certificate.tlsa()[5:]], ("2.0.0.127.list.test", "A"): ["127.0.0.2"]}
            for name, port in srv.items():
                good[(name + "._tcp.example.test", "SRV")] = [(0, 1, server.base + port, HOST)]
            dns.records.update(good)
            found = doctor(server, "--address", OURS, "--blocklist", "list.test")
            for check in ("hostname", "ptr", "blocklists", "mx", "spf", "dkim", "dmarc", "mta-sts", "tls-rpt", "tlsa", "srv", "certificate"):
                found.is_good(check)
            assert found.verdicts("resolver", "127.0.0.1@") == {"good"}, found.text
            assert "6 SRV records" in found.of("srv")[0]["text"] and "none of 1 lists" in found.of("blocklists")[0]["text"]
            again = doctor(server, "--address", OURS, "--blocklist", "list.test")
            order = [(f["check"], f["subject"]) for f in found.list]
            assert order == [(f["check"], f["subject"]) for f in again.list]
            # The same key in another order of tags, and with others beside.
            key = server.mailctl_json("domain", "show", "example.test")["dkim_record"].split("p=")[1]
            dns.records[("s1._domainkey.example.test", "TXT")] = ["v=DKIM1; t=s; p=" + key + "; k=ed25519"]
            doctor(server, "--only", "dkim").is_good("dkim")
            dns.records[("s1._domainkey.example.test", "TXT")] = ["v=DKIM1; p=" + key]  # of RSA, then
            doctor(server, "--only", "dkim").says("bad", "dkim", "another key")
            # The server need not run: what it alone knows is left out.
            server.stop()
            found = doctor(server, "example.test", "--address", OURS, "--blocklist", "list.test", "--only", "mx,spf,dkim,tlsa,srv")
            for check in ("mx", "spf", "tlsa", "srv"):
                found.is_good(check)
            assert found.verdicts("dkim") == {"skipped"}
    finally:
        https.close()
        dns.close()


def test_dns_that_is_wrong():
    server = Instance()
    dns = DnsServer({})
    server.add_config("dns {\n    server = 127.0.0.1@%d\n}\nmta_sts {\n    https_port = %d\n}\n" % (dns.port, server.base))
    with server:
        os.system("openssl genpkey -algorithm ed25519 -out %s/dkim.pem 2>/dev/null" % server.directory)
        for domain in ("two.test", "three.test", "sub.three.test", "plain.test", "away.test"):
            server.mailctl("domain", "add", domain)
        for domain in ("example.test", "two.test"):
            server.mailctl("domain", "set", domain, "--dkim-selector", "s1", "--dkim-key", server.directory + "/dkim.pem")
        dns.records.update({
            ("example.test", "MX"): [(10, "elsewhere.test")], ("elsewhere.test", "A"): ["127.0.0.99"], (HOST, "A"): ["127.0.0.98"],
            ("1.0.0.127.in-addr.arpa", "PTR"): ["wrong.test"], ("wrong.test", "A"): ["127.0.0.97"],
            ("example.test", "TXT"): ["v=spf1 ip4:192.0.2.0/24 -all"], ("s1._domainkey.example.test", "TXT"): ["v=DKIM1; k=rsa; p=AAAA"],
            ("_dmarc.example.test", "TXT"): ["v=DMARC1; p=nonsense"], ("_mta-sts.example.test", "TXT"): ["v=STSv1; id=7"],
            ("mta-sts.example.test", "A"): [OURS], ("_smtp._tls.example.test", "TXT"): ["v=TLSRPTv1;"],
            ("_imaps._tcp.example.test", "SRV"): [(0, 1, 1, HOST)], ("_pop3s._tcp.example.test", "SRV"): [(0, 0, 0, "")],
            ("two.test", "MX"): [(10, HOST), (20, "lost.test")], ("two.test", "TXT"): ["v=spf1 +all"],
            ("_25._tcp." + HOST, "TLSA"): ["3 1 1 " + "00" * 32], ("s1._domainkey.two.test", "TXT"): ["v=DKIM1; p="],
            ("_dmarc.three.test", "TXT"): ["v=DMARC1; p=reject; sp=none"], ("three.test", "MX"): [(0, "")],
            ("three.test", "TXT"): ["v=spf1 a mx include:three.test -all"], ("three.test", "A"): [OURS],
            ("plain.test", "A"): [OURS], ("away.test", "A"): ["127.0.0.99"], ("sub.three.test", "SERVFAIL"): [], ("2.0.0.127.list.test", "A"): ["127.0.0.2"], ("1.0.0.127.list.test", "A"): ["127.0.0.4"],
            ("1.0.0.127.list.test", "TXT"): ["sends spam"], ("2.0.0.127.closed.test", "A"): ["127.255.255.254"],
        })
        found = doctor(server, "--address", OURS, "--blocklist", "list.test", "--blocklist", "closed.test", "--blocklist", "dead.test")
        found.says("bad", "hostname", "which is no address of this server", HOST + ". 3600 IN A 127.0.0.1")
        found.says("bad", "ptr", "wrong.test, which does not lead back", "1.0.0.127.in-addr.arpa. 3600 IN PTR " + HOST)
        found.says("bad", "blocklists", "list.test names it: sends spam")
        found.says("skipped", "blocklists", "refuses questions")
        found.says("skipped", "blocklists", "does not answer here")
        found.says("bad", "mx", "goes to elsewhere.test (10)", "example.test. 3600 IN MX 10 %s." % HOST)
        found.says("bad", "mx", "lost.test, which the MX record names, has no address")
        found.says("bad", "mx", "takes no mail (RFC 7505)")
        found.says("warn", "mx", "it has no MX record; its mail comes here by its address", "plain.test. 3600 IN MX 10 %s." % HOST)
        found.says("bad", "mx", "goes to its address 127.0.0.99, which is not this server's", "away.test. 3600 IN MX")
        found.says("warn", "mx", "DNS cannot answer for ")
        found.says("bad", "spf", 'gets "fail"', 'example.test. 3600 IN TXT "v=spf1 ip4:192.0.2.0/24 ip4:127.0.0.1 -all"')
        found.says("bad", "spf", "everybody may send in its name")
        found.says("bad", "dkim", "another key", "s1._domainkey.example.test. 3600 IN TXT")
        found.says("bad", "dkim", "taken the key back")
        found.says("bad", "dmarc", "none of none, quarantine, reject")
        found.says("warn", "dmarc", "no DMARC record", "_dmarc.two.test. 3600 IN TXT")
        found.says("warn", "dmarc", "p=reject, and no key for DKIM")
        found.says("bad", "mta-sts", "cannot be had", "version: STSv1")
        found.says("bad", "tls-rpt", "names nobody")
        found.says("warn", "tlsa", "no TLSA record fits", "_25._tcp.%s. 3600 IN TLSA 3 1 1 " % HOST)
        found.says("bad", "srv", "leads to port 1", "_imaps._tcp.example.test. 3600 IN SRV 0 1 %d" % server.port("imaps"))
        found.says("warn", "srv", "there is no such service", "_pop3s._tcp")
        assert found.verdicts("spf", "three.test") >= {"good"}, found.of("spf")
        # Two addresses that are missing go into one record: with two records a domain has none.
        found = doctor(server, "example.test", "--address", "198.51.100.7", "--address", "2001:db8::7", "--only", "spf")
        record = 'example.test. 3600 IN TXT "v=spf1 ip4:192.0.2.0/24 ip4:198.51.100.7 ip6:2001:db8::7 -all"'
        assert [line for f in found.of("spf") for line in f["mend"]] == [record], found.of("spf")
    dns.close()


def test_signed_records():
    server = Instance()
    zone = "@ MX 10 mail\nmail A 127.0.0.1\n"
    with SignedDns({"example.test": ("signed", zone), "bogus.test": ("bogus", "mail A 127.0.0.1\n"), "arpa": ("unsigned", "")}) as dns:
        server.add_config(dns.settings())
        with server:
            found = doctor(server, "--address", OURS, "--only", "tlsa,resolver")
            record = found.says("skipped", "tlsa", "no TLSA record", "TLSA 3 1 1 ")[0]["mend"][0]
            found.is_good("resolver")
            dns.change("example.test", zone + record + "\n")
            doctor(server, "--address", OURS, "--only", "tlsa").is_good("tlsa")
            dns.change("example.test", zone + "_25._tcp.mail TLSA 3 1 1 " + "00" * 32 + "\n")
            found = doctor(server, "--address", OURS, "--only", "tlsa")
            found.says("bad", "tlsa", "do not send here", record)
            config = another_config(server, ("hostname = mail.example.test", "hostname = mail.bogus.test"))
            found = doctor(server, "bogus.test", "--only", "hostname,resolver,ptr", config=config)
            found.says("warn", "hostname", "DNS cannot answer for ")
            assert "bad" not in found.verdicts("resolver") and "no answer" not in str(found.of("resolver")), found.text


def test_what_is_silent_holds_up_nothing():
    server = Instance()
    dns = DnsServer({(HOST, "SILENT"): [], ("example.test", "SILENT"): [], ("arpa", "SILENT"): []})
    server.add_config("dns {\n    server = 127.0.0.1@%d\n}\n" % dns.port)
    with server:
        found = doctor(server, "--address", OURS, "--timeout", "2")
        found.says("bad", "resolver", "no answer", "dns { server")
        assert found.verdicts("server") == {"good"} and found.verdicts("mx") == found.verdicts("hostname") == {"skipped"}, found.text
        server.process.send_signal(signal.SIGSTOP)
        try:
            found = doctor(server, "--only", "server,ports,mx,disk", "--timeout", "1")
            found.says("bad", "server", "does not answer")
            found.says("bad", "ports", "no greeting")
            assert found.verdicts("disk")
        finally:
            server.process.send_signal(signal.SIGCONT)
    dns.close()


def test_a_server_that_falls_silent():
    """It says what domains it has, and then nothing more: that costs the time limit once, not for each of them."""
    server = Instance()
    dns = DnsServer({})
    server.add_config("dns {\n    server = 127.0.0.1@%d\n}\n" % dns.port)
    path = os.path.join(server.root, "silent.sock")
    control = socket.socket(socket.AF_UNIX)
    control.bind(path)
    control.listen(100)
    kept = []

    def answer():
        while True:
            try:
                peer = control.accept()[0]
                verb = json.loads(peer.makefile().readline())["verb"]
            except OSError:
                return
            if verb == "domain list":
                peer.sendall(b"".join(b'{"item": {"name": "d%d.test"}}\n' % i for i in range(40)))
            if verb in ("domain list", "status"):
                peer.sendall(b'{"ok": true, "result": {}}\n')
            kept.append(peer)

    threading.Thread(target=answer, daemon=True).start()
    try:
        server.replace_config("hostname = ", "control_socket = %s\nhostname = " % path)
        begun = time.monotonic()
        found = doctor(server, "--only", "mx", "--address", OURS, "--timeout", "1")
        assert len(found.of("mx")) == 40 and time.monotonic() - begun < 15, (len(found.of("mx")), time.monotonic() - begun)
    finally:
        control.close()
        dns.close()
        server.close()


def test_a_domain_that_is_none():
    server = Instance()
    try:
        result = server.run_mailctl("doctor", "a..b", check=False)
        assert result.returncode == 2 and "a..b: no such domain is possible" in result.stderr, result
    finally:
        server.close()
