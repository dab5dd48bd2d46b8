/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Loads the shared object as packetdrill does and plays some exchanges. */

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../unit/tcp_frame.h"
#include "pd.h"

#define PEER_ISS 1000
#define PEER_PORT 33333
#define OUR_PORT 8080

static struct packetdrill_interface ifc;
static struct tp_tcp_key key; /* as the peer sees it */
static uint32_t iss;          /* of the stack */
static int nb_failed;

/* The last packet that the stack sent. */
static struct {
	uint8_t bytes[PD_PACKET_MAX];
	size_t len;
	uint32_t seq, ack, data;
	uint8_t flags;
	long long at_us;
} got;

static void
check(bool good, const char *what, int line)
{
	if (good)
		return;
	printf("play.c:%d: %s\n", line, what);
	nb_failed++;
}
#define CHECK(what) check(what, #what, __LINE__)

/* ---- packets ----------------------------------------------------------------------------- */

/* The peer sends; numbers are relative, SYNs have 0. */
static void
inject(uint8_t flags, uint32_t seq, uint32_t ack, const char *data)
{
	uint8_t frame[2048] = { 0 }, *tcp = frame + tcp_frame_hdr_len(&key);
	uint32_t opt = flags & TP_TCP_SYN ? 4 : 0, len = data != NULL ? strlen(data) : 0;
	struct rte_tcp_hdr *th = (struct rte_tcp_hdr *)tcp;

	*th = (struct rte_tcp_hdr){ .src_port = key.lport,
		.dst_port = key.rport,
		.sent_seq = htonl(PEER_ISS + seq),
		.recv_ack = flags & TP_TCP_ACK ? htonl(iss + ack) : 0,
		.data_off = (20 + opt) / 4 << 4,
		.tcp_flags = flags,
		.rx_win = htons(65535) };
	if (opt > 0)
		memcpy(tcp + 20, "\x02\x04\x05\xb4", 4);
	if (len > 0)
		memcpy(tcp + 20 + opt, data, len);
	tcp_frame_fill(frame, tcp - frame + 20 + opt + len, &key, 0);
	CHECK(ifc.netdev_send(ifc.userdata, frame + RTE_ETHER_HDR_LEN,
	                      tcp - frame + 20 + opt + len - RTE_ETHER_HDR_LEN) == 0);
}

/* Take the next packet of the stack. */
static void
sniff(void)
{
	uint32_t ip_len = tcp_frame_hdr_len(&key) - RTE_ETHER_HDR_LEN;
	const struct rte_tcp_hdr *th = (const void *)(got.bytes + ip_len);

	memset(&got, 0, sizeof(got));
	for (int i = 0; i < 5000 && got.len == 0; i++) {
		got.len = sizeof(got.bytes);
		if (ifc.netdev_receive(ifc.userdata, got.bytes, &got.len, &got.at_us) < 0)
			got.len = 0;
	}
	CHECK(got.len >= ip_len + sizeof(*th));
	got.seq = ntohl(th->sent_seq) - iss;
	got.ack = ntohl(th->recv_ack) - PEER_ISS;
	got.flags = th->tcp_flags;
	got.data = got.len - ip_len - (th->data_off >> 4) * 4;
}

static void
expect_at(uint8_t flags, uint32_t seq, uint32_t ack, uint32_t data, int line)
{
	sniff();
	check((got.flags & ~TP_TCP_PSH) == flags, "flags", line);
	check(got.seq == seq, "sequence number", line);
	check(!(flags & TP_TCP_ACK) || got.ack == ack, "acknowledgment number", line);
	check(got.data == data, "length", line);
}
#define expect(flags, seq, ack, data) expect_at(flags, seq, ack, data, __LINE__)

/* ---- ways to be connected --------------------------------------------------------------------- */

static void
start(bool v6)
{
	key = tcp_frame_key(v6, 2, PEER_PORT, 1, OUR_PORT);
	iss = 0;
}

static int
listening(bool v6)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(OUR_PORT) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(OUR_PORT) };
	int fd = ifc.socket(ifc.userdata, v6 ? AF_INET6 : AF_INET, SOCK_STREAM, 0);

	CHECK(fd >= 0);
	CHECK(ifc.bind(ifc.userdata, fd, v6 ? (void *)&in6 : (void *)&in,
	                      v6 ? sizeof(in6) : sizeof(in)) == 0);
	CHECK(ifc.listen(ifc.userdata, fd, 1) == 0);
	return fd;
}

