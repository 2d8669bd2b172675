/*
 * `bawn verify --batch`: one thread reads the inputs, as many as there are
 * cores verify them with one verifier, and the answers come out in the order
 * of the inputs. At most SLOTS inputs are in memory.
 */
#include "cli/verify.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SLOTS 256u
#define INPUT_MAX (1u << 20) /* bytes of one input, in any encoding */
#define NAME_MAX_BYTES 256u
#define THREADS_MAX 256u
#define STACK_BYTES (1u << 20) /* musl's default would not do */

enum slot_state { SLOT_FREE, SLOT_READY, SLOT_WORKING, SLOT_DONE };

struct slot {
	enum slot_state state;
	char name[NAME_MAX_BYTES];
	uint8_t *input; /* malloc'd; NULL: unreadable, see error */
	size_t n;
	uint8_t report_data[64];
	size_t report_data_n;
	struct bawn_error error;
	struct verify_answer answer;
};

enum format { FORMAT_LIST, FORMAT_NDJSON, FORMAT_FRAMES };

struct batch {
	struct cli *c;
	struct verify_run *run;
	FILE *in;
	enum format format;
	bool json;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct slot *slots;
	uint64_t read, taken, printed; /* numbers of inputs */
	bool at_end;                   /* no input comes any more */
	struct bawn_error stream;      /* why the stream ended before its end */
	uint64_t count[4];             /* of each verdict */
};

/* ---- reading ---- */

/* A line without its end; 1, 0 at the end of the stream, or negative. */
static int read_line(struct batch *b, char **line, size_t *n, size_t *cap)
{
	ssize_t got = getline(line, cap, b->in);

	if (got < 0)
		return ferror(b->in) ? err_sys(&b->stream, "reading the stream") : 0;
	if ((size_t)got > 2 * INPUT_MAX)
		return err_set(&b->stream, BAWN_ERR_FORMAT, "a line of more than %u bytes", 2 * INPUT_MAX);
	while (got && ((*line)[got - 1] == '\n' || (*line)[got - 1] == '\r'))
		got--;
	(*line)[got] = '\0';
	*n = (size_t)got;
	return 1;
}

static int next_listed(struct batch *b, struct slot *s, char **line, size_t *cap)
{
	size_t n;
	int rc;

	do
		rc = read_line(b, line, &n, cap);
	while (rc == 1 && !n);
	if (rc != 1)
		return rc;
	snprintf(s->name, sizeof(s->name), "%s", *line);
	io_read_file(*line, INPUT_MAX, &s->input, &s->n, &s->error);
	return 1;
}

/* A string that may have escapes: "/" does, from some writers. */
static bool read_text(struct jread *r, char *out, size_t max)
{
	struct cur raw;

	if (!jread_raw(r, &raw))
		return false;
	if (raw.n >= max)
		return jread_fail(r, "id is too long");
	out[jread_unescape(raw, out)] = '\0';
	return true;
}

static bool read_quote(struct jread *r, struct slot *s)
{
	struct cur raw;

	if (!jread_raw(r, &raw))
		return false;
	s->input = malloc(raw.n ? raw.n : 1);
	if (!s->input)
		return jread_fail(r, "out of memory");
	s->n = jread_unescape(raw, s->input);
	return true;
}

static bool read_report_data(struct jread *r, struct slot *s)
{
	struct cur value;

	if (!jread_string(r, &value))
		return false;
	s->report_data_n = value.n / 2;
	return (value.n && value.n <= 128 &&
		hex_decode((const char *)value.p, value.n, s->report_data, value.n / 2)) ||
	       jread_fail(r, "report_data is not 1 to 64 bytes in hexadecimal");
}

/* {"quote": hex or base64, "id": text, "report_data": hex}; the last two may be absent. */
static bool parse_record(struct slot *s, const char *line, size_t n, struct jread *r)
{
	struct jread_object o;
	struct cur name;

	jread_init(r, line, n);
	jread_object(r, &o);
	while (jread_member(r, &o, &name)) {
		if (jread_is(name, "quote"))
			read_quote(r, s);
		else if (jread_is(name, "id"))
			read_text(r, s->name, sizeof(s->name));
		else if (jread_is(name, "report_data"))
			read_report_data(r, s);
		else
			jread_skip(r);
	}
	if (jread_end(r) && !s->input)
		return jread_fail(r, "there is no \"quote\"");
	return !r->failed;
}

