#!/usr/bin/env bash
# bawn launch: white lists and tokens, on a platform whose launch control is locked.
. tests/tap.sh

export HOME=$tmp BAWN_DEVICE=emulated BAWN_PLATFORM=$tmp/platform BAWN_ENCLAVES=$BUILD/enclaves
enclaves=$BUILD/enclaves
signer() { "$bawn" inspect --json "$1" | sed -n 's/^ *"mrsigner": "\(.*\)",*/\1/p' | head -n 1; }
le=$(signer "$enclaves/launch.signed.so")
root=$BUILD/keys/launch-root
[ -e "$root.pem" ] || skip_all "the launch enclave of this build has another root"

ok "a platform locked to our launch enclave" "$bawn" emu platform create --locked-launch --lepubkeyhash "$le"
exits 1 "an enclave needs a token there" "$bawn" load "$enclaves/witness.signed.so"
exits 1 "none without a white list" "$bawn" launch token -o "$tmp/token" "$enclaves/witness.signed.so"
like "$out" "LE_WHITELIST_UNINITIALIZED_ERROR \(42\): .*needs a white list" "  says the launch enclave, and what it wants"
ok "a list" "$bawn" launch whitelist create --root-key "$root.pem" --list-version 1 -o "$tmp/list" \
	"$enclaves/witness.signed.so"
exits 0 "says whom it names" "$bawn" launch whitelist show --root "$root.pub" "$tmp/list"
like "$out" "signer +$(signer "$enclaves/witness.signed.so")" "  the witness's signer"
like "$out" "signatures +hold" "  and holds"
ok "a token" "$bawn" launch token --white-list "$tmp/list" -o "$tmp/token" "$enclaves/witness.signed.so"
is "$(stat -c %s "$tmp/token")" 304 "is an EINITTOKEN"
exits 0 "with which it loads" "$bawn" load --token "$tmp/token" "$enclaves/witness.signed.so"
exits 1 "another enclave does not" "$bawn" load --token "$tmp/token" "$enclaves/witness-other.signed.so"
exits 1 "nor is there one for a signer that is not listed" \
	"$bawn" launch token --white-list "$tmp/list" -o "$tmp/token" "$enclaves/witness-other.signed.so"
like "$out" "LE_INVALID_PRIVILEGE" "  says the launch enclave"
exits 0 "a debug enclave needs no entry" "$bawn" launch token --debug --white-list "$tmp/list" --json \
	"$enclaves/witness-other.signed.so"
like "$out" '"emulated": true' "  JSON says where it is from"
like "$out" '"attributes": "06' "  and for which attributes"
ok "a list of all" "$bawn" launch whitelist create --root-key "$root.pem" --list-version 2 --any -o "$tmp/any"
ok "lets the other in" "$bawn" launch token --white-list "$tmp/any" -o "$tmp/token" "$enclaves/witness-other.signed.so"
ok "which loads" "$bawn" load --token "$tmp/token" "$enclaves/witness-other.signed.so"
exits 1 "but nobody gets PROVISION_KEY by it" "$bawn" launch token --white-list "$tmp/any" -o "$tmp/token" \
	"$enclaves/provision.signed.so"
ok "a list for that" "$bawn" launch whitelist create --root-key "$root.pem" --list-version 1 --type provision \
	-o "$tmp/provision" "$enclaves/provision.signed.so" "$enclaves/quote.signed.so"
ok "gives it" "$bawn" launch token --white-list "$tmp/any" --white-list "$tmp/provision" -o "$tmp/token" \
	"$enclaves/provision.signed.so"
ok "to those named" "$bawn" load --token "$tmp/token" "$enclaves/provision.signed.so"

