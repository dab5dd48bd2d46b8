/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* The daemon's own functions, seen on their way from one source file to another (ld --wrap): here
 * steps stop in the middle, and here it shows who is where.
 */

#include <semaphore.h>

#include "host_int.h"
#include "sim.h"

/* ld goes by names alone: a wrapper that was left behind when a function got another parameter
 * would hand it garbage.
 */
#define SAME_TYPE(name)                                                                            \
	static_assert(__builtin_types_compatible_p(__typeof__(name), __typeof__(__real_##name)),   \
	                #name " is not declared like that")

/* ld resolves these two names of each wrapped function. */
#define WRAP(type, name, ...)                                                                      \
	type __real_##name(__VA_ARGS__);                                                           \
	SAME_TYPE(name);                                                                           \
	type __wrap_##name(__VA_ARGS__);                                                           \
	type __wrap_##name(__VA_ARGS__)

static inline bool
watching(void)
{
	return sim != NULL && sim->running != NULL;
}

/* ---- never two inside ------------------------------------------------------------ */

/* Members that lose all at once when this distribution comes into force (host_apply.c). */
static uint32_t
losers(const struct tp_dist *old, const struct tp_dist *next)
{
	if (old == NULL || old->mode != next->mode || old->nb_buckets != next->nb_buckets ||
	                old->flow != next->flow || (!next->lazy && old->active != next->active))
		return UINT32_MAX;
	return old->alive_mask & ~next->alive_mask;
}

WRAP(void, host_apply, struct tp_host *h, struct tp_member *m, uint64_t now)
{
	struct tp_dist *old = h->dist;
	uint8_t me;

	if (!watching()) {
		__real_host_apply(h, m, now);
		return;
	}
	me = sim_actor_id(sim->running);
	if (sim->inside != ACTOR_NONE)
		sim_fail("actor %u enters the host port while actor %u is inside", me, sim->inside);
	sim->inside = me;
	sim_point();
	__real_host_apply(h, m, now);
	if (h->dist != old)
		ledger_moved(losers(old, h->dist));
	sim_point();
}

WRAP(uint16_t, host_hand_out, struct tp_host *h, struct tp_member *me, uint64_t now)
{
	uint16_t n;

	if (!watching())
		return __real_host_hand_out(h, me, now);
	ledger_hand_out(h);
	sim_point();
	sim->handing_out = true;
	n = __real_host_hand_out(h, me, now);
	sim->handing_out = false;
	return n;
}

WRAP(void, host_distribute, struct tp_host *h, struct tp_member *me, struct rte_mbuf **pkts,
                uint16_t nb_pkts, uint64_t flags, uint64_t now)
{
	if (watching())
		sim_point();
	__real_host_distribute(h, me, pkts, nb_pkts, flags, now);
	if (!watching())
		return;
	ledger_distributed();
	sim_point();
}

WRAP(unsigned int, tp_host_step, struct tp_host *h, struct tp_member *me, uint64_t now)
{
	unsigned int n;

	if (watching())
		sim_point();
	n = __real_tp_host_step(h, me, now);
	if (watching()) {
		if (sim->inside == sim_actor_id(sim->running))
			sim->inside = ACTOR_NONE;
		sim_point();
	}
	return n;
}

WRAP(bool, tp_host_evict, struct tp_host *h, uint8_t member)
{
	bool was_inside = __real_tp_host_evict(h, member);

	if (watching() && was_inside) {
		sim->inside = ACTOR_NONE;
		sim->handing_out = false;
		ledger_distributed();
	}
	return was_inside;
}

WRAP(int, tp_host_set_port, struct tp_host *h, uint16_t port_id, uint64_t tx_offloads,
                struct rte_mempool *pool, struct rte_mempool *pool_indirect)
{
	if (watching() && sim->inside != ACTOR_NONE)
		sim_fail("the host port is changed while actor %u is inside", sim->inside);
	return __real_tp_host_set_port(h, port_id, tx_offloads, pool, pool_indirect);
}

/* ---- never two at a member's egress ------------------------------------------------- */

static unsigned int
egress_index(const struct tp_egress *eg)
{
	const struct control *c = &sim->d.control;

	for (unsigned int i = 0; i < TP_MAX_MEMBERS; i++)
		if (c->slot[i].member != NULL && &c->slot[i].member->egress == eg)
			return i;
	return TP_MAX_MEMBERS;
}

/* @return who was there before: ACTOR_NONE, or the same actor */
static uint8_t
egress_enter(const struct tp_egress *eg, unsigned int *index)
{
	uint8_t me = sim_actor_id(sim->running), was;

	*index = egress_index(eg);
	was = sim->at_egress[*index];
	if (was != ACTOR_NONE && was != me)
		sim_fail("actor %u works at egress %u while actor %u does", me, *index, was);
	if (*index == TP_MAX_MEMBERS && sim->inside != me)
		sim_fail("actor %u sends to the host without being inside", me);
	sim->at_egress[*index] = me;
	sim_point();
	return was;
}

static void
egress_leave(unsigned int index, uint8_t was)
{
	sim_point();
	sim->at_egress[index] = was;
}

WRAP(uint16_t, tp_egress_burst, struct tp_egress *eg, struct rte_mbuf **pkts, uint16_t nb_pkts)
{
	unsigned int index;
	uint16_t n;
	uint8_t was;

	if (!watching())
		return __real_tp_egress_burst(eg, pkts, nb_pkts);
	was = egress_enter(eg, &index);
	n = __real_tp_egress_burst(eg, pkts, nb_pkts);
	egress_leave(index, was);
	return n;
}

WRAP(uint16_t, tp_egress_flush, struct tp_egress *eg)
{
	unsigned int index;
	uint16_t n;
	uint8_t was;

	if (!watching())
		return __real_tp_egress_flush(eg);
	was = egress_enter(eg, &index);
	n = __real_tp_egress_flush(eg);
	egress_leave(index, was);
	return n;
}

WRAP(uint16_t, tp_egress_take_back, struct tp_egress *eg, struct rte_mbuf **pkts)
{
	unsigned int index;
	uint16_t n;
	uint8_t was;

	if (!watching() || egress_index(eg) == TP_MAX_MEMBERS)
		return __real_tp_egress_take_back(eg, pkts);
	was = egress_enter(eg, &index);
	n = __real_tp_egress_take_back(eg, pkts);
	egress_leave(index, was);
	return n;
}

/* A port that is closed or changed is left alone by its lcore. */
static void
check_port_free(const struct port *p, const char *what)
{
	for (unsigned int i = 0; i < TP_MAX_MEMBERS && watching(); i++) {
		const struct slot *s = &sim->d.control.slot[i];

		if (s->used && s->port.port_id == p->port_id && sim->at_egress[i] != ACTOR_NONE &&
		                s->fence != FENCE_FROZEN)
			sim_fail("port %u is %s while actor %u sends by it", p->port_id, what,
			                sim->at_egress[i]);
	}
}

WRAP(void, port_close, struct port *p, bool close_dev)
{
	check_port_free(p, "closed");
	__real_port_close(p, close_dev);
}

WRAP(int, port_set_mtu, struct port *p, uint16_t mtu, struct error_text *err)
{
	check_port_free(p, "given an MTU");
	return __real_port_set_mtu(p, mtu, err);
}

/* ---- drops, and counters of members that leave ------------------------------------------ */

WRAP(void, tp_drop_burst, struct tp_counters *ctr, enum tp_drop reason, struct rte_mbuf **pkts,
                uint16_t nb_pkts)
{
	if (sim != NULL)
		ledger_drop(reason, pkts, nb_pkts);
	__real_tp_drop_burst(ctr, reason, pkts, nb_pkts);
}

WRAP(void, tp_member_purge, struct tp_member *me)
{
	__real_tp_member_purge(me);
	if (sim != NULL)
		sim->last[me->id] = me->ctr;
}

WRAP(void, tp_host_asked, struct tp_member *me, const struct rte_mbuf *m,
                const struct tp_pkt_info *info, uint64_t now)
{
	__real_tp_host_asked(me, m, info, now);
	if (watching())
		ledger_asked(me, m);
}

WRAP(void, tp_host_set_member, struct tp_host *h, uint8_t id, struct tp_member *member)
{
	const struct tp_member *was = atomic_load(&h->member[id]);

	if (watching())
		sim_point();
	__real_tp_host_set_member(h, id, member);
	if (sim != NULL && (member != NULL || was != NULL))
		ledger_forget_asked(member != NULL ? member->port_id : was->port_id);
	if (watching())
		sim_point();
}

WRAP(void, tp_team_poll, struct tp_team *team, uint64_t now, struct tp_team_actions *act)
{
	if (watching())
		sim_point();
	__real_tp_team_poll(team, now, act);
	if (!watching())
		return;
	if (act->what & TP_TEAM_ACT_PRIMARY) {
		bool owes = act->primary != TP_MEMBER_NONE && team->conf.num_peer_notif > 0 &&
		            peers_host_is_known();

		sim->announce_owed = owes ? sim->now : 0;
		sim->announce_by = act->primary;
	}
	sim_point();
}

/* ---- mere points at which a step may stop ------------------------------------------------ */

#define POINT_VOID(name, params, args)                                                             \
	void __real_##name params;                                                                 \
	SAME_TYPE(name);                                                                           \
	void __wrap_##name params;                                                                 \
	void __wrap_##name params                                                                  \
	{                                                                                          \
		if (watching())                                                                    \
			sim_point();                                                               \
		__real_##name args;                                                                \
		if (watching())                                                                    \
			sim_point();                                                               \
	}

#define POINT(type, name, params, args)                                                            \
	type __real_##name params;                                                                 \
	SAME_TYPE(name);                                                                           \
	type __wrap_##name params;                                                                 \
	type __wrap_##name params                                                                  \
	{                                                                                          \
		type r;                                                                            \
                                                                                                   \
		if (watching())                                                                    \
			sim_point();                                                               \
		r = __real_##name args;                                                            \
		if (watching())                                                                    \
			sim_point();                                                               \
		return r;                                                                          \
	}

POINT_VOID(tp_pkt_parse_burst,
                (struct rte_mbuf *const *pkts, uint16_t nb_pkts, struct tp_pkt_info *info),
                (pkts, nb_pkts, info))
POINT_VOID(tp_host_input, (struct tp_member * me, struct rte_mbuf **pkts, uint16_t nb_pkts),
                (me, pkts, nb_pkts))
POINT(unsigned int, tp_member_transmit, (struct tp_member * me, uint16_t burst), (me, burst))
POINT(uint16_t, tp_fabric_send,
                (struct rte_ring * ring, struct rte_mbuf **pkts, uint16_t nb_pkts,
                                struct tp_counters *ctr, enum tp_drop reason),
                (ring, pkts, nb_pkts, ctr, reason))
POINT(uint64_t, tp_flow_hash_burst,
                (const struct tp_flow *flow, struct rte_mbuf **pkts, uint16_t nb_pkts,
                                uint32_t *hash),
                (flow, pkts, nb_pkts, hash))
POINT(uint32_t, tp_host_raise, (struct tp_host * h), (h))
POINT(struct tp_dist *, tp_host_spare, (struct tp_host * h, bool nobody), (h, nobody))
POINT_VOID(tp_host_publish, (struct tp_host * h, struct tp_dist *dist), (h, dist))
POINT_VOID(tp_host_info, (const struct tp_host *h, struct tp_host_info *info), (h, info))

/* ---- other threads' answers ---------------------------------------------------------------- */

/* The front waits for control: the one thread that there is must go on. */
WRAP(int, sem_wait, sem_t *sem)
{
	if (!watching() || fiber_current == NULL)
		return __real_sem_wait(sem);
	while (sem_trywait(sem) != 0)
		fiber_yield();
	return 0;
}
