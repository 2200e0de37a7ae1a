/* Writing a description: RFC 8866 §5 in its order, whatever order the lines came in. */
#include "internal.h"

static void put_conn(struct td_out *o, const struct td_sdp_conn *c)
{
	td_out_z(o, "c=");
	td_out_str(o, c->net_type);
	td_out_char(o, ' ');
	td_out_str(o, c->addr_type);
	td_out_char(o, ' ');
	td_out_str(o, c->addr);
	if (c->has_ttl) {
		td_out_char(o, '/');
		td_out_u64(o, c->ttl);
	}
	if (c->count) {
		td_out_char(o, '/');
		td_out_u64(o, c->count);
	}
	td_out_z(o, "\r\n");
}

static void put_line(struct td_out *o, const struct td_sdp_line *l)
{
	td_out_char(o, l->type);
	td_out_char(o, '=');
	if (l->type == 'a') {
		td_out_str(o, l->name);
		if (l->has_value)
			td_out_char(o, ':');
	}
	td_out_str(o, l->value);
	td_out_z(o, "\r\n");
}

/* Lines of these types, in the order they have: r= stays behind its t=. */
static void put_types(struct td_out *o, const struct td_sdp_line *l, const char *types)
{
	for (; l; l = l->next)
		if (strchr(types, l->type))
			put_line(o, l);
}

/* What §5 does not know at this place: in front of the attributes. */
static void put_unknown(struct td_out *o, const struct td_sdp_line *l, const char *known)
{
	for (; l; l = l->next)
		if (!strchr(known, l->type))
			put_line(o, l);
}

static void put_origin(struct td_out *o, const struct td_sdp_origin *g)
{
	const struct td_str parts[] = { g->user, g->session_id, g->version, g->net_type, g->addr_type, g->addr };
	size_t i;

	td_out_z(o, "o=");
	if (!g->addr.n) {
		td_out_str(o, g->raw);
	} else {
		for (i = 0; i < TD_ARRAY_LEN(parts); i++) {
			if (i)
				td_out_char(o, ' ');
			td_out_str(o, parts[i]);
		}
	}
	td_out_z(o, "\r\n");
}

static void put_media(struct td_out *o, const struct td_sdp_media *m)
{
	const struct td_sdp_conn *c;
	size_t i;

	td_out_z(o, "m=");
	td_out_str(o, m->kind);
	td_out_char(o, ' ');
	td_out_u64(o, m->port);
	if (m->port_count) {
		td_out_char(o, '/');
		td_out_u64(o, m->port_count);
	}
	td_out_char(o, ' ');
	td_out_str(o, m->proto);
	for (i = 0; i < m->n_formats; i++) {
		td_out_char(o, ' ');
		td_out_str(o, m->formats[i]);
	}
	td_out_z(o, "\r\n");
	put_types(o, m->lines.first, "i");
	for (c = m->conns; c; c = c->next)
		put_conn(o, c);
	put_types(o, m->lines.first, "b");
	put_types(o, m->lines.first, "k");
	put_unknown(o, m->lines.first, "ibka");
	put_types(o, m->lines.first, "a");
}

void td_sdp_print(struct td_out *o, const struct td_sdp *sdp)
{
	static const char *const before_conn[] = { "i", "u", "e", "p" };
	static const char *const after_conn[] = { "b", "trz", "k" };
	const struct td_sdp_media *m;
	size_t i;

	td_out_z(o, "v=0\r\n");
	if (sdp->has_origin)
		put_origin(o, &sdp->origin);
	if (sdp->has_name) {
		td_out_z(o, "s=");
		td_out_str(o, sdp->name);
		td_out_z(o, "\r\n");
	}
	for (i = 0; i < TD_ARRAY_LEN(before_conn); i++)
		put_types(o, sdp->lines.first, before_conn[i]);
	if (sdp->conn)
		put_conn(o, sdp->conn);
	for (i = 0; i < TD_ARRAY_LEN(after_conn); i++)
		put_types(o, sdp->lines.first, after_conn[i]);
	put_unknown(o, sdp->lines.first, "iuepbtrzka");
	put_types(o, sdp->lines.first, "a");
	for (m = sdp->media; m; m = m->next)
		put_media(o, m);
}
