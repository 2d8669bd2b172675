#!/usr/bin/env python3
"""bawn verify from the command line: inputs, options, policies, certificates, batches.

verify_cli.py BAWN CORPUS FOLDER
"""
import base64
import hashlib
import json
import os
import struct
import subprocess
import sys

from tap import done, equal, ok, run, run_json

BAWN, CORPUS, TMP = sys.argv[1:4]
os.environ.pop("BAWN_COLLATERAL", None)
os.environ["XDG_CACHE_HOME"] = os.path.join(TMP, "no-cache")


def find(tee, verdict, ca="platform", group="real", version=None):
    """The first case of the corpus of this kind, with all signatures by Intel and no debug."""
    with open(os.path.join(CORPUS, "INDEX.tsv"), encoding="utf-8") as f:
        header = f.readline().rstrip("\n").split("\t")
        for line in f:
            row = dict(zip(header, line.rstrip("\n").split("\t")))
            if (row["group"], row["tee"], row["verdict"], row["ca"]) != (group, tee, verdict, ca):
                continue
            if version and row["version"] != version:
                continue
            with open(os.path.join(CORPUS, row["id"], "case.json"), encoding="utf-8") as g:
                if not json.load(g)["debug"]:
                    return Case(row["id"], int(row["verify_time"]))
    raise SystemExit("no such case: %s %s" % (tee, verdict))


class Case:
    def __init__(self, name, at):
        self.name, self.at = name, at
        self.folder = os.path.join(CORPUS, name)
        self.quote = os.path.join(self.folder, "quote.bin")
        with open(self.quote, "rb") as f:
            self.bytes = f.read()

    def verify(self, *more, quote=None, at=None, stdin=None):
        return run_json(BAWN, "verify", "--json", "--collateral", self.folder,
                        "--at", self.at if at is None else at, *more, quote or self.quote, stdin=stdin)


