/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Trials over rings: what the host's port sends comes out of a member's, and the other way round.
 * Receive callbacks play the team that loses, doubles or holds frames back. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_eth_ring.h>
#include <rte_ethdev.h>

#include "loadgen.h"
#include "test_eal.h"

static struct loadgen gen;
static struct rte_ring *rings[3];

static uint16_t
make_port(const char *name, struct rte_ring *rx, struct rte_ring *tx)
{
	struct rte_eth_conf conf = { 0 };
	int port = rte_eth_from_rings(name, &rx, 1, &tx, 1, SOCKET_ID_ANY);

	assert_true(port >= 0);
	assert_int_equal(rte_eth_dev_configure(port, 1, 1, &conf), 0);
	assert_int_equal(rte_eth_rx_queue_setup(port, 0, 64, SOCKET_ID_ANY, NULL, test_pool()), 0);
	assert_int_equal(rte_eth_tx_queue_setup(port, 0, 64, SOCKET_ID_ANY, NULL), 0);
	assert_int_equal(rte_eth_dev_start(port), 0);
	return port;
}

/* Member 0 is joined to the host both ways; member 1 only ever sends. */
static int
setup(void **state)
{
	static const struct rte_ether_addr team = { { 2, 0, 0, 0, 0, 1 } };
	static const struct rte_ether_addr peer = { { 2, 0, 0, 0, 0, 2 } };
	char name[16];

	if (test_eal_setup(state) != 0)
		return -1;
	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "lg%d", i);
		rings[i] = rte_ring_create(name, 512, SOCKET_ID_ANY, 0);
		assert_non_null(rings[i]);
	}
	gen.host = make_port("host", rings[1], rings[0]);
	gen.member[0] = make_port("m0", rings[0], rings[1]);
	gen.member[1] = make_port("m1", rings[2], rings[1]);
	gen.nb_members = 2;
	gen.pool = test_pool();
	gen.nb_flows = 64;
	gen.flows = loadgen_flows_make(gen.nb_flows, &team, &peer);
	return gen.flows == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	rte_eth_dev_stop(gen.host);
	rte_eth_dev_close(gen.host);
	for (int i = 0; i < 2; i++) {
		rte_eth_dev_stop(gen.member[i]);
		rte_eth_dev_close(gen.member[i]);
	}
	for (int i = 0; i < 3; i++)
		rte_ring_free(rings[i]);
	loadgen_flows_free(gen.flows);
	return test_eal_teardown(state);
}

static struct loadgen_result
trial(enum loadgen_direction direction, uint16_t frame)
{
	const struct loadgen_ask ask = { direction, frame, 100000, 20, 5 };
	struct loadgen_result result;

	assert_int_equal(loadgen_trial(&gen, &ask, &result), 0);
	loadgen_tally_fini(&result.tally);
	assert_int_equal(result.tally.corrupt, 0);
	assert_int_equal(result.tally.misdirected, 0);
	/* What a busy machine kept it from sending is known to be missing. */
	assert_true(result.offered > 0);
	assert_float_equal((double)(result.offered + result.missed), 100000 * result.seconds, 2);
	return result;
}

static void
test_all_arrive(void **state)
{
	struct loadgen_result r;

	(void)state;
	r = trial(LOADGEN_TX, 64);
	assert_int_equal(r.tally.received, r.offered);
	assert_int_equal(r.tally.member[0], r.offered);
	assert_int_equal(r.bytes, 64 * r.offered);
	r = trial(LOADGEN_RX, LOADGEN_IMIX);
	assert_int_equal(r.tally.received, r.offered);
	assert_int_equal(r.tally.member[0], 0);
	r = trial(LOADGEN_BOTH, 1518);
	assert_int_equal(r.tally.received, r.offered);
	assert_int_equal(r.tally.reordered, 0);
	assert_in_range(r.tally.member[0], r.offered / 4, r.offered * 3 / 4);
}

static uint16_t
lose_third(uint16_t port, uint16_t queue, struct rte_mbuf **pkts, uint16_t nb, uint16_t max,
                void *arg)
{
	unsigned int *nb_lost = arg;

	(void)port;
	(void)queue;
	(void)max;
	if (nb < 3)
		return nb;
	(*nb_lost)++;
	rte_pktmbuf_free(pkts[2]);
	memmove(&pkts[2], &pkts[3], (nb - 3) * sizeof(*pkts));
	return nb - 1;
}

