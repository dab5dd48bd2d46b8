/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* ARP and ND probes: intervals, targets, carrier, and replies that are none. */
#include <string.h>

#include <rte_arp.h>
#include <rte_ethdev.h>
#include <rte_ip.h>

#include "test_link.h"
#include "tp_pkt.h"

#define MS TP_NS_PER_MS
#define TARGET RTE_BE32(0x0a000001)
#define TARGET2 RTE_BE32(0x0a000002)
#define OURS RTE_BE32(0x0a000063)

static const struct rte_ether_addr mac = { { 0x02, 0, 0, 0, 0, 0x63 } };
static const struct rte_ether_addr peer = { { 0x02, 0, 0, 0, 0, 0x01 } };
static const uint8_t target6[16] = { 0xfd, [15] = 1 };
static const uint8_t ours6[16] = { 0xfd, [15] = 0x63 };
static const uint8_t ours_ll[16] = { 0xfe, 0x80, [11] = 0xff, 0xfe, 0, 0, 0x63 };

static struct tp_wire *wire;
static struct tp_link *watched;
static struct tp_link_ctx ctx;
static struct tp_link_conf conf;
static struct tp_link_in in;
static struct tp_link_out out;
static uint64_t now;

static int
setup(void **state)
{
	wire = test_link_wire(state);
	if (wire == NULL)
		return -1;
	ctx = (struct tp_link_ctx){
		.port_id = tp_wire_port(wire, TP_WIRE_A),
		.pool = test_pool(),
		.mac = mac,
	};
	tp_link_conf_default(&conf, ctx.port_id);
	conf.watches = TP_LINK_W(TP_LINK_ARP);
	conf.nb_ip4 = 1;
	conf.ip4[0] = TARGET;
	conf.ip4[1] = TARGET2;
	conf.src_ip4 = OURS;
	conf.nb_ip6 = 1;
	memcpy(conf.ip6[0], target6, 16);
	in = (struct tp_link_in){ .running = true };
	now = 0;
	return 0;
}

static int
teardown(void **state)
{
	return test_link_wire_end(state, wire, &watched);
}

static void
start(void)
{
	watched = tp_link_create(&ctx, &conf, now);
	assert_non_null(watched);
}

/* @return probes of this look; they are freed */
static unsigned int
look(uint64_t ms)
{
	now += ms * MS;
	tp_link_poll(watched, now, &in, &out);
	rte_pktmbuf_free_bulk(out.pkts, out.nb_pkts);
	return out.nb_pkts;
}

static bool
up(void)
{
	return tp_link_verdict(watched).up;
}

static struct rte_mbuf *
arp_reply(rte_be32_t from)
{
	return tp_pkt_build_arp(test_pool(), RTE_ARP_OP_REPLY, conf.vlan_tci, &mac, &peer, from,
	                &mac, conf.src_ip4);
}

static struct rte_mbuf *
na(uint8_t flags)
{
	return tp_pkt_build_na(
	                test_pool(), conf.vlan_tci, &mac, &peer, target6, ours6, target6, flags);
}

/* @return whether it was accepted; the frame is freed */
static bool
give(struct rte_mbuf *m)
{
	bool ok = tp_link_frame(watched, m, now);

	rte_pktmbuf_free(m);
	return ok;
}

static void
test_arp_probe_is_a_request_to_the_target(void **state)
{
	const struct rte_ether_hdr *eth;
	const struct rte_arp_hdr *arp;

	(void)state;
	start();
	tp_link_poll(watched, now, &in, &out);
	assert_int_equal(out.nb_pkts, 1);
	eth = rte_pktmbuf_mtod(out.pkts[0], const struct rte_ether_hdr *);
	arp = (const struct rte_arp_hdr *)(eth + 1);
	assert_true(rte_is_broadcast_ether_addr(&eth->dst_addr));
	assert_true(rte_is_same_ether_addr(&eth->src_addr, &mac));
	assert_int_equal(arp->arp_opcode, RTE_BE16(RTE_ARP_OP_REQUEST));
	assert_int_equal(arp->arp_data.arp_sip, OURS);
	assert_int_equal(arp->arp_data.arp_tip, TARGET);
	rte_pktmbuf_free(out.pkts[0]);
	assert_int_equal(tp_link_next(watched), 100 * MS);
	assert_int_equal(look(99), 0);
	assert_int_equal(look(1), 1);
	assert_int_equal(tp_link_stats(watched).probes, 2);
}

