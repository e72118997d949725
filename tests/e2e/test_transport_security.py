"""DANE, MTA-STS and their reports, with signed zones, a policy server and mail servers of every kind."""

import email
import email.policy
import gzip
import json
import os
import re
import sqlite3
import time

from support import wait_for
from support.authority import Authority
from support.https import HttpsServer
from support.instance import Instance
from support.mail import imap_bodies, submit
from support.signed_dns import SignedDns
from support.smtp_sink import SmtpSink

TEXT = "From: alice@example.test\r\nTo: somebody\r\nSubject: secret\r\n\r\nbody\r\n"
GOOD, PLAIN, EXPIRED, FOREIGN, OTHER = ("127.0.0.%d" % n for n in (11, 12, 13, 14, 15))
HTTPS, HTTPS_OTHER = "127.0.0.21", "127.0.0.22"


def policy(mode, *hosts, max_age=86400):
    return "version: STSv1\r\nmode: %s\r\n%smax_age: %d\r\n" % (
        mode, "".join("mx: %s\r\n" % h for h in hosts), max_age)


class World:
    """Mail servers on addresses of their own, all on one port, and a maild that finds them in DNS."""

    def __init__(self, dane="", sts_names=(), plain="", config=""):
        self.server = Instance()
        self.closing = [self.server]
        try:
            self.build(dane, sts_names, plain, config)
        except BaseException:
            self.close()
            raise

    def build(self, dane, sts_names, plain, config):
        self.authority = Authority(os.path.join(self.server.directory, "ca"))
        hosts = ["mx.%s.sts.test" % n for n in sts_names] + ["mx-good.dane.test", "mx.both.dane.test"]
        self.good = self.authority.issue(*hosts)
        self.expired = self.authority.issue(*hosts, days=-1)
        self.foreign = self.authority.issue(*hosts, foreign=True)
        self.other = self.authority.issue("somebody.else.test")
        self.sinks = {GOOD: SmtpSink(tls=self.good.server_context(), address=(GOOD, 0))}
        self.port = self.sinks[GOOD].port
        for address, certificate in ((PLAIN, None), (EXPIRED, self.expired), (FOREIGN, self.foreign),
                                     (OTHER, self.other)):
            self.sinks[address] = SmtpSink(tls=certificate and certificate.server_context(),
                                           address=(address, self.port))
        self.closing += self.sinks.values()
        policy_hosts = ["mta-sts.%s.sts.test" % n for n in sts_names] + ["mta-sts.both.dane.test"]
        self.https = HttpsServer(self.authority.issue(*policy_hosts, "rua.sts.test"), {}, (HTTPS, 0))
        self.closing.append(self.https)
        self.https_other = HttpsServer(self.other, {}, (HTTPS_OTHER, self.https.port))
        self.closing.append(self.https_other)
        self.dns = SignedDns({
            "dane.test": ("signed", self.fill(dane)),
            "bogus.test": ("bogus", "mx A %s\nsome MX 10 mx\n" % GOOD),
            "sts.test": ("unsigned", "".join(self.sts_zone(n) for n in sts_names) + "rua A %s\n" % HTTPS),
            "plain.test": ("unsigned", self.fill(plain)),
        })
        self.closing.append(self.dns)
        self.server.replace_config("tls {", "tls {\n    ca_file = %s" % self.authority.certificate)
        self.server.add_config(self.dns.settings())
        self.server.add_config("queue {\n    smtp_port = %d\n    retry_first = 1h\n    connection_linger = 0\n}\n"
                               "mta_sts {\n    https_port = %d\n    timeout = 3s\n    refused_networks = 10.0.0.0/8\n}\n%s" % (
                                   self.port, self.https.port, config))

    def fill(self, records):
        values = {"PORT": "_%d._tcp" % self.port, "TLSA_GOOD": self.good.tlsa(), "TLSA_FOREIGN": self.foreign.tlsa(),
                  "TLSA_EXPIRED": self.expired.tlsa(), "TLSA_WRONG": "TLSA 3 1 1 " + "f" * 64,
                  "TLSA_AUTHORITY": "TLSA 2 0 0 " + self.authority.hex(), "TLSA_USELESS": "TLSA 0 0 1 " + "f" * 64,
                  "GOOD": GOOD, "PLAIN": PLAIN, "EXPIRED": EXPIRED, "FOREIGN": FOREIGN, "OTHER": OTHER, "HTTPS": HTTPS}
        return re.sub(r"\b(%s)\b" % "|".join(values), lambda m: values[m[0]], records)

    def sts_zone(self, name):
        return "%s MX 10 mx.%s\nmx.%s A %s\nmta-sts.%s A %s\n_mta-sts.%s TXT \"v=STSv1; id=1;\"\n" % (
            name, name, name, GOOD, name, HTTPS, name)

    def change(self, zone, records):
        """Another zone in place of the old one."""
        self.dns.change(zone, records)

    def send(self, *domains, text=TEXT):
        submit(self.server, "alice", ["x@" + d for d in domains], text)

    def results(self, *domains):
        """What the log says of the last attempt for each domain."""
        def look():
            lines = {}
            for m in re.finditer(r" to=<x@(\S+)> relay=.*? (tls=.*)", self.server.log()):
                lines[m[1]] = m[2]
            return lines if all(d in lines for d in domains) else None
        return wait_for(look, "no result for all of %s" % (domains,), 60)

    def result(self, domain):
        return self.results(domain)[domain]

    def has_curl(self):
        with open("/proc/%d/maps" % self.server.process.pid) as f:
            return "libcurl" in f.read()

    def counts(self):
        """{(domain, policy, result): count} of today."""
        found = {}
        for row in self.server.mailctl_json("tls", "report"):
            key = (row["domain"], row["policy"], row["result"])
            found[key] = found.get(key, 0) + row["count"]
        return found

    def close(self):
        for thing in reversed(self.closing):
            thing.close()

    def __enter__(self):
        self.server.start()
        return self

    def __exit__(self, kind, value, traceback):
        if kind:
            print("--- log of maild ---\n" + self.server.log()[-8000:])
            self.server.kill()
        self.close()


