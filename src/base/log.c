/*
 * Log: one event a line, `time level what key=value …`. Values come from the wire, so a value is written bare only when
 * it is printable ASCII without blank, quote or backslash; otherwise it is quoted, and whatever is not printable ASCII
 * becomes an escape. No CR, LF or terminal sequence gets through, so nobody forges a line.
 *
 * Floods: a small table counts lines per `what` and second. Above FLOOD_LINES they are only counted, and when their
 * second is over one line says how many there were.
 */
#include <tandem/base.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { FLOOD_LINES = 20, FLOOD_SLOTS = 64, FLOOD_PROBES = 8, VALUE_MAX = 512, LINE_MAX_BYTES = 8192 };

struct flood {
	uint64_t hash;                /* of what */
	uint64_t second, lines, more; /* since `second`: written, and counted only */
	enum td_log_level level;
	char what[48];
};

struct td_log {
	_Atomic int level;
	pthread_mutex_t lock; /* all below */
	td_log_sink_fn *sink;
	void *sink_arg;
	td_log_clock_fn *clock;
	void *clock_arg;
	unsigned pending; /* slots with more > 0 */
	uint64_t lost;    /* lines stderr did not take */
	struct flood floods[FLOOD_SLOTS];
};

static uint64_t wall_ms(void *arg)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* A log nobody reads (a full pipe) must not stop a worker: lines are counted as lost instead. */
static void to_stderr(struct td_log *log, struct td_str line)
{
	struct pollfd pfd = { .fd = STDERR_FILENO, .events = POLLOUT };

	if (poll(&pfd, 1, 0) != 1 || write(STDERR_FILENO, line.p, line.n) != (ssize_t)line.n)
		log->lost++;
}