static void
test_down_after_missed_max_and_up_with_a_reply(void **state)
{
	(void)state;
	conf.missed_max = 3;
	start();
	look(0);
	for (unsigned int i = 0; i < 5; i++) {
		assert_true(give(arp_reply(TARGET)));
		look(100);
	}
	assert_true(up());
	look(100);
	look(100);
	assert_true(up());
	look(100);
	assert_false(up());
	assert_int_equal(tp_link_verdict(watched).down, TP_LINK_W(TP_LINK_ARP));
	assert_int_equal(look(100), 1); /* it goes on asking */
	assert_true(give(arp_reply(TARGET)));
	assert_true(up());
	assert_int_equal(tp_link_verdict(watched).since, now);
	/* Missed ones count in a row. */
	for (unsigned int i = 0; i < 10; i++) {
		look(100);
		look(100);
		assert_true(up());
		give(arp_reply(TARGET));
	}
	assert_int_equal(tp_link_stats(watched).changes, 2);
}

static void
test_never_answered_from_the_start(void **state)
{
	(void)state;
	start();
	look(0);
	look(100);
	assert_true(up());
	look(100);
	assert_false(up());
}

static void
test_any_or_all_targets(void **state)
{
	(void)state;
	conf.nb_ip4 = 2;
	for (unsigned int all = 0; all < 2; all++) {
		conf.all_targets = all;
		start();
		assert_int_equal(look(0), 2);
		for (unsigned int i = 0; i < 4; i++) {
			assert_true(give(arp_reply(TARGET2)));
			look(100);
		}
		assert_int_equal(up(), !all);
		assert_true(give(arp_reply(TARGET)));
		assert_true(up());
		tp_link_destroy(watched);
		watched = NULL;
	}
}

static void
test_without_carrier_nothing_is_asked(void **state)
{
	(void)state;
	conf.watches |= TP_LINK_W(TP_LINK_POLL);
	start();
	assert_int_equal(look(0), 1);
	give(arp_reply(TARGET));
	tp_wire_set_carrier(wire, false);
	assert_int_equal(look(1), 0);
	assert_int_equal(tp_link_verdict(watched).down,
	                TP_LINK_W(TP_LINK_POLL) | TP_LINK_W(TP_LINK_ARP));
	assert_int_equal(look(500), 0);
	/* It is back: asked at once, believed when answered. */
	tp_wire_set_carrier(wire, true);
	tp_wire_sync(wire);
	assert_int_equal(look(1), 1);
	assert_int_equal(tp_link_verdict(watched).down, TP_LINK_W(TP_LINK_ARP));
	look(100);
	assert_false(up());
	assert_true(give(arp_reply(TARGET)));
	assert_true(up());
}

static void
test_unvalidated_any_frame_counts(void **state)
{
	(void)state;
	conf.validate = false;
	start();
	look(0);
	for (unsigned int i = 0; i < 5; i++) {
		in.rx_packets++;
		look(100);
	}
	assert_true(up());
	look(100);
	look(100);
	assert_false(up());
	in.rx_packets++;
	look(100);
	assert_true(up());
}

static void
test_validated_other_frames_do_not_count(void **state)
{
	(void)state;
	start();
	look(0);
	for (unsigned int i = 0; i < 3; i++) {
		in.rx_packets += 1000;
		look(100);
	}
	assert_false(up());
}

