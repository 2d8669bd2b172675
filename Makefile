# Bawn. GNU make, C11, gcc or clang. Everything made lands in $(BUILD).
#
#   make CC=clang BUILD=build/clang check
#
# A new source file, test, fuzz target, benchmark or subcommand needs no change
# here: they are found by name (CONTRIBUTING.md tells the names).

BUILD   ?= build
PREFIX  ?= /usr/local
BINDIR  ?= $(PREFIX)/bin
LIBDIR  ?= $(PREFIX)/lib
INCDIR  ?= $(PREFIX)/include
MANDIR  ?= $(PREFIX)/share/man
DATADIR ?= $(PREFIX)/share
SBINDIR ?= $(PREFIX)/sbin
SYSCONFDIR ?= $(if $(filter /usr /usr/local,$(PREFIX)),/etc,$(PREFIX)/etc)
DOCDIR  ?= $(DATADIR)/doc/bawn
UNITDIR ?= $(PREFIX)/lib/systemd/system
VERSION := $(shell cat VERSION)
ABI     := 0

ifeq ($(origin CC),default)
CC      := gcc
endif
OPT     ?= -O2 -g
JOBS    ?= 2
# V=1 shows the commands.
Q       := $(if $(filter 1,$(V)),,@)
say      = $(if $(Q),@echo "  $(1)  $@")

WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef \
        -Wpointer-arith -Wwrite-strings -Wformat=2 -Wno-format-nonliteral -Wimplicit-fallthrough \
        -Wno-missing-field-initializers

