/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Handles and their generations: an old id, an old word, a late packet never meet the connection that
 * has the handle next (lib/toe/handle.c).
 */

#include "test_toe.h"

static unsigned int nb_called, nb_gone;

static void
count_call(struct tp_toe_call *call, void *arg)
{
	(void)arg;
	nb_called += call->conn != NULL;
	nb_gone += call->conn == NULL;
}

static int
setup(void **state)
{
	nb_called = nb_gone = 0;
	return toe_setup(state);
}

#define handle_test(f) cmocka_unit_test_setup_teardown(f, setup, toe_teardown)

/* Ended at once, without TIME_WAIT. */
static void
reset(struct fake_peer *p, uint8_t member)
{
	unsigned int before = told.closed;

	fake_say(&team, p, member, TP_TCP_RST | TP_TCP_ACK, 0);
	toe_settle();
	assert_int_equal(told.closed, before + 1);
}

static void
test_words_hold_what_was_put_in(void **state)
{
	uint64_t word = word_make(0xabcdef, 0x123456, HANDLE_PARK, 0x9a);

	(void)state;
	assert_int_equal(WORD_GENERATION(word), 0xabcdef);
	assert_int_equal(WORD_EPOCH(word), 0x123456);
	assert_int_equal(WORD_STATE(word), HANDLE_PARK);
	assert_int_equal(WORD_MEMBER(word), 0x9a);
	/* Their wraps stay in their fields. */
	word = word_make(0x1000000, 0x1000000, HANDLE_OWN, 1);
	assert_int_equal(WORD_GENERATION(word), 0);
	assert_int_equal(WORD_EPOCH(word), 0);
}

static void
test_an_old_id_names_nothing(void **state)
{
	struct fake_peer p;
	tp_toe_id old = toe_conn(&p, 0, 0), next;

	(void)state;
	reset(&p, 0);
	toe_post(old, count_call, NULL);
	toe_settle();
	assert_int_equal(nb_gone, 1);
	next = toe_conn(&p, 1, 0);
	assert_int_equal((uint32_t)next, (uint32_t)old); /* the same handle */
	assert_true(next != old);
	toe_post(old, count_call, NULL);
	toe_settle();
	assert_int_equal(nb_gone, 2);
	assert_int_equal(nb_called, 0);
	toe_post(next, count_call, NULL);
	toe_settle();
	assert_int_equal(nb_called, 1);
}

static void
test_an_old_id_moves_nothing(void **state)
{
	struct fake_peer p;
	tp_toe_id old = toe_conn(&p, 0, 0), next;

	(void)state;
	reset(&p, 0);
	next = toe_conn(&p, 1, 0);
	assert_int_equal(tp_toe_move(team.toe, old, 1), 0);
	toe_settle();
	assert_word(next, OWN, 0);
	assert_int_equal(counted(0, TP_TOE_C_MOVED_OUT), 0);
}

static void
test_ids_wrap_and_are_never_none(void **state)
{
	struct fake_peer p;
	tp_toe_id id, last = TP_TOE_ID_NONE;

	(void)state;
	for (unsigned int i = 0; i < 40; i++) {
		id = toe_conn(&p, i, 0);
		assert_true(id != TP_TOE_ID_NONE && id != last);
		assert_true(id == handle_id(team.toe, (uint32_t)id));
		last = id;
		reset(&p, 0);
	}
	/* Generations began near their wrap. */
	assert_in_range(id >> 32, 1, 40);
}

static void
test_an_id_out_of_range_is_refused(void **state)
{
	(void)state;
	assert_int_equal(tp_toe_post(team.toe, UINT64_C(1) << 32 | team.toe->nb_handles, count_call,
	                                 NULL),
	                -ENOBUFS);
	assert_int_equal(nb_called + nb_gone, 0);
}

