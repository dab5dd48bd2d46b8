/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* The balancing stage: parse, hash, bucket, sort by member. Peer: what net_bonding with the
 * same policy and as many members adds over a direct rte_eth_tx_burst(), in the same run.
 *
 * `value` is the stage by itself, bursts back to back. Beside it: `iso`, each burst fenced;
 * `added`, what the stage and a tx_burst per member add over a direct tx_burst, so the very
 * thing that is measured of net_bonding.
 *
 * Frames lie in 128 buffers that stay in the first-level cache, as those that a port has just
 * received; after every 16 bursts, untimed, they get the headers of the next 128 out of 16384
 * flows. The cold cases walk through 65536 buffers in random order instead; beside them `touch`,
 * reading one word of each frame and nothing else, which no stage can be faster than.
 */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_eth_bond.h>
#include <rte_ethdev.h>

#include "bench.h"
#include "bonding.h"
#include "tp_team.h"
#include "traffic.h"

#define NB_FLOWS 16384
#define HOT_BURSTS 4
#define COLD_BURSTS (65536 / BENCH_BURST)
#define ROUNDS 4
#define PASSES 32
#define MAX_HEADERS 96
#define NB_SPARE 2048

struct balance_case {
	const char *name;
	uint8_t policy;
	uint8_t bond_policy; /* the same in net_bonding, or the one that comes nearest */
	uint8_t traffic;
	uint8_t nb_members;
	double goal;
	uint8_t isa;
	uint8_t fn;
	bool cold, rss;
	uint32_t nb_buckets; /* 0: the default of a team */
};

#define L34 TP_FLOW_L34, BALANCE_XMIT_POLICY_LAYER34
#define L23 TP_FLOW_L23, BALANCE_XMIT_POLICY_LAYER23
#define L2 TP_FLOW_L2, BALANCE_XMIT_POLICY_LAYER2
#define DST TP_FLOW_DST, BALANCE_XMIT_POLICY_LAYER23
#define BEST TP_FLOW_ISA_BEST, TP_FLOW_TOEPLITZ
#define SSE42 TP_FLOW_ISA_SSE42, TP_FLOW_CRC32C

static const struct balance_case cases[] = {
	{ "l34-v4-m2", L34, TRAFFIC_V4, 2, 6.5, BEST },
	{ "l34-v4-m4", L34, TRAFFIC_V4, 4, 6.5, BEST },
	{ "l34-v4-m8", L34, TRAFFIC_V4, 8, 6.5, BEST },
	{ "l34-v6-m4", L34, TRAFFIC_V6, 4, 9, BEST },
	{ "l34-mix-m2", L34, TRAFFIC_MIX, 2, 9, BEST },
	{ "l34-mix-m4", L34, TRAFFIC_MIX, 4, 9, BEST },
	{ "l34-mix-m8", L34, TRAFFIC_MIX, 8, 9, BEST },
	{ "l34-odd-m4", L34, TRAFFIC_ODD, 4, 12.5, BEST },
	{ "dst-v4-m4", DST, TRAFFIC_V4, 4, 0, BEST },
	{ "dst-mix-m4", DST, TRAFFIC_MIX, 4, 0, BEST },
	{ "l23-v4-m4", L23, TRAFFIC_V4, 4, 0, BEST },
	{ "l23-mix-m4", L23, TRAFFIC_MIX, 4, 0, BEST },
	{ "l2-v4-m4", L2, TRAFFIC_V4, 4, 0, BEST },
	{ "l34-v4-m4-cold", L34, TRAFFIC_V4, 4, 22, BEST, .cold = true },
	{ "l34-mix-m4-cold", L34, TRAFFIC_MIX, 4, 0, BEST, .cold = true },
	{ "l34-v4-m4-rss", L34, TRAFFIC_V4, 4, 0, BEST, .rss = true },
	{ "l34-v4-m4-b256", L34, TRAFFIC_V4, 4, 6.5, BEST, .nb_buckets = 256 },
	{ "l34-mix-m4-b256", L34, TRAFFIC_MIX, 4, 9, BEST, .nb_buckets = 256 },
	{ "l34-v4-m4-sse42", L34, TRAFFIC_V4, 4, 9, SSE42 },
	{ "l34-v6-m4-sse42", L34, TRAFFIC_V6, 4, 12, SSE42 },
	{ "l34-mix-m4-sse42", L34, TRAFFIC_MIX, 4, 12, SSE42 },
	{ "l34-odd-m4-sse42", L34, TRAFFIC_ODD, 4, 16, SSE42 },
};

