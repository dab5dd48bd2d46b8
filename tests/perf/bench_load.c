/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Mode load on a virtual clock: the real host port code, engine and egress, four members behind
 * wires of unequal delay, UDP flows whose bytes follow Zipf's law with exponent 1. Frames come
 * one by one (Poisson), which is harder than the bursts of real flows: a bucket may only move in
 * a pause. Case `imbalance`: the fullest member's bytes over its fair share in the second that
 * follows the third one, the worst of all runs; peer: mode hash with the same frames. Case
 * `reordered`: frames of a flow that arrive behind a later one, in all runs; peer: the same
 * without waiting for a bucket to be idle (skew 0), which shows that the wires would tell.
 */

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <rte_udp.h>

#include "bench.h"
#include "tp_team.h"
#include "tp_wire.h"

#define NB_FLOWS 10000
#define NB_MEMBERS 4
#define NB_MBUFS 32767
#define RING_SIZE 1024
#define FRAME_LEN 200
#define PPS 1000000
#define TICK_NS (50 * TP_NS_PER_US)
#define SETTLE_NS (3 * TP_NS_PER_S)
#define MEASURE_NS (1 * TP_NS_PER_S)
/* Members differ by this much, jitter comes on top; the sum stays below the default skew. */
#define DELAY_STEP_NS (500 * TP_NS_PER_US)
#define JITTER_NS (200 * TP_NS_PER_US)
#define MAX_RUNS 9

/** Behind the headers of each frame. */
struct mark {
	uint32_t flow;
	uint32_t seq;
};

struct frame {
	struct rte_ether_hdr eth;
	struct rte_ipv4_hdr ip;
	struct rte_udp_hdr udp;
	struct mark mark;
} __rte_packed __rte_aligned(2);

/** What one run found. */
struct outcome {
	double imbalance; /**< percent */
	uint64_t reordered;
	uint64_t nb_frames;
	uint64_t lost;
	uint64_t moves;    /**< of buckets, in all */
	uint64_t restless; /**< of these, in the second that is measured */
};

struct world {
	uint64_t now;
	uint64_t rnd;
	struct rte_mempool *pool;
	struct tp_fabric *fabric;
	struct tp_host *host;
	struct tp_flow *flow;
	struct tp_wire *wire[NB_MEMBERS];
	struct tp_member *member[NB_MEMBERS];
	struct tp_team *team;
	bool dirty;         /**< a distribution waits to be published */
	uint32_t published; /**< version */
	double next_frame;  /**< ns */
	uint64_t bytes[NB_MEMBERS];
	uint64_t bucket_last[TP_MAX_BUCKETS], bucket_delta[TP_MAX_BUCKETS];
	uint32_t sent[NB_FLOWS], seen[NB_FLOWS]; /**< sequence numbers */
	struct outcome out;
};

static struct rte_ring *host_rx, *host_tx;
static uint16_t host_port;

/** Walker's alias table of the flows' shares. */
static struct {
	double keep[NB_FLOWS];
	uint32_t alias[NB_FLOWS];
} zipf;

static double
uniform(struct world *w)
{
	w->rnd ^= w->rnd << 13;
	w->rnd ^= w->rnd >> 7;
	w->rnd ^= w->rnd << 17;
	return (double)(w->rnd >> 11) / (double)(UINT64_C(1) << 53);
}

static void
zipf_init(void)
{
	uint32_t small[NB_FLOWS], large[NB_FLOWS], nb_small = 0, nb_large = 0;
	double sum = 0;

	for (uint32_t i = 0; i < NB_FLOWS; i++)
		sum += 1.0 / (i + 1);
	for (uint32_t i = 0; i < NB_FLOWS; i++) {
		zipf.keep[i] = NB_FLOWS / (sum * (i + 1));
		zipf.alias[i] = i;
		if (zipf.keep[i] < 1)
			small[nb_small++] = i;
		else
			large[nb_large++] = i;
	}
	while (nb_small > 0 && nb_large > 0) {
		const uint32_t s = small[--nb_small], l = large[nb_large - 1];

		zipf.alias[s] = l;
		zipf.keep[l] -= 1 - zipf.keep[s];
		if (zipf.keep[l] < 1) {
			nb_large--;
			small[nb_small++] = l;
		}
	}
}

