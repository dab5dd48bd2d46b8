/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* The simulator of tests/sim, with fewer things that happen and more that is counted. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "failover.h"
#include "sim.h"

#define US TP_NS_PER_US
#define MS TP_NS_PER_MS
/* So that each burst of the host port has a frame of each flow. */
#define BURST 8
#define NB_FLOWS 8
#define MAX_DT_NS (4 * US)
/* A burst for each round of half MAX_DT_NS, and more. */
#define FLOOD_RATE UINT64_C(6000000)
#define MAX_RATE UINT64_C(8000000)
#define TRIAL_NS (2 * MS)
#define POLL_US 100

struct hands {
	struct failover_sim *cuts;
	struct failover_handover *handover;
	uint64_t next_at;
	uint8_t dead;        /* wire that was cut, or SIM_HOST_WIRE */
	uint8_t dead_member; /* its member */
	bool was_primary;
	bool seen;                /* by control */
	uint64_t base[NB_ACTORS]; /* steps that each had begun before that step of control */
};

static struct hands hands;

/* ---- the team ---------------------------------------------------------------------- */

uint8_t
failover_sim_members(uint64_t seed)
{
	return 2 + seed % (SIM_MAX_WIRES - 1);
}

static void
make_wires(struct setup *set)
{
	for (unsigned int i = 0; i <= SIM_MAX_WIRES; i++) {
		struct tp_wire_conf *w = &set->wire[i];
		uint64_t seed = w->seed;
		uint32_t swallow = w->dir[TP_WIRE_A_TO_B].swallow;
		bool backpressure = w->dir[TP_WIRE_A_TO_B].backpressure && i != SIM_HOST_WIRE;

		tp_wire_conf_default(w);
		w->seed = seed;
		w->nb_frames = 256;
		/* Without a link some ports take no more, so that frames wait on our rings. */
		w->dir[TP_WIRE_A_TO_B].backpressure = backpressure;
		w->dir[TP_WIRE_A_TO_B].swallow = swallow;
	}
	set->timed_wires = true;
	set->corrupts = false;
}

/* What the seed leaves open: priorities, weights, hash, where counters begin, which ports refuse
 * frames without a link.
 */
static void
make_setup(struct setup *set, uint64_t seed, uint8_t nb_members)
{
	scenario_make(set, seed);
	set->fair = true;
	set->events = 0;
	set->commands = 0;
	set->nb_wires = nb_members;
	set->nb_at_start = set->nb_wires;
	set->burst = BURST;
	set->ring_size = 1024;
	set->max_dt_ns = MAX_DT_NS;
	set->stop_one_in = UINT32_MAX;
	set->quiet_ns = MS;
	set->nb_flows[0] = NB_FLOWS;
	set->max_len = 200;
	set->neighbours = set->floods = set->probing = false;
	set->team.mode = TP_MODE_HASH;
	set->team.flow.policy = TP_FLOW_L34;
	set->team.updelay_ms = set->team.downdelay_ms = set->team.flap_max = 0;
	set->team.nb_buckets = 256;
	for (unsigned int i = 0; i < SIM_MAX_WIRES; i++)
		set->member[i].weight = 100;
	set->link.watches = TP_LINK_W(TP_LINK_POLL);
	set->link.poll_us = POLL_US;
	make_wires(set);
}

static int
run(struct setup *set, const struct sim_hooks *hooks, char *why, unsigned int why_len)
{
	set->hooks = hooks;
	hands.next_at = 0;
	hands.dead = SIM_HOST_WIRE;
	if (sim_run(set, false))
		return 0;
	snprintf(why, why_len, "seed %" PRIu64 ": %s", set->seed, sim->failure);
	return -EINVAL;
}

/* ---- a member loses its carrier ---------------------------------------------------------- */

static bool
has_flows(uint8_t wire)
{
	for (uint16_t i = 0; i < sim->set.nb_flows[0]; i++) {
		const struct flow *f = &sim->ledger.flow[i];

		if (f->last > 0 && f->last_wire == wire)
			return true;
	}
	return false;
}

