/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Cycles to nanoseconds without a loss that adds up, and the clock that a test moves. */

#include <time.h>

#include <rte_cycles.h>

#include "test_eal.h"
#include "tp_core.h"

#define YEAR_S UINT64_C(31536000)

static int
setup(void **state)
{
	(void)state;
	tp_clock_init();
	return 0;
}

/* The factor has 32 bits behind the point, rounded down: 2^-32 ns of each cycle may be missing. */
static void
assert_ns(uint64_t seconds)
{
	uint64_t cycles = seconds * rte_get_tsc_hz();
	uint64_t exact = seconds * TP_NS_PER_S;

	assert_in_range(tp_clock_cycles_to_ns(cycles), exact - (cycles >> 32) - 1, exact);
}

static void
test_cycles_are_nanoseconds(void **state)
{
	uint64_t hz = rte_get_tsc_hz();

	(void)state;
	assert_int_equal(tp_clock_cycles_to_ns(0), 0);
	assert_ns(1);
	assert_ns(60);
	assert_ns(YEAR_S); /* 64 bits do not hold the product */
	assert_in_range(tp_clock_cycles_to_ns(hz / 1000), TP_NS_PER_MS - 2, TP_NS_PER_MS);
	for (uint64_t c = 1; c < hz; c = c * 2 + 1)
		assert_true(tp_clock_cycles_to_ns(c) >= tp_clock_cycles_to_ns(c - 1));
}

static void
test_clock_begins_with_the_systems(void **state)
{
	struct timespec ts;
	uint64_t before, first;

	(void)state;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	before = (uint64_t)ts.tv_sec * TP_NS_PER_S + ts.tv_nsec;
	tp_clock_init();
	first = tp_clock_now();
	assert_true(first >= before);
	assert_true(tp_clock_now() >= first);
}

static void
test_virtual_clock_stands_until_it_is_moved(void **state)
{
	(void)state;
	tp_clock_set_virtual(5);
	assert_int_equal(tp_clock_now(), 5);
	assert_int_equal(tp_clock_now(), 5);
	tp_clock_set_virtual(TP_NEVER - 1);
	assert_int_equal(tp_clock_now(), TP_NEVER - 1);
	tp_clock_set_virtual(0);
	assert_int_equal(tp_clock_now(), 0);
	tp_clock_init(); /* back to the real one */
	assert_true(tp_clock_now() > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_cycles_are_nanoseconds, setup),
		cmocka_unit_test_setup(test_clock_begins_with_the_systems, setup),
		cmocka_unit_test_setup(test_virtual_clock_stands_until_it_is_moved, setup),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
