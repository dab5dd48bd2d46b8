/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* What a member leaves whose lcore froze (lib/toe/harvest.c): whole contexts are adopted, the one it was
 * at work on is torn, lists and letters go to others, and in the end nothing is in its memory.
 */

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>

#include "manage.h"
#include "test_toe.h"

/* It froze at work on this one; others know of nothing yet. */
static void
freeze_at(uint8_t member, uint32_t handle)
{
	atomic_store(&shard(member)->cur, handle);
	toe_stop(member);
}

static void
replace(uint8_t member)
{
	assert_true(tp_toe_left(team.toe, member));
	assert_int_equal(tp_toe_shard_free(shard(member)), 0);
	rte_pktmbuf_free_bulk(team.member[member].ring, team.member[member].nb_ring);
	fake_member_open(&team, member);
}

static void
say(struct fake_peer *p, uint8_t member)
{
	fake_say(&team, p, member, TP_TCP_ACK | TP_TCP_PSH, 1);
}

static void
test_whole_ones_are_assigned_to_others(void **state)
{
	struct fake_peer p[3];
	tp_toe_id id[3];

	(void)state;
	for (unsigned int i = 0; i < 3; i++)
		id[i] = toe_conn(&p[i], i, 0);
	team.home = 2;
	assert_false(tp_toe_left(team.toe, 0));
	freeze_at(0, NO_INDEX);
	toe_settle();
	for (unsigned int i = 0; i < 3; i++)
		assert_word(id[i], OWN, 2);
	assert_int_equal(counted(2, TP_TOE_C_MOVE_HARVEST), 3);
	assert_int_equal(counted(2, TP_TOE_C_MOVED_IN), 3);
	assert_int_equal(counted(0, TP_TOE_C_TORN), 0);
	assert_int_equal(told.moved, 3);
	assert_int_equal(told.closed, 0);
	assert_int_equal(team.nb_sent, 0);
	for (unsigned int i = 0; i < 3; i++)
		say(&p[i], 2);
	toe_settle();
	assert_int_equal(told.bytes, 3);
	replace(0);
}

static void
test_a_packet_takes_one_at_once(void **state)
{
	struct fake_peer p, q;
	tp_toe_id id = toe_conn(&p, 0, 0), other = toe_conn(&q, 1, 0);

	(void)state;
	team.home = 2;
	freeze_at(0, NO_INDEX);
	/* Not before it is taken apart: until then they are forwarded to it. */
	say(&p, 1);
	assert_word(id, OWN, 0);
	assert_int_equal(team.member[0].nb_ring, 1);
	harvest_step(team.toe);
	/* The first slice has assigned them already; who gets a packet forwards it then. */
	toe_settle();
	assert_word(id, OWN, 2);
	assert_word(other, OWN, 2);
	p.seq--; /* it is sent again */
	say(&p, 1);
	toe_settle();
	assert_int_equal(told.bytes, 1);
}

static void
test_a_packet_before_the_background(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);

	(void)state;
	team.home = 2;
	freeze_at(0, NO_INDEX);
	/* As if the slices were at other handles. */
	team.toe->nb_handles -= 1;
	atomic_fetch_or(&team.toe->dead, RTE_BIT32(0));
	say(&p, 1);
	assert_word(id, OWN, 1);
	team.toe->nb_handles += 1;
	toe_settle();
	assert_word(id, OWN, 1);
	assert_int_equal(told.bytes, 1);
	assert_int_equal(counted(1, TP_TOE_C_MOVE_HARVEST), 1);
	assert_int_equal(counted(2, TP_TOE_C_MOVED_IN), 0);
	replace(0);
}

static void
test_the_torn_one_ends_and_tells_its_peer(void **state)
{
	struct fake_peer p, q;
	tp_toe_id torn = toe_conn(&p, 0, 0), whole = toe_conn(&q, 1, 0);

	(void)state;
	team.home = 1;
	/* Its state is anything. */
	conn_of(torn)->cwnd = 0;
	conn_of(torn)->rto_us = 0;
	freeze_at(0, (uint32_t)torn);
	toe_settle();
	assert_int_equal(counted(0, TP_TOE_C_TORN), 1);
	assert_int_equal(told.closed, 1);
	assert_int_equal(told.reason, TP_TCP_R_TORN);
	assert_int_equal(told.member, 1);
	assert_int_equal(told.nb_ends, 1);
	assert_int_equal(told.end.reason, TP_TCP_R_TORN);
	assert_true(told.end.id == torn);
	assert_int_equal(team.nb_sent, 1);
	assert_int_equal(fake_last(&team, p.port)->flags, TP_TCP_RST | TP_TCP_ACK);
	assert_int_equal(fake_last(&team, p.port)->seq, p.ack);
	assert_int_equal(fake_last(&team, p.port)->ack, p.seq);
	assert_int_equal(fake_last(&team, p.port)->member, 1);
	assert_word(whole, OWN, 1);
	assert_word(torn, FREE, TP_MEMBER_NONE);
	replace(0);
}

