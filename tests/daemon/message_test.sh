#!/usr/bin/env bash
# What `bawn daemon` says when it cannot do what it should: why, and on a second line what to do
# next. Each subcommand: without a service, without rights, with arguments that are wrong.
. tests/tap.sh
. tests/daemon/daemon.sh

# Those that ask the service, with operands that it would take.
asking() {
	cat <<-'END'
		status
		provision
		provision --now
		grant quote uid=1
		grant --list
		grant --remove 1
		revoke quote uid=1
		revoke --remove 1
		policy show
		policy lock
		policy test --service quote
		audit head --service
		audit verify --service
		quiesce
		reload
	END
}
# says NAME REASON NEXT COMMAND...: exit code 1, a line with the reason, one with what to do, no more.
says() {
	local name=$1 reason=$2 next=$3
	shift 3
	exits 1 "$name" "$@"
	like "$(sed -n 1p <<<"$out")" "^bawn: .*$reason" "  says why"
	like "$(sed -n 2p <<<"$out")" "$next" "  and what to do"
	is "$(wc -l <<<"$out")" 2 "  in two lines"
}
every() { # NAME REASON NEXT COMMAND...: the same of all that ask the service
	local name=$1 reason=$2 next=$3 line
	shift 3
	while read -r line; do
		# shellcheck disable=SC2086 # words
		says "$name: daemon $line" "$reason" "$next" "$@" daemon $line
	done < <(asking)
}

# ---- no service ----

every "not running" "nothing serves $BAWN_SOCKET" "systemctl start bawnd.socket.*--socket" "$bawn"
says "a file for a socket" "VERSION is not a socket" "bawnd.conf" "$bawn" daemon status --socket VERSION
says "a socket's path that is too long" "at most 107 bytes" "bawnd.conf" \
	"$bawn" daemon status --socket "/$(printf 'x%.0s' $(seq 120))"
says "attest, too" "nothing serves" "systemctl start" "$bawn" attest --daemon -o "$tmp/quote"
says "no log" "cannot open $tmp/none" "bawnd.conf.*--dir" "$bawn" daemon audit tail --dir "$tmp/none"
says "a file for the log" "cannot open VERSION" "--dir" "$bawn" daemon audit search --dir VERSION event=request
mkdir "$tmp/empty"
says "a folder that is no log" "no key here" "verify --key FILE" "$bawn" daemon audit verify --dir "$tmp/empty"
says "nor for its key" "no key here" "verify --key FILE" "$bawn" daemon audit key --dir "$tmp/empty"
says "nor for its head" "$tmp/empty: there is no line" "--dir" "$bawn" daemon audit head --dir "$tmp/empty"
if [ -e /etc/bawn/policy ]; then
	skip "there is a policy in /etc"
else
	says "no policy" "/etc/bawn/policy: no such file" "Name a file" "$bawn" daemon policy check
fi
printf '[native]\nallow quote uid=1000\n' >"$tmp/small"
says "no grants" "cannot open $tmp/none" "/var/lib/bawn/vault" \
	"$bawn" daemon policy test --grants "$tmp/none" "$tmp/small" quote uid=1

# ---- wrong arguments: nothing is asked, and the help is named ----

while IFS='|' read -r line reason; do
	# shellcheck disable=SC2086 # words
	exits 64 "daemon $line" "$bawn" daemon $line
	like "$out" "^bawn: daemon.*$reason" "  says why"
	like "$out" "(See .bawn daemon .*--help|there is: )" "  and where more is told"
done <<'END'
|what to do is missing
status x|one operand too many: x
status --interval 0|not a whole number from 1
status --interval 3|goes with --watch
status --nothing|no such option
provision x|one operand too many
grant|which operations
grant copy uid=1|no such operation: copy
grant quote,copy uid=1|no such operation: copy
grant quote uid|not of the form key=value: uid
grant quote uid=x|uid=x: not a number
grant quote color=red|no such condition: color=red
grant quote user=nobody-of-this-name|no such user
grant quote uid=1 uid=2|uid=2: said twice|
grant quote uid=1 --for x|not a whole number
grant --list quote|takes nothing else
grant --list --for 5|takes nothing else
grant --remove x|not a whole number
grant --remove 1 quote|the number alone
grant --remove 1 --for 5|the number alone
revoke|which operations
revoke --remove|needs a value
revoke --remove 1 --note why|the number alone
policy|what to do is missing
policy cheque|no such command: cheque; there is: check
policy check a b|one operand too many: b
policy show x|one operand too many
policy lock x|one operand too many
policy test|name a policy's file
policy test VERSION copy|no such operation: copy
policy test VERSION quote color=red|no such condition: color=red
policy test VERSION quote uid=x|uid=x: not a number
policy test --socket x VERSION|goes with --service
audit|what to do is missing
audit verify --anchor 00|128 hexadecimal digits
audit verify --socket x|goes with --service
audit verify --service --anchor 00|one of them
audit head --service --dir x|one of them
audit head --socket x|goes with --service
audit tail -n x|not a whole number
audit search|CONDITION... is missing
audit search event|not of the form key=value
audit search event=nothing|no line has that: event=nothing
audit search uid=x|uid=x: not a number
audit key x|one operand too many
quiesce --seconds x|not a whole number
quiesce x|one operand too many
reload x|one operand too many
END

# ---- a service ----

daemon_setup
starts "the service"
says "the socket of another protocol" "not bawnd's native socket" "protocol = native" \
	"$bawn" daemon status --socket "$run/aesm.sock"
says "a grant that there is not" "no grant or revocation has the number 77" "grant --list" "$bawn" daemon grant --remove 77
says "administer is not granted" "only the policy" "bawn-policy" "$bawn" daemon grant administer uid=5

if root; then
	cp "$bawn" "$tmp/bawn" && chmod 755 "$tmp/bawn"
	daemon_policy "[native]" "allow administer uid=$uid"
	ok "a policy for administrators alone" "$bawn" daemon reload
	while read -r line; do
		next="Who may administer is for the policy"
		case $line in status | provision*) next="daemon grant ${line%% *} uid=12345" ;; esac
		# shellcheck disable=SC2086 # words
		says "not allowed: daemon $line" "refused: no rule" "$next" as 12345 "$tmp/bawn" daemon $line
	done < <(asking)
	ok "what was advised" "$bawn" daemon grant status uid=12345
	exits 0 "helps" as 12345 "$tmp/bawn" daemon status
	says "another user and the log" "cannot open $tmp/audit: Permission denied" "Ask as root" \
		as 12345 "$tmp/bawn" daemon audit tail --dir "$tmp/audit"
	chmod 0600 "$BAWN_SOCKET"
	every "no rights" "no permission to use $BAWN_SOCKET" "Ask as root.*bawnd.conf" as 12345 "$tmp/bawn"
	chgrp daemon "$BAWN_SOCKET" && chmod 0660 "$BAWN_SOCKET"
	says "rights for a group" "no permission" "for the group daemon: .usermod -aG daemon USER" \
		as 12345 "$tmp/bawn" daemon status
	chmod 0666 "$BAWN_SOCKET"
else
	skip "only root can ask as somebody else"
fi

ok "the policy is locked" "$bawn" daemon policy lock
says "it is not read again" "locked until bawnd restarts" "start bawnd again" "$bawn" daemon reload
says "nothing is granted" "locked until bawnd restarts" "Revocations can be made" "$bawn" daemon grant quote uid=1
daemon_stop
says "it has ended" "nothing serves" "systemctl start" "$bawn" daemon status

tap_done
