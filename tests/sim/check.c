/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* When nothing bad has happened for a while and nobody sends any more. */

#include "control_int.h"
#include "sim.h"
#include "wire_int.h"

#define MAX_PROBES UINT64_C(4)

/* ---- the team has settled ------------------------------------------------------- */

static void
check_members(const struct control *c)
{
	FOREACH_SLOT(c, s) {
		const struct tp_team_member *m = &c->team.member[slot_id(c, s)];
		bool want = c->running && !s->forced_down && s->fence == FENCE_NONE;

		if (s->fence != FENCE_NONE && s->fence != FENCE_FROZEN)
			sim_fail("member %u stays fenced", slot_id(c, s));
		if (m->distributing != want)
			sim_fail("member %u: distributing %u, expected %u (link %u, watches %#x "
			         "down, enabled %u, fenced %u, parked %u, port %u/%u)",
			                slot_id(c, s), m->distributing, want, m->link,
			                tp_link_verdict(s->link).down, m->enabled, m->fenced,
			                s->parked, atomic_load(&s->member->port_req),
			                atomic_load(&s->member->port_ack));
		if (s->fence == FENCE_NONE && s->parked)
			sim_fail("member %u stays parked", slot_id(c, s));
	}
}

static void
check_primary(const struct control *c)
{
	struct tp_host_info info;
	uint32_t nb_primaries = 0;

	tp_host_info(c->daemon->host, &info);
	if (c->primary != c->team.primary || c->primary != tp_team_elect(&c->team))
		sim_fail("primary is %u, the engine says %u, an election would say %u", c->primary,
		                c->team.primary, tp_team_elect(&c->team));
	FOREACH_SLOT(c, s)
		nb_primaries += (atomic_load(&s->member->role) & TP_ROLE_PRIMARY) != 0;
	if (nb_primaries != (c->primary != TP_MEMBER_NONE))
		sim_fail("%u role words say primary", nb_primaries);
	if (info.holder != TP_MEMBER_NONE)
		sim_fail("member %u is still inside the host port", info.holder);
	if (c->primary == TP_MEMBER_NONE)
		return;
	if (c->dist_dirty || info.version != info.published)
		sim_fail("distribution %u is in force, %u was published", info.version,
		                info.published);
	if (info.nb_stash != 0 || info.nb_lazy != 0)
		sim_fail("%u frames in the stash, %u buckets still to move", info.nb_stash,
		                info.nb_lazy);
}

/* Shares by weight, to one bucket. */
static void
check_map(const struct control *c)
{
	uint32_t count[TP_MAX_MEMBERS + 1] = { 0 }, weights = 0, nb;
	const uint8_t *map = tp_host_map(c->daemon->host, &nb);

	if (c->primary == TP_MEMBER_NONE || !tp_modes[c->team.conf.mode].map)
		return;
	for (uint32_t b = 0; b < nb; b++)
		count[RTE_MIN(map[b], TP_MAX_MEMBERS)]++;
	if (nb != c->team.conf.nb_buckets || count[TP_MAX_MEMBERS] != 0)
		sim_fail("%u of %u buckets have no member", count[TP_MAX_MEMBERS], nb);
	FOREACH_SLOT(c, s)
		if (c->team.member[slot_id(c, s)].distributing)
			weights += c->team.member[slot_id(c, s)].conf.weight;
	for (uint8_t i = 0; i < TP_MAX_MEMBERS && weights > 0; i++) {
		const struct tp_team_member *m = &c->team.member[i];
		uint64_t fair = (uint64_t)nb * m->conf.weight;

		if (!m->distributing && count[i] > 0)
			sim_fail("member %u does not distribute and has %u buckets", i, count[i]);
		if (!m->distributing || c->team.conf.mode == TP_MODE_LOAD)
			continue;
		if ((uint64_t)(count[i] + SIM_MAX_WIRES) * weights < fair ||
		                (uint64_t)count[i] * weights > fair + SIM_MAX_WIRES * weights)
			sim_fail("member %u has %u of %u buckets, weight %u of %u", i, count[i], nb,
			                m->conf.weight, weights);
	}
}

/* Unless one of the daemon's own frames was lost since, or there was no memory for it. */
static void
check_announced(void)
{
	if (sim->announce_owed != 0 && sim->own_lost_at < sim->announce_owed && sim->nb_frozen == 0)
		sim_fail("primary %u, since %" PRIu64 " us, has not announced the host's address",
		                sim->announce_by, (sim->announce_owed - sim->t0) / TP_NS_PER_US);
}

void
check_settled(void)
{
	const struct control *c = &sim->d.control;

	check_announced();
	check_members(c);
	check_primary(c);
	check_map(c);
	FOREACH_SLOT(c, s)
		if (atomic_load(&s->member->tx_guard) != 0)
			sim_fail("Tx guard of member %u is %u", slot_id(c, s),
			                atomic_load(&s->member->tx_guard));
}

/* ---- the daemon's own counters against the ledger ---------------------------------- */

