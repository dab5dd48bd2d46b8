/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Whole turns of the daemon's lcores: a team that daemon_init() made, over net_null members that
 * receive nothing.
 *
 * primary-*: one turn with a burst of the host port, which is a net_ring with real headers, filled
 * again between timed passes. `value` is what the turn takes, the rings to the secondaries
 * included, less a direct receive from that port and a transmission of all frames on one port.
 * The primary hands most frames on and so is spared their transmission, therefore beside it:
 * `over_own`, less a direct receive and the transmission of its own share alone; and `all`, the
 * turns of all members, one after the other on this lcore, less the direct way.
 *
 * secondary-*: turns of a secondary with frames on its ring, less a direct transmission in bursts
 * as long. `value` is for bursts of 32, as a secondary with much to do finds them; `short` for those
 * that the primary's bursts of 32 break up into, when it is faster than the primary.
 *
 * pps-*: the daemon's own lcore loops on lcores of their own, control at rest. The host port
 * makes frames as fast as they are asked for while it has buffers: fewer than fit one ring, so that
 * nothing is dropped. The peer's lcore pays for making them as well.
 */

#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_bus_vdev.h>
#include <rte_eth_bond.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_prefetch.h>

#include "app.h"
#include "bench.h"
#include "bonding.h"
#include "traffic.h"

#define NB_FLOWS 16384
#define BURSTS 4 /* so many frames stay in the first-level cache */
#define NB_HOT (BURSTS * BENCH_BURST)
#define PASSES 64
#define NB_POOL 2048
#define NB_FLOOD 4096
#define FLOOD_RING 8192 /* in the daemon, for pps */
#define MAX_MEMBERS 4
#define FRAME_LEN 64
#define SETTLE_S 10
/* Windows shorter than a time slice, so that some are whole on a busy machine. */
#define WARM_US 1000
#define WINDOW_US 4000
#define MAX_WINDOWS 100

enum kind {
	PRIMARY,
	SECONDARY,
	PPS,
};

struct team_case {
	const char *name;
	uint8_t kind;
	uint8_t nb_members;
	uint8_t mode;
	double goal;
};

static const struct team_case cases[] = {
	{ "primary-m2", PRIMARY, 2, TP_MODE_HASH, 10 },
	{ "primary-m4", PRIMARY, 4, TP_MODE_HASH, 0 },
	{ "primary-rr-m2", PRIMARY, 2, TP_MODE_ROUND_ROBIN, 0 },
	{ "primary-ab-m2", PRIMARY, 2, TP_MODE_ACTIVE_BACKUP, 0 },
	{ "secondary-m2", SECONDARY, 2, TP_MODE_HASH, 8 },
	{ "secondary-m4", SECONDARY, 4, TP_MODE_HASH, 8 },
	{ "pps-m2", PPS, 2, TP_MODE_HASH, 0 },
	{ "pps-m4", PPS, 4, TP_MODE_HASH, 0 },
};

struct scene {
	const struct team_case *c;
	struct rte_mempool *pool; /* of the frames that the host sends */
	struct rte_mempool *flood_pool;
	const struct rte_eth_rxtx_callback *flood_cb;
	struct bonding bond[2];       /* of 2 and 4 members */
	const struct bonding *peer;   /* of the case, in the case's mode */
	uint8_t (*frames)[FRAME_LEN]; /* [NB_FLOWS] */
	unsigned int nb_cpus, nb_teams;
	struct daemon *d;
	struct rte_ring *feed, *sink; /* the host port's, when it is a net_ring */
	uint16_t host, member[MAX_MEMBERS];
	uint32_t next_flow;
	struct rte_mbuf *pkts[NB_HOT], *aside[NB_HOT];
	unsigned int nb_aside;
	_Atomic bool flood; /* pps: the host port has frames */
	_Atomic bool peer_runs;
	_Atomic uint64_t peer_sent;
};

/* ---- ports ------------------------------------------------------------------- */

