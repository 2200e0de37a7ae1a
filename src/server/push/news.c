/* A post as text: what is told of a phone, as JSON in an HTTP request; and the status of the answer. All of it may be a stranger's text. */
#include "server/push/internal.h"

/* Everything that is not plain ASCII as \u00xx: the bytes of what a phone wrote may be no UTF-8. */
static void put_string(struct td_out *o, struct td_str s)
{
	td_out_char(o, '"');
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c < 0x20 || c > 0x7e || c == '"' || c == '\\')
			td_out_fmt(o, "\\u%04x", c);
		else
			td_out_char(o, (char)c);
	}
	td_out_char(o, '"');
}

/* A URI's parameter, as it was meant. */
static void put_param(struct td_out *o, struct td_str s)
{
	struct td_out plain;

	td_out_init(&plain);
	put_string(o, td_unescape(&plain, s) ? s : td_out_view(&plain));
	o->failed |= plain.failed;
	td_out_free(&plain);
}

static void put_news(struct td_out *o, const struct td_push_news *news)
{
	td_out_z(o, "{\"event\":");
	put_string(o, news->event);
	td_out_z(o, ",\"user\":");
	put_string(o, news->user);
	td_out_z(o, ",\"provider\":");
	put_param(o, news->phone.provider);
	td_out_z(o, ",\"param\":");
	put_param(o, news->phone.param);
	td_out_z(o, ",\"prid\":");
	put_param(o, news->phone.prid);
	td_out_z(o, ",\"from\":");
	put_string(o, news->from);
	td_out_z(o, ",\"call_id\":");
	put_string(o, news->call_id);
	td_out_z(o, "}\n");
}

struct td_buf *push_request(const struct td_config *cfg, const struct td_push_news *news)
{
	bool usual = cfg->push.port == (cfg->push.secure ? 443 : 80), v6 = td_str_chr(cfg->push.host, ':');
	struct td_out body, o;
	struct td_buf *b;

	td_out_init(&body);
	td_out_init(&o);
	put_news(&body, news);
	td_out_fmt(&o, "POST %.*s HTTP/1.1\r\nHost: %s%.*s%s", TD_FMT(cfg->push.path), v6 ? "[" : "", TD_FMT(cfg->push.host),
		   v6 ? "]" : "");
	if (!usual)
		td_out_fmt(&o, ":%u", cfg->push.port);
	td_out_fmt(&o,
		   "\r\nUser-Agent: tandem\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
		   body.n);
	td_out_str(&o, td_out_view(&body));
	o.failed |= body.failed;
	b = td_out_buf(&o);
	td_out_free(&body);
	return b;
}

int push_status(struct td_str bytes)
{
	uint32_t status;

	if (!td_str_starts(bytes, TD_STR("HTTP/1.")) && bytes.n >= 7)
		return -1;
	if (bytes.n < sizeof("HTTP/1.1 200") - 1)
		return 0;
	if (bytes.p[8] != ' ' || td_str_u32(&status, td_str_n(bytes.p + 9, 3)) || status < 100)
		return -1;
	return (int)status;
}
