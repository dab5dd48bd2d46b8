/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* The flow table: two choices of a cache line with eight ways each, and more for the few that find both
 * full: 80 of a million when four of five slots are used. Who looks for a key looks at those too once
 * there was one. No lock: a slot is one word.
 * Memory order: a handle's key is written before the slot that names it is published (release);
 * a handle is used again only after all readers passed a quiescent state, so that the key behind
 * a slot that a reader holds does not change.
 */

#include <errno.h>
#include <string.h>

#include <rte_prefetch.h>
#include <rte_random.h>

#include "toe_int.h"

/* Slots for each handle, in eighths. */
#define SLOTS_PER_8_HANDLES 10
#define NB_BALANCED 2
#define NB_CHOICES 8
/* Even, so that all factors are odd. */
#define MIX_STEP UINT32_C(0x3d4d51c2)
/* A removal elsewhere may make room while we look. */
#define INSERT_TRIES 8

int
table_init(struct table *t, uint32_t nb_handles)
{
	uint64_t slots = (uint64_t)nb_handles * SLOTS_PER_8_HANDLES / 8;

	t->nb_buckets = RTE_MAX(slots / TABLE_WAYS, UINT64_C(16));
	t->bytes = (size_t)t->nb_buckets * sizeof(t->bucket[0]);
	t->bucket = tp_mem_map(t->bytes);
	if (t->bucket == NULL)
		return -errno;
	atomic_init(&t->reach, NB_BALANCED);
	for (unsigned int i = 0; i < RTE_DIM(t->secret); i++)
		t->secret[i] = rte_rand() | 1;
	return 0;
}

void
table_fini(struct table *t)
{
	tp_mem_unmap(t->bucket, t->bytes);
	t->bucket = NULL;
}

/* Both halves of a 128-bit product, folded: every bit of the inputs reaches every bit of it. */
static uint64_t
fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t
table_hash(const struct table *t, const struct tp_tcp_key *key)
{
	uint64_t word[4];
	uint32_t ports;
	uint64_t h;

	memcpy(word, key, sizeof(word));
	memcpy(&ports, &key->lport, sizeof(ports));
	h = fold(word[0] ^ t->secret[0], word[1] ^ t->secret[1]) ^
	    fold(word[2] ^ t->secret[1], word[3] ^ t->secret[2]);
	return fold(h ^ t->secret[2], ports ^ t->secret[0]);
}

/* Lines for a hash; a tag of 32 other bits is never zero where it matters, as the lower half of a
 * used slot is not. */
static struct table_bucket *
choice(const struct table *t, uint64_t hash, unsigned int n)
{
	uint32_t h = n == 0 ? (uint32_t)hash
	                    : (uint32_t)(hash >> 16) * (UINT32_C(0x85ebca6b) + (n - 1) * MIX_STEP);

	return &t->bucket[((uint64_t)h * t->nb_buckets) >> 32];
}

/* How many choices may hold something. */
static inline unsigned int
reach(const struct table *t)
{
	return atomic_load_explicit(&t->reach, memory_order_relaxed);
}

static uint64_t
slot_make(uint64_t hash, uint32_t index)
{
	return (hash >> 32 << 32) | (index + UINT64_C(1));
}

void
table_prefetch(const struct table *t, uint64_t hash)
{
	for (unsigned int n = 0; n < NB_BALANCED; n++)
		rte_prefetch0(choice(t, hash, n));
}

uint32_t
table_guess(const struct table *t, uint64_t hash)
{
	for (unsigned int n = 0; n < NB_BALANCED; n++) {
		const struct table_bucket *b = choice(t, hash, n);

		for (unsigned int i = 0; i < TABLE_WAYS; i++) {
			uint64_t slot = atomic_load_explicit(&b->way[i], memory_order_relaxed);

			if (slot >> 32 == hash >> 32 && slot != 0)
				return (uint32_t)slot - 1;
		}
	}
	return NO_INDEX;
}

/** First slot, in the order of the choices and ways, that names a handle with this key.
 * @return the slot, or NULL; *index: the handle
 */
