/* Enclaves made by bawnd's launch broker: loaded as ever, on a device that asks the service. */
#include "host/host.h"

#include <string.h>

static int launch(void *arg, const struct isa_secs *secs, const struct isa_sigstruct *s, int stream,
		  uint32_t pages, int *fd, struct bawn_error *e)
{
	struct wire_request q = { .head.type = WIRE_LAUNCH };
	struct wire_launch *l = &q.u.launch;
	struct wire_answer a;
	int r;

	*l = (struct wire_launch){
		.base = secs->baseaddr,
		.size = secs->size,
		.attributes = secs->attributes.flags,
		.xfrm = secs->attributes.xfrm,
		.ssaframesize = secs->ssaframesize,
		.miscselect = secs->miscselect,
		.config_svn = secs->configsvn,
		.pages = pages,
		.sigstruct = *s,
	};
	memcpy(l->config_id, secs->configid, sizeof(l->config_id));
	r = client_call(arg, &q, stream, &a, fd, e);
	if (r == 0 && *fd < 0)
		return err_set(e, BAWN_ERR_FORMAT, "the service answers without an enclave");
	return r;
}

int bawn_client_launch(struct bawn_client *c, const char *path, const struct bawn_options *opt,
		       struct bawn_enclave **out, struct bawn_error *e)
{
	static const struct bawn_options defaults;
	const struct dev_broker broker = { .launch = launch, .arg = c };
	const struct image_open_options how = { .edmm = false };
	uint64_t started = clock_ns();
	struct image *im = NULL;
	struct dev *dev = NULL;
	int r;

	*out = NULL;
	if (!opt)
		opt = &defaults;
	if (!path)
		return err_set(e, BAWN_ERR_USAGE, "no file to load");
	r = dev_open_brokered(&dev, &broker, client_hello(c)->emulated, opt->platform, e);
	if (r)
		return r;
	dev->features.sgx2 = false;
	r = image_open(&im, path, &how, e);
	if (!r)
		r = host_load_image(out, im, &dev, opt, started, e);
	image_free(&im);
	dev_free(&dev);
	return r;
}