def tls_of(line):
    """tls=TLSv1.3 cipher=... policy=dane verified=yes status=sent (...): (tls or not, policy, verified, status)"""
    m = re.match(r"tls=(\S+) (?:cipher=\S+ )?(?:policy=(\S+) verified=(\S+) )?status=(\S+)", line)
    assert m, line
    return m[1] != "none", m[2], m[3], m[4]


def check(results, wanted):
    wrong = {d: results[d] for d, w in wanted.items() if tls_of(results[d]) != w}
    assert not wrong, "\n".join("%s: %s, expected %s" % (d, line, wanted[d]) for d, line in wrong.items())


# --- DANE (RFC 7672) ---

DANE = """
ok MX 10 mx-ok
mx-ok A FOREIGN
PORT.mx-ok TLSA_FOREIGN
ta MX 10 mx-good
mx-good A GOOD
PORT.mx-good TLSA_AUTHORITY
ta-name MX 10 mx-ta-name
mx-ta-name A GOOD
PORT.mx-ta-name TLSA_AUTHORITY
old MX 10 mx-old
mx-old A EXPIRED
PORT.mx-old TLSA_EXPIRED
roll MX 10 mx-roll
mx-roll A FOREIGN
PORT.mx-roll TLSA_WRONG
PORT.mx-roll TLSA_FOREIGN
PORT.mx-roll TLSA_USELESS
wrong MX 10 mx-wrong
mx-wrong A GOOD
PORT.mx-wrong TLSA_WRONG
useless MX 10 mx-useless
mx-useless A FOREIGN
PORT.mx-useless TLSA_USELESS
useless-plain MX 10 mx-useless-plain
mx-useless-plain A PLAIN
PORT.mx-useless-plain TLSA_USELESS
plain MX 10 mx-plain
mx-plain A PLAIN
PORT.mx-plain TLSA_FOREIGN
none MX 10 mx-none
mx-none A FOREIGN
clear MX 10 mx-clear
mx-clear A PLAIN
alias MX 10 mx-alias
mx-alias CNAME mx-ok
alias-own MX 10 mx-alias-own
mx-alias-own CNAME mx-none
PORT.mx-alias-own TLSA_FOREIGN
alias-out MX 10 mx-alias-out
mx-alias-out CNAME mx.plain.test.
PORT.mx-alias-out TLSA_WRONG
second MX 10 mx-wrong
second MX 20 mx-ok
bogus-first MX 10 mx.bogus.test.
bogus-first MX 20 mx-ok
bogus-only MX 10 mx.bogus.test.
insecure-mx-host MX 10 mx.plain.test.
itself A FOREIGN
PORT.itself TLSA_FOREIGN
"""
PLAIN_ZONE = """
mx A FOREIGN
PORT.mx TLSA_WRONG
some MX 10 mx
other MX 10 mx-ok.dane.test.
"""