static int next_record(struct batch *b, struct slot *s, char **line, size_t *cap)
{
	struct jread r;
	size_t n;
	int rc;

	do
		rc = read_line(b, line, &n, cap);
	while (rc == 1 && !n);
	if (rc == 1 && !parse_record(s, *line, n, &r)) {
		free(s->input);
		s->input = NULL;
		err_set(&s->error, BAWN_ERR_FORMAT, "not a record: %s", r.why);
	}
	return rc;
}

/* Four bytes of length, little-endian, then as many bytes of input. */
static int next_frame(struct batch *b, struct slot *s)
{
	uint8_t head[4];
	size_t got = fread(head, 1, 4, b->in);

	if (!got && !ferror(b->in))
		return 0;
	if (got == 4) {
		s->n = get_le32(head);
		if (s->n > INPUT_MAX)
			return err_set(&b->stream, BAWN_ERR_FORMAT, "a frame of %zu bytes, more than %u", s->n,
				       INPUT_MAX);
		s->input = malloc(s->n ? s->n : 1);
		if (!s->input)
			return err_nomem(&b->stream);
		if (fread(s->input, 1, s->n, b->in) == s->n)
			return 1;
	}
	free(s->input);
	s->input = NULL;
	return ferror(b->in) ? err_sys(&b->stream, "reading the stream") :
			       err_set(&b->stream, BAWN_ERR_FORMAT, "the stream ends within a frame");
}

static int read_next(struct batch *b, struct slot *s, char **line, size_t *cap)
{
	s->input = NULL;
	s->n = s->report_data_n = 0;
	s->error = (struct bawn_error){ 0 };
	snprintf(s->name, sizeof(s->name), "%llu", (unsigned long long)b->read + 1);
	switch (b->format) {
	case FORMAT_LIST:
		return next_listed(b, s, line, cap);
	case FORMAT_NDJSON:
		return next_record(b, s, line, cap);
	case FORMAT_FRAMES:
		break;
	}
	return next_frame(b, s);
}

static void *reader(void *arg)
{
	struct batch *b = arg;
	char *line = NULL;
	size_t cap = 0;
	int rc = 1;

	pthread_mutex_lock(&b->lock);
	while (rc == 1) {
		struct slot *s = &b->slots[b->read % SLOTS];

		while (s->state != SLOT_FREE)
			pthread_cond_wait(&b->changed, &b->lock);
		pthread_mutex_unlock(&b->lock);
		rc = read_next(b, s, &line, &cap);
		pthread_mutex_lock(&b->lock);
		if (rc == 1) {
			s->state = SLOT_READY;
			b->read++;
		}
		pthread_cond_broadcast(&b->changed);
	}
	b->at_end = true;
	pthread_cond_broadcast(&b->changed);
	pthread_mutex_unlock(&b->lock);
	free(line);
	return NULL;
}

/* ---- verifying ---- */

static void *worker(void *arg)
{
	struct batch *b = arg;

	pthread_mutex_lock(&b->lock);
	for (;;) {
		struct slot *s;

		while (b->taken == b->read && !b->at_end)
			pthread_cond_wait(&b->changed, &b->lock);
		if (b->taken == b->read)
			break;
		s = &b->slots[b->taken++ % SLOTS];
		s->state = SLOT_WORKING;
		pthread_mutex_unlock(&b->lock);
		if (s->input) {
			const struct bawn_bytes rd = { s->report_data_n ? s->report_data : NULL,
						       s->report_data_n };

			verify_one(b->run, s->input, s->n, rd, &s->answer);
		} else {
			memset(&s->answer, 0, sizeof(s->answer)); /* undecided */
			s->answer.reason = "unreadable";
			s->answer.v.error = s->error;
		}
		free(s->input);
		s->input = NULL;
		pthread_mutex_lock(&b->lock);
		s->state = SLOT_DONE;
		pthread_cond_broadcast(&b->changed);
	}
	pthread_mutex_unlock(&b->lock);
	return NULL;
}

/* ---- printing ---- */

/* One line of JSON: line breaks in the writer's output are between its tokens only. */
static void print_json(const struct slot *s)
{
	struct buf out;
	struct json j;

	buf_init(&out, 1u << 20);
	json_init(&j, &out);
	json_open(&j, NULL, '{');
	json_string(&j, "id", s->name);
	verify_json(&s->answer, &j);
	json_close(&j, '}');
	for (size_t i = 0; i < out.n; i++) {
		if (out.p[i] == '\n')
			while (i + 1 < out.n && out.p[i + 1] == ' ')
				i++;
		else
			putchar(out.p[i]);
	}
	putchar('\n');
	buf_free(&out);
}

