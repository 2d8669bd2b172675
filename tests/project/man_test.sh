# Every command and every public function has its page, and the pages tell of every option.
. tests/tap.sh

if command -v mandoc >/dev/null; then
	for page in man/*.[1-8]; do
		is "$(mandoc -T lint -W warning "$page" 2>&1)" "" "$page is well-formed"
	done
else
	skip "mandoc is not installed"
fi

pages=$(cat man/*.1)
leaves() { # PREFIX...: its verbs, down to those that run
	local verb verbs
	verbs=$("$bawn" "$@" --help 2>/dev/null | sed -n '/^Commands:/,/^$/s/^  \([a-z][a-z-]*\) .*/\1/p')
	if [ -z "$verbs" ]; then
		echo "$*"
	else
		for verb in $verbs; do leaves "$@" "$verb"; done
	fi
}
leaves | while read -r command; do echo "$command"; done >"$tmp/commands"
ok "there are commands" test -s "$tmp/commands"
while read -r command; do
	case $command in help | completion) page=man/bawn.1 ;; *) page=man/bawn-${command%% *}.1 ;; esac
	ok "bawn $command has $page" test -e "$page"
	[ -e "$page" ] || continue
	for word in $command; do
		like "$(cat "$page")" "$word" "$page speaks of $word"
	done
	# shellcheck disable=SC2086
	for option in $("$bawn" $command --help | grep -oE '^ +(-[a-zA-Z], )?--[a-z0-9-]+' | grep -oE '[a-z0-9]+(-[a-z0-9]+)*$'); do
		[ "$option" = help ] ||
			like "$(sed 's/\\//g' "$page")" "-$option" "$page tells of --$option"
	done
done <"$tmp/commands"

# At installing the place is made what it is.
is "$(grep -nE '(^|[^/a-z])doc/[A-Z]' man/*)" "" "documents are named by where they are installed"
for document in $(grep -ohE '/usr/local/share/doc/bawn/[A-Za-z0-9./_-]+' man/* | sed 's/[.]$//' | sort -u); do
	document=${document#/usr/local/share/doc/bawn/}
	case $document in examples/*) ;; *) document=doc/$document ;; esac
	ok "$document, which pages refer to, is there" test -e "$document"
done

functions=$(sed -n 's/^[[:space:]]*\([a-z0-9_]*\);.*/\1/p' src/libbawn.map)
api=$(cat man/*.3)
for f in $functions; do
	like "$api" "$f" "a page of section 3 tells of $f"
done
ok "the pages of section 1 are more than a name" test "${#pages}" -gt 1000
tap_done
