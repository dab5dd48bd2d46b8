/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Rings whose one end was frozen between moving its head and moving its tail. */

#include "test_eal.h"
#include "tp_core.h"

#define A 3
#define B 7

static struct tp_fabric *fabric;

static int
setup(void **state)
{
	(void)state;
	fabric = tp_fabric_create("mend");
	assert_non_null(fabric);
	assert_int_equal(tp_fabric_join(fabric, A, B, 16, 0), 0);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	tp_fabric_free(fabric);
	return 0;
}

static void
put(struct rte_ring *ring, uintptr_t value)
{
	assert_int_equal(rte_ring_sp_enqueue(ring, (void *)value), 0);
}

static uintptr_t
get(struct rte_ring *ring)
{
	void *obj = NULL;

	return rte_ring_sc_dequeue(ring, &obj) == 0 ? (uintptr_t)obj : 0;
}

static void
test_a_burst_begun_to_be_put_is_not_put(void **state)
{
	struct rte_ring *ring = fabric->ring[A][B];

	(void)state;
	put(ring, 1);
	ring->prod.head += 4;
	tp_fabric_mend(fabric, A);
	put(ring, 2);
	assert_int_equal(get(ring), 1);
	assert_int_equal(get(ring), 2);
	assert_int_equal(get(ring), 0);
}

static void
test_a_burst_begun_to_be_taken_is_not_taken(void **state)
{
	struct rte_ring *ring = fabric->ring[B][A];

	(void)state;
	for (uintptr_t i = 1; i <= 3; i++)
		put(ring, i);
	ring->cons.head += 2;
	tp_fabric_mend(fabric, A);
	for (uintptr_t i = 1; i <= 3; i++)
		assert_int_equal(get(ring), i);
	assert_int_equal(rte_ring_count(ring), 0);
}

/* The other end is alive and may be at work this very moment. */
static void
test_the_other_end_is_left_alone(void **state)
{
	(void)state;
	fabric->ring[B][A]->prod.head += 1;
	fabric->ring[A][B]->cons.head += 1;
	tp_fabric_mend(fabric, A);
	assert_int_equal(fabric->ring[B][A]->prod.head, 1);
	assert_int_equal(fabric->ring[A][B]->cons.head, 1);
	fabric->ring[B][A]->prod.head = 0;
	fabric->ring[A][B]->cons.head = 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		                test_a_burst_begun_to_be_put_is_not_put, setup, teardown),
		cmocka_unit_test_setup_teardown(
		                test_a_burst_begun_to_be_taken_is_not_taken, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_other_end_is_left_alone, setup, teardown),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
