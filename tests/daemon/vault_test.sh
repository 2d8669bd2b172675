# What the vault promises when something else stands still, goes away or talks nonsense.
# no-asan: the roles' tables of system calls do not have the sanitizer's
. tests/tap.sh
. tests/daemon/daemon.sh
command -v python3 >/dev/null || skip_all "python3 is not here"
daemon_setup
client() { PYTHONDONTWRITEBYTECODE=1 timeout 120 python3 tests/daemon/vault_client.py "$BAWN_SOCKET" "$@" 2>&1; }

# ---- the audit log's writer stands still ----

daemon_config "workers = 3" # one waits, one revokes, one tells
starts "it starts"
r=$(client late "$daemon" "$uid")
like "$r" '^one waits$' "an answer waits for its record"
like "$r" '^revoked$' "meanwhile it is revoked"
like "$r" '^it got 3 with 0 descriptors; the revocation 0$' "it does not leave after that"
daemon_stop
log=$("$bawn" daemon audit search --dir "$tmp/audit" operation=collateral answer=denied)
like "$log" 'refused after all' "which is on record"
ok "the record is sound" "$bawn" daemon audit verify --dir "$tmp/audit"
rm "$tmp/state/vault/grants"

# ---- the vault stands still ----

# A message takes 768 bytes of the channel's buffer, which is 2 MiB or what the system allows.
room=$(($(cat /proc/sys/net/core/wmem_max) * 2))
most=$(((room < 2097152 ? room : 2097152) / 700 + 300))
if root && ulimit -n $((2 * most + 200)) 2>/dev/null; then
	daemon_config "connections = $most" "connections-per-uid = $most"
	starts "with many connections"
	r=$(client closes "$(role gate)" "$(role vault)" "$most")
	like "$r" 'the vault has their sockets' "the vault has the sockets of many clients"
	like "$r" 'the channel is full' "it cannot be told of all that go"
	like "$r" '^50 idle ones made way' "nor of those that make way for others"
	like "$r" 'none is left in the end' "it hears of each when it can"
	daemon_stop
else
	skip "many connections: run as root"
fi

# ---- a client that has ended, and another process with its number ----

if root && grep -q ^0:: /proc/self/cgroup; then
	daemon_config
	daemon_policy "[native]" "allow administer uid=$uid" "allow status uid=$uid cgroup=/" "[aesm]"
	WAIT=serving starts "with a rule about a control group"
	r=$(client reuse)
	like "$r" '^who is there: 0$' "it holds for who is in it"
	like "$r" "^its number is another's" "a client has ended, and its number is another's"
	like "$r" '^who is gone: 3$' "its connection has nothing of that one"
	daemon_stop
	daemon_allow_all
else
	skip "control groups of version 2: run as root, where there are some"
fi

# ---- a service for certificates that does not answer ----

python3 -c 'import socket,time
s=socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(64)
print(s.getsockname()[1], flush=True)
kept=[]
while True: kept.append(s.accept())' >"$tmp/port" &
mute=$!
trap 'kill -9 "$daemon" "$mute" 2>/dev/null; rm -rf "$tmp"' EXIT
for _ in $(seq 100); do [ -s "$tmp/port" ] && break; sleep 0.1; done
daemon_config "root-file = $tmp/fab/root_ca.pem" "request-seconds = 100"
sed -i "s|^collateral = .*|collateral = pccs http://127.0.0.1:$(cat "$tmp/port")|" "$tmp/bawnd.conf"
starts "with a PCCS that is mute"
if root; then
	r=$(client parked 61010 "$ask" quote "$tmp/quote")
	like "$r" '^status: 0$' "while 24 wait for collateral, others are told the status"
	like "$r" '^the command: 0; 0 of the others' "and have a quote"
	like "$r" '^8 of many more are refused: .5., .*later' "one user has so many waiting and no more"
	like "$r" '^another user.s: waits' "which is no other's limit"
else
	skip "other users: run as root"
fi
# Those who wait would be waited for.
kill -9 "$daemon" "$mute"
wait "$daemon" "$mute" 2>/dev/null

# ---- one that says no, of one thing after the other ----

cat >"$tmp/server.py" <<'E2'
import http.server, os, re, sys, time
log, go = sys.argv[1:]

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        m = re.search("[?&]ca=([a-z0-9]*)", self.path)
        if m:
            with open(log, "a") as f:
                f.write(m[1] + "\n")
        while m and m[1] == "processor" and not os.path.exists(go):
            time.sleep(0.02)
        self.send_error(404)

    def log_message(self, *_):
        pass

s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(s.server_address[1], flush=True)
s.serve_forever()
E2
: >"$tmp/port"
: >"$tmp/asked"
python3 "$tmp/server.py" "$tmp/asked" "$tmp/go" >"$tmp/port" &
mute=$!
for _ in $(seq 100); do [ -s "$tmp/port" ] && break; sleep 0.1; done
sed -i "s|^collateral = .*|collateral = pccs http://127.0.0.1:$(cat "$tmp/port")|" "$tmp/bawnd.conf"
WAIT=serving starts "with a PCCS that has nothing"
if root; then
	r=$(client turns 61010 "$tmp/asked" "$tmp/go")
	like "$r" "^answers .8., asked for 5 times; first ..processor', 'platform'" "users take turns, and the same is asked once"
else
	skip "other users: run as root"
fi
daemon_stop
kill -9 "$mute"
wait "$mute" 2>/dev/null

# ---- large enclaves ----

sed 's/^heap_min = .*/heap_min = 32M/' enclaves/witness/witness.conf >"$tmp/big.conf"
ok "a large enclave" "$bawn" sign --key "$BUILD/keys/development.pem" --config "$tmp/big.conf" \
	--output "$tmp/big.so" "$BUILD/enclaves/witness.so"
ok "a request for it" "$BUILD/tests/daemon/broker_prog" "$tmp/big.so" write "$tmp/big"
if root; then
	daemon_config "workers = 2" "epc-per-client = 2G" "epc-total = 2G" "request-seconds = 100"
	starts "it starts"
	r=$(client launches "$tmp/big" 61010)
	like "$r" '^status: 0, before them' "while several are made, others are served"
	like "$r" "^another user's: 0 with 1 descriptors, before them" "users take turns"
	like "$r" '^they: ..0, 1..$' "they are all there in the end"
	like "$r" '^of twenty some are to be tried again later, the rest is there' "more than may wait are told so"
	daemon_stop

	# ---- a budget for one of them ----

	daemon_config "workers = 3" "epc-per-client = 40M" "epc-total = 2G" "request-seconds = 100"
	starts "it starts"
	r=$(client budget "$tmp/big" 61010 "$daemon" "$uid")
	like "$r" '^at first: 0, then 0, and let go of 0$' "one at a time"
	like "$r" '^asked for by a child that is gone: 10; by another user: 0$' "it counts for the user, not for the process"
	like "$r" '^mapped: 10$' "as long as anybody has it"
	like "$r" '^and no more: 0$' "and no longer"
	like "$(tr '\n' ' ' <<<"$r")" ' made revoked refused at last: 3; nothing is held ' "one that is refused late is given back"
	like "$r" '^and allowed again: 0$' "... as the next one shows"
	daemon_stop
else
	skip "other users: run as root"
fi
tap_done
