/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Routes, source addresses, headers in front of a segment, path MTU, and how views go. */

#include <rte_malloc.h>
#include <rte_rcu_qsbr.h>

#include "test_inet.h"

static const uint8_t any6[16];
static const uint8_t fe80_9[16] = { 0xfe, 0x80, [15] = 9 };
#define ANY4 A4(0, 0, 0, 0)

/* Who is asked for, when a packet goes to raddr; 0: nobody. */
static rte_be32_t
asked4(const uint8_t *raddr)
{
	struct tp_inet_dst dst = { 0 };

	tp_inet_neigh_flush(inet);
	if (push(&dst, raddr) != TP_INET_ASK || take() != 1)
		return 0;
	return arp_of(out[0].m)->arp_data.arp_tip;
}

/* ---- routes --------------------------------------------------------------------------- */

static void
test_longest_prefix(void **state)
{
	(void)state;
	start();
	assert_int_equal(asked4(A4(192, 0, 2, 1)), 0);
	assert_int_equal(wmib(TP_INET_M_OUT_NO_ROUTES), 1);
	assert_int_equal(tp_inet_route_add(inet, ANY4, 0, A4(10, 0, 0, 254)), 0);
	assert_int_equal(tp_inet_route_add(inet, A4(192, 0, 2, 0), 24, A4(10, 0, 0, 253)), 0);
	assert_int_equal(tp_inet_route_add(inet, A4(192, 0, 2, 128), 25, NULL), 0);
	assert_int_equal(asked4(A4(10, 0, 0, 9)), IP4(10, 0, 0, 9));
	assert_int_equal(asked4(A4(8, 8, 8, 8)), IP4(10, 0, 0, 254));
	assert_int_equal(asked4(A4(192, 0, 2, 1)), IP4(10, 0, 0, 253));
	assert_int_equal(asked4(A4(192, 0, 2, 129)), IP4(192, 0, 2, 129));
	/* A second gateway replaces the first. */
	assert_int_equal(tp_inet_route_add(inet, ANY4, 0, A4(10, 0, 0, 252)), 0);
	assert_int_equal(asked4(A4(8, 8, 8, 8)), IP4(10, 0, 0, 252));
	assert_int_equal(tp_inet_route_del(inet, A4(192, 0, 2, 0), 24), 0);
	assert_int_equal(tp_inet_route_del(inet, A4(192, 0, 2, 0), 24), -ENOENT);
	assert_int_equal(asked4(A4(192, 0, 2, 1)), IP4(10, 0, 0, 252));
}

static void
test_v6_gateway(void **state)
{
	const uint8_t far6[16] = { 0x2a, [15] = 1 };
	struct tp_inet_dst dst = { 0 };

	(void)state;
	start();
	assert_int_equal(push(&dst, far6), TP_INET_UNREACH);
	assert_int_equal(tp_inet_route_add(inet, any6, 0, A6(0xfe)), 0);
	assert_int_equal(push(&dst, far6), TP_INET_ASK);
	assert_int_equal(take(), 1);
	assert_memory_equal(icmp6_of(out[0].m) + 8, A6(0xfe), 16);
	/* The default of one family is not that of the other. */
	assert_int_equal(asked4(A4(8, 8, 8, 8)), 0);
}

static void
test_bad_routes(void **state)
{
	struct tp_inet_route_info info[TP_INET_MAX_ROUTES];
	uint32_t version;
	int rc = 0, nb = 0;

	(void)state;
	start();
	version = tp_inet_version(inet);
	assert_int_equal(tp_inet_route_add(inet, A4(192, 0, 2, 1), 24, NULL), -EINVAL);
	assert_int_equal(tp_inet_route_add(inet, ANY4, 33, NULL), -EINVAL);
	assert_int_equal(tp_inet_route_add(inet, A6(0), 129, NULL), -EINVAL);
	assert_int_equal(tp_inet_route_add(inet, ANY4, 0, A6(2)), -EINVAL);
	assert_int_equal(tp_inet_route_add(inet, ANY4, 0, OURS4), -EINVAL);
	assert_int_equal(tp_inet_route_add(inet, ANY4, 0, A4(224, 0, 0, 1)), -EINVAL);
	assert_int_equal(tp_inet_version(inet), version);
	for (; rc == 0; nb++)
		rc = tp_inet_route_add(inet, A4(172, 16, nb, 0), 24, A4(10, 0, 0, 2));
	assert_int_equal(rc, -ENOSPC);
	assert_int_equal(nb - 1, TP_INET_MAX_ROUTES - TP_INET_MAX_ADDRS);
	assert_int_equal(tp_inet_routes(inet, info, RTE_DIM(info)), nb - 1 + 2);
}

