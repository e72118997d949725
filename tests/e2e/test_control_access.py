"""Who may do what on the control socket: Unix users act as their mailctl would, and as somebody who speaks
to the socket himself. "games" and "news" are users of this machine with accounts, "uucp" one without."""

import json
import os
import pwd
import re
import stat

from support import wait_for
from support.control import DOMAIN, NOBODYS_GROUP, Caller, Machine, ask
from support.instance import ROOT
from support.mail import imap, submit
from support.smtp_sink import SmtpSink


def subjects(server, user, mailbox="INBOX"):
    return [m["hdr.subject"] for m in server.mailctl_json("fetch", user, "hdr.subject", "mailbox", mailbox)]


def test_own_mailboxes_and_messages():
    with Machine() as server:
        box = imap(server, "games")
        box.append("INBOX", None, None, b"Subject: first\r\n\r\nbody\r\n")
        assert "games@example.test" in server.own("games", "whoami")
        for name in ("games", "GAMES@example.test", "games@example.test"):
            assert "games@example.test" in server.own("games", "quota", "get", name)
        server.own("games", "mailbox", "create", "games", "Work/a", "--subscribe")
        server.own("games", "mailbox", "rename", "games", "Work/a", "Work/b")
        names = {m["mailbox"] for m in json.loads(server.own("games", "mailbox", "list", "games", "--json"))}
        assert "Work/b" in names and "Work/a" not in names, names
        server.own("games", "mailbox", "unsubscribe", "games", "Work/b")
        server.own("games", "mailbox", "delete", "games", "Work/b", "--yes")
        assert "INBOX" in server.own("games", "mailbox", "status", "games")
        assert "INBOX" in server.own("games", "search", "games", "subject", "first")
        assert "body" in server.own("games", "fetch", "games", "text", "subject", "first")
        mbox = server.own("games", "export", "games", "-", "INBOX", "--mbox")
        assert "Subject: first" in mbox
        server.own("games", "import", "games", "-", "--mailbox", "Copy", stdin=mbox.replace("first", "second"))
        assert subjects(server, "games", "Copy") == ["second"]
        place = os.path.join(server.directory, "theirs")
        os.mkdir(place)
        os.chown(place, pwd.getpwnam("games").pw_uid, -1)
        server.own("games", "backup", "games", place + "/a.tar")
        server.own("games", "restore", "games", place + "/a.tar", "--into", "Back")
        assert sorted(subjects(server, "games", "Back")) == ["first", "second"]
        box.logout()


def test_other_things_of_his_own():
    sink = SmtpSink(lambda verb, command: "451 later" if verb == "RCPT" else None)
    server = Machine()
    server.add_config("queue {\n    relay_host = [127.0.0.1]:%d\n}\n" % sink.port)
    with server:
        submit(server, "games", "x@far.test", "Subject: mine\r\n\r\nbody\r\n")
        submit(server, "news", "y@far.test", "Subject: theirs\r\n\r\nbody\r\n")
        wait_for(lambda: len(server.mailctl_json("queue", "list")) == 2)
        ids = {m["login"]: m["id"] for m in server.mailctl_json("queue", "list")}
        mine, theirs = ids["games@example.test"], ids["news@example.test"]
        listed = json.loads(server.own("games", "queue", "list", "--json"))
        assert [m["id"] for m in listed] == [mine], listed
        assert not json.loads(server.own("games", "queue", "list", "--sender", "news@example.test", "--json"))
        # Who is behind an address of others he does not learn, nor by asking whether it is this one.
        assert json.loads(server.own("games", "queue", "show", mine, "--json"))["recipients"][0]["relay"] is not None
        server.mailctl("address", "add", "club@example.test", "hidden@far.test")
        submit(server, "games", "club@example.test", "Subject: to a club\r\n\r\nbody\r\n")
        wait_for(lambda: len(server.mailctl_json("queue", "list")) == 3)
        assert "hidden@far.test" in server.mailctl("queue", "list")
        both = [m["id"] for m in json.loads(server.own("games", "queue", "list", "--json"))]
        for said in [server.own("games", "queue", "list", "--json")] + [
                server.own("games", "queue", "show", which, "--json") for which in both]:
            assert "hidden" not in said, said
        assert "club@example.test" in server.own("games", "queue", "list")
        for option in ("--recipient", "--domain", "--reason", "--route"):
            server.denied("games", "queue", "list", option, "hidden@far.test")
        assert "mine" in server.own("games", "queue", "show", mine)
        hidden, unknown = (server.run_as("games", "queue", "show", which) for which in (theirs, "A" * len(theirs)))
        assert hidden.returncode == unknown.returncode == 4 and "theirs" not in hidden.stdout + hidden.stderr
        assert hidden.stderr.replace(theirs, "") == unknown.stderr.replace("A" * len(theirs), ""), (hidden, unknown)

        boxes = [imap(server, "games"), imap(server, "news")]
        who = json.loads(server.own("games", "who", "--json"))
        assert [s["login"] for s in who] == ["games@example.test"], who
        assert not json.loads(server.own("games", "who", "--peer", "192.0.2.1", "--json"))

        made = json.loads(server.own("games", "user", "app-password", "add", "games", "phone", "--json"))
        assert made["login"] == "games@example.test"
        imap(server, "games", made["password"]).logout()
        assert "phone" in server.own("games", "user", "app-password", "list", "games")
        server.own("games", "user", "app-password", "delete", "games", "phone")
        for box in boxes:
            box.logout()
    sink.close()


