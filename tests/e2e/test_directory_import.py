"""directory export and import: CSV and LDIF, all or nothing, and what other systems write."""

import base64
import hashlib
import json
import os
import re
import stat
import subprocess
import time

from e2e.test_embedded_directory import LONG, can_log_in
from support.instance import ROOT, Instance

COLUMNS = ("type,address,name,password,disabled,protocols,quota_storage,quota_messages,forwards,keep_copy,members,"
           "internal,members_only\r\n")


def ssha(password):
    return "{SSHA}" + base64.b64encode(hashlib.sha1(password.encode() + b"salt").digest() + b"salt").decode()


def write(server, name, text):
    path = os.path.join(server.directory, name)
    with open(path, "wb") as f:
        f.write(text.encode())
    return path


def fill(server):
    server.mailctl("domain", "add", "relayed.test", "--relay", "[127.0.0.1]:2525", "--verify")
    server.mailctl("user", "set", "alice@example.test", "--name", 'Älice "A", B', "--forward", "c@far.test", "--no-copy",
                   "--protocols", "imap smtp")
    server.mailctl("quota", "set", "bob@example.test", "--storage", "5G")
    server.mailctl("user", "add", "carol@example.test", "--disable", "--password-stdin", stdin=LONG + "\n")
    server.mailctl("group", "add", "staff@example.test", "alice@example.test", "x@far.test", "--members-only",
                   "--name", "The Staff")
    server.mailctl("group", "add", "empty@example.test")
    server.mailctl("address", "add", "info@example.test", '"a b"@far.test', "bob@example.test", "--internal")
    server.mailctl("address", "add", '"x y"@example.test', "bob@example.test")
    server.mailctl("send-as", "add", '"x y"@example.test', "bob@example.test")
    server.mailctl("address", "add", "all@*", ":public:Team \"A, B\"", '"a \\" b"@far.test', ":discard:")
    key = os.path.join(server.directory, "key")
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True, capture_output=True)
    server.mailctl("domain", "add", "many.test", "--virtual", "--subdomains", "--copy", "a@far.test", "--copy", "b@far.test",
                   "--quota", "5G", "--quota-messages", "unlimited", "--disclaimer",
                   write(server, "text", "  Größe,\n\"*quoted*\"\n"), "--dkim-selector", "s1", "--dkim-key", key)
    server.mailctl("domain", "add", "alias.test", "--alias-of", "many.test")
    server.mailctl("domain", "set", "example.test", "--catch-all", ":public:Lost and found")
    server.mailctl("address", "rule", "add", "z", '^"?sales-(.*)@', "$1@example.test", ":public:Sales 1", "--internal")
    server.mailctl("address", "rule", "add", "a", "^x, y", "bob@example.test", "--domain", "many.test")
    server.mailctl("group", "set", "staff@example.test", "--send-as", "--public-mailbox", "The Staff")
    server.mailctl("send-as", "add", "info@example.test", "alice@example.test", "staff@example.test")
    server.mailctl("send-as", "add", "@many.test", "bob@example.test")


def test_export_and_import_are_inverse():
    for form in ("csv", "ldif", "json"):
        with Instance() as one, Instance(users=(), domain="other.test") as two:
            fill(one)
            before = one.mailctl("directory", "export", "--format", form)
            path = write(one, "all." + form, before)
            assert "0 added, 0 changed, 19 unchanged" in one.mailctl("directory", "import", path)
            tried = two.mailctl("directory", "import", path, "--dry-run")
            assert "added user alice@example.test" in tried and "19 added" in tried, tried
            assert two.mailctl("user", "list", "other.test").count("\n") <= 1
            assert "19 added, 0 changed, 0 unchanged" in two.mailctl("directory", "import", path)
            assert 'directory: rule add name=z by=root members="$1@example.test :public:Sales 1"' in two.log()
            assert "PRIVATE KEY" not in two.log() and "$y$" not in two.log()
            two.mailctl("domain", "delete", "other.test", "--yes")
            assert two.mailctl("directory", "export", "--format", form) == before
            assert can_log_in(two, "alice@example.test", "secret")
            assert not can_log_in(two, "carol@example.test", LONG)
            for line in before.splitlines():
                if form == "ldif":
                    assert len(line) <= 76, line


