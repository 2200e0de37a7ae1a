#include "cli/ladder.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { PEER = 21, ARROW = 30 };

/* Calls are numbered as they appear; of the oldest of very many the number is forgotten. */
static struct ladder_call *call_of(struct ladder *l, const json_t *event)
{
	const char *id = cli_member(event, "call_id").p;
	struct ladder_call *c;

	for (unsigned i = 0; i < LADDER_CALLS; i++)
		if (l->calls[i].number && !strcmp(l->calls[i].call_id, id))
			return &l->calls[i];
	c = &l->calls[l->n++ % LADDER_CALLS];
	free(c->call_id);
	free(c->left);
	*c = (struct ladder_call){ .number = l->n, .call_id = strdup(id), .left = strdup(cli_member(event, "peer").p) };
	if (!c->call_id || !c->left)
		exit(CLI_FAULT);
	return c;
}

static void print_time(const json_t *event)
{
	uint64_t us = cli_number(event, "us");
	time_t s = (time_t)(us / 1000000);
	struct tm tm;
	char when[16];

	if (!localtime_r(&s, &tm) || !strftime(when, sizeof(when), "%H:%M:%S", &tm))
		snprintf(when, sizeof(when), "?");
	printf("%s.%03u ", when, (unsigned)(us / 1000 % 1000));
}

/* "--INVITE sip:bob@example.test->", always as wide. */
static void put_arrow(struct td_out *o, struct td_str title, bool right)
{
	struct td_out shown;
	size_t n;

	td_out_init(&shown);
	cli_put_shown(&shown, title);
	n = shown.n < ARROW - 5 ? shown.n : ARROW - 5;
	td_out_z(o, right ? "--" : "<-");
	td_out_str(o, td_str_n(shown.p, n));
	for (; n < ARROW - 4; n++)
		td_out_char(o, '-');
	td_out_z(o, right ? "->" : "--");
	td_out_free(&shown);
}

static void put_spaces(struct td_out *o, unsigned n)
{
	while (n--)
		td_out_char(o, ' ');
}

static void draw_message(struct ladder *l, const json_t *event)
{
	const struct ladder_call *c = call_of(l, event);
	const char *peer = cli_member(event, "peer").p;
	bool left = !strcmp(peer, c->left), in = td_str_eq(cli_member(event, "kind"), TD_STR("in"));
	struct td_out o;

	td_out_init(&o);
	if (left) {
		td_out_fmt(&o, "%*s ", PEER, peer);
		put_arrow(&o, cli_member(event, "title"), in);
		td_out_char(&o, '|');
	} else {
		put_spaces(&o, PEER + 1 + ARROW);
		td_out_char(&o, '|');
		put_arrow(&o, cli_member(event, "title"), !in);
		td_out_fmt(&o, " %s", peer);
	}
	print_time(event);
	printf("%3u %.*s", c->number, TD_FMT(td_out_view(&o)));
	if (!td_str_eq(cli_member(event, "transport"), TD_STR("UDP")))
		printf("  %s", cli_member(event, "transport").p);
	putchar('\n');
	td_out_free(&o);
}

static void draw_note(struct ladder *l, const json_t *event)
{
	unsigned number = 0;

	for (unsigned i = 0; i < LADDER_CALLS; i++)
		if (l->calls[i].number && !strcmp(l->calls[i].call_id, cli_member(event, "call_id").p))
			number = l->calls[i].number;
	print_time(event);
	if (number)
		printf("%3u", number);
	else
		fputs("   ", stdout);
	printf(" %*s* ", PEER + 1 + ARROW, "");
	cli_show(cli_member(event, "text"));
	putchar('\n');
}

void ladder_draw(struct ladder *l, const json_t *event)
{
	struct td_str kind = cli_member(event, "kind");

	if (td_str_eq(kind, TD_STR("in")) || td_str_eq(kind, TD_STR("out")))
		draw_message(l, event);
	else if (td_str_eq(kind, TD_STR("note")))
		draw_note(l, event);
	else if (td_str_eq(kind, TD_STR("missed")))
		printf("... %" PRIu64 " messages are not shown: they come faster than they can be written here\n",
		       cli_number(event, "messages"));
	else if (td_str_eq(kind, TD_STR("lost")))
		puts("... messages are not shown: they come faster than they can be read (a larger trace.memory helps)");
	fflush(stdout);
}

void ladder_free(struct ladder *l)
{
	for (unsigned i = 0; i < LADDER_CALLS; i++) {
		free(l->calls[i].call_id);
		free(l->calls[i].left);
	}
}
