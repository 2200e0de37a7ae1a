/* Latency histogram: log-linear, 32 steps per power of two (about 3 %). */
#include "sipload.h"

void hist_add(struct hist *h, uint64_t v)
{
	int i;
	if (v < 32)
		i = (int)v;
	else {
		int e = 63 - __builtin_clzll(v);
		i = (e - 4) * 32 + (int)((v >> (e - 5)) & 31);
	}
	h->b[i]++;
	h->n++;
	h->sum += v;
	if (v > h->max)
		h->max = v;
}

/* A quantile in microseconds. */
double hist_us(const struct hist *h, double q)
{
	uint64_t want = (uint64_t)(q * (double)h->n), c = 0;
	for (int i = 0; i < 64 * 32; i++) {
		c += h->b[i];
		if (c > want) {
			double v = i < 32 ? i : (double)(((uint64_t)(32 + i % 32)) << (i / 32 - 1)) * 1.015;
			if (v > (double)h->max)
				v = (double)h->max;
			return v / 1000.0;
		}
	}
	return (double)h->max / 1000.0;
}
