"""State files of bawnd as somebody with all rights would write them (doc/ARCHITECTURE.md), for ledger_test.sh.

state_file.py show FILE              what the sealed end says in the clear: first, count
state_file.py flip FILE OFFSET       change a byte of the contents, the envelope made to fit
state_file.py end DIR COUNT ANCHOR   make the log in DIR end at line COUNT, under a key of our own: the file that
                                     has the line is cut, audit-head is written, and its anchor to ANCHOR
"""

import glob
import hashlib
import json
import os
import struct
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
    first, count = struct.unpack("<Q16xQ", contents(path)[64:96])
    print(first, count)


def flip(path, offset):
    body = bytearray(contents(path))
    body[offset] ^= 1
    write(path, bytes(body))


def end(folder, count, anchor):
    for path in sorted(glob.glob(folder + "/audit-0*.log")):
        lines = open(path, "rb").read().splitlines(keepends=True)
        numbers = [json.loads(line)["n"] for line in lines]
        if count not in numbers:
            continue
        kept = lines[: numbers.index(count) + 1]
        with open(path, "r+b") as f:
            f.truncate(sum(map(len, kept)))
        log = contents(folder + "/audit-head")[:16]
        mac = bytes.fromhex(json.loads(kept[-1])["mac"])
        head = log + struct.pack("<Q", count) + mac + struct.pack("<Q", 1)
        write(folder + "/audit-head", head + os.urandom(32) + struct.pack("<QQ", numbers[0], sum(map(len, kept))))
        write(anchor, head, owner=folder + "/audit-head" if not os.path.exists(anchor) else anchor)
        return
    sys.exit("no such line")


command, args = sys.argv[1], sys.argv[2:]
if command == "end":
    end(args[0], int(args[1]), args[2])
elif command == "flip":
    flip(args[0], int(args[1]))
else:
    show(args[0])
