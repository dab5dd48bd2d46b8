/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* What the medium does to frames: time, order, loss, rates, room, by seed. */
#include <string.h>

#include <rte_ethdev.h>

#include "test_eal.h"
#include "tp_wire.h"

#define BURST 32
#define MAX_LOG 4096

/* Numbers of the frames that arrived, and when. */
struct log {
	unsigned int nb;
	uint32_t id[MAX_LOG];
	uint64_t at[MAX_LOG];
};

static struct tp_wire *wire;
static struct tp_wire_conf conf;
static uint64_t now;
static struct log got;

static void
clock_set(uint64_t ns)
{
	now = ns;
	tp_clock_set_virtual(ns);
}

static int
setup(void **state)
{
	clock_set(1000);
	tp_wire_conf_default(&conf);
	conf.nb_frames = 256;
	memset(&got, 0, sizeof(got));
	test_pool();
	return test_mbufs_setup(state);
}

static int
teardown(void **state)
{
	tp_wire_destroy(wire);
	wire = NULL;
	return test_mbufs_teardown(state);
}

static void
up(void)
{
	wire = tp_wire_create("t", &conf, SOCKET_ID_ANY);
	assert_non_null(wire);
	assert_int_equal(tp_wire_start(wire, test_pool()), 0);
}

static struct rte_mbuf *
frame(uint32_t id, uint16_t len)
{
	uint8_t data[2000] = { 0 };

	memset(data, 0xff, 12);
	data[12] = 0x08;
	memcpy(data + 14, &id, sizeof(id));
	return test_mbuf(data, len);
}

/* @return frames that the port took; the rest is freed */
static unsigned int
send_frames(enum tp_wire_end end, uint32_t first, unsigned int nb, uint16_t len)
{
	unsigned int taken = 0;
	struct rte_mbuf *m;

	for (unsigned int i = 0; i < nb; i++) {
		m = frame(first + i, len);
		if (rte_eth_tx_burst(tp_wire_port(wire, end), 0, &m, 1) == 1)
			taken++;
		else
			rte_pktmbuf_free(m);
	}
	return taken;
}

static unsigned int
receive(enum tp_wire_end end)
{
	struct rte_mbuf *pkts[BURST];
	uint16_t port = tp_wire_port(wire, end), n, total = 0;

	do {
		n = rte_eth_rx_burst(port, 0, pkts, BURST);
		for (uint16_t i = 0; i < n; i++) {
			assert_int_equal(pkts[i]->port, port);
			assert_true(got.nb < MAX_LOG);
			memcpy(&got.id[got.nb], rte_pktmbuf_mtod_offset(pkts[i], void *, 14),
			                sizeof(got.id[0]));
			got.at[got.nb++] = now;
		}
		rte_pktmbuf_free_bulk(pkts, n);
		total += n;
	} while (n > 0);
	return total;
}

/* From one due time to the next, until nothing is in flight. */
static void
run_dry(enum tp_wire_end end)
{
	uint64_t next;

	receive(end);
	while ((next = tp_wire_next(wire)) != TP_NEVER) {
		assert_true(next >= now || now - next < TP_NS_PER_S);
		if (next > now)
			clock_set(next);
		receive(end);
	}
}

static struct tp_wire_stats
stats(enum tp_wire_dir dir)
{
	struct tp_wire_stats s;

	tp_wire_get_stats(wire, dir, &s);
	return s;
}

static void
test_ideal_wire_keeps_all_both_ways(void **state)
{
	struct tp_wire_stats s;

	(void)state;
	up();
	assert_int_equal(send_frames(TP_WIRE_A, 1, 40, 64), 40);
	assert_int_equal(send_frames(TP_WIRE_B, 100, 3, 64), 3);
	assert_int_equal(stats(TP_WIRE_A_TO_B).in_flight, 40);
	assert_int_equal(receive(TP_WIRE_B), 40);
	assert_int_equal(receive(TP_WIRE_A), 3);
	for (unsigned int i = 0; i < 40; i++)
		assert_int_equal(got.id[i], i + 1);
	assert_int_equal(got.id[40], 100);
	s = stats(TP_WIRE_A_TO_B);
	assert_int_equal(s.sent, 40);
	assert_int_equal(s.sent_bytes, 40 * 64);
	assert_int_equal(s.delivered, 40);
	assert_int_equal(s.delivered_bytes, 40 * 64);
	assert_int_equal(s.in_flight, 0);
	assert_int_equal(stats(TP_WIRE_B_TO_A).delivered, 3);
	assert_true(tp_wire_next(wire) == TP_NEVER);
}

