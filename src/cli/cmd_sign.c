/* bawn sign: lay out, measure and sign an enclave, at once or in two steps. */
#include "cli/cli.h"
#include "image/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILE_MAX_SIZE ((size_t)4 << 30)
#define KEY_MAX_SIZE 65536
#define CONFIG_MAX_SIZE 65536

static const struct cli_option options[] = {
	{ .name = "key", .value = "PEM", .help = "sign with this RSA-3072 private key, exponent 3",
	  .letter = 'k' },
	{ .name = "config", .value = "FILE", .help = "what to sign: product, SVN, heap, threads...",
	  .letter = 'c' },
	{ .name = "output", .value = "FILE", .help = "write the signed enclave here", .letter = 'o' },
	{ .name = "format", .value = "sdk|sgxs",
	  .help = "what to write (default: sdk for ELF files, sgxs for SGXS streams)" },
	{ .name = "sigstruct", .value = "FILE", .help = "write the SIGSTRUCT here as well" },
	{ .name = "date", .value = "YYYYMMDD",
	  .help = "date in the signature (default: the configuration, $SOURCE_DATE_EPOCH, today)" },
	{ .name = "to-be-signed", .value = "FILE",
	  .help = "first of two steps: write the bytes to be signed, no more" },
	{ .name = "signature", .value = "FILE", .help = "second step: this signature, 384 bytes" },
	{ .name = "public-key", .value = "PEM", .help = "second step: the signer's public key" },
	{ .name = "size", .value = "BYTES", .help = "size of an SGXS stream that leaves it open" },
	{ .name = "new-key", .value = "FILE", .help = "make a key for signing, and nothing else" },
	{ .name = "p256", .help = "with --new-key: a key for white lists, not for enclaves" },
	CLI_OPT_JSON,
	{ 0 }
};

/* One run, from file to signature. */
struct job {
	struct cli *c;
	const char *path;
	uint8_t *file;
	size_t n;
	bool sgxs_in, sgxs_out;
	struct image_config config;
	struct image_open_options open;
	struct image *im;
	struct isa_sigstruct sig;
	struct bawn_error e;
};

/* ---- keys ---- */

static int read_key(struct crypto_key **key, const char *path, bool public, struct bawn_error *e)
{
	uint8_t *pem;
	size_t n;
	int rc = io_read_file(path, KEY_MAX_SIZE, &pem, &n, e);

	if (rc)
		return rc;
	rc = public ? crypto_key_from_public_pem(key, pem, n, e) :
		      crypto_key_from_pem(key, pem, n, e);
	wipe(pem, n);
	free(pem);
	if (rc)
		err_context(e, "%s", path);
	return rc;
}

/* A key that exists is never overwritten: what it signed could not be signed again. */
static int write_new(const char *path, const struct buf *b, struct bawn_error *e)
{
	int rc, fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return err_sys(e, "cannot create %s", path);
	/* The umask can take rights away, never add any. */
	rc = io_write_full(fd, b->p, b->n, e);
	if (rc == 0 && fsync(fd) != 0)
		rc = err_sys(e, "cannot write %s", path);
	close(fd);
	if (rc)
		unlink(path);
	return rc;
}

/* What others know a key by: MRSIGNER, or the public point of one for white lists. */
struct known_by {
	const char *json, *text;
	uint8_t p[64];
	size_t n;
};

static int make_key(struct crypto_key **key, bool p256, struct known_by *by, struct bawn_error *e)
{
	uint8_t modulus[CRYPTO_RSA_BYTES], d[32];
	int rc;

	if (p256) {
		*by = (struct known_by){ .json = "public_key", .text = "public key", .n = 64 };
		rc = crypto_key_new_p256(key, e);
		if (rc == 0)
			rc = crypto_key_p256(*key, d, by->p, e);
		wipe(d, sizeof(d));
		return rc;
	}
	*by = (struct known_by){ .json = "mrsigner", .text = "MRSIGNER", .n = 32 };
	rc = crypto_key_new_rsa3(key, e);
	if (rc == 0)
		rc = crypto_key_rsa3_modulus(*key, modulus, e);
	if (rc == 0)
		crypto_sha256(modulus, sizeof(modulus), by->p);
	return rc;
}

