"""Clients of bawnd that speak its protocol byte by byte (doc/PROTOCOL.md), for vault_test.sh.

vault_client.py SOCKET COMMAND [ARG...]; each prints what came of it in a line or two.
"""

import array
import ctypes
import fcntl
import mmap
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time

HELLO, STATUS, COLLATERAL, POLICY_TEST, GRANT_ADD = 1, 2, 11, 14, 17
OP_COLLATERAL, OP_LAUNCH = 3, 4
PATIENCE = 30  # seconds; nothing here takes so long


class Client:
    def __init__(self, path, uid=None):
        self.s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.s.settimeout(PATIENCE)
        if uid is not None:
            os.seteuid(uid)
        self.s.connect(path)  # who does this is whom the service sees
        if uid is not None:
            os.seteuid(0)
        self.tag = 0
        assert self.ask(HELLO, struct.pack("<II32s", 1, 1, b""))[0] == 0

    def send(self, kind, body=b""):
        self.tag += 1
        self.s.send(struct.pack("<IHHIIQ", 0x4E574142, kind, 0, 24 + len(body), 0, self.tag) + body)

    def take_fds(self):
        """Code, body, descriptors; a code of -1 is the connection's end."""
        fds = array.array("i")
        data, control, _, _ = self.s.recvmsg(65536, 256)
        for _, _, passed in control:
            fds.frombytes(passed)
        if not data:
            return -1, b"", fds
        return struct.unpack_from("<H", data, 6)[0], data[24:], fds

    def take(self):
        """The same with the number of descriptors, which are closed."""
        code, body, fds = self.take_fds()
        for fd in fds:
            os.close(fd)
        return code, body, len(fds)

    def answered(self):
        return bool(select.select([self.s], [], [], 0)[0])

    def ask(self, kind, body=b""):
        self.send(kind, body)
        return self.take()


def until(what):
    """True once it is so; within PATIENCE."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.02)
    return False


def collateral(fmspc, ca):
    return struct.pack("<IIBB6s12s", 0, 0, 0, 0, fmspc, ca)


def own_collateral(path):
    """A request for the platform's own, which the vault has."""
    c = Client(path)
    fmspc = c.ask(STATUS)[1][40:46]
    ours = [collateral(fmspc, ca) for ca in (b"", b"processor", b"platform")]
    until(lambda: any(c.ask(COLLATERAL, q)[0] == 0 for q in ours))
    return next(q for q in ours if c.ask(COLLATERAL, q)[0] == 0)


def match(operations, uid):
    return struct.pack("<IIII", 1, operations, uid, uid).ljust(384, b"\0")


def allowed(admin, operation, uid):
    """What would be answered, for an enclave without a name: nobody writes that down."""
    subject = struct.pack("<IIII128s32s", uid, uid, 0, 0, b"", b"native").ljust(436, b"\0")
    return admin.ask(POLICY_TEST, struct.pack("<I", operation) + subject + struct.pack("<I76x", 31))[1][0] == 1


def late(path, parent, uid):
    """Answers wait for the audit log, whose writer stands still; then they are revoked."""
    request = own_collateral(path)
    admin, watcher = Client(path), Client(path)
    os.kill(parent, signal.SIGSTOP)
    try:
        asker = stall(path, request)
        print("one waits")
        admin.send(GRANT_ADD, entry(2, OP_COLLATERAL, uid))
        print("revoked" if until(lambda: not allowed(watcher, OP_COLLATERAL, uid)) else "not revoked")
    finally:
        os.kill(parent, signal.SIGCONT)
    asker.s.settimeout(PATIENCE)
    code, _, fds = asker.take()
    print(f"it got {code} with {fds} descriptors; the revocation {admin.take()[0]}")


def sockets(pid):
    n = 0
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            n += os.readlink(f"/proc/{pid}/fd/{fd}").startswith("socket:")
        except OSError:
            pass
    return n


def closes(path, gate, vault, most):
    """The gate lets idle clients go for new ones, while its channel to the vault, who stands still, is full."""
    before = sockets(vault)
    idle = [Client(path) for _ in range(50)]
    those = [Client(path) for _ in range(most - 100)]
    print("the vault has their sockets" if sockets(vault) >= before + most - 50 else "it has not")
    os.kill(vault, signal.SIGSTOP)
    try:
        for c in those:
            c.s.close()
        # As many as it can tell the vault of; with the rest it waits.
        left = [sockets(gate)]
        until(lambda: left.append(sockets(gate)) or left[-1] == left[-5:][0] and len(left) > 5)
        print("the channel is full" if left[-1] > 60 else "the channel has room")
        new = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(most)]
        for s in new:
            s.connect(path)
        print(f"{sum(c.s.recv(1) == b'' for c in idle)} idle ones made way")
    finally:
        os.kill(vault, signal.SIGCONT)
    print("and none is left in the end" if until(lambda: sockets(vault) <= before) else
          f"and {sockets(vault) - before} are left in the end")


