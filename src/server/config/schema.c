/*
 * The keys of the configuration, as libcyaml's table. Only shapes are checked here (mapping, list, number); what a value
 * means is checked by check.c, which can say in words what it wanted.
 */
#include "internal.h"

#define OPT (CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL)
#define TEXT(key, type, field) CYAML_FIELD_STRING_PTR(key, OPT, type, field, 0, CYAML_UNLIMITED)
#define NUMBER(key, type, field) CYAML_FIELD_UINT_PTR(key, OPT, type, field)

static const cyaml_schema_value_t text = { CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char *, 0, CYAML_UNLIMITED) };

static const cyaml_schema_field_t domain_fields[] = {
	TEXT("name", struct raw_domain, name),
	TEXT("users", struct raw_domain, users),
	TEXT("mode", struct raw_domain, mode),
	TEXT("fork", struct raw_domain, fork),
	TEXT("ring_time", struct raw_domain, ring_time),
	TEXT("recurse", struct raw_domain, recurse),
	TEXT("service_route", struct raw_domain, service_route),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t domain = { CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_domain, domain_fields) };

static const cyaml_schema_field_t ring_fields[] = {
	TEXT("number", struct raw_ring, number),
	CYAML_FIELD_SEQUENCE("to", OPT, struct raw_ring, to, &text, 0, CYAML_UNLIMITED),
	TEXT("timeout", struct raw_ring, timeout),
	CYAML_FIELD_SEQUENCE("then", OPT, struct raw_ring, then, &text, 0, CYAML_UNLIMITED),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t ring = { CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_ring, ring_fields) };

static const cyaml_schema_field_t registrar_fields[] = {
	TEXT("min_expires", struct raw_registrar, min_expires),
	TEXT("default_expires", struct raw_registrar, default_expires),
	TEXT("max_expires", struct raw_registrar, max_expires),
	NUMBER("max_contacts", struct raw_registrar, max_contacts),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t proxy_fields[] = {
	TEXT("timer_c", struct raw_proxy, timer_c),
	NUMBER("max_branches", struct raw_proxy, max_branches),
	NUMBER("max_pending", struct raw_proxy, max_pending),
	TEXT("failover", struct raw_proxy, failover),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t calls_fields[] = {
	TEXT("track", struct raw_calls, track),         TEXT("records", struct raw_calls, records),
	NUMBER("per_user", struct raw_calls, per_user), TEXT("longest", struct raw_calls, longest),
	TEXT("keep", struct raw_calls, keep),           CYAML_FIELD_END,
};

static const cyaml_schema_field_t limits_fields[] = {
	NUMBER("rate", struct raw_limits, rate),
	NUMBER("burst", struct raw_limits, burst),
	NUMBER("max_message", struct raw_limits, max_message),
	NUMBER("connections_per_source", struct raw_limits, connections_per_source),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t guard_fields[] = {
	CYAML_FIELD_SEQUENCE("allow", OPT, struct raw_guard, allow, &text, 0, CYAML_UNLIMITED),
	NUMBER("tries", struct raw_guard, tries),
	TEXT("ban", struct raw_guard, ban),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t trace_fields[] = {
	NUMBER("memory", struct raw_trace, memory),
	TEXT("hep", struct raw_trace, hep),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t web_fields[] = {
	CYAML_FIELD_SEQUENCE("origins", OPT, struct raw_web, origins, &text, 0, CYAML_UNLIMITED),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t site_fields[] = {
	TEXT("name", struct raw_site, name),
	TEXT("certificate", struct raw_site, certificate),
	TEXT("key", struct raw_site, key),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t site = { CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_site, site_fields) };

static const cyaml_schema_field_t tls_fields[] = {
	TEXT("certificate", struct raw_tls, certificate),
	TEXT("key", struct raw_tls, key),
	CYAML_FIELD_SEQUENCE("domains", OPT, struct raw_tls, domains, &site, 0, CYAML_UNLIMITED),
	TEXT("ca", struct raw_tls, ca),
	TEXT("clients", struct raw_tls, clients),
	CYAML_FIELD_SEQUENCE("require_clients", OPT, struct raw_tls, require_clients, &text, 0, CYAML_UNLIMITED),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t dns_fields[] = {
	CYAML_FIELD_SEQUENCE("servers", OPT, struct raw_dns, servers, &text, 0, CYAML_UNLIMITED),
	TEXT("timeout", struct raw_dns, timeout),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t push_fields[] = {
	TEXT("url", struct raw_push, url),
	CYAML_FIELD_SEQUENCE("providers", OPT, struct raw_push, providers, &text, 0, CYAML_UNLIMITED),
	TEXT("wait", struct raw_push, wait),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t top_fields[] = {
	CYAML_FIELD_SEQUENCE("domains", OPT, struct raw_config, domains, &domain, 0, CYAML_UNLIMITED),
	CYAML_FIELD_SEQUENCE("listen", OPT, struct raw_config, listen, &text, 0, CYAML_UNLIMITED),
	CYAML_FIELD_SEQUENCE("ring", OPT, struct raw_config, ring, &ring, 0, CYAML_UNLIMITED),
	TEXT("state", struct raw_config, state),
	TEXT("user", struct raw_config, user),
	TEXT("sandbox", struct raw_config, sandbox),
	NUMBER("workers", struct raw_config, workers),
	TEXT("registrations", struct raw_config, registrations),
	CYAML_FIELD_SEQUENCE("trust", OPT, struct raw_config, trust, &text, 0, CYAML_UNLIMITED),
	CYAML_FIELD_SEQUENCE("digest", OPT, struct raw_config, digest, &text, 0, CYAML_UNLIMITED),
	TEXT("nonce_lifetime", struct raw_config, nonce_lifetime),
	CYAML_FIELD_MAPPING_PTR("registrar", OPT, struct raw_config, registrar, registrar_fields),
	CYAML_FIELD_MAPPING_PTR("proxy", OPT, struct raw_config, proxy, proxy_fields),
	CYAML_FIELD_MAPPING_PTR("calls", OPT, struct raw_config, calls, calls_fields),
	CYAML_FIELD_MAPPING_PTR("limits", OPT, struct raw_config, limits, limits_fields),
	CYAML_FIELD_MAPPING_PTR("guard", OPT, struct raw_config, guard, guard_fields),
	CYAML_FIELD_MAPPING_PTR("trace", OPT, struct raw_config, trace, trace_fields),
	CYAML_FIELD_MAPPING_PTR("web", OPT, struct raw_config, web, web_fields),
	CYAML_FIELD_MAPPING_PTR("tls", OPT, struct raw_config, tls, tls_fields),
	CYAML_FIELD_MAPPING_PTR("dns", OPT, struct raw_config, dns, dns_fields),
	CYAML_FIELD_MAPPING_PTR("push", OPT, struct raw_config, push, push_fields),
	TEXT("relay", struct raw_config, relay),
	TEXT("log", struct raw_config, log),
	CYAML_FIELD_END,
};

const cyaml_schema_value_t config_schema = { CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct raw_config, top_fields) };