/* Nobody but the last member is there to tell it. */
static void
test_torn_on_the_last_member(void **state)
{
	struct fake_peer p;
	tp_toe_id torn = toe_conn(&p, 0, 0);

	(void)state;
	toe_stop(1);
	toe_stop(2);
	toe_settle();
	freeze_at(0, (uint32_t)torn);
	toe_settle();
	assert_true(tp_toe_left(team.toe, 0));
	assert_int_equal(told.closed, 0);
	assert_int_equal(tp_toe_shard_free(shard(0)), 1);
	team.member[0].shard = NULL;
	assert_int_equal(told.closed, 1);
	assert_int_equal(told.reason, TP_TCP_R_TORN);
}

/* At work on one that is not its own any more: nothing is torn. */
static void
test_frozen_after_it_had_let_go(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);

	(void)state;
	assert_true(conn_release(shard(0), (uint32_t)id, 0, 1, TP_TOE_WHY_COMMAND));
	freeze_at(0, (uint32_t)id);
	toe_settle();
	assert_word(id, OWN, 1);
	assert_int_equal(counted(0, TP_TOE_C_TORN), 0);
	say(&p, 1);
	toe_settle();
	assert_int_equal(told.bytes, 1);
	replace(0);
}

/* The word says XFER, but it froze before the slot was in the inbox. */
static void
test_frozen_between_the_word_and_the_inbox(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);

	(void)state;
	assert_true(conn_release(shard(0), (uint32_t)id, 0, 1, TP_TOE_WHY_COMMAND));
	atomic_store(&shard(1)->inbox, LINK_END);
	shard(0)->listed[1] = 0;
	freeze_at(0, (uint32_t)id);
	toe_settle();
	assert_word(id, OWN, 1);
	say(&p, 1);
	toe_settle();
	assert_int_equal(told.bytes, 1);
	replace(0);
}

/* It had won the word, and copied what the old owner still has. */
static void
test_frozen_as_it_adopted(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);
	uint64_t word;

	(void)state;
	team.home = 2;
	assert_true(conn_release(shard(0), (uint32_t)id, 0, 1, TP_TOE_WHY_COMMAND));
	word = word_of_id(id);
	atomic_store(&handle_of(id)->word,
	                word_make(WORD_GENERATION(word), WORD_EPOCH(word) + 1, HANDLE_OWN, 1));
	freeze_at(1, (uint32_t)id);
	toe_settle();
	assert_int_equal(counted(1, TP_TOE_C_TORN), 0);
	assert_int_equal(told.closed, 0);
	say(&p, 2);
	toe_settle();
	assert_word(id, OWN, 2);
	assert_int_equal(told.bytes, 1);
	replace(1);
}

/* Those that were on their way to it go to somebody else, by a packet or in the background. */
static void
test_its_inbox_goes_to_others(void **state)
{
	struct fake_peer p[2];
	tp_toe_id id[2];

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		id[i] = toe_conn(&p[i], i, 0);
		assert_true(conn_release(shard(0), (uint32_t)id[i], 0, 1, TP_TOE_WHY_COMMAND));
	}
	team.home = 2;
	freeze_at(1, NO_INDEX);
	toe_settle();
	for (unsigned int i = 0; i < 2; i++) {
		assert_word(id[i], OWN, 2);
		say(&p[i], 2);
	}
	toe_settle();
	assert_int_equal(told.bytes, 2);
	assert_false(is_listed(shard(0)));
	/* Their slots came back. */
	for (unsigned int i = 0; i < 2; i++)
		assert_true(slot_is_free(shard(0), i));
	replace(1);
}

/* Nobody was at work on it, but what is there cannot be. */
static void
test_a_broken_one_is_torn(void **state)
{
	struct fake_peer p, q;
	tp_toe_id broken = toe_conn(&p, 0, 0), whole = toe_conn(&q, 1, 0);

	(void)state;
	team.home = 1;
	conn_of(broken)->cwnd = 0;
	freeze_at(0, NO_INDEX);
	toe_settle();
	assert_int_equal(counted(1, TP_TOE_C_TORN), 1);
	assert_int_equal(told.closed, 1);
	assert_int_equal(told.reason, TP_TCP_R_TORN);
	assert_true(told.end.id == broken);
	assert_int_equal(fake_last(&team, p.port)->flags, TP_TCP_RST | TP_TCP_ACK);
	assert_word(whole, OWN, 1);
	replace(0);
}

