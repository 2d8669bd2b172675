/* A desk's source of enclaves: files, by path or in memory. */
#include "ae/internal.h"
#include "dev/dev.h"
#include "image/image.h"

#include <string.h>

const char *ae_enclave_name(enum ae_enclave which)
{
	static const char *const names[AE_ENCLAVES] = { "launch", "provision", "quote", "ledger" };

	return names[which];
}

static bool configured(const struct ae_files *f, enum ae_enclave which, struct bawn_error *e)
{
	if (f->enclave[which].path || f->enclave[which].file)
		return true;
	err_set(e, BAWN_ERR_NOT_FOUND, "no %s enclave is configured", ae_enclave_name(which));
	return false;
}

static int load(void *arg, enum ae_enclave which, const struct isa_einittoken *token,
		struct bawn_enclave **out, struct bawn_error *e)
{
	const struct ae_files *f = arg;
	struct bawn_options opt = { .device = f->device, .platform = f->platform,
				    .allow_development = f->allow_development,
				    .sigstruct = f->enclave[which].sigstruct, .token = token };
	int rc;

	*out = NULL;
	if (!configured(f, which, e))
		return BAWN_ERR_NOT_FOUND;
	if (f->enclave[which].path)
		rc = bawn_enclave_load(out, f->enclave[which].path, &opt, e);
	else
		rc = bawn_enclave_load_memory(out, f->enclave[which].file, f->enclave[which].n, &opt, e);
	if (rc)
		err_context(e, "%s enclave", ae_enclave_name(which));
	return rc;
}

static int open_image(struct image **im, const struct ae_files *f, enum ae_enclave which,
		      const struct dev_features *features, struct bawn_error *e)
{
	const struct image_open_options how = { .edmm = features->sgx2 };

	if (f->enclave[which].path)
		return image_open(im, f->enclave[which].path, &how, e);
	return image_open_memory(im, f->enclave[which].file, f->enclave[which].n, &how, e);
}

/* SECS.ATTRIBUTES as loading will choose them: what the device has of what the file asks for. */
static void attributes_of(const struct image *im, const struct dev_features *features,
			  struct isa_attributes *out)
{
	out->flags = im->attributes.flags & ~(ATTR_INIT | ATTR_DEBUG);
	if (!features->kss)
		out->flags &= ~ATTR_KSS;
	if (!features->aexnotify)
		out->flags &= ~ATTR_AEXNOTIFY;
	out->xfrm = im->attributes.xfrm & features->xfrm;
}

static int identify(void *arg, enum ae_enclave which, struct ae_identity *out,
		    struct bawn_error *e)
{
	const struct ae_files *f = arg;
	struct image *im = NULL;
	struct dev *dev = NULL;
	enum dev_kind kind;
	int rc;

	if (!configured(f, which, e))
		return BAWN_ERR_NOT_FOUND;
	rc = dev_kind_parse(f->device, &kind, e);
	if (rc == 0)
		rc = dev_open(&dev, kind, f->platform, e);
	if (rc == 0)
		rc = open_image(&im, f, which, &dev->features, e);
	if (rc == 0 && f->enclave[which].sigstruct) {
		memcpy(&im->sigstruct, f->enclave[which].sigstruct, sizeof(im->sigstruct));
		im->has_sigstruct = true;
	}
	if (rc == 0 && !im->has_sigstruct)
		rc = err_set(e, BAWN_ERR_FORMAT, "%s enclave: the file is not signed", ae_enclave_name(which));
	if (rc == 0) {
		memcpy(out->mrenclave, im->sigstruct.enclavehash, sizeof(out->mrenclave));
		image_mrsigner(&im->sigstruct, out->mrsigner);
		attributes_of(im, &dev->features, &out->attributes);
	}
	image_free(&im);
	dev_free(&dev);
	return rc;
}

struct ae_source ae_files_source(const struct ae_files *files)
{
	return (struct ae_source){ .load = load, .identify = identify, .arg = (void *)(uintptr_t)files };
}
