/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Ask the port again and again. */
#include "link_int.h"

static void
poll_poll(struct tp_link *link, const struct link_look *look)
{
	struct link_state *s = &link->state[TP_LINK_POLL];

	s->up = link_read_port(link);
	s->due = look->now + link->conf.poll_us * TP_NS_PER_US;
}

static int
poll_open(struct tp_link *link, uint64_t now)
{
	const struct link_look first = { .now = now };

	poll_poll(link, &first);
	return 0;
}

const struct link_watch link_poll = {
	.name = "poll",
	.open = poll_open,
	.poll = poll_poll,
};
