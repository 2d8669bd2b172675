# The time of day is set forward and back while bawnd runs (clock/clock.c moves it for
# all roles): nobody hangs or gets a wrong answer, what goes by elapsed time is not
# touched, what goes by the date is told, and all of it recovers without a restart.
# no-asan: the roles' tables of system calls do not have the sanitizer's
. tests/tap.sh
. tests/daemon/daemon.sh
[ -x "$BUILD/tests/daemon/bawnd-clock" ] || skip_all "bawnd-clock is not built"
BAWND=$tmp/bawnd
cp "$BUILD/tests/daemon/bawnd-clock" "$BAWND" && chmod 755 "$BAWND"
: >"$BAWND.shift" && chmod 644 "$BAWND.shift"
DAY=86400
YEAR=$((365 * DAY))
set_clock() { # SECONDS off the right time
	python3 -c 'import struct,sys
with open(sys.argv[1], "r+b") as f: f.write(struct.pack("<q", int(sys.argv[2])))' "$BAWND.shift" "$1"
}
set_clock 0
daemon_pcs_ahead
daemon_setup
{
	cat "$tmp/bawnd.conf"
	printf '[socket %s]\npath = %s\nmode = 0666\n' web "$run/web.sock" busy "$run/busy.sock"
} >"$tmp/more" && mv "$tmp/more" "$tmp/bawnd.conf"
daemon_policy "[native]" "allow status,collateral,provision,administer uid=$uid" \
	"[web]" "allow status uid=$uid" "allow quote uid=$uid rate=1/h" "[busy]" "allow quote uid=$uid" "[aesm]"
verify() { "$bawn" verify --collateral "$tmp/fab/collateral" --root "$tmp/fab/root_ca.pem" --profile emulated --allow-emulated "$@"; }
no_grants() { [ "$("$bawn" daemon grant --list --json | tr -d ' \n')" = "[]" ]; }

# ---- grants, rates, requests under way ----

starts "it starts"
BAWN_SOCKET=$run/busy.sock "$ask" load 6 2 >"$tmp/load" 2>&1 &
load=$!
ok "a grant for half an hour" "$bawn" daemon grant quote uid="$uid" socket=native --for 1800
ok "lets quote" "$ask" quote "$tmp/quote"
ok "a quote where one an hour is allowed" env BAWN_SOCKET="$run/web.sock" "$ask" quote "$tmp/quote"
set_clock 3600
exits 3 "an hour forward: the grant is over" "$ask" quote "$tmp/none"
ok "... and leaves the list" until_ok no_grants
exits 1 "the rate is not: it goes by elapsed time" env BAWN_SOCKET="$run/web.sock" "$ask" quote "$tmp/none"
like "$out" 'rate|often|limit' "... as it says"
set_clock 0
exits 3 "back again: what was over stays so" "$ask" quote "$tmp/none"
ok "... and is in no list" no_grants
ok "a new grant" "$bawn" daemon grant quote uid="$uid" socket=native --for 1800
set_clock -$DAY
ok "a day back: it goes on until its date" "$ask" quote "$tmp/quote"
exits 1 "the rate has nothing back either" env BAWN_SOCKET="$run/web.sock" "$ask" quote "$tmp/none"
ok "the certificate does not hold yet, and status asks whether that is the time" until_status 'degraded: the certificate does not hold yet'
set_clock 0
ok "the right time: all is well, without a restart" until_status 'ready'

# ---- certificate and collateral ----

