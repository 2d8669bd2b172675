"""independent.py QUOTE FAB PLATFORM-FILE: a quote checked by nothing of ours.

Signatures and chains by the openssl command; keys from the fuses by doc/EMULATED-CPU.md and
doc/ARCHITECTURAL-ENCLAVES.md, in plain Python. Raises where anything does not hold.
"""
import glob
import hashlib
import json
import os
import re
import struct
import subprocess
import sys
import tempfile

QUOTE, FAB, PLATFORM = sys.argv[1:4]
WORK = tempfile.TemporaryDirectory()
P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551
G = (0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296,
     0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5)
SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200") + b"\x04"
SGX = bytes.fromhex("2a864886f84d010d01")


def openssl(*args, data=None):
    r = subprocess.run(["openssl"] + list(args), input=data, capture_output=True, check=False)
    assert r.returncode == 0, "openssl %s: %s" % (" ".join(args), r.stderr.decode())
    return r.stdout


def file(name, data):
    path = os.path.join(WORK.name, name)
    with open(path, "wb") as f:
        f.write(data)
    return path


def read(path):
    with open(path, "rb") as f:
        return f.read()


# ---- P-256 and ECDSA ----

def add(a, b):
    if a is None or b is None:
        return a or b
    if a[0] == b[0]:
        if (a[1] + b[1]) % P == 0:
            return None
        m = (3 * a[0] * a[0] - 3) * pow(2 * a[1], -1, P) % P
    else:
        m = (b[1] - a[1]) * pow(b[0] - a[0], -1, P) % P
    x = (m * m - a[0] - b[0]) % P
    return x, (m * (a[0] - x) - a[1]) % P


def public(d):
    r, q = None, G
    while d:
        if d & 1:
            r = add(r, q)
        q = add(q, q)
        d >>= 1
    return r[0].to_bytes(32, "big") + r[1].to_bytes(32, "big")


def integer(b):
    b = b.lstrip(b"\0") or b"\0"
    b = (b"\0" if b[0] & 0x80 else b"") + b
    return b"\x02" + bytes([len(b)]) + b


def verify(what, xy, message, rs):
    body = integer(rs[:32]) + integer(rs[32:])
    key = file("key.der", SPKI + xy)
    openssl("dgst", "-sha256", "-keyform", "DER", "-verify", key, "-signature",
            file("sig.der", b"\x30" + bytes([len(body)]) + body), data=message)
    print(what)


# ---- DER ----

def element(b, at=0):
    n, at = b[at + 1], at + 2
    if n & 0x80:
        k = n & 0x7f
        n, at = int.from_bytes(b[at:at + k], "big"), at + k
    return b[at:at + n], at + n


def members(b):
    """{last arc of the OID: (tag, value)} of a SEQUENCE OF {OID, value}."""
    out, at = {}, 0
    while at < len(b):
        pair, at = element(b, at)
        oid, rest = element(pair)
        value, end = element(pair, rest)
        assert end == len(pair)
        out[oid[-1]] = value
    return out


def sgx_extension(der):
    at = der.index(b"\x06\x09" + SGX + b"\x04")
    octets, _ = element(der, at + 11)
    return members(element(octets)[0])


# ---- keys from the fuses ----

def cmac(key, data):
    out = openssl("mac", "-cipher", "AES-128-CBC", "-macopt", "hexkey:" + key.hex(), "-in", file("mac", data), "CMAC")
    return bytes.fromhex(out.decode().strip())


def platform():
    pairs = re.findall(r"^(\S+) = (\S+)$", read(PLATFORM).decode(), re.M)
    return {k: v for k, v in pairs}


def provision_key(fuse, mrsigner, cpusvn, isvsvn):
    root = cmac(fuse[:16], b"Bawn root key 1\0" + fuse[16:])
    d = bytearray(680)
    d[0:16] = b"Bawn SGX key 1\0\0"
    struct.pack_into("<HHHH", d, 16, 1, 0, 1, isvsvn)  # PROVISION, no policy, product 1
    struct.pack_into("<QQQQ", d, 40, 0x11, 0, ~0x4 & (1 << 64) - 1, 0)
    d[72:88] = cpusvn
    d[168:200] = mrsigner
    d[328:680] = bytes.fromhex("2004000501020403650148866009060d30313000") + b"\xff" * 330 + b"\x01\x00"
    return cmac(root, bytes(d))


def ppid_of(fuse, mrsigner):
    return cmac(provision_key(fuse, mrsigner, bytes(16), 0), bytes(16))


def pck_of(fuse, mrsigner, cpusvn, isvsvn):
    key = provision_key(fuse, mrsigner, cpusvn, isvsvn)
    seed = b"".join(cmac(key, bytes([i]) + b"PAK_KEY_DER\0\0\x01\x40") for i in (1, 2, 3))[:40]
    return public(int.from_bytes(seed, "big") % (N - 1) + 1)


# ---- the parts ----

def split(q):
    assert struct.unpack_from("<HHI", q) == (3, 2, 0)
    n = struct.unpack_from("<I", q, 432)[0]
    a = q[436:436 + n]
    assert len(a) == n and 436 + n == len(q)
    size = struct.unpack_from("<H", a, 576)[0]
    kind, length = struct.unpack_from("<HI", a, 578 + size)
    assert kind == 5 and 584 + size + length == n
    return {"signed": q[:432], "signature": a[:64], "key": a[64:128], "qe": a[128:512], "qe_signature": a[512:576],
            "auth": a[578:578 + size], "chain": a[584 + size:].rstrip(b"\0")}


