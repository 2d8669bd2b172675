# bawn load: what it says, and its exit code.
. tests/tap.sh

export BAWN_PLATFORM=$tmp/platform
export BAWN_DEVICE=emulated
witness=$BUILD/enclaves/witness.signed.so
other=$BUILD/enclaves/witness-other.signed.so
ok "a platform" "$bawn" emu platform create "$BAWN_PLATFORM"

exits 0 "the witness loads" "$bawn" load "$witness"
like "$out" "initialised on the emulated device" "and it is said where"
like "$out" "EINIT [0-9.]+ ms, init [0-9.]+ ms" "and how long it took"
like "$out" "$("$bawn" measure "$witness" | grep -oE '[0-9a-f]{64}' | head -n 1)" "and what it measures"

exits 0 "two of them, in JSON" "$bawn" load --json "$witness" "$other"
if command -v python3 >/dev/null; then
	ok "which is well-formed" python3 -c '
import json, sys
a = json.loads(sys.argv[1])
assert len(a) == 2 and all(x["ok"] and x["emulated"] and x["device"] == "emulated" for x in a)
assert all(x["create_ms"] > 0 and x["init_ms"] > 0 for x in a)
assert a[0]["mrsigner"] != a[1]["mrsigner"]' "$out"
else
	skip "python3 is not installed"
fi

cp "$witness" "$tmp/damaged.so"
size=$(stat -c %s "$witness")
printf 'X' | dd of="$tmp/damaged.so" bs=1 seek=4200 conv=notrunc 2>/dev/null
head -c $((size / 2)) "$witness" >"$tmp/short.so"
exits 1 "a damaged one among them" "$bawn" load --json "$tmp/damaged.so" "$witness" 2>/dev/null
exits 1 "a damaged one" "$bawn" load "$tmp/damaged.so"
like "$out" "damaged.so: .*SGX_INVALID_MEASUREMENT" "is refused by EINIT"
exits 1 "half of one" "$bawn" load "$tmp/short.so"
exits 1 "none" "$bawn" load "$tmp/nothing.so"
is "$out" "bawn: load: cannot open $tmp/nothing.so: No such file or directory" "is named, once"
exits 0 "EINIT alone" "$bawn" load --no-init "$witness"
like "$out" "loaded on" "says so"

exits 64 "no file" "$bawn" load
exits 64 "one signature for two files" "$bawn" load --sigstruct "$tmp/x" "$witness" "$other"
exits 1 "a signature that is not there" "$bawn" load --sigstruct "$tmp/x" "$witness"
head -c 1807 /dev/zero >"$tmp/x"
exits 1 "a signature too short" "$bawn" load --sigstruct "$tmp/x" "$witness"
like "$out" "1808 are needed" "says how long it should be"
head -c 1808 /dev/zero >"$tmp/x"
exits 1 "a signature of zeros" "$bawn" load --sigstruct "$tmp/x" "$witness"
like "$out" "SGX_INVALID_SIG_STRUCT: the SIGSTRUCT given is not" "is none"

ok "a platform where others launch" "$bawn" emu platform create --locked-launch "$tmp/locked"
exits 1 "no launch token" "$bawn" load --platform "$tmp/locked" "$witness"
like "$out" "SGX_INVALID_EINITTOKEN: .*give a token .*--token" "it says what to give"
head -c 304 /dev/zero >"$tmp/token"
exits 1 "a launch token of zeros" "$bawn" load --platform "$tmp/locked" --token "$tmp/token" "$witness"
like "$out" "SGX_INVALID_EINITTOKEN: the launch token is not for this enclave" "it says that another is needed"
exits 64 "a device that does not exist" "$bawn" load --device quantum "$witness"

exits 1 "a platform that is not there" "$bawn" load --platform "$tmp/nowhere" "$witness"
like "$out" "emu platform create" "says how to make one"
mkdir "$tmp/empty"
exits 1 "a folder that is none" "$bawn" load --platform "$tmp/empty" "$witness"
like "$out" "holds no platform: .*emu platform create" "says so, and how to make one"
if [ ! -e /dev/sgx_enclave ] && [ ! -e /dev/sgx/enclave ] && [ ! -e /dev/isgx ]; then
	BAWN_DEVICE=auto exits 1 "auto, where there is no device" "$bawn" load "$witness"
	like "$out" "--device emulated" "says how to ask for emulation, and does not use it"
else
	skip "there is an SGX device"
fi
tap_done