static uint32_t
pick_flow(struct world *w)
{
	const double x = uniform(w) * NB_FLOWS;
	const uint32_t i = RTE_MIN((uint32_t)x, (uint32_t)NB_FLOWS - 1);

	return x - i < zipf.keep[i] ? i : zipf.alias[i];
}

/* ---- building the team ------------------------------------------------------- */

static int
start_port(uint16_t port_id, struct rte_mempool *pool)
{
	const struct rte_eth_conf conf = { 0 };
	int rc = rte_eth_dev_configure(port_id, 1, 1, &conf);

	if (rc == 0)
		rc = rte_eth_rx_queue_setup(port_id, 0, 512, SOCKET_ID_ANY, NULL, pool);
	if (rc == 0)
		rc = rte_eth_tx_queue_setup(port_id, 0, 512, SOCKET_ID_ANY, NULL);
	return rc == 0 ? rte_eth_dev_start(port_id) : rc;
}

/* The host port lives as long as the program: net_ring does not give names back. */
static int
make_host_port(struct rte_mempool *pool)
{
	int port;

	host_rx = rte_ring_create("host_rx", 4096, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	host_tx = rte_ring_create("host_tx", 64, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	if (host_rx == NULL || host_tx == NULL)
		return -ENOMEM;
	port = rte_eth_from_rings("host", &host_rx, 1, &host_tx, 1, 0);
	if (port < 0)
		return -rte_errno;
	host_port = port;
	return start_port(host_port, pool);
}

static int
make_host(struct world *w)
{
	w->host = tp_host_create(w->fabric, RING_SIZE, BENCH_BURST, SOCKET_ID_ANY);
	return w->host == NULL ? -ENOMEM : tp_host_set_port(w->host, host_port, 0, w->pool, NULL);
}

static int
make_member(struct world *w, uint8_t id)
{
	struct tp_member *m = rte_zmalloc("member", sizeof(*m), RTE_CACHE_LINE_SIZE);
	struct tp_wire_conf conf;
	char name[16];

	w->member[id] = m;
	tp_wire_conf_default(&conf);
	conf.dir[TP_WIRE_A_TO_B].delay_ns = id * DELAY_STEP_NS;
	conf.dir[TP_WIRE_A_TO_B].jitter_ns = JITTER_NS;
	conf.seed = id + 1;
	conf.nb_frames = 8192;
	snprintf(name, sizeof(name), "m%u", id);
	w->wire[id] = tp_wire_create(name, &conf, SOCKET_ID_ANY);
	if (m == NULL || w->wire[id] == NULL || tp_wire_start(w->wire[id], w->pool) != 0)
		return -ENOMEM;
	m->id = id;
	m->port_id = tp_wire_port(w->wire[id], TP_WIRE_A);
	m->fabric = w->fabric;
	m->host = w->host;
	m->pool = w->pool;
	if (tp_fabric_join(w->fabric, id, TP_NODE_HOST, RING_SIZE, SOCKET_ID_ANY) != 0 ||
	                tp_fabric_join(w->fabric, id, TP_NODE_CONTROL, 64, SOCKET_ID_ANY) != 0)
		return -ENOMEM;
	tp_host_set_member(w->host, id, m);
	return tp_egress_init(&m->egress, m->port_id, 0, 0, w->pool, NULL, &m->ctr);
}

static int
make_team(struct world *w, const struct tp_team_conf *conf)
{
	const struct tp_member_conf member = { .weight = 100 };

	w->team = rte_zmalloc("team", sizeof(*w->team), 0);
	w->flow = tp_flow_create(&conf->flow, SOCKET_ID_ANY);
	if (w->team == NULL || w->flow == NULL)
		return -ENOMEM;
	tp_team_init(w->team, conf, w->now);
	for (uint8_t i = 0; i < NB_MEMBERS; i++) {
		tp_team_add(w->team, i, i, 10, &member, w->now);
		tp_team_enable(w->team, i, true, w->now);
		tp_team_watch(w->team, i, true, 10000, w->now);
	}
	atomic_store(&w->member[0]->role, tp_role_word(true, tp_host_raise(w->host), 1));
	return 0;
}

static struct world *
world_create(const struct tp_team_conf *conf, struct rte_mempool *pool, uint64_t seed)
{
	struct world *w = calloc(1, sizeof(*w));
	int rc;

	if (w == NULL)
		return NULL;
	w->rnd = seed * UINT64_C(0x9e3779b97f4a7c15);
	w->now = TP_NS_PER_S;
	w->next_frame = w->now;
	w->pool = pool;
	tp_clock_set_virtual(w->now);
	w->fabric = tp_fabric_create("load");
	rc = w->fabric == NULL ? -ENOMEM : make_host(w);
	for (uint8_t i = 0; i < NB_MEMBERS && rc == 0; i++)
		rc = make_member(w, i);
	if (rc == 0)
		rc = make_team(w, conf);
	if (rc == 0)
		return w;
	fprintf(stderr, "the team does not come to be: %s\n", strerror(-rc));
	exit(1);
}

static void
empty_ring(struct rte_ring *r)
{
	void *m;

	while (rte_ring_dequeue(r, &m) == 0)
		rte_pktmbuf_free(m);
}

static void
world_free(struct world *w)
{
	for (uint8_t i = 0; i < NB_MEMBERS; i++) {
		tp_host_set_member(w->host, i, NULL);
		tp_wire_destroy(w->wire[i]);
		rte_free(w->member[i]);
	}
	tp_host_free(w->host);
	tp_fabric_free(w->fabric);
	empty_ring(host_rx);
	empty_ring(host_tx);
	tp_flow_free(w->flow);
	rte_free(w->team);
	free(w);
}

/* ---- one tick ------------------------------------------------------------------ */

static struct rte_mbuf *
make_frame(struct world *w, uint32_t flow)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(w->pool);
	struct frame *f;

	if (m == NULL)
		return NULL;
	f = (struct frame *)rte_pktmbuf_append(m, FRAME_LEN);
	*f = (struct frame){
		.eth.dst_addr.addr_bytes = { 2, 0, 0, 0, 0, 1 },
		.eth.src_addr.addr_bytes = { 2, 0, 0, 0, 0, 2 },
		.eth.ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4),
		.ip.version_ihl = RTE_IPV4_VHL_DEF,
		.ip.total_length = RTE_BE16(FRAME_LEN - sizeof(struct rte_ether_hdr)),
		.ip.time_to_live = 64,
		.ip.next_proto_id = IPPROTO_UDP,
		.ip.src_addr = RTE_BE32(0x0a000001),
		.ip.dst_addr = rte_cpu_to_be_32(0x0a010000 + flow % 200),
		.udp.src_port = rte_cpu_to_be_16(10000 + flow),
		.udp.dst_port = RTE_BE16(5001),
		.udp.dgram_len = RTE_BE16(FRAME_LEN - sizeof(struct rte_ether_hdr) -
		                          sizeof(struct rte_ipv4_hdr)),
		.mark = { .flow = flow, .seq = ++w->sent[flow] },
	};
	return m;
}

