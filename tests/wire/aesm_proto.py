"""AESM's messages as another implementation of protobuf has them.

aesm_schema.py has the schema, written from the table in doc/AESM.md;
python3-protobuf makes messages of it. The library decodes what these encode, and the other way
round. Prints TAP.
"""

import json
import os
import random
import subprocess
import sys

from aesm_schema import schema

SIZES = {"report": 432, "spid": 16, "nonce": 16, "mr_enclave": 32, "mr_signer": 384, "se_attributes": 16,
         "platform_info": 101, "att_key_id": 256, "qe_report_info": 960, "sig_rl": 700, "buf": 5000,
         "att_key_id_list": 8 + 256 * 3}
BLOBS = {"sig_rl", "buf", "att_key_id_list"}
INTS = "uUt"

rng = random.Random(7)
count = failed = 0


def ok(good, name, more=""):
    global count, failed
    count += 1
    failed += not good
    print(f"{'' if good else 'not '}ok {count} - {name}")
    if not good and more:
        print(f"# {more}")


prog = subprocess.Popen([sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def ask(line):
    prog.stdin.write(line + "\n")
    prog.stdin.flush()
    return prog.stdout.readline().strip()


def decode(raw):
    answer = ask("decode " + raw.hex())
    return None if answer == "malformed" else json.loads(answer)


def value(name, kind):
    if kind == "b":
        return rng.randbytes(SIZES[name])
    if kind == "t":
        return True
    return rng.randrange(1, 1 << (63 if kind == "U" else 32))


def check(got, name, v):
    """The value as the library has it, by its name there."""
    if name in BLOBS:
        return got["blob"] == v.hex()
    if name == "qe_report_info":
        return got["info_nonce"] + got["info_target"] + got["info_report"] == v.hex()
    return got[name] == (v.hex() if isinstance(v, bytes) else v)


def filled(Request, number, name, fields, leave=()):
    r = Request()
    m = getattr(r, "m" + name)
    m.SetInParent()
    values = {f[0]: value(f[0], f[1]) for f in fields if f[0] not in leave}
    for k, v in values.items():
        setattr(m, k, v)
    return r, m, values


def requests(messages, Request):
    for number, (name, fields, _) in messages.items():
        r, m, values = filled(Request, number, name, fields)
        got = decode(r.SerializeToString())
        bits = sum(1 << f[3] for f in fields)
        ok(got is not None and got["type"] == number and got["flaw"] == 0 and got["has"] == bits and
           all(check(got, k, v) for k, v in values.items()), f"{name}, with every field", got)
        optional = [f[0] for f in fields if not f[2]]
        r, m, values = filled(Request, number, name, fields, optional)
        got = decode(r.SerializeToString())
        ok(got is not None and got["flaw"] == 0 and all(check(got, k, v) for k, v in values.items()),
           f"{name}, with what is required", got)
        for fname, kind, required, fnumber in fields:
            if required:
                r, m, values = filled(Request, number, name, fields, [fname])
                ok(decode(r.SerializePartialToString()) is None, f"{name} without {fname}")
            if kind != "b":
                continue
            r, m, values = filled(Request, number, name, fields)
            for size in (1, SIZES[fname] - 1, SIZES[fname] + 1):
                if fname in BLOBS:
                    continue
                setattr(m, fname, rng.randbytes(size))
                got = decode(r.SerializeToString())
                ok(got is not None and got["flaw"] == 3, f"{name} with {size} bytes of {fname}", got)
            setattr(m, fname, b"")
            got = decode(r.SerializeToString())
            ok(got is not None and got["flaw"] == (3 if required else 0) and not got["has"] >> fnumber & 1,
               f"{name} with an empty {fname}", got)


def varint(v):
    out = b""
    while v > 0x7f:
        out += bytes([v & 0x7f | 0x80])
        v >>= 7
    return out + bytes([v])


def strictness(messages, Request):
    name, fields, _ = messages[16]
    r, m, values = filled(Request, 16, name, fields)
    raw = r.SerializeToString()
    body = m.SerializeToString()

    def outer(b, number=16):
        return varint(number << 3 | 2) + varint(len(b)) + b

    ok(outer(body) == raw, "a request put together by hand")
    cases = {
        "nothing at all": b"",
        "a second request after the first": raw + raw,
        "bytes after the request": raw + b"\x00",
        "the request of number 5, of older releases": outer(body, 5),
        "the response of number 20 as a request": outer(body, 20),
        "a request of number 23": outer(body, 23),
        "a request of number 0": outer(body, 0),
        "a request that is a number": varint(16 << 3) + b"\x01",
        "a length past the end": varint(16 << 3 | 2) + varint(len(body) + 1) + body,
        "a length of 2^63": varint(16 << 3 | 2) + varint(1 << 63) + body,
        "a length longer than it need be": varint(16 << 3 | 2) + bytes([len(body) & 0x7f | 0x80, (len(body) >> 7) | 0x80, 0]) + body,
        "a varint without an end": varint(16 << 3 | 2) + b"\xff" * 12,
        "a varint beyond 64 bits": outer(body[:-len(varint(m.timeout))] + b"\xff" * 9 + b"\x02"),
        "a field of number 0": outer(body + b"\x02\x00"),
        "a group": outer(body + b"\x53\x54"),
        "a wire type that there is not": outer(body + b"\x57"),
        "a field twice": outer(body + body),
        "bytes where a number is due": outer(b"\x4a\x01\x01"),
        "a number where bytes are due": outer(b"\x08\x01"),
        "a number beyond 32 bits": outer(b"\x48" + varint(1 << 32)),
    }
    for what, b in cases.items():
        ok(decode(b) is None, f"refused: {what}")
    unknown = {
        "a number": b"\x50" + varint(1 << 40),
        "bytes": b"\x52\x03abc",
        "8 bytes": b"\x51" + b"x" * 8,
        "4 bytes": b"\x55" + b"x" * 4,
    }
    for what, b in unknown.items():
        got = decode(outer(body + b))
        ok(got is not None and got["type"] == 16, f"a field that a later release may have: {what}")
        ok(decode(outer(body + b[:-1])) is None, "... but not cut short")
    cut = [n for n in range(len(raw)) if decode(raw[:n]) is not None]
    ok(not cut, "cut anywhere it is refused", cut)
    got = decode(outer(b"\x18\x02", 15))
    ok(got is None, "refused: a truth of two")
    name, fields, _ = messages[14]
    r, m, values = filled(Request, 14, name, fields)
    m.buf = rng.randbytes(66048)
    got = decode(r.SerializeToString())
    ok(got is not None and got["flaw"] == 0 and len(got["blob"]) == 2 * 66048, "the largest white list")
    m.buf = rng.randbytes(66049)
    got = decode(r.SerializeToString())
    ok(got is not None and got["flaw"] == 3 and got["blob"] == "", "a larger one is an error that is answered")
    m.buf = rng.randbytes(131072)
    ok(decode(r.SerializeToString()) is None, "a message that is too large is not")


def responses(messages, Response):
    for number, (name, _, fields) in messages.items():
        blobs = [f[0] for f in fields if f[1] == "b"]
        numbers = [f[0] for f in fields if f[1] in INTS and f[0] != "errorCode"]
        first, second = rng.randbytes(600), rng.randbytes(32)
        n = rng.randrange(1 << 32)
        raw = bytes.fromhex(ask(f"encode {number} 0 {n} {first.hex()} {second.hex()}"))
        ok(int.from_bytes(raw[:4], "little") == len(raw) - 4, f"{name}: the length in front")
        r = Response()
        r.ParseFromString(raw[4:])
        m = getattr(r, "m" + name)
        values = [getattr(m, b) for b in blobs]
        ok(r.IsInitialized() and m.errorCode == 0 and values == [first, second][:len(blobs)] and
           all(getattr(m, x) == n for x in numbers), f"{name}: its response")
        ok(r.SerializeToString() == raw[4:], "... as the other encoder writes it")
        raw = bytes.fromhex(ask(f"encode {number} 30 {n} {first.hex()} {second.hex()}"))
        r = Response()
        r.ParseFromString(raw[4:])
        m = getattr(r, "m" + name)
        ok(m.errorCode == 30 and [f[0].name for f in m.ListFields()] == ["errorCode"], "... an error, and nothing else")
        raw = bytes.fromhex(ask(f"encode {number} 0 - - -"))
        r = Response()
        r.ParseFromString(raw[4:])
        m = getattr(r, "m" + name)
        ok(m.errorCode == 0 and not any(getattr(m, b) for b in blobs), "... nothing but that it went well")
    ok(ask("encode 20 0 - - -").endswith("failed"), "a response of no request is not made")


def fuzz(messages, Request):
    """Spoiled messages end in an answer, and what is accepted the other reader accepts too."""
    bad = 0
    for _ in range(3000):
        number = rng.choice(list(messages))
        name, fields, _ = messages[number]
        raw = bytearray(filled(Request, number, name, [f for f in fields if f[0] not in BLOBS or number == 19])[0]
                        .SerializePartialToString())
        for _ in range(rng.randrange(1, 4)):
            raw[rng.randrange(len(raw) if rng.random() < .3 else min(len(raw), 12))] = rng.randrange(256)
        got = decode(bytes(raw))
        if got is None:
            continue
        r = Request()
        try:
            r.ParseFromString(bytes(raw))
        except Exception:
            bad += 1
    ok(bad == 0, "what is accepted is protobuf", bad)


messages, Request, Response = schema()
requests(messages, Request)
strictness(messages, Request)
responses(messages, Response)
fuzz(messages, Request)
prog.stdin.close()
ok(prog.wait() == 0, "the library came through")
print(f"1..{count}")
sys.exit(failed != 0)