ok "a grant without an end" "$bawn" daemon grant quote uid="$uid" socket=native
set_clock $((40 * DAY))
ok "past the collateral's nextUpdate: status tells" until_status 'degraded: the collateral has expired'
ok "quotes go on" "$ask" quote "$tmp/quote"
"$bawn" emu fab publish --fab "$tmp/fab" --until "$(date -u -d '+80 days' +%Y-%m-%dT%H:%M:%SZ)" >/dev/null
root && chmod -R a+rX "$tmp/fab"
"$bawn" daemon provision --now >/dev/null
ok "there is newer: all is well" until_status 'ready'
set_clock $((8 * YEAR))
ok "past the certificate's end: status tells" until_status 'degraded: the certificate has expired'
like "$("$bawn" daemon provision)" 'provisioning: expired' "... and the state of provisioning"
ok "a revocation" "$bawn" daemon revoke collateral uid=4000001
ok "quotes are issued all the same: a verifier decides" "$ask" quote "$tmp/late"
is "$(logs 'vault: the certificate has expired'; grep -c 'vault: the certificate has expired' "$tmp/log")" 1 "... and the log warns once"
then=$(date -u -d '+8 years' +%Y-%m-%dT%H:%M:%SZ)
exits 5 "... which nobody accepts who has that time" verify --at "$then" "$tmp/late"
set_clock 0
ok "back: it holds again" until_status 'ready'
set_clock $((8 * YEAR))
"$bawn" emu fab publish --fab "$tmp/fab" --until "$(date -u -d '+15 years' +%Y-%m-%dT%H:%M:%SZ)" >/dev/null
"$bawn" emu fab issue --fab "$tmp/fab" --platform "$BAWN_PLATFORM" --anew --until "$(date -u -d '+15 years' +%Y-%m-%dT%H:%M:%SZ)" -o /dev/null
root && chmod -R a+rX "$tmp/fab"
"$bawn" daemon provision --now >/dev/null
ok "there is a newer one: all is well, without a restart" until_status 'ready'
ok "a quote" "$ask" quote "$tmp/late"
ok "... which verifies then" verify --at "$then" "$tmp/late"
set_clock 0
ok "back: all is well" until_status 'ready'
wait "$load"
is $? 0 "all the while quotes were made, and none was wrong"
sed 's/^/# /' "$tmp/load"
ok "the grant of before lets quote" "$ask" quote "$tmp/quote"
ok "and that verifies" verify "$tmp/quote"

# ---- the record, and a restart at another time ----

set_clock -$((2 * DAY))
daemon_stop
WAIT=serving starts "it starts again, two days back"
ok "a grant is what it was" "$ask" quote "$tmp/quote"
exits 0 "the head that it knows is on record" "$bawn" daemon audit verify --dir "$tmp/audit" --service
set_clock 0
daemon_stop
exits 0 "the record is sound" "$bawn" daemon audit verify --dir "$tmp/audit"
ok "its numbers ascend, its times went back" python3 - "$tmp"/audit/audit-0*.log <<'END'
import json, sys
lines = [json.loads(line) for name in sorted(sys.argv[1:]) for line in open(name)]
assert [x["n"] for x in lines] == list(range(1, len(lines) + 1))
assert sum(b["time"] < a["time"] for a, b in zip(lines, lines[1:])) >= 3
END
exits 0 "search finds what was recorded under a time to come" "$bawn" daemon audit search --dir "$tmp/audit" \
	event=revoke since="$(date -u -d '+1 year' +%Y-%m)"
is "$(printf '%s\n' "$out" | wc -l)" 1 "... that alone"

# ---- a server, whose certificate has a time too ----

command -v openssl >/dev/null || { skip "a PCS: no openssl"; tap_done; }
"$bawn" emu fab issue --fab "$tmp/fab" --platform "$BAWN_PLATFORM" --anew --until "$(date -u -d '+1 year' +%Y-%m-%dT%H:%M:%SZ)" -o /dev/null
daemon_pcs --log "$tmp/asked"
asked() { grep -c pckcert "$tmp/asked"; }
rm -rf "$tmp/state" "$tmp/quote"
daemon_allow_all
set_clock -$((10 * YEAR))
WAIT=serving starts "it starts with a clock that was never set"
exits 1 "there is no quote" "$ask" quote "$tmp/none"
like "$out" 'not yet valid' "... since the server's certificate does not hold yet, as it says"
like "$("$bawn" daemon provision)" 'not yet valid' "... and the state of provisioning"
set_clock 0
ok "the clock set: it is ready, without being asked" until_status 'ready'
ok "a quote" "$ask" quote "$tmp/quote"
ok "that verifies" verify "$tmp/quote"
daemon_stop
sed -i '1i renew-days = 3650' "$tmp/bawnd.conf" # more than any certificate has
: >"$tmp/asked"
starts "near the certificate's end"
ok "it asks for another" until_ok grep -q pckcert "$tmp/asked"
sleep 2
is "$(asked)" 1 "... once, since the server has none that is newer"
daemon_stop
is "$(grep 'started again' "$tmp/log")" "" "nothing died of it"
tap_done
