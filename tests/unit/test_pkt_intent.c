/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <errno.h>
#include <stdio.h>

#include "test_eal.h"
#include "test_frames.h"
#include "tp_pkt.h"

#define PARTIAL RTE_MBUF_F_RX_L4_CKSUM_NONE
#define COALESCED (RTE_MBUF_F_RX_LRO | RTE_MBUF_F_RX_L4_CKSUM_NONE)

#define TX_IP4 RTE_MBUF_F_TX_IPV4
#define TX_IP6 RTE_MBUF_F_TX_IPV6
#define TX_TCP RTE_MBUF_F_TX_TCP_CKSUM
#define TX_UDP RTE_MBUF_F_TX_UDP_CKSUM
#define TX_TSO4 (RTE_MBUF_F_TX_TCP_SEG | TX_TCP | TX_IP4 | RTE_MBUF_F_TX_IP_CKSUM)
#define TX_UFO4 (RTE_MBUF_F_TX_UDP_SEG | TX_UDP | TX_IP4 | RTE_MBUF_F_TX_IP_CKSUM)

static void
make_tcp4(struct frame *f)
{
	frame_ip4(f, IPPROTO_TCP, 0);
	frame_tcp(f, 12);
	frame_payload(f, 1000);
}

static void
make_syn4(struct frame *f)
{
	frame_ip4(f, IPPROTO_TCP, 0);
	frame_tcp(f, 0)[13] = 0x02;
	frame_payload(f, 1000);
}

static void
make_rst4(struct frame *f)
{
	frame_ip4(f, IPPROTO_TCP, 0);
	frame_tcp(f, 0)[13] = 0x14;
	frame_payload(f, 1000);
}

static void
make_tcp4_opt(struct frame *f)
{
	frame_ip4(f, IPPROTO_TCP, 8);
	frame_tcp(f, 0);
	frame_payload(f, 1000);
}

static void
make_tcp6(struct frame *f)
{
	frame_tag(f, 0x8100, 5);
	frame_ip6(f, IPPROTO_TCP);
	frame_tcp(f, 0);
	frame_payload(f, 1000);
}

static void
make_tcp6_ext(struct frame *f)
{
	frame_ip6(f, IPPROTO_DSTOPTS);
	frame_ext(f, IPPROTO_DSTOPTS, IPPROTO_TCP, 16);
	frame_tcp(f, 0);
	frame_payload(f, 1000);
}

static void
make_tcp6_long_ext(struct frame *f)
{
	frame_ip6(f, IPPROTO_DSTOPTS);
	frame_ext(f, IPPROTO_DSTOPTS, IPPROTO_TCP, 472); /* 512 of L3: 9 bits hold 511 */
	frame_tcp(f, 0);
}

static void
make_tcp6_routed(struct frame *f)
{
	frame_ip6(f, IPPROTO_ROUTING);
	frame_ext(f, IPPROTO_ROUTING, IPPROTO_TCP, 24)[3] = 1;
	frame_tcp(f, 0);
}

static void
make_udp4(struct frame *f)
{
	frame_ip4(f, IPPROTO_UDP, 0);
	frame_udp(f);
	frame_payload(f, 1000);
}

static void
make_udp4_opt(struct frame *f)
{
	frame_ip4(f, IPPROTO_UDP, 4);
	frame_udp(f);
	frame_payload(f, 1000);
}

static void
make_udp6(struct frame *f)
{
	frame_ip6(f, IPPROTO_UDP);
	frame_udp(f);
	frame_payload(f, 1000);
}

static void
make_sctp4(struct frame *f)
{
	frame_ip4(f, IPPROTO_SCTP, 0);
	frame_sctp(f);
	frame_payload(f, 1000);
}

static void
make_icmp4(struct frame *f)
{
	frame_ip4(f, IPPROTO_ICMP, 0);
	frame_icmp(f, 8);
}

static void
make_frag4(struct frame *f)
{
	make_udp4(f);
	frame_be16(f->b + f->ip4 + 6, 0x2000);
}

static void
make_cut4(struct frame *f)
{
	make_tcp4(f);
	frame_end(f);
	f->len -= 1;
	f->ip4 = 0;
}

static void
make_llc(struct frame *f)
{
	frame_type(f, 46);
	frame_payload(f, 46);
}

