/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include "peer_gfni.h"

#include <rte_thash.h>

#ifndef RTE_THASH_GFNI_DEFINED
#error "this file is to be built with AVX-512 and GFNI"
#endif

void
peer_gfni_bulk(const uint64_t *matrix, int len, uint8_t *tuple[], uint32_t hash[], uint32_t num)
{
	rte_thash_gfni_bulk(matrix, len, tuple, hash, num);
}
