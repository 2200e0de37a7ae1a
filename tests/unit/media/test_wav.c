/* WAV files in and out (threats row M7 for the reader). */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tandem/media.h>

/* RIFF, size, WAVE; fmt with format, channels, rate, bits; data. */
#define RIFF "RIFF\x24\0\0\0WAVE"
#define FMT(format, channels, rate, bits) "fmt \x10\0\0\0" format channels rate "\x80\x3e\0\0\x02\0" bits
#define R8000 "\x40\x1f\0\0"

static void parses(void **state)
{
#define ROW(text, err, n)                      \
	{                                      \
		text, sizeof(text) - 1, err, n \
	}
	static const struct {
		const char *p;
		size_t n;
		int err;
		size_t samples;
	} rows[] = {
		ROW(RIFF FMT("\1\0", "\1\0", R8000, "\20\0") "data\4\0\0\0\1\0\2\0", 0, 2),
		ROW(RIFF FMT("\1\0", "\1\0", R8000, "\20\0") "data\5\0\0\0\1\0\2\0\3", 0, 2),
		ROW(RIFF FMT("\7\0", "\1\0", R8000, "\10\0") "data\3\0\0\0abc", 0, 3),
		ROW(RIFF FMT("\6\0", "\1\0", R8000, "\10\0") "data\3\0\0\0abc", 0, 3),
		ROW(RIFF FMT("\1\0", "\1\0", R8000, "\20\0") "data\0\0\0\0", 0, 0),
		ROW(RIFF FMT("\1\0", "\1\0", R8000, "\20\0") "data\xff\xff\xff\xff\1\0", 0, 1), /* cut off by a crash */
		ROW(RIFF "LIST\3\0\0\0abc\0" FMT("\1\0", "\1\0", R8000, "\20\0") "fact\0\0\0\0data\2\0\0\0\1\0", 0, 1),
		ROW(RIFF "fmt \x28\0\0\0\xfe\xff\1\0" R8000
			 "\x80\x3e\0\0\2\0\20\0\x16\0\20\0\4\0\0\0\1\0\0\0\0\0\20\0\x80\0\0\xaa\0\x38\x9b\x71"
			 "data\2\0\0\0\1\0",
		    0, 1),                                                                        /* extensible */
		ROW(RIFF FMT("\1\0", "\2\0", R8000, "\20\0") "data\0\0\0\0", TD_EUNSUPPORTED, 0), /* stereo */
		ROW(RIFF FMT("\1\0", "\1\0", "\x80\x3e\0\0", "\20\0") "data\0\0\0\0", TD_EUNSUPPORTED, 0),
		ROW(RIFF FMT("\1\0", "\1\0", R8000, "\10\0") "data\0\0\0\0", TD_EUNSUPPORTED, 0), /* 8 bit */
		ROW(RIFF FMT("\3\0", "\1\0", R8000, "\40\0") "data\0\0\0\0", TD_EUNSUPPORTED, 0), /* float */
		ROW(RIFF FMT("\1\0", "\1\0", R8000, "\20\0"), TD_ESYNTAX, 0),
		ROW(RIFF "data\0\0\0\0", TD_ESYNTAX, 0),
		ROW(RIFF "fmt \4\0\0\0\1\0\1\0data\0\0\0\0", TD_ESYNTAX, 0),
		ROW(RIFF "fmt ", TD_ESYNTAX, 0),
		ROW(RIFF, TD_ESYNTAX, 0),
		ROW("RIFF\0\0\0\0AVI ", TD_ESYNTAX, 0),
		ROW("RIFF", TD_ESYNTAX, 0),
		ROW("", TD_ESYNTAX, 0),
	};
	size_t i;

	for (i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_str in = exact_copy(td_str_n(rows[i].p, rows[i].n));
		const char *why = NULL;
		int16_t pcm[8];
		struct td_wav w;
		int err = td_wav_parse(&w, in, &why);

		if (err != rows[i].err)
			fail_msg("row %zu: %d (%s)", i, err, why ? why : "");
		if (err) {
			assert_non_null(why);
		} else {
			assert_int_equal(w.samples, rows[i].samples);
			assert_int_equal(td_wav_read(&w, pcm, 0, 8), rows[i].samples);
			assert_int_equal(td_wav_read(&w, pcm, rows[i].samples, 8), 0);
		}
		exact_free(in);
	}
}

struct tmp {
	char path[64];
};

static int make_tmp(void **state)
{
	static struct tmp t;
	int fd;

	snprintf(t.path, sizeof(t.path), "wav-test-XXXXXX");
	fd = mkstemp(t.path);
	if (fd < 0)
		return -1;
	close(fd);
	*state = &t;
	return 0;
}

static int drop_tmp(void **state)
{
	struct tmp *t = *state;

	return unlink(t->path);
}

static void writes_by_position(void **state)
{
	const struct tmp *t = *state;
	static const int16_t two[] = { 1, -2 }, one[] = { 32767 };
	static const int16_t want[] = { 0, 32767, 0, 0, 1, -2 };
	struct td_wav_writer *w;
	struct td_wav in;
	int16_t pcm[8];

	assert_int_equal(td_wav_create(&w, t->path, 8000), 0);
	assert_int_equal(td_wav_write(w, 4, two, 2), 0);
	assert_int_equal(td_wav_write(w, 1, one, 1), 0);
	assert_int_equal(td_wav_written(w), 6);
	assert_int_equal(td_wav_write(w, UINT64_MAX, one, 1), TD_ELIMIT);
	assert_int_equal(td_wav_write(w, UINT64_C(1) << 30, one, 1), TD_ELIMIT);
	assert_int_equal(td_wav_close(w), 0);
	assert_int_equal(td_wav_load(&in, t->path, NULL), 0);
	assert_int_equal(in.samples, 6);
	assert_int_equal(td_wav_read(&in, pcm, 0, 8), 6);
	assert_memory_equal(pcm, want, sizeof(want));
	td_wav_free(&in);
}

/* A process that is killed leaves a file that says what it has, at most a second short. */
static void valid_after_a_crash(void **state)
{
	const struct tmp *t = *state;
	int16_t frame[160];
	struct td_wav w;
	int status;
	pid_t pid;

	memset(frame, 1, sizeof(frame));
	pid = fork();
	if (pid == 0) {
		struct td_wav_writer *out;
		uint64_t at;

		if (td_wav_create(&out, t->path, 8000))
			_exit(1);
		for (at = 0; at < 20000; at += 160)
			td_wav_write(out, at, frame, 160);
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(td_wav_load(&w, t->path, NULL), 0);
	assert_in_range(w.samples, 12000, 20000);
	assert_true(w.file->len - 44 >= 2 * w.samples);
	assert_int_equal(td_wav_read(&w, frame, w.samples - 160, 160), 160);
	assert_int_equal(frame[159], 0x0101);
	td_wav_free(&w);
}

static void errors(void **state)
{
	struct td_wav_writer *writer;
	const char *why = NULL;
	struct td_wav w;

	assert_int_equal(td_wav_load(&w, "no/such/file.wav", &why), -ENOENT);
	assert_non_null(why);
	assert_int_equal(td_wav_load(&w, ".", &why), -EINVAL);
	assert_int_equal(td_wav_create(&writer, "no/such/file.wav", 8000), -ENOENT);
	assert_int_equal(td_wav_close(NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses),
		cmocka_unit_test_setup_teardown(writes_by_position, make_tmp, drop_tmp),
		cmocka_unit_test_setup_teardown(valid_after_a_crash, make_tmp, drop_tmp),
		cmocka_unit_test(errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
