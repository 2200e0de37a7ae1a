#include "support.h"

#include <tandem/sip.h>

/* A request that is right in everything, with one more header field. */
static struct td_defect with(const char *method, const char *field)
{
	struct td_defect d = { 999, "dropped" };
	struct td_buf *buf;
	struct td_msg *m;
	struct td_out o;

	td_out_init(&o);
	td_out_fmt(&o,
		   "%s sip:bob@biloxi.example SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\nFrom: <sip:a@b>;tag=1\r\n"
		   "To: <sip:c@d>\r\nCall-ID: 1@h\r\nCSeq: 1 %s\r\nMax-Forwards: 70\r\n",
		   method, method);
	if (*field)
		td_out_fmt(&o, "%s\r\n", field);
	td_out_z(&o, "Content-Length: 0\r\n\r\n");
	buf = td_buf_copy(td_out_view(&o));
	td_out_free(&o);
	assert_non_null(buf);
	if (!td_msg_parse(&m, buf, 0, buf->len)) {
		d = td_msg_validate(m);
		td_msg_unref(m);
	}
	td_buf_unref(buf);
	return d;
}

static const char *const good[] = {
	"",
	"Accept:",
	"Accept: application/sdp;level=1, application/x-private, text/html;q=0.5, */*;q=0",
	"Accept-Encoding:",
	"Accept-Encoding: gzip, *;q=0.000",
	"Accept-Language: da, en-gb;q=0.8, en;q=0.7, *, es-419",
	"Alert-Info: <http://www.example.com/sounds/moo.wav>;x=y, <urn:alert:service:normal>",
	"Allow:",
	"Allow: INVITE, ACK, x-own",
	"Authentication-Info: nextnonce=\"47364c23432d2e131a5fb210812c\", qop=auth, rspauth=\"\", nc=00000001",
	"Authorization: Digest username=\"u\", realm=\"r\", nonce=\"n\", uri=\"sip:r\", response=\"00\"",
	"Authorization: Basic x=y\r\nAuthorization: Other x=y",
	"Call-Info: <http://wwww.example.com/alice/photo.jpg> ;purpose=icon,\r\n <http://www.example.com/alice/> ;purpose=info",
	"Contact: <sip:a@b>;q=0.7, sip:c@d;expires=x",
	"m: <sip:a@b>\r\nContact: <sip:c@d>",
	"Content-Disposition: session;handling=optional",
	"Content-Encoding: gzip, tar",
	"e: gzip",
	"Content-Language: fr, en-gb",
	"Content-Type: text/html; charset=ISO-8859-4",
	"Date: Sat, 13 Nov 2010 23:29:00 GMT",
	"Error-Info: <sip:not-in-service-recording@atlanta.com>",
	"Expires: 4294967295",
	"In-Reply-To: 70710@saturn.bell-tel.com, 17320@saturn.bell-tel.com",
	"MIME-Version: 1.0",
	"Min-Expires: 60",
	"Organization:",
	"Organization: Boxes by Zo\xc3\xab",
	"Priority: emergency",
	"Priority: non-urgent",
	"Proxy-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\nProxy-Authenticate: Digest realm=\"s\", nonce=\"n\"",
	"Proxy-Authorization: Digest username=\"u\", realm=\"r\", nonce=\"\", uri=\"sip:r\", response=\"\"",
	"Proxy-Require: foo",
	"Require: 100rel, timer",
	"Supported:",
	"k: 100rel",
	"Unsupported: foo",
	"Record-Route: <sip:server10.biloxi.com;lr>, <sip:b;lr>;x",
	"Route: <sip:a;lr>\r\nRoute: B <sip:b;lr>",
	"Reply-To: Bob <sip:bob@biloxi.com>",
	"Retry-After: 18000;duration=3600",
	"Server: HomeServer v2",
	"User-Agent: Linksys/RT31P2-3.1.6(LI) @home",
	"Subject: Need more boxes",
	"s:",
	"Subject: one\r\n\ttwo",
	"Timestamp: 54.21 0.3",
	"Via: SIP/2.0/UDP i;branch=z9hG4bKb, SIP/2.0/TCP [::1]:5061",
	"Warning: 307 isi.edu \"Session parameter 'foo' not understood\", 301 isi.edu:5060 \"a, b\"",
	"WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", stale=FALSE",
	"X-Anything: \"<(;,",
};

