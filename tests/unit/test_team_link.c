/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include "test_team.h"

/* What the watch of member 1 says and when, with member 0 always up; the fact "link" afterwards. */
static const struct delay_case {
	const char *name;
	uint32_t updelay_ms, downdelay_ms;
	struct {
		uint32_t at_ms;
		int watch; /* -1: only look */
		bool link;
	} step[6];
} delay_cases[] = {
	{ "1 no delays", 0, 0, { { 1, 1, true }, { 1, 0, false }, { 2, 1, true } } },
	{ "2 updelay", 200, 0,
	                { { 10, 1, false }, { 209, -1, false }, { 210, -1, true },
	                                { 211, 0, false } } },
	{ "3 updelay starts again", 200, 0,
	                { { 10, 1, false }, { 100, 0, false }, { 150, 1, false },
	                                { 349, -1, false }, { 350, -1, true } } },
	{ "4 downdelay", 0, 300,
	                { { 10, 1, true }, { 20, 0, true }, { 319, -1, true },
	                                { 320, -1, false } } },
	{ "5 back within downdelay", 0, 300,
	                { { 10, 1, true }, { 20, 0, true }, { 300, 1, true }, { 330, -1, true },
	                                { 400, 0, true }, { 700, -1, false } } },
	{ "6 both", 200, 100,
	                { { 0, 1, false }, { 200, -1, true }, { 250, 0, true }, { 350, -1, false },
	                                { 360, 1, false }, { 560, -1, true } } },
	{ "7 the same news twice", 200, 0,
	                { { 10, 1, false }, { 100, 1, false }, { 210, -1, true } } },
};

static void
test_delays(void **state)
{
	(void)state;
	for (size_t i = 0; i < RTE_DIM(delay_cases); i++) {
		const struct delay_case *c = &delay_cases[i];
		struct fixture f = { 0 };

		fixture_defaults(&f);
		f.conf.updelay_ms = c->updelay_ms;
		f.conf.downdelay_ms = c->downdelay_ms;
		fixture_start(&f);
		add(&f, 0, 0, 100);
		add(&f, 1, 0, 100);
		watch(&f, 0, true);
		for (size_t k = 0; k < RTE_DIM(c->step); k++) {
			if (k > 0 && c->step[k].at_ms == 0)
				break;
			f.now = T0 + MS(c->step[k].at_ms);
			if (c->step[k].watch >= 0)
				watch(&f, 1, c->step[k].watch);
			poll_at(&f, f.now);
			if (f.team.member[1].link != c->step[k].link)
				fail_msg("%s, step %zu", c->name, k);
			assert_int_equal(f.team.member[1].distributing, c->step[k].link);
		}
	}
}

static void
test_next_says_when_a_delay_ends(void **state)
{
	struct fixture f = { 0 };

	(void)state;
	fixture_defaults(&f);
	f.conf.updelay_ms = 200;
	fixture_start(&f);
	add_up(&f, 2);
	assert_false(f.team.member[1].link);
	assert_int_equal(tp_team_next(&f.team), f.now); /* to fetch what is pending */
	poll_at(&f, f.now);
	assert_int_equal(tp_team_next(&f.team), T0 + MS(200));
	assert_int_not_equal(poll_at(&f, T0 + MS(200)) & TP_TEAM_ACT_MEMBER, 0);
	assert_int_equal(f.act.changed, 1 << 1);
	assert_true(tp_team_next(&f.team) == TP_NEVER);
}

static void
test_updelay_is_ignored_without_an_active_member(void **state)
{
	struct fixture f = { 0 };

	(void)state;
	fixture_defaults(&f);
	f.conf.updelay_ms = 60000;
	fixture_start(&f);
	add_up(&f, 3);
	assert_int_equal(f.team.primary, 0); /* the first one at once, the others wait */
	assert_false(f.team.member[1].link);
	poll_after(&f, 10);
	watch(&f, 1, false);
	watch(&f, 1, true); /* waits since now, member 2 since before */
	watch(&f, 0, false);
	assert_int_equal(f.team.primary, 2);
	assert_false(f.team.member[1].link);
	watch(&f, 2, false);
	assert_int_equal(f.team.primary, 1);
	assert_int_equal(tp_team_del(&f.team, 1, f.now), 0);
	assert_int_equal(f.team.primary, TP_MEMBER_NONE);
}

static void
test_updelay_is_ignored_when_the_others_are_fenced(void **state)
{
	struct fixture f = { 0 };

	(void)state;
	fixture_defaults(&f);
	f.conf.updelay_ms = 60000;
	fixture_start(&f);
	add_up(&f, 2);
	tp_team_fence(&f.team, 0, true, f.now);
	assert_int_equal(f.team.primary, 1);
	assert_true(f.team.member[0].link);
	assert_false(f.team.member[0].collecting);
}

/* One direction is cut: the probes of member 0 remain without replies, the switch still sends by it. */
static void
test_an_aggregation_hears_a_member_without_link(void **state)
{
	static const struct {
		enum tp_mode_id mode;
		enum tp_accept accept;
	} cases[] = {
		{ TP_MODE_HASH, TP_ACCEPT_ALL },
		{ TP_MODE_LOAD, TP_ACCEPT_ALL },
		{ TP_MODE_ROUND_ROBIN, TP_ACCEPT_ALL },
		{ TP_MODE_BROADCAST, TP_ACCEPT_UNICAST },
		{ TP_MODE_ACTIVE_BACKUP, TP_ACCEPT_NONE },
	};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(cases); i++) {
		struct fixture f = { 0 };

		fixture_defaults(&f);
		f.conf.mode = cases[i].mode;
		fixture_start(&f);
		add_up(&f, 2);
		watch(&f, 0, false);
		poll_at(&f, f.now);
		assert_false(f.team.member[0].distributing);
		assert_int_equal(f.act.accept[0], cases[i].accept);
		tp_team_enable(&f.team, 0, false, f.now);
		poll_at(&f, f.now);
		assert_true(f.act.what & TP_TEAM_ACT_ACCEPT || cases[i].accept == TP_ACCEPT_NONE);
		assert_int_equal(f.act.accept[0], TP_ACCEPT_NONE);
	}
}

