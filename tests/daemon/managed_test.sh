# The service manager's part of bawnd, and its numbers: activation, readiness, the
# watchdog; metrics by socket and by file.
# no-asan: the roles' tables of system calls do not have the sanitizer's
. tests/tap.sh
. tests/daemon/daemon.sh
daemon_setup

# ---- activated by a service manager ----

cat >"$tmp/manager.py" <<'E2'
import os, socket, subprocess, sys
bawnd, conf, native, aesm, notify, out = sys.argv[1:7]
n = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); n.bind(native); n.listen(16); os.chmod(native, 0o666)
a = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM); a.bind(aesm); a.listen(16); os.chmod(aesm, 0o666)
d = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); d.bind(notify); d.settimeout(30)
# A client is there before the service is.
c = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); c.connect(native)
pid = os.fork()
if pid == 0:
    os.dup2(a.fileno(), 100); os.dup2(n.fileno(), 101)
    os.dup2(100, 3); os.dup2(101, 4)
    os.closerange(5, 200)
    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="2", LISTEN_FDNAMES="aesm:other",
                      NOTIFY_SOCKET=notify, WATCHDOG_USEC="2000000", WATCHDOG_PID=str(os.getpid()))
    os.execv(bawnd, [bawnd, "--config", conf, "--foreground"])
with open(out, "w", buffering=1) as f:
    f.write(f"pid {pid}\n")
    n.close(); a.close()
    seen = set()
    while not {"READY=1", "WATCHDOG=1"} <= seen:
        for line in d.recv(4096).decode().split("\n"):
            seen.add(line)
            f.write(line + "\n")
    f.write("notified\n")
    os.kill(pid, 15)
    while "STOPPING=1" not in seen:
        seen |= set(d.recv(4096).decode().split("\n"))
    f.write(f"stopped {os.waitpid(pid, 0)[1]}\n")
E2
chmod 777 "$run"
timeout 60 python3 "$tmp/manager.py" "$BUILD/bawnd" "$tmp/bawnd.conf" "$BAWN_SOCKET" "$run/aesm.sock" "$tmp/notify" "$tmp/managed" 2>>"$tmp/log"
m=$(cat "$tmp/managed")
like "$m" '^READY=1' "an activated service says that it is ready"
like "$m" '^WATCHDOG=1' "and that it is alive"
like "$m" '^stopped 0' "and ends well"
ok "sockets that are not its own it leaves" test -S "$BAWN_SOCKET"
rm -f "$BAWN_SOCKET" "$run/aesm.sock"

cat >"$tmp/abstract.py" <<'E2'
import os, socket, sys
bawnd, conf = sys.argv[1:3]
n = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); n.bind(f"\0bawn-test-{os.getpid()}"); n.listen(16)
os.dup2(n.fileno(), 3); os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="native")
os.execv(bawnd, [bawnd, "--config", conf, "--foreground"])
E2
exits 1 "an abstract name in place of a path is refused" timeout 20 python3 "$tmp/abstract.py" "$BUILD/bawnd" "$tmp/bawnd.conf"
like "$out" 'socket native. is a path, and that is an abstract name' "... and says why"

# ---- metrics ----

daemon_config "metrics = $run/metrics.sock" "metrics-file = $run/bawnd.prom" "metrics-seconds = 1"
starts "with metrics"
"$ask" quote "$tmp/quote"
scrape() { python3 -c 'import socket,sys
s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.sendall(sys.argv[2].encode())
d=b""
while True:
    p=s.recv(65536)
    if not p: break
    d+=p
print(d.decode())' "$run/metrics.sock" "$1"; }
like "$(scrape "")" '^bawnd_quotes_total 1$' "metrics, plain"
like "$(scrape "GET /metrics HTTP/1.0

")" '^HTTP/1.0 200' "metrics, by HTTP"
like "$(scrape "")" 'bawnd_requests_total\{answer="ok"\}' "answers are counted by kind"
like "$(scrape "")" '^bawnd_emulated 1$' "and say that the platform is emulated"
like "$(scrape "")" '^bawnd_audit_lost_total 0$' "and that nothing is missing in the audit log"
like "$(scrape "")" '^bawnd_restarts_total 0$' "and that nothing was started again"
like "$(scrape "")" '^bawnd_certificate_valid 1$' "and that the certificate holds"
like "$(scrape "")" '^bawnd_collateral_valid 1$' "and the collateral"
kill -9 "$(role gate)"
for ((i = 0; i < 100; i++)); do
	[ "$(scrape "" | grep -c "^bawnd_restarts_total 1$")" = 1 ] && break
	sleep 0.1
done
like "$(scrape "")" '^bawnd_restarts_total 1$' "until a role dies"
for ((i = 0; i < 200; i++)); do
	grep -qs '^bawnd_quotes_total 1$' "$run/bawnd.prom" && break
	sleep 0.1
done
like "$(cat "$run/bawnd.prom")" '^bawnd_quotes_total 1$' "the file has them too"
is "$(stat -c %a "$run/bawnd.prom")" 644 "for everybody to read"
is "$(find "$run" -name '*bawnd.prom*' | wc -l)" 1 "and nothing is left beside it"
daemon_stop
ok "it goes with the service" test ! -e "$run/bawnd.prom"

tap_done
