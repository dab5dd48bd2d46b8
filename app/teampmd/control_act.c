/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* What the engine decided becomes words, rings and frames. */

#include <string.h>

#include "control_int.h"

void
control_send(struct control *c, uint8_t member, struct rte_mbuf *m)
{
	struct rte_ring *ring = c->daemon->fabric->ring[TP_NODE_CONTROL][member];

	*tp_meta(m) = (struct tp_meta){ .kind = TP_KIND_TX, .ingress = TP_MEMBER_NONE };
	tp_fabric_send(ring, &m, 1, &c->ctr, TP_DROP_TX_RING_FULL);
}

bool
control_settled(const struct control *c)
{
	struct tp_host_info info;

	tp_host_info(c->daemon->host, &info);
	return !c->dist_dirty && info.version == info.published;
}

bool
control_nobody(const struct control *c)
{
	if (c->primary != TP_MEMBER_NONE || !tp_host_idle(c->daemon->host))
		return false;
	tp_host_let_go(c->daemon->host);
	return true;
}

/* ---- quiesce ---------------------------------------------------------------- */

void
control_halt(struct slot *s, bool halt)
{
	uint32_t req = atomic_load_explicit(&s->member->port_req, memory_order_relaxed);

	req = (req & ~TP_PORT_HALT) + 2;
	atomic_store_explicit(&s->member->port_req, halt ? req | TP_PORT_HALT : req,
	                memory_order_release);
}

void
control_unhalt(struct slot *s)
{
	if (!s->parked && !s->fresh)
		control_halt(s, false);
}

bool
control_halted(const struct slot *s)
{
	uint32_t req = atomic_load_explicit(&s->member->port_req, memory_order_relaxed);

	return (!s->worker->daemon->simulated &&
	                       !atomic_load_explicit(&s->worker->active, memory_order_acquire)) ||
	       atomic_load_explicit(&s->worker->frozen, memory_order_acquire) ||
	       atomic_load_explicit(&s->member->port_ack, memory_order_acquire) == req;
}

/* ---- primary ------------------------------------------------------------------ */

/* Once the epoch is raised a stale primary's CAS on the guard fails by itself, so the order of
 * the role words does not matter and nobody waits (protocols, primary hand-over).
 */
void
control_hand_over(struct control *c, uint8_t primary)
{
	c->epoch = tp_host_raise(c->daemon->host);
	c->role_seq++;
	FOREACH_SLOT(c, s) {
		bool is_primary = !c->host_halted && slot_id(c, s) == primary;

		atomic_store_explicit(&s->member->role,
		                tp_role_word(is_primary, c->epoch, c->role_seq),
		                memory_order_release);
	}
}

static const char *
member_text(struct control *c, uint8_t member, char *buf, size_t len)
{
	if (member == TP_MEMBER_NONE)
		return "none";
	snprintf(buf, len, "port %u (%s)", c->slot[member].port.port_id, c->slot[member].port.name);
	return buf;
}

/* fail_over_mac: whose MAC the team has, or who has the team's (Linux bonding). */
static void
act_fail_over_mac(struct control *c, uint8_t primary)
{
	struct slot *s;

	if (c->team.conf.fail_over_mac == TP_FOM_NONE || primary == TP_MEMBER_NONE)
		return;
	s = &c->slot[primary];
	if (c->team.conf.fail_over_mac == TP_FOM_ACTIVE) {
		c->mac = s->port.orig_mac;
		if (c->has_host)
			port_take_mac(&c->host_port, &c->mac);
		return;
	}
	FOREACH_SLOT(c, other) {
		if (other != s)
			port_take_mac(&other->port, &other->port.orig_mac);
	}
	port_take_mac(&s->port, &c->mac);
}

static void
act_primary(struct control *c, uint8_t primary, uint64_t now)
{
	char from[96], to[96];

	control_event(c, now, "primary %s -> %s", member_text(c, c->primary, from, sizeof(from)),
	                member_text(c, primary, to, sizeof(to)));
	c->primary = primary;
	control_hand_over(c, primary);
	act_fail_over_mac(c, primary);
}

/* ---- the rest ------------------------------------------------------------------- */

static void
act_accept(struct control *c, const struct tp_team_actions *act)
{
	FOREACH_SLOT(c, s) {
		uint8_t id = slot_id(c, s);

		atomic_store_explicit(&s->member->collecting, c->team.member[id].collecting,
		                memory_order_relaxed);
		atomic_store_explicit(&s->member->rx_accept, act->accept[id], memory_order_relaxed);
	}
}

static void
act_carrier(struct control *c, bool up, uint64_t now)
{
	control_event(c, now, "carrier %s", up ? "up" : "down");
	if (c->has_host)
		port_set_carrier(&c->host_port, up);
}

