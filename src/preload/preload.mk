# The object that `bawn emulate` injects. Not a library to link with: it needs
# nothing of its host, whatever C library that has, so it is compiled and linked
# apart. Sanitizers and their flags do not get in.

PRELOAD_CC    ?= $(if $(ENCLAVE_CC),$(ENCLAVE_CC),$(CC))
PRELOAD_BUILD := $(BUILD)/preload
PRELOAD       := $(BUILD)/libbawn_emulate.so

PRELOAD_CFLAGS := -std=c11 -O2 -g $(WARN) -DBAWN_PRELOAD -D_GNU_SOURCE -Iinclude -Isrc -fPIC \
	-fvisibility=hidden -ftls-model=initial-exec -fno-stack-protector -fcf-protection=none \
	-ffunction-sections -fdata-sections -U_FORTIFY_SOURCE

# The inside has a C library of its own; the names face the host's.
PRELOAD_NAMES_SRC  := $(sort $(wildcard src/preload/names*.c)) src/cpu/signal_names.c
PRELOAD_INSIDE_SRC := $(filter-out $(PRELOAD_NAMES_SRC) src/cpu/platform_dir.c, \
	src/crypto/cmac.c src/base/bytes.c src/base/error.c src/base/text.c src/base/hex.c src/base/buf.c \
	$(sort $(wildcard src/isa/*.c src/cpu/*.c src/cpu/*.S src/preload/*.c)))
preload_obj = $(patsubst %,$(PRELOAD_BUILD)/obj/%.o,$(basename $(1)))

PRELOAD_FLAGS_FILE := $(PRELOAD_BUILD)/flags
$(PRELOAD_FLAGS_FILE): FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(PRELOAD_CC) $(PRELOAD_CFLAGS)' >$@.new
	@if cmp -s $@.new $@; then rm -f $@.new; else mv $@.new $@; fi

# A memcpy that the compiler made a call of memcpy of would not end.
$(call preload_obj,src/preload/libc.c): PRELOAD_EXTRA := -fno-builtin

$(PRELOAD_BUILD)/obj/%.o: %.c $(PRELOAD_FLAGS_FILE)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(PRELOAD_CC) $(PRELOAD_CFLAGS) $(PRELOAD_EXTRA) -MMD -MP -c -o $@ $<
$(PRELOAD_BUILD)/obj/%.o: %.S $(PRELOAD_FLAGS_FILE)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(PRELOAD_CC) $(PRELOAD_CFLAGS) -Wa,--noexecstack -MMD -MP -c -o $@ $<

PRELOAD_INSIDE_OBJ := $(call preload_obj,$(PRELOAD_INSIDE_SRC))
PRELOAD_NAMES_OBJ  := $(call preload_obj,$(PRELOAD_NAMES_SRC))

# $(call preload_link,OBJECT...,FLAG...): $@ from the above, and more for the inside.
# The names of its C library, and BearSSL's, are the inside's own. The whole is
# initialised before all others: their constructors may already look for a device.
define preload_link
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(PRELOAD_CC) -nostdlib -r $(2) -o $@.inside.tmp $(PRELOAD_INSIDE_OBJ) $(1) -l:libbearssl.a -lgcc
	$(Q)nm --defined-only --extern-only $(call preload_obj,src/preload/libc.c) | \
		awk 'NF == 3 { print $$3 }' >$@.local
	$(Q)objcopy -w --localize-symbols=$@.local --localize-symbol='br_*' $@.inside.tmp $@.inside
	$(Q)$(PRELOAD_CC) -shared -nostdlib -Wl,-soname,$(@F) -Wl,--gc-sections -Wl,--hash-style=both \
		-Wl,-z,relro,-z,now,-z,noexecstack,-z,initfirst -o $@ $(PRELOAD_NAMES_OBJ) $@.inside
	@rm -f $@.inside.tmp $@.inside $@.local
	@! readelf -dW $@ | grep NEEDED || { rm -f $@; exit 1; }
	@! readelf -VW $@ | grep -q 'Version needs' || { rm -f $@; exit 1; }
endef

$(PRELOAD): $(PRELOAD_NAMES_OBJ) $(PRELOAD_INSIDE_OBJ) $(BUILD)/sources
	$(call preload_link,,)

preload: $(PRELOAD) ## what `bawn emulate` injects
all: preload
.PHONY: preload

-include $(shell find $(PRELOAD_BUILD)/obj -name '*.d' 2>/dev/null)
