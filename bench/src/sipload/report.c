/* What a run came to: one JSON object. */
#include "sipload.h"

#define LU(x) (unsigned long long)(x)

static void print_hist(const char *name, const struct hist *h)
{
	if (!h->n)
		return;
	printf(",\n  \"%s_us\": {\"n\": %llu, \"mean\": %.1f, \"p50\": %.1f, \"p90\": %.1f, \"p99\": %.1f, \"p999\": %.1f, "
	       "\"max\": %.1f}",
	       name, LU(h->n), (double)h->sum / (double)h->n / 1000.0, hist_us(h, .5), hist_us(h, .9), hist_us(h, .99),
	       hist_us(h, .999), (double)h->max / 1000.0);
}

static void print_codes(void)
{
	const char *sep = "";

	printf("\"codes\": {");
	for (int i = 0; i < 700; i++) {
		if (stats.code[i]) {
			printf("%s\"%d\": %llu", sep, i, LU(stats.code[i]));
			sep = ", ";
		}
	}
	printf("}");
}

void report(double busy_s, double rate)
{
	double elapsed = last_at > first_at ? (double)(last_at - first_at) * 1e-9 : 0;

	if (rate <= 0 && elapsed > 0)
		rate = (double)stats.ok / elapsed;
	printf("{\n  \"case\": \"%s\", \"transport\": \"%s\", \"window\": %u, \"offered_rate\": %.0f, \"users\": %u,\n",
	       case_name[opt.test], transport_name[opt.transport], opt.in_flight, opt.rate, opt.users);
	printf("  \"ok\": %llu, \"failed\": %llu, \"timeouts\": %llu, \"unfinished\": %u, \"verify_errors\": %llu,\n",
	       LU(stats.ok), LU(stats.failed), LU(stats.timeouts), inflight, LU(stats.verify));
	printf("  \"retransmits\": %llu, \"uas_retransmits\": %llu, \"dup_responses\": %llu, \"dup_requests\": %llu,\n",
	       LU(stats.retx), LU(stats.uas_retx), LU(stats.rsp_retx_rx), LU(stats.req_retx_rx));
	printf("  \"stray\": %llu, \"unparsable\": %llu, \"send_drops\": %llu, \"blocked\": %llu, \"challenges\": %llu,\n",
	       LU(stats.stray), LU(stats.unparsable), LU(stats.send_drop), LU(stats.blocked), LU(stats.challenges));
	printf("  \"uas_invites\": %llu, \"uas_acks\": %llu, \"uas_byes\": %llu, \"uas_messages\": %llu,\n",
	       LU(stats.uas_invites), LU(stats.uas_acks), LU(stats.uas_byes), LU(stats.uas_messages));
	printf("  \"bad_sent\": %llu, \"bad_replies\": %llu, \"conn_fail\": %llu, \"conn_lost\": %llu,\n", LU(stats.bad_sent),
	       LU(stats.bad_replies), LU(stats.conn_fail), LU(stats.conn_lost));
	printf("  \"sent\": %llu, \"received\": %llu, ", LU(stats.sent), LU(stats.received));
	print_codes();
	printf(",\n  \"elapsed_s\": %.4f, \"rate\": %.1f, \"generator_busy_s\": %.3f, \"generator_util\": %.3f", elapsed, rate,
	       busy_s, elapsed > 0 ? busy_s / elapsed : 0);
	print_hist("final", &lat_final);
	print_hist("provisional", &lat_provisional);
	print_hist("bye", &lat_bye);
	print_hist("connect", &lat_connect);
	printf("\n}\n");
	fflush(stdout);
}
