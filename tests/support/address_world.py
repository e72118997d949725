"""Who and what is there in the tests of addresses, read from a table (tests/e2e/address_cases.txt), and how it comes into a
server: everything into the embedded directory, or users and groups, or half of them, into an LDAP server."""

import base64
import csv
import hashlib
import io
import os
import shlex

from .ldap_people import BASE, escape_rdn, ldif, password_of

GROUP_SETTINGS = ("internal", "members_only", "disabled", "send_as", "public_mailbox")


class Entry:
    """A line of the world: its kind, its name, and what is said of it."""

    def __init__(self, line, variables):
        words = shlex.split(line)
        self.kind, self.name = words[:2]
        self.fields = {}
        for word in words[2:]:
            key, value = word.split("=", 1)
            for name, text in variables.items():
                value = value.replace("{%s}" % name, text)
            self.fields[key] = value
        self.place = self.fields.pop("in", None)

    def list(self, key):
        return self.fields.get(key, "").split()

    def yes(self, key):
        return self.fields.get(key) == "yes"

    def settings(self):
        """What maild itself keeps of a group that another directory has."""
        settings = Entry("group_settings %s" % shlex.quote(self.name), {})
        settings.fields = {key: value for key, value in self.fields.items() if key in GROUP_SETTINGS}
        return settings if settings.fields else None

    local = property(lambda self: self.name.rsplit("@", 1)[0])


class World:
    def __init__(self, text, **variables):
        self.entries, self.mailboxes = [], []
        for line in text.split("\n"):
            if line.startswith("file "):
                _, name, *lines = shlex.split(line)
                self.write_file(variables, name, lines)
            elif line.startswith("public "):
                self.mailboxes.append(shlex.split(line))
            elif line.startswith("mailbox "):
                self.mailboxes.append(shlex.split(line)[1:])
            elif line and not line.startswith("#"):
                self.entries.append(Entry(line, variables))

    def write_file(self, variables, name, lines):
        with open(os.path.join(variables["lists"], name), "w") as f:
            f.write("\n".join(lines).replace("{lists}", variables["lists"]) + "\n")

    def in_ldap(self, where):
        """Those of the LDAP server: where is "embedded", "ldap" or "mixed" (every second one)."""
        step = 2 if where == "mixed" else 1
        found = [e for kind in ("user", "group") for e in [e for e in self.entries if e.kind == kind and not e.place][::step]]
        return found + [e for e in self.entries if e.place == "ldap" and e.kind in ("user", "group")]

    def fill(self, server, where, ldap=None):
        there = self.in_ldap(where) if ldap else []
        if there:
            ldap.modify(to_ldif(there))
        here = [e for e in self.entries if e not in there and (ldap or e.place != "ldap")]
        here += [group.settings() for group in there if group.kind == "group" and group.settings()]
        server.mailctl("directory", "import", "-", "--format", "csv", stdin=to_csv(here))
        for names in self.mailboxes:
            server.mailctl("mailbox", "create", *names)


def to_csv(entries):
    columns = ["type", "address", "password"] + sorted({key for e in entries for key in e.fields})
    out = io.StringIO()
    writer = csv.DictWriter(out, columns)
    writer.writeheader()
    for e in entries:
        password = {"password": cheap_hash(password_of(e.local))} if e.kind == "user" else {}
        writer.writerow({"type": e.kind, "address": e.name, **password, **e.fields})
    return out.getvalue()


def cheap_hash(password):
    return "{SHA}" + base64.b64encode(hashlib.sha1(password.encode()).digest()).decode()


def a_labels(address):
    local, domain = address.rsplit("@", 1)
    return "%s@%s" % (local, domain.encode("idna").decode())


# --- as entries of a university's directory, in a part of the tree that nobody else is in ---

TREE = "ou=cases," + BASE


def dn_of(entry):
    if entry.kind == "user":
        return "uid=%s,%s" % (escape_rdn(entry.local), TREE)
    return "cn=%s,%s" % (escape_rdn(entry.local), TREE)


def to_ldif(entries):
    names = {e.name: dn_of(e) for e in entries}
    number = iter(range(20000, 30000))
    top = ldif(TREE, {"changetype": "add", "objectClass": "organizationalUnit", "ou": "cases"})
    return top + "".join(ldif(names[e.name], {"changetype": "add", **(person(e, next(number)) if e.kind == "user" else group_of(e, names))})
                   for e in entries)


def person(user, number):
    entry = {"objectClass": ["inetOrgPerson", "posixAccount", "mailRecipient"], "uid": user.local, "cn": user.local, "sn": user.local,
             "mail": a_labels(user.name), "userPassword": password_of(user.local), "uidNumber": str(number), "gidNumber": "100",
             "homeDirectory": "/home/%d" % number}
    if user.list("forwards"):
        entry["mailForwardingAddress"] = user.list("forwards")
        entry["mailDeliveryOption"] = ["forward", "mailbox"] if user.yes("keep_copy") else "forward"
    if user.yes("disabled"):
        entry["mailUserStatus"] = "disabled"
    if "quota_storage" in user.fields:
        entry["mailQuota"] = user.fields["quota_storage"]
    return entry


def group_of(group, names):
    """Members that have an entry of their own by its name, others by their address."""
    members = [names[m] for m in group.list("members") if m in names]
    addresses = [m for m in group.list("members") if m not in names]
    entry = {"objectClass": ["groupOfNames", "mailGroup"], "cn": group.local, "mail": a_labels(group.name),
             "member": members or ["cn=nobody," + TREE]}
    if addresses:
        entry["rfc822MailMember"] = addresses
    return entry
