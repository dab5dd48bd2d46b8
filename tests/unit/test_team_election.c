/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <string.h>

#include "test_team.h"

#define NONE TP_MEMBER_NONE

struct candidate {
	bool distributing;
	int32_t prio;
	uint32_t speed_mbps;
	uint32_t distance;
	uint16_t port_id;
};

#define CAND(...)                                                                                  \
	{                                                                                          \
		.distributing = true, .speed_mbps = 10000, .distance = 10, __VA_ARGS__             \
	}

/* Who wins: the criteria one by one, then what the present primary and the policy change. */
static const struct election_case {
	const char *name;
	struct candidate c[3];
	uint8_t present;
	uint8_t preferred;
	uint8_t reselect;
	bool force;
	uint8_t winner;
} cases[] = {
	{ "1 nobody", { { 0 } }, NONE, NONE, TP_RESELECT_ALWAYS, false, NONE },
	{ "2 the only one that distributes", { { .prio = 9 }, CAND(.prio = -5) }, NONE, NONE,
	                TP_RESELECT_ALWAYS, false, 1 },
	{ "3 prio before speed", { CAND(.prio = 1), CAND(.prio = 0, .speed_mbps = 100000) }, NONE,
	                NONE, TP_RESELECT_ALWAYS, false, 0 },
	{ "4 negative prio", { CAND(.prio = -2), CAND(.prio = -1) }, NONE, NONE, TP_RESELECT_ALWAYS,
	                false, 1 },
	{ "5 speed before distance",
	                { CAND(.distance = 10), CAND(.speed_mbps = 25000, .distance = 32) }, NONE,
	                NONE, TP_RESELECT_ALWAYS, false, 1 },
	{ "6 distance before port", { CAND(.distance = 32, .port_id = 0), CAND(.port_id = 1) },
	                NONE, NONE, TP_RESELECT_ALWAYS, false, 1 },
	{ "7 lowest port, not lowest index", { CAND(.port_id = 7), CAND(.port_id = 3) }, NONE, NONE,
	                TP_RESELECT_ALWAYS, false, 1 },
	{ "8 preferred before prio", { CAND(.prio = 100), CAND() }, NONE, 1, TP_RESELECT_ALWAYS,
	                false, 1 },
	{ "9 preferred that does not distribute", { CAND(), { .prio = 100 } }, NONE, 1,
	                TP_RESELECT_ALWAYS, true, 0 },
	{ "10 preferred that is no member", { CAND(), CAND(.prio = 1) }, NONE, 31,
	                TP_RESELECT_ALWAYS, true, 1 },
	{ "11 always: higher prio takes over", { CAND(.port_id = 1), CAND(.prio = 1) }, 0, NONE,
	                TP_RESELECT_ALWAYS, false, 1 },
	{ "12 always: nobody takes over for a port id", { CAND(.port_id = 9), CAND(.port_id = 1) },
	                0, NONE, TP_RESELECT_ALWAYS, false, 0 },
	{ "13 always: nor does a worse one",
	                { CAND(.prio = 3), CAND(.prio = 2, .speed_mbps = 40000) }, 0, NONE,
	                TP_RESELECT_ALWAYS, false, 0 },
	{ "14 always: a closer one takes over", { CAND(.distance = 32), CAND() }, 0, NONE,
	                TP_RESELECT_ALWAYS, false, 1 },
	{ "15 better: prio alone is not", { CAND(), CAND(.prio = 9) }, 0, NONE, TP_RESELECT_BETTER,
	                false, 0 },
	{ "16 better: speed is", { CAND(), CAND(.speed_mbps = 25000) }, 0, NONE, TP_RESELECT_BETTER,
	                false, 1 },
	{ "17 better: preferred of the same speed is not", { CAND(), CAND() }, 0, 1,
	                TP_RESELECT_BETTER, false, 0 },
	{ "18 better: preferred and faster", { CAND(), CAND(.speed_mbps = 25000) }, 0, 1,
	                TP_RESELECT_BETTER, false, 1 },
	{ "19 failure: stays", { CAND(), CAND(.prio = 9, .speed_mbps = 100000) }, 0, 1,
	                TP_RESELECT_FAILURE, false, 0 },
	{ "20 failure: until it fails", { { 0 }, CAND(), CAND(.prio = 1) }, 0, NONE,
	                TP_RESELECT_FAILURE, false, 2 },
	{ "21 better: likewise", { { 0 }, CAND(), CAND(.prio = 1) }, 0, NONE, TP_RESELECT_BETTER,
	                false, 2 },
	{ "22 failure: the preferred one wins once", { CAND(.prio = 1), CAND() }, 0, 1,
	                TP_RESELECT_FAILURE, true, 1 },
	{ "23 better: unknown speed is slowest", { CAND(), CAND(.speed_mbps = 0, .prio = 1) }, 0,
	                NONE, TP_RESELECT_BETTER, false, 0 },
};

