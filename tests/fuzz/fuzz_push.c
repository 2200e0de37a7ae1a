/* Push: the answer of whoever says to be a push service; and a Contact of any text makes a request whose head is ours and whose body is one
 * line of plain ASCII. */
#include "server/push/internal.h"
#include "inside.h"

static void tell(const struct td_config *cfg, struct td_str contact)
{
	struct td_push_news news = { .event = TD_STR("call"), .user = contact, .from = contact, .call_id = contact };
	struct td_str text;
	struct td_buf *b;
	const char *body;

	if (td_push_phone_of(&news.phone, cfg, contact)) {
		inside(contact, news.phone.prid);
		inside(contact, news.phone.provider);
		inside(contact, news.phone.param);
	}
	b = push_request(cfg, &news);
	must(b);
	text = td_buf_str(b);
	body = memmem(text.p, text.n, "\r\n\r\n", 4);
	must(body);
	for (const char *p = body + 4; p < text.p + text.n - 1; p++)
		must(*p >= ' ' && *p <= '~');
	td_buf_unref(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct td_config cfg = { .push = { .url = TD_STR("http://h/"), .host = TD_STR("h"), .path = TD_STR("/"), .port = 80 } };
	char *own = own_copy(data, size);
	int status;

	if (!own)
		return 0;
	status = push_status(td_str_n(own, size));
	must(status >= -1 && status < 1000);
	tell(&cfg, td_str_n(own, size));
	free(own);
	return 0;
}
