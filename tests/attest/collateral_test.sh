# bawn collateral, and verifying over the network: see collateral_cli.py.
# shellcheck shell=bash
. tests/tap.sh
corpus=${BAWN_CORPUS:-../shared/corpus}
[ -d "$corpus" ] || skip_all "no corpus at $corpus"
command -v python3 >/dev/null || skip_all "python3 is not here"
command -v openssl >/dev/null || skip_all "the openssl command is not here"
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY no_proxy NO_PROXY
PYTHONDONTWRITEBYTECODE=1 python3 tests/attest/collateral_cli.py "$bawn" "$corpus" "$tmp"
