"""Mail clients that set themselves up: what they ask over HTTP, and what they hear."""

import http.client
import json
import plistlib
import re
import socket
import ssl
import xml.etree.ElementTree as ElementTree

from support import wait_for
from support.instance import Instance
from support.logins import PROTOCOLS, attempt, is_success
from support.mail import loose_tls

OUTLOOK = ('<?xml version="1.0" encoding="utf-8"?><Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/'
           'outlook/requestschema/2006"><Request><EMailAddress>%s</EMailAddress><AcceptableResponseSchema>'
           'http://schemas.microsoft.com/exchange/autodiscover/%s/responseschema/2006a</AcceptableResponseSchema>'
           '</Request></Autodiscover>')


def web(extra="", users=True):
    """With ports for other machines, which alone are told."""
    server = Instance()
    b = server.base
    server.web, server.webs = b + 80, b + 81
    server.add_config("listener web {\n    protocol = http\n    address = 127.0.0.1:%d\n}\n"
                      "listener webs {\n    protocol = http\n    address = 127.0.0.1:%d\n    tls = implicit\n}"
                      % (server.web, server.webs))
    if users:
        for name, port, protocol, tls in (("a", b + 82, "imap", "starttls"), ("b", b + 83, "imap", "implicit"),
                                          ("c", b + 84, "submission", "implicit"), ("d", b + 85, "pop3", "implicit")):
            server.add_config("listener %s {\n    protocol = %s\n    address = *:%d\n    tls = %s\n}"
                              % (name, protocol, port, tls))
    server.add_config(extra)
    return server


def ask(server, path, host=None, method="GET", body=None, tls=False, headers=()):
    if tls:
        connection = http.client.HTTPSConnection("127.0.0.1", server.webs, timeout=30, context=loose_tls())
    else:
        connection = http.client.HTTPConnection("127.0.0.1", server.web, timeout=30)
    connection.request(method, path, body, {"Host": host or "mail.example.test", **dict(headers)})
    response = connection.getresponse()
    return response.status, response.getheader("Content-Type"), response.read()


def raw(server, request):
    """Sends bytes as they are, and reads to the end."""
    with socket.create_connection(("127.0.0.1", server.web), timeout=30) as s:
        s.sendall(request)
        s.shutdown(socket.SHUT_WR)
        answer = b""
        while True:
            piece = s.recv(65536)
            if not piece:
                return answer
            answer += piece


def tree(xml):
    """Without namespaces."""
    root = ElementTree.fromstring(xml)
    for element in root.iter():
        element.tag = re.sub(r"\{.*\}", "", element.tag)
    return root


def test_thunderbird():
    with web() as server:
        for path, host in (("/mail/config-v1.1.xml?emailaddress=alice%40example.test", "autoconfig.example.test"),
                           ("/.well-known/autoconfig/mail/config-v1.1.xml", "example.test"),
                           ("/mail/config-v1.1.xml", "autoconfig.example.test:80")):
            for tls in (False, True):
                status, kind, body = ask(server, path, host, tls=tls)
                assert status == 200 and kind == "text/xml; charset=utf-8", (status, kind, body)
                provider = tree(body).find("emailProvider")
                assert provider.get("id") == "example.test" and provider.findtext("domain") == "example.test"
                told = [(s.get("type"), int(s.findtext("port")) - server.base, s.findtext("socketType"))
                        for s in provider if "Server" in s.tag]
                assert told == [("imap", 83, "SSL"), ("imap", 82, "STARTTLS"), ("pop3", 84 + 1, "SSL"), ("smtp", 84, "SSL")], told
                for s in provider.iter("incomingServer"):
                    assert s.findtext("hostname") == "mail.example.test" and s.findtext("username") == "%EMAILADDRESS%"
                    assert s.findtext("authentication") == "password-cleartext"


