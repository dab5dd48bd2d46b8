/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Pools and memory of the engine for fuzzers that make a new one for each input. Making its pools and
 * clearing its memory took 40 ms, the input less than one: here pools stay as long as all came back to
 * them, with fewer objects, and what was mapped is mapped again as it was, zero, without huge pages.
 * The linker puts these in the place of the real ones (--wrap).
 */

#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include <rte_common.h>
#include <rte_mempool.h>

#include "start.h"

#define NB_KEPT 64
#define MOST_OBJECTS 511
/* Clearing more than this is the kernel's, which knows what was touched. */
#define CLEAR_BYTES ((size_t)64 << 10)

struct rte_mempool *__real_tp_pool_create_objects(const char *name, uint32_t nb, uint32_t obj_size,
                uint32_t cache_size, int socket_id);
void __real_rte_mempool_free(struct rte_mempool *mp);
struct rte_mempool *__wrap_tp_pool_create_objects(const char *name, uint32_t nb, uint32_t obj_size,
                uint32_t cache_size, int socket_id);
void __wrap_rte_mempool_free(struct rte_mempool *mp);
void *__wrap_tp_mem_map(size_t len);
void __wrap_tp_mem_unmap(void *mem, size_t len);

struct kept {
	void *thing;
	size_t size; /* of an object, or in bytes */
	bool in_use;
};
static struct kept pools[NB_KEPT], maps[NB_KEPT];

/* One of that size that rests; else a place for a new one. */
static struct kept *
kept_find(struct kept *all, size_t size)
{
	struct kept *empty = NULL;

	for (struct kept *k = all; k < all + NB_KEPT; k++) {
		if (k->thing == NULL)
			empty = k;
		else if (!k->in_use && k->size == size)
			return k;
	}
	CHECK(empty != NULL);
	empty->size = size;
	return empty;
}

static struct kept *
kept_by_thing(struct kept *all, const void *thing)
{
	for (struct kept *k = all; k < all + NB_KEPT; k++) {
		if (k->thing == thing)
			return k;
	}
	return NULL;
}

struct rte_mempool *
__wrap_tp_pool_create_objects(const char *name, uint32_t nb, uint32_t obj_size, uint32_t cache_size,
                int socket_id)
{
	struct kept *k = kept_find(pools, obj_size);

	if (k->thing == NULL)
		k->thing = __real_tp_pool_create_objects(
		                name, RTE_MIN(nb, MOST_OBJECTS), obj_size, cache_size, socket_id);
	k->in_use = k->thing != NULL;
	return k->thing;
}

/* One that something was lost from is of no more use. */
void
__wrap_rte_mempool_free(struct rte_mempool *mp)
{
	struct kept *k = mp != NULL ? kept_by_thing(pools, mp) : NULL;

	if (k != NULL && rte_mempool_in_use_count(mp) == 0) {
		k->in_use = false;
		return;
	}
	if (k != NULL)
		*k = (struct kept){ 0 };
	__real_rte_mempool_free(mp);
}

void *
__wrap_tp_mem_map(size_t len)
{
	struct kept *k = kept_find(maps, len);

	if (k->thing == NULL) {
		k->thing = mmap(NULL, len, PROT_READ | PROT_WRITE,
		                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		CHECK(k->thing != MAP_FAILED);
		madvise(k->thing, len, MADV_NOHUGEPAGE);
	}
	k->in_use = true;
	return k->thing;
}

void
__wrap_tp_mem_unmap(void *mem, size_t len)
{
	struct kept *k = kept_by_thing(maps, mem);

	if (mem == NULL)
		return;
	CHECK(k != NULL && k->in_use && k->size == len);
	if (len <= CLEAR_BYTES)
		memset(mem, 0, len);
	else
		CHECK(madvise(mem, len, MADV_DONTNEED) == 0);
	k->in_use = false;
}
