/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* What is learned from the host's frames, and what is sent because of it. */

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <rte_arp.h>
#include <rte_ip.h>

#include "test_eal.h"
#include "tp_team.h"

#define SEC TP_NS_PER_S
#define VLAN 42
#define V4(a, b, c, d) ((const uint8_t[]){ a, b, c, d })
/* 2001:db8::x */
#define V6(x) ((const uint8_t[16]){ 0x20, 0x01, 0x0d, 0xb8, [15] = x })
/* ff05::x */
#define G6(x) ((const uint8_t[16]){ 0xff, 0x05, [15] = x })

static const struct rte_ether_addr team_mac = { { 2, 0, 0, 0, 0, 1 } };
static const struct rte_ether_addr new_mac = { { 2, 0, 0, 0, 0, 2 } };
static const struct rte_ether_addr guest_mac = { { 2, 0, 0, 0, 0, 9 } };

static struct tp_announce *ann;
static struct rte_mbuf *out[2 * TP_ANNOUNCE_MAX];
static uint16_t nb_out;
static struct tp_announce_entry entry[2 * TP_ANNOUNCE_MAX];

static int
setup(void **state)
{
	ann = tp_announce_create(SOCKET_ID_ANY);
	assert_non_null(ann);
	return test_mbufs_setup(state);
}

static int
teardown(void **state)
{
	rte_pktmbuf_free_bulk(out, nb_out);
	nb_out = 0;
	tp_announce_free(ann);
	return test_mbufs_teardown(state);
}

static void
snoop(struct rte_mbuf *m, uint64_t now)
{
	assert_non_null(m);
	tp_announce_snoop(ann, m, now);
	rte_pktmbuf_free(m);
}

static void
heard(struct rte_mbuf *m)
{
	assert_non_null(m);
	tp_announce_heard(ann, m);
	rte_pktmbuf_free(m);
}

static uint16_t
build(uint64_t now, const struct rte_ether_addr *mac)
{
	rte_pktmbuf_free_bulk(out, nb_out);
	nb_out = tp_announce_build(ann, now, mac, test_pool(), out, RTE_DIM(out));
	return nb_out;
}

static uint16_t
build_reports(uint64_t now, const struct rte_ether_addr *mac)
{
	rte_pktmbuf_free_bulk(out, nb_out);
	nb_out = tp_announce_build_reports(ann, now, mac, test_pool(), out, RTE_DIM(out));
	return nb_out;
}

static uint32_t
dump(uint64_t now)
{
	return tp_announce_dump(ann, now, entry, RTE_DIM(entry));
}

/* ---- frames of the host -------------------------------------------------------- */

static struct rte_mbuf *
arp(uint16_t op, uint16_t vlan, const struct rte_ether_addr *sha, const uint8_t *spa)
{
	rte_be32_t ip;

	memcpy(&ip, spa, 4);
	return tp_pkt_build_arp(
	                test_pool(), op, vlan, &team_mac, sha, ip, &team_mac, RTE_BE32(0x0a000001));
}

static struct rte_mbuf *
na(uint16_t vlan, const struct rte_ether_addr *mac, const uint8_t *addr, uint8_t flags)
{
	return tp_pkt_build_na(test_pool(), vlan, &team_mac, mac, addr, V6(0xfe), addr, flags);
}

static struct rte_mbuf *
ns(const struct rte_ether_addr *mac, const uint8_t *src)
{
	return tp_pkt_build_ns(test_pool(), 0, mac, src, V6(0xfe));
}

/* A frame of parts; end with NULL. */
static struct rte_mbuf *
frame(const void *hdr, uint16_t hdr_len, const void *msg, uint16_t len)
{
	struct rte_mbuf *m = test_mbuf(hdr, hdr_len);

	memcpy(rte_pktmbuf_append(m, len), msg, len);
	return m;
}

/* IPv4 with router alert, as IGMP is sent. */
static struct rte_mbuf *
igmp(const void *msg, uint16_t len)
{
	uint8_t hdr[38] = { 0x01, 0, 0x5e, 0, 0, 22, 2, 0, 0, 0, 0, 1, 0x08, 0, 0x46, 0xc0, 0,
		24 + len, 0x12, 0x34, 0, 0, 1, IPPROTO_IGMP, 0xab, 0xcd, 10, 0, 0, 5, 224, 0, 0, 22,
		0x94, 4, 0, 0 };

	return frame(hdr, sizeof(hdr), msg, len);
}

