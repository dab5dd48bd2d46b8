/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include "bench.h"

#include <errno.h>
#include <fnmatch.h>
#include <getopt.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>

#include "../common/eal_dir.h"

#define EAL_MEMORY_MB 1024
#define EAL_MAX_ARGS 64
#define HUGE_PAGE_SIZE (UINT64_C(2) << 20)

static FILE *json_out;

static void
usage(const char *name)
{
	fprintf(stderr,
	                "Usage: bench_%s [--quick] [--case NAME] [--runs N]\n"
	                "  --quick      few short runs: prove that it works\n"
	                "  --case NAME  only this case (shell patterns: 'l34-*')\n"
	                "  --runs N     runs of each contender, 1..%d\n"
	                "One JSON object per case on stdout.\n",
	                name, BENCH_MAX_RUNS);
}

static int
parse_runs(struct bench *b, const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || n < 1 || n > BENCH_MAX_RUNS) {
		fprintf(stderr, "%s: --runs '%s': expected 1..%d\n", b->name, text, BENCH_MAX_RUNS);
		return -EINVAL;
	}
	b->nb_runs = (unsigned int)n;
	return 0;
}

static int
parse_options(struct bench *b, const char *name, int argc, char **argv)
{
	static const struct option options[] = {
		{ "quick", no_argument, NULL, 'q' },
		{ "case", required_argument, NULL, 'c' },
		{ "runs", required_argument, NULL, 'r' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (opt) {
		case 'q':
			b->quick = true;
			break;
		case 'c':
			b->filter = optarg;
			break;
		case 'r':
			if (parse_runs(b, optarg) < 0)
				return -EINVAL;
			break;
		default:
			usage(name);
			return opt == 'h' ? 1 : -EINVAL;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "%s: '%s' is not an option\n", b->name, argv[optind]);
		return -EINVAL;
	}
	if (b->nb_runs == 0)
		b->nb_runs = b->quick ? 3 : 51;
	return 0;
}

static bool
huge_pages_free(void)
{
	FILE *f = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "r");
	unsigned long nb = 0;
	bool read;

	if (f == NULL)
		return false;
	read = fscanf(f, "%lu", &nb) == 1;
	fclose(f);
	return read && nb * HUGE_PAGE_SIZE >= (uint64_t)EAL_MEMORY_MB << 20;
}

static int
first_cpu(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return 0;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &set))
			return cpu;
	return 0;
}

static bool
names_lcores(const char *const *args)
{
	for (; args != NULL && *args != NULL; args++)
		if (strcmp(*args, "-l") == 0 || strncmp(*args, "--lcores", 8) == 0)
			return true;
	return false;
}

/* EAL keeps pointers into its arguments, and overwrites one in argv. */
static char *kept_args[EAL_MAX_ARGS];

static int
append_args(char **argv, int argc, const char *const *args)
{
	for (; *args != NULL && argc < EAL_MAX_ARGS; args++, argc++)
		argv[argc] = kept_args[argc] = strdup(*args);
	return argc;
}

static int
start_eal(const struct bench *b, const char *const *more)
{
	char memory[16], lcores[16], prefix[48];
	const char *const common[] = { b->name, b->huge_pages ? "--in-memory" : "--no-huge",
		"--no-shconf", "--no-pci", "--no-telemetry", "--log-level=lib.eal:4", "-m", memory,
		"--file-prefix", prefix, NULL };
	const char *const placed[] = { "--lcores", lcores, NULL };
	char *argv[EAL_MAX_ARGS + 1] = { NULL };
	int argc;

	eal_dir_own(prefix, sizeof(prefix), b->name);
	snprintf(memory, sizeof(memory), "%d", EAL_MEMORY_MB);
	snprintf(lcores, sizeof(lcores), "0@%d", first_cpu());
	argc = append_args(argv, 0, common);
	if (!names_lcores(more))
		argc = append_args(argv, argc, placed);
	if (more != NULL)
		argc = append_args(argv, argc, more);
	if (argc == EAL_MAX_ARGS)
		return -E2BIG;
	return rte_eal_init(argc, argv) < 0 ? -rte_errno : 0;
}

