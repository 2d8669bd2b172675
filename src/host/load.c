/* From an enclave file to an enclave that runs, and its end. */
#include "host/host.h"

#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ARCH_REQ_XCOMP_PERM 0x1023
#define XFRM_AMX_TILEDATA 18

/* ---- what SECS asks for ---- */

static int select_flags(const struct dev_features *f, const struct image *im, bool debug,
			uint64_t *out, struct bawn_error *e)
{
	const struct isa_sigstruct *s = &im->sigstruct;
	uint64_t lacks = (f->kss ? 0 : ATTR_KSS) | (f->aexnotify ? 0 : ATTR_AEXNOTIFY);
	uint64_t flags = im->attributes.flags & ~(ATTR_INIT | ATTR_DEBUG);

	if (flags & lacks & s->attributemask.flags & s->attributes.flags)
		return err_set(e, BAWN_ERR_UNSUPPORTED, "the enclave insists on %s, which this device lacks",
			       flags & lacks & ATTR_KSS ? "KSS" : "AEX-notify");
	*out = (flags & ~lacks) | (debug ? ATTR_DEBUG : 0);
	return 0;
}

/*
 * The most of what the enclave wants that the device has and the enclave's SSA
 * frames can hold (SDM 38.7.2.2): leaving out the newest extensions first.
 */
static int select_xfrm(const struct dev_features *f, const struct image *im, uint32_t misc,
		       uint64_t *out, struct bawn_error *e)
{
	/* AMX, PKRU, AVX-512, MPX, AVX: what belongs together goes together. */
	static const uint64_t groups[] = { 0x60000, 0x200, 0xe0, 0x18, 0x04 };
	const struct isa_sigstruct *s = &im->sigstruct;
	uint64_t room = (uint64_t)im->ssaframesize * ISA_PAGE - sizeof(struct isa_gprsgx) -
			(misc & MISC_EXINFO ? sizeof(struct isa_exinfo) : 0);
	uint64_t xfrm = im->attributes.xfrm & f->xfrm;

	for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
		uint32_t size = isa_xsave_size(xfrm);

		if (size && size <= room)
			break;
		xfrm &= ~groups[i];
	}
	if ((xfrm ^ s->attributes.xfrm) & s->attributemask.xfrm)
		return err_set(e, BAWN_ERR_UNSUPPORTED,
			       "the enclave insists on XFRM 0x%llx under mask 0x%llx: only 0x%llx is possible",
			       (unsigned long long)s->attributes.xfrm,
			       (unsigned long long)s->attributemask.xfrm, (unsigned long long)xfrm);
	*out = xfrm;
	return 0;
}

static int make_secs(struct bawn_enclave *en, const struct image *im,
		     const struct bawn_options *opt, struct bawn_error *e)
{
	const struct isa_sigstruct *s = &im->sigstruct;
	const struct dev_features *f = &en->dev->features;
	struct isa_secs *secs = &en->secs;
	int r;

	*secs = (struct isa_secs){
		.size = im->size,
		.baseaddr = im->fixed_base ? im->elrange_base : 0,
		.ssaframesize = im->ssaframesize,
		.miscselect = f->miscselect & (s->miscselect | im->miscselect),
	};
	if ((secs->miscselect ^ s->miscselect) & s->miscmask)
		return err_set(e, BAWN_ERR_UNSUPPORTED,
			       "the enclave insists on MISCSELECT 0x%x, of which this device has 0x%x",
			       s->miscselect & s->miscmask, f->miscselect);
	r = select_flags(f, im, opt->debug, &secs->attributes.flags, e);
	if (!r)
		r = select_xfrm(f, im, secs->miscselect, &secs->attributes.xfrm, e);
	if (r)
		return r;
	if ((opt->config_id || opt->config_svn) && !(secs->attributes.flags & ATTR_KSS))
		return err_set(e, BAWN_ERR_UNSUPPORTED,
			       "a configuration id or SVN needs an enclave signed with KSS");
	if (opt->config_id)
		memcpy(secs->configid, opt->config_id, sizeof(secs->configid));
	secs->configsvn = opt->config_svn;
	if (secs->attributes.xfrm & UINT64_C(1) << XFRM_AMX_TILEDATA &&
	    syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFRM_AMX_TILEDATA) != 0)
		return err_sys(e, "asking the kernel for AMX state");
	return 0;
}

/* ---- EINIT ---- */

