# Who asks for a quote while the service starts, and has read the policy but not the enclaves yet, has it as soon as it has.
# no-asan: the roles' tables of system calls do not have the sanitizer's
. tests/tap.sh
. tests/daemon/daemon.sh
daemon_setup
starts "it starts, and is provisioned"
daemon_stop
truncate -s 60M "$tmp/large.so" # which takes a while to read, for nothing
chmod a+r "$tmp/large.so"
sed -i "s|^\(launch-enclave\) = .*|\1 = $tmp/large.so|" "$tmp/bawnd.conf"
for i in 1 2 3; do
	"$BUILD/bawnd" --config "$tmp/bawnd.conf" --foreground >>"$tmp/log" 2>&1 </dev/null &
	daemon=$!
	for ((k = 0; k < 400; k++)); do
		[ -S "$BAWN_SOCKET" ] && break
		sleep 0.01
	done
	ok "start $i: a quote" "$ask" quote "$tmp/quote"
	daemon_stop
done
tap_done
