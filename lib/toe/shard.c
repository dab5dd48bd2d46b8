/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* A member's connections: slots in one array, in its lcore's hands only. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_malloc.h>

#include "toe_int.h"

/* Slots looked at for a TIME_WAIT to end when all are in use. */
#define EVICT_SLOTS 64

uint32_t
slot_alloc(struct tp_toe_shard *s)
{
	uint32_t slot = s->free_slot;

	if (slot == NO_INDEX)
		return s->nb_fresh < s->max ? s->nb_fresh++ : NO_INDEX;
	s->free_slot = slot_next(s, slot);
	atomic_store_explicit(&s->link[slot], LINK_NONE, memory_order_relaxed);
	return slot;
}

void
slot_free(struct tp_toe_shard *s, uint32_t slot)
{
	atomic_store_explicit(&s->link[slot],
	                s->free_slot != NO_INDEX ? LINK(s->free_slot) : LINK_END,
	                memory_order_relaxed);
	s->free_slot = slot;
}

/* End the first TIME_WAIT that is found, so that a new connection has room (as its port would be
 * reused, RFC 6191). */
static void
evict_one(struct tp_toe_shard *s)
{
	for (unsigned int n = 0; n < EVICT_SLOTS && s->nb_fresh > 0; n++) {
		struct tp_tcp_conn *c = &s->conn[s->evict_at++ % s->nb_fresh];

		if (c->state != TP_TCP_TIME_WAIT || slot_away(s, conn_slot(s, c)))
			continue;
		c->reason = TP_TCP_R_DONE;
		conn_free(s, c);
		return;
	}
}

struct tp_tcp_conn *
conn_place(struct tp_toe_shard *s, uint32_t index, const struct tp_tcp_key *key, uint8_t user,
                void *arg, uint32_t *other)
{
	struct tp_toe *toe = s->toe;
	struct handle *h = &toe->handle[index];
	struct tp_tcp_conn *c;
	uint32_t slot;

	*other = NO_INDEX;
	if (conns_of(s) >= toe->conf.max_conns)
		evict_one(s);
	slot = conns_of(s) < toe->conf.max_conns ? slot_alloc(s) : NO_INDEX;
	if (slot == NO_INDEX)
		return NULL;
	h->key = *key;
	h->user = user;
	c = &s->conn[slot];
	tp_tcp_conn_init(&s->env, c, key, s->now);
	c->owner_word = index;
	working_on(s, index);
	check_owner(s, index);
	h->where = WHERE(s->member, slot);
	*conn_arg(c) = arg;
	c->owner_data[1] = 0;
	*other = table_insert(&toe->table, toe->handle, table_hash(&toe->table, key), index);
	if (*other == index) {
		conns_count(s, 1);
		s->ctr[TP_TOE_C_CONNS_OPENED]++;
		return c;
	}
	tp_tcp_fini(&s->env, c);
	h->where = NO_INDEX;
	slot_free(s, slot);
	return NULL;
}

struct tp_tcp_conn *
conn_new(struct tp_toe_shard *s, const struct tp_tcp_key *key, uint8_t user, void *arg)
{
	uint32_t index = handle_alloc(s->toe, s->member), other = NO_INDEX;
	struct tp_tcp_conn *c = NULL;

	if (index == NO_INDEX && limbo_reclaim(s->toe, &s->limbo) > 0)
		index = handle_alloc(s->toe, s->member);
	if (index != NO_INDEX)
		c = conn_place(s, index, key, user, arg, &other);
	if (c != NULL)
		return c;
	if (index != NO_INDEX)
		handle_retire(s, index);
	s->ctr[other == NO_INDEX ? TP_TOE_C_RX_NO_CONN : TP_TOE_C_RX_RACE]++;
	return NULL;
}

/* Claim B6. */
static void
report_end(struct tp_toe_shard *s, uint32_t index, tp_toe_id id, enum tp_tcp_reason reason)
{
	struct mail *mail;

	s->ctr[TP_TOE_C_CONNS_PREMATURE]++;
	s->ended_by[reason]++;
	mail = mail_new(s->toe, MAIL_END, index);
	if (mail == NULL)
		return; /* so many at once: they are counted */
	mail->id = id;
	mail->member = s->member;
	mail->reason = reason;
	mail->key = s->toe->handle[index].key;
	mail_put(&s->toe->to_control, mail);
}

