/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Idle connections are parked (lib/toe/park.c), and come back by a packet, a write, or keepalive, on
 * whatever member that comes to (claim B5).
 */

#include "test_toe.h"

#define IDLE (500 * MS)

static int
setup(void **state)
{
	int rc = test_mbufs_setup(state);

	fake_team_conf(&conf);
	conf.move.idle_ns = IDLE;
	toe_open();
	return rc;
}

#define park_test(f) cmocka_unit_test_setup_teardown(f, setup, toe_teardown)

static void
wait_idle(void)
{
	fake_wait(&team, IDLE + MS);
	toe_settle();
}

static tp_toe_id
parked_conn(struct fake_peer *p, uint16_t n, uint8_t member)
{
	tp_toe_id id = toe_conn(p, n, member);

	wait_idle();
	assert_word(id, PARK, member);
	return id;
}

static void
test_parked_when_nothing_was_received_for_so_long(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 1);

	(void)state;
	fake_wait(&team, IDLE - 2 * MS);
	toe_settle();
	assert_word(id, OWN, 1);
	fake_wait(&team, 3 * MS);
	toe_settle();
	assert_word(id, PARK, 1);
	assert_int_equal(WHERE_SHARD(handle_of(id)->where), WHERE_PARKED);
	assert_int_equal(tp_toe_nb_parked(team.toe), 1);
	assert_int_equal(tp_toe_nb_conns(team.toe, 1), 0);
	assert_int_equal(counted(1, TP_TOE_C_PARKED), 1);
	assert_int_equal(team.nb_sent, 0);
	assert_int_equal(told.closed, 0);
	assert_int_equal(slot_alloc(shard(1)), 0); /* its slot is free */
	slot_free(shard(1), 0);
}

static void
test_a_segment_puts_it_off(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 1);

	(void)state;
	fake_wait(&team, IDLE - 2 * MS);
	fake_say(&team, &p, 1, TP_TCP_ACK | TP_TCP_PSH, 1);
	toe_settle();
	fake_wait(&team, IDLE - 2 * MS);
	toe_settle();
	assert_word(id, OWN, 1);
	wait_idle();
	assert_word(id, PARK, 1);
}

static void
test_never_when_that_is_off(void **state)
{
	struct tp_toe_move_conf never = { .after = 3, .idle_ns = 0 };
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 1);

	(void)state;
	assert_int_equal(tp_toe_set_move(team.toe, &never), 0);
	toe_settle();
	fake_wait(&team, 3600 * SEC);
	toe_settle();
	assert_word(id, OWN, 1);
	/* And again from now on, those that are there too. */
	never.idle_ns = IDLE;
	assert_int_equal(tp_toe_set_move(team.toe, &never), 0);
	toe_settle();
	toe_settle();
	assert_word(id, PARK, 1);
}

static void
test_not_while_data_is_in_flight(void **state)
{
	uint32_t len = 10;
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 1);

	(void)state;
	toe_post(id, toe_send_bytes, &len);
	toe_settle();
	wait_idle();
	assert_word(id, OWN, 1);
	fake_hear(&team, &p);
	fake_say(&team, &p, 1, TP_TCP_ACK, 0);
	toe_settle();
	wait_idle();
	assert_word(id, PARK, 1);
}

static void
test_a_packet_brings_it_back_where_it_arrives(void **state)
{
	struct fake_peer p;
	tp_toe_id id = parked_conn(&p, 0, 1);

	(void)state;
	fake_say(&team, &p, 2, TP_TCP_ACK | TP_TCP_PSH, 9);
	assert_word(id, OWN, 2);
	toe_settle();
	assert_int_equal(told.bytes, 9);
	assert_int_equal(told.member, 2);
	assert_int_equal(told.moved, 1);
	assert_int_equal(told.from, 1);
	assert_int_equal(tp_toe_nb_parked(team.toe), 0);
	assert_int_equal(counted(2, TP_TOE_C_RELOADED), 1);
	assert_int_equal(counted(2, TP_TOE_C_MOVED_IN), 0);
	assert_int_equal(
	                fake_last(&team, p.port) != NULL ? fake_last(&team, p.port)->member : 2, 2);
}

