/* Texts in fixed room: what does not fit ends after a word, and says that more was there. */
#include "base/base.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MORE "..."
#define LONG 1024

void text_fit(char *out, size_t max, const char *text, const char *end)
{
	size_t n = strlen(text), tail = strlen(end), room;

	if (tail + sizeof(MORE) > max) { /* nothing of the text would be left */
		snprintf(out, max, "%s", text);
		return;
	}
	room = max - 1 - tail;
	if (n <= room) {
		memmove(out, text, n);
	} else {
		size_t cut = room - strlen(MORE);

		/* A word as long as all of it is cut after all. */
		for (n = cut; n > cut / 2 && text[n] != ' '; n--)
			;
		if (n <= cut / 2)
			n = cut;
		while (n && strchr(" ,:;", text[n - 1]))
			n--;
		memmove(out, text, n);
		memcpy(out + n, MORE, strlen(MORE));
		n += strlen(MORE);
	}
	memcpy(out + n, end, tail + 1);
}

void text_vprintf(char *out, size_t max, const char *fmt, va_list ap)
{
	char all[LONG];

	vsnprintf(all, sizeof(all), fmt, ap);
	text_fit(out, max, all, "");
}

void text_printf(char *out, size_t max, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	text_vprintf(out, max, fmt, ap);
	va_end(ap);
}