def test_all_or_nothing():
    with Instance() as server:
        before = server.mailctl("directory", "export")
        path = write(server, "users.csv", COLUMNS
                     + "user,new@example.test,,{PLAIN}%s,,,,,,,,,\r\n" % LONG
                     + "user,alice@example.test,,{SSHA}x,,,,,,,,,\r\n"
                     + "user,x@nowhere.test,,{PLAIN}%s,,,,,,,,,\r\n" % LONG
                     + "group,new@example.test,,,,,,,,,,,\r\n"
                     + "group,loop@example.test,,,,,,,,,loop@example.test,,\r\n"
                     + "user,y@example.test,,\"$argon2id$v=19$m=8388608,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2g\",,,,,,,,,\r\n"
                     + "user,z@example.test,,,,,,,,,,,\r\n"
                     + "user,bob@example.test,,,perhaps,,,,,,,,\r\n")
        for option in ((), ("--dry-run",)):
            result = server.run_mailctl("directory", "import", path, *option, check=False)
            assert result.returncode == 1 and "7 wrong" in result.stderr, result
            for line, what in ((3, "malformed {SSHA}"), (4, "no domain nowhere.test"), (5, "in line 2 already"),
                               (6, "in itself"), (7, "cost"), (8, "needs a password"), (9, "perhaps")):
                assert any(":%d: " % line in text and what in text for text in result.stderr.splitlines()), (what, result)
        assert server.mailctl("directory", "export") == before
        for text, what in (("type,nonsense\r\n", "no column"), ("address\r\na,b\r\n", "line 2: 2 fields"),
                           ('address\r\n"a\r\n', "line 2: a quote"), ("", "no line")):
            result = server.run_mailctl("directory", "import", write(server, "bad.csv", text), check=False)
            assert result.returncode == 1 and what in result.stderr, result


def test_changes():
    with Instance() as server:
        path = write(server, "users.csv", "email,name,quota,forward\r\nALICE@example.test,A.,5G,c@far.test d@far.test\r\n")
        tried = server.mailctl("directory", "import", path, "--dry-run")
        assert ":2: changed user ALICE@example.test" in tried and "1 changed" in tried, tried
        assert server.mailctl_json("user", "show", "alice")["forwards"] == []
        server.mailctl("directory", "import", path)
        user = server.mailctl_json("user", "show", "alice")
        assert user["forwards"] == ["c@far.test", "d@far.test"] and user["quota_storage"] == 5 << 30, user
        assert "1 unchanged" in server.mailctl("directory", "import", path)
        assert can_log_in(server, "alice", "secret")
        server.mailctl("directory", "import", write(server, "users.csv", "address,forwards\nalice@example.test,-\n"))
        user = server.mailctl_json("user", "show", "alice")
        assert user["forwards"] == [] and user["name"] == "A.", user
        assert "directory: directory import name=1-records by=" in server.log()


