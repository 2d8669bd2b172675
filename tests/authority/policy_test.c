/* The text of policies: what it means, what is refused and how that is said; policies as bytes. */
#include "tests/authority/kit.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static const char everything[] =
	"# a comment\n"
	"lock\n"
	"signing_keys " A " " B "\n"
	"signing_keys " B "\n"
	"launch_keys none\n"
	"provisioning_keys " A "\n"
	"deny any cgroup=/user.slice socket=web\n"
	"\n"
	"[native aesm]\n"
	"allow status,collateral # everybody\n"
	"allow quote group=sgx debug=no rate=600/m burst=50\n"
	"[ web ]\n"
	"allow quote,launch uid=1000-1999 mrsigner=" A " product=3 svn=4 epc=64M rate=2/s\n"
	"deny certify user=bob mrenclave=" B " debug=yes\n"
	"[native]\n"
	"allow administer gid=0\n";

static void test_everything(void)
{
	struct authority_policy *p = kit_policy(everything);
	const struct authority_rule *r;
	uint8_t key[32];

	if (!ok(p != NULL, "a policy that says everything"))
		return;
	ok(p->lock && p->sections == 3 && p->rules == 6, "its parts");
	ok(authority_section(p, "native") == 0 && authority_section(p, "aesm") == 1 &&
		   authority_section(p, "web") == 2 && authority_section(p, "none") == -1,
	   "its sections");
	ok(p->list[0].line == 3 && p->list[0].count == 3 && p->list[1].line == 5 && !p->list[1].count &&
		   p->list[2].count == 1,
	   "its lists");
	memset(key, 0xaa, 32);
	ok(authority_listed(p, AUTHORITY_SIGNING_KEYS, key) && !authority_listed(p, AUTHORITY_LAUNCH_KEYS, key) &&
		   authority_listed(p, AUTHORITY_PROVISIONING_KEYS, key),
	   "who is in them");
	key[31] ^= 1;
	ok(!authority_listed(p, AUTHORITY_SIGNING_KEYS, key), "and who is not");
	r = &p->rule[0];
	ok(!r->allow && r->line == 7 && !r->sections && r->match.operations == WIRE_OP_ANY &&
		   strcmp(r->match.socket, "web") == 0 && strcmp(r->match.cgroup, "/user.slice") == 0,
	   "a denial for all sockets");
	r = &p->rule[2];
	ok(r->allow && r->sections == 3 && r->match.gid_first == 200 && r->match.gid_last == 200 &&
		   r->rate == 600 && r->rate_seconds == 60 && r->burst == 50 &&
		   r->match.has == (WIRE_HAS_GID | WIRE_HAS_DEBUG) && !r->match.debug,
	   "a group, no debug, a rate");
	r = &p->rule[3];
	ok(r->sections == 4 && r->match.uid_first == 1000 && r->match.uid_last == 1999 &&
		   r->match.product == 3 && r->match.svn == 4 && r->epc == 64u << 20 && r->burst == 2,
	   "uids, an enclave, a budget; a burst as large as the rate");
	r = &p->rule[4];
	ok(!r->allow && r->match.uid_first == 1001 && r->match.debug && r->match.mrenclave[0] == 0xbb,
	   "a denial by name");
	ok(p->rule[5].sections == 1 && p->rule[5].line == 16, "a section that is opened again");
	free(p);
}

static void refused(const char *text, const char *why)
{
	struct authority_policy *p = NULL;
	struct bawn_error e = { 0 };
	int rc = authority_policy_parse(text, strlen(text), &kit_names, &p, &e);

	if (!ok(rc == BAWN_ERR_FORMAT && !p && strstr(e.msg, why), "refused: %s", why))
		printf("# %d \"%s\" for: %s\n", rc, e.msg, text);
}

