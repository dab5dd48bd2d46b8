/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* The narrow burst as AVX2 code. */

#include "toeplitz_avx2.h"

/* For burst_narrow.h. */
static void
hash_list(const struct tp_flow *flow, const uint8_t *const *p, uint16_t len, uint16_t nb,
                uint32_t *hash)
{
	if (len == 8 || len == 12 || len == 32 || len == 36) {
		toeplitz_list(flow, p, len, nb, hash);
		return;
	}
	for (uint16_t i = 0; i < nb; i++)
		flow_toeplitz_scalar(flow, p[i], len, 1, &hash[i]);
}

#include "burst_narrow.h"

flow_burst_fn
flow_burst_avx2(const struct tp_flow_conf *conf)
{
	return kernel_for(conf);
}