/* A frame to copy. */
struct frame {
	uint8_t len;
	uint8_t bytes[MAX_HEADERS];
};

struct scene {
	const struct balance_case *c;
	struct frame flow_frames[NB_FLOWS];
	struct rte_mempool *pool;
	struct tp_flow *flow;
	uint8_t *map;
	uint32_t nb_buckets;
	uint16_t direct;            /* port */
	struct bonding bond[3];     /* of 2, 4, 8 members */
	const struct bonding *peer; /* of the case */
	uint32_t next_flow;
	unsigned int nb_bursts, next_burst;
	struct rte_mbuf *pkts[COLD_BURSTS][BENCH_BURST];
	struct rte_mbuf *all[COLD_BURSTS * BENCH_BURST];
};

/* ---- one burst of each contender -------------------------------------------- */

static __rte_always_inline void
stage(struct scene *s, struct rte_mbuf **pkts, struct tp_scatter *sc)
{
	alignas(RTE_CACHE_LINE_SIZE) uint32_t hash[TP_BURST_MAX];

	tp_flow_hash_burst(s->flow, pkts, BENCH_BURST, hash);
	tp_team_scatter(s->map, s->nb_buckets, s->c->nb_members, pkts, hash, BENCH_BURST, sc);
}

static void
burst_stage(struct scene *s, struct rte_mbuf **pkts)
{
	struct tp_scatter sc;

	stage(s, pkts, &sc);
	bench_keep(&sc);
}

static void
burst_touch(struct scene *s, struct rte_mbuf **pkts)
{
	uint64_t sum = 0;

	(void)s;
	for (unsigned int i = 0; i < BENCH_BURST; i++)
		sum += *rte_pktmbuf_mtod(pkts[i], const uint64_t *);
	bench_keep(&sum);
}

/* net_null frees what it transmits into the lcore's cache; take the same ones out again. */
static void
take_back(struct scene *s, struct rte_mbuf **pkts)
{
	if (rte_mempool_get_bulk(s->pool, (void **)pkts, BENCH_BURST) != 0)
		rte_panic("the port has kept frames\n");
}

static void
burst_direct(struct scene *s, struct rte_mbuf **pkts)
{
	rte_eth_tx_burst(s->direct, 0, pkts, BENCH_BURST);
	take_back(s, pkts);
}

static void
burst_bonding(struct scene *s, struct rte_mbuf **pkts)
{
	rte_eth_tx_burst(s->peer->port_id, 0, pkts, BENCH_BURST);
	take_back(s, pkts);
}

static void
burst_full(struct scene *s, struct rte_mbuf **pkts)
{
	struct tp_scatter sc;

	stage(s, pkts, &sc);
	for (uint8_t i = 0; i < s->c->nb_members; i++) {
		uint16_t n = sc.first[i + 1] - sc.first[i];

		if (n > 0)
			rte_eth_tx_burst(s->peer->member[i], 0, &sc.pkts[sc.first[i]], n);
	}
	take_back(s, pkts);
}

/* ---- runs -------------------------------------------------------------------- */

static void
make_frames(struct scene *s)
{
	struct rte_mbuf *m = s->all[0];

	for (uint32_t flow = 0; flow < NB_FLOWS; flow++) {
		traffic_frame(m, s->c->traffic, flow);
		s->flow_frames[flow].len = (uint8_t)m->data_len;
		memcpy(s->flow_frames[flow].bytes, rte_pktmbuf_mtod(m, void *), MAX_HEADERS);
	}
}