static void
test_receiver_gets_a_fresh_mbuf(void **state)
{
	struct rte_mbuf *m, *back;

	(void)state;
	up();
	m = frame(7, 64);
	m->ol_flags = RTE_MBUF_F_TX_TCP_CKSUM | RTE_MBUF_F_RX_RSS_HASH;
	m->hash.rss = 5;
	m->vlan_tci = 9;
	assert_int_equal(rte_eth_tx_burst(tp_wire_port(wire, TP_WIRE_A), 0, &m, 1), 1);
	assert_int_equal(rte_eth_rx_burst(tp_wire_port(wire, TP_WIRE_B), 0, &back, 1), 1);
	assert_ptr_not_equal(back, m);
	assert_int_equal(back->ol_flags, 0);
	assert_int_equal(back->vlan_tci, 0);
	assert_int_equal(rte_mbuf_refcnt_read(back), 1);
	assert_int_equal(back->pkt_len, 64);
	assert_memory_equal(rte_pktmbuf_mtod(back, void *), rte_pktmbuf_mtod(m, void *), 64);
	assert_int_equal(stats(TP_WIRE_A_TO_B).bad_intent, 1);
	/* The sender's own buffer is free at its next call. */
	assert_int_equal(test_pool_count(test_pool()), TEST_POOL_SIZE - 1);
	receive(TP_WIRE_A);
	assert_int_equal(test_pool_count(test_pool()), TEST_POOL_SIZE);
	rte_pktmbuf_free(back);
}

static void
test_jumbo_chain_arrives_whole(void **state)
{
	struct rte_mbuf *m = frame(0, 1000), *tail, *back;
	uint8_t sent[9000], data[9000];

	(void)state;
	up();
	while (m->pkt_len < 9000) {
		tail = frame(m->pkt_len, 1000);
		memset(rte_pktmbuf_mtod(tail, void *), m->pkt_len / 1000, 900);
		assert_int_equal(rte_pktmbuf_chain(m, tail), 0);
	}
	memcpy(sent, rte_pktmbuf_read(m, 0, 9000, sent), 9000);
	assert_int_equal(rte_eth_tx_burst(tp_wire_port(wire, TP_WIRE_A), 0, &m, 1), 1);
	assert_int_equal(rte_eth_rx_burst(tp_wire_port(wire, TP_WIRE_B), 0, &back, 1), 1);
	assert_int_equal(back->pkt_len, 9000);
	assert_true(back->nb_segs > 1 && back->nb_segs < 9);
	rte_mbuf_sanity_check(back, 1);
	assert_memory_equal(rte_pktmbuf_read(back, 0, 9000, data), sent, 9000);
	rte_pktmbuf_free(back);
}

static void
test_delay_is_exact(void **state)
{
	(void)state;
	conf.dir[TP_WIRE_A_TO_B].delay_ns = 5000;
	up();
	send_frames(TP_WIRE_A, 1, 1, 64);
	clock_set(1100);
	send_frames(TP_WIRE_A, 2, 1, 64);
	assert_int_equal(tp_wire_next(wire), 6000);
	clock_set(5999);
	assert_int_equal(receive(TP_WIRE_B), 0);
	clock_set(6000);
	assert_int_equal(receive(TP_WIRE_B), 1);
	assert_int_equal(tp_wire_next(wire), 6100);
	clock_set(6099);
	assert_int_equal(receive(TP_WIRE_B), 0);
	clock_set(9000);
	assert_int_equal(receive(TP_WIRE_B), 1);
}

static void
test_jitter_varies_but_keeps_order(void **state)
{
	uint64_t least = TP_NEVER, most = 0;

	(void)state;
	conf.dir[TP_WIRE_A_TO_B].delay_ns = 1000;
	conf.dir[TP_WIRE_A_TO_B].jitter_ns = 800;
	up();
	for (unsigned int i = 0; i < 200; i++) {
		clock_set(10000 * (i + 1));
		send_frames(TP_WIRE_A, i, 1, 64);
		run_dry(TP_WIRE_B);
		assert_int_equal(got.nb, i + 1);
		least = RTE_MIN(least, got.at[i] - 10000 * (i + 1));
		most = RTE_MAX(most, got.at[i] - 10000 * (i + 1));
	}
	assert_in_range(least, 1000, 1100);
	assert_in_range(most, 1700, 1800);
	got.nb = 0;
	send_frames(TP_WIRE_A, 0, 200, 64);
	run_dry(TP_WIRE_B);
	assert_int_equal(got.nb, 200);
	for (unsigned int i = 0; i < 200; i++)
		assert_int_equal(got.id[i], i);
}