/*
 * Where the driver does not tell EINIT's status: the checks of EINIT by our
 * own hand, in its order, to find the one that failed.
 */
static void explain(const struct bawn_enclave *en, const struct image *im, struct bawn_error *e)
{
	const struct isa_sigstruct *s = &im->sigstruct;
	const struct isa_attributes *a = &en->secs.attributes;
	struct bawn_error why = { 0 };
	uint8_t measured[32];
	int r = image_sigstruct_check(s, &why);

	if (r == BAWN_ERR_FORMAT) {
		why.sgx_status = ISA_INVALID_SIG_STRUCT;
	} else if (r) {
		why.sgx_status = ISA_INVALID_SIGNATURE;
	} else if (!image_measure(im, measured, NULL) && !ct_equal(measured, s->enclavehash, 32)) {
		err_sgx(&why, ISA_INVALID_MEASUREMENT, "the measurement differs from the signed one");
	} else if (((a->flags ^ s->attributes.flags) & s->attributemask.flags & ~ATTR_INIT) ||
		   ((a->xfrm ^ s->attributes.xfrm) & s->attributemask.xfrm)) {
		err_sgx(&why, ISA_INVALID_ATTRIBUTE, "the signature does not allow these attributes");
	} else {
		return;
	}
	why.code = BAWN_ERR_SGX;
	why.sys_errno = e->sys_errno;
	err_context(&why, "EINIT refused");
	*e = why;
}

/* What a person can do about a status of EINIT. */
static const char *advice(uint32_t status, const struct bawn_enclave *en, const struct image *im,
			  const struct bawn_options *opt)
{
	switch (status) {
	case ISA_INVALID_SIG_STRUCT:
		/* A launch enclave's file embeds one for debugging that no CPU takes. */
		return opt->sigstruct ? "the SIGSTRUCT given is not one for EINIT" :
					"the file's SIGSTRUCT is not one for EINIT: give the one that "
					"belongs to it (--sigstruct)";
	case ISA_INVALID_ATTRIBUTE:
		if ((en->secs.attributes.flags & ~im->sigstruct.attributes.flags) & ATTR_DEBUG)
			return "it is signed for production: load it without debug";
		if (im->sigstruct.attributes.flags & im->sigstruct.attributemask.flags & ATTR_DEBUG)
			return "it is signed for debugging only: load it with debug";
		return "the signature or launch control does not allow its attributes";
	case ISA_INVALID_MEASUREMENT:
		return "the file was changed after it was signed";
	case ISA_INVALID_SIGNATURE:
		return "the signature does not hold";
	case ISA_INVALID_EINITTOKEN:
		return opt->token ? "the launch token is not for this enclave on this platform: get a new "
				    "one of the launch enclave" :
				    "launch control is locked here: give a token of the launch enclave "
				    "(--token)";
	}
	return NULL;
}

static int initialise(struct bawn_enclave *en, const struct image *im,
		      const struct bawn_options *opt, struct bawn_error *e)
{
	const struct dev_ops *ops = en->dev->ops;
	struct bawn_error why = { 0 };
	const char *text;
	int r;

	if (en->secs.attributes.flags & ATTR_PROVISIONKEY) {
		r = ops->allow_provision(en->dev, e);
		if (r)
			return r;
	}
	r = ops->init(en->dev, &im->sigstruct, opt->token, &why);
	if (!r)
		return 0;
	if (r == BAWN_ERR_SGX && why.sgx_status == 0)
		explain(en, im, &why);
	text = r == BAWN_ERR_SGX ? advice(why.sgx_status, en, im, opt) : NULL;
	if (e && !e->code) {
		*e = why;
		if (text && strlen(e->msg) + strlen(text) + 3 < sizeof(e->msg)) {
			strcat(e->msg, ": ");
			strcat(e->msg, text);
		}
	}
	return r;
}

/* ---- the steps ---- */

static int usable(const struct image *im, struct bawn_error *e)
{
	if (im->is_simulation)
		return err_set(e, BAWN_ERR_UNSUPPORTED, "built for simulation (g_global_data_sim): it never "
			       "executes EENTER; build it with SGX_MODE=HW");
	if (im->is_encrypted)
		return err_set(e, BAWN_ERR_UNSUPPORTED,
			       "an encrypted enclave (.pcltbl): the protected code loader is not supported");
	if (!im->has_sigstruct)
		return err_set(e, BAWN_ERR_FORMAT,
			       "the file is not signed: give its SIGSTRUCT separately, or sign it");
	return 0;
}

