"""Rules that ask DNS or remember: what clients hear, what operators see, and that mail goes on when
DNS or the database fail. Clients have the addresses that XCLIENT gives them."""

import json
import os
import re
import socket
import sqlite3
import time

from support import wait_for
from support.dns import DnsServer
from support.instance import Instance
from support.mail import imap_bodies, submit

TEXT = "From: a@remote.test\r\nSubject: x\r\n\r\nbody\r\n"


def instance(rules, records=None, trusted="127.0.0.1, 192.0.2.200"):
    server = Instance()
    server.dns = DnsServer(records or {})
    server.add_config("dns {\n    server = 127.0.0.1@%d\n    timeout = 2s\n}\n" % server.dns.port)
    server.add_config("smtp {\n    xclient_hosts = 127.0.0.1\n}\n")
    server.add_config("policy {\n    trusted_networks = %s\n}\n" % trusted)
    server.add_config(rules)
    return server


class Client:
    def __init__(self, server, address=None, listener="smtp", greeting="220"):
        self.socket = server.connect(listener)
        self.file = self.socket.makefile("rb")
        if greeting:
            self.expect(greeting)
        if address:
            self.say("XCLIENT ADDR=%s" % address)
            self.expect("220")
        if greeting == "220":
            self.say("EHLO mx.remote.test")
            self.expect("250")

    def say(self, line):
        self.socket.sendall(line.encode() + b"\r\n")

    def reply(self):
        while True:
            line = self.file.readline().decode()
            if not line:
                return ""
            if line[3:4] != "-":
                return line.rstrip("\r\n")

    def expect(self, start):
        got = self.reply()
        assert got.startswith(start), "expected %s, got %r" % (start, got)
        return got

    def ask(self, line):
        self.say(line)
        return self.reply()

    def rcpt(self, sender="a@remote.test", to="alice@example.test"):
        """The reply to RCPT in a transaction of its own."""
        self.say("RSET")
        self.expect("250")
        got = self.ask("MAIL FROM:<%s>" % sender)
        return self.ask("RCPT TO:<%s>" % to) if got.startswith("250") else got

    def send(self, sender="a@remote.test", to="alice@example.test"):
        got = self.rcpt(sender, to)
        if not got.startswith("250"):
            return got
        self.say("DATA")
        self.expect("354")
        return self.ask(TEXT.replace("\r\n", "\r\n") + ".")

    def close(self):
        self.file.close()
        self.socket.close()


def rcpt_from(server, address, **options):
    client = Client(server, address)
    got = client.rcpt(**options)
    client.close()
    return got


def warnings(server):
    return [line for line in server.log().splitlines() if " warning " in line]


# --- lists in DNS, names ---

LISTED = {("7.2.0.192.bad.test", "A"): ["127.0.0.2"],
          ("7.2.0.192.bad.test", "TXT"): ["See http://bad.test/192.0.2.7"],
          ("8.2.0.192.bad.test", "A"): ["127.0.0.2"],
          ("8.2.0.192.good.test", "A"): ["127.0.0.1", "127.0.5.1"],
          ("9.2.0.192.wild.test", "A"): ["198.51.100.1"],
          ("remote.test", "A"): ["192.0.2.1"],
          ("spam.domains.test", "A"): ["127.0.0.4"]}


def test_lists_weigh_and_explain():
    rules = """rule lists {
    check = dns_list
    lists = bad.test=127.0.0.2..11*3, good.test*-2, wild.test*5
    threshold = 3
}
rule domains { check = dns_list; lists = domains.test; lookup = sender; action = tag; header = "X-Domain: {why}" }
"""
    with instance(rules, LISTED) as server:
        assert rcpt_from(server, "192.0.2.7") == (
            "554 5.7.1 Mail from here is not accepted: 192.0.2.7 is listed, score 3: bad.test*3; "
            "See http://bad.test/192.0.2.7")
        assert rcpt_from(server, "192.0.2.7", to="postmaster@example.test").startswith("250")
        assert rcpt_from(server, "192.0.2.8").startswith("250")
        assert rcpt_from(server, "192.0.2.9").startswith("250")
        assert rcpt_from(server, "192.0.2.200").startswith("250")
        wait_for(lambda: any("wild.test" in w for w in warnings(server)))
        client = Client(server, "192.0.2.10")
        assert client.send("x@spam").startswith("250")
        assert client.send("x@ham.test").startswith("250")
        found = [m.decode() for m in imap_bodies(server, "alice").values()]
        assert sum("X-Domain: spam is listed, score 1: domains.test*1" in m for m in found) == 1, found
        # Each question once: the second connection of a client asks nobody.
        asked = len(server.dns.asked)
        rcpt_from(server, "192.0.2.7")
        assert len(server.dns.asked) == asked, server.dns.asked[asked:]
        told = server.mailctl("policy", "test", "--client", "192.0.2.7", "--helo", "x.test", "--from",
                              "a@remote.test", "--to", "alice@example.test")
        assert "bad.test*3" in told, told


