# Who gets what: other users, other enclaves, sockets of their own; and what the
# broker refuses.
# no-asan: the roles' tables of system calls do not have the sanitizer's
. tests/tap.sh
. tests/daemon/daemon.sh
daemon_setup
broker=$BUILD/tests/daemon/broker_prog
witness=$BUILD/enclaves/witness.signed.so
signer=$("$bawn" inspect --json "$witness" | sed -n 's/.*"mrsigner": "\(.*\)".*/\1/p' | head -n 1)
{
	cat "$tmp/bawnd.conf"
	printf '[socket web]\npath = %s\nmode = 0666\n' "$run/web.sock"
} >"$tmp/more" && mv "$tmp/more" "$tmp/bawnd.conf"

# ---- enclaves and sockets ----

daemon_policy "[native]" "allow status uid=0-4000000" "allow quote uid=$uid mrsigner=$signer debug=no" \
	"allow administer uid=$uid" "allow launch uid=$uid epc=4M" "[web]" "allow status uid=$uid"
starts "it starts"
ok "the right signer" "$ask" quote "$tmp/quote"
exits 3 "on a socket with another section: refused" env BAWN_SOCKET="$run/web.sock" "$ask" quote "$tmp/none"
ok "where status is allowed" "$bawn" daemon status --socket "$run/web.sock"
exits 1 "and administration is not" "$bawn" daemon quiesce --socket "$run/web.sock"
"$bawn" daemon revoke quote socket=native >/dev/null
exits 3 "a socket is revoked" "$ask" quote "$tmp/none"
"$bawn" daemon grant --list --json | python3 -c 'import json,sys; [print(x["id"]) for x in json.load(sys.stdin)]' |
	while read -r i; do "$bawn" daemon grant --remove "$i" >/dev/null; done
daemon_policy "[native]" "allow status,administer uid=$uid" "allow quote uid=$uid mrsigner=$(printf '00%.0s' $(seq 32))" "[web]"
ok "another signer" "$bawn" daemon reload
exits 3 "is needed: refused" "$ask" quote "$tmp/none"
daemon_policy "[native]" "allow status,administer uid=$uid" "allow quote uid=$uid rate=1/h" "[web]"
ok "a rate" "$bawn" daemon reload
ok "one" "$ask" quote "$tmp/quote"
exits 1 "and then too often" "$ask" quote "$tmp/none"

# ---- before there is an enclave ----

# Nobody may see the status: target info is had by whoever some line about certain enclaves lets quote.
daemon_policy "[native]" "allow administer uid=$uid" "[web]" "allow quote uid=$uid mrsigner=$signer svn=0 debug=no rate=2/h"
ok "quotes for certain enclaves, and nothing else" "$bawn" daemon reload
ok "target info and a quote" env BAWN_SOCKET="$run/web.sock" "$ask" quote "$tmp/quote"
ok "... twice: target info costs nothing" env BAWN_SOCKET="$run/web.sock" "$ask" quote "$tmp/quote"
exits 1 "... and then too often" env BAWN_SOCKET="$run/web.sock" "$ask" quote "$tmp/none"
exits 3 "not where no line lets quote" "$ask" quote "$tmp/none"
exits 0 "the policy's test agrees" "$bawn" daemon policy test --service quote uid="$uid" gid=1 socket=web enclave=none
exits 0 "... that of the file too" "$bawn" daemon policy test "$tmp/policy" quote uid="$uid" gid=1 socket=web enclave=none
exits 3 "... and that it is no quote" "$bawn" daemon policy test --service quote uid="$uid" gid=1 socket=web
exits 3 "... and not elsewhere" "$bawn" daemon policy test --service quote uid="$uid" gid=1 enclave=none
exits 64 "an enclave that is none and this one" "$bawn" daemon policy test --service quote enclave=none svn=1
ok "all quotes are revoked" "$bawn" daemon revoke quote uid="$uid"
exits 3 "... and with them target info" env BAWN_SOCKET="$run/web.sock" "$ask" quote "$tmp/none"
exits 3 "... as the test says" "$bawn" daemon policy test --service quote uid="$uid" gid=1 socket=web enclave=none
"$bawn" daemon grant --list --json | python3 -c 'import json,sys; [print(x["id"]) for x in json.load(sys.stdin)]' |
	while read -r i; do "$bawn" daemon grant --remove "$i" >/dev/null; done

