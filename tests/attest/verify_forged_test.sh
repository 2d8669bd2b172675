# bawn verify with forged platforms, so without any corpus: roots and profiles,
# certificates whose key the quote does vouch for, quotes without a PCK chain.
# shellcheck shell=bash disable=SC2317 # `verify` is called by exits
. tests/tap.sh
forge=$BUILD/tests/attest/forge_prog
at=2026-01-01

verify() { # FOLDER [ARGUMENTS]: with its own collateral
	local folder=$1
	shift
	"$bawn" verify --collateral "$folder" --at "$at" "$@"
}

for tee in sgx tdx; do
	d=$tmp/$tee
	"$forge" "$d" $tee
	exits 4 "$tee: a root of our own is not Intel's" verify "$d" "$d/quote.bin"
	exits 0 "$tee: it is accepted when given" verify "$d" --root "$d/root_ca.pem" "$d/quote.bin"
	like "$out" "^accepted: .*UpToDate" "and said to be so"
	"$forge" "$tmp/old" $tee old
	exits 3 "$tee: out of date" verify "$tmp/old" --root "$tmp/old/root_ca.pem" "$tmp/old/quote.bin"
	like "$out" "the TCB status is not accepted: OutOfDate" "and said to be so"
	for type in 1 2 3 4; do
		"$forge" "$tmp/type" $tee type=$type
		exits 0 "$tee: a quote of certification type $type" verify "$tmp/type" --root "$tmp/type/root_ca.pem" \
			"$tmp/type/quote.bin"
		rm "$tmp/type/pck_chain.pem"
		want=5
		[ $type != 4 ] || want=0
		exits $want "$tee: the same without pck_chain.pem" verify "$tmp/type" --root "$tmp/type/root_ca.pem" \
			"$tmp/type/quote.bin"
	done

	d=$tmp/emulated.$tee
	"$forge" "$d" $tee emulated
	exits 4 "$tee: an emulated platform is not genuine" verify "$d" "$d/quote.bin"
	exits 4 "$tee: nor with leave, as long as its root is not given" verify "$d" --allow-emulated "$d/quote.bin"
	exits 1 "$tee: nor has its root Intel's names" verify "$d" --allow-emulated --root "$d/root_ca.pem" "$d/quote.bin"
	emulated=(--root "$d/root_ca.pem" --profile emulated)
	exits 3 "$tee: given its root, it is not acceptable without leave" verify "$d" "${emulated[@]}" --json "$d/quote.bin"
	like "$out" '"emulated": true' "the output says emulated"
	like "$(printf %s "$out" | tr -d ' \n')" '"violations":\["emulated"\]' "and that this is why"
	exits 0 "$tee: with root and leave it is" verify "$d" "${emulated[@]}" --allow-emulated --json "$d/quote.bin"
	like "$out" '"emulated": true' "and the output says emulated still"
	exits 0 "$tee: in words" verify "$d" "${emulated[@]}" --allow-emulated "$d/quote.bin"
	like "$out" "EMULATED .*protects nothing" "too"
	echo "emulated allow" >"$tmp/policy"
	exits 0 "$tee: leave by a policy" verify "$d" "${emulated[@]}" --policy "$tmp/policy" "$d/quote.bin"
	exits 1 "$tee: a root without the marker is not an emulated platform's" verify "$tmp/$tee" --profile emulated \
		--root "$tmp/$tee/root_ca.pem" --allow-emulated "$tmp/$tee/quote.bin"

	d=$tmp/owner.$tee
	"$forge" "$d" $tee owner
	printf '# ours\nroot Our Root\npck-ca Our CA\npck Our Platform\ntcb-signing Our TCB\nrest O=Example, C=IE\n' >"$tmp/names"
	exits 0 "$tee: an owner's root and names" verify "$d" --root "$d/root_ca.pem" --profile "$tmp/names" "$d/quote.bin"
	sed 's/Example/Sample/' "$tmp/names" >"$tmp/names2"
	exits 1 "$tee: another organisation" verify "$d" --root "$d/root_ca.pem" --profile "$tmp/names2" "$d/quote.bin"
	sed 's/Our Platform/Your Platform/' "$tmp/names" >"$tmp/names2"
	exits 4 "$tee: another name of the platforms" verify "$d" --root "$d/root_ca.pem" --profile "$tmp/names2" \
		"$d/quote.bin"
