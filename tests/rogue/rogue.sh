# For tests of a role in the wrong hands: bawnd as it is built with one.
. tests/tap.sh
BAWND=$BUILD/tests/rogue/bawnd
. tests/daemon/daemon.sh
[ -x "$BAWND" ] || skip_all "no such build of bawnd"
daemon_setup
