# bawn verify over every case of the corpus: exit code, verdict, status, advisories.
# shellcheck shell=bash
. tests/tap.sh
corpus=${BAWN_CORPUS:-../shared/corpus}
[ -d "$corpus" ] || skip_all "no corpus at $corpus"
command -v python3 >/dev/null || skip_all "python3 is not here"
cat >"$tmp/policy" <<'P'
status UpToDate SWHardeningNeeded ConfigurationNeeded ConfigurationAndSWHardeningNeeded
status TDRelaunchAdvised TDRelaunchAdvisedConfigurationNeeded OutOfDate OutOfDateConfigurationNeeded
debug allow
P
PYTHONDONTWRITEBYTECODE=1 python3 tests/attest/verify_corpus.py "$bawn" "$corpus" "$tmp/policy"