static void
test_show_routes(void **state)
{
	struct tp_inet_route_info info[TP_INET_MAX_ROUTES];

	(void)state;
	start();
	tp_inet_route_add(inet, ANY4, 0, A4(10, 0, 0, 254));
	assert_int_equal(tp_inet_routes(inet, info, RTE_DIM(info)), 3);
	assert_true(info[0].connected);
	assert_memory_equal(info[0].prefix, A4(10, 0, 0, 0), 16);
	assert_int_equal(info[0].prefix_len, 24);
	assert_memory_equal(info[0].gateway, any6, 16);
	assert_memory_equal(info[1].prefix, A6(0), 16);
	assert_false(info[2].connected);
	assert_memory_equal(info[2].gateway, A4(10, 0, 0, 254), 16);
	assert_int_equal(info[2].expires, TP_NEVER);
	assert_int_equal(tp_inet_routes(inet, info, 1), 1);
}

/* ---- routers that advertise themselves (RFC 4861 6.3.4) ------------------------------------ */

static struct rte_mbuf *
ra(const uint8_t *src, uint16_t lifetime_s)
{
	struct frame f = { 0 };
	struct rte_mbuf *m;
	uint8_t *p;

	frame_eth(&f);
	frame_ip6(&f, IPPROTO_ICMPV6);
	memcpy(f.b + f.ip6 + 8, src, 16);
	memcpy(f.b + f.ip6 + 24, (const uint8_t[16]){ 0xff, 2, [15] = 1 }, 16);
	f.b[f.ip6 + 7] = 255;
	p = frame_add(&f, 16);
	p[0] = 134;
	frame_be16(p + 6, lifetime_s);
	frame_end(&f);
	frame_be16(p + 2, ~frame_sum(p, 16, frame_pseudo(f.b + f.ip6, IPPROTO_ICMPV6, 16)));
	m = test_mbuf(f.b, f.len);
	memcpy(rte_pktmbuf_mtod_offset(m, uint8_t *, 6), &mac_2, 6);
	return m;
}

static void
test_router_advertisement(void **state)
{
	const uint8_t far6[16] = { 0x2a, [15] = 1 };
	const uint8_t fe80_8[16] = { 0xfe, 0x80, [15] = 8 };
	struct tp_inet_route_info info[8];
	struct tp_inet_dst dst = { 0 };

	(void)state;
	conf.accept_ra = true;
	conf.link_local = true;
	start();
	take();
	hear(ra(A6(9), 1800)); /* not from a link-local address */
	assert_int_equal(mib(TP_INET_M_NEIGH_INVALID), 1);
	hear(ra(fe80_9, 1800));
	hear(ra(fe80_8, 1800)); /* one is enough */
	assert_int_equal(mib(TP_INET_M_RA_IGNORED), 1);
	assert_int_equal(tp_inet_routes(inet, info, RTE_DIM(info)), 4);
	assert_true(info[3].advertised);
	assert_memory_equal(info[3].gateway, fe80_9, 16);
	assert_int_equal(push(&dst, far6), TP_INET_ASK);
	take();
	run_until(now + 1700 * SEC);
	hear(ra(fe80_9, 1800));
	run_until(now + 1700 * SEC);
	assert_int_equal(tp_inet_routes(inet, info, RTE_DIM(info)), 4);
	run_until(now + 200 * SEC);
	assert_int_equal(tp_inet_routes(inet, info, RTE_DIM(info)), 3);
	hear(ra(fe80_8, 1800));
	hear(ra(fe80_8, 0));
	assert_int_equal(tp_inet_routes(inet, info, RTE_DIM(info)), 3);
	assert_int_equal(tp_inet_route_add(inet, any6, 0, A6(0xfe)), 0);
	hear(ra(fe80_9, 1800));
	tp_inet_routes(inet, info, RTE_DIM(info));
	assert_memory_equal(info[3].gateway, A6(0xfe), 16);
}

