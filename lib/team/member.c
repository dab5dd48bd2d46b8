/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* A member's transmit side: what was balanced to it leaves as it is (claim A2). */

#include "host_int.h"

static void
drop_hold(struct tp_member *me, enum tp_drop reason)
{
	struct rte_mbuf *pkts[TP_EGRESS_HOLD];

	tp_drop_burst(&me->ctr, reason, pkts, tp_egress_take_back(&me->egress, pkts));
}

static unsigned int
transmit_control(struct tp_member *me, uint16_t burst)
{
	struct rte_ring *ring = me->fabric->ring[TP_NODE_CONTROL][me->id];
	struct rte_mbuf *pkts[TP_BURST_MAX];
	uint16_t nb_tx = 0;
	uint16_t n = rte_ring_sc_dequeue_burst(ring, (void **)pkts, burst, NULL);

	for (uint16_t i = 0; i < n; i++) {
		if (likely(tp_meta(pkts[i])->kind == TP_KIND_TX))
			pkts[nb_tx++] = pkts[i];
		else
			tp_drop_burst(&me->ctr, TP_DROP_MSG_STALE, &pkts[i], 1);
	}
	if (nb_tx == 0)
		return n;
	me->ctr.c[TP_C_TX_CTL] += tp_egress_burst(&me->egress, pkts, nb_tx);
	/* They name this very member: a drain must not find them and balance them to another. */
	if (unlikely(me->egress.nb_hold > 0))
		drop_hold(me, TP_DROP_TX_PORT_FULL);
	return n;
}

unsigned int
tp_member_transmit(struct tp_member *me, uint16_t burst)
{
	struct rte_ring *from_host = me->fabric->ring[TP_NODE_HOST][me->id];
	struct rte_ring *from_control = me->fabric->ring[TP_NODE_CONTROL][me->id];
	bool control = !rte_ring_empty(from_control);
	struct rte_mbuf *pkts[TP_BURST_MAX];
	unsigned int n = 0;
	uint16_t nb;

	if (member_halted(me) || (!control && me->egress.nb_hold == 0 && rte_ring_empty(from_host)))
		return 0;
	if (!txg_enter(me))
		return 0;
	if (me->egress.nb_hold > 0)
		n += tp_egress_flush(&me->egress);
	if (control && me->egress.nb_hold == 0)
		n += transmit_control(me, burst);
	nb = RTE_MIN(burst, tp_egress_room(&me->egress));
	nb = rte_ring_sc_dequeue_burst(from_host, (void **)pkts, nb, NULL);
	if (nb > 0)
		tp_egress_burst(&me->egress, pkts, nb);
	txg_leave(me);
	return n + nb;
}

bool
tp_member_open(struct tp_member *me)
{
	return !member_halted(me) && txg_enter(me);
}

void
tp_member_close(struct tp_member *me)
{
	txg_leave(me);
}

void
tp_member_purge(struct tp_member *me)
{
	struct rte_ring *from_control = me->fabric->ring[TP_NODE_CONTROL][me->id];
	struct rte_mbuf *pkts[TP_BURST_MAX];
	uint16_t n;

	if (!txg_enter(me))
		return;
	drop_hold(me, TP_DROP_TX_PORT_STOPPED);
	while ((n = rte_ring_sc_dequeue_burst(from_control, (void **)pkts, TP_BURST_MAX, NULL)) > 0)
		tp_drop_burst(&me->ctr, TP_DROP_TX_PORT_STOPPED, pkts, n);
	txg_leave(me);
}
