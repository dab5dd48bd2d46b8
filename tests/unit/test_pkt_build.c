/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <rte_arp.h>

#include "test_eal.h"
#include "test_frames.h"
#include "tp_pkt.h"

static const struct rte_ether_addr mac_a = { { 2, 0, 0, 0, 0, 0xa } };
static const struct rte_ether_addr mac_b = { { 2, 0, 0, 0, 0, 0xb } };
static const uint8_t ip_a[16] = { 0xfe, 0x80, [15] = 0x0a };
static const uint8_t ip_b[16] = { 0xfe, 0x80, [12] = 1, 0x22, 0x33, 0x44 };
static const uint8_t none[16];

static const uint8_t *
bytes(const struct rte_mbuf *m)
{
	assert_int_equal(m->nb_segs, 1);
	return rte_pktmbuf_mtod(m, const uint8_t *);
}

static void
arp_request(void **state)
{
	static const uint8_t want[60] = { 2, 0, 0, 0, 0, 0xb, 2, 0, 0, 0, 0, 0xa, 8, 6, 0, 1, 8, 0,
		6, 4, 0, 1, 2, 0, 0, 0, 0, 0xa, 10, 0, 0, 1, 2, 0, 0, 0, 0, 0xb, 10, 0, 0, 2 };
	struct tp_pkt_info info;
	struct rte_mbuf *m;

	(void)state;
	m = tp_pkt_build_arp(test_pool(), RTE_ARP_OP_REQUEST, 0, &mac_b, &mac_a,
	                RTE_BE32(0x0a000001), &mac_b, RTE_BE32(0x0a000002));
	assert_non_null(m);
	assert_int_equal(m->pkt_len, sizeof(want));
	assert_memory_equal(bytes(m), want, sizeof(want));
	tp_pkt_parse(m, &info);
	assert_int_equal(info.flags, TP_PKT_F_NEIGH);
	rte_pktmbuf_free(m);
}

static void
arp_reply_in_a_vlan(void **state)
{
	static const uint8_t tag[6] = { 0x81, 0, 0x0f, 0xff, 8, 6 };
	struct rte_mbuf *m;

	(void)state;
	m = tp_pkt_build_arp(test_pool(), RTE_ARP_OP_REPLY, 0xfff, &mac_b, &mac_a, 1, &mac_b, 2);
	assert_non_null(m);
	assert_int_equal(m->pkt_len, 60);
	assert_memory_equal(bytes(m) + 12, tag, sizeof(tag));
	assert_int_equal(frame_get16(bytes(m) + 18 + 6), RTE_ARP_OP_REPLY);
	rte_pktmbuf_free(m);
}

/* Ethernet and IPv6 around an ND message, its checksum included. */
static void
check_nd(const struct rte_mbuf *m, const uint8_t *eth, uint16_t l2_len, const uint8_t *src,
                const uint8_t *dst, uint16_t len)
{
	const uint8_t *ip = bytes(m) + l2_len;

	assert_int_equal(m->pkt_len, l2_len + 40 + len);
	assert_memory_equal(bytes(m), eth, 6);
	assert_memory_equal(bytes(m) + 6, &mac_a, 6);
	assert_int_equal(frame_get16(ip - 2), 0x86dd);
	assert_int_equal(frame_get32(ip), 0x60000000);
	assert_int_equal(frame_get16(ip + 4), len);
	assert_int_equal(ip[6], IPPROTO_ICMPV6);
	assert_int_equal(ip[7], 255);
	assert_memory_equal(ip + 8, src, 16);
	assert_memory_equal(ip + 24, dst, 16);
	assert_true(frame_l4_ok(ip, IPPROTO_ICMPV6, ip + 40, len));
}

static void
neighbour_solicitation(void **state)
{
	static const uint8_t group[16] = { 0xff, 2, [11] = 1, 0xff, 0x22, 0x33, 0x44 };
	static const uint8_t eth[6] = { 0x33, 0x33, 0xff, 0x22, 0x33, 0x44 };
	static const uint8_t option[8] = { 1, 1, 2, 0, 0, 0, 0, 0xa };
	struct tp_pkt_info info;
	struct rte_mbuf *m;

	(void)state;
	m = tp_pkt_build_ns(test_pool(), 0, &mac_a, ip_a, ip_b);
	assert_non_null(m);
	check_nd(m, eth, 14, ip_a, group, 32);
	assert_int_equal(frame_get32(bytes(m) + 54) >> 16, 135 << 8);
	assert_memory_equal(bytes(m) + 62, ip_b, 16);
	assert_memory_equal(bytes(m) + 78, option, sizeof(option));
	tp_pkt_parse(m, &info);
	assert_int_equal(info.flags, TP_PKT_F_MULTICAST | TP_PKT_F_NEIGH | TP_PKT_F_L4);
	rte_pktmbuf_free(m);

	/* RFC 4861 4.3: no option from the unspecified address. */
	m = tp_pkt_build_ns(test_pool(), 5, &mac_a, none, ip_b);
	assert_non_null(m);
	check_nd(m, eth, 18, none, group, 24);
	rte_pktmbuf_free(m);
}

