/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <errno.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_ip.h>

#include "loadgen.h"
#include "test_eal.h"

static const struct rte_ether_addr team = { { 2, 0, 0, 0, 0, 1 } };
static const struct rte_ether_addr peer = { { 2, 0, 0, 0, 0, 2 } };

static const struct loadgen_mark last = {
	.trial = UINT16_MAX,
	.flow = 127,
	.seq = UINT32_MAX,
	.tsc = UINT64_MAX - 1,
};

static void
test_flows_limits(void **state)
{
	(void)state;
	assert_null(loadgen_flows_make(0, &team, &peer));
	assert_int_equal(rte_errno, EINVAL);
	assert_null(loadgen_flows_make(3, &team, &peer));
	assert_null(loadgen_flows_make(LOADGEN_MAX_FLOWS + 2, &team, &peer));
	loadgen_flows_free(NULL);
}

static void
test_imix_is_7_4_1(void **state)
{
	unsigned int nb64 = 0, nb594 = 0, nb1518 = 0;

	(void)state;
	for (uint32_t seq = UINT32_MAX - 11; seq != 0; seq++) {
		uint16_t len = loadgen_frame_len(LOADGEN_IMIX, seq);

		nb64 += len == 64;
		nb594 += len == 594;
		nb1518 += len == 1518;
	}
	assert_int_equal(nb64, 7);
	assert_int_equal(nb594, 4);
	assert_int_equal(nb1518, 1);
	assert_int_equal(loadgen_frame_len(512, 6), 512);
}

static void
test_what_is_written_is_read(void **state)
{
	static const uint16_t sizes[] = { LOADGEN_MIN_FRAME, 65, 594, LOADGEN_MAX_FRAME };
	struct loadgen_flows *flows = loadgen_flows_make(128, &team, &peer);
	struct rte_mbuf *m = test_mbuf("", 1);
	struct loadgen_mark got;

	(void)state;
	assert_non_null(flows);
	for (size_t i = 0; i < RTE_DIM(sizes); i++) {
		struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, 14);

		loadgen_frame_write(flows, m, sizes[i], &last);
		assert_int_equal(rte_pktmbuf_pkt_len(m), sizes[i] - 4);
		assert_int_equal(rte_be_to_cpu_16(ip->total_length), sizes[i] - 18);
		assert_int_equal((uint16_t)~rte_raw_cksum(ip, sizeof(*ip)), 0);
		memset(&got, 0, sizeof(got));
		assert_int_equal(loadgen_frame_read(flows, m, sizes[i], &got), LOADGEN_OURS);
		assert_int_equal(got.trial, last.trial);
		assert_int_equal(got.flow, last.flow);
		assert_int_equal(got.seq, last.seq);
		assert_int_equal(got.tsc, last.tsc);
	}
	rte_pktmbuf_free(m);
	loadgen_flows_free(flows);
}

static void
test_directions_differ(void **state)
{
	struct loadgen_flows *flows = loadgen_flows_make(128, &team, &peer);
	struct rte_mbuf *m = test_mbuf("", 1);
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);
	struct loadgen_mark mark = { .flow = 4 };

	(void)state;
	loadgen_frame_write(flows, m, 64, &mark);
	assert_memory_equal(&eth->dst_addr, &peer, sizeof(peer));
	assert_memory_equal(&eth->src_addr, &team, sizeof(team));
	mark.flow = 5;
	loadgen_frame_write(flows, m, 64, &mark);
	assert_memory_equal(&eth->dst_addr, &team, sizeof(team));
	assert_memory_equal(&eth->src_addr, &peer, sizeof(peer));
	rte_pktmbuf_free(m);
	loadgen_flows_free(flows);
}

/* Every byte of what must not change is seen to have changed. */
static void
test_changes_are_seen(void **state)
{
	static const uint8_t checked[] = { 0, 5, 6, 11, 12, 13, 26, 33, 34, 37 };
	struct loadgen_flows *flows = loadgen_flows_make(128, &team, &peer);
	struct rte_mbuf *m = test_mbuf("", 1);
	uint8_t *bytes = rte_pktmbuf_mtod(m, uint8_t *);
	struct loadgen_mark got;

	(void)state;
	loadgen_frame_write(flows, m, 64, &last);
	for (size_t i = 0; i < RTE_DIM(checked); i++) {
		bytes[checked[i]] ^= 0x10;
		assert_int_equal(loadgen_frame_read(flows, m, 64, &got), LOADGEN_CORRUPT);
		bytes[checked[i]] ^= 0x10;
	}
	assert_int_equal(loadgen_frame_read(flows, m, 65, &got), LOADGEN_CORRUPT);
	bytes[46] ^= 0x80; /* a flow that does not exist */
	assert_int_equal(loadgen_frame_read(flows, m, 64, &got), LOADGEN_CORRUPT);
	bytes[46] ^= 0x80;
	bytes[42] ^= 1;
	assert_int_equal(loadgen_frame_read(flows, m, 64, &got), LOADGEN_OTHER);
	bytes[42] ^= 1;
	m->data_len = m->pkt_len = 59;
	assert_int_equal(loadgen_frame_read(flows, m, 64, &got), LOADGEN_OTHER);
	rte_pktmbuf_free(m);
	loadgen_flows_free(flows);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flows_limits),
		cmocka_unit_test(test_imix_is_7_4_1),
		cmocka_unit_test(test_what_is_written_is_read),
		cmocka_unit_test(test_directions_differ),
		cmocka_unit_test(test_changes_are_seen),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
