"""The sysadmin's side: configuration errors, reload, start and stop, limits, bad input, full disk."""

import json
import os
import pwd
import random
import re
import signal
import socket
import ssl
import stat
import subprocess
import tempfile
import time

from support import Skip
from support.instance import Instance, build_dir
from support.mail import imap, imap_bodies, inject, loose_tls, submit

TEXT = "Subject: x\r\n\r\nbody\r\n"


def refused_start(server):
    """maild's one line and status when it does not start."""
    result = subprocess.run([os.path.join(build_dir(), "maild"), "--config", server.config_path],
                            capture_output=True, text=True, timeout=60)
    assert result.returncode == 1, (result.returncode, result.stderr)
    return result.stderr


def test_wrong_configuration_names_line_and_setting():
    server = Instance()
    server.add_config("smtp {\n    mesage_size_max = 10M\n}")
    error = refused_start(server)
    assert re.search(r"maild\.conf:\d+: .*mesage_size_max.*message_size_max", error), error
    checked = server.run_mailctl("config", "check", check=False)
    assert checked.returncode == 1 and "message_size_max" in checked.stderr
    server.close()


def test_config_show_marks_defaults_and_hides_secrets():
    server = Instance()
    server.add_config('queue {\n    relay_host = relay.test:587\n    relay_user = u\n    relay_tls = required\n    relay_password = topsecret\n}')
    shown = server.mailctl("config", "show")
    assert "topsecret" not in shown
    assert re.search(r"^\s*relay_host = relay.test:587\s*$", shown, re.M), shown
    assert re.search(r"^\s*lifetime = 4d\s+#.*default", shown, re.M), shown
    server.close()


def test_missing_certificate_and_port_in_use():
    server = Instance()
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.1", server.port("imap")))
        s.listen()
        error = refused_start(server)
        assert str(server.port("imap")) in error and "in use" in error, error
    with open(server.config_path) as f:
        certificate = re.search(r"certificate\s*=\s*\"?([^\s\";]+)", f.read()).group(1)
    path = certificate if os.path.isabs(certificate) else os.path.join(server.root, certificate)
    os.rename(path, path + ".away")
    error = refused_start(server)
    assert os.path.basename(path) in error and "No such file" in error, error
    server.close()


def test_reload_keeps_the_old_configuration_when_the_new_one_is_wrong():
    with Instance() as server:
        box = imap(server, "alice")
        with open(server.config_path) as f:
            good = f.read()
        server.add_config("smtp {\n    timeout = 5 parsecs\n}")
        result = server.run_mailctl("reload", check=False)
        assert result.returncode == 1 and "timeout" in result.stderr, result
        inject(server, "s@elsewhere.test", ["alice"], TEXT)
        with open(server.config_path, "w") as f:
            f.write(good + "\nsmtp {\n    message_size_max = 1M\n}\n")
        server.mailctl("reload")
        with server.connect("smtp") as s:
            f = s.makefile("rwb", buffering=0)
            f.readline()
            f.write(b"EHLO c.test\r\n")
            assert b"SIZE 1048576" in f.read(300)
        assert box.noop()[0] == "OK"
        box.logout()


def test_start_stop_status_who():
    server = Instance()
    server.mailctl("start")
    try:
        status = json.loads(server.mailctl("status", "--json"))
        assert status
        box = imap(server, "alice")
        who = server.mailctl("who")
        assert "alice@example.test" in who and "imap" in who and "127.0.0.1" in who, who
        box.logout()
        again = server.run_mailctl("start", check=False)
        assert again.returncode != 0 or "already" in again.stdout + again.stderr
    finally:
        server.mailctl("stop")
    assert server.run_mailctl("status", check=False).returncode != 0
    server.close()


def test_clients_on_this_machine_can_verify_the_certificate_of_init():
    with Instance() as server:
        context = ssl.create_default_context(cafile=server.root + "/tls/certificate.pem")
        for name in ("127.0.0.1", "localhost", "mail.example.test"):
            with context.wrap_socket(server.connect("imaps"), server_hostname=name) as s:
                assert s.recv(4) == b"* OK"


def test_users_domains_and_addresses():
    with Instance() as server:
        server.mailctl("domain", "add", "second.test")
        server.mailctl("user", "add", "carol@second.test", "--password-stdin", stdin="pw of carol\n")
        assert "carol@second.test" in server.mailctl("user", "list")
        inject(server, "s@elsewhere.test", ["carol@second.test"], TEXT)
        box = imap(server, "carol@second.test", "pw of carol")
        box.logout()
        server.mailctl("user", "disable", "carol@second.test")
        try:
            imap(server, "carol@second.test", "pw of carol")
            raise AssertionError("a disabled user logged in")
        except Exception as error:
            assert "AUTHENTICATIONFAILED" in str(error), error
        server.mailctl("user", "enable", "carol@second.test")
        server.mailctl("user", "password", "carol@second.test", "--force", "--password-stdin", stdin="new\n")
        imap(server, "carol@second.test", "new").logout()
        result = server.run_mailctl("user", "add", "carol@second.test", "--force", "--password-stdin", stdin="x\n",
                                    check=False)
        assert result.returncode == 1 and "carol@second.test" in result.stderr
        result = server.run_mailctl("domain", "delete", "second.test", "--yes", check=False)
        assert result.returncode == 1, "a domain with users was deleted"
        server.mailctl("user", "delete", "carol@second.test", "--yes")
        server.mailctl("domain", "delete", "second.test", "--yes")
        assert "second.test" not in server.mailctl("domain", "list")


