/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Mode load (claim A7): greedy, the fullest member gives to the emptiest. Each move lowers the
 * fuller one of the two, so that no sequence of moves can come back to where it began.
 */

#include "team_int.h"

/* Below this many bytes in an interval nothing is contended and shares are noise. */
#define MIN_BYTES 15000
/* Work of one call is bounded: each move looks at every bucket. */
#define MAX_LOOKS (1u << 18)
#define MIN_MOVES 16
#define MAX_MOVES 64
/* How many calls a bucket that was never idle is left alone. */
#define REST_CALLS 20

struct balance {
	const uint64_t *bytes;
	double load[TP_MAX_MEMBERS];
	double capacity[TP_MAX_MEMBERS]; /**< 0: takes no part (any more) */
	double mean;                     /**< load per capacity of those that take part */
};

/* Members of unknown speed count as the slowest known one. */
static uint32_t
slowest(const struct tp_team *team, const uint32_t *weight)
{
	uint32_t speed = UINT32_MAX;

	for (uint8_t i = 0; i < TP_MAX_MEMBERS; i++)
		if (weight[i] > 0 && team->member[i].speed_mbps > 0)
			speed = RTE_MIN(speed, team->member[i].speed_mbps);
	return speed == UINT32_MAX ? 1 : speed;
}

static void
get_loads(const struct tp_team *team, const uint64_t *bytes, struct balance *bal)
{
	uint32_t weight[TP_MAX_MEMBERS], unknown;

	*bal = (struct balance){ .bytes = bytes };
	team_weights(team, weight);
	unknown = slowest(team, weight);
	for (uint8_t i = 0; i < TP_MAX_MEMBERS; i++) {
		const uint32_t speed = team->member[i].speed_mbps;

		bal->capacity[i] = (double)weight[i] * (speed > 0 ? speed : unknown);
	}
	for (uint32_t b = 0; b < team->conf.nb_buckets; b++)
		if (team->map[b] != TP_MEMBER_NONE)
			bal->load[team->map[b]] += (double)bytes[b];
}

static void
set_mean(struct balance *bal)
{
	double load = 0, capacity = 0;

	for (uint8_t i = 0; i < TP_MAX_MEMBERS; i++) {
		if (bal->capacity[i] == 0)
			continue;
		load += bal->load[i];
		capacity += bal->capacity[i];
	}
	bal->mean = capacity > 0 ? load / capacity : 0;
}

static double
relative(const struct balance *bal, uint8_t member)
{
	return bal->load[member] / bal->capacity[member];
}

/* The fullest member that takes part, or NONE. */
static uint8_t
fullest(const struct balance *bal)
{
	uint8_t best = TP_MEMBER_NONE;

	for (uint8_t i = 0; i < TP_MAX_MEMBERS; i++) {
		if (bal->capacity[i] == 0)
			continue;
		if (best == TP_MEMBER_NONE || relative(bal, i) > relative(bal, best))
			best = i;
	}
	return best;
}

/* The emptiest member below the mean that was not tried yet, or NONE. */
static uint8_t
emptiest(const struct balance *bal, uint32_t tried)
{
	uint8_t best = TP_MEMBER_NONE;

	for (uint8_t i = 0; i < TP_MAX_MEMBERS; i++) {
		if (bal->capacity[i] == 0 || (tried & RTE_BIT32(i)) ||
		                relative(bal, i) >= bal->mean)
			continue;
		if (best == TP_MEMBER_NONE || relative(bal, i) < relative(bal, best))
			best = i;
	}
	return best;
}

/* The largest bucket of `from` that neither empties it below the mean nor fills `to` above it,
 * by more than slack; if all are larger, the smallest one that still lowers the maximum.
 * @return bucket, or nb_buckets when there is none
 */
