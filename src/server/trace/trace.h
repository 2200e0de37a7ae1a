/*
 * server/trace: what happened, kept for a while, so that somebody who asks afterwards is told. Each worker has a ring of records:
 * every message as it was (after decryption), and notes: what the server decided, and what it met. Records are compact (numbers and
 * short texts); words are made of them only when somebody asks (`tandem why`, `tandem trace`), on the thread that asks.
 *
 * A ring is memory of a fixed size, touched as it fills; what is oldest is overwritten. Only its worker writes it, without a lock and
 * without asking anybody; it is read by mail (td_traces_read()), in counted pieces that are not copied.
 *
 * How to record a decision: add a kind below, with what its numbers and texts are; write the note where the decision is taken, the
 * Call-ID first:
 *
 *	td_trace_note(core->trace, msg->call_id, &(struct td_note){ .kind = TD_NOTE_DNS_FAILED, .a = err, .text = name });
 *
 * and add its name to note.c and its sentence to story_steps.c. Texts are copied, at most TD_NOTE_TEXT_MAX bytes of each. What
 * has no Call-ID (a handshake that failed) carries the peer's address instead, by which it is found; of such there are 20 a second at most. A note costs some fifty
 * instructions: what the messages themselves show needs none.
 */
#ifndef TANDEM_SERVER_TRACE_H
#define TANDEM_SERVER_TRACE_H

#include <tandem/transport.h>

enum {
	TD_TRACE_MEMORY = 1 << 20,       /* of a worker's ring, when nothing is said */
	TD_TRACE_LEAST = 256 << 10,      /* and what it can be at least */
	TD_TRACE_SEGMENT = 64 << 10,     /* the ring's pieces: as much is forgotten at once */
	TD_TRACE_MESSAGE_MAX = 32 << 10, /* kept of one message */
	TD_TRACE_REACH_S = 10,           /* a ring reaches back so far at least, or messages are left out */
	TD_NOTE_TEXT_MAX = 256,
};

/* What a number or text is stands with the kind; those not named are 0 and empty. Refusals carry a, the status answered with. */
enum td_note_kind {
	TD_NOTE_NONE,
	TD_NOTE_LEFT_OUT, /* a: messages that were not kept since the last such note */
	/* server/guard, server/worker */
	TD_NOTE_LIMITED, /* dropped unread: its source sends more than limits.rate. peer; a: so many since the last such note */
	TD_NOTE_BANNED,  /* peer: its source, for a seconds. text: "passwords" (b of them were guessed), "probing", "junk" */
	TD_NOTE_STILL_BANNED,  /* peer: dropped unread; a: so many since the last such note */
	TD_NOTE_WORKER_BEHIND, /* a: 503, or 0: dropped. Its worker is too far behind */
	TD_NOTE_BROKEN,        /* a, text: the grammar's rule that it breaks */
	/* server/gate */
	TD_NOTE_CHALLENGED, /* it brought no credentials that could be looked at, and is asked for them: 401 or 407 */
	TD_NOTE_NONCE_OLD,  /* the password was right or wrong, who knows: asked again with a new nonce */
	TD_NOTE_PASSWORD, /* wrong, and asked for again. text: the user it names; b: 1: there is none, 2: his secret has no such algorithm */
	TD_NOTE_NOT_HIM,       /* a; the password was right. text: whose, more: whom From (REGISTER: To) names */
	TD_NOTE_AUTHENTICATED, /* text: as whom */
	/* server/route */
	TD_NOTE_REFUSED, /* a, text: the reason phrase; more: the address of record it was for, as far as one was found */
	/* server/registrar */
	TD_NOTE_NOT_REGISTERED, /* a, text: the reason phrase; more: the address of record */
	/* server/proxy */
	TD_NOTE_BINDINGS,    /* text: the address of record; a: how many contacts, b: seconds until the first of them expires */
	TD_NOTE_NO_SIPS,     /* text: the address of record; a: contacts, none of which is a sips URI as was asked for */
	TD_NOTE_PUSHED,      /* text: the kind of push service that was told to wake a phone */
	TD_NOTE_PUSH_FAILED, /* a: an error; text: the URL that was to be told */
	TD_NOTE_WOKEN,       /* a: milliseconds until the phone had registered */
	TD_NOTE_NOT_WOKEN,   /* a: seconds that were waited for it */
	TD_NOTE_TOO_MANY, /* a; calls of a user (calls.per_user): text; or being set up from a source (proxy.max_pending): peer */
	TD_NOTE_NO_TARGET,     /* a: an error. text: the URI that leads nowhere */
	TD_NOTE_UNSENT,        /* a: an error; peer: it could not be sent there */
	TD_NOTE_NO_ANSWER,     /* peer: no final answer came from it in time; a: 1: it had said something (1xx) */
	TD_NOTE_RANG_TOO_LONG, /* Timer C; a: seconds */
	/* DNS (RFC 3263) */
	TD_NOTE_DNS_ASKED,  /* text: the name, more: "NAPTR", "SRV", "A", "AAAA"; a: how many answers */
	TD_NOTE_DNS_FAILED, /* text: the name, more: what was asked for; a: an error; b: the DNS response code, 3: no such name */
	TD_NOTE_NEXT_SERVER, /* peer: tried now, since another of the same name failed. text: the name */
	/* TLS */
	TD_NOTE_TLS_FAILED, /* peer; a: an error, TD_ENAME: its certificate is another one's (RFC 5922); text: why */
	TD_NOTE_KINDS
};

