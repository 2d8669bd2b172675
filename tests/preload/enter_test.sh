# Entering enclaves by the emulated vDSO and by ENCLU; signals meanwhile.
# shellcheck shell=bash
. tests/tap.sh
. tests/preload/lib.sh
client -- "$clients/enter"
client -- "$clients/signal"
client -- "$clients/load" 2
tap_done
