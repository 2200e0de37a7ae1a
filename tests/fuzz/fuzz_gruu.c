/* Addresses of one phone: any URI is read without harm, and of those that are made for any contact each leads back to it alone. */
#include <stdlib.h>

#include "server/location/gruu.h"
#include "inside.h"

static const uint8_t key[16] = "0123456789abcdef";

static void read_uri(struct td_str text, struct td_arena *arena)
{
	struct td_str aor = TD_STR_NULL;
	struct td_gruu g;
	struct td_uri uri;

	if (!td_uri_parse(&uri, text))
		td_gruu_read(&g, &aor, arena, key, &uri);
}

/* The URI in the n-th quoted-string behind "gruu=". */
static bool made(struct td_uri *out, struct td_str text, const char *kind)
{
	struct td_param p;

	return td_param_find(&p, text, td_str_of(kind)) && p.value.n > 2 &&
	       td_uri_parse(out, td_str_n(p.value.p + 1, p.value.n - 2)) == 0;
}

static void make(struct td_str params, struct td_arena *arena)
{
	static const struct td_str aor = TD_STR_INIT("alice@example.test");
	struct td_binding b = { .params = params, .call_id = TD_STR("c1") },
			  other = { .params = params, .call_id = TD_STR("c2") };
	struct td_str whose = TD_STR_NULL;
	struct td_instance i;
	struct td_param p;
	struct td_str rest = params;
	struct td_gruu g;
	struct td_uri uri;
	struct td_rng rng;
	struct td_out o;
	int got;

	while ((got = td_param_next(&p, &rest)) == 1)
		;
	if (got || !td_instance_of(&i, params)) /* location has parameters that parse alone */
		return;
	td_rng_init_seed(&rng, 1);
	td_out_init(&o);
	td_gruu_put(&o, key, &rng, aor, &b);
	must(!o.failed && o.n <= td_gruu_length(aor, &b));
	if (made(&uri, td_out_view(&o), "temp-gruu")) {
		must(td_gruu_read(&g, &whose, arena, key, &uri) == 0 && td_str_eq(whose, aor));
		must(td_gruu_is(&g, key, &b) && !td_gruu_is(&g, key, &other));
	}
	if (made(&uri, td_out_view(&o), "pub-gruu") && td_gruu_read(&g, &whose, arena, key, &uri) == 0)
		must(td_gruu_is(&g, key, &b) && td_gruu_is(&g, key, &other));
	td_out_free(&o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *own = own_copy(data, size);
	struct td_arena arena;

	if (!own)
		return 0;
	td_arena_init(&arena);
	read_uri(td_str_n(own, size), &arena);
	make(td_str_n(own, size), &arena);
	td_arena_reset(&arena);
	free(own);
	return 0;
}
