/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* A million connections of a team of two members, all on one of them; members, control and the peer
 * take turns on one lcore, frames change hands in memory.
 *
 * first, rehome, stall, reset: the link of that member goes down while some connections have a response
 * in flight, which is lost. From then on its segments leave by the survivor. first: until one is sent;
 * rehome: the time that members and control take until all connections are on the survivor; stall: the
 * longest turn of a member meanwhile; reset: connections that were reset or ended early, or whose
 * response did not come. Times are those that the thread has worked, page faults included: nothing was
 * ever on the survivor, but its memory is there, as tp_toe_prepare() makes it when connections come.
 * `again` is the same once more, the other way, when all memory was in use before: the best of the runs.
 *
 * A turn in which another thread took the CPU, or a device interrupted, is longer for that reason, and the
 * thread's clock does not tell: of the turns without a switch the longest is taken, and of STALL_RUNS
 * runs the least; `any` is the longest of all turns of all runs. The kernel's tick and interrupts count:
 * `machine` is by how much they made a turn longer that does nothing but wait, in the same time between
 * the same runs.
 *
 * parked-bytes, parked-reload: all are left alone until they are parked. By how much the process has
 * grown then, for each; and how long a turn of a member takes that receives a request for one of them,
 * reloads it, tells its user and sends the response. With --quick there are fewer.
 *
 * parked-10m: a scene of its own, in which ten million connections are made and parked as they come (100000
 * with --quick). What one team holds for them: records and flow table, by the growth of the process since
 * the teams were made, and handles; `process` is all of the process, with both teams, their timer wheels and
 * the ids that the bench notes.
 */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "toe_int.h"
#include "toe_pair.h"
#include "traffic.h"

#define NB_CONNS (1 << 20) /* whole pages of records */
#define QUICK_CONNS (1 << 16)
#define NB_BUSY 1000 /* with data in flight */
#define MAX_TURNS 20000000
#define NB_BATCHES 20
#define NB_CALLS 100
#define STALL_RUNS 8
#define TURN_NS 10000
#define NB_RELOADS 2000
#define IDLE_NS (20 * TP_NS_PER_MS)
#define IDLE_NEVER 0
#define NB_CROWD 10000000
#define QUICK_CROWD 100000
/* One address of the server has that many ports to listen on, one of the client to connect from. */
#define NB_SERVICES 60
#define FIRST_SERVICE 100
#define FIRST_PORT 1024
#define NB_PORTS (UINT16_MAX - FIRST_PORT + 1)
#define CROWD_BATCH 16
#define GIB ((double)(UINT64_C(1) << 30))

struct scene {
	struct pair *p;
	tp_toe_id *ids; /* [nb], the client's */
	uint32_t nb;
	uint64_t nb_established, nb_answered, nb_ended;
};

static struct scene scene;

/* ---- users ------------------------------------------------------------------------ */

static void
established(struct tp_toe_call *call)
{
	scene.ids[scene.nb_established++] = call->id;
}

static void
answered(struct tp_toe_call *call, struct rte_mbuf *data)
{
	scene.nb_answered += pair_discard(call, data);
}

static void
ended(struct tp_toe_call *call, enum tp_tcp_reason reason)
{
	(void)call;
	(void)reason;
	scene.nb_ended++;
}

static const struct tp_toe_user client = {
	.name = "client", .on_accept = established, .on_data = answered, .on_close = ended
};
static const struct tp_toe_user server = {
	.name = "server", .on_data = pair_bounce, .on_close = ended
};

static void
ask(uint32_t i)
{
	if (tp_toe_post(scene.p->client.toe, scene.ids[i], pair_send_byte, NULL) != 0)
		rte_panic("a function cannot be posted\n");
}

/* ---- connecting --------------------------------------------------------------------- */

