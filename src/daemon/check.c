/*
 * What the configuration names, looked for as --check-config does: each file by
 * the role that is to open it, as its user.
 */
#include "daemon/daemon.h"

#include "dev/dev.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum kind { FILE_REGULAR, FILE_DIRECTORY };
struct named {
	const char *setting, *path;
	enum kind kind;
	bool optional; /* it is a default that nobody named: bawnd can do without */
};

struct found {
	unsigned errors, remarks;
};

/* "as user bawn-courier", where that says more than it is. */
static const char *whose(const struct config *c, enum process r, char out[64])
{
	const struct passwd *p = c->separate ? getpwuid(c->user[r].uid) : NULL;

	if (!c->separate)
		out[0] = '\0';
	else if (p)
		snprintf(out, 64, " for the %s's user, %.32s", process_name(r), p->pw_name);
	else
		snprintf(out, 64, " for the %s's user, %u", process_name(r), c->user[r].uid);
	return out;
}

static void open_one(const struct named *n, const char *who, struct found *f)
{
	const int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	struct stat st;
	int fd;

	if (!n->path[0])
		return;
	fd = open(n->path, n->kind == FILE_DIRECTORY ? flags | O_DIRECTORY : flags);
	if (fd < 0 || fstat(fd, &st)) {
		fprintf(stderr, "bawnd: %s: %s: %s%s\n", n->setting, n->path, strerror(errno),
			errno == ENOENT ? "" : who);
		if (n->optional && errno == ENOENT)
			f->remarks++;
		else
			f->errors++;
	} else if (n->kind == FILE_REGULAR && !S_ISREG(st.st_mode)) {
		fprintf(stderr, "bawnd: %s: %s is not a regular file\n", n->setting, n->path);
		f->errors++;
	}
	if (fd >= 0)
		close(fd);
}

/* Whoever can write these decides nothing by it that our policy does, but much. */
static void others_may_write(const struct named *n, struct found *f)
{
	struct bawn_error e = { 0 };

	if (n->path[0] && place_check(n->path, NULL, &e)) {
		fprintf(stderr, "bawnd: %s: %s\n", n->setting, e.msg);
		f->remarks++;
	}
}

/* The platform, or devices: without them the vault has nothing to give. */
static void open_device(const struct config *c, const char *who, struct found *f)
{
	const char *platform = c->platform[0] ? c->platform : NULL;
	struct bawn_error e = { 0 };
	struct dev *dev = NULL;
	enum dev_kind kind;
	int r = dev_kind_parse(c->device, &kind, &e);

	if (r == 0)
		r = dev_open(&dev, kind, platform, &e);
	dev_free(&dev);
	if (r == 0)
		return;
	fprintf(stderr, "bawnd: %s: %s%s\n", platform ? "platform" : "device", e.msg,
		r == BAWN_ERR_NOT_FOUND || r == BAWN_ERR_NO_DEVICE ? "" : who);
	/* This may be another machine than that which it is for. */
	if (platform)
		f->errors++;
	else
		f->remarks++;
}

static void as_role(const struct config *c, enum process r, struct found *f)
{
	char who[64];

	whose(c, r, who);
	if (c->separate && !process_become(&c->user[r])) {
		fprintf(stderr, "bawnd: cannot look for files%s: %s\n", who, strerror(errno));
		f->errors++;
	} else if (r == PROC_VAULT) {
		open_device(c, who, f);
	} else {
		const struct named files[] = {
			{ "collateral", c->source == SOURCE_DIRECTORY ? c->url : "", .kind = FILE_DIRECTORY },
			{ "api-key-file", c->api_key_file },
			{ "ca-file", c->ca_file },
			{ "root-file", c->root_file },
		};

		for (size_t i = 0; i < ARRAY_LEN(files); i++)
			open_one(&files[i], who, f);
	}
}

/* In a process of its own, which alone becomes that user. */
static void in_child(const struct config *c, enum process r, struct found *f)
{
	struct found theirs = { 0 };
	int fd[2];
	pid_t pid;

	fflush(NULL);
	if (pipe2(fd, O_CLOEXEC) || (pid = fork()) < 0) {
		fprintf(stderr, "bawnd: %s\n", strerror(errno));
		f->errors++;
		return;
	}
	if (pid == 0) {
		as_role(c, r, &theirs);
		_exit(write(fd[1], &theirs, sizeof(theirs)) != (ssize_t)sizeof(theirs));
	}
	close(fd[1]);
	if (read(fd[0], &theirs, sizeof(theirs)) != (ssize_t)sizeof(theirs)) {
		fprintf(stderr, "bawnd: looking for the %s's files failed\n", process_name(r));
		theirs.errors = 1;
	}
	close(fd[0]);
	waitpid(pid, NULL, 0);
	f->errors += theirs.errors;
	f->remarks += theirs.remarks;
}

/* What the parent opens for others. */
static void parents_files(const struct config *c, struct found *f)
{
	static struct config usual;
	const struct named files[] = {
		{ "launch-enclave", c->enclave[ENCLAVE_LAUNCH] },
		{ "provision-enclave", c->enclave[ENCLAVE_PROVISION] },
		{ "quote-enclave", c->enclave[ENCLAVE_QUOTE] },
		{ "ledger-enclave", c->enclave[ENCLAVE_LEDGER] },
		{ "white-list", c->white_list[LIST_LAUNCH] },
		{ "provision-white-list", c->white_list[LIST_PROVISION] },
	};
	const struct named trusted[] = {
		{ "root-file", c->root_file },
		{ "ca-file", c->ca_file },
	};

	config_default(&usual, NULL);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		struct named n = files[i];

		n.optional = i < CONF_ENCLAVES && strcmp(n.path, usual.enclave[i]) == 0;
		open_one(&n, "", f);
		others_may_write(&files[i], f);
	}
	for (size_t i = 0; i < ARRAY_LEN(trusted); i++)
		others_may_write(&trusted[i], f);
}

void files_check(const struct config *c, unsigned *errors, unsigned *remarks)
{
	struct found f = { 0 };

	parents_files(c, &f);
	in_child(c, PROC_VAULT, &f);
	in_child(c, PROC_COURIER, &f);
	if (c->source == SOURCE_NONE) {
		fprintf(stderr, "bawnd: collateral = none: there will be no certificate, and so no quote\n");
		f.remarks++;
	}
	*errors += f.errors;
	*remarks += f.remarks;
}
