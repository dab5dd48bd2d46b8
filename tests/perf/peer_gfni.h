/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/**
 * @file
 * DPDK's vectorised Toeplitz hash. Its header compiles to nothing without GFNI and AVX-512
 * flags, which Debian's build of DPDK does not hand on; only peer_gfni.c has them.
 */
#ifndef PEER_GFNI_H
#define PEER_GFNI_H

#include <stdint.h>

/** rte_thash_gfni_bulk(). Only on CPUs with AVX-512 and GFNI. */
void peer_gfni_bulk(
                const uint64_t *matrix, int len, uint8_t *tuple[], uint32_t hash[], uint32_t num);

#endif /* PEER_GFNI_H */