/* Where it was: no move to be told. */
static void
test_back_on_the_same_member(void **state)
{
	struct fake_peer p;
	tp_toe_id id = parked_conn(&p, 0, 1);

	(void)state;
	fake_say(&team, &p, 1, TP_TCP_ACK | TP_TCP_PSH, 9);
	toe_settle();
	assert_word(id, OWN, 1);
	assert_int_equal(told.moved, 0);
	assert_int_equal(told.bytes, 9);
	wait_idle();
	assert_word(id, PARK, 1);
	assert_int_equal(counted(1, TP_TOE_C_PARKED), 2);
}

static void
test_a_foreign_packet_brings_it_back(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 1);

	(void)state;
	fake_wait(&team, IDLE + MS);
	fake_say(&team, &p, 2, TP_TCP_ACK | TP_TCP_PSH, 9); /* forwarded, not read yet */
	tp_toe_step(shard(1), team.now);
	assert_word(id, PARK, 1);
	fake_turn(&team, 1);
	assert_word(id, OWN, 1);
	assert_int_equal(told.bytes, 9);
}

static void
test_a_write_brings_it_back_where_it_was(void **state)
{
	uint32_t len = 33;
	struct fake_peer p;
	tp_toe_id id = parked_conn(&p, 0, 1);

	(void)state;
	toe_post(id, toe_send_bytes, &len);
	toe_settle();
	assert_word(id, OWN, 1);
	assert_int_equal(fake_last(&team, p.port)->len, 33);
	assert_int_equal(fake_last(&team, p.port)->seq, p.ack);
	assert_int_equal(fake_last(&team, p.port)->ack, p.seq);
}

static void
test_a_write_when_that_member_is_gone(void **state)
{
	uint32_t len = 33;
	struct fake_peer p;
	tp_toe_id id = parked_conn(&p, 0, 1);

	(void)state;
	toe_stop(1);
	toe_settle();
	assert_word(id, PARK, 1);
	toe_post(id, toe_send_bytes, &len);
	toe_settle();
	assert_int_equal(WORD_STATE(word_of_id(id)), HANDLE_OWN);
	assert_int_not_equal(WORD_MEMBER(word_of_id(id)), 1);
	assert_int_equal(fake_last(&team, p.port)->len, 33);
	assert_true(tp_toe_left(team.toe, 1));
}

/* Posted while it was being parked: nobody rings for it any more. */
static void
test_a_write_that_came_in_between(void **state)
{
	uint32_t len = 33;
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 1);

	(void)state;
	toe_post(id, toe_send_bytes, &len);
	tp_toe_shard_free(shard(0)); /* its bell is not what brings it back */
	team.member[0].shard = NULL;
	assert_true(park_conn(shard(1), conn_of(id)));
	assert_word(id, OWN, 1);
	toe_settle();
	assert_int_equal(fake_last(&team, p.port)->len, 33);
}

/* It is still idle, so it is parked again there. */
static void
test_a_move_takes_it_there(void **state)
{
	struct fake_peer p;
	tp_toe_id id = parked_conn(&p, 0, 1);

	(void)state;
	assert_int_equal(tp_toe_move(team.toe, id, 2), 0);
	toe_settle();
	assert_word(id, PARK, 2);
	assert_int_equal(counted(1, TP_TOE_C_MOVE_COMMAND), 1);
	assert_int_equal(counted(2, TP_TOE_C_PARKED), 1);
	assert_int_equal(tp_toe_nb_parked(team.toe), 1);
}