/* It froze as it had noted what it takes out of its inbox: that is in both. */
static void
test_frozen_with_the_inbox_in_its_hands(void **state)
{
	struct fake_peer p[3];
	tp_toe_id id[3];
	uint32_t slot[4];

	(void)state;
	for (unsigned int i = 0; i < 3; i++)
		id[i] = toe_conn(&p[i], i, 0);
	for (unsigned int i = 0; i < 2; i++)
		assert_true(conn_release(shard(0), (uint32_t)id[i], 0, 1, TP_TOE_WHY_COMMAND));
	/* One of them a packet had brought there. */
	assert_non_null(conn_take(shard(1), (uint32_t)id[0], word_of_id(id[0])));
	atomic_store(&shard(1)->adopting, atomic_load(&shard(1)->inbox));
	assert_true(conn_release(shard(0), (uint32_t)id[2], 0, 1, TP_TOE_WHY_COMMAND));
	team.home = 2;
	freeze_at(1, NO_INDEX);
	toe_settle();
	for (unsigned int i = 0; i < 3; i++) {
		assert_word(id[i], OWN, 2);
		assert_true(slot_is_free(shard(0), i));
	}
	/* Each once. */
	for (unsigned int i = 0; i < 4; i++) {
		slot[i] = slot_alloc(shard(0));
		for (unsigned int k = 0; k < i; k++)
			assert_int_not_equal(slot[i], slot[k]);
	}
	for (unsigned int i = 4; i-- > 0;)
		slot_free(shard(0), slot[i]);
	assert_false(is_listed(shard(0)));
	replace(1);
}

/* It froze as it had noted what is in its inbox, and another one that had seen it alive releases something
 * to it only then: what is there is control's alone, or the slot that was noted goes back twice.
 */
static void
test_released_to_it_when_it_had_frozen(void **state)
{
	struct fake_peer p[2];
	tp_toe_id id[2];

	(void)state;
	team.home = 2;
	for (unsigned int i = 0; i < 2; i++)
		id[i] = toe_conn(&p[i], i, 0);
	assert_true(conn_release(shard(0), (uint32_t)id[0], 0, 1, TP_TOE_WHY_COMMAND));
	assert_non_null(conn_take(shard(1), (uint32_t)id[0], word_of_id(id[0])));
	atomic_store(&shard(1)->adopting, atomic_load(&shard(1)->inbox));
	assert_true(conn_release(shard(0), (uint32_t)id[1], 0, 1, TP_TOE_WHY_COMMAND));
	freeze_at(1, NO_INDEX);
	toe_settle();
	for (unsigned int i = 0; i < 2; i++)
		assert_word(id[i], OWN, 2);
	toe_settle();
	for (uint32_t i = 0; i < 2; i++)
		assert_true(slot_is_free(shard(0), i));
	assert_int_not_equal(slot_next(shard(0), shard(0)->free_slot), shard(0)->free_slot);
	assert_false(is_listed(shard(0)));
	replace(1);
}

/* It froze after it had adopted, before it had counted that the slot is in its list no more. */
static void
test_frozen_before_it_counted(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);

	(void)state;
	assert_true(conn_release(shard(0), (uint32_t)id, 0, 1, TP_TOE_WHY_COMMAND));
	assert_non_null(conn_take(shard(1), (uint32_t)id, word_of_id(id)));
	atomic_store(&shard(1)->inbox, LINK_END);
	team.home = 2;
	freeze_at(1, NO_INDEX);
	toe_settle();
	assert_word(id, OWN, 2);
	assert_false(is_listed(shard(0)));
	toe_stop(0);
	toe_settle();
	assert_true(tp_toe_left(team.toe, 0));
}

static jmp_buf froze;
static unsigned int nb_carried_out, nb_gone;

static void
freeze_here(struct tp_toe_call *call, void *arg)
{
	(void)call;
	(void)arg;
	longjmp(froze, 1);
}

static void
count_call(struct tp_toe_call *call, void *arg)
{
	(void)arg;
	nb_carried_out += call->conn != NULL;
	nb_gone += call->conn == NULL;
}