static void
handshake(void)
{
	const struct rte_tcp_hdr *th;

	inject(TP_TCP_SYN, 0, 0, NULL);
	sniff();
	th = (const void *)(got.bytes + tcp_frame_hdr_len(&key) - RTE_ETHER_HDR_LEN);
	CHECK(got.flags == (TP_TCP_SYN | TP_TCP_ACK));
	CHECK(got.ack == 1);
	iss = ntohl(th->sent_seq);
	inject(TP_TCP_ACK, 1, 1, NULL);
}

static int
accepted(bool v6)
{
	int listener, fd;

	start(v6);
	listener = listening(v6);
	handshake();
	fd = ifc.accept(ifc.userdata, listener, NULL, NULL);
	CHECK(fd >= 0 && fd != listener);
	return fd;
}

/* ---- exchanges --------------------------------------------------------------------------------- */

static void
play_data(bool v6)
{
	int fd = accepted(v6);
	char buf[100] = "";

	inject(TP_TCP_ACK | TP_TCP_PSH, 1, 1, "hello");
	CHECK(ifc.read(ifc.userdata, fd, buf, sizeof(buf)) == 5 && memcmp(buf, "hello", 5) == 0);
	CHECK(ifc.write(ifc.userdata, fd, "answer", 6) == 6);
	expect(TP_TCP_ACK, 1, 6, 6);
	CHECK(memcmp(got.bytes + got.len - 6, "answer", 6) == 0);
	inject(TP_TCP_ACK, 6, 7, NULL);
	inject(TP_TCP_ACK | TP_TCP_FIN, 6, 7, NULL);
	expect(TP_TCP_ACK, 7, 7, 0);
	CHECK(ifc.read(ifc.userdata, fd, buf, sizeof(buf)) == 0);
	CHECK(ifc.close(ifc.userdata, fd) == 0);
	expect(TP_TCP_ACK | TP_TCP_FIN, 7, 7, 0);
	inject(TP_TCP_ACK, 7, 8, NULL);
	CHECK(ifc.read(ifc.userdata, fd, buf, sizeof(buf)) == -1 && errno == EBADF);
}

static void
play_v4(void)
{
	play_data(false);
}

static void
play_v6(void)
{
	play_data(true);
}