/* All distribute, and nothing is left to be done of what happened before. */
static bool
at_rest(void)
{
	const struct control *c = &sim->d.control;
	struct tp_host_info info;

	tp_host_info(sim->d.host, &info);
	for (uint8_t i = 0; i < sim->set.nb_wires; i++)
		if (!c->team.member[i].distributing)
			return false;
	return info.version == c->team.version && info.nb_stash == 0 && info.version != 0;
}

static void
cut_one(void)
{
	uint8_t wire = rng_below(&sim->chaos, sim->set.nb_wires);
	struct wire_state *w = &sim->wire[wire];

	if (sim->now < hands.next_at || !at_rest() || !has_flows(wire))
		return;
	hands.dead = wire;
	hands.dead_member = world_slot_of_wire(wire)->member->id;
	hands.was_primary = sim->d.control.primary == hands.dead_member;
	hands.seen = false;
	w->carrier_back = sim->now + MS;
	tp_wire_set_carrier(w->wire, false);
}

/* The host waits for the team, or frames would be lost before it is there. */
static void
begin_sending(void)
{
	if (sim->send_from == 0 && at_rest())
		sim->send_from = sim->now;
}

static void
cuts_round(void)
{
	begin_sending();
	if (hands.dead == SIM_HOST_WIRE)
		cut_one();
}

/* Control has seen it if the member does not distribute any more: in its newest step. */
static void
cuts_turn(uint8_t actor)
{
	if (hands.dead == SIM_HOST_WIRE || hands.seen)
		return;
	if (!sim->d.control.team.member[hands.dead_member].distributing) {
		hands.seen = true;
		return;
	}
	if (actor != ACTOR_CONTROL || sim->actor[ACTOR_CONTROL].fiber.busy)
		return;
	/* A step that has begun is one that the lcore takes. */
	for (unsigned int i = 0; i < NB_ACTORS; i++)
		hands.base[i] = sim->actor[i].nb_steps - sim->actor[i].fiber.busy;
}

static void
count_steps(enum failover_lcore lcore, uint8_t actor)
{
	uint64_t n = sim->actor[actor].nb_steps - hands.base[actor];

	hands.cuts->steps[lcore][RTE_MIN(n, FAILOVER_MAX_STEPS - 1u)]++;
}

static void
cuts_leaves(const struct frame *f, uint8_t wire)
{
	const struct flow *flow = &sim->ledger.flow[f->flow];

	if (hands.dead == SIM_HOST_WIRE || wire == hands.dead || f->kind != SIM_DATA ||
	                flow->last == 0 || flow->last_wire != hands.dead)
		return;
	if (!hands.seen && sim->d.control.team.member[hands.dead_member].distributing)
		sim_fail("a flow of wire %u left it before control saw a reason", hands.dead);
	hands.cuts->nb_cuts++;
	hands.cuts->nb_primaries += hands.was_primary;
	count_steps(FAILOVER_CONTROL, ACTOR_CONTROL);
	count_steps(FAILOVER_PRIMARY, sim->d.control.primary);
	count_steps(FAILOVER_SURVIVOR, world_slot_of_wire(wire)->member->id);
	hands.dead = SIM_HOST_WIRE;
	hands.next_at = sim->now + rng_between(&sim->chaos, 1, 200) * US;
}

static void
cuts_end(void)
{
	const struct ledger *l = &sim->ledger;
	struct failover_sim *sum = hands.cuts;

	sum->nb_seeds++;
	sum->nb_frames += l->in[0];
	sum->refused += l->by_reason[TP_DROP_TX_RING_FULL];
	sum->lost += l->in[0] - l->out[0] - l->by_reason[TP_DROP_TX_RING_FULL];
	sum->reordered += l->nb_reordered;
}

