# Enclaves: the kit's runtime as libbawn_enclave.a, and the enclaves built with
# it. Freestanding, with flags of their own: nothing of the host's CFLAGS,
# sanitizers included, gets in. Whatever could make two builds of the same
# sources differ is named here, so that MRENCLAVE does not.

ENCLAVE_CC     ?= $(CC)
ENCLAVE_BUILD  := $(BUILD)/enclaves
ENCLAVE_CFLAGS := -std=c11 -O2 -g -ffreestanding -fPIE -fvisibility=hidden -ftls-model=local-exec \
	-fstack-protector-strong -fstack-clash-protection -fcf-protection=none -fno-jump-tables \
	-fno-strict-aliasing -fno-asynchronous-unwind-tables -U_FORTIFY_SOURCE \
	-ffile-prefix-map=$(CURDIR)=. $(WARN)
ENCLAVE_LDFLAGS := -nostdlib -pie -Wl,--no-dynamic-linker -Wl,-T,enclaves/runtime/enclave.lds \
	-Wl,-z,text,-z,defs,-z,norelro,-z,noexecstack,-z,max-page-size=4096 -Wl,--build-id=none \
	-Wl,--hash-style=gnu \
	-Wl,--export-dynamic-symbol=enclave_entry,--export-dynamic-symbol=bawn_enclave_layout

ENCLAVE_KIT := $(BUILD)/libbawn_enclave.a
ENCLAVE_KIT_SRC := $(sort $(wildcard enclaves/runtime/*.c enclaves/runtime/*.S)) src/base/bytes.c
enclave_obj = $(patsubst %,$(ENCLAVE_BUILD)/obj/%.o,$(basename $(1)))

ENCLAVE_FLAGS_FILE := $(ENCLAVE_BUILD)/flags
$(ENCLAVE_FLAGS_FILE): FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(ENCLAVE_CC) $(ENCLAVE_CFLAGS) / $(ENCLAVE_LDFLAGS)' >$@.new
	@if cmp -s $@.new $@; then rm -f $@.new; else mv $@.new $@; fi

# What is on the stack while a thread gets its canary has none itself.
$(call enclave_obj,enclaves/runtime/start.c enclaves/runtime/thread.c enclaves/runtime/enter.c): \
	ENCLAVE_EXTRA := -fno-stack-protector

$(ENCLAVE_BUILD)/obj/%.o: %.c $(ENCLAVE_FLAGS_FILE)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(ENCLAVE_CC) -DBAWN_FREESTANDING -Iinclude -Isrc -Ienclaves $(ENCLAVE_CFLAGS) \
		$(ENCLAVE_EXTRA) -MMD -MP -c -o $@ $<
$(ENCLAVE_BUILD)/obj/%.o: %.S $(ENCLAVE_FLAGS_FILE)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(ENCLAVE_CC) -Ienclaves $(ENCLAVE_CFLAGS) -Wa,--noexecstack -MMD -MP -c -o $@ $<

$(ENCLAVE_KIT): $(call enclave_obj,$(ENCLAVE_KIT_SRC))
	@rm -f $@
	$(call say,AR)
	$(Q)$(AR) rcsD $@ $^

# An unsigned enclave from enclaves/NAME/*.c. The runtime applies relative relocations only.
define enclave_rule
$$(ENCLAVE_BUILD)/$(1).so: $$(call enclave_obj,$$(sort $$(wildcard enclaves/$(1)/*.c))) \
		$$(ENCLAVE_KIT) enclaves/runtime/enclave.lds
	$$(call say,LD)
	$$(Q)$$(ENCLAVE_CC) $$(ENCLAVE_LDFLAGS) -o $$@ $$(filter %.o %.a,$$^) -l:libbearssl.a
	@! readelf -rW $$@ | grep R_X86_64_ | grep -v R_X86_64_RELATIVE
endef
ENCLAVES := witness
$(foreach e,$(ENCLAVES),$(eval $(call enclave_rule,$(e))))
enclaves: $(ENCLAVES:%=$(ENCLAVE_BUILD)/%.so)

-include $(shell find $(ENCLAVE_BUILD)/obj -name '*.d' 2>/dev/null)
