"""Directories that are added, removed or changed by a reload, while they are asked."""

import threading

from support import wait_for
from support.ldap_logins import PROTOCOLS, LdapInstance, Line, kind_of, login, recipient, slapd_block
from support.ldap_proxy import LdapProxy
from support.mail import imap, inject
from support.slapd import Slapd

TEXT = "From: s@elsewhere.test\r\nSubject: x\r\n\r\nx\r\n"


def config_of(server):
    with open(server.config_path) as f:
        return f.read()


def reload(server, text):
    """What the server says that it has changed."""
    with open(server.config_path, "w") as f:
        f.write(text)
    told = server.mailctl_json("reload")
    assert told["restart_needed"] == [], told
    assert "sesame" not in str(told) and "topsecret" not in str(told), told
    return {change["setting"]: change["change"] for change in told["changes"]}


def sources(server):
    return [source["name"] for source in server.mailctl_json("directory", "show")["sources"]]


def test_a_service_account_gets_its_password():
    with Slapd(users=2) as ldap, LdapInstance(slapd_block(ldap, bind_password="topsecret")) as server:
        right = config_of(server).replace("bind_password = topsecret", slapd_password(ldap))
        assert login(server, "anna", "sesame-anna") == "later"
        assert reload(server, right) == {"ldap people.bind_password": "changed"}
        assert login(server, "anna", "sesame-anna", PROTOCOLS) == "yes" and login(server, "anna", "wrong") == "no"
        assert 'name="ldap people.bind_password" change=hidden' in server.log()
        assert "topsecret" not in server.log()


def slapd_password(ldap):
    return next(line.strip() for line in slapd_block(ldap).split("\n") if "bind_password" in line)


def test_sources_come_and_go():
    """One that is added is asked, in its place; one that is removed is not, and its connections end."""
    with Slapd(users=2) as ldap, LdapProxy(ldap.port) as proxy, LdapInstance(users=("anna", "root")) as server:
        without = config_of(server)
        block = slapd_block(ldap, servers=proxy.uri)
        box = imap(server, "root")
        assert login(server, "clara", "sesame-clara") == "no"
        assert reload(server, without + block) == {"ldap people": "added"}
        assert sources(server) == ["embedded", "people"]
        assert login(server, "clara", "sesame-clara", PROTOCOLS) == "yes" and login(server, "anna", "secret") == "yes"
        first = without.replace("directory {", "directory {\n    sources = people, embedded")
        connected = set(proxy.connections)
        assert reload(server, first + block) == {"directory.sources": "changed"}
        assert sources(server) == ["people", "embedded"]
        assert login(server, "anna", "sesame-anna") == "yes" and login(server, "anna", "secret") == "no"
        assert login(server, "root", "secret") == "yes"
        assert connected and connected <= proxy.connections  # it goes on with those that it has
        assert reload(server, without) == {"directory.sources": "changed", "ldap people": "removed"}
        assert login(server, "clara", "sesame-clara") == "no" and login(server, "anna", "secret") == "yes"
        assert recipient(server, "clara@example.test").startswith("550")
        wait_for(lambda: not proxy.connections, "the connections to the server stay")
        assert box.noop()[0] == "OK"


def test_one_that_is_down_is_added():
    with Slapd(users=2) as ldap, LdapInstance(users=("root",)) as server:
        ldap.stop()
        assert reload(server, config_of(server) + slapd_block(ldap)) == {"ldap people": "added"}
        assert login(server, "clara", "sesame-clara") == "later" and login(server, "root", "secret") == "yes"
        ldap.start()
        wait_for(lambda: login(server, "clara", "sesame-clara") == "yes", "no login when it is there")


def test_what_is_under_way_ends_on_the_old_one():
    with Slapd(users=2) as ldap, LdapProxy(ldap.port) as old, \
            LdapInstance(slapd_block(ldap, servers=old.uri, timeout="60s")) as server:
        assert login(server, "anna", "sesame-anna") == "yes"
        old.set("stall")
        with Line(server, "imaps") as line:
            line.send('a LOGIN "anna" "sesame-anna"')
            wait_for(lambda: old.held, "nothing is asked")
            changes = reload(server, config_of(server).replace(old.uri, ldap.uri).replace("60s", "50s"))
            assert changes == {"ldap people.servers": "changed", "ldap people.timeout": "changed"}, changes
            assert login(server, "anna", "sesame-anna", PROTOCOLS) == "yes"
            assert recipient(server, "clara@example.test").startswith("250")
            assert old.connections
            old.set("pass")
            assert kind_of(line.read()) == "yes"
        wait_for(lambda: not old.connections, "the old connections stay")


def test_known_recipients_outlive_a_wrong_password_of_the_service_account():
    """It is the same directory, even if it cannot be asked now; with another base it is another one."""
    with Slapd(users=2) as ldap, LdapInstance(slapd_block(ldap), cache="1ms") as server:
        good = config_of(server)
        assert recipient(server, "anna@example.test").startswith("250")
        reload(server, good.replace(slapd_password(ldap), "bind_password = topsecret"))
        assert recipient(server, "anna@example.test").startswith("250")
        assert recipient(server, "clara@example.test").startswith("451")
        inject(server, "s@elsewhere.test", ["anna"], TEXT)
        wait_for(lambda: len(server.messages("anna")) == 1, "mail for a known recipient is not delivered")
        reload(server, good.replace(slapd_password(ldap), "bind_password = topsecret\nuser_base = dc=other"))
        assert recipient(server, "anna@example.test").startswith("451")


def test_changes_under_load():
    """Two servers of the same people by turns, other times and limits: no login fails, nobody is put off."""
    with Slapd(users=2) as one, Slapd(users=2) as two, LdapInstance(slapd_block(one), users=("root",)) as server:
        done, wrong, counts = threading.Event(), [], {}
        texts = [config_of(server), config_of(server).replace(one.uri, two.uri),
                 config_of(server).replace("cache_lifetime = 0s", "cache_lifetime = 1m\n    cache_size = 2M"),
                 config_of(server).replace("directory {", "directory {\n    sources = people, embedded")]
        box = imap(server, "anna", "sesame-anna")

        def ask(name, question, right):
            try:
                while not done.is_set():
                    answer = question()
                    counts[name] = counts.get(name, 0) + 1
                    assert answer == right, (name, answer)
            except Exception as e:  # whatever it was, somebody was not served
                wrong.append(e)
                done.set()
        askers = [threading.Thread(target=ask, args=a) for a in (
            ("anna", lambda: login(server, "anna", "sesame-anna"), "yes"),
            ("clara", lambda: login(server, "clara", "sesame-clara", PROTOCOLS), "yes"),
            ("nobody", lambda: login(server, "nobody", "sesame-x"), "no"),
            ("root", lambda: login(server, "root", "secret"), "yes"),
            ("recipient", lambda: recipient(server, "clara@example.test")[:3], "250"),
            ("unknown", lambda: recipient(server, "unknown@example.test")[:3], "550"))]
        for asker in askers:
            asker.start()
        for i in range(24):
            reload(server, texts[i % len(texts)])
        wait_for(lambda: len(counts) == len(askers) or wrong, "not everybody was served")
        done.set()
        for asker in askers:
            asker.join()
        assert not wrong, wrong
        assert box.noop()[0] == "OK"
