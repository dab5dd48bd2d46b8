/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* How flows spread over the members, and what moves when one is lost or comes back: the real
 * hash, engine and bucket map, no time. The peer of `moved-*` is net_bonding's policy l34: XOR of
 * addresses and ports, folded, modulo the members, computed by its formula, as is its list of
 * active members (a lost one closes the gap, one that returns is put at the end).
 */

#include <rte_malloc.h>
#include <rte_mbuf.h>

#include "bench.h"
#include "tp_team.h"
#include "traffic.h"

#define NB_FLOWS 65536
#define MAX_MEMBERS 16

/** Both ends of a flow, host byte order. */
struct ends {
	uint32_t src, dst;
	uint16_t sport, dport;
};

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
	struct rte_mempool *pool =
	                tp_pool_create("spread", 1023, 0, TP_POOL_DATA_ROOM, SOCKET_ID_ANY);
	struct tp_flow *flow = tp_flow_create(&conf->flow, SOCKET_ID_ANY);
	struct rte_mbuf *pkts[BENCH_BURST];
	uint32_t hash[TP_BURST_MAX];

	if (pool == NULL || flow == NULL || rte_pktmbuf_alloc_bulk(pool, pkts, BENCH_BURST) != 0)
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

static struct moved
move_ours(const struct tp_team_conf *conf, uint8_t nb)
{
	static uint8_t all[NB_FLOWS], without[NB_FLOWS], again[NB_FLOWS];
	const struct tp_member_conf member = { .weight = 100 };
	static struct tp_team team;
	struct moved worst = { 0 };

	tp_team_init(&team, conf, 0);
	for (uint8_t i = 0; i < nb; i++) {
		tp_team_add(&team, i, i, 10, &member, 0);
		tp_team_enable(&team, i, true, 0);
		tp_team_watch(&team, i, true, 10000, 0);
	}
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

int
main(int argc, char **argv)
{
	struct tp_team_conf conf;
	struct bench b;
	int rc = bench_init(&b, "spread", argc, argv, NULL);

	if (rc != 0)
		return bench_exit_code(rc);
	tp_team_conf_default(&conf);
	if (hash_flows(&conf) != 0)
		bench_fail(&b, "moved", "no memory");
	else
		moved_cases(&b, &conf);
	return bench_fini(&b);
}
