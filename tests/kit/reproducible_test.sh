# Enclaves are built reproducibly: the same sources in two other places give the
# same file, and with the compiler that MRENCLAVE names, the measurement there.
# shellcheck shell=bash
. tests/tap.sh
pinned=enclaves/witness/MRENCLAVE

# What a build of the enclaves takes, and nothing of this folder's builds.
build_at() { # FOLDER
	mkdir -p "$1"
	cp -r Makefile VERSION enclaves include src "$1"
	(cd "$1" && env -u MAKEFLAGS -u MAKELEVEL -u SANITIZE -u BUILD make -s BUILD=out \
		LAUNCH_ROOT="$tmp/root" out/enclaves/{witness,provision,quote,launch,ledger}.so >log 2>&1) || { sed 's/^/# /' "$1/log"; return 1; }
}
measure() { # UNSIGNED
	"$bawn" sign --key "$tmp/key.pem" --config enclaves/witness/witness.conf \
		--output "$tmp/signed.so" "$1" >/dev/null && "$bawn" measure "$tmp/signed.so" | cut -c 1-64
}

ok "a key" "$bawn" sign --new-key "$tmp/key.pem"
# The launch enclave has its root's key in it: here one of zeros.
printf '%0128d\n' 0 >"$tmp/root"
ok "a build in one place" build_at "$tmp/here"
ok "a build in another, with a longer name" build_at "$tmp/and/over/there"
for name in witness provision quote launch ledger; do
	ok "give the same $name enclave, byte by byte" \
		cmp "$tmp/here/out/enclaves/$name.so" "$tmp/and/over/there/out/enclaves/$name.so"
done
here=$(measure "$tmp/here/out/enclaves/witness.so")
there=$(measure "$tmp/and/over/there/out/enclaves/witness.so")
like "$here" '^[0-9a-f]{64}$' "it can be measured"
is "$there" "$here" "both give the same MRENCLAVE"
if [ -z "${SANITIZE:-}" ]; then
	is "$("$bawn" measure "$BUILD/enclaves/witness.signed.so" | cut -c 1-64)" "$here" \
		"which is that of the build at hand"
fi

tools=$(env -u MAKEFLAGS -u MAKELEVEL make -s enclave-tools)
if [ "$tools" = "$(grep -v '^witness' $pinned)" ]; then
	is "$here" "$(sed -n 's/^witness *//p' $pinned)" "and the one committed (make pin-enclaves)"
else
	skip "other tools than $pinned is for: $(echo "$tools" | head -n 1)"
fi
tap_done
