/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* What the team is, and what happens to it by itself: all by the seed. commands.c has what users
 * do to it.
 */

#include <string.h>

#include <rte_ethdev.h>

#include "control_int.h"
#include "sim.h"

#define MS TP_NS_PER_MS
#define US TP_NS_PER_US

/* net_ring's own way to tell of an event, which Debian's headers do not have. */
struct rte_eth_dev *rte_eth_dev_allocated(const char *name);
int rte_eth_dev_callback_process(
                struct rte_eth_dev *dev, enum rte_eth_event_type event, void *ret_param);

/* ---- what the team is --------------------------------------------------------- */

enum profile {
	WIRES_SAME,  /**< one delay */
	WIRES_TIMED, /**< delays and jitter, shorter than the skew */
	WIRES_NOISY, /**< they lose, duplicate, reorder and flip bits */
	WIRES_SLOW,  /**< they have a rate, and the ports take no more than that */
	NB_PROFILES,
};

static void
make_dir(struct tp_wire_dir_conf *c, enum profile profile, uint64_t delay, struct rng *r)
{
	c->delay_ns = profile == WIRES_SAME ? delay : rng_between(r, 0, 300) * US;
	if (profile == WIRES_TIMED || profile == WIRES_NOISY)
		c->jitter_ns = rng_between(r, 0, 100) * US;
	if (profile == WIRES_NOISY) {
		c->loss_ppm = rng_one_in(r, 2) ? rng_between(r, 0, 50000) : 0;
		c->dup_ppm = rng_one_in(r, 2) ? rng_between(r, 0, 50000) : 0;
		c->corrupt_ppm = rng_one_in(r, 2) ? rng_between(r, 0, 50000) : 0;
		c->reorder_ppm = rng_one_in(r, 2) ? rng_between(r, 0, 50000) : 0;
		c->reorder_ns = rng_between(r, 1, 200) * US;
	}
	if (profile == WIRES_SLOW) {
		c->rate_bps = rng_between(r, 50, 2000) * 1000000;
		c->queue_frames = rng_between(r, 8, 64);
	}
	c->backpressure = profile == WIRES_SLOW || rng_one_in(r, 2);
	c->swallow = rng_between(r, 0, 64);
}

static void
make_wires(struct setup *set, struct rng *r)
{
	uint64_t delay = rng_between(r, 0, 20) * US;
	enum profile profile = rng_below(r, NB_PROFILES);

	for (unsigned int i = 0; i <= SIM_MAX_WIRES; i++) {
		struct tp_wire_conf *w = &set->wire[i];

		tp_wire_conf_default(w);
		w->seed = rng_next(r);
		w->nb_frames = set->wire_frames;
		if (i == SIM_HOST_WIRE)
			w->dir[TP_WIRE_B_TO_A].backpressure = rng_one_in(r, 2);
		else
			for (unsigned int d = 0; d < TP_WIRE_NB_DIRS; d++)
				make_dir(&w->dir[d], profile, delay, r);
	}
	set->timed_wires = profile == WIRES_SAME || profile == WIRES_TIMED;
	set->corrupts = profile == WIRES_NOISY;
	set->team.skew_us = 450;
}

static void
make_members(struct setup *set, struct rng *r)
{
	for (unsigned int i = 0; i < SIM_MAX_WIRES; i++) {
		set->member[i].prio = rng_one_in(r, 2) ? (int32_t)rng_between(r, 0, 4) - 2 : 0;
		set->member[i].weight = rng_one_in(r, 2) ? rng_between(r, 0, 300) : 100;
	}
}

