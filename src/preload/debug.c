/* The table of debug enclaves, for debuggers. Of others nothing is told. */
#include "preload/preload.h"

struct debug_mapping bawn_debug_mappings[DEBUG_MAPPINGS];

static struct debug_mapping *row(uint64_t base)
{
	for (size_t i = 0; i < DEBUG_MAPPINGS; i++)
		if (bawn_debug_mappings[i].base == base)
			return &bawn_debug_mappings[i];
	return NULL;
}

void debug_show(const struct cpu_epc *epc)
{
	struct debug_mapping *r = row(epc->base);
	struct isa_secs secs;

	if (!cpu_epc_secs(epc, &secs) || !(secs.attributes.flags & ATTR_DEBUG))
		return;
	if (!r)
		r = row(0);
	if (r)
		*r = (struct debug_mapping){ epc->base, epc->size, (uintptr_t)epc->alias };
}

void debug_hide(const struct cpu_epc *epc)
{
	struct debug_mapping *r = epc->size ? row(epc->base) : NULL;

	if (r && r->mapping == (uintptr_t)epc->alias)
		*r = (struct debug_mapping){ 0 };
}