def test_what_would_change():
    """Field by field, before anything is; the same is in the log afterwards."""
    with Instance() as server:
        fill(server)
        lines = [{"type": "domain", "address": "Example.test", "subdomains": True, "catch_all": "-"},
                 {"type": "address", "address": "info@example.test", "members": ["BOB@example.test", "new@far.test"]},
                 {"type": "group", "address": "staff@example.test", "members": [], "public_mailbox": "Other",
                  "members_only": True},
                 {"type": "rule", "address": "z", "pattern": "^z"},
                 {"type": "send_as", "address": "@many.test", "members": ["alice@example.test"]},
                 {"address": "alice@example.test", "password": "{PLAIN}" + LONG, "quota_storage": 1000, "forwards": None},
                 {"address": "bob@example.test", "quota": "5G"}]
        path = write(server, "some.json", "\n".join(json.dumps(line) for line in lines))
        before = server.mailctl("directory", "export")
        tried = server.mailctl("directory", "import", path, "--dry-run")
        for text in ("1: changed domain Example.test\n    subdomains      no -> yes\n"
                     "    catch_all       :public:Lost and found -> none\n",
                     '    members         "a b"@far.test, bob@example.test -> BOB@example.test, new@far.test\n',
                     "    members         alice@example.test, x@far.test -> none\n"
                     "    public_mailbox  The Staff -> Other\n",
                     '    pattern         ^"?sales-(.*)@ -> ^z\n',
                     "    members         bob@example.test -> alice@example.test\n",
                     "    password        (set) -> (new)\n", "    quota_storage   default -> 1000\n",
                     "0 added, 6 changed, 1 unchanged"):
            assert text in tried, (text, tried)
        assert LONG not in tried and server.mailctl("directory", "export") == before
        result = server.mailctl_json("directory", "import", path, "--dry-run")
        assert result["changed"] == 6 and result["records"][0]["fields"] == [
            {"field": "subdomains", "old": "no", "new": "yes"},
            {"field": "catch_all", "old": ":public:Lost and found", "new": None}], result
        server.mailctl("directory", "import", path, "--kind", "rule,send-as")
        assert server.mailctl_json("address", "rule", "show", "z")["pattern"] == "^z"
        assert "6 changed" not in server.mailctl("directory", "import", path)
        assert server.logged('directory: domain set name=Example.test by=root subdomains="yes" catch_all=none')
        assert LONG not in server.log()
        assert "0 added, 0 changed, 5 unchanged" in server.mailctl(
            "directory", "import", path, "--kind", "domain,address,group,rule,send-as")


def test_export_into_a_file():
    with Instance() as server:
        path = os.path.join(server.directory, "all.ldif")
        assert "only you may read it" in server.mailctl("directory", "export", "--output", path)
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        with open(path) as f:
            assert f.read() == server.mailctl("directory", "export", "--format", "ldif")
        only = [json.loads(line) for line in server.mailctl(
            "directory", "export", "--format", "json", "--kind", "domain").splitlines()]
        assert [r["type"] for r in only] == ["domain"], only
        for arguments, what in ((["--kind", "nonsense"], "none of domain"), (["--format", "aliases"], "csv, ldif or json"),
                                (["--output", "/nowhere/x"], "/nowhere/x")):
            result = server.run_mailctl("directory", "export", *arguments, check=False)
            assert result.returncode != 0 and what in result.stderr, result


def test_hostile_files():
    """Each is refused with its line; nothing is changed, and the server goes on."""
    with Instance() as server:
        before = server.mailctl("directory", "export")
        address = '{"type": "address", "address": "a@example.test", '
        for name, text, what in (
                ("a.json", '{"address": "x"', "line 1"), ("a.json", "\n\n[1]", "line 3: an object"),
                ("a.json", address + '"members": ' + "[" * 100000, "line 1"),
                ("a.json", '{"nonsense": 1}', 'no member "nonsense"'), ("a.json", '{"address": "bob@example.test", "disabled": "perhaps"}', "perhaps"),
                ("a.json", '{"disabled": 3}', "true or false"), ("a.json", address + '"members": [3]}', "a list of strings"),
                ("a.json", '{"address": "\\u0000"}', "line 1"), ("a.json", '{"address": "a", "login": "b"}', "twice"),
                ("a.json", '{"type": "nonsense"}', "none of domain"), ("a.json", '[{"type": "user"} {}]', "a comma"),
                ("a.csv", "address\r\na\0b@example.test\r\n", "UTF-8"),
                ("a.csv", "address,members\r\nb@example.test," + "x" * 2000000 + "\r\n", ""),
                ("a.csv", ",".join("x%d" % i for i in range(200)), "line 1"),
                ("a.ldif", "dn: x\nobjectClass: inetOrgPerson\nmail: a@example.test\ncn:: /w==\n", "UTF-8")):
            result = server.run_mailctl("directory", "import", write(server, name, text), check=False)
            assert result.returncode == 1 and what in result.stderr, (text[:100], result.stderr[-1000:])
        assert server.mailctl("directory", "export") == before