/* IPv6 with hop-by-hop options, as MLD is sent. */
static struct rte_mbuf *
mld(const void *msg, uint16_t len)
{
	uint8_t hdr[62] = { 0x33, 0x33, 0, 0, 0, 22, 2, 0, 0, 0, 0, 1, 0x86, 0xdd, 0x60, 0, 0, 0,
		(8 + len) >> 8, (8 + len) & 0xff, IPPROTO_HOPOPTS, 1, 0xfe, 0x80, [37] = 5, 0xff,
		0x02, [53] = 0x16, IPPROTO_ICMPV6, 0, 5, 2, 0, 0, 1, 0 };

	return frame(hdr, sizeof(hdr), msg, len);
}

static struct rte_mbuf *
igmp_v2(uint8_t type, const uint8_t *group)
{
	const uint8_t msg[] = { type, 0, 0, 0, group[0], group[1], group[2], group[3] };

	return igmp(msg, sizeof(msg));
}

/* One record with sources 192.0.2.first.. */
static struct rte_mbuf *
igmp_v3(uint8_t rec, const uint8_t *group, uint8_t first, uint8_t nb)
{
	uint8_t msg[16 + 4 * 32] = { 0x22, [7] = 1, rec, 0, 0, nb, group[0], group[1], group[2],
		group[3] };

	for (uint8_t i = 0; i < nb; i++)
		memcpy(msg + 16 + 4 * i, V4(192, 0, 2, first + i), 4);
	return igmp(msg, 16 + 4 * nb);
}

/* ---- addresses ------------------------------------------------------------------ */

static void
assert_garp(const struct rte_mbuf *m, uint16_t vlan, const struct rte_ether_addr *mac,
                const uint8_t *addr)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
	const struct rte_arp_hdr *a = (const void *)(p + (vlan != 0 ? 18 : 14));
	struct tp_pkt_info info;

	tp_pkt_parse(m, &info);
	assert_int_equal(info.l3, TP_L3_ARP);
	assert_true(info.flags & TP_PKT_F_BROADCAST);
	assert_int_equal(info.vlan_tci, vlan);
	assert_memory_equal(p + 6, mac, 6);
	assert_int_equal(a->arp_opcode, RTE_BE16(RTE_ARP_OP_REQUEST));
	assert_memory_equal(&a->arp_data.arp_sha, mac, 6);
	assert_memory_equal(&a->arp_data.arp_sip, addr, 4);
	assert_memory_equal(&a->arp_data.arp_tip, addr, 4);
	assert_memory_equal(&a->arp_data.arp_tha, "\0\0\0\0\0", 6);
}

static void
assert_una(const struct rte_mbuf *m, uint16_t vlan, const struct rte_ether_addr *mac,
                const uint8_t *addr, uint8_t flags)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
	const uint8_t *ip = p + (vlan != 0 ? 18 : 14), *nd = ip + 40;

	assert_memory_equal(p, "\x33\x33\0\0\0\1", 6);
	assert_memory_equal(p + 6, mac, 6);
	assert_int_equal(ip[7], 255);
	assert_memory_equal(ip + 8, addr, 16);
	assert_memory_equal(ip + 24, "\xff\2\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16);
	assert_int_equal(nd[0], 136);
	assert_int_equal(nd[4], flags);
	assert_memory_equal(nd + 8, addr, 16);
	assert_int_equal(nd[24], 2);
	assert_memory_equal(nd + 26, mac, 6);
	assert_int_equal(rte_ipv6_udptcp_cksum_verify((const void *)ip, nd), 0);
}

static void
test_arp_and_nd_teach(void **state)
{
	(void)state;
	snoop(arp(RTE_ARP_OP_REQUEST, 0, &team_mac, V4(10, 0, 0, 5)), 1);
	snoop(arp(RTE_ARP_OP_REPLY, VLAN, &team_mac, V4(10, 0, 0, 6)), 1);
	snoop(na(0, &team_mac, V6(7), 0x60), 1);
	snoop(ns(&team_mac, V6(8)), 1);
	assert_int_equal(build(2, &team_mac), 4);
	assert_garp(out[0], 0, &team_mac, V4(10, 0, 0, 5));
	assert_garp(out[1], VLAN, &team_mac, V4(10, 0, 0, 6));
	assert_una(out[2], 0, &team_mac, V6(7), 0x20);
	assert_una(out[3], 0, &team_mac, V6(8), 0x20);
}

