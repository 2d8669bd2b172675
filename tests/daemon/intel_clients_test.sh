# Intel's libsgx_quote_ex, libsgx_launch and libsgx_epid, built from their public
# source into the folder BAWN_INTEL_CLIENTS, as clients of bawnd.
# no-asan: the roles' tables of system calls do not have the sanitizer's
. tests/tap.sh
[ -n "${BAWN_INTEL_CLIENTS-}" ] || skip_all "BAWN_INTEL_CLIENTS names no folder of libraries"
[ "$(id -u)" = 0 ] || skip_all "the socket's place is in their code, and root's"
[ -e /run/aesmd ] && skip_all "/run/aesmd is somebody's"
. tests/daemon/daemon.sh
daemon_setup
trap 'kill -9 "$daemon" 2>/dev/null; rm -rf "$tmp" /run/aesmd' EXIT
mkdir /run/aesmd
sed -i "s|$run/aesm.sock|/run/aesmd/aesm.socket|" "$tmp/bawnd.conf"
daemon_start || skip_all "bawnd does not start: service_test tells"
mkdir "$tmp/client"
python3 tests/daemon/intel_clients.py "$BAWN_INTEL_CLIENTS" "$ask" "$tmp/client" >"$tmp/tap"
rc=$?
sed 's/^/# /' "$tmp/tap"
ok "all calls" test $rc = 0
ok "it ran to its end" grep -q '^1\.\.' "$tmp/tap"
is "$(grep -c '^not ok' "$tmp/tap")" 0 "with the answers that they expect"
ok "the quote verifies" "$bawn" verify --collateral "$tmp/fab/collateral" --root "$tmp/fab/root_ca.pem" \
	--profile emulated --allow-emulated "$tmp/client/quote"
daemon_stop
tap_done
