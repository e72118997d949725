"""Messages as they come from real and from broken programs: name -> bytes with CRLF line ends."""


def crlf(text):
    if isinstance(text, str):
        text = text.encode("latin-1")
    return text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def multipart(content_type, body, head=""):
    return "From: a@example.test\n%sMIME-Version: 1.0\nContent-Type: %s\n\n%s" % (head, content_type, body)


PLAIN = """Return-Path: <s@elsewhere.test>
Received: from a.test by b.test with ESMTP id 1; Tue, 1 Sep 2026 10:00:00 +0200
From: Alice Example <alice@example.test>
To: Bob <bob@example.test>, "Carol, the third" <carol@example.test>
Cc: dave@example.test (Dave)
Bcc: hidden@example.test
Reply-To: answers@example.test
Sender: secretary@example.test
Date: Tue, 1 Sep 2026 10:00:00 +0200
Subject: an ordinary message
Message-ID: <ordinary@example.test>
In-Reply-To: <before@example.test>
X-Mailer: something

Hello Bob,

one line
"""

NESTED = multipart("multipart/mixed; boundary=outer", """preamble
--outer
Content-Type: multipart/alternative; boundary="in ner"

--in ner
Content-Type: text/plain; charset=utf-8; format=flowed
Content-Transfer-Encoding: 8bit
Content-ID: <one@example.test>
Content-Description: the plain text
Content-Language: en, de
Content-Location: http://example.test/one
Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==

gr\xc3\xbc\xc3\x9fe
--in ner
Content-Type: text/html
Content-Disposition: inline

<p>hello</p>
--in ner--
between
--outer
Content-Type: image/png; name="picture.png"
Content-Transfer-Encoding: base64
Content-Disposition: attachment; filename="picture.png"; size=4

iVBORw==
--outer--
epilogue
""")

FORWARDED = multipart("multipart/mixed; boundary=b", """--b

see below
--b
Content-Type: message/rfc822
Content-Disposition: attachment; filename=forwarded.eml

From: "Inner" <inner@example.test>
To: x@example.test
Subject: inner message
Date: Mon, 31 Aug 2026 09:00:00 +0000
Message-ID: <inner@example.test>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=c

--c
Content-Type: text/plain

inner text
--c
Content-Type: message/rfc822

Subject: innermost

innermost text
--c--
--b--
""", "Subject: Fwd\n")

RFC2231 = multipart("multipart/mixed; boundary=b", """--b
Content-Type: application/pdf;
 name*0*=utf-8'de'Gr%C3%BC;
 name*1*=%C3%9Fe;
 name*2=".pdf"
Content-Disposition: attachment;
 filename*=iso-8859-1''na%EFve.txt

x
--b
Content-Type: application/octet-stream; name*=us-ascii'en-us'This%20is%20it
Content-Disposition: attachment; filename*0="a "; filename*1="long name"

y
--b
Content-Type: application/octet-stream; name="=?utf-8?Q?caf=C3=A9=2Epdf?="
Content-Disposition: attachment; filename="quoted \\"inside\\".txt"

z
--b--
""")