def test_own_password():
    with Machine() as server:
        new = "a long and winding road 17"
        server.denied("games", "user", "password", "--password-stdin", stdin="wrong\n%s\n" % new)
        imap(server, "games").logout()
        app = json.loads(server.own("games", "user", "app-password", "add", "games", "phone", "--json"))["password"]
        server.denied("games", "user", "password", "--password-stdin", stdin="%s\n%s\n" % (app, new))
        weak = server.run_as("games", "user", "password", "games", "--password-stdin", stdin="secret\nx\n")
        assert weak.returncode == 1, weak
        assert server.run_as("games", "user", "password", "--force", "--password-stdin", stdin="secret\nx\n").returncode == 2
        server.denied("games", "user", "password", "news", "--password-stdin", stdin="secret\n%s\n" % new)
        server.own("games", "user", "password", "--password-stdin", stdin="secret\n%s\n" % new)
        imap(server, "games", new).logout()
        imap(server, "news").logout()
        log = server.log()
        assert "user password name=games@example.test by=games" in log, log
        assert "password change refused user=<games@example.test>" in log and new not in log and "wrong\n" not in log


def test_guesses_of_the_password_are_counted():
    server = Machine()
    server.add_config("auth {\n    failure_delay = 10ms\n    failure_delay_max = 10ms\n    lockout_account = 3\n}\n")
    with server:
        for n in range(5):
            server.denied("games", "user", "password", "--password-stdin", stdin="guess %d\nnew enough 17 x\n" % n)
        server.denied("games", "user", "password", "--password-stdin", stdin="secret\nnew enough 17 x\n")
        assert "locked_out" in server.log()


def test_nothing_of_others():
    with Machine() as server:
        box = imap(server, "news")
        box.append("INBOX", None, None, b"Subject: private\r\n\r\nbody\r\n")
        box.create("Private")
        place = os.path.join(server.directory, "theirs")
        os.mkdir(place)
        os.chown(place, pwd.getpwnam("games").pw_uid, -1)
        mbox = "From x Thu Feb  1 10:00:00 2024\nSubject: planted\n\nbody\n"
        for other in ("news", "NEWS@EXAMPLE.TEST", "public", "", "games@example.test.", " games", "games@other.test", "*"):
            for command in (["quota", "get", other], ["mailbox", "list", other], ["mailbox", "status", other],
                            ["mailbox", "create", other, "Planted"], ["mailbox", "delete", other, "Private", "--yes"],
                            ["mailbox", "rename", other, "Private", "Planted"], ["mailbox", "subscribe", other, "Private"],
                            ["search", other, "all"], ["fetch", other, "text", "all"], ["backup", other, place + "/b.tar"],
                            ["export", other, place + "/out"], ["import", other, "-"],
                            ["user", "app-password", "add", other, "mine"], ["user", "app-password", "list", other],
                            ["user", "app-password", "delete", other, "mine"])[:None if other == "news" else 1]:
                said = server.denied("games", *command, stdin=mbox)
                assert "private" not in said.lower().replace("mailbox", ""), said
        for command in (["mailbox", "list", "--all"], ["search", "--all", "all"], ["fetch", "--all", "text", "all"],
                        ["backup", "--all", place + "/b.tar"], ["quota", "get"], ["quota", "get", "games", "news"],
                        ["move", "games", "Private", "all", "--to-user", "news"], ["expunge", "games", "all", "--yes"],
                        ["queue", "list", "--login", "news@example.test"], ["who", "--user", "news"], ["who", "--user", "-"],
                        ["who", "--user", "@example.test"], ["stop"], ["reload"], ["status"], ["user", "list"],
                        ["user", "add", "x@example.test", "--password-stdin"], ["user", "set", "games", "--protocols", "all"],
                        ["quota", "set", "games", "--storage", "unlimited"], ["kick", "--user", "games", "--yes"], ["limits"],
                        ["queue", "delete", "--login", "games@example.test", "--yes"], ["mailbox", "path", "games"],
                        ["rawlog", "on", "games"], ["store", "flush"], ["directory", "lookup", "news"], ["directory", "export"]):
            server.denied("games", *command, stdin="secret-17-long\n")
        assert subjects(server, "news") == ["private"]
        names = {m["mailbox"] for m in server.mailctl_json("mailbox", "list", "news")}
        assert "Private" in names and "Planted" not in names
        assert not os.listdir(place) or all(not os.path.getsize(os.path.join(place, f)) for f in os.listdir(place))
        box.logout()


