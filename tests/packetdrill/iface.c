/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* The interface: packets, time, and what has no place here. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pd.h"

/* Real time that a second thread gets to act before the virtual clock jumps. */
#define BREATH_US 200

static void
pd_free(void *userdata)
{
	stack_free(userdata);
}

static int
pd_netdev_send(void *userdata, const void *buf, size_t count)
{
	struct pd_stack *s = userdata;
	unsigned int waiting;

	pthread_mutex_lock(&s->lock);
	/* What is malformed is dropped, like on a wire. */
	if (count <= PD_PACKET_MAX)
		stack_input(s, buf, count);
	waiting = s->nb_waiting;
	pthread_mutex_unlock(&s->lock);
	if (waiting > 0)
		usleep(BREATH_US);
	return 0;
}

static int
pd_netdev_receive(void *userdata, void *buf, size_t *count, long long *time_usecs)
{
	struct pd_stack *s = userdata;
	struct pd_packet *p = NULL;

	pthread_mutex_lock(&s->lock);
	if (s->queue_head == s->queue_tail) {
		uint64_t next;

		pthread_mutex_unlock(&s->lock);
		usleep(BREATH_US);
		pthread_mutex_lock(&s->lock);
		next = stack_next(s);
		if (s->queue_head == s->queue_tail)
			stack_run_to(s, next != TP_NEVER ? RTE_MAX(next, s->now)
			                                 : s->now + TP_NS_PER_MS);
	}
	if (s->queue_head != s->queue_tail)
		p = s->queue[s->queue_head++ % PD_QUEUE];
	pthread_mutex_unlock(&s->lock);
	if (p == NULL) {
		*count = 0;
		return -1;
	}
	*count = RTE_MIN(*count, (size_t)p->len);
	memcpy(buf, p->bytes, *count);
	*time_usecs = p->time_us;
	free(p);
	return 0;
}

static int
pd_usleep(void *userdata, useconds_t usec)
{
	struct pd_stack *s = userdata;

	usleep(BREATH_US);
	pthread_mutex_lock(&s->lock);
	stack_run_to(s, s->now + usec * TP_NS_PER_US);
	pthread_mutex_unlock(&s->lock);
	usleep(BREATH_US);
	return 0;
}

static int
pd_gettimeofday(void *userdata, struct timeval *tv, struct timezone *tz)
{
	struct pd_stack *s = userdata;
	uint64_t us;

	(void)tz;
	pthread_mutex_lock(&s->lock);
	stack_run_to(s, s->now + TP_NS_PER_US);
	us = s->now / TP_NS_PER_US;
	pthread_mutex_unlock(&s->lock);
	tv->tv_sec = us / 1000000;
	tv->tv_usec = us % 1000000;
	return 0;
}

/* ---- not here ----------------------------------------------------------------------------- */

static int
nothing(void)
{
	errno = ENOSYS;
	return -1;
}

static int
pd_epoll_create(void *userdata, int size)
{
	(void)userdata;
	(void)size;
	return nothing();
}

static int
pd_epoll_ctl(void *userdata, int epfd, int op, int fd, struct epoll_event *event)
{
	(void)userdata;
	(void)epfd;
	(void)op;
	(void)fd;
	(void)event;
	return nothing();
}

static int
pd_epoll_wait(void *userdata, int epfd, struct epoll_event *events, int nb, int timeout_ms)
{
	(void)userdata;
	(void)epfd;
	(void)events;
	(void)nb;
	(void)timeout_ms;
	return nothing();
}

static int
pd_pipe(void *userdata, int fds[2])
{
	(void)userdata;
	(void)fds;
	return nothing();
}

static int
pd_splice(void *userdata, int fd_in, loff_t *off_in, int fd_out, loff_t *off_out, size_t len,
                unsigned int flags)
{
	(void)userdata;
	(void)fd_in;
	(void)off_in;
	(void)fd_out;
	(void)off_out;
	(void)len;
	(void)flags;
	return nothing();
}

void
packetdrill_interface_init(const char *flags, struct packetdrill_interface *ifc)
{
	*ifc = (struct packetdrill_interface){
		.userdata = stack_new(flags),
		.free = pd_free,
		.netdev_send = pd_netdev_send,
		.netdev_receive = pd_netdev_receive,
		.usleep = pd_usleep,
		.gettimeofday = pd_gettimeofday,
		.epoll_create = pd_epoll_create,
		.epoll_ctl = pd_epoll_ctl,
		.epoll_wait = pd_epoll_wait,
		.pipe = pd_pipe,
		.splice = pd_splice,
	};
	socket_calls(ifc);
	option_calls(ifc);
}
