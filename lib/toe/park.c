/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Idle connections (claim B5): one from which no segment came for idle_ns goes into a compact record of
 * control's store, on the host's NUMA node, without a word to its peer. It keeps no buffer and no timer;
 * one with keepalive on is woken by control when that is due. A segment, or a function posted for it,
 * brings it back on whatever member that comes to.
 */

#include <stdio.h>
#include <string.h>

#include <rte_malloc.h>

#include "toe_int.h"
#include "trace.h"

/* One parked connection; its key is in its handle. */
struct record {
	struct tp_tcp_parked tcp;
	void *arg;
	uint32_t handle;
	uint8_t home;          /* the member where it was */
	_Atomic uint32_t next; /* in the list of free ones */
};
static_assert(sizeof(struct record) <= 128, "goal of bench_bulk");

/* Records that there is memory for beyond those in use. */
#define RECORDS_AHEAD 32768

struct park {
	struct record *record;
	size_t bytes;
	uint32_t max;
	size_t ready; /* bytes whose pages are there; whoever calls tp_toe_prepare() */
	alignas(RTE_CACHE_LINE_SIZE) _Atomic uint64_t free; /* tag against ABA, index */
	_Atomic uint32_t nb_fresh;                          /* those never used begin here */
	alignas(RTE_CACHE_LINE_SIZE) _Atomic uint32_t nb;
};

struct park *
park_create(uint32_t nb, int socket_id)
{
	struct park *park =
	                rte_zmalloc_socket("park", sizeof(*park), RTE_CACHE_LINE_SIZE, socket_id);

	if (park == NULL)
		return NULL;
	park->max = nb;
	park->bytes = (size_t)nb * sizeof(park->record[0]);
	park->record = memory_map(park->bytes, socket_id);
	if (park->record == NULL) {
		rte_free(park);
		return NULL;
	}
	atomic_init(&park->free, NO_INDEX);
	return park;
}

void
park_free(struct park *park)
{
	if (park == NULL)
		return;
	tp_mem_unmap(park->record, park->bytes);
	rte_free(park);
}

bool
park_prepare(struct tp_toe *toe, uint32_t nb_conns,
                bool (*extend)(void *mem, size_t *ready, size_t wanted))
{
	struct park *park = toe->park;
	size_t nb = atomic_load_explicit(&park->nb_fresh, memory_order_relaxed);

	if (atomic_load_explicit(&toe->idle_ns, memory_order_relaxed) == TP_NEVER)
		return false;
	nb = RTE_MIN(nb + RTE_MIN(nb_conns, (uint32_t)RECORDS_AHEAD), (size_t)park->max);
	return extend(park->record, &park->ready, nb * sizeof(park->record[0]));
}

/* ---- records: a lock-free stack, like that of the handles ----------------------- */

static uint32_t
record_alloc(struct park *park)
{
	uint64_t old = atomic_load_explicit(&park->free, memory_order_acquire);
	uint32_t index;

	while (HEAD_INDEX(old) != NO_INDEX) {
		index = HEAD_INDEX(old);
		if (atomic_compare_exchange_weak_explicit(&park->free, &old,
		                    HEAD_NEXT(old, atomic_load_explicit(&park->record[index].next,
		                                                   memory_order_relaxed)),
		                    memory_order_acquire, memory_order_acquire))
			return index;
	}
	index = atomic_load_explicit(&park->nb_fresh, memory_order_relaxed);
	while (index < park->max) {
		if (atomic_compare_exchange_weak_explicit(&park->nb_fresh, &index, index + 1,
		                    memory_order_relaxed, memory_order_relaxed))
			return index;
	}
	return NO_INDEX;
}

static void
record_free(struct park *park, uint32_t index)
{
	uint64_t old = atomic_load_explicit(&park->free, memory_order_relaxed);

	do {
		atomic_store_explicit(
		                &park->record[index].next, HEAD_INDEX(old), memory_order_relaxed);
	} while (!atomic_compare_exchange_weak_explicit(&park->free, &old, HEAD_NEXT(old, index),
	                memory_order_release, memory_order_relaxed));
}

/* ---- in and out ------------------------------------------------------------------ */

uint64_t
park_due(const struct tp_toe_shard *s, const struct tp_tcp_conn *c)
{
	uint64_t idle = atomic_load_explicit(&s->toe->idle_ns, memory_order_relaxed);

	if (idle == TP_NEVER || !tp_tcp_parkable(c))
		return TP_NEVER;
	return tp_tcp_rcvd(c) + idle;
}

/* Control has to know when keepalive is due. @return false: it cannot be told now */
static bool
tell_control(struct tp_toe *toe, uint32_t index, uint64_t until)
{
	struct mail *mail;

	if (until == TP_NEVER)
		return true;
	mail = mail_new(toe, MAIL_PARKED, index);
	if (mail == NULL)
		return false;
	mail->until = until;
	mail_put(&toe->to_control, mail);
	return true;
}

