"""Accounts, addresses and groups of an OpenLDAP server: who may log in, where mail goes, what `mailctl` shows."""

import smtplib
from contextlib import closing

from support import wait_for
from support.ldap_people import BASE, PEOPLE
from support.ldap_logins import ALL, PROTOCOLS, LdapInstance, login, recipient, slapd_block
from support.mail import imap, inject, submit
from support.slapd import Slapd
from support.smtp_sink import SmtpSink

TEXT = "From: s@elsewhere.test\r\nSubject: x\r\n\r\nx\r\n"


def refused(server, address, sender="s@elsewhere.test"):
    """The code RCPT is answered with."""
    try:
        inject(server, sender, [address], TEXT)
        return 250
    except smtplib.SMTPRecipientsRefused as error:
        return next(iter(error.recipients.values()))[0]


def delivered(server, address, *users):
    """Mail for the address comes to these users, once each."""
    before = {user: len(server.messages(user)) for user in users}
    inject(server, "s@elsewhere.test", [address], TEXT)
    for user in users:
        wait_for(lambda: len(server.messages(user)) == before[user] + 1,
                 "%s: %d new messages of %s" % (address, len(server.messages(user)) - before[user], user))


def test_logins_over_each_preset():
    presets = {
        "openldap": dict(starttls="yes"),
        "university": dict(servers="ldaps"),
        "rfc2307": dict(servers="ldapi", bind="external", bind_dn=None, bind_password=None),
        "freeipa": {},
    }
    with Slapd() as ldap:
        for preset, settings in presets.items():
            settings = dict(settings, preset=preset, tls_ca=ldap.ca)
            settings["servers"] = {"ldaps": ldap.ldaps_uri, "ldapi": ldap.ldapi_uri}.get(settings.get("servers"), ldap.uri)
            uid = "ida" if preset == "freeipa" else "anna"
            with LdapInstance(slapd_block(ldap, **settings)) as server:
                assert login(server, uid, "sesame-" + uid, ALL if preset == "openldap" else PROTOCOLS) == "yes", preset
                assert login(server, uid.upper() + "@Example.Test", "sesame-" + uid) == "yes"
                for user, password in ((uid, "wrong"), (uid, "sesame-" + uid + "x"), ("nobody", "sesame-nobody")):
                    assert login(server, user, password, PROTOCOLS) == "no", (preset, user)
                assert "reason=wrong_password" in server.log()
                delivered(server, uid + "@example.test", uid)
                assert refused(server, "nobody@example.test") == 550
                box = imap(server, uid, "sesame-" + uid)
                assert box.select()[1] == [b"1"]
                box.logout()
                if preset == "freeipa":
                    assert login(server, "igor", "sesame-igor", PROTOCOLS) == "no"
                    assert "reason=disabled" in server.log(), server.log()[-2000:]


def test_addresses_forwards_quota_and_state():
    with Slapd() as ldap, closing(SmtpSink()) as sink:
        block = slapd_block(ldap, local_hosts="mail.example.test")
        server = LdapInstance(block)
        server.add_config("queue {\n    relay_host = [127.0.0.1]:%d\n}\n" % sink.port)
        with server:
            for address in ("anna", "a.arden", "HostMaster", "local.anna"):
                delivered(server, address + "@example.test", "anna")
            assert login(server, "a.arden@example.test", "sesame-anna", PROTOCOLS) == "yes"
            # another address of hers is hers to send as, one of another user's is not
            submit(server, "anna", ["x@far.test"], TEXT, "sesame-anna")
            assert sink.next()["recipients"] == ["x@far.test"]
            inject(server, "s@elsewhere.test", ["ben"], TEXT)
            assert sink.next()["recipients"] == ["ben@remote.test"] and not server.messages("ben")
            before = len(server.messages("anna"))
            delivered(server, "clara@example.test", "clara")
            wait_for(lambda: len(server.messages("anna")) == before + 1, "no copy of clara's mail at anna's")
            assert refused(server, "dora@example.test") == 550
            assert 400 <= refused(server, "ines@example.test") < 500
            for user in ("dora", "ines"):
                assert login(server, user, "sesame-" + user, PROTOCOLS) == "no"
            assert "reason=disabled" in server.log()
            box = imap(server, "anna", "sesame-anna")
            assert b"51200" in box.getquotaroot("INBOX")[1][1][0], box.getquotaroot("INBOX")
            box.logout()
            inject(server, "s@elsewhere.test", ["fred"], TEXT + ("y" * 70 + "\r\n") * 400)  # the last one may be too much
            try:
                inject(server, "s@elsewhere.test", ["fred"], TEXT)
                raise AssertionError("more than the quota")
            except (smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError):
                pass


