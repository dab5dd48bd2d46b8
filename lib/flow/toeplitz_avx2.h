/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Toeplitz of 32 tuples at a time with AVX2: one register for each byte of the tuples.
 *
 * What byte j adds to byte k of the hash depends on its value and on s = j + k alone (see
 * avx512_int.h). So there are two tables of 16 entries for each s, one for each half of a
 * byte, and PSHUFB looks up 32 bytes at a time.
 */
#ifndef FLOW_TOEPLITZ_AVX2_H
#define FLOW_TOEPLITZ_AVX2_H

#include <immintrin.h>
#include <string.h>

#include "flow_int.h"

#define TOEPLITZ_BLOCK 32

/* Two of four perfect shuffles of 16 registers, in groups of four so that no more than that are
 * busy at a time.
 */
static __rte_always_inline void
shuffle_twice(const __m256i x[16], __m256i z[16])
{
#pragma GCC unroll 4
	for (int i = 0; i < 4; i++) {
		__m256i a = _mm256_unpacklo_epi8(x[i], x[i + 8]);
		__m256i b = _mm256_unpackhi_epi8(x[i], x[i + 8]);
		__m256i c = _mm256_unpacklo_epi8(x[i + 4], x[i + 12]);
		__m256i d = _mm256_unpackhi_epi8(x[i + 4], x[i + 12]);

		z[4 * i] = _mm256_unpacklo_epi8(a, c);
		z[4 * i + 1] = _mm256_unpackhi_epi8(a, c);
		z[4 * i + 2] = _mm256_unpacklo_epi8(b, d);
		z[4 * i + 3] = _mm256_unpackhi_epi8(b, d);
	}
}

/* 16 bytes of each of 32 tuples, to 16 registers of one byte of each: four perfect shuffles are
 * a transposition. Each half of the registers does its own.
 */
static __rte_always_inline void
transpose_bytes(__m256i x[16])
{
	__m256i z[16];

	shuffle_twice(x, z);
	shuffle_twice(z, x);
}

/* Bytes off..off+15 of each tuple: tuples i and i+16 in the halves of x[i]. */
static __rte_always_inline void
load_tuples(const uint8_t *const p[TOEPLITZ_BLOCK], int off, __m256i x[16])
{
#pragma GCC unroll 16
	for (int i = 0; i < 16; i++)
		x[i] = _mm256_loadu2_m128i(
		                (const __m128i *)(p[i + 16] + off), (const __m128i *)(p[i] + off));
}

/* Store bytes of the hashes, most significant first, as 32 words. */
static __rte_always_inline void
store_hashes(const __m256i k[4], uint32_t *hash)
{
	__m256i low[2] = { _mm256_unpacklo_epi8(k[3], k[2]), _mm256_unpackhi_epi8(k[3], k[2]) };
	__m256i high[2] = { _mm256_unpacklo_epi8(k[1], k[0]), _mm256_unpackhi_epi8(k[1], k[0]) };

#pragma GCC unroll 2
	for (int i = 0; i < 2; i++) {
		__m256i a = _mm256_unpacklo_epi16(low[i], high[i]);
		__m256i b = _mm256_unpackhi_epi16(low[i], high[i]);

		_mm256_storeu2_m128i((__m128i *)&hash[8 * i + 16], (__m128i *)&hash[8 * i], a);
		_mm256_storeu2_m128i((__m128i *)&hash[8 * i + 20], (__m128i *)&hash[8 * i + 4], b);
	}
}

static __rte_always_inline __m256i
table(const struct tp_flow *flow, int s, int half)
{
	return _mm256_broadcastsi128_si256(_mm_load_si128((const __m128i *)flow->nibble[s][half]));
}

/* @param byte [len] registers
 * @param len a constant
 */
