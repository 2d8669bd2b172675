/* Reports: those that come, and those that go. */
#include "common/common.h"

#include <string.h>

bool common_report_holds(const struct isa_report *r, uint32_t invalid, uint32_t *answer)
{
	struct bawn_report report;
	struct bawn_report_body self;

	memcpy(&report, r, sizeof(report));
	if (bawn_verify_report(&report) == BAWN_STATUS_OK)
		return true;
	bawn_self(&self);
	*answer = memcmp(report.body.cpusvn, self.cpusvn, sizeof(self.cpusvn)) ? AE_REPORT_OTHER_CPUSVN :
										  invalid;
	return false;
}

bool common_report(const struct isa_targetinfo *target, const uint8_t data[32],
		   struct isa_report *out)
{
	struct bawn_targetinfo t;
	struct bawn_report r;
	uint8_t padded[64] = { 0 };

	memcpy(&t, target, sizeof(t));
	memcpy(padded, data, 32);
	if (bawn_report(&t, padded, &r) != BAWN_STATUS_OK)
		return false;
	memcpy(out, &r, sizeof(*out));
	return true;
}
