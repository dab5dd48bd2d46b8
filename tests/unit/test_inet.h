/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/**
 * @file
 * A team with 10.0.0.1/24 and 2001:db8::1/64, a neighbour or two on its link, and a clock that the
 * test moves.
 */
#ifndef TEST_INET_H
#define TEST_INET_H

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include <rte_arp.h>
#include <rte_errno.h>

#include "test_eal.h"
#include "test_frames.h"
#include "tp_inet.h"

#define SEC TP_NS_PER_S
#define MS TP_NS_PER_MS
/* Mapped. */
#define A4(a, b, c, d)                                                                             \
	((const uint8_t[16]){ [10] = 0xff, [11] = 0xff, [12] = a, [13] = b, [14] = c, [15] = d })
/* 2001:db8::x */
#define A6(x) ((const uint8_t[16]){ 0x20, 0x01, 0x0d, 0xb8, [15] = x })
#define OURS4 A4(10, 0, 0, 1)
#define OURS6 A6(1)
#define MEMBER 3

static const struct rte_ether_addr our_mac = { { 2, 0, 0, 0, 0, 1 } };
static const struct rte_ether_addr mac_2 = { { 2, 0, 0, 0, 0, 2 } };
static const struct rte_ether_addr mac_3 = { { 2, 0, 0, 0, 0, 3 } };
static const struct rte_ether_addr bcast = { { 255, 255, 255, 255, 255, 255 } };

static struct tp_inet_conf conf;
static struct tp_inet *inet;
static struct tp_inet_worker *worker;
static uint64_t now;
static struct tp_inet_frame out[300];
static uint16_t nb_out;

static inline void
free_out(void)
{
	for (uint16_t i = 0; i < nb_out; i++)
		rte_pktmbuf_free(out[i].m);
	nb_out = 0;
}

/* Frames since the last call. */
static inline uint16_t
take(void)
{
	free_out();
	nb_out = tp_inet_take(inet, out, RTE_DIM(out));
	return nb_out;
}

/* Move the clock; what is due runs when it is due. Frames stay for take(). */
static inline void
run_until(uint64_t until)
{
	uint64_t next;

	while ((next = tp_inet_next(inet)) <= until) {
		now = RTE_MAX(now, next);
		tp_inet_step(inet, now);
	}
	now = until;
	tp_inet_step(inet, now);
}

static inline void
start_worker(void)
{
	struct tp_inet_worker_conf wc;

	tp_inet_worker_conf_default(&wc);
	wc.inet = inet;
	wc.mac = &our_mac;
	wc.pool = test_pool();
	wc.member = MEMBER;
	worker = tp_inet_worker_create(&wc);
	assert_non_null(worker);
}

/* No DAD unless a test asks for it. */
static inline int
inet_setup(void **state)
{
	tp_inet_conf_default(&conf);
	conf.pool = test_pool();
	conf.mac = our_mac;
	conf.seed = UINT64_C(0x123456789abcdef1);
	conf.dad_probes = 0;
	conf.link_local = false;
	conf.mld = false;
	now = 1000 * SEC;
	inet = NULL;
	worker = NULL;
	return test_mbufs_setup(state);
}

static inline void
start(void)
{
	inet = tp_inet_create(&conf, now);
	assert_non_null(inet);
	start_worker();
	assert_int_equal(tp_inet_addr_add(inet, OURS4, 24, now), 0);
	assert_int_equal(tp_inet_addr_add(inet, OURS6, 64, now), 0);
	run_until(now + 10 * SEC); /* announcements */
	take();
	free_out();
}

static inline int
inet_teardown(void **state)
{
	if (inet != NULL)
		take();
	free_out();
	tp_inet_worker_free(worker);
	tp_inet_free(inet);
	return test_mbufs_teardown(state);
}

static inline int
inet_group_setup(void **state)
{
	int rc = test_eal_setup(state);

	return rc < 0 ? rc : tp_meta_init();
}

/* Consumes m. */
static inline void
hear(struct rte_mbuf *m)
{
	struct tp_pkt_info info;

	assert_non_null(m);
	tp_pkt_parse(m, &info);
	tp_inet_heard(inet, m, &info, MEMBER, now);
	rte_pktmbuf_free(m);
}

static inline struct rte_mbuf *
arp(uint16_t op, const struct rte_ether_addr *sha, rte_be32_t spa, rte_be32_t tpa)
{
	return tp_pkt_build_arp(test_pool(), op, conf.vlan_tci,
	                op == RTE_ARP_OP_REQUEST ? &bcast : &our_mac, sha, spa, &our_mac, tpa);
}

