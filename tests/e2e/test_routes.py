"""The route table: every example of docs/routes.md, and mail that takes the ways that are configured."""

import base64
import os
import ssl
import subprocess

from support import wait_for
from support.dns import DnsServer
from support.examples import read_examples, run_example
from support.instance import Instance
from support.mail import inject, submit
from support.smtp_sink import SmtpSink

TEXT = "From: alice@example.test\r\nTo: somebody@far.example\r\nSubject: hello\r\n\r\nbody\r\n"

# The world of the examples.
RECORDS = {
    ("mail.partner.example", "A"): ["192.0.2.20"],
    ("smtp.provider.example", "A"): ["192.0.2.30"],
    ("bulk.provider.example", "A"): ["192.0.2.31"],
    ("far.example", "MX"): [(10, "mx.far.example")],
    ("mx.far.example", "A"): ["192.0.2.50"],
}


def test_examples_of_the_documentation():
    dns = DnsServer(RECORDS)
    with Instance() as server:
        server.add_config("dns {\n    server = 127.0.0.1@%d\n}\n" % dns.port)
        server.restart()
        with open(server.config_path) as f:
            base = f.read()
        for example in read_examples("routes.md"):
            run_example(server, base, example)
    dns.close()


def reload(server, base, config):
    with open(server.config_path, "w") as f:
        f.write(base + config)
    server.mailctl("reload")


def read(path):
    with open(path) as f:
        return f.read()


def certificate(directory):
    """(file, context of a server) for the name that the address 127.0.0.1 has."""
    cert, key = os.path.join(directory, "sink.crt"), os.path.join(directory, "sink.key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=sink.test", "-addext", "subjectAltName=DNS:sink.test,IP:127.0.0.1", "-keyout", key, "-out", cert],
                   check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return cert, context


def test_mail_takes_its_route():
    partner, rest, fallback = SmtpSink(), SmtpSink(), SmtpSink()
    server = Instance()
    server.add_config("""
route partner { recipient = partner.example; hosts = [127.0.0.1]:%d; helo = shop.example.test }
route dropped { recipient = .sink.example; action = sink }
route news { sender = news@example.test; hosts = [127.0.0.1]:1; fallback = [127.0.0.1]:%d }
route rest { hosts = [127.0.0.1]:%d }
""" % (partner.port, fallback.port, rest.port))
    with server:
        submit(server, "alice", ["x@partner.example", "y@far.example", "z@a.sink.example"], TEXT)
        assert partner.next()["recipients"] == ["x@partner.example"]
        assert rest.next()["recipients"] == ["y@far.example"]
        wait_for(lambda: "dropped: route dropped" in server.log())
        inject(server, "news@example.test", ["alice@example.test"], TEXT)
        submit(server, "alice", ["x@far.example"], TEXT)
        assert rest.next()["sender"].startswith("MAIL FROM:<alice@example.test>")
        wait_for(lambda: server.mailctl_json("queue", "list") == [])
        assert partner.messages.empty() and rest.messages.empty() and fallback.messages.empty()


def test_a_fallback_takes_over():
    fallback = SmtpSink()
    server = Instance()
    server.add_config("route all { hosts = [127.0.0.1]:1; fallback = [127.0.0.1]:%d }\n" % fallback.port)
    with server:
        submit(server, "alice", ["x@far.example"], TEXT)
        assert fallback.next()["recipients"] == ["x@far.example"]


def test_a_changed_route_holds_for_waiting_mail():
    sink = SmtpSink()
    server = Instance()
    base = read(server.config_path)
    server.add_config("route all { hosts = [127.0.0.1]:1 }\nqueue { retry_first = 1h }\n")
    with server:
        for i in range(5):
            submit(server, "alice", ["x%d@far.example" % i], TEXT)
        wait_for(lambda: len([m for m in server.mailctl_json("queue", "list") if m["recipients"][0]["last_error"]]) == 5)
        reload(server, base, "route other { hosts = [127.0.0.1]:%d }\nqueue { retry_first = 1h }\n" % sink.port)
        server.mailctl("queue", "retry")
        assert {sink.next()["recipients"][0] for _ in range(5)} == {"x%d@far.example" % i for i in range(5)}
        # Wrong ones change nothing.
        with open(server.config_path, "a") as f:
            f.write("route more { recipient = a@@b }\n")
        failed = server.run_mailctl("reload", check=False)
        assert failed.returncode != 0 and "recipient: \"a@@b\" is no address" in failed.stderr, failed
        failed = server.run_mailctl("config", "check", check=False)
        assert failed.returncode != 0 and "no address" in failed.stdout + failed.stderr, failed
        submit(server, "alice", ["again@far.example"], TEXT)
        assert sink.next()["recipients"] == ["again@far.example"]


