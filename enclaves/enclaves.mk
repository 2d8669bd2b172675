# Enclaves: the kit's runtime as libbawn_enclave.a, and the enclaves built with
# it. Freestanding, with flags of their own: nothing of the host's CFLAGS,
# sanitizers included, gets in. Whatever could make two builds of the same
# sources differ is named here, so that MRENCLAVE does not.

ENCLAVE_CC    ?= $(CC)
ENCLAVE_BUILD := $(BUILD)/enclaves

# What code inside an enclave must be built and linked with: also bawn-enclave.pc's.
KIT_CFLAGS  := -ffreestanding -fPIE -fvisibility=hidden -ftls-model=local-exec \
	-fstack-protector-strong -fstack-clash-protection -fcf-protection=none -fno-jump-tables \
	-fno-asynchronous-unwind-tables -U_FORTIFY_SOURCE
KIT_LDFLAGS := -nostdlib -pie -Wl,--no-dynamic-linker \
	-Wl,-z,text,-z,defs,-z,norelro,-z,noexecstack,-z,max-page-size=4096 -Wl,--build-id=none \
	-Wl,--hash-style=gnu \
	-Wl,--export-dynamic-symbol=enclave_entry,--export-dynamic-symbol=bawn_enclave_layout

ENCLAVE_CFLAGS  := -std=c11 -O2 -g -fno-strict-aliasing $(KIT_CFLAGS) \
	-ffile-prefix-map=$(CURDIR)=. $(WARN)
ENCLAVE_LDFLAGS := $(KIT_LDFLAGS) -Wl,-T,enclaves/runtime/enclave.lds

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
# Without -g: clang would put the absolute path of this folder into an assembled file.
$(ENCLAVE_BUILD)/obj/%.o: %.S $(ENCLAVE_FLAGS_FILE)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(ENCLAVE_CC) -Ienclaves $(filter-out -g,$(ENCLAVE_CFLAGS)) -Wa,--noexecstack -MMD -MP -c -o $@ $<

$(ENCLAVE_KIT): $(call enclave_obj,$(ENCLAVE_KIT_SRC))
	@rm -f $@
	$(call say,AR)
	$(Q)$(AR) rcsD $@ $^