/* New flows for the buffers. */
static void
refill(struct scene *s)
{
	for (unsigned int b = 0; b < s->nb_bursts; b++)
		for (unsigned int i = 0; i < BENCH_BURST; i++) {
			const struct frame *f = &s->flow_frames[s->next_flow++ % NB_FLOWS];
			struct rte_mbuf *m = s->pkts[b][i];

			memcpy(rte_pktmbuf_mtod(m, void *), f->bytes, MAX_HEADERS);
			m->data_len = f->len;
			m->pkt_len = f->len;
			m->ol_flags = s->c->rss ? RTE_MBUF_F_RX_RSS_HASH : 0;
			m->packet_type = s->c->rss ? RTE_PTYPE_L3_IPV4 | RTE_PTYPE_L4_TCP : 0;
			m->hash.rss = s->next_flow * UINT32_C(0x9e3779b1);
		}
}

static __rte_always_inline double
timed_passes(struct scene *s, void (*burst)(struct scene *s, struct rte_mbuf **pkts))
{
	uint64_t t, cycles = 0;

	for (unsigned int pass = 0; pass < PASSES; pass++) {
		if (!s->c->cold)
			refill(s);
		t = bench_tsc_start();
		for (unsigned int b = 0; b < ROUNDS * HOT_BURSTS; b++) {
			burst(s, s->pkts[s->next_burst]);
			s->next_burst = (s->next_burst + 1) % s->nb_bursts;
		}
		cycles += bench_tsc_stop() - t;
	}
	return (double)cycles / (PASSES * ROUNDS * HOT_BURSTS * BENCH_BURST);
}

static double
run_stage(void *ctx)
{
	return timed_passes(ctx, burst_stage);
}

static double
run_direct(void *ctx)
{
	return timed_passes(ctx, burst_direct);
}

static double
run_bonding(void *ctx)
{
	return timed_passes(ctx, burst_bonding);
}

static double
run_full(void *ctx)
{
	return timed_passes(ctx, burst_full);
}

static double
run_touch(void *ctx)
{
	return timed_passes(ctx, burst_touch);
}

static void
iso_burst(void *ctx)
{
	struct scene *s = ctx;

	burst_stage(s, s->pkts[s->next_burst]);
	s->next_burst = (s->next_burst + 1) % s->nb_bursts;
}

static double
run_iso(void *ctx)
{
	struct scene *s = ctx;

	if (!s->c->cold)
		refill(s);
	return bench_iso(iso_burst, ctx, HOT_BURSTS * 16, BENCH_BURST);
}

/* ---- set-up ------------------------------------------------------------------ */

