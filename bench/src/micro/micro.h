/*
 * micro: one thing at a time, on one thread: nanoseconds of an operation, and with a count the very run that callgrind counts
 * (it collects inside the functions named timed_…, so what is prepared around them is left out).
 */
#ifndef MICRO_H
#define MICRO_H

#include <stddef.h>
#include <stdint.h>

struct micro {
	const char *name;
	void *(*open)(uint32_t size);           /* size: how many contacts, where that matters. Never NULL */
	void (*prepare)(void *state);           /* before each run of timed(), not measured; NULL: nothing to do */
	void (*timed)(void *state, uint64_t n); /* n operations, n at most `most` */
	void (*close)(void *state);
	uint64_t most; /* 0: no end */
};

__attribute__((noreturn)) void die(const char *what);
void *need(void *p); /* dies when memory ran out */
/* PROGRAM [--size N] [NAME [COUNT]]: times all or one, or runs one COUNT times. One JSON object a line. */
int micro_main(int argc, char **argv, const struct micro *const *tables);

/* A REGISTER, an INVITE with SDP, and its 200 as it comes back to a proxy. */
enum { MESSAGE_REGISTER, MESSAGE_INVITE, MESSAGE_OK, MESSAGES };
extern const char *const message_text[MESSAGES];

#endif
