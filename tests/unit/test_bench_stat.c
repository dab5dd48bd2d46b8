/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "bench.h"

static void
test_stat_of_odd_even_one(void **state)
{
	double odd[] = { 5, 1, 3 };
	double even[] = { 4, 1, 3, 2 };
	double one[] = { 7 };
	struct bench_stat s;

	(void)state;
	s = bench_stat_of(odd, 3);
	assert_float_equal(s.min, 1, 0);
	assert_float_equal(s.median, 3, 0);
	assert_float_equal(s.p99, 5, 0);
	assert_float_equal(s.max, 5, 0);
	s = bench_stat_of(even, 4);
	assert_float_equal(s.median, 2.5, 0);
	s = bench_stat_of(one, 1);
	assert_float_equal(s.min, 7, 0);
	assert_float_equal(s.median, 7, 0);
	assert_float_equal(s.p99, 7, 0);
}

static void
test_stat_p99_is_nearest_rank(void **state)
{
	double values[200];

	(void)state;
	for (unsigned int i = 0; i < 200; i++)
		values[i] = 200 - i;
	assert_float_equal(bench_stat_of(values, 200).p99, 198, 0);
}

struct order {
	char log[64];
	unsigned int len;
	double next;
};

static double
run_a(void *ctx)
{
	struct order *o = ctx;

	o->log[o->len++] = 'a';
	return o->next++;
}

static double
run_b(void *ctx)
{
	struct order *o = ctx;

	o->log[o->len++] = 'b';
	return 0.5;
}

static double
run_nan(void *ctx)
{
	(void)ctx;
	return NAN;
}

static void
test_interleave_alternates_and_drops_warmup(void **state)
{
	struct bench b = { .nb_runs = 3 };
	struct order o = { .next = 100 };
	struct bench_contender c[] = { { .run = run_a, .ctx = &o }, { .run = run_b, .ctx = &o } };

	(void)state;
	assert_int_equal(bench_interleave(&b, c, 2), 0);
	assert_string_equal(o.log, "ab"
	                           "ab"
	                           "ba"
	                           "ab");
	assert_float_equal(c[0].stat.min, 101, 0); /* 100 was the warm-up */
	assert_float_equal(c[0].stat.max, 103, 0);
	assert_int_equal(c[0].stat.nb_runs, 3);
	assert_float_equal(c[1].stat.median, 0.5, 0);
}

static void
test_interleave_reports_a_failed_run(void **state)
{
	struct bench b = { .nb_runs = 2 };
	struct order o = { .next = 1 };
	struct bench_contender c[] = { { .run = run_nan }, { .run = run_b, .ctx = &o } };

	(void)state;
	assert_int_equal(bench_interleave(&b, c, 2), -EINVAL);
	assert_true(isnan(c[0].stat.min));
	assert_float_equal(c[1].stat.min, 0.5, 0);
	assert_int_equal(bench_interleave(&b, c, 0), -EINVAL);
	assert_int_equal(bench_interleave(&b, c, BENCH_MAX_CONTENDERS + 1), -EINVAL);
}

static void
test_added_subtracts(void **state)
{
	struct bench_stat with = { 10, 12, 14, 16, 5 };
	struct bench_stat without = { 4, 5, 6, 7, 5 };
	struct bench_stat added = bench_stat_added(&with, &without);

	(void)state;
	assert_float_equal(added.min, 6, 0);
	assert_float_equal(added.median, 7, 0);
	assert_float_equal(added.p99, 8, 0);
	assert_float_equal(added.max, 9, 0);
	assert_int_equal(added.nb_runs, 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stat_of_odd_even_one),
		cmocka_unit_test(test_stat_p99_is_nearest_rank),
		cmocka_unit_test(test_interleave_alternates_and_drops_warmup),
		cmocka_unit_test(test_interleave_reports_a_failed_run),
		cmocka_unit_test(test_added_subtracts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
