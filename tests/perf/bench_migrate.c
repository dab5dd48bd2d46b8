/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Connections that follow their packets between two members, each a lcore with a CPU of its own. A
 * peer, which shares the first one's CPU with it and with control, sends 300 000 one-byte requests a
 * second over a thousand connections.
 *
 * mean, p99: the switch sends one flow after the other to the other member; each connection moves there
 * by its third packet. How long it was nobody's, from released to adopted, by the engine's own clock and
 * histogram (us); and over all these moves lost: packets dropped anywhere; reset; rto.
 *
 * sustained: all connections are told to go to the other member, and back, under the same traffic:
 * connections adopted a second.
 */

#include <math.h>
#include <sched.h>

#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_tcp.h>

#include "bench.h"
#include "toe_pair.h"
#include "traffic.h"

#define PORT 7
#define FIRST_PORT 20000
#define NB_CONNS 1000
#define SETTLE_TURNS 4000000
#define NB_MOVES 20000
#define QUICK_MOVES 1000
#define REQUEST_NS UINT64_C(3333)
#define REQUEST_BURST 8                /* after a delay: no more at once */
#define REHASH_NS (100 * TP_NS_PER_US) /* between two flows that the switch sends elsewhere */
#define SUSTAINED_NS (200 * TP_NS_PER_MS)
#define SETTLE_NS (10 * TP_NS_PER_MS)
#define PATIENCE_NS (20 * TP_NS_PER_S)
#define NB_MEMBERS 2

static struct {
	struct pair *p;
	_Atomic uint8_t member_of[NB_CONNS]; /* the switch: where a flow's packets go */
	tp_toe_id ids[NB_CONNS];             /* the peer's */
	uint64_t nb_established, nb_asked, nb_done, nb_closed;
	uint64_t ask_due;
	_Atomic bool stop, up;
} scene;

/* ---- users ------------------------------------------------------------------------- */

static void
established(struct tp_toe_call *call)
{
	scene.ids[scene.nb_established++] = call->id;
}

static void
client_data(struct tp_toe_call *call, struct rte_mbuf *data)
{
	scene.nb_done += pair_discard(call, data);
}

static void
client_close(struct tp_toe_call *call, enum tp_tcp_reason reason)
{
	(void)call;
	(void)reason;
	scene.nb_closed++;
}

static const struct tp_toe_user client = {
	.name = "client",
	.on_accept = established,
	.on_data = client_data,
	.on_close = client_close,
};
static const struct tp_toe_user server = { .name = "server", .on_data = pair_bounce };

/* ---- lcores -------------------------------------------------------------------------- */

/* Which member the switch sends a packet of the client to; ARP to the first. */
static uint8_t
steer(const struct rte_mbuf *m)
{
	const struct rte_tcp_hdr *tcp;
	struct tp_pkt_info info;
	uint32_t flow;

	tp_pkt_parse(m, &info);
	if (!(info.flags & TP_PKT_F_L4))
		return 0;
	tcp = rte_pktmbuf_mtod_offset(m, const struct rte_tcp_hdr *, info.l4_off);
	flow = rte_be_to_cpu_16(tcp->src_port) - FIRST_PORT;
	return flow < NB_CONNS ? atomic_load_explicit(&scene.member_of[flow], memory_order_relaxed)
	                       : 0;
}

static int
second_member(void *arg)
{
	struct pair_side *s = &scene.p->server;

	(void)arg;
	rte_rcu_qsbr_thread_online(s->qsbr, 1);
	atomic_store(&scene.up, true);
	while (!atomic_load_explicit(&scene.stop, memory_order_relaxed)) {
		pair_shard_turn(&s->shard[1], tp_clock_now());
		rte_rcu_qsbr_quiescent(s->qsbr, 1);
	}
	rte_rcu_qsbr_thread_offline(s->qsbr, 1);
	return 0;
}

static void
ask(uint64_t now)
{
	unsigned int n = 0;

	/* Not for ever while a member's thread does not get its CPU. */
	if (scene.nb_asked - scene.nb_done > NB_CONNS)
		scene.ask_due = now + REQUEST_NS;
	for (; scene.ask_due <= now && n < REQUEST_BURST; n++, scene.ask_due += REQUEST_NS) {
		if (tp_toe_post(scene.p->client.toe, scene.ids[scene.nb_asked++ % NB_CONNS],
		                    pair_send_byte, NULL) != 0)
			rte_panic("a function cannot be posted\n");
	}
	if (n == REQUEST_BURST)
		scene.ask_due = now + REQUEST_NS;
}

