/* The phone under `ping`, `register`, `message`, `call` and `answer`. */
#include "cli/phone.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SETTLE_MS = 20, SETTLE_MOST_MS = 5000 };

/* ---- where to ---- */

/* "udp:HOST[:PORT]": the same as the URI sip:HOST:PORT;transport=udp. */
static int read_proxy(struct td_hop *out, struct phone *ph)
{
	struct td_str s = td_str_of(ph->proxy), scheme = td_str_split(&s, ':');
	enum td_proto proto;
	struct td_out text;
	struct td_uri uri;
	int status;

	td_out_init(&text);
	td_out_fmt(&text, "sip:%.*s;transport=%.*s", TD_FMT(s), TD_FMT(scheme));
	if (td_proto_parse(&proto, scheme) || proto > TD_TLS || text.failed || td_uri_parse(&uri, td_out_view(&text)) ||
	    uri.user.n || !uri.host.n)
		status = cli_fail(ph->cmd, CLI_USAGE,
				  "--proxy \"%s\" is no address (want udp:HOST:PORT, tcp:HOST:PORT or tls:HOST:PORT)", ph->proxy);
	else
		status = phone_next_hop(out, ph, &uri);
	td_out_free(&text);
	return status;
}

/* ---- TLS ---- */

static int read_ca(struct td_out *o, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	err = td_read_all(o, fd, 1 << 20);
	close(fd);
	return err;
}

/* Whom to believe, out of the options. */
static int open_tls(struct phone *ph)
{
	uint8_t pin[TD_FINGERPRINT];
	struct td_tls_options opt = { 0 };
	struct td_out ca, why;
	int status = 0, err = 0;

	td_out_init(&ca);
	td_out_init(&why);
	if (ph->tls_fingerprint && td_fingerprint_parse(pin, td_str_of(ph->tls_fingerprint)))
		status = cli_fail(ph->cmd, CLI_USAGE, "--tls-fingerprint: want the 64 digits of a SHA-256 fingerprint (AB:CD:…)");
	else if (ph->tls_fingerprint)
		opt.pin = pin;
	if (!status && ph->tls_ca) {
		err = read_ca(&ca, ph->tls_ca);
		opt.ca = td_out_view(&ca);
		if (err)
			status = cli_fail(ph->cmd, CLI_USAGE, "--tls-ca %s: %s", ph->tls_ca, td_strerror(err));
		else if (!opt.ca.n)
			status = cli_fail(ph->cmd, CLI_USAGE, "--tls-ca %s is empty", ph->tls_ca);
	}
	if (!status) {
		err = td_tls_open(&ph->tls, &opt, &why);
		if (err == TD_ESYNTAX)
			status = cli_fail(ph->cmd, CLI_USAGE, "--tls-ca %s: %.*s", ph->tls_ca, TD_FMT(td_out_view(&why)));
		else if (err)
			status = cli_fail(ph->cmd, CLI_FAULT, "%s", td_strerror(err));
	}
	td_out_free(&ca);
	td_out_free(&why);
	return status;
}

static int proxy_of_uri(struct td_hop *out, struct phone *ph, struct td_str text)
{
	enum td_proto proto;
	struct td_uri uri;
	struct td_param p;

	if (td_uri_parse(&uri, text) || !uri.host.n)
		return cli_fail(ph->cmd, CLI_USAGE, "\"%.*s\" is no SIP address", TD_FMT(text));
	if (uri.scheme != TD_SCHEME_SIPS && td_param_find(&p, uri.params, TD_STR("transport")) && td_proto_parse(&proto, p.value))
		return cli_fail(ph->cmd, CLI_USAGE, "transport \"%.*s\" is not known", TD_FMT(p.value));
	return phone_next_hop(out, ph, &uri);
}

int phone_uri(struct td_out *o, const struct phone *ph, const char *text)
{
	struct td_str s = td_str_of(text), as = td_str_of(ph->as);
	const char *at = td_str_chr(as, '@');
	struct td_uri check;
	size_t start = o->n;

	if (!td_str_chr(s, ':') ||
	    !(td_str_istarts(s, TD_STR("sip:")) || td_str_istarts(s, TD_STR("sips:")) || td_str_istarts(s, TD_STR("tel:"))))
		td_out_z(o, "sip:");
	td_out_str(o, s);
	if (!td_str_chr(s, '@') && at && td_str_eq(td_str_n(o->p + start, 4), TD_STR("sip:")) &&
	    !td_str_istarts(s, TD_STR("sip:")))
		td_out_str(o, td_str_n(at, (size_t)(as.p + as.n - at)));
	if (o->failed)
		return -ENOMEM;
	return td_uri_parse(&check, td_str_n(o->p + start, o->n - start));
}

/* ---- signals and the end ---- */

