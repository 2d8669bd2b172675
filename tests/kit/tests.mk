# Parts of the enclave runtime that also run outside an enclave, for their tests.
KIT_HOST := $(call obj,$(addprefix enclaves/runtime/,bounds.c random.c report.c seal.c sealed.c))
$(KIT_HOST) $(call obj,tests/kit/runtime_test.c tests/kit/memory_test.c fuzz/sealed_fuzz.c): \
	CPPFLAGS_ALL += -Ienclaves -DBAWN_FREESTANDING
$(BUILD)/tests/kit/runtime_test: $(KIT_HOST)
$(BUILD)/tests/kit/runtime_test: LDLIBS += -l:libbearssl.a
$(BUILD)/replay/sealed_replay $(BUILD)/sealed_fuzz: $(call obj,enclaves/runtime/sealed.c)
# It comes behind the archive on the link line, which therefore is named again.
$(BUILD)/replay/sealed_replay $(BUILD)/sealed_fuzz: LDLIBS += $(INTERNAL)
