"""What operators change of domains, addresses, rules, groups and delegations: the verbs, what they say of wrong use,
the log, and that each change holds for the next RCPT."""

import os
import smtplib
import subprocess

from support.instance import Instance


def wrong(server, text, *arguments, status=(1, 4)):
    """It fails and says why, in a line for people."""
    result = server.run_mailctl(*arguments, check=False)
    assert result.returncode in (status if isinstance(status, tuple) else (status,)) and text in result.stderr, (arguments, result)
    assert result.stderr.startswith("mailctl: "), result


def make_key(server, name, *arguments):
    path = os.path.join(server.directory, name)
    subprocess.run(["openssl", *[path if a == "FILE" else a for a in arguments]], check=True, capture_output=True)
    return path


class Asking:
    """A session that stays open over all changes: nothing is remembered of before."""

    def __init__(self, server):
        self.session = smtplib.SMTP("127.0.0.1", server.port("smtp"), timeout=60)
        self.session.ehlo("client.test")

    def __call__(self, address):
        self.session.rset()
        self.session.mail("s@elsewhere.test")
        return self.session.rcpt(address)[0]


def test_changes_hold_for_the_next_recipient():
    server = Instance()
    server.add_config('policy { trusted_networks = "" }')
    with server:
        rcpt = Asking(server)
        for address in ("info@example.test", "x@new.test", "sales-bob@example.test", "all@example.test",
                        "any@virtual.test", "team@sub.new.test", "nobody@example.test"):
            assert rcpt(address) in (550, 554), address
        server.mailctl("address", "add", "info@example.test", "bob@example.test")
        assert rcpt("info@example.test") == 250
        server.mailctl("address", "set", "info@example.test", "--internal")
        assert rcpt("info@example.test") == 550
        server.mailctl("address", "set", "info@example.test", "alice@example.test", "--public")
        assert rcpt("info@example.test") == 250
        server.mailctl("address", "delete", "info@example.test")
        assert rcpt("info@example.test") == 550

        server.mailctl("domain", "add", "new.test", "--alias-of", "example.test")
        assert rcpt("bob@new.test") == 250 and rcpt("team@sub.new.test") in (550, 554)
        server.mailctl("domain", "set", "new.test", "--subdomains")
        assert rcpt("bob@sub.new.test") == 250
        server.mailctl("domain", "set", "new.test", "--sink", "--no-subdomains")
        assert rcpt("whoever@new.test") == 250 and rcpt("bob@sub.new.test") in (550, 554)
        server.mailctl("domain", "delete", "new.test", "--yes")
        assert rcpt("bob@new.test") in (550, 554)

        server.mailctl("address", "rule", "add", "sales", "^sales-(.*)@", "$1@example.test")
        assert rcpt("sales-bob@example.test") == 250 and rcpt("sales-carol@example.test") == 550
        server.mailctl("address", "rule", "set", "sales", "--internal")
        assert rcpt("sales-bob@example.test") == 550
        server.mailctl("address", "rule", "add", "first", "^sales-", "alice@example.test", "--before", "sales")
        assert rcpt("sales-bob@example.test") == 250
        server.mailctl("address", "rule", "move", "first", "--last")
        assert rcpt("sales-bob@example.test") == 550
        server.mailctl("address", "rule", "delete", "sales")
        assert rcpt("sales-bob@example.test") == 250

        server.mailctl("group", "add", "all@example.test", "alice@example.test", "bob@example.test")
        assert rcpt("all@example.test") == 250
        server.mailctl("group", "set", "all@example.test", "--internal")
        assert rcpt("all@example.test") == 550
        server.mailctl("group", "set", "all@example.test", "--public")
        assert rcpt("all@example.test") == 250
        server.mailctl("group", "set", "all@example.test", "--disable")
        assert rcpt("all@example.test") == 550

        server.mailctl("domain", "set", "example.test", "--catch-all", "bob@example.test")
        assert rcpt("nobody@example.test") == 250
        server.mailctl("domain", "set", "example.test", "--no-catch-all")
        assert rcpt("nobody@example.test") == 550
        server.mailctl("address", "add", "any@*", "alice@example.test")
        assert rcpt("any@example.test") == 250


