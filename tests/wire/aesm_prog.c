/*
 * aesm_prog: AESM messages by the library, for a test that speaks protobuf
 * through another one. Each line of standard input is
 *
 *	decode HEX                          a request, without its length
 *	encode TYPE ERROR NUMBER FIRST SECOND   a response; "-": not there
 *
 * and is answered by a line: "malformed", or what the request says as JSON;
 * the response, with its length, in hexadecimal.
 */
#include "aesm/aesm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint8_t bytes[1u << 20], second_bytes[1u << 16];

static size_t unhex(const char *s, uint8_t *out, size_t max)
{
	size_t n = strlen(s) / 2;

	if (n > max || !hex_decode(s, strlen(s), out, n))
		abort();
	return n;
}

static void decode(const char *hex)
{
	static struct aesm_request r;
	struct bawn_error e = { 0 };
	struct json j;
	struct buf b;
	size_t n = unhex(hex, bytes, sizeof(bytes));

	if (aesm_request_decode(bytes, n, &r, &e)) {
		puts("malformed");
		return;
	}
	buf_init(&b, 1u << 20);
	json_init(&j, &b);
	json_open(&j, NULL, '{');
	json_u64(&j, "type", r.type);
	json_u64(&j, "has", r.has);
	json_u64(&j, "flaw", r.flaw);
	json_hex(&j, "report", &r.report, sizeof(r.report));
	json_hex(&j, "mr_enclave", r.mrenclave, sizeof(r.mrenclave));
	json_hex(&j, "mr_signer", r.modulus, sizeof(r.modulus));
	json_hex(&j, "se_attributes", &r.attributes, sizeof(r.attributes));
	json_hex(&j, "att_key_id", r.key_id, sizeof(r.key_id));
	json_hex(&j, "nonce", r.nonce, sizeof(r.nonce));
	json_hex(&j, "spid", r.spid, sizeof(r.spid));
	json_hex(&j, "platform_info", r.platform_info, sizeof(r.platform_info));
	json_hex(&j, "info_nonce", r.info_nonce, sizeof(r.info_nonce));
	json_hex(&j, "info_target", &r.info_target, sizeof(r.info_target));
	json_hex(&j, "info_report", &r.info_report, sizeof(r.info_report));
	json_bool(&j, "qe_report", r.qe_report);
	json_bool(&j, "b_pub_key_id", r.want_key_id);
	json_u64(&j, "buf_size", r.buf_size);
	json_u64(&j, "quote_type", r.quote_type);
	json_u64(&j, "x_group_id", r.group);
	json_u64(&j, "data_type", r.data_type);
	json_u64(&j, "attestation_error_code", r.error_code);
	json_u64(&j, "update_info_size", r.update_size);
	json_u64(&j, "config", r.config);
	json_u64(&j, "white_list_size", r.list_size);
	json_u64(&j, "timeout", r.timeout);
	json_hex(&j, "blob", r.blob, r.blob_size);
	json_close(&j, '}');
	for (size_t i = 0; i < b.n; i++)
		if (b.p[i] == '\n')
			b.p[i] = ' ';
	printf("%.*s\n", (int)b.n, (const char *)b.p);
	buf_free(&b);
}

static void encode(void)
{
	const char *type = strtok(NULL, " "), *error = strtok(NULL, " "), *number = strtok(NULL, " ");
	const char *first = strtok(NULL, " "), *second = strtok(NULL, " ");
	struct aesm_response r = { 0 };
	struct buf b;

	if (!second)
		abort();
	r.type = (uint32_t)atoi(type);
	r.error = (uint32_t)atoi(error);
	r.has_number = *number != '-';
	if (r.has_number)
		r.number = strtoull(number, NULL, 10);
	if (*first != '-')
		r.first = cur_make(bytes, unhex(first, bytes, sizeof(bytes)));
	if (*second != '-')
		r.second = cur_make(second_bytes, unhex(second, second_bytes, sizeof(second_bytes)));
	buf_init(&b, 1u << 20);
	aesm_response_encode(&r, &b);
	for (size_t i = 0; i < b.n && !b.failed; i++)
		printf("%02x", b.p[i]);
	puts(b.failed ? "failed" : "");
	buf_free(&b);
}

int main(void)
{
	static char line[4u << 20];

	setvbuf(stdout, NULL, _IOLBF, 0);
	while (fgets(line, sizeof(line), stdin)) {
		char *verb;

		line[strcspn(line, "\n")] = '\0';
		verb = strtok(line, " ");
		if (verb && strcmp(verb, "decode") == 0) {
			const char *hex = strtok(NULL, " ");

			decode(hex ? hex : "");
		} else if (verb && strcmp(verb, "encode") == 0) {
			encode();
		} else {
			abort();
		}
	}
	return 0;
}
