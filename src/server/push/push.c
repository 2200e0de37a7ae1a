/*
 * Posts: each has a connection of its own, from the question where the service is to the first line of its answer. So many go at a time,
 * others wait for their turn, and what is more is refused.
 */
#include "server/push/internal.h"

#include <stdlib.h>

enum { ANSWER_MAX = 512 };

struct td_push {
	struct td_net *net;
	struct td_dns *dns;
	struct td_log *log;
	struct td_loop *loop;
	struct td_tls *tls;       /* made when the first service wants it; */
	struct td_config *tls_of; /* for this configuration */
	struct td_link running, waiting, ended;
	unsigned running_n, waiting_n;
	struct td_defer sweep;
};

struct td_push_post {
	struct td_link link;
	struct td_push *push;
	struct td_config *cfg;
	struct td_buf *request;
	td_push_fn *fn; /* NULL: cancelled, or told */
	void *arg;
	struct td_dns_ask *ask;
	struct td_conn *conn;
	struct td_timer deadline;
	bool waits;  /* for its turn */
	bool v6_too; /* its IPv6 address was asked for as well */
	int err;
	char answer[ANSWER_MAX];
	size_t answer_n;
};

static void begin_next(struct td_push *p);

static void post_free(struct td_push_post *post)
{
	td_timer_stop(post->push->loop, &post->deadline);
	td_dns_cancel(post->ask);
	if (post->conn)
		td_conn_close(post->conn);
	td_buf_unref(post->request);
	td_config_unref(post->cfg);
	td_list_del(&post->link);
	free(post);
}

static void sweep(struct td_defer *d, void *arg)
{
	struct td_push *p = arg;

	while (!td_list_empty(&p->ended)) {
		struct td_push_post *post = TD_CONTAINER_OF(p->ended.next, struct td_push_post, link);
		td_push_fn *fn = post->fn;
		void *to = post->arg;
		int err = post->err;

		post_free(post);
		if (fn)
			fn(to, err);
	}
	begin_next(p);
}

/* Told from the loop: nobody hears of a post within the call that made it. */
static void end(struct td_push_post *post, int err)
{
	struct td_push *p = post->push;

	td_timer_stop(p->loop, &post->deadline);
	td_dns_cancel(post->ask);
	post->ask = NULL;
	if (post->conn)
		td_conn_close(post->conn);
	post->conn = NULL;
	post->err = err;
	if (err)
		td_log(p->log, TD_LOG_WARN, "push failed", TD_KS("url", post->cfg->push.url), TD_KERR(err),
		       TD_KZ("next", "see that the service runs and answers 2xx"));
	td_list_del(&post->link);
	td_list_add_tail(&p->ended, &post->link);
	p->running_n--;
	td_loop_defer(p->loop, &p->sweep);
}

static void on_deadline(struct td_timer *tm, void *arg)
{
	end(arg, TD_ETIMEOUT);
}

/* ---- the answer ---- */

static void on_data(struct td_conn *c, struct td_str bytes, void *arg)
{
	struct td_push_post *post = arg;
	size_t room = sizeof(post->answer) - post->answer_n, n = bytes.n < room ? bytes.n : room;
	int status;

	memcpy(post->answer + post->answer_n, bytes.p, n);
	post->answer_n += n;
	status = push_status(td_str_n(post->answer, post->answer_n));
	if (status < 0)
		end(post, TD_ESYNTAX);
	else if (status >= 200) /* nothing asks for a 1xx */
		end(post, status < 300 ? 0 : TD_EDENIED);
}

static void on_closed(struct td_conn *c, int err, void *arg)
{
	end(arg, err ? err : TD_ECLOSED);
}

static const struct td_conn_events conn_events = { .data = on_data, .closed = on_closed };

/* ---- the way there ---- */

/* Whom the configuration believes. */
static int tls_for(struct td_push *p, struct td_config *cfg)
{
	struct td_tls *tls;
	struct td_out why;
	int err;

	if (p->tls_of == cfg)
		return 0;
	td_out_init(&why);
	err = td_tls_open(&tls, &(struct td_tls_options){ .ca = cfg->tls.ca }, &why);
	if (err)
		td_log(p->log, TD_LOG_ERROR, "push tls", TD_KS("why", td_out_view(&why)));
	td_out_free(&why);
	if (err)
		return err;
	td_tls_unref(p->tls);
	td_config_unref(p->tls_of);
	p->tls = tls;
	p->tls_of = td_config_ref(cfg);
	return 0;
}

static int connect_to(struct td_push_post *post, const struct td_addr *host)
{
	struct td_push *p = post->push;
	const struct td_config *cfg = post->cfg;
	struct td_addr a = *host;
	struct td_conn *c;
	int err;

	a.port = cfg->push.port;
	err = td_conn_open(&c, p->net, &a, &conn_events, post);
	if (err)
		return err;
	post->conn = c;
	if (cfg->push.secure)
		err = tls_for(p, post->cfg);
	if (!err && cfg->push.secure)
		err = td_conn_tls_connect(c, p->tls, cfg->push.host);
	return err ? err : td_conn_send(c, post->request);
}