def test_domains():
    with Instance() as server:
        key, small = make_key(server, "key", "genrsa", "-out", "FILE", "2048"), make_key(server, "small", "genrsa", "-out", "FILE", "512")
        edwards = make_key(server, "edwards", "genpkey", "-algorithm", "ed25519", "-out", "FILE")
        curve = make_key(server, "curve", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "FILE")
        disclaimer = os.path.join(server.directory, "text")
        with open(disclaimer, "w") as f:
            f.write("Regards,\n*Example*\n")
        server.mailctl("domain", "add", "Sub.Example.NET", "--virtual", "--subdomains", "--copy", "a@far.test", "--copy",
                       "b@far.test", "--quota", "5G", "--quota-messages", "100", "--disclaimer", disclaimer,
                       "--dkim-selector", "s1", "--dkim-key", key)
        shown = server.mailctl_json("domain", "show", "sub.example.net")
        assert shown.pop("dkim_record").startswith("v=DKIM1; k=rsa; p=MII"), shown
        assert shown == {
            "name": "sub.example.net", "kind": "virtual", "relay": "", "verify": False, "alias_of": "", "subdomains": True,
            "catch_all": "", "copies": ["a@far.test", "b@far.test"], "quota_storage": 5 << 30, "quota_messages": 100,
            "disclaimer": "Regards,\n*Example*\n", "dkim_selector": "s1", "dkim_key": "rsa 2048", "source": "embedded"}
        text = server.mailctl("domain", "show", "sub.example.net")
        assert "dkim        rsa 2048, selector s1\ndisclaimer  Regards,\n            *Example*\n" in text, text
        server.mailctl("domain", "set", "sub.example.net", "--no-copy", "--no-quota", "--no-disclaimer", "--dkim-key", edwards)
        now = server.mailctl_json("domain", "show", "sub.example.net")
        assert now["copies"] == [] and now["quota_storage"] == now["quota_messages"] == -1 and now["disclaimer"] == ""
        assert now["dkim_key"] == "ed25519" and now["dkim_selector"] == "s1" and now["subdomains"], now
        server.mailctl("domain", "set", "sub.example.net", "--no-dkim", "--local", "--catch-all", ":discard:")
        now = server.mailctl_json("domain", "show", "sub.example.net")
        assert now["dkim_key"] == now["dkim_selector"] == "" and now["catch_all"] == ":discard:", now
        assert "BEGIN" not in server.log() and "dkim_key=set" in server.log()
        assert 'directory: domain set name=sub.example.net by=root kind="local" catch_all=":discard:"' in server.log()

        for text, arguments in (
                ("512 bits", ["--dkim-key", small]), ("RSA nor Ed25519", ["--dkim-key", curve]),
                ("no PEM", ["--dkim-key", disclaimer]), ("No such file", ["--dkim-key", "/nowhere"]),
                ("is not a size", ["--quota", "much"]),
                ("domain missing", ["--catch-all", "x"]),
                ("", ["--copy", "nonsense"]), ("", ["--alias-of", "nowhere.test"]),
                ("", ["--alias-of", "sub.example.net"])):
            wrong(server, text, "domain", "set", "sub.example.net", *arguments)
        for text, arguments in (
                ("one of --local", ["--local", "--sink"]), ("contradict", ["--copy", "x@far.test", "--no-copy"]),
                ("contradict", ["--dkim-key", key, "--no-dkim"]), ("nothing to change", []),
                ("unknown option", ["--nonsense"]), ("needs a value", ["--quota"])):
            wrong(server, text, "domain", "set", "sub.example.net", *arguments, status=2)
        wrong(server, "there is no domain", "domain", "set", "none.test", "--sink")
        wrong(server, "exists already", "domain", "add", "sub.example.net")
        assert server.mailctl_json("domain", "show", "sub.example.net") == now


def test_deleting_a_domain_that_is_used():
    with Instance() as server:
        server.mailctl("domain", "add", "old.test")
        server.mailctl("user", "add", "u@old.test", "--password-stdin", stdin="a long enough one\n")
        server.mailctl("address", "add", "a@old.test", "bob@example.test")
        server.mailctl("group", "add", "g@old.test", "bob@example.test")
        server.mailctl("domain", "add", "alias.test", "--alias-of", "old.test")
        wrong(server, "alias.test is an alias of it", "domain", "delete", "old.test", "--force", "--yes")
        server.mailctl("domain", "delete", "alias.test", "--yes")
        wrong(server, "old.test", "domain", "delete", "old.test", "--yes")
        assert server.mailctl("domain", "delete", "old.test", "--force", "--yes") == (
            "deleted old.test with 1 user, 1 address, 1 group; the mail is still on disk\n")
        assert server.logged("directory: domain delete name=old.test by=root users=1 addresses=1 groups=1 rules=0")
        wrong(server, "no domain", "domain", "show", "old.test")
        assert server.mailctl("address", "list").count("old.test") == 0
        server.mailctl("domain", "add", "empty.test")
        assert server.mailctl_json("domain", "delete", "empty.test", "--yes")["deleted"]