# target KEY: the code that target info of this key is answered with.
target() {
	python3 -c 'import socket,struct,sys
s=socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.settimeout(20); s.connect(sys.argv[1])
for kind, body in ((1, struct.pack("<II32s", 1, 1, b"")), (3, struct.pack("<I", int(sys.argv[2])))):
    s.send(struct.pack("<IHHIIQ", 0x4E574142, kind, 0, 24 + len(body), 0, kind) + body)
    code, = struct.unpack_from("<H", s.recv(65536), 6)
print(code)' "$run/web.sock" "$1"
}
daemon_policy "[native]" "allow administer uid=$uid" "[web]" "allow certify uid=$uid mrsigner=$signer"
ok "a policy that has reports certified, and nothing quoted" "$bawn" daemon reload
is "$(target 2)" 0 "the provisioning enclave's target info"
is "$(target 1)" 3 "... and not the quoting enclave's"

# ---- other users ----

if root; then
	cp "$ask" "$bawn" "$tmp/" && chmod 755 "$tmp/client_prog" "$tmp/bawn"
	daemon_policy "[native]" "allow status,administer uid=0" "allow status uid=61010" "[web]"
	ok "a policy for one other user" "$bawn" daemon reload
	ok "who may see the status" as 61010 "$tmp/bawn" daemon status
	exits 1 "and no more" as 61010 "$tmp/bawn" daemon quiesce
	exits 1 "another may not" as 61011 "$tmp/bawn" daemon status
	like "$out" 'no rule|not allow|refused|policy' "... and is told why"
	exits 1 "nor may the gate's own user" as 61001 "$tmp/bawn" daemon status
	chmod 600 "$BAWN_SOCKET"
	exits 1 "permissions of the socket come first" as 61010 "$tmp/bawn" daemon status
	like "$out" 'permission' "... and that is told"
	chmod 666 "$BAWN_SOCKET"
	for r in gate vault courier; do
		is "$(awk '/^Uid:/ { print $2 == $3 && $3 == $4 && $2 != 0 }' "/proc/$(role $r)/status")" 1 "the $r has a user of its own"
		is "$(awk '/^(NoNewPrivs|Seccomp):/ { print $2 }' "/proc/$(role $r)/status" | tr '\n' ' ')" "1 2 " "the $r is confined"
		is "$(awk '/^Cap(Prm|Eff):/ { print $2 + 0 }' "/proc/$(role $r)/status" | tr '\n' ' ')" "0 0 " "the $r has no capabilities"
	done
	is "$(find "/proc/$(role gate)/fd" -lname '*/platform*' -o -lname '*/state*' -o -lname '/dev/sgx*' | wc -l)" 0 "the gate has no file of the others'"
	is "$(stat -c %a "$tmp/state/vault" "$tmp/audit" | tr '\n' ' ')" "700 700 " "state and log are closed to others"
else
	skip "other users: run as root"
fi

# ---- the broker ----

daemon_policy "[native]" "allow status,administer uid=$uid" "allow launch uid=$uid debug=no epc=4M" "[web]"
ok "a policy with launching" "$bawn" daemon reload
ok "an enclave by the broker, entered and called" "$ask" launch "$witness"
try() { # HOW REGEX
	like "$("$broker" "$witness" "$1" 2>&1)" "$2" "the broker: $1"
}
try good '^ok'
for how in unsealed half-sealed short long file device socket order outside secinfo content signature svn size base kernel-address; do
	try $how '^bad-input|^malformed'