static int
scene_init(struct scene *s)
{
	const unsigned int nb = COLD_BURSTS * BENCH_BURST;
	int port;

	s->pool = tp_pool_create("bench", nb + NB_SPARE, 512, TP_POOL_DATA_ROOM, SOCKET_ID_ANY);
	if (s->pool == NULL || rte_pktmbuf_alloc_bulk(s->pool, s->all, nb) != 0)
		return -ENOMEM;
	port = bonding_null_port(s->pool);
	if (port < 0)
		return port;
	s->direct = (uint16_t)port;
	for (unsigned int i = 0; i < RTE_DIM(s->bond); i++) {
		int rc = bonding_create(&s->bond[i], 2 << i, BALANCE_XMIT_POLICY_LAYER34, s->pool);

		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Which buffers a case walks through, in which order. */
static void
place_buffers(struct scene *s)
{
	const unsigned int nb = COLD_BURSTS * BENCH_BURST;

	for (unsigned int i = nb - 1; s->c->cold && i > 0; i--) {
		unsigned int j = traffic_random(i) % (i + 1);
		struct rte_mbuf *m = s->all[i];

		s->all[i] = s->all[j];
		s->all[j] = m;
	}
	memcpy(s->pkts, s->all, sizeof(s->pkts));
	s->nb_bursts = s->c->cold ? COLD_BURSTS : HOT_BURSTS;
	s->next_burst = 0;
	s->next_flow = 0;
	make_frames(s);
	refill(s);
}

/* The map that a team with so many equal members begins with. */
static uint8_t *
initial_map(struct tp_team_conf *conf, uint8_t nb_members)
{
	const struct tp_member_conf member = { .weight = 100 };
	struct tp_team *team = malloc(sizeof(*team));
	uint8_t *map = calloc(1, TP_MAX_BUCKETS + 64);
	struct tp_team_actions act;

	tp_team_init(team, conf, 0);
	for (uint8_t i = 0; i < nb_members; i++) {
		tp_team_add(team, i, i, 10, &member, 0);
		tp_team_enable(team, i, true, 0);
		tp_team_watch(team, i, true, 10000, 0);
	}
	tp_team_poll(team, 0, &act);
	memcpy(map, team->map, conf->nb_buckets);
	free(team);
	return map;
}

static int
case_init(struct scene *s, const struct balance_case *c)
{
	struct tp_team_conf conf;

	s->c = c;
	tp_team_conf_default(&conf);
	if (c->nb_buckets != 0)
		conf.nb_buckets = c->nb_buckets;
	conf.flow.policy = c->policy;
	conf.flow.fn = c->fn;
	conf.flow.isa = c->isa;
	conf.flow.trust_rss = c->rss;
	s->nb_buckets = conf.nb_buckets;
	tp_team_scatter_isa(c->isa);
	s->flow = tp_flow_create(&conf.flow, SOCKET_ID_ANY);
	if (s->flow == NULL)
		return -rte_errno;
	s->map = initial_map(&conf, c->nb_members);
	s->peer = &s->bond[rte_bsf32(c->nb_members) - 1];
	rte_eth_bond_xmit_policy_set(s->peer->port_id, c->bond_policy);
	place_buffers(s);
	return 0;
}

static void
case_fini(struct scene *s)
{
	memcpy(s->all, s->pkts, sizeof(s->all));
	tp_flow_free(s->flow);
	free(s->map);
}

static void
report(struct bench *b, const struct scene *s, const struct bench_contender *by)
{
	static const char *const peers[] = {
		[BALANCE_XMIT_POLICY_LAYER2] = "net_bonding l2 over direct tx",
		[BALANCE_XMIT_POLICY_LAYER23] = "net_bonding l23 over direct tx",
		[BALANCE_XMIT_POLICY_LAYER34] = "net_bonding l34 over direct tx",
	};
	const struct bench_stat peer = bench_stat_added(&by[2].stat, &by[1].stat);
	const struct bench_stat added = bench_stat_added(&by[3].stat, &by[1].stat);
	const struct bench_result result = {
		.case_name = s->c->name,
		.unit = "cycles/packet",
		.peer = peers[s->c->bond_policy],
		.goal = s->c->goal,
		.extra = json_pack("{s:f, s:f, s:f, s:s, s:s, s:i, s:i, s:s}", "iso",
		                by[4].stat.min, "added", added.min, "direct", by[1].stat.min, "isa",
		                tp_flow_isa_name(tp_flow_conf(s->flow)->isa), "fn",
		                tp_flow_fn_name(s->c->fn), "buckets", s->nb_buckets, "mbufs",
		                (int)s->nb_bursts * BENCH_BURST, "pool", "packed"),
	};

	if (s->c->cold)
		json_object_set_new(result.extra, "touch", json_real(by[5].stat.min));
	bench_report_stats(b, &result, &by[0].stat, &peer);
}

static void
run_case(struct bench *b, struct scene *s, const struct balance_case *c)
{
	struct bench_contender by[] = {
		{ run_stage, s },
		{ run_direct, s },
		{ run_bonding, s },
		{ run_full, s },
		{ run_iso, s },
		{ run_touch, s },
	};
	int rc = case_init(s, c);

	if (rc == -ENOTSUP) {
		bench_skip(b, c->name, "not on this CPU");
		return;
	}
	if (rc < 0) {
		bench_fail(b, c->name, strerror(-rc));
		return;
	}
	if (bench_interleave(b, by, RTE_DIM(by)) < 0)
		bench_fail(b, c->name, "a run gave no figure");
	report(b, s, by);
	case_fini(s);
}

int
main(int argc, char **argv)
{
	static struct scene s;
	struct bench b;
	int rc = bench_init(&b, "balance", argc, argv, NULL);

	if (rc != 0)
		return bench_exit_code(rc);
	rc = scene_init(&s);
	for (size_t i = 0; i < RTE_DIM(cases); i++) {
		if (!bench_wants(&b, cases[i].name))
			continue;
		if (rc < 0)
			bench_fail(&b, cases[i].name, strerror(-rc));
		else
			run_case(&b, &s, &cases[i]);
	}
	return bench_fini(&b);
}
