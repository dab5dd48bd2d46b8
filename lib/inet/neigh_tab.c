/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* The table of neighbours: buckets of eight entries by a keyed hash of the address; the entries
 * never move and are never freed, so that workers need no lock and no grace period. An entry's
 * address changes only while its word says FREE, and its generation is another one afterwards.
 */

#include "inet_int.h"

#define NB_WAYS 8
/* An entry that was used or confirmed so recently does not make room. */
#define KEEP_NS (2 * TP_NS_PER_S)

static uint32_t
first_way(const struct tp_inet *inet, const uint8_t addr[TP_INET_LEN])
{
	return inet_hash(inet, addr, 0) % (inet->conf.nb_neighs / NB_WAYS) * NB_WAYS;
}

static bool
has_addr(const struct inet_neigh *n, const uint64_t addr[2])
{
	return atomic_load_explicit(&((struct inet_neigh *)(uintptr_t)n)->addr[0],
	                       memory_order_relaxed) == addr[0] &&
	       atomic_load_explicit(&((struct inet_neigh *)(uintptr_t)n)->addr[1],
	                       memory_order_relaxed) == addr[1];
}

uint32_t
inet_neigh_find(const struct tp_inet *inet, const uint8_t addr[TP_INET_LEN], uint64_t *word)
{
	uint32_t first = first_way(inet, addr);
	uint64_t key[2], after;

	memcpy(key, addr, sizeof(key));
	for (uint32_t i = first; i < first + NB_WAYS; i++) {
		struct inet_neigh *n = &inet->neigh[i];

		*word = atomic_load_explicit(&n->word, memory_order_acquire);
		if (word_state(*word) == TP_INET_NEIGH_FREE || !has_addr(n, key))
			continue;
		/* The address was read before this: an entry given away meanwhile has another
		 * generation.
		 */
		atomic_thread_fence(memory_order_acquire);
		after = atomic_load_explicit(&n->word, memory_order_relaxed);
		if (word_gen(after) == word_gen(*word))
			return i;
	}
	return NO_INDEX;
}

/* How little an entry would be missed; 0: it stays. */
static uint64_t
spare_of(const struct inet_neigh *n, uint8_t state, uint64_t now)
{
	uint64_t last = n->used_ns;

	if (state == TP_INET_NEIGH_FAILED)
		return UINT64_MAX;
	if (state == TP_INET_NEIGH_DELAY || state == TP_INET_NEIGH_PROBE)
		return 0;
	if (n->confirmed_ns != TP_NEVER)
		last = RTE_MAX(last, n->confirmed_ns);
	return now > last + KEEP_NS ? now - last : 0;
}

uint32_t
inet_neigh_claim(struct tp_inet *inet, const uint8_t addr[TP_INET_LEN], bool evict, uint64_t now)
{
	uint32_t first = first_way(inet, addr), best = NO_INDEX;
	uint64_t most = 0, spare, key[2];
	struct inet_neigh *n;

	for (uint32_t i = first; i < first + NB_WAYS && most != UINT64_MAX; i++) {
		uint8_t state = word_state(
		                atomic_load_explicit(&inet->neigh[i].word, memory_order_relaxed));

		spare = state == TP_INET_NEIGH_FREE ? UINT64_MAX : 0;
		if (spare == 0 && evict)
			spare = spare_of(&inet->neigh[i], state, now);
		if (spare > most) {
			most = spare;
			best = i;
		}
	}
	if (best == NO_INDEX) {
		inet->mib[TP_INET_M_NEIGH_FULL]++;
		return NO_INDEX;
	}
	n = &inet->neigh[best];
	if (word_state(atomic_load_explicit(&n->word, memory_order_relaxed)) !=
	                TP_INET_NEIGH_FREE) {
		inet->mib[TP_INET_M_NEIGH_EVICT]++;
		inet_neigh_free(inet, n, TP_INET_M_PEND_DROP);
	}
	/* Who sees the new address sees that the word was FREE with a new generation. */
	atomic_thread_fence(memory_order_release);
	memcpy(key, addr, sizeof(key));
	atomic_store_explicit(&n->addr[0], key[0], memory_order_relaxed);
	atomic_store_explicit(&n->addr[1], key[1], memory_order_relaxed);
	inet->mib[TP_INET_M_NEIGH_NEW]++;
	return best;
}