static int
silent_port(const struct scene *s, unsigned int i)
{
	uint16_t port_id;
	char name[32];
	int rc;

	snprintf(name, sizeof(name), "net_null_t%um%u", s->nb_teams, i);
	rc = rte_vdev_init(name, "no-rx=1");
	if (rc == 0)
		rc = rte_eth_dev_get_port_by_name(name, &port_id);
	return rc < 0 ? rc : port_id;
}

static int
ring_port(struct scene *s)
{
	char name[32];

	snprintf(name, sizeof(name), "feed%u", s->nb_teams);
	s->feed = rte_ring_create(name, 2 * NB_HOT, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	snprintf(name, sizeof(name), "sink%u", s->nb_teams);
	s->sink = rte_ring_create(name, 2 * NB_HOT, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	if (s->feed == NULL || s->sink == NULL)
		return -ENOMEM;
	snprintf(name, sizeof(name), "host%u", s->nb_teams);
	return rte_eth_from_rings(name, &s->feed, 1, &s->sink, 1, 0);
}

static void
next_frame(struct scene *s, struct rte_mbuf *m)
{
	memcpy(rte_pktmbuf_mtod(m, void *), s->frames[s->next_flow++ % NB_FLOWS], FRAME_LEN);
	m->data_len = FRAME_LEN;
	m->pkt_len = FRAME_LEN;
}

/* Rx callback of a port that receives nothing: a burst of frames, flow after flow. Like a driver it
 * takes raw buffers and writes their first lines only.
 */
static uint16_t
make_frames(uint16_t port_id, uint16_t queue, struct rte_mbuf **pkts, uint16_t nb_pkts,
                uint16_t max_pkts, void *arg)
{
	struct scene *s = arg;

	(void)queue;
	if (!atomic_load_explicit(&s->flood, memory_order_relaxed) ||
	                rte_mempool_get_bulk(s->flood_pool, (void **)pkts, max_pkts) != 0)
		return nb_pkts;
	for (uint16_t i = 0; i < max_pkts; i++)
		rte_prefetch0_write(pkts[i]);
	for (uint16_t i = 0; i < max_pkts; i++) {
		pkts[i]->data_off = RTE_PKTMBUF_HEADROOM;
		pkts[i]->port = port_id;
		pkts[i]->ol_flags = 0;
		pkts[i]->packet_type = 0;
		next_frame(s, pkts[i]);
	}
	return max_pkts;
}

/* ---- the team ------------------------------------------------------------------ */

static __rte_always_inline void
turn(struct scene *s, uint8_t member)
{
	tp_worker_step(&s->d->worker[member], tp_clock_now());
}

/* Until the map is in force, with all members in it and no bucket still to move. */
static int
settle(struct scene *s)
{
	uint64_t end = tp_clock_now() + SETTLE_S * TP_NS_PER_S;
	struct tp_host_info info;

	do {
		tp_control_step(&s->d->control, tp_clock_now());
		for (uint8_t i = 0; i < s->c->nb_members; i++)
			turn(s, i);
		tp_host_info(s->d->host, &info);
		if (s->d->control.primary == 0 && info.version == s->d->control.team.version &&
		                info.version > 0 && info.nb_lazy == 0 &&
		                s->d->control.team.member[s->c->nb_members - 1].distributing)
			return 0;
	} while (tp_clock_now() < end);
	return -ETIMEDOUT;
}

static int
start_daemon(struct scene *s, struct error_text *err)
{
	char name[] = "bench_team", *argv[] = { name, NULL };
	struct options *opt = &s->d->opt;
	int rc;

	memset(s->d, 0, sizeof(*s->d));
	rc = args_parse(1, argv, opt);
	if (rc != 0)
		return rc;
	snprintf(opt->host, sizeof(opt->host), "%u", s->host);
	opt->all_ports = false;
	opt->nb_ports = s->c->nb_members;
	memcpy(opt->ports, s->member, sizeof(s->member));
	opt->team.mode = s->c->mode;
	if (s->c->kind == PPS)
		opt->ring_size = FLOOD_RING;
	/* Lcores that share a CPU must give it up when they have nothing to do. */
	opt->idle = s->c->nb_members > s->nb_cpus ? IDLE_SLEEP : IDLE_POLL;
	s->d->simulated = true; /* lcores run when a run says so */
	rc = daemon_init(s->d, err);
	return rc < 0 ? rc : settle(s);
}

static int
start_team(struct scene *s, struct error_text *err)
{
	int port = s->c->kind == PPS ? silent_port(s, MAX_MEMBERS) : ring_port(s);
	int rc;

	if (port < 0)
		return port;
	s->host = (uint16_t)port;
	for (uint8_t i = 0; i < s->c->nb_members; i++) {
		port = silent_port(s, i);
		if (port < 0)
			return port;
		s->member[i] = (uint16_t)port;
	}
	s->nb_teams++;
	rc = start_daemon(s, err);
	if (rc < 0 || s->c->kind != PPS)
		return rc;
	s->flood_cb = rte_eth_add_rx_callback(s->host, 0, make_frames, s);
	return s->flood_cb == NULL ? -rte_errno : 0;
}

static void
end_team(struct scene *s)
{
	if (s->flood_cb != NULL)
		rte_eth_remove_rx_callback(s->host, 0, s->flood_cb);
	s->flood_cb = NULL;
	daemon_fini(s->d);
	rte_ring_free(s->feed);
	rte_ring_free(s->sink);
	s->feed = s->sink = NULL;
}

static uint64_t
sent_by_team(const struct scene *s)
{
	uint64_t sum = 0;

	for (uint8_t i = 0; i < s->c->nb_members; i++)
		sum += s->d->control.slot[i].member->ctr.c[TP_C_TX_PACKETS];
	return sum;
}

static uint64_t
dropped_by_team(const struct scene *s)
{
	uint64_t sum = 0;

	for (uint8_t i = 0; i < s->c->nb_members; i++)
		for (unsigned int k = 0; k < TP_NB_DROPS; k++)
			sum += s->d->control.slot[i].member->ctr.drop[k];
	return sum;
}

/* ---- passes on one lcore ----------------------------------------------------------- */

/* What net_null has freed lies in the lcore's cache; the same buffers with new flows. */
static void
take_frames(struct scene *s)
{
	if (rte_pktmbuf_alloc_bulk(s->pool, s->pkts, NB_HOT) != 0)
		rte_panic("a port has kept frames\n");
	for (unsigned int i = 0; i < NB_HOT; i++)
		next_frame(s, s->pkts[i]);
}

static void
fill_host_port(struct scene *s)
{
	take_frames(s);
	rte_ring_sp_enqueue_bulk(s->feed, (void **)s->pkts, NB_HOT, NULL);
}

/* Let the secondaries send what the primary left them. */
static void
finish_pass(struct scene *s)
{
	for (unsigned int b = 0; b < BURSTS; b++)
		for (uint8_t i = 1; i < s->c->nb_members; i++)
			turn(s, i);
	if (s->nb_aside > 0)
		rte_eth_tx_burst(s->member[0], 0, s->aside, s->nb_aside);
	s->nb_aside = 0;
}

/* @param fill what is done before, @param burst what is timed, BURSTS times
 * @return cycles per frame
 */
static __rte_always_inline double
timed_passes(struct scene *s, void (*fill)(struct scene *s),
                void (*burst)(struct scene *s, unsigned int b))
{
	uint64_t t, cycles = 0;

	for (unsigned int pass = 0; pass < PASSES; pass++) {
		fill(s);
		t = bench_tsc_start();
		for (unsigned int b = 0; b < BURSTS; b++)
			burst(s, b);
		cycles += bench_tsc_stop() - t;
		finish_pass(s);
	}
	return (double)cycles / (PASSES * NB_HOT);
}

/* The same for the team, which must have sent all. */
static __rte_always_inline double
team_passes(struct scene *s, void (*fill)(struct scene *s),
                void (*burst)(struct scene *s, unsigned int b))
{
	uint64_t before = sent_by_team(s);
	double cycles = timed_passes(s, fill, burst);

	return sent_by_team(s) - before == PASSES * NB_HOT ? cycles : NAN;
}

/* ---- primary ------------------------------------------------------------------------ */

static void
burst_primary(struct scene *s, unsigned int b)
{
	(void)b;
	turn(s, 0);
}

static void
burst_all(struct scene *s, unsigned int b)
{
	(void)b;
	for (uint8_t i = 0; i < s->c->nb_members; i++)
		turn(s, i);
}

static void
burst_direct(struct scene *s, unsigned int b)
{
	struct rte_mbuf *pkts[BENCH_BURST];
	uint16_t n = rte_eth_rx_burst(s->host, 0, pkts, BENCH_BURST);

	(void)b;
	rte_eth_tx_burst(s->member[0], 0, pkts, n);
}

/* What the primary sends itself. */
static void
burst_share(struct scene *s, unsigned int b)
{
	struct rte_mbuf **pkts = s->aside + s->nb_aside;
	uint16_t n = rte_eth_rx_burst(s->host, 0, pkts, BENCH_BURST);
	uint16_t own = tp_modes[s->c->mode].single ? n : n / s->c->nb_members;

	(void)b;
	s->nb_aside += n - own;
	rte_eth_tx_burst(s->member[0], 0, pkts + n - own, own);
}

static void
burst_bonding(struct scene *s, unsigned int b)
{
	struct rte_mbuf *pkts[BENCH_BURST];
	uint16_t n = rte_eth_rx_burst(s->host, 0, pkts, BENCH_BURST);

	(void)b;
	rte_eth_tx_burst(s->peer->port_id, 0, pkts, n);
}

static double
run_primary(void *ctx)
{
	return team_passes(ctx, fill_host_port, burst_primary);
}

static double
run_all(void *ctx)
{
	return team_passes(ctx, fill_host_port, burst_all);
}

static double
run_direct(void *ctx)
{
	return timed_passes(ctx, fill_host_port, burst_direct);
}

static double
run_share(void *ctx)
{
	return timed_passes(ctx, fill_host_port, burst_share);
}

static double
run_bonding(void *ctx)
{
	return timed_passes(ctx, fill_host_port, burst_bonding);
}

static const char *
pool_text(const struct bench *b)
{
	return b->huge_pages ? "huge pages" : "packed";
}

static const char *
peer_text(const struct scene *s)
{
	switch (s->c->mode) {
	case TP_MODE_ROUND_ROBIN:
		return "net_bonding round-robin over direct rx and tx";
	case TP_MODE_ACTIVE_BACKUP:
		return "net_bonding active-backup over direct rx and tx";
	default:
		return "net_bonding l34 over direct rx and tx";
	}
}

static void
case_primary(struct bench *b, struct scene *s)
{
	struct bench_contender by[] = {
		{ run_primary, s },
		{ run_direct, s },
		{ run_bonding, s },
		{ run_share, s },
		{ run_all, s },
	};
	const struct bench_result result = {
		.case_name = s->c->name,
		.unit = "cycles/packet",
		.peer = peer_text(s),
		.goal = s->c->goal,
	};
	struct bench_result full = result;
	struct bench_stat ours, peer, over_own, all;

	if (bench_interleave(b, by, RTE_DIM(by)) < 0)
		bench_fail(b, s->c->name, "a run gave no figure: frames were lost");
	ours = bench_stat_added(&by[0].stat, &by[1].stat);
	peer = bench_stat_added(&by[2].stat, &by[1].stat);
	over_own = bench_stat_added(&by[0].stat, &by[3].stat);
	all = bench_stat_added(&by[4].stat, &by[1].stat);
	full.extra = json_pack("{s:f, s:f, s:f, s:f, s:s, s:s, s:s, s:i, s:i}", "turn",
	                by[0].stat.min, "direct", by[1].stat.min, "over_own", over_own.min, "all",
	                all.min, "subtracted", "direct rx and tx of all frames", "pool",
	                pool_text(b), "isa",
	                tp_flow_isa_name(tp_flow_conf(s->d->control.flow)->isa), "buckets",
	                (int)s->d->opt.team.nb_buckets, "flows", NB_FLOWS);
	bench_report_stats(b, &full, &ours, &peer);
}

/* ---- secondary ----------------------------------------------------------------------- */

static void
fill_secondary(struct scene *s)
{
	take_frames(s);
	rte_ring_sp_enqueue_bulk(
	                s->d->fabric->ring[TP_NODE_HOST][1], (void **)s->pkts, NB_HOT, NULL);
}

/* Turns that take `len` frames each, until 32 are sent. */
static __rte_always_inline void
turns_of(struct scene *s, uint16_t len)
{
	s->d->worker[1].burst = len;
	for (uint16_t n = 0; n < BENCH_BURST; n += len)
		turn(s, 1);
	s->d->worker[1].burst = BENCH_BURST;
}

static void
burst_secondary_short(struct scene *s, unsigned int b)
{
	(void)b;
	turns_of(s, BENCH_BURST / s->c->nb_members);
}

static void
burst_secondary_full(struct scene *s, unsigned int b)
{
	(void)b;
	turns_of(s, BENCH_BURST);
}

static void
burst_tx_short(struct scene *s, unsigned int b)
{
	uint16_t len = BENCH_BURST / s->c->nb_members;

	for (uint16_t n = 0; n < BENCH_BURST; n += len)
		rte_eth_tx_burst(s->member[1], 0, s->pkts + b * BENCH_BURST + n, len);
}

static void
burst_tx_full(struct scene *s, unsigned int b)
{
	rte_eth_tx_burst(s->member[1], 0, s->pkts + b * BENCH_BURST, BENCH_BURST);
}

static double
run_secondary_short(void *ctx)
{
	return team_passes(ctx, fill_secondary, burst_secondary_short);
}

static double
run_secondary_full(void *ctx)
{
	return team_passes(ctx, fill_secondary, burst_secondary_full);
}

static double
run_tx_short(void *ctx)
{
	return timed_passes(ctx, take_frames, burst_tx_short);
}

static double
run_tx_full(void *ctx)
{
	return timed_passes(ctx, take_frames, burst_tx_full);
}

static void
case_secondary(struct bench *b, struct scene *s)
{
	struct bench_contender by[] = {
		{ run_secondary_full, s },
		{ run_tx_full, s },
		{ run_secondary_short, s },
		{ run_tx_short, s },
	};
	struct bench_result result = {
		.case_name = s->c->name,
		.unit = "cycles/packet",
		.goal = s->c->goal,
	};
	struct bench_stat ours, in_short;

	if (bench_interleave(b, by, RTE_DIM(by)) < 0)
		bench_fail(b, s->c->name, "a run gave no figure: frames were lost");
	ours = bench_stat_added(&by[0].stat, &by[1].stat);
	in_short = bench_stat_added(&by[2].stat, &by[3].stat);
	result.extra = json_pack("{s:f, s:f, s:f, s:i, s:s, s:s}", "turn", by[0].stat.min, "direct",
	                by[1].stat.min, "short", in_short.min, "short_burst",
	                BENCH_BURST / s->c->nb_members, "subtracted", "direct tx as long", "pool",
	                pool_text(b));
	bench_report_stats(b, &result, &ours, NULL);
}

/* ---- packets per second ----------------------------------------------------------------- */

static unsigned int
lcore_of(uint8_t member)
{
	return 1u + member;
}

/* What is on the way when the lcores end, leaves here. */
static void
flush_team(struct scene *s)
{
	for (unsigned int k = 0; k < 4 * s->d->opt.ring_size / BENCH_BURST; k++)
		for (uint8_t i = 0; i < s->c->nb_members; i++)
			turn(s, i);
}

/* One window: ns per frame sent, while the lcores run. */
static double
window(const struct scene *s, uint64_t (*sent)(const struct scene *s))
{
	uint64_t nb, cycles;

	rte_delay_us_sleep(WARM_US);
	nb = sent(s);
	cycles = rte_rdtsc();
	for (unsigned int i = 0; i < MAX_WINDOWS && (i == 0 || sent(s) == nb); i++)
		rte_delay_us_sleep(WINDOW_US);
	nb = sent(s) - nb;
	cycles = rte_rdtsc() - cycles;
	return (double)tp_clock_cycles_to_ns(cycles) / (double)nb;
}

static double
run_team(void *ctx)
{
	struct scene *s = ctx;
	uint64_t drops = dropped_by_team(s);
	double ns;

	atomic_store(&s->flood, true);
	for (uint8_t i = 0; i < s->c->nb_members; i++) {
		atomic_store(&s->d->worker[i].run, true);
		rte_eal_remote_launch(worker_main, &s->d->worker[i], lcore_of(i));
	}
	ns = window(s, sent_by_team);
	for (uint8_t i = 0; i < s->c->nb_members; i++)
		atomic_store(&s->d->worker[i].run, false);
	rte_eal_mp_wait_lcore();
	atomic_store(&s->flood, false);
	flush_team(s);
	return dropped_by_team(s) == drops ? ns : NAN;
}

static int
peer_main(void *arg)
{
	struct scene *s = arg;
	struct rte_mbuf *pkts[BENCH_BURST];
	uint64_t sent = 0;

	while (atomic_load_explicit(&s->peer_runs, memory_order_relaxed)) {
		uint16_t n = rte_eth_rx_burst(s->host, 0, pkts, BENCH_BURST);

		sent += rte_eth_tx_burst(s->peer->port_id, 0, pkts, n);
		atomic_store_explicit(&s->peer_sent, sent, memory_order_relaxed);
	}
	return 0;
}

static uint64_t
sent_by_peer(const struct scene *s)
{
	return atomic_load_explicit(&s->peer_sent, memory_order_relaxed);
}

static double
run_peer(void *ctx)
{
	struct scene *s = ctx;
	double ns;

	atomic_store(&s->flood, true);
	atomic_store(&s->peer_runs, true);
	rte_eal_remote_launch(peer_main, s, lcore_of(0));
	ns = window(s, sent_by_peer);
	atomic_store(&s->peer_runs, false);
	rte_eal_wait_lcore(lcore_of(0));
	atomic_store(&s->flood, false);
	return ns;
}

/* ns per packet to Mpps; the least time is the highest rate. */
static struct bench_stat
rate_of(const struct bench_stat *ns)
{
	return (struct bench_stat){
		.min = 1000 / ns->min,
		.median = 1000 / ns->median,
		.p99 = 1000 / ns->p99,
		.max = 1000 / ns->max,
		.nb_runs = ns->nb_runs,
	};
}

static void
case_pps(struct bench *b, struct scene *s)
{
	struct bench_contender by[] = {
		{ run_team, s },
		{ run_peer, s },
	};
	struct bench_result result = {
		.case_name = s->c->name,
		.unit = "Mpps",
		.peer = "net_bonding l34 on one lcore",
	};
	struct bench_stat ours, peer;

	if (bench_interleave(b, by, RTE_DIM(by)) < 0)
		bench_fail(b, s->c->name, "nothing was sent, or frames were dropped");
	ours = rate_of(&by[0].stat);
	peer = rate_of(&by[1].stat);
	result.extra = json_pack("{s:i, s:i, s:s}", "cpus", (int)s->nb_cpus, "lcores",
	                (int)s->c->nb_members, "pool", pool_text(b));
	bench_report_stats(b, &result, &ours, &peer);
}

/* ---- set-up ------------------------------------------------------------------------------ */

static int
scene_init(struct scene *s)
{
	struct rte_mbuf *m;
	int rc;

	rte_log_set_level_pattern("teampmd.*", RTE_LOG_WARNING);
	s->d = calloc(1, sizeof(*s->d));
	s->frames = malloc(NB_FLOWS * sizeof(*s->frames));
	s->pool = tp_pool_create("frames", NB_POOL, 512, TP_POOL_DATA_ROOM, SOCKET_ID_ANY);
	s->flood_pool = tp_pool_create("flood", NB_FLOOD, 256, TP_POOL_DATA_ROOM, SOCKET_ID_ANY);
	if (s->d == NULL || s->frames == NULL || s->pool == NULL || s->flood_pool == NULL)
		return -ENOMEM;
	m = rte_pktmbuf_alloc(s->pool);
	for (uint32_t flow = 0; flow < NB_FLOWS; flow++) {
		traffic_frame(m, TRAFFIC_V4, flow);
		memcpy(s->frames[flow], rte_pktmbuf_mtod(m, const void *), FRAME_LEN);
	}
	rte_pktmbuf_free(m);
	for (unsigned int i = 0; i < RTE_DIM(s->bond); i++) {
		rc = bonding_create(&s->bond[i], 2 << i, BALANCE_XMIT_POLICY_LAYER34, s->pool);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int
choose_peer(struct scene *s)
{
	static const uint8_t modes[TP_NB_MODES] = {
		[TP_MODE_HASH] = BONDING_MODE_BALANCE,
		[TP_MODE_ROUND_ROBIN] = BONDING_MODE_ROUND_ROBIN,
		[TP_MODE_ACTIVE_BACKUP] = BONDING_MODE_ACTIVE_BACKUP,
	};

	s->peer = &s->bond[s->c->nb_members == 2 ? 0 : 1];
	/* A port that runs keeps its mode's burst functions. */
	rte_eth_dev_stop(s->peer->port_id);
	rte_eth_bond_mode_set(s->peer->port_id, modes[s->c->mode]);
	rte_eth_bond_xmit_policy_set(s->peer->port_id, BALANCE_XMIT_POLICY_LAYER34);
	rte_eth_dev_start(s->peer->port_id);
	return bonding_wait_active(s->peer);
}

static void
run_case(struct bench *b, struct scene *s, const struct team_case *c)
{
	static void (*const kinds[])(struct bench * b, struct scene * s) = {
		[PRIMARY] = case_primary,
		[SECONDARY] = case_secondary,
		[PPS] = case_pps,
	};
	struct error_text err = { "" };
	int rc;

	/* A lcore that waits for its CPU lets its ring overflow: that is no rate. */
	if (c->kind == PPS && s->nb_cpus <= c->nb_members) {
		bench_skip(b, c->name, "needs a CPU for each member and one for control");
		return;
	}
	s->c = c;
	rc = choose_peer(s);
	if (rc == 0)
		rc = start_team(s, &err);
	if (rc == 0)
		kinds[c->kind](b, s);
	else
		bench_fail(b, c->name, err.text[0] != '\0' ? err.text : strerror(-rc));
	end_team(s);
}

/* The main lcore, which rests while the others run, on the first CPU that we may use; members on
 * the others when there are enough.
 */
static unsigned int
place_lcores(char *text, size_t len)
{
	unsigned int cpus[CPU_SETSIZE], nb = 0, first;
	cpu_set_t set;
	size_t at;

	if (sched_getaffinity(0, sizeof(set), &set) == 0) {
		for (unsigned int cpu = 0; cpu < CPU_SETSIZE; cpu++)
			if (CPU_ISSET(cpu, &set))
				cpus[nb++] = cpu;
	}
	if (nb == 0)
		cpus[nb++] = 0;
	first = nb > MAX_MEMBERS ? 1 : 0;
	at = (size_t)snprintf(text, len, "0@%u", cpus[0]);
	for (unsigned int i = 0; i < MAX_MEMBERS && at < len; i++)
		at += (size_t)snprintf(text + at, len - at, ",%u@%u", lcore_of((uint8_t)i),
		                cpus[(first + i) % nb]);
	return nb;
}

int
main(int argc, char **argv)
{
	static struct scene s;
	char lcores[64];
	const char *const eal_args[] = { "--lcores", lcores, NULL };
	struct bench b;
	int rc;

	s.nb_cpus = place_lcores(lcores, sizeof(lcores));
	rc = bench_init(&b, "team", argc, argv, eal_args);
	if (rc != 0)
		return bench_exit_code(rc);
	tp_clock_init(); /* a simulated daemon leaves that to us */
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