/* Who was heard need not be asked for. */
static void
test_router_heard(void **state)
{
	(void)state;
	conf.accept_ra = true;
	conf.link_local = true;
	inet = tp_inet_create(&conf, now);
	assert_non_null(inet);
	run_until(now + SEC);
	hear(ra(fe80_9, 1800));
	run_until(now + 60 * SEC);
	take();
	for (uint16_t i = 0, nb = 0; i < nb_out; i++) {
		nb += icmp6_of(out[i].m)[0] == 133;
		assert_in_range(nb, 0, 1);
	}
}

static void
test_router_advertisement_off(void **state)
{
	struct tp_inet_route_info info[8];

	(void)state;
	start();
	hear(ra(fe80_9, 1800));
	assert_int_equal(tp_inet_routes(inet, info, RTE_DIM(info)), 2);
	assert_int_equal(mib(TP_INET_M_RA_IGNORED), 1);
}

/* ---- source addresses ------------------------------------------------------------------------ */

/* RFC 9293 MUST-44; MUST-46: nothing is opened to a group, to all, or to ourselves. */
static void
test_source(void **state)
{
	uint8_t laddr[16];

	(void)state;
	conf.link_local = true;
	start();
	assert_int_equal(tp_inet_addr_add(inet, A4(10, 1, 0, 1), 16, now), 0);
	run_until(now + 5 * SEC);
	assert_int_equal(tp_inet_source(inet, A4(10, 0, 0, 2), laddr), 0);
	assert_memory_equal(laddr, OURS4, 16);
	assert_int_equal(tp_inet_source(inet, A4(10, 1, 9, 2), laddr), 0);
	assert_memory_equal(laddr, A4(10, 1, 0, 1), 16);
	assert_int_equal(tp_inet_source(inet, A6(5), laddr), 0);
	assert_memory_equal(laddr, OURS6, 16);
	assert_int_equal(tp_inet_source(inet, fe80_9, laddr), 0);
	assert_int_equal(laddr[0], 0xfe);
	assert_int_equal(tp_inet_source(inet, A4(8, 8, 8, 8), laddr), -ENETUNREACH);
	/* A link-local address reaches nobody beyond the link. */
	tp_inet_addr_del(inet, OURS6);
	tp_inet_route_add(inet, any6, 0, fe80_9);
	assert_int_equal(tp_inet_source(inet, A6(5), laddr), -EADDRNOTAVAIL);
	assert_int_equal(tp_inet_source(inet, OURS4, laddr), -EINVAL);
	assert_int_equal(tp_inet_source(inet, A4(224, 0, 0, 1), laddr), -EINVAL);
	tp_inet_addr_del(inet, OURS4);
	tp_inet_addr_del(inet, A4(10, 1, 0, 1));
	tp_inet_route_add(inet, ANY4, 0, NULL);
	assert_int_equal(tp_inet_source(inet, A4(8, 8, 8, 8), laddr), -EADDRNOTAVAIL);
}

/* ---- headers --------------------------------------------------------------------------------- */

static void
test_headers_v4(void **state)
{
	struct tp_inet_dst dst = { 0 };
	struct rte_mbuf *m = segment(100);
	const struct rte_ipv4_hdr *ip;
	struct tp_pkt_info info;

	(void)state;
	start();
	make_neigh4(2, &mac_2);
	assert_int_equal(tp_inet_push(worker, &dst, OURS4, A4(10, 0, 0, 2), 0x12, m), TP_INET_SEND);
	tp_pkt_parse(m, &info);
	assert_int_equal(info.flags, TP_PKT_F_L4);
	assert_int_equal(info.l4_proto, IPPROTO_TCP);
	assert_int_equal(info.end_off, m->pkt_len);
	assert_mac(&eth_of(m)->dst_addr, &mac_2);
	assert_mac(&eth_of(m)->src_addr, &our_mac);
	assert_int_equal(m->l2_len, 14);
	assert_int_equal(m->l3_len, 20);
	assert_int_equal(m->l4_len, 20);
	assert_int_equal(m->ol_flags,
	                RTE_MBUF_F_TX_TCP_CKSUM | RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM);
	ip = rte_pktmbuf_mtod_offset(m, const struct rte_ipv4_hdr *, 14);
	assert_int_equal(ip->type_of_service, 0x12);
	assert_int_equal(ip->fragment_offset, RTE_BE16(0x4000));
	assert_int_equal(ip->time_to_live, 64);
	assert_int_equal(ip->src_addr, IP4(10, 0, 0, 1));
	assert_int_equal(ip->dst_addr, IP4(10, 0, 0, 2));
	rte_pktmbuf_free(m);
}

