"""AESM clients of bawnd, by an independent implementation of protobuf. Prints TAP.

aesm_client.py SOCKET CLIENT_PROG BAWN FOLDER: CLIENT_PROG makes reports, BAWN verifies quotes
with what is in FOLDER, where bawnd's test keeps its fab.
"""

import hashlib
import os
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../wire"))
from aesm_schema import schema  # noqa: E402

path, prog, bawn, folder = sys.argv[1:5]
messages, Request, Response = schema()
count = failed = 0


def ok(good, name, more=""):
    global count, failed
    count += 1
    failed += not good
    print(f"{'' if good else 'not '}ok {count} - {name}", flush=True)
    if not good:
        print(f"# {more}", flush=True)


def connect():
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.settimeout(30)
    s.connect(path)
    return s


def read(s):
    """All until the other end closes."""
    data = b""
    while True:
        part = s.recv(65536)
        if not part:
            return data
        data += part


def exchange(raw):
    with connect() as s:
        s.sendall(struct.pack("<I", len(raw)) + raw)
        data = read(s)
    if not data:
        return None
    n = struct.unpack_from("<I", data)[0]
    assert n == len(data) - 4, "the length of the frame"
    answer = Response()
    answer.ParseFromString(data[4:])
    return answer


def call(number, **fields):
    name = "m" + messages[number][0]
    q = Request()
    m = getattr(q, name)
    m.SetInParent()
    for k, v in fields.items():
        setattr(m, k, v)
    answer = exchange(q.SerializeToString())
    assert answer is not None and answer.HasField(name), f"an answer to message {number}"
    return getattr(answer, name)


def code(number, want, name, **fields):
    got = call(number, **fields).errorCode
    ok(got == want, f"{name}: {want}", f"error code {got}")


INTEL_QE3 = bytes.fromhex("8c4f5775d796503e96137f77c68a829a0056ac8ded70140b081b094490c57bff")


def key_id(signer, product):
    x = bytearray(256)
    struct.pack_into("<H", x, 4, 32)
    x[6:38] = signer
    struct.pack_into("<I", x, 54, product)
    struct.pack_into("<I", x, 154, 2)
    return bytes(x)


def listed(*ids):
    return struct.pack("<HHI", 0, 0, len(ids)) + b"".join(ids)


def keys():
    a = call(21)
    ok(a.errorCode == 0 and a.att_key_id_num == 1, "one attestation key is supported")
    a = call(22, buf_size=256)
    ok(a.errorCode == 0 and len(a.att_key_ids) == 256, "its id is told, with nothing in front")
    ours = a.att_key_ids
    code(22, 3, "a buffer too small for the list", buf_size=255)
    a = call(19)
    ok(a.errorCode == 0 and a.selected_att_key_id == ours, "without a list: ours")
    intel = key_id(INTEL_QE3, 1)
    other = key_id(b"\x55" * 32, 1)
    a = call(19, att_key_id_list=listed(other, intel))
    ok(a.errorCode == 0 and a.selected_att_key_id == intel, "of a list: the entry that stands for ours")
    code(19, 38, "of others' keys alone", att_key_id_list=listed(other))
    code(19, 3, "a list of another length than it says", att_key_id_list=listed(other)[:-1])
    return ours, intel, other


def init(ours, intel, other):
    a = call(15, b_pub_key_id=False)
    ok(a.errorCode == 0 and a.pub_key_id_size == 32 and a.target_info == bytes(512),
       "InitQuoteEx for the size: 32, and no target")
    a = call(15, att_key_id=intel, b_pub_key_id=True, buf_size=32)
    ok(a.errorCode == 0 and len(a.target_info) == 512 and any(a.target_info) and len(a.pub_key_id) == 32,
       "InitQuoteEx for the key: target info and key id")
    b = call(15, att_key_id=ours, b_pub_key_id=True, buf_size=32)
    ok(b.target_info == a.target_info and b.pub_key_id == a.pub_key_id, "the same by our own id")
    code(15, 3, "another buffer size", b_pub_key_id=True, buf_size=31)
    code(15, 38, "another key", att_key_id=other, b_pub_key_id=True, buf_size=32)
    code(16, 38, "size of another key's quote", att_key_id=other)
    code(15, 3, "a key id of another size", att_key_id=ours[:-1], b_pub_key_id=True, buf_size=32)
    return a.target_info


def report(target):
    t, r = os.path.join(folder, "target"), os.path.join(folder, "report")
    with open(t, "wb") as f:
        f.write(target)
    subprocess.run([prog, "report", t, r], check=True)
    with open(r, "rb") as f:
        return f.read()


