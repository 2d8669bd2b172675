#!/usr/bin/env bash
# bawn emu platform, from end to end.
. tests/tap.sh

export HOME=$tmp
unset BAWN_PLATFORM XDG_STATE_HOME
default=$tmp/.local/state/bawn/platform

exits 1 "show before there is a platform" "$bawn" emu platform show
like "$out" "bawn emu platform create" "says what to do"
exits 0 "list of nothing" "$bawn" emu platform list
is "$out" "" "is empty"
exits 0 "create" "$bawn" emu platform create
like "$out" "^emulated platform  $default\$" "shows it"
is "$(stat -c %a "$default" "$default/platform" | tr '\n' ' ')" "700 600 " "nobody else can read it"
for secret in provision-fuse seal-fuse owner-epoch; do
	value=$(sed -n "s/^$secret = //p" "$default/platform")
	out=$("$bawn" emu platform show; "$bawn" emu platform show --json; "$bawn" emu platform list --json)
	case $value in
	????????????????????????????????*) ;;
	*) out=$value ;;
	esac
	ok "$secret is never shown" test "${out#*"$value"}" = "$out"
done
before=$(cat "$default/platform")
exits 1 "create again" "$bawn" emu platform create
is "$(cat "$default/platform")" "$before" "changes nothing"

hash=$(printf '%064d' 7)
exits 0 "create with every option" "$bawn" emu platform create --sgx1 --locked-launch \
	--lepubkeyhash "$hash" --epc 2M --json "$tmp/.local/state/bawn/other"
like "$out" '"emulated": true' "JSON: emulated"
like "$out" '"locked": true' "JSON: locked"
like "$out" "\"lepubkeyhash\": \"$hash\"" "JSON: the launch signer"
like "$out" '"sgx2": false' "JSON: SGX1"
like "$out" '"epc_size": 2097152' "JSON: EPC"
exits 0 "list" "$bawn" emu platform list
is "$(printf '%s\n' "$out" | wc -l)" 2 "lists both"
like "$out" "locked .*SGX1  .*/other\$" "with what they can do"
exits 0 "list --json" "$bawn" emu platform list --json
is "$(printf '%s\n' "$out" | grep -c '"id"')" 2 "has both"
mkdir "$tmp/.local/state/bawn/something"
echo x >"$tmp/.local/state/bawn/file"
exits 0 "list passes over what is no platform" "$bawn" emu platform list
is "$(printf '%s\n' "$out" | wc -l)" 2 "and lists two still"
mkdir "$tmp/.local/state/bawn/damaged"
echo x >"$tmp/.local/state/bawn/damaged/platform"
chmod 600 "$tmp/.local/state/bawn/damaged/platform"
exits 1 "list complains of a damaged one" "$bawn" emu platform list
like "$out" "damaged/platform.*line 1" "by name and line"

exits 0 "upgrade" "$bawn" emu platform upgrade
like "$out" "CPUSVN +02010101" "raises the first component by one"
exits 0 "upgrade of another component" "$bawn" emu platform upgrade --component 15 --svn 9
like "$out" "CPUSVN +0201.*0109\$" "to a value"
exits 1 "upgrade down" "$bawn" emu platform upgrade --component 15 --svn 8
exits 0 "to the highest" "$bawn" emu platform upgrade --component 2 --svn 255
exits 1 "and no further" "$bawn" emu platform upgrade --component 2
chmod 640 "$tmp/.local/state/bawn/platform/platform"
if [ "$(id -u)" = 0 ]; then chown 61002:61003 "$tmp/.local/state/bawn/platform/platform"; fi
whose=$(stat -c '%u:%g %a' "$tmp/.local/state/bawn/platform/platform")
exits 0 "one that is a service's" "$bawn" emu platform upgrade --component 3
is "$(stat -c '%u:%g %a' "$tmp/.local/state/bawn/platform/platform")" "$whose" "stays that service's, with owner and mode"
chmod 600 "$tmp/.local/state/bawn/platform/platform"
exits 64 "component 16" "$bawn" emu platform upgrade --component 16
exits 64 "an SVN of 256" "$bawn" emu platform upgrade --svn 256

BAWN_PLATFORM=$tmp/.local/state/bawn/other
export BAWN_PLATFORM
exits 0 "BAWN_PLATFORM chooses" "$bawn" emu platform show
like "$out" "/other\$" "the other"

exits 64 "a hash too short" "$bawn" emu platform create --lepubkeyhash 00 "$tmp/x"
exits 64 "a size without sense" "$bawn" emu platform create --epc 12Q "$tmp/x"
exits 64 "a size of nothing" "$bawn" emu platform create --epc 0 "$tmp/x"
exits 64 "a size beyond all" "$bawn" emu platform create --epc 99999999999999999999G "$tmp/x"
exits 1 "broken pages" "$bawn" emu platform create --epc 2000001 "$tmp/x"
exits 64 "remove without a name" "$bawn" emu platform remove
exits 64 "no verb" "$bawn" emu platform
ok "nothing was made" test ! -e "$tmp/x"
exits 0 "remove" "$bawn" emu platform remove "$tmp/.local/state/bawn/other"
ok "it is gone" test ! -e "$tmp/.local/state/bawn/other"
exits 1 "remove again" "$bawn" emu platform remove "$tmp/.local/state/bawn/other"
exits 1 "remove of what is no platform" "$bawn" emu platform remove "$tmp/.local/state/bawn/something"
ok "leaves it" test -d "$tmp/.local/state/bawn/something"
tap_done
