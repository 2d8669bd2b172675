# What goes wrong around the service: a full disk, a disk that cannot be written, a source
# of collateral that is gone or serves garbage. It says so, goes on as far as it can, and
# recovers by itself.
# no-asan: the roles' tables of system calls do not have the sanitizer's
. tests/tap.sh
if [ "$(id -u)" = 0 ] && [ -z "${BAWN_IN_NAMESPACE-}" ] && unshare --mount true 2>/dev/null; then
	rm -rf "$tmp" # the one in the name space has its own
	BAWN_IN_NAMESPACE=1 exec unshare --mount bash "$0"
fi
. tests/daemon/daemon.sh
daemon_setup
until_status() { # REGEX: status says so within ten seconds
	local i
	for ((i = 0; i < 100; i++)); do
		"$bawn" daemon status 2>&1 | grep -Eq "$1" && return 0
		sleep 0.1
	done
	"$bawn" daemon status
	return 1
}

# ---- the source ----

mkdir "$tmp/away"
mv "$tmp"/fab/* "$tmp/away/" # what is in it: the sandbox knows the directory itself
WAIT=serving starts "without a source of certificates it starts"
exits 1 "and has no quotes to give" "$ask" quote "$tmp/none"
like "$out" '[Cc]ertif|provision' "... and says what is missing"
like "$("$bawn" daemon provision)" 'waiting|none' "the state of provisioning tells"
mv "$tmp"/away/* "$tmp/fab/"
ok "with the source back, asked to try again" "$bawn" daemon provision --now
ok "it is ready" until_status '^bawnd: ready|ready'
ok "a quote" "$ask" quote "$tmp/quote"

cp -r "$tmp/fab" "$tmp/good"
find "$tmp/fab/pck" "$tmp/fab/collateral" -type f -exec sh -c 'head -c 3000 /dev/urandom >"$1"' sh {} \;
"$bawn" daemon provision --now >/dev/null
sleep 1
ok "a source of garbage: quotes by the certificate there is" "$ask" quote "$tmp/quote"
verify() { "$bawn" verify --collateral "$tmp/good/collateral" --root "$tmp/good/root_ca.pem" --profile emulated --allow-emulated "$@"; }
ok "... which verify" verify "$tmp/quote"
like "$("$bawn" daemon provision)" 'in vain|: .' "... and the state tells of it"
cp -r "$tmp"/good/* "$tmp/fab/"
root && chmod -R a+rX "$tmp/fab"
"$bawn" daemon provision --now >/dev/null
ok "the source mended, all is well" until_status 'ready'
daemon_stop

# ---- time ----

issue() { # [OPTION...]
	"$bawn" emu fab issue --fab "$tmp/fab" --platform "$BAWN_PLATFORM" --anew -o /dev/null "$@"
	root && chmod -R a+rX "$tmp/fab"
	"$bawn" daemon provision --now >/dev/null
}
starts "it starts again"
ok "a certificate that ends in some seconds" issue --until "$(date -u -d '+12 seconds' +%Y-%m-%dT%H:%M:%SZ)"
ok "is taken over" until_status 'ready|degraded'
for _ in $(seq 200); do "$bawn" daemon provision | grep -q 'expired' && break; sleep 0.1; done
like "$("$bawn" daemon provision)" 'provisioning: expired' "it expires, and provisioning says so"
like "$("$bawn" daemon status)" 'degraded: the certificate has expired' "... and so does status"
sleep 2 # the last second counts
ok "quotes are issued all the same: a verifier decides" "$ask" quote "$tmp/late"
is "$(grep -c 'vault: the certificate has expired' "$tmp/log")" 1 "... and the log warns once"
"$ask" quote "$tmp/late" >/dev/null 2>&1 && verify "$tmp/late" >/dev/null 2>&1
ok "no quote is had that verifies" test $? != 0
ok "a new one" issue
ok "and all is well without a restart" until_status 'ready'
ok "a quote" "$ask" quote "$tmp/quote"
ok "... which verifies" verify "$tmp/quote"
daemon_stop

# ---- the disk ----

if ! root || [ -z "${BAWN_IN_NAMESPACE-}" ]; then
	skip "a disk of our own needs root"
	tap_done
fi
mkdir "$tmp/disk"
mount -t tmpfs -o size=1m,mode=755 tmpfs "$tmp/disk"
trap 'kill -9 "$daemon" 2>/dev/null; umount "$tmp/disk"; rm -rf "$tmp"' EXIT
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

ok "a revocation" "$bawn" daemon revoke quote uid="$uid"
daemon_stop
mount -o remount,bind,ro "$tmp/disk"
: >"$tmp/log"
timeout 20 "$BUILD/bawnd" --config "$tmp/bawnd.conf" --foreground >"$tmp/log" 2>&1 </dev/null
ok "on a disk that cannot be written it does not start" test $? != 0
like "$(cat "$tmp/log")" 'Read-only file system' "... and says why"
mount -o remount,bind,rw "$tmp/disk"
starts "it starts again when it can"
exits 3 "the revocation is what it was" "$ask" quote "$tmp/none"
exits 0 "the record is sound still" "$bawn" daemon audit verify --dir "$tmp/disk/audit"
daemon_stop
tap_done
