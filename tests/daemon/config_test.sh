# What bawnd says of its configuration: who could change it, whether what it names is there, what each value may be.
# no-asan: the roles' tables of system calls do not have the sanitizer's
. tests/tap.sh
. tests/daemon/daemon.sh
daemon_setup
bawnd=$BUILD/bawnd
check() { "$bawnd" --config "$tmp/bawnd.conf" --check-config; }
good() { # NAME: as it is now, it is accepted
	ok "$1" check
}
refused() { # NAME REGEX: it is not, neither checked nor started, and the reason is told
	exits 78 "$1" check
	like "$out" "$2" "... and why"
	exits 78 "... nor started" timeout 20 "$bawnd" --config "$tmp/bawnd.conf" --foreground
}

# ---- the command line ----

exits 64 "an unknown option" "$bawnd" --frobnicate
exits 64 "an operand" "$bawnd" file
ok "help" "$bawnd" --help
ok "version" "$bawnd" --version
exits 78 "no such file" "$bawnd" --config "$tmp/none" --check-config

# ---- values ----

good "a good configuration is said to be so"
bad() { # REGEX LINE: this line in front is refused with that text
	{ echo "$2"; cat "$tmp/bawnd.conf"; } >"$tmp/bad.conf"
	exits 78 "$2" "$bawnd" --config "$tmp/bad.conf" --check-config
	like "$out" "bad.conf, line 1: $1" "... and what it may be"
}
bad 'workers: "99" is not a whole number from 0 to 8$' "workers = 99"
bad 'epc-total: "10X" is not a number of bytes from 0 to 1024G: .* K, M or G behind' "epc-total = 10X"
bad 'audit-size: "1K" is not a number of bytes from 4K to 1024G' "audit-size = 1K"
bad 'audit-size: "99999999999999999999" is not' "audit-size = 99999999999999999999"
bad 'debug-enclaves: yes or no, not "maybe"' "debug-enclaves = maybe"
bad 'state: a path from the root is needed, not here' "state = here"
bad 'device: auto, kernel, isgx or emulated' "device = quantum"
bad 'collateral: pccs from where' "collateral = pccs"
bad "" "colour = green"
bad "" "device"
bad "" "[socket]"
bad "" "workers = 9"
bad "" "workers = many"
bad "" "epc-total = 12X"
bad 'gate-user: there is no user no-such-user-here' "gate-user = no-such-user-here"
daemon_policy "[native]" "allow everything"
exits 78 "a policy that is wrong" check
like "$out" 'line 2' "... and the line is told"
daemon_allow_all
{ cat "$tmp/bawnd.conf"; echo "mode = 9"; } >"$tmp/bad.conf"
exits 78 "a mode twice in a section" "$bawnd" --config "$tmp/bad.conf" --check-config
n=$(grep -c '' "$tmp/bad.conf")
like "$out" "line $n: mode was set in line $((n - 1)) already" "... with both lines"
{ cat "$tmp/bawnd.conf"; printf '%s\n' "[socket more]" "path = $run/more" "workers = 1"; } >"$tmp/bad.conf"
exits 78 "a setting of the service in a section" "$bawnd" --config "$tmp/bad.conf" --check-config
like "$out" 'workers is no setting of a socket: it stands before the first section' "... and where it stands"
{ echo "device = kernel"; cat "$tmp/bawnd.conf"; } >"$tmp/bad.conf"
exits 78 "a setting twice" "$bawnd" --config "$tmp/bad.conf" --check-config
like "$out" 'bad.conf, line 2: device was set in line 1 already' "... with both lines"

# ---- what it names ----

good "all is there"
missing() { # SETTING [PATH]: it names what is not there
	sed "s|^$1 = .*||" "$tmp/bawnd.conf" >"$tmp/rest"
	{ echo "$1 = ${2:-$tmp/not-here}"; cat "$tmp/rest"; } >"$tmp/bad.conf"
	exits 78 "$1: nothing is there" "$bawnd" --config "$tmp/bad.conf" --check-config
	like "$out" "^bawnd: .*$1: .*not-here.*(o such file|collateral)|^bawnd: platform: no platform at .*not-here: make one" "... by name and path"
}
for k in quote-enclave provision-enclave launch-enclave white-list provision-white-list platform api-key-file ca-file \
	root-file ppid-key-file policy; do
	missing $k
