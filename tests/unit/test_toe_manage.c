/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Letters between members and control (lib/toe/mail.c), what control makes of them (manage.c), and who
 * looks from outside (look.c).
 */

#include <pthread.h>

#include "manage.h"
#include "test_toe.h"

static void
test_letters_are_read_in_order(void **state)
{
	struct mailbox box = { NULL };
	struct mail *m;

	(void)state;
	assert_null(mail_take(&box));
	for (uint32_t i = 0; i < 5; i++) {
		m = mail_new(team.toe, MAIL_WAKE, i);
		assert_non_null(m);
		assert_int_equal(m->op, MAIL_WAKE);
		mail_put(&box, m);
	}
	m = mail_take(&box);
	assert_null(mail_take(&box));
	for (uint32_t i = 0; i < 5; i++) {
		struct mail *next = m->next;

		assert_int_equal(m->handle, i);
		mail_free(team.toe, m);
		m = next;
	}
	assert_null(m);
	assert_int_equal(rte_mempool_in_use_count(team.toe->mails), 0);
}

static void
test_none_is_left(void **state)
{
	static void *all[32768];
	unsigned int nb = 0;

	(void)state;
	while (nb < RTE_DIM(all) && rte_mempool_get(team.toe->mails, &all[nb]) == 0)
		nb++;
	assert_null(mail_new(team.toe, MAIL_WAKE, 0));
	rte_mempool_put_bulk(team.toe->mails, all, nb);
}

static void
test_letters_to_a_dead_member_wake_elsewhere(void **state)
{
	struct fake_peer p;
	tp_toe_id id;
	struct mail *m;

	(void)state;
	conf.move.idle_ns = MS;
	toe_reopen();
	id = toe_conn(&p, 0, 1);
	fake_wait(&team, 2 * MS);
	toe_settle();
	assert_word(id, PARK, 1);
	conf.move.idle_ns = 0;
	assert_int_equal(tp_toe_set_move(team.toe, &conf.move), 0);
	m = mail_new(team.toe, MAIL_WAKE, (uint32_t)id);
	assert_non_null(m);
	mail_put(&shard(1)->mail, m);
	toe_stop(1);
	toe_settle();
	assert_int_equal(WORD_STATE(word_of_id(id)), HANDLE_OWN);
	assert_int_not_equal(WORD_MEMBER(word_of_id(id)), 1);
	assert_int_equal(rte_mempool_in_use_count(team.toe->mails), 0);
}

/* The member that it asked for has gone meanwhile. */
static void
test_a_wish_that_cannot_be_had_is_dropped(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);
	struct mail *ask = mail_new(team.toe, MAIL_ASK, (uint32_t)id);

	(void)state;
	assert_non_null(ask);
	ask->word = word_of_id(id);
	ask->to = 1;
	mail_put(&team.toe->to_control, ask);
	tp_toe_set_place(team.toe, 1, TP_TOE_DRAIN);
	toe_settle();
	assert_word(id, OWN, 0);
	assert_int_equal(shard(1)->nb_pulls, 0);
	assert_int_equal(rte_mempool_in_use_count(team.toe->mails), 0);
}

static void
test_a_wish_of_a_word_that_is_no_more(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);
	struct mail *ask = mail_new(team.toe, MAIL_ASK, (uint32_t)id);

	(void)state;
	assert_non_null(ask);
	ask->word = word_of_id(id) - (1 << 16);
	ask->to = 1;
	mail_put(&team.toe->to_control, ask);
	toe_settle();
	assert_word(id, OWN, 0);
	assert_int_equal(shard(1)->nb_pulls, 0);
}

static void
test_knobs_are_checked_and_read_back(void **state)
{
	struct tp_toe_move_conf good = { .after = 9, .hysteresis_ms = 7, .idle_ns = 5 }, bad, got;

	(void)state;
	assert_int_equal(tp_toe_set_move(team.toe, &good), 0);
	bad = good;
	bad.after = 1;
	bad.hysteresis_ms = TP_TOE_HYSTERESIS_MAX_MS + 1;
	assert_int_equal(tp_toe_set_move(team.toe, &bad), -EINVAL);
	tp_toe_get_move(team.toe, &got);
	assert_int_equal(got.after, 9);
	assert_int_equal(got.hysteresis_ms, 7);
	assert_int_equal(got.idle_ns, 5);
	assert_int_equal(team.toe->after, 9);
	assert_int_equal(team.toe->hysteresis, 7);
	assert_int_equal(team.toe->idle_ns, 5);
	bad.hysteresis_ms = TP_TOE_HYSTERESIS_MAX_MS;
	assert_int_equal(tp_toe_set_move(team.toe, &bad), 0);
}

