/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* The calls of sockets, over the engine's user calls. */

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <string.h>

#include "../unit/tcp_frame.h"
#include "pd.h"

#define PORT_LOW 32768
#define PORT_HIGH 60999

struct pd_socket *
pd_find(struct pd_stack *s, int fd)
{
	struct pd_socket *so = fd >= PD_FIRST_FD && fd < PD_FIRST_FD + PD_SOCKETS
	                                       ? &s->socket[fd - PD_FIRST_FD]
	                                       : NULL;

	if (so == NULL || !so->open) {
		errno = EBADF;
		return NULL;
	}
	stack_move(s, so);
	return so;
}

static int
fd_of(const struct pd_stack *s, const struct pd_socket *so)
{
	return so - s->socket + PD_FIRST_FD;
}

static int
fails(int error)
{
	errno = error;
	return -1;
}

/* ---- addresses ---------------------------------------------------------------------------- */

static int
read_addr(const struct sockaddr *sa, socklen_t len, uint8_t addr[16], rte_be16_t *port)
{
	static const uint8_t mapped[16] = { [10] = 0xff, [11] = 0xff };
	const struct sockaddr_in6 *in6 = (const void *)sa;
	const struct sockaddr_in *in = (const void *)sa;

	if (sa != NULL && sa->sa_family == AF_INET && len >= sizeof(*in)) {
		memcpy(addr, mapped, 16);
		memcpy(addr + 12, &in->sin_addr, 4);
		*port = in->sin_port;
	} else if (sa != NULL && sa->sa_family == AF_INET6 && len >= sizeof(*in6)) {
		memcpy(addr, &in6->sin6_addr, 16);
		*port = in6->sin6_port;
	} else {
		return fails(EINVAL);
	}
	return 0;
}

static void
write_addr(const struct pd_socket *so, struct sockaddr *sa, socklen_t *len)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = so->key.rport };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = so->key.rport };
	socklen_t room;

	if (sa == NULL || len == NULL)
		return;
	room = *len;
	memcpy(&in.sin_addr, so->key.raddr + 12, 4);
	memcpy(&in6.sin6_addr, so->key.raddr, 16);
	if (so->family == AF_INET) {
		memcpy(sa, &in, RTE_MIN(room, (socklen_t)sizeof(in)));
		*len = sizeof(in);
	} else {
		memcpy(sa, &in6, RTE_MIN(room, (socklen_t)sizeof(in6)));
		*len = sizeof(in6);
	}
}

/* ---- opening ------------------------------------------------------------------------------- */

static int
pd_socket(void *userdata, int domain, int type, int protocol)
{
	struct pd_stack *s = userdata;
	struct pd_socket *so;

	(void)protocol;
	if (domain != AF_INET && domain != AF_INET6)
		return fails(EAFNOSUPPORT);
	if ((type & 0xf) != SOCK_STREAM)
		return fails(EPROTONOSUPPORT);
	pthread_mutex_lock(&s->lock);
	so = stack_socket(s);
	if (so != NULL) {
		so->family = domain;
		so->nonblock = type & SOCK_NONBLOCK;
	}
	pthread_mutex_unlock(&s->lock);
	return so != NULL ? fd_of(s, so) : fails(EMFILE);
}

static int
pd_bind(void *userdata, int fd, const struct sockaddr *addr, socklen_t len)
{
	struct pd_stack *s = userdata;
	struct pd_socket *so = pd_find(s, fd);

	if (so == NULL || read_addr(addr, len, so->key.laddr, &so->key.lport) < 0)
		return -1;
	so->bound = true;
	return 0;
}

static int
pd_listen(void *userdata, int fd, int backlog)
{
	struct pd_socket *so = pd_find(userdata, fd);

	(void)backlog;
	if (so == NULL)
		return -1;
	if (so->has_conn || !so->bound)
		return fails(EINVAL);
	so->listens = true;
	return 0;
}

static struct pd_socket *
ready(struct pd_stack *s, const struct pd_socket *listener)
{
	for (unsigned int i = 0; i < PD_SOCKETS; i++)
		if (s->socket[i].parent == listener - s->socket + 1 && s->socket[i].connected)
			return &s->socket[i];
	return NULL;
}

