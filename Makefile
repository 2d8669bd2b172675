# Bawn. GNU make, C11; out-of-tree: everything made lands in $(BUILD).
BUILD   ?= build
CC      ?= gcc
OPT     ?= -O2 -g
WARN    := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
           -Wpointer-arith -Wwrite-strings -Wno-missing-field-initializers
CFLAGS_ALL := -std=c11 -D_GNU_SOURCE $(OPT) $(WARN) -fPIC -fvisibility=hidden -fstack-protector-strong \
           -Iinclude -Isrc -I. -MMD -MP $(CFLAGS)
LDLIBS_ALL := -lelf -lcrypto -pthread $(LDLIBS)

LIB_SRC := $(sort $(filter-out src/cli/%,$(wildcard src/*/*.c src/*/*.S)))
CLI_SRC := $(sort $(wildcard src/cli/*.c))
TEST_SRC := $(sort $(wildcard tests/*/*_test.c))
obj = $(patsubst %,$(BUILD)/obj/%.o,$(basename $(1)))

.PHONY: all lib cli tests check clean
all: lib cli
lib: $(BUILD)/libbawn.a
cli: $(BUILD)/bawn
tests: $(patsubst %.c,$(BUILD)/%,$(TEST_SRC))

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -c -o $@ $<
$(BUILD)/obj/%.o: %.S
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -c -o $@ $<
$(BUILD)/libbawn.a: $(call obj,$(LIB_SRC))
	@rm -f $@
	$(AR) rcs $@ $^
$(BUILD)/bawn: $(call obj,$(CLI_SRC)) $(BUILD)/libbawn.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS_ALL)
$(BUILD)/tests/%_test: $(BUILD)/obj/tests/%_test.o $(BUILD)/libbawn.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS_ALL)

check: all tests
	prove -j2 $(patsubst %.c,$(BUILD)/%,$(TEST_SRC)) $(wildcard tests/*/*_test.sh)

clean:
	rm -rf $(BUILD)
-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