static bool
make_scene(uint32_t nb)
{
	struct pair_conf conf = { .link = PAIR_MEMORY, .server_shards = 2, .nb_conns = nb };

	scene.nb = nb;
	scene.ids = calloc(nb, sizeof(scene.ids[0]));
	scene.p = pair_create(&conf);
	if (scene.p == NULL || scene.ids == NULL)
		return false;
	if (!pair_connect_many(scene.p, &client, &server, nb, &scene.nb_established) ||
	                tp_toe_nb_conns(scene.p->server.toe, 0) != nb)
		return false;
	/* As the daemon does in the background. */
	while (tp_toe_prepare(scene.p->server.toe))
		continue;
	return true;
}

/* ---- a link goes down ------------------------------------------------------------------ */

struct failover {
	double first_ms, rehome_ms, stall_us, any_us, machine_us;
	uint64_t nb_reset;
};

/* Turns of a member: the longest one, and the longest in which no other thread ran. */
struct turns {
	uint64_t cost; /* of one look at the clock */
	uint64_t any, alone;
	long nb_switches;
};

/* Requests come, their responses are lost with the port's descriptors. */
static void
lose_responses(void)
{
	struct pair_side *c = &scene.p->client;

	for (uint32_t i = 0; i < NB_BUSY; i++)
		ask(traffic_random(i) % scene.nb);
	for (uint32_t i = 0; i < 2 * NB_BUSY; i++) {
		pair_turn(scene.p);
		if (c->in_tail - c->in_head == NB_BUSY)
			break;
		while (c->in_head != c->in_tail)
			rte_pktmbuf_free(c->in[c->in_head++ % PAIR_QUEUE]);
	}
	while (c->in_head != c->in_tail)
		rte_pktmbuf_free(c->in[c->in_head++ % PAIR_QUEUE]);
}

/* ns that this thread has worked: others on this CPU do not count, page faults do. */
static uint64_t
worked(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * TP_NS_PER_S + ts.tv_nsec;
}

/* How often another thread had the CPU instead of this one. */
static long
switches(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_nivcsw;
}

/* What both take themselves: they are called so often that it would show. The least of many: one that an
 * interrupt made longer would be taken off every turn.
 */
static uint64_t
worked_cost(void)
{
	uint64_t cost = UINT64_MAX;

	for (unsigned int batch = 0; batch < NB_BATCHES; batch++) {
		uint64_t begin = worked(), end = begin;

		for (unsigned int i = 0; i < NB_CALLS; i++) {
			switches();
			end = worked();
		}
		cost = RTE_MIN(cost, (end - begin) / NB_CALLS);
	}
	return cost;
}

static void
turn_count(struct turns *turns, uint64_t ns)
{
	long nb = switches();

	turns->any = RTE_MAX(turns->any, ns);
	if (nb == turns->nb_switches)
		turns->alone = RTE_MAX(turns->alone, ns);
	turns->nb_switches = nb;
}

/* A turn of the server's control and members. @return ns of all */
static uint64_t
server_turn(struct turns *turns)
{
	struct pair_side *s = &scene.p->server;
	uint64_t t = worked(), sum = 0, ns;

	pair_control_turn(s, tp_clock_now());
	for (uint8_t i = 0; i < s->nb_shards; i++) {
		pair_shard_turn(&s->shard[i], tp_clock_now());
		ns = worked() - t;
		ns -= RTE_MIN(ns, turns->cost);
		/* Control's turn counts with the first member's. */
		turn_count(turns, ns);
		sum += ns;
		t = worked();
	}
	return sum;
}

/* By how much the longest of turns that only wait for TURN_NS was longer, for so long in all. */
static uint64_t
machine_adds(uint64_t ns)
{
	struct turns turns = { .cost = worked_cost(), .nb_switches = switches() };
	uint64_t begin = worked(), end = begin + ns, t = begin, at;

	while (t < end) {
		for (at = t; at - t < TURN_NS; at = worked())
			continue;
		turn_count(&turns, at - t);
		t = worked();
	}
	return turns.alone > TURN_NS ? turns.alone - TURN_NS : 0;
}

