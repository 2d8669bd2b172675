# ADD_PAGES from a file system that is mounted noexec: one of the test's own, in a name space of its own.
# shellcheck shell=bash
. tests/tap.sh
if [ -z "${BAWN_IN_NAMESPACE-}" ]; then
	unshare --user --map-root-user --mount true 2>/dev/null || skip_all "no name spaces here"
	rm -rf "$tmp" # the one in the name space has its own
	BAWN_IN_NAMESPACE=1 exec unshare --user --map-root-user --mount bash "$0"
fi
. tests/preload/lib.sh
mkdir "$tmp/disk"
mount -t tmpfs -o size=256k,noexec,nosuid,nodev tmpfs "$tmp/disk" 2>/dev/null || skip_all "no file system can be mounted here"
trap 'umount "$tmp/disk"; rm -rf "$tmp"' EXIT
client -- "$clients/ioctl" "$tmp/disk"
tap_done
