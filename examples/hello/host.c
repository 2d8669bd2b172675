/* Outside: loads the enclave, calls it, prints for it. Usage: host ENCLAVE NAME */
#include "hello.h"

#include <bawn.h>
#include <stdio.h>
#include <string.h>

static uint32_t print(void *ms, void *arg)
{
	const struct hello_print *p = ms;

	(void)arg;
	printf("%.*s\n", (int)sizeof(p->text), p->text);
	return 0;
}

int main(int argc, char **argv)
{
	static const bawn_ocall_fn ocalls[] = { [HELLO_PRINT] = print };
	/* The device is what BAWN_DEVICE says; "auto" without it, which never means the emulated CPU. */
	struct bawn_options options = { .ocalls = ocalls, .ocall_count = 1 };
	struct bawn_enclave *enclave;
	struct hello_greet greet = { .count = 0 };
	struct bawn_error error = { 0 };
	uint32_t status;

	if (argc != 3) {
		fprintf(stderr, "usage: %s ENCLAVE NAME\n", argv[0]);
		return 64;
	}
	if (bawn_enclave_load(&enclave, argv[1], &options, &error)) {
		fprintf(stderr, "%s: %s\n", argv[1], error.msg);
		return 1;
	}
	strncpy(greet.name, argv[2], sizeof(greet.name) - 1);
	if (bawn_ecall(enclave, HELLO_GREET, &greet, &status, &error)) {
		fprintf(stderr, "the call failed: %s\n", error.msg);
		status = 1;
	} else if (status) {
		fprintf(stderr, "the enclave answered with status 0x%x\n", status);
	} else {
		printf("It has greeted %llu time(s).\n", (unsigned long long)greet.count);
	}
	bawn_enclave_free(&enclave);
	return status != 0;
}