static void
test_a_foreign_packet_with_an_old_handle_is_dropped(void **state)
{
	struct fake_peer p, q;
	tp_toe_id id = toe_conn(&p, 0, 0), next;
	uint64_t stale = counted(0, TP_TOE_C_RX_STALE);

	(void)state;
	/* It waits on the ring while its connection ends. */
	fake_say(&team, &p, 1, TP_TCP_ACK | TP_TCP_PSH, 5);
	assert_int_equal(team.member[0].nb_ring, 1);
	fake_arrive(&team, 0, fake_segment(&team, &p, TP_TCP_RST | TP_TCP_ACK, 0));
	p.seq -= 5;
	fake_arrive(&team, 0, fake_segment(&team, &p, TP_TCP_RST | TP_TCP_ACK, 0));
	tp_toe_step(shard(0), team.now);
	assert_int_equal(told.closed, 1);
	/* Another one has the handle by the time it is read. */
	q = (struct fake_peer){ .port = 2000, .seq = 1 };
	fake_arrive(&team, 0, fake_segment(&team, &q, TP_TCP_SYN, 0));
	next = handle_id(team.toe, (uint32_t)id);
	assert_word(next, OWN, 0);
	fake_turn(&team, 0);
	assert_int_equal(counted(0, TP_TOE_C_RX_STALE), stale + 1);
	assert_int_equal(told.bytes, 0);
	assert_null(fake_last(&team, p.port)); /* nor is it told to reset */
}

/* Both sides close. */
static void
close_both(struct fake_peer *p, tp_toe_id id, uint8_t member)
{
	fake_say(&team, p, member, TP_TCP_ACK | TP_TCP_FIN, 0);
	toe_post(id, toe_call_close, NULL);
	toe_settle();
	fake_hear(&team, p);
	fake_say(&team, p, member, TP_TCP_ACK, 0);
	toe_settle();
	assert_int_equal(told.reason, TP_TCP_R_DONE);
	fake_forget(&team);
}

static void
test_late_segments_of_one_that_ended_are_kept_quiet(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);

	(void)state;
	close_both(&p, id, 0);
	assert_word(id, DEAD, 0);
	fake_say(&team, &p, 0, TP_TCP_ACK, 0);
	fake_say(&team, &p, 1, TP_TCP_ACK, 0);
	toe_settle();
	assert_int_equal(team.nb_sent, 0);
	assert_int_equal(counted(0, TP_TOE_C_RX_STALE), 1);
	assert_int_equal(counted(1, TP_TOE_C_RX_STALE), 1);
	/* A while later nobody knows it. */
	fake_wait(&team, 99 * MS);
	toe_settle();
	assert_word(id, DEAD, 0);
	fake_wait(&team, 1 * MS);
	toe_settle();
	assert_word(id, FREE, TP_MEMBER_NONE);
	fake_say(&team, &p, 0, TP_TCP_ACK, 0);
	toe_settle();
	assert_int_equal(fake_nb_sent(&team, p.port, TP_TCP_RST), 1);
}

static void
test_the_next_one_need_not_wait_for_that(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0), next;

	(void)state;
	close_both(&p, id, 0);
	next = toe_conn(&p, 0, 1); /* the same port, on another member */
	assert_true((uint32_t)next != (uint32_t)id);
	assert_word(next, OWN, 1);
	/* The end of the old one's quarantine leaves it alone. */
	fake_wait(&team, SEC);
	toe_settle();
	fake_say(&team, &p, 1, TP_TCP_ACK | TP_TCP_PSH, 3);
	toe_settle();
	assert_int_equal(told.bytes, 3);
}

static void
test_more_end_than_are_kept_quiet(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);

	(void)state;
	close_both(&p, id, 0);
	/* The list is full of this one. */
	for (unsigned int i = 1; i < NB_ENDED; i++)
		shard(0)->ended[shard(0)->ended_head++ % NB_ENDED] =
		                shard(0)->ended[shard(0)->ended_tail];
	handle_quarantine(shard(0), handle_alloc(team.toe, 0));
	assert_int_equal(shard(0)->ended_head - shard(0)->ended_tail, NB_ENDED);
	assert_word(id, FREE, TP_MEMBER_NONE);
	shard(0)->ended_tail = shard(0)->ended_head - 1; /* they are one handle */
}

