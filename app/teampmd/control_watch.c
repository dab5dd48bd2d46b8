/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* What the link watches say, and ports without carrier: parked, so that frames in their
 * descriptors do not leave seconds later.
 */

#include "control_int.h"

#define CARRIER_WATCHES                                                                            \
	(TP_LINK_W(TP_LINK_LSC) | TP_LINK_W(TP_LINK_POLL) | TP_LINK_W(TP_LINK_NETLINK))

static struct tp_link_in
read_member(const struct control *c, const struct slot *s)
{
	const struct tp_member *m = s->member;
	const struct rte_ring *ring = c->daemon->fabric->ring[TP_NODE_HOST][slot_id(c, s)];

	return (struct tp_link_in){
		.running = c->daemon->simulated ||
		           atomic_load_explicit(&s->worker->active, memory_order_acquire),
		.heart = atomic_load_explicit(&m->heart, memory_order_relaxed),
		.tx_packets = m->ctr.c[TP_C_TX_PACKETS],
		.rx_packets = m->ctr.c[TP_C_RX_PACKETS],
		.tx_pending = rte_ring_count(ring) + m->egress.nb_hold,
	};
}

int
control_thread_read(void *arg, uint64_t *cpu_ns, bool *blocked)
{
	struct slot *s = arg;
	struct daemon *d = s->worker->daemon;
	pid_t tid = atomic_load_explicit(&s->worker->tid, memory_order_acquire);
	int rc = 0;

	if (d->thread != NULL)
		return d->thread(d, slot_id(&d->control, s), cpu_ns, blocked);
	if (s->thread.tid != tid) {
		if (s->thread.tid != 0)
			tp_link_thread_close(&s->thread);
		rc = tp_link_thread_open(&s->thread, tid);
	}
	return rc == 0 ? tp_link_thread_read(&s->thread, cpu_ns, blocked) : rc;
}

/* Nobody balances to the member any more, and what waited for it was taken back. */
bool
control_left_out(const struct control *c, uint8_t member)
{
	/* What the engine decided since control_decide() counts, too. */
	const uint32_t undone = c->team.pending & (TP_TEAM_ACT_DIST | TP_TEAM_ACT_PRIMARY);

	if (c->primary == member || c->team.member[member].distributing || undone != 0 ||
	                c->dist_dirty)
		return false;
	if (c->primary == TP_MEMBER_NONE)
		return control_nobody(c);
	return control_settled(c);
}

/* ---- parking ------------------------------------------------------------------ */

static void
park(struct control *c, struct slot *s)
{
	/* A primary that came since then has yet to take back what waits here. */
	if (s->port.tx_queue_off || !control_left_out(c, slot_id(c, s)))
		return;
	if (!s->parked) {
		s->parked = true;
		control_halt(s, true);
	}
	if (!control_halted(s))
		return;
	/* Ports without the call drop by themselves what they hold when the link goes. */
	rte_eth_dev_tx_queue_stop(s->port.port_id, 0);
	s->port.tx_queue_off = true;
	tp_member_purge(s->member);
}

static void
unpark(struct slot *s)
{
	if (s->port.tx_queue_off)
		rte_eth_dev_tx_queue_start(s->port.port_id, 0);
	s->port.tx_queue_off = false;
	s->parked = false;
	control_unhalt(s);
}

/* ---- verdicts ------------------------------------------------------------------- */

void
control_obey_watch(struct control *c, struct slot *s, uint64_t now)
{
	struct tp_link_verdict v = tp_link_verdict(s->link);
	bool up = (v.down & ~TP_LINK_W(TP_LINK_HEART)) == 0 && !v.removed;
	char why[64];

	if (v.removed && !s->port.removed) {
		s->port.removed = true;
		s->wanted = false;
		control_event(c, now, "port %u (%s) is gone", s->port.port_id, s->port.name);
		tp_team_enable(&c->team, slot_id(c, s), false, now);
	}
	s->carrier = (v.down & CARRIER_WATCHES) == 0 && !v.removed;
	if (up != c->team.member[slot_id(c, s)].watch_up)
		control_event(c, now, "port %u (%s) watch says %s%s%s", s->port.port_id,
		                s->port.name, up ? "up" : "down", up ? "" : ": ",
		                up ? "" : tp_link_mask_format(v.down, why, sizeof(why)));
	tp_team_watch(&c->team, slot_id(c, s), up, v.speed_mbps, now);
	s->hung = (v.down & TP_LINK_W(TP_LINK_HEART)) != 0;
}

unsigned int
control_watch(struct control *c, uint64_t now)
{
	unsigned int work = 0;

	FOREACH_SLOT(c, s) {
		struct tp_link_in in = read_member(c, s);
		struct tp_link_out out;

		if (tp_link_poll(s->link, now, &in, &out)) {
			control_obey_watch(c, s, now);
			work++;
		}
		for (uint16_t i = 0; i < out.nb_pkts; i++)
			control_send(c, slot_id(c, s), out.pkts[i]);
		/* While it is changed or removed the port is the operation's. */
		if (s->wanted && s->carrier && s->parked)
			unpark(s);
		else if (s->wanted && !s->carrier)
			park(c, s);
		control_fence(c, s, now);
	}
	return work;
}
