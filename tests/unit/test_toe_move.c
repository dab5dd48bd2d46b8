/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Release and adopt (lib/toe/move.c): who may let go of a connection and who may take it, what goes with
 * it, and what the old owner keeps of it: nothing.
 */

#include "test_toe.h"

static bool
release(tp_toe_id id, uint8_t from, uint8_t to)
{
	return conn_release(shard(from), (uint32_t)id, 0, to, TP_TOE_WHY_COMMAND);
}

static void
test_moves_and_tells_its_user(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);
	uint64_t word = word_of_id(id);

	(void)state;
	assert_int_equal(tp_toe_move(team.toe, id, 2), 0);
	fake_turn(&team, 0);
	assert_word(id, XFER, 2);
	assert_int_equal(WORD_EPOCH(word_of_id(id)), WORD_EPOCH(word) + 1);
	assert_int_equal(tp_toe_nb_conns(team.toe, 0), 0);
	assert_int_equal(told.moved, 0);
	fake_turn(&team, 2);
	assert_word(id, OWN, 2);
	assert_int_equal(WORD_EPOCH(word_of_id(id)), WORD_EPOCH(word) + 2);
	assert_int_equal(WORD_GENERATION(word_of_id(id)), WORD_GENERATION(word));
	assert_int_equal(tp_toe_nb_conns(team.toe, 2), 1);
	assert_int_equal(told.moved, 1);
	assert_int_equal(told.from, 0);
	assert_int_equal(told.member, 2);
	assert_int_equal(counted(0, TP_TOE_C_MOVED_OUT), 1);
	assert_int_equal(counted(0, TP_TOE_C_MOVE_COMMAND), 1);
	assert_int_equal(counted(2, TP_TOE_C_MOVED_IN), 1);
}

static void
test_nothing_is_sent_because_of_it(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);

	(void)state;
	assert_true(release(id, 0, 1));
	toe_settle();
	assert_int_equal(team.nb_sent, 0);
}

static void
test_goes_on_where_it_was(void **state)
{
	uint32_t len = 100;
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);

	(void)state;
	toe_post(id, toe_send_bytes, &len);
	toe_settle();
	assert_int_equal(fake_last(&team, p.port)->len, 100);
	fake_forget(&team);
	assert_true(release(id, 0, 1));
	toe_settle();
	/* What is in flight is sent again by the new owner, at its time. */
	fake_wait(&team, 3 * SEC);
	fake_turn(&team, 0);
	assert_int_equal(team.nb_sent, 0);
	fake_turn(&team, 1);
	assert_int_equal(fake_last(&team, p.port)->len, 100);
	assert_int_equal(fake_last(&team, p.port)->member, 1);
	fake_hear(&team, &p);
	fake_say(&team, &p, 1, TP_TCP_ACK | TP_TCP_PSH, 7);
	toe_settle();
	assert_int_equal(told.bytes, 7);
	assert_int_equal(told.member, 1);
	assert_null(conn_of(id)->tx_head);
}

/* Each refusal leaves it as it is. */
static void
test_who_may_not_let_go(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);
	uint64_t word = word_of_id(id);
	uint32_t index = (uint32_t)id;

	(void)state;
	assert_false(conn_release(shard(1), index, 0, 2, 0));            /* not its owner */
	assert_false(conn_release(shard(0), index, 0, 0, 0));            /* to itself */
	assert_false(conn_release(shard(0), index, 0, FAKE_MEMBERS, 0)); /* to nobody */
	assert_false(conn_release(shard(0), index, 0, TP_MEMBER_NONE, 0));
	assert_false(conn_release(shard(0), index, word + (1 << 16), 1, 0)); /* asked long ago */
	assert_false(conn_release(shard(0), index + 1, 0, 1, 0));            /* a free handle */
	toe_stop(2);
	assert_false(conn_release(shard(0), index, 0, 2, 0)); /* to a dead one */
	assert_true(word_of_id(id) == word);
	assert_int_equal(tp_toe_nb_conns(team.toe, 0), 1);
	assert_int_equal(counted(0, TP_TOE_C_MOVED_OUT), 0);
	assert_true(conn_release(shard(0), index, word, 1, 0));
	assert_false(conn_release(shard(0), index, 0, 1, 0)); /* twice */
}

static void
test_an_open_that_waits_for_its_port_stays(void **state)
{
	struct tp_toe_connect how = { .user = &toe_user,
		.raddr = { [10] = 0xff, [11] = 0xff, [12] = 10, [15] = 2 },
		.rport = 4000,
		.member = 0 };
	tp_toe_id id = tp_toe_connect(team.toe, &how);

	(void)state;
	assert_false(release(id, 0, 1));
	assert_word(id, OWN, 0);
	toe_settle();
	assert_true(release(id, 0, 1)); /* SYN_SENT moves */
	toe_settle();
	assert_word(id, OWN, 1);
}

