/* Which messages are wanted. Calls are remembered by the hash of their Call-ID, a few hundred at a time: who watches more, sees all. */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>

enum { WORDS_MAX = 16, CALLS = 512 };

struct td_trace_filter {
	struct td_str word[WORDS_MAX];
	unsigned n;
	uint64_t calls[CALLS]; /* 0: free */
	unsigned next;
	char text[];
};

int td_trace_filter_open(struct td_trace_filter **out, struct td_str words)
{
	struct td_trace_filter *f = calloc(1, sizeof(*f) + words.n);
	struct td_str rest, word;

	if (!f)
		return -ENOMEM;
	if (words.n)
		memcpy(f->text, words.p, words.n);
	rest = td_str_n(f->text, words.n);
	while (rest.p && rest.n) {
		word = td_str_split(&rest, ' ');
		if (!word.n)
			continue;
		if (f->n == WORDS_MAX) {
			free(f);
			return TD_ELIMIT;
		}
		f->word[f->n++] = word;
	}
	*out = f;
	return 0;
}

void td_trace_filter_close(struct td_trace_filter *f)
{
	free(f);
}

/* ---- words ---- */

static bool is_user(const struct td_uri *uri, struct td_str word)
{
	struct td_str name = td_str_split(&word, '@');

	return td_str_ieq(uri->user, name) && (!word.p || td_str_ieq(uri->host, word));
}

/* "486", "4xx" */
static bool is_status(unsigned status, struct td_str word)
{
	char digits[3] = { (char)('0' + status / 100 % 10), (char)('0' + status / 10 % 10), (char)('0' + status % 10) };

	if (word.n != 3)
		return false;
	for (size_t i = 0; i < 3; i++)
		if (word.p[i] != digits[i] && !(i && td_lower(word.p[i]) == 'x'))
			return false;
	return true;
}

static bool is_address(const struct td_addr *peer, struct td_str word)
{
	struct td_addr a;

	if (!td_ip_parse(&a, word))
		return td_ip_eq(&a, peer);
	return !td_addr_parse(&a, word) && td_addr_eq(&a, peer);
}

static bool fits(const struct td_trace_record *r, const struct td_msg *m, struct td_str word)
{
	const struct td_addr *peer = r->kind == TD_TRACE_NOTE ? &r->note.peer : &r->flow.peer;
	struct td_uri uri;

	if (peer->family != TD_AF_NONE && is_address(peer, word))
		return true;
	if (!m)
		return td_str_eq(r->call_id, word);
	if (m->request ? is_user(&m->ruri, word) : is_status(m->status, word))
		return true;
	return td_str_eq(m->call_id, word) || td_str_ieq(m->cseq.method_name, word) ||
	       (td_trace_party(&uri, m, TD_HDR_FROM) && is_user(&uri, word)) ||
	       (td_trace_party(&uri, m, TD_HDR_TO) && is_user(&uri, word));
}

/* ---- calls ---- */

static uint64_t hash_of(struct td_str call_id)
{
	static const struct td_hash_key key = { 0x7472616365, 0x66696c746572 };
	uint64_t h = td_hash_str(&key, call_id);

	return h ? h : 1;
}

static bool is_wanted(const struct td_trace_filter *f, uint64_t call)
{
	for (unsigned i = 0; i < CALLS && f->calls[i]; i++)
		if (f->calls[i] == call)
			return true;
	return false;
}

bool td_trace_filter_takes(struct td_trace_filter *f, const struct td_trace_record *r, const struct td_msg *m)
{
	struct td_str call_id = m ? m->call_id : r->call_id;
	uint64_t call = hash_of(call_id);

	if (call_id.n && f->n && is_wanted(f, call))
		return true;
	for (unsigned i = 0; i < f->n; i++)
		if (!fits(r, m, f->word[i]))
			return false;
	if (call_id.n && f->n) {
		f->calls[f->next] = call;
		f->next = (f->next + 1) % CALLS;
	}
	return true;
}