/*
 * Keys of a build tree lie where everybody can use them: what they signed is
 * nobody's in particular, and hardware's word for it would mislead.
 */
static int vetted(const struct bawn_enclave *en, const struct image *im,
		  const struct bawn_options *opt, struct bawn_error *e)
{
	if (en->dev->emulated || opt->allow_development ||
	    im->sigstruct.swdefined != ISA_SWDEFINED_DEVELOPMENT)
		return 0;
	return err_set(e, BAWN_ERR_DENIED, "signed with a development key: sign it with one that is "
		       "kept, or say allow_development (--allow-development)");
}

/* A signature from elsewhere; where the file has no metadata, it also says what to ask for. */
static void replace_sigstruct(struct image *im, const void *sigstruct)
{
	memcpy(&im->sigstruct, sigstruct, sizeof(im->sigstruct));
	im->has_sigstruct = true;
	if (im->format == IMAGE_SGXS) {
		im->attributes = im->sigstruct.attributes;
		im->miscselect = im->sigstruct.miscselect;
	}
}

static int add_pages(struct bawn_enclave *en, const struct image *im, struct bawn_error *e)
{
	for (size_t i = 0; i < im->nruns; i++) {
		const struct image_run *run = &im->runs[i];
		int r = en->dev->ops->add_pages(en->dev, run->offset, run->length, run->src, run->repeat,
						run->secinfo, run->measured, e);

		if (r)
			return r;
	}
	return 0;
}

static void fill_info(struct bawn_enclave *en, const struct image *im)
{
	struct bawn_enclave_info *i = &en->info;
	struct isa_secs *secs = &en->secs;

	memcpy(secs->mrenclave, im->sigstruct.enclavehash, 32);
	image_mrsigner(&im->sigstruct, secs->mrsigner);
	secs->isvprodid = im->sigstruct.isvprodid;
	secs->isvsvn = im->sigstruct.isvsvn;
	secs->attributes.flags |= ATTR_INIT;
	memcpy(i->mrenclave, secs->mrenclave, 32);
	memcpy(i->mrsigner, secs->mrsigner, 32);
	memcpy(i->configid, secs->configid, 64);
	i->attributes = secs->attributes.flags;
	i->xfrm = secs->attributes.xfrm;
	i->miscselect = secs->miscselect;
	i->isvprodid = secs->isvprodid;
	i->isvsvn = secs->isvsvn;
	i->configsvn = secs->configsvn;
	i->base = secs->baseaddr;
	i->size = secs->size;
	i->device = en->dev->ops->name;
	i->emulated = en->dev->emulated;
	i->dynamic_memory = en->edmm;
	i->threads = (uint32_t)im->ntcs;
}

/* Nanoseconds since *t, which moves on. */
static uint64_t lap(uint64_t *t)
{
	uint64_t before = *t;

	*t = clock_ns();
	return *t - before;
}

static int build(struct bawn_enclave *en, struct image *im, const struct bawn_options *opt,
		 uint64_t started, struct bawn_error *e)
{
	uint64_t t = started;
	int r;

	if (opt->sigstruct)
		replace_sigstruct(im, opt->sigstruct);
	r = usable(im, e);
	if (!r)
		r = vetted(en, im, opt, e);
	if (!r)
		r = make_secs(en, im, opt, e);
	if (!r)
		r = en->dev->ops->create(en->dev, &en->secs, e);
	en->info.create_ns = lap(&t);
	if (!r)
		r = add_pages(en, im, e);
	en->info.add_ns = lap(&t);
	if (!r)
		r = initialise(en, im, opt, e);
	en->info.einit_ns = lap(&t);
	if (r)
		return r;

	en->enter = en->dev->enter;
	en->edmm = en->dev->features.sgx2 && (im->metadata_version >> 32) % 10 == 3;
	en->bound = im->format == IMAGE_SDK && im->tcs_policy == 0;
	/* The kit's enclaves handle exceptions by an entry of their own in any case. */
	en->aexnotify = (en->secs.attributes.flags & ATTR_AEXNOTIFY) && !im->is_kit;
	fill_info(en, im);
	r = host_threads_init(en, im, e);
	if (!r)
		r = host_register(en, e);
	if (!r && !opt->no_init)
		r = host_start(en, im, e);
	en->info.init_ns = lap(&t);
	return r;
}

static void destroy(struct bawn_enclave *en)
{
	host_unregister(en);
	dev_free(&en->dev);
	free(en->slot);
	pthread_mutex_destroy(&en->making);
	free(en);
}

