# For the tests of bawnd: a platform, a fab, a configuration and a daemon of the
# test's own. As root each role has its own user, as in production; else all is
# the tester's. `. tests/tap.sh` first.
# shellcheck shell=bash disable=SC2034,SC2154,SC2120
[ -x "$BUILD/bawnd" ] || skip_all "there is no bawnd"
umask 022 # what others of its group may write, bawnd refuses
ask=$PWD/$BUILD/tests/daemon/client_prog
run=$tmp/run
chmod 755 "$tmp"
mkdir "$run"
export BAWN_SOCKET=$run/native.sock BAWN_PLATFORM=$tmp/platform BUILD
uid=$(id -u)
root() { [ "$uid" = 0 ]; }

# as UID COMMAND...: as somebody else, with none of our groups (root alone can).
as() {
	local id=$1
	shift
	setpriv --reuid="$id" --regid="$id" --clear-groups "$@"
}

daemon_policy() { # LINE...: the policy's text
	printf '%s\n' "$@" >"$tmp/policy"
}
daemon_allow_all() {
	daemon_policy "[native]" "allow status,quote,certify,collateral,provision,launch uid=0-4000000" \
		"allow administer uid=$uid" "[aesm]" "allow status,quote,launch uid=0-4000000"
}

# daemon_config [LINE...]: $tmp/bawnd.conf, with these lines among the first.
daemon_config() {
	{
		cat <<-END
			device = emulated
			platform = $BAWN_PLATFORM
			state = $tmp/state
			audit = $tmp/audit
			policy = $tmp/policy
			provision-enclave = $PWD/$BUILD/enclaves/provision.signed.so
			quote-enclave = $PWD/$BUILD/enclaves/quote.signed.so
			ledger-enclave = $PWD/$BUILD/enclaves/ledger.signed.so
			launch-enclave = $PWD/$BUILD/enclaves/launch.signed.so
			collateral = directory $tmp/fab
		END
		root && printf '%s\n' "gate-user = 61001" "vault-user = 61002" "courier-user = 61003"
		printf '%s\n' "$@"
		cat <<-END
			[socket native]
			protocol = native
			path = $BAWN_SOCKET
			mode = 0666
			[socket aesm]
			protocol = aesm
			path = $run/aesm.sock
			mode = 0666
		END
	} >"$tmp/bawnd.conf"
}

platform_options=() fab_options=() # for `bawn emu platform create` and `bawn emu fab create`
daemon_setup() {
	"$bawn" emu platform create "${platform_options[@]}" "$BAWN_PLATFORM" >/dev/null || skip_all "no emulated platform here"
	"$bawn" emu fab create --fab "$tmp/fab" --pce "$BUILD/enclaves/provision.signed.so" \
		--qe "$BUILD/enclaves/quote.signed.so" "${fab_options[@]}" >/dev/null
	"$bawn" emu fab issue --fab "$tmp/fab" --platform "$BAWN_PLATFORM" -o /dev/null
	if root; then
		# The vault's alone, and the tester's, who is root.
		chown -R 61002:61002 "$BAWN_PLATFORM"
		chmod -R a+rX "$tmp/fab"
	fi
	daemon_allow_all
	daemon_config
}