struct td_note {
	enum td_note_kind kind;
	uint8_t proto; /* enum td_proto, of peer */
	int64_t a, b;
	struct td_addr peer; /* family TD_AF_NONE: none */
	struct td_str text, more;
};

/* ---- the worker's side: all of it takes NULL, and does nothing then ---- */

struct td_trace;

/* loop is kept: it is the one that writes. memory: of the ring; at least TD_TRACE_LEAST is taken. */
int td_trace_open(struct td_trace **out, struct td_loop *loop, size_t memory);
void td_trace_close(struct td_trace *t); /* pieces that are still being read live on */

/*
 * A message that came and is handled now, until td_trace_handled(). When the ring would not reach back TD_TRACE_REACH_S seconds, not
 * all are kept: those of some Call-IDs are, and whole, while of the others only what went wrong is noted. So a flood does not push
 * out what happened before it, and a busy server does not pay for a memory of milliseconds. All are kept while somebody
 * watches.
 */
void td_trace_received(struct td_trace *t, const struct td_msg *msg, const struct td_flow *from);
void td_trace_handled(struct td_trace *t);
/* A message that came from, or went to, flow. bytes are copied, up to TD_TRACE_MESSAGE_MAX. Without memory nothing is kept. */
enum td_trace_kind { TD_TRACE_IN = 1, TD_TRACE_OUT, TD_TRACE_NOTE };
void td_trace_message(struct td_trace *t, enum td_trace_kind way, const struct td_flow *flow, struct td_str bytes);
void td_trace_note(struct td_trace *t, struct td_str call_id, const struct td_note *note);

/* ---- the reader's side ---- */

/* How far somebody has read a ring. All zero: nothing of it. */
struct td_trace_cursor {
	uint64_t segment; /* number of the piece, from 1 */
	uint32_t at;
};

/* A piece of a worker's ring: records in bytes [from, to) of buf, which is counted and does not change there. */
struct td_trace_piece {
	struct td_buf *buf;
	uint32_t from, to;
	unsigned worker;
	int64_t wall_us; /* added to a record's time it makes microseconds since 1970 */
};

struct td_trace_record {
	enum td_trace_kind kind;
	unsigned worker;
	uint64_t at_us;      /* monotonic, the same clock on all workers */
	uint64_t wall_us;    /* since 1970 */
	struct td_flow flow; /* messages */
	struct td_str bytes; /* messages: what was kept of whole_n bytes */
	size_t whole_n;
	struct td_str call_id; /* notes; empty: of none */
	struct td_note note;
};

/* The next record of a piece; views point into it. *at begins with piece->from. False: there is no other. */
bool td_trace_next(struct td_trace_record *out, const struct td_trace_piece *piece, uint32_t *at);

/* The rings of a server's workers. */
struct td_traces {
	unsigned n;
	struct td_trace *const *rings; /* of each worker; NULL: it keeps none */
};

/* What was written since the cursors, oldest first of each worker; lost: some of it had been overwritten. The pieces are borrowed for
 * the call (td_buf_ref() to keep). */
typedef void td_traces_read_fn(void *arg, const struct td_trace_piece *pieces, unsigned n, bool lost);

/*
 * Asks every worker for what it wrote since cursors[worker]; fn is called once, from `loop`, and the cursors (kept until then) have
 * moved on. all: for the next seconds nothing is to be left out, since the reader will come again. 0 or -ENOMEM. The workers must
 * not be gone before; traces is copied.
 */
int td_traces_read(const struct td_traces *traces, struct td_trace_cursor *cursors, bool all, struct td_loop *loop,
		   td_traces_read_fn *fn, void *arg);

/* ---- telling ---- */

