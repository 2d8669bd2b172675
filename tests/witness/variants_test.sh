# The witness signed in other ways: what the kit's runtime makes of them.
# shellcheck shell=bash
. tests/tap.sh
export BAWN_PLATFORM=$tmp/platform BAWN_DEVICE=emulated
ok "a platform" "$bawn" emu platform create

variant() { # NAME SED: the witness's configuration, changed
	sed "$2" enclaves/witness/witness.conf >"$tmp/$1.conf"
	ok "signed: $1" "$bawn" sign --key "$BUILD/keys/development.pem" --config "$tmp/$1.conf" \
		--output "$tmp/$1.so" "$BUILD/enclaves/witness.so"
}

variant growing 's/^heap_min.*/heap_min = 4K\nheap_max = 1M/; s/^stack_max.*/stack_min = 64K\nstack_max = 256K/'
exits 0 "heap and stack that could grow: what is there is used" "$bawn" load "$tmp/growing.so"
variant threads 's/^threads = .*/threads = 2\nthreads_max = 6/'
exits 0 "threads that could be made: those that are there are used" "$bawn" load "$tmp/threads.so"
variant one 's/^threads = .*/threads = 1/; s/^stack_max.*/stack_max = 32K/'
exits 0 "one thread, and little stack" "$bawn" load "$tmp/one.so"
variant notify 's/^debug = yes/debug = yes\naex_notify = yes/'
exits 1 "AEX-notify, which it does not use, is refused" "$bawn" load "$tmp/notify.so"
variant tiny 's/^stack_max.*/stack_max = 8K/'
exits 0 "the least stack, a page of it for faults" "$bawn" load "$tmp/tiny.so"
exits 1 "an enclave that was never signed" "$bawn" load "$BUILD/enclaves/witness.so"
tap_done
