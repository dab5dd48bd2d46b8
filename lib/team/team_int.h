/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/** What the files of the engine share. */
#ifndef TEAM_INT_H
#define TEAM_INT_H

#include "tp_team.h"

/** Ends of Linux bonding's spacing of membership reports after a failover. */
#define TEAM_IGMP_GAP (200 * TP_NS_PER_MS)

static inline const struct tp_mode *
team_mode(const struct tp_team *team)
{
	return &tp_modes[team->conf.mode];
}

/** May it carry the host's traffic at all? The modes narrow it further. */
static inline bool
team_usable(const struct tp_team_member *m)
{
	return m->used && m->enabled && m->link && !m->fenced;
}

/** @return mask of distributing members */
uint32_t team_distributing(const struct tp_team *team);

/* mode.c */

/** @return enum tp_accept of a member in the present mode */
uint8_t team_accept(const struct tp_team *team, uint8_t member);

/* link.c */

/** Enabling and disabling takes effect at once and is no failure. */
void team_link_enable(struct tp_team *team, uint8_t member, bool enable);
void team_link_watch(struct tp_team *team, uint8_t member, bool up);
/** Let every delayed change that is due by team->now happen; marks members in team->changed. */
void team_link_advance(struct tp_team *team);
/** @return when the next delayed change is due, or TP_NEVER */
uint64_t team_link_next(const struct tp_team *team);

/* map.c */

/** Orphans of members that do not distribute (any more) are spread over those that do; nothing
 * else moves. @return buckets that moved */
uint32_t team_map_adopt(struct tp_team *team);
/** A member takes its fair share, from the others in turn. @return buckets that moved */
uint32_t team_map_take(struct tp_team *team, uint8_t member);
/** The fewest moves that make every share the fair one. @return buckets that moved */
uint32_t team_map_settle(struct tp_team *team);
/** Split or join buckets; a split moves no flow. Settle afterwards. */
void team_map_resize(struct tp_team *team, uint32_t old_nb, uint32_t new_nb);

/** Weights that count now: 0 for members that do not distribute, and for those of weight 0 as
 * long as there are others. */
void team_weights(const struct tp_team *team, uint32_t weight[TP_MAX_MEMBERS]);

#endif