/* What a port says of a frame, and what it must become. */
static const struct sample {
	const char *name;
	void (*make)(struct frame *f);
	uint64_t rx;
	uint16_t segsz;
	int rc;
	uint64_t tx;
	uint16_t l2_len, l3_len, l4_len, segsz_out;
} samples[] = {
	{ "nothing said", make_tcp4, 0 },
	{ "all is good", make_tcp4,
	                RTE_MBUF_F_RX_L4_CKSUM_GOOD | RTE_MBUF_F_RX_IP_CKSUM_GOOD |
	                                RTE_MBUF_F_RX_RSS_HASH | RTE_MBUF_F_RX_FDIR },
	{ "bad goes on as it is", make_tcp4,
	                RTE_MBUF_F_RX_L4_CKSUM_BAD | RTE_MBUF_F_RX_IP_CKSUM_BAD },
	{ "partial tcp4", make_tcp4, PARTIAL, 0, 0, TX_TCP | TX_IP4, 14, 20, 32 },
	{ "partial tcp4, options", make_tcp4_opt, PARTIAL, 0, 0, TX_TCP | TX_IP4, 14, 28, 20 },
	{ "partial tcp6, tag", make_tcp6, PARTIAL, 0, 0, TX_TCP | TX_IP6, 18, 40, 20 },
	{ "partial tcp6, extension", make_tcp6_ext, PARTIAL, 0, 0, TX_TCP | TX_IP6, 14, 56, 20 },
	{ "partial udp4", make_udp4, PARTIAL, 0, 0, TX_UDP | TX_IP4, 14, 20, 8 },
	{ "partial sctp4", make_sctp4, PARTIAL, 0, 0, RTE_MBUF_F_TX_SCTP_CKSUM | TX_IP4, 14, 20,
	                12 },
	{ "partial ip", make_frag4, RTE_MBUF_F_RX_IP_CKSUM_NONE, 0, 0,
	                RTE_MBUF_F_TX_IP_CKSUM | TX_IP4, 14, 20 },
	{ "partial ip of ipv6", make_udp6, RTE_MBUF_F_RX_IP_CKSUM_NONE, 0, 0, 0, 14 },
	{ "partial icmp", make_icmp4, PARTIAL, 0, -EINVAL },
	{ "partial fragment", make_frag4, PARTIAL, 0, -EINVAL },
	{ "partial, cut off", make_cut4, PARTIAL, 0, -EINVAL },
	{ "partial of no ip", make_llc, PARTIAL, 0, -EINVAL },
	{ "partial, source routed", make_tcp6_routed, PARTIAL, 0, -EINVAL },
	{ "partial, header too long", make_tcp6_long_ext, PARTIAL, 0, -EINVAL },
	{ "lro tcp4", make_tcp4, COALESCED, 500, 0, TX_TSO4, 14, 20, 32, 500 },
	{ "lro tcp4, checksum good", make_tcp4, RTE_MBUF_F_RX_LRO | RTE_MBUF_F_RX_L4_CKSUM_GOOD,
	                999, 0, TX_TSO4, 14, 20, 32, 999 },
	{ "lro tcp6", make_tcp6, COALESCED, 500, 0, RTE_MBUF_F_TX_TCP_SEG | TX_TCP | TX_IP6, 18, 40,
	                20, 500 },
	{ "lro udp4", make_udp4, COALESCED, 500, 0, TX_UFO4, 14, 20, 8, 500 },
	{ "lro udp6", make_udp6, COALESCED, 500, 0, RTE_MBUF_F_TX_UDP_SEG | TX_UDP | TX_IP6, 14, 40,
	                8, 500 },
	{ "lro of one segment", make_tcp4, COALESCED, 1000, 0, TX_TCP | TX_IP4, 14, 20, 32 },
	{ "lro of one fragment", make_udp4, COALESCED, 1008, 0, TX_UDP | TX_IP4, 14, 20, 8 },
	{ "lro, no size", make_tcp4, COALESCED, 0, 0, TX_TCP | TX_IP4, 14, 20, 32 },
	{ "lro, tiny size", make_tcp4, COALESCED, 47, 0, TX_TCP | TX_IP4, 14, 20, 32 },
	{ "lro, least size", make_tcp4, COALESCED, 48, 0, TX_TSO4, 14, 20, 32, 48 },
	{ "lro syn", make_syn4, COALESCED, 500, 0, TX_TCP | TX_IP4, 14, 20, 20 },
	{ "lro rst", make_rst4, COALESCED, 500, 0, TX_TCP | TX_IP4, 14, 20, 20 },
	{ "lro udp4, options", make_udp4_opt, COALESCED, 500, 0, TX_UDP | TX_IP4, 14, 24, 8 },
	{ "lro sctp4", make_sctp4, RTE_MBUF_F_RX_LRO, 500, 0, 0, 14 },
	{ "lro fragment", make_frag4, RTE_MBUF_F_RX_LRO, 500, 0, 0, 14 },
	{ "legacy checksum, wrong protocol", make_udp4, TX_TCP | TX_IP6, 0, 0, TX_UDP | TX_IP4, 14,
	                20, 8 },
	{ "legacy tso", make_tcp4, TX_TSO4, 500, 0, TX_TSO4, 14, 20, 32, 500 },
	{ "legacy tso of udp", make_udp4, TX_TSO4, 500, 0, TX_UFO4, 14, 20, 8, 500 },
	{ "legacy of no ip", make_llc, TX_TSO4, 500, -EINVAL },
	{ "tag", make_tcp4, RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED, 0, 0,
	                RTE_MBUF_F_TX_VLAN },
	{ "tag seen, not stripped", make_tcp6, RTE_MBUF_F_RX_VLAN },
	{ "two tags", make_tcp4,
	                RTE_MBUF_F_RX_QINQ | RTE_MBUF_F_RX_QINQ_STRIPPED |
	                                RTE_MBUF_F_RX_VLAN_STRIPPED,
	                0, 0, RTE_MBUF_F_TX_QINQ },
	{ "tag and partial", make_tcp4, RTE_MBUF_F_RX_VLAN_STRIPPED | PARTIAL, 0, 0,
	                RTE_MBUF_F_TX_VLAN | TX_TCP | TX_IP4, 14, 20, 32 },
	{ "a stale request for a tag", make_tcp4, RTE_MBUF_F_TX_VLAN | RTE_MBUF_F_TX_MACSEC },
};

