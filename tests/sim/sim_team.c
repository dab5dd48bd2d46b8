/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Runs seeds. One that fails prints one line, which replays it. */

#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_log.h>

#include "../common/eal_dir.h"
#include "sim.h"

/* Half a minute on two CPUs; sanitizers make it three times as long, so that there is a limit. */
#define DEFAULT_SEEDS 300
#ifdef __SANITIZE_ADDRESS__
#define DEFAULT_SECONDS 60
#else
#define DEFAULT_SECONDS 0
#endif
#define LONG_SEEDS 5000
#define MAX_JOBS 64
#define MAX_SECONDS 120

struct args {
	uint64_t first;
	uint64_t nb;
	uint64_t deadline; /* no seed is begun after this time; 0: none */
	bool verbose;
};

static uint64_t
now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

static bool
too_late(const struct args *a)
{
	return a->deadline != 0 && now_s() >= a->deadline;
}

static int
usage(FILE *to)
{
	fprintf(to, "Usage: sim_team [--seed N] [--seeds N] [--seconds N] [--long] [--verbose]\n"
	            "  --seed N    begin with this one (and run it alone, without --seeds)\n"
	            "  --seeds N   run so many\n"
	            "  --seconds N begin no seed later than that; 0: no limit\n"
	            "  --long      run thousands\n"
	            "  --verbose   print what happens\n");
	return to == stderr ? 2 : 0;
}

static int
parse(int argc, char **argv, struct args *a)
{
	static const struct option options[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "seeds", required_argument, NULL, 'n' },
		{ "seconds", required_argument, NULL, 't' },
		{ "long", no_argument, NULL, 'l' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	bool one = false, many = false, all = getenv("TP_TEST_LONG") != NULL;
	uint64_t seconds = all ? 0 : DEFAULT_SECONDS;
	int opt;

	a->nb = all ? LONG_SEEDS : DEFAULT_SEEDS;
	a->first = 1;
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (opt) {
		case 's':
			a->first = strtoull(optarg, NULL, 0);
			one = true;
			break;
		case 'n':
			a->nb = strtoull(optarg, NULL, 0);
			many = true;
			seconds = 0;
			break;
		case 't':
			seconds = strtoull(optarg, NULL, 0);
			break;
		case 'l':
			a->nb = LONG_SEEDS;
			many = true;
			seconds = 0;
			break;
		case 'v':
			a->verbose = true;
			break;
		case 'h':
			exit(usage(stdout));
		default:
			return -1;
		}
	}
	if (one && !many)
		a->nb = 1;
	a->deadline = seconds == 0 ? 0 : now_s() + seconds;
	return optind == argc && a->nb > 0 ? 0 : -1;
}

