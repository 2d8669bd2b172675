#!/usr/bin/env bash
# What is told of a file that is of another kind than the command takes: what it looks like, what
# was expected, and which command is for it.
. tests/tap.sh

quote=fuzz/corpus/quote/sgx3 crl=fuzz/corpus/crl/pck
signed=fuzz/corpus/sigstruct/signed list=fuzz/corpus/white_list/launch
base64 "$quote" >"$tmp/quote.b64"
base64 "$crl" >"$tmp/crl.b64"
od -An -v -tx1 "$quote" | tr -d ' \n' >"$tmp/quote.hex"
printf '{"name": "value"}\n' >"$tmp/plain.json"
printf -- '-----BEGIN DH PARAMETERS-----\nMAYCAQUCAQI=\n-----END DH PARAMETERS-----\n' >"$tmp/dh.pem"
"$bawn" sign --p256 --new-key "$tmp/key.pem" >/dev/null
: >"$tmp/empty"
{ printf '\2\0\1\0'; head -c 600 /dev/zero; } >"$tmp/epid"
head -c 5000000 /dev/zero >"$tmp/large"
{ printf '\377\376\1'; head -c 600 /dev/zero; } >"$tmp/odd"

# told COMMAND FILE REGEX: exit code 1, the file named, and that. JSON has the same as "error".
told() {
	local json want
	# shellcheck disable=SC2086
	exits 1 "$1 refuses $2" "$bawn" $1 "$2"
	like "$out" "^bawn: $1: .*$2.*$3" "  and says why"
	# shellcheck disable=SC2086
	json=$("$bawn" $1 --json "$2" 2>&-)
	want=${out##*"$2: "}
	case "$out" in *" $2 is "*) want=" $2 is " ;; esac
	tap "$(case "$json" in *"\"error\": \""*"${want//\"/\\\"}"*) echo 0 ;; *) echo 1 ;; esac)" "  JSON too" ||
		printf '%s\n' "$json" | sed 's/^/# /'
}

for command in "quote show" "collateral show"; do
	told "$command" VERSION "this is plain text, not a"
	told "$command" "$bawn" "this is an ELF file, not a.*; .bawn inspect. shows enclaves|larger than"
	told "$command" "$BUILD/enclaves/witness.so" "this is an ELF file, not a.*; .bawn inspect. shows enclaves"
	told "$command" fuzz/corpus/sgxs/sized "this is an enclave as an SGXS stream, not a.*; .bawn inspect. shows it"
	told "$command" "$tmp/plain.json" "this is JSON of another kind, not a"
	told "$command" "$tmp/dh.pem" "this is PEM of another kind, not a"
	told "$command" "$tmp/key.pem" "this is a private key, not a.*; show it to nobody"
	told "$command" "$tmp/empty" "this is an empty file, not a"
	told "$command" "$tmp/epid" "this is an EPID quote, not a"
	told "$command" "$signed" "this is a SIGSTRUCT, not a.*; .bawn inspect --sigstruct. shows it with its enclave"
	told "$command" fuzz/corpus/token/debug "this is a launch token, not a.*; .bawn load --token. uses it"
	told "$command" "$list" "this is a white list, not a.*; .bawn launch whitelist show. shows it"
	told "$command" "$tmp/large" "is larger than"
	told "$command" "$tmp/odd" "not (a quote|collateral), it seems: "
done
exits 1 "a directory is no quote" "$bawn" quote show "$tmp"
like "$out" "no quote: $tmp is a directory" "is told"
exits 1 "a directory without collateral" "$bawn" collateral show "$tmp"
like "$out" "$tmp: no collateral in it; .bawn collateral fetch. or .import. keeps some" "says how some comes there"
like "$("$bawn" collateral show --json "$tmp" 2>&-)" '"error": ".*no collateral in it"' "JSON too"
told "quote show" fuzz/corpus/tcb_info/sgx "this is a TCB info, not a quote .*; .bawn collateral show. shows it"
told "quote show" fuzz/corpus/qe_identity/qe "this is a QE identity, not a quote .*; .bawn collateral show. shows it"
told "quote show" fuzz/corpus/cert/pck "these are certificates, not a quote .*; .bawn collateral show. shows them"
told "quote show" fuzz/corpus/cert/chain "these are certificates, not a quote .*; .bawn collateral show. shows them"
for form in "$crl" "$tmp/crl.b64" fuzz/corpus/crl/root.hex fuzz/corpus/crl/pck.pem; do
	told "quote show" "$form" "this is a revocation list, not a quote .*; .bawn collateral show. shows it"
done
# Certificates are in a quote, too, and would be shown as if they were all of it.
for form in "$quote" "$tmp/quote.hex" "$tmp/quote.b64" fuzz/corpus/quote/tdx4; do
	told "collateral show" "$form" "this is a quote, not a TCB info.*; .bawn quote show. shows it"
done
for file in VERSION "$quote" "$crl" "$tmp/key.pem" "$tmp/empty" "$signed"; do
	told "launch whitelist show" "$file" "this is .*, not a white list of signers"
done

# A server's certificate with a quote in it, whoever may have signed it.
if command -v openssl >/dev/null; then
	openssl req -x509 -newkey rsa:2048 -nodes -keyout "$tmp/k" -out "$tmp/ratls.pem" -subj /CN=server \
		-addext "1.2.840.113741.1337.6=DER:$(head -c 1200 "$tmp/quote.hex")" 2>/dev/null
	openssl x509 -in "$tmp/ratls.pem" -outform der -out "$tmp/ratls.der"
	for form in pem der; do
		told "quote show" "$tmp/ratls.$form" "this is a certificate that carries a quote, not a quote .*; .bawn verify --cert. verifies it"
	done
else
	skip "the openssl command is not here"
fi

# A damaged one of the right kind is not called foreign: the reader knows better.
head -c 900 "$quote" >"$tmp/short"
exits 1 "a quote cut short" "$bawn" quote show "$tmp/short"
like "$out" "short: the quote ends in its authentication data" "is one all the same"
sed 's/"fmspc": *"/&00/' fuzz/corpus/tcb_info/sgx >"$tmp/tcb_info.json"
exits 1 "a TCB info with a slip in it" "$bawn" collateral show "$tmp/tcb_info.json"
like "$out" "tcb_info.json: tcbInfo, byte .* expected" "the same"

# In a directory, a part that is something else.
mkdir "$tmp/set"
cp "$quote" "$tmp/set/qe_identity.json"
exits 1 "a set with a quote for a part" "$bawn" collateral show "$tmp/set"
like "$out" "set: qe_identity.json: this is a quote, not a TCB info" "says which"

exits 0 "collateral from standard input" "$bawn" collateral show - <"$crl"
like "$out" "revocation list of" "is shown"
exits 1 "so is what is none" "$bawn" collateral show - <VERSION
like "$out" "collateral show: -: this is plain text" "refused"
exits 64 "no home directory, no collateral named" env -u HOME -u XDG_CACHE_HOME -u BAWN_COLLATERAL "$bawn" collateral show
like "$out" "give --collateral DIR" "says what to do"
exits 1 "nothing was ever kept" env -u XDG_CACHE_HOME -u BAWN_COLLATERAL HOME="$tmp" "$bawn" collateral show
like "$out" "no such directory; .bawn collateral fetch" "says how some comes there"

tap_done