static void
host_sends(struct world *w)
{
	while (w->next_frame < (double)(w->now + TICK_NS)) {
		struct rte_mbuf *m = make_frame(w, pick_flow(w));

		w->next_frame -= log1p(-uniform(w)) * 1e9 / PPS;
		w->out.nb_frames++;
		if (m != NULL && rte_ring_enqueue(host_rx, m) == 0)
			continue;
		w->out.lost++;
		rte_pktmbuf_free(m);
	}
}

/* Members are at different places in their loops, and some miss a turn. */
static void
members_step(struct world *w)
{
	const uint8_t first = (uint8_t)(uniform(w) * NB_MEMBERS);

	for (uint8_t k = 0; k < NB_MEMBERS; k++) {
		struct tp_member *m = w->member[(first + k) % NB_MEMBERS];

		for (int turns = (int)(uniform(w) * 6); turns > 0; turns--) {
			if (m->id == 0)
				tp_host_step(w->host, m, w->now);
			tp_member_transmit(m, BENCH_BURST);
		}
	}
}

static void
rebalance(struct world *w)
{
	const uint64_t *total = tp_host_bucket_bytes(w->host);
	uint32_t nb;
	const uint8_t *actual = tp_host_map(w->host, &nb);

	if (w->dirty || tp_host_applied(w->host) != w->published)
		return;
	for (uint32_t b = 0; b < nb; b++) {
		w->bucket_delta[b] = total[b] - w->bucket_last[b];
		w->bucket_last[b] = total[b];
	}
	w->out.moves += tp_team_rebalance(w->team, w->bucket_delta, actual, w->now);
}

