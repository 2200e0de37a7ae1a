/*
 * Packing. A million contacts must fit in little memory, so an address of record is one block: no pointer per field, the
 * flow in as many bytes as it needs.
 */
#include <stdlib.h>
#include "server/location/internal.h"

struct packed {
	uint32_t expires_at_s;   /* until 2106 */
	uint32_t stored_until_s; /* what its row says */
	uint32_t cseq;
	int16_t q;
	uint16_t contact_n, params_n, call_id_n;
	uint8_t agent_n;
	uint8_t ending; /* is its phone told when it ends? */
	uint8_t flow_n; /* with HAS_PATH, when the length and the bytes of a Path follow the flow */
} __attribute__((packed));

enum { HAS_PATH = 0x80 };
enum { NOBODY_TOLD, TO_BE_TOLD, TOLD };

static uint32_t clip_time(uint64_t s)
{
	return s < UINT32_MAX ? (uint32_t)s : UINT32_MAX;
}

static char *put(char *p, struct td_str s)
{
	if (s.n)
		memcpy(p, s.p, s.n);
	return p + s.n;
}

static size_t agent_length(struct td_str agent)
{
	return agent.n < LOC_MAX_AGENT ? agent.n : LOC_MAX_AGENT;
}

enum { SHARE = 5, OF = 8 };

uint64_t stored_expiry(uint64_t expires_at_s, uint64_t wall_s)
{
	return expires_at_s > wall_s ? expires_at_s + (expires_at_s - wall_s) * SHARE / OF : expires_at_s;
}

static char *put_binding(char *p, const struct td_binding *b, uint64_t stored_until_s)
{
	uint8_t flow[TD_FLOW_PACKED_MAX];
	struct packed h = {
		.expires_at_s = clip_time(b->expires_at_s),
		.stored_until_s = clip_time(stored_until_s),
		.cseq = b->cseq,
		.q = b->q,
		.ending = !b->wakes ? NOBODY_TOLD
			  : b->told ? TOLD
				    : TO_BE_TOLD,
		.contact_n = (uint16_t)b->contact.n,
		.params_n = (uint16_t)b->params.n,
		.call_id_n = (uint16_t)b->call_id.n,
		.agent_n = (uint8_t)agent_length(b->user_agent),
	};
	uint16_t path_n = (uint16_t)b->path.n;
	size_t flow_n = td_flow_pack(flow, &b->flow);

	h.flow_n = (uint8_t)(flow_n | (path_n ? HAS_PATH : 0));
	memcpy(p, &h, sizeof(h));
	p = put(p + sizeof(h), td_str_n((char *)flow, flow_n));
	if (path_n)
		p = put(put(p, td_str_n((char *)&path_n, sizeof(path_n))), b->path);
	p = put(p, b->contact);
	p = put(p, b->params);
	p = put(p, b->call_id);
	return put(p, td_str_n(b->user_agent.p, h.agent_n));
}

struct image *image_new(struct td_str aor, const struct td_binding *b, unsigned n, uint64_t id, uint64_t wall_s)
{
	size_t need = sizeof(struct image) + aor.n;
	struct image *im;
	char *p;

	for (unsigned i = 0; i < n; i++) {
		uint8_t flow[TD_FLOW_PACKED_MAX];
		need += sizeof(struct packed) + b[i].contact.n + b[i].params.n + b[i].call_id.n + agent_length(b[i].user_agent) +
			td_flow_pack(flow, &b[i].flow) + (b[i].path.n ? sizeof(uint16_t) + b[i].path.n : 0);
	}
	im = malloc(need);
	if (!im)
		return NULL;
	memset(im, 0, sizeof(*im));
	atomic_init(&im->refs, 1);
	im->id = id;
	im->binding_n = (uint16_t)n;
	im->aor_n = (uint16_t)aor.n;
	p = put(im->bytes, aor);
	for (unsigned i = 0; i < n; i++)
		p = put_binding(p, &b[i], stored_expiry(b[i].expires_at_s, wall_s));
	return im;
}

static bool same(const char **p, size_t n, const void *v, size_t v_n)
{
	bool eq = n == v_n && (n == 0 || memcmp(*p, v, n) == 0);

	*p += n;
	return eq;
}

/* Takes the Path off, which stands behind the flow. */
static struct td_str take_path(const char **p)
{
	struct td_str path;
	uint16_t n;

	memcpy(&n, *p, sizeof(n));
	path = td_str_n(*p + sizeof(n), n);
	*p = path.p + n;
	return path;
}

/* *p: behind the flow at first, behind the binding afterwards. */
static bool is_refresh(const char **p, const struct packed *h, const struct td_loc_update *up)
{
	const struct td_loc_change *c = up->changes;
	bool eq = !(h->flow_n & HAS_PATH) && !up->path.n;

	if (!eq)
		eq = td_str_eq(h->flow_n & HAS_PATH ? take_path(p) : TD_STR_NULL, up->path);
	eq &= same(p, h->contact_n, c->contact.p, c->contact.n);
	eq &= same(p, h->params_n, c->params.p, c->params.n);
	eq &= same(p, h->call_id_n, up->call_id.p, up->call_id.n);
	return same(p, h->agent_n, up->user_agent.p, agent_length(up->user_agent)) && eq;
}