static void
test_a_member_that_is_drained_takes_none(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);

	(void)state;
	for (enum tp_toe_place place = TP_TOE_ACTIVE; place <= TP_TOE_DRAIN; place++) {
		tp_toe_set_place(team.toe, 1, place);
		assert_int_equal((atomic_load(&team.toe->usable) & RTE_BIT32(1)) != 0,
		                place == TP_TOE_ACTIVE);
	}
	team.home = 1;
	assert_int_equal(home_for(team.toe, (uint32_t)id, 0), 2);
	/* But it is there: a command is obeyed. */
	assert_non_null(shard_alive(team.toe, 1));
}

/* A new shard in a member's place begins as if nothing had been. */
static void
test_a_new_one_takes_connections_again(void **state)
{
	(void)state;
	tp_toe_set_place(team.toe, 1, TP_TOE_DRAIN);
	toe_stop(1);
	toe_settle();
	assert_true(tp_toe_left(team.toe, 1));
	tp_toe_shard_free(shard(1));
	assert_null(shard_of(team.toe, 1));
	fake_member_open(&team, 1);
	assert_true(atomic_load(&team.toe->usable) & RTE_BIT32(1));
	assert_int_equal(team.toe->manager->place[1], TP_TOE_ACTIVE);
	assert_int_equal(team.toe->manager->absent, 0);
	tp_toe_set_place(team.toe, 1, TP_TOE_DRAIN);
	assert_false(atomic_load(&team.toe->usable) & RTE_BIT32(1));
}

/* ---- from outside --------------------------------------------------------------------- */

static struct {
	struct tp_toe_conn_info info[8];
	uint32_t max, nb, total;
	_Atomic bool done;
} look;

static bool
is_on_member_0(const struct tp_toe_conn_info *info, void *arg)
{
	(void)arg;
	return info->member == 0;
}

static void *
look_thread(void *filter)
{
	look.nb = tp_toe_snapshot(team.toe, filter != NULL ? is_on_member_0 : NULL, NULL, look.info,
	                look.max, &look.total);
	atomic_store(&look.done, true);
	return NULL;
}

static void
take_snapshot(bool filter, uint32_t max)
{
	pthread_t thread;

	memset(&look, 0, sizeof(look));
	look.max = max;
	assert_int_equal(pthread_create(&thread, NULL, look_thread, filter ? &look : NULL), 0);
	while (!atomic_load(&look.done)) {
		for (uint8_t i = 0; i < FAKE_MEMBERS; i++)
			tp_toe_step(shard(i), team.now);
	}
	pthread_join(thread, NULL);
}

static void
test_a_snapshot_has_all_that_are_wanted(void **state)
{
	struct fake_peer p[5];
	tp_toe_id id[5];

	(void)state;
	for (unsigned int i = 0; i < 5; i++)
		id[i] = toe_conn(&p[i], i, i % 2);
	assert_true(conn_release(shard(0), (uint32_t)id[4], 0, 2, TP_TOE_WHY_COMMAND));
	take_snapshot(false, 8);
	assert_int_equal(look.total, 5);
	assert_int_equal(look.nb, 5);
	assert_true(look.info[0].id == id[0]);
	assert_int_equal(look.info[0].member, 0);
	assert_int_equal(look.info[0].key.rport, rte_cpu_to_be_16(p[0].port));
	assert_int_equal(look.info[0].tcp.state, TP_TCP_ESTABLISHED);
	assert_string_equal(look.info[0].user, "test");
	take_snapshot(true, 8);
	assert_int_equal(look.total, 2);
	assert_int_equal(look.nb, 2);
	take_snapshot(false, 3);
	assert_int_equal(look.total, 5);
	assert_int_equal(look.nb, 3);
}

static void
test_counters_are_sums_and_named(void **state)
{
	uint64_t sum[TP_TOE_NB_COUNTERS], mib[TP_TCP_NB_MIB];
	struct fake_peer p;

	(void)state;
	for (uint8_t i = 0; i < FAKE_MEMBERS; i++)
		toe_conn(&p, i, i);
	tp_toe_counters(team.toe, sum, mib);
	assert_int_equal(sum[TP_TOE_C_CONNS_OPENED], FAKE_MEMBERS);
	assert_int_equal(sum[TP_TOE_C_RX_SEGS], 2 * FAKE_MEMBERS);
	assert_string_equal(tp_toe_counter_name(TP_TOE_C_RX_SEGS), "toe_rx_segments");
	assert_string_equal(tp_toe_counter_name(TP_TOE_C_TORN), "toe_torn");
	assert_non_null(tp_toe_counter_text(TP_TOE_C_TORN));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		toe_test(test_letters_are_read_in_order),
		toe_test(test_none_is_left),
		toe_test(test_letters_to_a_dead_member_wake_elsewhere),
		toe_test(test_a_wish_that_cannot_be_had_is_dropped),
		toe_test(test_a_wish_of_a_word_that_is_no_more),
		toe_test(test_knobs_are_checked_and_read_back),
		toe_test(test_a_member_that_is_drained_takes_none),
		toe_test(test_a_new_one_takes_connections_again),
		toe_test(test_a_snapshot_has_all_that_are_wanted),
		toe_test(test_counters_are_sums_and_named),
	};

	return toe_run(tests);
}
