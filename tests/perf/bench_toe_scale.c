/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* A million connections between two teams on one lcore, frames changing hands in memory.
 *
 * bytes: what the process has grown by for each end of a connection, all tables of the engine
 * included: context, handle, flow table, timer wheel, list of those to be looked at. Not EAL's heap and
 * the pools of buffers and of records of segments in flight, of which idle connections have none;
 * `pools` is theirs, shared by all.
 *
 * rr-1m: one-byte requests and responses, 32 out at a time, each on a connection chosen at random,
 * through tp_toe_post(), as from another thread; the client acknowledges each response at once. The
 * peer is the same over the first thousand of them.
 */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <rte_malloc.h>

#include "bench.h"
#include "toe_pair.h"
#include "traffic.h"

#define NB_CONNS 1000000
#define QUICK_CONNS 50000
#define NB_FEW 1000
#define OUTSTANDING 32
#define TRANSACTIONS 1000

struct scene {
	struct pair *p;
	tp_toe_id *ids; /* [nb], the client's */
	uint32_t nb;
	uint32_t of; /* requests go to the first so many */
	uint64_t nb_established, nb_done, nb_random;
	double bytes, pools; /* for each end */
};

static struct scene scene;

/* ---- users ----------------------------------------------------------------------- */

static void
established(struct tp_toe_call *call)
{
	scene.ids[scene.nb_established++] = call->id;
	/* Few connections would have their ACKs in the next request, many by a timer. */
	tp_toe_set(call, TP_TCP_OPT_QUICKACK, true);
}

static void
ask_one(void)
{
	uint64_t r = traffic_random(scene.nb_random++) % scene.of;

	if (tp_toe_post(scene.p->client.toe, scene.ids[r], pair_send_byte, NULL) != 0)
		rte_panic("a function cannot be posted\n");
}

static void
answered(struct tp_toe_call *call, struct rte_mbuf *data)
{
	scene.nb_done += pair_discard(call, data);
}

static const struct tp_toe_user client = {
	.name = "client", .on_accept = established, .on_data = answered
};
static const struct tp_toe_user server = { .name = "server", .on_data = pair_bounce };

/* ---- memory ------------------------------------------------------------------------ */

static void
chunk_resident(struct rte_mempool *mp, void *sum, struct rte_mempool_memhdr *chunk, unsigned int i)
{
	size_t page = sysconf(_SC_PAGESIZE);
	char *from = RTE_PTR_ALIGN_FLOOR(chunk->addr, page);
	size_t nb = (RTE_PTR_ADD(chunk->addr, chunk->len) - (void *)from + page - 1) / page;
	unsigned char *in = malloc(nb);

	(void)mp;
	(void)i;
	if (in == NULL || mincore(from, nb * page, in) != 0)
		rte_panic("memory of a pool cannot be looked at\n");
	for (size_t k = 0; k < nb; k++)
		*(uint64_t *)sum += in[k] & 1 ? page : 0;
	free(in);
}

static void
pool_resident(struct rte_mempool *mp, void *sum)
{
	rte_mempool_mem_iter(mp, chunk_resident, sum);
}

/* Elements of pools, and EAL's heap, where the pools' lists of free elements are. */
static uint64_t
resident_pools(void)
{
	struct rte_malloc_socket_stats heap = { 0 };
	uint64_t sum = 0;

	rte_mempool_walk(pool_resident, &sum);
	if (rte_malloc_get_socket_stats(0, &heap) != 0)
		rte_panic("EAL's heap cannot be looked at\n");
	return sum + heap.heap_allocsz_bytes;
}

static bool
make_scene(uint32_t nb)
{
	struct pair_conf conf = { .link = PAIR_MEMORY, .nb_conns = nb };
	uint64_t before, pools;

	scene.nb = nb;
	scene.ids = calloc(nb, sizeof(scene.ids[0]));
	for (uint32_t i = 0; scene.ids != NULL && i < nb; i++)
		scene.ids[i] = ~UINT64_C(0); /* resident before anything counts */
	pools = resident_pools();
	before = bench_resident();
	scene.p = pair_create(&conf);
	if (scene.p == NULL || scene.ids == NULL ||
	                !pair_connect_many(scene.p, &client, &server, nb, &scene.nb_established))
		return false;
	pools = resident_pools() - pools;
	scene.bytes = (double)(bench_resident() - before - pools) / (2.0 * nb);
	scene.pools = pools / (2.0 * nb);
	return pair_losses(scene.p) == 0;
}

/* ---- cases ----------------------------------------------------------------------------- */

static double
run_rr(uint32_t of)
{
	uint64_t end = scene.nb_done + TRANSACTIONS, asked = scene.nb_done, t;

	scene.of = of;
	t = bench_tsc_start();
	while (scene.nb_done < end) {
		for (; asked < end && asked - scene.nb_done < OUTSTANDING; asked++)
			ask_one();
		pair_turn(scene.p);
	}
	t = bench_tsc_stop() - t;
	return pair_losses(scene.p) == 0 ? (double)t / TRANSACTIONS : NAN;
}

static double
run_all(void *ctx)
{
	(void)ctx;
	return run_rr(scene.nb);
}

static double
run_few(void *ctx)
{
	(void)ctx;
	return run_rr(NB_FEW);
}

static void
report_bytes(struct bench *b)
{
	struct bench_result result = {
		.case_name = "bytes",
		.value = scene.bytes,
		.unit = "bytes/connection",
		.goal = 600,
		.nb_runs = 1,
		.extra = json_pack("{s:i, s:f}", "conns", scene.nb, "pools", scene.pools),
	};

	bench_report(b, &result);
}

static void
report_rr(struct bench *b)
{
	struct bench_contender c[] = { { .run = run_all }, { .run = run_few } };
	struct bench_result result = {
		.case_name = "rr-1m",
		.unit = "cycles/transaction",
		.peer = "1000 of the connections",
		.extra = json_pack("{s:i, s:f}", "conns", scene.nb, "ratio_goal", 2.0),
	};

	if (bench_interleave(b, c, RTE_DIM(c)) == 0)
		bench_report_stats(b, &result, &c[0].stat, &c[1].stat);
	else
		bench_fail(b, "rr-1m", "no figure: a frame was lost");
}

int
main(int argc, char **argv)
{
	bool bytes, rr;
	struct bench b;
	int rc = pair_bench_init(&b, "toe_scale", argc, argv, NULL);

	if (rc != 0)
		return bench_exit_code(rc);
	bytes = bench_wants(&b, "bytes");
	rr = bench_wants(&b, "rr-1m");
	if (!bytes && !rr)
		return bench_fini(&b);
	if (!make_scene(b.quick ? QUICK_CONNS : NB_CONNS)) {
		bench_fail(&b, "all", "the connections are not there");
		return bench_fini(&b);
	}
	if (bytes)
		report_bytes(&b);
	if (rr)
		report_rr(&b);
	return bench_fini(&b);
}
