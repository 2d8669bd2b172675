#!/usr/bin/env bash
# bawn quote show: every field of every kind of quote; and certificates that collateral show prints.
. tests/tap.sh

command -v python3 >/dev/null && command -v openssl >/dev/null || skip_all "python3 or openssl is not installed"

exits 0 "every field is what an independent reader finds" python3 tests/cli/quote_show.py "$bawn" fuzz/corpus/quote/*
corpus=${BAWN_CORPUS:-../shared/corpus}
real=$(ls -d "$corpus"/real-sgx3* "$corpus"/real-tdx* "$corpus"/synth-sgx[45]* 2>/dev/null | awk "NR % 20 == 1" | sed "s,\$,/quote.bin,")
if [ -n "$real" ]; then
	# shellcheck disable=SC2086
	exits 0 "of real ones too" python3 tests/cli/quote_show.py "$bawn" $real
else
	skip "no corpus of real quotes"
fi

quote=fuzz/corpus/quote/sgx3
head -c 900 "$quote" >"$tmp/short"
exits 1 "a quote cut short is refused" "$bawn" quote show "$tmp/short"
like "$out" "the quote ends in its authentication data" "with the reason"
exits 1 "so in JSON" sh -c "'$bawn' quote show --json '$tmp/short' 2>/dev/null"
like "$out" '"error": "the quote ends' "which has the reason"
exits 1 "no such file" "$bawn" quote show "$tmp/none"
: >"$tmp/empty"
exits 1 "an empty file" "$bawn" quote show "$tmp/empty"
exits 64 "no operand" "$bawn" quote show
cp "$quote" "$tmp/badcert"
# The leaf's first base64 digit, which every certificate has as M.
at=$(grep -abo -m1 BEGIN "$quote" | head -n 1 | cut -d: -f1)
printf '!' | dd of="$tmp/badcert" bs=1 seek=$((at + 24)) conv=notrunc 2>/dev/null
exits 1 "a certificate in it that is none" "$bawn" quote show "$tmp/badcert"
like "$out" "MRENCLAVE" "what there is is shown all the same"

# certificates by themselves
exits 0 "a certificate, DER" "$bawn" collateral show --json fuzz/corpus/cert/pck
like "$out" '"ppid": "1{32}"' "with its SGX extension"
like "$out" '"digitalSignature"' "and what its key is for"
exits 0 "a chain, PEM" "$bawn" collateral show fuzz/corpus/cert/chain
is "$(printf '%s\n' "$out" | grep -c '^  certificate ')" 3 "has three"
like "$out" 'a CA; for keyCertSign cRLSign' "CAs say so"
exits 0 "an emulated platform's" "$bawn" collateral show fuzz/corpus/cert/emulated
like "$out" "EMULATED: it protects nothing" "says so"
exits 0 "a revocation list" "$bawn" collateral show fuzz/corpus/crl/pck.pem
like "$out" "3 entries" "with its entries"
exits 0 "a TCB info" "$bawn" collateral show fuzz/corpus/tcb_info/sgx
exits 0 "a QE identity" "$bawn" collateral show fuzz/corpus/qe_identity/qe
exits 1 "anything else is refused" "$bawn" collateral show VERSION
tap_done
