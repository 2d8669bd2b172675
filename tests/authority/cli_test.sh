# bawn daemon policy and bawn daemon audit, as an administrator uses them.
. tests/tap.sh

# ---- policy ----

cat >"$tmp/policy" <<'END'
deny any uid=666

[native]
allow status
allow quote gid=4242 debug=no rate=600/m burst=50
allow launch gid=4242 mrsigner=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa epc=64M
allow administer uid=0
END
exits 0 "a policy is checked" "$bawn" daemon policy check "$tmp/policy"
like "$out" '5 rules in 1 sections' "... and summed up"
exits 0 "... as JSON" "$bawn" daemon policy check --json "$tmp/policy"
like "$out" '"sections": \[' "... with its sections"
is "$(printf '%s' "$out" | python3 -c 'import json,sys; d=json.load(sys.stdin); print(d["rules"], d["lists"]["signing_keys"], d["remarks"])')" \
	"5 None []" "... and its rules"
exits 0 "strictly" "$bawn" daemon policy check --strict "$tmp/policy"
sed 's/administer uid=0/administer/' "$tmp/policy" >"$tmp/remarkable"
exits 0 "a policy that leaves something to remark" "$bawn" daemon policy check "$tmp/remarkable"
like "$out" 'line 7: whoever can open the socket may administer' "... which is said"
exits 4 "... counts if one is strict" "$bawn" daemon policy check --strict "$tmp/remarkable"
sed 's/allow quote/permit quote/' "$tmp/policy" >"$tmp/wrong"
exits 3 "a policy that is not understood" "$bawn" daemon policy check "$tmp/wrong"
like "$out" 'line 5: not a word that a policy knows: permit' "... and where"
like "$("$bawn" daemon policy check --json "$tmp/wrong" 2>/dev/null | python3 -c 'import json,sys; d=json.load(sys.stdin); print(d["understood"], d["error"])')" \
	'^False line 5: ' "... as JSON"
exits 1 "a policy that is not there" "$bawn" daemon policy check "$tmp/none"
like "$("$bawn" daemon policy check --json "$tmp/none" 2>/dev/null | python3 -c 'import json,sys; d=json.load(sys.stdin); print(d["understood"], d["error"])')" \
	'^False .*no such file' "... as JSON"
exits 1 "a policy that is a directory" "$bawn" daemon policy check "$tmp"

exits 0 "what a member of the group gets" "$bawn" daemon policy test "$tmp/policy" quote uid=1 gid=4242
like "$out" '^quote +allowed by line 5 of the policy' "... and by which line"
like "$out" '5: allow quote gid=4242' "... which is printed"
exits 3 "what another gets" "$bawn" daemon policy test "$tmp/policy" quote uid=1 gid=4243
like "$out" 'refused: no rule of the policy allows it' "... by no line"
exits 0 "in a supplementary group" "$bawn" daemon policy test "$tmp/policy" quote uid=1 gid=1 gid=4242
exits 3 "with a debug enclave" "$bawn" daemon policy test "$tmp/policy" quote uid=1 gid=4242 debug=yes
exits 3 "on another socket" "$bawn" daemon policy test "$tmp/policy" status uid=1 gid=1 socket=aesm
exits 3 "who is denied before all sections" "$bawn" daemon policy test "$tmp/policy" status uid=666 gid=4242
like "$out" 'refused by line 1' "... by line 1"
exits 3 "another signer launches nothing" "$bawn" daemon policy test "$tmp/policy" launch uid=1 gid=4242
exits 0 "this one does" "$bawn" daemon policy test "$tmp/policy" launch uid=1 gid=4242 \
	mrsigner=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
exits 3 "all operations, for root" "$bawn" daemon policy test "$tmp/policy" all uid=0 gid=0
is "$(printf '%s\n' "$out" | grep -c allowed)" 2 "... of which two are allowed"
exits 3 "... as JSON" "$bawn" daemon policy test --json "$tmp/policy" all uid=0 gid=0
is "$(printf '%s' "$out" | python3 -c 'import json,sys; print(*[d["operation"] for d in json.load(sys.stdin) if d["allowed"]])')" \
	"status administer" "... the same"
