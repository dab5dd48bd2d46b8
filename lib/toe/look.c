/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Looking from outside: every shard fills in what it has, a slice a turn, so that nobody reads
 * what another lcore writes.
 */

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "toe_int.h"

/* Slots looked at in a turn. */
#define SLICE 128
/* How long a shard may take, ns: a lcore that is frozen never answers. */
#define PATIENCE_NS (2 * TP_NS_PER_S)

/* Freed by whoever lets go last: asker, or the shard that came too late. */
struct snapshot {
	bool (*filter)(const struct tp_toe_conn_info *info, void *arg);
	void *arg;
	uint32_t at; /* next slot */
	uint32_t nb, max, total;
	_Atomic bool done;
	_Atomic uint32_t refs;
	struct tp_toe_conn_info info[];
};

static void
snapshot_release(struct snapshot *snap)
{
	if (atomic_fetch_sub_explicit(&snap->refs, 1, memory_order_acq_rel) == 1)
		free(snap);
}

static void
describe(struct tp_toe_shard *s, struct tp_tcp_conn *c, struct tp_toe_conn_info *info)
{
	const struct handle *h = conn_handle(s, c);

	memset(info, 0, sizeof(*info));
	info->id = handle_id(s->toe, c->owner_word);
	info->key = h->key;
	info->member = s->member;
	info->arrival = h->arrival;
	strlcpy(info->user, user_get(s->toe, h->user)->name, sizeof(info->user));
	tp_tcp_info(c, s->now, &info->tcp);
}

unsigned int
snapshot_step(struct tp_toe_shard *s)
{
	struct snapshot *snap = atomic_load_explicit(&s->snapshot, memory_order_acquire);
	struct tp_toe_conn_info info;
	uint32_t end;

	if (likely(snap == NULL))
		return 0;
	end = RTE_MIN(snap->at + SLICE, s->nb_fresh);
	for (; snap->at < end; snap->at++) {
		struct tp_tcp_conn *c = &s->conn[snap->at];

		if (c->state == TP_TCP_CLOSED || slot_away(s, snap->at))
			continue;
		describe(s, c, &info);
		if (snap->filter != NULL && !snap->filter(&info, snap->arg))
			continue;
		snap->total++;
		if (snap->nb < snap->max)
			snap->info[snap->nb++] = info;
	}
	if (snap->at < s->nb_fresh)
		return 1;
	atomic_store_explicit(&s->snapshot, NULL, memory_order_relaxed);
	atomic_store_explicit(&snap->done, true, memory_order_release);
	snapshot_release(snap);
	return 1;
}

static void
pause_ms(void)
{
	struct timespec ts = { .tv_nsec = 200000 };

	nanosleep(&ts, NULL);
}

/* @return what the shard said, to be released; NULL: it does not answer */
static struct snapshot *
ask(struct tp_toe_shard *s, bool (*filter)(const struct tp_toe_conn_info *info, void *arg),
                void *arg, uint32_t max)
{
	struct snapshot *snap, *none = NULL;
	uint64_t end = tp_clock_now() + PATIENCE_NS;

	snap = calloc(1, sizeof(*snap) + max * sizeof(snap->info[0]));
	if (snap == NULL)
		return NULL;
	snap->filter = filter;
	snap->arg = arg;
	snap->max = max;
	atomic_init(&snap->refs, 2);
	while (!atomic_compare_exchange_strong(&s->snapshot, &none, snap)) {
		none = NULL;
		if (tp_clock_now() > end) {
			free(snap);
			return NULL;
		}
		pause_ms();
	}
	while (!atomic_load_explicit(&snap->done, memory_order_acquire)) {
		if (tp_clock_now() > end) {
			snapshot_release(snap);
			return NULL;
		}
		pause_ms();
	}
	return snap;
}

