/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Path MTU by destination: single words in a small table that any lcore reads and writes; the last
 * one to learn something wins, and what is lost is learned again.
 */

#include "inet_int.h"

#define KEEP_S 600
#define MIN_V4 552 /* as Linux' min_pmtu: smaller ones are attacks */
#define MIN_V6 1280

/* A word: tag of the address (32 bits), second it was learned in (16), MTU (16); 0: none. */
static uint32_t
tag_of(const struct tp_inet *inet, const uint8_t raddr[TP_INET_LEN])
{
	return inet_hash(inet, raddr, 16) | 1;
}

uint16_t
tp_inet_pmtu(const struct tp_inet *inet, const uint8_t raddr[TP_INET_LEN], uint64_t now)
{
	uint16_t mtu = inet_view(inet)->mtu;
	uint32_t tag = tag_of(inet, raddr);
	uint64_t word = atomic_load_explicit(&inet->pmtu[tag / 2 % NB_PMTU], memory_order_relaxed);
	uint16_t age_s = (uint16_t)(now / TP_NS_PER_S) - (uint16_t)(word >> 16);

	if (word >> 32 != tag || age_s >= KEEP_S)
		return mtu;
	return RTE_MIN(mtu, (uint16_t)word);
}

void
tp_inet_pmtu_learn(const struct tp_inet *inet, const uint8_t raddr[TP_INET_LEN], uint16_t mtu,
                uint64_t now)
{
	uint32_t tag = tag_of(inet, raddr);
	uint16_t min = tp_inet_is_v4(raddr) ? MIN_V4 : MIN_V6;

	atomic_store_explicit(&inet->pmtu[tag / 2 % NB_PMTU],
	                (uint64_t)tag << 32 | (uint32_t)(uint16_t)(now / TP_NS_PER_S) << 16 |
	                                RTE_MAX(mtu, min),
	                memory_order_relaxed);
}
