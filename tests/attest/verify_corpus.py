#!/usr/bin/env python3
"""Run the bawn command over every case of the corpus that has a quote.

verify_corpus.py BAWN CORPUS: one line of TAP a group. A case is right if the
exit code, the verdict, the status word and the advisories are as expected;
a policy that accepts every status makes "accept" and exit code 0 the same.
"""
import collections
import concurrent.futures
import json
import os
import subprocess
import sys

BAWN, CORPUS, POLICY = sys.argv[1], sys.argv[2], sys.argv[3]
DEFAULT_ACCEPTS = {"UpToDate"}


def run(args):
    p = subprocess.run([BAWN, "verify", "--json"] + args, capture_output=True, check=False)
    try:
        return p.returncode, json.loads(p.stdout)
    except ValueError:
        return p.returncode, {"verdict": "no JSON: " + p.stderr.decode(errors="replace")}


def expected_exit(case):
    """Codes that fit the expectation, under the policy that accepts every status."""
    if case["expected"]["verdict"] == "Revoked":
        return {3}  # genuine, but no policy accepts it
    return {0} if case["expected"]["accept"] else {4, 5}


def check(name):
    folder = os.path.join(CORPUS, name)
    with open(os.path.join(folder, "case.json"), encoding="utf-8") as f:
        case = json.load(f)
    want = case["expected"]
    args = ["--collateral", folder, "--at", str(case["verify_time"]), os.path.join(folder, "quote.bin")]
    if case["trust_anchor"] != "intel":
        args = ["--root", os.path.join(folder, "root_ca.pem")] + args
    code, got = run(["--policy", POLICY] + args)
    wrong = []
    if code not in expected_exit(case):
        wrong.append("exit code %d" % code)
    words = {0: "accepted", 3: "unacceptable", 4: "not-genuine", 5: "undecided"}
    if got["verdict"] != words.get(code):
        wrong.append("verdict %s with exit code %d" % (got["verdict"], code))
    if want["accept"]:
        if got.get("tcb_status") != want["verdict"]:
            wrong.append("status %s, not %s" % (got.get("tcb_status"), want["verdict"]))
        if got.get("advisory_ids") != want["advisory_ids"]:
            wrong.append("advisories %s, not %s" % (got.get("advisory_ids"), want["advisory_ids"]))
        if got.get("emulated") is not False:
            wrong.append("emulated %s" % got.get("emulated"))
        # And by default: the status UpToDate alone, no debug enclaves.
        default = want["verdict"] in DEFAULT_ACCEPTS and not got["quote"]["debug"]
        code, got = run(args)
        if (code, got["verdict"]) != ((0, "accepted") if default else (3, "unacceptable")):
            wrong.append("by default %s with exit code %d" % (got["verdict"], code))
    return case["group"], name, wrong


names = sorted(n for n in os.listdir(CORPUS) if os.path.exists(os.path.join(CORPUS, n, "quote.bin")))
groups = collections.OrderedDict()
with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    for group, name, wrong in pool.map(check, names):
        groups.setdefault(group, []).append((name, wrong))
for i, (group, cases) in enumerate(sorted(groups.items())):
    bad = [(n, w) for n, w in cases if w]
    print("%sok %d - %s: %d of %d cases as expected" % ("not " if bad else "", i + 1, group,
                                                      len(cases) - len(bad), len(cases)))
    for n, w in bad:
        print("# %s: %s" % (n, "; ".join(w)))
print("1..%d" % len(groups))