static uint32_t
pick_bucket(const struct tp_team *team, const struct balance *bal, uint8_t from, uint8_t to,
                double slack)
{
	const double excess = bal->load[from] - bal->mean * bal->capacity[from];
	const double room = bal->mean * bal->capacity[to] - bal->load[to];
	const double fit = RTE_MIN(excess, room) +
	                   slack * bal->mean * RTE_MIN(bal->capacity[from], bal->capacity[to]);
	/* A hair less than what would make `to` as full as `from` is. */
	const double limit =
	                (1 - slack / 4) * relative(bal, from) * bal->capacity[to] - bal->load[to];
	const uint32_t none = team->conf.nb_buckets;
	uint32_t fitting = none, smallest = none;

	for (uint32_t b = 0; b < team->conf.nb_buckets; b++) {
		const double x = (double)bal->bytes[b];

		if (team->map[b] != from || x == 0 || x >= limit || team->rest[b] > 0)
			continue;
		if (x <= fit && (fitting == none || bal->bytes[b] > bal->bytes[fitting]))
			fitting = b;
		if (smallest == none || bal->bytes[b] < bal->bytes[smallest])
			smallest = b;
	}
	return fitting != none ? fitting : smallest;
}

static void
move_bucket(struct tp_team *team, struct balance *bal, uint32_t bucket, uint8_t to)
{
	bal->load[team->map[bucket]] -= (double)bal->bytes[bucket];
	bal->load[to] += (double)bal->bytes[bucket];
	team->map[bucket] = to;
}

static uint32_t
move_buckets(struct tp_team *team, struct balance *bal)
{
	const double threshold = team->conf.rebalance_threshold / 100.0;
	/* Go on to half of what is tolerated, or the next gust would start it all again. */
	const double goal = threshold / 2;
	const uint32_t fair = MAX_LOOKS / team->conf.nb_buckets;
	uint32_t left = RTE_MAX(RTE_MIN(fair, MAX_MOVES), MIN_MOVES);
	uint32_t moved = 0, tried = 0;

	for (set_mean(bal); left > 0; left--) {
		const uint8_t from = fullest(bal), to = emptiest(bal, tried);
		uint32_t b;

		if (from == TP_MEMBER_NONE ||
		                relative(bal, from) <= bal->mean * (1 + (moved ? goal : threshold)))
			break;
		if (to == TP_MEMBER_NONE) {
			/* What cannot be helped: the others still share the rest evenly. */
			bal->capacity[from] = 0;
			set_mean(bal);
			tried = 0;
			continue;
		}
		b = pick_bucket(team, bal, from, to, goal);
		if (b == team->conf.nb_buckets) {
			tried |= RTE_BIT32(to);
			continue;
		}
		move_bucket(team, bal, b, to);
		tried = 0;
		moved++;
	}
	return moved;
}

/* Buckets that did not get where they should go stay where they are, and are left alone. */
static uint32_t
give_up(struct tp_team *team, const uint8_t *actual)
{
	uint32_t nb = 0;

	for (uint32_t b = 0; b < team->conf.nb_buckets; b++) {
		if (team->rest[b] > 0)
			team->rest[b]--;
		if (actual[b] == team->map[b] || actual[b] >= TP_MAX_MEMBERS ||
		                !team->member[actual[b]].distributing)
			continue;
		team->map[b] = actual[b];
		team->rest[b] = REST_CALLS;
		nb++;
	}
	return nb;
}

uint32_t
tp_team_rebalance(struct tp_team *team, const uint64_t *bytes, const uint8_t *actual, uint64_t now)
{
	struct balance bal;
	uint32_t moved = 0;
	double total = 0;

	team->now = RTE_MAX(team->now, now);
	if (team->conf.mode != TP_MODE_LOAD || team->primary == TP_MEMBER_NONE)
		return 0;
	if (actual != NULL)
		moved = give_up(team, actual);
	get_loads(team, bytes, &bal);
	for (uint8_t i = 0; i < TP_MAX_MEMBERS; i++)
		total += bal.load[i];
	if (total >= MIN_BYTES)
		moved += move_buckets(team, &bal);
	if (moved > 0)
		team->pending |= TP_TEAM_ACT_DIST;
	return moved;
}