static struct frame frame;

static struct rte_mbuf *
sample_mbuf(const struct sample *s)
{
	struct rte_mbuf *m;

	frame_reset(&frame);
	frame_eth(&frame);
	s->make(&frame);
	frame_end(&frame);
	m = test_mbuf(frame.b, frame.len);
	m->ol_flags = s->rx;
	m->tso_segsz = s->segsz;
	/* Lies, as from a guest. */
	m->l2_len = 99;
	m->l3_len = 77;
	m->l4_len = 55;
	m->vlan_tci = 1;
	m->vlan_tci_outer = 2;
	return m;
}

static void
check_sample(const struct sample *s, const struct tp_pkt_info *info)
{
	struct rte_mbuf *m = sample_mbuf(s);
	int rc = tp_pkt_rx_to_intent(m, info);

	if (rc != s->rc || (rc == 0 && m->ol_flags != s->tx)) {
		fprintf(stderr, "%s: rc %d, flags %#lx\n", s->name, rc, m->ol_flags);
		fail();
	}
	if (rc == 0 && s->l2_len != 0) {
		assert_int_equal(m->l2_len, s->l2_len);
		assert_int_equal(m->l3_len, s->l3_len);
		assert_int_equal(m->l4_len, s->l4_len);
		assert_int_equal(m->tso_segsz, s->segsz_out);
	}
	rte_pktmbuf_free(m);
}

static void
what_ports_say_becomes_intent(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < RTE_DIM(samples); i++)
		check_sample(&samples[i], NULL);
}

static void
a_parse_result_is_used(void **state)
{
	struct tp_pkt_info info;
	struct rte_mbuf *m;

	(void)state;
	for (unsigned int i = 0; i < RTE_DIM(samples); i++) {
		m = sample_mbuf(&samples[i]);
		tp_pkt_parse(m, &info);
		rte_pktmbuf_free(m);
		check_sample(&samples[i], &info);
	}
}

static void
outer_tag_alone_becomes_the_tag(void **state)
{
	struct rte_mbuf *m;

	(void)state;
	m = sample_mbuf(&(struct sample){ .make = make_tcp6,
	                .rx = RTE_MBUF_F_RX_QINQ | RTE_MBUF_F_RX_QINQ_STRIPPED });
	assert_int_equal(tp_pkt_rx_to_intent(m, NULL), 0);
	assert_int_equal(m->ol_flags, RTE_MBUF_F_TX_VLAN);
	assert_int_equal(m->vlan_tci, 2);
	rte_pktmbuf_free(m);
}

/* Where the data lies is no offload. */
static void
other_flags_stay(void **state)
{
	static const uint64_t said[] = { RTE_MBUF_F_RX_RSS_HASH, PARTIAL };
	struct rte_mbuf *m, *clone;

	(void)state;
	for (unsigned int i = 0; i < RTE_DIM(said); i++) {
		m = sample_mbuf(&samples[0]);
		clone = rte_pktmbuf_clone(m, test_pool());
		assert_non_null(clone);
		clone->ol_flags |= said[i] | RTE_MBUF_F_FIRST_FREE;
		assert_int_equal(tp_pkt_rx_to_intent(clone, NULL), 0);
		assert_int_equal(clone->ol_flags & ~RTE_MBUF_F_TX_OFFLOAD_MASK,
		                RTE_MBUF_F_INDIRECT | RTE_MBUF_F_FIRST_FREE);
		rte_pktmbuf_free(clone);
		rte_pktmbuf_free(m);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, test_mbufs_setup, test_mbufs_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_ports_say_becomes_intent),
		TEST(a_parse_result_is_used),
		TEST(outer_tag_alone_becomes_the_tag),
		TEST(other_flags_stay),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