static void
play_retransmit(void)
{
	int fd = accepted(false);
	struct tcp_info info;
	socklen_t len = sizeof(info);
	long long sent;

	CHECK(ifc.write(ifc.userdata, fd, "data", 4) == 4);
	expect(TP_TCP_ACK, 1, 1, 4);
	sent = got.at_us;
	expect(TP_TCP_ACK, 1, 1, 4);
	CHECK(got.at_us - sent >= 1000 && got.at_us - sent < 1100000);
	sniff();
	CHECK(ifc.getsockopt(ifc.userdata, fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0);
	CHECK(len == sizeof(info) && info.tcpi_state == 1 && info.tcpi_unacked == 1);
	CHECK(info.tcpi_total_retrans >= 2);
	inject(TP_TCP_ACK, 1, 5, NULL);
	CHECK(ifc.getsockopt(ifc.userdata, fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0);
	CHECK(info.tcpi_unacked == 0 && info.tcpi_bytes_acked == 4);
}

static void
play_reset(void)
{
	int fd = accepted(false);
	char buf[10];

	inject(TP_TCP_RST, 1, 0, NULL);
	CHECK(ifc.read(ifc.userdata, fd, buf, sizeof(buf)) == -1 && errno == ECONNRESET);
	CHECK(ifc.write(ifc.userdata, fd, buf, 1) == -1 && errno == EPIPE);
	inject(TP_TCP_ACK, 1, 1, "too late");
	expect(TP_TCP_RST, 1, 0, 0);
}

static void
play_connect(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(PEER_PORT) };
	const struct rte_tcp_hdr *th = (const void *)(got.bytes + 20);
	socklen_t len = sizeof(int);
	int fd, error = -1;

	start(false);
	fd = ifc.socket(ifc.userdata, AF_INET, SOCK_STREAM, 0);
	CHECK(ifc.fcntl(ifc.userdata, fd, F_SETFL, O_NONBLOCK) == 0);
	in.sin_addr.s_addr = inet_addr("192.0.2.1");
	CHECK(ifc.connect(ifc.userdata, fd, (void *)&in, sizeof(in)) == -1 && errno == EINPROGRESS);
	sniff();
	CHECK((got.flags & ~(TP_TCP_ECE | TP_TCP_CWR)) == TP_TCP_SYN);
	iss = ntohl(th->sent_seq);
	memcpy(key.laddr + 12, got.bytes + 16, 4);
	memcpy(key.raddr + 12, got.bytes + 12, 4);
	key.rport = th->src_port;
	inject(TP_TCP_SYN | TP_TCP_ACK, 0, 1, NULL);
	expect(TP_TCP_ACK, 1, 1, 0);
	CHECK(ifc.getsockopt(ifc.userdata, fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0);
	CHECK(error == 0);
	CHECK(ifc.shutdown(ifc.userdata, fd, SHUT_WR) == 0);
	expect(TP_TCP_ACK | TP_TCP_FIN, 1, 1, 0);
}

/* packetdrill lets a second thread make a call that blocks. */
static void *
blocked_read(void *arg)
{
	char buf[10];
	ssize_t n = ifc.read(ifc.userdata, *(int *)arg, buf, sizeof(buf));

	return n == 4 && memcmp(buf, "wake", 4) == 0 ? arg : NULL;
}

static void
play_blocking(void)
{
	int fd = accepted(false);
	pthread_t thread;
	void *result = NULL;

	CHECK(pthread_create(&thread, NULL, blocked_read, &fd) == 0);
	CHECK(ifc.usleep(ifc.userdata, 50000) == 0);
	inject(TP_TCP_ACK | TP_TCP_PSH, 1, 1, "wake");
	CHECK(pthread_join(thread, &result) == 0 && result == &fd);
}

static void
play_clock(void)
{
	struct timeval before, after;
	int fds[2];

	start(false);
	CHECK(ifc.gettimeofday(ifc.userdata, &before, NULL) == 0);
	CHECK(ifc.usleep(ifc.userdata, 3000000) == 0);
	CHECK(ifc.gettimeofday(ifc.userdata, &after, NULL) == 0);
	CHECK(after.tv_sec - before.tv_sec >= 3 && after.tv_sec - before.tv_sec <= 4);
	CHECK(ifc.pipe(ifc.userdata, fds) == -1 && errno == ENOSYS);
}

/* ---- all ---------------------------------------------------------------------------------------- */

typedef void (*init_function)(const char *flags, struct packetdrill_interface *);

int
main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*play)(void);
	} plays[] = { { "IPv4", play_v4 }, { "IPv6", play_v6 }, { "retransmit", play_retransmit },
		{ "reset", play_reset }, { "connect", play_connect }, { "blocking", play_blocking },
		{ "clock", play_clock } };
	static const char *const flags[] = { "timestamps=0,ecn=0", "timestamps=0,ecn=0,move" };
	unsigned int nb_bad = 0, nb = 0, *nb_moves;
	init_function init;
	void *so;

	so = argc == 2 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE) : NULL;
	if (so == NULL) {
		fprintf(stderr, "usage: play OBJECT; %s\n", argc == 2 ? dlerror() : "");
		return 2;
	}
	*(void **)&init = dlsym(so, "packetdrill_interface_init");
	nb_moves = dlsym(so, "packetdrill_nb_moves");
	if (init == NULL || nb_moves == NULL)
		return 2;
	for (unsigned int way = 0; way < RTE_DIM(flags); way++)
		for (unsigned int i = 0; i < RTE_DIM(plays); i++) {
			nb_failed = 0;
			*nb_moves = 0;
			init(flags[way], &ifc);
			plays[i].play();
			ifc.free(ifc.userdata);
			CHECK((*nb_moves > 0) == (way == 1 && plays[i].play != play_clock));
			printf("%s %u - %s%s\n", nb_failed == 0 ? "ok" : "not ok", ++nb,
			                plays[i].name, way == 1 ? ", moving" : "");
			nb_bad += nb_failed != 0;
		}
	return nb_bad != 0;
}
