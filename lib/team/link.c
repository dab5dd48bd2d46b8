/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Delays and damping between what the link watches say and the fact "link", as in Linux
 * bonding (miimon with updelay and downdelay).
 */

#include <string.h>

#include "team_int.h"

static bool
is_wanted(const struct tp_team_member *m)
{
	return m->enabled && m->watch_up;
}

static void
set_due(const struct tp_team *team, struct tp_team_member *m)
{
	const struct tp_team_conf *conf = &team->conf;

	if (!m->used || is_wanted(m) == m->link)
		m->link_due = TP_NEVER;
	else if (m->link)
		m->link_due = m->watch_at + conf->downdelay_ms * TP_NS_PER_MS;
	else
		m->link_due = RTE_MAX(
		                m->watch_at + conf->updelay_ms * TP_NS_PER_MS, m->damped_until);
}

static void
set_link(struct tp_team *team, uint8_t member, bool up)
{
	struct tp_team_member *m = &team->member[member];

	m->link = up;
	m->link_due = TP_NEVER;
	m->changed_at = team->now;
	if (up)
		m->damped_until = 0;
	team->changed |= RTE_BIT32(member);
}

/* Remember a failure; too many in the window keep the member out for a while. */
static void
count_failure(struct tp_team *team, struct tp_team_member *m)
{
	const uint64_t window = team->conf.flap_window_ms * TP_NS_PER_MS;
	uint8_t old = 0;

	m->failures++;
	while (old < m->nb_flaps && team->now - m->flap_at[old] > window)
		old++;
	if (old == 0 && m->nb_flaps == RTE_DIM(m->flap_at))
		old = 1;
	m->nb_flaps -= old;
	memmove(m->flap_at, m->flap_at + old, m->nb_flaps * sizeof(m->flap_at[0]));
	m->flap_at[m->nb_flaps++] = team->now;
	if (team->conf.flap_max == 0 || m->nb_flaps <= team->conf.flap_max)
		return;
	m->nb_flaps = 0;
	m->damped_until = team->now + team->conf.flap_hold_ms * TP_NS_PER_MS;
}

void
team_link_enable(struct tp_team *team, uint8_t member, bool enable)
{
	struct tp_team_member *m = &team->member[member];

	if (m->enabled == enable)
		return;
	m->enabled = enable;
	m->watch_at = team->now;
	m->nb_flaps = 0;
	m->damped_until = 0;
	if (m->link)
		set_link(team, member, false);
}

void
team_link_watch(struct tp_team *team, uint8_t member, bool up)
{
	struct tp_team_member *m = &team->member[member];

	if (m->watch_up == up)
		return;
	m->watch_up = up;
	m->watch_at = team->now;
}

/* Who has waited longest to come up; a damped one only if there is no other. */
static uint8_t
first_waiting(const struct tp_team *team)
{
	uint8_t best = TP_MEMBER_NONE;

	for (uint8_t i = 0; i < TP_MAX_MEMBERS; i++) {
		const struct tp_team_member *m = &team->member[i], *b;

		if (!m->used || m->fenced || m->link || !is_wanted(m))
			continue;
		if (best == TP_MEMBER_NONE) {
			best = i;
			continue;
		}
		b = &team->member[best];
		if (m->damped_until != b->damped_until ? m->damped_until < b->damped_until
		                                       : m->watch_at < b->watch_at)
			best = i;
	}
	return best;
}

static bool
any_usable(const struct tp_team *team)
{
	for (uint8_t i = 0; i < TP_MAX_MEMBERS; i++)
		if (team_usable(&team->member[i]))
			return true;
	return false;
}

void
team_link_advance(struct tp_team *team)
{
	uint8_t waiting;

	for (uint8_t i = 0; i < TP_MAX_MEMBERS; i++) {
		struct tp_team_member *m = &team->member[i];

		set_due(team, m);
		if (m->link_due > team->now)
			continue;
		if (m->link)
			count_failure(team, m);
		set_link(team, i, !m->link);
	}
	if (any_usable(team))
		return;
	waiting = first_waiting(team);
	if (waiting != TP_MEMBER_NONE)
		set_link(team, waiting, true);
}

uint64_t
team_link_next(const struct tp_team *team)
{
	uint64_t next = TP_NEVER;

	for (uint8_t i = 0; i < TP_MAX_MEMBERS; i++)
		next = RTE_MIN(next, team->member[i].link_due);
	return next;
}