def test_lists_that_fail_hold_up_nobody():
    """SERVFAIL, silence, lies: mail is taken, and after a while nobody waits for the silent list."""
    records = {("%d.2.0.192.silent.test" % i, "SILENT"): [] for i in range(1, 30)}
    records.update({("%d.2.0.192.broken.test" % i, "SERVFAIL"): [] for i in range(1, 30)})
    records.update({("7.2.0.192.bad.test", "A"): ["127.0.0.2"]})
    rules = "rule lists { check = dns_list; lists = silent.test, broken.test, bad.test*3; timeout = 200ms }"
    with instance(rules, records) as server:
        for i in range(1, 7):
            assert rcpt_from(server, "192.0.2.%d" % i).startswith("250")
        assert rcpt_from(server, "192.0.2.7").startswith("554")
        wait_for(lambda: sum("list does not answer" in w for w in warnings(server)) == 2)
        asked = len(server.dns.asked)
        assert rcpt_from(server, "192.0.2.8").startswith("250")
        lists = [name for name, _ in server.dns.asked[asked:] if name.startswith("8.2.0.192") and "arpa" not in name]
        assert lists == ["8.2.0.192.bad.test"], lists
        limits = server.mailctl_json("policy", "limits")
        assert sorted(z["zone"] for z in limits["silent_lists"]) == ["broken.test", "silent.test"], limits


NAMES = {("1.2.0.192.in-addr.arpa", "PTR"): ["mail.remote.test"],
         ("mail.remote.test", "A"): ["192.0.2.1"],
         ("2.2.0.192.in-addr.arpa", "PTR"): ["forged.remote.test"],
         ("forged.remote.test", "A"): ["192.0.2.99"],
         ("3.2.0.192.in-addr.arpa", "SERVFAIL"): [],
         ("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", "PTR"): ["six.remote.test"],
         ("six.remote.test", "AAAA"): ["2001:db8::1"]}


def test_client_names():
    rules = """rule any { check = client_name; require = any; text = "no name at all"; at = connect; action = tag
                          header = "X-Nameless: yes" }
rule confirmed { check = client_name }
rule patient { check = client_name; dns_failure = defer; clients = all }
"""
    with instance(rules, NAMES) as server:
        client = Client(server, "192.0.2.1")
        assert client.send().startswith("250")
        client = Client(server, "IPV6:2001:db8::1")
        assert client.send().startswith("250")
        assert rcpt_from(server, "192.0.2.2") == (
            "550 5.7.25 Your host needs a name in DNS: 192.0.2.2 calls itself forged.remote.test, which has "
            "another address")
        assert rcpt_from(server, "192.0.2.4") == (
            "550 5.7.25 Your host needs a name in DNS: 192.0.2.4 has no reverse DNS")
        assert rcpt_from(server, "192.0.2.3").startswith(
                "451 4.7.25 Please try again later: DNS cannot tell the client's name")
        headers = "".join(m.decode() for m in imap_bodies(server, "alice").values())
        assert "mail.remote.test [192.0.2.1]" in headers, headers
        assert "six.remote.test [IPv6:2001:db8::1]" in headers, headers
        assert "X-Nameless" not in headers


def test_names_stand_in_the_received_field_without_any_rule():
    with instance("", NAMES) as server:
        client = Client(server, "192.0.2.1")
        assert client.send().startswith("250")
        client = Client(server, "192.0.2.2")
        assert client.send().startswith("250")
        headers = "".join(m.decode() for m in imap_bodies(server, "alice").values())
        assert "mail.remote.test [192.0.2.1]" in headers, headers
        assert "([192.0.2.2])" in headers and "forged" not in headers, headers
        asked = len(server.dns.asked)
        assert Client(server, "192.0.2.200").rcpt().startswith("250")
        assert Client(server).rcpt().startswith("250")
        assert len(server.dns.asked) == asked, server.dns.asked[asked:]


def test_sender_domains():
    records = {("mx.test", "MX"): [(10, "a.mx.test")], ("address.test", "A"): ["192.0.2.1"],
               ("null.test", "MX"): [(0, ".")], ("broken.test", "SERVFAIL"): [], ("empty.test", "TXT"): ["x"]}
    rules = """rule known { check = sender_domain; action = reject }
rule sure { check = sender_domain; dns_failure = defer; dry_run = yes }
"""
    with instance(rules, records) as server:
        client = Client(server, "192.0.2.1")
        for sender in ("a@mx.test", "a@address.test", "", "a@[192.0.2.1]", "bob@example.test", "a@broken.test"):
            assert client.rcpt(sender).startswith("250"), sender
        assert client.rcpt("a@nosuch.test").startswith("550 5.1.8 The domain of <a@nosuch.test> cannot be answered")
        assert client.rcpt("a@empty.test").startswith("550 5.1.8")
        assert "null MX" in client.rcpt("a@null.test")
        wait_for(lambda: re.search(r"rule=sure action=would-defer.*from=<a@broken.test>", server.log()))