static void
act_members(struct control *c, uint32_t changed, uint64_t now)
{
	FOREACH_SLOT(c, s) {
		const struct tp_team_member *m = &c->team.member[slot_id(c, s)];

		if ((changed & RTE_BIT32(slot_id(c, s))) == 0)
			continue;
		control_event(c, now, "port %u (%s) link %s%s%s%s", s->port.port_id, s->port.name,
		                m->link ? "up" : "down",
		                !m->collecting ? ""
		                : m->link      ? " collecting"
		                               : ", still collecting",
		                m->distributing ? " distributing" : "", m->fenced ? " fenced" : "");
	}
}

static void
act_announce(struct control *c, uint32_t mask, bool reports, uint64_t now)
{
	struct rte_mbuf *pkts[TP_ANNOUNCE_MAX];

	FOREACH_SLOT(c, s) {
		struct rte_mempool *mp = s->member->pool;
		uint16_t n;

		if ((mask & RTE_BIT32(slot_id(c, s))) == 0)
			continue;
		n = reports ? tp_announce_build_reports(
		                              c->announce, now, &c->mac, mp, pkts, TP_ANNOUNCE_MAX)
		            : tp_announce_build(
		                              c->announce, now, &c->mac, mp, pkts, TP_ANNOUNCE_MAX);
		for (uint16_t i = 0; i < n; i++)
			control_send(c, slot_id(c, s), pkts[i]);
	}
}

static void
act_rebalance(struct control *c, uint64_t now)
{
	const uint64_t *total = tp_host_bucket_bytes(c->daemon->host);
	uint32_t nb_buckets;
	const uint8_t *actual = tp_host_map(c->daemon->host, &nb_buckets);

	if (nb_buckets != c->team.conf.nb_buckets || !control_settled(c))
		return; /* what the engine decided last is not in force yet */

	for (uint32_t b = 0; b < c->team.conf.nb_buckets; b++) {
		c->bucket_delta[b] = total[b] - c->bucket_last[b];
		c->bucket_last[b] = total[b];
	}
	tp_team_rebalance(&c->team, c->bucket_delta, actual, now);
}

/* Members take part as the engine said: from now on what waits at new ones' ports counts. Before,
 * all of it would be dropped as received by a member that is not collecting.
 */
static void
begin_fresh(struct control *c)
{
	FOREACH_SLOT(c, s) {
		if (!s->fresh)
			continue;
		s->fresh = false;
		control_unhalt(s);
	}
}

static void
act_all(struct control *c, const struct tp_team_actions *act, uint64_t now)
{
	if (act->what & TP_TEAM_ACT_MEMBER)
		act_members(c, act->changed, now);
	if (act->what & TP_TEAM_ACT_DIST) {
		c->dist_dirty = true;
		toe_distribute(c);
	}
	if (act->what & TP_TEAM_ACT_PRIMARY)
		act_primary(c, act->primary, now);
	if (act->what & (TP_TEAM_ACT_ACCEPT | TP_TEAM_ACT_MEMBER))
		act_accept(c, act);
	if (act->what & TP_TEAM_ACT_CARRIER)
		act_carrier(c, act->carrier, now);
	if (act->what & TP_TEAM_ACT_ANNOUNCE)
		act_announce(c, act->announce, false, now);
	if (act->what & TP_TEAM_ACT_IGMP) {
		act_announce(c, act->announce, true, now);
		toe_report(c, now);
	}
	if (act->what & TP_TEAM_ACT_REBALANCE)
		act_rebalance(c, now);
}

unsigned int
control_decide(struct control *c, uint64_t now)
{
	struct tp_team_actions act;

	tp_team_poll(&c->team, now, &act);
	if (act.what != 0)
		act_all(c, &act, now);
	if (c->running)
		begin_fresh(c);
	return act.what != 0;
}

/* Once the last one is in force no older flow is in use. */
static void
free_retired(struct control *c)
{
	while (c->nb_retired > 0)
		tp_flow_free(c->retired[--c->nb_retired]);
}

unsigned int
control_publish(struct control *c)
{
	struct tp_host *host = c->daemon->host;
	bool nobody = control_nobody(c);
	struct tp_dist *dist;

	if (!c->dist_dirty) {
		if (unlikely(c->nb_retired > 0) && control_settled(c))
			free_retired(c);
		return 0;
	}
	dist = tp_host_spare(host, nobody);
	if (dist == NULL)
		return 0;
	tp_team_fill_dist(&c->team, dist);
	dist->flow = c->flow;
	tp_host_publish(host, dist);
	c->dist_dirty = false;
	return 1;
}
