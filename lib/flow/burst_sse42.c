/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* The portable unit: every CPU that DPDK supports has SSE4.2. */

#include "flow_int.h"

/* For burst_narrow.h. */
static void
hash_list(const struct tp_flow *flow, const uint8_t *const *p, uint16_t len, uint16_t nb,
                uint32_t *hash)
{
	for (uint16_t i = 0; i < nb; i++)
		flow_toeplitz_scalar(flow, p[i], len, 1, &hash[i]);
}

#include "burst_narrow.h"

flow_burst_fn
flow_burst_sse42(const struct tp_flow_conf *conf)
{
	return kernel_for(conf);
}

/* Tuples of a constant length, eight a turn: crc32 can begin one each cycle but takes three, and the
 * end of a loop of few turns is predicted.
 */
static __rte_always_inline void
crc_tuples(const uint8_t *tuples, const uint16_t len, uint16_t nb, uint32_t *hash)
{
	for (; nb >= 8; nb -= 8, tuples += 8 * len, hash += 8) {
#pragma GCC unroll 8
		for (unsigned int i = 0; i < 8; i++)
			hash[i] = ~(uint32_t)crc_add(UINT32_MAX, tuples + i * len, len);
	}
	for (; nb > 0; nb--, tuples += len)
		*hash++ = ~(uint32_t)crc_add(UINT32_MAX, tuples, len);
}

void
flow_crc32c_sse42(const struct tp_flow *flow, const uint8_t *tuples, uint16_t len, uint16_t nb,
                uint32_t *hash)
{
	if (len == 12)
		crc_tuples(tuples, 12, nb, hash);
	else if (len == 36)
		crc_tuples(tuples, 36, nb, hash);
	else if (len % 4 != 0)
		flow_crc32c_scalar(flow, tuples, len, nb, hash);
	else
		for (uint16_t i = 0; i < nb; i++, tuples += len)
			hash[i] = ~(uint32_t)crc_add(UINT32_MAX, tuples, len);
}
