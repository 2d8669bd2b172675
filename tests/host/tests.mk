# The enclave made by hand is assembled, not compiled.
$(patsubst %.c,$(BUILD)/%,$(wildcard tests/host/*_test.c tests/host/*_prog.c)): $(BUILD)/obj/tests/host/raw_enclave.o
