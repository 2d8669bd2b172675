/*
 * broker_prog FILE HOW: ask bawnd (BAWN_SOCKET) for an enclave as its client
 * library never would. Prints the answer's name: "ok", "bad-input", "denied" ...
 *
 * broker_prog FILE write NAME: no more than the request, to NAME.request and
 * NAME.stream, for another client to send.
 */
#include "host/host.h"
#include "image/image.h"
#include "wire/wire.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static _Noreturn void die(const char *what, const struct bawn_error *e)
{
	fprintf(stderr, "%s: %s\n", what, e ? e->msg : "failed");
	exit(1);
}

struct stream {
	uint8_t *p;
	uint64_t n;
	uint32_t pages;
};

static void make_stream(const struct image *im, struct stream *s)
{
	uint64_t added, measured;
	uint32_t at = 0;

	image_count(im, &added, &measured);
	s->pages = (uint32_t)added;
	s->n = wire_stream_size(s->pages);
	s->p = calloc(1, s->n);
	if (!s->p)
		die("memory", NULL);
	for (size_t i = 0; i < im->nruns; i++)
		for (uint64_t o = 0; o < im->runs[i].length; o += ISA_PAGE, at++) {
			const struct image_run *r = &im->runs[i];
			struct wire_page p = { r->offset + o, (uint32_t)r->secinfo, r->measured };

			wire_page_encode(&p, s->p + at * WIRE_STREAM_ENTRY);
			memcpy(s->p + wire_stream_data(s->pages) + (uint64_t)at * ISA_PAGE,
			       r->repeat ? r->src : r->src + o, ISA_PAGE);
		}
}

static int memory(const struct stream *s, uint64_t n, int seals)
{
	int fd = memfd_create("stream", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, (off_t)n) || pwrite(fd, s->p, n < s->n ? n : s->n, 0) < 0 ||
	    (seals && fcntl(fd, F_ADD_SEALS, seals)))
		die("memfd", NULL);
	return fd;
}

/* The descriptor, and what is wrong with the request. */
static int spoil(const char *how, struct stream *s, struct wire_launch *q)
{
	const int all = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	uint8_t entry[WIRE_STREAM_ENTRY];
	int pair[2];

	if (strcmp(how, "unsealed") == 0)
		return memory(s, s->n, 0);
	if (strcmp(how, "half-sealed") == 0)
		return memory(s, s->n, F_SEAL_SHRINK | F_SEAL_GROW);
	if (strcmp(how, "short") == 0)
		return memory(s, s->n - ISA_PAGE, all);
	if (strcmp(how, "long") == 0)
		return memory(s, s->n + 1, all);
	if (strcmp(how, "file") == 0)
		return open("/etc/passwd", O_RDONLY | O_CLOEXEC);
	if (strcmp(how, "device") == 0)
		return open("/dev/zero", O_RDWR | O_CLOEXEC);
	if (strcmp(how, "socket") == 0)
		return socketpair(AF_UNIX, SOCK_STREAM, 0, pair) ? -1 : pair[0];
	if (strcmp(how, "order") == 0) {
		memcpy(entry, s->p, sizeof(entry));
		memcpy(s->p, s->p + WIRE_STREAM_ENTRY, WIRE_STREAM_ENTRY);
		memcpy(s->p + WIRE_STREAM_ENTRY, entry, sizeof(entry));
	} else if (strcmp(how, "outside") == 0) {
		put_le64(s->p, q->size);
	} else if (strcmp(how, "secinfo") == 0) {
		put_le32(s->p + 8, 0x302);
	} else if (strcmp(how, "content") == 0) {
		s->p[wire_stream_data(s->pages)] ^= 1;
	} else if (strcmp(how, "signature") == 0) {
		q->sigstruct.signature[0] ^= 1;
	} else if (strcmp(how, "svn") == 0) {
		q->sigstruct.isvsvn ^= 1; /* changed after it was signed */
	} else if (strcmp(how, "debug") == 0) {
		q->attributes |= ATTR_DEBUG;
	} else if (strcmp(how, "provision") == 0) {
		q->attributes |= ATTR_PROVISIONKEY;
	} else if (strcmp(how, "token-key") == 0) {
		q->attributes |= ATTR_EINITTOKEN_KEY;
	} else if (strcmp(how, "init") == 0) {
		q->attributes |= ATTR_INIT;
	} else if (strcmp(how, "size") == 0) {
		q->size += ISA_PAGE;
	} else if (strcmp(how, "base") == 0) {
		q->base += ISA_PAGE;
	} else if (strcmp(how, "kernel-address") == 0) {
		q->base = UINT64_C(1) << 47;
	} else if (strcmp(how, "huge") == 0) {
		q->pages = WIRE_STREAM_PAGES_MAX;
		q->size = UINT64_C(1) << 33;
		q->base = 0;
	} else if (strcmp(how, "good") != 0) {
		die(how, NULL);
	}
	return memory(s, s->n, all);
}

static int write_request(const struct wire_request *q, const struct stream *s, const char *name)
{
	struct bawn_error e = { 0 };
	char path[4096];
	struct buf b;

	buf_init(&b, WIRE_MAX);
	wire_request_encode(q, &b);
	snprintf(path, sizeof(path), "%s.request", name);
	if (b.failed || io_write_file(path, b.p, b.n, 0644, &e))
		die(path, &e);
	snprintf(path, sizeof(path), "%s.stream", name);
	if (io_write_file(path, s->p, s->n, 0644, &e))
		die(path, &e);
	buf_free(&b);
	return 0;
}

int main(int argc, char **argv)
{
	const bool to_file = argc == 4 && strcmp(argv[2], "write") == 0;
	struct wire_request q = { .head.type = WIRE_LAUNCH };
	struct wire_launch *l = &q.u.launch;
	struct bawn_client *c;
	struct bawn_error e = { 0 };
	struct wire_answer a = { 0 };
	struct image *im;
	struct stream s;
	int fd, got = -1, r;

	if (argc != 3 && !to_file)
		return 64;
	if (image_open(&im, argv[1], NULL, &e) || (!to_file && bawn_client_open(&c, NULL, &e)))
		die(argv[1], &e);
	make_stream(im, &s);
	*l = (struct wire_launch){ .size = im->size, .base = im->size * 16, .xfrm = 3, .pages = s.pages,
				   .attributes = im->attributes.flags & ~(ATTR_DEBUG | ATTR_PROVISIONKEY),
				   .ssaframesize = im->ssaframesize, .miscselect = im->miscselect,
				   .sigstruct = im->sigstruct };
	while (l->base < UINT64_C(1) << 40)
		l->base *= 2;
	if (to_file)
		return write_request(&q, &s, argv[3]);
	fd = spoil(argv[2], &s, l);
	r = client_call(c, &q, fd, &a, &got, &e);
	if (r && a.head.type != WIRE_LAUNCH)
		die("ask", &e);
	printf("%s%s%s\n", wire_code_name(a.head.code), r ? ": " : "", r ? e.msg : "");
	if ((got >= 0) != (a.head.code == WIRE_OK))
		die("a descriptor", NULL);
	return 0;
}
