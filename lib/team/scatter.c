/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include "tp_team.h"

/* Slot of the frames that no member gets. */
#define SLOT_NONE TP_MAX_MEMBERS
#define NB_SLOTS (TP_MAX_MEMBERS + 1)

void
tp_team_scatter(const uint8_t *map, uint32_t nb_buckets, uint8_t nb_members,
                struct rte_mbuf *const *pkts, const uint32_t *hash, uint16_t nb_pkts,
                struct tp_scatter *out)
{
	uint16_t next[NB_SLOTS] = { 0 };
	uint8_t slot[TP_BURST_MAX];
	uint16_t sum = 0;

	for (uint16_t i = 0; i < nb_pkts; i++) {
		out->bucket[i] = tp_bucket_of(hash[i], nb_buckets);
		slot[i] = RTE_MIN(map[out->bucket[i]], SLOT_NONE);
		next[slot[i]]++;
	}
	out->mask = 0;
	for (unsigned int s = 0; s < NB_SLOTS; s++) {
		out->first[s] = sum;
		sum += next[s];
		if (s < nb_members && next[s] > 0)
			out->mask |= UINT32_C(1) << s;
		next[s] = out->first[s];
	}
	out->first[NB_SLOTS] = sum;
	for (uint16_t i = 0; i < nb_pkts; i++)
		out->pkts[next[slot[i]]++] = pkts[i];
}
