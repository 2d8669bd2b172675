/* Launching by way of the desk: tokens, and the lists that outlive an enclave. */
#include "ae/desk.h"

#include <stdlib.h>
#include <string.h>

int desk_give_lists(struct bawn_enclave *le, const struct desk_lists *lists, struct bawn_error *e)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(lists->list); i++)
		if (lists->list[i])
			rc = ae_launch_white_list(le, lists->list[i], lists->n[i], e);
	return rc;
}

struct new_list {
	struct ae_desk *d;
	const void *file;
	size_t n;
	uint8_t *copy; /* to keep */
	uint16_t type;
};

/* The enclave judges it; what it took is kept for its next life. */
static int take_list(struct bawn_enclave *le, void *arg, struct bawn_error *e)
{
	struct new_list *x = arg;
	struct desk_lists *lists = desk_lists(x->d);
	int rc = ae_launch_white_list(le, x->file, x->n, e);

	if (rc)
		return rc;
	free(lists->list[x->type - 1]);
	lists->list[x->type - 1] = x->copy;
	lists->n[x->type - 1] = x->n;
	x->copy = NULL;
	return 0;
}

int ae_desk_white_list(struct ae_desk *d, const void *list, size_t n, struct bawn_error *e)
{
	struct new_list x = { .d = d, .file = list, .n = n };
	struct ae_white_list parsed;
	int rc = ae_white_list_parse(list, n, &parsed, e);

	if (rc)
		return rc;
	x.type = parsed.type;
	x.copy = malloc(n);
	if (!x.copy)
		return err_nomem(e);
	memcpy(x.copy, list, n);
	rc = desk_do(d, AE_LAUNCH, take_list, &x, e);
	free(x.copy);
	return rc;
}

struct token_request {
	const struct ae_identity *who;
	struct isa_einittoken *token;
};

static int make_token(struct bawn_enclave *le, void *arg, struct bawn_error *e)
{
	struct token_request *x = arg;

	return ae_launch_token(le, x->who->mrenclave, x->who->mrsigner, &x->who->attributes, x->token,
			       e);
}

int ae_desk_token(struct ae_desk *d, const struct ae_identity *who, struct isa_einittoken *token,
		  struct bawn_error *e)
{
	struct token_request x = { .who = who, .token = token };

	return desk_do(d, AE_LAUNCH, make_token, &x, e);
}