static void
test_the_same_address_is_learned_once_per_vlan(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		snoop(arp(RTE_ARP_OP_REQUEST, 0, &team_mac, V4(10, 0, 0, 5)), i);
		snoop(arp(RTE_ARP_OP_REQUEST, VLAN, &team_mac, V4(10, 0, 0, 5)), i);
		snoop(arp(RTE_ARP_OP_REQUEST, VLAN | 0x6000, &team_mac, V4(10, 0, 0, 5)), i);
	}
	assert_int_equal(dump(3), 2);
	assert_int_equal(entry[1].vid, VLAN);
}

static void
test_an_offloaded_tag_counts(void **state)
{
	struct rte_mbuf *m = arp(RTE_ARP_OP_REQUEST, 0, &team_mac, V4(10, 0, 0, 5));

	(void)state;
	m->ol_flags |= RTE_MBUF_F_TX_VLAN;
	m->vlan_tci = VLAN;
	snoop(m, 1);
	m = arp(RTE_ARP_OP_REQUEST, 0, &team_mac, V4(10, 0, 0, 6));
	m->ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
	m->vlan_tci = VLAN + 1;
	snoop(m, 1);
	assert_int_equal(build(2, &team_mac), 2);
	assert_garp(out[0], VLAN, &team_mac, V4(10, 0, 0, 5));
	assert_garp(out[1], VLAN + 1, &team_mac, V4(10, 0, 0, 6));
}

static void
test_routers_stay_routers(void **state)
{
	/* Router advertisement with the source address option. */
	uint8_t ra[78] = { 0x33, 0x33, 0, 0, 0, 1, 2, 0, 0, 0, 0, 1, 0x86, 0xdd, 0x60, 0, 0, 0, 0,
		24, IPPROTO_ICMPV6, 255, 0x20, 0x01, 0x0d, 0xb8, [37] = 9, [54] = 134, [70] = 1, 1,
		2, 0, 0, 0, 0, 1 };

	(void)state;
	snoop(na(0, &team_mac, V6(7), 0xe0), 1);
	snoop(ns(&team_mac, V6(7)), 2);
	snoop(test_mbuf(ra, sizeof(ra)), 2);
	assert_int_equal(build(3, &team_mac), 2);
	assert_una(out[0], 0, &team_mac, V6(7), 0xa0);
	assert_una(out[1], 0, &team_mac, V6(9), 0xa0);
}

/* Frames that teach nothing: a good one with one byte changed (offset, value). */
static void
test_what_makes_no_sense_is_ignored(void **state)
{
	static const struct {
		bool v6;
		uint16_t off;
		uint8_t value;
	} bad[] = {
		{ false, 6, 0x03 },                                       /* group MAC as source */
		{ false, 21, 3 },                                         /* op: RARP */
		{ false, 22, 0x01 },                                      /* sha is a group */
		{ false, 28, 0 },                                         /* 0.0.0.5 */
		{ false, 28, 127 }, { false, 28, 224 }, { false, 15, 6 }, /* hardware: IEEE 802 */
		{ false, 18, 8 },         /* hardware address length */
		{ true, 14 + 7, 254 },    /* hop limit */
		{ true, 54 + 1, 1 },      /* code */
		{ true, 54 + 0, 137 },    /* redirect */
		{ true, 54 + 8, 0xff },   /* target is a group */
		{ true, 54 + 24 + 1, 0 }, /* option without length */
		{ true, 54 + 24 + 1, 2 }, /* option beyond the packet */
		{ true, 54 + 24 + 2, 1 }, /* group MAC in the option */
		{ true, 14 + 5, 24 },     /* half an option */
		{ true, 14 + 5, 20 },     /* half a message */
	};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(bad); i++) {
		struct rte_mbuf *m =
		                bad[i].v6 ? na(0, &team_mac, V6(7), 0x20)
		                          : arp(RTE_ARP_OP_REQUEST, 0, &team_mac, V4(10, 0, 0, 5));

		if (bad[i].v6 && bad[i].off == 19)
			rte_pktmbuf_mtod(m, uint8_t *)[19] = bad[i].value == 24 ? 28 : 20;
		else
			rte_pktmbuf_mtod(m, uint8_t *)[bad[i].off] = bad[i].value;
		snoop(m, 1);
		if (dump(1) != 0)
			fail_msg("case %zu was learned", i);
	}
	snoop(arp(RTE_ARP_OP_REQUEST, 0, &team_mac, V4(0, 0, 0, 0)), 1); /* probe */
	snoop(ns(&team_mac, (const uint8_t[16]){ 0 }), 1);               /* DAD */
	snoop(ns(&team_mac, (const uint8_t[16]){ [15] = 1 }), 1);
	assert_int_equal(dump(1), 0);
}

