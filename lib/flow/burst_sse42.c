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

void
flow_crc32c_sse42(const struct tp_flow *flow, const uint8_t *tuples, uint16_t len, uint16_t nb,
                uint32_t *hash)
{
	if (len % 4 != 0) {
		flow_crc32c_scalar(flow, tuples, len, nb, hash);
		return;
	}
	for (uint16_t i = 0; i < nb; i++, tuples += len) {
		uint64_t crc = UINT32_MAX;

		if (len == 12)
			crc = crc_add(crc, tuples, 12);
		else if (len == 36)
			crc = crc_add(crc, tuples, 36);
		else
			crc = crc_add(crc, tuples, len);
		hash[i] = ~(uint32_t)crc;
	}
}