def test_every_other_verb_is_closed():
    """Whatever verbs there are: what is not a user's own is refused, however its arguments name him."""
    with Machine() as server, Caller(server, "root") as root, Caller(server, "games") as games:
        mine = set(games.ask("whoami")["result"]["verbs"])
        everything = set(root.ask("whoami")["result"]["verbs"])
        assert {"who", "quota get", "fetch", "messages put"} < mine < everything and len(everything) > 100
        assert not mine & {"stop", "reload", "hand over", "user password", "kick", "status"}
        for verb in sorted(everything - mine):
            for args in ({}, {"user": "games"}, {"login": "games@example.test", "password": "secret"}, {"all": True}):
                items, said = ask(server, "games", verb, args)
                assert not items and said["kind"] == "denied", (verb, args, items, said)
        # Of his own ones no argument but those that are meant for him.
        for verb in sorted(mine):
            for name in ("all", "users", "force", "repair", "to_user", "id_of", "uid_validity", "account_metadata", "old_login"):
                if (verb, name) == ("trace", "all"):  # all stories, of him
                    continue
                items, said = ask(server, "games", verb, {name: True})
                assert not items and said["kind"] == "denied", (verb, name, items, said)
            for place in ("user", "login"):
                for value in ("news@example.test", ["games"], {"a": 1}, None, 7, True, "", "games\x00"):
                    items, said = ask(server, "games", verb, {place: value})
                    assert not items and said["kind"] in ("denied", "syntax"), (verb, place, value, items, said)
        for wrong in ("x", [], None, 7):
            assert ask(server, "games", "queue list", {"filter": wrong})[1]["kind"] in ("syntax", "denied"), wrong
        for value in ("news@example.test", "*", None):
            assert ask(server, "games", "queue list", {"filter": {"login": value}})[1]["kind"] == "denied", value
        items, said = ask(server, "games", "trace", {"what": "news@example.test", "all": True})
        assert not items, items
        assert games.ask("nonsense")["kind"] == "syntax"
        assert root.ask("quota get", user="news")["ok"]


def test_what_comes_into_own_mailboxes_is_limited():
    server = Machine()
    server.add_config("imap {\n    append_size_max = 1M\n}\n")
    with server:
        server.mailctl("quota", "set", "games", "--messages", "2")
        one = "From x Thu Feb  1 10:00:00 2024\nSubject: %d\n\nbody\n\n"
        full = server.run_as("games", "import", "games", "-", "--mailbox", "In", stdin="".join(one % n for n in range(5)))
        assert full.returncode != 0 and "full" in full.stderr, full
        assert subjects(server, "games", "In") == ["0", "1"]
        large = server.run_as("games", "import", "games", "-", "--mailbox", "In", stdin=one % 9 + "line of text\n" * 90000)
        assert large.returncode != 0 and "1048576" in large.stderr, large
        # Root brings back what there was.
        server.mailctl("import", "games", "-", "--mailbox", "In", stdin=one % 7)
        assert subjects(server, "games", "In") == ["0", "1", "7"]
        for name in ("id", "uid_validity", "uid_next", "time", "metadata", "account_metadata"):
            said = ask(server, "games", "messages put", {"user": "games", "mailbox": "New", name: 7})[1]
            assert said["kind"] == "denied", (name, said)
        for name in ("../../news/x", "..", "a/../../b", "/", "//", "a//b", ".", "INBOX/../../x", "x" * 5000, "a\nb", "\x7f"):
            ask(server, "games", "mailbox create", {"mailbox": name})
            ask(server, "games", "mailbox rename", {"mailbox": "Drafts", "to": name})
        home = os.path.realpath(server.maildir("games"))
        assert all(not os.path.exists(os.path.join(home, *way, "x")) for way in (["..", "..", "news"], ["..", "news"], [".."]))
        assert {m["mailbox"] for m in server.mailctl_json("mailbox", "list", "news")} == {
            m["mailbox"] for m in server.mailctl_json("mailbox", "list", "news")}


