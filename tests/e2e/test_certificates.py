"""Several certificates, by the name that a client asks for, over all protocols; renewed while the server runs."""

import os
import shutil
import ssl

from support import wait_for
from support.authority import Authority
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
