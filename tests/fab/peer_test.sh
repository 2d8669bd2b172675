#!/usr/bin/env bash
# Quotes made here, under a fab's root, as npm's @phala/dcap-qvl sees them: an implementation that
# shares nothing with ours. It is installed into the build folder; without npm or network: skipped.
. tests/tap.sh

command -v node >/dev/null || skip_all "node is not here"
command -v npm >/dev/null || skip_all "npm is not here"
work=$BUILD/compare # as bench/compare/run has it
mkdir -p "$work"
if [ ! -d "$work/node_modules/@phala/dcap-qvl" ]; then
	echo '{ "private": true }' >"$work/package.json"
	timeout 120 npm install --prefix "$work" --no-audit --no-fund --ignore-scripts "@phala/dcap-qvl@0.3.9" \
		>"$work/npm.log" 2>&1 || skip_all "npm cannot install @phala/dcap-qvl (see $work/npm.log)"
fi
NODE_PATH=$(cd "$work" && pwd)/node_modules
export NODE_PATH HOME=$tmp XDG_STATE_HOME=$tmp/state BAWN_DEVICE=emulated BAWN_PLATFORM=$tmp/platform
export BAWN_ENCLAVES=$BUILD/enclaves

peer() { # QUOTE [ROOT]: its word, by the fab's collateral
	node tests/fab/peer.js "${2:-$BAWN_FAB/root_ca.pem}" "$BAWN_FAB"/collateral/sgx-e00baf000000"$suffix" "$1" 2>&1
}

ok "a platform" "$bawn" emu platform create
for names in emulated intel; do
	export BAWN_FAB=$tmp/$names
	[ $names = intel ] && suffix=-platform || suffix=
	ok "a fab with $names names" "$bawn" emu fab create --names $names --pce "$BAWN_ENCLAVES/provision.signed.so" \
		--qe "$BAWN_ENCLAVES/quote.signed.so"
	ok "a certificate" "$bawn" emu fab issue -o "$tmp/chain"
	ok "a quote" "$bawn" attest --pck-chain "$tmp/chain" -o "$tmp/quote.$names"
	for status in UpToDate SWHardeningNeeded ConfigurationNeeded ConfigurationAndSWHardeningNeeded OutOfDate \
		OutOfDateConfigurationNeeded; do
		"$bawn" emu fab level set --status $status
		is "$(peer "$tmp/quote.$names")" $status "the peer calls it $status"
	done
	"$bawn" emu fab level set --status UpToDate
	{ head -c 400 "$tmp/quote.$names"; printf x; tail -c +402 "$tmp/quote.$names"; } >"$tmp/changed"
	like "$(peer "$tmp/changed")" '^refused: ' "a changed one it refuses"
done
like "$(peer "$tmp/quote.intel" "$tmp/emulated/root_ca.pem")" '^refused: ' "so it does under another root"
serial=$("$bawn" emu fab issue --json | sed -n 's/^  "serial": "\(.*\)",/\1/p')
"$bawn" emu fab revoke "$serial"
like "$(peer "$tmp/quote.intel")" '^refused: .*[Rr]evoked' "and once the certificate is revoked"
tap_done
