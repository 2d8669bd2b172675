# doc/PROTOCOL.md and doc/AUDIT.md say what the code does: every field of every message, every name.
. tests/tap.sh

# Of the page: "request quote 968" and the rows of its table, "0 4 key".
awk '
	/^### / { name = $NF; what = ""; if (NF == 2) what = "part" }
	/^[0-9]+ bytes\.$/ && what == "part" && name != "subject" { print "part", name, $1 }
	/^(Request|Answer): / {
		what = tolower(substr($1, 1, length($1) - 1))
		print what, name, $2 == "no" ? 0 : $2
	}
	/^## / { what = "" }
	/^\| [0-9]+ \| [0-9]+ \| / && what != "" && name != "stream" && name != "subject" { print $2, $4, $6 }
' doc/PROTOCOL.md >"$tmp/page"

# Of the code, without what the page says by pointing to another table.
"$BUILD/tests/wire/layouts_prog" >"$tmp/code"
awk '
	/^(part|request|answer) / {
		skip = $1 " " $2 ~ /^(request grant-add|answer (provision-now|policy-reload|policy-lock|policy-test|audit-head))$/
		print $1, $2, $3
		next
	}
	!skip { print $1, $2, $3 }
' "$tmp/code" >"$tmp/want"
is "$(diff "$tmp/page" "$tmp/want")" "" "every field of every message is where the page has it"
ok "there are many of them" test "$(wc -l <"$tmp/page")" -gt 200

# A tail is told of where there is one.
while read -r what name size tail; do
	[ "$what" = answer ] && [ "$tail" != 0 ] &&
		like "$(cat doc/PROTOCOL.md)" "^Answer: $size bytes, and a tail of at most $tail\.$" "the tail of $name"
done < <(grep -E '^answer ' "$tmp/code")

# The subject's size, which policy-test has in it.
is "$(sed -n '/^request policy-test/,/^answer/p' "$tmp/code" | awk '$3 == "subject" { print $2 }')" \
	"$(sed -n '/^### subject/,/bytes\.$/p' doc/PROTOCOL.md | awk '/bytes\.$/ { print $1 }')" "a subject"
# Every code has its number and name on the page.
n=0
for name in $(sed -n '/^const char \*wire_code_name/,/^}/s/.*= "\([a-z-]*\)",.*/\1/p' src/wire/shared.c); do
	like "$(cat doc/PROTOCOL.md)" "^\| $n \| $name \|" "code $n is $name"
	n=$((n + 1))
done
ok "there are codes" test "$n" -gt 10
tap_done
