"""intel_clients.py LIBRARIES WITH COMMAND...: Intel's own client libraries, unchanged, against the
AESM-compatible socket in its usual place. Prints TAP.

WITH is "each": libsgx_quote_ex, libsgx_launch and libsgx_epid by themselves, or "umbrella":
libsgx_uae_service, which finds those three by LD_LIBRARY_PATH. The commands:

    quote ASK DIR             everything of quotes; ASK makes reports, the quote goes to DIR/quote
    quotes DIR NAME N         N quotes of DIR/report, to DIR/quote.NAME.1 and so on
    third DIR                 none, since there were too many
    away DIR                  nor a token for DIR/enclave, since the service's enclaves are put away
    no-list                   there is no white list
    launch LIST OTHER DIR     everything of launching: the launch enclave takes LIST, not OTHER, then
                              launches DIR/enclave; the token goes to DIR/token
    epid                      everything of EPID
    administer STATUS LIST    registering a list ends so
    all STATUS TOKEN DIR      so does every call that the service is asked for, with DIR/report and
                              DIR/enclave; TOKEN is that of a launch token's
    none                      can the libraries be loaded?
"""
import ctypes
import hashlib
import subprocess
import sys

libraries, which, command, *rest = sys.argv[1:]
names = {"each": ("quote_ex.so.1", "launch.so.1", "epid.so.1"), "umbrella": ("uae_service.so",)}[which]
loaded = [ctypes.CDLL("%s/libsgx_%s" % (libraries, name)) for name in names]

SUCCESS, UNEXPECTED, INVALID_PARAMETER, MAC_MISMATCH = 0, 0x1, 0x2, 0x3001
INVALID_PRIVILEGE, BUSY, UNSUPPORTED_CONFIG, UNSUPPORTED_ATT_KEY_ID = 0x4004, 0x400a, 0x4013, 0x8001
count = 0


def ok(good, name):
    global count
    count += 1
    print(("ok" if good else "not ok"), count, "-", name, flush=True)


def sgx(name, *args):
    for library in loaded:
        if hasattr(library, name):
            return getattr(library, name)(*args) & 0xFFFFFFFF
    raise AttributeError(name)


def status(want, name, function, *args):
    got = sgx(function, *args)
    ok(got == want, name if got == want else "%s: %#x, not %#x" % (name, got, want))


def u32(n=0):
    return ctypes.c_uint32(n)


def room(n):
    return ctypes.create_string_buffer(n)


def read(file):
    with open(file, "rb") as f:
        return f.read()


def write(file, data):
    with open(file, "wb") as f:
        f.write(data)


def key_id(signer, product):
    return (bytes(4) + (32).to_bytes(2, "little") + signer + bytes(16) + product.to_bytes(4, "little") + bytes(96) +
            (2).to_bytes(4, "little") + bytes(98))


INTEL_QE3 = key_id(bytes.fromhex("8c4f5775d796503e96137f77c68a829a0056ac8ded70140b081b094490c57bff"), 1)
OTHER_QE = key_id(b"\x55" * 32, 1)


def choose(*key_ids):
    text = bytes(4) + len(key_ids).to_bytes(4, "little") + b"".join(key_ids)
    out = room(256)
    return sgx("sgx_select_att_key_id", text, len(text), out), out.raw


def keys():
    """What attestation keys there are; the id of ours."""
    number = u32()
    status(SUCCESS, "number of attestation keys", "sgx_get_supported_att_key_id_num", ctypes.byref(number))
    ok(number.value == 1, "is one")
    ids = room(256)
    status(SUCCESS, "their ids", "sgx_get_supported_att_key_ids", ids, number)
    more = room(1024)
    status(SUCCESS, "their ids, with room for more", "sgx_get_supported_att_key_ids", more, 4)
    ok(more.raw == ids.raw + bytes(768), "are the same")
    key = room(256)
    status(SUCCESS, "a key chosen without a list", "sgx_select_att_key_id", None, 0, key)
    ok(key.raw == ids.raw, "is ours")
    ok(choose(ids.raw) == (SUCCESS, ids.raw), "chosen by a list with its id")
    ok(choose(*[OTHER_QE] * 9, INTEL_QE3) == (SUCCESS, INTEL_QE3), "by a list with that of Intel's, in whose place ours is")
    ok(choose(OTHER_QE)[0] == UNSUPPORTED_ATT_KEY_ID, "but not by a list without")
    ok(choose(*[INTEL_QE3] * 11)[0] == INVALID_PARAMETER, "nor by too long a list")
    ok(sgx("sgx_select_att_key_id", bytes(7), 7, key) == INVALID_PARAMETER, "nor by half a list")
    return key.raw


