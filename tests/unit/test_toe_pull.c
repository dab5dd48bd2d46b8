/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* A connection is fetched (lib/toe/pull.c): its packets wait, its owner is asked again and again, and
 * given up in the end.
 */

#include "test_toe.h"

#define GIVE_UP_MS 200

static void
say_to(struct fake_peer *p, uint8_t member)
{
	fake_say(&team, p, member, TP_TCP_ACK | TP_TCP_PSH, 1);
}

static bool
is_request(const struct rte_mbuf *m)
{
	return tp_meta((struct rte_mbuf *)(uintptr_t)m)->kind == TP_KIND_MESSAGE;
}

static void
begin(uint8_t member, tp_toe_id id)
{
	tp_toe_step(shard(member), team.now); /* its clock */
	pull_begin(shard(member), (uint32_t)id, word_of_id(id));
}

static void
test_asks_the_owner_once(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);
	const struct tp_msg *msg;
	struct toe_req req;

	(void)state;
	begin(1, id);
	begin(1, id);
	assert_int_equal(team.member[0].nb_ring, 1);
	assert_true(is_request(team.member[0].ring[0]));
	msg = rte_pktmbuf_mtod(team.member[0].ring[0], const struct tp_msg *);
	memcpy(&req, msg->body, sizeof(req));
	assert_int_equal(msg->module, TP_MODULE_TOE);
	assert_int_equal(msg->op, TOE_OP_REQ);
	assert_true(req.word == word_of_id(id));
	assert_int_equal(req.handle, (uint32_t)id);
	assert_int_equal(req.to, 1);
	toe_settle();
	assert_word(id, OWN, 1);
	assert_int_equal(shard(1)->nb_pulls, 0);
}

static void
test_nothing_to_ask_for(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);
	uint64_t word = word_of_id(id);

	(void)state;
	pull_begin(shard(0), (uint32_t)id, word);                       /* ours */
	pull_begin(shard(1), (uint32_t)id, word + (1 << 16));           /* another epoch */
	pull_begin(shard(1), (uint32_t)id, word - (UINT64_C(1) << 40)); /* another connection */
	assert_int_equal(shard(0)->nb_pulls + shard(1)->nb_pulls, 0);
	assert_int_equal(team.member[0].nb_ring + team.member[1].nb_ring, 0);
}

static void
test_packets_wait_and_come_in_order(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);

	(void)state;
	begin(1, id);
	for (unsigned int i = 0; i < 5; i++)
		say_to(&p, 1);
	assert_int_equal(counted(1, TP_TOE_C_RX_HELD), 5);
	assert_int_equal(counted(1, TP_TOE_C_RX_FOREIGN), 0);
	assert_int_equal(team.member[0].nb_ring, 1); /* the request */
	toe_settle();
	assert_int_equal(told.bytes, 5);
	assert_int_equal(told.member, 1);
	assert_null(conn_of(id)->ooo_head);
	assert_int_equal(handle_of(id)->arrival, 1);
	assert_int_equal(shard(1)->pauses.held_max, 5);
	assert_int_equal(shard(1)->pauses.held[tp_toe_step_of(5)], 1);
}

/* Where it arrived is kept with it. */
static void
test_a_held_packet_keeps_its_place_of_arrival(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);

	(void)state;
	begin(1, id);
	pull_hold(shard(1), pull_find(shard(1), (uint32_t)id),
	                fake_segment(&team, &p, TP_TCP_ACK, 1), 2);
	toe_settle();
	assert_word(id, OWN, 1);
	assert_int_equal(handle_of(id)->arrival, 2);
}

static void
test_so_many_wait_and_no_more(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);

	(void)state;
	begin(1, id);
	for (unsigned int i = 0; i < HOLD_MAX + 3; i++)
		say_to(&p, 1);
	assert_int_equal(counted(1, TP_TOE_C_RX_HELD), HOLD_MAX);
	assert_int_equal(counted(1, TP_TOE_C_RX_HOLD_FULL), 3);
	toe_settle();
	assert_int_equal(told.bytes, HOLD_MAX);
}

