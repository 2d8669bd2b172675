# Verifiers that know a platform get its certificates from the tests' forge.
AE_TESTS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/ae/*_test.c tests/ae/*_prog.c))
$(AE_TESTS): $(BUILD)/obj/tests/attest/forge.o
# It comes behind the archive on the link line, which therefore is named again.
$(AE_TESTS): private LDLIBS += $(INTERNAL)

# The enclaves of a later release: a higher ISVSVN, the same signers.
$(BUILD)/enclaves/%-svn2.signed.so: $(BUILD)/enclaves/%.so $(BUILD)/keys/quote.pem \
		$(BUILD)/keys/provision.pem $(BUILD)/keys/ledger.pem enclaves/quote/quote.conf \
		enclaves/provision/provision.conf enclaves/ledger/ledger.conf $(CLI)
	$(call say,SIGN)
	$(Q)sed 's/^svn = 1/svn = 2/' enclaves/$*/$*.conf >$(BUILD)/enclaves/$*-svn2.conf
	$(Q)$(CLI) sign --key $(BUILD)/keys/$*.pem \
		--config $(BUILD)/enclaves/$*-svn2.conf --output $@ $< >/dev/null
tests: $(foreach e,quote provision ledger,$(BUILD)/enclaves/$(e)-svn2.signed.so)

# What quotes are measured against is BearSSL, as the enclaves have it.
$(BUILD)/bench/quote_bench: private LDLIBS += -l:libbearssl.a

# The launch enclave's reader of white lists is fuzzed together with the host's.
$(BUILD)/obj/fuzz/white_list_fuzz.o: CPPFLAGS_ALL += -Ienclaves -Itests/ae/stub
