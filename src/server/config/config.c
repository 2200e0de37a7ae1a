/*
 * Loading: the text is read by libcyaml after the schema, keys it does not know are found with their place, and check.c turns
 * what was written into values. A file is taken whole or not at all.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

enum { MAX_FILE = 1 << 20 };

/* libcyaml tells its troubles line by line: the first is what, the second where ("in mapping field 'x' (line: 1, column: 9)"). */
struct cyaml_trouble {
	char what[200], where[200];
};

__attribute__((format(printf, 3, 0))) static void on_cyaml_log(cyaml_log_t level, void *ctx, const char *fmt, va_list args)
{
	struct cyaml_trouble *t = ctx;
	char line[200];
	size_t n;

	if (level < CYAML_LOG_ERROR)
		return;
	vsnprintf(line, sizeof(line), fmt, args);
	n = strcspn(line, "\n");
	line[n] = '\0';
	if (!t->what[0])
		snprintf(t->what, sizeof(t->what), "%s", strncmp(line, "Load: ", 6) ? line : line + 6);
	else if (!t->where[0] && strstr(line, "(line: "))
		snprintf(t->where, sizeof(t->where), "%s", line);
}

static uint32_t number_after(const char *text, const char *label)
{
	const char *p = strstr(text, label);
	uint32_t v = 0;
	size_t n;

	if (!p)
		return 1;
	p += strlen(label);
	n = strspn(p, "0123456789");
	return td_str_u32(&v, td_str_n(p, n)) ? 1 : v;
}

/* A tab, an unclosed bracket: libyaml knows the place, libcyaml does not pass it on. */
static bool report_yaml_syntax(struct td_out *errors, struct td_str name, struct td_str yaml)
{
	yaml_parser_t parser;
	yaml_document_t doc;
	bool bad;

	if (!yaml_parser_initialize(&parser))
		return false;
	yaml_parser_set_input_string(&parser, (const unsigned char *)yaml.p, yaml.n);
	bad = !yaml_parser_load(&parser, &doc);
	if (bad)
		td_out_fmt(errors, "%.*s:%zu:%zu: this is no YAML: %s\n", TD_FMT(name), parser.problem_mark.line + 1,
			   parser.problem_mark.column + 1, parser.problem ? parser.problem : "cannot be read");
	else
		yaml_document_delete(&doc);
	yaml_parser_delete(&parser);
	return bad;
}

static void report_cyaml(struct td_out *errors, struct td_str name, const struct cyaml_trouble *t, cyaml_err_t code)
{
	static const struct {
		const char *theirs, *ours;
		bool rest;
	} words[] = {
		{ "Invalid uint64_t value: ", "this is no whole number: ", true },
		{ "Invalid UINT value: ", "this is no whole number: ", true },
		{ "Mapping field already seen: ", "given twice: ", true },
		{ "Expecting SEQUENCE", "want a list here (\"[a, b]\", or lines that start with \"- \")", false },
		{ "Expecting MAPPING", "want keys here (\"key: value\")", false },
		{ "Expecting STRING", "want one plain value here", false },
		{ "Expecting", "want another kind of value here", false },
	};
	const char *text = t->what[0] ? t->what : cyaml_strerror(code), *ours = "";
	size_t i;

	for (i = 0; i < TD_ARRAY_LEN(words); i++) {
		if (strncmp(text, words[i].theirs, strlen(words[i].theirs)))
			continue;
		ours = words[i].ours;
		text = words[i].rest ? text + strlen(words[i].theirs) : "";
		break;
	}
	td_out_fmt(errors, "%.*s:%u:%u: %s%s\n", TD_FMT(name), number_after(t->where, "line: "),
		   number_after(t->where, "column: "), ours, text);
}

static int check_raw(struct td_config *c, const struct raw_config *raw, struct td_out *errors, struct td_str name,
		     struct position *pos)
{
	struct report r = { .out = errors, .file = name, .pos = pos };
	int err = config_check(c, raw, &r);

	return err ? err : r.count ? TD_ESYNTAX : 0;
}

static int read_yaml(struct td_config *c, struct td_out *errors, struct td_str name, struct td_str yaml)
{
	struct cyaml_trouble trouble = { 0 };
	cyaml_config_t cy = { .log_fn = on_cyaml_log, .log_ctx = &trouble, .mem_fn = cyaml_mem, .log_level = CYAML_LOG_ERROR };
	struct raw_config none = { 0 }, *raw = NULL;
	struct td_out known;
	struct td_str key;
	struct position pos = { 0 };
	size_t line, column;
	cyaml_err_t code;
	int err;

	if (report_yaml_syntax(errors, name, yaml))
		return TD_ESYNTAX;
	err = position_open(&pos, yaml);
	if (err)
		return err;
	td_out_init(&known);
	if (position_unknown_key(&pos, &config_schema, &key, &line, &column, &known)) {
		td_out_fmt(errors, "%.*s:%zu:%zu: there is no key \"%.*s\" here (want one of %.*s)\n", TD_FMT(name), line, column,
			   TD_FMT(key), TD_FMT(td_out_view(&known)));
		err = TD_ESYNTAX;
	}
	td_out_free(&known);
	if (!err) {
		code = cyaml_load_data((const uint8_t *)yaml.p, yaml.n, &cy, &config_schema, (cyaml_data_t **)&raw, NULL);
		if (code) {
			report_cyaml(errors, name, &trouble, code);
			err = code == CYAML_ERR_OOM ? -ENOMEM : TD_ESYNTAX;
		} else {
			err = check_raw(c, raw ? raw : &none, errors, name, &pos);
			cyaml_free(&cy, &config_schema, raw, 0);
		}
	}
	position_close(&pos);
	return err;
}

int td_config_parse(struct td_config **out, struct td_out *errors, struct td_str name, struct td_str yaml)
{
	struct td_config *c = calloc(1, sizeof(*c));
	struct raw_config none = { 0 };
	struct position nowhere = { 0 };
	int err;

	if (!c)
		return -ENOMEM;
	atomic_store(&c->refs, 1);
	td_arena_init(&c->arena);
	err = config_defaults(c);
	if (!err)
		err = td_arena_dup(&c->file, &c->arena, name);
	if (!err)
		err = yaml.n ? read_yaml(c, errors, name, yaml) : check_raw(c, &none, errors, name, &nowhere);
	if (err) {
		td_config_unref(c);
		return err;
	}
	*out = c;
	return 0;
}

static int read_file(struct td_out *o, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	err = td_read_all(o, fd, MAX_FILE);
	close(fd);
	return err;
}

int td_config_load(struct td_config **out, struct td_out *errors, struct td_str path)
{
	struct td_out text;
	char *z = calloc(1, path.n + 1);
	int err;

	if (!z)
		return -ENOMEM;
	if (path.n)
		memcpy(z, path.p, path.n);
	td_out_init(&text);
	err = read_file(&text, z);
	if (err)
		td_out_fmt(errors, "%s: cannot be read: %s (\"tandem init DOMAIN\" writes one)\n", z, td_strerror(err));
	else
		err = td_config_parse(out, errors, path, td_out_view(&text));
	td_out_free(&text);
	free(z);
	return err;
}
