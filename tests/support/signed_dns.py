"""A DNS server with signed zones (Knot) on loopback: what DNSSEC vouches for, and what it does not."""

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time

from . import Closing, Skip, end_process

CONFIG = """server:
    rundir: "%(dir)s"
    listen: 127.0.0.1@%(port)d
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
log:
  - target: stderr
    any: info
database:
    storage: "%(dir)s/db"
    journal-db-max-size: 32M
    kasp-db-max-size: 32M
    timer-db-max-size: 8M
policy:
  - id: quick
    algorithm: ecdsap256sha256
    single-type-signing: on
template:
  - id: default
    storage: "%(dir)s"
    file: "%%s.zone"
    zonefile-sync: -1
  - id: signed
    storage: "%(dir)s"
    file: "%%s.zone"
    zonefile-sync: -1
    dnssec-signing: on
    dnssec-policy: quick
zone:
"""


def program(name):
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if not path:
        raise Skip("the DNS server Knot is missing (scripts/install-dependencies --tests)")
    return path


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class SignedDns(Closing):
    """zones: {"name.test": (kind, records)}, kind "signed", "unsigned", or "bogus": signed with other
    keys than the trust anchor says. Records stand as in a zone file, relative to the zone's name."""

    def __init__(self, zones):
        self.zones = zones
        self.serial = 1
        for attempt in range(3):  # somebody else may have taken the port
            try:
                self.start(program("knotd"))
                return
            except AssertionError:
                if attempt == 2:
                    raise

    def start(self, knotd):
        self.directory = tempfile.mkdtemp(prefix="maild-dns-")
        self.anchor = os.path.join(self.directory, "anchor")
        self.port = free_port()
        os.mkdir(os.path.join(self.directory, "db"))
        config = CONFIG % {"dir": self.directory, "port": self.port}
        for zone, (kind, records) in self.zones.items():
            self.write_zone(zone, records)
            config += "  - domain: %s\n%s" % (zone, "" if kind == "unsigned" else "    template: signed\n")
        self.config = os.path.join(self.directory, "knot.conf")
        with open(self.config, "w") as f:
            f.write(config)
        self.log = open(os.path.join(self.directory, "log"), "w+")
        self.process = subprocess.Popen([knotd, "-m", "64", "-c", self.config], stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log)
        try:
            self.wait_signed()
            self.write_anchor()
        except BaseException:
            self.close()
            raise

    def change(self, zone, records):
        """Other records; answers that somebody has cached stay there for up to five seconds."""
        self.serial += 1
        self.write_zone(zone, records)
        subprocess.run([program("knotc"), "-c", self.config, "-b", "zone-reload", zone + "."], check=True,
                       capture_output=True)

    def write_zone(self, zone, records):
        with open(os.path.join(self.directory, zone + ".zone"), "w") as f:
            f.write("$ORIGIN %s.\n$TTL 5\n@ SOA ns h %d 3600 600 86400 2\n@ NS ns\nns A 127.0.0.1\n%s\n"
                    % (zone, self.serial, records))

    def said(self):
        self.log.flush()
        with open(self.log.name) as f:
            return f.read()

    def wait_signed(self):
        signed = [z for z, (kind, _) in self.zones.items() if kind != "unsigned"]
        end = time.monotonic() + 60
        while time.monotonic() < end:
            said = self.said()
            if said.count("successfully signed") >= len(signed) and "server started" in said:
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise AssertionError("knotd does not sign (%s):\n%s" % (self.process.poll(), self.said()[-3000:]))

    def write_anchor(self):
        anchors = ""
        for zone, (kind, _) in self.zones.items():
            if kind == "unsigned":
                continue
            lines = subprocess.run([program("keymgr"), "-c", self.config, zone, "ds"], capture_output=True,
                                   text=True, check=True).stdout
            ds = re.search(r"^\S+ DS (\d+ \d+ 2 [0-9a-fA-F]+)$", lines, re.M).group(1)
            if kind == "bogus":
                ds = ds[:-8] + ("00000000" if not ds.endswith("00000000") else "11111111")
            anchors += "%s. 3600 IN DS %s\n" % (zone, ds)
        with open(self.anchor, "w") as f:
            f.write(anchors)

    def settings(self):
        """For maild.conf."""
        return "dns {\n    server = 127.0.0.1@%d\n    trust_anchor = %s\n    timeout = 5s\n}\n" % (
            self.port, self.anchor)

    def close(self):
        end_process(self.process)
        self.log.close()
        shutil.rmtree(self.directory, ignore_errors=True)
