"""A small LDAP server for answers that real ones here do not give: values of an attribute in ranges, as Active Directory
does, or whatever a test wants to send. In threads of this process; binds with any password but "wrong" work.

The BER here is just enough for that (RFC 4511): simple binds, searches with equality in filters, StartTLS is refused."""

import re
import socket
import threading

from . import Closing
from .ldap_proxy import reset

BIND, UNBIND, SEARCH, ENTRY, DONE = 0x60, 0x42, 0x63, 0x64, 0x65
EXTENDED, EXTENDED_ANSWER = 0x77, 0x78


def tlv(tag, *content):
    data = b"".join(c.encode() if isinstance(c, str) else c for c in content)
    if len(data) < 128:
        return bytes([tag, len(data)]) + data
    length = len(data).to_bytes((len(data).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + data


def number(value, tag=2):
    return tlv(tag, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def parse(data):
    """[(tag, content)] of all elements."""
    found, at = [], 0
    while at < len(data):
        tag, length, at = data[at], data[at + 1], at + 2
        if length & 0x80:
            size = length & 0x7F
            length, at = int.from_bytes(data[at:at + size], "big"), at + size
        found.append((tag, data[at:at + length]))
        at += length
    return found


def message(number_, *parts):
    return tlv(0x30, number(number_), *parts)


def result(tag, code, text=""):
    return tlv(tag, number(code, 0x0A), tlv(4), tlv(4, text))


def compile_filter(tag, content):
    """A function of an entry in lower case. What is not known here matches."""
    if tag in (0xA0, 0xA1, 0xA2):
        parts = [compile_filter(*p) for p in parse(content)]
        if tag == 0xA2:
            return lambda entry: not parts[0](entry)
        return (lambda entry: all(p(entry) for p in parts)) if tag == 0xA0 else (lambda entry: any(p(entry) for p in parts))
    if tag == 0x87:
        return lambda entry: content.decode().lower() in entry
    if tag == 0xA3:
        name, wanted = (p[1] for p in parse(content))
        name, wanted = name.decode().lower(), wanted.lower()
        return lambda entry: wanted in entry.get(name, ())
    return lambda entry: True


def in_lower_case(attributes):
    return {name.lower(): {v.lower() for v in values} for name, values in attributes.items()}


class LdapFake(Closing):
    """entries: {dn: {name: [values]}}; range: so many values of an attribute at a time (0: all). Requests that came are in
    `searches` (base, raw filter). raw: bytes that are sent instead of an answer to a search."""

    def __init__(self, entries, range=0):
        self.entries = {dn: {n: [v if isinstance(v, bytes) else v.encode() for v in values] for n, values in a.items()}
                        for dn, a in entries.items()}
        self.lower = {dn: in_lower_case(a) for dn, a in self.entries.items()}
        self.range, self.raw, self.searches, self.connections = range, None, [], []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    uri = property(lambda self: "ldap://127.0.0.1:%d" % self.port)

    def close(self):
        for s in [self.listener] + self.connections:
            reset(s)

    def accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            self.connections.append(client)
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        data = b""
        try:
            while True:
                more = client.recv(65536)
                if not more:
                    break
                data += more
                while complete(data):
                    size = complete(data)
                    if not self.answer(client, parse(parse(data[:size])[0][1])):
                        return reset(client)
                    data = data[size:]
        except OSError:
            pass
        reset(client)

    def answer(self, client, request):
        id_, (tag, content) = int.from_bytes(request[0][1], "big"), request[1]
        if tag == UNBIND:
            return False
        if tag == BIND:
            code = 49 if parse(content)[2][1] == b"wrong" else 0
            client.sendall(message(id_, result(0x61, code)))
        elif tag == EXTENDED:
            client.sendall(message(id_, result(EXTENDED_ANSWER, 2, "not here")))
        elif tag == SEARCH:
            fields = parse(content)
            self.searches.append((fields[0][1].decode(), fields[6][1]))
            client.sendall(self.raw if self.raw is not None else b"".join(self.search(id_, fields)))
        return True

    def search(self, id_, fields):
        base, scope = fields[0][1].decode().lower(), fields[1][1][0]
        wanted = [n.decode() for _, n in parse(fields[7][1])]
        matches = compile_filter(*fields[6])
        for dn, attributes in self.entries.items():
            inside = dn.lower() == base if scope == 0 else dn.lower().endswith(base)
            if inside and matches(self.lower[dn]):
                yield message(id_, tlv(ENTRY, tlv(4, dn), tlv(0x30, *self.chosen(attributes, wanted))))
        yield message(id_, result(DONE, 0))

    def chosen(self, attributes, wanted):
        for asked in wanted or list(attributes):
            name, _, option = asked.partition(";range=")
            for own, values in attributes.items():
                if own.lower() != name.lower() and name != "*":
                    continue
                label = own
                if option or (self.range and len(values) > self.range):
                    first = int(re.match(r"\d+", option or "0").group())
                    last = first + (self.range or len(values)) - 1
                    label = "%s;range=%d-%s" % (own, first, last if last < len(values) - 1 else "*")
                    values = values[first:last + 1]
                yield tlv(0x30, tlv(4, label), tlv(0x31, *(tlv(4, v) for v in values)))


def complete(data):
    """Length of the first message, or 0."""
    if len(data) < 2:
        return 0
    size, length = 2, data[1]
    if length & 0x80:
        size += length & 0x7F
        if len(data) < size:
            return 0
        length = int.from_bytes(data[2:size], "big")
    return size + length if len(data) >= size + length else 0
