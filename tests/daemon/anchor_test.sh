# The audit log is taken away, cut, or put back to an older copy while the service is stopped: it
# says so when it starts, in its log, in status, on record and to who verifies, until it starts again.
# no-asan: the roles' tables of system calls do not have the sanitizer's
. tests/tap.sh
. tests/daemon/daemon.sh
daemon_setup

verify() { "$bawn" daemon audit verify --dir "$tmp/audit" --service; }

# told WHAT REGEX: it starts, tells of that, and does so no more when it is started again.
told() {
	: >"$tmp/log"
	WAIT=serving starts "$1: it starts"
	ok "... and says what is wrong" until_status "degraded: $2"
	ok "... in its log" logs "vault: $2"
	ok "... and on record" until_ok "$bawn" daemon audit search --dir "$tmp/audit" event=fault
	like "$("$bawn" daemon audit search --dir "$tmp/audit" event=fault | tail -n 1)" "- $2" "... in so many words"
	if [ -n "${3-}" ]; then
		exits 3 "... and to who verifies" verify
		like "$out" "^$3: " "... $3"
	else
		exits 1 "... and cannot say where it should end" "$bawn" daemon audit head --service
		like "$out" "$2" "... for that reason"
	fi
	if [ "$1" = wiped ]; then
		ok "the record is on disk" daemon_settled
		kill -9 "$(role vault)"
		ok "a vault that dies does not settle it" until_status "degraded: $2"
	fi
	ok "the record is on disk" daemon_settled
	daemon_stop
	starts "started again, it goes on with what there is"
	ok "the vault has heard of the log's end" until_ok "$bawn" daemon audit head --service
	"$bawn" daemon audit verify --dir "$tmp/audit" --anchor "$("$bawn" daemon audit head --service)" >"$tmp/verified"
	is $? "${4-0}" "... which verifies, or does not, as it is"
}

starts "it starts"
ok "a quote" "$ask" quote "$tmp/quote"
ok "the record is on disk" daemon_settled
daemon_stop
: >"$tmp/log"
starts "it starts again"
exits 0 "and has the log of before" verify
is "$(grep -c 'audit log' "$tmp/log")" 0 "of which there is nothing to say"
kill -9 "$daemon"
wait "$daemon" 2>/dev/null
starts "it starts after SIGKILL"
exits 0 "and has the log of before" verify
ok "the record is on disk" daemon_settled
daemon_stop

rm "$tmp"/audit/*
told "wiped" "audit log: another one is in the place of that with [0-9]+ lines" other

cp -a "$tmp/audit" "$tmp/copy"
for _ in 1 2 3 4 5; do "$ask" quote "$tmp/quote" >/dev/null; done
ok "the record is on disk" daemon_settled
daemon_stop
rm -r "$tmp/audit"
mv "$tmp/copy" "$tmp/audit"
told "an older copy" "audit log: it ends before line [0-9]+, which it had" cut

daemon_stop
file=$(ls "$tmp"/audit/audit-0*.log | tail -n 1)
head -n -2 "$file" >"$tmp/cut"
cat "$tmp/cut" >"$file"
told "cut" "audit log: lines that it had are gone" missing 3

daemon_stop
head -c 64 /dev/zero >"$tmp/state/vault/anchor"
told "what was kept is damaged" "audit log: what was kept of its end cannot be read" "" 3
daemon_stop
tap_done
