#!/bin/sh
# The demo: one enclave's life on the emulated SGX CPU, step by step, up to a quote
# that is verified. Run by `make demo`, which has built what is in $BUILD. Everything
# it makes is in a temporary folder, the platform too unless BAWN_PLATFORM names one.
set -eu

BUILD=${BUILD:-build}
dir=$(mktemp -d "${TMPDIR:-/tmp}/bawn-demo.XXXXXX")
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM
BAWN_DEVICE=emulated
export BAWN_DEVICE

cat <<'END'
Bawn: the life of an enclave, on the emulated SGX CPU.

The emulated CPU is asked for by name here, as it always must be. It behaves
as SGX hardware does, but protects nothing from whoever can read its platform.

The platform
END
if [ -z "${BAWN_PLATFORM:-}" ]; then
	BAWN_PLATFORM=$dir/platform
	export BAWN_PLATFORM
	"$BUILD/bawn" emu platform create >/dev/null
fi
"$BUILD/bawn" emu platform show

for step in first second other; do
	"$BUILD/examples/demo" $step "$BUILD/enclaves" "$dir/secret.sealed"
done

# ---- attestation ----

say() { # COMMAND...: show it, then run it; the paths are shortened for the eye
	printf '  $ %s\n' "$(printf '%s ' "$@" | sed -e "s|$dir/||g" -e "s|$BUILD/||g" -e 's/ *$//')"
	code=0
	"$@" >"$dir/said" 2>&1 || code=$?
	sed -e "s|$dir/||g" -e 's/^/    /' "$dir/said"
	return $code
}

cat <<'END'

The platform's manufacturer
  An emulated platform has an emulated manufacturer, the fab: it knows the fuses, so
  it can compute the key that the platform's provision enclave derives, and certify it.
END
BAWN_FAB=$dir/fab
XDG_STATE_HOME=$dir/state
export BAWN_FAB XDG_STATE_HOME
"$BUILD/bawn" emu fab create --pce "$BUILD/enclaves/provision.signed.so" --qe "$BUILD/enclaves/quote.signed.so" |
	sed 's/^/  /'
say "$BUILD/bawn" emu fab issue -o "$dir/pck_chain.pem"

"$BUILD/examples/demo" attest "$BUILD/enclaves" "$dir/quote.bin" "$dir/pck_chain.pem"

cat <<'END'

The quote verified, as by somebody far away
  who has the quote, the fab's root certificate and its collateral, and nothing else; and
  who says that an emulated platform will do.
END
nonce=$(printf 'who says so, far away?' | od -An -v -tx1 | tr -d ' \n')
say "$BUILD/bawn" verify --profile emulated --allow-emulated --root "$dir/fab/root_ca.pem" \
	--collateral "$dir/fab/collateral" --report-data "$nonce" "$dir/quote.bin"

cat <<'END'

Its certificates checked by openssl, which knows nothing of us
  They are X.509; their mark, that they vouch for an emulated platform, is critical, so
  that who does not know it refuses them: -ignore_critical says to go on all the same.
END
for list in root_ca_crl pck_crl; do
	openssl crl -inform DER -in "$dir"/fab/collateral/sgx-*00/$list.der
done >"$dir/crls.pem"
openssl x509 -in "$dir/pck_chain.pem" -out "$dir/pck.pem"
say openssl verify -x509_strict -ignore_critical -crl_check_all -CRLfile "$dir/crls.pem" \
	-CAfile "$dir/fab/root_ca.pem" -untrusted "$dir/pck_chain.pem" "$dir/pck.pem"
# ---- the service ----

cat <<'END'

Attestation as a service
  bawnd holds the platform's keys and enclaves, and its owner's policy says who gets what.
  Here its owner is whoever runs this; gate, vault and courier are processes of their own.
END
mkdir "$dir/service"
chmod 711 "$dir"
cp -R "$BAWN_PLATFORM" "$dir/service/platform"
# What the fab publishes, for everybody; its keys stay where they are.
mkdir "$dir/service/fab"
cp -R "$dir/fab/pck" "$dir/fab/collateral" "$dir/fab/root_ca.pem" "$dir/service/fab"
chmod -R a+rX "$dir/service/fab"
cat >"$dir/service/policy" <<END
[native]
allow status,quote,collateral,administer uid=$(id -u)
END
{
	cat <<END
device = emulated
platform = $dir/service/platform
state = $dir/service/state
audit = $dir/service/audit
policy = $dir/service/policy
provision-enclave = $(realpath "$BUILD")/enclaves/provision.signed.so
quote-enclave = $(realpath "$BUILD")/enclaves/quote.signed.so
ledger-enclave = $(realpath "$BUILD")/enclaves/ledger.signed.so
collateral = directory $dir/service/fab
END
	# Started by root, each role has a user of its own.
	if [ "$(id -u)" = 0 ]; then
		printf '%s\n' "gate-user = 61001" "vault-user = 61002" "courier-user = 61003"
		chown -R 61002 "$dir/service/platform"
	fi
	cat <<END
[socket native]
path = $dir/service/bawnd.sock
mode = 0600
END
} >"$dir/service/bawnd.conf"
BAWN_SOCKET=$dir/service/bawnd.sock
export BAWN_SOCKET
"$BUILD/bawnd" --config "$dir/service/bawnd.conf" --foreground 2>"$dir/service/log" &
bawnd=$!
trap 'kill "$bawnd" 2>/dev/null || :; rm -rf "$dir"' EXIT
for _ in $(seq 120); do
	"$BUILD/bawn" daemon status >/dev/null 2>&1 && break
	sleep 0.25
done
say "$BUILD/bawn" daemon status
say "$BUILD/bawn" attest --daemon --enclave "$BUILD/enclaves/witness.signed.so" --nonce "$nonce" -o "$dir/service.quote"
say "$BUILD/bawn" verify --profile emulated --allow-emulated --root "$dir/fab/root_ca.pem" \
	--collateral "$dir/fab/collateral" --report-data "$nonce" "$dir/service.quote"
say "$BUILD/bawn" daemon revoke quote uid="$(id -u)" --note "enough"
if say "$BUILD/bawn" attest --daemon --enclave "$BUILD/enclaves/witness.signed.so" --nonce "$nonce" -o "$dir/none.quote"; then
	echo "a quote in spite of the revocation" >&2
	exit 1
fi
kill "$bawnd"
wait "$bawnd"
say "$BUILD/bawn" daemon audit verify --dir "$dir/service/audit"
printf '\nAll of it happened as it should.\n'