#define IP4(a, b, c, d)                                                                            \
	rte_cpu_to_be_32((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (d))

static inline uint64_t
mib(enum tp_inet_mib c)
{
	return tp_inet_mib(inet)[c];
}

static inline uint64_t
wmib(enum tp_inet_mib c)
{
	return tp_inet_worker_mib(worker)[c];
}

/* The entry of an address, or state FREE. */
static inline struct tp_inet_neigh_info
neigh(const uint8_t *addr)
{
	struct tp_inet_neigh_info info[1024];
	uint32_t nb = tp_inet_neighs(inet, now, info, RTE_DIM(info));

	for (uint32_t i = 0; i < nb; i++)
		if (memcmp(info[i].addr, addr, 16) == 0)
			return info[i];
	return (struct tp_inet_neigh_info){ .state = TP_INET_NEIGH_FREE };
}

#define assert_neigh(addr, state_)                                                                 \
	assert_string_equal(tp_inet_neigh_state_name(neigh(addr).state),                           \
	                tp_inet_neigh_state_name(TP_INET_NEIGH_##state_))

/* Length and checksum of an ND frame that was changed. */
static inline void
fix_nd(struct rte_mbuf *m, uint16_t len)
{
	struct rte_ipv6_hdr *ip = rte_pktmbuf_mtod_offset(m, struct rte_ipv6_hdr *, 14);
	uint16_t *sum = rte_pktmbuf_mtod_offset(m, uint16_t *, 56);

	ip->payload_len = rte_cpu_to_be_16(len);
	*sum = 0;
	*sum = rte_ipv6_udptcp_cksum(ip, ip + 1);
}

/* A TCP segment as the engine makes it. */
static inline struct rte_mbuf *
segment(uint16_t len)
{
	static const uint8_t tcp[20] = { 0, 80, 4, 0, [12] = 0x50, [13] = 0x10 };
	struct rte_mbuf *m = test_mbuf(tcp, sizeof(tcp));

	memset(rte_pktmbuf_append(m, len), 0x5a, len);
	m->l4_len = sizeof(tcp);
	m->ol_flags = RTE_MBUF_F_TX_TCP_CKSUM;
	return m;
}

/* Push a segment to raddr; a verdict of ASK goes to control at once. */
static inline enum tp_inet_verdict
push(struct tp_inet_dst *dst, const uint8_t *raddr)
{
	struct rte_mbuf *m = segment(10);
	enum tp_inet_verdict v;

	v = tp_inet_push(worker, dst, tp_inet_is_v4(raddr) ? OURS4 : OURS6, raddr, 0, m);
	if (v == TP_INET_ASK)
		tp_inet_pend(inet, m, now);
	else
		rte_pktmbuf_free(m);
	return v;
}

static inline const struct rte_ether_hdr *
eth_of(const struct rte_mbuf *m)
{
	return rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);
}

static inline const struct rte_arp_hdr *
arp_of(const struct rte_mbuf *m)
{
	assert_int_equal(eth_of(m)->ether_type, RTE_BE16(RTE_ETHER_TYPE_ARP));
	return rte_pktmbuf_mtod_offset(m, const struct rte_arp_hdr *, 14);
}

/* ICMPv6 message of a frame without tag. */
static inline const uint8_t *
icmp6_of(const struct rte_mbuf *m)
{
	assert_int_equal(eth_of(m)->ether_type, RTE_BE16(RTE_ETHER_TYPE_IPV6));
	return rte_pktmbuf_mtod_offset(m, const uint8_t *, 54);
}

#define assert_mac(a, b) assert_memory_equal(a, b, sizeof(struct rte_ether_addr))

/* Make raddr a REACHABLE neighbour with this MAC. */
static inline void
make_neigh4(uint8_t last, const struct rte_ether_addr *mac)
{
	struct tp_inet_dst dst = { 0 };

	assert_int_equal(push(&dst, A4(10, 0, 0, last)), TP_INET_ASK);
	hear(arp(RTE_ARP_OP_REPLY, mac, IP4(10, 0, 0, last), IP4(10, 0, 0, 1)));
	assert_neigh(A4(10, 0, 0, last), REACHABLE);
	take();
	free_out();
}

#define test(f) cmocka_unit_test_setup_teardown(f, inet_setup, inet_teardown)

#endif
