/*
 * Recording to WAV. The header is written first and again after every second of sound, so that a program that is killed leaves
 * a file whose sizes are right and at most a second short. Samples go to their place in the file: what arrives late
 * lands where it belongs, and what never comes is a hole, which reads as zeros.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { HEADER = 44, BATCH = 512 };

#define MAX_BYTES (UINT64_C(1) << 31)

struct td_wav_writer {
	int fd, err;
	uint32_t rate_hz;
	uint64_t samples, in_header;
};

static void put_le16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static void put_le32(uint8_t *p, uint32_t v)
{
	put_le16(p, v);
	put_le16(p + 2, v >> 16);
}

static int write_all(int fd, const uint8_t *p, size_t n, uint64_t at)
{
	ssize_t done;

	while (n) {
		done = pwrite(fd, p, n, (off_t)at);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		p += done;
		n -= (size_t)done;
		at += (uint64_t)done;
	}
	return 0;
}

static int write_header(struct td_wav_writer *w)
{
	uint32_t bytes = (uint32_t)(2 * w->samples);
	uint8_t h[HEADER];

	memcpy(h, "RIFF", 4);
	put_le32(h + 4, HEADER - 8 + bytes);
	memcpy(h + 8, "WAVEfmt ", 8);
	put_le32(h + 16, 16);
	put_le16(h + 20, 1); /* PCM */
	put_le16(h + 22, 1); /* mono */
	put_le32(h + 24, w->rate_hz);
	put_le32(h + 28, 2 * w->rate_hz);
	put_le16(h + 32, 2);
	put_le16(h + 34, 16);
	memcpy(h + 36, "data", 4);
	put_le32(h + 40, bytes);
	w->in_header = w->samples;
	return write_all(w->fd, h, sizeof(h), 0);
}

int td_wav_create(struct td_wav_writer **out, const char *path, uint32_t rate_hz)
{
	struct td_wav_writer *w = calloc(1, sizeof(*w));
	int err;

	if (!w)
		return -ENOMEM;
	w->rate_hz = rate_hz;
	w->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (w->fd < 0) {
		err = -errno;
		goto fail;
	}
	err = write_header(w);
	if (err) {
		close(w->fd);
		goto fail;
	}
	*out = w;
	return 0;
fail:
	free(w);
	return err;
}

static int write_samples(struct td_wav_writer *w, uint64_t at, const int16_t *pcm, size_t n)
{
	uint8_t bytes[2 * BATCH];
	size_t i, k;
	int err = 0;

	for (; n && !err; n -= k, pcm += k, at += k) {
		k = n < BATCH ? n : BATCH;
		for (i = 0; i < k; i++)
			put_le16(bytes + 2 * i, (uint16_t)pcm[i]);
		err = write_all(w->fd, bytes, 2 * k, HEADER + 2 * at);
	}
	return err;
}

int td_wav_write(struct td_wav_writer *w, uint64_t at, const int16_t *pcm, size_t n)
{
	int err;

	if (at > MAX_BYTES / 2 || n > MAX_BYTES / 2 - at)
		return TD_ELIMIT;
	err = write_samples(w, at, pcm, n);
	if (!err && at + n > w->samples) {
		w->samples = at + n;
		if (w->samples - w->in_header >= w->rate_hz)
			err = write_header(w);
	}
	if (err && !w->err)
		w->err = err;
	return err;
}

uint64_t td_wav_written(const struct td_wav_writer *w)
{
	return w->samples;
}

int td_wav_close(struct td_wav_writer *w)
{
	int err;

	if (!w)
		return 0;
	err = write_header(w);
	err = w->err ? w->err : err;
	if (close(w->fd) && !err)
		err = -errno;
	free(w);
	return err;
}
