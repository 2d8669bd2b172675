/* Text files of lines and words: policies, lists, configuration. */
#include "base/base.h"

#include <string.h>

/* Plain text; after a word that begins with #, anything that is no control character. */
static bool plain(struct cur text)
{
	bool comment = false, start = true;

	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = text.p[i];

		comment = comment || (c == '#' && start);
		if (c == 0x7f || (c < 0x20 && c != '\t') || (c >= 0x80 && !comment))
			return false;
		start = c == ' ' || c == '\t';
	}
	return true;
}

/* Cut w->text in place; a # at a word's start begins a comment. */
static int cut(struct words *w, struct bawn_error *e)
{
	char *s = w->text;

	w->count = 0;
	for (;;) {
		s += strspn(s, " \t");
		if (!*s || *s == '#')
			return 0;
		if (w->count == WORDS_MAX)
			return err_set(e, BAWN_ERR_FORMAT, "line %u: too many words; begin another line",
				       w->number);
		w->word[w->count++] = s;
		s += strcspn(s, " \t");
		if (*s)
			*s++ = '\0';
	}
}

static int take_line(struct cur *text, struct words *w, struct bawn_error *e)
{
	const uint8_t *end = memchr(text->p, '\n', text->n);
	struct cur line;

	w->number++;
	cur_sub(text, end ? (size_t)(end - text->p) : text->n, &line);
	cur_skip(text, end != NULL);
	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	if (line.n >= sizeof(w->text))
		return err_set(e, BAWN_ERR_FORMAT, "line %u: the line is too long", w->number);
	if (!plain(line))
		return err_set(e, BAWN_ERR_FORMAT, "line %u: a byte that is no plain text", w->number);
	if (line.n)
		memcpy(w->text, line.p, line.n);
	w->text[line.n] = '\0';
	return cut(w, e);
}

int words_next(struct cur *text, struct words *w, struct bawn_error *e)
{
	while (text->n) {
		int rc = take_line(text, w, e);

		if (rc || w->count)
			return rc ? rc : 1;
	}
	return 0;
}

int words_wrong(const struct words *w, struct bawn_error *e, const char *what, const char *word)
{
	return err_set(e, BAWN_ERR_FORMAT, "line %u: %s%s%.60s", w->number, what, word ? ": " : "",
		       word ? word : "");
}

bool words_number(const char *s, size_t n, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (!n || n > 20 || (s[0] == '0' && n > 1))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9' || !mul_u64(v, 10, &v) ||
		    !add_u64(v, (uint64_t)(s[i] - '0'), &v))
			return false;
	}
	if (v > max)
		return false;
	*out = v;
	return true;
}
