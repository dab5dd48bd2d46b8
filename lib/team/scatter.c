/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <errno.h>

#include "scatter_int.h"

void
scatter_scalar(const uint8_t *map, uint32_t nb_buckets, uint8_t nb_members,
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

/* By enum tp_flow_isa: its checks of the CPU hold for these too. */
static const scatter_fn units[TP_FLOW_NB_ISAS] = {
	[TP_FLOW_ISA_SCALAR] = scatter_scalar,
	[TP_FLOW_ISA_SSE42] = scatter_sse42,
	[TP_FLOW_ISA_AVX2] = scatter_sse42, /* no use for wider vectors without compression */
	[TP_FLOW_ISA_AVX512] = scatter_avx512,
};

static scatter_fn scatter = scatter_scalar;

int
tp_team_scatter_isa(enum tp_flow_isa isa)
{
	if (isa > TP_FLOW_ISA_BEST)
		return -EINVAL;
	if (isa == TP_FLOW_ISA_BEST)
		isa = tp_flow_isa_best();
	else if (!tp_flow_isa_supported(isa))
		return -ENOTSUP;
	scatter = units[isa];
	return 0;
}

RTE_INIT(choose_scatter)
{
	tp_team_scatter_isa(TP_FLOW_ISA_BEST);
}

void
tp_team_scatter(const uint8_t *map, uint32_t nb_buckets, uint8_t nb_members,
                struct rte_mbuf *const *pkts, const uint32_t *hash, uint16_t nb_pkts,
                struct tp_scatter *out)
{
	scatter(map, nb_buckets, nb_members, pkts, hash, nb_pkts, out);
}
