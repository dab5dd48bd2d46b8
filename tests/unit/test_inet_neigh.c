/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Neighbours: states, what waits, and what hostile frames cannot do. */

#include "test_inet.h"

#define PEER4 A4(10, 0, 0, 2)
#define PEER6 A6(2)

static void
confirm(uint8_t last)
{
	struct tp_inet_dst dst = { 0 };

	push(&dst, A4(10, 0, 0, last));
	tp_inet_confirm(worker, &dst);
}

/* ---- states ---------------------------------------------------------------------- */

static void
test_question_and_answer(void **state)
{
	struct tp_inet_dst dst = { 0 };
	const struct rte_arp_hdr *a;

	(void)state;
	start();
	assert_int_equal(push(&dst, PEER4), TP_INET_ASK);
	assert_neigh(PEER4, INCOMPLETE);
	assert_int_equal(take(), 1);
	assert_int_equal(out[0].member, MEMBER);
	assert_mac(&eth_of(out[0].m)->dst_addr, &bcast);
	a = arp_of(out[0].m);
	assert_int_equal(a->arp_opcode, RTE_BE16(RTE_ARP_OP_REQUEST));
	assert_int_equal(a->arp_data.arp_tip, IP4(10, 0, 0, 2));
	assert_int_equal(a->arp_data.arp_sip, IP4(10, 0, 0, 1));
	assert_mac(&a->arp_data.arp_sha, &our_mac);
	hear(arp(RTE_ARP_OP_REPLY, &mac_2, IP4(10, 0, 0, 2), IP4(10, 0, 0, 1)));
	assert_neigh(PEER4, REACHABLE);
	/* The packet that waited, by its member. */
	assert_int_equal(take(), 1);
	assert_int_equal(out[0].member, MEMBER);
	assert_mac(&eth_of(out[0].m)->dst_addr, &mac_2);
	assert_int_equal(out[0].m->pkt_len, 14 + 20 + 20 + 10);
	assert_int_equal(push(&dst, PEER4), TP_INET_SEND);
}

static void
test_question_and_answer_v6(void **state)
{
	const struct rte_ether_addr group = { { 0x33, 0x33, 0xff, 0, 0, 2 } };
	struct tp_inet_dst dst = { 0 };

	(void)state;
	start();
	assert_int_equal(push(&dst, PEER6), TP_INET_ASK);
	assert_int_equal(take(), 1);
	assert_mac(&eth_of(out[0].m)->dst_addr, &group);
	assert_int_equal(icmp6_of(out[0].m)[0], 135);
	assert_memory_equal(icmp6_of(out[0].m) + 8, PEER6, 16);
	hear(tp_pkt_build_na(test_pool(), 0, &our_mac, &mac_2, PEER6, OURS6, PEER6, 0xe0));
	assert_neigh(PEER6, REACHABLE);
	assert_true(neigh(PEER6).router);
	assert_int_equal(take(), 1);
	assert_mac(&eth_of(out[0].m)->dst_addr, &mac_2);
}

/* RFC 4861 7.2.2: three questions a second apart, then the packets are given up. */
static void
test_no_answer(void **state)
{
	struct tp_inet_dst dst = { 0 };
	uint64_t begin;

	(void)state;
	start();
	begin = now;
	push(&dst, PEER4);
	push(&dst, PEER4);
	assert_int_equal(neigh(PEER4).nb_pending, 2);
	run_until(begin + 2900 * MS);
	assert_int_equal(take(), 3);
	assert_int_equal(out[0].member, MEMBER);
	assert_int_equal(out[1].member, TP_MEMBER_NONE);
	assert_neigh(PEER4, INCOMPLETE);
	run_until(begin + 3100 * MS);
	assert_neigh(PEER4, FAILED);
	assert_int_equal(mib(TP_INET_M_PEND_EXPIRED), 2);
	assert_int_equal(push(&dst, PEER4), TP_INET_UNREACH);
	assert_int_equal(wmib(TP_INET_M_OUT_DEAD), 1);
	run_until(begin + 7 * SEC);
	assert_neigh(PEER4, FREE);
	assert_int_equal(take(), 0);
	assert_int_equal(push(&dst, PEER4), TP_INET_ASK);
	assert_int_equal(take(), 1);
}

