"""Behind load balancers: 127.0.0.2 stands for one, and the client is whom its PROXY header names."""

import os
import re
import socket
import struct
import time

from support.instance import Instance
from support.mail import imap_bodies, loose_tls

V2 = b"\r\n\r\n\0\r\nQUIT\n"
BALANCER = "127.0.0.2"


def behind_balancer(more=""):
    server = Instance()
    with open(server.config_path) as f:
        text = f.read()
    text = text.replace("    protocol = ", "    proxy_protocol_from = %s unix\n    protocol = " % BALANCER)
    with open(server.config_path, "w") as f:
        f.write(text + more)
    with open(os.path.join(server.root, "bad"), "w") as f:
        f.write("203.0.113.0/24 reject not this network\n")
    return server.start()


def connect(server, listener, source=BALANCER):
    if listener == "lmtp":
        return server.connect("lmtp")
    return socket.create_connection(("127.0.0.1", server.port(listener)), timeout=30, source_address=(source, 0))


def line1(client="192.0.2.77", port=4711):
    family = "TCP6" if ":" in client else "TCP4"
    local = "2001:db8::25" if ":" in client else "198.51.100.25"
    return ("PROXY %s %s %s %d 25\r\n" % (family, client, local, port)).encode()


def crc32c(data):
    c = 0xffffffff
    for byte in data:
        c ^= byte
        for _ in range(8):
            c = c >> 1 ^ (0x82f63b78 if c & 1 else 0)
    return c ^ 0xffffffff


def binary(client="192.0.2.78", port=4712, wrong=0):
    addresses = socket.inet_aton(client) + socket.inet_aton("198.51.100.25") + struct.pack(">HH", port, 25)
    head = V2 + b"\x21\x11" + struct.pack(">H", len(addresses) + 7) + addresses + b"\x03\0\x04"
    return head + struct.pack(">I", crc32c(head + bytes(4)) ^ wrong)


def read_until(s, end):
    data = b""
    while end not in data:
        more = s.recv(4096)
        assert more, "closed behind %r" % data
        data += more
    return data


def await_log(server, pattern):
    end = time.monotonic() + 30
    while not re.search(pattern, server.log(), re.S):
        assert time.monotonic() < end, server.log()[-2000:]
        time.sleep(0.02)


def assert_closed(s):
    try:
        assert s.recv(100) == b"", "not closed"
    except ConnectionResetError:
        pass
    s.close()


def who(server):
    return sorted((s["component"], s["peer"]) for s in server.mailctl_json("who"))


def test_every_protocol_sees_the_client():
    server = behind_balancer()
    plain = {"smtp": (b"220 ", "smtpd"), "submission": (b"220 ", "submission"), "lmtp": (b"220 ", "lmtpd"),
             "imap": (b"* OK", "imap"), "pop3": (b"+OK", "pop3")}
    implicit = {"submissions": (b"220 ", "submission"), "imaps": (b"* OK", "imap"), "pop3s": (b"+OK", "pop3")}
    for header, client in ((line1(), "192.0.2.77"), (line1("2001:db8::77"), "2001:db8::77"), (binary(), "192.0.2.78")):
        open_now, expected = [], []
        for listener, (greeting, component) in list(plain.items()) + list(implicit.items()):
            s = connect(server, listener)
            s.sendall(header)
            if listener in implicit:
                s = loose_tls().wrap_socket(s)
            assert read_until(s, b"\r\n").startswith(greeting), listener
            open_now.append(s)
            expected.append((component, client))
        assert who(server) == sorted(expected)
        for s in open_now:
            s.close()
        while who(server):
            time.sleep(0.01)
    # The balancer for itself: LOCAL, UNKNOWN.
    for header in (V2 + b"\x20\0\0\0", b"PROXY UNKNOWN\r\n"):
        with connect(server, "smtp") as s:
            s.sendall(header)
            read_until(s, b"\r\n")
            assert who(server) == [("smtpd", BALANCER)]
    server.close()