exits 0 "about oneself" "$bawn" daemon policy test "$tmp/policy" status
exits 64 "an operation that there is not" "$bawn" daemon policy test "$tmp/policy" fly
exits 64 "a condition that there is not" "$bawn" daemon policy test "$tmp/policy" quote pid=1
exits 64 "somebody who is not there" "$bawn" daemon policy test "$tmp/policy" quote user=no-such-user-here
exits 64 "a range of users" "$bawn" daemon policy test "$tmp/policy" quote uid=1-2
exits 64 "groups of nobody" "$bawn" daemon policy test "$tmp/policy" quote gid=1
exits 1 "a wrong policy is no refusal" "$bawn" daemon policy test "$tmp/wrong" quote
mkdir "$tmp/state"
exits 0 "with grants, of which there are none" "$bawn" daemon policy test --grants "$tmp/state" "$tmp/policy" status uid=1
echo garbage >"$tmp/state/grants"
exits 1 "with grants that are damaged" "$bawn" daemon policy test --grants "$tmp/state" "$tmp/policy" status uid=1

# ---- audit ----

log=$BUILD/tests/authority/log_prog
mkdir "$tmp/log"
exits 1 "no log" "$bawn" daemon audit verify --dir "$tmp/log"
like "$out" 'audit verify --key FILE. takes one that was taken away' "... and no key"
ok "a log is written" "$log" "$tmp/log" 20
exits 0 "it is verified" "$bawn" daemon audit verify --dir "$tmp/log"
like "$out" '^sound: lines 1 to 21' "... whole"
exits 0 "... as JSON" "$bawn" daemon audit verify --json --dir "$tmp/log"
is "$(printf '%s' "$out" | python3 -c 'import json,sys; d=json.load(sys.stdin); print(d["finding"], d["last"])')" \
	"sound 21" "... the same"
exits 0 "its last lines" "$bawn" daemon audit tail --dir "$tmp/log" -n 3
is "$(printf '%s\n' "$out" | wc -l)" 3 "... three of them"
like "$out" 'request .* ok by line 12 on native uid 1001 pid 77 - made' "... in words"
exits 0 "... as JSON" "$bawn" daemon audit tail --dir "$tmp/log" -n 3 --json
is "$(printf '%s\n' "$out" | python3 -c 'import json,sys; print(*[json.loads(l)["n"] for l in sys.stdin])')" \
	"19 20 21" "... a line each"
exits 0 "none" "$bawn" daemon audit tail --dir "$tmp/log" --lines 0
is "$out" "" "... is nothing"

numbers() { "$bawn" daemon audit search --json --dir "$tmp/log" "$@" | python3 -c 'import json,sys; print(*[json.loads(l)["n"] for l in sys.stdin])'; }
is "$(numbers operation=quote)" "3 10 17" "searched by operation"
is "$(numbers operation=quote answer=denied)" "17" "... and answer"
exits 0 "whom something is about" "$bawn" daemon audit search --dir "$tmp/log" entry=8
like "$out" '^[^ ]* 9 grant status ok by line 12 entry 8 for quote cgroup=/the"client" until 2033-05-18T03:33:20.000000Z on native' "... in words"
is "$(numbers uid=1001 answer=denied)" "5 11 17" "by user"
is "$(numbers since=2023-11-15T16 until=2023-11-15T17)" "20 21" "by time"
is "$(numbers mrsigner=bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb debug=no)" "10" "by enclave"
is "$(numbers event=begin)" "1" "by event"
is "$(numbers 'rule=line 12' operation=status)" "9 16" "by rule"
exits 3 "nothing is found" "$bawn" daemon audit search --dir "$tmp/log" uid=5
is "$(numbers pid=77 operation=quote answer=denied)" "17" "by process"
exits 3 "another process" "$bawn" daemon audit search --dir "$tmp/log" pid=78
is "$(numbers protocol=native operation=quote)" "3 10 17" "by protocol"
exits 3 "the other protocol" "$bawn" daemon audit search --dir "$tmp/log" protocol=aesm
for slip in exe=/bin/a event=bogus answer=nosuch operation=fly protocol=http pid=x since=yesterday until=2026-11-27T08:00:00.000000Z1; do
	exits 64 "a slip: $slip" "$bawn" daemon audit search --dir "$tmp/log" "$slip"
