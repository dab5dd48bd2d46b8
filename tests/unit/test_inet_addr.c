/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* The team's addresses: claiming, announcing, defending, answering. */

#include "test_inet.h"

#define NEW4 A4(10, 0, 0, 7)
#define NEW6 A6(7)

static const uint8_t zero16[16];

static struct tp_inet_addr_info
addr_info(const uint8_t *addr)
{
	struct tp_inet_addr_info info[TP_INET_MAX_ADDRS];
	uint32_t nb = tp_inet_addrs(inet, info, RTE_DIM(info));

	for (uint32_t i = 0; i < nb; i++)
		if (memcmp(info[i].addr, addr, 16) == 0)
			return info[i];
	fail_msg("no such address");
	return info[0];
}

#define assert_addr(addr, state_)                                                                  \
	assert_string_equal(tp_inet_addr_state_name(addr_info(addr).state),                        \
	                tp_inet_addr_state_name(TP_INET_##state_))

static void
start_with_dad(void)
{
	conf.dad_probes = 3;
	inet = tp_inet_create(&conf, now);
	assert_non_null(inet);
	start_worker();
}

/* ---- claiming ------------------------------------------------------------------------ */

/* RFC 5227 1.1: three probes within 1 s and 1 to 2 s apart, 2 s of waiting, two announcements. */
static void
test_dad_v4(void **state)
{
	uint64_t begin = now;
	const struct rte_arp_hdr *a;

	(void)state;
	start_with_dad();
	assert_int_equal(tp_inet_addr_add(inet, NEW4, 24, now), 0);
	assert_addr(NEW4, TENTATIVE);
	assert_true(tp_inet_is_configured(inet, NEW4));
	assert_false(tp_inet_is_local(inet, NEW4));
	run_until(begin + 1001 * MS);
	assert_int_equal(take(), 1);
	assert_int_equal(out[0].member, TP_MEMBER_NONE);
	a = arp_of(out[0].m);
	assert_int_equal(a->arp_opcode, RTE_BE16(RTE_ARP_OP_REQUEST));
	assert_int_equal(a->arp_data.arp_sip, 0);
	assert_int_equal(a->arp_data.arp_tip, IP4(10, 0, 0, 7));
	assert_true(rte_is_zero_ether_addr(&a->arp_data.arp_tha));
	run_until(begin + 3900 * MS);
	assert_addr(NEW4, TENTATIVE);
	run_until(begin + 7010 * MS);
	assert_int_equal(take(), 3);
	assert_addr(NEW4, PREFERRED);
	assert_true(tp_inet_is_local(inet, NEW4));
	a = arp_of(out[2].m);
	assert_int_equal(out[2].member, TP_INET_MEMBER_ALL);
	assert_int_equal(a->arp_data.arp_sip, IP4(10, 0, 0, 7));
	assert_int_equal(a->arp_data.arp_tip, IP4(10, 0, 0, 7));
	run_until(begin + 60 * SEC);
	assert_int_equal(take(), 1);
	assert_int_equal(tp_inet_next(inet), TP_NEVER);
}

/* RFC 4862 5.4: one NS from ::, then a second. */
static void
test_dad_v6(void **state)
{
	uint64_t begin = now;

	(void)state;
	start_with_dad();
	assert_int_equal(tp_inet_addr_add(inet, NEW6, 64, now), 0);
	run_until(begin + 1001 * MS);
	assert_int_equal(take(), 1);
	assert_int_equal(icmp6_of(out[0].m)[0], 135);
	assert_memory_equal(icmp6_of(out[0].m) - 32, zero16, 16);
	assert_memory_equal(icmp6_of(out[0].m) + 8, NEW6, 16);
	run_until(begin + 2010 * MS);
	assert_addr(NEW6, PREFERRED);
	run_until(begin + 60 * SEC);
	assert_int_equal(take(), 2);
	assert_int_equal(icmp6_of(out[0].m)[0], 136);
	assert_int_equal(icmp6_of(out[0].m)[4], 0x20);
}

static void
test_conflict_v4(void **state)
{
	uint64_t begin = now;
	uint32_t version;

	(void)state;
	start_with_dad();
	tp_inet_addr_add(inet, NEW4, 24, now);
	run_until(begin + 1500 * MS);
	version = tp_inet_version(inet);
	hear(arp(RTE_ARP_OP_REPLY, &mac_2, IP4(10, 0, 0, 7), IP4(0, 0, 0, 0)));
	assert_addr(NEW4, DUPLICATE);
	assert_int_equal(tp_inet_version(inet), version + 1);
	assert_int_equal(addr_info(NEW4).nb_conflicts, 1);
	assert_mac(addr_info(NEW4).rival.addr_bytes, &mac_2);
	run_until(begin + 60 * SEC);
	assert_false(tp_inet_is_local(inet, NEW4));
	/* It is tried again after a minute (RATE_LIMIT_INTERVAL). */
	run_until(begin + 70 * SEC);
	assert_addr(NEW4, PREFERRED);
}

/* RFC 5227 2.1.1: another one that probes for it at the same time is a conflict, too. */
static void
test_conflict_of_probes(void **state)
{
	(void)state;
	start_with_dad();
	tp_inet_addr_add(inet, NEW4, 24, now);
	tp_inet_addr_add(inet, NEW6, 64, now);
	/* Our own, come back. */
	hear(tp_pkt_build_arp(test_pool(), RTE_ARP_OP_REQUEST, 0, &bcast, &our_mac, 0, &mac_2,
	                IP4(10, 0, 0, 7)));
	hear(tp_pkt_build_ns(test_pool(), 0, &our_mac, zero16, NEW6));
	assert_addr(NEW4, TENTATIVE);
	assert_addr(NEW6, TENTATIVE);
	hear(arp(RTE_ARP_OP_REQUEST, &mac_2, 0, IP4(10, 0, 0, 7)));
	hear(tp_pkt_build_ns(test_pool(), 0, &mac_2, zero16, NEW6));
	assert_addr(NEW4, DUPLICATE);
	assert_addr(NEW6, DUPLICATE);
	assert_int_equal(mib(TP_INET_M_DAD_CONFLICT), 2);
}

static void
test_conflict_v6(void **state)
{
	(void)state;
	start_with_dad();
	tp_inet_addr_add(inet, NEW6, 64, now);
	hear(tp_pkt_build_na(test_pool(), 0, &our_mac, &mac_2, NEW6,
	                (const uint8_t[16]){ 0xff, 2, [15] = 1 }, NEW6, 0x20));
	assert_addr(NEW6, DUPLICATE);
}

/* RFC 5227 2.4 (c): it stays ours; claims are answered once in ten seconds. */
static void
test_defence(void **state)
{
	(void)state;
	start();
	for (int i = 0; i < 5; i++)
		hear(arp(RTE_ARP_OP_REQUEST, &mac_2, IP4(10, 0, 0, 1), IP4(10, 0, 0, 1)));
	assert_int_equal(take(), 1);
	assert_int_equal(out[0].member, TP_INET_MEMBER_ALL);
	assert_true(tp_inet_is_local(inet, OURS4));
	assert_int_equal(addr_info(OURS4).nb_conflicts, 5);
	run_until(now + 11 * SEC);
	hear(arp(RTE_ARP_OP_REQUEST, &mac_2, IP4(10, 0, 0, 1), IP4(10, 0, 0, 1)));
	hear(tp_pkt_build_na(test_pool(), 0, &our_mac, &mac_2, OURS6,
	                (const uint8_t[16]){ 0xff, 2, [15] = 1 }, OURS6, 0x20));
	assert_int_equal(take(), 2);
	/* Nobody became a neighbour by it. */
	assert_neigh(OURS4, FREE);
	assert_neigh(OURS6, FREE);
}

/* ---- answering ------------------------------------------------------------------------- */

static void
test_answer_arp(void **state)
{
	const struct rte_arp_hdr *a;

	(void)state;
	start();
	hear(arp(RTE_ARP_OP_REQUEST, &mac_2, IP4(10, 0, 0, 2), IP4(10, 0, 0, 1)));
	assert_int_equal(take(), 1);
	assert_int_equal(out[0].member, MEMBER);
	assert_mac(&eth_of(out[0].m)->dst_addr, &mac_2);
	a = arp_of(out[0].m);
	assert_int_equal(a->arp_opcode, RTE_BE16(RTE_ARP_OP_REPLY));
	assert_mac(&a->arp_data.arp_sha, &our_mac);
	assert_int_equal(a->arp_data.arp_sip, IP4(10, 0, 0, 1));
	assert_int_equal(a->arp_data.arp_tip, IP4(10, 0, 0, 2));
	/* A probe for it, as well; not what others have. */
	hear(arp(RTE_ARP_OP_REQUEST, &mac_3, 0, IP4(10, 0, 0, 1)));
	hear(arp(RTE_ARP_OP_REQUEST, &mac_3, IP4(10, 0, 0, 3), IP4(10, 0, 0, 4)));
	assert_int_equal(take(), 1);
	assert_int_equal(arp_of(out[0].m)->arp_data.arp_tip, 0);
	assert_neigh(A4(10, 0, 0, 3), FREE);
}

static void
test_answer_ns(void **state)
{
	struct rte_mbuf *m;

	(void)state;
	start();
	hear(tp_pkt_build_ns(test_pool(), 0, &mac_2, A6(2), OURS6));
	assert_int_equal(take(), 1);
	assert_int_equal(out[0].member, MEMBER);
	assert_mac(&eth_of(out[0].m)->dst_addr, &mac_2);
	assert_int_equal(icmp6_of(out[0].m)[0], 136);
	assert_int_equal(icmp6_of(out[0].m)[4], 0x60);
	assert_memory_equal(icmp6_of(out[0].m) - 16, A6(2), 16);
	assert_neigh(A6(2), STALE);
	/* Nobody is answered at a MAC that no host has. */
	m = tp_pkt_build_ns(test_pool(), 0, &mac_3, A6(3), OURS6);
	memset(rte_pktmbuf_mtod_offset(m, uint8_t *, 80), 0xff, 6);
	fix_nd(m, 32);
	hear(m);
	assert_int_equal(take(), 0);
	/* To all nodes, not solicited, for who has no address yet (RFC 4861 7.2.4). */
	hear(tp_pkt_build_ns(test_pool(), 0, &mac_3, zero16, OURS6));
	assert_int_equal(take(), 1);
	assert_int_equal(eth_of(out[0].m)->dst_addr.addr_bytes[0], 0x33);
	assert_int_equal(icmp6_of(out[0].m)[4], 0x20);
	assert_true(tp_inet_is_local(inet, OURS6));
}

static void
test_tentative_is_not_answered(void **state)
{
	(void)state;
	start_with_dad();
	tp_inet_addr_add(inet, NEW4, 24, now);
	hear(arp(RTE_ARP_OP_REQUEST, &mac_2, IP4(10, 0, 0, 2), IP4(10, 0, 0, 7)));
	assert_int_equal(take(), 0);
}

/* --neigh host: the host answers, probes and defends. */
static void
test_host_answers(void **state)
{
	(void)state;
	conf.answer = false;
	conf.dad_probes = 3;
	start();
	assert_true(tp_inet_is_local(inet, OURS4));
	hear(arp(RTE_ARP_OP_REQUEST, &mac_2, IP4(10, 0, 0, 2), IP4(10, 0, 0, 1)));
	hear(tp_pkt_build_ns(test_pool(), 0, &mac_2, A6(2), OURS6));
	hear(arp(RTE_ARP_OP_REQUEST, &mac_2, IP4(10, 0, 0, 1), IP4(10, 0, 0, 1)));
	assert_int_equal(take(), 0);
	assert_int_equal(mib(TP_INET_M_DAD_CONFLICT), 0);
}

/* ---- the set ----------------------------------------------------------------------------- */

static void
test_add_del(void **state)
{
	uint32_t version;

	(void)state;
	start();
	version = tp_inet_version(inet);
	assert_int_equal(tp_inet_addr_add(inet, OURS4, 24, now), -EEXIST);
	assert_int_equal(tp_inet_addr_add(inet, NEW4, 0, now), -EINVAL);
	assert_int_equal(tp_inet_addr_add(inet, NEW4, 33, now), -EINVAL);
	assert_int_equal(tp_inet_addr_add(inet, NEW6, 129, now), -EINVAL);
	assert_int_equal(tp_inet_addr_add(inet, A4(224, 0, 0, 1), 24, now), -EINVAL);
	assert_int_equal(tp_inet_addr_add(inet, A4(127, 0, 0, 1), 8, now), -EINVAL);
	assert_int_equal(tp_inet_addr_add(inet, zero16, 64, now), -EINVAL);
	assert_int_equal(tp_inet_addr_add(inet, (const uint8_t[16]){ 0xff, 2, [15] = 1 }, 64, now),
	                -EINVAL);
	assert_int_equal(tp_inet_version(inet), version);
	assert_int_equal(tp_inet_addr_add(inet, NEW4, 32, now), 0);
	assert_int_not_equal(tp_inet_version(inet), version);
	assert_int_equal(tp_inet_addr_del(inet, NEW4), 0);
	assert_int_equal(tp_inet_addr_del(inet, NEW4), -ENOENT);
	assert_false(tp_inet_is_configured(inet, NEW4));
	run_until(now + 10 * SEC);
	assert_int_equal(take(), 0);
}

static void
test_full(void **state)
{
	struct tp_inet_addr_info info[TP_INET_MAX_ADDRS + 1];
	int rc = 0;

	(void)state;
	start();
	for (uint8_t i = 10; i < 60 && rc == 0; i++)
		rc = tp_inet_addr_add(inet, A4(10, 0, 1, i), 24, now);
	assert_int_equal(rc, -ENOSPC);
	assert_int_equal(tp_inet_addrs(inet, info, RTE_DIM(info)), TP_INET_MAX_ADDRS);
	assert_int_equal(tp_inet_addrs(inet, info, 5), 5);
}

/* RFC 4291 appendix A; a new MAC makes a new one. */
static void
test_link_local(void **state)
{
	const uint8_t first[16] = { 0xfe, 0x80, [11] = 0xff, [12] = 0xfe, [15] = 1 };
	const uint8_t second[16] = { 0xfe, 0x80, [11] = 0xff, [12] = 0xfe, [15] = 3 };
	struct tp_inet_dst dst = { 0 };

	(void)state;
	conf.link_local = true;
	start();
	assert_true(tp_inet_is_local(inet, first));
	assert_true(addr_info(first).link_local);
	assert_int_equal(addr_info(first).prefix_len, 64);
	assert_int_equal(tp_inet_set_mac(inet, &mac_3, now), 0);
	assert_true(tp_inet_is_local(inet, second));
	assert_false(tp_inet_is_configured(inet, first));
	assert_int_equal(tp_inet_set_mac(inet, &mac_3, now), 0);
	assert_int_equal(tp_inet_set_mac(inet, &bcast, now), -EINVAL);
	run_until(now + 5 * SEC);
	take();
	/* Questions come from the new MAC. */
	push(&dst, A4(10, 0, 0, 2));
	assert_int_equal(take(), 1);
	assert_mac(&arp_of(out[0].m)->arp_data.arp_sha, &mac_3);
}

static void
test_bad_conf(void **state)
{
	(void)state;
	conf.nb_neighs = 100;
	assert_null(tp_inet_create(&conf, now));
	assert_int_equal(rte_errno, EINVAL);
	conf.nb_neighs = 64;
	conf.mtu = 500;
	assert_null(tp_inet_create(&conf, now));
	conf.mtu = 1500;
	conf.pool = NULL;
	assert_null(tp_inet_create(&conf, now));
	conf.pool = test_pool();
	conf.mac = bcast;
	assert_null(tp_inet_create(&conf, now));
	conf.mac = our_mac;
	start();
}

static void
test_names(void **state)
{
	(void)state;
	for (int i = 0; i < TP_INET_NB_MIB; i++) {
		assert_true(strlen(tp_inet_mib_name(i)) > 0);
		assert_true(strlen(tp_inet_mib_text(i)) > 0);
	}
	for (int i = 0; i < TP_INET_NB_NEIGH_STATES; i++)
		assert_non_null(tp_inet_neigh_state_name(i));
	for (int i = 0; i < TP_INET_NB_ADDR_STATES; i++)
		assert_non_null(tp_inet_addr_state_name(i));
}

/* What nobody takes does not grow. */
static void
test_out_is_bounded(void **state)
{
	(void)state;
	start();
	for (int i = 0; i < 400; i++) {
		now += 2 * MS;
		hear(arp(RTE_ARP_OP_REQUEST, &mac_2, IP4(10, 0, 0, 2), IP4(10, 0, 0, 1)));
	}
	assert_int_equal(take(), 256);
	assert_int_equal(mib(TP_INET_M_NO_MBUF), 400 - 256);
}

/* ---- groups and routers ------------------------------------------------------------------ */

/* Groups of a report: last bytes of the addresses that they belong to. */
static uint32_t
report_groups(const struct rte_mbuf *m, uint8_t type, uint8_t *last)
{
	const struct rte_ether_addr group = { { 0x33, 0x33, 0, 0, 0, 0x16 } };
	const uint8_t *ip = rte_pktmbuf_mtod_offset(m, const uint8_t *, 14), *msg = ip + 48;
	uint32_t nb = msg[6] << 8 | msg[7];
	struct tp_pkt_info info;

	tp_pkt_parse(m, &info);
	assert_int_equal(info.flags & (TP_PKT_F_GROUP | TP_PKT_F_BAD), TP_PKT_F_GROUP);
	assert_int_equal(info.end_off, m->pkt_len);
	assert_int_equal(m->pkt_len, 14 + 48 + 8 + 20 * nb);
	assert_mac(&eth_of(m)->dst_addr, &group);
	assert_int_equal(ip[7], 1);
	assert_true(frame_l4_ok(ip, IPPROTO_ICMPV6, msg, 8 + 20 * nb));
	for (uint32_t i = 0; i < nb; i++) {
		assert_int_equal(msg[8 + 20 * i], type);
		assert_int_equal(msg[12 + 20 * i], 0xff);
		last[i] = msg[27 + 20 * i];
	}
	return nb;
}

/* RFC 3810 6.1: two reports of a change; then what stands, for switches that forget. */
static void
test_groups(void **state)
{
	uint8_t last[8];

	(void)state;
	conf.mld = true;
	start();
	assert_int_equal(tp_inet_addr_add(inet, NEW6, 64, now), 0);
	run_until(now + 500 * MS);
	assert_int_equal(take(), 2); /* with the announcement */
	assert_int_equal(report_groups(out[0].m, 4, last), 2);
	assert_int_equal(last[0], 1);
	assert_int_equal(last[1], 7);
	assert_memory_equal(icmp6_of(out[0].m) - 32, zero16, 16);
	run_until(now + 10 * SEC);
	assert_int_equal(take(), 2);
	assert_int_equal(report_groups(out[0].m, 4, last), 2);
	run_until(now + 120 * SEC);
	assert_int_equal(take(), 2);
	assert_int_equal(report_groups(out[1].m, 2, last), 2);
	tp_inet_addr_del(inet, NEW6);
	tp_inet_addr_del(inet, OURS6);
	run_until(now + 120 * SEC);
	assert_int_equal(take(), 0);
	assert_int_equal(tp_inet_next(inet), TP_NEVER);
}

static void
test_announce_all(void **state)
{
	uint8_t last[8];

	(void)state;
	conf.mld = true;
	start();
	tp_inet_announce(inet, now);
	run_until(now + 100 * MS);
	assert_int_equal(take(), 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(out[i].member, TP_INET_MEMBER_ALL);
	assert_int_equal(arp_of(out[0].m)->arp_data.arp_sip, IP4(10, 0, 0, 1));
	assert_int_equal(icmp6_of(out[1].m)[0], 136);
	assert_int_equal(report_groups(out[2].m, 4, last), 1);
}

/* RFC 4861 6.3.7: three times, from an address that is ours, until a router was heard. */
static void
test_router_solicitation(void **state)
{
	const uint8_t *ip;
	uint32_t nb = 0;

	(void)state;
	conf.accept_ra = true;
	conf.link_local = true;
	conf.dad_probes = 1;
	inet = tp_inet_create(&conf, now);
	assert_non_null(inet);
	run_until(now + 60 * SEC);
	take();
	for (uint16_t i = 0; i < nb_out; i++) {
		if (icmp6_of(out[i].m)[0] != 133)
			continue;
		nb++;
		ip = icmp6_of(out[i].m) - 40;
		assert_int_equal(ip[7], 255);
		assert_int_equal(ip[8], 0xfe);
		assert_int_equal(ip[24 + 15], 2);
		assert_mac(icmp6_of(out[i].m) + 10, &our_mac);
		assert_true(frame_l4_ok(ip, IPPROTO_ICMPV6, icmp6_of(out[i].m), 16));
	}
	assert_int_equal(nb, 3);
	assert_int_equal(tp_inet_next(inet), TP_NEVER);
}

/* Only the groups; addresses are not announced. */
static void
test_report_all(void **state)
{
	uint8_t last[8];

	(void)state;
	conf.mld = true;
	start();
	assert_true(tp_inet_next(inet) > now + 100 * MS);
	tp_inet_report(inet, now);
	run_until(now + 10 * SEC);
	/* As often as the robustness says (RFC 3810 9.1). */
	assert_int_equal(take(), 2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(out[i].member, TP_INET_MEMBER_ALL);
		assert_int_equal(report_groups(out[i].m, 4, last), 1);
		assert_int_equal(last[0], 1);
	}
}

static void
test_report_of_nothing(void **state)
{
	(void)state;
	start(); /* without MLD */
	tp_inet_report(inet, now);
	run_until(now + 100 * SEC);
	assert_int_equal(take(), 0);
	assert_int_equal(tp_inet_next(inet), TP_NEVER);
}

/* Without buffers nothing is reported; that is counted, and told at the next chance. */
static void
test_report_without_buffers(void **state)
{
	static struct rte_mbuf *all[TEST_POOL_SIZE];
	unsigned int nb = 0;

	(void)state;
	conf.mld = true;
	start();
	while (nb < TEST_POOL_SIZE && (all[nb] = rte_pktmbuf_alloc(test_pool())) != NULL)
		nb++;
	tp_inet_report(inet, now);
	run_until(now + 10 * SEC);
	rte_pktmbuf_free_bulk(all, nb);
	assert_int_equal(take(), 0);
	assert_true(mib(TP_INET_M_NO_MBUF) > 0);
	tp_inet_report(inet, now);
	run_until(now + 10 * SEC);
	assert_int_equal(take(), 2);
}

/* ---- addresses as such -------------------------------------------------------------------- */

static void
test_mapped(void **state)
{
	uint8_t addr[TP_INET_LEN];

	(void)state;
	memset(addr, 0xee, sizeof(addr));
	tp_inet_map_v4(addr, IP4(192, 0, 2, 255));
	assert_memory_equal(addr, A4(192, 0, 2, 255), sizeof(addr));
	assert_int_equal(tp_inet_v4(addr), IP4(192, 0, 2, 255));
	assert_int_equal(tp_inet_v4(A4(0, 0, 0, 0)), 0);
	assert_int_equal(tp_inet_v4(A4(255, 255, 255, 255)), UINT32_MAX);
	assert_true(tp_inet_is_v4(addr));
	assert_false(tp_inet_is_v4(OURS6));
}

static void
test_what_a_host_may_have(void **state)
{
	static const uint8_t may4[][4] = { { 1, 0, 0, 0 }, { 126, 255, 255, 255 }, { 128, 0, 0, 0 },
		{ 10, 0, 0, 1 }, { 169, 254, 0, 1 }, { 223, 255, 255, 255 } };
	static const uint8_t not4[][4] = { { 0, 0, 0, 0 }, { 127, 0, 0, 0 }, { 127, 0, 0, 1 },
		{ 127, 255, 255, 255 }, { 224, 0, 0, 0 }, { 239, 255, 255, 255 }, { 240, 0, 0, 0 },
		{ 255, 255, 255, 255 } };
	static const uint8_t may6[][16] = { { 0xfe, 0x80, [15] = 1 }, { 0xfe, 0xff, [15] = 1 },
		{ 0x20, 1, [15] = 1 }, { 0xfd, [15] = 1 }, { [11] = 1, [15] = 2 },
		{ 0, 0x64, 0xff, 0x9b, [12] = 10, [15] = 1 } };
	static const uint8_t not6[][16] = { { 0 }, { [15] = 1 }, { 0xff, 2, [15] = 1 }, { 0xff },
		{ 0xff, 0xff, [15] = 0xff }, { [15] = 2 }, { [12] = 10, [15] = 1 } };

	(void)state;
	for (unsigned int i = 0; i < RTE_DIM(may4); i++)
		assert_true(tp_inet_is_unicast(A4(may4[i][0], may4[i][1], may4[i][2], may4[i][3])));
	for (unsigned int i = 0; i < RTE_DIM(not4); i++)
		assert_false(tp_inet_is_unicast(
		                A4(not4[i][0], not4[i][1], not4[i][2], not4[i][3])));
	for (unsigned int i = 0; i < RTE_DIM(may6); i++)
		assert_true(tp_inet_is_unicast(may6[i]));
	for (unsigned int i = 0; i < RTE_DIM(not6); i++)
		assert_false(tp_inet_is_unicast(not6[i]));
}

/* ---- ends and header of a packet ------------------------------------------------------------ */

static struct frame f;

/* opt_len bytes of options: IPv4 only. */
static struct rte_mbuf *
packet(bool v4, uint8_t opt_len, struct tp_pkt_info *info)
{
	struct rte_mbuf *m;

	frame_reset(&f);
	frame_eth(&f);
	if (v4)
		frame_ip4(&f, IPPROTO_UDP, opt_len);
	else
		frame_ip6(&f, IPPROTO_UDP);
	frame_udp(&f);
	frame_end(&f);
	if (v4)
		frame_be16(f.b + f.ip4 + 10, ~frame_sum(f.b + f.ip4, 20 + opt_len, 0));
	m = test_mbuf(f.b, f.len);
	tp_pkt_parse(m, info);
	return m;
}

static void
test_ends(void **state)
{
	uint8_t src[TP_INET_LEN], dst[TP_INET_LEN];
	struct tp_pkt_info info;
	struct rte_mbuf *m = packet(true, 0, &info);

	(void)state;
	assert_true(tp_inet_ends(m, &info, src, dst));
	assert_memory_equal(src, A4(10, 0, 0, 1), 16);
	assert_memory_equal(dst, A4(10, 1, 0, 2), 16);
	rte_pktmbuf_trim(m, f.len - 14 - 19);
	assert_false(tp_inet_ends(m, &info, src, dst));
	rte_pktmbuf_free(m);

	m = packet(false, 0, &info);
	assert_true(tp_inet_ends(m, &info, src, dst));
	assert_memory_equal(src, A6(1), 16);
	assert_memory_equal(dst, A6(2), 16);
	rte_pktmbuf_trim(m, f.len - 14 - 39);
	assert_false(tp_inet_ends(m, &info, src, dst));
	rte_pktmbuf_free(m);

	m = arp(RTE_ARP_OP_REQUEST, &mac_2, IP4(10, 0, 0, 2), IP4(10, 0, 0, 1));
	tp_pkt_parse(m, &info);
	assert_false(tp_inet_ends(m, &info, src, dst));
	rte_pktmbuf_free(m);
}

/* The header in two pieces. */
static struct rte_mbuf *
split(struct rte_mbuf *m, uint32_t at)
{
	struct rte_mbuf *head = test_mbuf(f.b, at);

	assert_int_equal(rte_pktmbuf_chain(head, test_mbuf(f.b + at, f.len - at)), 0);
	rte_pktmbuf_free(m);
	return head;
}

static void
test_header_checksum(void **state)
{
	static const uint8_t lens[] = { 0, 4, 40 };
	struct tp_pkt_info info;

	(void)state;
	for (unsigned int i = 0; i < RTE_DIM(lens); i++) {
		struct rte_mbuf *m = packet(true, lens[i], &info);

		assert_true(tp_inet_hdr_ok(m, &info));
		for (uint32_t at = 14 + 1; at < 34u + lens[i]; at++) {
			rte_pktmbuf_mtod(m, uint8_t *)[at] ^= 0x10;
			assert_false(tp_inet_hdr_ok(m, &info));
			rte_pktmbuf_mtod(m, uint8_t *)[at] ^= 0x10;
		}
		m = split(m, 34 + lens[i] - 1);
		assert_true(tp_inet_hdr_ok(m, &info));
		rte_pktmbuf_mtod(m, uint8_t *)[22] ^= 1;
		assert_false(tp_inet_hdr_ok(m, &info));
		/* What the port said is believed. */
		m->ol_flags = RTE_MBUF_F_RX_IP_CKSUM_GOOD;
		assert_true(tp_inet_hdr_ok(m, &info));
		m->ol_flags = RTE_MBUF_F_RX_IP_CKSUM_NONE;
		assert_true(tp_inet_hdr_ok(m, &info));
		rte_pktmbuf_mtod(m, uint8_t *)[22] ^= 1;
		m->ol_flags = RTE_MBUF_F_RX_IP_CKSUM_BAD;
		assert_false(tp_inet_hdr_ok(m, &info));
		m->ol_flags = RTE_MBUF_F_RX_IP_CKSUM_UNKNOWN;
		assert_true(tp_inet_hdr_ok(m, &info));
		rte_pktmbuf_free(m);
	}
}

static void
test_header_that_is_not_there(void **state)
{
	struct tp_pkt_info info;
	struct rte_mbuf *m = packet(true, 8, &info);
	uint8_t *ip;

	(void)state;
	rte_pktmbuf_trim(m, f.len - 14 - 27);
	assert_false(tp_inet_hdr_ok(m, &info));
	rte_pktmbuf_trim(m, 8);
	assert_false(tp_inet_hdr_ok(m, &info));
	rte_pktmbuf_free(m);
	/* A length below that of a header, and these octets' sum is right. */
	m = packet(true, 0, &info);
	ip = rte_pktmbuf_mtod_offset(m, uint8_t *, 14);
	ip[0] = 0x44;
	frame_be16(ip + 10, 0);
	frame_be16(ip + 10, ~frame_sum(ip, 16, 0));
	assert_false(tp_inet_hdr_ok(m, &info));
	rte_pktmbuf_free(m);
	m = packet(false, 0, &info);
	m->ol_flags = RTE_MBUF_F_RX_IP_CKSUM_BAD;
	assert_true(tp_inet_hdr_ok(m, &info)); /* IPv6 has none */
	rte_pktmbuf_free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		test(test_dad_v4),
		test(test_dad_v6),
		test(test_conflict_v4),
		test(test_conflict_of_probes),
		test(test_conflict_v6),
		test(test_defence),
		test(test_answer_arp),
		test(test_answer_ns),
		test(test_tentative_is_not_answered),
		test(test_host_answers),
		test(test_add_del),
		test(test_full),
		test(test_link_local),
		test(test_bad_conf),
		test(test_names),
		test(test_out_is_bounded),
		test(test_groups),
		test(test_announce_all),
		test(test_report_all),
		test(test_report_of_nothing),
		test(test_report_without_buffers),
		test(test_mapped),
		test(test_what_a_host_may_have),
		test(test_ends),
		test(test_header_checksum),
		test(test_header_that_is_not_there),
		test(test_router_solicitation),
	};

	return cmocka_run_group_tests(tests, inet_group_setup, test_eal_teardown);
}
