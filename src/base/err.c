#include <tandem/base.h>

const char *td_strerror(int err)
{
	const char *text;

	switch (err) {
	case 0: return "no error";
	case TD_ESYNTAX: return "syntax error";
	case TD_EMORE: return "incomplete";
	case TD_ELIMIT: return "too large or too many";
	case TD_ENOTFOUND: return "not found";
	case TD_EEXIST: return "exists already";
	case TD_EDENIED: return "not allowed";
	case TD_ETIMEOUT: return "no answer in time";
	case TD_ECLOSED: return "closed";
	case TD_EFULL: return "queue is full";
	case TD_EUNSUPPORTED: return "not supported";
	case TD_EORDER: return "out of order";
	case TD_ETLS: return "the TLS handshake failed";
	case TD_ECERT: return "the certificate is not to be believed";
	case TD_ENAME: return "the certificate is for another name";
	}
	/* Unlike strerror(3): static text, no locale, so any thread may ask. */
	text = err < 0 && err > -4000 ? strerrordesc_np(-err) : NULL;
	return text ? text : "unknown error";
}
