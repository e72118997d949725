"""Small things that several tests need."""

import imaplib
import poplib
import smtplib
import ssl


def loose_tls():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def address(user):
    return user if "@" in user else user + "@example.test"


def submit(server, sender, recipients, text, password="secret"):
    """Over submission with STARTTLS; text has any line ends."""
    if isinstance(recipients, str):
        recipients = [recipients]
    with smtplib.SMTP("127.0.0.1", server.port("submission"), timeout=60) as s:
        s.starttls(context=loose_tls())
        s.login(address(sender), password)
        return s.sendmail(address(sender), [address(r) for r in recipients], text)


def inject(server, sender, recipients, text, port="smtp"):
    """Over port 25, as another mail server would."""
    with smtplib.SMTP("127.0.0.1", server.port(port), timeout=60) as s:
        return s.sendmail(sender, [address(r) for r in recipients], text)


def imap(server, user, password="secret"):
    box = imaplib.IMAP4_SSL("127.0.0.1", server.port("imaps"), ssl_context=loose_tls(), timeout=60)
    box.login(address(user), password)
    return box


def pop3(server, user, password="secret"):
    box = poplib.POP3_SSL("127.0.0.1", server.port("pop3s"), context=loose_tls(), timeout=60)
    box.user(address(user))
    box.pass_(password)
    return box


def imap_bodies(server, user, folder="INBOX"):
    """All messages of a folder, by UID."""
    box = imap(server, user)
    typ, data = box.select(folder, readonly=True)
    assert typ == "OK", data
    typ, data = box.uid("FETCH", "1:*", "(UID BODY.PEEK[])")
    assert typ == "OK", data
    found = {}
    for item in data:
        if isinstance(item, tuple):
            head = item[0].decode().split()
            found[int(head[head.index("UID") + 1] if "UID" in head else head[2])] = item[1]
    box.logout()
    return found