# Until it serves, and (unless WAIT=serving) is provisioned; WAIT=answering: until it
# answers, though it be to refuse.
daemon_wait() {
	local i
	for ((i = 0; i < 600; i++)); do
		"$bawn" daemon status >"$tmp/status" 2>&1
		case $?:${WAIT-} in
		0:* | 2:serving | 2:answering) return 0 ;;
		1:answering) grep -q 'refused' "$tmp/status" && return 0 ;; # by the policy, or since all is
		esac
		kill -0 "$daemon" 2>/dev/null || break
		sleep 0.05
	done
	sed 's/^/# /' "$tmp/status" "$tmp/log"
	return 1
}
daemon_start() {
	"${BAWND-$BUILD/bawnd}" --config "$tmp/bawnd.conf" --foreground "$@" >>"$tmp/log" 2>&1 </dev/null &
	daemon=$!
	daemon_wait
}
# The same as a test. Not by `ok`, whose subshell would keep the daemon's number.
starts() { # NAME [ARG...]
	local name=$1 rc
	shift
	daemon_start "$@" >"$tmp/started" 2>&1
	rc=$?
	tap $rc "$name" || cat "$tmp/started"
}
# until_status REGEX: status says so within ten seconds.
until_status() {
	local i
	for ((i = 0; i < 200; i++)); do
		"$bawn" daemon status >"$tmp/status" 2>&1
		grep -Eq -- "$1" "$tmp/status" && return 0
		sleep 0.05
	done
	cat "$tmp/status"
	return 1
}
# until_ok COMMAND...: it succeeds within ten seconds.
until_ok() {
	local i
	for ((i = 0; i < 200; i++)); do
		"$@" >/dev/null 2>&1 && return 0
		sleep 0.05
	done
	return 1
}
# logs REGEX: the service's log tells within ten seconds: the parent may take a while to read it.
logs() { until_ok grep -Eq -- "$1" "$tmp/log"; }
# All lines of the audit log that there are now are on disk, and the vault knows.
daemon_settled() { # [DIR]
	local i last
	last=$("$bawn" daemon audit tail --dir "${1-$tmp/audit}" -n 1 --json | sed 's/^{"n":\([0-9]*\),.*/\1/')
	for ((i = 0; i < 100; i++)); do
		[ "$("$bawn" daemon status --json | sed -n 's/.*"audit_lines": \([0-9]*\).*/\1/p')" -ge "$last" ] && return 0
		sleep 0.1
	done
	return 1
}
daemon_stop() {
	kill "$daemon" 2>/dev/null
	wait "$daemon"
}
# A PCS over the fab, with TLS and an API key. daemon_pcs_ahead before daemon_setup, so
# that certificates name its port; daemon_pcs [OPTION...] makes it the source of all, until
# daemon_pcs_stop. Options: tests/fab/pcs.py.
pcs='' pcs_port=''
daemon_pcs_ahead() {
	pcs_port=$(python3 -c 'import socket
s=socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	fab_options+=(--url "https://localhost:$pcs_port")
}
daemon_pcs() {
	[ -e "$tmp/cert.pem" ] || openssl req -x509 -newkey rsa:2048 -nodes -keyout "$tmp/key.pem" -out "$tmp/cert.pem" -days 30 \
		-subj /CN=localhost -addext subjectAltName=DNS:localhost 2>/dev/null
	"$bawn" emu fab show --fab "$tmp/fab" --json | sed -n 's/^  "ppid_key": "\(.*\)",/\1/p' >"$tmp/ppid_key"
	echo secret >"$tmp/api-key" && chmod 644 "$tmp/api-key"
	rm -f "$tmp/port"
	PYTHONDONTWRITEBYTECODE=1 python3 tests/fab/pcs.py --bawn "$bawn" --fab "$tmp/fab" --tls "$tmp/cert.pem" "$tmp/key.pem" \
		--api-key secret --port "$pcs_port" --forever "$@" >"$tmp/port" 2>"$tmp/pcs.log" </dev/null &
	pcs=$!
	until_ok test -s "$tmp/port"
	daemon_source "pcs https://localhost:$pcs_port" "api-key-file = $tmp/api-key" "ca-file = $tmp/cert.pem" "ppid-key-file = $tmp/ppid_key"
}
daemon_pcs_stop() {
	kill "$pcs"
	wait "$pcs" 2>/dev/null
	pcs=
}
# daemon_source SOURCE [LINE...]: where certificates come from, and what goes with it.
daemon_source() {
	local source=$1
	shift
	sed "/^\(api-key\|ca\|root\|ppid-key\)-file = /d; s|^collateral = .*|collateral = $source|" "$tmp/bawnd.conf" >"$tmp/rest"
	printf '%s\n' "root-file = $tmp/fab/root_ca.pem" "$@" | cat - "$tmp/rest" >"$tmp/bawnd.conf"
}
# The process id of a role.
role() {
	local p line children
	# Without CONFIG_PROC_CHILDREN: all there are.
	children=$(cat "/proc/$daemon/task/$daemon/children" 2>/dev/null) || children=$(cd /proc && printf '%s ' [0-9]*)
	for p in $children; do
		line=$(tr '\0' ' ' <"/proc/$p/cmdline")
		[ "$line" = "bawnd --role $1 " ] && [ "$(awk '/^PPid:/ { print $2 }' "/proc/$p/status")" = "$daemon" ] && echo "$p"
	done 2>/dev/null
}
daemon='' mounted=''
daemon_cleanup() {
	# shellcheck disable=SC2086 # none, or one number
	kill -9 $daemon $pcs 2>/dev/null && wait $daemon $pcs 2>/dev/null
	# shellcheck disable=SC2086 # folders of ours
	[ -z "$mounted" ] || umount $mounted
	rm -rf "$tmp"
}
trap daemon_cleanup EXIT
