# CPUID, files, descriptors and processes: names, dup, exec, SCM_RIGHTS, many enclaves, the page cache's end.
# shellcheck shell=bash
. tests/tap.sh
. tests/preload/lib.sh
client -- "$clients/files"
client --epc 24M -- "$clients/cpuid" 0x1800000
client --epc 2G --sgx1 -- "$clients/cpuid" 0x80000000 sgx1
client -- "$clients/share"
client --epc 16M -- "$clients/epc"
tap_done