void
check_counters(void)
{
	const struct control *c = &sim->d.control;
	const struct ledger *l = &sim->ledger;
	uint64_t drop[TP_NB_DROPS], sum[TP_NB_COUNTERS];

	if (sim->nb_frozen > 0)
		return;
	for (unsigned int i = 0; i < TP_NB_DROPS; i++)
		drop[i] = sim->gone[i] + c->ctr.drop[i];
	for (unsigned int i = 0; i < TP_NB_COUNTERS; i++)
		sum[i] = sim->gone_c[i];
	FOREACH_SLOT(c, s) {
		for (unsigned int i = 0; i < TP_NB_DROPS; i++)
			drop[i] += s->member->ctr.drop[i];
		for (unsigned int i = 0; i < TP_NB_COUNTERS; i++)
			sum[i] += s->member->ctr.c[i];
	}
	for (unsigned int i = 0; i < TP_NB_DROPS; i++)
		if (drop[i] != l->by_reason[i] && i != TP_DROP_CTL_UNHANDLED)
			sim_fail("counters say %" PRIu64 " drops %s, %" PRIu64 " were made",
			                drop[i], tp_drop_name(i), l->by_reason[i]);
	if (sum[TP_C_HOST_RX] != l->in[0] + l->bad_in[0])
		sim_fail("counters say %" PRIu64 " frames read from the host, it was %" PRIu64,
		                sum[TP_C_HOST_RX], l->in[0] + l->bad_in[0]);
	if (sum[TP_C_HOST_TX] != l->out[1] + l->bad_out[1])
		sim_fail("counters say %" PRIu64 " frames sent to the host, it was %" PRIu64,
		                sum[TP_C_HOST_TX], l->out[1] + l->bad_out[1]);
	if (sum[TP_C_TX_PACKETS] != l->out[0] + l->bad_out[0] + l->other_out)
		sim_fail("counters say %" PRIu64 " frames sent by members, it was %" PRIu64,
		                sum[TP_C_TX_PACKETS], l->out[0] + l->bad_out[0] + l->other_out);
}

/* ---- no mbuf is missing -------------------------------------------------------------- */

/* Probes, and copies of neighbours' frames, may be on their way to or from control. */
static uint64_t
nb_on_control_rings(void)
{
	const struct tp_fabric *fabric = sim->d.fabric;
	uint64_t nb = 0;

	for (unsigned int i = 0; i < TP_MAX_MEMBERS; i++) {
		if (fabric->ring[i][TP_NODE_CONTROL] == NULL)
			continue;
		nb += rte_ring_count(fabric->ring[i][TP_NODE_CONTROL]);
		nb += rte_ring_count(fabric->ring[TP_NODE_CONTROL][i]);
	}
	return nb;
}

static void
check_pool(const struct rte_mempool *mp, uint64_t in_flight)
{
	uint64_t nb = mp == NULL ? 0 : rte_mempool_in_use_count(mp);

	if (nb > in_flight + ledger_may_miss())
		sim_fail("%" PRIu64 " mbufs of pool %s are missing", nb - in_flight, mp->name);
}

/* Does anybody poll the daemon's end? */
static bool
is_polled(const struct wire_state *w)
{
	const struct slot *s = w->index == SIM_HOST_WIRE ? NULL : world_slot_of_wire(w->index);

	if (w->index == SIM_HOST_WIRE)
		return sim->d.control.primary != TP_MEMBER_NONE;
	return s == NULL || s->fence != FENCE_FROZEN;
}

/* Probes may be on their way at any time. */
uint64_t
check_in_flight(void)
{
	uint64_t nb = 0;

	for (unsigned int i = 0; i <= SIM_MAX_WIRES; i++)
		for (unsigned int d = 0; d < TP_WIRE_NB_DIRS; d++) {
			struct tp_wire_stats stats;

			if (sim->wire[i].wire == NULL || !is_polled(&sim->wire[i]))
				continue;
			tp_wire_get_stats(sim->wire[i].wire, d, &stats);
			nb += stats.in_flight - RTE_MIN(stats.in_flight, MAX_PROBES);
		}
	return nb;
}

static void
check_wire(const struct wire_state *w)
{
	for (unsigned int i = 0; i < TP_WIRE_NB_DIRS; i++) {
		struct tp_wire_stats stats;

		tp_wire_get_stats(w->wire, i, &stats);
		check_pool(w->wire->dir[i].pool, stats.in_flight);
	}
}

/* A port gives back what it has sent at its next turn: a probe of the last one is still there. */
static void
reclaim_sent(void)
{
	for (unsigned int i = 0; i <= SIM_MAX_WIRES; i++)
		for (unsigned int d = 0; d < TP_WIRE_NB_DIRS; d++)
			if (sim->wire[i].wire != NULL)
				wire_reclaim(&sim->wire[i].wire->dir[d]);
}

void
check_mbufs(void)
{
	reclaim_sent();
	check_pool(sim->d.pool[0], nb_on_control_rings());
	check_pool(sim->d.pool_indirect[0], 0);
	check_pool(sim_pool, 0);
	if (check_in_flight() > 0)
		sim_fail("%" PRIu64 " frames are still on wires", check_in_flight());
	for (unsigned int i = 0; i <= SIM_MAX_WIRES; i++)
		if (sim->wire[i].wire != NULL)
			check_wire(&sim->wire[i]);
}