static void
test_headers_v6_tagged(void **state)
{
	struct tp_inet_dst dst = { 0 };
	struct rte_mbuf *m = segment(100);
	const struct rte_ipv6_hdr *ip;
	struct tp_pkt_info info;

	(void)state;
	conf.vlan_tci = 42;
	start();
	assert_int_equal(push(&dst, A6(2)), TP_INET_ASK);
	hear(tp_pkt_build_na(test_pool(), 42, &our_mac, &mac_2, A6(2), OURS6, A6(2), 0x60));
	assert_int_equal(tp_inet_push(worker, &dst, OURS6, A6(2), 0x02, m), TP_INET_SEND);
	tp_pkt_parse(m, &info);
	assert_int_equal(info.flags, TP_PKT_F_L4 | TP_PKT_F_VLAN);
	assert_int_equal(info.vlan_tci, 42);
	assert_int_equal(info.end_off, m->pkt_len);
	assert_int_equal(m->l2_len, 18);
	assert_int_equal(m->l3_len, 40);
	assert_int_equal(m->ol_flags, RTE_MBUF_F_TX_TCP_CKSUM | RTE_MBUF_F_TX_IPV6);
	ip = rte_pktmbuf_mtod_offset(m, const struct rte_ipv6_hdr *, 18);
	assert_int_equal(ip->vtc_flow, RTE_BE32(0x60200000));
	assert_int_equal(ip->hop_limits, 64);
	assert_memory_equal(ip->src_addr, OURS6, 16);
	assert_memory_equal(ip->dst_addr, A6(2), 16);
	rte_pktmbuf_free(m);
}

static void
test_ask_says_who(void **state)
{
	struct tp_inet_dst dst = { 0 };
	struct rte_mbuf *m = segment(0);

	(void)state;
	start();
	assert_int_equal(tp_inet_push(worker, &dst, OURS4, A4(10, 0, 0, 2), 0, m), TP_INET_ASK);
	assert_int_equal(tp_meta(m)->kind, TP_KIND_FRAME);
	assert_int_equal(tp_meta(m)->why, TP_WHY_RESOLVE);
	assert_int_equal(tp_meta(m)->ingress, MEMBER);
	rte_pktmbuf_free(m);
}

static void
test_no_room(void **state)
{
	struct tp_inet_dst dst = { 0 };
	struct rte_mbuf *m = segment(0), *big = segment(0);

	(void)state;
	start();
	make_neigh4(2, &mac_2);
	assert_non_null(rte_pktmbuf_prepend(m, rte_pktmbuf_headroom(m) - 33));
	assert_int_equal(tp_inet_push(worker, &dst, OURS4, A4(10, 0, 0, 2), 0, m), TP_INET_NO_ROOM);
	rte_pktmbuf_free(m);
	/* More than a length field holds. */
	big->pkt_len = UINT16_MAX - 19;
	assert_int_equal(tp_inet_push(worker, &dst, OURS4, A4(10, 0, 0, 2), 0, big),
	                TP_INET_NO_ROOM);
	big->pkt_len = big->data_len;
	rte_pktmbuf_free(big);
}

/* A route that changes takes connections with it. */
static void
test_way_follows_routes(void **state)
{
	struct tp_inet_dst dst = { 0 };
	struct rte_mbuf *m;

	(void)state;
	start();
	make_neigh4(2, &mac_2);
	make_neigh4(3, &mac_3);
	tp_inet_route_add(inet, ANY4, 0, A4(10, 0, 0, 2));
	for (int i = 0; i < 2; i++) {
		m = segment(0);
		assert_int_equal(tp_inet_push(worker, &dst, OURS4, A4(8, 8, 8, 8), 0, m),
		                TP_INET_SEND);
		assert_mac(&eth_of(m)->dst_addr, i == 0 ? &mac_2 : &mac_3);
		rte_pktmbuf_free(m);
		tp_inet_route_add(inet, ANY4, 0, A4(10, 0, 0, 3));
	}
	tp_inet_route_del(inet, ANY4, 0);
	assert_int_equal(push(&dst, A4(8, 8, 8, 8)), TP_INET_UNREACH);
}

/* ---- path MTU ------------------------------------------------------------------------------------ */

