/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include "team_int.h"

/* > 0: a is better than b, by everything but the port id. */
static int
compare(const struct tp_team *team, uint8_t a, uint8_t b)
{
	const struct tp_team_member *ma = &team->member[a], *mb = &team->member[b];

	if (a == team->conf.primary || b == team->conf.primary)
		return (a == team->conf.primary) - (b == team->conf.primary);
	if (ma->conf.prio != mb->conf.prio)
		return ma->conf.prio > mb->conf.prio ? 1 : -1;
	if (ma->speed_mbps != mb->speed_mbps)
		return ma->speed_mbps > mb->speed_mbps ? 1 : -1;
	if (ma->distance != mb->distance)
		return ma->distance < mb->distance ? 1 : -1;
	return 0;
}

static uint8_t
best_candidate(const struct tp_team *team)
{
	uint8_t best = TP_MEMBER_NONE;

	for (uint8_t i = 0; i < TP_MAX_MEMBERS; i++) {
		int cmp;

		if (!team->member[i].distributing)
			continue;
		cmp = best == TP_MEMBER_NONE ? 1 : compare(team, i, best);
		if (cmp > 0 || (cmp == 0 && team->member[i].port_id < team->member[best].port_id))
			best = i;
	}
	return best;
}

uint8_t
tp_team_elect(const struct tp_team *team)
{
	const uint8_t best = best_candidate(team), present = team->primary;
	bool takes_over;

	if (present == TP_MEMBER_NONE || !team->member[present].distributing)
		return best;
	if (best == team->conf.primary && team->force_primary)
		return best;
	/* Changing the primary is never free: not for the port id alone. */
	if (compare(team, best, present) <= 0)
		return present;
	switch (team->conf.primary_reselect) {
	case TP_RESELECT_BETTER:
		takes_over = team->member[best].speed_mbps > team->member[present].speed_mbps;
		break;
	case TP_RESELECT_FAILURE:
		takes_over = false;
		break;
	default:
		takes_over = true;
	}
	return takes_over ? best : present;
}
