/* TCB levels: what the fab says of security versions, for now and for the evaluation to come. */
#include "fab/internal.h"
#include "image/image.h"

#include <string.h>

int fab_level_compare(const struct fab_level *a, const struct fab_level *b)
{
	int c = memcmp(a->components, b->components, sizeof(a->components));

	return c ? c : (int)a->svn - (int)b->svn;
}

const struct fab_levels *fab_levels(const struct fab *f, int kind, bool early)
{
	return &f->levels[kind][early && f->has_early];
}

/* The set to be changed; the first change of the early set makes it one of its own. */
static struct fab_levels *to_change(struct fab *f, int kind, bool early)
{
	if (early && !f->has_early) {
		f->levels[FAB_PLATFORM_LEVELS][1] = f->levels[FAB_PLATFORM_LEVELS][0];
		f->levels[FAB_QE_LEVELS][1] = f->levels[FAB_QE_LEVELS][0];
		f->has_early = true;
	}
	return &f->levels[kind][early];
}

/* Where a level is, or belongs. */
static uint32_t place(const struct fab_levels *set, const struct fab_level *l, bool *there)
{
	uint32_t i = 0;

	while (i < set->count && fab_level_compare(&set->level[i], l) > 0)
		i++;
	*there = i < set->count && fab_level_compare(&set->level[i], l) == 0;
	return i;
}

/* What the readers of such collateral take: QEs are up to date or not, without shades. */
static bool status_fits(int kind, uint8_t status)
{
	const uint32_t shades = BAWN_STATUS_BIT(BAWN_TCB_TD_RELAUNCH_ADVISED) |
				BAWN_STATUS_BIT(BAWN_TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED) |
				BAWN_STATUS_BIT(BAWN_TCB_UNKNOWN);
	const uint32_t plain = BAWN_STATUS_BIT(BAWN_TCB_UP_TO_DATE) | BAWN_STATUS_BIT(BAWN_TCB_OUT_OF_DATE) |
			       BAWN_STATUS_BIT(BAWN_TCB_REVOKED);

	return kind == FAB_QE_LEVELS ? plain >> status & 1 : !(shades >> status & 1);
}

int fab_level_set(struct fab *f, int kind, bool early, const struct fab_level *l,
		  struct bawn_error *e)
{
	struct fab_levels *set;
	uint32_t at;
	bool there;

	if (!status_fits(kind, l->status))
		return err_set(e, BAWN_ERR_USAGE, "%s is no status of a %s level",
			       bawn_tcb_status_name((enum bawn_tcb_status)l->status),
			       kind == FAB_QE_LEVELS ? "quoting enclave's" : "platform's");
	set = to_change(f, kind, early);
	at = place(set, l, &there);
	if (!there && set->count == FAB_LEVELS_MAX)
		return err_set(e, BAWN_ERR_USAGE, "there are %d levels already: remove one first", FAB_LEVELS_MAX);
	if (!there) {
		memmove(&set->level[at + 1], &set->level[at], (set->count - at) * sizeof(set->level[0]));
		set->count++;
	}
	set->level[at] = *l;
	return 0;
}

int fab_level_remove(struct fab *f, int kind, bool early, const struct fab_level *l,
		     struct bawn_error *e)
{
	const struct fab_levels *now = fab_levels(f, kind, early);
	struct fab_levels *set;
	uint32_t at;
	bool there;

	at = place(now, l, &there);
	if (!there)
		return err_set(e, BAWN_ERR_NOT_FOUND, "there is no level at these versions");
	if (now->count == 1)
		return err_set(e, BAWN_ERR_USAGE, "it is the last level: set another one first");
	set = to_change(f, kind, early);
	set->count--;
	memmove(&set->level[at], &set->level[at + 1], (set->count - at) * sizeof(set->level[0]));
	return 0;
}

int fab_level_adopt(struct fab *f, struct bawn_error *e)
{
	if (!f->has_early)
		return err_set(e, BAWN_ERR_NOT_FOUND, "there is no early set: make one with `level set --early`");
	for (int kind = 0; kind < 2; kind++) {
		f->levels[kind][0] = f->levels[kind][1];
		f->levels[kind][1] = (struct fab_levels){ 0 };
	}
	f->has_early = false;
	f->evaluation++;
	return 0;
}

void fab_set_qe(struct fab *f, const struct isa_sigstruct *s, int64_t date)
{
	/* All that Intel's QE identity looks at: every attribute but MODE64BIT, and none of XFRM. */
	const struct isa_attributes mask = { .flags = ~ATTR_MODE64BIT, .xfrm = 0 };
	const struct isa_attributes want = { .flags = (s->attributes.flags | ATTR_INIT) & mask.flags };
	const struct fab_level first = { .svn = s->isvsvn, .status = BAWN_TCB_UP_TO_DATE, .date = date };
	struct fab_qe qe = { .isvprodid = s->isvprodid };

	image_mrsigner(s, qe.mrsigner);
	put_le32(qe.miscselect, s->miscselect & s->miscmask);
	put_le32(qe.miscselect_mask, s->miscmask);
	memcpy(qe.attributes, &want, sizeof(qe.attributes));
	memcpy(qe.attributes_mask, &mask, sizeof(qe.attributes_mask));
	if (memcmp(&qe, &f->qe, sizeof(qe)) == 0)
		return;
	f->qe = qe;
	for (int early = 0; early < 2; early++) {
		f->levels[FAB_QE_LEVELS][early] = (struct fab_levels){ .count = 1 };
		f->levels[FAB_QE_LEVELS][early].level[0] = first;
	}
	if (!f->has_early)
		f->levels[FAB_QE_LEVELS][1].count = 0;
}