# SANITIZE=address,undefined and the like: a build of its own (see check-asan, fuzz).
ifdef SANITIZE
HARDEN := -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
LINK   := -fsanitize=$(SANITIZE)
else
HARDEN := -fstack-protector-strong $(if $(filter -O1 -O2 -O3 -Os,$(OPT)),-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
LINK   := -Wl,-z,relro,-z,now
endif

CPPFLAGS_ALL := -D_GNU_SOURCE -Iinclude -Isrc -I. $(CPPFLAGS)
CFLAGS_ALL   := -std=c11 $(OPT) $(WARN) -fPIC -fvisibility=hidden $(HARDEN) $(CFLAGS)
LDFLAGS_ALL  := $(LINK) -Wl,-z,noexecstack $(LDFLAGS)
LDLIBS_ALL    = $(LDLIBS) -lelf -lssl -lcrypto -pthread

# ---- what there is ----

LIB_SRC    := $(sort $(filter-out src/cli/% src/daemon/% src/preload/%,$(wildcard src/*/*.c src/*/*.S)))
CLI_SRC    := $(sort $(wildcard src/cli/*.c))
DAEMON_SRC := $(sort $(wildcard src/daemon/*.c))
TEST_SRC   := $(sort $(wildcard tests/*/*_test.c))
PROG_SRC   := $(sort $(wildcard tests/*/*_prog.c))
SHELL_TEST := $(sort $(wildcard tests/*/*_test.sh))
FUZZ_SRC   := $(sort $(wildcard fuzz/*_fuzz.c))
BENCH_SRC  := $(sort $(wildcard bench/*_bench.c))
# Tests that say "no-musl: <reason>" are no part of the static build.
ifeq ($(VARIANT),static)
TEST_SRC := $(filter-out $(shell grep -l 'no-musl:' $(TEST_SRC) /dev/null),$(TEST_SRC))
endif
BENCH_OBJ   = $(call obj,$(filter-out $(BENCH_SRC),$(wildcard bench/*.c)))

obj = $(patsubst %,$(BUILD)/obj/%.o,$(basename $(1)))
LIB_OBJ    := $(call obj,$(LIB_SRC))
TEST_BIN   := $(TEST_SRC:%.c=$(BUILD)/%)
PROG_BIN   := $(PROG_SRC:%.c=$(BUILD)/%)
REPLAY_BIN := $(FUZZ_SRC:fuzz/%_fuzz.c=$(BUILD)/replay/%_replay)
FUZZ_BIN   := $(FUZZ_SRC:fuzz/%.c=$(BUILD)/%)
BENCH_BIN  := $(BENCH_SRC:%.c=$(BUILD)/%)
EXAMPLES   := $(patsubst %.c,$(BUILD)/%,$(wildcard examples/*.c))

INTERNAL := $(BUILD)/internal.a
DAEMON_PARTS := $(BUILD)/daemon.a
STATIC   := $(BUILD)/libbawn.a
SHARED   := $(BUILD)/libbawn.so.$(ABI)
CLI      := $(BUILD)/bawn
DAEMON   := $(BUILD)/bawnd

.PHONY: all lib cli daemon enclaves tests check check-asan fuzz bench static install \
        uninstall deps demo clean help FORCE
.DELETE_ON_ERROR:

all: lib cli daemon enclaves    ## the libraries, the command, the daemon, the enclaves
lib: $(STATIC) $(SHARED)        ## libbawn.a and libbawn.so
cli: $(if $(CLI_SRC),$(CLI)) ## the bawn command
daemon: $(DAEMON)               ## the attestation service, bawnd
enclaves:                       ## the open enclaves (enclaves/enclaves.mk)
tests: $(TEST_BIN) $(PROG_BIN) $(REPLAY_BIN) ## build the tests

# Enclaves are compiled and linked by rules of their own; they add to `enclaves`.
-include enclaves/enclaves.mk
# So is what `bawn emulate` injects.
-include src/preload/preload.mk

# Named, not only matched: make deletes what it came across by patterns alone.
$(EXAMPLES): $(BUILD)/examples/%: $(BUILD)/obj/examples/%.o

# ---- objects ----

# Other flags mean other objects: all of them depend on this file.
FLAGS_FILE := $(BUILD)/flags
$(FLAGS_FILE): FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) / $(LDFLAGS_ALL) $(LDLIBS)' >$@.new
	@if cmp -s $@.new $@; then rm -f $@.new; else mv $@.new $@; fi

# So is the list of them: what was linked from a source that is gone is linked anew.
SOURCES_FILE := $(BUILD)/sources
$(SOURCES_FILE): FORCE
	@mkdir -p $(@D)
	@printf '%s\n' $(LIB_SRC) $(CLI_SRC) $(DAEMON_SRC) $(PRELOAD_NAMES_SRC) $(PRELOAD_INSIDE_SRC) >$@.new
	@if cmp -s $@.new $@; then rm -f $@.new; else mv $@.new $@; fi
objects = $(filter %.o %.a,$^)

$(BUILD)/obj/%.o: %.c $(FLAGS_FILE)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<
$(BUILD)/obj/%.o: %.S $(FLAGS_FILE)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -Wa,--noexecstack -MMD -MP -c -o $@ $<
$(BUILD)/obj/src/base/version.o: CPPFLAGS_ALL += -DBAWN_VERSION='"$(VERSION)"'
$(BUILD)/obj/src/base/version.o: VERSION
# Where the enclaves are installed, and looked for.
$(BUILD)/obj/src/attester/state.o: CPPFLAGS_ALL += -DBAWN_LIBEXEC='"$(LIBDIR)/bawn"'
$(BUILD)/obj/src/cli/cmd_emulate.o: CPPFLAGS_ALL += -DBAWN_LIBDIR='"$(LIBDIR)/bawn"'

# ---- libraries and command ----

# With every symbol, for the command and the tests.
$(INTERNAL): $(LIB_OBJ) $(SOURCES_FILE)
	@rm -f $@
	$(call say,AR)
	$(Q)$(AR) rcs $@ $(objects)

# One relocatable object in which only what is visible stays global: bawn.h's
# names, and the C library's signal functions, which the emulated CPU has to see.
$(BUILD)/libbawn.o: $(LIB_OBJ) $(SOURCES_FILE)
	$(call say,LD)
	$(Q)$(LD) -r -o $@.tmp $(LIB_OBJ)
	$(Q)objcopy --localize-hidden $@.tmp $@
	@rm -f $@.tmp
$(STATIC): $(BUILD)/libbawn.o
	@rm -f $@
	$(call say,AR)
	$(Q)$(AR) rcs $@ $<
$(SHARED): $(LIB_OBJ) src/libbawn.map $(SOURCES_FILE)
	$(call say,LD)
	$(Q)$(CC) -shared -Wl,-soname,$(@F) -Wl,--version-script=src/libbawn.map -Wl,-z,defs \
		$(LDFLAGS_ALL) -o $@ $(LIB_OBJ) $(LDLIBS_ALL)
	@ln -sf $(@F) $(BUILD)/libbawn.so

$(CLI): $(call obj,$(CLI_SRC)) $(INTERNAL) $(SOURCES_FILE)
	$(call say,LD)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $(objects) $(LDLIBS_ALL)

$(BUILD)/obj/src/daemon/config.o: CPPFLAGS_ALL += -DBAWN_LIBEXEC='"$(LIBDIR)/bawn"'
# Where the service's configuration is installed, and looked for.
$(BUILD)/obj/src/daemon/config.o $(BUILD)/obj/src/cli/cmd_daemon_policy.o: \
	CPPFLAGS_ALL += -DBAWN_CONFDIR='"$(SYSCONFDIR)/bawn"'
# All but main, for those that test its parts.
$(DAEMON_PARTS): $(call obj,$(filter-out src/daemon/main.c,$(DAEMON_SRC))) $(SOURCES_FILE)
	@rm -f $@
	$(call say,AR)
	$(Q)$(AR) rcs $@ $(objects)
$(DAEMON): $(call obj,src/daemon/main.c) $(DAEMON_PARTS) $(INTERNAL)
	$(call say,LD)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LDLIBS_ALL)

# ---- tests ----

# A test or program also gets its folder's other C files (neither _test.c nor _prog.c),
# and what more its folder's tests.mk makes it depend on.
helpers = $(call obj,$(filter-out %_test.c %_prog.c,$(wildcard $(dir $(1))*.c)))
define test_rule
$$(BUILD)/$(1:.c=): $$(call obj,$(1)) $$(call helpers,$(1)) $$(INTERNAL)
	@mkdir -p $$(@D)
	$$(call say,LD)
	$$(Q)$$(CC) $$(LDFLAGS_ALL) -o $$@ $$(filter %.o,$$^) $$(filter-out %.o,$$^) $$(LDLIBS_ALL)
endef
$(foreach t,$(TEST_SRC) $(PROG_SRC),$(eval $(call test_rule,$(t))))
-include $(wildcard tests/*/tests.mk)

# Every fuzz target with a plain main: the corpus, its truncations and some mutations.
$(REPLAY_BIN): $(BUILD)/replay/%_replay: $(BUILD)/obj/fuzz/%_fuzz.o $(BUILD)/obj/fuzz/replay.o $(DAEMON_PARTS) $(INTERNAL)
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LDLIBS_ALL)

# tools/run-test runs one of them, with a limit of time; prove reads what they print.
# VARIANT tells them of a build that has the command but not the libraries.
PROVE = BUILD=$(BUILD) VARIANT=$(VARIANT) CC="$(CC)" prove -j$(JOBS) --exec tools/run-test
check: all tests                ## all unit and shell tests (TESTS="..." for some)
	$(PROVE) $(or $(TESTS),$(TEST_BIN) $(REPLAY_BIN) $(SHELL_TEST))

# Tests that say "no-asan: <reason>" cannot run under AddressSanitizer.
ASAN_SKIP = $(shell grep -l 'no-asan:' $(TEST_SRC) $(SHELL_TEST) /dev/null)
check-asan:                     ## the same under ASan and UBSan
	$(MAKE) BUILD=$(BUILD)/asan SANITIZE=address,undefined OPT='-O1 -g' VARIANT=sanitized check-asan-run
check-asan-run: cli enclaves tests
	@for t in $(ASAN_SKIP); do echo "not under ASan: $$t: $$(sed -n 's/.*no-asan: *//p' $$t | head -n 1)"; done
	$(PROVE) $(filter-out $(ASAN_SKIP:%.c=$(BUILD)/%) $(ASAN_SKIP),$(TEST_BIN) $(REPLAY_BIN) $(SHELL_TEST))
check-kernel: all $(FAULTS)     ## the Linux kernel's own tests of SGX, emulated; SOURCE=DIR
	CHECK_KERNEL_SOURCE="$(SOURCE)" $(PROVE) tools/check-kernel
man-check: cli                  ## the manual pages against commands, options and bawn.h
	$(PROVE) tests/project/man_test.sh
.PHONY: check-asan-run check-kernel man-check

# ---- fuzzing, benchmarks ----

FUZZ_SECONDS ?= 30
fuzz:                           ## every fuzz target for FUZZ_SECONDS=30, two at a time
	$(MAKE) BUILD=$(BUILD)/fuzz CC=clang SANITIZE=fuzzer-no-link,address,undefined fuzz-run
fuzz-run: $(FUZZ_BIN)
	BUILD=$(BUILD) FUZZ_SECONDS=$(FUZZ_SECONDS) tools/fuzz $(FUZZ_BIN)
.PHONY: fuzz-run
$(FUZZ_BIN): $(BUILD)/%_fuzz: $(BUILD)/obj/fuzz/%_fuzz.o $(DAEMON_PARTS) $(INTERNAL)
	$(call say,LD)
	$(Q)$(CC) $(subst fuzzer-no-link,fuzzer,$(LDFLAGS_ALL)) -o $@ $^ $(LDLIBS_ALL)

bench: all $(BENCH_BIN)         ## measure; a table, and build/bench.json
	BUILD=$(BUILD) tools/bench $(BUILD)/bench.json $(BENCH_BIN)
$(BENCH_BIN): $(BUILD)/bench/%_bench: $(BUILD)/obj/bench/%_bench.o $(BENCH_OBJ) $(INTERNAL)
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LDLIBS_ALL)

