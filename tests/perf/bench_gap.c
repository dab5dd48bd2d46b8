/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* How long a running transfer stands still when its link is cut. A team of two members sends over two
 * wires, 200 us long, to a peer behind a switch that uses the wires that have a link; every 500 us, as
 * by the daemon's default watch, both look whether they have. One wire after the other is cut while it
 * carries the transfer, with all that is on it, and comes back.
 *
 * gap: longest time without data at the peer from the cut on until data comes by the other wire, us, the
 * median of the cuts. Its goal is what the watch took to see the cut (`detection`), plus two round trips.
 *
 * The peer is a transfer between two of the kernel's TCPs, by tap devices, over the same wires at the
 * same time: for them the same switch and watch are an active-backup bond.
 */

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_ethdev.h>
#include <rte_malloc.h>

#include "bench.h"
#include "kernel_tap.h"
#include "toe_pair.h"
#include "traffic.h"

#define PORT 9
#define NB_WIRES 2
#define DELAY_NS (200 * TP_NS_PER_US)
#define RTT_US (2 * DELAY_NS / TP_NS_PER_US)
#define POLL_NS (500 * TP_NS_PER_US)
#define WINDOW 16384
#define PIECE 1448
#define NB_CUTS 20
#define QUICK_CUTS 3
#define DOWN_NS (400 * TP_NS_PER_MS) /* longer than an RTO */
#define UP_NS (100 * TP_NS_PER_MS)
#define PATIENCE_NS (10 * TP_NS_PER_S)
#define TAP_BURST 16
#define FRAME_MAX 1514

struct wire {
	struct tp_wire *w;
	bool up;                                  /* as the watch has seen it */
	struct tp_egress egress[TP_WIRE_NB_ENDS]; /* end A: the peer's */
	struct tp_counters ctr[TP_WIRE_NB_ENDS];
};

static struct {
	struct pair *p;
	struct wire wire[NB_WIRES];
	struct kernel_tap *kernel;
	uint8_t active; /* the wire that the switch and the bond use */
	uint64_t poll_due;
	uint64_t seen; /* ns: the watch saw the last cut */
	uint64_t received, last, gap;
	bool cutting; /* until data comes after the watch has seen the cut, gaps count */
} scene;

/* ---- users -------------------------------------------------------------------------- */

static void
fill(struct tp_toe_call *call)
{
	while (tp_toe_send_space(call) >= PIECE) {
		struct rte_mbuf *m = tp_toe_alloc(call);

		if (m == NULL || rte_pktmbuf_append(m, PIECE) == NULL ||
		                tp_toe_send(call, m, false) != 0)
			rte_panic("no buffer to send\n");
	}
	tp_toe_want_space(call);
}

static void
take(struct tp_toe_call *call, struct rte_mbuf *data)
{
	uint64_t now = tp_clock_now();

	if (scene.cutting) {
		scene.gap = RTE_MAX(scene.gap, now - scene.last);
		scene.cutting = scene.seen == TP_NEVER;
	}
	scene.last = now;
	scene.received += data->pkt_len;
	tp_toe_consumed(call, data->pkt_len);
	rte_pktmbuf_free(data);
}

static const struct tp_toe_user client = { .name = "client", .on_data = take };
static const struct tp_toe_user server = {
	.name = "server", .on_accept = fill, .on_writable = fill
};

/* ---- wires ---------------------------------------------------------------------------- */

static struct tp_egress *
egress_of(uint8_t wire, enum tp_wire_end end)
{
	return &scene.wire[wire].egress[end];
}

/* A member sends by its own port, or by one that lives; the peer's switch likewise. */
static void
server_transmit(struct pair_shard *sh, struct rte_mbuf **pkts, uint16_t nb_pkts)
{
	uint8_t at = scene.wire[sh->member].up ? sh->member : scene.active;

	tp_egress_burst(egress_of(at, TP_WIRE_B), pkts, nb_pkts);
}

static void
client_transmit(struct pair_shard *sh, struct rte_mbuf **pkts, uint16_t nb_pkts)
{
	(void)sh;
	tp_egress_burst(egress_of(scene.active, TP_WIRE_A), pkts, nb_pkts);
}

static void
to_ring(struct pair_shard *sh, struct rte_mbuf *m)
{
	if (rte_ring_mp_enqueue(sh->rx, m) != 0)
		rte_pktmbuf_free(m);
}

static void
to_tap(enum kernel_end end, struct rte_mbuf *m)
{
	char buf[FRAME_MAX];
	const void *frame = rte_pktmbuf_read(m, 0, m->pkt_len, buf);

	/* A tap that takes no more drops it, as a port does. */
	if (m->pkt_len <= sizeof(buf) &&
	                write(kernel_tap_fd(scene.kernel, end), frame, m->pkt_len) < 0)
		scene.wire[0].ctr[0].drop[TP_DROP_HOST_TX_FULL]++;
}

