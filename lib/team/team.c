/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* The engine's events, and what follows from them. Every event ends in update(): facts, map,
 * primary, then what control has to be told.
 */

#include <errno.h>
#include <string.h>

#include "team_int.h"

uint32_t
team_distributing(const struct tp_team *team)
{
	uint32_t mask = 0;

	for (uint8_t i = 0; i < TP_MAX_MEMBERS; i++)
		if (team->member[i].distributing)
			mask |= RTE_BIT32(i);
	return mask;
}

static void
pass_time(struct tp_team *team, uint64_t now)
{
	team->now = RTE_MAX(team->now, now);
}

/* ---- what follows from an event ----------------------------------------- */

/* On a link aggregation the switch alone decides by which link a frame comes: what does come by one
 * that a watch finds bad, because replies to its probes are lost, still counts.
 */
static bool
collects(const struct tp_team *team, const struct tp_team_member *m)
{
	return m->used && m->enabled && !m->fenced && (m->link || !team_mode(team)->single);
}

static void
update_facts(struct tp_team *team)
{
	for (uint8_t i = 0; i < TP_MAX_MEMBERS; i++) {
		struct tp_team_member *m = &team->member[i];
		const bool collecting = collects(team, m), distributing = team_usable(m);

		if (m->collecting != collecting)
			team->pending |= TP_TEAM_ACT_ACCEPT;
		if (m->distributing != distributing)
			team->changed |= RTE_BIT32(i);
		m->collecting = collecting;
		m->distributing = distributing;
	}
}

static void
update_map(struct tp_team *team, uint32_t came)
{
	team_map_adopt(team);
	/* In mode load the shares are not even on purpose: only newcomers get theirs. */
	if (team->conf.mode != TP_MODE_LOAD) {
		team_map_settle(team);
		return;
	}
	for (uint8_t i = 0; i < TP_MAX_MEMBERS; i++)
		if (came & RTE_BIT32(i))
			team_map_take(team, i);
}

static void
announce(struct tp_team *team)
{
	team->announce_left = team->conf.num_peer_notif;
	team->announce_due = team->announce_left > 0 ? team->now : TP_NEVER;
	team->igmp_left = team->conf.resend_igmp;
	team->igmp_due = team->igmp_left > 0 ? team->now : TP_NEVER;
}

static void
announce_nothing(struct tp_team *team)
{
	team->announce_left = 0;
	team->announce_due = TP_NEVER;
	team->igmp_left = 0;
	team->igmp_due = TP_NEVER;
}

/* @return whether the primary changed */
static bool
update_primary(struct tp_team *team)
{
	const uint8_t primary = tp_team_elect(team);

	if (primary != TP_MEMBER_NONE && primary == team->conf.primary)
		team->force_primary = false;
	if (primary == team->primary)
		return false;
	team->primary = primary;
	team->primary_changes++;
	team->primary_since = team->now;
	team->pending |= TP_TEAM_ACT_PRIMARY | TP_TEAM_ACT_ACCEPT;
	if (team_mode(team)->single)
		team->pending |= TP_TEAM_ACT_DIST;
	return true;
}

static void
update_carrier(struct tp_team *team)
{
	const uint32_t nb = (uint32_t)__builtin_popcount(team_distributing(team));
	const bool carrier = nb >= RTE_MAX(team->conf.min_links, 1u);

	if (carrier == team->carrier)
		return;
	team->carrier = carrier;
	team->pending |= TP_TEAM_ACT_CARRIER;
}

static void
update(struct tp_team *team)
{
	const uint32_t before = team_distributing(team);
	uint32_t after;
	bool new_primary;

	team_link_advance(team);
	update_facts(team);
	after = team_distributing(team);
	if (after != before) {
		update_map(team, after & ~before);
		team->pending |= TP_TEAM_ACT_DIST | TP_TEAM_ACT_ACCEPT;
	}
	new_primary = update_primary(team);
	update_carrier(team);
	if (after == 0)
		announce_nothing(team);
	else if (new_primary || (after != before && team_mode(team)->announce_all))
		announce(team);
	if (team->changed != 0)
		team->pending |= TP_TEAM_ACT_MEMBER;
}

