/* The command line. */
#include "sipload.h"

#include <getopt.h>

struct options opt = {
	.uac_n = 4,
	.uas_n = 4,
	.uac_port = 6000,
	.uas_port = 7000,
	.conns = 16,
	.bad_per = 7,
	.expires = 3600,
	.users = 1000,
	.window = 64,
	.srcs = 1,
	.local = "127.0.0.1",
	.domain = "bench.test",
	.password = "secret",
};

const char *const case_name[CASES] = { "register", "call", "options", "message", "malformed", "connect", "idle" };
const char *const transport_name[] = { "udp", "tcp", "tls", "wss" };

/* clang-format off */
static const char HELP[] =
"usage: sipload CASE [options]\n"
"cases:\n"
"  register   REGISTER --users distinct AORs (answers 401 with MD5 or SHA-256)\n"
"  call       INVITE 180 200 ACK BYE 200 through the server; callees must be registered\n"
"  message    MESSAGE to a registered contact, answered by the UAS half\n"
"  options    OPTIONS answered by the server itself\n"
"  malformed  --bad malformed datagrams before every OPTIONS\n"
"  connect    connect, (TLS handshake,) one OPTIONS, close\n"
"  idle       open --count connections, REGISTER one AOR on each, keep them --linger ms\n"
"options:\n"
"  --server IP:PORT (127.0.0.1:5060)   --transport udp|tcp|tls|wss (udp; wss: idle)\n"
"  --local IP (127.0.0.1)   --sources N  use N consecutive local addresses (connect, idle)\n"
"  --uac-port P (6000)  --uac-socks N (4)   --uas-port P (7000)  --uas-socks N (4)\n"
"  --conns N (16)       stream connections used by the UAC half\n"
"  --users N (1000)  --first N (0)  --random   AORs u00000000@domain ...\n"
"  --domain D (bench.test)  --password P (secret)  --auth-user U\n"
"  --preauth            reuse the last challenge of the flow instead of waiting for a new one\n"
"  --count N  --duration S   stop after N operations or S seconds\n"
"  --window N (64)      operations in flight   --rate R  offered rate (open loop)\n"
"  --hold MS (0)  --answer MS (0)  --no-180  call shape\n"
"  --expires S (3600)  --cseq N   --contact-conn  register the connection's own address\n"
"  --no-rr              do not require Record-Route (stateless forwarding)\n"
"  --bad N (7)  --no-request  --linger MS  --cert F --key F (UAS side of TLS)  --quiet\n"
"  --abandon MS         stop that long after the last launch, leaving the rest unfinished\n"
"  --spin               poll instead of sleeping (own core only): no wake-up delay;\n"
"                       generator_util is then the share of time with work to do\n";

enum { O_UAC_PORT = 256, O_UAC_SOCKS, O_UAS_PORT, O_UAS_SOCKS, O_CONNS, O_FIRST, O_RANDOM, O_PASSWORD, O_AUTH_USER, O_PREAUTH,
	O_DURATION, O_HOLD, O_ANSWER, O_NO_180, O_EXPIRES, O_CSEQ, O_CONTACT_CONN, O_NO_RR, O_BAD, O_NO_REQUEST, O_LINGER,
	O_CERT, O_KEY, O_QUIET, O_SPIN, O_ABANDON };

static const struct option long_options[] = {
	{"server",1,0,'s'}, {"transport",1,0,'t'}, {"local",1,0,'l'}, {"sources",1,0,'S'}, {"uac-port",1,0,O_UAC_PORT},
	{"uac-socks",1,0,O_UAC_SOCKS}, {"uas-port",1,0,O_UAS_PORT}, {"uas-socks",1,0,O_UAS_SOCKS}, {"conns",1,0,O_CONNS},
	{"users",1,0,'u'}, {"first",1,0,O_FIRST}, {"random",0,0,O_RANDOM}, {"domain",1,0,'d'}, {"password",1,0,O_PASSWORD},
	{"auth-user",1,0,O_AUTH_USER}, {"preauth",0,0,O_PREAUTH}, {"count",1,0,'n'}, {"duration",1,0,O_DURATION},
	{"window",1,0,'w'}, {"rate",1,0,'r'}, {"hold",1,0,O_HOLD}, {"answer",1,0,O_ANSWER}, {"no-180",0,0,O_NO_180},
	{"expires",1,0,O_EXPIRES}, {"cseq",1,0,O_CSEQ}, {"contact-conn",0,0,O_CONTACT_CONN}, {"no-rr",0,0,O_NO_RR},
	{"bad",1,0,O_BAD}, {"no-request",0,0,O_NO_REQUEST}, {"linger",1,0,O_LINGER}, {"cert",1,0,O_CERT}, {"key",1,0,O_KEY},
	{"quiet",0,0,O_QUIET}, {"spin",0,0,O_SPIN}, {"abandon",1,0,O_ABANDON}, {"help",0,0,'h'}, {0,0,0,0},
};
/* clang-format on */

static uint64_t number(const char *s)
{
	char *end;
	unsigned long long v = strtoull(s, &end, 10);

	if (!*s || *end)
		die("\"%s\" is no number", s);
	return v;
}