static int check_options(const struct bawn_options *opt, struct bawn_error *e)
{
	for (size_t i = 0; i < ARRAY_LEN(opt->reserved); i++)
		if (opt->reserved[i])
			return err_set(e, BAWN_ERR_USAGE, "bawn_options: start it as {0}");
	if (opt->ocall_count && !opt->ocalls)
		return err_set(e, BAWN_ERR_USAGE, "bawn_options: ocall_count without ocalls");
	return 0;
}

static struct bawn_enclave *allocate(const struct bawn_options *opt)
{
	struct bawn_enclave *en = calloc(1, sizeof(*en));

	if (!en)
		return NULL;
	pthread_mutex_init(&en->making, NULL);
	en->no_wait = opt->no_wait;
	en->no_init = opt->no_init;
	en->ocalls = opt->ocalls;
	en->ocall_count = opt->ocall_count;
	en->ocall_arg = opt->ocall_arg;
	en->exception = opt->exception;
	en->exception_arg = opt->exception_arg;
	return en;
}

int host_load_image(struct bawn_enclave **out, struct image *im, struct dev **dev,
		    const struct bawn_options *opt, uint64_t started, struct bawn_error *e)
{
	struct bawn_enclave *en = allocate(opt);
	int r;

	*out = NULL;
	if (!en) {
		dev_free(dev);
		return err_nomem(e);
	}
	en->dev = *dev;
	*dev = NULL;
	r = build(en, im, opt, started, e);
	if (r) {
		destroy(en);
		return r;
	}
	*out = en;
	return 0;
}

/* From a path, or from n bytes at file. */
static int load(struct bawn_enclave **out, const char *path, const void *file, size_t n,
		const struct bawn_options *opt, struct bawn_error *e)
{
	static const struct bawn_options defaults;
	struct image_open_options how = { 0 };
	uint64_t started = clock_ns();
	struct image *im = NULL;
	struct dev *dev = NULL;
	enum dev_kind kind;
	int r;

	*out = NULL;
	if (!opt)
		opt = &defaults;
	r = check_options(opt, e);
	if (!r)
		r = dev_kind_parse(opt->device, &kind, e);
	/* The device first: which of a file's layouts to take depends on it. */
	if (!r)
		r = dev_open(&dev, kind, opt->platform, e);
	if (r)
		return r;
	how.edmm = dev->features.sgx2;
	r = path ? image_open(&im, path, &how, e) : image_open_memory(&im, file, n, &how, e);
	if (!r)
		r = host_load_image(out, im, &dev, opt, started, e);
	image_free(&im);
	dev_free(&dev);
	return r;
}

int bawn_enclave_load(struct bawn_enclave **out, const char *path, const struct bawn_options *opt,
		      struct bawn_error *e)
{
	if (!path) {
		*out = NULL;
		return err_set(e, BAWN_ERR_USAGE, "no file to load");
	}
	return load(out, path, NULL, 0, opt, e);
}

int bawn_enclave_load_memory(struct bawn_enclave **out, const void *file, size_t n,
			     const struct bawn_options *opt, struct bawn_error *e)
{
	return load(out, NULL, file, n, opt, e);
}

void bawn_enclave_free(struct bawn_enclave **en)
{
	struct bawn_enclave *x = *en;
	struct host_slot *slot;
	uint64_t status;

	if (!x)
		return;
	*en = NULL;
	/* Enclaves that manage their memory run their destructors; others answer with an error. */
	slot = x->utility ? x->utility : &x->slot[0];
	if (x->edmm && !x->no_init && !host_alive(x, NULL))
		host_run(x, slot, HOST_UNINIT, NULL, &status, NULL);
	host_threads_end(x);
	destroy(x);
}

void bawn_enclave_info(const struct bawn_enclave *en, struct bawn_enclave_info *out)
{
	*out = en->info;
}

void bawn_enclave_targetinfo(const struct bawn_enclave *en, uint8_t out[512])
{
	struct isa_targetinfo t = {
		.attributes = en->secs.attributes,
		.miscselect = en->secs.miscselect,
		.configsvn = en->secs.configsvn,
	};

	_Static_assert(sizeof(t) == 512, "SDM 38.16");
	memcpy(t.measurement, en->secs.mrenclave, sizeof(t.measurement));
	memcpy(t.configid, en->secs.configid, sizeof(t.configid));
	memcpy(out, &t, sizeof(t));
}
