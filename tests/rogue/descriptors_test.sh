# A courier and a loader in the wrong hands (courier.c): what they hand over is
# looked at before anything is read from it, and hurts nobody.
# no-asan: the roles' tables of system calls do not have the sanitizer's
. tests/rogue/rogue.sh
daemon_policy "[native]" "allow status,provision,quote uid=$uid" "allow administer uid=$uid" "[aesm]"
starts "it starts, with everybody honest yet"
ok "a quote" "$ask" quote "$tmp/quote"
vault=$(role vault)

# ---- the courier ----

brings() { # WHAT: collateral of that kind
	: >"$tmp/log"
	echo "$1" >"$tmp/state/courier/rogue"
	chmod 644 "$tmp/state/courier/rogue"
	"$bawn" daemon provision --now >/dev/null
	ok "collateral that is $1 is refused" logs 'the courier brought what is no collateral'
	ok "... quotes go on" "$ask" quote "$tmp/quote"
}
for what in unsealed short null channel huge claims; do brings "$what"; done
like "$("$bawn" daemon provision)" 'no collateral' "the state of provisioning tells of it"
is "$(role vault)" "$vault" "the vault lives"
rm "$tmp/state/courier/rogue"
ok "an honest courier is asked" "$bawn" daemon provision --now
ok "... and all is well" daemon_wait

# ---- the loader ----

loads() { # WHAT: enclaves of that kind
	: >"$tmp/log"
	daemon_policy "# rogue $1" "[native]" "allow status,provision,quote uid=$uid" "allow administer uid=$uid" "[aesm]"
	ok "the policy is read again" "$bawn" daemon reload
	ok "enclaves in what is $1 are refused" logs 'the enclaves as loaded'
	ok "... those in force stay" "$ask" quote "$tmp/quote"
}
for what in unsealed null channel huge; do loads "$what"; done
# Cut short it is sealed memory all the same: what is missing is found when it is wanted.
daemon_policy "# rogue short" "[native]" "allow status,provision,quote uid=$uid" "allow administer uid=$uid" "[aesm]"
"$bawn" daemon reload >/dev/null
exits 1 "enclaves that are cut short give no quote" "$ask" quote "$tmp/none"
like "$out" 'no enclave that can be used is there' "... and it says so"
daemon_policy "[native]" "allow status,provision,quote uid=$uid" "allow administer uid=$uid" "[aesm]"
ok "an honest loader" "$bawn" daemon reload
WAIT='' daemon_wait
ok "... and there are quotes" "$ask" quote "$tmp/quote"
is "$(role vault)" "$vault" "the vault lives"
kill -9 "$vault"
ok "another one gets what was good" daemon_wait
ok "... and quotes" "$ask" quote "$tmp/quote"
daemon_stop
tap_done
