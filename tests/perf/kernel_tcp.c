/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include "kernel_tcp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <math.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

#define MTU 1500
#define CHUNK 65536
#define EVENTS 64

struct kernel_tcp {
	int listener;
	struct sockaddr_in addr;
	uint32_t nb;
	int *client, *server; /* [nb] */
	pthread_t thread;     /* of the servers, when there is one */
	bool serving;
	int epoll; /* of the clients, when they are many */
	char buf[CHUNK];
};

/* ---- namespace -------------------------------------------------------------------- */

static int
on_loopback(unsigned long request, struct ifreq *ifr)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), rc = 0;

	if (fd < 0)
		return -errno;
	strcpy(ifr->ifr_name, "lo");
	if (ioctl(fd, request, ifr) != 0)
		rc = -errno;
	close(fd);
	return rc;
}

int
kernel_tcp_offloads(bool on)
{
	static const uint32_t commands[] = { ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO };
	int rc = 0;

	for (unsigned int i = 0; i < RTE_DIM(commands) && rc == 0; i++) {
		struct ethtool_value value = { .cmd = commands[i], .data = on };
		struct ifreq ifr = { .ifr_data = (void *)&value };

		rc = on_loopback(SIOCETHTOOL, &ifr);
	}
	return rc;
}

int
kernel_tcp_namespace(void)
{
	struct ifreq ifr = { .ifr_flags = IFF_UP | IFF_RUNNING };
	int rc;

	if (unshare(CLONE_NEWNET) != 0)
		return -errno;
	rc = on_loopback(SIOCSIFFLAGS, &ifr);
	memset(&ifr, 0, sizeof(ifr));
	ifr.ifr_mtu = MTU;
	if (rc == 0)
		rc = on_loopback(SIOCSIFMTU, &ifr);
	return rc == 0 ? kernel_tcp_offloads(false) : rc;
}

/* ---- sockets ----------------------------------------------------------------------- */

static int
client_socket(const struct kernel_tcp *k)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	if (fd < 0)
		return -1;
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == 0 &&
	                connect(fd, (const struct sockaddr *)&k->addr, sizeof(k->addr)) == 0)
		return fd;
	close(fd);
	return -1;
}

static int
server_socket(const struct kernel_tcp *k)
{
	int fd = accept(k->listener, NULL, NULL), one = 1;

	if (fd >= 0)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static int
start_listening(struct kernel_tcp *k)
{
	socklen_t len = sizeof(k->addr);

	k->addr = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	k->listener = socket(AF_INET, SOCK_STREAM, 0);
	if (k->listener < 0 || bind(k->listener, (struct sockaddr *)&k->addr, len) != 0 ||
	                listen(k->listener, 64) != 0)
		return -errno;
	return getsockname(k->listener, (struct sockaddr *)&k->addr, &len) != 0 ? -errno : 0;
}

static int
connect_all(struct kernel_tcp *k, uint32_t nb)
{
	struct rlimit files = { 4 * nb + 256, 4 * nb + 256 };

	k->client = calloc(nb + 1, sizeof(int));
	k->server = calloc(nb + 1, sizeof(int));
	if (k->client == NULL || k->server == NULL)
		return -ENOMEM;
	if (nb > 256 && setrlimit(RLIMIT_NOFILE, &files) != 0)
		return -errno;
	for (; k->nb < nb; k->nb++) {
		k->client[k->nb] = client_socket(k);
		if (k->client[k->nb] < 0)
			return -errno;
		k->server[k->nb] = server_socket(k);
		if (k->server[k->nb] < 0)
			return -errno;
	}
	return 0;
}

struct kernel_tcp *
kernel_tcp_open(uint32_t nb_conns)
{
	struct kernel_tcp *k = calloc(1, sizeof(*k));
	int rc;

	if (k == NULL)
		return NULL;
	rc = start_listening(k);
	if (rc == 0)
		rc = connect_all(k, nb_conns);
	if (rc == 0)
		return k;
	kernel_tcp_close(k);
	errno = -rc;
	return NULL;
}

void
kernel_tcp_close(struct kernel_tcp *k)
{
	if (k == NULL)
		return;
	for (uint32_t i = 0; k->serving && i < k->nb; i++)
		shutdown(k->client[i], SHUT_WR);
	if (k->serving)
		pthread_join(k->thread, NULL);
	if (k->epoll > 0)
		close(k->epoll);
	for (uint32_t i = 0; i < k->nb; i++) {
		close(k->client[i]);
		close(k->server[i]);
	}
	if (k->listener >= 0)
		close(k->listener);
	free(k->client);
	free(k->server);
	free(k);
}

/* ---- transactions ------------------------------------------------------------------- */

static bool
bounce_all(struct kernel_tcp *k)
{
	char byte = 'x';

	for (uint32_t i = 0; i < k->nb; i++) {
		if (send(k->client[i], &byte, 1, 0) != 1)
			return false;
	}
	for (uint32_t i = 0; i < k->nb; i++) {
		if (recv(k->server[i], &byte, 1, 0) != 1 || send(k->server[i], &byte, 1, 0) != 1)
			return false;
	}
	for (uint32_t i = 0; i < k->nb; i++) {
		if (recv(k->client[i], &byte, 1, 0) != 1)
			return false;
	}
	return true;
}

double
kernel_tcp_rr(struct kernel_tcp *k, uint32_t nb_transactions)
{
	uint32_t rounds = RTE_MAX(nb_transactions / k->nb, 1u);
	uint64_t start = bench_tsc_start();

	for (uint32_t i = 0; i < rounds; i++) {
		if (!bounce_all(k))
			return NAN;
	}
	return (double)(bench_tsc_stop() - start) / ((double)rounds * k->nb);
}

/* ---- two threads ---------------------------------------------------------------------- */

static int
epoll_of(const int *fds, uint32_t nb)
{
	int epoll = epoll_create1(0);

	for (uint32_t i = 0; epoll >= 0 && i < nb; i++) {
		struct epoll_event ev = { .events = EPOLLIN, .data.u32 = i };

		epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &ev);
	}
	return epoll;
}

