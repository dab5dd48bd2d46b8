/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Hashes for any CPU, and the reference that the vector kernels are held against. */

#include <string.h>

#include <rte_byteorder.h>
#include <rte_common.h>

#include "flow_int.h"

#define CRC32C_POLY_REFLECTED UINT32_C(0x82f63b78)

/* ---- Toeplitz (Microsoft RSS) ---------------------------------------------- */

/* 32 bits of the key from bit `pos` on; the key repeats behind its end. */
static uint32_t
key_bits(const uint8_t *key, unsigned int pos)
{
	uint64_t bits = 0;

	for (unsigned int i = 0; i < 5; i++)
		bits = bits << 8 | key[(pos / 8 + i) % TP_FLOW_KEY_LEN];
	return (uint32_t)(bits >> (8 - pos % 8));
}

static void
fill_bytes(struct tp_flow *flow)
{
	for (unsigned int j = 0; j < FLOW_TUPLE_MAX; j++) {
		uint32_t *t = flow->table[j];

		t[0] = 0;
		for (unsigned int bit = 0; bit < 8; bit++)
			t[0x80 >> bit] = key_bits(flow->conf.key, 8 * j + bit);
		/* The hash is linear: the rest are sums of single bits. */
		for (unsigned int b = 1; b < 256; b++)
			t[b] = t[b & (b - 1)] ^ t[b & -b];
	}
}

/* A window's matrix maps bit `bit` of a byte to the eight key bits from 8 * s + bit on. */
static void
fill_window(struct tp_flow *flow, unsigned int s)
{
	flow->matrix[s] = 0;
	for (unsigned int bit = 0; bit < 8; bit++) {
		uint8_t bits = key_bits(flow->conf.key, 8 * s + bit) >> 24;
		unsigned int half = bit < 4, step = 8 >> bit % 4;

		flow->matrix[s] |= (uint64_t)bits << 8 * bit;
		for (unsigned int b = 0; b < 16; b++)
			if (b & step)
				flow->nibble[s][half][b] ^= bits;
	}
}

void
flow_toeplitz_tables(struct tp_flow *flow)
{
	memset(flow->nibble, 0, sizeof(flow->nibble));
	fill_bytes(flow);
	for (unsigned int s = 0; s < FLOW_NB_WINDOWS; s++)
		fill_window(flow, s);
}

/* Four bytes of a tuple at a time: loads are what bounds this, and extraction is none. */
static inline uint32_t
toeplitz_words(const struct tp_flow *flow, const uint8_t *tuple, unsigned int nb_words)
{
	uint32_t hash = 0;

	for (unsigned int w = 0; w < nb_words; w++) {
		const uint32_t(*t)[256] = &flow->table[4 * w];
		uint32_t word;

		memcpy(&word, tuple + 4 * w, sizeof(word));
		word = rte_le_to_cpu_32(word);
		hash ^= t[0][word & 0xff] ^ t[1][word >> 8 & 0xff] ^ t[2][word >> 16 & 0xff] ^
		        t[3][word >> 24];
	}
	return hash;
}

void
flow_toeplitz_scalar(const struct tp_flow *flow, const uint8_t *tuples, uint16_t len, uint16_t nb,
                uint32_t *hash)
{
	for (uint16_t i = 0; i < nb; i++, tuples += len) {
		uint32_t h;

		if (len == 12)
			h = toeplitz_words(flow, tuples, 3);
		else if (len == 36)
			h = toeplitz_words(flow, tuples, 9);
		else
			h = toeplitz_words(flow, tuples, len / 4);
		for (uint16_t j = len & ~3u; j < len; j++)
			h ^= flow->table[j][tuples[j]];
		hash[i] = h;
	}
}

/* ---- CRC32C (RFC 3720 B.4) ------------------------------------------------- */

void
flow_crc32c_tables(struct tp_flow *flow)
{
	for (uint32_t b = 0; b < 256; b++) {
		uint32_t crc = b;

		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? CRC32C_POLY_REFLECTED : 0);
		flow->table[0][b] = crc;
	}
}

void
flow_crc32c_scalar(const struct tp_flow *flow, const uint8_t *tuples, uint16_t len, uint16_t nb,
                uint32_t *hash)
{
	for (uint16_t i = 0; i < nb; i++, tuples += len) {
		uint32_t crc = UINT32_MAX;

		for (uint16_t j = 0; j < len; j++)
			crc = crc >> 8 ^ flow->table[0][(uint8_t)crc ^ tuples[j]];
		hash[i] = ~crc;
	}
}

/* ---- frames ---------------------------------------------------------------- */

uint64_t
flow_burst_scalar(const struct tp_flow *flow, struct rte_mbuf **pkts, uint16_t nb_pkts,
                uint32_t *hash)
{
	struct tp_pkt_info info;
	uint64_t special = 0;

	for (uint16_t i = 0; i < nb_pkts; i++) {
		tp_pkt_parse(pkts[i], &info);
		special |= (uint64_t)flow_hash_parsed(flow, pkts[i], &info, &hash[i]) << i;
	}
	return special;
}
