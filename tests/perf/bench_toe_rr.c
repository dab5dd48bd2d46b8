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
send_byte(struct tp_toe_call *call)
{
	struct rte_mbuf *m = tp_toe_alloc(call);

	if (m == NULL || rte_pktmbuf_append(m, 1) == NULL || tp_toe_send(call, m, true) != 0)
		rte_panic("a byte cannot be sent\n");
}

static void
client_accept(struct tp_toe_call *call)
{
	nb_established++;
	send_byte(call);
}

/* What came goes back, as it is: the next request, or the response. */
static void
bounce(struct tp_toe_call *call, struct rte_mbuf *data)
{
	tp_toe_consumed(call, data->pkt_len);
	if (tp_toe_send(call, data, true) != 0)
		rte_panic("a byte cannot be sent back\n");
}

static void
client_data(struct tp_toe_call *call, struct rte_mbuf *data)
{
	nb_done++;
	bounce(call, data);
}

static const struct tp_toe_user client = {
	.name = "client", .on_accept = client_accept, .on_data = client_data
};
static const struct tp_toe_user server = { .name = "server", .on_data = bounce };

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

struct scene {
	struct pair *pair[2]; /* by enum pair_link */
	struct kernel_tcp *kernel, *kernel_one;
	uint32_t nb_transactions;
};

static double
run_pair(const struct scene *s, struct pair *p)
{
	uint64_t losses = pair_losses(p), end = nb_done + s->nb_transactions, first = nb_done;
	uint64_t t = bench_tsc_start();

	while (nb_done < end)
		pair_turn(p);
	t = bench_tsc_stop() - t;
	return pair_losses(p) == losses ? (double)t / (nb_done - first) : NAN;
}

static double
run_wire(void *ctx)
{
	return run_pair(ctx, ((struct scene *)ctx)->pair[PAIR_WIRE]);
}

static double
run_memory(void *ctx)
{
	return run_pair(ctx, ((struct scene *)ctx)->pair[PAIR_MEMORY]);
}

static double
run_kernel(void *ctx)
{
	struct scene *s = ctx;

	return kernel_tcp_rr_threads(s->kernel, s->nb_transactions);
}

static double
run_kernel_one(void *ctx)
{
	struct scene *s = ctx;

	return kernel_tcp_rr(s->kernel_one, s->nb_transactions);
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
	struct scene s = { .nb_transactions = TRANSACTIONS };
	struct bench_contender c[] = {
		{ .run = run_wire, .ctx = &s },
		{ .run = run_kernel, .ctx = &s },
		{ .run = run_memory, .ctx = &s },
		{ .run = run_kernel_one, .ctx = &s },
	};

	if (!bench_wants(b, name))
		return;
	s.pair[PAIR_WIRE] = pair_ready(PAIR_WIRE, nb_conns);
	s.pair[PAIR_MEMORY] = pair_ready(PAIR_MEMORY, nb_conns);
	s.kernel = kernel_tcp_open(nb_conns);
	s.kernel_one = kernel_tcp_open(nb_conns);
	if (s.pair[PAIR_WIRE] == NULL || s.pair[PAIR_MEMORY] == NULL)
		bench_fail(b, name, "the two teams do not connect");
	else if (s.kernel == NULL || s.kernel_one == NULL)
		bench_fail(b, name, "the kernel's sockets do not connect");
	else if (bench_interleave(b, c, RTE_DIM(c)) == 0)
		report(b, name, c, own_namespace);
	else
		bench_fail(b, name, "no figure: a frame was lost, or a call failed");
	kernel_tcp_close(s.kernel_one);
	kernel_tcp_close(s.kernel);
	pair_free(s.pair[PAIR_MEMORY]);
	pair_free(s.pair[PAIR_WIRE]);
}

int
main(int argc, char **argv)
{
	struct bench b;
	bool own;
	int rc;

	own = kernel_tcp_namespace() == 0;
	rc = bench_init(&b, "toe_rr", argc, argv, NULL);
	if (rc != 0)
		return bench_exit_code(rc);
	tp_clock_init();
	if (tp_meta_init() != 0) {
		bench_fail(&b, "all", "no field in mbufs");
		return bench_fini(&b);
	}
	run_case(&b, "conns-1", 1, own);
	run_case(&b, "conns-1000", 1000, own);
	return bench_fini(&b);
}