done
try init '^denied'
try debug '^denied'
try provision '^denied'
try token-key '^denied'
try huge '^too-large|^bad-input'
sed 's/^heap_min .*/heap_min = 24M/' enclaves/witness/witness.conf >"$tmp/large.conf"
"$bawn" sign --key "$BUILD/keys/development.pem" --config "$tmp/large.conf" --output "$tmp/large.so" \
	"$BUILD/enclaves/witness.so" >/dev/null
exits 3 "a large enclave" "$ask" launch "$tmp/large.so"
like "$out" 'EPC are more' "... is over the budget"
daemon_policy "[native]" "allow status,administer uid=$uid" "allow launch uid=$uid epc=64M" "[web]"
ok "a larger one" "$bawn" daemon reload
ok "holds it: its pages are made by two threads" "$ask" launch "$tmp/large.so"
exits 3 "an enclave with PROVISION_KEY" "$ask" launch "$BUILD/enclaves/witness-provision.signed.so"
daemon_policy "[native]" "allow status,administer uid=$uid" "allow launch uid=$uid epc=64K" "[web]"
ok "a budget too small" "$bawn" daemon reload
try good '^too-large'
exits 0 "the record says that it was the budget" "$bawn" daemon audit search --dir "$tmp/audit" rule='budget 3'
daemon_policy "signing_keys $(printf '11%.0s' $(seq 32))" "[native]" "allow status,administer uid=$uid" "allow launch uid=$uid" "[web]"
ok "a list of signers" "$bawn" daemon reload
try good '^denied'

# ---- who may sign what has the platform's keys ----

signer_of() { "$bawn" inspect --json "$1" | sed -n 's/.*"mrsigner": "\(.*\)".*/\1/p' | head -n 1; }
nobody=$(printf '11%.0s' $(seq 32))
daemon_policy "[native]" "allow status,administer,launch uid=$uid" "[web]"
ok "no list of launch keys" "$bawn" daemon reload
exits 1 "no token for nobody" "$ask" token "$nobody" "$nobody"
like "$out" 'LE_WHITELIST' "... says the launch enclave, which runs"
daemon_policy "launch_keys $nobody" "[native]" "allow status,administer,launch uid=$uid" "[web]"
ok "a list without the launch enclave's signer" "$bawn" daemon reload
exits 1 "the launch enclave, loaded already, is gone" "$ask" token "$nobody" "$nobody"
like "$out" 'launch_keys' "... and why"
made() { "$bawn" daemon provision --json | sed -n 's/.*"key_made": "\(.*\)".*/\1/p'; }
daemon_policy "[native]" "allow status,administer,launch,provision uid=$uid" "[web]"
"$bawn" daemon reload >/dev/null
before=$(made)
daemon_policy "launch_keys $(signer_of "$BUILD/enclaves/launch.signed.so")" "provisioning_keys $nobody" \
	"[native]" "allow status,administer,launch,certify uid=$uid" "[web]"
ok "a list with it" "$bawn" daemon reload
exits 1 "no token for nobody" "$ask" token "$nobody" "$nobody"
like "$out" 'LE_WHITELIST' "... says the launch enclave, which runs again"
ok "the provision enclave does not, and that is told" until_status 'degraded.*provisioning_keys'
daemon_policy "[native]" "allow status,administer,provision uid=$uid" "[web]"
mv "$tmp/fab/pck" "$tmp/fab/pck.away" # what there was has to do
ok "no lists" "$bawn" daemon reload
ok "and all is well again" until_status ready
ok "with the key and the certificate that there were" test "$(made)" = "$before" -a -n "$before"

ok "nothing of it hurt" "$bawn" daemon status
is "$(grep -c 'started again' "$tmp/log")" 0 "nothing died"
daemon_stop
ok "the audit log is sound" "$bawn" daemon audit verify --dir "$tmp/audit"
ok "and has the refusals" "$bawn" daemon audit search --dir "$tmp/audit" answer=denied operation=launch
tap_done