static void
test_two_tags_teach_nothing(void **state)
{
	struct rte_mbuf *m = arp(RTE_ARP_OP_REQUEST, VLAN, &team_mac, V4(10, 0, 0, 5));

	(void)state;
	m->ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
	m->vlan_tci = 7;
	snoop(m, 1);
	assert_int_equal(dump(1), 0);
}

static void
test_addresses_age(void **state)
{
	(void)state;
	snoop(arp(RTE_ARP_OP_REQUEST, 0, &team_mac, V4(10, 0, 0, 5)), 0);
	snoop(arp(RTE_ARP_OP_REQUEST, 0, &team_mac, V4(10, 0, 0, 6)), 100 * SEC);
	assert_int_equal(dump(600 * SEC), 2);
	assert_int_equal(entry[0].age, 600 * SEC);
	assert_int_equal(build(600 * SEC, &team_mac), 2);
	assert_int_equal(dump(601 * SEC), 1);
	assert_int_equal(build(601 * SEC, &team_mac), 1);
	assert_garp(out[0], 0, &team_mac, V4(10, 0, 0, 6));
	snoop(arp(RTE_ARP_OP_REQUEST, 0, &team_mac, V4(10, 0, 0, 6)), 650 * SEC);
	assert_int_equal(build(1200 * SEC, &team_mac), 1);
	assert_int_equal(build(1251 * SEC, &team_mac), 0);
}

static void
test_a_full_table_forgets_the_oldest(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < TP_ANNOUNCE_MAX; i++)
		snoop(arp(RTE_ARP_OP_REQUEST, 0, &team_mac, V4(10, 0, 1, i)), 1 + i);
	snoop(arp(RTE_ARP_OP_REQUEST, 0, &team_mac, V4(10, 0, 1, 0)), 100);
	snoop(arp(RTE_ARP_OP_REQUEST, 0, &team_mac, V4(10, 0, 2, 0)), 101);
	assert_int_equal(dump(101), TP_ANNOUNCE_MAX);
	for (unsigned int i = 0; i < TP_ANNOUNCE_MAX; i++)
		assert_memory_not_equal(entry[i].addr, V4(10, 0, 1, 1), 4);
	assert_memory_equal(entry[0].addr, V4(10, 0, 1, 0), 4);
	assert_memory_equal(entry[1].addr, V4(10, 0, 2, 0), 4);
}

static void
test_own_addresses(void **state)
{
	(void)state;
	assert_int_equal(tp_announce_add_own(ann, 0, 5, V4(10, 0, 0, 9)), -EINVAL);
	assert_int_equal(tp_announce_add_own(ann, 4096, 4, V4(10, 0, 0, 9)), -EINVAL);
	assert_int_equal(tp_announce_add_own(ann, 0, 4, V4(239, 0, 0, 9)), -EINVAL);
	for (unsigned int i = 0; i < TP_ANNOUNCE_MAX; i++)
		assert_int_equal(tp_announce_add_own(ann, 0, 4, V4(10, 0, 1, i)), 0);
	assert_int_equal(tp_announce_add_own(ann, 0, 4, V4(10, 0, 1, 0)), 0);
	assert_int_equal(tp_announce_add_own(ann, 0, 6, V6(1)), -ENOSPC);
	snoop(arp(RTE_ARP_OP_REQUEST, 0, &team_mac, V4(10, 0, 0, 5)), 1);
	heard(arp(RTE_ARP_OP_REQUEST, 0, &guest_mac, V4(10, 0, 1, 0)));
	assert_int_equal(build(10000 * SEC, &new_mac), TP_ANNOUNCE_MAX);
	assert_garp(out[0], 0, &new_mac, V4(10, 0, 1, 0));
	assert_int_equal(tp_announce_del_own(ann, 0, 4, V4(10, 0, 1, 0)), 0);
	assert_int_equal(tp_announce_del_own(ann, 0, 4, V4(10, 0, 1, 0)), -ENOENT);
	assert_int_equal(tp_announce_del_own(ann, 0, 9, V4(10, 0, 1, 1)), -ENOENT);
	assert_int_equal(dump(1), TP_ANNOUNCE_MAX - 1);
	assert_true(entry[0].own);
}

