# Where certificates and collateral come from is gone, empty, slow, or serves garbage: bawnd
# says so, goes on as far as it can, and recovers without a restart.
# no-asan: the roles' tables of system calls do not have the sanitizer's
. tests/tap.sh
. tests/daemon/daemon.sh
daemon_pcs_ahead
daemon_setup
verify() { "$bawn" verify --collateral "$tmp/good/collateral" --root "$tmp/good/root_ca.pem" --profile emulated --allow-emulated "$@"; }
cp -r "$tmp/fab" "$tmp/good" # how it ought to be
fresh() { daemon_stop; rm -rf "$tmp/state"; }
# provision_says REGEX: the state of provisioning does, soon.
says() { "$bawn" daemon provision 2>&1 | grep -Eq -- "$1"; }
provision_says() { until_ok says "$1" || { "$bawn" daemon provision; return 1; }; }

# ---- a directory ----

find "$tmp/fab" -mindepth 1 -delete # what is in it: the sandbox knows the directory itself
WAIT=serving starts "without a source of certificates it starts"
exits 1 "and has no quotes to give" "$ask" quote "$tmp/none"
like "$out" "no certificate for this platform yet: .*$tmp/fab" "... and says what is missing, and where it looked"
daemon_policy "[native]" "allow administer uid=$uid" "allow quote uid=$uid" "[aesm]"
ok "the policy lets quote, and not see the status" "$bawn" daemon reload
exits 1 "who may quote has none" "$ask" quote "$tmp/none"
like "$out" 'no certificate for this platform yet: the log of the service has why' "... and does not see where it looked"
ok "it is in the log" logs "no PCK certificates.* in $tmp/fab"
daemon_allow_all
ok "the policy as it was" "$bawn" daemon reload
like "$("$bawn" daemon status)" 'degraded: .*fab' "status: degraded, and where it looked"
like "$("$bawn" daemon provision)" 'waiting|none' "the state of provisioning tells"
cp -r "$tmp"/good/* "$tmp/fab/"
root && chmod -R a+rX "$tmp/fab"
ok "with the source back, asked to try again" "$bawn" daemon provision --now
ok "it is ready" until_status ready
ok "a quote" "$ask" quote "$tmp/quote"
ok "... which verifies" verify "$tmp/quote"
exits 1 "collateral that there is none of" "$ask" collateral ffffffffffff processor
is "$out" "collateral: there is no collateral for FMSPC ffffffffffff and CA processor here (-15)" "... is told without where it looked"
ok "the log has that" logs "collateral for FMSPC ffffffffffff, which uid $uid asked for: .*$tmp/fab"
like "$("$bawn" daemon audit tail --dir "$tmp/audit" -n 20)" "collateral.*$tmp/fab" "so has the record"

find "$tmp/fab/pck" "$tmp/fab/collateral" -type f -exec sh -c 'head -c 3000 /dev/urandom >"$1"' sh {} \;
"$bawn" daemon provision --now >/dev/null
ok "a source of garbage: the state of provisioning tells" provision_says 'in vain'
ok "status too" until_status degraded
ok "quotes by the certificate there is" "$ask" quote "$tmp/quote"
ok "... which verify" verify "$tmp/quote"
cp -r "$tmp"/good/* "$tmp/fab/"
root && chmod -R a+rX "$tmp/fab"
"$bawn" daemon provision --now >/dev/null
ok "the source mended, all is well" until_status ready

"$bawn" emu platform create "$tmp/other" >/dev/null
"$bawn" emu fab issue --fab "$tmp/fab" --platform "$tmp/other" -o /dev/null
root && chmod -R a+rX "$tmp/fab"
fresh
starts "among several platforms' certificates"
ok "it finds its own" "$ask" quote "$tmp/quote"
ok "and the quote verifies" verify "$tmp/quote"
daemon_stop

# ---- a server ----

command -v openssl >/dev/null || { skip "a PCS: no openssl"; tap_done; }
# server HOW: something else than a PCS, on its port.
server() {
	rm -f "$tmp/port"
	python3 -c 'import socket,sys
how, port = sys.argv[1], int(sys.argv[2])
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("127.0.0.1", port)); s.listen(8)
print(port, flush=True)
kept = []
while True:
    c, _ = s.accept()
    if how == "stall": kept.append(c)
    else: c.recv(65536); c.sendall(b"\x00garbage" * 1000); c.close()' "$1" "$pcs_port" >"$tmp/port" &
	pcs=$!
	until_ok test -s "$tmp/port"
}
daemon_pcs --log "$tmp/asked"
echo wrong >"$tmp/api-key"
rm -rf "$tmp/state"
WAIT=serving starts "a PCS that does not know the API key"
exits 1 "there is no quote" "$ask" quote "$tmp/none"
like "$out" '401' "... since the server refuses, as it says"
ok "as status does" until_status 'degraded: .*401'
echo secret >"$tmp/api-key"
fresh
starts "provisioned by a PCS with a pinned root and an API key"
ok "a quote" "$ask" quote "$tmp/quote"
ok "that verifies" verify "$tmp/quote"
ok "where the platform stands, by its collateral" until_status 'TCB UpToDate'

daemon_pcs_stop
server garbage
"$bawn" daemon provision --now >/dev/null
ok "a server that talks nonsense: the state of provisioning tells" provision_says "in vain"
ok "quotes go on" "$ask" quote "$tmp/quote"
ok "... which verify" verify "$tmp/quote"
daemon_pcs_stop
sed -i '1i request-seconds = 2' "$tmp/bawnd.conf"
server stall
fresh
WAIT=serving starts "a server that never answers, and no certificate"
like "$("$bawn" daemon status)" 'starting' "it is starting, and stays so"
exits 1 "who asks is not kept waiting for ever" "$ask" quote "$tmp/none"
like "$out" 'no answer in time|on its way' "... and is told"
daemon_pcs_stop
daemon_pcs --log "$tmp/asked"
ok "the server answers again: it is ready, without being asked" until_status ready
ok "a quote" "$ask" quote "$tmp/quote"
ok "that verifies" verify "$tmp/quote"
ok "with its collateral" until_status 'TCB UpToDate'
daemon_pcs_stop
server stall
"$bawn" daemon provision --now >/dev/null
ok "a server that never answers, and a certificate: quotes go on" "$ask" quote "$tmp/quote"
kill -9 "$(role vault)"
ok "and if the vault dies" daemon_wait
ok "so they do" "$ask" quote "$tmp/quote"
daemon_pcs_stop
is "$(grep -c 'started again' "$tmp/log")" 1 "nothing died but that one"
daemon_stop

daemon_source "pccs http://127.0.0.1:1"
starts "with a certificate, and a PCCS that is down"
ok "quotes go on" "$ask" quote "$tmp/quote"
ok "and so does what is kept of collateral" until_status 'TCB UpToDate'
ok "... as the log tells" logs 'what was fetched earlier has to do'
"$bawn" daemon provision --now >/dev/null
ok "asked for newer, status tells" until_status 'degraded: .*127.0.0.1'
daemon_stop
is $? 0 "it ends well"
exits 0 "the record is sound" "$bawn" daemon audit verify --dir "$tmp/audit"
tap_done