static void
test_a_lost_request_is_repeated_each_millisecond(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);

	(void)state;
	team.member[0].full = true;
	begin(1, id);
	assert_int_equal(team.member[0].nb_lost, 1);
	fake_turn(&team, 1);
	assert_int_equal(team.member[0].nb_lost, 1);
	fake_wait(&team, MS);
	fake_turn(&team, 1);
	fake_turn(&team, 1);
	assert_int_equal(team.member[0].nb_lost, 2);
	team.member[0].full = false;
	fake_wait(&team, MS);
	toe_settle();
	assert_word(id, OWN, 1);
}

static void
test_a_request_that_could_not_be_made_is_made_later(void **state)
{
	struct rte_mempool *pool = shard(1)->env.pool;
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);

	(void)state;
	shard(1)->env.pool = rte_pktmbuf_pool_create("none", 1, 0, 0, 256, SOCKET_ID_ANY);
	assert_non_null(shard(1)->env.pool);
	rte_mempool_get(shard(1)->env.pool, &(void *){ NULL });
	begin(1, id);
	assert_int_equal(team.member[0].nb_ring, 0);
	rte_mempool_free(shard(1)->env.pool);
	shard(1)->env.pool = pool;
	fake_wait(&team, MS);
	toe_settle();
	assert_word(id, OWN, 1);
}

static void
test_given_up_in_the_end(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);
	uint64_t word = word_of_id(id);

	(void)state;
	team.member[0].full = true;
	begin(1, id);
	say_to(&p, 1);
	fake_wait(&team, (GIVE_UP_MS - 1) * MS);
	fake_turn(&team, 1);
	assert_true(word_of_id(id) == word);
	team.member[0].full = false;
	fake_wait(&team, MS);
	fake_turn(&team, 1);
	assert_int_equal(counted(1, TP_TOE_C_MOVE_VOID), 1);
	assert_int_equal(shard(1)->nb_pulls, 0);
	/* A request that comes later is for a word that is no more. */
	assert_word(id, OWN, 0);
	assert_int_equal(WORD_EPOCH(word_of_id(id)), WORD_EPOCH(word) + 1);
	assert_int_equal(WORD_GENERATION(word_of_id(id)), WORD_GENERATION(word));
	/* What waited goes to the owner. */
	fake_turn(&team, 0);
	assert_int_equal(told.bytes, 1);
	assert_int_equal(told.member, 0);
}

static void
test_a_late_request_is_refused(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);

	(void)state;
	begin(1, id); /* waits in the ring */
	fake_wait(&team, GIVE_UP_MS * MS);
	fake_turn(&team, 1);
	fake_turn(&team, 0);
	assert_word(id, OWN, 0);
	assert_int_equal(counted(0, TP_TOE_C_MOVE_REFUSED), 1);
	assert_int_equal(counted(0, TP_TOE_C_MOVED_OUT), 0);
}

/* Somebody else was first: what waits follows it. */
static void
test_void_when_it_went_elsewhere(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);

	(void)state;
	begin(1, id);
	say_to(&p, 1);
	assert_true(conn_release(shard(0), (uint32_t)id, 0, 2, TP_TOE_WHY_COMMAND));
	fake_wait(&team, MS);
	fake_turn(&team, 1);
	assert_int_equal(counted(1, TP_TOE_C_MOVE_VOID), 1);
	assert_int_equal(shard(1)->nb_pulls, 0);
	toe_settle();
	assert_word(id, OWN, 2);
	assert_int_equal(told.bytes, 1);
	assert_int_equal(told.member, 2);
	assert_int_equal(counted(0, TP_TOE_C_MOVE_REFUSED), 1);
}

static void
test_void_when_it_ended(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);

	(void)state;
	begin(1, id);
	say_to(&p, 1);
	toe_post(id, toe_call_abort, NULL);
	tp_toe_step(shard(0), team.now);
	fake_wait(&team, MS);
	fake_turn(&team, 1);
	assert_int_equal(shard(1)->nb_pulls, 0);
	assert_int_equal(counted(1, TP_TOE_C_RX_STALE), 1);
	fake_turn(&team, 0);
	assert_int_equal(counted(0, TP_TOE_C_MOVE_REFUSED), 1);
}