def test_dane():
    with World(dane=DANE, plain=PLAIN_ZONE) as w:
        wanted = {
            "ok.dane.test": (True, "dane", "yes", "sent"),
            "ta.dane.test": (True, "dane", "yes", "sent"),
            "ta-name.dane.test": (False, "dane", "no", "deferred"),  # the authority's, for another name
            "old.dane.test": (True, "dane", "yes", "sent"),  # the record says all: dates do not count
            "roll.dane.test": (True, "dane", "yes", "sent"),
            "wrong.dane.test": (False, "dane", "no", "deferred"),
            "useless.dane.test": (True, "encrypt", "no", "sent"),
            "useless-plain.dane.test": (False, "encrypt", "no", "deferred"),
            "plain.dane.test": (False, "dane", "no", "deferred"),
            "none.dane.test": (True, "opportunistic", "no", "sent"),
            "clear.dane.test": (False, "opportunistic", "no", "sent"),
            "alias.dane.test": (True, "dane", "yes", "sent"),
            "alias-own.dane.test": (True, "dane", "yes", "sent"),
            "alias-out.dane.test": (False, "dane", "no", "deferred"),
            "second.dane.test": (True, "dane", "yes", "sent"),
            "bogus-first.dane.test": (True, "dane", "yes", "sent"),
            "insecure-mx-host.dane.test": (True, "opportunistic", "no", "sent"),
            "itself.dane.test": (True, "dane", "yes", "sent"),
            "some.plain.test": (True, "opportunistic", "no", "sent"),
            "other.plain.test": (True, "opportunistic", "no", "sent"),  # the MX record is not signed
        }
        failing = ("bogus-only.dane.test", "some.bogus.test")
        w.send(*wanted, *failing)
        results = w.results(*wanted, *failing)
        check(results, wanted)
        for domain in failing:
            assert "status=deferred" in results[domain], results[domain]
        assert "mx.bogus.test" in results["bogus-only.dane.test"], results["bogus-only.dane.test"]
        assert "TLSA records at _%d._tcp.mx-wrong.dane.test" % w.port in results["wrong.dane.test"]
        got = sorted(r for s in w.sinks.values() for m in list(s.messages.queue) for r in m["recipients"])
        assert got == sorted("x@" + d for d, r in wanted.items() if r[3] == "sent"), got

        counts = w.counts()
        assert counts[("ok.dane.test", "tlsa", "success")] == 1
        assert counts[("wrong.dane.test", "tlsa", "tlsa-invalid")] == 1
        assert counts[("ta-name.dane.test", "tlsa", "certificate-host-mismatch")] == 1
        assert counts[("plain.dane.test", "tlsa", "starttls-not-supported")] == 1
        assert counts[("none.dane.test", "no-policy-found", "success")] == 1
        assert counts[("second.dane.test", "tlsa", "tlsa-invalid")] == 1
        assert counts[("second.dane.test", "tlsa", "success")] == 1

        # What mailctl says is what was done.
        for domain, (_, name, _, status) in wanted.items():
            if domain == "second.dane.test" or domain == "bogus-first.dane.test":
                continue
            x = w.server.mailctl_json("tls", "policy", domain)
            assert [h["policy"] for h in x["hosts"]] == [name], x
            assert x["mx_signed"] == domain.endswith("dane.test"), x
        x = w.server.mailctl_json("tls", "policy", "roll.dane.test")
        assert sorted(r["usable"] for r in x["hosts"][0]["records"]) == [False, True, True], x
        x = w.server.mailctl_json("tls", "policy", "bogus-first.dane.test")
        assert [h["usable"] for h in x["hosts"]] == [False, True], x
        said = w.server.mailctl("tls", "policy", "wrong.dane.test")
        assert "MX       signed (DNSSEC)" in said and "DANE     found at _%d._tcp.mx-wrong.dane.test" % w.port in said, said
        assert "TLS required, a TLSA record must fit" in said


