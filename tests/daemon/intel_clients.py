"""intel_clients.py LIBRARIES ASK DIR: Intel's own client libraries, unchanged, against the
AESM-compatible socket in its usual place. Prints TAP. The quote goes to DIR/quote."""
import ctypes
import subprocess
import sys

libraries, ask, directory = sys.argv[1:4]
quote_ex = ctypes.CDLL(libraries + "/libsgx_quote_ex.so.1")
launch = ctypes.CDLL(libraries + "/libsgx_launch.so.1")
epid = ctypes.CDLL(libraries + "/libsgx_epid.so.1")

INVALID_PARAMETER, MAC_MISMATCH = 0x2, 0x3001
UNEXPECTED, UNSUPPORTED_ATT_KEY_ID = 0x1, 0x8001
count = 0


def ok(good, name):
    global count
    count += 1
    print(("ok" if good else "not ok"), count, "-", name)


def status(want, name, function, *args):
    got = function(*args) & 0xFFFFFFFF
    ok(got == want, name if got == want else "%s: %#x, not %#x" % (name, got, want))


def u32():
    return ctypes.c_uint32(0)


number = u32()
status(0, "number of attestation keys", quote_ex.sgx_get_supported_att_key_id_num, ctypes.byref(number))
ok(number.value == 1, "is one")
ids = ctypes.create_string_buffer(256 * number.value)
status(0, "their ids", quote_ex.sgx_get_supported_att_key_ids, ids, number)
key = ctypes.create_string_buffer(256)
status(0, "a key chosen without a list", quote_ex.sgx_select_att_key_id, None, 0, key)


def choose(key_id):
    text = bytes(4) + (1).to_bytes(4, "little") + key_id
    out = ctypes.create_string_buffer(256)
    return quote_ex.sgx_select_att_key_id(text, len(text), out), out.raw


ok(choose(ids.raw) == (0, ids.raw), "and by a list with its id")
ok(choose(b"\xff" * 256)[0] == UNSUPPORTED_ATT_KEY_ID, "but not by a list without")

target = ctypes.create_string_buffer(512)
size = ctypes.c_size_t(0)
status(0, "size of the public key's id", quote_ex.sgx_init_quote_ex, key, target, ctypes.byref(size), None)
ok(size.value == 32, "is 32")
public = ctypes.create_string_buffer(size.value)
status(0, "target and public key's id", quote_ex.sgx_init_quote_ex, key, target, ctypes.byref(size), public)
with open(directory + "/target", "wb") as f:
    f.write(target.raw)
subprocess.run([ask, "report", directory + "/target", directory + "/report"], check=True)
with open(directory + "/report", "rb") as f:
    report = f.read()

need = u32()
status(0, "size of a quote", quote_ex.sgx_get_quote_size_ex, key, ctypes.byref(need))
quote = ctypes.create_string_buffer(need.value)
info = ctypes.create_string_buffer(b"\x07" * 16 + target.raw + bytes(432), 960)
status(0, "a quote", quote_ex.sgx_get_quote_ex, report, key, info, quote, need)
ok(quote.raw[48:432] == report[:384], "of the report")
ok(info.raw[528:] != bytes(432), "with the quoting enclave's own report")
with open(directory + "/quote", "wb") as f:
    f.write(quote.raw[:436 + int.from_bytes(quote.raw[432:436], "little")])
status(0, "a quote without that", quote_ex.sgx_get_quote_ex, report, key, None, quote, need)
status(INVALID_PARAMETER, "none in too small a buffer", quote_ex.sgx_get_quote_ex, report, key, None, quote, 1000)
bad = report[:100] + bytes([report[100] ^ 1]) + report[101:]
status(MAC_MISMATCH, "none of a changed report", quote_ex.sgx_get_quote_ex, bad, key, None, quote, need)

value = u32()
status(0, "extended EPID group", epid.sgx_get_extended_epid_group_id, ctypes.byref(value))
status(UNEXPECTED, "EPID, which has no issuer any more", epid.sgx_init_quote, target, ctypes.byref(value))
ok(launch.sgx_register_wl_cert_chain(bytes(400), 400) != 0, "a white list that is none is refused")
print("1..%d" % count)
