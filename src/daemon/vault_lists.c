/*
 * White lists of the launch enclave: the owner's, from the configuration, and
 * newer ones that an administrator registered, which are kept with the state.
 * The enclave judges each; what it refused is not in force, whoever gave it.
 */
#include "daemon/vault.h"

#include <stdlib.h>
#include <string.h>

#define AGAIN_NS (10 * SECOND_NS)

static const char *const files[CONF_LISTS] = { "white-list", "provision-white-list" };
/* One is given at a time, so that what is kept is the newest. Taken under prov_lock, before `lock`. */
static pthread_mutex_t giving = PTHREAD_MUTEX_INITIALIZER;

/* Under prov_lock and giving. p is ours afterwards, whatever comes of it. */
static int give(struct vault *v, enum conf_list which, uint8_t *p, size_t n, uint32_t version,
		struct bawn_error *e)
{
	struct white_list before;
	int r = v->desk ? ae_desk_white_list(v->desk, p, n, e) : enclaves_none(e);

	if (r) {
		free(p);
		return r;
	}
	pthread_mutex_lock(&v->lock);
	before = v->list[which];
	v->list[which] = (struct white_list){ .p = p, .n = n, .version = version };
	pthread_mutex_unlock(&v->lock);
	free(before.p);
	return 0;
}

static void drop(struct vault *v, enum conf_list which)
{
	uint8_t *p;

	pthread_mutex_lock(&v->lock);
	p = v->list[which].p;
	v->list[which] = (struct white_list){ 0 };
	pthread_mutex_unlock(&v->lock);
	free(p);
}

/* p is ours. False if it is worth trying again. */
static bool give_from(struct vault *v, enum conf_list which, const char *from, uint8_t *p, size_t n)
{
	struct ae_white_list list;
	struct bawn_error e = { 0 };
	int r = ae_white_list_parse(p, n, &list, &e);
	const uint32_t version = list.version;

	if (r == 0 && list.type != (unsigned)which + 1)
		r = err_set(&e, BAWN_ERR_FORMAT, "it is of the other type");
	if (r == 0 && v->list[which].p && version <= v->list[which].version) {
		free(p); /* the configuration has a newer one by now */
		return true;
	}
	if (r)
		free(p);
	else
		r = give(v, which, p, n, version, &e);
	if (r == 0) {
		log_msg(LOG_INFO, "%s %s: version %u is in force", files[which], from, version);
		return true;
	}
	log_msg(LOG_ERROR, "%s %s is not in force: %s", files[which], from, e.msg);
	if (r == BAWN_ERR_DENIED || r == BAWN_ERR_FORMAT || r == BAWN_ERR_NOT_FOUND) {
		vault_note(v, WIRE_AUDIT_FAULT, "%s %s is not in force: %s", files[which], from, e.msg);
		return true;
	}
	return false;
}

void lists_load(struct vault *v)
{
	bool all = true;

	pthread_mutex_lock(&giving);
	for (int i = 0; i < CONF_LISTS; i++) {
		enum conf_list which = (enum conf_list)i;
		uint8_t *p;
		size_t n;

		drop(v, which);
		if (stream_read_list(v->enclaves->fd, which, &p, &n, NULL) == 0)
			all &= give_from(v, which, "of the configuration", p, n);
		if (io_read_file_at(FD_VAULT_STATE, files[which], AE_WHITE_LIST_MAX, &p, &n, NULL) == 0)
			all &= give_from(v, which, "as registered", p, n);
	}
	v->lists_again = all ? 0 : clock_ns() + AGAIN_NS;
	pthread_mutex_unlock(&giving);
}

void lists_tick(struct vault *v)
{
	if (!v->lists_again || v->lists_again > clock_ns())
		return;
	pthread_rwlock_rdlock(&v->prov_lock);
	lists_load(v);
	pthread_rwlock_unlock(&v->prov_lock);
}

int lists_register(struct vault *v, const uint8_t *p, size_t n, struct ae_white_list *what,
		   struct bawn_error *e)
{
	int r = ae_white_list_parse(p, n, what, e);
	enum conf_list which;
	uint8_t *copy;

	if (r)
		return r;
	copy = malloc(n);
	if (!copy)
		return err_nomem(e);
	memcpy(copy, p, n);
	which = (enum conf_list)(what->type - 1);
	pthread_rwlock_rdlock(&v->prov_lock);
	pthread_mutex_lock(&giving);
	r = give(v, which, copy, n, what->version, e);
	if (r == 0) {
		/* The service's own enclaves may have waited for it. */
		provision_look(v);
		provision_now(v, 0);
	}
	if (r == 0 && io_write_file_at(FD_VAULT_STATE, files[which], p, n, 0600, e))
		r = err_set(e, BAWN_ERR_SYSTEM, "the white list is in force, but cannot be kept");
	pthread_mutex_unlock(&giving);
	pthread_rwlock_unlock(&v->prov_lock);
	return r;
}

int lists_get(struct vault *v, enum conf_list which, struct buf *out, struct bawn_error *e)
{
	bool there;

	/* Not while a new desk is given its own. */
	pthread_rwlock_rdlock(&v->prov_lock);
	pthread_mutex_lock(&v->lock);
	there = v->list[which].p != NULL;
	if (there)
		buf_add(out, v->list[which].p, v->list[which].n);
	pthread_mutex_unlock(&v->lock);
	pthread_rwlock_unlock(&v->prov_lock);
	if (!there)
		return err_set(e, BAWN_ERR_NOT_FOUND, "no white list is in force");
	return out->failed ? err_nomem(e) : 0;
}