static void ask(struct td_push_post *post, enum td_dns_type type);

static void on_address(void *arg, const struct td_dns_answer *answer)
{
	struct td_push_post *post = arg;
	int err = answer->err;

	post->ask = NULL;
	if (!err) {
		err = answer->n ? connect_to(post, &answer->records[0].addr) : TD_ENOTFOUND;
		if (err)
			end(post, err);
	} else if (post->v6_too) {
		end(post, err);
	} else {
		post->v6_too = true;
		ask(post, TD_DNS_AAAA);
	}
}

static void ask(struct td_push_post *post, enum td_dns_type type)
{
	int err = td_dns_ask(&post->ask, post->push->dns, type, post->cfg->push.host, on_address, post);

	if (err)
		end(post, err);
}

static void begin(struct td_push_post *post)
{
	struct td_push *p = post->push;
	struct td_addr a;
	int err;

	post->waits = false;
	p->waiting_n--;
	td_list_del(&post->link);
	td_list_add_tail(&p->running, &post->link);
	p->running_n++;
	td_timer_start(p->loop, &post->deadline, TD_PUSH_MS);
	if (td_ip_parse(&a, post->cfg->push.host)) {
		ask(post, TD_DNS_A);
		return;
	}
	err = connect_to(post, &a);
	if (err)
		end(post, err);
}

static void begin_next(struct td_push *p)
{
	while (p->running_n < TD_PUSH_AT_ONCE && !td_list_empty(&p->waiting))
		begin(TD_CONTAINER_OF(p->waiting.next, struct td_push_post, link));
}

/* ---- the face ---- */

int td_push_send(struct td_push_post **out, struct td_push *p, struct td_config *cfg, const struct td_push_news *news,
		 td_push_fn *fn, void *arg)
{
	struct td_push_post *post;

	if (p->waiting_n >= TD_PUSH_WAITING)
		return TD_EFULL;
	post = calloc(1, sizeof(*post));
	if (!post)
		return -ENOMEM;
	post->request = push_request(cfg, news);
	if (!post->request) {
		free(post);
		return -ENOMEM;
	}
	post->push = p;
	post->cfg = td_config_ref(cfg);
	post->fn = fn;
	post->arg = arg;
	td_timer_init(&post->deadline, on_deadline, post);
	td_list_add_tail(&p->waiting, &post->link);
	post->waits = true;
	p->waiting_n++;
	begin_next(p);
	*out = post;
	return 0;
}

void td_push_cancel(struct td_push_post *post)
{
	post->fn = NULL;
	if (!post->waits)
		return;
	post->push->waiting_n--;
	post_free(post);
}

bool td_push_knows(const struct td_config *cfg, struct td_str provider)
{
	for (unsigned i = 0; i < cfg->push.provider_n; i++)
		if (td_str_ieq(cfg->push.providers[i], provider))
			return true;
	return cfg->push.url.n && !cfg->push.provider_n && provider.n;
}

bool td_push_phone_of(struct td_push_phone *out, const struct td_config *cfg, struct td_str contact)
{
	struct td_push_phone phone = { .param = TD_STR_NULL };
	struct td_uri uri;
	struct td_param p;

	if (!cfg->push.url.n || td_uri_parse(&uri, contact) || !td_param_find(&p, uri.params, TD_STR("pn-prid")))
		return false;
	phone.prid = p.value;
	if (!phone.prid.n || !td_param_find(&p, uri.params, TD_STR("pn-provider")) || !td_push_knows(cfg, p.value))
		return false;
	phone.provider = p.value;
	if (td_param_find(&p, uri.params, TD_STR("pn-param")))
		phone.param = p.value;
	*out = phone;
	return true;
}

int td_push_open(struct td_push **out, struct td_net *net, struct td_dns *dns, struct td_log *log)
{
	struct td_push *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->net = net;
	p->dns = dns;
	p->log = log;
	p->loop = td_net_loop(net);
	td_list_init(&p->running);
	td_list_init(&p->waiting);
	td_list_init(&p->ended);
	td_defer_init(&p->sweep, sweep, p);
	*out = p;
	return 0;
}

static void free_all(struct td_link *list)
{
	while (!td_list_empty(list))
		post_free(TD_CONTAINER_OF(list->next, struct td_push_post, link));
}

void td_push_close(struct td_push *p)
{
	if (!p)
		return;
	free_all(&p->running);
	free_all(&p->waiting);
	free_all(&p->ended);
	td_loop_undefer(p->loop, &p->sweep);
	td_tls_unref(p->tls);
	td_config_unref(p->tls_of);
	free(p);
}