static void
test_reachable_to_stale_to_forgotten(void **state)
{
	(void)state;
	start();
	make_neigh4(2, &mac_2);
	run_until(now + 14 * SEC);
	assert_neigh(PEER4, REACHABLE);
	run_until(now + 32 * SEC);
	assert_neigh(PEER4, STALE);
	run_until(now + 500 * SEC);
	assert_neigh(PEER4, STALE);
	run_until(now + 200 * SEC);
	assert_neigh(PEER4, FREE);
	/* Nobody was asked for what nobody used. */
	assert_int_equal(take(), 0);
	assert_int_equal(tp_inet_next(inet), TP_NEVER);
}

static void
test_used_stale_is_probed_by_unicast(void **state)
{
	struct tp_inet_dst dst = { 0 };

	(void)state;
	start();
	make_neigh4(2, &mac_2);
	run_until(now + 60 * SEC);
	assert_neigh(PEER4, STALE);
	assert_int_equal(push(&dst, PEER4), TP_INET_SEND);
	run_until(now + 1100 * MS);
	assert_neigh(PEER4, DELAY);
	assert_int_equal(take(), 0);
	run_until(now + 5 * SEC);
	assert_neigh(PEER4, PROBE);
	assert_int_equal(take(), 1);
	assert_mac(&eth_of(out[0].m)->dst_addr, &mac_2);
	assert_int_equal(push(&dst, PEER4), TP_INET_SEND);
	hear(arp(RTE_ARP_OP_REPLY, &mac_2, IP4(10, 0, 0, 2), IP4(10, 0, 0, 1)));
	assert_neigh(PEER4, REACHABLE);
}

static void
test_probe_v6_is_unicast(void **state)
{
	struct tp_inet_dst dst = { 0 };
	const struct rte_ipv6_hdr *ip;

	(void)state;
	start();
	push(&dst, PEER6);
	hear(tp_pkt_build_na(test_pool(), 0, &our_mac, &mac_2, PEER6, OURS6, PEER6, 0x60));
	run_until(now + 60 * SEC);
	take();
	push(&dst, PEER6);
	run_until(now + 7 * SEC);
	assert_true(take() >= 1);
	ip = rte_pktmbuf_mtod_offset(out[0].m, const struct rte_ipv6_hdr *, 14);
	assert_memory_equal(ip->dst_addr, PEER6, 16);
	assert_true(frame_l4_ok((const uint8_t *)ip, IPPROTO_ICMPV6, icmp6_of(out[0].m), 32));
}

/* An answer without a MAC (RFC 4861 7.2.5). */
static struct rte_mbuf *
na_without_mac(void)
{
	struct rte_mbuf *m = tp_pkt_build_na(
	                test_pool(), 0, &our_mac, &mac_2, PEER6, OURS6, PEER6, 0x60);

	rte_pktmbuf_trim(m, 8);
	fix_nd(m, 24);
	return m;
}

static void
test_na_without_mac(void **state)
{
	struct tp_inet_dst dst = { 0 };

	(void)state;
	start();
	push(&dst, PEER6);
	hear(na_without_mac());
	assert_neigh(PEER6, INCOMPLETE);
	hear(tp_pkt_build_na(test_pool(), 0, &our_mac, &mac_2, PEER6, OURS6, PEER6, 0x60));
	run_until(now + 60 * SEC);
	push(&dst, PEER6);
	run_until(now + 7 * SEC);
	assert_neigh(PEER6, PROBE);
	hear(na_without_mac());
	assert_neigh(PEER6, REACHABLE);
	assert_mac(neigh(PEER6).mac.addr_bytes, &mac_2);
}

