/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* All connections of a member (lib/toe/sweep.c, manage.c): probed when its port dies, sent elsewhere in
 * slices, stopped when it comes back, shed when its lcore is busy.
 */

#include "test_toe.h"

static struct fake_peer peers[64];
static tp_toe_id ids[64];

static void
open_many(unsigned int nb, uint8_t member)
{
	for (unsigned int i = 0; i < nb; i++)
		ids[i] = toe_conn(&peers[i], i, member);
}

static void
put_in_flight(unsigned int i)
{
	uint32_t len = 100;

	toe_post(ids[i], toe_send_bytes, &len);
	toe_settle();
}

static unsigned int
owned_by(unsigned int nb, uint8_t member)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < nb; i++)
		n += WORD_MEMBER(word_of_id(ids[i])) == member;
	return n;
}

static void
test_a_dead_port_probes_what_is_in_flight_at_once(void **state)
{
	(void)state;
	open_many(3, 0);
	put_in_flight(1);
	fake_forget(&team);
	tp_toe_set_place(team.toe, 0, TP_TOE_DOWN);
	assert_int_equal(team.nb_sent, 0);
	fake_turn(&team, 0);
	/* Before they go anywhere, and the one with data only. */
	assert_int_equal(counted(0, TP_TOE_C_MOVE_PROBED), 1);
	assert_int_equal(team.nb_sent, 1);
	assert_non_null(fake_last(&team, peers[1].port));
	assert_int_equal(owned_by(3, 0), 3);
	toe_settle();
	assert_int_equal(owned_by(3, 0), 0);
	assert_int_equal(counted(0, TP_TOE_C_MOVE_LINK), 3);
	assert_int_equal(counted(0, TP_TOE_C_MOVE_DRAIN), 0);
	assert_int_equal(counted(0, TP_TOE_C_MOVE_PROBED), 1);
	assert_int_equal(team.nb_sent, 1);
}

static void
test_a_turn_probes_so_many_and_no_more(void **state)
{
	(void)state;
	open_many(60, 0);
	for (unsigned int i = 0; i < 60; i++)
		put_in_flight(i);
	tp_toe_set_place(team.toe, 0, TP_TOE_DOWN);
	fake_turn(&team, 0);
	assert_in_range(counted(0, TP_TOE_C_MOVE_PROBED), 1, 32);
	fake_turn(&team, 0);
	assert_int_equal(counted(0, TP_TOE_C_MOVE_PROBED), 60);
	assert_int_equal(owned_by(60, 0), 60); /* all of them before the first one goes */
}

static void
test_a_drain_does_not_probe(void **state)
{
	(void)state;
	open_many(3, 0);
	put_in_flight(1);
	fake_forget(&team);
	tp_toe_set_place(team.toe, 0, TP_TOE_DRAIN);
	toe_settle();
	assert_int_equal(counted(0, TP_TOE_C_MOVE_PROBED), 0);
	assert_int_equal(team.nb_sent, 0);
	assert_int_equal(owned_by(3, 0), 0);
	assert_int_equal(counted(0, TP_TOE_C_MOVE_DRAIN), 3);
	assert_int_equal(counted(0, TP_TOE_C_MOVE_LINK), 0);
}

static void
test_they_go_where_the_map_proposes(void **state)
{
	(void)state;
	open_many(5, 0);
	team.home = 2;
	tp_toe_set_place(team.toe, 0, TP_TOE_DRAIN);
	toe_settle();
	assert_int_equal(owned_by(5, 2), 5);
}

static void
test_a_turn_takes_so_many_and_no_more(void **state)
{
	unsigned int left = 60, before;

	(void)state;
	open_many(60, 0);
	tp_toe_set_place(team.toe, 0, TP_TOE_DRAIN);
	for (unsigned int turns = 0; left > 0; turns++) {
		assert_in_range(turns, 0, 4);
		before = left;
		fake_turn(&team, 0);
		left = tp_toe_nb_conns(team.toe, 0);
		assert_in_range(before - left, 1, 32);
	}
	toe_settle();
	assert_int_equal(owned_by(60, 0), 0);
	assert_int_equal(counted(0, TP_TOE_C_MOVED_OUT), 60);
}