/* @return false: the client has closed */
static bool
bounce_one(int fd)
{
	char byte;

	return recv(fd, &byte, 1, 0) == 1 && send(fd, &byte, 1, 0) == 1;
}

static void
serve_many(const struct kernel_tcp *k)
{
	int epoll = epoll_of(k->server, k->nb);
	struct epoll_event ev[EVENTS];
	uint32_t left = k->nb;

	while (left > 0) {
		int n = epoll_wait(epoll, ev, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			int fd = k->server[ev[i].data.u32];

			if (bounce_one(fd))
				continue;
			epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
			left--;
		}
	}
	close(epoll);
}

static void *
serve(void *arg)
{
	const struct kernel_tcp *k = arg;

	if (k->nb > 1) {
		serve_many(k);
		return NULL;
	}
	while (bounce_one(k->server[0]))
		;
	return NULL;
}

/* The new thread has its creator's CPU. */
static int
start_serving(struct kernel_tcp *k)
{
	if (k->serving)
		return 0;
	k->epoll = k->nb > 1 ? epoll_of(k->client, k->nb) : 0;
	if (k->epoll < 0 || pthread_create(&k->thread, NULL, serve, k) != 0)
		return -EAGAIN;
	k->serving = true;
	return 0;
}

static bool
ask_one(const struct kernel_tcp *k, uint32_t nb_transactions)
{
	char byte = 'x';

	for (uint32_t i = 0; i < nb_transactions; i++) {
		if (send(k->client[0], &byte, 1, 0) != 1 || recv(k->client[0], &byte, 1, 0) != 1)
			return false;
	}
	return true;
}

/* One request out on each connection, until so many have been made. */
static bool
ask_many(const struct kernel_tcp *k, uint32_t nb_transactions)
{
	struct epoll_event ev[EVENTS];
	uint32_t asked, done = 0;
	char byte = 'x';

	for (asked = 0; asked < k->nb; asked++) {
		if (send(k->client[asked], &byte, 1, 0) != 1)
			return false;
	}
	while (done < nb_transactions) {
		int n = epoll_wait(k->epoll, ev, EVENTS, -1);

		for (int i = 0; i < n; i++, done++) {
			int fd = k->client[ev[i].data.u32];

			if (recv(fd, &byte, 1, 0) != 1)
				return false;
			if (asked < nb_transactions && send(fd, &byte, 1, 0) != 1)
				return false;
			asked += asked < nb_transactions;
		}
	}
	return true;
}

double
kernel_tcp_rr_threads(struct kernel_tcp *k, uint32_t nb_transactions)
{
	uint32_t nb = RTE_MAX(nb_transactions, k->nb);
	uint64_t start;
	bool ok;

	if (start_serving(k) != 0)
		return NAN;
	start = bench_tsc_start();
	ok = k->nb == 1 ? ask_one(k, nb) : ask_many(k, nb);
	return ok ? (double)(bench_tsc_stop() - start) / nb : NAN;
}

/* ---- one thread again ------------------------------------------------------------------ */

static bool
crr_one(const struct kernel_tcp *k)
{
	int client = client_socket(k), server = client >= 0 ? accept(k->listener, NULL, NULL) : -1;
	char byte = 'x';
	bool ok;

	ok = server >= 0 && send(client, &byte, 1, 0) == 1 && recv(server, &byte, 1, 0) == 1 &&
	     send(server, &byte, 1, 0) == 1 && recv(client, &byte, 1, 0) == 1;
	if (server >= 0)
		close(server);
	ok = ok && recv(client, &byte, 1, 0) == 0;
	if (client >= 0)
		close(client);
	return ok;
}

double
kernel_tcp_crr(struct kernel_tcp *k, uint32_t nb_transactions)
{
	uint64_t start = bench_tsc_start();

	for (uint32_t i = 0; i < nb_transactions; i++) {
		if (!crr_one(k))
			return NAN;
	}
	return (double)(bench_tsc_stop() - start) / nb_transactions;
}

/* Fill the connection until it takes no more, then empty it. */
double
kernel_tcp_stream(struct kernel_tcp *k, uint64_t nb_bytes)
{
	uint64_t start = bench_tsc_start(), got = 0;
	ssize_t n;

	while (got < nb_bytes) {
		while (send(k->client[0], k->buf, CHUNK, MSG_DONTWAIT) == CHUNK)
			;
		n = recv(k->server[0], k->buf, CHUNK, 0);
		if (n <= 0)
			return NAN;
		got += n;
		while ((n = recv(k->server[0], k->buf, CHUNK, MSG_DONTWAIT)) > 0)
			got += n;
	}
	return (double)(bench_tsc_stop() - start) * 1e9 / rte_get_tsc_hz() / got;
}
