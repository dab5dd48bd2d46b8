/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Pools: where their memory lies, and what is left when it does not suffice. */

#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_memory.h>
#include <rte_mempool.h>

#include "test_eal.h"
#include "tp_core.h"

/* Is the whole of a pool's memory EAL's? virtio_user tells its peer of nothing else. */
static void
note_foreign(struct rte_mempool *mp, void *arg, struct rte_mempool_memhdr *hdr, unsigned int i)
{
	const char *first = hdr->addr, *last = first + hdr->len - 1;

	(void)mp;
	(void)i;
	if (rte_mem_virt2memseg(first, NULL) == NULL || rte_mem_virt2memseg(last, NULL) == NULL)
		*(bool *)arg = true;
}

static void
test_shared_pool_lies_in_eal_memory(void **state)
{
	struct rte_mempool *mp = tp_pool_create_shared("shared", 600, 32, TP_POOL_DATA_ROOM, 0);
	struct rte_mbuf *m[600];
	bool foreign = false;

	(void)state;
	assert_non_null(mp);
	rte_mempool_mem_iter(mp, note_foreign, &foreign);
	assert_false(foreign);
	assert_int_equal(rte_pktmbuf_alloc_bulk(mp, m, 600), 0);
	rte_pktmbuf_free_bulk(m, 600);
	rte_mempool_free(mp);
}

static void
test_shared_pool_too_big_for_the_heap(void **state)
{
	struct rte_malloc_socket_stats before, after;

	(void)state;
	rte_malloc_get_socket_stats(0, &before);
	assert_null(tp_pool_create_shared("big", 1 << 20, 32, TP_POOL_DATA_ROOM, 0));
	assert_int_equal(rte_errno, ENOMEM);
	rte_malloc_get_socket_stats(0, &after);
	assert_int_equal(after.heap_allocsz_bytes, before.heap_allocsz_bytes);
}

/* ---- objects ----------------------------------------------------------------- */

#define NB_OBJECTS 100
#define OBJECT_SIZE 40

static void
test_objects_are_zero_and_as_many_as_asked_for(void **state)
{
	static const uint8_t zero[OBJECT_SIZE];
	struct rte_mempool *mp = tp_pool_create_objects("objs", NB_OBJECTS, OBJECT_SIZE, 0, 0);
	void *obj[NB_OBJECTS], *more;

	(void)state;
	assert_non_null(mp);
	for (unsigned int i = 0; i < NB_OBJECTS; i++) {
		assert_int_equal(rte_mempool_get(mp, &obj[i]), 0);
		assert_memory_equal(obj[i], zero, sizeof(zero));
		memset(obj[i], 0xff, OBJECT_SIZE); /* no object lies in another */
	}
	assert_int_not_equal(rte_mempool_get(mp, &more), 0);
	rte_mempool_put_bulk(mp, obj, NB_OBJECTS);
	assert_int_equal(rte_mempool_get_bulk(mp, obj, NB_OBJECTS), 0);
	rte_mempool_put_bulk(mp, obj, NB_OBJECTS);
	rte_mempool_free(mp);
}

static void
test_no_pool_of_objects(void **state)
{
	struct rte_mempool *mp = tp_pool_create_objects("objs", 1, 1, 0, 0);
	void *obj;

	(void)state;
	assert_non_null(mp);
	assert_int_equal(rte_mempool_get(mp, &obj), 0);
	rte_mempool_put(mp, obj);
	assert_null(tp_pool_create_objects("objs", 1, 1, 0, 0));
	assert_int_equal(rte_errno, EEXIST);
	rte_mempool_free(mp);
	assert_null(tp_pool_create_objects("none", 0, 1, 0, 0));
	assert_int_equal(rte_errno, EINVAL);
	assert_null(tp_pool_create_objects("cache", 1000, 1, RTE_MEMPOOL_CACHE_MAX_SIZE + 1, 0));
	assert_int_equal(rte_errno, EINVAL);
	assert_null(tp_pool_create_objects("a name that is too long for a pool", 1, 1, 0, 0));
	assert_int_equal(rte_errno, ENAMETOOLONG);
	/* More than a process can map; nothing of it stays, its name neither. */
	assert_null(tp_pool_create_objects("huge", 1 << 20, 1 << 30, 0, 0));
	assert_int_equal(rte_errno, ENOMEM);
	assert_null(rte_mempool_lookup("huge"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shared_pool_lies_in_eal_memory),
		cmocka_unit_test(test_shared_pool_too_big_for_the_heap),
		cmocka_unit_test(test_objects_are_zero_and_as_many_as_asked_for),
		cmocka_unit_test(test_no_pool_of_objects),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
