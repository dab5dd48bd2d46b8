/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* The scheduler: whose turn it is, for how long it goes on, and what time it is. */

#include "sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control_int.h"

/* Rounds without work after which the clock jumps to the next thing that is due. */
#define IDLE_ROUNDS 6
#define MAX_JUMP_NS (200 * TP_NS_PER_US)
#define QUIET_JUMP_NS (500 * TP_NS_PER_US)
/* Points of a step at which it may stop: most steps have fewer. */
#define MAX_PLAN 24
/* Copies of a broadcast are this far apart, at most. */
#define PLACE_NS (2 * TP_NS_PER_MS)
/* An operation that waits for longer than its own time-outs is stuck. */
#define COMMAND_NS (20 * TP_NS_PER_S)
#define SETTLE_NS (2 * TP_NS_PER_S)

struct sim *sim;

void
sim_fail(const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (sim->verbose)
		printf("%12" PRIu64 " VIOLATION: %s\n", sim->now - sim->t0, text);
	if (!sim_failed())
		snprintf(sim->failure, sizeof(sim->failure), "at %" PRIu64 " us: %s",
		                (sim->now - sim->t0) / TP_NS_PER_US, text);
}

void
sim_note(const char *fmt, ...)
{
	va_list ap;

	if (!sim->verbose)
		return;
	printf("%12" PRIu64 " ", sim->now - sim->t0);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
}

uint8_t
sim_actor_id(const struct actor *a)
{
	return a - sim->actor;
}

/* ---- steps that stop ---------------------------------------------------------- */

static void
begin_hang(struct actor *a)
{
	a->hang_pending = false;
	a->hang_since = sim->now;
	a->hang_until = sim->now + a->hang_len;
	sim_note("actor %u hangs (%u) in the middle of a step for %" PRIu64 " us%s",
	                sim_actor_id(a), a->hang, a->hang_len / TP_NS_PER_US,
	                sim->inside == sim_actor_id(a) ? ", inside the host port" : "");
}

void
sim_point(void)
{
	struct actor *a = sim->running;

	if (fiber_current == NULL || a == NULL || a->plan == 0 || --a->plan > 0)
		return;
	a->plan = rng_one_in(&sim->sched, 3) ? rng_between(&sim->sched, 1, MAX_PLAN) : 0;
	sim->nb_stops++;
	if (a->hang_pending)
		begin_hang(a);
	fiber_yield();
}

static void
worker_work(void *arg)
{
	struct actor *a = arg;

	a->work = tp_worker_step(&sim->d.worker[sim_actor_id(a)], a->now);
}

static void
control_work(void *arg)
{
	struct actor *a = arg;

	a->work = tp_control_step(&sim->d.control, a->now);
}

static void
front_work(void *arg)
{
	(void)arg;
	sim->command();
	sim->front_done = true;
}

/* Let an actor go on: a step that stopped, or a new one. */
static unsigned int
actor_turn(struct actor *a, void (*work)(void *arg))
{
	a->work = 0;
	if (sim->set.hooks != NULL && sim->set.hooks->turn != NULL)
		sim->set.hooks->turn(sim_actor_id(a));
	sim->running = a;
	if (a->fiber.busy) {
		a->work = 1;
		fiber_resume(&a->fiber);
	} else {
		a->now = sim->now;
		a->nb_steps++;
		a->plan = a->hang_pending || rng_one_in(&sim->sched, sim->set.stop_one_in)
		                          ? rng_between(&sim->sched, 1, MAX_PLAN)
		                          : 0;
		if (a->plan > 0 || work == front_work)
			fiber_start(&a->fiber, work, a);
		else
			work(a);
	}
	sim->running = NULL;
	return a->work;
}

/* ---- lcores -------------------------------------------------------------------- */

static void
end_hang(struct actor *a)
{
	if (a->hang != HANG_SPIN)
		a->off_cpu_ns += sim->now - a->hang_since;
	a->hang_until = 0;
	sim_note("actor %u goes on", sim_actor_id(a));
}

/* The freeze signal arrives wherever the lcore is. */
static void
freeze(struct actor *a, struct worker *w)
{
	sim_note("actor %u is frozen%s", sim_actor_id(a),
	                a->fiber.busy ? " in the middle of a step" : "");
	atomic_store(&w->frozen, true);
	a->freeze_at = 0;
	a->hang_until = 0;
	sim->nb_frozen++;
	if (sim->at_egress[sim_actor_id(a)] == sim_actor_id(a))
		sim->at_egress[sim_actor_id(a)] = ACTOR_NONE;
	for (unsigned int i = 0; i <= TP_MAX_MEMBERS; i++)
		if (sim->at_egress[i] == sim_actor_id(a))
			sim->at_egress[i] = ACTOR_NONE;
	fiber_abandon(&a->fiber);
}

