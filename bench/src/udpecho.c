/*
 * udpecho: the floor of a UDP server. It receives a batch and sends it back, without any SIP.
 *
 *   udpecho server PORT [batch]         echo until SIGTERM
 *   udpecho client IP:PORT SIZE WINDOW SECONDS
 *
 * batch 1 uses recvfrom and sendto, as a server without batching does. The client polls; it prints one JSON object:
 * datagrams answered per second.
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, SIZE_MAX_BYTES = 2048 };

static char text[BATCH][SIZE_MAX_BYTES];
static struct mmsghdr mh[BATCH];
static struct iovec iv[BATCH];
static struct sockaddr_in peer[BATCH];

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int open_socket(const char *ip, uint16_t port, int to_peer)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), big = 4 << 20;

	inet_pton(AF_INET, ip, &a.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &big, sizeof(big));
	if (to_peer ? connect(fd, (void *)&a, sizeof(a)) : bind(fd, (void *)&a, sizeof(a))) {
		perror("udpecho");
		exit(2);
	}
	return fd;
}

static void echo_one(int fd)
{
	socklen_t l = sizeof(peer[0]);
	ssize_t n = recvfrom(fd, text[0], sizeof(text[0]), 0, (void *)&peer[0], &l);

	if (n >= 0)
		(void)!sendto(fd, text[0], (size_t)n, 0, (void *)&peer[0], l);
}

static void echo_batch(int fd, int batch)
{
	int n, done = 0;

	for (int i = 0; i < batch; i++) {
		iv[i] = (struct iovec){ text[i], sizeof(text[i]) };
		mh[i].msg_hdr = (struct msghdr){ &peer[i], sizeof(peer[i]), &iv[i], 1, NULL, 0, 0 };
	}
	n = recvmmsg(fd, mh, (unsigned)batch, MSG_WAITFORONE, NULL);
	for (int i = 0; i < n; i++)
		iv[i].iov_len = mh[i].msg_len;
	while (done < n) {
		int r = sendmmsg(fd, mh + done, (unsigned)(n - done), 0);
		if (r <= 0)
			break;
		done += r;
	}
}

static void serve(uint16_t port, int batch)
{
	int fd = open_socket("127.0.0.1", port, 0);

	for (;;) {
		if (batch <= 1)
			echo_one(fd);
		else
			echo_batch(fd, batch > BATCH ? BATCH : batch);
	}
}

static int send_some(int fd, int n, size_t size)
{
	if (n > BATCH)
		n = BATCH;
	for (int i = 0; i < n; i++) {
		iv[i] = (struct iovec){ text[i], size };
		mh[i].msg_hdr = (struct msghdr){ .msg_iov = &iv[i], .msg_iovlen = 1 };
	}
	return sendmmsg(fd, mh, (unsigned)n, 0);
}

static void ask(int fd, size_t size, int window, double duration)
{
	uint64_t sent = 0, got = 0;
	double start = seconds(), t = start, last = start;
	int out = 0;

	memset(text, 'x', sizeof(text));
	while ((t = seconds()) - start < duration) {
		while (out < window) {
			int r = send_some(fd, window - out, size);
			if (r <= 0)
				break;
			sent += (uint64_t)r;
			out += r;
		}
		for (int i = 0; i < BATCH; i++)
			iv[i].iov_len = sizeof(text[i]);
		int r = recvmmsg(fd, mh, BATCH, MSG_DONTWAIT, NULL);
		if (r > 0) {
			got += (uint64_t)r;
			out -= r;
			last = t;
		} else if (t - last > 0.2) { /* lost: fill up again */
			out = 0;
			last = t;
		}
	}
	printf("{\"ok\": %llu, \"sent\": %llu, \"elapsed_s\": %.4f, \"rate\": %.1f}\n", (unsigned long long)got,
	       (unsigned long long)sent, t - start, (double)got / (t - start));
}

int main(int argc, char **argv)
{
	char *colon;

	if (argc > 2 && !strcmp(argv[1], "server"))
		serve((uint16_t)strtol(argv[2], NULL, 10), argc > 3 ? (int)strtol(argv[3], NULL, 10) : BATCH);
	if (argc < 6 || strcmp(argv[1], "client") || !(colon = strchr(argv[2], ':'))) {
		fprintf(stderr, "usage: udpecho server PORT [batch] | client IP:PORT SIZE WINDOW SECONDS\n");
		return 2;
	}
	*colon = 0;
	ask(open_socket(argv[2], (uint16_t)strtol(colon + 1, NULL, 10), 1), (size_t)strtol(argv[3], NULL, 10),
	    (int)strtol(argv[4], NULL, 10), strtod(argv[5], NULL));
	return 0;
}