static void
test_dead_after_probes_is_asked_anew(void **state)
{
	struct tp_inet_dst dst = { 0 };
	uint64_t begin;

	(void)state;
	start();
	make_neigh4(2, &mac_2);
	run_until(now + 60 * SEC);
	push(&dst, PEER4);
	begin = now;
	run_until(begin + 11 * SEC);
	/* Three by unicast, then to all. */
	assert_true(take() >= 4);
	assert_mac(&eth_of(out[2].m)->dst_addr, &mac_2);
	assert_mac(&eth_of(out[3].m)->dst_addr, &bcast);
	assert_int_equal(push(&dst, PEER4), TP_INET_ASK);
	hear(arp(RTE_ARP_OP_REPLY, &mac_3, IP4(10, 0, 0, 2), IP4(10, 0, 0, 1)));
	assert_neigh(PEER4, REACHABLE);
	assert_mac(neigh(PEER4).mac.addr_bytes, &mac_3);
}

/* RFC 4861 7.3.1: what the upper layer knows saves the questions. */
static void
test_confirmed_by_upper_layer(void **state)
{
	(void)state;
	start();
	make_neigh4(2, &mac_2);
	for (int i = 0; i < 20; i++) {
		confirm(2);
		run_until(now + 10 * SEC);
		assert_neigh(PEER4, REACHABLE);
	}
	assert_int_equal(take(), 0);
}

/* ---- what waits --------------------------------------------------------------------- */

static void
test_pending_is_bounded_each(void **state)
{
	struct tp_inet_dst dst = { 0 };

	(void)state;
	conf.nb_pending_each = 3;
	start();
	for (int i = 0; i < 5; i++)
		push(&dst, PEER4);
	assert_int_equal(neigh(PEER4).nb_pending, 3);
	assert_int_equal(mib(TP_INET_M_PEND_DROP), 2);
	take();
	hear(arp(RTE_ARP_OP_REPLY, &mac_2, IP4(10, 0, 0, 2), IP4(10, 0, 0, 1)));
	assert_int_equal(take(), 3);
	assert_int_equal(neigh(PEER4).nb_pending, 0);
}

static void
test_pending_is_bounded_in_all(void **state)
{
	struct tp_inet_dst dst;

	(void)state;
	conf.nb_pending = 4;
	start();
	for (uint8_t i = 0; i < 6; i++) {
		memset(&dst, 0, sizeof(dst));
		push(&dst, A4(10, 0, 0, 20 + i));
	}
	assert_int_equal(mib(TP_INET_M_PEND_DROP), 2);
	take();
	/* Room that is given back is used again. */
	hear(arp(RTE_ARP_OP_REPLY, &mac_2, IP4(10, 0, 0, 20), IP4(10, 0, 0, 1)));
	assert_int_equal(take(), 1);
	push(&dst, A4(10, 0, 0, 25));
	assert_int_equal(neigh(A4(10, 0, 0, 25)).nb_pending, 1);
}

static void
test_order_is_kept(void **state)
{
	struct tp_inet_dst dst = { 0 };
	struct rte_mbuf *m;

	(void)state;
	start();
	for (uint16_t i = 0; i < 5; i++) {
		m = segment(i);
		assert_int_equal(tp_inet_push(worker, &dst, OURS4, PEER4, 0, m), TP_INET_ASK);
		tp_inet_pend(inet, m, now);
	}
	take();
	hear(arp(RTE_ARP_OP_REPLY, &mac_2, IP4(10, 0, 0, 2), IP4(10, 0, 0, 1)));
	assert_int_equal(take(), 5);
	for (uint16_t i = 0; i < 5; i++)
		assert_int_equal(out[i].m->pkt_len, 54 + i);
}

static void
test_pend_when_known_meanwhile(void **state)
{
	struct tp_inet_dst dst = { 0 };
	struct rte_mbuf *m = segment(1);

	(void)state;
	start();
	assert_int_equal(tp_inet_push(worker, &dst, OURS4, PEER4, 0, m), TP_INET_ASK);
	make_neigh4(2, &mac_2);
	tp_inet_pend(inet, m, now);
	assert_int_equal(take(), 1);
	assert_mac(&eth_of(out[0].m)->dst_addr, &mac_2);
}

