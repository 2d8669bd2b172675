/* The platform file: what is accepted means the same when written and read again. */
#include "cpu/platform.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct cpu_platform p, again;
	struct buf b;

	memset(&p, 0, sizeof(p));
	memset(&again, 0, sizeof(again));
	if (cpu_platform_parse(data, n, &p, NULL) != 0)
		return 0;
	buf_init(&b, PLATFORM_FILE_MAX);
	platform_render(&p, &b);
	if (b.failed || cpu_platform_parse(b.p, b.n, &again, NULL) != 0 ||
	    memcmp(&p, &again, sizeof(p)) != 0)
		abort();
	buf_free(&b);
	return 0;
}