static void
test_reordered_frames_are_overtaken(void **state)
{
	unsigned int late = 0;

	(void)state;
	conf.dir[TP_WIRE_A_TO_B].reorder_ppm = 100000;
	conf.dir[TP_WIRE_A_TO_B].reorder_ns = 5000;
	up();
	for (unsigned int i = 0; i < 200; i++) {
		send_frames(TP_WIRE_A, i, 1, 64);
		clock_set(now + 1000);
		receive(TP_WIRE_B);
	}
	run_dry(TP_WIRE_B);
	assert_int_equal(got.nb, 200);
	for (unsigned int i = 1; i < got.nb; i++)
		late += got.id[i] < got.id[i - 1];
	assert_in_range(stats(TP_WIRE_A_TO_B).reordered, 8, 40);
	assert_true(late > 0 && late <= stats(TP_WIRE_A_TO_B).reordered);
}

static void
test_loss_dup_and_corruption_by_ppm(void **state)
{
	struct tp_wire_dir_conf *c = &conf.dir[TP_WIRE_A_TO_B];
	struct tp_wire_stats s;

	(void)state;
	c->loss_ppm = 100000;
	c->dup_ppm = 50000;
	c->corrupt_ppm = 20000;
	up();
	for (unsigned int i = 0; i < 3000; i++) {
		assert_int_equal(send_frames(TP_WIRE_A, i, 1, 64), 1);
		receive(TP_WIRE_B);
	}
	s = stats(TP_WIRE_A_TO_B);
	assert_int_equal(s.sent, 3000);
	assert_in_range(s.lost, 240, 360);
	assert_in_range(s.dup, 95, 180);
	assert_in_range(s.corrupted, 25, 90);
	assert_int_equal(s.delivered, s.sent - s.lost + s.dup);
	assert_int_equal(s.delivered, got.nb);
	assert_int_equal(s.in_flight, 0);
}

static void
test_corruption_flips_one_bit(void **state)
{
	struct rte_mbuf *m = frame(1, 64), *back;
	unsigned int bits = 0;
	uint8_t *a, *b;

	(void)state;
	conf.dir[TP_WIRE_A_TO_B].corrupt_ppm = 1000000;
	up();
	assert_int_equal(rte_eth_tx_burst(tp_wire_port(wire, TP_WIRE_A), 0, &m, 1), 1);
	assert_int_equal(rte_eth_rx_burst(tp_wire_port(wire, TP_WIRE_B), 0, &back, 1), 1);
	a = rte_pktmbuf_mtod(m, uint8_t *);
	b = rte_pktmbuf_mtod(back, uint8_t *);
	for (unsigned int i = 0; i < 64; i++)
		bits += __builtin_popcount(a[i] ^ b[i]);
	assert_int_equal(bits, 1);
	rte_pktmbuf_free(back);
}

/* Everything random on; polled every step_ns. */
static void
random_run(uint64_t seed, uint64_t step_ns)
{
	conf.seed = seed;
	conf.dir[TP_WIRE_A_TO_B] = (struct tp_wire_dir_conf){
		.delay_ns = 3000,
		.jitter_ns = 2000,
		.reorder_ns = 9000,
		.reorder_ppm = 50000,
		.loss_ppm = 50000,
		.dup_ppm = 50000,
		.corrupt_ppm = 1,
		.mtu = 1500,
	};
	clock_set(1000);
	got.nb = 0;
	up();
	for (unsigned int i = 0; i < 400; i++) {
		clock_set(1000 + i * 500);
		send_frames(TP_WIRE_A, i, 1, 64);
		if (i * 500 % step_ns == 0)
			receive(TP_WIRE_B);
	}
	run_dry(TP_WIRE_B);
	tp_wire_destroy(wire);
	wire = NULL;
}

static void
test_same_seed_same_fate(void **state)
{
	static struct log first;

	(void)state;
	random_run(42, 500);
	first = got;
	assert_true(first.nb > 300);
	random_run(42, 500);
	assert_int_equal(got.nb, first.nb);
	assert_memory_equal(got.id, first.id, first.nb * sizeof(got.id[0]));
	assert_memory_equal(got.at, first.at, first.nb * sizeof(got.at[0]));
	/* How often the receiver looks changes when it sees them, not which and in what order. */
	random_run(42, 4000);
	assert_int_equal(got.nb, first.nb);
	assert_memory_equal(got.id, first.id, first.nb * sizeof(got.id[0]));
	random_run(43, 500);
	assert_true(got.nb != first.nb ||
	                memcmp(got.id, first.id, first.nb * sizeof(got.id[0])) != 0);
}

