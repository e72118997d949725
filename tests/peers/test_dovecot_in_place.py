"""A Maildir tree that Debian's Dovecot served is taken over in place, used, and given back: everything that
clients see over IMAP and POP3 is the same before and after each change of hands."""

import base64
import collections
import glob
import hashlib
import imaplib
import os
import poplib
import pwd
import re
import shutil
import smtplib
import subprocess
import time

from support import Skip
from support.instance import Instance
from support.reference import Reference, dovecot_available

# separator, prefix: of Dovecot, and of maild unless `same` is false.
DEFAULT = dict(separator=".", prefix="", same=False, home="%d/%n", location="maildir:~/Maildir", dovecot="", maild="",
               folders=["Sent", "Work", "Work/2024", "Entw\u00fcrfe & mehr", "INBOX/below"])
COURIER = dict(separator=".", prefix="INBOX/", same=True, home="%d/%1n/%1.1n/%n", location="maildir:~",
               dovecot="", maild='maildir = "%d/%1n/%1.1n/%n"', folders=["Sent", "Work", "Work/2024"])
LISTESCAPE = dict(separator="/", prefix="", same=True, home="%u", location="maildir:~/Maildir",
                  maild='maildir = "%u/Maildir"',
                  folders=["Sent", "Work", "with.dot/and~tilde/~tilde", "back\\slash", "Lists/a.b.c"],
                  dovecot="""
mail_plugins = acl listescape quota
protocol imap {
  mail_plugins = acl listescape quota imap_acl imap_quota
}
namespace public {
  type = public
  separator = /
  prefix = Public/
  location = maildir:%(mail)s/vmail/Maildir:INDEXPVT=~/Maildir/public
  subscriptions = no
  list = children
}
namespace shared {
  type = shared
  separator = /
  prefix = Shared/%%%%n@%%%%d/
  location = maildir:%%%%h/Maildir:INDEXPVT=~/Maildir/shared/%%%%u
  subscriptions = no
  list = children
}
plugin {
  acl = vfile
  quota = maildir:User quota
  quota_rule = *:storage=1G
}
""")
UTF8 = dict(separator="/", prefix="", same=True, home="%n", location="maildir:~/Maildir:UTF-8",
            maild='maildir = "%n/Maildir"\n    folder_names_utf8 = yes',
            folders=["Sent", "Entw\u00fcrfe", "Gr\u00fc\u00dfe/von \u00fcberall"],
            dovecot="pop3_uidl_format = %%08Xv%%08Xu\npop3_save_uidl = yes\n")


def to_mutf7(name):
    out = re.sub("&", "&-", name)
    return re.sub("[^\x20-\x7e]+", lambda m: "&" + base64.b64encode(
        m.group(0).encode("utf-16-be")).decode().rstrip("=").replace("/", ",") + "-", out)


