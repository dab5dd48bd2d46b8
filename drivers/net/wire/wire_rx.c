/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* The receiving end: frames wait in a binary heap until they are due. */
#include <rte_ring.h>

#include "wire_int.h"

static bool
before(const struct rte_mbuf *a, const struct rte_mbuf *b)
{
	const struct wire_stamp *sa = wire_stamp(a), *sb = wire_stamp(b);

	return sa->due != sb->due ? sa->due < sb->due : sa->seq < sb->seq;
}

static void
heap_push(struct wire_dir *d, struct rte_mbuf *m)
{
	uint32_t i = d->nb_heap++;

	while (i > 0 && before(m, d->heap[(i - 1) / 2])) {
		d->heap[i] = d->heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	d->heap[i] = m;
}

static struct rte_mbuf *
heap_pop(struct wire_dir *d)
{
	struct rte_mbuf *top = d->heap[0], *last = d->heap[--d->nb_heap];
	uint32_t i = 0, child;

	while ((child = 2 * i + 1) < d->nb_heap) {
		if (child + 1 < d->nb_heap && before(d->heap[child + 1], d->heap[child]))
			child++;
		if (!before(d->heap[child], last))
			break;
		d->heap[i] = d->heap[child];
		i = child;
	}
	d->heap[i] = last;
	return top;
}

static bool
deliver(struct wire_dir *d, struct rte_mbuf *m, uint16_t port_id, uint64_t now)
{
	uint32_t path = atomic_load_explicit(&d->path, memory_order_acquire);

	if (wire_stamp(m)->epoch != path / PATH_EPOCH_1) {
		d->rx.lost_link++;
		wire_tap(d, TP_WIRE_LOST, m, now);
		rte_pktmbuf_free(m);
		return false;
	}
	m->port = port_id;
	d->rx.delivered++;
	d->rx.delivered_bytes += m->pkt_len;
	wire_tap(d, TP_WIRE_DELIVERED, m, now);
	return true;
}

/* Rx callback: pkts are what net_ring took from the air now, wherever they are in time; out go
 * those that are due.
 */
uint16_t
wire_rx(uint16_t port_id, uint16_t queue, struct rte_mbuf *pkts[], uint16_t nb_pkts,
                uint16_t max_pkts, void *arg)
{
	struct wire_end *e = arg;
	struct wire_dir *d = &e->wire->dir[!e->end];
	uint64_t now = tp_clock_now();
	struct rte_mbuf *m;
	uint16_t n = 0;

	(void)queue;
	wire_sync_end(e->wire, e->end);
	wire_reclaim(&e->wire->dir[e->end]);
	for (uint16_t i = 0; i < nb_pkts; i++)
		heap_push(d, pkts[i]);
	while (n < max_pkts && d->nb_heap > 0 && wire_stamp(d->heap[0])->due <= now) {
		m = heap_pop(d);
		if (deliver(d, m, port_id, now))
			pkts[n++] = m;
	}
	return n;
}

uint64_t
wire_next_due(const struct wire_dir *d)
{
	uint64_t next = d->nb_heap > 0 ? wire_stamp(d->heap[0])->due : TP_NEVER;
	struct rte_mbuf *m;
	uint32_t n = rte_ring_count(d->air);

	/* In and out again: only the calling thread is at work. */
	while (n-- > 0 && rte_ring_sc_dequeue(d->air, (void **)&m) == 0) {
		next = RTE_MIN(next, wire_stamp(m)->due);
		rte_ring_sp_enqueue(d->air, m);
	}
	return next;
}

void
wire_drain(struct wire_dir *d)
{
	struct rte_mbuf *m;

	while (rte_ring_sc_dequeue(d->air, (void **)&m) == 0)
		rte_pktmbuf_free(m);
	rte_pktmbuf_free_bulk(d->heap, d->nb_heap);
	d->nb_heap = 0;
}
