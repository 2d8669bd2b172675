/* Platform files and directories. */
#include "cpu/platform.h"
#include "tests/tap.h"

#include <err.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char home[] = "/tmp/bawn-platform-test.XXXXXX";

static const char good[] =
	"# a comment\n"
	"\n"
	"bawn-platform = 1\n"
	"id = 000102030405060708090a0b0c0d0e0f\n"
	"provision-fuse = 1111111111111111111111111111111111111111111111111111111111111111\n"
	"seal-fuse = 2222222222222222222222222222222222222222222222222222222222222222\n"
	"owner-epoch = 33333333333333333333333333333333\n"
	"cpusvn = 01010101010101010101010101010101\n"
	"launch-control = locked\n"
	"lepubkeyhash = 4444444444444444444444444444444444444444444444444444444444444444\n"
	"sgx2 = yes\n"
	"kss = no\n"
	"aex-notify = yes\n"
	"epc-size = 1048576\n";

/* ---- the grammar ---- */

static void test_parse_good(void)
{
	struct cpu_platform p, again;
	struct bawn_error e = { 0 };
	struct buf b;

	is_int(cpu_platform_parse(good, sizeof(good) - 1, &p, &e), 0, "a platform file");
	ok(p.id[15] == 0x0f && p.provision_fuse[31] == 0x11 && p.seal_fuse[0] == 0x22 &&
		   p.owner_epoch[7] == 0x33 && p.cpusvn[15] == 1 && p.lepubkeyhash[16] == 0x44,
	   "its numbers");
	ok(p.launch_locked && p.sgx2 && !p.kss && p.aexnotify && p.epc_size == 1048576, "its settings");
	buf_init(&b, PLATFORM_FILE_MAX);
	platform_render(&p, &b);
	is_int(cpu_platform_parse(b.p, b.n, &again, &e), 0, "what is written is read");
	is_mem(&again, &p, sizeof(p), "the same");
	buf_free(&b);
}

/* good with the line that starts with `key` replaced by `line` (NULL: left out). */
static size_t edit(char *out, const char *key, const char *line)
{
	const char *at = strstr(good, key), *end = strchr(at, '\n') + 1;
	size_t n = (size_t)(at - good);

	memcpy(out, good, n);
	if (line)
		n += (size_t)sprintf(out + n, "%s\n", line);
	strcpy(out + n, end);
	return n + strlen(end);
}

static void refused(const char *text, size_t n, const char *message, const char *name)
{
	struct bawn_error e = { 0 };
	struct cpu_platform p;
	int r = cpu_platform_parse(text, n, &p, &e);

	ok(r == BAWN_ERR_FORMAT && strstr(e.msg, message), "%s", name);
	if (r != BAWN_ERR_FORMAT || !strstr(e.msg, message))
		printf("#   %d: %s\n", r, e.msg);
}