static void stop_waiting(struct phone *ph)
{
	if (!ph->ending) {
		phone_event(ph, "interrupted", NULL);
		ph->status = CLI_NO_ANSWER;
	}
	td_loop_stop(ph->loop);
}

static void on_signal(struct td_io *io, unsigned events, void *arg)
{
	struct phone *ph = arg;
	struct signalfd_siginfo si;

	(void)events;
	if (read(io->fd, &si, sizeof(si)) != (ssize_t)sizeof(si))
		return;
	ph->again = false;
	if (ph->interrupted && !ph->ending && !ph->signalled) {
		ph->signalled = true;
		td_timer_start(ph->loop, &ph->goodbye, SETTLE_MOST_MS);
		ph->interrupted(ph);
		return;
	}
	stop_waiting(ph); /* the second time, at once */
}

static int catch_signals(struct phone *ph)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return fd < 0 ? -errno : td_io_open(&ph->signals, ph->loop, fd, TD_IO_READ, on_signal, ph);
}

static void on_settle(struct td_timer *tm, void *arg)
{
	struct phone *ph = arg;

	if (!td_ua_busy(ph->ua) || td_loop_now_ms(ph->loop) > ph->end_by_ms)
		td_loop_stop(ph->loop);
	else
		td_timer_start(ph->loop, tm, SETTLE_MS);
}

/* Nobody answers our good-bye: whoever pressed Ctrl-C is not kept for the half minute a transaction takes to give up. */
static void on_goodbye(struct td_timer *tm, void *arg)
{
	struct phone *ph = arg;

	(void)tm;
	stop_waiting(ph);
}

void phone_end(struct phone *ph, int status)
{
	if (ph->ending)
		return;
	td_timer_stop(ph->loop, &ph->goodbye);
	ph->ending = true;
	ph->status = status;
	ph->end_by_ms = td_loop_now_ms(ph->loop) + SETTLE_MOST_MS;
	td_timer_start(ph->loop, &ph->settle, SETTLE_MS);
}

bool phone_again(struct phone *ph)
{
	if (!ph->again)
		return false;
	ph->again = ph->ending = false;
	ph->skip++;
	return true;
}

int phone_run(struct phone *ph)
{
	int err = td_loop_run(ph->loop);

	return err ? cli_fail(ph->cmd, CLI_FAULT, "%s", td_strerror(err)) : ph->status;
}

/* ---- opening ---- */

static int open_agent(struct phone *ph, const struct td_ua_events *events, void *arg, const char *peer)
{
	struct td_ua_options opt = {
		.net = ph->net, .log = ph->log, .user_agent = TD_STR("tandem " TANDEM_VERSION), .events = events, .arg = arg
	};
	struct td_out address;
	struct td_hop hop;
	char text[TD_ADDR_TEXT];
	int status, err;

	td_out_init(&address);
	if (ph->as && phone_uri(&address, ph, ph->as)) {
		td_out_free(&address);
		return cli_fail(ph->cmd, CLI_USAGE, "--as \"%s\" is no address (want NAME@DOMAIN)", ph->as);
	}
	if (ph->password_env) {
		opt.password = td_str_of(getenv(ph->password_env));
		if (!opt.password.n) {
			td_out_free(&address);
			return cli_fail(ph->cmd, CLI_USAGE, "the environment variable %s is empty; it should hold the password",
					ph->password_env);
		}
	}
	status = ph->proxy ? read_proxy(&hop, ph) : proxy_of_uri(&hop, ph, ph->as ? td_out_view(&address) : td_str_of(peer));
	if (!status && hop.proto == TD_TLS)
		status = open_tls(ph);
	opt.tls = ph->tls;
	opt.proxy_host = td_str_of(ph->host);
	if (!status) {
		opt.proto = hop.proto;
		opt.proxy = hop.addr;
		err = td_net_source_for(&opt.local, &opt.proxy);
		if (!err && !ph->as) {
			td_out_z(&address, "sip:anonymous@");
			td_out_z(&address, opt.local.family == TD_AF_V6 ? "[" : "");
			td_ip_print(&address, &opt.local);
			td_out_z(&address, opt.local.family == TD_AF_V6 ? "]" : "");
		}
		opt.address = td_out_view(&address);
		if (!err)
			err = address.failed ? -ENOMEM : td_ua_open(&ph->ua, &opt);
		if (err == TD_ESYNTAX)
			status = cli_fail(ph->cmd, CLI_USAGE, "--as \"%s\" is no address (want NAME@DOMAIN)", ph->as);
		else if (err)
			status = cli_fail(ph->cmd, CLI_FAULT, "no way to %s: %s", td_addr_text(text, &opt.proxy),
					  td_strerror(err));
	}
	td_out_free(&address);
	return status;
}

