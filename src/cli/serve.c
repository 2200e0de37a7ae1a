/*
 * tandem serve: a server's life. The main thread keeps signals and the control socket and stays out of the way of calls; workers
 * and the store have threads of their own.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli/serve.h"
#include "server/confine/confine.h"

int serve_put_user(void *users, const struct td_store_user *row)
{
	struct td_user user = { .aor = row->aor, .extension = row->extension };

	memcpy(user.has, row->has, sizeof(user.has));
	memcpy(user.ha1, row->ha1, sizeof(user.ha1));
	return td_users_put(users, &user);
}

int serve_load_users(struct serve *s)
{
	int err;

	td_users_begin(s->users);
	err = td_store_each_user(s->store, serve_put_user, s->users);
	if (!err)
		td_users_end(s->users);
	return err;
}

static int reload(struct serve *s, struct td_out *notes)
{
	struct td_config *cfg = NULL;
	struct td_certs *certs = NULL;
	struct td_str file = td_server_config(s->server)->file;
	int err;

	err = file.n ? td_config_load(&cfg, notes, file) : td_config_default(&cfg, notes);
	if (!err && td_server_certs(s->server))
		err = td_certs_open(&certs, cfg, td_server_certs(s->server), td_loop_wall_s(s->loop), s->log, notes);
	if (err) {
		td_config_unref(cfg);
		td_log(s->log, TD_LOG_WARN, "serve reload refused", TD_KS("why", td_str_trim(td_out_view(notes))),
		       TD_KZ("next", "the configuration in use stays"));
		return err;
	}
	err = td_server_reload(s->server, cfg, certs, notes);
	td_certs_unref(certs);
	if (!err)
		err = serve_load_users(s);
	serve_hep_follow(s);
	td_log_set_level(s->log, s->verbose ? TD_LOG_DEBUG : cfg->log_level);
	td_config_unref(cfg);
	if (err)
		td_log(s->log, TD_LOG_ERROR, "serve reload failed", TD_KERR(err));
	else
		td_log(s->log, TD_LOG_INFO, "serve reloaded", TD_KS("notes", td_str_trim(td_out_view(notes))));
	return err;
}

int serve_reload(struct serve *s, struct td_out *notes)
{
	int err;

	serve_notify_reloading(s, true);
	err = reload(s, notes);
	serve_notify_reloading(s, false);
	return err;
}

static void on_signal(struct td_io *io, unsigned events, void *arg)
{
	struct serve *s = arg;
	struct signalfd_siginfo si;
	struct td_out notes;

	(void)events;
	while (read(io->fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		if (si.ssi_signo != SIGHUP) {
			td_log(s->log, TD_LOG_INFO, "serve stopping", TD_KZ("signal", si.ssi_signo == SIGINT ? "INT" : "TERM"));
			td_loop_stop(s->loop);
			continue;
		}
		td_out_init(&notes);
		serve_reload(s, &notes);
		td_out_free(&notes);
	}
}

/* Blocked before any thread starts, so that every thread inherits it and only the loop sees them. */
static int catch_signals(struct serve *s)
{
	sigset_t set;
	int fd, err;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = td_io_open(&s->signals, s->loop, fd, TD_IO_READ, on_signal, s);
	if (err)
		close(fd);
	return err;
}

/* 16 bytes in the state folder: the key of Record-Route cookies, the same after a restart so that running calls can hang up. */
static int route_key(struct serve *s, uint8_t out[16], struct td_out *why)
{
	char *path = cli_state_path(s->cfg, "route.key");
	int fd, err = 0;

	if (!path)
		return -ENOMEM;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		td_rng_bytes(&s->rng, out, 16);
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0 || write(fd, out, 16) != 16 || fsync(fd))
			err = fd < 0 ? -errno : -EIO;
	} else if (fd < 0 || read(fd, out, 16) != 16) {
		err = fd < 0 ? -errno : -EIO;
	}
	if (fd >= 0)
		close(fd);
	if (err)
		td_out_fmt(why, "%s: %s (16 bytes; without the file a new one is made, and calls that run cannot hang up)", path,
			   td_strerror(err));
	free(path);
	return err;
}

static int open_store(struct serve *s, struct td_out *why)
{
	char *path = cli_state_path(s->cfg, "tandem.db");
	int err;

	if (!path)
		return -ENOMEM;
	err = td_store_open(&s->store, &(struct td_store_options){ .path = td_str_of(path), .threaded = true, .log = s->log },
			    why);
	free(path);
	return err;
}

static int open_server(struct serve *s, struct td_out *why)
{
	struct td_server_options opt = { .cfg = s->cfg, .store = s->store, .log = s->log };
	int err = 0;

	if (td_certs_wanted(s->cfg))
		err = td_certs_open(&s->certs, s->cfg, NULL, td_loop_wall_s(s->loop), s->log, why);
	opt.certs = s->certs;
	if (!err)
		err = td_users_open(&s->users, &s->rng);
	if (!err)
		err = serve_load_users(s);
	if (!err)
		err = route_key(s, opt.rr_key, why);
	opt.users = s->users;
	return err ? err : td_server_open(&s->server, &opt, why);
}

