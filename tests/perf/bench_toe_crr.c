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
send_byte(struct tp_toe_call *call)
{
	struct rte_mbuf *m = tp_toe_alloc(call);

	if (m == NULL || rte_pktmbuf_append(m, 1) == NULL || tp_toe_send(call, m, true) != 0)
		rte_panic("a byte cannot be sent\n");
}

static void
client_data(struct tp_toe_call *call, struct rte_mbuf *data)
{
	nb_good++;
	tp_toe_consumed(call, data->pkt_len);
	rte_pktmbuf_free(data);
}

static void client_close(struct tp_toe_call *call, enum tp_tcp_reason reason);

static const struct tp_toe_user client = {
	.name = "client",
	.on_accept = send_byte,
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
	tp_toe_consumed(call, data->pkt_len);
	if (tp_toe_send(call, data, true) != 0)
		rte_panic("a byte cannot be sent back\n");
	tp_toe_close(call);
}

static const struct tp_toe_user server = { .name = "server", .on_data = server_data };

struct scene {
	struct pair *pair[2]; /* by enum pair_link */
	struct kernel_tcp *kernel;
	uint32_t nb_transactions;
};

static double
run_pair(const struct scene *s, struct pair *p)
{
	uint64_t losses = pair_losses(p), first = nb_done, good = nb_good;
	uint64_t t = bench_tsc_start();

	running = p;
	while (nb_done - first < s->nb_transactions)
		pair_turn(p);
	t = bench_tsc_stop() - t;
	if (pair_losses(p) != losses || nb_good - good < s->nb_transactions)
		return NAN;
	return (double)t / (nb_done - first);
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

	return kernel_tcp_crr(s->kernel, s->nb_transactions);
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
	struct scene s = { .nb_transactions = TRANSACTIONS };
	struct bench_contender c[] = {
		{ .run = run_wire, .ctx = &s },
		{ .run = run_kernel, .ctx = &s },
		{ .run = run_memory, .ctx = &s },
	};

	if (!bench_wants(b, name))
		return;
	s.pair[PAIR_WIRE] = pair_ready(PAIR_WIRE);
	s.pair[PAIR_MEMORY] = pair_ready(PAIR_MEMORY);
	s.kernel = kernel_tcp_open(0);
	if (s.pair[PAIR_WIRE] == NULL || s.pair[PAIR_MEMORY] == NULL || s.kernel == NULL)
		bench_fail(b, name, "no connection");
	else if (bench_interleave(b, c, RTE_DIM(c)) == 0)
		report(b, name, c, own_namespace);
	else
		bench_fail(b, name, "no figure: a frame was lost, or a call failed");
	kernel_tcp_close(s.kernel);
}

int
main(int argc, char **argv)
{
	struct bench b;
	bool own;
	int rc;

	own = kernel_tcp_namespace() == 0;
	rc = bench_init(&b, "toe_crr", argc, argv, NULL);
	if (rc != 0)
		return bench_exit_code(rc);
	tp_clock_init();
	if (tp_meta_init() != 0) {
		bench_fail(&b, "all", "no field in mbufs");
		return bench_fini(&b);
	}
	run_case(&b, "conns-1", own);
	return bench_fini(&b);
}
