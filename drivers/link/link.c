/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <errno.h>
#include <sched.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_log.h>
#include <rte_malloc.h>

#include "link_int.h"

RTE_LOG_REGISTER_DEFAULT(tp_link_log, NOTICE)

/* How often to wait for a callback that is running; it is a few instructions long. */
#define UNREGISTER_TRIES 10000

const struct link_watch *const link_watches[TP_LINK_NB_WATCHES] = {
	[TP_LINK_LSC] = &link_lsc,
	[TP_LINK_POLL] = &link_poll,
	[TP_LINK_NETLINK] = &link_netlink,
	[TP_LINK_ARP] = &link_arp,
	[TP_LINK_ND] = &link_nd,
	[TP_LINK_TX] = &link_tx,
	[TP_LINK_HEART] = &link_heart,
};

#define FOREACH_WATCH(link, i)                                                                     \
	for (unsigned int i = 0; i < TP_LINK_NB_WATCHES; i++)                                      \
		if ((link)->conf.watches & TP_LINK_W(i))

/* Interrupt thread: note it, control looks. */
static int
on_event(uint16_t port_id, enum rte_eth_event_type event, void *arg, void *ret)
{
	struct tp_link *link = arg;

	(void)port_id;
	(void)ret;
	atomic_fetch_add_explicit(&link->nb_events, 1, memory_order_relaxed);
	atomic_fetch_or_explicit(&link->events,
	                event == RTE_ETH_EVENT_INTR_RMV ? LINK_EVENT_RMV : LINK_EVENT_LSC,
	                memory_order_release);
	return 0;
}

int
link_event_on(struct tp_link *link, enum rte_eth_event_type event)
{
	return rte_eth_dev_callback_register(link->ctx.port_id, event, on_event, link);
}

int
link_event_off(struct tp_link *link, enum rte_eth_event_type event)
{
	int rc = -EAGAIN;

	for (unsigned int i = 0; i < UNREGISTER_TRIES && rc == -EAGAIN; i++) {
		rc = rte_eth_dev_callback_unregister(link->ctx.port_id, event, on_event, link);
		if (rc == -EAGAIN)
			sched_yield();
	}
	return rc;
}

bool
link_read_port(struct tp_link *link)
{
	struct rte_eth_link status;
	int rc = rte_eth_link_get_nowait(link->ctx.port_id, &status);

	if (rc == -ENODEV)
		link->removed = true;
	if (rc != 0)
		return false;
	link->port_speed = status.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN ? 0 : status.link_speed;
	return status.link_status == RTE_ETH_LINK_UP;
}

bool
link_no_carrier(const struct tp_link *link)
{
	FOREACH_WATCH(link, i)
	if ((LINK_CARRIER_WATCHES & TP_LINK_W(i)) && !link->state[i].up)
		return true;
	return false;
}

/* @return whether it changed */
static bool
judge(struct tp_link *link, uint64_t now)
{
	struct tp_link_verdict v = { .removed = link->removed, .since = link->verdict.since };

	FOREACH_WATCH(link, i)
	if (!link->state[i].up)
		v.down |= TP_LINK_W(i);
	v.up = v.down == 0 && !v.removed;
	v.speed_mbps = link->if_speed != 0 ? link->if_speed : link->port_speed;
	if (v.up != link->verdict.up) {
		v.since = now;
		link->stats.changes++;
	}
	if (v.up == link->verdict.up && v.removed == link->verdict.removed &&
	                v.down == link->verdict.down && v.speed_mbps == link->verdict.speed_mbps)
		return false;
	link->verdict = v;
	return true;
}

static void
close_watches(struct tp_link *link, uint32_t watches)
{
	for (unsigned int i = 0; i < TP_LINK_NB_WATCHES; i++)
		if ((watches & TP_LINK_W(i)) && link_watches[i]->close != NULL)
			link_watches[i]->close(link);
}

static int
open_watches(struct tp_link *link, uint64_t now)
{
	uint32_t opened = 0;
	int rc;

	FOREACH_WATCH(link, i)
	{
		link->state[i] = (struct link_state){ .up = true, .due = TP_NEVER };
		rc = link_watches[i]->open(link, now);
		if (rc < 0) {
			close_watches(link, opened);
			return rc;
		}
		opened |= TP_LINK_W(i);
	}
	return 0;
}