/* In the middle of a function, others wait behind it: each is carried out once, or told so. */
static void
test_posts_in_its_hands(void **state)
{
	unsigned int before = rte_mempool_in_use_count(team.toe->posts);
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);

	(void)state;
	nb_carried_out = nb_gone = 0;
	toe_post(id, count_call, NULL);
	toe_post(id, freeze_here, NULL);
	toe_post(id, count_call, NULL);
	toe_post(id, count_call, NULL);
	if (setjmp(froze) == 0)
		fake_turn(&team, 0);
	assert_int_equal(nb_carried_out, 1);
	team.home = 1;
	toe_stop(0);
	toe_post(id, count_call, NULL); /* one that comes later */
	toe_settle();
	toe_settle();
	assert_int_equal(counted(0, TP_TOE_C_TORN), 1);
	assert_int_equal(told.reason, TP_TCP_R_TORN);
	assert_int_equal(nb_carried_out + nb_gone, 4);
	/* But for the one that it had begun, and its bell. */
	assert_in_range(rte_mempool_in_use_count(team.toe->posts), before, before + 2);
	replace(0);
}

/* ---- frozen between taking something and being done with it ------------------------- */

static bool on_lcore;

static void
freeze_unless_control(struct tp_toe_call *call, void *arg)
{
	if (on_lcore)
		longjmp(froze, 1);
	count_call(call, arg);
}

static unsigned int
posts_in_use(void)
{
	return rte_mempool_in_use_count(team.toe->posts);
}

static void
turn_and_freeze(uint8_t member)
{
	on_lcore = true;
	if (setjmp(froze) == 0)
		fake_turn(&team, member);
	on_lcore = false;
	toe_stop(member);
}

/* The connection ends with its first octet, while three wait behind the end. */
static void
post_and_end(struct tp_toe_call *call, struct rte_mbuf *data)
{
	rte_pktmbuf_free(data);
	toe_post(call->id, count_call, NULL);
	toe_post(call->id, freeze_unless_control, NULL);
	toe_post(call->id, count_call, NULL);
	tp_toe_abort(call);
}

static const struct tp_toe_user ender = { .name = "ender", .on_data = post_and_end };

/* Those that wait when it ends are told by control, which does not freeze. */
static void
test_notices_are_in_nobodys_hands(void **state)
{
	struct tp_toe_listen at = { .user = &ender, .port = 81 };
	struct fake_peer p = { .port = 2000, .to = 81, .seq = 1000 };

	(void)state;
	nb_carried_out = nb_gone = 0;
	assert_int_equal(tp_toe_listen(team.toe, &at), 0);
	fake_open_conn(&team, &p, 0);
	assert_int_equal(tp_toe_nb_conns(team.toe, 0), 1);
	say(&p, 0);
	turn_and_freeze(0);
	assert_int_equal(tp_toe_nb_conns(team.toe, 0), 0);
	toe_settle();
	toe_settle();
	assert_int_equal(nb_carried_out, 0);
	assert_int_equal(nb_gone, 3);
	assert_int_equal(posts_in_use(), 0);
	replace(0);
}

/* Bells, letters: those behind the one that it was at are answered by others, and none is lost. */
static void
test_bells_in_its_hands(void **state)
{
	struct fake_peer p[5];
	tp_toe_id id[5];

	(void)state;
	nb_carried_out = nb_gone = 0;
	team.home = 1;
	for (unsigned int i = 0; i < 5; i++)
		id[i] = toe_conn(&p[i], i, 0);
	for (unsigned int i = 0; i < 5; i++)
		toe_post(id[i], i == 1 ? freeze_unless_control : count_call, NULL);
	turn_and_freeze(0);
	assert_int_equal(nb_carried_out, 1);
	toe_settle();
	toe_settle();
	assert_int_equal(nb_carried_out, 4);
	assert_int_equal(nb_gone, 0);
	/* But for the one that it had begun, which was its own bell. */
	assert_int_equal(posts_in_use(), 1);
	replace(0);
}

static void
test_letters_in_its_hands(void **state)
{
	struct fake_peer p[4];
	tp_toe_id id[4];

	(void)state;
	nb_carried_out = nb_gone = 0;
	team.home = 1;
	for (unsigned int i = 0; i < 4; i++)
		id[i] = toe_conn(&p[i], i, 0);
	for (unsigned int i = 0; i < 4; i++)
		toe_post(id[i], i == 2 ? freeze_unless_control : count_call, NULL);
	/* Whoever rang is not there; so control writes. */
	bells_pass_on(team.toe, 0);
	assert_int_equal(rte_mempool_in_use_count(team.toe->mails), 4);
	turn_and_freeze(0);
	assert_int_equal(nb_carried_out, 1);
	toe_settle();
	toe_settle();
	assert_int_equal(nb_carried_out, 3);
	assert_int_equal(rte_mempool_in_use_count(team.toe->mails), 0);
	replace(0);
}

