/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* A turn of the lcore: what is due, what was posted, then every connection that something happened
 * to: its user is told, what may be sent is sent, its timer armed.
 */

#include "toe_int.h"

/* Deadlines taken in a turn. */
#define TIMER_BURST 32
/* Segments of one connection before it is another's turn. */
#define SEGS_BURST 32
/* Connections looked at in a turn. */
#define DIRTY_BURST 256
/* Reassembly is looked at so often. */
#define FRAG_PERIOD_NS TP_NS_PER_MS

/* ---- out ------------------------------------------------------------------ */

void
transmit_flush(struct tp_toe_shard *s)
{
	if (s->nb_tx > 0)
		s->ops->transmit(s->arg, s->tx, s->nb_tx);
	s->nb_tx = 0;
}

void
transmit_frame(struct tp_toe_shard *s, struct rte_mbuf *m)
{
	if (s->nb_tx == TX_BURST)
		transmit_flush(s);
	s->tx[s->nb_tx++] = m;
}

static void
push(struct tp_toe_shard *s, struct tp_inet_dst *dst, const struct tp_tcp_key *key,
                struct rte_mbuf *m)
{
	uint8_t ecn = tp_tcp_ecn_codepoint(m);

	switch (tp_inet_push(s->inet, dst, key->laddr, key->raddr, ecn, m)) {
	case TP_INET_SEND:
		transmit_frame(s, m);
		return;
	case TP_INET_ASK:
		s->ctr[TP_TOE_C_TX_UNRESOLVED]++;
		s->ops->control(s->arg, &m, 1);
		return;
	case TP_INET_UNREACH:
		s->ctr[TP_TOE_C_TX_NO_ROUTE]++;
		break;
	case TP_INET_NO_ROOM:
		s->ctr[TP_TOE_C_TX_NO_HEADROOM]++;
		break;
	}
	rte_pktmbuf_free(m);
}

void
transmit_reply(struct tp_toe_shard *s, const struct tp_tcp_key *key, struct rte_mbuf *segment)
{
	struct tp_inet_dst dst = { 0 };

	push(s, &dst, key, segment);
}

/* @return false: there is more, but no room for it now */
static bool
transmit_conn(struct tp_toe_shard *s, struct tp_tcp_conn *c)
{
	const struct tp_tcp_key *key = &conn_handle(s, c)->key;
	struct rte_mbuf *segs[SEGS_BURST];
	uint16_t room, n;

	room = s->ops->room(s->arg);
	room = room > s->nb_tx ? RTE_MIN(room - s->nb_tx, SEGS_BURST) : 0;
	if (room == 0)
		return false;
	n = tp_tcp_output(&s->env, c, s->now, segs, room);
	for (uint16_t i = 0; i < n; i++)
		push(s, conn_dst(c), key, segs[i]);
	return n < room;
}

/* ---- the user -------------------------------------------------------------- */

static void
tell_eof(const struct tp_toe_user *user, struct tp_toe_call *call)
{
	if (user->on_eof != NULL)
		user->on_eof(call);
	else
		tp_toe_close(call);
}

static void
tell_data(const struct tp_toe_user *user, struct tp_toe_call *call)
{
	struct rte_mbuf *data = tp_tcp_recv(call->conn);
	uint32_t len;

	if (data == NULL)
		return;
	len = data->pkt_len;
	if (user->on_data != NULL) {
		user->on_data(call, data);
		return;
	}
	rte_pktmbuf_free(data);
	tp_toe_consumed(call, len);
}

/* @return false: it is gone */
static bool
tell(struct tp_toe_shard *s, struct tp_tcp_conn *c)
{
	uint8_t events = tp_tcp_events(c);
	const struct tp_toe_user *user;
	struct tp_toe_call call;

	if (events == 0)
		return true;
	user = user_get(s->toe, conn_handle(s, c)->user);
	call = (struct tp_toe_call){
		.shard = s,
		.id = handle_id(s->toe, c->owner_word),
		.arg = *conn_arg(c),
		.now = s->now,
		.conn = c,
	};
	if (events & TP_TCP_EV_ESTABLISHED) {
		open_settled(s, c);
		if (user->on_accept != NULL)
			user->on_accept(&call);
	}
	if (events & TP_TCP_EV_DATA)
		tell_data(user, &call);
	if ((events & TP_TCP_EV_WRITABLE) && user->on_writable != NULL)
		user->on_writable(&call);
	if (events & TP_TCP_EV_EOF)
		tell_eof(user, &call);
	*conn_arg(c) = call.arg;
	return (events & TP_TCP_EV_CLOSED) == 0;
}

