/* Decisions: who gets what by which line; rates. */
#include "tests/authority/kit.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static struct authority_policy *policy;
static struct authority_entries *entries;
static const uint32_t groups[] = { 300, 200 };
static const struct authority_subject alice = { .uid = 1000, .gid = 100, .groups = groups, .ngroups = 2,
						.section = "native", .cgroup = "/system.slice/a.service" };

static void use(const char *text)
{
	free(policy);
	policy = kit_policy(text);
}

/* "yes 12", "no 12", "no default": the answer and where it comes from. */
static const char *answer(const struct authority_subject *s, enum wire_operation op,
			  const struct wire_identity *i)
{
	static char out[64];
	struct wire_decision d;
	char rule[32];

	authority_decide(policy, entries, s, op, i, 1000, &d);
	authority_decision_rule(d.reason, d.line, d.entry, rule);
	snprintf(out, sizeof(out), "%s %s", d.allowed ? "yes" : "no", rule);
	return out;
}

static void test_subjects(void)
{
	struct authority_subject s = alice;

	use("");
	is_str(answer(&s, WIRE_OP_QUOTE, NULL), "no default", "an empty policy allows nothing");
	use("[native]\nallow quote uid=1000\n");
	is_str(answer(&s, WIRE_OP_QUOTE, NULL), "yes line 2", "a uid");
	is_str(answer(&s, WIRE_OP_CERTIFY, NULL), "no default", "... for another operation");
	s.uid = 1001;
	is_str(answer(&s, WIRE_OP_QUOTE, NULL), "no default", "... and another uid");
	s = alice;
	s.section = "aesm";
	is_str(answer(&s, WIRE_OP_QUOTE, NULL), "no default", "... on another socket");
	s.section = "nowhere";
	is_str(answer(&s, WIRE_OP_QUOTE, NULL), "no default", "... on a socket of no section");
	s = alice;
	use("[native]\nallow quote uid=999-1000\nallow certify uid=1001-1002\n");
	is_str(answer(&s, WIRE_OP_QUOTE, NULL), "yes line 2", "the last of a range of uids");
	is_str(answer(&s, WIRE_OP_CERTIFY, NULL), "no default", "one before a range");
	use("[native]\nallow quote gid=100\nallow certify group=sgx\nallow launch gid=201-299\n");
	is_str(answer(&s, WIRE_OP_QUOTE, NULL), "yes line 2", "the primary group");
	is_str(answer(&s, WIRE_OP_CERTIFY, NULL), "yes line 3", "a supplementary group");
	is_str(answer(&s, WIRE_OP_LAUNCH, NULL), "no default", "no group");
	s.more_groups = true;
	is_str(answer(&s, WIRE_OP_LAUNCH, NULL), "no default", "a group that is not told is permitted nothing");
	use("[native]\ndeny launch gid=201-299\nallow launch\n");
	is_str(answer(&s, WIRE_OP_LAUNCH, NULL), "no line 2", "... and is refused what any would be");
	s = alice;
	is_str(answer(&s, WIRE_OP_LAUNCH, NULL), "yes line 3", "while all groups being told it is not");
	use("[native]\nallow quote cgroup=/system.slice\nallow certify cgroup=/system.slice/a\n"
	    "allow launch cgroup=/system.slice/a.service\nallow status cgroup=/\n");
	is_str(answer(&s, WIRE_OP_QUOTE, NULL), "yes line 2", "a control group above");
	is_str(answer(&s, WIRE_OP_CERTIFY, NULL), "no default", "one whose name goes on");
	is_str(answer(&s, WIRE_OP_LAUNCH, NULL), "yes line 4", "the control group itself");
	is_str(answer(&s, WIRE_OP_STATUS, NULL), "yes line 5", "the root of them");
	s.cgroup = NULL;
	is_str(answer(&s, WIRE_OP_QUOTE, NULL), "no default", "an unknown control group is permitted nothing");
	use("[native]\ndeny quote cgroup=/system.slice\nallow quote\n");
	is_str(answer(&s, WIRE_OP_QUOTE, NULL), "no line 2", "... and is refused what any would be");
	s.cgroup = "/user.slice";
	is_str(answer(&s, WIRE_OP_QUOTE, NULL), "yes line 3", "while one elsewhere is not");
}