static void
test_who_may_take(void **state)
{
	const struct tp_toe_shard *s = shard(1);

	(void)state;
	assert_true(may_take(s, word_make(1, 2, HANDLE_PARK, 0)));
	assert_true(may_take(s, word_make(1, 2, HANDLE_XFER, 1)));
	assert_false(may_take(s, word_make(1, 2, HANDLE_XFER, 0)));
	assert_false(may_take(s, word_make(1, 2, HANDLE_OWN, 0)));
	assert_false(may_take(s, word_make(1, 2, HANDLE_OWN, 1)));
	assert_false(may_take(s, word_make(1, 2, HANDLE_FREE, TP_MEMBER_NONE)));
	assert_false(may_take(s, word_make(1, 2, HANDLE_DEAD, 0)));
	atomic_store(&team.toe->dead, RTE_BIT32(0) | RTE_BIT32(1));
	assert_true(may_take(s, word_make(1, 2, HANDLE_OWN, 0)));
	assert_false(may_take(s, word_make(1, 2, HANDLE_OWN, 1)));
	assert_false(may_take(s, word_make(1, 2, HANDLE_OWN, 2)));
	assert_false(may_take(s, word_make(1, 2, HANDLE_DEAD, 0)));
	atomic_store(&team.toe->dead, 0);
}

static void
test_a_packet_takes_it_before_the_inbox(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);

	(void)state;
	assert_true(release(id, 0, 1));
	fake_say(&team, &p, 1, TP_TCP_ACK | TP_TCP_PSH, 4);
	assert_word(id, OWN, 1);
	fake_turn(&team, 1);
	assert_int_equal(told.bytes, 4);
	assert_int_equal(told.moved, 1);
	toe_settle();
	assert_int_equal(tp_toe_nb_conns(team.toe, 1), 1);
	assert_int_equal(counted(1, TP_TOE_C_MOVED_IN), 1);
}

static void
test_somebody_else_won_the_word(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);
	uint64_t seen;
	uint32_t slots;

	(void)state;
	assert_true(release(id, 0, 1));
	seen = word_of_id(id);
	fake_turn(&team, 1);
	slots = shard(2)->nb_fresh;
	assert_null(conn_take(shard(2), (uint32_t)id, seen));
	assert_word(id, OWN, 1);
	assert_int_equal(tp_toe_nb_conns(team.toe, 2), 0);
	/* Its slot is free again. */
	assert_int_equal(slot_alloc(shard(2)), slots);
	slot_free(shard(2), slots);
}

static void
test_no_slot_for_it(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);
	uint32_t fresh = shard(1)->nb_fresh, free_slot = shard(1)->free_slot;

	(void)state;
	assert_true(release(id, 0, 1));
	shard(1)->nb_fresh = shard(1)->max;
	shard(1)->free_slot = NO_INDEX;
	assert_null(conn_take(shard(1), (uint32_t)id, word_of_id(id)));
	inbox_run(shard(1));
	assert_int_equal(counted(1, TP_TOE_C_MOVE_NO_SLOT), 2);
	assert_word(id, XFER, 1);
	/* It waits until there is one. */
	shard(1)->nb_fresh = fresh;
	shard(1)->free_slot = free_slot;
	fake_turn(&team, 1);
	assert_word(id, OWN, 1);
	assert_int_equal(counted(0, TP_TOE_C_MOVED_OUT), 1);
}

/* The old slot, empty, comes back to where it belongs. */
static void
test_the_old_slot_is_given_back(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);
	uint32_t slot = WHERE_SLOT(handle_of(id)->where);

	(void)state;
	assert_true(release(id, 0, 1));
	assert_true(slot_away(shard(0), slot));
	assert_true(is_listed(shard(0)));
	fake_turn(&team, 1);
	assert_true(slot_away(shard(0), slot));
	assert_false(is_listed(shard(0)));
	fake_turn(&team, 0);
	assert_true(slot_is_free(shard(0), slot));
	assert_int_equal(shard(0)->conn[slot].state, TP_TCP_CLOSED);
	assert_int_equal(slot_alloc(shard(0)), slot);
	slot_free(shard(0), slot);
}