# ---- installing ----

COMPLETIONS := $(BUILD)/completion/bawn.bash $(BUILD)/completion/_bawn $(BUILD)/completion/bawn.fish
$(BUILD)/completion/%.bash: $(CLI)
	@mkdir -p $(@D)
	$(Q)$(CLI) completion bash >$@
$(BUILD)/completion/_%: $(CLI)
	@mkdir -p $(@D)
	$(Q)$(CLI) completion zsh >$@
$(BUILD)/completion/%.fish: $(CLI)
	@mkdir -p $(@D)
	$(Q)$(CLI) completion fish >$@

# Always made anew: PREFIX is not known beforehand.
$(BUILD)/bawn.pc: tools/bawn.pc.in VERSION FORCE
	$(Q)sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@INCDIR@|$(INCDIR)|' \
		-e 's|@VERSION@|$(VERSION)|' $< >$@

# The pages name places as they are by default: at installing, as they are.
MAN_PAGES := $(patsubst %,$(BUILD)/%,$(wildcard man/*.[1-8]))
$(BUILD)/man/%: man/% FORCE
	@mkdir -p $(@D)
	$(Q)sed -e 's|/usr/local/share/doc/bawn|$(DOCDIR)|g' -e 's|/usr/local/lib/bawn|$(LIBDIR)/bawn|g' \
		-e 's|/etc/bawn|$(SYSCONFDIR)/bawn|g' $< >$@
# What manual pages refer to, and the examples.
DOCUMENTS = $(sort $(wildcard doc/*.md examples/*.c examples/*/*))
# FILE:TARGET, in the order of installing; links are made afterwards.
INSTALLED = $(CLI):$(BINDIR)/bawn include/bawn.h:$(INCDIR)/bawn.h $(STATIC):$(LIBDIR)/libbawn.a \
	$(SHARED):$(LIBDIR)/$(notdir $(SHARED)) $(PRELOAD):$(LIBDIR)/bawn/$(notdir $(PRELOAD)) \
	$(BUILD)/bawn.pc:$(LIBDIR)/pkgconfig/bawn.pc \
	$(BUILD)/completion/bawn.bash:$(DATADIR)/bash-completion/completions/bawn \
	$(BUILD)/completion/_bawn:$(DATADIR)/zsh/site-functions/_bawn \
	$(BUILD)/completion/bawn.fish:$(DATADIR)/fish/vendor_completions.d/bawn.fish \
	$(foreach m,$(MAN_PAGES),$(m):$(MANDIR)/man$(subst .,,$(suffix $(m)))/$(notdir $(m))) \
	$(foreach d,$(DOCUMENTS),$(d):$(DOCDIR)/$(d:doc/%=%)) \
	tools/bawn.gdb:$(DATADIR)/bawn/bawn.gdb $(KIT_INSTALLED)