/* The first member, control and the peer. */
static void
turn(void)
{
	struct pair_side *s = &scene.p->server;

	pair_control_turn(s, tp_clock_now());
	pair_shard_turn(&s->shard[0], tp_clock_now());
	rte_rcu_qsbr_quiescent(s->qsbr, 0);
	if (scene.nb_established == NB_CONNS)
		ask(tp_clock_now());
	pair_side_turn(&scene.p->client, tp_clock_now());
}

/* ---- what happened --------------------------------------------------------------------- */

struct tally {
	uint64_t moves, lost, reset, rto;
	struct tp_toe_pauses pauses;
};

static void
add_side(const struct pair_side *s, struct tally *t)
{
	uint64_t c[TP_TOE_NB_COUNTERS], mib[TP_TCP_NB_MIB];

	tp_toe_counters(s->toe, c, mib);
	t->moves += c[TP_TOE_C_MOVED_IN];
	t->lost += c[TP_TOE_C_RX_STALE] + c[TP_TOE_C_RX_HOPS] + c[TP_TOE_C_RX_BAD] +
	           c[TP_TOE_C_RX_HOLD_FULL] + c[TP_TOE_C_RX_REFUSED];
	for (unsigned int i = 0; i < TP_NB_DROPS; i++)
		t->lost += s->ctr.drop[i];
	t->reset += mib[TP_TCP_M_OUT_RSTS] + c[TP_TOE_C_CONNS_PREMATURE];
	t->rto += mib[TP_TCP_M_TIMEOUTS];
}

static struct tally
tally(void)
{
	struct tally t = { 0 };

	add_side(&scene.p->server, &t);
	add_side(&scene.p->client, &t);
	t.reset += scene.nb_closed;
	tp_toe_get_pauses(scene.p->server.toe, &t.pauses);
	return t;
}

static struct tally
since(const struct tally *before)
{
	struct tally now = tally();

	now.moves -= before->moves;
	now.lost -= before->lost;
	now.reset -= before->reset;
	now.rto -= before->rto;
	for (unsigned int i = 0; i < TP_TOE_NB_STEPS; i++)
		now.pauses.pause_us[i] -= before->pauses.pause_us[i];
	return now;
}

static double
mean_us(const struct tp_toe_pauses *p)
{
	double sum = 0, nb = 0;

	for (unsigned int i = 0; i < TP_TOE_NB_STEPS; i++) {
		sum += (double)p->pause_us[i] * tp_toe_step_value(i);
		nb += p->pause_us[i];
	}
	return nb > 0 ? sum / nb : NAN;
}

static double
quantile_us(const struct tp_toe_pauses *p, double q)
{
	uint64_t nb = 0, seen = 0;

	for (unsigned int i = 0; i < TP_TOE_NB_STEPS; i++)
		nb += p->pause_us[i];
	for (unsigned int i = 0; i < TP_TOE_NB_STEPS; i++) {
		seen += p->pause_us[i];
		if (nb > 0 && seen >= q * nb)
			return tp_toe_step_value(i);
	}
	return NAN;
}

/* ---- set-up ------------------------------------------------------------------------------ */

static bool
make_scene(void)
{
	struct tp_toe_move_conf move = { .after = 3 };
	struct pair_conf conf = { .link = PAIR_RINGS, .server_shards = NB_MEMBERS, .move = &move };
	struct pair *p = scene.p = pair_create(&conf);

	if (p == NULL || pair_listen(p, &server, PORT) != 0)
		return false;
	p->server.steer = steer;
	for (unsigned int i = 0; i < NB_MEMBERS; i++)
		rte_rcu_qsbr_thread_register(p->server.qsbr, i);
	rte_rcu_qsbr_thread_online(p->server.qsbr, 0);
	for (uint32_t i = 0; i < NB_CONNS; i++)
		scene.member_of[i] = i % NB_MEMBERS;
	if (rte_eal_remote_launch(second_member, NULL, rte_get_next_lcore(-1, 1, 0)) != 0)
		return false;
	while (!atomic_load(&scene.up))
		rte_pause();
	for (uint32_t i = 0; i < NB_CONNS; i++) {
		if (pair_connect(p, &client, NULL, FIRST_PORT + i, PORT) == TP_TOE_ID_NONE)
			return false;
		turn();
	}
	for (uint32_t i = 0; i < SETTLE_TURNS && scene.nb_established < NB_CONNS; i++)
		turn();
	return scene.nb_established == NB_CONNS;
}

static void
end_scene(void)
{
	atomic_store(&scene.stop, true);
	rte_eal_mp_wait_lcore();
}

/* ---- cases --------------------------------------------------------------------------------- */