def test_outlook():
    with web() as server:
        for path in ("/autodiscover/autodiscover.xml", "/Autodiscover/Autodiscover.xml", "/AutoDiscover/AutoDiscover.xml"):
            status, _, body = ask(server, path, "autodiscover.example.test", "POST", OUTLOOK % ("alice@example.test", "outlook"))
            assert status == 200, (status, body)
            account = tree(body).find("Response/Account")
            assert account.findtext("AccountType") == "email" and account.findtext("Action") == "settings"
            told = {p.findtext("Type"): p for p in account.iter("Protocol")}
            assert {t: int(p.findtext("Port")) - server.base for t, p in told.items()} == {"IMAP": 83, "POP3": 85, "SMTP": 84}
            for p in told.values():
                assert p.findtext("Server") == "mail.example.test" and p.findtext("LoginName") == "alice@example.test"
                assert p.findtext("SSL") == "on" and p.findtext("AuthRequired") == "on"
        for address, schema, code in (("alice@example.test", "mobilesync", "601"), ("x@elsewhere.test", "outlook", "600"),
                                      ("", "outlook", "600"), ("no address", "outlook", "600")):
            _, _, body = ask(server, "/autodiscover/autodiscover.xml", None, "POST", OUTLOOK % (address, schema))
            assert tree(body).findtext("Response/Error/ErrorCode") == code, body
        for path in ("/autodiscover/autodiscover.json?Email=alice%40example.test&Protocol=AutodiscoverV1",
                     "/autodiscover/autodiscover.json/v1.0/alice%40example.test?Protocol=AutodiscoverV1"):
            status, kind, body = ask(server, path, "autodiscover.example.test")
            assert status == 200 and kind.startswith("application/json"), (status, kind)
            assert json.loads(body) == {"Protocol": "AutodiscoverV1",
                                        "Url": "https://autodiscover.example.test/autodiscover/autodiscover.xml"}
        # What is no name of a host is not made an address of.
        for host in ("evil.test/x?.example.test", "autodiscover.example.test@evil.test", "a" * 300, "[::1]"):
            _, _, body = ask(server, "/autodiscover/autodiscover.json?Protocol=AutodiscoverV1", host)
            assert json.loads(body)["Url"] == "https://mail.example.test/autodiscover/autodiscover.xml", (host, body)
        assert ask(server, "/autodiscover/autodiscover.json?Protocol=EWS")[0] == 400


def test_apple():
    with web() as server:
        status, kind, body = ask(server, "/mail.mobileconfig?email=alice%2Bx%40example.test", tls=True)
        assert status == 200 and kind == "application/x-apple-aspen-config", (status, kind)
        profile = plistlib.loads(body)
        account, = profile["PayloadContent"]
        assert profile["PayloadType"] == "Configuration" and account["PayloadType"] == "com.apple.mail.managed"
        assert account["EmailAddress"] == account["IncomingMailServerUsername"] == "alice+x@example.test"
        assert account["EmailAccountType"] == "EmailTypeIMAP"
        assert account["IncomingMailServerPortNumber"] == server.base + 83 and account["IncomingMailServerUseSSL"]
        assert account["OutgoingMailServerPortNumber"] == server.base + 84 and account["OutgoingMailServerUseSSL"]
        uuid = r"[0-9A-F]{8}-[0-9A-F]{4}-5[0-9A-F]{3}-[89AB][0-9A-F]{3}-[0-9A-F]{12}"
        assert re.fullmatch(uuid, account["PayloadUUID"]) and account["PayloadUUID"] != profile["PayloadUUID"]
        assert ask(server, "/mail.mobileconfig?email=alice%2Bx%40example.test")[2] == body, "loaded again, it replaces itself"
        assert ask(server, "/mail.mobileconfig?email=bob%40example.test")[2] != body
        assert ask(server, "/mail.mobileconfig")[0] == 400
        assert ask(server, "/mail.mobileconfig?email=x%40elsewhere.test")[0] == 404


def test_nobody_learns_who_exists():
    with web() as server:
        there, missing = (ask(server, "/mail.mobileconfig?email=%s%%40example.test" % n) for n in ("alice", "nobody"))
        assert there[0] == missing[0] == 200


def test_settings():
    with web("autoconfig {\n    host = imap.example.test\n    display_name = \"A & B <mail>\"\n    user_name = local-part\n}") as server:
        _, _, body = ask(server, "/mail/config-v1.1.xml?emailaddress=alice%40example.test")
        provider = tree(body).find("emailProvider")
        assert provider.findtext("displayName") == "A & B <mail>"
        assert provider.find("incomingServer").findtext("username") == "%EMAILLOCALPART%"
        profile = plistlib.loads(ask(server, "/mail.mobileconfig?email=alice%40example.test")[2])
        assert profile["PayloadContent"][0]["IncomingMailServerUsername"] == "alice"
        _, kind, page = ask(server, "/")
        assert kind.startswith("text/html") and b"imap.example.test" in page and b"before the @" in page
        server.replace_config("user_name = local-part", "user_name = address")
        server.mailctl("reload")
        assert b"whole address" in ask(server, "/")[2], "a reload is enough"