static void
test_a_handle_waits_for_readers(void **state)
{
	struct fake_peer p;
	uint32_t index;

	(void)state;
	rte_rcu_qsbr_thread_register(team.qsbr, 2);
	rte_rcu_qsbr_thread_online(team.qsbr, 2);
	index = (uint32_t)toe_conn(&p, 0, 0);
	reset(&p, 0);
	assert_int_not_equal(HEAD_INDEX(atomic_load(&team.toe->free_handles)), index);
	assert_int_not_equal((uint32_t)toe_conn(&p, 1, 0), index);
	rte_rcu_qsbr_quiescent(team.qsbr, 2);
	fake_turn(&team, 0);
	assert_int_equal(HEAD_INDEX(atomic_load(&team.toe->free_handles)), index);
	rte_rcu_qsbr_thread_offline(team.qsbr, 2);
	rte_rcu_qsbr_thread_unregister(team.qsbr, 2);
}

/* So many that the list of those that wait is full: it is waited for, none is lost. */
static void
test_more_wait_than_there_is_room_for(void **state)
{
	struct limbo *limbo = &shard(0)->limbo;
	uint32_t index;

	(void)state;
	rte_rcu_qsbr_thread_register(team.qsbr, 0);
	rte_rcu_qsbr_thread_online(team.qsbr, 0);
	for (unsigned int i = 0; i <= LIMBO_SIZE; i++) {
		index = list_pop(team.toe, &team.toe->free_handles);
		assert_int_not_equal(index, NO_INDEX);
		limbo_add(team.toe, limbo, index, 0);
		if (i < LIMBO_SIZE)
			assert_int_equal(limbo->head - limbo->tail, i + 1);
	}
	assert_int_equal(limbo->head - limbo->tail, 1);
	assert_int_equal(limbo->of[limbo->tail % LIMBO_SIZE].handle, index);
	rte_rcu_qsbr_thread_offline(team.qsbr, 0);
	rte_rcu_qsbr_thread_unregister(team.qsbr, 0);
}

static void
test_lists_are_last_in_first_out_and_tagged(void **state)
{
	_Atomic uint64_t head;
	uint64_t first;

	(void)state;
	atomic_init(&head, NO_INDEX);
	assert_int_equal(list_pop(team.toe, &head), NO_INDEX);
	list_push(team.toe, &head, 40);
	first = atomic_load(&head);
	list_push(team.toe, &head, 41);
	assert_int_equal(list_pop(team.toe, &head), 41);
	/* The same index on top, but not the same word: who slept since then finds out. */
	assert_int_equal(HEAD_INDEX(atomic_load(&head)), HEAD_INDEX(first));
	assert_true(atomic_load(&head) != first);
	assert_int_equal(list_pop(team.toe, &head), 40);
	assert_int_equal(list_pop(team.toe, &head), NO_INDEX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		handle_test(test_words_hold_what_was_put_in),
		handle_test(test_an_old_id_names_nothing),
		handle_test(test_an_old_id_moves_nothing),
		handle_test(test_ids_wrap_and_are_never_none),
		handle_test(test_an_id_out_of_range_is_refused),
		handle_test(test_a_foreign_packet_with_an_old_handle_is_dropped),
		handle_test(test_late_segments_of_one_that_ended_are_kept_quiet),
		handle_test(test_the_next_one_need_not_wait_for_that),
		handle_test(test_more_end_than_are_kept_quiet),
		handle_test(test_a_handle_waits_for_readers),
		handle_test(test_more_wait_than_there_is_room_for),
		handle_test(test_lists_are_last_in_first_out_and_tagged),
	};

	return toe_run(tests);
}