def test_levels_of_routes():
    """What a route wants is the least."""
    routes = "".join("route %s {\n    recipient = %s\n    hosts = mx\n    tls = %s\n}\n" % r for r in (
        ("clear", "ok.dane.test", "none"), ("encrypted", "clear.dane.test", "encrypt"),
        ("encrypted2", "none.dane.test", "encrypt"), ("dane", "useless.dane.test", "dane"),
        ("dane2", "ta.dane.test", "dane"), ("dane3", "some.plain.test", "dane"),
        ("verified", "old.dane.test", "verify"), ("verified2", "good.plain.test", "verify"),
        ("verified3", "mx-good.dane.test", "verify")))
    with World(dane=DANE, plain=PLAIN_ZONE + "good MX 10 mx-good.dane.test.\n", config=routes) as w:
        wanted = {
            "ok.dane.test": (False, "none", "no", "sent"),
            "clear.dane.test": (False, "encrypt", "no", "deferred"),
            "none.dane.test": (True, "encrypt", "no", "sent"),
            "useless.dane.test": (False, "encrypt", "no", "deferred"),
            "ta.dane.test": (True, "dane", "yes", "sent"),
            "some.plain.test": (False, "opportunistic", "no", "deferred"),
            "old.dane.test": (True, "dane", "yes", "sent"),
            "good.plain.test": (False, "verify", "no", "deferred"),  # nobody vouches for the name of the host
            "mx-good.dane.test": (True, "dane", "yes", "sent"),
        }
        w.send(*wanted)
        check(w.results(*wanted), wanted)


# --- MTA-STS (RFC 8461) ---

STS = ("enforce", "foreign", "expired", "othername", "clear", "testing", "testing-bad", "testing-mx", "off",
       "wrong-mx", "hang", "trickle", "flood", "redirect", "missing", "bad-text", "bad-cert", "two-records")


def sts_zone(w):
    """Hosts of all kinds behind the names."""
    zone = "rua A %s\n" % HTTPS
    kinds = {"foreign": FOREIGN, "expired": EXPIRED, "othername": OTHER, "clear": PLAIN, "testing-bad": FOREIGN}
    for name in STS:
        text = w.sts_zone(name)
        zone += text.replace(" A " + GOOD, " A " + kinds.get(name, GOOD))
    zone = zone.replace("mta-sts.bad-cert A " + HTTPS, "mta-sts.bad-cert A " + HTTPS_OTHER)
    return zone + '_mta-sts.two-records TXT "v=STSv1; id=2;"\n'


