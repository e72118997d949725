"""The access policy: every example of docs/policy.md, tables that change, who is trusted, what mailctl and the log say."""

import os
import re
import smtplib
import time

from support import wait_for
from support.dns import DnsServer
from support.examples import read_examples, run_example
from support.instance import ROOT, Instance
from support.mail import imap_bodies

TEXT = "From: s@remote.example\r\nTo: alice@example.test\r\nSubject: hello\r\n\r\nbody\r\n"

# The world of the examples.
RECORDS = {
    ("remote.example", "MX"): [(10, "mail.remote.example")],
    ("mail.remote.example", "A"): ["192.0.2.10"],
    ("10.2.0.192.in-addr.arpa", "PTR"): ["mail.remote.example"],
    ("10.2.0.192.zen.example", "A"): ["127.0.0.4"],
    ("11.2.0.192.zen.example", "A"): ["127.0.0.4"],
    ("11.2.0.192.friends.example", "A"): ["127.0.0.2"],
}


# --- the documentation ---

def test_examples_of_the_documentation():
    examples = read_examples("policy.md")
    dns = DnsServer(RECORDS)
    with Instance() as server:
        server.add_config("dns {\n    server = 127.0.0.1@%d\n}\n" % dns.port)
        os.mkdir(os.path.join(server.root, "tables"))
        server.restart()
        with open(server.config_path) as f:
            base = f.read()
        checks = {c["check"] for c in server.mailctl_json("policy", "checks")}
        titles = {e.title for e in examples}
        assert checks <= titles, "not in docs/policy.md: %s" % (checks - titles)
        for example in examples:
            run_example(server, base, example)
    dns.close()


# --- sessions ---

def client(server, helo="client.test"):
    smtp = smtplib.SMTP("127.0.0.1", server.base + 25, local_hostname=helo)
    smtp.ehlo()
    return smtp


def refusal(smtp, sender, recipient):
    """(code, text) of what is refused, else None; the transaction is given up."""
    for code, text in (smtp.mail(sender), smtp.rcpt(recipient)):
        if code >= 400:
            smtp.rset()
            return code, text.decode()
    smtp.rset()
    return None


def instance(rules, tables=None, trusted=""):
    server = Instance()
    for name, text in (tables or {}).items():
        write(server, name, text)
    server.add_config("policy {\n    trusted_networks = \"%s\"\n}\n%s\n" % (trusted, rules))
    return server


def write(server, name, text):
    path = os.path.join(server.root, name)
    with open(path + ".new", "w") as f:
        f.write(text)
    os.rename(path + ".new", path)


def table(server, name="t"):
    return [t for t in server.mailctl_json("policy", "list")["tables"] if t["table"] == name][0]


SENDERS = "table t { path = senders }\nrule r { check = sender_table; table = t; text = No }"


def test_a_table_changes_without_a_reload():
    with instance(SENDERS, {"senders": "a@remote.example\n"}) as server:
        smtp = client(server)
        assert refusal(smtp, "a@remote.example", "alice@example.test") == (550, "5.7.1 No")
        assert refusal(smtp, "b@remote.example", "alice@example.test") is None
        write(server, "senders", "b@remote.example\nc@remote.example\n")
        wait_for(lambda: table(server)["entries"] == 2)
        # In the same session.
        assert refusal(smtp, "a@remote.example", "alice@example.test") is None
        assert refusal(smtp, "b@remote.example", "alice@example.test") == (550, "5.7.1 No")
        smtp.quit()


def test_a_wrong_table_keeps_the_old_one():
    with instance(SENDERS, {"senders": "a@remote.example\n"}) as server:
        smtp = client(server)
        write(server, "senders", "b@remote.example\nb@remote.example destroy\n")
        wait_for(lambda: table(server)["error"])
        assert refusal(smtp, "a@remote.example", "alice@example.test") == (550, "5.7.1 No")
        wrong = server.mailctl("status")
        assert re.search(r"table t is wrong, what was read before stays: .*senders:2: \"destroy\" is no action", wrong), wrong
        check = server.run_mailctl("config", "check", check=False)
        assert check.returncode == 1 and "table t: " in check.stderr and "senders:2:" in check.stderr, check.stderr
        server.mailctl("reload")  # is about the configuration, which is correct
        assert refusal(smtp, "a@remote.example", "alice@example.test") == (550, "5.7.1 No")
        write(server, "senders", "")
        wait_for(lambda: not table(server)["error"])
        assert refusal(smtp, "a@remote.example", "alice@example.test") is None
        assert "attention" not in server.mailctl("status")
        smtp.quit()


