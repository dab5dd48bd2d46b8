/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* What the kernels for bursts share, whatever their unit: how they get at frames, and what they do
 * with those that are too odd for them. Each includes it and compiles it with its own flags.
 */
#ifndef FLOW_KERNEL_INT_H
#define FLOW_KERNEL_INT_H

#include "flow_int.h"

#define LANES 16
#define HEAD_NEED 42 /* Ethernet, IPv4 and ports behind a tag */
#define TAIL_NEED 58 /* Ethernet, IPv6 and ports */
#define TAG_LEN 4

alignas(64) static const uint8_t zeros[64];

/* The beginning of a frame, or zeros where it has less than `need` bytes. In C the choice becomes
 * a branch with loads in both arms, or takes twice the instructions.
 */
static __rte_always_inline const uint8_t *
frame_of(const struct rte_mbuf *m, uint16_t need)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);

	asm("cmpw %w[need], %[len]\n\tcmovb %[zeros], %[p]"
	                : [p] "+r"(p)
	                : [len] "m"(m->data_len), [need] "ri"(need), [zeros] "r"(zeros)
	                : "cc");
	return p;
}

/* Frames first..first+15 of a burst. @param room [LANES] for a group that is not full */
static __rte_always_inline struct rte_mbuf *const *
group_of(struct rte_mbuf *const *pkts, uint16_t first, uint16_t nb_pkts, struct rte_mbuf **room)
{
	static struct rte_mbuf nothing; /* without data: odd */

	if (likely(first + LANES <= nb_pkts))
		return &pkts[first];
	for (uint16_t i = 0; i < LANES; i++)
		room[i] = first + i < nb_pkts ? pkts[first + i] : &nothing;
	return room;
}

/* A bit for each frame. */
static __rte_always_inline uint64_t
all_of(uint16_t nb_pkts)
{
	return nb_pkts < TP_BURST_MAX ? (UINT64_C(1) << nb_pkts) - 1 : UINT64_MAX;
}

/* Frames that the vector code left over. @return those that control may want to see */
static __rte_noinline uint64_t
hash_odd(const struct tp_flow *flow, struct rte_mbuf *const *pkts, uint64_t odd, uint32_t *hash)
{
	struct tp_pkt_info info;
	uint64_t special = 0;

	for (; odd != 0; odd &= odd - 1) {
		unsigned int i = (unsigned int)__builtin_ctzll(odd);

		tp_pkt_parse_odd(pkts[i], &info);
		special |= (uint64_t)flow_hash_parsed(flow, pkts[i], &info, &hash[i]) << i;
	}
	return special;
}

#endif
