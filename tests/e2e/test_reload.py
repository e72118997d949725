"""mailctl reload: all of a new configuration or nothing of it, told by name; sessions go on."""

import os
import re
import signal
import socket
import stat
import threading
import urllib.request

from support import wait_for
from support.dns import DnsServer
from support.instance import Instance
from support.mail import imap, inject, submit
from support.smtp_sink import SmtpSink

TEXT = "Subject: x\r\n\r\nbody\r\n"


def config_of(server):
    with open(server.config_path) as f:
        return f.read()


def write_config(server, text):
    with open(server.config_path, "w") as f:
        f.write(text)


def size_limit(server, name="smtp"):
    with server.connect(name) as s:
        f = s.makefile("rwb", buffering=0)
        assert f.readline().startswith(b"220")
        f.write(b"EHLO c.test\r\n")
        reply = b""
        while not re.search(rb"^250 ", reply, re.M):
            reply += f.readline()
        return int(re.search(rb"SIZE (\d+)", reply).group(1))


def refused(server, reason, *options):
    result = server.run_mailctl("reload", *options, check=False)
    assert result.returncode == 1 and reason in result.stderr, result
    return result.stderr


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        return True
    except ConnectionRefusedError:
        return False


def listener(name, address, more=""):
    return "listener %s { protocol = smtp; address = %s; %s }\n" % (name, address, more)


def test_nothing_changes_when_one_part_fails():
    """Each part of a new configuration fails in its turn; what all others would have changed stays, and so do
    the session that is open, the log and the files."""
    with Instance() as server, socket.socket() as taken:
        good = config_of(server)
        box = imap(server, "alice")
        free, busy = server.base + 70, server.base + 71
        log = os.path.join(server.root, "log", "other.log")
        taken.bind(("127.0.0.1", busy))
        taken.listen()
        with open(os.path.join(server.root, "broken.pem"), "w") as f:
            f.write("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")
        changed = good.replace("log = log/maild.log", "log = log/other.log\nlog_level = debug")
        changed = changed.replace("smtp {", "smtp { message_size_max = 2M")
        changed += listener("extra", "127.0.0.1:%d" % free)
        changed += "ldap more { servers = ldapi://%2Fnowhere\nbase = dc=test }\n"
        failures = [
            (changed + "queue { lifetime = soon }", "queue: lifetime"),
            (changed + "include missing.conf", "missing.conf"),
            (changed + listener("busy", "127.0.0.1:%d" % busy),
             "listener busy: listen on 127.0.0.1:%d: address already in use" % busy),
            (changed + listener("odd", "192.0.2.77:%d" % free), "listener odd: listen on 192.0.2.77"),
            (changed.replace("tls/certificate.pem", "broken.pem"), "broken.pem"),
            (changed.replace("tls/key.pem", "missing.pem"), "missing.pem: No such file"),
            (changed.replace("tls/key.pem", "broken.pem"), "broken.pem: no private key"),
            (changed + "table t { type = addresses; path = nowhere }", "table t: "),
            (changed.replace("log/other.log", "none/other.log"), "none/other.log"),
            ("log_actions = none/actions.log\n" + changed, "none/actions.log"),
            (changed + "dns { trust_anchor = broken.pem }", "broken.pem"),
            (changed + "dns { trust_anchor = missing.pem }", "missing.pem: No such file"),
            (changed + "metrics { address = 127.0.0.1:%d, 127.0.0.1:%d }" % (free + 2, busy),
             "metrics: listen on 127.0.0.1:%d: address already in use" % busy),
            (changed.replace("ldap more", "directory { sources = other }\nldap more"), "there is no block ldap other"),
        ]
        limit = size_limit(server)
        for text, reason in failures:
            write_config(server, text)
            refused(server, reason)
            refused(server, reason, "--dry-run")
            assert size_limit(server) == limit
            assert not answers(free) and not answers(free + 2)
            assert not os.path.exists(log)
            assert box.noop()[0] == "OK"
            assert [s["name"] for s in server.mailctl_json("directory", "show")["sources"]] == ["embedded"]
            assert server.mailctl_json("status")["restart_needed"] == []
        assert server.logged("not reloaded, the old configuration stays: ")
        write_config(server, good)
        assert "no setting has changed" in server.mailctl("reload")
        inject(server, "s@elsewhere.test", ["alice"], TEXT)
        box.logout()


