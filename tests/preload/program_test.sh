# `bawn emulate` itself: which programs it runs, what it says and passes on; and
# that programs which have nothing to do with SGX do what they always do.
# shellcheck shell=bash
. tests/tap.sh
. tests/preload/lib.sh

exits 64 "no program" "$bawn" emulate
like "$out" 'usage: bawn emulate .*PROGRAM' "says how to use it"
exits 64 "an unknown option" "$bawn" emulate --no-such -- true
exits 64 "an unknown driver" "$bawn" emulate --driver windows -- true
exits 64 "too little page cache" "$bawn" emulate --epc 4K -- true
exits 127 "no such program" "$bawn" emulate -- no-such-program
exits 127 "nor by a path" "$bawn" emulate -- "$tmp/no-such-program"
echo 'text' >"$tmp/text"
chmod +x "$tmp/text"
exits 126 "a file that is no program" "$bawn" emulate -- "$tmp/text"
exits 126 "one that may not be executed" "$bawn" emulate -- "$PWD/README.md"

cat >"$tmp/hello.c" <<'C'
#include <stdio.h>
#include <string.h>
int main(int argc, char **argv)
{
	printf("hello %d %s\n", argc, argc > 1 ? argv[1] : "");
	return argc > 2 ? 42 : 0;
}
C
ok "a program" "$CC" -o "$tmp/hello" "$tmp/hello.c"
exits 0 "a program is run" "$bawn" emulate -- "$tmp/hello" "one  word"
is "$out" "hello 2 one  word" "with its arguments, and nothing is added to what it prints"
exits 42 "its exit code is passed on" "$bawn" emulate -- "$tmp/hello" a b
exits 0 "without --" "$bawn" emulate "$tmp/hello" --version
is "$out" "hello 2 --version" "what follows the program is the program's"
exits 0 "found by PATH" env PATH="$tmp:$PATH" "$bawn" emulate -- hello
printf '#!%s/hello\n' "$tmp" >"$tmp/script"
chmod +x "$tmp/script"
exits 0 "a script is run by its interpreter" "$bawn" emulate -- "$tmp/script"

if "$CC" -static -o "$tmp/static" "$tmp/hello.c" 2>/dev/null; then
	exits 126 "a static program is refused" "$bawn" emulate -- "$tmp/static"
	like "$out" 'static' "with the reason"
	printf '#!%s/static\n' "$tmp" >"$tmp/static-script"
	chmod +x "$tmp/static-script"
	exits 126 "so is a script for one" "$bawn" emulate -- "$tmp/static-script"
else
	skip "no static C library here"
fi
cp "$tmp/hello" "$tmp/setuid"
chmod u+s "$tmp/setuid"
exits 126 "a setuid program is refused" "$bawn" emulate -- "$tmp/setuid"
like "$out" 'setuid' "with the reason"
chmod u-s,g+s "$tmp/setuid"
exits 126 "so is a setgid one" "$bawn" emulate -- "$tmp/setuid"

# Death by a signal is the program's own.
"$bawn" emulate -- sh -c 'kill -SEGV $$' 2>/dev/null
is $? 139 "a program that is killed by SIGSEGV"
"$bawn" emulate -- sh -c 'kill -TERM $$' 2>/dev/null
is $? 143 "or by SIGTERM"

# Ordinary programs, with and without.
same() { # NAME COMMAND...
	local name=$1 with without
	shift
	without=$("$@" 2>&1 </dev/null; echo "exit code $?")
	with=$(emulated -- "$@" 2>&1 </dev/null; echo "exit code $?")
	is "$with" "$without" "the same: $name"
}
# shellcheck disable=SC2016
same "a shell, pipes, subshells" bash -c 'echo a | tr a b; (exit 3); echo $?; x=$(echo y); echo $x; ls /proc/self/fd | wc -l'
same "find and sort" bash -c 'find src -name "*.c" | sort | md5sum'
same "the compiler" "$CC" -O2 -o "$tmp/again" "$tmp/hello.c"
same "perl" perl -e '$SIG{ALRM} = sub { print "alarm\n"; exit 7 }; alarm 1; select(undef, undef, undef, 5)'
if command -v python3 >/dev/null; then
	same "python, threads and processes" python3 -c '
import threading, subprocess, mmap, os, signal, tempfile
r = []
t = [threading.Thread(target=lambda i=i: r.append(i * i)) for i in range(20)]
[x.start() for x in t]; [x.join() for x in t]
print(sorted(r), subprocess.run(["echo", "sub"], capture_output=True).stdout)
m = mmap.mmap(-1, 8192); m[0:3] = b"abc"; print(m[0:4])
with tempfile.TemporaryFile() as f:
    f.write(b"x" * 100); f.flush(); print(os.fstat(f.fileno()).st_size, os.dup(f.fileno()) > 0)
signal.signal(signal.SIGSEGV, lambda *a: print("handler", a[0])); os.kill(os.getpid(), signal.SIGSEGV)
pid = os.fork()
if pid == 0: os._exit(5)
print(os.waitpid(pid, 0)[1] >> 8)'
fi
same "bawn itself" "$bawn" verify --help

# A C library that is not glibc, and the same object.
if command -v musl-gcc >/dev/null; then
	for c in enter signal edmm load; do
		ok "$c, built against musl" musl-gcc -std=c11 -D_GNU_SOURCE -I. -O2 -pthread -o "$tmp/$c" \
			"tests/preload/client/$c.c" tests/preload/client/client.c tests/preload/client/vdso.c
		[ -x "$tmp/$c" ] && client -- "$tmp/$c" 1
	done
else
	skip "no musl-gcc here"
fi
tap_done
