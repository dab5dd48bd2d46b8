/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Functions that are posted to connections of other lcores: each is called once, in order, on the lcore
 * that owns the connection by then (lib/toe/post.c).
 */

#include "test_toe.h"

static struct {
	unsigned int nb;
	uint8_t member[64];
	uintptr_t arg[64];
	bool gone[64];
} calls;

static void
write_down(struct tp_toe_call *call, void *arg)
{
	assert_true(calls.nb < RTE_DIM(calls.arg));
	calls.member[calls.nb] = tp_toe_member(call);
	calls.gone[calls.nb] = call->conn == NULL;
	calls.arg[calls.nb++] = (uintptr_t)arg;
}

static void
post(tp_toe_id id, uintptr_t arg)
{
	toe_post(id, write_down, (void *)arg);
}

static int
setup(void **state)
{
	memset(&calls, 0, sizeof(calls));
	return toe_setup(state);
}

#define post_test(f) cmocka_unit_test_setup_teardown(f, setup, toe_teardown)

static void
test_runs_on_the_owner_with_its_next_turn(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 1);

	(void)state;
	post(id, 7);
	fake_turn(&team, 0);
	assert_int_equal(calls.nb, 0);
	fake_turn(&team, 1);
	assert_int_equal(calls.nb, 1);
	assert_int_equal(calls.member[0], 1);
	assert_int_equal(calls.arg[0], 7);
	assert_false(calls.gone[0]);
	assert_int_equal(counted(1, TP_TOE_C_POSTED), 1);
	toe_settle();
	assert_int_equal(calls.nb, 1);
}

static void
test_they_run_in_order(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 1);

	(void)state;
	for (uintptr_t i = 0; i < 20; i++)
		post(id, i);
	toe_settle();
	assert_int_equal(calls.nb, 20);
	for (uintptr_t i = 0; i < 20; i++)
		assert_int_equal(calls.arg[i], i);
}

static void
test_they_follow_a_connection_that_moves(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);

	(void)state;
	post(id, 0);
	assert_int_equal(tp_toe_move(team.toe, id, 2), 0);
	post(id, 1);
	post(id, 2);
	assert_int_equal(tp_toe_move(team.toe, id, 1), 0);
	post(id, 3);
	toe_settle();
	toe_settle();
	assert_word(id, OWN, 1);
	assert_int_equal(calls.nb, 4);
	for (uintptr_t i = 0; i < 4; i++)
		assert_int_equal(calls.arg[i], i);
	assert_int_equal(calls.member[0], 0);
	assert_int_equal(calls.member[1], 2);
	assert_int_equal(calls.member[2], 2);
	assert_int_equal(calls.member[3], 1);
}

/* Rung at the old owner, which has released it since. */
static void
test_a_bell_at_the_old_owner_is_passed_on(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);

	(void)state;
	post(id, 1);
	assert_true(conn_release(shard(0), (uint32_t)id, 0, 1, TP_TOE_WHY_COMMAND));
	fake_turn(&team, 0);
	assert_int_equal(calls.nb, 0);
	fake_turn(&team, 1);
	assert_int_equal(calls.nb, 1);
	assert_int_equal(calls.member[0], 1);
}

/* An id names its connection wherever that is, and nothing once it has ended. */
static void
test_names_a_connection_until_its_end(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);

	(void)state;
	assert_true(tp_toe_names(team.toe, id));
	assert_false(tp_toe_names(team.toe, id + (UINT64_C(1) << 32))); /* of another generation */
	assert_false(tp_toe_names(team.toe, id | UINT32_MAX));          /* there is no such slot */
	assert_true(conn_release(shard(0), (uint32_t)id, 0, 1, TP_TOE_WHY_COMMAND));
	assert_word(id, XFER, 1);
	assert_true(tp_toe_names(team.toe, id));
	toe_settle();
	assert_word(id, OWN, 1);
	toe_post(id, toe_call_abort, NULL);
	toe_settle();
	assert_int_equal(told.closed, 1);
	assert_false(tp_toe_names(team.toe, id));
}

static void
test_those_that_wait_when_it_ends_are_told(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);

	(void)state;
	toe_post(id, toe_call_abort, NULL);
	post(id, 1);
	post(id, 2);
	fake_turn(&team, 0);
	assert_int_equal(told.closed, 1);
	post(id, 3);
	toe_settle();
	assert_int_equal(calls.nb, 3);
	/* The first two still found it, on its way to the end. */
	assert_false(calls.gone[0]);
	assert_true(calls.gone[2]);
	assert_int_equal(calls.arg[2], 3);
	assert_int_equal(calls.member[2], TP_MEMBER_NONE);
}

