/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* The loops around the steps, and what a lcore does with an idle turn. */

#include <sched.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_lcore.h>
#include <rte_pause.h>

#include "control_int.h"

/* Idle turns before a sleeper gives up its CPU: long enough to ride out the gaps inside a burst. */
#define IDLE_TURNS 64
/* Asked for; the kernel's timer slack makes it about 60 us. */
#define IDLE_SLEEP_NS 10000

const char *const idle_names[NB_IDLE_POLICIES] = { "auto", "poll", "pause", "sleep" };

/* CPU's affinity of a lcore, compared by what the kernel would run it on. */
static bool
shares_cpu(unsigned int a, unsigned int b)
{
	rte_cpuset_t cpus = rte_lcore_cpuset(a), other = rte_lcore_cpuset(b);

	RTE_CPU_AND(&cpus, &cpus, &other);
	return CPU_COUNT(&cpus) > 0;
}

uint8_t
idle_decide(const struct daemon *d, unsigned int lcore_id)
{
	unsigned int nb_cpus = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned int nb_lcores = 1;
	bool shared = lcore_id != rte_get_main_lcore() &&
	              shares_cpu(lcore_id, rte_get_main_lcore());

	if (d->opt.idle != IDLE_AUTO)
		return d->opt.idle;
	for (uint8_t i = 0; i < TP_MAX_MEMBERS; i++) {
		const struct slot *s = &d->control.slot[i];

		if (!s->used)
			continue;
		nb_lcores++;
		if (d->worker[i].lcore_id != lcore_id &&
		                shares_cpu(lcore_id, d->worker[i].lcore_id))
			shared = true;
	}
	/* With a lcore on every CPU nobody else, the kernel's network stack included, would run. */
	return shared || nb_lcores >= nb_cpus ? IDLE_SLEEP : IDLE_POLL;
}

/** @param turns idle turns so far. @return true if the CPU was given up */
static bool
idle_turn(uint8_t policy, unsigned int turns)
{
	struct timespec ts = { .tv_nsec = IDLE_SLEEP_NS };

	if (policy == IDLE_POLL)
		return false;
	if (policy == IDLE_PAUSE || turns < IDLE_TURNS) {
		rte_pause();
		return false;
	}
	nanosleep(&ts, NULL);
	return true;
}

/** Account for one turn that began at start. @return the end, where the next one begins */
static uint64_t
load_account(struct tp_load *load, uint64_t start, unsigned int work)
{
	uint64_t end = rte_rdtsc();

	load->loops++;
	load->total_cycles += end - start;
	if (unlikely(end - start > load->longest_cycles))
		load->longest_cycles = end - start;
	if (work > 0) {
		load->busy_loops++;
		load->busy_cycles += end - start;
	}
	return end;
}

/* A sleeper must not hold up whoever waits for readers: offline it is none. */
static void
worker_idle(struct worker *w, struct tp_load *load, unsigned int turns)
{
	struct rte_rcu_qsbr *qsbr = w->daemon->qsbr;

	if (w->idle != IDLE_SLEEP || turns < IDLE_TURNS) {
		idle_turn(w->idle, turns);
		return;
	}
	rte_rcu_qsbr_thread_offline(qsbr, w->member->id);
	load->sleeps += idle_turn(w->idle, turns);
	rte_rcu_qsbr_thread_online(qsbr, w->member->id);
}

int
worker_main(void *arg)
{
	struct worker *w = arg;
	struct tp_load *load = &w->member->load;
	unsigned int turns = 0, n;
	uint64_t start;

	atomic_store_explicit(&w->tid, rte_sys_gettid(), memory_order_release);
	worker_freezable(w);
	rte_rcu_qsbr_thread_register(w->daemon->qsbr, w->member->id);
	rte_rcu_qsbr_thread_online(w->daemon->qsbr, w->member->id);
	atomic_store_explicit(&w->active, true, memory_order_release);
	start = rte_rdtsc();
	while (atomic_load_explicit(&w->run, memory_order_acquire)) {
		n = tp_worker_step(w, tp_clock_now());
		rte_rcu_qsbr_quiescent(w->daemon->qsbr, w->member->id);
		turns = n > 0 ? 0 : turns + 1;
		if (turns > 0)
			worker_idle(w, load, turns);
		start = load_account(load, start, n);
	}
	rte_rcu_qsbr_thread_offline(w->daemon->qsbr, w->member->id);
	rte_rcu_qsbr_thread_unregister(w->daemon->qsbr, w->member->id);
	atomic_store_explicit(&w->active, false, memory_order_release);
	return 0;
}

/* A frozen lcore will not beat again and the team does without it: no reason to restart. */
static void
feed_watchdog(struct control *c, uint64_t now)
{
	uint64_t hearts[NOTIFY_HEARTS];

	if (likely(now < c->notify.due))
		return;
	for (unsigned int i = 0; i < NOTIFY_HEARTS; i++)
		hearts[i] = NOTIFY_NO_HEART;
	hearts[TP_MAX_MEMBERS] = c->load.loops;
	FOREACH_SLOT(c, s) {
		if (s->fence != FENCE_FROZEN)
			hearts[slot_id(c, s)] = atomic_load_explicit(
			                &s->member->heart, memory_order_relaxed);
	}
	notify_feed(&c->notify, hearts, now);
}

void
control_loop(struct daemon *d)
{
	struct control *c = &d->control;
	unsigned int turns = 0, n;
	uint64_t now, start = rte_rdtsc();

	notify_send(&c->notify, "READY=1");
	while (!atomic_load_explicit(&d->quit, memory_order_acquire)) {
		now = tp_clock_now();
		n = tp_control_step(c, now);
		feed_watchdog(c, now);
		turns = n > 0 ? 0 : turns + 1;
		if (turns > 0)
			c->load.sleeps += idle_turn(c->idle, turns);
		start = load_account(&c->load, start, n);
	}
	notify_send(&c->notify, "STOPPING=1");
}
