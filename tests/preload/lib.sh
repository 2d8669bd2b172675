# For the tests of `bawn emulate`: `. tests/tap.sh; . tests/preload/lib.sh`.
# shellcheck shell=bash disable=SC2034,SC2154
[ "${VARIANT:-}" != static ] || skip_all "nothing can be preloaded into static programs"
[ "${VARIANT:-}" != sanitized ] || skip_all "a preload comes before AddressSanitizer"

clients=$BUILD/tests/preload/client
export BLOBS=$BUILD/tests/preload/blobs
# A fresh platform for each test; nothing of the user's counts.
unset BAWN_DEVICE
export BAWN_PLATFORM=$tmp/platform XDG_STATE_HOME=$tmp/state

# emulated [OPTION...] -- PROGRAM [ARGUMENT...]: as `bawn emulate`, within limits.
emulated() {
	timeout -k 5 "${LIMIT:-120}" "$bawn" emulate "$@"
}

# client [OPTION...] -- PROGRAM [ARGUMENT...]: the tests of a client become ours.
# It must have ended its count: one that dies half-way is a failure.
client() {
	local line name planned='' rc n=0
	emulated "$@" >"$tmp/client.out" 2>"$tmp/client.err"
	rc=$?
	while IFS= read -r line; do
		case $line in
		'ok '*'# SKIP '*) skip "${line#*# SKIP }" ;;
		'ok '* | 'not ok '*)
			name=${line#* - }
			n=$((n + 1))
			if [ "${line#ok}" != "$line" ]; then
				tap 0 "$name"
			else
				tap 1 "$name" || :
			fi
			;;
		1..*) planned=${line#1..} ;;
		*) printf '%s\n' "${line/#[!#]/# &}" ;;
		esac
	done <"$tmp/client.out"
	if [ -z "$planned" ] || [ $rc -gt 1 ]; then
		tap 1 "$* came to its end (exit code $rc after $n tests)" || sed 's/^/# /' "$tmp/client.err"
	elif [ -s "$tmp/client.err" ]; then
		sed 's/^/# /' "$tmp/client.err"
	fi
}
