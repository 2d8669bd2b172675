# bawnd from start to stop: provisioning, quotes, authority, reload.
# no-asan: the roles' tables of system calls do not have the sanitizer's
. tests/tap.sh
. tests/daemon/daemon.sh
daemon_setup
bawnd=$BUILD/bawnd

# ---- service ----

starts "it starts and is provisioned"
ok "the log says that the platform is emulated" logs 'EMULATED'
until_status 'TCB UpToDate' >/dev/null # told by the collateral, which comes after the certificate
s=$("$bawn" daemon status)
like "$s" 'ready' "status: ready"
like "$s" 'EMULATED' "status: emulated"
like "$s" 'TCB UpToDate' "status: the TCB's standing"
like "$s" 'until 20[0-9][0-9]-' "status: when the certificate ends"
json=$("$bawn" daemon status --json)
ok "status as JSON" python3 -c 'import json,sys; d=json.loads(sys.argv[1]); assert d["emulated"] is True and d["state"]=="ready" and d["full"] is True' "$json"
exits 1 "a socket that nobody serves" "$bawn" daemon status --socket "$tmp/none.sock"
like "$out" 'is bawnd running' "... with what to do"

ok "a quote through the service, with the quoting enclave's proof" "$ask" quote "$tmp/quote"
verify() { "$bawn" verify --collateral "$tmp/fab/collateral" --root "$tmp/fab/root_ca.pem" --profile emulated "$@"; }
ok "it verifies against the fab's root" verify --allow-emulated "$tmp/quote"
exits 3 "and not without saying that emulation is acceptable" verify "$tmp/quote"
ok "another has the same key" "$ask" quote "$tmp/quote2"
is "$(od -An -tx1 -j 500 -N 64 "$tmp/quote")" "$(od -An -tx1 -j 500 -N 64 "$tmp/quote2")" "the attestation key is one"

p=$("$bawn" daemon provision --json)
like "$p" '"state": "ready"' "provisioning: ready"
made() { "$bawn" daemon provision --json | sed -n 's/.*"key_made": "\(.*\)".*/\1/p'; }
before=$(made)
sleep 1 # the time is told in seconds
ok "the attestation key made anew" "$bawn" daemon provision --new-key
for _ in $(seq 50); do [ "$(made)" != "$before" ] && break; sleep 0.1; done
ok "it was" test "$(made)" != "$before"
ok "and its quotes are good" "$ask" quote "$tmp/quote2"
ok "and verify" verify --allow-emulated "$tmp/quote2"

ok "quiesced" "$bawn" daemon quiesce
like "$("$bawn" daemon status)" 'enclaves +0 loaded' "no enclave is loaded"
ok "and a quote all the same, when asked for" "$ask" quote "$tmp/quote3"
ok "quiesced for a time" "$bawn" daemon quiesce --seconds 600
exits 1 "then there is none" "$ask" quote "$tmp/quote3"
like "$out" 'quiesced' "... and why"
exits 1 "nor an enclave by the broker, which would be in the EPC" "$ask" launch "$BUILD/enclaves/witness.signed.so"
like "$out" 'quiesced' "... for the same reason"
ok "quiesced no longer" "$bawn" daemon quiesce

# ---- what the vault reads itself ----

like "$(python3 -c 'import socket,struct,sys
def ask(s, type, body, tag):
    s.send(struct.pack("<IHHIIQ", int(sys.argv[2], 0), type, 0, 24 + len(body), 0, tag) + body)
    d = s.recv(65536)
    return struct.unpack_from("<HH", d, 4) if d else "closed"
s=socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.settimeout(5); s.connect(sys.argv[1])
print(ask(s, 1, struct.pack("<II", 1, 1) + bytes(int(sys.argv[3])), 1), end=" ")
print(ask(s, 13, b"", 2), end=" ")
print(ask(s, 13, b"x", 3), end=" ")
print(s.recv(1))' "$BAWN_SOCKET" 0x4e574142 32)" '^.1, 0. .13, 0. .13, 1. b..' "an administrator's request with bytes left over: told, and closed"

# ---- authority ----

r=$("$bawn" daemon revoke quote uid="$uid" --note "test")
like "$r" 'in force' "revoked"
like "$r" 'already issued' "what it does not reach is shown"
exits 3 "a quote is refused" "$ask" quote "$tmp/none"
like "$out" 'revo' "... by the revocation"
ok "status is not" "$bawn" daemon status
like "$("$bawn" daemon grant --list)" "revoke .*uid=$uid" "it is listed"
id=$("$bawn" daemon grant --list --json | python3 -c 'import json,sys; print(json.load(sys.stdin)[0]["id"])')
daemon_stop
starts "it starts again"
ok "and knows where its platform stands" until_status 'TCB UpToDate'
exits 3 "the revocation holds after a restart" "$ask" quote "$tmp/none"
ok "taken back" "$bawn" daemon revoke --remove "$id"
ok "and a quote is to be had" "$ask" quote "$tmp/quote3"
exits 3 "revoked in mid-connection" "$ask" hold "$bawn" daemon revoke quote uid="$uid" --json ">$tmp/revoked"
ok "a grant in its place" "$bawn" daemon grant quote uid="$uid" --for 3600
ok "lifts it" "$ask" quote "$tmp/quote3"
exits 64 "no such word" "$bawn" daemon revoke quote colour=green
exits 1 "administer is never granted" "$bawn" daemon grant administer uid="$uid"

daemon_policy "[native]" "allow status,administer uid=$uid"
ok "the policy read again" "$bawn" daemon reload
"$bawn" daemon grant --list --json | python3 -c 'import json,sys; [print(x["id"]) for x in json.load(sys.stdin)]' |
	while read -r i; do "$bawn" daemon grant --remove "$i" >/dev/null; done
exits 3 "what it does not say is refused" "$ask" quote "$tmp/none"
daemon_policy "[native]" "allow nonsense"
exits 1 "a policy that cannot be read is refused" "$bawn" daemon reload
like "$out" 'line 2' "... with the line"
ok "and what was in force stays" "$bawn" daemon grant --list
like "$("$bawn" daemon status)" 'degraded' "status tells of it"
daemon_allow_all
kill -HUP "$daemon"
for _ in $(seq 50); do "$ask" quote "$tmp/quote3" 2>/dev/null && break; sleep 0.1; done
ok "SIGHUP reads it too" "$ask" quote "$tmp/quote3"

# ---- the end ----

"$ask" load 2 2 >"$tmp/load" 2>&1 &
sleep 0.5
kill "$daemon"
wait "$daemon"
is $? 0 "SIGTERM ends it well"
wait $!
like "$(cat "$tmp/load")" 'nothing serves|went away' "clients learn that it is gone"
ok "its sockets are gone" test ! -e "$BAWN_SOCKET"
ok "and it starts again, in the background" timeout 20 "$bawnd" --config "$tmp/bawnd.conf"
ok "and serves" "$bawn" daemon status --socket "$BAWN_SOCKET"
pid=$(for p in /proc/[0-9]*; do [ "$(tr '\0' ' ' <"$p/cmdline")" = "$bawnd --config $tmp/bawnd.conf " ] && basename "$p"; done 2>/dev/null)
daemon=$pid
exits 1 "a second one finds the first" "$bawnd" --config "$tmp/bawnd.conf" --foreground
like "$out" 'another (daemon|process)' "... and says so"
ok "and leaves it alone" "$bawn" daemon status
kill "$pid"
tap_done
