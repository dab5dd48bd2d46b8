/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* A new distribution comes into force: what waits on the rings of members that lose their
 * buckets is taken back to the front of the stash, then the map changes, then the stash is handed
 * out, and only then the host port is polled again. So nothing on our rings is lost and no flow
 * is reordered. Buckets of members that are well move one by one, each while it is idle.
 */

#include <string.h>

#include "host_int.h"

/* Lazy buckets looked at in one turn: enough to finish 1024 within a few ms of turns, too few to
 * be felt by the burst that follows.
 */
#define LAZY_LOOKS 8

static bool
dist_alive(const struct tp_dist *dist, uint8_t member)
{
	return member < TP_MAX_MEMBERS && (dist->alive_mask & RTE_BIT32(member)) != 0;
}

/* Does the way of choosing change, so that any flow may land elsewhere? */
static bool
dist_reshaped(const struct tp_dist *old, const struct tp_dist *next)
{
	if (old == NULL)
		return true;
	return old->mode != next->mode || old->nb_buckets != next->nb_buckets ||
	       old->flow != next->flow || (!next->lazy && old->active != next->active);
}

static uint32_t
dist_losers(const struct tp_dist *old, const struct tp_dist *next)
{
	if (old == NULL)
		return 0;
	if (dist_reshaped(old, next))
		return old->alive_mask;
	return old->alive_mask & ~next->alive_mask;
}

/* @return false while one of them is still at work on its ring */
static bool
host_revoke(struct tp_host *h, uint32_t losers)
{
	bool all = true;

	for (; losers != 0; losers &= losers - 1) {
		struct tp_member *m = h->member[rte_bsf32(losers)];

		if (m != NULL && (atomic_fetch_or_explicit(&m->tx_guard, TP_TXG_REVOKED,
		                                  memory_order_acq_rel) &
		                                 TP_TXG_BUSY))
			all = false;
	}
	return all;
}

static void
host_give_back(struct tp_host *h, uint32_t losers)
{
	for (; losers != 0; losers &= losers - 1) {
		struct tp_member *m = h->member[rte_bsf32(losers)];

		if (m != NULL)
			atomic_fetch_and_explicit(
			                &m->tx_guard, ~TP_TXG_REVOKED, memory_order_release);
	}
}

/* All that waits for one member, to the front of the stash: its hold first, it is older. */
static uint32_t
host_take_back(struct tp_host *h, struct tp_member *m)
{
	struct rte_ring *ring = host_ring(h, m->id);
	struct host_stash *s = &h->stash;
	struct rte_mbuf *pkts[TP_EGRESS_HOLD];
	uint32_t nb_ring = rte_ring_count(ring);
	uint32_t nb_hold = tp_egress_take_back(&m->egress, pkts);
	uint32_t head = s->head - nb_ring - nb_hold, pos = head;

	for (uint32_t i = 0; i < nb_hold; i++)
		s->slot[pos++ & s->mask] = pkts[i];
	for (uint32_t left = nb_ring; left > 0;) {
		uint32_t n = rte_ring_sc_dequeue_burst(
		                ring, (void **)pkts, RTE_MIN(left, RTE_DIM(pkts)), NULL);

		for (uint32_t i = 0; i < n; i++)
			s->slot[pos++ & s->mask] = pkts[i];
		left -= n;
	}
	stash_set_head(s, head);
	return nb_ring + nb_hold;
}

/* In broadcast every other member has its own reference: handing out again would double it. */
static void
host_forget(struct tp_host *h, struct tp_member *me, uint32_t nb)
{
	struct host_stash *s = &h->stash;

	for (; nb > 0; nb--) {
		struct rte_mbuf *m = s->slot[s->head & s->mask];

		stash_set_head(s, s->head + 1);
		tp_drop_burst(&me->ctr, TP_DROP_TX_PORT_STOPPED, &m, 1);
	}
}

