/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/**
 * @file
 * EAL for unit tests of modules that need it: without huge pages, PCI, shared
 * files or privileges, so that tests run in parallel. Main thread only.
 */
#ifndef TEST_EAL_H
#define TEST_EAL_H

/* cmocka.h needs these first. */
#include <setjmp.h> /* IWYU pragma: keep */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <rte_mbuf.h>
#include <rte_mempool.h>

#define TEST_POOL_SIZE 4095
#define TEST_POOL_CACHE 64

/** Start EAL once in this process, one lcore, 256 MB.
 * @return 0, or -errno */
int test_eal_start(void);

/** @name cmocka group fixtures: cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown)
 * Teardown fails the group when any mbuf of any pool is still out. @{ */
int test_eal_setup(void **state);
int test_eal_teardown(void **state);
/** @} */

/** @name cmocka test fixtures: a test fails when it leaves fewer or more mbufs out than it found.
 * cmocka_unit_test_setup_teardown(f, test_mbufs_setup, test_mbufs_teardown) @{ */
int test_mbufs_setup(void **state);
int test_mbufs_teardown(void **state);
/** @} */

/** The shared pool: TEST_POOL_SIZE mbufs of RTE_MBUF_DEFAULT_BUF_SIZE, made at first use. Owned
 * by the helper. Fails the test when there is no memory. */
struct rte_mempool *test_pool(void);

/** An mbuf of test_pool() holding len bytes copied from data. Caller's. */
struct rte_mbuf *test_mbuf(const void *data, uint16_t len);

/** How many mbufs are in the pool, those in lcore caches included. */
unsigned int test_pool_count(const struct rte_mempool *pool);

/** How many mbufs of all the pools are out. */
unsigned int test_pools_out(void);

#endif /* TEST_EAL_H */