static void
test_flush(void **state)
{
	struct tp_inet_dst dst = { 0 }, other = { 0 };

	(void)state;
	start();
	make_neigh4(2, &mac_2);
	assert_int_equal(push(&dst, PEER4), TP_INET_SEND);
	push(&other, A4(10, 0, 0, 9));
	tp_inet_neigh_flush(inet);
	assert_neigh(PEER4, FREE);
	assert_int_equal(mib(TP_INET_M_PEND_DROP), 1);
	assert_int_equal(push(&dst, PEER4), TP_INET_ASK);
}

/* ---- hostile frames ------------------------------------------------------------------ */

static void
test_reply_nobody_asked_for(void **state)
{
	(void)state;
	start();
	hear(arp(RTE_ARP_OP_REPLY, &mac_2, IP4(10, 0, 0, 2), IP4(10, 0, 0, 1)));
	hear(tp_pkt_build_na(test_pool(), 0, &our_mac, &mac_2, PEER6, OURS6, PEER6, 0x60));
	assert_neigh(PEER4, FREE);
	assert_neigh(PEER6, FREE);
	assert_int_equal(mib(TP_INET_M_NEIGH_IGNORED), 2);
}

static void
test_gratuitous_makes_no_entry(void **state)
{
	(void)state;
	start();
	hear(arp(RTE_ARP_OP_REQUEST, &mac_2, IP4(10, 0, 0, 2), IP4(10, 0, 0, 2)));
	assert_neigh(PEER4, FREE);
}

/* Who asks for us is known, but not believed: the first use is verified. */
static void
test_request_for_us_makes_stale(void **state)
{
	struct tp_inet_dst dst = { 0 };

	(void)state;
	start();
	hear(arp(RTE_ARP_OP_REQUEST, &mac_2, IP4(10, 0, 0, 2), IP4(10, 0, 0, 1)));
	assert_neigh(PEER4, STALE);
	take();
	assert_int_equal(push(&dst, PEER4), TP_INET_SEND);
	run_until(now + 7 * SEC);
	assert_neigh(PEER4, PROBE);
}

static void
test_request_off_link_makes_none(void **state)
{
	(void)state;
	start();
	hear(arp(RTE_ARP_OP_REQUEST, &mac_2, IP4(192, 0, 2, 2), IP4(10, 0, 0, 1)));
	assert_neigh(A4(192, 0, 2, 2), FREE);
}

static void
test_moved_mac_is_taken_and_verified(void **state)
{
	(void)state;
	start();
	make_neigh4(2, &mac_2);
	run_until(now + 2 * SEC);
	hear(arp(RTE_ARP_OP_REQUEST, &mac_3, IP4(10, 0, 0, 2), IP4(10, 0, 0, 2)));
	assert_neigh(PEER4, STALE);
	assert_mac(neigh(PEER4).mac.addr_bytes, &mac_3);
}

static void
test_fresh_mac_is_held(void **state)
{
	(void)state;
	start();
	make_neigh4(2, &mac_2);
	hear(arp(RTE_ARP_OP_REPLY, &mac_3, IP4(10, 0, 0, 2), IP4(10, 0, 0, 1)));
	hear(arp(RTE_ARP_OP_REQUEST, &mac_3, IP4(10, 0, 0, 2), IP4(10, 0, 0, 2)));
	assert_neigh(PEER4, REACHABLE);
	assert_mac(neigh(PEER4).mac.addr_bytes, &mac_2);
}