/* ---- the turn --------------------------------------------------------------- */

static uint32_t
dirty_take(struct tp_toe_shard *s)
{
	uint32_t slot = s->dirty_first;

	if (slot == DIRTY_END)
		return DIRTY_END;
	s->dirty_first = s->dirty_next[slot];
	s->dirty_next[slot] = NO_INDEX;
	return slot;
}

/* Both sides have closed: for its user it is over, whose id names nothing any more; the rest is
 * between TIME_WAIT and the network.
 */
static void
leave(struct tp_toe_shard *s, struct tp_tcp_conn *c)
{
	struct handle *h = conn_handle(s, c);
	const struct tp_toe_user *user = user_get(s->toe, h->user);
	struct tp_toe_call call = {
		.shard = s,
		.id = handle_id(s->toe, c->owner_word),
		.arg = *conn_arg(c),
		.now = s->now,
	};

	h->user = s->toe->nobody;
	word_leave(h, 1, HANDLE_OWN, s->member);
	if (user->on_close != NULL)
		user->on_close(&call, TP_TCP_R_DONE);
}

/* What happened to it is told, and what follows from that is sent. */
static void
settle(struct tp_toe_shard *s, uint32_t slot)
{
	struct tp_tcp_conn *c = &s->conn[slot];
	bool all;

	if ((c->state == TP_TCP_CLOSED && c->events == 0) || unlikely(slot_away(s, slot)))
		return; /* freed or released while it was in the list */
	working_on(s, c->owner_word);
	check_owner(s, c->owner_word);
	/* Functions that were posted while it was on its way. */
	if (unlikely(atomic_load_explicit(&conn_handle(s, c)->posts, memory_order_acquire) !=
	                    NULL)) {
		posts_of(s, c->owner_word);
		if (slot_away(s, slot))
			return;
	}
	if (!tell(s, c) || c->state == TP_TCP_CLOSED) {
		transmit_conn(s, c); /* its RST */
		tell(s, c);
		conn_free(s, c);
		return;
	}
	all = transmit_conn(s, c);
	tp_wheel_arm(s->wheel, slot, next_look(s, c));
	if (c->state == TP_TCP_TIME_WAIT && conn_handle(s, c)->user != s->toe->nobody)
		leave(s, c);
	if (!all || c->events != 0)
		conn_dirty(s, c);
}

static unsigned int
settle_all(struct tp_toe_shard *s)
{
	unsigned int n = 0;
	uint32_t slot;

	while (n < DIRTY_BURST && s->ops->room(s->arg) > s->nb_tx) {
		slot = dirty_take(s);
		if (slot == DIRTY_END)
			break;
		settle(s, slot);
		n++;
	}
	return n;
}

static unsigned int
timers_run(struct tp_toe_shard *s)
{
	uint32_t slots[TIMER_BURST];
	uint32_t n;

	if (tp_wheel_next(s->wheel) > s->now)
		return 0;
	n = tp_wheel_expire(s->wheel, s->now, slots, TIMER_BURST);
	for (uint32_t i = 0; i < n; i++)
		rte_prefetch0(&s->conn[slots[i]]);
	for (uint32_t i = 0; i < n; i++) {
		struct tp_tcp_conn *c = &s->conn[slots[i]];

		working_on(s, c->owner_word);
		check_owner(s, c->owner_word);
		/* Keepalive comes first: it may have been woken for that. */
		if (tp_tcp_next(c) > s->now && park_due(s, c) <= s->now && park_conn(s, c))
			continue;
		tp_tcp_timer(&s->env, c, s->now);
		conn_dirty(s, c);
	}
	return n;
}

unsigned int
tp_toe_step(struct tp_toe_shard *s, uint64_t now)
{
	unsigned int n;

	s->now = now;
	n = timers_run(s) + inbox_run(s) + mail_run(s) + posts_run(s) + snapshot_step(s);
	n += sweep_run(s);
	n += settle_all(s);
	transmit_flush(s);
	pulls_run(s);
	returned_run(s);
	quarantine_step(s);
	limbo_reclaim(s->toe, &s->limbo);
	working_on(s, NO_INDEX);
	if (unlikely(now >= s->frag_due)) {
		tp_inet_frag_expire(s->inet, now);
		s->frag_due = now + FRAG_PERIOD_NS;
	}
	return n;
}