/* It ended, and its handle is another's by now: neither gets what is the other's. */
static void
test_what_waits_is_not_the_next_ones(void **state)
{
	struct fake_peer p, q = { .port = 2000, .seq = 5000 };
	tp_toe_id id = toe_conn(&p, 0, 0);

	(void)state;
	begin(1, id);
	say_to(&p, 1);
	assert_int_equal(counted(1, TP_TOE_C_RX_HELD), 1);
	toe_post(id, toe_call_abort, NULL);
	tp_toe_step(shard(0), team.now);
	fake_open_conn(&team, &q, 1);
	assert_word(id, OWN, 1);
	assert_int_equal(told.accepted, 2);
	assert_true(told.id != id && (uint32_t)told.id == (uint32_t)id);
	/* So that it would fit. */
	q.seq = p.seq;
	conn_of(id)->rcv_nxt = p.seq - 1;
	fake_wait(&team, MS);
	pulls_run(shard(1));
	tp_toe_step(shard(1), team.now);
	assert_int_equal(shard(1)->nb_pulls, 0);
	assert_int_equal(counted(1, TP_TOE_C_RX_STALE), 1);
	assert_int_equal(told.bytes, 0);
}

/* The entry is still there, and the handle is another's, which is elsewhere. */
static void
test_the_next_ones_packets_do_not_wait(void **state)
{
	struct fake_peer p, q = { .port = 2000, .seq = 5000 };
	tp_toe_id id = toe_conn(&p, 0, 0);

	(void)state;
	begin(1, id);
	toe_post(id, toe_call_abort, NULL);
	tp_toe_step(shard(0), team.now);
	fake_turn(&team, 0); /* the request */
	fake_open_conn(&team, &q, 0);
	assert_word(id, OWN, 0);
	say_to(&q, 1);
	assert_int_equal(counted(1, TP_TOE_C_RX_HELD), 0);
	assert_int_equal(team.member[0].nb_ring, 1);
	/* It may be fetched as well. */
	pull_begin(shard(1), (uint32_t)id, word_of_id(id));
	assert_int_equal(shard(1)->nb_pulls, 2);
	say_to(&q, 1);
	assert_int_equal(counted(1, TP_TOE_C_RX_HELD), 1);
	toe_settle();
	assert_word(id, OWN, 1);
	assert_int_equal(told.bytes, 2);
	fake_wait(&team, MS);
	toe_settle();
	assert_int_equal(shard(1)->nb_pulls, 0);
}

/* On its way to us it is waited for, however long the inbox is not read. */
static void
test_not_void_while_it_is_on_its_way_here(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);

	(void)state;
	begin(1, id);
	fake_turn(&team, 0);
	assert_word(id, XFER, 1);
	fake_wait(&team, 2 * GIVE_UP_MS * MS);
	pulls_run(shard(1));
	assert_int_equal(shard(1)->nb_pulls, 1);
	assert_int_equal(counted(1, TP_TOE_C_MOVE_VOID), 0);
	toe_settle();
	assert_word(id, OWN, 1);
	assert_int_equal(shard(1)->nb_pulls, 0);
}

static void
test_a_set_has_so_many_ways(void **state)
{
	const uint32_t stride = NB_PULLS / PULL_WAYS;
	uint64_t word;

	(void)state;
	for (unsigned int i = 0; i <= PULL_WAYS; i++) {
		word = word_make(1, 0, HANDLE_OWN, 0);
		atomic_store(&team.toe->handle[i * stride].word, word);
		pull_begin(shard(1), i * stride, word);
	}
	assert_int_equal(shard(1)->nb_pulls, PULL_WAYS);
	assert_int_equal(counted(1, TP_TOE_C_MOVE_NO_SLOT), 1);
	assert_null(pull_find(shard(1), PULL_WAYS * stride));
	/* Any of them may end first. */
	pull_done(shard(1), pull_find(shard(1), stride));
	assert_int_equal(shard(1)->nb_pulls, PULL_WAYS - 1);
	for (unsigned int i = 0; i < PULL_WAYS; i++) {
		if (i != 1)
			assert_int_equal(pull_find(shard(1), i * stride)->handle, i * stride);
	}
	assert_null(pull_find(shard(1), stride));
	pulls_free(shard(1));
	assert_int_equal(shard(1)->nb_pulls, 0);
	for (unsigned int i = 0; i <= PULL_WAYS; i++)
		atomic_store(&team.toe->handle[i * stride].word,
		                word_make(1, 0, HANDLE_FREE, TP_MEMBER_NONE));
}

