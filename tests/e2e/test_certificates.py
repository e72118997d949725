"""Several certificates, by the name that a client asks for, over all protocols; renewed while the server runs."""

import os
import re
import shutil
import ssl
import subprocess
import urllib.request

from support import wait_for
from support.authority import RSA, Authority
from support.dns import DnsServer
from support.instance import Instance
from support.mail import imap, loose_tls

# How a client gets to TLS: what it says and hears before.
STARTTLS = {
    "smtp": (b"EHLO c.test\r\n", b"STARTTLS\r\n"),
    "submission": (b"EHLO c.test\r\n", b"STARTTLS\r\n"),
    "imap": (b"a STARTTLS\r\n",),
    "pop3": (b"STLS\r\n",),
}


def connect_tls(server, protocol, name, context):
    s = server.connect(protocol)
    for line in STARTTLS.get(protocol, ()):
        if line == STARTTLS[protocol][0]:
            s.recv(1000)
        s.sendall(line)
        reply = s.recv(4000)
        assert reply[:2] in (b"22", b"25", b"a ", b"+O"), reply
    return context.wrap_socket(s, server_hostname=name)


def serial(server, name, protocol="imaps"):
    """What the certificate is that a client gets who asks for this name."""
    with connect_tls(server, protocol, name, loose_tls()) as s:
        return s.getpeercert(True)


def der(certificate):
    with open(certificate.base + ".pem") as f:
        return ssl.PEM_cert_to_DER_cert(f.read())


def block(name, certificate, names=""):
    return "certificate %s { certificate = %s.pem; key = %s.key; %s }\n" % (
        name, certificate.base, certificate.base, names and "names = " + names)


def test_clients_get_the_certificate_of_the_name_they_ask_for():
    server = Instance()
    authority = Authority(os.path.join(server.directory, "ca"))
    one, two = authority.issue("mail.one.test", "*.one.test"), authority.issue("mail.two.test")
    other = authority.issue("whatever.test")
    server.add_config(block("one", one) + block("two", two) + block("other", other, "IMAP.one.test, x_y.three.test"))
    with server:
        context = ssl.create_default_context(cafile=authority.certificate)
        for protocol in ("smtp", "submission", "submissions", "imap", "imaps", "pop3", "pop3s"):
            for name in ("mail.one.test", "smtp.one.test", "mail.two.test"):
                connect_tls(server, protocol, name, context).close()  # verifies chain and name
        fallback = serial(server, "elsewhere.test")
        assert fallback not in (der(one), der(two), der(other))
        assert serial(server, None) == fallback and serial(server, "a.b.one.test") == fallback
        assert serial(server, "one.test") == fallback
        assert serial(server, "MAIL.Two.test") == der(two)
        # The names of the block are all it is for.
        assert serial(server, "imap.one.test") == der(other) and serial(server, "x_y.three.test") == der(other)
        assert serial(server, "whatever.test") == fallback
        files = [c["file"] for c in server.mailctl_json("status")["certificates"]]
        assert files == [server.root + "/tls/certificate.pem"] + [c.base + ".pem" for c in (one, two, other)]


def test_sessions_are_resumed_with_any_certificate():
    server = Instance()
    authority = Authority(os.path.join(server.directory, "ca"))
    server.add_config(block("one", authority.issue("mail.one.test")))
    with server:
        for name in ("mail.one.test", "elsewhere.test"):
            context = loose_tls()
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            with connect_tls(server, "imaps", name, context) as s:
                s.recv(100)
                session = s.session
            with context.wrap_socket(server.connect("imaps"), server_hostname=name, session=session) as s:
                assert s.session_reused


def replace(certificate, server_base, suffixes=(".pem", ".key")):
    for suffix in suffixes:
        shutil.copy(certificate.base + suffix, server_base + suffix + ".new")
        os.rename(server_base + suffix + ".new", server_base + suffix)


