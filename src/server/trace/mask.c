/*
 * What must not leave the process is written over with x, each byte by one, so that a message stays what it was to whoever takes it
 * apart: what proves a password (the response of a digest, all of other schemes), passwords in URIs, the cookie that lets requests
 * of a dialog pass, keys of media (SDES, ZRTP's kin, ICE), digits that were dialled (INFO), and what a body calls a password or a PIN.
 *
 * It reads lines, not messages: what is broken or cut short is masked as well, and rather too much than too little is.
 */
#include "internal.h"

#include <ctype.h>

struct text {
	char *p, *end;
};

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '-';
}

static void cover(char *p, char *end)
{
	for (; p < end; p++)
		if (*p != '\r' && *p != '\n')
			*p = 'x';
}

static struct td_str view(struct text t)
{
	return td_str_n(t.p, t.end > t.p ? (size_t)(t.end - t.p) : 0);
}

static bool begins(struct text t, const char *lower)
{
	return td_str_istarts(view(t), td_str_of(lower));
}

static char *skip_blank(char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	return p;
}

static char *until(char *p, const char *end, const char *stops)
{
	while (p < end && *p && !strchr(stops, *p))
		p++;
	return p;
}

/* The value of name=value, name: "value" or <name>value<, wherever the name stands as a word of its own. */
static void cover_named(struct text t, const char *name)
{
	size_t n = strlen(name);

	for (char *p = t.p; p < t.end; p++) {
		char *v = p + n;

		if ((p > t.p && is_word(p[-1])) || !begins((struct text){ p, t.end }, name))
			continue;
		if (v < t.end && is_word(*v))
			continue;
		if (v < t.end && (*v == '"' || *v == '\''))
			v++;
		v = skip_blank(v, t.end);
		if (v == t.end || (*v != '=' && *v != ':' && *v != '>'))
			continue;
		v = skip_blank(v + 1, t.end);
		if (v < t.end && (*v == '"' || *v == '\''))
			p = until(v + 1, t.end, *v == '"' ? "\"\r\n" : "'\r\n");
		else
			p = until(v, t.end, " \t\r\n;,&<>\"");
		cover(v < t.end && (*v == '"' || *v == '\'') ? v + 1 : v, p);
	}
}

/* sip:user:PASSWORD@host */
static void cover_uris(struct text t)
{
	for (char *p = t.p; p < t.end; p++) {
		char *user, *at, *colon;

		if (!begins((struct text){ p, t.end }, "sip:") && !begins((struct text){ p, t.end }, "sips:"))
			continue;
		user = until(p, t.end, ":") + 1;
		at = until(user, t.end, "@ \t\r\n<>\"");
		colon = until(user, at, ":");
		if (at < t.end && *at == '@' && colon < at)
			cover(colon + 1, at);
		p = at < t.end ? at : t.end - 1;
	}
}

static void cover_line(struct text t)
{
	cover_uris(t);
	cover_named(t, "td");    /* our Record-Route cookie */
	cover_named(t, "postd"); /* digits dialled after the answer */
}

/* ---- header fields ---- */

static void cover_credentials(struct text t)
{
	char *scheme = skip_blank(t.p, t.end), *end = until(scheme, t.end, " \t\r\n");

	if (begins((struct text){ scheme, end }, "digest") && end - scheme == 6)
		cover_named((struct text){ end, t.end }, "response");
	else
		cover(skip_blank(end, t.end), t.end);
}

/* What a body is, as far as it must be masked by it. */
struct body {
	bool digits; /* is made of dialled digits */
};

static void read_type(struct body *b, struct text t)
{
	static const char *const types[] = { "application/dtmf", "application/vnd.nortelnetworks.digits", "application/kpml" };

	t.p = skip_blank(t.p, t.end);
	b->digits = false;
	for (size_t i = 0; i < TD_ARRAY_LEN(types); i++)
		b->digits |= begins(t, types[i]);
}

static void cover_field(struct body *b, struct text t)
{
	char *colon = until(t.p, t.end, ":\r\n");
	struct td_str name = td_str_trim(td_str_n(t.p, (size_t)(colon - t.p)));
	struct text value = { colon < t.end ? colon + 1 : t.end, t.end };

	cover_line(t);
	if (td_str_ieq(name, TD_STR("Authorization")) || td_str_ieq(name, TD_STR("Proxy-Authorization")))
		cover_credentials(value);
	else if (td_str_ieq(name, TD_STR("Authentication-Info")) || td_str_ieq(name, TD_STR("Proxy-Authentication-Info")))
		cover_named(value, "rspauth");
	else if (td_str_ieq(name, TD_STR("Content-Type")) || td_str_ieq(name, TD_STR("c")))
		read_type(b, value);
}

/* ---- bodies ---- */

static void cover_digits(struct text t)
{
	/* In name=value (dtmf-relay: Signal=5) the name says nothing; else all of it is digits. */
	char *value = until(t.p, t.end, "=");

	for (char *p = value < t.end ? value : t.p; p < t.end; p++)
		if (isdigit((unsigned char)*p) || *p == '*' || *p == '#')
			*p = 'x';
		else if (strchr("ABCDabcd", *p) && *p && (p == t.p || !is_word(p[-1])) && (p + 1 == t.end || !is_word(p[1])))
			*p = 'x';
}

static void cover_body_line(struct body *b, struct text t)
{
	static const char *const secrets[] = { "password", "passwd", "passwort", "passphrase", "pwd", "secret", "pin" };
	char *inside;

	if (begins(t, "content-type:"))
		read_type(b, (struct text){ t.p + 13, t.end });
	else if (begins(t, "a=crypto:")) {
		inside = memmem(t.p, (size_t)(t.end - t.p), "inline:", 7);
		cover(inside ? inside + 7 : t.p + 9, t.end);
	} else if (begins(t, "a=ice-pwd:")) {
		cover(t.p + 10, t.end);
	} else if (begins(t, "a=key-mgmt:")) {
		cover(until(t.p + 11, t.end, " "), t.end);
	} else if (begins(t, "k=")) {
		cover(t.p + 2, t.end);
	} else if (b->digits || begins(t, "signal")) {
		cover_digits(t);
	}
	cover_line(t);
	for (size_t i = 0; i < TD_ARRAY_LEN(secrets); i++)
		cover_named(t, secrets[i]);
}

/* ---- lines ---- */

static char *line_end(char *p, char *end)
{
	char *nl = memchr(p, '\n', (size_t)(end - p));

	return nl ? nl + 1 : end;
}

/* A field with what it is continued by. */
static char *field_end(char *p, char *end)
{
	do
		p = line_end(p, end);
	while (p < end && (*p == ' ' || *p == '\t'));
	return p;
}

void td_trace_mask(char *bytes, size_t n)
{
	char *p = bytes, *end = bytes + n, *next;
	struct body body = { .digits = false };

	if (!n)
		return;
	next = line_end(p, end); /* the start line */
	cover_line((struct text){ p, next });
	for (p = next; p < end && *p != '\r' && *p != '\n'; p = next) {
		next = field_end(p, end);
		cover_field(&body, (struct text){ p, next });
	}
	if (p < end)
		p = line_end(p, end); /* the empty line */
	for (; p < end; p = next) {
		next = line_end(p, end);
		cover_body_line(&body, (struct text){ p, next });
	}
}

void td_trace_mask_words(char *text, size_t n)
{
	cover_line((struct text){ text, text + n });
}