static __rte_always_inline void
toeplitz_bytes(const struct tp_flow *flow, const __m256i *byte, int len, uint32_t *hash)
{
	const __m256i nibble = _mm256_set1_epi8(0x0f);
	__m256i sum[4];

#pragma GCC unroll 4
	for (int k = 0; k < 4; k++)
		sum[k] = _mm256_setzero_si256();
#pragma GCC unroll 36
	for (int j = 0; j < len; j++) {
		__m256i low = _mm256_and_si256(byte[j], nibble);
		__m256i high = _mm256_and_si256(_mm256_srli_epi16(byte[j], 4), nibble);

#pragma GCC unroll 4
		for (int k = 0; k < 4; k++) {
			sum[k] = _mm256_xor_si256(
			                sum[k], _mm256_shuffle_epi8(table(flow, j + k, 0), low));
			sum[k] = _mm256_xor_si256(
			                sum[k], _mm256_shuffle_epi8(table(flow, j + k, 1), high));
			/* GCC would make a tree of all terms and spill most of them. */
			asm("" : "+x"(sum[k]));
		}
	}
	store_hashes(sum, hash);
}

/* Tuples of 8 or 12 bytes; 16 are read from each place but the last. */
static __rte_always_inline void
toeplitz32_v4(const struct tp_flow *flow, const uint8_t *const *p, int len, uint32_t *hash)
{
	const uint8_t *end = p[TOEPLITZ_BLOCK - 1];
	__m128i last = _mm_loadl_epi64((const __m128i *)end);
	__m256i byte[16];
	uint32_t ports;

	load_tuples(p, 0, byte);
	if (len > 8) {
		memcpy(&ports, end + 8, sizeof(ports));
		last = _mm_insert_epi32(last, (int)ports, 2);
	}
	byte[15] = _mm256_set_m128i(last, _mm_loadu_si128((const __m128i *)p[15]));
	transpose_bytes(byte);
	toeplitz_bytes(flow, byte, len, hash);
}

/* Tuples of 32 or 36 bytes; the last 16 of 36 are read again, so that nothing behind them is. */
static __rte_always_inline void
toeplitz32_v6(const struct tp_flow *flow, const uint8_t *const *p, int len, uint32_t *hash)
{
	__m256i byte[36], again[16];

	load_tuples(p, 0, byte);
	transpose_bytes(byte);
	load_tuples(p, 16, byte + 16);
	transpose_bytes(byte + 16);
	if (len > 32) {
		load_tuples(p, len - 16, again);
		transpose_bytes(again);
		for (int i = 0; i < 4; i++)
			byte[32 + i] = again[12 + i];
	}
	toeplitz_bytes(flow, byte, len, hash);
}

/* @param len 8, 12, 32 or 36 */
static __rte_always_inline void
toeplitz32(const struct tp_flow *flow, const uint8_t *const *p, uint16_t len, uint32_t *hash)
{
	if (len == 8)
		toeplitz32_v4(flow, p, 8, hash);
	else if (len == 12)
		toeplitz32_v4(flow, p, 12, hash);
	else if (len == 32)
		toeplitz32_v6(flow, p, 32, hash);
	else
		toeplitz32_v6(flow, p, 36, hash);
}

/* Hash tuples that lie anywhere.
 * @param p [nb] 16 bytes are readable at all but the last one of each 32
 */
static inline void
toeplitz_list(const struct tp_flow *flow, const uint8_t *const *p, uint16_t len, uint16_t nb,
                uint32_t *hash)
{
	static const uint8_t zeros[48];
	const uint8_t *rest[TOEPLITZ_BLOCK];
	uint32_t last[TOEPLITZ_BLOCK];

	for (uint16_t i = 0; i < nb; i += TOEPLITZ_BLOCK) {
		if (i + TOEPLITZ_BLOCK <= nb) {
			toeplitz32(flow, &p[i], len, &hash[i]);
			continue;
		}
		/* The last one goes where nothing behind it is read. */
		for (uint16_t j = 0; j < TOEPLITZ_BLOCK - 1; j++)
			rest[j] = i + j < nb - 1 ? p[i + j] : zeros;
		rest[TOEPLITZ_BLOCK - 1] = p[nb - 1];
		toeplitz32(flow, rest, len, last);
		memcpy(&hash[i], last, (nb - i) * sizeof(*hash));
		hash[nb - 1] = last[TOEPLITZ_BLOCK - 1];
	}
}

#endif
