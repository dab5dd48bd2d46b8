/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Link status of both ends, and what is lost with it. */
#include <errno.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_ethdev.h>

#include "test_eal.h"
#include "tp_wire.h"

static struct tp_wire *wire;
static struct tp_wire_conf conf;

static int
setup(void **state)
{
	tp_clock_set_virtual(1000);
	tp_wire_conf_default(&conf);
	conf.nb_frames = 64;
	conf.dir[TP_WIRE_A_TO_B].delay_ns = 1000;
	test_pool();
	if (test_mbufs_setup(state) < 0)
		return -1;
	wire = tp_wire_create("t", &conf, SOCKET_ID_ANY);
	return wire == NULL ? -1 : tp_wire_start(wire, test_pool());
}

static int
teardown(void **state)
{
	tp_wire_destroy(wire);
	return test_mbufs_teardown(state);
}

static bool
link_up(enum tp_wire_end end)
{
	struct rte_eth_link link;

	assert_int_equal(rte_eth_link_get_nowait(tp_wire_port(wire, end), &link), 0);
	return link.link_status == RTE_ETH_LINK_UP;
}

static unsigned int
send_frame(enum tp_wire_end end)
{
	static const uint8_t data[64];
	struct rte_mbuf *m = test_mbuf(data, sizeof(data));

	if (rte_eth_tx_burst(tp_wire_port(wire, end), 0, &m, 1) == 1)
		return 1;
	rte_pktmbuf_free(m);
	return 0;
}

static unsigned int
receive(enum tp_wire_end end)
{
	struct rte_mbuf *pkts[32];
	uint16_t n = rte_eth_rx_burst(tp_wire_port(wire, end), 0, pkts, 32);

	rte_pktmbuf_free_bulk(pkts, n);
	return n;
}

static uint64_t
lost_link(enum tp_wire_dir dir)
{
	struct tp_wire_stats s;

	tp_wire_get_stats(wire, dir, &s);
	return s.lost_link;
}

static void
test_carrier_shows_at_both_ends(void **state)
{
	(void)state;
	assert_true(link_up(TP_WIRE_A) && link_up(TP_WIRE_B));
	tp_wire_set_carrier(wire, false);
	assert_false(link_up(TP_WIRE_A) || link_up(TP_WIRE_B));
	receive(TP_WIRE_A);
	assert_false(link_up(TP_WIRE_A) || link_up(TP_WIRE_B));
	/* Up again, each end with its own next call. */
	tp_wire_set_carrier(wire, true);
	receive(TP_WIRE_A);
	assert_true(link_up(TP_WIRE_A));
	assert_false(link_up(TP_WIRE_B));
	receive(TP_WIRE_B);
	assert_true(link_up(TP_WIRE_B));
}

static void
test_carrier_loss_loses_what_is_on_the_way(void **state)
{
	(void)state;
	send_frame(TP_WIRE_A);
	receive(TP_WIRE_B); /* into the heap */
	send_frame(TP_WIRE_A);
	tp_wire_set_carrier(wire, false);
	tp_wire_set_carrier(wire, true); /* shorter than anyone looks */
	tp_wire_sync(wire);
	send_frame(TP_WIRE_A);
	tp_clock_set_virtual(5000);
	assert_int_equal(receive(TP_WIRE_B), 1);
	assert_int_equal(lost_link(TP_WIRE_A_TO_B), 2);
	tp_wire_set_carrier(wire, false);
	assert_int_equal(send_frame(TP_WIRE_B), 1);
	assert_int_equal(receive(TP_WIRE_A), 0);
	assert_int_equal(lost_link(TP_WIRE_B_TO_A), 1);
}

static void
test_dead_port_swallows_its_descriptors(void **state)
{
	struct tp_wire_dir_conf c;
	unsigned int taken = 0;

	(void)state;
	tp_wire_get_conf(wire, TP_WIRE_A_TO_B, &c);
	c.backpressure = true;
	c.swallow = 16;
	assert_int_equal(tp_wire_set_conf(wire, TP_WIRE_A_TO_B, &c), 0);
	tp_wire_set_carrier(wire, false);
	for (unsigned int i = 0; i < 50; i++)
		taken += send_frame(TP_WIRE_A);
	assert_int_equal(taken, 16);
	assert_int_equal(lost_link(TP_WIRE_A_TO_B), 16);
	tp_wire_set_carrier(wire, true);
	tp_wire_sync(wire);
	assert_int_equal(send_frame(TP_WIRE_A), 1);
	tp_clock_set_virtual(9000);
	assert_int_equal(receive(TP_WIRE_B), 1);
}

static void
test_cut_is_silent_and_one_way(void **state)
{
	(void)state;
	send_frame(TP_WIRE_A);
	tp_wire_set_cut(wire, TP_WIRE_A_TO_B, true);
	send_frame(TP_WIRE_A);
	send_frame(TP_WIRE_B);
	tp_clock_set_virtual(9000);
	assert_int_equal(receive(TP_WIRE_B), 0);
	assert_int_equal(receive(TP_WIRE_A), 1);
	assert_true(link_up(TP_WIRE_A) && link_up(TP_WIRE_B));
	assert_int_equal(lost_link(TP_WIRE_A_TO_B), 2);
	tp_wire_set_cut(wire, TP_WIRE_A_TO_B, false);
	send_frame(TP_WIRE_A);
	tp_clock_set_virtual(20000);
	assert_int_equal(receive(TP_WIRE_B), 1);
}