/* ---- events ------------------------------------------------------------- */

void
tp_team_init(struct tp_team *team, const struct tp_team_conf *conf, uint64_t now)
{
	memset(team, 0, sizeof(*team));
	memset(team->map, TP_MEMBER_NONE, sizeof(team->map));
	team->conf = *conf;
	team->primary = TP_MEMBER_NONE;
	team->now = now;
	team->primary_since = now;
	team->rebalance_due = now + conf->rebalance_interval_ms * TP_NS_PER_MS;
	for (uint8_t i = 0; i < TP_MAX_MEMBERS; i++)
		team->member[i].link_due = TP_NEVER;
	announce_nothing(team);
}

int
tp_team_set_conf(struct tp_team *team, const struct tp_team_conf *conf, uint64_t now)
{
	const struct tp_team_conf old = team->conf;

	if (tp_team_conf_check(conf, NULL, 0) < 0)
		return -EINVAL;
	pass_time(team, now);
	team->conf = *conf;
	if (conf->nb_buckets != old.nb_buckets)
		team_map_resize(team, old.nb_buckets, conf->nb_buckets);
	if (conf->nb_buckets != old.nb_buckets || conf->mode != old.mode)
		team_map_settle(team);
	if (conf->primary != old.primary)
		team->force_primary = conf->primary != TP_MEMBER_NONE;
	team->rebalance_due = team->now + conf->rebalance_interval_ms * TP_NS_PER_MS;
	team->pending |= TP_TEAM_ACT_DIST | TP_TEAM_ACT_ACCEPT;
	update(team);
	return 0;
}

int
tp_team_add(struct tp_team *team, uint8_t member, uint16_t port_id, uint32_t distance,
                const struct tp_member_conf *conf, uint64_t now)
{
	if (member >= TP_MAX_MEMBERS || tp_member_conf_check(conf, NULL, 0) < 0)
		return -EINVAL;
	if (team->member[member].used)
		return -EBUSY;
	pass_time(team, now);
	team->member[member] = (struct tp_team_member){
		.used = true,
		.conf = *conf,
		.port_id = port_id,
		.distance = distance,
		.watch_at = team->now,
		.link_due = TP_NEVER,
		.changed_at = team->now,
	};
	team->changed |= RTE_BIT32(member);
	if (member == team->conf.primary)
		team->force_primary = true;
	update(team);
	return 0;
}

static struct tp_team_member *
find(struct tp_team *team, uint8_t member)
{
	if (member >= TP_MAX_MEMBERS || !team->member[member].used)
		return NULL;
	return &team->member[member];
}

int
tp_team_del(struct tp_team *team, uint8_t member, uint64_t now)
{
	struct tp_team_member *m = find(team, member);

	if (m == NULL)
		return -EINVAL;
	pass_time(team, now);
	m->used = false;
	team->changed |= RTE_BIT32(member);
	update(team);
	memset(m, 0, sizeof(*m));
	m->link_due = TP_NEVER;
	return 0;
}

int
tp_team_set_member(struct tp_team *team, uint8_t member, const struct tp_member_conf *conf,
                uint64_t now)
{
	struct tp_team_member *m = find(team, member);
	bool new_weight;

	if (m == NULL || tp_member_conf_check(conf, NULL, 0) < 0)
		return -EINVAL;
	pass_time(team, now);
	new_weight = conf->weight != m->conf.weight;
	m->conf = *conf;
	if (new_weight && team_map_settle(team) > 0)
		team->pending |= TP_TEAM_ACT_DIST;
	update(team);
	return 0;
}

void
tp_team_enable(struct tp_team *team, uint8_t member, bool enable, uint64_t now)
{
	if (find(team, member) == NULL)
		return;
	pass_time(team, now);
	team_link_enable(team, member, enable);
	update(team);
}

