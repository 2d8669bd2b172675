# The state of bawnd is damaged, its disk full, or not to be written: it says so, goes on
# as far as it can, loses no revocation, and recovers without a restart.
# no-asan: the roles' tables of system calls do not have the sanitizer's
. tests/tap.sh
if [ "$(id -u)" = 0 ] && [ -z "${BAWN_IN_NAMESPACE-}" ] && unshare --mount true 2>/dev/null; then
	rm -rf "$tmp" # the one in the name space has its own
	BAWN_IN_NAMESPACE=1 exec unshare --mount bash "$0"
fi
. tests/daemon/daemon.sh
daemon_setup
damage() { printf 'damage' | dd of="$tmp/state/vault/$1" bs=1 seek=40 conv=notrunc 2>/dev/null; }

# ---- damaged ----

starts "it starts"
ok "a revocation" "$bawn" daemon revoke quote uid=4000001
daemon_stop
damage provisioning
starts "with damaged provisioning state it starts anew"
ok "and has a quote" "$ask" quote "$tmp/quote"
ok "... and says so" logs 'provisioning starts anew'
daemon_stop
damage grants
WAIT=answering starts "with damaged revocations it starts"
exits 3 "... and refuses everything" "$ask" quote "$tmp/none"
exits 1 "... its administrators too" "$bawn" daemon status
like "$out" 'can ?not be read' "... and says why"
ok "so does the log" logs 'everything is refused'
daemon_stop
rm -f "$tmp/state/vault/grants"
starts "without them it starts"
ok "and has a quote" "$ask" quote "$tmp/quote"
daemon_stop

# ---- full ----

if ! root || [ -z "${BAWN_IN_NAMESPACE-}" ]; then
	skip "a disk of our own needs root"
	tap_done
fi
mounted=$tmp/disk
mkdir "$mounted"
mount -t tmpfs -o size=1m,mode=755 tmpfs "$mounted"
cp -Rp "$tmp/state" "$tmp/audit" "$mounted/" # the log too: without it there would be something to say
sed -i "s|^state = .*|state = $tmp/disk/state|; s|^audit = .*|audit = $tmp/disk/audit|" "$tmp/bawnd.conf"
starts "on a small disk"
ok "a quote" "$ask" quote "$tmp/quote"
"$bawn" daemon revoke quote uid=4000001 >/dev/null
fill() { dd if=/dev/zero of="$tmp/disk/fill" bs=1k 2>/dev/null; dd if=/dev/zero bs=1k >>"$tmp/disk/fill" 2>/dev/null; true; }
fill
ok "on a full disk, a revocation" "$bawn" daemon revoke quote uid="$uid"
exits 3 "... holds" "$ask" quote "$tmp/none"
for _ in $(seq 30); do "$ask" quote "$tmp/none" >/dev/null 2>&1; fill; done
ok "the log cannot be written, and status says so" until_status 'degraded.*(log|audit)|audit.*(lost|fail|cannot)'
rm "$tmp/disk/fill"
id=$("$bawn" daemon grant --list --json | python3 -c 'import json,sys; print(json.load(sys.stdin)[-1]["id"])')
ok "with room again, it is taken back" "$bawn" daemon revoke --remove "$id"
ok "a quote" "$ask" quote "$tmp/quote"
ok "... and all is well, without a restart" until_status 'ready'
exits 0 "the record is sound" "$bawn" daemon audit verify --dir "$tmp/disk/audit"
like "$out" 'could not be written, on record' "... and tells what it lacks"
counted() { "$bawn" daemon status --json | sed -n "s/^ *\"$1\": \([0-9]*\).*/\1/p"; } # NAME
ok "status counts what it lacks" test "$(counted audit_lost)" -gt 0
like "$("$bawn" daemon status)" 'audit log .* lines, [1-9][0-9]* could not be written' "... in words too"

