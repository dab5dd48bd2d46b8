/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Runs seeds on all CPUs. One that fails prints one line, which replays it. */

#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rte_eal.h>

#include "../../common/eal_dir.h"
#include "tcpsim.h"

#ifdef __SANITIZE_ADDRESS__
#define DEFAULT_SEEDS 60
#else
#define DEFAULT_SEEDS 600
#endif
#define MIGRATE_PART 2 /* of these: each is run in four ways */
#define LONG_FACTOR 20
#define MAX_JOBS 16
#define MAX_SECONDS 30
#define MAX_FAILURES 20

/* How to say it on the command line; by enum moves. */
static const char *const ways[] = { "none", "some", "all", "park" };

struct args {
	uint64_t first, nb;
	bool trace, measured, migrate;
	enum moves moves;
	const char *name, *pcap;
};

/* What processes share: one slot for each of them. */
struct job {
	pid_t pid;
	uint64_t next, step, end; /* seeds */
	uint64_t nb_good, nb_bad, nb_segs, nb_moves, nb_parked;
	bool running;
};

static int
usage(FILE *to)
{
	fprintf(to, "Usage: sim_tcp [--seed N] [--seeds N] [--long] [--trace] [--pcap FILE]\n"
	            "               [--moves none|some|all|park] [--migrate]\n"
	            "       sim_tcp --measured [NAME] [--trace] [--pcap FILE]\n"
	            "  --seed N    begin with this one (and run it alone, without --seeds)\n"
	            "  --seeds N   run so many\n"
	            "  --long      run many\n"
	            "  --moves     when connections go to another owner (some)\n"
	            "  --migrate   each seed with none, all and some moves: the same must\n"
	            "              happen; then parked whenever possible\n"
	            "  --measured  scenarios with an expected speed\n"
	            "  --trace     print each packet\n"
	            "  --pcap FILE write what was on the wire\n");
	return to == stderr ? 2 : 0;
}

static bool
parse_moves(const char *word, enum moves *moves)
{
	for (unsigned int i = 0; i < RTE_DIM(ways); i++)
		if (strcmp(word, ways[i]) == 0) {
			*moves = i;
			return true;
		}
	return false;
}

static int
parse(int argc, char **argv, struct args *a)
{
	static const struct option options[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "seeds", required_argument, NULL, 'n' },
		{ "long", no_argument, NULL, 'l' },
		{ "trace", no_argument, NULL, 't' },
		{ "pcap", required_argument, NULL, 'p' },
		{ "measured", no_argument, NULL, 'm' },
		{ "moves", required_argument, NULL, 'w' },
		{ "migrate", no_argument, NULL, 'M' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	bool one = false, many = false;
	int opt;

	a->first = 1;
	a->moves = MOVES_SOME;
	a->nb = DEFAULT_SEEDS * (getenv("TP_TEST_LONG") != NULL ? LONG_FACTOR : 1);
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 's') {
			a->first = strtoull(optarg, NULL, 0);
			one = true;
		} else if (opt == 'n') {
			a->nb = strtoull(optarg, NULL, 0);
			many = true;
		} else if (opt == 'l') {
			a->nb = DEFAULT_SEEDS * LONG_FACTOR;
			many = true;
		} else if (opt == 't') {
			a->trace = true;
		} else if (opt == 'p') {
			a->pcap = optarg;
		} else if (opt == 'm') {
			a->measured = true;
		} else if (opt == 'M') {
			a->migrate = true;
		} else if (opt == 'w') {
			if (!parse_moves(optarg, &a->moves))
				return -1;
		} else if (opt == 'h') {
			exit(usage(stdout));
		} else {
			return -1;
		}
	}
	if (a->measured && optind < argc)
		a->name = argv[optind++];
	if (a->migrate && !many)
		a->nb /= MIGRATE_PART;
	if (one && !many)
		a->nb = 1;
	return optind == argc && a->nb > 0 ? 0 : -1;
}