void
tp_team_watch(struct tp_team *team, uint8_t member, bool up, uint32_t speed_mbps, uint64_t now)
{
	struct tp_team_member *m = find(team, member);

	if (m == NULL)
		return;
	pass_time(team, now);
	/* A port without link has no speed: until downdelay is over it counts with its last one. */
	if (up || speed_mbps != 0)
		m->speed_mbps = speed_mbps;
	team_link_watch(team, member, up);
	update(team);
}

void
tp_team_fence(struct tp_team *team, uint8_t member, bool fenced, uint64_t now)
{
	struct tp_team_member *m = find(team, member);

	if (m == NULL || m->fenced == fenced)
		return;
	pass_time(team, now);
	m->fenced = fenced;
	team->changed |= RTE_BIT32(member);
	update(team);
}

/* ---- time --------------------------------------------------------------- */

static bool
is_due(struct tp_team *team, uint8_t *left, uint64_t *due, uint64_t gap)
{
	if (*due > team->now)
		return false;
	(*left)--;
	*due = *left > 0 ? team->now + gap : TP_NEVER;
	return true;
}

static void
poll_timers(struct tp_team *team)
{
	const struct tp_team_conf *conf = &team->conf;

	if (is_due(team, &team->announce_left, &team->announce_due,
	                    conf->peer_notif_delay_ms * TP_NS_PER_MS))
		team->pending |= TP_TEAM_ACT_ANNOUNCE;
	if (is_due(team, &team->igmp_left, &team->igmp_due, TEAM_IGMP_GAP))
		team->pending |= TP_TEAM_ACT_IGMP;
	if (conf->mode == TP_MODE_LOAD && team->rebalance_due <= team->now) {
		team->rebalance_due = team->now + conf->rebalance_interval_ms * TP_NS_PER_MS;
		if (team->primary != TP_MEMBER_NONE)
			team->pending |= TP_TEAM_ACT_REBALANCE;
	}
}

static uint32_t
announce_mask(const struct tp_team *team)
{
	if (team_mode(team)->announce_all)
		return team_distributing(team);
	return team->primary == TP_MEMBER_NONE ? 0 : RTE_BIT32(team->primary);
}

void
tp_team_poll(struct tp_team *team, uint64_t now, struct tp_team_actions *act)
{
	pass_time(team, now);
	update(team);
	poll_timers(team);
	*act = (struct tp_team_actions){
		.what = team->pending,
		.primary = team->primary,
		.carrier = team->carrier,
		.announce = announce_mask(team),
		.changed = team->changed,
	};
	for (uint8_t i = 0; i < TP_MAX_MEMBERS; i++)
		act->accept[i] = team_accept(team, i);
	team->pending = 0;
	team->changed = 0;
}

uint64_t
tp_team_next(const struct tp_team *team)
{
	uint64_t next = RTE_MIN(team->announce_due, team->igmp_due);

	if (team->pending != 0)
		return team->now;
	if (team->conf.mode == TP_MODE_LOAD)
		next = RTE_MIN(next, team->rebalance_due);
	return RTE_MIN(next, team_link_next(team));
}

/* ---- the distribution --------------------------------------------------- */

void
tp_team_fill_dist(struct tp_team *team, struct tp_dist *dist)
{
	const struct tp_mode *mode = team_mode(team);

	dist->version = ++team->version;
	dist->mode = team->conf.mode;
	dist->lazy = mode->lazy;
	dist->active = mode->single ? team->primary : TP_MEMBER_NONE;
	dist->nb_buckets = team->conf.nb_buckets;
	dist->skew_ns = team->conf.skew_us * TP_NS_PER_US;
	dist->alive_mask = team_distributing(team);
	if (mode->single)
		dist->alive_mask = team->primary == TP_MEMBER_NONE ? 0 : RTE_BIT32(team->primary);
	dist->nb_alive = 0;
	for (uint8_t i = 0; i < TP_MAX_MEMBERS; i++)
		if (dist->alive_mask & RTE_BIT32(i))
			dist->alive[dist->nb_alive++] = i;
	if (mode->single)
		memset(dist->map, team->primary, dist->nb_buckets);
	else
		memcpy(dist->map, team->map, dist->nb_buckets);
}
