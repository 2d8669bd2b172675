/*
 * The launch broker. A client sends pages in sealed memory and a SIGSTRUCT;
 * both are copied before they are looked at, the enclave is made from the
 * copies, and its descriptor is handed over after EINIT, when nobody can
 * change what it is any more. What a mainline kernel lets us enforce, and what
 * not: doc/PROTOCOL.md.
 */
#include "daemon/vault.h"

#include "dev/dev.h"
#include "image/image.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define HANDED_MAX 4096u
#define ADDRESS_END (UINT64_C(1) << 47)

/* An enclave that was handed over, or is being made. Whose it is by now nobody can know: it counts for who asked. */
struct handed {
	uint64_t id, bytes;
	uint32_t uid;
	bool made;
	struct life life;
};

/* ---- what was handed over ---- */

/* Under lock. */
static void forget(struct vault *v, size_t i)
{
	v->handed[i] = v->handed[--v->handed_n];
}

/* Those that nobody has any more give back what they had. Under lock. */
static void look(struct vault *v)
{
	int watch;

	while ((watch = life_ended(&v->lives)) >= 0)
		for (size_t i = 0; i < v->handed_n; i++)
			if (v->handed[i].made && v->handed[i].life.watch == watch) {
				forget(v, i);
				break;
			}
	for (size_t i = 0; i < v->handed_n;) {
		if (v->handed[i].made && life_over(&v->lives, &v->handed[i].life))
			forget(v, i);
		else
			i++;
	}
}

/* Under lock. */
static uint64_t held(struct vault *v, uint64_t uid, uint32_t *count)
{
	uint64_t sum = 0;
	uint32_t n = 0;

	look(v);
	for (size_t i = 0; i < v->handed_n; i++) {
		if (uid != UINT64_MAX && v->handed[i].uid != uid)
			continue;
		sum += v->handed[i].bytes;
		n++;
	}
	if (count)
		*count = n;
	return sum;
}

uint64_t launch_held(struct vault *v, uint64_t uid, uint32_t *count)
{
	uint64_t sum;

	pthread_mutex_lock(&v->lock);
	sum = held(v, uid, count);
	pthread_mutex_unlock(&v->lock);
	return sum;
}

/* Room in the budgets: taken at once, so that two requests cannot both have the last of it. */
static bool take_budget(struct vault *v, struct job *j, uint64_t bytes)
{
	uint64_t each = j->decision.epc ? j->decision.epc : v->config->epc_per_client;
	struct handed *h;
	bool room;

	pthread_mutex_lock(&v->lock);
	room = held(v, j->conn->uid, NULL) + bytes <= each &&
	       held(v, UINT64_MAX, NULL) + bytes <= v->config->epc_total && v->handed_n < HANDED_MAX;
	if (room && !v->handed)
		v->handed = calloc(HANDED_MAX, sizeof(*v->handed));
	room = room && v->handed;
	if (room) {
		h = &v->handed[v->handed_n++];
		*h = (struct handed){ .id = ++v->launch_id, .bytes = bytes, .uid = j->conn->uid };
		j->number = h->id;
	}
	pthread_mutex_unlock(&v->lock);
	return room;
}

static struct handed *handed_of(struct vault *v, uint64_t id)
{
	for (size_t i = 0; i < v->handed_n; i++)
		if (v->handed[i].id == id)
			return &v->handed[i];
	return NULL;
}

/* It was not made after all. */
static void give_budget(struct vault *v, uint64_t id)
{
	struct handed *h;

	pthread_mutex_lock(&v->lock);
	h = handed_of(v, id);
	if (h)
		forget(v, (size_t)(h - v->handed));
	pthread_mutex_unlock(&v->lock);
}

/*
 * It is made: what it has of the budgets is given back when it is gone, be it
 * that its holders let go of it, or that it is never sent.
 */
static int keep_budget(struct vault *v, const struct job *j, struct bawn_error *e)
{
	struct bawn_error why = { 0 };
	struct handed *h;
	struct life l;
	int r = life_watch(&v->lives, j->answer_fd, &l, &why);

	if (r == BAWN_ERR_BUSY) {
		/* Whoever was handed an enclave can do that; it is not to keep others from theirs. */
		vault_remark("an enclave for uid %u is not counted: %s", j->conn->uid, why.msg);
		give_budget(v, j->number);
		return 0;
	}
	if (r)
		return err_set(e, r, "%s", why.msg);
	pthread_mutex_lock(&v->lock);
	h = handed_of(v, j->number);
	h->life = l;
	h->made = true;
	pthread_mutex_unlock(&v->lock);
	return 0;
}

