/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <errno.h>
#include <string.h>

#include "test_team.h"

static void
start(struct fixture *f, enum tp_mode_id mode, uint8_t nb)
{
	memset(f, 0, sizeof(*f));
	fixture_defaults(f);
	f->conf.mode = mode;
	fixture_start(f);
	add_up(f, nb);
	poll_at(f, f->now);
}

/* ---- the modes: from whom frames are accepted, by whom they leave ------------ */

static const struct mode_case {
	const char *name;
	uint8_t mode;
	bool all_members_active;
	uint8_t accept_primary, accept_secondary;
	uint8_t nb_alive;
	uint8_t active;
	bool lazy;
	uint32_t announce;
} mode_cases[] = {
	{ "1 hash", TP_MODE_HASH, false, TP_ACCEPT_ALL, TP_ACCEPT_ALL, 3, TP_MEMBER_NONE, true,
	                0x7 },
	{ "2 load", TP_MODE_LOAD, false, TP_ACCEPT_ALL, TP_ACCEPT_ALL, 3, TP_MEMBER_NONE, true,
	                0x7 },
	{ "3 active-backup", TP_MODE_ACTIVE_BACKUP, false, TP_ACCEPT_ALL, TP_ACCEPT_NONE, 1, 0,
	                false, 0x1 },
	{ "4 active-backup, all active", TP_MODE_ACTIVE_BACKUP, true, TP_ACCEPT_ALL, TP_ACCEPT_ALL,
	                1, 0, false, 0x1 },
	{ "5 round-robin", TP_MODE_ROUND_ROBIN, false, TP_ACCEPT_ALL, TP_ACCEPT_ALL, 3,
	                TP_MEMBER_NONE, false, 0x7 },
	{ "6 broadcast", TP_MODE_BROADCAST, false, TP_ACCEPT_ALL, TP_ACCEPT_UNICAST, 3,
	                TP_MEMBER_NONE, false, 0x7 },
	{ "7 broadcast, all active changes nothing", TP_MODE_BROADCAST, true, TP_ACCEPT_ALL,
	                TP_ACCEPT_UNICAST, 3, TP_MEMBER_NONE, false, 0x7 },
};

static void
test_modes(void **state)
{
	static struct tp_dist dist;
	static struct fixture f;

	(void)state;
	for (size_t i = 0; i < RTE_DIM(mode_cases); i++) {
		const struct mode_case *c = &mode_cases[i];
		const uint8_t accept[] = { c->accept_primary, c->accept_secondary,
			c->accept_secondary,
			c->mode == TP_MODE_ACTIVE_BACKUP ? TP_ACCEPT_NONE : c->accept_secondary };

		start(&f, c->mode, 3);
		add(&f, 3, 0, 100); /* its link is down */
		f.conf.all_members_active = c->all_members_active;
		assert_int_equal(tp_team_set_conf(&f.team, &f.conf, f.now), 0);
		poll_at(&f, f.now);
		tp_team_fill_dist(&f.team, &dist);
		if (memcmp(f.act.accept, accept, sizeof(accept)) != 0 ||
		                dist.nb_alive != c->nb_alive || dist.active != c->active ||
		                dist.lazy != c->lazy || f.act.announce != c->announce)
			fail_msg("%s", c->name);
		assert_int_equal(dist.mode, c->mode);
		assert_int_equal(dist.alive_mask, c->nb_alive == 1 ? 0x1 : 0x7);
		for (uint8_t k = 0; k < c->nb_alive; k++)
			assert_int_equal(dist.alive[k], k);
		for (uint32_t b = 0; b < dist.nb_buckets; b++)
			assert_true(dist.alive_mask & RTE_BIT32(dist.map[b]));
	}
}

