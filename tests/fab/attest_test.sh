#!/usr/bin/env bash
# From fuses to a verdict: quotes made on emulated platforms, certified by a fab, judged by
# bawn verify. Every status on purpose; and what must be refused.
. tests/tap.sh

export HOME=$tmp XDG_STATE_HOME=$tmp/state BAWN_DEVICE=emulated BAWN_PLATFORM=$tmp/platform BAWN_FAB=$tmp/fab
export BAWN_ENCLAVES=$BUILD/enclaves
enclaves=$BUILD/enclaves
fab=$BAWN_FAB
one=01010101010101010101010101010101
two=02010101010101010101010101010101

verify() { # [OPTION...]: the quote under the fab's root
	"$bawn" verify --profile emulated --allow-emulated --root "$fab/root_ca.pem" --collateral "$fab/collateral" "$@"
}
# judged EXIT STATUS NAME [OPTION...]
judged() {
	local code=$1 status=$2 name=$3
	shift 3
	exits "$code" "$name" verify --json "$@" "$tmp/quote"
	like "$out" "\"tcb_status\": \"$status\"" "  its status is $status"
}
# refused EXIT REASON NAME [OPTION...]
refused() {
	local code=$1 reason=$2 name=$3
	shift 3
	exits "$code" "$name" verify --json "$@" "$tmp/quote"
	like "$out" "\"reason\": \"$reason\"" "  for $reason"
}
level() { "$bawn" emu fab level "$@"; }

# ---- a quote ----

ok "a platform" "$bawn" emu platform create
exits 1 "no fab: it says what to do" "$bawn" emu fab issue
like "$out" "bawn emu fab create" "  create one"
exits 1 "no certificate: it says what to do" "$bawn" attest -o "$tmp/quote"
like "$out" "bawn emu fab issue" "  issue one"
ok "a fab" "$bawn" emu fab create --pce "$enclaves/provision.signed.so" --qe "$enclaves/quote.signed.so"
ok "a certificate" "$bawn" emu fab issue -o "$tmp/chain"
ok "a quote" "$bawn" attest --pck-chain "$tmp/chain" --nonce c0ffee -o "$tmp/quote"
judged 0 UpToDate "it verifies" --report-data c0ffee
like "$out" '"emulated": true' "  as an emulated platform's"
exits 3 "not without being told that emulation is acceptable" "$bawn" verify --profile emulated \
	--root "$fab/root_ca.pem" --collateral "$fab/collateral" "$tmp/quote"
exits 4 "not under Intel's root" "$bawn" verify --collateral "$fab/collateral" "$tmp/quote"
exits 3 "not with other report data" verify --report-data c0ffef "$tmp/quote"
ok "the certificate is kept" "$bawn" attest -o "$tmp/quote"
judged 0 UpToDate "the next quote has it"
is "$(stat -c %a "$tmp"/state/bawn/attest/*/attestation_key.blob)" 600 "nobody else reads the sealed key"
cp "$tmp/quote" "$tmp/good"

# ---- an independent look at it ----

if command -v python3 >/dev/null && command -v openssl >/dev/null; then
	exits 0 "fuses, certificates, signatures and bindings, by openssl and a script of its own" \
		python3 tests/fab/independent.py "$tmp/quote" "$fab" "$BAWN_PLATFORM/platform"
	[ -n "$out" ] && printf '%s\n' "$out" | sed 's/^/# /'
	python3 - "$tmp/quote" "$tmp/flipped" <<-'END'
		import sys
		q = bytearray(open(sys.argv[1], "rb").read())
		q[48 + 64] ^= 1
		open(sys.argv[2], "wb").write(q)
	END
	exits 1 "which sees a bit of MRENCLAVE changed" \
		python3 tests/fab/independent.py "$tmp/flipped" "$fab" "$BAWN_PLATFORM/platform"
	exits 4 "as bawn verify does" verify "$tmp/flipped"
else
	skip "python3 or openssl is not installed"
