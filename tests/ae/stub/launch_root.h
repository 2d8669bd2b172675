/* In place of the one that the build of the launch enclave makes. */
static const uint8_t launch_root[64];