static void
test_many_at_once_in_slices(void **state)
{
	struct fake_peer p;
	tp_toe_id id[40];

	(void)state;
	for (unsigned int i = 0; i < RTE_DIM(id); i++)
		id[i] = toe_conn(&p, i, 0);
	for (unsigned int i = 0; i < RTE_DIM(id); i++)
		assert_true(release(id[i], 0, 1));
	fake_turn(&team, 1);
	assert_in_range(tp_toe_nb_conns(team.toe, 1), 1, RTE_DIM(id) - 1);
	toe_settle();
	assert_int_equal(tp_toe_nb_conns(team.toe, 1), RTE_DIM(id));
	assert_false(is_listed(shard(0)));
	for (unsigned int i = 0; i < RTE_DIM(id); i++)
		assert_word(id[i], OWN, 1);
}

static void
test_pending_accept_goes_along(void **state)
{
	struct fake_peer p = { .port = 2000, .seq = 1 };
	struct tp_toe_listener_info info;
	tp_toe_id id;

	(void)state;
	id = handle_id(team.toe, HEAD_INDEX(atomic_load(&team.toe->free_handles)));
	fake_say(&team, &p, 0, TP_TCP_SYN, 0);
	fake_turns(&team, 1);
	fake_hear(&team, &p);
	assert_true(release(id, 0, 1));
	tp_toe_listeners(team.toe, &info, 1);
	assert_int_equal(info.pending, 0);
	toe_settle();
	assert_int_equal(shard(1)->pending[0], 1);
	assert_int_equal(told.moved, 0); /* it is nobody's yet */
	fake_say(&team, &p, 1, TP_TCP_ACK, 0);
	toe_settle();
	assert_int_equal(told.accepted, 1);
	assert_int_equal(told.member, 1);
	assert_int_equal(shard(0)->pending[0] + shard(1)->pending[0], 0);
}

static void
test_why_is_counted(void **state)
{
	static const enum tp_toe_counter counters[TP_TOE_NB_WHYS] = {
		[TP_TOE_WHY_ARRIVAL] = TP_TOE_C_MOVE_ARRIVAL,
		[TP_TOE_WHY_COMMAND] = TP_TOE_C_MOVE_COMMAND,
		[TP_TOE_WHY_LINK] = TP_TOE_C_MOVE_LINK,
		[TP_TOE_WHY_DRAIN] = TP_TOE_C_MOVE_DRAIN,
		[TP_TOE_WHY_LOAD] = TP_TOE_C_MOVE_LOAD,
	};
	struct fake_peer p;

	(void)state;
	for (unsigned int why = 0; why < TP_TOE_NB_WHYS; why++) {
		tp_toe_id id = toe_conn(&p, why, 0);

		assert_true(conn_release(shard(0), (uint32_t)id, 0, 1, why));
		for (unsigned int i = 0; i < TP_TOE_NB_WHYS; i++)
			assert_int_equal(counted(0, counters[i]), i <= why);
	}
}

static void
test_the_pause_is_measured(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);
	struct tp_toe_pauses sum;

	(void)state;
	tp_toe_step(shard(0), team.now);
	assert_true(release(id, 0, 1));
	fake_wait(&team, 100 * TP_NS_PER_US);
	fake_turn(&team, 1);
	tp_toe_get_pauses(team.toe, &sum);
	assert_int_equal(sum.pause_us[tp_toe_step_of(100)], 1);
	assert_int_equal(sum.pause_max_us, 100);
	assert_int_equal(sum.pause_last_us, 100);
	assert_int_equal(sum.last_ns, team.now);
	assert_true(release(id, 1, 2));
	fake_wait(&team, 5 * TP_NS_PER_US);
	fake_turn(&team, 2);
	tp_toe_get_pauses(team.toe, &sum);
	assert_int_equal(sum.pause_us[tp_toe_step_of(100)], 1);
	assert_int_equal(sum.pause_us[tp_toe_step_of(5)], 1);
	assert_int_equal(sum.pause_max_us, 100);
	assert_int_equal(sum.pause_last_us, 5);
}

/* ---- it follows its packets ------------------------------------------------------- */

static void
arrive_on(struct fake_peer *p, uint8_t member, unsigned int nb)
{
	for (; nb > 0; nb--)
		fake_say(&team, p, member, TP_TCP_ACK | TP_TCP_PSH, 1);
	toe_settle();
}

static void
test_follows_after_so_many_in_a_row(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);

	(void)state;
	arrive_on(&p, 1, 2);
	assert_word(id, OWN, 0);
	arrive_on(&p, 2, 2);
	assert_word(id, OWN, 0);
	arrive_on(&p, 1, 3);
	assert_word(id, OWN, 1);
	assert_int_equal(counted(0, TP_TOE_C_MOVE_ASKED), 1);
	assert_int_equal(counted(0, TP_TOE_C_MOVE_ARRIVAL), 1);
	assert_int_equal(told.bytes, 7);
	assert_int_equal(handle_of(id)->run, 0);
}