static void
test_dist_of_nobody(void **state)
{
	static struct tp_dist dist;
	static struct fixture f;

	(void)state;
	for (int mode = 0; mode < TP_NB_MODES; mode++) {
		start(&f, mode, 1);
		tp_team_fill_dist(&f.team, &dist);
		assert_int_equal(dist.version, 1);
		watch(&f, 0, false);
		tp_team_fill_dist(&f.team, &dist);
		assert_int_equal(dist.version, 2);
		assert_int_equal(dist.nb_alive, 0);
		assert_int_equal(dist.alive_mask, 0);
		assert_int_equal(dist.active, TP_MEMBER_NONE);
		assert_int_equal(dist.nb_buckets, 1024);
		assert_int_equal(dist.skew_ns, 2000000);
		for (uint32_t b = 0; b < dist.nb_buckets; b++)
			assert_int_equal(dist.map[b], TP_MEMBER_NONE);
	}
}

/* ---- what control is told ----------------------------------------------------- */

static void
test_actions_of_a_failover(void **state)
{
	static struct fixture f;

	(void)state;
	start(&f, TP_MODE_ACTIVE_BACKUP, 2);
	assert_int_equal(poll_after(&f, 1), 0);
	watch(&f, 0, false);
	assert_int_equal(poll_after(&f, 0), TP_TEAM_ACT_PRIMARY | TP_TEAM_ACT_DIST |
	                                                    TP_TEAM_ACT_ACCEPT |
	                                                    TP_TEAM_ACT_MEMBER);
	assert_int_equal(f.act.primary, 1);
	assert_int_equal(f.act.changed, 0x1);
	assert_int_equal(f.act.accept[0], TP_ACCEPT_NONE);
	assert_int_equal(f.act.accept[1], TP_ACCEPT_ALL);
	assert_int_equal(poll_after(&f, 0), 0);
	watch(&f, 1, false);
	assert_int_equal(poll_after(&f, 0),
	                TP_TEAM_ACT_PRIMARY | TP_TEAM_ACT_DIST | TP_TEAM_ACT_ACCEPT |
	                                TP_TEAM_ACT_MEMBER | TP_TEAM_ACT_CARRIER);
	assert_int_equal(f.act.primary, TP_MEMBER_NONE);
	assert_false(f.act.carrier);
}

static void
test_reports_add_up_until_they_are_fetched(void **state)
{
	static struct fixture f;

	(void)state;
	start(&f, TP_MODE_HASH, 3);
	watch(&f, 1, false);
	tp_team_fence(&f.team, 2, true, f.now);
	tp_team_fence(&f.team, 2, true, f.now); /* no news */
	poll_after(&f, 0);
	assert_int_equal(f.act.changed, 0x6);
	tp_team_fence(&f.team, 2, true, f.now);
	assert_int_equal(poll_after(&f, 0), 0);
	tp_team_fence(&f.team, 2, false, f.now);
	assert_int_equal(poll_after(&f, 0),
	                TP_TEAM_ACT_DIST | TP_TEAM_ACT_ACCEPT | TP_TEAM_ACT_MEMBER);
	assert_int_equal(f.act.accept[2], TP_ACCEPT_ALL);
}

static void
test_min_links(void **state)
{
	static struct fixture f;

	(void)state;
	start(&f, TP_MODE_HASH, 3);
	assert_true(f.act.carrier);
	f.conf.min_links = 3;
	assert_int_equal(tp_team_set_conf(&f.team, &f.conf, f.now), 0);
	assert_int_equal(poll_after(&f, 0) & TP_TEAM_ACT_CARRIER, 0);
	watch(&f, 2, false);
	assert_int_not_equal(poll_after(&f, 0) & TP_TEAM_ACT_CARRIER, 0);
	assert_false(f.act.carrier);
	assert_int_equal(f.act.primary, 0); /* the others go on */
	watch(&f, 2, true);
	poll_after(&f, 0);
	assert_true(f.act.carrier);
}

