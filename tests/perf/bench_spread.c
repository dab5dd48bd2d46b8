/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* How flows spread over the members, and what moves when one is lost or comes back: the real
 * hash, engine and bucket map, no time.
 *
 * `random-n*`, `even-n*`, `equal-n*`: the worst member's flows over its fair share, the 95th
 * percentile of 1000 random addresses: 4096 random flows; 16 streams between two hosts with even
 * source ports, as Linux gives them out; 256 pairs of hosts a.b.x.y and c.d.x.y with the same
 * port on both ends. The peer is an ideal hash, a random number for each flow, with the same
 * buckets; beside it net_bonding, by transmitting the same frames through it (mode balance, l34,
 * over net_null) and counting. The peer of `moved-*` is net_bonding's policy l34: XOR of
 * addresses and ports, folded, modulo the members, computed by its formula, as is its list of
 * active members (a lost one closes the gap, one that returns is put at the end).
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_eth_bond.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>

#include "bench.h"
#include "bonding.h"
#include "tp_team.h"
#include "traffic.h"

#define NB_FLOWS 65536
#define MAX_MEMBERS 16

/** Both ends of a flow, host byte order. */
struct ends {
	uint32_t src, dst;
	uint16_t sport, dport;
};

static struct rte_mempool *pool;
static struct ends ends[NB_FLOWS];
static uint32_t hashes[NB_FLOWS];

static struct ends
random_ends(uint32_t flow)
{
	const uint64_t a = traffic_random(2 * flow), p = traffic_random(2 * flow + 1);

	return (struct ends){ .src = (uint32_t)a,
		.dst = a >> 32,
		.sport = (uint16_t)p,
		.dport = (uint16_t)(p >> 16) };
}

/* @return 0 or -ENOMEM */
static int
hash_flows(const struct tp_team_conf *conf)
{
	struct tp_flow *flow = tp_flow_create(&conf->flow, SOCKET_ID_ANY);
	struct rte_mbuf *pkts[BENCH_BURST];
	uint32_t hash[TP_BURST_MAX];

	if (flow == NULL || rte_pktmbuf_alloc_bulk(pool, pkts, BENCH_BURST) != 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < NB_FLOWS; i += BENCH_BURST) {
		for (uint32_t k = 0; k < BENCH_BURST; k++) {
			struct ends *e = &ends[i + k];

			*e = random_ends(i + k);
			traffic_udp4(pkts[k], e->src, e->dst, e->sport, e->dport);
		}
		tp_flow_hash_burst(flow, pkts, BENCH_BURST, hash);
		memcpy(&hashes[i], hash, BENCH_BURST * sizeof(hash[0]));
	}
	rte_pktmbuf_free_bulk(pkts, BENCH_BURST);
	tp_flow_free(flow);
	return 0;
}

/* ---- what moves ------------------------------------------------------------- */

static void
place_ours(const struct tp_team *team, uint8_t *place)
{
	for (uint32_t i = 0; i < NB_FLOWS; i++)
		place[i] = team->map[tp_bucket_of(hashes[i], team->conf.nb_buckets)];
}

/* net_bonding, l34 over IPv4. */
static void
place_bonding(const uint8_t *active, uint8_t nb, uint8_t *place)
{
	for (uint32_t i = 0; i < NB_FLOWS; i++) {
		const struct ends *e = &ends[i];
		/* It reads both in network byte order, as they lie in memory. */
		uint32_t hash = rte_cpu_to_be_32(e->src ^ e->dst) ^
		                rte_cpu_to_be_16(e->sport ^ e->dport);

		hash ^= hash >> 16;
		hash ^= hash >> 8;
		place[i] = active[hash % nb];
	}
}

static double
percent_moved(const uint8_t *before, const uint8_t *after)
{
	uint32_t moved = 0;

	for (uint32_t i = 0; i < NB_FLOWS; i++)
		moved += before[i] != after[i];
	return 100.0 * moved / NB_FLOWS;
}

/** Percent of flows that move, at worst, whichever member it is. */
struct moved {
	double lost;
	double back;
};

static void
keep_worst(struct moved *worst, const uint8_t *all, const uint8_t *without, const uint8_t *again)
{
	worst->lost = RTE_MAX(worst->lost, percent_moved(all, without));
	worst->back = RTE_MAX(worst->back, percent_moved(without, again));
}

/* A team of equal members, all up. */
static void
team_of(struct tp_team *team, const struct tp_team_conf *conf, uint8_t nb)
{
	const struct tp_member_conf member = { .weight = 100 };

	tp_team_init(team, conf, 0);
	for (uint8_t i = 0; i < nb; i++) {
		tp_team_add(team, i, i, 10, &member, 0);
		tp_team_enable(team, i, true, 0);
		tp_team_watch(team, i, true, 10000, 0);
	}
}