# bawnd, and what starts it.
SERVICE_FILES = $(BUILD)/service/bawnd.service $(BUILD)/service/bawnd.openrc
$(BUILD)/service/%: systemd/% FORCE
	@mkdir -p $(@D)
	$(Q)sed -e 's|@SBINDIR@|$(SBINDIR)|' $< >$@
SERVICE_INSTALLED = $(DAEMON):$(SBINDIR)/bawnd \
	$(BUILD)/service/bawnd.service:$(UNITDIR)/bawnd.service \
	systemd/bawnd.socket:$(UNITDIR)/bawnd.socket systemd/bawnd-aesm.socket:$(UNITDIR)/bawnd-aesm.socket \
	systemd/bawn.sysusers:$(PREFIX)/lib/sysusers.d/bawn.conf \
	systemd/bawn.tmpfiles:$(PREFIX)/lib/tmpfiles.d/bawn.conf \
	$(BUILD)/service/bawnd.openrc:$(DATADIR)/bawn/bawnd.openrc
# The owner's own: put there once, never over what there is, and removed only as it was put.
CONFIG_INSTALLED = etc/policy.default:$(SYSCONFDIR)/bawn/policy \
	$(BUILD)/etc/bawnd.conf:$(SYSCONFDIR)/bawn/bawnd.conf