struct tp_link *
tp_link_create(const struct tp_link_ctx *ctx, const struct tp_link_conf *conf, uint64_t now)
{
	struct tp_link *link;
	int rc;

	if (tp_link_conf_check(conf, NULL, 0) < 0) {
		rte_errno = EINVAL;
		return NULL;
	}
	if (!rte_eth_dev_is_valid_port(ctx->port_id)) {
		rte_errno = ENODEV;
		return NULL;
	}
	link = rte_zmalloc("tp_link", sizeof(*link), 0);
	if (link == NULL) {
		rte_errno = ENOMEM;
		return NULL;
	}
	link->ctx = *ctx;
	link->conf = *conf;
	link_read_port(link);
	rc = link_event_on(link, RTE_ETH_EVENT_INTR_RMV);
	if (rc == 0) {
		rc = open_watches(link, now);
		if (rc < 0)
			link_event_off(link, RTE_ETH_EVENT_INTR_RMV);
	}
	if (rc < 0) {
		rte_free(link);
		rte_errno = -rc;
		return NULL;
	}
	link->verdict.up = true;
	judge(link, now);
	link->verdict.since = now;
	link->stats.changes = 0;
	return link;
}

void
tp_link_destroy(struct tp_link *link)
{
	int rc;

	if (link == NULL)
		return;
	close_watches(link, link->conf.watches);
	rc = link_event_off(link, RTE_ETH_EVENT_INTR_RMV);
	if (rc == -EAGAIN) {
		/* It may still write to the event word: better lost than freed. */
		rte_log(RTE_LOG_ERR, tp_link_log, "port %u: an event callback does not end\n",
		                link->ctx.port_id);
		return;
	}
	rte_free(link);
}

/* Carrier watches come first in the table. When what they say changes, the others are asked too. */
static void
poll_watches(struct tp_link *link, const struct link_look *look)
{
	bool was_without = link_no_carrier(link), all = look->events != 0;

	FOREACH_WATCH(link, i)
	{
		if (i == TP_LINK_ARP || i == TP_LINK_ND)
			all |= link_no_carrier(link) != was_without;
		if (all || look->now >= link->state[i].due)
			link_watches[i]->poll(link, look);
	}
}

bool
tp_link_poll(struct tp_link *link, uint64_t now, const struct tp_link_in *in,
                struct tp_link_out *out)
{
	static const struct tp_link_in nothing;
	struct tp_link_out unwanted;
	struct link_look look = { .now = now, .in = in != NULL ? in : &nothing };

	look.out = out != NULL ? out : &unwanted;
	look.out->nb_pkts = 0;
	if (atomic_load_explicit(&link->events, memory_order_relaxed) != 0)
		look.events = atomic_exchange_explicit(&link->events, 0, memory_order_acquire);
	if (look.events == 0 && now < tp_link_next(link))
		return false;
	if (look.events & LINK_EVENT_RMV)
		link->removed = true;
	poll_watches(link, &look);
	if (out == NULL)
		rte_pktmbuf_free_bulk(unwanted.pkts, unwanted.nb_pkts);
	return judge(link, now);
}

bool
tp_link_frame(struct tp_link *link, const struct rte_mbuf *m, uint64_t now)
{
	FOREACH_WATCH(link, i)
	{
		if (link_watches[i]->frame != NULL && link_watches[i]->frame(link, m, now)) {
			link->stats.replies++;
			judge(link, now);
			return true;
		}
	}
	link->stats.ignored++;
	return false;
}

struct tp_link_verdict
tp_link_verdict(const struct tp_link *link)
{
	return link->verdict;
}

uint64_t
tp_link_next(const struct tp_link *link)
{
	uint64_t next = TP_NEVER;

	FOREACH_WATCH(link, i)
	next = RTE_MIN(next, link->state[i].due);
	return next;
}

void
tp_link_set_mac(struct tp_link *link, const struct rte_ether_addr *mac)
{
	link->ctx.mac = *mac;
}

struct tp_link_stats
tp_link_stats(const struct tp_link *link)
{
	struct tp_link_stats stats = link->stats;

	stats.events = atomic_load_explicit(&link->nb_events, memory_order_relaxed);
	return stats;
}
