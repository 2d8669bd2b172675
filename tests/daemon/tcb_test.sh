# A TCB recovery, as the service sees it: the platform's CPUSVN rises and what it was is
# out of date. The key is sealed anew and certified at the new TCB, by itself; until then
# what there was is kept and serves, whatever the source of certificates does meanwhile.
# no-asan: the roles' tables of system calls do not have the sanitizer's
. tests/tap.sh
. tests/daemon/daemon.sh
command -v openssl >/dev/null || skip_all "no openssl"
daemon_pcs_ahead
daemon_setup
daemon_pcs --log "$tmp/asked"
at() { # CPUSVN STATE: of provisioning
	"$bawn" daemon provision --json >"$tmp/provision" && grep -q "\"cpusvn\": \"$1\"" "$tmp/provision" && grep -q "\"state\": \"$2\"" "$tmp/provision"
}
cpusvn() { "$bawn" daemon provision --json | sed -n 's/^ *"cpusvn": "\(.*\)",/\1/p'; }
key_id() { od -An -tx1 -j 500 -N 64 "$tmp/quote" | tr -d ' \n'; } # of the quote
# The platform is updated, with no enclave on it, as hardware wants it; what is less is out of date.
recovery() { # HEX: the CPUSVN that there will be
	"$bawn" emu platform upgrade "$BAWN_PLATFORM" >/dev/null || return 1
	"$bawn" emu fab level set --fab "$tmp/fab" --cpusvn "$1" --status UpToDate >/dev/null &&
		"$bawn" emu fab level set --fab "$tmp/fab" --cpusvn "$2" --status OutOfDate >/dev/null
}
ones=$(printf '01%.0s' $(seq 15))
v0=01$ones v1=02$ones v2=03$ones v3=04$ones # component 0 rises
# How the last quote is judged, by the fab's present word.
judged() { # CODE STATUS CPUSVN NAME
	ok "$4: a quote" "$ask" quote "$tmp/quote"
	exits "$1" "... which is judged" "$bawn" verify --json --collateral "$tmp/fab/collateral" --root "$tmp/fab/root_ca.pem" --profile emulated --allow-emulated "$tmp/quote"
	like "$out" "\"tcb_status\": \"$2\"" "... $2"
	is "$(printf '%s' "$out" | python3 -c 'import json,sys; print(json.load(sys.stdin)["platform"]["cpusvn"])')" "$3" "... by the certificate of its TCB"
}

starts "it starts at the first TCB"
judged 0 UpToDate $v0 "at first"
key=$(key_id)
is "$(cpusvn)" $v0 "provisioning tells the CPUSVN"

# ---- while there is no server ----

daemon_pcs_stop
ok "quiesced" "$bawn" daemon quiesce --seconds 600
ok "updated" recovery $v1 $v0
ok "quiesced no longer" "$bawn" daemon quiesce
judged 3 OutOfDate $v0 "with no server for a new certificate"
is "$(key_id)" "$key" "by the key of before"
ok "status is degraded, and tells what is wrong" until_status "degraded: localhost port $pcs_port"
like "$("$bawn" daemon provision)" 'provisioning: renewing: .*localhost' "so does the state of provisioning"
ok "which knows of the rise" until_ok at $v1 renewing
daemon_stop
WAIT=serving starts "it starts again, without a server"
ok "and has what there was" "$ask" quote "$tmp/quote"
is "$(key_id)" "$key" "the key, sealed anew"
ok "status tells of the server" until_status "degraded: localhost port $pcs_port"
ok "and by the collateral that was kept, where the platform stood" until_status 'TCB UpToDate'
daemon_pcs --log "$tmp/asked"
ok "the server is back: all is well, without being asked" until_status 'ready'
judged 0 UpToDate $v1 "then"
ok "by another key: the old one is not certified at a TCB at which it was not made" test "$(key_id)" != "$key"
ok "status: UpToDate" until_status 'TCB UpToDate'

# ---- while it runs ----

ok "quiesced" "$bawn" daemon quiesce --seconds 600
ok "updated" recovery $v2 $v1
ok "quiesced no longer" "$bawn" daemon quiesce
ok "what is read again is looked at" "$bawn" daemon reload
ok "certified at the new TCB" until_ok at $v2 ready
judged 0 UpToDate $v2 "without a restart"

# ---- while it does not ----

daemon_stop
ok "updated" recovery $v3 $v2
starts "it starts at another TCB"
ok "certified at it" until_ok at $v3 ready
judged 0 UpToDate $v3 "after a restart"
ok "status: UpToDate" until_status 'TCB UpToDate'
is "$(grep 'started again' "$tmp/log")" "" "nothing died of it"
ok "the record tells of it" "$bawn" daemon audit search --dir "$tmp/audit" event=provision
daemon_stop
is "$(PYTHONDONTWRITEBYTECODE=1 python3 tests/daemon/state_file.py cpusvn "$tmp/state/vault/ledger")" $v3 "its end is sealed at the last of them"
is "$("$bawn" daemon audit search --dir "$tmp/audit" event=fault)" "" "... and was followed all the way"
exits 0 "and is sound" "$bawn" daemon audit verify --dir "$tmp/audit"
tap_done