fi

# ---- every status ----

for status in SWHardeningNeeded ConfigurationNeeded ConfigurationAndSWHardeningNeeded OutOfDate \
	OutOfDateConfigurationNeeded Revoked; do
	ok "the level becomes $status" level set --status "$status" --advisory EMU-SA-00001
	judged 3 "$status" "the quote is $status"
	like "$out" 'EMU-SA-00001' "  and says why"
done
ok "UpToDate again" level set --status UpToDate
judged 0 UpToDate "the quote is UpToDate"
ok "a level above" level set --cpusvn "$two" --status UpToDate
ok "and this one behind" level set --status OutOfDate --date 2024-02-03
judged 3 OutOfDate "the platform is behind"
like "$out" '"kind": "sgx-component"' "  by a component"
like "$out" '"need": 2' "  which would have to be 2"
like "$out" '"date": "2024-02-03T00:00:00Z"' "  as of the level's date"
ok "the levels below are gone" level remove --cpusvn "$one"
refused 4 tcb-not-supported "below every level"
exits 1 "no certificate below every level" "$bawn" emu fab issue
like "$out" "level set" "  it says what to do"
ok "there again" level set --status UpToDate
exits 1 "the last of the quoting enclave's levels stays" level remove --qe --isvsvn 1
exits 64 "a status that there is not" level set --status Good
exits 64 "a status that no platform has" level set --status TDRelaunchAdvised
exits 64 "an SVN of the quoting enclave without --qe" level set --isvsvn 1 --status UpToDate
exits 64 "a level of the quoting enclave without an SVN" level set --qe --status UpToDate

# ---- the quoting enclave's ----

ok "the quoting enclave is behind" level set --qe --isvsvn 1 --status OutOfDate
judged 3 OutOfDate "which tells"
ok "and the platform needs configuration" level set --status ConfigurationNeeded
judged 3 OutOfDateConfigurationNeeded "both"
ok "the quoting enclave is revoked" level set --qe --isvsvn 1 --status Revoked
judged 3 Revoked "which outweighs"
ok "vouching for another quoting enclave" "$bawn" emu fab vouch --qe "$enclaves/provision.signed.so"
refused 4 qe-identity "is not vouching for this one"
ok "vouching for it again" "$bawn" emu fab vouch --qe "$enclaves/quote.signed.so"
ok "and for the platform" level set --status UpToDate
judged 0 UpToDate "all is well"

# ---- a TCB recovery ----

ok "the evaluation to come wants an update" level set --early --cpusvn "$two" --status UpToDate
ok "and finds the rest out of date" level set --early --status OutOfDate
judged 0 UpToDate "today nothing changes"
judged 3 OutOfDate "the early set says what will" --early
like "$out" '"standard_tcb_status": "UpToDate"' "  and what is"
ok "the day comes" level adopt
judged 3 OutOfDate "the platform is out of date"
ok "it is updated" "$bawn" emu platform upgrade
ok "and certified anew" "$bawn" emu fab issue -o "$tmp/chain2"
exits 0 "it quotes at its new TCB" "$bawn" attest --pck-chain "$tmp/chain2" -o "$tmp/quote" --json
like "$out" "\"cpusvn\": \"$two\"" "  with the new certificate"
judged 0 UpToDate "and is up to date"
ok "the old certificate still serves" "$bawn" attest --pck-chain "$tmp/chain" -o "$tmp/quote"
judged 3 OutOfDate "at its old level"
"$bawn" attest --pck-chain "$tmp/chain2" -o "$tmp/quote"
like "$("$bawn" emu fab show)" "evaluation 2" "the evaluation number has risen"

# ---- revocation ----

serial=$("$bawn" emu fab issue --json | sed -n 's/^  "serial": "\(.*\)",/\1/p')
ok "the certificate is revoked" "$bawn" emu fab revoke "$serial"
refused 4 pck-revoked "its quotes are not genuine"
ok "which is lifted" "$bawn" emu fab revoke --lift "$serial"
ok "it is revoked since the beginning of 1970" \
	"$bawn" emu fab revoke --from 1970-01-01T00:00:00Z --until 2045-01-01T00:00:00Z "$serial"