# An unsigned enclave from enclaves/NAME/*.c, and of folder $(2) if given. The runtime applies
# relative relocations only.
define enclave_rule
$$(ENCLAVE_BUILD)/$(1).so: $$(call enclave_obj,$$(sort $$(wildcard enclaves/$(1)/*.c)) \
		$$(if $(2),$$(sort $$(wildcard enclaves/$(2)/*.c)))) \
		$$(ENCLAVE_KIT) enclaves/runtime/enclave.lds
	$$(call say,LD)
	$$(Q)$$(ENCLAVE_CC) $$(ENCLAVE_LDFLAGS) -o $$@ $$(filter %.o %.a,$$^) -l:libbearssl.a
	@! readelf -rW $$@ | grep R_X86_64_ | grep -v R_X86_64_RELATIVE
endef
$(eval $(call enclave_rule,witness))
$(eval $(call enclave_rule,provision,common))
$(eval $(call enclave_rule,quote,common))
$(eval $(call enclave_rule,launch,common))
$(eval $(call enclave_rule,ledger))

# Whose white lists the launch enclave takes: a file of 128 hexadecimal digits, the root's public
# point. It is measured; a release gives its own, a build tree has one to play with.
LAUNCH_ROOT ?= $(BUILD)/keys/launch-root.pub
$(BUILD)/keys/launch-root.pub: | $(CLI)
	@mkdir -p $(@D)
	$(Q)rm -f $(BUILD)/keys/launch-root.pem
	$(Q)$(CLI) sign --p256 --new-key $(BUILD)/keys/launch-root.pem >$@.told
	$(Q)sed 's/.* public key //' $@.told >$@
	@rm -f $@.told
# By content: another LAUNCH_ROOT may be an older file.
$(ENCLAVE_BUILD)/generated/launch_root.h: $(LAUNCH_ROOT) FORCE
	@mkdir -p $(@D)
	@grep -qxE '[0-9a-fA-F]{128}' $< || { echo "$<: 128 hexadecimal digits expected"; exit 1; }
	@{ echo 'static const uint8_t launch_root[64] = {'; sed 's/../0x&, /g' $<; echo '};'; } >$@.new
	@if cmp -s $@.new $@; then rm -f $@.new; else mv $@.new $@; fi
$(call enclave_obj,enclaves/launch/lists.c): $(ENCLAVE_BUILD)/generated/launch_root.h
$(call enclave_obj,enclaves/launch/lists.c): ENCLAVE_EXTRA := -I$(ENCLAVE_BUILD)/generated

# Development keys belong to this build tree alone: they are made here and go with it.
$(BUILD)/keys/%.pem: | $(CLI)
	@mkdir -p $(@D)
	$(Q)$(CLI) sign --new-key $@ >/dev/null

# $(1): the signed enclave, of $(2).so with $(3).conf by key $(4).
define sign_rule
$$(ENCLAVE_BUILD)/$(1).signed.so: $$(ENCLAVE_BUILD)/$(2).so enclaves/$(2)/$(3).conf \
		$$(BUILD)/keys/$(4).pem $$(CLI)
	$$(call say,SIGN)
	$$(Q)$$(CLI) sign --key $$(BUILD)/keys/$(4).pem --config enclaves/$(2)/$(3).conf \
		--output $$@ $$< >/dev/null
enclaves: $$(ENCLAVE_BUILD)/$(1).signed.so
endef
$(eval $(call sign_rule,witness,witness,witness,development))
$(eval $(call sign_rule,witness-other,witness,witness,other))
$(eval $(call sign_rule,witness-unbound,witness,witness-unbound,development))
$(eval $(call sign_rule,witness-avx,witness,witness-avx,development))
$(eval $(call sign_rule,witness-provision,witness,witness-provision,development))
$(eval $(call sign_rule,witness-kss,witness,witness-kss,development))
# Each of the architectural enclaves has a signer of its own. The provisioning enclave's is what a
# platform's keys come from; a verifier tells the quoting enclave by its signer and product; a
# platform is locked to the launch enclave's.
$(eval $(call sign_rule,provision,provision,provision,provision))
$(eval $(call sign_rule,quote,quote,quote,quote))
$(eval $(call sign_rule,launch,launch,launch,launch))
$(eval $(call sign_rule,ledger,ledger,ledger,ledger))

# What, besides the sources, decides a measurement.
define ENCLAVE_TOOLS
compiler  $(shell $(ENCLAVE_CC) --version | head -n 1)
linker    $(shell $(LD) --version | head -n 1)
bearssl   $(firstword $(shell sha256sum $$($(ENCLAVE_CC) -print-file-name=libbearssl.a)))
endef
.PHONY: enclave-tools pin-enclaves
enclave-tools:                  ## what a reproducible build of the enclaves depends on
	$(info $(ENCLAVE_TOOLS))@:
# tests/kit/reproducible_test.sh holds builds against this file.
pin-enclaves: $(ENCLAVE_BUILD)/witness.signed.so ## record the measurements that this compiler makes
	@$(MAKE) -s enclave-tools >enclaves/witness/MRENCLAVE
	@echo "witness   $$($(CLI) measure $< | cut -c 1-64)" >>enclaves/witness/MRENCLAVE

# ---- the kit, for others' enclaves ----

$(BUILD)/bawn-enclave.pc: enclaves/bawn-enclave.pc.in VERSION FORCE
	$(Q)sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@INCDIR@|$(INCDIR)|' \
		-e 's|@DATADIR@|$(DATADIR)|' -e 's|@VERSION@|$(VERSION)|' \
		-e 's|@CFLAGS@|$(KIT_CFLAGS)|' -e 's|@LDFLAGS@|$(KIT_LDFLAGS)|' $< >$@

# As the build signed them: a development signature, good for emulated platforms. Who makes a
# release signs them anew (bawn-sign(1), in two steps) and puts those in their place.
KIT_FILES = $(ENCLAVE_KIT) $(BUILD)/bawn-enclave.pc
KIT_INSTALLED = include/bawn_enclave.h:$(INCDIR)/bawn_enclave.h \
	$(ENCLAVE_KIT):$(LIBDIR)/libbawn_enclave.a \
	enclaves/runtime/enclave.lds:$(DATADIR)/bawn/enclave.lds \
	$(BUILD)/bawn-enclave.pc:$(LIBDIR)/pkgconfig/bawn-enclave.pc \
	$(foreach e,provision quote launch ledger witness,$(ENCLAVE_BUILD)/$(e).signed.so:$(LIBDIR)/bawn/$(e).signed.so)

# The demo is an example: of the public interface, and with the library that gets installed.
$(BUILD)/examples/%: $(BUILD)/obj/examples/%.o $(STATIC)
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LDLIBS_ALL)

-include $(shell find $(ENCLAVE_BUILD)/obj -name '*.d' 2>/dev/null)
