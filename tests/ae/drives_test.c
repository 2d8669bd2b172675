/*
 * no-asan: runs enclaves, whose traps AddressSanitizer does not understand
 *
 * A signed enclave of Intel's SDK, test-ecall, does its work: one ECALL, whose
 * two OCALLs print. BAWN_CONFORMANCE names a folder that has it.
 */
#include "tests/ae/kit.h"

struct printed {
	unsigned calls;
	char text[2][2048];
};

static uint32_t print_ocall(void *ms, void *arg)
{
	struct printed *p = arg;
	const char *text;

	memcpy(&text, ms, sizeof(text));
	if (p->calls < ARRAY_LEN(p->text))
		snprintf(p->text[p->calls], sizeof(p->text[0]), "%s", text);
	p->calls++;
	return 0;
}

static void drive_test_ecall(const char *path, const char *platform)
{
	static const bawn_ocall_fn table[] = { print_ocall };
	struct printed printed = { 0 };
	struct bawn_options opt = { .debug = true, .ocalls = table, .ocall_count = 1,
				    .ocall_arg = &printed };
	char text[1024] = "spoken into the enclave\n";
	struct {
		char *buffer;
		size_t size;
	} ms = { text, sizeof(text) };
	struct bawn_enclave *en = kit_load_with(path, platform, &opt);
	struct bawn_error e = { 0 };
	uint32_t status = 1;

	if (!en)
		return;
	is_int(bawn_ecall(en, 0, &ms, &status, &e), 0, "its ECALL returns");
	kit_say(&e);
	is_int(status, 0, "with success");
	is_int(printed.calls, 2, "two OCALLs were made");
	ok(strstr(printed.text[0], "spoken into the enclave") ||
		   strstr(printed.text[1], "spoken into the enclave"),
	   "one of them brought the text back");
	printf("# OCALL 1: %.60s# OCALL 2: %.60s", printed.text[0], printed.text[1]);
	bawn_enclave_free(&en);
}

int main(void)
{
	const char *path = kit_real("test-ecall.signed.so");

	if (!path)
		return skip_all("BAWN_CONFORMANCE names no folder with test-ecall.signed.so");
	if (!kit_start())
		return tap_done();
	drive_test_ecall(path, kit_platform("flexible", NULL));
	kit_done();
	return tap_done();
}