static void
test_empty_pool_is_counted(void **state)
{
	struct rte_mbuf *all[TEST_POOL_SIZE + 1];
	unsigned int n = 0;

	(void)state;
	start();
	while ((all[n] = rte_pktmbuf_alloc(test_pool())) != NULL)
		n++;
	assert_int_equal(look(0), 0);
	assert_int_equal(tp_link_stats(watched).no_mbuf, 1);
	rte_pktmbuf_free_bulk(all, n);
	assert_int_equal(look(100), 1);
}

static void
test_new_mac_is_used_and_expected(void **state)
{
	static const struct rte_ether_addr other = { { 0x02, 0, 0, 0, 0, 0x64 } };
	struct rte_mbuf *m;

	(void)state;
	start();
	tp_link_set_mac(watched, &other);
	assert_false(give(arp_reply(TARGET)));
	m = tp_pkt_build_arp(test_pool(), RTE_ARP_OP_REPLY, 0, &other, &peer, TARGET, &other, OURS);
	assert_true(give(m));
}

static struct rte_arp_hdr *
arp_of(struct rte_mbuf *m)
{
	return rte_pktmbuf_mtod_offset(m, struct rte_arp_hdr *, sizeof(struct rte_ether_hdr));
}

static void
test_arp_frames_that_are_no_reply_to_us(void **state)
{
	struct rte_mbuf *m;
	uint64_t ignored = 0;

	(void)state;
	start();
#define HOSTILE(change)                                                                            \
	do {                                                                                       \
		m = arp_reply(TARGET);                                                             \
		change;                                                                            \
		assert_false(give(m));                                                             \
		assert_int_equal(tp_link_stats(watched).ignored, ++ignored);                       \
	} while (0)
	HOSTILE(arp_of(m)->arp_opcode = RTE_BE16(RTE_ARP_OP_REQUEST));
	HOSTILE(arp_of(m)->arp_opcode = RTE_BE16(RTE_ARP_OP_REVREPLY));
	HOSTILE(arp_of(m)->arp_data.arp_sip = TARGET2); /* not configured */
	HOSTILE(arp_of(m)->arp_data.arp_sip = OURS);
	HOSTILE(arp_of(m)->arp_data.arp_tip = TARGET);
	HOSTILE(arp_of(m)->arp_data.arp_tha = peer);
	HOSTILE(arp_of(m)->arp_data.arp_sha = mac); /* our own, reflected */
	HOSTILE(arp_of(m)->arp_data.arp_sha.addr_bytes[0] = 1);
	HOSTILE(memset(&arp_of(m)->arp_data.arp_sha, 0, 6));
	HOSTILE(arp_of(m)->arp_hlen = 8);
	HOSTILE(arp_of(m)->arp_plen = 16);
	HOSTILE(arp_of(m)->arp_hardware = RTE_BE16(2));
	HOSTILE(arp_of(m)->arp_protocol = RTE_BE16(RTE_ETHER_TYPE_IPV6));
	HOSTILE(memset(rte_pktmbuf_mtod(m, void *), 0xff, 6)); /* gratuitous: asked by nobody */
	HOSTILE(rte_pktmbuf_mtod(m, struct rte_ether_hdr *)->ether_type =
	                                RTE_BE16(RTE_ETHER_TYPE_IPV4));
	for (uint16_t len = 0; len < 14 + sizeof(struct rte_arp_hdr); len++)
		HOSTILE(rte_pktmbuf_trim(m, m->pkt_len - len));
	HOSTILE((rte_pktmbuf_free(m), m = tp_pkt_build_arp(test_pool(), RTE_ARP_OP_REPLY, 5, &mac,
	                                              &peer, TARGET, &mac, OURS)));
	assert_true(give(arp_reply(TARGET)));
}