TEXTS = {
    "ordinary": PLAIN,
    "nested": NESTED,
    "forwarded": FORWARDED,
    "rfc2231": RFC2231,
    "nothing": "",
    "one newline": "\n",
    "no header": "\nonly a body\n",
    "no body": "Subject: header alone\nFrom: a@example.test\n",
    "no body after the empty line": "Subject: empty\nFrom: a@example.test\n\n",
    "no line end": "Subject: cut\n\nno end of line",
    "header without a line end": "Subject: cut",
    "body lines in the header": "Subject: x\nthis is no header field\nTo: a@example.test\n\nbody\n",
    "begins with From": "From s@elsewhere.test Tue Sep  1 10:00:00 2026\nSubject: mbox\n\nbody\n",
    "8-bit header": "From: J\xf6rg <joerg@example.test>\nSubject: gr\xfc\xdfe\nTo: \xe4@example.test\n\nbody \xf6\n",
    "utf-8 header": "From: J\xc3\xb6rg <j@example.test>\nSubject: gr\xc3\xbc\xc3\x9fe\nTo: \xc3\xa4@\xc3\xbc.test\n\nx\n",
    "encoded words": "From: =?utf-8?Q?J=C3=B6rg?= <j@example.test>\n"
                     "Subject: =?iso-8859-1?Q?gr=FC=DFe?= =?utf-8?B?IGFuIGFsbGU=?= plain\n"
                     "Content-Type: text/plain; charset=iso-8859-1\n"
                     "Content-Transfer-Encoding: quoted-printable\n\nna=EFve caf=E9 lo=\nng\n",
    "base64 text": "Subject: b64\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n"
                   "VGhlIHNlY3JldCB3b3JkIGlzIMO8YmVydGFzY2h0Lg==\n",
    "folded": "From: a@example.test\nSubject: one\n two\n\tthree\n   \n four\nTo: a@example.test,\n b@example.test\n"
              "References: <1@a>\n <2@a>\n\nx\n",
    "empty fields": "From:\nTo: \nSubject:\nDate:\nCc:  \nMessage-ID:\nContent-Type:\n\nx\n",
    "fields twice": "From: a@example.test\nFrom: b@example.test\nTo: c@example.test\nTo: d@example.test\n"
                    "Subject: first\nSubject: second\nDate: Tue, 1 Sep 2026 10:00:00 +0200\n"
                    "Date: Wed, 2 Sep 2026 10:00:00 +0200\nMessage-ID: <1@a>\nMessage-ID: <2@a>\n\nx\n",
    "space before the colon": "From : a@example.test\nSubject  : odd\n\nx\n",
    "no space after the colon": "From:a@example.test\nSubject:tight\nDate:Tue, 1 Sep 2026 10:00:00 +0200\n\nx\n",
    "groups": "From: a@example.test\nTo: friends: b@example.test, \"C\" <c@example.test>;, d@example.test\n"
              "Cc: undisclosed-recipients:;\nBcc: broken: e@example.test\n\nx\n",
    "broken addresses": "From: no address\nTo: <>\nCc: a@, @b, <c, d>, \"unclosed\nBcc: e@f@g, (comment) h@example.test (i)\n"
                        "Reply-To: \"\" <j@example.test>\nSender: k at example dot test\n\nx\n",
    "more addresses": "From: \"a b\"@example.test\nTo: <@x.test,@y.test:c@z.test>, \"q\\\"uote\" <d@example.test>,,\n"
                      " e@[127.0.0.1], f.g@example.test (a (nested) comment), h . i @ example . test\n"
                      "Cc: MAILER-DAEMON, First Last. <fl@example.test>, =?utf-8?Q?a=2C_b?= <c@d.test>\n\nx\n",
    "quotes in the subject": "Subject: \"quoted\" and \\back\\ and (paren) {5}\nFrom: a@example.test\n\nx\n",
    "boundary missing": multipart("multipart/mixed", "--b\n\nx\n--b--\n"),
    "boundary never found": multipart("multipart/mixed; boundary=never", "just text\n"),
    "no final boundary": multipart("multipart/mixed; boundary=b", "--b\n\none\n--b\nContent-Type: text/html\n\ntwo\n"),
    "only the final boundary": multipart("multipart/mixed; boundary=b", "text\n--b--\n"),
    "boundary with white space": multipart("multipart/mixed; boundary=b", "--b  \n\none\n--b\t\n\ntwo\n--b--  \nrest\n"),
    "boundary as a prefix": multipart("multipart/mixed; boundary=b",
                                      "--b\nContent-Type: multipart/mixed; boundary=bb\n\n--bb\n\none\n--bb--\n--b\n\ntwo\n--b--\n"),
    "inner part not closed": multipart("multipart/mixed; boundary=b",
                                       "--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\none\n--b\n\ntwo\n--b--\n"),
    "same boundary inside": multipart("multipart/mixed; boundary=b",
                                      "--b\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b--\n--b\n\ntwo\n--b--\n"),
    "empty parts": multipart("multipart/mixed; boundary=b", "--b\n--b\n\n--b\n\n\n--b\nContent-Type: text/html\n--b--\n"),
    "quoted boundary": multipart("multipart/mixed; boundary=\"a;b=c (d)\"; x=y", "--a;b=c (d)\n\none\n--a;b=c (d)--\n"),
    "digest": multipart("multipart/digest; boundary=b",
                        "--b\n\nFrom: one@example.test\nSubject: one\n\none\n--b\nContent-Type: text/plain\n\nnot a message\n--b--\n"),
    "report": multipart("multipart/report; report-type=delivery-status; boundary=b",
                        "--b\n\nIt failed.\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; a.test\n\n"
                        "Final-Recipient: rfc822; x@y.test\nAction: failed\nStatus: 5.1.1\n\n--b\n"
                        "Content-Type: text/rfc822-headers\n\nSubject: lost\n\n--b--\n"),
    "message alone": "Content-Type: message/rfc822\nSubject: outer\n\nSubject: inner\nFrom: i@example.test\n\ninner body\nline\n",
    "message empty": "Content-Type: message/rfc822\nSubject: outer\n\n",
    "message of a multipart": "Content-Type: message/rfc822\nSubject: outer\n\nSubject: inner\n"
                              "Content-Type: multipart/alternative; boundary=b\n\n--b\n\none\n--b\nContent-Type: text/html\n\ntwo\n--b--\n",
    "message in base64": "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogeAoKeQo=\n",
    "message/partial": "Content-Type: message/partial; id=\"abc\"; number=1; total=3\n\nSubject: x\n\npart\n",
    "broken content type": "Content-Type: nonsense\nSubject: x\n\nbody\n",
    "content type with bad parameters": "Content-Type: text/plain; charset; =x; name=\"unclosed\n\nbody\n",
    "content type in capitals": "CONTENT-TYPE: TEXT/HTML; CHARSET=UTF-8; Name=Upper.HTML\n"
                                "CONTENT-TRANSFER-ENCODING: BASE64\nCONTENT-DISPOSITION: ATTACHMENT; FILENAME=X\n\nPGI+\n",
    "content type with comments": "Content-Type: text/plain (a comment); charset=utf-8 (another)\n"
                                  "Content-Transfer-Encoding: 8bit (really)\n\nbody\n",
    "content type twice": "Content-Type: text/html\nContent-Type: text/plain\n\nbody\n",
    "unknown encoding": "Content-Type: text/plain\nContent-Transfer-Encoding: x-uuencode\n\nbegin 644 x\n`\nend\n",
    "long lines": "Subject: %s\nFrom: a@example.test\nX-Long: %s\n\n%s\n" % ("s" * 3000, "word " * 2000, "b" * 70000),
    "many recipients": "From: a@example.test\nTo: %s\n\nx\n" % ",\n ".join("r%d@example.test" % i for i in range(200)),
    "dates": "Date: 1 Sep 26 10:00 EST\nSubject: old date\n\nx\n",
    "date broken": "Date: yesterday\nSubject: bad date\n\nx\n",
    "date far west": "Date: Tue, 01 Sep 2026 23:30:00 -0800 (PST)\nSubject: west\n\nx\n",
    "deep": "".join(multipart("multipart/mixed; boundary=b%d" % i, "--b%d\n" % i).split("\n", 1)[1] if i else
                    multipart("multipart/mixed; boundary=b0", "--b0\n") for i in range(20)) + "\ndeep\n",
}
MESSAGES = {name: crlf(text) for name, text in TEXTS.items()}
# Bytes that do not survive crlf().
MESSAGES["bare line feeds"] = b"From: a@example.test\nSubject: bare\nTo: b@example.test\n\nline one\nline two\n"
MESSAGES["mixed line ends"] = b"From: a@example.test\r\nSubject: mixed\nTo: b@example.test\r\n\nline one\r\nline two\nthree\r\n"
MESSAGES["bare carriage returns"] = b"Subject: a\rb\r\nFrom: x@example.test\r\n\r\none\rtwo\r\n\rthree\r\r\nfour\r\n"
MESSAGES["no empty line before the boundary"] = crlf(multipart("multipart/mixed; boundary=b", "--b\nContent-Type: text/html\n--b\n\nx\n--b--"))
MESSAGES["folded parameters"] = crlf("Content-Type: text/plain;\n\tcharset=\"utf-8\";\n\tname=\"a\n b.txt\"\nSubject:\n on the next line\n\nx\n")
MESSAGES["signed"] = crlf(multipart("multipart/signed; micalg=pgp-sha256;\n protocol=\"application/pgp-signature\"; boundary=b",
                                    "--b\nContent-Type: text/plain\n\nsigned  \n\n--b\nContent-Type: application/pgp-signature; name=signature.asc\n"
                                    "Content-Disposition: attachment\n\n-----BEGIN-----\n\n--b--\n"))
