/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* What a shard asks of its member, and what comes for it from the others. */

#include "app.h"

static struct rte_ring *
ring_to(const struct worker *w, uint8_t member)
{
	return w->member->fabric->ring[w->member->id][member];
}

static uint8_t
via(const struct worker *w)
{
	return atomic_load_explicit(&w->toe_via, memory_order_relaxed);
}

/* ---- out ------------------------------------------------------------------ */

static uint16_t
toe_room(void *arg)
{
	const struct worker *w = arg;
	uint8_t to = via(w);

	if (to == w->member->id)
		return w->toe_open ? tp_egress_room(&w->member->egress) : 0;
	if (to == TP_MEMBER_NONE)
		return 0;
	return RTE_MIN(rte_ring_free_count(ring_to(w, to)), (unsigned int)UINT16_MAX);
}

/* What the engine answers while it looks at a burst comes before the egress is open. */
static void
transmit_here(struct worker *w, struct rte_mbuf **pkts, uint16_t nb_pkts)
{
	struct tp_member *m = w->member;
	bool open = w->toe_open || tp_member_open(m);

	if (!open) {
		tp_drop_burst(&m->ctr, TP_DROP_TX_PORT_STOPPED, pkts, nb_pkts);
		return;
	}
	m->ctr.c[TP_C_TX_TOE] += nb_pkts;
	tp_egress_burst(&m->egress, pkts, nb_pkts);
	if (!w->toe_open)
		tp_member_close(m);
}

static void
toe_transmit(void *arg, struct rte_mbuf **pkts, uint16_t nb_pkts)
{
	struct worker *w = arg;
	struct tp_member *m = w->member;
	uint8_t to = via(w);

	if (to == m->id) {
		transmit_here(w, pkts, nb_pkts);
		return;
	}
	if (to == TP_MEMBER_NONE) {
		tp_drop_burst(&m->ctr, TP_DROP_TX_NO_MEMBER, pkts, nb_pkts);
		return;
	}
	for (uint16_t i = 0; i < nb_pkts; i++)
		*tp_meta(pkts[i]) = (struct tp_meta){ .kind = TP_KIND_TX, .ingress = m->id };
	tp_fabric_send(ring_to(w, to), pkts, nb_pkts, &m->ctr, TP_DROP_TX_RING_FULL);
}

static void
toe_forward(void *arg, uint8_t member, struct rte_mbuf **pkts, uint16_t nb_pkts)
{
	struct worker *w = arg;
	struct tp_member *m = w->member;

	if ((atomic_load_explicit(&w->toe_peers, memory_order_acquire) & RTE_BIT32(member)) == 0) {
		tp_drop_burst(&m->ctr, TP_DROP_TX_NO_MEMBER, pkts, nb_pkts);
		return;
	}
	m->ctr.c[TP_C_RX_FOREIGN] += tp_fabric_send(
	                ring_to(w, member), pkts, nb_pkts, &m->ctr, TP_DROP_FOREIGN_RING_FULL);
}

static void
toe_control(void *arg, struct rte_mbuf **pkts, uint16_t nb_pkts)
{
	struct tp_member *m = ((struct worker *)arg)->member;

	m->ctr.c[TP_C_RX_CTL] += tp_fabric_send(m->fabric->ring[m->id][TP_NODE_CONTROL], pkts,
	                nb_pkts, &m->ctr, TP_DROP_CTL_RING_FULL);
}

const struct tp_toe_ops worker_toe_ops = {
	.room = toe_room,
	.transmit = toe_transmit,
	.forward = toe_forward,
	.control = toe_control,
};

/* ---- in ------------------------------------------------------------------- */

static void
sort_peer_burst(struct worker *w, struct rte_mbuf **pkts, uint16_t nb_pkts, uint64_t now)
{
	struct rte_mbuf *foreign[TP_BURST_MAX], *tx[TP_BURST_MAX];
	uint16_t nb_foreign = 0, nb_tx = 0;

	for (uint16_t i = 0; i < nb_pkts; i++) {
		if (tp_meta(pkts[i])->kind != TP_KIND_TX)
			foreign[nb_foreign++] = pkts[i];
		else
			tx[nb_tx++] = pkts[i];
	}
	if (nb_tx > 0)
		transmit_here(w, tx, nb_tx);
	if (nb_foreign > 0)
		tp_toe_foreign(w->toe, foreign, nb_foreign, now);
}

static unsigned int
from_peers(struct worker *w, uint64_t now)
{
	uint32_t peers = atomic_load_explicit(&w->toe_peers, memory_order_acquire);
	struct rte_mbuf *pkts[TP_BURST_MAX];
	unsigned int total = 0;

	for (; peers != 0; peers &= peers - 1) {
		struct rte_ring *ring =
		                w->member->fabric->ring[__builtin_ctz(peers)][w->member->id];
		uint16_t n = rte_ring_sc_dequeue_burst(ring, (void **)pkts, w->burst, NULL);

		if (n > 0)
			sort_peer_burst(w, pkts, n, now);
		total += n;
	}
	return total;
}

unsigned int
worker_toe(struct worker *w, uint64_t now)
{
	unsigned int n;

	w->toe_open = tp_member_open(w->member);
	n = from_peers(w, now);
	n += tp_toe_step(w->toe, now);
	if (w->toe_open)
		tp_member_close(w->member);
	w->toe_open = false;
	return n;
}
