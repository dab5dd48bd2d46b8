/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* The host port comes, changes and goes; what control may publish, and what it may look at. */

#include <errno.h>

#include "host_int.h"
#include "test_port.h"

#define RING_SIZE 64
#define BURST 8

static struct tp_fabric *fabric;
static struct tp_host *host;
static struct tp_member member[2];
static struct test_port port;

static int
setup_port(void **state, unsigned int size)
{
	port = test_port_open(size);
	fabric = tp_fabric_create("port");
	host = tp_host_create(fabric, RING_SIZE, BURST, 0);
	assert_non_null(host);
	memset(member, 0, sizeof(member));
	for (uint8_t i = 0; i < RTE_DIM(member); i++) {
		member[i].id = i;
		member[i].host = host;
		member[i].fabric = fabric;
		assert_int_equal(tp_fabric_join(fabric, TP_NODE_HOST, i, RING_SIZE, 0), 0);
		tp_host_set_member(host, i, &member[i]);
	}
	atomic_store(&member[0].role, tp_role_word(true, tp_host_raise(host), 1));
	return test_mbufs_setup(state);
}

static int
setup(void **state)
{
	return setup_port(state, 64);
}

/* It takes one frame. */
static int
setup_small(void **state)
{
	return setup_port(state, 2);
}

static int
teardown(void **state)
{
	tp_host_free(host);
	tp_fabric_free(fabric);
	test_port_close(&port);
	return test_mbufs_teardown(state);
}

static int
use_port(void)
{
	return tp_host_set_port(host, port.id, 0, test_pool(), NULL);
}

/* A frame of this many bytes behind the Ethernet header, for the host. */
static void
put(uint16_t l3_len)
{
	static struct frame f;
	struct rte_mbuf *m;

	frame_reset(&f);
	frame_eth(&f);
	frame_ip4(&f, IPPROTO_UDP, 0);
	frame_udp(&f);
	frame_payload(&f, l3_len - 28);
	frame_end(&f);
	m = test_mbuf(f.b, f.len);
	tp_host_input(&member[1], &m, 1);
}

static struct tp_host_info
info(void)
{
	struct tp_host_info i;

	memset(&i, 0xee, sizeof(i));
	tp_host_info(host, &i);
	return i;
}

static void
fill(struct tp_dist *d, uint32_t version, uint8_t mode)
{
	assert_non_null(d);
	memset(d, 0, sizeof(*d));
	d->version = version;
	d->mode = mode;
	d->nb_alive = 2;
	d->alive[1] = 1;
	d->alive_mask = 3;
	d->nb_buckets = TP_MIN_BUCKETS;
}

/* ---- the port ------------------------------------------------------------------ */

static void
test_frames_reach_the_port_that_is_set(void **state)
{
	(void)state;
	assert_int_equal(info().port_id, RTE_MAX_ETHPORTS);
	assert_int_equal(use_port(), 0);
	assert_int_equal(info().port_id, port.id);
	put(100);
	put(100);
	assert_int_equal(tp_host_step(host, &member[0], 0), 2);
	assert_int_equal(rte_ring_count(port.ring), 2);
	assert_int_equal(member[0].ctr.c[TP_C_HOST_TX], 2);
	assert_int_equal(member[0].ctr.c[TP_C_HOST_TX_BYTES], 2 * 114);
	assert_int_equal(member[0].ctr.c[TP_C_TX_PACKETS], 0);

	assert_int_equal(tp_host_set_port(host, RTE_MAX_ETHPORTS, 0, NULL, NULL), 0);
	assert_int_equal(info().port_id, RTE_MAX_ETHPORTS);
	put(100);
	assert_int_equal(tp_host_step(host, &member[0], 0), 1);
	assert_int_equal(member[0].ctr.drop[TP_DROP_HOST_NONE], 1);
	assert_int_equal(rte_ring_count(port.ring), 2);
}

/* The old port is gone by then, so there is none. */
static void
test_a_port_that_cannot_be_set_leaves_none(void **state)
{
	(void)state;
	assert_int_equal(use_port(), 0);
	assert_int_equal(tp_host_set_port(host, RTE_MAX_ETHPORTS - 1, 0, test_pool(), NULL),
	                -ENODEV);
	assert_int_equal(info().port_id, RTE_MAX_ETHPORTS);
	assert_int_equal(use_port(), 0);
	assert_int_equal(tp_host_set_port(host, port.id, 0, NULL, NULL), -EINVAL);
	assert_int_equal(info().port_id, RTE_MAX_ETHPORTS);
	assert_int_equal(use_port(), 0);
	assert_int_equal(tp_host_set_port(host, port.id, RTE_ETH_TX_OFFLOAD_TCP_TSO, test_pool(),
	                                 NULL),
	                -ENOTSUP);
	assert_int_equal(info().port_id, RTE_MAX_ETHPORTS);
}