class Side:
    """One of the two servers, on the same tree."""

    def __init__(self, port_of, separator, prefix, tls=None):
        self.port_of, self.separator, self.prefix, self.tls = port_of, separator, prefix, tls

    def quote(self, name):
        """A folder as this server calls it."""
        name = name if name == "INBOX" else self.prefix + name
        return '"%s"' % to_mutf7(name.replace("/", self.separator)).replace("\\", "\\\\").replace('"', '\\"')

    def imap(self, user="alice"):
        c = imaplib.IMAP4("127.0.0.1", self.port_of("imap"))
        if self.tls:
            c.starttls(self.tls)
        c.login(user + "@example.test", "secret")
        return c

    def pop3(self, user="alice"):
        c = poplib.POP3("127.0.0.1", self.port_of("pop3"))
        if self.tls:
            c.stls(self.tls)
        c.user(user + "@example.test")
        c.pass_("secret")
        return c

    def ok(self, answer):
        assert answer[0] == "OK", answer
        return answer[1]

    def list(self, c, command="LIST"):
        names = set()
        for line in self.ok(c._simple_command(command, '""', '"*"')) and c.untagged_responses.pop(command, []):
            if isinstance(line, tuple):
                attributes, name = line[0].decode(), line[1].decode()
            else:
                m = re.match(r'\(([^)]*)\) "?(.)"? (?:"((?:\\.|[^"\\])*)"|(\S+))$',
                             line.decode().replace('"\\\\"', '"\\"'))
                assert m, line
                attributes = m.group(1)
                name = re.sub(r"\\(.)", r"\1", m.group(3)) if m.group(3) is not None else m.group(4)
            if "noselect" in attributes.lower() or "nonexistent" in attributes.lower():
                continue
            name = name.replace(self.separator, "/")
            assert name == "INBOX" or name.startswith(self.prefix), name
            names.add(name if name == "INBOX" else name[len(self.prefix):])
        return names

    def modseqs(self, user="alice"):
        """The highest modification sequence of each folder."""
        c = self.imap(user)
        found = {}
        for name in sorted(self.list(c)):
            status = self.ok(c.status(self.quote_wire(name), "(HIGHESTMODSEQ)"))
            found[name] = int(re.search(rb"HIGHESTMODSEQ (\d+)", status[0]).group(1))
        c.logout()
        return found

    def quote_wire(self, name):
        """The same of a name that is in modified UTF-7 already."""
        name = name if name == "INBOX" else self.prefix + name
        return '"%s"' % name.replace("/", self.separator).replace("\\", "\\\\")

    def dump(self, user="alice"):
        """All that a client can see."""
        c = self.imap(user)
        everything = {"subscribed": self.list(c, "LSUB")}
        for name in sorted(self.list(c)):
            if name.split("/")[0] in ("Public", "Shared"):
                continue
            quoted = self.quote_wire(name)
            status = self.ok(c.status(quoted, "(UIDVALIDITY UIDNEXT MESSAGES UNSEEN)"))
            box = {"status": re.search(rb"\(([^()]*)\)$", status[0]).group(1).decode().split()}
            self.ok(c.select(quoted, readonly=True))
            data = self.ok(c.uid("FETCH", "1:*", "(UID FLAGS RFC822.SIZE INTERNALDATE BODY.PEEK[])"))
            messages = {}
            for part in data:
                if not isinstance(part, tuple):
                    continue
                head = part[0].decode()
                flags = sorted(f for f in re.search(r"FLAGS \(([^)]*)\)", head).group(1).split()
                               if f != "\\Recent")
                messages[int(re.search(r"UID (\d+)", head).group(1))] = (
                    flags, int(re.search(r"RFC822.SIZE (\d+)", head).group(1)), len(part[1]),
                    imaplib.Internaldate2tuple(part[0]), hashlib.sha1(part[1]).hexdigest())
            box["messages"] = messages
            everything[name] = box
        c.logout()
        p = self.pop3(user)
        everything["pop3"] = list(zip((l.split(b" ", 1)[1] for l in p.uidl()[1]),
                                      (l.split(b" ")[1] for l in p.list()[1])))
        p.quit()
        return everything


def difference(a, b):
    lines = []
    for key in sorted(set(a) | set(b)):
        if a.get(key) != b.get(key):
            lines.append("%s:\n   was %s\n   is  %s" % (key, a.get(key), b.get(key)))
    return "\n".join(lines)


def assert_same(a, b, what, but=()):
    """but: folders that may be new."""
    b = {k: v for k, v in b.items() if k in a or k not in but}
    b["subscribed"] = {n for n in b["subscribed"] if n in a["subscribed"] or n not in but}
    assert a == b, "%s:\n%s" % (what, difference(a, b))


def text(n, size=100):
    return ("From: a@example.test\r\nTo: alice@example.test\r\nSubject: message %d\r\nMessage-ID: <%d@x>\r\n\r\n"
            % (n, n) + "line of text\r\n" * size).encode()


def base_names(tree):
    """Of all message files; a copy by Dovecot has the name of the original."""
    return collections.Counter(name.split(":")[0] for directory, _, files in os.walk(tree) for name in files
                               if os.path.basename(directory) in ("cur", "new"))


class Hands:
    def __init__(self, config):
        self.config = config
        self.reference = Reference(postfix=False)
        self.root = self.reference.root
        self.tree = self.root + "/mail"
        self.uid = pwd.getpwnam("dovecot").pw_uid
        path = self.root + "/dovecot.conf"
        with open(path) as f:
            conf = f.read()
        conf = conf.replace("%d/%n", config["home"]).replace("mail_location = maildir:~/Maildir",
                                                               "mail_location = " + config["location"])
        conf += "namespace inbox {\n  inbox = yes\n  separator = %s\n  prefix = %s\n}\n" % (
            config["separator"], config["prefix"].replace("/", config["separator"]))
        conf += config["dovecot"] % {"mail": self.tree}
        with open(path, "w") as f:
            f.write(conf)
        self.instance = Instance()
        self.instance.add_config("store {\n    path = %s\n    special_folders = Drafts:\\Drafts, Sent:\\Sent\n"
                                 "    %s\n}\npop3 {\n    uidl_format = \"%s\"\n}" % (
                                     self.tree, config["maild"],
                                     "%08Xv%08Xu" if "uidl" in config["dovecot"] else "%08Xu%08Xv"))
        if config["same"]:
            public = "Public" if "namespace public" in config["dovecot"] else ""
            self.instance.add_config('imap {\n    separator = "%s"\n    below_inbox = %s\n    public_namespace = "%s"\n}' % (
                config["separator"], "yes" if config["prefix"] else "no", public))
        self.dovecot = Side(self.reference.port, config["separator"], config["prefix"])
        self.maild = Side(self.instance.port, config["separator"] if config["same"] else "/",
                          config["prefix"] if config["same"] else "", self.instance.tls_context())

    def own(self, uid):
        for directory, names, files in os.walk(self.tree):
            for name in [directory] + [os.path.join(directory, n) for n in files]:
                os.chown(name, uid, -1, follow_symlinks=False)

    def to_dovecot(self):
        self.own(self.uid)
        self.reference.start()
        return self.dovecot

    def from_dovecot(self):
        self.reference.stop()
        pid = self.root + "/dovecot/master.pid"
        while os.path.exists(pid):
            pass

    def to_maild(self):
        self.instance.start()
        return self.maild

    def doveadm(self, *arguments, check=True):
        return subprocess.run(["doveadm", "-c", self.root + "/dovecot.conf", *arguments],
                              capture_output=True, text=True, check=check)

    def close(self):
        self.instance.close()
        self.reference.close()