/* fail_over_mac: the host's addresses follow the team's MAC, guests behind it keep theirs. */
static void
test_a_new_team_mac(void **state)
{
	const struct tp_announce_entry *e = entry;

	(void)state;
	snoop(arp(RTE_ARP_OP_REQUEST, 0, &team_mac, V4(10, 0, 0, 5)), 1);
	snoop(arp(RTE_ARP_OP_REQUEST, 0, &guest_mac, V4(10, 0, 0, 6)), 1);
	snoop(igmp_v2(0x16, V4(239, 1, 1, 1)), 1);
	assert_int_equal(build(2, &team_mac), 2);
	assert_int_equal(build(2, &new_mac), 2);
	assert_garp(out[0], 0, &new_mac, V4(10, 0, 0, 5));
	assert_garp(out[1], 0, &guest_mac, V4(10, 0, 0, 6));
	assert_int_equal(dump(2), 3);
	assert_memory_equal(&e[2].mac, &new_mac, 6);
	assert_int_equal(build_reports(2, &team_mac), 1);
	assert_memory_equal(rte_pktmbuf_mtod_offset(out[0], uint8_t *, 6), &team_mac, 6);
}

/* An address that moved to another machine must not be taken back by an announcement. */
static void
test_addresses_of_others_are_forgotten(void **state)
{
	(void)state;
	snoop(arp(RTE_ARP_OP_REQUEST, 0, &team_mac, V4(10, 0, 0, 5)), 1);
	snoop(na(0, &team_mac, V6(7), 0x20), 1);
	heard(arp(RTE_ARP_OP_REQUEST, 0, &team_mac, V4(10, 0, 0, 5))); /* our own echo */
	heard(arp(RTE_ARP_OP_REQUEST, VLAN, &guest_mac, V4(10, 0, 0, 5)));
	heard(arp(RTE_ARP_OP_REQUEST, 0, &guest_mac, V4(10, 0, 0, 6)));
	heard(igmp_v2(0x16, V4(239, 1, 1, 1)));
	assert_int_equal(dump(1), 2);
	heard(arp(RTE_ARP_OP_REQUEST, 0, &guest_mac, V4(10, 0, 0, 5)));
	assert_int_equal(dump(1), 1);
	heard(na(0, &guest_mac, V6(7), 0x20));
	assert_int_equal(dump(1), 0);
}

static void
test_little_room_and_empty_pools(void **state)
{
	struct rte_mbuf *hog[TEST_POOL_SIZE];
	unsigned int nb = 0;

	(void)state;
	for (unsigned int i = 0; i < 5; i++) {
		snoop(arp(RTE_ARP_OP_REQUEST, 0, &team_mac, V4(10, 0, 1, i)), 1);
		snoop(igmp_v2(0x16, V4(239, 1, 1, i)), 1);
	}
	nb_out = tp_announce_build(ann, 1, &team_mac, test_pool(), out, 3);
	assert_int_equal(nb_out, 3);
	rte_pktmbuf_free_bulk(out, nb_out);
	nb_out = tp_announce_build_reports(ann, 1, &team_mac, test_pool(), out, 3);
	assert_int_equal(nb_out, 3);
	assert_int_equal(tp_announce_dump(ann, 1, entry, 7), 7);
	while (nb < TEST_POOL_SIZE && (hog[nb] = rte_pktmbuf_alloc(test_pool())) != NULL)
		nb++;
	rte_pktmbuf_free_bulk(hog, 2);
	rte_pktmbuf_free_bulk(out, nb_out);
	nb_out = 0;
	assert_int_equal(build(1, &team_mac), 5);
	assert_int_equal(build_reports(1, &team_mac), 5);
	rte_pktmbuf_free_bulk(hog + 2, nb - 2);
}

/* ---- groups ---------------------------------------------------------------------- */