/* @return false: they do not move. On a busy machine a flow may be sent back before it has. */
static bool
follow_packets(uint64_t nb_moves, struct tally *out)
{
	uint64_t now = tp_clock_now(), due = now, end = now + PATIENCE_NS, nb = 0;
	struct tally before = tally();

	for (; nb < nb_moves; now = tp_clock_now()) {
		turn();
		if (now < due)
			continue;
		due = now + REHASH_NS;
		/* No flow twice in a row, and each as often as any other. */
		scene.member_of[nb++ % NB_CONNS] ^= 1;
	}
	for (*out = since(&before); out->moves < nb_moves / 2 || now < due + SETTLE_NS;
	                *out = since(&before)) {
		if (now >= end)
			break;
		turn();
		now = tp_clock_now();
	}
	return out->moves > 0;
}

/* @return connections adopted a second */
static double
back_and_forth(struct tally *out)
{
	struct tp_toe *toe = scene.p->server.toe;
	uint64_t now = tp_clock_now(), start, end;
	struct tally before;
	uint8_t from = 0;

	/* They stay where they are told to be. */
	tp_toe_set_move(toe, &(struct tp_toe_move_conf){ .after = 0 });
	before = tally();
	for (start = now, end = now + SUSTAINED_NS; now < end; now = tp_clock_now()) {
		if (tp_toe_nb_conns(toe, from) > 0)
			tp_toe_shed(toe, from, !from, NB_CONNS);
		while (tp_toe_nb_conns(toe, !from) < NB_CONNS && now < end) {
			turn();
			now = tp_clock_now();
		}
		from = !from;
	}
	*out = since(&before);
	return out->moves * (double)TP_NS_PER_S / (now - start);
}

static void
report(struct bench *b, const char *name, double value, const char *unit, double goal,
                const struct tally *t)
{
	struct bench_result result = {
		.case_name = name,
		.value = value,
		.unit = unit,
		.goal = goal,
		.goal_zero = goal == 0,
		.nb_runs = 1,
		.extra = json_pack("{s:I}", "moves", (json_int_t)t->moves),
	};

	bench_report(b, &result);
}

static void
report_follow(struct bench *b)
{
	struct tally t;

	if (!follow_packets(b->quick ? QUICK_MOVES : NB_MOVES, &t)) {
		bench_fail(b, "mean", "the connections do not follow their packets");
		return;
	}
	report(b, "mean", mean_us(&t.pauses), "us", 2, &t);
	report(b, "p99", quantile_us(&t.pauses, 0.99), "us", 10, &t);
	report(b, "lost", t.lost, "packets", 0, &t);
	report(b, "reset", t.reset, "connections", 0, &t);
	report(b, "rto", t.rto, "timeouts", 0, &t);
}

static void
report_sustained(struct bench *b)
{
	struct tally t;
	double rate = back_and_forth(&t);
	struct bench_result result = {
		.case_name = "sustained",
		.value = rate,
		.unit = "moves/s",
		.nb_runs = 1,
		.extra = json_pack("{s:f, s:I, s:I, s:I}", "goal_at_least", 500000.0, "lost",
		                (json_int_t)t.lost, "reset", (json_int_t)t.reset, "rto",
		                (json_int_t)t.rto),
	};

	bench_report(b, &result);
}

static int
nb_cpus(int cpu[2])
{
	cpu_set_t set;
	int nb = 0;

	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return 0;
	for (int i = 0; i < CPU_SETSIZE && nb < 2; i++) {
		if (CPU_ISSET(i, &set))
			cpu[nb++] = i;
	}
	return nb;
}

int
main(int argc, char **argv)
{
	static const char *const pauses[] = { "mean", "p99", "lost", "reset", "rto" };
	static char lcores[32];
	const char *eal_args[] = { "--lcores", lcores, NULL };
	int cpu[2] = { 0 }, nb = nb_cpus(cpu), rc;
	bool follow, sustained;
	struct bench b;

	snprintf(lcores, sizeof(lcores), "0@%d,1@%d", cpu[0], cpu[nb > 1]);
	rc = pair_bench_init(&b, "migrate", argc, argv, eal_args);
	if (rc != 0)
		return bench_exit_code(rc);
	follow = bench_wants_any(&b, pauses, RTE_DIM(pauses));
	sustained = bench_wants(&b, "sustained");
	if (!follow && !sustained)
		return bench_fini(&b);
	if (nb < 2) {
		bench_skip(&b, "all", "two members need a CPU each");
		return bench_fini(&b);
	}
	if (!make_scene()) {
		bench_fail(&b, "all", "the connections are not there");
	} else {
		if (follow)
			report_follow(&b);
		if (sustained)
			report_sustained(&b);
	}
	end_scene();
	return bench_fini(&b);
}