def test_who_has_no_account():
    """A name stands for an account of exactly this name that may log in."""
    with Machine() as server:
        server.mailctl("address", "add", "uucp@example.test", "games@example.test")
        for command in (["whoami"], ["quota", "get", "uucp"], ["quota", "get", "games"], ["mailbox", "list", "games"]):
            assert "uucp@example.test" in server.denied("uucp", *command)
        server.mailctl("user", "set", "games", "--protocols", "smtp")
        assert "IMAP" in server.denied("games", "mailbox", "list", "games")
        server.denied("games", "fetch", "games", "text", "all")
        server.own("games", "quota", "get", "games")
        with Caller(server, "games") as games:
            assert games.ask("quota get")["ok"]
            server.mailctl("user", "disable", "games")
            assert games.ask("quota get")["kind"] == "denied"
        assert "disabled" in server.denied("games", "whoami")


def test_who_may_connect():
    """By default nobody but root; a group that does not exist is nobody; a group that does is everything."""
    with Machine(config="") as server:
        assert stat.S_IMODE(os.stat(server.socket_path).st_mode) == 0o600
        server.denied("games", "whoami")
        os.chmod(server.socket_path, 0o666)  # who gets to it all the same
        assert "only root" in server.denied("games", "whoami")
        with Caller(server, "games") as games:
            assert games.answer()[1]["kind"] == "denied"
    with Machine(config="admin_group = operator\n") as server:
        found = os.stat(server.socket_path)
        assert stat.S_IMODE(found.st_mode) == 0o660 and found.st_gid == 37
        server.denied("games", "whoami")
        with Caller(server, "games", gid=37) as games:
            assert games.ask("whoami")["result"]["administrator"]
            assert games.ask("quota get", user="news@example.test")["ok"]
        # Other settings count at once, for those who are connected as well.
        with Caller(server, "games", gid=37) as admin:
            assert admin.ask("whoami")["result"]["administrator"]
            server.replace_config("admin_group = operator\n", DOMAIN + NOBODYS_GROUP)
            server.mailctl("reload")
            assert stat.S_IMODE(os.stat(server.socket_path).st_mode) == 0o666
            assert admin.ask("whoami")["result"]["login"] == "games@example.test"
            assert admin.ask("status")["kind"] == "denied"
            assert "games@example.test" in server.own("games", "whoami")
            server.replace_config(DOMAIN + NOBODYS_GROUP, NOBODYS_GROUP)
            server.mailctl("reload")
            assert admin.ask("whoami")["kind"] == "denied" and admin.answer()[1] is None
        assert stat.S_IMODE(os.stat(server.socket_path).st_mode) == 0o600


def test_the_page_names_what_users_may_do():
    with open(os.path.join(ROOT, "docs", "control-socket.md")) as f:
        table = f.read().split("| Verb | The account is |")[1].split("\n\n")[0]
    told = set()
    for row in re.findall(r"^\| (`.*?) \| ", table, re.M):
        words = [w.split() for w in re.findall(r"`([^`]+)`", row)]
        # "`mailbox create`, `delete`": what the first verb begins with holds for those behind it.
        told |= {" ".join(w if len(w) > 1 or n == 0 or len(words[0]) == 1 else words[0][:-1] + w) for n, w in enumerate(words)}
    with Machine() as server:
        may = set(ask(server, "games", "whoami", {})[1]["result"]["verbs"])
    assert may == told, (may - told, told - may)
