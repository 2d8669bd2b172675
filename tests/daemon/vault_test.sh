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
tap_done
