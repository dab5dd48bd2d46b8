/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* What it costs that a packet arrives on another member than its connection's: that member looks it
 * up, finds whose it is and puts it on the owner's ring, who takes it from there. A team of two
 * members on one lcore serves one-byte requests in bursts of 32, each of another connection, all of
 * member 1; they arrive there, or on member 0. Timed are the turns of both members, frames changing
 * hands in memory; `value` is what they take more for a packet.
 */

#include <math.h>

#include "bench.h"
#include "toe_pair.h"

#define PORT 7
#define NB_CONNS 32 /* a burst */
#define ROUNDS 400
#define SETTLE_TURNS 100000
#define OWNER 1
#define OTHER 0

static uint64_t nb_served, nb_established;

static void
serve(struct tp_toe_call *call, struct rte_mbuf *data)
{
	if (tp_toe_member(call) != OWNER)
		rte_panic("a connection is not where it should be\n");
	nb_served++;
	pair_bounce(call, data);
}

static void
begin(struct tp_toe_call *call)
{
	nb_established++;
	pair_send_byte(call, NULL);
}

static const struct tp_toe_user client = {
	.name = "client", .on_accept = begin, .on_data = pair_bounce
};
static const struct tp_toe_user server = { .name = "server", .on_data = serve };

/* Only the server's turns count: the median one, which is so short that nobody interrupts it. */
static double
run_at(struct pair *p, uint8_t member)
{
	uint64_t losses = pair_losses(p), first = nb_served, t;
	double cycles[ROUNDS];

	p->server.arrive_at = member;
	for (uint32_t i = 0; i < ROUNDS; i++) {
		pair_side_turn(&p->client, tp_clock_now());
		t = bench_tsc_start();
		pair_side_turn(&p->server, tp_clock_now());
		cycles[i] = bench_tsc_stop() - t;
	}
	/* A timer that ran on a busy machine may add a frame to a burst. */
	if (pair_losses(p) != losses || nb_served - first < ROUNDS * (NB_CONNS - 1))
		return NAN;
	return bench_stat_of(cycles, ROUNDS).median / NB_CONNS;
}

static double
run_local(void *ctx)
{
	return run_at(ctx, OWNER);
}

static double
run_foreign(void *ctx)
{
	return run_at(ctx, OTHER);
}

static struct pair *
pair_ready(void)
{
	struct pair_conf conf = { .link = PAIR_MEMORY, .server_shards = 2 };
	struct pair *p = pair_create(&conf);

	if (p == NULL || pair_listen(p, &server, PORT) != 0)
		return NULL;
	p->server.arrive_at = OWNER;
	for (uint32_t i = 0; i < NB_CONNS; i++) {
		if (pair_connect(p, &client, NULL, 0, PORT) == TP_TOE_ID_NONE)
			return NULL;
		pair_turn(p);
	}
	for (uint32_t i = 0; i < SETTLE_TURNS && nb_established < NB_CONNS; i++)
		pair_turn(p);
	for (uint32_t i = 0; i < NB_CONNS; i++)
		pair_turn(p);
	return nb_established == NB_CONNS ? p : NULL;
}

static uint64_t
nb_foreign(const struct pair *p)
{
	uint64_t counters[TP_TOE_NB_COUNTERS], mib[TP_TCP_NB_MIB];

	tp_toe_counters(p->server.toe, counters, mib);
	return counters[TP_TOE_C_RX_FORWARDED];
}

static void
run_case(struct bench *b, const char *name)
{
	struct bench_contender c[] = { { .run = run_foreign }, { .run = run_local } };
	struct bench_result result = { .case_name = name, .unit = "cycles/packet", .goal = 150 };
	struct bench_stat added;
	struct pair *p;

	if (!bench_wants(b, name))
		return;
	c[0].ctx = c[1].ctx = p = pair_ready();
	if (p == NULL || bench_interleave(b, c, RTE_DIM(c)) != 0 || nb_foreign(p) == 0) {
		bench_fail(b, name, "no figure: no connection, or a frame was lost");
		return;
	}
	added = bench_stat_added(&c[0].stat, &c[1].stat);
	result.extra = json_pack("{s:f, s:f, s:i}", "foreign", c[0].stat.min, "local",
	                c[1].stat.min, "burst", NB_CONNS);
	bench_report_stats(b, &result, &added, NULL);
	pair_free(p);
}

int
main(int argc, char **argv)
{
	struct bench b;
	int rc = pair_bench_init(&b, "foreign", argc, argv, NULL);

	if (rc != 0)
		return bench_exit_code(rc);
	run_case(&b, "forward");
	return bench_fini(&b);
}