def fill_with_dovecot(hands):
    side, config = hands.dovecot, hands.config
    c = side.imap()
    for name in config["folders"]:
        side.ok(c.create(side.quote(name)))
    for name in config["folders"][:2]:
        side.ok(c.subscribe(side.quote(name)))
    flags = ["", "\\Seen", "\\Flagged \\Answered", "$Forwarded", "\\Draft work $Junk", "\\Deleted", "\\Seen work"]
    for i, name in enumerate(["INBOX"] + config["folders"]):
        for n in range(12):
            side.ok(c.append(side.quote(name), flags[n % len(flags)],
                             imaplib.Time2Internaldate(1600000000 + 1000 * n + i), text(100 * i + n, n * 7)))
    side.ok(c.select("INBOX"))
    side.ok(c.copy("1:5", side.quote(config["folders"][1])))
    side.ok(c.uid("MOVE", "3", side.quote(config["folders"][0])))
    side.ok(c.uid("STORE", "6,8", "+FLAGS", "\\Deleted"))
    side.ok(c.expunge())
    side.ok(c.uid("STORE", "9", "FLAGS", "(\\Seen label.with-odd:chars)"))
    c.logout()
    side.imap("bob").logout()
    p = side.pop3()
    p.uidl()
    p.dele(1)
    p.quit()


def use_maild(hands):
    side, config, instance = hands.maild, hands.config, hands.instance
    c = side.imap()
    work = side.quote(config["folders"][1])
    side.ok(c.append(work, "\\Seen newword", imaplib.Time2Internaldate(1650000000), text(500)))
    side.ok(c.select("INBOX"))
    side.ok(c.uid("STORE", "2", "+FLAGS", "(\\Flagged another work)"))
    side.ok(c.uid("STORE", "4,5", "-FLAGS", "(\\Seen $Junk work)"))
    side.ok(c.uid("STORE", "10", "+FLAGS", "\\Deleted"))
    side.ok(c.expunge())
    side.ok(c.copy("1:3", work))
    side.ok(c.uid("MOVE", "11", work))
    side.ok(c.create(side.quote("New/Folder")))
    side.ok(c.append(side.quote("New/Folder"), "(later)", imaplib.Time2Internaldate(1651000000), text(501)))
    side.ok(c.subscribe(side.quote("New/Folder")))
    side.ok(c.create(side.quote("Going")))
    side.ok(c.delete(side.quote("Going")))
    side.ok(c.rename(side.quote(config["folders"][0]), side.quote("Renamed & moved")))
    c.logout()
    for n in range(3):
        with smtplib.SMTP("127.0.0.1", instance.port("local")) as s:
            s.sendmail("b@example.test", ["alice@example.test"], text(600 + n).replace(b"\r\n", b"\n"))
    p = side.pop3()
    p.dele(2)
    p.quit()


def maildir_of(hands):
    for path in glob.glob(hands.tree + "/**/dovecot-uidlist", recursive=True):
        if "alice" in path and "/." not in path:
            return os.path.dirname(path)


def uidlist(maildir):
    """UID: (fields, base name)."""
    with open(maildir + "/dovecot-uidlist") as f:
        lines = [re.match(r"(\d+) (?:(.*) )?:(.*)\n", line).groups() for line in f.readlines()[1:]]
    return {int(uid): ((fields or "").split(), base.split(":")[0]) for uid, fields, base in lines}


def file_of(maildir, base):
    (name,) = [name for name in os.listdir(maildir + "/cur") if name.split(":")[0] == base]
    return name