static void
test_enable_is_at_once_and_no_failure(void **state)
{
	struct fixture f = { 0 };

	(void)state;
	fixture_defaults(&f);
	f.conf.downdelay_ms = 1000;
	f.conf.flap_max = 1;
	fixture_start(&f);
	add_up(&f, 2);
	for (int i = 0; i < 10; i++) {
		tp_team_enable(&f.team, 1, false, f.now);
		assert_false(f.team.member[1].link);
		tp_team_enable(&f.team, 1, true, f.now);
		assert_true(f.team.member[1].link);
	}
	assert_int_equal(f.team.member[1].failures, 0);
}

static void
test_updelay_counts_from_enabling(void **state)
{
	struct fixture f = { 0 };

	(void)state;
	fixture_defaults(&f);
	f.conf.updelay_ms = 100;
	fixture_start(&f);
	add_up(&f, 2);
	poll_after(&f, 100);
	tp_team_enable(&f.team, 1, false, f.now);
	poll_after(&f, 1000);
	tp_team_enable(&f.team, 1, true, f.now); /* its watch said up all the time */
	poll_after(&f, 99);
	assert_false(f.team.member[1].link);
	poll_after(&f, 1);
	assert_true(f.team.member[1].link);
}

static void
test_speed_outlives_downdelay(void **state)
{
	struct fixture f = { 0 };

	(void)state;
	fixture_defaults(&f);
	f.conf.downdelay_ms = 1000;
	fixture_start(&f);
	add_up(&f, 2);
	watch(&f, 0, false); /* speed 0 */
	assert_int_equal(f.team.primary, 0);
	assert_int_equal(f.team.member[0].speed_mbps, 10000);
	tp_team_watch(&f.team, 0, true, 0, f.now);
	assert_int_equal(f.team.member[0].speed_mbps, 0);
}

static void
flap(struct fixture *f, uint8_t i)
{
	watch(f, i, false);
	watch(f, i, true);
}

static void
test_flap_damping(void **state)
{
	struct fixture f = { 0 };

	(void)state;
	fixture_defaults(&f);
	f.conf.flap_max = 2;
	f.conf.flap_window_ms = 1000;
	f.conf.flap_hold_ms = 5000;
	fixture_start(&f);
	add_up(&f, 2);
	flap(&f, 1);
	flap(&f, 1);
	assert_true(f.team.member[1].link);
	poll_after(&f, 1000); /* still in the window: 1000 is not more than 1000 */
	flap(&f, 1);
	assert_false(f.team.member[1].link);
	assert_int_equal(f.team.member[1].failures, 3);
	assert_int_equal(f.team.member[1].damped_until, f.now + MS(5000));
	flap(&f, 1); /* does not make it longer */
	poll_after(&f, 4999);
	assert_false(f.team.member[1].link);
	poll_after(&f, 1);
	assert_true(f.team.member[1].link);
	assert_int_equal(f.team.member[1].damped_until, 0);
	flap(&f, 1);
	assert_true(f.team.member[1].link); /* counts anew */
}

static void
test_flaps_outside_the_window_are_forgotten(void **state)
{
	struct fixture f = { 0 };

	(void)state;
	fixture_defaults(&f);
	f.conf.flap_max = 15;
	f.conf.flap_window_ms = 1000;
	fixture_start(&f);
	add_up(&f, 2);
	for (int i = 0; i < 100; i++) {
		flap(&f, 1);
		assert_true(f.team.member[1].link);
		poll_after(&f, 70); /* 15 in a window */
	}
	assert_int_equal(f.team.member[1].failures, 100);
	for (int i = 0; i < 15; i++)
		flap(&f, 1);
	assert_false(f.team.member[1].link);
}

static void
test_damped_member_is_better_than_none(void **state)
{
	struct fixture f = { 0 };

	(void)state;
	fixture_defaults(&f);
	f.conf.flap_max = 1;
	f.conf.updelay_ms = 500;
	fixture_start(&f);
	add_up(&f, 1);
	add(&f, 1, 0, 100);
	flap(&f, 0);
	flap(&f, 0);
	assert_true(f.team.member[0].link); /* nobody else is there */
	watch(&f, 1, true);
	poll_after(&f, 500);
	flap(&f, 0);
	poll_after(&f, 500);
	flap(&f, 0);
	assert_int_equal(f.team.primary, 1);
	assert_int_not_equal(f.team.member[0].damped_until, 0);
	watch(&f, 1, false);
	assert_int_equal(f.team.primary, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_delays),
		cmocka_unit_test(test_next_says_when_a_delay_ends),
		cmocka_unit_test(test_updelay_is_ignored_without_an_active_member),
		cmocka_unit_test(test_updelay_is_ignored_when_the_others_are_fenced),
		cmocka_unit_test(test_enable_is_at_once_and_no_failure),
		cmocka_unit_test(test_updelay_counts_from_enabling),
		cmocka_unit_test(test_speed_outlives_downdelay),
		cmocka_unit_test(test_flap_damping),
		cmocka_unit_test(test_flaps_outside_the_window_are_forgotten),
		cmocka_unit_test(test_an_aggregation_hears_a_member_without_link),
		cmocka_unit_test(test_damped_member_is_better_than_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
