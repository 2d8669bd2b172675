# SYSCALL in enclaves, with and without --strict.
# shellcheck shell=bash
. tests/tap.sh
. tests/preload/lib.sh
client -- "$clients/strict" no
client --strict -- "$clients/strict" yes
client --strict -- "$clients/enter"
client --strict -- "$clients/load" 2
tap_done
