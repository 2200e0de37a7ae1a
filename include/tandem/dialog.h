/*
 * dialog: the state two user agents share after an INVITE or SUBSCRIBE (RFC 3261 §12): who is who, which way requests go, and
 * which CSeq is next. It builds the head of in-dialog requests; sending them is the user's business.
 */
#ifndef TANDEM_DIALOG_H
#define TANDEM_DIALOG_H

#include <tandem/sip.h>

#ifdef __cplusplus
extern "C" {
#endif

struct td_dialog {
	struct td_arena arena; /* owns every view below */
	bool uac;              /* we sent the request that made it */
	bool confirmed;        /* by a 2xx; early before */
	struct td_str call_id, local_tag, remote_tag;
	struct td_str local, remote; /* From and To values of our requests, without tags */
	struct td_str target;        /* remote target: the peer's Contact URI (§12.2.1.1) */
	size_t target_room;          /* bytes there are at target.p */
	struct td_str *route;        /* route set in the order of Route headers: whole values */
	unsigned route_n;
	uint32_t local_cseq, remote_cseq;
	bool remote_cseq_known;
};

/* Of a response (101-299 with a To tag) to a request we sent. TD_ESYNTAX when it makes no dialog (no tag, no Contact). */
int td_dialog_of_response(struct td_dialog **out, const struct td_msg *response);
/* Of a request we answer with this To tag. */
int td_dialog_of_request(struct td_dialog **out, const struct td_msg *request, struct td_str local_tag);
void td_dialog_free(struct td_dialog *d);

/* Does this message belong to the dialog (§12.2.2)? Call-ID and both tags; a peer without tags (RFC 2543) matches none. */
bool td_dialog_matches(const struct td_dialog *d, const struct td_msg *m);
/* CSeq order of a request from the peer (§12.2.2); remembers it. TD_EORDER: answer 500. ACK and CANCEL pass. */
int td_dialog_take_cseq(struct td_dialog *d, const struct td_msg *request);
/* Target refresh: Contact of a (re-)INVITE, UPDATE, or of its 2xx (§12.2.1.2, §12.2.2). Nothing when there is none. -ENOMEM */
int td_dialog_refresh_target(struct td_dialog *d, const struct td_msg *m);
/* The 2xx may carry another route set than the early response (§13.2.2.4): taken anew on confirmation. */
int td_dialog_confirm(struct td_dialog *d, const struct td_msg *response);

/* Where its requests go: the URI of the first Route, or the remote target (§12.2.1.1). */
struct td_str td_dialog_next_hop(const struct td_dialog *d);
/* The Request-URI of its requests: the remote target, or the first Route when that is a strict router (§12.2.1.1). */
struct td_str td_dialog_request_uri(const struct td_dialog *d);
/* Request line, Via (as given: a whole value), Max-Forwards, Route, From, To, Call-ID, CSeq. cseq: td_dialog_next_cseq(), or for an
 * ACK the INVITE's. The caller adds headers and td_put_body(). A strict router's Route (§12.2.1.1) is honoured. */
void td_dialog_put_request(struct td_out *o, const struct td_dialog *d, struct td_str method, struct td_str via, uint32_t cseq);
uint32_t td_dialog_next_cseq(struct td_dialog *d);

#ifdef __cplusplus
}
#endif
#endif