/* The user is told last, when nothing names the connection any more. */
void
conn_free(struct tp_toe_shard *s, struct tp_tcp_conn *c)
{
	struct tp_toe *toe = s->toe;
	struct handle *h = conn_handle(s, c);
	const struct tp_toe_user *user = user_get(toe, h->user);
	struct tp_toe_call call = {
		.shard = s,
		.id = handle_id(toe, c->owner_word),
		.arg = *conn_arg(c),
		.now = s->now,
	};
	enum tp_tcp_reason reason = c->reason;
	uint32_t index = c->owner_word, slot = conn_slot(s, c);

	if (h->listener != NO_LISTENER)
		s->pending[h->listener]--;
	s->ctr[TP_TOE_C_CONNS_CLOSED]++;
	if (reason == TP_TCP_R_DONE) {
		handle_quarantine(s, index);
	} else {
		report_end(s, index, call.id, reason);
		table_remove(&toe->table, table_hash(&toe->table, &h->key), index);
		handle_retire(s, index);
	}
	/* Not before the word: should the lcore freeze, others look into the slot. */
	tp_wheel_cancel(s->wheel, slot);
	tp_tcp_fini(&s->env, c);
	slot_free(s, slot);
	conns_count(s, -1);
	if (user->on_close != NULL)
		user->on_close(&call, reason);
}

void
conn_dirty(struct tp_toe_shard *s, struct tp_tcp_conn *c)
{
	uint32_t slot = conn_slot(s, c);

	if (s->dirty_next[slot] != NO_INDEX)
		return;
	s->dirty_next[slot] = DIRTY_END;
	if (s->dirty_first == DIRTY_END)
		s->dirty_first = slot;
	else
		s->dirty_next[s->dirty_last] = slot;
	s->dirty_last = slot;
}

static int
shard_memory(struct tp_toe_shard *s)
{
	struct tp_inet_worker_conf conf;

	tp_inet_worker_conf_default(&conf);
	conf.inet = s->toe->inet;
	conf.mac = s->mac;
	conf.pool = s->env.pool;
	conf.member = s->member;
	conf.socket_id = s->socket_id;
	s->link = memory_map((size_t)s->max * sizeof(s->link[0]), s->socket_id);
	s->pull = memory_map(NB_PULLS * sizeof(s->pull[0]), s->socket_id);
	s->conn = memory_map((size_t)s->max * sizeof(s->conn[0]), s->socket_id);
	s->dirty_next = memory_map((size_t)s->max * sizeof(s->dirty_next[0]), s->socket_id);
	s->wheel_mem = memory_map(tp_wheel_size(s->max), s->socket_id);
	s->inet = tp_inet_worker_create(&conf);
	if (s->link == NULL || s->pull == NULL || s->conn == NULL || s->dirty_next == NULL ||
	                s->wheel_mem == NULL || s->inet == NULL)
		return -ENOMEM;
	s->wheel = tp_wheel_init(s->wheel_mem, s->max, tp_clock_now());
	memset(s->dirty_next, 0xff, (size_t)s->max * sizeof(s->dirty_next[0]));
	return 0;
}

static void
shard_release(struct tp_toe_shard *s)
{
	if (s->pull != NULL)
		pulls_free(s);
	tp_mem_unmap(s->pull, NB_PULLS * sizeof(s->pull[0]));
	tp_mem_unmap((void *)(uintptr_t)s->link, (size_t)s->max * sizeof(s->link[0]));
	tp_inet_worker_free(s->inet);
	tp_mem_unmap(s->wheel_mem, tp_wheel_size(s->max));
	tp_mem_unmap(s->dirty_next, (size_t)s->max * sizeof(s->dirty_next[0]));
	tp_mem_unmap(s->conn, (size_t)s->max * sizeof(s->conn[0]));
	rte_free(s);
}

