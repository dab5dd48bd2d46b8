/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* One-byte requests and responses between two teams on one lcore, from the receive call to the
 * transmit call, users included, over wire ports: with the wire's own copy of each frame, and
 * checksums made and checked in software. Each connection has one request out at a time. `memory` is
 * what a transaction costs when the frames change hands in memory and the ports care for checksums.
 *
 * The peer is the kernel's TCP over loopback, which computes no checksum, on the same core: client and
 * server as two threads that wait for each other, as programs do. `peer_one_thread` is what it needs
 * at least: both ends in one thread that knows without asking which socket is ready.
 */

#include <math.h>

#include "bench.h"
#include "kernel_tcp.h"
#include "toe_pair.h"

#define PORT 7
#define SETTLE_TURNS 2000000
/* Short runs: on a busy machine some are whole. */
#define TRANSACTIONS 1000

static uint64_t nb_done, nb_established;

static void
client_accept(struct tp_toe_call *call)
{
	nb_established++;
	pair_send_byte(call, NULL);
}

static void
client_data(struct tp_toe_call *call, struct rte_mbuf *data)
{
	nb_done++;
	pair_bounce(call, data);
}

static const struct tp_toe_user client = {
	.name = "client", .on_accept = client_accept, .on_data = client_data
};
static const struct tp_toe_user server = { .name = "server", .on_data = pair_bounce };

static struct pair *
pair_ready(enum pair_link link, uint32_t nb_conns)
{
	struct pair_conf conf = { .link = link, .nb_conns = nb_conns };
	struct pair *p = pair_create(&conf);

	if (p == NULL || pair_listen(p, &server, PORT) != 0)
		return NULL;
	nb_established = 0;
	for (uint32_t i = 0; i < nb_conns; i++) {
		if (pair_connect(p, &client, NULL, 0, PORT) == TP_TOE_ID_NONE)
			return NULL;
		pair_turn(p);
	}
	for (uint32_t i = 0; i < SETTLE_TURNS && nb_established < nb_conns; i++)
		pair_turn(p);
	return nb_established == nb_conns ? p : NULL;
}

static double
run_pair(void *ctx)
{
	uint64_t losses = pair_losses(ctx), first = nb_done, t = bench_tsc_start();

	while (nb_done - first < TRANSACTIONS)
		pair_turn(ctx);
	t = bench_tsc_stop() - t;
	return pair_losses(ctx) == losses ? (double)t / (nb_done - first) : NAN;
}

static double
run_kernel(void *ctx)
{
	return kernel_tcp_rr_threads(ctx, TRANSACTIONS);
}

static double
run_kernel_one_thread(void *ctx)
{
	return kernel_tcp_rr(ctx, TRANSACTIONS);
}

static void
report(struct bench *b, const char *name, const struct bench_contender *c, bool own_namespace)
{
	struct bench_result result = {
		.case_name = name,
		.unit = "cycles/transaction",
		.peer = "kernel TCP over loopback, same core",
		.goal = 2000,
		.extra = json_pack("{s:f, s:f, s:f, s:f, s:s, s:b}", "ratio_goal", 0.1, "memory",
		                c[2].stat.min, "memory_median", c[2].stat.median, "peer_one_thread",
		                c[3].stat.min, "over", "wire ports, software checksums",
		                "own_namespace", own_namespace),
	};

	bench_report_stats(b, &result, &c[0].stat, &c[1].stat);
}

static void
run_case(struct bench *b, const char *name, uint32_t nb_conns, bool own_namespace)
{
	struct bench_contender c[] = {
		{ .run = run_pair },
		{ .run = run_kernel },
		{ .run = run_pair },
		{ .run = run_kernel_one_thread },
	};

	if (!bench_wants(b, name))
		return;
	c[0].ctx = pair_ready(PAIR_WIRE, nb_conns);
	c[1].ctx = kernel_tcp_open(nb_conns);
	c[2].ctx = pair_ready(PAIR_MEMORY, nb_conns);
	c[3].ctx = kernel_tcp_open(nb_conns);
	if (c[0].ctx == NULL || c[2].ctx == NULL)
		bench_fail(b, name, "the two teams do not connect");
	else if (c[1].ctx == NULL || c[3].ctx == NULL)
		bench_fail(b, name, "the kernel's sockets do not connect");
	else if (bench_interleave(b, c, RTE_DIM(c)) == 0)
		report(b, name, c, own_namespace);
	else
		bench_fail(b, name, "no figure: a frame was lost, or a call failed");
	kernel_tcp_close(c[3].ctx);
	kernel_tcp_close(c[1].ctx);
	pair_free(c[2].ctx);
	pair_free(c[0].ctx);
}

int
main(int argc, char **argv)
{
	struct bench b;
	bool own;
	int rc;

	own = kernel_tcp_namespace() == 0;
	rc = pair_bench_init(&b, "toe_rr", argc, argv, NULL);
	if (rc != 0)
		return bench_exit_code(rc);
	run_case(&b, "conns-1", 1, own);
	run_case(&b, "conns-1000", 1000, own);
	return bench_fini(&b);
}
