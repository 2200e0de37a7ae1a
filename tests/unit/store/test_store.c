#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "server/store/internal.h"
#include "store_rows.h"

/* ---- a folder of its own ---- */

struct fix {
	char dir[64], file[80];
	struct td_sim *sim;
	struct td_loop *loop;
	struct td_store *s;
	struct td_out why;
	int done, err;
};

static struct td_store *open_store(struct fix *f, bool threaded, int want)
{
	struct td_store *s = NULL;

	f->why.n = 0;
	assert_int_equal(
		td_store_open(&s, &(struct td_store_options){ .path = td_str_of(f->file), .threaded = threaded }, &f->why), want);
	assert_true(want == 0 || (s == NULL && f->why.n > 0));
	return s;
}

static int set_up(void **state)
{
	struct fix *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	snprintf(f->dir, sizeof(f->dir), "/tmp/tandem-store-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->file, sizeof(f->file), "%s/tandem.db", f->dir);
	td_out_init(&f->why);
	assert_int_equal(td_sim_open(&f->sim, 1), 0);
	assert_int_equal(td_sim_loop(&f->loop, f->sim), 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	static const char *const names[] = { "", "-wal", "-shm" };
	struct fix *f = *state;
	char path[100];

	td_store_close(f->s);
	td_loop_close(f->loop);
	td_sim_close(f->sim);
	for (size_t i = 0; i < TD_ARRAY_LEN(names); i++) {
		snprintf(path, sizeof(path), "%s%s", f->file, names[i]);
		unlink(path);
	}
	rmdir(f->dir);
	td_out_free(&f->why);
	free(f);
	return 0;
}

/* ---- bindings ---- */

static void on_done(struct td_store_write *w, int err, void *arg)
{
	struct fix *f = arg;

	f->done++;
	f->err = err;
}

static struct td_store_binding binding(const char *contact)
{
	return (struct td_store_binding){
		.contact = td_str_of(contact),
		.params = TD_STR(";+sip.instance=\"<urn:uuid:1>\""),
		.call_id = TD_STR("c1@host"),
		.user_agent = TD_STR("phone \xff 1.0"),
		.cseq = 4294967295u,
		.q = 700,
		.expires_at_s = 1000,
		.flow = { .proto = TD_UDP,
			  .listener = 3,
			  .peer = { .family = TD_AF_V6, .ip = { 0xfe, 0x80, [15] = 9 }, .port = 5061, .scope = 70000 } },
	};
}

static void put(struct fix *f, const char *aor, const char *contact)
{
	struct td_store_write *w = td_store_write_new(f->s, f->loop, on_done, f);
	struct td_store_binding b = binding(contact);

	assert_int_equal(td_store_put_address(w, td_store_new_id(f->s), td_str_of(aor), &b, 1), 0);
	td_store_submit(w);
}

static void list_one(void *arg, struct td_str aor, const struct td_store_binding *b)
{
	td_out_str(arg, aor);
	td_out_char(arg, ' ');
	td_out_str(arg, b->contact);
	td_out_char(arg, '\n');
}

static void assert_list(struct td_store *s, const char *want)
{
	struct td_out o;

	td_out_init(&o);
	each_row(s, 2, list_one, &o);
	assert_str(td_out_view(&o), want);
	td_out_free(&o);
}

static void check_one(void *arg, struct td_str aor, const struct td_store_binding *b)
{
	struct td_store_binding want = binding("sip:a@h");

	assert_str(b->params, want.params.p);
	assert_str(b->call_id, want.call_id.p);
	assert_str(b->user_agent, want.user_agent.p);
	assert_int_equal(b->cseq, want.cseq);
	assert_int_equal(b->q, want.q);
	assert_int_equal(b->expires_at_s, want.expires_at_s);
	assert_true(td_addr_eq(&b->flow.peer, &want.flow.peer));
	assert_int_equal(b->flow.peer.scope, 70000);
	assert_int_equal(b->flow.proto, TD_UDP);
	assert_int_equal(b->flow.listener, 3);
	++*(int *)arg;
}

static void what_is_put_comes_back(void **state)
{
	struct fix *f = *state;
	int seen = 0;

	f->s = open_store(f, false, 0);
	put(f, "a@d", "sip:a@h");
	assert_int_equal(f->done, 0); /* never inside the call */
	td_sim_run(f->sim, 1);
	assert_int_equal(f->done, 1);
	assert_int_equal(f->err, 0);
	td_store_close(f->s);
	f->s = open_store(f, false, 0);
	each_row(f->s, 100, check_one, &seen);
	assert_int_equal(seen, 1);
}

static void check_connection(void *arg, struct td_str aor, const struct td_store_binding *b)
{
	assert_int_equal(b->flow.conn, 0);
	assert_int_equal(b->flow.proto, TD_TCP);
	assert_int_equal(b->flow.peer.port, 5061); /* who registered is known for good (A11) */
	(*(int *)arg)++;
}

/* Proves RFC 5626 §7-4. */
static void connections_are_not_kept(void **state)
{
	struct fix *f = *state;
	struct td_store_binding b = binding("sip:a@h");
	int seen = 0;

	f->s = open_store(f, false, 0);
	struct td_store_write *w = td_store_write_new(f->s, f->loop, on_done, f);
	b.flow.proto = TD_TCP;
	b.flow.conn = 77;
	assert_int_equal(td_store_put_address(w, 1, TD_STR("a@d"), &b, 1), 0);
	td_store_submit(w);
	td_sim_run(f->sim, 1);
	each_row(f->s, 100, check_connection, &seen);
	assert_int_equal(seen, 1);
}

/* One set with more than fits inline: replaced, deleted and added in order. */
static void change_sets(void **state)
{
	struct td_store_binding b[12];
	struct fix *f = *state;
	char contact[12][32];

	f->s = open_store(f, false, 0);
	struct td_store_write *w = td_store_write_new(f->s, f->loop, on_done, f);
	for (int i = 0; i < 12; i++) {
		snprintf(contact[i], sizeof(contact[i]), "sip:%02d@h", i);
		b[i] = binding(contact[i]);
	}
	assert_int_equal(td_store_put_address(w, 7, TD_STR("a@d"), b, 12), 0);
	assert_int_equal(td_store_put_address(w, 3, TD_STR("b@d"), b, 2), 0);
	assert_int_equal(td_store_put_address(w, 9, TD_STR("c@d"), b, 1), 0);
	assert_int_equal(td_store_put_address(w, 7, TD_STR("a@d"), b + 2, 2), 0);
	assert_int_equal(td_store_delete_address(w, 9), 0);
	assert_int_equal(td_store_delete_address(w, 10), 0); /* there is none */
	td_store_submit(w);
	td_store_submit(td_store_write_new(f->s, f->loop, on_done, f)); /* a barrier */
	td_sim_run(f->sim, 1);
	assert_int_equal(f->done, 2);
	assert_list(f->s, "b@d sip:00@h\nb@d sip:01@h\na@d sip:02@h\na@d sip:03@h\n");
	td_store_write_free(td_store_write_new(f->s, f->loop, on_done, f));
	/* ids go on after the highest there is */
	td_store_close(f->s);
	f->s = open_store(f, false, 0);
	assert_int_equal(td_store_last_id(f->s), 7);
	assert_int_equal(td_store_new_id(f->s), 8);
	assert_int_equal(td_store_new_id(f->s), 9);
}

static void on_page(struct td_store_page *pg, int err, void *arg)
{
	struct fix *f = arg;

	assert_int_equal(err, 0);
	f->done++;
}

/* Asked from a loop, answered by mail; what was submitted before is in it. */
static void pages(void **state)
{
	struct td_store_page pg = { .most = 3, .fn = on_page };
	struct fix *f = *state;
	struct td_store_row row;
	size_t at = 0;
	char aor[8];

	f->s = open_store(f, false, 0);
	td_out_init(&pg.rows);
	for (int i = 0; i < 5; i++) {
		snprintf(aor, sizeof(aor), "u%d@d", i);
		put(f, aor, "sip:a@h");
	}
	pg.loop = f->loop;
	pg.arg = f;
	pg.after = 1;
	pg.until = 5;
	td_store_ask_page(f->s, &pg);
	assert_int_equal(f->done, 0);
	td_sim_run(f->sim, 1);
	assert_int_equal(f->done, 6);
	assert_int_equal(pg.n, 3);
	assert_int_equal(pg.after, 4);
	assert_true(td_store_page_next(&row, &pg, &at));
	assert_int_equal(row.id, 2);
	assert_str(row.aor, "u1@d");
	pg.until = 4;
	td_store_ask_page(f->s, &pg);
	td_sim_run(f->sim, 1);
	assert_int_equal(pg.n, 0);
	pg.until = UINT64_MAX;
	td_store_ask_page(f->s, &pg); /* one that nobody waits for any more */
	td_store_close(f->s);
	f->s = NULL;
	td_out_free(&pg.rows);
}

/* Bytes that are no bindings of ours are said to be none, wherever they end. */
static void broken_rows(void **state)
{
	struct fix *f = *state;
	struct td_store_binding b[2] = { binding("sip:a@h"), binding("sip:b@h") }, got;
	struct td_store_page pg = { .until = UINT64_MAX, .most = 1 };
	struct td_store_row row;
	size_t at = 0;

	f->s = open_store(f, false, 0);
	td_out_init(&pg.rows);
	struct td_store_write *w = td_store_write_new(f->s, f->loop, on_done, f);
	assert_int_equal(td_store_put_address(w, 1, TD_STR("a@d"), b, 2), 0);
	td_store_submit(w);
	td_sim_run(f->sim, 1);
	assert_int_equal(td_store_read_page(f->s, &pg), 0);
	assert_true(td_store_page_next(&row, &pg, &at));
	for (size_t n = 0; n <= row.bindings.n; n++) {
		char *copy = malloc(n ? n : 1);
		struct td_str rest = { copy, n };
		int took;

		memcpy(copy, row.bindings.p, n);
		while ((took = td_store_binding_next(&got, &rest)) == 1)
			;
		assert_int_equal(took, n == 0 || n == row.bindings.n / 2 || n == row.bindings.n ? 0 : TD_ESYNTAX);
		free(copy);
	}
	char *bad = memcpy(malloc(row.bindings.n), row.bindings.p, row.bindings.n);
	bad[18 + 2] = TD_AF_V4; /* a family that does not go with its address */
	assert_int_equal(td_store_binding_next(&got, &(struct td_str){ bad, row.bindings.n }), TD_ESYNTAX);
	free(bad);
	td_out_free(&pg.rows);
}

static const char schema_1[] =
	"CREATE TABLE bindings("
	"  aor TEXT NOT NULL, contact TEXT NOT NULL, params TEXT NOT NULL, call_id TEXT NOT NULL, user_agent TEXT NOT NULL,"
	"  cseq INTEGER NOT NULL, q INTEGER NOT NULL, expires_at INTEGER NOT NULL, flow BLOB,"
	"  PRIMARY KEY(aor, contact)) WITHOUT ROWID;"
	"CREATE TABLE users("
	"  aor TEXT PRIMARY KEY NOT NULL, domain TEXT NOT NULL, extension TEXT NOT NULL, ha1_sha256 BLOB, ha1_md5 BLOB)"
	"  WITHOUT ROWID;"
	"CREATE UNIQUE INDEX users_extension ON users(domain, extension) WHERE extension <> '';"
	"PRAGMA application_id = 1952542308; PRAGMA user_version = 1;"
	"INSERT INTO bindings VALUES('a@d', 'sip:a@h', ';+sip.instance=\"<urn:uuid:1>\"', 'c1@host', "
	"CAST(x'70686f6e6520ff20312e30' AS TEXT),"
	"  4294967295, 700, 1000, x'000306fe80000000000000000000000000000913c500011170');"
	"INSERT INTO bindings VALUES('b@d', 'sip:2@h', '', 'c', '', 1, 1000, 1000, NULL);"
	"INSERT INTO bindings VALUES('b@d', 'sip:1@h', '', 'c', '', 1, 1000, 1000, NULL);";

/* A database of schema 1, which had a row per binding: everything is there afterwards. */
static void from_schema_1(void **state)
{
	struct fix *f = *state;
	int seen = 0;
	sqlite3 *db;

	assert_int_equal(TD_AF_V6, 6);
	assert_int_equal(sqlite3_open(f->file, &db), 0);
	assert_int_equal(sqlite3_exec(db, schema_1, NULL, NULL, NULL), 0);
	sqlite3_close(db);
	f->s = open_store(f, false, 0);
	assert_list(f->s, "a@d sip:a@h\nb@d sip:1@h\nb@d sip:2@h\n");
	put(f, "c@d", "sip:c@h");
	td_sim_run(f->sim, 1);
	struct td_store_write *w = td_store_write_new(f->s, f->loop, on_done, f);
	td_store_delete_address(w, 2);
	td_store_delete_address(w, 3);
	td_store_submit(w);
	td_sim_run(f->sim, 1);
	each_row(f->s, 100, check_one, &seen);
	assert_int_equal(seen, 1);
}

static void list_path(void *arg, struct td_str aor, const struct td_store_binding *b)
{
	td_out_fmt(arg, "%.*s %.*s %.*s %u\n", TD_FMT(b->contact), TD_FMT(b->path), TD_FMT(b->call_id), b->flow.peer.port);
}

/* Bindings with a Path beside such without; broken ones are told, wherever they end. */
/* Proves RFC 3327 §5.3-1. */
static void paths(void **state)
{
	struct td_store_binding b[3] = { binding("sip:a@h"), binding("sip:b@h"), binding("sip:c@h") }, got;
	struct td_store_page pg = { .until = UINT64_MAX, .most = 1 };
	struct fix *f = *state;
	struct td_store_row row;
	size_t at = 0, whole = 0;
	struct td_out o;

	f->s = open_store(f, false, 0);
	b[1].path = TD_STR("<sip:p1;lr>,<sip:p2;lr>");
	b[2].path = TD_STR("<sip:p3;lr>");
	b[2].flow = (struct td_flow){ 0 };
	struct td_store_write *w = td_store_write_new(f->s, f->loop, on_done, f);
	assert_int_equal(td_store_put_address(w, 1, TD_STR("a@d"), b, 3), 0);
	td_store_submit(w);
	td_sim_run(f->sim, 1);
	td_out_init(&o);
	each_row(f->s, 1, list_path, &o);
	assert_str(td_out_view(&o), "sip:a@h  c1@host 5061\n"
				    "sip:b@h <sip:p1;lr>,<sip:p2;lr> c1@host 5061\n"
				    "sip:c@h <sip:p3;lr> c1@host 0\n");
	td_out_free(&o);
	td_out_init(&pg.rows);
	assert_int_equal(td_store_read_page(f->s, &pg), 0);
	assert_true(td_store_page_next(&row, &pg, &at));
	for (size_t n = 0; n <= row.bindings.n; n++) {
		char *copy = malloc(n ? n : 1);
		struct td_str rest = { copy, n };
		int took;

		memcpy(copy, row.bindings.p, n);
		while ((took = td_store_binding_next(&got, &rest)) == 1)
			;
		whole += took == 0;
		free(copy);
	}
	assert_int_equal(whole, 4); /* after none, one, two and three of them */
	td_out_free(&pg.rows);
}

static const char schema_3[] =
	"CREATE TABLE users("
	"  aor TEXT PRIMARY KEY NOT NULL, domain TEXT NOT NULL, extension TEXT NOT NULL, ha1_sha256 BLOB, ha1_md5 BLOB)"
	"  WITHOUT ROWID;"
	"CREATE TABLE calls("
	"  seq INTEGER PRIMARY KEY, id INTEGER NOT NULL, start_ms INTEGER NOT NULL, ring_ms INTEGER, answer_ms INTEGER,"
	"  end_ms INTEGER NOT NULL, status INTEGER NOT NULL, ended_by TEXT NOT NULL, caller TEXT NOT NULL, callee TEXT NOT NULL,"
	"  call_id TEXT NOT NULL);"
	"CREATE TABLE addresses(id INTEGER PRIMARY KEY, aor TEXT NOT NULL, bindings BLOB NOT NULL);"
	"PRAGMA application_id = 1952542308; PRAGMA user_version = 3;"
	"INSERT INTO addresses VALUES(5, 'a@d', x'000003e80000000702bc0007000000010009000104"
	"13c50a000101' || CAST('sip:a@hc' AS BLOB));";

/* A database of schema 3, whose bindings knew no Path: they are read as they stand, and what is written beside them may have one. */
static void from_schema_3(void **state)
{
	struct fix *f = *state;
	struct td_out o;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(f->file, &db), 0);
	assert_int_equal(sqlite3_exec(db, schema_3, NULL, NULL, NULL), 0);
	sqlite3_close(db);
	f->s = open_store(f, false, 0);
	struct td_store_binding b = binding("sip:b@h");
	struct td_store_write *w = td_store_write_new(f->s, f->loop, on_done, f);
	b.path = TD_STR("<sip:p1;lr>");
	assert_int_equal(td_store_put_address(w, td_store_new_id(f->s), TD_STR("b@d"), &b, 1), 0);
	td_store_submit(w);
	td_sim_run(f->sim, 1);
	td_out_init(&o);
	each_row(f->s, 1, list_path, &o);
	assert_str(td_out_view(&o), "sip:a@h  c 5061\nsip:b@h <sip:p1;lr> c1@host 5061\n");
	td_out_free(&o);
}

/* G9: a full disk fails everybody in the batch, changes nothing, is survived. */
static void g9_disk_full(void **state)
{
	struct fix *f = *state;
	struct td_store_stats stats;
	char contact[3000], limit[64];
	int pages = 0;
	sqlite3_stmt *st;

	f->s = open_store(f, false, 0);
	put(f, "a@d", "sip:a@h");
	td_sim_run(f->sim, 1);
	assert_int_equal(sqlite3_prepare_v2(f->s->db, "PRAGMA page_count", -1, &st, NULL), 0);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	pages = sqlite3_column_int(st, 0);
	sqlite3_finalize(st);
	snprintf(limit, sizeof(limit), "PRAGMA max_page_count = %d", pages);
	assert_int_equal(sqlite3_exec(f->s->db, limit, NULL, NULL, NULL), 0);
	memset(contact, 'x', sizeof(contact) - 1);
	contact[sizeof(contact) - 1] = 0;
	put(f, "b@d", "sip:small@h");
	put(f, "c@d", contact);
	put(f, "d@d", contact);
	td_sim_run(f->sim, 1);
	assert_int_equal(f->done, 4);
	assert_int_equal(f->err, -ENOSPC);
	assert_list(f->s, "a@d sip:a@h\n");
	assert_int_equal(sqlite3_exec(f->s->db, "PRAGMA max_page_count = 100000", NULL, NULL, NULL), 0);
	put(f, "b@d", "sip:small@h");
	td_sim_run(f->sim, 1);
	assert_int_equal(f->err, 0);
	assert_list(f->s, "a@d sip:a@h\nb@d sip:small@h\n");
	td_store_stats(&stats, f->s);
	assert_int_equal(stats.writes, 2);
	assert_int_equal(stats.failed, 3);
	assert_int_equal(stats.queued, 0);
}

/* ---- the writer thread, and kill -9 ---- */

struct child {
	struct td_loop *loop;
	struct td_store *s;
	int pipe;
	uint32_t next;
};

static void submit_next(struct child *c);

static void acknowledged(struct td_store_write *w, int err, void *arg)
{
	struct {
		struct child *c;
		uint32_t key;
	} *a = arg;

	if (err || write(a->c->pipe, &a->key, sizeof(a->key)) != sizeof(a->key))
		_exit(1);
	submit_next(a->c);
	free(a);
}

static void submit_next(struct child *c)
{
	struct {
		struct child *c;
		uint32_t key;
	} *a = malloc(sizeof(*a));
	struct td_store_write *w = td_store_write_new(c->s, c->loop, acknowledged, a);
	char aor[32];

	a->c = c;
	a->key = c->next++;
	snprintf(aor, sizeof(aor), "%u@d", a->key);
	struct td_store_binding b = binding("sip:a@h");
	if (td_store_put_address(w, td_store_new_id(c->s), td_str_of(aor), &b, 1))
		_exit(1);
	td_store_submit(w);
}

static void write_until_killed(struct fix *f, int pipe, uint32_t first)
{
	struct child c = { .pipe = pipe, .next = first };

	if (td_loop_open(&c.loop))
		_exit(2);
	c.s = open_store(f, true, 0);
	for (int i = 0; i < 50; i++)
		submit_next(&c);
	td_loop_run(c.loop);
	_exit(3);
}

static void mark_key(void *arg, struct td_str aor, const struct td_store_binding *b)
{
	uint32_t key;

	assert_int_equal(td_str_u32(&key, td_str_n(aor.p, aor.n - 2)), 0);
	((uint8_t *)arg)[key] = 1;
}

static void g8_kill_during_writes(void **state)
{
	enum { ROUNDS = 20, KEYS = 1 << 20 };
	struct fix *f = *state;
	uint8_t *acked = calloc(1, KEYS), *found = calloc(1, KEYS);
	uint32_t top = 0, total = 0;
	struct td_rng rng;

	td_rng_init(&rng);
	for (int round = 0; round < ROUNDS; round++) {
		uint32_t key, quota = (uint32_t)td_rng_below(&rng, 300);
		int ends[2];
		pid_t pid;

		assert_int_equal(pipe(ends), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (!pid)
			write_until_killed(f, ends[1], top);
		close(ends[1]);
		for (uint32_t n = 0; read(ends[0], &key, sizeof(key)) == sizeof(key);) {
			assert_true(key < KEYS);
			acked[key] = 1;
			total++;
			top = key >= top ? key + 1 : top;
			if (++n >= quota) { /* somewhere between two commits, or inside one */
				kill(pid, SIGKILL);
				quota = UINT32_MAX;
			}
		}
		close(ends[0]);
		int status;
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		top += 100; /* what was in flight */
		memset(found, 0, KEYS);
		f->s = open_store(f, false, 0);
		each_row(f->s, 1000, mark_key, found);
		td_store_close(f->s);
		f->s = NULL;
		for (uint32_t i = 0; i < top; i++)
			assert_true(!acked[i] || found[i]);
	}
	assert_true(total > ROUNDS);
	free(acked);
	free(found);
}

/* `tandem user add` while the server writes. */
static void another_process_adds_a_user(void **state)
{
	struct fix *f = *state;
	int ends[2], status;
	uint32_t key;
	pid_t server, adder;

	assert_int_equal(pipe(ends), 0);
	server = fork();
	assert_true(server >= 0);
	if (!server)
		write_until_killed(f, ends[1], 0);
	close(ends[1]);
	assert_int_equal(read(ends[0], &key, sizeof(key)), sizeof(key));
	adder = fork();
	assert_true(adder >= 0);
	if (!adder) {
		struct td_store *s = open_store(f, false, 0);
		_exit(td_store_put_user(s, &(struct td_store_user){ .aor = TD_STR("new@d") }) ? 1 : 0);
	}
	struct td_rng rng;
	td_rng_init(&rng);
	int reader = 0;
	while (waitpid(adder, &status, WNOHANG) == 0 && reader++ < 1000000)
		assert_int_equal(read(ends[0], &key, sizeof(key)), sizeof(key)); /* and the writer goes on */
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	kill(server, SIGKILL);
	assert_int_equal(waitpid(server, &status, 0), server);
	close(ends[0]);
	f->s = open_store(f, false, 0);
	assert_int_equal(td_store_remove_user(f->s, TD_STR("new@d")), 0);
}

/* Closing commits what waits; nobody hears of it. */
static void closing_commits(void **state)
{
	struct fix *f = *state;

	f->s = open_store(f, true, 0);
	for (int i = 0; i < 30; i++) {
		char contact[32];
		snprintf(contact, sizeof(contact), "sip:%02d@h", i);
		put(f, "a@d", contact);
	}
	td_store_close(f->s);
	assert_int_equal(f->done, 0);
	f->s = open_store(f, false, 0);
	struct td_out o;
	td_out_init(&o);
	each_row(f->s, 100, list_one, &o);
	assert_int_equal(o.n, 30 * strlen("a@d sip:00@h\n"));
	td_out_free(&o);
}

/* ---- users ---- */

static int list_user(void *arg, const struct td_store_user *u)
{
	td_out_fmt(arg, "%.*s %.*s %d%d %02x\n", TD_FMT(u->aor), TD_FMT(u->extension), u->has[TD_DIGEST_SHA256],
		   u->has[TD_DIGEST_MD5], u->ha1[TD_DIGEST_SHA256].bytes[31]);
	return 0;
}

static void assert_users(struct fix *f, const char *want)
{
	struct td_out o;

	td_out_init(&o);
	assert_int_equal(td_store_each_user(f->s, list_user, &o), 0);
	assert_str(td_out_view(&o), want);
	td_out_free(&o);
}

static void users(void **state)
{
	struct fix *f = *state;
	struct td_store_user u[3] = {
		{ .aor = TD_STR("alice@d"), .extension = TD_STR("100"), .has = { true, true } },
		{ .aor = TD_STR("bob@d"), .has = { true, false } },
		{ .aor = TD_STR("carol@e"), .extension = TD_STR("100") },
	};
	struct td_out one;

	f->s = open_store(f, false, 0);
	u[0].ha1[TD_DIGEST_SHA256].bytes[31] = 0xab;
	assert_int_equal(td_store_put_users(f->s, u, 3), 0);
	assert_users(f, "alice@d 100 11 ab\nbob@d  10 00\ncarol@e 100 00 00\n");
	u[1].extension = TD_STR("100"); /* taken in this domain: the whole set is refused */
	u[2].extension = TD_STR("200");
	assert_int_equal(td_store_put_users(f->s, &u[1], 2), TD_EEXIST);
	assert_users(f, "alice@d 100 11 ab\nbob@d  10 00\ncarol@e 100 00 00\n");
	u[0].extension = TD_STR("101");
	assert_int_equal(td_store_put_user(f->s, &u[0]), 0);
	assert_int_equal(td_store_put_user(f->s, &u[1]), 0);
	assert_int_equal(td_store_remove_user(f->s, TD_STR("carol@e")), 0);
	assert_int_equal(td_store_remove_user(f->s, TD_STR("carol@e")), TD_ENOTFOUND);
	assert_int_equal(td_store_put_user(f->s, &(struct td_store_user){ .aor = TD_STR("nobody") }), TD_ESYNTAX);
	assert_users(f, "alice@d 101 11 ab\nbob@d 100 10 00\n");
	td_out_init(&one);
	assert_int_equal(td_store_find_user(f->s, TD_STR("bob@d"), list_user, &one), 0);
	assert_int_equal(td_store_find_user(f->s, TD_STR("carol@e"), list_user, &one), TD_ENOTFOUND);
	assert_str(td_out_view(&one), "bob@d 100 10 00\n");
	td_out_free(&one);
}

static int count_user(void *arg, const struct td_store_user *u)
{
	++*(unsigned *)arg;
	return *(unsigned *)arg == 1234 ? 7 : 0;
}

/* They are read in pages of 500: none is lost or seen twice where one ends. */
static void users_in_pages(void **state)
{
	static const unsigned sizes[] = { 0, 499, 500, 501, 1000, 1001 };
	static struct td_store_user rows[1001];
	static char aors[1001][16];
	struct fix *f = *state;
	unsigned have = 0, n;

	f->s = open_store(f, false, 0);
	for (size_t i = 0; i < TD_ARRAY_LEN(sizes); i++) {
		for (n = have; n < sizes[i]; n++) {
			snprintf(aors[n], sizeof(aors[n]), "u%u@d", n);
			rows[n].aor = td_str_of(aors[n]);
		}
		assert_int_equal(td_store_put_users(f->s, rows + have, sizes[i] - have), 0);
		have = sizes[i];
		n = 0;
		assert_int_equal(td_store_each_user(f->s, count_user, &n), 0);
		assert_int_equal(n, sizes[i]);
	}
	n = 300;
	assert_int_equal(td_store_each_user(f->s, count_user, &n), 7); /* what stops it is returned */
	assert_int_equal(n, 1234);
}

/* ---- files that are not ours ---- */

static void assert_why(struct fix *f, const char *part)
{
	assert_non_null(memmem(f->why.p, f->why.n, part, strlen(part)));
}

static void wrong_files_are_refused(void **state)
{
	struct fix *f = *state;
	char junk[4096];
	int fd;

	f->s = open_store(f, false, 0);
	assert_int_equal(sqlite3_exec(f->s->db, "PRAGMA user_version = 99", NULL, NULL, NULL), 0);
	td_store_close(f->s);
	f->s = open_store(f, false, TD_EUNSUPPORTED);
	assert_why(f, "newer tandem (its schema is 99");
	unlink(f->file);

	sqlite3 *db;
	assert_int_equal(sqlite3_open(f->file, &db), 0);
	assert_int_equal(sqlite3_exec(db, "CREATE TABLE t(a)", NULL, NULL, NULL), 0);
	sqlite3_close(db);
	f->s = open_store(f, false, TD_EUNSUPPORTED);
	assert_why(f, "another program");

	memset(junk, 'j', sizeof(junk));
	fd = open(f->file, O_WRONLY | O_TRUNC);
	assert_int_equal(write(fd, junk, sizeof(junk)), sizeof(junk));
	close(fd);
	f->s = open_store(f, false, -EIO);
	assert_why(f, "not a database");

	unlink(f->file);
	snprintf(f->file, sizeof(f->file), "%s/none/tandem.db", f->dir);
	f->s = open_store(f, false, -ENOENT);
	snprintf(f->file, sizeof(f->file), "%s/tandem.db", f->dir);
}

static void the_file_is_private(void **state)
{
	struct fix *f = *state;
	struct stat st;
	char wal[100];

	close(open(f->file, O_CREAT | O_WRONLY, 0666));
	assert_int_equal(chmod(f->file, 0644), 0);
	f->s = open_store(f, false, 0);
	put(f, "a@d", "sip:a@h");
	td_sim_run(f->sim, 1);
	assert_int_equal(stat(f->file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	snprintf(wal, sizeof(wal), "%s-wal", f->file);
	assert_int_equal(stat(wal, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

#define WITH_FOLDER(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FOLDER(what_is_put_comes_back),
		WITH_FOLDER(connections_are_not_kept),
		WITH_FOLDER(change_sets),
		WITH_FOLDER(pages),
		WITH_FOLDER(broken_rows),
		WITH_FOLDER(paths),
		WITH_FOLDER(from_schema_1),
		WITH_FOLDER(from_schema_3),
		WITH_FOLDER(g9_disk_full),
		WITH_FOLDER(g8_kill_during_writes),
		WITH_FOLDER(another_process_adds_a_user),
		WITH_FOLDER(closing_commits),
		WITH_FOLDER(users),
		WITH_FOLDER(users_in_pages),
		WITH_FOLDER(wrong_files_are_refused),
		WITH_FOLDER(the_file_is_private),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
