/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* One connection after the other between two teams on one lcore, over wire ports with checksums in
 * software: connect, a byte there, a byte back, the server closes, then the client. The server's ends
 * stay in TIME_WAIT, as many as the daemon's default lets there be; from then on each new connection
 * ends the oldest. `memory`: the frames change hands in memory and the ports care for checksums.
 * Beside it the kernel's TCP over loopback on the same core, both ends in one thread that never waits.
 */

#include <math.h>

#include "bench.h"
#include "kernel_tcp.h"
#include "toe_pair.h"

#define PORT 7
#define MAX_CONNS 65536 /* the daemon's default */
/* Short runs: on a busy machine some are whole. */
#define TRANSACTIONS 200

static struct pair *running;
static uint64_t nb_done, nb_good;

static void
client_data(struct tp_toe_call *call, struct rte_mbuf *data)
{
	nb_good += pair_discard(call, data);
}

static void
client_accept(struct tp_toe_call *call)
{
	pair_send_byte(call, NULL);
}

static void client_close(struct tp_toe_call *call, enum tp_tcp_reason reason);

static const struct tp_toe_user client = {
	.name = "client",
	.on_accept = client_accept,
	.on_data = client_data,
	.on_close = client_close,
};

static void
client_close(struct tp_toe_call *call, enum tp_tcp_reason reason)
{
	(void)call;
	nb_done++;
	if (reason != TP_TCP_R_DONE ||
	                pair_connect(running, &client, NULL, 0, PORT) == TP_TOE_ID_NONE)
		rte_panic("a connection did not end, or the next one not begin\n");
}

static void
server_data(struct tp_toe_call *call, struct rte_mbuf *data)
{
	pair_bounce(call, data);
	tp_toe_close(call);
}

static const struct tp_toe_user server = { .name = "server", .on_data = server_data };

static double
run_pair(void *ctx)
{
	struct pair *p = running = ctx;
	uint64_t losses = pair_losses(p), first = nb_done, good = nb_good;
	uint64_t t = bench_tsc_start();

	while (nb_done - first < TRANSACTIONS)
		pair_turn(p);
	t = bench_tsc_stop() - t;
	if (pair_losses(p) != losses || nb_good - good < TRANSACTIONS)
		return NAN;
	return (double)t / (nb_done - first);
}

static double
run_kernel(void *ctx)
{
	return kernel_tcp_crr(ctx, TRANSACTIONS);
}

/* The first connection, and so many more that TIME_WAIT is full. */
static struct pair *
pair_ready(enum pair_link link)
{
	struct pair_conf conf = { .link = link, .nb_conns = MAX_CONNS };
	struct pair *p = pair_create(&conf);
	uint64_t end = nb_done + MAX_CONNS + 1;

	running = p;
	if (p == NULL || pair_listen(p, &server, PORT) != 0 ||
	                pair_connect(p, &client, NULL, 0, PORT) == TP_TOE_ID_NONE)
		return NULL;
	while (nb_done < end)
		pair_turn(p);
	return p;
}

static void
report(struct bench *b, const char *name, const struct bench_contender *c, bool own_namespace)
{
	struct bench_result result = {
		.case_name = name,
		.unit = "cycles/transaction",
		.peer = "kernel TCP over loopback, same core",
		.goal = 15000,
		.extra = json_pack("{s:f, s:f, s:f, s:s, s:b}", "ratio_goal", 0.125, "memory",
		                c[2].stat.min, "memory_median", c[2].stat.median, "over",
		                "wire ports, software checksums", "own_namespace", own_namespace),
	};

	bench_report_stats(b, &result, &c[0].stat, &c[1].stat);
}

static void
run_case(struct bench *b, const char *name, bool own_namespace)
{
	struct bench_contender c[] = { { .run = run_pair }, { .run = run_kernel },
		{ .run = run_pair } };

	if (!bench_wants(b, name))
		return;
	c[0].ctx = pair_ready(PAIR_WIRE);
	c[1].ctx = kernel_tcp_open(0);
	c[2].ctx = pair_ready(PAIR_MEMORY);
	if (c[0].ctx == NULL || c[1].ctx == NULL || c[2].ctx == NULL)
		bench_fail(b, name, "no connection");
	else if (bench_interleave(b, c, RTE_DIM(c)) == 0)
		report(b, name, c, own_namespace);
	else
		bench_fail(b, name, "no figure: a frame was lost, or a call failed");
	kernel_tcp_close(c[1].ctx);
}

int
main(int argc, char **argv)
{
	struct bench b;
	bool own;
	int rc;

	own = kernel_tcp_namespace() == 0;
	rc = pair_bench_init(&b, "toe_crr", argc, argv, NULL);
	if (rc != 0)
		return bench_exit_code(rc);
	run_case(&b, "conns-1", own);
	return bench_fini(&b);
}
