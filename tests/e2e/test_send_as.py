"""Who may send as what (docs/send-as.md), over submission: with users of the embedded directory and of LDAP, each
right given and taken while the session goes on; the From field; hidden copies of a domain's mail."""

import smtplib
from contextlib import closing

from support import wait_for
from support.instance import Instance
from support.ldap_logins import LdapInstance, slapd_block
from support.mail import address, imap_bodies, inject, loose_tls
from support.slapd import Slapd
from support.smtp_sink import SmtpSink

RULES = """
rule own-address {
    check = sender_login
}
"""
FROM_RULE = """
rule own-from {
    check = from_login
}
"""
OK, NO, LATER = 250, 553, 450


class Sender:
    """Somebody who has logged in and stays so."""

    def __init__(self, server, login, password="secret"):
        self.server, self.login = server, login
        self.smtp = smtplib.SMTP("127.0.0.1", server.port("submission"), timeout=60)
        self.smtp.starttls(context=loose_tls())
        self.smtp.login(address(login), password)

    def close(self):
        self.smtp.close()

    def reply(self, sender):
        """(code, text) of RCPT, which the rules are asked at."""
        assert self.smtp.mail(sender)[0] == 250
        code, text = self.smtp.rcpt("x@far.example")
        self.smtp.rset()
        return code, text.decode()

    def expect(self, code, *senders, why=None):
        """And `mailctl send-as test` says the same."""
        for sender in senders:
            reply = self.reply(sender)
            assert reply[0] == code, (self.login, sender, reply)
            if code == NO:
                assert reply[1] == "5.7.1 The sender's address <%s> belongs to somebody else" % sender, reply
                assert 'reason="<%s> does not belong to %s: ' % (sender, address(self.login)) in self.server.log(), \
                    self.server.log()[-1000:]
            told = self.server.mailctl_json("send-as", "test", address(self.login), sender)
            assert told["allowed"] == (code == OK), told
            if why:
                assert why in told["why"], told

    def send(self, header, sender=None):
        """The reply to a message with these fields."""
        try:
            self.smtp.sendmail(sender or address(self.login), ["x@far.example"], header + "Subject: x\r\n\r\nx\r\n")
            return 250, ""
        except smtplib.SMTPDataError as e:
            return e.smtp_code, e.smtp_error.decode()


def instance(sink, rules=""):
    """Mail for other servers goes to the sink."""
    server = Instance(users=("alice", "bob", "carol"))
    server.add_config(rules + "queue {\n    relay_host = [127.0.0.1]:%d\n}\n" % sink.port)
    return server


def own_addresses(mailctl, alice, bob):
    alice.expect(OK, "alice@example.test", "ALICE@Example.Test", '"alice"@example.test', why="own address")
    alice.expect(OK, "alice+shop@example.test", why="own address")
    alice.expect(NO, "bob@example.test", "bob+x@example.test", why="somebody else's")
    alice.expect(NO, "nobody@example.test", why="does not exist")
    alice.expect(NO, "alice@far.example", why="none of this server")
    # A user of that very name.
    mailctl("user", "add", "alice+shop@example.test", "--password-stdin", stdin="correct horse\n")
    alice.expect(NO, "alice+shop@example.test")
    alice.expect(OK, "alice+other@example.test")


def other_domains(mailctl, alice, bob):
    alice.expect(NO, "alice@alias.test", why="none of this server")
    mailctl("domain", "add", "alias.test", "--alias-of", "example.test")
    alice.expect(OK, "alice@alias.test", "alice+x@alias.test", why="own address alice@example.test")
    bob.expect(NO, "alice@alias.test")
    alice.expect(NO, "alice@pc.example.test")
    mailctl("domain", "set", "example.test", "--subdomains")
    alice.expect(OK, "alice@pc.example.test", "alice@a.b.example.test")
    bob.expect(NO, "alice@pc.example.test")
    mailctl("domain", "set", "example.test", "--no-subdomains")
    alice.expect(NO, "alice@pc.example.test")


def listed(mailctl, alice, bob):
    mailctl("address", "add", "info@example.test", "alice@example.test", "x@far.example")
    mailctl("address", "add", "all@example.test", "info@example.test")
    alice.expect(OK, "info@example.test", "Info+x@alias.test", why="listed address info@example.test")
    alice.expect(OK, "all@example.test", why="listed address all@example.test")
    bob.expect(NO, "info@example.test", "all@example.test")
    mailctl("address", "add", "all@example.test", "bob@example.test")
    bob.expect(OK, "all@example.test")
    mailctl("address", "delete", "info@example.test", "alice@example.test")
    alice.expect(NO, "info@example.test", "all@example.test")
    mailctl("address", "add", "news@*", "bob@example.test")
    bob.expect(OK, "news@example.test", why="listed address news@*")
    # What anybody's mail comes to by gives no right.
    mailctl("domain", "set", "example.test", "--catch-all", "alice@example.test")
    mailctl("user", "set", "bob@example.test", "--forward", "alice@example.test")
    alice.expect(NO, "unknown@example.test", "bob@example.test")