static void
test_mtu_is_the_ports_until_it_is_set(void **state)
{
	uint16_t mtu;

	(void)state;
	assert_int_equal(use_port(), 0);
	assert_int_equal(rte_eth_dev_get_mtu(port.id, &mtu), 0);
	assert_int_equal(host->egress.mtu, mtu);
	tp_host_set_mtu(host, 200);
	put(200);
	put(201);
	tp_host_step(host, &member[0], 0);
	assert_int_equal(rte_ring_count(port.ring), 1);
	assert_int_equal(member[0].ctr.drop[TP_DROP_TX_TOO_BIG], 1);
	tp_host_set_mtu(host, 201);
	put(201);
	tp_host_step(host, &member[0], 0);
	assert_int_equal(rte_ring_count(port.ring), 2);
	assert_int_equal(member[0].ctr.drop[TP_DROP_TX_TOO_BIG], 1);
}

/* The port takes one of three: two are held. */
static void
hold_two(void)
{
	assert_int_equal(use_port(), 0);
	for (unsigned int i = 0; i < 3; i++)
		put(100);
	tp_host_step(host, &member[0], 0);
	assert_int_equal(host->egress.nb_hold, 2);
}

static void
test_purge_drops_what_the_port_has_not_taken(void **state)
{
	static struct tp_counters ctr;
	unsigned int out = test_pools_out();

	(void)state;
	memset(&ctr, 0, sizeof(ctr));
	tp_host_purge(host, &ctr);
	assert_int_equal(ctr.drop[TP_DROP_HOST_TX_FULL], 0);
	hold_two();
	assert_int_equal(test_pools_out(), out + 3);
	put(100);
	tp_host_purge(host, &ctr);
	assert_int_equal(ctr.drop[TP_DROP_HOST_TX_FULL], 2);
	assert_int_equal(member[0].ctr.drop[TP_DROP_HOST_TX_FULL], 0);
	assert_int_equal(test_pools_out(), out + 2);
	tp_host_purge(host, &ctr);
	assert_int_equal(ctr.drop[TP_DROP_HOST_TX_FULL], 2);

	/* What came after is still on its way. */
	rte_pktmbuf_free(test_port_take(&port));
	assert_int_equal(tp_host_step(host, &member[0], 0), 1);
	assert_int_equal(rte_ring_count(port.ring), 1);
}

static void
test_another_port_gets_nothing_that_was_held(void **state)
{
	(void)state;
	hold_two();
	assert_int_equal(use_port(), 0);
	assert_int_equal(host->egress.nb_hold, 0);
	rte_pktmbuf_free(test_port_take(&port));
	assert_int_equal(tp_host_step(host, &member[0], 0), 0);
	assert_int_equal(rte_ring_count(port.ring), 0);
}

/* ---- publication ----------------------------------------------------------------- */

static void
test_a_snapshot_is_spare_when_none_is_under_way(void **state)
{
	struct tp_dist *first = tp_host_spare(host, false), *second;

	(void)state;
	fill(first, 1, TP_MODE_ROUND_ROBIN);
	assert_ptr_equal(tp_host_spare(host, false), first); /* not published: still spare */
	tp_host_publish(host, first);
	assert_null(tp_host_spare(host, false));
	assert_int_equal(tp_host_applied(host), 0);
	/* Nobody is there to apply it, and it is written over. */
	assert_ptr_equal(tp_host_spare(host, true), first);

	tp_host_step(host, &member[0], 0);
	assert_int_equal(tp_host_applied(host), 1);
	second = tp_host_spare(host, false);
	assert_non_null(second);
	assert_ptr_not_equal(second, first);
	assert_ptr_equal(tp_host_spare(host, true), second); /* the one in force is not */
	fill(second, 2, TP_MODE_ROUND_ROBIN);
	tp_host_publish(host, second);
	assert_null(tp_host_spare(host, false));
	tp_host_step(host, &member[0], 0);
	assert_ptr_equal(tp_host_spare(host, false), first);
}

/* ---- looking ---------------------------------------------------------------------- */

