# bawn sign, inspect and measure, from the witness of the kit to files of both formats.
# shellcheck shell=bash
. tests/tap.sh
unsigned=$BUILD/enclaves/witness.so
[ -e "$unsigned" ] || skip_all "there is no $unsigned"
unset SOURCE_DATE_EPOCH
key=$tmp/key.pem

ok "a new key" "$bawn" sign --new-key "$key"
is "$(stat -c %a "$key")" 600 "is its owner's alone"
exits 1 "a key that exists is not overwritten" "$bawn" sign --new-key "$key"
like "$out" "File exists|exists" "and the reason is told"

cat >"$tmp/conf" <<-EOF
	product = 7
	svn = 3
	debug = yes
	heap_min = 64K
	heap_max = 1M
	threads = 2
	threads_max = 4
EOF
sign=("$bawn" sign --config "$tmp/conf" --date 20260102)
ok "signed" "${sign[@]}" --key "$key" --output "$tmp/a.so" "$unsigned"
exits 0 "its signature and measurement hold" "$bawn" inspect "$tmp/a.so"
like "$out" "^product +7, svn 3$" "product and SVN are shown"
like "$out" "^debug +allowed$" "debugging is allowed"
like "$out" "^date +2026-01-02" "the date"
like "$out" "^metadata +3.3, 1.5$" "two versions of metadata"
like "$out" "^threads +2, and 2 more with EDMM" "threads"
like "$out" "dynamic TCS, on demand" "the layout"

# The same input gives the same output, by either way.
ok "signed again" "${sign[@]}" --key "$key" --output "$tmp/b.so" "$unsigned"
ok "is the same, bit for bit" cmp "$tmp/a.so" "$tmp/b.so"
sed '$a date = 20260102' "$tmp/conf" >"$tmp/dated"
ok "the date out of the configuration" \
	"$bawn" sign -c "$tmp/dated" -k "$key" -o "$tmp/b.so" "$unsigned"
ok "gives the same" cmp "$tmp/a.so" "$tmp/b.so"
ok "the date out of SOURCE_DATE_EPOCH" env SOURCE_DATE_EPOCH=1767312000 \
	"$bawn" sign -c "$tmp/conf" -k "$key" -o "$tmp/b.so" "$unsigned"
ok "gives the same too" cmp "$tmp/a.so" "$tmp/b.so"
exits 64 "a SOURCE_DATE_EPOCH that is no number" env SOURCE_DATE_EPOCH=soon \
	"$bawn" sign -c "$tmp/conf" -k "$key" -o "$tmp/b.so" "$unsigned"
exits 64 "two steps without a date" "$bawn" sign --to-be-signed "$tmp/tbs" "$unsigned"
if command -v openssl >/dev/null; then
	ok "the bytes to be signed" "${sign[@]}" --to-be-signed "$tmp/tbs" "$unsigned"
	is "$(stat -c %s "$tmp/tbs")" 256 "are 256"
	openssl dgst -sha256 -sign "$key" -out "$tmp/sig" "$tmp/tbs"
	openssl pkey -in "$key" -pubout -out "$tmp/pub.pem"
	second=(--signature "$tmp/sig" --public-key "$tmp/pub.pem")
	ok "the signature is taken back" "${sign[@]}" "${second[@]}" -o "$tmp/b.so" "$unsigned"
	ok "and gives the same" cmp "$tmp/a.so" "$tmp/b.so"
	rm "$tmp/b.so"
	exits 1 "but not for another date" "$bawn" sign -c "$tmp/conf" --date 20260103 \
		"${second[@]}" -o "$tmp/b.so" "$unsigned"
	like "$out" "other file, configuration, date or key" "with a hint"
	ok "and nothing is written" test ! -e "$tmp/b.so"
	openssl genrsa -3 -out "$tmp/other.pem" 3072 2>/dev/null
	openssl pkey -in "$tmp/other.pem" -pubout -out "$tmp/otherpub.pem"
	exits 1 "nor under another key" "${sign[@]}" --signature "$tmp/sig" \
		--public-key "$tmp/otherpub.pem" -o "$tmp/b.so" "$unsigned"
	exits 1 "nor under a private key" "${sign[@]}" --signature "$tmp/sig" \
		--public-key "$key" -o "$tmp/b.so" "$unsigned"
	head -c 383 "$tmp/sig" >"$tmp/short"
	exits 1 "nor with a short signature" "${sign[@]}" --signature "$tmp/short" \
		--public-key "$tmp/pub.pem" -o "$tmp/b.so" "$unsigned"
	openssl genrsa -out "$tmp/f4.pem" 3072 2>/dev/null
	exits 1 "a key with exponent 65537" "${sign[@]}" --key "$tmp/f4.pem" -o "$tmp/b.so" "$unsigned"
	like "$out" "exponent 3" "is refused with the reason"
else
	skip "openssl(1) is not installed: signing in two steps"
fi

# An SGXS stream of the same pages.
ok "as an SGXS stream" "${sign[@]}" --key "$key" --format sgxs -o "$tmp/a.sgxs" \
	--sigstruct "$tmp/a.sig" "$unsigned"
mrenclave=$("$bawn" measure "$tmp/a.so" | cut -d' ' -f1)
is "$("$bawn" measure "$tmp/a.sgxs" | cut -d' ' -f1)" "$mrenclave" "it measures the same"
is "$(sha256sum <"$tmp/a.sgxs" | cut -d' ' -f1)" "$mrenclave" "and is what is hashed"
exits 0 "with its SIGSTRUCT it holds" "$bawn" inspect --sigstruct "$tmp/a.sig" "$tmp/a.sgxs"
exits 3 "without, nothing does" "$bawn" inspect "$tmp/a.sgxs"
exits 64 "a stream needs a place for its signature" \
	"${sign[@]}" --key "$key" --format sgxs -o "$tmp/b.sgxs" "$unsigned"