static void
test_port_set_down_takes_its_peer_down(void **state)
{
	uint16_t a = tp_wire_port(wire, TP_WIRE_A);

	(void)state;
	assert_int_equal(rte_eth_dev_set_link_down(a), 0);
	receive(TP_WIRE_B);
	assert_false(link_up(TP_WIRE_B));
	receive(TP_WIRE_A); /* we do not undo what the user did */
	assert_false(link_up(TP_WIRE_A));
	assert_int_equal(rte_eth_dev_set_link_up(a), 0);
	receive(TP_WIRE_A);
	receive(TP_WIRE_B);
	assert_true(link_up(TP_WIRE_A) && link_up(TP_WIRE_B));
}

static void
test_stopped_port_takes_its_peer_down(void **state)
{
	uint16_t a = tp_wire_port(wire, TP_WIRE_A);

	(void)state;
	assert_int_equal(rte_eth_dev_stop(a), 0);
	receive(TP_WIRE_B);
	assert_false(link_up(TP_WIRE_B));
	send_frame(TP_WIRE_B);
	assert_int_equal(lost_link(TP_WIRE_B_TO_A), 1);
	/* Cable out and in while it is stopped does not give it a link. */
	tp_wire_set_carrier(wire, false);
	tp_wire_set_carrier(wire, true);
	receive(TP_WIRE_B);
	assert_false(link_up(TP_WIRE_A) || link_up(TP_WIRE_B));
	assert_int_equal(rte_eth_dev_start(a), 0);
	receive(TP_WIRE_A);
	receive(TP_WIRE_B);
	assert_true(link_up(TP_WIRE_A) && link_up(TP_WIRE_B));
}

static void
test_port_started_without_cable_has_no_link(void **state)
{
	uint16_t a = tp_wire_port(wire, TP_WIRE_A);

	(void)state;
	tp_wire_set_carrier(wire, false);
	assert_int_equal(rte_eth_dev_stop(a), 0);
	assert_int_equal(rte_eth_dev_start(a), 0);
	receive(TP_WIRE_A);
	assert_false(link_up(TP_WIRE_A));
	tp_wire_set_carrier(wire, true);
	tp_wire_sync(wire);
	assert_true(link_up(TP_WIRE_A) && link_up(TP_WIRE_B));
}

static void
test_create_refuses(void **state)
{
	struct tp_wire_conf bad = conf;

	(void)state;
	assert_null(tp_wire_create("t", &conf, SOCKET_ID_ANY)); /* name in use */
	assert_null(tp_wire_create("", &conf, SOCKET_ID_ANY));
	assert_int_equal(rte_errno, EINVAL);
	assert_null(tp_wire_create("longer-than-12", &conf, SOCKET_ID_ANY));
	assert_int_equal(rte_errno, EINVAL);
	bad.nb_frames = 100;
	assert_null(tp_wire_create("u", &bad, SOCKET_ID_ANY));
	bad.nb_frames = 64;
	bad.dir[1].loss_ppm = 1000001;
	assert_null(tp_wire_create("u", &bad, SOCKET_ID_ANY));
	assert_int_equal(rte_errno, EINVAL);
	assert_int_equal(tp_wire_set_conf(wire, TP_WIRE_A_TO_B, &bad.dir[1]), -EINVAL);
	/* Nothing of the failed ones stays. */
	bad.dir[1].loss_ppm = 0;
	tp_wire_destroy(tp_wire_create("u", &bad, SOCKET_ID_ANY));
	tp_wire_destroy(tp_wire_create("u", &bad, SOCKET_ID_ANY));
	tp_wire_destroy(NULL);
}

static void
test_conf_from_text(void **state)
{
	struct tp_wire_dir_conf c = { .mtu = 1 }, before;
	static const char *const bad[] = { "delay", "speed=1", "delay=1h", "delay=-1ms", "loss=1e9",
		"loss=2000000", "loss=", "backpressure=2", "rate=infG", "mtu=0x10", "delay=1ms,x=1",
		"mtu=65536", "rate=99999G" };
	char why[80];

	(void)state;
	assert_int_equal(tp_wire_conf_parse(&c,
	                                 "delay=1.5ms,jitter=20us,rate=2.5G,loss=100,"
	                                 "reorder=7,reorder_by=1s,dup=8,corrupt=9,queue_bytes=1000,"
	                                 "queue_frames=20,swallow=3,backpressure=1",
	                                 why, sizeof(why)),
	                0);
	assert_int_equal(c.delay_ns, 1500000);
	assert_int_equal(c.jitter_ns, 20000);
	assert_int_equal(c.rate_bps, 2500000000);
	assert_int_equal(c.loss_ppm, 100);
	assert_int_equal(c.reorder_ppm, 7);
	assert_int_equal(c.reorder_ns, TP_NS_PER_S);
	assert_int_equal(c.dup_ppm, 8);
	assert_int_equal(c.corrupt_ppm, 9);
	assert_int_equal(c.queue_bytes, 1000);
	assert_int_equal(c.queue_frames, 20);
	assert_int_equal(c.swallow, 3);
	assert_true(c.backpressure);
	assert_int_equal(c.mtu, 1);
	before = c;
	for (unsigned int i = 0; i < RTE_DIM(bad); i++) {
		why[0] = '\0';
		assert_int_equal(tp_wire_conf_parse(&c, bad[i], why, sizeof(why)), -EINVAL);
		assert_true(why[0] != '\0');
		assert_memory_equal(&c, &before, sizeof(c));
	}
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_carrier_shows_at_both_ends),
		T(test_carrier_loss_loses_what_is_on_the_way),
		T(test_dead_port_swallows_its_descriptors),
		T(test_cut_is_silent_and_one_way),
		T(test_port_set_down_takes_its_peer_down),
		T(test_stopped_port_takes_its_peer_down),
		T(test_port_started_without_cable_has_no_link),
		T(test_create_refuses),
		T(test_conf_from_text),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