# to standard output
"$bawn" launch token --white-list "$tmp/list" -o - "$enclaves/witness.signed.so" >"$tmp/token.out"
"$bawn" launch whitelist create --root-key "$root.pem" --list-version 1 --any -o - >"$tmp/list.out"
is "$(stat -c %s "$tmp/token.out")" 304 "a token to standard output"
ok "is one" "$bawn" load --token "$tmp/token.out" "$enclaves/witness.signed.so"
ok "a list to standard output" "$bawn" launch whitelist show "$tmp/list.out"
ok "no file is named -" test ! -e ./-
exits 64 "not beside a JSON document" "$bawn" launch whitelist create --root-key "$root.pem" --list-version 1 \
	--any --json -o -

head -c 100 "$tmp/list" >"$tmp/half"
exits 1 "half a list is none" "$bawn" launch whitelist show --json "$tmp/half"
like "$("$bawn" launch whitelist show --json "$tmp/half" 2>&-)" '"error": "' "  and JSON says so too"

# another root, another provider
"$bawn" sign --p256 --new-key "$tmp/key.pem" >"$tmp/said"
sed 's/.* public key //' "$tmp/said" >"$tmp/key.pub"
ok "a list by a provider of the root's" "$bawn" launch whitelist create --root-key "$root.pem" \
	--provider-key "$tmp/key.pem" --list-version 3 --any -o "$tmp/list3"
ok "is taken" "$bawn" launch token --white-list "$tmp/list3" -o "$tmp/token" "$enclaves/witness.signed.so"
ok "a list by another root" "$bawn" launch whitelist create --root-key "$tmp/key.pem" --list-version 4 --any \
	-o "$tmp/foreign" --json
exits 3 "does not hold under ours" "$bawn" launch whitelist show --root "$root.pub" "$tmp/foreign"
exits 0 "but under its own" "$bawn" launch whitelist show --root "$tmp/key.pub" "$tmp/foreign"
exits 0 "or under that key as it was made" "$bawn" launch whitelist show --root "$tmp/key.pem" "$tmp/foreign"
like "$out" "signatures +hold" "  which is told"
openssl pkey -in "$tmp/key.pem" -pubout -out "$tmp/key.public" 2>/dev/null
openssl ec -in "$tmp/key.pem" -out "$tmp/key.sec1" 2>/dev/null
exits 0 "its public half in PEM" "$bawn" launch whitelist show --root "$tmp/key.public" "$tmp/foreign"
openssl ec -in "$tmp/key.pem" -pubout -conv_form compressed -out "$tmp/key.short" 2>/dev/null
exits 0 "that with its point compressed" "$bawn" launch whitelist show --root "$tmp/key.short" "$tmp/foreign"
exits 0 "the form that openssl ec writes" "$bawn" launch whitelist show --root "$tmp/key.sec1" "$tmp/foreign"
exits 0 "digits from a system with other line ends" \
	"$bawn" launch whitelist show --root <(sed 's/$/\r/' "$tmp/key.pub") "$tmp/foreign"
exits 3 "ours in PEM is not its" "$bawn" launch whitelist show --root "$root.pem" "$tmp/foreign"
openssl pkey -in "$root.pem" -pubout -out "$tmp/root.public" 2>/dev/null
exits 3 "nor its public half" "$bawn" launch whitelist show --root "$tmp/root.public" "$tmp/foreign"
exits 1 "a key that is not of P-256" "$bawn" launch whitelist show --root "$BUILD/keys/development.pem" "$tmp/foreign"
like "$out" "development.pem: not a P-256 key" "  is told"
openssl pkey -in "$BUILD/keys/development.pem" -pubout -out "$tmp/rsa.public" 2>/dev/null
exits 1 "nor its public half" "$bawn" launch whitelist show --root "$tmp/rsa.public" "$tmp/foreign"
like "$out" "rsa.public: not a P-256 key" "  is told"
# The last byte of y is one of the base64 characters before the end: the point leaves the curve.
awk '{ l[NR] = $0 } END { if (sub(/A==$/, "Q==", l[NR-1]) == 0) sub(/.==$/, "A==", l[NR-1])
	for (i = 1; i <= NR; i++) print l[i] }' "$tmp/key.public" >"$tmp/bent.public"