static int
start_eal(const struct args *a)
{
	static char prefix[32];
	char *argv[] = { strdup("sim_team"), strdup("--no-huge"), strdup("--no-shconf"),
		strdup("--no-pci"), strdup("--no-telemetry"), strdup("-m"), strdup("512"),
		strdup("--log-level=lib.eal:4"), strdup("--lcores"), strdup("0@0"),
		strdup("--file-prefix"), prefix };

	eal_dir_own(prefix, sizeof(prefix), "tp-sim-team");
	if (rte_eal_init(RTE_DIM(argv), argv) < 0)
		return -1;
	rte_log_set_level_pattern("teampmd.*", a->verbose ? RTE_LOG_DEBUG : RTE_LOG_WARNING);
	rte_log_set_level_pattern("lib.ethdev", RTE_LOG_CRIT);
	sim_pool = rte_pktmbuf_pool_create("peers", 4095, 32, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	return sim_pool == NULL ? -1 : 0;
}

/* ---- processes: what a seed breaks ends with it ---------------------------------------- */

/* What a child tells, once before a seed and once after it. */
struct report {
	uint64_t seed;
	uint64_t frames, stops, events, commands, frozen;
	bool done, good;
	char failure[sizeof(((struct sim *)0)->failure)];
};

struct total {
	uint64_t passed, failed;
	uint64_t frames, stops, events, commands, frozen;
};

/* A child runs seeds one after another until one fails. */
struct job {
	pid_t pid;
	FILE *from;
	uint64_t next, end;
	struct report last;
};

static void
run_one(uint64_t seed, const struct args *a, struct report *r)
{
	struct setup set;

	scenario_make(&set, seed);
	memset(r, 0, sizeof(*r));
	r->seed = seed;
	/* One that does not end is a failure too. */
	alarm(MAX_SECONDS);
	r->good = sim_run(&set, a->verbose);
	alarm(0);
	r->done = true;
	r->frames = sim->ledger.in[0] + sim->ledger.in[1];
	r->stops = sim->nb_stops;
	r->events = sim->nb_events;
	r->commands = sim->nb_commands;
	r->frozen = sim->nb_frozen;
	memcpy(r->failure, sim->failure, sizeof(r->failure));
}

static int
child(const struct job *job, const struct args *a, int fd)
{
	struct report r;

	if (start_eal(a) < 0)
		return 1;
	for (uint64_t seed = job->next; seed < job->end && !too_late(a); seed++) {
		r = (struct report){ .seed = seed };
		if (write(fd, &r, sizeof(r)) != sizeof(r))
			return 1;
		run_one(seed, a, &r);
		if (write(fd, &r, sizeof(r)) != sizeof(r))
			return 1;
		if (!r.good)
			return 0;
	}
	return 0;
}

static int
job_start(struct job *job, const struct args *a)
{
	int fd[2], rc;

	if (pipe2(fd, O_CLOEXEC) < 0)
		return -1;
	fflush(stdout);
	job->last = (struct report){ .done = true };
	job->pid = fork();
	if (job->pid == 0) {
		rc = child(job, a, fd[1]);
		eal_dir_remove();
		_exit(rc);
	}
	close(fd[1]);
	job->from = fdopen(fd[0], "r");
	return job->pid < 0 || job->from == NULL ? -1 : 0;
}

static void
count(struct total *total, const struct report *r, const char *name)
{
	total->passed += r->good;
	total->failed += !r->good;
	total->frames += r->frames;
	total->stops += r->stops;
	total->events += r->events;
	total->commands += r->commands;
	total->frozen += r->frozen;
	if (!r->good)
		printf("FAILED: %s --seed %" PRIu64 "  # %s\n", name, r->seed, r->failure);
}

/* @return whether the child goes on */
static bool
job_read(struct job *job, struct total *total, const char *name)
{
	int status = 0;

	if (fread(&job->last, sizeof(job->last), 1, job->from) == 1) {
		if (!job->last.done)
			return true;
		job->next = job->last.seed + 1;
		count(total, &job->last, name);
		if (job->last.good && job->next < job->end)
			return true;
	}
	fclose(job->from);
	while (waitpid(job->pid, &status, 0) < 0)
		continue;
	if (!job->last.done) {
		snprintf(job->last.failure, sizeof(job->last.failure), "%s %d",
		                WIFSIGNALED(status) ? "signal" : "exit code",
		                WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		count(total, &job->last, name);
		job->next = job->last.seed + 1;
	}
	job->pid = 0;
	return false;
}

/* Each process has its share; one that ended early is followed by another. */
static int
run_all(const struct args *a, struct total *total, const char *name)
{
	uint64_t nb_jobs = RTE_MIN((uint64_t)sysconf(_SC_NPROCESSORS_ONLN), a->nb);
	struct job job[MAX_JOBS] = { { .pid = 0 } };
	bool any = true;

	nb_jobs = RTE_MIN(nb_jobs, (uint64_t)MAX_JOBS);
	for (uint64_t i = 0; i < nb_jobs; i++) {
		job[i].next = a->first + a->nb * i / nb_jobs;
		job[i].end = a->first + a->nb * (i + 1) / nb_jobs;
	}
	while (any) {
		any = false;
		for (uint64_t i = 0; i < nb_jobs; i++) {
			if (job[i].pid == 0 && too_late(a))
				job[i].end = job[i].next;
			if (job[i].pid == 0 && job[i].next < job[i].end &&
			                job_start(&job[i], a) < 0)
				return -1;
			if (job[i].pid != 0)
				job_read(&job[i], total, name);
			any |= job[i].next < job[i].end || job[i].pid != 0;
		}
	}
	return 0;
}

int
main(int argc, char **argv)
{
	struct total total = { .passed = 0 };
	struct args a = { .nb = 0 };
	struct report r;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (parse(argc, argv, &a) < 0)
		return usage(stderr);
	if (a.nb == 1) {
		if (start_eal(&a) < 0)
			return 1;
		run_one(a.first, &a, &r);
		count(&total, &r, argv[0]);
	} else if (run_all(&a, &total, argv[0]) < 0) {
		perror(argv[0]);
		return 1;
	}
	printf("%" PRIu64 " frames, %" PRIu64 " steps stopped in the middle, %" PRIu64
	       " events, %" PRIu64 " commands, %" PRIu64 " lcores frozen\n",
	                total.frames, total.stops, total.events, total.commands, total.frozen);
	if (total.passed + total.failed < a.nb)
		printf("%" PRIu64 " of %" PRIu64 " seeds in the time there was\n",
		                total.passed + total.failed, a.nb);
	printf("%" PRIu64 " passed, %" PRIu64 " failed\n", total.passed, total.failed);
	return total.failed != 0 || total.passed == 0;
}