static _Atomic uint64_t *
find(const struct table *t, const struct handle *handles, uint64_t hash,
                const struct tp_tcp_key *key, uint32_t *index)
{
	for (unsigned int n = 0; n < reach(t); n++) {
		struct table_bucket *b = choice(t, hash, n);

		for (unsigned int i = 0; i < TABLE_WAYS; i++) {
			uint64_t slot = atomic_load_explicit(&b->way[i], memory_order_acquire);

			if (slot == 0 || slot >> 32 != hash >> 32)
				continue;
			*index = (uint32_t)slot - 1;
			if (memcmp(&handles[*index].key, key, sizeof(*key)) == 0)
				return &b->way[i];
		}
	}
	return NULL;
}

uint32_t
table_lookup(const struct table *t, const struct handle *handles, uint64_t hash,
                const struct tp_tcp_key *key)
{
	uint32_t index;

	return find(t, handles, hash, key, &index) != NULL ? index : NO_INDEX;
}

static _Atomic uint64_t *
free_way(struct table_bucket *b, unsigned int *nb_free)
{
	_Atomic uint64_t *first = NULL;

	*nb_free = 0;
	for (unsigned int i = 0; i < TABLE_WAYS; i++) {
		if (atomic_load_explicit(&b->way[i], memory_order_relaxed) != 0)
			continue;
		if (first == NULL)
			first = &b->way[i];
		++*nb_free;
	}
	return first;
}

/* A free way for a hash, of the first two choices where more are free. @return NULL: all are full */
static _Atomic uint64_t *
find_free(struct table *t, uint64_t hash)
{
	_Atomic uint64_t *way[NB_BALANCED], *to = NULL;
	unsigned int nb[NB_BALANCED], rest;

	for (unsigned int n = 0; n < NB_BALANCED; n++)
		way[n] = free_way(choice(t, hash, n), &nb[n]);
	if (nb[0] + nb[1] > 0)
		return nb[1] > nb[0] ? way[1] : way[0];
	/* Said before the slot shows it: who misses that sees no connection yet. */
	atomic_store(&t->reach, NB_CHOICES);
	for (unsigned int n = NB_BALANCED; n < NB_CHOICES && to == NULL; n++)
		to = free_way(choice(t, hash, n), &rest);
	return to;
}

/* @return where the slot is now, or NULL: the table is full */
static _Atomic uint64_t *
place(struct table *t, uint64_t hash, uint64_t slot)
{
	for (unsigned int tries = 0; tries < INSERT_TRIES; tries++) {
		_Atomic uint64_t *to = find_free(t, hash);
		uint64_t expected = 0;

		if (to == NULL)
			return NULL;
		/* seq_cst: of two who insert the same key, one at least sees the other. */
		if (atomic_compare_exchange_strong(to, &expected, slot))
			return to;
	}
	return NULL;
}

uint32_t
table_insert(struct table *t, const struct handle *handles, uint64_t hash, uint32_t index)
{
	uint64_t slot = slot_make(hash, index);
	_Atomic uint64_t *mine, *first;
	uint32_t other = NO_INDEX;

	mine = place(t, hash, slot);
	if (mine == NULL)
		return NO_INDEX;
	atomic_thread_fence(memory_order_seq_cst);
	first = find(t, handles, hash, &handles[index].key, &other);
	if (first == mine || first == NULL)
		return index;
	/* Somebody else has the key, in a lower slot: theirs counts. */
	atomic_store_explicit(mine, 0, memory_order_release);
	return other;
}

void
table_remove(struct table *t, uint64_t hash, uint32_t index)
{
	for (unsigned int n = 0; n < reach(t); n++) {
		struct table_bucket *b = choice(t, hash, n);

		for (unsigned int i = 0; i < TABLE_WAYS; i++) {
			uint64_t slot = slot_make(hash, index);

			if (atomic_compare_exchange_strong_explicit(&b->way[i], &slot, 0,
			                    memory_order_release, memory_order_relaxed))
				return;
		}
	}
}
