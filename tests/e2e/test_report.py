"""mailctl report: a known day of mail, and all its numbers. The log's level and its targets while the server runs."""

import datetime
import imaplib
import os
import smtplib
import socket

from support import wait_for
from support.instance import Instance
from support.mail import imap, inject, pop3, submit
from support.smtp_sink import SmtpSink

TEXT = "Subject: counted\r\nMessage-ID: <%s@far.example>\r\n\r\nbody\r\n"


def answers(verb, command):
    if verb != "RCPT":
        return None
    return "550 5.1.1 no such person" if "nobody" in command else "450 4.2.1 come back later" if "busy" in command else None


def refused(server, sender, recipient):
    try:
        inject(server, sender, [recipient], TEXT % "refused")
    except smtplib.SMTPRecipientsRefused:
        return
    raise AssertionError(recipient + " was not refused")


def fail_login(server, user):
    try:
        imap(server, user, "wrong")
    except imaplib.IMAP4.error:
        return
    raise AssertionError("logged in with a wrong password")


def live_through_a_day(server):
    inject(server, "anna@far.example", ["alice@example.test", "bob@example.test"], TEXT % "one")
    inject(server, "Anna@Far.Example", ["alice@example.test"], TEXT % "two")
    inject(server, "zoe@near.example", ["bob@example.test"], TEXT % "three")
    for _ in range(3):
        refused(server, "zoe@near.example", "who@example.test")
    submit(server, "alice", ["x@out.test", "nobody@out.test", "busy@out.test"], TEXT % "four")
    wait_for(lambda: all("status=%s (" % s in server.log() for s in ("bounced", "deferred")))
    wait_for(lambda: len(server.messages("alice")) == 3)  # the report on nobody@out.test
    for _ in range(2):
        fail_login(server, "bob")
    box = imap(server, "bob")
    box.select("INBOX")
    box.copy("1:2", "Trash")
    box.logout()
    pop3(server, "bob").quit()


def by_name(rows):
    return {row["name"]: row for row in rows}


def test_all_numbers_of_a_day():
    sink = SmtpSink(answers)
    with Instance() as server:
        server.add_config("route out {\n    recipient = out.test\n    hosts = [127.0.0.1]:%d\n}\n" % sink.port)
        server.restart()
        live_through_a_day(server)
        report = server.mailctl_json("report", "--hours", "2")
        total = report["total"]
        expected = {"accepted": 4, "recipients": 7, "queued": 1, "sent_local": 5, "sent_remote": 1, "dropped": 0, "deferred": 1,
                    "bounced": 1, "refused": 3, "logins": 3, "logins_failed": 2, "accepted_with_tls": 1, "lockouts": 0,
                    "tls_failures": 0}
        assert {k: total[k] for k in expected} == expected, (total, server.log())
        assert total["delay_max"] >= total["delay"] > 0
        hours = report["hours"]
        assert len(hours) in (2, 3) and all(sum(h[k] for h in hours) == total[k] for k in hours[0] if k != "from"), hours

        senders = by_name(report["senders"])
        assert {n: s["messages"] for n, s in senders.items()} == {"anna@far.example": 2, "zoe@near.example": 1,
                                                                  "alice@example.test": 1}
        assert report["senders"][0]["name"] == "anna@far.example"
        domains = by_name(report["recipient_domains"])
        assert (domains["example.test"]["sent"], domains["example.test"]["failed"]) == (5, 0)
        assert tuple(domains["out.test"][k] for k in ("sent", "deferred", "failed")) == (1, 1, 1)
        recipients = by_name(report["recipients"])
        assert recipients["alice@example.test"]["sent"] == 3 and recipients["bob@example.test"]["sent"] == 2
        services = by_name(report["services"])
        assert services["smtpd"]["messages"] == 3 and services["submission"]["messages"] == 1
        assert sum(s["bytes"] for s in services.values()) == total["bytes"] == sum(s["bytes"] for s in senders.values())
        for name, text in (("bounced", "no such person"), ("deferred", "come back later")):
            assert len(report[name]) == 1 and report[name][0]["count"] == 1 and text in report[name][0]["name"], report[name]
        assert [r["count"] for r in report["refused"]] == [3], report["refused"]
        assert report["refused_clients"] == [{"name": "127.0.0.1", "count": 3}]
        assert by_name(report["reports"])["failure"]["count"] == 1
        logins = by_name(report["logins"])
        assert (logins["imap"]["logins"], logins["imap"]["failed"]) == (1, 2) and logins["pop3"]["logins"] == 1
        assert report["login_failures"] == [{"name": "wrong_password", "count": 1}, {"name": "wrong_password_again", "count": 1}] \
            or report["login_failures"] == [{"name": "wrong_password", "count": 2}], report["login_failures"]
        assert report["login_failure_users"] == [{"name": "bob@example.test", "count": 2}]
        assert by_name(report["actions"])["copy"]["count"] == 2, report["actions"]
        assert report["errors"] == []

        # The same for people; days; bounds.
        text = server.mailctl("report", "--hours", "2", "--top", "1")
        assert "anna@far.example" in text and "zoe@near.example" not in text and "no such person" in text, text
        today = datetime.date.today()
        assert server.mailctl_json("report", "--day", today.isoformat())["total"]["accepted"] in (0, 4)  # 0: it was midnight
        assert server.mailctl_json("report", "--day")["total"] == server.mailctl_json("report")["total"]
        assert server.mailctl_json("report", "--day", "--top", "1")["total"] == server.mailctl_json("report")["total"]
        nothing = server.mailctl_json("report", "--day", (today - datetime.timedelta(days=3)).isoformat())
        assert nothing["total"]["events"] == 0 and len(nothing["hours"]) in (23, 24, 25)
        for wrong in (["--day", "yesterday"], ["--hours", "0"], ["--hours", "2", "--yesterday"], ["--top", "abc"], ["--top", "0"]):
            assert server.run_mailctl("report", *wrong, check=False).returncode == 2


def test_level_while_it_runs():
    with Instance() as server:
        assert server.mailctl("log", "level").strip() == "info"
        assert server.mailctl("log", "level", "debug").strip() == "debug"
        imap(server, "alice").logout()
        server.logged(": connect peer=")
        assert server.run_mailctl("log", "level", "loud", check=False).returncode != 0
        server.mailctl("log", "level", "error")
        imap(server, "bob").logout()
        assert "user=<bob@example.test>" not in "".join(l for l in server.log().splitlines() if " info " in l)
        server.mailctl("reload")
        assert server.mailctl("log", "level").strip() == "info"


def test_another_target_by_a_reload():
    with Instance() as server:
        path = os.path.join(server.root, "log", "syslog")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslog:
            syslog.bind(path)
            syslog.settimeout(30)
            server.add_config("log_to = file, syslog:%s\n" % path)
            server.mailctl("reload")
            imap(server, "alice").logout()
            lines = []
            while not any("logout user=<alice@example.test>" in line for line in lines):
                lines.append(syslog.recv(9000).decode())
            assert all(line.startswith("<2") or line.startswith("<1") for line in lines), lines
            server.logged("logout user=<alice@example.test>")
        server.replace_config("log_to = file", "log_to = telegraph")
        result = server.run_mailctl("reload", check=False)
        assert result.returncode == 1 and "telegraph" in result.stderr, result