# It goes on without a record, unless it is told not to.
without_room() {
	local i
	for ((i = 0; i < 300; i++)); do
		"$ask" quote "$tmp/quote" >/dev/null 2>&1
		fill
		"$bawn" daemon status | grep -q 'audit log cannot be written' && return 0
	done
	return 1
}
ok "the disk is full again" without_room
ok "quotes go on" "$ask" quote "$tmp/quote"
daemon_stop
rm "$tmp/disk/fill"
daemon_config "audit-required = yes"
sed -i "s|^state = .*|state = $tmp/disk/state|; s|^audit = .*|audit = $tmp/disk/audit|" "$tmp/bawnd.conf"
starts "where a record is required"
ok "a quote" "$ask" quote "$tmp/quote"
ok "the disk is full once more" without_room
like "$("$bawn" daemon status)" 'nothing is given without it' "status says what that means"
exits 1 "no quote" "$ask" quote "$tmp/none"
like "$out" 'audit log cannot be written' "... and why"
ok "what tells only is answered" "$bawn" daemon policy show
ok "... and so is what takes away" "$bawn" daemon revoke quote uid=4000002
exits 1 "... but not what gives" "$bawn" daemon grant quote uid=4000003
old=$(role vault)
kill -9 "$old"
WAIT=serving daemon_wait
exits 1 "another vault knows it at once" "$ask" quote "$tmp/none"
like "$out" 'audit log cannot be written' "... too"
is "$(counted restarts)" 1 "and status tells that there was a restart"
rm "$tmp/disk/fill"
ok "with room again all is well, though nobody asks for anything" until_status 'ready'
ok "a quote" "$ask" quote "$tmp/quote"
exits 0 "the record is sound" "$bawn" daemon audit verify --dir "$tmp/disk/audit"

# What is found when it starts, and cannot be put on record then, is when it can.
ok "the disk is full again" without_room
daemon_stop
dd if=/dev/zero of="$tmp/disk/state/vault/anchor" bs=64 count=1 conv=notrunc 2>/dev/null
found() { "$bawn" daemon audit search --dir "$tmp/disk/audit" event=fault | grep -q 'what was kept of its end cannot be read'; }
for i in 1 2; do
	WAIT=serving starts "with what was kept of the log's end damaged, start $i"
	ok "... the log cannot be written" until_status 'audit log cannot be written'
	ok "... and has nothing of it" test "$(found && echo yes)" = ""
	[ "$i" = 1 ] && daemon_stop
done
rm "$tmp/disk/fill"
ok "with room again the log has it" until_ok found
ok "... and status" until_status 'what was kept of its end cannot be read'
ok "the record is on disk" daemon_settled "$tmp/disk/audit"
daemon_stop
starts "it starts again"
ok "... and all is well" until_status 'ready'
exits 0 "the record is sound" "$bawn" daemon audit verify --dir "$tmp/disk/audit"

# ---- not to be written ----

ok "a revocation" "$bawn" daemon revoke quote uid="$uid"
daemon_stop
mount -o remount,bind,ro "$tmp/disk"
: >"$tmp/log"
timeout 20 "$BUILD/bawnd" --config "$tmp/bawnd.conf" --foreground >"$tmp/log" 2>&1 </dev/null
ok "on a disk that cannot be written it does not start" test $? != 0
ok "... and says why" logs 'Read-only file system'
mount -o remount,bind,rw "$tmp/disk"
starts "it starts again when it can"
exits 3 "the revocation is what it was" "$ask" quote "$tmp/none"
exits 0 "the record is sound still" "$bawn" daemon audit verify --dir "$tmp/disk/audit"
daemon_stop

# While it runs: its state alone, since the record is open for writing.
mounted="$tmp/disk $tmp/disk2"
mkdir "$tmp/disk2"
mount -t tmpfs -o size=4m,mode=755 tmpfs "$tmp/disk2"
daemon_config
sed -i "s|^state = .*|state = $tmp/disk2/state|" "$tmp/bawnd.conf"
starts "on a disk of its own"
mount -o remount,bind,ro "$tmp/disk2"
"$bawn" daemon revoke quote uid="$uid" >"$tmp/revoked" 2>&1
like "$(cat "$tmp/revoked")" 'not .*(kept|disk|written)|until' "that cannot be written any more: a revocation says that it is not kept"
exits 3 "... and holds" "$ask" quote "$tmp/none"
ok "status tells" until_status 'degraded: .*(kept|written)'
like "$("$bawn" daemon status)" 'Read-only file system' "... and why"
mount -o remount,bind,rw "$tmp/disk2"
ok "it can be written again: all is well, without a restart" until_status 'ready'
daemon_stop
starts "after a restart"
exits 3 "the revocation is there" "$ask" quote "$tmp/none"
daemon_stop
tap_done
