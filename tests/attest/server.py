#!/usr/bin/env python3
"""An HTTP(S) server on 127.0.0.1 for the tests, which misbehaves when told to.

server.py ROUTES LOG [--tls CERT KEY] [--tunnel PORT]

ROUTES is a JSON object: "/path?query" -> {"status", "headers", "file" or
"text", "mode"}; it is read anew at each request. LOG gets the first line of
each request. The port is printed on standard output, then the server runs
until its standard input is closed. It also is a proxy: CONNECT and absolute
URLs to 127.0.0.1 are answered, and logged with "proxy:" in front; with
--tunnel, CONNECT to any other host is answered too, by a tunnel to that port.

Modes: length (the default), chunked, close (no length), truncate, longer,
huge-head, huge-body, slow, stall, garbage, hangup, gzip, split (two lengths),
flaky:N (503 for the first N requests).
"""
import json
import os
import socket
import ssl
import sys
import threading
import time

ROUTES, LOG = sys.argv[1], sys.argv[2]
CONTEXT = None
if "--tls" in sys.argv:
    at = sys.argv.index("--tls")
    CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    CONTEXT.load_cert_chain(sys.argv[at + 1], sys.argv[at + 2])
TUNNEL = sys.argv[sys.argv.index("--tunnel") + 1] if "--tunnel" in sys.argv else None
SEEN = {}
LOCK = threading.Lock()


def log(line):
    with LOCK, open(LOG, "a", encoding="utf-8") as f:
        f.write(line + "\n")


def head(status, headers):
    lines = ["HTTP/1.1 %d %s" % (status, "OK" if status == 200 else "No")]
    lines += ["%s: %s" % item for item in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def read_head(c):
    data = b""
    while b"\r\n\r\n" not in data and len(data) < 65536:
        piece = c.recv(4096)
        if not piece:
            return None
        data += piece
    return data.decode("latin-1")


def pump(a, b):
    try:
        while True:
            data = a.recv(65536)
            if not data:
                break
            b.sendall(data)
        b.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def tunnel(c, where):
    host, port = where.rsplit(":", 1)
    if TUNNEL and host not in ("127.0.0.1", "localhost"):
        port = TUNNEL
    elif host not in ("127.0.0.1", "localhost"):
        c.sendall(head(403, {"Content-Length": 0}))
        return
    with socket.create_connection(("127.0.0.1", int(port))) as up:
        c.sendall(head(200, {}))
        t = threading.Thread(target=pump, args=(up, c), daemon=True)
        t.start()
        pump(c, up)
        t.join()


def misbehave(c, mode, status, headers, body):
    """The modes that are not an honest response; False if it is none of them."""
    if mode == "truncate":
        c.sendall(head(status, dict(headers, **{"Content-Length": len(body) + 10})) + body)
    elif mode == "longer":
        c.sendall(head(status, dict(headers, **{"Content-Length": len(body)})) + body + b"and more")
    elif mode == "split":
        c.sendall(head(status, dict(headers, **{"Content-Length": len(body), "content-length": 1})) + body)
    elif mode == "gzip":
        c.sendall(head(status, dict(headers, **{"Content-Length": len(body), "Content-Encoding": "gzip"})) + body)
    elif mode == "huge-head":
        c.sendall(b"HTTP/1.1 200 OK\r\n")
        for i in range(1 << 20):
            c.sendall(b"X-%d: %s\r\n" % (i, b"x" * 1000))
    elif mode == "huge-body":
        c.sendall(head(status, headers))
        for _ in range(1 << 16):
            c.sendall(b"x" * 65536)
    elif mode == "slow":
        for b in head(status, dict(headers, **{"Content-Length": len(body)})) + body:
            c.sendall(bytes([b]))
            time.sleep(0.1)
    elif mode == "stall":
        time.sleep(20)
    elif mode == "garbage":
        c.sendall(bytes(range(256)) * 64 + b"\r\n\r\n")
    elif mode != "hangup":
        return False
    return True


def respond(c, target):
    with open(ROUTES, encoding="utf-8") as f:
        route = json.load(f).get(target)
    if route is None:
        c.sendall(head(404, {"Content-Length": 0, "Request-ID": "00"}))
        return
    mode = route.get("mode", "length")
    status, headers = route.get("status", 200), route.get("headers", {})
    body = route.get("text", "").encode()
    if "file" in route:
        with open(route["file"], "rb") as f:
            body = f.read()
    if mode.startswith("flaky:"):
        with LOCK:
            SEEN[target] = SEEN.get(target, 0) + 1
            failing = SEEN[target] <= int(mode.split(":")[1])
        if failing:
            c.sendall(head(503, {"Content-Length": 0, "Retry-After": "0"}))
            return
    if misbehave(c, mode, status, headers, body):
        return
    if mode == "chunked":
        c.sendall(head(status, dict(headers, **{"Transfer-Encoding": "chunked"})))
        for i in range(0, len(body), 1000):
            c.sendall(b"%x\r\n%s\r\n" % (len(body[i:i + 1000]), body[i:i + 1000]))
        c.sendall(b"0\r\n\r\n")
    elif mode == "close":
        c.sendall(head(status, headers) + body)
    else:
        c.sendall(head(status, dict(headers, **{"Content-Length": len(body)})) + body)


def serve(c):
    try:
        if CONTEXT:
            c = CONTEXT.wrap_socket(c, server_side=True)
        request = read_head(c)
        if not request:
            return
        first = request.split("\r\n")[0]
        method, target, _ = first.split(" ")
        proxied = method == "CONNECT" or target.startswith("http://")
        auth = [line for line in request.split("\r\n") if line.lower().startswith("proxy-auth")]
        log(("proxy: " if proxied else "") + first + "".join(" | " + a for a in auth))
        if method == "CONNECT":
            tunnel(c, target)
        else:
            respond(c, "/" + target.split("/", 3)[3] if proxied else target)
        if CONTEXT:
            c.unwrap()
    except (OSError, ValueError):
        pass
    finally:
        c.close()


def main():
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("127.0.0.1", 0))
    s.listen(64)
    print(s.getsockname()[1], flush=True)

    def until_closed():
        sys.stdin.read()
        os._exit(0)

    threading.Thread(target=until_closed, daemon=True).start()
    while True:
        c, _ = s.accept()
        threading.Thread(target=serve, args=(c,), daemon=True).start()


main()
