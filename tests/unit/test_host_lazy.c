/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* When a bucket may leave a member that is well (tests/model/drain.pml, gradual-return). */

#include "host_int.h"
#include "test_eal.h"

#define SKEW 100
#define BUCKET 5

static struct tp_fabric *fabric;
static struct tp_host *host;
static struct tp_member member[2];
static struct tp_dist dist[2];
static int frame; /* what waits on a ring here is only counted */

static void
fill_dist(struct tp_dist *d, uint32_t version, uint8_t of_bucket)
{
	memset(d, 0, sizeof(*d));
	d->version = version;
	d->mode = TP_MODE_HASH;
	d->lazy = true;
	d->nb_alive = 2;
	d->alive[1] = 1;
	d->alive_mask = 3;
	d->nb_buckets = TP_MIN_BUCKETS;
	d->skew_ns = SKEW;
	d->map[BUCKET] = of_bucket;
}

/* The bucket is member 0's, and from time 1000 on it is to be member 1's. */
static int
setup(void **state)
{
	(void)state;
	fabric = tp_fabric_create("lazy");
	host = tp_host_create(fabric, 64, 32, 0);
	assert_non_null(host);
	memset(member, 0, sizeof(member));
	for (uint8_t i = 0; i < RTE_DIM(member); i++) {
		member[i].id = i;
		assert_int_equal(tp_fabric_join(fabric, TP_NODE_HOST, i, 64, 0), 0);
		tp_host_set_member(host, i, &member[i]);
	}
	fill_dist(&dist[0], 1, 0);
	fill_dist(&dist[1], 2, 1);
	tp_host_publish(host, &dist[0]);
	host_apply(host, &member[0], 900);
	tp_host_publish(host, &dist[1]);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	tp_host_free(host);
	tp_fabric_free(fabric);
	return 0;
}

static void
put(uint64_t now)
{
	assert_int_equal(rte_ring_sp_enqueue(host_ring(host, 0), &frame), 0);
	host->seen_ns[BUCKET] = now;
}

static void
get(void)
{
	void *obj;

	assert_int_equal(rte_ring_sc_dequeue(host_ring(host, 0), &obj), 0);
}

static bool
moved(uint64_t now)
{
	host_apply(host, &member[0], now);
	return host->map[BUCKET] == 1;
}

static void
test_idle_bucket_moves_after_the_skew(void **state)
{
	(void)state;
	assert_false(moved(1000));
	assert_false(moved(1001));
	assert_false(moved(1000 + SKEW));
	assert_true(moved(1001 + SKEW));
	assert_int_equal(host->nb_lazy, 0);
	assert_int_equal(tp_host_applied(host), 2);
}

static void
test_a_frame_starts_it_anew(void **state)
{
	(void)state;
	assert_false(moved(1000));
	assert_false(moved(1001));
	put(1050);
	get();
	assert_false(moved(1060));
	assert_false(moved(1059 + SKEW));
	assert_true(moved(1060 + SKEW));
}

/* MUT_SKEW_FROM_READ: the frame waited on the ring for longer than the skew. */
static void
test_skew_counts_from_when_the_ring_ran_past(void **state)
{
	(void)state;
	put(990);
	assert_false(moved(1000));
	assert_false(moved(1001));
	assert_false(moved(5000));
	get();
	assert_false(moved(5001));
	assert_false(moved(5000 + SKEW));
	assert_true(moved(5001 + SKEW));
}

static void
test_hold_and_consumer_at_work_count_as_waiting(void **state)
{
	(void)state;
	assert_false(moved(1000));
	member[0].egress.nb_hold = 1;
	assert_false(moved(2000));
	member[0].egress.nb_hold = 0;
	member[0].tx_guard = TP_TXG_BUSY;
	assert_false(moved(3000));
	member[0].tx_guard = 0;
	assert_false(moved(4000));
	assert_true(moved(4000 + SKEW));
	assert_int_equal(member[0].tx_guard, 0);
}

/* Turns of a virtual clock may share an instant: the frame came after the look. */
static void
test_frame_at_the_instant_of_the_look(void **state)
{
	(void)state;
	assert_false(moved(1000));
	put(1001);
	assert_false(moved(1001));
	put(1001);
	assert_false(moved(1001 + SKEW));
	get();
	assert_false(moved(1002 + 2 * SKEW));
	get();
	assert_false(moved(1003 + 2 * SKEW));
	assert_true(moved(1003 + 3 * SKEW));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		                test_idle_bucket_moves_after_the_skew, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_frame_starts_it_anew, setup, teardown),
		cmocka_unit_test_setup_teardown(
		                test_skew_counts_from_when_the_ring_ran_past, setup, teardown),
		cmocka_unit_test_setup_teardown(
		                test_hold_and_consumer_at_work_count_as_waiting, setup, teardown),
		cmocka_unit_test_setup_teardown(
		                test_frame_at_the_instant_of_the_look, setup, teardown),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
