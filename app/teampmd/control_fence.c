/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* A lcore that hangs. It loses its role by the epoch alone, and its buckets by the map. Only if
 * somebody waits for it must it be frozen: then whatever it holds is taken from it, and it never runs
 * again. A lcore that was merely late is readmitted when it obeys its newest role word.
 */

#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "control_int.h"

#define FREEZE_SIGNAL SIGUSR1
/* Freezing is for good, and what blocks in the kernel (a file's writeback under net_pcap) mostly
 * comes back: it is given a while.
 */
#define GRACE_NS (300 * TP_NS_PER_MS)
#define FREEZE_NS (200 * TP_NS_PER_MS)

static _Thread_local struct worker *frozen_self;

static void
on_freeze(int sig)
{
	(void)sig;
	if (frozen_self == NULL)
		return;
	atomic_store_explicit(&frozen_self->frozen, true, memory_order_release);
	for (;;)
		pause();
}

void
control_fence_install(void)
{
	struct sigaction sa = { .sa_handler = on_freeze };

	sigaction(FREEZE_SIGNAL, &sa, NULL);
}

void
worker_freezable(struct worker *w)
{
	frozen_self = w;
}

/* Does anybody wait for what this lcore alone can give: a guard, or word that it left its port? */
static bool
is_waited_for(const struct control *c, const struct slot *s)
{
	struct tp_host_info info;

	tp_host_info(c->daemon->host, &info);
	/* Its connections can only go on elsewhere when it surely does not touch them. */
	if (c->daemon->toe != NULL && tp_toe_nb_conns(c->daemon->toe, slot_id(c, s)) > 0)
		return true;
	return info.holder == slot_id(c, s) || !control_halted(s) ||
	       (atomic_load_explicit(&s->member->tx_guard, memory_order_acquire) & TP_TXG_BUSY);
}

static void
fence_begin(struct control *c, struct slot *s, uint64_t now)
{
	uint64_t role = tp_role_word(false, c->epoch, ++c->role_seq);

	control_event(c, now, "port %u (%s): lcore %u hangs, fenced", s->port.port_id, s->port.name,
	                s->worker->lcore_id);
	atomic_store_explicit(&s->member->role, role, memory_order_release);
	tp_team_fence(&c->team, slot_id(c, s), true, now);
	s->fence = FENCE_SOFT;
	s->fence_due = now + (c->daemon->grace_ns != 0 ? c->daemon->grace_ns : GRACE_NS);
}

static void
fence_end(struct control *c, struct slot *s, uint64_t now)
{
	uint64_t role = atomic_load_explicit(&s->member->role, memory_order_relaxed);

	if (s->hung || atomic_load_explicit(&s->member->seen, memory_order_acquire) !=
	                                TP_ROLE_SEQ(role))
		return;
	control_event(c, now, "port %u (%s): lcore %u is back", s->port.port_id, s->port.name,
	                s->worker->lcore_id);
	tp_team_fence(&c->team, slot_id(c, s), false, now);
	s->fence = FENCE_NONE;
}

static void
freeze(struct control *c, struct slot *s, uint64_t now)
{
	pid_t tid = atomic_load_explicit(&s->worker->tid, memory_order_acquire);

	syscall(SYS_tgkill, getpid(), tid, FREEZE_SIGNAL);
	control_event(c, now, "port %u (%s): lcore %u holds up others, freezing it",
	                s->port.port_id, s->port.name, s->worker->lcore_id);
	s->fence = FENCE_FREEZING;
	s->fence_due = now + FREEZE_NS;
}

/* Frozen in the middle of a burst its egress may be torn: what it held is lost, and counted. */
static void
take_over(struct control *c, struct slot *s, uint64_t now)
{
	struct tp_member *m = s->member;

	tp_host_evict(c->daemon->host, slot_id(c, s));
	tp_fabric_mend(c->daemon->fabric, slot_id(c, s));
	if (atomic_load_explicit(&m->tx_guard, memory_order_acquire) & TP_TXG_BUSY) {
		c->ctr.drop[TP_DROP_TX_PORT_STOPPED] += m->egress.nb_hold;
		m->egress.nb_hold = 0;
		atomic_fetch_and_explicit(&m->tx_guard, ~TP_TXG_BUSY, memory_order_release);
	}
	rte_rcu_qsbr_thread_offline(c->daemon->qsbr, m->id);
	rte_rcu_qsbr_thread_unregister(c->daemon->qsbr, m->id);
	if (c->daemon->toe != NULL)
		tp_toe_fence(c->daemon->toe, m->id);
	control_event(c, now, "port %u (%s): lcore %u is frozen", s->port.port_id, s->port.name,
	                s->worker->lcore_id);
	s->fence = FENCE_FROZEN;
}

void
control_fence(struct control *c, struct slot *s, uint64_t now)
{
	switch (s->fence) {
	case FENCE_NONE:
		if (unlikely(s->hung))
			fence_begin(c, s, now);
		break;
	case FENCE_SOFT:
		if (now >= s->fence_due && s->hung && is_waited_for(c, s))
			freeze(c, s, now);
		else
			fence_end(c, s, now);
		break;
	case FENCE_FREEZING:
		if (atomic_load_explicit(&s->worker->frozen, memory_order_acquire)) {
			take_over(c, s, now);
		} else if (now >= s->fence_due) {
			control_event(c, now, "lcore %u does not freeze: giving up",
			                s->worker->lcore_id);
			s->fence_due = TP_NEVER;
			c->gave_up = true;
			atomic_store(&c->daemon->exit_code, EXIT_FAILURE);
			atomic_store(&c->daemon->quit, true);
		}
		break;
	case FENCE_FROZEN:
		break;
	}
}
