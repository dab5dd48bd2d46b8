/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

static int
compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

struct bench_stat
bench_stat_of(double *values, unsigned int nb)
{
	unsigned int rank99 = (99 * nb + 99) / 100; /* nearest rank: ceil(0.99 nb) */

	qsort(values, nb, sizeof(*values), compare_doubles);
	return (struct bench_stat){
		.min = values[0],
		.median = (values[(nb - 1) / 2] + values[nb / 2]) / 2,
		.p99 = values[rank99 - 1],
		.max = values[nb - 1],
		.nb_runs = nb,
	};
}

struct bench_stat
bench_stat_added(const struct bench_stat *with, const struct bench_stat *without)
{
	return (struct bench_stat){
		.min = with->min - without->min,
		.median = with->median - without->median,
		.p99 = with->p99 - without->p99,
		.max = with->max - without->max,
		.nb_runs = with->nb_runs,
	};
}

static void
run_round(struct bench_contender *contenders, unsigned int nb, bool backwards, double *values,
                unsigned int stride)
{
	for (unsigned int i = 0; i < nb; i++) {
		unsigned int c = backwards ? nb - 1 - i : i;

		values[c * stride] = contenders[c].run(contenders[c].ctx);
	}
}

static bool
reduce(struct bench_contender *contender, double *values, unsigned int nb_runs)
{
	for (unsigned int r = 0; r < nb_runs; r++) {
		if (!isfinite(values[r])) {
			contender->stat = (struct bench_stat){ NAN, NAN, NAN, NAN, nb_runs };
			return false;
		}
	}
	contender->stat = bench_stat_of(values, nb_runs);
	return true;
}

int
bench_interleave(const struct bench *b, struct bench_contender *contenders, unsigned int nb)
{
	unsigned int runs = b->nb_runs;
	bool ok = true;
	double *values;

	if (nb == 0 || nb > BENCH_MAX_CONTENDERS || runs == 0)
		return -EINVAL;
	values = calloc((size_t)nb * runs, sizeof(*values));
	if (values == NULL)
		return -ENOMEM;
	run_round(contenders, nb, false, values, runs);
	for (unsigned int r = 0; r < runs; r++)
		run_round(contenders, nb, r & 1, values + r, runs);
	for (unsigned int c = 0; c < nb; c++)
		ok &= reduce(&contenders[c], values + (size_t)c * runs, runs);
	free(values);
	return ok ? 0 : -EINVAL;
}

double
bench_stream(bench_burst_fn fn, void *ctx, unsigned int nb_bursts, unsigned int nb_items)
{
	uint64_t start, cycles;

	start = bench_tsc_start();
	for (unsigned int i = 0; i < nb_bursts; i++)
		fn(ctx);
	cycles = bench_tsc_stop() - start;
	return (double)cycles / ((double)nb_bursts * nb_items);
}

static void
nothing(void *ctx)
{
	bench_keep(ctx);
}

static double
median_burst(bench_burst_fn fn, void *ctx, double *cycles, unsigned int nb)
{
	for (unsigned int i = 0; i < nb; i++) {
		uint64_t start = bench_tsc_start();

		fn(ctx);
		cycles[i] = (double)(bench_tsc_stop() - start);
	}
	return bench_stat_of(cycles, nb).median;
}

double
bench_iso(bench_burst_fn fn, void *ctx, unsigned int nb_bursts, unsigned int nb_items)
{
	unsigned int nb = RTE_MIN(nb_bursts, 65536u);
	double *cycles = nb > 0 ? calloc(nb, sizeof(*cycles)) : NULL;
	double timing, work;

	if (cycles == NULL)
		return NAN;
	timing = median_burst(nothing, ctx, cycles, nb);
	work = median_burst(fn, ctx, cycles, nb);
	free(cycles);
	return (work - timing) / nb_items;
}
