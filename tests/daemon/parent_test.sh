# The parent's sandbox: its own table of system calls (parent/sandbox.c), and that it is in force.
# no-asan: the roles' tables of system calls do not have the sanitizer's
. tests/tap.sh
. tests/daemon/daemon.sh
[ -x "$BUILD/tests/daemon/parent-sandbox" ] || skip_all "parent-sandbox is not built"
while read -r line; do
	case $line in
	"ok "*) ok "${line#* - }" true ;;
	"not ok "*) ok "${line#* - }" false ;;
	1..*) planned=${line#1..} ;;
	esac
done < <("$BUILD/tests/daemon/parent-sandbox")
ok "all of it was tried" test "${planned:-0}" = "$tap_count"

daemon_setup
starts "it starts"
confined() { awk '/^(NoNewPrivs|Seccomp):/ { print $2 }' "/proc/$1/status" | tr '\n' ' '; }
is "$(confined "$daemon")" "1 2 " "the parent is confined"
if grep -q '^Seccomp_filters:' /proc/self/status; then
	own=$(awk '/^Seccomp_filters:/ { print $2 }' /proc/self/status) # of where the tests run
	filters() { awk -v own="$own" '/^Seccomp_filters:/ { print $2 - own }' "/proc/$1/status"; }
	is "$(filters "$daemon")" 1 "by a table"
	for r in gate vault courier; do
		is "$(filters "$(role $r)")" 2 "the $r by its own besides"
	done
fi
kill -HUP "$daemon"
ok "it reads policy and enclaves again" until_ok grep -q 'reading policy' "$tmp/log"
kill -9 "$(role courier)"
ok "and starts roles again" until_ok grep -q 'started again' "$tmp/log"
daemon_wait
ok "a quote" "$ask" quote "$tmp/quote"
daemon_stop
is $? 0 "and ends well"
tap_done
