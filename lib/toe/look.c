/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Looking from outside: every shard fills in what it has, a slice a turn, so that nobody reads
 * what another lcore writes.
 */

#include <errno.h>
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

/* Give it to a shard. @return -ENODEV: it is not there; -EBUSY: somebody else's is there */
static int
hand_over(struct tp_toe *toe, uint8_t member, struct snapshot *snap)
{
	struct snapshot *none = NULL;
	struct tp_toe_shard *s;
	int rc = -ENODEV;

	pthread_mutex_lock(&toe->tally->lock);
	s = shard_alive(toe, member);
	if (s != NULL)
		rc = atomic_compare_exchange_strong(&s->snapshot, &none, snap) ? 0 : -EBUSY;
	pthread_mutex_unlock(&toe->tally->lock);
	return rc;
}

/* @return what the shard said, to be released; NULL: it does not answer */
static struct snapshot *
ask(struct tp_toe *toe, uint8_t member,
                bool (*filter)(const struct tp_toe_conn_info *info, void *arg), void *arg,
                uint32_t max)
{
	struct snapshot *snap;
	uint64_t end = tp_clock_now() + PATIENCE_NS;
	int rc;

	snap = calloc(1, sizeof(*snap) + max * sizeof(snap->info[0]));
	if (snap == NULL)
		return NULL;
	snap->filter = filter;
	snap->arg = arg;
	snap->max = max;
	atomic_init(&snap->refs, 2);
	while ((rc = hand_over(toe, member, snap)) != 0) {
		if (rc != -EBUSY || tp_clock_now() > end) {
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
		struct snapshot *snap = NULL;

		if (shard_alive(toe, i) != NULL)
			snap = ask(toe, i, filter, arg, max - nb);
		if (snap == NULL)
			continue;
		memcpy(&info[nb], snap->info, snap->nb * sizeof(info[0]));
		nb += snap->nb;
		*total += snap->total;
		snapshot_release(snap);
	}
	return nb;
}

/* ---- sums, those of shards that are no more included ---------------------------- */

struct tally *
tally_create(void)
{
	struct tally *tally = calloc(1, sizeof(*tally));

	if (tally != NULL)
		pthread_mutex_init(&tally->lock, NULL);
	return tally;
}

void
tally_free(struct tally *tally)
{
	if (tally == NULL)
		return;
	pthread_mutex_destroy(&tally->lock);
	free(tally);
}

static void
add(uint64_t *sum, const uint64_t *of, unsigned int nb)
{
	for (unsigned int k = 0; k < nb; k++)
		sum[k] += of[k];
}

static void
pauses_add(struct tp_toe_pauses *sum, const struct tp_toe_pauses *of)
{
	for (unsigned int k = 0; k < TP_TOE_NB_STEPS; k++) {
		sum->pause_us[k] += of->pause_us[k];
		sum->held[k] += of->held[k];
	}
	if (of->last_ns >= sum->last_ns) {
		sum->last_ns = of->last_ns;
		sum->pause_last_us = of->pause_last_us;
	}
	sum->pause_max_us = RTE_MAX(sum->pause_max_us, of->pause_max_us);
	sum->held_max = RTE_MAX(sum->held_max, of->held_max);
}

void
shard_hide(struct tp_toe_shard *s)
{
	struct tp_toe *toe = s->toe;
	struct tally *tally = toe->tally;
	struct snapshot *snap;

	pthread_mutex_lock(&tally->lock);
	add(tally->ctr, s->ctr, TP_TOE_NB_COUNTERS);
	add(tally->mib, s->env.mib, TP_TCP_NB_MIB);
	add(tally->inet_mib, tp_inet_worker_mib(s->inet), TP_INET_NB_MIB);
	add(tally->ended_by, s->ended_by, TP_TCP_NB_REASONS);
	add(tally->accepted, s->accepted, MAX_LISTENERS);
	pauses_add(&tally->pauses, &s->pauses);
	snap = atomic_exchange(&s->snapshot, NULL);
	atomic_store(&toe->shard[s->member], NULL);
	/* Those that others took were not counted out. */
	atomic_store_explicit(&toe->conns[s->member].nb, 0, memory_order_relaxed);
	pthread_mutex_unlock(&tally->lock);
	if (snap == NULL)
		return;
	atomic_store_explicit(&snap->done, true, memory_order_release);
	snapshot_release(snap);
}

/* With the lock: shards stay. */
#define FOREACH_SHARD(toe, i, s)                                                                   \
	for (uint8_t i = 0; i < TP_MAX_MEMBERS; i++)                                               \
		for (const struct tp_toe_shard *s = shard_of(toe, i); s != NULL; s = NULL)

void
tp_toe_counters(const struct tp_toe *toe, uint64_t counters[TP_TOE_NB_COUNTERS],
                uint64_t mib[TP_TCP_NB_MIB])
{
	pthread_mutex_lock(&toe->tally->lock);
	memcpy(counters, toe->tally->ctr, sizeof(toe->tally->ctr));
	memcpy(mib, toe->tally->mib, sizeof(toe->tally->mib));
	FOREACH_SHARD(toe, i, s)
	{
		add(counters, s->ctr, TP_TOE_NB_COUNTERS);
		add(mib, s->env.mib, TP_TCP_NB_MIB);
	}
	pthread_mutex_unlock(&toe->tally->lock);
}

void
tp_toe_inet_mib(const struct tp_toe *toe, uint64_t mib[TP_INET_NB_MIB])
{
	pthread_mutex_lock(&toe->tally->lock);
	memcpy(mib, toe->tally->inet_mib, sizeof(toe->tally->inet_mib));
	FOREACH_SHARD(toe, i, s)
	add(mib, tp_inet_worker_mib(s->inet), TP_INET_NB_MIB);
	pthread_mutex_unlock(&toe->tally->lock);
}

void
tp_toe_ends(const struct tp_toe *toe, uint64_t ends[TP_TCP_NB_REASONS])
{
	pthread_mutex_lock(&toe->tally->lock);
	memcpy(ends, toe->tally->ended_by, sizeof(toe->tally->ended_by));
	FOREACH_SHARD(toe, i, s)
	add(ends, s->ended_by, TP_TCP_NB_REASONS);
	pthread_mutex_unlock(&toe->tally->lock);
}

void
tp_toe_get_pauses(const struct tp_toe *toe, struct tp_toe_pauses *sum)
{
	pthread_mutex_lock(&toe->tally->lock);
	*sum = toe->tally->pauses;
	FOREACH_SHARD(toe, i, s)
	pauses_add(sum, &s->pauses);
	pthread_mutex_unlock(&toe->tally->lock);
}

uint32_t
tp_toe_nb_conns(const struct tp_toe *toe, uint8_t member)
{
	if (member >= TP_MAX_MEMBERS)
		return 0;
	return atomic_load_explicit(&toe->conns[member].nb, memory_order_relaxed);
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