static int new_key(struct cli *c, const char *path)
{
	struct crypto_key *key = NULL;
	struct bawn_error e = { 0 };
	struct known_by by;
	char hex[129];
	struct buf pem;
	int rc;

	buf_init(&pem, KEY_MAX_SIZE);
	rc = make_key(&key, cli_flag(c, "p256"), &by, &e);
	if (rc == 0)
		rc = crypto_key_to_pem(key, &pem, &e);
	if (rc == 0)
		rc = write_new(path, &pem, &e);
	crypto_key_free(&key);
	buf_free(&pem);
	if (rc)
		return cli_fail(c, NULL, &e);
	if (cli_flag(c, "json")) {
		struct json *j = cli_json(c);

		json_open(j, NULL, '{');
		json_string(j, "key", path);
		json_hex(j, by.json, by.p, by.n);
		json_close(j, '}');
	} else {
		hex_encode(by.p, by.n, hex);
		printf("%s: a new key, %s %s\n", path, by.text, hex);
	}
	return CLI_OK;
}

/* ---- configuration ---- */

static int read_config(struct job *job)
{
	const char *path = cli_value(job->c, "config");
	uint8_t *text;
	size_t n;
	int rc;

	if (!path)
		return 0;
	rc = io_read_file(path, CONFIG_MAX_SIZE, &text, &n, &job->e);
	if (rc)
		return rc;
	rc = image_config_parse(text, n, &job->config, &job->e);
	free(text);
	if (rc)
		err_context(&job->e, "%s", path);
	return rc;
}

/* Two steps must agree on the date, so they may not leave it to the clock. */
static int choose_date(struct job *job)
{
	const char *given = cli_value(job->c, "date"), *epoch = getenv("SOURCE_DATE_EPOCH");
	bool two_steps = cli_value(job->c, "to-be-signed") || cli_value(job->c, "signature");
	char *end;

	if (given)
		return image_date_parse(given, &job->config.date, &job->e);
	if (job->config.date)
		return 0;
	if (epoch && *epoch) {
		errno = 0;
		long long seconds = strtoll(epoch, &end, 10);
		if (errno || *end || seconds < 0)
			return err_set(&job->e, BAWN_ERR_USAGE,
				       "SOURCE_DATE_EPOCH is not a number of seconds");
		return image_date_from_time(seconds, &job->config.date, &job->e);
	}
	if (two_steps)
		return err_set(&job->e, BAWN_ERR_USAGE,
			       "signing in two steps needs a date that both can know: give --date");
	return image_date_from_time(time(NULL), &job->config.date, &job->e);
}

/* ---- the enclave ---- */

/* A file that is not signed yet, or whose metadata is damaged: only one of the kit can be helped. */
static int lay_out_afresh(struct job *job, int why, const struct bawn_error *unreadable)
{
	int rc = image_lay_out(job->file, job->n, &job->config, &job->e);

	if (rc && why != BAWN_ERR_NOT_FOUND) {
		job->e = *unreadable;
		rc = why;
	}
	return rc;
}

/* What the file says already is the default for what the configuration leaves out. */
static int lay_out(struct job *job)
{
	struct bawn_error unreadable = { 0 };
	struct image *im = NULL;
	int rc, why = 0;

	image_config_default(&job->config);
	if (job->sgxs_in)
		return read_config(job);
	why = image_open_memory(&im, job->file, job->n, &job->open, &unreadable);
	if (im && im->has_sigstruct) {
		image_config_from_sigstruct(&job->config, &im->sigstruct);
		job->config.miscselect = im->miscselect;
	}
	rc = read_config(job);
	if (rc == 0 && !im)
		rc = lay_out_afresh(job, why, &unreadable);
	else if (rc == 0 && job->config.has_layout && im->is_kit)
		rc = image_lay_out(job->file, job->n, &job->config, &job->e);
	else if (rc == 0 && job->config.has_layout)
		rc = err_set(&job->e, BAWN_ERR_UNSUPPORTED,
			     "only an enclave of Bawn's kit can be laid out anew: leave heap, stack "
			     "and threads out of the configuration");
	image_free(&im);
	return rc;
}

static int prepare(struct job *job)
{
	uint8_t mrenclave[32];
	int rc = io_read_file(job->path, FILE_MAX_SIZE, &job->file, &job->n, &job->e);

	if (rc)
		return rc;
	job->sgxs_in = job->n < 4 || memcmp(job->file, "\177ELF", 4) != 0;
	rc = lay_out(job);
	if (rc == 0)
		rc = choose_date(job);
	if (rc == 0)
		rc = image_open_memory(&job->im, job->file, job->n, &job->open, &job->e);
	if (rc == 0 && job->im->is_simulation)
		rc = err_set(&job->e, BAWN_ERR_UNSUPPORTED,
			     "a simulation build (it exports g_global_data_sim) cannot run on SGX");
	if (rc == 0)
		rc = image_measure(job->im, mrenclave, &job->e);
	if (rc)
		return rc;
	image_sigstruct_make(&job->sig, &job->config, mrenclave);
	return 0;
}

/* ---- the signature ---- */