uint32_t
tp_toe_snapshot(struct tp_toe *toe, bool (*filter)(const struct tp_toe_conn_info *info, void *arg),
                void *arg, struct tp_toe_conn_info *info, uint32_t max, uint32_t *total)
{
	uint32_t nb = 0;

	*total = 0;
	for (uint8_t i = 0; i < TP_MAX_MEMBERS; i++) {
		struct tp_toe_shard *s = shard_alive(toe, i);
		struct snapshot *snap = s != NULL ? ask(s, filter, arg, max - nb) : NULL;

		if (snap == NULL)
			continue;
		memcpy(&info[nb], snap->info, snap->nb * sizeof(info[0]));
		nb += snap->nb;
		*total += snap->total;
		snapshot_release(snap);
	}
	return nb;
}

void
tp_toe_counters(const struct tp_toe *toe, uint64_t counters[TP_TOE_NB_COUNTERS],
                uint64_t mib[TP_TCP_NB_MIB])
{
	memset(counters, 0, TP_TOE_NB_COUNTERS * sizeof(counters[0]));
	memset(mib, 0, TP_TCP_NB_MIB * sizeof(mib[0]));
	for (uint8_t i = 0; i < TP_MAX_MEMBERS; i++) {
		const struct tp_toe_shard *s =
		                atomic_load_explicit(&toe->shard[i], memory_order_acquire);

		for (unsigned int k = 0; s != NULL && k < TP_TOE_NB_COUNTERS; k++)
			counters[k] += s->ctr[k];
		for (unsigned int k = 0; s != NULL && k < TP_TCP_NB_MIB; k++)
			mib[k] += s->env.mib[k];
	}
}

void
tp_toe_inet_mib(const struct tp_toe *toe, uint64_t mib[TP_INET_NB_MIB])
{
	memset(mib, 0, TP_INET_NB_MIB * sizeof(mib[0]));
	for (uint8_t i = 0; i < TP_MAX_MEMBERS; i++) {
		const struct tp_toe_shard *s =
		                atomic_load_explicit(&toe->shard[i], memory_order_acquire);

		for (unsigned int k = 0; s != NULL && k < TP_INET_NB_MIB; k++)
			mib[k] += tp_inet_worker_mib(s->inet)[k];
	}
}

void
tp_toe_ends(const struct tp_toe *toe, uint64_t ends[TP_TCP_NB_REASONS])
{
	memset(ends, 0, TP_TCP_NB_REASONS * sizeof(ends[0]));
	for (uint8_t i = 0; i < TP_MAX_MEMBERS; i++) {
		const struct tp_toe_shard *s = shard_of(toe, i);

		for (unsigned int k = 0; s != NULL && k < TP_TCP_NB_REASONS; k++)
			ends[k] += s->ended_by[k];
	}
}

void
tp_toe_get_pauses(const struct tp_toe *toe, struct tp_toe_pauses *sum)
{
	memset(sum, 0, sizeof(*sum));
	for (uint8_t i = 0; i < TP_MAX_MEMBERS; i++) {
		const struct tp_toe_shard *s = shard_of(toe, i);

		if (s == NULL)
			continue;
		for (unsigned int k = 0; k < TP_TOE_NB_STEPS; k++) {
			sum->pause_us[k] += s->pauses.pause_us[k];
			sum->held[k] += s->pauses.held[k];
		}
		if (s->pauses.last_ns >= sum->last_ns) {
			sum->last_ns = s->pauses.last_ns;
			sum->pause_last_us = s->pauses.pause_last_us;
		}
		sum->pause_max_us = RTE_MAX(sum->pause_max_us, s->pauses.pause_max_us);
		sum->held_max = RTE_MAX(sum->held_max, s->pauses.held_max);
	}
}

uint32_t
tp_toe_nb_conns(const struct tp_toe *toe, uint8_t member)
{
	const struct tp_toe_shard *s = member < TP_MAX_MEMBERS ? toe->shard[member] : NULL;

	return s != NULL ? atomic_load_explicit(&s->nb_conns, memory_order_relaxed) : 0;
}

static const struct tp_name counters[] = { TP_TOE_COUNTERS(TP_NAME_ROW) };

const char *
tp_toe_counter_name(enum tp_toe_counter counter)
{
	return TP_NAME_AT(counters, counter)->name;
}

const char *
tp_toe_counter_text(enum tp_toe_counter counter)
{
	return TP_NAME_AT(counters, counter)->text;
}