bool
park_conn(struct tp_toe_shard *s, struct tp_tcp_conn *c)
{
	struct tp_toe *toe = s->toe;
	uint32_t index = c->owner_word, slot = conn_slot(s, c), record;
	struct handle *h = &toe->handle[index];
	uint64_t word = atomic_load_explicit(&h->word, memory_order_relaxed);
	struct record *rec;

	record = record_alloc(toe->park);
	if (record == NO_INDEX)
		return false;
	rec = &toe->park->record[record];
	tp_tcp_park(c, &rec->tcp);
	if (!tell_control(toe, index, rec->tcp.keep_ns)) {
		record_free(toe->park, record);
		return false;
	}
	working_on(s, index);
	rec->arg = *conn_arg(c);
	rec->handle = index;
	rec->home = s->member;
	tp_wheel_cancel(s->wheel, slot);
	atomic_fetch_add_explicit(&toe->park->nb, 1, memory_order_relaxed);
	/* From here on the record is all of it, should the lcore freeze (harvest.c). */
	h->where = WHERE(WHERE_PARKED, record);
	/* The owner's word, whatever its epoch: requests for it are void now. */
	while (!atomic_compare_exchange_weak(&h->word, &word,
	                word_make(WORD_GENERATION(word), WORD_EPOCH(word) + 1, HANDLE_PARK,
	                                s->member)))
		continue;
	tp_tcp_fini(&s->env, c);
	slot_free(s, slot);
	conns_count(s, -1);
	s->ctr[TP_TOE_C_PARKED]++;
	toe_trace_park(index, s->member);
	/* For a function that was posted before that, if nobody has taken it back meanwhile. One that
	 * is posted later sees the word. */
	word = atomic_load(&h->word);
	if (atomic_load(&h->posts) != NULL && may_take(s, word))
		conn_take(s, index, word);
	return true;
}

uint8_t
park_load(struct tp_toe_shard *s, const struct handle *h, uint32_t record, struct tp_tcp_conn *c)
{
	struct park *park = s->toe->park;
	struct record *rec = &park->record[record];
	uint8_t home = rec->home;

	tp_tcp_unpark(&s->env, c, &h->key, &rec->tcp, s->now);
	*conn_arg(c) = rec->arg;
	return home;
}

void
park_drop(struct tp_toe *toe, uint32_t record)
{
	record_free(toe->park, record);
	atomic_fetch_sub_explicit(&toe->park->nb, 1, memory_order_relaxed);
}

/* ---- looking ----------------------------------------------------------------------- */

uint32_t
tp_toe_nb_parked(const struct tp_toe *toe)
{
	return atomic_load_explicit(&toe->park->nb, memory_order_relaxed);
}

/* What a handle's record says, if it is parked and stays so meanwhile. */
static bool
describe(const struct tp_toe *toe, const struct handle *h, struct tp_toe_conn_info *info)
{
	uint64_t word = atomic_load_explicit(&h->word, memory_order_acquire);
	struct tp_tcp_env env = { .conf = &toe->conf.tcp, .secret = &toe->secret };
	uint64_t now = tp_clock_now();
	uint32_t where = h->where;
	struct tp_tcp_conn c;
	struct record rec;

	if (WORD_STATE(word) != HANDLE_PARK || WHERE_SHARD(where) != WHERE_PARKED ||
	                WHERE_SLOT(where) >= toe->park->max)
		return false;
	memcpy(&rec, &toe->park->record[WHERE_SLOT(where)], sizeof(rec));
	*info = (struct tp_toe_conn_info){
		.id = (uint64_t)(WORD_GENERATION(word) + 1) << 32 | (uint32_t)(h - toe->handle),
		.key = h->key,
		.member = rec.home,
		.arrival = h->arrival,
	};
	strlcpy(info->user, user_get(toe, h->user)->name, sizeof(info->user));
	tp_tcp_unpark(&env, &c, &info->key, &rec.tcp, now);
	tp_tcp_info(&c, now, &info->tcp);
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(&h->word, memory_order_relaxed) == word;
}

uint32_t
tp_toe_parked(struct tp_toe *toe, bool (*filter)(const struct tp_toe_conn_info *info, void *arg),
                void *arg, struct tp_toe_conn_info *info, uint32_t max, uint32_t *total)
{
	struct tp_toe_conn_info one;
	uint32_t nb = 0;

	*total = 0;
	for (uint32_t i = 0; i < toe->nb_handles; i++) {
		if (!describe(toe, &toe->handle[i], &one) || (filter != NULL && !filter(&one, arg)))
			continue;
		++*total;
		if (nb < max)
			info[nb++] = one;
	}
	return nb;
}
