"""A long command tells how far it is (RFC 9585)."""

import imaplib
import re

from support.instance import Instance


def test_a_long_search_tells_how_far_it_is():
    with Instance(users=("alice",)) as server:
        server.add_config("imap { progress_interval = 1ms }")
        server.restart()
        box = imaplib.IMAP4("127.0.0.1", server.port("imap"))
        box.starttls(server.tls_context())
        box.login("alice@example.test", "secret")
        assert "INPROGRESS" in box.capability()[1][0].decode()
        message = b"Subject: x\r\n\r\n" + b"lorem ipsum dolor sit amet\r\n" * 500
        for _ in range(20):
            box.append("INBOX", None, None, message)
        box.select("INBOX")
        for _ in range(5):
            box.uid("COPY", "1:*", "INBOX")
        total = int(box.select("INBOX")[1][0])
        assert total == 640, total
        tag = box._new_tag().decode()
        box.send(f"{tag} SEARCH TEXT nowhere\r\n".encode())
        told = []
        while True:
            line = box.readline().decode().rstrip()
            if line.startswith(tag):
                break
            match = re.fullmatch(r'\* OK \[INPROGRESS \("%s" (\d+) (\d+)\)\] .*' % tag, line)
            if match:
                told.append((int(match.group(1)), int(match.group(2))))
        assert line.startswith(tag + " OK"), line
        assert told, "nothing was told"
        assert all(done < of == total for done, of in told), told
        assert [done for done, of in told] == sorted(done for done, of in told), told
        box.logout()