/* The report is as the host's own headers, with the message given; lengths and sums right. */
static void
assert_report(const struct rte_mbuf *m, uint8_t family, const void *msg, uint16_t len)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *), *l4;
	struct tp_pkt_info info;

	tp_pkt_parse(m, &info);
	assert_true(info.flags & TP_PKT_F_GROUP);
	assert_false(info.flags & TP_PKT_F_BAD);
	assert_in_range(m->pkt_len, 60, 1514);
	assert_memory_equal(p + 6, &team_mac, 6);
	if (family == 4) {
		const struct rte_ipv4_hdr *ip = (const void *)(p + info.l3_off);

		l4 = p + info.l3_off + 24;
		assert_int_equal(ip->version_ihl, 0x46);
		assert_int_equal(ip->time_to_live, 1);
		assert_int_equal(rte_raw_cksum(ip, 24), 0xffff);
		assert_int_equal(rte_raw_cksum(l4, len), 0xffff);
	} else {
		struct rte_ipv6_hdr ip;

		l4 = p + info.l3_off + 48;
		assert_int_equal(info.l4_off, info.l3_off + 48);
		memcpy(&ip, p + info.l3_off, sizeof(ip));
		assert_int_equal(ip.hop_limits, 1);
		ip.proto = IPPROTO_ICMPV6;
		ip.payload_len = rte_cpu_to_be_16(len);
		assert_int_equal(rte_ipv6_udptcp_cksum_verify(&ip, l4), 0);
	}
	assert_int_equal(info.end_off, l4 + len - p);
	assert_int_equal(l4[0], ((const uint8_t *)msg)[0]);
	assert_memory_equal(l4 + 4, (const uint8_t *)msg + 4, len - 4);
}

static void
test_igmp_v1_v2(void **state)
{
	const uint8_t v1[] = { 0x12, 0, 0, 0, 239, 1, 1, 1 };
	const uint8_t v2[] = { 0x16, 0, 0, 0, 239, 1, 1, 2 };

	(void)state;
	snoop(igmp_v2(0x12, V4(239, 1, 1, 1)), 1);
	snoop(igmp_v2(0x16, V4(239, 1, 1, 2)), 1);
	snoop(igmp_v2(0x16, V4(239, 1, 1, 2)), 2);
	snoop(igmp_v2(0x11, V4(239, 1, 1, 3)), 2); /* a query */
	snoop(igmp_v2(0x16, V4(10, 1, 1, 3)), 2);  /* no group */
	assert_int_equal(build_reports(3, &team_mac), 2);
	assert_report(out[0], 4, v1, sizeof(v1));
	assert_report(out[1], 4, v2, sizeof(v2));
	snoop(igmp_v2(0x17, V4(239, 1, 1, 2)), 3);
	snoop(igmp_v2(0x17, V4(239, 1, 1, 9)), 3);
	assert_int_equal(build_reports(3, &team_mac), 1);
	assert_int_equal(build_reports(602 * SEC, &team_mac), 0);
}

/* IGMPv3 records one after the other, and the state that is reported in the end. */
static const struct v3_case {
	const char *name;
	struct {
		uint8_t rec, first, nb;
	} step[4];
	uint8_t mode; /* 0: not a member */
	uint8_t nb;
	uint8_t source[4];
} v3_cases[] = {
	{ "1 join", { { 4, 0, 0 } }, 2, 0, { 0 } },
	{ "2 join and leave", { { 4, 0, 0 }, { 3, 0, 0 } }, 0, 0, { 0 } },
	{ "3 source-specific join", { { 5, 1, 2 } }, 1, 2, { 1, 2 } },
	{ "4 one more source", { { 5, 1, 2 }, { 5, 2, 2 } }, 1, 3, { 1, 2, 3 } },
	{ "5 one source less", { { 5, 1, 3 }, { 6, 1, 1 } }, 1, 2, { 3, 2 } },
	{ "6 the last source gone", { { 5, 1, 1 }, { 6, 1, 1 } }, 0, 0, { 0 } },
	{ "7 all but some", { { 4, 1, 2 } }, 2, 2, { 1, 2 } },
	{ "8 all but one more", { { 4, 1, 1 }, { 6, 2, 1 } }, 2, 2, { 1, 2 } },
	{ "9 all but one less", { { 4, 1, 2 }, { 5, 2, 1 } }, 2, 1, { 1 } },
	{ "10 answer to a query replaces", { { 4, 1, 2 }, { 1, 7, 1 } }, 1, 1, { 7 } },
	{ "11 is exclude", { { 1, 7, 1 }, { 2, 0, 0 } }, 2, 0, { 0 } },
	{ "12 is include nothing", { { 2, 0, 0 }, { 1, 0, 0 } }, 0, 0, { 0 } },
	{ "13 more sources than we keep", { { 1, 1, 17 } }, 2, 0, { 0 } },
	{ "14 sixteen are kept", { { 1, 1, 16 }, { 6, 5, 12 } }, 1, 4, { 1, 2, 3, 4 } },
	{ "15 unknown record", { { 7, 1, 1 } }, 0, 0, { 0 } },
	{ "16 block of what nobody joined", { { 6, 1, 1 } }, 0, 0, { 0 } },
};

