/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* What parsing a burst costs, and what the egress stage adds for frames that need nothing.
 * Peers: DPDK's own software parser rte_net_get_ptype(), a direct rte_eth_tx_burst(). New
 * headers out of 16384 flows between timed passes, as branches would learn a few frames.
 */

#include <string.h>

#include <rte_ethdev.h>
#include <rte_net.h>

#include "bench.h"
#include "tp_pkt.h"
#include "traffic.h"

#define NB_FLOWS 16384
#define HOT_BURSTS 8
#define PASSES 64

struct scene {
	struct rte_mempool *pool;
	struct tp_egress egress;
	struct tp_counters ctr;
	enum traffic traffic;
	uint32_t next_flow;
	unsigned int next_burst;
	void (*burst)(struct scene *s, struct rte_mbuf **pkts);
	struct rte_mbuf *pkts[HOT_BURSTS][BENCH_BURST];
};

/* ---- one burst of each contender -------------------------------------------- */

static void
burst_parse(struct scene *s, struct rte_mbuf **pkts)
{
	struct tp_pkt_info info[BENCH_BURST];

	(void)s;
	tp_pkt_parse_burst(pkts, BENCH_BURST, info);
	bench_keep(info);
}

static void
burst_ptype(struct scene *s, struct rte_mbuf **pkts)
{
	struct rte_net_hdr_lens lens;
	uint32_t ptype[BENCH_BURST];

	(void)s;
	for (unsigned int i = 0; i < BENCH_BURST; i++) {
		ptype[i] = rte_net_get_ptype(pkts[i], &lens, RTE_PTYPE_ALL_MASK);
		bench_keep(&lens);
	}
	bench_keep(ptype);
}

/* net_null frees what it transmits into the lcore's cache; take the same ones out again. */
static void
take_back(struct scene *s, struct rte_mbuf **pkts)
{
	if (rte_mempool_get_bulk(s->pool, (void **)pkts, BENCH_BURST) != 0)
		rte_panic("the port has kept frames\n");
}

static void
burst_egress(struct scene *s, struct rte_mbuf **pkts)
{
	tp_egress_burst(&s->egress, pkts, BENCH_BURST);
	take_back(s, pkts);
}

static void
burst_direct(struct scene *s, struct rte_mbuf **pkts)
{
	rte_eth_tx_burst(s->egress.port_id, 0, pkts, BENCH_BURST);
	take_back(s, pkts);
}

static void
one_burst(void *ctx)
{
	struct scene *s = ctx;

	s->burst(s, s->pkts[s->next_burst++ % HOT_BURSTS]);
}

/* ---- runs ------------------------------------------------------------------------ */

struct contender {
	struct scene *s;
	void (*burst)(struct scene *s, struct rte_mbuf **pkts);
};

static double
run(void *ctx)
{
	struct contender *c = ctx;
	struct scene *s = c->s;
	double sum = 0;

	s->burst = c->burst;
	for (unsigned int pass = 0; pass < PASSES; pass++) {
		for (unsigned int i = 0; i < HOT_BURSTS * BENCH_BURST; i++)
			traffic_frame(s->pkts[i / BENCH_BURST][i % BENCH_BURST], s->traffic,
			                s->next_flow++ % NB_FLOWS);
		sum += bench_stream(one_burst, s, HOT_BURSTS, BENCH_BURST);
	}
	return sum / PASSES;
}

static void
run_case(struct bench *b, struct scene *s, const struct bench_result *result,
                void (*ours)(struct scene *, struct rte_mbuf **),
                void (*peer)(struct scene *, struct rte_mbuf **))
{
	struct contender who[] = { { s, ours }, { s, peer } };
	struct bench_contender c[] = { { .run = run, .ctx = &who[0] },
		{ .run = run, .ctx = &who[1] } };

	if (bench_interleave(b, c, RTE_DIM(c)) == 0)
		bench_report_stats(b, result, &c[0].stat, &c[1].stat);
	else
		bench_fail(b, result->case_name, "no figure");
}

/* ---- set-up ---------------------------------------------------------------------- */

static int
scene_init(struct scene *s)
{
	struct rte_eth_conf conf = { 0 };

	s->pool = tp_pool_create("bench", 4096, 256, TP_POOL_DATA_ROOM, SOCKET_ID_ANY);
	if (s->pool == NULL)
		return -1;
	if (rte_pktmbuf_alloc_bulk(s->pool, s->pkts[0], HOT_BURSTS * BENCH_BURST) != 0)
		return -1;
	if (rte_eth_dev_configure(0, 1, 1, &conf) != 0 ||
	                rte_eth_rx_queue_setup(0, 0, 64, SOCKET_ID_ANY, NULL, s->pool) != 0 ||
	                rte_eth_tx_queue_setup(0, 0, 64, SOCKET_ID_ANY, NULL) != 0 ||
	                rte_eth_dev_start(0) != 0)
		return -1;
	return tp_egress_init(&s->egress, 0, 0, 0, s->pool, NULL, &s->ctr);
}

int
main(int argc, char **argv)
{
	static const char *const eal_args[] = { "--vdev", "net_null0", NULL };
	static const struct {
		const char *name;
		enum traffic traffic;
		double goal;
	} cases[] = { { "parse-v4", TRAFFIC_V4, 0 }, { "parse-v6", TRAFFIC_V6, 0 },
		{ "parse-mix", TRAFFIC_MIX, 20 }, { "parse-odd", TRAFFIC_ODD, 0 } };
	static struct scene s;
	struct bench b;
	int rc;

	rc = bench_init(&b, "parse", argc, argv, eal_args);
	if (rc != 0)
		return bench_exit_code(rc);
	if (scene_init(&s) != 0) {
		bench_fail(&b, "parse", "no port or no memory");
		return bench_fini(&b);
	}
	for (unsigned int i = 0; i < RTE_DIM(cases); i++) {
		s.traffic = cases[i].traffic;
		if (bench_wants(&b, cases[i].name))
			run_case(&b, &s,
			                &(struct bench_result){ .case_name = cases[i].name,
			                                .unit = "cycles/packet",
			                                .peer = "rte_net_get_ptype",
			                                .goal = cases[i].goal },
			                burst_parse, burst_ptype);
	}
	s.traffic = TRAFFIC_MIX;
	if (bench_wants(&b, "egress-plain"))
		run_case(&b, &s,
		                &(struct bench_result){ .case_name = "egress-plain",
		                                .unit = "cycles/packet",
		                                .peer = "rte_eth_tx_burst" },
		                burst_egress, burst_direct);
	return bench_fini(&b);
}
