/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* The narrow burst again, as AVX2 code: three operands, and Toeplitz by tuples_avx2.c. */

#include "burst_narrow.h"

flow_burst_fn
flow_burst_avx2(const struct tp_flow_conf *conf)
{
	return kernel_for(conf);
}
