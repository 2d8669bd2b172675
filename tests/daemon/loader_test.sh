# The loader dies before it has read the policy, or later: clients are told so, and it is
# tried again. What keeps the real one busy meanwhile is a file of groups that never ends.
# no-asan: the roles' tables of system calls do not have the sanitizer's
. tests/tap.sh
if [ "$(id -u)" = 0 ] && [ -z "${BAWN_IN_NAMESPACE-}" ] && unshare --mount true 2>/dev/null; then
	rm -rf "$tmp" # the one in the name space has its own
	BAWN_IN_NAMESPACE=1 exec unshare --mount bash "$0"
fi
[ -n "${BAWN_IN_NAMESPACE-}" ] || skip_all "a name space of our own needs root"
. tests/daemon/daemon.sh
daemon_setup
daemon_policy "[native]" "allow status,quote,administer,provision group=root" "[aesm]"
mkfifo "$tmp/groups"
busy() { mount --bind "$tmp/groups" /etc/group; }
free() { umount --lazy /etc/group; } # the loader has it open
until_loader() { # until there is one; its number in $loader
	local i
	for ((i = 0; i < 200; i++)); do
		loader=$(role loader)
		[ -n "$loader" ] && return 0
		sleep 0.1
	done
	return 1
}
found() { # NAME. Not by `ok`, whose subshell would keep the number.
	until_loader
	tap $? "$1"
}
until_killed() { # TIMES: the log says so often that it was
	local i
	for ((i = 0; i < 100; i++)); do
		[ "$(grep -c 'loader was killed by signal 9' "$tmp/log")" -ge "$1" ] && return 0
		sleep 0.1
	done
	return 1
}

busy
"$BUILD/bawnd" --config "$tmp/bawnd.conf" --foreground >>"$tmp/log" 2>&1 </dev/null &
daemon=$!
found "the loader is at work"
for ((i = 0; i < 100; i++)); do [ -S "$BAWN_SOCKET" ] && break; sleep 0.1; done
"$bawn" daemon status >"$tmp/status" 2>&1 &
asker=$!
"$ask" quote "$tmp/none" >"$tmp/quoted" 2>&1 &
quoter=$!
sleep 0.5 # so that they wait; if not, they are told all the same
kill -9 "$loader"
wait "$asker"
is $? 1 "it dies before there is a policy: who asked for the status is answered"
like "$(cat "$tmp/status")" 'no policy yet: the loader was killed by signal 9; it is tried again' "... with the reason"
wait "$quoter"
is $? 1 "who asked for a quote, too"
like "$(cat "$tmp/quoted")" 'killed by signal 9' "... with the reason"
exits 1 "and who asks now" "$bawn" daemon status
found "it is tried again"
kill -9 "$loader"
found "and again"
free
kill -9 "$loader"
ok "until it reads them" daemon_wait
ok "there are quotes" "$ask" quote "$tmp/quote"

busy
"$bawn" daemon reload >"$tmp/reloaded" 2>&1 &
asker=$!
found "the policy is read again"
kill -9 "$loader"
wait "$asker"
is $? 1 "it dies: who asked for that is told"
like "$(cat "$tmp/reloaded")" 'killed by signal 9' "... with the reason"
like "$("$bawn" daemon status)" 'degraded: policy: the loader was killed by signal 9' "as all are by the status"
ok "what was in force stays so" "$ask" quote "$tmp/quote"
found "it is tried again"
free
kill -9 "$loader"
ok "until it reads them, and all is well" daemon_wait
like "$("$bawn" daemon status)" '^bawnd [^ ]+: ready' "which status tells"
ok "the log tells of each death" until_killed 5
is "$("$bawn" daemon audit search --dir "$tmp/audit" event=fault | grep -c 'reading policy and enclaves failed')" 2 \
	"the record of each time that it began"

busy
kill -HUP "$daemon"
found "it does not end"
free
for ((i = 0; i < 600; i++)); do
	[ -e "/proc/$loader" ] || break
	sleep 0.1
done
ok "... and is killed" logs 'the loader does not end: it is killed'
ok "which is told" until_killed 6
ok "another reads them, and all is well" until_status '^bawnd [^ ]+: ready'
daemon_stop

# Asked to stop, it waits for what is under way, but not for who is gone.
daemon_config "request-seconds = 600"
busy
"$BUILD/bawnd" --config "$tmp/bawnd.conf" --foreground >>"$tmp/log" 2>&1 </dev/null &
daemon=$!
found "the loader is at work"
for ((i = 0; i < 100; i++)); do [ -S "$BAWN_SOCKET" ] && break; sleep 0.1; done
"$ask" quote "$tmp/none" >"$tmp/quoted" 2>&1 &
quoter=$!
sleep 1 # so that it waits
kill "$quoter"
wait "$quoter"
(sleep 60 && kill -9 "$daemon") >/dev/null 2>&1 &
sleeper=$!
kill "$daemon"
wait "$daemon"
is $? 0 "who waited for the policy has gone: bawnd ends"
kill "$sleeper"
free
tap_done