static void
neighbour_advertisement(void **state)
{
	static const uint8_t option[8] = { 2, 1, 2, 0, 0, 0, 0, 0xa };
	struct rte_mbuf *m;

	(void)state;
	m = tp_pkt_build_na(test_pool(), 0, &mac_b, &mac_a, ip_a, ip_b, ip_a, 0x60);
	assert_non_null(m);
	check_nd(m, mac_b.addr_bytes, 14, ip_a, ip_b, 32);
	assert_int_equal(bytes(m)[54], 136);
	assert_int_equal(frame_get32(bytes(m) + 58), 0x60000000);
	assert_memory_equal(bytes(m) + 62, ip_a, 16);
	assert_memory_equal(bytes(m) + 78, option, sizeof(option));
	rte_pktmbuf_free(m);
}

static void
no_buffers_no_frame(void **state)
{
	struct rte_mempool *tiny = rte_pktmbuf_pool_create(
	                "tiny", 1, 0, 0, RTE_PKTMBUF_HEADROOM + 50, SOCKET_ID_ANY);
	struct rte_mbuf *m;

	(void)state;
	assert_non_null(tiny);
	/* One, but too small. */
	assert_null(tp_pkt_build_arp(tiny, 1, 0, &mac_b, &mac_a, 1, &mac_b, 2));
	assert_null(tp_pkt_build_ns(tiny, 0, &mac_a, ip_a, ip_b));
	assert_null(tp_pkt_build_na(tiny, 0, &mac_b, &mac_a, ip_a, ip_b, ip_a, 0));
	/* None. */
	m = rte_pktmbuf_alloc(tiny);
	assert_non_null(m);
	assert_null(tp_pkt_build_arp(tiny, 1, 0, &mac_b, &mac_a, 1, &mac_b, 2));
	assert_null(tp_pkt_build_ns(tiny, 0, &mac_a, ip_a, ip_b));
	assert_null(tp_pkt_build_na(tiny, 0, &mac_b, &mac_a, ip_a, ip_b, ip_a, 0));
	assert_null(tp_pkt_copy(m, tiny));
	rte_pktmbuf_free(m);
	rte_mempool_free(tiny);
}

static void
copy_is_deep_and_of_one_segment(void **state)
{
	struct rte_mempool *small = rte_pktmbuf_pool_create(
	                "small", 1, 0, 0, RTE_PKTMBUF_HEADROOM + 7, SOCKET_ID_ANY);
	struct rte_mbuf *m = test_mbuf("abcd", 4), *tail = test_mbuf("efg", 3), *copy;

	(void)state;
	assert_non_null(small);
	assert_int_equal(rte_pktmbuf_chain(m, tail), 0);
	m->ol_flags = RTE_MBUF_F_TX_VLAN;
	m->vlan_tci = 9;
	m->tso_segsz = 1448;
	copy = tp_pkt_copy(m, small);
	assert_non_null(copy);
	assert_int_equal(copy->pkt_len, 7);
	assert_memory_equal(bytes(copy), "abcdefg", 7);
	assert_int_equal(copy->ol_flags, RTE_MBUF_F_TX_VLAN);
	assert_int_equal(copy->vlan_tci, 9);
	assert_int_equal(copy->tso_segsz, 1448);
	assert_int_equal(rte_pktmbuf_headroom(copy), RTE_PKTMBUF_HEADROOM);
	rte_pktmbuf_free(copy);

	assert_non_null(rte_pktmbuf_append(m, 1));
	assert_null(tp_pkt_copy(m, small));
	rte_pktmbuf_free(m);
	rte_mempool_free(small);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, test_mbufs_setup, test_mbufs_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(arp_request),
		TEST(arp_reply_in_a_vlan),
		TEST(neighbour_solicitation),
		TEST(neighbour_advertisement),
		TEST(no_buffers_no_frame),
		TEST(copy_is_deep_and_of_one_segment),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