static void
make_team(struct tp_team_conf *c, struct rng *r)
{
	c->mode = rng_one_in(r, 2) ? TP_MODE_HASH : rng_below(r, TP_NB_MODES);
	c->primary = rng_one_in(r, 4) ? rng_below(r, SIM_MAX_WIRES) : TP_MEMBER_NONE;
	c->primary_reselect = rng_below(r, TP_RESELECT_FAILURE + 1);
	c->all_members_active = rng_one_in(r, 8);
	c->num_peer_notif = rng_below(r, 3);
	c->peer_notif_delay_ms = rng_between(r, 1, 5);
	c->updelay_ms = rng_one_in(r, 3) ? rng_between(r, 0, 5) : 0;
	c->downdelay_ms = rng_one_in(r, 3) ? rng_between(r, 0, 3) : 0;
	c->flap_max = rng_one_in(r, 4) ? rng_between(r, 1, 4) : 0;
	c->flap_window_ms = rng_between(r, 1, 20);
	c->flap_hold_ms = rng_between(r, 1, 8);
	c->nb_buckets = rng_one_in(r, 4) ? 256u << rng_below(r, 5) : 256;
	c->rebalance_interval_ms = rng_between(r, 2, 10);
	c->flow.policy = rng_below(r, TP_FLOW_NB_POLICIES);
	c->flow.fn = rng_below(r, TP_FLOW_NB_FNS);
	c->flow.symmetric = rng_one_in(r, 2);
}

/* A wire's frames are what its receiver has for buffers. While nobody is primary the daemon keeps what
 * it received for the host: a ring, a hold and descriptors full. Its own pools are larger than that;
 * with less no probe's answer would be received, and no primary would ever come.
 */
static void
make_room_for_probes(struct setup *set)
{
	for (unsigned int i = 0; i < SIM_MAX_WIRES; i++)
		set->wire[i].nb_frames = 2048;
}

/* Hangs are seen by the heart watch only, dead paths by probes. */
static void
make_link(struct setup *set, struct rng *r)
{
	struct tp_link_conf *c = &set->link;

	c->watches = TP_LINK_W(TP_LINK_POLL) | TP_LINK_W(TP_LINK_HEART);
	c->poll_us = rng_between(r, 100, 1000);
	c->interval_ms = rng_between(r, 1, 3);
	c->missed_max = rng_between(r, 1, 3);
	c->tx_ms = rng_between(r, 3, 10);
	c->heart_ms = rng_between(r, 8, 16);
	c->validate = true;
	c->nb_ip4 = 1;
	c->ip4[0] = SIM_TARGET_IP;
	set->probing = !set->corrupts && rng_one_in(r, 4);
	if (set->probing) {
		c->watches |= TP_LINK_W(TP_LINK_ARP);
		make_room_for_probes(set);
	}
	if (rng_one_in(r, 6))
		c->watches |= TP_LINK_W(TP_LINK_TX);
}

/* Near what counters of time wrap at. */
static uint64_t
make_start(struct rng *r)
{
	static const uint64_t starts[] = {
		TP_NS_PER_S,
		((UINT64_C(1) << 24) - 20) * MS,
		((UINT64_C(1) << 32) - 20) * MS,
		(UINT64_C(1) << 32) - 30 * MS,
	};

	return starts[rng_below(r, RTE_DIM(starts))];
}

void
scenario_make(struct setup *set, uint64_t seed)
{
	struct rng rng, *r = &rng;

	memset(set, 0, sizeof(*set));
	rng_seed(r, seed);
	set->seed = seed;
	set->nb_wires = rng_between(r, 1, SIM_MAX_WIRES);
	set->nb_at_start = rng_one_in(r, 3) ? rng_between(r, 1, set->nb_wires) : set->nb_wires;
	set->burst = rng_between(r, 1, 32);
	set->ring_size = 16u << rng_below(r, 5);
	set->wire_frames = 64u << rng_below(r, 5);
	set->start_ns = make_start(r);
	set->events_ns = rng_between(r, 10, 40) * MS;
	set->quiet_ns = 20 * MS;
	set->grace_ns = rng_between(r, 1, 20) * MS;
	set->max_dt_ns = rng_between(r, 1, 4) * 500;
	set->stop_one_in = 2u << rng_below(r, 6);
	set->event_gap_ns = rng_between(r, 500, 5000) * US;
	set->command_gap_ns = rng_between(r, 500, 8000) * US;
	set->frame_gap_ns[0] = rng_between(r, 1, 10) * US;
	set->frame_gap_ns[1] = rng_between(r, 1, 10) * US;
	set->nb_flows[0] = rng_between(r, 1, SIM_MAX_FLOWS);
	set->nb_flows[1] = rng_between(r, 1, SIM_MAX_FLOWS);
	set->max_len = rng_one_in(r, 4) ? 1400 : 200;
	set->near_wrap = rng_one_in(r, 2);
	set->neighbours = rng_one_in(r, 2);
	set->floods = rng_one_in(r, 2);
	set->events = rng_next(r) | rng_next(r);
	set->commands = rng_next(r);
	tp_team_conf_default(&set->team);
	make_team(&set->team, r);
	make_members(set, r);
	make_wires(set, r);
	make_link(set, r);
}

