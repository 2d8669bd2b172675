/* The launch broker. */
#include "daemon/vault.h"

uint64_t launch_held(struct vault *v, uint64_t uid, uint32_t *count)
{
	(void)v;
	(void)uid;
	if (count)
		*count = 0;
	return 0;
}

void launch_serve(struct vault *v, struct job *j)
{
	(void)v;
	job_refuse(j, WIRE_UNSUPPORTED, 0, "not here");
}
