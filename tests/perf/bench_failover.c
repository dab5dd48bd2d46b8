/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* What a failure costs.
 *
 * On real threads (detect-*, switch-*): two members on wires, each with a lcore, control on the main
 * lcore, and a thread that is host and network. From pulling a cable to control's event; and from
 * there to the first frame of an orphaned flow that leaves by the other member.
 *
 * In the simulator (switch-steps, lost, reordered): teams of 2 to 8 members under more traffic than
 * they take, in which members lose their carriers. `switch-steps` is the most steps that one of the
 * lcores involved took from the control step that saw the event to the first frame of an orphaned
 * bucket on a survivor, both counted; each round has one step of every lcore, in random order. In
 * `held_up` steps also stop in the middle for some rounds, and whoever waits for that lcore's guard
 * takes steps in vain. `lost` counts every frame that the primary read and that neither left by a
 * port nor found a ring full.
 *
 * handover-lost: the primary changes every few hundred us while the host sends at 90 % of the
 * highest rate at which nothing was lost. From the host's port to the far ends; `peer` is the same
 * run without a hand-over.
 */

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_log.h>
#include <rte_mbuf.h>

#include "bench.h"
#include "failover.h"
#include "sim.h"

#define POLL_US 500
#define NB_SEEDS 1000
#define NB_SEEDS_QUICK 20
#define NB_SWITCHES 200
#define NB_SWITCHES_QUICK 20
#define HANDOVER_PERCENT 90

/* Figures on real threads come first: the simulator's clock is for good. */
static const char *const wall_cases[] = { "detect-median", "detect-p99", "switch-median",
	"switch-p99" };
static const double wall_goals[] = { 1000, 0, 100, 0 };
static const char *const cut_cases[] = { "switch-steps", "lost", "reordered" };

/* ---- on real threads ---------------------------------------------------------------------- */

/* Before EAL pins this thread. */
static unsigned int
nb_cpus(unsigned int *first, unsigned int *second)
{
	unsigned int nb = 0;
	cpu_set_t set;

	*first = *second = 0;
	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return 1;
	for (unsigned int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &set))
			continue;
		if (nb == 0)
			*first = *second = cpu;
		else if (nb == 1)
			*second = cpu;
		nb++;
	}
	return nb;
}

static void
report_wall(struct bench *b, const bool *wanted, unsigned int cpus, const struct failover_wall *w,
                unsigned int nb)
{
	double *figure = calloc(nb, sizeof(*figure));
	unsigned int nb_primary = 0;

	for (unsigned int i = 0; i < nb; i++)
		nb_primary += w[i].primary;
	for (unsigned int k = 0; k < RTE_DIM(wall_cases); k++) {
		struct bench_stat s;

		if (!wanted[k])
			continue;
		for (unsigned int i = 0; i < nb; i++)
			figure[i] = k < 2 ? w[i].detect : w[i].switchs;
		s = bench_stat_of(figure, nb);
		bench_report(b, &(struct bench_result){
		                                .case_name = wall_cases[k],
		                                .value = k % 2 == 0 ? s.median : s.p99,
		                                .unit = "us",
		                                .goal = wall_goals[k],
		                                .nb_runs = nb,
		                                .extra = json_pack("{s:f, s:f, s:i, s:i, s:i, s:i, "
		                                                   "s:i}",
		                                                "min", s.min, "max", s.max,
		                                                "poll_us", POLL_US, "cpus",
		                                                (int)cpus, "lcores", 3, "threads",
		                                                4, "of_primary", (int)nb_primary),
		                });
	}
	free(figure);
}

static void
run_wall(struct bench *b, unsigned int cpus)
{
	unsigned int nb = b->quick ? NB_SWITCHES_QUICK : NB_SWITCHES;
	struct failover_wall *w = calloc(nb, sizeof(*w));
	bool wanted[RTE_DIM(wall_cases)], any = false;
	char why[640] = "not every switch was seen";
	int n;

	for (unsigned int k = 0; k < RTE_DIM(wall_cases); k++) {
		wanted[k] = bench_wants(b, wall_cases[k]);
		any |= wanted[k];
	}
	if (any) {
		n = failover_wall(nb, POLL_US, w, why, sizeof(why));
		if (n > 0)
			report_wall(b, wanted, cpus, w, n);
		if (n < (int)nb)
			bench_fail(b, wall_cases[0], why);
	}
	free(w);
}

/* ---- in the simulator ------------------------------------------------------------------------ */

/* Least number of steps that so many percent of the switches did not exceed. */
static unsigned int
steps_at(const struct failover_sim *sum, enum failover_lcore lcore, double percent)
{
	uint64_t at = 0, want = (uint64_t)((double)sum->nb_cuts * percent / 100 + 0.5);
	unsigned int n = 0;

	for (; n < FAILOVER_MAX_STEPS - 1; n++) {
		at += sum->steps[lcore][n];
		if (at >= want)
			break;
	}
	return n;
}

static unsigned int
most_steps(const struct failover_sim *sum, double percent)
{
	unsigned int most = 0;

	for (unsigned int i = 0; i < FAILOVER_NB_LCORES; i++)
		most = RTE_MAX(most, steps_at(sum, i, percent));
	return most;
}