/* ---- what happens to wires ------------------------------------------------------- */

static uint64_t
some_time(uint64_t min_us, uint64_t max_us)
{
	return sim->now + rng_between(&sim->chaos, min_us, max_us) * US;
}

static void
lose_carrier(struct wire_state *w, uint64_t back)
{
	w->carrier_back = back;
	tp_wire_set_carrier(w->wire, false);
	sim_note("wire %u: carrier lost for %" PRIu64 " us", w->index, (back - sim->now) / US);
}

static void
restore_carrier(struct wire_state *w)
{
	w->carrier_back = 0;
	tp_wire_set_carrier(w->wire, true);
	/* A parked port is not polled, and a NIC tells of its link all the same. */
	tp_wire_sync(w->wire);
	sim_note("wire %u: carrier is back", w->index);
}

static void
event_carrier(struct wire_state *w)
{
	if (w->carrier_back == 0)
		lose_carrier(w, some_time(10, 8000));
}

static void
event_flap(struct wire_state *w)
{
	if (w->carrier_back == 0)
		lose_carrier(w, some_time(1, 300));
	else
		restore_carrier(w);
}

static void
event_all_carriers(struct wire_state *w)
{
	uint64_t back = some_time(10, 3000);

	(void)w;
	for (unsigned int i = 0; i < sim->set.nb_wires; i++)
		if (sim->wire[i].carrier_back == 0)
			lose_carrier(&sim->wire[i], back + i);
}

static void
event_cut(struct wire_state *w)
{
	enum tp_wire_dir dir = rng_below(&sim->chaos, TP_WIRE_NB_DIRS);

	if (w->cut_back[dir] != 0)
		return;
	w->cut_back[dir] = some_time(100, 8000);
	tp_wire_set_cut(w->wire, dir, true);
	sim_note("wire %u: direction %u cut for %" PRIu64 " us", w->index, dir,
	                (w->cut_back[dir] - sim->now) / US);
}

/* Nothing leaves any more, though there is a link. */
static void
event_stall(struct wire_state *w)
{
	struct tp_wire_dir_conf conf = sim->set.wire[w->index].dir[TP_WIRE_A_TO_B];

	if (w->slow_back != 0 || sim->set.timed_wires)
		return;
	w->slow_back = some_time(100, 10000);
	conf.rate_bps = 1000000;
	conf.queue_frames = 4;
	conf.backpressure = true;
	tp_wire_set_conf(w->wire, TP_WIRE_A_TO_B, &conf);
	sim_note("wire %u: slow for %" PRIu64 " us", w->index, (w->slow_back - sim->now) / US);
}

static void
end_stall(struct wire_state *w)
{
	w->slow_back = 0;
	tp_wire_set_conf(w->wire, TP_WIRE_A_TO_B, &sim->set.wire[w->index].dir[TP_WIRE_A_TO_B]);
}

/* ---- to lcores -------------------------------------------------------------------- */

static struct actor *
actor_of(const struct wire_state *w)
{
	const struct slot *s = world_slot_of_wire(w->index);
	struct actor *a = s == NULL ? NULL : &sim->actor[s->member->id];

	return a == NULL || a->hang_until != 0 || a->hang_pending ? NULL : a;
}

static void
hang(struct actor *a, enum sim_hang how, uint64_t len)
{
	a->hang = how;
	a->hang_len = len;
	a->hang_pending = true;
	sim->nb_hangs++;
}

static void
event_descheduled(struct wire_state *w)
{
	struct actor *a = actor_of(w);

	if (a != NULL)
		hang(a, HANG_DESCHED, rng_between(&sim->chaos, 10, 30000) * US);
}

static void
event_hang(struct wire_state *w)
{
	struct actor *a = actor_of(w);

	if (a != NULL)
		hang(a, rng_one_in(&sim->chaos, 2) ? HANG_SPIN : HANG_BLOCKED,
		                rng_between(&sim->chaos, 1000, 40000) * US);
}