def target_of(key):
    size = ctypes.c_size_t(0)
    target = room(512)
    status(SUCCESS, "size of the public key's id", "sgx_init_quote_ex", key, target, ctypes.byref(size), None)
    ok(size.value == 32, "is 32")
    public = room(32)
    status(SUCCESS, "target and public key's id", "sgx_init_quote_ex", key, target, ctypes.byref(size), public)
    ok(any(target.raw) and any(public.raw) and size.value == 32, "are told")
    again, by_intel = room(512), room(32)
    status(SUCCESS, "by the id of Intel's", "sgx_init_quote_ex", INTEL_QE3, again, ctypes.byref(size), by_intel)
    ok((again.raw, by_intel.raw) == (target.raw, public.raw), "they are the same")
    status(UNSUPPORTED_ATT_KEY_ID, "none by another's", "sgx_init_quote_ex", OTHER_QE, again, ctypes.byref(size), by_intel)
    size.value = 31
    status(INVALID_PARAMETER, "nor into 31 bytes", "sgx_init_quote_ex", key, again, ctypes.byref(size), by_intel)
    return target.raw


def true_length(quote):
    return 436 + int.from_bytes(quote[432:436], "little")


def quote(ask, directory):
    key = keys()
    target = target_of(key)
    write(directory + "/target", target)
    subprocess.run([ask, "report", directory + "/target", directory + "/report"], check=True)
    report = read(directory + "/report")

    need = u32()
    status(SUCCESS, "size of a quote", "sgx_get_quote_size_ex", key, ctypes.byref(need))
    status(UNSUPPORTED_ATT_KEY_ID, "none of another's", "sgx_get_quote_size_ex", OTHER_QE, ctypes.byref(u32()))
    out = room(need.value)
    nonce = b"\x07" * 16
    info = ctypes.create_string_buffer(nonce + target + bytes(432), 960)
    status(SUCCESS, "a quote", "sgx_get_quote_ex", report, key, info, out, need)
    ok(out.raw[48:432] == report[:384], "is of the report")
    ok(true_length(out.raw) == need.value, "as long as it was told")
    ok(info.raw[:528] == nonce + target, "nonce and target come back")
    ok(info.raw[528 + 320:528 + 352] == hashlib.sha256(nonce + out.raw).digest(),
       "with the quoting enclave's own report on them")
    write(directory + "/quote", out.raw)

    status(SUCCESS, "a quote without that", "sgx_get_quote_ex", report, key, None, out, need)
    status(SUCCESS, "a quote by the id of Intel's", "sgx_get_quote_ex", report, INTEL_QE3, None, out, need)
    large = room(need.value + 5000)
    status(SUCCESS, "a quote in a larger buffer", "sgx_get_quote_ex", report, key, None, large, need.value + 5000)
    ok(true_length(large.raw) == need.value and not any(large.raw[need.value:]), "with zeros after it")
    status(INVALID_PARAMETER, "none in too small a one", "sgx_get_quote_ex", report, key, None, out, need.value - 1)
    status(UNSUPPORTED_ATT_KEY_ID, "none by another's id", "sgx_get_quote_ex", report, OTHER_QE, None, out, need)
    bad = report[:100] + bytes([report[100] ^ 1]) + report[101:]
    status(MAC_MISMATCH, "none of a changed report", "sgx_get_quote_ex", bad, key, None, out, need)
    status(INVALID_PARAMETER, "none of no report", "sgx_get_quote_ex", None, key, None, out, need)


def quotes(directory, name, number):
    report = read(directory + "/report")
    for i in range(int(number)):
        key, need, size, target, public = room(256), u32(), ctypes.c_size_t(32), room(512), room(32)
        codes = [sgx("sgx_select_att_key_id", None, 0, key),
                 sgx("sgx_init_quote_ex", key, target, ctypes.byref(size), public),
                 sgx("sgx_get_quote_size_ex", key, ctypes.byref(need))]
        out = room(max(need.value, 1))
        codes.append(sgx("sgx_get_quote_ex", report, key, None, out, need))
        ok(codes == [0] * 4, "quote %d of process %s: %s" % (i + 1, name, codes))
        write("%s/quote.%s.%d" % (directory, name, i + 1), out.raw)


def third(directory):
    status(BUSY, "a quote too many", "sgx_get_quote_ex", read(directory + "/report"), INTEL_QE3, None, room(10000), 10000)


def away(directory):
    size = ctypes.c_size_t(32)
    third(directory)
    status(BUSY, "nor is there a key", "sgx_init_quote_ex", INTEL_QE3, room(512), ctypes.byref(size), room(32))
    status(BUSY, "or a token", "get_launch_token", *sigstruct(directory + "/enclave"), room(1024))