static void test_order(void)
{
	use("deny quote uid=1000\n[native]\nallow quote uid=1000\n");
	is_str(answer(&alice, WIRE_OP_QUOTE, NULL), "no line 1", "what stands before the sections is first");
	use("deny quote socket=aesm\n[native]\nallow quote\n");
	is_str(answer(&alice, WIRE_OP_QUOTE, NULL), "yes line 3", "... and can be about one socket");
	use("[native]\nallow quote uid=1000\ndeny quote\nallow quote\n");
	is_str(answer(&alice, WIRE_OP_QUOTE, NULL), "yes line 2", "the first line decides");
	use("[native]\ndeny quote uid=1000\nallow quote\n");
	is_str(answer(&alice, WIRE_OP_QUOTE, NULL), "no line 2", "... also when it refuses");
	use("[aesm]\nallow quote\n[native aesm]\nallow quote\n");
	is_str(answer(&alice, WIRE_OP_QUOTE, NULL), "yes line 4", "of the socket's own sections");
	use("[native]\nallow any\n");
	is_str(answer(&alice, WIRE_OP_ADMINISTER, NULL), "no default", "any is not administer");
	is_str(answer(&alice, WIRE_OPERATIONS, NULL), "no default", "no operation, no permission");
}

static void test_enclaves(void)
{
	struct wire_identity i = kit_identity(0xaa, 0xbb);

	use("[native]\nallow quote mrenclave=" A "\n");
	is_str(answer(&alice, WIRE_OP_QUOTE, &i), "yes line 2", "a measurement");
	is_str(answer(&alice, WIRE_OP_QUOTE, NULL), "no default", "no enclave is not this enclave");
	i.mrenclave[31] ^= 1;
	is_str(answer(&alice, WIRE_OP_QUOTE, &i), "no default", "another one, by its last bit");
	use("[native]\nallow quote mrsigner=" B " product=1 svn=2 debug=no\n");
	is_str(answer(&alice, WIRE_OP_QUOTE, &i), "yes line 2", "signer, product, SVN, no debug");
	i.svn = 3;
	is_str(answer(&alice, WIRE_OP_QUOTE, &i), "yes line 2", "a higher SVN");
	i.svn = 1;
	is_str(answer(&alice, WIRE_OP_QUOTE, &i), "no default", "a lower SVN");
	i.svn = 2;
	i.product = 2;
	is_str(answer(&alice, WIRE_OP_QUOTE, &i), "no default", "another product");
	i.product = 1;
	i.mrsigner[0] ^= 0x80;
	is_str(answer(&alice, WIRE_OP_QUOTE, &i), "no default", "another signer");
	i.mrsigner[0] ^= 0x80;
	i.attributes |= ATTR_DEBUG;
	is_str(answer(&alice, WIRE_OP_QUOTE, &i), "no default", "a debug enclave");
	use("[native]\nallow quote debug=yes\n");
	is_str(answer(&alice, WIRE_OP_QUOTE, &i), "yes line 2", "... where just these are wanted");
	i.attributes &= ~ATTR_DEBUG;
	is_str(answer(&alice, WIRE_OP_QUOTE, &i), "no default", "... and no other");

	i.known &= ~WIRE_KNOWN_PRODUCT;
	i.product = 0;
	use("[native]\nallow quote mrsigner=" B " product=1\n");
	is_str(answer(&alice, WIRE_OP_QUOTE, &i), "no default", "an unknown product is not permitted");
	use("[native]\ndeny quote mrsigner=" B " product=1\nallow quote\n");
	is_str(answer(&alice, WIRE_OP_QUOTE, &i), "no line 2", "... and refused like the one named");
	is_str(answer(&alice, WIRE_OP_QUOTE, NULL), "yes line 3", "where there is no enclave nothing is refused");
}