static void
test_a_pool_that_is_empty_refuses(void **state)
{
	static void *all[8192];
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);
	unsigned int nb = 0;

	(void)state;
	while (nb < RTE_DIM(all) && rte_mempool_get(team.toe->posts, &all[nb]) == 0)
		nb++;
	assert_true(nb > 0);
	assert_int_equal(tp_toe_post(team.toe, id, write_down, NULL), -ENOBUFS);
	assert_int_equal(tp_toe_move(team.toe, id, 1), -ENOBUFS);
	rte_mempool_put_bulk(team.toe->posts, all, nb);
	post(id, 1);
	toe_settle();
	assert_int_equal(calls.nb, 1);
	assert_int_equal(rte_mempool_in_use_count(team.toe->posts), 0);
}

/* All that were posted are given back, also those that were told that nobody is there. */
static void
test_posts_are_given_back(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);

	(void)state;
	for (uintptr_t i = 0; i < 30; i++)
		post(i % 2 == 0 ? id : id + (UINT64_C(1) << 32), i);
	assert_int_equal(tp_toe_move(team.toe, id, 1), 0);
	toe_settle();
	assert_int_equal(calls.nb, 30);
	assert_int_equal(rte_mempool_in_use_count(team.toe->posts), 0);
}

static void
test_a_move_to_nowhere_is_refused(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);

	(void)state;
	assert_int_equal(tp_toe_move(team.toe, id, FAKE_MEMBERS), -ENODEV);
	assert_int_equal(tp_toe_move(team.toe, id, TP_MEMBER_NONE), -ENODEV);
	toe_stop(2);
	assert_int_equal(tp_toe_move(team.toe, id, 2), -ENODEV);
	toe_settle();
	assert_word(id, OWN, 0);
}

/* It was posted while the member still ran. */
static void
test_a_dead_members_bells_are_answered_by_others(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);

	(void)state;
	team.home = 1;
	post(id, 1);
	toe_stop(0);
	post(id, 2);
	toe_settle();
	toe_settle();
	assert_word(id, OWN, 1);
	assert_int_equal(calls.nb, 2);
	assert_int_equal(calls.member[0], 1);
	assert_int_equal(calls.arg[0], 1);
	assert_int_equal(calls.arg[1], 2);
	assert_int_equal(rte_mempool_in_use_count(team.toe->posts), 0);
}

/* Whoever rang saw the member there, long after all that it had was taken out of it. */
static void
test_a_late_bell_at_a_dead_member(void **state)
{
	struct fake_peer p;
	tp_toe_id id;

	(void)state;
	conf.move.idle_ns = MS;
	toe_reopen();
	id = toe_conn(&p, 0, 1);
	fake_wait(&team, 2 * MS);
	toe_settle();
	assert_word(id, PARK, 1);
	toe_stop(1);
	toe_settle();
	atomic_fetch_or(&team.toe->alive, RTE_BIT32(1));
	post(id, 4);
	atomic_fetch_and(&team.toe->alive, ~RTE_BIT32(1));
	assert_non_null(atomic_load(&team.toe->bells[1].head));
	toe_settle();
	assert_int_equal(calls.nb, 1);
	assert_false(calls.gone[0]);
	assert_int_equal(rte_mempool_in_use_count(team.toe->posts), 0);
}

/* No slot for a parked one at first: what waits for it is not forgotten, by a bell nor by a letter. */
static void
test_no_slot_for_the_one_it_is_for(void **state)
{
	struct fake_peer p[2];
	tp_toe_id id[2];
	uint32_t max;

	(void)state;
	conf.move.idle_ns = MS;
	toe_reopen();
	for (unsigned int i = 0; i < 2; i++)
		id[i] = toe_conn(&p[i], i, 0);
	fake_wait(&team, 2 * MS);
	toe_settle();
	max = shard(0)->max;
	shard(0)->max = shard(0)->nb_fresh;
	while (slot_alloc(shard(0)) != NO_INDEX)
		continue;
	post(id[0], 1);
	post(id[1], 2);
	bells_pass_on(team.toe, 0);
	post(id[0], 3);
	for (unsigned int i = 0; i < 2; i++)
		assert_word(id[i], PARK, 0);
	/* One by a letter; the other one, which comes later, by its bell. */
	fake_turn(&team, 0);
	fake_turn(&team, 0);
	assert_int_equal(calls.nb, 0);
	assert_true(counted(0, TP_TOE_C_MOVE_NO_SLOT) >= 4);
	shard(0)->max = max;
	fake_turn(&team, 0);
	fake_turn(&team, 0);
	assert_int_equal(calls.nb, 3);
	assert_int_equal(rte_mempool_in_use_count(team.toe->posts), 0);
	assert_int_equal(rte_mempool_in_use_count(team.toe->mails), 0);
	for (uint32_t slot = 0; slot < 2; slot++)
		slot_free(shard(0), slot);
}

