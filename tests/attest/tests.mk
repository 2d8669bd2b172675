# The benchmark forges its platforms with the tests' forge; alloc_test counts our allocations.
$(BUILD)/bench/verify_bench: $(BUILD)/obj/tests/attest/forge.o
# private: the objects it is made of keep their own flags.
$(BUILD)/tests/attest/alloc_test: private LDFLAGS_ALL += -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc
