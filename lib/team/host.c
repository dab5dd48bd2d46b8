/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* The host port: its guard, and one turn of whoever holds it. */

#include <errno.h>

#include <rte_errno.h>
#include <rte_malloc.h>

#include "host_int.h"

static void *
host_array(size_t nb, size_t size, int socket_id)
{
	return rte_zmalloc_socket("tp_host", nb * size, RTE_CACHE_LINE_SIZE, socket_id);
}

struct tp_host *
tp_host_create(struct tp_fabric *fabric, uint32_t ring_size, uint16_t burst, int socket_id)
{
	/* All that can ever be taken back: every ring and every hold, full. */
	uint32_t nb_stash = rte_align32pow2(TP_MAX_MEMBERS * (ring_size + TP_EGRESS_HOLD));
	struct tp_host *h = host_array(1, sizeof(*h), socket_id);

	if (h == NULL || burst == 0 || burst > TP_BURST_MAX) {
		rte_free(h);
		rte_errno = h == NULL ? ENOMEM : EINVAL;
		return NULL;
	}
	h->fabric = fabric;
	h->burst = burst;
	h->port_id = RTE_MAX_ETHPORTS;
	h->stash.mask = nb_stash - 1;
	h->stash.slot = host_array(nb_stash, sizeof(*h->stash.slot), socket_id);
	h->lazy = host_array(TP_MAX_BUCKETS, sizeof(*h->lazy), socket_id);
	h->seen_ns = host_array(TP_MAX_BUCKETS, sizeof(*h->seen_ns), socket_id);
	h->bytes = host_array(TP_MAX_BUCKETS, sizeof(*h->bytes), socket_id);
	h->dist_buf[0] = host_array(1, sizeof(struct tp_dist), socket_id);
	h->dist_buf[1] = host_array(1, sizeof(struct tp_dist), socket_id);
	if (h->stash.slot == NULL || h->lazy == NULL || h->seen_ns == NULL || h->bytes == NULL ||
	                h->dist_buf[0] == NULL || h->dist_buf[1] == NULL) {
		tp_host_free(h);
		rte_errno = ENOMEM;
		return NULL;
	}
	memset(h->map, TP_MEMBER_NONE, sizeof(h->map));
	return h;
}

static void
host_purge_egress(struct tp_host *h)
{
	struct rte_mbuf *pkts[TP_EGRESS_HOLD];

	rte_pktmbuf_free_bulk(pkts, tp_egress_take_back(&h->egress, pkts));
}

void
tp_host_free(struct tp_host *h)
{
	if (h == NULL)
		return;
	while (stash_count(&h->stash) > 0)
		rte_pktmbuf_free(h->stash.slot[h->stash.head++ & h->stash.mask]);
	host_purge_egress(h);
	rte_free(h->stash.slot);
	rte_free(h->lazy);
	rte_free(h->seen_ns);
	rte_free(h->bytes);
	rte_free(h->dist_buf[0]);
	rte_free(h->dist_buf[1]);
	rte_free(h);
}

void
tp_host_purge(struct tp_host *h, struct tp_counters *ctr)
{
	struct rte_mbuf *pkts[TP_EGRESS_HOLD];

	tp_drop_burst(ctr, TP_DROP_HOST_TX_FULL, pkts, tp_egress_take_back(&h->egress, pkts));
}

void
tp_host_set_member(struct tp_host *h, uint8_t id, struct tp_member *member)
{
	uint32_t bit = RTE_BIT32(id);

	atomic_store_explicit(&h->member[id], member, memory_order_release);
	if (member != NULL)
		atomic_fetch_or_explicit(&h->member_mask, bit, memory_order_release);
	else
		atomic_fetch_and_explicit(&h->member_mask, ~bit, memory_order_release);
	host_forget_asked(h, id);
}

int
tp_host_set_port(struct tp_host *h, uint16_t port_id, uint64_t tx_offloads,
                struct rte_mempool *pool, struct rte_mempool *pool_indirect)
{
	int rc;

	host_purge_egress(h);
	atomic_store_explicit(&h->port_id, RTE_MAX_ETHPORTS, memory_order_relaxed);
	if (port_id == RTE_MAX_ETHPORTS)
		return 0;
	rc = tp_egress_init(&h->egress, port_id, 0, tx_offloads, pool, pool_indirect, NULL);
	if (rc != 0)
		return rc;
	h->egress.c_packets = TP_C_HOST_TX;
	h->egress.c_bytes = TP_C_HOST_TX_BYTES;
	h->egress.drop_full = TP_DROP_HOST_TX_FULL;
	atomic_store_explicit(&h->port_id, port_id, memory_order_release);
	return 0;
}

void
tp_host_set_mtu(struct tp_host *h, uint16_t mtu)
{
	h->egress.mtu = mtu;
}

/* ---- the guard ----------------------------------------------------------- */

