/* See kit.h. */
#include "tests/ae/kit.h"
#include "host/host.h"

#include <dirent.h>
#include <unistd.h>

static char folder[] = "/tmp/bawn-ae.XXXXXX";
static char platform[24][128];
static unsigned platforms;
struct crypto_key *kit_ppid_key;

bool kit_start(void)
{
	return ok(mkdtemp(folder) != NULL, "a folder for platforms");
}

void kit_done(void)
{
	struct bawn_error e = { 0 };

	for (unsigned i = 0; i < platforms; i++)
		cpu_platform_remove(platform[i], &e);
	ok(rmdir(folder) == 0, "nothing remains of the platforms");
	kit_say(&e);
	crypto_key_free(&kit_ppid_key);
}

const char *kit_platform(const char *name, const struct cpu_platform_options *opt)
{
	char *path = platform[platforms];
	struct bawn_error e = { 0 };

	snprintf(path, sizeof(platform[0]), "%s/%s", folder, name);
	if (!ok(platforms < ARRAY_LEN(platform) && cpu_platform_create(path, opt, &e) == 0, "platform %s",
		name)) {
		kit_say(&e);
		return NULL;
	}
	platforms++;
	return path;
}

/* Paths stay where they are: desks keep them. */
static const char *keep(const char *path)
{
	static char kept[32][1024];

	for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
		if (!*kept[i])
			snprintf(kept[i], sizeof(kept[i]), "%s", path);
		if (strcmp(kept[i], path) == 0)
			return kept[i];
	}
	exit(1);
}

const char *kit_path(const char *name)
{
	const char *build = getenv("BUILD");
	char path[1024];

	snprintf(path, sizeof(path), "%s/enclaves/%s.signed.so", build ? build : "build", name);
	return keep(path);
}

const char *kit_real(const char *name)
{
	const char *top = getenv("BAWN_CONFORMANCE");
	DIR *d = top ? opendir(top) : NULL;
	struct dirent *entry;
	char p[1024];
	bool found;

	if (!d)
		return NULL;
	snprintf(p, sizeof(p), "%s/%s", top, name);
	found = access(p, R_OK) == 0;
	while (!found && (entry = readdir(d))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(p, sizeof(p), "%s/%s/%s", top, entry->d_name, name);
		found = access(p, R_OK) == 0;
	}
	closedir(d);
	return found ? keep(p) : NULL;
}

struct bawn_enclave *kit_load_with(const char *path, const char *on, const struct bawn_options *more)
{
	struct bawn_options opt = *more;
	struct bawn_enclave *en = NULL;
	struct bawn_error e = { 0 };

	opt.device = "emulated";
	opt.platform = on;
	ok(bawn_enclave_load(&en, path, &opt, &e) == 0, "%s loads", path);
	kit_say(&e);
	return en;
}

struct bawn_enclave *kit_load(const char *path, const char *on, bool debug)
{
	const struct bawn_options opt = { .debug = debug };

	return kit_load_with(path, on, &opt);
}

void kit_target(const struct bawn_enclave *en, struct isa_targetinfo *out)
{
	uint8_t bytes[512];

	bawn_enclave_targetinfo(en, bytes);
	memcpy(out, bytes, sizeof(bytes));
}

bool kit_report(struct bawn_enclave *witness, const struct isa_targetinfo *target,
		const uint8_t data[64], struct isa_report *out)
{
	struct witness_report ms = { 0 };
	struct bawn_error e = { 0 };
	uint32_t status = 1;
	bool good;

	memcpy(ms.targetinfo, target, sizeof(ms.targetinfo));
	memcpy(ms.data, data, sizeof(ms.data));
	good = bawn_ecall(witness, WITNESS_REPORT, &ms, &status, &e) == 0 && status == 0;
	if (!good)
		ok(false, "a report of the witness (status 0x%x)", status);
	kit_say(&e);
	memcpy(out, ms.report, sizeof(*out));
	return good;
}

void kit_say(struct bawn_error *e)
{
	if (e->code)
		printf("#   %d: %s (status %u)\n", e->code, e->msg, e->sgx_status);
	*e = (struct bawn_error){ 0 };
}

bool kit_refused(int rc, struct bawn_error *e, uint32_t answer, const char *what)
{
	bool good = ok(rc == BAWN_ERR_DENIED && e->sgx_status == answer, "%s: %s", what,
		       ae_status_name(answer));

	if (!good)
		printf("#   returned %d\n", rc);
	if (!good)
		kit_say(e);
	*e = (struct bawn_error){ 0 };
	return good;
}

bool kit_lose(struct bawn_enclave *en)
{
	struct cpu_fault f;

	return ok(cpu_eremove(dev_emulated_epc(en->dev), en->slot[0].tcs - en->secs.baseaddr, &f) == 0,
		  "the enclave is taken away");
}

/* ---- PPID ---- */

const uint8_t *kit_pek(void)
{
	static uint8_t pek[AE_PEK_BYTES];
	uint8_t modulus[384];
	struct bawn_error e = { 0 };

	if (kit_ppid_key)
		return pek;
	if (crypto_key_new_rsa3(&kit_ppid_key, &e) || crypto_key_rsa3_modulus(kit_ppid_key, modulus, &e))
		kit_say(&e);
	for (size_t i = 0; i < sizeof(modulus); i++)
		pek[i] = modulus[sizeof(modulus) - 1 - i];
	pek[AE_PEK_BYTES - 1] = 3;
	return pek;
}

bool kit_decrypt_ppid(const uint8_t cipher[AE_PPID_CIPHER_BYTES], uint8_t ppid[16])
{
	struct bawn_error e = { 0 };
	size_t n = 0;
	bool good = ok(crypto_rsa_oaep_decrypt(kit_ppid_key, cipher, AE_PPID_CIPHER_BYTES, ppid, 16, &n,
					       &e) == 0 &&
			       n == 16,
		       "the PPID decrypts");

	kit_say(&e);
	return good;
}