static unsigned int
worker_turn(uint8_t id)
{
	struct slot *s = &sim->d.control.slot[id];
	struct worker *w = &sim->d.worker[id];
	struct actor *a = &sim->actor[id];

	if (w->member == NULL || atomic_load(&w->frozen))
		return 0;
	if (s->fence == FENCE_NONE)
		a->freeze_at = 0; /* sent to the one that was here before */
	else if (s->fence == FENCE_FREEZING && a->freeze_at == 0)
		a->freeze_at = sim->now + rng_below(&sim->sched, 2 * TP_NS_PER_MS);
	if (a->freeze_at != 0 && sim->now >= a->freeze_at) {
		freeze(a, w);
		return 1;
	}
	if (a->hang_until > sim->now)
		return 0;
	if (a->hang_until != 0)
		end_hang(a);
	if (!a->fiber.busy) {
		bool run = atomic_load(&w->run);

		atomic_store(&w->active, run);
		if (!run)
			return 0;
	}
	return actor_turn(a, worker_work);
}

static unsigned int
front_turn(void)
{
	struct actor *a = &sim->actor[ACTOR_FRONT];

	if (!a->fiber.busy) {
		scenario_command();
		if (sim->command == NULL)
			return 0;
		sim->front_done = false;
	}
	actor_turn(a, front_work);
	if (sim->front_done)
		sim->command = NULL;
	return sim->front_done;
}

uint64_t
sim_cpu_ns(const struct actor *a, bool *blocked)
{
	uint64_t off = a->off_cpu_ns;

	if (a->hang_until != 0 && a->hang != HANG_SPIN)
		off += sim->now - a->hang_since;
	*blocked = a->hang_until != 0 && a->hang == HANG_BLOCKED;
	return sim->now - sim->t0 - off;
}

/* ---- rounds and time --------------------------------------------------------------- */

/* One more than there are members may be: peers, front and control have the rest. */
static unsigned int
turn_of(uint64_t who)
{
	if (who < sim->set.nb_wires)
		return worker_turn(who);
	if (who == sim->set.nb_wires)
		return actor_turn(&sim->actor[ACTOR_CONTROL], control_work);
	return who == sim->set.nb_wires + 1u ? front_turn() : peers_step();
}

/* Everybody once, in random order. */
static unsigned int
fair_turns(unsigned int nb)
{
	uint8_t who[NB_ACTORS + 1];
	unsigned int work = 0;

	for (unsigned int i = 0; i < nb; i++) {
		unsigned int k = rng_below(&sim->sched, i + 1);

		who[i] = i;
		RTE_SWAP(who[i], who[k]);
	}
	for (unsigned int i = 0; i < nb; i++)
		work += turn_of(who[i]);
	return work;
}

static uint64_t
next_due(void)
{
	const struct control *c = &sim->d.control;
	uint64_t next = RTE_MIN(peers_next(), scenario_next());

	next = RTE_MIN(next, tp_team_next(&c->team));
	FOREACH_SLOT(c, s)
		next = RTE_MIN(next, tp_link_next(s->link));
	for (uint8_t i = 0; i <= SIM_MAX_WIRES; i++)
		if (sim->wire[i].wire != NULL)
			next = RTE_MIN(next, tp_wire_next(sim->wire[i].wire));
	for (unsigned int i = 0; i < NB_ACTORS; i++)
		if (sim->actor[i].hang_until != 0)
			next = RTE_MIN(next, sim->actor[i].hang_until);
	return next;
}

static void
pass_time(unsigned int work)
{
	uint64_t dt = rng_between(&sim->sched, 1, sim->set.max_dt_ns), next;

	sim->nb_idle = work > 0 ? 0 : sim->nb_idle + 1;
	if (sim->nb_idle > IDLE_ROUNDS) {
		next = RTE_MIN(next_due(), sim->now + (sim->quiet ? QUIET_JUMP_NS : MAX_JUMP_NS));
		if (next > sim->now + dt)
			dt = next - sim->now;
		sim->nb_idle = 0;
	}
	sim->now += dt;
	tp_clock_set_virtual(sim->now);
}

/* From when on broadcasts are again accepted in one place. */
static void
watch_places(void)
{
	const struct control *c = &sim->d.control;
	uint64_t places = c->team.conf.mode;

	FOREACH_SLOT(c, s)
		places = places * 31 + atomic_load(&s->member->rx_accept) * 4 +
		         atomic_load(&s->member->collecting);
	if (places == sim->places)
		return;
	sim->places = places;
	sim->place_at = sim->now + PLACE_NS;
}

void
sim_round(void)
{
	unsigned int work = 0, turns = sim->set.nb_wires + 3;

	sim->nb_rounds++;
	scenario_events();
	watch_places();
	if (sim->set.fair)
		work = fair_turns(turns);
	else
		for (unsigned int i = 0; i < turns; i++)
			work += turn_of(rng_below(&sim->sched, turns));
	pass_time(work);
}