static void
test_add_del_errors(void **state)
{
	const struct tp_member_conf good = { .weight = 1 }, bad = { .weight = 1001 };
	static struct fixture f;

	(void)state;
	start(&f, TP_MODE_HASH, 1);
	assert_int_equal(tp_team_add(&f.team, 0, 1, 1, &good, f.now), -EBUSY);
	assert_int_equal(tp_team_add(&f.team, TP_MAX_MEMBERS, 1, 1, &good, f.now), -EINVAL);
	assert_int_equal(tp_team_add(&f.team, 1, 1, 1, &bad, f.now), -EINVAL);
	assert_int_equal(tp_team_del(&f.team, 1, f.now), -EINVAL);
	assert_int_equal(tp_team_del(&f.team, TP_MEMBER_NONE, f.now), -EINVAL);
	assert_int_equal(tp_team_set_member(&f.team, 0, &bad, f.now), -EINVAL);
	assert_int_equal(tp_team_set_member(&f.team, 1, &good, f.now), -EINVAL);
	tp_team_enable(&f.team, 1, true, f.now);
	tp_team_enable(&f.team, TP_MEMBER_NONE, true, f.now);
	tp_team_watch(&f.team, TP_MEMBER_NONE, true, 1, f.now);
	tp_team_fence(&f.team, TP_MEMBER_NONE, true, f.now);
	assert_int_equal(poll_after(&f, 0), 0);
}

static void
test_del_is_a_failure_of_the_member(void **state)
{
	static struct fixture f;

	(void)state;
	start(&f, TP_MODE_HASH, 2);
	assert_int_equal(tp_team_del(&f.team, 0, f.now), 0);
	assert_int_equal(tp_team_nb_buckets_of(&f.team, 1), 1024);
	assert_int_not_equal(poll_after(&f, 0) & TP_TEAM_ACT_PRIMARY, 0);
	assert_int_equal(f.act.primary, 1);
	assert_int_equal(f.act.changed, 0x1);
	add(&f, 0, 0, 100);
	assert_false(f.team.member[0].link);
	watch(&f, 0, true);
	assert_int_equal(tp_team_nb_buckets_of(&f.team, 0), 512);
}

static void
test_time_never_goes_back(void **state)
{
	static struct fixture f;

	(void)state;
	start(&f, TP_MODE_HASH, 2);
	poll_at(&f, T0 + MS(500));
	watch(&f, 1, true);
	tp_team_watch(&f.team, 1, false, 0, T0);
	assert_int_equal(f.team.now, T0 + MS(500));
	assert_int_equal(f.team.member[1].changed_at, T0 + MS(500));
}

/* ---- announcements -------------------------------------------------------------- */

/* How often an action is asked for within ms, polled when the engine wants it. */
static unsigned int
count_asked(struct fixture *f, uint32_t what, uint64_t ms, uint64_t *last_gap_ms)
{
	const uint64_t end = f->now + MS(ms);
	uint64_t last = 0;
	unsigned int nb = 0;

	for (uint64_t t = RTE_MAX(tp_team_next(&f->team), f->now); t <= end;
	                t = tp_team_next(&f->team)) {
		if (!(poll_at(f, t) & what))
			continue;
		nb++;
		if (last_gap_ms != NULL && last != 0)
			*last_gap_ms = (t - last) / TP_NS_PER_MS;
		last = t;
	}
	f->now = end;
	return nb;
}

static void
test_announcements_are_counted_and_spaced(void **state)
{
	static const unsigned int nb[] = { 0, 1, 2, 20, 255 };
	static struct fixture f;

	(void)state;
	for (size_t i = 0; i < RTE_DIM(nb); i++) {
		uint64_t gap = 150;

		start(&f, TP_MODE_ACTIVE_BACKUP, 2);
		f.conf.num_peer_notif = nb[i];
		f.conf.peer_notif_delay_ms = 150;
		assert_int_equal(tp_team_set_conf(&f.team, &f.conf, f.now), 0);
		watch(&f, 0, false);
		assert_int_equal(count_asked(&f, TP_TEAM_ACT_ANNOUNCE, 60000, &gap), nb[i]);
		assert_int_equal(gap, 150);
		assert_int_equal(f.act.announce, 0x2);
		assert_true(tp_team_next(&f.team) == TP_NEVER);
	}
}

static void
test_membership_reports_are_repeated(void **state)
{
	static struct fixture f;
	uint64_t gap = 0;

	(void)state;
	start(&f, TP_MODE_ACTIVE_BACKUP, 2);
	f.conf.resend_igmp = 3;
	assert_int_equal(tp_team_set_conf(&f.team, &f.conf, f.now), 0);
	watch(&f, 0, false);
	assert_int_equal(count_asked(&f, TP_TEAM_ACT_IGMP, 10000, &gap), 3);
	assert_int_equal(gap, 200);
}