like "$("$bawn" emu fab show --json)" '"revoked": "1970-01-01T00:00:00Z"' "that is an instant like others"
refused 4 pck-revoked "and its quotes are not genuine"
ok "which is lifted" "$bawn" emu fab revoke --lift "$serial"
issued=$("$bawn" emu fab show --json | grep -c '"serial"')
mv "$BAWN_FAB/pck" "$BAWN_FAB/away"
: >"$BAWN_FAB/pck"
exits 1 "where a certificate cannot be written there is none" "$bawn" emu fab issue --anew
rm "$BAWN_FAB/pck"
mv "$BAWN_FAB/away" "$BAWN_FAB/pck"
is "$("$bawn" emu fab show --json | grep -c '"serial"')" "$((issued + 1))" "... but it is on record, should it exist after all"
judged 0 UpToDate "then they are again"
ok "the CA is revoked" "$bawn" emu fab revoke --pck-ca
refused 4 pck-revoked "so are its certificates' quotes"
ok "lifted" "$bawn" emu fab revoke --lift --pck-ca
ok "the signer of TCB infos is revoked" "$bawn" emu fab revoke --tcb-signer
refused 5 signer-revoked "nothing is said by what it signed"
ok "lifted" "$bawn" emu fab revoke --lift --tcb-signer
ok "the root revokes itself" "$bawn" emu fab revoke --root
refused 4 pck-revoked "nothing below it is genuine"
ok "lifted" "$bawn" emu fab revoke --lift --root
judged 0 UpToDate "all is well again"
exits 1 "a serial that it never gave" "$bawn" emu fab revoke 00112233445566778899aabbccddeeff
exits 64 "what is no serial" "$bawn" emu fab revoke 0x12
exits 64 "nothing to revoke" "$bawn" emu fab revoke

# ---- dates ----

ok "collateral of the past" "$bawn" emu fab publish --from 2020-01-01 --until 2020-01-31
refused 5 expired "has ended"
ok "collateral of the future" "$bawn" emu fab publish --from 2090-01-01
refused 5 not-yet-valid "has not begun"
exits 64 "which ends before it begins" "$bawn" emu fab publish --from 2020-01-01 --until 2019-01-01
ok "of now" "$bawn" emu fab publish
judged 0 UpToDate "holds"
ok "into another store" "$bawn" emu fab publish -o "$tmp/elsewhere"
exits 0 "which serves as well" verify --collateral "$tmp/elsewhere" "$tmp/quote"
ok "a certificate that has ended" "$bawn" emu fab issue --from 2020-01-01 --until 2021-01-01 -o "$tmp/old"
ok "makes quotes" "$bawn" attest --pck-chain "$tmp/old" -o "$tmp/quote"
refused 5 expired "that nobody can judge"

# ---- wrong keys ----

ok "another platform" "$bawn" emu platform create "$tmp/other"
exits 1 "this platform's certificate is refused on it" "$bawn" attest --platform "$tmp/other" --pck-chain "$tmp/chain" \
	-o "$tmp/quote"
like "$out" "not for this platform and its PCE" "  with the reason"
ok "nothing was kept" test ! -e "$tmp/state/bawn/attest/emulated-$("$bawn" emu platform show "$tmp/other" |
	sed -n 's/^ *id *//p')/pck_chain.pem"
ok "its own" "$bawn" emu fab issue --platform "$tmp/other" --raw -o "$tmp/chain3"
ok "is taken" "$bawn" attest --platform "$tmp/other" --pck-chain "$tmp/chain3" -o "$tmp/quote"
judged 3 OutOfDate "at its own TCB"
ok "a certificate for another PCE's key" "$bawn" emu fab issue --pce "$enclaves/witness-provision.signed.so" \
	-o "$tmp/chain4"
