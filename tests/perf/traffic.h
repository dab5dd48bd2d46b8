/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/**
 * @file
 * Frames for benches: which headers, and which flow each belongs to.
 */
#ifndef TRAFFIC_H
#define TRAFFIC_H

#include <stdint.h>

#include <rte_mbuf.h>

enum traffic {
	TRAFFIC_V4,  /**< TCP and UDP over IPv4 */
	TRAFFIC_V6,  /**< TCP and UDP over IPv6 */
	TRAFFIC_MIX, /**< one half each, in random order */
	TRAFFIC_ODD, /**< as TRAFFIC_MIX; 10 % tagged, 5 % ARP, IP options, extensions or QinQ */
};

/** A 64-bit random number that is the same for the same x. */
uint64_t traffic_random(uint64_t x);

/** Make m the frame of a flow; the same flow gives the same frame. Random addresses and ports,
 * a quarter UDP, IPv4 frames of 64 and IPv6 frames of 78 bytes.
 * @param m one segment, room for 100 bytes; its data is written anew */
void traffic_frame(struct rte_mbuf *m, enum traffic kind, uint32_t flow);

/** A UDP frame with these addresses and ports, IPv4, host byte order. */
void traffic_udp4(struct rte_mbuf *m, uint32_t src, uint32_t dst, uint16_t sport, uint16_t dport);

#endif /* TRAFFIC_H */