done
missing collateral "directory $tmp/not-here"
sed "s|^\(quote-enclave\) = .*|\1 = $tmp|" "$tmp/bawnd.conf" >"$tmp/bad.conf"
exits 78 "a directory is no enclave" "$bawnd" --config "$tmp/bad.conf" --check-config
like "$out" 'quote-enclave: .* is not a regular file' "... and that is told"
sed "s|^collateral = .*|collateral = none|" "$tmp/bawnd.conf" >"$tmp/bad.conf"
exits 0 "no source of certificates is a choice" "$bawnd" --config "$tmp/bad.conf" --check-config
like "$out" 'collateral = none: there will be no certificate' "... with a remark"
like "$out" 'well-formed, with remarks' "... that is counted"
if root; then
	echo secret >"$tmp/api-key" && chmod 600 "$tmp/api-key"
	{ echo "api-key-file = $tmp/api-key"; cat "$tmp/bawnd.conf"; } >"$tmp/bad.conf"
	exits 78 "a key that the courier cannot read" "$bawnd" --config "$tmp/bad.conf" --check-config
	like "$out" "api-key-file: $tmp/api-key: Permission denied for the courier's user, 61003" "... and who"
	chown -R 0:0 "$BAWN_PLATFORM"
	exits 78 "a platform that the vault cannot read" check
	like "$out" "$BAWN_PLATFORM.*: Permission denied for the vault's user, 61002" "... and who"
	chown -R 61002:61002 "$BAWN_PLATFORM"
	chmod 700 "$tmp/fab"
	exits 78 "a directory that the courier cannot read" check
	like "$out" "collateral: $tmp/fab: Permission denied for the courier's user" "... and who"
	chmod 755 "$tmp/fab"
	sed "/-user = /d" "$tmp/bawnd.conf" >"$tmp/bad.conf"
	if ! getent passwd bawn-gate >/dev/null; then
		exits 78 "users that there are not" "$bawnd" --config "$tmp/bad.conf" --check-config
		like "$out" 'there is no user bawn-gate for the role: make it' "... and what to do"
	fi
fi

# ---- who could change it ----

chmod 666 "$tmp/bawnd.conf"
refused "a configuration that others may write" 'bawnd.conf can be changed by others .mode 0666.: chmod go-w it'
chmod 644 "$tmp/bawnd.conf"
chmod 620 "$tmp/policy"
refused "a policy that its group may write" 'policy: .*/policy can be changed by others .mode 0620.'
chmod 644 "$tmp/policy"
mkdir -p "$tmp/open"
cp "$tmp/policy" "$tmp/open/policy"
cp "$tmp/bawnd.conf" "$tmp/kept.conf"
sed "s|^policy = .*|policy = $tmp/link|" "$tmp/kept.conf" >"$tmp/bawnd.conf"
ln -s open/policy "$tmp/link"
good "a policy behind a link"
chmod 777 "$tmp/open"
refused "where it leads to, others may write" 'policy: .*/open can be changed by others .mode 0777.'
chmod 1777 "$tmp/open"
good "as in /tmp, but not what is there"
sed "s|^policy = .*|policy = $tmp/loop|" "$tmp/kept.conf" >"$tmp/bawnd.conf"
ln -s loop "$tmp/loop"
refused "a link that leads to itself" 'too many links'
cp "$tmp/kept.conf" "$tmp/bawnd.conf"
if root; then
	chown 62000 "$tmp/bawnd.conf"
	refused "a configuration of somebody else" 'bawnd.conf belongs to user 62000, who could change it: chown it to root'
	chown 0 "$tmp/bawnd.conf"
	chown 62000 "$tmp/policy"
	refused "a policy of somebody else" 'policy belongs to user 62000'
	chown 0 "$tmp/policy"
fi
starts "it starts"
for d in state state/vault state/courier audit; do
	mode=$(stat -c %a "$tmp/$d")
	chmod 777 "$tmp/$d"
	exits 78 "$d that everybody may write" check
	like "$out" "(state|audit): $tmp/$d can be changed by others .mode 0777.: chmod go-w it" "... and which"
	chmod "$mode" "$tmp/$d"
done
good "as it was, it is good"
if root; then
	chown 61003 "$tmp/state/vault"
	exits 78 "the vault's state in the courier's hands" check
	like "$out" "state/vault belongs to user 61003, who could change it: chown it to the role's user" "... and whose it should be"
	chown 61002 "$tmp/state/vault"
fi

# ---- while it runs ----

chmod 666 "$tmp/policy"
exits 1 "a policy that others may write by now is not read" "$bawn" daemon reload
like "$out" 'policy can be changed by others' "... and why"
ok "what was in force stays so" "$ask" quote "$tmp/quote"
like "$("$bawn" daemon status)" 'degraded: policy: .*can be changed by others' "status tells"
chmod 644 "$tmp/policy"
ok "it is read again" "$bawn" daemon reload
daemon_stop