/* Control says again and again that all are to go, as new ones may have come: it goes on where it was, or
 * it would never get past as many slots as it looks at in a turn. */
static void
test_told_again_it_goes_on(void **state)
{
	const unsigned int nb = 300;

	(void)state;
	conf.max_conns = nb;
	toe_reopen();
	for (unsigned int i = 0; i < nb; i++)
		toe_conn(&peers[0], i, 0);
	tp_toe_set_place(team.toe, 0, TP_TOE_DRAIN);
	for (unsigned int turns = 0; tp_toe_nb_conns(team.toe, 0) > 0; turns++) {
		assert_in_range(turns, 0, nb / 32 + 1);
		atomic_fetch_or(&shard(0)->orders, SWEEP_REHOME);
		fake_turn(&team, 0);
	}
}

static void
test_a_link_that_is_back_keeps_the_rest(void **state)
{
	unsigned int left;

	(void)state;
	open_many(60, 0);
	tp_toe_set_place(team.toe, 0, TP_TOE_DRAIN);
	fake_turn(&team, 0);
	left = tp_toe_nb_conns(team.toe, 0);
	assert_in_range(left, 1, 59);
	tp_toe_set_place(team.toe, 0, TP_TOE_ACTIVE);
	toe_settle();
	assert_int_equal(owned_by(60, 0), left);
}

/* Told to go and to stay in one turn: what holds now counts. */
static void
test_a_flap_within_a_turn(void **state)
{
	(void)state;
	open_many(4, 0);
	tp_toe_set_place(team.toe, 0, TP_TOE_DOWN);
	tp_toe_set_place(team.toe, 0, TP_TOE_ACTIVE);
	toe_settle();
	assert_int_equal(owned_by(4, 0), 4);
	tp_toe_set_place(team.toe, 0, TP_TOE_ACTIVE);
	tp_toe_set_place(team.toe, 0, TP_TOE_DOWN);
	toe_settle();
	assert_int_equal(owned_by(4, 0), 0);
}

static void
test_a_place_that_it_has_is_not_told_again(void **state)
{
	(void)state;
	open_many(2, 0);
	tp_toe_set_place(team.toe, 0, TP_TOE_DOWN);
	toe_settle();
	assert_int_equal(counted(0, TP_TOE_C_MOVED_OUT), 2);
	tp_toe_set_place(team.toe, 0, TP_TOE_DOWN);
	assert_int_equal(atomic_load(&shard(0)->orders), 0);
	tp_toe_set_place(team.toe, FAKE_MEMBERS, TP_TOE_DOWN); /* nobody */
	toe_stop(1);
	tp_toe_set_place(team.toe, 1, TP_TOE_ACTIVE);
	assert_int_equal(atomic_load(&team.toe->usable), RTE_BIT32(2));
}

/* What begins on it later goes, too. */
static void
test_a_drained_member_is_emptied_again(void **state)
{
	(void)state;
	tp_toe_set_place(team.toe, 0, TP_TOE_DRAIN);
	toe_settle();
	open_many(1, 0);
	assert_int_equal(owned_by(1, 0), 1);
	fake_wait(&team, 100 * MS);
	toe_settle();
	assert_int_equal(owned_by(1, 0), 0);
	assert_int_equal(counted(0, TP_TOE_C_MOVE_DRAIN), 1);
}

static void
test_nowhere_to_go(void **state)
{
	(void)state;
	open_many(2, 0);
	for (uint8_t i = 0; i < FAKE_MEMBERS; i++)
		tp_toe_set_place(team.toe, i, TP_TOE_DOWN);
	toe_settle();
	assert_int_equal(owned_by(2, 0), 2);
	assert_int_equal(told.closed, 0);
	/* As soon as somebody is back they do. */
	tp_toe_set_place(team.toe, 2, TP_TOE_ACTIVE);
	fake_wait(&team, 100 * MS);
	toe_settle();
	assert_int_equal(owned_by(2, 2), 2);
}