def test_garbage_on_every_port_does_no_harm():
    """Any bytes on any port: an answer or a close, and the server goes on."""
    generator = random.Random(4711)
    with Instance() as server:
        for port in ("smtp", "submission", "submissions", "local", "imap", "imaps", "pop3", "pop3s", "lmtp"):
            for kind in range(8):
                size = generator.choice((1, 100, 5000, 250000))
                junk = bytes(generator.randrange(256) for _ in range(min(size, 4000))) * (size // 4000 + 1)
                if kind == 1:
                    junk = b"A" * size
                if kind == 2:
                    junk = b"(" * size + b"\r\n"
                if kind == 3:
                    junk = b"a LOGIN {%d+}\r\n" % size + junk
                if kind == 4:
                    junk = b"\r\n" * (size // 2 + 1)
                with server.connect(port) as s:
                    try:
                        s.sendall(junk)
                        s.shutdown(socket.SHUT_WR)
                        while s.recv(65536):
                            pass
                    except OSError:
                        pass
        inject(server, "s@elsewhere.test", ["alice"], TEXT)
        assert len(imap_bodies(server, "alice")) == 1


def test_slow_clients_cost_no_memory():
    """A client that announces much and sends nothing, many times."""
    with Instance() as server:
        sockets = []
        for _ in range(200):
            s = server.connect("imap")
            s.sendall(b"a LOGIN {4000}\r\n")
            sockets.append(s)
        inject(server, "s@elsewhere.test", ["alice"], TEXT)
        for s in sockets:
            s.close()


def test_sigterm_says_goodbye():
    with Instance() as server:
        imap_socket, smtp_socket = server.connect("imap"), server.connect("smtp")
        imap_file, smtp_file = imap_socket.makefile("rb"), smtp_socket.makefile("rb")
        imap_file.readline(), smtp_file.readline()
        server.process.send_signal(signal.SIGTERM)
        assert imap_file.readline().startswith(b"* BYE"), "IMAP hears BYE"
        assert smtp_file.readline().startswith(b"421 "), "SMTP hears 421"
        imap_socket.close(), smtp_socket.close()


def test_full_disk_is_a_temporary_error_and_loses_nothing():
    if os.geteuid() != 0:
        raise Skip("mounting a small file system needs root")
    mount = tempfile.mkdtemp(prefix="maild-full-")
    result = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160m", "tmpfs", mount], capture_output=True,
                            text=True)
    if result.returncode != 0:
        os.rmdir(mount)
        raise Skip("no file system can be mounted here: " + result.stderr.strip())
    try:
        with Instance(directory=mount) as server:
            inject(server, "s@elsewhere.test", ["alice"], TEXT)
            filler = os.path.join(mount, "filler")
            free = os.statvfs(mount)
            with open(filler, "wb") as f:
                try:
                    f.write(b"\0" * (free.f_bavail * free.f_bsize - 40000))
                    f.flush()
                    os.fsync(f.fileno())
                except OSError:
                    pass
            accepted, refused = 1, 0
            for i in range(200):
                with server.connect("smtp") as s:
                    f = s.makefile("rwb", buffering=0)
                    f.readline()
                    f.write(b"HELO c.test\r\nMAIL FROM:<s@elsewhere.test>\r\n")
                    f.readline(), f.readline()
                    f.write(b"RCPT TO:<alice@example.test>\r\nDATA\r\n")
                    rcpt, data = f.readline(), f.readline()
                    if data.startswith(b"354"):
                        f.write(b"Subject: %d\r\n\r\n" % i + b"x" * 3000 + b"\r\n.\r\n")
                        data = f.readline()
                    if data.startswith(b"250"):
                        accepted += 1
                    else:
                        refused += 1
                        assert data.startswith(b"4") or rcpt.startswith(b"4"), (rcpt, data)
                if refused > 3:
                    break
            assert refused > 3, "the disk was never full"
            os.unlink(filler)
            end = time.monotonic() + 30
            while True:
                try:
                    inject(server, "s@elsewhere.test", ["alice"], TEXT)
                    break
                except Exception:
                    if time.monotonic() > end:
                        raise
                    time.sleep(0.2)
            assert len(imap_bodies(server, "alice")) == accepted + 1
            server.restart()
            assert len(imap_bodies(server, "alice")) == accepted + 1
    finally:
        subprocess.run(["umount", "-l", mount])
        os.rmdir(mount)


def test_sockets_belong_to_the_user_that_the_server_becomes():
    if os.geteuid() != 0:
        raise Skip("only root can become another user")
    games = pwd.getpwnam("games")
    server = Instance()
    path = os.path.join(server.root, "run", "other.sock")
    server.add_config("listener other {\n    protocol = lmtp\n    address = unix:%s\n    socket_mode = 0662\n}\n" % path)
    server.replace_config("data_dir = ", "user = games\ndata_dir = ")
    os.chmod(server.directory, 0o711)
    for folder, folders, files in os.walk(server.root):
        for name in [folder] + [os.path.join(folder, f) for f in files]:
            os.chown(name, games.pw_uid, games.pw_gid)
    with server:
        found = os.lstat(path)
        assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (games.pw_uid, games.pw_gid, 0o662), found
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(path)
            assert s.recv(4).startswith(b"220")
        server.replace_config("socket_mode = 0662", "socket_mode = 0600")
        server.mailctl("reload")
        assert stat.S_IMODE(os.lstat(path).st_mode) == 0o600
    assert not os.path.exists(path)