static double real(const char *s)
{
	char *end;
	double v = strtod(s, &end);

	if (!*s || *end)
		die("\"%s\" is no number", s);
	return v;
}

#define TEXT(field) snprintf(opt.field, sizeof(opt.field), "%s", optarg)

static void server_option(char *text)
{
	char *colon = strrchr(text, ':');

	if (colon) {
		*colon = 0;
		opt.srv.sin_port = htons((uint16_t)number(colon + 1));
	}
	if (inet_pton(AF_INET, text, &opt.srv.sin_addr) != 1)
		die("bad --server");
}

static int transport_option(const char *text)
{
	for (int i = T_UDP; i <= T_WSS; i++)
		if (!strcmp(text, transport_name[i]))
			return i;
	die("bad --transport");
}

static int one_option(int c)
{
	switch (c) {
	case 's': server_option(optarg); break;
	case 't': opt.transport = transport_option(optarg); break;
	case 'l': TEXT(local); break;
	case 'S': opt.srcs = (int)number(optarg); break;
	case O_UAC_PORT: opt.uac_port = (int)number(optarg); break;
	case O_UAC_SOCKS: opt.uac_n = (int)number(optarg); break;
	case O_UAS_PORT: opt.uas_port = (int)number(optarg); break;
	case O_UAS_SOCKS: opt.uas_n = (int)number(optarg); break;
	case O_CONNS: opt.conns = (int)number(optarg); break;
	case 'u': opt.users = (uint32_t)number(optarg); break;
	case O_FIRST: opt.first = (uint32_t)number(optarg); break;
	case O_RANDOM: opt.random = 1; break;
	case 'd': TEXT(domain); break;
	case O_PASSWORD: TEXT(password); break;
	case O_AUTH_USER: TEXT(authuser); break;
	case O_PREAUTH: opt.preauth = 1; break;
	case 'n': opt.count = number(optarg); break;
	case O_DURATION: opt.duration = real(optarg); break;
	case 'w': opt.window = (uint32_t)number(optarg); break;
	case 'r': opt.rate = real(optarg); break;
	case O_HOLD: opt.hold = (uint64_t)(real(optarg) * 1e6); break;
	case O_ANSWER: opt.answer = (uint64_t)(real(optarg) * 1e6); break;
	case O_NO_180: opt.no180 = 1; break;
	case O_EXPIRES: opt.expires = (int)number(optarg); break;
	case O_CSEQ: opt.cseq = (uint32_t)number(optarg); break;
	case O_CONTACT_CONN: opt.contact_conn = 1; break;
	case O_NO_RR: opt.direct = 1; break;
	case O_BAD: opt.bad_per = (int)number(optarg); break;
	case O_NO_REQUEST: opt.no_request = 1; break;
	case O_LINGER: opt.linger = number(optarg) * MS; break;
	case O_CERT: TEXT(cert); break;
	case O_KEY: TEXT(key); break;
	case O_QUIET: opt.quiet = 1; break;
	case O_SPIN: opt.spin = 1; break;
	case O_ABANDON: opt.abandon = number(optarg) * MS; break;
	default: return 0;
	}
	return 1;
}

/* What follows from the case. */
static void settle(const char *name)
{
	opt.test = -1;
	for (int i = 0; i < CASES; i++)
		if (!strcmp(name, case_name[i]))
			opt.test = i;
	if (opt.test < 0)
		die("unknown case %s", name);
	if (opt.transport == T_WSS && opt.test != C_IDLE)
		die("wss is for idle alone");
	if ((opt.test == C_CONNECT || opt.test == C_IDLE) && opt.transport == T_UDP)
		opt.transport = T_TCP;
	if (!opt.count && opt.duration <= 0)
		opt.count = opt.test == C_REGISTER ? opt.users : 10000;
	if (!opt.count)
		opt.count = UINT64_MAX;
	if (opt.window < 1)
		opt.window = 1;
	opt.in_flight = opt.window;
	if (opt.test == C_IDLE) {
		if (opt.users < opt.count)
			opt.users = (uint32_t)opt.count;
		opt.contact_conn = 1;
		opt.window = (uint32_t)opt.count;
	}
}

int read_options(int argc, char **argv)
{
	struct timespec ts;
	int c;

	opt.srv.sin_family = AF_INET;
	opt.srv.sin_port = htons(5060);
	inet_pton(AF_INET, "127.0.0.1", &opt.srv.sin_addr);
	clock_gettime(CLOCK_REALTIME, &ts); /* grows by 100 a second, so that a later run's CSeq is higher */
	opt.cseq = (uint32_t)(((uint64_t)ts.tv_sec * 100 + (uint64_t)ts.tv_nsec / 10000000) & 0x3fffffff) + 1;
	while ((c = getopt_long(argc, argv, "s:t:l:S:u:d:n:w:r:h", long_options, NULL)) != -1) {
		if (!one_option(c)) {
			fputs(HELP, c == 'h' ? stdout : stderr);
			return c == 'h' ? 1 : 3;
		}
	}
	if (optind >= argc) {
		fputs(HELP, stderr);
		return 3;
	}
	settle(argv[optind]);
	return 0;
}