def test_mta_sts():
    with World(sts_names=STS) as w:
        w.change("sts.test", sts_zone(w))
        own = {n: "mx.%s.sts.test" % n for n in STS}
        w.https.answers = {"mta-sts.%s.sts.test" % n: policy("enforce", own[n]) for n in STS}
        w.https.answers.update({
            "mta-sts.testing.sts.test": policy("testing", "*.testing.sts.test"),
            "mta-sts.testing-bad.sts.test": policy("testing", own["testing-bad"]),
            "mta-sts.testing-mx.sts.test": policy("testing", "mx.elsewhere.test"),
            "mta-sts.off.sts.test": policy("none"),
            "mta-sts.wrong-mx.sts.test": policy("enforce", "*.wrong-mx.example"),
            "mta-sts.hang.sts.test": w.https.hang,
            "mta-sts.trickle.sts.test": w.https.trickle,
            "mta-sts.flood.sts.test": w.https.flood,
            "mta-sts.redirect.sts.test": w.https.redirect,
            "mta-sts.missing.sts.test": 404,
            "mta-sts.bad-text.sts.test": "<html>It works!</html>",
        })
        w.https_other.answers = {"mta-sts.bad-cert.sts.test": policy("enforce", "mx.elsewhere.test")}
        sent = (True, "sts", "yes", "sent")
        failed = (False, "sts", "no", "deferred")
        free = (True, "opportunistic", "yes", "sent")
        wanted = {"enforce": sent, "foreign": failed, "expired": failed, "othername": failed, "clear": failed,
                  "testing": free, "testing-bad": (True, "opportunistic", "no", "sent"), "testing-mx": free,
                  "off": free, "wrong-mx": failed, "hang": free, "trickle": free, "flood": free,
                  "redirect": free, "missing": free, "bad-text": free, "bad-cert": free, "two-records": free}
        wanted = {name + ".sts.test": result for name, result in wanted.items()}
        assert not w.has_curl(), "an idle server is small"
        w.send(*wanted)
        check(w.results(*wanted), wanted)
        assert w.has_curl()
        counts = w.counts()
        for domain, kind, result in (
                ("enforce", "sts", "success"), ("foreign", "sts", "certificate-not-trusted"),
                ("expired", "sts", "certificate-expired"), ("othername", "sts", "certificate-host-mismatch"),
                ("clear", "sts", "starttls-not-supported"), ("testing", "sts", "success"),
                ("testing-bad", "sts", "certificate-not-trusted"), ("testing-mx", "sts", "validation-failure"),
                ("wrong-mx", "sts", "validation-failure"), ("hang", "sts", "sts-policy-fetch-error"),
                ("flood", "sts", "sts-policy-fetch-error"), ("redirect", "sts", "sts-policy-fetch-error"),
                ("missing", "sts", "sts-policy-fetch-error"), ("bad-text", "sts", "sts-policy-invalid"),
                ("bad-cert", "sts", "sts-webpki-invalid"), ("bad-cert", "no-policy-found", "success"),
                ("off", "no-policy-found", "success")):
            assert counts.get((domain + ".sts.test", kind, result)) == 1, (domain, kind, result, counts)
        asked = [host for _, host, path, _, _ in w.https.asked]
        assert "/elsewhere" not in [path for _, _, path, _, _ in w.https.asked], "redirects are not followed"
        assert len(asked) == len(set(asked)), "each policy is asked for once: %s" % asked

        # A restart knows the policies without asking again, and does not ask for those that failed too soon.
        w.server.restart()
        w.https.answers["mta-sts.enforce.sts.test"] = 500
        w.send("enforce.sts.test", "clear.sts.test")
        wait_for(lambda: w.server.log().count(" to=<x@clear.sts.test> relay=") == 2)
        wait_for(lambda: w.server.log().count(" to=<x@enforce.sts.test> relay=") == 2)
        check(w.results("enforce.sts.test", "clear.sts.test"), {"enforce.sts.test": sent, "clear.sts.test": failed})
        assert len(w.https.asked) == len(asked)

        # A new id: the policy is fetched anew; when that fails the old one holds.
        w.change("sts.test", sts_zone(w).replace('_mta-sts.enforce TXT "v=STSv1; id=1;"',
                                                 '_mta-sts.enforce TXT "v=STSv1; id=2;"'))
        x = wait_for(lambda: (lambda x: x if x["sts"]["problem"] else None)(
            w.server.mailctl_json("tls", "policy", "enforce.sts.test")))
        assert x["sts"]["id"] == "1" and x["hosts"][0]["policy"] == "sts" and "500" in x["sts"]["problem"], x
        w.https.answers["mta-sts.enforce.sts.test"] = policy("testing", "mx.enforce.sts.test")
        x = w.server.mailctl_json("tls", "policy", "enforce.sts.test", "--refresh")
        assert x["sts"]["id"] == "2" and x["sts"]["mode"] == "testing" and not x["sts"]["problem"], x
        assert x["hosts"][0]["testing"] and x["hosts"][0]["policy"] == "opportunistic", x

        # Forgotten: as if it had never been known.
        assert os.path.exists(os.path.join(w.server.root, "data", "mta-sts", "enforce.sts.test"))
        assert w.server.mailctl_json("tls", "flush", "enforce.sts.test") == {"forgotten": 1}
        assert not os.path.exists(os.path.join(w.server.root, "data", "mta-sts", "enforce.sts.test"))
        assert w.server.mailctl_json("tls", "flush", "--all")["forgotten"] > 5
        assert os.listdir(os.path.join(w.server.root, "data", "mta-sts")) == []