static void
test_election_table(void **state)
{
	static struct tp_team team;

	(void)state;
	for (size_t i = 0; i < RTE_DIM(cases); i++) {
		const struct election_case *c = &cases[i];

		memset(&team, 0, sizeof(team));
		for (size_t k = 0; k < RTE_DIM(c->c); k++)
			team.member[k] = (struct tp_team_member){
				.used = true,
				.conf.prio = c->c[k].prio,
				.speed_mbps = c->c[k].speed_mbps,
				.distance = c->c[k].distance,
				.port_id = c->c[k].port_id,
				.distributing = c->c[k].distributing,
			};
		team.primary = c->present;
		team.conf.primary = c->preferred;
		team.conf.primary_reselect = c->reselect;
		team.force_primary = c->force;
		if (tp_team_elect(&team) != c->winner)
			fail_msg("%s: %u", c->name, tp_team_elect(&team));
	}
}

static void
test_preferred_wins_once_after_it_was_set(void **state)
{
	struct fixture f = { 0 };

	(void)state;
	fixture_defaults(&f);
	f.conf.primary_reselect = TP_RESELECT_FAILURE;
	fixture_start(&f);
	add_up(&f, 2);
	assert_int_equal(f.team.primary, 0);
	f.conf.primary = 1;
	assert_int_equal(tp_team_set_conf(&f.team, &f.conf, f.now), 0);
	assert_int_equal(f.team.primary, 1);
	watch(&f, 1, false);
	assert_int_equal(f.team.primary, 0);
	watch(&f, 1, true);
	assert_int_equal(f.team.primary, 0);
}

static void
test_preferred_wins_once_after_it_was_added(void **state)
{
	struct fixture f = { 0 };

	(void)state;
	fixture_defaults(&f);
	f.conf.primary_reselect = TP_RESELECT_FAILURE;
	f.conf.primary = 1;
	fixture_start(&f);
	add_up(&f, 1);
	assert_int_equal(f.team.primary, 0);
	add(&f, 1, 0, 100);
	assert_int_equal(f.team.primary, 0);
	watch(&f, 1, true);
	assert_int_equal(f.team.primary, 1);
	assert_int_equal(tp_team_del(&f.team, 1, f.now), 0);
	assert_int_equal(f.team.primary, 0);
}

static void
test_new_prio_and_speed_are_seen_at_once(void **state)
{
	const struct tp_member_conf high = { .prio = 1, .weight = 100 };
	struct fixture f = { 0 };

	(void)state;
	fixture_defaults(&f);
	fixture_start(&f);
	add_up(&f, 3);
	assert_int_equal(f.team.primary, 0);
	tp_team_watch(&f.team, 2, true, 25000, f.now);
	assert_int_equal(f.team.primary, 2);
	assert_int_equal(tp_team_set_member(&f.team, 1, &high, f.now), 0);
	assert_int_equal(f.team.primary, 1);
	assert_int_equal(f.team.primary_changes, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_election_table),
		cmocka_unit_test(test_preferred_wins_once_after_it_was_set),
		cmocka_unit_test(test_preferred_wins_once_after_it_was_added),
		cmocka_unit_test(test_new_prio_and_speed_are_seen_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
