# The in-kernel driver's requests and mappings, as a program sees them that knows nothing of Bawn.
# shellcheck shell=bash
. tests/tap.sh
. tests/preload/lib.sh
client -- "$clients/ioctl"
client -- "$clients/map"
client -- "$clients/edmm"
client --sgx1 -- "$clients/edmm" sgx1
tap_done
