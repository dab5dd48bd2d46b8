/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* When a port's RSS hash is ours, and which frames' hashes are believed. */

#include <stdlib.h>
#include <string.h>

#include <rte_dev.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <rte_random.h>

#include "test_eal.h"
#include "test_frames.h"
#include "tp_flow.h"

#define RSS_ALL                                                                                    \
	(RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV4_UDP |                             \
	                RTE_ETH_RSS_NONFRAG_IPV6_TCP | RTE_ETH_RSS_NONFRAG_IPV6_UDP)
#define PORT_HASH 0xdecafbad

static struct tp_flow_conf
default_conf(void)
{
	struct tp_flow_conf conf = { .isa = TP_FLOW_ISA_BEST, .trust_rss = true };

	memcpy(conf.key, tp_flow_key_default, sizeof(conf.key));
	return conf;
}

/* ---- tp_flow_rss_same(), against net_null --------------------------------------- */

static uint16_t port;

static void
configure(const uint8_t *key, uint64_t types)
{
	uint8_t copy[TP_FLOW_KEY_LEN];
	struct rte_eth_rss_conf rss = { .rss_key = copy, .rss_hf = types };
	struct rte_eth_conf conf = { .rxmode.mq_mode = RTE_ETH_MQ_RX_RSS };

	memcpy(copy, key, sizeof(copy));
	rss.rss_key_len = sizeof(copy);
	conf.rx_adv_conf.rss_conf = rss;
	assert_int_equal(rte_eth_dev_configure(port, 1, 1, &conf), 0);
	assert_int_equal(rte_eth_dev_rss_hash_update(port, &rss), 0);
}

static bool
same(const struct tp_flow_conf *conf)
{
	struct tp_flow *flow = tp_flow_create(conf, SOCKET_ID_ANY);
	bool is_same;

	assert_non_null(flow);
	is_same = tp_flow_rss_same(flow, port);
	tp_flow_free(flow);
	return is_same;
}

static void
same_needs_key_types_and_function(void **state)
{
	struct tp_flow_conf conf = default_conf();
	uint8_t other_key[TP_FLOW_KEY_LEN];
	struct rte_eth_dev_info info;

	(void)state;
	assert_int_equal(rte_eal_hotplug_add("vdev", "net_null_rss", ""), 0);
	assert_int_equal(rte_eth_dev_get_port_by_name("net_null_rss", &port), 0);
	assert_int_equal(rte_eth_dev_info_get(port, &info), 0);
	configure(tp_flow_key_default, RSS_ALL & info.flow_type_rss_offloads);
	assert_int_equal(same(&conf), (info.flow_type_rss_offloads & RSS_ALL) == RSS_ALL);

	memcpy(other_key, tp_flow_key_default, sizeof(other_key));
	other_key[TP_FLOW_KEY_LEN - 1] ^= 1;
	configure(other_key, RSS_ALL);
	assert_false(same(&conf));
	memcpy(conf.key, other_key, sizeof(other_key));
	assert_true(same(&conf));

	configure(other_key, RSS_ALL & ~RTE_ETH_RSS_NONFRAG_IPV6_UDP);
	assert_false(same(&conf));
	configure(other_key, RSS_ALL);
	conf.fn = TP_FLOW_CRC32C;
	assert_false(same(&conf));
	conf = default_conf();
	memcpy(conf.key, other_key, sizeof(other_key));
	conf.policy = TP_FLOW_L23;
	assert_false(same(&conf));
	conf.policy = TP_FLOW_L34;
	conf.symmetric = true;
	assert_false(same(&conf));
	conf.symmetric = false;
	assert_true(same(&conf));
	assert_int_equal(rte_eal_hotplug_remove("vdev", "net_null_rss"), 0);
	assert_false(same(&conf));
}

/* ---- trust_rss ---------------------------------------------------------------- */

static struct frame frame;

