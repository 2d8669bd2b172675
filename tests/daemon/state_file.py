"""State files of bawnd as somebody with all rights would write them (doc/ARCHITECTURE.md), for ledger_test.sh.

state_file.py show FILE              what the sealed end says in the clear: first, count
state_file.py cpusvn FILE            at which CPUSVN that is sealed
state_file.py flip FILE OFFSET       change a byte of the contents, the envelope made to fit
state_file.py end DIR COUNT ANCHOR   make the log in DIR end at line COUNT, under a key of our own: the file that
                                     has the line is cut, audit-head is written, and its anchor to ANCHOR
state_file.py far DIR LINES          as if so many lines more had been written to the log in DIR, by who has its key
state_file.py forge DIR COUNT ANCHOR LEDGER PROGRAM...
                                     the same, and have that sealed: by PROGRAM..., ledger_prog with its first two
                                     arguments, from the line on from which LEDGER was followed
"""

import glob
import hashlib
import hmac
import json
import os
import struct
import subprocess
import sys

HEAD = 8 + 32 + 8


def contents(path):
    data = open(path, "rb").read()
    assert data[:8] == b"BAWNSTA1" and hashlib.sha256(data[:-32]).digest() == data[-32:]
    return data[HEAD:-32]


def write(path, body, owner=None):
    name = os.path.basename(path).encode()
    data = b"BAWNSTA1" + name.ljust(32, b"\0") + struct.pack("<Q", len(body)) + body
    like = os.stat(path if owner is None else owner)
    with open(path, "wb") as f:
        f.write(data + hashlib.sha256(data).digest())
    os.chown(path, like.st_uid, like.st_gid)
    os.chmod(path, 0o600)


def show(path):
    first, count = struct.unpack("<Q16x16xQ", contents(path)[64:112])
    print(first, count)


def flip(path, offset):
    body = bytearray(contents(path))
    body[offset] ^= 1
    write(path, bytes(body))


def mac(folder, count):
    for path in glob.glob(folder + "/audit-0*.log"):
        for line in map(json.loads, open(path)):
            if line["n"] == count:
                return bytes.fromhex(line["mac"])
    sys.exit("no such line")


def digest(label, key):
    return hashlib.sha256(label.encode() + key).digest()


def forge(folder, count, anchor, ledger, *program):
    (first,) = struct.unpack("<Q", contents(ledger)[64:72])
    key = os.urandom(32)
    start = contents(folder + "/audit-head")[:16] + struct.pack("<Q", first - 1) + mac(folder, first - 1) + bytes(8)
    later = key
    for _ in range(first, count + 1):
        later = digest("bawn audit key", later)
    head = end(folder, count, anchor, later)
    proof = hmac.digest(digest("bawn audit end", later), head, "sha256")
    blob = subprocess.check_output([*program, start.hex(), key.hex(), head.hex(), proof.hex()])
    write(ledger, bytes.fromhex(blob.decode()))


def end(folder, count, anchor, key):
    for path in sorted(glob.glob(folder + "/audit-0*.log")):
        lines = open(path, "rb").read().splitlines(keepends=True)
        numbers = [json.loads(line)["n"] for line in lines]
        if count not in numbers:
            continue
        kept = lines[: numbers.index(count) + 1]
        with open(path, "r+b") as f:
            f.truncate(sum(map(len, kept)))
        log = contents(folder + "/audit-head")[:16]
        head = log + struct.pack("<Q", count) + mac(folder, count) + struct.pack("<Q", 1)
        write(folder + "/audit-head", head + key + struct.pack("<QQ", numbers[0], sum(map(len, kept))))
        write(anchor, head, owner=folder + "/audit-head" if not os.path.exists(anchor) else anchor)
        return head
    sys.exit("no such line")


def far(folder, lines):
    head = contents(folder + "/audit-head")
    (count,) = struct.unpack("<Q", head[16:24])
    key = head[64:96]
    for _ in range(lines):
        key = digest("bawn audit key", key)
    write(folder + "/audit-head", head[:16] + struct.pack("<Q", count + lines) + head[24:64] + key + head[96:])


command, args = sys.argv[1], sys.argv[2:]
if command == "end":
    end(args[0], int(args[1]), args[2], os.urandom(32))
elif command == "cpusvn":
    print(contents(args[0])[8:24].hex())
elif command == "far":
    far(args[0], int(args[1]))
elif command == "forge":
    forge(args[0], int(args[1]), *args[2:])
elif command == "flip":
    flip(args[0], int(args[1]))
else:
    show(args[0])
