/* Builds the requests of the UAC half. */
#include "sipload.h"

static const char *const via_transport[] = { "UDP", "TCP", "TLS", "WSS" };
const char *const uri_transport[] = { "", ";transport=tcp", ";transport=tls", ";transport=ws" };

char *user_of(char *o, uint32_t u)
{
	*o++ = 'u';
	return put_dec8(o, u);
}
char *aor(char *o, uint32_t u)
{
	o = PUT(o, "sip:");
	o = user_of(o, u);
	*o++ = '@';
	return put_mem(o, opt.domain, (int)strlen(opt.domain));
}

/* Where the UAS half listens. */
char *contact_uri(char *o, uint32_t u, struct flow *f)
{
	o = PUT(o, "sip:");
	o = user_of(o, u);
	*o++ = '@';
	if (opt.transport == T_WSS) { /* RFC 7118 §8.1: nobody connects to it */
		o = user_of(o, u);
		o = PUT(o, ".invalid");
	} else if (opt.contact_conn && f)
		o = put_mem(o, f->host, f->host_n);
	else {
		o = put_mem(o, opt.local, (int)strlen(opt.local));
		*o++ = ':';
		o = put_u32(o, (uint32_t)opt.uas_port + u % (uint32_t)opt.uas_n);
	}
	return put_mem(o, uri_transport[opt.transport], (int)strlen(uri_transport[opt.transport]));
}

static char *via(char *o, struct op *x, uint32_t br)
{
	o = PUT(o, "Via: SIP/2.0/");
	o = put_mem(o, via_transport[opt.transport], 3);
	*o++ = ' ';
	o = put_mem(o, x->f->host, x->f->host_n);
	o = PUT(o, ";rport;branch=z9hG4bK");
	o = put_hex8(o, (uint32_t)(x - ops));
	o = put_hex8(o, x->gen);
	o = put_hex8(o, br);
	return PUT(o, "\r\n");
}

char *from_tag(char *o, struct op *x)
{
	*o++ = 'f';
	o = put_hex8(o, (uint32_t)(x - ops));
	return put_hex8(o, x->gen);
}

/* out-of-dialog request, optionally with credentials */
void build_req(struct op *x, const char *auth, int authn)
{
	char *o = x->req;
	int m = x->method;
	o = put_mem(o, method_name[m], method_len[m]);
	*o++ = ' ';
	if (m == M_REGISTER) {
		o = PUT(o, "sip:");
		o = put_mem(o, opt.domain, (int)strlen(opt.domain));
	} else if (m == M_OPTIONS) {
		o = PUT(o, "sip:");
		o = put_mem(o, opt.domain, (int)strlen(opt.domain));
	} else
		o = aor(o, x->user);
	o = PUT(o, " SIP/2.0\r\n");
	o = via(o, x, x->br);
	o = PUT(o, "Max-Forwards: 70\r\nFrom: <");
	if (m == M_REGISTER)
		o = aor(o, x->user);
	else {
		o = PUT(o, "sip:caller");
		o = put_dec8(o, (uint32_t)(x - ops));
		*o++ = '@';
		o = put_mem(o, opt.domain, (int)strlen(opt.domain));
	}
	o = PUT(o, ">;tag=");
	o = from_tag(o, x);
	o = PUT(o, "\r\nTo: <");
	if (m == M_OPTIONS) {
		o = PUT(o, "sip:");
		o = put_mem(o, opt.domain, (int)strlen(opt.domain));
	} else
		o = aor(o, x->user);
	o = PUT(o, ">\r\nCall-ID: ");
	o = put_mem(o, x->cid, x->cidn);
	o = PUT(o, "\r\nCSeq: ");
	o = put_u32(o, x->cseq);
	*o++ = ' ';
	o = put_mem(o, method_name[m], method_len[m]);
	o = PUT(o, "\r\n");
	if (m == M_REGISTER) {
		o = PUT(o, "Contact: <");
		o = contact_uri(o, x->user, x->f);
		o = PUT(o, ">\r\nExpires: ");
		o = put_u32(o, (uint32_t)opt.expires);
		o = PUT(o, "\r\n");
	} else if (m == M_INVITE || m == M_OPTIONS) {
		o = PUT(o, "Contact: <sip:caller");
		o = put_dec8(o, (uint32_t)(x - ops));
		*o++ = '@';
		o = put_mem(o, x->f->host, x->f->host_n);
		o = put_mem(o, uri_transport[opt.transport], (int)strlen(uri_transport[opt.transport]));
		o = PUT(o, ">\r\n");
	}
	if (auth)
		o = put_mem(o, auth, authn);
	if (m != M_MESSAGE)
		o = PUT(o, "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, MESSAGE, NOTIFY, REFER, UPDATE\r\n");
	if (m == M_INVITE)
		o = PUT(o, "Supported: replaces, timer\r\n");
	o = PUT(o, "User-Agent: sipload/1.0\r\n");
	if (m == M_INVITE) {
		o = PUT(o, "Content-Type: application/sdp\r\nContent-Length: ");
		o = put_u32(o, sizeof(SDP_BODY) - 1);
		o = PUT(o, "\r\n\r\n");
		o = PUT(o, SDP_BODY);
	} else if (m == M_MESSAGE) {
		o = PUT(o, "Content-Type: text/plain\r\nContent-Length: ");
		o = put_u32(o, sizeof(TEXT_BODY) - 1);
		o = PUT(o, "\r\n\r\n");
		o = PUT(o, TEXT_BODY);
	} else
		o = PUT(o, "Content-Length: 0\r\n\r\n");
	x->reqn = (int)(o - x->req);
}

