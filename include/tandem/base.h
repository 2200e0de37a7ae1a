/*
 * base: what everything stands on. Views of text, arenas, counted buffers, a keyed hash map, output strings,
 * random numbers, structured log. Nothing here knows SIP, time or sockets.
 */
#ifndef TANDEM_BASE_H
#define TANDEM_BASE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
#include <atomic>
#define TD_ATOMIC(type) std::atomic<type>
extern "C" {
#else
#include <stdatomic.h>
#define TD_ATOMIC(type) _Atomic(type)
#endif

/* ---- errors: 0, one of these, or -errno ---- */

enum td_err {
	TD_ESYNTAX = -4001,      /* the text does not follow its grammar */
	TD_EMORE = -4002,        /* incomplete: more bytes are needed (streams) */
	TD_ELIMIT = -4003,       /* a size or count limit was passed */
	TD_ENOTFOUND = -4004,    /* no such thing */
	TD_EEXIST = -4005,       /* it is there already */
	TD_EDENIED = -4006,      /* not allowed */
	TD_ETIMEOUT = -4007,     /* no answer in time */
	TD_ECLOSED = -4008,      /* the other side, or we, closed it */
	TD_EFULL = -4009,        /* a bounded queue is full */
	TD_EUNSUPPORTED = -4010, /* understood, but not supported */
	TD_EORDER = -4011,       /* out of order (an older CSeq, a wrong state) */
	TD_ETLS = -4012,         /* the two sides could not agree on how to speak TLS */
	TD_ECERT = -4013,        /* a certificate nobody we believe has signed, or one that has expired */
	TD_ENAME = -4014,        /* a certificate of somebody else than was asked for */
};

/* One sentence for a code above or a -errno. Static text. */
const char *td_strerror(int err);

/* ---- views ---- */

/* A view of bytes somebody else owns. p may be NULL when n is 0. */
struct td_str {
	const char *p;
	size_t n;
};

#define TD_STR(lit) ((struct td_str){ (lit), sizeof(lit) - 1 })
#define TD_STR_INIT(lit)               \
	{                              \
		(lit), sizeof(lit) - 1 \
	}
#define TD_STR_NULL ((struct td_str){ NULL, 0 })
#define TD_FMT(s) (int)(s).n, (s).p ? (s).p : "" /* for "%.*s" */
/* For large variables on the stack that are written before they are read: the compiler clears all others (see meson.build). */
#define TD_UNINIT __attribute__((uninitialized))
/* What few messages need: it stands apart from what all need, and is written small. */
#define TD_RARE __attribute__((cold, noinline))
#define TD_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define TD_CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

static inline struct td_str td_str_of(const char *z)
{
	return (struct td_str){ z, z ? strlen(z) : 0 };
}

static inline struct td_str td_str_n(const char *p, size_t n)
{
	return (struct td_str){ p, n };
}

static inline bool td_str_eq(struct td_str a, struct td_str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline char td_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

bool td_str_ieq(struct td_str a, struct td_str b); /* ASCII, case-insensitive */
int td_str_cmp(struct td_str a, struct td_str b);  /* bytewise, shorter first */
bool td_str_starts(struct td_str s, struct td_str prefix);
bool td_str_ends(struct td_str s, struct td_str suffix);
bool td_str_istarts(struct td_str s, struct td_str prefix);
struct td_str td_str_trim(struct td_str s);                /* without SP, HTAB, CR, LF at both ends */
const char *td_str_chr(struct td_str s, char c);           /* NULL if absent */
struct td_str td_str_split(struct td_str *rest, char sep); /* takes up to sep off *rest; rest->p NULL at the end */
/* Decimal digits only, whole view, at most max. TD_ESYNTAX, or TD_ELIMIT when it is greater than max. */
int td_str_u64(uint64_t *out, struct td_str s, uint64_t max);
int td_str_u32(uint32_t *out, struct td_str s);
/* Equal in time that depends on the lengths alone: for secrets. */
bool td_str_eq_secret(struct td_str a, struct td_str b);

/* ---- reading position: `bad` sticks once set (style.md) ---- */

struct td_cur {
	const char *p, *end;
	bool bad;
	unsigned slack; /* so many bytes after end may be looked at too, as a scan in steps of sixteen does; they are not read */
};

static inline struct td_cur td_cur_of(struct td_str v)
{
	return (struct td_cur){ v.p, v.n ? v.p + v.n : v.p, false, 0 };
}

static inline bool td_cur_done(const struct td_cur *c)
{
	return c->bad || c->p >= c->end;
}

/* ---- counted buffers: bytes shared between a receiver, transactions and connections, across threads ---- */

struct td_buf {
	TD_ATOMIC(uint32_t) refs;
	uint32_t size; /* capacity of data */
	uint32_t len;  /* bytes used */
	char data[];
};

/* A large table of zeros in pages of its own: one that was not written to yet costs nothing. dense: all of it will be used, at random;
 * large pages, where there are, spare the processor half of the way to each line. NULL when there is no room for it. */
void *td_table_new(size_t bytes, bool dense);
void td_table_free(void *table, size_t bytes); /* NULL is ignored */

/* New buffer with one reference and len 0; NULL when memory is out (or size needs more than 32 bits). */
struct td_buf *td_buf_new(size_t size);
struct td_buf *td_buf_copy(struct td_str bytes);
struct td_buf *td_buf_ref(struct td_buf *b);
void td_buf_unref(struct td_buf *b); /* NULL is ignored; the last reference frees */

static inline struct td_str td_buf_str(const struct td_buf *b)
{
	return (struct td_str){ b->data, b->len };
}

/* ---- arena: many small pieces that die together ---- */

struct td_arena {
	struct td_arena_chunk *chunks;
	char *p, *end;
	char *own, *own_end; /* the caller's memory, if any: where a reset goes back to */
};

void td_arena_init(struct td_arena *a);
/* Starts in memory of the caller's (on the stack, or at the end of a struct); it is not freed by the arena. */
void td_arena_init_with(struct td_arena *a, void *mem, size_t n);
void *td_arena_alloc(struct td_arena *a, size_t n); /* 8-aligned, not cleared; NULL when memory is out */
void *td_arena_zalloc(struct td_arena *a, size_t n);
int td_arena_dup(struct td_str *out, struct td_arena *a, struct td_str s); /* -ENOMEM */
void td_arena_reset(struct td_arena *a);                                   /* frees everything; usable again */
void td_arena_wipe(struct td_str s); /* a key or password in an arena, before that is freed: nothing of it stays in memory */

/* ---- output string: grows; a failed allocation sticks in `failed` and later writes do nothing ---- */

struct td_out {
	char *p; /* a growing string's memory is not from malloc(3): td_out_free() or td_out_buf() ends it */
	size_t n, cap;
	bool failed, fixed;
};

void td_out_init(struct td_out *o);
/* Writes into memory of the caller's and fails, rather than grows, when it is full. */
void td_out_init_fixed(struct td_out *o, void *mem, size_t cap);
void td_out_free(struct td_out *o);
void td_out_wipe(struct td_out *o); /* the same of a key or password: nothing of it stays in memory */
/* Makes place for n more bytes without counting them. False, and failed, when there is none. */
bool td_out_reserve(struct td_out *o, size_t n);
char *td_out_room(struct td_out *o, size_t n); /* n bytes to fill at the end (already counted), or NULL */

/* What messages are written with, so here: most calls are a bound check and a copy of a few bytes known by their number. */
static inline void td_out_str(struct td_out *o, struct td_str s)
{
	if (!s.n || ((o->failed || s.n > o->cap - o->n) && !td_out_reserve(o, s.n)))
		return;
	memcpy(o->p + o->n, s.p, s.n);
	o->n += s.n;
}

static inline void td_out_z(struct td_out *o, const char *z)
{
	td_out_str(o, td_str_of(z));
}

static inline void td_out_char(struct td_out *o, char c)
{
	if ((!o->failed && o->n < o->cap) || td_out_reserve(o, 1))
		o->p[o->n++] = c;
}

void td_out_u64(struct td_out *o, uint64_t v);
void td_out_i64(struct td_out *o, int64_t v);
void td_out_hex(struct td_out *o, const void *bytes, size_t n); /* lower case */
/* printf(3); in a fixed string it wants one spare byte, for the terminator that vsnprintf writes. */
__attribute__((format(printf, 2, 3))) void td_out_fmt(struct td_out *o, const char *fmt, ...);

static inline struct td_str td_out_view(const struct td_out *o)
{
	return (struct td_str){ o->p, o->n };
}

/* What was written as a counted buffer (a growing string's own memory: nothing is copied); frees o. NULL when o had failed or
 * memory is out. */
struct td_buf *td_out_buf(struct td_out *o);

/* Appends what is still to be read there, at most `most` bytes. TD_ELIMIT: it is more; -errno; -ENOMEM. */
int td_read_all(struct td_out *o, int fd, size_t most);

/* ---- text codings ---- */

void td_hex_encode(char *out, const void *bytes, size_t n);     /* 2 * n digits, lower case */
int td_hex_decode(uint8_t *out, size_t out_n, struct td_str s); /* exactly out_n bytes, or TD_ESYNTAX */
void td_base64_encode(struct td_out *o, const void *bytes, size_t n);
/* RFC 4648 §4, padded, no line breaks, no stray bits: TD_ESYNTAX otherwise; -ENOMEM when o fails. */
int td_base64_decode(struct td_out *o, struct td_str s);

/* ---- random: getrandom(2), or a seed in simulations; one per loop, not shared between threads ---- */

struct td_rng {
	uint8_t pool[512];
	uint32_t used;
	uint64_t seed[4]; /* xoshiro256** when simulated */
	bool simulated;
};

void td_rng_init(struct td_rng *r); /* aborts when the kernel has no randomness */
void td_rng_init_seed(struct td_rng *r, uint64_t seed);
void td_rng_bytes(struct td_rng *r, void *out, size_t n);
uint64_t td_rng_u64(struct td_rng *r);
uint64_t td_rng_below(struct td_rng *r, uint64_t n);      /* 0..n-1, unbiased */
void td_rng_token(struct td_rng *r, char *out, size_t n); /* n characters of [0-9a-v]: 5 bits each; no terminator */

/* ---- keyed hash (SipHash-1-3) and map ---- */

struct td_hash_key {
	uint64_t k0, k1;
};

void td_hash_key_init(struct td_hash_key *key, struct td_rng *r);
uint64_t td_hash(const struct td_hash_key *key, const void *p, size_t n);
uint64_t td_hash_str(const struct td_hash_key *key, struct td_str s);
/* Of s and of what `before` is the hash of. */
uint64_t td_hash_on(const struct td_hash_key *key, uint64_t before, struct td_str s);

/* Several strings under one hash, each with its length, so that none runs into the next: add, add, end. */
struct td_hasher {
	uint64_t v[4];
};

void td_hasher_init(struct td_hasher *h, const struct td_hash_key *key);
void td_hasher_add(struct td_hasher *h, struct td_str s);
void td_hasher_add_u64(struct td_hasher *h, uint64_t n);
uint64_t td_hasher_end(struct td_hasher *h);

/*
 * Brings the line of the cache at p near. The empty asm is for gcc, which takes a function that does nothing else for one without
 * effect and leaves its calls out.
 */
static inline void td_fetch(const void *p)
{
	__builtin_prefetch(p);
	__asm__ volatile("" : : "r"(p));
}

/*
 * Intrusive hash map: an element embeds a node, the owner computes the hash with its own secret key and compares
 * elements itself. It grows a bucket per insertion, so no single insertion is long. One thread.
 */
struct td_map_node {
	struct td_map_node *next; /* of those who share a slot */
	uint64_t hash;
};

enum { TD_MAP_SLOTS = 7 };

/* What a look at one line of the processor's cache tells: who is here, and of most who are not, that they are not. */
struct td_map_bucket {
	uint8_t tags[8];               /* of each slot a byte of its hash, 0: free, 1: a chain; the last stands for no slot */
	uintptr_t slots[TD_MAP_SLOTS]; /* an element's address and, above it, more of its hash */
};

struct td_map {
	struct td_map_bucket *buckets, *old;
	size_t mask, old_mask, moved, count;
};

typedef bool td_map_eq_fn(const struct td_map_node *node, const void *key);

int td_map_init(struct td_map *m, size_t initial);        /* elements it will hold before it grows, about; -ENOMEM */
void td_map_free(struct td_map *m);                       /* the table; elements belong to the caller */
void td_map_fetch(const struct td_map *m, uint64_t hash); /* soon looked for or added: brings its bucket into the cache */
struct td_map_node *td_map_find(const struct td_map *m, uint64_t hash, td_map_eq_fn *eq, const void *key);
/* When the bucket has come: the element that seems to be meant, `bytes` from its node on. */
void td_map_approach(const struct td_map *m, uint64_t hash, size_t bytes);
void td_map_add(struct td_map *m, struct td_map_node *n, uint64_t hash); /* never fails: growth is put off when memory is out */
void td_map_del(struct td_map *m, struct td_map_node *n);                /* n must be in m */
/* Walks all elements; fn may delete the node it is given, nothing else. fn returns false to stop. */
void td_map_each(struct td_map *m, bool (*fn)(struct td_map_node *n, void *arg), void *arg);

/* ---- doubly linked list, intrusive ---- */

struct td_link {
	struct td_link *prev, *next;
};

static inline void td_list_init(struct td_link *head)
{
	head->prev = head->next = head;
}

static inline bool td_list_empty(const struct td_link *head)
{
	return head->next == head;
}

static inline bool td_link_on(const struct td_link *l)
{
	return l->next != NULL;
}

static inline void td_list_add_tail(struct td_link *head, struct td_link *l)
{
	l->prev = head->prev;
	l->next = head;
	head->prev->next = l;
	head->prev = l;
}

static inline void td_list_add_head(struct td_link *head, struct td_link *l)
{
	td_list_add_tail(head->next, l);
}

static inline void td_list_del(struct td_link *l) /* safe on a link that is on no list and zeroed */
{
	if (!l->next)
		return;
	l->prev->next = l->next;
	l->next->prev = l->prev;
	l->prev = l->next = NULL;
}

/* ---- log: one event a line, key=value, bytes from the wire escaped ---- */

enum td_kv_kind { TD_KV_STR, TD_KV_U64, TD_KV_I64, TD_KV_ERR };
enum td_log_level { TD_LOG_ERROR, TD_LOG_WARN, TD_LOG_INFO, TD_LOG_DEBUG };

struct td_kv {
	const char *key; /* NULL ends the list */
	enum td_kv_kind kind;
	struct td_str s;
	uint64_t u;
};

#define TD_KS(k, v)                                     \
	{                                               \
		.key = (k), .kind = TD_KV_STR, .s = (v) \
	}
#define TD_KZ(k, v)                                              \
	{                                                        \
		.key = (k), .kind = TD_KV_STR, .s = td_str_of(v) \
	}
#define TD_KU(k, v)                                     \
	{                                               \
		.key = (k), .kind = TD_KV_U64, .u = (v) \
	}
#define TD_KI(k, v)                                                        \
	{                                                                  \
		.key = (k), .kind = TD_KV_I64, .u = (uint64_t)(int64_t)(v) \
	}
#define TD_KERR(v)                                                           \
	{                                                                    \
		.key = "err", .kind = TD_KV_ERR, .u = (uint64_t)(int64_t)(v) \
	}

struct td_log; /* thread-safe; a line is written in one piece */

/* Called with the log's lock held: it must not log. line has no line end. */
typedef void td_log_sink_fn(void *arg, enum td_log_level level, struct td_str line);

typedef uint64_t td_log_clock_fn(void *arg); /* wall clock in ms since 1970 */

int td_log_open(struct td_log **out, enum td_log_level level, td_log_sink_fn *sink, void *arg); /* sink NULL: stderr */
void td_log_close(struct td_log *log);                                     /* writes what td_log_flush() would, due or not */
void td_log_set_clock(struct td_log *log, td_log_clock_fn *fn, void *arg); /* for simulations; before the first line */
void td_log_set_level(struct td_log *log, enum td_log_level level);
bool td_log_on(const struct td_log *log, enum td_log_level level); /* false for NULL */
/*
 * what: "room event", e.g. "registrar refused": our own text. Equal `what` above 20 lines a second is counted, and one
 * line tells how many there were. A value longer than 512 bytes is cut and followed by +N, the bytes left out.
 */
void td_log_write(struct td_log *log, enum td_log_level level, const char *what, const struct td_kv *kvs);
/* Writes the summaries whose second is over. Any line does so too; call it now and then so that none waits for a line. */
void td_log_flush(struct td_log *log);

#define td_log(log, level, what, ...)                                                                                    \
	do {                                                                                                             \
		if (td_log_on((log), (level)))                                                                           \
			td_log_write((log), (level), (what), (const struct td_kv[]){ __VA_ARGS__ __VA_OPT__(, ){ 0 } }); \
	} while (0)

#ifdef __cplusplus
}
#endif
#endif