def test_addresses_rules_and_delegations():
    with Instance() as server:
        assert server.mailctl("address", "add", "info@*", "alice@example.test", ":public:Team Mail", "--internal") == (
            "info@* leads to alice@example.test\ninfo@* leads to :public:Team Mail\n")
        assert server.mailctl_json("address", "show", "INFO@*") == {
            "address": "info@*", "destinations": [":public:Team Mail", "alice@example.test"], "internal": True,
            "source": "embedded"}
        wrong(server, "no address", "address", "add", "x@example.test", "bob@example.test", "no address")
        wrong(server, "not listed", "address", "show", "x@example.test")
        for destination in (":nonsense:", ":include:relative", ":public:", "bob"):
            wrong(server, "", "address", "add", "x@example.test", destination)
        wrong(server, "own destination", "address", "add", "x@example.test", "x@example.test")
        wrong(server, "no domain", "address", "add", "x@far.test", "bob@example.test")
        wrong(server, "nothing to change", "address", "set", "info@*", status=2)
        server.mailctl("address", "delete", "info@*", ":public:Team Mail")
        assert server.mailctl_json("address", "list", "*")[0]["destinations"] == ["alice@example.test"]
        assert server.logged('address delete name=info@* by=root destinations=":public:Team Mail"')

        server.mailctl("address", "rule", "add", "sales", "^sales-(.*)@", "$1@example.test", ":public:Sales")
        server.mailctl("address", "rule", "add", "one", "^x", "bob@example.test", "--domain", "example.test", "--before", "sales")
        assert [r["name"] for r in server.mailctl_json("address", "rule", "list")] == ["one", "sales"]
        assert server.mailctl("address", "rule", "test", "sales-bob@Example.test") == (
            "sales-bob@example.test fits the rule sales and leads to bob@example.test, :public:Sales\n")
        assert server.mailctl_json("address", "rule", "test", "xx@example.test")["rule"] == "one"
        wrong(server, "no rule fits", "address", "rule", "test", "bob@example.test")
        wrong(server, "not ours", "address", "rule", "test", "bob@far.test")
        wrong(server, "missing closing parenthesis", "address", "rule", "add", "bad", "^(x", "bob@example.test")
        wrong(server, "there is no rule", "address", "rule", "move", "one", "--before", "none")
        wrong(server, "say --before", "address", "rule", "move", "one", status=2)
        wrong(server, "usage:", "address", "rule", "add", "bad", "^x", status=2)
        wrong(server, "exists", "address", "rule", "add", "one", "^x", "bob@example.test")
        assert server.mailctl_json("address", "rule", "show", "one") == {
            "number": 1, "name": "one", "pattern": "^x", "domain": "example.test", "destinations": ["bob@example.test"],
            "internal": False, "source": "embedded"}

        server.mailctl("group", "add", "staff@example.test", "alice@example.test", "--send-as", "--public-mailbox", "Staff")
        group = server.mailctl_json("group", "show", "staff@example.test")
        assert group["send_as"] and group["public_mailbox"] == "Staff" and group["source"] == "embedded", group
        wrong(server, "contradict", "group", "set", "staff@example.test", "--send-as", "--no-send-as", status=2)
        server.mailctl("send-as", "add", "boss@example.test", "alice@example.test", "staff@example.test")
        server.mailctl("send-as", "add", "@example.test", "bob@example.test")
        assert server.mailctl_json("send-as", "list", "staff@example.test") == [
            {"address": "boss@example.test", "grantee": "staff@example.test", "source": "embedded"}]
        wrong(server, "", "send-as", "add", "boss@example.test", "alice@example.test")
        wrong(server, "", "send-as", "add", "c@example.test", "alice@example.test", "not an address")
        assert len(server.mailctl_json("send-as", "list")) == 3
        server.mailctl("send-as", "delete", "boss@example.test")
        assert len(server.mailctl_json("send-as", "list")) == 1
        for line in ('address rule add name=sales by=root pattern="^sales-(.*)@"', 'send-as add name=@example.test by=root',
                     'group add name=staff@example.test by=root members="alice@example.test" send_as=yes'):
            assert server.logged("directory: " + line)


def test_help_is_whole():
    with Instance() as server:
        for group in ("domain", "address", "address rule", "group", "send-as", "directory"):
            listed = server.mailctl(*group.split(), "--help")
            for line in listed.splitlines():
                words = line.split()[1:]
                name = words[:next((i for i, w in enumerate(words) if not w.islower()), len(words))]
                text = server.mailctl(*name, "--help")
                assert text.startswith("usage: mailctl " + " ".join(name)), (name, text)
                assert all(len(row) <= 100 for row in text.splitlines() if row.startswith(" ")), text