def add_unknown_things(hands):
    """Flags and fields of another program, which both servers have to keep; a folder subscribed elsewhere."""
    maildir = maildir_of(hands)
    base = uidlist(maildir)[5][1]
    name = file_of(maildir, base)
    assert ":2," in name, name
    os.rename("%s/cur/%s" % (maildir, name), "%s/cur/%s,private=1" % (maildir, name.replace(":2,", ":2,P")))
    path = maildir + "/dovecot-uidlist"
    with open(path) as f:
        lines = f.read().split("\n")
    lines[0] += " Xheader"
    lines[1:] = [line.replace(":", "Yfield :", 1) if line.startswith("5 ") else line for line in lines[1:]]
    with open(path, "w") as f:
        f.write("\n".join(lines))
    with open(maildir + "/subscriptions", "a") as f:
        f.write("Public\tannounce\n")
    return base


def check_unknown_things(hands, base):
    maildir = maildir_of(hands)
    assert re.search(r":2,[A-Z]*P[A-Z]*[a-z]*,private=1$", file_of(maildir, base)), file_of(maildir, base)
    fields, listed = uidlist(maildir)[5]
    assert "Yfield" in fields and listed == base, fields
    with open(maildir + "/dovecot-uidlist") as f:
        assert " Xheader" in f.readline()


def raise_modseqs(hands):
    """As docs/dovecot.md says. Parents that are no mailboxes are refused."""
    mailboxes = hands.dovecot.modseqs()
    names = hands.doveadm("mailbox", "list", "-u", "alice@example.test").stdout.split("\n")
    for name in names:
        if name and name.split("/")[0] not in ("Public", "Shared"):
            hands.doveadm("mailbox", "update", "-u", "alice@example.test", "--min-highest-modseq",
                          str(int(time.time()) + 1 << 20), name, check=name in mailboxes)


def assert_not_lower(before, after):
    lower = {name: (before[name], after[name]) for name in before if name in after and after[name] < before[name]}
    assert not lower, lower


def complaints(path):
    with open(path, errors="replace") as f:
        return [line for line in f if re.search("Error|Warning|Panic|Fatal|orrupt", line) and
                "Killed with signal" not in line]


def round_trip(config):
    if not dovecot_available():
        raise Skip("Dovecot 2.3 is not installed")
    hands = Hands(config)
    try:
        hands.to_dovecot()
        fill_with_dovecot(hands)
        hands.from_dovecot()
        marked = add_unknown_things(hands)
        hands.to_dovecot()
        before, modseqs = hands.dovecot.dump(), hands.dovecot.modseqs()
        hands.from_dovecot()
        if "INDEXPVT" in config["dovecot"]:
            for name in ("shared/bob@example.test/.x", "public/.y"):
                directory = os.path.join(glob.glob(hands.tree + "/alice*/Maildir")[0], name)
                os.makedirs(directory)
                with open(directory + "/dovecot.index.pvt", "w") as f:
                    f.write("private")
        names = base_names(hands.tree)

        hands.to_maild()
        special = {"Drafts", "Sent"}
        assert_same(before, hands.maild.dump(), "taken over from Dovecot", but=special)
        assert_not_lower(modseqs, hands.maild.modseqs())
        use_maild(hands)
        hands.instance.restart()
        after, modseqs = hands.maild.dump(), hands.maild.modseqs()
        hands.instance.stop()
        check_unknown_things(hands, marked)
        gone = names - base_names(hands.tree)
        assert gone.total() == 3, "expunged, moved and deleted over POP3, but gone are %s" % gone
        for name in glob.glob(hands.tree + "/*/Maildir/shared/*/.x") + glob.glob(hands.tree + "/*/Maildir/public/.y"):
            assert os.path.exists(name + "/dovecot.index.pvt")

        log = hands.root + "/dovecot.log"
        os.truncate(log, 0)
        hands.to_dovecot()
        raise_modseqs(hands)
        assert_not_lower(modseqs, hands.dovecot.modseqs())
        assert_same(after, hands.dovecot.dump(), "given back to Dovecot")
        hands.doveadm("force-resync", "-u", "alice@example.test", "*")
        assert_same(after, hands.dovecot.dump(), "after force-resync")
        assert not complaints(log), "".join(complaints(log))
        # And once more, with what Dovecot does to it now.
        c = hands.dovecot.imap()
        hands.dovecot.ok(c.append("INBOX", "(again)", None, text(700)))
        hands.dovecot.ok(c.select("INBOX"))
        hands.dovecot.ok(c.uid("STORE", "1:*", "+FLAGS", "(\\Answered)"))
        c.logout()
        again, modseqs = hands.dovecot.dump(), hands.dovecot.modseqs()
        hands.from_dovecot()
        hands.to_maild()
        assert_not_lower(modseqs, hands.maild.modseqs())
        assert_same(again, hands.maild.dump(), "taken over again", but=special)
        hands.instance.stop()
    finally:
        hands.close()


def test_default():
    round_trip(DEFAULT)


def test_below_inbox():
    round_trip(COURIER)


def test_nethserver():
    round_trip(LISTESCAPE)


def test_utf8_and_saved_uidl():
    round_trip(UTF8)