def test_only_what_other_machines_reach_is_told():
    with web(users=False) as server:
        provider = tree(ask(server, "/mail/config-v1.1.xml")[2]).find("emailProvider")
        assert not [s for s in provider if "Server" in s.tag]
        assert ask(server, "/mail.mobileconfig?email=alice%40example.test")[0] == 404


def test_odd_requests():
    with web() as server:
        start = b"GET / HTTP/1.1\r\nHost: x\r\n"
        for request, status in (
                (b"GET /\r\n\r\n", 400), (b"NONSENSE\r\n\r\n", 400), (b"GET / HTTP/2.0\r\n\r\n", 505), (b"GET x HTTP/1.1\r\n\r\n", 400),
                (b"GET / HTTP/1.1\r\n\r\n", 400), (b"GET / HTTP/1.0\r\n\r\n", 200), (b"\r\n\r\n" + start + b"\r\n", 200),
                (start + b"Host: y\r\n\r\n", 400), (start + b"X y: z\r\n\r\n", 400), (start + b" folded\r\n\r\n", 400),
                (start + b"no colon\r\n\r\n", 400), (start + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501),
                (start + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400), (start + b"Content-Length: -1\r\n\r\n", 400),
                (start + b"Content-Length: 99999999999999999999\r\n\r\n", 400), (start + b"Content-Length: 70000\r\n\r\n", 413),
                (start + b"A: b\r\n" * 101 + b"\r\n", 431), (start + b"A: " + b"b" * 9000 + b"\r\n\r\n", 431),
                (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n", 414), (b"GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
                (b"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400), (b"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", 404),
                (b"POST / HTTP/1.1\r\nHost: x\r\n\r\n", 411), (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 405),
                (b"DELETE / HTTP/1.1\r\nHost: x\r\n\r\n", 405), (b"GET http://x/nothing HTTP/1.1\r\nHost: x\r\n\r\n", 404),
                (b"GET / HTTP/1.1\nHost: x\n\n", 200)):
            answer = raw(server, request)
            assert answer.startswith(b"HTTP/1.1 %d " % status), (request[:80], answer[:200])
        assert raw(server, start + b"\r\n" + start + b"Connection: close\r\n\r\n").count(b"HTTP/1.1 200") == 2
        assert raw(server, b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n").endswith(b"\r\n\r\n")
        assert ask(server, "/")[0] == 200


def test_a_connection_that_stays():
    with web() as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.web, timeout=30)
        for i in range(100):
            connection.request("GET", "/", headers={"Host": "mail.example.test"})
            response = connection.getresponse()
            assert response.status == 200 and len(response.read()) > 100
        assert response.getheader("Connection") == "close", "not for ever"
        assert [s["component"] for s in server.mailctl_json("who")] in ([], ["http"])


def test_tls_is_that_of_the_other_ports():
    with web() as server:
        with socket.create_connection(("127.0.0.1", server.webs), timeout=30) as s:
            with loose_tls().wrap_socket(s, server_hostname="mail.example.test") as t:
                assert t.version() in ("TLSv1.2", "TLSv1.3") and isinstance(t, ssl.SSLSocket)


def test_a_flood_of_http_connections_keeps_nobody_from_his_mail():
    server = web("connections_max = 40\nconnections_http = 10")
    with server:
        flood = [socket.create_connection(("127.0.0.1", server.web), timeout=30) for _ in range(4)]
        wait_for(lambda: pages(server) == (4, 4), "there are no four connections")
        # Half of them say something, so that they are not only parked.
        for s in flood[:2]:
            s.sendall(b"GET / HTTP/1.1\r\n")
        more = [socket.create_connection(("127.0.0.1", server.web), timeout=30) for _ in range(60)]
        for s in more:
            try:
                said = s.recv(100)
            except ConnectionResetError:
                said = b""
            assert said.startswith(b"HTTP/1.1 503 ") or said == b"", said
        for protocol in PROTOCOLS:
            assert is_success(attempt(server, protocol, "alice@example.test", "secret", plain=True)), protocol
        for s in flood + more:
            s.close()
        wait_for(lambda: pages(server) == (0, 4), "they do not end")
        assert ask(server, "/")[0] == 200


def pages(server):
    """How many connections there are and may be."""
    (limit,) = [item for item in server.mailctl_json("limits") if item["name"] == "connections_http"]
    return limit["present"], limit["limit"]
