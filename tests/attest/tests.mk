# The benchmark forges its platforms with the tests' forge; alloc_test counts our allocations.
$(BUILD)/bench/verify_bench: $(BUILD)/obj/tests/attest/forge.o
