"""A Maildir as people have it, the same each time: plain text, text with HTML, attachments; 2 to 8 KB a message, with the
header lines that mail collects on its way, and the lists that Dovecot keeps."""

import base64
import os
import random
import time

BEGIN = 1577836800  # 2020-01-01

WORD_IN_FEW = "xylophone"  # in every hundredth message


def make_words(r, count):
    syllables = ["ba", "co", "di", "fen", "gul", "har", "ing", "ka", "lo", "mer", "nu", "or", "pa", "qui", "ro", "sta",
                 "ter", "un", "ver", "wo", "ment", "tion", "ex", "ble"]
    return ["".join(r.choice(syllables) for _ in range(r.randint(1, 4))) for _ in range(count)]


class Pool:
    """Pieces that messages are put together from."""

    def __init__(self, r):
        words = make_words(r, 3000)
        self.words = words
        self.paragraphs = []
        for _ in range(800):
            lines, line = [], ""
            for _ in range(r.randint(20, 120)):
                line += r.choice(words) + " "
                if len(line) > 66:
                    lines.append(line.rstrip())
                    line = ""
            self.paragraphs.append("\n".join(lines + [line.rstrip() + "."]) + "\n")
        self.html = ["<p style=3D\"margin: 0; font-family: Arial\">" + p.replace(" ", " <b></b>", 2) + "</p>\n"
                     for p in self.paragraphs]
        self.files = []
        for _ in range(200):
            text = base64.b64encode(r.randbytes(r.randint(1500, 4000))).decode()
            self.files.append("\n".join(text[i:i + 76] for i in range(0, len(text), 76)) + "\n")
        self.people = ["%s.%s@%s.example" % (r.choice(words), r.choice(words), r.choice(words)) for _ in range(500)]
        self.names = ["%s %s" % (r.choice(words).capitalize(), r.choice(words).capitalize()) for _ in range(500)]
        self.signatures = [base64.b64encode(r.randbytes(256)).decode() for _ in range(100)]


def subject(r, pool):
    text = " ".join(r.choice(pool.words) for _ in range(r.randint(2, 9)))
    if r.random() < 0.2:
        return "=?UTF-8?B?" + base64.b64encode(("Grüße " + text)[:40].encode()).decode() + "?="
    return ("Re: " if r.random() < 0.4 else "") + text


def date_text(seconds):
    return time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(seconds))


def header(r, pool, n, when):
    k = r.randrange(500)
    date = date_text(when)
    lines = ["Return-Path: <%s>" % pool.people[k]]
    for hop in range(r.randint(2, 4)):
        lines.append("Received: from mx%d.%s (mx%d.%s [192.0.2.%d])\n\tby mail.example.test (Postfix) with ESMTPS id %012X\n"
                     "\tfor <box@example.test>; %s" % (hop, "relay.example", hop, "relay.example", r.randrange(256),
                                                        r.getrandbits(48), date))
    if r.random() < 0.7:
        signature = r.choice(pool.signatures)
        lines.append("DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=%s;\n\ts=s1; t=%d; bh=%s;\n\th=From:To:Subject:"
                     "Date:Message-ID;\n\tb=%s" % (pool.people[k].split("@")[1], when, signature[:44],
                                                   "\n\t ".join(signature[i:i + 70] for i in range(0, len(signature), 70))))
    lines.append("From: %s <%s>" % (pool.names[k], pool.people[k]))
    others = [r.randrange(500) for _ in range(r.choice((0, 0, 0, 1, 2, 5)))]
    lines.append("To: \"Box, The\" <box@example.test>" +
                 "".join(",\n\t%s <%s>" % (pool.names[o], pool.people[o]) for o in others))
    if r.random() < 0.2:
        lines.append("Cc: %s" % pool.people[r.randrange(500)])
    lines.append("Subject: " + subject(r, pool))
    lines.append("Date: " + date)
    lines.append("Message-ID: <%d.%016x@%s>" % (n, r.getrandbits(64), pool.people[k].split("@")[1]))
    if r.random() < 0.4:
        lines.append("In-Reply-To: <%d.0@answers.example>" % (n // 2))
        lines.append("References: " + "\n\t".join("<%d.%d@answers.example>" % (n // 2, i) for i in range(r.randint(1, 6))))
    lines.append("User-Agent: Mozilla/5.0 (X11; Linux x86_64) Thunderbird/115.0")
    lines.append("MIME-Version: 1.0")
    return lines


def text_of(r, pool, n, least, most):
    text, size = [], r.randint(least, most)
    if n % 100 == 7:
        text.append("And then the %s played.\n" % WORD_IN_FEW)
    while sum(map(len, text)) < size:
        text.append(r.choice(pool.paragraphs))
    return "\n".join(text)


def message(r, pool, n, when):
    lines = header(r, pool, n, when)
    kind = r.random()
    bound = "=_%024x" % r.getrandbits(96)
    if kind < 0.55:
        lines.append("Content-Type: text/plain; charset=UTF-8; format=flowed\nContent-Transfer-Encoding: 7bit\n")
        return "\n".join(lines) + "\n" + text_of(r, pool, n, 500, 5000)
    html = "<html><body>\n" + "".join(r.choice(pool.html) for _ in range(r.randint(1, 4))) + "</body></html>\n"
    both = ("--%s\nContent-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: quoted-printable\n\n%s\n"
            "--%s\nContent-Type: text/html; charset=UTF-8\nContent-Transfer-Encoding: quoted-printable\n\n%s\n--%s--\n" %
            (bound, text_of(r, pool, n, 300, 1500), bound, html, bound))
    if kind < 0.8:
        lines.append("Content-Type: multipart/alternative;\n\tboundary=\"%s\"\n" % bound)
        return "\n".join(lines) + "\nThis is a message with several parts in MIME format.\n" + both
    outer = "=_o%023x" % r.getrandbits(92)
    lines.append("Content-Type: multipart/mixed; boundary=\"%s\"\n" % outer)
    return ("\n".join(lines) + "\n--%s\nContent-Type: multipart/alternative; boundary=\"%s\"\n\n%s\n--%s\n"
            "Content-Type: application/pdf; name=\"%s %d.pdf\"\nContent-Transfer-Encoding: base64\n"
            "Content-Disposition: attachment;\n\tfilename=\"%s %d.pdf\"; size=%d\n\n%s\n--%s--\n" %
            (outer, bound, both, outer, r.choice(pool.words), n, r.choice(pool.words), n, n, r.choice(pool.files), outer))


def small_message(r, pool, n, when):
    lines = header(r, pool, n, when)[-8:]
    lines.append("Content-Type: text/plain; charset=UTF-8\n")
    return "\n".join(lines) + "\n" + text_of(r, pool, n, 800, 1500)


def make(path, count, build=message):
    """Makes the Maildir `path` with `count` messages in cur/; the mean size in bytes."""
    r = random.Random(1)
    pool = Pool(r)
    for sub in ("cur", "new", "tmp"):
        os.makedirs(os.path.join(path, sub))
    uids, total = [], 0
    for n in range(1, count + 1):
        when = BEGIN + n * 2000
        text = build(r, pool, n, when).encode()
        total += len(text)
        base = "%d.M%dP%d.mail,S=%d,W=%d" % (when, r.randrange(1000000), 4711, len(text), len(text) + text.count(b"\n"))
        flags = "S" if r.random() < 0.9 else ""
        if r.random() < 0.1:
            flags = "R" + flags
        file = os.path.join(path, "cur", base + ":2," + flags)
        with open(file, "wb") as f:
            f.write(text)
        os.utime(file, (when, when))
        uids.append("%d :%s\n" % (n, base))
    with open(os.path.join(path, "dovecot-uidlist"), "w") as f:
        f.write("3 V%d N%d G%032x\n" % (BEGIN, count + 1, r.getrandbits(128)))
        f.writelines(uids)
    return total / count
