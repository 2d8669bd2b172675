/*
 * SIGSTRUCT: the check agrees with its parts, and no input but a signed one
 * holds. Input of another size is a configuration for the signer.
 */
#include "image/image.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct isa_sigstruct *s)
{
	struct bawn_error e = { 0 };
	struct image_verdict v;
	struct image_config c;
	int rc = image_sigstruct_check(s, &e);

	image_sigstruct_examine(s, &v);
	if ((rc == 0) != (!v.flaw && v.rsa && v.q1 && v.q2) || (rc && !e.msg[0]))
		abort();
	image_config_from_sigstruct(&c, s);
	image_wanted_attributes(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bawn_error e = { 0 };
	struct isa_sigstruct s;
	struct image_config c;

	if (size == sizeof(s)) {
		memcpy(&s, data, sizeof(s));
		check(&s);
		return 0;
	}
	image_config_default(&c);
	if (image_config_parse(data, size, &c, &e) && !e.msg[0])
		abort();
	return 0;
}
