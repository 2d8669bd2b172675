#!/usr/bin/env python3
"""A provisioning certification service (version 4 of its API) over a fab, for tests and by hand.

pcs.py --bawn BAWN --fab DIR [--port N] [--tls CERT KEY] [--api-key KEY] [--log FILE] [--forever]

Serves, below /sgx/certification/v4/: pckcert, pckcrl, tcb, qe/identity, rootcacrl, with the
headers of Intel's. The port is printed on standard output; the server runs until its standard
input is closed, or with --forever until it is killed. By hand:

    openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 30 \\
        -subj /CN=localhost -addext subjectAltName=DNS:localhost
    tests/fab/pcs.py --bawn build/bawn --fab ~/.local/state/bawn/fab --port 8081 \\
        --tls cert.pem key.pem --forever
    bawn verify --pcs https://localhost:8081 --tls-ca cert.pem ... QUOTE
"""
import argparse
import glob
import http.server
import json
import os
import re
import ssl
import subprocess
import sys
import threading
import urllib.parse

PREFIX = "/sgx/certification/v4/"


class Refused(Exception):
    def __init__(self, status):
        super().__init__(status)
        self.status = status


def read(path):
    try:
        with open(path, "rb") as f:
            return f.read()
    except FileNotFoundError as e:
        raise Refused(404) from e


def chain(path):
    return urllib.parse.quote(read(path).decode(), safe="")


class Fab:
    def __init__(self, bawn, directory):
        self.bawn, self.directory = bawn, directory

    def sets(self):
        return sorted(glob.glob(os.path.join(self.directory, "collateral", "sgx-*")))

    def set(self, query, fmspc=None):
        """The set that is asked for, by update or evaluation number."""
        update, number = query.get("update", "standard"), query.get("tcbEvaluationDataNumber")
        if update not in ("standard", "early") or (number and not number.isdigit()):
            raise Refused(400)
        for path in self.sets():
            if fmspc and os.path.basename(path).split("-")[1] != fmspc.lower():
                continue
            if number:
                info = json.loads(read(os.path.join(path, "tcb_info.json")))
                if info["tcbInfo"]["tcbEvaluationDataNumber"] == int(number):
                    return path
            elif path.endswith("-early") == (update == "early"):
                return path
        raise Refused(404)

    def tcb(self, query):
        if not re.fullmatch("[0-9a-fA-F]{12}", query.get("fmspc", "")):
            raise Refused(400)
        path = self.set(query, query["fmspc"])
        return ("application/json", read(os.path.join(path, "tcb_info.json")),
                {"TCB-Info-Issuer-Chain": chain(os.path.join(path, "tcb_signing_chain.pem"))})

    def qe_identity(self, query):
        path = self.set(query)
        return ("application/json", read(os.path.join(path, "qe_identity.json")),
                {"SGX-Enclave-Identity-Issuer-Chain": chain(os.path.join(path, "tcb_signing_chain.pem"))})

    def crl(self, name, encoding):
        der = read(os.path.join(self.set({}), name))
        if encoding == "der":
            return "application/pkix-crl", der
        if encoding != "pem":
            raise Refused(400)
        return "application/x-pem-file", subprocess.run(["openssl", "crl", "-inform", "DER"], input=der,
                                                        capture_output=True, check=True).stdout

    def pckcrl(self, query):
        if query.get("ca") not in ("platform", "processor"):
            raise Refused(400)
        kind, body = self.crl("pck_crl.der", query.get("encoding", "pem"))
        issuer = chain(os.path.join(self.set({}), "pck_crl_issuer_chain.pem"))
        return kind, body, {"SGX-PCK-CRL-Issuer-Chain": issuer}

    def rootcacrl(self, query):
        return self.crl("root_ca_crl.der", query.get("encoding", "der")) + ({},)

    def pckcert(self, query):
        sizes = {"encrypted_ppid": 768, "cpusvn": 32, "pcesvn": 4, "pceid": 4}
        for name, n in sizes.items():
            if not re.fullmatch("[0-9a-fA-F]{%d}" % n, query.get(name, "")):
                raise Refused(400)
        r = subprocess.run([self.bawn, "emu", "fab", "pck", "--fab", self.directory, "--json"] +
                           [w for name in sizes for w in ("--" + name.replace("_", "-"), query[name])],
                           capture_output=True, check=False)
        if r.returncode:
            sys.stderr.write(r.stderr.decode())
            raise Refused(404)
        got = json.loads(r.stdout)
        at = got["chain"].index("-----END CERTIFICATE-----\n") + 26
        return ("application/x-pem-file", got["chain"][:at].encode(),
                {"SGX-PCK-Certificate-Issuer-Chain": urllib.parse.quote(got["chain"][at:], safe=""),
                 "SGX-TCBm": got["tcbm"], "SGX-FMSPC": got["fmspc"].upper(),
                 "SGX-PCK-Certificate-CA-Type": got["ca"]})


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, kind=None, body=b"", headers=None):
        self.send_response(status)
        self.send_header("Request-ID", "0" * 32)
        if kind:
            self.send_header("Content-Type", kind)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):  # pylint: disable=invalid-name
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        fab, key = self.server.fab, self.server.api_key
        routes = {"pckcert": fab.pckcert, "pckcrl": fab.pckcrl, "tcb": fab.tcb, "qe/identity": fab.qe_identity,
                  "rootcacrl": fab.rootcacrl}
        route = routes.get(url.path[len(PREFIX):]) if url.path.startswith(PREFIX) else None
        try:
            if not route:
                raise Refused(404)
            # As Intel's: certificates are for subscribers, all else is for everybody.
            if key and url.path.endswith("/pckcert") and self.headers.get("Ocp-Apim-Subscription-Key") != key:
                raise Refused(401)
            self.answer(200, *route(query))
        except Refused as e:
            self.answer(e.status)

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        if self.server.log:
            with open(self.server.log, "a", encoding="utf-8") as f:
                f.write(format % args + "\n")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--bawn", required=True)
    p.add_argument("--fab", required=True)
    p.add_argument("--port", type=int, default=0)
    p.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"))
    p.add_argument("--api-key")
    p.add_argument("--log")
    p.add_argument("--forever", action="store_true")
    o = p.parse_args()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", o.port), Handler)
    server.daemon_threads = True
    server.fab, server.api_key, server.log = Fab(o.bawn, o.fab), o.api_key, o.log
    if o.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*o.tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    print(server.server_address[1], flush=True)
    if o.forever:
        server.serve_forever()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


main()