static void
test_vlan_of_probe_and_reply(void **state)
{
	struct rte_mbuf *m;

	(void)state;
	conf.vlan_tci = 5;
	conf.watches |= TP_LINK_W(TP_LINK_ND);
	memcpy(conf.src_ip6, ours6, 16);
	start();
	tp_link_poll(watched, now, &in, &out);
	assert_int_equal(out.nb_pkts, 2);
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(rte_pktmbuf_mtod(out.pkts[i], struct rte_ether_hdr *)->ether_type,
		                RTE_BE16(RTE_ETHER_TYPE_VLAN));
	rte_pktmbuf_free_bulk(out.pkts, out.nb_pkts);
	assert_true(give(arp_reply(TARGET)));
	assert_true(give(na(0x40)));
	/* Priority bits do not matter, the VLAN does. */
	m = arp_reply(TARGET);
	*rte_pktmbuf_mtod_offset(m, uint8_t *, 14) |= 0xe0;
	assert_true(give(m));
	m = arp_reply(TARGET);
	*rte_pktmbuf_mtod_offset(m, uint8_t *, 15) = 6;
	assert_false(give(m));
	m = tp_pkt_build_arp(test_pool(), RTE_ARP_OP_REPLY, 0, &mac, &peer, TARGET, &mac, OURS);
	assert_false(give(m));
	/* A second tag is another network. */
	m = arp_reply(TARGET);
	memmove(rte_pktmbuf_prepend(m, 4), rte_pktmbuf_mtod_offset(m, void *, 4), 16);
	memcpy(rte_pktmbuf_mtod_offset(m, void *, 12), "\x88\xa8\x00\x05", 4);
	assert_false(give(m));
	/* Stripped by the port. */
	m = tp_pkt_build_arp(test_pool(), RTE_ARP_OP_REPLY, 0, &mac, &peer, TARGET, &mac, OURS);
	m->ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
	m->vlan_tci = 5;
	assert_true(give(m));
}

static void
use_nd(bool with_source)
{
	conf.watches = TP_LINK_W(TP_LINK_ND);
	if (with_source)
		memcpy(conf.src_ip6, ours6, 16);
	start();
}

static void
test_nd_probe_and_answer(void **state)
{
	const struct rte_ipv6_hdr *ip;
	struct rte_mbuf *m;

	(void)state;
	use_nd(false);
	tp_link_poll(watched, now, &in, &out);
	assert_int_equal(out.nb_pkts, 1);
	ip = rte_pktmbuf_mtod_offset(out.pkts[0], const struct rte_ipv6_hdr *, 14);
	/* From the link-local address of the MAC. */
	assert_memory_equal(ip->src_addr, ours_ll, 16);
	assert_int_equal(ip->hop_limits, 255);
	rte_pktmbuf_free(out.pkts[0]);
	look(100);
	look(100);
	assert_false(up());
	m = tp_pkt_build_na(test_pool(), 0, &mac, &peer, target6, ours_ll, target6, 0x60);
	assert_true(give(m));
	assert_true(up());
	assert_false(give(na(0x40))); /* to an address that is not the one we asked from */
}

static struct rte_ipv6_hdr *
ip_of(struct rte_mbuf *m)
{
	return rte_pktmbuf_mtod_offset(m, struct rte_ipv6_hdr *, 14);
}

/* Byte i of the advertisement. */
static uint8_t *
na_of(struct rte_mbuf *m, unsigned int i)
{
	return rte_pktmbuf_mtod_offset(m, uint8_t *, 14 + 40 + i);
}

static void
fix_cksum(struct rte_mbuf *m)
{
	rte_be16_t sum = 0;

	memcpy(na_of(m, 2), &sum, 2);
	sum = rte_ipv6_udptcp_cksum(ip_of(m), na_of(m, 0));
	memcpy(na_of(m, 2), &sum, 2);
}