/* What is held when the member goes is freed (the fixture counts). */
static void
test_held_packets_go_with_the_member(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);

	(void)state;
	begin(1, id);
	say_to(&p, 1);
	say_to(&p, 1);
	assert_int_equal(shard(1)->nb_pulls, 1);
}

/* ---- what may be in the place of a request ----------------------------------------- */

struct request {
	struct tp_msg msg;
	struct toe_req req;
	uint16_t len;
};

static struct request
good_request(tp_toe_id id)
{
	return (struct request){
		.msg = { .module = TP_MODULE_TOE, .op = TOE_OP_REQ, .len = sizeof(struct toe_req) },
		.req = { .word = word_of_id(id), .handle = (uint32_t)id, .to = 1 },
		.len = sizeof(struct tp_msg),
	};
}

static void
ask(const struct request *r)
{
	struct tp_msg msg = r->msg;
	struct rte_mbuf *m;

	memcpy(msg.body, &r->req, sizeof(r->req));
	m = test_mbuf(&msg, r->len);
	*tp_meta(m) = (struct tp_meta){ .kind = TP_KIND_MESSAGE };
	tp_toe_foreign(shard(0), &m, 1, team.now);
}

static void
test_garbage_is_not_a_request(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);
	struct request good = good_request(id), bad[7];

	(void)state;
	for (unsigned int i = 0; i < RTE_DIM(bad); i++)
		bad[i] = good;
	bad[0].len--;
	bad[1].msg.module++;
	bad[2].msg.op++;
	bad[3].msg.len--;
	bad[4].req.handle = team.toe->nb_handles;
	bad[5].req.handle = NO_INDEX;
	bad[6].req.word = 0; /* which would mean any word */
	for (unsigned int i = 0; i < RTE_DIM(bad); i++) {
		ask(&bad[i]);
		assert_int_equal(counted(0, TP_TOE_C_RX_BAD), i + 1);
		assert_word(id, OWN, 0);
	}
	ask(&good);
	assert_word(id, XFER, 1);
}

static void
test_a_request_that_does_not_fit_is_refused(void **state)
{
	struct fake_peer p, q;
	tp_toe_id id = toe_conn(&p, 0, 0), other = toe_conn(&q, 1, 2);
	struct request good = good_request(id), bad[7];

	(void)state;
	for (unsigned int i = 0; i < RTE_DIM(bad); i++)
		bad[i] = good;
	bad[0].req.word += 1 << 16;           /* epoch */
	bad[1].req.word += UINT64_C(1) << 40; /* generation */
	bad[2].req.to = 0;                    /* to where it is */
	bad[3].req.to = FAKE_MEMBERS;         /* to nobody */
	bad[4].req.to = TP_MEMBER_NONE;
	bad[5] = good_request(other); /* another's */
	bad[6].req.handle = (uint32_t)id + 1;
	for (unsigned int i = 0; i < RTE_DIM(bad); i++) {
		ask(&bad[i]);
		assert_int_equal(counted(0, TP_TOE_C_MOVE_REFUSED), i + 1);
		assert_word(id, OWN, 0);
		assert_word(other, OWN, 2);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		toe_test(test_asks_the_owner_once),
		toe_test(test_nothing_to_ask_for),
		toe_test(test_packets_wait_and_come_in_order),
		toe_test(test_a_held_packet_keeps_its_place_of_arrival),
		toe_test(test_so_many_wait_and_no_more),
		toe_test(test_a_lost_request_is_repeated_each_millisecond),
		toe_test(test_a_request_that_could_not_be_made_is_made_later),
		toe_test(test_given_up_in_the_end),
		toe_test(test_a_late_request_is_refused),
		toe_test(test_void_when_it_went_elsewhere),
		toe_test(test_void_when_it_ended),
		toe_test(test_what_waits_is_not_the_next_ones),
		toe_test(test_the_next_ones_packets_do_not_wait),
		toe_test(test_not_void_while_it_is_on_its_way_here),
		toe_test(test_a_set_has_so_many_ways),
		toe_test(test_held_packets_go_with_the_member),
		toe_test(test_garbage_is_not_a_request),
		toe_test(test_a_request_that_does_not_fit_is_refused),
	};

	return toe_run(tests);
}
