/* The calls between the hello enclave and its host, for both sides. */
#ifndef HELLO_H
#define HELLO_H

#include <stdint.h>

enum { HELLO_GREET }; /* ECALLs, struct hello_greet */
enum { HELLO_PRINT }; /* OCALLs, struct hello_print */

struct hello_greet {
	char name[64];
	uint64_t count; /* out: how often it has greeted */
};
struct hello_print {
	char text[128];
};

#endif
