/* X5: what is written over, and what is not. In each row «» are put round what must become x; nothing else changes. */
#include "support.h"

#include <stdlib.h>

#include "server/trace/trace.h"

#define HEAD "INVITE sip:bob@example.test SIP/2.0\r\nCall-ID: 1@a\r\n"

static const char *const rows[] = {
	HEAD "Authorization: Digest username=\"alice\", realm=\"a\", nonce=\"abc\", uri=\"sip:a\", "
	     "response=\"«0123456789abcdef»\"\r\n\r\n",
	HEAD "proxy-authorization : DIGEST response=«0123abcd», nc=00000001\r\n\r\n",
	HEAD "Proxy-Authorization: Digest nonce=\"a\",\r\n response = \"«00112233»\",\r\n\tcnonce=\"1\"\r\n\r\n",
	HEAD "Authorization: Basic «YWxpY2U6c2VjcmV0»\r\n\r\n",
	HEAD "Authorization: Bearer «abc.def.ghi »\r\n\r\n",
	HEAD "Authentication-Info: qop=auth, rspauth=\"«6629fae49393a05397450978507c4ef1»\", nextnonce=\"n\"\r\n\r\n",
	HEAD "WWW-Authenticate: Digest realm=\"a\", nonce=\"response\"\r\n\r\n",
	"REGISTER sip:alice:«geheim»@example.test SIP/2.0\r\nFrom: <sips:a%20b:«p:w»@h>;tag=1\r\nTo: sip:nobody@h:5060\r\n\r\n",
	HEAD "Contact: <sip:a@192.0.2.1:5060>, \"sip:x\" <sip:b:«z»@h>\r\n\r\n",
	HEAD "Record-Route: <sip:10.0.0.1;lr;td=«0123456789abcdef01234567»>\r\nX: outd=5\r\n\r\n",
	HEAD
	"Content-Type: application/sdp\r\n\r\nv=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 "
	"inline:«WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4»\r\n"
	"a=ice-ufrag:8hhY\r\na=ice-pwd:«YH75Fviy6338Vbrhrlp8Yh»\r\nk=«clear:geheim»\r\na=key-mgmt:mikey« AQAFgM0XflABAAAAAAA»\r\n"
	"a=fingerprint:sha-256 00:11\r\nm=audio 4000 RTP/AVP 0\r\n",
	HEAD "Content-Type: application/dtmf-relay\r\n\r\nSignal=«5»\r\nDuration=«160»\r\n",
	HEAD "Content-Type: application/dtmf-relay\r\n\r\nSignal= «#»\r\n",
	HEAD "c: application/dtmf\r\n\r\n«5»",
	HEAD "Content-Type: application/vnd.nortelnetworks.digits\r\n\r\np=Digit-Collection\r\nd=«42#»\r\n",
	HEAD "Content-Type: application/kpml-response+xml\r\n\r\n<kpml-response digits=\"«123»\" tag=\"«2»\"/>\r\n",
	HEAD "Content-Type: multipart/mixed;boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nat 5\r\n--b\r\n"
	     "Content-Type: application/dtmf-relay\r\n\r\nSignal=«9»\r\n--b--\r\n",
	HEAD "Content-Type: text/plain\r\n\r\nMy PIN: «1234», password = \"«a b c»\" pwd=«x»&spin=7 pinball: 8 "
	     "<secret>«s»</secret>\r\n",
	HEAD "Content-Type: application/json\r\n\r\n{\"password\": \"«a\\»\"n\", \"pins\": 4}",
	"Authorization: Digest response=\"not in a header\"\r\n\r\n",
	"",
	"\r\n",
	HEAD "Authorization: Digest response=\"«cut short»",
	HEAD "Authorization",
	HEAD "Authorization:",
	HEAD "Authorization: Digest",
	"sip:a:«b»@c",
};

static void x5_secrets_are_masked(void **state)
{
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		struct td_out in, want;
		struct td_str got;
		bool secret = false;

		td_out_init(&in);
		td_out_init(&want);
		for (const char *p = rows[i]; *p; p++) {
			if ((uint8_t)p[0] == 0xc2 && ((uint8_t)p[1] == 0xab || (uint8_t)p[1] == 0xbb)) {
				secret = (uint8_t) * ++p == 0xab;
				continue;
			}
			td_out_char(&in, *p);
			td_out_char(&want, secret ? 'x' : *p);
		}
		got = exact_copy(td_out_view(&in));
		td_trace_mask((char *)(uintptr_t)got.p, got.n);
		if (!td_str_eq(got, td_out_view(&want)))
			print_error("row %zu\n", i);
		assert_str_at(got, td_out_view(&want), __FILE__, __LINE__);
		exact_free(got);
		td_out_free(&in);
		td_out_free(&want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(x5_secrets_are_masked) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
