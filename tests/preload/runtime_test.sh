# The runtime's own tests on the in-kernel driver's backend, which finds its
# device, and the vDSO's function, under `bawn emulate`.
# shellcheck shell=bash
. tests/tap.sh
. tests/preload/lib.sh
export BAWN_TEST_DEVICE=kernel BAWN_TEST_CALLS=20000 BUILD

for t in host/runtime witness/witness witness/boundary host/stress; do
	client -- "$BUILD/tests/${t}_test"
done

witness=$BUILD/enclaves/witness.signed.so
exits 0 "bawn load" emulated -- "$bawn" load --allow-development --device kernel --json "$witness"
like "$out" '"device": "kernel"' "on the in-kernel driver"
exits 0 "and without saying which: it is found" emulated -- "$bawn" load --allow-development --json "$witness"
like "$out" '"device": "kernel"' "it is the kernel's"
like "$out" '"emulated": true' "which says that it is emulated all the same"
provision=$BUILD/enclaves/witness-provision.signed.so
exits 0 "an enclave with PROVISION_KEY: the backend asks the provision device" \
	emulated -- "$bawn" load --allow-development --device kernel "$provision"
exits 0 "bawn check" emulated -- "$bawn" check --json
like "$out" '"present": true' "sees the devices"
tap_done