/* Does the row of a binding say enough of it, refreshed until `until`? */
static bool is_stored(const struct packed *h, const char *kept_flow, const uint8_t *flow, const struct td_loc_change *c,
		      uint32_t until)
{
	return until >= h->expires_at_s && until <= h->stored_until_s && c->q == h->q &&
	       memcmp(kept_flow, flow, h->flow_n & ~HAS_PATH) == 0;
}

enum image_refresh image_refresh(struct image *im, const struct td_loc_update *up, uint64_t wall_s, bool durable)
{
	const struct td_loc_change *c = up->changes;
	const char *p = im->bytes + im->aor_n;
	uint8_t flow[TD_FLOW_PACKED_MAX];
	struct packed h;
	size_t flow_n;

	if (up->kind != TD_LOC_UPDATE || up->change_n != 1 || !c->expires_s ||
	    atomic_load_explicit(&im->refs, memory_order_acquire) != 1)
		return IMAGE_OTHER;
	flow_n = td_flow_pack(flow, &up->flow);
	for (unsigned i = 0; i < im->binding_n; i++) {
		char *at = im->bytes + (p - im->bytes);

		memcpy(&h, p, sizeof(h));
		p += sizeof(h) + (h.flow_n & ~HAS_PATH);
		if (!is_refresh(&p, &h, up))
			continue;
		if (h.expires_at_s <= wall_s || up->cseq <= h.cseq || flow_n != (h.flow_n & ~HAS_PATH))
			return IMAGE_OTHER;
		uint8_t ending = c->wakes ? TO_BE_TOLD : NOBODY_TOLD;
		uint32_t before = h.ending == ending ? h.expires_at_s : UINT32_MAX, until = clip_time(wall_s + c->expires_s);
		if (durable && !is_stored(&h, at + sizeof(h), flow, c, until))
			return IMAGE_OTHER;
		h.expires_at_s = until;
		h.cseq = up->cseq;
		h.q = c->q;
		h.ending = ending;
		memcpy(at, &h, sizeof(h));
		memcpy(at + sizeof(h), flow, flow_n);
		return h.expires_at_s < before ? IMAGE_SHORTENED : IMAGE_REFRESHED;
	}
	return IMAGE_OTHER;
}

struct image *image_ref(struct image *im)
{
	if (im)
		atomic_fetch_add_explicit(&im->refs, 1, memory_order_relaxed);
	return im;
}

void image_unref(struct image *im)
{
	if (im && atomic_fetch_sub_explicit(&im->refs, 1, memory_order_acq_rel) == 1)
		free(im);
}

struct td_str image_aor(const struct image *im)
{
	return td_str_n(im->bytes, im->aor_n);
}

static struct td_str take(const char **p, size_t n)
{
	struct td_str s = { *p, n };

	*p += n;
	return s;
}

/* *at: the index of the next binding in the upper half, its offset in the lower. */
bool image_next(struct td_binding *out, const struct image *im, size_t *at)
{
	size_t index = *at >> 32, offset = *at & UINT32_MAX;
	struct packed h;

	if (index >= im->binding_n)
		return false;
	if (index == 0)
		offset = im->aor_n;
	const char *p = im->bytes + offset;
	memcpy(&h, p, sizeof(h));
	p += sizeof(h);
	td_flow_unpack(&out->flow, (const uint8_t *)p, h.flow_n & ~HAS_PATH);
	p += h.flow_n & ~HAS_PATH;
	out->path = h.flow_n & HAS_PATH ? take_path(&p) : (struct td_str){ 0 };
	out->contact = take(&p, h.contact_n);
	out->params = take(&p, h.params_n);
	out->call_id = take(&p, h.call_id_n);
	out->user_agent = take(&p, h.agent_n);
	out->cseq = h.cseq;
	out->q = h.q;
	out->wakes = h.ending != NOBODY_TOLD;
	out->told = h.ending == TOLD;
	out->expires_at_s = h.expires_at_s;
	*at = (index + 1) << 32 | (size_t)(p - im->bytes);
	return true;
}

static uint64_t due_of(const struct packed *h)
{
	return h->ending == TO_BE_TOLD && h->expires_at_s > TD_LOC_ENDING_S ? h->expires_at_s - TD_LOC_ENDING_S : h->expires_at_s;
}

/* The head of the binding that image_next() is to show next. */
static size_t head_at(const struct image *im, size_t at)
{
	return at >> 32 ? at & UINT32_MAX : im->aor_n;
}

uint64_t image_due(const struct image *im)
{
	struct td_binding b;
	uint64_t due = UINT64_MAX;
	size_t at = 0, head = head_at(im, at);
	struct packed h;

	while (image_next(&b, im, &at)) {
		memcpy(&h, im->bytes + head, sizeof(h));
		due = due_of(&h) < due ? due_of(&h) : due;
		head = head_at(im, at);
	}
	return due;
}

void image_tell_ending(struct image *im, uint64_t wall_s, td_loc_ending_fn *fn, void *arg)
{
	struct td_binding b;
	size_t at = 0, head = head_at(im, at);
	struct packed h;

	if (atomic_load_explicit(&im->refs, memory_order_acquire) != 1)
		return;
	for (; image_next(&b, im, &at); head = head_at(im, at)) {
		memcpy(&h, im->bytes + head, sizeof(h));
		if (h.ending != TO_BE_TOLD || due_of(&h) > wall_s)
			continue;
		if (h.expires_at_s > wall_s && fn && !fn(arg, image_aor(im), &b))
			continue;
		h.ending = TOLD;
		memcpy(im->bytes + head, &h, sizeof(h));
	}
}