/* ACK for 2xx, or BYE, inside the dialog */
int build_indialog(struct op *x, char *buf, int m, uint32_t cseq, uint32_t br)
{
	char *o = buf;
	o = put_mem(o, method_name[m], method_len[m]);
	*o++ = ' ';
	o = put_mem(o, x->tgt, x->tgtn);
	o = PUT(o, " SIP/2.0\r\n");
	o = via(o, x, br);
	o = put_mem(o, x->route, x->routen);
	o = PUT(o, "Max-Forwards: 70\r\nFrom: <sip:caller");
	o = put_dec8(o, (uint32_t)(x - ops));
	*o++ = '@';
	o = put_mem(o, opt.domain, (int)strlen(opt.domain));
	o = PUT(o, ">;tag=");
	o = from_tag(o, x);
	o = PUT(o, "\r\nTo: <");
	o = aor(o, x->user);
	o = PUT(o, ">;tag=");
	o = put_mem(o, x->rtag, x->rtagn);
	o = PUT(o, "\r\nCall-ID: ");
	o = put_mem(o, x->cid, x->cidn);
	o = PUT(o, "\r\nCSeq: ");
	o = put_u32(o, cseq);
	*o++ = ' ';
	o = put_mem(o, method_name[m], method_len[m]);
	o = PUT(o, "\r\nUser-Agent: sipload/1.0\r\nContent-Length: 0\r\n\r\n");
	return (int)(o - buf);
}

/* ACK for a non-2xx final response: same branch, same request URI */
void ack_failure(struct op *x, const struct msg *r)
{
	char *o = x->ack;
	o = PUT(o, "ACK ");
	o = aor(o, x->user);
	o = PUT(o, " SIP/2.0\r\n");
	o = via(o, x, x->br);
	o = PUT(o, "Max-Forwards: 70\r\nFrom: ");
	o = put_str(o, r->from);
	o = PUT(o, "\r\nTo: ");
	o = put_str(o, r->to);
	o = PUT(o, "\r\nCall-ID: ");
	o = put_mem(o, x->cid, x->cidn);
	o = PUT(o, "\r\nCSeq: ");
	o = put_u32(o, x->cseq);
	o = PUT(o, " ACK\r\nContent-Length: 0\r\n\r\n");
	x->ackn = (int)(o - x->ack);
	flow_send(x->f, &opt.srv, x->ack, x->ackn);
}