$(BUILD)/etc/bawnd.conf: etc/bawnd.conf FORCE
	@mkdir -p $(@D)
	$(Q)sed -e 's|/etc/bawn|$(SYSCONFDIR)/bawn|g' $< >$@
install: all $(SERVICE_FILES) $(BUILD)/etc/bawnd.conf $(COMPLETIONS) $(MAN_PAGES) $(BUILD)/bawn.pc $(KIT_FILES) ## to $(PREFIX); DESTDIR=... for packaging
	@for pair in $(INSTALLED) $(SERVICE_INSTALLED); do \
		mode=644; case "$${pair%%:*}" in $(CLI) | $(DAEMON) | *.openrc) mode=755 ;; esac; \
		install -D -m $$mode "$${pair%%:*}" "$(DESTDIR)$${pair#*:}" || exit 1; \
	done
	@for pair in $(CONFIG_INSTALLED); do \
		[ -e "$(DESTDIR)$${pair#*:}" ] || install -D -m 644 "$${pair%%:*}" "$(DESTDIR)$${pair#*:}" || exit 1; \
	done
	@ln -sf $(notdir $(SHARED)) $(DESTDIR)$(LIBDIR)/libbawn.so
	@echo "installed below $(DESTDIR)$(PREFIX)"
uninstall: $(BUILD)/etc/bawnd.conf    ## what install put there
	@for pair in $(INSTALLED) $(SERVICE_INSTALLED); do rm -f "$(DESTDIR)$${pair#*:}"; done
	@for pair in $(CONFIG_INSTALLED); do \
		! cmp -s "$${pair%%:*}" "$(DESTDIR)$${pair#*:}" || rm "$(DESTDIR)$${pair#*:}"; \
	done
	@rm -f $(DESTDIR)$(LIBDIR)/libbawn.so

# ---- for a newcomer ----

deps:                           ## install what is missing (as root; else say how)
	tools/deps
demo: deps                      ## the main job, shown on the emulated CPU
	@$(MAKE) --no-print-directory all $(BUILD)/examples/demo
	@BUILD=$(BUILD) tools/demo.sh

# ---- static, against musl ----

# A position-independent static program: musl-gcc -static-pie would quietly make
# a dynamic one, so the start files are named here, and the absence of an
# interpreter is checked.
MUSL := /usr/lib/$(shell uname -m)-linux-musl
STATIC_LDFLAGS = -static -nostartfiles -Wl,-pie,--no-dynamic-linker,-z,text,-z,relro,-z,now \
                 $(MUSL)/rcrt1.o $(MUSL)/crti.o $(MUSL)/crtn.o
static_make = deps=$$(tools/static-deps) && $(MAKE) BUILD=$(BUILD)/static CC=musl-gcc ENCLAVE_CC=gcc \
              CFLAGS="-isystem $$deps/include" LDFLAGS="$(STATIC_LDFLAGS) -L$$deps/lib"
static:                         ## build/static/bawn and bawnd, against musl, and nothing else
	+$(static_make) VARIANT=static static-run
static-run: cli daemon enclaves $(BUILD)/tests/daemon/client_prog
	@for p in $(CLI) $(DAEMON); do \
		! readelf -lW $$p | grep -q INTERP || { echo "$$p has an interpreter"; exit 1; }; \
		! readelf -dW $$p | grep NEEDED || exit 1; \
		$$p --version || exit 1; \
	done
	$(PROVE) $(wildcard tests/cli/*_test.sh) tests/cpu/emu_platform_test.sh \
		tests/daemon/service_test.sh tests/daemon/tcb_test.sh
check-static:                   ## all tests, against musl
	+$(static_make) VARIANT=static check-static-run
check-static-run: cli enclaves tests
	$(PROVE) $(TEST_BIN) $(REPLAY_BIN) $(SHELL_TEST)
.PHONY: check-static check-static-run static-run

clean:                          ## remove everything made
	rm -rf $(BUILD)
help:                           ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 14

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