def sigstruct(file):
    """The enclave's enclave_css_t, and the attributes that are asked for."""
    data = read(file)
    at = data.index(bytes.fromhex("06000000e10000000000010000000000"))
    return data[at:at + 1808], (4).to_bytes(8, "little") + (3).to_bytes(8, "little")


def no_list():
    status(UNEXPECTED, "size of a white list that is not there", "sgx_get_whitelist_size", ctypes.byref(u32()))
    status(UNEXPECTED, "nor can it be had", "sgx_get_whitelist", room(1000), 1000)


def launch(good, foreign, directory):
    css, attributes = sigstruct(directory + "/enclave")
    token = room(1024)
    status(INVALID_PRIVILEGE, "no token for a signer who is not on the list", "get_launch_token", css, attributes, token)
    for name, data in (("that is none", bytes(400)), ("by another root", read(foreign)),
                       ("that is as large as may be, and none", bytes(66048))):
        status(INVALID_PARAMETER, "a white list %s is refused" % name, "sgx_register_wl_cert_chain", data, len(data))
    data = read(good)
    status(SUCCESS, "a newer white list is taken", "sgx_register_wl_cert_chain", data, len(data))
    status(INVALID_PARAMETER, "but once", "sgx_register_wl_cert_chain", data, len(data))
    size = u32()
    status(SUCCESS, "its size", "sgx_get_whitelist_size", ctypes.byref(size))
    ok(size.value == len(data), "is told")
    out = room(size.value)
    status(SUCCESS, "the list", "sgx_get_whitelist", out, size)
    ok(out.raw == data, "comes back")
    status(INVALID_PARAMETER, "not into a byte less", "sgx_get_whitelist", out, size.value - 1)
    status(SUCCESS, "a token for a signer who is on it", "get_launch_token", css, attributes, token)
    ok(any(token.raw[:304]) and not any(token.raw[304:]), "is one")
    write(directory + "/token", token.raw[:304])


def epid_calls():
    """Each that Intel's EPID servers would be needed for."""
    pib, info, value = bytes(101), room(24), u32()
    return (("sgx_init_quote", room(512), ctypes.byref(value)),
            ("sgx_get_quote", bytes(432), 0, bytes(16), None, None, 0, None, room(1116), 1116),
            ("sgx_get_quote", bytes(432), 1, bytes(16), bytes(16), bytes(2000), 2000, room(432), room(2000), 2000),
            ("sgx_report_attestation_status", pib, 0, info),
            ("sgx_report_attestation_status", pib, 1, info),
            ("sgx_check_update_status", pib, info, 0, ctypes.byref(value)),
            ("sgx_check_update_status", pib, info, 6, ctypes.byref(value)),
            ("sgx_check_update_status", None, None, 2, ctypes.byref(value)))


def epid():
    value = u32(7)
    status(SUCCESS, "extended EPID group", "sgx_get_extended_epid_group_id", ctypes.byref(value))
    ok(value.value == 0, "is 0")
    for call in epid_calls():
        status(UNEXPECTED, call[0] + ", which has no issuer any more", *call)
    status(UNSUPPORTED_CONFIG, "what the library itself refuses", "sgx_check_update_status", bytes(101), None, 1, None)
    status(SUCCESS, "and what it knows by itself", "sgx_calc_quote_size", None, 0, ctypes.byref(value))
    ok(value.value > 436, "it tells")


def administer(code, file):
    data = read(file)
    status(int(code, 16), "registering a white list", "sgx_register_wl_cert_chain", data, len(data))


def every_call(code, token_code, directory):
    css, attributes = sigstruct(directory + "/enclave")
    size, value = ctypes.c_size_t(32), u32()
    at = ctypes.byref(value)
    for call in epid_calls() + (
            ("sgx_get_extended_epid_group_id", at),
            ("sgx_get_supported_att_key_id_num", at),
            ("sgx_get_supported_att_key_ids", room(256), 1),
            ("sgx_select_att_key_id", None, 0, room(256)),
            ("sgx_init_quote_ex", INTEL_QE3, room(512), ctypes.byref(size), room(32)),
            ("sgx_get_quote_size_ex", INTEL_QE3, at),
            ("sgx_get_quote_ex", read(directory + "/report"), INTEL_QE3, None, room(10000), 10000),
            ("sgx_get_whitelist_size", at),
            ("sgx_get_whitelist", room(1000), 1000),
            ("sgx_register_wl_cert_chain", bytes(400), 400)):
        status(int(code, 16), call[0], *call)
    status(int(token_code, 16), "get_launch_token", "get_launch_token", css, attributes, room(1024))


{"quote": quote, "quotes": quotes, "third": third, "away": away, "no-list": no_list, "launch": launch, "epid": epid,
 "administer": administer, "all": every_call, "none": lambda: None}[command](*rest)
print("1..%d" % count)