static int
start(void)
{
	static char prefix[32];
	char *argv[] = { (char *)(uintptr_t) "sim_tcp", (char *)(uintptr_t) "--no-huge",
		(char *)(uintptr_t) "--no-shconf", (char *)(uintptr_t) "--no-pci",
		(char *)(uintptr_t) "--no-telemetry", (char *)(uintptr_t) "-m",
		(char *)(uintptr_t) "256", (char *)(uintptr_t) "--log-level=lib.eal:4",
		(char *)(uintptr_t) "--lcores", (char *)(uintptr_t) "0@0",
		(char *)(uintptr_t) "--file-prefix", prefix };

	eal_dir_own(prefix, sizeof(prefix), "tp-sim-tcp");
	if (rte_eal_init(RTE_DIM(argv), argv) < 0)
		return -1;
	return pools_create();
}

static bool
run_way(struct world *w, const struct setup *set, const struct args *a, struct job *job)
{
	bool good;

	/* One that does not end is a failure too: CPU time counts. */
	setitimer(ITIMER_PROF, &(struct itimerval){ .it_value = { .tv_sec = MAX_SECONDS } }, NULL);
	good = world_run(w, set, a->trace, a->pcap);
	setitimer(ITIMER_PROF, &(struct itimerval){ 0 }, NULL);
	for (unsigned int f = 0; f < set->nb_flows; f++)
		job->nb_segs += w->end[f][0].nb_segs + w->end[f][1].nb_segs;
	job->nb_moves += w->nb_moves;
	job->nb_parked += w->nb_parked;
	if (!good)
		printf("FAILED: sim_tcp --moves %s --seed %" PRIu64 "  # %s\n", ways[set->moves],
		                set->seed, w->failure);
	return good;
}

/* Owners that share nothing else share two limits, and moving changes what is left of them. */
static bool
is_comparable(const struct world *w, const struct setup *set)
{
	uint64_t limited = host_mib(w, 0, TP_TCP_M_CHALLENGE_LIMIT) +
	                   host_mib(w, 1, TP_TCP_M_CHALLENGE_LIMIT);

	return limited == 0 && (set->held_max == 0 || set->nb_flows == 1);
}

/* The same seed without moves, then with them: nobody must see a difference. */
static bool
run_migrate(struct world *w, struct setup *set, const struct args *a, struct job *job)
{
	static const enum moves moving[] = { MOVES_ALL, MOVES_SOME };
	static struct trail stays, moved;
	uint64_t when;
	bool same;

	set->moves = MOVES_NONE;
	set->trail = &stays;
	if (!run_way(w, set, a, job))
		return false;
	same = is_comparable(w, set);
	set->trail = &moved;
	for (unsigned int i = 0; i < RTE_DIM(moving); i++) {
		set->moves = moving[i];
		if (!run_way(w, set, a, job))
			return false;
		if (!same || trail_same(&stays, &moved, &when))
			continue;
		printf("FAILED: sim_tcp --migrate --seed %" PRIu64
		       "  # with --moves %s it is not as with none from %.6f on\n",
		                set->seed, ways[set->moves], when / 1e9);
		return false;
	}
	set->trail = NULL;
	set->moves = MOVES_PARK;
	return run_way(w, set, a, job);
}

static bool
run_seed(uint64_t seed, const struct args *a, struct job *job)
{
	static struct world w;
	static struct setup set;

	scenario_make(&set, seed);
	if (a->migrate)
		return run_migrate(&w, &set, a, job);
	set.moves = a->moves;
	return run_way(&w, &set, a, job);
}

/* A process runs its seeds until one fails: what that one spoilt ends with the process. */
static int
child(struct job *job, const struct args *a)
{
	if (start() < 0)
		return 1;
	while (job->next < job->end) {
		uint64_t seed = job->next;
		bool good;

		job->running = true;
		good = run_seed(seed, a, job);
		job->running = false;
		job->next += job->step;
		job->nb_good += good;
		job->nb_bad += !good;
		if (!good)
			return 0;
	}
	return 0;
}