def test_hosts_of_the_own_network_are_not_asked():
    with World(sts_names=("enforce",)) as w:
        w.https.answers = {"mta-sts.enforce.sts.test": policy("enforce", "mx.enforce.sts.test")}
        w.server.replace_config("refused_networks = 10.0.0.0/8", "")
        w.server.mailctl("reload")
        said = w.server.run_mailctl("tls", "policy", "enforce.sts.test", "--refresh", check=False)
        assert w.https.asked == [] and "has no address that may be asked" in said.stdout + said.stderr, said
        w.send("enforce.sts.test")
        w.results("enforce.sts.test")
        assert w.https.asked == []


def test_mta_sts_without_dns():
    """Who suppresses the record does not switch off the policy; an expired one does not hold."""
    with World(sts_names=("enforce", "short")) as w:
        zone = w.sts_zone("enforce") + w.sts_zone("short")
        foreign = zone.replace(" A " + GOOD, " A " + FOREIGN)
        w.change("sts.test", foreign)
        w.https.answers = {"mta-sts.enforce.sts.test": policy("enforce", "mx.enforce.sts.test"),
                           "mta-sts.short.sts.test": policy("enforce", "mx.short.sts.test", max_age=1)}
        w.send("enforce.sts.test", "short.sts.test")
        failed = (False, "sts", "no", "deferred")
        check(w.results("enforce.sts.test", "short.sts.test"), {"enforce.sts.test": failed, "short.sts.test": failed})
        w.change("sts.test", "\n".join(l for l in foreign.split("\n") if not l.startswith("_mta-sts")))

        def policies():
            return [w.server.mailctl_json("tls", "policy", d + ".sts.test") for d in ("enforce", "short")]
        wait_for(lambda: all("no record" in x["sts"]["dns"] for x in policies()))
        wait_for(lambda: not policies()[1]["sts"]["found"])
        enforce, short = policies()
        assert enforce["hosts"][0]["policy"] == "sts" and short["hosts"][0]["policy"] == "opportunistic"
        w.send("enforce.sts.test", "short.sts.test")
        wait_for(lambda: w.server.log().count(" to=<x@short.sts.test> relay=") == 2)
        check(w.results("enforce.sts.test", "short.sts.test"),
              {"enforce.sts.test": failed, "short.sts.test": (True, "opportunistic", "no", "sent")})


