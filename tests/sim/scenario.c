/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* What the team is, and what happens to it: all by the seed. */

#include <string.h>

#include "control_int.h"
#include "sim.h"

#define MS TP_NS_PER_MS
#define US TP_NS_PER_US

/* ---- what the team is --------------------------------------------------------- */

static void
make_wires(struct setup *set, struct rng *r)
{
	uint64_t delay = rng_between(r, 0, 20) * US;

	set->same_wires = true;
	for (unsigned int i = 0; i <= SIM_MAX_WIRES; i++) {
		struct tp_wire_conf *w = &set->wire[i];

		tp_wire_conf_default(w);
		w->seed = rng_next(r);
		w->nb_frames = set->wire_frames;
		for (unsigned int d = 0; d < TP_WIRE_NB_DIRS; d++)
			w->dir[d].delay_ns = i == SIM_HOST_WIRE ? 0 : delay;
	}
}

static uint64_t
make_start(struct rng *r)
{
	static const uint64_t starts[] = {
		TP_NS_PER_S,
		((UINT64_C(1) << 24) - 20) * MS, /* of 24 bits of milliseconds */
		((UINT64_C(1) << 32) - 20) * MS,
		(UINT64_C(1) << 32) - 30 * MS,
	};

	return starts[rng_below(r, RTE_DIM(starts))];
}

void
scenario_make(struct setup *set, uint64_t seed, uint32_t allowed)
{
	struct rng rng, *r = &rng;

	memset(set, 0, sizeof(*set));
	rng_seed(r, seed);
	set->seed = seed;
	set->allowed = allowed;
	set->nb_wires = rng_between(r, 1, SIM_MAX_WIRES);
	set->nb_at_start = rng_one_in(r, 3) ? rng_between(r, 1, set->nb_wires) : set->nb_wires;
	set->burst = rng_between(r, 1, 32);
	set->ring_size = 16u << rng_below(r, 5);
	set->wire_frames = 1024;
	set->start_ns = make_start(r);
	set->events_ns = rng_between(r, 10, 40) * MS;
	set->quiet_ns = 25 * MS;
	set->max_dt_ns = rng_between(r, 1, 4) * 500;
	set->stop_one_in = 2u << rng_below(r, 6);
	set->event_gap_ns = rng_between(r, 1, 8) * MS;
	set->frame_gap_ns[0] = rng_between(r, 1, 10) * US;
	set->frame_gap_ns[1] = rng_between(r, 1, 10) * US;
	set->nb_flows[0] = rng_between(r, 1, SIM_MAX_FLOWS);
	set->nb_flows[1] = rng_between(r, 1, SIM_MAX_FLOWS);
	set->max_len = 200;
	set->near_wrap = rng_one_in(r, 2);
	tp_team_conf_default(&set->team);
	make_wires(set, r);
}

/* ---- what happens ------------------------------------------------------------------ */

static void
cut(uint8_t wire)
{
	struct wire_state *w = &sim->wire[wire];

	w->carrier_back = sim->now + rng_between(&sim->chaos, 10, 8000) * US;
	tp_wire_set_carrier(w->wire, false);
	sim_note("wire %u: carrier lost for %" PRIu64 " us", wire,
	                (w->carrier_back - sim->now) / US);
}

static void
restore(struct wire_state *w)
{
	w->carrier_back = 0;
	tp_wire_set_carrier(w->wire, true);
	/* A parked port is not polled, and a NIC tells of its link all the same. */
	tp_wire_sync(w->wire);
	sim_note("wire %u: carrier is back", w->index);
}

static void
one_event(void)
{
	uint8_t wire = rng_below(&sim->chaos, sim->set.nb_wires);

	sim->nb_events++;
	if (sim->wire[wire].carrier_back == 0)
		cut(wire);
}

void
scenario_events(void)
{
	for (unsigned int i = 0; i < sim->set.nb_wires; i++)
		if (sim->wire[i].carrier_back != 0 && sim->now >= sim->wire[i].carrier_back)
			restore(&sim->wire[i]);
	if (sim->healing || sim->now < sim->next_event)
		return;
	if (sim->next_event != 0)
		one_event();
	sim->next_event = sim->now + rng_below(&sim->chaos, 2 * (uint64_t)sim->set.event_gap_ns);
}

void
scenario_heal(void)
{
	sim_note("all is well from now on");
	for (unsigned int i = 0; i < sim->set.nb_wires; i++)
		if (sim->wire[i].carrier_back != 0)
			restore(&sim->wire[i]);
}

/* ---- commands -------------------------------------------------------------------------- */

static void
command_start(void)
{
	struct error_text err = { "" };

	if (op_start(&sim->d, &err) != 0)
		sim_fail("start: %s", err.text);
}

/* Also the way in which ports are given back: the ends of wires must not be closed. */
static void
command_leave(void)
{
	struct control *c = &sim->d.control;
	struct error_text err = { "" };

	FOREACH_SLOT(c, s) {
		if (op_del(&sim->d, slot_id(c, s), false, &err) != 0)
			sim_fail("taking member %u out: %s", slot_id(c, s), err.text);
	}
	if (op_set_host(&sim->d, "", &err) != 0)
		sim_fail("taking the host port away: %s", err.text);
	sim->leaving = false;
}

void
scenario_command(void)
{
	if (sim->leaving) {
		sim->command = command_leave;
		return;
	}
	if (sim->nb_commands == 0) {
		sim->nb_commands++;
		sim->command = command_start;
	}
}

uint64_t
scenario_next(void)
{
	return sim->healing ? TP_NEVER : sim->next_event;
}