static void
control_step(struct world *w)
{
	struct tp_team_actions act;
	struct tp_dist *dist;

	if (!w->dirty && tp_team_next(w->team) > w->now)
		return;
	tp_team_poll(w->team, w->now, &act);
	if (act.what & TP_TEAM_ACT_REBALANCE)
		rebalance(w);
	w->dirty |= (act.what & TP_TEAM_ACT_DIST) != 0;
	dist = w->dirty ? tp_host_spare(w->host, false) : NULL;
	if (dist == NULL)
		return;
	tp_team_fill_dist(w->team, dist);
	dist->flow = w->flow;
	w->published = dist->version;
	tp_host_publish(w->host, dist);
	w->dirty = false;
}

static void
peer_receives(struct world *w, uint8_t member)
{
	struct rte_mbuf *pkts[TP_BURST_MAX];
	const uint16_t port = tp_wire_port(w->wire[member], TP_WIRE_B);
	uint16_t n;

	while ((n = rte_eth_rx_burst(port, 0, pkts, TP_BURST_MAX)) > 0) {
		for (uint16_t i = 0; i < n; i++) {
			const struct mark *mark = rte_pktmbuf_mtod_offset(
			                pkts[i], const struct mark *, offsetof(struct frame, mark));

			if (mark->seq < w->seen[mark->flow])
				w->out.reordered++;
			else
				w->seen[mark->flow] = mark->seq;
			w->bytes[member] += pkts[i]->pkt_len;
		}
		rte_pktmbuf_free_bulk(pkts, n);
	}
}

static void
run_until(struct world *w, uint64_t end)
{
	for (; w->now < end; w->now += TICK_NS) {
		tp_clock_set_virtual(w->now);
		host_sends(w);
		members_step(w);
		control_step(w);
		for (uint8_t i = 0; i < NB_MEMBERS; i++)
			peer_receives(w, i);
	}
}

static struct outcome
run(const struct tp_team_conf *conf, struct rte_mempool *pool, uint64_t seed)
{
	struct world *w = world_create(conf, pool, seed);
	struct outcome out;
	uint64_t max = 0, sum = 0;

	run_until(w, w->now + SETTLE_NS);
	memset(w->bytes, 0, sizeof(w->bytes));
	w->out.restless = w->out.moves;
	run_until(w, w->now + MEASURE_NS);
	for (uint8_t i = 0; i < NB_MEMBERS; i++) {
		max = RTE_MAX(max, w->bytes[i]);
		sum += w->bytes[i];
		for (uint32_t d = 0; d < TP_NB_DROPS; d++)
			w->out.lost += w->member[i]->ctr.drop[d];
	}
	w->out.imbalance = ((double)max * NB_MEMBERS / (double)sum - 1) * 100;
	w->out.restless = w->out.moves - w->out.restless;
	out = w->out;
	world_free(w);
	return out;
}