/* Libraries and drivers may print on stdout: keep the real one for JSON. */
static int
redirect_stdout(void)
{
	int fd;

	fflush(stdout);
	fd = dup(STDOUT_FILENO);
	if (fd < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		return -errno;
	json_out = fdopen(fd, "w");
	return json_out == NULL ? -errno : 0;
}

int
bench_init(struct bench *b, const char *name, int argc, char **argv, const char *const *eal_args)
{
	int rc;

	memset(b, 0, sizeof(*b));
	snprintf(b->name, sizeof(b->name), "bench_%s", name);
	rc = parse_options(b, name, argc, argv);
	if (rc != 0)
		return rc;
	b->huge_pages = huge_pages_free();
	rc = redirect_stdout();
	if (rc == 0)
		rc = start_eal(b, eal_args);
	if (rc != 0)
		fprintf(stderr, "%s: EAL does not start: %s\n", b->name, strerror(-rc));
	return rc == -EINVAL ? -EIO : rc; /* -EINVAL says usage to our caller */
}

int
bench_exit_code(int rc)
{
	if (rc > 0)
		return 0;
	return rc == -EINVAL ? 2 : 1;
}

bool
bench_wants(struct bench *b, const char *case_name)
{
	b->nb_asked++;
	if (b->filter != NULL && fnmatch(b->filter, case_name, 0) != 0)
		return false;
	b->nb_matched++;
	return true;
}

bool
bench_wants_any(struct bench *b, const char *const *case_names, unsigned int nb)
{
	bool any = false;

	for (unsigned int i = 0; i < nb; i++)
		any = bench_wants(b, case_names[i]) || any;
	return any;
}

void
bench_fail(struct bench *b, const char *case_name, const char *why)
{
	fprintf(stderr, "%s: %s failed: %s\n", b->name, case_name, why);
	b->nb_errors++;
}

void
bench_skip(struct bench *b, const char *case_name, const char *why)
{
	fprintf(stderr, "%s: %s skipped: %s\n", b->name, case_name, why);
}

int
bench_fini(struct bench *b)
{
	/* No rte_eal_cleanup(): net_bonding's link monitor may run on EAL's interrupt thread while it
	 * unmaps what that uses. Nothing outlives the process (--no-shconf).
	 */
	fclose(json_out);
	json_out = NULL;
	if (b->filter != NULL && b->nb_matched == 0) {
		fprintf(stderr, "%s: none of %u cases matches --case '%s'\n", b->name, b->nb_asked,
		                b->filter);
		return 2;
	}
	return b->nb_errors > 0 ? 1 : 0;
}

uint64_t
bench_resident(void)
{
	unsigned long total, rss = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f == NULL || fscanf(f, "%lu %lu", &total, &rss) != 2)
		rss = 0;
	if (f != NULL)
		fclose(f);
	return rss * (uint64_t)sysconf(_SC_PAGESIZE);
}

static json_t *
number_or_null(double value)
{
	/* Three decimals say all that a timing can; more would only be noise to read. */
	return isfinite(value) ? json_real(round(value * 1000) / 1000) : json_null();
}

static double
ratio_of(const struct bench_result *result)
{
	if (result->peer == NULL || result->peer_value == 0)
		return NAN;
	return result->value / result->peer_value;
}

void
bench_report(struct bench *b, const struct bench_result *result)
{
	json_t *line = json_object();

	json_object_set_new(line, "bench", json_string(b->name));
	json_object_set_new(line, "case", json_string(result->case_name));
	json_object_set_new(line, "value", number_or_null(result->value));
	json_object_set_new(line, "unit", json_string(result->unit));
	json_object_set_new(line, "peer",
	                result->peer != NULL ? json_string(result->peer) : json_null());
	json_object_set_new(line, "peer_value",
	                number_or_null(result->peer != NULL ? result->peer_value : NAN));
	json_object_set_new(line, "ratio", number_or_null(ratio_of(result)));
	json_object_set_new(line, "runs", json_integer(result->nb_runs));
	json_object_set_new(line, "huge_pages", json_boolean(b->huge_pages));
	if (b->quick)
		json_object_set_new(line, "quick", json_true());
	if (result->goal > 0 || result->goal_zero)
		json_object_set_new(line, "goal", number_or_null(result->goal));
	if (result->extra != NULL) {
		json_object_update(line, result->extra);
		json_decref(result->extra);
	}
	if (!isfinite(result->value) || (result->peer != NULL && !isfinite(result->peer_value)))
		bench_fail(b, result->case_name, "the figure is not a finite number");
	json_dumpf(line, json_out, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9));
	fputc('\n', json_out);
	fflush(json_out);
	json_decref(line);
}

void
bench_report_stats(struct bench *b, const struct bench_result *result,
                const struct bench_stat *ours, const struct bench_stat *peer)
{
	struct bench_result full = *result;

	full.value = ours->min;
	full.nb_runs = ours->nb_runs;
	if (full.extra == NULL)
		full.extra = json_object();
	json_object_set_new(full.extra, "value_median", number_or_null(ours->median));
	if (peer != NULL) {
		full.peer_value = peer->min;
		json_object_set_new(full.extra, "peer_median", number_or_null(peer->median));
	} else {
		full.peer = NULL;
	}
	bench_report(b, &full);
}
