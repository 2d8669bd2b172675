# The disk's side of the audit log, played by the test.
$(BUILD)/tests/authority/power_test: private LDFLAGS_ALL += \
	$(foreach f,fdatasync fsync openat renameat unlinkat,-Wl,--wrap=$(f))