static void
test_an_end_of_a_parked_one(void **state)
{
	struct fake_peer p;
	tp_toe_id id = parked_conn(&p, 0, 1);

	(void)state;
	fake_say(&team, &p, 0, TP_TCP_RST | TP_TCP_ACK, 0);
	toe_settle();
	assert_int_equal(told.closed, 1);
	assert_int_equal(told.reason, TP_TCP_R_RESET);
	assert_int_equal(told.member, 0);
	assert_int_equal(tp_toe_nb_parked(team.toe), 0);
	assert_word(id, FREE, TP_MEMBER_NONE);
}

/* ---- keepalive --------------------------------------------------------------------- */

static void
keepalive_team(void)
{
	conf.tcp.keepalive = true;
	conf.tcp.keep_idle_ns = 10 * SEC;
	conf.tcp.keep_intvl_ns = SEC;
	conf.tcp.keep_probes = 2;
	toe_reopen();
}

static void
test_keepalive_wakes_it_and_sends(void **state)
{
	struct fake_peer p;
	tp_toe_id id;

	(void)state;
	keepalive_team();
	id = parked_conn(&p, 0, 1);
	fake_wait(&team, 9 * SEC);
	toe_settle();
	assert_word(id, PARK, 1);
	assert_int_equal(team.nb_sent, 0);
	fake_wait(&team, SEC);
	toe_settle();
	assert_int_equal(team.nb_sent, 1);
	assert_int_equal(fake_last(&team, p.port)->seq, p.ack - 1);
	/* It answers: idle again, and asleep for the next ten seconds. */
	fake_say(&team, &p, 1, TP_TCP_ACK, 0);
	toe_settle();
	wait_idle();
	assert_word(id, PARK, 1);
}

static void
test_keepalive_ends_one_whose_peer_is_gone(void **state)
{
	struct fake_peer p;

	(void)state;
	keepalive_team();
	parked_conn(&p, 0, 1);
	for (unsigned int i = 0; i < 40 && told.closed == 0; i++) {
		fake_wait(&team, SEC / 2);
		toe_settle();
	}
	assert_int_equal(told.closed, 1);
	assert_int_equal(told.reason, TP_TCP_R_KEEPALIVE);
	assert_int_equal(told.end.reason, TP_TCP_R_KEEPALIVE);
	assert_int_equal(fake_nb_sent(&team, p.port, TP_TCP_ACK), 2 + 1); /* probes, RST */
	assert_int_equal(tp_toe_nb_parked(team.toe), 0);
}

static void
test_keepalive_when_its_member_is_gone(void **state)
{
	struct fake_peer p;
	tp_toe_id id;

	(void)state;
	keepalive_team();
	id = parked_conn(&p, 0, 1);
	toe_stop(1);
	toe_settle();
	fake_wait(&team, 11 * SEC);
	toe_settle();
	assert_int_equal(WORD_STATE(word_of_id(id)), HANDLE_OWN);
	assert_int_not_equal(WORD_MEMBER(word_of_id(id)), 1);
	assert_int_equal(team.nb_sent, 1);
}

/* Nobody could be told when to wake it: so it stays awake. */
static void
test_not_parked_without_a_letter_to_control(void **state)
{
	static void *all[32768];
	unsigned int nb = 0;
	struct fake_peer p;
	tp_toe_id id;

	(void)state;
	keepalive_team();
	id = toe_conn(&p, 0, 1);
	while (nb < RTE_DIM(all) && rte_mempool_get(team.toe->mails, &all[nb]) == 0)
		nb++;
	assert_false(park_conn(shard(1), conn_of(id)));
	assert_word(id, OWN, 1);
	assert_int_equal(tp_toe_nb_parked(team.toe), 0);
	rte_mempool_put_bulk(team.toe->mails, all, nb);
	assert_true(park_conn(shard(1), conn_of(id)));
	toe_settle();
	assert_word(id, PARK, 1);
}

/* ---- the store ---------------------------------------------------------------------- */