/* ---- making it ---- */

/* A copy of the stream, page-aligned, whatever its sender still does to it (it is sealed besides). */
static int copy_stream(int fd, uint64_t size, uint8_t **out, struct bawn_error *e)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	int have = fcntl(fd, F_GET_SEALS);
	uint64_t done = 0;
	struct stat st;

	if (have < 0 || (have & seals) != seals)
		return err_set(e, BAWN_ERR_FORMAT, "the descriptor is no memory file that is sealed against change");
	if (fstat(fd, &st))
		return err_sys(e, "fstat");
	if (st.st_size < 0 || (uint64_t)st.st_size != size)
		return err_set(e, BAWN_ERR_FORMAT, "the page stream has another size than its number of pages makes");
	*out = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (*out == MAP_FAILED) {
		*out = NULL;
		return err_nomem(e);
	}
	while (done < size) {
		ssize_t r = pread(fd, *out + done, size - done, (off_t)done);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return err_sys(e, "reading the page stream");
		done += (uint64_t)r;
	}
	return 0;
}

/* Neighbours that are alike are added at once. */
static int add_pages(struct dev *d, const struct wire_launch *q, const uint8_t *stream,
		     struct bawn_error *e)
{
	const uint8_t *data = stream + wire_stream_data(q->pages);
	struct wire_page before, p;
	uint32_t first = 0;
	struct wire_page start = { 0 };

	for (uint32_t i = 0; i < q->pages; i++) {
		int r = wire_page_decode(stream + (size_t)i * WIRE_STREAM_ENTRY, i ? &before : NULL,
					 q->size, &p, e);

		if (r)
			return r;
		if (i && (p.offset != before.offset + ISA_PAGE || p.secinfo != start.secinfo ||
			  p.measured != start.measured)) {
			r = d->ops->add_pages(d, start.offset, (uint64_t)(i - first) * ISA_PAGE,
					      data + (size_t)first * ISA_PAGE, false, start.secinfo,
					      start.measured, e);
			if (r)
				return r;
			first = i;
		}
		if (i == first)
			start = p;
		before = p;
	}
	return d->ops->add_pages(d, start.offset, (uint64_t)(q->pages - first) * ISA_PAGE,
				 data + (size_t)first * ISA_PAGE, false, start.secinfo, start.measured, e);
}

static int check(const struct wire_launch *q, struct bawn_error *e)
{
	if (q->size < 2 * ISA_PAGE || (q->size & (q->size - 1)) || q->size > IMAGE_MAX_SIZE ||
	    q->base % q->size || q->base >= ADDRESS_END || q->size > ADDRESS_END - q->base)
		return err_set(e, BAWN_ERR_FORMAT, "ELRANGE: a power of two, at a multiple of it");
	if (!wire_stream_size(q->pages) || q->pages > q->size / ISA_PAGE)
		return err_set(e, BAWN_ERR_FORMAT, "more pages than the enclave has room for, or none");
	if (q->attributes & (ATTR_INIT | ATTR_PROVISIONKEY | ATTR_EINITTOKEN_KEY))
		return err_set(e, BAWN_ERR_DENIED, "attributes that are never handed over");
	return image_sigstruct_check(&q->sigstruct, e);
}

/* Where the client leaves it open: anywhere high up, and hard to guess. */
static uint64_t choose_base(uint64_t size)
{
	uint64_t r = 0;

	if (getrandom(&r, sizeof(r), 0) != (ssize_t)sizeof(r))
		r = clock_ns();
	return (ADDRESS_END / 4 + r % (ADDRESS_END / 2)) & ~(size - 1);
}

static int token_for(struct vault *v, const struct wire_launch *q, struct isa_einittoken *out,
		     struct bawn_error *e)
{
	struct ae_identity who = { .attributes = { q->attributes, q->xfrm } };
	int r;

	memcpy(who.mrenclave, q->sigstruct.enclavehash, sizeof(who.mrenclave));
	image_mrsigner(&q->sigstruct, who.mrsigner);
	pthread_rwlock_rdlock(&v->prov_lock);
	r = v->desk ? ae_desk_token(v->desk, &who, out, e) : enclaves_none(e);
	pthread_rwlock_unlock(&v->prov_lock);
	return r;
}

static int make(struct vault *v, const struct wire_launch *q, const uint8_t *stream,
		struct dev *d, struct wire_launch_answer *a, struct bawn_error *e)
{
	struct isa_secs secs = {
		.size = q->size,
		.baseaddr = q->base ? q->base : choose_base(q->size),
		.ssaframesize = q->ssaframesize,
		.miscselect = q->miscselect,
		.attributes = { q->attributes, q->xfrm },
		.configsvn = q->config_svn,
	};
	struct isa_einittoken token;
	int r;