static void print(const struct batch *b, const struct slot *s)
{
	const struct bawn_verification *v = &s->answer.v;

	if (b->json) {
		print_json(s);
		return;
	}
	printf("%s: %s", s->name, bawn_verdict_name(v->verdict));
	if (v->status != BAWN_TCB_UNKNOWN)
		printf(" %s", bawn_tcb_status_name(v->status));
	if (v->error.code)
		printf(": %s", v->error.msg);
	putchar('\n');
}

static void print_all(struct batch *b)
{
	pthread_mutex_lock(&b->lock);
	for (;;) {
		struct slot *s = &b->slots[b->printed % SLOTS];

		while (!(b->printed < b->read && s->state == SLOT_DONE) &&
		       !(b->at_end && b->printed == b->read)) {
			pthread_mutex_unlock(&b->lock);
			fflush(stdout); /* whoever waits for an answer gets it before we wait */
			pthread_mutex_lock(&b->lock);
			if (!(b->printed < b->read && s->state == SLOT_DONE) &&
			    !(b->at_end && b->printed == b->read))
				pthread_cond_wait(&b->changed, &b->lock);
		}
		if (b->printed == b->read)
			break;
		pthread_mutex_unlock(&b->lock);
		print(b, s);
		pthread_mutex_lock(&b->lock);
		b->count[s->answer.v.verdict]++;
		s->state = SLOT_FREE;
		b->printed++;
		pthread_cond_broadcast(&b->changed);
	}
	pthread_mutex_unlock(&b->lock);
}

/* ---- all of it ---- */

static int run_threads(struct batch *b, unsigned workers)
{
	pthread_t thread[THREADS_MAX], reading;
	pthread_attr_t attr;
	unsigned started = 0;
	bool good;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	while (started < workers && pthread_create(&thread[started], &attr, worker, b) == 0)
		started++;
	good = started && pthread_create(&reading, &attr, reader, b) == 0;
	pthread_attr_destroy(&attr);
	if (good) {
		print_all(b);
		pthread_join(reading, NULL);
	} else {
		cli_warn(b->c, NULL, "cannot start threads");
		pthread_mutex_lock(&b->lock);
		b->at_end = true;
		pthread_cond_broadcast(&b->changed);
		pthread_mutex_unlock(&b->lock);
	}
	for (unsigned i = 0; i < started; i++)
		pthread_join(thread[i], NULL);
	return good ? 0 : CLI_FAILURE;
}

static int open_batch(struct batch *b, uint64_t *threads)
{
	const char *format = cli_value(b->c, "format"), *from = b->c->argv[0];
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	int rc;

	*threads = cores < 1 ? 1 : cores > (long)THREADS_MAX ? THREADS_MAX : (uint64_t)cores;
	rc = cli_number(b->c, "threads", 1, THREADS_MAX, threads);
	if (rc)
		return rc;
	if (format && strcmp(format, "ndjson") == 0)
		b->format = FORMAT_NDJSON;
	else if (format && strcmp(format, "frames") == 0)
		b->format = FORMAT_FRAMES;
	b->in = strcmp(from, "-") == 0 ? stdin : fopen(from, "rb");
	if (!b->in) {
		cli_warn(b->c, from, "%s", strerror(errno));
		return CLI_FAILURE;
	}
	b->slots = calloc(SLOTS, sizeof(*b->slots));
	if (!b->slots) {
		cli_warn(b->c, NULL, "out of memory");
		return CLI_FAILURE;
	}
	return 0;
}

/* The gravest verdict of all: one forged quote outweighs any number that could not be decided. */
static int batch_exit(const struct batch *b)
{
	if (b->stream.code)
		return cli_fail(b->c, b->c->argv[0], &b->stream);
	return b->count[BAWN_NOT_GENUINE]  ? VERIFY_NOT_GENUINE :
	       b->count[BAWN_UNDECIDED]    ? VERIFY_UNDECIDED :
	       b->count[BAWN_UNACCEPTABLE] ? VERIFY_UNACCEPTABLE :
					     CLI_OK;
}

int verify_batch(struct cli *c, struct verify_run *r)
{
	struct batch b = { .c = c, .run = r, .json = cli_flag(c, "json") };
	uint64_t threads;
	int rc;

	pthread_mutex_init(&b.lock, NULL);
	pthread_cond_init(&b.changed, NULL);
	rc = open_batch(&b, &threads);
	if (rc == 0)
		rc = run_threads(&b, (unsigned)threads);
	if (rc == 0)
		rc = batch_exit(&b);
	if (b.in && b.in != stdin)
		fclose(b.in);
	free(b.slots);
	pthread_cond_destroy(&b.changed);
	pthread_mutex_destroy(&b.lock);
	return rc;
}
