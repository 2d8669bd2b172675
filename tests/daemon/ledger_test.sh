# The end of the audit log, sealed by the ledger enclave: somebody who can write every file of the
# service cuts the log, writes another record of its end and another key, and is found out.
# no-asan: the roles' tables of system calls do not have the sanitizer's
. tests/tap.sh
. tests/daemon/daemon.sh
daemon_setup
log=$tmp/audit vault=$tmp/state/vault
file() { PYTHONDONTWRITEBYTECODE=1 python3 tests/daemon/state_file.py "$@"; }
last() { "$bawn" daemon audit tail --dir "$log" -n 1 --json | sed 's/^{"n":\([0-9]*\),.*/\1/p;d'; }
quotes() { for _ in 1 2 3 4; do "$ask" quote "$tmp/quote" >/dev/null || return; done; }
sealed() { read -r first count < <(file show "$vault/ledger"); }
is_sealed() { [ -e "$vault/ledger" ]; }
# It has been looked at, in this run of the service: begun, or followed.
followed() { sealed && [ "$count" -ge "$1" ]; }
# On record is from where on there is a sealed word, and by what name.
names() { "$bawn" daemon audit search --dir "$log" event=start | sed -n 's/.*not that of what was before line \([0-9]* ([0-9a-f]*)\).*/\1/p'; }
begins() { "$bawn" daemon audit search --dir "$log" event=start | grep -q 'not that of what was before line'; }
keep() { rm -rf "$tmp/kept" && cp -a "$tmp/state" "$tmp/kept" && cp -a "$log" "$tmp/kept/audit"; }
back() {
	rm -rf "$log" "$tmp/state"
	cp -a "$tmp/kept/audit" "$log"
	cp -a "$tmp/kept" "$tmp/state" && rm -r "$tmp/state/audit"
}

# told REGEX: it starts, and tells of that.
told() {
	: >"$tmp/log"
	WAIT=serving starts "it starts"
	ok "... and says what is wrong" until_status "degraded: $1"
	ok "... in its log" logs "vault: $1"
	ok "... and on record" until_ok "$bawn" daemon audit search --dir "$log" event=fault
	like "$("$bawn" daemon audit search --dir "$log" event=fault | tail -n 1)" "- $1" "... in so many words"
	ok "the record is on disk" daemon_settled
	daemon_stop
}

starts "it starts"
ok "a quote" quotes
ok "the log's end is sealed" until_ok is_sealed
before=$(last)
daemon_stop
sealed
is "$first" 1 "... and was followed from the first line on"
ok "... to what it was when the service stopped" followed "$before"
: >"$tmp/log"
starts "it starts again"
ok "which is looked at" until_ok followed $((before + 1))
"$bawn" daemon audit key --remove --dir "$log" >"$tmp/key"
is $? 0 "the owner takes the first key away"
ok "more quotes" quotes
daemon_stop
is "$(grep -c 'audit log' "$tmp/log")" 0 "there is nothing to say of the log"
is "$("$bawn" daemon audit search --dir "$log" event=start | grep -c 'its end is sealed, from the first line on')" 2 \
	"but that there is a sealed word of its end, on record at each start"
is "$("$bawn" daemon audit search --dir "$log" event=start | grep -c "is given the audit log's key")" 1 \
	"the vault was given the log's key once, on record"
sealed
is "$first" 1 "it is followed without the first key"
keep

# By somebody who has root now, and read the key that the service goes on with.
file end "$log" $((count - 3)) "$vault/anchor"
told "audit log: it ends before line $count, which it had, as sealed"
exits 3 "who has the first key sees that it was cut, or goes on under another" \
	"$bawn" daemon audit verify --dir "$log" --key "$tmp/key"
: >"$tmp/log"
starts "started again, it goes on with what there is"
ok "and seals that" until_ok is_sealed
ok "... which is on record" until_ok begins
daemon_stop
sealed
ok "... with the line that it begins with" test "$first" -gt 1

# The same, who has the enclave seal it, from that line on.
name=$(names | sort -u)
is "$(names | sort -u | wc -l)" 1 "it has a name"
starts "it starts again"
ok "more quotes" quotes
daemon_stop
is "$(names | sort -u)" "$name" "... and keeps it"
sealed
file forge "$log" $((count - 3)) "$vault/anchor" "$vault/ledger" "$BUILD/tests/daemon/ledger_prog" "$BAWN_PLATFORM" \
	"$BUILD/enclaves/ledger.signed.so"
is "$?:$(sed -n 's/^\([0-9]*\) .*/\1/p' <(file show "$vault/ledger"))" "0:$first" "what is sealed begins where it did"
starts "it starts again"
ok "that is followed" until_ok followed $((count - 2))
daemon_stop
is "$(names | sort -u | wc -l)" 2 "the record has that something else begins there"

back
sealed
file end "$log" "$count" "$vault/anchor"
told "audit log: after line $count it does not go on as it was: LEDGER_PROOF"

