# The frame that all subcommands share: help, usage errors, exit codes, completion.
. tests/tap.sh

exits 64 "no command is a usage error" "$bawn"
like "$out" 'bawn help' "... and says where help is"
exits 64 "an unknown command is a usage error" "$bawn" frobnicate
like "$out" 'no such command: frobnicate' "... and is named"
exits 64 "an unknown option is a usage error" "$bawn" help --frobnicate
like "$out" 'help: no such option: --frobnicate' "... and is named"
exits 64 "too few operands" "$bawn" completion
exits 64 "too many operands" "$bawn" completion bash zsh
exits 64 "a value where none is due" "$bawn" completion --help=yes

exits 0 "--version" "$bawn" --version
is "$out" "bawn $(cat VERSION)" "... prints the version"
exits 0 "help" "$bawn" help
list=$out
exits 0 "--help" "$bawn" --help
is "$out" "$list" "... is the same as help"

commands=$(printf '%s\n' "$list" | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p')
for c in $commands; do
	exits 0 "bawn $c --help" "$bawn" "$c" --help
	like "$out" "^usage: bawn $c" "... has a usage line"
	help=$out
	exits 0 "bawn help $c" "$bawn" help "$c"
	is "$out" "$help" "... is the same"
	exits 64 "bawn $c --no-such-option" "$bawn" "$c" --no-such-option
done

if [ -w /dev/full ]; then
	"$bawn" help >/dev/full 2>"$tmp/err"
	is $? 1 "a full standard output is a failure"
	like "$(cat "$tmp/err")" 'standard output' "... and is named"
else
	skip "no /dev/full"
fi
"$bawn" help >&- 2>"$tmp/err"
is $? 1 "a closed standard output is a failure"

tap_done
