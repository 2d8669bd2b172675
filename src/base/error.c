/* struct bawn_error: the first cause is kept, nothing is allocated. */
#include "base/base.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* One line of text: control bytes of a foreign file must not reach a terminal. */
static void sanitise(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || (unsigned char)*s == 0x7f)
			*s = '?';
}

static void record(struct bawn_error *e, enum bawn_code code, int sys, uint32_t status,
		   const char *fmt, va_list ap)
{
	char text[512], end[64] = "";

	if (!e || e->code)
		return;
	e->code = code;
	e->sys_errno = sys;
	e->sgx_status = status;
	vsnprintf(text, sizeof(text), fmt, ap);
	if (sys)
		snprintf(end, sizeof(end), ": %s", strerror(sys));
	text_fit(e->msg, sizeof(e->msg), text, end);
	sanitise(e->msg);
}

int err_set(struct bawn_error *e, enum bawn_code code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	record(e, code, 0, 0, fmt, ap);
	va_end(ap);
	return code;
}

int err_sys(struct bawn_error *e, const char *fmt, ...)
{
	int sys = errno;
	va_list ap;

	va_start(ap, fmt);
	record(e, BAWN_ERR_SYSTEM, sys, 0, fmt, ap);
	va_end(ap);
	return BAWN_ERR_SYSTEM;
}

int err_sgx(struct bawn_error *e, uint32_t status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	record(e, BAWN_ERR_SGX, 0, status, fmt, ap);
	va_end(ap);
	return BAWN_ERR_SGX;
}

int err_nomem(struct bawn_error *e)
{
	return err_set(e, BAWN_ERR_MEMORY, "out of memory");
}

void err_context(struct bawn_error *e, const char *fmt, ...)
{
	char text[512];
	size_t n;
	va_list ap;

	if (!e || !e->code)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	n = strlen(text);
	snprintf(text + n, sizeof(text) - n, ": %s", e->msg);
	text_fit(e->msg, sizeof(e->msg), text, "");
	sanitise(e->msg);
}
