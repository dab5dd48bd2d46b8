/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/**
 * @file
 * Streams that know what they have to be, the echo that sends them back, and the wire between two
 * engines: for tests of lib/toe with two teams.
 */
#ifndef TEST_FLOW_H
#define TEST_FLOW_H

#include "tp_toe.h"

/** @param state the sequence's, changed. @return 0..n - 1 */
uint64_t flow_random(uint64_t *state, uint64_t n);

/** Write what octets at, at + 1, ... of a flow are. */
void flow_fill(uint8_t *data, uint32_t len, uint32_t flow, uint32_t at);
/** Is that what octets at, at + 1, ... of the flow are? */
bool flow_is(const struct rte_mbuf *chain, uint32_t flow, uint32_t at);

/** What egress and a wire make of a frame: one buffer, good checksums. @param m consumed
 * @return NULL: no buffer
 */
struct rte_mbuf *flow_on_wire(struct rte_mbuf *m, struct rte_mempool *pool);

/** Echo: send back what is held if it fits, credit it, and close when all is sent and the peer is done.
 * @param held what waits, or NULL
 */
void flow_echo(struct tp_toe_call *call, struct rte_mbuf **held);
/** The same with data that has come. @param data consumed */
void flow_echo_data(struct tp_toe_call *call, struct rte_mbuf **held, struct rte_mbuf *data);

#endif
