/* Logging: libraries call what the program installed, and print nothing themselves. */
#include "base/base.h"

#include <stdarg.h>
#include <stdio.h>

static log_fn sink;
static void *sink_arg;

void log_to(log_fn fn, void *arg)
{
	sink = fn;
	sink_arg = arg;
}

void log_msg(enum log_level level, const char *fmt, ...)
{
	char line[512];
	va_list ap;

	if (!sink)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	sink(sink_arg, level, line);
}