static void
test_pmtu(void **state)
{
	(void)state;
	start();
	assert_int_equal(tp_inet_pmtu(inet, A4(8, 8, 8, 8), now), 1500);
	tp_inet_pmtu_learn(inet, A4(8, 8, 8, 8), 1400, now);
	tp_inet_pmtu_learn(inet, A6(9), 100, now);
	tp_inet_pmtu_learn(inet, A4(8, 8, 4, 4), 100, now);
	tp_inet_pmtu_learn(inet, A4(8, 8, 4, 5), 9000, now);
	assert_int_equal(tp_inet_pmtu(inet, A4(8, 8, 8, 8), now + 599 * SEC), 1400);
	assert_int_equal(tp_inet_pmtu(inet, A4(8, 8, 8, 8), now + 601 * SEC), 1500);
	assert_int_equal(tp_inet_pmtu(inet, A6(9), now), 1280);
	assert_int_equal(tp_inet_pmtu(inet, A4(8, 8, 4, 4), now), 552);
	assert_int_equal(tp_inet_pmtu(inet, A4(8, 8, 4, 5), now), 1500);
	assert_int_equal(tp_inet_pmtu(inet, A4(8, 8, 8, 9), now), 1500);
	/* What was learned of one is not said of another that shares its place. */
	for (uint32_t i = 0; i < 2000; i++)
		tp_inet_pmtu_learn(inet, A4(172, 16, i >> 8, i), 1000, now);
	for (uint32_t i = 0; i < 2000; i++)
		assert_int_equal(tp_inet_pmtu(inet, A4(172, 17, i >> 8, i), now), 1500);
	tp_inet_pmtu_learn(inet, A4(8, 8, 8, 8), 1400, now);
	assert_int_equal(tp_inet_set_mtu(inet, 1300), 0);
	assert_int_equal(tp_inet_pmtu(inet, A4(8, 8, 8, 8), now), 1300);
	assert_int_equal(tp_inet_set_mtu(inet, 575), -EINVAL);
}

/* ---- views ------------------------------------------------------------------------------------------ */

/* Routes that a worker may be reading stay as they are until it has passed a quiescent state; what
 * changed meanwhile is seen then.
 */
static void
test_grace_period(void **state)
{
	size_t size = rte_rcu_qsbr_get_memsize(4);
	struct rte_rcu_qsbr *qsbr = rte_zmalloc(NULL, size, RTE_CACHE_LINE_SIZE);
	uint32_t version;

	(void)state;
	assert_int_equal(rte_rcu_qsbr_init(qsbr, 4), 0);
	conf.qsbr = qsbr;
	start();
	rte_rcu_qsbr_thread_register(qsbr, 0);
	rte_rcu_qsbr_thread_online(qsbr, 0);
	version = tp_inet_version(inet);
	assert_int_equal(tp_inet_route_add(inet, A4(172, 16, 0, 0), 24, NULL), 0);
	assert_int_equal(tp_inet_version(inet), version + 1);
	/* Both sets of routes are in use now. */
	for (uint8_t i = 1; i < 5; i++)
		assert_int_equal(tp_inet_route_add(inet, A4(172, 16, i, 0), 24, NULL), 0);
	tp_inet_step(inet, now);
	assert_int_equal(tp_inet_version(inet), version + 1);
	assert_true(tp_inet_next(inet) <= now);
	assert_int_equal(asked4(A4(172, 16, 0, 1)), IP4(172, 16, 0, 1));
	assert_int_equal(asked4(A4(172, 16, 4, 1)), 0);
	rte_rcu_qsbr_quiescent(qsbr, 0);
	tp_inet_step(inet, now);
	assert_int_equal(tp_inet_version(inet), version + 2);
	assert_true(tp_inet_next(inet) > now);
	for (uint8_t i = 0; i < 5; i++)
		assert_int_equal(asked4(A4(172, 16, i, 1)), IP4(172, 16, i, 1));
	rte_rcu_qsbr_thread_offline(qsbr, 0);
	tp_inet_worker_free(worker);
	take();
	free_out();
	tp_inet_free(inet);
	inet = NULL;
	worker = NULL;
	rte_free(qsbr);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		test(test_longest_prefix),
		test(test_v6_gateway),
		test(test_bad_routes),
		test(test_show_routes),
		test(test_router_advertisement),
		test(test_router_heard),
		test(test_router_advertisement_off),
		test(test_source),
		test(test_headers_v4),
		test(test_headers_v6_tagged),
		test(test_ask_says_who),
		test(test_no_room),
		test(test_way_follows_routes),
		test(test_pmtu),
		test(test_grace_period),
	};

	return cmocka_run_group_tests(tests, inet_group_setup, test_eal_teardown);
}
