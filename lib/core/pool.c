/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <errno.h>
#include <sys/mman.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_mempool.h>

#include "tp_core.h"

/* lf_stack: a thread that stops in the middle of an operation (frozen by the fence)
 * blocks nobody, which the default ring's tail update does not promise.
 */
#define POOL_OPS "lf_stack"
#define POOL_MIN 512
#define HUGE_PAGE_SIZE ((size_t)2 << 20)

uint32_t
tp_pool_size(const struct tp_pool_need *need)
{
	uint64_t sum = (uint64_t)need->nb_desc + need->nb_ring + need->nb_cache + need->nb_burst +
	               need->nb_held;

	if (sum > INT32_MAX)
		return INT32_MAX;
	return sum < POOL_MIN ? POOL_MIN : (uint32_t)sum;
}

void *
tp_mem_map(size_t len)
{
	char *raw, *addr;

	len = RTE_ALIGN_CEIL(len, HUGE_PAGE_SIZE);
	raw = mmap(NULL, len + HUGE_PAGE_SIZE, PROT_READ | PROT_WRITE,
	                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (raw == MAP_FAILED)
		return NULL;
	addr = RTE_PTR_ALIGN_CEIL(raw, HUGE_PAGE_SIZE);
	if (addr > raw)
		munmap(raw, addr - raw);
	munmap(addr + len, raw + HUGE_PAGE_SIZE - addr);
	madvise(addr, len, MADV_HUGEPAGE);
	return addr;
}

void
tp_mem_unmap(void *mem, size_t len)
{
	if (mem != NULL)
		munmap(mem, RTE_ALIGN_CEIL(len, HUGE_PAGE_SIZE));
}

static void
pool_unmap(struct rte_mempool_memhdr *memhdr, void *len)
{
	tp_mem_unmap(memhdr->addr, (size_t)(uintptr_t)len);
}

static void
pool_free(struct rte_mempool_memhdr *memhdr, void *opaque)
{
	(void)opaque;
	rte_free(memhdr->addr);
}

static int
pool_populate_packed(struct rte_mempool *mp, bool shared)
{
	rte_mempool_memchunk_free_cb_t *release = shared ? pool_free : pool_unmap;
	struct rte_mempool_memhdr hdr;
	size_t min_chunk, align, len;
	ssize_t size;
	void *addr;
	int rc;

	size = rte_mempool_op_calc_mem_size_default(mp, mp->size, 0, &min_chunk, &align);
	if (size < 0)
		return size;
	len = RTE_ALIGN_CEIL((size_t)size + align, HUGE_PAGE_SIZE);
	addr = shared ? rte_malloc_socket(mp->name, len, 0, mp->socket_id) : tp_mem_map(len);
	if (addr == NULL)
		return -ENOMEM;
	rc = rte_mempool_populate_iova(
	                mp, addr, (rte_iova_t)(uintptr_t)addr, len, release, (void *)len);
	if (rc <= 0) {
		hdr.addr = addr;
		release(&hdr, (void *)len);
		return rc == 0 ? -ENOMEM : rc;
	}
	return rc < (int)mp->size ? -ENOMEM : 0;
}

static struct rte_mempool *
pool_create(const char *name, uint32_t nb_mbufs, uint32_t cache_size, uint16_t data_room,
                int socket_id, bool shared)
{
	struct rte_pktmbuf_pool_private priv = { .mbuf_data_room_size = data_room };
	struct rte_mempool *mp;
	int rc;

	if (rte_eal_has_hugepages())
		return rte_pktmbuf_pool_create_by_ops(
		                name, nb_mbufs, cache_size, 0, data_room, socket_id, POOL_OPS);

	mp = rte_mempool_create_empty(name, nb_mbufs, sizeof(struct rte_mbuf) + data_room,
	                cache_size, sizeof(priv), socket_id, RTE_MEMPOOL_F_NO_IOVA_CONTIG);
	if (mp == NULL)
		return NULL;
	rc = rte_mempool_set_ops_byname(mp, POOL_OPS, NULL);
	if (rc == 0) {
		rte_pktmbuf_pool_init(mp, &priv);
		rc = pool_populate_packed(mp, shared);
	}
	if (rc < 0) {
		rte_mempool_free(mp);
		rte_errno = -rc;
		return NULL;
	}
	rte_mempool_obj_iter(mp, rte_pktmbuf_init, NULL);
	return mp;
}

struct rte_mempool *
tp_pool_create(const char *name, uint32_t nb_mbufs, uint32_t cache_size, uint16_t data_room,
                int socket_id)
{
	return pool_create(name, nb_mbufs, cache_size, data_room, socket_id, false);
}

struct rte_mempool *
tp_pool_create_shared(const char *name, uint32_t nb_mbufs, uint32_t cache_size, uint16_t data_room,
                int socket_id)
{
	return pool_create(name, nb_mbufs, cache_size, data_room, socket_id, true);
}

struct rte_mempool *
tp_pool_create_objects(const char *name, uint32_t nb, uint32_t obj_size, uint32_t cache_size,
                int socket_id)
{
	struct rte_mempool *mp;
	int rc;

	mp = rte_mempool_create_empty(
	                name, nb, obj_size, cache_size, 0, socket_id, RTE_MEMPOOL_F_NO_IOVA_CONTIG);
	if (mp == NULL)
		return NULL;
	rc = rte_mempool_set_ops_byname(mp, POOL_OPS, NULL);
	if (rc == 0)
		rc = pool_populate_packed(mp, false);
	if (rc < 0) {
		rte_mempool_free(mp);
		rte_errno = -rc;
		return NULL;
	}
	return mp;
}
