/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/**
 * @file
 * What every bench_<name>.c shares: options, EAL, timing, interleaved runs and
 * one JSON object per result on stdout. A bench is a main() of this shape:
 *
 *	struct bench b;
 *	int rc = bench_init(&b, "hash", argc, argv, NULL);
 *	if (rc != 0)
 *		return bench_exit_code(rc);
 *	if (bench_wants(&b, "toeplitz-v4-scalar"))
 *		... bench_interleave(), bench_report_stats() ...
 *	return bench_fini(&b);
 *
 * Take mbufs from tp_pool_create(): their layout decides what a cycle count means.
 * Single-threaded: call everything from the main lcore. Only JSON reaches
 * stdout; whatever else a library prints there goes to stderr.
 */
#ifndef BENCH_H
#define BENCH_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_common.h>
#include <rte_cycles.h>

#define BENCH_BURST 32 /**< packets per burst wherever a goal does not say otherwise */
#define BENCH_MAX_CONTENDERS 8
#define BENCH_MAX_RUNS 4096

/** One run of a bench program. Written by bench_init(), read by the bench. */
struct bench {
	char name[32];           /**< "bench_hash" */
	const char *filter;      /**< --case: a name or a shell pattern; NULL: all */
	bool quick;              /**< --quick: prove that it runs; figures mean little */
	bool huge_pages;         /**< EAL memory is on huge pages */
	unsigned int nb_runs;    /**< runs of each contender: --runs, else 51, --quick 3 */
	unsigned int nb_asked;   /**< cases the program asked about */
	unsigned int nb_matched; /**< cases that the filter let through */
	unsigned int nb_errors;  /**< results that were not finite, cases that failed */
};

/** Parse the program's options and start EAL (--no-huge --no-shconf --no-pci -m 1024; with
 * --in-memory instead of --no-huge where at least 1 GiB of 2 MiB pages is free).
 * @param name   without "bench_"
 * @param eal_args NULL, or a NULL-ended list of more EAL arguments ("--vdev", "net_null0", ...).
 *               An "-l" or "--lcores" in it replaces the default: one lcore on the first CPU
 *               that this process may use.
 * @return 0; -EINVAL for bad usage (reported on stderr); 1 when --help was served;
 *         another -errno when EAL does not start. */
int bench_init(struct bench *b, const char *name, int argc, char **argv,
                const char *const *eal_args);

/** The exit code for a bench_init() that did not return 0: 2 usage, 1 failed, 0 help. */
int bench_exit_code(int rc);

/** Is this case to be run? Counts, so that bench_fini() can tell a filter that fits nothing.
 * Ask for every case, once. */
bool bench_wants(struct bench *b, const char *case_name);

/** Is any of these cases to be run, which one scene makes together? Asks for each. */
bool bench_wants_any(struct bench *b, const char *const *case_names, unsigned int nb);

/** A case that could not be run at all: one line on stderr, and bench_fini() returns 1. */
void bench_fail(struct bench *b, const char *case_name, const char *why);

/** A case that this machine cannot run (no AVX-512, one CPU): one line on stderr, no error. */
void bench_skip(struct bench *b, const char *case_name, const char *why);

/** Clean EAL up.
 * @return the program's exit code: 0, 1 when a case failed, 2 when the filter fitted none. */
int bench_fini(struct bench *b);

/** @name Timing. TSC cycles; nothing before start or after stop moves into the interval. @{ */
static inline uint64_t
bench_tsc_start(void)
{
#ifdef RTE_ARCH_X86
	uint64_t tsc;

	__builtin_ia32_lfence();
	tsc = __builtin_ia32_rdtsc();
	__builtin_ia32_lfence();
	return tsc;
#else
	return rte_rdtsc_precise();
#endif
}

static inline uint64_t
bench_tsc_stop(void)
{
#ifdef RTE_ARCH_X86
	unsigned int aux;
	uint64_t tsc = __builtin_ia32_rdtscp(&aux);

	__builtin_ia32_lfence();
	return tsc;
#else
	return rte_rdtsc_precise();
#endif
}

/** Let the compiler believe that memory behind p is read: keeps work whose result is unused. */
static inline void
bench_keep(const void *p)
{
	asm volatile("" : : "r"(p) : "memory");
}
/** @} */

/** Do one burst of work; ctx is the bench's. */
typedef void (*bench_burst_fn)(void *ctx);

/** Back to back ("stream"): cycles per item of nb_bursts calls, fenced as a whole.
 * @param nb_items items per burst, to divide by */
double bench_stream(bench_burst_fn fn, void *ctx, unsigned int nb_bursts, unsigned int nb_items);

/** Each burst fenced by itself ("iso"): the median burst's cycles per item, less what the timing
 * itself costs. nb_bursts <= 65536 (more are not done). */
double bench_iso(bench_burst_fn fn, void *ctx, unsigned int nb_bursts, unsigned int nb_items);

/** Figures of one contender over its runs. */
struct bench_stat {
	double min;
	double median;
	double p99;
	double max;
	unsigned int nb_runs;
};

/** Bytes of this process that are in memory. 0: the system does not say. */
uint64_t bench_resident(void);

/** Reduce samples. Sorts values in place; nb >= 1. p99 is the nearest rank. */
struct bench_stat bench_stat_of(double *values, unsigned int nb);

/** What `with` adds over `without`, figure by figure. */
struct bench_stat bench_stat_added(const struct bench_stat *with, const struct bench_stat *without);

/** One of the things that are compared in the same run. */
struct bench_contender {
	double (*run)(void *ctx); /**< one short run: its figure, NAN when it failed */
	void *ctx;
	struct bench_stat stat; /**< out */
};

/** Run contenders in turn, b->nb_runs rounds after one that is not counted; each second round in
 * the opposite order, so that drift and neighbours on the machine hit all alike.
 * @param nb <= BENCH_MAX_CONTENDERS
 * @return 0; -EINVAL when a run gave no finite figure (its stat is NAN then). */
int bench_interleave(const struct bench *b, struct bench_contender *contenders, unsigned int nb);

/** One line of output. */
struct bench_result {
	const char *case_name;
	double value;      /**< ours */
	const char *unit;  /**< "cycles/packet", "us", "percent", "packets", "Mpps" */
	const char *peer;  /**< who we compare with, NULL: nobody */
	double peer_value; /**< the peer's figure in the same run; ignored without peer */
	double goal;       /**< printed when > 0 */
	bool goal_zero;    /**< the goal is 0, and printed */
	unsigned int nb_runs;
	json_t *extra; /**< object of more fields, or NULL; the reference is taken over */
};

/** Print one JSON object: bench, case, value, unit, peer, peer_value, ratio (ours / peer; null
 * without a peer or with a peer at 0), runs, huge_pages, quick when set, goal when set, and the
 * fields of extra. A value that is not finite becomes null and makes bench_fini() return 1. */
void bench_report(struct bench *b, const struct bench_result *result);

/** bench_report() for timed contenders: value and peer_value are the minima, and the medians are
 * added as value_median and peer_median. Takes case_name, unit, peer, goal and extra from
 * result. */
void bench_report_stats(struct bench *b, const struct bench_result *result,
                const struct bench_stat *ours, const struct bench_stat *peer);

#endif /* BENCH_H */