def quotes(target, ours, other):
    a = call(16, att_key_id=ours)
    ok(a.errorCode == 0 and a.quote_size > 436, "the size of a quote is told")
    size = a.quote_size
    r = report(target)
    info = os.urandom(16) + target + bytes(432)
    a = call(17, report=r, att_key_id=ours, qe_report_info=info, buf_size=size + 100)
    ok(a.errorCode == 0 and len(a.quote) == size + 100, "a quote, padded to the buffer", f"{a.errorCode} {len(a.quote)}")
    n = 436 + struct.unpack_from("<I", a.quote, 432)[0]
    quote = a.quote[:n]
    ok(n == size and not any(a.quote[n:]), "its true length is as told, and zeros follow")
    ok(a.qe_report_info[:528] == info[:528], "nonce and target come back")
    ok(a.qe_report_info[528 + 320:528 + 352] == hashlib.sha256(info[:16] + quote).digest(),
       "the quoting enclave's report covers nonce and quote")
    file = os.path.join(folder, "aesm.quote")
    with open(file, "wb") as f:
        f.write(quote)
    v = subprocess.run([bawn, "verify", "--collateral", f"{folder}/fab/collateral", "--root", f"{folder}/fab/root_ca.pem",
                        "--profile", "emulated", "--allow-emulated", file], capture_output=True, text=True)
    ok(v.returncode == 0, "the quote verifies", v.stdout + v.stderr)
    a = call(17, report=r, buf_size=size)
    ok(a.errorCode == 0 and len(a.quote) == size and not a.qe_report_info, "without key id and report info")
    code(17, 3, "a buffer too small by one", report=r, buf_size=size - 1)
    code(17, 3, "a buffer of 4 GiB", report=r, buf_size=(1 << 32) - 1)
    code(17, 38, "another key", report=r, att_key_id=other, buf_size=size)
    bad = bytearray(r)
    bad[420] ^= 1
    code(17, 47, "a report whose MAC does not hold", report=bytes(bad), buf_size=size)
    code(17, 3, "a report of another size", report=r[:-1], buf_size=size)
    return r, size


def the_rest():
    code(1, 40, "InitQuote, of EPID")
    code(2, 40, "GetQuote, of EPID", report=bytes(432), quote_type=0, spid=bytes(16), buf_size=2000)
    code(4, 40, "ReportAttestationError", platform_info=bytes(101), attestation_error_code=1, update_info_size=64)
    code(18, 40, "CheckUpdateStatus", update_info_size=64, config=0)
    a = call(12)
    ok(a.errorCode == 0 and a.x_group_id == 0, "the extended group is 0")
    code(13, 6, "SwitchExtendedEpidGroup, for administrators", x_group_id=0)
    code(14, 6, "SGXRegister, the same", buf=bytes(400), data_type=0)
    code(10, 40, "GetWhiteListSize")
    code(11, 40, "GetWhiteList", white_list_size=100)
    a = call(3, mr_enclave=bytes(32), mr_signer=bytes(384), se_attributes=struct.pack("<QQ", 4, 3))
    ok(a.errorCode in (0, 6), "GetLaunchToken: a token, or refused by the launch enclave", a.errorCode)
    ok(a.errorCode or len(a.token) == 304, "and a token has 304 bytes")


def hostile(r, size):
    for name, raw in (("garbage", os.urandom(300)), ("4 GiB", struct.pack("<I", 0xffffffff) + b"x"),
                      ("a length of zero", struct.pack("<I", 0)),
                      ("a frame that is no message", struct.pack("<I", 3) + b"\xff\xff\xff"),
                      ("a message of unknown number", struct.pack("<I", 3) + b"\xa2\x06\x00")):
        with connect() as s:
            s.sendall(raw)
            s.shutdown(socket.SHUT_WR)
            try:
                data = read(s)
            except ConnectionResetError:
                data = b""
            ok(data == b"", f"{name}: closed without an answer", data)
    idle = []
    slow = connect()
    slow.sendall(b"\x40")
    for _ in range(1000):
        try:
            idle.append(connect())
        except OSError:
            break
    start = time.monotonic()
    good = all(call(17, report=r, buf_size=size).errorCode == 0 for _ in range(5))
    ok(good, f"with {len(idle)} idle connections and a slow one the others are served",
       f"{time.monotonic() - start:.1f} s")
    ok(len(idle) >= 900, "as many as were tried could connect", len(idle))
    for s in idle + [slow]:
        s.close()
    # A request in many pieces, while others come and go.
    q = Request()
    q.mGetSupportedAttKeyIDNum.SetInParent()
    raw = q.SerializeToString()
    with connect() as s:
        for b in struct.pack("<I", len(raw)) + raw:
            s.sendall(bytes([b]))
            call(21)
        ok(len(read(s)) > 4, "a request that comes byte by byte is answered")
    with connect() as s:
        s.sendall(struct.pack("<I", len(raw)) + raw)
        s.shutdown(socket.SHUT_WR)
        ok(len(read(s)) > 4, "a client that closes its half is answered")


if sys.argv[5:] == ["one-enclave"]:  # the policy lets quote this one, and allows nothing else
    ours_, intel_, other_ = keys()
    target_ = init(ours_, intel_, other_)
    size_ = call(16).quote_size
    code(17, 0, "a quote of the enclave that the policy names", report=report(target_), buf_size=size_)
    code(17, 6, "and of no other", report=bytes(432), buf_size=size_)
    code(12, 6, "nor what is status", )
    code(10, 6, "nor what belongs to launching", )
elif sys.argv[5:] == ["administrator"]:
    code(13, 0, "the extended group that there is, chosen", x_group_id=0)
    code(13, 0, "by no number, which is 0")
    code(13, 1, "none other", x_group_id=7)
    code(14, 3, "a white list that is none", buf=bytes(400), data_type=0)
elif len(sys.argv) > 5:  # refused by policy
    code(17, int(sys.argv[5]), "a quote that the policy refuses", report=bytes(432), buf_size=10000)
    code(21, int(sys.argv[5]), "and every other call", )
else:
    ours_, intel_, other_ = keys()
    target_ = init(ours_, intel_, other_)
    r_, size_ = quotes(target_, ours_, other_)
    the_rest()
    hostile(r_, size_)
print(f"1..{count}")
sys.exit(failed != 0)
