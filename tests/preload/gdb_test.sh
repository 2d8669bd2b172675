# gdb on an enclave under `bawn emulate`: memory, hardware breakpoints, and
# software ones by the mapping for debug enclaves (tools/bawn.gdb).
# no-asan: a preload comes before AddressSanitizer
# shellcheck shell=bash disable=SC1091
. tests/tap.sh
[ "${VARIANT:-}" = "" ] || skip_all "a $VARIANT build has nothing to debug"
command -v gdb >/dev/null || skip_all "gdb is not installed"
unset BAWN_DEVICE
export BAWN_PLATFORM=$tmp/platform BLOBS=$BUILD/tests/preload/blobs
debuggee=$BUILD/tests/preload/client/debuggee

# debug ARGUMENTS: the commands on standard input, on the debuggee.
debug() {
	{ printf 'set pagination off\nset confirm off\n' && cat; } >"$tmp/commands"
	timeout -k 5 60 gdb -nx -q -batch -x tools/bawn.gdb -x "$tmp/commands" \
		--args "$bawn" emulate -- "$debuggee" "$@" >"$tmp/out" 2>&1 </dev/null
}
says() { # WHAT DESCRIPTION
	grep -qE "$1" "$tmp/out"
	tap $? "$2" || sed 's/^/# /' "$tmp/out"
}

echo 'run' | debug
if grep -qE 'ptrace.*not permitted|Cannot (insert|create process)' "$tmp/out"; then
	skip_all "ptrace is not permitted here"
fi
says 'answer 42, data 1111222233334444' "it runs under gdb"

debug <<'END'
break stop_before
run
printf "code %x\n", *(unsigned char *) debuggee_base
printf "data %lx\n", *(unsigned long *) debuggee_data
set var *(unsigned long *) debuggee_data = 0x5555666677778888
continue
END
says '^code 49' "code of an enclave is read"
says '^data 1111222233334444' "and its data"
says 'answer 42, data 5555666677778888' "data is written"

debug <<'END'
break stop_before
run
bawn-break debuggee_base
continue
printf "stopped %ld arguments %ld %ld %ld\n", $pc - debuggee_base, $rdi, $rsi, $rdx
bawn-resume
END
says '^stopped 1 arguments 0 40 2' "a software breakpoint stops in the enclave"
debug <<'END'
break stop_before
run
bawn-break debuggee_base
continue
bawn-delete debuggee_base
printf "back at %ld\n", $pc - debuggee_base
stepi
printf "then at %ld\n", $pc - debuggee_base
continue
END
says '^back at 0' "it is removed"
says '^then at 3' "the instruction is executed, one step"
says 'answer 42, data 1111222233334444' "and the enclave goes on"

debug <<'END'
break stop_before
run
bawn-write debuggee_data 0x99
continue
END
says 'answer 42, data 1111222233334499' "a byte is written through the mapping"

debug <<'END'
break stop_before
run
hbreak *debuggee_base
continue
printf "stopped %ld arguments %ld %ld %ld\n", $pc - debuggee_base, $rdi, $rsi, $rdx
delete
continue
END
if grep -qiE 'hardware breakpoints?( used)? exceeds|cannot insert hardware|No hardware breakpoint support|Could not insert hardware' "$tmp/out"; then
	skip "no hardware breakpoints here"
else
	says '^stopped 0 arguments 0 40 2' "a hardware breakpoint stops in the enclave"
	says 'answer 42' "and it goes on"
fi

debug undebug <<'END'
break stop_before
run
printf "rows %lx\n", *(unsigned long *) &bawn_debug_mappings
bawn-break debuggee_base
continue
END
says '^rows 0$' "of an enclave that is not for debugging nothing is told"
says 'is in no debug enclave' "and no breakpoint is set in it"
tap_done