def parked(path, other, *command):
    """Many ask for what is nowhere to be had; others are served all the same."""
    asked = [Client(path) for _ in range(24)]
    for i, c in enumerate(asked):
        c.send(COLLATERAL, collateral(bytes([i + 1] * 6), b"processor"))
    print(f"status: {Client(path).ask(STATUS)[0]}")
    rc = subprocess.run(command, timeout=PATIENCE).returncode
    print(f"the command: {rc}; {sum(c.answered() for c in asked)} of the others are answered")
    # As many as one user may have waiting, and more.
    more = [Client(path) for _ in range(48)]
    for i, c in enumerate(more):
        c.send(COLLATERAL, collateral(bytes([i + 100] * 6), b"processor"))
    if not until(lambda: sum(c.answered() for c in more) >= 8):
        print(f"{sum(c.answered() for c in more)} of many more are answered")
        return
    refused = [c.take() for c in more if c.answered()]
    print(f"{len(refused)} of many more are refused: {sorted({r[0] for r in refused})}, to be tried "
          f"again {'later' if all(struct.unpack_from('<I', r[1])[0] for r in refused) else 'never'}")
    stranger = Client(path, other)
    stranger.send(COLLATERAL, collateral(b"\xff" * 6, b"processor"))
    for _ in range(20):
        assert Client(path, other).ask(STATUS)[0] == 0
    print(f"another user's: {stranger.take()[0] if stranger.answered() else 'waits'}")


