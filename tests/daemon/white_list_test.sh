# White lists in bawnd, on a platform whose launch control is locked: of the configuration, registered
# by AESM, kept; launch tokens and the service's own enclaves by them.
# no-asan: the roles' tables of system calls do not have the sanitizer's
. tests/tap.sh
command -v python3 >/dev/null || skip_all "there is no python3"
. tests/daemon/daemon.sh
enclaves=$BUILD/enclaves
root_key=$BUILD/keys/launch-root.pem
[ -e "$root_key" ] || skip_all "the launch enclave of this build has another root"
member() { "$bawn" inspect --json "$2" | sed -n "s/^ *\"$1\": \"\(.*\)\",*/\1/p" | head -n 1; }
list() { # FILE ARG...: for the launch enclave
	local file=$1
	shift
	"$bawn" launch whitelist create --root-key "$root_key" -o "$file" "$@" && chmod a+r "$file"
}
aesm() { python3 tests/daemon/list_client.py "$run/aesm.sock" "$@" 2>&1; }
# A token for an enclave of ours, as $tmp/token. The modulus is at 128 of its SIGSTRUCT.
token() {
	aesm token "$(member mrenclave "$1")" "$(modulus "$1")" "$tmp/token"
}
modulus() {
	python3 -c 'import sys
b = open(sys.argv[1], "rb").read()
at = b.find(bytes.fromhex("06000000e10000000000010000000000"))
print(b[at + 128:at + 512].hex())' "$1"
}

platform_options=(--locked-launch --lepubkeyhash "$(member mrsigner "$enclaves/launch.signed.so")")
daemon_setup
daemon_policy "[native]" "allow status,quote,certify,collateral,provision,launch uid=0-4000000" \
	"allow administer uid=$uid" "[aesm]" "allow launch,quote uid=0-4000000" "allow administer uid=$uid"
list "$tmp/list" --list-version 3 "$enclaves/witness.signed.so"
list "$tmp/provision" --list-version 1 --type provision "$enclaves/provision.signed.so" "$enclaves/quote.signed.so"
list "$tmp/own" --list-version 2 "$enclaves/provision.signed.so" "$enclaves/quote.signed.so" "$enclaves/ledger.signed.so"

# without
WAIT=serving
starts "bawnd without a list"
is "$(aesm size)" "40 " "has none to tell"
is "$(aesm get "$tmp/got")" 40 "nor to give"
is "$(token "$enclaves/witness.signed.so")" 6 "and there are no tokens"
tries() { "$bawn" daemon provision --json | sed -n 's/^ *"tries": \([0-9]*\),*/\1/p'; }
tried() { [ "$(tries)" -gt 0 ]; }
ok "the service's own enclaves have none, and it is told to wait before the next try" until_ok tried
list "$tmp/first" --list-version 1 "$enclaves/provision.signed.so" "$enclaves/quote.signed.so" "$enclaves/ledger.signed.so"
is "$(aesm register "$tmp/first")$(aesm register "$tmp/provision")" 00 "lists are registered"
is "$(tries)" 0 "which ends the waiting"
ok "and it is provisioned" until_ok "$bawn" daemon status
daemon_stop
rm -rf "$tmp/state" "$tmp/audit"

# of the configuration
list "$tmp/list" --list-version 3 "$enclaves/witness.signed.so" "$enclaves/provision.signed.so" "$enclaves/quote.signed.so" "$enclaves/ledger.signed.so"
daemon_config "white-list = $tmp/list" "provision-white-list = $tmp/provision"
WAIT=
starts "with lists it is provisioned: its own enclaves get tokens"
is "$(aesm size)" "0 $(stat -c %s "$tmp/list")" "AESM tells the list's size"
is "$(aesm get "$tmp/got")" 0 "gives it"
ok "as it is" cmp "$tmp/got" "$tmp/list"
is "$(aesm get "$tmp/got" "$(($(stat -c %s "$tmp/list") - 1))")" 3 "not into a byte less"
is "$(token "$enclaves/witness.signed.so")" 0 "a token for a signer of the list"
cp "$tmp/token" "$tmp/witness.token"
ok "with which it loads" "$bawn" load --device emulated --platform "$BAWN_PLATFORM" --token "$tmp/token" \
	"$enclaves/witness.signed.so"
is "$(token "$enclaves/witness-other.signed.so")" 6 "none for another"
touch "$tmp/go"
BAWN_TEST_TOKEN=$tmp/witness.token "$ask" load "$tmp/go" 2 >"$tmp/load" 2>&1 &
load=$!
for ((i = 0; i < 15; i++)); do "$bawn" daemon reload || break; done >"$tmp/reload" 2>&1
is $i 15 "the enclaves are loaded again and again"
rm "$tmp/go"
wait $load
is "$?" 0 "of which those who have quotes made all the while see nothing"
ok "the native protocol has the same" "$ask" token "$(member mrenclave "$enclaves/witness.signed.so")" \
	"$(member mrsigner "$enclaves/witness.signed.so")"