def test_an_end_while_a_policy_is_fetched():
    with World(sts_names=("hang",)) as w:
        w.https.answers = {"mta-sts.hang.sts.test": w.https.hang}
        w.server.replace_config("timeout = 3s", "timeout = 5m")
        w.server.restart()
        w.send("hang.sts.test")
        wait_for(lambda: w.https.asked)
        begun = time.monotonic()
        w.server.stop()
        assert time.monotonic() - begun < 20
        w.https.answers = {"mta-sts.hang.sts.test": 404}
        w.server.start()
        check(w.results("hang.sts.test"), {"hang.sts.test": (True, "opportunistic", "yes", "sent")})


BOTH = """
both MX 10 mx.both
mx.both A GOOD
mta-sts.both A HTTPS
_mta-sts.both TXT "v=STSv1; id=1;"
"""


def test_dane_goes_before_mta_sts():
    for record, answer, wanted in (
            ("TLSA_GOOD", policy("enforce", "mx.elsewhere.test"), (True, "dane", "yes", "sent")),
            ("TLSA_WRONG", policy("enforce", "mx.both.dane.test"), (False, "dane", "no", "deferred")),
            ("TLSA_USELESS", policy("enforce", "mx.both.dane.test"), (True, "sts", "yes", "sent"))):
        with World(dane=BOTH + "PORT.mx.both %s\n" % record) as w:
            w.https.answers = {"mta-sts.both.dane.test": answer}
            w.send("both.dane.test")
            check(w.results("both.dane.test"), {"both.dane.test": wanted})
            assert bool(w.https.asked) == (record == "TLSA_USELESS"), w.https.asked


# --- the message's own wishes (RFC 8689) ---

def test_a_message_that_does_without():
    with World(dane=DANE, sts_names=("enforce",)) as w:
        w.change("sts.test", w.sts_zone("enforce").replace(" A " + GOOD, " A " + PLAIN))
        w.https.answers = {"mta-sts.enforce.sts.test": policy("enforce", "mx.enforce.sts.test")}
        domains = ("wrong.dane.test", "plain.dane.test", "enforce.sts.test")
        w.send(*domains)
        for domain in domains:
            assert "status=deferred" in w.result(domain)
        before = w.counts()
        w.send(*domains, text="TLS-Required: No\r\n" + TEXT)
        wait_for(lambda: all(w.server.log().count(" to=<x@%s> relay=" % d) == 2 for d in domains))
        check(w.results(*domains), {"wrong.dane.test": (True, "opportunistic", "no", "sent"),
                                    "plain.dane.test": (False, "opportunistic", "no", "sent"),
                                    "enforce.sts.test": (False, "opportunistic", "no", "sent")})
        assert w.counts() == before, "no policy held, so there is nothing to report"


# --- reports (RFC 8460) ---