static void
test_igmp_v3(void **state)
{
	(void)state;
	for (size_t i = 0; i < RTE_DIM(v3_cases); i++) {
		const struct v3_case *c = &v3_cases[i];
		uint8_t want[64] = { 0x22, [7] = 1, c->mode, 0, 0, c->nb, 239, 1, 1, i };

		for (size_t k = 0; k < RTE_DIM(c->step) && c->step[k].rec != 0; k++)
			snoop(igmp_v3(c->step[k].rec, V4(239, 1, 1, i), c->step[k].first,
			                      c->step[k].nb),
			                1);
		if (build_reports(1, &team_mac) != (c->mode != 0))
			fail_msg("%s: %u reports", c->name, nb_out);
		if (c->mode == 0)
			continue;
		for (uint8_t k = 0; k < c->nb; k++)
			memcpy(want + 16 + 4 * k, V4(192, 0, 2, c->source[k]), 4);
		if (memcmp(rte_pktmbuf_mtod_offset(out[0], uint8_t *, 38 + 4), want + 4,
		                    12 + 4 * c->nb) != 0)
			fail_msg("%s", c->name);
		assert_report(out[0], 4, want, 16 + 4 * c->nb);
		snoop(igmp_v3(3, V4(239, 1, 1, i), 0, 0), 1);
	}
}

static void
test_one_report_of_several_groups(void **state)
{
	/* Join two, the first with auxiliary data, and a third whose record is cut. */
	const uint8_t msg[] = { 0x22, 0, 0, 0, 0, 0, 0, 3, 4, 1, 0, 0, 239, 1, 1, 1, 9, 9, 9, 9, 4,
		0, 0, 0, 239, 1, 1, 2, 4, 0, 0, 1, 239, 1, 1, 3 };

	(void)state;
	snoop(igmp(msg, sizeof(msg)), 1);
	assert_int_equal(dump(1), 2);
	assert_true(entry[0].group);
	assert_memory_equal(entry[0].addr, V4(239, 1, 1, 1), 4);
	assert_memory_equal(entry[1].addr, V4(239, 1, 1, 2), 4);
}

static void
test_mld(void **state)
{
	uint8_t v1[24] = { 131 }, done[24] = { 132 },
	        v2[8 + 20 + 16] = { 143, [7] = 1, 5, 0, 0, 1 };
	uint8_t want[8 + 20 + 16] = { 143, [7] = 1, 1, 0, 0, 1 };

	(void)state;
	memcpy(v1 + 8, G6(1), 16);
	memcpy(done + 8, G6(1), 16);
	memcpy(v2 + 12, G6(2), 16);
	memcpy(v2 + 28, V6(3), 16);
	memcpy(want + 12, v2 + 12, 32);
	snoop(mld(v1, sizeof(v1)), 1);
	snoop(mld(v2, sizeof(v2)), 1);
	snoop(mld(v1, 20), 1); /* cut */
	assert_int_equal(build_reports(1, &team_mac), 2);
	assert_report(out[0], 6, v1, sizeof(v1));
	assert_report(out[1], 6, want, sizeof(want));
	snoop(mld(done, sizeof(done)), 1);
	assert_int_equal(build_reports(1, &team_mac), 1);
}