static int sign_with_key(struct job *job, const char *path)
{
	uint8_t body[ISA_SIGSTRUCT_SIGNED], digest[32], modulus[CRYPTO_RSA_BYTES],
		signature[CRYPTO_RSA_BYTES];
	struct crypto_key *key = NULL;
	int rc = read_key(&key, path, false, &job->e);

	if (rc)
		return rc;
	isa_sigstruct_signed(&job->sig, body);
	crypto_sha256(body, sizeof(body), digest);
	rc = crypto_key_rsa3_modulus(key, modulus, &job->e);
	if (rc == 0)
		rc = crypto_rsa3_sign(key, digest, signature, &job->e);
	crypto_key_free(&key);
	return rc ? rc : image_sigstruct_complete(&job->sig, modulus, signature, &job->e);
}

static int take_signature(struct job *job, const char *path, const char *public)
{
	uint8_t modulus[CRYPTO_RSA_BYTES], signature[CRYPTO_RSA_BYTES], *given;
	struct crypto_key *key = NULL;
	size_t n;
	int rc = io_read_file(path, CRYPTO_RSA_BYTES + 1, &given, &n, &job->e);

	if (rc)
		return rc;
	if (n != CRYPTO_RSA_BYTES)
		rc = err_set(&job->e, BAWN_ERR_FORMAT,
			     "%s: a signature has %d bytes, as `openssl dgst -sha256 -sign` writes it",
			     path, CRYPTO_RSA_BYTES);
	/* Tools write it most significant byte first, SIGSTRUCT has it the other way round. */
	for (size_t i = 0; rc == 0 && i < n; i++)
		signature[i] = given[n - 1 - i];
	free(given);
	if (rc == 0)
		rc = read_key(&key, public, true, &job->e);
	if (rc)
		return rc;
	rc = crypto_key_rsa3_modulus(key, modulus, &job->e);
	if (rc)
		err_context(&job->e, "%s", public);
	crypto_key_free(&key);
	if (rc == 0)
		rc = image_sigstruct_complete(&job->sig, modulus, signature, &job->e);
	if (rc == BAWN_ERR_SIGNATURE)
		err_context(&job->e, "other file, configuration, date or key than was signed");
	return rc;
}

/* ---- output ---- */

static int write_stream(struct job *job, const char *path)
{
	char temporary[4096];
	int rc, fd;

	if (io_is_special(AT_FDCWD, path))
		return err_set(&job->e, BAWN_ERR_USAGE, "%s is no regular file: a stream is not written there",
			       path);
	if ((size_t)snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path) >= sizeof(temporary))
		return err_set(&job->e, BAWN_ERR_USAGE, "the name of the output is too long");
	fd = mkstemp(temporary);
	if (fd < 0)
		return err_sys(&job->e, "cannot create %s", temporary);
	rc = image_write_sgxs(job->im, fd, &job->e);
	if (rc == 0 && (fchmod(fd, 0644) != 0 || fsync(fd) != 0))
		rc = err_sys(&job->e, "cannot write %s", temporary);
	close(fd);
	if (rc == 0 && rename(temporary, path) != 0)
		rc = err_sys(&job->e, "cannot rename to %s", path);
	if (rc)
		unlink(temporary);
	return rc;
}

static int write_outputs(struct job *job)
{
	const char *out = cli_value(job->c, "output"), *sig = cli_value(job->c, "sigstruct");
	struct stat st;
	mode_t mode = stat(job->path, &st) == 0 ? st.st_mode & 0777 : 0644;
	int rc = 0;

	if (sig)
		rc = io_write_file(sig, &job->sig, sizeof(job->sig), 0644, &job->e);
	if (rc || !out)
		return rc;
	if (job->sgxs_out)
		return write_stream(job, out);
	rc = image_store_sigstruct(job->file, job->n, &job->config, &job->sig, &job->e);
	return rc ? rc : io_write_file(out, job->file, job->n, mode, &job->e);
}

static void report_json(struct job *job, const uint8_t mrsigner[32])
{
	struct json *j = cli_json(job->c);
	const char *out = cli_value(job->c, "output"), *sig = cli_value(job->c, "sigstruct");
	char date[9];

	snprintf(date, sizeof(date), "%08x", job->sig.date);
	json_open(j, NULL, '{');
	json_string(j, "file", job->path);
	if (out)
		json_string(j, "output", out);
	if (sig)
		json_string(j, "sigstruct", sig);
	json_hex(j, "mrenclave", job->sig.enclavehash, 32);
	if (mrsigner)
		json_hex(j, "mrsigner", mrsigner, 32);
	json_u64(j, "product", job->sig.isvprodid);
	json_u64(j, "svn", job->sig.isvsvn);
	json_bool(j, "debug_allowed", job->config.debug);
	json_string(j, "date", date);
	json_close(j, '}');
}

