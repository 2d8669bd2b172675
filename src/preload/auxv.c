/*
 * The auxiliary vector and the environment, where the kernel put them: on the
 * stack. Programs and C libraries read the vector there whenever they are asked,
 * so a change in place reaches them all; only /proc/self/auxv keeps the kernel's
 * own copy, by which the vector is found.
 */
#include "preload/preload.h"

#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define ENTRIES 64
#define SEARCH 65536 /* bytes below AT_RANDOM's, on the same stack */

static Elf64_auxv_t *vector;
static size_t entries; /* AT_NULL included */

/* The kernel's copy; the number of entries, 0 where there is no /proc. */
static size_t read_copy(Elf64_auxv_t *copy)
{
	int fd = open("/proc/self/auxv", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, copy, ENTRIES * sizeof(*copy));
	size_t k = n > 0 ? (size_t)n / sizeof(*copy) : 0;

	if (fd >= 0)
		close(fd);
	for (size_t i = 0; i < k; i++)
		if (copy[i].a_type == AT_NULL)
			return i + 1;
	return 0;
}

static void find(void)
{
	static Elf64_auxv_t copy[ENTRIES];
	uint64_t random = 0, at;
	size_t n;

	if (entries)
		return;
	n = read_copy(copy);
	for (size_t i = 0; i < n; i++)
		if (copy[i].a_type == AT_RANDOM)
			random = copy[i].a_un.a_val;
	for (at = random & ~UINT64_C(7); n && random && at > random - SEARCH; at -= 8)
		if (at + n * sizeof(*copy) <= random &&
		    memcmp((const void *)at, copy, n * sizeof(*copy)) == 0) {
			vector = (Elf64_auxv_t *)at;
			entries = n;
			return;
		}
	/* It was changed before us, or hidden: what the kernel says still serves for reading. */
	vector = copy;
	entries = n;
}

static Elf64_auxv_t *entry(unsigned long type)
{
	find();
	for (size_t i = 0; i + 1 < entries; i++)
		if (vector[i].a_type == type)
			return &vector[i];
	return NULL;
}

unsigned long auxv_value(unsigned long type)
{
	const Elf64_auxv_t *e = entry(type);

	return e ? e->a_un.a_val : 0;
}

void auxv_change(unsigned long type, unsigned long value)
{
	Elf64_auxv_t *e = entry(type);

	/* A program started without a vDSO: any entry that says nothing makes room. */
	if (!e)
		e = entry(AT_IGNORE);
	if (e) {
		e->a_type = type;
		e->a_un.a_val = value;
	}
}

const void *auxv_all(size_t *n)
{
	find();
	*n = entries * sizeof(*vector);
	return vector;
}

const char *auxv_environment(const char *name)
{
	size_t n = strlen(name);
	char **p;

	find();
	if (!entries || vector[entries - 1].a_type != AT_NULL)
		return NULL;
	/* Below the vector: a null pointer, the environment upside down, another null pointer. */
	for (p = (char **)(void *)vector - 2; *p; p--)
		if (memcmp(*p, name, n) == 0 && (*p)[n] == '=')
			return *p + n + 1;
	return NULL;
}