static int
spawn(struct job *job, const struct args *a)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		int rc = child(job, a);

		fflush(stdout);
		eal_dir_remove();
		_exit(rc);
	}
	/* The job is shared memory: what fork() gives the child must not get there. */
	job->pid = RTE_MAX(pid, 0);
	return pid < 0 ? -1 : 0;
}

/* The process is gone; the seed that it died of counts as failed. @return 0, -1 it cannot run */
static int
reap(struct job *job, int status)
{
	job->pid = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (!job->running)
		return -1;
	printf("FAILED: sim_tcp --seed %" PRIu64 "  # %s %d\n", job->next,
	                WIFSIGNALED(status) ? "signal" : "exit code",
	                WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	job->running = false;
	job->next += job->step;
	job->nb_bad++;
	return 0;
}

static uint64_t
nb_bad(const struct job *job, uint64_t nb)
{
	uint64_t bad = 0;

	for (uint64_t i = 0; i < nb; i++)
		bad += job[i].nb_bad;
	return bad;
}

static int
run_all(const struct args *a, struct job *job, uint64_t nb)
{
	bool any = true;

	for (uint64_t i = 0; i < nb; i++)
		job[i] = (struct job){ .next = a->first + i, .step = nb, .end = a->first + a->nb };
	while (any) {
		int status;
		pid_t pid;

		any = false;
		for (uint64_t i = 0; i < nb; i++) {
			if (job[i].pid == 0 && job[i].next < job[i].end &&
			                nb_bad(job, nb) < MAX_FAILURES && spawn(&job[i], a) < 0)
				return -1;
			any |= job[i].pid != 0;
		}
		pid = any ? wait(&status) : 0;
		for (uint64_t i = 0; any && i < nb; i++)
			if (job[i].pid == pid && reap(&job[i], status) < 0)
				return -1;
	}
	return 0;
}

static int
run_seeds(const struct args *a)
{
	uint64_t nb = RTE_MIN((uint64_t)sysconf(_SC_NPROCESSORS_ONLN), a->nb), good = 0, segs = 0;
	uint64_t moves = 0, parked = 0;
	struct job *job = mmap(NULL, MAX_JOBS * sizeof(*job), PROT_READ | PROT_WRITE,
	                MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (job == MAP_FAILED)
		return 1;
	nb = RTE_MIN(nb, (uint64_t)MAX_JOBS);
	if (a->nb == 1) {
		job->next = a->first;
		job->step = 1;
		job->end = a->first + 1;
		if (child(job, a) != 0)
			return 1;
	} else if (run_all(a, job, nb) < 0) {
		fprintf(stderr, "sim_tcp: a process could not start\n");
		return 1;
	}
	for (uint64_t i = 0; i < nb; i++) {
		good += job[i].nb_good;
		segs += job[i].nb_segs;
		moves += job[i].nb_moves;
		parked += job[i].nb_parked;
	}
	printf("%" PRIu64 " segments, %" PRIu64 " moves, %" PRIu64 " times parked\n", segs, moves,
	                parked);
	printf("%" PRIu64 " passed, %" PRIu64 " failed\n", good, a->nb - good);
	return good != a->nb;
}

static int
run_measured(const struct args *a)
{
	unsigned int nb_run = 0;
	int failed;

	if (start() < 0)
		return 1;
	failed = measured_run(a->name, a->trace, a->pcap, &nb_run);
	for (unsigned int h = 0; h < 2; h++)
		for (unsigned int p = 0; p < NB_POOLS; p++)
			rte_mempool_free(pools[h][p]);
	if (failed < 0) {
		fprintf(stderr, "sim_tcp: no scenario %s\n", a->name);
		return 2;
	}
	printf("%u passed, %d failed\n", nb_run - failed, failed);
	return failed != 0;
}

int
main(int argc, char **argv)
{
	struct args a = { .nb = 0 };

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (parse(argc, argv, &a) < 0)
		return usage(stderr);
	return a.measured ? run_measured(&a) : run_seeds(&a);
}