def test_log_received_and_rules_speak_of_the_client():
    server = behind_balancer("rule networks {\n    check = client_table\n    table = bad\n}\n"
                             "table bad {\n    path = bad\n    type = cidr\n}\n")
    with connect(server, "smtp") as s:
        s.sendall(line1("203.0.113.5") + b"EHLO client.test\r\nMAIL FROM:<a@elsewhere.test>\r\n"
                  b"RCPT TO:<alice@example.test>\r\nQUIT\r\n")
        assert b"not this network" in read_until(s, b"221 ")
    with connect(server, "smtp") as s:
        s.sendall(line1() + b"EHLO client.test\r\nMAIL FROM:<a@elsewhere.test>\r\nRCPT TO:<alice@example.test>\r\n"
                  b"DATA\r\n")
        read_until(s, b"354 ")
        s.sendall(b"Subject: x\r\n\r\nx\r\n.\r\nQUIT\r\n")
        assert b"250 2.0.0" in read_until(s, b"221 ")
    await_log(server, r"accepted .*peer=192\.0\.2\.77 ")
    (message,) = imap_bodies(server, "alice").values()
    assert b"[192.0.2.77]" in message and BALANCER.encode() not in message, message
    server.close()


def test_wrong_headers_close_with_one_line():
    server = behind_balancer()
    for header, why in ((b"EHLO client.test\r\n", "something else comes"),
                        (b"PROXY TCP4 192.0.2.1 198.51.100.1 1\r\n", "malformed address"),
                        (binary(wrong=1), "checksum")):
        for listener in ("smtp", "imaps", "pop3"):
            s = connect(server, listener)
            s.sendall(header)
            assert_closed(s)
        await_log(server, "(must send a PROXY header, but .*" + why + ".*){3}")
    # One that says nothing is closed in time, although it is never greeted.
    s = connect(server, "smtp")
    assert_closed(s)
    await_log(server, "must send a PROXY header, but did not in time")
    assert server.log().count("must send a PROXY header") == 10
    # From others it is no header, but a command.
    with connect(server, "smtp", "127.0.0.1") as s:
        read_until(s, b"\r\n")
        s.sendall(line1())
        assert read_until(s, b"\r\n").startswith(b"500 ")
        assert who(server) == [("smtpd", "127.0.0.1")]
    server.close()


def test_limits_count_the_clients():
    server = behind_balancer()
    server.replace_config("hostname =", "connections_per_address = 2\nhostname =")
    server.mailctl("reload")
    kept = []
    for client in ("192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.2", "2001:db8::1", "2001:db8::2"):
        s = connect(server, "smtp")
        s.sendall(line1(client))
        assert read_until(s, b"\r\n").startswith(b"220 "), client
        kept.append(s)
    for client in ("192.0.2.1", "2001:db8::3"):
        with connect(server, "imap") as s:
            s.sendall(line1(client))
            assert read_until(s, b"\r\n").startswith(b"* BYE"), client
    # Nobody behind a balancer is of this machine, and without TLS there is no login.
    with connect(server, "imap") as s:
        s.sendall(line1("192.0.2.9"))
        assert b"LOGINDISABLED" in read_until(s, b"\r\n")
    for s in kept:
        s.close()
    server.close()


def test_a_reload_changes_who_is_a_balancer():
    server = behind_balancer()
    server.replace_config("proxy_protocol_from = %s unix" % BALANCER, "proxy_protocol_from = 127.0.0.3")
    server.mailctl("reload")
    with connect(server, "smtp") as s:
        assert read_until(s, b"\r\n").startswith(b"220 ")
    with connect(server, "smtp", "127.0.0.3") as s:
        s.sendall(line1() + b"QUIT\r\n")
        assert b"221 " in read_until(s, b"221 ")
    server.replace_config("proxy_protocol_from = 127.0.0.3", "proxy_protocol_from = 127.0.0.300")
    result = server.run_mailctl("reload", check=False)
    assert result.returncode != 0 and "proxy_protocol_from" in result.stderr, result
    server.close()


def test_early_talkers_behind_a_balancer():
    """The header is the balancer's; what comes behind it before the greeting is the client's."""
    server = behind_balancer("policy { trusted_networks = \"\" }\nrule early { check = early_talker; wait = 60s }\n")
    with connect(server, "smtp") as s:
        s.sendall(line1("192.0.2.5") + b"EHLO spam.test\r\n")
        assert read_until(s, b"\r\n").startswith(b"554 5.5.0 ")
        assert_closed(s)
    with connect(server, "smtp") as s:
        s.sendall(binary("192.0.2.6"))
        s.sendall(b"E")
        assert read_until(s, b"\r\n").startswith(b"554 5.5.0 ")
        assert_closed(s)
    for client in ("192.0.2.5", "192.0.2.6"):
        await_log(server, "rule=early action=reject stage=connect peer=%s" % client)
    server.replace_config("wait = 60s", "wait = 10ms")
    server.mailctl("reload")
    for header in (line1(), binary()):
        with connect(server, "smtp") as s:
            s.sendall(header)
            assert read_until(s, b"\r\n").startswith(b"220 ")
    server.close()
