/* The ladder that `tandem trace` draws: the server in the middle, whoever began a call on the left, all others on the right. */
#ifndef TANDEM_CLI_LADDER_H
#define TANDEM_CLI_LADDER_H

#include "cli/cli.h"

enum { LADDER_CALLS = 64 };

struct ladder_call {
	unsigned number; /* 0: free */
	char *call_id, *left;
};

struct ladder {
	struct ladder_call calls[LADDER_CALLS]; /* the last ones */
	unsigned n;
};

void ladder_draw(struct ladder *l, const json_t *event); /* a line on stdout */
void ladder_free(struct ladder *l);

#endif
