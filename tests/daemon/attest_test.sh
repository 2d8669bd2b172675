#!/usr/bin/env bash
# bawn attest --daemon: the command's quotes by the service, under its owner's policy.
# no-asan: the roles' tables of system calls do not have the sanitizer's
. tests/tap.sh
. tests/daemon/daemon.sh
daemon_setup
export BAWN_DEVICE=emulated BAWN_ENCLAVES=$BUILD/enclaves
verify() {
	"$bawn" verify --profile emulated --allow-emulated --root "$tmp/fab/root_ca.pem" --collateral "$tmp/fab/collateral" "$@"
}

exits 1 "no service" "$bawn" attest --daemon -o "$tmp/quote"
like "$out" "is bawnd running" "with what to do"
daemon_allow_all
starts "bawnd"
exits 0 "a quote by it" "$bawn" attest --daemon --nonce 4242 -o "$tmp/quote" --json
like "$out" '"emulated": true' "JSON says that it is emulated"
like "$out" '"section": "native"' "and which section of the policy applied"
exits 0 "verifies" verify --report-data 4242 "$tmp/quote"
ok "by the socket's name too" "$bawn" attest --socket "$BAWN_SOCKET" -o "$tmp/quote"
ok "the target for other programs" "$bawn" attest --daemon --target "$tmp/target"
is "$(stat -c %s "$tmp/target")" 512 "is TARGETINFO"
exits 64 "its certificate is not for the client to say" "$bawn" attest --daemon --pck-chain "$tmp/fab/x" -o "$tmp/quote"
exits 64 "nor is its request" "$bawn" attest --daemon --pck-request --ppid-key "$tmp/fab/x"
rm -f "$tmp/quote"
ok "revoked" "$bawn" daemon revoke quote
exits 1 "there is none" "$bawn" attest --daemon -o "$tmp/quote"
like "$out" "bawn daemon grant quote uid=$uid" "... and who could change that"
ok "and no file" test ! -e "$tmp/quote"
daemon_stop
is $? 0 "it stops"
tap_done