/* Files and sockets for many phones: as many as the system lets us have. */
static void raise_file_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
	r = (struct rlimit){ 0 };
	setrlimit(RLIMIT_CORE, &r); /* a core file would hold secrets */
}

static void say_ready(struct serve *s)
{
	struct td_config *cfg = td_server_config(s->server);
	json_t *list = json_array(), *tls = serve_certs_json(s);
	struct td_listen l;
	struct td_out o;
	unsigned i;

	td_out_init(&o);
	for (i = 0; i < td_server_listeners(s->server); i++) {
		size_t at = o.n;

		td_server_listener(&l, s->server, i);
		td_out_str(&o, td_proto_word(l.proto));
		td_out_char(&o, ':');
		td_addr_print(&o, &l.addr);
		json_array_append_new(list, json_stringn(o.p + at, o.n - at));
		td_out_char(&o, ' ');
	}
	if (s->json)
		cli_json(json_pack("{s:s,s:o,s:O,s:o,s:O*}", "event", "ready", "domain", cli_text(cfg->domains[0].name), "listen",
				   list, "state", cli_text(cfg->state), "tls", tls));
	else
		printf("tandem " TANDEM_VERSION
		       " serves %.*s on %.*s\n(state %.*s, %u worker%s, registrations %s); Ctrl-C stops it\n",
		       TD_FMT(cfg->domains[0].name), TD_FMT(td_str_trim(td_out_view(&o))), TD_FMT(cfg->state), cfg->workers,
		       cfg->workers == 1 ? "" : "s", cfg->registrations == TD_REG_MEMORY ? "in memory" : "durable");
	if (tls && !s->json)
		printf("TLS certificate %s,\nSHA-256 fingerprint %s\n", json_string_value(json_object_get(tls, "certificate")),
		       json_string_value(json_object_get(tls, "fingerprint")));
	fflush(stdout);
	json_decref(list);
	json_decref(tls);
	td_out_free(&o);
}

/* Before any thread starts: it holds for those that come. */
static int confine(struct serve *s, struct td_out *why)
{
	char *path = cli_state_path(s->cfg, "");
	int err = path ? td_confine(path) : -ENOMEM;

	if (!err)
		setenv("SQLITE_TMPDIR", path, 1); /* it may no longer write in /tmp */
	free(path);
	if (err == TD_EUNSUPPORTED) {
		td_log(s->log, TD_LOG_WARN, "serve unconfined",
		       TD_KZ("why", "this kernel has no Landlock, or it is not switched on"),
		       TD_KZ("next", "it goes on; \"sandbox: no\" says that this is meant"));
		return 0;
	}
	if (err)
		td_out_fmt(why, "sandbox: the kernel refused: %s (\"sandbox: no\" does without)", td_strerror(err));
	else
		td_log(s->log, TD_LOG_INFO, "serve confined", TD_KS("writes", s->cfg->state), TD_KZ("executes", "nothing"));
	return err;
}

static int open_all(struct serve *s, struct td_out *why)
{
	char *path;
	int err;

	err = td_loop_open(&s->loop);
	if (!err)
		err = catch_signals(s);
	if (!err)
		err = td_log_open(&s->log, s->verbose ? TD_LOG_DEBUG : s->cfg->log_level, NULL, NULL);
	if (err)
		return err;
	err = cli_make_state(s->cfg);
	if (err) {
		td_out_fmt(why, "the state folder %.*s cannot be made: %s", TD_FMT(s->cfg->state), td_strerror(err));
		return err;
	}
	err = cli_become_user(s->cfg, why);
	if (!err && s->cfg->sandbox)
		err = confine(s, why);
	if (err)
		return err;
	path = cli_state_path(s->cfg, "control.sock");
	if (!path)
		return -ENOMEM;
	/* First of all: it tells whether another server has this state. */
	err = td_control_open(&s->control, s->loop, path, serve_on_request, s);
	if (err == TD_EEXIST)
		td_out_fmt(why, "a server runs already with the state folder %.*s (\"tandem status\" asks it)",
			   TD_FMT(s->cfg->state));
	else if (err)
		td_out_fmt(why, "%s: %s%s", path, td_strerror(err),
			   err == -ENAMETOOLONG ? " for a socket (want a shorter path as state)" : "");
	free(path);
	if (!err)
		err = open_store(s, why);
	if (!err)
		err = open_server(s, why);
	if (!err)
		err = cli_stay_user();
	if (!err && !geteuid() && !s->cfg->user.n)
		td_log(s->log, TD_LOG_WARN, "serve is root",
		       TD_KZ("next", "it goes on; \"user: NAME\" in the configuration gives that up"));
	return err;
}

