/* URIs: one that parses equals itself, keeps its user part through escaping, and its address of record is stable. */
#include <stdlib.h>

#include <tandem/sip.h>

#include "inside.h"

/* The address of record, read as a URI again, has itself as address of record, and the URI equals itself by it. */
static void stable_aor(const struct td_uri *u)
{
	struct td_out o, again;
	struct td_uri v;

	td_out_init(&o);
	td_out_init(&again);
	if (u->scheme != TD_SCHEME_TEL) {
		td_out_str(&o, u->scheme_name);
		td_out_char(&o, ':');
	}
	if (td_uri_aor(&o, u) == 0) {
		must(td_uri_parse(&v, td_out_view(&o)) == 0);
		if (u->scheme != TD_SCHEME_TEL) {
			td_out_str(&again, u->scheme_name);
			td_out_char(&again, ':');
		}
		must(td_uri_aor(&again, &v) == 0);
		must(td_str_eq(td_out_view(&o), td_out_view(&again)));
	}
	td_out_free(&o);
	td_out_free(&again);
}

static void user_kept(struct td_str user)
{
	struct td_out plain, escaped, again;

	td_out_init(&plain);
	td_out_init(&escaped);
	td_out_init(&again);
	if (td_unescape(&plain, user) == 0) {
		td_escape_user(&escaped, td_out_view(&plain));
		must(td_unescape(&again, td_out_view(&escaped)) == 0);
		must(td_str_eq(td_out_view(&again), td_out_view(&plain)));
	} else {
		must(plain.n == 0);
	}
	td_out_free(&plain);
	td_out_free(&escaped);
	td_out_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct td_str text = { (const char *)data, size }, rest;
	struct td_param p;
	struct td_uri u;
	int got;

	if (td_uri_parse(&u, text))
		return 0;
	must(td_str_eq(u.text, text));
	must(td_uri_eq(&u, &u));
	for (rest = u.params; (got = td_param_next(&p, &rest)) == 1;)
		;
	must(got == 0);
	if (u.scheme != TD_SCHEME_OTHER) {
		stable_aor(&u);
		user_kept(u.user);
	}
	return 0;
}
