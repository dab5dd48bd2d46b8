/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* When a connection follows its packets, and when some leave a busy lcore (lib/toe/decide.c). */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "toe_int.h"

static const struct move_view quiet = { .after = 3, .hysteresis = 100, .run = 3, .since_ms = 100 };

static void
test_moves_after_so_many_in_a_row(void **state)
{
	struct move_view view = quiet;

	(void)state;
	assert_true(decide_move(&view));
	view.run = 2;
	assert_false(decide_move(&view));
	view.run = UINT8_MAX; /* saturated */
	assert_true(decide_move(&view));
}

static void
test_never_when_off(void **state)
{
	struct move_view view = quiet;

	(void)state;
	view.after = 0;
	view.run = UINT8_MAX;
	view.since_ms = UINT32_MAX;
	assert_false(decide_move(&view));
}

static void
test_waits_the_hysteresis(void **state)
{
	struct move_view view = quiet;

	(void)state;
	view.since_ms = 99;
	assert_false(decide_move(&view));
	view.hysteresis = 0;
	view.since_ms = 0;
	assert_true(decide_move(&view));
}

static void
test_each_level_waits_four_times_as_long(void **state)
{
	struct move_view view = quiet;
	uint32_t wait = view.hysteresis;

	(void)state;
	for (view.level = 0; view.level <= MOVE_LEVEL_MAX; view.level++, wait *= 4) {
		view.since_ms = wait - 1;
		assert_false(decide_move(&view));
		view.since_ms = wait;
		assert_true(decide_move(&view));
	}
}

static void
test_largest_hysteresis_does_not_wrap(void **state)
{
	struct move_view view = quiet;

	(void)state;
	view.hysteresis = TP_TOE_HYSTERESIS_MAX_MS;
	view.level = MOVE_LEVEL_MAX;
	view.since_ms = TP_TOE_HYSTERESIS_MAX_MS;
	assert_false(decide_move(&view));
}

static void
test_level_rises_with_frequent_moves_and_falls_after_calm(void **state)
{
	struct move_view view = quiet;

	(void)state;
	for (unsigned int i = 0; i < 2 * MOVE_LEVEL_MAX; i++) {
		view.since_ms = view.hysteresis << (2 * view.level);
		view.level = decide_level(&view);
		assert_int_equal(view.level, RTE_MIN(i + 1, (unsigned int)MOVE_LEVEL_MAX));
	}
	view.since_ms = 4 * (view.hysteresis << (2 * view.level)) + 1;
	assert_int_equal(decide_level(&view), 0);
}

/** A switch that sprays one flow at random over two members: moves become rare. */
static void
test_sprayed_flow_does_not_ping_pong(void **state)
{
	struct move_view view = { .after = 3, .hysteresis = 100 };
	uint32_t moved_ms = 0, moves = 0, seed = 1;
	uint8_t arrival = 0, owner = 0;

	(void)state;
	for (uint32_t now_ms = 1000; now_ms < 61000; now_ms++) {
		uint8_t member = (seed = seed * 1103515245 + 12345) >> 30 & 1;

		view.run = member == arrival ? RTE_MIN(view.run + 1, UINT8_MAX) : 1;
		arrival = member;
		view.since_ms = now_ms - moved_ms;
		if (member == owner || !decide_move(&view))
			continue;
		view.level = decide_level(&view);
		moved_ms = now_ms;
		owner = member;
		view.run = 0;
		moves++;
	}
	assert_in_range(moves, 2, 20);
}

static void
test_steps_are_in_order_and_near(void **state)
{
	unsigned int last = 0;

	(void)state;
	for (uint64_t v = 0; v <= UINT32_MAX; v += 1 + v / 16) {
		unsigned int step = tp_toe_step_of(v);

		assert_true(step < TP_TOE_NB_STEPS);
		assert_true(step >= last);
		assert_true(tp_toe_step_value(step) <= v);
		/* A quarter of a power of two. */
		assert_true(v - tp_toe_step_value(step) <= v / 4);
		last = step;
	}
	assert_int_equal(tp_toe_step_of(UINT32_MAX), TP_TOE_NB_STEPS - 5);
}

static void
test_rebalance_moves_from_the_busiest_to_the_idlest(void **state)
{
	const struct tp_toe_load load[] = {
		{ .member = 4, .busy_permille = 500, .nb_conns = 100 },
		{ .member = 7, .busy_permille = 1000, .nb_conns = 1000 },
		{ .member = 9, .busy_permille = 600, .nb_conns = 10 },
	};
	struct tp_toe_shift shift;

	(void)state;
	assert_true(tp_toe_rebalance(load, 3, &shift));
	assert_int_equal(shift.from, 7);
	assert_int_equal(shift.to, 4);
	assert_int_equal(shift.nb, 250);
}

static void
test_rebalance_leaves_alone(void **state)
{
	struct tp_toe_load load[] = {
		{ .member = 0, .busy_permille = 790, .nb_conns = 1000 },
		{ .member = 1, .busy_permille = 0, .nb_conns = 0 },
	};
	struct tp_toe_shift shift;

	(void)state;
	assert_false(tp_toe_rebalance(load, 2, &shift)); /* not busy */
	load[0].busy_permille = 900;
	load[1].busy_permille = 700;
	assert_false(tp_toe_rebalance(load, 2, &shift)); /* not busier */
	load[1].busy_permille = 0;
	assert_false(tp_toe_rebalance(load, 1, &shift)); /* nowhere to go */
	assert_false(tp_toe_rebalance(load, 0, &shift));
	load[0].nb_conns = 1; /* one big one would only make the other busy */
	assert_false(tp_toe_rebalance(load, 2, &shift));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_moves_after_so_many_in_a_row),
		cmocka_unit_test(test_never_when_off),
		cmocka_unit_test(test_waits_the_hysteresis),
		cmocka_unit_test(test_each_level_waits_four_times_as_long),
		cmocka_unit_test(test_largest_hysteresis_does_not_wrap),
		cmocka_unit_test(test_level_rises_with_frequent_moves_and_falls_after_calm),
		cmocka_unit_test(test_sprayed_flow_does_not_ping_pong),
		cmocka_unit_test(test_steps_are_in_order_and_near),
		cmocka_unit_test(test_rebalance_moves_from_the_busiest_to_the_idlest),
		cmocka_unit_test(test_rebalance_leaves_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