def test_renewed_certificates_are_read_when_they_fit():
    server = Instance()
    authority = Authority(os.path.join(server.directory, "ca"))
    first, second = authority.issue("mail.one.test"), authority.issue("mail.one.test")
    third = authority.issue("mail.one.test")
    live = os.path.join(server.directory, "live")
    for suffix in (".pem", ".key"):
        shutil.copy(first.base + suffix, live + suffix)
    server.add_config("certificate one { certificate = %s.pem; key = %s.key }" % (live, live))
    with server:
        box = imap(server, "alice")
        assert serial(server, "mail.one.test") == der(first)
        replace(second, live)
        wait_for(lambda: serial(server, "mail.one.test") == der(second), "the new certificate is not used")
        # One of the pair alone leaves the old one, and a word about it.
        replace(third, live, (".pem",))
        server.logged("certificates not renewed reason=\"certificate one: %s.key: the private key does not belong"
                      % live)
        assert serial(server, "mail.one.test") == der(second)
        assert "does not belong" in server.mailctl_json("status")["certificates_error"]
        assert "does not belong" in server.mailctl("status")
        replace(third, live, (".key",))
        wait_for(lambda: serial(server, "mail.one.test") == der(third), "the new certificate is not used")
        assert "certificates_error" not in server.mailctl_json("status")
        # The one of the block tls as well.
        replace(second, live)
        for suffix, name in ((".pem", "certificate.pem"), (".key", "key.pem")):
            shutil.copy(first.base + suffix, os.path.join(server.root, "tls", name))
        wait_for(lambda: serial(server, "elsewhere.test") == der(first), "the new certificate is not used")
        assert box.noop()[0] == "OK"
        box.logout()


def test_mistakes_are_told():
    server = Instance()
    authority = Authority(os.path.join(server.directory, "ca"))
    one, two = authority.issue("mail.one.test"), authority.issue("mail.two.test")
    with open(server.config_path) as f:
        good = f.read()

    def check(text):
        with open(server.config_path, "w") as f:
            f.write(good + text)
        return server.run_mailctl("config", "check", check=False).stderr

    wrong = block("x", one).replace("key = %s.key" % one.base, "key = %s.key" % two.base)
    assert "certificate x: %s.key: the private key does not belong to the certificate" % two.base in check(wrong)
    assert "certificate x: open " in check("certificate x { certificate = missing.pem }")
    assert "certificate x: certificate must be set" in check("certificate x { }")
    assert 'names: "a b" is not the name of a host' in check(block("x", one, '"a b"'))
    assert check(block("x", one) + block("y", one)) == ""
    server.close()


# --- one certificate for each kind of key ---

# What clients say who know one kind of signature, or both.
ONLY_RSA, ONLY_ECDSA = "rsa_pss_rsae_sha256:RSA+SHA256", "ecdsa_secp256r1_sha256"
ANY = ONLY_RSA + ":" + ONLY_ECDSA


def shown(server, protocol, algorithms, name=None, version="-tls1_3"):
    """The certificate that such a client gets, as DER; None: no TLS."""
    command = ["openssl", "s_client", "-connect", "127.0.0.1:%d" % server.port(protocol), "-sigalgs", algorithms, version]
    command += ["-starttls", "smtp"] if protocol == "smtp" else []
    command += ["-servername", name] if name else ["-noservername"]
    said = subprocess.run(command, input="", capture_output=True, text=True, timeout=60).stdout
    found = re.search("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", said, re.S)
    return found and ssl.PEM_cert_to_DER_cert(found.group())


def expect_both(server, rsa, ecdsa, name=None, protocols=("smtp", "imaps")):
    for protocol in protocols:
        for version in ("-tls1_2", "-tls1_3"):
            got = [shown(server, protocol, a, name, version) for a in (ONLY_RSA, ONLY_ECDSA, ANY)]
            assert got == [der(rsa), der(ecdsa), der(ecdsa)], (protocol, version, name)


def live_copy(server, certificate, name):
    live = os.path.join(server.directory, name)
    replace(certificate, live)
    return live


