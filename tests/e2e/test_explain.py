"""mailctl address explain: the documentation's examples, and that it says what happens to mail."""

import smtplib

from support import wait_for
from support.examples import read_examples
from support.instance import Instance
from support.mail import inject

TEXT = "From: s@far.example\r\nTo: somebody@example.org\r\nSubject: %s\r\n\r\nbody\r\n"


def shown(server, command):
    result = server.run_mailctl(*command.split(), check=False)
    return [" ".join(line.split()) for line in (result.stdout + result.stderr).split("\n")]


def test_examples_of_the_documentation():
    with Instance(users=("alice", "bob"), domain="example.org") as server:
        [example] = [e for e in read_examples("addresses.md", every=True) if e.title.startswith("Why does mail")]
        assert len(example.commands) > 8
        for command, expected in example.commands:
            output = shown(server, command)
            for line in expected:
                assert line in output, "mailctl %s:\nexpected: %s\n%s" % (command, line, "\n".join(output))
        # The whole of the first: nothing more than the page has.
        command, expected = [c for c in example.commands if c[0].startswith("address explain")][0]
        assert [l for l in shown(server, command) if l] == [l for l in expected if l]


def test_mail_goes_where_it_is_said():
    """Into a public mailbox, into a mailbox behind the separator, and nowhere."""
    with Instance(users=("alice", "bob"), domain="example.org") as server:
        server.add_config("addresses {\n    detail_mailbox = yes\n}\n")
        server.mailctl("reload")
        server.mailctl("mailbox", "create", "public", "Sales")
        server.mailctl("mailbox", "create", "alice@example.org", "Shop")
        server.mailctl("address", "add", "sales@example.org", ":public:Sales")
        server.mailctl("address", "add", "void@example.org", ":discard:")
        server.mailctl("address", "add", "lost@example.org", ":public:Nowhere")

        def count(user, mailbox):
            [status] = server.mailctl_json("mailbox", "status", user, mailbox)
            return status["messages"]

        for recipient, user, mailbox in (("sales+x@example.org", "public", "Sales"), ("alice+SHOP@example.org", "alice@example.org", "Shop"),
                                         ("alice+other@example.org", "alice@example.org", "INBOX")):
            before = count(user, mailbox)
            inject(server, "s@far.example", [recipient], TEXT % recipient)
            wait_for(lambda: count(user, mailbox) == before + 1, "no mail for %s in %s" % (recipient, mailbox))
        inject(server, "s@far.example", ["void@example.org"], TEXT % "dropped")
        log = server.log()
        assert "to=<:public:Sales> original=<sales+x@example.org> relay=local account=<public> mailbox=<:public:Sales> uid=1 " in log
        assert "original=<alice+SHOP@example.org> relay=local account=<alice@example.org> mailbox=<Shop> uid=1 " in log, log
        assert "original=<alice+other@example.org> relay=local account=<alice@example.org> mailbox=<INBOX> uid=1 " in log
        assert "to=<void@example.org> relay=none status=sent (dropped: sink)" in log
        try:
            inject(server, "s@far.example", ["lost@example.org"], TEXT % "lost")
            assert False, "a public mailbox that does not exist took mail"
        except smtplib.SMTPRecipientsRefused as e:
            assert [code for code, _ in e.recipients.values()] == [550]
        assert 'destination=<:public:Nowhere> reason="no such public mailbox"' in server.log()

