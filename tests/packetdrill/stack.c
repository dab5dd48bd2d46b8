/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Connections, packets, and the clock. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>

#include "../common/eal_dir.h"
#include "../unit/tcp_frame.h"
#include "pd.h"

#define START_NS (1000000000 * TP_NS_PER_S) /* September 2001: as good a day as any */

static struct rte_mempool *pool, *pool_indirect, *recs;

/* Once in a process: EAL cannot be started twice. */
static void
start_eal(void)
{
	static char prefix[32];
	char *argv[] = { (char *)(uintptr_t) "packetdrill", (char *)(uintptr_t) "--no-huge",
		(char *)(uintptr_t) "--no-shconf", (char *)(uintptr_t) "--no-pci",
		(char *)(uintptr_t) "--no-telemetry", (char *)(uintptr_t) "-m",
		(char *)(uintptr_t) "128", (char *)(uintptr_t) "--log-level=lib.eal:4",
		(char *)(uintptr_t) "--file-prefix", prefix, (char *)(uintptr_t) "--lcores",
		(char *)(uintptr_t) "0@0" };

	if (pool != NULL)
		return;
	eal_dir_own(prefix, sizeof(prefix), "tp-pd");
	if (rte_eal_init(RTE_DIM(argv), argv) < 0) {
		fprintf(stderr, "EAL does not start: %s\n", rte_strerror(rte_errno));
		exit(1);
	}
	pool = rte_pktmbuf_pool_create("pd", 8191, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	pool_indirect = rte_pktmbuf_pool_create("pdi", 4095, 0, 0, 0, SOCKET_ID_ANY);
	recs = tp_tcp_rec_pool_create("pdr", 4095, 0, SOCKET_ID_ANY);
	if (pool == NULL || pool_indirect == NULL || recs == NULL) {
		fprintf(stderr, "no memory for pools\n");
		exit(1);
	}
}

static void
stack_flag(struct pd_stack *s, const char *name, const char *value)
{
	struct tp_tcp_conf *conf = &s->conf;
	long n = strtol(value, NULL, 0);

	if (strcmp(name, "cc") == 0)
		conf->cc = strcmp(value, "cubic") == 0 ? TP_TCP_CC_CUBIC : TP_TCP_CC_NEWRENO;
	else if (strcmp(name, "timestamps") == 0)
		conf->timestamps = n;
	else if (strcmp(name, "sack") == 0)
		conf->sack = n;
	else if (strcmp(name, "wscale") == 0)
		conf->window_scale = n;
	else if (strcmp(name, "ecn") == 0)
		conf->ecn = n;
	else if (strcmp(name, "mtu") == 0)
		conf->mtu = n;
	else if (strcmp(name, "probing") == 0)
		conf->mtu_probing = n;
	else if (strcmp(name, "rcvbuf") == 0)
		conf->rcv_buf = n;
	else if (strcmp(name, "sndbuf") == 0)
		conf->snd_buf = n;
	else if (strcmp(name, "move") == 0)
		s->move = n;
	else
		fprintf(stderr, "--so_flags: nothing is called %s\n", name);
}

static void
stack_flags(struct pd_stack *s, const char *flags)
{
	char *words = strdup(flags != NULL ? flags : ""), *rest = words, *word;
	const char *what;

	while ((word = strsep(&rest, ",")) != NULL) {
		char *value = strchr(word, '=');

		if (value == NULL && *word == '\0')
			continue;
		if (value != NULL)
			*value++ = '\0';
		stack_flag(s, word, value != NULL ? value : "1");
	}
	free(words);
	if (tp_tcp_conf_check(&s->conf, &what) < 0) {
		fprintf(stderr, "--so_flags: %s is out of range\n", what);
		exit(1);
	}
}

struct pd_stack *
stack_new(const char *flags)
{
	struct pd_stack *s = aligned_alloc(
	                RTE_CACHE_LINE_SIZE, RTE_ALIGN(sizeof(*s), RTE_CACHE_LINE_SIZE));

	start_eal();
	if (s == NULL)
		exit(1);
	memset(s, 0, sizeof(*s));
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	s->now = START_NS;
	tp_tcp_conf_default(&s->conf);
	stack_flags(s, flags);
	for (size_t i = 0; i < sizeof(s->secret) / sizeof(uint64_t); i++)
		((uint64_t *)&s->secret)[i] = i * UINT64_C(0x9e3779b97f4a7c15);
	s->env[0] = (struct tp_tcp_env){ .conf = &s->conf,
		.secret = &s->secret,
		.pool = pool,
		.pool_indirect = pool_indirect,
		.recs = recs };
	s->env[1] = s->env[0];
	return s;
}

void
stack_free(struct pd_stack *s)
{
	for (unsigned int i = 0; i < PD_SOCKETS; i++)
		if (s->socket[i].used)
			stack_release(s, &s->socket[i]);
	while (s->queue_head != s->queue_tail)
		free(s->queue[s->queue_head++ % PD_QUEUE]);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

struct pd_socket *
stack_socket(struct pd_stack *s)
{
	for (unsigned int i = 0; i < PD_SOCKETS; i++)
		if (!s->socket[i].used) {
			memset(&s->socket[i], 0, sizeof(s->socket[i]));
			s->socket[i].used = s->socket[i].open = true;
			s->socket[i].c = &s->socket[i].slot[0];
			return &s->socket[i];
		}
	return NULL;
}

void
stack_release(struct pd_stack *s, struct pd_socket *so)
{
	if (so->has_conn)
		tp_tcp_fini(pd_env(s, so), so->c);
	rte_pktmbuf_free(so->rx);
	memset(so, 0, sizeof(*so));
}

unsigned int packetdrill_nb_moves;

void
stack_move(struct pd_stack *s, struct pd_socket *so)
{
	struct tp_tcp_conn *from = so->c;

	if (!s->move || !so->has_conn)
		return;
	tp_tcp_export(pd_env(s, so), from);
	so->c = &so->slot[from == &so->slot[0]];
	so->owner = !so->owner;
	tp_tcp_adopt(pd_env(s, so), so->c, from, s->now);
	memset(from, 0xa5, sizeof(*from));
	packetdrill_nb_moves++;
}

/* ---- waiting --------------------------------------------------------------------------- */

void
stack_wait(struct pd_stack *s)
{
	s->nb_waiting++;
	pthread_cond_wait(&s->changed, &s->lock);
	s->nb_waiting--;
}

void
stack_changed(struct pd_stack *s)
{
	pthread_cond_broadcast(&s->changed);
}

/* ---- out ---------------------------------------------------------------------------------- */

static void
emit(struct pd_stack *s, const struct tp_tcp_key *key, struct rte_mbuf *m)
{
	static uint8_t frame[PD_PACKET_MAX];
	uint32_t len = tcp_frame_copy(m, key, frame, sizeof(frame));
	struct pd_packet *p;

	rte_pktmbuf_free(m);
	if (len == 0 || s->queue_tail - s->queue_head == PD_QUEUE)
		return;
	len -= RTE_ETHER_HDR_LEN;
	p = malloc(sizeof(*p) + len);
	if (p == NULL)
		exit(1);
	p->time_us = s->now / TP_NS_PER_US;
	p->len = len;
	memcpy(p->bytes, frame + RTE_ETHER_HDR_LEN, len);
	s->queue[s->queue_tail++ % PD_QUEUE] = p;
}

static int
reason_errno(uint8_t reason)
{
	switch (reason) {
	case TP_TCP_R_RESET:
		return ECONNRESET;
	case TP_TCP_R_REFUSED:
		return ECONNREFUSED;
	case TP_TCP_R_TIMEOUT:
	case TP_TCP_R_KEEPALIVE:
		return ETIMEDOUT;
	case TP_TCP_R_UNREACHABLE:
		return EHOSTUNREACH;
	default:
		return 0;
	}
}

/* Its connection is no more; its data may still be read. */
static void
ended(struct pd_stack *s, struct pd_socket *so)
{
	so->closed = true;
	so->reason = so->c->reason;
	so->error = reason_errno(so->reason);
	tp_tcp_fini(pd_env(s, so), so->c);
	so->has_conn = false;
	if (!so->open)
		stack_release(s, so);
}

static void
take(struct pd_socket *so)
{
	struct rte_mbuf *m = tp_tcp_recv(so->c), **end = &so->rx;

	while (*end != NULL)
		end = &(*end)->next;
	*end = m;
}

void
stack_settle(struct pd_stack *s, struct pd_socket *so)
{
	struct rte_mbuf *pkts[8];
	uint8_t ev;
	uint16_t n;

	if (!so->has_conn)
		return;
	do {
		n = tp_tcp_output(pd_env(s, so), so->c, s->now, pkts, RTE_DIM(pkts));
		for (uint16_t i = 0; i < n; i++)
			emit(s, &so->key, pkts[i]);
	} while (n == RTE_DIM(pkts));
	tp_tcp_info(so->c, s->now, &so->last);
	ev = tp_tcp_events(so->c);
	if (ev & TP_TCP_EV_ESTABLISHED)
		so->connected = true;
	if (ev & TP_TCP_EV_EOF)
		so->eof = true;
	take(so);
	if (ev & TP_TCP_EV_CLOSED)
		ended(s, so);
	if (ev != 0)
		stack_changed(s);
}

void
stack_connect(struct pd_stack *s, struct pd_socket *so)
{
	tp_tcp_conn_init(pd_env(s, so), so->c, &so->key, s->now);
	so->has_conn = true;
	tp_tcp_connect(pd_env(s, so), so->c, s->now);
	stack_settle(s, so);
}

/* ---- time ------------------------------------------------------------------------------------ */

uint64_t
stack_next(const struct pd_stack *s)
{
	uint64_t next = TP_NEVER;

	for (unsigned int i = 0; i < PD_SOCKETS; i++)
		if (s->socket[i].has_conn)
			next = RTE_MIN(next, tp_tcp_next(s->socket[i].c));
	return next;
}

void
stack_run_to(struct pd_stack *s, uint64_t now)
{
	uint64_t next;

	while ((next = stack_next(s)) <= now) {
		s->now = RTE_MAX(s->now, next);
		for (unsigned int i = 0; i < PD_SOCKETS; i++) {
			struct pd_socket *so = &s->socket[i];

			if (!so->has_conn || tp_tcp_next(so->c) > s->now)
				continue;
			stack_move(s, so);
			tp_tcp_timer(pd_env(s, so), so->c, s->now);
			stack_settle(s, so);
		}
	}
	s->now = RTE_MAX(s->now, now);
	stack_changed(s);
}

/* ---- in ---------------------------------------------------------------------------------------- */

static struct pd_socket *
find_conn(struct pd_stack *s, const struct tp_tcp_key *key)
{
	for (unsigned int i = 0; i < PD_SOCKETS; i++)
		if (s->socket[i].has_conn && memcmp(&s->socket[i].key, key, sizeof(*key)) == 0) {
			stack_move(s, &s->socket[i]);
			return &s->socket[i];
		}
	return NULL;
}

static struct pd_socket *
find_listener(struct pd_stack *s, const struct tp_tcp_key *key)
{
	for (unsigned int i = 0; i < PD_SOCKETS; i++)
		if (s->socket[i].listens && s->socket[i].key.lport == key->lport)
			return &s->socket[i];
	return NULL;
}

static void
passive(struct pd_stack *s, struct pd_socket *listener, const struct tp_tcp_key *key,
                struct tp_tcp_seg *syn)
{
	struct pd_socket *so = stack_socket(s);

	if (so == NULL) {
		rte_pktmbuf_free(syn->data);
		return;
	}
	so->open = false;
	so->family = listener->family;
	so->parent = listener - s->socket + 1;
	so->key = *key;
	so->has_conn = true;
	tp_tcp_conn_init(pd_env(s, so), so->c, key, s->now);
	tp_tcp_accept(pd_env(s, so), so->c, syn, s->now);
	stack_settle(s, so);
}

static void
segment(struct pd_stack *s, const struct tp_tcp_key *key, struct tp_tcp_seg *seg)
{
	struct pd_socket *so = find_conn(s, key), *listener = find_listener(s, key);
	struct rte_mbuf *rst;

	if (so != NULL && listener != NULL && tp_tcp_may_reopen(so->c, seg)) {
		ended(s, so);
		so = NULL;
	}
	if (so != NULL) {
		tp_tcp_input(pd_env(s, so), so->c, seg, s->now);
		stack_settle(s, so);
	} else if (listener != NULL &&
	                (seg->flags & (TP_TCP_SYN | TP_TCP_ACK | TP_TCP_RST)) == TP_TCP_SYN) {
		passive(s, listener, key, seg);
	} else {
		rst = tp_tcp_refuse(&s->env[0], key, seg);
		if (rst != NULL)
			emit(s, key, rst);
		rte_pktmbuf_free(seg->data);
	}
}

/* The key of a packet that came, as its receiver sees it. */
static void
packet_key(const uint8_t *ip, const uint8_t *ports, struct tp_tcp_key *key)
{
	memset(key, 0, sizeof(*key));
	if (ip[0] >> 4 == 4) {
		key->laddr[10] = key->laddr[11] = key->raddr[10] = key->raddr[11] = 0xff;
		memcpy(key->raddr + 12, ip + 12, 4);
		memcpy(key->laddr + 12, ip + 16, 4);
	} else {
		memcpy(key->raddr, ip + 8, 16);
		memcpy(key->laddr, ip + 24, 16);
	}
	memcpy(&key->rport, ports, 2);
	memcpy(&key->lport, ports + 2, 2);
}

/* RFC 1191, RFC 4443: what kind of error, and the MTU that it names. @return 0 or -1: none */
static int
icmp_kind(bool v4, const uint8_t *icmp, enum tp_tcp_icmp *kind, uint16_t *mtu)
{
	*mtu = icmp[6] << 8 | icmp[7];
	*kind = TP_TCP_ICMP_SOFT;
	if (v4 && icmp[0] == 3)
		*kind = icmp[1] == 4                   ? TP_TCP_ICMP_MTU
		        : icmp[1] == 2 || icmp[1] == 3 ? TP_TCP_ICMP_HARD
		                                       : TP_TCP_ICMP_SOFT;
	else if (!v4 && icmp[0] == 2)
		*kind = TP_TCP_ICMP_MTU;
	else if (!v4 && icmp[0] == 1)
		*kind = icmp[1] == 4 ? TP_TCP_ICMP_HARD : TP_TCP_ICMP_SOFT;
	else if (!(v4 ? icmp[0] == 11 : icmp[0] == 3))
		return -1;
	return 0;
}

static int
input_icmp(struct pd_stack *s, bool v4, const uint8_t *icmp, uint32_t len)
{
	const uint8_t *quoted = icmp + 8;
	uint32_t ip_len = v4 ? 20 : 40;
	struct tp_tcp_key theirs, key;
	enum tp_tcp_icmp kind;
	struct pd_socket *so;
	rte_be32_t seq;
	uint16_t mtu;

	if (len < 8 + ip_len + 8 || icmp_kind(v4, icmp, &kind, &mtu) < 0)
		return -EINVAL;
	packet_key(quoted, quoted + ip_len, &theirs);
	key = tcp_frame_flip(&theirs);
	memcpy(&seq, quoted + ip_len + 4, 4);
	so = find_conn(s, &key);
	if (so == NULL)
		return -EINVAL;
	tp_tcp_icmp(pd_env(s, so), so->c, kind, rte_be_to_cpu_32(seq), mtu, s->now);
	stack_settle(s, so);
	return 0;
}

static int
input_tcp(struct pd_stack *s, struct rte_mbuf *m, const struct tp_pkt_info *info,
                const uint8_t *packet)
{
	struct tp_tcp_seg seg = { .seq = 0 };
	struct tp_tcp_key key;

	packet_key(packet, packet + info->l4_off - RTE_ETHER_HDR_LEN, &key);
	if (tp_tcp_parse(m, info, &seg) < 0) {
		rte_pktmbuf_free(m);
		return -EINVAL;
	}
	segment(s, &key, &seg);
	return 0;
}

int
stack_input(struct pd_stack *s, const uint8_t *packet, uint32_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	bool v4 = len > 0 && packet[0] >> 4 == 4;
	struct tp_pkt_info info;
	uint8_t *room;
	int rc = -EINVAL;

	room = m != NULL ? (uint8_t *)rte_pktmbuf_append(m, len + RTE_ETHER_HDR_LEN) : NULL;
	if (room == NULL) {
		rte_pktmbuf_free(m);
		return -EINVAL;
	}
	memset(room, 2, 12);
	room[12] = v4 ? 0x08 : 0x86;
	room[13] = v4 ? 0x00 : 0xdd;
	memcpy(room + RTE_ETHER_HDR_LEN, packet, len);
	tp_pkt_parse(m, &info);
	if ((info.flags & TP_PKT_F_L4) && info.l4_proto == IPPROTO_TCP)
		return input_tcp(s, m, &info, packet);
	if ((info.flags & TP_PKT_F_L4) && info.l4_proto == (v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
		rc = input_icmp(s, v4, packet + info.l4_off - RTE_ETHER_HDR_LEN,
		                len + RTE_ETHER_HDR_LEN - info.l4_off);
	rte_pktmbuf_free(m);
	return rc;
}