static struct moved
move_ours(const struct tp_team_conf *conf, uint8_t nb)
{
	static uint8_t all[NB_FLOWS], without[NB_FLOWS], again[NB_FLOWS];
	static struct tp_team team;
	struct moved worst = { 0 };

	team_of(&team, conf, nb);
	for (uint8_t lost = 0; lost < nb; lost++) {
		place_ours(&team, all);
		tp_team_watch(&team, lost, false, 0, 0);
		place_ours(&team, without);
		tp_team_watch(&team, lost, true, 10000, 0);
		place_ours(&team, again);
		keep_worst(&worst, all, without, again);
	}
	return worst;
}

static struct moved
move_bonding(uint8_t nb)
{
	static uint8_t all[NB_FLOWS], without[NB_FLOWS], again[NB_FLOWS];
	struct moved worst = { 0 };

	for (uint8_t lost = 0; lost < nb; lost++) {
		uint8_t active[MAX_MEMBERS];

		for (uint8_t i = 0; i < nb; i++)
			active[i] = i;
		place_bonding(active, nb, all);
		for (uint8_t i = lost; i + 1 < nb; i++)
			active[i] = i + 1;
		place_bonding(active, nb - 1, without);
		active[nb - 1] = lost;
		place_bonding(active, nb, again);
		keep_worst(&worst, all, without, again);
	}
	return worst;
}

static void
report_moved(struct bench *b, const char *what, uint8_t nb, double ours, double peer)
{
	char name[32];

	snprintf(name, sizeof(name), "moved-%s-n%u", what, nb);
	if (!bench_wants(b, name))
		return;
	bench_report(b, &(struct bench_result){ .case_name = name,
	                                .value = ours,
	                                .unit = "percent of flows",
	                                .peer = "net_bonding l34 (its formula)",
	                                .peer_value = peer,
	                                .goal = 100.0 / nb + 1,
	                                .nb_runs = nb });
}

static void
moved_cases(struct bench *b, const struct tp_team_conf *conf)
{
	for (uint8_t nb = 2; nb <= MAX_MEMBERS; nb *= 2) {
		const struct moved ours = move_ours(conf, nb), peer = move_bonding(nb);

		report_moved(b, "lost", nb, ours.lost, peer.lost);
		report_moved(b, "back", nb, ours.back, peer.back);
	}
}

/* ---- how they spread --------------------------------------------------------- */

#define NB_BASES 1000
#define NB_BASES_QUICK 40

/** Some flows that depend on a random base of addresses. */
struct pattern {
	const char *name;
	uint32_t nb_flows;
	struct ends (*ends)(uint64_t base, uint32_t i);
};

static struct ends
ends_random(uint64_t base, uint32_t i)
{
	return random_ends((uint32_t)base + i);
}

static struct ends
ends_even(uint64_t base, uint32_t i)
{
	const uint64_t r = traffic_random(base);

	return (struct ends){ .src = (uint32_t)r,
		.dst = r >> 32,
		.sport = (uint16_t)(32768 + (traffic_random(~base) % 14000 + i) * 2),
		.dport = 5201 };
}

static struct ends
ends_equal(uint64_t base, uint32_t i)
{
	const uint64_t r = traffic_random(base), p = traffic_random(~base);
	const uint16_t host = (uint16_t)(p & 0xff00) | i;

	return (struct ends){ .src = (uint32_t)(r & 0xffff0000) | host,
		.dst = (uint32_t)(r >> 32 & 0xffff0000) | host,
		.sport = p >> 16,
		.dport = p >> 16 };
}

static const struct pattern patterns[] = {
	{ "random", 4096, ends_random },
	{ "even", 16, ends_even },
	{ "equal", 256, ends_equal },
};

/** Everything that one case needs. */
struct spread {
	const struct pattern *pattern;
	uint8_t nb;            /**< members */
	unsigned int nb_bases; /**< repetitions */
	struct tp_flow *flow;
	const struct tp_team *team;
	struct bonding bond;
	uint32_t ours[MAX_MEMBERS], ideal[MAX_MEMBERS], bonding[MAX_MEMBERS]; /**< flows */
};

static void
count_bonding(struct spread *s, int sign)
{
	struct rte_eth_stats stats;

	for (uint8_t i = 0; i < s->nb; i++) {
		rte_eth_stats_get(s->bond.member[i], &stats);
		s->bonding[i] += sign * (int)stats.opackets;
	}
}

static uint8_t
member_of(const struct spread *s, uint32_t hash)
{
	return s->team->map[tp_bucket_of(hash, s->team->conf.nb_buckets)];
}