static void
test_records_are_used_again(void **state)
{
	struct fake_peer p[4];
	tp_toe_id id[4];
	uint32_t seen = 0;

	(void)state;
	for (unsigned int round = 0; round < 3; round++) {
		for (unsigned int i = 0; i < 4; i++)
			id[i] = toe_conn(&p[i], round * 10 + i, 0);
		wait_idle();
		for (unsigned int i = 0; i < 4; i++) {
			uint32_t where = handle_of(id[i])->where;

			assert_int_equal(WHERE_SHARD(where), WHERE_PARKED);
			seen |= RTE_BIT32(WHERE_SLOT(where));
			fake_say(&team, &p[i], 0, TP_TCP_RST | TP_TCP_ACK, 0);
		}
		toe_settle();
		assert_int_equal(tp_toe_nb_parked(team.toe), 0);
	}
	assert_int_equal(__builtin_popcount(seen), 4);
}

static void
test_a_full_store_leaves_them_awake(void **state)
{
	struct fake_peer p;
	tp_toe_id id;

	(void)state;
	park_free(team.toe->park);
	team.toe->park = park_create(1, SOCKET_ID_ANY);
	assert_non_null(team.toe->park);
	parked_conn(&p, 0, 0);
	id = toe_conn(&p, 1, 0);
	wait_idle();
	assert_word(id, OWN, 0);
	assert_int_equal(tp_toe_nb_parked(team.toe), 1);
	fake_say(&team, &p, 0, TP_TCP_ACK | TP_TCP_PSH, 2);
	toe_settle();
	assert_int_equal(told.bytes, 2);
}

static bool
is_port_1025(const struct tp_toe_conn_info *info, void *arg)
{
	++*(unsigned int *)arg;
	return info->key.rport == rte_cpu_to_be_16(1025);
}

static void
test_they_can_be_listed(void **state)
{
	struct tp_toe_conn_info info[4];
	struct fake_peer p[3];
	tp_toe_id id[3];
	unsigned int asked = 0;
	uint32_t total;

	(void)state;
	for (unsigned int i = 0; i < 3; i++)
		id[i] = toe_conn(&p[i], i, i);
	wait_idle();
	assert_int_equal(tp_toe_parked(team.toe, NULL, NULL, info, 2, &total), 2);
	assert_int_equal(total, 3);
	assert_int_equal(tp_toe_parked(team.toe, is_port_1025, &asked, info, 4, &total), 1);
	assert_int_equal(total, 1);
	assert_int_equal(asked, 3);
	assert_true(info[0].id == id[1]);
	assert_int_equal(info[0].member, 1);
	assert_string_equal(info[0].user, "test");
	assert_int_equal(info[0].tcp.state, TP_TCP_ESTABLISHED);
	assert_in_range(info[0].tcp.idle_ms, IDLE / MS, 2 * IDLE / MS);
	fake_say(&team, &p[1], 0, TP_TCP_ACK | TP_TCP_PSH, 1);
	assert_int_equal(tp_toe_parked(team.toe, is_port_1025, &asked, info, 4, &total), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		park_test(test_parked_when_nothing_was_received_for_so_long),
		park_test(test_a_segment_puts_it_off),
		park_test(test_never_when_that_is_off),
		park_test(test_not_while_data_is_in_flight),
		park_test(test_a_packet_brings_it_back_where_it_arrives),
		park_test(test_back_on_the_same_member),
		park_test(test_a_foreign_packet_brings_it_back),
		park_test(test_a_write_brings_it_back_where_it_was),
		park_test(test_a_write_when_that_member_is_gone),
		park_test(test_a_write_that_came_in_between),
		park_test(test_a_move_takes_it_there),
		park_test(test_an_end_of_a_parked_one),
		park_test(test_keepalive_wakes_it_and_sends),
		park_test(test_keepalive_ends_one_whose_peer_is_gone),
		park_test(test_keepalive_when_its_member_is_gone),
		park_test(test_not_parked_without_a_letter_to_control),
		park_test(test_records_are_used_again),
		park_test(test_a_full_store_leaves_them_awake),
		park_test(test_they_can_be_listed),
	};

	return toe_run(tests);
}
