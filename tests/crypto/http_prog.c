/*
 * The HTTPS client by hand, for http_test.sh:
 * http_prog URL [proxy=P] [ca=FILE] [insecure] [timeout=S] [max=N] [header=H]
 * prints "status <code>", a line "header <value>" for X-Test, then the body.
 */
#include "crypto/crypto.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool option(const char *arg, const char *name, const char **value)
{
	size_t n = strlen(name);

	if (strncmp(arg, name, n) != 0)
		return false;
	*value = arg + n;
	return true;
}

int main(int argc, char **argv)
{
	const char *headers[2] = { NULL, NULL }, *value;
	struct http_options o = { .headers = headers };
	struct bawn_error e = { 0 };
	struct http_reader r;
	struct cur c;

	if (argc < 2)
		return 64;
	for (int i = 2; i < argc; i++) {
		if (option(argv[i], "timeout=", &value))
			o.timeout_s = (unsigned)atoi(value);
		else if (option(argv[i], "max=", &value))
			o.max_body = (size_t)atoi(value);
		else if (strcmp(argv[i], "insecure") == 0)
			o.insecure = true;
		else if (!option(argv[i], "proxy=", &o.proxy) && !option(argv[i], "ca=", &o.ca_file) &&
			 !option(argv[i], "header=", &headers[0]))
			return 64;
	}
	if (http_get(argv[1], &o, &r, &e)) {
		printf("error %d: %s\n", e.code, e.msg);
		return 1;
	}
	printf("status %u\n", r.status);
	if (http_header(&r, "X-Test", &c))
		printf("header %.*s\n", (int)c.n, (const char *)c.p);
	if (r.body.n)
		fwrite(r.body.p, 1, r.body.n, stdout);
	putchar('\n');
	http_reader_free(&r);
	return 0;
}
