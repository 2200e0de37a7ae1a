/*
 * Connections that phones keep open to be reached (RFC 5626 §6). A contact with an instance and a reg-id stands for one flow of one
 * phone: location keeps one binding for the two, whatever its URI is (location/plan.c). A reg-id that does not count is taken out, so
 * that one that is kept always means that.
 */
#include "server/registrar/internal.h"

static bool is_first_hop(const struct td_msg *msg)
{
	const struct td_hdr *via = td_msg_hdr(msg, TD_HDR_VIA);

	return !via->next && via->value_n == msg->via.text.n;
}

/* Did the proxy next to the phone say that it keeps the flow? It wrote the last value: each adds its own on top. */
static bool has_edge(struct td_str path)
{
	struct td_name_addr hop;
	struct td_str value, last = TD_STR_NULL;
	struct td_param p;

	while (td_list_next(&value, &path) == 1)
		last = value;
	return last.n && !td_name_addr_parse(&hop, last) && td_param_find(&p, hop.uri.params, TD_STR("ob"));
}

struct verdict read_flow(struct td_loc_change *c, struct extension **x, struct td_msg *msg)
{
	static const struct td_str ours[] = { TD_STR_INIT("pub-gruu"), TD_STR_INIT("temp-gruu") };
	bool supported, applies;
	struct td_instance i;
	struct td_param p;

	/* "A UA cannot suggest or otherwise provide" one (RFC 5627 §5.1) */
	if (params_without(&c->params, msg, ours, TD_ARRAY_LEN(ours)))
		return no(500, TD_STR_NULL);
	if (!td_param_find(&p, c->params, TD_STR("reg-id")))
		return fine;
	applies = td_instance_of(&i, c->params) && i.reg_id;
	supported = td_msg_has_token(msg, TD_HDR_SUPPORTED, TD_STR("outbound")) ||
		    td_msg_has_token(msg, TD_HDR_REQUIRE, TD_STR("outbound"));
	if (applies && !is_first_hop(msg) && !(*x && has_edge((*x)->path))) {
		if (supported)
			return no(439, TD_STR_NULL);
		applies = false;
	}
	if (!applies)
		return params_without(&c->params, msg, (const struct td_str[]){ TD_STR("reg-id") }, 1) ? no(500, TD_STR_NULL)
												       : fine;
	if (!*x)
		*x = extension_new(msg);
	if (!*x)
		return no(500, TD_STR_NULL);
	(*x)->outbound = supported;
	(*x)->flow = c->expires_s > 0 || (*x)->flow;
	return fine;
}

struct verdict check_flows(const struct td_loc_update *up, const struct extension *x)
{
	unsigned live = 0;

	for (unsigned i = 0; i < up->change_n; i++)
		live += up->changes[i].expires_s > 0;
	return x->flow && live > 1 ? no(400, TD_STR("One contact with reg-id at a time")) : fine;
}