/* ---- the cases ------------------------------------------------------------------- */

/** All runs under one configuration. */
struct series {
	struct bench_stat imbalance;
	uint64_t reordered, nb_frames, lost, moves, restless;
};

static struct series
run_all(const struct bench *b, struct rte_mempool *pool, enum tp_mode_id mode, uint32_t skew_us)
{
	const unsigned int nb = b->quick ? 1 : RTE_MIN(b->nb_runs, (unsigned int)MAX_RUNS);
	double imbalance[MAX_RUNS];
	struct tp_team_conf conf;
	struct series s = { 0 };

	tp_team_conf_default(&conf);
	conf.mode = mode;
	conf.skew_us = skew_us;
	for (unsigned int i = 0; i < nb; i++) {
		const struct outcome out = run(&conf, pool, i + 1);

		imbalance[i] = out.imbalance;
		s.reordered += out.reordered;
		s.nb_frames += out.nb_frames;
		s.lost += out.lost;
		s.moves += out.moves;
		s.restless += out.restless;
	}
	s.imbalance = bench_stat_of(imbalance, nb);
	s.imbalance.nb_runs = nb;
	return s;
}

static json_t *
about(const struct series *s)
{
	return json_pack("{s:f, s:I, s:I, s:I, s:I, s:I, s:I}", "imbalance_median",
	                s->imbalance.median, "frames", (json_int_t)s->nb_frames, "lost",
	                (json_int_t)s->lost, "moves", (json_int_t)s->moves, "moves_settled",
	                (json_int_t)s->restless, "flows", (json_int_t)NB_FLOWS, "pps",
	                (json_int_t)PPS);
}

int
main(int argc, char **argv)
{
	struct series load, peer;
	struct rte_mempool *pool;
	bool imbalance, reordered;
	struct bench b;
	int rc = bench_init(&b, "load", argc, argv, NULL);

	if (rc != 0)
		return bench_exit_code(rc);
	imbalance = bench_wants(&b, "imbalance");
	reordered = bench_wants(&b, "reordered");
	pool = tp_pool_create("load", NB_MBUFS, 256, TP_POOL_DATA_ROOM, SOCKET_ID_ANY);
	if (pool == NULL || tp_meta_init() != 0 || make_host_port(pool) != 0) {
		bench_fail(&b, "imbalance", "no memory for pool and host port");
		return bench_fini(&b);
	}
	zipf_init();
	if (imbalance || reordered)
		load = run_all(&b, pool, TP_MODE_LOAD, 2000);
	if (imbalance) {
		peer = run_all(&b, pool, TP_MODE_HASH, 2000);
		bench_report(&b, &(struct bench_result){ .case_name = "imbalance",
		                                 .value = load.imbalance.max,
		                                 .unit = "percent over fair share",
		                                 .peer = "mode hash",
		                                 .peer_value = peer.imbalance.max,
		                                 .goal = 5,
		                                 .nb_runs = load.imbalance.nb_runs,
		                                 .extra = about(&load) });
	}
	if (reordered) {
		peer = run_all(&b, pool, TP_MODE_LOAD, 0);
		bench_report(&b, &(struct bench_result){ .case_name = "reordered",
		                                 .value = (double)load.reordered,
		                                 .unit = "frames",
		                                 .peer = "moves without waiting (skew 0)",
		                                 .peer_value = (double)peer.reordered,
		                                 .nb_runs = load.imbalance.nb_runs,
		                                 .extra = about(&load) });
	}
	return bench_fini(&b);
}
