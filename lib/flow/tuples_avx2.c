/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Toeplitz of ready tuples with AVX2. */

#include "toeplitz_avx2.h"

void
flow_toeplitz_avx2(const struct tp_flow *flow, const uint8_t *tuples, uint16_t len, uint16_t nb,
                uint32_t *hash)
{
	const uint8_t *p[TP_BURST_MAX];
	uint8_t last[48] = { 0 };

	if (len != 12 && len != 36) {
		flow_toeplitz_scalar(flow, tuples, len, nb, hash);
		return;
	}
	while (nb > 0) {
		uint16_t n = RTE_MIN(nb, TP_BURST_MAX);

		for (uint16_t i = 0; i < n; i++, tuples += len)
			p[i] = tuples;
		/* Whole registers are loaded: behind the last tuple there may be nothing to read. */
		if (n == nb) {
			memcpy(last, p[n - 1], len);
			p[n - 1] = last;
		}
		toeplitz_list(flow, p, len, n, hash);
		nb -= n;
		hash += n;
	}
}