static void test_parse_bad(void)
{
	static const char *const keys[] = { "bawn-platform", "id", "provision-fuse", "seal-fuse",
					    "owner-epoch",   "cpusvn", "launch-control", "lepubkeyhash",
					    "sgx2",	     "kss",    "aex-notify",	 "epc-size" };
	static const struct {
		const char *key, *line, *message, *name;
	} cases[] = {
		{ "bawn-platform", "bawn-platform = 2", "bawn-platform", "another version" },
		{ "id", "id = 000102", "id", "hexadecimal too short" },
		{ "id", "id = 000102030405060708090a0b0c0d0e0f00", "id", "hexadecimal too long" },
		{ "id", "id = 000102030405060708090A0B0C0D0E0F", "id", "upper-case hexadecimal" },
		{ "id", "id = 000102030405060708090a0b0c0d0e0g", "id", "no hexadecimal" },
		{ "id", "id =", "key = value", "no value" },
		{ "id", "id = ", "key = value", "an empty value" },
		{ "id", "id  = 000102030405060708090a0b0c0d0e0f", "no such key", "two spaces" },
		{ "id", "id=000102030405060708090a0b0c0d0e0f", "key = value", "no spaces" },
		{ "id", "id = 000102030405060708090a0b0c0d0e0f ", "id", "a space at the end" },
		{ "id", " id = 000102030405060708090a0b0c0d0e0f", "no such key", "a space at the start" },
		{ "id", "id = 000102030405060708090a0b0c0d0e0f\r", "id", "a carriage return" },
		{ "id", "name = x", "no such key", "an unknown key" },
		{ "id", "nonsense", "key = value", "no sign" },
		{ "provision-fuse",
		  "provision-fuse = 0000000000000000000000000000000000000000000000000000000000000000",
		  "not blown", "provisioning fuses of zeros" },
		{ "seal-fuse", "seal-fuse = 0000000000000000000000000000000000000000000000000000000000000000",
		  "not blown", "seal fuses of zeros" },
		{ "launch-control", "launch-control = open", "launch-control", "another word" },
		{ "launch-control", "launch-control = lockedx", "launch-control", "a longer word" },
		{ "sgx2", "sgx2 = true", "sgx2", "another boolean" },
		{ "sgx2", "sgx2 = no", "aex-notify", "AEX-notify without SGX2" },
		{ "epc-size", "epc-size = 0", "epc-size", "no EPC" },
		{ "epc-size", "epc-size = 1048575", "epc-size", "an EPC of broken pages" },
		{ "epc-size", "epc-size = 524288", "epc-size", "too small an EPC" },
		{ "epc-size", "epc-size = 1099511631872", "epc-size", "too large an EPC" },
		{ "epc-size", "epc-size = 99999999999999999999", "epc-size", "a number too long" },
		{ "epc-size", "epc-size = 01048576", "epc-size", "a leading zero" },
		{ "epc-size", "epc-size = -1048576", "epc-size", "a negative number" },
		{ "epc-size", "epc-size = 1M", "epc-size", "a unit" },
	};
	char text[4096], name[80];
	size_t n;

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		char line[200];
		const char *at = strstr(good, keys[i]);

		n = edit(text, keys[i], NULL);
		snprintf(name, sizeof(name), "%s is missing", keys[i]);
		refused(text, n, name, name);
		snprintf(line, sizeof(line), "%.*s\n%.*s", (int)strcspn(at, "\n"), at,
			 (int)strcspn(at, "\n"), at);
		n = edit(text, keys[i], line);
		snprintf(name, sizeof(name), "%s is there twice", keys[i]);
		refused(text, n, name, name);
	}
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		n = edit(text, cases[i].key, cases[i].line);
		refused(text, n, cases[i].message, cases[i].name);
	}
	refused(good, sizeof(good) - 2, "no end", "the last line is not ended");
	refused("", 0, "missing", "an empty file");
	memcpy(text, good, sizeof(good));
	text[30] = '\0';
	refused(text, sizeof(good) - 1, "line", "a NUL byte");
	refused(good, PLATFORM_FILE_MAX + 1, "larger", "a file too large");
	n = sizeof(good) - 1;
	for (size_t i = 0; i < n; i++) {
		struct cpu_platform p;

		if (cpu_platform_parse(good, i, &p, NULL) == 0)
			ok(false, "cut off at byte %zu it is accepted", i);
	}
	ok(true, "cut off anywhere it is refused");
}

/* ---- directories ---- */

static void path(char out[200], const char *name)
{
	snprintf(out, 200, "%s/%s", home, name);
}

static mode_t mode_of(const char *p)
{
	struct stat st;

	return stat(p, &st) == 0 ? st.st_mode & 07777 : 0;
}

static void test_create(void)
{
	struct cpu_platform_options opt = { .launch_locked = true, .sgx1 = true, .epc_size = 8u << 20 };
	struct cpu_platform a, b;
	struct bawn_error e = { 0 };
	uint8_t hash[32];
	char dir[200], file[220];

	path(dir, "new/state/a/");
	is_int(cpu_platform_create(dir, NULL, &e), 0, "create, with the directories above");
	path(dir, "new/state/a");
	is_int(mode_of(dir), 0700, "the directory is the owner's alone");
	snprintf(file, sizeof(file), "%s/platform", dir);
	is_int(mode_of(file), 0600, "so is the file");
	is_int(cpu_platform_load(dir, &a, &e), 0, "load");
	ok(!a.launch_locked && a.sgx2 && a.kss && a.aexnotify && a.epc_size == 128u << 20 &&
		   a.cpusvn[0] == 1, "the defaults");
	is_int(cpu_platform_create(dir, NULL, &e), BAWN_ERR_USAGE, "create refuses what exists");
	ok(strstr(e.msg, "exists"), "and says so");
	is_int(cpu_platform_load(dir, &b, NULL), 0, "load again");
	is_mem(&a, &b, sizeof(a), "nothing has changed");
	memset(hash, 0x5e, sizeof(hash));
	opt.lepubkeyhash = hash;
	path(dir, "new/state/b");
	is_int(cpu_platform_create(dir, &opt, NULL), 0, "create with options");
	is_int(cpu_platform_load(dir, &b, NULL), 0, "load it");
	ok(b.launch_locked && !b.sgx2 && !b.kss && !b.aexnotify && b.epc_size == 8u << 20 &&
		   memcmp(b.lepubkeyhash, hash, 32) == 0, "the options");
	ok(memcmp(a.id, b.id, 16) != 0 && memcmp(a.provision_fuse, b.provision_fuse, 32) != 0 &&
		   memcmp(a.seal_fuse, b.seal_fuse, 32) != 0 &&
		   memcmp(a.owner_epoch, b.owner_epoch, 16) != 0, "another name, other fuses");
	opt.epc_size = 1000;
	path(dir, "new/state/c");
	is_int(cpu_platform_create(dir, &opt, NULL), BAWN_ERR_USAGE, "an EPC of broken pages");
	is_int(mode_of(dir), 0, "nothing was made");
	is_int(cpu_platform_create("", NULL, NULL), BAWN_ERR_USAGE, "no name");
}

