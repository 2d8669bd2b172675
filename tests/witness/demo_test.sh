# The demo: each of its steps, that it leaves nothing behind, and that a step that fails fails it.
# shellcheck shell=bash
. tests/tap.sh
[ -z "${VARIANT:-}" ] || skip_all "a $VARIANT build has no library to link the demo to"
export TMPDIR=$tmp
chmod 711 "$tmp" # run by root, bawnd has users of its own
env -u MAKEFLAGS -u MAKELEVEL make -s BUILD="$BUILD" "$BUILD/examples/demo" >/dev/null

exits 0 "the demo" env -u BAWN_PLATFORM -u BAWN_DEVICE BUILD="$BUILD" tools/demo.sh
like "$out" 'emulated SGX CPU' "says that it is emulated"
like "$out" 'came back +"through the wall and back"' "a call in"
like "$out" 'got 42, which is right' "a call out"
like "$out" 'made on this platform, by what was measured above' "a report verified"
like "$out" 'unsealed +"the tide turns' "a secret unsealed"
like "$out" 'refused +status 0x3001' "and refused"
like "$out" 'accepted: the quote is genuine' "a quote verified"
like "$out" 'pck.pem: OK' "and its chain by openssl"
is "$(echo "$out" | grep -o '(process [0-9]*\|new process ([0-9]*' | grep -o '[0-9]*' | sort -u | wc -l)" 4 \
	"by four processes"
is "$(ls "$tmp")" "" "nothing is left"

# A platform of one's own is used, and kept.
export BAWN_PLATFORM=$tmp/mine
ok "a platform" "$bawn" emu platform create
id=$("$bawn" emu platform show | sed -n 's/^ *id *//p')
exits 0 "the demo on it" env BUILD="$BUILD" tools/demo.sh
like "$out" "$id" "is on it"
ok "which is still there" "$bawn" emu platform show

# Break a step: the second process on another platform cannot unseal.
"$BUILD/examples/demo" first "$BUILD/enclaves" "$tmp/sealed" >/dev/null
ok "another platform" env BAWN_PLATFORM="$tmp/other" "$bawn" emu platform create
exits 1 "a secret of another platform fails the step" \
	env BAWN_PLATFORM="$tmp/other" "$BUILD/examples/demo" second "$BUILD/enclaves" "$tmp/sealed"
like "$out" 'FAILED: unsealing' "and says which"
exits 1 "an enclave that is not there, too" "$BUILD/examples/demo" first "$tmp" "$tmp/sealed"
ok "a fab" "$bawn" emu fab create --fab "$tmp/fab" --pce "$(printf '%064d' 7)" --pcesvn 1
ok "that certifies another PCE's key" "$bawn" emu fab issue --fab "$tmp/fab" -o "$tmp/chain"
exits 1 "a certificate of another key fails the quote" env XDG_STATE_HOME="$tmp/state" \
	"$BUILD/examples/demo" attest "$BUILD/enclaves" "$tmp/quote" "$tmp/chain"
like "$out" 'not for this platform and its PCE' "and says why"
tap_done