/*
 * Writes x over what must not leave the process, in a message or a part of one: proofs of passwords, passwords in URIs and bodies, our
 * cookies, keys of media, dialled digits. Everything else stays, and the length. Whatever shows bytes or words of the trace to
 * anybody goes through one of these (X5).
 */
void td_trace_mask(char *bytes, size_t n);
void td_trace_mask_words(char *text, size_t n); /* of a sentence in which URIs are quoted */

struct td_story_step {
	uint64_t wall_us;
	enum td_note_kind note; /* TD_NOTE_NONE: a message */
	struct td_str text;
};

/* What became of a call, or of another request and those that belong to it, in words. Masked; but as peers wrote it otherwise. */
struct td_story {
	struct td_arena arena; /* of all texts */
	struct td_str call_id, method, caller, callee;
	uint64_t wall_us;     /* it began */
	const char *outcome;  /* a word for programs: "busy", "wrong-password" … */
	unsigned status;      /* the last answer to it; 0: none */
	struct td_str what;   /* what happened, a sentence or two */
	struct td_str remedy; /* what to do about it; empty: nothing */
	struct td_story_step *steps;
	unsigned step_n;
};

/*
 * Tells the story of `which` out of what td_traces_read() brought from all zero cursors: a Call-ID; "last", the last call or the last request
 * that went wrong;
 * a user's name or address, whose last it is then; or an IP address, from which it came. now_us: since 1970. TD_ENOTFOUND: nothing of it is there; -ENOMEM.
 */
int td_story_tell(struct td_story **out, const struct td_trace_piece *pieces, unsigned n, struct td_str which, uint64_t now_us);
void td_story_free(struct td_story *s); /* NULL is ignored */

/*
 * Which messages somebody wants to see: words with blanks between them, each a user (name, number or address), a Call-ID, a status (486,
 * 4xx), an address (192.0.2.7 or 192.0.2.7:5060) or a method. A message that all of them fit makes its whole call wanted, from
 * then on. No words: all messages. -ENOMEM, TD_ELIMIT.
 */
struct td_trace_filter;
int td_trace_filter_open(struct td_trace_filter **out, struct td_str words);
void td_trace_filter_close(struct td_trace_filter *f);
/* m: the message parsed; NULL: it cannot be, or it is a note. */
bool td_trace_filter_takes(struct td_trace_filter *f, const struct td_trace_record *r, const struct td_msg *m);

/* pcapng, as Wireshark reads it: a head, and a packet for each message, as if it had come by UDP whatever it came by. */
void td_pcapng_head(struct td_out *o);
void td_pcapng_packet(struct td_out *o, uint64_t wall_us, const struct td_addr *from, const struct td_addr *to,
		      struct td_str payload, struct td_str comment);

/* Whom From or To names, of requests and of responses, whose own are not read by the parser. False: nobody. */
bool td_trace_party(struct td_uri *out, const struct td_msg *m, enum td_hdr_id id);

void td_note_words(struct td_out *o, const struct td_note *n); /* in a few words, not masked */
struct td_str td_note_name(enum td_note_kind k);               /* "dns-failed": stable, for programs */

/*
 * ---- HEP3 ----
 *
 * HEP3, the protocol by which Homer and its kin collect what servers saw (https://github.com/sipcapture/HEP): every message in a datagram of
 * its own, masked, with its addresses and time as they were. An exporter reads the rings as any other reader does, ten times a second; the
 * collector is never waited for, and what it or we cannot follow is lost and counted.
 */
struct td_hep;

struct td_hep_options {
	struct td_loop *loop; /* kept; the exporter lives on it */
	struct td_net *net;   /* kept; of that loop */
	struct td_addr to;
	unsigned workers;
	/* How the rings are read (td_traces_read() with those cursors, from loop), and which address of ours a listener has. */
	int (*read)(void *arg, struct td_trace_cursor *cursors, td_traces_read_fn *fn, void *fn_arg);
	bool (*local)(void *arg, struct td_addr *out, unsigned listener);
	void *arg;
};

struct td_hep_stats {
	uint64_t sent, unsent, missed; /* datagrams; not taken by the socket; times that the rings were faster */
};

/* Begins with what happens from now on. 0, -ENOMEM, or an error of the socket. */
int td_hep_open(struct td_hep **out, const struct td_hep_options *opt);
/* No reading is begun after this; one that is under way ends by itself, and the memory with it. */
void td_hep_close(struct td_hep *h);
const struct td_hep_stats *td_hep_stats(const struct td_hep *h);

/* One packet. from and to are the message's; payload is written as it is. */
void td_hep_packet(struct td_out *o, uint64_t wall_us, const struct td_addr *from, const struct td_addr *to, enum td_proto proto,
		   struct td_str call_id, struct td_str payload);

#endif
