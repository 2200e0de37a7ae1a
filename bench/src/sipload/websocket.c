/*
 * SIP over secure WebSocket (RFC 7118), the client's side and no more of RFC 6455 than that needs: one handshake, whole messages, the mask
 * of four zeros, which changes nothing and is a mask nevertheless.
 */
#include "sipload.h"

void ws_upgrade(struct flow *f)
{
	static const char get[] = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
				  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
				  "Sec-WebSocket-Protocol: sip\r\n\r\n";

	f->state = F_UPGRADE;
	stream_put(f, get, sizeof(get) - 1);
	stream_mark(f);
}

/* The bytes of its answer; 0: not all here yet; -1: it is none that we want. */
int ws_upgraded(const char *b, int n)
{
	const char *end = memmem(b, (size_t)n, "\r\n\r\n", 4);

	if (!end)
		return 0;
	return n > 12 && !memcmp(b + 9, "101", 3) ? (int)(end + 4 - b) : -1;
}

int ws_head(char head[14], int n)
{
	int k = 2;

	head[0] = (char)0x81;
	if (n < 126) {
		head[1] = (char)(0x80 | n);
	} else {
		head[1] = (char)(0x80 | 126);
		head[2] = (char)(n >> 8);
		head[3] = (char)n;
		k = 4;
	}
	memset(head + k, 0, 4);
	return k + 4;
}

/* The bytes of a frame, head and all, and how long its head is; 0: not all here yet. What is no text and no binary has no SIP in it: then the
 * head is as long as the frame. */
int ws_frame(const char *b, int n, int *skip)
{
	const uint8_t *u = (const uint8_t *)b;
	int head = 2, len;

	if (n < 2)
		return 0;
	len = u[1] & 0x7f;
	if (len == 126) {
		if (n < 4)
			return 0;
		len = u[2] << 8 | u[3];
		head = 4;
	} else if (len == 127) {
		die("a message of more than 64 KiB");
	}
	if (n < head + len)
		return 0;
	*skip = (u[0] & 0xf) == 1 || (u[0] & 0xf) == 2 ? head : head + len;
	return head + len;
}