/* Count the flows from `first` on, one burst at most. @return how many; 0: no memory */
static uint32_t
count_burst(struct spread *s, uint64_t base, uint32_t first)
{
	const uint32_t n = RTE_MIN(s->pattern->nb_flows - first, (uint32_t)BENCH_BURST);
	struct rte_mbuf *pkts[BENCH_BURST];
	uint32_t hash[TP_BURST_MAX];

	if (rte_pktmbuf_alloc_bulk(pool, pkts, n) != 0)
		return 0;
	for (uint32_t i = 0; i < n; i++) {
		const struct ends e = s->pattern->ends(base, first + i);

		traffic_udp4(pkts[i], e.src, e.dst, e.sport, e.dport);
		s->ideal[member_of(s, (uint32_t)traffic_random(base ^ (first + i) << 20))]++;
	}
	tp_flow_hash_burst(s->flow, pkts, (uint16_t)n, hash);
	for (uint32_t i = 0; i < n; i++)
		s->ours[member_of(s, hash[i])]++;
	return rte_eth_tx_burst(s->bond.port_id, 0, pkts, (uint16_t)n);
}

/* The worst member's flows over its fair share. Clears the counts. */
static double
worst_share(const struct spread *s, uint32_t *count)
{
	uint32_t worst = 0;

	for (uint8_t i = 0; i < s->nb; i++)
		worst = RTE_MAX(worst, count[i]);
	memset(count, 0, MAX_MEMBERS * sizeof(*count));
	return (double)worst * s->nb / s->pattern->nb_flows;
}

static int
by_value(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Nearest rank. Sorts. */
static double
percentile_95(double *values, unsigned int nb)
{
	qsort(values, nb, sizeof(*values), by_value);
	return values[(nb * 95 + 99) / 100 - 1];
}

static void
report_spread(struct bench *b, const struct spread *s, const char *name, double *ours,
                double *ideal, double *bonding)
{
	double p95 = percentile_95(bonding, s->nb_bases);
	struct bench_result result = {
		.case_name = name,
		.value = percentile_95(ours, s->nb_bases),
		.unit = "worst over fair share, p95",
		.peer = "ideal random hash",
		.peer_value = percentile_95(ideal, s->nb_bases),
		.nb_runs = s->nb_bases,
		.extra = json_pack("{s:f, s:i, s:i}", "bonding", p95, "flows", s->pattern->nb_flows,
		                "buckets", s->team->conf.nb_buckets),
	};

	result.goal = 1.1 * result.peer_value;
	bench_report(b, &result);
}

static void
spread_case(struct bench *b, struct spread *s, const char *name)
{
	static double ours[NB_BASES], ideal[NB_BASES], bonding[NB_BASES];

	for (unsigned int k = 0; k < s->nb_bases; k++) {
		const uint64_t base = traffic_random(k);
		uint32_t done = 0, n;

		count_bonding(s, -1);
		for (n = 1; done < s->pattern->nb_flows && n > 0; done += n)
			n = count_burst(s, base, done);
		count_bonding(s, 1);
		if (n == 0) {
			bench_fail(b, name, "frames got lost");
			return;
		}
		ours[k] = worst_share(s, s->ours);
		ideal[k] = worst_share(s, s->ideal);
		bonding[k] = worst_share(s, s->bonding);
	}
	report_spread(b, s, name, ours, ideal, bonding);
}

/* All patterns over so many members. */
static void
spread_over(struct bench *b, const struct tp_team_conf *conf, uint8_t nb)
{
	struct spread s = { .nb = nb, .nb_bases = b->quick ? NB_BASES_QUICK : NB_BASES };
	static struct tp_team team;
	char name[32];
	int rc;

	team_of(&team, conf, nb);
	s.team = &team;
	s.flow = tp_flow_create(&conf->flow, SOCKET_ID_ANY);
	rc = s.flow == NULL ? -ENOMEM
	                    : bonding_create(&s.bond, nb, BALANCE_XMIT_POLICY_LAYER34, pool);
	for (size_t i = 0; i < RTE_DIM(patterns); i++) {
		s.pattern = &patterns[i];
		snprintf(name, sizeof(name), "%s-n%u", patterns[i].name, nb);
		if (!bench_wants(b, name))
			continue;
		if (rc < 0)
			bench_fail(b, name, strerror(-rc));
		else
			spread_case(b, &s, name);
	}
	tp_flow_free(s.flow);
}

static void
spread_cases(struct bench *b, const struct tp_team_conf *conf)
{
	static const uint8_t members[] = { 2, 3, 4, 8 };

	for (size_t i = 0; i < RTE_DIM(members); i++)
		spread_over(b, conf, members[i]);
}

int
main(int argc, char **argv)
{
	struct tp_team_conf conf;
	struct bench b;
	int rc = bench_init(&b, "spread", argc, argv, NULL);

	if (rc != 0)
		return bench_exit_code(rc);
	tp_team_conf_default(&conf);
	pool = tp_pool_create("spread", 4095, 256, TP_POOL_DATA_ROOM, SOCKET_ID_ANY);
	if (pool == NULL || hash_flows(&conf) != 0) {
		bench_fail(&b, "all", "no memory");
	} else {
		spread_cases(&b, &conf);
		moved_cases(&b, &conf);
	}
	return bench_fini(&b);
}
