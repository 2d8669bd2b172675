# The policy in force and the audit log, of a service that runs: who would get what, what is on record.
# no-asan: the roles' tables of system calls do not have the sanitizer's
. tests/tap.sh
. tests/daemon/daemon.sh
daemon_setup
daemon_policy "deny any uid=4242" "deny status gid=6000" "[native]" "allow status uid=0-4000000" "allow quote uid=$uid rate=100/s" \
	"allow administer uid=$uid" "[aesm]"
printf '[native]\nallow status\n' >"$tmp/quiet"
sed "s|^policy = .*|policy = $tmp/quiet|" "$tmp/bawnd.conf" >"$tmp/quiet.conf"
out=$("$BUILD/bawnd" --config "$tmp/quiet.conf" --check-config 2>&1)
like "$out" "$tmp/quiet: nobody may administer" "a remark on all of a policy"
starts "it starts"

# ---- the policy in force ----

exits 0 "which policy is in force" "$bawn" daemon policy show
like "$out" "$tmp/policy in force since 20.*: 5 rules in 2 sections" "... is told"
like "$out" "$(sha256sum "$tmp/policy" | cut -d ' ' -f 1)" "... with its hash"
exits 0 "somebody would be given" "$bawn" daemon policy test --service quote uid="$uid" gid=1
like "$out" 'allowed by line 5 of the policy' "... by this line"
exits 3 "and another not" "$bawn" daemon policy test --service quote uid=77 gid=1
exits 3 "nor on another socket" "$bawn" daemon policy test --service quote uid="$uid" gid=1 socket=aesm
exits 3 "a denial for all sockets" "$bawn" daemon policy test --service status uid=4242 gid=1 --json
like "$out" '"reason": "refused by line 1' "... by its line"
exits 64 "a file and the service" "$bawn" daemon policy test --service --grants "$tmp" quote
exits 64 "neither" "$bawn" daemon policy test
ok "a revocation" "$bawn" daemon revoke quote uid="$uid"
exits 3 "... is known" "$bawn" daemon policy test --service quote uid="$uid" gid=1
like "$out" 'refused by revocation 1' "... by its number"
exits 3 "and holds" "$ask" quote "$tmp/none"
ok "taken back" "$bawn" daemon revoke --remove 1
ok "a quote" "$ask" quote "$tmp/quote"
if root; then
	exits 1 "another user may not ask" as 12345 "$bawn" daemon policy show
	exits 1 "nor see the record's end" as 12345 "$bawn" daemon audit head --service
	exits 1 "nor the state of provisioning" as 12345 "$bawn" daemon provision
	# Of somebody in very many groups not all are told: what denies any group denies him.
	exits 1 "as it does one in forty groups" \
		setpriv --reuid=12345 --regid=12345 --groups="$(seq -s, 5001 5040)" "$bawn" daemon status
	like "$out" 'line 2' "... by its line"
	ok "but not one in two" setpriv --reuid=12345 --regid=12345 --groups=5001,5002 "$bawn" daemon status
else
	skip "other users need root"
fi

# ---- the record ----

audit() { "$bawn" daemon audit "$@" --dir "$tmp/audit"; }
searched() { # NAME CONDITION...: some line is found, within the time that the parent takes
	local name=$1 i
	shift
	for ((i = 0; i < 50; i++)); do
		out=$(audit search "$@") && break
		sleep 0.1
	done
	ok "$name" test -n "$out"
}
searched "the quote is on record" event=request operation=quote answer=ok uid="$uid" "rule=line 5"
ok "... and whose it is" grep -qE 'mrenclave [0-9a-f]{16}' <<<"$out"
searched "so is the refusal" operation=quote answer=denied "rule=revocation 1"
searched "and the revocation" event=revoke operation=administer answer=ok entry=1 "rule=line 6"
ok "... and of what" grep -q "revoke administer ok by line 6 entry 1 for quote uid=$uid on native uid $uid" <<<"$out"
searched "and that it was taken back" event=remove answer=ok entry=1
ok "... of what, again" grep -q "remove administer ok by line 6 entry 1 for quote uid=$uid on" <<<"$out"
ok "a grant for an hour" "$bawn" daemon grant quote,status gid=7000 mrsigner="$(printf '11%.0s' $(seq 32))" debug=no --for 3600 --note why
searched "is on record" event=grant answer=ok entry=2
ok "... with all that it says" grep -qE 'entry 2 for status,quote gid=7000 mrsigner=(11){32} debug=no until 20[0-9T:.-]*Z on .* - why$' <<<"$out"
exits 1 "administer is not granted" "$bawn" daemon grant administer uid=77
searched "... which is on record as refused" event=grant answer=denied
ok "... with what it was to be" grep -q 'grant administer denied by line 6 for administer uid=77 on' <<<"$out"
is "$(grep -c entry <<<"$out")" 0 "... and no number, since there is none"
exits 1 "what is not there is not removed" "$bawn" daemon grant --remove 99
searched "... on record too" event=remove answer=not-found entry=99
cp "$tmp/policy" "$tmp/good"
daemon_policy "nonsense"
exits 1 "a policy that is none" "$bawn" daemon reload
searched "... is not taken, on record" event=policy answer=bad-input uid="$uid"
ok "... with its flaw" grep -q 'line 1: ' <<<"$out"
kill -HUP "$daemon"
# Once for each: by the socket, and by the signal.
for _ in $(seq 50); do [ "$(audit search event=policy | grep -c 'nothing changed')" = 2 ] && break; sleep 0.1; done
is "$(audit search event=policy | grep -c 'nothing changed: .*line 1: ')" 2 "... nor by a signal, on record"
daemon_policy "[native]" "allow quote no-such-condition=$(printf 'x%.0s' $(seq 90))"
exits 1 "one with a flaw that takes long to tell" "$bawn" daemon reload
for _ in $(seq 50); do audit search event=policy | grep -q 'nothing changed: line 2: ' && break; sleep 0.1; done
like "$(audit search event=policy | grep 'nothing changed: line 2: ')" 'line 2: no such condition.*[.]{3}$' \
	"... is told as far as there is room, with a sign that there is more"