static void
test_info_of_an_idle_host(void **state)
{
	(void)state;
	assert_int_equal(info().version, 0);
	assert_int_equal(info().published, 0);
	assert_int_equal(info().nb_stash, 0);
	assert_int_equal(info().nb_lazy, 0);
	assert_int_equal(info().guard_epoch, 1);
	assert_int_equal(info().holder, TP_MEMBER_NONE);
	assert_int_equal(tp_host_raise(host), 2);
	assert_int_equal(info().guard_epoch, 2);
}

static void
test_info_tells_what_is_under_way(void **state)
{
	struct tp_dist *d = tp_host_spare(host, false);

	(void)state;
	fill(d, 7, TP_MODE_ROUND_ROBIN);
	tp_host_publish(host, d);
	assert_int_equal(info().published, 7);
	assert_int_equal(info().version, 0);
	host_apply(host, &member[0], 0);
	assert_int_equal(info().version, 7);
	/* The highest number that a holder has, and the lowest. */
	atomic_fetch_add(&host->guard, TP_GUARD_HOLDER(TP_MAX_MEMBERS - 1));
	assert_int_equal(info().holder, TP_MAX_MEMBERS - 1);
	atomic_fetch_sub(&host->guard, TP_GUARD_HOLDER(TP_MAX_MEMBERS - 1));
	atomic_fetch_add(&host->guard, TP_GUARD_HOLDER(0));
	assert_int_equal(info().holder, 0);
	assert_int_equal(info().guard_epoch, 1);
	host->stash.head = UINT32_MAX;
	host->stash.end = 2;
	assert_int_equal(info().nb_stash, 3);
	host->stash.head = 2;
	host->nb_lazy = 5;
	assert_int_equal(info().nb_lazy, 5);
}

static void
test_map_before_and_after_a_distribution(void **state)
{
	uint32_t nb = 77;
	const uint8_t *map = tp_host_map(host, &nb);
	struct tp_dist *d = tp_host_spare(host, false);

	(void)state;
	assert_int_equal(nb, 0);
	assert_int_equal(map[0], TP_MEMBER_NONE);
	assert_int_equal(map[TP_MAX_BUCKETS - 1], TP_MEMBER_NONE);
	fill(d, 1, TP_MODE_HASH);
	d->map[TP_MIN_BUCKETS - 1] = 1;
	tp_host_publish(host, d);
	host_apply(host, &member[0], 0);
	assert_ptr_equal(tp_host_map(host, &nb), map);
	assert_int_equal(nb, TP_MIN_BUCKETS);
	assert_int_equal(map[0], 0);
	assert_int_equal(map[TP_MIN_BUCKETS - 1], 1);
}

static void
test_bytes_are_counted_per_bucket(void **state)
{
	const uint64_t *bytes = tp_host_bucket_bytes(host);
	struct tp_flow_conf conf = { .isa = TP_FLOW_ISA_BEST };
	struct tp_dist *d = tp_host_spare(host, false);
	uint64_t sum = 0, most = 0;
	struct tp_flow *flow;

	(void)state;
	memcpy(conf.key, tp_flow_key_default, sizeof(conf.key));
	flow = tp_flow_create(&conf, 0);
	assert_non_null(flow);
	fill(d, 1, TP_MODE_LOAD);
	d->flow = flow;
	memset(d->map, 1, TP_MIN_BUCKETS);
	tp_host_publish(host, d);
	host_apply(host, &member[0], 0);
	for (unsigned int i = 0; i < 3; i++) {
		struct rte_mbuf *m;

		put(100);
		assert_int_equal(rte_ring_dequeue(fabric->ring[1][TP_NODE_HOST], (void **)&m), 0);
		host_distribute(host, &member[0], &m, 1, 0, 0);
	}
	for (uint32_t b = 0; b < TP_MAX_BUCKETS; b++) {
		sum += bytes[b];
		most = RTE_MAX(most, bytes[b]);
	}
	assert_int_equal(sum, 3 * 114);
	assert_int_equal(most, sum); /* of one flow */
	assert_int_equal(tp_fabric_drain(fabric), 3);
	tp_flow_free(flow);
}

#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define test_small(f) cmocka_unit_test_setup_teardown(f, setup_small, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		test(test_frames_reach_the_port_that_is_set),
		test(test_a_port_that_cannot_be_set_leaves_none),
		test(test_mtu_is_the_ports_until_it_is_set),
		test_small(test_purge_drops_what_the_port_has_not_taken),
		test_small(test_another_port_gets_nothing_that_was_held),
		test(test_a_snapshot_is_spare_when_none_is_under_way),
		test(test_info_of_an_idle_host),
		test(test_info_tells_what_is_under_way),
		test(test_map_before_and_after_a_distribution),
		test(test_bytes_are_counted_per_bucket),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
