/* Tones: making one, and telling whether samples are one (Goertzel's algorithm). Shared by the media tests. */
#ifndef TESTS_TONE_H
#define TESTS_TONE_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

enum { TONE_RATE = 8000, TONE_BLOCK = 320 };

static inline void tone_make(int16_t *out, size_t n, double hz)
{
	size_t i;

	for (i = 0; i < n; i++)
		out[i] = (int16_t)lrint(10000 * sin(2 * M_PI * hz * (double)i / TONE_RATE));
}

/* The share of the energy that lies at hz: 1 for that tone alone, near 0 without it; 0 for silence. */
static inline double tone_share(const int16_t *pcm, size_t n, double hz)
{
	double c = 2 * cos(2 * M_PI * hz / TONE_RATE), s1 = 0, s2 = 0, total = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		double s = pcm[i] + c * s1 - s2;

		s2 = s1;
		s1 = s;
		total += (double)pcm[i] * pcm[i];
	}
	return total > (double)n * 100 ? 2 * (s1 * s1 + s2 * s2 - c * s1 * s2) / ((double)n * total) : 0;
}

/* How many blocks of 40 ms are that tone. */
static inline size_t tone_blocks(const int16_t *pcm, size_t n, double hz)
{
	size_t found = 0;

	for (; n >= TONE_BLOCK; n -= TONE_BLOCK, pcm += TONE_BLOCK)
		found += tone_share(pcm, TONE_BLOCK, hz) > 0.8;
	return found;
}

#endif
