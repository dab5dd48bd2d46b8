/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* The port's link status event. The callback only sets a bit; control reads the status then, and
 * now and then without, should an event get lost.
 */
#include <errno.h>

#include "link_int.h"

#define RECHECK_NS (100 * TP_NS_PER_MS)

static void
lsc_poll(struct tp_link *link, const struct link_look *look)
{
	struct link_state *s = &link->state[TP_LINK_LSC];

	s->up = link_read_port(link);
	s->due = look->now + RECHECK_NS;
}

static int
lsc_open(struct tp_link *link, uint64_t now)
{
	const struct link_look first = { .now = now };
	struct rte_eth_dev_info info;
	int rc = rte_eth_dev_info_get(link->ctx.port_id, &info);

	if (rc != 0)
		return rc;
	if ((*info.dev_flags & RTE_ETH_DEV_INTR_LSC) == 0)
		return -ENOTSUP;
	rc = link_event_on(link, RTE_ETH_EVENT_INTR_LSC);
	if (rc == 0)
		lsc_poll(link, &first);
	return rc;
}

static void
lsc_close(struct tp_link *link)
{
	link_event_off(link, RTE_ETH_EVENT_INTR_LSC);
}

const struct link_watch link_lsc = {
	.name = "lsc",
	.open = lsc_open,
	.close = lsc_close,
	.poll = lsc_poll,
};
