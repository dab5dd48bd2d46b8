/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <rte_cpuflags.h>

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

scatter_fn scatter_best = scatter_scalar;

RTE_INIT(choose_scatter)
{
	static const enum rte_cpu_flag_t flags[] = { RTE_CPUFLAG_AVX512F, RTE_CPUFLAG_AVX512BW,
		RTE_CPUFLAG_AVX512VL, RTE_CPUFLAG_AVX512DQ, RTE_CPUFLAG_AVX512VBMI,
		RTE_CPUFLAG_AVX512VBMI2, RTE_CPUFLAG_BMI2 };

	for (size_t i = 0; i < RTE_DIM(flags); i++)
		if (rte_cpu_get_flag_enabled(flags[i]) != 1)
			return;
	/* CPUID tells what the CPU has; this also asks whether the kernel saves it. */
	if (__builtin_cpu_supports("avx512f"))
		scatter_best = scatter_avx512;
}

void
tp_team_scatter(const uint8_t *map, uint32_t nb_buckets, uint8_t nb_members,
                struct rte_mbuf *const *pkts, const uint32_t *hash, uint16_t nb_pkts,
                struct tp_scatter *out)
{
	scatter_best(map, nb_buckets, nb_members, pkts, hash, nb_pkts, out);
}