static uint64_t
nb_resets(const struct pair_side *s)
{
	uint64_t counters[TP_TOE_NB_COUNTERS], mib[TP_TCP_NB_MIB];

	tp_toe_counters(s->toe, counters, mib);
	return mib[TP_TCP_M_OUT_RSTS] + counters[TP_TOE_C_CONNS_PREMATURE];
}

static bool
fail_over(uint8_t dead, uint8_t survivor, struct failover *f)
{
	struct pair_side *s = &scene.p->server, *c = &scene.p->client;
	struct turns turns = { .cost = worked_cost(), .nb_switches = switches() };
	uint64_t sum = 0, first = 0;
	uint32_t tail;

	scene.nb_answered = 0;
	lose_responses();
	tail = c->in_tail;
	s->arrive_at = survivor;
	tp_toe_set_place(s->toe, dead, TP_TOE_DOWN);
	for (uint32_t i = 0; i < MAX_TURNS && tp_toe_nb_conns(s->toe, survivor) < scene.nb; i++) {
		sum += server_turn(&turns);
		if (first == 0 && c->in_tail != tail)
			first = sum;
		pair_side_turn(c, tp_clock_now());
	}
	for (uint32_t i = 0; i < MAX_TURNS && scene.nb_answered < NB_BUSY; i++)
		pair_turn(scene.p);
	*f = (struct failover){
		.first_ms = (double)first / TP_NS_PER_MS,
		.rehome_ms = (double)sum / TP_NS_PER_MS,
		.stall_us = (double)turns.alone / TP_NS_PER_US,
		.any_us = (double)turns.any / TP_NS_PER_US,
		.machine_us = (double)machine_adds(sum) / TP_NS_PER_US,
		.nb_reset = nb_resets(s) + nb_resets(c) + scene.nb_ended +
		            (NB_BUSY - RTE_MIN(scene.nb_answered, (uint64_t)NB_BUSY)),
	};
	tp_toe_set_place(s->toe, dead, TP_TOE_ACTIVE);
	for (uint32_t i = 0; i < NB_BUSY; i++)
		pair_turn(scene.p);
	return first > 0 && tp_toe_nb_conns(s->toe, survivor) == scene.nb;
}

/* ---- parking ----------------------------------------------------------------------------- */

struct parking {
	double bytes, tables; /* for each */
	double reload_us, reload_p99_us;
};

static void
set_idle(uint64_t idle_ns)
{
	tp_toe_set_move(scene.p->server.toe, &(struct tp_toe_move_conf){ .idle_ns = idle_ns });
}

/* @return us that the member's turn took in which one request came; negative: none came */
static double
reload_one(uint32_t i)
{
	struct pair_side *s = &scene.p->server;
	uint64_t t, answered_before = scene.nb_answered;
	uint32_t parked = tp_toe_nb_parked(s->toe);

	ask(i);
	pair_side_turn(&scene.p->client, tp_clock_now());
	t = bench_tsc_start();
	pair_shard_turn(&s->shard[s->arrive_at], tp_clock_now());
	t = bench_tsc_stop() - t;
	if (tp_toe_nb_parked(s->toe) != parked - 1)
		return -1;
	pair_side_turn(&scene.p->client, tp_clock_now());
	if (scene.nb_answered != answered_before + 1)
		return -1;
	return (double)tp_clock_cycles_to_ns(t) / TP_NS_PER_US;
}

static bool
park_all(struct parking *out)
{
	struct tp_toe *toe = scene.p->server.toe;
	uint64_t before = bench_resident();
	double us[NB_RELOADS];
	struct bench_stat stat;

	set_idle(IDLE_NS);
	for (uint32_t i = 0; i < MAX_TURNS && tp_toe_nb_parked(toe) < scene.nb; i++)
		pair_turn(scene.p);
	if (tp_toe_nb_parked(toe) < scene.nb)
		return false;
	out->bytes = (double)(bench_resident() - before) / scene.nb;
	out->tables = sizeof(struct handle) + (double)toe->table.bytes / toe->nb_handles;
	set_idle(IDLE_NEVER);
	/* The members obey: they look at all their slots. */
	for (uint32_t i = 0; i < scene.nb / 64; i++)
		pair_turn(scene.p);
	for (uint32_t i = 0; i < NB_RELOADS; i++) {
		us[i] = reload_one(i * (scene.nb / NB_RELOADS));
		if (us[i] < 0)
			return false;
	}
	stat = bench_stat_of(us, NB_RELOADS);
	out->reload_us = stat.median;
	out->reload_p99_us = stat.p99;
	return true;
}