static void
host_adopt_map(struct tp_host *h, const struct tp_dist *next, uint64_t now)
{
	bool reshaped = dist_reshaped(h->dist, next);

	h->nb_lazy = 0;
	for (uint32_t b = 0; b < next->nb_buckets; b++) {
		if (h->map[b] == next->map[b])
			continue;
		if (reshaped || !dist_alive(next, h->map[b])) {
			h->map[b] = next->map[b];
			continue;
		}
		h->lazy[h->nb_lazy++] = (struct host_lazy){ .bucket = b };
		h->seen_ns[b] = now;
	}
	h->lazy_next = 0;
}

/* Has the old member given its port all that was on its ring up to the mark? */
static bool
lazy_passed(struct tp_host *h, const struct host_lazy *lz, uint8_t old)
{
	struct tp_member *m = h->member[old];
	uint32_t bit = RTE_BIT32(old);
	bool passed;

	if (m == NULL)
		return true;
	passed = host_revoke(h, bit) && (int32_t)(host_ring(h, old)->cons.tail - lz->mark) >= 0 &&
	         m->egress.nb_hold == 0;
	host_give_back(h, bit);
	return passed;
}

/* The skew counts from when the ring had run past the last frame: behind a port that is slow just
 * now a frame may wait on the ring for longer than the skew, and then still be in the port's
 * descriptors when the next one leaves by the new member (tests/model, MUT_SKEW_FROM_READ).
 */
static bool
lazy_try(struct tp_host *h, struct host_lazy *lz, uint64_t now)
{
	uint64_t seen = h->seen_ns[lz->bucket];
	uint8_t old = h->map[lz->bucket];

	if (!lz->armed || lz->seen_ns != seen) {
		lz->armed = now > seen; /* else this turn may still add a frame at the same time */
		lz->seen_ns = seen;
		lz->mark = host_ring(h, old)->prod.tail;
		lz->passed_ns = TP_NEVER;
	}
	if (!lz->armed)
		return false;
	if (lz->passed_ns == TP_NEVER && lazy_passed(h, lz, old))
		lz->passed_ns = now;
	if (lz->passed_ns == TP_NEVER || now < lz->passed_ns + h->dist->skew_ns)
		return false;
	h->map[lz->bucket] = h->dist->map[lz->bucket];
	return true;
}

static void
host_move_idle(struct tp_host *h, uint64_t now)
{
	for (uint32_t looks = RTE_MIN(h->nb_lazy, (uint32_t)LAZY_LOOKS); looks > 0; looks--) {
		if (h->nb_lazy == 0)
			return;
		if (h->lazy_next >= h->nb_lazy)
			h->lazy_next = 0;
		if (lazy_try(h, &h->lazy[h->lazy_next], now))
			h->lazy[h->lazy_next] = h->lazy[--h->nb_lazy];
		else
			h->lazy_next++;
	}
}

void
host_apply(struct tp_host *h, struct tp_member *me, uint64_t now)
{
	struct tp_dist *next = atomic_load_explicit(&h->published, memory_order_acquire);
	uint32_t losers, mask;

	if (likely(next == h->dist)) {
		if (unlikely(h->nb_lazy > 0))
			host_move_idle(h, now);
		return;
	}
	losers = dist_losers(h->dist, next);
	if (!host_revoke(h, losers))
		return; /* newer frames go on behind the older ones until it has left */
	for (mask = losers; mask != 0; mask &= mask - 1) {
		struct tp_member *m = h->member[rte_bsf32(mask)];
		uint32_t nb = m == NULL ? 0 : host_take_back(h, m);

		if (nb > 0 && h->dist->mode == TP_MODE_BROADCAST)
			host_forget(h, me, nb);
	}
	host_adopt_map(h, next, now);
	h->dist = next;
	h->nb_members = next->alive_mask == 0 ? 0 : 32 - __builtin_clz(next->alive_mask);
	host_give_back(h, losers);
	atomic_store_explicit(&h->applied, next->version, memory_order_release);
}