def test_what_changed_is_told():
    with Instance() as server:
        good = config_of(server)
        changed = good.replace("hostname = mail.example.test", "hostname = mx.example.test\nuser = nobody")
        changed += ("queue { relay_host = relay.test:587; relay_user = u; relay_tls = required; "
                    "relay_password = topsecret }\n")
        changed += listener("extra", "127.0.0.1:%d" % (server.base + 70))
        write_config(server, changed)
        for options in ["--dry-run"], []:
            told = server.mailctl("reload", *options)
            assert re.search(r"^  hostname +mail.example.test -> mx.example.test$", told, re.M), told
            assert re.search(r"^  user +\S+ -> nobody  \(needs a restart\)$", told, re.M), told
            assert re.search(r"^  queue.relay_password +changed \(hidden\)$", told, re.M), told
            assert re.search(r"^  listener extra +added$", told, re.M), told
            assert told.endswith("a restart is needed for: user\n") and "topsecret" not in told, told
            assert answers(server.base + 70) == (not options)
        assert server.mailctl_json("status")["restart_needed"] == ["user"]
        result = server.mailctl_json("reload")
        assert result == {"changes": [], "restart_needed": ["user"]}, result
        log = server.log()
        assert 'name="hostname" before="mail.example.test" after="mx.example.test"' in log
        assert "topsecret" not in log
        write_config(server, good)
        told = server.mailctl("reload")
        assert re.search(r"^  listener extra +removed$", told, re.M) and "is needed" not in told, told
        assert not answers(server.base + 70)
        assert server.mailctl_json("status")["restart_needed"] == []


def test_addresses_change_under_way():
    """From one address to all and back, on the same port: nobody is refused, sessions stay."""
    with Instance() as server:
        port = server.port("smtp")
        early = server.connect("smtp")
        assert early.recv(100).startswith(b"220")
        for before, after in (("127.0.0.1:", "*:"), ("*:", "0.0.0.0:"), ("0.0.0.0:", "127.0.0.1:")):
            server.replace_config("address = %s%d\n" % (before, port), "address = %s%d\n" % (after, port))
            told = server.mailctl("reload")
            assert "listener mx.address" in told, told
            with server.connect("smtp") as s:
                assert s.recv(100).startswith(b"220")
        early.sendall(b"NOOP\r\n")
        assert early.recv(100).startswith(b"250")
        early.close()


def test_permissions_of_a_socket_change():
    with Instance() as server:
        path = os.path.join(server.root, "run", "submission.sock")
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o666
        server.replace_config("socket_mode = 0666", "socket_mode = 0660")
        inode = os.stat(path).st_ino
        server.mailctl("reload")
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o660 and os.stat(path).st_ino == inode


def names(*domains):
    """A DNS server that sends mail for these domains to this machine."""
    records = {}
    for domain in domains:
        records[(domain, "MX")] = [(10, "mx." + domain)]
        records[("mx." + domain, "A")] = ["127.0.0.1"]
    return DnsServer(records)


def test_another_dns_server_is_asked():
    """What is new is asked of the new one; the question that the old one leaves unanswered ends as its time limit says,
    and is asked again of the new one."""
    sink, first, second = SmtpSink(), names("first.test", "both.test"), names("second.test", "both.test", "slow.test")
    first.records[("slow.test", "SILENT")] = []
    server = Instance()
    server.add_config("dns {\n    server = 127.0.0.1@%d\n    timeout = 2s\n}\nqueue {\n    smtp_port = %d\n"
                      "    retry_first = 1s\n}\n" % (first.port, sink.port))
    with server:
        submit(server, "alice", "x@first.test", TEXT)
        assert sink.next()["recipients"] == ["x@first.test"]
        submit(server, "alice", "x@slow.test", TEXT)
        wait_for(lambda: any(name == "slow.test" for name, _ in first.asked))
        asked = len(first.asked)
        server.replace_config("@%d" % first.port, "@%d" % second.port)
        assert server.mailctl_json("reload")["restart_needed"] == []
        submit(server, "alice", "x@second.test", TEXT)
        assert sorted(sink.next()["recipients"][0] for _ in range(2)) == ["x@second.test", "x@slow.test"]
        assert all(name == "slow.test" for name, _ in first.asked[asked:]), first.asked
        assert any(name == "slow.test" for name, _ in second.asked), second.asked


def test_dns_changes_under_load():
    """Two servers by turns while mail goes out to many domains: all of it arrives, none of it was deferred."""
    count = 60
    domains = ["d%d.test" % i for i in range(count)]
    sink, servers = SmtpSink(), (names(*domains), names(*domains))
    server = Instance()
    server.add_config("dns {\n    server = 127.0.0.1@%d\n    timeout = 20s\n}\nqueue {\n    smtp_port = %d\n}\n"
                      % (servers[0].port, sink.port))
    with server:
        box = imap(server, "alice")

        def send():
            for domain in domains:
                submit(server, "alice", "x@" + domain, TEXT)
        sender = threading.Thread(target=send)
        sender.start()
        turns = 0
        while sender.is_alive():
            server.replace_config("@%d" % servers[turns % 2].port, "@%d" % servers[1 - turns % 2].port)
            assert server.mailctl_json("reload")["restart_needed"] == []
            turns += 1
        sender.join()
        got = {recipient for _ in range(count) for recipient in sink.next()["recipients"]}
        assert got == {"x@" + domain for domain in domains}, got
        assert turns > 2 and all(s.asked for s in servers), (turns, [len(s.asked) for s in servers])
        assert box.noop()[0] == "OK"
        assert "status=deferred" not in server.log()
        box.logout()