static void test_launch(void)
{
	struct wire_identity i = kit_identity(0xaa, 0xbb);

	use("signing_keys " A "\n[native]\nallow launch,quote epc=1M\n");
	is_str(answer(&alice, WIRE_OP_LAUNCH, &i), "no list 1", "a signer in no list launches nothing");
	is_str(answer(&alice, WIRE_OP_QUOTE, &i), "yes line 3", "... but may be quoted");
	memset(i.mrsigner, 0xaa, 32);
	is_str(answer(&alice, WIRE_OP_LAUNCH, &i), "yes line 3", "one in the list does");
	i.known &= ~WIRE_KNOWN_MRSIGNER;
	memset(i.mrsigner, 0, 32);
	is_str(answer(&alice, WIRE_OP_LAUNCH, &i), "no list 1", "an unknown one does not");
	i = kit_identity(0xaa, 0xaa);
	i.attributes |= ATTR_PROVISIONKEY;
	is_str(answer(&alice, WIRE_OP_LAUNCH, &i), "no keys", "PROVISION_KEY is never handed out");
	is_str(answer(&alice, WIRE_OP_QUOTE, &i), "yes line 3", "... and an enclave that has it may be quoted");
	i.attributes = ATTR_EINITTOKEN_KEY;
	is_str(answer(&alice, WIRE_OP_LAUNCH, &i), "no keys", "nor EINITTOKEN_KEY");
	i.known &= ~WIRE_KNOWN_ATTRIBUTES;
	i.attributes = 0;
	is_str(answer(&alice, WIRE_OP_LAUNCH, &i), "no keys", "nor attributes that nobody knows");
	use("signing_keys none\n[native]\nallow launch\n");
	i = kit_identity(0xaa, 0xaa);
	is_str(answer(&alice, WIRE_OP_LAUNCH, &i), "no list 1", "an empty list lets nobody");
}

static void add(enum wire_entry_kind kind, const char *operations, const char *condition, uint64_t expires)
{
	struct wire_entry x = { .kind = kind, .expires = expires };
	struct authority_change change;
	struct bawn_error e = { 0 };

	if (authority_match_operations(&x.match, operations, &e) ||
	    (condition && authority_match_word(&x.match, condition, &kit_names, &e)) ||
	    authority_entries_add(entries, &x, NULL, false, 500, &change, &e))
		ok(false, "%s", e.msg);
}

static void test_entries(void)
{
	struct wire_identity i = kit_identity(0xaa, 0xbb);
	struct bawn_error e = { 0 };

	is_int(authority_entries_load(&entries, -1, &e), 0, "entries in memory");
	use("deny certify\n[native]\nallow quote uid=1000\n");
	add(WIRE_REVOCATION, "quote", "uid=1000", 0);
	is_str(answer(&alice, WIRE_OP_QUOTE, &i), "no revocation 1", "a revoked uid");
	add(WIRE_REVOCATION, "quote", "mrsigner=" B, 0);
	add(WIRE_GRANT, "quote", "uid=1000", 0);
	is_str(answer(&alice, WIRE_OP_QUOTE, NULL), "yes grant 3", "a grant of the same takes its place");
	is_str(answer(&alice, WIRE_OP_QUOTE, &i), "no revocation 2", "... but a revoked signer stays so");
	add(WIRE_GRANT, "certify,launch", NULL, 0);
	is_str(answer(&alice, WIRE_OP_CERTIFY, NULL), "no line 1", "no grant is above the policy's first part");
	is_str(answer(&alice, WIRE_OP_LAUNCH, &i), "yes grant 4", "a grant allows what no line does");
	use("[native]\ndeny any\n");
	is_str(answer(&alice, WIRE_OP_LAUNCH, &i), "yes grant 4", "... or what a section refuses");
	use("signing_keys " A "\n[native]\n");
	is_str(answer(&alice, WIRE_OP_LAUNCH, &i), "no list 1", "... but no signer that is in no list");
	i.attributes |= ATTR_PROVISIONKEY;
	is_str(answer(&alice, WIRE_OP_LAUNCH, &i), "no keys", "... and no keys");
	use("");
	add(WIRE_GRANT, "provision", NULL, 1000);
	is_str(answer(&alice, WIRE_OP_PROVISION, NULL), "no default", "a grant ends when it says");
	add(WIRE_GRANT, "provision", NULL, 1001);
	is_str(answer(&alice, WIRE_OP_PROVISION, NULL), "yes grant 6", "and not before");
	add(WIRE_REVOCATION, "any,administer", NULL, 0);
	use("[native]\nallow any,administer\n");
	for (unsigned op = 0; op < WIRE_OPERATIONS; op++)
		is_str(answer(&alice, op, NULL), "no revocation 7", wire_operation_name(op));
	authority_entries_free(&entries);
}

