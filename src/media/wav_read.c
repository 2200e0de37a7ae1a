/*
 * Reading WAV files: RIFF chunks are walked with their sizes checked against what is there; fmt and data are taken, all others
 * skipped. Files come from users, so a refusal says what is wrong with them.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_FILE = 64 << 20, FORMAT_PCM = 1, FORMAT_ALAW = 6, FORMAT_ULAW = 7, FORMAT_EXTENSIBLE = 0xfffe };

static uint16_t le16(const char *p)
{
	return (uint16_t)((uint8_t)p[0] | (uint8_t)p[1] << 8);
}

static uint32_t le32(const char *p)
{
	return le16(p) | (uint32_t)le16(p + 2) << 16;
}

static int refuse(int err, const char **why, const char *text)
{
	if (why)
		*why = text;
	return err;
}

static int take_format(struct td_wav *w, struct td_str c, const char **why)
{
	unsigned format, bits;

	if (c.n < 16)
		return refuse(TD_ESYNTAX, why, "its fmt chunk is too short");
	format = le16(c.p);
	bits = le16(c.p + 14);
	/* The extensible form names the true format in the first bytes of a GUID. */
	if (format == FORMAT_EXTENSIBLE && c.n >= 26)
		format = le16(c.p + 24);
	w->rate_hz = le32(c.p + 4);
	if (le16(c.p + 2) != 1)
		return refuse(TD_EUNSUPPORTED, why, "it is not mono");
	if (w->rate_hz != 8000)
		return refuse(TD_EUNSUPPORTED, why, "its sample rate is not 8000 Hz");
	if (format == FORMAT_PCM && bits == 16)
		w->coding = TD_WAV_PCM16;
	else if (format == FORMAT_ULAW && bits == 8)
		w->coding = TD_WAV_ULAW;
	else if (format == FORMAT_ALAW && bits == 8)
		w->coding = TD_WAV_ALAW;
	else
		return refuse(TD_EUNSUPPORTED, why, "it is not 16-bit PCM, mu-law or A-law");
	return 0;
}

int td_wav_parse(struct td_wav *out, struct td_str bytes, const char **why)
{
	struct td_wav w = { 0 };
	bool has_format = false;
	size_t at = 12;
	int err;

	if (bytes.n < 12 || memcmp(bytes.p, "RIFF", 4) || memcmp(bytes.p + 8, "WAVE", 4))
		return refuse(TD_ESYNTAX, why, "it is no WAV file");
	while (bytes.n - at >= 8) {
		const char *chunk = bytes.p + at;
		size_t n = le32(chunk + 4);

		at += 8;
		/* A recording cut off by a crash has less data than it says; what is there is good. */
		if (n > bytes.n - at)
			n = bytes.n - at;
		if (!memcmp(chunk, "fmt ", 4) && !has_format) {
			err = take_format(&w, td_str_n(chunk + 8, n), why);
			if (err)
				return err;
			has_format = true;
		} else if (!memcmp(chunk, "data", 4)) {
			if (!has_format)
				return refuse(TD_ESYNTAX, why, "its data chunk comes before its fmt chunk");
			w.samples = w.coding == TD_WAV_PCM16 ? n / 2 : n;
			w.data = td_str_n(chunk + 8, n);
			*out = w;
			return 0;
		}
		at += n;
		at += n % 2 && at < bytes.n; /* chunks begin on even positions */
	}
	return refuse(TD_ESYNTAX, why, has_format ? "it has no data chunk" : "it has no fmt chunk");
}

static int read_file(struct td_buf **out, int fd)
{
	struct td_buf *buf;
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_size > MAX_FILE)
		return TD_ELIMIT;
	buf = td_buf_new((size_t)st.st_size);
	if (!buf)
		return -ENOMEM;
	while (buf->len < (uint32_t)st.st_size) {
		n = read(fd, buf->data + buf->len, (size_t)st.st_size - buf->len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			int err = -errno;

			td_buf_unref(buf);
			return err;
		}
		if (n == 0)
			break;
		buf->len += (uint32_t)n;
	}
	*out = buf;
	return 0;
}

int td_wav_load(struct td_wav *out, const char *path, const char **why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;
	struct td_buf *buf;

	if (why)
		*why = "it cannot be read";
	if (fd < 0)
		return -errno;
	err = read_file(&buf, fd);
	close(fd);
	if (err == TD_ELIMIT)
		return refuse(err, why, "it is larger than 64 MiB");
	if (err)
		return err;
	err = td_wav_parse(out, td_buf_str(buf), why);
	if (err)
		td_buf_unref(buf);
	else
		out->file = buf;
	return err;
}

void td_wav_free(struct td_wav *w)
{
	td_buf_unref(w->file);
	*w = (struct td_wav){ 0 };
}

size_t td_wav_read(const struct td_wav *w, int16_t *out, size_t at, size_t n)
{
	size_t i;

	if (at >= w->samples)
		return 0;
	if (n > w->samples - at)
		n = w->samples - at;
	for (i = 0; i < n; i++) {
		if (w->coding == TD_WAV_PCM16)
			out[i] = (int16_t)le16(w->data.p + 2 * (at + i));
		else
			out[i] = (w->coding == TD_WAV_ULAW ? td_ulaw_decode : td_alaw_decode)[(uint8_t)w->data.p[at + i]];
	}
	return n;
}
