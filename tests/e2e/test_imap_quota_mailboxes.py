"""The limit of mailboxes (RFC 9208, MAILBOX): CREATE and RENAME count what they make, parents as well."""

import imaplib

from support.instance import Instance
from support.mail import loose_tls


def test_create_and_rename_stay_within_the_limit():
    server = Instance()
    server.add_config("quota {\n    mailboxes = 8\n}")
    with server:
        client = imaplib.IMAP4_SSL("127.0.0.1", server.port("imaps"), ssl_context=loose_tls())
        client.login("alice@example.test", "secret")
        client.select("INBOX")

        def expect(result, status, text):
            assert result[0] == status and text in result[1][0], result

        expect(client.create("a/b/c"), "NO", b"[OVERQUOTA]")
        expect(client.create("a"), "OK", b"")
        expect(client.rename("a", "b/c/d"), "NO", b"[OVERQUOTA]")
        expect(client.rename("a", "b/c"), "OK", b"")
        expect(client.create("d"), "NO", b"[OVERQUOTA]")
        assert client.getquota('"User quota"')[1] == [b'"User quota" (MAILBOX 8 8)']
        expect(client.delete("b/c"), "OK", b"")
        expect(client.create("d"), "OK", b"")
        client.logout()