static void report(struct job *job, bool has_signer)
{
	uint8_t mrsigner[32];
	char hex[65];

	if (has_signer)
		image_mrsigner(&job->sig, mrsigner);
	if (cli_flag(job->c, "json")) {
		report_json(job, has_signer ? mrsigner : NULL);
		return;
	}
	hex_encode(job->sig.enclavehash, 32, hex);
	printf("mrenclave  %s\n", hex);
	if (has_signer) {
		hex_encode(mrsigner, 32, hex);
		printf("mrsigner   %s\n", hex);
	}
	printf("product %u, svn %u, date %08x, debug %s\n", job->sig.isvprodid, job->sig.isvsvn,
	       job->sig.date, job->config.debug ? "allowed" : "refused");
}

/* ---- arguments ---- */

static int check_arguments(struct cli *c)
{
	const char *key = cli_value(c, "key"), *tbs = cli_value(c, "to-be-signed"),
		   *signature = cli_value(c, "signature");

	if (!!key + !!tbs + !!signature != 1)
		return cli_usage(c, "give one of --key, --to-be-signed and --signature");
	if (!signature != !cli_value(c, "public-key"))
		return cli_usage(c, "--signature and --public-key go together");
	if (tbs && (cli_value(c, "output") || cli_value(c, "sigstruct")))
		return cli_usage(c, "--to-be-signed writes nothing but the bytes to be signed");
	if (!tbs && !cli_value(c, "output") && !cli_value(c, "sigstruct"))
		return cli_usage(c, "give --output, or --sigstruct, or both");
	return 0;
}

static int check_formats(struct job *job)
{
	const char *format = cli_value(job->c, "format");

	job->sgxs_out = format ? strcmp(format, "sgxs") == 0 : job->sgxs_in;
	if (job->sgxs_in && !job->sgxs_out)
		return cli_usage(job->c, "an SGXS stream cannot become an SDK-format file");
	if (cli_value(job->c, "output") && job->sgxs_out && !cli_value(job->c, "sigstruct"))
		return cli_usage(job->c, "an SGXS stream holds no signature: give --sigstruct too");
	return 0;
}

static int sign(struct job *job)
{
	const char *tbs = cli_value(job->c, "to-be-signed"), *key = cli_value(job->c, "key");
	uint8_t body[ISA_SIGSTRUCT_SIGNED];
	int rc;

	if (tbs) {
		isa_sigstruct_signed(&job->sig, body);
		return io_write_file(tbs, body, sizeof(body), 0644, &job->e);
	}
	rc = key ? sign_with_key(job, key) :
		   take_signature(job, cli_value(job->c, "signature"),
				  cli_value(job->c, "public-key"));
	return rc ? rc : write_outputs(job);
}

static int run(struct cli *c)
{
	const char *key_path = cli_value(c, "new-key");
	struct job job = { .c = c, .open = { .any_version = true, .edmm = true } };
	int rc;

	if (key_path)
		return c->argc ? cli_usage(c, "--new-key takes no enclave") : new_key(c, key_path);
	if (cli_flag(c, "p256"))
		return cli_usage(c, "--p256 goes with --new-key: enclaves are signed with RSA-3072");
	if (c->argc != 1)
		return cli_usage(c, "which enclave?");
	rc = check_arguments(c);
	if (rc == 0)
		rc = cli_number(c, "size", 2 * ISA_PAGE, IMAGE_MAX_SIZE, &job.open.unsized);
	if (rc)
		return rc;
	job.path = c->argv[0];
	rc = prepare(&job);
	if (rc == 0)
		rc = check_formats(&job);
	if (rc == 0)
		rc = sign(&job);
	if (rc == 0)
		report(&job, cli_value(c, "to-be-signed") == NULL);
	else if (rc == BAWN_ERR_USAGE)
		rc = cli_usage(c, "%s", job.e.msg);
	else if (rc < 0)
		rc = cli_fail(c, job.path, &job.e);
	image_free(&job.im);
	free(job.file);
	return rc;
}

const struct cli_command cmd_sign = {
	.name = "sign",
	.summary = "lay out, measure and sign an enclave",
	.operands = "FILE",
	.details = "With a key kept elsewhere, sign in two steps: --to-be-signed writes the 256 bytes\n"
		   "to be signed; `openssl dgst -sha256 -sign KEY` of that file is what --signature\n"
		   "takes back, with the same configuration and date. See bawn-sign(1).",
	.options = options,
	.min = 0,
	.max = 1,
	.run = run,
};