def write(name, data):
    path = os.path.join(TMP, name)
    with open(path, "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode())
    return path


SGX = find("SGX", "UpToDate")
TDX = find("TDX", "UpToDate")
TD15 = find("TDX", "UpToDate", version="5")
HARDEN = find("SGX", "SWHardeningNeeded")
OLD = find("SGX", "OutOfDate")


def inputs():
    for c in (SGX, TDX):
        code, got = c.verify()
        equal((code, got["verdict"], got["tcb_status"]), (0, "accepted", "UpToDate"), "a quote, raw")
        lines = "\n".join(c.bytes.hex()[i:i + 64] for i in range(0, 2 * len(c.bytes), 64))
        for what, data in (("hexadecimal", c.bytes.hex()), ("in capitals", c.bytes.hex().upper()),
                           ("with 0x and a line end", "0x" + c.bytes.hex() + "\n"), ("in lines", lines),
                           ("base64url", base64.urlsafe_b64encode(c.bytes)),
                           ("base64url without padding", base64.urlsafe_b64encode(c.bytes).rstrip(b"=") + b"\n"),
                           ("base64", base64.b64encode(c.bytes)), ("base64 in lines", base64.encodebytes(c.bytes))):
            equal(c.verify(quote=write("input", data))[0], 0, "a quote, " + what)
        equal(c.verify(quote="-", stdin=c.bytes)[0], 0, "a quote on standard input")
        equal(c.verify(quote=write("padded", c.bytes + bytes(1000)))[0], 0, "a quote with padding behind")
    for what, data in (("nothing", b""), ("text", b"this is no quote"), ("odd hex digits", SGX.bytes.hex()[:-1]),
                       ("half a quote", SGX.bytes[:len(SGX.bytes) // 2]), ("noise", os.urandom(5000)),
                       ("broken base64", base64.b64encode(SGX.bytes)[:-3] + b"!!!")):
        code, got = SGX.verify(quote=write("bad", data))
        equal((code, got["verdict"], got["reason"]), (4, "not-genuine", "quote-format"), what + " is no quote")
        if what in ("text", "odd hex digits", "broken base64"):
            ok("neither hexadecimal digits nor base64" in got["message"], "and it is told why", got["message"])
    changed = bytearray(SGX.bytes)
    changed[48 + 64] ^= 1
    code, got = SGX.verify(quote=write("changed", bytes(changed)))
    equal((code, got["reason"], got["signatures_hold"]), (4, "quote-signature", False), "a changed MRENCLAVE")


def options():
    equal(run(BAWN, "verify")[0], 64, "no operand")
    equal(run(BAWN, "verify", "a", "b")[0], 64, "two operands")
    equal(run(BAWN, "verify", "--no-such-option", "a")[0], 64, "an option that there is not")
    equal(SGX.verify(quote=os.path.join(TMP, "none"))[0], 1, "a file that is not there")
    equal(SGX.verify("--pcs", "intel", "--pccs", "https://localhost")[0], 64, "two servers")
    for url in ("ftp://localhost", "localhost", ""):
        equal(SGX.verify("--pccs", url)[0], 64, "no URL of a PCCS: %r" % url)
    equal(SGX.verify("--profile", "emulated")[0], 64, "a profile without its root")
    equal(SGX.verify("--root", os.path.join(TMP, "none"))[0], 1, "a root that is not there")
    equal(SGX.verify("--root", write("root", "no certificate"))[0], 1, "a root that is none")
    equal(SGX.verify("--format", "list")[0], 64, "a batch's option without a batch")
    for at in ("yesterday", "2026-13-01", "2026-02-30T00:00:00Z", "-1", "", "2026-03-05T10:50:03", "1e9"):
        equal(SGX.verify(at=at)[0], 64, "no instant: %r" % at)
    import datetime
    stamp = datetime.datetime.fromtimestamp(SGX.at, datetime.timezone.utc)
    equal(SGX.verify(at=stamp.strftime("%Y-%m-%dT%H:%M:%SZ"))[0], 0, "an instant in words")
    code, got = SGX.verify(at=stamp.strftime("%Y-%m-%d"))
    equal(got["time"], stamp.strftime("%Y-%m-%dT00:00:00Z"), "a day is its first second")
    for at, reason in ((0, "not-yet-valid"), (SGX.at + 10**9, "expired")):
        code, got = SGX.verify(at=at)
        equal((code, got["verdict"], got["reason"]), (5, "undecided", reason), "another time: " + reason)
    code, got = run_json(BAWN, "verify", "--json", "--collateral", os.path.join(TMP, "none"), SGX.quote)
    equal((code, got["verdict"]), (5, "undecided"), "no such collateral")
    code, got = run_json(BAWN, "verify", "--json", SGX.quote)
    equal((code, got["verdict"]), (5, "undecided"), "no collateral named, none at home")
    ok(b"--pcs" in run(BAWN, "verify", SGX.quote)[1], "and what to do about it is told")
    env = dict(os.environ, BAWN_COLLATERAL=SGX.folder)
    equal(run_json(BAWN, "verify", "--json", "--at", SGX.at, SGX.quote, env=env)[0], 0, "$BAWN_COLLATERAL")
    code, out, _ = run(BAWN, "verify", "--collateral", SGX.folder, "--at", SGX.at, SGX.quote)
    ok(code == 0 and out.startswith(b"accepted: ") and b"MRENCLAVE" in out, "words", out)
    code, out, _ = run(BAWN, "verify", "--collateral", HARDEN.folder, "--at", HARDEN.at, HARDEN.quote)
    ok(code == 3 and b"SWHardeningNeeded" in out.splitlines()[1], "words of a refusal", out)


def words_of_tds():
    """What a trust domain's attributes mean, where that is a matter of policy."""
    sept = int(TDX.verify()[1]["td"]["attributes"][6:8], 16) & 0x10
    for name, told in ((TDX.name, not sept), ("synth-tdx4-sept", True)):
        folder = os.path.join(CORPUS, name)
        with open(os.path.join(folder, "case.json"), encoding="utf-8") as f:
            at = json.load(f)["verify_time"]
        out = run(BAWN, "verify", "--root", os.path.join(folder, "root_ca.pem"), "--collateral", folder, "--at", at,
                  os.path.join(folder, "quote.bin"))[1]
        equal(b"SEPT_VE_DISABLE is clear" in out, told, "SEPT_VE_DISABLE in words: " + name)


def roots():
    with open(os.path.join(CORPUS, "INDEX.tsv"), encoding="utf-8") as f:
        name = next(line.split("\t")[0] for line in f if line.startswith("synth-sgx3-UpToDate-qeUpToDate"))
    with open(os.path.join(CORPUS, name, "case.json"), encoding="utf-8") as f:
        c = Case(name, json.load(f)["verify_time"])
    root = os.path.join(c.folder, "root_ca.pem")
    equal(c.verify()[0], 4, "another root is not trusted, though it is in the folder")
    equal(c.verify("--root", root)[0], 0, "given, it is, and Intel's names are expected")
    equal(c.verify("--root", root, "--profile", "intel")[0], 0, "said so")
    equal(SGX.verify("--root", root)[0], 4, "then Intel's root is not")
    equal(c.verify("--root", root, "--profile", "emulated")[0], 1, "nor has it an emulated platform's names")
    names = ("root Intel SGX Root CA\npck-ca Intel SGX PCK Platform CA\npck Intel SGX PCK Certificate\n"
             "tcb-signing Intel SGX TCB Signing\n")
    equal(c.verify("--root", root, "--profile", write("names", names))[0], 0, "an owner's names")
    equal(c.verify("--root", root, "--profile", write("names", names.replace("\n", "\r\n")))[0], 0, "lines as of DOS")
    other = names.replace("TCB Signing", "TCB Signer")
    equal(c.verify("--root", root, "--profile", write("names", other))[0], 5, "names that its signer does not bear")
    for what, text in (("a missing name", "root A\n"), ("a word unknown", names + "pkc B\n"),
                       ("a name twice", names + "pck B\n"), ("no name", names + "rest\n")):
        equal(c.verify("--root", root, "--profile", write("names", text))[0], 1, "names with " + what)


def policy(case, text, want, name, *more):
    """want: 0, 1 for a malformed policy, or the violations."""
    code, got = case.verify("--policy", write("policy", text), *more)
    if want in (0, 1):
        equal(code, want, "policy: " + name)
    else:
        equal((code, got.get("violations")), (3, want), "policy: " + name)


def flip(h):
    return "%02x" % (int(h[:2], 16) ^ 1) + h[2:]


def policy_statuses():
    policy(SGX, "", 0, "an empty one is the default")
    policy(HARDEN, "# only words\n\n", ["status"], "so is one of comments")
    policy(HARDEN, "status SWHardeningNeeded", 0, "a status accepted")
    policy(SGX, "status SWHardeningNeeded\n", ["status"], "UpToDate is not in it")
    policy(SGX, "status SWHardeningNeeded\nstatus\tUpToDate # both\r\n", 0, "said in two lines")
    policy(OLD, "status UpToDate SWHardeningNeeded ConfigurationNeeded", ["status"], "OutOfDate is none of them")
    policy(OLD, "status OutOfDate", 0, "OutOfDate accepted")
    short = OLD.verify()[1]["tcb"]["shortfalls"]
    ok(short, "what an OutOfDate platform is short of")
    import datetime
    oldest = min(datetime.datetime.fromisoformat(s["level_date"].replace("Z", "+00:00")).timestamp() for s in short)
    age = int(OLD.at - oldest)
    policy(OLD, "grace %ds" % age, 0, "within the grace")
    policy(OLD, "grace %ds" % (age - 1), ["status"], "a second after it")
    policy(OLD, "grace %dh" % (age // 3600 + 1), 0, "grace in hours")
    policy(OLD, "grace %dd" % (age // 86400 + 1), 0, "grace in days")
    policy(OLD, "grace 1d", ["status"], "a grace long gone")
    got = SGX.verify()[1]
    date, number = got["tcb"]["date"], got["tcb"]["evaluation"]
    policy(SGX, "min-tcb-date %s" % date, 0, "the level's own date")
    policy(SGX, "min-tcb-date %s" % date[:10], 0, "the same as a day")
    policy(SGX, "min-tcb-date %s" % date.replace("Z", "").replace("T00:00:00", "T00:00:01") + "Z", ["tcb-date"],
           "a second later")
    policy(SGX, "min-evaluation %d" % number, 0, "the evaluation's own number")
    policy(SGX, "min-evaluation %d" % (number + 1), ["evaluation"], "one more")


def policy_advisories():
    got = OLD.verify()[1]
    ids = got["advisory_ids"]
    ok(len(ids) > 1, "an OutOfDate platform has advisories")
    base = "status OutOfDate\n"
    policy(OLD, base + "refuse-advisory %s" % ids[-1], ["advisory"], "an advisory refused")
    policy(OLD, base + "refuse-advisory INTEL-SA-99999", 0, "another advisory refused")
    policy(OLD, base + "accept-advisory " + " ".join(ids), 0, "all of its advisories accepted")
    policy(OLD, base + "".join("accept-advisory %s\n" % i for i in ids), 0, "in a line each")
    policy(OLD, base + "accept-advisory " + " ".join(ids[1:]), ["advisory"], "all but one")
    policy(OLD, base + "accept-advisory none", ["advisory"], "none accepted")
    policy(SGX, "accept-advisory none", 0 if not SGX.verify()[1]["advisory_ids"] else ["advisory"], "none, and none")


def policy_enclaves():
    e = SGX.verify()[1]["enclave"]
    for text, want, name in (
            ("enclave mrenclave=%(mrenclave)s", 0, "MRENCLAVE"),
            ("enclave mrsigner=%(mrsigner)s", 0, "MRSIGNER"),
            ("enclave mrsigner=%(mrsigner)s product=%(isvprodid)s svn=%(isvsvn)s", 0, "product and SVN"),
            ("enclave mrsigner=%(mrsigner)s configid=%(configid)s mrenclave=%(mrenclave)s", 0, "CONFIGID"),
            ("enclave mrenclave=" + "00" * 32 + "\nenclave mrenclave=%(mrenclave)s", 0, "one of two"),
            ("enclave mrsigner=%(mrsigner)s product=" + str(e["isvprodid"] + 1), ["enclave"], "another product"),
            ("enclave mrsigner=%(mrsigner)s svn=" + str(e["isvsvn"] + 1), ["enclave"], "a higher SVN"),
            ("enclave mrenclave=" + flip(e["mrenclave"]), ["enclave"], "another MRENCLAVE"),
            ("enclave mrsigner=" + flip(e["mrsigner"]), ["enclave"], "another MRSIGNER"),
            ("enclave mrsigner=%(mrsigner)s configid=" + flip(e["configid"]), ["enclave"], "another CONFIGID"),
            ("td mrtd=" + "00" * 48, ["enclave"], "a policy about TDs")):
        policy(SGX, text % e, want, name)
    a = bytes.fromhex(e["attributes"])
    mask = "02" + "00" * 15
    policy(SGX, "sgx-attributes %s/%s" % (a.hex(), "ff" * 16), 0, "all attributes as they are")
    policy(SGX, "sgx-attributes %s/%s" % ("00" * 16, mask), 0, "no DEBUG")
    policy(SGX, "sgx-attributes %s/%s" % (mask, mask), ["attributes"], "DEBUG wanted")
    m = struct.pack("<I", e["miscselect"]).hex()
    policy(SGX, "sgx-miscselect %s/ffffffff" % m, 0, "MISCSELECT as it is")
    policy(SGX, "sgx-miscselect %s/ffffffff" % flip(m), ["attributes"], "another MISCSELECT")


def policy_tds():
    t = TD15.verify()[1]["td"]
    for key in ("mrtd", "rtmr0", "rtmr1", "rtmr2", "rtmr3", "mrconfigid", "mrowner", "mrownerconfig", "mrseam",
                "mrservicetd"):
        policy(TD15, "td %s=%s" % (key, t[key]), 0, key)
        policy(TD15, "td %s=%s" % (key, flip(t[key])), ["td"], "another " + key)
    none = int(t["mrservicetd"], 16) == 0
    policy(TD15, "td mrservicetd=none", 0 if none else ["td"], "no service TD")
    sept = int(t["attributes"][6:8], 16) & 0x10
    policy(TD15, "td sept-ve-disable=required", 0 if sept else ["td"], "SEPT_VE_DISABLE")
    policy(TD15, "enclave mrenclave=" + "00" * 32, ["td"], "a policy about enclaves")
    policy(TD15, "td-attributes %s/%s" % (t["attributes"], "ff" * 8), 0, "TD attributes as they are")
    policy(TD15, "td-attributes %s/%s" % (flip(t["attributes"]), "ff" * 8), ["attributes"], "others")
    policy(TD15, "td-xfam %s/%s" % (t["xfam"], "ff" * 8), 0, "XFAM as it is")
    policy(TD15, "td-xfam %s/%s" % (flip(t["xfam"]), "ff" * 8), ["attributes"], "another XFAM")


def policy_platforms():
    got = SGX.verify()[1]
    p, rd = got["platform"], got["quote"]["report_data"]
    policy(SGX, "ppid " + p["ppid"], 0, "its PPID")
    policy(SGX, "ppid " + flip(p["ppid"]), ["platform"], "another PPID")
    policy(SGX, "piid " + p["piid"], 0, "its PIID")
    policy(SGX, "piid " + flip(p["piid"]), ["platform"], "another PIID")
    policy(SGX, "ppid %s %s" % (flip(p["ppid"]), p["ppid"].upper()), 0, "one of two PPIDs, in capitals")
    policy(SGX, "ppid %s\npiid %s" % (flip(p["ppid"]), p["piid"]), 0, "either list will do")
    for key, name in (("smt", "smt"), ("dynamic_platform", "dynamic-platform"), ("cached_keys", "cached-keys")):
        policy(SGX, name + " require", 0 if p[key] else ["configuration"], name + " required")
        policy(SGX, name + " forbid", ["configuration"] if p[key] else 0, name + " forbidden")
    policy(SGX, "report-data " + rd, 0, "its report data")
    policy(SGX, "report-data " + flip(rd), ["report-data"], "others")
    equal(SGX.verify("--report-data", rd)[0], 0, "--report-data")
    equal(SGX.verify("--report-data", flip(rd))[1]["violations"], ["report-data"], "--report-data, others")
    equal(SGX.verify("--report-data", rd, "--policy", write("policy", "report-data " + rd))[0], 64,
          "report data, given twice")
    for bad in ("", "0", "xy", "00" * 65):
        equal(SGX.verify("--report-data", bad)[0], 64, "--report-data %r" % bad[:8])
    shorter = rd.rstrip("0")
    shorter += "0" * (len(shorter) % 2)
    equal(SGX.verify("--report-data", shorter or "00")[0], 0, "report data without its zeros")
    policy(SGX, "debug refuse\nemulated refuse\nevaluation-set standard", 0, "the defaults, said")
    code, got = SGX.verify("--policy", write("policy", "evaluation-set early"))
    equal((code, got["early"], got["reason"]), (5, True, "no-tcb-info"), "policy: the early set, which is not there")


def policy_malformed():
    zero = "00" * 32
    for text in ("satus UpToDate", "status", "status uptodate", "status Revoked", "status Unknown", "grace 30", "grace d",
                 "grace -1d", "grace 99999999999d", "grace 1d 2d", "grace 1d\ngrace 1d", "min-tcb-date 2024",
                 "min-tcb-date 2024-02-30", "min-evaluation x", "min-evaluation 017", "min-evaluation 99999999999",
                 "debug yes", "debug allow\ndebug allow", "emulated maybe", "evaluation-set both", "enclave",
                 "enclave mrenclave", "enclave mrenclave=", "enclave mrenclave=00", "enclave product=1", "enclave svn=1",
                 "enclave mrenclave=" + zero + "00", "enclave mrenclave=" + zero[:-1] + "g",
                 "enclave mrenclave=%s mrenclave=%s" % (zero, zero), "enclave mrenclave=%s colour=1" % zero,
                 "enclave mrenclave=%s product=65536" % zero, "enclave mrenclave=%s svn=-1" % zero, "td mrtd=" + zero,
                 "td rtmr4=" + "00" * 48, "td sept-ve-disable=yes", "ppid 00", "piid " + zero, "report-data",
                 "report-data 0", "report-data " + "00" * 65, "sgx-attributes " + "00" * 16,
                 "sgx-attributes %s/%s" % ("ff" * 16, "00" * 16), "sgx-miscselect 00/00", "td-xfam x/y", "smt any",
                 "smt require\nsmt forbid", "cached-keys", "accept-advisory intel-sa-1",
                 "accept-advisory none INTEL-SA-1", "accept-advisory none\naccept-advisory INTEL-SA-1",
                 "accept-advisory INTEL-SA-1\naccept-advisory none", "refuse-advisory " + "A" * 40,
                 "status\x00UpToDate", "status UpToDate\x0b", "status UpToD\xe4te", "status " + "UpToDate " * 1000):
        code, _, err = run(BAWN, "verify", "--policy", write("policy", text.encode("latin-1")), SGX.quote)
        ok(code == 1 and "line " in err, "policy refused: %s" % ascii(text[:50]), (code, err))
    equal(run(BAWN, "verify", "--policy", os.path.join(TMP, "none"), SGX.quote)[0], 1, "a policy that is not there")


def cbor_bytes(b):
    return b"\x59" + struct.pack(">H", len(b)) + b


def certificates():
    """Self-made certificates around quotes: genuine ones do not vouch for our key."""
    for c in (SGX, TDX):
        key = os.path.join(TMP, "key.pem")
        run("openssl", "ecparam", "-name", "secp384r1", "-genkey", "-noout", "-out", key)
        spki = run("openssl", "pkey", "-in", key, "-pubout", "-outform", "DER")[1]
        claims = b"\xa1\x6bpubkey-hash" + cbor_bytes(b"\x82\x01\x58\x20" + hashlib.sha256(spki).digest())
        tagged = b"\xd9\xea\x60\x82" + cbor_bytes(c.bytes) + cbor_bytes(claims)
        for oid, value in (("2.23.133.5.4.9", tagged), ("1.2.840.113741.1337.6", c.bytes)):
            pem, der = os.path.join(TMP, "cert.pem"), os.path.join(TMP, "cert.der")
            config = write("openssl.cnf", "[req]\ndistinguished_name=dn\n[dn]\n[x]\n%s=DER:%s\n" % (oid, value.hex()))
            run("openssl", "req", "-x509", "-new", "-key", key, "-subj", "/CN=test", "-config", config,
                "-extensions", "x", "-out", pem)
            run("openssl", "x509", "-in", pem, "-outform", "DER", "-out", der)
            for form in (pem, der):
                code, got = c.verify("--cert", quote=form)
                equal((code, got["verdict"], got["reason"], got["certificate"]["key_bound"], got["tcb_status"]),
                      (4, "not-genuine", "certificate-key", False, "UpToDate"),
                      "somebody else's quote in a certificate, %s, %s" % (oid, form[-3:]))
    code, got = SGX.verify("--cert")
    equal((code, got["reason"]), (4, "quote-format"), "a quote is no certificate")
    plain = os.path.join(TMP, "plain.pem")
    run("openssl", "req", "-x509", "-new", "-key", key, "-subj", "/CN=test", "-out", plain)
    code, got = SGX.verify("--cert", quote=plain)
    equal((code, got["verdict"]), (4, "not-genuine"), "a certificate without a quote")
    ok("no quote" in got["message"], "and it says so", got)


def batches():
    cases = [SGX, TDX, HARDEN, OLD, TD15, SGX, find("SGX", "UpToDate", ca="processor")]
    store = os.path.join(TMP, "store")
    for c in cases:
        run(BAWN, "collateral", "import", "--collateral", store, c.folder, "--older")
    at = TDX.at
    single = [run_json(BAWN, "verify", "--json", "--collateral", store, "--at", at, c.quote) for c in cases]
    ok(len({code for code, _ in single}) > 1, "cases of several outcomes in a store", [s[0] for s in single])
    many = 40
    listed = write("list", "".join(c.quote + "\n" for c in cases) * many)
    records = write("records", "".join(json.dumps({"id": str(i), "quote": base64.b64encode(c.bytes).decode(), "x": [1]})
                                       + "\n" for i, c in enumerate(cases * many)))
    frames = write("frames", b"".join(struct.pack("<I", len(c.bytes)) + c.bytes for c in cases * many))
    worst = max((code for code, _ in single), key=[0, 3, 5, 4].index)
    for form, path in (("list", listed), ("ndjson", records), ("frames", frames)):
        for threads in ("1", "7"):
            code, out, err = run(BAWN, "verify", "--batch", "--json", "--format", form, "--threads", threads,
                                 "--collateral", store, "--at", at, path)
            lines = [json.loads(line) for line in out.splitlines()]
            ids = [line.pop("id") for line in lines]
            equal(code, worst, "%s by %s threads: the gravest verdict is the exit code" % (form, threads))
            ok(lines == [got for _, got in single] * many, "as each by itself, in order", err)
            if form == "ndjson":
                equal(ids, [str(i) for i in range(len(cases) * many)], "ids come back")
            elif form == "list":
                equal(ids, [c.quote for c in cases] * many, "names come back")
    code, out, _ = run(BAWN, "verify", "--batch", "--collateral", SGX.folder, "--at", SGX.at, "-",
                       stdin=(SGX.quote + "\n\n" + os.path.join(TMP, "none") + "\n" + SGX.quote).encode())
    lines = out.decode().splitlines()
    equal((code, len(lines)), (5, 3), "a file that is not there: undecided, and the others are verified")
    ok(lines[0] == lines[2] == SGX.quote + ": accepted UpToDate" and ": undecided" in lines[1], "a line each", lines)
    rd = SGX.verify()[1]["quote"]["report_data"]
    b64 = base64.b64encode(SGX.bytes).decode()
    text = "\n".join((json.dumps({"quote": b64, "report_data": rd}), json.dumps({"quote": b64, "report_data": flip(rd)}),
                      json.dumps({"quote": SGX.bytes.hex()}), "{}", "{", json.dumps({"quote": b64, "report_data": "0"}),
                      '{"quote":"","quote":""}', json.dumps({"quote": ""})))
    code, out, _ = run(BAWN, "verify", "--batch", "--json", "--format", "ndjson", "--collateral", SGX.folder,
                       "--at", SGX.at, "-", stdin=text.encode())
    equal([json.loads(line)["reason"] for line in out.splitlines()],
          ["none", "policy", "none", "unreadable", "unreadable", "unreadable", "unreadable", "quote-format"],
          "report data by record; malformed records")
    text = '{"id": "caf\\u00e9 1\\/2", "quote": "%s"}' % b64.replace("/", "\\/")
    code, out, _ = run(BAWN, "verify", "--batch", "--json", "--format", "ndjson", "--collateral", SGX.folder,
                       "--at", SGX.at, "-", stdin=text.encode())
    equal((code, json.loads(out)["id"]), (0, "caf\u00e9 1/2"), "records with escapes")
    for what, data in (("cut in a length", b"\x05\x00"), ("cut in a frame", b"\x05\x00\x00\x00abc"),
                       ("a frame too large", b"\xff\xff\xff\xff" + bytes(100))):
        equal(run(BAWN, "verify", "--batch", "--format", "frames", "-", stdin=data)[0], 1, "frames: " + what)
    equal(run(BAWN, "verify", "--batch", "-", stdin=b"")[0], 0, "an empty batch")
    equal(run(BAWN, "verify", "--batch", os.path.join(TMP, "none"))[0], 1, "a batch that is not there")
    equal(run(BAWN, "verify", "--batch", "--threads", "0", "-", stdin=b"")[0], 64, "no threads")


def streaming():
    """An answer comes as soon as it can, not when the stream ends."""
    p = subprocess.Popen([BAWN, "verify", "--batch", "--format", "frames", "--collateral", SGX.folder, "--at",
                          str(SGX.at), "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    for i in range(3):
        p.stdin.write(struct.pack("<I", len(SGX.bytes)) + SGX.bytes)
        p.stdin.flush()
        equal(p.stdout.readline(), b"%d: accepted UpToDate\n" % (i + 1), "an answer while the stream is open")
    p.stdin.close()
    equal(p.wait(), 0, "the stream's end")


inputs()
options()
words_of_tds()
roots()
policy_statuses()
policy_advisories()
policy_enclaves()
policy_tds()
policy_platforms()
policy_malformed()
certificates()
batches()
streaming()
done()
