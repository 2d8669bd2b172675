# make install: a program and an enclave of somebody else build against it, and run.
. tests/tap.sh
. tests/daemon/daemon.sh

if [ -n "${VARIANT:-}" ]; then
	echo "1..0 # SKIP a $VARIANT build is not installed"
	exit 0
fi
prefix=$tmp/prefix
CC=${CC:-gcc}
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
ok "make install" make -s BUILD="$BUILD" CC="$CC" PREFIX="$prefix" install
for f in bin/bawn include/bawn.h lib/libbawn.a lib/libbawn.so lib/libbawn.so.0 lib/pkgconfig/bawn.pc \
	include/bawn_enclave.h lib/libbawn_enclave.a share/bawn/enclave.lds share/man/man1/bawn.1 \
	share/bash-completion/completions/bawn lib/bawn/provision.signed.so lib/bawn/quote.signed.so \
	lib/bawn/launch.signed.so lib/bawn/ledger.signed.so lib/bawn/witness.signed.so share/doc/bawn/AESM.md \
	share/doc/bawn/examples/hello/host.c share/doc/bawn/examples/hello/brokered.c sbin/bawnd; do
	ok "$f is installed" test -s "$prefix/$f"
done
exits 0 "the installed command runs" "$prefix/bin/bawn" --version

cat >"$tmp/user.c" <<'END'
#include <bawn.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	struct bawn_options opt = { .device = "emulated" };
	struct bawn_enclave *en = NULL;
	struct bawn_error e = { 0 };

	if (argc != 2 || bawn_enclave_load(&en, argv[1], &opt, &e))
		return printf("%s\n", e.msg), 1;
	bawn_enclave_free(&en);
	return puts("ran") < 0;
}
END
bawn=$prefix/bin/bawn
daemon_setup
# shellcheck disable=SC2046
ok "a program links to the shared library" \
	$CC -o "$tmp/shared" "$tmp/user.c" $(pkg-config --cflags --libs bawn) -Wl,-rpath,"$prefix/lib"
exits 0 "and runs an enclave" "$tmp/shared" "$BUILD/enclaves/witness.signed.so"
like "$out" "ran" "to its end"
# shellcheck disable=SC2046
ok "a program links to the static library" $CC -o "$tmp/static" "$tmp/user.c" \
	$(pkg-config --cflags bawn) "$prefix/lib/libbawn.a" $(pkg-config --static --libs bawn | sed 's/-lbawn//')
exits 0 "and runs an enclave" "$tmp/static" "$BUILD/enclaves/witness.signed.so"

cp -r "$prefix/share/doc/bawn/examples/hello" "$tmp/hello"
ok "examples/hello builds against what is installed" \
	env PATH="$prefix/bin:$PATH" make -s -C "$tmp/hello" CC="$CC"
exits 1 "it does not run emulated without being told" env -u BAWN_DEVICE LD_LIBRARY_PATH="$prefix/lib" \
	"$tmp/hello/host" "$tmp/hello/hello.signed.so" Ann
exits 0 "and does when told" env BAWN_DEVICE=emulated LD_LIBRARY_PATH="$prefix/lib" \
	"$tmp/hello/host" "$tmp/hello/hello.signed.so" Ann
like "$out" '^Hello, Ann, from inside the enclave\.$' "greeting whom it should"

# The service makes the enclave, for whom its policy lets it.
brokered() { env "$@" LD_LIBRARY_PATH="$prefix/lib" "$tmp/hello/brokered" "$tmp/hello/hello.signed.so" Ann; }
export BAWN_DEVICE=emulated
exits 1 "no enclave of a service that is not there" brokered
like "$out" "nothing serves $BAWN_SOCKET" "which is told"
# shellcheck disable=SC2034 # for daemon_start
BAWND=$prefix/sbin/bawnd
daemon_policy "[native]" "allow status,administer uid=$uid"
WAIT=serving starts "the installed service"
exits 1 "makes none for whom its policy does not let it" brokered
like "$out" "refused: no rule of the policy allows it" "which is told"
advice=$(sed -n 's/.*allow it: bawn //p' <<<"$out")
# shellcheck disable=SC2086 # words
ok "what the program advises" "$bawn" ${advice:-nothing}
exits 0 "helps: the service makes it" brokered
like "$out" '^Hello, Ann, from inside the enclave\.$' "and it greets whom it should"
exits 1 "an emulated service does only if that is what is wanted" brokered -u BAWN_DEVICE
like "$out" "the service's device is emulated" "which is told"
like "$("$bawn" daemon status)" ' 1 launches' "one it was that the service made"
daemon_stop
unset BAWN_DEVICE

exits 1 "the installed command finds the installed enclaves" env BAWN_DEVICE=emulated XDG_STATE_HOME="$tmp/state" \
	"$prefix/bin/bawn" attest -o "$tmp/quote"
like "$out" "no PCK certificate" "and lacks the platform's certificate alone"
# What the pages refer to is where they say.
grep -ohE "$prefix/[A-Za-z0-9./_-]+" "$prefix"/share/man/man*/* | sed 's/[.]$//' | grep -v /pcs-key | sort -u >"$tmp/named" # the owner's to get
ok "the installed pages refer to documents" grep -q "^$prefix/share/doc/bawn/.*[.]md$" "$tmp/named"
while read -r f; do
	ok "${f#"$prefix/"}, which a page names, is installed" test -e "$f"
done <"$tmp/named"
is "$(grep -lE '(^|[^/a-z])doc/[A-Z]|/usr/local' "$prefix"/share/man/man*/*)" "" "no page refers to a place elsewhere"
ok "make uninstall" make -s BUILD="$BUILD" CC="$CC" PREFIX="$prefix" uninstall
is "$(find "$prefix" ! -type d)" "" "nothing is left behind"
ok "make install with DESTDIR" make -s BUILD="$BUILD" CC="$CC" DESTDIR="$tmp/dest" PREFIX=/opt/bawn install
ok "goes below it" test -s "$tmp/dest/opt/bawn/bin/bawn"
ok "pages name the place that it will have" grep -qx '.Pa /opt/bawn/share/doc/bawn/EMULATE.md .' \
	"$tmp/dest/opt/bawn/share/man/man1/bawn-emulate.1"
ok "and that of the configuration" grep -q '^.Pa /opt/bawn/etc/bawn/bawnd.conf' "$tmp/dest/opt/bawn/share/man/man8/bawnd.8"
ok "which is put there" test -s "$tmp/dest/opt/bawn/etc/bawn/bawnd.conf"
for f in src/daemon/config.o src/cli/cmd_daemon_policy.o; do
	like "$(make -n BUILD="$tmp/other" CC="$CC" PREFIX=/opt/bawn "$tmp/other/obj/$f")" 'BAWN_CONFDIR=.?"/opt/bawn/etc/bawn"' \
		"where $f looks"
done
tap_done
