# Files, descriptors and processes: names, dup, exec, SCM_RIGHTS, many enclaves, the page cache's end.
# shellcheck shell=bash
. tests/tap.sh
. tests/preload/lib.sh
client -- "$clients/files"
client -- "$clients/share"
client --epc 16M -- "$clients/epc"
tap_done