static int
pd_accept(void *userdata, int fd, struct sockaddr *addr, socklen_t *len)
{
	struct pd_stack *s = userdata;
	struct pd_socket *listener, *so;
	int rc;

	pthread_mutex_lock(&s->lock);
	listener = pd_find(s, fd);
	if (listener == NULL || !listener->listens) {
		pthread_mutex_unlock(&s->lock);
		return listener == NULL ? -1 : fails(EINVAL);
	}
	while ((so = ready(s, listener)) == NULL && !listener->nonblock && listener->open)
		stack_wait(s);
	if (so != NULL) {
		so->parent = 0;
		so->open = true;
		write_addr(so, addr, len);
	}
	rc = so != NULL ? fd_of(s, so) : fails(EAGAIN);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

/* Where we are when nobody said: packetdrill binds, or answers on any address. */
static void
choose_local(struct pd_stack *s, struct pd_socket *so)
{
	static const uint8_t v4[16] = {
		[10] = 0xff, [11] = 0xff, [12] = 192, [13] = 168, [15] = 1
	};
	static const uint8_t v6[16] = { 0xfd, 0x3d, 0xfa, 0x7b, 0xd1, 0x7d, [15] = 1 };
	static const uint8_t any[16];

	if (!so->bound || memcmp(so->key.laddr, any, 16) == 0 ||
	                memcmp(so->key.laddr + 12, any, 4) == 0)
		memcpy(so->key.laddr, so->family == AF_INET ? v4 : v6, 16);
	if (so->key.lport == 0)
		so->key.lport = rte_cpu_to_be_16(
		                tp_tcp_port_choose(&s->secret, &so->key, PORT_LOW, PORT_HIGH, 0));
}

/* The outcome of a connection that was asked for, once. */
static int
connect_result(struct pd_socket *so)
{
	int error = so->error;

	if (so->connected)
		return 0;
	so->error = 0;
	return fails(error != 0 ? error : ECONNABORTED);
}

static int
pd_connect(void *userdata, int fd, const struct sockaddr *addr, socklen_t len)
{
	struct pd_stack *s = userdata;
	struct pd_socket *so;
	int rc;

	pthread_mutex_lock(&s->lock);
	so = pd_find(s, fd);
	if (so == NULL) {
		rc = -1;
	} else if (so->has_conn) {
		rc = fails(so->connected ? EISCONN : EALREADY);
	} else if (so->closed || so->connected) {
		rc = connect_result(so);
	} else if (read_addr(addr, len, so->key.raddr, &so->key.rport) < 0) {
		rc = -1;
	} else {
		choose_local(s, so);
		stack_connect(s, so);
		while (!so->nonblock && so->has_conn && !so->connected)
			stack_wait(s);
		rc = so->nonblock && so->has_conn ? fails(EINPROGRESS) : connect_result(so);
	}
	pthread_mutex_unlock(&s->lock);
	return rc;
}

/* ---- reading --------------------------------------------------------------------------------- */

static uint32_t
copy_out(struct pd_socket *so, uint8_t *buf, uint32_t len, bool peek)
{
	uint32_t done = 0, off = so->rx_off;
	struct rte_mbuf *m = so->rx;

	while (m != NULL && done < len) {
		uint32_t n = RTE_MIN(len - done, m->data_len - off);

		memcpy(buf + done, rte_pktmbuf_mtod_offset(m, uint8_t *, off), n);
		done += n;
		off += n;
		if (off < m->data_len)
			break;
		m = m->next;
		off = 0;
	}
	if (peek)
		return done;
	while (so->rx != m) {
		struct rte_mbuf *next = so->rx->next;

		rte_pktmbuf_free_seg(so->rx);
		so->rx = next;
	}
	so->rx_off = off;
	return done;
}

static ssize_t
receive(struct pd_stack *s, struct pd_socket *so, void *buf, size_t len, int flags)
{
	uint32_t n;

	while (so->rx == NULL && !so->eof && so->has_conn && !so->nonblock &&
	                !(flags & MSG_DONTWAIT))
		stack_wait(s);
	if (so->rx == NULL && so->error != 0) {
		n = so->error;
		so->error = 0;
		return fails(n);
	}
	if (so->rx == NULL && (so->eof || so->closed))
		return 0;
	if (so->rx == NULL)
		return fails(so->has_conn ? EAGAIN : ENOTCONN);
	n = copy_out(so, buf, len, flags & MSG_PEEK);
	if (so->has_conn && !(flags & MSG_PEEK)) {
		tp_tcp_consumed(pd_env(s, so), so->c, n, s->now);
		stack_settle(s, so);
	}
	return n;
}

static ssize_t
pd_recvfrom(void *userdata, int fd, void *buf, size_t len, int flags, struct sockaddr *addr,
                socklen_t *addr_len)
{
	struct pd_stack *s = userdata;
	struct pd_socket *so;
	ssize_t rc = -1;

	pthread_mutex_lock(&s->lock);
	so = pd_find(s, fd);
	if (so != NULL) {
		write_addr(so, addr, addr_len);
		rc = receive(s, so, buf, len, flags);
	}
	pthread_mutex_unlock(&s->lock);
	return rc;
}

static ssize_t
pd_recv(void *userdata, int fd, void *buf, size_t len, int flags)
{
	return pd_recvfrom(userdata, fd, buf, len, flags, NULL, NULL);
}

static ssize_t
pd_read(void *userdata, int fd, void *buf, size_t count)
{
	return pd_recvfrom(userdata, fd, buf, count, 0, NULL, NULL);
}

static ssize_t
pd_recvmsg(void *userdata, int fd, struct msghdr *msg, int flags)
{
	ssize_t total = 0;

	msg->msg_flags = 0;
	msg->msg_controllen = 0;
	for (size_t i = 0; i < msg->msg_iovlen; i++) {
		ssize_t n = pd_recvfrom(userdata, fd, msg->msg_iov[i].iov_base,
		                msg->msg_iov[i].iov_len, flags | (total > 0 ? MSG_DONTWAIT : 0),
		                NULL, NULL);

		if (n < 0)
			return total > 0 ? total : n;
		total += n;
		if ((size_t)n < msg->msg_iov[i].iov_len)
			break;
	}
	return total;
}

static ssize_t
pd_readv(void *userdata, int fd, const struct iovec *iov, int nb)
{
	struct msghdr msg = { .msg_iov = (struct iovec *)iov, .msg_iovlen = nb };

	return pd_recvmsg(userdata, fd, &msg, 0);
}

/* ---- writing ------------------------------------------------------------------------------------ */

static struct rte_mbuf *
copy_in(struct pd_stack *s, const uint8_t *buf, uint32_t len)
{
	struct rte_mbuf *head = NULL, **end = &head;

	for (uint32_t done = 0; done < len;) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(s->env[0].pool);
		uint32_t n = RTE_MIN(len - done, 1448u);

		if (m == NULL) {
			rte_pktmbuf_free(head);
			return NULL;
		}
		memcpy(rte_pktmbuf_append(m, n), buf + done, n);
		*end = m;
		end = &m->next;
		if (m != head) {
			head->nb_segs++;
			head->pkt_len += n;
		}
		done += n;
	}
	return head;
}

