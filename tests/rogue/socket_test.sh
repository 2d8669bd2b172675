# By which socket a client came is found out by the file that its connection is
# bound to: a gate in the wrong hands (gate.c) passes off what a local user
# accepted on a socket of theirs that has the name of one of bawnd's.
# no-asan: the roles' tables of system calls do not have the sanitizer's
. tests/rogue/rogue.sh
command -v python3 >/dev/null || skip_all "python3 is not here"
admin=$run/admin.sock
daemon_policy "[native]" "allow status,quote,administer uid=$uid" "[admin]" "allow status,quote uid=$uid" "[aesm]"
with_admin() { # [LINE...]: the configuration, with another socket, which these lines are about
	daemon_config
	printf '%s\n' "[socket admin]" "path = $admin" "$@" >>"$tmp/bawnd.conf"
}

# ---- passed off ----

cat >"$tmp/attack.py" <<'END'
import array, os, socket, sys
native, path, how = sys.argv[1:4]
gate = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
gate.settimeout(20)
gate.connect(native)
client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
client.settimeout(2)
if how == "forged":  # as in a mount name space of one's own
    os.rename(path, path + ".away")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(path)
    listener.listen()
    client.connect(path)
    mine = listener.accept()[0]
    os.unlink(path)
    os.rename(path + ".away", path)
    assert mine.getsockname() == path
    text = b"ROGUE pass-off %d" % os.fstat(mine.fileno()).st_ino
    gate.sendmsg([text], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [mine.fileno()]))])
    mine.close()
    print(gate.recv(65536)[32:].rstrip(b"\0").decode())
else:
    client.connect(path)
    client.send((0x4e574142).to_bytes(4, "little") + (1).to_bytes(2, "little") + bytes(2) +
                (64).to_bytes(4, "little") + bytes(4) + (1).to_bytes(8, "little") +
                (1).to_bytes(4, "little") * 2 + bytes(32))
try:
    d = client.recv(65536)
except OSError:
    d = b""
print("answered" if d else "no answer")
END
attack() { out=$(python3 "$tmp/attack.py" "$BAWN_SOCKET" "$admin" "$1" 2>&1); }

with_admin
starts "with a socket that not everybody may use"
attack honest
is "$out" "answered" "who comes by it is answered"
attack forged
is "$out" "sent
no answer" "who comes by another of that name is not, though the gate says so"
ok "the log tells of it" logs 'has the name of \[socket admin\] and is another'
attack honest
is "$out" "answered" "... and nobody else is hurt"
ok "by the others there are quotes" "$ask" quote "$tmp/quote"

# ---- other networks ----

if root && unshare --net true 2>/dev/null; then
	elsewhere() { unshare --net "$bawn" daemon status --socket "$1" >/dev/null 2>&1; }
	ok "from another network, by a socket for everybody" elsewhere "$BAWN_SOCKET"
	elsewhere "$admin"
	ok "... not by one that is not" test $? != 0
	ok "... and the log says what would let it in" logs 'networks = any'
	daemon_stop
	with_admin "networks = any"
	starts "where the owner says so"
	ok "it is let in by both" elsewhere "$admin"
	daemon_stop
	daemon_config
	sed -i 's/^mode = 0666/mode = 0666\nnetworks = own/' "$tmp/bawnd.conf"
	starts "where the owner says otherwise"
	elsewhere "$BAWN_SOCKET"
	ok "it is not, by a socket for everybody" test $? != 0
	daemon_stop
else
	skip "another network: run as root, where that can be had"
	daemon_stop
fi

# ---- a kernel that does not tell ----

cat >"$tmp/without.py" <<'END'
# Run a program without netlink sockets: seccomp(2) refuses them with EAFNOSUPPORT.
import ctypes, os, struct, sys
f = b"".join(struct.pack("<HBBI", *i) for i in [
    (0x20, 0, 0, 0), (0x15, 0, 3, 41), (0x20, 0, 0, 16), (0x15, 0, 1, 16), (0x06, 0, 0, 0x00050000 | 97),
    (0x06, 0, 0, 0x7fff0000)])
program = ctypes.create_string_buffer(f)
prog = ctypes.create_string_buffer(struct.pack("<HxxxxxxQ", len(f) // 8, ctypes.addressof(program)))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, prog, 0, 0) == 0
os.execv(sys.argv[1], sys.argv[1:])
END
printf '#!/bin/sh\nexec python3 %s %s "$@"\n' "$tmp/without.py" "$PWD/$BAWND" >"$tmp/bawnd"
chmod 755 "$tmp/bawnd"
with_admin
: >"$tmp/log"
BAWND=$tmp/bawnd
starts "where the kernel does not tell"
is "$(logs 'the name has to do'; grep -c 'the name has to do' "$tmp/log")" 1 "it is said once"
attack honest
is "$out" "answered" "sockets are told by their names"
attack forged
is "$out" "sent
answered" "... which is what one in the wrong hands could use"
ok "and there are quotes" "$ask" quote "$tmp/quote"
daemon_stop
tap_done
