/*
 * Reading the folders of test data: their MANIFEST.tsv row by row, and the files it names; and what the message room
 * makes of such a file. Shared by the vector tests.
 */
#ifndef TESTS_VECTORS_MANIFEST_H
#define TESTS_VECTORS_MANIFEST_H

#include "support.h"

#include <stdio.h>

#include <tandem/sip.h>

enum { MANIFEST_COLS = 10 };

struct manifest {
	const char *dir;
	struct td_buf *text;
	struct td_str rest, names[MANIFEST_COLS], cols[MANIFEST_COLS];
	unsigned rows;
};

/* A file of the test data, in a block of exactly its size. NULL when there is none. */
static inline struct td_buf *data_file(const char *dir, struct td_str name)
{
	const char *root = getenv("TANDEM_TEST_DATA");
	struct td_buf *buf = NULL;
	char path[4096];
	FILE *f;
	long n;

	assert_non_null(root);
	snprintf(path, sizeof(path), "%s/%s/%.*s", root, dir, TD_FMT(name));
	f = fopen(path, "rb");
	if (!f)
		return NULL;
	if (!fseek(f, 0, SEEK_END) && (n = ftell(f)) >= 0) {
		rewind(f);
		buf = td_buf_new((size_t)n);
		if (buf)
			buf->len = (uint32_t)fread(buf->data, 1, (size_t)n, f);
	}
	fclose(f);
	assert_non_null(buf);
	return buf;
}

static inline void manifest_split(struct td_str *cols, struct td_str line)
{
	unsigned i;

	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	for (i = 0; i < MANIFEST_COLS; i++)
		cols[i] = line.p ? td_str_split(&line, '\t') : TD_STR_NULL;
}

static inline void manifest_open(struct manifest *m, const char *dir)
{
	*m = (struct manifest){ .dir = dir, .text = data_file(dir, TD_STR("MANIFEST.tsv")) };
	assert_non_null(m->text);
	m->rest = td_buf_str(m->text);
	manifest_split(m->names, td_str_split(&m->rest, '\n'));
}

/* False after the last row, and closes the manifest; a manifest without rows is a mistake. */
static inline bool manifest_next(struct manifest *m)
{
	struct td_str line;

	while (m->rest.p && m->rest.n) {
		line = td_str_split(&m->rest, '\n');
		if (!line.n)
			continue;
		manifest_split(m->cols, line);
		m->rows++;
		return true;
	}
	assert_true(m->rows > 0);
	td_buf_unref(m->text);
	return false;
}

static inline struct td_str manifest_col(const struct manifest *m, const char *name)
{
	unsigned i;

	for (i = 0; i < MANIFEST_COLS; i++)
		if (td_str_eq(m->names[i], td_str_of(name)))
			return m->cols[i];
	fail_msg("%s: no column %s", m->dir, name);
	return TD_STR_NULL;
}

static inline struct td_buf *manifest_file(const struct manifest *m)
{
	struct td_buf *buf = data_file(m->dir, manifest_col(m, "file"));

	if (!buf)
		fail_msg("%s: no file %.*s", m->dir, TD_FMT(manifest_col(m, "file")));
	return buf;
}

static inline bool has(struct td_str s, const char *part)
{
	return s.p && s.n && memmem(s.p, s.n, part, strlen(part));
}

/* What an element makes of the bytes of a datagram. */
enum { ACCEPT = 0, DROP = 1 }; /* else the status it answers with */

struct verdict {
	unsigned is;
	const char *why;
};

/* With strict: every header is looked at (td_msg_validate()). Responses are not answered: a bad one is dropped. */
static inline struct verdict judge(struct td_buf *buf, size_t at, bool strict)
{
	struct verdict v = { DROP, "no message" };
	struct td_defect d;
	struct td_msg *m;
	int err = td_msg_parse(&m, buf, at, buf->len - at);

	if (err) {
		assert_int_equal(err, TD_ESYNTAX);
		return v;
	}
	d = strict ? td_msg_validate(m) : m->defect;
	if (!d.status)
		v = (struct verdict){ ACCEPT, "" };
	else
		v = (struct verdict){ m->request ? d.status : DROP, d.why };
	td_msg_unref(m);
	return v;
}

/* Takes edits without any over the message: the same bytes must come out. */
static inline void assert_forwards_unchanged(const struct td_msg *m)
{
	struct td_edits ed;
	struct td_buf *out;

	td_edits_init(&ed, m);
	assert_int_equal(td_edits_apply(&out, &ed), 0);
	assert_true(td_str_eq(td_buf_str(out), m->bytes));
	td_edits_free(&ed);
	td_buf_unref(out);
}

/* Walks everything a message holds, so that a sanitizer sees every view: all lists, all typed values, all parts. */
static inline void touch(const struct td_msg *m)
{
	struct td_values it;
	struct td_parts parts;
	struct td_part part;
	struct td_str v;
	unsigned id, sum = 0;

	for (id = 0; id < TD_HDR_COUNT; id++)
		for (td_values_of(&it, m, (enum td_hdr_id)id); td_values_next(&v, &it) > 0;)
			sum += v.n ? (unsigned char)v.p[v.n - 1] : 0;
	sum += td_msg_validate(m).status;
	if (!td_parts_of(&parts, td_msg_value(m, TD_HDR_CONTENT_TYPE), m->body))
		while (td_parts_next(&part, &parts) > 0)
			sum += (unsigned)td_part_header(&part, TD_STR("Content-Type")).n;
	assert_true(sum > 0);
}

#endif
