# bawnd in aesmd's place: see aesm_client.py.
# no-asan: the roles' tables of system calls do not have the sanitizer's
. tests/tap.sh
for python in python3 /usr/bin/python3; do
	"$python" -c 'import google.protobuf' 2>/dev/null && break
	python=
done
[ -n "$python" ] || skip_all "python3-protobuf is not here"
. tests/daemon/daemon.sh
daemon_setup
daemon_start || skip_all "bawnd does not start: service_test tells"
export PYTHONDONTWRITEBYTECODE=1
ulimit -n 4096
"$python" tests/daemon/aesm_client.py "$run/aesm.sock" "$ask" "$bawn" "$tmp" >"$tmp/tap"
ok "AESM: all calls, and hostile clients" test $? = 0
grep -v '^ok' "$tmp/tap" | sed 's/^/# /'
ok "it ran to its end" grep -q '^1\.\.' "$tmp/tap"
signer=$("$bawn" inspect --json "$BUILD/enclaves/witness.signed.so" | sed -n 's/.*"mrsigner": "\(.*\)".*/\1/p' | head -n 1)
daemon_policy "[native]" "allow status,administer uid=$uid" "[aesm]" "allow quote uid=$uid mrsigner=$signer rate=1/h"
ok "quotes for one signer, one an hour" "$bawn" daemon reload
"$python" tests/daemon/aesm_client.py "$run/aesm.sock" "$ask" "$bawn" "$tmp" one-enclave >"$tmp/tap"
ok "key ids, targets and sizes are told before there is an enclave, and cost nothing" test $? = 0
grep -v '^ok' "$tmp/tap" | sed 's/^/# /'
daemon_policy "[native]" "allow status,administer uid=$uid" "[aesm]" "allow administer uid=$uid"
ok "who administers" "$bawn" daemon reload
"$python" tests/daemon/aesm_client.py "$run/aesm.sock" "$ask" "$bawn" "$tmp" administrator >"$tmp/tap"
ok "is answered by the vault that read the request" test $? = 0
grep -v '^ok' "$tmp/tap" | sed 's/^/# /'
daemon_policy "[native]" "allow status,administer uid=$uid" "[aesm]" "deny any"
ok "the policy refuses" "$bawn" daemon reload
ok "by error 6" "$python" tests/daemon/aesm_client.py "$run/aesm.sock" "$ask" "$bawn" "$tmp" 6
is "$(kill -0 "$daemon" && grep -c 'started again' "$tmp/log")" 0 "nothing died"
daemon_stop
tap_done
