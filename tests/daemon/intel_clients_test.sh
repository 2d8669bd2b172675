# Intel's libsgx_quote_ex, libsgx_launch, libsgx_epid and libsgx_uae_service, built from
# their public source into the folder BAWN_INTEL_CLIENTS, as clients of bawnd on a platform
# whose launch control is locked.
# no-asan: the roles' tables of system calls do not have the sanitizer's
. tests/tap.sh
[ -n "${BAWN_INTEL_CLIENTS-}" ] || skip_all "BAWN_INTEL_CLIENTS names no folder of libraries"
[ "$(id -u)" = 0 ] || skip_all "the socket's place is in their code, and root's"
[ -e /run/aesmd ] && skip_all "/run/aesmd is somebody's"
. tests/daemon/daemon.sh
enclaves=$BUILD/enclaves
root_key=$BUILD/keys/launch-root.pem
[ -e "$root_key" ] || skip_all "the launch enclave of this build has another root"
libraries=$(realpath "$BAWN_INTEL_CLIENTS")
export LD_LIBRARY_PATH=$libraries PYTHONDONTWRITEBYTECODE=1
client=$tmp/client
python=python3 as=
intel() { $as "$python" tests/daemon/intel_clients.py "$libraries" "$@"; }
# clients NAME each|umbrella COMMAND...: all of its own tests are passed.
clients() {
	local name=$1 rc
	shift
	intel "$@" >"$tmp/tap" 2>&1
	rc=$?
	[ $rc = 0 ] && grep -q '^1\.\.' "$tmp/tap" && ! grep -q '^not ok' "$tmp/tap"
	tap $? "$name" || sed 's/^/# /' "$tmp/tap"
}
verifies() {
	"$bawn" verify --collateral "$tmp/fab/collateral" --root "$tmp/fab/root_ca.pem" --profile emulated --allow-emulated "$1"
}
list() { # FILE ARG...: a white list, for all to read
	local file=$1
	shift
	"$bawn" launch whitelist create -o "$file" "$@" && chmod a+r "$file"
}
policy() { # LINE...: what holds for the libraries
	daemon_policy "[native]" "allow any uid=0-4000000" "allow administer uid=$uid" "[aesm]" "$@"
}

platform_options=(--locked-launch --lepubkeyhash
	"$("$bawn" inspect --json "$enclaves/launch.signed.so" | sed -n 's/^ *"mrsigner": "\(.*\)",*/\1/p' | head -n 1)")
daemon_setup
trap 'kill -9 "$daemon" 2>/dev/null; rm -rf "$tmp" /run/aesmd' EXIT
mkdir /run/aesmd "$client"
cp "$enclaves/witness.signed.so" "$client/enclave"
list "$tmp/provision" --root-key "$root_key" --list-version 1 --type provision "$enclaves/provision.signed.so" "$enclaves/quote.signed.so"
for version in 1 3; do
	list "$tmp/list.$version" --root-key "$root_key" --list-version $version "$enclaves/provision.signed.so" "$enclaves/quote.signed.so" "$enclaves/ledger.signed.so"
done
for version in 2 4; do
	list "$tmp/list.$version" --root-key "$root_key" --list-version $version --any
done
"$bawn" sign --p256 --new-key "$tmp/key.pem" >/dev/null
list "$tmp/foreign" --root-key "$tmp/key.pem" --list-version 9 --any
daemon_config "provision-white-list = $tmp/provision"
sed -i "s|$run/aesm.sock|/run/aesmd/aesm.socket|" "$tmp/bawnd.conf"
policy "allow status,quote,launch uid=0-4000000" "allow administer uid=$uid"

WAIT=serving daemon_start || skip_all "bawnd does not start: service_test tells"
version=0
for with in each umbrella; do
	[ $version = 0 ] && clients "$with: without a white list there is none to tell" $with no-list
	clients "$with: a list is registered" $with administer 0 "$tmp/list.$((version + 1))"
	clients "$with: all of launching" $with launch "$tmp/list.$((version + 2))" "$tmp/foreign" "$client"
	ok "an enclave loads by the token" "$bawn" load --device emulated --platform "$BAWN_PLATFORM" \
		--token "$client/token" "$client/enclave"
	export BAWN_TEST_TOKEN=$client/token
	ok "the service is provisioned" until_ok "$bawn" daemon status
	clients "$with: all of quotes" $with quote "$ask" "$client"
	ok "the quote verifies" verifies "$client/quote"
	clients "$with: all of EPID" $with epid
	version=2
done

# eight processes
pids=()
for i in 1 2 3 4 5 6 7 8; do
	intel each quotes "$client" $i 4 >"$tmp/tap.$i" 2>&1 &
	pids+=($!)
done
good=0
for i in 1 2 3 4 5 6 7 8; do
	wait "${pids[i - 1]}" && ! grep '^not ok' "$tmp/tap.$i" && verifies "$client/quote.$i.4" >/dev/null && good=$((good + 1))
done
is $good 8 "eight processes side by side have quotes that verify"

# somebody else
python=/usr/bin/python3
as="as 12345"
if intel each none >/dev/null 2>&1; then
	mkdir "$tmp/stranger"
	cp "$client/report" "$tmp/stranger"
	chown -R 12345 "$tmp/stranger"
	clients "another user has quotes" each quotes "$tmp/stranger" 1 2
	clients "but registers no list" each administer 1 "$tmp/list.4"
fi
python=python3 as=

# refusals, as the libraries show them
policy "allow quote uid=0-4000000 rate=2/h"
ok "two quotes an hour" "$bawn" daemon reload
clients "are had" each quotes "$client" 1 2
clients "a third is told to come later" each third "$client"
policy "deny any"
ok "nothing is allowed" "$bawn" daemon reload
clients "each: launch tokens are refused by a status of their own, the rest as unexpected" each all 1 4004 "$client"
clients "umbrella: the same" umbrella all 1 4004 "$client"
policy "allow status,quote,launch uid=0-4000000"
ok "all is allowed again" "$bawn" daemon reload
ok "the enclaves are put away" "$bawn" daemon quiesce --seconds 600
clients "the library is told to come later" each away "$client"
daemon_stop
clients "each: a service that is not there is unavailable" each all 4001 4001 "$client"
clients "umbrella: the same" umbrella all 4001 4001 "$client"
tap_done