static void
test_nd_frames_that_are_no_answer_to_us(void **state)
{
	struct rte_mbuf *m;

	(void)state;
	use_nd(true);
#define BAD_NA(change)                                                                             \
	do {                                                                                       \
		m = na(0x60);                                                                      \
		change;                                                                            \
		fix_cksum(m);                                                                      \
		assert_false(give(m));                                                             \
	} while (0)
	BAD_NA(*na_of(m, 0) = 135);
	BAD_NA(*na_of(m, 1) = 1);
	BAD_NA(*na_of(m, 4) = 0x20); /* not solicited */
	BAD_NA(na_of(m, 8)[15] = 2); /* another target */
	BAD_NA(*na_of(m, 8) = 0xff);
	BAD_NA(ip_of(m)->hop_limits = 254); /* from beyond a router */
	BAD_NA(ip_of(m)->dst_addr[15] = 0x64);
	BAD_NA(ip_of(m)->proto = 17);
	BAD_NA(*na_of(m, 25) = 0);                        /* option of no length */
	BAD_NA(*na_of(m, 25) = 2);                        /* option beyond the end */
	BAD_NA(*na_of(m, 25) = 0xff);                     /* likewise */
	BAD_NA(ip_of(m)->payload_len = RTE_BE16(24 + 4)); /* half an option */
	BAD_NA(ip_of(m)->payload_len = RTE_BE16(20));
	m = na(0x60);
	*na_of(m, 2) ^= 1; /* checksum */
	assert_false(give(m));
	m = na(0x60);
	ip_of(m)->payload_len = 0;
	assert_false(give(m));
	m = na(0x60);
	ip_of(m)->payload_len = RTE_BE16(0xffff);
	assert_false(give(m));
	for (uint16_t len = 0; len < 14 + 40 + 32; len++) {
		m = na(0x60);
		rte_pktmbuf_trim(m, m->pkt_len - len);
		assert_false(give(m));
	}
	assert_true(give(na(0x60)));
}

/* The same reply in as many segments as there are bytes. */
static void
test_reply_in_many_segments(void **state)
{
	struct rte_mbuf *m, *whole, *seg;

	(void)state;
	conf.watches |= TP_LINK_W(TP_LINK_ND);
	memcpy(conf.src_ip6, ours6, 16);
	start();
	for (unsigned int i = 0; i < 2; i++) {
		whole = i == 0 ? arp_reply(TARGET) : na(0x60);
		m = test_mbuf(rte_pktmbuf_mtod(whole, void *), 1);
		for (uint16_t off = 1; off < whole->pkt_len; off++) {
			seg = test_mbuf(rte_pktmbuf_mtod_offset(whole, void *, off), 1);
			assert_int_equal(rte_pktmbuf_chain(m, seg), 0);
		}
		rte_pktmbuf_free(whole);
		assert_true(give(m));
	}
}

static void
test_random_frames_are_never_replies(void **state)
{
	uint32_t x = 12345;
	struct rte_mbuf *m;
	uint8_t *p;

	(void)state;
	conf.watches |= TP_LINK_W(TP_LINK_ND);
	memcpy(conf.src_ip6, ours6, 16);
	start();
	for (unsigned int i = 0; i < 20000; i++) {
		m = i & 1 ? arp_reply(TARGET) : na(0x60);
		p = rte_pktmbuf_mtod(m, uint8_t *);
		/* Keep the EtherType, so that it gets far; spoil all else. */
		for (uint16_t k = 14; k < m->pkt_len; k++) {
			x = x * 1664525 + 1013904223;
			if (x >> 28 < 6)
				p[k] = (uint8_t)(x >> 16);
		}
		rte_pktmbuf_trim(m, (uint16_t)((x >> 8) % m->pkt_len));
		assert_false(give(m));
	}
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_arp_probe_is_a_request_to_the_target),
		T(test_down_after_missed_max_and_up_with_a_reply),
		T(test_never_answered_from_the_start),
		T(test_any_or_all_targets),
		T(test_without_carrier_nothing_is_asked),
		T(test_unvalidated_any_frame_counts),
		T(test_validated_other_frames_do_not_count),
		T(test_empty_pool_is_counted),
		T(test_new_mac_is_used_and_expected),
		T(test_arp_frames_that_are_no_reply_to_us),
		T(test_vlan_of_probe_and_reply),
		T(test_nd_probe_and_answer),
		T(test_nd_frames_that_are_no_answer_to_us),
		T(test_reply_in_many_segments),
		T(test_random_frames_are_never_replies),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