def test_each_user_logs_in_as_themselves():
    logins = []

    def replies(verb, command):
        if verb == "AUTH":
            logins.append(base64.b64decode(command.split()[2]).decode().split("\0")[1:])
            return "235 2.7.0 welcome"
        return None

    server = Instance()
    cert, context = certificate(server.directory)
    sink = SmtpSink(replies, tls=context, extensions_over_tls=["AUTH PLAIN"])
    with open(os.path.join(server.root, "logins"), "w") as f:
        f.write("alice@example.test alice.smith@provider.example:correct horse\nbob@example.test bob:secret:2\n")
    os.chmod(os.path.join(server.root, "logins"), 0o600)
    server.replace_config("tls {", "tls {\n    ca_file = %s" % cert)
    server.add_config("route provider { hosts = [127.0.0.1]:%d; tls = verify; credentials = logins }\n" % sink.port)
    with server:
        for user in ("alice", "bob"):
            submit(server, user, ["x@far.example"], TEXT.replace("alice", user))
            assert sink.next()["tls"]
        wait_for(lambda: server.mailctl_json("queue", "list") == [])
        assert logins == [["alice.smith@provider.example", "correct horse"], ["bob", "secret:2"]], logins
        assert "correct horse" not in server.log() and "correct horse" not in server.mailctl("config", "show")
        way = server.mailctl_json("route", "test", "bob@example.test", "x@far.example")[0]
        assert way["user"] == "bob" and way["destination"] == "rule provider as bob@example.test", way
        assert "secret:2" not in server.mailctl("route", "test", "bob@example.test", "x@far.example", "--json")


def test_what_is_ours_asks_no_route():
    sink = SmtpSink()
    server = Instance()
    server.add_config("route all { recipient = *; hosts = [127.0.0.1]:%d }\n" % sink.port)
    with server:
        submit(server, "alice", ["bob"], TEXT)
        wait_for(lambda: len(server.messages("bob")) == 1)
        server.mailctl("address", "add", "both@example.test", "bob@example.test", "x@far.example")
        ways = server.mailctl_json("route", "test", "a@far.example", "both@example.test")
        assert {(w["recipient"], w["outcome"]) for w in ways} == {("bob@example.test", "here"), ("x@far.example", "sent")}, ways
        submit(server, "alice", ["both@example.test"], TEXT)
        assert sink.next()["recipients"] == ["x@far.example"]
        wait_for(lambda: len(server.messages("bob")) == 2)
        assert "nowhere" in server.mailctl("route", "test", "a@far.example", "nobody@example.test")


def test_a_partner_over_lmtp():
    """To another server's LMTP listener, over TCP and over a Unix socket, each recipient with an answer of its own."""
    partner, server = Instance(domain="partner.example", users=("carol", "dave")), Instance()
    path = os.path.join(partner.directory, "lmtp.sock")
    partner.add_config("listener unix-lmtp { protocol = lmtp; address = unix:%s }\nlistener tcp-lmtp { protocol = lmtp; address = 127.0.0.1:%d }\n" % (
        path, partner.base + 24))
    base = read(server.config_path)
    with partner, server:
        for hosts in ("unix:" + path, "[127.0.0.1]:%d" % (partner.base + 24)):
            reload(server, base, "route partner { recipient = partner.example; hosts = %s; protocol = lmtp }\n" % hosts)
            submit(server, "alice", ["carol@partner.example", "nobody@partner.example", "dave@partner.example"], TEXT)
            wait_for(lambda: server.mailctl_json("queue", "list") == [])
        assert len(partner.messages("carol")) == len(partner.messages("dave")) == 2
        reports = server.messages("alice")
        assert len(reports) == 2, reports


def test_name_and_address_of_our_own():
    names = []

    def replies(verb, command):
        if verb == "EHLO":
            names.append(command)
        return None

    sink = SmtpSink(replies)
    server = Instance()
    server.add_config("route r { hosts = [127.0.0.1]:%d; helo = shop.example.test; source_ipv4 = 127.0.0.77 }\n" % sink.port)
    with server:
        submit(server, "alice", ["x@far.example"], TEXT)
        sink.next()
        assert names[0] == "EHLO shop.example.test", names
        assert "127.0.0.77" in sink.clients, sink.clients
