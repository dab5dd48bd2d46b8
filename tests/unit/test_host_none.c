/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* A team without a host port: what members have for a host is counted and freed in the next turn. */

#include "host_int.h"
#include "test_eal.h"

#define RING_SIZE 64
#define BURST 8

static struct tp_fabric *fabric;
static struct tp_host *host;
static struct tp_member member[2];

static int
setup(void **state)
{
	fabric = tp_fabric_create("none");
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
teardown(void **state)
{
	int rc = test_mbufs_teardown(state);

	tp_host_free(host);
	tp_fabric_free(fabric);
	return rc;
}

static void
put(uint8_t id, unsigned int nb)
{
	for (unsigned int i = 0; i < nb; i++) {
		struct rte_mbuf *m = test_mbuf("frame", 5);

		tp_host_input(&member[id], &m, 1);
	}
}

static void
test_frames_for_no_host_are_counted_and_freed(void **state)
{
	unsigned int out = test_pools_out();

	(void)state;
	put(0, 3);
	put(1, 2);
	assert_int_equal(test_pools_out(), out + 5);
	assert_int_equal(tp_host_step(host, &member[0], 0), 5);
	assert_int_equal(test_pools_out(), out);
	assert_int_equal(member[0].ctr.drop[TP_DROP_HOST_NONE], 5);
	assert_int_equal(member[0].ctr.c[TP_C_HOST_TX], 0);
	assert_int_equal(tp_host_step(host, &member[0], 0), 0);
}

static void
test_a_turn_takes_a_burst_of_each_member(void **state)
{
	(void)state;
	put(0, BURST + 1);
	put(1, BURST + 2);
	assert_int_equal(tp_host_step(host, &member[0], 0), 2 * BURST);
	assert_int_equal(tp_host_step(host, &member[0], 0), 3);
	assert_int_equal(member[0].ctr.drop[TP_DROP_HOST_NONE], 2 * BURST + 3);
}

static void
test_only_the_primary_refuses(void **state)
{
	(void)state;
	put(1, 1);
	assert_int_equal(tp_host_step(host, &member[1], 0), 0);
	assert_int_equal(member[1].ctr.drop[TP_DROP_HOST_NONE], 0);
	assert_int_equal(tp_host_step(host, &member[0], 0), 1);
}

/* Taken back from a member while there was a host: they leave, host or not. */
static void
test_what_the_host_had_sent_still_leaves(void **state)
{
	static struct tp_dist dist;
	struct rte_mbuf *m = test_mbuf("frame", 5);

	(void)state;
	dist = (struct tp_dist){ .version = 1,
		.mode = TP_MODE_ACTIVE_BACKUP,
		.nb_alive = 1,
		.alive = { 1 },
		.alive_mask = 2,
		.active = 1,
		.nb_buckets = TP_MIN_BUCKETS };
	memset(dist.map, 1, TP_MIN_BUCKETS);
	tp_host_publish(host, &dist);
	host->stash.slot[0] = m;
	host->stash.end = 1;
	assert_int_equal(tp_host_step(host, &member[0], 0), 1);
	assert_int_equal(stash_count(&host->stash), 0);
	assert_int_equal(tp_fabric_drain(fabric), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		                test_frames_for_no_host_are_counted_and_freed, setup, teardown),
		cmocka_unit_test_setup_teardown(
		                test_a_turn_takes_a_burst_of_each_member, setup, teardown),
		cmocka_unit_test_setup_teardown(test_only_the_primary_refuses, setup, teardown),
		cmocka_unit_test_setup_teardown(
		                test_what_the_host_had_sent_still_leaves, setup, teardown),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
