# The HTTPS client against a server of our own that misbehaves on purpose.
# shellcheck shell=bash
. tests/tap.sh
command -v python3 >/dev/null || skip_all "python3 is not here"
command -v openssl >/dev/null || skip_all "the openssl command is not here"
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY no_proxy NO_PROXY
get=$BUILD/tests/crypto/http_prog

certificate() { # NAME SUBJECTALTNAME DAYS
	echo "subjectAltName=$2" >"$tmp/$1.ext"
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" \
		-keyout "$tmp/$1.key" -out "$tmp/$1.csr" 2>/dev/null
	openssl x509 -req -in "$tmp/$1.csr" -signkey "$tmp/$1.key" -days "$3" -extfile "$tmp/$1.ext" \
		-out "$tmp/$1.pem" 2>/dev/null
}
certificate good "IP:127.0.0.1,DNS:localhost" 2
certificate other "DNS:elsewhere.example" 2
certificate expired "IP:127.0.0.1" -1

python3 - "$tmp/routes" <<'P'
import json, sys
modes = "length chunked close truncate longer huge-head huge-body slow stall garbage hangup gzip split".split()
routes = {"/" + m: {"mode": m, "text": "hello " * 500, "headers": {"X-Test": "yes"}} for m in modes}
routes["/empty"] = {}
routes["/moved"] = {"status": 302, "headers": {"Location": "http://127.0.0.1:1/"}, "text": "there"}
routes["/a?b=c&d=e"] = {"text": "query"}
json.dump(routes, open(sys.argv[1], "w"))
P

start() { # NAME [ARGUMENTS]: a server; its port in $port
	local name=$1
	shift
	mkfifo "$tmp/$name.in" "$tmp/$name.out"
	python3 tests/attest/server.py "$tmp/routes" "$tmp/$name.log" "$@" <"$tmp/$name.in" >"$tmp/$name.out" &
	# shellcheck disable=SC2034 # the descriptor is held, not read
	exec {hold}>"$tmp/$name.in" # closed when this script ends: so is the server
	read -r port <"$tmp/$name.out"
}
start plain
plain=http://127.0.0.1:$port
start good --tls "$tmp/good.pem" "$tmp/good.key"
good=https://127.0.0.1:$port named=https://localhost:$port
start other --tls "$tmp/other.pem" "$tmp/other.key"
other=https://127.0.0.1:$port
start expired --tls "$tmp/expired.pem" "$tmp/expired.key"
expired=https://127.0.0.1:$port
ca=ca=$tmp/good.pem

for base in "$plain" "$good"; do
	for mode in length chunked close; do
		exits 0 "$mode from ${base%%:*}" "$get" "$base/$mode" "$ca"
		like "$out" "^status 200" "its status"
		like "$out" "^header yes" "its header"
		is "$(printf %s "$out" | grep -o hello | wc -l)" 500 "its body"
	done
	for mode in truncate longer huge-head garbage hangup gzip split; do
		exits 1 "$mode from ${base%%:*}" "$get" "$base/$mode" "$ca"
	done
	exits 1 "a body above the maximum from ${base%%:*}" "$get" "$base/huge-body" "$ca" max=100000
	like "$out" "more than 100000 bytes" "says so"
	exits 1 "a stalled server" "$get" "$base/stall" "$ca" timeout=1
	like "$out" "timed out" "says so"
	exits 1 "a server that sends a byte at a time" "$get" "$base/slow" "$ca" timeout=1
	like "$out" "timed out" "says so"
done
exits 0 "a redirection is returned, not followed" "$get" "$plain/moved"
like "$out" "^status 302" "with its status"
exits 0 "a query is sent" "$get" "$plain/a?b=c&d=e"
like "$out" "^query" "whole"
exits 0 "an empty body" "$get" "$plain/empty"
exits 0 "what is not there" "$get" "$plain/none"
like "$out" "^status 404" "is a status, not an error"

exits 0 "a server named by DNS" "$get" "$named/length" "$ca"
exits 1 "a certificate that the system does not know" "$get" "$good/length"
like "$out" "certificate is not acceptable" "says so"
exits 0 "is taken when told so" "$get" "$good/length" insecure
exits 1 "a certificate of another name" "$get" "$other/length" "ca=$tmp/other.pem"
like "$out" "IP address mismatch" "says so"
exits 1 "an expired certificate" "$get" "$expired/length" "ca=$tmp/expired.pem"
like "$out" "expired" "says so"
exits 1 "another server's certificate" "$get" "$other/length" "$ca"
exits 1 "a pinned file that is not there" "$get" "$good/length" "ca=$tmp/none"
exits 1 "TLS to a server without it" "$get" "https${plain#http}/length" "$ca" timeout=1
exits 1 "no TLS to a server with it" "$get" "http${good#https}/length"
exits 1 "nobody listens" "$get" "http://127.0.0.1:1/"
like "$out" "refused" "says so"

exits 1 "plain http to another host" "$get" "http://192.0.2.1/"
like "$out" "plain http" "says so"
for url in "ftp://127.0.0.1/" "http://user:pass@127.0.0.1/" "http://127.0.0.1/a b" "http://127.0.0.1/#x" "" "http:///" \
	$'http://127.0.0.1/\r\nX: y'; do
	exits 1 "not a URL to use: $(printf %q "$url")" "$get" "$url"
done
exits 1 "a header with a line break" "$get" "$plain/length" $'header=A: b\r\nC: d'

exits 0 "plain http through a proxy" "$get" "$plain/length" "proxy=$plain"
is "$(grep -c "^proxy: GET $plain/length" "$tmp/plain.log")" 1 "asks it for the whole URL"
exits 0 "https through a proxy" "$get" "$good/length" "$ca" "proxy=http://me:secret@${plain#http://}"
is "$(grep -c "^proxy: CONNECT ${good#https://} HTTP/1.1 | Proxy-Authorization: Basic bWU6c2VjcmV0" "$tmp/plain.log")" \
	1 "by CONNECT, with the password"
exits 0 "a proxy from the environment" env "https_proxy=$plain" "$get" "$good/chunked" "$ca"
is "$(grep -c "^proxy: CONNECT" "$tmp/plain.log")" 2 "was used"
exits 0 "no_proxy is heeded" env "https_proxy=http://127.0.0.1:1" no_proxy=127.0.0.1 "$get" "$good/length" "$ca"
exits 0 "an empty proxy is none" env "https_proxy=http://127.0.0.1:1" "$get" "$good/length" "$ca" proxy=
exits 1 "a proxy that refuses" "$get" "https://192.0.2.1/" "proxy=$plain"
like "$out" "refuses the connection: status 403" "says so"
exits 1 "a proxy that is not there" "$get" "$good/length" "proxy=http://127.0.0.1:1"
like "$out" "^error -16: proxy 127.0.0.1" "says so"
exits 1 "a proxy over https" "$get" "$good/length" "proxy=$good"
tap_done
