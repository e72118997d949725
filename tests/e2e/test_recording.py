"""What is written down of sessions: the log of actions, and recordings of single users."""

import glob
import imaplib
import os
import poplib
import stat

from support import wait_for
from support.instance import Instance


def login(server, user="alice"):
    box = imaplib.IMAP4("127.0.0.1", server.port("imap"))
    box.starttls(server.tls_context())
    box.login(user + "@example.test", "secret")
    return box


def text_of(path):
    with open(path) as file:
        return file.read()


def recordings(server, user="alice"):
    return sorted(glob.glob(f"{server.root}/data/rawlog/{user}@example.test/*"))


def test_a_session_is_recorded_without_its_password():
    with Instance(users=("alice", "bob")) as server:
        before = login(server)
        said = server.mailctl("rawlog", "on", "alice@example.test", "--minutes", "5")
        assert "rawlog" in said, said
        before.select("INBOX")
        after = login(server)
        after.append("INBOX", None, None, b"Subject: recorded\r\n\r\nbody\r\n")
        other = login(server, "bob")
        other.select("INBOX")
        [row] = server.mailctl_json("rawlog", "list")
        assert (row["login"], row["sessions"]) == ("alice@example.test", 2), row
        before.logout()
        after.logout()
        wait_for(lambda: len(recordings(server)) == 2 and all("BYE" in text_of(p) for p in recordings(server)))
        texts = [text_of(p) for p in recordings(server)]
        assert not any("secret" in t for t in texts), texts
        assert sum(" C: " in t and "SELECT INBOX" in t for t in texts) == 1
        assert sum("Subject: recorded" in t and "Append completed" in t for t in texts) == 1
        assert not recordings(server, "bob")
        assert stat.S_IMODE(os.stat(recordings(server)[0]).st_mode) == 0o600

        pop = poplib.POP3_SSL("127.0.0.1", server.port("pop3s"), context=server.tls_context())
        pop.user("alice@example.test")
        pop.pass_("secret")
        assert pop.stat()[0] == 1
        server.mailctl("rawlog", "off", "alice@example.test")
        pop.list()
        pop.quit()
        wait_for(lambda: len(recordings(server)) == 3)
        [text] = [text_of(p) for p in recordings(server) if "-pop3-" in p]
        assert "STAT" in text and "+OK 1 " in text and "QUIT" not in text and "secret" not in text, text
        again = server.run_mailctl("rawlog", "off", "alice@example.test", check=False)
        assert again.returncode == 4 and "not being recorded" in again.stderr, again.stderr
        nobody = server.run_mailctl("rawlog", "on", "nobody@example.test", check=False)
        assert nobody.returncode == 4 and "no user" in nobody.stderr, nobody.stderr


def test_actions_have_a_log_of_their_own():
    with Instance(users=("alice",)) as server:
        server.replace_config("hostname", f"log_actions = {server.root}/log/actions.log\nhostname")
        server.mailctl("reload")
        box = login(server)
        box.create("Archive/2026")
        for i in range(3):
            box.append("INBOX", None, None, b"Subject: %d\r\n\r\nbody\r\n" % i)
        box.select("INBOX")
        box.uid("MOVE", "1", "Archive/2026")
        box.store("1", "+FLAGS", "\\Deleted")
        box.expunge()
        box.rename("Archive/2026", "Old")
        box.delete("Old")
        box.logout()
        path = f"{server.root}/log/actions.log"
        wait_for(lambda: "logout" in text_of(path))
        lines = [line.split(": ", 1)[1] for line in text_of(path).splitlines()]
        user = "user=<alice@example.test>"
        assert [line.split(" user=")[0] for line in lines] == [
            "login", "create", "append", "append", "append", "move", "delete", "expunge", "rename", "delete", "logout",
        ], lines
        assert f"move {user} mailbox=<INBOX> to=<Archive/2026> uids=1 to_uids=1 count=1" in lines
        assert f"expunge {user} mailbox=<INBOX> uids=2 count=1" in lines
        assert f"rename {user} mailbox=<Archive/2026> to=<Old>" in lines
        log = server.log()
        assert "login user=<alice@example.test>" in log and "expunge user=" not in log
        # Without the setting they are in the log again.
        server.replace_config(f"log_actions = {path}\n", "")
        server.mailctl("reload")
        login(server).create("Later")
        wait_for(lambda: "mailbox=<Later>" in server.log())
        assert "Later" not in text_of(path)


def test_switched_off_while_a_session_says_goodbye():
    """POP3 has no login any more once QUIT has begun."""
    with Instance(users=("alice",)) as server:
        server.mailctl("rawlog", "on", "alice@example.test")
        for _ in range(5):
            pop = poplib.POP3_SSL("127.0.0.1", server.port("pop3s"), context=server.tls_context())
            pop.user("alice@example.test")
            pop.pass_("secret")
            pop.sock.sendall(b"QUIT\r\n")
            server.run_mailctl("rawlog", "off", "alice@example.test")
            pop.close()
            server.mailctl("rawlog", "on", "alice@example.test")
        wait_for(lambda: server.mailctl_json("rawlog", "list")[0]["sessions"] == 0)