# --- early talkers ---

def test_early_talkers():
    rules = "rule early { check = early_talker; wait = 2s }\n"
    with instance(rules, trusted="192.0.2.200") as server:
        # Who waits is greeted; who does not wait is turned away at once.
        client = Client(server)
        assert client.rcpt().startswith("250")
        early = server.connect("smtp")
        early.sendall(b"EHLO spam.test\r\n")
        begun = time.monotonic()
        assert early.recv(1000) == b"554 5.5.0 Wait for the greeting before you speak\r\n"
        assert early.recv(1000) == b""
        # Ends while it waits, and the server's end does not wait for it.
        server.connect("smtp").close()
        waiting = server.connect("smtp")
        # Submission has no such rule.
        submission = server.connect("submission")
        submission.sendall(b"NOOP\r\n")
        assert submission.recv(4).startswith(b"220")
        wait_for(lambda: "not greeted yet" in server.mailctl("who"))
        server.stop()
        assert waiting.recv(1000).startswith(b"421 ")
    with instance("rule early { check = early_talker; wait = 20s; at = rcpt }\n", trusted="192.0.2.200") as server:
        early = server.connect("smtp")
        early.sendall(b"EHLO spam.test\r\nMAIL FROM:<a@remote.test>\r\nRCPT TO:<alice@example.test>\r\nQUIT\r\n")
        replies = b""
        while not replies.endswith(b"closes the connection\r\n") and b"221 " not in replies:
            got = early.recv(4096)
            assert got, replies
            replies += got
        assert b"554 5.5.0" in replies, replies
    with instance("rule early { check = early_talker; wait = 60s }\n") as server:
        assert Client(server).rcpt().startswith("250")


# --- greylisting ---

def test_greylist():
    rules = "rule grey { check = greylist; retry_after = 1s; allow_after = 2 }\n"
    with instance(rules) as server:
        assert re.match(r"450 4.7.1 Greylisted, please come again later: not seen before, to come again in "
                        r"1 second", rcpt_from(server, "192.0.2.1"))
        assert rcpt_from(server, "192.0.2.200").startswith("250")
        wait_for(lambda: rcpt_from(server, "192.0.2.1").startswith("250"))
        assert rcpt_from(server, "192.0.2.77", sender="A@Remote.test").startswith("250")
        assert rcpt_from(server, "192.0.2.1", sender="b@remote.test").startswith("450")
        assert rcpt_from(server, "IPV6:2001:db8::1").startswith("450")
        listed = server.mailctl("policy", "greylist", "list")
        assert "192.0.2.0/24" in listed and "b@remote.test" in listed, listed
        items = server.mailctl_json("policy", "greylist", "list", "b@remote")
        assert "b@remote.test" in json.dumps(items) and '"a@remote.test"' not in json.dumps(items), items
        # A restart forgets nothing.
        server.restart()
        assert rcpt_from(server, "192.0.2.1").startswith("250")
        assert rcpt_from(server, "198.51.100.1").startswith("450")
        server.mailctl("policy", "greylist", "allow", "198.51.100.1")
        assert rcpt_from(server, "198.51.100.1", sender="c@remote.test").startswith("250")
        assert rcpt_from(server, "198.51.100.2", sender="c@remote.test").startswith("450")
        server.mailctl("policy", "greylist", "allow", "198.51.100.0/24")
        assert rcpt_from(server, "198.51.100.2", sender="c@remote.test").startswith("250")
        wrong = server.run_mailctl("policy", "greylist", "allow", "198.51.100.0/25", check=False)
        assert wrong.returncode != 0 and "/24" in wrong.stderr, wrong
        server.mailctl("policy", "greylist", "delete", "198.51.100.0/24")
        assert rcpt_from(server, "198.51.100.2", sender="d@remote.test").startswith("450")
        nothing = server.run_mailctl("policy", "greylist", "delete", "203.0.113.0/24", check=False)
        assert nothing.returncode != 0, nothing
        # Asking changes nothing.
        for _ in range(2):
            told = server.mailctl("policy", "test", "--client", "203.0.113.1", "--helo", "x.test", "--from",
                                  "a@remote.test", "--to", "alice@example.test")
            assert "not seen before" in told, told
        assert "203.0.113" not in server.mailctl("policy", "greylist", "list")