ALIASES = """# /etc/aliases
mailer-daemon: postmaster
postmaster:    root
root: alice,
    carol@far.test (away)
alice: \\alice, archive@far.test
nobody: /dev/null
"Big Boss": "Bob B." <bob@example.test>
list: :include:/etc/maild/list
prog: "|/usr/bin/procmail -t", bob
spool: /var/mail/spool
"""


def test_aliases():
    with Instance() as server:
        path = write(server, "aliases", ALIASES)
        result = server.run_mailctl("directory", "import", path, "--domain", "example.test", check=False)
        assert result.returncode == 1 and "2 destinations that maild has nothing for" in result.stderr, result
        assert ":10: a program; Sieve filters mail here: |/usr/bin/procmail -t\n" in result.stderr, result
        assert ":11: a file; mail is stored in mailboxes only: /var/mail/spool\n" in result.stderr, result
        assert "Boss" not in server.mailctl("address", "list")
        skip = ("directory", "import", path, "--domain", "example.test", "--skip-unsupported")
        tried = server.mailctl(*skip, "--dry-run")
        assert ":6: changed user alice@example.test\n    forwards        none -> archive@far.test\n" in tried, tried
        assert "6 added, 2 changed, 0 unchanged; 2 destinations left out" in tried, tried
        server.mailctl(*skip)
        found = {a["address"]: a["destinations"] for a in server.mailctl_json("address", "list")}
        assert found["root@example.test"] == ["alice@example.test", "carol@far.test"], found
        assert found["postmaster@example.test"] == ["root@example.test"], found
        assert found["nobody@example.test"] == [":discard:"] and found["prog@example.test"] == ["bob@example.test"], found
        assert found[next(a for a in found if "big boss" in a)] == ["bob@example.test"], found
        user = server.mailctl_json("user", "show", "alice@example.test")
        assert user["forwards"] == ["archive@far.test"] and user["keep_copy"], user
        assert "0 added, 0 changed, 8 unchanged" in server.mailctl(*skip)
        for arguments, status, what in ((["--format", "aliases"], 2, "--domain is needed"),
                                        (["--format", "csv", "--domain", "example.test"], 2, "aliases"),
                                        (["--domain", "nowhere.test", "--skip-unsupported"], 1, "no domain nowhere.test")):
            result = server.run_mailctl("directory", "import", path, *arguments, check=False)
            assert result.returncode == status and what in result.stderr, (arguments, result)
        bad = server.run_mailctl("directory", "import", write(server, "aliases", "a: b\nno colon\n"), "--domain",
                                 "example.test", "--skip-unsupported", check=False)
        assert bad.returncode == 1 and ":2: " in bad.stderr and "1 wrong, so nothing was changed" in bad.stderr, bad


LDIF = """# from ldapsearch
version: 1

dn: dc=example,dc=test
objectClass: domain
dc: example

dn: uid=dora,ou=people,dc=example,dc=test
objectClass: inetOrgPerson
objectClass: mailUser
uid: dora
cn: Dora
cn:: RMO2cmEgRC4=
sn: D
mail: Dora@Example.test
mailAlternateAddress: d.dora@exam
 ple.test
mailForwardingAddress: dora@far.test
mailQuota: 1000000
mailUserStatus: active
userPassword:: %s

dn: uid=emil,ou=people,dc=example,dc=test
objectClass: posixAccount
uid: emil
mail: emil@example.test
accountStatus: disabled
userPassword: {CRYPT}$6$rounds=1000$abcdefgh$nhYjN017qxiYztzyUpZtPnUQcnLy62KsunSLHNeLah
 p2EHPlAKmFFlrjEwSXGo2kgY5hR2.peKEg2VGUqIJJu1

dn: cn=team,ou=groups,dc=example,dc=test
objectClass: groupOfNames
cn: team
mail: team@example.test
member: uid=dora, ou=People,dc=example,dc=test
member: uid=emil,ou=people,dc=example,dc=test

# search result
search: 2
result: 0 Success
"""


