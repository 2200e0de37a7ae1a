/*
 * Lines and columns. libcyaml gives values without their places, and for an unknown key the place of its neighbour, so the
 * text is read a second time as a libyaml document, only to look places up when there is something to complain about.
 */
#include <errno.h>

#include "internal.h"

int position_open(struct position *p, struct td_str yaml)
{
	yaml_parser_t parser;

	p->loaded = false;
	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	yaml_parser_set_input_string(&parser, (const unsigned char *)yaml.p, yaml.n);
	p->loaded = yaml_parser_load(&parser, &p->doc) != 0;
	yaml_parser_delete(&parser);
	return p->loaded ? 0 : TD_ESYNTAX;
}

void position_close(struct position *p)
{
	if (p->loaded)
		yaml_document_delete(&p->doc);
	p->loaded = false;
}

static bool key_is(const yaml_node_t *n, const char *key)
{
	return n && n->type == YAML_SCALAR_NODE &&
	       td_str_eq(td_str_n((const char *)n->data.scalar.value, n->data.scalar.length), td_str_of(key));
}

static yaml_node_t *child(yaml_document_t *doc, yaml_node_t *n, const char *step)
{
	yaml_node_pair_t *pair;
	uint32_t index;
	size_t items;

	if (n->type == YAML_MAPPING_NODE) {
		for (pair = n->data.mapping.pairs.start; pair < n->data.mapping.pairs.top; pair++)
			if (key_is(yaml_document_get_node(doc, pair->key), step))
				return yaml_document_get_node(doc, pair->value);
		return NULL;
	}
	if (n->type != YAML_SEQUENCE_NODE || td_str_u32(&index, td_str_of(step)))
		return NULL;
	items = (size_t)(n->data.sequence.items.top - n->data.sequence.items.start);
	return index < items ? yaml_document_get_node(doc, n->data.sequence.items.start[index]) : NULL;
}

void position_of(const struct position *p, const char *const *path, unsigned n, size_t *line, size_t *column)
{
	yaml_document_t *doc = (yaml_document_t *)&p->doc; /* libyaml's getters take it non-const and only read */
	yaml_node_t *node = p->loaded ? yaml_document_get_root_node(doc) : NULL, *next;
	unsigned i;

	*line = *column = 1;
	if (!node)
		return;
	for (i = 0; i < n; i++) {
		next = child(doc, node, path[i]);
		if (!next)
			break;
		node = next;
	}
	*line = node->start_mark.line + 1;
	*column = node->start_mark.column + 1;
}

static bool unknown_in(yaml_document_t *doc, yaml_node_t *n, const cyaml_schema_value_t *schema, struct td_str *key, size_t *line,
		       size_t *column, struct td_out *known);

static bool unknown_in_mapping(yaml_document_t *doc, yaml_node_t *n, const cyaml_schema_value_t *schema, struct td_str *key,
			       size_t *line, size_t *column, struct td_out *known)
{
	const cyaml_schema_field_t *f;
	yaml_node_pair_t *pair;
	yaml_node_t *k;

	for (pair = n->data.mapping.pairs.start; pair < n->data.mapping.pairs.top; pair++) {
		k = yaml_document_get_node(doc, pair->key);
		for (f = schema->mapping.fields; f->key && !key_is(k, f->key); f++)
			;
		if (f->key) {
			if (unknown_in(doc, yaml_document_get_node(doc, pair->value), &f->value, key, line, column, known))
				return true;
			continue;
		}
		*key = k->type == YAML_SCALAR_NODE ? td_str_n((const char *)k->data.scalar.value, k->data.scalar.length)
						   : TD_STR("?");
		*line = k->start_mark.line + 1;
		*column = k->start_mark.column + 1;
		for (f = schema->mapping.fields; f->key; f++) {
			td_out_z(known, known->n ? ", " : "");
			td_out_z(known, f->key);
		}
		return true;
	}
	return false;
}

static bool unknown_in(yaml_document_t *doc, yaml_node_t *n, const cyaml_schema_value_t *schema, struct td_str *key, size_t *line,
		       size_t *column, struct td_out *known)
{
	yaml_node_item_t *item;

	if (!n)
		return false;
	if (n->type == YAML_MAPPING_NODE && schema->type == CYAML_MAPPING)
		return unknown_in_mapping(doc, n, schema, key, line, column, known);
	if (n->type == YAML_SEQUENCE_NODE && schema->type == CYAML_SEQUENCE)
		for (item = n->data.sequence.items.start; item < n->data.sequence.items.top; item++)
			if (unknown_in(doc, yaml_document_get_node(doc, *item), schema->sequence.entry, key, line, column, known))
				return true;
	return false;
}

bool position_unknown_key(const struct position *p, const cyaml_schema_value_t *schema, struct td_str *key, size_t *line,
			  size_t *column, struct td_out *known)
{
	yaml_document_t *doc = (yaml_document_t *)&p->doc;

	return p->loaded && unknown_in(doc, yaml_document_get_root_node(doc), schema, key, line, column, known);
}