static const char *const bad[] = {
	"Accept: application",
	"Accept: a/b;q=2",
	"Accept: a/b,,c/d",
	"Accept-Encoding: gzip;q=x",
	"Accept-Encoding: ;q=1",
	"Accept-Language: toolonglanguage",
	"Accept-Language: en;q=1.1",
	"Accept-Language: en-",
	"Alert-Info:",
	"Alert-Info: http://h/",
	"Alert-Info: \"x\" <http://h/>",
	"Alert-Info: <http://h/",
	"Allow: IN VITE",
	"Allow: INVITE,",
	"Authentication-Info:",
	"Authentication-Info: x=y\r\nAuthentication-Info: y=x",
	"Authorization: Digest realm=\"r\"",
	"Authorization: Digest username=\"u\", realm=\"r\", nonce=\"n\", uri=\"sip:r\"",
	"Call-Info: x",
	"Contact:",
	"Contact: *",
	"Contact: <sip:a@b>, *",
	"Contact: <sip:a@b>;q=x",
	"Contact: sip:a@b?x=y",
	"Content-Disposition:",
	"Content-Disposition: session;",
	"Content-Disposition: a\r\nContent-Disposition: b",
	"Content-Encoding:",
	"Content-Encoding: a/b",
	"Content-Language: *",
	"Content-Type:",
	"Content-Type: */*",
	"Content-Type: text/plain;x",
	"Content-Type: a/b, c/d",
	"Content-Type: a/b\r\nc: a/b",
	"Date: Fri, 01 Jan 2010 16:00:00 EST",
	"Date:",
	"Error-Info: <>",
	"Expires:",
	"Expires: -1",
	"Expires: 4294967296",
	"Expires: 1\r\nExpires: 1",
	"In-Reply-To:",
	"In-Reply-To: a b",
	"MIME-Version: 1",
	"MIME-Version: 1.0.0",
	"Min-Expires: x",
	"Organization: \xff",
	"Organization: cut \xc3",
	"Organization: bell \a",
	"Priority:",
	"Priority: very urgent",
	"Proxy-Authenticate: Digest realm=\"r\"",
	"Proxy-Authorization: Digest",
	"Proxy-Require:",
	"Require: a b",
	"Supported: a,,b",
	"Unsupported:",
	"Record-Route: sip:h",
	"Route: <sip:h",
	"Route:",
	"Reply-To: <sip:a@b>, <sip:c@d>",
	"Retry-After: soon",
	"Timestamp: now",
	"Via: SIP/2.0/UDP i;branch=",
	"Via:",
	"Warning: 1 h \"x\"",
	"Warning: 399 h x",
	"WWW-Authenticate: Digest realm=\"r",
	"Subject: a\r\nSubject: b",
};

static void every_header_of_rfc_3261(void **state)
{
	struct td_defect d;
	size_t i;

	for (i = 0; i < TD_ARRAY_LEN(good); i++) {
		d = with("OPTIONS", good[i]);
		if (d.status)
			fail_msg("%s: %u %s", good[i], d.status, d.why);
	}
	for (i = 0; i < TD_ARRAY_LEN(bad); i++) {
		d = with("OPTIONS", bad[i]);
		if (d.status != 400)
			fail_msg("%s: %u", bad[i], d.status);
		assert_non_null(d.why);
	}
}

static void contacts_of_methods(void **state)
{
	assert_int_equal(with("REGISTER", "Contact: *\r\nExpires: 0").status, 0);
	assert_int_equal(with("REGISTER", "Contact: *, <sip:a@b>").status, 400);
	assert_int_equal(with("REGISTER", "Contact: <sip:a@b>\r\nContact: *").status, 400);
	assert_int_equal(with("INVITE", "").status, 400);
	assert_int_equal(with("INVITE", "Contact: <sip:a@b>").status, 0);
}

/* The first defect, the index's, is the one reported. */
static void p4_doubled_fields(void **state)
{
	static const char *const fields[] = {
		"From: <sip:a@b>;tag=1", "t: <sip:a@b>", "Call-ID: 1@h", "CSeq: 1 OPTIONS", "Max-Forwards: 70", "l: 0",
	};
	size_t i;

	for (i = 0; i < TD_ARRAY_LEN(fields); i++)
		if (with("OPTIONS", fields[i]).status != 400)
			fail_msg("%s", fields[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_header_of_rfc_3261),
		cmocka_unit_test(contacts_of_methods),
		cmocka_unit_test(p4_doubled_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
