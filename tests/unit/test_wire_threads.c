/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Two threads, one per end, on the real clock, while a third pulls the cable and turns knobs. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include <rte_ethdev.h>

#include "test_eal.h"
#include "tp_wire.h"

#define BURST 16
#define PASSES 20000

struct side {
	pthread_t thread;
	enum tp_wire_end end;
	uint64_t sent, received, disordered;
	uint32_t next; /* sequence number expected, at least */
};

static struct tp_wire *wire;
static _Atomic unsigned int nb_sending;

static void
send_burst(struct side *s)
{
	struct rte_mbuf *pkts[BURST];
	uint16_t n;

	if (rte_pktmbuf_alloc_bulk(test_pool(), pkts, BURST) != 0)
		return;
	for (uint16_t i = 0; i < BURST; i++) {
		memset(rte_pktmbuf_append(pkts[i], 64), 0, 64);
		*rte_pktmbuf_mtod_offset(pkts[i], uint32_t *, 16) = (uint32_t)(s->sent + i);
	}
	n = rte_eth_tx_burst(tp_wire_port(wire, s->end), 0, pkts, BURST);
	s->sent += n;
	rte_pktmbuf_free_bulk(pkts + n, BURST - n);
}

static void
receive_burst(struct side *s)
{
	struct rte_mbuf *pkts[BURST];
	uint16_t n = rte_eth_rx_burst(tp_wire_port(wire, s->end), 0, pkts, BURST);
	uint32_t seq;

	for (uint16_t i = 0; i < n; i++) {
		seq = *rte_pktmbuf_mtod_offset(pkts[i], uint32_t *, 16);
		s->disordered += seq < s->next;
		s->next = seq + 1;
	}
	rte_pktmbuf_free_bulk(pkts, n);
	s->received += n;
}

static void *
side_main(void *arg)
{
	struct side *s = arg;

	for (unsigned int i = 0; i < PASSES; i++) {
		send_burst(s);
		receive_burst(s);
		if (i % 16 == 0)
			sched_yield();
	}
	atomic_fetch_sub(&nb_sending, 1);
	return NULL;
}

static void
disturb(void)
{
	static const struct timespec nap = { .tv_nsec = 300000 };
	struct tp_wire_dir_conf c;

	for (unsigned int i = 0; atomic_load(&nb_sending) > 0; i++) {
		tp_wire_get_conf(wire, TP_WIRE_A_TO_B, &c);
		c.delay_ns = i % 3 * 1000;
		c.loss_ppm = i % 2 * 1000;
		c.backpressure = i % 5 == 0;
		tp_wire_set_conf(wire, TP_WIRE_A_TO_B, &c);
		tp_wire_set_cut(wire, TP_WIRE_B_TO_A, i % 7 == 0);
		tp_wire_set_carrier(wire, i % 4 != 0);
		nanosleep(&nap, NULL);
	}
	tp_wire_set_carrier(wire, true);
}

static void
test_two_threads_and_a_saboteur(void **state)
{
	struct side side[TP_WIRE_NB_ENDS] = { { .end = TP_WIRE_A }, { .end = TP_WIRE_B } };
	struct tp_wire_conf conf;
	struct tp_wire_stats s;

	(void)state;
	tp_clock_init();
	tp_wire_conf_default(&conf);
	conf.nb_frames = 512;
	wire = tp_wire_create("t", &conf, SOCKET_ID_ANY);
	assert_non_null(wire);
	assert_int_equal(tp_wire_start(wire, test_pool()), 0);
	atomic_store(&nb_sending, TP_WIRE_NB_ENDS);
	for (unsigned int i = 0; i < TP_WIRE_NB_ENDS; i++)
		assert_int_equal(pthread_create(&side[i].thread, NULL, side_main, &side[i]), 0);
	disturb();
	for (unsigned int i = 0; i < TP_WIRE_NB_ENDS; i++)
		pthread_join(side[i].thread, NULL);
	while (tp_wire_next(wire) != TP_NEVER)
		for (unsigned int i = 0; i < TP_WIRE_NB_ENDS; i++)
			receive_burst(&side[i]);
	for (unsigned int i = 0; i < TP_WIRE_NB_DIRS; i++) {
		tp_wire_get_stats(wire, i, &s);
		assert_int_equal(s.sent, side[i].sent);
		assert_int_equal(s.delivered, side[!i].received);
		assert_int_equal(s.in_flight, 0);
		assert_int_equal(side[i].disordered, 0);
		assert_true(s.delivered > 0);
	}
	tp_wire_destroy(wire);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_two_threads_and_a_saboteur, test_mbufs_setup,
		                test_mbufs_teardown),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
