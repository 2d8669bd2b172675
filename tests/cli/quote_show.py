"""quote_show.py BAWN QUOTE...: every field that `bawn quote show --json` prints, against the bytes.

An independent reading of the quote's layout (doc/QUOTE-VERIFICATION.md, section 3).
"""
import base64
import json
import struct
import subprocess
import sys

BAWN = sys.argv[1]
SGX = [("cpusvn", 0, 16), ("isvextprodid", 32, 16), ("attributes", 48, 16), ("mrenclave", 64, 32),
       ("mrsigner", 128, 32), ("configid", 192, 64), ("isvfamilyid", 304, 16), ("report_data", 320, 64)]
SGX_NUMBERS = [("miscselect", 16, 4), ("cet_attributes", 20, 1), ("isvprodid", 256, 2), ("isvsvn", 258, 2),
               ("configsvn", 260, 2)]
TD = [("tee_tcb_svn", 16), ("mrseam", 48), ("mrsignerseam", 48), ("seamattributes", 8), ("attributes", 8),
      ("xfam", 8), ("mrtd", 48), ("mrconfigid", 48), ("mrowner", 48), ("mrownerconfig", 48), ("rtmr0", 48),
      ("rtmr1", 48), ("rtmr2", 48), ("rtmr3", 48), ("report_data", 64)]
TD15 = [("tee_tcb_svn2", 16), ("mrservicetd", 48)]
TD15EX = [("vmid", 1), ("td_id", 32), ("dev_info", 48), ("init_service_td_hash", 48),
          ("init_service_td_attributes", 8), ("init_cpusvn", 16), ("init_tee_tcb_svn", 16), ("init_fmspc", 12),
          ("current_service_td_hash", 48), ("current_service_td_attributes", 8)]
SIZES = {384: "SGX report", 584: "TD report 1.0", 648: "TD report 1.5", 885: "TD report 1.5, extended"}


def sgx(b):
    out = {name: b[at:at + n].hex() for name, at, n in SGX}
    out.update({name: int.from_bytes(b[at:at + n], "little") for name, at, n in SGX_NUMBERS})
    return out


def td(b):
    out, at = {}, 0
    for name, n in TD + (TD15 if len(b) >= 648 else []) + (TD15EX if len(b) == 885 else []):
        out[name] = b[at] if name == "vmid" else b[at:at + n].hex()
        at += n
    assert at == len(b)
    return out


def expected(q):
    version, key, tee, qe_svn, pce_svn = struct.unpack_from("<HHIHH", q)
    at, size = 48, 384 if tee == 0 else 584
    if version == 5:
        size = struct.unpack_from("<I", q, 50)[0]
        at = 54
    body = q[at:at + size]
    at += size
    auth = struct.unpack_from("<I", q, at)[0]
    at += 4
    end = at + auth
    assert key == 2
    want = {
        "header": {"version": version, "attestation_key_type": "ECDSA P-256", "tee": "TDX" if tee else "SGX",
                   "qe_svn": qe_svn, "pce_svn": pce_svn, "qe_vendor_id": q[12:28].hex(),
                   "user_data": q[28:48].hex(), "qe_id": q[28:44].hex(), "size": end,
                   "padding": len(q) - end},
        "body_type": SIZES[size],
        "signature": {"ecdsa": q[at:at + 64].hex(), "attestation_key": q[at + 64:at + 128].hex()},
    }
    want["td" if tee else "enclave"] = td(body) if tee else sgx(body)
    at += 128
    if version > 3:
        at += 6
    want["qe"] = sgx(q[at:at + 384])
    want["qe_report_signature"] = q[at + 384:at + 448].hex()
    at += 448
    n = struct.unpack_from("<H", q, at)[0]
    want["qe_authentication_data"] = q[at + 2:at + 2 + n].hex()
    at += 2 + n
    kind, n = struct.unpack_from("<HI", q, at)
    data = q[at + 6:]
    data = data[:n]
    want["certification"] = {"type": kind, "size": n}
    if kind <= 3:
        want["certification"].update(ppid=data[:-20].hex(), cpusvn=data[-20:-4].hex(),
                                     pcesvn=int.from_bytes(data[-4:-2], "little"), pce_id=data[-2:].hex())
    elif kind == 7:
        want["certification"]["data"] = data.hex()
    return want, data if kind in (4, 5) else None


def leaf_serial(data):
    data = data.split(b"-----END CERTIFICATE-----")[0] + b"-----END CERTIFICATE-----\n" if b"BEGIN" in data else data
    pem = subprocess.run(["openssl", "x509", "-noout", "-serial"] +
                         ([] if b"BEGIN" in data else ["-inform", "DER"]),
                         input=data, capture_output=True, check=True).stdout.decode()
    return pem.strip().split("=")[1].lower()


def check(path):
    with open(path, "rb") as f:
        q = f.read()
    want, certificates = expected(q)
    got = json.loads(subprocess.run([BAWN, "quote", "show", "--json", path], capture_output=True, check=True).stdout)
    shown = got["certification"].pop("certificates", None)
    got["certification"].pop("content")
    assert got == want, "%s: %s" % (path, [k for k in want if got.get(k) != want[k]])
    if certificates is None:
        assert shown is None
    else:
        assert len(shown) == max(1, certificates.count(b"BEGIN CERTIFICATE"))
        assert int(shown[0]["serial"], 16) == int(leaf_serial(certificates), 16)
        assert "sgx_extension" in shown[0]
    text = subprocess.run([BAWN, "quote", "show", path], capture_output=True, check=True).stdout.decode()
    for part in ("enclave", "td", "qe", "header", "signature"):
        for value in want.get(part, {}).values():
            assert str(value) in text, "%s: %s is not in the text" % (path, value)
    return got


def spellings(path):
    with open(path, "rb") as f:
        q = f.read()
    whole = subprocess.run([BAWN, "quote", "show", path], capture_output=True, check=True).stdout
    for data in (q, q.hex().encode(), b"0x" + q.hex().upper().encode() + b"\n", base64.encodebytes(q)):
        out = subprocess.run([BAWN, "quote", "show", "-"], input=data, capture_output=True, check=True).stdout
        assert out == whole


for name in sys.argv[2:]:
    check(name)
    spellings(name)
print("%d quotes" % len(sys.argv[2:]))