static void test_refused(void)
{
	static char many[AUTHORITY_TEXT_MAX + 1];
	struct authority_policy *p = NULL;
	struct bawn_error e = { 0 };

	refused("permit quote\n", "line 1: not a word that a policy knows: permit");
	refused("allow quote\n", "line 1: allow stands in a section");
	refused("\n[native\n", "line 2: a section looks like [native]");
	refused("[]\n", "a section looks like [native]");
	refused("[a] b\n", "something follows the section's name: b");
	refused("[a a]\n", "said twice: a");
	refused("[a/b]\n", "a section's name has letters");
	refused("[abcdefghijklmnopqrstuvwxyzabcdef]\n", "a section's name has letters");
	refused("[a]\nlock\n", "line 2: this stands before the first section: lock");
	refused("lock now\n", "lock stands alone");
	refused("lock\nlock\n", "line 2: lock stands alone");
	refused("[a]\nsigning_keys none\n", "this stands before the first section");
	refused("signing_keys\n", "a list names signers, or none");
	refused("signing_keys none\nsigning_keys " A "\n", "none stands alone");
	refused("signing_keys " A "\nsigning_keys none\n", "none stands alone");
	refused("signing_keys aa\n", "not an MRSIGNER");
	refused("launch_keys " A "a\n", "not an MRSIGNER");
	refused("[a]\nallow\n", "a rule names operations");
	refused("[a]\nallow quotes\n", "line 2: no such operation: quotes");
	refused("[a]\nallow quote,\n", "an operation is missing after the comma");
	refused("[a]\nallow ,quote\n", "no such operation");
	refused("[a]\nallow quote,quote\n", "an operation is said twice");
	refused("[a]\nallow any,quote\n", "an operation is said twice");
	refused("[a]\nallow quote uid\n", "line 2: not of the form key=value: uid");
	refused("[a]\nallow quote uid=\n", "not of the form key=value");
	refused("[a]\nallow quote =1\n", "not of the form key=value");
	refused("[a]\nallow quote pid=1\n", "no such condition: pid=1");
	refused("[a]\nallow quote exe=/bin/a\n", "no such condition");
	refused("[a]\nallow quote uid=alice\n", "not a number or a range");
	refused("[a]\nallow quote uid=-1\n", "not a number or a range");
	refused("[a]\nallow quote uid=2-1\n", "not a number or a range");
	refused("[a]\nallow quote uid=1-\n", "not a number or a range");
	refused("[a]\nallow quote uid=4294967295\n", "not a number or a range");
	refused("[a]\nallow quote uid=01\n", "not a number or a range");
	refused("[a]\nallow quote gid=x\n", "not a number or a range");
	refused("[a]\nallow quote uid=1 user=alice\n", "said twice: user");
	refused("[a]\nallow quote group=sgx gid=1\n", "said twice: gid");
	refused("[a]\nallow quote user=carol\n", "no such user on this system: carol");
	refused("[a]\nallow quote group=carol\n", "no such group on this system: carol");
	refused("[a]\nallow quote cgroup=a\n", "a control group is a path");
	refused("[a]\nallow quote cgroup=/a/\n", "a control group is a path");
	refused("[a]\nallow quote socket=a\n", "the section already says which socket");
	refused("[a]\nallow quote mrenclave=aa\n", "not 32 bytes in hexadecimal: aa");
	refused("[a]\nallow quote mrsigner=" A "0\n", "not 32 bytes in hexadecimal");
	refused("[a]\nallow quote product=1\n", "product and svn are the signer's");
	refused("[a]\nallow quote svn=1\n", "product and svn are the signer's");
	refused("[a]\nallow quote mrsigner=" A " product=65536\n", "not a number up to 65535: 65536");
	refused("[a]\nallow quote mrsigner=" A " svn=-1\n", "not a number up to 65535");
	refused("[a]\nallow quote debug=maybe\n", "debug is yes or no: maybe");
	refused("[a]\nallow quote rate=1\n", "a rate looks like 600/m");
	refused("[a]\nallow quote rate=0/s\n", "a rate looks like 600/m");
	refused("[a]\nallow quote rate=1/y\n", "a rate looks like 600/m");
	refused("[a]\nallow quote rate=1000001/s\n", "a rate looks like 600/m");
	refused("[a]\nallow quote burst=1\n", "a burst without a rate");
	refused("[a]\nallow quote rate=1/s burst=0\n", "a burst is a number");
	refused("[a]\nallow quote rate=1/s rate=2/s\n", "said twice: rate=2/s");
	refused("[a]\nallow quote rate=1/s burst=1 burst=1\n", "said twice");
	refused("[a]\nallow quote epc=1M\n", "epc is about launch");
	refused("[a]\nallow launch epc=1M epc=1M\n", "said twice");
	refused("[a]\nallow launch epc=M\n", "a size looks like 64M");
	refused("[a]\nallow launch epc=1K\n", "a size looks like 64M");
	refused("[a]\nallow launch epc=1T\n", "a size looks like 64M");
	refused("[a]\nallow launch epc=99999999G\n", "a size looks like 64M");
	refused("[a]\ndeny quote rate=1/s\n", "a denial has no limits");
	refused("[a]\ndeny launch epc=1M\n", "a denial has no limits");
	refused("[a]\nallow quote uid=1 \x01\n", "line 2: a byte that is no plain text");
	for (int i = 0; i < 65; i++)
		sprintf(many + strlen(many), "[s%d]\n", i);
	refused(many, "line 65: too many sections");
	strcpy(many, "[a]\n");
	for (int i = 0; i < 1025; i++)
		strcpy(many + 4 + 9 * i, "deny any\n");
	refused(many, "line 1026: too many rules");
	*many = 0;
	for (int i = 0; i < 257; i++)
		strcat(many, "signing_keys " A "\n");
	refused(many, "line 257: too many signers");
	memset(many, '\n', sizeof(many));
	is_int(authority_policy_parse(many, AUTHORITY_TEXT_MAX, NULL, &p, &e), 0, "as large as can be");
	free(p);
	p = NULL;
	is_int(authority_policy_parse(many, sizeof(many), NULL, &p, &e), BAWN_ERR_FORMAT,
	       "a policy that is too large");
	is_int(authority_policy_parse("[a]\nallow quote user=alice\n", 26, NULL, &p, &e), BAWN_ERR_FORMAT,
	       "a name where there are no names");
	ok(!p, "... and nothing comes of them");
}

