#!/usr/bin/env python3
"""bawn collateral, and bawn verify over the network, against a server of our own.

collateral_cli.py BAWN CORPUS FOLDER
"""
import json
import os
import shutil
import subprocess
import sys
import urllib.parse

from tap import done, equal, ok, run, run_json

BAWN, CORPUS, TMP = sys.argv[1:4]
HERE = os.path.dirname(os.path.abspath(__file__))
os.environ.pop("BAWN_COLLATERAL", None)
os.environ["XDG_CACHE_HOME"] = os.path.join(TMP, "cache")
ROUTES = os.path.join(TMP, "routes")
PARTS = ("tcb_info.json", "tcb_signing_chain.pem", "qe_identity.json", "pck_crl.der", "pck_crl_issuer_chain.pem",
         "root_ca_crl.der")


class Case:
    def __init__(self, name):
        self.folder = os.path.join(CORPUS, name)
        self.quote = os.path.join(self.folder, "quote.bin")
        with open(os.path.join(self.folder, "case.json"), encoding="utf-8") as f:
            case = json.load(f)
        self.at, self.fmspc, self.ca, self.tee = case["verify_time"], case["fmspc"], case["ca"], case["tee"].lower()
        self.status = case["expected"]["verdict"]
        self.key = "%s-%s-%s" % (self.tee, self.fmspc, self.ca)

    def path(self, part):
        return os.path.join(self.folder, part)

    def read(self, part):
        with open(self.path(part), "rb") as f:
            return f.read()


def first(tee, status):
    with open(os.path.join(CORPUS, "INDEX.tsv"), encoding="utf-8") as f:
        for line in f:
            row = line.rstrip("\n").split("\t")
            if row[1] == "real" and row[3] == tee and row[9] == status:
                return Case(row[0])
    raise SystemExit("no such case")


SGX, TDX = first("SGX", "UpToDate"), first("TDX", "UpToDate")