static void
test_a_bell_waits_for_a_slot(void **state)
{
	struct fake_peer p;
	tp_toe_id id;
	uint32_t max;

	(void)state;
	conf.move.idle_ns = MS;
	toe_reopen();
	id = toe_conn(&p, 0, 0);
	fake_wait(&team, 2 * MS);
	toe_settle();
	max = shard(0)->max;
	shard(0)->max = shard(0)->nb_fresh;
	assert_int_equal(slot_alloc(shard(0)), 0);
	post(id, 1);
	fake_turn(&team, 0);
	fake_turn(&team, 0);
	assert_word(id, PARK, 0);
	shard(0)->max = max;
	fake_turn(&team, 0);
	assert_int_equal(calls.nb, 1);
	slot_free(shard(0), 0);
	toe_settle();
	assert_int_equal(rte_mempool_in_use_count(team.toe->posts), 0);
}

/* Each is one of a list that is walked while it shrinks. */
static void
test_many_bells_at_once(void **state)
{
	struct fake_peer p[40];
	tp_toe_id id[40];

	(void)state;
	for (unsigned int i = 0; i < 40; i++)
		id[i] = toe_conn(&p[i], i, 1);
	for (uintptr_t i = 0; i < 40; i++)
		post(id[i], i);
	toe_settle();
	assert_int_equal(calls.nb, 40);
	for (uintptr_t i = 0; i < 40; i++)
		assert_int_equal(calls.arg[i], i);
	assert_null(atomic_load(&shard(1)->ringing));
	assert_int_equal(rte_mempool_in_use_count(team.toe->posts), 0);
}

/* ---- what a call may ask and set ----------------------------------------------- */

static struct {
	uint32_t space;
	int rc[3];
} answers;

static void
ask_space(struct tp_toe_call *call, void *arg)
{
	(void)arg;
	answers.space = tp_toe_send_space(call);
}

static void
set_buf(struct tp_toe_call *call, void *arg)
{
	answers.rc[0] = tp_toe_set(call, TP_TCP_OPT_SND_BUF, (uintptr_t)arg);
	answers.rc[1] = tp_toe_set(call, TP_TCP_OPT_SND_BUF, 0);
	answers.rc[2] = tp_toe_set(call, (enum tp_tcp_opt)1000, 1);
	answers.space = tp_toe_send_space(call);
}

static void
test_space_shrinks_by_what_is_queued(void **state)
{
	uint32_t len = 100, whole;
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 1);

	(void)state;
	toe_post(id, ask_space, NULL);
	toe_settle();
	whole = answers.space;
	assert_int_equal(whole, conn_of(id)->snd_buf);
	toe_post(id, toe_send_bytes, &len);
	toe_post(id, ask_space, NULL);
	toe_settle();
	assert_int_equal(answers.space, whole - len);
	fake_hear(&team, &p);
	fake_say(&team, &p, 1, TP_TCP_ACK, 0);
	toe_post(id, ask_space, NULL);
	toe_settle();
	assert_int_equal(answers.space, whole);
}

static void
test_a_call_sets_options(void **state)
{
	uint32_t len = 100;
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 1);

	(void)state;
	toe_post(id, set_buf, (void *)(uintptr_t)5000);
	toe_settle();
	assert_int_equal(answers.rc[0], 0);
	assert_int_equal(answers.rc[1], -EINVAL);
	assert_int_equal(answers.rc[2], -EINVAL);
	assert_int_equal(answers.space, 5000);
	/* Fewer than are queued: no space, and none below zero. */
	toe_post(id, toe_send_bytes, &len);
	toe_post(id, set_buf, (void *)(uintptr_t)(len - 1));
	toe_settle();
	assert_int_equal(answers.rc[0], 0);
	assert_int_equal(answers.space, 0);
	assert_int_equal(conn_of(id)->snd_buf, len - 1);
}

static void
test_a_call_without_its_connection(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 1);

	(void)state;
	fake_say(&team, &p, 1, TP_TCP_RST | TP_TCP_ACK, 0);
	toe_settle();
	answers.space = 77;
	toe_post(id, set_buf, (void *)(uintptr_t)5000);
	toe_settle();
	for (unsigned int i = 0; i < RTE_DIM(answers.rc); i++)
		assert_int_equal(answers.rc[i], -ENOTCONN);
	assert_int_equal(answers.space, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		post_test(test_runs_on_the_owner_with_its_next_turn),
		post_test(test_they_run_in_order),
		post_test(test_they_follow_a_connection_that_moves),
		post_test(test_a_bell_at_the_old_owner_is_passed_on),
		post_test(test_names_a_connection_until_its_end),
		post_test(test_those_that_wait_when_it_ends_are_told),
		post_test(test_a_pool_that_is_empty_refuses),
		post_test(test_posts_are_given_back),
		post_test(test_a_move_to_nowhere_is_refused),
		post_test(test_a_dead_members_bells_are_answered_by_others),
		post_test(test_a_late_bell_at_a_dead_member),
		post_test(test_no_slot_for_the_one_it_is_for),
		post_test(test_a_bell_waits_for_a_slot),
		post_test(test_many_bells_at_once),
		post_test(test_space_shrinks_by_what_is_queued),
		post_test(test_a_call_sets_options),
		post_test(test_a_call_without_its_connection),
	};

	return toe_run(tests);
}