static void out_value(struct td_out *o, struct td_str s)
{
	size_t cut = s.n > VALUE_MAX ? s.n - VALUE_MAX : 0;
	bool bare = s.n > 0;

	s.n -= cut;
	for (size_t i = 0; bare && i < s.n; i++)
		bare = s.p[i] > ' ' && s.p[i] < 0x7f && s.p[i] != '"' && s.p[i] != '\\';
	if (bare) {
		td_out_str(o, s);
	} else {
		td_out_char(o, '"');
		for (size_t i = 0; i < s.n; i++) {
			char c = s.p[i];

			if (c == '"' || c == '\\')
				td_out_fmt(o, "\\%c", c);
			else if (c == '\n' || c == '\r' || c == '\t')
				td_out_fmt(o, "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
			else if (c < ' ' || c >= 0x7f)
				td_out_fmt(o, "\\x%02x", (unsigned char)c);
			else
				td_out_char(o, c);
		}
		td_out_char(o, '"');
	}
	if (cut) {
		td_out_char(o, '+');
		td_out_u64(o, cut);
	}
}

static void out_kv(struct td_out *o, const struct td_kv *kv)
{
	td_out_char(o, ' ');
	td_out_z(o, kv->key);
	td_out_char(o, '=');
	switch (kv->kind) {
	case TD_KV_STR: out_value(o, kv->s); break;
	case TD_KV_U64: td_out_u64(o, kv->u); break;
	case TD_KV_I64: td_out_i64(o, (int64_t)kv->u); break;
	case TD_KV_ERR: out_value(o, td_str_of(td_strerror((int)(int64_t)kv->u))); break;
	}
}

static void out_time(struct td_out *o, uint64_t ms)
{
	time_t s = (time_t)(ms / 1000);
	struct tm tm = { 0 };

	gmtime_r(&s, &tm);
	td_out_fmt(o, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
		   tm.tm_sec, (int)(ms % 1000));
}

static void put_line(struct td_log *log, uint64_t ms, enum td_log_level level, const char *what, const struct td_kv *kvs)
{
	static const char *const names[] = { "error ", "warn ", "info ", "debug " };
	char mem[LINE_MAX_BYTES];
	struct td_out o;

	/* On the stack, so that "memory is out" can be logged when it is; a few bytes are kept for the end. */
	td_out_init_fixed(&o, mem, sizeof(mem) - 8);
	out_time(&o, ms);
	td_out_z(&o, names[level]);
	td_out_z(&o, what);
	for (; kvs && kvs->key; kvs++)
		out_kv(&o, kvs);
	if (o.failed) {
		memcpy(o.p + o.n, " ...", 4);
		o.n += 4;
	}
	if (log->sink) {
		log->sink(log->sink_arg, level, td_out_view(&o));
		return;
	}
	o.p[o.n++] = '\n';
	to_stderr(log, td_out_view(&o));
}

/* Ends a slot's count: says how many lines were left out, and frees the slot. */
static void flood_end(struct td_log *log, struct flood *f, uint64_t ms)
{
	uint64_t now_s = ms / 1000;
	const struct td_kv kvs[] = {
		TD_KU("more_like_this", f->more),
		TD_KU("in_s", now_s > f->second ? now_s - f->second : 1),
		{ 0 },
	};

	if (f->more) {
		log->pending--;
		put_line(log, ms, f->level, f->what, kvs);
	}
	*f = (struct flood){ 0 };
}

static struct flood *flood_slot(struct td_log *log, const char *what, uint64_t ms)
{
	static const struct td_hash_key key = { 0, 0 }; /* `what` is ours: no secret needed */
	struct td_str text = td_str_of(what);
	uint64_t hash = td_hash_str(&key, text) | 1;
	struct flood *f, *victim = NULL;

	for (unsigned i = 0; i < FLOOD_PROBES; i++) {
		f = &log->floods[((hash >> 32) + i) % FLOOD_SLOTS];
		if (f->hash == hash)
			return f;
		if (!victim || f->second < victim->second) /* an empty slot has second 0 */
			victim = f;
	}
	flood_end(log, victim, ms);
	victim->hash = hash;
	victim->second = ms / 1000;
	if (text.n > sizeof(victim->what) - 1)
		text.n = sizeof(victim->what) - 1;
	memcpy(victim->what, text.p, text.n);
	return victim;
}

/* A second that is not this one is over, also when the wall clock was put back. */
static void flush_due(struct td_log *log, uint64_t ms)
{
	for (size_t i = 0; log->pending && i < FLOOD_SLOTS; i++) {
		if (log->floods[i].more && log->floods[i].second != ms / 1000)
			flood_end(log, &log->floods[i], ms);
	}
}

static bool flooded(struct td_log *log, enum td_log_level level, const char *what, uint64_t ms)
{
	struct flood *f = flood_slot(log, what, ms);

	if (f->second != ms / 1000) {
		f->second = ms / 1000;
		f->lines = 0;
	}
	if (f->lines < FLOOD_LINES) {
		f->lines++;
		return false;
	}
	if (!f->more++) {
		log->pending++;
		f->level = level;
	} else if (level < f->level) {
		f->level = level;
	}
	return true;
}

int td_log_open(struct td_log **out, enum td_log_level level, td_log_sink_fn *sink, void *arg)
{
	struct td_log *log = calloc(1, sizeof(*log));
	int err;

	if (!log)
		return -ENOMEM;
	err = pthread_mutex_init(&log->lock, NULL);
	if (err) {
		free(log);
		return -err;
	}
	atomic_init(&log->level, (int)level);
	log->sink = sink;
	log->sink_arg = arg;
	log->clock = wall_ms;
	*out = log;
	return 0;
}

void td_log_close(struct td_log *log)
{
	uint64_t ms;

	if (!log)
		return;
	ms = log->clock(log->clock_arg);
	for (size_t i = 0; i < FLOOD_SLOTS; i++)
		flood_end(log, &log->floods[i], ms);
	pthread_mutex_destroy(&log->lock);
	free(log);
}

void td_log_set_clock(struct td_log *log, td_log_clock_fn *fn, void *arg)
{
	log->clock = fn;
	log->clock_arg = arg;
}

void td_log_set_level(struct td_log *log, enum td_log_level level)
{
	atomic_store_explicit(&log->level, (int)level, memory_order_relaxed);
}

bool td_log_on(const struct td_log *log, enum td_log_level level)
{
	return log && (int)level <= atomic_load_explicit(&log->level, memory_order_relaxed);
}

void td_log_write(struct td_log *log, enum td_log_level level, const char *what, const struct td_kv *kvs)
{
	uint64_t ms, lost;

	if (!td_log_on(log, level))
		return;
	pthread_mutex_lock(&log->lock);
	ms = log->clock(log->clock_arg);
	flush_due(log, ms);
	if (!flooded(log, level, what, ms)) {
		lost = log->lost;
		log->lost = 0;
		if (lost)
			put_line(log, ms, TD_LOG_WARN, "log lost", (const struct td_kv[]){ TD_KU("lines", lost), { 0 } });
		if (log->lost)
			log->lost += lost; /* still nobody reads: keep the sum */
		else
			put_line(log, ms, level, what, kvs);
	}
	pthread_mutex_unlock(&log->lock);
}

void td_log_flush(struct td_log *log)
{
	if (!log)
		return;
	pthread_mutex_lock(&log->lock);
	flush_due(log, log->clock(log->clock_arg));
	pthread_mutex_unlock(&log->lock);
}
