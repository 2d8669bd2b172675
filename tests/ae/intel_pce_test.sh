#!/usr/bin/env bash
# Intel's signed PCE certifies our quote enclave's key on an emulated platform, for every release
# that BAWN_CONFORMANCE has: the quote verifies under the fab's PCK certificate for that PCE.
. tests/tap.sh

real=${BAWN_CONFORMANCE:-}
found=$(ls "$real"/libsgx_pce*.signed.so "$real"/*/libsgx_pce*.signed.so 2>/dev/null)
if [ -z "$real" ] || [ -z "$found" ]; then
	echo "1..0 # SKIP BAWN_CONFORMANCE names no folder with libsgx_pce.signed.so"
	exit 0
fi
export HOME=$tmp BAWN_DEVICE=emulated

n=0
for pce in $found; do
	n=$((n + 1))
	at=$tmp/$n
	mkdir -p "$at/enclaves"
	cp "$BUILD"/enclaves/{quote,witness}.signed.so "$at/enclaves"
	cp "$pce" "$at/enclaves/provision.signed.so"
	export XDG_STATE_HOME=$at/state BAWN_PLATFORM=$at/platform BAWN_FAB=$at/fab BAWN_ENCLAVES=$at/enclaves
	like "$("$bawn" inspect "$pce")" '^signature  *holds' "$(basename "$pce"): Intel's signature holds"
	ok "a platform" "$bawn" emu platform create
	ok "a fab for it and this PCE" "$bawn" emu fab create --pce "$pce" --qe "$BUILD/enclaves/quote.signed.so"
	ok "a PCK certificate" "$bawn" emu fab issue -o "$at/chain"
	ok "a quote" "$bawn" attest --pck-chain "$at/chain" --nonce c0ffee -o "$at/quote"
	exits 0 "it verifies" "$bawn" verify --profile emulated --allow-emulated --root "$at/fab/root_ca.pem" \
		--collateral "$at/fab/collateral" --report-data c0ffee --json "$at/quote"
	like "$out" '"tcb_status": "UpToDate"' "UpToDate"
	ok "a fab that takes it for another PCE" env BAWN_FAB="$at/other" "$bawn" emu fab create \
		--pce "$BUILD/enclaves/provision.signed.so" --qe "$BUILD/enclaves/quote.signed.so"
	ok "certifies other keys" env BAWN_FAB="$at/other" "$bawn" emu fab issue -o "$at/wrong"
	exits 1 "with which no quote is made" "$bawn" attest --pck-chain "$at/wrong" -o "$at/quote2"
done
tap_done
