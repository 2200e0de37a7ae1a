/* The bad datagrams of the malformed case. */
#include "sipload.h"

static char bad_text[32][1600];
static int bad_len[32], bad_n;

void make_bad(void)
{
	static const char *raw[] = {
		"INVITE sip:u@bench.test SIP/2.0\r\n\r\n",
		"REGISTER\r\n\r\n",
		"OPTIONS sip:bench.test SIP/2.0\r\nVia: \r\nFrom: x\r\nTo: y\r\nCall-ID: z\r\nCSeq: 1 OPTIONS\r\n\r\n",
		"OPTIONS sip:bench.test SIP/3.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKq\r\nFrom: <sip:a@b>;tag=1\r\nTo: "
		"<sip:a@b>\r\nCall-ID: z\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
		"INVITE sip:u@bench.test SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:6000;branch=z9hG4bKq\r\nFrom: "
		"<sip:a@b;tag=1\r\nTo: \"unterminated <sip:a@b>\r\nCall-ID: z\r\nCSeq: 99999999999999999999 "
		"INVITE\r\nContent-Length: 0\r\n\r\n",
		"INVITE sip:u@bench.test SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:99999999;branch=z9hG4bKq\r\nMax-Forwards: "
		"-1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: z\r\nCSeq: 1 BYE\r\nContent-Length: -5\r\n\r\n",
		"SIP/2.0 200\r\n\r\n",
		"SIP/2.0 99 Low\r\nVia: SIP/2.0/UDP x\r\n\r\n",
		"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKnone\r\nFrom: <sip:a@b>;tag=1\r\nTo: "
		"<sip:a@b>;tag=2\r\nCall-ID: z\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n",
		"MESSAGE sip:%%%@[::1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKq\r\nFrom: <sip:a@b>;tag=1\r\nTo: "
		"<sip:a@b>\r\nCall-ID: z\r\nCSeq: 1 MESSAGE\r\nContent-Length: 4000\r\n\r\nshort",
		"GARBAGE",
		"\x80\x81\x82\xff\xfe random bytes \x00\x01\r\n\r\n",
		":::::::::\r\n:::\r\n\r\n",
		"INVITE sip:u@bench.test SIP/2.0\r\nVia SIP/2.0/UDP 127.0.0.1\r\nFrom <sip:a@b>\r\n\r\n",
		"ACK sip:u@bench.test SIP/2.0\r\nCSeq: ACK 1\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=\r\nFrom: ;;;;\r\nTo: "
		",,,\r\nCall-ID:\r\n\r\n",
		"REGISTER sip:bench.test SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:6000;branch=z9hG4bKq\r\nFrom: "
		"<sip:a@bench.test>;tag=1\r\nTo: <sip:a@bench.test>\r\nCall-ID: z\r\nCSeq: 1 REGISTER\r\nContact: "
		"<<<<<>>>>;expires=abc\r\nExpires: 99999999999999\r\nContent-Length: 0\r\n\r\n",
	};
	for (unsigned i = 0; i < sizeof(raw) / sizeof(*raw); i++) {
		bad_len[bad_n] = (int)strlen(raw[i]);
		memcpy(bad_text[bad_n], raw[i], (size_t)bad_len[bad_n]);
		bad_n++;
	}
	char *o = bad_text[bad_n]; /* one very long header line */
	o = PUT(o, "OPTIONS sip:bench.test SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKq\r\nSubject: ");
	memset(o, 'A', 1300);
	o += 1300;
	o = PUT(o, "\r\n\r\n");
	bad_len[bad_n] = (int)(o - bad_text[bad_n]);
	bad_n++;
	o = bad_text[bad_n]; /* many Via headers, nothing else */
	o = PUT(o, "OPTIONS sip:bench.test SIP/2.0\r\n");
	for (int i = 0; i < 30; i++)
		o = PUT(o, "Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKq\r\n");
	o = PUT(o, "\r\n");
	bad_len[bad_n] = (int)(o - bad_text[bad_n]);
	bad_n++;
}

void send_bad(struct op *x)
{
	static uint32_t next;
	for (int i = 0; i < opt.bad_per; i++) {
		int k = (int)(next++ % (uint32_t)bad_n);
		flow_send(x->f, &opt.srv, bad_text[k], bad_len[k]);
		stats.bad_sent++;
	}
}