/* A letter that wakes a parked one comes to somebody else. */
static void
test_a_wake_in_its_hands(void **state)
{
	struct fake_peer p;
	tp_toe_id id;

	(void)state;
	conf.move.idle_ns = MS;
	toe_reopen();
	id = toe_conn(&p, 0, 0);
	fake_wait(&team, 2 * MS);
	fake_turn(&team, 0);
	assert_word(id, PARK, 0);
	posts_wake(team.toe, (uint32_t)id);
	/* Taken, and not looked at. */
	atomic_store(&shard(0)->letters, atomic_exchange(&shard(0)->mail.head, NULL));
	toe_stop(0);
	harvest_step(team.toe);
	fake_turn(&team, 1);
	assert_word(id, OWN, 1);
	assert_int_equal(rte_mempool_in_use_count(team.toe->mails), 0);
	replace(0);
}

/* Noted, and not taken yet: it is in both places. */
static void
test_frozen_before_it_took(void **state)
{
	struct fake_peer p[3];
	tp_toe_id id[3];
	struct post *post;

	(void)state;
	nb_carried_out = nb_gone = 0;
	team.home = 1;
	for (unsigned int i = 0; i < 3; i++)
		id[i] = toe_conn(&p[i], i, 0);
	for (unsigned int i = 0; i < 3; i++) {
		posts_wake(team.toe, (uint32_t)id[i]);
		toe_post(id[i], count_call, NULL);
		/* Others that come after that, and before it is seen to have frozen. */
		if (i == 0) {
			atomic_store(&shard(0)->ringing, atomic_load(&team.toe->bells[0].head));
			atomic_store(&shard(0)->letters, atomic_load(&shard(0)->mail.head));
		}
	}
	post = atomic_load(&handle_of(id[0])->posts);
	atomic_store(&shard(0)->hand_use, post->use);
	atomic_store(&shard(0)->hand, post);
	toe_post(id[0], count_call, NULL);
	toe_stop(0);
	toe_settle();
	toe_settle();
	assert_int_equal(nb_carried_out, 4);
	assert_int_equal(posts_in_use(), 0);
	assert_int_equal(rte_mempool_in_use_count(team.toe->mails), 0);
	replace(0);
}

/* What it had noted was an earlier connection's, and control took it first. */
static void
test_what_it_had_noted_was_taken_by_control(void **state)
{
	struct fake_peer p, q;
	tp_toe_id id = toe_conn(&p, 0, 0), other = toe_conn(&q, 1, 0);
	struct post *post;

	(void)state;
	nb_carried_out = nb_gone = 0;
	team.home = 1;
	toe_post(id, count_call, NULL);
	post = atomic_load(&handle_of(id)->posts);
	atomic_store(&shard(0)->hand_use, post->use);
	atomic_store(&team.toe->bells[0].head, NULL);
	post->rung = false;
	atomic_fetch_sub(&post->refs, 1);
	fake_say(&team, &p, 0, TP_TCP_RST | TP_TCP_ACK, 0);
	word_leave(handle_of(id), 1, HANDLE_FREE, TP_MEMBER_NONE); /* as if it had ended */
	posts_wake(team.toe, (uint32_t)id);
	assert_int_equal(nb_gone, 1);
	word_leave(handle_of(id), UINT32_MAX, HANDLE_OWN, 0);
	atomic_store(&shard(0)->hand, post);
	toe_stop(0);
	toe_settle();
	toe_settle();
	assert_int_equal(nb_gone, 1);
	assert_int_equal(nb_carried_out, 0);
	assert_int_equal(posts_in_use(), 0);
	assert_word(other, OWN, 1);
}

static const struct tp_toe_connect how = { .user = &toe_user,
	.raddr = { [10] = 0xff, [11] = 0xff, [12] = 10, [15] = 2 },
	.rport = 4000,
	.member = 0 };

/* Its hand holds the open, which is off the handle. */
static void
open_in_hand(tp_toe_id id)
{
	struct post *post = atomic_exchange(&handle_of(id)->posts, NULL);

	assert_non_null(post);
	atomic_store(&shard(0)->hand_use, post->use);
	atomic_store(&shard(0)->hand, post);
	freeze_at(0, (uint32_t)id);
	toe_settle();
	toe_settle();
}

/* It froze in the middle of an active open, before there was a connection: that begins again. */
static void
test_an_open_in_its_hands(void **state)
{
	tp_toe_id id = tp_toe_connect(team.toe, &how);

	(void)state;
	team.home = 1;
	open_in_hand(id);
	assert_word(id, OWN, 1);
	assert_int_equal(fake_nb_sent(&team, 4000, TP_TCP_SYN), 1);
	assert_int_equal(fake_last(&team, 4000)->member, 1);
	assert_int_equal(told.closed, 0);
	assert_int_equal(posts_in_use(), 0);
	replace(0);
}