exits 1 "a point that is not on the curve" "$bawn" launch whitelist show --root "$tmp/bent.public" "$tmp/foreign"
exits 1 "a file that is no key" "$bawn" launch whitelist show --root VERSION "$tmp/foreign"
like "$out" "VERSION: no P-256 key: neither PEM .* nor 128 digits" "  is told what would be"
exits 1 "and is refused" "$bawn" launch token --white-list "$tmp/foreign" -o "$tmp/token" "$enclaves/witness.signed.so"
like "$out" "LE_LIST_SIGNATURE" "  by the launch enclave"

# an attester there
ok "a fab" "$bawn" emu fab create --fab "$tmp/fab" --pce "$enclaves/provision.signed.so" --qe "$enclaves/quote.signed.so"
"$bawn" emu fab issue --fab "$tmp/fab" -o "$tmp/chain"
attest() { "$bawn" attest --state "$tmp/state" --pck-chain "$tmp/chain" --report "$tmp/report" -o "$tmp/quote" "$@"; }
head -c 432 /dev/zero >"$tmp/report"
exits 1 "no quoting enclave without lists" attest
like "$out" "launch token: the enclave answered LE_" "  says the launch enclave"
exits 1 "without a list for PROVISION_KEY, no PCE" attest --white-list "$tmp/any"
exits 1 "with both they are launched" attest --white-list "$tmp/any" --white-list "$tmp/provision"
like "$out" "gen_quote: .*REPORT" "  and the quoting enclave looks at the report"

exits 1 "a signature of another size" "$bawn" launch token --sigstruct VERSION -o "$tmp/x" "$enclaves/witness.signed.so"
like "$out" "SIGSTRUCT has 1808 bytes" "  is told"

# Intel's launch enclave, whose production signature is a file by itself.
intel=${BAWN_CONFORMANCE:-}
if [ -e "$intel/libsgx_le.signed.so" ]; then
	css=$intel/le_prod_css.bin
	le=$("$bawn" inspect --json --sigstruct "$css" "$intel/libsgx_le.signed.so" |
		sed -n 's/^ *"mrsigner": "\(.*\)",*/\1/p' | head -n 1)
	export BAWN_PLATFORM=$tmp/intel
	ok "a platform locked to Intel's launch enclave" "$bawn" emu platform create --locked-launch --lepubkeyhash "$le"
	ok "whose token" "$bawn" launch token --debug --launch "$intel/libsgx_le.signed.so" --launch-sigstruct "$css" \
		--white-list "$intel/white_list_cert_to_be_verify.bin" -o "$tmp/token" "$enclaves/witness.signed.so"
	exits 0 "loads an enclave of ours" "$bawn" load --debug --token "$tmp/token" "$enclaves/witness.signed.so"
else
	skip "BAWN_CONFORMANCE names no folder with Intel's launch enclave"
fi

exits 64 "a list of nobody" "$bawn" launch whitelist create --root-key "$root.pem" --list-version 1 -o "$tmp/x"
exits 64 "everybody has no PROVISION_KEY" "$bawn" launch whitelist create --root-key "$root.pem" --list-version 1 \
	--type provision --any -o "$tmp/x"
exits 64 "no key" "$bawn" launch whitelist create --list-version 1 --any -o "$tmp/x"
exits 1 "a key of another kind" "$bawn" launch whitelist create --root-key "$BUILD/keys/development.pem" \
	--list-version 1 --any -o "$tmp/x"
exits 1 "a signer that is none" "$bawn" launch whitelist create --root-key "$root.pem" --list-version 1 -o "$tmp/x" VERSION
head -c 200 "$tmp/list" >"$tmp/short"
exits 1 "a list cut short" "$bawn" launch whitelist show "$tmp/short"
exits 1 "a file that is none" "$bawn" launch whitelist show VERSION
exits 64 "a token to nowhere" "$bawn" launch token "$enclaves/witness.signed.so"
ok "nothing was written" test ! -e "$tmp/x"
tap_done