done
exits 64 "no condition" "$bawn" daemon audit search --dir "$tmp/log"

exits 0 "its head" "$bawn" daemon audit head --dir "$tmp/log"
anchor=$out
exits 0 "... as JSON" "$bawn" daemon audit head --json --dir "$tmp/log"
is "$(printf '%s' "$out" | python3 -c 'import json,sys; d=json.load(sys.stdin); print(d["count"], len(d["anchor"]))')" "21 128" "... is whole"
ok "the log goes on" "$log" "$tmp/log" 5
exits 0 "and has what was noted" "$bawn" daemon audit verify --dir "$tmp/log" --anchor "$anchor"
exits 64 "a head that is none" "$bawn" daemon audit verify --dir "$tmp/log" --anchor 00
exits 0 "its key" "$bawn" daemon audit key --dir "$tmp/log" --remove
printf '%s\n' "$out" >"$tmp/key"
exits 1 "... is gone then" "$bawn" daemon audit verify --dir "$tmp/log"
exits 0 "... and needed" "$bawn" daemon audit verify --dir "$tmp/log" --key "$tmp/key"
ok "the log goes on without it" "$log" "$tmp/log" 1
exits 0 "... and is verified" "$bawn" daemon audit verify --dir "$tmp/log" --key "$tmp/key"

file=$tmp/log/audit-000000000001.log
cp "$file" "$tmp/good"
sed -i '5s/"uid":1001/"uid":1002/' "$file"
exits 3 "a changed line" "$bawn" daemon audit verify --dir "$tmp/log" --key "$tmp/key"
like "$out" '^changed: line 5 is not as it was written' "... is found"
like "$out" 'at audit-000000000001.log, line 5' "... where it is"
sed 7d "$tmp/good" >"$file"
exits 3 "a missing line" "$bawn" daemon audit verify --json --dir "$tmp/log" --key "$tmp/key"
like "$out" '"finding": "missing"' "... is found"
sed '$d' "$tmp/good" >"$file"
exits 3 "a line cut off" "$bawn" daemon audit verify --dir "$tmp/log" --key "$tmp/key"
like "$out" '^cut: the log ends at line 26' "... is found"
echo nonsense >"$tmp/key2"
exits 1 "what is no key" "$bawn" daemon audit verify --dir "$tmp/log" --key "$tmp/key2"
exits 1 "no directory" "$bawn" daemon audit tail --dir "$tmp/none"

# --follow prints what comes later
mkdir "$tmp/follow"
"$log" "$tmp/follow" 1
"$bawn" daemon audit tail --dir "$tmp/follow" -f --json >"$tmp/followed" &
pid=$!
for _ in $(seq 100); do [ "$(wc -l <"$tmp/followed")" = 2 ] && break; sleep 0.1; done
"$log" "$tmp/follow" 3
for _ in $(seq 100); do [ "$(wc -l <"$tmp/followed")" -ge 5 ] && break; sleep 0.1; done
kill "$pid"
wait "$pid" 2>/dev/null
is "$(wc -l <"$tmp/followed")" 5 "lines that come are printed, each once"

# rotated
mkdir "$tmp/rotated"
"$log" "$tmp/rotated" 900 65536 3
exits 0 "a rotated log" "$bawn" daemon audit verify --dir "$tmp/rotated"
like "$out" 'went with old files, on record' "... says what went"
rm "$(ls "$tmp"/rotated/audit-0*.log | sed -n 2p)"
exits 3 "without one of its files" "$bawn" daemon audit verify --dir "$tmp/rotated"
like "$out" '^missing: lines .* no file has them' "... it is not whole"
tap_done
