/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Does the member's loop turn? A loop that stands still for want of a CPU is not hung: it will go
 * on where it stopped, and fencing it would do harm.
 */
#include <errno.h>

#include "link_int.h"

#define LOOKS 8 /* in heart_ms */

enum tp_link_pulse
tp_link_heart_check(struct tp_link_heart *h, uint64_t count, uint64_t cpu_ns, bool blocked,
                uint64_t now, uint64_t deadline_ns)
{
	if (!h->seen || count != h->count) {
		*h = (struct tp_link_heart){ .seen = true, .count = count };
		return TP_LINK_BEATS;
	}
	if (!h->still) {
		h->still = true;
		h->since = now;
		h->cpu_ns = cpu_ns;
	}
	/* It may have run on for a while before it blocked. */
	if (!h->blocked || now - h->looked > deadline_ns / 2)
		h->blocked_since = now;
	h->blocked = blocked;
	h->looked = now;
	if (blocked && now - h->blocked_since >= deadline_ns)
		return TP_LINK_HUNG;
	return cpu_ns - h->cpu_ns >= deadline_ns ? TP_LINK_HUNG : TP_LINK_STILL;
}

static enum tp_link_pulse
heart_look(struct tp_link *link, const struct link_look *look)
{
	uint64_t deadline_ns = link->conf.heart_ms * TP_NS_PER_MS, cpu_ns = 0;
	bool blocked = false;

	/* Its thread is asked only when there is a doubt. One that is gone will not move either. */
	if (link->heart.seen && look->in->heart == link->heart.count &&
	                link->ctx.thread(link->ctx.thread_arg, &cpu_ns, &blocked) < 0)
		blocked = true;
	return tp_link_heart_check(
	                &link->heart, look->in->heart, cpu_ns, blocked, look->now, deadline_ns);
}

static void
heart_poll(struct tp_link *link, const struct link_look *look)
{
	uint64_t deadline_ns = link->conf.heart_ms * TP_NS_PER_MS;
	struct link_state *s = &link->state[TP_LINK_HEART];
	enum tp_link_pulse pulse = TP_LINK_BEATS;
	bool late;

	if (look->in->running)
		pulse = heart_look(link, look);
	else
		link->heart.seen = false;
	late = pulse == TP_LINK_STILL && look->now - link->heart.since >= deadline_ns;
	link->stats.late += late && !link->heart_late;
	link->heart_late = late;
	s->up = pulse != TP_LINK_HUNG;
	s->due = look->now + deadline_ns / LOOKS;
}

static int
heart_open(struct tp_link *link, uint64_t now)
{
	if (link->ctx.thread == NULL)
		return -EINVAL;
	link->state[TP_LINK_HEART].due = now;
	return 0;
}

const struct link_watch link_heart = {
	.name = "heart",
	.open = heart_open,
	.poll = heart_poll,
};
