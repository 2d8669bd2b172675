# Test Anything Protocol for the shell tests: `. tests/tap.sh`, then ok, is,
# exits, like and skip, and `tap_done` at the end. They are run by bash from
# the top of the checkout. $BUILD is the build folder, $bawn the command, and
# $tmp a folder of the test's own, removed at the end.
# shellcheck shell=bash disable=SC2034
set -u
BUILD=${BUILD:-build}
bawn=$BUILD/bawn
tap_count=0
tap_failed=0
tmp=$(mktemp -d "${TMPDIR:-/tmp}/bawn-test.XXXXXX")
trap 'rm -rf "$tmp"' EXIT

tap() { # VERDICT NAME: one line
	tap_count=$((tap_count + 1))
	if [ "$1" = 0 ]; then
		echo "ok $tap_count - $2"
	else
		tap_failed=$((tap_failed + 1))
		echo "not ok $tap_count - $2"
		return 1
	fi
}

# ok NAME COMMAND...: the command exits 0.
ok() {
	local name=$1 out rc
	shift
	out=$("$@" 2>&1)
	rc=$?
	tap $rc "$name" || printf '%s\n' "exit code $rc of: $*" "$out" | sed 's/^/# /'
}

# exits CODE NAME COMMAND...: it exits with just this code; $out holds what it printed.
exits() {
	local want=$1 name=$2 rc
	shift 2
	out=$("$@" 2>&1)
	rc=$?
	tap $((rc != want)) "$name" ||
		printf '%s\n' "exit code $rc, not $want, of: $*" "$out" | sed 's/^/# /'
}

# is GOT WANT NAME
is() {
	local rc=0
	[ "$1" = "$2" ] || rc=1
	tap $rc "$3" || printf '%s\n' "got:  $1" "want: $2" | sed 's/^/# /'
}

# like TEXT REGEX NAME: the extended regular expression is found in the text.
like() {
	local rc=0
	printf '%s\n' "$1" | grep -Eq -- "$2" || rc=1
	tap $rc "$3" || printf '%s\n' "no /$2/ in:" "$1" | sed 's/^/# /'
}

skip() { # WHY: one skipped test
	tap_count=$((tap_count + 1))
	echo "ok $tap_count # SKIP $1"
}

skip_all() { # WHY: before any test
	echo "1..0 # SKIP $1"
	exit 0
}

tap_done() {
	echo "1..$tap_count"
	[ "$tap_failed" = 0 ]
	exit
}
