/* base and loop with every allocation failing in turn. */
#include "failing.h"

#include <unistd.h>

#include <tandem/loop.h>

static int buffers(void *arg)
{
	struct td_buf *a = td_buf_copy(TD_STR("bytes")), *b = td_buf_new(100);
	int err = a && b ? 0 : -ENOMEM;

	td_buf_unref(a);
	td_buf_unref(b);
	return err;
}

static int arena(void *arg)
{
	static const size_t sizes[] = { 1, 100, 5000, 100, 2000, 100000, 8 };
	struct td_arena a;
	struct td_str s = TD_STR("before");
	int err = 0;

	td_arena_init(&a);
	for (size_t i = 0; i < TD_ARRAY_LEN(sizes); i++) {
		char *p = td_arena_alloc(&a, sizes[i]);

		if (p)
			memset(p, 1, sizes[i]);
		else
			err = -ENOMEM; /* and go on: the arena stays usable */
	}
	if (td_arena_dup(&s, &a, TD_STR("after")) == 0)
		assert_str(s, "after");
	else
		assert_str(s, "before");
	td_arena_reset(&a);
	return err;
}

static int output(void *arg)
{
	struct td_out o;
	struct td_buf *b;
	size_t n;

	td_out_init(&o);
	for (int i = 0; i < 100; i++) {
		n = o.n;
		td_out_fmt(&o, "%020d", i);
		assert_int_equal(o.n, o.failed ? n : n + 20);
		td_base64_encode(&o, "abc", 3);
		td_out_hex(&o, "abc", 3);
	}
	if (!o.failed)
		assert_int_equal(o.n, 3000);
	b = td_out_buf(&o);
	assert_null(o.p);
	if (!b)
		return -ENOMEM;
	td_buf_unref(b);
	return 0;
}

static int base64(void *arg)
{
	struct td_out o;
	int err;

	td_out_init(&o);
	err = td_base64_decode(&o, TD_STR("Zm9vYmFy"));
	assert_str(td_out_view(&o), err ? "" : "foobar");
	td_out_free(&o);
	return err;
}

static bool same(const struct td_map_node *n, const void *key)
{
	return n == key;
}

/* Growth is put off, nothing is lost. */
static int map(void *arg)
{
	enum { N = 500 };
	static struct td_map_node nodes[N];
	struct td_map m;
	int err = td_map_init(&m, 1);

	if (err)
		return err;
	for (uint64_t i = 0; i < N; i++)
		td_map_add(&m, &nodes[i], i * 0x9e3779b97f4a7c15);
	for (uint64_t i = 0; i < N; i++) {
		assert_ptr_equal(td_map_find(&m, i * 0x9e3779b97f4a7c15, same, &nodes[i]), &nodes[i]);
		td_map_del(&m, &nodes[i]);
	}
	assert_int_equal(m.count, 0);
	td_map_free(&m);
	return 0;
}

static void no_sink(void *arg, enum td_log_level level, struct td_str line) {}

static int log_lines(void *arg)
{
	struct td_log *log = NULL;
	int err = td_log_open(&log, TD_LOG_INFO, no_sink, NULL);

	if (err) {
		assert_null(log);
		return err;
	}
	for (int i = 0; i < 30; i++)
		td_log(log, TD_LOG_INFO, "room event", TD_KZ("why", "memory is out"));
	td_log_close(log);
	return 0;
}

static void on_io(struct td_io *io, unsigned events, void *arg) {}

static int loop(void *arg)
{
	struct td_loop *loop = NULL;
	struct td_io io = { 0 };
	int err = td_loop_open(&loop), fds[2];

	if (err) {
		assert_null(loop);
		return err;
	}
	assert_int_equal(pipe(fds), 0);
	err = td_io_open(&io, loop, fds[0], TD_IO_READ, on_io, NULL);
	td_io_close(&io);
	close(fds[0]);
	close(fds[1]);
	td_loop_close(loop);
	return err;
}

static void happened(struct td_mail *m, void *arg)
{
	++*(unsigned *)arg;
}

static int simulation(void *arg)
{
	enum { N = 3000 };
	static struct td_mail mails[N];
	struct td_sim *sim = NULL;
	struct td_loop *l = NULL;
	unsigned seen = 0, queued = 0;
	int err = td_sim_open(&sim, 1);

	if (err)
		return err;
	err = td_sim_loop(&l, sim);
	for (int i = 0; !err && i < N; i++) {
		mails[i] = (struct td_mail){ .fn = happened, .arg = &seen };
		err = td_sim_at(sim, 10, &mails[i]);
		queued += !err;
	}
	td_sim_run(sim, 1);
	assert_int_equal(seen, queued);
	td_loop_close(l);
	td_sim_close(sim);
	return err;
}

static void all(void **state)
{
	static const struct {
		const char *name;
		oom_fn *fn;
		unsigned long least;
	} rows[] = {
		{ "buffers", buffers, 2 }, { "arena", arena, 4 },   { "output", output, 5 }, { "base64", base64, 1 },
		{ "map", map, 6 },         { "log", log_lines, 1 }, { "loop", loop, 2 },     { "simulation", simulation, 4 },
	};

	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		unsigned long n = oom_each(rows[i].fn, NULL);

		print_message("%s: %lu allocations\n", rows[i].name, n);
		assert_true(n >= rows[i].least); /* else the wrapping does not reach the library */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(all) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