static void test_empty(void)
{
	struct authority_policy *p = kit_policy("");
	uint8_t key[32] = { 0 };

	ok(p && !p->rules && !p->sections && !p->lock, "an empty policy, which allows nothing");
	ok(p && authority_listed(p, AUTHORITY_SIGNING_KEYS, key), "... and restricts no signer");
	free(p);
}

/* ---- words for matches ---- */

static void test_words(void)
{
	static const char *const texts[] = {
		"any", "quote", "any,administer", "quote,launch uid=1000-1999 gid=5",
		"status cgroup=/a/b socket=web",
		"certify mrenclave=" A " mrsigner=" B " product=1 svn=2 debug=yes", "launch debug=no",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct wire_match m = { 0 };
		struct bawn_error e = { 0 };
		char copy[400], *word;
		struct buf b;
		int rc;

		strcpy(copy, texts[i]);
		word = strtok(copy, " ");
		rc = authority_match_operations(&m, word, &e);
		while (rc == 0 && (word = strtok(NULL, " ")))
			rc = authority_match_word(&m, word, &kit_names, &e);
		buf_init(&b, 1000);
		authority_match_text(&m, &b);
		buf_add(&b, "", 1);
		is_str((char *)b.p, texts[i], "a match in words is the same again");
		buf_free(&b);
	}
}

/* ---- bytes ---- */

static void test_bytes(void)
{
	struct authority_policy *p = kit_policy(everything), *q = NULL;
	struct bawn_error e = { 0 };
	struct buf b, again;
	bool bad = false;

	buf_init(&b, AUTHORITY_POLICY_MAX);
	authority_policy_encode(p, &b);
	ok(!b.failed && authority_policy_decode(b.p, b.n, &q, &e) == 0, "a policy as bytes, and back");
	buf_init(&again, AUTHORITY_POLICY_MAX);
	authority_policy_encode(q, &again);
	ok(again.n == b.n && memcmp(again.p, b.p, b.n) == 0, "... is the same");
	free(q);
	for (size_t n = 0; n < b.n; n++) {
		q = NULL;
		if (authority_policy_decode(b.p, n, &q, &e) != BAWN_ERR_FORMAT)
			bad = true;
		free(q);
	}
	ok(!bad, "cut anywhere, it is refused");
	buf_add(&b, "", 1);
	q = NULL;
	is_int(authority_policy_decode(b.p, b.n, &q, &e), BAWN_ERR_FORMAT, "... and with a byte more");
	free(q);
	buf_free(&b);
	buf_free(&again);
	free(p);
}

/* One thing wrong in the struct, and what comes of its bytes. */
static void spoiled(void (*spoil)(struct authority_policy *p), const char *name)
{
	struct authority_policy *p = kit_policy(everything), *q = NULL;
	struct bawn_error e = { 0 };
	struct buf b;

	spoil(p);
	buf_init(&b, AUTHORITY_POLICY_MAX);
	authority_policy_encode(p, &b);
	is_int(authority_policy_decode(b.p, b.n, &q, &e), BAWN_ERR_FORMAT, name);
	free(q);
	buf_free(&b);
	free(p);
}