static void
test_a_new_failover_starts_over(void **state)
{
	static struct fixture f;

	(void)state;
	start(&f, TP_MODE_ACTIVE_BACKUP, 2);
	f.conf.num_peer_notif = 5;
	assert_int_equal(tp_team_set_conf(&f.team, &f.conf, f.now), 0);
	watch(&f, 0, false);
	assert_int_equal(count_asked(&f, TP_TEAM_ACT_ANNOUNCE, 250, NULL), 3);
	watch(&f, 0, true); /* stays: only the port id is lower */
	watch(&f, 1, false);
	assert_int_equal(count_asked(&f, TP_TEAM_ACT_ANNOUNCE, 10000, NULL), 5);
	assert_int_equal(f.act.announce, 0x1);
}

static void
test_nothing_is_announced_without_members(void **state)
{
	static struct fixture f;

	(void)state;
	start(&f, TP_MODE_HASH, 2);
	f.conf.num_peer_notif = 5;
	f.conf.resend_igmp = 5;
	assert_int_equal(tp_team_set_conf(&f.team, &f.conf, f.now), 0);
	watch(&f, 0, false);
	watch(&f, 1, false);
	assert_int_equal(count_asked(&f, TP_TEAM_ACT_ANNOUNCE | TP_TEAM_ACT_IGMP, 10000, NULL), 0);
	watch(&f, 1, true);
	assert_int_equal(count_asked(&f, TP_TEAM_ACT_ANNOUNCE, 10000, NULL), 5);
}

/* A secondary comes or goes: hash modes announce on all, active-backup has no reason to. */
static void
test_announcements_for_secondaries(void **state)
{
	static struct fixture f;

	(void)state;
	for (int mode = 0; mode < TP_NB_MODES; mode++) {
		const unsigned int nb = mode == TP_MODE_ACTIVE_BACKUP ? 0 : 1;

		start(&f, mode, 3);
		f.conf.num_peer_notif = 1;
		assert_int_equal(tp_team_set_conf(&f.team, &f.conf, f.now), 0);
		watch(&f, 2, false);
		assert_int_equal(count_asked(&f, TP_TEAM_ACT_ANNOUNCE, 1000, NULL), nb);
		assert_int_equal(f.act.announce, nb ? 0x3 : 0x1);
		watch(&f, 2, true);
		assert_int_equal(count_asked(&f, TP_TEAM_ACT_ANNOUNCE, 1000, NULL), nb);
		assert_int_equal(f.act.announce, nb ? 0x7 : 0x1);
	}
}

static void
test_rebalance_is_asked_for_in_mode_load(void **state)
{
	static struct fixture f;
	uint64_t gap = 0;

	(void)state;
	start(&f, TP_MODE_HASH, 2);
	assert_int_equal(count_asked(&f, TP_TEAM_ACT_REBALANCE, 1000, NULL), 0);
	start(&f, TP_MODE_LOAD, 2);
	assert_int_equal(count_asked(&f, TP_TEAM_ACT_REBALANCE, 1000, &gap), 10);
	assert_int_equal(gap, 100);
	start(&f, TP_MODE_LOAD, 0);
	assert_int_equal(count_asked(&f, TP_TEAM_ACT_REBALANCE, 1000, NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_dist_of_nobody),
		cmocka_unit_test(test_actions_of_a_failover),
		cmocka_unit_test(test_reports_add_up_until_they_are_fetched),
		cmocka_unit_test(test_min_links),
		cmocka_unit_test(test_add_del_errors),
		cmocka_unit_test(test_del_is_a_failure_of_the_member),
		cmocka_unit_test(test_time_never_goes_back),
		cmocka_unit_test(test_announcements_are_counted_and_spaced),
		cmocka_unit_test(test_membership_reports_are_repeated),
		cmocka_unit_test(test_a_new_failover_starts_over),
		cmocka_unit_test(test_nothing_is_announced_without_members),
		cmocka_unit_test(test_announcements_for_secondaries),
		cmocka_unit_test(test_rebalance_is_asked_for_in_mode_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