uint32_t
tp_host_raise(struct tp_host *h)
{
	uint64_t old = atomic_fetch_add_explicit(&h->guard, TP_GUARD_EPOCH_1, memory_order_acq_rel);

	/* One bit shorter than the guard's: the role word keeps one for "primary". */
	return TP_ROLE_EPOCH(old + TP_GUARD_EPOCH_1);
}

bool
tp_host_idle(const struct tp_host *h)
{
	return (atomic_load_explicit(&h->guard, memory_order_acquire) & TP_GUARD_BUSY) == 0;
}

void
tp_host_let_go(struct tp_host *h)
{
	uint32_t mask = atomic_load_explicit(&h->member_mask, memory_order_acquire);

	for (; mask != 0; mask &= mask - 1) {
		struct tp_member *m = h->member[rte_bsf32(mask)];

		if (unlikely(atomic_load_explicit(&m->tx_guard, memory_order_relaxed) &
		                    TP_TXG_REVOKED))
			atomic_fetch_and_explicit(
			                &m->tx_guard, ~TP_TXG_REVOKED, memory_order_release);
	}
}

/* The one frozen inside may have stopped in the middle of any step. Rings: neither what it had begun
 * to put counts nor what it had begun to take. Drain: its successor begins anew with what is left.
 */
static void
host_mend(struct tp_host *h)
{
	uint32_t mask = atomic_load_explicit(&h->member_mask, memory_order_acquire);

	tp_fabric_mend(h->fabric, TP_NODE_HOST);
	for (; mask != 0; mask &= mask - 1) {
		struct tp_member *m = h->member[rte_bsf32(mask)];
		struct rte_ring *ring = host_ring(h, m->id);
		uint32_t guard = atomic_load_explicit(&m->tx_guard, memory_order_acquire);

		/* Revoked and not at work: the consumer was the holder, if anyone. */
		if ((guard & (TP_TXG_REVOKED | TP_TXG_BUSY)) == TP_TXG_REVOKED)
			ring->cons.head = ring->cons.tail;
		atomic_fetch_and_explicit(&m->tx_guard, ~TP_TXG_REVOKED, memory_order_release);
	}
}

bool
tp_host_evict(struct tp_host *h, uint8_t member)
{
	uint64_t word = atomic_load_explicit(&h->guard, memory_order_acquire);

	if ((word & TP_GUARD_BUSY) != TP_GUARD_HOLDER(member))
		return false;
	host_mend(h); /* before anyone can follow it */
	atomic_fetch_sub_explicit(&h->guard, TP_GUARD_HOLDER(member), memory_order_release);
	return true;
}

static bool
host_enter(struct tp_host *h, struct tp_member *me)
{
	uint64_t role = atomic_load_explicit(&me->role, memory_order_relaxed);
	uint64_t word = atomic_load_explicit(&h->guard, memory_order_relaxed);

	/* Secondaries' words carry the epoch too, and the turn may have begun under an older word. */
	if ((role & TP_ROLE_PRIMARY) == 0)
		return false;
	if ((word & TP_GUARD_BUSY) != 0 || TP_ROLE_EPOCH(word) != TP_ROLE_EPOCH(role))
		return false;
	return atomic_compare_exchange_strong_explicit(&h->guard, &word,
	                word + TP_GUARD_HOLDER(me->id), memory_order_acquire, memory_order_relaxed);
}

/* An epoch raised meanwhile stays (tests/model, MUT_STORE_RELEASE). */
static void
host_leave(struct tp_host *h)
{
	guard_leave(&h->guard, sizeof(h->guard));
}

/* ---- publication --------------------------------------------------------- */

struct tp_dist *
tp_host_spare(struct tp_host *h, bool nobody)
{
	struct tp_dist *last = atomic_load_explicit(&h->published, memory_order_relaxed);

	if (last == NULL)
		return h->dist_buf[0];
	if (tp_host_applied(h) != last->version)
		return nobody ? last : NULL;
	return last == h->dist_buf[0] ? h->dist_buf[1] : h->dist_buf[0];
}

void
tp_host_publish(struct tp_host *h, struct tp_dist *dist)
{
	atomic_store_explicit(&h->published, dist, memory_order_release);
}

uint32_t
tp_host_applied(const struct tp_host *h)
{
	return atomic_load_explicit(&h->applied, memory_order_acquire);
}

const uint64_t *
tp_host_bucket_bytes(const struct tp_host *h)
{
	return h->bytes;
}

const uint8_t *
tp_host_map(const struct tp_host *h, uint32_t *nb_buckets)
{
	const struct tp_dist *dist = atomic_load_explicit(&h->published, memory_order_acquire);

	*nb_buckets = dist == NULL ? 0 : dist->nb_buckets;
	return h->map;
}

