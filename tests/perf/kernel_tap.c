/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include "kernel_tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_ip.h>

#include "tp_core.h"

#define PORT 9
#define CHUNK 16384
/* A call that waits looks now and then whether it is over. */
#define PATIENCE_US 200000

struct end {
	struct kernel_tap *k;
	enum kernel_end which;
	pthread_t thread;
	bool started;
	int fd;
	struct rte_ether_addr mac;
	_Atomic int ready; /* 1, or -errno */
};

struct kernel_tap {
	struct end end[KERNEL_NB_ENDS];
	uint32_t window;
	_Atomic bool stop;
	_Atomic uint64_t received;
	_Atomic uint64_t last; /* ns: data came */
	_Atomic uint64_t gap;
	_Atomic uint64_t
	                until; /* ns: the first gap that ends after it is the last one that counts */
	_Atomic bool over;
};

/* ---- a namespace with a device ------------------------------------------------------ */

static int
configure(int fd, const char *name, const struct end *e)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(RTE_IPV4(10, 9, 0, 1 + e->which)) };
	struct ifreq ifr = { .ifr_flags = 0 };

	memcpy(ifr.ifr_name, name, IFNAMSIZ);
	ifr.ifr_hwaddr.sa_family = ARPHRD_ETHER;
	memcpy(ifr.ifr_hwaddr.sa_data, &e->mac, sizeof(e->mac));
	if (ioctl(fd, SIOCSIFHWADDR, &ifr) != 0)
		return -errno;
	memcpy(&ifr.ifr_addr, &addr, sizeof(addr));
	if (ioctl(fd, SIOCSIFADDR, &ifr) != 0)
		return -errno;
	addr.sin_addr.s_addr = htonl(RTE_IPV4(255, 255, 255, 0));
	memcpy(&ifr.ifr_netmask, &addr, sizeof(addr));
	if (ioctl(fd, SIOCSIFNETMASK, &ifr) != 0)
		return -errno;
	ifr.ifr_flags = IFF_UP | IFF_RUNNING;
	return ioctl(fd, SIOCSIFFLAGS, &ifr) != 0 ? -errno : 0;
}

static int
make_device(struct end *e)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int rc, fd;

	if (unshare(CLONE_NEWNET) != 0)
		return -errno;
	e->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
	strcpy(ifr.ifr_name, "tap0");
	if (e->fd < 0 || ioctl(e->fd, TUNSETIFF, &ifr) != 0)
		return -errno;
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (fd < 0)
		return -errno;
	rc = configure(fd, ifr.ifr_name, e);
	close(fd);
	return rc;
}

/* ---- the transfer --------------------------------------------------------------------- */

static int
patient_socket(void)
{
	struct timeval patience = { .tv_usec = PATIENCE_US };
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	return fd;
}

static struct sockaddr_in
receiver_addr(void)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_port = htons(PORT),
		.sin_addr.s_addr = htonl(RTE_IPV4(10, 9, 0, 1 + KERNEL_RECEIVER)) };
}

static void
note_data(struct kernel_tap *k, uint64_t len)
{
	uint64_t now = tp_clock_now(), gap = now - atomic_exchange(&k->last, now);

	if (!atomic_load(&k->over)) {
		if (gap > atomic_load(&k->gap))
			atomic_store(&k->gap, gap);
		atomic_store(&k->over, now > atomic_load(&k->until));
	}
	atomic_fetch_add(&k->received, len);
}

static void
receive(struct kernel_tap *k, int listener)
{
	int fd = -1;
	char buf[CHUNK];
	ssize_t n;

	while (!atomic_load(&k->stop) && fd < 0)
		fd = accept(listener, NULL, NULL);
	while (fd >= 0 && !atomic_load(&k->stop)) {
		n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n > 0)
			note_data(k, n);
		else
			usleep(20); /* finer than the wake-up of one that waits would be told apart */
	}
	if (fd >= 0)
		close(fd);
}

static void
run_receiver(struct end *e)
{
	struct sockaddr_in addr = receiver_addr();
	int listener = patient_socket(), window = e->k->window / 2; /* the kernel doubles it */

	if (listener < 0 ||
	                setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &window, sizeof(window)) != 0 ||
	                bind(listener, (struct sockaddr *)&addr, sizeof(addr)) != 0 ||
	                listen(listener, 1) != 0) {
		atomic_store(&e->ready, -errno);
	} else {
		atomic_store(&e->ready, 1);
		receive(e->k, listener);
	}
	if (listener >= 0)
		close(listener);
}