int
failover_sim_cuts(uint64_t seed, bool stops, struct failover_sim *sum, char *why,
                unsigned int why_len)
{
	static const struct sim_hooks hooks = {
		.host_rate = FLOOD_RATE,
		.round = cuts_round,
		.turn = cuts_turn,
		.leaves = cuts_leaves,
		.end = cuts_end,
	};
	struct setup set;
	int rc;

	make_setup(&set, seed, failover_sim_members(seed));
	set.events_ns = 3 * MS;
	if (stops)
		set.stop_one_in = 2u << seed % 6;
	hands.cuts = sum;
	rc = run(&set, &hooks, why, why_len);
	if (rc != 0)
		sum->reordered += sim->ledger.nb_reordered;
	return rc;
}

/* ---- the primary changes -------------------------------------------------------------------- */

static void
next_primary(void)
{
	struct tp_team_conf conf = sim->d.control.team.conf;
	struct error_text err = { "" };
	uint8_t n = sim->set.nb_wires;

	conf.primary = (sim->d.control.primary + rng_between(&sim->chaos, 1, n - 1)) % n;
	conf.primary_reselect = TP_RESELECT_ALWAYS;
	if (op_set_conf(&sim->d, &conf, &err) != 0)
		sim_fail("set primary: %s", err.text);
}

static void
handover_round(void)
{
	begin_sending();
	if (sim->now < hands.next_at || !at_rest())
		return;
	sim->planned = next_primary;
	hands.next_at = sim->now + rng_between(&sim->chaos, 10, 300) * US;
}

static uint64_t
lost_anywhere(void)
{
	return sim->ledger.sent[0] - sim->ledger.far[0];
}

static void
handover_end(void)
{
	hands.handover->nb_seeds++;
	hands.handover->nb_handovers += sim->d.control.team.primary_changes - 1;
	hands.handover->nb_frames += sim->ledger.sent[0];
	hands.handover->lost += lost_anywhere();
}

static void
unchanged_end(void)
{
	hands.handover->lost_unchanged += lost_anywhere();
}

static int
run_rate(uint64_t seed, uint8_t nb_members, const struct sim_hooks *hooks, char *why,
                unsigned int why_len)
{
	struct setup set;

	make_setup(&set, seed, nb_members);
	set.events_ns = TRIAL_NS;
	return run(&set, hooks, why, why_len);
}

int
failover_sim_handover(uint64_t seed, uint64_t rate, struct failover_handover *sum, char *why,
                unsigned int why_len)
{
	struct sim_hooks with = { .host_rate = rate, .round = handover_round, .end = handover_end };
	struct sim_hooks without = {
		.host_rate = rate,
		.round = begin_sending,
		.end = unchanged_end,
	};
	uint8_t nb = failover_sim_members(seed);
	int rc;

	hands.handover = sum;
	rc = run_rate(seed, nb, &with, why, why_len);
	return rc == 0 ? run_rate(seed, nb, &without, why, why_len) : rc;
}

static bool
loses_nothing(uint8_t nb_members, unsigned int nb_seeds, uint64_t rate)
{
	struct failover_handover sum = { .nb_seeds = 0 };
	struct sim_hooks hooks = {
		.host_rate = rate,
		.round = begin_sending,
		.end = unchanged_end,
	};
	char why[640];

	hands.handover = &sum;
	for (unsigned int seed = 0; seed < nb_seeds && sum.lost_unchanged == 0; seed++)
		if (run_rate(seed, nb_members, &hooks, why, sizeof(why)) != 0)
			return false;
	return sum.lost_unchanged == 0;
}

/* RFC 2544 26.1, to one part in 128 of what a lcore could take. */
uint64_t
failover_sim_zero_loss(uint8_t nb_members, unsigned int nb_seeds)
{
	uint64_t good = 0, bad = MAX_RATE;

	while (bad - good > MAX_RATE / 128) {
		uint64_t rate = (good + bad) / 2;

		if (loses_nothing(nb_members, nb_seeds, rate))
			good = rate;
		else
			bad = rate;
	}
	return good;
}