exits 1 "is refused" "$bawn" attest --pck-chain "$tmp/chain4" -o "$tmp/quote"
like "$out" "not for this platform and its PCE" "  with the reason"
exits 1 "a certificate for a TCB that the platform has not reached" sh -c "
	'$bawn' emu fab issue --raw --cpusvn 05050505050505050505050505050505 -o '$tmp/chain5' &&
	'$bawn' attest --pck-chain '$tmp/chain5' -o '$tmp/quote'"
like "$out" "CPUSVN" "  is refused by the PCE"
for d in "$tmp"/state/bawn/attest/emulated-*; do cp "$d/attestation_key.blob" "$tmp/blob.$(basename "$d")"; done
set -- "$tmp"/blob.emulated-*
first=${1##*/blob.} second=${2##*/blob.}
cp "$2" "$tmp/state/bawn/attest/$first/attestation_key.blob"
ok "another platform's key in its place is of no use, and replaced" "$bawn" attest --pck-chain "$tmp/chain2" \
	-o "$tmp/quote"
judged 0 UpToDate "by its own"
head -c 100 /dev/zero >"$tmp/state/bawn/attest/$first/attestation_key.blob"
head -c 2205 /dev/zero >"$tmp/state/bawn/attest/$second/attestation_key.blob"
ok "so is a damaged one" "$bawn" attest -o "$tmp/quote"
ok "on either platform" "$bawn" attest --platform "$tmp/other" -o "$tmp/quote"

# ---- Intel's PCE, where there is one ----

pces=$([ -n "${BAWN_CONFORMANCE:-}" ] && find -L "$BAWN_CONFORMANCE" -name 'libsgx_pce*.signed.so' | sort)
[ -n "$pces" ] || skip "no PCE of Intel's: BAWN_CONFORMANCE names a folder of signed enclaves"
for pce in $pces; do
	name=$(basename "$pce")
	ok "a certificate for $name's key" "$bawn" emu fab issue --pce "$pce" -o "$tmp/chain.intel"
	ok "it certifies our quoting enclave" "$bawn" attest --state "$tmp/state.$name" --provision "$pce" \
		--pck-chain "$tmp/chain.intel" -o "$tmp/quote"
	judged 0 UpToDate "and the quote verifies"
	ok "so at its own TCB" sh -c "'$bawn' emu fab issue --raw --pce '$pce' -o '$tmp/chain.intel' &&
		'$bawn' attest --state '$tmp/state.$name' --provision '$pce' --pck-chain '$tmp/chain.intel' -o '$tmp/quote'"
	judged 0 UpToDate "which verifies too"
done

# ---- what is attested ----

exits 0 "a debug enclave" "$bawn" attest --debug -o "$tmp/quote"
exits 3 "is not accepted" verify "$tmp/quote"
like "$out" "debug" "  and that is why"
id=$(printf '%0128d' 42)
exits 0 "a KSS enclave" "$bawn" attest --enclave "$enclaves/witness-kss.signed.so" --config-id "$id" --config-svn 7 \
	-o "$tmp/quote" --json
like "$out" "\"configid\": \"$id\"" "  reports its CONFIGID"
like "$out" '"configsvn": 7' "  and CONFIGSVN"
like "$out" '"isvfamilyid": "0*[1-9a-f]' "  and ISVFAMILYID"
like "$out" '"isvextprodid": "0*[1-9a-f]' "  and ISVEXTPRODID"
mrsigner=$(printf '%s\n' "$out" | sed -n 's/^ *"mrsigner": "\(.*\)",/\1/p')
printf 'enclave mrsigner=%s configid=%s\n' "$mrsigner" "$id" >"$tmp/policy"
exits 0 "which a policy can ask for" verify --policy "$tmp/policy" "$tmp/quote"
printf 'enclave mrsigner=%s configid=%0128d\n' "$mrsigner" 43 >"$tmp/policy"
exits 3 "and refuse" verify --policy "$tmp/policy" "$tmp/quote"
exits 1 "an enclave without KSS has no CONFIGID" "$bawn" attest --config-id "$id" -o "$tmp/quote"
printf 'user data' >"$tmp/data"
ok "user data" "$bawn" attest --user-data "$tmp/data" -o "$tmp/quote"
exits 0 "are in the report data" verify --report-data "$(printf 'user data' | od -An -v -tx1 | tr -d ' \n')" "$tmp/quote"
ok "a digest" "$bawn" attest --digest "$tmp/data" -o "$tmp/quote"
exits 0 "is too" verify --report-data "$(sha256sum "$tmp/data" | cut -c1-64)" "$tmp/quote"
head -c 65 /dev/zero >"$tmp/long"
exits 1 "more than 64 bytes do not fit" "$bawn" attest --user-data "$tmp/long" -o "$tmp/quote"
like "$out" "digest" "  a digest does"
exits 64 "two kinds of report data" "$bawn" attest --nonce 00 --user-data "$tmp/data" -o "$tmp/quote"
exits 64 "a nonce of half a byte" "$bawn" attest --nonce 012 -o "$tmp/quote"
exits 64 "  said before a device is looked for" "$bawn" attest --device kernel --nonce 012 -o "$tmp/quote"
exits 64 "a report, and how to make one" "$bawn" attest --report "$tmp/data" --config-svn 1 -o "$tmp/quote"
exits 0 "JSON, and the quote to standard output" "$bawn" attest --nonce 00 -o - --json
like "$out" '"quote": "0300' "  it is in the JSON"
exits 1 "a fab for a quoting enclave that is not there" "$bawn" emu fab create --fab "$tmp/none" --qe "$tmp/no-such"
ok "  leaves nothing behind" test ! -e "$tmp/none"
exits 1 "an enclave that is not there" "$bawn" attest --enclave "$tmp/none.so" -o "$tmp/quote"
exits 1 "one that makes no report there" "$bawn" attest --report-call 0 -o "$tmp/quote"
ok "the target for other programs" "$bawn" attest --target "$tmp/target"
is "$(stat -c %s "$tmp/target")" 512 "is TARGETINFO"
exits 1 "a report that is none" "$bawn" attest --report "$tmp/data" -o "$tmp/quote"
head -c 432 /dev/zero >"$tmp/report"
exits 1 "a report of zeros" "$bawn" attest --report "$tmp/report" -o "$tmp/quote"
like "$out" "the enclave answered REPORT_" "  is refused by the quoting enclave"

exits 0 "a fab without a word about enclaves" "$bawn" emu fab create --fab "$tmp/own" --json
is "$(printf '%s\n' "$out" | grep -E '^  "(pce|qe)_mrsigner"')" \
	"$("$bawn" emu fab show --json | grep -E '^  "(pce|qe)_mrsigner"')" "vouches for Bawn's own"

# ---- names ----

ok "a fab with Intel's names" "$bawn" emu fab create --fab "$tmp/intel" --names intel \
	--pce "$enclaves/provision.signed.so" --qe "$enclaves/quote.signed.so"
"$bawn" emu fab issue --fab "$tmp/intel" --raw -o "$tmp/chain6"
ok "quotes" "$bawn" attest --pck-chain "$tmp/chain6" -o "$tmp/quote"
for profile in intel emulated; do
	out=$("$bawn" verify --profile $profile --allow-emulated --root "$tmp/intel/root_ca.pem" \
		--collateral "$tmp/intel/collateral" "$tmp/quote" 2>&1)
	ok "are accepted under no profile of ours: $profile" test $? -ne 0
done
like "$("$bawn" collateral show "$tmp/chain6")" "CN=Intel SGX PCK Platform CA" "they bear Intel's names"
like "$("$bawn" collateral show "$tmp/chain6")" "EMULATED" "and the marker"
tap_done