def test_greylist_goes_on_without_its_database():
    rules = "rule grey { check = greylist; retry_after = 1s }\n"
    with instance(rules) as server:
        path = os.path.join(server.root, "data", "policy.db")
        assert rcpt_from(server, "192.0.2.1").startswith("450")
        server.stop()
        with open(path, "wb") as f:
            f.write(b"no database at all" * 1000)
        server.start()
        assert rcpt_from(server, "192.0.2.1").startswith("250")
        assert rcpt_from(server, "192.0.2.1", sender="b@remote.test").startswith("450")
        assert open(path + ".damaged", "rb").read(18) == b"no database at all"
        wait_for(lambda: any("damaged" in w for w in warnings(server)))
        server.stop()
        # It cannot be opened.
        for name in ("", "-wal", "-shm"):
            if os.path.exists(path + name):
                os.unlink(path + name)
        os.mkdir(path)
        server.start()
        assert rcpt_from(server, "192.0.2.1").startswith("250")
        assert "policy.db" in server.mailctl_json("policy", "limits")["greylist"]["error"]
        assert "policy.db" in server.mailctl("status")
        # Another program holds it: nobody waits for ever.
        server.stop()
        os.rmdir(path)
        server.start()
        assert rcpt_from(server, "192.0.2.1", sender="c@remote.test").startswith("450")
        wait_for(lambda: server.mailctl("policy", "greylist", "list") and True)
        other = sqlite3.connect(path)
        other.execute("BEGIN EXCLUSIVE")
        assert rcpt_from(server, "192.0.2.1", sender="d@remote.test")[:3] in ("250", "450")
        other.rollback()
        other.close()


# --- how much ---

def test_client_rate_and_connections():
    rules = """rule often { check = client_rate; limit = 3; period = 1h; ipv4_prefix = 24 }
rule many { check = client_connections; limit = 2 }
rule recipients { check = client_rate; at = rcpt; limit = 4; period = 1h }
"""
    with instance(rules) as server:
        def connect(address):
            client = Client(server, greeting="220")
            client.say("XCLIENT ADDR=" + address)
            return client, client.reply()
        first, reply = connect("192.0.2.1")
        assert reply.startswith("220")
        second, reply = connect("192.0.2.1")
        assert reply.startswith("220")
        third, reply = connect("192.0.2.1")
        assert reply.startswith("421 4.7.1 Too many connections at a time: 192.0.2.1 has 3"), reply
        assert third.reply() == ""
        # The three were counted by the other rule, for the whole network.
        fourth, reply = connect("192.0.2.2")
        assert "Too much within a short time" in reply and "192.0.2.0/24 had 3 of 3 connections in 1h" in reply, reply
        other, reply = connect("198.51.100.1")
        assert reply.startswith("220"), reply
        other.say("EHLO x.test")
        other.expect("250")
        for _ in range(4):
            assert other.rcpt().startswith("250")
        assert other.rcpt().startswith("450 4.7.1 Too much within a short time")
        limits = server.mailctl_json("policy", "limits")
        often = next(r for r in limits["rules"] if r["rule"] == "often")
        assert {"key": "192.0.2.0/24", "count": 3} in [{k: c[k] for k in ("key", "count")} for c in often["keys"]]
        text = server.mailctl("policy", "limits")
        assert "192.0.2.0/24" in text and "recipients" in text, text
        # The limit stays over a reload.
        server.mailctl("reload")
        assert connect("192.0.2.9")[1].startswith("421")
        first.close()
        second.close()


def test_login_rate_tells_the_postmaster_once():
    rules = """rule much { check = login_rate; limit = 3; period = 1h }
rule box { check = recipient_rate; limit = 2; protocols = smtp }
"""
    with instance(rules) as server:
        server.mailctl("address", "add", "postmaster@example.test", "bob@example.test")
        for i in range(3):
            submit(server, "alice", "bob", TEXT.replace("remote", "example"))
        for i in range(3):
            try:
                submit(server, "alice", "bob", TEXT.replace("remote", "example"))
                assert False, "accepted"
            except Exception as e:
                assert "450" in repr(e) and "alice@example.test had 3 of 3 recipients in 1h" in repr(e), e
        submit(server, "bob", "alice", TEXT.replace("a@remote", "bob@example"))
        def notices():
            return [m.decode() for m in imap_bodies(server, "bob").values() if b"auto-generated" in m]
        wait_for(lambda: len(notices()) == 1)
        assert "alice@example.test sends unusually much mail" in notices()[0]
        assert "mailctl user disable alice@example.test" in notices()[0]
        assert notices()[0].startswith("Return-Path: <>"), notices()
        assert len(notices()) == 1
        client = Client(server, "192.0.2.1")
        assert client.rcpt(to="Alice@example.test").startswith("250")
        assert client.rcpt(to="alice@Example.test").startswith("250")
        assert client.rcpt().startswith("450 4.2.1 <alice@example.test> gets too much mail")
        assert client.rcpt(to="bob@example.test").startswith("250")
