/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/**
 * @file
 * A team of three members (fake_team.h) that listens on FAKE_PORT, a user that writes down what it is
 * told, and a look at handles and counters, for tests of lib/toe.
 */
#ifndef TEST_TOE_H
#define TEST_TOE_H

#include <errno.h>
#include <string.h>

#include <rte_errno.h>

#include "fake_team.h"
#include "test_eal.h"
#include "toe_int.h"

#define MS TP_NS_PER_MS
#define SEC TP_NS_PER_S
#define TOE_SETTLED 4 /* turns after which nothing is on its way */

/** What the user was told, since toe_setup(). */
struct told {
	unsigned int accepted, closed, moved, writable, eofs;
	uint32_t bytes;
	tp_toe_id id;              /**< of the newest that was accepted */
	uint8_t member, from;      /**< where it was told, of on_moved and the others */
	enum tp_tcp_reason reason; /**< of the newest end */
	uint32_t nb_ends;          /**< premature ones, told to control */
	struct tp_toe_end end;
};

static struct fake_team team;
static struct told told;
/* Before toe_open(): conf of the next team. */
static struct tp_toe_conf conf;

static inline void
toe_accepted(struct tp_toe_call *call)
{
	told.accepted++;
	told.id = call->id;
	told.member = tp_toe_member(call);
}

static inline void
toe_got(struct tp_toe_call *call, struct rte_mbuf *data)
{
	told.bytes += data->pkt_len;
	told.member = tp_toe_member(call);
	tp_toe_consumed(call, data->pkt_len);
	rte_pktmbuf_free(data);
}

static inline void
toe_moved(struct tp_toe_call *call, uint8_t from)
{
	told.moved++;
	told.from = from;
	told.member = tp_toe_member(call);
}

static inline void
toe_eof(struct tp_toe_call *call)
{
	(void)call;
	told.eofs++;
}

static inline void
toe_closed(struct tp_toe_call *call, enum tp_tcp_reason reason)
{
	assert_null(call->conn);
	told.closed++;
	told.reason = reason;
	told.member = tp_toe_member(call);
}

static const struct tp_toe_user toe_user = {
	.name = "test",
	.on_accept = toe_accepted,
	.on_data = toe_got,
	.on_moved = toe_moved,
	.on_eof = toe_eof,
	.on_close = toe_closed,
};

static inline void
toe_ended(void *arg, const struct tp_toe_end *end)
{
	(void)arg;
	told.nb_ends++;
	told.end = *end;
}

/** The team anew, by conf. */
static inline void
toe_open(void)
{
	fake_team_open(&team, test_pool(), &conf);
	tp_toe_on_end(team.toe, toe_ended, NULL);
	assert_int_equal(tp_toe_listen(team.toe, &(struct tp_toe_listen){ .user = &toe_user,
	                                                         .port = FAKE_PORT }),
	                0);
	memset(&told, 0, sizeof(told));
}

static inline void
toe_reopen(void)
{
	fake_team_close(&team);
	toe_open();
}

static inline int
toe_setup(void **state)
{
	int rc = test_mbufs_setup(state);

	fake_team_conf(&conf);
	conf.move = (struct tp_toe_move_conf){ .after = 3, .hysteresis_ms = 0, .idle_ns = 0 };
	toe_open();
	return rc;
}

static inline int
toe_teardown(void **state)
{
	fake_team_close(&team);
	return test_mbufs_teardown(state);
}

static inline int
toe_group_setup(void **state)
{
	int rc = test_eal_setup(state);

	return rc < 0 ? rc : tp_meta_init();
}

#define toe_test(f) cmocka_unit_test_setup_teardown(f, toe_setup, toe_teardown)
#define toe_run(tests) cmocka_run_group_tests(tests, toe_group_setup, test_eal_teardown)

/* ---- looking ------------------------------------------------------------------ */

static inline struct tp_toe_shard *
shard(uint8_t member)
{
	return team.member[member].shard;
}

static inline uint64_t
counted(uint8_t member, enum tp_toe_counter c)
{
	return shard(member)->ctr[c];
}

static inline struct handle *
handle_of(tp_toe_id id)
{
	return &team.toe->handle[(uint32_t)id];
}

static inline uint64_t
word_of_id(tp_toe_id id)
{
	return atomic_load(&handle_of(id)->word);
}

/** Is that slot of the shard nobody's? */
static inline bool
slot_is_free(const struct tp_toe_shard *s, uint32_t slot)
{
	uint32_t k = s->free_slot;

	while (k != NO_INDEX && k != slot)
		k = slot_next(s, k);
	return k == slot;
}

#define assert_word(id, state_, member_)                                                           \
	do {                                                                                       \
		assert_int_equal(WORD_STATE(word_of_id(id)), HANDLE_##state_);                     \
		assert_int_equal(WORD_MEMBER(word_of_id(id)), member_);                            \
	} while (0)

/** Its context, wherever it is. */
static inline struct tp_tcp_conn *
conn_of(tp_toe_id id)
{
	uint32_t where = handle_of(id)->where;

	assert_true(where != NO_INDEX && WHERE_SHARD(where) < FAKE_MEMBERS);
	return &shard(WHERE_SHARD(where))->conn[WHERE_SLOT(where)];
}

/* ---- doing --------------------------------------------------------------------- */

/** @return its id; the peer's port is 1024 + n */
static inline tp_toe_id
toe_conn(struct fake_peer *p, uint16_t n, uint8_t member)
{
	unsigned int before = told.accepted;

	*p = (struct fake_peer){ .port = 1024 + n, .seq = 1000 };
	fake_open_conn(&team, p, member);
	assert_int_equal(told.accepted, before + 1);
	assert_int_equal(told.member, member);
	fake_forget(&team);
	return told.id;
}

/** Its lcore runs no more. */
static inline void
toe_stop(uint8_t member)
{
	team.member[member].stopped = true;
	tp_toe_fence(team.toe, member);
}

/** Until nothing happens any more. */
static inline void
toe_settle(void)
{
	for (unsigned int i = 0; i < TOE_SETTLED; i++)
		fake_turns(&team, 1);
}

static inline void
toe_send_bytes(struct tp_toe_call *call, void *arg)
{
	uint32_t len = *(const uint32_t *)arg;
	struct rte_mbuf *m = tp_toe_alloc(call);

	assert_non_null(m);
	memset(rte_pktmbuf_append(m, len), 0x5a, len);
	assert_int_equal(tp_toe_send(call, m, true), 0);
}

static inline void
toe_call_abort(struct tp_toe_call *call, void *arg)
{
	(void)arg;
	tp_toe_abort(call);
}

static inline void
toe_call_close(struct tp_toe_call *call, void *arg)
{
	(void)arg;
	tp_toe_close(call);
}

/** Post it to its owner, which carries it out with its next turn. */
static inline void
toe_post(tp_toe_id id, void (*fn)(struct tp_toe_call *call, void *arg), void *arg)
{
	assert_int_equal(tp_toe_post(team.toe, id, fn, arg), 0);
}

#endif