/* There was one already: it is torn, and not opened twice. */
static void
test_an_open_in_its_hands_that_had_begun(void **state)
{
	tp_toe_id id = tp_toe_connect(team.toe, &how);

	(void)state;
	team.home = 1;
	open_active(shard(0), (uint32_t)id, NULL);
	open_in_hand(id);
	assert_int_equal(told.closed, 1);
	assert_int_equal(told.reason, TP_TCP_R_TORN);
	assert_int_equal(fake_nb_sent(&team, 4000, TP_TCP_SYN), 0);
	assert_word(id, FREE, TP_MEMBER_NONE);
	assert_int_equal(posts_in_use(), 0);
	replace(0);
}

/* Whoever connects chose a member that has gone by the time the handle is its. */
static void
test_an_open_for_a_member_that_has_gone(void **state)
{
	struct post *first;
	uint32_t index;

	(void)state;
	team.home = 1;
	index = handle_pop(team.toe, 0);
	handle_of(index)->key = (struct tp_tcp_key){ .rport = rte_cpu_to_be_16(4000) };
	memcpy(handle_of(index)->key.raddr, how.raddr, sizeof(how.raddr));
	assert_int_equal(rte_mempool_get(team.toe->posts, (void **)&first), 0);
	toe_stop(0);
	toe_settle();
	assert_true(tp_toe_left(team.toe, 0));
	tp_toe_shard_free(shard(0));
	team.member[0].shard = NULL;
	toe_settle();
	post_open(team.toe, index, 0, first, NULL);
	toe_settle();
	toe_settle();
	assert_word(index, OWN, 1);
	assert_int_equal(fake_nb_sent(&team, 4000, TP_TCP_SYN), 1);
	assert_int_equal(posts_in_use(), 0);
}

/* Somebody has to be woken, and there is no mail for that at first. */
static void
test_no_mail_to_wake_it(void **state)
{
	struct rte_mempool *mails = team.toe->mails;
	uint32_t nb = rte_mempool_avail_count(mails);
	void **all = calloc(nb, sizeof(*all));
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);

	(void)state;
	assert_non_null(all);
	nb_carried_out = 0;
	assert_int_equal(rte_mempool_get_bulk(mails, all, nb), 0);
	toe_post(id, count_call, NULL);
	/* The lcore that rang had frozen with the bell in its hands. */
	atomic_store(&team.toe->bells[0].head, NULL);
	posts_wake(team.toe, (uint32_t)id);
	toe_settle();
	assert_int_equal(nb_carried_out, 0);
	rte_mempool_put_bulk(mails, all, nb);
	toe_settle();
	assert_int_equal(nb_carried_out, 1);
	free(all);
}

/* What it counted stays in the sums when it goes. */
static void
test_sums_never_fall(void **state)
{
	uint64_t before[TP_TOE_NB_COUNTERS], after[TP_TOE_NB_COUNTERS];
	uint64_t mib_before[TP_TCP_NB_MIB], mib_after[TP_TCP_NB_MIB];
	struct tp_toe_pauses pauses;
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);

	(void)state;
	assert_true(conn_release(shard(0), (uint32_t)id, 0, 1, TP_TOE_WHY_COMMAND));
	toe_settle();
	team.home = 2;
	toe_stop(1);
	toe_settle();
	tp_toe_counters(team.toe, before, mib_before);
	assert_int_not_equal(before[TP_TOE_C_MOVED_IN], 0);
	replace(1);
	tp_toe_counters(team.toe, after, mib_after);
	assert_memory_equal(before, after, sizeof(before));
	assert_memory_equal(mib_before, mib_after, sizeof(mib_before));
	tp_toe_get_pauses(team.toe, &pauses);
	assert_int_not_equal(pauses.last_ns, 0);
}

static void *
ask_for_all(void *arg)
{
	struct tp_toe_conn_info none;
	uint32_t total;

	tp_toe_snapshot(team.toe, NULL, NULL, &none, 0, &total);
	return arg;
}

