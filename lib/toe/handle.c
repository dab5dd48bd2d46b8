/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Handles: one word says who owns a connection. Lists of them are lock-free stacks of indices, so
 * that a lcore that freezes inside blocks nobody.
 */

#include <errno.h>
#include <inttypes.h>

#include <rte_debug.h>
#include <rte_eal.h>

#include "toe_int.h"

/* Generations start near their wrap, so that it happens in tests. */
#define FIRST_GENERATION 0xfffff0
/* Longer than a packet waits on rings and in the network's reordering, short for a port. */
#define QUARANTINE_NS (100 * TP_NS_PER_MS)

void
list_push(struct tp_toe *toe, _Atomic uint64_t *head, uint32_t index)
{
	uint64_t old = atomic_load_explicit(head, memory_order_relaxed);

	do {
		atomic_store_explicit(
		                &toe->handle[index].next, HEAD_INDEX(old), memory_order_relaxed);
		/* release: who takes the handle sees what was written to it before */
	} while (!atomic_compare_exchange_weak_explicit(head, &old, HEAD_NEXT(old, index),
	                memory_order_release, memory_order_relaxed));
}

uint32_t
list_pop(struct tp_toe *toe, _Atomic uint64_t *head)
{
	uint64_t old = atomic_load_explicit(head, memory_order_acquire);
	uint32_t index;

	do {
		index = HEAD_INDEX(old);
		if (index == NO_INDEX)
			return NO_INDEX;
	} while (!atomic_compare_exchange_weak_explicit(head, &old,
	                HEAD_NEXT(old, atomic_load_explicit(&toe->handle[index].next,
	                                               memory_order_relaxed)),
	                memory_order_acquire, memory_order_acquire));
	return index;
}

int
handles_init(struct tp_toe *toe)
{
	toe->handle_bytes = (size_t)toe->nb_handles * sizeof(toe->handle[0]);
	toe->handle = tp_mem_map(toe->handle_bytes);
	if (toe->handle == NULL)
		return -errno;
	atomic_init(&toe->free_handles, NO_INDEX);
	for (uint32_t i = toe->nb_handles; i-- > 0;) {
		atomic_init(&toe->handle[i].word,
		                word_make(FIRST_GENERATION, 0, HANDLE_FREE, TP_MEMBER_NONE));
		list_push(toe, &toe->free_handles, i);
	}
	return 0;
}

void
handles_fini(struct tp_toe *toe)
{
	tp_mem_unmap(toe->handle, toe->handle_bytes);
	toe->handle = NULL;
}

uint32_t
handle_pop(struct tp_toe *toe, uint8_t member)
{
	uint32_t index = list_pop(toe, &toe->free_handles);
	struct handle *h;

	if (index == NO_INDEX)
		return NO_INDEX;
	h = &toe->handle[index];
	h->where = NO_INDEX;
	h->arrival = member;
	h->run = 0;
	h->level = 0;
	h->listener = NO_LISTENER;
	atomic_store_explicit(&h->next, 0, memory_order_relaxed); /* it never moved */
	return index;
}

void
handle_give(struct tp_toe *toe, uint32_t index, uint8_t member)
{
	struct handle *h = &toe->handle[index];
	uint64_t word = atomic_load_explicit(&h->word, memory_order_relaxed);

	/* A FREE word is changed by nobody else. */
	atomic_store(&h->word, word_make(WORD_GENERATION(word), 0, HANDLE_OWN, member));
}

uint32_t
handle_alloc(struct tp_toe *toe, uint8_t member)
{
	uint32_t index = handle_pop(toe, member);

	if (index != NO_INDEX)
		handle_give(toe, index, member);
	return index;
}

/* The next one to have it gets another generation: ids and messages of this one are old now. */
void
handle_free(struct tp_toe *toe, uint32_t index)
{
	list_push(toe, &toe->free_handles, index);
}

void
word_leave(struct handle *h, uint32_t generations, enum handle_state state, uint8_t member)
{
	uint64_t old = atomic_load_explicit(&h->word, memory_order_relaxed);

	while (!atomic_compare_exchange_weak(&h->word, &old,
	                word_make(WORD_GENERATION(old) + generations, WORD_EPOCH(old) + 1, state,
	                                member)))
		continue;
}

void
limbo_add(struct tp_toe *toe, struct limbo *limbo, uint32_t index, unsigned int reader)
{
	if (limbo->head - limbo->tail == LIMBO_SIZE && limbo_reclaim(toe, limbo) == 0) {
		/* So many ended in one turn: wait for the others once. */
		rte_rcu_qsbr_synchronize(toe->qsbr, reader);
		limbo_reclaim(toe, limbo);
	}
	limbo->of[limbo->head % LIMBO_SIZE].handle = index;
	limbo->of[limbo->head++ % LIMBO_SIZE].token = rte_rcu_qsbr_start(toe->qsbr);
}

uint32_t
limbo_reclaim(struct tp_toe *toe, struct limbo *limbo)
{
	uint32_t n = 0;

	while (limbo->tail != limbo->head &&
	                rte_rcu_qsbr_check(toe->qsbr, limbo->of[limbo->tail % LIMBO_SIZE].token,
	                                false) == 1) {
		/* Out of the list first: a lcore that freezes here loses it, but frees none twice. */
		uint32_t index = limbo->of[limbo->tail++ % LIMBO_SIZE].handle;

		handle_free(toe, index);
		n++;
	}
	return n;
}

void
handle_retire(struct tp_toe_shard *s, uint32_t index)
{
	struct handle *h = &s->toe->handle[index];

	/* First the word: where it was is looked at as long as that says that it lives. */
	word_leave(h, 1, HANDLE_FREE, TP_MEMBER_NONE);
	h->where = NO_INDEX;
	limbo_add(s->toe, &s->limbo, index, s->reader);
}

static void
quarantine_end(struct tp_toe_shard *s)
{
	struct tp_toe *toe = s->toe;
	uint32_t index = s->ended[s->ended_tail++ % NB_ENDED].handle;

	table_remove(&toe->table, table_hash(&toe->table, &toe->handle[index].key), index);
	handle_retire(s, index);
}

void
handle_quarantine(struct tp_toe_shard *s, uint32_t index)
{
	struct handle *h = &s->toe->handle[index];

	/* Ids and messages are old from now on. */
	word_leave(h, 1, HANDLE_DEAD, s->member);
	h->where = NO_INDEX;
	if (s->ended_head - s->ended_tail == NB_ENDED)
		quarantine_end(s);
	s->ended[s->ended_head++ % NB_ENDED] =
	                (struct ended){ .handle = index, .until = s->now + QUARANTINE_NS };
}

void
quarantine_step(struct tp_toe_shard *s)
{
	while (s->ended_tail != s->ended_head && s->ended[s->ended_tail % NB_ENDED].until <= s->now)
		quarantine_end(s);
}

#ifndef NDEBUG
void
check_owner(struct tp_toe_shard *s, uint32_t index)
{
	uint64_t word = atomic_load_explicit(&s->toe->handle[index].word, memory_order_relaxed);

	if (s->thread == 0)
		s->thread = rte_gettid();
	if (s->thread != rte_gettid())
		rte_panic("toe: thread %d works on connection %u of member %u, whose thread is "
		          "%d\n",
		                rte_gettid(), index, s->member, s->thread);
	if (WORD_STATE(word) != HANDLE_OWN || WORD_MEMBER(word) != s->member)
		rte_panic("toe: member %u works on connection %u, which is not its own: %016" PRIx64
		          "\n",
		                s->member, index, word);
}
#endif
