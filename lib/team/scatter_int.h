/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Between tp_team_scatter() and its vector units. */
#ifndef SCATTER_INT_H
#define SCATTER_INT_H

#include "tp_team.h"

/* Slot of the frames that no member gets. */
#define SLOT_NONE TP_MAX_MEMBERS
#define NB_SLOTS (TP_MAX_MEMBERS + 1)

/* As tp_team_scatter(). */
typedef void (*scatter_fn)(const uint8_t *map, uint32_t nb_buckets, uint8_t nb_members,
                struct rte_mbuf *const *pkts, const uint32_t *hash, uint16_t nb_pkts,
                struct tp_scatter *out);

void scatter_scalar(const uint8_t *map, uint32_t nb_buckets, uint8_t nb_members,
                struct rte_mbuf *const *pkts, const uint32_t *hash, uint16_t nb_pkts,
                struct tp_scatter *out);
void scatter_sse42(const uint8_t *map, uint32_t nb_buckets, uint8_t nb_members,
                struct rte_mbuf *const *pkts, const uint32_t *hash, uint16_t nb_pkts,
                struct tp_scatter *out);
void scatter_avx512(const uint8_t *map, uint32_t nb_buckets, uint8_t nb_members,
                struct rte_mbuf *const *pkts, const uint32_t *hash, uint16_t nb_pkts,
                struct tp_scatter *out);

#endif