/* "yes 12" as above, of what is asked before there is an enclave. */
static const char *ahead(const struct authority_subject *s, enum wire_operation op)
{
	static char out[64];
	struct wire_decision d;
	char rule[32];

	authority_decide_ahead(policy, entries, s, op, 1000, &d);
	authority_decision_rule(d.reason, d.line, d.entry, rule);
	snprintf(out, sizeof(out), "%s %s%s", d.allowed ? "yes" : "no", rule, d.rate || d.burst || d.epc ? " limited" : "");
	return out;
}

static void test_ahead(void)
{
	struct authority_subject bob = alice;
	struct bawn_error e = { 0 };

	bob.uid = 1001;
	use("[native]\nallow quote uid=1000 mrsigner=" B " svn=7 rate=2/m\n");
	is_str(ahead(&alice, WIRE_OP_QUOTE), "yes line 2", "whoever some enclave lets quote, and without a rate");
	is_str(ahead(&bob, WIRE_OP_QUOTE), "no default", "... but nobody else");
	is_str(ahead(&alice, WIRE_OP_CERTIFY), "no default", "... and for nothing else");
	use("[native]\nallow status uid=1001\nallow quote uid=1000 debug=no\n");
	is_str(ahead(&bob, WIRE_OP_QUOTE), "yes line 2", "and who may see the status");
	use("[native]\ndeny quote debug=yes\ndeny quote mrsigner=" A "\nallow quote\n");
	is_str(ahead(&alice, WIRE_OP_QUOTE), "yes line 4", "denials of some enclaves leave others");
	use("[native]\ndeny quote uid=1000\nallow quote mrsigner=" B "\n");
	is_str(ahead(&alice, WIRE_OP_QUOTE), "no line 2", "a denial of all does not");
	use("deny any uid=1000\n[native]\nallow any\n");
	is_str(ahead(&alice, WIRE_OP_QUOTE), "no line 1", "nor one before the sections");
	use("[native]\ndeny quote cgroup=/system.slice\nallow quote mrsigner=" B "\n");
	bob.cgroup = NULL;
	is_str(ahead(&bob, WIRE_OP_QUOTE), "no line 2", "what is not known of the client still counts against it");
	use("[native]\nallow quote cgroup=/system.slice mrsigner=" B "\n");
	is_str(ahead(&bob, WIRE_OP_QUOTE), "no default", "... and permits nothing");
	is_str(ahead(&alice, WIRE_OPERATIONS), "no default", "no operation, no permission");

	is_int(authority_entries_load(&entries, -1, &e), 0, "entries in memory");
	use("signing_keys none\n[native]\n");
	add(WIRE_GRANT, "quote", "mrenclave=" A, 0);
	is_str(ahead(&alice, WIRE_OP_QUOTE), "yes grant 1", "a grant for some enclave");
	add(WIRE_REVOCATION, "quote", "mrsigner=" B, 0);
	is_str(ahead(&alice, WIRE_OP_QUOTE), "yes grant 1", "... of which some are revoked");
	add(WIRE_REVOCATION, "quote", "uid=1000", 0);
	is_str(ahead(&alice, WIRE_OP_QUOTE), "no revocation 3", "... or all");
	authority_entries_free(&entries);
}

static void test_text(void)
{
	char out[WIRE_NOTE], rule[32];

	for (uint32_t reason = 0; reason < WIRE_REASONS; reason++) {
		struct wire_decision d = { .reason = reason, .line = 7,
					   .entry = reason == WIRE_REASON_GRANT || reason == WIRE_REASON_REVOKED ? 9 : 0 };

		authority_decision_text(&d, out);
		authority_decision_rule(reason, d.line, d.entry, rule);
		ok(strlen(out) > 10 && strlen(rule) > 3 && rule[0] != '?', "%s (%s)", out, rule);
	}
}