done

d=$tmp/sgx
exits 0 "a root of its own is kept for with --root" "$bawn" collateral import --collateral "$tmp/store" --at "$at" \
	--root "$d/root_ca.pem" "$d"
exits 1 "and not without" "$bawn" collateral import --collateral "$tmp/store" --at "$at" "$d"
exits 0 "check it" "$bawn" collateral check --collateral "$tmp/store" --at "$at" --root "$d/root_ca.pem" --warn 0
exits 4 "check it by Intel's key" "$bawn" collateral check --collateral "$tmp/store" --at "$at" --warn 0

command -v openssl >/dev/null || { skip "the openssl command is not here"; tap_done; }

hexbytes() { od -An -v -tx1 "$1" | tr -d ' \n'; }
bytes() { # FILE: CBOR byte string, in hex
	printf '59%04x%s' "$(wc -c <"$1")" "$(hexbytes "$1")"
}
certify() { # OID HEX: a certificate with this extension
	printf '[req]\ndistinguished_name=dn\n[dn]\n[x]\n%s=DER:%s\n' "$1" "$2" >"$tmp/cnf"
	openssl req -x509 -new -key "$tmp/key" -subj /CN=test -config "$tmp/cnf" -extensions x -out "$tmp/cert.pem"
	openssl x509 -in "$tmp/cert.pem" -outform DER -out "$tmp/cert.der"
}
openssl ecparam -name secp384r1 -genkey -noout -out "$tmp/key"
openssl pkey -in "$tmp/key" -pubout -outform DER -out "$tmp/spki"
digest=$(openssl dgst -sha256 -r "$tmp/spki" | cut -c1-64)

for tee in sgx tdx; do
	d=$tmp/bound
	"$forge" "$d" $tee "report-data=${digest}$(printf %064d 0)"
	for oid in 1.2.840.113741.1337.6 1.2.840.113741.1.13.1; do
		certify $oid "$(hexbytes "$d/quote.bin")"
		for form in pem der; do
			exits 0 "$tee: a certificate with $oid, $form" verify "$d" --root "$d/root_ca.pem" --cert --json \
				"$tmp/cert.$form"
			like "$out" '"key_bound": true' "its key is vouched for"
		done
	done
	# a1 6b pubkey-hash 5824 [1, digest]: what the report data is the digest of
	claims=a16b7075626b65792d68617368582482015820$digest
	# shellcheck disable=SC2059 # the escapes are the point
	printf "$(printf %s "$claims" | sed 's/../\\x&/g')" >"$tmp/claims"
	of_claims=$(openssl dgst -sha256 -r "$tmp/claims" | cut -c1-64)
	"$forge" "$d" $tee "report-data=${of_claims}$(printf %064d 0)"
	certify 2.23.133.5.4.9 "d9ea6082$(bytes "$d/quote.bin")$(bytes "$tmp/claims")"
	exits 0 "$tee: a certificate with tagged evidence" verify "$d" --root "$d/root_ca.pem" --cert "$tmp/cert.pem"
	like "$out" "binding .*vouches for the certificate's key" "its key is vouched for"
	like "$out" "not checked .*own signature, names and dates" "and what was not checked is told"
	exits 0 "$tee: on standard input, behind other text" bash -c \
		"{ echo CONNECTED; cat '$tmp/cert.pem'; } | '$bawn' verify --collateral '$d' --at '$at' --root '$d/root_ca.pem' --cert -"
	exits 3 "$tee: the policy holds for certificates too" verify "$d" --root "$d/root_ca.pem" --cert --report-data 00 \
		"$tmp/cert.pem"
	openssl ecparam -name prime256v1 -genkey -noout -out "$tmp/key2"
	mv "$tmp/key" "$tmp/key1" && mv "$tmp/key2" "$tmp/key"
	certify 2.23.133.5.4.9 "d9ea6082$(bytes "$d/quote.bin")$(bytes "$tmp/claims")"
	exits 4 "$tee: the same evidence in another key's certificate" verify "$d" --root "$d/root_ca.pem" --cert "$tmp/cert.pem"
	like "$out" "do not name the certificate's key" "says so"
	mv "$tmp/key1" "$tmp/key"
done
tap_done
