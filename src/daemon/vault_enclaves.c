/* The architectural enclaves: from the loader's pages to a desk, closed when idle or told to. */
#include "daemon/vault.h"

#include "host/host.h"
#include "image/image.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static enum conf_enclave conf_of(enum ae_enclave which)
{
	static const enum conf_enclave of[AE_ENCLAVES] = {
		[AE_LAUNCH] = ENCLAVE_LAUNCH,
		[AE_PROVISION] = ENCLAVE_PROVISION,
		[AE_QUOTE] = ENCLAVE_QUOTE,
		[AE_LEDGER] = ENCLAVE_LEDGER,
	};

	return of[which];
}

static int open_device(const struct vault *v, struct dev **dev, struct bawn_error *e)
{
	const char *platform = v->config->platform[0] ? v->config->platform : NULL;
	enum dev_kind kind;
	int r = dev_kind_parse(v->config->device, &kind, e);

	return r ? r : dev_open(dev, kind, platform, e);
}

static void learn_quote(struct vault *v, const struct bawn_enclave *en)
{
	struct bawn_enclave_info i;

	bawn_enclave_info(en, &i);
	pthread_mutex_lock(&v->lock);
	memcpy(v->qe_mrsigner, i.mrsigner, sizeof(v->qe_mrsigner));
	v->qe_product = i.isvprodid;
	v->qe_svn = i.isvsvn;
	v->qe_known = true;
	pthread_mutex_unlock(&v->lock);
}

/* The policy's lists of who may sign what has these keys (bawn-policy(5)). */
static int may_run(struct vault *v, const struct image *im, struct bawn_error *e)
{
	static const struct {
		uint64_t attribute;
		enum authority_list list;
		const char *name;
	} keys[] = {
		{ ATTR_EINITTOKEN_KEY, AUTHORITY_LAUNCH_KEYS, "launch_keys" },
		{ ATTR_PROVISIONKEY, AUTHORITY_PROVISIONING_KEYS, "provisioning_keys" },
	};
	uint8_t mrsigner[32];
	int r = 0;

	image_mrsigner(&im->sigstruct, mrsigner);
	pthread_mutex_lock(&v->lock);
	for (size_t i = 0; i < ARRAY_LEN(keys) && r == 0; i++)
		if (im->attributes.flags & keys[i].attribute &&
		    !authority_listed(v->policy, keys[i].list, mrsigner))
			r = err_set(e, BAWN_ERR_DENIED, "the enclave's signer is not in %s (line %u of the policy)",
				    keys[i].name, v->policy->list[keys[i].list].line);
	pthread_mutex_unlock(&v->lock);
	return r;
}

/* What the loader did not bring; it has said why. */
static int missing(const struct vault *v, enum conf_enclave which, int r, struct bawn_error *e)
{
	static const char *const names[CONF_ENCLAVES] = { "launch-enclave", "provision-enclave", "quote-enclave",
						   "ledger-enclave" };
	const char *path = v->config->enclave[which];

	return err_set(e, r, path[0] ? "%s = %s: no enclave that can be used is there" :
		       "%s = %s: there is none in bawnd.conf", names[which], path);
}

static int load(void *arg, enum ae_enclave which, const struct isa_einittoken *token,
		struct bawn_enclave **out, struct bawn_error *e)
{
	const struct enclaves *x = arg;
	struct vault *v = x->vault;
	struct bawn_options opt = { .token = token, .debug = v->config->debug_enclaves };
	struct image *im = NULL;
	struct dev *dev = NULL;
	uint64_t started = clock_ns();
	int r = stream_has(x->fd, conf_of(which)) ? stream_read(x->fd, conf_of(which), &im, e)
						  : missing(v, conf_of(which), BAWN_ERR_NOT_FOUND, e);

	*out = NULL;
	if (r == BAWN_ERR_FORMAT)
		r = BAWN_ERR_SYSTEM; /* nothing is wrong with what the enclave is asked about, such as the key */
	if (r == 0)
		r = may_run(v, im, e);
	if (r == 0)
		r = open_device(v, &dev, e);
	/* On an emulated platform nothing is protected, so its keys may be anybody's. */
	opt.allow_development = r == 0 && dev->emulated;
	if (r == 0)
		r = host_load_image(out, im, &dev, &opt, started, e);
	image_free(&im);
	dev_free(&dev);
	if (r == 0 && which == AE_QUOTE)
		learn_quote(v, *out);
	return r;
}

static int identify(void *arg, enum ae_enclave which, struct ae_identity *out,
		    struct bawn_error *e)
{
	const struct enclaves *x = arg;
	const struct vault *v = x->vault;
	struct isa_sigstruct s;
	struct dev *dev = NULL;
	int r = stream_has(x->fd, conf_of(which))
			? stream_identity(x->fd, conf_of(which), &s, &out->attributes, e)
			: missing(v, conf_of(which), BAWN_ERR_NOT_FOUND, e);

	if (r == 0)
		r = open_device(v, &dev, e);
	if (r)
		return r;
	memcpy(out->mrenclave, s.enclavehash, sizeof(out->mrenclave));
	image_mrsigner(&s, out->mrsigner);
	out->attributes.flags &= ~(ATTR_INIT | ATTR_DEBUG);
	if (!dev->features.kss)
		out->attributes.flags &= ~ATTR_KSS;
	if (!dev->features.aexnotify)
		out->attributes.flags &= ~ATTR_AEXNOTIFY;
	out->attributes.xfrm &= dev->features.xfrm;
	dev_free(&dev);
	return 0;
}

