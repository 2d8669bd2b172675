/* What this machine has for enclaves. Changes nothing. */
#include "dev/internal.h"

#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define CPUID_SGX 0x12u

struct leaf {
	uint32_t a, b, c, d;
};

/* Under `bawn emulate` on a CPU that cannot fault CPUID: what would be found if it could. */
void bawn_emulated_cpuid(uint32_t leaf, uint32_t sub, uint32_t out[4]) __attribute__((weak));

static struct leaf cpuid(uint32_t leaf, uint32_t sub)
{
	struct leaf r = { 0 };

	if (bawn_emulated_cpuid) {
		uint32_t out[4];

		bawn_emulated_cpuid(leaf, sub, out);
		return (struct leaf){ out[0], out[1], out[2], out[3] };
	}
	__get_cpuid_count(leaf, sub, &r.a, &r.b, &r.c, &r.d);
	return r;
}

/* EPC sections: sub-leaves from 2, type 1 in EAX 3:0 (SDM volume 2, CPUID leaf 12H). */
static uint64_t epc_bytes(void)
{
	uint64_t sum = 0;

	for (uint32_t sub = 2; sub < 66; sub++) {
		struct leaf l = cpuid(CPUID_SGX, sub);

		if ((l.a & 0xf) != 1)
			break;
		sum += (uint64_t)(l.d & 0xfffff) << 32 | (l.c & 0xfffff000);
	}
	return sum;
}

void dev_probe_cpu(struct dev_probe *out)
{
	struct leaf l7 = cpuid(7, 0), l12, attr;

	out->cpu_sgx = l7.b & 1u << 2;
	if (!out->cpu_sgx)
		return;
	out->launch_control = l7.c & 1u << 30;
	l12 = cpuid(CPUID_SGX, 0);
	attr = cpuid(CPUID_SGX, 1);
	out->sgx1 = l12.a & 1;
	out->sgx2 = l12.a & 2;
	out->kss = attr.a & ATTR_KSS;
	out->aexnotify = (attr.a & ATTR_AEXNOTIFY) && (l12.a & 1u << 11); /* with EDECCSSA */
	out->epc_size = epc_bytes();
}

void dev_hardware_features(struct dev_features *f)
{
	struct leaf l12 = cpuid(CPUID_SGX, 0), attr = cpuid(CPUID_SGX, 1);
	struct dev_probe p = { 0 };

	dev_probe_cpu(&p);
	f->xfrm = (uint64_t)attr.d << 32 | attr.c;
	f->miscselect = l12.b;
	f->sgx2 = p.sgx2;
	f->kss = p.kss;
	f->aexnotify = p.aexnotify;
}

static void probe_node(enum dev_node_id id, struct dev_node *n)
{
	struct statvfs vfs;
	int fd;

	n->path = dev_node_paths[id][0];
	n->open_errno = ENOENT;
	for (size_t i = 0; dev_node_paths[id][i]; i++) {
		if (access(dev_node_paths[id][i], F_OK) != 0)
			continue;
		n->path = dev_node_paths[id][i];
		n->present = true;
		fd = open(n->path, O_RDWR | O_CLOEXEC);
		n->open_errno = fd < 0 ? errno : 0;
		if (fd >= 0)
			close(fd);
		n->noexec = statvfs(n->path, &vfs) == 0 && (vfs.f_flag & ST_NOEXEC);
		return;
	}
}

void dev_probe(struct dev_probe *out)
{
	*out = (struct dev_probe){ 0 };
	dev_probe_cpu(out);
	for (int i = 0; i < DEV_NODES; i++)
		probe_node((enum dev_node_id)i, &out->node[i]);
	out->vdso = dev_vdso_enter() != NULL;
	if (out->node[DEV_NODE_ENCLAVE].present && !out->node[DEV_NODE_ENCLAVE].open_errno) {
		struct dev d = { .fd = -1 };

		if (!dev_kernel_open(&d, NULL)) {
			out->driver_sgx2 = d.features.sgx2;
			d.ops->close(&d);
		}
	}
}

enum dev_kind dev_probe_choice(const struct dev_probe *p)
{
	const struct dev_node *k = &p->node[DEV_NODE_ENCLAVE], *i = &p->node[DEV_NODE_ISGX];

	if (k->present && !k->open_errno && p->vdso)
		return DEV_KERNEL;
	if (!k->present && i->present && !i->open_errno)
		return DEV_ISGX;
	return DEV_AUTO;
}