/* Whoever asked it is answered when it goes, and what he was to get is freed. */
static void
test_asked_as_it_goes(void **state)
{
	pthread_t thread;

	(void)state;
	toe_stop(1);
	toe_stop(2);
	toe_settle();
	assert_int_equal(pthread_create(&thread, NULL, ask_for_all, NULL), 0);
	while (atomic_load(&shard(0)->snapshot) == NULL)
		sched_yield();
	tp_toe_shard_free(shard(0));
	team.member[0].shard = NULL;
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static void
test_posts_for_it_are_carried_out_by_others(void **state)
{
	uint32_t len = 5;
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);

	(void)state;
	team.home = 1;
	toe_post(id, toe_send_bytes, &len);
	freeze_at(0, NO_INDEX);
	toe_settle();
	toe_settle();
	assert_word(id, OWN, 1);
	assert_non_null(fake_last(&team, p.port));
	assert_int_equal(fake_last(&team, p.port)->len, 5);
	assert_int_equal(fake_last(&team, p.port)->member, 1);
}

static void
test_an_open_that_it_did_not_come_to(void **state)
{
	tp_toe_id id = tp_toe_connect(team.toe, &how);

	(void)state;
	team.home = 1;
	freeze_at(0, NO_INDEX);
	toe_settle();
	toe_settle();
	assert_word(id, OWN, 1);
	assert_int_equal(fake_nb_sent(&team, 4000, TP_TCP_SYN), 1);
	assert_int_equal(fake_last(&team, 4000)->member, 1);
	replace(0);
}

static void
test_what_ended_on_it_is_free_again(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);

	(void)state;
	fake_say(&team, &p, 0, TP_TCP_ACK | TP_TCP_FIN, 0);
	toe_post(id, toe_call_close, NULL);
	toe_settle();
	fake_hear(&team, &p);
	fake_say(&team, &p, 0, TP_TCP_ACK, 0);
	toe_settle();
	assert_word(id, DEAD, 0);
	freeze_at(0, NO_INDEX);
	toe_settle();
	assert_word(id, FREE, TP_MEMBER_NONE);
	replace(0);
	toe_conn(&p, 0, 1); /* the same port */
}

/* It froze between the word and its list of those that ended. */
static void
test_what_ended_on_it_and_is_on_no_list(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);

	(void)state;
	fake_say(&team, &p, 0, TP_TCP_ACK | TP_TCP_FIN, 0);
	toe_post(id, toe_call_close, NULL);
	toe_settle();
	fake_hear(&team, &p);
	fake_say(&team, &p, 0, TP_TCP_ACK, 0);
	toe_settle();
	shard(0)->ended_tail = shard(0)->ended_head;
	freeze_at(0, NO_INDEX);
	assert_false(tp_toe_left(team.toe, 0));
	for (unsigned int i = 0; i < 3; i++)
		toe_settle();
	assert_word(id, FREE, TP_MEMBER_NONE);
	replace(0);
}

static void
test_waits_until_all_know(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);

	(void)state;
	rte_rcu_qsbr_thread_register(team.qsbr, 1);
	rte_rcu_qsbr_thread_online(team.qsbr, 1);
	freeze_at(0, NO_INDEX);
	toe_settle();
	assert_word(id, OWN, 0);
	assert_int_equal(atomic_load(&team.toe->dead), 0);
	assert_false(tp_toe_left(team.toe, 0));
	rte_rcu_qsbr_quiescent(team.qsbr, 1);
	toe_settle();
	assert_int_equal(atomic_load(&team.toe->dead), RTE_BIT32(0));
	assert_int_not_equal(WORD_MEMBER(word_of_id(id)), 0);
	rte_rcu_qsbr_thread_offline(team.qsbr, 1);
	rte_rcu_qsbr_thread_unregister(team.qsbr, 1);
}

/* Better one whose port is down than nobody. */
static void
test_to_one_that_is_down_if_there_is_no_other(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);

	(void)state;
	tp_toe_set_place(team.toe, 1, TP_TOE_DOWN);
	toe_stop(2);
	freeze_at(0, NO_INDEX);
	toe_settle();
	assert_word(id, OWN, 1);
	replace(0);
}

/* Parked ones are in nobody's memory. */
static void
test_parked_ones_stay(void **state)
{
	struct fake_peer p;
	tp_toe_id id;

	(void)state;
	conf.move.idle_ns = MS;
	toe_reopen();
	id = toe_conn(&p, 0, 0);
	fake_wait(&team, 2 * MS);
	toe_settle();
	assert_word(id, PARK, 0);
	freeze_at(0, NO_INDEX);
	toe_settle();
	assert_word(id, PARK, 0);
	replace(0);
	say(&p, 1);
	toe_settle();
	assert_int_equal(told.bytes, 1);
}

