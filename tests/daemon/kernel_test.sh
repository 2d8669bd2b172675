# bawnd on the in-kernel driver, as `bawn emulate` has it: device = kernel, and clients
# that know nothing but that. The broker's descriptor is mapped and entered; quotes are made.
# no-asan: the roles' tables of system calls do not have the sanitizer's
. tests/tap.sh
. tests/daemon/daemon.sh
. tests/preload/lib.sh
command -v python3 >/dev/null || skip_all "python3 is not here"
daemon_setup
witness=$BUILD/enclaves/witness.signed.so
verify() { "$bawn" verify --collateral "$tmp/fab/collateral" --root "$tmp/fab/root_ca.pem" --profile emulated "$@"; }
driver() { env BAWN_TEST_DEVICE=kernel timeout 60 "$bawn" emulate -- "$@"; } # a client on the same machine

# As on a machine with the driver: no platform, no word of emulation. And few descriptors.
sed -i 's/^device = .*/device = kernel/; /^platform = /d; 1i connections = 16' "$tmp/bawnd.conf"
cat >"$tmp/bawnd" <<END
#!/bin/sh
exec "$bawn" emulate --platform "$BAWN_PLATFORM" -- "$PWD/$BUILD/bawnd" "\$@"
END
chmod 755 "$tmp/bawnd"
BAWND=$tmp/bawnd
starts "it starts under bawn emulate"
ok "the log says that the platform is emulated" logs 'EMULATED'
s=$("$bawn" daemon status)
like "$s" 'device +kernel .EMULATED' "so does status, of the kernel's driver"
for r in gate vault courier; do
	is "$(awk '/^(NoNewPrivs|Seccomp):/ { print $2 }' "/proc/$(role $r)/status" | tr '\n' ' ')" "1 2 " "the $r is confined"
done
is "$(grep -c libbawn_emulate "/proc/$(role gate)/maps" "/proc/$(role courier)/maps" | grep -vc ':0$')" 0 "gate and courier have nothing of the emulation"

ok "a quote for an enclave on the driver" driver "$ask" quote "$tmp/quote"
ok "verifies" verify --allow-emulated "$tmp/quote"
exits 3 "and not without saying that emulation is acceptable" verify "$tmp/quote"
exits 0 "an enclave by the broker: its descriptor is mapped, entered and called" driver "$ask" launch "$witness"
like "$out" 'launched, entered, called' "... as it says"
is "$("$bawn" daemon status --json | sed -n 's/.*"launches": \([0-9]*\).*/\1/p')" 1 "and counted"
launching=()
for i in 1 2 3 4; do
	driver "$ask" launch "$witness" >"$tmp/launched.$i" 2>&1 &
	launching+=($!)
done
wait "${launching[@]}"
is "$(cat "$tmp"/launched.* | sort | uniq -c | tr -s ' ')" " 4 launched, entered, called" "four at once"
ok "one for a client that has the emulated CPU itself" "$ask" launch "$witness"
exits 3 "PROVISION_KEY is not handed over" driver "$ask" launch "$BUILD/enclaves/witness-provision.signed.so"
for how in unsealed content signature svn base; do
	like "$(driver "$BUILD/tests/daemon/broker_prog" "$witness" $how 2>&1)" '^bad-input|^malformed' "the broker: $how"
done
like "$(driver "$BUILD/tests/daemon/broker_prog" "$witness" good 2>&1)" '^ok' "the broker: good"
held() { "$bawn" daemon status --json | sed -n 's/.*"epc_held": \([0-9]*\).*/\1/p'; }
none_held() { [ "$(held)" = 0 ]; }
ok "of all these none is counted any longer" until_ok none_held
"$BUILD/tests/daemon/broker_prog" "$witness" write "$tmp/launch"
r=$(PYTHONDONTWRITEBYTECODE=1 python3 tests/daemon/vault_client.py "$BAWN_SOCKET" counted "$tmp/launch" 2>&1)
like "$r" '^three are counted$' "three at once are counted, whichever is the driver's"
like "$r" '^two are left$' "and no longer than they are there"

vault=$(role vault)
kill -9 "$vault"
ok "a new vault finds the driver too" daemon_wait
ok "and quotes" driver "$ask" quote "$tmp/quote"
is "$(grep -c 'system call' "$tmp/log")" 0 "no system call was missing"
is "$(grep -c 'started again' "$tmp/log")" 1 "nothing died but that one"
daemon_stop

# ---- the other way round ----

daemon_config
BAWND=$BUILD/bawnd
starts "with the emulated CPU of its own"
ok "a quote for an enclave on the driver" driver "$ask" quote "$tmp/quote"
ok "verifies" verify --allow-emulated "$tmp/quote"
exits 0 "an enclave by the broker, mapped and entered as the driver's" driver "$ask" launch "$witness"
daemon_stop
tap_done
