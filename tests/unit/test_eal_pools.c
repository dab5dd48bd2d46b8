/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <rte_lcore.h>

#include "test_eal.h"

static void
test_helper_counts_what_is_out(void **state)
{
	struct rte_mbuf *m = test_mbuf("abc", 3);

	(void)state;
	assert_int_equal(test_pools_out(), 1);
	assert_int_equal(test_pool_count(test_pool()), TEST_POOL_SIZE - 1);
	assert_memory_equal(rte_pktmbuf_mtod(m, const char *), "abc", 3);
	rte_pktmbuf_free(m);
	assert_int_equal(test_pools_out(), 0);
}

static void
test_fixture_notices_a_lost_mbuf(void **state)
{
	struct rte_mbuf *m;

	assert_int_equal(test_mbufs_setup(state), 0);
	m = test_mbuf("x", 1);
	assert_int_equal(test_mbufs_teardown(state), -1);
	rte_pktmbuf_free(m);
	assert_int_equal(test_mbufs_teardown(state), 0);
}

static void
test_start_twice_is_one_eal(void **state)
{
	(void)state;
	assert_int_equal(test_eal_start(), 0);
	assert_int_equal(rte_lcore_count(), 1);
	assert_int_equal(rte_lcore_id(), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_helper_counts_what_is_out, test_mbufs_setup,
		                test_mbufs_teardown),
		cmocka_unit_test(test_fixture_notices_a_lost_mbuf),
		cmocka_unit_test(test_start_twice_is_one_eal),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
