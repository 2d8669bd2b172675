/*
 * For a debugger: an enclave, a place to stop before it is called and one after.
 *
 *	debuggee [production]
 */
#include "client.h"

volatile uint64_t debuggee_base, debuggee_data, debuggee_answer;

__attribute__((noinline)) void stop_before(void);
__attribute__((noinline)) void stop_after(void);

void stop_before(void)
{
	__asm__ volatile("");
}

void stop_after(void)
{
	__asm__ volatile("");
}

int main(int argc, char **argv)
{
	struct encl e;

	(void)argv;
	encl_make(&e, argc > 1 ? argv[1] : "plain");
	poke(&e, 0, KIT_DATA, 0x1111222233334444);
	debuggee_base = e.base;
	debuggee_data = e.base + KIT_DATA;
	stop_before();
	debuggee_answer = call(&e, 0, KIT_ADD, 40, 2).rdi;
	stop_after();
	printf("answer %llu, data %llx\n", (unsigned long long)debuggee_answer,
	       (unsigned long long)peek(&e, 0, KIT_DATA));
	encl_free(&e);
	return 0;
}
