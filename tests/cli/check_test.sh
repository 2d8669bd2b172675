# bawn check: what it says agrees with its exit code and with the machine.
. tests/tap.sh

value() { python3 -c 'import json, sys
v = json.load(open(sys.argv[1]))
for k in sys.argv[2].split("."): v = v[k]
print(json.dumps(v))' "$tmp/check.json" "$1"; }

export BAWN_PLATFORM=$tmp/platform
"$bawn" check --json >"$tmp/check.json" 2>"$tmp/err"
rc=$?
case $(value device) in
'"kernel"' | '"isgx"') want=0 ;;
'"emulated"') want=3 ;;
*) want=4 ;;
esac
is $rc $want "the exit code is what the device says"
is "$(cat "$tmp/err")" "" "nothing on standard error"
if grep -qw sgx /proc/cpuinfo; then sgx=true; else sgx=false; fi
if [ $sgx = true ]; then
	is "$(value cpu.sgx)" true "SGX is seen where the kernel sees it"
else
	skip "the kernel shows no SGX here, which CPUID may show all the same"
fi
if [ -e /dev/sgx_enclave ] || [ -e /dev/sgx/enclave ]; then node=true; else node=false; fi
is "$(value devices.enclave.present)" $node "the enclave device is there, or not"
is "$(value emulation.works)" true "the emulated CPU works where its tests do"
is "$(value emulation.platform_exists)" false "no platform yet"
exits $rc "for people, the same exit code" "$bawn" check
like "$out" "bawn emu platform create" "and how to make a platform"
ok "a platform is made" "$bawn" emu platform create
"$bawn" check --json >"$tmp/check.json"
is "$(value emulation.platform_exists)" true "now it is seen"
unlike() { case $1 in *"$2"*) tap 1 "$3" ;; *) tap 0 "$3" ;; esac; }
unlike "$(value advice)" "platform create" "and not advised any more"
if [ "${VARIANT:-}" = sanitized ]; then
	skip "AddressSanitizer needs more address space than the limit of this test"
else
	(ulimit -v 2000000; "$bawn" check --json >"$tmp/check.json")
	is $? 4 "without address space nothing runs"
	is "$(value emulation.address_space)" false "and that is named"
	like "$(value advice)" "ulimit -v" "with what to do"
fi
exits 64 "no operands" "$bawn" check now
tap_done
