# The ledger enclave never answers: nobody waits for it, status tells, and the service ends as it should.
# no-asan: the roles' tables of system calls do not have the sanitizer's
. tests/tap.sh
. tests/daemon/daemon.sh
daemon_setup
cp "$BUILD/enclaves/ledger-hang.signed.so" "$tmp/ledger.so"
sed -i "s|^\(ledger-enclave\) = .*|\1 = $tmp/ledger.so|" "$tmp/bawnd.conf"
restarts() { "$bawn" daemon status --json | sed -n 's/^ *"restarts": \([0-9]*\).*/\1/p'; }
is_sealed() { [ -e "$tmp/state/vault/ledger" ]; }
# What the vault's first thread has to do with.
answers() { # WHEN
	ok "$1: a quote" "$ask" quote "$tmp/quote"
	exits 1 "... collateral that there is none of" timeout 60 "$ask" collateral ffffffffffff processor
	like "$out" '^collateral: ' "... is answered so"
	ok "... enclaves are read anew" "$bawn" daemon reload
}

starts "it starts"
answers "while the enclave is asked"
until_status "its end is not sealed" || until_status "its end is not sealed" >/dev/null
ok "status tells of it" until_status "degraded: audit log: its end is not sealed: the ledger enclave does not answer"
is "$(restarts)" 0 "... and no role was taken for stuck"
answers "then"
daemon_stop
is $? 0 "it ends as it should"

starts "it starts again"
cp "$BUILD/enclaves/ledger.signed.so" "$tmp/ledger.so"
ok "another is there, which is read" "$bawn" daemon reload
answers "then"
kill -9 "$(role vault)"
ok "a new vault asks that one" until_ok is_sealed
ok "... and all is well" until_status 'ready'
daemon_stop
tap_done
