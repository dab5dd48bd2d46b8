/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Link status of the two ends. net_ring's status is a word that start, stop, set-link-up and
 * set-link-down write, and that its peer knows nothing of: here it follows the cable and the
 * other end, and what the user did to a port is told apart from what we did.
 */
#include "wire_int.h"

static void
path_set(struct wire_dir *d, uint32_t reason, bool dead)
{
	uint32_t was = atomic_load_explicit(&d->path, memory_order_relaxed), to;

	do {
		to = dead ? was | reason : was & ~reason;
		if ((to & PATH_DEAD) != 0 && (was & PATH_DEAD) == 0)
			to += PATH_EPOCH_1;
		if (to == was)
			return;
	} while (!atomic_compare_exchange_weak_explicit(
	                &d->path, &was, to, memory_order_acq_rel, memory_order_relaxed));
}

static bool
port_up(const struct wire_end *e)
{
	struct rte_eth_link link;

	if (rte_eth_link_get_nowait(e->port_id, &link) != 0)
		return false;
	return link.link_status == RTE_ETH_LINK_UP;
}

/* Would this end have a link if the cable and the other end were fine? */
static bool
end_enabled(struct wire_end *e)
{
	bool up = port_up(e);

	if (up)
		e->forced = false;
	return up || e->forced;
}

static void
end_follow(struct wire_end *e, bool up, bool may_raise)
{
	if (!up && !e->forced && port_up(e)) {
		e->forced = true;
		rte_eth_dev_set_link_down(e->port_id);
	} else if (up && e->forced && may_raise) {
		e->forced = false;
		rte_eth_dev_set_link_up(e->port_id);
	}
}

/* An end is raised only by a call on that end: that it polls shows that its port is started,
 * which ethdev does not tell otherwise. Whoever finds it busy leaves it to the one at work.
 */
static void
wire_sync(struct tp_wire *w, unsigned int may_raise)
{
	bool carrier, enabled[TP_WIRE_NB_ENDS], link;

	if (atomic_flag_test_and_set_explicit(&w->sync_busy, memory_order_acquire))
		return;
	carrier = atomic_load_explicit(&w->carrier, memory_order_acquire);
	for (unsigned int i = 0; i < TP_WIRE_NB_ENDS; i++)
		enabled[i] = end_enabled(&w->end[i]);
	link = carrier && enabled[TP_WIRE_A] && enabled[TP_WIRE_B];
	for (unsigned int i = 0; i < TP_WIRE_NB_ENDS; i++) {
		end_follow(&w->end[i], carrier && enabled[!i], may_raise >> i & 1);
		path_set(&w->dir[i], PATH_NO_LINK, !link);
	}
	atomic_flag_clear_explicit(&w->sync_busy, memory_order_release);
}

void
wire_sync_end(struct tp_wire *w, enum tp_wire_end end)
{
	wire_sync(w, 1u << end);
}

void
tp_wire_sync(struct tp_wire *w)
{
	wire_sync(w, 1u << TP_WIRE_A | 1u << TP_WIRE_B);
}

void
tp_wire_set_carrier(struct tp_wire *w, bool up)
{
	atomic_store_explicit(&w->carrier, up, memory_order_release);
	if (!up)
		for (unsigned int i = 0; i < TP_WIRE_NB_DIRS; i++)
			path_set(&w->dir[i], PATH_NO_LINK, true);
	wire_sync(w, 0);
}

void
tp_wire_set_cut(struct tp_wire *w, enum tp_wire_dir dir, bool cut)
{
	path_set(&w->dir[dir], PATH_CUT, cut);
}