int phone_open(struct phone *ph, const struct td_ua_events *events, void *arg, const char *peer)
{
	int err = td_loop_open(&ph->loop);

	if (!err)
		err = catch_signals(ph);
	if (!err)
		err = td_net_open(&ph->net, ph->loop);
	if (!err)
		err = td_log_open(&ph->log, ph->verbose ? TD_LOG_DEBUG : TD_LOG_ERROR, NULL, NULL);
	if (err) {
		phone_close(ph);
		return cli_fail(ph->cmd, CLI_FAULT, "%s", td_strerror(err));
	}
	td_timer_init(&ph->settle, on_settle, ph);
	td_timer_init(&ph->goodbye, on_goodbye, ph);
	err = open_agent(ph, events, arg, peer);
	if (err)
		phone_close(ph);
	return err;
}

void phone_close(struct phone *ph)
{
	if (ph->loop)
		td_timer_stop(ph->loop, &ph->settle);
	if (ph->loop)
		td_timer_stop(ph->loop, &ph->goodbye);
	td_ua_close(ph->ua);
	if (ph->net)
		td_net_close(ph->net);
	if (ph->signals.loop) {
		td_io_close(&ph->signals);
		close(ph->signals.fd);
		ph->signals.loop = NULL;
	}
	if (ph->loop)
		td_loop_close(ph->loop);
	if (ph->log)
		td_log_close(ph->log);
	td_tls_unref(ph->tls);
	ph->tls = NULL;
	ph->ua = NULL;
	ph->net = NULL;
	ph->loop = NULL;
	ph->log = NULL;
}

/* ---- words ---- */

void phone_event(struct phone *ph, const char *name, json_t *members)
{
	json_t *o;

	if (!ph->json) {
		json_decref(members);
		return;
	}
	o = json_pack("{s:s}", "event", name);
	if (members) {
		json_object_update(o, members);
		json_decref(members);
	}
	cli_json(o);
}

static const char *why_refused(unsigned status)
{
	switch (status) {
	case 401:
	case 407: return "the password was not accepted, or none was given (--password-env NAME)";
	case 403: return "not allowed";
	case 404: return "there is no such user";
	case 480: return "nobody is registered there now";
	case 486:
	case 600: return "busy";
	case 488:
	case 606: return "the two sides share no codec, or one speaks IPv4 and the other IPv6";
	case 603: return "declined";
	default: return NULL;
	}
}

/* It is not for us to speak to somebody else: what he showed, and how to say whom to believe. */
static int no_tls(struct phone *ph, struct td_str why)
{
	struct td_out shown;

	phone_event(ph, "no_answer", json_pack("{s:o}", "why", cli_text(why)));
	td_out_init(&shown);
	cli_put_shown(&shown, why);
	cli_fail(ph->cmd, CLI_NO_ANSWER,
		 "no TLS with %s: %.*s; --tls-ca FILE says whose signature to believe, --tls-fingerprint HEX which certificate",
		 ph->host, TD_FMT(td_out_view(&shown)));
	td_out_free(&shown);
	return CLI_NO_ANSWER;
}

int phone_outcome(struct phone *ph, const char *what, int err, unsigned status, struct td_str reason)
{
	const char *hint = why_refused(status);
	struct td_out shown;

	if (status >= 200 && status < 300 && !err) {
		phone_event(ph, what, json_pack("{s:i,s:o}", "status", status, "reason", cli_text(reason)));
		return CLI_OK;
	}
	if (status) {
		phone_event(ph, "refused", json_pack("{s:i,s:o}", "status", status, "reason", cli_text(reason)));
		td_out_init(&shown);
		cli_put_shown(&shown, reason);
		cli_fail(ph->cmd, CLI_REFUSED, "%u %.*s%s%s", status, TD_FMT(td_out_view(&shown)), hint ? ": " : "",
			 hint ? hint : "");
		td_out_free(&shown);
		return CLI_REFUSED;
	}
	ph->failed = err;
	snprintf(ph->tls_why, sizeof(ph->tls_why), "%.*s", TD_FMT(td_ua_tls_trouble(ph->ua)));
	ph->again = ph->tries && !ph->signalled;
	return ph->again ? CLI_NO_ANSWER : phone_no_answer(ph);
}

int phone_no_answer(struct phone *ph)
{
	int err = ph->failed;

	if (ph->tls_why[0])
		return no_tls(ph, td_str_of(ph->tls_why));
	phone_event(ph, "no_answer", json_pack("{s:s}", "why", td_strerror(err)));
	if (err == TD_ETIMEOUT)
		cli_fail(ph->cmd, CLI_NO_ANSWER,
			 "no answer: nothing came back in time (is the address right, the server running?)");
	else
		cli_fail(ph->cmd, CLI_NO_ANSWER, "no answer: %s", td_strerror(err));
	return CLI_NO_ANSWER;
}
