#!/usr/bin/env bash
# make, used again in the same build folder: a source that came, however old, and one that went.
# The Makefile is the real one, over a tree of tiny sources.
. tests/tap.sh

[ -z "${VARIANT:-}" ] || skip_all "once is enough"
tree=$tmp/tree
mkdir -p "$tree"/src/{base,cli,daemon,cpu,crypto,preload} "$tree"/{examples,fuzz}
cp Makefile VERSION "$tree"
cp src/preload/preload.mk "$tree/src/preload"
cp src/libbawn.map "$tree/src"
source_file() { # PATH NAME: of one function, last changed long ago
	printf 'int %s(void);\nint %s(void) { return 0; }\n' "$2" "$2" >"$tree/$1"
	touch -d 2001-01-01 "$tree/$1"
}
for f in base/bytes base/error base/text base/hex base/buf base/version crypto/cmac cpu/signal_names cpu/aex \
	cli/main daemon/main daemon/parent preload/names preload/libc; do
	source_file "src/$f.c" "$(basename "$f")"
done
source_file examples/small.c main
source_file fuzz/tiny_fuzz.c LLVMFuzzerTestOneInput
source_file fuzz/replay.c main
# No enclaves here: their rules, and that for examples, are a file of their own.
grep -A4 'BUILD)/examples/%' enclaves/enclaves.mk >"$tree/examples.mk"
build() { make -s -C "$tree" CC="${CC:-gcc}" BUILD=out Q=@ say= -f Makefile -f examples.mk \
	out/bawn out/bawnd out/libbawn.a out/libbawn_emulate.so out/replay/tiny_replay out/examples/small; }
members() { ar t "$tree/out/$1" | tr '\n' ' '; }

ok "a tree of tiny sources builds" build
is "$(find "$tree/out" -name '*.o' -path '*/fuzz/*' -o -name 'small.o' | wc -l)" 3 "objects that only patterns name are kept"
touch "$tree/stamp"
ok "again" build
is "$(find "$tree/out" -newer "$tree/stamp" -type f)" "" "does nothing"

source_file src/base/late.c late
source_file src/cli/late.c cli_late
source_file src/daemon/late.c daemon_late
source_file src/preload/late.c preload_late
ok "sources that came, older than what was built" build
like "$(members internal.a)" '(^| )late\.o ' "are in the library"
like "$(members daemon.a)" '(^| )late\.o ' "in the daemon"
like "$(nm "$tree/out/bawn")" ' cli_late$' "in the command"
ok "and among what is injected" test "$tree/out/libbawn_emulate.so" -nt "$tree/stamp" -a \
	-e "$tree/out/preload/obj/src/preload/late.o"

rm "$tree"/src/{base,cli,daemon,preload}/late.c
touch "$tree/stamp"
ok "sources that went" build
is "$(members internal.a | grep -cw late.o)" 0 "are no longer in the library"
is "$(members daemon.a | grep -cw late.o)" 0 "in the daemon"
is "$(nm "$tree/out/bawn" | grep -c cli_late)" 0 "in the command"
ok "and what is injected is linked anew" test "$tree/out/libbawn_emulate.so" -nt "$tree/stamp"
tap_done
