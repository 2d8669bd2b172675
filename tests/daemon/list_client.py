"""AESM's calls about launching, put together by hand: no protobuf library is needed.

list_client.py SOCKET size | get FILE [ROOM] | register FILE [TYPE] | keys | token MRENCLAVE MODULUS FILE
Prints the error code; "size" the size after it.
"""

import os
import socket
import struct
import sys
import time


def varint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes(out + bytes([n]))


def number(field, n):
    return varint(field << 3) + varint(n)


def data(field, b):
    return varint(field << 3 | 2) + varint(len(b)) + b


def take(b):
    """The fields of a message."""
    fields, at = {}, 0

    def read():
        nonlocal at
        n = shift = 0
        while True:
            n |= (b[at] & 127) << shift
            at += 1
            if b[at - 1] < 128:
                return n
            shift += 7

    while at < len(b):
        tag = read()
        n = read()
        if tag & 7 == 2:
            fields[tag >> 3] = b[at:at + n]
            at += n
        else:
            fields[tag >> 3] = n
    return fields


def call(path, kind, body):
    raw = data(kind, body)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.settimeout(60)
        s.connect(path)
        raw = struct.pack("<I", len(raw)) + raw
        piece = int(os.environ.get("PIECE", len(raw)))  # bytes that are sent at once
        for at in range(0, len(raw), piece):
            s.sendall(raw[at:at + piece])
            if piece < len(raw):
                time.sleep(0.01)
        got = b""
        while True:
            part = s.recv(65536)
            if not part:
                break
            got += part
    assert struct.unpack_from("<I", got)[0] == len(got) - 4
    return take(take(got[4:])[kind])


path, what, *rest = sys.argv[1:]
if what == "size":
    a = call(path, 10, b"")
    print(a[1], a.get(2, ""))
elif what == "get":
    a = call(path, 11, number(1, int(rest[1]) if len(rest) > 1 else 100000))
    print(a[1])
    with open(rest[0], "wb") as f:
        f.write(a.get(2, b""))
elif what == "keys":
    print(call(path, 22, number(1, 4096))[1])
elif what == "register":
    with open(rest[0], "rb") as f:
        a = call(path, 14, data(1, f.read()) + number(2, int(rest[1]) if len(rest) > 1 else 0))
    print(a[1])
else:
    a = call(path, 3, data(1, bytes.fromhex(rest[0])) + data(2, bytes.fromhex(rest[1])) +
             data(3, struct.pack("<QQ", 4, 3)))
    print(a[1])
    with open(rest[2], "wb") as f:
        f.write(a.get(2, b""))