def test_reports():
    names = ("enforce", "foreign", "by-https", "nobody")
    config = "tls_report {\n    send = yes\n    contact = tls@example.test\n    organization = Example\n}\n"
    with World(sts_names=names, config=config) as w:
        zone = "".join(w.sts_zone(n) for n in names) + "rua A %s\n" % HTTPS
        zone = zone.replace("mx.foreign A " + GOOD, "mx.foreign A " + FOREIGN)
        zone += '_smtp._tls.enforce TXT "v=TLSRPTv1; rua=mailto:bob@example.test"\n'
        zone += '_smtp._tls.foreign TXT "v=TLSRPTv1; rua=mailto:x@foreign.sts.test"\n'
        zone += '_smtp._tls.by-https TXT "v=TLSRPTv1; rua=https://rua.sts.test:%d/v1/tlsrpt"\n' % w.https.port
        w.change("sts.test", zone)
        w.https.answers = {"mta-sts.%s.sts.test" % n: policy("enforce", "mx.%s.sts.test" % n) for n in names}
        w.https.answers["rua.sts.test"] = "thank you"
        domains = [n + ".sts.test" for n in names]
        w.send(*domains)
        w.results(*domains)
        w.send("enforce.sts.test")
        wait_for(lambda: w.server.log().count(" to=<x@enforce.sts.test> relay=") == 2)
        assert w.counts()[("enforce.sts.test", "sts", "success")] == 2
        assert w.server.mailctl_json("tls", "send") == {"sent": 0, "failed": 0}, "the day is not over"

        # The same counts, a day earlier.
        w.server.stop()
        today = int(time.time() // 86400)
        with sqlite3.connect(os.path.join(w.server.root, "data", "tls-report.db")) as db:
            assert db.execute("UPDATE results SET day = ?", (today - 1,)).rowcount >= 4
        db.close()
        w.server.start()
        assert w.counts() == {}
        assert w.server.mailctl_json("tls", "send") == {"sent": 3, "failed": 0}
        assert w.server.mailctl_json("tls", "send") == {"sent": 0, "failed": 0}

        [text] = wait_for(lambda: list(imap_bodies(w.server, "bob").values()))
        message = email.message_from_bytes(text, policy=email.policy.default)
        assert message.get_content_type() == "multipart/report" and message.get_param("report-type") == "tlsrpt"
        assert message["TLS-Report-Domain"] == "enforce.sts.test"
        assert message["TLS-Report-Submitter"] == "mail.example.test"
        assert message["Subject"].startswith("Report Domain: enforce.sts.test Submitter: mail.example.test Report-ID: <")
        parts = list(message.iter_parts())
        assert [p.get_content_type() for p in parts] == ["text/plain", "application/tlsrpt+gzip"]
        assert "enforce.sts.test" in parts[0].get_content()
        report = json.loads(gzip.decompress(parts[1].get_content()))
        day = time.strftime("%Y-%m-%d", time.gmtime((today - 1) * 86400))
        assert report["date-range"] == {"start-datetime": day + "T00:00:00Z", "end-datetime": day + "T23:59:59Z"}
        assert report["organization-name"] == "Example" and report["contact-info"] == "tls@example.test"
        assert report["report-id"] in message["Subject"]
        assert report["policies"] == [{
            "policy": {"policy-type": "sts", "policy-domain": "enforce.sts.test", "mx-host": ["mx.enforce.sts.test"],
                       "policy-string": ["version: STSv1", "mode: enforce", "mx: mx.enforce.sts.test", "max_age: 86400"]},
            "summary": {"total-successful-session-count": 2, "total-failure-session-count": 0}}], report

        # To a domain whose policy fails: the report is what tells of it.
        got = w.sinks[FOREIGN].next()
        assert got["recipients"] == ["x@foreign.sts.test"] and b"TLS-Report-Domain: foreign.sts.test" in got["data"]
        assert got["sender"].startswith("MAIL FROM:<>")
        message = email.message_from_bytes(got["data"], policy=email.policy.default)
        report = json.loads(gzip.decompress(list(message.iter_parts())[1].get_content()))
        [failure] = report["policies"][0]["failure-details"]
        assert failure["result-type"] == "certificate-not-trusted" and failure["failed-session-count"] == 1
        assert failure["receiving-mx-hostname"] == "mx.foreign.sts.test" and failure["receiving-ip"] == FOREIGN
        assert failure["sending-mta-ip"].startswith("127.") and failure["failure-reason-code"]

        [(_, _, path, headers, body)] = [a for a in w.https.asked if a[0] == "POST"]
        assert path == "/v1/tlsrpt" and headers["Content-Type"] == "application/tlsrpt+gzip"
        report = json.loads(gzip.decompress(body))
        assert report["policies"][0]["policy"]["policy-domain"] == "by-https.sts.test"
        assert w.counts() == {}, "reports are not reported"
