# Roles are killed at random under load: no client gets a wrong answer, the
# service comes back by itself, and nothing that was decided is lost.
# BAWN_KILLS=1000 for the long run.
# no-asan: the roles' tables of system calls do not have the sanitizer's
. tests/tap.sh
. tests/daemon/daemon.sh
daemon_setup
daemon_start || skip_all "bawnd does not start: service_test tells"
kills=${BAWN_KILLS:-20}

# What must survive.
"$bawn" daemon revoke quote uid=4000001 --note kept >/dev/null
before=$("$bawn" daemon provision --json | grep -E 'key_made|qe_id')

touch "$tmp/go-on"
"$ask" load "$tmp/go-on" 4 >"$tmp/load" 2>&1 &
load=$!
killed=0
while [ "$killed" -lt "$kills" ] && kill -0 "$load" 2>/dev/null; do
	roles=(gate vault courier)
	p=$(role "${roles[RANDOM % 3]}")
	# It may be on its way up again.
	if [ -n "$p" ] && kill -9 "$p"; then
		killed=$((killed + 1))
		sleep 0.25
	else
		sleep 0.05
	fi
done
rm "$tmp/go-on"
wait "$load"
rc=$?
is "$rc" 0 "no wrong answer, and quotes all the while"
sed 's/^/# /' "$tmp/load"
is "$killed" "$kills" "roles were killed"
ok "the service is back" daemon_wait
ok "with a quote" "$ask" quote "$tmp/quote"
is "$("$bawn" daemon provision --json | grep -E 'key_made|qe_id')" "$before" "the key is the one there was"
like "$("$bawn" daemon grant --list)" 'uid=4000001.*kept' "the revocation is there"
ok "every restart is counted" test "$("$bawn" daemon status --json | sed -n 's/^ *"restarts": \([0-9]*\).*/\1/p')" -ge "$killed"
daemon_stop
ok "the audit log is sound" "$bawn" daemon audit verify --dir "$tmp/audit"
like "$(cat "$tmp"/audit/audit-*.log)" 'was killed by signal 9' "and tells of the deaths"

# A connection that is older than the vault: HELLO was answered by another one.
starts "it starts again"
out=$(python3 - "$BAWN_SOCKET" "$(role vault)" <<'END'
import os, signal, socket, struct, sys, time

def connect():
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.settimeout(20)
    s.connect(sys.argv[1])
    return s

def ask(s, kind, body=b""):
    s.send(struct.pack("<IHHIIQ", 0x4e574142, kind, 0, 24 + len(body), 0, 1) + body)
    return struct.unpack_from("<H", s.recv(65536), 6)[0]

s = connect()
codes = [ask(s, 1, struct.pack("<II32s", 1, 1, b""))]
os.kill(int(sys.argv[2]), signal.SIGKILL)
time.sleep(1)
codes += [ask(s, 2), ask(connect(), 2)]
print(*codes)
END
)
is "$out" "0 0 1" "an old connection goes on with a new vault; a new one begins with HELLO"
daemon_stop

# The parent itself: everything ends with it, and starts again on what it left.
starts "it starts again"
ok "the roles of before are gone" test "$(role gate | wc -l)" = 1
p=$(role gate) v=$(role vault)
kill -9 "$daemon"
wait "$daemon" 2>/dev/null
for _ in $(seq 50); do kill -0 "$p" 2>/dev/null || kill -0 "$v" 2>/dev/null || break; sleep 0.1; done
ok "roles end with their parent" test ! -e "/proc/$p/exe" -a ! -e "/proc/$v/exe"
starts "and a new one starts where it was"
ok "with a quote" "$ask" quote "$tmp/quote"
like "$("$bawn" daemon grant --list)" 'uid=4000001.*kept' "and the revocation"
daemon_stop
ok "the audit log is sound after that too" "$bawn" daemon audit verify --dir "$tmp/audit"
tap_done