static void test_load_errors(void)
{
	struct cpu_platform p;
	struct bawn_error e = { 0 };
	char dir[200], file[220], other[220];

	path(dir, "absent");
	is_int(cpu_platform_load(dir, &p, &e), BAWN_ERR_NOT_FOUND, "no directory");
	ok(strstr(e.msg, "bawn emu platform create"), "the error says what to do");
	path(dir, "empty");
	mkdir(dir, 0700);
	is_int(cpu_platform_load(dir, &p, NULL), BAWN_ERR_NOT_FOUND, "an empty directory");
	path(dir, "open");
	is_int(cpu_platform_create(dir, NULL, NULL), 0, "create");
	snprintf(file, sizeof(file), "%s/platform", dir);
	chmod(file, 0604);
	is_int(cpu_platform_load(dir, &p, NULL), BAWN_ERR_DENIED, "fuses that everybody can read");
	chmod(file, 0660);
	is_int(cpu_platform_load(dir, &p, NULL), 0, "a group may share a platform");
	snprintf(other, sizeof(other), "%s/moved", dir);
	if (rename(file, other) != 0 || symlink("moved", file) != 0)
		err(1, "symlink");
	is_int(cpu_platform_load(dir, &p, NULL), BAWN_ERR_FORMAT, "a symbolic link");
	unlink(file);
	if (mkfifo(file, 0600) != 0)
		err(1, "mkfifo");
	is_int(cpu_platform_load(dir, &p, NULL), BAWN_ERR_FORMAT, "a pipe");
	unlink(file);
	e = (struct bawn_error){ 0 };
	is_int(io_write_file(file, "garbage\n", 8, 0600, NULL), 0, "garbage");
	is_int(cpu_platform_load(dir, &p, &e), BAWN_ERR_FORMAT, "is refused");
	ok(strstr(e.msg, "open/platform") && strstr(e.msg, "line 1"), "naming file and line: %s", e.msg);
}

static void test_upgrade(void)
{
	struct cpu_platform before, after;
	struct bawn_error e = { 0 };
	char dir[200];

	path(dir, "upgraded");
	is_int(cpu_platform_create(dir, NULL, NULL), 0, "create");
	cpu_platform_load(dir, &before, NULL);
	is_int(cpu_platform_upgrade(dir, 3, 9, NULL), 0, "upgrade");
	cpu_platform_load(dir, &after, NULL);
	is_int(after.cpusvn[3], 9, "the component is raised");
	before.cpusvn[3] = 9;
	is_mem(&after, &before, sizeof(after), "and nothing else has changed");
	is_int(cpu_platform_upgrade(dir, 3, 9, &e), BAWN_ERR_USAGE, "to the same");
	ok(strstr(e.msg, "only be raised"), "the error says why");
	is_int(cpu_platform_upgrade(dir, 3, 8, NULL), BAWN_ERR_USAGE, "down");
	is_int(cpu_platform_upgrade(dir, 16, 9, NULL), BAWN_ERR_USAGE, "component 16");
	path(dir, "absent");
	is_int(cpu_platform_upgrade(dir, 0, 9, NULL), BAWN_ERR_NOT_FOUND, "no platform");
}