static void
test_sheds_so_many_to_one(void **state)
{
	(void)state;
	open_many(20, 0);
	team.home = 2;
	tp_toe_shed(team.toe, 0, 1, 7);
	toe_settle();
	assert_int_equal(owned_by(20, 1), 7);
	assert_int_equal(owned_by(20, 0), 13);
	assert_int_equal(counted(0, TP_TOE_C_MOVE_LOAD), 7);
	tp_toe_shed(team.toe, 0, 1, 100);
	toe_settle();
	assert_int_equal(owned_by(20, 1), 20);
	assert_int_equal(shard(0)->sweep, 0);
}

static void
test_sheds_only_to_one_that_takes_them(void **state)
{
	(void)state;
	open_many(3, 0);
	tp_toe_shed(team.toe, 0, 1, 0);
	tp_toe_shed(team.toe, 0, FAKE_MEMBERS, 3);
	tp_toe_set_place(team.toe, 1, TP_TOE_DRAIN);
	tp_toe_shed(team.toe, 0, 1, 3);
	tp_toe_shed(team.toe, FAKE_MEMBERS, 2, 3);
	assert_int_equal(atomic_load(&shard(0)->orders), 0);
	toe_settle();
	assert_int_equal(owned_by(3, 0), 3);
}

/* The port dies while some are being shed: those in flight go first, then all. */
static void
test_a_dead_port_comes_before_shedding(void **state)
{
	(void)state;
	open_many(10, 0);
	put_in_flight(9);
	tp_toe_shed(team.toe, 0, 1, 5);
	tp_toe_set_place(team.toe, 0, TP_TOE_DOWN);
	fake_turn(&team, 0);
	assert_int_equal(counted(0, TP_TOE_C_MOVE_PROBED), 1);
	assert_int_equal(counted(0, TP_TOE_C_MOVED_OUT), 0);
	toe_settle();
	toe_settle();
	assert_int_equal(owned_by(10, 0), 0);
}

/* One that has ended, or that somebody fetches meanwhile, is passed over. */
static void
test_slots_that_are_not_ours_are_passed_over(void **state)
{
	(void)state;
	open_many(4, 0);
	assert_true(conn_release(shard(0), (uint32_t)ids[1], 0, 2, TP_TOE_WHY_COMMAND));
	toe_post(ids[2], toe_call_abort, NULL);
	fake_turn(&team, 0);
	team.home = 1;
	tp_toe_set_place(team.toe, 0, TP_TOE_DRAIN);
	toe_settle();
	assert_int_equal(counted(0, TP_TOE_C_MOVE_DRAIN), 2);
	assert_word(ids[1], OWN, 2);
	assert_word(ids[0], OWN, 1);
	assert_word(ids[3], OWN, 1);
	assert_word(ids[2], FREE, TP_MEMBER_NONE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		toe_test(test_a_dead_port_probes_what_is_in_flight_at_once),
		toe_test(test_a_turn_probes_so_many_and_no_more),
		toe_test(test_a_drain_does_not_probe),
		toe_test(test_they_go_where_the_map_proposes),
		toe_test(test_a_turn_takes_so_many_and_no_more),
		toe_test(test_told_again_it_goes_on),
		toe_test(test_a_link_that_is_back_keeps_the_rest),
		toe_test(test_a_flap_within_a_turn),
		toe_test(test_a_place_that_it_has_is_not_told_again),
		toe_test(test_a_drained_member_is_emptied_again),
		toe_test(test_nowhere_to_go),
		toe_test(test_sheds_so_many_to_one),
		toe_test(test_sheds_only_to_one_that_takes_them),
		toe_test(test_a_dead_port_comes_before_shedding),
		toe_test(test_slots_that_are_not_ours_are_passed_over),
	};

	return toe_run(tests);
}