/* By destination MAC; what is for all goes to both. */
static void
arrived(uint8_t wire, enum tp_wire_end at, struct rte_mbuf *m)
{
	enum kernel_end end = at == TP_WIRE_A ? KERNEL_RECEIVER : KERNEL_SENDER;
	struct pair_side *s = at == TP_WIRE_A ? &scene.p->client : &scene.p->server;
	const struct rte_ether_addr *dst = rte_pktmbuf_mtod(m, const struct rte_ether_addr *);
	bool all = rte_is_multicast_ether_addr(dst);

	if (all || rte_is_same_ether_addr(dst, kernel_tap_mac(scene.kernel, end)))
		to_tap(end, m);
	if (all || rte_is_same_ether_addr(dst, &s->mac))
		to_ring(&s->shard[at == TP_WIRE_A ? 0 : wire], m);
	else
		rte_pktmbuf_free(m);
}

static void
from_wires(void)
{
	struct rte_mbuf *pkts[TP_BURST_MAX];

	for (uint8_t w = 0; w < NB_WIRES; w++) {
		for (enum tp_wire_end end = 0; end < TP_WIRE_NB_ENDS; end++) {
			uint16_t n = rte_eth_rx_burst(
			                tp_wire_port(scene.wire[w].w, end), 0, pkts, RTE_DIM(pkts));

			for (uint16_t i = 0; i < n; i++)
				arrived(w, end, pkts[i]);
		}
	}
}

static void
from_tap(enum kernel_end end)
{
	enum tp_wire_end at = end == KERNEL_RECEIVER ? TP_WIRE_A : TP_WIRE_B;

	for (unsigned int i = 0; i < TAP_BURST; i++) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(scene.p->pool);
		ssize_t n = m == NULL ? -1
		                      : read(kernel_tap_fd(scene.kernel, end),
		                                        rte_pktmbuf_mtod(m, void *), FRAME_MAX);

		if (n <= 0) {
			rte_pktmbuf_free(m);
			return;
		}
		m->data_len = m->pkt_len = n;
		tp_egress_burst(egress_of(scene.active, at), &m, 1);
	}
}

/* The watch, and what follows from it. */
static void
watch(uint64_t now)
{
	if (now < scene.poll_due)
		return;
	scene.poll_due = now + POLL_NS;
	for (uint8_t w = 0; w < NB_WIRES; w++) {
		struct rte_eth_link link;
		bool up;

		rte_eth_link_get_nowait(tp_wire_port(scene.wire[w].w, TP_WIRE_B), &link);
		up = link.link_status == RTE_ETH_LINK_UP;
		if (up == scene.wire[w].up)
			continue;
		scene.wire[w].up = up;
		if (!up && w == scene.active) {
			scene.active = !w;
			scene.seen = now;
			kernel_tap_gap_end(scene.kernel);
		}
		tp_toe_set_place(scene.p->server.toe, w, up ? TP_TOE_ACTIVE : TP_TOE_DOWN);
	}
}

static void
turn(void)
{
	uint64_t now = tp_clock_now();

	watch(now);
	from_wires();
	from_tap(KERNEL_RECEIVER);
	from_tap(KERNEL_SENDER);
	pair_side_turn(&scene.p->server, now);
	pair_side_turn(&scene.p->client, now);
}

static void
turn_until(uint64_t end)
{
	while (tp_clock_now() < end)
		turn();
}

/* ---- set-up -------------------------------------------------------------------------------- */

static bool
make_wire(uint8_t i)
{
	struct wire *w = &scene.wire[i];
	struct tp_wire_conf conf;
	char name[16];
	bool ok;

	tp_wire_conf_default(&conf);
	for (enum tp_wire_dir d = 0; d < TP_WIRE_NB_DIRS; d++)
		conf.dir[d].delay_ns = DELAY_NS;
	snprintf(name, sizeof(name), "gap%u", i);
	w->w = tp_wire_create(name, &conf, SOCKET_ID_ANY);
	ok = w->w != NULL && tp_wire_start(w->w, scene.p->pool) == 0;
	for (enum tp_wire_end end = 0; ok && end < TP_WIRE_NB_ENDS; end++)
		ok = tp_egress_init(&w->egress[end], tp_wire_port(w->w, end), 0, 0, scene.p->pool,
		                     NULL, &w->ctr[end]) == 0;
	w->up = ok;
	return ok;
}

