/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Pools without caches: each object is counted, may be refused, and is not readable (ASan) or
 * garbage (records) while it is free.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "tcpsim.h"

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define POOLS_ASAN
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define POOLS_ASAN
#endif

#ifdef POOLS_ASAN
#include <sanitizer/asan_interface.h>
#define hide(p, n) __asan_poison_memory_region(p, n)
#define show(p, n) __asan_unpoison_memory_region(p, n)
#else
#define hide(p, n) ((void)(p), (void)(n))
#define show(p, n) ((void)(p), (void)(n))
#endif

struct stack {
	uint32_t nb, size;
	uint32_t fail; /* ppm */
	struct rng *rng;
	bool guard; /* objects are ready: hide the free ones */
	bool is_rec;
	void *obj[];
};

struct rte_mempool *pools[2][NB_POOLS];

static int
stack_alloc(struct rte_mempool *mp)
{
	struct stack *s = calloc(1, sizeof(*s) + mp->size * sizeof(s->obj[0]));

	if (s == NULL)
		return -ENOMEM;
	s->size = mp->size;
	mp->pool_data = s;
	return 0;
}

static void
stack_free(struct rte_mempool *mp)
{
	struct stack *s = mp->pool_data;

	for (uint32_t i = 0; s->guard && i < s->nb; i++)
		show(s->obj[i], mp->elt_size);
	free(s);
}

static int
stack_put(struct rte_mempool *mp, void *const *obj, unsigned int n)
{
	struct stack *s = mp->pool_data;

	if (s->nb + n > s->size)
		abort(); /* freed twice */
	for (unsigned int i = 0; i < n; i++) {
		s->obj[s->nb++] = obj[i];
		if (s->is_rec)
			memset(obj[i], 0xa5, mp->elt_size);
		if (s->guard)
			hide(obj[i], mp->elt_size);
	}
	return 0;
}

static int
stack_get(struct rte_mempool *mp, void **obj, unsigned int n)
{
	struct stack *s = mp->pool_data;

	if (s->nb < n || (s->fail > 0 && rng_ppm(s->rng, s->fail)))
		return -ENOENT;
	for (unsigned int i = 0; i < n; i++) {
		obj[i] = s->obj[--s->nb];
		if (s->guard)
			show(obj[i], mp->elt_size);
	}
	return 0;
}

static unsigned int
stack_count(const struct rte_mempool *mp)
{
	return ((const struct stack *)mp->pool_data)->nb;
}

static const struct rte_mempool_ops stack_ops = {
	.name = "tcpsim",
	.alloc = stack_alloc,
	.free = stack_free,
	.enqueue = stack_put,
	.dequeue = stack_get,
	.get_count = stack_count,
};
RTE_MEMPOOL_REGISTER_OPS(stack_ops);

static void
guard(struct rte_mempool *mp)
{
	struct stack *s = mp->pool_data;

	s->guard = true;
	for (uint32_t i = 0; i < s->nb; i++)
		hide(s->obj[i], mp->elt_size);
}

static struct rte_mempool *
recs_create(const char *name, uint32_t nb)
{
	struct rte_mempool *mp = rte_mempool_create_empty(
	                name, nb, sizeof(struct tp_tcp_rec), 0, 0, SOCKET_ID_ANY, 0);

	if (mp == NULL || rte_mempool_set_ops_byname(mp, "tcpsim", NULL) < 0 ||
	                rte_mempool_populate_default(mp) < 0)
		return NULL;
	((struct stack *)mp->pool_data)->is_rec = true;
	return mp;
}

int
pools_create(void)
{
	static const struct {
		const char *name;
		uint32_t nb, room;
	} spec[NB_POOLS] = {
		[POOL_HDR] = { "hdr", 4096, RTE_PKTMBUF_HEADROOM + 2048 },
		[POOL_INDIRECT] = { "indirect", 4096, 0 },
		[POOL_RECS] = { "recs", 16384, 0 },
		[POOL_APP] = { "app", 8192, 2048 },
		[POOL_RX] = { "rx", 12288, RTE_PKTMBUF_HEADROOM + 2048 },
	};
	char name[32];

	for (unsigned int h = 0; h < 2; h++)
		for (unsigned int p = 0; p < NB_POOLS; p++) {
			snprintf(name, sizeof(name), "%s%u", spec[p].name, h);
			pools[h][p] = p == POOL_RECS ? recs_create(name, spec[p].nb)
			                             : rte_pktmbuf_pool_create_by_ops(name,
			                                               spec[p].nb, 0, 0,
			                                               spec[p].room, SOCKET_ID_ANY,
			                                               "tcpsim");
			if (pools[h][p] == NULL) {
				fprintf(stderr, "pool %s: %s\n", name, rte_strerror(rte_errno));
				return -1;
			}
			guard(pools[h][p]);
		}
	return 0;
}

void
pools_fail(unsigned int host, uint32_t ppm, struct rng *rng)
{
	for (unsigned int p = POOL_HDR; p <= POOL_RECS; p++) {
		struct stack *s = pools[host][p]->pool_data;

		s->fail = ppm;
		s->rng = rng;
	}
}

uint32_t
pools_out(unsigned int host, unsigned int pool)
{
	const struct stack *s = pools[host][pool]->pool_data;

	return s->size - s->nb;
}