static void
test_rate_spaces_frames(void **state)
{
	(void)state;
	/* (101 + 24) * 8 bits at 3 Gbit/s: 333 1/3 ns each, fractions kept. */
	conf.dir[TP_WIRE_A_TO_B].rate_bps = 3000000000;
	up();
	send_frames(TP_WIRE_A, 0, 60, 101);
	run_dry(TP_WIRE_B);
	assert_int_equal(got.nb, 60);
	assert_int_equal(got.at[0], 1333);
	assert_int_equal(got.at[1], 1666);
	assert_int_equal(got.at[2], 2000);
	assert_int_equal(got.at[59], 21000);
	/* An idle line sends at once, and owes nothing. */
	clock_set(100000);
	send_frames(TP_WIRE_A, 60, 1, 101);
	run_dry(TP_WIRE_B);
	assert_int_equal(got.at[60], 100333);
}

static void
test_queue_is_bounded_by_frames_and_bytes(void **state)
{
	struct tp_wire_dir_conf c;

	(void)state;
	conf.dir[TP_WIRE_A_TO_B].rate_bps = 1000000000;
	conf.dir[TP_WIRE_A_TO_B].queue_frames = 10;
	up();
	assert_int_equal(send_frames(TP_WIRE_A, 0, 25, 101), 25);
	assert_int_equal(stats(TP_WIRE_A_TO_B).drop_queue, 15);
	clock_set(now + 1000); /* one has left */
	assert_int_equal(send_frames(TP_WIRE_A, 25, 2, 101), 2);
	assert_int_equal(stats(TP_WIRE_A_TO_B).drop_queue, 16);
	run_dry(TP_WIRE_B);
	assert_int_equal(got.nb, 11);
	assert_int_equal(got.id[9], 9); /* tail drop */
	assert_int_equal(got.id[10], 25);

	tp_wire_get_conf(wire, TP_WIRE_A_TO_B, &c);
	assert_int_equal(c.queue_frames, 10);
	c.queue_frames = 0;
	c.queue_bytes = 505;
	assert_int_equal(tp_wire_set_conf(wire, TP_WIRE_A_TO_B, &c), 0);
	assert_int_equal(send_frames(TP_WIRE_A, 30, 8, 101), 8);
	assert_int_equal(stats(TP_WIRE_A_TO_B).drop_queue, 19);
}

static void
test_backpressure_refuses_instead_of_dropping(void **state)
{
	struct tp_wire_stats s;
	struct rte_mbuf *pkts[20];

	(void)state;
	conf.dir[TP_WIRE_A_TO_B].rate_bps = 1000000000;
	conf.dir[TP_WIRE_A_TO_B].queue_frames = 10;
	conf.dir[TP_WIRE_A_TO_B].backpressure = true;
	up();
	for (unsigned int i = 0; i < 20; i++)
		pkts[i] = frame(i, 101);
	assert_int_equal(rte_eth_tx_burst(tp_wire_port(wire, TP_WIRE_A), 0, pkts, 20), 10);
	clock_set(now + 3000);
	assert_int_equal(rte_eth_tx_burst(tp_wire_port(wire, TP_WIRE_A), 0, pkts + 10, 10), 3);
	run_dry(TP_WIRE_B);
	assert_int_equal(got.nb, 13);
	for (unsigned int i = 0; i < 13; i++)
		assert_int_equal(got.id[i], i);
	s = stats(TP_WIRE_A_TO_B);
	assert_int_equal(s.sent, 13);
	assert_int_equal(s.not_taken, 17);
	assert_int_equal(s.drop_queue, 0);
	rte_pktmbuf_free_bulk(pkts + 13, 7);
}

static void
test_receiver_that_does_not_poll(void **state)
{
	struct tp_wire_dir_conf c;

	(void)state;
	up();
	/* A ring of 256 holds 255. */
	assert_int_equal(send_frames(TP_WIRE_A, 0, 300, 64), 300);
	assert_int_equal(stats(TP_WIRE_A_TO_B).drop_ring, 45);
	tp_wire_get_conf(wire, TP_WIRE_A_TO_B, &c);
	c.backpressure = true;
	assert_int_equal(tp_wire_set_conf(wire, TP_WIRE_A_TO_B, &c), 0);
	assert_int_equal(send_frames(TP_WIRE_A, 0, 5, 64), 0);
	assert_int_equal(receive(TP_WIRE_B), 255);
	assert_int_equal(send_frames(TP_WIRE_A, 0, 5, 64), 5);
	assert_int_equal(stats(TP_WIRE_A_TO_B).in_flight, 5);
}