# ---- what it cannot do is told ----

json() { "$bawn" daemon status --json | python3 -c 'import json,sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }
metric() { grep "^bawnd_$1 " "$run/bawnd.prom" | cut -d ' ' -f 2; }
daemon_config "metrics-file = $run/bawnd.prom" "metrics-seconds = 1"
chmod 777 "$run"
starts "with metrics"
until_status 'CPUSVN +[0-9a-f]' >/dev/null
cpusvn=$(json cpusvn)
says() { until_ok grep -qFx "bawnd_$1" "$run/bawnd.prom"; } # the file does, by and by
ok "metrics: quotes can be made" says 'quotes_possible 1'
until_status 'TCB UpToDate' >/dev/null
until_ok grep -q '^bawnd_collateral_fetched_seconds [1-9]' "$run/bawnd.prom"
is "$(metric 'tcb_status{status="UpToDate"}')" 1 "... where the platform stands"
is "$(metric audit_failing)" 0 "... and that the log is written"
ok "... since when there is collateral" test "$(metric collateral_fetched_seconds)" -gt 1600000000
"$ask" quote "$tmp/quote"
until_ok grep -q '^bawnd_operations_total{socket="native",operation="quote",outcome="ok"} [1-9]' "$run/bawnd.prom"
ok "... and what was asked for on which socket" grep -q '^bawnd_operations_total{socket="native",operation="quote",outcome="ok"} [1-9]' "$run/bawnd.prom"
ok "quiesced for a time" "$bawn" daemon quiesce --seconds 600
like "$("$bawn" daemon status)" 'quiesced: quiesced by an administrator until 20[0-9-]+ [0-9:]+ UTC' "status says until when"
daemon_stop
starts "it starts again"
ok "what the platform is is known before a quote was made" until_status "CPUSVN +$cpusvn"
daemon_stop

sed -i "s|^collateral = .*|collateral = none|" "$tmp/bawnd.conf"
rm -f "$tmp/state/vault/provisioning" "$run/bawnd.prom"
: >"$tmp/log"
WAIT=serving starts "without a source of certificates"
ok "status says that there are no quotes, and why" until_status 'degraded: no quotes can be made: .*"collateral =" in bawnd.conf'
is "$(logs 'no quotes can be made'; grep -c 'no quotes can be made' "$tmp/log")" 1 "the log, once"
is "$(json fmspc)" None "what is not known is null"
like "$("$bawn" daemon status)" 'FMSPC +-, TCB -' "... or a dash"
like "$("$bawn" daemon provision)" 'FMSPC +-' "... of the provisioning too"
ok "metrics: no quotes" says 'quotes_possible 0'
ok "... so it is not all well" says 'up 0'
daemon_stop

sed -i "s|^\(quote-enclave\) = .*|\1 = $tmp/not-here|" "$tmp/bawnd.conf"
WAIT=serving starts "without its quoting enclave"
ok "status names the file" until_status "degraded: no quotes can be made: quote-enclave = $tmp/not-here: no enclave"
ok "so does the log" logs "no quote enclave is there: $tmp/not-here"
daemon_stop
sed -i "s|^\(quote-enclave\) = .*|\1 = $PWD/$BUILD/enclaves/quote.signed.so|" "$tmp/bawnd.conf"

# ---- what a fab publishes is all that there need be ----

(umask 077 && "$bawn" emu fab publish --fab "$tmp/fab" -o "$tmp/published") >/dev/null
chmod 700 "$tmp/fab"
rm -rf "$tmp/state" "$tmp/audit"
sed -i "s|^collateral = .*|collateral = directory $tmp/published|; 1i root-file = $tmp/published/root_ca.pem" "$tmp/bawnd.conf"
good "what is published is enough"
starts "from what a fab published"
ok "a quote" "$ask" quote "$tmp/quote"
ok "which verifies by it" "$bawn" verify --collateral "$tmp/published" --root "$tmp/published/root_ca.pem" --profile emulated \
	--allow-emulated "$tmp/quote"
is "$(find "$tmp/published" ! -name .lock ! -perm -004 -o -name '*key*' -o -name 'fab*.json')" "" "and nothing in it is secret"
daemon_stop
rm -rf "$tmp/state"

mv "$BAWN_PLATFORM/platform" "$tmp/platform-file"
: >"$tmp/log"
WAIT=serving starts "without its platform"
ok "status says so" until_status 'degraded: .*holds no platform'
like "$("$bawn" daemon status)" 'CPUSVN +-, PCE SVN -, QE SVN -' "what it is is not known"
mv "$tmp/platform-file" "$BAWN_PLATFORM/platform"
daemon_stop
tap_done
