"""Certificates for tests: an authority of our own, and what it signs."""

import hashlib
import os
import re
import shutil
import ssl
import subprocess
import time

from . import Skip

RSA = ("-newkey", "rsa:2048", "-nodes")
KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


class Authority:
    def __init__(self, directory):
        if not shutil.which("openssl"):
            raise Skip("the program openssl makes the certificates")
        self.directory = directory
        os.makedirs(directory, exist_ok=True)
        self.count = 0
        self.run("req", "-x509", *KEY, "-subj", "/CN=Authority of tests", "-days", "30", "-keyout", "ca.key",
                 "-out", "ca.pem", "-addext", "keyUsage=keyCertSign")
        self.certificate = os.path.join(directory, "ca.pem")

    def run(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.directory, check=True, capture_output=True)

    def issue(self, *names, days=30, age=0, foreign=False, key=KEY):
        """foreign: signed by itself. days below 0: expired. age: so many days ago. Returns a Certificate."""
        self.count += 1
        base = "c%d" % self.count
        with open(os.path.join(self.directory, base + ".ext"), "w") as f:
            f.write("subjectAltName=" + ",".join(alternative_name(n) for n in names) + "\n")
        self.run("req", *key, "-subj", "/CN=" + base, "-keyout", base + ".key", "-out", base + ".csr")
        if age:
            self.sign_in_the_past(base, age, days)
            return Certificate(self, os.path.join(self.directory, base))
        signer = ["-signkey", base + ".key"] if foreign else ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"]
        self.run("x509", "-req", "-in", base + ".csr", *signer, "-days", str(days), "-extfile", base + ".ext",
                 "-out", base + ".pem")
        return Certificate(self, os.path.join(self.directory, base))

    def sign_in_the_past(self, base, age, days):
        """openssl ca keeps books, and is the one that takes a date."""
        with open(os.path.join(self.directory, "ca.cnf"), "w") as f:
            f.write("[ca]\ndefault_ca = d\n[d]\ndatabase = books\nnew_certs_dir = .\ndefault_md = sha256\nserial = ca.srl\npolicy = p\n"
                    "[p]\ncommonName = supplied\n")
        open(os.path.join(self.directory, "books"), "a").close()
        dates = [time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + 86400 * n)) for n in (-age, days)]
        self.run("ca", "-batch", "-notext", "-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key", "-create_serial",
                 "-in", base + ".csr", "-startdate", dates[0], "-enddate", dates[1], "-extfile", base + ".ext", "-out", base + ".pem")

    def hex(self):
        """The authority's own certificate."""
        return subprocess.run(["openssl", "x509", "-in", self.certificate, "-outform", "DER"], check=True,
                              capture_output=True).stdout.hex()


def alternative_name(name):
    if name.startswith("otherName:"):
        return name
    if "@" in name:
        return "email:" + name
    return ("IP:" if re.fullmatch(r"[0-9.]+|[0-9a-f:]*:[0-9a-f:]*", name) else "DNS:") + name


class Certificate:
    def __init__(self, authority, base):
        self.authority, self.base = authority, base

    def server_context(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.base + ".pem", self.base + ".key")
        return context

    def tlsa(self):
        """The record that names its key: DANE-EE, SHA-256."""
        def der(*arguments, **options):
            return subprocess.run(["openssl", *arguments], capture_output=True, check=True, **options).stdout
        public = der("x509", "-in", self.base + ".pem", "-noout", "-pubkey")
        key = der("pkey", "-pubin", "-outform", "DER", input=public)
        return "TLSA 3 1 1 " + hashlib.sha256(key).hexdigest()