def test_clients_choose_between_rsa_and_ecdsa():
    server = Instance()
    authority = Authority(os.path.join(server.directory, "ca"))
    rsa, ecdsa = authority.issue("mail.example.test", key=RSA), authority.issue("mail.example.test", days=60)
    one_rsa, one_ecdsa = authority.issue("mail.one.test", "x.one.test", key=RSA), authority.issue("mail.one.test")
    files = [live_copy(server, c, n) for c, n in ((rsa, "rsa"), (ecdsa, "ecdsa"))]
    with open(server.config_path) as f:
        old = re.search(r"certificate = .*\n\s*key = .*\n", f.read()).group()
    server.replace_config(old, "certificate = {0}.pem, {1}.pem\n    key = {0}.key, {1}.key\n".format(*files))
    # Two blocks of the same name, and one with both.
    server.add_config(block("r", one_rsa) + block("e", one_ecdsa))
    server.add_config("certificate two {{ certificate = {0}.pem, {1}.pem; key = {0}.key, {1}.key; names = two.test }}".format(
        one_ecdsa.base, one_rsa.base))
    server.add_config("metrics {\n    address = 127.0.0.1:%d\n}" % (server.base + 90))
    with server:
        expect_both(server, rsa, ecdsa)
        expect_both(server, one_rsa, one_ecdsa, "mail.one.test")
        expect_both(server, one_rsa, one_ecdsa, "two.test", ("imaps",))
        # A name that only one of them has.
        assert shown(server, "imaps", ANY, "x.one.test") == der(one_rsa)
        assert shown(server, "imaps", ONLY_ECDSA, "x.one.test") is None
        status = server.mailctl_json("status")
        assert [(c["file"], c["key_type"]) for c in status["certificates"]] == [
            (files[0] + ".pem", "RSA"), (files[1] + ".pem", "ECDSA"), (one_rsa.base + ".pem", "RSA"),
            (one_ecdsa.base + ".pem", "ECDSA"), (one_ecdsa.base + ".pem", "ECDSA"), (one_rsa.base + ".pem", "RSA")]
        assert [c["days_left"] for c in status["certificates"]][:2] == [29, 59] and status["certificates_shadowed"] == []
        with urllib.request.urlopen("http://127.0.0.1:%d/metrics" % (server.base + 90), timeout=30) as page:
            samples = re.findall(r'^maild_certificate_expiry_seconds\{file="(.*)"\}', page.read().decode(), re.M)
        assert samples == [files[0] + ".pem", files[1] + ".pem", one_rsa.base + ".pem", one_ecdsa.base + ".pem"], samples
        screen = server.mailctl("status")
        assert "mail.example.test (RSA): 29 days" in screen and "mail.example.test (ECDSA): 59 days" in screen
        check = server.run_mailctl("check", "--certificate", "40,3", "--json", check=False)
        assert check.returncode == 1, check
        # One of the two is renewed; the other one stays.
        renewed = authority.issue("mail.example.test", key=RSA)
        replace(renewed, files[0])
        wait_for(lambda: shown(server, "imaps", ONLY_RSA) == der(renewed), "the new certificate is not used")
        expect_both(server, renewed, ecdsa)
        # One of another kind than before.
        replace(rsa, files[1])
        server.logged("both have a key of the same kind (RSA)")
        assert files[0] in server.mailctl_json("status")["certificates_error"]
        expect_both(server, renewed, ecdsa, protocols=("imaps",))
        again = authority.issue("mail.example.test")
        replace(again, files[1])
        wait_for(lambda: shown(server, "imaps", ONLY_ECDSA) == der(again), "the new certificate is not used")
        # By a reload: first without one of them, then with both.
        server.replace_config("certificate = {0}.pem, {1}.pem\n    key = {0}.key, {1}.key\n".format(*files),
                              "certificate = {0}.pem\n    key = {0}.key\n".format(*files))
        server.mailctl("reload")
        assert shown(server, "smtp", ONLY_ECDSA) is None and shown(server, "smtp", ANY) == der(renewed)
        server.replace_config("certificate = {0}.pem\n    key = {0}.key\n".format(*files),
                              "certificate = {1}.pem {0}.pem\n    key = {1}.key {0}.key\n".format(*files))
        server.mailctl("reload")
        expect_both(server, renewed, again)