static void
test_receiver_that_holds_all_buffers(void **state)
{
	struct rte_mbuf *held[1024];
	unsigned int nb = 0;
	uint16_t port;

	(void)state;
	up();
	port = tp_wire_port(wire, TP_WIRE_B);
	while (stats(TP_WIRE_A_TO_B).drop_mbuf == 0) {
		assert_true(nb < RTE_DIM(held) - BURST);
		assert_int_equal(send_frames(TP_WIRE_A, nb, 1, 64), 1);
		nb += rte_eth_rx_burst(port, 0, held + nb, BURST);
	}
	assert_in_range(nb, 256, 512);
	rte_pktmbuf_free_bulk(held, nb);
	assert_int_equal(send_frames(TP_WIRE_A, 0, 1, 64), 1);
	assert_int_equal(receive(TP_WIRE_B), 1);
}

static void
test_mtu_counts_from_layer_3(void **state)
{
	struct rte_mbuf *m;
	uint8_t *p;

	(void)state;
	conf.dir[TP_WIRE_A_TO_B].mtu = 1500;
	up();
	send_frames(TP_WIRE_A, 0, 1, 1514);
	send_frames(TP_WIRE_A, 1, 1, 1515);
	m = frame(2, 1518);
	p = rte_pktmbuf_mtod(m, uint8_t *);
	p[12] = 0x81;
	p[13] = 0;
	assert_int_equal(rte_eth_tx_burst(tp_wire_port(wire, TP_WIRE_A), 0, &m, 1), 1);
	m = frame(0, 5); /* not even a header: no harm */
	assert_int_equal(rte_eth_tx_burst(tp_wire_port(wire, TP_WIRE_A), 0, &m, 1), 1);
	assert_int_equal(stats(TP_WIRE_A_TO_B).drop_mtu, 1);
	assert_int_equal(stats(TP_WIRE_A_TO_B).in_flight, 3);
}

struct tapped {
	unsigned int nb[3];
	uint64_t last;
};

static void
tap(void *arg, enum tp_wire_dir dir, enum tp_wire_event event, const struct rte_mbuf *m,
                uint64_t at)
{
	struct tapped *t = arg;

	assert_int_equal(dir, TP_WIRE_B_TO_A);
	assert_int_equal(m->pkt_len, 64);
	t->nb[event]++;
	t->last = at;
}

static void
test_tap_sees_every_frame(void **state)
{
	struct tapped t = { { 0 }, 0 };

	(void)state;
	conf.tap = tap;
	conf.tap_arg = &t;
	conf.dir[TP_WIRE_B_TO_A].loss_ppm = 300000;
	conf.dir[TP_WIRE_B_TO_A].delay_ns = 10;
	up();
	send_frames(TP_WIRE_B, 0, 100, 64);
	assert_int_equal(t.nb[TP_WIRE_SENT], 100);
	assert_int_equal(t.last, 1000);
	run_dry(TP_WIRE_A);
	assert_int_equal(t.last, 1010);
	assert_in_range(t.nb[TP_WIRE_LOST], 10, 50);
	assert_int_equal(t.nb[TP_WIRE_DELIVERED] + t.nb[TP_WIRE_LOST], 100);
}

static void
test_destroy_frees_what_is_in_flight(void **state)
{
	(void)state;
	conf.dir[TP_WIRE_A_TO_B].delay_ns = TP_NS_PER_S;
	up();
	send_frames(TP_WIRE_A, 0, 50, 64); /* some in the heap, some in the ring, one in the port */
	receive(TP_WIRE_B);
	send_frames(TP_WIRE_A, 0, 50, 64);
	tp_wire_destroy(wire);
	wire = NULL;
	assert_int_equal(test_pool_count(test_pool()), TEST_POOL_SIZE);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_ideal_wire_keeps_all_both_ways),
		T(test_receiver_gets_a_fresh_mbuf),
		T(test_jumbo_chain_arrives_whole),
		T(test_delay_is_exact),
		T(test_jitter_varies_but_keeps_order),
		T(test_reordered_frames_are_overtaken),
		T(test_loss_dup_and_corruption_by_ppm),
		T(test_corruption_flips_one_bit),
		T(test_same_seed_same_fate),
		T(test_rate_spaces_frames),
		T(test_queue_is_bounded_by_frames_and_bytes),
		T(test_backpressure_refuses_instead_of_dropping),
		T(test_receiver_that_does_not_poll),
		T(test_receiver_that_holds_all_buffers),
		T(test_mtu_counts_from_layer_3),
		T(test_tap_sees_every_frame),
		T(test_destroy_frees_what_is_in_flight),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
