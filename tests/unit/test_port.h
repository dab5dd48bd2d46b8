/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/**
 * @file
 * A port whose transmitted frames the test takes from a ring, in order. It refuses frames when
 * the ring is full.
 */
#ifndef TEST_PORT_H
#define TEST_PORT_H

#include <stdio.h>

#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_ring.h>

#include "test_eal.h"
#include "test_frames.h"

struct test_port {
	uint16_t id;
	struct rte_ring *ring;
};

/** @param size of the ring, a power of two: the port takes size - 1 frames */
static inline struct test_port
test_port_open(unsigned int size)
{
	static unsigned int nb;
	struct rte_eth_conf conf = { 0 };
	struct test_port port;
	char name[32];
	int id;

	snprintf(name, sizeof(name), "port%u", nb++);
	port.ring = rte_ring_create(name, size, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	assert_non_null(port.ring);
	id = rte_eth_from_ring(port.ring);
	assert_true(id >= 0);
	port.id = id;
	conf.txmode.offloads = RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	assert_int_equal(rte_eth_dev_configure(id, 0, 1, &conf), 0);
	assert_int_equal(rte_eth_tx_queue_setup(id, 0, 64, SOCKET_ID_ANY, NULL), 0);
	assert_int_equal(rte_eth_dev_start(id), 0);
	return port;
}

/** @return the oldest frame that was transmitted, the caller's; NULL: none */
static inline struct rte_mbuf *
test_port_take(const struct test_port *port)
{
	void *m = NULL;

	rte_ring_dequeue(port->ring, &m);
	return m;
}

/** Frames left on the ring are freed. */
static inline void
test_port_close(const struct test_port *port)
{
	struct rte_mbuf *m;

	while ((m = test_port_take(port)) != NULL)
		rte_pktmbuf_free(m);
	assert_int_equal(rte_eth_dev_stop(port->id), 0);
	assert_int_equal(rte_eth_dev_close(port->id), 0);
	rte_ring_free(port->ring);
}

/** The frame in segments of seg_len bytes. */
static inline struct rte_mbuf *
frame_mbuf(const struct frame *f, uint32_t seg_len)
{
	struct rte_mbuf *m = test_mbuf(f->b, f->len < seg_len ? f->len : seg_len);
	uint32_t n;

	for (uint32_t at = seg_len; at < f->len; at += n) {
		n = f->len - at < seg_len ? f->len - at : seg_len;
		assert_int_equal(rte_pktmbuf_chain(m, test_mbuf(f->b + at, n)), 0);
	}
	return m;
}

/** Read a frame back; m is freed. */
static inline void
frame_from_mbuf(struct frame *f, struct rte_mbuf *m)
{
	const void *p;

	assert_non_null(m);
	rte_mbuf_sanity_check(m, 1);
	frame_reset(f);
	f->len = m->pkt_len;
	assert_true(f->len <= sizeof(f->b));
	p = rte_pktmbuf_read(m, 0, f->len, f->b);
	assert_non_null(p);
	if (p != f->b)
		memcpy(f->b, p, f->len);
	rte_pktmbuf_free(m);
}

#endif
