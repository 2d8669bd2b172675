# Things that go wrong around bawnd: disks, servers, clocks of others; and the
# service manager's part: activation, readiness, metrics.
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

# ---- no certificate to be had ----

mv "$tmp/fab/pck" "$tmp/fab/pck.away"
rm -rf "$tmp/state"
daemon_config
WAIT=serving starts "without a certificate it serves"
exits 1 "but gives no quote" "$ask" quote "$tmp/none"
like "$out" 'certificate' "... and why"
like "$("$bawn" daemon status)" 'degraded' "status: degraded"
mv "$tmp/fab/pck.away" "$tmp/fab/pck"
ok "the certificate is there now" "$bawn" daemon provision --now
ok "it recovers without a restart" daemon_wait
ok "with a quote" "$ask" quote "$tmp/quote"
daemon_stop

# ---- another platform's certificates ----

"$bawn" emu platform create "$tmp/other" >/dev/null
"$bawn" emu fab issue --fab "$tmp/fab" --platform "$tmp/other" -o /dev/null
root && chmod -R a+rX "$tmp/fab"
rm -rf "$tmp/state"
starts "among several certificates"
ok "it finds its own" "$ask" quote "$tmp/quote"
ok "and the quote verifies" "$bawn" verify --collateral "$tmp/fab/collateral" --root "$tmp/fab/root_ca.pem" --profile emulated --allow-emulated "$tmp/quote"
daemon_stop

# ---- a PCS, over TLS ----

if command -v openssl >/dev/null; then
	openssl req -x509 -newkey rsa:2048 -nodes -keyout "$tmp/key.pem" -out "$tmp/cert.pem" -days 30 \
		-subj /CN=localhost -addext subjectAltName=DNS:localhost 2>/dev/null
	"$bawn" emu fab show --fab "$tmp/fab" --json | sed -n 's/^  "ppid_key": "\(.*\)",/\1/p' >"$tmp/ppid_key"
	mkfifo "$tmp/until"
	PYTHONDONTWRITEBYTECODE=1 python3 tests/fab/pcs.py --bawn "$bawn" --fab "$tmp/fab" \
		--tls "$tmp/cert.pem" "$tmp/key.pem" --api-key secret <"$tmp/until" >"$tmp/port" 2>"$tmp/pcs.log" &
	exec 9>"$tmp/until" # the server runs while this is open
	for _ in $(seq 50); do [ -s "$tmp/port" ] && break; sleep 0.1; done
	echo secret >"$tmp/api-key" && chmod 644 "$tmp/api-key"
	rm -rf "$tmp/state"
	sed "s|^collateral = .*|collateral = pcs https://localhost:$(cat "$tmp/port")|" "$tmp/bawnd.conf" >"$tmp/c"
	printf '%s\n' "api-key-file = $tmp/api-key" "ca-file = $tmp/cert.pem" "root-file = $tmp/fab/root_ca.pem" \
		"ppid-key-file = $tmp/ppid_key" | cat - "$tmp/c" >"$tmp/bawnd.conf"
	starts "provisioned by a PCS with a pinned root and an API key"
	ok "a quote" "$ask" quote "$tmp/quote"
	ok "that verifies" "$bawn" verify --collateral "$tmp/fab/collateral" --root "$tmp/fab/root_ca.pem" --profile emulated --allow-emulated "$tmp/quote"
	daemon_stop
	exec 9>&-
	daemon_config
else
	skip "a PCS: no openssl"
fi

# ---- a server that is not there, and one that talks nonsense ----

nonsense() {
	python3 -c 'import socket,sys
s=socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("127.0.0.1", 0)); s.listen(8)
print(s.getsockname()[1], flush=True)
while True:
    c,_=s.accept(); c.recv(65536); c.sendall(b"\x00garbage"*1000); c.close()' >"$tmp/port" &
	server=$!
	for _ in $(seq 50); do [ -s "$tmp/port" ] && break; sleep 0.1; done
}
sed 's/^collateral = .*/collateral = pccs http:\/\/127.0.0.1:1/' "$tmp/bawnd.conf" >"$tmp/c" && cp "$tmp/c" "$tmp/bawnd.conf"
echo "root-file = $tmp/fab/root_ca.pem" | cat - "$tmp/c" >"$tmp/bawnd.conf"
starts "with a certificate, and a PCCS that is down"
ok "quotes go on" "$ask" quote "$tmp/quote"
daemon_stop
nonsense
sed -i "s|127.0.0.1:1\$|127.0.0.1:$(cat "$tmp/port")|" "$tmp/bawnd.conf"
starts "and with one that sends garbage"
ok "they do too" "$ask" quote "$tmp/quote"
"$bawn" daemon provision --now >/dev/null
for _ in $(seq 100); do "$bawn" daemon provision | grep -q 'in vain' && break; sleep 0.1; done
like "$("$bawn" daemon provision)" 'in vain' "provisioning tells of the trouble"
is "$(grep -c 'courier.*ended\|courier was' "$tmp/log")" 0 "the courier lives"
daemon_stop
kill "$server"

# ---- damaged state ----

daemon_config
printf 'damage' | dd of="$tmp/state/vault/provisioning" bs=1 seek=40 conv=notrunc 2>/dev/null
starts "with damaged provisioning state it starts anew"
ok "and has a quote" "$ask" quote "$tmp/quote"
daemon_stop
starts "again"
"$bawn" daemon revoke quote uid=4000001 >/dev/null
daemon_stop
printf 'damage' | dd of="$tmp/state/vault/grants" bs=1 seek=40 conv=notrunc 2>/dev/null
WAIT=serving daemon_start >/dev/null 2>&1
exits 3 "damaged revocations: everything is refused" "$ask" quote "$tmp/none"
daemon_stop
rm -f "$tmp/state/vault/grants"

# ---- a full disk ----

if root && mkdir "$tmp/full" && mount -t tmpfs -o size=1m,mode=755 tmpfs "$tmp/full" 2>/dev/null; then
	trap 'kill -9 "$daemon" 2>/dev/null; umount "$tmp/full" 2>/dev/null; rm -rf "$tmp"' EXIT
	cp -Rp "$tmp/state" "$tmp/full/state"
	sed -i "s|^state = .*|state = $tmp/full/state|; s|^audit = .*|audit = $tmp/full/audit|" "$tmp/bawnd.conf"
	starts "on a small disk"
	dd if=/dev/zero of="$tmp/full/fill" bs=4k 2>/dev/null
	ok "that is full: quotes go on" "$ask" quote "$tmp/quote"
	"$bawn" daemon revoke quote uid="$uid" >"$tmp/revoked" 2>&1
	exits 3 "a revocation holds all the same" "$ask" quote "$tmp/none"
	rm "$tmp/full/fill"
	sleep 3
	like "$("$bawn" daemon status)" 'ready' "with room again it is ready, without a restart"
	daemon_stop
	starts "and after a restart"
	exits 3 "the revocation is there" "$ask" quote "$tmp/none"
	daemon_stop
else
	skip "a full disk: run as root, where tmpfs can be mounted"
fi
tap_done
