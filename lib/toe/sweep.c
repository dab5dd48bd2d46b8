/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* What a member does to all its connections: in slices, so that no turn gets long. */

#include "toe_int.h"

/* Slots looked at, and connections worked on, in one turn. */
#define LOOK_SLICE 128
#define WORK_SLICE 32
/* Slots between one that is visited and one whose context, then whose handle is brought in. */
#define FAR 12
#define NEAR 6

/* @return whether it was work */
static bool
visit(struct tp_toe_shard *s, struct tp_tcp_conn *c, uint32_t todo)
{
	uint32_t index = c->owner_word;
	bool work = false;

	working_on(s, index);
	check_owner(s, index);
	if ((todo & SWEEP_PROBE) && c->tx_head != NULL) {
		tp_tcp_path_changed(&s->env, c, s->now);
		s->ctr[TP_TOE_C_MOVE_PROBED]++;
		conn_dirty(s, c);
		work = true;
	}
	if (todo & SWEEP_REARM) {
		conn_dirty(s, c);
		work = true;
	}
	if (todo & (SWEEP_REHOME | SWEEP_SHED)) {
		uint8_t to = todo & SWEEP_REHOME ? home_for(s->toe, index, s->member) : s->shed_to;

		conn_release(s, index, 0, to, s->sweep_why);
		work = true;
	}
	return work;
}

/* Which of the sweeps under way is carried out now: first what is in flight, then all else. */
static uint32_t
next_sweep(const struct tp_toe_shard *s)
{
	return s->sweep & -(uint32_t)s->sweep;
}

static void
obey(struct tp_toe_shard *s)
{
	uint32_t orders = atomic_exchange_explicit(&s->orders, 0, memory_order_acquire);
	uint32_t before = next_sweep(s);

	/* They may be told to go and to stay in one turn: what holds now counts. */
	if (atomic_load(&s->toe->usable) & RTE_BIT32(s->member))
		orders &= ~SWEEP_REHOME;
	if (orders & SWEEP_STOP)
		s->sweep &= ~(SWEEP_REHOME | SWEEP_SHED);
	s->sweep |= orders & ~SWEEP_STOP;
	/* That all are to go is said again and again: where it was, it goes on. */
	if (next_sweep(s) != before || before != SWEEP_REHOME)
		s->sweep_at = 0;
	s->sweep_why = atomic_load_explicit(&s->order_why, memory_order_relaxed);
	if (orders & SWEEP_SHED) {
		s->shed_to = atomic_load_explicit(&s->order_shed_to, memory_order_relaxed);
		s->shed_left = atomic_load_explicit(&s->order_shed, memory_order_relaxed);
	}
}

/* One that is on its way elsewhere, or is no more, is none of ours. */
static bool
is_ours(const struct tp_toe_shard *s, uint32_t slot)
{
	return s->conn[slot].state != TP_TCP_CLOSED && !slot_away(s, slot);
}

/* Bring in what a visit touches, of slots that come soon. */
static void
look_ahead(const struct tp_toe_shard *s, uint32_t slot, uint32_t todo)
{
	uint32_t index;

	if (slot + FAR < s->nb_fresh) {
		const struct tp_tcp_conn *c = &s->conn[slot + FAR];

		rte_prefetch0(&c->state);
		rte_prefetch0(&c->tx_head);
		rte_prefetch0(&c->owner_word);
		if (todo != SWEEP_PROBE)
			rte_prefetch0(&c->rcv_tail);
	}
	/* Few have data in flight. */
	if (todo == SWEEP_PROBE)
		return;
	if (slot + NEAR >= s->nb_fresh || !is_ours(s, slot + NEAR))
		return;
	index = s->conn[slot + NEAR].owner_word;
	__builtin_prefetch(&s->toe->handle[index], 1);
	tp_wheel_prefetch(s->wheel, slot + NEAR);
}

unsigned int
sweep_run(struct tp_toe_shard *s)
{
	unsigned int looked = 0, work = 0;
	uint32_t todo;

	if (unlikely(atomic_load_explicit(&s->orders, memory_order_relaxed) != 0))
		obey(s);
	if (likely(s->sweep == 0))
		return 0;
	todo = next_sweep(s);
	for (; s->sweep_at < s->nb_fresh && looked < LOOK_SLICE && work < WORK_SLICE;
	                s->sweep_at++, looked++) {
		look_ahead(s, s->sweep_at, todo);
		if (!is_ours(s, s->sweep_at) || !visit(s, &s->conn[s->sweep_at], todo))
			continue;
		work++;
		if (todo == SWEEP_SHED && --s->shed_left == 0)
			break;
	}
	if (s->sweep_at == s->nb_fresh || (todo == SWEEP_SHED && s->shed_left == 0)) {
		s->sweep &= ~todo;
		s->sweep_at = 0;
	}
	return 1;
}