/* ---- rates ---- */

#define SECOND UINT64_C(1000000000)

static struct wire_decision limited(uint32_t line, uint32_t rate, uint32_t seconds, uint32_t burst)
{
	return (struct wire_decision){ .allowed = true, .reason = WIRE_REASON_RULE, .line = line,
				       .rate = rate, .rate_seconds = seconds, .burst = burst };
}

static void test_rates(void)
{
	struct authority_rates *r;
	struct bawn_error e = { 0 };
	struct wire_decision d;
	uint64_t now = 5 * SECOND;
	unsigned taken = 0;

	is_int(authority_rates_new(&r, 64, &e), 0, "a table of rates");
	for (int i = 0; i < 20; i++) {
		d = limited(1, 10, 1, 5);
		taken += authority_rate_take(r, &d, 1000, now) == 0;
	}
	is_int(taken, 5, "a burst is as large as it says");
	d = limited(1, 10, 1, 5);
	is_int(authority_rate_take(r, &d, 1000, now), 100, "then one has to wait");
	ok(!d.allowed && d.reason == WIRE_REASON_RATE && d.line == 1, "... and is refused for that reason");
	d = limited(1, 10, 1, 5);
	ok(authority_rate_take(r, &d, 1001, now) == 0 && d.allowed, "another uid does not");
	d = limited(2, 10, 1, 5);
	is_int(authority_rate_take(r, &d, 1000, now), 0, "nor does another line");
	d = limited(1, 10, 1, 5);
	d.entry = 1;
	is_int(authority_rate_take(r, &d, 1000, now), 0, "nor does a grant");
	d = limited(1, 10, 1, 5);
	is_int(authority_rate_take(r, &d, 1000, now + 99999999), 1, "not quite yet");
	is_int(authority_rate_take(r, &d, 1000, now + 100000000), 0, "a refusal is left alone");
	d = limited(1, 10, 1, 5);
	is_int(authority_rate_take(r, &d, 1000, now + 100000000), 0, "now");
	taken = 0;
	for (uint64_t t = 0; t < 100; t++) {
		d = limited(3, 10, 1, 1);
		taken += authority_rate_take(r, &d, 1000, 100 * SECOND + t * 50000000) == 0;
	}
	is_int(taken, 50, "over five seconds it is ten a second");
	d = limited(4, 0, 0, 0);
	is_int(authority_rate_take(r, &d, 1000, now), 0, "no rate, no limit");
	for (int i = 0; i < 3; i++) {
		d = limited(5, 1, 86400, 1000000);
		taken = authority_rate_take(r, &d, 1000, now);
	}
	is_int(taken, 0, "the largest burst at the slowest rate");
	for (int i = 0; i < 2; i++) {
		d = limited(6, 1, 86400, 1);
		taken = authority_rate_take(r, &d, 1000, now);
	}
	is_int(taken, 86400000, "once a day");
	authority_rates_free(&r);
}

/* More subjects than places: nobody is refused for it, and who has been busy is remembered. */
static void test_crowd(void)
{
	struct authority_rates *r;
	struct bawn_error e = { 0 };
	struct wire_decision d;
	unsigned refused = 0, taken = 0;

	authority_rates_new(&r, 64, &e);
	for (int i = 0; i < 100; i++) {
		d = limited(1, 1, 3600, 10);
		taken += authority_rate_take(r, &d, 7, SECOND) == 0;
	}
	for (uint32_t uid = 1000; uid < 11000; uid++) {
		d = limited(1, 1, 3600, 10);
		refused += authority_rate_take(r, &d, uid, SECOND) != 0;
	}
	is_int(refused, 0, "ten thousand others are not refused");
	for (int i = 0; i < 100; i++) {
		d = limited(1, 1, 3600, 10);
		taken += authority_rate_take(r, &d, 7, SECOND) == 0;
	}
	is_int(taken, 10, "and the busy one is still known");
	authority_rates_free(&r);
}

int main(void)
{
	test_subjects();
	test_order();
	test_enclaves();
	test_launch();
	test_entries();
	test_ahead();
	test_text();
	test_rates();
	test_crowd();
	free(policy);
	return tap_done();
}
