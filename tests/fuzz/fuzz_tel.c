/* Telephone numbers: what is printed of one is one again and prints the same; what a tel URI says lies within it. */
#include <stdlib.h>

#include <tandem/sip.h>

#include "inside.h"

static void stable(struct td_str text)
{
	struct td_out one, two;

	td_out_init(&one);
	td_out_init(&two);
	if (td_tel_put(&one, text) == 0) {
		must(one.n > 0 && one.n <= text.n);
		must(td_tel_put(&two, td_out_view(&one)) == 0);
		must(td_str_eq(td_out_view(&one), td_out_view(&two)));
	} else {
		must(one.n == 0);
	}
	td_out_free(&one);
	td_out_free(&two);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct td_str text = { (const char *)data, size };
	struct td_tel t;
	struct td_uri u;

	stable(text);
	if (td_uri_parse(&u, text) || td_tel_of_uri(&t, &u))
		return 0;
	inside(text, t.number);
	inside(text, t.context);
	inside(text, t.ext);
	must(t.number.n > 0);
	must(t.global || t.context.n > 0);
	stable(t.number);
	return 0;
}
