/*
 * Outside, where the SGX device is the service's alone: bawnd makes the enclave,
 * if its owner's policy allows that, and hands it over; from then on it is this
 * process's, as one that host.c has loaded. Usage: brokered ENCLAVE NAME
 *
 * The service's socket is BAWN_SOCKET's, or /run/bawn/bawnd.sock.
 */
#include "hello.h"

#include <bawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint32_t print(void *ms, void *arg)
{
	const struct hello_print *p = ms;

	(void)arg;
	printf("%.*s\n", (int)sizeof(p->text), p->text);
	return 0;
}

/* An emulated platform protects nothing: it must not do unless it is what was asked for. */
static int is_acceptable(struct bawn_client *client)
{
	const char *device = getenv("BAWN_DEVICE");
	struct bawn_error error = { 0 };
	struct bawn_service service;

	if (bawn_client_status(client, &service, &error)) {
		fprintf(stderr, "the service: %s\n", error.msg);
		return 0;
	}
	if (service.emulated && !(device && strcmp(device, "emulated") == 0)) {
		fprintf(stderr, "the service's device is emulated; BAWN_DEVICE=emulated takes it all the same\n");
		return 0;
	}
	return 1;
}

/* NULL after saying why. */
static struct bawn_enclave *launch(const char *file)
{
	static const bawn_ocall_fn ocalls[] = { [HELLO_PRINT] = print };
	struct bawn_options options = { .ocalls = ocalls, .ocall_count = 1 };
	struct bawn_enclave *enclave = NULL;
	struct bawn_client *client;
	struct bawn_error error = { 0 };
	int code;

	if (bawn_client_open(&client, NULL, &error)) {
		fprintf(stderr, "%s\n", error.msg);
		return NULL;
	}
	if (is_acceptable(client)) {
		code = bawn_client_launch(client, file, &options, &enclave, &error);
		if (code)
			fprintf(stderr, "%s: %s\n", file, error.msg);
		if (code == BAWN_ERR_DENIED)
			fprintf(stderr, "Its administrator can allow it: bawn daemon grant launch uid=%u\n",
				(unsigned)getuid());
	}
	/* What was handed over does not need the connection. */
	bawn_client_free(&client);
	return enclave;
}

int main(int argc, char **argv)
{
	struct hello_greet greet = { .count = 0 };
	struct bawn_error error = { 0 };
	struct bawn_enclave *enclave;
	uint32_t status;

	if (argc != 3) {
		fprintf(stderr, "usage: %s ENCLAVE NAME\n", argv[0]);
		return 64;
	}
	enclave = launch(argv[1]);
	if (!enclave)
		return 1;
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