/* RFC 4861 7.2.5: without the override flag nothing is replaced. */
static void
test_na_without_override(void **state)
{
	struct tp_inet_dst dst = { 0 };

	(void)state;
	start();
	push(&dst, PEER6);
	hear(tp_pkt_build_na(test_pool(), 0, &our_mac, &mac_2, PEER6, OURS6, PEER6, 0x60));
	run_until(now + 2 * SEC);
	hear(tp_pkt_build_na(test_pool(), 0, &our_mac, &mac_3, PEER6, A6(9), PEER6, 0));
	assert_neigh(PEER6, STALE);
	assert_mac(neigh(PEER6).mac.addr_bytes, &mac_2);
	hear(tp_pkt_build_na(test_pool(), 0, &our_mac, &mac_3, PEER6, A6(9), PEER6, 0x20));
	assert_mac(neigh(PEER6).mac.addr_bytes, &mac_3);
}

static void
test_bad_macs(void **state)
{
	const struct rte_ether_addr group = { { 1, 0, 0, 0, 0, 2 } }, zero = { { 0 } };
	struct tp_inet_dst dst = { 0 };

	(void)state;
	start();
	push(&dst, PEER4);
	hear(arp(RTE_ARP_OP_REPLY, &group, IP4(10, 0, 0, 2), IP4(10, 0, 0, 1)));
	hear(arp(RTE_ARP_OP_REPLY, &zero, IP4(10, 0, 0, 2), IP4(10, 0, 0, 1)));
	hear(arp(RTE_ARP_OP_REPLY, &our_mac, IP4(10, 0, 0, 2), IP4(10, 0, 0, 1)));
	assert_neigh(PEER4, INCOMPLETE);
}

static void
test_bad_nd(void **state)
{
	/* Offset in the frame, and what is written there. */
	static const uint8_t bad[][2] = { { 21, 254 }, { 55, 1 }, { 56, 0x99 }, { 62, 0xff },
		{ 79, 0 }, { 79, 9 } };
	struct tp_inet_dst dst = { 0 };
	struct rte_mbuf *m;

	(void)state;
	start();
	push(&dst, PEER6);
	for (unsigned int i = 0; i < RTE_DIM(bad); i++) {
		m = tp_pkt_build_na(test_pool(), 0, &our_mac, &mac_2, PEER6, OURS6, PEER6, 0x60);
		*rte_pktmbuf_mtod_offset(m, uint8_t *, bad[i][0]) = bad[i][1];
		if (bad[i][0] != 56)
			fix_nd(m, 32);
		hear(m);
		assert_neigh(PEER6, INCOMPLETE);
	}
	assert_int_equal(mib(TP_INET_M_NEIGH_INVALID), RTE_DIM(bad));
	/* Half an option behind the last. */
	m = tp_pkt_build_na(test_pool(), 0, &our_mac, &mac_2, PEER6, OURS6, PEER6, 0x60);
	*rte_pktmbuf_append(m, 1) = 2;
	fix_nd(m, 33);
	hear(m);
	assert_neigh(PEER6, INCOMPLETE);
	/* A solicited answer to a group is none. */
	hear(tp_pkt_build_na(test_pool(), 0, &our_mac, &mac_2, PEER6,
	                (const uint8_t[16]){ 0xff, 2, [15] = 1 }, PEER6, 0x60));
	assert_neigh(PEER6, INCOMPLETE);
}

static void
test_other_vlan(void **state)
{
	struct tp_inet_dst dst = { 0 };

	(void)state;
	conf.vlan_tci = 42;
	start();
	push(&dst, PEER4);
	assert_int_equal(take(), 1);
	assert_int_equal(eth_of(out[0].m)->ether_type, RTE_BE16(RTE_ETHER_TYPE_VLAN));
	hear(tp_pkt_build_arp(test_pool(), RTE_ARP_OP_REPLY, 0, &our_mac, &mac_2, IP4(10, 0, 0, 2),
	                &our_mac, IP4(10, 0, 0, 1)));
	hear(tp_pkt_build_arp(test_pool(), RTE_ARP_OP_REPLY, 43, &our_mac, &mac_2, IP4(10, 0, 0, 2),
	                &our_mac, IP4(10, 0, 0, 1)));
	assert_neigh(PEER4, INCOMPLETE);
	hear(arp(RTE_ARP_OP_REPLY, &mac_2, IP4(10, 0, 0, 2), IP4(10, 0, 0, 1)));
	assert_neigh(PEER4, REACHABLE);
	assert_int_equal(take(), 1);
	assert_int_equal(out[0].m->l2_len, 18);
}