/* Whoever frees it is another thread: control does not look at it any more. */
static void
test_let_go_it_stays_as_it_is(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);
	uint32_t where = handle_of(id)->where;
	uint64_t word;

	(void)state;
	toe_stop(0);
	word = word_of_id(id);
	tp_toe_let_go(team.toe, 0);
	tp_toe_let_go(team.toe, TP_MAX_MEMBERS);
	toe_settle();
	assert_int_equal(word_of_id(id), word);
	assert_int_equal(handle_of(id)->where, where);
	assert_int_equal(tp_toe_shard_free(shard(0)), 1);
	team.member[0].shard = NULL;
	assert_int_equal(told.closed, 1);
	toe_settle();
}

static void
test_fencing_twice_and_nobody(void **state)
{
	(void)state;
	tp_toe_fence(team.toe, FAKE_MEMBERS);
	toe_stop(0);
	assert_int_equal(atomic_load(&team.toe->alive), RTE_BIT32(1) | RTE_BIT32(2));
	assert_int_equal(atomic_load(&team.toe->usable), RTE_BIT32(1) | RTE_BIT32(2));
	assert_null(shard_alive(team.toe, 0));
	toe_settle();
	tp_toe_fence(team.toe, 0);
	assert_int_equal(team.toe->manager->fencing, 0);
	replace(0);
	assert_int_equal(atomic_load(&team.toe->alive), 7);
	assert_int_equal(atomic_load(&team.toe->usable), 7);
	assert_int_equal(atomic_load(&team.toe->dead), 0);
}

static void
test_two_at_once(void **state)
{
	struct fake_peer p[4];
	tp_toe_id id[4];

	(void)state;
	for (unsigned int i = 0; i < 4; i++)
		id[i] = toe_conn(&p[i], i, i % 2);
	team.home = 1; /* which is dead */
	toe_stop(0);
	toe_stop(1);
	toe_settle();
	toe_settle();
	for (unsigned int i = 0; i < 4; i++)
		assert_word(id[i], OWN, 2);
	replace(0);
	replace(1);
}

/* It released one to a member that dies before it looks into its inbox, and then dies itself. */
static void
test_a_slot_in_a_dead_members_inbox(void **state)
{
	struct fake_peer p;
	tp_toe_id id = toe_conn(&p, 0, 0);

	(void)state;
	assert_true(conn_release(shard(0), (uint32_t)id, 0, 1, TP_TOE_WHY_COMMAND));
	toe_stop(1);
	toe_stop(0);
	assert_false(tp_toe_left(team.toe, 0));
	toe_settle();
	toe_settle();
	assert_word(id, OWN, 2);
	replace(0);
	replace(1);
	say(&p, 2);
	toe_settle();
	assert_int_equal(told.bytes, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		toe_test(test_whole_ones_are_assigned_to_others),
		toe_test(test_a_packet_takes_one_at_once),
		toe_test(test_a_packet_before_the_background),
		toe_test(test_the_torn_one_ends_and_tells_its_peer),
		toe_test(test_torn_on_the_last_member),
		toe_test(test_frozen_after_it_had_let_go),
		toe_test(test_frozen_between_the_word_and_the_inbox),
		toe_test(test_frozen_as_it_adopted),
		toe_test(test_its_inbox_goes_to_others),
		toe_test(test_a_broken_one_is_torn),
		toe_test(test_frozen_with_the_inbox_in_its_hands),
		toe_test(test_released_to_it_when_it_had_frozen),
		toe_test(test_frozen_before_it_counted),
		toe_test(test_posts_in_its_hands),
		toe_test(test_notices_are_in_nobodys_hands),
		toe_test(test_bells_in_its_hands),
		toe_test(test_letters_in_its_hands),
		toe_test(test_a_wake_in_its_hands),
		toe_test(test_frozen_before_it_took),
		toe_test(test_what_it_had_noted_was_taken_by_control),
		toe_test(test_an_open_in_its_hands),
		toe_test(test_an_open_in_its_hands_that_had_begun),
		toe_test(test_an_open_for_a_member_that_has_gone),
		toe_test(test_no_mail_to_wake_it),
		toe_test(test_sums_never_fall),
		toe_test(test_asked_as_it_goes),
		toe_test(test_posts_for_it_are_carried_out_by_others),
		toe_test(test_an_open_that_it_did_not_come_to),
		toe_test(test_what_ended_on_it_is_free_again),
		toe_test(test_what_ended_on_it_and_is_on_no_list),
		toe_test(test_waits_until_all_know),
		toe_test(test_to_one_that_is_down_if_there_is_no_other),
		toe_test(test_parked_ones_stay),
		toe_test(test_let_go_it_stays_as_it_is),
		toe_test(test_fencing_twice_and_nobody),
		toe_test(test_two_at_once),
		toe_test(test_a_slot_in_a_dead_members_inbox),
	};

	return toe_run(tests);
}