/* ---- ten million ------------------------------------------------------------------------- */

static uint64_t nb_crowd_established;

static void
crowd_established(struct tp_toe_call *call)
{
	(void)call;
	nb_crowd_established++;
}

static const struct tp_toe_user crowd = { .name = "crowd", .on_accept = crowd_established };

/* The server's address for the i-th connection; a new one is added. */
static bool
crowd_address(struct pair *p, uint32_t i, uint8_t addr[16])
{
	uint32_t nb = i / (NB_SERVICES * NB_PORTS), host = nb == 0 ? 2 : 100 + nb;

	tp_inet_map_v4(addr, rte_cpu_to_be_32(RTE_IPV4(10, 0, 0, host)));
	return nb == 0 || i % (NB_SERVICES * NB_PORTS) != 0 ||
	       tp_inet_addr_add(p->server.inet, addr, 24, tp_clock_now()) == 0;
}

static bool
crowd_connect(struct pair *p, uint32_t i)
{
	uint32_t at = i % (NB_SERVICES * NB_PORTS);
	struct tp_toe_connect how = {
		.user = &crowd,
		.lport = FIRST_PORT + at % NB_PORTS,
		.rport = FIRST_SERVICE + at / NB_PORTS,
		.member = TP_MEMBER_NONE,
	};

	if (!crowd_address(p, i, how.raddr) ||
	                tp_toe_connect(p->client.toe, &how) == TP_TOE_ID_NONE)
		return false;
	/* At the first of an address the neighbours meet. */
	for (uint32_t n = 0; at == 0 && nb_crowd_established <= i && n < MAX_TURNS; n++)
		pair_turn(p);
	if (i % CROWD_BATCH == 0)
		pair_turn(p);
	return true;
}

static bool
crowd_park(struct pair *p, uint32_t nb)
{
	for (uint32_t i = 0; i < NB_SERVICES; i++) {
		if (pair_listen(p, &crowd, FIRST_SERVICE + i) != 0)
			return false;
	}
	for (uint32_t i = 0; i < nb; i++) {
		if (!crowd_connect(p, i))
			return false;
	}
	for (uint32_t n = 0; n < MAX_TURNS && (tp_toe_nb_parked(p->server.toe) < nb ||
	                                                      tp_toe_nb_parked(p->client.toe) < nb);
	                n++)
		pair_turn(p);
	return tp_toe_nb_parked(p->server.toe) == nb && tp_toe_nb_parked(p->client.toe) == nb;
}

static void
report_crowd(struct bench *b)
{
	uint32_t nb = b->quick ? QUICK_CROWD : NB_CROWD;
	const struct tp_toe_move_conf move = { .idle_ns = IDLE_NS };
	struct pair_conf conf = { .link = PAIR_MEMORY, .nb_conns = nb, .move = &move };
	struct bench_result result = { .case_name = "parked-10m", .unit = "GiB", .nb_runs = 1 };
	struct pair *p = pair_create(&conf);
	uint64_t before = bench_resident(), grown;

	if (p == NULL || !crowd_park(p, nb)) {
		bench_fail(b, "parked-10m", "not all were parked");
		pair_free(p);
		return;
	}
	grown = (bench_resident() - before) / 2;
	result.value = (grown + p->server.toe->handle_bytes) / GIB;
	result.goal = b->quick ? 0 : 2;
	result.extra = json_pack("{s:i, s:f, s:f, s:f}", "conns", nb, "bytes_each",
	                result.value * GIB / nb, "records_table", (double)grown / nb, "process",
	                bench_resident() / GIB);
	bench_report(b, &result);
	pair_free(p);
}

