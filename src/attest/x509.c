/* A walk through any X.509 certificate as far as its key and extensions, RFC 5280 section 4.1. */
#include "attest/attest.h"

bool attest_x509_read(struct cur der, struct cur *key_info, struct cur *extensions)
{
	struct cur cert, tbs, unused, wrapped;
	bool there;

	if (!der_get(&der, DER_SEQUENCE, &cert) || der.n || !der_get(&cert, DER_SEQUENCE, &tbs))
		return false;
	if (!der_get(&tbs, 0xa0, &unused) ||         /* version */
	    !der_get(&tbs, DER_INTEGER, &unused) ||  /* serial number */
	    !der_get(&tbs, DER_SEQUENCE, &unused) || /* signature algorithm */
	    !der_get(&tbs, DER_SEQUENCE, &unused) || /* issuer */
	    !der_get(&tbs, DER_SEQUENCE, &unused) || /* validity */
	    !der_get(&tbs, DER_SEQUENCE, &unused) || /* subject */
	    !der_get_whole(&tbs, DER_SEQUENCE, key_info) ||
	    !der_optional(&tbs, 0x81, &there, &unused) || /* unique identifiers */
	    !der_optional(&tbs, 0x82, &there, &unused))
		return false;
	return der_get(&tbs, 0xa3, &wrapped) && !tbs.n && der_get(&wrapped, DER_SEQUENCE, extensions) &&
	       !wrapped.n;
}

bool attest_x509_extension(struct cur extensions, const void *oid, size_t n, struct cur *value)
{
	*value = (struct cur){ 0 };
	while (extensions.n) {
		struct cur extension, id, body, critical;
		bool there;

		if (!der_get(&extensions, DER_SEQUENCE, &extension) ||
		    !der_get(&extension, DER_OID, &id) ||
		    !der_optional(&extension, DER_BOOLEAN, &there, &critical) ||
		    !der_get(&extension, DER_OCTET_STRING, &body) || extension.n)
			return false;
		if (!der_oid_is(id, oid, n))
			continue;
		if (value->p)
			return false;
		*value = body;
	}
	return true;
}