struct tp_toe_shard *
tp_toe_shard_create(struct tp_toe *toe, uint8_t member, int socket_id, struct rte_mempool *pool,
                struct rte_mempool *pool_indirect, const struct rte_ether_addr *mac,
                const struct tp_toe_ops *ops, void *arg)
{
	struct tp_toe_shard *s;

	if (member >= TP_MAX_MEMBERS || toe->shard[member] != NULL) {
		rte_errno = EINVAL;
		return NULL;
	}
	s = rte_zmalloc_socket("toe_shard", sizeof(*s), RTE_CACHE_LINE_SIZE, socket_id);
	if (s == NULL) {
		rte_errno = ENOMEM;
		return NULL;
	}
	s->toe = toe;
	s->member = member;
	s->socket_id = socket_id;
	s->ops = ops;
	s->arg = arg;
	s->mac = mac;
	s->reader = member;
	s->max = toe->nb_handles + SLOTS_AWAY;
	s->free_slot = NO_INDEX;
	atomic_init(&s->cur, NO_INDEX);
	atomic_init(&s->inbox, LINK_END);
	atomic_init(&s->adopting, LINK_END);
	atomic_init(&s->returned, LINK_END);
	s->given = LINK_END;
	s->dirty_first = DIRTY_END;
	s->env = (struct tp_tcp_env){
		.conf = &toe->conf.tcp,
		.secret = &toe->secret,
		.pool = pool,
		.pool_indirect = pool_indirect,
		.recs = toe->recs,
		.held_max = toe->conf.held_max,
	};
	if (shard_memory(s) < 0) {
		shard_release(s);
		rte_errno = ENOMEM;
		return NULL;
	}
	manager_forget(toe, member);
	manager_absent(toe, member, false);
	atomic_store(&toe->shard[member], s);
	atomic_fetch_or(&toe->alive, RTE_BIT32(member));
	atomic_fetch_or(&toe->usable, RTE_BIT32(member));
	return s;
}

/* What nobody else has taken of it. @return is it ours now? */
static bool
keep(struct tp_toe_shard *s, uint32_t slot)
{
	struct handle *h = conn_handle(s, &s->conn[slot]);
	uint64_t word = atomic_load(&h->word);

	if (h->where != WHERE(s->member, slot))
		return false;
	while (WORD_STATE(word) == HANDLE_OWN || WORD_STATE(word) == HANDLE_PARK ||
	                WORD_STATE(word) == HANDLE_XFER) {
		if (WORD_STATE(word) == HANDLE_OWN && WORD_MEMBER(word) == s->member)
			return true;
		if (atomic_compare_exchange_strong(&h->word, &word,
		                    word_make(WORD_GENERATION(word), WORD_EPOCH(word) + 1,
		                                    HANDLE_OWN, s->member)))
			return true;
	}
	return false;
}

uint32_t
tp_toe_shard_free(struct tp_toe_shard *s)
{
	struct tp_toe *toe = s->toe;
	uint32_t ended = 0;

	atomic_fetch_and(&toe->usable, ~RTE_BIT32(s->member));
	atomic_fetch_and(&toe->alive, ~RTE_BIT32(s->member));
	/* Whoever takes something out of it, or reaches it by a word, is done. */
	rte_rcu_qsbr_synchronize(toe->qsbr, RTE_QSBR_THRID_INVALID);
	s->thread = 0; /* its lcore has let go: the rest is ours */
	s->reader = RTE_QSBR_THRID_INVALID;
	posts_run(s);
	for (uint32_t slot = 0; slot < s->nb_fresh; slot++) {
		struct tp_tcp_conn *c = &s->conn[slot];
		uint32_t index = c->owner_word;

		/* One that has closed, but whose user does not know yet, has its reason. */
		if ((c->state == TP_TCP_CLOSED && c->events == 0) || !keep(s, slot))
			continue;
		if (c->state != TP_TCP_CLOSED)
			c->reason = TP_TCP_R_ABORT;
		conn_free(s, c);
		ended++;
		if (atomic_load(&toe->handle[index].posts) != NULL)
			posts_wake(toe, index);
	}
	manager_forget(toe, s->member);
	manager_absent(toe, s->member, true);
	shard_hide(s);
	s->now = TP_NEVER;
	quarantine_step(s);
	rte_rcu_qsbr_synchronize(toe->qsbr, RTE_QSBR_THRID_INVALID);
	limbo_reclaim(toe, &s->limbo);
	bells_pass_on(toe, s->member);
	bells_pass_on(toe, BELLS_CONTROL);
	rte_pktmbuf_free_bulk(s->tx, s->nb_tx);
	shard_release(s);
	return ended;
}