static bool
make_scene(void)
{
	struct tp_toe_move_conf move = { .after = 3 };
	struct pair_conf conf = {
		.link = PAIR_RINGS, .server_shards = NB_WIRES, .rcv_buf = WINDOW, .move = &move
	};
	uint64_t end;

	scene.p = pair_create(&conf);
	if (scene.p == NULL)
		return false;
	for (uint8_t i = 0; i < NB_WIRES; i++) {
		if (!make_wire(i))
			return false;
	}
	scene.p->server.transmit = server_transmit;
	scene.p->client.transmit = client_transmit;
	scene.kernel = kernel_tap_start(WINDOW);
	if (scene.kernel == NULL || pair_listen(scene.p, &server, PORT) != 0 ||
	                pair_connect(scene.p, &client, NULL, 0, PORT) == TP_TOE_ID_NONE)
		return false;
	for (end = tp_clock_now() + PATIENCE_NS; tp_clock_now() < end;) {
		turn();
		if (scene.received > 1 << 20 && kernel_tap_received(scene.kernel) > 1 << 20)
			return true;
	}
	return false;
}

/* ---- cuts ------------------------------------------------------------------------------------ */

struct cut {
	double gap_us, detection_us, kernel_us;
};

/* Both have gone on by the other wire. */
static bool
both_went_on(uint64_t kernel_before)
{
	return !scene.cutting && kernel_tap_received(scene.kernel) > kernel_before + WINDOW;
}

/* @return false: one of the transfers does not go on */
static bool
cut_once(unsigned int i, struct cut *out)
{
	uint8_t wire = scene.active;
	uint64_t kernel, at;

	/* At any time between two looks of the watch. */
	turn_until(tp_clock_now() + traffic_random(i) % POLL_NS);
	kernel = kernel_tap_received(scene.kernel);
	scene.gap = 0;
	scene.cutting = true;
	scene.seen = TP_NEVER;
	kernel_tap_gap_begin(scene.kernel);
	at = tp_clock_now();
	tp_wire_set_carrier(scene.wire[wire].w, false);
	turn_until(at + DOWN_NS);
	while (!both_went_on(kernel) && tp_clock_now() < at + PATIENCE_NS)
		turn();
	out->gap_us = (double)scene.gap / TP_NS_PER_US;
	out->kernel_us = (double)kernel_tap_gap(scene.kernel) / TP_NS_PER_US;
	out->detection_us = (double)(scene.seen - at) / TP_NS_PER_US;
	tp_wire_set_carrier(scene.wire[wire].w, true);
	turn_until(tp_clock_now() + UP_NS);
	return scene.active != wire && both_went_on(kernel);
}

static uint64_t
nb_resets(void)
{
	uint64_t counters[TP_TOE_NB_COUNTERS], mib[TP_TCP_NB_MIB];

	tp_toe_counters(scene.p->server.toe, counters, mib);
	return counters[TP_TOE_C_CONNS_PREMATURE] + mib[TP_TCP_M_OUT_RSTS];
}

static void
run_case(struct bench *b, const char *name)
{
	unsigned int nb = b->quick ? QUICK_CUTS : NB_CUTS;
	double gap[NB_CUTS], detection[NB_CUTS], kernel[NB_CUTS];
	struct bench_stat ours, seen, theirs;
	struct bench_result result = {
		.case_name = name,
		.unit = "us",
		.peer = "kernel TCP over an active-backup bond of the same wires",
		.nb_runs = nb,
	};

	for (unsigned int i = 0; i < nb; i++) {
		struct cut cut;

		if (!cut_once(i, &cut)) {
			bench_fail(b, name, "a transfer did not go on");
			return;
		}
		gap[i] = cut.gap_us;
		detection[i] = cut.detection_us;
		kernel[i] = cut.kernel_us;
	}
	ours = bench_stat_of(gap, nb);
	seen = bench_stat_of(detection, nb);
	theirs = bench_stat_of(kernel, nb);
	result.value = ours.median;
	result.peer_value = theirs.median;
	result.goal = seen.median + 2 * RTT_US;
	result.extra = json_pack("{s:f, s:f, s:f, s:f, s:f, s:i, s:I}", "min", ours.min, "max",
	                ours.max, "peer_min", theirs.min, "peer_max", theirs.max, "detection",
	                seen.median, "rtt", (int)RTT_US, "reset", (json_int_t)nb_resets());
	bench_report(b, &result);
}

int
main(int argc, char **argv)
{
	struct bench b;
	int rc = pair_bench_init(&b, "gap", argc, argv, NULL);

	if (rc != 0)
		return bench_exit_code(rc);
	if (!bench_wants(&b, "gap"))
		return bench_fini(&b);
	if (access("/dev/net/tun", R_OK | W_OK) != 0 || geteuid() != 0)
		bench_skip(&b, "gap", "the peer needs tap devices in namespaces: run it as root");
	else if (!make_scene())
		bench_fail(&b, "gap", "no transfer, ours or the kernel's");
	else
		run_case(&b, "gap");
	kernel_tap_stop(scene.kernel);
	return bench_fini(&b);
}
