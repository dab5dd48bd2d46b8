/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/**
 * @file
 * The TCP engine as a stack that packetdrill can test (--so_filename=).
 *
 *   iface.c   the interface, and what has no place here
 *   stack.c   connections, packets, and the clock
 *   socket.c  socket, connect, accept, read, write, ...
 *   option.c  settings, TCP_INFO
 *
 * The clock is virtual: it moves by usleep(), by a little when asked for the time (packetdrill
 * spins shortly before an event), and to the next timer when somebody waits for a packet. Calls
 * that block come from a second thread; one mutex covers all.
 */
#ifndef PD_H
#define PD_H

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>

#include "tp_tcp.h"

/** What packetdrill calls. Errors are -1 with errno, as of the system calls; it gets `userdata`
 * first in each.
 */
struct packetdrill_interface {
	void *userdata;
	void (*free)(void *userdata);
	int (*socket)(void *userdata, int domain, int type, int protocol);
	int (*bind)(void *userdata, int fd, const struct sockaddr *addr, socklen_t len);
	int (*listen)(void *userdata, int fd, int backlog);
	int (*accept)(void *userdata, int fd, struct sockaddr *addr, socklen_t *len);
	int (*connect)(void *userdata, int fd, const struct sockaddr *addr, socklen_t len);
	ssize_t (*read)(void *userdata, int fd, void *buf, size_t count);
	ssize_t (*readv)(void *userdata, int fd, const struct iovec *iov, int nb);
	ssize_t (*recv)(void *userdata, int fd, void *buf, size_t len, int flags);
	ssize_t (*recvfrom)(void *userdata, int fd, void *buf, size_t len, int flags,
	                struct sockaddr *addr, socklen_t *addr_len);
	ssize_t (*recvmsg)(void *userdata, int fd, struct msghdr *msg, int flags);
	ssize_t (*write)(void *userdata, int fd, const void *buf, size_t count);
	ssize_t (*writev)(void *userdata, int fd, const struct iovec *iov, int nb);
	ssize_t (*send)(void *userdata, int fd, const void *buf, size_t len, int flags);
	ssize_t (*sendto)(void *userdata, int fd, const void *buf, size_t len, int flags,
	                const struct sockaddr *addr, socklen_t addr_len);
	ssize_t (*sendmsg)(void *userdata, int fd, const struct msghdr *msg, int flags);
	int (*fcntl)(void *userdata, int fd, int cmd, ...);
	int (*ioctl)(void *userdata, int fd, unsigned long request, ...);
	int (*close)(void *userdata, int fd);
	int (*shutdown)(void *userdata, int fd, int how);
	int (*getsockopt)(void *userdata, int fd, int level, int name, void *value, socklen_t *len);
	int (*setsockopt)(void *userdata, int fd, int level, int name, const void *value,
	                socklen_t len);
	int (*poll)(void *userdata, struct pollfd *fds, nfds_t nb, int timeout_ms);
	/** A packet (bare IP) for the stack. */
	int (*netdev_send)(void *userdata, const void *buf, size_t count);
	/** The next packet of the stack, and when it left; -1 with *count 0: none yet. */
	int (*netdev_receive)(void *userdata, void *buf, size_t *count, long long *time_usecs);
	int (*usleep)(void *userdata, useconds_t usec);
	int (*gettimeofday)(void *userdata, struct timeval *tv, struct timezone *tz);
	int (*epoll_create)(void *userdata, int size);
	int (*epoll_ctl)(void *userdata, int epfd, int op, int fd, struct epoll_event *event);
	int (*epoll_wait)(void *userdata, int epfd, struct epoll_event *events, int nb,
	                int timeout_ms);
	int (*pipe)(void *userdata, int fds[2]);
	int (*splice)(void *userdata, int fd_in, loff_t *off_in, int fd_out, loff_t *off_out,
	                size_t len, unsigned int flags);
};
static_assert(sizeof(struct packetdrill_interface) == 33 * sizeof(void *), "33 pointers");

/** The one symbol that packetdrill wants.
 * @param flags words "name=value" between commas (stack_flag()), or NULL; with "move" connections go
 *   to another owner and other memory before each call, packet and timer
 */
void packetdrill_interface_init(const char *flags, struct packetdrill_interface *ifc);
/** How often they did. */
extern unsigned int packetdrill_nb_moves;

#define PD_SOCKETS 16
#define PD_FIRST_FD 1000
#define PD_QUEUE 1024
#define PD_PACKET_MAX 65536

/** A packet that left. */
struct pd_packet {
	long long time_us;
	uint32_t len;
	uint8_t bytes[]; /* IP */
};

struct pd_socket {
	bool used; /* somebody has its descriptor, or the connection lives on */
	bool open; /* somebody has its descriptor */
	bool listens, connected, accepted, nonblock, eof, closed, linger_0;
	int family;
	int error;  /* SO_ERROR */
	int parent; /* listener's index + 1 until it is accepted */
	uint8_t reason;
	bool has_conn;
	struct tp_tcp_key key; /* laddr and lport after bind() */
	bool bound;
	struct tp_tcp_conn slot[2], *c;
	unsigned int owner;  /* whose connection it is */
	struct rte_mbuf *rx; /* taken, not yet read */
	uint32_t rx_off;
	struct tp_tcp_info last; /* before it ended */
};

struct pd_stack {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned int nb_waiting; /* threads in pd_wait() */
	uint64_t now;            /* ns */
	struct tp_tcp_conf conf;
	struct tp_tcp_secret secret;
	struct tp_tcp_env env[2]; /* two owners */
	bool move;
	struct pd_socket socket[PD_SOCKETS];
	struct pd_packet *queue[PD_QUEUE];
	unsigned int queue_head, queue_tail;
};

static inline struct tp_tcp_env *
pd_env(struct pd_stack *s, const struct pd_socket *so)
{
	return &s->env[so->owner];
}

/* ---- stack.c: all but the first two with the lock held ------------------------------ */

struct pd_stack *stack_new(const char *flags);
void stack_free(struct pd_stack *s);
/* If that was asked for: its connection goes to the other owner. */
void stack_move(struct pd_stack *s, struct pd_socket *so);
/* After each call of the engine: send, note events, wake who waits. */
void stack_settle(struct pd_stack *s, struct pd_socket *so);
/* Time passes, timers run. */
void stack_run_to(struct pd_stack *s, uint64_t now);
/* @return the next deadline, TP_NEVER */
uint64_t stack_next(const struct pd_stack *s);
/* A packet comes in. @return 0 or -EINVAL */
int stack_input(struct pd_stack *s, const uint8_t *packet, uint32_t len);
/* Begin a connection: key is set. */
void stack_connect(struct pd_stack *s, struct pd_socket *so);
/* @return a free socket, NULL */
struct pd_socket *stack_socket(struct pd_stack *s);
void stack_release(struct pd_stack *s, struct pd_socket *so);
/* Wait for a change; lock given up meanwhile. */
void stack_wait(struct pd_stack *s);
void stack_changed(struct pd_stack *s);

/* ---- socket.c, option.c -------------------------------------------------------------- */

/* @return the socket of a descriptor, NULL with errno */
struct pd_socket *pd_find(struct pd_stack *s, int fd);
void socket_calls(struct packetdrill_interface *ifc);
void option_calls(struct packetdrill_interface *ifc);

#endif /* PD_H */
