/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* A port that takes nothing though frames wait for it. Once it is down for that reason its frames
 * are given to others, so that nothing waits any more: it is tried again after a while without
 * any, or at once when it takes something.
 */
#include "link_int.h"

#define RETRY_NS TP_NS_PER_S
#define LOOKS 8 /* in tx_ms */

static void
tx_stuck(struct tp_link *link, const struct link_look *look)
{
	struct link_state *s = &link->state[TP_LINK_TX];

	if (link->tx.stuck_since == TP_NEVER)
		link->tx.stuck_since = look->now;
	if (look->now - link->tx.stuck_since >= link->conf.tx_ms * TP_NS_PER_MS)
		s->up = false;
	link->tx.idle_since = TP_NEVER;
}

static void
tx_idle(struct tp_link *link, const struct link_look *look)
{
	struct link_state *s = &link->state[TP_LINK_TX];

	link->tx.stuck_since = TP_NEVER;
	if (link->tx.idle_since == TP_NEVER)
		link->tx.idle_since = look->now;
	if (look->now - link->tx.idle_since >= RETRY_NS)
		s->up = true;
}

static void
tx_poll(struct tp_link *link, const struct link_look *look)
{
	struct link_state *s = &link->state[TP_LINK_TX];

	if (look->in->tx_packets != link->tx.packets) {
		link->tx.packets = look->in->tx_packets;
		link->tx.stuck_since = link->tx.idle_since = TP_NEVER;
		s->up = true;
	} else if (look->in->tx_pending > 0) {
		tx_stuck(link, look);
	} else {
		tx_idle(link, look);
	}
	s->due = look->now + link->conf.tx_ms * TP_NS_PER_MS / LOOKS;
}

static int
tx_open(struct tp_link *link, uint64_t now)
{
	link->tx.stuck_since = link->tx.idle_since = TP_NEVER;
	link->state[TP_LINK_TX].due = now;
	return 0;
}

const struct link_watch link_tx = {
	.name = "tx",
	.open = tx_open,
	.poll = tx_poll,
};
