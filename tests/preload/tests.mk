# The clients: programs that know nothing but the kernel's interface and the C
# library, as strangers to this project; so none of its objects, and no sanitizers.
CLIENT_LIB   := $(addprefix tests/preload/client/,client.c vdso.c)
CLIENT_SRC   := $(filter-out $(CLIENT_LIB),$(wildcard tests/preload/client/*.c))
CLIENT_BIN   := $(CLIENT_SRC:%.c=$(BUILD)/%)
CLIENT_FLAGS := -std=c11 -D_GNU_SOURCE -I. $(OPT) $(WARN) -fPIE -pie -pthread
BLOBS        := $(BUILD)/tests/preload/blobs/signer.hex

$(BUILD)/tests/preload/client/%: tests/preload/client/%.c $(CLIENT_LIB) $(wildcard tests/preload/client/*.h) \
		tests/cpu/kit_enclave.h tests/tap.h $(FLAGS_FILE)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(CLIENT_FLAGS) -o $@ $< $(CLIENT_LIB)

# Their enclaves.
$(BUILD)/tests/preload/blobs_prog: $(call obj,tests/cpu/kit_enclave.c)
$(BLOBS): $(BUILD)/tests/preload/blobs_prog
	@mkdir -p $(@D)
	$(call say,SIGN)
	$(Q)$< $(@D)

# There are no shared objects to preload into static programs.
ifneq ($(VARIANT),static)
tests: $(CLIENT_BIN) $(BLOBS)
endif

# ---- make check-kernel: the Linux kernel's selftests, and emulators that are broken on purpose ----

FAULTS := $(patsubst %,$(BUILD)/tests/preload/fault_%.so,no_pf_sgx emodpr signals)
comma := ,
FAULT_WRAP_no_pf_sgx := cpu_page_access
FAULT_WRAP_emodpr    := cpu_emodpr
FAULT_WRAP_signals   := cpu_deliver

$(FAULTS:%.so=%.o): $(BUILD)/tests/preload/fault_%.o: tests/preload/kernel/fault.c $(PRELOAD_FLAGS_FILE)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(PRELOAD_CC) $(PRELOAD_CFLAGS) -DFAULT_$(shell echo $* | tr a-z A-Z) -MMD -MP -c -o $@ $<
$(FAULTS): %.so: %.o $(PRELOAD_NAMES_OBJ) $(PRELOAD_INSIDE_OBJ)
	$(call preload_link,$<,-Wl$(comma)--wrap=$(FAULT_WRAP_$(patsubst $(BUILD)/tests/preload/fault_%,%,$*)))
-include $(FAULTS:%.so=%.d)
