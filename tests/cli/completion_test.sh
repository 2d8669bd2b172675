#!/usr/bin/env bash
# Completion: in bash, driven as bash does it, whatever can only be one of several words is
# completed, as the help texts tell of it; in zsh and fish, if they are installed.
. tests/tap.sh

exits 0 "completion bash" "$bawn" completion bash
printf '%s\n' "$out" >"$tmp/completion.bash"
# shellcheck disable=SC1091
. "$tmp/completion.bash"
complete_words() { # WORD...: what is offered for the last one, on a line
	COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
	_bawn
	echo "${COMPREPLY[@]}"
}

is "$(complete_words bawn hel)" "help" "a command is completed"
is "$(complete_words bawn help --he)" "" "an option where a command is to be is not"
is "$(complete_words bawn load --he)" "--help" "an option is completed"
commands=$("$bawn" help | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p')
is "$(complete_words bawn '' | tr ' ' '\n' | grep -v '^--')" "$commands" "all commands are offered"
is "$(complete_words bawn help '' | tr ' ' '\n')" "$commands" "for help, too"
is "$(complete_words bawn help daemon gr)" "grant" "and verbs behind them"
is "$(complete_words bawn inspect READ)" "README.md" "files are offered for operands"
is "$(complete_words bawn sign -o READ)" "README.md" "and for the short form of an option"
is "$(complete_words bawn emu platform show d)" "doc" "directories where one is wanted"
is "$(complete_words bawn emu platform show READ)" "" "and no files"
is "$(complete_words bawn verify --at '')" "" "nothing for an instant"
touch "$tmp/two words"
is "$(complete_words bawn inspect "$tmp/two")" "$tmp/two words" "a name with a blank is one name"
# The shell parts words at "=", and takes what stands behind it for the word.
is "$(complete_words bawn load --device = em)" "emulated" "--device=em in bash"
is "$(complete_words bawn load --device =)" "auto kernel isgx emulated" "--device= in bash"
is "$(complete_words bawn load --device=em)" "--device=emulated" "where words are not parted at ="
is "$(complete_words bawn load --nothing =)" "" "an option that there is not"
is "$(complete_words bawn sign --output = READ)" "README.md" "a file behind ="
is "$(complete_words bawn verify --profile em)" "emulated" "a word or a file: the word"
is "$(complete_words bawn verify --profile READ)" "README.md" "the file"
is "$(complete_words bawn daemon grant quote,la)" "quote,launch" "one more of a list"
is "$(complete_words bawn daemon grant quote ui)" "uid=" "a key whose value is open"
is "$(complete_words bawn daemon grant quote debug =)" "yes no" "a value that is not, in bash"
is "$(complete_words bawn daemon grant quote debug=y)" "debug=yes" "where words are not parted"
is "$(complete_words bawn daemon audit search answer = den)" "denied" "the answer in a line of the log"

# ---- all help texts ----

offered() { # WHAT WORD... '': every literal in $want is among what is offered
	local what=$1 got missing='' w
	shift
	got=" $(complete_words bawn "$@") "
	for w in $want; do
		case $got in *" $w "*) ;; *) missing="$missing $w" ;; esac
	done
	is "$missing" "" "$what is completed"
}

# What stands for something that no list could have all of. Any other name in capitals is of a set.
open=' FILE DIR HEX N TIME URL BYTES SIZE SECONDS DAYS PEM PATH ID TEXT ENCLAVE YYYYMMDD '
open_operands=' FILE DIR QUOTE ENCLAVE SIGNER PROGRAM ARGUMENT SERIAL OPTION '

check_option() { # NAME VALUE LETTER LISTED: of command $words
	local part closed=''
	want=$4
	for part in ${2//|/ }; do
		case $part in
		[a-z]*) want="$want $part" ;;
		*) [[ $open = *" $part "* ]] || closed=$part ;;
		esac
	done
	[ -z "$closed" ] || [ -n "$4" ] || tap 1 "bawn ${words[*]} --$1: the words for $closed are told"
	[ -n "$want" ] || return
	sets=$((sets + 1))
	offered "bawn ${words[*]} --$1 ($want)" "${words[@]}" "--$1" ''
	[ -z "$3" ] || offered "bawn ${words[*]} -$3" "${words[@]}" "-$3" ''
}

check_operands() { # USAGE HELP: of command $words
	local name list key
	for name in $(printf '%s\n' "$1" | grep -oE '[A-Z]{2,}'); do
		[[ $open_operands = *" $name "* ]] && continue
		printf '%s\n' "$2" | grep -q "^${name%S}S\{0,1\}: "
		tap $? "bawn ${words[*]}: what $name can be is told"
	done
	# "NAME: word, word" and "key= word, word", with lines that go on.
	while IFS='	' read -r key list; do
		want=
		for name in $list; do
			case $key:$name in
			*=:*) want="$want $key$name" ;;
			*:*=[a-z]*'|'*) for v in $(echo "${name#*=}" | tr '|' ' '); do want="$want ${name%%=*}=$v"; done ;;
			*:*=[A-Z]*) want="$want ${name%%=*}=" ;;
			*) want="$want $name" ;;
			esac
		done
		sets=$((sets + 1))
		offered "bawn ${words[*]} $key ($want)" "${words[@]}" ''
	done < <(printf '%s\n' "$2" | awk '
		/^[A-Z]+: |^[a-z]+= / { if (key) print key "\t" list; key = $1; sub(/:$/, "", key); $1 = ""; list = $0; next }
		/^  / && key { list = list $0; next }
		key { print key "\t" list; key = "" }' | tr -d ,)
}