/* @return bytes taken now, or -errno */
static ssize_t
offer(struct pd_stack *s, struct pd_socket *so, const uint8_t *buf, uint32_t len, bool push)
{
	uint32_t n = RTE_MIN(len, tp_tcp_send_space(so->c));
	struct rte_mbuf *m = copy_in(s, buf, n > 0 ? n : RTE_MIN(len, 1u));
	int rc = m != NULL ? tp_tcp_send(pd_env(s, so), so->c, m, push, s->now) : -ENOBUFS;

	if (rc < 0)
		rte_pktmbuf_free(m);
	stack_settle(s, so);
	return rc < 0 ? rc : (ssize_t)n;
}

static ssize_t
transmit(struct pd_stack *s, struct pd_socket *so, const uint8_t *buf, size_t len, int flags)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n;

		if (!so->has_conn) {
			int error = so->error != 0 ? so->error : EPIPE;

			so->error = 0;
			return done > 0 ? (ssize_t)done : fails(error);
		}
		n = offer(s, so, buf + done, len - done, !(flags & MSG_MORE));
		if (n >= 0) {
			done += n;
			continue;
		}
		if (n != -ENOBUFS && !(n == -ENOTCONN && !so->connected))
			return done > 0 ? (ssize_t)done : fails(-n);
		if (so->nonblock || (flags & MSG_DONTWAIT))
			return done > 0 ? (ssize_t)done : fails(EAGAIN);
		stack_wait(s);
	}
	return done;
}

