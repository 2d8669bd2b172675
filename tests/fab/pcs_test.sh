#!/usr/bin/env bash
# A PCS over a fab: certificates for encrypted PPIDs, collateral by its API, quotes verified with it.
. tests/tap.sh

command -v python3 >/dev/null || skip_all "python3 is not here"
command -v openssl >/dev/null || skip_all "the openssl command is not here"
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY no_proxy NO_PROXY
export HOME=$tmp XDG_STATE_HOME=$tmp/state XDG_CACHE_HOME=$tmp/cache BAWN_DEVICE=emulated
export BAWN_PLATFORM=$tmp/platform BAWN_FAB=$tmp/fab BAWN_ENCLAVES=$BUILD/enclaves PYTHONDONTWRITEBYTECODE=1

openssl req -x509 -newkey rsa:2048 -nodes -keyout "$tmp/key.pem" -out "$tmp/cert.pem" -days 2 \
	-subj /CN=localhost -addext subjectAltName=DNS:localhost 2>/dev/null
mkfifo "$tmp/until"
python3 tests/fab/pcs.py --bawn "$bawn" --fab "$BAWN_FAB" --tls "$tmp/cert.pem" "$tmp/key.pem" --api-key secret \
	--log "$tmp/log" <"$tmp/until" >"$tmp/port" &
exec 9>"$tmp/until" # the server runs while this is open
for _ in $(seq 100); do
	[ -s "$tmp/port" ] && break
	sleep 0.1
done
url=https://localhost:$(cat "$tmp/port")
api=$url/sgx/certification/v4

get() { # PATH [HEADER]: body to $tmp/body, header lines to $tmp/head, the status to standard output
	python3 - "$tmp/cert.pem" "$api/$1" "${2:-}" "$tmp/body" "$tmp/head" <<-'END'
		import ssl, sys, urllib.error, urllib.request
		ca, url, key, body, head = sys.argv[1:]
		r = urllib.request.Request(url, headers={"Ocp-Apim-Subscription-Key": key} if key else {})
		try:
		    a = urllib.request.urlopen(r, context=ssl.create_default_context(cafile=ca), timeout=60)
		except urllib.error.HTTPError as e:
		    a = e
		open(body, "wb").write(a.read())
		open(head, "w").write("".join("%s: %s\n" % h for h in a.headers.items()))
		print(a.status)
	END
}

ok "a platform" "$bawn" emu platform create
ok "a fab that names its PCS" "$bawn" emu fab create --pce "$BUILD/enclaves/provision.signed.so" \
	--qe "$BUILD/enclaves/quote.signed.so" --url "$url"
"$bawn" emu fab show --json | sed -n 's/^  "ppid_key": "\(.*\)",/\1/p' >"$tmp/ppid_key"
is "$(wc -c <"$tmp/ppid_key")" 777 "its key for PPIDs"
exits 64 "no request without it" "$bawn" attest --pck-request --json
exits 0 "a request for a certificate" "$bawn" attest --pck-request --ppid-key "$tmp/ppid_key" --json
query=$(printf '%s\n' "$out" | sed -n 's/^  "\([a-z_]*\)": "\(.*\)",*/\1=\2/p' | grep -v mrsigner | paste -sd '&')
like "$query" 'encrypted_ppid=[0-9a-f]{768}&cpusvn=0101010101010101.*&pcesvn=0100&pceid=0000' "is what a PCS is asked"

is "$(get "pckcert?$query")" 401 "no certificate without a subscription"
is "$(get "pckcert?$query" secret)" 404 "nor for a platform that the fab does not know"
ok "it is told of it" "$bawn" emu fab issue -o "$tmp/issued"
is "$(get "pckcert?$query" secret)" 200 "then there is one"
like "$(cat "$tmp/head")" '^SGX-TCBm: (01){16}0100$' "for this TCB"
like "$(cat "$tmp/head")" '^SGX-FMSPC: E00BAF000000$' "and this FMSPC"
like "$(cat "$tmp/head")" '^SGX-PCK-Certificate-CA-Type: platform$' "by this CA"
python3 - "$tmp/head" "$tmp/body" "$tmp/chain" <<'END'
import sys, urllib.parse
head = dict(line.split(": ", 1) for line in open(sys.argv[1]).read().splitlines())
open(sys.argv[3], "w").write(open(sys.argv[2]).read() + urllib.parse.unquote(head["SGX-PCK-Certificate-Issuer-Chain"]))
END
is "$(cat "$tmp/chain")" "$(cat "$tmp/issued")" "it is the one that was issued"
ok "quotes carry it" "$bawn" attest --pck-chain "$tmp/chain" -o "$tmp/quote"