mv "$tmp/good" "$tmp/policy"
ok "the one of before" "$bawn" daemon reload
exits 0 "is in force" "$bawn" daemon policy show
searched "and the start" event=start
if root; then
	searched "and another user's attempt" answer=denied uid=12345 rule=default
	exits 1 "another user revokes nothing" as 12345 "$bawn" daemon revoke quote uid="$uid"
	searched "... on record" event=revoke answer=denied uid=12345 rule=default
	ok "... with what he would have" grep -q "for quote uid=$uid on" <<<"$out"
fi
exits 0 "the record is as it was written" audit verify
exits 0 "and has the head that the service knows" "$bawn" daemon audit verify --dir "$tmp/audit" --service
for _ in $(seq 60); do
	anchor=$("$bawn" daemon audit head --service) && break
	sleep 0.1
done
ok "the service tells its head" test -n "$anchor"
like "$("$bawn" daemon audit head --service --json | python3 -c 'import json,sys; d=json.load(sys.stdin); print(d["count"], d["anchor"])')" \
	'^[1-9][0-9]* [0-9a-f]{128}$' "... as JSON"

# Somebody cuts off the end, and the log's own record of it.
rm -rf "$tmp/copy"
cp -r "$tmp/audit" "$tmp/copy"
for _ in $(seq 5); do "$ask" quote "$tmp/quote" >/dev/null; done
# It moves at each sync, perhaps first to lines that were there when the copy was made.
beyond() { ! "$bawn" daemon audit verify --dir "$tmp/copy" --service; }
until_ok beyond
now=$("$bawn" daemon audit head --service)
ok "the head moves" test "$now" != "$anchor"
exits 3 "an older copy of the record" "$bawn" daemon audit verify --dir "$tmp/copy" --service
like "$out" '^cut: ' "... is found to lack its end"
exits 0 "... by nobody who does not know the head" "$bawn" daemon audit verify --dir "$tmp/copy"

# ---- killed ----

kill -9 "$daemon"
wait "$daemon" 2>/dev/null
sleep 0.5
starts "it starts again after SIGKILL"
ok "a quote" "$ask" quote "$tmp/quote"
exits 0 "nothing of the record is lost" "$bawn" daemon audit verify --dir "$tmp/audit" --anchor "$now"

# ---- locked ----

exits 0 "the policy is locked" "$bawn" daemon policy lock
like "$out" ', locked' "... as it says"
daemon_policy "[native]" "allow any,administer"
exits 1 "nothing replaces it" "$bawn" daemon reload
exits 1 "nothing is granted" "$bawn" daemon grant quote uid=77
ok "revocations are made all the same" "$bawn" daemon revoke quote uid="$uid"
exits 3 "... and hold" "$ask" quote "$tmp/none"
exits 1 "... and are not taken back" "$bawn" daemon revoke --remove 3
kill -9 "$(role vault)"
daemon_wait
exits 3 "a vault that dies changes nothing" "$ask" quote "$tmp/none"
exits 1 "... nor unlocks anything" "$bawn" daemon grant quote uid=77
daemon_stop
starts "it starts again"
exits 0 "and is not locked" "$bawn" daemon policy show
ok "... as it says" test -z "$(printf '%s' "$out" | grep locked)"
ok "the revocation is taken back" "$bawn" daemon revoke --remove 3
daemon_stop
exits 0 "the record after all that" audit verify
tap_done