static void
test_stays_when_that_is_off(void **state)
{
	struct tp_toe_move_conf off = { .after = 0 };
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);

	(void)state;
	assert_int_equal(tp_toe_set_move(team.toe, &off), 0);
	arrive_on(&p, 1, 20);
	assert_word(id, OWN, 0);
	assert_int_equal(counted(0, TP_TOE_C_MOVE_ASKED), 0);
}

static void
test_waits_between_two_moves(void **state)
{
	struct tp_toe_move_conf slow = { .after = 1, .hysteresis_ms = 50 };
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);

	(void)state;
	assert_int_equal(tp_toe_set_move(team.toe, &slow), 0);
	arrive_on(&p, 1, 1);
	assert_word(id, OWN, 1);
	fake_wait(&team, 49 * MS);
	arrive_on(&p, 0, 5);
	assert_word(id, OWN, 1);
	/* It moved a moment ago: the second time it waits for longer. */
	fake_wait(&team, 200 * MS);
	arrive_on(&p, 0, 1);
	assert_word(id, OWN, 0);
}

static void
test_asks_for_nothing_that_it_cannot_have(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);

	(void)state;
	tp_toe_set_place(team.toe, 1, TP_TOE_DRAIN);
	arrive_on(&p, 1, 10);
	assert_word(id, OWN, 0);
	assert_int_equal(counted(0, TP_TOE_C_MOVE_ASKED), 0);
	assert_int_equal(handle_of(id)->level, 0);
	tp_toe_set_place(team.toe, 1, TP_TOE_ACTIVE);
	arrive_on(&p, 1, 1);
	assert_word(id, OWN, 1);
}

static void
test_asks_again_when_no_mail_was_free(void **state)
{
	static void *all[32768];
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);
	unsigned int nb = 0;

	(void)state;
	while (nb < RTE_DIM(all) && rte_mempool_get(team.toe->mails, &all[nb]) == 0)
		nb++;
	arrive_on(&p, 1, 5);
	assert_word(id, OWN, 0);
	assert_int_equal(counted(0, TP_TOE_C_MOVE_ASKED), 0);
	rte_mempool_put_bulk(team.toe->mails, all, nb);
	arrive_on(&p, 1, 1);
	assert_word(id, OWN, 1);
	assert_int_equal(rte_mempool_in_use_count(team.toe->mails), 0);
}

/* ---- where it goes ------------------------------------------------------------------ */

static void
test_a_new_home_is_the_maps_or_the_next_best(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);

	(void)state;
	team.home = 2;
	assert_int_equal(home_for(team.toe, (uint32_t)id, 0), 2);
	assert_int_not_equal(home_for(team.toe, (uint32_t)id, 2), 2);
	tp_toe_set_place(team.toe, 2, TP_TOE_DOWN);
	assert_int_equal(home_for(team.toe, (uint32_t)id, 0), 1);
	tp_toe_set_place(team.toe, 1, TP_TOE_DOWN);
	assert_int_equal(home_for(team.toe, (uint32_t)id, 0), TP_MEMBER_NONE);
	assert_int_equal(home_for(team.toe, (uint32_t)id, TP_MEMBER_NONE), 0);
	team.home = TP_MEMBER_NONE;
	assert_int_equal(home_for(team.toe, (uint32_t)id, 1), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		toe_test(test_moves_and_tells_its_user),
		toe_test(test_nothing_is_sent_because_of_it),
		toe_test(test_goes_on_where_it_was),
		toe_test(test_who_may_not_let_go),
		toe_test(test_an_open_that_waits_for_its_port_stays),
		toe_test(test_who_may_take),
		toe_test(test_a_packet_takes_it_before_the_inbox),
		toe_test(test_somebody_else_won_the_word),
		toe_test(test_no_slot_for_it),
		toe_test(test_the_old_slot_is_given_back),
		toe_test(test_many_at_once_in_slices),
		toe_test(test_pending_accept_goes_along),
		toe_test(test_why_is_counted),
		toe_test(test_the_pause_is_measured),
		toe_test(test_follows_after_so_many_in_a_row),
		toe_test(test_stays_when_that_is_off),
		toe_test(test_waits_between_two_moves),
		toe_test(test_asks_for_nothing_that_it_cannot_have),
		toe_test(test_asks_again_when_no_mail_was_free),
		toe_test(test_a_new_home_is_the_maps_or_the_next_best),
	};

	return toe_run(tests);
}