	memcpy(secs.configid, q->config_id, sizeof(secs.configid));
	d->detached = true;
	r = d->ops->create(d, &secs, e);
	if (r == 0)
		r = add_pages(d, q, stream, e);
	if (r == 0 && d->features.needs_token)
		r = token_for(v, q, &token, e);
	if (r == 0)
		r = d->ops->init(d, &q->sigstruct, d->features.needs_token ? &token : NULL, e);
	if (r)
		return r;
	a->emulated = d->emulated;
	a->base = secs.baseaddr;
	a->size = secs.size;
	snprintf(a->device, sizeof(a->device), "%s", d->ops->name);
	return 0;
}

static int launch(struct vault *v, struct job *j, struct bawn_error *e)
{
	const struct wire_launch *q = &j->native.u.launch;
	const char *platform = v->config->platform[0] ? v->config->platform : NULL;
	uint64_t size = wire_stream_size(q->pages);
	uint8_t *stream = NULL;
	struct dev *d = NULL;
	enum dev_kind kind;
	int r = copy_stream(j->fd, size, &stream, e);

	if (r == 0)
		r = dev_kind_parse(v->config->device, &kind, e);
	if (r == 0)
		r = dev_open(&d, kind, platform, e);
	if (r == 0 && strcmp(d->ops->name, "isgx") == 0)
		r = err_set(e, BAWN_ERR_UNSUPPORTED, "the out-of-tree driver has no enclave to hand over");
	if (r == 0)
		r = make(v, q, stream, d, &j->answer.u.launch, e);
	if (r == 0) {
		j->answer_fd = fcntl(d->fd, F_DUPFD_CLOEXEC, 3);
		if (j->answer_fd < 0)
			r = err_sys(e, "fcntl");
	}
	/* Ours is closed: what is left of it is the client's. */
	dev_free(&d);
	if (stream)
		munmap(stream, size);
	return r;
}

/* Nobody is there any more to take it. */
static bool left(const struct job *j)
{
	struct pollfd f = { .fd = j->conn->fd };

	return poll(&f, 1, 0) == 1 && f.revents & POLLHUP;
}

void launch_serve(struct vault *v, struct job *j)
{
	const struct wire_launch *q = &j->native.u.launch;
	struct bawn_error e = { 0 };
	char text[WIRE_NOTE];
	uint64_t bytes;
	bool closed;
	int r = check(q, &e);

	if (r) {
		job_fail(j, r, &e);
		j->answer.head.code = r == BAWN_ERR_DENIED ? WIRE_DENIED : WIRE_BAD_INPUT;
		return;
	}
	pthread_mutex_lock(&v->lock);
	closed = enclaves_quiesced(v, text);
	pthread_mutex_unlock(&v->lock);
	if (closed) { /* the EPC is to be empty */
		job_refuse(j, WIRE_UNAVAILABLE, 5000, "%s", text);
		return;
	}
	if (!j->turn) {
		j->park = PARK_LAUNCH;
		return;
	}
	if (left(j)) {
		job_refuse(j, WIRE_UNAVAILABLE, 0, "who asked is gone");
		return;
	}
	bytes = ((uint64_t)q->pages + 1) * ISA_PAGE; /* SECS too */
	if (!take_budget(v, j, bytes)) {
		job_refuse(j, WIRE_TOO_LARGE, 0, "%llu KiB of EPC are more than is left to this user or at all",
			   (unsigned long long)(bytes >> 10));
		j->decision.reason = WIRE_REASON_BUDGET;
		return;
	}
	r = launch(v, j, &e);
	if (r == 0)
		r = keep_budget(v, j, &e);
	if (r) {
		give_budget(v, j->number);
		job_fail(j, r, &e);
		if (r == BAWN_ERR_FORMAT || r == BAWN_ERR_SGX || r == BAWN_ERR_SIGNATURE ||
		    r == BAWN_ERR_DENIED)
			j->answer.head.code = WIRE_BAD_INPUT;
		return;
	}
	j->answer.u.launch.id = j->number;
	snprintf(j->note, sizeof(j->note), "enclave %llu, %u pages", (unsigned long long)j->number, q->pages);
	atomic_fetch_add(&v->count.launches, 1);
}

/* One at a time, which bounds the memory of the copies too. */
void *launch_work(void *vault)
{
	struct vault *v = vault;

	for (;;) {
		struct job *j = parked_launch(v);

		j->turn = true;
		job_serve(v, j);
	}
	return NULL;
}