def groups(mailctl, alice, bob):
    mailctl("group", "add", "staff@example.test", "alice@example.test", "bosses@example.test")
    mailctl("group", "add", "bosses@example.test", "bob@example.test")
    alice.expect(NO, "staff@example.test")
    mailctl("group", "set", "staff@example.test", "--send-as")
    alice.expect(OK, "staff@example.test", why="member of the group staff@example.test")
    bob.expect(OK, "staff@example.test")
    bob.expect(NO, "bosses@example.test")
    mailctl("group", "member", "delete", "staff@example.test", "alice@example.test")
    alice.expect(NO, "staff@example.test")
    mailctl("group", "set", "staff@example.test", "--disable")
    bob.expect(NO, "staff@example.test")


def delegated(mailctl, alice, bob):
    mailctl("send-as", "add", "bob@example.test", "alice@example.test")
    alice.expect(OK, "bob@example.test", "bob+x@alias.test", why="bob@example.test is delegated to alice@example.test")
    mailctl("send-as", "delete", "bob@example.test", "alice@example.test")
    alice.expect(NO, "bob@example.test")
    mailctl("domain", "add", "shop.test")
    mailctl("send-as", "add", "@shop.test", "bosses@example.test")
    bob.expect(OK, "whatever@shop.test", why="is delegated to bosses@example.test")
    alice.expect(NO, "whatever@shop.test")
    mailctl("group", "member", "delete", "bosses@example.test", "bob@example.test")
    bob.expect(NO, "whatever@shop.test")


def test_embedded():
    server = Instance()
    server.add_config(RULES)
    with server, closing(Sender(server, "alice")) as alice, closing(Sender(server, "bob")) as bob:
        for part in (own_addresses, other_domains, listed, groups, delegated):
            part(server.mailctl, alice, bob)


def ldap_users(mailctl, anna, clara):
    anna.expect(OK, "anna@example.test", "a.arden@example.test", "Hostmaster+x@example.test", why="own address")
    clara.expect(NO, "anna@example.test", "a.arden@example.test")
    mailctl("domain", "add", "alias.test", "--alias-of", "example.test")
    anna.expect(OK, "a.arden@alias.test")
    mailctl("address", "add", "desk@example.test", "a.arden@example.test")
    anna.expect(OK, "desk@example.test", why="listed address desk@example.test")
    clara.expect(NO, "desk@example.test")
    mailctl("send-as", "add", "clara@example.test", "anna@example.test")
    anna.expect(OK, "clara@example.test")
    mailctl("send-as", "delete", "clara@example.test")
    anna.expect(NO, "clara@example.test")


def ldap_groups(mailctl, anna, clara):
    for group in ("engineers", "everybody"):
        anna.expect(NO, group + "@example.test")
        mailctl("group", "set", group + "@example.test", "--send-as")
        anna.expect(OK, group + "@example.test", why="member of the group " + group)
    clara.expect(OK, "everybody@example.test")  # anna is in it by a group inside
    clara.expect(NO, "engineers@example.test")
    mailctl("send-as", "add", "noreply@example.test", "engineers@example.test")
    anna.expect(OK, "noreply@example.test", why="delegated to engineers@example.test")
    clara.expect(NO, "noreply@example.test")
    mailctl("group", "add", "mixed@example.test", "engineers@example.test", "clara@example.test", "--send-as")
    anna.expect(OK, "mixed@example.test")
    clara.expect(OK, "mixed@example.test")
    mailctl("group", "set", "engineers@example.test", "--no-send-as")
    anna.expect(NO, "engineers@example.test")


def test_ldap():
    with Slapd() as ldap:
        server = LdapInstance(slapd_block(ldap, timeout="1s") + RULES)
        with server, closing(Sender(server, "anna", "sesame-anna")) as anna, \
                closing(Sender(server, "clara", "sesame-clara")) as clara:
            ldap_users(server.mailctl, anna, clara)
            ldap_groups(server.mailctl, anna, clara)
            # Nobody can tell whose an address is that was not asked for before.
            ldap.stop()
            code, text = anna.reply("user020@example.test")
            assert (code, text) == (LATER, "4.7.1 The directory does not answer, try again later"), (code, text)
            ldap.start()
            wait_for(lambda: anna.reply("user020@example.test")[0] == NO)