sets=0
walk() { # WORD...: a command, then those below it
	local help verbs verb name value letter listed
	words=("$@")
	help=$("$bawn" "$@" --help)
	verbs=$(printf '%s\n' "$help" | sed -n '/^Commands:/,/^$/s/^  \([a-z][a-z-]*\) .*/\1/p')
	for verb in $verbs; do
		walk "$@" "$verb"
	done
	[ -z "$verbs" ] || return
	check_operands "$(printf '%s\n' "$help" | sed -n '1s/^usage: bawn //p')" "$help"
	while IFS='	' read -r name value letter listed; do
		check_option "$name" "$value" "${letter#.}" "${listed#.}"
	done < <(printf '%s\n' "$help" | awk '
		function put() { if (name) print name "\t" value "\t." letter "\t." listed; name = "" }
		/^  (-[a-zA-Z],|   ) --/ {
			put(); letter = listed = ""; value = ""
			if ($1 ~ /,$/) { letter = substr($1, 2, 1); $1 = ""; $0 = $0 }
			if (match($0, /--[a-z0-9-]+ [^ ]/) && $2 ~ /[A-Z|]/ && $2 !~ /^[A-Z]?[a-z]+$/) {
				name = substr($1, 3); value = $2
			}
			next
		}
		/^                             one of / { $1 = $2 = ""; listed = $0; more = 1; next }
		/^                             / && more { listed = listed $0; next }
		{ more = 0 }
		/^[^ ]|^$/ { put() }
		END { put() }' | tr -d ,)
}
for command in $commands; do
	walk "$command"
done
ok "closed sets were found" test "$sets" -gt 25
want=$commands
offered "bawn help" help ''

# ---- the words are those that the commands take ----

words_of() { # KEY WORD...: what the help of a command lists under it
	local key=$1
	shift
	"$bawn" "$@" --help | awk -v key="$key" '$1 == key { on = 1; $1 = ""; print; next } on && /^  / { print; next } { on = 0 }' |
		tr -d ,
}
printf '[native]\nallow quote uid=1000\n[aesm]\nallow quote uid=1000\n' >"$tmp/policy"
for op in $(words_of OPERATION: daemon policy test); do
	"$bawn" daemon policy test "$tmp/policy" "$op" uid=1 >/dev/null 2>&1
	like "$?" '^[03]$' "daemon policy test takes the operation $op"
done
is "$(words_of CONDITION: daemon policy test | tr ' ' '\n' | sed -n 's/=.*//p' | grep -vx enclave | sort)" \
	"$(sed -n '/^\.Ss/,$s/^\.It Cm \([a-z]*\) Ns = .*/\1/p' man/bawn-policy.5 | grep -vE 'rate|burst|epc' | sort)" \
	"conditions are those of bawn-policy(5)"
for condition in uid=1 user=root gid=1 group=root cgroup=/x socket=aesm "mrenclave=$(printf '%064d' 1)" \
	"mrsigner=$(printf '%064d' 1)" product=1 svn=1 debug=yes debug=no enclave=none; do
	"$bawn" daemon policy test "$tmp/policy" quote uid=1 "$condition" >/dev/null 2>"$tmp/err"
	case $condition in uid=* | user=*) ;; *) like "$?" '^[03]$' "the condition $condition is taken" ;; esac
done
mkdir "$tmp/log"
for key in event operation answer protocol; do
	for word in $(words_of "$key=" daemon audit search); do
		"$bawn" daemon audit search --dir "$tmp/log" "$key=$word" >/dev/null 2>&1
		tap $(($? == 64)) "daemon audit search takes $key=$word"
	done
done
for word in $("$bawn" emu fab level set --help | awk '/one of /{on=1} on && /^                             /{print; next} {on=0}' | sed 's/one of//' | tr -d ,); do
	"$bawn" emu fab level set --fab "$tmp/none" --status "$word" >/dev/null 2>&1
	is $? 1 "emu fab level set takes --status $word"
done
exits 64 "no other status" "$bawn" emu fab level set --fab "$tmp/none" --status TDRelaunchAdvised
like "$out" "TDRelaunchAdvised is not one of UpToDate.*Revoked" "and those there are are told"

# ---- other shells ----

for shell in zsh fish; do
	exits 0 "completion $shell" "$bawn" completion "$shell"
	printf '%s\n' "$out" >"$tmp/completion.$shell"
	if command -v "$shell" >/dev/null; then
		ok "... is syntax that $shell accepts" "$shell" -n "$tmp/completion.$shell"
	else
		skip "$shell is not installed"
	fi
done
if command -v fish >/dev/null; then
	in_fish() { fish --no-config -c "source $tmp/completion.fish; complete -C \"$1\"" | cut -f1 | tr '\n' ' '; }
	is "$(in_fish 'bawn emu fab level set --status Out')" "OutOfDate OutOfDateConfigurationNeeded " "a status in fish"
	is "$(in_fish 'bawn daemon grant quote,la')" "quote,launch " "one more of a list in fish"
	is "$(in_fish 'bawn emu platform ')" "create list remove show upgrade " "verbs in fish"
	is "$(in_fish 'bawn help daemon gr')" "grant " "help in fish"
	is "$(in_fish 'bawn completion z')" "zsh " "a shell in fish"
fi
exits 64 "completion for an unknown shell" "$bawn" completion csh

tap_done