def test_odd_names():
    with Slapd() as ldap, LdapInstance(slapd_block(ldap)) as server:
        for user in ("odd", "slash", "o'neil", "plus+tag", "jörg", "photo"):
            assert login(server, user, "sesame-" + user, PROTOCOLS) == "yes", user
            assert login(server, user, "wrong") == "no", user
        delivered(server, "joerg@example.test", "joerg")
        assert login(server, "oddmail", "sesame-oddmail", PROTOCOLS) == "yes"
        delivered(server, '"odd(x)*y"@example.test', "odd(x)*y")
        assert refused(server, '"odd(x)zy"@example.test') == 550
        # without a password; without an address; locked; must be changed
        assert login(server, "olaf", "sesame-olaf", PROTOCOLS) == "no"
        for user in ("lukas", "maria"):
            assert login(server, user, "sesame-" + user) == "no", user
        log = server.log()
        for user, reason in (("lukas", "locked"), ("maria", "password_expired")):
            lines = [line for line in log.splitlines() if 'user=<%s> ' % user in line]
            assert lines and all(line.endswith("reason=" + reason) for line in lines), lines
        # one uid, one address in two entries: nobody guesses
        assert login(server, "double", "sesame-double", PROTOCOLS) == "later"
        assert 400 <= refused(server, "twins@example.test") < 500
        assert "twins@example.test" in server.log() and "ERROR" in server.log().upper()
        status = server.mailctl("status")  # the directory itself is well
        assert "entries of the directory people are wrong: ldap people: twins@example.test is in 2 entries" in status, status
        assert "cannot answer" not in status, status
        assert "twins@example.test is in 2" in server.mailctl("directory", "show")
        # what makes no sense in an entry is an error of the directory, not of the sender
        assert refused(server, "garbled@example.test") == 250 and "left out" in server.log()
        ldap.stop()
        assert login(server, "user003", "sesame-user003") == "later"
        assert "the directory people cannot answer" in server.mailctl("status")


def test_filters_cannot_be_bent():
    """Whatever is typed: nobody gets in as somebody else, the server hears no broken filter, nobody sees "later"."""
    names = ["*", "a*", "anna*", "anna)(uid=*", "*)(uid=anna", "anna)(|(uid=*", "anna\\2a", "an\\6ea", "anna,ou=people",
             "uid=anna," + PEOPLE, "anna\\", "(anna)", "anna&", "|anna", "!anna", "anna)(mail=*))(|(a=b", "{user}", "%u", "#anna",
             " anna ", "anna*@example.test", "*@example.test", "anna@*", "anna)(uid=*)@example.test", "\u202eanna", "ANNA\u0000x"]
    with Slapd() as ldap, LdapInstance(slapd_block(ldap)) as server:
        for name in names:
            name = name.replace("\0", "")
            if name.strip() == "anna":
                continue
            assert login(server, name, "sesame-anna") == "no", name
        for name in ("*", "a*", "anna)(uid=*", "(anna", "anna\\\\2a", "an{user}"):
            assert recipient(server, '"%s"@example.test' % name)[:3] in ("550", "553"), name
        for password in ("*", "", "sesame-anna\\", "{SSHA}"):
            assert login(server, "anna", password) == "no", password
        assert login(server, "anna", "sesame-anna", PROTOCOLS) == "yes"
        assert "ilter" not in "".join(line for line in server.log().split("\n") if "error" in line.lower())