back
file end "$log" $((count - 3)) "$vault/anchor"
rm "$vault/ledger"
starts "without what was sealed nothing is known to be missing"
ok "... but that nothing vouches for what was before" until_ok begins
daemon_stop

# Not sealed for longer than the enclave counts: that is told, once, and it begins anew, though the first key is there.
back
cp "$tmp/key" "$log/audit-key"
sealed
file far "$log" $((4194304 + 1))
starts "it starts"
ok "what was not sealed is told" until_ok "$bawn" daemon audit search --dir "$log" event=fault
like "$("$bawn" daemon audit search --dir "$log" event=fault)" "has not been sealed since line $count; that begins anew" "... from where on"
ok "it begins anew" until_ok followed 4194304
sealed
ok "... from there on" test "$first" -gt 4194304
daemon_stop
is "$("$bawn" daemon audit search --dir "$log" event=fault | grep -c 'begins anew')" 1 "... once"

for at in 70 180; do # what it says in the clear, the key
	back
	file flip "$vault/ledger" $at
	told "audit log: its end as sealed cannot be read, so it may have been cut off: LEDGER_(BLOB|ABOVE)"
done
back
head -c 100 /dev/zero >"$vault/ledger"
told "audit log: its end as sealed cannot be read, so it may have been cut off: ledger: "

back
"$bawn" sign --new-key "$tmp/other.pem" >/dev/null
"$bawn" sign --key "$tmp/other.pem" --config enclaves/ledger/ledger.conf --output "$tmp/other.so" \
	"$BUILD/enclaves/ledger.so" >/dev/null
sed -i "s|^\(ledger-enclave\) = .*|\1 = $tmp/other.so|" "$tmp/bawnd.conf"
told "audit log: its end as sealed cannot be read, so it may have been cut off: LEDGER_BLOB"

back
sed -i "s|^\(ledger-enclave\) = .*|\1 = $tmp/none.so|" "$tmp/bawnd.conf"
WAIT=serving starts "without its enclave"
ok "... that is told" until_status "degraded: audit log: its end is not sealed: ledger-enclave = .*none.so: no enclave"
cp "$BUILD/enclaves/ledger.signed.so" "$tmp/none.so"
kill -HUP "$daemon"
before=$(last)
ok "... and over when it is there" until_ok followed "$before"
ok "... in status too" until_status "ready"
ok "quiescing closes it" "$bawn" daemon quiesce --seconds 60
sealed
ok "... enclaves that are read anew, too" "$bawn" daemon reload
before=$count
ok "a line" "$bawn" daemon revoke quote uid=4000001
sleep 0.5
is "$("$bawn" daemon status --json | sed -n 's/^ *"enclaves": \([0-9]*\),/\1/p')" 0 "none is loaded"
daemon_stop
sealed
is "$count" "$before" "... and nothing is sealed meanwhile"
starts "it starts again"
ok "and goes on from there" until_ok followed $((before + 1))

# Whenever it is killed: nothing is found that was not done.
for i in 1 2 3 4 5 6 7 8; do
	quotes
	until_ok role vault
	sleep 0.0$((i * 13 % 8))
	kill -9 "$(role vault)"
done 2>/dev/null
ok "the vault is killed again and again" until_status "ready"
sealed
ok "what is sealed goes on" until_ok followed $((count + 1))
kill -9 "$daemon"
wait "$daemon" 2>/dev/null
starts "so is the service: it starts"
sealed
ok "and goes on" until_ok followed $((count + 1))
ok "all is well" until_status "ready"
is "$("$bawn" daemon audit search --dir "$log" event=fault | grep -c 'audit log:.*\(cut\|sealed\|go on\|gone\)')" 0 "no fault of the log is on record"
daemon_stop

given=$("$bawn" daemon audit search --dir "$log" event=start | grep -c "is given the audit log's key")
rm "$vault/ledger"
sed -i "s|^\(ledger-enclave\) = .*|\1 = $tmp/nowhere.so|" "$tmp/bawnd.conf"
WAIT=serving starts "with one that is named, and not there"
ok "... that is told" until_status "degraded: audit log: its end is not sealed: ledger-enclave = .*nowhere.so: no enclave"
daemon_stop
sed -i "s|^\(ledger-enclave\) = .*|\1 = $PWD/$BUILD/enclaves/quote.signed.so|" "$tmp/bawnd.conf"
WAIT=serving starts "with one that is another"
ok "... that is told" until_status "degraded: audit log: its end is not sealed: "
daemon_stop
is "$("$bawn" daemon audit search --dir "$log" event=start | grep -c "is given the audit log's key")" "$given" \
	"neither was given the log's key"

sed -i "s|^\(ledger-enclave\) = .*|\1 =|" "$tmp/bawnd.conf"
starts "with no enclave configured"
ok "a quote" quotes
daemon_stop
ok "nothing is sealed" test ! -e "$vault/ledger"
tap_done
