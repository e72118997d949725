"""Addresses that become others: by table and masquerade, in envelope and header, of users, programs and others."""

import os
import smtplib
import subprocess

from support import wait_for
from support.examples import read_examples, run_example
from support.instance import Instance, build_dir
from support.mail import imap_bodies, inject, submit
from support.smtp_sink import SmtpSink

TEXT = """From: "Alice, S." <alice@pc1.example.test>,
\t=?UTF-8?Q?B=C3=B6b?= <bob@example.test> (Bob)
Sender: alice@pc1.example.test
Reply-To: alice@pc1.example.test
To: Staff: sales@old.example, x@far.example;
Subject: alice@pc1.example.test stays

alice@pc1.example.test stays
""".replace("\n", "\r\n")

RULES = """
rewrite hosts { masquerade = example.test }
rewrite persons { table = persons; parts = envelope_sender, header_sender, header_recipient, envelope_recipient }
rewrite moved { table = moved; type = domain; parts = envelope_recipient, header_recipient; for = all }
"""


def instance(sink):
    server = Instance()
    with open(os.path.join(server.root, "persons"), "w") as f:
        f.write("alice@example.test alice.smith@example.test\n")
    with open(os.path.join(server.root, "moved"), "w") as f:
        f.write("old.example @new.example\nours.example @example.test\n")
    server.add_config("queue {\n    relay_host = [127.0.0.1]:%d\n}\n%s" % (sink.port, RULES))
    return server


def header(data):
    return data.decode().replace("\r\n", "\n").split("\n\n")[0]


def test_envelope_and_header():
    sink = SmtpSink()
    with instance(sink) as server:
        submit(server, "alice", ["sales@old.example"], TEXT)
        got = sink.next()
        assert got["sender"].startswith("MAIL FROM:<alice.smith@example.test>"), got["sender"]
        assert got["recipients"] == ["sales@new.example"]
        wanted = """From: "Alice, S." <alice.smith@example.test>,
\t=?UTF-8?Q?B=C3=B6b?= <bob@example.test> (Bob)
Sender: alice.smith@example.test
Reply-To: alice.smith@example.test
To: Staff: sales@new.example, x@far.example;
Subject: alice@pc1.example.test stays"""
        assert wanted in header(got["data"]), header(got["data"])
        assert got["data"].endswith(b"alice@pc1.example.test stays\r\n")
        assert server.logged("rewritten address=<alice@example.test> new=<alice.smith@example.test>")


def test_whose_mail():
    sink = SmtpSink()
    with instance(sink) as server:
        # From outside only the rule that is for all counts; the recipient is ours under its new name.
        inject(server, "alice@pc1.example.test", ["bob@ours.example"], TEXT)
        body = list(imap_bodies(server, "bob").values())[0]
        assert b"Return-Path: <alice@pc1.example.test>" in body and b'"Alice, S." <alice@pc1.example.test>' in body
        assert b"sales@new.example, x@far.example;" in body
        with smtplib.SMTP("127.0.0.1", server.port("smtp")) as smtp:
            smtp.ehlo()
            smtp.mail("s@far.example")
            assert smtp.rcpt("nobody@ours.example")[0] == 550
            assert smtp.rcpt("x@old.example")[0] == 550


def test_programs():
    sink = SmtpSink()
    server = instance(sink)
    with server:
        server.stop()
        subprocess.run([os.path.join(build_dir(), "mailctl"), "--config", server.config_path, "sendmail", "-f", "root@pc1.example.test",
                        "sales@old.example"], input=b"Subject: x\nTo: sales@old.example\n\nbody\n", check=True, timeout=60)
        server.start()
        got = sink.next()
        assert got["sender"].startswith("MAIL FROM:<root@example.test>"), got["sender"]
        assert got["recipients"] == ["sales@new.example"] and "From: root@example.test" in header(got["data"]), got
        assert "To: sales@new.example" in header(got["data"])


def test_a_wrong_table_changes_nothing():
    sink = SmtpSink()
    with instance(sink) as server:
        with open(os.path.join(server.root, "persons"), "w") as f:
            f.write("alice@example.test\n")
        failed = server.run_mailctl("reload", check=False)
        assert failed.returncode != 0 and "persons:1: expected a new address" in failed.stderr, failed
        submit(server, "alice", ["x@far.example"], TEXT)
        assert "alice.smith@" in sink.next()["sender"]
        with open(os.path.join(server.root, "persons"), "w") as f:
            f.write("alice@example.test a.smith@example.test\n")
        server.mailctl("reload")
        submit(server, "alice", ["x@far.example"], TEXT)
        assert "a.smith@" in sink.next()["sender"]
        wait_for(lambda: server.mailctl_json("queue", "list") == [])


def test_examples_of_the_documentation():
    with Instance() as server:
        with open(server.config_path) as f:
            base = f.read()
        for document in ("rewriting.md", "forwarding.md"):
            for example in read_examples(document):
                run_example(server, base, example)