unsigned enclaves_at_once(const struct vault *v)
{
	long n = v->config->workers ? (long)v->config->workers : sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n > WORKERS_MAX ? WORKERS_MAX : (unsigned)n;
}

/* Nobody has them any more. */
static void let_go(struct enclaves *x)
{
	ae_desk_free(&x->desk);
	close(x->fd);
	free(x);
}

struct enclaves *enclaves_hold(struct vault *v)
{
	struct enclaves *x;

	pthread_rwlock_rdlock(&v->prov_lock);
	x = v->enclaves;
	if (x)
		atomic_fetch_add(&x->holders, 1);
	pthread_rwlock_unlock(&v->prov_lock);
	return x;
}

void enclaves_give(struct enclaves **held)
{
	struct enclaves *x = *held;

	*held = NULL;
	if (x && atomic_fetch_sub(&x->holders, 1) == 1)
		let_go(x);
}

int enclaves_new(struct vault *v, int fd, struct bawn_error *e)
{
	uint32_t keep = v->config->idle_seconds ? v->config->idle_seconds * 1000 : AE_KEEP;
	struct ae_desk_options opt = {
		.source = { .load = load, .identify = identify },
		.instances = { [AE_LAUNCH] = 1, [AE_PROVISION] = 1, [AE_QUOTE] = enclaves_at_once(v), [AE_LEDGER] = 1 },
		.keep_ms = { keep, keep, keep, keep },
		.ppid_key = v->config->has_ppid_key ? v->config->ppid_key : NULL,
	};
	struct enclaves *x = calloc(1, sizeof(*x)), *before;
	uint64_t size;
	bool quiesced;
	int r = x ? sealed_check(fd, LOADED_MAX, &size, e) : err_nomem(e);

	opt.source.arg = x;
	if (r == 0)
		r = ae_desk_new(&x->desk, &opt, e);
	if (r) {
		free(x);
		return r;
	}
	x->vault = v;
	x->fd = fd;
	atomic_init(&x->holders, 1);
	/* Nobody is inside once we hold it, but for who has taken hold of them. */
	pthread_rwlock_wrlock(&v->prov_lock);
	pthread_mutex_lock(&v->lock);
	quiesced = v->quiesced_until != 0;
	pthread_mutex_unlock(&v->lock);
	if (quiesced) /* these are not to be loaded either, before it is over */
		ae_desk_close(x->desk);
	before = v->enclaves;
	v->enclaves = x;
	v->desk = x->desk;
	enclaves_give(&before);
	/* Before anybody else has it: without its lists the launch enclave refuses what it should not. */
	lists_load(v);
	pthread_rwlock_unlock(&v->prov_lock);
	return 0;
}

int enclaves_none(struct bawn_error *e)
{
	return err_set(e, BAWN_ERR_BUSY, "no enclaves yet: try again later");
}

bool enclaves_quiesced(const struct vault *v, char text[WIRE_NOTE])
{
	uint64_t now = clock_ns(), left = v->quiesced_until > now ? v->quiesced_until - now : 0;
	time_t until = (time_t)(now_s() + (left + SECOND_NS - 1) / SECOND_NS);
	char when[32] = "";
	struct tm tm;

	if (!v->quiesced_until)
		return false;
	if (gmtime_r(&until, &tm))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S UTC", &tm);
	text_printf(text, WIRE_NOTE, "quiesced by an administrator until %s", when);
	return true;
}

void enclaves_quiesce(struct vault *v, uint32_t seconds, struct wire_quiesce_answer *out)
{
	struct ae_desk_state s;

	*out = (struct wire_quiesce_answer){ 0 };
	pthread_rwlock_rdlock(&v->prov_lock);
	if (v->desk) {
		ae_desk_state(v->desk, &s);
		for (int i = 0; i < AE_ENCLAVES; i++)
			out->enclaves += s.enclave[i].resident;
		ae_desk_close(v->desk);
	}
	pthread_mutex_lock(&v->lock);
	v->quiesced_until = seconds ? clock_ns() + seconds * SECOND_NS : 0;
	pthread_mutex_unlock(&v->lock);
	/* Without a time: what is asked next opens it. */
	if (v->desk && !seconds)
		ae_desk_open(v->desk);
	pthread_rwlock_unlock(&v->prov_lock);
	launch_held(v, UINT64_MAX, &out->outside);
}

uint64_t enclaves_tick(struct vault *v)
{
	uint64_t now = clock_ns(), until = 0, left = 60 * SECOND_NS;
	bool reopen = false;
	int ms = -1;

	pthread_mutex_lock(&v->lock);
	if (v->quiesced_until && v->quiesced_until <= now) {
		v->quiesced_until = 0;
		reopen = true;
	}
	until = v->quiesced_until;
	pthread_mutex_unlock(&v->lock);
	pthread_rwlock_rdlock(&v->prov_lock);
	if (v->desk && reopen) {
		ae_desk_open(v->desk);
		log_msg(LOG_INFO, "no longer quiesced");
	}
	if (v->desk && !until)
		ms = ae_desk_expire(v->desk);
	pthread_rwlock_unlock(&v->prov_lock);
	if (until && until - now < left)
		left = until - now;
	if (ms >= 0 && (uint64_t)ms * 1000000 < left)
		left = (uint64_t)ms * 1000000;
	return left;
}