static void no_line(struct authority_policy *p) { p->rule[1].line = 0; }
static void no_section(struct authority_policy *p) { p->rule[1].sections = 0; }
static void far_section(struct authority_policy *p) { p->rule[1].sections = 8; }
static void no_burst(struct authority_policy *p) { p->rule[2].burst = 0; }
static void denial_rate(struct authority_policy *p) { p->rule[2].allow = false; }
static void big_rate(struct authority_policy *p) { p->rule[2].rate = 1000001; }
static void twice(struct authority_policy *p) { strcpy(p->section[1], p->section[0]); }
static void unnamed(struct authority_policy *p) { memset(p->section[1], 0, WIRE_SECTION); }
static void listless(struct authority_policy *p) { p->list[0].line = 0; }
static void bad_match(struct authority_policy *p) { p->rule[0].match.operations = 0; }
static void many_rules(struct authority_policy *p) { p->sections = 65; }

static void test_remarks_one(void *arg, unsigned line, const char *remark)
{
	sprintf((char *)arg + strlen(arg), "%u: %s\n", line, remark);
}

static void remarks(const char *text, const char *want, const char *name)
{
	struct authority_policy *p = kit_policy(text);
	char got[2000] = "";

	authority_policy_remarks(p, test_remarks_one, got);
	is_str(got, want, name);
	free(p);
}

static void test_remarks(void)
{
	remarks("[a]\nallow quote gid=1\nallow administer uid=0\n", "", "nothing to remark");
	remarks("[a]\nallow quote\n",
		"0: nobody may administer: no grants, revocations or reloads over the socket\n",
		"nobody may administer");
	remarks("[a]\nallow administer\n", "2: whoever can open the socket may administer\n",
		"everybody may administer");
	remarks("[a]\nallow administer uid=0\ndeny any\nallow quote uid=1\n",
		"4: never reached: line 3 decides before it\n", "a line behind one that takes everything");
	remarks("deny any\n[a]\nallow administer uid=0\nallow quote uid=1\n",
		"4: never reached: line 1 decides before it\n", "... in the part before the sections");
	remarks("[a b]\nallow administer uid=0\n[a]\ndeny any\n[a b]\nallow quote uid=1\n", "",
		"a line that counts in another section");
	remarks("[a]\nallow administer uid=0\nallow quote uid=1\ndeny quote uid=1\n",
		"4: never reached: line 3 decides before it\n", "the same condition again");
	remarks("[a]\nallow administer uid=0\nallow status debug=no\n",
		"3: these operations are about no enclave, so this never holds\n", "an enclave where there is none");
}

static void test_packaged(void)
{
	struct bawn_error e = { 0 };
	struct authority_policy *p = NULL;
	uint8_t *text;
	size_t n;
	char copy[8192], *group;

	if (!ok(io_read_file("etc/policy.default", sizeof(copy) - 1, &text, &n, &e) == 0, "the packaged policy"))
		return;
	memcpy(copy, text, n);
	copy[n] = '\0';
	group = strstr(copy, "group=bawn");
	ok(group != NULL, "... lets a group of its own have quotes");
	if (group)
		memcpy(group, "group=sgx ", 10); /* one that these tests know */
	is_int(authority_policy_parse(copy, n, &kit_names, &p, &e), 0, "... is well-formed");
	if (p) {
		char got[2000] = "";

		authority_policy_remarks(p, test_remarks_one, got);
		is_str(got, "", "... and leaves nothing to remark");
	}
	free(p);
	free(text);
}

int main(void)
{
	test_everything();
	test_refused();
	test_empty();
	test_words();
	test_bytes();
	spoiled(no_line, "bytes: a rule of no line");
	spoiled(no_section, "bytes: a permission in no section");
	spoiled(far_section, "bytes: a rule in a section that is not there");
	spoiled(no_burst, "bytes: half a rate");
	spoiled(denial_rate, "bytes: a denial with limits");
	spoiled(big_rate, "bytes: a rate beyond its bound");
	spoiled(twice, "bytes: a section twice");
	spoiled(unnamed, "bytes: a section without a name");
	spoiled(listless, "bytes: entries of no list");
	spoiled(bad_match, "bytes: a match of nothing");
	spoiled(many_rules, "bytes: more sections than can be");
	test_remarks();
	test_packaged();
	return tap_done();
}
