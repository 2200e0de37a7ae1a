/* A flow as bytes of our own: for who keeps many, or gives one away under seal. They never leave this process unsealed. */
#include <tandem/transport.h>

size_t td_flow_pack(uint8_t out[TD_FLOW_PACKED_MAX], const struct td_flow *f)
{
	size_t ip = f->peer.family == TD_AF_V4 ? 4 : 16, n = 0;

	if (f->peer.family == TD_AF_NONE)
		return 0;
	out[n++] = f->peer.family;
	out[n++] = f->proto;
	out[n++] = f->listener;
	memcpy(out + n, &f->peer.port, 2);
	n += 2;
	memcpy(out + n, f->peer.ip, ip);
	n += ip;
	if (ip == 16) {
		memcpy(out + n, &f->peer.scope, 4);
		n += 4;
	}
	if (f->conn) {
		memcpy(out + n, &f->conn, 8);
		n += 8;
	}
	return n;
}

void td_flow_unpack(struct td_flow *f, const uint8_t *in, size_t n)
{
	memset(f, 0, sizeof(*f));
	if (n == 0)
		return;
	const uint8_t *end = in + n;
	f->peer.family = in[0];
	f->proto = in[1];
	f->listener = in[2];
	memcpy(&f->peer.port, in + 3, 2);
	in += 5;
	size_t ip = f->peer.family == TD_AF_V4 ? 4 : 16;
	memcpy(f->peer.ip, in, ip);
	in += ip;
	if (ip == 16) {
		memcpy(&f->peer.scope, in, 4);
		in += 4;
	}
	if (in < end)
		memcpy(&f->conn, in, 8);
}