def test_groups():
    with Slapd(bulk=1700) as ldap, closing(SmtpSink()) as sink:
        server = LdapInstance(slapd_block(ldap), cache="5m")
        server.add_config("queue {\n    relay_host = [127.0.0.1]:%d\n}\n" % sink.port)
        with server:
            delivered(server, "engineers@example.test", "anna", "user001", "user010")
            delivered(server, "sales@example.test", "user011")
            delivered(server, "everybody@example.test", "anna", "clara", "user001", "user015")
            assert len(server.messages("user001")) == 2
            delivered(server, "ring1@example.test", "anna", "user001")  # a loop of groups
            delivered(server, "ghosts@example.test", "anna")  # a member that is gone
            inject(server, "s@elsewhere.test", ["outside@example.test"], TEXT)
            assert sink.next()["recipients"] == ["friend@remote.test"]
            shown = server.mailctl("directory", "lookup", "bulk@example.test")
            assert all("bulk%05d@example.test" % n in shown for n in range(1700)), shown[:3000]
            assert recipient(server, "bulk@example.test").startswith("250")
            shown = server.mailctl("directory", "lookup", "everybody@example.test")
            assert "user015@example.test" in shown and "filter" in shown and ldap.uri in shown, shown


def test_aliases_of_unix_accounts():
    with Slapd() as ldap, closing(SmtpSink()) as sink:
        server = LdapInstance(slapd_block(ldap, preset="rfc2307"))
        server.add_config("queue {\n    relay_host = [127.0.0.1]:%d\n}\n" % sink.port)
        with server:
            before = len(server.messages("anna"))
            inject(server, "s@elsewhere.test", ["crew@example.test"], TEXT)
            wait_for(lambda: len(server.messages("anna")) == before + 1, "nothing came")
            assert sink.next()["recipients"] == ["friend@remote.test"]


def test_two_sources():
    """An account that both have is the first one's."""
    with Slapd() as ldap:
        server = LdapInstance(slapd_block(ldap), users=("anna", "root"))
        with server:
            assert login(server, "anna", "secret") == "yes" and login(server, "anna", "sesame-anna") == "no"
            assert login(server, "root", "secret") == "yes" and login(server, "clara", "sesame-clara") == "yes"
            server.replace_config("directory {", "directory {\n    sources = people, embedded")
            server.restart()
            assert login(server, "anna", "sesame-anna") == "yes" and login(server, "anna", "secret") == "no"
            assert login(server, "root", "secret") == "yes"


def test_passwords_are_changed_in_the_directory():
    with Slapd() as ldap, LdapInstance(slapd_block(ldap)) as server:
        server.mailctl("user", "passwd", "anna@example.test", "--password-stdin", stdin="sesame-new one\n")
        assert ldap.user_works("anna", "sesame-new one") and not ldap.user_works("anna")
        assert login(server, "anna", "sesame-new one", PROTOCOLS) == "yes" and login(server, "anna", "sesame-anna") == "no"
        result = server.run_mailctl("user", "passwd", "anna@example.test", "--password-stdin", stdin="abc\n", check=False)
        assert result.returncode == 1 and "abc" not in result.stderr, result  # too short for the policy
        assert ldap.user_works("anna", "sesame-new one")


def test_what_mailctl_shows():
    with Slapd() as ldap, LdapInstance(slapd_block(ldap)) as server:
        shown = server.mailctl("directory", "lookup", "a.arden@example.test")
        for text in ("people", ldap.uri, BASE, "(", "mailAlternateAddress", "anna@example.test"):
            assert text in shown, (text, shown)
        assert "sesame" not in shown and "SSHA" not in shown
        right = server.run_mailctl("auth", "test", "anna", "--password-stdin", stdin="sesame-anna\n")
        assert right.returncode == 0 and "sesame" not in right.stdout + right.stderr, right
        wrong = server.run_mailctl("auth", "test", "anna", "--password-stdin", stdin="sesame-x\n", check=False)
        assert wrong.returncode == 1 and "wrong_password" in wrong.stdout + wrong.stderr, wrong
        listed = server.mailctl("user", "list")
        assert "clara@example.test" in listed, listed
        assert "anna@example.test" in server.mailctl("user", "show", "anna@example.test")
        status = server.mailctl("directory", "show")
        assert ldap.uri in status, status