# A raised TCB gets the certificate of the highest level that it reaches.
ok "a level for an update" "$bawn" emu fab level set --cpusvn 03010101010101010101010101010101 --status UpToDate
ok "and one for half of it" "$bawn" emu fab level set --cpusvn 02010101010101010101010101010101 --status OutOfDate
for _ in 1 2; do "$bawn" emu platform upgrade >/dev/null; done
"$bawn" emu platform upgrade --component 5 >/dev/null
out=$("$bawn" attest --pck-request --ppid-key "$tmp/ppid_key" --json)
query=$(printf '%s\n' "$out" | sed -n 's/^  "\([a-z_]*\)": "\(.*\)",*/\1=\2/p' | grep -v mrsigner | paste -sd '&')
like "$query" 'cpusvn=030101010102' "the platform is above every level"
is "$(get "pckcert?$query" secret)" 200 "and gets a certificate"
like "$(cat "$tmp/head")" '^SGX-TCBm: 03010101010101010101010101010101' "for the highest level"
is "$(get "pckcert?${query/cpusvn=03/cpusvn=02}" secret)" 200 "at half of it"
like "$(cat "$tmp/head")" '^SGX-TCBm: 02010101010101010101010101010101' "for that level"
is "$(get "pckcert?${query/cpusvn=03/cpusvn=00}" secret)" 404 "below every level there is none"
is "$(get "pckcert?${query/pceid=0000/pceid=0100}" secret)" 404 "nor for another PCE"
is "$(get "pckcert?${query/encrypted_ppid=??/encrypted_ppid=}" secret)" 400 "half a PPID is no question"
is "$(get "pckcert?${query/encrypted_ppid=????/encrypted_ppid=0000}" secret)" 404 "nor is one encrypted to somebody else"

# ---- collateral by the network ----

trust=(--profile emulated --root "$BAWN_FAB/root_ca.pem" --pcs "$url" --tls-ca "$tmp/cert.pem")
exits 0 "a quote is verified with what the PCS serves" \
	"$bawn" verify --allow-emulated --json "${trust[@]}" --collateral "$tmp/store" "$tmp/quote"
like "$out" '"tcb_status": "UpToDate"' "at its level"
exits 0 "both sets are fetched" "$bawn" collateral fetch "${trust[@]}" --collateral "$tmp/store" "$tmp/quote"
exits 0 "and hold" "$bawn" collateral check --profile emulated --root "$BAWN_FAB/root_ca.pem" --collateral "$tmp/store"
like "$(cat "$tmp/log")" '/rootcacrl' "the root's list was taken from where the root says"
exits 1 "none for another FMSPC" "$bawn" collateral fetch "${trust[@]}" --collateral "$tmp/store" --fmspc 00906ea10000
exits 0 "from a PCCS" "$bawn" collateral fetch --profile emulated --root "$BAWN_FAB/root_ca.pem" --pccs "$url" \
	--tls-ca "$tmp/cert.pem" --collateral "$tmp/store2" "$tmp/quote"
is "$(get 'tcb?fmspc=e00baf000000&tcbEvaluationDataNumber=1')" 200 "a set by its number"
is "$(get 'tcb?fmspc=e00baf000000&tcbEvaluationDataNumber=9')" 404 "or none"
is "$(get 'tcb?fmspc=e00')" 400 "half an FMSPC is no question"
is "$(get 'pckcrl?ca=platform')" 200 "the CA's list"
like "$(head -n 1 "$tmp/body")" "BEGIN X509 CRL" "in PEM unless asked otherwise"
is "$(get 'nothing')" 404 "nothing else"
exec 9>&-
tap_done