def test_a_missing_table_does_not_keep_mail_from_flowing():
    with instance(SENDERS, {"senders": "a@remote.example\n"}) as server:
        os.unlink(os.path.join(server.root, "senders"))
        server.restart()
        smtp = client(server)
        assert refusal(smtp, "a@remote.example", "alice@example.test") is None
        assert "cannot be used, its rules match nothing" in server.mailctl("status")
        write(server, "senders", "a@remote.example\n")
        wait_for(lambda: table(server)["entries"] == 1)
        assert refusal(smtp, "a@remote.example", "alice@example.test") == (550, "5.7.1 No")
        smtp.quit()


def test_a_table_of_a_new_configuration_must_be_readable():
    with instance(SENDERS, {"senders": "a@remote.example\n"}) as server:
        server.add_config("table u { path = missing }")
        reload = server.run_mailctl("reload", check=False)
        assert reload.returncode == 1 and "table u: " in reload.stderr, reload.stderr
        smtp = client(server)
        assert refusal(smtp, "a@remote.example", "alice@example.test") == (550, "5.7.1 No")
        smtp.quit()


def test_tags_are_in_the_message():
    rules = ("table t { path = t }\n"
             "rule a { check = sender_table; table = t; header = \"X-List: {sender}\" }\n"
             "rule b { check = helo_not_qualified; at = helo; action = tag; header = \"X-Helo: {helo}\" }\n"
             "rule c { check = sender_not_qualified; at = data; action = tag; header = \"X-Sender: odd\" }")
    with instance(rules, {"t": "a@remote.example tag\nb@localhost tag listed, {helo}\n"}) as server:
        smtp = client(server, "short")
        smtp.sendmail("a@remote.example", ["alice@example.test", "bob@example.test"], TEXT)
        smtp.sendmail("b@localhost", ["alice@example.test"], TEXT)
        smtp.sendmail("c@remote.example", ["alice@example.test"], TEXT)
        smtp.quit()
        bodies = [b.decode() for b in imap_bodies(server, "alice").values()]
        found = [re.findall(r"^(X-\w+: .*?)\r$", b, re.M) for b in bodies]
        assert sorted(found) == sorted([["X-Helo: short", "X-List: a@remote.example"],
                                        ["X-Helo: short", "X-List: listed, short", "X-Sender: odd"],
                                        ["X-Helo: short"]]), found
        for body in bodies:
            assert body.index("Received:") < body.index("X-Helo:") < body.index("Subject:")
        body, = [b.decode() for b in imap_bodies(server, "bob").values()]
        assert "X-List: a@remote.example\r\n" in body


def test_relay_by_address():
    rules = "rule r { check = helo_syntax }"
    with instance(rules, trusted="10.0.0.0/8") as server:
        smtp = client(server, "[x")
        assert refusal(smtp, "a@remote.example", "b@elsewhere.example")[0] == 550
        assert refusal(smtp, "a@remote.example", "alice@example.test")[0] == 550
        smtp.quit()
        server.replace_config('trusted_networks = "10.0.0.0/8"', "relay_networks = 127.0.0.0/8")
        server.mailctl("reload")
        smtp = client(server, "[x")
        assert refusal(smtp, "a@remote.example", "b@elsewhere.example") is None
        assert refusal(smtp, "a@remote.example", "alice@example.test") is None
        smtp.quit()
        # The same without a login where users hand in mail.
        with smtplib.SMTP("127.0.0.1", server.base + 587) as submission:
            submission.ehlo()
            assert refusal(submission, "a@example.test", "b@elsewhere.example") is None


def test_an_accept_gives_no_right_to_relay():
    rules = "table t { path = t }\nrule a { check = client_table; table = t; action = accept; at = connect }"
    with instance(rules, {"t": "127.0.0.1\n"}) as server:
        smtp = client(server)
        assert refusal(smtp, "a@remote.example", "b@elsewhere.example") == (550, "5.7.1 Relay access denied")
        assert refusal(smtp, "a@remote.example", "nobody@example.test")[0] == 550
        smtp.quit()