static uint32_t
count(uint8_t state)
{
	struct tp_inet_neigh_info info[1024];
	uint32_t nb = tp_inet_neighs(inet, now, info, RTE_DIM(info)), n = 0;

	for (uint32_t i = 0; i < nb; i++)
		n += info[i].state == state;
	return n;
}

/* A scan of the link neither drives established neighbours out nor asks without bound. */
static void
test_scan_is_bounded(void **state)
{
	struct tp_inet_dst dst;

	(void)state;
	conf.nb_neighs = 64;
	start();
	for (uint8_t i = 2; i < 8; i++)
		make_neigh4(i, &mac_2);
	for (uint32_t i = 10; i < 250; i++) {
		memset(&dst, 0, sizeof(dst));
		push(&dst, A4(10, 0, 0, i));
		now += MS;
		tp_inet_step(inet, now);
	}
	assert_true(mib(TP_INET_M_NEIGH_FULL) > 0);
	assert_true(take() <= 64);
	assert_true(count(TP_INET_NEIGH_INCOMPLETE) <= 64 / 4);
	for (uint8_t i = 2; i < 8; i++)
		assert_neigh(A4(10, 0, 0, i), REACHABLE);
}

/* A flood of requests for us with made-up senders fills free space only. */
static void
test_flood_of_requests(void **state)
{
	(void)state;
	conf.nb_neighs = 64;
	start();
	for (uint8_t i = 2; i < 8; i++)
		make_neigh4(i, &mac_2);
	run_until(now + 100 * SEC);
	for (uint32_t i = 10; i < 250; i++)
		hear(arp(RTE_ARP_OP_REQUEST, &mac_3, IP4(10, 0, 0, i), IP4(10, 0, 0, 1)));
	for (uint8_t i = 2; i < 8; i++)
		assert_neigh(A4(10, 0, 0, i), STALE);
	assert_int_equal(mib(TP_INET_M_NEIGH_EVICT), 0);
	/* Answers are limited. */
	assert_true(mib(TP_INET_M_NEIGH_ANSWER_LIMIT) > 0);
	assert_true(take() < 200);
	/* Our own question finds room by putting one of these out. */
	for (uint8_t i = 200; i < 208; i++) {
		struct tp_inet_dst dst = { 0 };

		tp_inet_neigh_flush(inet);
		push(&dst, A4(10, 0, 0, i));
		assert_neigh(A4(10, 0, 0, i), INCOMPLETE);
	}
}

static void
test_question_evicts_the_unused(void **state)
{
	struct tp_inet_dst dst;
	uint32_t asked = 0;

	(void)state;
	conf.nb_neighs = 64;
	conf.retrans_ns = 100 * SEC;
	start();
	for (uint32_t i = 2; i < 250; i++)
		hear(arp(RTE_ARP_OP_REQUEST, &mac_3, IP4(10, 0, 0, i), IP4(10, 0, 0, 1)));
	now += 10 * SEC;
	tp_inet_step(inet, now);
	for (uint8_t i = 0; i < 8; i++) {
		memset(&dst, 0, sizeof(dst));
		push(&dst, A4(10, 0, 0, 251 - i));
		asked += neigh(A4(10, 0, 0, 251 - i)).state != TP_INET_NEIGH_FREE;
	}
	assert_int_equal(asked, 8);
	assert_true(mib(TP_INET_M_NEIGH_EVICT) > 0);
}

