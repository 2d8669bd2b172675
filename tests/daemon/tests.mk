# bawnd with a gate that misbehaves on request, in the honest one's place.
EVIL := $(BUILD)/tests/daemon/bawnd-evil
$(EVIL): $(call obj,tests/daemon/evil/gate.c $(filter-out src/daemon/gate%,$(DAEMON_SRC))) $(INTERNAL)
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LDLIBS_ALL)
tests: $(EVIL)
# bawnd with a time of day that can be moved, for clock_test.sh.
CLOCK := $(BUILD)/tests/daemon/bawnd-clock
$(CLOCK): $(call obj,tests/daemon/clock/clock.c $(DAEMON_SRC)) $(INTERNAL)
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LDLIBS_ALL)
tests: $(CLOCK)
# The parent's table of system calls by itself, for parent_test.sh.
SANDBOX := $(BUILD)/tests/daemon/parent-sandbox
$(SANDBOX): $(call obj,tests/daemon/parent/sandbox.c) $(DAEMON_PARTS) $(INTERNAL)
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LDLIBS_ALL)
tests: $(SANDBOX)

# Parts of the vault by themselves.
$(BUILD)/tests/daemon/peer_test: $(call obj,src/daemon/vault_peer.c)
$(BUILD)/tests/daemon/life_test: $(call obj,src/daemon/vault_life.c)

# An enclave that never answers in the ledger enclave's place, for hang_test.sh.
$(BUILD)/enclaves/ledger-hang.so: $(call enclave_obj,tests/daemon/hang/ledger.c) $(ENCLAVE_KIT) enclaves/runtime/enclave.lds
	$(call say,LD)
	$(Q)$(ENCLAVE_CC) $(ENCLAVE_LDFLAGS) -o $@ $(filter %.o %.a,$^) -l:libbearssl.a
$(BUILD)/enclaves/ledger-hang.signed.so: $(BUILD)/enclaves/ledger-hang.so $(BUILD)/keys/ledger.pem enclaves/ledger/ledger.conf $(CLI)
	$(call say,SIGN)
	$(Q)$(CLI) sign --key $(BUILD)/keys/ledger.pem --config enclaves/ledger/ledger.conf --output $@ $< >/dev/null
tests: $(BUILD)/enclaves/ledger-hang.signed.so
