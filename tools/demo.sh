#!/bin/sh
# The demo: one enclave's life on the emulated SGX CPU, step by step. Run by
# `make demo`, which has built what is in $BUILD. Everything it makes is in a
# temporary folder, the platform too unless BAWN_PLATFORM names one.
set -eu

BUILD=${BUILD:-build}
dir=$(mktemp -d "${TMPDIR:-/tmp}/bawn-demo.XXXXXX")
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM
BAWN_DEVICE=emulated
export BAWN_DEVICE

cat <<'END'
Bawn: the life of an enclave, on the emulated SGX CPU.

The emulated CPU is asked for by name here, as it always must be. It behaves
as SGX hardware does, but protects nothing from whoever can read its platform.

The platform
END
if [ -z "${BAWN_PLATFORM:-}" ]; then
	BAWN_PLATFORM=$dir/platform
	export BAWN_PLATFORM
	"$BUILD/bawn" emu platform create >/dev/null
fi
"$BUILD/bawn" emu platform show

for step in first second other; do
	"$BUILD/examples/demo" $step "$BUILD/enclaves" "$dir/secret.sealed"
done
printf '\nAll of it happened as it should.\n'
