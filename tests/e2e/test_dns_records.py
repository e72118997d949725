"""mailctl dns records: what it prints is a zone, and that zone is what it wants to see in DNS."""

import json
import os
import re
import subprocess

from support.dns import DnsServer
from support.instance import Instance, give_port_base, take_port_base
from support.signed_dns import SignedDns

OURS = "127.0.0.1"


def make_key(server, *arguments):
    path = os.path.join(server.directory, "dkim.pem")
    subprocess.run(["openssl", *arguments, "-out", path], check=True, capture_output=True)
    return path


def records(server, *options, status=0):
    result = server.run_mailctl("dns", "records", "example.test", "--address", OURS, *options, check=False)
    assert result.returncode == status and not result.stderr, (result.returncode, result.stdout, result.stderr)
    return result.stdout


def zone_of(text):
    """The records that are no comments."""
    return "".join(line + "\n" for line in text.split("\n") if line and not line.startswith(";"))


def states(text):
    return re.findall(r"^;   (\S+)", "\n".join(l for l in text.split("\n") if re.match(r";   (published|missing|other|unknown)", l)), re.M)


def test_the_zone_that_is_printed_is_the_one_that_is_wanted():
    """Pasted into a signed zone of a real server: nothing is missing any more."""
    server = Instance()
    with SignedDns({"example.test": ("signed", "")}) as dns:
        server.add_config(dns.settings())
        web = take_port_base()
        give_port_base(web)
        server.add_config("listener pages {\n    protocol = http\n    address = 127.0.0.1:%d\n}\n" % (web + 443))
        with server:
            assert "pages at 127.0.0.1" in server.run_mailctl("doctor", "--only", "ports", check=False).stdout
            assert " 0 bad, " in server.run_mailctl("doctor", "--only", "ports", check=False).stdout
            key = make_key(server, "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
            server.mailctl("domain", "set", "example.test", "--dkim-selector", "s1", "--dkim-key", key)
            before = records(server, "--check", status=1)
            assert "published" not in before and states(before).count("missing") > 10, before
            zone = zone_of(before)
            for wanted in ("MX   10 mail.example.test.", '"v=spf1 mx -all"', "s1._domainkey.example.test.", "v=DMARC1",
                           "TLSRPTv1", "_25._tcp.mail.example.test.", "autoconfig.example.test."):
                assert wanted in zone, (wanted, before)
            assert "_mta-sts" not in zone and "in-addr" not in zone, zone
            # No negative answer is remembered by a program that has ended.
            dns.change("example.test", zone)
            after = records(server, "--check", status=1)
            assert zone_of(after) == zone, after
            assert after.count(";   missing") == 1 and after.count(";   unknown") == 1, after  # MTA-STS, the address's name
            assert after.count(";   published") == len(zone.splitlines()), after


def test_the_key_of_the_record_is_that_of_the_file():
    with Instance() as server:
        key = make_key(server, "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
        server.mailctl("domain", "set", "example.test", "--dkim-selector", "s1", "--dkim-key", key)
        public = subprocess.run("openssl pkey -in %s -pubout -outform DER | openssl base64 -A" % key, shell=True, check=True,
                                capture_output=True, text=True).stdout
        assert server.mailctl_json("domain", "show", "example.test")["dkim_record"] == "v=DKIM1; k=rsa; p=" + public
        [record] = [r for r in server.mailctl_json("dns", "records", "example.test")["records"] if r["section"] == "dkim"]
        assert record["name"] == "s1._domainkey.example.test" and record["data"].replace('" "', "") == '"v=DKIM1; k=rsa; p=%s"' % public
        key = make_key(server, "genpkey", "-algorithm", "ed25519")
        server.mailctl("domain", "set", "example.test", "--dkim-key", key)
        public = subprocess.run("openssl pkey -in %s -pubout -outform DER | tail -c 32 | openssl base64 -A" % key, shell=True,
                                check=True, capture_output=True, text=True).stdout
        assert server.mailctl_json("domain", "show", "example.test")["dkim_record"] == "v=DKIM1; k=ed25519; p=" + public


def test_what_dns_has_instead():
    server = Instance()
    dns = DnsServer({("example.test", "MX"): [(10, "mx.old.test")], ("example.test", "TXT"): ["hello", "v=spf1 ip4:192.0.2.1 ~all"],
                     ("mail.example.test", "A"): ["127.0.0.9"], ("_dmarc.example.test", "SERVFAIL"): []})
    server.add_config("dns {\n    server = 127.0.0.1@%d\n}\n" % dns.port)
    with server:
        text = records(server, "--check", status=1)
        assert ";   other: 10 mx.old.test." in text and ";   other: v=spf1 ip4:192.0.2.1 ~all" in text, text
        assert ";   other: 127.0.0.9" in text and ";   unknown: " in text and "hello" not in text, text
        found = {r["section"]: r for r in reversed(server.mailctl_json("dns", "records", "example.test")["records"])}
        assert "state" not in found["mx"] and found["mx"]["data"] == "10 mail.example.test.", found
        json = server.run_mailctl("dns", "records", "example.test", "--check", "--json", check=False)
        assert json.returncode == 1 and '"state": "other"' in json.stdout and '"10 mx.old.test."' in json.stdout, json
    dns.close()


def test_listeners_behind_a_router():
    """One that is bound to the machine's private address is the one that the router forwards to."""
    server = Instance()
    try:
        server.replace_config("127.0.0.1:%d" % server.port("imaps"), "10.77.0.1:%d" % server.port("imaps"))

        def services(*arguments):
            result = json.loads(server.run_mailctl("dns", "records", "example.test", *arguments, "--json").stdout)
            return {r["name"].split(".")[0]: r["data"] for r in result["records"] if r["type"] == "SRV"}

        found = services("--address", "203.0.113.9")
        assert found["_imaps"] == "0 1 %d mail.example.test." % server.port("imaps"), found
        assert found["_submissions"] == "0 0 0 .", found  # on loopback: nobody comes there
        server.replace_config("10.77.0.1:", "193.0.0.10:")
        assert services("--address", "203.0.113.9")["_imaps"] == "0 0 0 ."
    finally:
        server.close()


def test_without_a_server_and_without_sense():
    server = Instance()
    try:
        text = server.run_mailctl("dns", "records", "example.test").stdout
        assert "does not answer" in text and "10 mail.example.test." in text, text
        assert "is not known here" in text or " IN A " in text, text
        for arguments in (["example.test", "--address", "mail"], ["bad..name"]):
            result = server.run_mailctl("dns", "records", *arguments, check=False)
            assert result.returncode == 1 and result.stderr, (arguments, result)
        server.start()
        result = server.run_mailctl("dns", "records", "other.test", check=False)
        assert result.returncode in (1, 4) and "other.test" in result.stderr, result
    finally:
        server.close()
