"""directory export and import: CSV and LDIF, all or nothing, and what other systems write."""

import base64
import hashlib
import os
import time

from e2e.test_embedded_directory import LONG, can_log_in
from support.instance import Instance

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


def test_export_and_import_are_inverse():
    for form in ("csv", "ldif"):
        with Instance() as one, Instance(users=(), domain="other.test") as two:
            fill(one)
            before = one.mailctl("directory", "export", "--format", form)
            path = write(one, "all." + form, before)
            assert "0 added, 0 changed, 10 unchanged" in one.mailctl("directory", "import", path)
            tried = two.mailctl("directory", "import", path, "--dry-run")
            assert "added user alice@example.test" in tried and "10 added" in tried, tried
            assert two.mailctl("user", "list", "other.test").count("\n") <= 1
            assert "10 added, 0 changed, 0 unchanged" in two.mailctl("directory", "import", path)
            two.mailctl("domain", "delete", "other.test")
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