static struct rte_mbuf *
make_frame(bool arp)
{
	frame_reset(&frame);
	frame_eth(&frame);
	if (arp) {
		frame_type(&frame, 0x0806);
		frame_payload(&frame, 46);
	} else {
		frame_ip4(&frame, IPPROTO_TCP, 0);
		frame_tcp(&frame, 0);
		frame_be32(frame.b + 26, (uint32_t)rte_rand());
	}
	frame_end(&frame);
	return test_mbuf(frame.b, frame.len);
}

static void
mark(struct rte_mbuf *m, uint64_t flags, uint32_t type)
{
	m->hash.rss = PORT_HASH;
	m->ol_flags = flags;
	m->packet_type = type;
}

static void
believed_for_plain_tcp_and_udp_only(void **state)
{
	static const struct {
		uint64_t flags;
		uint32_t type;
		bool believed;
	} marks[] = {
		{ RTE_MBUF_F_RX_RSS_HASH, RTE_PTYPE_L3_IPV4 | RTE_PTYPE_L4_TCP, true },
		{ RTE_MBUF_F_RX_RSS_HASH, RTE_PTYPE_L3_IPV6 | RTE_PTYPE_L4_UDP, true },
		{ 0, RTE_PTYPE_L3_IPV4 | RTE_PTYPE_L4_TCP, false },
		{ RTE_MBUF_F_RX_RSS_HASH, RTE_PTYPE_UNKNOWN, false },
		{ RTE_MBUF_F_RX_RSS_HASH, RTE_PTYPE_L3_IPV4 | RTE_PTYPE_L4_FRAG, false },
		{ RTE_MBUF_F_RX_RSS_HASH, RTE_PTYPE_L3_IPV4 | RTE_PTYPE_L4_ICMP, false },
		{ RTE_MBUF_F_RX_RSS_HASH,
		                RTE_PTYPE_L3_IPV4 | RTE_PTYPE_L4_UDP | RTE_PTYPE_TUNNEL_VXLAN,
		                false },
	};
	struct tp_flow_conf conf = default_conf(), distrusts = default_conf();
	uint32_t own[TP_BURST_MAX], hash[TP_BURST_MAX];
	struct rte_mbuf *pkts[TP_BURST_MAX];
	struct tp_flow *flow, *without;
	uint64_t special;

	(void)state;
	distrusts.trust_rss = false;
	flow = tp_flow_create(&conf, SOCKET_ID_ANY);
	without = tp_flow_create(&distrusts, SOCKET_ID_ANY);
	for (unsigned int i = 0; i < TP_BURST_MAX; i++) {
		pkts[i] = make_frame(i % 9 == 8);
		mark(pkts[i], marks[i % RTE_DIM(marks)].flags,
		                i % 9 == 8 ? 0 : marks[i % RTE_DIM(marks)].type);
	}
	tp_flow_hash_burst(without, pkts, TP_BURST_MAX, own);
	special = tp_flow_hash_burst(flow, pkts, TP_BURST_MAX, hash);
	for (unsigned int i = 0; i < TP_BURST_MAX; i++) {
		bool arp = i % 9 == 8, believed = !arp && marks[i % RTE_DIM(marks)].believed;

		assert_int_equal(hash[i], believed ? PORT_HASH : own[i]);
		assert_int_equal(special >> i & 1, arp);
	}
	rte_pktmbuf_free_bulk(pkts, TP_BURST_MAX);
	tp_flow_free(flow);
	tp_flow_free(without);
}

static void
without_effect_where_no_port_can(void **state)
{
	struct tp_flow_conf conf = default_conf();
	struct tp_flow *flow;

	(void)state;
	conf.policy = TP_FLOW_L2;
	flow = tp_flow_create(&conf, SOCKET_ID_ANY);
	assert_false(tp_flow_conf(flow)->trust_rss);
	tp_flow_free(flow);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_needs_key_types_and_function),
		cmocka_unit_test(believed_for_plain_tcp_and_udp_only),
		cmocka_unit_test(without_effect_where_no_port_can),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