static json_t *
steps_of(const struct failover_sim *sum)
{
	return json_pack("{s:i, s:i, s:i, s:i, s:i, s:I}", "control",
	                steps_at(sum, FAILOVER_CONTROL, 100), "primary",
	                steps_at(sum, FAILOVER_PRIMARY, 100), "survivor",
	                steps_at(sum, FAILOVER_SURVIVOR, 100), "median", most_steps(sum, 50), "p99",
	                most_steps(sum, 99), "switches", (json_int_t)sum->nb_cuts);
}

static void
report_cuts(struct bench *b, const bool *wanted, const struct failover_sim *even,
                const struct failover_sim *uneven)
{
	const double value[] = { most_steps(even, 100), (double)(even->lost + uneven->lost),
		(double)(even->reordered + uneven->reordered) };

	for (unsigned int k = 0; k < RTE_DIM(cut_cases); k++) {
		if (!wanted[k])
			continue;
		bench_report(b, &(struct bench_result){
		                                .case_name = cut_cases[k],
		                                .value = value[k],
		                                .unit = k == 0 ? "steps" : "frames",
		                                .goal = k == 0 ? 3 : 0,
		                                .nb_runs = even->nb_seeds + uneven->nb_seeds,
		                                .extra = k == 0 ? json_pack("{s:o, s:o, s:I}",
		                                                                  "even",
		                                                                  steps_of(even),
		                                                                  "held_up",
		                                                                  steps_of(uneven),
		                                                                  "of_primary",
		                                                                  (json_int_t)(even->nb_primaries +
		                                                                                  uneven->nb_primaries))
		                                                : json_pack("{s:I, s:I}", "frames",
		                                                                  (json_int_t)(even->nb_frames +
		                                                                                  uneven->nb_frames),
		                                                                  "refused_by_full_"
		                                                                  "ring",
		                                                                  (json_int_t)(even->refused +
		                                                                                  uneven->refused)),
		                });
	}
}

static int
run_cuts(struct bench *b, unsigned int nb_seeds)
{
	struct failover_sim sum[2] = { { .nb_seeds = 0 } };
	bool wanted[RTE_DIM(cut_cases)], any = false;
	char why[640] = "";
	int rc = 0;

	for (unsigned int k = 0; k < RTE_DIM(cut_cases); k++) {
		wanted[k] = bench_wants(b, cut_cases[k]);
		any |= wanted[k];
	}
	for (uint64_t seed = 1; any && seed <= nb_seeds && rc == 0; seed++)
		rc = failover_sim_cuts(seed, seed % 2 == 0, &sum[seed % 2 == 0], why, sizeof(why));
	if (!any)
		return 0;
	if (rc != 0 || sum[0].nb_cuts == 0)
		bench_fail(b, cut_cases[0], rc != 0 ? why : "no switch was seen");
	report_cuts(b, wanted, &sum[0], &sum[1]);
	return rc;
}

static void
run_handover(struct bench *b, unsigned int nb_seeds)
{
	struct failover_handover sum = { .nb_seeds = 0 };
	uint64_t rate[SIM_MAX_WIRES + 1] = { 0 };
	unsigned int nb_trial = b->quick ? 1 : 5;
	char why[640] = "";
	int rc = 0;

	if (!bench_wants(b, "handover-lost"))
		return;
	for (uint64_t seed = 1; seed <= nb_seeds && rc == 0; seed++) {
		uint8_t nb = failover_sim_members(seed);

		if (rate[nb] == 0)
			rate[nb] = failover_sim_zero_loss(nb, nb_trial);
		rc = failover_sim_handover(
		                seed, rate[nb] * HANDOVER_PERCENT / 100, &sum, why, sizeof(why));
	}
	if (rc != 0)
		bench_fail(b, "handover-lost", why);
	bench_report(b, &(struct bench_result){
	                                .case_name = "handover-lost",
	                                .value = (double)sum.lost,
	                                .unit = "frames",
	                                .peer = "the same without a hand-over",
	                                .peer_value = (double)sum.lost_unchanged,
	                                .nb_runs = sum.nb_seeds,
	                                .extra = json_pack("{s:I, s:I, s:i, s:f, s:f}", "handovers",
	                                                (json_int_t)sum.nb_handovers, "frames",
	                                                (json_int_t)sum.nb_frames,
	                                                "percent_of_zero_loss", HANDOVER_PERCENT,
	                                                "zero_loss_m2_per_step",
	                                                (double)rate[2] * FAILOVER_STEP_S,
	                                                "zero_loss_m8_per_step",
	                                                (double)rate[8] * FAILOVER_STEP_S),
	                });
}

int
main(int argc, char **argv)
{
	unsigned int first, second, cpus, nb_seeds;
	char lcores[64];
	const char *const eal_args[] = { "--lcores", lcores, NULL };
	struct bench b;
	int rc;

	cpus = nb_cpus(&first, &second);
	snprintf(lcores, sizeof(lcores), "0@%u,1@%u,2@%u", first, first, second);
	rc = bench_init(&b, "failover", argc, argv, eal_args);
	if (rc != 0)
		return bench_exit_code(rc);
	rte_log_set_level_pattern("teampmd.*", RTE_LOG_WARNING);
	rte_log_set_level_pattern("lib.ethdev", RTE_LOG_CRIT);
	nb_seeds = b.quick ? NB_SEEDS_QUICK : NB_SEEDS;
	run_wall(&b, cpus);
	sim_pool = rte_pktmbuf_pool_create("peers", 4095, 32, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	/* What failed there leaves a world behind in which nothing can be trusted. */
	if (run_cuts(&b, nb_seeds) == 0)
		run_handover(&b, nb_seeds);
	return bench_fini(&b);
}