/* ---- a life ---------------------------------------------------------------------------- */

static bool
idle(void)
{
	for (unsigned int i = 0; i < NB_ACTORS; i++)
		if (sim->actor[i].fiber.busy &&
		                !atomic_load(&sim->d.worker[RTE_MIN(i, 31u)].frozen))
			return false;
	return true;
}

static void
run_until(uint64_t end)
{
	while (sim->now < end && !sim_failed())
		sim_round();
}

/* No step is in the middle, and no command is being carried out. */
static void
run_until_idle(void)
{
	uint64_t limit = sim->now + COMMAND_NS;

	while (!idle() && !sim_failed()) {
		sim_round();
		if (sim->now > limit)
			sim_fail("an operation, or a step, does not end");
	}
}

/* Lazy moves, slow wires, and the Tx watch's retry need time. */
static bool
is_settled(void)
{
	const struct control *c = &sim->d.control;
	struct tp_host_info info;

	tp_host_info(sim->d.host, &info);
	if (info.nb_lazy > 0 || info.nb_stash > 0 || ledger_nb_held() > ledger_may_miss() ||
	                check_in_flight() > 0)
		return false;
	FOREACH_SLOT(c, s)
		if (s->fence != FENCE_FROZEN && !c->team.member[slot_id(c, s)].link)
			return false;
	return true;
}

static void
run_until_settled(void)
{
	uint64_t limit = sim->now + SETTLE_NS;

	do
		run_until(sim->now + sim->set.quiet_ns / 4);
	while (sim->now < limit && !sim_failed() && !is_settled());
}

static void
life(void)
{
	const struct setup *set = &sim->set;

	sim_note("%u wires, mode %s, %u buckets, ring %u, burst %u, skew %u us, updelay %u, "
	         "downdelay %u, flap_max %u, watches %#x, one in %u steps stops",
	                set->nb_wires, tp_modes[set->team.mode].name, set->team.nb_buckets,
	                set->ring_size, set->burst, set->team.skew_us, set->team.updelay_ms,
	                set->team.downdelay_ms, set->team.flap_max, set->link.watches,
	                set->stop_one_in);
	run_until(sim->t_events_end);
	run_until_idle();
	sim->healing = true;
	scenario_heal();
	while (!sim->healed && !sim_failed())
		sim_round();
	run_until(sim->now + sim->set.quiet_ns);
	sim->quiet = true;
	run_until_settled();
	sim->set.stop_one_in = UINT32_MAX;
	run_until_idle();
	if (sim_failed())
		return;
	check_settled();
	ledger_check();
	check_counters();
	check_mbufs();
	if (sim->set.hooks != NULL && sim->set.hooks->end != NULL)
		sim->set.hooks->end();
	if (sim_failed())
		return;
	sim->leaving = true;
	do
		sim_round();
	while (sim->leaving && !sim_failed());
	run_until_idle();
}

static struct sim *
sim_create(const struct setup *set, bool verbose)
{
	static struct sim world;
	static bool have_stacks;

	if (!have_stacks) {
		for (unsigned int i = 0; i < NB_ACTORS; i++)
			if (fiber_init(&world.actor[i].fiber) != 0)
				return NULL;
		have_stacks = true;
	}
	for (unsigned int i = 0; i < NB_ACTORS; i++) {
		struct fiber kept = world.actor[i].fiber;

		memset(&world.actor[i], 0, sizeof(world.actor[i]));
		world.actor[i].fiber = kept;
	}
	sim = &world;
	sim->set = *set;
	memset(&sim->d, 0, sizeof(sim->d));
	memset((char *)sim + offsetof(struct sim, sched), 0,
	                offsetof(struct sim, actor) - offsetof(struct sim, sched));
	memset((char *)sim + offsetof(struct sim, running), 0,
	                sizeof(*sim) - offsetof(struct sim, running));
	rng_seed(&sim->sched, set->seed ^ UINT64_C(0x5c4ed));
	rng_seed(&sim->traffic, set->seed ^ UINT64_C(0x7aff1c));
	rng_seed(&sim->chaos, set->seed ^ UINT64_C(0xc4a05));
	sim->verbose = verbose;
	sim->now = sim->t0 = set->start_ns;
	sim->t_events_end = sim->t0 + set->events_ns;
	sim->inside = ACTOR_NONE;
	memset(sim->at_egress, ACTOR_NONE, sizeof(sim->at_egress));
	return sim;
}

bool
sim_run(const struct setup *set, bool verbose)
{
	bool good;

	if (sim_create(set, verbose) == NULL)
		return false;
	ledger_init();
	if (world_build() == 0)
		life();
	else
		sim_fail("the world does not come to be");
	good = !sim_failed();
	/* What failed can be in any state: the process is about to end. */
	if (good)
		world_take_down();
	return good;
}
