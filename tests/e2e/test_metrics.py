"""Measurements over HTTP, as Prometheus reads them, and whether the server is healthy."""

import http.client
import os
import re
import socket
import subprocess
import tempfile
import threading

from support import Skip
from support.instance import Instance, build_dir
from support.mail import imap, imap_bodies, inject

TEXT = "Subject: x\r\n\r\nbody\r\n"
SAMPLE = re.compile(r'^([a-z_]+)(?:\{([a-z]+)="((?:[^"\\]|\\.)*)"(?:,le="([^"]+)")?\})? (-?[0-9.e+-]+)$|'
                    r'^([a-z_]+_bucket)\{le="([^"]+)"\} ([0-9]+)$')


class OverSocket(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


def measured():
    server = Instance()
    server.metrics_port = server.base + 90
    server.metrics_path = os.path.join(server.root, "run", "metrics.sock")
    server.add_config("metrics {\n    address = 127.0.0.1:%d, unix:%s\n}" % (server.metrics_port, server.metrics_path))
    return server


def get(server, path, method="GET", host="127.0.0.1"):
    connection = http.client.HTTPConnection(host, server.metrics_port, timeout=30)
    connection.request(method, path)
    response = connection.getresponse()
    return response.status, response.getheader("Content-Type"), response.read().decode()


def values(text):
    """name or name{label="value"} -> number; checks the format of each line on the way."""
    found, types = {}, {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in types, "twice: " + line
            types[name] = kind
        elif not line.startswith("# HELP "):
            assert SAMPLE.match(line), "not of the format: " + line
            key, number = line.rsplit(" ", 1)
            assert key not in found, "twice: " + line
            found[key] = float(number)
            family = re.sub(r"\{.*", "", key)
            base = re.sub(r"_(bucket|sum|count)$", "", family)
            assert family in types or types.get(base) == "histogram", "no type: " + line
            assert not family.endswith("_total") or types[family] == "counter", line
    return found


def test_what_happened_is_counted():
    with measured() as server:
        before = values(get(server, "/metrics")[2])
        inject(server, "far@away.test", ["alice@example.test", "bob@example.test"], TEXT)
        assert len(imap_bodies(server, "bob")) == 1
        try:
            imap(server, "bob", "wrong")
            raise AssertionError("a wrong password was taken")
        except Exception as e:  # the client's own kind of error
            assert "taken" not in str(e)
        session = imap(server, "alice")
        status, kind, text = get(server, "/metrics")
        assert status == 200 and kind.startswith("text/plain; version=0.0.4"), (status, kind)
        after = values(text)

        def grew(key):
            return after[key] - before[key]
        assert grew("maild_accepted_messages_total") == 1
        assert grew('maild_delivered_recipients_total{to="local"}') == 2
        assert grew('maild_logins_total{result="succeeded"}') == 2
        assert grew('maild_logins_total{result="failed"}') == 1
        assert grew("maild_accept_duration_seconds_count") == 1
        assert grew("maild_imap_command_duration_seconds_count") > 3
        assert grew("maild_journal_write_duration_seconds_count") > 0
        assert after['maild_sessions{service="imap"}'] == 1
        assert after["maild_load_level"] == 0
        assert after['maild_directory_questions_total{source="embedded"}'] > 0
        session.shutdown()


def test_documented_names():
    """docs/statistics.md and the server know the same."""
    with open(os.path.join(os.path.dirname(__file__), "..", "..", "docs", "statistics.md")) as f:
        page = f.read()
    with measured() as server:
        for name in set(re.findall(r"^# TYPE (\S+)", get(server, "/metrics")[2], re.M)):
            starts = [part.rstrip(".") for part in re.findall(r"`(maild_[a-z_.]+)", page)]
            queue = re.findall(r"`(_[a-z]+)`", page)
            known = any(name == s or name.startswith(s) for s in starts) or name in ["maild_queue" + q for q in queue]
            assert known, name + " is not documented"


def test_health_and_other_paths():
    with measured() as server:
        assert get(server, "/health") == (200, "text/plain; charset=utf-8", "ok\n")
        assert get(server, "/")[0] == 404
        assert get(server, "/metrics/../../etc/passwd")[0] == 404
        assert get(server, "/health", "POST")[0] in (405, 501, 404)
        status, _, body = get(server, "/metrics", "HEAD")
        assert status == 200 and body == ""


def test_over_a_unix_socket():
    server = measured()
    with server:
        connection = OverSocket(server.metrics_path)
        connection.request("GET", "/health")
        assert connection.getresponse().read() == b"ok\n"
        assert os.stat(server.metrics_path).st_mode & 0o777 == 0o660
        server.stop()
        assert not os.path.exists(server.metrics_path)
        server.start()
        connection = OverSocket(server.metrics_path)
        connection.request("GET", "/health")
        assert connection.getresponse().read() == b"ok\n"


def test_not_for_the_world():
    server = Instance()
    server.add_config("metrics {\n    address = 0.0.0.0:%d\n}" % (server.base + 90))
    server.start(wait=False)
    assert server.process.wait(timeout=60) == 1
    server.process = None
    assert "measurements are for this machine" in server.log()
    server.close()


def set_addresses(server, *addresses):
    with open(server.config_path) as f:
        text = f.read()
    with open(server.config_path, "w") as f:
        f.write(re.sub(r"(metrics {\n    address = ).*", r"\g<1>" + ", ".join(addresses or ['""']), text))
    told = server.mailctl_json("reload")
    assert told["restart_needed"] == [], told
    return [change["setting"] for change in told["changes"]]


def health_over(path):
    connection = OverSocket(path)
    connection.request("GET", "/health")
    return connection.getresponse().read()


def is_refused(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        return False
    except ConnectionRefusedError:
        return True


def has_ipv6():
    with socket.socket(socket.AF_INET6) as s:
        try:
            s.bind(("::1", 0))
            return True
        except OSError:
            return False


def test_addresses_change_with_a_reload():
    """What stays is not touched, what is new answers, what is gone refuses; who was connected there goes on."""
    with measured() as server:
        old, new = server.metrics_port, server.base + 91
        unix = "unix:" + server.metrics_path
        early = http.client.HTTPConnection("127.0.0.1", old, timeout=30)
        early.request("GET", "/health")
        assert early.getresponse().read() == b"ok\n"
        inode = os.stat(server.metrics_path).st_ino
        assert set_addresses(server, "127.0.0.1:%d" % new, unix) == ["metrics.address"]
        assert is_refused(old) and not is_refused(new)
        early.request("GET", "/metrics")
        assert b"maild_info" in early.getresponse().read()
        assert os.stat(server.metrics_path).st_ino == inode and health_over(server.metrics_path) == b"ok\n"
        assert set_addresses(server, "127.0.0.1:%d" % new) == ["metrics.address"]
        assert not is_refused(new) and not os.path.exists(server.metrics_path)
        assert set_addresses(server) == ["metrics.address"]
        assert is_refused(new)
        early.request("GET", "/health")
        assert early.getresponse().read() == b"ok\n"
        assert set_addresses(server, unix, "127.0.0.1:%d" % old) == ["metrics.address"]
        assert not is_refused(old) and health_over(server.metrics_path) == b"ok\n"


def test_a_reload_refuses_an_address_that_cannot_be_had():
    with measured() as server, socket.socket() as taken:
        taken.bind(("127.0.0.1", server.base + 92))
        taken.listen()
        with open(server.config_path) as f:
            good = f.read()
        for address, reason in (
                ("127.0.0.1:%d" % (server.base + 92), "metrics: listen on 127.0.0.1:%d: address already in use"
                 % (server.base + 92)),
                ("192.0.2.1:%d" % server.base, "measurements are for this machine"),
                ("127.0.0.1:%d" % server.metrics_port, "stands there twice"),
                ("unix:%s" % server.config_path, "exists and is not a socket")):
            server.replace_config("address = 127.0.0.1:%d" % server.metrics_port,
                                  "address = 127.0.0.1:%d, 127.0.0.1:%d, %s" % (server.base + 91, server.metrics_port,
                                                                                address))
            result = server.run_mailctl("reload", check=False)
            assert result.returncode == 1 and reason in result.stderr, result
            assert is_refused(server.base + 91)
            assert get(server, "/health")[0] == 200 and health_over(server.metrics_path) == b"ok\n"
            with open(server.config_path, "w") as f:
                f.write(good)
        assert server.mailctl_json("reload") == {"changes": [], "restart_needed": []}


def test_nobody_is_refused_while_addresses_change():
    """Measurements are read all the time, over sockets that stay and one whose address is written in two ways."""
    if not has_ipv6():
        raise Skip("this machine has no IPv6")
    with measured() as server:
        stay = "unix:" + server.metrics_path, "127.0.0.1:%d" % server.metrics_port
        written = "[::1]:%d" % server.metrics_port, "[0::1]:%d" % server.metrics_port
        set_addresses(server, *stay, written[1])
        done, failed = threading.Event(), []

        def read(ask):
            try:
                while not done.is_set():
                    assert ask()
            except Exception as e:  # whatever it was, a reader has lost an answer
                failed.append(e)
        readers = [threading.Thread(target=read, args=(ask,))
                   for ask in (lambda: b"ok" in health_over(server.metrics_path),
                               lambda: get(server, "/metrics")[0] == 200,
                               lambda: get(server, "/health", host="::1")[0] == 200)]
        for reader in readers:
            reader.start()
        for i in range(12):
            set_addresses(server, *stay, written[i % 2], "127.0.0.1:%d" % (server.base + 91 + i % 3))
        done.set()
        for reader in readers:
            reader.join()
        assert not failed, failed


def test_hostile_requests():
    with measured() as server:
        for request in (b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 20000 + b"\r\n\r\n",
                        b"\x00\xff" * 1000 + b"\r\n\r\n", b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n",
                        b"POST /metrics HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n" + b"x" * 1000,
                        b"GET /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n"):
            with socket.create_connection(("127.0.0.1", server.metrics_port), timeout=30) as s:
                try:
                    s.sendall(request)
                    s.shutdown(socket.SHUT_WR)
                    while s.recv(65536):
                        pass
                except OSError:
                    pass
        assert get(server, "/health")[0] == 200


def refused(server):
    result = subprocess.run([os.path.join(build_dir(), "maild"), "--config", server.config_path], capture_output=True,
                            text=True, timeout=60)
    assert result.returncode == 1, result
    return result.stderr


def test_what_is_at_the_place_of_the_socket_stays():
    with tempfile.TemporaryDirectory() as folder:
        server = Instance(directory=folder)
        path = os.path.join(server.root, "precious")
        server.add_config("metrics {\n    address = unix:%s\n}" % path)
        with open(path, "w") as f:
            f.write("mail")
        assert "exists and is not a socket" in refused(server)
        with open(path) as f:
            assert f.read() == "mail"
        os.unlink(path)
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(path)
            other.listen(1)
            assert "another program answers there" in refused(server)
        with server.start():  # nobody answers there any more
            client = OverSocket(path)
            client.request("GET", "/health")
            assert client.getresponse().read() == b"ok\n"
        assert not os.path.exists(path)