def check_chain(chain, collateral):
    pems = re.findall(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", chain, re.S)
    assert len(pems) == 3
    crls = b"".join(openssl("crl", "-inform", "DER", "-in", os.path.join(collateral, name))
                    for name in ("root_ca_crl.der", "pck_crl.der"))
    root = os.path.join(FAB, "root_ca.pem")
    common = ["verify", "-x509_strict", "-ignore_critical", "-CAfile", root, "-crl_check_all", "-CRLfile",
              file("crls.pem", crls)]
    openssl(*common, "-untrusted", file("ca.pem", pems[1]), file("leaf.pem", pems[0]))
    print("the chain, with both revocation lists")
    # Who does not know the marker of emulated platforms must refuse it.
    r = subprocess.run(["openssl", "verify", "-CAfile", root, "-untrusted", file("ca.pem", pems[1]),
                        file("leaf.pem", pems[0])], capture_output=True, check=False)
    assert r.returncode != 0 and b"unhandled critical extension" in r.stderr + r.stdout
    signer = read(os.path.join(collateral, "tcb_signing_chain.pem"))
    first = signer[:signer.index(b"-----END CERTIFICATE-----\n") + 26]
    openssl(*common, file("signer.pem", first))
    print("the TCB signer's")
    der = openssl("x509", "-in", file("leaf.pem", pems[0]), "-outform", "DER")
    spki = openssl("pkey", "-pubin", "-outform", "DER",
                   data=openssl("x509", "-in", file("leaf.pem", pems[0]), "-pubkey", "-noout"))
    assert spki.startswith(SPKI)
    signer_key = openssl("pkey", "-pubin", "-outform", "DER",
                         data=openssl("x509", "-in", file("signer.pem", first), "-pubkey", "-noout"))[len(SPKI):]
    return der, spki[len(SPKI):], signer_key


def statement(path, name, key):
    text = read(path)
    head = b'{"%s":' % name.encode()
    tail = text.rindex(b',"signature":"')
    assert text.startswith(head) and len(text) == tail + 14 + 128 + 2
    body = text[len(head):tail]
    verify(name, key, body, bytes.fromhex(text[tail + 14:tail + 142].decode()))
    return json.loads(body)


def check_qe(qe, identity):
    def masked(at, n, name):
        mask, want = bytes.fromhex(identity[name + "Mask"]), bytes.fromhex(identity[name])
        return bytes(a & b for a, b in zip(qe[at:at + n], mask)) == want
    assert identity["id"] == "QE" and identity["version"] == 2
    assert qe[128:160].hex() == identity["mrsigner"].lower()
    assert struct.unpack_from("<H", qe, 256)[0] == identity["isvprodid"]
    assert masked(16, 4, "miscselect") and masked(48, 16, "attributes")
    svn = struct.unpack_from("<H", qe, 258)[0]
    assert any(svn >= level["tcb"]["isvsvn"] for level in identity["tcbLevels"])
    print("the quoting enclave is the one that the identity describes")


def check_platform(ext, tcb_info, pck):
    tcb = members(ext[2])
    components = [int.from_bytes(tcb[i], "big") for i in range(1, 17)]
    pcesvn = int.from_bytes(tcb[17], "big")
    assert bytes(components) == tcb[18]
    assert ext[4].hex() == tcb_info["fmspc"].lower() and ext[3].hex() == tcb_info["pceId"].lower()
    assert any(pcesvn >= level["tcb"]["pcesvn"] and
               all(c >= x["svn"] for c, x in zip(components, level["tcb"]["sgxtcbcomponents"]))
               for level in tcb_info["tcbLevels"])
    print("the platform reaches a level of the TCB info")
    p = platform()
    fuse = bytes.fromhex(p["provision-fuse"])
    mrsigner = bytes.fromhex(json.loads(read(os.path.join(FAB, "fab.json")))["fab"]["pce_mrsigner"])
    assert ppid_of(fuse, mrsigner) == ext[1]
    print("its PPID follows from the fuses and the PCE's signer")
    assert pck_of(fuse, mrsigner, tcb[18], pcesvn) == pck
    print("so does its PCK")


def main():
    q = split(read(QUOTE))
    collateral = [d for d in glob.glob(os.path.join(FAB, "collateral", "sgx-*")) if not d.endswith("-early")][0]
    leaf, pck, signer = check_chain(q["chain"], collateral)
    verify("the quoting enclave's report, by the PCK", pck, q["qe"], q["qe_signature"])
    assert q["qe"][320:352] == hashlib.sha256(q["key"] + q["auth"]).digest() and q["qe"][352:384] == bytes(32)
    print("it vouches for the attestation key")
    verify("the quote, by the attestation key", q["key"], q["signed"], q["signature"])
    tcb_info = statement(os.path.join(collateral, "tcb_info.json"), "tcbInfo", signer)
    identity = statement(os.path.join(collateral, "qe_identity.json"), "enclaveIdentity", signer)
    check_qe(q["qe"], identity)
    check_platform(sgx_extension(leaf), tcb_info, pck)


main()
