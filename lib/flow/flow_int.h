/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Inside lib/flow: what the vector units share.
 *
 * A frame is hashed as a tuple, a byte string in wire order that its policy puts together
 * (tuple.c is the definition; the kernels agree with it bit by bit):
 *
 *	L34		source IP, destination IP, source port, destination port (or zeros)
 *	L23		source IP, destination IP, destination MAC, source MAC
 *	DST		destination IP; in FCoE a zero byte and D_ID
 *	VLAN_SRCMAC	VLAN id (zero without a tag), source MAC
 *	FC		zero, S_ID, zero, D_ID, OX_ID, zero, zero; as L34 without FCoE
 *	L2, others	destination MAC, source MAC, EtherType (zero for a length), zero, zero
 */
#ifndef FLOW_INT_H
#define FLOW_INT_H

#include <string.h>

#include "tp_flow.h"
#include "tp_pkt.h"

/* The longest: L23 over IPv6. Byte 40 and those behind it see the key repeated. */
#define FLOW_TUPLE_MAX 44
/* Groups of four neighbouring bytes, those that reach over an edge of the tuple included. */
#define FLOW_NB_WINDOWS (FLOW_TUPLE_MAX + 3)

/* A tag that is in the mbuf now. */
#define STRIPPED (RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_QINQ_STRIPPED)

typedef uint64_t (*flow_burst_fn)(const struct tp_flow *flow, struct rte_mbuf **pkts,
                uint16_t nb_pkts, uint32_t *hash);
typedef void (*flow_tuples_fn)(const struct tp_flow *flow, const uint8_t *tuples, uint16_t len,
                uint16_t nb, uint32_t *hash);

struct tp_flow {
	struct tp_flow_conf conf;
	flow_burst_fn burst;
	flow_burst_fn burst_all; /* without the ports' help */
	flow_tuples_fn tuples;
	/* Toeplitz for GF2P8AFFINEQB: row c of matrix s is the key's bits 8s+c..8s+c+7. */
	alignas(64) uint64_t matrix[RTE_ALIGN_CEIL(FLOW_NB_WINDOWS, 8)];
	/* Toeplitz for PSHUFB: the same matrices times 0..15 and times 16 x 0..15. */
	alignas(16) uint8_t nibble[FLOW_NB_WINDOWS][2][16];
	/* Toeplitz: table[j][b] is what byte j adds to the hash when it has value b.
	 * CRC32C: table[0][b] is the remainder of b, for CPUs without the instruction.
	 */
	uint32_t table[FLOW_TUPLE_MAX][256];
};

/* ---- unaligned words, in the order of memory ---------------------------------- */

static __rte_always_inline uint16_t
load16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static __rte_always_inline uint32_t
load32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static __rte_always_inline uint64_t
load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* ---- tuple.c --------------------------------------------------------------- */

/* Put a frame's tuple together.
 * @param tuple [FLOW_TUPLE_MAX] out
 * @return its length
 */
uint16_t flow_tuple(const struct tp_flow_conf *conf, const struct rte_mbuf *m,
                const struct tp_pkt_info *info, uint8_t *tuple);

/* Hash one frame of any kind: what each kernel does with frames that are too odd for it.
 * @return whether control may want to see it
 */
bool flow_hash_parsed(const struct tp_flow *flow, const struct rte_mbuf *m,
                const struct tp_pkt_info *info, uint32_t *hash);

/* ---- rss.c ------------------------------------------------------------------ */

/* Can a port's RSS compute this hash at all? */
bool flow_rss_possible(const struct tp_flow_conf *conf);
/* Take the hashes that ports have computed; flow->burst_all() does the rest. */
uint64_t flow_burst_rss(const struct tp_flow *flow, struct rte_mbuf **pkts, uint16_t nb_pkts,
                uint32_t *hash);

/* ---- scalar.c -------------------------------------------------------------- */

/* Fill flow->table for flow->conf. */
void flow_toeplitz_tables(struct tp_flow *flow);
void flow_crc32c_tables(struct tp_flow *flow);

uint64_t flow_burst_scalar(const struct tp_flow *flow, struct rte_mbuf **pkts, uint16_t nb_pkts,
                uint32_t *hash);
void flow_toeplitz_scalar(const struct tp_flow *flow, const uint8_t *tuples, uint16_t len,
                uint16_t nb, uint32_t *hash);
void flow_crc32c_scalar(const struct tp_flow *flow, const uint8_t *tuples, uint16_t len,
                uint16_t nb, uint32_t *hash);

/* ---- burst_sse42.c, *_avx2.c ------------------------------------------------ */

/* The kernel for a configuration. */
flow_burst_fn flow_burst_sse42(const struct tp_flow_conf *conf);
flow_burst_fn flow_burst_avx2(const struct tp_flow_conf *conf);
void flow_crc32c_sse42(const struct tp_flow *flow, const uint8_t *tuples, uint16_t len, uint16_t nb,
                uint32_t *hash);
void flow_toeplitz_avx2(const struct tp_flow *flow, const uint8_t *tuples, uint16_t len,
                uint16_t nb, uint32_t *hash);

/* ---- *_avx512.c -------------------------------------------------------------- */

/* The kernel for a policy. */
flow_burst_fn flow_burst_avx512(const struct tp_flow_conf *conf);
void flow_toeplitz_avx512(const struct tp_flow *flow, const uint8_t *tuples, uint16_t len,
                uint16_t nb, uint32_t *hash);

#endif