static void close_all(struct serve *s)
{
	serve_notify_stop(s);
	serve_drain_end(s);
	td_control_close(s->control);
	serve_trace_stop(s);
	serve_hep_stop(s);
	if (s->server) {
		do /* what the control socket asked last ends here; a listing goes to and fro */
			td_server_stop(s->server);
		while (td_loop_drain(s->loop));
		td_server_close(s->server);
	}
	td_certs_unref(s->certs);
	if (s->users)
		td_users_close(s->users);
	if (s->store)
		td_store_close(s->store);
	if (s->signals.loop) {
		td_io_close(&s->signals);
		close(s->signals.fd);
	}
	if (s->loop)
		td_loop_close(s->loop);
	if (s->log)
		td_log_close(s->log);
	td_config_unref(s->cfg);
}

/* A taken port or a broken folder is for whoever configured it; a machine without memory or descriptors is not. */
static int status_of(int err)
{
	return err == -ENOMEM || err == -EMFILE || err == -ENFILE || err == -EAGAIN ? CLI_FAULT : CLI_CONFIG;
}

static int serve(struct serve *s)
{
	int err, status = CLI_OK;
	struct td_out why;

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); /* nothing it might ever execute could give it more rights than it has */
	td_rng_init(&s->rng);
	td_list_init(&s->watchers);
	td_list_init(&s->drain.waiters);
	raise_file_limit();
	td_out_init(&why);
	err = open_all(s, &why);
	if (err)
		status = cli_fail(s->cmd, status_of(err), "%.*s",
				  TD_FMT(why.n ? td_str_trim(td_out_view(&why)) : td_str_of(td_strerror(err))));
	td_out_free(&why);
	if (!err) {
		s->started_ms = td_loop_now_ms(s->loop);
		err = td_server_start(s->server);
		if (!err) {
			serve_hep_follow(s);
			say_ready(s);
			serve_notify_ready(s);
			err = td_loop_run(s->loop);
		}
		if (err)
			status = cli_fail(s->cmd, CLI_FAULT, "%s", td_strerror(err));
	}
	close_all(s);
	return status;
}

static int check(struct serve *s, bool effective)
{
	struct td_out o;

	if (effective) {
		td_out_init(&o);
		td_config_print(&o, s->cfg);
		fwrite(o.p, 1, o.n, stdout);
		td_out_free(&o);
	} else {
		printf("%.*s: good\n", TD_FMT(s->cfg->file.n ? s->cfg->file : TD_STR("embedded default")));
	}
	td_config_unref(s->cfg);
	return CLI_OK;
}

/* What the supervised server is started with: the same without being supervised. NULL: no memory. */
static char **own_arguments(int argc, char **argv)
{
	char **own = calloc((size_t)argc + 2, sizeof(*own));
	int n = 1;

	if (!own)
		return NULL;
	own[0] = (char *)"tandem";
	for (int i = 0; i < argc; i++)
		if (strcmp(argv[i], "--supervise"))
			own[n++] = argv[i];
	return own;
}

static int run(const struct cli_command *cmd, int argc, char **argv)
{
	struct serve s = { .cmd = cmd };
	bool done, only_check = false, effective = false, supervised = false;
	struct cli_option options[] = {
		{ "config", 'c', CLI_TEXT, &s.config },
		{ "check", 0, CLI_FLAG, &only_check },
		{ "effective", 0, CLI_FLAG, &effective },
		{ "json", 0, CLI_FLAG, &s.json },
		{ "verbose", 'v', CLI_FLAG, &s.verbose },
		{ "supervise", 0, CLI_FLAG, &supervised },
		{ 0 },
	};
	char **own = own_arguments(argc, argv); /* before they are sorted */
	int n = cli_options(cmd, argc, argv, options, &done), status;

	if (own && n == 0 && !done && supervised && !only_check && !effective) {
		status = supervise(cmd, own);
		free(own);
		return status;
	}
	free(own);
	if (n < 0 || done)
		return n < 0 ? CLI_USAGE : CLI_OK;
	if (n > 0)
		return cli_fail(cmd, CLI_USAGE, "\"%s\"? (try --help)", argv[1]);
	if (cli_load_config(&s.cfg, cmd, s.config))
		return CLI_CONFIG;
	if (only_check || effective)
		return check(&s, effective);
	return serve(&s);
}

const struct cli_command cli_serve = {
	.name = "serve",
	.arguments = "[-c FILE] [--check [--effective]] [--supervise]",
	.summary = "run the server",
	.help = "  -c, --config FILE     configuration (./tandem.yaml, or an embedded default: loopback, domain of the host)\n"
		"  --check               read the configuration, say whether it is good, and end\n"
		"  --effective           with --check: print all of it, defaults included\n"
		"  --json                say \"ready\" as a JSON object\n"
		"  -v, --verbose         log everything\n"
		"  --supervise           from a process of its own that starts the server again when it dies or stands still\n"
		"\nSIGTERM and SIGINT stop it cleanly and at once (\"tandem drain\" waits for the calls); SIGHUP (or \"tandem "
		"reload\") takes configuration and users anew.\n",
	.run = run,
};