static void test_upgrade_together(void)
{
	struct cpu_platform p;
	char dir[200];
	int bad = 0;

	path(dir, "raced");
	is_int(cpu_platform_create(dir, NULL, NULL), 0, "create");
	for (unsigned i = 0; i < 16; i++)
		if (fork() == 0)
			_exit(cpu_platform_upgrade(dir, i, (uint8_t)(10 + i), NULL) != 0);
	for (unsigned i = 0; i < 16; i++) {
		int status;

		if (wait(&status) < 0 || status != 0)
			bad++;
	}
	is_int(bad, 0, "sixteen upgrades at once");
	cpu_platform_load(dir, &p, NULL);
	for (unsigned i = 0; i < 16; i++)
		bad += p.cpusvn[i] != 10 + i;
	is_int(bad, 0, "none is lost");
}

static void test_remove(void)
{
	struct cpu_platform p;
	char dir[200], file[220], extra[220], kept[220], text[64];
	FILE *f;

	path(dir, "removed");
	is_int(cpu_platform_remove(dir, NULL), BAWN_ERR_NOT_FOUND, "remove what is not there");
	is_int(cpu_platform_create(dir, NULL, NULL), 0, "create");
	snprintf(file, sizeof(file), "%s/platform", dir);
	snprintf(extra, sizeof(extra), "%s/notes", dir);
	is_int(io_write_file(extra, "x", 1, 0600, NULL), 0, "somebody's file in it");
	is_int(cpu_platform_remove(dir, NULL), BAWN_ERR_DENIED, "remove refuses");
	is_int(cpu_platform_load(dir, &p, NULL), 0, "and has removed nothing");
	unlink(extra);
	path(kept, "kept");
	if (link(file, kept) != 0)
		err(1, "link");
	is_int(cpu_platform_remove(dir, NULL), 0, "remove");
	is_int(mode_of(dir), 0, "the directory is gone");
	f = fopen(kept, "r");
	ok(f && fread(text, 1, sizeof(text), f) == sizeof(text) && ct_is_zero(text, sizeof(text)),
	   "and the file was wiped first");
	if (f)
		fclose(f);
	path(dir, "empty");
	is_int(cpu_platform_remove(dir, NULL), BAWN_ERR_NOT_FOUND, "remove of a directory that is none");
	is_int(mode_of(dir), 0700, "leaves it");
}

static void test_default(void)
{
	struct cpu_platform a, b;
	char dir[300], want[300], small[8];

	setenv("BAWN_PLATFORM", "/somewhere/else", 1);
	is_int(cpu_platform_default_dir(dir, sizeof(dir), NULL), 0, "BAWN_PLATFORM");
	is_str(dir, "/somewhere/else", "is taken as it is");
	is_int(cpu_platform_default_dir(small, sizeof(small), NULL), BAWN_ERR_USAGE, "a name too long");
	unsetenv("BAWN_PLATFORM");
	setenv("XDG_STATE_HOME", home, 1);
	snprintf(want, sizeof(want), "%s/bawn/platform", home);
	cpu_platform_default_dir(dir, sizeof(dir), NULL);
	is_str(dir, want, "XDG_STATE_HOME");
	setenv("XDG_STATE_HOME", "relative", 1);
	setenv("HOME", home, 1);
	snprintf(want, sizeof(want), "%s/.local/state/bawn/platform", home);
	cpu_platform_default_dir(dir, sizeof(dir), NULL);
	is_str(dir, want, "HOME, if XDG_STATE_HOME is not absolute");
	is_int(cpu_platform_load(dir, &a, NULL), BAWN_ERR_NOT_FOUND, "there is none yet");
	is_int(cpu_platform_open(NULL, &a, NULL), 0, "opening the default makes it");
	is_int(cpu_platform_open(NULL, &b, NULL), 0, "once");
	is_mem(&a, &b, sizeof(a), "the same for ever");
	path(dir, "absent");
	is_int(cpu_platform_open(dir, &a, NULL), BAWN_ERR_NOT_FOUND, "a named one is not made");
	unsetenv("XDG_STATE_HOME");
	unsetenv("HOME");
	is_int(cpu_platform_default_dir(dir, sizeof(dir), NULL), BAWN_ERR_NOT_FOUND, "no HOME at all");
}

int main(void)
{
	char command[100];

	if (!mkdtemp(home))
		err(1, "%s", home);
	test_parse_good();
	test_parse_bad();
	test_create();
	test_load_errors();
	test_upgrade();
	test_upgrade_together();
	test_remove();
	test_default();
	snprintf(command, sizeof(command), "rm -rf %s", home);
	if (system(command) != 0)
		warnx("%s is left", home);
	return tap_done();
}
