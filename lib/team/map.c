/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* The bucket map. Fair shares are those of Webster's method: bucket number k+1 of a member has
 * the value weight / (2k + 1), and the nb_buckets most valuable ones exist (lower member index
 * first where values are equal). As that is one list in one order, taking a member out never
 * moves anything between those that stay, nor does putting one in: they only grow or shrink.
 */

#include <string.h>

#include "team_int.h"

/** Who has how many, and whence to look for the next one to give away. */
struct shares {
	uint32_t weight[TP_MAX_MEMBERS];
	uint32_t count[TP_MAX_MEMBERS];
	uint32_t cursor[TP_MAX_MEMBERS]; /**< no bucket of its at or above this index is left */
	uint8_t nb_members;              /**< highest index in use plus one */
};

void
team_weights(const struct tp_team *team, uint32_t weight[TP_MAX_MEMBERS])
{
	uint32_t sum = 0;

	for (uint8_t i = 0; i < TP_MAX_MEMBERS; i++) {
		const struct tp_team_member *m = &team->member[i];

		weight[i] = m->distributing ? m->conf.weight : 0;
		sum += weight[i];
	}
	if (sum > 0)
		return;
	for (uint8_t i = 0; i < TP_MAX_MEMBERS; i++)
		weight[i] = team->member[i].distributing;
}

static void
get_shares(const struct tp_team *team, struct shares *s)
{
	memset(s, 0, sizeof(*s));
	team_weights(team, s->weight);
	for (uint32_t b = 0; b < team->conf.nb_buckets; b++)
		if (team->map[b] != TP_MEMBER_NONE)
			s->count[team->map[b]]++;
	for (uint8_t i = 0; i < TP_MAX_MEMBERS; i++) {
		s->cursor[i] = team->conf.nb_buckets;
		if (s->weight[i] > 0 || s->count[i] > 0)
			s->nb_members = i + 1;
	}
}

/* Is bucket number ka+1 of a worth more than number kb+1 of b? */
static bool
is_worth_more(const struct shares *s, uint8_t a, uint32_t ka, uint8_t b, uint32_t kb)
{
	const uint64_t va = (uint64_t)s->weight[a] * (2 * kb + 1);
	const uint64_t vb = (uint64_t)s->weight[b] * (2 * ka + 1);

	return va != vb ? va > vb : a < b;
}

/* Who should get one more; NONE when nobody distributes. */
static uint8_t
best_receiver(const struct shares *s)
{
	uint8_t best = TP_MEMBER_NONE;

	for (uint8_t i = 0; i < s->nb_members; i++) {
		if (s->weight[i] == 0)
			continue;
		if (best == TP_MEMBER_NONE ||
		                is_worth_more(s, i, s->count[i], best, s->count[best]))
			best = i;
	}
	return best;
}

/* Who should give one away first; NONE when nobody but `but` has any. */
static uint8_t
best_donor(const struct shares *s, uint8_t but)
{
	uint8_t best = TP_MEMBER_NONE;

	for (uint8_t i = 0; i < s->nb_members; i++) {
		if (s->count[i] == 0 || i == but)
			continue;
		if (best == TP_MEMBER_NONE ||
		                is_worth_more(s, best, s->count[best] - 1, i, s->count[i] - 1))
			best = i;
	}
	return best;
}

static void
move_one(struct tp_team *team, struct shares *s, uint8_t from, uint8_t to)
{
	uint32_t b = s->cursor[from];

	do {
		b--;
	} while (team->map[b] != from);
	s->cursor[from] = b;
	s->count[from]--;
	s->count[to]++;
	team->map[b] = to;
}

/* Does `to` get one from `from`? Each such move brings the map nearer to the fair shares. */
static bool
try_move(struct tp_team *team, struct shares *s, uint8_t from, uint8_t to)
{
	if (from == TP_MEMBER_NONE || !is_worth_more(s, to, s->count[to], from, s->count[from] - 1))
		return false;
	move_one(team, s, from, to);
	return true;
}

uint32_t
team_map_adopt(struct tp_team *team)
{
	struct shares s;
	uint32_t moved = 0;

	for (uint32_t b = 0; b < team->conf.nb_buckets; b++)
		if (team->map[b] != TP_MEMBER_NONE && !team->member[team->map[b]].distributing) {
			team->map[b] = TP_MEMBER_NONE;
			moved++;
		}
	get_shares(team, &s);
	for (uint32_t b = 0; b < team->conf.nb_buckets; b++) {
		uint8_t to;

		if (team->map[b] != TP_MEMBER_NONE)
			continue;
		to = best_receiver(&s);
		if (to == TP_MEMBER_NONE)
			return moved;
		team->map[b] = to;
		s.count[to]++;
	}
	return moved;
}

uint32_t
team_map_take(struct tp_team *team, uint8_t member)
{
	struct shares s;
	uint32_t moved = 0, sum = 0, fair;

	get_shares(team, &s);
	if (s.weight[member] == 0)
		return 0;
	for (uint8_t i = 0; i < s.nb_members; i++)
		sum += s.weight[i];
	fair = (team->conf.nb_buckets * s.weight[member] + sum - 1) / sum;
	while (s.count[member] < fair && try_move(team, &s, best_donor(&s, member), member))
		moved++;
	return moved;
}

uint32_t
team_map_settle(struct tp_team *team)
{
	struct shares s;
	uint32_t moved = 0;
	uint8_t to;

	get_shares(team, &s);
	while ((to = best_receiver(&s)) != TP_MEMBER_NONE) {
		if (!try_move(team, &s, best_donor(&s, to), to))
			break;
		moved++;
	}
	return moved;
}

/* Of the buckets that become one, the member that has most of them keeps it. */
static uint8_t
most_frequent(const uint8_t *map, uint32_t nb)
{
	uint32_t count[TP_MAX_MEMBERS] = { 0 };
	uint8_t best = TP_MEMBER_NONE;

	for (uint32_t i = 0; i < nb; i++) {
		const uint8_t m = map[i];

		if (m == TP_MEMBER_NONE)
			continue;
		count[m]++;
		if (best == TP_MEMBER_NONE || count[m] > count[best])
			best = m;
	}
	return best;
}

/* tp_bucket_of() takes a hash's upper bits, so bucket b of n is buckets 2b and 2b+1 of 2n. */
void
team_map_resize(struct tp_team *team, uint32_t old_nb, uint32_t new_nb)
{
	if (new_nb > old_nb) {
		const uint32_t parts = new_nb / old_nb;

		for (uint32_t b = new_nb; b-- > 0;)
			team->map[b] = team->map[b / parts];
		return;
	}
	for (uint32_t b = 0; b < new_nb; b++)
		team->map[b] = most_frequent(&team->map[b * (old_nb / new_nb)], old_nb / new_nb);
	memset(&team->map[new_nb], TP_MEMBER_NONE, old_nb - new_nb);
}

uint32_t
tp_team_nb_buckets_of(const struct tp_team *team, uint8_t member)
{
	uint32_t nb = 0;

	for (uint32_t b = 0; b < team->conf.nb_buckets; b++)
		nb += team->map[b] == member;
	return nb;
}
