# The structure that doc/ARCHITECTURE.md promises: includes go down, never up
# or sideways; a library is used in one place; one header a folder.
. tests/tap.sh

below() { # FOLDER: the folders that its files may include from
	case $1 in
	base) ;;
	isa) echo base ;;
	crypto) echo base isa ;;
	image | cpu | attest | wire) echo base isa crypto ;;
	aesm) echo base isa crypto wire ;;
	role) echo base isa crypto wire aesm ;;
	dev) echo base isa crypto image cpu wire ;;
	authority) echo base isa crypto attest wire role ;;
	host | ae) echo base isa crypto image cpu attest wire dev ;;
	fab | attester) echo base isa crypto image cpu attest wire dev host ae ;;
	*) echo base isa crypto image cpu attest wire aesm role authority dev host ae fab attester ;;
	esac
}

for folder in src/*/; do
	folder=$(basename "$folder")
	bad=
	while IFS=: read -r file header; do
		from=${header%%/*}
		[ "$from" = "$header" ] && continue # bawn.h
		[ "$from" = "$folder" ] && continue
		case " $(below "$folder") " in *" $from "*) continue ;; esac
		bad="$bad $file:$header"
	done < <(grep -oE '^#[[:space:]]*include "[^"]+"' -r "src/$folder" --include='*.[chS]' | sed -E 's/#[[:space:]]*include "([^"]+)"/\1/')
	is "$bad" "" "src/$folder includes only from below"
	headers=$(find "src/$folder" -maxdepth 1 -name '*.h' | wc -l)
	ok "src/$folder has a header for others, or is a program" \
		test -e "src/$folder/$folder.h" -o "$headers" = 0
	bad=
	for h in "src/$folder"/*.h; do
		[ -e "$h" ] && [ "$(basename "$h")" != "$folder.h" ] || continue
		bad="$bad$(grep -rl "#[[:space:]]*include \"$folder/$(basename "$h")\"" src | grep -v "^src/$folder/")"
	done
	is "$bad" "" "other headers of src/$folder are its own affair"
done

is "$(grep -rlE '#[[:space:]]*include <openssl/' src | grep -v '^src/crypto/')" "" "only src/crypto uses OpenSSL"
is "$(grep -rlE '#[[:space:]]*include <(libelf|gelf)' src | grep -v '^src/image/')" "" "only src/image uses libelf"
is "$(grep -rnE '#[[:space:]]*include "' enclaves/runtime enclaves/witness | grep -vE '"(base/base.h|isa/isa.h|bawn_enclave.h|runtime/|witness/)' | grep -vE '"[a-z_]+\.h"')" "" \
	"enclave code sees isa and the freestanding part of base"
is "$(grep -rnE '#[[:space:]]*include "' enclaves/common enclaves/provision enclaves/quote enclaves/launch enclaves/ledger | grep -vE '"(ae/abi.h|bawn_enclave.h|common/common.h|quote/quote.h|launch/launch.h|launch_root.h)"')" "" \
	"architectural enclaves see that, by way of their interface, and each other's common part"
is "$(grep -nE '\b(struct|enum|union)? ?sgx_[a-z_]+ *[({]' include/*.h)" "" "public headers leave the prefix sgx_ to others"
is "$(grep -rnE '\b(TODO|FIXME|XXX)\b' src include enclaves examples --include='*.[chS]')" "" "nothing is left open in the code"
tap_done