static void
test_reports_with_tags(void **state)
{
	const uint8_t v2[] = { 0x16, 0, 0, 0, 239, 1, 1, 2 };
	struct rte_mbuf *m = igmp(v2, sizeof(v2));

	(void)state;
	m->ol_flags |= RTE_MBUF_F_TX_VLAN;
	m->vlan_tci = VLAN;
	snoop(m, 1);
	m = igmp(v2, sizeof(v2));
	assert_int_equal(rte_vlan_insert(&m), 0);
	rte_pktmbuf_mtod(m, uint8_t *)[15] = VLAN;
	snoop(m, 2); /* the same one */
	assert_int_equal(build_reports(1, &team_mac), 1);
	assert_report(out[0], 4, v2, sizeof(v2));
	assert_int_equal(rte_pktmbuf_mtod(out[0], uint8_t *)[15], VLAN);
}

static void
test_a_full_table_of_groups(void **state)
{
	(void)state;
	for (unsigned int i = 0; i <= TP_ANNOUNCE_MAX; i++)
		snoop(igmp_v2(0x16, V4(239, 1, 1, i)), 1 + i);
	assert_int_equal(dump(100), TP_ANNOUNCE_MAX);
	assert_memory_equal(entry[0].addr, V4(239, 1, 1, TP_ANNOUNCE_MAX), 4);
	assert_memory_equal(entry[1].addr, V4(239, 1, 1, 1), 4);
}

/* Random damage to all kinds of frames, headers over two segments too: nothing is read beyond
 * the frame (ASan), and all that is built is whole. */
static void
test_damaged_frames(void **state)
{
	(void)state;
	srand(1);
	for (unsigned int i = 0; i < 20000; i++) {
		uint8_t v2[8 + 20 + 16] = { 143, [7] = 1, 5, 0, 0, 1, [12] = 0xff, 5, [27] = 1 };
		struct rte_mbuf *m, *tail;
		uint16_t len;

		switch (i % 5) {
		case 0:
			m = arp(RTE_ARP_OP_REQUEST, i % 2, &team_mac, V4(10, 0, 0, i % 100));
			break;
		case 1:
			m = na(0, &team_mac, V6(i % 100), 0x20);
			break;
		case 2:
			m = igmp_v3(1 + i % 6, V4(239, 0, 0, i % 100), 1, i % 20);
			break;
		case 3:
			m = mld(v2, sizeof(v2));
			break;
		default:
			m = igmp_v2(0x16, V4(239, 0, 0, i % 100));
		}
		for (int n = rand() % 4; n > 0; n--)
			rte_pktmbuf_mtod(m, uint8_t *)[rand() % m->data_len] = rand();
		if (rand() % 2)
			rte_pktmbuf_trim(m, rand() % m->data_len);
		len = m->data_len;
		if (rand() % 3 == 0 && len > 1) {
			const uint16_t cut = 1 + rand() % (len - 1);

			tail = test_mbuf(rte_pktmbuf_mtod_offset(m, void *, cut), len - cut);
			rte_pktmbuf_trim(m, len - cut);
			assert_int_equal(rte_pktmbuf_chain(m, tail), 0);
		}
		tp_announce_heard(ann, m);
		snoop(m, i);
	}
	assert_in_range(build(20000, &team_mac), 10, TP_ANNOUNCE_MAX);
	assert_in_range(build_reports(20000, &team_mac), 10, TP_ANNOUNCE_MAX);
	for (uint16_t i = 0; i < nb_out; i++) {
		struct tp_pkt_info info;

		tp_pkt_parse(out[i], &info);
		assert_true(info.flags & TP_PKT_F_GROUP);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_arp_and_nd_teach),
		TEST(test_the_same_address_is_learned_once_per_vlan),
		TEST(test_an_offloaded_tag_counts),
		TEST(test_routers_stay_routers),
		TEST(test_what_makes_no_sense_is_ignored),
		TEST(test_two_tags_teach_nothing),
		TEST(test_addresses_age),
		TEST(test_a_full_table_forgets_the_oldest),
		TEST(test_own_addresses),
		TEST(test_a_new_team_mac),
		TEST(test_addresses_of_others_are_forgotten),
		TEST(test_little_room_and_empty_pools),
		TEST(test_igmp_v1_v2),
		TEST(test_igmp_v3),
		TEST(test_one_report_of_several_groups),
		TEST(test_mld),
		TEST(test_reports_with_tags),
		TEST(test_a_full_table_of_groups),
		TEST(test_damaged_frames),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
