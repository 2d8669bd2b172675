# The kernel's side of the in-kernel driver, played by the test.
$(BUILD)/tests/dev/kernel_test: LDFLAGS_ALL += -Wl,--wrap=open,--wrap=open64,--wrap=ioctl,--wrap=mmap,--wrap=mmap64,--wrap=dev_vdso_enter