def test_the_from_field():
    with closing(SmtpSink()) as sink, instance(sink, RULES + FROM_RULE) as server:
        with closing(Sender(server, "alice")) as alice:
            for header, code in (
                    ("From: Alice <alice+shop@example.test>\r\n", 250),
                    ("From: Bob <bob@example.test>\r\n", 550),
                    ("From: Boss <boss@far.example>\r\n", 550),
                    ("From: bob\r\n", 550),  # completed with the domain of the login
                    ("from : bob@example.test\r\n", 550),
                    ("From: alice\r\n", 250),
                    ("From: =?utf-8?q?Bob?= <alice@example.test>\r\n", 250),
                    ("From: Alice <alice@example.test>,\r\n Bob <bob@example.test>\r\n", 550),
                    ("From: Bob <bob@example.test>\r\nSender: alice@example.test\r\n", 550),
                    ("From: alice@example.test\r\nSender: bob@example.test\r\n", 550),
                    ("From: alice@example.test\r\nSender: alice@example.test\r\n", 250),
                    ("From: Bob <bob@example.test>\r\nResent-From: alice@example.test\r\n", 550),
                    ("", 250)):
                assert alice.send(header)[0] == code, (header, alice.send(header))
                if code == 250:
                    sink.next()
            code, text = alice.send("From: Bob <bob@example.test>\r\n")
            assert text == "5.7.1 The message may not be sent under this name: From <bob@example.test> does not belong " \
                           "to alice@example.test: it is somebody else's", text
            assert "policy: rule=own-from action=reject stage=data" in server.log()
            # The null sender is no way around it.
            assert alice.smtp.mail("")[0] == 250 and alice.smtp.rcpt("x@far.example")[0] == 250
            assert alice.smtp.data("From: bob@example.test\r\n\r\nx\r\n")[0] == 550
            server.mailctl("send-as", "add", "bob@example.test", "alice@example.test")
            assert alice.send("From: Bob <bob@example.test>\r\n") == (250, "")
            sink.next()
        # Whom RFC 5322 holds to have sent it.
        server.replace_config("check = from_login", "check = from_login\n    own = sender")
        server.mailctl("reload")
        server.mailctl("send-as", "delete", "bob@example.test")
        with closing(Sender(server, "alice")) as alice:
            for header, code in (
                    ("From: Bob <bob@example.test>\r\n", 550),
                    ("From: Bob <bob@example.test>\r\nSender: alice\r\n", 250),
                    ("From: alice@example.test\r\nSender: bob@example.test\r\n", 550),
                    ("Resent-From: alice@example.test\r\nFrom: Boss <boss@far.example>\r\n", 250),
                    ("Resent-From: bob@example.test\r\nResent-From: alice@example.test\r\nFrom: alice\r\n", 550),
                    ("Resent-From: bob@example.test\r\nResent-Sender: alice\r\nFrom: Boss <boss@far.example>\r\n", 250)):
                assert alice.send(header)[0] == code, header
                if code == 250:
                    sink.next()


def test_copies_of_a_domain():
    text = "From: s@far.example\r\nTo: somebody@example.test\r\nSubject: %s\r\n\r\nbody\r\n"
    with closing(SmtpSink()) as sink, instance(sink) as server:
        def numbers():
            return [len(server.messages(u)) for u in ("alice", "bob", "carol")]

        server.mailctl("domain", "set", "example.test", "--copy", "carol@example.test", "--copy", "keep@archive.example")
        inject(server, "s@far.example", ["alice", "bob"], text % "one")
        message = sink.next()
        assert message["recipients"] == ["keep@archive.example"] and message["sender"].startswith("MAIL FROM:<> "), message
        wait_for(lambda: numbers() == [1, 1, 1])
        assert b"Subject: one" in message["data"]
        assert list(imap_bodies(server, "carol").values()) == list(imap_bodies(server, "bob").values())
        assert "copy domain=example.test to=<carol@example.test>" in server.log()
        # Once, not to who has it in any case; a copy for nobody keeps no mail back; reports are not meant.
        server.mailctl("domain", "set", "example.test", "--no-copy")
        server.mailctl("domain", "set", "example.test", "--copy", "carol@example.test", "--copy", "gone@example.test")
        inject(server, "s@far.example", ["carol"], text % "two")
        wait_for(lambda: numbers() == [1, 1, 2])
        assert 'no copy domain=example.test to=<gone@example.test> reason="no such user"' in server.log()
        inject(server, "", ["alice"], text % "three")
        wait_for(lambda: numbers() == [2, 1, 2])
        # Of an alias domain: its own, and those of the domain that it stands for.
        server.mailctl("domain", "add", "alias.test", "--alias-of", "example.test", "--copy", "bob@example.test")
        inject(server, "s@far.example", ["alice@alias.test"], text % "four")
        wait_for(lambda: numbers() == [3, 2, 3])
        server.mailctl("domain", "set", "example.test", "--no-copy")
        inject(server, "s@far.example", ["alice"], text % "five")
        wait_for(lambda: numbers() == [4, 2, 3])