/* ---- all --------------------------------------------------------------------------------- */

static void
report(struct bench *b, const char *name, double value, const char *unit, double goal, double again)
{
	struct bench_result result = {
		.case_name = name,
		.value = value,
		.unit = unit,
		.goal = goal,
		.goal_zero = goal == 0,
		.nb_runs = 1,
		.extra = json_pack("{s:i}", "conns", scene.nb),
	};

	if (isfinite(again))
		json_object_set_new(result.extra, "again", json_real(again));
	bench_report(b, &result);
}

static void
report_parking(struct bench *b)
{
	struct parking parking;
	struct bench_result reload = { .case_name = "parked-reload", .unit = "us", .goal = 3 };

	if (!park_all(&parking)) {
		bench_fail(b, "parked", "not all were parked, or came back");
		return;
	}
	report(b, "parked-bytes", parking.bytes, "bytes/connection", 128, NAN);
	reload.value = parking.reload_us;
	reload.nb_runs = NB_RELOADS;
	reload.extra = json_pack("{s:i, s:f, s:f}", "conns", scene.nb, "p99", parking.reload_p99_us,
	                "ten_million_gib",
	                10e6 * (parking.bytes + parking.tables) / (UINT64_C(1) << 30));
	bench_report(b, &reload);
}

static void
report_stall(struct bench *b, const struct failover *f)
{
	struct bench_result result = {
		.case_name = "stall",
		.value = f->stall_us,
		.unit = "us",
		.goal = 50,
		.nb_runs = STALL_RUNS,
		.extra = json_pack("{s:i, s:f, s:f}", "conns", scene.nb, "any", f->any_us,
		                "machine", f->machine_us),
	};

	bench_report(b, &result);
}

static void
report_failover(struct bench *b)
{
	struct failover run[STALL_RUNS], f, again;
	uint64_t nb_reset = 0;

	for (unsigned int i = 0; i < STALL_RUNS; i++) {
		if (!fail_over(i % 2, 1 - i % 2, &run[i])) {
			bench_fail(b, "rehome", "not all connections reached the survivor");
			return;
		}
	}
	f = run[0];
	again = run[1];
	for (unsigned int i = 0; i < STALL_RUNS; i++) {
		f.stall_us = RTE_MIN(f.stall_us, run[i].stall_us);
		f.machine_us = RTE_MIN(f.machine_us, run[i].machine_us);
		nb_reset += run[i].nb_reset;
		f.any_us = RTE_MAX(f.any_us, run[i].any_us);
		again.rehome_ms = RTE_MIN(again.rehome_ms, i > 0 ? run[i].rehome_ms : INFINITY);
	}
	report(b, "first", f.first_ms, "ms", 1, again.first_ms);
	report(b, "rehome", f.rehome_ms, "ms", 150, again.rehome_ms);
	report_stall(b, &f);
	report(b, "reset", nb_reset, "connections", 0, NAN);
}

int
main(int argc, char **argv)
{
	static const char *const moves[] = { "first", "rehome", "stall", "reset" };
	static const char *const parks[] = { "parked-bytes", "parked-reload" };
	bool failover, parking;
	struct bench b;
	int rc = pair_bench_init(&b, "bulk", argc, argv, NULL);

	if (rc != 0)
		return bench_exit_code(rc);
	failover = bench_wants_any(&b, moves, RTE_DIM(moves));
	parking = bench_wants_any(&b, parks, RTE_DIM(parks));
	if (bench_wants(&b, "parked-10m"))
		report_crowd(&b);
	if (!failover && !parking)
		return bench_fini(&b);
	if (!make_scene(b.quick ? QUICK_CONNS : NB_CONNS)) {
		bench_fail(&b, "all", "the connections are not there");
		return bench_fini(&b);
	}
	if (failover)
		report_failover(&b);
	if (parking)
		report_parking(&b);
	return bench_fini(&b);
}