static ssize_t
pd_sendto(void *userdata, int fd, const void *buf, size_t len, int flags,
                const struct sockaddr *addr, socklen_t addr_len)
{
	struct pd_stack *s = userdata;
	struct pd_socket *so;
	ssize_t rc = -1;

	(void)addr;
	(void)addr_len;
	pthread_mutex_lock(&s->lock);
	so = pd_find(s, fd);
	if (so != NULL)
		rc = transmit(s, so, buf, len, flags);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

static ssize_t
pd_send(void *userdata, int fd, const void *buf, size_t len, int flags)
{
	return pd_sendto(userdata, fd, buf, len, flags, NULL, 0);
}

static ssize_t
pd_write(void *userdata, int fd, const void *buf, size_t count)
{
	return pd_sendto(userdata, fd, buf, count, 0, NULL, 0);
}

static ssize_t
pd_sendmsg(void *userdata, int fd, const struct msghdr *msg, int flags)
{
	ssize_t total = 0;

	for (size_t i = 0; i < msg->msg_iovlen; i++) {
		bool more = i + 1 < msg->msg_iovlen;
		ssize_t n = pd_sendto(userdata, fd, msg->msg_iov[i].iov_base,
		                msg->msg_iov[i].iov_len, flags | (more ? MSG_MORE : 0), NULL, 0);

		if (n < 0)
			return total > 0 ? total : n;
		total += n;
		if ((size_t)n < msg->msg_iov[i].iov_len)
			break;
	}
	return total;
}

static ssize_t
pd_writev(void *userdata, int fd, const struct iovec *iov, int nb)
{
	struct msghdr msg = { .msg_iov = (struct iovec *)iov, .msg_iovlen = nb };

	return pd_sendmsg(userdata, fd, &msg, 0);
}

/* ---- closing, waiting ----------------------------------------------------------------------------- */

static int
pd_shutdown(void *userdata, int fd, int how)
{
	struct pd_stack *s = userdata;
	struct pd_socket *so;
	int rc = 0;

	pthread_mutex_lock(&s->lock);
	so = pd_find(s, fd);
	if (so == NULL || !so->has_conn) {
		rc = so == NULL ? -1 : fails(ENOTCONN);
	} else if (how != SHUT_RD) {
		tp_tcp_shutdown(pd_env(s, so), so->c, s->now);
		stack_settle(s, so);
	}
	pthread_mutex_unlock(&s->lock);
	return rc;
}

static int
pd_close(void *userdata, int fd)
{
	struct pd_stack *s = userdata;
	struct pd_socket *so;

	pthread_mutex_lock(&s->lock);
	so = pd_find(s, fd);
	if (so != NULL) {
		so->open = so->listens = false;
		/* What was received and is not read: RFC 9293 3.10.4, RFC 2525 2.17. */
		if (so->has_conn && (so->linger_0 || so->rx != NULL))
			tp_tcp_abort(pd_env(s, so), so->c, TP_TCP_R_ABORT, s->now);
		else if (so->has_conn)
			tp_tcp_close(pd_env(s, so), so->c, s->now);
		if (so->has_conn)
			stack_settle(s, so);
		else
			stack_release(s, so);
		stack_changed(s);
	}
	pthread_mutex_unlock(&s->lock);
	return so != NULL ? 0 : -1;
}

static short
poll_one(struct pd_stack *s, const struct pollfd *p)
{
	const struct pd_socket *so = pd_find(s, p->fd);
	short ev = 0;

	if (so == NULL)
		return POLLNVAL;
	if (so->rx != NULL || so->eof || so->closed || (so->listens && ready(s, so) != NULL))
		ev |= POLLIN | POLLRDNORM;
	if (so->connected && (so->closed || (so->has_conn && tp_tcp_send_space(so->c) > 0)))
		ev |= POLLOUT | POLLWRNORM;
	if (so->eof)
		ev |= POLLRDHUP;
	if (so->error != 0)
		ev |= POLLERR;
	return (ev & (p->events | POLLERR)) | (so->closed ? POLLHUP : 0);
}

static int
pd_poll(void *userdata, struct pollfd *fds, nfds_t nb, int timeout_ms)
{
	struct pd_stack *s = userdata;
	uint64_t end;
	int found = 0;

	pthread_mutex_lock(&s->lock);
	end = timeout_ms < 0 ? TP_NEVER : s->now + timeout_ms * TP_NS_PER_MS;
	for (;;) {
		for (nfds_t i = 0; i < nb; i++) {
			fds[i].revents = poll_one(s, &fds[i]);
			found += fds[i].revents != 0;
		}
		if (found > 0 || s->now >= end)
			break;
		stack_wait(s);
	}
	pthread_mutex_unlock(&s->lock);
	return found;
}

static int
pd_fcntl(void *userdata, int fd, int cmd, ...)
{
	struct pd_socket *so = pd_find(userdata, fd);
	va_list args;

	if (so == NULL)
		return -1;
	if (cmd == F_GETFL)
		return O_RDWR | (so->nonblock ? O_NONBLOCK : 0);
	if (cmd != F_SETFL)
		return fails(EINVAL);
	va_start(args, cmd);
	so->nonblock = va_arg(args, int) & O_NONBLOCK;
	va_end(args);
	return 0;
}

void
socket_calls(struct packetdrill_interface *ifc)
{
	ifc->socket = pd_socket;
	ifc->bind = pd_bind;
	ifc->listen = pd_listen;
	ifc->accept = pd_accept;
	ifc->connect = pd_connect;
	ifc->read = pd_read;
	ifc->readv = pd_readv;
	ifc->recv = pd_recv;
	ifc->recvfrom = pd_recvfrom;
	ifc->recvmsg = pd_recvmsg;
	ifc->write = pd_write;
	ifc->writev = pd_writev;
	ifc->send = pd_send;
	ifc->sendto = pd_sendto;
	ifc->sendmsg = pd_sendmsg;
	ifc->fcntl = pd_fcntl;
	ifc->close = pd_close;
	ifc->shutdown = pd_shutdown;
	ifc->poll = pd_poll;
}
