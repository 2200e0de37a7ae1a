/* Files read whole, and what is wiped. */
#include "../../support.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int file_with(const char *text, size_t n)
{
	char path[] = "/tmp/tandem-file-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(write(fd, text, n), n);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static void read_whole(void **state)
{
	static const struct {
		size_t n, most;
		int err;
	} rows[] = {
		{ 0, 0, 0 },
		{ 0, 10, 0 },
		{ 10, 10, 0 },
		{ 10, 9, TD_ELIMIT },
		{ 4096, 4096, 0 },
		{ 9000, 9000, 0 },
		{ 9000, 8999, TD_ELIMIT },
	};
	char text[9000];

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)('a' + i % 26);
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		int fd = file_with(text, rows[i].n);
		struct td_out o;

		td_out_init(&o);
		td_out_z(&o, "before ");
		assert_int_equal(td_read_all(&o, fd, rows[i].most), rows[i].err);
		if (!rows[i].err) {
			assert_int_equal(o.n, 7 + rows[i].n);
			assert_memory_equal(o.p + 7, text, rows[i].n);
		}
		td_out_free(&o);
		close(fd);
	}
}

static void what_is_no_file(void **state)
{
	struct td_out o;
	int ends[2], fd = open("/", O_RDONLY);

	td_out_init(&o);
	assert_int_equal(td_read_all(&o, fd, 10), -EISDIR);
	close(fd);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "some", 4), 4);
	close(ends[1]);
	assert_int_equal(td_read_all(&o, ends[0], 10), 0);
	assert_str(td_out_view(&o), "some");
	close(ends[0]);
	td_out_free(&o);
}

static void wiped(void **state)
{
	char room[16] = "";
	struct td_out o;

	td_out_init_fixed(&o, room, sizeof(room));
	td_out_z(&o, "secret");
	td_out_wipe(&o);
	assert_int_equal(room[0] | room[5], 0);
	td_out_wipe(&o);
	memcpy(room, "secret", 7);
	td_arena_wipe(td_str_n(room, 6));
	assert_int_equal(room[0] | room[5], 0);
	td_arena_wipe(TD_STR_NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(read_whole), cmocka_unit_test(what_is_no_file),
					    cmocka_unit_test(wiped) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