def turns(path, other, log, go):
    """Many things of one user's, and one of another's, to be had from a server that takes one at a time."""
    until(lambda: os.path.getsize(log))  # what the service wants itself
    asked = [Client(path) for _ in range(10)]
    for i, c in enumerate(asked):
        c.send(COLLATERAL, collateral(bytes([i // 2] * 6), b"processor"))  # each twice
    stranger = Client(path, other)
    stranger.send(COLLATERAL, collateral(b"\xff" * 6, b"platform"))
    for _ in range(20):
        assert Client(path).ask(STATUS)[0] == 0
    os.close(os.open(go, os.O_CREAT))
    codes = sorted({c.take()[0] for c in [*asked, stranger]})
    with open(log) as f:
        things = f.read().split()[1:]
    print(f"answers {codes}, asked for {things.count('processor')} times; first {things[:2]}")


class Launch:
    """A request for an enclave, as broker_prog writes it."""

    def __init__(self, name):
        with open(name + ".request", "rb") as f:
            self.request = f.read()
        self.memory = os.memfd_create("stream", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        with open(name + ".stream", "rb") as f:
            os.write(self.memory, f.read())
        fcntl.fcntl(self.memory, fcntl.F_ADD_SEALS, 15)  # all of them

    def send(self, c):
        socket.send_fds(c.s, [self.request], [self.memory])

    def ask(self, c):
        self.send(c)
        return c.take_fds()


def launches(path, name, other):
    """Several large enclaves at once: they wait for each other, and nobody waits for them."""
    big = Launch(name)
    those = [Client(path) for _ in range(6)]
    teller, stranger = Client(path), Client(path, other)
    for c in those:
        big.send(c)
    big.send(stranger)
    code = teller.ask(STATUS)[0]
    before = sum(c.answered() for c in those)
    print(f"status: {code}, {'before' if before <= 3 else 'after'} them")
    code, _, fds = stranger.take()
    before = sum(c.answered() for c in those)
    print(f"another user's: {code} with {fds} descriptors, {'before' if before <= 4 else 'after'} them")
    print(f"they: {sorted({c.take()[::2] for c in those})}")
    those = [Client(path) for _ in range(20)]
    for c in those:
        big.send(c)
    answers = [c.take() for c in those]
    busy = [a for a in answers if a[0] == 5]
    late = all(struct.unpack_from("<I", a[1])[0] for a in busy)
    print(f"of twenty {'some' if 0 < len(busy) < 20 else 'none or all'} are to be tried again "
          f"{'later' if late else 'never'}, {'the rest is there' if all(a[0] in (0, 5) for a in answers) else answers}")


def in_its_place(pid, what):
    """A new process, with that number, that does this and then waits."""
    args = array.array("Q", [0, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, 0, 1])  # struct clone_args
    number = array.array("i", [pid])
    args[8] = number.buffer_info()[0]
    child = ctypes.CDLL(None, use_errno=True).syscall(435, ctypes.c_void_p(args.buffer_info()[0]), 80)
    if child == 0:
        try:
            what()
            signal.pause()
        finally:
            os._exit(1)
    return child


def reuse(path):
    """A connection whose maker has ended; its number is that of a process which is still there."""
    print(f"who is there: {Client(path).ask(STATUS)[0]}")
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.settimeout(PATIENCE)
    maker = os.fork()
    if maker == 0:
        s.connect(path)
        os._exit(0)
    os.waitpid(maker, 0)
    other = in_its_place(maker, lambda: None)
    print("its number is another's" if other == maker else f"no such process: {other}")
    c = Client.__new__(Client)
    c.s, c.tag = s, 0
    assert c.ask(HELLO, struct.pack("<II32s", 1, 1, b""))[0] == 0
    print(f"who is gone: {c.ask(STATUS)[0]}")
    os.kill(other, signal.SIGKILL)


def entry(kind, operation, uid):
    return struct.pack("<QIIQQ", 0, kind, 0, 0, 0) + match(1 << operation, uid) + bytes(128)


def stall(path, request):
    """An asker whose answer waits for its record, since the audit log's writer stands still."""
    c = Client(path)
    c.s.settimeout(1)
    try:
        while True:
            assert c.ask(COLLATERAL, request)[0] == 0
    except TimeoutError:
        return c


def budget(path, name, other, parent, uid):
    """Each user may have one such enclave, for as long as anybody has it."""
    big = Launch(name)
    mine, admin = Client(path), Client(path)

    def held():
        return struct.unpack_from("<Q", admin.ask(STATUS)[1], 376)[0]

    def ask(c=mine):
        code, _, fds = big.ask(c)
        for fd in fds:
            os.close(fd)
        return code

    print(f"at first: {held()}, then {ask()}, and let go of {ask()}")
    # Whoever asks ends at once; another goes on with it.
    here, there = socket.socketpair()
    child = os.fork()
    if child == 0:
        fds = big.ask(Client(path))[2]
        socket.send_fds(there, [b"x"], list(fds))
        os._exit(0)
    enclave = socket.recv_fds(here, 1, 1)[1][0]
    os.waitpid(child, 0)
    print(f"asked for by a child that is gone: {ask()}; by another user: {ask(Client(path, other))}")
    mapped = mmap.mmap(enclave, 4096)
    os.close(enclave)
    print(f"mapped: {ask()}")
    mapped.close()
    print(f"and no more: {ask()}")
    # Refused after it was made, while its record waited.
    request, watcher = own_collateral(path), Client(path)
    os.kill(parent, signal.SIGSTOP)
    try:
        stalled = stall(path, request)
        big.send(mine)
        print("made" if until(lambda: held() > 0) else "not made")
        revoker = Client(path)
        revoker.send(GRANT_ADD, entry(2, OP_LAUNCH, uid))
        print("revoked" if until(lambda: not allowed(watcher, OP_LAUNCH, uid)) else "not revoked")
    finally:
        os.kill(parent, signal.SIGCONT)
    print(f"refused at last: {mine.take()[0]}; {'nothing is held' if until(lambda: held() == 0) else held()}")
    assert revoker.take()[0] == 0 and stalled
    assert admin.ask(GRANT_ADD, entry(1, OP_LAUNCH, uid))[0] == 0
    print(f"and allowed again: {ask()}")


def counted(path, name):
    """Enclaves are counted as long as they are there."""
    small, admin = Launch(name), Client(path)

    def held():
        return struct.unpack_from("<Q", admin.ask(STATUS)[1], 376)[0]

    fds = [small.ask(Client(path))[2][0]]
    one = held()
    fds += [small.ask(Client(path))[2][0] for _ in range(2)]
    print("three are counted" if one and held() == 3 * one else f"counted: {held()}, of {one} each")
    os.close(fds.pop())
    print("two are left" if until(lambda: held() == 2 * one) else f"left: {held()}, of {one} each")


if __name__ == "__main__":
    commands = {"late": late, "closes": closes, "parked": parked, "launches": launches,
                "reuse": reuse, "budget": budget, "counted": counted,
                "turns": turns}
    commands[sys.argv[2]](sys.argv[1], *(int(a) if a.isdigit() else a for a in sys.argv[3:]))