/* Who was heard of just now does not make room for strangers. */
static void
test_fresh_entries_stay(void **state)
{
	struct tp_inet_dst dst;

	(void)state;
	conf.nb_neighs = 64;
	start();
	for (uint32_t i = 2; i < 250; i++) {
		memset(&dst, 0, sizeof(dst));
		push(&dst, A4(10, 0, 0, i));
		hear(arp(RTE_ARP_OP_REPLY, &mac_2, IP4(10, 0, 0, i), IP4(10, 0, 0, 1)));
		now += MS;
	}
	assert_int_equal(mib(TP_INET_M_NEIGH_EVICT), 0);
	assert_true(mib(TP_INET_M_NEIGH_FULL) > 100);
	assert_true(count(TP_INET_NEIGH_REACHABLE) > 40);
}

static void
test_questions_are_limited(void **state)
{
	struct tp_inet_dst dst;

	(void)state;
	conf.nb_neighs = 4096;
	start();
	for (uint32_t i = 2; i < 250; i++) {
		memset(&dst, 0, sizeof(dst));
		push(&dst, A4(10, 0, 0, i));
	}
	/* An eighth of a second's worth at once. */
	assert_int_equal(take(), 125);
	assert_int_equal(mib(TP_INET_M_NEIGH_SOLICIT), 125);
}

/* Another address has the entry that a connection remembers. */
static void
test_entry_given_away(void **state)
{
	struct tp_inet_dst dst = { 0 }, other;

	(void)state;
	conf.nb_neighs = 64;
	start();
	make_neigh4(2, &mac_2);
	assert_int_equal(push(&dst, PEER4), TP_INET_SEND);
	tp_inet_neigh_flush(inet);
	for (uint32_t i = 10; i < 250; i++) {
		memset(&other, 0, sizeof(other));
		push(&other, A4(10, 0, 0, i));
		hear(arp(RTE_ARP_OP_REPLY, &mac_3, IP4(10, 0, 0, i), IP4(10, 0, 0, 1)));
	}
	assert_int_equal(count(TP_INET_NEIGH_REACHABLE), 64);
	assert_int_equal(push(&dst, PEER4), TP_INET_ASK);
}

/* A connection that remembers an entry does not send to who has it now. */
static void
test_entry_that_changed_hands(void **state)
{
	struct tp_inet_dst dst = { 0 };

	(void)state;
	start();
	make_neigh4(2, &mac_2);
	assert_int_equal(push(&dst, PEER4), TP_INET_SEND);
	for (int i = 0; i < 3; i++) {
		tp_inet_neigh_flush(inet);
		make_neigh4(2, &mac_3);
		take();
		struct rte_mbuf *m = segment(0);

		assert_int_equal(tp_inet_push(worker, &dst, OURS4, PEER4, 0, m), TP_INET_SEND);
		assert_mac(&eth_of(m)->dst_addr, &mac_3);
		rte_pktmbuf_free(m);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		test(test_question_and_answer),
		test(test_question_and_answer_v6),
		test(test_no_answer),
		test(test_reachable_to_stale_to_forgotten),
		test(test_used_stale_is_probed_by_unicast),
		test(test_probe_v6_is_unicast),
		test(test_na_without_mac),
		test(test_dead_after_probes_is_asked_anew),
		test(test_confirmed_by_upper_layer),
		test(test_pending_is_bounded_each),
		test(test_pending_is_bounded_in_all),
		test(test_order_is_kept),
		test(test_pend_when_known_meanwhile),
		test(test_flush),
		test(test_reply_nobody_asked_for),
		test(test_gratuitous_makes_no_entry),
		test(test_request_for_us_makes_stale),
		test(test_request_off_link_makes_none),
		test(test_moved_mac_is_taken_and_verified),
		test(test_fresh_mac_is_held),
		test(test_na_without_override),
		test(test_bad_macs),
		test(test_bad_nd),
		test(test_other_vlan),
		test(test_scan_is_bounded),
		test(test_flood_of_requests),
		test(test_question_evicts_the_unused),
		test(test_fresh_entries_stay),
		test(test_questions_are_limited),
		test(test_entry_given_away),
		test(test_entry_that_changed_hands),
	};

	return cmocka_run_group_tests(tests, inet_group_setup, test_eal_teardown);
}