void
tp_host_info(const struct tp_host *h, struct tp_host_info *info)
{
	const struct tp_dist *dist = atomic_load_explicit(&h->published, memory_order_acquire);
	uint64_t guard = atomic_load_explicit(&h->guard, memory_order_relaxed);
	uint8_t holder = guard & TP_GUARD_BUSY;

	*info = (struct tp_host_info){
		.port_id = atomic_load_explicit(&h->port_id, memory_order_relaxed),
		.version = tp_host_applied(h),
		.published = dist == NULL ? 0 : dist->version,
		.nb_stash = stash_count(&h->stash),
		.nb_lazy = h->nb_lazy,
		.guard_epoch = TP_ROLE_EPOCH(guard),
		.holder = holder == 0 ? TP_MEMBER_NONE : holder - 1,
	};
}

/* ---- one turn ------------------------------------------------------------ */

void
tp_host_input(struct tp_member *me, struct rte_mbuf **pkts, uint16_t nb_pkts)
{
	struct rte_ring *ring = me->fabric->ring[me->id][TP_NODE_HOST];

	me->ctr.c[TP_C_RX_HOST] +=
	                tp_fabric_send(ring, pkts, nb_pkts, &me->ctr, TP_DROP_HOST_RING_FULL);
}

/* Members' frames to the host port. What it does not take stays on the rings: they are the
 * larger buffer, and their overflow is counted at the member that received the frame.
 */
static unsigned int
host_deliver(struct tp_host *h, struct tp_member *me)
{
	uint32_t mask = atomic_load_explicit(&h->member_mask, memory_order_acquire);
	struct rte_mbuf *pkts[TP_BURST_MAX];
	unsigned int total = 0;

	h->egress.ctr = &me->ctr;
	if (h->egress.nb_hold > 0)
		total += tp_egress_flush(&h->egress);
	for (; mask != 0; mask &= mask - 1) {
		struct rte_ring *ring = h->fabric->ring[rte_bsf32(mask)][TP_NODE_HOST];
		uint16_t want = RTE_MIN(h->burst, tp_egress_room(&h->egress));
		uint16_t n = rte_ring_sc_dequeue_burst(ring, (void **)pkts, want, NULL);

		if (n > 0)
			tp_egress_burst(&h->egress, pkts, n);
		total += n;
	}
	return total;
}

/* No host port: what members have for it is counted at once, and waits for none to come. */
static unsigned int
host_refuse(struct tp_host *h, struct tp_member *me)
{
	uint32_t mask = atomic_load_explicit(&h->member_mask, memory_order_acquire);
	struct rte_mbuf *pkts[TP_BURST_MAX];
	unsigned int total = 0;

	for (; mask != 0; mask &= mask - 1) {
		struct rte_ring *ring = h->fabric->ring[rte_bsf32(mask)][TP_NODE_HOST];
		uint16_t n = rte_ring_sc_dequeue_burst(ring, (void **)pkts, h->burst, NULL);

		tp_drop_burst(&me->ctr, TP_DROP_HOST_NONE, pkts, n);
		total += n;
	}
	return total;
}

static unsigned int
host_poll(struct tp_host *h, struct tp_member *me, uint64_t now)
{
	uint16_t port_id = atomic_load_explicit(&h->port_id, memory_order_relaxed);
	struct rte_mbuf *pkts[TP_BURST_MAX];
	uint64_t bytes = 0, flags = 0;
	uint16_t n;

	if (port_id == RTE_MAX_ETHPORTS)
		return 0;
	n = rte_eth_rx_burst(port_id, 0, pkts, h->burst);
	if (n == 0)
		return 0;
	for (uint16_t i = 0; i < n; i++) {
		bytes += pkts[i]->pkt_len;
		flags |= pkts[i]->ol_flags;
	}
	me->ctr.c[TP_C_HOST_RX] += n;
	me->ctr.c[TP_C_HOST_RX_BYTES] += bytes;
	host_distribute(h, me, pkts, n, flags, now);
	return n;
}

static unsigned int
host_fetch(struct tp_host *h, struct tp_member *me, uint64_t now)
{
	/* The role may be here before the distribution by which somebody gets anything. */
	if (h->dist == NULL || h->dist->nb_alive == 0)
		return 0;
	return stash_count(&h->stash) > 0 ? host_hand_out(h, me, now) : host_poll(h, me, now);
}

unsigned int
tp_host_step(struct tp_host *h, struct tp_member *me, uint64_t now)
{
	unsigned int n = 0;

	if (!host_enter(h, me)) {
		me->ctr.c[TP_C_GUARD_LOST]++;
		return 0;
	}
	host_apply(h, me, now);
	if (likely(atomic_load_explicit(&h->port_id, memory_order_acquire) != RTE_MAX_ETHPORTS))
		n += host_deliver(h, me);
	else
		n += host_refuse(h, me);
	n += host_fetch(h, me, now);
	host_leave(h);
	return n;
}
