#include "base/base.h"

const char *bawn_version(void)
{
	return BAWN_VERSION;
}
