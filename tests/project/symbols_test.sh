# The header, the map and both libraries agree on what is exported.
. tests/tap.sh

if [ -n "${VARIANT:-}" ]; then
	echo "1..0 # SKIP a $VARIANT build has no libraries"
	exit 0
fi
tr '\n' ' ' <include/bawn.h | grep -o 'BAWN_API [^;(]*(' | grep -o 'bawn_[a-z0-9_]*(' | tr -d '(' | sort >"$tmp/header"
sed -n 's/^[[:space:]]*\([a-z0-9_]*\);.*/\1/p' src/libbawn.map | sort >"$tmp/map"
ok "the header declares something" test -s "$tmp/header"
ok "the map is the header's list" diff "$tmp/header" "$tmp/map"

# What the emulated CPU has to see, and nothing else, beside it.
signals='bsd_signal pthread_sigmask sigaction sigaltstack sigblock siggetmask sighold sigignore siginterrupt signal sigprocmask sigrelse sigset sigsetmask ssignal sysv_signal __sysv_signal'
printf '%s\n' $signals | cat - "$tmp/map" | sort >"$tmp/want"
nm -D --defined-only "$BUILD/libbawn.so.0" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort >"$tmp/shared"
ok "the shared library exports that and the signal functions" diff "$tmp/want" "$tmp/shared"
nm --defined-only --extern-only "$BUILD/libbawn.a" | awk 'NF == 3 { print $3 }' | sort >"$tmp/static"
ok "the static library too" diff "$tmp/want" "$tmp/static"
tap_done
