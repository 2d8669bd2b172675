# The out-of-tree driver's interface, where launch control is locked to one signer.
# shellcheck shell=bash
. tests/tap.sh
. tests/preload/lib.sh
isgx=$clients/isgx
ok "a platform locked to a signer" "$bawn" emu platform create --locked-launch \
	--lepubkeyhash "$(cat "$BLOBS/signer.hex")"

client --driver isgx -- "$isgx" refused other
exits 0 "the launch enclave runs" emulated --driver isgx -- "$isgx" key
key=$(printf '%s\n' "$out" | sed -n 's/^KEY //p')
like "$key" '^[0-9a-f]{32}$' "it has the EINITTOKEN key"
cp "$BLOBS"/*.blob "$tmp"
ok "a token made with it" "$BUILD/tests/preload/blobs_prog" --token "$key" "$BLOBS/other.blob" "$tmp/other.blob"
BLOBS=$tmp client --driver isgx -- "$isgx" run other

client --driver isgx -- "$isgx" sgx2 plain

# The library's backend for it, with the launch enclave of the project.
launch=$BUILD/enclaves/launch.signed.so
enclave=$BUILD/enclaves/witness-other.signed.so
export BAWN_PLATFORM=$tmp/launch BAWN_DEVICE=isgx
ok "a platform locked to the launch enclave's signer" "$bawn" emu platform create --locked-launch \
	--lepubkeyhash "$("$bawn" inspect "$launch" | sed -n 's/^mrsigner *//p')"
exits 1 "an enclave of another signer is refused" emulated --driver isgx -- "$bawn" load --allow-development "$enclave"
like "$out" 'INVALID_EINITTOKEN' "for want of a token"
exits 0 "the launch enclave issues one" emulated --driver isgx -- "$bawn" launch token --allow-development \
	--launch "$launch" --debug --output "$tmp/token" "$enclave"
exits 0 "with it the enclave is accepted" emulated --driver isgx -- "$bawn" load --allow-development \
	--debug --token "$tmp/token" "$enclave"
export BAWN_PLATFORM=$tmp/platform
unset BAWN_DEVICE

# On the in-kernel driver there is no device without flexible launch control.
exits 1 "no in-kernel device under locked launch control" emulated -- "$clients/enter"
tap_done
