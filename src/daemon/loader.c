/*
 * The loader: parses what people and linkers wrote, so that the vault need
 * not. The parent opened what it reads; by itself it can look up names of
 * users and groups in /etc, and nothing else.
 */
#include "ae/ae.h"
#include "authority/authority.h"
#include "daemon/daemon.h"

#include "image/image.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENCLAVE_MAX ((size_t)64 << 20) /* bytes of an enclave's file */

static const char *const enclave_names[CONF_ENCLAVES] = { "launch", "provision", "quote", "ledger" };

/* A regular file that the parent opened for us; false if it found none. */
static bool is_file(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

static int read_fd(int fd, size_t max, uint8_t **out, size_t *n, const char *what,
		   struct bawn_error *e)
{
	struct stat st;
	int r;

	if (fstat(fd, &st))
		return err_sys(e, "%s", what);
	if (st.st_size < 0 || (uint64_t)st.st_size > max)
		return err_set(e, BAWN_ERR_FORMAT, "%s has more than %zu bytes", what, max);
	*n = (size_t)st.st_size;
	*out = malloc(*n + 1);
	if (!*out)
		return err_nomem(e);
	r = io_read_full(fd, *out, *n, e);
	if (r)
		free(*out);
	return r;
}

/* ---- policy ---- */

static int load_policy(const struct config *c, struct role_policy *m, int *fd, struct bawn_error *e)
{
	struct authority_policy *p = NULL;
	uint8_t *text;
	struct buf b;
	size_t n;
	int r;

	if (!is_file(FD_LOADER_POLICY))
		return err_set(e, BAWN_ERR_NOT_FOUND, "there is no policy at %s", c->policy);
	r = read_fd(FD_LOADER_POLICY, AUTHORITY_TEXT_MAX, &text, &n, "the policy", e);
	if (r)
		return r;
	crypto_sha256(text, n, m->digest);
	r = authority_policy_parse((const char *)text, n, &authority_system_names, &p, e);
	free(text);
	if (r)
		return r;
	buf_init(&b, AUTHORITY_POLICY_MAX);
	authority_policy_encode(p, &b);
	free(p);
	r = b.failed ? err_nomem(e) : sealed_new("bawnd-policy", b.p, b.n, fd, e);
	m->size = (uint32_t)b.n;
	buf_free(&b);
	return r;
}

static int send_policy(const struct config *c, struct bawn_error *e)
{
	struct role_message m = { .head.type = ROLE_POLICY };
	struct bawn_error why = { 0 };
	int fd = -1, r;

	text_printf(m.u.policy.path, sizeof(m.u.policy.path), "%s", c->policy);
	r = load_policy(c, &m.u.policy, &fd, &why);
	if (r) {
		m.u.policy.code = wire_code_of(r);
		text_printf(m.u.policy.problem, sizeof(m.u.policy.problem), "%s", why.msg);
	}
	r = channel_send_role(FD_PARENT, &m, &fd, fd >= 0 ? 1 : 0, e);
	if (fd >= 0)
		close(fd);
	return r;
}

/* ---- enclaves ---- */

static int load_enclave(int out, enum conf_enclave which, struct bawn_error *e)
{
	int fd = FD_LOADER_ENCLAVE + (int)which, r;
	struct image *im = NULL;
	uint8_t *file;
	size_t n;

	r = read_fd(fd, ENCLAVE_MAX, &file, &n, "the file", e);
	if (r)
		return r;
	/* Without EDMM: what the vault runs has all its pages from the start. */
	r = image_open_memory(&im, file, n, NULL, e);
	if (r == 0 && !im->has_sigstruct)
		r = err_set(e, BAWN_ERR_FORMAT, "the file is not signed");
	if (r == 0)
		r = stream_write(out, which, im, e);
	image_free(&im);
	free(file);
	return r;
}

/* Whether its signatures hold is for the launch enclave to say. */
static int load_list(int out, enum conf_list which, struct bawn_error *e)
{
	struct ae_white_list list;
	uint8_t *file;
	size_t n;
	int r = read_fd(FD_LOADER_LIST + (int)which, AE_WHITE_LIST_MAX, &file, &n, "the file", e);

	if (r)
		return r;
	r = ae_white_list_parse(file, n, &list, e);
	if (r == 0 && list.type != (unsigned)which + 1)
		r = err_set(e, BAWN_ERR_FORMAT, "it is of the other type: %u", list.type);
	if (r == 0)
		r = stream_write_list(out, which, file, n, e);
	free(file);
	return r;
}

static int add_lists(const struct config *c, int fd, struct bawn_error *e)
{
	for (int i = 0; i < CONF_LISTS; i++) {
		struct bawn_error why = { 0 };
		off_t before = lseek(fd, 0, SEEK_END);

		if (!c->white_list[i][0])
			continue;
		if (!is_file(FD_LOADER_LIST + i)) {
			log_msg(LOG_ERROR, "white list: there is no file %s", c->white_list[i]);
			continue;
		}
		if (load_list(fd, (enum conf_list)i, &why) == 0)
			continue;
		log_msg(LOG_ERROR, "white list %s cannot be used: %s", c->white_list[i], why.msg);
		if (ftruncate(fd, before))
			return err_sys(e, "ftruncate");
	}
	return 0;
}

static int send_enclaves(const struct config *c, struct bawn_error *e)
{
	int fd, r = sealed_begin("bawnd-enclaves", &fd, e);

	if (r)
		return r;
	for (int i = 0; i < CONF_ENCLAVES; i++) {
		struct bawn_error why = { 0 };
		off_t before = lseek(fd, 0, SEEK_END);

		if (!is_file(FD_LOADER_ENCLAVE + i)) {
			log_msg(LOG_INFO, "no %s enclave is there: %s", enclave_names[i],
				c->enclave[i][0] ? c->enclave[i] : "none is configured");
			continue;
		}
		if (load_enclave(fd, (enum conf_enclave)i, &why) == 0)
			continue;
		log_msg(LOG_ERROR, "the %s enclave, %s, cannot be used: %s", enclave_names[i], c->enclave[i], why.msg);
		if (ftruncate(fd, before))
			return err_sys(e, "ftruncate");
	}
	r = add_lists(c, fd, e);
	if (r == 0)
		r = sealed_end(fd, e);
	if (r == 0)
		r = channel_send(FD_PARENT, CHAN_LOADED, NULL, 0, &fd, 1, e);
	close(fd);
	return r;
}

int loader_main(const struct config *c)
{
	struct bawn_error e = { 0 };
	int r = send_policy(c, &e);

	if (r == 0)
		r = send_enclaves(c, &e);
	if (r)
		log_msg(LOG_ERROR, "%s", e.msg);
	return r ? 1 : 0;
}
