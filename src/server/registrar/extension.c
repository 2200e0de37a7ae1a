/*
 * What a REGISTER may ask for beyond RFC 3261, by option tag and by header field. A request without any of it costs the look for
 * three fields.
 */
#include "server/registrar/internal.h"

/* Those a REGISTER may require of us. */
static const struct td_str known[] = { TD_STR_INIT("gruu"), TD_STR_INIT("outbound"), TD_STR_INIT("path") };

static bool is_known(struct td_str tag)
{
	for (size_t i = 0; i < TD_ARRAY_LEN(known); i++)
		if (td_str_ieq(tag, known[i]))
			return true;
	return false;
}

struct verdict unsupported(struct td_msg *msg, struct td_str tag)
{
	struct verdict v = no(420, TD_STR_NULL);
	struct td_out o;

	td_out_init(&o);
	td_put_hdr(&o, TD_HDR_UNSUPPORTED, tag);
	if (o.failed || td_arena_dup(&v.extra, &msg->arena, td_out_view(&o)))
		v = no(500, TD_STR_NULL);
	td_out_free(&o);
	return v;
}

TD_RARE static struct verdict check_require(struct td_msg *msg)
{
	struct verdict v = no(420, TD_STR_NULL);
	struct td_values it;
	struct td_str tag;
	struct td_out o;
	int got;

	td_out_init(&o);
	td_values_of(&it, msg, TD_HDR_REQUIRE);
	while ((got = td_values_next(&tag, &it)) == 1)
		if (!is_known(tag))
			td_put_hdr(&o, TD_HDR_UNSUPPORTED, tag);
	if (got < 0)
		v = no(400, TD_STR("Bad Require"));
	else if (o.n == 0 && !o.failed)
		v = fine;
	else if (o.failed || td_arena_dup(&v.extra, &msg->arena, td_out_view(&o)))
		v = no(500, TD_STR_NULL);
	td_out_free(&o);
	return v;
}

struct extension *extension_new(struct td_msg *msg)
{
	struct extension *x = td_arena_alloc(&msg->arena, sizeof(*x));

	if (x)
		*x = (struct extension){ 0 };
	return x;
}

TD_RARE struct verdict read_extension(struct extension **out, const struct td_core *core, struct td_msg *msg)
{
	bool path = td_msg_hdr(msg, TD_HDR_PATH), gruu = td_msg_has_token(msg, TD_HDR_SUPPORTED, TD_STR("gruu"));
	struct verdict v = fine;
	struct extension *x;

	if (td_msg_hdr(msg, TD_HDR_REQUIRE))
		v = check_require(msg);
	if (v.status || (!path && !gruu && !core->cfg->service_routes))
		return v;
	x = extension_new(msg);
	if (!x)
		return no(500, TD_STR_NULL);
	x->gruu = gruu;
	if (path)
		v = read_path(&x->path, core, msg);
	*out = x;
	return v;
}

size_t extension_lines_length(const struct extension *x)
{
	return sizeof("Path: \r\nRequire: outbound\r\nService-Route: \r\n") + x->path.n + x->service_route.n + x->feature_caps.n;
}

void put_extension_lines(struct td_out *o, const struct extension *x)
{
	if (x->path.n)
		td_put_hdr(o, TD_HDR_PATH, x->path);
	if (x->service_route.n)
		td_put_hdr(o, TD_HDR_SERVICE_ROUTE, x->service_route);
	td_out_str(o, x->feature_caps);
	if (x->outbound) /* §6: "Provided that the UAC had included an outbound option-tag" */
		td_out_str(o, TD_STR("Require: outbound\r\n"));
}

struct verdict extension_of_address(struct extension *x, const struct td_core *core, struct td_msg *msg, struct td_str aor)
{
	const char *at = memrchr(aor.p, '@', aor.n);
	const struct td_domain *d = at ? td_config_domain(core->cfg, td_str_n(at + 1, (size_t)(aor.p + aor.n - at - 1))) : NULL;

	x->aor = aor;
	if (!d || !d->service_route.n)
		return fine;
	/* another configuration may be there when it is answered */
	return td_arena_dup(&x->service_route, &msg->arena, d->service_route) ? no(500, TD_STR_NULL) : fine;
}