/* Whoever is primary: the worst one to hang. */
static void
event_primary_hangs(struct wire_state *w)
{
	uint8_t primary = sim->d.control.primary;

	(void)w;
	if (primary == TP_MEMBER_NONE || sim->actor[primary].hang_until != 0 ||
	                sim->actor[primary].hang_pending)
		return;
	hang(&sim->actor[primary], rng_below(&sim->chaos, 3),
	                rng_between(&sim->chaos, 10, 30000) * US);
}

/* ---- to the host, to memory, to ports ------------------------------------------------ */

static void
event_deaf_host(struct wire_state *w)
{
	(void)w;
	sim->deaf_until = some_time(100, 5000);
	sim_note("the host does not read for %" PRIu64 " us", (sim->deaf_until - sim->now) / US);
}

static void
give_back(void)
{
	struct rte_mbuf *m = sim->grabbed, *next;

	for (; m != NULL; m = next) {
		next = m->next;
		m->next = NULL;
		rte_pktmbuf_free(m);
	}
	sim->grabbed = NULL;
	sim->grab_until = 0;
	sim->own_lost_at = sim->now;
}

static void
event_no_mbufs(struct wire_state *w)
{
	struct rte_mbuf *m;

	(void)w;
	if (sim->grab_until != 0)
		return;
	sim->grab_until = some_time(100, 5000);
	while ((m = rte_pktmbuf_alloc(sim->d.pool[0])) != NULL) {
		m->next = sim->grabbed;
		sim->grabbed = m;
	}
	sim_note("no mbufs for %" PRIu64 " us", (sim->grab_until - sim->now) / US);
}

static void
event_unplug(struct wire_state *w)
{
	const struct slot *s = world_slot_of_wire(w->index);

	if (s == NULL || s->port.removed)
		return;
	sim_note("wire %u: its port is unplugged", w->index);
	rte_eth_dev_callback_process(
	                rte_eth_dev_allocated(s->port.name), RTE_ETH_EVENT_INTR_RMV, NULL);
}

/* A mask of the seed says which of them happen at all, so that many a seed has few kinds. */
static void (*const events[])(struct wire_state *w) = {
	event_carrier,
	event_carrier,
	event_flap,
	event_all_carriers,
	event_cut,
	event_stall,
	event_descheduled,
	event_hang,
	event_primary_hangs,
	event_deaf_host,
	event_no_mbufs,
	event_unplug,
};

static void
one_event(void)
{
	uint8_t wire = rng_below(&sim->chaos, sim->set.nb_wires);
	unsigned int what = rng_below(&sim->chaos, RTE_DIM(events));

	if ((sim->set.events & RTE_BIT32(what)) == 0)
		return;
	sim->nb_events++;
	events[what](&sim->wire[wire]);
}

static void
end_events(uint64_t now)
{
	for (unsigned int i = 0; i < sim->set.nb_wires; i++) {
		struct wire_state *w = &sim->wire[i];

		if (w->carrier_back != 0 && now >= w->carrier_back)
			restore_carrier(w);
		if (w->slow_back != 0 && now >= w->slow_back)
			end_stall(w);
		for (unsigned int d = 0; d < TP_WIRE_NB_DIRS; d++) {
			if (w->cut_back[d] == 0 || now < w->cut_back[d])
				continue;
			w->cut_back[d] = 0;
			tp_wire_set_cut(w->wire, d, false);
		}
	}
	if (sim->grab_until != 0 && now >= sim->grab_until)
		give_back();
}

void
scenario_events(void)
{
	end_events(sim->now);
	if (!sim->healing && sim->set.hooks != NULL && sim->set.hooks->round != NULL)
		sim->set.hooks->round();
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
	end_events(TP_NEVER);
	sim->deaf_until = 0;
	for (unsigned int i = 0; i < TP_MAX_MEMBERS; i++) {
		sim->actor[i].hang_pending = false;
		if (sim->actor[i].hang_until != 0)
			sim->actor[i].hang_until = sim->now;
	}
}

uint64_t
scenario_next(void)
{
	return sim->healing ? TP_NEVER : RTE_MIN(sim->next_event, sim->next_command);
}