printf 'svn = 4\n' >"$tmp/svn"
ok "a stream is signed" "$bawn" sign -c "$tmp/svn" -k "$key" --sigstruct "$tmp/b.sig" "$tmp/a.sgxs"
exits 0 "and holds" "$bawn" inspect --sigstruct "$tmp/b.sig" "$tmp/a.sgxs"
like "$out" "svn 4" "with the new SVN"
exits 64 "it cannot become an ELF file" \
	"$bawn" sign -k "$key" --format sdk -o "$tmp/b.so" "$tmp/a.sgxs"
sed '1s/ECREATE/UNSIZED/' "$tmp/a.sgxs" >"$tmp/open.sgxs"
exits 1 "a stream of open size needs one" "$bawn" measure "$tmp/open.sgxs"

# Signing again keeps what is not said, the layout above all.
ok "signed again with another SVN" "$bawn" sign -c "$tmp/svn" -k "$key" --date 20260103 \
	-o "$tmp/c.so" "$tmp/a.so"
out=$("$bawn" inspect "$tmp/c.so")
like "$out" "^product +7, svn 4$" "keeps the product"
like "$out" "$mrenclave" "and the measurement"
printf 'threads = 5\n' >"$tmp/threads"
ok "laid out anew" "$bawn" sign -c "$tmp/threads" -k "$key" -o "$tmp/d.so" "$tmp/a.so"
like "$("$bawn" inspect "$tmp/d.so")" "^threads +5, and 0 more" "with other threads"

# What does not hold.
cp "$tmp/a.so" "$tmp/bad.so"
at=$(grep -abo 'sgx_metadata' "$tmp/bad.so" | head -n 1 | cut -d: -f1)
sig=$((at + 13 + 64))
flip() { # OFFSET
	local byte
	byte=$(od -An -tu1 -j "$1" -N 1 "$tmp/a.so" | tr -d ' ')
	cp "$tmp/a.so" "$tmp/bad.so"
	printf "\\x$(printf %02x $((byte ^ 1)))" |
		dd of="$tmp/bad.so" bs=1 seek="$1" conv=notrunc status=none
}
flip $((sig + 516))
exits 3 "a flipped bit of the signature" "$bawn" inspect "$tmp/bad.so"
like "$out" "signature +DOES NOT HOLD: the RSA" "is named"
flip $((sig + 1026))
exits 3 "of the body" "$bawn" inspect "$tmp/bad.so"
flip $((sig + 1500))
exits 3 "of Q2" "$bawn" inspect "$tmp/bad.so"
like "$out" "DOES NOT HOLD: Q2" "is named"
flip $((sig + 24))
exits 3 "of the header" "$bawn" inspect "$tmp/bad.so"
like "$out" "HEADER2" "is named"
flip $((0x1100))
exits 3 "of the code" "$bawn" inspect "$tmp/bad.so"
like "$out" "measurement +DIFFERS" "is named"
like "$out" "signature +holds" "while the signature holds"
exits 1 "no enclave at all" "$bawn" inspect "$bawn"
like "$out" "note.sgxmeta" "is named"
exits 1 "an unsigned enclave" "$bawn" inspect "$unsigned"
like "$out" "not signed" "is named"
exits 1 "no such file" "$bawn" inspect "$tmp/none"
exits 1 "one of two files" "$bawn" measure "$tmp/none" "$tmp/a.so"
like "$out" "^$mrenclave  $tmp/a.so$" "does not hide the other"
exits 1 "a configuration that is wrong" "$bawn" sign -c "$unsigned" -k "$key" -o "$tmp/b.so" "$unsigned"

# Usage.
exits 64 "no key" "$bawn" sign -o "$tmp/b.so" "$unsigned"
exits 64 "no output" "$bawn" sign -k "$key" "$unsigned"
exits 64 "two ways at once" "$bawn" sign -k "$key" --to-be-signed "$tmp/tbs" "$unsigned"
exits 64 "no file" "$bawn" sign -k "$key" -o "$tmp/b.so"
exits 64 "a date that is none" "$bawn" sign -k "$key" --date 20261301 -o "$tmp/b.so" "$unsigned"
exits 64 "a size that is too small" "$bawn" measure --size 1 "$tmp/a.so"

# JSON.
if command -v python3 >/dev/null; then
	field() { # EXPRESSION over the document d
		python3 -c "import json,sys; d=json.load(sys.stdin); print($1)"
	}
	is "$("$bawn" inspect --json "$tmp/a.so" | field 'd["signature_holds"], d["measurement_holds"],
		d["sigstruct"]["svn"], d["threads"], d["heap_max"], d["sigstruct"]["attributes"]["open"]')" \
		"True True 3 2 1048576 ['DEBUG']" "inspect in JSON"
	is "$("$bawn" measure --json "$tmp/a.so" "$tmp/a.sgxs" | field 'len(d), d[1]["mrenclave"]')" \
		"2 $mrenclave" "measure in JSON"
	is "$("$bawn" sign --json -k "$key" -o "$tmp/b.so" "$tmp/a.so" | field 'd["mrenclave"], d["product"]')" \
		"$mrenclave 7" "sign in JSON"
	is "$("$bawn" sign --json --p256 --new-key "$tmp/list.pem" | field 'len(d["public_key"])')" 128 \
		"a key for white lists, and its public half"
	is "$("$bawn" sign --json --new-key "$tmp/key2.pem" | field 'len(d["mrsigner"])')" 64 \
		"a new key in JSON"
else
	skip "python3 is not installed: JSON is not read"
fi
tap_done