def documented_commands(program):
    """The command of the page of migration that begins with it, with the lines that it goes on in."""
    with open(os.path.join(ROOT, "docs", "migration-from-postfix-and-dovecot.md")) as f:
        text = f.read()
    return re.search(r"^%s (?:.*[|\\\\]\n)*.*\n" % program, text, re.MULTILINE).group()


def test_users_of_mysql_and_of_passwd_files_as_documented():
    """Commas and quotes are in names and in hashes (Argon2), and split no value."""
    argon = "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$c29tZXNhbHQxMjM0NTY$" \
            "cSrrOYmQmFg4hWbJbPVrKdd7dP0rNcW1KXhSp6SfxzE"
    with Instance() as server:
        bin = os.path.join(server.directory, "bin")
        os.mkdir(bin)
        with open(os.path.join(bin, "mysql"), "w") as f:
            f.write("#!/bin/sh\nprintf 'address\\tname\\tpassword\\n"
                    "carol@example.test\\tCarol \"the boss\" Smith, Dr.\\t%s\\n'\n" % argon)
        os.chmod(os.path.join(bin, "mysql"), 0o755)
        write(server, "passwd", "dave@example.test:%s::::::\n" % argon)
        environment = dict(os.environ, PATH=bin + ":" + os.environ["PATH"])
        for program, user, name in (("mysql", "carol", 'Carol "the boss" Smith, Dr.'), ("awk", "dave", "")):
            command = documented_commands(program).replace("/etc/dovecot/users", "passwd")
            subprocess.run(command, shell=True, check=True, cwd=server.directory, env=environment)
            server.mailctl("directory", "import", os.path.join(server.directory, "users.csv"))
            shown = server.mailctl_json("user", "show", user + "@example.test")
            assert shown["name"] == name, shown
            (exported,) = [r for r in server.mailctl_json("directory", "export", "--kind", "user")
                           if r.get("address", r.get("login")) == user + "@example.test"]
            assert exported["password"].endswith(argon.split("}")[1]), exported


def test_what_ldap_servers_write():
    with Instance() as server:
        text = LDIF % base64.b64encode(ssha("sesame").encode()).decode()
        told = server.mailctl("directory", "import", write(server, "people.ldif", text))
        assert "4 added" in told and "1 entries" in told, told
        dora = server.mailctl_json("user", "show", "dora@example.test")
        assert dora["addresses"] == ["d.dora@example.test"] and dora["forwards"] == ["dora@far.test"], dora
        assert dora["quota_storage"] == 1000000 and dora["name"] == "Dora", dora
        assert server.mailctl_json("user", "show", "emil@example.test")["disabled"]
        assert server.mailctl_json("group", "show", "team@example.test")["members"] == [
            "Dora@example.test", "emil@example.test"]
        assert can_log_in(server, "dora@example.test", "sesame")
        for bad, what in ((text.replace("uid=dora, ou", "uid=nora, ou"), "no entry of this name"),
                          (text.replace("uid: dora", "uid:< file:///etc/passwd"), "other files"),
                          (text.replace("sn: D", "changetype: delete"), "changes of entries"),
                          (text.replace("userPassword:: ", "userPassword:: !"), "base64"),
                          (text.replace("mail: emil@", "mail: d.dora@"), "already")):
            result = server.run_mailctl("directory", "import", write(server, "bad.ldif", bad), check=False)
            assert result.returncode == 1 and what in result.stderr, (what, result)


def test_five_thousand_users():
    with Instance() as server:
        users = "".join("u%d@example.test,User %d,%s,u%d@far.test\r\n" % (i, i, ssha("sesame%d" % i), i)
                        for i in range(5000))
        path = write(server, "many.csv", "address,name,password,forwards\r\n" + users)
        begun = time.monotonic()
        assert "5000 added" in server.mailctl("directory", "import", path)
        assert "5000 unchanged" in server.mailctl("directory", "import", path)
        exported = server.mailctl("directory", "export")
        assert len(exported.splitlines()) == 5006, len(exported.splitlines())
        print("import, import again and export of 5,000 users: %.1f s" % (time.monotonic() - begun))
        assert can_log_in(server, "u4999@example.test", "sesame4999")