exits 1 "and refuses the same" "$ask" token "$(member mrenclave "$enclaves/witness-other.signed.so")" \
	"$(member mrsigner "$enclaves/witness-other.signed.so")"

# none for the ledger enclave, which is not listed
daemon_stop
list "$tmp/unsealed" --list-version 3 "$enclaves/witness.signed.so" "$enclaves/provision.signed.so" "$enclaves/quote.signed.so"
daemon_config "white-list = $tmp/unsealed" "provision-white-list = $tmp/provision"
WAIT=serving
starts "with a list that lacks the ledger enclave"
ok "status says that the log's end is not sealed, and why" until_status 'degraded: audit log: its end is not sealed: no launch token for the ledger'
ok "tokens are given all the same" "$ask" token "$(member mrenclave "$enclaves/witness.signed.so")" \
	"$(member mrsigner "$enclaves/witness.signed.so")"
WAIT=

# none for the service's own enclaves that have PROVISION_KEY
daemon_stop
daemon_config "white-list = $tmp/list"
: >"$tmp/log"
WAIT=serving
starts "without a list for the provisioning key"
ok "status says what is missing" until_status 'no launch token for the (provision|quote) enclave .which has PROVISION_KEY.'
ok "the log too" logs 'no quotes can be made: no launch token for the (provision|quote) enclave'
denied() { "$bawn" daemon status --json | sed -n 's/^ *"denied": \([0-9]*\),*/\1/p'; }
before=$(denied)
is "$(aesm keys)" 1 "the quote enclave cannot be asked for its key's id"
is "$(token "$enclaves/witness-other.signed.so")" 6 "an enclave that the list does not have gets no token"
is "$(denied)" "$before" "neither is called a refusal by policy"
WAIT=
daemon_stop
daemon_config "white-list = $tmp/list" "provision-white-list = $tmp/provision"
starts "with it again"

# registered
list "$tmp/any" --list-version 4 --any
"$bawn" sign --p256 --new-key "$tmp/key.pem" >/dev/null
"$bawn" launch whitelist create --root-key "$tmp/key.pem" --list-version 5 --any -o "$tmp/foreign"
is "$(aesm register "$tmp/own")" 3 "an older list is refused"
ok "... on record" until_ok "$bawn" daemon audit search --dir "$tmp/audit" event=policy operation=administer protocol=aesm answer=bad-input uid="$uid"
is "$(aesm register "$tmp/foreign")" 3 "so is one by another root"
head -c 100 "$tmp/any" >"$tmp/short"
is "$(aesm register "$tmp/short")" 3 "half a list"
is "$(aesm register "$tmp/any" 1)" 3 "another kind of data"
is "$(PIECE=9 aesm register "$tmp/short")" 3 "... in small pieces too"
head -c 66000 /dev/zero >"$tmp/large"
is "$(aesm register "$tmp/large")" 3 "the largest there may be"
like "$(head -c 70000 /dev/zero >"$tmp/large"; aesm register "$tmp/large" | tail -n 1)" 'reset|Broken pipe|error' "a larger one ends the connection"
is "$(token "$enclaves/witness-other.signed.so")" 6 "nothing has changed"
if root && as 12345 /usr/bin/python3 -c '' 2>/dev/null && as 12345 test -r tests/daemon/list_client.py; then
	is "$(as 12345 /usr/bin/python3 tests/daemon/list_client.py "$run/aesm.sock" register "$tmp/any")" 6 \
		"who is no administrator registers nothing"
fi
is "$(PIECE=30 aesm register "$tmp/any")" 0 "a newer one is taken, however slowly it comes"
is "$(token "$enclaves/witness-other.signed.so")" 0 "and holds"
daemon_stop
starts "bawnd again"
is "$(aesm size)" "0 $(stat -c %s "$tmp/any")" "it was kept"
is "$(token "$enclaves/witness-other.signed.so")" 0 "and holds"
like "$("$bawn" daemon audit tail --dir "$tmp/audit" 2>&1)" "white list of type 1, version 4" "it is on record"
daemon_stop

# a list that cannot be
daemon_config "white-list = $tmp/foreign" "provision-white-list = $tmp/list"
rm -f "$tmp/state/vault/white-list"
WAIT=serving
starts "with the wrong lists it still serves"
for ((i = 0; i < 300; i++)); do
	grep -q 'white-list of the configuration is not' "$tmp/log" && break
	sleep 0.1
done
ok "the log tells of one that is refused" logs "white-list of the configuration is not in force"
ok "and of one of the other type" logs "other type"
is "$(aesm size)" "40 " "there is none in force"
daemon_stop
tap_done