def test_turned_away_at_the_door():
    rules = "table t { path = t; type = cidr }\nrule a { check = client_table; table = t; at = connect; text = \"Not {client}\" }"
    with instance(rules, {"t": "127.0.0.0/8\n"}) as server:
        for action, line in (("", b"554 5.7.1 Not 127.0.0.1\r\n"), ("defer", b"421 4.7.1 Not 127.0.0.1\r\n"),
                             ("disconnect", b"421 4.7.1 Not 127.0.0.1\r\n")):
            if action:
                loaded = server.log().count("table loaded table=t ")
                write(server, "t", "127.0.0.0/8 %s\n" % action)
                wait_for(lambda: server.log().count("table loaded table=t ") > loaded)
            with server.connect("smtp") as s:
                assert s.makefile("rb").read() == line
        assert server.logged("policy: rule=a action=reject stage=connect peer=127.0.0.1 code=554")


def test_a_delay():
    """What was answered before leaves at once; the reply of the rule comes later. Others are served meanwhile."""
    with instance("rule a { check = helo_not_qualified; delay = 2s; text = Slowly }") as server:
        with server.connect("smtp") as s:
            lines = s.makefile("rb")
            lines.readline()
            begin = time.monotonic()
            s.sendall(b"EHLO short\r\nMAIL FROM:<a@remote.example>\r\nRCPT TO:<alice@example.test>\r\n")
            while not lines.readline().startswith(b"250 2.1.0"):
                pass
            other = client(server)
            assert refusal(other, "a@remote.example", "alice@example.test") is None
            other.quit()
            assert lines.readline() == b"550 5.5.2 Slowly\r\n"
            assert time.monotonic() - begin > 1.9


def test_dry_run_only_tells():
    with instance("rule a { check = helo_not_qualified; dry_run = yes }") as server:
        smtp = client(server, "short")
        smtp.sendmail("a@remote.example", ["alice@example.test"], TEXT)
        smtp.quit()
        assert re.search(r"policy: rule=a action=would-reject stage=rcpt peer=127.0.0.1 helo=<short> "
                         r"from=<a@remote.example> to=<alice@example.test> code=550 reason=\"short has no domain\"",
                         server.log())
        rule, = server.mailctl_json("policy", "list")["rules"]
        assert (rule["asked"], rule["matched"]) == (1, 1), rule


def test_a_refused_message():
    """At data each recipient of LMTP gets its own reply; of SMTP the message one."""
    with instance("rule a { check = sender_not_qualified; at = data; protocols = smtp lmtp; action = defer }") as server:
        smtp = client(server)
        smtp.mail("a@localhost")
        smtp.rcpt("alice@example.test")
        smtp.rcpt("bob@example.test")
        assert smtp.data(TEXT)[0] == 450
        assert smtp.noop()[0] == 250
        smtp.quit()
        with smtplib.LMTP(os.path.join(server.root, "run", "lmtp.sock")) as lmtp:
            lmtp.ehlo()
            lmtp.mail("a@localhost")
            lmtp.rcpt("alice@example.test")
            lmtp.rcpt("bob@example.test")
            assert lmtp.data(TEXT)[0] == 450
            assert lmtp.getreply()[0] == 450
            assert lmtp.noop()[0] == 250
        assert not imap_bodies(server, "alice")


def uncomment(text):
    """With the rules and tables that stand in comments."""
    return re.sub(r"^#((?:rule|table|    |\}|relay).*)$", r"\1", text, flags=re.M).replace("    #relay", "    relay")


def test_rules_that_come_along_are_correct():
    """Those of conf/maild.conf and of mailctl init, the ones in comments as well."""
    with open(os.path.join(ROOT, "conf", "maild.conf")) as f:
        shown = uncomment(f.read())
    shown = shown[shown.index("\npolicy {"):shown.index("# Mail for other servers")]
    with Instance() as server:
        made = os.path.join(server.directory, "made")
        server.run_mailctl("init", "--root", made, "--domain", "made.test", "--user", "x:secret", config=False)
        with open(os.path.join(made, "maild.conf")) as f:
            written = uncomment(f.read())
        written = written[written.index("\nrule "):]
        os.mkdir(os.path.join(server.root, "tables"))
        write(server, "tables/exceptions", "192.0.2.1\n")
        with open(server.config_path) as f:
            base = f.read()
        for rules, least in ((shown, 9), (written, 8)):
            assert rules.count("\nrule ") >= least, rules
            with open(server.config_path, "w") as f:
                f.write(base + rules)
            server.mailctl("config", "check")