def test_no_signal_is_lost():
    """Of many signals in a row the last one counts, whatever the server is at when it comes."""
    with Instance() as server:
        before = config_of(server)
        for size in range(20, 40):
            for step in (100 + size, size):
                write_config_at_once(server, before + "smtp { message_size_max = %dM }\n" % step)
                server.process.send_signal(signal.SIGHUP)
            wait_for(lambda: size_limit(server) == size << 20, "the size is not %d MB" % size, seconds=10)
        assert "not reloaded" not in server.log()


def test_a_signal_at_the_very_start_does_not_end_it():
    """Who sends one as soon as a port is open means a server that goes on: its start takes a while longer."""
    server = Instance()
    try:
        server.start(wait=False)
        wait_for(lambda: is_open(server.port("smtp")), "no port is open")
        for number in (signal.SIGHUP, signal.SIGUSR1):
            server.process.send_signal(number)
        server.wait_ready()
        server.stop()
    finally:
        server.close()


def is_open(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def write_config_at_once(server, text):
    with open(server.config_path + ".new", "w") as f:
        f.write(text)
    os.rename(server.config_path + ".new", server.config_path)


def kept(server, user):
    """Files of expunged messages; not the one that says which mailbox they were in."""
    folder = server.maildir(user, "expunged")
    return [name for _, _, names in os.walk(folder) for name in names if name != "mailbox"]


def expunge_all(box):
    box.select()
    box.store("1:*", "+FLAGS", "\\Deleted")
    assert box.expunge()[0] == "OK"


def test_limits_of_the_store_change():
    """What was kept of expunged messages goes when nothing is to be kept any more; where mail is needs a restart."""
    server = Instance()
    server.add_config("store {\n    keep_expunged = 1d\n}\n")
    with server:
        inject(server, "s@elsewhere.test", ["alice"], TEXT)
        box = imap(server, "alice")
        expunge_all(box)
        wait_for(lambda: kept(server, "alice"), "nothing is kept")
        server.replace_config("keep_expunged = 1d", "keep_expunged = 0\n    history_max = 10\n    mailboxes_open_max = 0")
        told = server.mailctl_json("reload")
        assert told["restart_needed"] == [] and len(told["changes"]) == 3, told
        wait_for(lambda: not kept(server, "alice"), "what was expunged is kept")
        inject(server, "s@elsewhere.test", ["alice"], TEXT)
        expunge_all(box)
        assert box.noop()[0] == "OK" and not kept(server, "alice")
        server.replace_config("keep_expunged = 0", "keep_expunged = 1d\n    folder_escape = %")
        assert server.mailctl_json("reload")["restart_needed"] == ["store.folder_escape"]
        inject(server, "s@elsewhere.test", ["alice"], TEXT)
        expunge_all(box)
        wait_for(lambda: kept(server, "alice"), "nothing is kept again")
        box.logout()


def test_limits_of_the_journal_change():
    """A checkpoint that would have come in an hour comes at once; the size of files needs a restart."""
    server = Instance()
    port = server.base + 90
    server.add_config("journal {\n    checkpoint_interval = 1h\n}\nmetrics {\n    address = 127.0.0.1:%d\n}\n" % port)

    def checkpoints():
        with urllib.request.urlopen("http://127.0.0.1:%d/metrics" % port, timeout=30) as answer:
            return int(re.search(r"^maild_journal_checkpoints_total (\d+)", answer.read().decode(), re.M).group(1))
    with server:
        inject(server, "s@elsewhere.test", ["alice"], TEXT)
        before = checkpoints()
        server.replace_config("checkpoint_interval = 1h", "checkpoint_interval = 200ms\n    size_max = 1G")
        assert server.mailctl_json("reload")["restart_needed"] == []
        wait_for(lambda: checkpoints() > before, "no checkpoint")
        server.replace_config("size_max = 1G", "size_max = 1G\n    segment_size = 8M")
        assert server.mailctl_json("reload")["restart_needed"] == ["journal.segment_size"]
        server.replace_config("size_max = 1G", "size_max = 16M")
        refused(server, "size_max must be at least four times segment_size")
        inject(server, "s@elsewhere.test", ["alice"], TEXT)
