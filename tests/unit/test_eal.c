/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include "test_eal.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>

#include "../common/eal_dir.h"

static bool eal_started;
static struct rte_mempool *shared_pool;
static unsigned int out_before;

static int
first_cpu(void)
{
	cpu_set_t set;
	int cpu = 0;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		while (cpu < CPU_SETSIZE - 1 && !CPU_ISSET(cpu, &set))
			cpu++;
	return cpu;
}

int
test_eal_start(void)
{
	char prefix[48], lcores[16];
	const char *const args[] = { "test", "--no-huge", "--no-shconf", "--no-pci",
		"--no-telemetry", "-m", "256", "--log-level=lib.eal:4", "--file-prefix", prefix,
		"--lcores", lcores };
	/* EAL keeps pointers into its arguments, and overwrites one in argv. */
	static char *kept[RTE_DIM(args)];
	char *argv[RTE_DIM(args) + 1] = { NULL };

	if (eal_started)
		return 0;
	eal_dir_own(prefix, sizeof(prefix), "tp-test");
	snprintf(lcores, sizeof(lcores), "0@%d", first_cpu());
	for (unsigned int i = 0; i < RTE_DIM(args); i++)
		argv[i] = kept[i] = strdup(args[i]);
	if (rte_eal_init(RTE_DIM(args), argv) < 0)
		return -rte_errno;
	eal_started = true;
	return 0;
}

int
test_eal_setup(void **state)
{
	int rc = test_eal_start();

	(void)state;
	if (rc < 0)
		fprintf(stderr, "EAL does not start: %s\n", strerror(-rc));
	return rc;
}

struct rte_mempool *
test_pool(void)
{
	if (shared_pool == NULL)
		shared_pool = rte_pktmbuf_pool_create("test", TEST_POOL_SIZE, TEST_POOL_CACHE, 0,
		                RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	assert_non_null(shared_pool);
	return shared_pool;
}

struct rte_mbuf *
test_mbuf(const void *data, uint16_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(test_pool());
	char *room;

	assert_non_null(m);
	room = rte_pktmbuf_append(m, len);
	assert_non_null(room);
	memcpy(room, data, len);
	return m;
}

unsigned int
test_pool_count(const struct rte_mempool *pool)
{
	return rte_mempool_avail_count(pool);
}

static void
add_out(struct rte_mempool *pool, void *arg)
{
	*(unsigned int *)arg += rte_mempool_in_use_count(pool);
}

unsigned int
test_pools_out(void)
{
	unsigned int out = 0;

	rte_mempool_walk(add_out, &out);
	return out;
}

int
test_mbufs_setup(void **state)
{
	(void)state;
	out_before = test_pools_out();
	return 0;
}

int
test_mbufs_teardown(void **state)
{
	unsigned int out = test_pools_out();

	(void)state;
	if (out == out_before)
		return 0;
	fprintf(stderr, "mbufs out: %u before the test, %u after it\n", out_before, out);
	return -1;
}

int
test_eal_teardown(void **state)
{
	unsigned int out = test_pools_out();

	(void)state;
	if (out != 0)
		fprintf(stderr, "mbufs still out at the end: %u\n", out);
	rte_mempool_free(shared_pool);
	shared_pool = NULL;
	rte_eal_cleanup();
	eal_started = false;
	return out == 0 ? 0 : -1;
}
