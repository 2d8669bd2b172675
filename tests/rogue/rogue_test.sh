# A gate in the wrong hands (gate.c): it gets no file, device, process or network,
# nobody's rights, and no answer that the policy refuses; and hurts nobody else.
# no-asan: the roles' tables of system calls do not have the sanitizer's
. tests/rogue/rogue.sh
command -v python3 >/dev/null || skip_all "python3 is not here"
daemon_policy "[native]" "allow status,provision uid=$uid" "allow quote uid=$uid" "allow administer uid=$uid" "[aesm]"
starts "it starts, with a gate that obeys clients"

cat >"$tmp/tell.py" <<'END'
import socket, sys

s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.settimeout(20)
s.connect(sys.argv[1])
s.send(b"ROGUE " + sys.argv[2].encode())
try:
    d = s.recv(65536)
except OSError:
    d = b""
print(d[32:].rstrip(b"\0").decode() if d else "gone")
END
tell() { out=$(python3 "$tmp/tell.py" "$BAWN_SOCKET" "$1" 2>&1 | tr -d "\0"); }
vault=$(role vault)
policy=$("$bawn" daemon policy show)

# Nothing changed, and it serves whom it should.
untouched() { # AFTER WHAT
	local now
	WAIT=serving daemon_wait
	now=$("$bawn" daemon policy show)
	is "$now" "$policy" "after $1 the policy is what it was"
	is "$(role vault)" "$vault" "... the vault lives"
	is "$("$bawn" daemon grant --list --json | tr -d ' \n')" "[]" "... nothing is granted"
	ok "... quotes are to be had" "$ask" quote "$tmp/quote"
}

# ---- the gate's looks ----

# It looks once more after each answer, and this gate takes its time between that and reading.
is "$(python3 - "$BAWN_SOCKET" <<'END'
import socket, struct, sys, time

s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.settimeout(20)
s.connect(sys.argv[1])
codes = []
for kind, body in [(1, struct.pack("<II32s", 1, 1, b""))] + [(13, b"")] * 10:
    s.send(struct.pack("<IHHIIQ", 0x4e574142, kind, 0, 24 + len(body), 0, 1) + body)
    answer = s.recv(65536)
    codes.append(struct.unpack_from("<H", answer, 6)[0] if answer else "closed")
    if not answer:
        break
    time.sleep(0.003)
print(*codes)
END
)" "0 0 0 0 0 0 0 0 0 0 0" "an administrator's requests are left to the vault, whenever they come"

# ---- the system ----

tell nothing
is "$out" "no such attempt" "the gate does as it is told"
tell descriptors
is "$out" "nothing but sockets" "it was given nothing but sockets"
# All of them are tried in the sandbox alone; some in the service, where the gate has to come back.
while read -r line; do
	case $line in
	"ok "*) ok "in the sandbox: ${line#* - }" true ;;
	"not ok "*) ok "in the sandbox: ${line#* - }" false ;;
	esac
done < <("$BUILD/tests/rogue/sandbox")
for what in open inet exec; do
	tell "$what"
	case $out in
	gone | *"Operation not permitted"* | *"Permission denied"*) ok "$what: $out" true ;;
	*) ok "$what: $out" false ;;
	esac
	WAIT=serving daemon_wait
done
ok "the log names the system calls" logs 'gate.*(system call|seccomp|not allowed)'
untouched "forbidden system calls"

# ---- the vault's trust ----

for what in as-listener as-parent as-vault as-config as-null as-nobody; do
	tell "$what"
	like "$out" '^(sent|not sent)' "a grant in the name of $what"
done
untouched "requests in others' names"

# An administrator is connected, and has asked nothing.
python3 - "$BAWN_SOCKET" >"$tmp/held" <<'END' &
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.settimeout(10)
s.connect(sys.argv[1])
print("connected", flush=True)
try:
    while d := s.recv(65536):
        print("got an answer of type", int.from_bytes(d[4:6], "little"), flush=True)
except OSError:
    pass
END
held=$!
for _ in $(seq 50); do grep -q connected "$tmp/held" && break; sleep 0.1; done
tell as-client &>/dev/null # on every connection that there is, this one included
untouched "a request that no client made"
kill "$held"
wait "$held" 2>/dev/null
ok "the connection was the administrator's" grep -q 'answer of type 1' "$tmp/held"
ok "the log tells of it" logs 'a request that no client made|not the gate.s to read'

# Nor do they register a list in the name of one who is connected to AESM's socket.
python3 - "$run/aesm.sock" >"$tmp/aesm-held" <<'END' &
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(10)
s.connect(sys.argv[1])
print("connected", flush=True)
try:
    print("got", len(s.recv(65536)), flush=True)
except OSError:
    pass
END
held=$!
for _ in $(seq 50); do grep -q connected "$tmp/aesm-held" && break; sleep 0.1; done
for _ in $(seq 50); do
	tell register
	[ "$out" = sent ] && break # it has accepted it
	sleep 0.1
done
is "$out" "sent" "a white list in the name of who is connected"
wait "$held"
like "$(cat "$tmp/aesm-held")" '^(got 0|connected)$' "... is not answered"
ok "the log tells of that too" logs 'AESM message 14: a request that no client made'
untouched "a white list that no client registered"
for what in vault-messages vault-kinds vault-garbage; do
	tell "$what"
	like "$out" '^(sent|not sent|gone)' "$what"
done
untouched "what is not the gate's to say to the vault"
for what in parent-messages parent-kinds parent-garbage; do
	tell "$what"
	like "$out" '^(sent|not sent|gone)' "$what"
done
untouched "what is not the gate's to say to the parent"
ok "the policy is not locked" test -z "$("$bawn" daemon policy show | grep locked)"

daemon_stop
exits 0 "the record is sound" "$bawn" daemon audit verify --dir "$tmp/audit"
exits 3 "and nothing in it is the gate's" "$bawn" daemon audit search --dir "$tmp/audit" event=grant
exits 3 "nor was any request in another's name looked at" \
	"$bawn" daemon audit search --dir "$tmp/audit" operation=administer answer=malformed
ok "... in no words either" test -z "$(grep -l 'forged by the gate' "$tmp"/audit/*.log)"
ok "it left no file" test ! -e /tmp/rogue-gate
tap_done