def test_two_of_a_kind():
    server = Instance()
    authority = Authority(os.path.join(server.directory, "ca"))
    first, second = authority.issue("mail.one.test", "a.one.test"), authority.issue("mail.one.test", "b.one.test")
    rsa = authority.issue("mail.one.test", key=RSA)
    with open(server.config_path) as f:
        good = f.read()

    def check(text, status):
        with open(server.config_path, "w") as f:
            f.write(good + text)
        result = server.run_mailctl("config", "check", check=False)
        assert result.returncode == status, result
        return result.stderr

    # In one block: nobody could mean that.
    both = "certificate x {{ certificate = {0}.pem, {1}.pem; key = {0}.key, {1}.key }}\n".format(first.base, second.base)
    said = check(both, 1)
    assert "certificate x: %s.pem and %s.pem: both have a key of the same kind (ECDSA)" % (first.base, second.base) in said
    assert "there are 2 certificates and 1 keys" in check(both.replace(", %s.key" % second.base, ""), 1)
    # Crossed keys name the file of the key.
    crossed = "certificate x {{ certificate = {0}.pem, {1}.pem; key = {1}.key, {0}.key }}\n".format(first.base, rsa.base)
    assert "%s.key: the private key does not belong" % rsa.base in check(crossed, 1)
    # Of two blocks the first counts, and the server says so.
    told = "clients that ask for mail.one.test get %s.pem and never %s.pem: both have it and an ECDSA key" % (
        first.base, second.base)
    assert told in check(block("x", first) + block("r", rsa) + block("y", second), 0)
    with server:
        server.logged('certificate without use reason="%s"' % told)
        expect_both(server, rsa, first, "mail.one.test", ("imaps",))
        assert shown(server, "imaps", ANY, "b.one.test") == der(second)
        assert {"kind": "certificate-names", "level": "warning", "text": told} in server.mailctl_json("status")["warnings"]
        assert told in server.run_mailctl("doctor", "--only", "certificate", "--json", check=False).stdout


def test_records_of_both_keys():
    """The other side decides which certificate it gets, so each key needs its TLSA record."""
    server, name = Instance(), "mail.example.test"
    dns = DnsServer({("example.test", "MX"): [(10, name)], (name, "A"): ["127.0.0.1"]})
    server.add_config("dns {\n    server = 127.0.0.1@%d\n}\n" % dns.port)
    with server:
        assert server.mailctl_json("status")["hostname"] == name
        authority = Authority(os.path.join(server.directory, "ca"))
        both = [authority.issue(name), authority.issue(name, key=RSA)]
        server.add_config("".join(block("b%d" % n, c) for n, c in enumerate(both)))
        server.mailctl("reload")
        found = [r for r in server.mailctl_json("dns", "records", "example.test")["records"] if r["section"] == "tlsa"]
        assert [r["data"] for r in found] == [c.tlsa()[5:] for c in both], found
        for published, missing in ((both[:1], both[1]), (both[1:], both[0]), (both, None)):
            dns.records[("_25._tcp." + name, "TLSA")] = [c.tlsa()[5:] for c in published]
            said = server.run_mailctl("doctor", "--only", "tlsa", check=False).stdout
            assert ("no TLSA record fits the certificate" in said) == (missing is not None), said
            assert missing is None or (missing.base + ".pem" in said and missing.tlsa() in said), said
        assert "2 of 2 TLSA records fit the certificates" in said, said
        # The ports show one of them, whichever doctor's own client prefers.
        assert "another certificate" not in server.run_mailctl("doctor", "--only", "ports", check=False).stdout
    dns.close()
