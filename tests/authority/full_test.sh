# A disk that is really full: a small file system of the test's own, in a name space of its own.
. tests/tap.sh
if [ -z "${BAWN_IN_NAMESPACE-}" ]; then
	unshare --user --map-root-user --mount true 2>/dev/null || skip_all "no name spaces here"
	rm -rf "$tmp" # the one in the name space has its own
	BAWN_IN_NAMESPACE=1 exec unshare --user --map-root-user --mount bash "$0"
fi
mkdir "$tmp/disk"
mount -t tmpfs -o size=256k,nosuid,nodev tmpfs "$tmp/disk" 2>/dev/null || skip_all "no file system can be mounted here"
trap 'umount "$tmp/disk"; rm -rf "$tmp"' EXIT
grants=$BUILD/tests/authority/grants_prog
log=$BUILD/tests/authority/log_prog
fill() { dd if=/dev/zero of="$tmp/disk/fill" bs=1k 2>/dev/null; ! dd if=/dev/zero of="$tmp/disk/more" bs=4k count=1 2>/dev/null; }

mkdir "$tmp/disk/state" "$tmp/disk/log"
is "$("$grants" "$tmp/disk/state" grant quote uid=1)" "kept" "a grant"
ok "the log" "$log" "$tmp/disk/log" 3
ok "the disk is full" fill
is "$("$grants" "$tmp/disk/state" revoke quote uid=2)" "kept" "a revocation has the place that was kept for it"
exits 1 "the log has not" "$log" "$tmp/disk/log" 500
like "$out" 'No space left' "... and says so"
exits 0 "what it has is sound" "$bawn" daemon audit verify --dir "$tmp/disk/log"
rm "$tmp/disk/fill" "$tmp/disk/more"
is "$("$grants" "$tmp/disk/state" revoke quote uid=3)" "kept" "with room again, another"
for uid in 2 3; do
	printf '[native]\nallow quote\n' >"$tmp/policy"
	exits 3 "revocation of $uid holds" "$bawn" daemon policy test --grants "$tmp/disk/state" "$tmp/policy" quote uid=$uid gid=1
done
ok "the log goes on" "$log" "$tmp/disk/log" 5
exits 0 "and is sound" "$bawn" daemon audit verify --dir "$tmp/disk/log"

# Read-only state: what is asked for is refused with the reason, nothing breaks.
mount -o remount,bind,ro "$tmp/disk"
like "$("$grants" "$tmp/disk/state" revoke quote uid=4)" 'Read-only' "a revocation on a read-only disk is not kept, and says so"
exits 1 "nor is there a log" "$log" "$tmp/disk/log" 1
mount -o remount,bind,rw "$tmp/disk"
is "$("$grants" "$tmp/disk/state" revoke quote uid=4)" "kept" "written again, it is"
exits 0 "the log is what it was" "$bawn" daemon audit verify --dir "$tmp/disk/log"
tap_done
