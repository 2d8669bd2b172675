# bawnd with a gate that does what a client tells it to, a courier and a loader that do what a
# file tells them; and the sandbox of the first by itself.
ROGUE := $(BUILD)/tests/rogue/bawnd $(BUILD)/tests/rogue/sandbox
$(BUILD)/tests/rogue/bawnd: $(call obj,$(wildcard src/daemon/*.c) tests/rogue/gate.c tests/rogue/courier.c)
$(BUILD)/tests/rogue/sandbox: $(call obj,$(filter-out src/daemon/main.c,$(wildcard src/daemon/*.c)) tests/rogue/gate.c tests/rogue/courier.c tests/rogue/sandbox.c)
$(ROGUE): $(INTERNAL)
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(LDFLAGS_ALL) -Wl,--wrap=wire_request_decode,--wrap=recv \
		-Wl,--wrap=channel_send_role,--wrap=channel_send -o $@ $(filter %.o,$^) $(INTERNAL) $(LDLIBS_ALL)
tests: $(ROGUE)
