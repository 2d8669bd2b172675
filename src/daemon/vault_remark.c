/* What the vault remarks on what others do, kept from filling the log. */
#include "daemon/vault.h"

#include <stdarg.h>
#include <stdio.h>

#define BURST 20
#define WINDOW (60 * SECOND_NS)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t since; /* clock_ns: of the first in this window */
static unsigned said, unsaid;

/* Under lock. */
static void tell_unsaid(uint64_t now)
{
	if (!said || now - since < WINDOW)
		return;
	if (unsaid)
		log_msg(LOG_WARN, "%u more of the kind", unsaid);
	said = unsaid = 0;
}

void vault_remark(const char *fmt, ...)
{
	uint64_t now = clock_ns();
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	text_vprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	pthread_mutex_lock(&lock);
	tell_unsaid(now);
	if (!said)
		since = now;
	if (said < BURST) {
		log_msg(LOG_WARN, "%s", text);
		if (++said == BURST)
			log_msg(LOG_WARN, "more of the kind is counted, and told in a minute");
	} else {
		unsaid++;
	}
	pthread_mutex_unlock(&lock);
}

void vault_remark_tick(uint64_t now)
{
	pthread_mutex_lock(&lock);
	tell_unsaid(now);
	pthread_mutex_unlock(&lock);
}