def write(name, data):
    path = os.path.join(TMP, name)
    with open(path, "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode())
    return path


def chain(case, part):
    return urllib.parse.quote(case.read(part).decode())


def routes(case, early=None, der=True):
    """What a PCS or PCCS answers for a case's platform."""
    early = early or case
    r = {}
    for which, c in (("standard", case), ("early", early)):
        r["/%s/certification/v4/tcb?fmspc=%s&update=%s" % (case.tee, case.fmspc, which)] = {
            "file": c.path("tcb_info.json"), "headers": {"TCB-Info-Issuer-Chain": chain(c, "tcb_signing_chain.pem")}}
        r["/%s/certification/v4/qe/identity?update=%s" % (case.tee, which)] = {
            "file": c.path("qe_identity.json"),
            "headers": {"SGX-Enclave-Identity-Issuer-Chain": chain(c, "tcb_signing_chain.pem")}}
    crl = write("crl.hex", case.read("pck_crl.der").hex())
    r["/sgx/certification/v4/pckcrl?ca=%s&encoding=der" % case.ca] = {
        "file": case.path("pck_crl.der") if der else crl,
        "headers": {"SGX-PCK-CRL-Issuer-Chain": chain(case, "pck_crl_issuer_chain.pem")}}
    r["/sgx/certification/v4/rootcacrl"] = {"file": write("root.hex", case.read("root_ca_crl.der").hex())}
    r["/IntelSGXRootCA.der"] = {"file": case.path("root_ca_crl.der")}
    return r


def serve(r):
    with open(ROUTES + ".new", "w", encoding="utf-8") as f:
        json.dump(r, f)
    os.rename(ROUTES + ".new", ROUTES)


class Server:
    def __init__(self, name, *args):
        self.log = os.path.join(TMP, name + ".log")
        self.p = subprocess.Popen([sys.executable, os.path.join(HERE, "server.py"), ROUTES, self.log] + list(args),
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.port = int(self.p.stdout.readline())

    def requests(self):
        """Since the last time."""
        try:
            with open(self.log, encoding="utf-8") as f:
                lines = f.read().splitlines()
            os.remove(self.log)
            return lines
        except FileNotFoundError:
            return []


serve({})
HTTP = Server("http")
URL = "http://127.0.0.1:%d" % HTTP.port


def store(name):
    path = os.path.join(TMP, name)
    shutil.rmtree(path, ignore_errors=True)
    return path


def fetch(where, *args, at=None, case=SGX, server=("--pccs", URL)):
    return run_json(BAWN, "collateral", "fetch", "--json", "--collateral", where, "--at", case.at if at is None else at,
                    "--tries", "1", *server, *(args or (case.quote,)))


def same(where, key, case):
    return all(open(os.path.join(where, key, p), "rb").read() == case.read(p) for p in PARTS)


def fetching():
    for case in (SGX, TDX):
        for der in (True, False):
            serve(routes(case, der=der))
            where = store("store")
            HTTP.requests()
            code, got = fetch(where, case=case)
            equal((code, [(s["set"], s["kept"]) for s in got]), (0, [(case.key, True), (case.key + "-early", True)]),
                  "fetch for a quote: the standard set and the early one")
            ok(same(where, case.key, case) and same(where, case.key + "-early", case), "what is kept is what was served")
            equal(sorted(HTTP.requests()), sorted(
                "GET %s HTTP/1.1" % u for u in
                ["/sgx/certification/v4/pckcrl?ca=%s&encoding=der" % case.ca] * 2 +
                ["/sgx/certification/v4/rootcacrl"] * 2 +
                ["/%s/certification/v4/tcb?fmspc=%s&update=%s" % (case.tee, case.fmspc, u) for u in ("standard", "early")] +
                ["/%s/certification/v4/qe/identity?update=%s" % (case.tee, u) for u in ("standard", "early")]),
                "and nothing else is asked for")
            code, got = run_json(BAWN, "verify", "--json", "--collateral", where, "--at", case.at, case.quote)
            equal((code, got["tcb_status"]), (0, "UpToDate"), "the quote is verified with it")
            code, got = run_json(BAWN, "verify", "--json", "--early", "--collateral", where, "--at", case.at, case.quote)
            equal((code, got["tcb_status"], got["standard_tcb_status"]), (0, "UpToDate", "UpToDate"), "and with --early")
        equal(fetch(store("store"), "--fmspc", case.fmspc, "--tee", case.tee, "--ca", case.ca, "--set", "standard",
                    case=case)[0], 0, "fetch by FMSPC, the standard set alone")
        equal(os.listdir(os.path.join(TMP, "store")) and sorted(os.listdir(os.path.join(TMP, "store"))),
              [".lock", case.key], "nothing but that set is kept")
    serve(dict((u.replace("update=standard", "tcbEvaluationDataNumber=17"), v) for u, v in routes(SGX).items()))
    equal(fetch(store("store"), "--set", "standard", "--evaluation", "17", SGX.quote)[0], 0, "fetch by evaluation number")
    for what, args in (("nothing to fetch", ["--set", "both"]), ("a short FMSPC", ["--fmspc", "00"]),
                       ("an evaluation number for both sets", ["--evaluation", "17", SGX.quote]),
                       ("a CA that there is not", ["--ca", "root", SGX.quote])):
        equal(fetch(store("store"), *args)[0], 64, what)
    equal(fetch(store("store"), write("noquote", "x"))[0], 1, "no quote")
    serve(routes(SGX))
    equal(fetch(SGX.folder)[0], 1, "a directory that is one set by itself is no store")


def change(url_part, **kw):
    r = routes(SGX)
    for u in r:
        if url_part in u:
            r[u] = dict(r[u], **kw)
            for h in [h for h, v in r[u].get("headers", {}).items() if v is None]:
                del r[u]["headers"][h]
    serve(r)


def refused(name, *words, at=None, timeout=20):
    where = store("store")
    code, out, err = run(BAWN, "collateral", "fetch", "--collateral", where, "--at", SGX.at if at is None else at,
                         "--tries", "1", "--timeout", timeout, "--set", "standard", "--pccs", URL, SGX.quote)
    kept = [n for n in (os.listdir(where) if os.path.exists(where) else []) if not n.startswith(".")]
    ok(code == 1 and not kept and all(w in err for w in words), "not kept: " + name, (code, kept, err))


def misbehaviour():
    for part in ("tcb?", "qe/identity", "pckcrl", "rootcacrl"):
        for mode in ("truncate", "longer", "garbage", "hangup", "gzip", "split", "huge-head", "huge-body", "stall"):
            change(part, mode=mode)
            refused("%s of %s" % (mode, part), timeout=1 if mode == "stall" else 20)
        change(part, status=404)
        refused("no " + part, "404")
        change(part, status=410)
        refused(part + " is gone", "no longer")
        change(part, status=401)
        refused("no leave for " + part, "401")
        change(part, status=302, headers={"Location": "http://127.0.0.1:1/"})
        refused("a redirection of " + part, "redirected to http://127.0.0.1:1/")
        change(part, file=write("empty", b""))
        refused("an empty " + part)
    pem = chain(SGX, "tcb_signing_chain.pem")
    for part, field in (("tcb?", "TCB-Info-Issuer-Chain"), ("qe/identity", "SGX-Enclave-Identity-Issuer-Chain"),
                        ("pckcrl", "SGX-PCK-CRL-Issuer-Chain")):
        own = chain(SGX, "pck_crl_issuer_chain.pem") if part == "pckcrl" else pem
        for what, headers in (("no chain", {}), ("two chains", {field: own, field.lower(): own}),
                              ("a broken escape", {field: own + "%4"}), ("a NUL", {field: own + "%00"}),
                              ("no PEM", {field: "hello"}), ("a chain cut short", {field: own[:len(own) // 2]}),
                              ("another chain", {field: chain(SGX, "pck_crl_issuer_chain.pem") if part != "pckcrl" else pem})):
            change(part, headers=headers)
            refused("%s in %s" % (what, field))
    for part, name in (("tcb?", "tcb_info.json"), ("qe/identity", "qe_identity.json"), ("pckcrl", "pck_crl.der")):
        data = bytearray(SGX.read(name))
        data[len(data) // 2] ^= 1
        change(part, file=write("tampered", bytes(data)))
        refused("a changed " + name)
    change("tcb?", file=TDX.path("tcb_info.json"), headers={"TCB-Info-Issuer-Chain": chain(TDX, "tcb_signing_chain.pem")})
    refused("another platform's TCB info")
    change("qe/identity", file=TDX.path("qe_identity.json"),
           headers={"SGX-Enclave-Identity-Issuer-Chain": chain(TDX, "tcb_signing_chain.pem")})
    refused("another kind's QE identity")
    serve(routes(SGX))
    refused("what has expired", "has expired", at=SGX.at + 10**9)
    refused("what is not valid yet", "not valid yet", at=10**9)
    code, _, err = run(BAWN, "collateral", "fetch", "--collateral", store("store"), "--pccs", "http://192.0.2.1", SGX.quote)
    ok(code == 1 and "plain http" in err, "plain http to another host", err)


def retries():
    for tries, want in (("3", 0), ("2", 1)):
        change("tcb?", mode="flaky:2")
        new = "http://127.0.0.1:%d" % Server("flaky" + tries).port  # each counts for itself
        code, _, err = run(BAWN, "collateral", "fetch", "--collateral", store("store"), "--at", SGX.at, "--tries", tries,
                           "--set", "standard", "--pccs", new, SGX.quote)
        equal(code, want, "a server that fails twice, tried %s times" % tries)


def keeping():
    where = store("store")
    serve(routes(SGX))
    fetch(where)
    before = os.stat(os.path.join(where, SGX.key)).st_ino
    equal(fetch(where)[0], 0, "the same again")
    ok(os.stat(os.path.join(where, SGX.key)).st_ino != before, "replaces the set whole")
    equal([n for n in os.listdir(where) if n.startswith(".")], [".lock"], "leaves nothing behind")
    serve({})
    code, _, err = run(BAWN, "collateral", "fetch", "--collateral", where, "--pccs", URL, "--tries", "1", SGX.quote)
    ok(code == 1 and same(where, SGX.key, SGX), "a server that has none: what was there stays", err)
    old, new = None, None  # the same platform at two times
    with open(os.path.join(CORPUS, "INDEX.tsv"), encoding="utf-8") as f:
        rows = [line.rstrip("\n").split("\t") for line in f]
    for row in rows:
        if row[1] == "real" and row[5] == "00606a000000" and row[3] == "SGX" and not row[9].startswith("ERR"):
            c = Case(row[0])
            c.issued = json.loads(c.read("tcb_info.json"))["tcbInfo"]["issueDate"]
            old = c if not old or c.issued < old.issued else old
            new = c if not new or c.issued > new.issued else new
    where = store("store")
    equal(run(BAWN, "collateral", "import", "--collateral", where, new.folder)[0], 0, "import")
    code, _, err = run(BAWN, "collateral", "import", "--collateral", where, old.folder)
    ok(code == 1 and "older" in err and same(where, new.key, new), "older collateral does not replace newer", err)
    equal(run(BAWN, "collateral", "import", "--older", "--collateral", where, old.folder)[0], 0, "unless told so")
    ok(same(where, new.key, old), "then it does")
    equal(run(BAWN, "collateral", "import", "--collateral", where, TDX.folder, "--early")[0], 0, "import as early")
    other = store("other")
    code, out, _ = run(BAWN, "collateral", "import", "--collateral", other, where)
    equal((code, len(out.splitlines())), (0, 2), "import a whole store")
    ok(same(other, old.key, old) and same(other, TDX.key + "-early", TDX), "all of it")
    broken = store("broken")
    shutil.copytree(SGX.folder, broken)
    for part in PARTS:
        os.chmod(broken, 0o755)
        path = os.path.join(broken, part)
        os.chmod(path, 0o644)
        data = bytearray(SGX.read(part))
        data[len(data) * 2 // 3] ^= 4
        with open(path, "wb") as f:
            f.write(data)
        equal(run(BAWN, "collateral", "import", "--collateral", store("store"), broken)[0], 1, "not imported: a changed " + part)
        with open(path, "wb") as f:
            f.write(SGX.read(part))
    equal(run(BAWN, "collateral", "import", "--collateral", store("store"), broken)[0], 0, "imported: nothing changed")
    equal(run(BAWN, "collateral", "import", "--collateral", where, TMP + "/none")[0], 1, "a directory that is not there")


def verifying():
    where = store("store")
    serve(routes(SGX))
    HTTP.requests()
    args = [BAWN, "verify", "--json", "--at", SGX.at, "--tries", "1", "--pccs", URL]
    code, got = run_json(*args, SGX.quote)
    equal((code, got["tcb_status"], len(HTTP.requests())), (0, "UpToDate", 4), "verify --pccs asks a server")
    equal(run_json(*args, "--collateral", where, SGX.quote)[0], 0, "with --collateral too, it is asked")
    equal(len(HTTP.requests()), 4, "four times")
    ok(same(where, SGX.key, SGX), "and what it said is kept")
    equal(run_json(*args, "--collateral", where, SGX.quote)[0], 0, "then it is in the store")
    equal(HTTP.requests(), [], "and nobody is asked")
    data = bytearray(open(SGX.quote, "rb").read())
    data[60] ^= 1
    code, got = run_json(*args, write("forged", bytes(data)))
    equal((code, got["verdict"], HTTP.requests()), (4, "not-genuine", []), "a forged quote makes nobody ask a server")
    serve({})
    code, got = run_json(*args, SGX.quote)
    ok(code == 5 and got["verdict"] == "undecided" and "404" in got["message"], "a server that has none: undecided", got)
    code, got = run_json(BAWN, "verify", "--json", "--at", SGX.at, "--tries", "1", "--pccs", "http://127.0.0.1:1", SGX.quote)
    ok(code == 5 and "127.0.0.1" in got["message"], "no server: undecided", got)
    change("tcb?", mode="stall")
    code, got = run_json(*args, "--timeout", "1", SGX.quote)
    ok(code == 5 and "timed out" in got["message"], "a stalled server: undecided", got)
    data = bytearray(SGX.read("tcb_info.json"))
    data[len(data) // 2] ^= 1
    change("tcb?", file=write("tampered", bytes(data)))
    code, got = run_json(*args, SGX.quote)
    equal((code, got["verdict"]), (5, "undecided"), "a server that lies: undecided")
    serve(routes(SGX))
    listed = write("list", (SGX.quote + "\n") * 50)
    HTTP.requests()
    code, out, _ = run(BAWN, "verify", "--batch", "--at", SGX.at, "--pccs", URL, listed)
    equal((code, len(out.splitlines()), len(HTTP.requests())), (0, 50, 4), "a batch asks once for all")


def intel_by_name():
    """The PCS as it is: https, by name, with the place of the root's list taken from the root."""
    ext = write("ext", "subjectAltName=DNS:api.trustedservices.intel.com,DNS:certificates.trustedservices.intel.com\n")
    key, csr, pem = (os.path.join(TMP, "pcs." + x) for x in ("key", "csr", "pem"))
    run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=pcs", "-keyout",
        key, "-out", csr)
    run("openssl", "x509", "-req", "-in", csr, "-signkey", key, "-days", "2", "-extfile", ext, "-out", pem)
    tls = Server("tls", "--tls", pem, key)
    proxy = Server("proxy", "--tunnel", str(tls.port))
    net = ["--proxy", "http://127.0.0.1:%d" % proxy.port, "--tls-ca", pem, "--tries", "1"]
    for case in (SGX, TDX):
        serve(routes(case))
        where = store("store")
        code, _, err = run(BAWN, "collateral", "fetch", "--collateral", where, "--at", case.at, *net, case.quote)
        ok(code == 0 and same(where, case.key, case), "fetch from Intel's PCS, by its name", err)
        equal(sorted(set(proxy.requests())), ["proxy: CONNECT api.trustedservices.intel.com:443 HTTP/1.1",
                                              "proxy: CONNECT certificates.trustedservices.intel.com:443 HTTP/1.1"],
              "through the proxy, from both of its servers")
        code, got = run_json(BAWN, "verify", "--json", "--at", case.at, "--pcs", "intel", *net, case.quote)
        equal((code, got["tcb_status"]), (0, "UpToDate"), "verify --pcs intel")
    r = routes(SGX)
    with open(os.path.join(CORPUS, "INDEX.tsv"), encoding="utf-8") as f:
        other = next(line.split("\t")[0] for line in f if line.startswith("synth-sgx3-UpToDate-qeUpToDate"))
    url = next(u for u in r if "pckcrl" in u)
    r[url]["headers"] = {"SGX-PCK-CRL-Issuer-Chain": chain(Case(other), "pck_crl_issuer_chain.pem")}
    serve(r)
    proxy.requests()
    code, _, err = run(BAWN, "collateral", "fetch", "--collateral", store("store"), "--at", SGX.at, *net, SGX.quote)
    ok(code == 1 and not any("certificates" in line or "invalid" in line for line in proxy.requests()),
       "another root does not tell us where to go", err)
    code, got = run_json(BAWN, "verify", "--json", "--at", SGX.at, "--pcs", "intel", *net[:2], "--tries", "1", SGX.quote)
    ok(code == 5 and "certificate" in got["message"], "a server whose certificate the system does not know", got)


def early():
    try:
        standard, coming = Case("real-sgx3-00a067110000-910a57cf"), Case("alt-sgx3-00a067110000-743a7a64-0")
    except FileNotFoundError:
        ok(True, "early # SKIP the two cases are not in this corpus")
        return
    where = store("early")
    shutil.copytree(standard.folder, where)
    os.chmod(where, 0o755)
    os.mkdir(os.path.join(where, "early"))
    for part in PARTS[:3]:
        shutil.copy(coming.path(part), os.path.join(where, "early"))
    at = 1750400000
    for part in ("pck_crl.der", "root_ca_crl.der"):  # lists that are valid at that time
        os.chmod(os.path.join(where, part), 0o644)
        shutil.copy(coming.path(part), os.path.join(where, part))
    run_args = ["--json", "--at", at, "--collateral", where, coming.quote]
    code, got = run_json(BAWN, "verify", *run_args)
    ok(code == 3 and got["tcb_status"] == "ConfigurationAndSWHardeningNeeded", "today's standing", got)
    policy = write("policy", "status ConfigurationAndSWHardeningNeeded\ndebug allow")
    equal(run(BAWN, "verify", "--policy", policy, *run_args)[0], 0, "is acceptable")
    code, got = run_json(BAWN, "verify", "--early", "--policy", policy, *run_args)
    equal((code, got.get("tcb_status"), got.get("standard_tcb_status")),
          (3, "OutOfDateConfigurationNeeded", "ConfigurationAndSWHardeningNeeded"), "the coming one is not")
    ok(got["tcb"]["shortfalls"] and got["tcb"]["tcb_info_evaluation"] > 17, "and it is told what is short", got["tcb"])
    code, out, _ = run(BAWN, "verify", "--early", "--policy", policy, *run_args[1:])
    ok(b"the coming evaluation changes that" in out, "in words too", out)


def showing():
    where = store("store")
    run(BAWN, "collateral", "import", "--collateral", where, SGX.folder, TDX.folder)
    code, got = run_json(BAWN, "collateral", "show", "--json", "--collateral", where)
    equal((code, len(got)), (0, 2), "show, in JSON")
    for case, s in zip((SGX, TDX), got):
        tcb = json.loads(case.read("tcb_info.json"))["tcbInfo"]
        qe = json.loads(case.read("qe_identity.json"))["enclaveIdentity"]
        t = s["tcb_info"]
        equal((t["fmspc"], t["evaluation"], t["valid_from"], t["valid_until"]),
              (tcb["fmspc"].lower(), tcb["tcbEvaluationDataNumber"], tcb["issueDate"], tcb["nextUpdate"]), "TCB info")
        def key(level):
            t = level["tcb"]
            new = [c["svn"] for c in t.get("sgxtcbcomponents", [])]
            return new or [t["sgxtcbcomp%02dsvn" % i] for i in range(1, 17)], t["pcesvn"]

        levels = sorted(tcb["tcbLevels"], key=key, reverse=True)
        equal([(l["tcb_status"], l["tcb_date"], l["pcesvn"], l["sgx_components"], l["advisory_ids"]) for l in t["levels"]],
              [(l["tcbStatus"], l["tcbDate"], l["tcb"]["pcesvn"], key(l)[0], l.get("advisoryIDs", [])) for l in levels],
              "its levels")
        equal([len(m["levels"]) for m in t["tdx_modules"]],
              ([0] + [len(m["tcbLevels"]) for m in tcb.get("tdxModuleIdentities", [])]) if case is TDX else [], "its modules")
        equal((s["qe_identity"]["id"], s["qe_identity"]["mrsigner"], len(s["qe_identity"]["levels"])),
              (qe["id"], qe["mrsigner"].lower(), len(qe["tcbLevels"])), "QE identity")
        text = run("openssl", "crl", "-inform", "DER", "-in", case.path("pck_crl.der"), "-noout", "-text")[1].decode()
        serials = [line.split(":")[1].strip().lower().lstrip("0") for line in text.splitlines() if "Serial Number:" in line]
        equal([r["serial"].lstrip("0") for r in s["pck_crl"]["revoked"]], serials, "revoked serials")
        ok("CN=Intel SGX Root CA" in s["root_crl"]["issuer"], "the root's list", s["root_crl"])
        ok(any("TCB Signing" in c["subject"] for c in s["tcb_chain"]), "certificates", s["tcb_chain"])
    code, out, _ = run(BAWN, "collateral", "show", SGX.folder)
    ok(code == 0 and all(w in out.decode() for w in ("UpToDate", "revocation list of CN=", "certificate CN=", "QE identity QE")),
       "show a directory, in words", out)
    samples = os.path.join(CORPUS, "sample-intelqvl-sgx3")
    if os.path.isdir(samples):
        code, got = run_json(BAWN, "collateral", "show", "--json", samples)
        ok("sgx_extension" in got[0]["pck_chain"][0], "a PCK certificate's extension", got[0]["pck_chain"])
    equal(run(BAWN, "collateral", "show", TMP + "/none")[0], 1, "show nothing")


def checking():
    def check(where, at, *more, root=()):
        return run_json(BAWN, "collateral", "check", "--json", "--at", at, *root, *more, where)

    validity = check(SGX.folder, SGX.at)[1][0]["findings"]
    ends = sorted(f["message"][6:] for f in validity if f["message"].startswith("until "))
    import datetime
    end = int(datetime.datetime.fromisoformat(ends[0].replace("Z", "+00:00")).timestamp())
    days = (end - SGX.at) // 86400
    equal(check(SGX.folder, SGX.at, "--warn", days)[0], 0, "check: all of it holds, for %d days" % days)
    equal(check(SGX.folder, SGX.at, "--warn", days + 1)[0], 3, "for one more it does not: due")
    equal(check(SGX.folder, end - 86400, "--warn", "1")[0], 0, "exactly a day before the end")
    equal(check(SGX.folder, end - 86400 + 1, "--warn", "1")[0], 3, "a second later")
    equal(check(SGX.folder, end - 86400)[0], 3, "by default, a week counts")
    equal(check(SGX.folder, end, "--warn", "0")[0], 0, "the last second is within")
    equal(check(SGX.folder, end + 1)[0], 5, "the next is not")
    equal(check(SGX.folder, 10**9)[0], 5, "nor is a time before all")
    part = store("part")
    shutil.copytree(SGX.folder, part)
    os.chmod(part, 0o755)
    for name in PARTS:
        path = os.path.join(part, name)
        os.chmod(path, 0o644)
        os.remove(path)
        equal(check(part, SGX.at, "--warn", "0")[0], 4 if "chain" in name else 5, "without " + name)
        with open(path, "wb") as f:
            f.write(SGX.read(name)[:-20])
        equal(check(part, SGX.at, "--warn", "0")[0], 4, "with half of " + name)
        with open(path, "wb") as f:
            f.write(SGX.read(name))
    equal(check(part, SGX.at, "--warn", "0")[0], 0, "with all of it")
    equal(check(TMP + "/none", SGX.at)[0], 5, "nothing there")
    revoked = os.path.join(CORPUS, "synth-rev-root")
    if os.path.isdir(revoked):
        case = Case("synth-rev-root")
        code, got = check(revoked, case.at, root=("--root", os.path.join(revoked, "root_ca.pem")))
        ok(code == 4 and any("revoked" in f["message"] for f in got[0]["findings"]), "a signer that the root revoked", got)
    where = store("store")
    run(BAWN, "collateral", "import", "--collateral", where, SGX.folder, TDX.folder)
    code, got = run_json(BAWN, "collateral", "check", "--json", "--collateral", where, "--at", SGX.at, "--warn", "0")
    equal(len(got), 2, "check a store")
    code, out, _ = run(BAWN, "collateral", "check", "--collateral", where, "--at", SGX.at)
    ok(b"signatures: all hold" in out, "in words", out)
    equal(run(BAWN, "collateral", "check", "--warn", "x", where)[0], 64, "no number of days")
    equal(run(BAWN, "collateral")[0], 64, "no verb")


fetching()
misbehaviour()
retries()
keeping()
verifying()
intel_by_name()
early()
showing()
checking()
done()
