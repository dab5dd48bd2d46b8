/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Timers of a million connections that are armed again, as each segment does it: ids at random, a
 * tenth of a microsecond from one to the next; what is due is taken once in a burst and armed again.
 * "rearm": each connection has its own timeout, 0.2 to 1.2 s, so that deadlines move later, as
 * those of retransmission do. "move": any deadline in that range, earlier or later than before.
 * The peer is rte_timer_reset() with the same ids and deadlines on as many timers, all of them in
 * memory of the same kind; as it takes long, its runs are shorter. Its callbacks are never run here,
 * which flatters it.
 */

#include <rte_timer.h>

#include "bench.h"
#include "tp_core.h"
#include "tp_wheel.h"
#include "traffic.h"

#define NB_TIMERS (1u << 20)
#define OUR_BURSTS 4096
#define PEER_BURSTS 8
#define STEP_NS 100
#define MAX_DUE 64
#define RTO_MIN_NS (200 * TP_NS_PER_MS)
#define RTO_SPREAD_NS TP_NS_PER_S

struct scene {
	struct tp_wheel *wheel;
	struct rte_timer *timers;
	bool move;
	uint64_t now;
	uint64_t at; /* of the random sequence */
	uint32_t id[BENCH_BURST];
	uint64_t in_ns[BENCH_BURST];
	uint64_t nb_due;
};

static uint64_t
timeout_of(uint32_t id)
{
	return RTO_MIN_NS + traffic_random(~(uint64_t)id) % RTO_SPREAD_NS;
}

static void
draw_burst(struct scene *s)
{
	uint64_t r;

	for (unsigned int i = 0; i < BENCH_BURST; i++) {
		r = traffic_random(s->at++);
		s->id[i] = r % NB_TIMERS;
		s->in_ns[i] = timeout_of(s->move ? r >> 32 : s->id[i]);
	}
}

/* ---- contenders ------------------------------------------------------------------ */

static void
burst_wheel(struct scene *s)
{
	uint32_t due[MAX_DUE];
	uint32_t nb;

	for (unsigned int i = 0; i < BENCH_BURST; i++) {
		s->now += STEP_NS;
		tp_wheel_arm(s->wheel, s->id[i], s->now + s->in_ns[i]);
	}
	nb = tp_wheel_expire(s->wheel, s->now, due, MAX_DUE);
	for (uint32_t i = 0; i < nb; i++)
		tp_wheel_arm(s->wheel, due[i], s->now + RTO_MIN_NS + RTO_SPREAD_NS);
	s->nb_due += nb;
}

static void
on_timer(struct rte_timer *t, void *arg)
{
	(void)t;
	(void)arg;
}

static void
burst_rte_timer(struct scene *s)
{
	for (unsigned int i = 0; i < BENCH_BURST; i++)
		rte_timer_reset(&s->timers[s->id[i]], s->in_ns[i] * rte_get_tsc_hz() / TP_NS_PER_S,
		                SINGLE, rte_lcore_id(), on_timer, NULL);
}

static double
run_bursts(struct scene *s, void (*burst)(struct scene *s), unsigned int nb_bursts)
{
	uint64_t cycles = 0, from;

	for (unsigned int n = 0; n < nb_bursts; n++) {
		draw_burst(s);
		from = bench_tsc_start();
		burst(s);
		cycles += bench_tsc_stop() - from;
	}
	return (double)cycles * 1e9 / rte_get_tsc_hz() / nb_bursts / BENCH_BURST;
}

static double
run_wheel(void *ctx)
{
	return run_bursts(ctx, burst_wheel, OUR_BURSTS);
}

static double
run_rte_timer(void *ctx)
{
	return run_bursts(ctx, burst_rte_timer, PEER_BURSTS);
}

/* ---- set up ---------------------------------------------------------------------- */

/* rte_timer inserts in time order cheapest when each is earlier than all before it. */
static int
fill_rte_timer(struct scene *s)
{
	uint64_t hz = rte_get_tsc_hz();

	if (rte_timer_subsystem_init() != 0)
		return -1;
	s->timers = tp_mem_map(NB_TIMERS * sizeof(*s->timers));
	if (s->timers == NULL)
		return -1;
	for (uint32_t i = 0; i < NB_TIMERS; i++) {
		rte_timer_init(&s->timers[i]);
		if (rte_timer_reset(&s->timers[i], 3600 * hz - (uint64_t)i * hz / 1000, SINGLE,
		                    rte_lcore_id(), on_timer, NULL) != 0)
			return -1;
	}
	return 0;
}

static int
fill_wheel(struct scene *s)
{
	void *mem = tp_mem_map(tp_wheel_size(NB_TIMERS));

	if (mem == NULL)
		return -1;
	s->wheel = tp_wheel_init(mem, NB_TIMERS, s->now);
	for (uint32_t i = 0; i < NB_TIMERS; i++)
		tp_wheel_arm(s->wheel, i, s->now + timeout_of(i));
	return 0;
}

static void
run_case(struct bench *b, struct scene *s, const char *name, bool move, double goal)
{
	struct bench_contender by[] = { { run_wheel, s }, { run_rte_timer, s } };
	struct bench_result result = {
		.case_name = name,
		.unit = "ns",
		.peer = "rte_timer_reset",
		.goal = goal,
		.extra = json_object(),
	};

	s->move = move;
	s->nb_due = 0;
	if (bench_interleave(b, by, RTE_DIM(by)) < 0)
		bench_fail(b, result.case_name, "a run gave no figure");
	if (tp_wheel_count(s->wheel) != NB_TIMERS)
		bench_fail(b, result.case_name, "timers were lost");
	json_object_set_new(result.extra, "timers", json_integer(NB_TIMERS));
	json_object_set_new(result.extra, "bytes_per_timer",
	                json_real((double)tp_wheel_size(NB_TIMERS) / NB_TIMERS));
	json_object_set_new(result.extra, "expired", json_integer((json_int_t)s->nb_due));
	bench_report_stats(b, &result, &by[0].stat, &by[1].stat);
}

int
main(int argc, char **argv)
{
	static struct scene s = { .now = TP_NS_PER_S };
	struct bench b;
	int rc = bench_init(&b, "wheel", argc, argv, NULL);

	if (rc != 0)
		return bench_exit_code(rc);
	if (fill_wheel(&s) == 0 && fill_rte_timer(&s) == 0) {
		if (bench_wants(&b, "rearm-1m"))
			run_case(&b, &s, "rearm-1m", false, 60);
		if (bench_wants(&b, "move-1m"))
			run_case(&b, &s, "move-1m", true, 0);
	} else {
		bench_fail(&b, "rearm-1m", "no memory");
	}
	tp_mem_unmap(s.wheel, tp_wheel_size(NB_TIMERS));
	tp_mem_unmap(s.timers, NB_TIMERS * sizeof(*s.timers));
	return bench_fini(&b);
}
