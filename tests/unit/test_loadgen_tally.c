/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "loadgen.h"

#define NB_SEQS 1000

static struct loadgen_tally tally;

static int
setup(void **state)
{
	(void)state;
	return loadgen_tally_init(&tally, NB_SEQS, 4);
}

static int
teardown(void **state)
{
	(void)state;
	loadgen_tally_fini(&tally);
	return 0;
}

static void
arrive(uint16_t flow, uint32_t seq, bool to_host)
{
	const struct loadgen_mark mark = { .flow = flow, .seq = seq, .tsc = 100 };

	loadgen_tally_add(&tally, &mark, to_host, seq % 3, NB_SEQS, 110);
}

static void
test_each_number_counts_once(void **state)
{
	(void)state;
	for (uint32_t seq = 0; seq < NB_SEQS; seq++)
		arrive(seq & 2, seq, false);
	arrive(2, 63, false);
	arrive(0, 64, false);
	assert_int_equal(tally.received, NB_SEQS);
	assert_int_equal(tally.duplicated, 2);
	assert_int_equal(tally.reordered, 0);
	assert_int_equal(tally.member[0], 334);
	assert_int_equal(tally.member[1], 333);
	assert_int_equal(tally.member[2], 333);
	assert_int_equal(tally.latency.count, NB_SEQS);
	assert_int_equal(tally.latency.max, 10);
}

/* Order is a matter of one flow; a late frame does not make those after it late. */
static void
test_order_is_per_flow(void **state)
{
	(void)state;
	arrive(0, 10, false);
	arrive(2, 5, false);
	arrive(0, 9, false);
	arrive(0, 11, false);
	arrive(2, 6, false);
	assert_int_equal(tally.reordered, 1);
	assert_int_equal(tally.received, 5);
}

static void
test_first_number_is_in_order(void **state)
{
	(void)state;
	arrive(0, 0, false);
	arrive(0, 1, false);
	assert_int_equal(tally.reordered, 0);
}

static void
test_wrong_side_and_wrong_number(void **state)
{
	(void)state;
	arrive(0, 1, true);
	arrive(1, 2, false);
	assert_int_equal(tally.misdirected, 2);
	arrive(1, 3, true);
	assert_int_equal(tally.received, 1);
	assert_int_equal(tally.member[0], 0);
	arrive(0, NB_SEQS, false);
	arrive(0, UINT32_MAX, false);
	arrive(4, 1, false);
	assert_int_equal(tally.corrupt, 3);
	assert_int_equal(tally.received, 1);
}

/* A step is 3 % wide at most, however large the value. */
static void
test_latency_quantiles(void **state)
{
	struct loadgen_latency *l = &tally.latency;

	(void)state;
	assert_int_equal(loadgen_latency_at(l, 0.5), 0);
	for (uint64_t v = 1; v <= 100000; v++)
		loadgen_latency_add(l, v);
	assert_int_equal(l->min, 1);
	assert_int_equal(l->max, 100000);
	assert_in_range(loadgen_latency_at(l, 0.5), 48400, 50000);
	assert_in_range(loadgen_latency_at(l, 0.99), 95900, 99000);
	assert_in_range(loadgen_latency_at(l, 1), 96900, 100000);
	assert_int_equal(loadgen_latency_at(l, 0), 1);
	loadgen_latency_add(l, UINT64_MAX);
	assert_int_equal(l->max, UINT64_MAX);
}

static void
test_latency_small_values_are_exact(void **state)
{
	struct loadgen_latency *l = &tally.latency;

	(void)state;
	for (uint64_t v = 0; v < 64; v++)
		loadgen_latency_add(l, v);
	for (uint64_t v = 0; v < 64; v++)
		assert_int_equal(loadgen_latency_at(l, (double)(v + 1) / 64), v);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_each_number_counts_once),
		TEST(test_order_is_per_flow),
		TEST(test_first_number_is_in_order),
		TEST(test_wrong_side_and_wrong_number),
		TEST(test_latency_quantiles),
		TEST(test_latency_small_values_are_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