static uint16_t
swap_ends(uint16_t port, uint16_t queue, struct rte_mbuf **pkts, uint16_t nb, uint16_t max,
                void *arg)
{
	(void)port;
	(void)queue;
	(void)max;
	(void)arg;
	if (nb > 1) {
		struct rte_mbuf *m = pkts[0];

		pkts[0] = pkts[nb - 1];
		pkts[nb - 1] = m;
	}
	return nb;
}

/* Bursts of three and more need a rate at which one turn of the loop owes as many. */
static struct loadgen_result
fast_trial(rte_rx_callback_fn callback, void *arg)
{
	const struct loadgen_ask ask = { LOADGEN_TX, 64, 1e7, 5, 5 };
	const struct rte_eth_rxtx_callback *cb;
	struct loadgen_result result;

	cb = rte_eth_add_rx_callback(gen.member[0], 0, callback, arg);
	assert_non_null(cb);
	assert_int_equal(loadgen_trial(&gen, &ask, &result), 0);
	loadgen_tally_fini(&result.tally);
	assert_int_equal(rte_eth_remove_rx_callback(gen.member[0], 0, cb), 0);
	return result;
}

static void
test_loss_is_counted(void **state)
{
	unsigned int nb_lost = 0;
	struct loadgen_result r = fast_trial(lose_third, &nb_lost);

	(void)state;
	assert_in_range(nb_lost, 1, r.offered);
	assert_int_equal(r.offered - r.tally.received, nb_lost + r.refused);
}

static void
test_reordering_is_counted(void **state)
{
	uint32_t flows = gen.nb_flows;
	struct loadgen_result r;

	(void)state;
	/* Two flows leave the host, so that a burst holds each often. */
	gen.nb_flows = 4;
	r = fast_trial(swap_ends, NULL);
	gen.nb_flows = flows;
	assert_int_equal(r.offered - r.tally.received, r.refused);
	assert_in_range(r.tally.reordered, 1, r.offered);
}

/* Nobody empties a ring: it refuses, and every frame is accounted for. */
static void
test_full_ring_refuses(void **state)
{
	const struct loadgen_ask ask = { LOADGEN_TX, 64, 1e6, 50, 1 };
	uint16_t member = gen.member[0];
	struct loadgen_result result;
	void *pkts[64];
	unsigned int n;

	(void)state;
	gen.member[0] = gen.member[1];
	assert_int_equal(loadgen_trial(&gen, &ask, &result), 0);
	gen.member[0] = member;
	loadgen_tally_fini(&result.tally);
	assert_int_equal(result.tally.received, 0);
	assert_int_equal(result.refused, result.offered - 511);
	/* The next trial finds them, and knows that they are not its own. */
	result = trial(LOADGEN_TX, 64);
	assert_int_equal(result.tally.stale, 511);
	assert_int_equal(result.tally.received, result.offered);
	while ((n = rte_ring_dequeue_burst(rings[0], pkts, 64, NULL)) > 0)
		rte_pktmbuf_free_bulk((struct rte_mbuf **)pkts, n);
}

static void
test_bad_requests(void **state)
{
	static const struct loadgen_ask bad[] = {
		{ LOADGEN_TX, 64, 0, 10, 1 },
		{ LOADGEN_TX, 64, 1000, 0, 1 },
		{ LOADGEN_TX, 63, 1000, 1, 1 },
		{ LOADGEN_TX, 1519, 1000, 1, 1 },
		{ LOADGEN_TX, 64, 1e12, 1000, 1 },
	};
	struct loadgen_result result;

	(void)state;
	for (size_t i = 0; i < RTE_DIM(bad); i++)
		assert_int_equal(loadgen_trial(&gen, &bad[i], &result), -EINVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_arrive),
		cmocka_unit_test(test_loss_is_counted),
		cmocka_unit_test(test_reordering_is_counted),
		cmocka_unit_test(test_full_ring_refuses),
		cmocka_unit_test(test_bad_requests),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
