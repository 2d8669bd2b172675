/* Inside: greets whom it is told to, and has the host print it. */
#include "hello.h"

#include <bawn_enclave.h>
#include <string.h>

static void append(char *to, size_t size, const char *text)
{
	size_t at = strlen(to), n = strlen(text);

	if (n > size - at - 1)
		n = size - at - 1;
	memcpy(to + at, text, n);
	to[at + n] = 0;
}

static uint32_t greet(void *args)
{
	/* A copy that the runtime made: the host cannot change it any more. */
	struct hello_greet *g = args;
	struct hello_print print = { "Hello, " };
	static uint64_t count;
	uint32_t status;

	/* The host need not have ended the name with a NUL. */
	g->name[sizeof(g->name) - 1] = 0;
	append(print.text, sizeof(print.text), g->name);
	append(print.text, sizeof(print.text), ", from inside the enclave.");
	status = bawn_ocall(HELLO_PRINT, &print, sizeof(print));
	if (status != BAWN_STATUS_OK)
		return status;
	g->count = __atomic_add_fetch(&count, 1, __ATOMIC_SEQ_CST);
	return BAWN_STATUS_OK;
}

const struct bawn_ecall bawn_ecalls[] = {
	[HELLO_GREET] = { greet, sizeof(struct hello_greet), 0 },
};
const uint32_t bawn_ecall_count = sizeof(bawn_ecalls) / sizeof(bawn_ecalls[0]);