static void
run_sender(struct end *e)
{
	struct sockaddr_in addr = receiver_addr();
	char buf[CHUNK] = { 0 };
	int fd = -1;

	atomic_store(&e->ready, 1);
	while (!atomic_load(&e->k->stop) && fd < 0) {
		fd = patient_socket();
		if (fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0) {
			close(fd);
			fd = -1;
		}
	}
	while (fd >= 0 && !atomic_load(&e->k->stop))
		send(fd, buf, sizeof(buf), MSG_NOSIGNAL);
	if (fd >= 0)
		close(fd);
}

static void *
run_end(void *arg)
{
	struct end *e = arg;
	int rc = make_device(e);

	if (rc < 0)
		atomic_store(&e->ready, rc);
	else if (e->which == KERNEL_RECEIVER)
		run_receiver(e);
	else
		run_sender(e);
	return NULL;
}

/* ---- for the caller --------------------------------------------------------------------- */

static int
start_end(struct kernel_tap *k, enum kernel_end which, const cpu_set_t *all)
{
	struct end *e = &k->end[which];
	pthread_attr_t attr;
	int rc;

	e->k = k;
	e->which = which;
	e->mac = (struct rte_ether_addr){ { 2, 0, 0, 0, 9, 1 + which } };
	pthread_attr_init(&attr);
	pthread_attr_setaffinity_np(&attr, sizeof(*all), all);
	rc = -pthread_create(&e->thread, &attr, run_end, e);
	pthread_attr_destroy(&attr);
	if (rc != 0)
		return rc;
	e->started = true;
	while (atomic_load(&e->ready) == 0)
		usleep(100);
	rc = atomic_load(&e->ready);
	return rc < 0 ? rc : 0;
}

struct kernel_tap *
kernel_tap_start(uint32_t window)
{
	struct kernel_tap *k = calloc(1, sizeof(*k));
	cpu_set_t all;
	int rc = 0;

	if (k == NULL)
		return NULL;
	/* Anywhere but where the caller is alone: it polls. */
	CPU_ZERO(&all);
	for (long i = 0; i < sysconf(_SC_NPROCESSORS_CONF); i++)
		CPU_SET(i, &all);
	k->window = window;
	k->over = true;
	k->end[0].fd = k->end[1].fd = -1;
	for (enum kernel_end i = 0; i < KERNEL_NB_ENDS && rc == 0; i++)
		rc = start_end(k, i, &all);
	if (rc == 0)
		return k;
	kernel_tap_stop(k);
	errno = -rc;
	return NULL;
}

int
kernel_tap_fd(const struct kernel_tap *k, enum kernel_end end)
{
	return k->end[end].fd;
}

const struct rte_ether_addr *
kernel_tap_mac(const struct kernel_tap *k, enum kernel_end end)
{
	return &k->end[end].mac;
}

uint64_t
kernel_tap_received(const struct kernel_tap *k)
{
	return atomic_load(&k->received);
}

void
kernel_tap_gap_begin(struct kernel_tap *k)
{
	atomic_store(&k->until, TP_NEVER);
	atomic_store(&k->gap, 0);
	atomic_store(&k->over, false);
}

void
kernel_tap_gap_end(struct kernel_tap *k)
{
	atomic_store(&k->until, tp_clock_now());
}

uint64_t
kernel_tap_gap(const struct kernel_tap *k)
{
	uint64_t now = tp_clock_now(), last = atomic_load(&k->last), gap = atomic_load(&k->gap);

	return !atomic_load(&k->over) && now > last ? RTE_MAX(gap, now - last) : gap;
}

void
kernel_tap_stop(struct kernel_tap *k)
{
	if (k == NULL)
		return;
	atomic_store(&k->stop, true);
	for (enum kernel_end i = 0; i < KERNEL_NB_ENDS; i++) {
		if (k->end[i].started)
			pthread_join(k->end[i].thread, NULL);
		if (k->end[i].fd >= 0)
			close(k->end[i].fd);
	}
	free(k);
}
