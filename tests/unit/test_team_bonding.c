/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* What the kernel's selftests of its bonding driver check of active-backup, in our own words:
 * who is active after which event, with and without prio, for each primary_reselect. Ports
 * eth0..eth2 of theirs are members 0..2 here.
 */

#include <string.h>

#include "test_team.h"

static void
start(struct fixture *f, uint8_t primary, uint8_t reselect, const int32_t prio[3])
{
	memset(f, 0, sizeof(*f));
	fixture_defaults(f);
	f->conf.mode = TP_MODE_ACTIVE_BACKUP;
	f->conf.primary = primary;
	f->conf.primary_reselect = reselect;
	fixture_start(f);
	for (uint8_t i = 0; i < 3; i++) {
		add(f, i, prio != NULL ? prio[i] : 0, 100);
		watch(f, i, true);
	}
}

static void
set_prio(struct fixture *f, uint8_t i, int32_t prio)
{
	const struct tp_member_conf conf = { .prio = prio, .weight = 100 };

	assert_int_equal(tp_team_set_member(&f->team, i, &conf, f->now), 0);
}

#define assert_active(f, i) assert_int_equal((f)->team.primary, i)

/* prio 0, 10, 11; eth1 is the primary. It fails: highest prio. That fails: the only one left.
 * Higher prio back, then the primary back: as primary_reselect says. Then new prios. */
static void
test_prio_matrix(void **state)
{
	static const int32_t prio[] = { 0, 10, 11 };
	static struct fixture f;

	(void)state;
	for (int reselect = TP_RESELECT_ALWAYS; reselect <= TP_RESELECT_FAILURE; reselect++) {
		const bool always = reselect == TP_RESELECT_ALWAYS;

		start(&f, 1, reselect, prio);
		assert_active(&f, 1);
		watch(&f, 1, false);
		assert_active(&f, 2);
		watch(&f, 2, false);
		assert_active(&f, 0);
		watch(&f, 2, true);
		assert_active(&f, always ? 2 : 0);
		watch(&f, 1, true);
		assert_active(&f, always ? 1 : 0);
		if (!always)
			continue;
		f.conf.primary = TP_MEMBER_NONE;
		assert_int_equal(tp_team_set_conf(&f.team, &f.conf, f.now), 0);
		set_prio(&f, 0, 1000000);
		set_prio(&f, 1, 0);
		set_prio(&f, 2, -50);
		assert_active(&f, 0);
	}
}

/* No primary, all of one prio: a failed member that comes back is not active again. */
static void
test_without_primary_nobody_returns(void **state)
{
	static struct fixture f;

	(void)state;
	start(&f, TP_MEMBER_NONE, TP_RESELECT_ALWAYS, NULL);
	assert_active(&f, 0);
	watch(&f, 0, false);
	assert_active(&f, 1);
	watch(&f, 0, true);
	assert_active(&f, 1);
}

/* The primary fails and comes back; then the active one fails. */
static void
test_primary_reselect(void **state)
{
	static const uint8_t after_return[] = {
		[TP_RESELECT_ALWAYS] = 1, [TP_RESELECT_BETTER] = 0, [TP_RESELECT_FAILURE] = 0
	};
	static struct fixture f;

	(void)state;
	for (int reselect = TP_RESELECT_ALWAYS; reselect <= TP_RESELECT_FAILURE; reselect++) {
		start(&f, 1, reselect, NULL);
		watch(&f, 1, false);
		assert_active(&f, 0);
		watch(&f, 1, true);
		assert_active(&f, after_return[reselect]);
		watch(&f, 0, false);
		assert_active(&f, 1);
	}
}

/* A change of primary_reselect alone chooses anew under the new policy. */
static void
test_new_reselect_policy_counts_at_once(void **state)
{
	static struct fixture f;

	(void)state;
	start(&f, 1, TP_RESELECT_FAILURE, NULL);
	watch(&f, 1, false);
	watch(&f, 1, true);
	assert_active(&f, 0);
	f.conf.primary_reselect = TP_RESELECT_ALWAYS;
	assert_int_equal(tp_team_set_conf(&f.team, &f.conf, f.now), 0);
	assert_active(&f, 1);
}

/* A new primary option takes effect at once whatever the policy is; none leaves all as it is. */
static void
test_new_primary_counts_at_once(void **state)
{
	static struct fixture f;

	(void)state;
	for (int reselect = TP_RESELECT_ALWAYS; reselect <= TP_RESELECT_FAILURE; reselect++) {
		start(&f, 1, reselect, NULL);
		f.conf.primary = 2;
		assert_int_equal(tp_team_set_conf(&f.team, &f.conf, f.now), 0);
		assert_active(&f, 2);
		f.conf.primary = TP_MEMBER_NONE;
		assert_int_equal(tp_team_set_conf(&f.team, &f.conf, f.now), 0);
		assert_active(&f, 2);
	}
}

/* num_peer_notif: as many gratuitous ARPs follow a failover, not one more. */
static void
test_number_of_gratuitous_arps(void **state)
{
	static struct fixture f;

	(void)state;
	for (unsigned int nb = 10; nb <= 50; nb += 10) {
		unsigned int sent = 0;

		start(&f, 0, TP_RESELECT_ALWAYS, NULL);
		f.conf.num_peer_notif = nb;
		f.conf.peer_notif_delay_ms = 100;
		assert_int_equal(tp_team_set_conf(&f.team, &f.conf, f.now), 0);
		watch(&f, 0, false);
		for (uint64_t ms = 0; ms < 10000; ms++)
			sent += (poll_after(&f, 1) & TP_TEAM_ACT_ANNOUNCE) != 0;
		assert_int_equal(sent, nb);
		assert_int_equal(f.act.announce, 0x2);
	}
}

/* updelay keeps the returning primary out, downdelay keeps the failing one in; a bond without
 * any active member takes the first that recovers. */
static void
test_up_and_down_delay(void **state)
{
	static struct fixture f;

	(void)state;
	start(&f, 1, TP_RESELECT_ALWAYS, NULL);
	f.conf.updelay_ms = 10000;
	f.conf.downdelay_ms = 1000;
	assert_int_equal(tp_team_set_conf(&f.team, &f.conf, f.now), 0);
	watch(&f, 1, false);
	poll_after(&f, 999);
	assert_active(&f, 1);
	poll_after(&f, 1);
	assert_active(&f, 0);
	watch(&f, 1, true);
	poll_after(&f, 9999);
	assert_active(&f, 0);
	poll_after(&f, 1);
	assert_active(&f, 1);
	for (uint8_t i = 0; i < 3; i++)
		watch(&f, i, false);
	poll_after(&f, 1000);
	assert_active(&f, TP_MEMBER_NONE);
	watch(&f, 2, true);
	assert_active(&f, 2);
	poll_after(&f, 1);
	watch(&f, 1, true);
	poll_after(&f, 9999);
	assert_active(&f, 2);
	poll_after(&f, 1);
	assert_active(&f, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prio_matrix),
		cmocka_unit_test(test_without_primary_nobody_returns),
		cmocka_unit_test(test_primary_reselect),
		cmocka_unit_test(test_new_reselect_policy_counts_at_once),
		cmocka_unit_test(test_new_primary_counts_at_once),
		cmocka_unit_test(test_number_of_gratuitous_arps),
		cmocka_unit_test(test_up_and_down_delay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
